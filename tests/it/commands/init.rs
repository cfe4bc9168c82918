//! `walkforward init`.

use tempfile::TempDir;

use crate::bench::{Bench, Report};

fn empty() -> (Bench, TempDir) {
    let bench = Bench::new();
    let folder = tempfile::tempdir_in(bench.path("")).unwrap();
    (bench, folder)
}

/// Begins a project, runs it, runs it again, and returns the first run.
fn runs_and_repeats(example: &str, reports: usize) -> Report {
    let bench = Bench::empty();
    let made = bench.json(&["init", "--example", example]);
    let file = format!("pipelines/{example}.yaml");
    assert_eq!(made["next"][0], format!("walkforward run {file}"));
    let first = bench.run(&file, &[]);
    assert!(first.all("succeeded"), "{:?}", first.outcomes());
    let second = bench.run(&file, &[]);
    assert!(second.all("reused"), "{:?}", second.outcomes());
    assert_eq!(first.digests(), second.digests());
    assert!(bench.path("artifacts/store/FORMAT").exists());
    assert_eq!(std::fs::read_dir(bench.path("artifacts/reports")).unwrap().count(), reports);
    let doctor = bench.ok(&["doctor"]);
    assert!(doctor.contains(&file), "{doctor}");
    first
}

#[test]
fn the_minimal_project_runs_and_a_second_run_reuses_everything() {
    runs_and_repeats("minimal", 1);
}

#[test]
fn the_weekly_project_deploys_its_first_model_and_a_second_run_reuses_everything() {
    let deploy = runs_and_repeats("weekly", 1).node("deploy").clone();
    assert_eq!(deploy["values"]["decision"], "promoted", "{deploy}");
}

#[test]
fn the_sweep_project_judges_six_models_and_a_second_run_reuses_everything() {
    runs_and_repeats("sweep", 6);
}

#[test]
fn what_was_made_is_listed_with_what_to_do_next() {
    let (bench, folder) = empty();
    let name = folder.path().file_name().unwrap().to_str().unwrap();
    let text = bench.ok(&["init", name]).replace(name, "FOLDER");
    insta::assert_snapshot!("made", text);
}

#[test]
fn the_readme_names_commands_that_work() {
    let bench = Bench::empty();
    bench.ok(&["init"]);
    let readme = bench.read("README.md");
    let commands: Vec<&str> = readme.lines().filter(|line| line.starts_with("walkforward ")).collect();
    assert_eq!(commands.len(), 3, "{readme}");
    for command in commands {
        let words: Vec<&str> = command.split(" # ").next().unwrap().split_whitespace().skip(1).collect();
        bench.ok(&words);
    }
}

#[test]
fn nothing_that_is_there_is_replaced_and_nothing_else_is_written() {
    let bench = Bench::empty();
    bench.write(".gitignore", "mine\n");
    bench.write("data/market.csv", "mine\n");
    let call = bench.call(&["init"]);
    assert_eq!((call.code, call.stdout.as_str()), (Some(2), ""));
    assert!(call.stderr.contains("data/market.csv, .gitignore;"), "{}", call.stderr);
    assert!(!bench.path("pipelines").exists() && !bench.path("README.md").exists());
    assert_eq!(bench.read("data/market.csv"), "mine\n");
    bench.ok(&["init", "below"]);
    assert!(bench.path("below/README.md").exists());
}
