//! `walkforward graph`.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use super::dot;
use crate::bench::Bench;

const AWKWARD: &str = r#"
version: 1
name: 'awkward "name" \ #1'
as_of: 2026-01-04
params:
  mode: {type: enum, values: [auto, never], default: auto}
sources:
  text: {path: "my [text] {file}|\"x\".txt", schema: file@1}
nodes:
  first:
    kind: command
    inputs: {text: sources.text}
    with: {argv: [sh, -c, ":"], outputs: {copy: {path: out}}, values: {verdict: [good, bad]}}
  second:
    kind: command
    when: params.mode == "auto" && first.verdict in ["good", "bad"]
    matrix: {axes: {model: [a, "b \"c\" #2"], seed: [1, 2]}}
    needs: [first]
    with: {argv: [sh, -c, ":"], outputs: {copy: {path: out}}}
  third:
    kind: command
    when: params.mode != "never"
    inputs: {all: "second[*].copy"}
    with: {argv: [sh, -c, ":"], outputs: {copy: {path: out}}}
  fourth:
    kind: command
    for_each: second
    inputs: {one: second.copy}
    with: {argv: [sh, -c, ":"], outputs: {copy: {path: out}}}
"#;

const SHIPPED: [&str; 3] = ["pipelines/synthetic.yaml", "pipelines/weekly.yaml", "pipelines/sweep.yaml"];

fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("awkward.yaml", AWKWARD);
    bench
}

/// Checks that a flowchart is one: each line is of a known form, labels cannot end early, and ends of arrows are there.
fn assert_flowchart(text: &str) {
    let (head, body) = text.split_once("\nflowchart ").unwrap();
    let title = head.strip_prefix("---\ntitle: ").and_then(|head| head.strip_suffix("\n---")).unwrap();
    serde_json::from_str::<String>(title).unwrap();
    let is_id = |id: &str| !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let is_label = |label: &str| {
        let inside = label.strip_prefix('"').and_then(|label| label.strip_suffix('"'));
        let inside = inside.map(|inside| inside.replace("<br/>", ""));
        inside.is_some_and(|inside| !inside.contains(['"', '<', '>', '[', ']', '{', '}', '|', '`', '\\', '&']))
    };
    let (mut ids, mut ends, mut open) = (BTreeSet::new(), Vec::new(), 0);
    for line in body.lines().skip(1).map(str::trim) {
        if line == "end" {
            open -= 1;
        } else if line.starts_with("linkStyle ") {
            assert!(line.contains(" stroke-dasharray:"), "{line}");
        } else if let Some((from, rest)) = line.split_once("->|") {
            let from = from.trim_end_matches(['-', '.']).trim();
            let (label, to) = rest.rsplit_once("| ").unwrap();
            assert!(is_id(from) && is_id(to) && is_label(label), "{line}");
            ends.extend([from.to_owned(), to.to_owned()]);
        } else {
            let line = line.strip_prefix("subgraph ").inspect(|_| open += 1).unwrap_or(line);
            let (id, rest) = line.split_once('[').unwrap();
            let label = rest.strip_suffix(']').unwrap();
            let label = label.strip_prefix('(').and_then(|label| label.strip_suffix(')')).unwrap_or(label);
            assert!(is_id(id) && is_label(label), "{line}");
            assert!(ids.insert(id.to_owned()), "{id} twice");
        }
    }
    assert_eq!(open, 0, "{text}");
    for end in ends {
        assert!(ids.contains(&end), "{end} is declared nowhere:\n{text}");
    }
}

#[test]
fn a_pipeline_is_drawn_for_mermaid_and_needs_neither_store_nor_data() {
    let bench = bench();
    std::fs::remove_file(bench.path("data")).unwrap();
    insta::assert_snapshot!("weekly_as_mermaid", bench.ok(&["graph", "pipelines/weekly.yaml"]));
    assert!(!bench.path("artifacts").exists());
}

