//! What the schema of pipeline files must keep: it says what [`load`] accepts, no less and no more, but for what it
//! cannot know.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::super::check::load_tree;
use super::super::{LoadOptions, keys, load};
use super::pipeline_schema;
use crate::base::conformance::{conforms, defect};
use crate::base::yaml::{self, Yaml};
use crate::base::{Located, Problem, Span};

/// What only the loader can know: part of the place that is changed, code of the problem, words of its message, and why
/// no schema says it.
const LOADER_ONLY: &[(&str, &str, &str, &str)] = &[
    ("", "pipeline::no_as_of", "", "it may stand in the call"),
    ("", "pipeline::unknown_node", "", "names of nodes are the writer's"),
    ("", "pipeline::unknown_source", "", "names of sources are the writer's"),
    ("", "pipeline::unknown_output", "", "it depends on the kind of another node, or on settings"),
    ("", "pipeline::unknown_pool", "", "names of pools are the writer's"),
    ("", "pipeline::undefined_reference", "", "names of params and axes are the writer's"),
    ("", "pipeline::input_type", "expected", "the type depends on what is connected"),
    ("", "pipeline::instances", "", "it depends on the matrix of another node"),
    ("", "pipeline::publish", "are both published", "two paths at once"),
    ("", "pipeline::cycle", "", "all nodes at once"),
    ("", "condition::syntax", "", "a condition is a language of its own"),
    ("", "condition::undefined", "", "names are the writer's"),
    ("", "condition::type", "", "types depend on what is named"),
    ("/params/", "pipeline::bad_param", "can have no value", "two values at once"),
    ("/params/", "pipeline::bad_param", "expected a whole number", "a default within bounds"),
    ("/params/", "pipeline::bad_param", "expected a number", "a default within bounds"),
    ("/params/", "pipeline::bad_param", "expected one of", "a default among the words"),
    ("/params/", "pipeline::matrix", "", "an axis takes the value of a param"),
    ("", "pipeline::matrix", "there is no axis", "names of axes are the writer's"),
    ("/matrix", "pipeline::matrix", "has no value for", "names of axes are the writer's"),
    ("/matrix", "pipeline::matrix", "is there already", "two combinations at once"),
    ("/matrix", "pipeline::matrix", "has no value of the name", "two places at once"),
    ("", "pipeline::matrix", "`exclude`", "all combinations at once"),
    ("/matrix", "pipeline::matrix", "the range is empty", "two values at once"),
    ("", "pipeline::matrix", "comes from `for_each` already", "it depends on another node"),
    ("", "pipeline::matrix", "one instance only", "it depends on another node"),
    ("", "pipeline::matrix", "goes in a circle", "all nodes at once"),
    ("/matrix", "pipeline::reference", "", "an axis gives the value"),
    ("/matrix", "pipeline::config", "", "an axis gives the value of a setting"),
    ("/with/space", "pipeline::config", "`exit.exit_ma`", "the values fit the parameter they are of"),
    ("/with", "pipeline::config", "expected an output or a value", "two settings at once"),
    ("/zone", "pipeline::config", "expected a time zone", "there are too many to list"),
    ("/read/csv", "pipeline::config", "another character than the decimal comma", "two values at once"),
    ("/read", "pipeline::config", "expected one of `close` and `events`", "two values at once"),
    ("/with/argv/0", "pipeline::config", "expected a program", "the first item is unlike the others"),
];

fn options() -> LoadOptions {
    LoadOptions { now: "2026-01-06".parse().ok(), ..LoadOptions::default() }
}

/// Every pipeline of a folder: its path, and itself as a plain value.
fn pipelines(folder: &str) -> Vec<(String, String, Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut paths: Vec<_> = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        let value = yaml::parse(&text).unwrap().value.to_json();
        (path.file_name().unwrap().to_string_lossy().into_owned(), text, value)
    };
    paths.iter().map(read).collect()
}

fn corpus() -> Vec<(String, String, Value)> {
    let found = pipelines("tests/fixtures/pipelines");
    assert!(found.len() >= 6);
    found
}

#[test]
fn the_schema_is_one_and_says_something_of_every_key() {
    fn undescribed(place: &str, schema: &Value, found: &mut Vec<String>) {
        for (keyword, below) in schema.as_object().into_iter().flatten() {
            match (keyword.as_str(), below) {
                ("properties", Value::Object(fields)) => {
                    // settings are looked at with their kinds
                    for (name, field) in fields.iter().filter(|(name, _)| *name != "with") {
                        let place = format!("{place}.{name}");
                        if field.get("description").is_none() && field.get("const").is_none() {
                            found.push(place.clone());
                        }
                        undescribed(&place, field, found);
                    }
                }
                ("additionalProperties" | "items" | "then", below) => {
                    if keyword == "additionalProperties" && below.is_object() && below.get("description").is_none() {
                        found.push(format!("{place}.*"));
                    }
                    undescribed(&format!("{place}.{keyword}"), below, found);
                }
                ("oneOf" | "anyOf" | "allOf", Value::Array(all)) => {
                    all.iter().for_each(|below| undescribed(place, below, found));
                }
                _ => {}
            }
        }
    }
    let schema = pipeline_schema();
    assert_eq!(defect(&schema), None);
    let mut found = Vec::new();
    undescribed("", &schema, &mut found);
    assert_eq!(found, [""; 0]);
}

