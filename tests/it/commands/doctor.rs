//! `walkforward doctor`.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::SMALL;
use crate::bench::Bench;

fn bench() -> Bench {
    let bench = Bench::empty();
    bench.write("text.txt", "one line\n");
    bench.write("pipelines/small.yaml", SMALL);
    bench
}

/// What a check found, and the exit code of them all.
fn found(bench: &Bench, args: &[&str], check: &str) -> (Value, Option<i32>) {
    let call = bench.call(&[&["--json", "doctor"], args].concat());
    let whole: Value = serde_json::from_str(&call.stdout).unwrap();
    let findings = whole["result"].as_array().unwrap();
    let finding = findings.iter().rfind(|finding| finding["check"] == check);
    (finding.unwrap_or_else(|| panic!("{check}: {whole:#}")).clone(), call.code)
}

fn files(bench: &Bench) -> Vec<std::path::PathBuf> {
    bench.stored("")
}

#[test]
fn a_sound_project_is_well_and_the_store_is_left_as_it_was() {
    let bench = bench();
    bench.run("pipelines/small.yaml", &[]);
    let before = files(&bench);
    let text = bench.ok(&["doctor"]);
    assert!(!text.contains("PROBLEM"), "{text}");
    assert_eq!(files(&bench), before);
    // what this machine has is no business of the snapshot
    let machine = ["disk", "open files", "threads", "version"];
    let lines: Vec<&str> =
        text.lines().filter(|line| !machine.iter().any(|check| line.trim_start().starts_with(check))).collect();
    insta::assert_snapshot!("sound_project", lines[..lines.len() - 2].join("\n"));
}

#[test]
fn a_store_that_is_not_there_yet_is_a_warning_and_is_not_made() {
    let bench = bench();
    let (finding, code) = found(&bench, &[], "store");
    assert_eq!((&finding["state"], code), (&"warning".into(), Some(0)), "{finding}");
    assert!(finding["advice"].as_str().unwrap().contains("the first `walkforward run` makes it"), "{finding}");
    assert!(!bench.path("artifacts").exists());
}

#[test]
fn a_store_of_another_format_or_that_cannot_be_opened_is_a_problem_with_exit_code_4() {
    let bench = bench();
    bench.write("newer/FORMAT", "walkforward store 2\n");
    bench.write("a-file", "not a folder");
    let (finding, code) = found(&bench, &["--store", "newer"], "format");
    assert_eq!((&finding["state"], code), (&"problem".into(), Some(4)), "{finding}");
    assert!(finding["found"].as_str().unwrap().contains("`walkforward store 2`"), "{finding}");
    for store in ["a-file", "ftp://host/store"] {
        let (finding, code) = found(&bench, &["--store", store], "store");
        assert_eq!((&finding["state"], code), (&"problem".into(), Some(4)), "{finding}");
    }
}

#[test]
fn a_store_that_must_not_be_written_to_is_a_problem() {
    let bench = bench();
    bench.run("pipelines/small.yaml", &[]);
    let store = bench.path("artifacts/store");
    let access = |mode| std::fs::set_permissions(&store, std::fs::Permissions::from_mode(mode)).unwrap();
    access(0o555);
    // to root nothing is forbidden
    let is_root = std::fs::write(store.join("probe"), "").is_ok();
    let (finding, code) = found(&bench, &[], "read, write, list");
    access(0o755);
    if !is_root {
        assert_eq!((&finding["state"], code), (&"problem".into(), Some(4)), "{finding}");
    }
}

#[test]
fn a_pipeline_with_problems_is_named_with_its_place_and_exit_code_2() {
    let bench = bench();
    bench.write("pipelines/wrong.yaml", SMALL.replace("kind: command", "kind: comand"));
    let call = bench.call(&["doctor"]);
    assert_eq!(call.code, Some(2), "{}", call.stdout);
    assert!(call.stdout.contains("pipelines/wrong.yaml:12:11: node `judge` has the unknown kind"), "{}", call.stdout);
    assert!(call.stdout.contains("did you mean `command`?"), "{}", call.stdout);
    let (finding, _) = found(&bench, &[], "pipelines");
    assert!(finding["advice"].as_str().unwrap().ends_with("walkforward validate pipelines/wrong.yaml"), "{finding}");
}

#[test]
fn a_wrong_project_file_is_a_problem_and_where_the_store_is_stays_open() {
    let bench = bench();
    bench.write("configs/project.yaml", "stor: x\n");
    let (finding, code) = found(&bench, &[], "project");
    assert_eq!((&finding["state"], code), (&"problem".into(), Some(2)), "{finding}");
    assert_eq!(finding["advice"], "did you mean `store`?");
    assert_eq!(found(&bench, &[], "store").0["state"], "warning");
}

#[test]
fn variables_are_named_but_not_shown() {
    let mut bench = bench();
    bench.set("AWS_SECRET_ACCESS_KEY", "not-for-your-eyes");
    let call = bench.call(&["doctor"]);
    assert!(call.stdout.contains("AWS_SECRET_ACCESS_KEY") && !call.stdout.contains("not-for-your-eyes"));
}
