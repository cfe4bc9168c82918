//! The cache key of a node: everything that decides its result, and nothing else.
//!
//! | in | not in |
//! |---|---|
//! | kind and its version | names of nodes and runs |
//! | `with` after substitution, defaults filled in | `when`, `needs`, `publish` |
//! | digest of each input's bytes, by port; absent inputs as null; several by the places of their instances | paths to files, threads, host, time |
//! | digests of the program and the files that a command uses | how nodes are run: `retry`, `timeout`, `pool`, `cache` |
//! | names of the files in a folder of bars: part of its manifest | |
//! | end of the data window, if the kind declares it | the version of this program |
//!
//! SHA-256 over the canonical JSON of these parts, with the format number below.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use super::resolve::Given;
use crate::base::{CanonicalError, Digest, Timestamp, canonical_json};
use crate::node::Descriptor;

const FORMAT: u32 = 1;

/// A cache key and what was hashed into it.
#[derive(Clone, Debug, PartialEq)]
pub struct Fingerprint {
    /// The key.
    pub digest: Digest,
    /// The parts.
    pub parts: Value,
}

impl Fingerprint {
    /// Computes the key of a node.
    ///
    /// # Errors
    /// The config holds a number that JSON cannot.
    pub fn of(
        descriptor: &Descriptor,
        with: &Value,
        inputs: &BTreeMap<String, Given>,
        files: &BTreeMap<String, Digest>,
        as_of: Timestamp,
    ) -> Result<Self, CanonicalError> {
        let inputs: BTreeMap<&str, Value> =
            inputs.iter().map(|(port, given)| (port.as_str(), given.digests())).collect();
        let mut parts = json!({
            "format": FORMAT,
            "kind": descriptor.name,
            "kind_version": descriptor.version,
            "with": with,
            "inputs": inputs,
        });
        if !files.is_empty() {
            parts["files"] = json!(files);
        }
        if descriptor.behaviour.uses_as_of {
            parts["as_of"] = as_of.to_string().into();
        }
        Ok(Self { digest: Digest::of(&canonical_json(&parts)?), parts })
    }
}

/// A part of a key that differs, with both its values shortened for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChangedPart {
    /// Its name, as `with.trials`.
    pub part: String,
    /// What it was.
    pub before: String,
    /// What it is.
    pub after: String,
}

impl fmt::Display for ChangedPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} -> {}", self.part, self.before, self.after)
    }
}

/// The parts that differ between two keys.
pub fn changed_parts(before: &Value, after: &Value) -> Vec<ChangedPart> {
    let mut found = Vec::new();
    walk("", before, after, &mut found);
    found
}

/// Says in words what differs between the parts of an earlier run and those of now.
pub fn differences(before: &Value, now: &Value) -> Vec<String> {
    let found: Vec<String> = changed_parts(before, now).iter().map(ToString::to_string).collect();
    if found.is_empty() {
        // same key, so the result was there once and is gone or damaged
        return vec!["its stored result is missing or was changed".to_owned()];
    }
    found
}

fn walk(path: &str, before: &Value, now: &Value, found: &mut Vec<ChangedPart>) {
    match (before, now) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let deeper = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                walk(&deeper, a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null), found);
            }
        }
        (a, b) if a == b => {}
        (a, b) => {
            let (before, after) = (short(path, a), short(path, b));
            found.push(ChangedPart { part: path.to_owned(), before, after });
        }
    }
}

fn short(path: &str, value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) if path.starts_with("inputs.") && text.len() == 64 => text[..12].to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_name_the_part_and_both_values() {
        let before = json!({"with": {"trials": 50, "seed": 1}, "inputs": {"bars": "a".repeat(64)}});
        let now = json!({"with": {"trials": 60, "seed": 1}, "inputs": {"bars": "b".repeat(64)}});
        assert_eq!(differences(&before, &now), ["inputs.bars: aaaaaaaaaaaa -> bbbbbbbbbbbb", "with.trials: 50 -> 60"]);
        assert_eq!(differences(&now, &now), ["its stored result is missing or was changed"]);
    }
}
