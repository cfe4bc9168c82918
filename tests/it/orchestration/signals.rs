//! SIGINT, SIGTERM, and what becomes of what was running.

use std::time::Instant;

use super::{FILE, is_alive, lines, project, shell, until};
use crate::bench::{Bench, Call, Running};

/// A run whose first node is done, whose second has a child of its own, and whose third waits.
fn sleeping() -> Bench {
    let script = "[ -e @/quick ] || { sleep 60 & echo $! >> @/sleepers; wait; }; echo > out";
    project(&format!(
        "nodes:\n  first: {{kind: noop}}\n  a: {{{}, needs: [first]}}\n  b: {{kind: noop, inputs: {{a: a.out}}}}",
        shell(script)
    ))
}

fn under_way(bench: &Bench, mut running: Running) -> Running {
    running.until("the command was running", || !lines(bench, "sleepers").is_empty());
    running
}

/// What every stopped run leaves behind, and how it goes on.
fn stopped(bench: &Bench, call: &Call, code: i32) {
    assert_eq!(call.code, Some(code), "{}\n{}", call.stdout, call.stderr);
    assert!(call.stdout.contains("Stopped. What had ended is kept"), "{}", call.stdout);
    let shown = bench.shown();
    assert_eq!(shown.0["end"]["status"], "cancelled");
    assert_eq!(shown.outcomes(), ["a cancelled", "b cancelled", "first succeeded"]);
    assert_eq!((shown.reason("a"), shown.reason("b")), ("stopped before it was done", "not started"));
    for sleeper in lines(bench, "sleepers") {
        assert!(!is_alive(&sleeper), "a child of the command still runs");
    }
    bench.write("quick", "");
    assert_eq!(bench.run(FILE, &[]).outcomes(), ["a succeeded", "b succeeded", "first reused"]);
}

fn stopped_by(signal: &str, code: i32) {
    let bench = sleeping();
    let running = under_way(&bench, bench.start(&["run", FILE, "--progress", "none"]));
    let asked = Instant::now();
    running.signal(signal);
    let call = running.end();
    assert!(asked.elapsed().as_secs() < 4, "a command that obeys is not waited for");
    stopped(&bench, &call, code);
}

#[test]
fn sigint_stops_the_run_and_its_commands_with_130() {
    stopped_by("INT", 130);
}

#[test]
fn sigterm_stops_the_run_and_its_commands_with_143() {
    stopped_by("TERM", 143);
}

#[test]
fn a_run_that_was_started_with_sigint_ignored_obeys_it() {
    let bench = sleeping();
    // as a shell without job control does with `walkforward ... &`
    let running = under_way(&bench, bench.start_ignoring_interrupts(&["run", FILE, "--progress", "none"]));
    running.signal("INT");
    stopped(&bench, &running.end(), 130);
}

#[test]
fn a_second_signal_ends_the_run_and_a_command_that_does_not_obey_at_once() {
    let bench = project(&format!(
        "nodes:\n  a: {{{}}}",
        shell("trap '' TERM; echo $$ >> @/sleepers; while true; do sleep 0.05; done")
    ));
    let running = under_way(&bench, bench.start(&["run", FILE, "--progress", "plain"]));
    running.signal("INT");
    std::thread::sleep(std::time::Duration::from_millis(150));
    let asked = Instant::now();
    running.signal("INT");
    let call = running.end();
    assert!(asked.elapsed().as_secs() < 3, "the second signal was waited for");
    assert_eq!(call.code, Some(130), "{}", call.stderr);
    assert!(call.stderr.contains("stopping: waiting for running nodes"), "{}", call.stderr);
    until("the command was gone", || !is_alive(&lines(&bench, "sleepers")[0]));
}

#[test]
fn a_killed_run_holds_no_lock() {
    let bench = sleeping();
    let mut running = under_way(&bench, bench.start(&["run", FILE]));
    let state = || bench.json(&["runs"])[0]["state"].clone();
    assert_eq!(state(), "running");
    running.kill();
    let _ = std::process::Command::new("kill").args(lines(&bench, "sleepers")).status();
    assert_eq!(state(), "interrupted");
    bench.write("quick", "");
    assert_eq!(bench.run(FILE, &[]).outcome("a"), "succeeded");
}
