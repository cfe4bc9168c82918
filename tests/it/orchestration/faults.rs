//! The table of behaviour under faults, a test a row: what other tools get wrong, each at least once.
//!
//! `raw` is read from outside, `clean` drops its repetitions, `count` counts its lines, and a copy of that is published.

use super::{FILE, lines, project, shell, until};
use crate::bench::{Bench, Report, Running};

const RAW: &str = "b\na\nb\n";
const PUBLISHED: &str = "reports/count.txt";

fn counting() -> Bench {
    let bench = project(&format!(
        "sources: {{raw: {{path: raw.txt, schema: file@1}}}}
nodes:
  clean: {{{}, inputs: {{raw: sources.raw}}}}
  count: {{{}, inputs: {{clean: clean.out}}, publish: {{out: {PUBLISHED}}}}}",
        shell("sort -u inputs/raw > out"),
        // held up where a test wants to meet it while it runs
        shell("echo $$ >> @/counting; while [ -e @/hold ]; do sleep 0.01; done; wc -l < inputs/clean > out"),
    ));
    bench.write("raw.txt", RAW);
    bench
}

/// What an undisturbed run makes.
fn undisturbed() -> Vec<String> {
    counting().run(FILE, &[]).digests()
}

/// A run that is in the middle: `clean` is done, `count` runs.
fn half_way(bench: &Bench, start: impl Fn(&[&str]) -> Running) -> Running {
    bench.write("hold", "");
    let mut running = start(&["run", FILE, "--progress", "none"]);
    running.until("the second node ran", || !lines(bench, "counting").is_empty());
    running
}

/// The next run, which nothing holds up: it must go on from there.
fn goes_on(bench: &Bench) -> Report {
    std::fs::remove_file(bench.path("hold")).unwrap();
    let report = bench.run(FILE, &[]);
    assert_eq!(report.outcomes(), ["clean reused", "count succeeded"]);
    assert_eq!(report.digests(), undisturbed());
    report
}

#[test]
fn kill_9_and_the_same_command_again_continues() {
    let bench = counting();
    half_way(&bench, |args| bench.start(args)).kill();
    goes_on(&bench);
}

#[test]
fn a_second_call_while_the_first_runs_disturbs_neither() {
    let bench = counting();
    let first = half_way(&bench, |args| bench.start(args));
    let second = bench.start(&["run", FILE, "--progress", "none"]);
    until("both were counting", || lines(&bench, "counting").len() == 2);
    std::fs::remove_file(bench.path("hold")).unwrap();
    for call in [first.end(), second.end()] {
        assert_eq!(call.code, Some(0), "{}\n{}", call.stdout, call.stderr);
        assert!(!call.stdout.contains("WARNING"), "{}", call.stdout);
    }
    let after = bench.run(FILE, &[]);
    assert!(after.all("reused"), "{:?}", after.outcomes());
    assert_eq!(after.digests(), undisturbed());
}

#[test]
fn sigterm_to_the_parent_ends_its_commands_and_is_recorded() {
    let bench = counting();
    let running = half_way(&bench, |args| bench.start(args));
    running.signal("TERM");
    assert_eq!(running.end().code, Some(143));
    assert!(!super::is_alive(&lines(&bench, "counting")[0]));
    assert_eq!(bench.shown().0["end"]["status"], "cancelled");
    goes_on(&bench);
}

#[test]
fn ctrl_c_in_a_terminal_ends_all_and_is_recorded() {
    let bench = counting();
    let running = half_way(&bench, |args| bench.start_in_a_group(args));
    running.signal_group("INT");
    assert_eq!(running.end().code, Some(130));
    assert!(!super::is_alive(&lines(&bench, "counting")[0]));
    assert_eq!(bench.shown().0["end"]["status"], "cancelled");
    goes_on(&bench);
}

#[test]
fn a_changed_input_with_an_equal_output_stops_the_rebuild() {
    let bench = counting();
    let first = bench.run(FILE, &[]);
    bench.write("raw.txt", "a\nb\nb\na\n");
    let second = bench.run(FILE, &[]);
    assert_eq!(second.outcomes(), ["clean succeeded", "count reused"]);
    assert_eq!(second.digests(), first.digests());
}

#[test]
fn a_touched_input_rebuilds_nothing() {
    let bench = counting();
    bench.run(FILE, &[]);
    let before = std::fs::metadata(bench.path("raw.txt")).unwrap().modified().unwrap();
    std::fs::remove_file(bench.path("raw.txt")).unwrap();
    bench.write("raw.txt", RAW);
    let later = before + std::time::Duration::from_secs(3600);
    std::fs::File::options().append(true).open(bench.path("raw.txt")).unwrap().set_modified(later).unwrap();
    assert!(bench.run(FILE, &[]).all("reused"));
}

#[test]
fn an_input_that_is_changed_and_changed_back_finds_the_first_results() {
    let bench = counting();
    let first = bench.run(FILE, &[]);
    bench.write("raw.txt", "c\nb\na\n");
    assert!(bench.run(FILE, &[]).all("succeeded"));
    assert_eq!(bench.read(PUBLISHED), "3\n");
    bench.write("raw.txt", RAW);
    let back = bench.run(FILE, &[]);
    assert!(back.all("reused"), "{:?}", back.outcomes());
    assert_eq!(back.digests(), first.digests());
    assert_eq!(bench.read(PUBLISHED), "2\n");
}

#[test]
fn a_deleted_copy_is_written_again() {
    let bench = counting();
    bench.run(FILE, &[]);
    std::fs::remove_dir_all(bench.path("reports")).unwrap();
    assert!(bench.run(FILE, &[]).all("reused"));
    assert_eq!(bench.read(PUBLISHED), "2\n");
}

#[test]
fn a_tampered_copy_is_put_right() {
    let bench = counting();
    bench.run(FILE, &[]);
    bench.write(PUBLISHED, "3\n");
    assert!(bench.run(FILE, &[]).all("reused"));
    assert_eq!(bench.read(PUBLISHED), "2\n");
}

#[test]
fn a_rotten_result_is_noticed_and_made_again_and_those_after_it_stay() {
    let bench = counting();
    let first = bench.run(FILE, &[]);
    let blob = bench.blob(first.digest("clean", "out"));
    let honest = std::fs::read(&blob).unwrap();
    std::fs::write(&blob, "rotten").unwrap();
    let second = bench.run(FILE, &[]);
    assert_eq!(second.outcomes(), ["clean succeeded", "count reused"]);
    assert_eq!(second.digests(), first.digests());
    assert_eq!(std::fs::read(&blob).unwrap(), honest);
    assert!(bench.run(FILE, &[]).all("reused"));
}
