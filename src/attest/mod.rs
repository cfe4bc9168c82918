//! Statements that others can verify without this program: in-toto statements, signed in DSSE envelopes with Ed25519.
//!
//! | what | specification |
//! |---|---|
//! | [`Statement`] | in-toto Attestation Framework, Statement v1 |
//! | [`pae`], [`Envelope`] | DSSE 1.0.0 |
//! | [`SigningKey`], [`VerifyingKey`] | Ed25519 of RFC 8032; PKCS#8 and SubjectPublicKeyInfo in PEM, as openssl writes them |
//!
//! A statement is canonical JSON (RFC 8785), and an Ed25519 signature has no random part: the same facts and the same key
//! give the same bytes. Nothing here reads a file, a clock or the environment.
//!
//! Not guaranteed: that whoever signed had looked. A signature says who wrote a statement, not that it is true.

mod dsse;
mod key;
mod statement;

pub use dsse::{Envelope, EnvelopeError, EnvelopeSignature, STATEMENT_TYPE, pae};
pub use key::{KeyError, SigningKey, VerifyingKey};
pub use statement::{Resource, STATEMENT_V1, Statement};

/// This program as a package URL: what statements and events name as their maker.
pub const PROGRAM: &str = "pkg:generic/walkforward";
/// This program at its version.
pub const PROGRAM_VERSION: &str = concat!("pkg:generic/walkforward@", env!("CARGO_PKG_VERSION"));
