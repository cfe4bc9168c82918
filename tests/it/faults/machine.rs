//! What a machine does to a store: no room, no permission, a folder that vanishes, a clock that is wrong.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt};

use super::Scale;
use super::kills::{points, undisturbed};
use super::project::{FILE, MODEL, RUN, clean_up, settle, small, words};
use super::table::{Case, Row, assert_clean};
use crate::bench::{Bench, Call, Report};

/// Faults of the machine, and what the message must say of each.
const REFUSALS: &[(&str, &str, &str)] = &[
    ("full", "disk full, from any write on", "no storage space"),
    ("read-only", "disk read-only, from any write on", "read-only filesystem"),
    ("denied", "permission lost, from any write on", "permission denied"),
];

/// A run that fails for want of something names what it wanted to write, where, and why it could not.
fn says_why(case: &mut Case, call: &Call, cause: &str) {
    let said = format!("{}{}", call.stdout, call.stderr).replace("\n  │ ", " ").to_lowercase();
    case.expect(matches!(call.code, Some(1 | 4)), || format!("a wrong exit code: {}", words(call)));
    let what = said.contains("cannot ") && (said.contains("artifacts/store") || said.contains("artifacts/reports"));
    case.expect(what && said.contains(cause), || format!("it does not say what, where and why: {}", words(call)));
}

fn refused(scale: Scale) -> Vec<Row> {
    let (count, digests) = undisturbed(&small(), RUN);
    let row = |(seed, (fault, kind, cause)): (u64, &(&str, &str, &str))| {
        let points = scale.cases(points(count), 5, seed);
        Row::of(
            kind,
            &points,
            |point| format!("point {point}"),
            |point| {
                let (bench, mut case) = (small(), Case::default());
                let call = bench.call_with(&[("WALKFORWARD_FAULT", &format!("{fault}:{point}"))], RUN);
                // the last points are passed when all is done: giving back a lock is no reason to fail
                if call.code != Some(0) {
                    says_why(&mut case, &call, cause);
                }
                settle(&bench, &mut case, &digests);
                clean_up(&bench, &mut case, &digests);
                case
            },
        )
    };
    (20..).zip(REFUSALS).map(row).collect()
}

fn vanished(scale: Scale) -> Row {
    let (count, digests) = undisturbed(&small(), RUN);
    let points = scale.cases(points(count), 5, 30);
    Row::of(
        "the store's folder is deleted under a run",
        &points,
        |point| format!("point {point}"),
        |point| {
            let (bench, mut case) = (small(), Case::default());
            let call = bench.call_with(&[("WALKFORWARD_FAULT", &format!("gone:{point}"))], RUN);
            case.expect(matches!(call.code, Some(0 | 1 | 4)), || words(&call));
            settle(&bench, &mut case, &digests);
            clean_up(&bench, &mut case, &digests);
            case
        },
    )
}

/// The same without any switch of the program: the system itself refuses.
fn by_the_system(_: Scale) -> Row {
    let digests = small().run(FILE, &[]).digests();
    type Way = (&'static str, fn(&Bench) -> Call, &'static str);
    let ways: Vec<Way> = vec![
        (
            "no file may be longer than 8 kB",
            |bench| in_a_shell(bench, "trap '' XFSZ; ulimit -f 16; exec \"$0\" \"$@\""),
            "file too large",
        ),
        ("the store's folder may not be written to", |bench| as_nobody(bench, 0o555), "permission denied"),
        ("the store's folder may not be entered", |bench| as_nobody(bench, 0o000), "permission denied"),
        (
            "the store is a file",
            |bench| {
                bench.write("artifacts/store", "x");
                bench.call(RUN)
            },
            "file exists",
        ),
        (
            "a copy cannot be published",
            |bench| {
                bench.write("artifacts/reports", "x");
                bench.call(RUN)
            },
            "file exists",
        ),
    ];
    Row::of(
        "refused by the system itself",
        &ways,
        |(name, ..)| (*name).to_owned(),
        |(_, way, cause)| {
            let (bench, mut case) = (small(), Case::default());
            let call = way(&bench);
            says_why(&mut case, &call, cause);
            // whoever looks after the machine sets it right
            for put_right in ["artifacts/store", "artifacts/reports"].map(|name| bench.path(name)) {
                if put_right.is_file() {
                    std::fs::remove_file(put_right).unwrap();
                } else if put_right.is_dir() {
                    std::fs::set_permissions(put_right, PermissionsExt::from_mode(0o755)).unwrap();
                }
            }
            settle(&bench, &mut case, &digests);
            case
        },
    )
}

