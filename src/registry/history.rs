//! The log of a model, checked, and what a replay of it says.

use serde::Serialize;

use super::entry::{Entry, EntryAction, ModelVersion, NEWEST};
use crate::base::{Digest, Timestamp};

/// The champion of a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Champion {
    /// The slot whose promotion is in force.
    pub slot: u64,
    /// The version.
    pub version: ModelVersion,
    /// End of the data window it was decided on.
    pub as_of: Timestamp,
}

/// What has become of a promotion since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It holds the alias.
    Holds,
    /// A later promotion took the alias.
    Succeeded,
    /// It was rolled back.
    RolledBack,
}

/// The whole log of a model, checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Entries by slot.
    pub entries: Vec<Entry>,
    pub(super) last_object: Option<Digest>,
}

impl History {
    /// Who holds an alias now.
    pub fn champion(&self, alias: &str) -> Option<Champion> {
        self.replay(alias, None)
    }

    /// Who holds an alias for a data window that ends at `as_of`: promotions from that window or later do not count.
    pub fn champion_as_of(&self, alias: &str, as_of: Timestamp) -> Option<Champion> {
        self.replay(alias, Some(as_of))
    }

    /// The promotion that a decision led to.
    pub fn promotion(&self, deploy_id: Digest) -> Option<&Entry> {
        self.entries
            .iter()
            .find(|entry| matches!(&entry.action, EntryAction::Promote { deploy_id: found, .. } if *found == deploy_id))
    }

    /// The digest of the object in a slot.
    pub(super) fn object(&self, slot: u64) -> Option<Digest> {
        match usize::try_from(slot + 1).ok().and_then(|next| self.entries.get(next)) {
            Some(next) => next.previous,
            None => self.last_object,
        }
    }

    /// Takes the next entry, if it follows from the one before it.
    pub(super) fn push(&mut self, (entry, object): (Entry, Digest)) -> Result<(), &'static str> {
        if entry.format > NEWEST {
            return Err("its format is newer than this program");
        }
        if entry.slot != self.entries.len() as u64 || entry.previous != self.last_object {
            return Err("it does not follow from the entry before it");
        }
        self.entries.push(entry);
        self.last_object = Some(object);
        Ok(())
    }

    pub(super) fn promotion_in(&self, alias: &str, slot: u64) -> Option<Champion> {
        let entry = self.entries.iter().find(|entry| entry.slot == slot && entry.alias == alias)?;
        match &entry.action {
            EntryAction::Promote { version, as_of, .. } => {
                Some(Champion { slot, version: (**version).clone(), as_of: *as_of })
            }
            EntryAction::Rollback { .. } | EntryAction::Propose { .. } | EntryAction::Retire { .. } => None,
        }
    }

    fn replay(&self, alias: &str, before: Option<Timestamp>) -> Option<Champion> {
        let hidden = |slot: u64| {
            let promotion = self.promotion_in(alias, slot);
            before.is_some_and(|limit| promotion.is_some_and(|champion| champion.as_of >= limit))
        };
        // `real` holds the alias in truth, `seen` as this replay may see it
        let (mut real, mut seen) = (None, None);
        for entry in self.entries.iter().filter(|entry| entry.alias == alias) {
            match &entry.action {
                EntryAction::Promote { .. } => {
                    real = Some(entry.slot);
                    if !hidden(entry.slot) {
                        seen = real;
                    }
                }
                EntryAction::Rollback { to, .. } => {
                    // what undoes or restores something hidden is itself hidden
                    if !real.is_some_and(hidden) && !to.is_some_and(hidden) {
                        seen = *to;
                    }
                    real = *to;
                }
                EntryAction::Propose { .. } | EntryAction::Retire { .. } => {}
            }
        }
        self.promotion_in(alias, seen?)
    }

    /// What has become of a promotion.
    pub fn standing(&self, deploy_id: Digest) -> Option<Standing> {
        let promotion = self.promotion(deploy_id)?;
        let mut standing = Standing::Holds;
        let later = self.entries.iter().filter(|entry| entry.alias == promotion.alias && entry.slot > promotion.slot);
        for entry in later {
            standing = match (&entry.action, standing) {
                (EntryAction::Promote { .. }, Standing::Holds) => Standing::Succeeded,
                (EntryAction::Rollback { to, .. }, _) if *to == Some(promotion.slot) => Standing::Holds,
                (EntryAction::Rollback { .. }, Standing::Holds) => Standing::RolledBack,
                (_, unchanged) => unchanged,
            };
        }
        Some(standing)
    }

    /// The proposal that a decision led to.
    pub fn proposal(&self, deploy_id: Digest) -> Option<&Entry> {
        self.entries
            .iter()
            .find(|entry| matches!(&entry.action, EntryAction::Propose { deploy_id: found, .. } if *found == deploy_id))
    }

    /// Why a version was retired, if it was.
    pub fn retired(&self, slot: u64) -> Option<&str> {
        self.entries.iter().find_map(|entry| match &entry.action {
            EntryAction::Retire { slot: found, reason } if *found == slot => Some(reason.as_str()),
            _ => None,
        })
    }

    /// Proposals that a person has neither approved nor retired.
    pub fn waiting(&self) -> Vec<&Entry> {
        let waits = |entry: &&Entry| match &entry.action {
            EntryAction::Propose { deploy_id, .. } => {
                self.promotion(*deploy_id).is_none() && self.retired(entry.slot).is_none()
            }
            _ => false,
        };
        self.entries.iter().filter(waits).collect()
    }

    /// Every alias that was ever given, sorted.
    pub fn aliases(&self) -> Vec<&str> {
        let promoted = self.entries.iter().filter(|entry| matches!(entry.action, EntryAction::Promote { .. }));
        let mut aliases: Vec<&str> = promoted.map(|entry| entry.alias.as_str()).collect();
        aliases.sort_unstable();
        aliases.dedup();
        aliases
    }

    /// What has become of the version in a slot; `None` where the slot holds none.
    pub fn state(&self, slot: u64) -> Option<VersionState> {
        let entry = self.entries.iter().find(|entry| entry.slot == slot)?;
        if self.retired(slot).is_some() {
            return entry.action.version().map(|_| VersionState::Retired);
        }
        match &entry.action {
            EntryAction::Propose { deploy_id, .. } if self.promotion(*deploy_id).is_some() => {
                Some(VersionState::Approved)
            }
            EntryAction::Propose { .. } => Some(VersionState::Waiting),
            EntryAction::Promote { deploy_id, .. } => self.standing(*deploy_id).map(|standing| match standing {
                Standing::Holds => VersionState::Serving,
                Standing::Succeeded => VersionState::Succeeded,
                Standing::RolledBack => VersionState::RolledBack,
            }),
            EntryAction::Rollback { .. } | EntryAction::Retire { .. } => None,
        }
    }
}

/// What has become of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionState {
    /// It holds its alias.
    Serving,
    /// A later promotion took the alias.
    Succeeded,
    /// It was rolled back.
    RolledBack,
    /// It waits for approval.
    Waiting,
    /// It was approved: a later slot promotes it.
    Approved,
    /// It may not hold an alias any more.
    Retired,
}

impl VersionState {
    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Succeeded => "succeeded",
            Self::RolledBack => "rolled back",
            Self::Waiting => "waits for approval",
            Self::Approved => "approved",
            Self::Retired => "retired",
        }
    }
}
