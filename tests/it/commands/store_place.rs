//! Where the store is, and that looking for one makes none.

use super::SMALL;
use crate::bench::Bench;

const READERS: [&[&str]; 6] =
    [&["runs"], &["show"], &["diff"], &["logs"], &["registry", "list"], &["registry", "show", "signal-quality"]];

fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("text.txt", "one line\n");
    bench.write("small.yaml", SMALL);
    bench
}

#[test]
fn commands_that_only_read_make_no_store_and_say_where_they_looked() {
    let bench = bench();
    for args in READERS {
        let call = bench.call(args);
        assert_eq!((call.code, call.stdout.as_str()), (Some(4), ""), "{args:?}");
        let words = call.stderr.replace("\n  │ ", " ");
        assert!(words.contains("there is no store at `artifacts/store`: run a pipeline first"), "{args:?}: {words}");
        assert!(words.contains("--store"), "{args:?}: {words}");
        let call = bench.call(&[args, &["--store", "elsewhere"]].concat());
        assert!(call.stderr.contains("no store at `elsewhere`"), "{args:?}: {}", call.stderr);
    }
    assert!(!bench.path("artifacts").exists() && !bench.path("elsewhere").exists());
}

#[test]
fn a_folder_that_is_no_store_is_none() {
    let bench = bench();
    let call = bench.call(&["runs", "--store", "configs"]);
    assert_eq!(call.code, Some(4));
    assert!(call.stderr.contains("no store at `configs`"), "{}", call.stderr);
    assert!(!bench.path("configs/FORMAT").exists());
}

/// Where a run puts its store: the first of the places that has a format.
fn place(bench: &Bench, args: &[&str]) -> &'static str {
    bench.run("small.yaml", args);
    let places = ["flag", "variable", "project", "artifacts/store"];
    let found = places.into_iter().find(|place| bench.path(place).join("FORMAT").exists()).unwrap();
    std::fs::remove_dir_all(bench.path(found)).unwrap();
    found
}

#[test]
fn the_flag_wins_over_the_variable_over_the_project_file_over_the_default() {
    let mut bench = bench();
    assert_eq!(place(&bench, &[]), "artifacts/store");
    bench.write("configs/project.yaml", "store: project\n");
    assert_eq!(place(&bench, &[]), "project");
    bench.set("WALKFORWARD_STORE", "");
    assert_eq!(place(&bench, &[]), "project");
    bench.set("WALKFORWARD_STORE", "variable");
    assert_eq!(place(&bench, &[]), "variable");
    assert_eq!(place(&bench, &["--store", "flag"]), "flag");
}

#[test]
fn the_project_file_may_name_a_variable() {
    let mut bench = bench();
    bench.write("configs/project.yaml", "store: ${env.PLACE}\n");
    let call = bench.call(&["run", "small.yaml"]);
    assert_eq!(call.code, Some(2));
    assert!(call.stderr.contains("the environment variable `PLACE` is not set"), "{}", call.stderr);
    bench.set("PLACE", "project");
    assert_eq!(place(&bench, &[]), "project");
}

#[test]
fn a_mistake_in_the_project_file_is_shown_with_its_place() {
    let bench = bench();
    bench.run("small.yaml", &["--store", "flag"]);
    bench.write("configs/project.yaml", "# a project\nstor: project\n");
    let call = bench.call(&["runs"]);
    assert_eq!((call.code, call.stdout.as_str()), (Some(2), ""));
    insta::assert_snapshot!("misspelt_key_of_a_project", call.stderr);
    // what asks for no store is not stopped by it, and neither is who says where the store is and signs nothing
    bench.ok(&["validate", "small.yaml"]);
    bench.ok(&["--store", "flag", "runs"]);
    assert_eq!(bench.call(&["--store", "flag", "run", "small.yaml"]).code, Some(2), "whose key would be used?");
}
