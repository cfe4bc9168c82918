//! Pipelines as nodes.

use super::{FILE, failed, is_alive, lines, pipeline, project, shell};
use crate::bench::{Bench, Report};

const CHILD: &str = "params: {n: {type: int, default: 1}}
nodes:
  one: {kind: noop, with: {payload: \"${params.n} as of ${run.as_of}\"}}
  two: {kind: noop, inputs: {one: one.out}}
";

/// A project whose pipeline runs another one, with settings for it.
fn parent(with: &str, child: &str) -> Bench {
    let bench = project(&format!("nodes:\n  inner: {{kind: pipeline, with: {{file: inner.yaml{with}}}}}"));
    bench.write("inner.yaml", pipeline(&bench, "inner", child));
    bench
}

/// The run of the child, as the store has it.
fn inner(bench: &Bench, report: &Report) -> Report {
    let run = report.node("inner")["values"]["run"].as_str().unwrap().to_owned();
    Report(bench.json(&["show", &run]))
}

fn payload(bench: &Bench, report: &Report) -> String {
    super::text(bench, &inner(bench, report), "one", "out")
}

#[test]
fn a_pipeline_as_a_node_is_a_run_of_its_own_that_names_its_parent() {
    let bench = parent("", CHILD);
    let report = bench.run(FILE, &[]);
    let values = &report.node("inner")["values"];
    assert_eq!((&values["result"], &values["ran"], &values["reused"]), (&"succeeded".into(), &2.into(), &0.into()));
    let child = inner(&bench, &report);
    assert_eq!(child.outcomes(), ["one succeeded", "two succeeded"]);
    assert_eq!(child.0["start"]["pipeline"], "inner");
    assert_eq!(child.0["start"]["parent"], format!("{}/inner", report.0["run"].as_str().unwrap()));
    assert_eq!(child.0["end"]["status"], "succeeded");
    assert_eq!(bench.json(&["runs"]).as_array().unwrap().len(), 2);
}

#[test]
fn what_the_child_has_made_is_reused_and_its_record_is_the_same_bytes() {
    let bench = project(
        "nodes:
  inner: {kind: pipeline, with: {file: inner.yaml}}
  after: {kind: noop, inputs: {record: inner.record}}",
    );
    bench.write("inner.yaml", pipeline(&bench, "inner", CHILD));
    let first = bench.run(FILE, &[]);
    let second = bench.run(FILE, &[]);
    assert_eq!(second.outcomes(), ["after reused", "inner succeeded"]);
    assert_eq!(second.node("inner")["values"]["reused"], 2);
    assert_eq!(second.digest("inner", "record"), first.digest("inner", "record"));
}

#[test]
fn a_child_has_the_window_of_its_parent_unless_it_is_given_another() {
    let bench = parent("", CHILD);
    assert_eq!(payload(&bench, &bench.run(FILE, &["--as-of", "2026-03-01"])), "\"1 as of 2026-03-01\"");
    let bench = parent(", as_of: 2025-12-01", CHILD);
    assert_eq!(payload(&bench, &bench.run(FILE, &["--as-of", "2026-03-01"])), "\"1 as of 2025-12-01\"");
}

#[test]
fn a_child_is_set_params_of_which_a_matrix_makes_several() {
    let bench = parent(", set: {n: 7}", CHILD);
    assert_eq!(payload(&bench, &bench.run(FILE, &[])), "\"7 as of 2026-01-04\"");
    let bench = project(
        "nodes:
  inner:
    kind: pipeline
    matrix: {axes: {day: {range: {from: 2026-01-04, to: 2026-01-18, step: 1w}}}}
    with: {file: inner.yaml, as_of: \"${matrix.day}\", set: {n: 2}}",
    );
    bench.write("inner.yaml", pipeline(&bench, "inner", CHILD));
    let report = bench.run(FILE, &[]);
    assert_eq!(report.nodes().len(), 3);
    let run = report.node("inner[day=2026-01-18]")["values"]["run"].as_str().unwrap().to_owned();
    assert_eq!(bench.json(&["show", &run])["start"]["as_of"], "2026-01-18");
}

#[test]
fn a_child_that_fails_fails_its_node_with_the_reason_of_its_node() {
    let bench = parent("", &format!("nodes:\n  one: {{{}}}", shell("echo no data >&2; exit 2")));
    let report = failed(&bench, &[]);
    let reason = report.reason("inner");
    assert!(reason.starts_with("run "), "{reason}");
    assert!(reason.ends_with(" failed: one: `/bin/sh` ended with exit code 2: no data"), "{reason}");
    assert_eq!(bench.json(&["runs"]).as_array().unwrap().len(), 2);
}

#[test]
fn a_child_that_takes_too_long_is_stopped_with_what_it_runs_and_may_be_tried_again() {
    let bench = project(
        "nodes:
  inner: {kind: pipeline, with: {file: inner.yaml}, timeout: 250ms, retry: {max_attempts: 2, backoff: {initial: 1ms}}}",
    );
    bench.write(
        "inner.yaml",
        pipeline(&bench, "inner", &format!("nodes:\n  one: {{{}}}", shell("echo $$ >> @/started; sleep 60"))),
    );
    let report = failed(&bench, &[]);
    assert_eq!(report.reason("inner"), "timed out after 250ms");
    assert_eq!(report.node("inner")["attempts"].as_array().unwrap().len(), 2);
    let started = lines(&bench, "started");
    assert_eq!(started.len(), 2);
    assert!(!started.iter().any(|process| is_alive(process)));
}

#[test]
fn a_child_publishes_and_its_notifications_are_left_to_the_parent() {
    let bench = parent(
        "",
        "nodes: {one: {kind: noop, publish: {out: one.txt}}}\nnotify: [{command: [/bin/sh, -c, \"echo told > @/told\"]}]",
    );
    bench.run(FILE, &[]);
    assert!(bench.path("one.txt").exists());
    assert!(!bench.path("told").exists());
}

#[test]
fn pipelines_that_run_each_other_in_a_circle_are_refused() {
    let bench = parent("", "nodes: {back: {kind: pipeline, with: {file: small.yaml}}}");
    let call = bench.call(&["run", FILE]);
    assert_eq!(call.code, Some(2));
    let words = call.stderr.replace("\n  │ ", " ");
    assert!(words.contains("circle: small.yaml -> inner.yaml -> small.yaml"), "{words}");
    assert!(words.contains("help: take one of these nodes out"), "{words}");
    assert!(!bench.path("artifacts").exists());
}

#[test]
fn a_child_that_is_not_valid_is_refused_before_anything_runs() {
    let bench = parent(", set: {m: 7}", CHILD);
    let call = bench.call(&["validate", FILE]);
    assert_eq!(call.code, Some(2));
    assert!(call.stderr.contains("`inner.yaml` cannot be run: "), "{}", call.stderr);
    assert!(call.stderr.contains("no param `m` is declared"), "{}", call.stderr);
}

#[test]
fn a_killed_parent_is_continued_inside_its_child() {
    let bench = parent(
        "",
        &format!(
            "nodes:\n  one: {{kind: noop}}\n  two: {{{}, inputs: {{one: one.out}}}}",
            shell("echo $$ >> @/started; [ -e @/mended ] || sleep 60; echo > out")
        ),
    );
    let mut running = bench.start(&["run", FILE]);
    running.until("the second node ran", || !lines(&bench, "started").is_empty());
    running.kill();
    let _ = std::process::Command::new("kill").args(lines(&bench, "started")).status();
    bench.write("mended", "");
    let report = bench.run(FILE, &[]);
    assert_eq!(inner(&bench, &report).outcomes(), ["one reused", "two succeeded"]);
}
