//! Whether two artifacts are the same, and if not, where they differ first: in values, or in how equal values are written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;

use bytes::Bytes;
use serde_json::Value;

use crate::artifact::{Artifact, LargeFile, Payload, Place};
use crate::table::{LogicalDigest, Table, logical_digest_of};

/// How two artifacts compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sameness {
    /// Every byte is equal.
    Identical,
    /// The values are equal, written in other bytes; where.
    EncodingOnly(String),
    /// The values differ; where first.
    ValuesDiffer(String),
}

impl Sameness {
    /// Where they differ; `None` where they do not.
    pub(super) fn words(self) -> Option<String> {
        match self {
            Self::Identical => None,
            Self::EncodingOnly(words) => Some(format!("{words} (encoding only)")),
            Self::ValuesDiffer(words) => Some(words),
        }
    }
}

/// Compares an artifact of then with one of now. A table differs at a column and a row, JSON at a path, anything else at a
/// byte.
pub(super) fn compare(port: &str, before: &Artifact, now: &Artifact) -> Sameness {
    let (before, now) = (before.files(), now.files());
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let mut encoding = None;
    for name in names {
        let label = label(port, name);
        let found = match (before.get(name), now.get(name)) {
            (Some(before), Some(now)) if before.about == now.about => continue,
            (Some(before), Some(now)) => large(&label, before, now),
            (None, _) => Sameness::ValuesDiffer(format!("{label}: is there now and was not then")),
            (_, None) => Sameness::ValuesDiffer(format!("{label}: was there then and is not now")),
        };
        match found {
            Sameness::ValuesDiffer(_) => return found,
            Sameness::EncodingOnly(words) => drop(encoding.get_or_insert(words)),
            Sameness::Identical => {}
        }
    }
    encoding.map_or(Sameness::Identical, Sameness::EncodingOnly)
}

/// What every Parquet file begins with.
const PARQUET: &[u8] = b"PAR1";

/// Whether a file of an artifact is Parquet.
pub(super) fn has_table(artifact: &Artifact) -> bool {
    match &artifact.payload {
        Payload::File(bytes) => bytes.starts_with(PARQUET),
        Payload::Tree(files) => files.values().any(|bytes| bytes.starts_with(PARQUET)),
        Payload::Large(files) => files.files().values().any(is_parquet),
    }
}

fn is_parquet(file: &LargeFile) -> bool {
    file.beginning(PARQUET.len()).is_ok_and(|begin| begin == PARQUET)
}

/// The digests of the values of every table in an artifact, by port or `port/file`.
pub(super) fn logical_digests(port: &str, artifact: &Artifact) -> BTreeMap<String, LogicalDigest> {
    // a Parquet file that is no table of ours has types that we do not read, and no digest
    let digest = |file: &LargeFile| match &file.place {
        Place::Memory(bytes) => logical_digest_of(bytes.clone(), |bytes| Ok(bytes.clone())).ok(),
        Place::Disk(path) => logical_digest_of(File::open(path).ok()?, File::try_clone).ok(),
    };
    let tables = artifact.files().into_iter().filter(|(_, file)| is_parquet(file));
    tables.filter_map(|(name, file)| Some((label(port, &name), digest(&file)?))).collect()
}

fn label(port: &str, file: &str) -> String {
    if file.is_empty() { port.to_owned() } else { format!("{port}/{file}") }
}

fn large(label: &str, before: &LargeFile, now: &LargeFile) -> Sameness {
    match (before.read(), now.read()) {
        (Ok(before), Ok(now)) => file(label, &before, &now),
        (Err(error), _) | (_, Err(error)) => {
            Sameness::ValuesDiffer(format!("{label}: its digest is another one, and it cannot be read: {error}"))
        }
    }
}

fn file(label: &str, before: &Bytes, now: &Bytes) -> Sameness {
    if let (Ok(before), Ok(now)) = (Table::from_parquet(before.clone()), Table::from_parquet(now.clone())) {
        return match before.first_difference(&now) {
            None => Sameness::EncodingOnly(format!("{label}: equal values in other bytes")),
            Some(place) => Sameness::ValuesDiffer(format!("{label}: values differ, first at {place}")),
        };
    }
    let json = |bytes: &Bytes| serde_json::from_slice::<Value>(bytes);
    if let (Ok(before), Ok(now)) = (json(before), json(now)) {
        return match first_json_difference("", &before, &now) {
            None => Sameness::EncodingOnly(format!("{label}: equal values in other bytes")),
            Some((path, values)) => {
                let path = if path.is_empty() { "the top" } else { &path };
                Sameness::ValuesDiffer(format!("{label}: values differ, first at {path}: {values}"))
            }
        };
    }
    let at = before.iter().zip(now.iter()).position(|(a, b)| a != b).unwrap_or(before.len().min(now.len()));
    let (then, now) = (before.len(), now.len());
    Sameness::ValuesDiffer(format!("{label}: bytes differ from byte {at} on ({then} then, {now} now)"))
}

