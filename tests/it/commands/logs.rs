//! `walkforward logs`.

use crate::bench::{Bench, redact};

/// Two instances whose first attempt fails, one that writes nothing, and one that is skipped.
fn bench() -> Bench {
    let bench = Bench::new();
    let marks = bench.path("marks");
    std::fs::create_dir(&marks).unwrap();
    let text = r#"
version: 1
name: flaky
as_of: 2026-01-04
nodes:
  train:
    kind: command
    retry: {max_attempts: 2, backoff: {initial: 1ms, jitter: false}}
    matrix: {axes: {model: [logistic, forest]}}
    with:
      argv: [sh, -c, "echo one of ${matrix.model}; echo two; echo three; test -e MARKS/${matrix.model} || { touch MARKS/${matrix.model}; exit 3; }; echo done > out.txt"]
      outputs: {text: {path: out.txt}}
  quiet:
    kind: command
    needs: ["train[*]"]
    with: {argv: [sh, -c, "echo done > out.txt"], outputs: {text: {path: out.txt}}}
  never:
    kind: command
    when: false
    with: {argv: [sh, -c, "echo done > out.txt"], outputs: {text: {path: out.txt}}}
"#;
    bench.write("flaky.yaml", text.replace("MARKS", &marks.display().to_string()));
    bench.run("flaky.yaml", &["--jobs", "1"]);
    bench
}

/// The lines of a log without their times.
fn lines(text: &str) -> Vec<&str> {
    text.lines().map(|line| line.split_once(' ').unwrap().1).collect()
}

#[test]
fn every_attempt_is_listed_with_its_outcome() {
    let bench = bench();
    let listed = redact(&bench.ok(&["logs"]));
    insta::assert_snapshot!("attempts", without_times(&listed));
    let rows = bench.json(&["logs"]);
    assert_eq!(rows.as_array().unwrap().len(), 6);
}

/// Dates, times and the sizes that depend on them, by marks of one width.
fn without_times(text: &str) -> String {
    let text = text.lines().map(without_size).collect::<Vec<_>>().join("\n");
    let is_time = |word: &&str| word.len() == 9 && word.ends_with('Z') && word.as_bytes()[2] == b':';
    let is_date = |word: &&str| word.len() == 10 && word.as_bytes()[4] == b'-' && word.as_bytes()[7] == b'-';
    let times: Vec<&str> = text.split_whitespace().filter(|word| is_time(word) || is_date(word)).collect();
    times.into_iter().fold(text.clone(), |text, time| text.replace(time, &"T".repeat(time.len())))
}

fn without_size(line: &str) -> String {
    let Some((before, after)) = line.split_once(" bytes") else { return line.to_owned() };
    let kept = before.trim_end_matches(|c: char| c.is_ascii_digit());
    format!("{kept}{} bytes{after}", "#".repeat(before.len() - kept.len()))
}

#[test]
fn a_log_is_that_of_the_last_attempt_unless_another_is_asked_for() {
    let bench = bench();
    let node = "train[model=logistic]";
    let expected = ["one of logistic", "two", "three"];
    assert_eq!(lines(&bench.ok(&["logs", "latest", node])), expected);
    let first = bench.ok(&["logs", "latest", node, "--attempt", "1"]);
    assert_eq!(lines(&first)[..3], expected);
    assert_ne!(first, bench.ok(&["logs", "latest", node, "--attempt", "2"]));
    assert_eq!(lines(&bench.ok(&["logs", "latest", node, "--tail", "2"])), ["two", "three"]);

    let found = bench.json(&["logs", "latest", node, "--attempt", "1"]);
    assert_eq!((&found["attempt"], &found["attempts"]), (&1.into(), &2.into()));
    assert!(found["reason"].as_str().unwrap().contains('3'), "{found}");
    assert_eq!(found["log"].as_str().unwrap(), first);
}

#[test]
fn the_beginning_of_a_name_is_enough_when_it_is_of_one_node() {
    let bench = bench();
    assert_eq!(lines(&bench.ok(&["logs", "latest", "train[model=f"]))[0], "one of forest");
    let refused = |args: &[&str]| {
        let call = bench.call(&[&["logs"], args].concat());
        assert_eq!((call.code, call.stdout.as_str()), (Some(2), ""), "{args:?}");
        call.stderr.replace("\n  │ ", " ")
    };
    let several = refused(&["latest", "train"]);
    assert!(several.contains("the beginning of 2 nodes: train[model="), "{several}");
    assert!(refused(&["latest", "quite"]).contains("did you mean `quiet`?"));
    assert!(refused(&["latest", "quiet", "--attempt", "2"]).contains("has no attempt 2; there is 1 attempt"));
    assert!(refused(&["quiet"]).contains("walkforward logs latest quiet"));
    assert!(refused(&["latest", "never"]).contains("did not run"));
    assert!(refused(&["gone"]).contains("`walkforward runs` lists them"));
}

#[test]
fn a_node_that_wrote_nothing_or_was_reused_says_so() {
    let bench = bench();
    assert_eq!(bench.ok(&["logs", "latest", "quiet"]), "quiet wrote no log in attempt 1 of 1.\n");
    let first = bench.shown().0["start"]["run"].as_str().unwrap().to_owned();
    bench.run("flaky.yaml", &[]);
    let call = bench.call(&["logs", "latest", "train[model=forest]"]);
    assert_eq!(call.code, Some(2));
    let words = call.stderr.replace("\n  │ ", " ");
    let there = format!("walkforward logs {} train[model=forest]", &first[first.len() - 8..]);
    assert!(words.contains(&there), "{words}");
}
