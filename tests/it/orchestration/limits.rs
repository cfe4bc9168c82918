//! How many run at once, and what stops when one fails.

use serde_json::Value;

use super::{FILE, failed, is_alive, lines, moment, project, shell, shell_with};
use crate::bench::{Bench, Report};

/// Enough slots that only the limit under test holds anything back.
const MANY: [&str; 2] = ["--jobs", "12"];

/// The greatest number of attempts of some nodes that were under way in one moment.
fn most_at_once(report: &Report, wanted: impl Fn(&str) -> bool) -> usize {
    let nodes = report.nodes().iter().filter(|node| wanted(node["node"].as_str().unwrap()));
    let attempts: Vec<Value> = nodes.flat_map(|node| node["attempts"].as_array().unwrap().clone()).collect();
    let span = |attempt: &Value| (moment(&attempt["started"]), moment(&attempt["ended"]));
    let spans: Vec<_> = attempts.iter().map(span).collect();
    let under_way = |at| spans.iter().filter(|(started, ended)| *started <= at && at < *ended).count();
    spans.iter().map(|(started, _)| under_way(*started)).max().unwrap()
}

/// A node that takes so long that others meet it, with the value `x` of its matrix as output.
fn slow() -> String {
    shell("sleep 0.06; echo > out")
}

fn at_once(text: &str, jobs: &[&str], node: &str) -> usize {
    let report = project(text).run(FILE, jobs);
    assert!(report.all("succeeded"), "{:?}", report.outcomes());
    most_at_once(&report, |name| name.starts_with(node))
}

fn six(more: &str, beside: &str) -> String {
    format!("{beside}\nnodes:\n  fit: {{{}, matrix: {{axes: {{x: [1, 2, 3, 4, 5, 6]}}{more}}}}}", slow())
}

#[test]
fn without_a_limit_all_that_can_run_do_up_to_the_number_of_jobs() {
    assert_eq!(at_once(&six("", ""), &MANY, "fit"), 6);
    assert_eq!(at_once(&six("", ""), &["--jobs", "2"], "fit"), 2);
}

#[test]
fn no_more_instances_than_max_parallel_run_at_once() {
    assert_eq!(at_once(&six(", max_parallel: 2", ""), &MANY, "fit"), 2);
}

#[test]
fn no_more_nodes_of_a_pool_run_at_once_than_it_has_places() {
    let text = format!(
        "pools: {{api: 2}}
nodes:
  fit:   {{{slow}, pool: api, matrix: {{axes: {{x: [1, 2, 3]}}}}}}
  score: {{{slow}, pool: api, matrix: {{axes: {{x: [1, 2, 3]}}}}}}
  free:  {{{slow}, matrix: {{axes: {{x: [1, 2, 3]}}}}}}",
        slow = slow()
    );
    let report = project(&text).run(FILE, &MANY);
    assert_eq!(most_at_once(&report, |name| !name.starts_with("free")), 2);
    assert_eq!(most_at_once(&report, |name| name.starts_with("free")), 3);
    assert_eq!(most_at_once(&report, |_| true), 5);
}

#[test]
fn a_pool_and_max_parallel_both_hold() {
    let text = format!(
        "pools: {{api: 3}}
nodes:
  fit:   {{{slow}, pool: api, matrix: {{axes: {{x: [1, 2, 3, 4]}}, max_parallel: 1}}}}
  score: {{{slow}, pool: api, matrix: {{axes: {{x: [1, 2, 3, 4]}}}}}}",
        slow = slow()
    );
    let report = project(&text).run(FILE, &MANY);
    assert_eq!(most_at_once(&report, |name| name.starts_with("fit")), 1);
    assert_eq!(most_at_once(&report, |_| true), 3);
}

#[test]
fn the_pool_of_the_defaults_is_that_of_every_node_that_names_none() {
    assert_eq!(at_once(&six("", "pools: {api: 2}\ndefaults: {pool: api}"), &MANY, "fit"), 2);
}

/// Four instances; the first fails while two others run and the last waits for a place.
fn first_fails(fail_fast: &str) -> Bench {
    let script = "if [ $X = 1 ]; then sleep 0.1; exit 1; fi; echo $$ >> @/started; sleep $S; echo > out";
    let with = "env: {X: \"${params.one}\", S: \"${params.seconds}\"}, outputs: {out: {path: out}}";
    let with = with.replace("${params.one}", "${matrix.x}");
    project(&format!(
        "params: {{seconds: {{type: string, default: \"20\"}}}}
nodes:
  fit:   {{{}, matrix: {{axes: {{x: [\"1\", \"2\", \"3\", \"4\"]}}{fail_fast}}}}}
  score: {{kind: noop, for_each: fit, inputs: {{fit: fit.out}}, with: {{payload: \"${{matrix.x}}\"}}}}
  other: {{kind: noop}}",
        shell_with(script, &with)
    ))
}

#[test]
fn the_first_instance_that_fails_stops_the_others_and_nothing_else() {
    let bench = first_fails("");
    let report = failed(&bench, &["--jobs", "3"]);
    assert_eq!(
        report.outcomes(),
        [
            "fit[x=1] failed",
            "fit[x=2] cancelled",
            "fit[x=3] cancelled",
            "fit[x=4] cancelled",
            "other succeeded",
            "score[x=1] skipped",
            "score[x=2] skipped",
            "score[x=3] skipped",
            "score[x=4] skipped",
        ]
    );
    for stopped in ["fit[x=2]", "fit[x=3]", "fit[x=4]"] {
        assert_eq!(report.reason(stopped), "fit[x=1] failed, and the matrix has `fail_fast`");
    }
    assert_eq!(report.reason("score[x=1]"), "fit[x=1] failed");
    assert_eq!(report.reason("score[x=4]"), "fit[x=4] was cancelled");
    let started = lines(&bench, "started");
    assert_eq!(started.len(), 2, "the last never started");
    assert!(!started.iter().any(|process| is_alive(process)), "what was stopped still runs");
}

#[test]
fn without_fail_fast_the_other_instances_and_who_follows_them_go_on() {
    let report = failed(&first_fails(", fail_fast: false"), &["--jobs", "3", "--set", "seconds=0"]);
    for x in ["2", "3", "4"] {
        assert_eq!(report.outcome(&format!("fit[x={x}]")), "succeeded");
        assert_eq!(report.outcome(&format!("score[x={x}]")), "succeeded");
    }
    assert_eq!((report.outcome("score[x=1]"), report.reason("score[x=1]")), ("skipped", "fit[x=1] failed"));
}

#[test]
fn an_instance_that_failed_runs_again_and_the_others_are_reused() {
    let bench = project(&format!(
        "nodes:\n  fit: {{{}, matrix: {{axes: {{x: [\"1\", \"2\"]}}, fail_fast: false}}}}",
        shell_with(
            "[ $X = 1 ] || [ -e @/mended ] && echo > out",
            "env: {X: \"${matrix.x}\"}, outputs: {out: {path: out}}"
        )
    ));
    assert_eq!(failed(&bench, &[]).outcomes(), ["fit[x=1] succeeded", "fit[x=2] failed"]);
    bench.write("mended", "");
    assert_eq!(bench.run(FILE, &[]).outcomes(), ["fit[x=1] reused", "fit[x=2] succeeded"]);
}