#[test]
fn every_shipped_pipeline_and_every_sound_one_loads_and_conforms() {
    let schema = pipeline_schema();
    for (name, text, value) in pipelines("pipelines").into_iter().chain(corpus()) {
        let problems = load(&text, &options()).err().unwrap_or_default();
        assert!(problems.is_empty(), "{name}: {problems:#?}");
        assert_eq!(conforms(&schema, &value), Ok(()), "{name}");
    }
}

#[test]
fn the_sound_pipelines_use_every_key_of_every_table() {
    fn used(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => fields.iter().for_each(|(key, field)| {
                found.insert(key.clone());
                used(field, found);
            }),
            Value::Array(items) => items.iter().for_each(|item| used(item, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    corpus().iter().for_each(|(.., value)| used(value, &mut found));
    for key in every_key() {
        assert!(found.contains(key), "no pipeline of the corpus has `{key}`");
    }
}

fn every_key() -> BTreeSet<&'static str> {
    let tables = [
        keys::TOP,
        keys::NODE,
        keys::INPUT,
        keys::SOURCE,
        keys::PARAM,
        keys::SCHEDULE,
        keys::CONCURRENCY,
        keys::MATRIX,
        keys::RANGE,
        keys::RETRY,
        keys::BACKOFF,
        keys::DEFAULTS,
        keys::NOTIFY,
    ];
    tables.iter().flat_map(|table| keys::names(table)).collect()
}

/// A pipeline with one thing changed.
struct Mutant {
    /// Where and how, for people.
    what: String,
    value: Value,
}

/// Places of all values below a value, as JSON pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, field)| {
            places(field, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found);
        }),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| places(item, &format!("{at}/{index}"), found));
        }
        _ => {}
    }
}

/// Another value at one place.
fn changed(whole: &Value, place: &str, how: &str, change: impl FnOnce(&mut Value)) -> Mutant {
    let mut value = whole.clone();
    change(value.pointer_mut(place).unwrap());
    Mutant { what: format!("{place}: {how}"), value }
}

/// Values of every type and of awkward sizes.
fn replaced(whole: &Value, place: &str) -> Vec<Mutant> {
    let others = [
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(-7),
        json!(2.5),
        json!(""),
        json!("no such word"),
        json!("${params.gone}"),
        json!([]),
        json!([1]),
        json!(["word"]),
        json!([[]]),
        json!({}),
        json!({"word": "word"}),
        json!({"range": {"from": 1, "to": 2}}),
        json!({"range": {"from": 1}, "too": 2}),
    ];
    let other = |other: &Value| changed(whole, place, &format!("replaced by {other}"), |value| *value = other.clone());
    others.iter().map(other).collect()
}

/// The key or the item left out.
fn removed(whole: &Value, place: &str) -> Vec<Mutant> {
    let Some((above, last)) = place.rsplit_once('/') else { return Vec::new() };
    let without = |value: &mut Value| match value {
        Value::Object(fields) => drop(fields.remove(&last.replace("~1", "/").replace("~0", "~"))),
        Value::Array(items) => drop(items.remove(last.parse().unwrap())),
        _ => {}
    };
    vec![changed(whole, above, &format!("without {last}"), without)]
}

fn keys_of<'a>(whole: &'a Value, place: &str) -> Vec<&'a String> {
    whole.pointer(place).unwrap().as_object().into_iter().flat_map(Map::keys).collect()
}

/// Each key misspelt.
fn misspelt(whole: &Value, place: &str) -> Vec<Mutant> {
    let mut found = Vec::new();
    for key in keys_of(whole, place) {
        for other in [format!("{key}s"), format!("{key} {key}"), format!("../{key}")] {
            found.push(changed(whole, place, &format!("{key} misspelt {other}"), |value| {
                let fields = value.as_object_mut().unwrap();
                let moved = fields.remove(key).unwrap();
                fields.insert(other.clone(), moved);
            }));
        }
    }
    found
}

