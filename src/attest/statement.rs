//! in-toto statements: what is said of which artifacts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::{CanonicalError, Digest, canonical_of};

/// The type of a statement.
pub const STATEMENT_V1: &str = "https://in-toto.io/Statement/v1";

/// Something said of artifacts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// Always [`STATEMENT_V1`].
    #[serde(rename = "_type")]
    pub kind: String,
    /// The artifacts, each with its digest.
    pub subject: Vec<Resource>,
    /// What kind of thing is said.
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// What is said.
    pub predicate: Value,
}

/// A thing that a statement names: in-toto's ResourceDescriptor, as far as it is used here.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// What it is in this statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// Its digests by algorithm.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub digest: BTreeMap<String, String>,
    /// More about it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, Value>,
}

impl Resource {
    /// A thing by name and SHA-256.
    pub fn of(name: impl Into<String>, sha256: Digest) -> Self {
        let digest = [("sha256".to_owned(), sha256.to_string())].into();
        Self { name: Some(name.into()), digest, ..Self::default() }
    }

    /// Adds something about it.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.annotations.insert(name.to_owned(), value.into());
        self
    }
}

impl Statement {
    /// Says something of artifacts.
    pub fn new(subject: Vec<Resource>, predicate_type: &str, predicate: Value) -> Self {
        Self { kind: STATEMENT_V1.to_owned(), subject, predicate_type: predicate_type.to_owned(), predicate }
    }

    /// The statement's bytes: canonical JSON, so that the same statement is the same bytes.
    ///
    /// # Errors
    /// The predicate holds a number that JSON cannot.
    pub fn bytes(&self) -> Result<Vec<u8>, CanonicalError> {
        canonical_of(self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_statement_has_the_fields_of_the_specification_and_no_empty_ones() {
        let digest = Digest::of(b"model");
        let statement =
            Statement::new(vec![Resource::of("model", digest)], "https://example.com/p", json!({"b": 1, "a": 2}));
        let expected = format!(
            r#"{{"_type":"https://in-toto.io/Statement/v1","predicate":{{"a":2,"b":1}},"predicateType":"https://example.com/p","subject":[{{"digest":{{"sha256":"{digest}"}},"name":"model"}}]}}"#
        );
        assert_eq!(String::from_utf8(statement.bytes().unwrap()).unwrap(), expected);
        assert_eq!(serde_json::from_str::<Statement>(&expected).unwrap(), statement);
    }
}
