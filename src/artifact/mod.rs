//! Immutable objects and the store that keeps them by digest.
//!
//! | object | name | written |
//! |---|---|---|
//! | format | `FORMAT` | once; an unknown number is refused |
//! | blob | `blobs/sha256/ab/cdef…` | bytes; the name is their SHA-256 |
//! | action | `actions/v1/ab/cdef….json` | fingerprint -> outputs and values of the node that had it |
//! | scratch | `scratch/<fingerprint>.json` | work in progress of a node; replaced whole, removed when the node is done |
//! | search | `studies/<search>/<study>.json` | trials that a study scored on the same data by the same metric; kept for good |
//! | look at a holdout | `openings/<name>/<look>.json` | that a node read what is kept back; kept for good |
//! | run record | `runs/<date>/<id>/…` | start, events, one record a node, end |
//! | pin | `pins/<id>.json` | a run or an object that garbage collection keeps |
//! | book entry | `books/<book>/<n>.json` | what signals would have done, in slots that are taken once; kept for good |
//! | registry entry | `registry/<model>/log/<n>.json` | promotions and rollbacks, in slots that are taken once |
//!
//! Readers hash what they read. What does not match its digest counts as absent and is made again, never believed.
//! Records other than blobs are *sealed*: they carry their name and the SHA-256 of their own bytes.

mod book;
mod check;
mod holdout;
mod large;
mod ledger;
mod scratch;
mod sealed;
mod store;
mod types;

pub use book::{Book, BookEntry, BookError, Books, book_names, read as read_book};
pub use check::StoreCheck;
pub use holdout::{HoldoutOpening, all_holdout_openings, holdout_openings};
pub use large::{LARGE, LargeFile, LargeFiles, Place};
pub use ledger::{HoldoutUse, Ledger, Searched, trials_on_record};
pub use scratch::Scratch;
pub use sealed::{SealError, seal, unseal};
pub use store::{Commit, Store, StoreError};
pub(crate) use store::{blob_name, reference_to};
pub use types::{Action, Artifact, ArtifactRef, ArtifactType, FileRef, MadeBy, Payload, Scalar};
