//! The registry of a store: reading logs, and appending to them exactly once.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};

use super::entry::{Entry, EntryAction};
use super::error::RegistryError;
use super::history::{Champion, History};
use crate::artifact::{ArtifactRef, Commit, Store, StoreError};
use crate::base::{Digest, Timestamp};

/// How many entries are read at once.
const AT_ONCE: usize = 8;

/// Format of the witnesses.
const WITNESS_FORMAT: u32 = 1;

/// Says beside a log that an entry was written: without it nobody could tell a log whose newest entries were removed from
/// one that was never longer. It is written after the entry, so an entry without a witness is no fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Witness {
    /// Format of this record.
    format: u32,
    /// The slot of the entry.
    slot: u64,
    /// SHA-256 of the whole object in it.
    entry: Digest,
}

/// The registry of a store.
#[derive(Clone, Debug)]
pub struct Registry {
    store: Store,
}

impl Registry {
    /// The registry kept in a store.
    pub const fn new(store: Store) -> Self {
        Self { store }
    }

    /// The store that it is kept in.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The models that have a log, sorted.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub async fn models(&self) -> Result<Vec<String>, RegistryError> {
        Ok(self.store.storage().folders("registry").await.map_err(StoreError::from)?)
    }

    /// Reads a model's log and checks slots, seals and chain.
    ///
    /// # Errors
    /// The log is broken, or the store cannot be reached.
    pub async fn history(&self, model: &str) -> Result<History, RegistryError> {
        let broken = |slot: u64, problem: &str| RegistryError::Broken {
            model: model.to_owned(),
            slot,
            problem: problem.to_owned(),
        };
        let names = self.store.storage().list(&log_folder(model)).await.map_err(StoreError::from)?;
        let listed = (0_u64..).zip(&names).map(|(slot, name)| (slot, name, slot_number(model, name)));
        let mut slots = 0;
        for (slot, name, number) in listed {
            slots = number.ok_or_else(|| broken(slot, &format!("`{name}` is no entry of a log")))? + 1;
        }
        let mut history = History::default();
        let mut read = stream::iter(0..slots).map(|slot| self.entry(model, slot)).buffered(AT_ONCE);
        while let Some(entry) = read.try_next().await? {
            let slot = history.entries.len() as u64;
            history.push(entry.ok_or_else(|| broken(slot, "the slot is missing"))?).map_err(|it| broken(slot, it))?;
        }
        let mut witnessed = false;
        loop {
            let slot = history.entries.len() as u64;
            // a list may be older than the log: where it ends, the log may go on
            if let Some(entry) = self.entry(model, slot).await? {
                history.push(entry).map_err(|problem| broken(slot, problem))?;
                witnessed = false;
            } else if witnessed {
                // decided on, it would be decided against a champion of the past
                let name = witness_name(model, slot);
                return Err(broken(
                    slot,
                    &format!(
                        "the entry is missing, and `{name}` says that it was written; restore it from a copy, or remove \
                         that file too if the entry is to be forgotten"
                    ),
                ));
            } else if self.has_witness(model, slot).await? {
                // written since we looked, or removed: another look tells
                witnessed = true;
            } else {
                return Ok(history);
            }
        }
    }

    /// Says whether an entry was ever written in a slot, as far as a witness of it is left.
    async fn has_witness(&self, model: &str, slot: u64) -> Result<bool, RegistryError> {
        Ok(self.store.storage().get(&witness_name(model, slot)).await.map_err(StoreError::from)?.is_some())
    }

    /// What is wrong with the witnesses of a log, in words: those that are damaged or speak of another entry.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub async fn false_witnesses(&self, model: &str, history: &History) -> Result<Vec<String>, RegistryError> {
        let mut found = Vec::new();
        for entry in &history.entries {
            let name = witness_name(model, entry.slot);
            match self.store.read_record::<Witness>(&name).await {
                Ok(Some(witness)) if Some(witness.entry) != history.object(entry.slot) => {
                    found.push(format!("`{name}` speaks of another entry than the one in slot {}", entry.slot));
                }
                Ok(_) => {}
                Err(StoreError::Record { source, .. }) => found.push(format!("`{name}`: {source}")),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(found)
    }

    /// Leaves a witness of an entry that was written just now. One that cannot be written is missed by nobody but who looks
    /// for removed entries: no reason to fail what is done.
    async fn bear_witness(&self, model: &str, slot: u64) {
        let name = witness_name(model, slot);
        let Ok(Some((_, entry))) = self.entry(model, slot).await else { return };
        let written = self.store.commit_record(&name, &Witness { format: WITNESS_FORMAT, slot, entry }).await;
        // somebody removed the whole store in between: a witness that is left alone would stand in the way of the next log
        if written.is_ok() && matches!(self.entry(model, slot).await, Ok(None)) {
            let _ = self.store.storage().remove(&name).await;
        }
    }

    /// The entry in a slot and the digest of its object; `None` where the slot is free.
    async fn entry(&self, model: &str, slot: u64) -> Result<Option<(Entry, Digest)>, RegistryError> {
        match self.store.read_sealed::<Entry>(&slot_name(model, slot)).await {
            Ok(found) => Ok(found.map(|(entry, bytes)| (entry, Digest::of(&bytes)))),
            Err(StoreError::Record { source, .. }) => {
                Err(RegistryError::Broken { model: model.to_owned(), slot, problem: source.to_string() })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Checks and flushes what an entry is about to refer to.
    pub(super) async fn make_durable(&self, artifacts: &[&ArtifactRef]) -> Result<(), RegistryError> {
        for artifact in artifacts {
            self.store.make_durable(artifact).await?;
        }
        Ok(())
    }

    /// Appends one entry if `decide` still wants to after seeing the newest log; somebody else's entry in our slot
    /// makes it look again. Nothing is appended to a store that lets several creates of one name win.
    pub(super) async fn append<T>(
        &self,
        model: &str,
        stamp: &Stamp,
        decide: impl Fn(&History) -> Result<Step<T>, RegistryError>,
    ) -> Result<T, RegistryError> {
        const ATTEMPTS: usize = 16;
        for _ in 0..ATTEMPTS {
            let history = self.history(model).await?;
            let (alias, action, by, done) = match decide(&history)? {
                Step::Stop(result) => return Ok(result),
                Step::Append { alias, action, by, done } => (alias, action, by, done),
            };
            self.store.require_exclusive_creates(&format!("{model}/{}", stamp.txn)).await?;
            let slot = history.entries.len() as u64;
            let entry = Entry {
                format: action.format(),
                slot,
                previous: history.last_object,
                alias,
                action,
                at: stamp.at,
                by: by.unwrap_or_else(|| stamp.by.clone()),
                txn: stamp.txn.clone(),
            };
            let name = slot_name(model, slot);
            if let Commit::Ours = self.store.commit_record(&name, &entry).await? {
                self.bear_witness(model, slot).await;
                return Ok(done(slot));
            }
        }
        Err(RegistryError::Contended(model.to_owned()))
    }

    /// Gives an alias back to an earlier version, or to none. Asked for what the newest entry has done already, it writes
    /// nothing: whoever asks again because an answer was lost must not go back twice.
    ///
    /// # Errors
    /// There is no such version, the log is broken, or the store cannot be reached.
    pub async fn rollback(
        &self,
        model: &str,
        alias: &str,
        to: RollbackTo,
        reason: &str,
        stamp: &Stamp,
    ) -> Result<RolledBack, RegistryError> {
        let (slot, target, repeated) = self
            .append(model, stamp, |history| {
                if let Some((slot, target)) = rolled_back_already(history, alias, to) {
                    return Ok(Step::Stop((slot, target, true)));
                }
                let target = rollback_target(history, model, alias, to)?;
                let action = EntryAction::Rollback { to: target, reason: reason.to_owned() };
                let done = Box::new(move |slot| (slot, target, false));
                Ok(Step::Append { alias: alias.to_owned(), action, by: None, done })
            })
            .await?;
        let history = self.history(model).await?;
        Ok(RolledBack { slot, champion: target.and_then(|target| history.promotion_in(alias, target)), repeated })
    }
}

/// What became of a rollback.
#[derive(Clone, Debug, PartialEq)]
pub struct RolledBack {
    /// The slot that records it.
    pub slot: u64,
    /// Who holds the alias again; `None` for nobody.
    pub champion: Option<Champion>,
    /// Whether it had been done before: then nothing was written.
    pub repeated: bool,
}

/// Where a rollback goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RollbackTo {
    /// To the champion before the one that was promoted last.
    Before,
    /// To the promotion in this slot.
    Slot(u64),
    /// To no champion at all.
    Nothing,
}

impl std::str::FromStr for RollbackTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::Nothing),
            slot => slot.parse().map(Self::Slot).map_err(|_| format!("expected a slot or `none`, found `{slot}`")),
        }
    }
}