fn in_a_shell(bench: &Bench, script: &str) -> Call {
    bench.start_by(&["/bin/sh", "-c", script], RUN).end()
}

/// A run by somebody to whom permissions apply, as they do not to root.
fn as_nobody(bench: &Bench, mode: u32) -> Call {
    bench.write("artifacts/store/FORMAT", "walkforward store 1\n");
    for folder in ["", "artifacts"] {
        std::fs::set_permissions(bench.path(folder), PermissionsExt::from_mode(0o755)).unwrap();
    }
    std::fs::set_permissions(bench.path("artifacts/store"), PermissionsExt::from_mode(mode)).unwrap();
    if !is_root() {
        return bench.call(RUN);
    }
    bench.start_by(&["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"], RUN).end()
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// A clock that is set back between two runs, or that was wrong during one.
fn clocks(_: Scale) -> Row {
    let digests = small().run(FILE, &[]).digests();
    let cases = [["86400", "0"], ["315360000", "0"], ["0", "-3600"], ["0", "-315360000"], ["-86400", "86400"]];
    Row::of(
        "the clock jumps between two runs",
        &cases,
        |case| case.join(" s, then "),
        |clocks| {
            let (bench, mut case) = (small(), Case::default());
            for seconds in clocks {
                let call = bench.call_with(&[("WALKFORWARD_FAULT_CLOCK", seconds)], &[&["--json"], RUN].concat());
                case.expect(call.code == Some(0), || words(&call));
                let whole: serde_json::Value = serde_json::from_str(&call.stdout).unwrap_or_default();
                if call.code == Some(0) {
                    case.expect(Report(whole["result"].clone()).digests() == digests, || "digests differ".to_owned());
                }
            }
            settle(&bench, &mut case, &digests);
            clean_up(&bench, &mut case, &digests);
            case
        },
    )
}

pub fn rows(scale: Scale) -> Vec<Row> {
    let mut rows = refused(scale);
    rows.extend([vanished(scale), by_the_system(scale), clocks(scale)]);
    rows
}

#[test]
fn a_disk_that_refuses_is_said_to_and_the_next_run_goes_on() {
    assert_clean(&refused(Scale::Quick));
}

#[test]
fn a_store_that_vanishes_is_made_again() {
    assert_clean(&[vanished(Scale::Quick)]);
}

#[test]
fn what_the_system_refuses_is_said_with_its_reason() {
    assert_clean(&[by_the_system(Scale::Quick)]);
}

#[test]
fn a_clock_that_jumps_changes_no_result() {
    assert_clean(&[clocks(Scale::Quick)]);
}

#[test]
fn the_advice_for_a_full_disk_is_to_make_room() {
    let bench = small();
    let call = bench.call_with(&[("WALKFORWARD_FAULT", "full:1")], &["run", FILE]);
    assert_eq!(call.code, Some(4), "{}", words(&call));
    assert!(call.stderr.contains("no storage space") && call.stderr.contains("help:"), "{}", call.stderr);
    assert!(bench.json(&["run", FILE])["nodes"].is_array());
    assert_eq!(bench.json(&["registry", "show", MODEL]).as_array().unwrap().len(), 1);
}
