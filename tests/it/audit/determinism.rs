//! `run --check-determinism`: what gives other bytes the second time is found, with where they differ first.

use crate::bench::Bench;

/// A table of the time of day, and one that is always the same.
const PIPELINE: &str = r#"version: 1
name: clocks
as_of: 2026-01-04
nodes:
  clock:
    kind: command
    with:
      argv: [sh, -c, 'date +%s%N > now.json']
      outputs: {now: {path: now.json}}
  stone:
    kind: command
    with:
      argv: [sh, -c, 'echo 1 > one.json']
      outputs: {one: {path: one.json}}
"#;

fn bench() -> Bench {
    let bench = Bench::empty();
    bench.write("clocks.yaml", PIPELINE);
    bench
}

#[test]
fn a_node_that_gives_other_bytes_the_second_time_is_named_and_the_run_ends_with_1() {
    let bench = bench();
    let call = bench.call(&["run", "clocks.yaml", "--check-determinism", "--progress", "none", "--threads", "2"]);
    assert_eq!(call.code, Some(1), "{}{}", call.stdout, call.stderr);
    assert!(
        call.stdout.contains("Executed a second time, on 3 threads: 1 of 2 nodes gave the same bytes."),
        "{}",
        call.stdout
    );
    let warning = "WARNING: clock is not deterministic: now differ from the second execution.\n  now: values differ, first at the top: ";
    assert!(call.stdout.contains(warning), "{}", call.stdout);
    let shown = bench.shown();
    let clock = shown.node("clock");
    assert_eq!(clock["repeated_on"], 3);
    // what it gave the second time is kept
    let second = clock["nondeterministic"]["now"].as_str().unwrap();
    assert_ne!(second, shown.digest("clock", "now"));
    assert!(bench.blob(second).exists());
    assert!(shown.node("stone")["differences"].is_null());
}

#[test]
fn a_node_that_is_refreshed_and_gives_other_bytes_is_named() {
    let bench = bench();
    bench.ok(&["run", "clocks.yaml", "--progress", "none"]);
    let text = bench.ok(&["run", "clocks.yaml", "--progress", "none", "--refresh", "all"]);
    assert!(text.contains("WARNING: clock is not deterministic: now differ from an earlier run."), "{text}");
    assert!(!text.contains("stone is not"), "{text}");
    let call = bench.call(&["run", "clocks.yaml", "--progress", "none", "--refresh", "clock", "--strict"]);
    assert_eq!(call.code, Some(1));
}

#[test]
fn the_whole_cycle_is_the_same_on_another_number_of_threads_and_deploys_once() {
    let bench = super::deployed();
    // as if nothing had happened yet
    std::fs::remove_dir_all(bench.path("artifacts")).unwrap();
    let call = bench.call(&["run", super::SYNTHETIC, "--check-determinism", "--progress", "none"]);
    assert_eq!(call.code, Some(0), "{}{}", call.stdout, call.stderr);
    assert!(call.stdout.contains("5 of 5 nodes gave the same bytes."), "{}", call.stdout);
    assert_eq!(bench.stored("registry/synthetic-quality/log").len(), 1);
}
