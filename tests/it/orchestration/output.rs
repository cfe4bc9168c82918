//! What is printed, and exit codes.

use insta::assert_snapshot;
use serde_json::Value;

use super::{FILE, project, shell, shell_with};
use crate::bench::{Bench, redact};

/// A node that decides what it is told to.
fn deciding() -> Bench {
    let probe = shell_with(
        "printf '{\"verdict\": \"%s\"}' $V > values.json",
        "env: {V: \"${params.verdict}\"}, outputs: {}, values: {verdict: [drift, stable]}",
    );
    project(&format!("params: {{verdict: {{type: string, default: stable}}}}\nnodes:\n  probe: {{{probe}}}"))
}

/// One node fails, with more lines in its log than are shown.
fn failing() -> Bench {
    let script = "for n in 1 2 3 4 5 6 7 8 9 10 11 12; do echo line $n; done; sleep 0.2; echo 'no connection' >&2; sleep 0.2; exit 4";
    project(&format!(
        "nodes:\n  well: {{kind: noop}}\n  fetch: {{{}, needs: [well]}}\n  after: {{kind: noop, inputs: {{a: fetch.out}}}}",
        shell(script)
    ))
}

#[test]
fn a_decision_that_the_caller_fears_is_exit_code_3() {
    let bench = deciding();
    let code = |args: &[&str]| bench.call(&[&["run", FILE, "--quiet"], args].concat()).code;
    assert_eq!(code(&["--fail-on", "drift"]), Some(0));
    assert_eq!(code(&["--set", "verdict=drift"]), Some(0));
    assert_eq!(code(&["--set", "verdict=drift", "--fail-on", "drift"]), Some(3));
    assert_eq!(code(&["--set", "verdict=stable", "--fail-on", "drift,stable"]), Some(3));
}

#[test]
fn a_decision_that_no_node_can_make_is_wrong_usage() {
    let call = deciding().call(&["run", FILE, "--fail-on", "drfit"]);
    assert_eq!(call.code, Some(2));
    let words = "--fail-on drfit: no node of this pipeline decides that; known: drift, stable";
    assert!(call.stderr.contains(words), "{}", call.stderr);
}

#[test]
fn a_run_that_failed_is_exit_code_1_whatever_was_decided() {
    let bench = project(&format!(
        "nodes:\n  probe: {{{}}}\n  wrong: {{{}}}",
        shell_with("echo '{\"v\": \"bad\"}' > values.json", "outputs: {}, values: {v: [good, bad]}"),
        shell("exit 1")
    ));
    assert_eq!(bench.call(&["run", FILE, "--fail-on", "bad"]).code, Some(1));
}

#[test]
fn quiet_prints_nothing_when_all_is_well() {
    let bench = deciding();
    for _ in 0..2 {
        let call = bench.call(&["run", FILE, "--quiet"]);
        assert_eq!((call.code, call.stdout.as_str(), call.stderr.as_str()), (Some(0), "", ""));
    }
}

#[test]
fn quiet_prints_one_block_when_a_node_fails() {
    let call = failing().call(&["run", FILE, "--quiet", "--set", "x=it's", "--jobs", "1"]);
    assert_eq!(call.code, Some(2), "a param that is not declared");
    let call = failing().call(&["run", FILE, "--quiet", "--jobs", "1"]);
    assert_eq!((call.code, call.stderr.as_str()), (Some(1), ""));
    assert_snapshot!(redact(&call.stdout));
}

#[test]
fn the_words_that_run_it_again_can_be_pasted_into_a_shell() {
    let bench = project(&format!("params: {{x: {{type: string, default: a}}}}\nnodes:\n  a: {{{}}}", shell("exit 1")));
    let call = bench.call(&["run", FILE, "--quiet", "--set", "x=it's $HOME"]);
    let again = format!("again, from what is there: walkforward run {FILE} --quiet --set 'x=it'\\''s $HOME'\n");
    assert!(call.stdout.ends_with(&again), "{}", call.stdout);
}

