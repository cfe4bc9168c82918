//! `walkforward study`: two searches of one market, the second beginning with the first.

use serde_json::Value;

use crate::bench::Bench;

const SEARCH: &str = r#"
version: 1
name: search
as_of: 2013-03-03
sources:
  bars:     {path: data/us5, schema: ohlcv@1}
  strategy: {path: configs/strategies/equity_breakout.yaml, schema: strategy@1}
nodes:
  coarse:
    kind: optimize-parameters
    inputs: {bars: sources.bars, strategy: sources.strategy}
    with:
      objective: {metric: sharpe, min_trades: 1}
      preset: quick
      trials: 12
      sampler: {kind: sobol}
      pruner: none
      space: {exit.exit_ma: {choice: [10, 20, 50]}, exit.hard_stop_atr_mult: {float: [1.5, 4.0]}}
  finer:
    kind: optimize-parameters
    inputs: {bars: sources.bars, strategy: coarse.best, earlier: coarse.study}
    with:
      objective: {metric: sharpe, min_trades: 1}
      preset: quick
      trials: 8
      sampler: {kind: gp}
      space: {exit.exit_ma: {choice: [10, 20, 50]}, exit.hard_stop_atr_mult: {float: [2.0, 3.0]}}
    publish: {report: reports/finer, study: studies/finer.json}
"#;

fn searched() -> Bench {
    let bench = Bench::new();
    bench.write("search.yaml", SEARCH);
    bench.ok(&["run", "search.yaml"]);
    bench
}

#[test]
fn studies_are_listed_shown_and_exported() {
    let bench = searched();
    let listed = bench.json(&["study", "list"]);
    let nodes: Vec<&str> = listed.as_array().unwrap().iter().map(|row| row["node"].as_str().unwrap()).collect();
    assert_eq!(nodes.len(), 2);
    assert!(nodes.contains(&"coarse") && nodes.contains(&"finer"));
    let of = |node: &str| -> &Value { listed.as_array().unwrap().iter().find(|row| row["node"] == node).unwrap() };
    let id = &of("finer")["study"].as_str().unwrap()[..10];

    let shown = bench.json(&["study", "show", id]);
    let record = &shown["record"];
    // every trial of both studies is on record; the second began with those of the first that lie inside its space
    assert_eq!(shown["trials_on_record"], 20);
    let earlier = record["earlier"].as_u64().unwrap();
    assert!(earlier > 0 && earlier < 12, "{earlier}");
    assert_eq!(record["overfitting"]["trials"], 8 + earlier);
    let words = bench.ok(&["study", "show", id]);
    for expected in ["best trials", "PBO", "DSR, on record", "exit.exit_ma", "20 trials on record"] {
        assert!(words.contains(expected), "{expected}: {words}");
    }
    assert!(bench.ok(&["study", "importance", id]).contains("PED-ANOVA"));

    bench.ok(&["study", "export", id, "--to", "out"]);
    for name in ["history", "slices", "contour", "parallel", "importances"] {
        assert!(bench.read(&format!("out/{name}.svg")).starts_with("<svg "), "{name}");
        assert_eq!(bench.read(&format!("out/{name}.svg")), bench.read(&format!("reports/finer/{name}.svg")));
    }
    assert_eq!(bench.read("out/trials.csv").lines().count(), 1 + 8);
    assert_eq!(bench.read("out/study.json"), bench.read("studies/finer.json"));

    let unknown = bench.call(&["study", "show", "zzz"]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("`walkforward study list` lists them"), "{}", unknown.stderr);
}

#[test]
fn a_published_study_is_begun_with_unless_it_searched_for_something_else() {
    let bench = searched();
    let again = SEARCH
        .replace("  strategy: {path", "  before:   {path: studies/finer.json, schema: file@1}\n  strategy: {path")
        .replace("earlier: coarse.study", "earlier: sources.before");
    bench.write("again.yaml", &again);
    bench.ok(&["run", "again.yaml"]);
    bench.write("other.yaml", again.replace("metric: sharpe", "metric: calmar"));
    let refused = bench.call(&["run", "other.yaml"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("the earlier study searched for `sharpe`, this one for `calmar`"),
        "{}",
        refused.stderr
    );
}
