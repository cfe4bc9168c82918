//! What does not match its digest or its seal is noticed, made again, and comes out the same.

use std::path::Path;

use super::SYNTHETIC;
use crate::bench::{Bench, Report};

fn flip_last_byte(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(path, bytes).unwrap();
}

/// The digest of one file of the model that `train` wrote.
fn model_file(report: &Report) -> String {
    let files = report.node("train")["outputs"]["model"]["files"].as_object().unwrap().clone();
    files.values().next().unwrap()["sha256"].as_str().unwrap().to_owned()
}

/// Runs, damages, and runs again: only the named node may run, and every digest must be what it was.
fn mended_by(node: &str, damage: impl Fn(&Bench, &Report)) {
    let bench = Bench::new();
    let first = bench.run(SYNTHETIC, &[]);
    damage(&bench, &first);
    let second = bench.run(SYNTHETIC, &[]);
    for found in second.nodes() {
        let expected = if found["node"] == node { "succeeded" } else { "reused" };
        assert_eq!(found["outcome"], expected, "{}", found["node"]);
    }
    assert_eq!(second.digests(), first.digests());
    let third = bench.run(SYNTHETIC, &[]);
    assert!(third.all("reused"), "the damage was not mended: {:?}", third.outcomes());
}

#[test]
fn a_blob_with_a_flipped_bit_is_made_again() {
    mended_by("accumulate", |bench, first| flip_last_byte(&bench.blob(first.digest("accumulate", "signals"))));
}

#[test]
fn a_deleted_blob_is_made_again() {
    mended_by("accumulate", |bench, first| {
        std::fs::remove_file(bench.blob(first.digest("accumulate", "signals"))).unwrap();
    });
}

#[test]
fn a_damaged_file_inside_a_model_is_made_again() {
    mended_by("train", |bench, first| flip_last_byte(&bench.blob(&model_file(first))));
}

#[test]
fn a_result_whose_record_was_edited_is_not_believed() {
    mended_by("train", |bench, _| {
        let action = bench.action_of("train");
        let honest = std::fs::read_to_string(&action).unwrap();
        let edited = honest.replace("AUC 0.", "AUC 9.");
        assert_ne!(honest, edited);
        std::fs::write(action, edited).unwrap();
    });
}

#[test]
fn a_record_that_is_cut_short_is_not_believed() {
    mended_by("evaluate", |bench, _| {
        let action = bench.action_of("evaluate");
        let text = std::fs::read_to_string(&action).unwrap();
        std::fs::write(action, &text[..text.len() / 2]).unwrap();
    });
}

#[test]
fn plan_says_that_a_result_is_gone() {
    let bench = Bench::new();
    let first = bench.run(SYNTHETIC, &[]);
    std::fs::remove_file(bench.blob(&model_file(&first))).unwrap();
    let plan = bench.ok(&["plan", SYNTHETIC]);
    assert!(plan.contains("its stored result is missing or was changed"), "{plan}");
}

#[test]
fn an_edited_registry_log_is_refused_and_nothing_runs_on_it() {
    let bench = Bench::new();
    bench.run(SYNTHETIC, &[]);
    let entry = bench.stored("registry").remove(0);
    let edited = std::fs::read_to_string(&entry).unwrap().replace("first deploy", "third deploy");
    std::fs::write(entry, edited).unwrap();
    for args in [&["registry", "list"][..], &["run", SYNTHETIC]] {
        let call = bench.call(args);
        assert_eq!(call.code, Some(4), "{args:?}: {}", call.stderr);
        assert!(call.stderr.contains("the registry log of `synthetic-quality` is broken at slot 0"), "{}", call.stderr);
    }
}
