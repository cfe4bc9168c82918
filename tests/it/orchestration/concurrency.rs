//! Two runs of one group.

use super::{FILE, lines, project, shell, until};
use crate::bench::{Bench, Running};

/// A run that holds its group until it is let go.
fn holding(on_conflict: &str) -> (Bench, Running) {
    let script = "echo start >> @/log; while [ ! -e @/go ]; do sleep 0.01; done; echo end >> @/log; echo > out";
    let bench = project(&format!(
        "concurrency: {{group: weekly, on_conflict: {on_conflict}}}\nnodes:\n  a: {{{}, cache: off}}",
        shell(script)
    ));
    let mut first = bench.start(&["run", FILE, "--progress", "none"]);
    first.until("the first run was under way", || lines(&bench, "log") == ["start"]);
    (bench, first)
}

fn let_go(bench: &Bench, first: Running) -> String {
    bench.write("go", "");
    let call = first.end();
    assert_eq!(call.code, Some(0), "{}\n{}", call.stdout, call.stderr);
    bench.json(&["runs"])[0]["start"]["run"].as_str().unwrap().to_owned()
}

#[test]
fn skip_ends_well_without_doing_anything_and_says_who_is_at_it() {
    let (bench, first) = holding("skip");
    let call = bench.call(&["run", FILE, "--progress", "none"]);
    assert_eq!((call.code, call.stderr.as_str()), (Some(0), ""));
    let quiet = bench.call(&["run", FILE, "--quiet"]);
    assert_eq!((quiet.code, quiet.stdout.as_str(), quiet.stderr.as_str()), (Some(0), "", ""));
    let json = bench.json(&["run", FILE]);
    let run = let_go(&bench, first);
    let expected = format!("Skipped: run {run} holds the group `weekly` since ");
    assert!(call.stdout.starts_with(&expected), "{}", call.stdout);
    assert!(json["skipped"].as_str().unwrap().starts_with(&expected), "{json}");
    assert_eq!(lines(&bench, "log"), ["start", "end"]);
    assert_eq!(bench.json(&["runs"]).as_array().unwrap().len(), 1, "a skipped run is no run");
}

#[test]
fn fail_ends_with_75_and_says_who_is_at_it() {
    let (bench, first) = holding("fail");
    let call = bench.call(&["run", FILE, "--progress", "none"]);
    assert_eq!((call.code, call.stdout.as_str()), (Some(75), ""));
    let run = let_go(&bench, first);
    let words = call.stderr.replace("\n  │ ", " ");
    assert!(words.contains(&format!("run {run} holds the group `weekly` since ")), "{words}");
    bench.write("go", "");
    assert_eq!(bench.run(FILE, &[]).outcome("a"), "succeeded", "the group is free again");
}

#[test]
fn wait_waits_until_the_other_run_has_ended() {
    let (bench, first) = holding("wait");
    let second = bench.start(&["run", FILE, "--progress", "none"]);
    std::thread::sleep(std::time::Duration::from_millis(150));
    assert_eq!(lines(&bench, "log"), ["start"], "the second run did not wait");
    bench.write("go", "");
    for call in [first.end(), second.end()] {
        assert_eq!(call.code, Some(0), "{}\n{}", call.stdout, call.stderr);
    }
    assert_eq!(lines(&bench, "log"), ["start", "end", "start", "end"]);
}

#[test]
fn wait_gives_up_after_its_time_with_75() {
    let (bench, first) = holding("wait, wait_timeout: 150ms");
    let call = bench.call(&["run", FILE, "--progress", "none"]);
    assert_eq!(call.code, Some(75), "{}\n{}", call.stdout, call.stderr);
    assert!(call.stderr.contains("waited 150ms, and run "), "{}", call.stderr);
    let_go(&bench, first);
}

#[test]
fn a_run_that_is_stopped_while_it_waits_ends_as_any_stopped_run() {
    let (bench, first) = holding("wait");
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let waiting = bench.start(&["run", FILE, "--progress", "none"]);
        std::thread::sleep(std::time::Duration::from_millis(150));
        waiting.signal(signal);
        let call = waiting.end();
        assert_eq!(call.code, Some(code), "{}\n{}", call.stdout, call.stderr);
        assert_eq!(call.stdout, "Stopped while waiting for the group `weekly`.\n");
    }
    let_go(&bench, first);
    assert_eq!(bench.json(&["runs"]).as_array().unwrap().len(), 1);
}

#[test]
fn a_group_is_shared_by_pipelines_and_is_the_name_of_the_pipeline_by_default() {
    let (bench, first) = holding("fail");
    let other = |name: &str, concurrency: &str| {
        bench.write(
            "other.yaml",
            super::pipeline(&bench, name, &format!("{concurrency}\nnodes: {{a: {{kind: noop}}}}")),
        );
        bench.call(&["run", "other.yaml", "--progress", "none"]).code
    };
    assert_eq!(other("other", "concurrency: {group: weekly}"), Some(75));
    assert_eq!(other("weekly", "concurrency: {on_conflict: fail}"), Some(75));
    assert_eq!(other("other", "concurrency: {on_conflict: fail}"), Some(0));
    assert_eq!(other("small", ""), Some(0), "without `concurrency` nothing excludes anything");
    let_go(&bench, first);
}

#[test]
fn of_two_cron_jobs_in_one_moment_one_runs_and_the_other_skips() {
    let bench = project(&format!(
        "concurrency: {{on_conflict: skip}}\nnodes:\n  a: {{{}}}",
        shell("echo ran >> @/log; while [ ! -e @/go ]; do sleep 0.01; done; echo > out")
    ));
    let runs = [(); 2].map(|()| bench.start(&["run", FILE, "--progress", "none"]));
    until("one of the two ran", || !lines(&bench, "log").is_empty());
    // the other has started too by now, or will find the group held
    let late = bench.call(&["run", FILE, "--progress", "none"]);
    bench.write("go", "");
    let calls = runs.map(Running::end);
    assert!(calls.iter().all(|call| call.code == Some(0)));
    assert!(late.stdout.starts_with("Skipped: "), "{}", late.stdout);
    assert_eq!(lines(&bench, "log"), ["ran"]);
    assert_eq!(bench.stored("actions").len(), 1);
}

#[test]
fn a_killed_run_frees_its_group_at_once() {
    let (bench, mut first) = holding("fail");
    first.kill();
    bench.write("go", "");
    assert_eq!(bench.run(FILE, &[]).outcome("a"), "succeeded");
}
