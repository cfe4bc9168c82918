//! `when`, `needs`, optional inputs, and the reasons of what is skipped.

use super::{FILE, failed, instances, moment, project, shell, shell_with};
use crate::bench::Report;

fn run(text: &str) -> Report {
    project(text).run(FILE, &[])
}

/// A node that decides something.
const PROBE: &str = r#"{kind: command, with: {
    argv: [/bin/sh, -c, "printf '{\"verdict\": \"good\", \"share\": 0.25, \"fresh\": true, \"note\": \"n\"}' > values.json"],
    outputs: {}, values: {verdict: [good, bad], share: number, fresh: bool, note: text}}}"#;

#[test]
fn when_chooses_instances_by_their_place() {
    let report = run("nodes: {fit: {kind: noop, when: matrix.x != 2 && matrix.y == \"a\", \
                      matrix: {axes: {x: [1, 2], y: [a, b]}}}}");
    assert_eq!(
        report.outcomes(),
        ["fit[x=1,y=a] succeeded", "fit[x=1,y=b] skipped", "fit[x=2,y=a] skipped", "fit[x=2,y=b] skipped"]
    );
    assert_eq!(report.reason("fit[x=2,y=a]"), "when: matrix.x != 2 && matrix.y == \"a\"");
}

#[test]
fn when_reads_every_type_of_value_that_a_node_declares() {
    let conditions = [
        ("probe.verdict == \"good\"", true),
        ("probe.verdict in [\"bad\"]", false),
        ("probe.share < 0.3 && probe.share >= 0.25", true),
        ("!probe.fresh", false),
        ("probe.note == \"n\" || probe.fresh == false", true),
        ("params.mode == \"fast\" && params.count > 1", true),
        ("run.as_of == \"2026-01-04\"", true),
        ("true", true),
        ("false", false),
    ];
    let node = |(at, (when, _)): (usize, &(&str, bool))| {
        format!("  n{at}: {{kind: noop, when: '{when}', with: {{payload: {at}}}}}\n")
    };
    let nodes: String = conditions.iter().enumerate().map(node).collect();
    let report = run(&format!(
        "params: {{mode: {{type: enum, values: [fast, slow], default: fast}}, count: {{type: int, default: 2}}}}
nodes:\n  probe: {PROBE}\n{nodes}"
    ));
    for (at, (when, holds)) in conditions.iter().enumerate() {
        let expected = if *holds { "succeeded" } else { "skipped" };
        assert_eq!(report.outcome(&format!("n{at}")), expected, "{when}");
    }
}

