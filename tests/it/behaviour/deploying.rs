//! A model is deployed exactly once, is seen by later windows only, and can be rolled back.

use serde_json::Value;

use super::{SYNTHETIC, WEEKLY};
use crate::bench::Bench;

const MODEL: &str = "synthetic-quality";
/// Three years after the meaning of volume was turned around.
const LATER: [&str; 2] = ["--as-of", "2021-08-28"];

fn log(bench: &Bench) -> Vec<Value> {
    bench.json(&["registry", "show", MODEL]).as_array().unwrap().clone()
}

fn champion(bench: &Bench) -> Value {
    bench.json(&["registry", "list"])[0]["champion"].clone()
}

#[test]
fn a_decision_is_carried_out_once_even_when_its_record_is_lost() {
    let bench = Bench::new();
    let first = bench.run(SYNTHETIC, &[]);
    assert_eq!(first.node("deploy")["values"]["decision"], "promoted");
    bench.run(SYNTHETIC, &[]);
    assert_eq!(log(&bench).len(), 1);

    std::fs::remove_file(bench.action_of("deploy")).unwrap();
    let again = bench.run(SYNTHETIC, &[]);
    assert_eq!(again.outcome("deploy"), "succeeded");
    assert_eq!(log(&bench).len(), 1);
    assert_eq!(again.digests(), first.digests());
}

#[test]
fn a_deployment_whose_registry_entry_is_lost_is_carried_out_again() {
    let bench = Bench::new();
    let first = bench.run(SYNTHETIC, &[]);
    std::fs::remove_dir_all(bench.path("artifacts/store/registry")).unwrap();
    let again = bench.run(SYNTHETIC, &[]);
    assert_eq!(again.outcome("deploy"), "succeeded");
    assert_eq!(champion(&bench)["version"]["model"]["sha256"], *first.digest("train", "model"));
}

#[test]
fn a_repeated_window_does_not_see_the_champion_it_made() {
    let bench = Bench::new();
    let first = bench.run(SYNTHETIC, &[]);
    assert_eq!(champion(&bench)["version"]["model"]["sha256"], *first.digest("train", "model"));
    bench.run(SYNTHETIC, &[]);
    let second = bench.shown();
    assert_eq!(second.0["start"]["sources"]["champion"], Value::Null);
    assert_eq!(second.node("drift")["values"]["decision"], "no-reference");
}

#[test]
fn a_later_window_sees_the_champion_and_finds_that_its_performance_drifted() {
    let bench = Bench::new();
    let first = bench.run(SYNTHETIC, &[]);
    bench.run(SYNTHETIC, &[&LATER[..], &["--set", "retrain=never"]].concat());
    let later = bench.shown();
    assert_eq!(later.0["start"]["sources"]["champion"]["sha256"], *first.digest("train", "model"));
    let drift = &later.node("drift")["values"];
    assert_eq!((&drift["decision"], &drift["performance"]), (&"drift".into(), &"drift".into()));
    assert_eq!(later.outcome("train"), "skipped");
    assert!(later.reason("train").starts_with("when: params.retrain == \"always\""), "{}", later.reason("train"));
    assert_eq!((later.outcome("deploy"), later.reason("deploy")), ("skipped", "train was skipped"));
}

#[test]
fn a_rollback_is_another_entry_and_a_repeated_run_does_not_undo_it() {
    let bench = Bench::new();
    bench.run(SYNTHETIC, &[]);
    let first = bench.call(&["registry", "rollback", MODEL, "--reason", "worse in practice"]);
    assert_eq!(first.code, Some(4));
    assert!(first.stderr.contains("slot 0 is the first champion"), "{}", first.stderr);
    let back = bench.json(&["registry", "rollback", MODEL, "--to", "none", "--reason", "worse in practice"]);
    assert_eq!((&back["slot"], &back["champion"]), (&1.into(), &Value::Null));
    assert_eq!(champion(&bench), Value::Null);
    assert_eq!(log(&bench)[1]["action"]["rollback"]["reason"], "worse in practice");

    let again = bench.run(SYNTHETIC, &[]);
    assert_eq!(again.node("deploy")["values"]["applied"], false);
    assert_eq!((champion(&bench), log(&bench).len()), (Value::Null, 2));

    let nothing = bench.call(&["registry", "rollback", MODEL, "--reason", "again"]);
    assert_eq!(nothing.code, Some(4));
    assert!(nothing.stderr.contains("`synthetic-quality` has no champion to roll back"), "{}", nothing.stderr);
    let wrong = bench.call(&["registry", "rollback", MODEL, "--to", "7", "--reason", "again"]);
    assert_eq!(wrong.code, Some(4));
    assert!(
        wrong.stderr.contains("slot 7 of `synthetic-quality` promotes no champion; promotions: 0"),
        "{}",
        wrong.stderr
    );

    bench.ok(&["registry", "rollback", MODEL, "--to", "0", "--reason", "better after all"]);
    assert_eq!(champion(&bench)["slot"], 0);
    assert_eq!(log(&bench).len(), 3);
}

#[test]
fn a_later_window_after_a_rollback_sees_no_champion() {
    let bench = Bench::new();
    bench.run(SYNTHETIC, &[]);
    bench.ok(&["registry", "rollback", MODEL, "--to", "none", "--reason", "worse in practice"]);
    let later = bench.run(SYNTHETIC, &[&LATER[..], &["--set", "retrain=never"]].concat());
    assert_eq!(later.node("drift")["values"]["decision"], "no-reference");
}

#[test]
fn in_shadow_mode_a_promotion_is_decided_and_not_carried_out() {
    let bench = Bench::new();
    let apply = "with: {registry: synthetic-quality}";
    let text = bench.read(SYNTHETIC);
    assert!(text.contains(apply));
    bench.write("shadow.yaml", text.replace(apply, "with: {registry: synthetic-quality, mode: shadow}"));
    let report = bench.run("shadow.yaml", &[]);
    let values = &report.node("deploy")["values"];
    assert_eq!((&values["decision"], &values["applied"]), (&"promoted".into(), &false.into()));
    assert_eq!(bench.json(&["registry", "list"]), Value::Array(Vec::new()));
}

#[test]
fn the_weekly_pipeline_in_shadow_mode_leaves_the_registry_empty() {
    let bench = Bench::new();
    let report = bench.run(WEEKLY, &["--set", "trials=8", "--set", "deploy=shadow"]);
    assert!(report.all("succeeded"), "{:?}", report.outcomes());
    let decision = bench.read("artifacts/reports/weekly-2013-03-03-decision.json");
    assert!(decision.contains("\"applied\""), "{decision}");
    assert!(bench.stored("registry").is_empty());
    assert_eq!(bench.ok(&["registry", "list"]), "No model was ever deployed from artifacts/store.\n");
}
