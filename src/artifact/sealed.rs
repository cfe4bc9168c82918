//! Records that notice when one of their bytes has changed.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::base::{Digest, canonical_json};

/// A record that cannot be sealed or believed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Not JSON, or not of the expected shape.
    #[error("the record is not readable")]
    Unreadable(#[source] serde_json::Error),
    /// Its bytes are not those that were sealed.
    #[error("the record's body does not match its seal: it was changed after it was written")]
    Broken,
    /// The value has no canonical form.
    #[error(transparent)]
    Canonical(#[from] crate::base::CanonicalError),
}

/// Writes a record with the SHA-256 of its canonical body.
///
/// # Errors
/// The record does not serialise.
pub fn seal<T: Serialize>(record: &T) -> Result<Vec<u8>, SealError> {
    let body = serde_json::to_value(record).map_err(SealError::Unreadable)?;
    let digest = Digest::of(&canonical_json(&body)?);
    let mut text =
        serde_json::to_vec_pretty(&json!({"sha256": digest, "body": body})).map_err(SealError::Unreadable)?;
    text.push(b'\n');
    Ok(text)
}

/// Reads a sealed record back.
///
/// # Errors
/// The bytes are not a record of this shape, or were changed.
pub fn unseal<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, SealError> {
    let mut outer: Value = serde_json::from_slice(bytes).map_err(SealError::Unreadable)?;
    let claimed = outer.get("sha256").and_then(Value::as_str).unwrap_or_default().to_owned();
    let body = outer.get_mut("body").map(Value::take).ok_or(SealError::Broken)?;
    if Digest::of(&canonical_json(&body)?).to_string() != claimed {
        return Err(SealError::Broken);
    }
    serde_json::from_value(body).map_err(SealError::Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_value_is_noticed() {
        let bytes = seal(&json!({"auc": 0.7, "rows": 300})).unwrap();
        assert_eq!(unseal::<Value>(&bytes).unwrap()["rows"], 300);
        let text = String::from_utf8(bytes).unwrap().replace("0.7", "0.8");
        assert!(matches!(unseal::<Value>(text.as_bytes()), Err(SealError::Broken)));
    }
}
