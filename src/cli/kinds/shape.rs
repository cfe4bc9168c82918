//! The shape of a value in words: what it is, which values it takes, and how one is written.

use serde_json::{Number, Value};

/// The schema of what a value is when it is not null.
pub(super) fn without_null(field: &Value) -> &Value {
    match field["anyOf"].as_array().map(Vec::as_slice) {
        Some([shape, null]) if null["type"] == "null" => shape,
        _ => field,
    }
}

/// Whether a value may be null beside what it is.
pub(super) fn is_nullable(field: &Value) -> bool {
    !std::ptr::eq(field, without_null(field)) || (types(field).len() == 2 && types(field).contains(&"null"))
}

fn types(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    }
}

/// What a value is, in words of YAML.
pub(super) fn type_name(shape: &Value) -> String {
    if !words(shape).is_empty() || shape.get("enum").is_some() {
        return "word".to_owned();
    }
    let kind = match types(shape).as_slice() {
        ["integer", ..] => "whole number",
        ["number", ..] => "number",
        ["boolean", ..] => "true or false",
        ["string"] | ["string", "null"] => "text",
        ["string", ..] => "scalar",
        ["null"] => "null",
        ["array", ..] => return list_name(shape),
        ["object", ..] if shape["additionalProperties"].is_object() => {
            return format!("mapping of {}", plural(&type_name(&shape["additionalProperties"])));
        }
        ["object", ..] => "mapping",
        _ if shape.get("oneOf").is_some() => "mapping",
        _ if shape["anyOf"][0].get("enum").is_some() && shape["anyOf"][1]["type"] == "object" => "word or mapping",
        _ => "anything",
    };
    kind.to_owned()
}

fn list_name(shape: &Value) -> String {
    let items = plural(&type_name(&shape["items"]));
    match (&shape["minItems"], &shape["maxItems"]) {
        (Value::Number(least), Value::Number(most)) if least == most => format!("list of {least} {items}"),
        _ => format!("list of {items}"),
    }
}

fn plural(kind: &str) -> String {
    match kind.split_once(' ') {
        Some(("list", rest)) => format!("lists {rest}"),
        Some(("mapping", rest)) => format!("mappings {rest}"),
        _ if kind == "anything" => kind.to_owned(),
        _ => format!("{kind}s"),
    }
}

/// One of the words that a value may be.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Word {
    /// Its name, then other spellings that are understood.
    pub spellings: Vec<String>,
    /// What it means.
    pub meaning: String,
}

/// The words that a value may be.
pub(super) fn words(shape: &Value) -> Vec<Word> {
    let word = |alternative: &Value| {
        let spellings = match (&alternative["const"], &alternative["enum"]) {
            (Value::String(word), _) => vec![word.clone()],
            (_, Value::Array(words)) => words.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => return None,
        };
        Some(Word { spellings, meaning: alternative["description"].as_str().unwrap_or_default().to_owned() })
    };
    shape["oneOf"].as_array().into_iter().flatten().filter_map(word).collect()
}

/// Which values a type takes; empty where it takes all.
pub(super) fn bounds(shape: &Value) -> String {
    let bound = |keyword: &str, words: &str| shape.get(keyword).map(|end| format!("{words} {}", text(end)));
    let is_fixed = shape.get("minItems").is_some() && shape.get("minItems") == shape.get("maxItems");
    let listed = |values: &Value| values.as_array().into_iter().flatten().map(text).collect::<Vec<_>>().join(", ");
    if let Some(only) = shape.get("const") {
        return format!("only {}", text(only));
    }
    if let (Some(low), Some(high)) = (shape.get("minimum"), shape.get("maximum")) {
        return format!("{} to {}", text(low), text(high));
    }
    let bounds = [
        shape.get("enum").map(listed),
        bound("minimum", "at least"),
        bound("exclusiveMinimum", "above"),
        bound("maximum", "at most"),
        bound("exclusiveMaximum", "below"),
        bound("minItems", "at least").filter(|_| !is_fixed),
        bound("maxItems", "at most").filter(|_| !is_fixed),
        bound("minProperties", "at least"),
        shape.get("examples").map(|examples| format!("as {}", listed(examples))),
        bound("pattern", "matches").filter(|_| shape.get("examples").is_none()),
    ];
    bounds.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// A value as it would be written.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number_text(number),
        other => other.to_string(),
    }
}

