//! JSON Schema of pipeline files: what an editor needs to complete and check them.
//!
//! Keys and their meanings come from the tables that the reader uses, closed sets of words likewise. A kind's settings
//! have a schema of their own ([`settings_schema`](crate::node::NodeKind::settings_schema)); in a pipeline file every
//! value of a `with` may also be a reference, which [`with_references`] says.
//!
//! Not guaranteed: that a name or a reference names something, that what it names has the right type, or any other rule
//! about two values at once. Only `validate` knows; the tests list every such rule.

#[cfg(test)]
mod contract;
mod kind;
mod node;
mod outside;
mod param;
mod pattern;
mod policy;
mod references;
mod shape;

use serde_json::{Map, Value, json};

use super::keys;
use crate::base::{Timestamp, schema};
use shape::{by_name, described, list, mapping, or, text, value_of};

pub use references::with_references;

/// JSON Schema of a pipeline file.
pub fn pipeline_schema() -> Value {
    let mut whole = Map::new();
    whole.insert("$schema".to_owned(), schema::DIALECT.into());
    whole.insert("title".to_owned(), "Pipeline of walkforward".into());
    if let Value::Object(mut file) = file() {
        whole.append(&mut file);
    }
    whole.into()
}

fn file() -> Value {
    let fields = [
        ("version", json!({"type": "integer", "const": 1})),
        ("name", or("pipeline", text())),
        ("description", text()),
        ("as_of", value_of::<Timestamp>()),
        ("schedule", policy::schedule()),
        ("concurrency", policy::concurrency()),
        ("params", by_name(described("A param: its type and its default, in bounds.", param::declaration()))),
        ("sources", by_name(described("A path with its schema, or a registered model.", outside::source()))),
        ("defaults", policy::defaults()),
        ("pools", by_name(described("How many of its nodes may run at once.", shape::count()))),
        ("nodes", node::nodes()),
        ("notify", list(outside::notify())),
    ];
    mapping(keys::TOP, &["nodes"], fields)
}
