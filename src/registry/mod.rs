//! The model registry: an append-only log a model, and what follows from it.
//!
//! There is no pointer object: the champion is what a replay of the log says. An entry is one object in a numbered slot
//! that can be created once, so of two deployments at the same moment exactly one gets the slot. Each entry holds the
//! SHA-256 of the one before it. Entries are never changed and never deleted; `registry/<model>/written` says of each that it was
//! written, so that a log whose newest entries were removed is refused. What people do by hand (approve, promote, roll
//! back, retire) is an entry like any other, with who and why.
//!
//! Replaying a log *as of* a data window leaves out promotions made from that window or a later one: a run that is
//! repeated meets the champion it met the first time, and a backfill never meets a model from its future. A rollback
//! counts unless it undoes or restores a promotion that is left out.

mod approval;
mod client;
mod entry;
mod error;
pub mod gate;
mod history;
mod log;
#[cfg(test)]
mod schedules;
mod search;

pub use approval::{ByHand, HandOutcome};
pub use client::{PromotionOutcome, PromotionRequest, RegistryClient};
pub use entry::{Approved, Entry, EntryAction, ModelVersion};
pub use error::RegistryError;
pub use history::{Champion, History, Standing, VersionState};
pub use log::{NAME_PATTERN, Registry, RollbackTo, RolledBack, Stamp, is_valid_name};
pub use search::SearchNumbers;
