//! `nodes`: what all kinds have in common.

use serde_json::{Value, json};

use super::super::keys;
use super::super::name::RESERVED;
use super::shape::{any_of, by_name, count, described, flag, list, mapping, reference, text, text_like, value_of};
use super::{kind, outside, pattern, policy};
use crate::base::{Days, Timestamp};
use crate::node::shown_kinds;

/// All nodes.
pub(super) fn nodes() -> Value {
    json!({
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": pattern::node(), "not": {"enum": RESERVED}},
        "additionalProperties": described("A step.", node()),
    })
}

fn node() -> Value {
    let [retry, timeout, pool, cache] = policy::fields();
    let fields = [
        ("kind", kind::names()),
        ("inputs", by_name(described("Where it comes from.", input(&pattern::artifacts())))),
        ("needs", list(text_like(&pattern::needed()))),
        ("when", outside::condition()),
        ("with", json!({"type": "object"})),
        ("matrix", matrix()),
        ("for_each", text_like(&pattern::node())),
        retry,
        timeout,
        pool,
        cache,
        ("publish", by_name(described("The path of a copy.", text()))),
    ];
    let mut shape = mapping(keys::NODE, &["kind"], fields);
    shape["allOf"] = shown_kinds().map(kind::only_its_own).collect();
    shape
}

/// What an input is connected to, in the short form or the long one.
pub(super) fn input(pattern: &str) -> Value {
    let long = [("from", text_like(pattern)), ("optional", flag(false))];
    any_of([text_like(pattern), mapping(keys::INPUT, &["from"], long)])
}

fn matrix() -> Value {
    let combination = |meaning: &str| {
        let value = described("The value on this axis.", axis_value());
        described(meaning, json!({"type": "object", "minProperties": 1, "additionalProperties": value}))
    };
    let axes = json!({
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": pattern::plain()},
        "additionalProperties": described("The values on this axis.", axis()),
    });
    let fields = [
        ("axes", axes),
        ("include", list(combination("A combination."))),
        ("exclude", list(combination("What the combinations to leave out have in common."))),
        ("max_parallel", count()),
        ("fail_fast", flag(true)),
    ];
    mapping(keys::MATRIX, &["axes"], fields)
}

fn axis() -> Value {
    let values = json!({"type": "array", "items": axis_value(), "minItems": 1, "uniqueItems": true});
    let range = json!({
        "type": "object",
        "properties": {"range": range()},
        "required": ["range"],
        "additionalProperties": false,
    });
    let named = json!({
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": pattern::AXIS_NAME, "not": {"enum": ["range"]}},
        "additionalProperties": described("What the name stands for.", json!({})),
    });
    any_of([
        described("Values.", values),
        described("Names, each with its value: of any type, as a list of symbols.", named),
        described("A param of type `list`.", text_like(pattern::PARAM)),
        described("Whole numbers or dates at equal distances.", range),
    ])
}

fn axis_value() -> Value {
    json!({"type": ["string", "number", "boolean", "null"], "pattern": pattern::AXIS_VALUE})
}

fn range() -> Value {
    let form = |meaning: &str, end: Value, step: Value| {
        let or_reference = |shape: Value| any_of([shape, reference()]);
        let fields = [("from", or_reference(end.clone())), ("to", or_reference(end)), ("step", or_reference(step))];
        described(meaning, mapping(keys::RANGE, &["from", "to"], fields))
    };
    let mut days = value_of::<Days>();
    days["not"] = json!({"pattern": pattern::NO_DAYS});
    let forms = any_of([
        form("Whole numbers.", json!({"type": "integer"}), count()),
        form("Dates.", value_of::<Timestamp>(), days),
    ]);
    described("Ends, both included, and distance.", forms)
}
