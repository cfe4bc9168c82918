//! A run that is ended from outside, at any moment, loses nothing that had ended.

use super::{SYNTHETIC, WEEKLY};
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

/// A kill or a signal may come too late on a busy machine, and then proves nothing: it is tried again, so often.
const TRIES: usize = 10;

/// A store whose runs were killed once after `accumulate` and once after `train`.
fn killed_twice() -> Bench {
    for _ in 0..TRIES {
        let bench = Bench::new();
        run_past(&bench, "accumulate").kill();
        if has_action(&bench, "train") {
            continue;
        }
        run_past(&bench, "train").kill();
        if !has_action(&bench, "deploy") {
            return bench;
        }
    }
    panic!("every kill came too late");
}

#[test]
fn a_killed_run_is_continued_by_the_same_command_and_ends_with_the_same_bytes() {
    let bench = killed_twice();
    let ends = |path: &std::path::PathBuf| path.ends_with("end.json");
    assert!(!bench.stored("runs").iter().any(ends), "a killed run has no end");

    let last = bench.run(SYNTHETIC, &[]);
    assert_eq!(last.outcome("accumulate"), "reused");
    assert_eq!(last.outcome("train"), "reused");
    assert_eq!(last.outcome("deploy"), "succeeded");
    assert_eq!(last.digests(), undisturbed());
    assert_eq!(bench.stored("registry/synthetic-quality/log").len(), 1);

    let runs = bench.json(&["runs"]);
    let ended: Vec<bool> = runs.as_array().unwrap().iter().map(|run| !run["end"].is_null()).collect();
    assert_eq!(ended, [true, false, false]);
    assert_eq!(bench.ok(&["runs"]).matches("interrupted").count(), 2);
}

fn stop_by(signal: &str, code: i32) {
    let stopped = || {
        let bench = Bench::new();
        let running = run_past(&bench, "accumulate");
        running.signal(signal);
        let call = running.end();
        (call.code != Some(0)).then_some((bench, call))
    };
    let (bench, call) = (0..TRIES).find_map(|_| stopped()).expect("every signal came too late");
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
fn a_stopped_study_keeps_its_trials_and_comes_to_the_same_end() {
    const STUDY: [&str; 2] = ["--set", "trials=300"];
    let stopped = || {
        let bench = Bench::new();
        let mut running = bench.start(&["run", WEEKLY, STUDY[0], STUDY[1]]);
        running.until("a checkpoint was written", || !bench.stored("scratch").is_empty());
        running.signal("INT");
        (running.end().code == Some(130) && !has_action(&bench, "optimize")).then_some(bench)
    };
    let bench = (0..TRIES).find_map(|_| stopped()).expect("every signal came too late");
    assert_eq!(bench.stored("scratch").len(), 1, "what was found so far is kept");
    let continued = bench.run(WEEKLY, &STUDY).digests();
    assert!(bench.stored("scratch").is_empty(), "and removed once the study is done");
    assert_eq!(continued, Bench::new().run(WEEKLY, &STUDY).digests());
}

#[test]
fn two_runs_at_once_end_with_the_same_bytes_and_one_deployment() {
    let bench = Bench::new();
    let runs = [(); 2].map(|()| bench.start(&["run", SYNTHETIC]));
    for call in runs.map(Running::end) {
        assert_eq!(call.code, Some(0), "{}\n{}", call.stdout, call.stderr);
        assert!(!call.stdout.contains("not deterministic"), "{}", call.stdout);
    }
    assert_eq!(bench.stored("registry/synthetic-quality/log").len(), 1);
    let after = bench.run(SYNTHETIC, &[]);
    assert!(after.all("reused"), "{:?}", after.outcomes());
    assert_eq!(after.digests(), undisturbed());
}
