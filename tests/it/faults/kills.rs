//! The program is killed at each of its writes, and called again.

use super::project::{FILE, MODEL, RUN, clean_up, settle, settle_by, small, words, write_small};
use super::table::{Case, Row, assert_clean};
use super::{KILLS, Scale};
use crate::bench::{Bench, Report};
use crate::s3::Server;

const WEEKLY: &str = "pipelines/synthetic.yaml";
const RUN_WEEKLY: &[&str] = &["run", WEEKLY, "--progress", "none", "--jobs", "1"];

/// How often the points of a run are passed that nothing happens to, and what it makes.
pub fn undisturbed(bench: &Bench, run: &[&str]) -> (u64, Vec<String>) {
    let trace = bench.path("trace");
    let call = bench.call_with(&[("WALKFORWARD_FAULT_TRACE", trace.to_str().unwrap())], &[&["--json"], run].concat());
    assert_eq!(call.code, Some(0), "{}", words(&call));
    let mut whole: serde_json::Value = serde_json::from_str(&call.stdout).unwrap();
    let points = std::fs::read_to_string(trace).unwrap().lines().count() as u64;
    assert!(points > 50, "{points} points are too few: writes pass none");
    (points, Report(whole["result"].take()).digests())
}

/// Every point, and a few more: how often the record of a run is written depends on the time it takes.
pub fn points(count: u64) -> Vec<u64> {
    (1..=count + 6).collect()
}

/// Kills a run at a point; a run that passes fewer points ends well.
fn killed(bench: &Bench, case: &mut Case, fault: &str, point: u64, run: &[&str]) {
    let call = bench.call_with(&[("WALKFORWARD_FAULT", &format!("{fault}:{point}"))], run);
    // no code: a signal ended it
    case.expect(call.code.is_none() || call.code == Some(0), || format!("the kill left {}", words(&call)));
}

fn on_disk(scale: Scale) -> Vec<Row> {
    let (count, digests) = undisturbed(&small(), RUN);
    let row = |(at, (fault, kind)): (u64, &(&str, &str))| {
        let points = scale.cases(points(count), 8, at);
        Row::of(
            &format!("{kind}, on disk"),
            &points,
            |point| format!("point {point}"),
            |point| {
                let (bench, mut case) = (small(), Case::default());
                killed(&bench, &mut case, fault, *point, RUN);
                settle(&bench, &mut case, &digests);
                clean_up(&bench, &mut case, &digests);
                case
            },
        )
    };
    (0..).zip(KILLS).map(row).collect()
}

/// A run that is killed again and again, each time a little later than it came before.
fn again_and_again(scale: Scale) -> Row {
    let (_, digests) = undisturbed(&small(), RUN);
    let seeds: Vec<u64> = (0..if scale == Scale::Full { 20 } else { 2 }).collect();
    Row::of(
        "ten kills in a row, on disk",
        &seeds,
        |seed| format!("seed {seed}"),
        |seed| {
            let (bench, mut case) = (small(), Case::default());
            let mut draws = walkforward::base::Seed::new(*seed).stream();
            for _ in 0..10 {
                let (fault, _) = KILLS[(draws.uniform() * KILLS.len() as f64) as usize];
                killed(&bench, &mut case, fault, 1 + (draws.uniform() * 40.0) as u64, RUN);
            }
            settle(&bench, &mut case, &digests);
            clean_up(&bench, &mut case, &digests);
            case
        },
    )
}

fn in_a_bucket(scale: Scale) -> Row {
    let server = Server::shared();
    let bench = |name: &str| {
        let bench = server.bench(name);
        write_small(&bench);
        bench
    };
    let (count, digests) = undisturbed(&bench("faults-undisturbed"), RUN);
    let points = scale.cases(points(count), 4, 7);
    Row::of(
        "kill -9, in a bucket",
        &points,
        |point| format!("point {point}"),
        |point| {
            let (bench, mut case) = (bench(&format!("faults-kill-{point}")), Case::default());
            killed(&bench, &mut case, "kill", *point, RUN);
            settle(&bench, &mut case, &digests);
            case
        },
    )
}

/// The weekly job on data of full size.
fn weekly(scale: Scale) -> Row {
    let (count, digests) = undisturbed(&Bench::new(), RUN_WEEKLY);
    let points = Scale::Quick.cases(points(count), if scale == Scale::Full { 16 } else { 1 }, 11);
    Row::of(
        "kill -9 of the weekly job",
        &points,
        |point| format!("point {point}"),
        |point| {
            let (bench, mut case) = (Bench::new(), Case::default());
            killed(&bench, &mut case, "kill", *point, RUN_WEEKLY);
            settle_by(&bench, &mut case, &digests, RUN_WEEKLY, "synthetic-quality");
            case
        },
    )
}

pub fn rows(scale: Scale) -> Vec<Row> {
    let mut rows = on_disk(scale);
    rows.extend([again_and_again(scale), in_a_bucket(scale), weekly(scale)]);
    rows
}

#[test]
fn a_run_that_is_killed_at_a_write_is_gone_on_with() {
    assert_clean(&on_disk(Scale::Quick));
}

#[test]
fn a_run_that_is_killed_ten_times_is_gone_on_with() {
    assert_clean(&[again_and_again(Scale::Quick)]);
}

#[test]
fn a_run_that_is_killed_at_a_write_to_a_bucket_is_gone_on_with() {
    assert_clean(&[in_a_bucket(Scale::Quick)]);
}

#[test]
fn without_the_switch_nothing_is_counted_and_a_wrong_one_is_refused() {
    let bench = small();
    for wrong in ["kill", "kill:0", "kill:x", "explode:3", ""] {
        let call = bench.call_with(&[("WALKFORWARD_FAULT", wrong)], &["run", FILE]);
        assert_eq!(call.code, Some(2), "{wrong}: {}", words(&call));
        assert!(call.stderr.contains("expected FAULT:POINT, as `kill:17`"), "{}", call.stderr);
    }
    assert!(!bench.path("artifacts").exists());
    assert!(bench.call_with(&[("WALKFORWARD_FAULT", "kill:100000")], RUN).code == Some(0));
    assert_eq!(bench.json(&["registry", "show", MODEL]).as_array().unwrap().len(), 1);
}