/// Each key of the language where it does not stand, with a value that is right elsewhere.
fn added(whole: &Value, place: &str) -> Vec<Mutant> {
    // the keys below `with` are those of the kinds, those below `read` those of a data set
    if !whole.pointer(place).unwrap().is_object() || place.contains("/with/") || place.contains("/read") {
        return Vec::new();
    }
    let there = keys_of(whole, place);
    let lacking = every_key().into_iter().filter(|key| there.iter().all(|there| there != key));
    lacking.map(|key| changed(whole, place, &format!("with {key}"), |value| value[key] = a_right_value(key))).collect()
}

fn a_right_value(key: &str) -> Value {
    match key {
        "version" | "max_parallel" | "max_attempts" | "retry" | "factor" | "min" | "from" => json!(1),
        "to" | "max" | "step" => json!(5),
        "optional" | "fail_fast" | "jitter" | "when" => json!(true),
        "timeout" | "max_lateness" | "wait_timeout" | "initial" => json!("5m"),
        "as_of" => json!("2026-01-04"),
        "schedule" => json!({"cron": "0 0 * * 0"}),
        "timezone" => json!("UTC"),
        "cache" => json!("off"),
        "on_conflict" => json!("skip"),
        "part" => json!("strategy"),
        "schema" => json!("file@1"),
        "type" => json!("string"),
        "retry_on" => json!(["io"]),
        "values" | "command" => json!(["a", "b"]),
        "needs" | "include" | "exclude" | "notify" => json!([]),
        "axes" => json!({"x": [1, 2]}),
        "matrix" => json!({"axes": {"x": [1, 2]}}),
        "backoff" | "concurrency" | "params" | "sources" | "defaults" | "pools" | "nodes" | "inputs" | "with"
        | "publish" | "read" => json!({}),
        _ => json!("word"),
    }
}

fn is_loader_only(mutant: &Mutant, problem: &Problem) -> bool {
    LOADER_ONLY.iter().any(|(place, code, words, _)| {
        mutant.what.contains(place) && problem.code == *code && problem.message.contains(words)
    })
}

/// A value as if it had been parsed: most of the time of a load goes into parsing.
fn tree(value: &Value) -> Located<Yaml> {
    let tree = match value {
        Value::Null => Yaml::Null,
        Value::Bool(value) => Yaml::Bool(*value),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Yaml::Int(whole),
            None => Yaml::Float(number.as_f64().unwrap()),
        },
        Value::String(text) => Yaml::Text(text.clone()),
        Value::Array(items) => Yaml::List(items.iter().map(tree).collect()),
        Value::Object(fields) => {
            let field = |(key, field): (&String, &Value)| (Located::new(key.clone(), Span::default()), tree(field));
            Yaml::Map(fields.iter().map(field).collect())
        }
    };
    Located::new(tree, Span::default())
}

/// Says how the schema and the loader differ about a mutant, if they do and must not.
fn difference(schema: &Value, mutant: &Mutant) -> Option<String> {
    match (load_tree(&tree(&mutant.value), "", &options()), conforms(schema, &mutant.value)) {
        (Ok(_), Ok(())) | (Err(_), Err(_)) => None,
        (Ok(_), Err(reason)) => Some(format!("{}: only the schema refuses it: {reason}", mutant.what)),
        (Err(problems), Ok(())) => {
            let known = problems.iter().all(|problem| is_loader_only(mutant, problem));
            let said = problems.iter().map(|problem| format!("{} {}", problem.code, problem.message));
            (!known).then(|| {
                format!("{}: only the loader refuses it: {}", mutant.what, said.collect::<Vec<_>>().join("; "))
            })
        }
    }
}

/// Holds schema and loader against each other over all mutants of the sound pipelines.
fn agree(mutants: fn(&Value, &str) -> Vec<Mutant>, least: usize) {
    let schema = pipeline_schema();
    let (mut seen, mut found) = (0, Vec::new());
    for (name, _, whole) in corpus() {
        let mut all = Vec::new();
        places(&whole, "", &mut all);
        for place in &all {
            let mutants = mutants(&whole, place);
            seen += mutants.len();
            let differences = mutants.iter().filter_map(|mutant| difference(&schema, mutant));
            found.extend(differences.map(|difference| format!("{name}{difference}")));
        }
    }
    assert!(seen >= least, "only {seen} mutants");
    assert!(found.is_empty(), "{} of {seen}:\n{}", found.len(), found.join("\n"));
}

#[test]
fn a_value_of_another_type_or_size_is_refused_by_both_or_by_neither() {
    agree(replaced, 3000);
}

#[test]
fn a_key_or_an_item_that_lacks_is_refused_by_both_or_by_neither() {
    agree(removed, 200);
}

#[test]
fn a_misspelt_key_is_refused_by_both_or_by_neither() {
    agree(misspelt, 300);
}

#[test]
fn a_key_in_the_wrong_place_or_beside_one_that_excludes_it_is_refused_by_both_or_by_neither() {
    agree(added, 1000);
}
