//! What people, and probation, do to a log: proposals, approvals, promotions by hand, retirement.
//!
//! Each is one entry in one slot, written only if it still follows from the newest log, and told apart from its own
//! repetition: who approves twice is told the slot of the first time.

use super::client::{PromotionOutcome, PromotionRequest};
use super::entry::{Approved, Entry, EntryAction};
use super::error::RegistryError;
use super::history::History;
use super::log::{Registry, Stamp, Step, champion_before};
use crate::base::{Digest, Timestamp};

/// Who does something by hand, and why.
#[derive(Clone, Debug)]
pub struct ByHand {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// What became of something done by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandOutcome {
    /// It was written to this slot.
    Done(u64),
    /// It was done before, in this slot.
    Already(u64),
}

impl HandOutcome {
    /// The slot that holds it.
    pub const fn slot(self) -> u64 {
        match self {
            Self::Done(slot) | Self::Already(slot) => slot,
        }
    }
}

/// Puts a promotion before a person, exactly once.
pub(super) async fn propose(
    registry: &Registry,
    request: &PromotionRequest,
    stamp: &Stamp,
) -> Result<PromotionOutcome, RegistryError> {
    let version = &request.version;
    registry.make_durable(&[&version.model, &version.strategy, &version.evaluation]).await?;
    let decide = |history: &History| {
        if let Some(done) = history.promotion(request.deploy_id) {
            return Ok(Step::Stop(PromotionOutcome::Duplicate(done.slot)));
        }
        if let Some(waits) = history.proposal(request.deploy_id) {
            return Ok(Step::Stop(PromotionOutcome::Promoted(waits.slot)));
        }
        let found = history.champion(&request.alias).map(|champion| champion.version.model.sha256);
        if found != request.expected {
            return Ok(Step::Stop(PromotionOutcome::ChampionChanged { found }));
        }
        let action = EntryAction::Propose {
            version: Box::new(version.clone()),
            deploy_id: request.deploy_id,
            as_of: request.as_of,
            expected: request.expected,
        };
        let done = Box::new(PromotionOutcome::Promoted);
        Ok(Step::Append { alias: request.alias.clone(), action, by: None, done })
    };
    registry.append(&request.model, stamp, decide).await
}

/// Gives an alias back to the champion before, if `slot` was promoted last and nothing has moved the alias since.
pub(super) async fn end_probation(
    registry: &Registry,
    model: &str,
    alias: &str,
    slot: u64,
    reason: &str,
    stamp: &Stamp,
) -> Result<Option<u64>, RegistryError> {
    let decide = |history: &History| {
        let moves = |entry: &&Entry| {
            entry.alias == alias && matches!(entry.action, EntryAction::Promote { .. } | EntryAction::Rollback { .. })
        };
        let last = history.entries.iter().rev().find(moves).map(|entry| entry.slot);
        let to = champion_before(history, alias, slot);
        if last != Some(slot) || to.is_none() {
            return Ok(Step::Stop(None));
        }
        let action = EntryAction::Rollback { to, reason: reason.to_owned() };
        Ok(Step::Append { alias: alias.to_owned(), action, by: None, done: Box::new(Some) })
    };
    registry.append(model, stamp, decide).await
}

impl Registry {
    /// Approves a proposal: the one in `slot`, or the only one that waits. Exactly once.
    ///
    /// # Errors
    /// There is no such proposal, the alias was given to another model since, or the store cannot be reached.
    pub async fn approve(
        &self,
        model: &str,
        slot: Option<u64>,
        hand: &ByHand,
        stamp: &Stamp,
    ) -> Result<HandOutcome, RegistryError> {
        self.keep_whole(model, slot).await?;
        let decide = |history: &History| {
            let proposal = proposal_in(history, model, slot)?;
            let EntryAction::Propose { version, deploy_id, as_of, expected } = &proposal.action else {
                return Err(no_such_proposal(history, model, proposal.slot));
            };
            if let Some(done) = history.promotion(*deploy_id) {
                return Ok(Step::Stop(HandOutcome::Already(done.slot)));
            }
            refuse_retired(history, model, proposal.slot)?;
            let found = history.champion(&proposal.alias).map(|champion| champion.version.model.sha256);
            if found != *expected {
                return Err(RegistryError::Overtaken {
                    model: model.to_owned(),
                    alias: proposal.alias.clone(),
                    slot: proposal.slot,
                    found: found.map_or("nobody".to_owned(), |digest| digest.short()),
                });
            }
            let approved = Approved { by: hand.by.clone(), reason: hand.reason.clone(), slot: proposal.slot };
            let action = EntryAction::Promote {
                version: version.clone(),
                deploy_id: *deploy_id,
                as_of: *as_of,
                approved: Some(approved),
            };
            Ok(Step::Append {
                alias: proposal.alias.clone(),
                action,
                by: Some(proposal.by.clone()),
                done: Box::new(HandOutcome::Done),
            })
        };
        self.append(model, stamp, decide).await
    }

