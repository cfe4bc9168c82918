//! `audit` as a node of a pipeline.

use super::{MODEL, deployed, flip, version};
use crate::bench::Bench;
use serde_json::Value;

/// Audits the champion of the synthetic market, and a run of it that was a node.
const PIPELINE: &str = r#"version: 1
name: checks
as_of: 2018-10-05
params:
  level: {type: enum, values: [digests, chain, decisions, rebuild], default: decisions}
sources:
  champion: {registry: synthetic-quality, alias: champion, optional: true}
nodes:
  again:
    kind: pipeline
    with: {file: pipelines/synthetic.yaml, as_of: 2018-09-28}
  champion:
    kind: audit
    inputs: {subject: sources.champion}
    with: {level: "${params.level}"}
    publish: {report: audits/champion.md, statement: audits/champion.json}
  runs:
    kind: audit
    inputs: {subject: again.record}
    with: {level: "${params.level}"}
  alarm:
    kind: command
    when: champion.verdict != "verified" || runs.mismatches > 0
    with: {argv: [sh, -c, echo alarm > alarm.txt], outputs: {alarm: {path: alarm.txt}}}
"#;

fn bench() -> Bench {
    let bench = deployed();
    bench.write("checks.yaml", PIPELINE);
    bench
}

#[test]
fn champion_and_past_runs_are_audited_by_a_pipeline_down_to_a_rebuild() {
    let bench = bench();
    let run = bench.run("checks.yaml", &["--set", "level=rebuild"]);
    for node in ["champion", "runs"] {
        assert_eq!(run.node(node)["values"]["verdict"], "verified", "{:#}", run.node(node));
    }
    assert_eq!(run.outcome("alarm"), "skipped");
    assert!(bench.read("audits/champion.md").contains("**VERIFIED: "), "{}", bench.read("audits/champion.md"));
    let statement: Value = serde_json::from_str(&bench.read("audits/champion.json")).unwrap();
    assert_eq!(statement["subject"][0]["digest"]["sha256"], version(&bench)["model"]["sha256"]);
    // and that run is audited like any other
    let (call, report) = super::audit(&bench, &["latest"]);
    assert_eq!((call.code, report["verdict"].as_str()), (Some(0), Some("verified")), "{report:#}");
}

#[test]
fn a_mismatch_is_a_verdict_that_conditions_and_callers_see() {
    let bench = bench();
    flip(&bench.blob(version(&bench)["evaluation"]["sha256"].as_str().unwrap()));
    let call = bench.call(&["run", "checks.yaml", "--progress", "none", "--fail-on", "mismatch", "--shadow"]);
    assert_eq!(call.code, Some(3), "{}{}", call.stdout, call.stderr);
    let shown = bench.shown();
    assert_eq!(shown.node("champion")["values"]["mismatches"], 1);
    assert_eq!(shown.outcome("alarm"), "succeeded");
}

#[test]
fn without_a_champion_there_is_nothing_to_audit_and_the_node_is_skipped() {
    let bench = Bench::new();
    bench.write(
        "early.yaml",
        "version: 1\nname: early\nas_of: 2018-01-05\nsources:\n  champion: {registry: nobody, alias: champion, optional: \
         true}\nnodes:\n  champion: {kind: audit, inputs: {subject: sources.champion}}\n",
    );
    let run = bench.run("early.yaml", &[]);
    assert_eq!((run.outcome("champion"), run.reason("champion")), ("skipped", "insufficient subjects: 0 < 1"));
}

#[test]
fn a_node_without_inputs_audits_what_it_names_or_everything() {
    let bench = deployed();
    let nodes = format!("  all: {{kind: audit}}\n  one: {{kind: audit, with: {{subject: {MODEL}}}}}\n");
    bench.write("named.yaml", format!("version: 1\nname: named\nas_of: 2018-10-05\nnodes:\n{nodes}"));
    let run = bench.run("named.yaml", &[]);
    let summary = |node: &str| run.node(node)["summary"].as_str().unwrap().to_owned();
    assert!(summary("all").contains("everything in the store: 1 runs"), "{}", summary("all"));
    assert!(summary("one").contains("synthetic-quality@champion: slot 0"), "{}", summary("one"));
}
