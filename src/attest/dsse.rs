//! DSSE: a payload, what it is, and signatures over both.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde::{Deserialize, Serialize};

use super::key::{SigningKey, VerifyingKey};

/// The payload type of an in-toto statement.
pub const STATEMENT_TYPE: &str = "application/vnd.in-toto+json";

/// What a signature is made over: `"DSSEv1" SP LEN(type) SP type SP LEN(body) SP body`.
///
/// # References
/// DSSE Protocol 1.0.0, Signature Definition.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// A signed payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The payload in base64.
    pub payload: String,
    /// What the payload is.
    #[serde(rename = "payloadType")]
    pub payload_type: String,
    /// Signatures over type and payload.
    pub signatures: Vec<EnvelopeSignature>,
}

/// One signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvelopeSignature {
    /// Which key made it: a hint, never a reason to believe it.
    #[serde(default)]
    pub keyid: String,
    /// The signature in base64.
    pub sig: String,
}

/// An envelope that cannot be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Payload or signature is no base64.
    #[error("the envelope's {0} is no base64")]
    Base64(&'static str),
    /// The payload is of another type.
    #[error("expected a payload of type `{expected}`, found `{found}`")]
    Type {
        /// What the reader understands.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// No signature is by this key.
    #[error("none of its {signatures} signatures is by the key {key}")]
    Signature {
        /// How many there are.
        signatures: usize,
        /// The key that was asked for.
        key: String,
    },
}

impl Envelope {
    /// Signs a payload.
    pub fn sign(payload_type: &str, payload: &[u8], key: &SigningKey) -> Self {
        let signature = key.sign(&pae(payload_type, payload));
        Self {
            payload: STANDARD.encode(payload),
            payload_type: payload_type.to_owned(),
            signatures: vec![EnvelopeSignature { keyid: key.public().id(), sig: STANDARD.encode(signature) }],
        }
    }

    /// The payload, whoever signed it.
    ///
    /// # Errors
    /// It is no base64.
    pub fn payload(&self) -> Result<Vec<u8>, EnvelopeError> {
        decode(&self.payload).ok_or(EnvelopeError::Base64("payload"))
    }

    /// The payload of an in-toto statement, if one of the signatures is by this key.
    ///
    /// # Errors
    /// No signature is by the key, or the payload is something else.
    pub fn verify(&self, key: &VerifyingKey) -> Result<Vec<u8>, EnvelopeError> {
        let payload = self.payload()?;
        if self.payload_type != STATEMENT_TYPE {
            return Err(EnvelopeError::Type { expected: STATEMENT_TYPE, found: self.payload_type.clone() });
        }
        let signed = pae(&self.payload_type, &payload);
        let by_key =
            |signature: &EnvelopeSignature| decode(&signature.sig).is_some_and(|sig| key.verify(&signed, &sig));
        if self.signatures.iter().any(by_key) {
            return Ok(payload);
        }
        Err(EnvelopeError::Signature { signatures: self.signatures.len(), key: key.id() })
    }
}

/// Standard or URL-safe base64: a verifier must take either.
fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_pem(include_str!("../../tests/golden/attest/rfc8032-test1.pem")).unwrap()
    }

    #[test]
    fn the_encoding_is_that_of_the_specification() {
        // DSSE Protocol 1.0.0, Test Vectors
        let encoded = pae("http://example.com/HelloWorld", b"hello world");
        assert_eq!(encoded, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
        // lengths are bytes, not characters
        assert_eq!(pae("é", b""), "DSSEv1 2 é 0 ".as_bytes());
    }

    #[test]
    fn the_envelope_of_the_specification_is_read() {
        let text = r#"{"payload": "aGVsbG8gd29ybGQ=", "payloadType": "http://example.com/HelloWorld",
            "signatures": [{"sig": "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="}]}"#;
        let envelope: Envelope = serde_json::from_str(text).unwrap();
        assert_eq!(envelope.payload().unwrap(), b"hello world");
        assert!(matches!(envelope.verify(&key().public()), Err(EnvelopeError::Type { .. })));
    }

    #[test]
    fn what_was_signed_is_verified_and_nothing_else() {
        let envelope = Envelope::sign(STATEMENT_TYPE, b"{}", &key());
        assert_eq!(envelope, Envelope::sign(STATEMENT_TYPE, b"{}", &key()), "a signature has no random part");
        assert_eq!(envelope.verify(&key().public()).unwrap(), b"{}");

        let mut changed = envelope.clone();
        changed.payload = STANDARD.encode(b"{ }");
        assert!(matches!(changed.verify(&key().public()), Err(EnvelopeError::Signature { signatures: 1, .. })));
        let mut of_another_type = envelope.clone();
        of_another_type.payload_type = "application/json".to_owned();
        assert!(of_another_type.verify(&key().public()).is_err());
        let mut unsigned = envelope;
        unsigned.signatures.clear();
        assert!(unsigned.verify(&key().public()).is_err());
    }

    #[test]
    fn url_safe_base64_is_read_as_well() {
        let mut envelope = Envelope::sign(STATEMENT_TYPE, b"???>>>", &key());
        envelope.payload = URL_SAFE.encode(b"???>>>");
        assert!(envelope.payload.contains(['-', '_']));
        envelope.signatures[0].sig = envelope.signatures[0].sig.replace('+', "-").replace('/', "_");
        assert_eq!(envelope.verify(&key().public()).unwrap(), b"???>>>");
    }
}
