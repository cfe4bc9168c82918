//! What garbage collection keeps and removes, through the program, and that it harms no run beside it.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use walkforward::storage::{Acquired, Lock, Storage};

use crate::bench::Bench;

/// Two nodes, so that there are files, a tree of files and actions.
const SMALL: &str = "
version: 1
name: small
as_of: 2018-09-28
sources:
  bars:     {path: data/synthetic/ohlcv.parquet, schema: ohlcv@1}
  strategy: {path: configs/strategies/donchian.yaml, schema: strategy@1}
nodes:
  accumulate:
    kind: accumulate
    inputs: {bars: sources.bars, strategy: sources.strategy}
  train:
    kind: train
    inputs: {data: accumulate.signals}
    with: {model: {kind: logistic}}
";
const SYNTHETIC: &str = "pipelines/synthetic.yaml";
const STORE: &str = "artifacts/store";

/// Keeps no run for its age or number.
const NONE: &[&str] = &["--keep-runs", "0", "--keep-days", "0"];

fn small() -> Bench {
    let bench = Bench::new();
    bench.write("small.yaml", SMALL);
    bench
}

/// Collects without a grace, and returns the report.
fn gc(bench: &Bench, args: &[&str]) -> Value {
    bench.json(&[&["gc", "--grace", "0s"], args].concat())
}

fn count(report: &Value, what: &str) -> u64 {
    let classes = report["classes"].as_object().unwrap();
    classes.values().map(|class| class[what]["objects"].as_u64().unwrap()).sum()
}

/// Every file of the store with its bytes, but for the bookkeeping of collections.
fn snapshot(bench: &Bench) -> Vec<(PathBuf, Vec<u8>)> {
    let files = bench.stored("").into_iter().filter(|path| !path.starts_with(bench.path(STORE).join("gc")));
    files.map(|path| (path.clone(), std::fs::read(&path).unwrap())).collect()
}

fn empty_folders(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    for path in entries.iter().filter(|path| path.is_dir()) {
        found.extend(empty_folders(path));
    }
    if entries.is_empty() {
        found.push(folder.to_owned());
    }
    found
}

/// Takes a lock of the store as another process would.
fn locked(bench: &Bench, name: &str) -> Lock {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let storage = Storage::open(bench.path(STORE).to_str().unwrap()).unwrap();
    match runtime.block_on(storage.try_lock(name, "another process")).unwrap() {
        Acquired::Ours(lock) => lock,
        Acquired::Busy(holder) => panic!("{holder:?}"),
    }
}

#[test]
fn what_a_kept_run_refers_to_stays() {
    let bench = small();
    let first = bench.run("small.yaml", &[]);
    let before = snapshot(&bench);
    for _ in 0..3 {
        let report = gc(&bench, &[]);
        assert_eq!((count(&report, "removed"), count(&report, "waiting")), (0, 0), "{report}");
    }
    assert_eq!(snapshot(&bench), before);
    let again = bench.run("small.yaml", &[]);
    assert!(again.all("reused"));
    assert_eq!(again.digests(), first.digests());
}

#[test]
fn what_no_kept_run_refers_to_goes_and_is_made_again_when_it_is_needed() {
    let bench = small();
    let old = bench.run("small.yaml", &["--as-of", "2017-09-29"]);
    let new = bench.run("small.yaml", &[]);
    let signals = bench.blob(old.digest("accumulate", "signals"));
    let keep_one = ["--keep-runs", "1", "--keep-days", "0"];
    let first = gc(&bench, &keep_one);
    assert_eq!(count(&first, "removed"), 0, "the first sweep only notes candidates");
    assert!(count(&first, "waiting") > 0 && signals.exists());
    assert_eq!(first["released_runs"], 1);

    let second = gc(&bench, &keep_one);
    assert_eq!(count(&second, "removed"), count(&first, "waiting"), "{second}");
    assert!(!signals.exists() && bench.blob(new.digest("accumulate", "signals")).exists());
    assert_eq!(bench.json(&["runs"]).as_array().unwrap().len(), 1);
    assert_eq!(bench.shown().0["start"]["run"], new.0["run"]);
    for room in ["actions", "blobs", "runs"] {
        assert_eq!(empty_folders(&bench.path(STORE).join(room)), Vec::<PathBuf>::new());
    }

    assert!(bench.run("small.yaml", &[]).all("reused"));
    let made_again = bench.run("small.yaml", &["--as-of", "2017-09-29"]);
    assert!(made_again.all("succeeded"), "{:?}", made_again.outcomes());
    assert_eq!(made_again.digests(), old.digests());
}

