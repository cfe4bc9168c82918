//! What everything else stands on: digests, seeds, time, canonical bytes, cancellation, text with spans.
//!
//! Nothing in here reads a clock, the environment or a random device.

mod cancel;
mod canonical;
#[cfg(test)]
pub(crate) mod conformance;
mod digest;
mod located;
pub mod schema;
mod seed;
mod time;
pub mod yaml;

pub use cancel::{CancelToken, Cancelled};
pub use canonical::{CanonicalError, canonical_json, canonical_of};
pub use digest::{Digest, DigestError, Hasher};
pub use located::{Located, Problem, Span, nearest};
pub use seed::{RandomStream, Seed};
pub use time::{Days, MICROS_PER_DAY, TimeError, Timestamp};