/// Who writes an entry, when, and under which unique id.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// When.
    pub at: Timestamp,
    /// The run or person.
    pub by: String,
    /// Unique id of the attempt.
    pub txn: String,
}

/// What an appender wants after seeing the log.
pub(super) enum Step<T> {
    /// Nothing needs to be written.
    Stop(T),
    /// Write this; `done` turns the slot into the result, `by` is the run behind an entry that a person writes.
    Append { alias: String, action: EntryAction, by: Option<String>, done: Box<dyn Fn(u64) -> T + Send> },
}

/// The rollback that has done already what is asked for, and where it went: the newest entry of the alias, if it is one.
/// To go back further is asked for by its slot.
fn rolled_back_already(history: &History, alias: &str, to: RollbackTo) -> Option<(u64, Option<u64>)> {
    // proposals and retirements move no alias
    let moves = |entry: &&Entry| matches!(entry.action, EntryAction::Promote { .. } | EntryAction::Rollback { .. });
    let newest = history.entries.iter().rev().filter(moves).find(|entry| entry.alias == alias)?;
    let EntryAction::Rollback { to: went, .. } = &newest.action else { return None };
    let is_that = match to {
        RollbackTo::Before => true,
        RollbackTo::Slot(slot) => *went == Some(slot),
        RollbackTo::Nothing => went.is_none(),
    };
    is_that.then_some((newest.slot, *went))
}

