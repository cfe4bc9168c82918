//! Canonical JSON: one byte string for one value, so that it can be hashed.
//!
//! RFC 8785 (sorted keys, shortest round-trip numbers), with one addition: whole numbers beyond 2^53, which that RFC
//! would round, are written as decimal strings.

use serde::Serialize;
use serde_json::{Number, Value};

/// A value that has no canonical form.
#[derive(Debug, thiserror::Error)]
#[error("no canonical JSON for this value")]
pub struct CanonicalError(#[source] serde_json::Error);

const EXACT: u64 = 1 << 53;

/// Writes a JSON value canonically.
///
/// # Errors
/// A number that JSON cannot hold.
pub fn canonical_json(value: &Value) -> Result<Vec<u8>, CanonicalError> {
    let bytes = match has_inexact_integer(value) {
        true => serde_json_canonicalizer::to_vec(&exact_integers(value)),
        // nearly always, and then a copy is saved
        false => serde_json_canonicalizer::to_vec(value),
    };
    bytes.map_err(CanonicalError)
}

/// Writes any serialisable value canonically.
///
/// # Errors
/// The value does not serialise to JSON.
pub fn canonical_of<T: Serialize>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    canonical_json(&serde_json::to_value(value).map_err(CanonicalError)?)
}

/// The digits of a whole number that a 64-bit float may not hold.
fn inexact_integer(number: &Number) -> Option<String> {
    match (number.as_u64(), number.as_i64()) {
        (Some(large), _) if large > EXACT => Some(large.to_string()),
        (None, Some(small)) if small.unsigned_abs() > EXACT => Some(small.to_string()),
        _ => None,
    }
}

fn has_inexact_integer(value: &Value) -> bool {
    match value {
        Value::Number(number) => inexact_integer(number).is_some(),
        Value::Array(items) => items.iter().any(has_inexact_integer),
        Value::Object(fields) => fields.values().any(has_inexact_integer),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

fn exact_integers(value: &Value) -> Value {
    match value {
        Value::Number(number) => inexact_integer(number).map_or_else(|| value.clone(), Value::String),
        Value::Array(items) => Value::Array(items.iter().map(exact_integers).collect()),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, field)| (name.clone(), exact_integers(field))).collect())
        }
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_order_of_keys_does_not_matter() {
        let a = canonical_json(&json!({"b": 1.0, "a": [1e30, 0.1]})).unwrap();
        let b = canonical_json(&json!({"a": [1e30, 0.1], "b": 1})).unwrap();
        assert_eq!(String::from_utf8(a.clone()).unwrap(), r#"{"a":[1e+30,0.1],"b":1}"#);
        assert_eq!(a, b);
    }

    #[test]
    fn large_integers_keep_every_digit() {
        let neighbours = [json!(9_007_199_254_740_993_u64), json!(9_007_199_254_740_994_u64)];
        assert_ne!(canonical_json(&neighbours[0]).unwrap(), canonical_json(&neighbours[1]).unwrap());
        let deep = json!({"b": [1, {"a": -9_007_199_254_740_993_i64}]});
        assert_eq!(canonical_json(&deep).unwrap(), br#"{"b":[1,{"a":"-9007199254740993"}]}"#);
    }
}
