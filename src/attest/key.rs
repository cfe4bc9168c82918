//! Ed25519 keys, as `openssl genpkey -algorithm ed25519` writes them.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};

use crate::base::Digest;

/// What stands before the 32 bytes of an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410).
const PUBLIC_KEY_HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A text that holds no key that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is no private key in PEM.
    #[error(
        "expected a private key in PEM (`-----BEGIN PRIVATE KEY-----`), as `openssl genpkey -algorithm ed25519` writes it"
    )]
    NoPrivateKey,
    /// It is no public key in PEM.
    #[error("expected a public key in PEM (`-----BEGIN PUBLIC KEY-----`), as `openssl pkey -pubout` writes it")]
    NoPublicKey,
    /// It is a key of another algorithm.
    #[error("expected an Ed25519 key, found one of another algorithm")]
    Algorithm,
}

/// A key that signs.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: VerifyingKey,
}

impl fmt::Debug for SigningKey {
    // the key itself is nobody's business
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public().id())
    }
}

impl SigningKey {
    /// Reads a private key: PKCS#8 in PEM.
    ///
    /// # Errors
    /// It is none, or not one of Ed25519.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes()).map_err(|_| KeyError::NoPrivateKey)?;
        // openssl leaves the public half out; it follows from the private one
        let pair =
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der()).map_err(|_| KeyError::Algorithm)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| KeyError::Algorithm)?;
        Ok(Self { pair, public: VerifyingKey(public) })
    }

    /// Signs a message: 64 bytes that depend on key and message alone.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }

    /// The key that verifies what this one signs.
    pub const fn public(&self) -> VerifyingKey {
        self.public
    }
}

/// A key that verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyingKey([u8; 32]);

impl VerifyingKey {
    /// Reads a public key: SubjectPublicKeyInfo in PEM.
    ///
    /// # Errors
    /// It is none, or not one of Ed25519.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes()).map_err(|_| KeyError::NoPublicKey)?;
        let key = der.as_ref().strip_prefix(&PUBLIC_KEY_HEAD).and_then(|key| key.try_into().ok());
        key.map(Self).ok_or(KeyError::Algorithm)
    }

    /// The SHA-256 of the key's SubjectPublicKeyInfo, as `openssl pkey -pubin -outform DER | sha256sum` prints it.
    pub fn id(&self) -> String {
        Digest::of(&[&PUBLIC_KEY_HEAD[..], &self.0].concat()).to_string()
    }

    /// Says whether this key's private half signed a message.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, section 7.1: name, public key, message, signature; the private keys are files, wrapped by openssl.
    const VECTORS: [(&str, &str, &str, &str); 3] = [
        (
            include_str!("../../tests/golden/attest/rfc8032-test1.pem"),
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            include_str!("../../tests/golden/attest/rfc8032-test2.pem"),
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            include_str!("../../tests/golden/attest/rfc8032-test3.pem"),
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ];

    #[test]
    fn signatures_are_those_of_rfc_8032() {
        for (pem, public, message, signature) in VECTORS {
            let key = SigningKey::from_pem(pem).unwrap();
            let message = hex::decode(message).unwrap();
            assert_eq!(hex::encode(key.public().0), public);
            assert_eq!(hex::encode(key.sign(&message)), signature);
            assert!(key.public().verify(&message, &hex::decode(signature).unwrap()));
            assert!(!key.public().verify(&[&message[..], b"x"].concat(), &hex::decode(signature).unwrap()));
        }
    }

    #[test]
    fn a_public_key_is_read_and_named_as_openssl_and_sha256sum_do() {
        let public = VerifyingKey::from_pem(include_str!("../../tests/golden/attest/rfc8032-test1.pub.pem")).unwrap();
        assert_eq!(public, SigningKey::from_pem(VECTORS[0].0).unwrap().public());
        let named = include_str!("../../tests/golden/attest/rfc8032-test1.keyid");
        assert_eq!(public.id(), named.trim());
    }

    #[test]
    fn what_is_no_ed25519_key_is_refused() {
        assert_eq!(SigningKey::from_pem("").unwrap_err(), KeyError::NoPrivateKey);
        assert_eq!(VerifyingKey::from_pem(VECTORS[0].0).unwrap_err(), KeyError::NoPublicKey);
        let other = include_str!("../../tests/golden/attest/p256.pem");
        assert_eq!(SigningKey::from_pem(other).unwrap_err(), KeyError::Algorithm);
        let other = include_str!("../../tests/golden/attest/p256.pub.pem");
        assert_eq!(VerifyingKey::from_pem(other).unwrap_err(), KeyError::Algorithm);
    }

    #[test]
    fn a_key_does_not_print_itself() {
        let key = SigningKey::from_pem(VECTORS[0].0).unwrap();
        assert_eq!(format!("{key:?}"), format!("SigningKey({})", key.public().id()));
    }
}
