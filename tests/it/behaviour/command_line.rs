//! Commands, their JSON, and exit codes.

use super::{SYNTHETIC, WEEKLY};
use crate::bench::Bench;

#[test]
fn every_shipped_pipeline_is_valid() {
    let bench = Bench::new();
    let shipped = std::fs::read_dir(bench.path("pipelines")).unwrap();
    let mut checked = Vec::new();
    for entry in shipped {
        let file = format!("pipelines/{}", entry.unwrap().file_name().to_string_lossy());
        assert!(bench.ok(&["validate", &file]).starts_with(&format!("{file} is valid")), "{file}");
        assert_eq!(bench.json(&["validate", &file])["valid"], true, "{file}");
        checked.push(file);
    }
    assert!(checked.contains(&SYNTHETIC.to_owned()) && checked.contains(&WEEKLY.to_owned()), "{checked:?}");
}

#[test]
fn validate_needs_no_store_and_no_data() {
    let bench = Bench::new();
    std::fs::remove_file(bench.path("data")).unwrap();
    bench.ok(&["validate", SYNTHETIC]);
    assert!(!bench.path("artifacts").exists());
}

#[test]
fn wrong_usage_exits_with_2() {
    let bench = Bench::new();
    let calls: [&[&str]; 6] = [
        &["train"],
        &["run"],
        &["run", "pipelines/nothing.yaml"],
        &["run", SYNTHETIC, "--set", "seed"],
        &["run", SYNTHETIC, "--threads", "0"],
        &["run", SYNTHETIC, "--as-of", "yesterday"],
    ];
    for args in calls {
        let call = bench.call(args);
        assert_eq!(call.code, Some(2), "{args:?}: {}", call.stderr);
        assert!(call.stdout.is_empty() && !call.stderr.is_empty(), "{args:?}: the reason belongs to stderr");
    }
    assert!(!bench.path("artifacts").exists(), "a wrong call left something behind");
}

#[test]
fn a_pipeline_with_problems_exits_with_2_and_nothing_runs() {
    let bench = Bench::new();
    bench.write("wrong.yaml", bench.read(SYNTHETIC).replace("kind: train", "kind: trian"));
    for command in ["validate", "plan", "run"] {
        let call = bench.call(&[command, "wrong.yaml"]);
        assert_eq!(call.code, Some(2), "{command}: {}", call.stderr);
        assert!(call.stderr.contains("did you mean `train`?"), "{command}: {}", call.stderr);
    }
    assert!(!bench.path("artifacts").exists(), "a wrong pipeline left something behind");
}

#[test]
fn a_store_that_cannot_be_used_exits_with_4() {
    let bench = Bench::new();
    bench.write("a-file", "not a folder");
    bench.write("newer/FORMAT", "walkforward store 2\n");
    let cases = [
        ("a-file", "cannot open the store `a-file`"),
        ("newer", "has format `walkforward store 2`"),
        ("ftp://host/store", "is no store: expected a folder, `s3://bucket/prefix`"),
    ];
    for (store, words) in cases {
        for args in [&["run", SYNTHETIC][..], &["runs"], &["registry", "list"]] {
            let call = bench.call(&[&["--store", store], args].concat());
            assert_eq!(call.code, Some(4), "{store} {args:?}: {}", call.stderr);
            let unfolded = call.stderr.replace("\n  │ ", " ");
            assert!(unfolded.contains(words), "{store} {args:?}: {}", call.stderr);
        }
    }
    assert_eq!(bench.read("newer/FORMAT"), "walkforward store 2\n");
    assert_eq!(std::fs::read_dir(bench.path("newer")).unwrap().count(), 1, "a newer store was written to");
}

#[test]
fn a_missing_source_exits_with_4_and_names_it() {
    let bench = Bench::new();
    bench.write("gone.yaml", bench.read(SYNTHETIC).replace("ohlcv.parquet", "gone.parquet"));
    let call = bench.call(&["run", "gone.yaml"]);
    assert_eq!(call.code, Some(4), "{}", call.stderr);
    assert!(call.stderr.contains("source `bars`: cannot read `data/synthetic/gone.parquet`"), "{}", call.stderr);
    assert!(!bench.path("artifacts/store/runs").exists(), "a run was recorded that never began");
}