/// The slot to go back to; `None` for no champion.
fn rollback_target(history: &History, model: &str, alias: &str, to: RollbackTo) -> Result<Option<u64>, RegistryError> {
    if let RollbackTo::Slot(slot) = to {
        if let Some(reason) = history.retired(slot) {
            return Err(RegistryError::Retired { model: model.to_owned(), slot, reason: reason.to_owned() });
        }
        if history.promotion_in(alias, slot).is_some() {
            return Ok(Some(slot));
        }
        let promotions = history.entries.iter().filter(|entry| history.promotion_in(alias, entry.slot).is_some());
        let known: Vec<String> = promotions.map(|entry| entry.slot.to_string()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Err(RegistryError::NoSuchVersion { model: model.to_owned(), alias: alias.to_owned(), slot, known });
    }
    let Some(current) = history.champion(alias) else {
        return Err(RegistryError::NothingToRollBack { model: model.to_owned(), alias: alias.to_owned() });
    };
    if to == RollbackTo::Nothing {
        return Ok(None);
    }
    match champion_before(history, alias, current.slot) {
        Some(slot) => Ok(Some(slot)),
        None => {
            Err(RegistryError::NothingBefore { model: model.to_owned(), alias: alias.to_owned(), slot: current.slot })
        }
    }
}

/// Who held an alias before a slot, and is not retired.
pub(super) fn champion_before(history: &History, alias: &str, slot: u64) -> Option<u64> {
    let mut before = slot;
    loop {
        let entries = history.entries.iter().take_while(|entry| entry.slot < before).cloned().collect();
        let earlier = History { entries, last_object: None }.champion(alias)?;
        if history.retired(earlier.slot).is_none() {
            return Some(earlier.slot);
        }
        before = earlier.slot;
    }
}

/// Says whether a text can name a model or an alias: a letter or digit, then letters, digits, `.`, `_` and `-`, so that it
/// is the same in a path, in a URL and in every store.
pub fn is_valid_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

/// What [`is_valid_name`] takes, as a regular expression.
pub const NAME_PATTERN: &str = "^[A-Za-z0-9][A-Za-z0-9._-]*$";

fn log_folder(model: &str) -> String {
    format!("registry/{model}/log")
}

/// The slot of an entry's name.
fn slot_number(model: &str, name: &str) -> Option<u64> {
    let slot = name.strip_prefix(&format!("{}/", log_folder(model)))?.strip_suffix(".json")?.parse().ok()?;
    (slot_name(model, slot) == name).then_some(slot)
}

fn witness_name(model: &str, slot: u64) -> String {
    format!("registry/{model}/written/{slot:020}.json")
}

fn slot_name(model: &str, slot: u64) -> String {
    format!("{}/{slot:020}.json", log_folder(model))
}
