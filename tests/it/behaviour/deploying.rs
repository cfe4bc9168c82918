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

    let repeated = bench.json(&["registry", "rollback", MODEL, "--reason", "again"]);
    assert_eq!((&repeated["slot"], &repeated["repeated"]), (&1.into(), &true.into()));
    assert_eq!(log(&bench).len(), 2);
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

/// The synthetic pipeline with a gate that asks a person.
fn asking() -> Bench {
    let bench = Bench::new();
    let apply = "with: {registry: synthetic-quality}";
    let text = bench.read(SYNTHETIC);
    assert!(text.contains(apply));
    bench.write(SYNTHETIC, text.replace(apply, "with: {registry: synthetic-quality, policy: {approve: manual}}"));
    bench
}

#[test]
fn a_proposal_waits_for_a_person_and_is_carried_out_once() {
    let bench = asking();
    let report = bench.run(SYNTHETIC, &[]);
    assert_eq!(report.node("deploy")["values"]["decision"], "pending");
    assert_eq!((champion(&bench), log(&bench).len()), (Value::Null, 1));
    // asked again, it goes on waiting, and is not proposed twice
    assert_eq!(bench.run(SYNTHETIC, &[]).node("deploy")["values"]["decision"], "pending");
    assert_eq!(log(&bench).len(), 1);
    assert!(bench.ok(&["registry", "list"]).contains("1 wait for approval"));

    let approve = ["registry", "approve", MODEL, "--reason", "looked at it", "--by", "ada"];
    let done = bench.json(&approve);
    assert_eq!((&done["slot"], &done["done_before"]), (&1.into(), &false.into()));
    assert_eq!(champion(&bench)["slot"], 1);
    let again = bench.json(&[&approve[..], &["--slot", "0"]].concat());
    assert_eq!((&again["slot"], &again["done_before"]), (&1.into(), &true.into()));
    let trail = bench.json(&["registry", "log", MODEL]);
    assert_eq!((&trail[1]["who"], &trail[1]["action"]), (&"ada, command line".into(), &"promote".into()));
    assert!(trail[1]["why"].as_str().unwrap().ends_with("of slot 0: looked at it"), "{trail}");

    let told = bench.run(SYNTHETIC, &[]);
    let values = &told.node("deploy")["values"];
    assert_eq!((&values["decision"], &values["applied"]), (&"promoted".into(), &true.into()));
    assert_eq!(log(&bench).len(), 2);
    assert_eq!(bench.json(&["registry", "verify", MODEL])[0]["problems"], Value::Array(Vec::new()));
}

#[test]
fn a_proposal_that_is_turned_down_cannot_be_approved() {
    let bench = asking();
    bench.run(SYNTHETIC, &[]);
    bench.ok(&["registry", "retire", MODEL, "--slot", "0", "--reason", "wrong bars"]);
    let late = bench.call(&["registry", "approve", MODEL, "--slot", "0", "--reason", "after all"]);
    assert_eq!(late.code, Some(2));
    assert!(late.stderr.contains("slot 0 of `synthetic-quality` is retired: wrong bars"), "{}", late.stderr);
    let report = bench.run(SYNTHETIC, &[]);
    assert_eq!(report.node("deploy")["values"]["decision"], "kept");
    assert_eq!(champion(&bench), Value::Null);
}

#[test]
fn people_promote_compare_and_retire_versions_by_slot() {
    let bench = Bench::new();
    bench.run(SYNTHETIC, &[]);
    let serving = bench.call(&["registry", "retire", MODEL, "--slot", "0", "--reason", "old"]);
    assert_eq!(serving.code, Some(2));
    assert!(serving.stderr.contains("slot 0 of `synthetic-quality` holds champion"), "{}", serving.stderr);
    let paper = ["registry", "promote", MODEL, "--slot", "0", "--alias", "paper", "--reason", "watch it"];
    assert_eq!(bench.json(&paper)["done_before"], false);
    assert_eq!(bench.json(&paper)["done_before"], true);
    assert_eq!(log(&bench).len(), 2);
    let compared = bench.json(&["registry", "compare", MODEL, "0", "paper"]);
    assert_eq!(compared["same_rows"], true);
    assert!(bench.ok(&["registry", "show", MODEL]).contains("paper is slot 1"));
    let nobody = bench.call(&["registry", "approve", MODEL, "--reason", "nothing to do"]);
    assert_eq!(nobody.code, Some(2));
    assert!(nobody.stderr.contains("has 0 proposals that wait for approval"), "{}", nobody.stderr);
    let silent = bench.call(&["registry", "retire", MODEL, "--slot", "0", "--reason", " "]);
    assert_eq!(silent.code, Some(2));
}

#[test]
fn a_changed_byte_below_the_registry_is_found_by_verify() {
    let bench = Bench::new();
    let report = bench.run(SYNTHETIC, &[]);
    assert!(bench.ok(&["registry", "verify"]).contains("verified"));
    let digest = report.digest("train", "model").to_owned();
    std::fs::write(bench.blob(&digest), b"other bytes").unwrap();
    let found = bench.call(&["registry", "verify"]);
    assert_eq!(found.code, Some(3));
    assert!(found.stdout.contains("slot 0"), "{}", found.stdout);
}

#[test]
fn the_page_of_an_evaluation_is_small_and_loads_nothing() {
    let bench = Bench::new();
    let text = bench.read(SYNTHETIC);
    let publish = "publish: {report: ";
    assert!(text.contains(publish), "{text}");
    bench.write(SYNTHETIC, text.replacen(publish, "publish: {page: artifacts/reports/page.html, report: ", 1));
    bench.run(SYNTHETIC, &[]);
    let page = bench.read("artifacts/reports/page.html");
    assert!(page.len() < 500_000 && page.matches("<svg").count() == 4, "{}", page.len());
    for outside in ["http:", "https:", "src=", "<script", "<link"] {
        assert!(!page.contains(outside), "{outside}");
    }
}
