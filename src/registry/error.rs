//! What can go wrong with the registry.

use crate::artifact::{SealError, StoreError};

/// What can go wrong with the registry.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An entry cannot be written.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The log has a hole or an entry that does not follow from the one before it.
    #[error("the registry log of `{model}` is broken at slot {slot}: {problem}")]
    Broken {
        /// The model.
        model: String,
        /// The slot.
        slot: u64,
        /// What is wrong.
        problem: String,
    },
    /// There is nothing to roll back.
    #[error("`{model}` has no {alias} to roll back")]
    NothingToRollBack {
        /// The model.
        model: String,
        /// The alias.
        alias: String,
    },
    /// The champion is the first there was.
    #[error("slot {slot} is the first {alias} of `{model}`: there is none to return to; say `--to none` to go without")]
    NothingBefore {
        /// The model.
        model: String,
        /// The alias.
        alias: String,
        /// Its slot.
        slot: u64,
    },
    /// The slot asked for holds no promotion of this alias.
    #[error("slot {slot} of `{model}` promotes no {alias}; promotions: {known}")]
    NoSuchVersion {
        /// The model.
        model: String,
        /// The alias.
        alias: String,
        /// The slot asked for.
        slot: u64,
        /// Slots that would do.
        known: String,
    },
    /// The slot asked for holds no proposal that waits.
    #[error("slot {slot} of `{model}` is no proposal that waits for approval; proposals that wait: {known}")]
    NoSuchProposal {
        /// The model.
        model: String,
        /// The slot asked for.
        slot: u64,
        /// Slots that would do.
        known: String,
    },
    /// Which proposal is meant cannot be said.
    #[error("`{model}` has {} proposals that wait for approval{}", count, if known.is_empty() { String::new() } else { format!(": slots {known}; say which with `--slot`") })]
    WhichProposal {
        /// The model.
        model: String,
        /// How many wait.
        count: usize,
        /// Their slots.
        known: String,
    },
    /// The alias is held by another model than the one that was compared with.
    #[error(
        "{alias} of `{model}` is now held by {found}, with which slot {slot} was not compared; retire it and decide anew"
    )]
    Overtaken {
        /// The model.
        model: String,
        /// The alias.
        alias: String,
        /// The proposal.
        slot: u64,
        /// Who holds the alias.
        found: String,
    },
    /// A retired version was asked for.
    #[error("slot {slot} of `{model}` is retired: {reason}")]
    Retired {
        /// The model.
        model: String,
        /// The slot.
        slot: u64,
        /// Why it was retired.
        reason: String,
    },
    /// A version that serves cannot be retired.
    #[error("slot {slot} of `{model}` holds {alias}: roll back or promote another version first")]
    StillServing {
        /// The model.
        model: String,
        /// The slot.
        slot: u64,
        /// The alias.
        alias: String,
    },
    /// Other writers took every slot that we tried.
    #[error("the registry log of `{0}` is written to faster than we can append; try again")]
    Contended(String),
}