/// The first place where two JSON values differ, and both values.
fn first_json_difference(path: &str, before: &Value, now: &Value) -> Option<(String, String)> {
    match (before, now) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            let none = Value::Null;
            keys.into_iter().find_map(|key| {
                first_json_difference(
                    &format!("{path}/{key}"),
                    a.get(key).unwrap_or(&none),
                    b.get(key).unwrap_or(&none),
                )
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let mut pairs = a.iter().zip(b).enumerate();
            pairs.find_map(|(at, (a, b))| first_json_difference(&format!("{path}/{at}"), a, b))
        }
        (Value::Array(a), Value::Array(b)) => Some((path.to_owned(), format!("{} items -> {}", a.len(), b.len()))),
        (a, b) if a == b => None,
        (a, b) => Some((path.to_owned(), format!("{} -> {}", short(a), short(b)))),
    }
}

/// A value as it fits into a line.
fn short(value: &Value) -> String {
    const LONGEST: usize = 60;
    let text = value.to_string();
    if text.chars().count() <= LONGEST {
        return text;
    }
    text.chars().take(LONGEST).chain("…".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::ArtifactType;
    use crate::table::Values;

    fn json(text: &str) -> Artifact {
        Artifact::file(ArtifactType::Evaluation, text.as_bytes().to_vec())
    }

    fn table(rows: &[f64]) -> Artifact {
        let table = Table::new("t@1").with("x", "", Values::Float(rows.to_vec()));
        Artifact::file(ArtifactType::Signals, table.to_parquet().unwrap())
    }

    fn differs(words: &str) -> Sameness {
        Sameness::ValuesDiffer(words.to_owned())
    }

    #[test]
    fn a_table_differs_at_a_column_and_a_row_and_json_at_a_path() {
        assert_eq!(compare("s", &table(&[1.0, 2.0]), &table(&[1.0, 2.0])), Sameness::Identical);
        let found = compare("s", &table(&[1.0, 2.0]), &table(&[1.0, 3.0]));
        assert_eq!(found, differs("s: values differ, first at column `x`, row 1: 2 -> 3"));
        let found = compare("e", &json(r#"{"a": [1, {"b": 2}]}"#), &json(r#"{"a": [1, {"b": 3}]}"#));
        assert_eq!(found, differs("e: values differ, first at /a/1/b: 2 -> 3"));
        let found = compare("r", &json("# Report"), &json("# Reports"));
        assert_eq!(found, differs("r: bytes differ from byte 8 on (8 then, 9 now)"));
    }

    #[test]
    fn equal_values_in_other_bytes_are_told_from_other_values() {
        let spaced = compare("e", &json(r#"{"a":1}"#), &json(r#"{ "a": 1 }"#));
        assert_eq!(spaced, Sameness::EncodingOnly("e: equal values in other bytes".to_owned()));
    }

    #[test]
    fn of_several_files_a_difference_in_values_comes_before_one_in_bytes() {
        let tree = |a: &str, b: &str| {
            let files =
                [("a.json".to_owned(), Bytes::from(a.to_owned())), ("b.json".to_owned(), Bytes::from(b.to_owned()))];
            Artifact::tree(ArtifactType::Model, files.into())
        };
        let found = compare("m", &tree("{}", "1"), &tree("{ }", "2"));
        assert_eq!(found, differs("m/b.json: values differ, first at the top: 1 -> 2"));
        let mut fewer = tree("{}", "1");
        if let Payload::Tree(files) = &mut fewer.payload {
            files.remove("b.json");
        }
        assert_eq!(compare("m", &tree("{}", "1"), &fewer), differs("m/b.json: was there then and is not now"));
    }

    #[test]
    fn only_tables_have_a_digest_of_values() {
        assert_eq!(logical_digests("s", &table(&[1.0])).keys().collect::<Vec<_>>(), ["s"]);
        assert!(logical_digests("e", &json("{}")).is_empty());
    }
}
