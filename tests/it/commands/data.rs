//! `walkforward data`.

use crate::bench::{Bench, read_json};

const DIRTY: &str = "\
symbol,ts,open,high,low,close,volume
A,2020-01-02,10,12,9,11,100
A,2020-01-03,10,10.5,9,11,100
A,2020-01-06,10,12,9,0,100
A,2020-01-02,10,12,9,11,100
A,2020-01-07,,12,9,11,100
A,2020-01-08,10,12,9,11,many
B,2020-01-02,10,12,10.5,11,0
B,2020-01-03,10,12,9,11,
B,2020-13-03,10,12,9,11,1
,2020-01-03,10,12,9,11,1
B,2999-01-01,10,12,9,11,1
";

fn bench() -> Bench {
    let bench = Bench::empty();
    bench.write("dirty.csv", DIRTY);
    bench
}

/// The time at which the test runs is not part of what is shown.
fn steady(text: &str) -> String {
    let line = |line: &str| match line.split_once("before ") {
        Some((head, rest)) if line.contains("has come") => {
            format!("{head}before NOW, {}", rest.split_once(", ").map_or("", |(_, found)| found))
        }
        _ => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn check_names_every_defect_by_file_symbol_time_and_column() {
    let call = bench().call(&["data", "check", "dirty.csv"]);
    assert_eq!(call.code, Some(3), "{}", call.stderr);
    insta::assert_snapshot!("data_check", steady(&call.stdout));
}

#[test]
fn import_refuses_drops_or_repairs_and_says_so() {
    let bench = bench();
    let refused = bench.call(&["data", "import", "dirty.csv", "--out", "bars.parquet"]);
    assert_eq!(refused.code, Some(4));
    insta::assert_snapshot!("data_import_refused", refused.redacted_stderr());
    assert!(!bench.path("bars.parquet").exists());
    let text = bench.ok(&["data", "import", "dirty.csv", "--out", "bars.parquet", "--on-bad-bar", "repair"]);
    insta::assert_snapshot!("data_import_repaired", steady(&text));
    let again = bench.call(&["data", "import", "dirty.csv", "--out", "bars.parquet", "--on-bad-bar", "drop"]);
    assert_eq!(again.code, Some(2), "{}", again.stderr);
    assert!(bench.ok(&["data", "check", "bars.parquet"]).contains("no bar has a defect"));
}

#[test]
fn bars_are_shown_as_a_node_reads_them() {
    let bench = bench();
    bench.write("raw/A_1d.csv", "Date;Open;High;Low;Close;Volume\n01/02/2020;1,5;2;1;1,75;7\n01/03/2020;2;3;2;3;8\n");
    bench.write("split.csv", "symbol,ts,split,dividend\nA,2020-01-03,2,\n");
    let read = "{file_name: '{symbol}_1d', csv: {delimiter: ';', decimal_comma: true}, time: {format: '%m/%d/%Y'}, \
        columns: {ts: Date, open: Open, high: High, low: Low, close: Close, volume: Volume}, \
        adjust: {events: split.csv}}";
    insta::assert_snapshot!("data_show", bench.ok(&["data", "show", "raw/*.csv", "--read", read]));
}

#[test]
fn what_cannot_be_read_is_named_with_the_edit_that_mends_it() {
    let bench = bench();
    let header = "symbol,ts,open,high,low,close,volume";
    bench.write("naive.csv", format!("{header}\nA,2020-01-02 09:30:00,1,1,1,1,1\n"));
    bench.write("named.csv", "symbol,Date,open,high,low,close,volume\nA,2020-01-02,1,1,1,1,1\n");
    bench.write("ms.csv", format!("{header}\nA,1577975400000,1,1,1,1,1\n"));
    let mut all = String::new();
    for args in [
        &["naive.csv"][..],
        &["named.csv"],
        &["ms.csv"],
        &["gone/*.csv"],
        &["naive.csv", "--read", "{time: {zone: Mars/Olympus}}"],
        &["naive.csv", "--read", "{colums: {ts: Date}}"],
        &["naive.csv", "--read", "{resample: 90s}"],
    ] {
        let call = bench.call(&[&["data", "check"], args].concat());
        all.push_str(&format!("$ data check {}  -> {}\n{}\n", args.join(" "), call.code.unwrap(), call.stderr));
    }
    insta::assert_snapshot!("data_refusals", all);
}

#[test]
fn a_synthetic_market_is_the_same_bytes_and_says_its_truth() {
    let bench = bench();
    let make = |out: &str, more: &[&str]| {
        let call = ["data", "synth", "--out", out, "--set", "symbols=3", "--set", "years=2"];
        bench.ok(&[&call, more].concat())
    };
    make("one", &[]);
    make("two", &[]);
    make("other", &["--seed", "7"]);
    let bytes = |name: &str| std::fs::read(bench.path(&format!("{name}/ohlcv.parquet"))).unwrap();
    assert_eq!(bytes("one"), bytes("two"));
    assert_ne!(bytes("one"), bytes("other"));
    let truth = read_json(&bench.path("one/truth.json"));
    assert_eq!((&truth["bars"], &truth["drift_bar"]), (&504.into(), &352.into()));
    assert!(bench.ok(&["data", "check", "one/ohlcv.parquet"]).contains("no bar has a defect"));
    let call = bench.call(&["data", "synth", "--out", "one", "--preset", "sampel"]);
    assert_eq!(call.code, Some(2));
    assert!(call.stderr.contains("expected a preset, one of sample, stationary"), "{}", call.stderr);
}

#[test]
fn a_pipeline_reads_raw_files_by_the_options_of_its_source() {
    let bench = Bench::empty();
    let made = "--set symbols=8 --set years=4";
    let args = [&["data", "synth", "--out", "made"][..], &made.split(' ').collect::<Vec<_>>()].concat();
    bench.ok(&args);
    bench.write(
        "strategy.yaml",
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/configs/strategies/donchian.yaml")).unwrap(),
    );
    let pipeline = |read: &str| {
        format!(
            "version: 1\nname: raw\nas_of: 2016-01-04\nsources:\n  \
             bars: {{path: \"made/ohl*.parquet\", schema: ohlcv@1{read}}}\n  \
             strategy: {{path: strategy.yaml, schema: strategy@1}}\nnodes:\n  signals:\n    kind: accumulate\n    \
             inputs: {{bars: sources.bars, strategy: sources.strategy}}\n"
        )
    };
    bench.write("plain.yaml", pipeline(""));
    bench.write("longer.yaml", pipeline(", read: {resample: 2d}"));
    let plain = bench.run("plain.yaml", &[]);
    let longer = bench.run("longer.yaml", &[]);
    assert_eq!((plain.outcome("signals"), longer.outcome("signals")), ("succeeded", "succeeded"));
    assert_ne!(plain.digest("signals", "backtest"), longer.digest("signals", "backtest"));
    assert!(bench.run("longer.yaml", &[]).all("reused"));
}
