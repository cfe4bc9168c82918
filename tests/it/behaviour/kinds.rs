//! What `walkforward kinds` says of the kinds, and the schema it gives away.

use insta::assert_snapshot;

use crate::bench::Bench;

const KINDS: &[&str] = &["accumulate", "optimize-parameters", "train", "evaluate", "drift-check", "deploy-if-better"];

#[test]
fn without_a_name_each_kind_is_one_line() {
    let words = Bench::new().ok(&["kinds"]);
    let names: Vec<&str> = words.lines().filter_map(|line| line.split_whitespace().next()).collect();
    for kind in KINDS {
        assert_eq!(names.iter().filter(|name| *name == kind).count(), 1, "{words}");
    }
}

#[test]
fn a_kind_is_shown_with_all_that_it_reads_writes_and_can_be_told() {
    assert_snapshot!(Bench::new().ok(&["kinds", "train"]));
}

#[test]
fn a_kind_that_does_not_exist_is_answered_with_the_one_that_was_meant() {
    let call = Bench::new().call(&["kinds", "trian"]);
    assert_eq!(call.code, Some(2));
    assert!(call.stderr.contains("there is no kind `trian`; did you mean `train`?"), "{}", call.stderr);
}

#[test]
fn as_json_a_kind_has_its_ports_and_the_schema_of_its_settings() {
    let bench = Bench::new();
    let train = bench.json(&["kinds", "train"]);
    assert_eq!((&train["inputs"][0]["name"], &train["inputs"][0]["types"][0]), (&"data".into(), &"signals".into()));
    let families = train["schema"]["properties"]["model"]["oneOf"].as_array().unwrap();
    let forest = families.iter().find(|family| family["properties"]["kind"]["const"] == "random-forest").unwrap();
    assert_eq!(forest["properties"]["trees"]["maximum"], 10_000);
    let all = bench.json(&["kinds"]);
    assert!(all.as_array().unwrap().contains(&train));
    assert!(KINDS.iter().all(|name| all.as_array().unwrap().iter().any(|kind| kind["kind"] == *name)));
}

#[test]
fn the_reference_page_has_a_section_for_every_kind() {
    let page = Bench::new().ok(&["kinds", "--markdown"]);
    for kind in KINDS {
        assert!(page.contains(&format!("\n## {kind}\n")), "{kind}");
    }
}
