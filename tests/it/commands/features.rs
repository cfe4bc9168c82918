//! `walkforward features`.

use serde_json::{Value, json};

use crate::bench::Bench;

const BARS: &str = "data/us5/us5_daily.parquet";

#[test]
fn every_set_is_listed_with_as_many_features_as_it_has() {
    let bench = Bench::empty();
    for set in bench.json(&["features", "list"]).as_array().unwrap() {
        let listed = bench.json(&["features", "list", set["set"].as_str().unwrap()]);
        assert_eq!(listed.as_array().unwrap().len() as u64, set["features"].as_u64().unwrap(), "{set}");
    }
    let functions = bench.json(&["features", "list", "--functions"]);
    let calls: Vec<&str> = functions.as_array().unwrap().iter().map(|it| it["call"].as_str().unwrap()).collect();
    assert!(calls.contains(&"rsi(x, k=14)") && calls.contains(&"rank(x) over date"), "{calls:?}");
    assert_eq!(bench.call(&["features", "list", "core4"]).code, Some(2));
}

#[test]
fn an_expression_is_explained_by_its_tree() {
    let bench = Bench::new();
    let about = bench.json(&["features", "explain", "ema(close, p.n) > lag(close, 3)", "-p", "n=12", "--data", BARS]);
    assert_eq!(
        [&about["formula"], &about["type"], &about["look_back"], &about["look_ahead"], &about["recursive"]],
        [&json!("ema(close, 12) > lag(close, 3)"), &json!("boolean"), &json!(11), &json!(0), &json!(true)]
    );
    assert_eq!(about["nulls"]["IBM"]["null"], 11);
    assert_eq!(about["tree"]["parts"][0]["head"], "ema");
    // a feature by an expression, a feature by a kernel, a function
    for (name, part) in [("KMID", "formula"), ("rsi_14", "formula"), ("rsi", "function")] {
        assert!(!bench.json(&["features", "explain", name])[part].is_null(), "{name}");
    }
}

#[test]
fn a_mistake_is_shown_in_the_expression() {
    let bench = Bench::empty();
    let call = bench.call(&["features", "explain", "clsoe > highest(high, 20)"]);
    assert_eq!(call.code, Some(2));
    assert!(call.stderr.contains("did you mean `close`?") && call.stderr.contains("──┬──"), "{}", call.stderr);
    let ahead = bench.call(&["--json", "features", "explain", "lag(close, -3)"]);
    let whole: Value = serde_json::from_str(&ahead.stdout).unwrap();
    let problem = &whole["error"]["problems"][0];
    assert_eq!((&problem["code"], &problem["column"]), (&json!("expression::look_ahead"), &json!(12)));
}

#[test]
fn the_check_computes_features_on_cut_histories_of_the_users_bars() {
    let bench = Bench::new();
    let mine = "strong=rank(roc(close, 60)) over date";
    let report = bench.json(&["features", "check", BARS, "--set", "full70", "-e", mine, "--lookback-periods", "5,33"]);
    // of the periods 5 and 33, two features are in the set already
    assert_eq!(report["features"].as_array().unwrap().len(), 70 + 1 + 14 - 2);
    assert!(report["looks_ahead"].is_null() && report["values_compared"].as_u64().unwrap() > 1_000_000, "{report}");
    assert_eq!(bench.call(&["features", "check", BARS, "-e", "x=lag(close, -1)"]).code, Some(2));
    assert_eq!(bench.call(&["features", "check", "no-such-folder"]).code, Some(2));
}
