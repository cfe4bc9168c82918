//! Params and where they come from, references, and what is published.

use super::{FILE, failed, project, shell, text, write};
use crate::bench::Bench;

const TYPED: &str = "params:
  count: {type: int, default: 1, min: 0, max: 9}
  share: {type: float, default: 0.5}
  flag:  {type: bool, default: false}
  word:  {type: string, default: w}
  mode:  {type: enum, values: [fast, slow], default: fast}
  names: {type: list, default: [a]}
  day:   {type: date, default: 2026-01-01}
  span:  {type: duration, default: 2w}
nodes:
  a: {kind: noop, with: {payload: [\"${params.count}\", \"${params.share}\", \"${params.flag}\", \"${params.word}\", \
      \"${params.mode}\", \"${params.names}\", \"${params.day}\", \"${params.span}\"]}}";

fn payload(bench: &Bench, args: &[&str]) -> String {
    let report = bench.run(FILE, args);
    text(bench, &report, "a", "out")
}

#[test]
fn params_have_their_defaults_and_keep_their_types() {
    assert_eq!(payload(&project(TYPED), &[]), r#"[1,0.5,false,"w","fast",["a"],"2026-01-01","2w"]"#);
}

#[test]
fn set_changes_params_of_every_type() {
    let sets = ["count=3", "share=2", "flag=true", "word=x y", "mode=slow", "names=b, c", "day=2026-02-01", "span=3d"];
    let args: Vec<&str> = sets.iter().flat_map(|set| ["--set", *set]).collect();
    assert_eq!(payload(&project(TYPED), &args), r#"[3,2.0,true,"x y","slow",["b","c"],"2026-02-01","3d"]"#);
}

#[test]
fn a_file_changes_params_and_set_wins_over_it() {
    let bench = project(TYPED);
    bench.write("values.yaml", "count: 4\nnames: [x, y]\nflag: true\nmode: slow\n");
    assert_eq!(
        payload(&bench, &["--params", "values.yaml", "--set", "count=5"]),
        r#"[5,0.5,true,"w","slow",["x","y"],"2026-01-01","2w"]"#
    );
    bench.write("values.json", r#"{"count": 6, "share": 0.25}"#);
    assert_eq!(payload(&bench, &["--params", "values.json"]), r#"[6,0.25,false,"w","fast",["a"],"2026-01-01","2w"]"#);
}

#[test]
fn a_file_of_params_that_makes_no_sense_is_refused_before_anything_runs() {
    let bench = project(TYPED);
    let cases = [
        ("count: 10\n", "expected a whole number from 0 to 9, found `10`"),
        ("cuont: 1\n", "did you mean `count`?"),
        ("- 1\n", "expected a mapping from param to value, found a list"),
        ("count: {a: 1}\n", "param `count`: expected a value or a list, found a mapping"),
    ];
    for (values, words) in cases {
        bench.write("values.yaml", values);
        let call = bench.call(&["run", FILE, "--params", "values.yaml"]);
        assert_eq!(call.code, Some(2), "{values}: {}", call.stderr);
        assert!(call.stderr.contains(words), "{values}: {}", call.stderr);
    }
    assert_eq!(bench.call(&["run", FILE, "--params", "nowhere.yaml"]).code, Some(2));
    assert!(!bench.path("artifacts").exists());
}

#[test]
fn references_stand_inside_texts_and_can_be_escaped() {
    let bench = project(
        "params: {n: {type: int, default: 7}}
nodes: {a: {kind: noop, with: {payload: ['as of ${run.as_of}: ${params.n}', '\\${params.n}']}}}",
    );
    assert_eq!(payload(&bench, &[]), r#"["as of 2026-01-04: 7","${params.n}"]"#);
    assert_eq!(payload(&bench, &["--as-of", "2026-02-01"]), r#"["as of 2026-02-01: 7","${params.n}"]"#);
}

#[test]
fn the_window_ends_at_the_last_tick_of_the_schedule_where_nothing_else_is_said() {
    let bench = project("nodes: {a: {kind: noop, with: {payload: \"${run.as_of}\"}}}");
    let text = |schedule: &str| {
        format!(
            "schedule: {{cron: \"0 0 1 1 *\"{schedule}}}\nnodes: {{a: {{kind: noop, with: {{payload: \"${{run.as_of}}\"}}}}}}\n"
        )
    };
    let year = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).year();
    bench.write("yearly.yaml", text(""));
    let as_of = |args: &[&str]| bench.run("yearly.yaml", args).0["as_of"].as_str().unwrap().to_owned();
    assert_eq!(as_of(&[]), format!("{year}-01-01"));
    assert_eq!(as_of(&["--as-of", "2020-02-02"]), "2020-02-02");
    assert!(bench.run("yearly.yaml", &[]).all("reused"), "a run later in the period finds the results of the period");
    bench.write("yearly.yaml", text(", timezone: Asia/Tokyo"));
    assert!(as_of(&[]).ends_with("-12-31T15:00:00Z"));
}

#[test]
fn a_source_that_changes_while_the_run_is_under_way_changes_nothing_in_it() {
    let bench = project(&format!(
        "sources: {{raw: {{path: raw.txt, schema: file@1}}}}
nodes:
  first: {{{}}}
  copy: {{{}, needs: [first], inputs: {{raw: sources.raw}}}}",
        shell("echo changed > @/raw.txt; echo > out"),
        shell("cp inputs/raw out")
    ));
    bench.write("raw.txt", "as it was\n");
    let report = bench.run(FILE, &[]);
    assert_eq!(text(&bench, &report, "copy", "out"), "as it was\n");
    let next = bench.run(FILE, &[]);
    assert_eq!((next.outcome("copy"), text(&bench, &next, "copy", "out").as_str()), ("succeeded", "changed\n"));
}

#[test]
fn a_folder_as_a_source_is_a_tree() {
    let bench = project(&format!(
        "sources: {{raw: {{path: raw, schema: file@1}}}}\nnodes:\n  list: {{{}, inputs: {{raw: sources.raw}}}}",
        shell("cat inputs/raw/* > out")
    ));
    bench.write("raw/a.txt", "a\n");
    bench.write("raw/b.txt", "b\n");
    assert_eq!(text(&bench, &bench.run(FILE, &[]), "list", "out"), "a\nb\n");
    bench.write("raw/c.txt", "c\n");
    assert_eq!(text(&bench, &bench.run(FILE, &[]), "list", "out"), "a\nb\nc\n");
}

#[test]
fn the_store_is_said_by_the_call_or_the_environment_and_makes_no_difference() {
    let mut bench = project("nodes: {a: {kind: noop, with: {payload: 1}}}");
    let first = bench.run(FILE, &[]);
    let second = bench.run(FILE, &["--store", "elsewhere"]);
    bench.set("WALKFORWARD_STORE", "from-the-environment");
    let third = bench.run(FILE, &[]);
    assert!([&second, &third].iter().all(|report| report.all("succeeded")), "another store knows nothing");
    assert!(bench.path("elsewhere/FORMAT").exists() && bench.path("from-the-environment/FORMAT").exists());
    assert_eq!((second.digests(), third.digests()), (first.digests(), first.digests()));
}

#[test]
fn each_instance_is_published_to_a_path_of_its_own() {
    let bench = project(
        "nodes:
  fit:
    kind: noop
    matrix: {axes: {x: [1, 2]}}
    with: {payload: \"${matrix.x}\"}
    publish: {out: \"reports/${run.as_of}/x-${matrix.x}.txt\"}",
    );
    let report = bench.run(FILE, &[]);
    for x in ["1", "2"] {
        let published = bench.read(&format!("reports/2026-01-04/x-{x}.txt"));
        assert_eq!(published, text(&bench, &report, &format!("fit[x={x}]"), "out"));
    }
    assert_eq!(report.0["published"].as_array().unwrap().len(), 2);
}

#[test]
fn the_id_of_the_run_keeps_the_copies_of_all_runs() {
    let bench = project("nodes: {a: {kind: noop, publish: {out: \"reports/${run.id}/a.txt\"}}}");
    let runs = [(); 2].map(|()| bench.run(FILE, &[]).0["run"].as_str().unwrap().to_owned());
    for run in runs {
        assert!(bench.path(&format!("reports/{run}/a.txt")).exists());
    }
}

#[test]
fn where_a_copy_goes_does_not_reach_the_result() {
    let node = |path: &str| format!("nodes: {{a: {{kind: noop, publish: {{out: {path}}}}}}}");
    let bench = project(&node("first.txt"));
    bench.run(FILE, &[]);
    write(&bench, &node("second.txt"));
    assert!(bench.run(FILE, &[]).all("reused"));
    assert_eq!(bench.read("first.txt"), bench.read("second.txt"));
}

#[test]
fn a_tree_is_published_as_a_folder() {
    let bench = project(&format!(
        "nodes:\n  a: {{{}, publish: {{out: copies}}}}",
        shell("mkdir -p out/deep; echo 1 > out/a.txt; echo 2 > out/deep/b.txt")
    ));
    bench.run(FILE, &[]);
    assert_eq!((bench.read("copies/a.txt"), bench.read("copies/deep/b.txt")), ("1\n".to_owned(), "2\n".to_owned()));
}

#[test]
fn two_outputs_for_one_path_are_refused() {
    let bench = project("nodes: {fit: {kind: noop, matrix: {axes: {x: [1, 2]}}, publish: {out: a.txt}}}");
    let call = bench.call(&["run", FILE]);
    assert_eq!(call.code, Some(2));
    assert!(call.stderr.contains("`fit[x=1]` and `fit[x=2]` are both published to `a.txt`"), "{}", call.stderr);
    assert!(call.stderr.contains("put what tells them apart into the path: ${matrix.x}"), "{}", call.stderr);
    assert!(!bench.path("artifacts").exists());
}

#[test]
fn a_failed_run_publishes_nothing() {
    let bench = project(&format!("nodes:\n  a: {{kind: noop, publish: {{out: a.txt}}}}\n  b: {{{}}}", shell("exit 1")));
    failed(&bench, &[]);
    assert!(!bench.path("a.txt").exists());
}

#[test]
fn a_copy_that_cannot_be_written_fails_the_run() {
    let bench = project("nodes: {a: {kind: noop, publish: {out: \"small.yaml/a.txt\"}}}");
    let call = bench.call(&["run", FILE, "--progress", "none"]);
    assert_eq!(call.code, Some(4), "{}\n{}", call.stdout, call.stderr);
    assert!(call.stderr.contains("cannot publish to `small.yaml/a.txt`"), "{}", call.stderr);
    assert_eq!(bench.shown().0["end"]["status"], "failed");
}
