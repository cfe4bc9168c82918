//! `cache`, `--refresh` and `--strict`.

use super::{FILE, lines, project, shell, shell_with, text, write};
use crate::bench::Bench;

/// A node that writes something else each time it runs, and one that reads it.
fn fickle(cache: &str) -> String {
    format!(
        "nodes:\n  a: {{{}{cache}}}\n  b: {{kind: noop, inputs: {{a: a.out}}}}",
        shell("echo run >> @/runs; wc -l < @/runs > out")
    )
}

fn outputs(bench: &Bench, args: &[&str]) -> (String, String) {
    let report = bench.run(FILE, args);
    (text(bench, &report, "a", "out").trim().to_owned(), format!("{} {}", report.outcome("a"), report.outcome("b")))
}

fn expect(bench: &Bench, args: &[&str], output: &str, outcomes: &str) {
    assert_eq!(outputs(bench, args), (output.to_owned(), outcomes.to_owned()));
}

#[test]
fn by_default_a_stored_result_is_reused() {
    let bench = project(&fickle(", cache: default"));
    expect(&bench, &[], "1", "succeeded succeeded");
    expect(&bench, &[], "1", "reused reused");
}

#[test]
fn off_runs_each_time_and_leaves_the_stored_result_alone() {
    let bench = project(&fickle(""));
    expect(&bench, &[], "1", "succeeded succeeded");
    write(&bench, &fickle(", cache: off"));
    expect(&bench, &[], "2", "succeeded succeeded");
    expect(&bench, &[], "3", "succeeded succeeded");
    write(&bench, &fickle(""));
    expect(&bench, &[], "1", "reused reused");
}

#[test]
fn off_stores_nothing_that_another_run_could_reuse() {
    let bench = project(&fickle(", cache: off"));
    expect(&bench, &[], "1", "succeeded succeeded");
    write(&bench, &fickle(""));
    expect(&bench, &[], "2", "succeeded succeeded");
}

#[test]
fn refresh_runs_each_time_and_replaces_the_stored_result() {
    let bench = project(&fickle(""));
    expect(&bench, &[], "1", "succeeded succeeded");
    write(&bench, &fickle(", cache: refresh"));
    expect(&bench, &[], "2", "succeeded succeeded");
    write(&bench, &fickle(""));
    expect(&bench, &[], "2", "reused reused");
}

#[test]
fn a_refreshed_node_that_writes_the_same_bytes_stops_the_rebuild() {
    let bench = project("nodes: {a: {kind: noop, cache: refresh}, b: {kind: noop, inputs: {a: a.out}}}");
    bench.run(FILE, &[]);
    assert_eq!(bench.run(FILE, &[]).outcomes(), ["a succeeded", "b reused"]);
}

#[test]
fn the_cache_of_the_defaults_is_that_of_every_node_that_does_not_say_its_own() {
    let bench = project("defaults: {cache: off}\nnodes: {a: {kind: noop}, b: {kind: noop, cache: default}}");
    bench.run(FILE, &[]);
    assert_eq!(bench.run(FILE, &[]).outcomes(), ["a succeeded", "b reused"]);
}

#[test]
fn a_call_can_refresh_a_node_all_instances_of_one_one_of_them_or_all() {
    let bench = project(
        "nodes:
  a: {kind: noop, with: {payload: a}}
  fit: {kind: noop, matrix: {axes: {x: [1, 2], y: [1]}}, with: {payload: \"${matrix.x}\"}}",
    );
    bench.run(FILE, &[]);
    let ran = |names: &str| {
        let report = bench.run(FILE, &["--refresh", names]);
        let ran = report.outcomes().into_iter().filter_map(|line| line.strip_suffix(" succeeded").map(str::to_owned));
        ran.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(ran("a"), "a");
    assert_eq!(ran("fit"), "fit[x=1,y=1] fit[x=2,y=1]");
    assert_eq!(ran("fit[x=2,y=1]"), "fit[x=2,y=1]");
    assert_eq!(ran("a,fit[x=1,y=1]"), "a fit[x=1,y=1]");
    assert_eq!(ran("all"), "a fit[x=1,y=1] fit[x=2,y=1]");
    let unknown = bench.call(&["run", FILE, "--refresh", "fitt"]);
    assert_eq!(unknown.code, Some(2));
    assert!(
        unknown.stderr.contains("--refresh fitt: there is no node `fitt`; did you mean `fit`?"),
        "{}",
        unknown.stderr
    );
}

#[test]
fn a_refresh_by_the_call_replaces_what_is_stored() {
    let bench = project(&fickle(""));
    expect(&bench, &[], "1", "succeeded succeeded");
    expect(&bench, &["--refresh", "a"], "2", "succeeded succeeded");
    expect(&bench, &[], "2", "reused reused");
}

/// Two runs at once of a node whose output differs from run to run: the one that comes second finds other bytes.
fn twice_at_once(args: &[&str]) -> (Bench, Vec<Option<i32>>, String) {
    let script = "echo run >> @/runs; while [ $(wc -l < @/runs) -lt 2 ]; do sleep 0.01; done; echo $$ > out";
    let bench = project(&format!("nodes:\n  a: {{{}}}", shell(script)));
    let runs = [(); 2].map(|()| bench.start(&[&["run", FILE, "--progress", "none"], args].concat()));
    let calls = runs.map(crate::bench::Running::end);
    let codes = calls.iter().map(|call| call.code).collect();
    (bench, codes, calls.iter().map(|call| call.stdout.as_str()).collect())
}

#[test]
fn a_node_that_is_not_deterministic_is_told_with_a_warning() {
    let (bench, codes, words) = twice_at_once(&[]);
    assert_eq!(codes, [Some(0); 2], "{words}");
    assert_eq!(words.matches("WARNING: a is not deterministic: out differ from an earlier run.").count(), 1, "{words}");
    assert_eq!(lines(&bench, "runs").len(), 2);
    assert!(bench.run(FILE, &[]).all("reused"));
}

#[test]
fn strict_makes_it_a_failure() {
    let (_, mut codes, words) = twice_at_once(&["--strict"]);
    codes.sort();
    assert_eq!(codes, [Some(0), Some(1)], "{words}");
}

#[test]
fn strict_says_nothing_where_all_is_deterministic() {
    let bench = project(&format!("nodes:\n  a: {{{}}}", shell_with("echo > out", "outputs: {out: {path: out}}")));
    assert!(bench.run(FILE, &["--strict"]).all("succeeded"));
}
