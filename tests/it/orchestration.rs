//! Every word of the language of pipelines, and what becomes of a run when the world does not behave, end to end.
//!
//! Nodes are of the kinds `noop` and `command`, so that a run takes milliseconds.
//!
//! | file | what it proves |
//! |---|---|
//! | `matrix` | instances, their names, and which of them meet |
//! | `limits` | how many run at once, and what stops when one fails |
//! | `conditions` | `when`, `needs`, optional inputs, and the reasons of what is skipped |
//! | `attempts` | `retry`, `timeout`, `run --timeout` and `defaults` |
//! | `cache` | `cache`, `--refresh` and `--strict` |
//! | `settings` | params, `publish` and references |
//! | `command` | what a program is given, and what is taken from it |
//! | `large` | sources and results that are not held in memory |
//! | `child` | pipelines as nodes |
//! | `concurrency` | two runs of one group |
//! | `notify` | who is told, and that it is at least once |
//! | `output` | what is printed, and exit codes |
//! | `signals` | SIGINT, SIGTERM, and being killed |
//! | `faults` | the table of behaviour under faults, a test a row |
//! | `killed` | a run killed at random moments comes to the bytes of an undisturbed one |

mod attempts;
mod cache;
mod child;
mod command;
mod concurrency;
mod conditions;
mod faults;
mod killed;
mod large;
mod limits;
mod matrix;
mod notify;
mod output;
mod settings;
mod signals;

use serde_json::Value;

use crate::bench::{Bench, Report};

/// The one pipeline of a test's project.
const FILE: &str = "small.yaml";

/// A project with one pipeline, given from its nodes on or from what stands before them.
fn project(text: &str) -> Bench {
    let bench = Bench::new();
    write(&bench, text);
    bench
}

/// Writes the pipeline anew. `@` stands for the project's folder: commands run in folders of their own.
fn write(bench: &Bench, text: &str) {
    bench.write(FILE, pipeline(bench, "small", text));
}

fn pipeline(bench: &Bench, name: &str, text: &str) -> String {
    let folder = bench.path("").display().to_string();
    format!("version: 1\nname: {name}\nas_of: 2026-01-04\n{}", text.replace("@/", &folder))
}

/// A node that runs a script of the shell, as the inside of a flow mapping. The script writes the output `out`.
fn shell(script: &str) -> String {
    shell_with(script, "outputs: {out: {path: out}}")
}

/// A node that runs a script of the shell, with other settings beside it.
fn shell_with(script: &str, with: &str) -> String {
    format!("kind: command, with: {{argv: [/bin/sh, -c, {}], {with}}}", Value::from(script))
}

/// Runs the pipeline, which must fail, and returns what the store says of it.
fn failed(bench: &Bench, args: &[&str]) -> Report {
    let call = bench.call(&[&["run", FILE, "--progress", "none"], args].concat());
    assert_eq!(call.code, Some(1), "{}\n{}", call.stdout, call.stderr);
    bench.shown()
}

/// The text of a file that a node wrote to the store.
fn text(bench: &Bench, report: &Report, node: &str, port: &str) -> String {
    std::fs::read_to_string(bench.blob(report.digest(node, port))).unwrap()
}

/// Names of the instances of a node, in the order of the pipeline.
fn instances(report: &Report, node: &str) -> Vec<String> {
    let names = report.nodes().iter().map(|found| found["node"].as_str().unwrap());
    names.filter(|name| name.split('[').next() == Some(node)).map(str::to_owned).collect()
}

/// A file of lines that commands have written, one each time they ran; none when it is not there.
fn lines(bench: &Bench, name: &str) -> Vec<String> {
    std::fs::read_to_string(bench.path(name)).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn moment(value: &Value) -> jiff::Timestamp {
    let text = value.as_str().unwrap();
    // a day is written without its time
    if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() }.parse().unwrap()
}

/// Whether a process is there and has not ended.
fn is_alive(process: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/stat", process.trim())).unwrap_or_default();
    !status.is_empty() && !status.contains(") Z ")
}

/// Waits until something is so.
fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !so() {
        assert!(std::time::Instant::now() < deadline, "waited too long until {what}");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}
