//! `retry`, `timeout`, `run --timeout` and `defaults`.

use std::time::Instant;

use super::{FILE, failed, is_alive, lines, moment, project, shell, shell_with, text};
use crate::bench::{Bench, Report};

const FOREVER: &str = "sleep 60 & echo $! >> @/sleepers; wait";

/// A script that fails until it has run often enough.
fn succeeds_at(attempt: usize) -> String {
    shell(&format!("echo try >> @/tries; echo trying; [ $(wc -l < @/tries) -ge {attempt} ] && echo done > out"))
}

fn reasons(report: &Report, node: &str) -> Vec<String> {
    let attempts = report.node(node)["attempts"].as_array().unwrap();
    attempts.iter().map(|attempt| attempt["reason"].as_str().unwrap().to_owned()).collect()
}

/// Every process that the sleeping scripts of a test have started.
fn sleepers(bench: &Bench) -> Vec<String> {
    let found = lines(bench, "sleepers");
    assert!(!found.is_empty(), "nothing was ever started");
    found
}

#[test]
fn a_node_that_fails_is_tried_again_and_every_attempt_is_recorded_with_its_log() {
    let bench = project(&format!(
        "nodes:\n  a: {{{}, retry: {{max_attempts: 5, backoff: {{initial: 20ms, factor: 2, jitter: false}}}}}}",
        succeeds_at(3)
    ));
    let report = bench.run(FILE, &[]);
    assert_eq!(report.outcome("a"), "succeeded");
    let failure = "`/bin/sh` ended with exit code 1: trying";
    assert_eq!(reasons(&report, "a"), [failure, failure, ""]);
    assert_eq!(text(&bench, &report, "a", "out"), "done\n");

    let attempts = report.node("a")["attempts"].as_array().unwrap();
    let pause = |at: usize| {
        let span = moment(&attempts[at + 1]["started"]).duration_since(moment(&attempts[at]["ended"]));
        span.as_millis()
    };
    assert!(pause(0) >= 20 && pause(1) >= 40, "{} ms, {} ms", pause(0), pause(1));
    for (at, last_line) in [(0, failure), (1, failure), (2, "trying")] {
        let log = bench.stored("runs").into_iter().find(|path| path.ends_with(format!("logs/a.{}.log", at + 1)));
        let log = std::fs::read_to_string(log.unwrap()).unwrap();
        assert!(log.trim_end().ends_with(last_line), "{log}");
        assert!(attempts[at]["log"]["sha256"].is_string());
    }
}

#[test]
fn retries_are_told_while_the_run_is_under_way() {
    let bench = project(&format!(
        "nodes:\n  a: {{{}, retry: {{max_attempts: 2, backoff: {{initial: 10ms, jitter: false}}}}}}",
        succeeds_at(2)
    ));
    let call = bench.call(&["run", FILE, "--progress", "plain"]);
    let line = "a: attempt 1 of 2 failed, next in 0.0 s: `/bin/sh` ended with exit code 1: trying\n";
    assert!(call.stderr.contains(line), "{}", call.stderr);
}

#[test]
fn a_node_that_fails_too_often_fails_with_the_last_reason() {
    let bench = project(&format!(
        "nodes:\n  a: {{{}, retry: {{max_attempts: 2, backoff: {{initial: 1ms}}}}}}",
        shell("echo try >> @/tries; echo \"try $(wc -l < @/tries)\" >&2; exit 7")
    ));
    let report = failed(&bench, &[]);
    assert_eq!(report.reason("a"), "`/bin/sh` ended with exit code 7: try 2");
    assert_eq!(reasons(&report, "a").len(), 2);
}

#[test]
fn only_the_failures_of_retry_on_are_tried_again() {
    for (classes, attempts) in [("[timeout, io]", 1), ("[exit]", 3), ("[other, exit]", 3)] {
        let bench = project(&format!(
            "nodes:\n  a: {{{}, retry: {{max_attempts: 3, retry_on: {classes}, backoff: {{initial: 1ms}}}}}}",
            shell("exit 1")
        ));
        assert_eq!(reasons(&failed(&bench, &[]), "a").len(), attempts, "{classes}");
    }
}

#[test]
fn a_missing_output_is_no_failure_that_another_attempt_would_mend() {
    let node = |classes: &str| {
        format!("nodes:\n  a: {{{}, retry: {{max_attempts: 2{classes}, backoff: {{initial: 1ms}}}}}}", shell("true"))
    };
    assert_eq!(reasons(&failed(&project(&node("")), &[]), "a").len(), 1);
    assert_eq!(reasons(&failed(&project(&node(", retry_on: [other]")), &[]), "a").len(), 2);
}

#[test]
fn an_attempt_that_takes_too_long_is_killed_with_its_children_and_tried_again() {
    let bench = project(&format!(
        "nodes:\n  a: {{{}, timeout: 150ms, retry: {{max_attempts: 2, backoff: {{initial: 1ms}}}}}}",
        shell(FOREVER)
    ));
    let report = failed(&bench, &[]);
    assert_eq!(report.reason("a"), "timed out after 150ms");
    assert_eq!(reasons(&report, "a"), ["timed out after 150ms"; 2]);
    let sleepers = sleepers(&bench);
    assert_eq!(sleepers.len(), 2);
    assert!(!sleepers.iter().any(|process| is_alive(process)), "a child of a killed attempt still runs");
}