#[test]
fn a_failed_run_shows_all_nodes_and_then_what_failed() {
    let call = failing().call(&["run", FILE, "--progress", "none", "--jobs", "1"]);
    assert_eq!((call.code, call.stderr.as_str()), (Some(1), ""));
    assert_snapshot!(redact(&call.stdout));
}

#[test]
fn plain_progress_is_a_line_for_each_change() {
    let call = failing().call(&["run", FILE, "--progress", "plain", "--jobs", "1"]);
    let timeless = regex::Regex::new(r"\(\d+\.\d s\)").unwrap();
    assert_snapshot!(timeless.replace_all(&call.stderr, "(# s)"));
}

#[test]
fn json_progress_is_an_event_a_line() {
    let call = failing().call(&["run", FILE, "--progress", "json", "--jobs", "1"]);
    let name = |line: &str| {
        let event: Value = serde_json::from_str(line).unwrap();
        let (name, about) = event.as_object().unwrap().iter().next().unwrap();
        let node = about["node"].as_str().or(about["record"]["node"].as_str()).unwrap_or_default();
        format!("{name} {node}").trim().to_owned()
    };
    let names: Vec<String> = call.stderr.lines().map(name).filter(|name| !name.starts_with("progress")).collect();
    assert_eq!(
        names,
        [
            "run_started",
            "node_started well",
            "node_ended well",
            "node_started fetch",
            "node_ended fetch",
            "node_ended after",
            "run_ended",
        ]
    );
}

fn json(call: &crate::bench::Call) -> Value {
    serde_json::from_str(&call.stdout).unwrap_or_else(|error| panic!("{error}\n{}\n{}", call.stdout, call.stderr))
}

#[test]
fn as_json_a_failed_run_is_a_report_and_nothing_else() {
    let call = failing().call(&["--json", "run", FILE, "--quiet"]);
    let whole = json(&call);
    assert_eq!((call.code, call.stderr.as_str()), (Some(1), ""));
    assert_eq!((&whole["version"], &whole["command"]), (&1.into(), &"run".into()));
    assert_eq!(whole["result"]["status"], "failed");
    assert_eq!(whole["result"]["nodes"][1]["reason"], "`/bin/sh` ended with exit code 4: no connection");
}

#[test]
fn as_json_every_refusal_has_a_code_and_its_exit_code() {
    let bench = project(
        "sources: {raw: {path: gone.txt, schema: file@1}}\nnodes: {a: {kind: noop, inputs: {raw: sources.raw}}}",
    );
    bench.write("wrong.yaml", "name: wrong\nas_of: 2026-01-04\nnodes: {a: {kind: trian}}\n");
    bench.write("a-file", "");
    let cases: [(&[&str], &str, i32, usize); 4] = [
        (&["run", "wrong.yaml"], "pipeline", 2, 1),
        (&["run", "nowhere.yaml"], "usage", 2, 0),
        (&["run", FILE], "engine::source", 4, 1),
        (&["--store", "a-file", "run", FILE], "store", 4, 0),
    ];
    for (args, code, exit_code, problems) in cases {
        let call = bench.call(&[&["--json"], args].concat());
        let whole = json(&call);
        assert_eq!(call.code, Some(exit_code), "{args:?}");
        assert_eq!((&whole["version"], &whole["command"]), (&1.into(), &"run".into()), "{args:?}");
        let error = &whole["error"];
        assert_eq!((&error["code"], &error["exit_code"]), (&code.into(), &exit_code.into()), "{args:?}");
        assert!(error["message"].as_str().is_some_and(|words| !words.is_empty()), "{args:?}");
        assert_eq!(error["problems"].as_array().unwrap().len(), problems, "{args:?}");
        assert!(!call.stderr.is_empty(), "{args:?}: people are told on stderr as well");
    }
    let problem = &json(&bench.call(&["--json", "run", "wrong.yaml"]))["error"]["problems"][0];
    assert_eq!((&problem["code"], &problem["file"]), (&"pipeline::unknown_kind".into(), &"wrong.yaml".into()));
    assert_eq!((&problem["line"], &problem["column"]), (&3.into(), &19.into()));
    assert_eq!(problem["hint"], "did you mean `train`?");
}
