//! Entries, their chain, and the champion that a replay gives.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};

use crate::artifact::{ArtifactRef, Commit, SealError, Store, StoreError};
use crate::base::{Digest, Timestamp};

/// Format of the entries written by this version.
const FORMAT: u32 = 1;
/// How many entries are read at once.
const AT_ONCE: usize = 8;

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
    /// Hash of everything that decided a promotion; `None` of another action.
    pub const fn deploy_id(&self) -> Option<Digest> {
        match self {
            Self::Promote { deploy_id, .. } => Some(*deploy_id),
            Self::Rollback { .. } => None,
        }
    }
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
    /// Other writers took every slot that we tried.
    #[error("the registry log of `{0}` is written to faster than we can append; try again")]
    Contended(String),
}

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
    last_object: Option<Digest>,
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
    fn object(&self, slot: u64) -> Option<Digest> {
        match usize::try_from(slot + 1).ok().and_then(|next| self.entries.get(next)) {
            Some(next) => next.previous,
            None => self.last_object,
        }
    }

    /// Takes the next entry, if it follows from the one before it.
    fn push(&mut self, (entry, object): (Entry, Digest)) -> Result<(), &'static str> {
        if entry.format != FORMAT {
            return Err("its format is newer than this program");
        }
        if entry.slot != self.entries.len() as u64 || entry.previous != self.last_object {
            return Err("it does not follow from the entry before it");
        }
        self.entries.push(entry);
        self.last_object = Some(object);
        Ok(())
    }

    fn promotion_in(&self, alias: &str, slot: u64) -> Option<Champion> {
        let entry = self.entries.iter().find(|entry| entry.slot == slot && entry.alias == alias)?;
        match &entry.action {
            EntryAction::Promote { version, as_of, .. } => {
                Some(Champion { slot, version: (**version).clone(), as_of: *as_of })
            }
            EntryAction::Rollback { .. } => None,
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
        let written = self.store.commit_record(&name, &Witness { format: FORMAT, slot, entry }).await;
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
            let (alias, action, done) = match decide(&history)? {
                Step::Stop(result) => return Ok(result),
                Step::Append { alias, action, done } => (alias, action, done),
            };
            self.store.require_exclusive_creates(&format!("{model}/{}", stamp.txn)).await?;
            let slot = history.entries.len() as u64;
            let entry = Entry {
                format: FORMAT,
                slot,
                previous: history.last_object,
                alias,
                action,
                at: stamp.at,
                by: stamp.by.clone(),
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
                Ok(Step::Append { alias: alias.to_owned(), action, done: Box::new(move |slot| (slot, target, false)) })
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
    /// Write this; `done` turns the slot into the result.
    Append { alias: String, action: EntryAction, done: Box<dyn Fn(u64) -> T + Send> },
}

/// The rollback that has done already what is asked for, and where it went: the newest entry of the alias, if it is one.
/// To go back further is asked for by its slot.
fn rolled_back_already(history: &History, alias: &str, to: RollbackTo) -> Option<(u64, Option<u64>)> {
    let newest = history.entries.iter().rev().find(|entry| entry.alias == alias)?;
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
    let before = history.entries.iter().take_while(|entry| entry.slot < current.slot).cloned().collect();
    let earlier = History { entries: before, last_object: None }.champion(alias);
    match earlier {
        Some(champion) => Ok(Some(champion.slot)),
        None => {
            Err(RegistryError::NothingBefore { model: model.to_owned(), alias: alias.to_owned(), slot: current.slot })
        }
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
