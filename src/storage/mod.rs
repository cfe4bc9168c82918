//! Where objects live: a local folder or a bucket, behind one small interface.
//!
//! Every object is written once. The only concurrency primitive is *create if absent*: it is the strongest one that
//! a local disk and S3 share. Nothing above this module knows which of the two it talks to.
//!
//! | file | holds |
//! |---|---|
//! | `access.rs` | an address and the surroundings to an open store: folder, `s3://`, `gs://`, `az://` |
//! | `profile.rs` | what `~/.aws` says, and what it says that is not understood |
//! | `objects.rs` | reading, creating, removing, listing |
//! | `large.rs` | objects that are too large to be held in memory: parts, ranges, digests |
//! | `commit.rs` | a create whose outcome is known for certain, also when its answer was lost |
//! | `probe.rs` | whether create if absent holds, tried out |
//! | `lock` | locks, which save work and on which nothing rests |
//! | `fault` | faults on purpose, for tests |
//! | `leftovers.rs` | what a killed write leaves on disk |
//!
//! On a local disk, objects below `registry/`, `books/` and `pins/` are flushed to disk with the folders that name them before a create is
//! answered, and [`Storage::flush`] does the same for what an entry refers to. Not guaranteed: that other objects survive a
//! power loss. They are read back by digest or by seal, so a torn one counts as absent and is made again.

mod access;
mod commit;
mod error;
mod fault;
mod large;
mod leftovers;
mod lock;
mod objects;
mod probe;
mod profile;
#[cfg(test)]
pub(crate) mod simulated;

pub use access::Access;
pub use commit::Committed;
pub use error::StorageError;
pub use fault::{Fault, FaultPlan, Faults, Point, Stage};
pub use large::Summary;
pub use lock::{Acquired, Holder, Lock};
pub use objects::{Created, Object, Storage};
pub use probe::ProbeReport;
pub use profile::ProfileError;
