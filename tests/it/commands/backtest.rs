//! `walkforward backtest` and `walkforward metrics`.

use serde_json::Value;

use crate::bench::Bench;

const STRATEGY: &str = "configs/strategies/donchian.yaml";

/// A folder with the shipped strategy, and bars of two symbols that swing in several rhythms.
fn bench() -> Bench {
    let bench = Bench::empty();
    let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(STRATEGY);
    bench.write(STRATEGY, std::fs::read_to_string(shipped).unwrap());
    let mut text = "symbol,ts,open,high,low,close,volume\n".to_owned();
    for (symbol, period) in [("A", 61.0), ("B", 47.0)] {
        for day in 0..600 {
            let ts = jiff::civil::date(2010, 1, 1).checked_add(jiff::Span::new().days(day)).unwrap();
            let wave = |at: f64, period: f64| (at * std::f64::consts::TAU / period).sin();
            let price = |at: f64| {
                100.0 + 0.01 * at + 5.0 * wave(at, period) + 3.0 * wave(at, 11.0) + 2.0 * (at * at / 50.0).sin()
            };
            let (open, close) = (price(day as f64 - 0.4), price(day as f64));
            let (high, low) = (open.max(close) + 0.5, open.min(close) - 0.5);
            text.push_str(&format!("{symbol},{ts},{open:.4},{high:.4},{low:.4},{close:.4},1000000\n"));
        }
    }
    bench.write("bars.csv", &text);
    bench
}

fn report(bench: &Bench, extra: &[&str]) -> Value {
    let text = bench.ok(&[&["--json", "backtest", STRATEGY, "--bars", "bars.csv"], extra].concat());
    serde_json::from_str::<Value>(&text).unwrap()["result"].take()
}

fn metric(report: &Value, name: &str) -> Option<f64> {
    report["metrics"].as_array().unwrap().iter().find(|metric| metric["name"] == name).unwrap()["value"].as_f64()
}

fn refused(bench: &Bench, extra: &[&str], words: &str) {
    let call = bench.call(&[&["backtest", STRATEGY, "--bars", "bars.csv"], extra].concat());
    // long lines are folded for the terminal
    let said = call.stderr.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ");
    assert_eq!(call.code, Some(2), "{}", call.stderr);
    assert!(said.contains(words), "{}", call.stderr);
}

#[test]
fn the_screen_of_a_backtest() {
    insta::assert_snapshot!("screen", bench().ok(&["backtest", STRATEGY, "--bars", "bars.csv"]));
}

#[test]
fn the_report_adds_up_and_is_the_same_each_time() {
    let bench = bench();
    let first = report(&bench, &[]);
    assert_eq!(first, report(&bench, &[]));
    let trades = metric(&first, "trades").unwrap();
    assert!(trades > 3.0, "{trades}");
    let exits: f64 = first["exits"].as_array().unwrap().iter().map(|exit| exit["trades"].as_f64().unwrap()).sum();
    assert_eq!(exits, trades);
    let rejected: i64 = first["funnel"]["rejected"].as_object().unwrap().values().map(|it| it.as_i64().unwrap()).sum();
    assert_eq!(first["funnel"]["candidates"].as_i64().unwrap(), first["funnel"]["filled"].as_i64().unwrap() + rejected);
    assert_eq!(metric(&first, "dsr"), None);
    assert!(metric(&report(&bench, &["--tried", "20"]), "dsr").unwrap() < metric(&first, "psr").unwrap());
}

#[test]
fn a_parameter_a_symbol_and_a_window_change_what_is_traded() {
    let bench = bench();
    let all = report(&bench, &[]);
    let one = report(&bench, &["--symbols", "A", "--from", "2011-01-01"]);
    assert_eq!((one["symbols"][0].as_str(), one["from"].as_str()), (Some("A"), Some("2011-01-01")));
    let tight = report(&bench, &["--set", "exit.hard_stop_atr_mult=0.5"]);
    assert_ne!(metric(&all, "net_profit"), metric(&tight, "net_profit"));
    let seen = report(&bench, &["--tuned-until", "2011-01-01"]);
    assert!(seen["doubts"].as_array().unwrap().iter().any(|doubt| doubt["code"] == "in_sample"), "{}", seen["doubts"]);
}

