//! Settings of a kind as they stand in a pipeline file: every value may also be a reference.

use serde_json::{Map, Value};

use super::shape::reference;

/// Lets every value below a schema's own also be a text that holds a reference.
///
/// What is said about a value (its description, its default) stays where an editor looks for it. Mappings that are told
/// apart by a word under a key are no longer exclusive: the word may be a reference too.
pub fn with_references(schema: &mut Value) {
    let Some(keywords) = schema.as_object_mut() else { return };
    for keyword in ["properties", "patternProperties"] {
        keywords.get_mut(keyword).and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut).for_each(allow);
    }
    for keyword in ["additionalProperties", "items"] {
        keywords.get_mut(keyword).into_iter().for_each(allow);
    }
    keywords.get_mut("prefixItems").and_then(Value::as_array_mut).into_iter().flatten().for_each(allow);
    let told_apart =
        keywords.get("oneOf").and_then(Value::as_array).is_some_and(|all| all.iter().any(has_constant_field));
    for keyword in ["oneOf", "anyOf", "allOf"] {
        keywords.get_mut(keyword).and_then(Value::as_array_mut).into_iter().flatten().for_each(with_references);
    }
    if told_apart && let Some(mappings) = keywords.remove("oneOf") {
        keywords.insert("anyOf".to_owned(), mappings);
    }
}

fn has_constant_field(mapping: &Value) -> bool {
    mapping["properties"].as_object().is_some_and(|fields| fields.values().any(|field| field.get("const").is_some()))
}

/// Lets a value, and every value below it, be a reference.
fn allow(schema: &mut Value) {
    with_references(schema);
    let Some(keywords) = schema.as_object_mut().filter(|keywords| !takes_any_text(keywords)) else { return };
    let mut either: Map<String, Value> =
        ["title", "description", "default"].iter().filter_map(|&said| keywords.remove_entry(said)).collect();
    either.insert("anyOf".to_owned(), Value::Array(vec![schema.take(), reference()]));
    *schema = Value::Object(either);
}

fn takes_any_text(keywords: &Map<String, Value>) -> bool {
    let is_text = match keywords.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "string"),
        kind => kind.is_some_and(|kind| kind == "string"),
    };
    let narrowing = ["const", "enum", "pattern", "format", "minLength", "maxLength", "oneOf", "anyOf", "allOf", "not"];
    is_text && narrowing.iter().all(|&keyword| !keywords.contains_key(keyword))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::pattern::REFERENCE;
    use super::*;
    use crate::base::conformance::{conforms, defect};
    use crate::node::find_kind;

    fn settings(kind: &str) -> Value {
        let mut schema = find_kind(kind).unwrap().settings_schema().to_value();
        with_references(&mut schema);
        assert_eq!(defect(&schema), None);
        schema
    }

    #[test]
    fn a_value_at_any_depth_may_be_a_reference() {
        let cases = [
            ("accumulate", json!({"universe": {"symbols": "${params.symbols}", "window": {"start": "${run.as_of}"}}})),
            ("accumulate", json!({"universe": {"symbols": ["IBM", "${params.symbol}"]}, "label": "${params.label}"})),
            ("accumulate", json!({"population": "${params.population}", "label_early": "${params.early}"})),
            ("train", json!({"model": {"kind": "${params.family}"}, "seed": "${params.seed}"})),
            ("train", json!({"model": {"kind": "${params.family}", "trees": 3, "max_depth": "${params.depth}"}})),
            (
                "optimize-parameters",
                json!({"objective": {"metric": "${params.metric}"}, "space": {
                    "exit.exit_ma": {"choice": [20, "${params.longest}"]}, "exit.atr": {"int": [5, "${params.atr}"]},
                }}),
            ),
        ];
        for (kind, with) in cases {
            assert_eq!(conforms(&settings(kind), &with), Ok(()), "{with}");
        }
    }

    #[test]
    fn what_is_no_reference_is_as_wrong_as_before() {
        let cases = [
            ("train", json!("${params.with}")),
            ("train", json!({"seed": "seven"})),
            ("train", json!({"seed": "$params.seed"})),
            ("train", json!({"sead": "${params.seed}"})),
            ("train", json!({"model": {"kind": "${params.family}", "treees": 3}})),
            ("train", json!({"model": {"kind": "random-forest", "trees": 0}})),
            ("accumulate", json!({"population": "shade"})),
            (
                "optimize-parameters",
                json!({"objective": {"metric": "sharpe"}, "space": {"${params.path}": {"int": [1, 2]}}}),
            ),
        ];
        for (kind, with) in cases {
            assert!(conforms(&settings(kind), &with).is_err(), "{with}");
        }
    }

    #[test]
    fn what_is_said_about_a_value_stays_where_an_editor_looks() {
        let seed = &settings("train")["properties"]["seed"];
        assert_eq!(seed["default"], 0);
        assert!(seed["description"].as_str().unwrap().starts_with("Seed"), "{seed}");
        assert_eq!(seed["anyOf"][1]["pattern"], REFERENCE);
        // a text that may be anything may be a reference already
        assert_eq!(settings("train")["properties"]["features"]["anyOf"][0]["items"], json!({"type": "string"}));
    }
}
