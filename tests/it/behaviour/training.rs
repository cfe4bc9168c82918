//! Training through the binary: what is kept back, what is new, and what may not be deployed.

use crate::bench::Bench;

const HEAD: &str = "\
version: 1
name: training
as_of: 2018-09-28
sources:
  bars: {path: data/synthetic/ohlcv.parquet, schema: ohlcv@1, read: {holdout: {start: 2017-01-01, name: synthetic}}}
  strategy: {path: configs/strategies/donchian.yaml, schema: strategy@1}
nodes:
  known:
    kind: accumulate
    inputs: {bars: sources.bars, strategy: sources.strategy}
";

const UNSEEN: &str = concat!(
    "  unseen:\n    kind: accumulate\n    inputs: {bars: sources.bars, strategy: sources.strategy}\n",
    "    with: {use: holdout, min_samples: 5}\n",
);

#[test]
fn no_node_reads_the_holdout_but_by_its_own_word_and_each_look_is_on_record_once() {
    let bench = Bench::new();
    let train = "  model:\n    kind: train\n    inputs: {data: unseen.signals}\n    with: {min_samples: 5}\n";
    let late = "  late:\n    kind: accumulate\n    inputs: {bars: sources.bars, strategy: sources.strategy}\n    \
                with: {universe: {window: {end: 2018-01-01}}}\n";
    bench.write("holdout.yaml", [HEAD, UNSEEN, train, late].concat());
    for _ in 0..2 {
        assert_eq!(bench.call(&["run", "holdout.yaml", "--progress", "none"]).code, Some(1));
    }
    let report = bench.shown();
    assert!(report.reason("model").contains("of the holdout `synthetic`"), "{}", report.reason("model"));
    assert!(report.reason("late").contains("inside the holdout `synthetic`"), "{}", report.reason("late"));
    // signals end where the holdout begins: 2017-01-01 is not among the days of the summary
    let known = report.node("known")["summary"].as_str().unwrap_or_default().to_owned();
    assert!(known.contains("to 2016-12-"), "{known}");
    let openings = bench.json(&["data", "holdout"]);
    assert_eq!(openings["openings"].as_array().unwrap().len(), 1);
    assert_eq!(openings["openings"][0]["kind"], "accumulate");
    let words = bench.ok(&["data", "holdout"]);
    assert!(words.contains("holdout `synthetic` opened once, last by run "), "{words}");
}

#[test]
fn a_model_is_judged_on_the_holdout_by_signals_of_the_holdout_and_counts_once() {
    let bench = Bench::new();
    let train = "  model:\n    kind: train\n    inputs: {data: known.signals}\n    with: {model: {kind: logistic}}\n";
    let judge = |name: &str, data: &str, with: &str| {
        format!(
            "  {name}:\n    kind: evaluate\n    inputs: {{candidate: model.model, data: {data}.signals, bars: sources.bars, \
             strategy: sources.strategy}}\n    with: {with}\n"
        )
    };
    let nodes = [
        judge("last", "unseen", "{use: holdout, min_rows: 20}"),
        judge("wrong", "known", "{use: holdout}"),
        judge("sly", "unseen", "{}"),
    ];
    bench.write("judged.yaml", [HEAD, UNSEEN, train, &nodes.concat()].concat());
    for _ in 0..2 {
        assert_eq!(bench.call(&["run", "judged.yaml", "--progress", "none"]).code, Some(1));
    }
    let report = bench.shown();
    assert_eq!(report.outcome("last"), "reused");
    assert!(report.reason("wrong").contains("not of the holdout of `bars`"), "{}", report.reason("wrong"));
    assert!(report.reason("sly").contains("`use: holdout`"), "{}", report.reason("sly"));
    let openings = bench.json(&["data", "holdout"]);
    let kinds: Vec<&str> =
        openings["openings"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    // signals once, the two looks that evaluations took once each
    assert_eq!(kinds, ["accumulate", "evaluate", "evaluate"]);
}

#[test]
fn a_training_without_enough_that_is_new_is_skipped_with_both_numbers() {
    let bench = Bench::new();
    let first = "  first:\n    kind: train\n    inputs: {data: known.signals}\n    with: {model: {kind: logistic}}\n";
    let again = "  again:\n    kind: train\n    inputs: {data: known.signals, champion: first.model}\n    \
                 with: {model: {kind: logistic}, min_new_samples: 10}\n";
    bench.write("new.yaml", [HEAD, first, again].concat());
    let report = bench.run("new.yaml", &[]);
    assert_eq!(report.outcomes(), ["again skipped", "first succeeded", "known succeeded"]);
    assert_eq!(report.reason("again"), "insufficient labelled signals since the champion was trained: 0 < 10");
}

#[test]
fn a_model_judged_by_folds_that_saw_their_future_cannot_be_evaluated() {
    let bench = Bench::new();
    let train = "  model:\n    kind: train\n    inputs: {data: known.signals}\n    with: {model: {kind: logistic}, validation: \
                 {scheme: combinatorial, folds: 5}}\n    publish: {report: report.html}\n";
    let judge = "  judge:\n    kind: evaluate\n    inputs: {candidate: model.model, data: known.signals, bars: sources.bars, \
                 strategy: sources.strategy}\n";
    bench.write("ahead.yaml", [HEAD, train].concat());
    assert!(bench.run("ahead.yaml", &[]).node("model")["summary"].to_string().contains("for diagnosis only"));
    let page = std::fs::read_to_string(bench.path("report.html")).unwrap();
    assert!(page.contains("<h2>Paths</h2>") && !page.contains("http"), "the page loads nothing");
    bench.write("judged.yaml", [HEAD, train, judge].concat());
    assert_eq!(bench.call(&["run", "judged.yaml", "--progress", "none"]).code, Some(1));
    let report = bench.shown();
    assert_eq!(report.outcome("judge"), "failed");
    assert!(report.reason("judge").contains("`validation: {scheme: rolling}`"), "{}", report.reason("judge"));
}
