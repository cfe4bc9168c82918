//! Declarations of params, one form a type.

use serde_json::{Value, json};

use super::super::keys;
use super::super::params::TYPES;
use super::shape::{described, list, mapping, one_of, only, text, value_of};
use crate::base::{Days, Timestamp};

/// The declaration of a param.
pub(super) fn declaration() -> Value {
    one_of(TYPES.iter().map(|(name, own, meaning)| described(meaning, of_type(name, own))))
}

fn of_type(name: &str, own: &[&str]) -> Value {
    let fields = [("type", only(&TYPES, name)), ("default", value(name))];
    match own {
        ["min", "max"] => {
            let [kind, default] = fields;
            mapping(keys::PARAM, &["type", "default"], [kind, default, ("min", value(name)), ("max", value(name))])
        }
        ["values"] => {
            let [kind, default] = fields;
            let words = json!({"type": "array", "items": text(), "minItems": 1, "uniqueItems": true});
            mapping(keys::PARAM, &["type", "values", "default"], [kind, ("values", words), default])
        }
        _ => mapping(keys::PARAM, &["type", "default"], fields),
    }
}

/// What a value of a type looks like.
fn value(name: &str) -> Value {
    match name {
        "int" => json!({"type": "integer"}),
        "float" => json!({"type": "number"}),
        "bool" => json!({"type": "boolean"}),
        "list" => list(text()),
        "date" => value_of::<Timestamp>(),
        "duration" => value_of::<Days>(),
        _ => text(),
    }
}
