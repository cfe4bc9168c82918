//! Whether a value conforms to a JSON Schema, for tests: the keywords that our schemas use, and no other.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::{Map, Value};

/// The names that `type` may have.
const TYPES: &[&str] = &["null", "boolean", "integer", "number", "string", "array", "object"];

/// Says what is wrong with a schema itself, if anything: a keyword that is unknown or has the wrong type, a pattern that
/// does not read, a default or an example that the schema refuses.
pub(crate) fn defect(schema: &Value) -> Option<String> {
    let keywords = match schema {
        Value::Bool(_) => return None,
        Value::Object(keywords) => keywords,
        other => return Some(format!("expected a schema, found {other}")),
    };
    for (keyword, value) in keywords {
        let found = match keyword.as_str() {
            "properties" => match value.as_object() {
                Some(fields) => fields.iter().find_map(|(name, field)| Some(format!("{name}: {}", defect(field)?))),
                None => Some("expected a mapping".to_owned()),
            },
            "items" | "additionalProperties" | "propertyNames" | "not" | "if" | "then" => defect(value),
            "oneOf" | "anyOf" | "allOf" => match value.as_array() {
                Some(all) if !all.is_empty() => all.iter().find_map(defect),
                _ => Some("expected a list of schemas".to_owned()),
            },
            "default" => own_value(schema, value),
            "examples" => match value.as_array() {
                Some(examples) => examples.iter().find_map(|example| own_value(schema, example)),
                None => Some("expected a list".to_owned()),
            },
            _ => (!is_sound(keyword, value)).then(|| format!("cannot be {value}")),
        };
        if let Some(found) = found {
            return Some(format!("{keyword}: {found}"));
        }
    }
    None
}

fn own_value(schema: &Value, value: &Value) -> Option<String> {
    conforms(schema, value).err()
}

fn is_sound(keyword: &str, value: &Value) -> bool {
    let distinct =
        |items: &Vec<Value>| items.iter().map(Value::to_string).collect::<BTreeSet<_>>().len() == items.len();
    match keyword {
        "$schema" | "title" => value.is_string(),
        "description" => value.as_str().is_some_and(|text| !text.is_empty() && !text.contains("[`")),
        "type" => match value {
            Value::Array(names) => distinct(names) && names.iter().all(|name| TYPES.iter().any(|kind| name == kind)),
            name => TYPES.iter().any(|kind| name == kind),
        },
        "const" => true,
        "enum" => value.as_array().is_some_and(|values| !values.is_empty() && distinct(values)),
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => value.is_number(),
        "minItems" | "maxItems" | "minProperties" => value.is_u64(),
        "uniqueItems" => value.is_boolean(),
        "required" => value.as_array().is_some_and(|names| distinct(names) && names.iter().all(Value::is_string)),
        "pattern" => value.as_str().is_some_and(|pattern| Regex::new(pattern).is_ok() && reads_elsewhere(pattern)),
        _ => false,
    }
}

/// Whether a pattern keeps to what the dialects of Rust and of JavaScript, which editors have, mean alike.
fn reads_elsewhere(pattern: &str) -> bool {
    !["(?", r"\A", r"\z", r"\h", "[[", "&&"].iter().any(|only_rust| pattern.contains(only_rust))
}

thread_local! {
    /// Patterns take longer to read than to match.
    static PATTERNS: RefCell<BTreeMap<String, Regex>> = const { RefCell::new(BTreeMap::new()) };
}

fn matches(pattern: &str, text: &str) -> bool {
    PATTERNS.with_borrow_mut(|known| {
        known.entry(pattern.to_owned()).or_insert_with(|| Regex::new(pattern).unwrap()).is_match(text)
    })
}

/// Checks a value against a schema without [`defect`].
///
/// # Errors
/// The first place where it does not conform, and the keyword that it breaks.
pub(crate) fn conforms(schema: &Value, value: &Value) -> Result<(), String> {
    at("", schema, value)
}

fn at(place: &str, schema: &Value, value: &Value) -> Result<(), String> {
    let keywords = match schema {
        Value::Object(keywords) => keywords,
        refuses => return if *refuses == false { Err(format!("{place}: nothing may be here")) } else { Ok(()) },
    };
    for (keyword, bound) in keywords {
        let holds = match keyword.as_str() {
            "type" => match bound {
                Value::Array(names) => names.iter().any(|name| has_type(value, name)),
                name => has_type(value, name),
            },
            "const" => same(value, bound),
            "enum" => bound.as_array().is_some_and(|values| values.iter().any(|it| same(it, value))),
            "pattern" => value.as_str().is_none_or(|text| matches(bound.as_str().unwrap(), text)),
            "minimum" => compare(value, bound, |found, bound| found >= bound),
            "maximum" => compare(value, bound, |found, bound| found <= bound),
            "exclusiveMinimum" => compare(value, bound, |found, bound| found > bound),
            "exclusiveMaximum" => compare(value, bound, |found, bound| found < bound),
            "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= bound.as_u64().unwrap()),
            "maxItems" => value.as_array().is_none_or(|items| items.len() as u64 <= bound.as_u64().unwrap()),
            "minProperties" => value.as_object().is_none_or(|fields| fields.len() as u64 >= bound.as_u64().unwrap()),
            "uniqueItems" => value.as_array().is_none_or(|items| {
                items.iter().enumerate().all(|(index, item)| !items[..index].iter().any(|earlier| same(earlier, item)))
            }),
            "required" => value.as_object().is_none_or(|fields| {
                bound.as_array().unwrap().iter().all(|name| fields.contains_key(name.as_str().unwrap()))
            }),
            "oneOf" => bound.as_array().unwrap().iter().filter(|it| at(place, it, value).is_ok()).count() == 1,
            "anyOf" => bound.as_array().unwrap().iter().any(|it| at(place, it, value).is_ok()),
            "allOf" => {
                for all in bound.as_array().unwrap() {
                    at(place, all, value)?;
                }
                true
            }
            "not" => at(place, bound, value).is_err(),
            "if" => {
                if at(place, bound, value).is_ok() {
                    at(place, keywords.get("then").unwrap_or(&Value::Bool(true)), value)?;
                }
                true
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    at(&format!("{place}/{index}"), bound, item)?;
                }
                true
            }
            "properties" | "additionalProperties" | "propertyNames" => {
                for (name, field) in value.as_object().into_iter().flatten() {
                    field_at(place, keyword, keywords, name, field)?;
                }
                true
            }
            _ => true,
        };
        if !holds {
            return Err(format!("{place}: `{keyword}` is broken by {value}"));
        }
    }
    Ok(())
}

