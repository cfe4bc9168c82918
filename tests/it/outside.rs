//! What a run tells the world outside, through the binary.

use quick_junit::Report;

use crate::bench::{Bench, Call, read_json};
use crate::server::Server;

const SYNTHETIC: &str = "pipelines/synthetic.yaml";

const FAILING: &str = "\
version: 1
name: failing
as_of: 2018-09-28
sources:
  bars:     {path: data/synthetic/ohlcv.parquet, schema: ohlcv@1}
  strategy: {path: configs/strategies/donchian.yaml, schema: strategy@1}
nodes:
  accumulate:
    kind: accumulate
    inputs: {bars: sources.bars, strategy: sources.strategy}
    with: {universe: {symbols: [NOPE]}}
";

/// What a monitor was told: method, and what follows its own path up to the query.
fn told(server: &Server) -> Vec<String> {
    let words = |line: &str| {
        let (method, rest) = line.split_once(" /secret/").unwrap();
        format!("{method} {}", rest.split('?').next().unwrap())
    };
    server.seen().iter().map(|seen| words(&seen.line)).collect()
}

fn assert_no_secret(call: &Call) {
    assert!(!format!("{call:?}").contains("secret"), "{call:?}");
}

#[test]
fn a_run_tells_everybody_who_listens() {
    let server = Server::answering(&[200]);
    let mut bench = Bench::new();
    let (summary, outputs) = (bench.path("summary.md"), bench.path("outputs"));
    bench.write("summary.md", "of the step before\n");
    bench.set("GITHUB_ACTIONS", "true");
    bench.set("GITHUB_STEP_SUMMARY", summary.display().to_string());
    bench.set("GITHUB_OUTPUT", outputs.display().to_string());
    bench.set("WALKFORWARD_PING_URL", server.url("/secret?create=1"));
    let files = ["--metrics-file", "outside/run.prom", "--junit", "outside/run.xml"];
    let call = bench.call(&[&["run", SYNTHETIC, "--progress", "none"], &files[..]].concat());
    assert_eq!((call.code, call.stderr.as_str()), (Some(0), ""));
    assert_no_secret(&call);

    let shown = bench.shown();
    let run = shown.0["start"]["run"].as_str().unwrap().to_owned();
    let samples = &shown.node("accumulate")["values"]["samples"];
    assert_eq!(told(&server), ["GET start", "POST 0"]);
    for seen in server.seen() {
        assert!(seen.line.contains(&format!("?create=1&rid={run} ")), "{}", seen.line);
    }
    assert_eq!(server.seen()[1].body, call.stdout.trim());

    let metrics = bench.read("outside/run.prom");
    for line in [
        "walkforward_run_success{pipeline=\"synthetic\"} 1",
        "walkforward_run_exit_code{pipeline=\"synthetic\"} 0",
        "walkforward_run_nodes{pipeline=\"synthetic\",outcome=\"succeeded\"} 5",
        "walkforward_as_of_timestamp_seconds{pipeline=\"synthetic\"} 1538092800",
        &format!("walkforward_node_value{{pipeline=\"synthetic\",node=\"accumulate\",value=\"samples\"}} {samples}"),
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}\n{metrics}");
    }

    let junit = Report::deserialize_from_str(&bench.read("outside/run.xml")).unwrap();
    assert_eq!((junit.tests, junit.failures, junit.errors, junit.skipped), (5, 0, 0, 0));
    assert_eq!(junit.uuid.unwrap().to_string(), run);

    let summary = bench.read("summary.md");
    assert!(summary.starts_with("of the step before\n\n### synthetic succeeded\n"), "{summary}");
    assert!(summary.contains(&format!("As of 2018-09-28 · run `{run}` · ")), "{summary}");
    assert!(summary.contains("\n- artifacts/reports/synthetic-2018-09-28.md\n"), "{summary}");

    let outputs = bench.read("outputs");
    for line in
        [&format!("run-id={run}"), "status=succeeded", "exit-code=0", "as-of=2018-09-28", "deploy-decision=promoted"]
    {
        assert!(outputs.lines().any(|found| found == line), "{line}\n{outputs}");
    }
    assert_eq!(std::fs::read_dir(bench.path("outside")).unwrap().count(), 2, "a temporary file was left behind");
}

#[test]
fn a_failed_run_is_told_as_such_and_a_monitor_that_refuses_changes_no_exit_code() {
    let server = Server::answering(&[404]);
    let mut bench = Bench::new();
    bench.write("failing.yaml", FAILING);
    bench.set("WALKFORWARD_PING_URL", server.url("/secret"));
    let files = ["--metrics-file", "run.prom", "--junit", "run.xml"];
    let call = bench.call(&[&["run", "failing.yaml", "--progress", "none"], &files[..]].concat());
    assert_eq!(call.code, Some(1));
    let warnings: Vec<String> = ["start", "end"]
        .map(|when| {
            format!("warning: the ping at the {when} of the run failed: http://127.0.0.1 answered 404 Not Found")
        })
        .into();
    assert_eq!(call.stderr.lines().collect::<Vec<_>>(), warnings);
    assert_no_secret(&call);
    assert_eq!(told(&server), ["GET start", "POST 1"]);
    assert!(bench.read("run.prom").contains("walkforward_run_success{pipeline=\"failing\"} 0\n"));
    let junit = Report::deserialize_from_str(&bench.read("run.xml")).unwrap();
    assert_eq!((junit.tests, junit.failures), (1, 1));
}

#[test]
fn a_pipeline_that_is_refused_is_told_with_its_problems() {
    let server = Server::answering(&[200]);
    let mut bench = Bench::new();
    bench.write("failing.yaml", FAILING.replace("kind: accumulate", "kind: acumulate"));
    bench.set("WALKFORWARD_PING_URL", server.url("/secret"));
    let call = bench.call(&["run", "failing.yaml", "--metrics-file", "run.prom"]);
    assert_eq!(call.code, Some(2));
    assert_eq!(told(&server), ["GET start", "POST 2"]);
    assert_eq!(server.seen()[1].body, call.stderr.trim());
    assert!(!bench.path("run.prom").exists(), "there is no run to measure");
}

#[test]
fn without_flags_and_variables_nothing_is_written_outside_the_store() {
    let bench = Bench::new();
    bench.write("failing.yaml", FAILING);
    let before = std::fs::read_dir(bench.path(".")).unwrap().count();
    assert_eq!(bench.call(&["run", "failing.yaml", "--quiet"]).code, Some(1));
    let added = std::fs::read_dir(bench.path(".")).unwrap().count() - before;
    assert_eq!(added, 1, "the folder `artifacts`, and nothing else");
}

#[test]
fn the_address_of_a_monitor_is_not_part_of_the_help() {
    let mut bench = Bench::new();
    bench.set("WALKFORWARD_PING_URL", "https://hc-ping.com/secret");
    let help = bench.ok(&["run", "--help"]);
    assert!(help.contains("WALKFORWARD_PING_URL") && !help.contains("secret"), "{help}");
}

#[test]
fn json_has_the_times_and_the_params_of_the_run() {
    let bench = Bench::new();
    bench.write("failing.yaml", FAILING);
    let call = bench.call(&["--json", "run", "failing.yaml", "--progress", "none"]);
    bench.write("report.json", &call.stdout);
    let report = &read_json(&bench.path("report.json"))["result"];
    let (started, ended) = (report["started"].as_str().unwrap(), report["ended"].as_str().unwrap());
    assert!(started < ended && report["params"].is_object(), "{report}");
}