/// The shorter of `1000000000` and `1e9`; nobody counts more than seven digits.
fn number_text(number: &Number) -> String {
    let Some(real) = number.as_f64().filter(|_| number.is_f64()) else { return number.to_string() };
    let plain = real.to_string();
    let scientific = format!("{real:e}");
    if plain.len() > 7 && scientific.len() < plain.len() { scientific } else { plain }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn shapes_are_said_in_words_of_yaml() {
        let cases = [
            (json!({"type": "integer"}), "whole number"),
            (json!({"type": ["number", "null"]}), "number"),
            (json!({"type": "array", "items": {"type": "string"}}), "list of texts"),
            (json!({"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}), "list of 2 numbers"),
            (json!({"type": ["string", "number", "boolean", "null"]}), "scalar"),
            (
                json!({"type": "object", "additionalProperties": {"type": "array", "items": {"type": "integer"}}}),
                "mapping of lists of whole numbers",
            ),
            (json!({"oneOf": [{"const": "a"}, {"const": "b"}]}), "word"),
            (json!({"type": "string", "enum": ["a"]}), "word"),
            (json!({"type": "object", "properties": {}, "additionalProperties": false}), "mapping"),
            (json!(true), "anything"),
        ];
        for (shape, name) in cases {
            assert_eq!(type_name(&shape), name, "{shape}");
        }
    }

    #[test]
    fn bounds_are_said_in_words() {
        let cases = [
            (json!({"minimum": 1, "maximum": 100_000}), "1 to 100000"),
            (json!({"minimum": 1e-6, "maximum": 1e9}), "1e-6 to 1e9"),
            (json!({"exclusiveMinimum": 0, "exclusiveMaximum": 1}), "above 0, below 1"),
            (json!({"minItems": 2, "maxItems": 2}), ""),
            (json!({"minItems": 1}), "at least 1"),
            (json!({"pattern": "^[dwy]$", "examples": ["2y", "52w"]}), "as 2y, 52w"),
            (json!({"pattern": "^[dwy]$"}), "matches ^[dwy]$"),
            (json!({"const": 1, "minimum": 0}), "only 1"),
            (json!({"enum": ["a", "b"]}), "a, b"),
            (json!({}), ""),
        ];
        for (shape, words) in cases {
            assert_eq!(bounds(&shape), words, "{shape}");
        }
    }

    #[test]
    fn null_is_told_from_what_a_value_is() {
        let either = json!({"anyOf": [{"type": "integer"}, {"type": "null"}], "default": null});
        assert_eq!((type_name(without_null(&either)), is_nullable(&either)), ("whole number".to_owned(), true));
        let number = json!({"type": ["number", "null"]});
        assert!(is_nullable(&number) && !is_nullable(&json!({"type": "number"})));
        assert!(!is_nullable(&json!({"type": ["string", "number", "boolean", "null"]})));
    }

    #[test]
    fn words_have_their_other_spellings_and_meanings() {
        let shape =
            json!({"oneOf": [{"const": "a", "description": "First."}, {"enum": ["b", "c"]}, {"type": "object"}]});
        let word = |spellings: &[&str], meaning: &str| Word {
            spellings: spellings.iter().map(|&it| it.to_owned()).collect(),
            meaning: meaning.to_owned(),
        };
        assert_eq!(words(&shape), [word(&["a"], "First."), word(&["b", "c"], "")]);
    }
}