#[test]
fn tables_and_plots_are_written_where_they_are_asked_for() {
    let bench = bench();
    let trades = metric(&report(&bench, &["--trades", "out/t.csv", "--equity", "e.parquet"]), "trades").unwrap();
    let text = std::fs::read_to_string(bench.path("out/t.csv")).unwrap();
    assert_eq!(text.lines().count() as f64, trades + 1.0);
    assert!(text.starts_with("symbol,side,signal_ts,entry_ts,exit_ts,"), "{text}");
    assert!(std::fs::read(bench.path("e.parquet")).unwrap().starts_with(b"PAR1"));
    report(&bench, &["--svg", "plot.svg", "--html", "page.html", "--candidates", "c.csv"]);
    assert!(std::fs::read_to_string(bench.path("plot.svg")).unwrap().starts_with("<svg"));
    let page = std::fs::read_to_string(bench.path("page.html")).unwrap();
    assert!(page.contains("</html>") && page.contains("sharpe") && page.len() < 500_000);
    assert!(std::fs::read_to_string(bench.path("c.csv")).unwrap().contains(",filled,"));
}

#[test]
fn what_cannot_be_done_is_said_with_what_mends_it() {
    let bench = bench();
    refused(&bench, &["--trades", "t.txt"], "expected a name that ends in `.parquet` or `.csv`");
    refused(&bench, &["--set", "exit.exit_ma"], "expected PARAMETER=VALUE");
    refused(&bench, &["--set", "exit.atr_mult=2"], "exit.hard_stop_atr_mult");
    refused(&bench, &["--symbols", "Z"], "no bars for Z; the files hold A, B");
    refused(&bench, &["--from", "2020-01-01"], "the data ends on 2011-08-23; give an earlier `--from`");
    bench.write("bad.csv", "symbol,ts,open,high,low,close,volume\nA,2010-01-01,10,9,8,10,5\n");
    let call = bench.call(&["backtest", STRATEGY, "--bars", "bad.csv"]);
    assert!(call.stderr.contains("`high`") && call.stderr.contains("--drop-bad-bars"), "{}", call.stderr);
    std::fs::create_dir(bench.path("empty")).unwrap();
    let call = bench.call(&["backtest", STRATEGY, "--bars", "empty"]);
    assert!(call.stderr.contains("found none"), "{}", call.stderr);
    let call = bench.call(&["backtest", "none.yaml", "--bars", "bars.csv"]);
    assert!(call.stderr.contains("none.yaml: cannot read the strategy"), "{}", call.stderr);
}

#[test]
fn a_figure_is_explained_and_a_misspelt_one_is_guessed() {
    let bench = Bench::empty();
    let text = bench.ok(&["metrics", "sharpe"]);
    assert!(text.contains("Sharpe (1994)") && text.contains("mean(r) / std(r, n - 1)"), "{text}");
    let call = bench.call(&["metrics", "sharp"]);
    assert!(call.code == Some(2) && call.stderr.contains("did you mean `sharpe`?"), "{}", call.stderr);
}

const PIPELINE: &str = "
version: 1
as_of: 2011-08-01
sources:
  bars: {path: bars.csv, schema: ohlcv@1}
  strategy: {path: configs/strategies/donchian.yaml, schema: strategy@1}
nodes:
  backtest:
    kind: backtest
    inputs: {bars: sources.bars, strategy: sources.strategy}
    with: {benchmark: equal_weight, tried: 5}
  good:
    kind: noop
    when: backtest.trades > 3 && backtest.max_drawdown > -0.9
    inputs: {equity: backtest.equity, candidates: backtest.candidates, report: backtest.report}
  few:
    kind: backtest
    inputs: {bars: sources.bars, strategy: sources.strategy}
    with: {min_trades: 1000}
";

#[test]
fn a_node_writes_tables_and_values_that_conditions_read() {
    let bench = bench();
    bench.write("pipelines/small.yaml", PIPELINE);
    let run = bench.run("pipelines/small.yaml", &[]);
    assert_eq!(run.outcomes(), ["backtest succeeded", "few skipped", "good succeeded"]);
    assert!(run.reason("few").contains("insufficient closed trades"), "{}", run.reason("few"));
    assert_eq!(bench.run("pipelines/small.yaml", &[]).outcomes()[0], "backtest reused");
}
