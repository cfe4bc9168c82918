//! What a node of one kind may be told: its settings, its inputs and the outputs that can be published.

use serde_json::{Map, Value, json};

use super::shape::{described, text};
use super::{node, pattern, with_references};
use crate::base::schema;
use crate::node::{InputPort, NodeKind, shown_kinds};

/// The names of all kinds.
pub(super) fn names() -> Value {
    schema::words(shown_kinds().map(|kind| (kind.descriptor().name, &[][..], kind.descriptor().doc))).to_value()
}

/// What a node of this kind may be told, and no other. A rule of its own instead of one of several shapes of a node: an
/// editor then points at what is wrong with this kind, and not at all that other kinds would allow.
pub(super) fn only_its_own(kind: &'static dyn NodeKind) -> Value {
    let about = kind.descriptor();
    let mut settings = kind.settings_schema().to_value();
    with_references(&mut settings);
    let mut required = Vec::new();
    if has_required(&settings) {
        required.push("with");
    }
    let mut fields = Map::from_iter([("with".to_owned(), settings)]);
    let inputs = if about.behaviour.open_inputs { open(about.inputs) } else { inputs(about.inputs) };
    if has_required(&inputs) {
        required.push("inputs");
    }
    fields.insert("inputs".to_owned(), described("What it reads.", inputs));
    // a kind whose settings declare outputs may publish any of them
    if kind.declared(&json!({})).is_none() {
        let outputs = about.outputs.iter().map(|port| (port.name.to_owned(), described(port.doc, text())));
        let outputs = closed(outputs.collect(), &[]);
        fields.insert("publish".to_owned(), described("Paths of copies of what it writes.", outputs));
    }
    let mut rule = json!({"properties": fields});
    if !required.is_empty() {
        rule["required"] = json!(required);
    }
    json!({"if": {"required": ["kind"], "properties": {"kind": {"const": about.name}}}, "then": rule})
}

fn has_required(shape: &Value) -> bool {
    shape.get("required").is_some()
}

fn inputs(ports: &[InputPort]) -> Value {
    closed(ports.iter().map(input).collect(), &required(ports))
}

fn input(port: &InputPort) -> (String, Value) {
    let pattern = if port.many { pattern::artifacts() } else { pattern::one_artifact() };
    let types: Vec<&str> = port.types.iter().map(|kind| kind.name()).collect();
    (port.name.to_owned(), described(&format!("{}: {}", types.join(" or "), port.doc), node::input(&pattern)))
}

fn required(ports: &[InputPort]) -> Vec<&'static str> {
    ports.iter().filter(|port| port.required).map(|port| port.name).collect()
}

/// Inputs of any name beside those of the table.
fn open(ports: &[InputPort]) -> Value {
    let mut shape = json!({"type": ["object", "null"], "propertyNames": {"pattern": pattern::plain()}});
    let required = required(ports);
    if !ports.is_empty() {
        shape["properties"] = Value::Object(ports.iter().map(input).collect());
    }
    if !required.is_empty() {
        shape["type"] = "object".into();
        shape["required"] = json!(required);
    }
    shape
}

/// A mapping of these fields and no other; where none is required, nothing stands for an empty one.
fn closed(fields: Map<String, Value>, required: &[&str]) -> Value {
    let mut shape = json!({"type": ["object", "null"], "properties": fields, "additionalProperties": false});
    if !required.is_empty() {
        shape["type"] = "object".into();
        shape["required"] = json!(required);
    }
    shape
}