#[test]
fn frames_conditions_needs_and_awkward_names_are_drawn_for_mermaid_and_graphviz() {
    let bench = bench();
    insta::assert_snapshot!("awkward_as_mermaid", bench.ok(&["graph", "awkward.yaml", "--direction", "td"]));
    insta::assert_snapshot!("awkward_as_dot", bench.ok(&["graph", "awkward.yaml", "--format", "dot"]));
}

#[test]
fn what_is_written_is_of_the_language_for_every_pipeline() {
    let bench = bench();
    for file in SHIPPED.into_iter().chain(["awkward.yaml"]) {
        for direction in ["lr", "td"] {
            assert_flowchart(&bench.ok(&["graph", file, "--direction", direction]));
            dot::parse(&bench.ok(&["graph", file, "--format", "dot", "--direction", direction]));
        }
    }
}

#[test]
fn quotes_and_brackets_come_back_from_dot_as_they_were() {
    let bench = bench();
    let graph = dot::parse(&bench.ok(&["graph", "awkward.yaml", "--format", "dot"]));
    assert_eq!(graph.name, r#"awkward "name" \ #1"#);
    assert_eq!(graph.clusters["cluster_second"].len(), 4);
    assert!(graph.nodes.contains_key(r#"second[model=b "c" #2,seed=1]"#), "{:?}", graph.nodes.keys());
    assert_eq!(graph.nodes["sources.text"]["label"], "text\nmy [text] {file}|\"x\".txt");
    assert_eq!(graph.nodes["third"]["label"], "third\n(command)\nwhen params.mode != \"never\"");
    let styles: Vec<(&str, &str)> = graph
        .edges
        .iter()
        .filter_map(|(_, _, about)| Some((about.get("style")?.as_str(), about["label"].as_str())))
        .collect();
    let when = "when params.mode == \"auto\" &&\nfirst.verdict in [\"good\", \"bad\"]";
    assert_eq!(styles, [("dashed", when), ("dotted", "needs")]);
}

#[test]
fn as_json_every_instance_and_every_arrow_is_there() {
    let bench = bench();
    let graph = bench.json(&["graph", "awkward.yaml"]);
    let instances = |node: usize| graph["nodes"][node]["instances"].as_array().map_or(0, Vec::len);
    assert_eq!([instances(0), instances(1)], [0, 4], "{graph:#}");
    let arrows = graph["arrows"].as_array().unwrap();
    let count = |why: &str| arrows.iter().filter(|arrow| arrow["why"] == why).count();
    assert_eq!([count("input"), count("when"), count("needs")], [9, 4, 4], "{graph:#}");
    let whole = bench.ok(&["--json", "graph", "awkward.yaml"]);
    assert_eq!(bench.ok(&["graph", "awkward.yaml", "--format", "json"]), whole);
}

#[test]
fn a_pipeline_with_problems_is_not_drawn() {
    let bench = bench();
    bench.write("wrong.yaml", AWKWARD.replace("second[*].copy", "secnd[*].copy"));
    let call = bench.call(&["graph", "wrong.yaml"]);
    assert_eq!((call.code, call.stdout.as_str()), (Some(2), ""));
    assert!(call.stderr.contains("did you mean `second`?"), "{}", call.stderr);
}

#[test]
fn graphviz_draws_it_where_there_is_a_graphviz() {
    let bench = bench();
    for file in ["awkward.yaml", "pipelines/weekly.yaml"] {
        let child = Command::new("dot").args(["-Tsvg"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let Ok(mut child) = child else { return };
        child.stdin.take().unwrap().write_all(bench.ok(&["graph", file, "--format", "dot"]).as_bytes()).unwrap();
        let drawn = child.wait_with_output().unwrap();
        assert!(drawn.status.success() && String::from_utf8_lossy(&drawn.stdout).contains("<svg"), "{file}");
    }
}
