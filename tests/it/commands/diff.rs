//! `walkforward diff`.

use super::SMALL;
use crate::bench::{Bench, redact};

fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("text.txt", "one line\n");
    bench.write("small.yaml", SMALL);
    bench
}

fn id(bench: &Bench, args: &[&str]) -> String {
    bench.run("small.yaml", &[&["--jobs", "1"], args].concat()).0["run"].as_str().unwrap().to_owned()
}

/// Without ids, digests and the times at which the runs began.
fn steady(text: &str) -> String {
    let line = |line: &str| match line.split_once(" · ") {
        Some((head, _)) if head.contains("run") => line.rsplit_once(" · ").unwrap().0.to_owned(),
        _ => line.to_owned(),
    };
    redact(text).lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_differs_is_said_part_by_part() {
    let bench = bench();
    let first = id(&bench, &[]);
    bench.write("text.txt", "one line, and a longer one\n");
    let second = id(&bench, &["--set", "score=1.25", "--as-of", "2026-01-11"]);
    let text = bench.ok(&["diff", &first, &second]);
    insta::assert_snapshot!("other_source_and_param", steady(&text));

    let found = bench.json(&["diff", &first, &second]);
    let settings = found["settings"].as_array().unwrap();
    let names: Vec<&str> = settings.iter().map(|setting| setting["what"].as_str().unwrap()).collect();
    assert_eq!(names, ["as_of", "param score", "source text"]);
    let of = |node: &str| {
        let nodes = found["nodes"].as_array().unwrap();
        nodes.iter().find(|found| found["node"] == node).unwrap_or_else(|| panic!("{node}: {found:#}")).clone()
    };
    let score = &of("judge")["values"][0];
    assert_eq!((&score["name"], &score["difference"]), (&"score".into(), &0.75.into()));
    assert_eq!(of("extra")["outcome"]["before"], "skipped");
    assert_eq!(of("extra")["outcome"]["after"], "succeeded");
    assert_eq!(of("count[step=1]")["outputs"][0]["name"], "number");
    assert_eq!(of("count[step=1]")["parts"][0]["part"], "inputs.text");
}

#[test]
fn a_repeated_run_has_the_same_results_and_is_compared_with_the_one_before() {
    let bench = bench();
    let first = id(&bench, &[]);
    id(&bench, &[]);
    let third = id(&bench, &[]);
    insta::assert_snapshot!("latest_two", steady(&bench.ok(&["diff"])));
    let found = bench.json(&["diff"]);
    assert_eq!((&found["after"]["run"], &found["equal_nodes"]), (&third.as_str().into(), &4.into()));

    let words = bench.ok(&["diff", &first, &third]);
    assert!(words.contains("The results are the same: 4 nodes with equal values and outputs."), "{words}");
    assert_eq!(bench.json(&["diff", "latest"]), found);
}

#[test]
fn runs_of_other_pipelines_in_between_are_passed_over() {
    let bench = bench();
    bench.write("other.yaml", SMALL.replace("name: small", "name: other"));
    let first = id(&bench, &[]);
    bench.run("other.yaml", &[]);
    let third = id(&bench, &[]);
    let found = bench.json(&["diff"]);
    assert_eq!((&found["before"]["run"], &found["after"]["run"]), (&first.into(), &third.into()));
    let both = bench.json(&["diff", &found["before"]["run"].as_str().unwrap()[28..], "latest"]);
    assert_eq!(both, found);
}

#[test]
fn with_nothing_to_compare_it_says_what_to_name() {
    let bench = bench();
    let first = id(&bench, &[]);
    let call = bench.call(&["diff"]);
    assert_eq!(call.code, Some(2));
    let words = call.stderr.replace("\n  │ ", " ");
    assert!(words.contains("there is no run of `small` before") && words.contains("name two runs"), "{words}");
    let call = bench.call(&["diff", &first, "nothing"]);
    assert_eq!(call.code, Some(2));
    assert!(call.stderr.contains("no single run `nothing`"), "{}", call.stderr);
}
