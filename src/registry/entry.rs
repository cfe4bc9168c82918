//! What a slot of the log holds.
//!
//! | format | brought |
//! |---|---|
//! | 1 | `promote`, `rollback` |
//! | 2 | `propose`, `retire` |
//!
//! An entry is written in the oldest format that knows its action, so that a log without proposals stays one that older
//! programs read.

use serde::{Deserialize, Serialize};

use crate::artifact::ArtifactRef;
use crate::base::{Digest, Timestamp};

/// The newest format that this version reads.
pub(super) const NEWEST: u32 = 2;

/// A model that was or is in production, with everything that decided it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelVersion {
    /// The model.
    pub model: ArtifactRef,
    /// The strategy it scores signals of.
    pub strategy: ArtifactRef,
    /// The evaluation that the decision rests on.
    pub evaluation: ArtifactRef,
    /// Why, in one sentence with numbers.
    pub reason: String,
}

/// What an entry does to an alias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryAction {
    /// A new version takes the alias.
    Promote {
        /// The version.
        version: Box<ModelVersion>,
        /// Hash of everything that decided the promotion: the same decision is made once.
        deploy_id: Digest,
        /// End of the data window it was decided on.
        as_of: Timestamp,
        /// The person who agreed; `None` where the gate alone decided.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approved: Option<Approved>,
    },
    /// A new version waits for a person. Written since format 2.
    Propose {
        /// The version.
        version: Box<ModelVersion>,
        /// Hash of everything that decided: the same proposal is made once, and approved once.
        deploy_id: Digest,
        /// End of the data window it was decided on.
        as_of: Timestamp,
        /// The model that it was compared with; it must still hold the alias when a person agrees.
        expected: Option<Digest>,
    },
    /// A version may not hold an alias any more. Written since format 2.
    Retire {
        /// The slot of its promotion or proposal.
        slot: u64,
        /// Why, in the words of whoever did it.
        reason: String,
    },
    /// An earlier version takes the alias back.
    Rollback {
        /// The slot whose promotion is in force again; `None` for no champion at all.
        to: Option<u64>,
        /// Why, in the words of whoever did it.
        reason: String,
    },
}

impl EntryAction {
    /// The oldest format that knows this action.
    pub(super) const fn format(&self) -> u32 {
        match self {
            Self::Promote { .. } | Self::Rollback { .. } => 1,
            Self::Propose { .. } | Self::Retire { .. } => 2,
        }
    }

    /// Hash of everything that decided a promotion; `None` of another action.
    pub const fn deploy_id(&self) -> Option<Digest> {
        match self {
            Self::Promote { deploy_id, .. } => Some(*deploy_id),
            Self::Rollback { .. } | Self::Propose { .. } | Self::Retire { .. } => None,
        }
    }

    /// The version that it brings, and the window that it was decided on.
    pub fn version(&self) -> Option<(&ModelVersion, Timestamp)> {
        match self {
            Self::Promote { version, as_of, .. } | Self::Propose { version, as_of, .. } => Some((version, *as_of)),
            Self::Rollback { .. } | Self::Retire { .. } => None,
        }
    }

    /// Its name, for people.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Promote { .. } => "promote",
            Self::Rollback { .. } => "rollback",
            Self::Propose { .. } => "propose",
            Self::Retire { .. } => "retire",
        }
    }
}

/// A person's agreement to a promotion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approved {
    /// Who.
    pub by: String,
    /// Why, in their words.
    pub reason: String,
    /// The slot of the proposal, or of the version that was promoted by hand.
    pub slot: u64,
}

/// One slot of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Format of this record.
    pub format: u32,
    /// Its number, from 0.
    pub slot: u64,
    /// SHA-256 of the whole object in the slot before; `None` in slot 0.
    pub previous: Option<Digest>,
    /// The alias it is about.
    pub alias: String,
    /// What it does.
    pub action: EntryAction,
    /// When it was written.
    pub at: Timestamp,
    /// The run or the person that wrote it.
    pub by: String,
    /// Unique to the attempt: tells a lost answer from a lost race.
    pub txn: String,
}
