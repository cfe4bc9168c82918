//! Marks: which digests are referred to, and by what chain.
//!
//! A record is not read field by field: whatever in it has the form of a digest keeps the object of that name. So a field
//! that a later version adds is never forgotten; an object too many may stay.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::retention::Because;
use crate::base::Digest;

/// Chains to one object that are remembered.
const CHAINS: usize = 8;

/// Where a chain begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Root {
    /// An entry of the registry.
    Registry { model: String, slot: u64 },
    /// A pin.
    Pin { id: String },
    /// A run that keeps its record.
    Run { id: String, pipeline: String, because: Because },
}

impl Root {
    /// The kind of root, for counts.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Registry { .. } => "registry",
            Self::Pin { .. } => "pins",
            Self::Run { .. } => "runs",
        }
    }
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry { model, slot } => write!(f, "registry `{model}`, slot {slot}"),
            Self::Pin { id } => write!(f, "pin {id}"),
            Self::Run { id, pipeline, because } => {
                let because = match because {
                    Because::Live => "under way",
                    Because::Pinned => "pinned",
                    Because::Promoted => "promoted a model",
                    Because::Newest => "one of the newest",
                    Because::Young => "young",
                };
                write!(f, "run {id} of {pipeline}, {because}")
            }
        }
    }
}

/// A chain from a root to a digest.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    pub(super) root: Arc<Root>,
    /// The way from there: a record, and where in it.
    pub(super) path: String,
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.path.is_empty() { "" } else { " > " };
        write!(f, "{}{separator}{}", self.root, self.path)
    }
}

/// Every digest that is referred to.
#[derive(Debug, Default)]
pub(super) struct Marks(BTreeMap<Digest, Vec<Chain>>);

impl Marks {
    pub(super) fn has(&self, digest: Digest) -> bool {
        self.0.contains_key(&digest)
    }

    /// The chain that was found first.
    pub(super) fn first(&self, digest: Digest) -> Option<&Chain> {
        self.0.get(&digest).and_then(|chains| chains.first())
    }

    pub(super) fn chains(&self, digest: Digest) -> &[Chain] {
        self.0.get(&digest).map_or(&[], Vec::as_slice)
    }

    pub(super) fn digests(&self) -> impl Iterator<Item = Digest> {
        self.0.keys().copied()
    }

    pub(super) fn mark(&mut self, digest: Digest, root: &Arc<Root>, path: &str) {
        let chains = self.0.entry(digest).or_default();
        if chains.len() < CHAINS {
            chains.push(Chain { root: Arc::clone(root), path: path.to_owned() });
        }
    }

    /// Marks every digest in a value.
    pub(super) fn scan(&mut self, value: &Value, root: &Arc<Root>, path: &str) {
        match value {
            Value::String(text) => {
                if let Ok(digest) = text.parse() {
                    self.mark(digest, root, path.trim_end_matches(".sha256"));
                }
            }
            Value::Array(values) => {
                for (at, value) in values.iter().enumerate() {
                    self.scan(value, root, &format!("{path}[{at}]"));
                }
            }
            Value::Object(fields) => {
                for (name, value) in fields {
                    let path = joined(path, name);
                    if let Ok(digest) = name.parse() {
                        self.mark(digest, root, &path);
                    }
                    self.scan(value, root, &path);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Marks every digest in a record, sealed or not; false when it is no JSON, where digests are looked for all the same.
    pub(super) fn scan_record(&mut self, bytes: &[u8], root: &Arc<Root>, name: &str) -> bool {
        match serde_json::from_slice::<Value>(bytes) {
            Ok(mut record) => {
                let body = record.get_mut("body").map(Value::take).unwrap_or(record);
                self.scan(&body, root, name);
                true
            }
            Err(_) => {
                for word in bytes.split(|c| !c.is_ascii_hexdigit()).filter(|word| word.len() == 64) {
                    if let Some(digest) = std::str::from_utf8(word).ok().and_then(|word| word.parse().ok()) {
                        self.mark(digest, root, name);
                    }
                }
                false
            }
        }
    }
}

fn joined(path: &str, name: &str) -> String {
    // a record's name ends, its fields begin
    let separator = if path.is_empty() {
        ""
    } else if path.ends_with(".json") && !path.contains(' ') {
        " "
    } else {
        "."
    };
    format!("{path}{separator}{name}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn digest(word: &str) -> Digest {
        Digest::of(word.as_bytes())
    }

    fn root() -> Arc<Root> {
        Arc::new(Root::Registry { model: "quality".to_owned(), slot: 3 })
    }

    #[test]
    fn whatever_has_the_form_of_a_digest_is_marked_with_the_way_to_it() {
        let record = json!({"sha256": digest("seal"), "body": {
            "outputs": {"model": {"sha256": digest("model"), "files": {"model.json": {"sha256": digest("file")}}}},
            "list": [0, {"later_field": digest("later")}],
            digest("key").to_string(): null,
        }});
        let mut marks = Marks::default();
        assert!(marks.scan_record(&serde_json::to_vec(&record).unwrap(), &root(), "nodes/train.json"));
        let path = |word: &str| marks.first(digest(word)).map(|chain| chain.to_string());
        let at = |path: &str| Some(format!("registry `quality`, slot 3 > nodes/train.json {path}"));
        assert_eq!(path("model"), at("outputs.model"));
        assert_eq!(path("file"), at("outputs.model.files.model.json"));
        assert_eq!(path("later"), at("list[1].later_field"));
        assert!(marks.has(digest("key")));
        assert!(!marks.has(digest("seal")), "the seal of a record is the name of nothing");
    }

    #[test]
    fn a_torn_record_keeps_what_can_be_seen_of_it() {
        let text = format!("{{\"sha256\": \"\", \"body\": {{\"outputs\": \"{}\", \"cut", digest("model"));
        let mut marks = Marks::default();
        assert!(!marks.scan_record(text.as_bytes(), &root(), "nodes/train.json"));
        assert!(marks.has(digest("model")));
    }
}