fn field_at(
    place: &str,
    keyword: &str,
    keywords: &Map<String, Value>,
    name: &str,
    field: &Value,
) -> Result<(), String> {
    let place = format!("{place}/{name}");
    let declared = keywords.get("properties").and_then(|fields| fields.get(name));
    match (keyword, declared) {
        ("propertyNames", _) => at(&place, &keywords["propertyNames"], &Value::from(name)),
        ("properties", Some(schema)) => at(&place, schema, field),
        ("additionalProperties", None) => at(&place, &keywords["additionalProperties"], field),
        _ => Ok(()),
    }
}

fn has_type(value: &Value, name: &Value) -> bool {
    match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        _ => value.is_object(),
    }
}

fn compare(value: &Value, bound: &Value, holds: impl Fn(f64, f64) -> bool) -> bool {
    value.as_f64().is_none_or(|found| holds(found, bound.as_f64().unwrap()))
}

fn same(a: &Value, b: &Value) -> bool {
    a == b || (a.is_number() && a.as_f64() == b.as_f64())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_keyword_refuses_what_breaks_it_and_takes_what_does_not() {
        let cases = [
            (json!({"type": ["string", "null"]}), json!(null), json!(1)),
            (json!({"type": "integer"}), json!(2), json!(2.5)),
            (json!({"const": 1}), json!(1.0), json!(2)),
            (json!({"enum": ["a", "b"]}), json!("b"), json!("c")),
            (json!({"pattern": "^[0-9]+d$"}), json!("12d"), json!("12")),
            (json!({"minimum": 1, "maximum": 2}), json!(2), json!(2.1)),
            (json!({"exclusiveMinimum": 0, "exclusiveMaximum": 1}), json!(0.5), json!(0)),
            (json!({"minItems": 1, "maxItems": 2}), json!([1]), json!([])),
            (json!({"uniqueItems": true}), json!([1, 2]), json!([1, 1.0])),
            (json!({"minProperties": 1}), json!({"a": 1}), json!({})),
            (json!({"required": ["a"]}), json!({"a": 1}), json!({"b": 1})),
            (json!({"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}), json!({"a": 1}), json!({"a": 1, "b": 1})),
            (json!({"anyOf": [{"type": "string"}, {"type": "null"}]}), json!(null), json!(1)),
            (json!({"allOf": [{"type": "string"}, {"pattern": "b"}]}), json!("ab"), json!("a")),
            (json!({"not": {"enum": ["a"]}}), json!("b"), json!("a")),
            (json!({"if": {"required": ["a"]}, "then": {"required": ["b"]}}), json!({"a": 1, "b": 1}), json!({"a": 1})),
            (json!({"if": {"type": "string"}, "then": {"pattern": "b"}}), json!(1), json!("a")),
            (json!({"items": {"type": "string"}}), json!(["a"]), json!(["a", 1])),
            (json!({"properties": {"a": {"type": "null"}}}), json!({"a": null, "b": 1}), json!({"a": 1})),
            (
                json!({"properties": {"a": true}, "additionalProperties": {"type": "null"}}),
                json!({"a": 1, "b": null}),
                json!({"b": 1}),
            ),
            (json!({"propertyNames": {"enum": ["a"]}}), json!({"a": 1}), json!({"b": 1})),
            (json!({"properties": {"a": false}}), json!({}), json!({"a": 1})),
        ];
        for (schema, right, wrong) in cases {
            assert_eq!(defect(&schema), None, "{schema}");
            assert_eq!(conforms(&schema, &right), Ok(()), "{schema}");
            assert!(conforms(&schema, &wrong).is_err(), "{schema} takes {wrong}");
        }
    }

    #[test]
    fn a_schema_that_is_none_is_found_with_its_place() {
        let defects = [
            (json!({"properties": {"a": {"minimum": "1"}}}), "properties: a: minimum: cannot be \"1\""),
            (json!({"items": {"type": "text"}}), "items: type: cannot be \"text\""),
            (json!({"oneOf": []}), "oneOf: expected a list of schemas"),
            (json!({"minimun": 1}), "minimun: cannot be 1"),
            (json!({"pattern": "("}), "pattern: cannot be \"(\""),
            (json!({"pattern": "(?i)a"}), "pattern: cannot be \"(?i)a\""),
            (json!({"allOf": [{"then": {"not": {"type": "text"}}}]}), "allOf: then: not: type: cannot be \"text\""),
            (json!({"description": "See [`X`]."}), "description: cannot be \"See [`X`].\""),
            (json!({"minimum": 1, "default": 0}), "default: : `minimum` is broken by 0"),
        ];
        for (schema, words) in defects {
            assert_eq!(defect(&schema).as_deref(), Some(words));
        }
    }
}