#[test]
fn a_follower_reads_the_value_of_the_instance_at_its_place() {
    let probe = shell_with(
        "echo \"{\\\"n\\\": $X}\" > values.json",
        "env: {X: \"${matrix.x}\"}, outputs: {}, values: {n: number}",
    );
    let report = run(&format!(
        "nodes:
  fit:  {{{probe}, matrix: {{axes: {{x: [\"1\", \"2\"]}}}}}}
  best: {{kind: noop, for_each: fit, when: fit.n > 1}}"
    ));
    assert_eq!((report.outcome("best[x=1]"), report.outcome("best[x=2]")), ("skipped", "succeeded"));
}

/// A matrix of which `failing` instances fail, and nodes that ask how it ended.
fn asked_how_it_ended(failing: &str) -> Report {
    let fit = shell_with(
        "case \"$F\" in *$X*) exit 1;; esac; echo > out",
        "env: {X: \"${matrix.x}\", F: \"${params.failing}\"}, outputs: {out: {path: out}}",
    );
    let bench = project(&format!(
        "params: {{failing: {{type: string, default: \"{failing}\"}}}}
nodes:
  fit:   {{{fit}, matrix: {{axes: {{x: [\"1\", \"2\"]}}, fail_fast: false}}}}
  alarm: {{kind: noop, with: {{payload: alarm}}, when: fit.status == \"failed\"}}
  party: {{kind: noop, with: {{payload: party}}, when: fit.status == \"succeeded\"}}
  each:  {{kind: noop, with: {{payload: \"${{matrix.x}}\"}}, for_each: fit, when: fit.status == \"failed\"}}"
    ));
    if failing.is_empty() { bench.run(FILE, &[]) } else { failed(&bench, &[]) }
}

#[test]
fn the_status_of_a_node_with_a_matrix_is_the_worst_of_its_instances() {
    let report = asked_how_it_ended("2");
    assert_eq!((report.outcome("alarm"), report.outcome("party")), ("succeeded", "skipped"));
    assert_eq!(report.reason("party"), "when: fit.status == \"succeeded\"");
    assert_eq!((report.outcome("each[x=1]"), report.outcome("each[x=2]")), ("skipped", "succeeded"));
    let report = asked_how_it_ended("");
    assert_eq!((report.outcome("alarm"), report.outcome("party")), ("skipped", "succeeded"));
}

#[test]
fn the_status_of_a_skipped_node_can_be_asked_for() {
    let report = run("nodes:
  never: {kind: noop, when: false}
  instead: {kind: noop, when: never.status == \"skipped\"}");
    assert_eq!(report.outcomes(), ["instead succeeded", "never skipped"]);
}

#[test]
fn what_is_skipped_takes_those_after_it_along_each_with_its_reason() {
    let report = run("nodes:
  a: {kind: noop, when: params.go}
  b: {kind: noop, inputs: {a: a.out}}
  c: {kind: noop, needs: [b]}
  d: {kind: noop, when: c.inputs > 0}
  e: {kind: noop}
params: {go: {type: bool, default: false}}");
    let reasons = ["a", "b", "c", "d"].map(|node| report.reason(node));
    assert_eq!(reasons, ["when: params.go", "a was skipped", "b was skipped", "c was skipped"]);
    assert_eq!(report.outcome("e"), "succeeded");
}

#[test]
fn a_node_runs_without_an_optional_input_that_was_skipped() {
    let report = run("nodes:
  a: {kind: noop, when: false}
  b: {kind: noop}
  c: {kind: noop, inputs: {a: {from: a.out, optional: true}, b: b.out}}");
    assert_eq!(report.outcome("c"), "succeeded");
    assert_eq!(report.node("c")["values"]["inputs"], 1);
}

#[test]
fn a_node_does_not_run_without_an_optional_input_that_failed() {
    let report = failed(
        &project(&format!(
            "nodes:\n  a: {{{}}}\n  b: {{kind: noop, inputs: {{a: {{from: a.out, optional: true}}}}}}",
            shell("exit 1")
        )),
        &[],
    );
    assert_eq!((report.outcome("b"), report.reason("b")), ("skipped", "a failed"));
}

#[test]
fn needs_of_a_node_with_a_matrix_waits_for_all_its_instances() {
    let report = run(&format!(
        "nodes:
  fit:  {{{}, matrix: {{axes: {{x: [1, 2, 3]}}}}}}
  last: {{kind: noop, needs: [fit]}}",
        shell("sleep 0.03; echo > out")
    ));
    let started = moment(&report.node("last")["started"]);
    for fit in instances(&report, "fit") {
        assert!(moment(&report.node(&fit)["ended"]) <= started, "{fit}");
    }
}

#[test]
fn needs_passes_no_artifact_and_does_not_reach_the_result() {
    let bench = project("nodes: {a: {kind: noop, with: {payload: 1}}, b: {kind: noop, with: {payload: 2}}}");
    bench.run(FILE, &[]);
    super::write(
        &bench,
        "nodes: {a: {kind: noop, with: {payload: 3}}, b: {kind: noop, needs: [a], with: {payload: 2}}}",
    );
    assert_eq!(bench.run(FILE, &[]).outcomes(), ["a succeeded", "b reused"]);
}

#[test]
fn a_node_that_needs_a_failed_one_is_skipped() {
    let report = failed(
        &project(&format!(
            "nodes:
  fit:  {{{}, matrix: {{axes: {{x: [\"1\", \"2\"]}}, fail_fast: false}}}}
  last: {{kind: noop, needs: [fit]}}
  each: {{kind: noop, for_each: fit, needs: [fit]}}",
            shell_with("[ $X = 1 ] && echo > out", "env: {X: \"${matrix.x}\"}, outputs: {out: {path: out}}")
        )),
        &[],
    );
    assert_eq!((report.outcome("last"), report.reason("last")), ("skipped", "fit[x=2] failed"));
    assert_eq!((report.outcome("each[x=1]"), report.outcome("each[x=2]")), ("succeeded", "skipped"));
}
