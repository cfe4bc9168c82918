//! A small project that trains, judges and deploys a model, and what must be so after every fault.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use walkforward::base::Digest;

use super::table::Case;
use crate::bench::{Bench, Call, Report};

pub const FILE: &str = "small.yaml";
pub const MODEL: &str = "small-quality";
const STORE: &str = "artifacts/store";

/// Eight symbols and four years: enough for a model, and for a gate that asks for no skill.
const SMALL: &str = "
version: 1
name: small
as_of: 2018-09-28
sources:
  bars:     {path: data/synthetic/ohlcv.parquet, schema: ohlcv@1}
  strategy: {path: configs/strategies/donchian.yaml, schema: strategy@1}
  champion: {registry: small-quality, alias: champion, optional: true}
nodes:
  accumulate:
    kind: accumulate
    inputs: {bars: sources.bars, strategy: sources.strategy}
    with: {universe: UNIVERSE}
  train:
    kind: train
    inputs: {data: accumulate.signals}
    with:
      model: {kind: logistic}
      validation: {scheme: expanding, train: 126, test: 126, step: 126, min_train_samples: 20, min_test_samples: 5}
  evaluate:
    kind: evaluate
    inputs:
      candidate: train.model
      champion: sources.champion
      data: accumulate.signals
      bars: sources.bars
      strategy: sources.strategy
    with: {intervals: {resamples: 20}, universe: UNIVERSE}
    publish: {report: artifacts/reports/small.md}
  deploy:
    kind: deploy-if-better
    inputs:
      candidate: train.model
      champion: sources.champion
      strategy: sources.strategy
      evaluation: evaluate.evaluation
      predictions: evaluate.predictions
    with:
      registry: small-quality
      policy:
        min_rows: 50
        min_per_class: 5
        min_effective: 0
        guardrails:
          min_auc: null
          max_log_loss_ratio: null
          min_brier_skill: null
          min_mcc: null
          max_calibration_gap: null
          expectancy_not_worse: false
          max_sharpe_drop: null
          max_drawdown_rise: null
";
const UNIVERSE: &str = "{symbols: [S0001, S0002, S0003, S0004, S0005, S0006, S0007, S0008], window: {length: 4y}}";

/// Writes the small pipeline into a project.
pub fn write_small(bench: &Bench) {
    bench.write(FILE, SMALL.replace("UNIVERSE", UNIVERSE));
}

pub fn small() -> Bench {
    let bench = Bench::new();
    write_small(&bench);
    bench
}

/// A run of the small pipeline, one node at a time, so that points come in one order.
pub const RUN: &[&str] = &["run", FILE, "--progress", "none", "--jobs", "1"];

/// What was printed, in short.
pub fn words(call: &Call) -> String {
    let text = format!("{}{}", call.stdout, call.stderr);
    let text: Vec<&str> = text.split_whitespace().collect();
    let text = text.join(" ");
    format!("code {:?}: {}", call.code, text.chars().take(4000).collect::<String>())
}

/// What a call with `--json` printed; a problem when it did not end well.
pub fn answer(bench: &Bench, case: &mut Case, args: &[&str]) -> Option<Value> {
    let call = bench.call(&[&["--json"], args].concat());
    if call.code != Some(0) {
        case.problem(format!("`{}` ended with {}", args.join(" "), words(&call)));
        return None;
    }
    let mut whole: Value = serde_json::from_str(&call.stdout).ok()?;
    Some(whole["result"].take())
}

/// Checks all that must be so once the program was called again after a fault.
pub fn settle(bench: &Bench, case: &mut Case, undisturbed: &[String]) {
    settle_by(bench, case, undisturbed, RUN, MODEL);
}

/// The same, of any call that deploys a model.
pub fn settle_by(bench: &Bench, case: &mut Case, undisturbed: &[String], run: &[&str], model: &str) {
    let Some(report) = answer(bench, case, run) else { return };
    let digests = Report(report).digests();
    case.expect(digests == undisturbed, || format!("digests differ: {digests:?} and not {undisturbed:?}"));
    deployed_once(bench, case, model);
    for read in
        [&["runs"][..], &["show"], &["diff"], &["status"], &["logs"], &["pin", "list"], &["registry", "show", model]]
    {
        // a store with one run has nothing to compare
        if read != ["diff"] || bench.json(&["runs"]).as_array().is_some_and(|runs| runs.len() > 1) {
            answer(bench, case, read);
        }
    }
}

/// Checks that one promotion stands in the registry and can be audited.
pub fn deployed_once(bench: &Bench, case: &mut Case, model: &str) {
    let entries = answer(bench, case, &["registry", "show", model]).unwrap_or_default();
    let count = entries.as_array().map_or(0, Vec::len);
    case.duplicates += count.saturating_sub(1);
    case.expect(count == 1, || format!("{count} promotions"));
    // a run whose record was deleted under it cannot be spoken for
    let by = entries[0]["by"].as_str().unwrap_or("nobody");
    let on_record = answer(bench, case, &["runs"]).is_some_and(|runs| runs.to_string().contains(by));
    let expected = if on_record { "verified" } else { "cannot_tell" };
    if let Some(audit) = answer(bench, case, &["audit", model, "--level", "decisions"]) {
        case.expect(audit["verdict"] == expected, || format!("the audit says {audit}"));
    }
}

/// Lets a collection clean up in a folder, and checks that it left what is referred to and nothing that is broken.
pub fn clean_up(bench: &Bench, case: &mut Case, undisturbed: &[String]) {
    for leftover in leftovers(bench) {
        // a write that is so old is not under way
        let file = std::fs::File::options().write(true).open(leftover).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(2 * 86_400)).unwrap();
    }
    for _ in 0..2 {
        answer(bench, case, &["gc", "--grace", "0s", "--keep-runs", "1", "--keep-days", "0"]);
    }
    let left = leftovers(bench);
    case.expect(left.is_empty(), || format!("gc left {left:?}"));
    let rotten = rotten(bench);
    case.expect(rotten.is_empty(), || format!("gc left blobs that are not what their names say: {rotten:?}"));
    let Some(report) = answer(bench, case, RUN) else { return };
    let report = Report(report);
    case.lost += report.nodes().iter().filter(|node| node["outcome"] != "reused").count();
    case.expect(report.all("reused"), || format!("after gc: {:?}", report.outcomes()));
    case.expect(report.digests() == undisturbed, || "digests differ after gc".to_owned());
}

/// What killed writes and killed runs left.
pub fn leftovers(bench: &Bench) -> Vec<PathBuf> {
    let mut found = bench.stored("");
    found.retain(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.contains('#') || name.ends_with(".lock")
    });
    found
}

/// Blobs whose bytes are not what their names say.
pub fn rotten(bench: &Bench) -> Vec<PathBuf> {
    let mut found = bench.stored("blobs");
    found.retain(|path| {
        let name: String =
            path.iter().rev().take(2).collect::<Vec<_>>().iter().rev().map(|part| part.to_string_lossy()).collect();
        Digest::of(&std::fs::read(path).unwrap()).to_string() != name
    });
    found
}

/// The names of the store's files, below its folder.
pub fn names(bench: &Bench) -> Vec<String> {
    let root = bench.path(STORE);
    let name = |path: PathBuf| path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
    bench.stored("").into_iter().map(name).collect()
}