#[test]
fn a_model_that_was_ever_promoted_stays_with_the_run_that_promoted_it() {
    let bench = Bench::new();
    bench.write("small.yaml", SMALL.replace("logistic", "random-forest, trees: 10"));
    let promoting = bench.run(SYNTHETIC, &[]);
    let other = bench.run("small.yaml", &["--as-of", "2017-09-29"]);
    let guarded = |bench: &Bench| -> Vec<_> {
        let guarded = |path: &Path| path.starts_with(bench.path(STORE).join("registry")) || path.ends_with("FORMAT");
        snapshot(bench).into_iter().filter(|(path, _)| guarded(path)).collect()
    };
    let before = guarded(&bench);
    assert!(before.len() >= 2);
    gc(&bench, NONE);
    let report = gc(&bench, NONE);
    assert_eq!(report["kept_runs"], serde_json::json!({"promoted": 1}));
    assert!(count(&report, "removed") > 0);
    assert!(!bench.blob(other.digest("accumulate", "signals")).exists());
    assert_eq!(guarded(&bench), before);
    assert!(bench.run(SYNTHETIC, &[]).all("reused"), "all that the decision rests on is still there");

    // even without the record of its run
    for run in bench.stored("runs") {
        std::fs::remove_file(run).unwrap();
    }
    gc(&bench, NONE);
    gc(&bench, NONE);
    for file in promoting.node("train")["outputs"]["model"]["files"].as_object().unwrap().values() {
        assert!(bench.blob(file["sha256"].as_str().unwrap()).exists());
    }
    let entry = bench.ok(&["registry", "show", "synthetic-quality"]);
    assert!(entry.contains("serving"), "{entry}");
    let digest = promoting.digest("train", "model");
    let explained = bench.ok(&["gc", "--explain", &digest[..16]]);
    let chain = "registry `synthetic-quality`, slot 0 > action.promote.version.model";
    assert!(explained.contains(digest) && explained.contains(chain), "{explained}");
}

#[test]
fn while_a_run_is_under_way_nothing_goes() {
    let bench = small();
    bench.run("small.yaml", &[]);
    gc(&bench, NONE);
    let before = snapshot(&bench);
    let lock = locked(&bench, "run-1234");
    let beside = gc(&bench, NONE);
    assert_eq!(beside["live_runs"], serde_json::json!(["1234"]));
    assert_eq!(count(&beside, "removed"), 0);
    assert!(count(&beside, "held_back") > 0);
    let text = bench.ok(&["gc", "--grace", "0s", "--keep-runs", "0", "--keep-days", "0"]);
    assert!(text.contains("Nothing goes while a run is under way: 1234."), "{text}");
    let without_locks = |files: Vec<(PathBuf, Vec<u8>)>| -> Vec<_> {
        files.into_iter().filter(|(path, _)| path.extension().is_none_or(|suffix| suffix != "lock")).collect()
    };
    assert_eq!(without_locks(snapshot(&bench)), without_locks(before));
    drop(lock);
    assert!(count(&gc(&bench, NONE), "removed") > 0);
}

#[test]
fn runs_that_meet_one_collection_after_the_other_end_with_the_same_bytes() {
    let expected: Vec<_> = {
        let bench = small();
        ["2017-09-29", "2018-09-28"].map(|day| bench.run("small.yaml", &["--as-of", day]).digests()).into()
    };
    let bench = small();
    bench.run("small.yaml", &[]);
    let (mut removed, mut held_back) = (0, 0);
    std::thread::scope(|scope| {
        let runs = scope.spawn(|| {
            for round in 0..4 {
                let day = ["2017-09-29", "2018-09-28"][round % 2];
                assert_eq!(bench.run("small.yaml", &["--as-of", day]).digests(), expected[round % 2]);
            }
        });
        while !runs.is_finished() {
            let report = gc(&bench, NONE);
            removed += count(&report, "removed");
            held_back += count(&report, "held_back");
        }
        runs.join().unwrap();
    });
    assert!(removed + held_back > 0, "no collection had anything to do");
}

#[test]
fn a_killed_run_holds_nothing_up_and_what_it_had_finished_stays() {
    let bench = Bench::new();
    let mut running = bench.start(&["run", SYNTHETIC]);
    let records = |path: &Path| path.parent().unwrap().ends_with("nodes");
    let accumulated = |path: &Path| std::fs::read_to_string(path).is_ok_and(|text| text.contains("\"signals\""));
    let finished = |bench: &Bench| bench.stored("runs").iter().any(|path| records(path) && accumulated(path));
    running.until("`accumulate` was recorded", || finished(&bench));
    running.kill();
    for _ in 0..2 {
        let report = gc(&bench, &[]);
        assert_eq!(report["live_runs"], serde_json::json!([]));
    }
    assert_eq!(bench.run(SYNTHETIC, &[]).outcome("accumulate"), "reused");
}

