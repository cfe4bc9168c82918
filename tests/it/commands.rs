//! Commands beside `run`, through the program.

mod backtest;
mod data;
mod diff;
mod doctor;
mod dot;
mod features;
mod graph;
mod guide;
mod init;
mod logs;
mod reference;
mod schedule;
mod store_place;
mod study;

/// A pipeline of small programs: it takes a file, has a param and a matrix, and fails where it is told to.
const SMALL: &str = r#"
version: 1
name: small
as_of: 2026-01-04
schedule: {cron: "0 6 * * MON-FRI", timezone: Asia/Kolkata}
params:
  score: {type: float, default: 0.5}
sources:
  text: {path: text.txt, schema: file@1}
nodes:
  judge:
    kind: command
    inputs: {text: sources.text}
    with:
      argv: [sh, -c, "echo judging; echo '{\"score\": ${params.score}}' > values.json; cat inputs/text* > out.txt"]
      outputs: {copy: {path: out.txt}}
      values: {score: number}
  extra:
    kind: command
    when: judge.score > 1
    with: {argv: [sh, -c, "echo more > out.txt"], outputs: {text: {path: out.txt}}}
  count:
    kind: command
    matrix: {axes: {step: [1, 2]}}
    inputs: {text: judge.copy}
    with: {argv: [sh, -c, "wc -c inputs/text* > out.txt"], outputs: {number: {path: out.txt}}}
"#;
