//! A run that is killed at random moments comes to the bytes of one that nobody disturbed.

use std::time::Duration;

use walkforward::base::Seed;

use super::{FILE, instances, project, shell_with};
use crate::bench::Bench;

const KILLS: u64 = 10;

/// Forty nodes: nine fits that take a moment, three scores of each, and what is made of them all.
fn forty() -> Bench {
    let fit = shell_with("sleep 0.02; echo $X > out", "env: {X: \"${matrix.x}\"}, outputs: {out: {path: out}}");
    let best = shell_with("cat inputs/scores/* > out", "outputs: {out: {path: out}}");
    project(&format!(
        "nodes:
  start: {{kind: noop}}
  fit:
    {{{fit}, inputs: {{start: start.out}}, matrix: {{axes: {{x: {{range: {{from: 1, to: 9}}}}}}}}}}
  score:
    kind: noop
    for_each: fit
    inputs: {{fit: fit.out}}
    matrix: {{axes: {{day: [mon, tue, wed]}}}}
    with: {{payload: \"${{matrix.x}} ${{matrix.day}}\"}}
  best:  {{{best}, inputs: {{scores: \"score[*].out\"}}}}
  count: {{kind: noop, inputs: {{scores: \"score[*].out\", best: best.out}}}}
  last:  {{kind: noop, inputs: {{count: count.out}}}}"
    ))
}

fn killed_and_continued(jobs: &str, seed: u64) {
    let undisturbed = forty().run(FILE, &["--jobs", "4"]);
    assert_eq!(undisturbed.nodes().len(), 40);
    let bench = forty();
    let mut moments = Seed::new(seed).stream();
    for _ in 0..KILLS {
        let mut running = bench.start(&["run", FILE, "--progress", "none", "--jobs", jobs]);
        // from before the first record to some nodes later
        std::thread::sleep(Duration::from_micros((5e3 + 45e3 * moments.uniform()) as u64));
        running.kill();
    }
    let last = bench.run(FILE, &["--jobs", jobs]);
    assert_eq!(last.digests(), undisturbed.digests());
    assert_eq!(instances(&last, "score").len(), 27);
    let runs = bench.json(&["runs", "-n", "50"]);
    let interrupted = runs.as_array().unwrap().iter().filter(|run| run["state"] == "interrupted").count();
    assert!(interrupted > 0, "every kill came too late, or too early");
    assert!(bench.run(FILE, &[]).all("reused"));
}

#[test]
fn one_node_at_a_time_ten_kills_change_no_byte() {
    killed_and_continued("1", 1);
}

#[test]
fn two_nodes_at_a_time_ten_kills_change_no_byte() {
    killed_and_continued("2", 2);
}

#[test]
fn five_nodes_at_a_time_ten_kills_change_no_byte() {
    killed_and_continued("5", 3);
}
