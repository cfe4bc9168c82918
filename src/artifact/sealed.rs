//! Records that notice when one of their bytes has changed, or when they stand under another name than their own.
//!
//! ```text
//! {
//!   "sha256": "<of all that follows this line>",
//!   "name": "runs/2026-11-21/.../end.json",
//!   "body": {...}
//! }
//! ```
//!
//! So a person checks a record with `tail -n +3 FILE | sha256sum`. Version 0.1 wrote no name, and the SHA-256 of the canonical
//! JSON of the body; such records are still read.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::{Digest, canonical_json};

/// What every record begins with.
const BEFORE: &str = "{\n  \"sha256\": \"";
/// What stands between the digest and that of which it is one.
const BETWEEN: &str = "\",\n";
/// Digits of a digest.
const DIGITS: usize = 64;

/// A record as it is written.
#[derive(Serialize)]
struct Outer<'a, T> {
    sha256: &'a str,
    name: &'a str,
    body: &'a T,
}

/// A record as it is read, once its seal is known to be unbroken.
#[derive(Deserialize)]
struct Sealed<T> {
    name: String,
    body: T,
}

/// A record that cannot be sealed or believed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Not JSON, or not of the expected shape.
    #[error("the record is not readable")]
    Unreadable(#[source] serde_json::Error),
    /// Its bytes are not those that were sealed.
    #[error("the record does not match its seal: it was changed after it was written")]
    Broken,
    /// It was written under another name.
    #[error("it is the record `{0}`, put in the place of another")]
    Misplaced(String),
    /// The value has no canonical form.
    #[error(transparent)]
    Canonical(#[from] crate::base::CanonicalError),
}

impl SealError {
    /// Says whether the record stops before its end, as one does whose writer was stopped by a power cut.
    pub fn is_torn(&self) -> bool {
        matches!(self, Self::Unreadable(error) if error.is_eof())
    }
}

/// Writes a record with its name and the SHA-256 of both.
///
/// # Errors
/// The record does not serialise.
pub fn seal<T: Serialize>(name: &str, record: &T) -> Result<Vec<u8>, SealError> {
    let zeros = "0".repeat(DIGITS);
    let whole = Outer { sha256: &zeros, name, body: record };
    let mut text = serde_json::to_vec_pretty(&whole).map_err(SealError::Unreadable)?;
    text.push(b'\n');
    let digest = Digest::of(&text[BEFORE.len() + DIGITS + BETWEEN.len()..]).to_string();
    text[BEFORE.len()..BEFORE.len() + DIGITS].copy_from_slice(digest.as_bytes());
    Ok(text)
}

/// Reads back the record that was sealed under this name.
///
/// # Errors
/// The bytes are not a record of this shape and name, or were changed.
pub fn unseal<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, SealError> {
    if !split(bytes).is_some_and(|(claimed, rest)| is(claimed, Digest::of(rest))) {
        return unseal_old(bytes);
    }
    match serde_json::from_slice::<Sealed<T>>(bytes) {
        Ok(record) if record.name == name => Ok(record.body),
        Ok(record) => Err(SealError::Misplaced(record.name)),
        // of another shape, perhaps because it is another record
        Err(error) => match serde_json::from_slice::<Sealed<IgnoredAny>>(bytes) {
            Ok(record) if record.name != name => Err(SealError::Misplaced(record.name)),
            _ => Err(SealError::Unreadable(error)),
        },
    }
}

/// Reads a record of version 0.1, and says what is wrong with one that is of none.
fn unseal_old<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, SealError> {
    let mut outer: Value = serde_json::from_slice(bytes).map_err(SealError::Unreadable)?;
    let (claimed, _) = split(bytes).ok_or(SealError::Broken)?;
    let is_old = outer.get("name").is_none();
    let body = outer.get_mut("body").map(Value::take).ok_or(SealError::Broken)?;
    if is_old && is(claimed, Digest::of(&canonical_json(&body)?)) {
        return serde_json::from_value(body).map_err(SealError::Unreadable);
    }
    Err(SealError::Broken)
}

fn is(claimed: &[u8], digest: Digest) -> bool {
    digest.to_string().as_bytes() == claimed
}

/// The digest that a record claims, and that of which it is one.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (claimed, rest) = bytes.strip_prefix(BEFORE.as_bytes())?.split_at_checked(DIGITS)?;
    Some((claimed, rest.strip_prefix(BETWEEN.as_bytes())?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NAME: &str = "runs/day/id/end.json";

    fn sealed() -> Vec<u8> {
        seal(NAME, &json!({"auc": 0.7, "rows": 300, "words": "Zürich\n"})).unwrap()
    }

    #[test]
    fn a_record_comes_back_as_it_was() {
        assert_eq!(unseal::<Value>(NAME, &sealed()).unwrap()["rows"], 300);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let honest = sealed();
        for at in 0..honest.len() {
            for bit in 0..8 {
                let mut bytes = honest.clone();
                bytes[at] ^= 1 << bit;
                assert!(unseal::<Value>(NAME, &bytes).is_err(), "byte {at}, bit {bit}");
            }
            // all but the last byte, a line's end, is whole JSON
            let cut = unseal::<Value>(NAME, &honest[..at]).unwrap_err();
            assert!(cut.is_torn() || at + 1 == honest.len(), "{at} bytes");
        }
    }

    #[test]
    fn white_space_that_means_nothing_is_noticed_too() {
        for text in [[&sealed()[..], b" "].concat(), [b" ", &sealed()[..]].concat()] {
            assert!(matches!(unseal::<Value>(NAME, &text), Err(SealError::Broken)));
        }
    }

    #[test]
    fn a_record_in_the_place_of_another_is_not_believed() {
        let misplaced = unseal::<Value>("runs/day/other/end.json", &sealed());
        assert!(matches!(misplaced, Err(SealError::Misplaced(name)) if name == NAME));
        // of another shape than what belongs there
        let misplaced = unseal::<Vec<u8>>("runs/day/other/end.json", &sealed());
        assert!(matches!(misplaced, Err(SealError::Misplaced(name)) if name == NAME));
        assert!(matches!(unseal::<Vec<u8>>(NAME, &sealed()), Err(SealError::Unreadable(_))));
    }

    #[test]
    fn the_seal_can_be_checked_with_the_tools_of_every_system() {
        let text = String::from_utf8(sealed()).unwrap();
        let after_two_lines = text.splitn(3, '\n').last().unwrap();
        assert!(text.contains(&Digest::of(after_two_lines.as_bytes()).to_string()));
    }

    #[test]
    fn a_record_of_version_0_1_is_read_under_any_name() {
        let body = json!({"rows": 300});
        let digest = Digest::of(&canonical_json(&body).unwrap());
        let old = |digest: &str| {
            let text = serde_json::to_string_pretty(&json!({"sha256": digest, "body": body})).unwrap();
            unseal::<Value>("any", format!("{text}\n").as_bytes())
        };
        assert_eq!(old(&digest.to_string()).unwrap()["rows"], 300);
        assert!(matches!(old(&Digest::of(b"").to_string()), Err(SealError::Broken)));
    }
}