#[test]
fn a_pin_keeps_a_run_or_an_object_until_it_is_taken_away() {
    let bench = small();
    let old = bench.run("small.yaml", &["--as-of", "2017-09-29"]);
    bench.run("small.yaml", &[]);
    let (run, model) = (old.0["run"].as_str().unwrap(), old.digest("train", "model"));
    bench.ok(&["pin", "add", &run[run.len() - 8..], "--reason", "the paper cites it"]);
    bench.ok(&["pin", "add", &run[run.len() - 8..]]);
    let listed = bench.ok(&["pin", "list"]);
    assert!(listed.contains(run) && listed.contains("the paper cites it"), "{listed}");
    gc(&bench, NONE);
    assert_eq!(gc(&bench, NONE)["kept_runs"], serde_json::json!({"pinned": 1}));
    assert!(bench.run("small.yaml", &["--as-of", "2017-09-29"]).all("reused"));

    bench.ok(&["pin", "add", &model[..10]]);
    bench.ok(&["pin", "remove", run]);
    gc(&bench, NONE);
    gc(&bench, NONE);
    assert!(!bench.blob(old.digest("accumulate", "signals")).exists());
    for file in old.node("train")["outputs"]["model"]["files"].as_object().unwrap().values() {
        assert!(bench.blob(file["sha256"].as_str().unwrap()).exists(), "a pinned tree keeps its files");
    }
    bench.ok(&["pin", "remove", &model[..10]]);
    gc(&bench, NONE);
    gc(&bench, NONE);
    assert!(bench.stored("blobs").is_empty() && bench.stored("pins").is_empty());

    for args in [["add", "nothing"], ["remove", "nothing"]] {
        assert_eq!(bench.call(&["pin", args[0], args[1]]).code, Some(2));
    }
}

#[test]
fn what_a_killed_write_left_on_disk_goes_when_it_is_old() {
    let bench = small();
    bench.run("small.yaml", &[]);
    let written = |name: &str, age: Duration| {
        let path = bench.path(STORE).join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "half").unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
        path
    };
    let day = Duration::from_secs(86_400);
    let old = written("blobs/sha256/ab/cdef#1", 2 * day);
    let under_way = written("blobs/sha256/ab/cdef#2", Duration::from_secs(60));
    let entry = written("registry/quality/log/00000000000000000000.json#1", 9 * day);
    gc(&bench, &[]);
    assert!(!old.exists() && under_way.exists() && entry.exists());
}

#[test]
fn a_dry_run_says_what_would_go_and_changes_nothing() {
    let bench = small();
    bench.run("small.yaml", &[]);
    gc(&bench, NONE);
    let whole = |bench: &Bench| -> Vec<_> {
        bench.stored("").into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
    };
    let before = whole(&bench);
    let report = gc(&bench, &[NONE, &["--dry-run"]].concat());
    assert_eq!(whole(&bench), before);
    assert_eq!(count(&report, "removed"), count(&gc(&bench, NONE), "removed"));
}

#[test]
fn explain_prints_every_chain_that_keeps_an_object_and_says_when_there_is_none() {
    let bench = small();
    let first = bench.run("small.yaml", &[]);
    let second = bench.run("small.yaml", &[]);
    let signals = first.digest("accumulate", "signals");
    let text = bench.ok(&["gc", "--explain", signals]);
    for run in [&first, &second] {
        let chain = format!("run {} of small, one of the newest > nodes/", run.0["run"].as_str().unwrap());
        assert!(text.contains(&chain), "{text}");
    }
    assert!(text.contains("blob") && text.contains("is kept") && text.contains("outputs.signals"), "{text}");
    let fingerprint = first.node("accumulate")["fingerprint"].as_str().unwrap();
    let action = bench.json(&["gc", "--explain", fingerprint]);
    assert_eq!(action["objects"][0][0], "actions");

    gc(&bench, NONE);
    let candidate = bench.ok(&["gc", "--explain", signals, "--keep-runs", "0", "--keep-days", "0"]);
    assert!(candidate.contains("is referred to by nothing since"), "{candidate}");
    for wrong in ["ffffffffffffffff", ""] {
        assert_eq!(bench.call(&["gc", "--explain", wrong]).code, Some(2), "`{wrong}`");
    }
}

#[test]
fn a_second_collection_is_refused_with_75() {
    let bench = small();
    bench.run("small.yaml", &[]);
    let _lock = locked(&bench, "gc");
    let call = bench.call(&["gc"]);
    assert_eq!(call.code, Some(75), "{}", call.stderr);
    assert!(call.stderr.contains("another gc is under way, by another process"), "{}", call.stderr);
}

#[test]
fn a_registry_that_cannot_be_read_stops_the_collection() {
    let bench = small();
    bench.run("small.yaml", &[]);
    gc(&bench, NONE);
    bench.write("artifacts/store/registry/quality/log/00000000000000000000.json", "{}");
    let before = snapshot(&bench);
    let call = bench.call(&["gc", "--grace", "0s", "--keep-runs", "0", "--keep-days", "0"]);
    assert_eq!(call.code, Some(4), "{}", call.stderr);
    assert_eq!(snapshot(&bench), before);
}