#[test]
fn plan_says_what_would_run_and_why_and_runs_nothing() {
    let bench = Bench::new();
    let step = |args: &[&str], node: &str| {
        let plan = bench.json(&[&["plan", SYNTHETIC], args].concat());
        let found = plan["nodes"].as_array().unwrap().iter().find(|planned| planned["node"] == node).unwrap().clone();
        found["step"].clone()
    };
    assert_eq!(step(&[], "accumulate")["run"]["because"][0], "first time");
    assert_eq!(step(&[], "train")["unknown"]["until"][0], "accumulate");
    assert!(bench.stored("runs").is_empty() && bench.stored("actions").is_empty());

    let run = bench.run(SYNTHETIC, &[]);
    assert_eq!(step(&[], "train")["reuse"]["made_by"], run.0["run"]);
    assert_eq!(step(&["--set", "seed=7"], "train")["unknown"]["until"][0], "drift");
    assert_eq!(step(&["--set", "seed=7"], "drift")["run"]["because"][0], "with.seed: 42 -> 7");
    assert!(step(&["--set", "retrain=never"], "train")["skip"]["because"].as_str().unwrap().starts_with("when: "));
    let words = bench.ok(&["plan", SYNTHETIC, "--set", "seed=7"]);
    assert!(words.contains("with.seed: 42 -> 7"), "{words}");
}

#[test]
fn runs_and_show_read_back_what_happened() {
    let bench = Bench::new();
    let run = bench.run(SYNTHETIC, &[]);
    let id = run.0["run"].as_str().unwrap().to_owned();
    bench.run(SYNTHETIC, &[]);

    let listed = bench.json(&["runs"]);
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!(listed[1]["start"]["run"], *id);
    assert_eq!(bench.json(&["runs", "-n", "1"]).as_array().unwrap().len(), 1);
    let short = &id[id.len() - 8..];
    assert!(bench.ok(&["runs"]).contains(short));

    let shown = bench.json(&["show", short]);
    assert_eq!(shown["start"]["run"], *id);
    assert_eq!(shown["end"]["status"], "succeeded");
    assert_eq!(shown["nodes"].as_array().unwrap().len(), 5);
    let words = bench.ok(&["show", &id]);
    assert!(words.contains("train.model") && words.contains(run.digest("train", "model")), "{words}");
    let unknown = bench.call(&["show", "nothing"]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("`walkforward runs` lists them"), "{}", unknown.stderr);
}

#[test]
fn the_registry_can_be_listed_and_shown() {
    let bench = Bench::new();
    let run = bench.run(SYNTHETIC, &[]);
    let digest = run.digest("train", "model");
    let list = bench.json(&["registry", "list"]);
    assert_eq!((&list[0]["model"], &list[0]["entries"]), (&"synthetic-quality".into(), &1.into()));
    assert_eq!(list[0]["champion"]["as_of"], "2018-09-28");
    assert!(bench.ok(&["registry", "list"]).contains(&digest[..12]));
    let words = bench.ok(&["registry", "show", "synthetic-quality"]);
    assert!(words.contains("serving") && words.contains("2018-09-28"), "{words}");
    assert_eq!(bench.json(&["registry", "show", "synthetic-quality"])[0]["by"], run.0["run"]);
    let unknown = bench.call(&["registry", "show", "nothing"]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("known: synthetic-quality"), "{}", unknown.stderr);
}

#[test]
fn quiet_prints_nothing_when_all_is_well_and_json_keeps_stdout_clean() {
    let bench = Bench::new();
    let quiet = bench.call(&["run", SYNTHETIC, "--set", "retrain=never", "--quiet"]);
    assert_eq!((quiet.code, quiet.stdout.as_str(), quiet.stderr.as_str()), (Some(0), "", ""));
    let json = bench.call(&["--json", "run", SYNTHETIC, "--set", "retrain=never", "--progress", "json"]);
    assert!(serde_json::from_str::<serde_json::Value>(&json.stdout).is_ok(), "{}", json.stdout);
    for line in json.stderr.lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
    }
    assert!(json.stderr.contains("run_ended"), "{}", json.stderr);
}
