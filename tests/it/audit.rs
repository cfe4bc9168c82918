//! The audit: a whole model is verified at every level, and whatever was changed is found.

use crate::bench::{Bench, Call, read_json};
use serde_json::Value;

const SYNTHETIC: &str = "pipelines/synthetic.yaml";
const MODEL: &str = "synthetic-quality";

fn deployed() -> Bench {
    let bench = Bench::new();
    let run = bench.run(SYNTHETIC, &[]);
    assert_eq!(run.node("deploy")["values"]["applied"], true);
    bench
}

fn audit(bench: &Bench, args: &[&str]) -> (Call, Value) {
    let call = bench.call(&[&["--json", "audit"], args].concat());
    let whole: Value = serde_json::from_str(&call.stdout).unwrap_or_else(|error| panic!("{error}\n{}", call.stderr));
    let result = whole["result"].clone();
    (call, result)
}

fn of_status<'a>(report: &'a Value, status: &str) -> Vec<&'a Value> {
    report["findings"].as_array().unwrap().iter().filter(|finding| finding["status"] == status).collect()
}

#[test]
fn a_model_in_production_is_verified_down_to_a_rebuild_of_every_node() {
    let bench = deployed();
    let (call, report) = audit(&bench, &[MODEL, "--level", "rebuild"]);
    assert_eq!((call.code, report["verdict"].as_str()), (Some(0), Some("verified")), "{report:#}");
    let rebuilt: Vec<&str> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["level"] == "rebuild")
        .map(|finding| finding["what"].as_str().unwrap())
        .collect();
    assert_eq!(rebuilt, ["accumulate", "train", "evaluate"], "makers come before those that read from them");
    let decisions = of_status(&report, "verified").iter().filter(|finding| finding["level"] == "decisions").count();
    assert_eq!(decisions, 4, "fingerprints, conditions, drift verdict, gate: {report:#}");
}

#[test]
fn a_rebuild_is_the_same_from_another_folder_and_with_another_number_of_threads() {
    let bench = deployed();
    let other = Bench::new();
    other.copy_store(&bench);
    for threads in ["1", "3"] {
        let (_, report) = audit(&other, &[MODEL, "--level", "rebuild", "--threads", threads]);
        assert_eq!(report["verdict"], "verified", "{report:#}");
    }
}

#[test]
fn an_audit_changes_nothing_in_the_store() {
    let bench = deployed();
    let before = bench.stored("");
    audit(&bench, &[MODEL, "--level", "rebuild"]);
    assert_eq!(bench.stored(""), before);
}

#[test]
fn a_byte_that_was_changed_is_found() {
    let bench = deployed();
    let entry = read_json(&bench.stored("registry")[0]);
    let version = &entry["body"]["action"]["promote"]["version"];
    let blob = bench.blob(version["evaluation"]["sha256"].as_str().unwrap());
    let mut bytes = std::fs::read(&blob).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&blob, bytes).unwrap();
    let (call, report) = audit(&bench, &[MODEL, "--level", "digests"]);
    assert_eq!(call.code, Some(3));
    let wrong = of_status(&report, "mismatch");
    assert!(wrong.len() == 1 && wrong[0]["what"].as_str().unwrap().starts_with("evaluation"), "{report:#}");
}

#[test]
fn a_record_that_was_changed_is_found() {
    let bench = deployed();
    let records: Vec<_> =
        bench.stored("runs").into_iter().filter(|path| path.parent().unwrap().ends_with("nodes")).collect();
    let text = std::fs::read_to_string(&records[0]).unwrap();
    std::fs::write(&records[0], text.replace("succeeded", "reused")).unwrap();
    let (call, report) = audit(&bench, &[MODEL, "--level", "chain"]);
    assert_eq!(call.code, Some(3), "{report:#}");
    assert!(
        of_status(&report, "mismatch")
            .iter()
            .any(|finding| finding["what"].as_str().unwrap().contains("records of run"))
    );
}

#[test]
fn a_run_and_an_artifact_can_be_audited_and_what_is_not_there_is_refused() {
    let bench = deployed();
    let digest = bench.shown().digest("train", "model").to_owned();
    for subject in ["latest", &digest[..12], "synthetic-quality@0"] {
        let (call, report) = audit(&bench, &[subject]);
        assert_eq!((call.code, report["verdict"].as_str()), (Some(0), Some("verified")), "{subject}: {report:#}");
    }
    for nothing in ["synthetic-quality@7", "nobody", "ffffffffffff"] {
        let call = bench.call(&["audit", nothing]);
        assert_eq!(call.code, Some(2), "{nothing}");
        assert!(call.stderr.contains(&format!("nothing to audit under `{nothing}`")), "{}", call.stderr);
    }
}

#[test]
fn the_table_and_the_markdown_end_with_a_verdict() {
    let bench = deployed();
    let text = bench.ok(&["audit", MODEL]);
    assert!(text.trim_end().lines().last().unwrap().starts_with("Verified to the level decisions: "), "{text}");
    let markdown = bench.ok(&["audit", MODEL, "--markdown"]);
    assert!(
        markdown.contains("| digests | ") && markdown.starts_with("# Audit of synthetic-quality, slot 0"),
        "{markdown}"
    );
}
