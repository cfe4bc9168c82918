//! A run that is ended from outside, at any moment, loses nothing that had ended.

use super::SYNTHETIC;
use crate::bench::{Bench, Running, read_json};

fn undisturbed() -> Vec<String> {
    let bench = Bench::new();
    bench.run(SYNTHETIC, &[]).digests()
}

fn has_action(bench: &Bench, node: &str) -> bool {
    let actions = bench.stored("actions");
    let text = |path| std::fs::read_to_string(path).unwrap_or_default();
    actions.into_iter().any(|path| text(path).contains(&format!("\"node\": \"{node}\"")))
}

/// Starts a run and waits until the result of a node is in the store, while the node after it runs.
fn run_past(bench: &Bench, node: &str) -> Running {
    let mut running = bench.start(&["run", SYNTHETIC]);
    running.until(&format!("the result of `{node}` was stored"), || has_action(bench, node));
    running
}

#[test]
fn a_killed_run_is_continued_by_the_same_command_and_ends_with_the_same_bytes() {
    let bench = Bench::new();
    run_past(&bench, "accumulate").kill();
    assert!(!has_action(&bench, "train"), "the kill came too late to prove anything");
    run_past(&bench, "train").kill();
    assert!(!has_action(&bench, "deploy"), "the kill came too late to prove anything");
    let ends = |path: &std::path::PathBuf| path.ends_with("end.json");
    assert!(!bench.stored("runs").iter().any(ends), "a killed run has no end");

    let last = bench.run(SYNTHETIC, &[]);
    assert_eq!(last.outcome("accumulate"), "reused");
    assert_eq!(last.outcome("train"), "reused");
    assert_eq!(last.outcome("deploy"), "succeeded");
    assert_eq!(last.digests(), undisturbed());
    assert_eq!(bench.stored("registry").len(), 1);

    let runs = bench.json(&["runs"]);
    let ended: Vec<bool> = runs.as_array().unwrap().iter().map(|run| !run["end"].is_null()).collect();
    assert_eq!(ended, [true, false, false]);
    assert_eq!(bench.ok(&["runs"]).matches("no end recorded").count(), 2);
}

fn stop_by(signal: &str, code: i32) {
    let bench = Bench::new();
    let running = run_past(&bench, "accumulate");
    running.signal(signal);
    let call = running.end();
    assert_eq!(call.code, Some(code), "{}\n{}", call.stdout, call.stderr);
    assert!(call.stdout.contains("Stopped. What had ended is kept"), "{}", call.stdout);
    let ends: Vec<_> = bench.stored("runs").into_iter().filter(|path| path.ends_with("end.json")).collect();
    assert_eq!(ends.len(), 1);
    assert_eq!(read_json(&ends[0])["body"]["status"], "cancelled");
    let stopped = bench.shown();
    assert_eq!(stopped.outcome("accumulate"), "succeeded");
    assert_eq!((stopped.outcome("deploy"), stopped.reason("deploy")), ("cancelled", "not started"));

    let next = bench.run(SYNTHETIC, &[]);
    assert_eq!(next.outcome("accumulate"), "reused");
    assert_eq!(next.digests(), undisturbed());
}

#[test]
fn an_interrupted_run_exits_with_130_says_cancelled_and_is_continued() {
    stop_by("INT", 130);
}

#[test]
fn a_terminated_run_exits_with_143_says_cancelled_and_is_continued() {
    stop_by("TERM", 143);
}

#[test]
fn two_runs_at_once_end_with_the_same_bytes_and_one_deployment() {
    let bench = Bench::new();
    let runs = [(); 2].map(|()| bench.start(&["run", SYNTHETIC]));
    for call in runs.map(Running::end) {
        assert_eq!(call.code, Some(0), "{}\n{}", call.stdout, call.stderr);
        assert!(!call.stdout.contains("not deterministic"), "{}", call.stdout);
    }
    assert_eq!(bench.stored("registry").len(), 1);
    let after = bench.run(SYNTHETIC, &[]);
    assert!(after.all("reused"), "{:?}", after.outcomes());
    assert_eq!(after.digests(), undisturbed());
}