#[test]
fn an_attempt_that_takes_too_long_is_not_tried_again_where_only_other_failures_are() {
    let bench = project(&format!(
        "nodes:\n  a: {{{}, timeout: 60ms, retry: {{max_attempts: 3, retry_on: [exit, io], backoff: {{initial: 1ms}}}}}}",
        shell(FOREVER)
    ));
    assert_eq!(reasons(&failed(&bench, &[]), "a"), ["timed out after 60ms"]);
}

#[test]
fn an_attempt_in_time_after_one_that_was_not_succeeds() {
    let bench = project(&format!(
        "nodes:\n  a: {{{}, timeout: 300ms, retry: {{max_attempts: 2, backoff: {{initial: 1ms}}}}}}",
        shell("echo > out; [ -e @/again ] || { echo > @/again; sleep 60; }")
    ));
    assert_eq!(reasons(&bench.run(FILE, &[]), "a"), ["timed out after 300ms", ""]);
}

#[test]
fn a_run_that_takes_too_long_is_stopped_counts_as_failed_and_is_continued() {
    let bench = project(&format!(
        "nodes:\n  first: {{{}}}\n  a: {{{}, needs: [first]}}\n  b: {{kind: noop, inputs: {{a: a.out}}}}",
        shell("echo > out"),
        shell(&format!("[ -e @/quick ] || {{ {FOREVER}; }}; echo > out"))
    ));
    let call = bench.call(&["run", FILE, "--progress", "none", "--timeout", "200ms"]);
    assert_eq!(call.code, Some(1), "{}\n{}", call.stdout, call.stderr);
    assert!(call.stdout.contains("FAILED: timed out after 200ms."), "{}", call.stdout);
    let report = bench.shown();
    assert_eq!(report.outcomes(), ["a cancelled", "b cancelled", "first succeeded"]);
    assert_eq!(
        (&report.0["end"]["status"], &report.0["end"]["reason"]),
        (&"failed".into(), &"timed out after 200ms".into())
    );
    assert!(!sleepers(&bench).iter().any(|process| is_alive(process)));

    bench.write("quick", "");
    assert_eq!(bench.run(FILE, &[]).outcomes(), ["a succeeded", "b succeeded", "first reused"]);
}

#[test]
fn a_run_that_is_in_time_knows_nothing_of_its_timeout() {
    let bench = project("nodes: {a: {kind: noop}}");
    assert!(bench.run(FILE, &["--timeout", "1h"]).all("succeeded"));
}

#[test]
fn a_run_that_is_stopped_between_two_attempts_says_why_the_first_failed() {
    let bench = project(&format!("nodes:\n  a: {{{}, retry: 2}}", shell("echo broken >&2; exit 3")));
    let started = Instant::now();
    let report = failed(&bench, &["--timeout", "200ms"]);
    assert!(started.elapsed().as_secs() < 5, "the pause was waited for");
    assert_eq!(report.outcome("a"), "cancelled");
    let failure = "`/bin/sh` ended with exit code 3: broken";
    assert_eq!(report.reason("a"), format!("stopped before another attempt; attempt 1 had failed: {failure}"));
    assert_eq!(reasons(&report, "a"), [failure]);
}

#[test]
fn an_instance_that_waits_for_another_attempt_is_stopped_with_the_others() {
    let bench = project(&format!(
        "nodes:
  fit: {{{}, matrix: {{axes: {{x: [slow, wrong]}}}}, timeout: 150ms, retry: {{max_attempts: 2, retry_on: [timeout]}}}}",
        shell_with("[ $X = wrong ] && exit 1; sleep 60", "env: {X: \"${matrix.x}\"}, outputs: {out: {path: out}}")
    ));
    let report = failed(&bench, &["--jobs", "1"]);
    assert_eq!(report.outcomes(), ["fit[x=slow] cancelled", "fit[x=wrong] failed"]);
    let because = "fit[x=wrong] failed, and the matrix has `fail_fast`; attempt 1 had failed: timed out after 150ms";
    assert_eq!(report.reason("fit[x=slow]"), because);
    assert_eq!(reasons(&report, "fit[x=slow]"), ["timed out after 150ms"]);
}

#[test]
fn the_defaults_hold_for_nodes_that_do_not_say_their_own() {
    let bench = project(&format!(
        "defaults: {{timeout: 100ms, retry: {{max_attempts: 2, backoff: {{initial: 1ms}}}}}}
nodes:
  slow:   {{{sleep}}}
  once:   {{{sleep}, retry: {{max_attempts: 1}}}}
  longer: {{{short}, timeout: 1m}}",
        sleep = shell("sleep 60"),
        short = shell("sleep 0.2; echo > out")
    ));
    let report = failed(&bench, &["--jobs", "3"]);
    assert_eq!(report.outcomes(), ["longer succeeded", "once failed", "slow failed"]);
    assert_eq!(reasons(&report, "slow"), ["timed out after 100ms"; 2]);
    assert_eq!(reasons(&report, "once"), ["timed out after 100ms"]);
}

#[test]
fn how_a_node_is_run_does_not_reach_its_result() {
    let with = "with: {payload: 1}";
    let bench = project(&format!("nodes: {{a: {{kind: noop, {with}}}}}"));
    bench.run(FILE, &[]);
    super::write(
        &bench,
        &format!(
            "pools: {{p: 1}}\nnodes: {{a: {{kind: noop, {with}, retry: 3, timeout: 5m, pool: p, publish: {{out: a.txt}}}}}}"
        ),
    );
    assert!(bench.run(FILE, &[]).all("reused"));
}
