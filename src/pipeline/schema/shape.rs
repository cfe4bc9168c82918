//! The shapes that the schema of pipeline files is made of.

use std::time::Duration;

use schemars::JsonSchema;
use serde_json::{Map, Value, json};

use super::super::keys::{Key, Word};
use super::pattern;
use crate::base::schema;

/// A mapping of these keys and no other; their meanings come from the table, but for shapes that say their own.
pub(super) fn mapping<const N: usize>(keys: &[Key], required: &[&str], fields: [(&str, Value); N]) -> Value {
    let field = |(name, shape): (&str, Value)| {
        let meaning = keys.iter().find(|(key, _)| *key == name).map_or("", |(_, meaning)| meaning);
        (name.to_owned(), if shape.get("description").is_some() { shape } else { described(meaning, shape) })
    };
    let fields: Map<String, Value> = fields.into_iter().map(field).collect();
    let mut shape = json!({"type": "object", "properties": fields, "additionalProperties": false});
    if !required.is_empty() {
        shape["required"] = json!(required);
    }
    shape
}

/// A mapping from names of the writer's choice; nothing stands for an empty one.
pub(super) fn by_name(value: Value) -> Value {
    json!({"type": ["object", "null"], "additionalProperties": value})
}

/// A shape with what it means; an editor shows that first.
pub(super) fn described(meaning: &str, mut shape: Value) -> Value {
    let mut first = Map::from_iter([("description".to_owned(), meaning.into())]);
    if let Some(keywords) = shape.as_object_mut() {
        keywords.remove("description");
        first.append(keywords);
    }
    first.into()
}

/// A shape with the value that stands where none is written.
pub(super) fn or(default: impl Into<Value>, mut shape: Value) -> Value {
    shape["default"] = default.into();
    shape
}

/// Any text.
pub(super) fn text() -> Value {
    json!({"type": "string"})
}

/// A text of a certain form.
pub(super) fn text_like(pattern: &str) -> Value {
    json!({"type": "string", "pattern": pattern})
}

/// What a type of values looks like; what it means depends on the key.
pub(super) fn value_of<T: JsonSchema>() -> Value {
    let mut shape = schema::of::<T>();
    shape.remove("description");
    shape.to_value()
}

/// A text that holds a reference.
pub(super) fn reference() -> Value {
    described("A reference.", text_like(pattern::REFERENCE))
}

/// True or false.
pub(super) fn flag(default: bool) -> Value {
    json!({"type": "boolean", "default": default})
}

/// A whole number of at least 1.
pub(super) fn count() -> Value {
    json!({"type": "integer", "minimum": 1})
}

/// A list.
pub(super) fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

/// A stretch of time.
pub(super) fn duration() -> Value {
    json!({"type": "string", "pattern": pattern::DURATION, "examples": ["90s", "10m", "2h 30m"]})
}

/// A stretch of time as a person writes it.
pub(super) fn duration_text(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

/// One of the words of a table.
pub(super) fn word<T>(table: &[Word<T>]) -> Value {
    schema::words(table.iter().map(|(name, _, meaning)| (*name, &[][..], *meaning))).to_value()
}

/// A certain word of a table.
pub(super) fn only<T>(table: &[Word<T>], name: &str) -> Value {
    let meaning = table.iter().find(|(word, ..)| *word == name).map_or("", |(.., meaning)| meaning);
    json!({"description": meaning, "type": "string", "const": name})
}

/// One of several shapes.
pub(super) fn any_of<const N: usize>(shapes: [Value; N]) -> Value {
    json!({"anyOf": Value::from_iter(shapes)})
}

/// Exactly one of several shapes.
pub(super) fn one_of(shapes: impl IntoIterator<Item = Value>) -> Value {
    json!({"oneOf": Value::from_iter(shapes)})
}