    /// Gives an alias to a version of the log, whatever the gate said. Exactly once while nobody else takes the alias.
    ///
    /// # Errors
    /// The slot holds no version, it is retired, or the store cannot be reached.
    pub async fn promote_version(
        &self,
        model: &str,
        slot: u64,
        alias: &str,
        hand: &ByHand,
        stamp: &Stamp,
    ) -> Result<HandOutcome, RegistryError> {
        self.keep_whole(model, Some(slot)).await?;
        let decide = |history: &History| {
            let entry = history.entries.iter().find(|entry| entry.slot == slot);
            let Some((entry, (version, _))) = entry.and_then(|entry| Some((entry, entry.action.version()?))) else {
                let versions = history.entries.iter().filter(|entry| entry.action.version().is_some());
                let known = slots(versions);
                return Err(RegistryError::NoSuchVersion {
                    model: model.to_owned(),
                    alias: alias.to_owned(),
                    slot,
                    known,
                });
            };
            refuse_retired(history, model, slot)?;
            let current = history.champion(alias);
            if let Some(champion) = current.as_ref().filter(|champion| champion.version.model == version.model) {
                return Ok(Step::Stop(HandOutcome::Already(champion.slot)));
            }
            let replaced = current.map_or("nobody".to_owned(), |champion| champion.slot.to_string());
            let deploy_id =
                Digest::of(format!("by hand: slot {slot} takes {alias} from {replaced}, {}", stamp.txn).as_bytes());
            // runs of windows that were decided already go on meeting the champion that they met
            let newest =
                history.entries.iter().filter_map(|entry| entry.action.version()).map(|(_, as_of)| as_of).max();
            let action = EntryAction::Promote {
                version: Box::new(version.clone()),
                deploy_id,
                as_of: newest.unwrap_or(Timestamp::from_micros(0)),
                approved: Some(Approved { by: hand.by.clone(), reason: hand.reason.clone(), slot }),
            };
            let by = Some(entry.by.clone());
            Ok(Step::Append { alias: alias.to_owned(), action, by, done: Box::new(HandOutcome::Done) })
        };
        self.append(model, stamp, decide).await
    }

    /// Takes a version out of service for good. Exactly once.
    ///
    /// # Errors
    /// The slot holds no version, or one that serves, or the store cannot be reached.
    pub async fn retire(
        &self,
        model: &str,
        slot: u64,
        hand: &ByHand,
        stamp: &Stamp,
    ) -> Result<HandOutcome, RegistryError> {
        let decide = |history: &History| {
            let done =
                |entry: &&Entry| matches!(entry.action, EntryAction::Retire { slot: found, .. } if found == slot);
            if let Some(done) = history.entries.iter().find(done) {
                return Ok(Step::Stop(HandOutcome::Already(done.slot)));
            }
            let entry = history.entries.iter().find(|entry| entry.slot == slot && entry.action.version().is_some());
            let Some(entry) = entry else {
                let known = slots(history.entries.iter().filter(|entry| entry.action.version().is_some()));
                let alias = "version".to_owned();
                return Err(RegistryError::NoSuchVersion { model: model.to_owned(), alias, slot, known });
            };
            let serves = |alias: &&str| history.champion(alias).is_some_and(|champion| champion.slot == slot);
            if let Some(alias) = history.aliases().into_iter().find(serves) {
                return Err(RegistryError::StillServing { model: model.to_owned(), slot, alias: alias.to_owned() });
            }
            let action = EntryAction::Retire { slot, reason: hand.reason.clone() };
            let done = Box::new(HandOutcome::Done);
            Ok(Step::Append { alias: entry.alias.clone(), action, by: None, done })
        };
        let stamp = Stamp { by: hand.by.clone(), ..stamp.clone() };
        self.append(model, &stamp, decide).await
    }

    /// Reads every byte of the version that is about to serve, and flushes it.
    async fn keep_whole(&self, model: &str, slot: Option<u64>) -> Result<(), RegistryError> {
        let history = self.history(model).await?;
        let entry = match slot {
            Some(slot) => history.entries.iter().find(|entry| entry.slot == slot),
            None => history.waiting().first().copied(),
        };
        match entry.and_then(|entry| entry.action.version()) {
            Some((version, _)) => self.make_durable(&[&version.model, &version.strategy, &version.evaluation]).await,
            // what is wrong with the slot is said by whoever asked
            None => Ok(()),
        }
    }
}

fn slots<'a>(entries: impl Iterator<Item = &'a Entry>) -> String {
    let slots: Vec<String> = entries.map(|entry| entry.slot.to_string()).collect();
    if slots.is_empty() { "none".to_owned() } else { slots.join(", ") }
}

fn proposal_in<'a>(history: &'a History, model: &str, slot: Option<u64>) -> Result<&'a Entry, RegistryError> {
    match slot {
        Some(slot) => history
            .entries
            .iter()
            .find(|entry| entry.slot == slot && matches!(entry.action, EntryAction::Propose { .. }))
            .ok_or_else(|| no_such_proposal(history, model, slot)),
        None => match history.waiting()[..] {
            [only] => Ok(only),
            ref several => Err(RegistryError::WhichProposal {
                model: model.to_owned(),
                count: several.len(),
                known: if several.is_empty() { String::new() } else { slots(several.iter().copied()) },
            }),
        },
    }
}

fn no_such_proposal(history: &History, model: &str, slot: u64) -> RegistryError {
    RegistryError::NoSuchProposal { model: model.to_owned(), slot, known: slots(history.waiting().into_iter()) }
}

fn refuse_retired(history: &History, model: &str, slot: u64) -> Result<(), RegistryError> {
    match history.retired(slot) {
        Some(reason) => Err(RegistryError::Retired { model: model.to_owned(), slot, reason: reason.to_owned() }),
        None => Ok(()),
    }
}
