//! How a node ends, what that does to those after it, and the exit code of the run.

use super::SYNTHETIC;
use crate::bench::Bench;

const HEAD: &str = "\
version: 1
name: small
as_of: 2018-09-28
sources:
  bars:     {path: data/synthetic/ohlcv.parquet, schema: ohlcv@1}
  strategy: {path: configs/strategies/donchian.yaml, schema: strategy@1}
nodes:
";

fn accumulate(name: &str, with: &str) -> String {
    format!(
        "  {name}:\n    kind: accumulate\n    inputs: {{bars: sources.bars, strategy: sources.strategy}}\n    with: {with}\n"
    )
}

fn train(after: &str) -> String {
    format!(
        "  train:\n    kind: train\n    inputs: {{data: {after}.signals}}\n    with: {{model: {{kind: logistic}}}}\n"
    )
}

#[test]
fn a_node_with_too_few_samples_is_skipped_with_those_after_it_and_the_run_ends_well() {
    let bench = Bench::new();
    bench.write("few.yaml", [HEAD, &accumulate("few", "{min_samples: 100000}"), &train("few")].concat());
    let report = bench.run("few.yaml", &[]);
    assert_eq!(report.outcomes(), ["few skipped", "train skipped"]);
    let reason = report.reason("few");
    assert!(reason.starts_with("insufficient labelled signals: ") && reason.ends_with(" < 100000"), "{reason}");
    assert_eq!(report.reason("train"), "few was skipped");
    assert_eq!(report.0["status"], "succeeded");
}

#[test]
fn a_failing_node_stops_those_after_it_but_no_other_and_the_run_exits_with_1() {
    let bench = Bench::new();
    let failing = accumulate("failing", "{universe: {symbols: [NOPE]}}");
    bench.write("failing.yaml", [HEAD, &failing, &train("failing"), &accumulate("well", "{}")].concat());
    let call = bench.call(&["run", "failing.yaml", "--progress", "none"]);
    assert_eq!(call.code, Some(1), "{}\n{}", call.stdout, call.stderr);
    assert!(call.stdout.contains("FAILED: 1 of 3 nodes failed."), "{}", call.stdout);
    let report = bench.shown();
    assert_eq!(report.outcomes(), ["failing failed", "train skipped", "well succeeded"]);
    assert!(report.reason("failing").starts_with("no bars for NOPE; the files hold"), "{}", report.reason("failing"));
    assert_eq!(report.reason("train"), "failing failed");
    assert_eq!(report.0["end"]["status"], "failed");
}

#[test]
fn a_failed_node_runs_again_and_what_had_ended_is_reused() {
    let bench = Bench::new();
    let failing = accumulate("failing", "{universe: {symbols: [NOPE]}}");
    bench.write("failing.yaml", [HEAD, &failing, &accumulate("well", "{}")].concat());
    for outcome in ["succeeded", "reused"] {
        assert_eq!(bench.call(&["run", "failing.yaml"]).code, Some(1));
        assert_eq!(bench.shown().outcomes(), ["failing failed".to_owned(), format!("well {outcome}")]);
    }
}

#[test]
fn a_false_condition_skips_with_its_text_as_the_reason() {
    let bench = Bench::new();
    let report = bench.run(SYNTHETIC, &["--set", "retrain=never"]);
    assert_eq!(
        report.outcomes(),
        ["accumulate succeeded", "deploy skipped", "drift succeeded", "evaluate skipped", "train skipped"]
    );
    assert_eq!(
        report.reason("train"),
        "when: params.retrain == \"always\" || (params.retrain == \"auto\" && drift.decision in [\"drift\", \"no-reference\"])"
    );
    assert_eq!(report.reason("evaluate"), "train was skipped");
    assert!(!bench.path("artifacts/reports").exists(), "what was not made was published");
}

#[test]
fn a_published_report_is_written_and_restored_when_it_is_deleted() {
    let bench = Bench::new();
    bench.run(SYNTHETIC, &[]);
    let report = bench.read("artifacts/reports/synthetic-2018-09-28.md");
    assert!(report.starts_with('#'), "{report}");
    std::fs::remove_file(bench.path("artifacts/reports/synthetic-2018-09-28.md")).unwrap();
    let again = bench.run(SYNTHETIC, &[]);
    assert!(again.all("reused"), "{:?}", again.outcomes());
    assert_eq!(bench.read("artifacts/reports/synthetic-2018-09-28.md"), report);
}
