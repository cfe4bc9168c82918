//! Leases: locks on a store that has no locks, as a log of numbered entries that are created once.
//!
//! ```text
//! leases/<name>/log/00000000000000000012.json   acquire | renew | release, by whom, for how long
//! leases/<name>/clock                           overwritten to read the store's time off its stamp
//! ```
//!
//! The newest entry says who holds the lock: nobody after a release, nor once it is older than its term by the store's
//! own stamps. Whoever acts saw the newest entry and takes the number after it; so of two that act on the same sight one
//! fails, a lease that was taken over cannot be renewed, and the number of an acquisition grows from holder to holder.
//!
//! Old entries are removed. An actor that slept through that could take a number that is free again: an entry counts only
//! if, once it is written, none has a higher number.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Holder, LeaseTerms};
use crate::base::Timestamp;
use crate::storage::{Created, Object, Storage, StorageError};

/// Format of the entries written by this version.
const FORMAT: u32 = 1;
/// Entries of a held lock that stay.
const KEPT: u64 = 16;
/// How often an actor looks again when others were faster.
const ATTEMPTS: usize = 8;

/// A lock whose newest entry is older than so many terms is not looked at any closer.
const LONG_OVER: u128 = 10;

/// Tells the attempts of one process apart; `by` tells processes apart.
static ATTEMPT: AtomicU64 = AtomicU64::new(0);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    Acquire,
    Renew,
    Release,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    format: u32,
    action: Action,
    by: String,
    /// Unique to the acquisition: tells a lost answer from a lost race.
    txn: String,
    /// Number of the acquisition.
    fence: u64,
    ttl_seconds: f64,
}

/// A lease that is ours as far as we know.
#[derive(Clone, Debug)]
pub(super) struct Tenure {
    by: String,
    txn: String,
    /// Number of the acquisition.
    pub(super) fence: u64,
    /// Number of our newest entry.
    newest: u64,
}

/// The answer to an attempt to acquire.
#[derive(Debug)]
pub(super) enum Claim {
    Ours(Tenure),
    Busy(Holder),
}

/// The newest entry of a log.
struct Tail {
    slot: u64,
    written: Timestamp,
    /// `None` when it cannot be read: then it counts as somebody's, until it expires.
    entry: Option<Entry>,
    /// When the lock was acquired.
    since: Option<Timestamp>,
}

/// Who holds the locks whose names begin so. Only the logs with a fresh entry are read.
pub(super) async fn held(
    storage: &Storage,
    prefix: &str,
    terms: LeaseTerms,
) -> Result<BTreeMap<String, Holder>, StorageError> {
    let mut newest: BTreeMap<String, Timestamp> = BTreeMap::new();
    for object in storage.objects("leases").await? {
        let lock = object.name.strip_prefix("leases/").and_then(|name| name.split_once("/log/"));
        if let Some((name, _)) = lock.filter(|(name, _)| name.starts_with(prefix)) {
            let stamp = newest.entry(name.to_owned()).or_insert(object.modified);
            *stamp = (*stamp).max(object.modified);
        }
    }
    let mut held = BTreeMap::new();
    if newest.is_empty() {
        return Ok(held);
    }
    let now = storage.clock("leases/clock").await?;
    let fresh = |stamp: &Timestamp| age(now, *stamp) <= LONG_OVER * (terms.ttl + terms.margin).as_micros();
    for name in newest.into_iter().filter(|(_, stamp)| fresh(stamp)).map(|(name, _)| name) {
        if let Some(holder) = LeaseLog::new(storage.clone(), &name, terms).holder().await? {
            held.insert(name, holder);
        }
    }
    Ok(held)
}

/// Removes all that is left of locks whose names begin so and that nobody holds. Only for names that are taken once: the
/// count of acquisitions begins anew.
pub(super) async fn forget_free(storage: &Storage, prefix: &str, terms: LeaseTerms) -> Result<(), StorageError> {
    let mut logs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for object in storage.objects("leases").await? {
        let lock = object.name.strip_prefix("leases/").and_then(|name| name.split_once("/log/"));
        if let Some((name, _)) = lock.filter(|(name, _)| name.starts_with(prefix)) {
            logs.entry(name.to_owned()).or_default().push(object.name.clone());
        }
    }
    for (name, entries) in logs {
        if LeaseLog::new(storage.clone(), &name, terms).holder().await?.is_some() {
            continue;
        }
        storage.remove(&format!("leases/{name}/clock")).await?;
        // the newest last: what is left says as long as anything is that the lock is free
        for entry in entries {
            storage.remove(&entry).await?;
        }
    }
    Ok(())
}

/// Microseconds; none where stamps run backwards.
fn age(now: Timestamp, stamp: Timestamp) -> u128 {
    u128::try_from(now.micros().saturating_sub(stamp.micros())).unwrap_or(0)
}

/// The log of one lock.
#[derive(Clone, Debug)]
pub(super) struct LeaseLog {
    storage: Storage,
    folder: String,
    terms: LeaseTerms,
}

impl LeaseLog {
    pub(super) fn new(storage: Storage, name: &str, terms: LeaseTerms) -> Self {
        Self { storage, folder: format!("leases/{name}"), terms }
    }

    pub(super) const fn terms(&self) -> LeaseTerms {
        self.terms
    }

    /// Takes the lock if it is free.
    pub(super) async fn acquire(&self, by: &str) -> Result<Claim, StorageError> {
        let txn = format!("{by}/{}", ATTEMPT.fetch_add(1, Ordering::Relaxed));
        for _ in 0..ATTEMPTS {
            let tail = self.tail().await?;
            if let Some(tail) = &tail
                && let Some(holder) = self.holder_by(tail).await?
            {
                return Ok(Claim::Busy(holder));
            }
            let slot = tail.map_or(0, |tail| tail.slot + 1);
            let tenure = Tenure { by: by.to_owned(), txn: txn.clone(), fence: slot, newest: slot };
            if self.append(Action::Acquire, slot, &tenure).await? && self.is_newest(&tenure).await? {
                return Ok(Claim::Ours(tenure));
            }
        }
        Err(self.contended())
    }

    /// Starts the term anew; false when somebody else took the lock.
    pub(super) async fn renew(&self, tenure: &mut Tenure) -> Result<bool, StorageError> {
        let next = Tenure { newest: tenure.newest + 1, ..tenure.clone() };
        let renewed = self.append(Action::Renew, next.newest, &next).await? && self.is_newest(&next).await?;
        if renewed {
            *tenure = next;
        }
        Ok(renewed)
    }

    /// Gives the lock back. Does nothing to the lock of another.
    pub(super) async fn release(&self, tenure: &Tenure) -> Result<(), StorageError> {
        let slot = tenure.newest + 1;
        if self.append(Action::Release, slot, tenure).await? {
            // a free lock needs no history: the last entry keeps the count
            self.prune(&self.slots().await?, |old| old < slot).await;
        }
        Ok(())
    }

    /// Who holds the lock.
    pub(super) async fn holder(&self) -> Result<Option<Holder>, StorageError> {
        match self.tail().await? {
            Some(tail) => self.holder_by(&tail).await,
            None => Ok(None),
        }
    }

    /// Who holds the lock by its newest entry.
    async fn holder_by(&self, tail: &Tail) -> Result<Option<Holder>, StorageError> {
        if tail.entry.as_ref().is_some_and(|entry| entry.action == Action::Release) {
            return Ok(None);
        }
        let now = self.storage.clock(&format!("{}/clock", self.folder)).await?;
        let ttl = tail.entry.as_ref().and_then(|entry| Duration::try_from_secs_f64(entry.ttl_seconds).ok());
        let term = (ttl.unwrap_or(self.terms.ttl) + self.terms.margin).as_micros();
        if age(now, tail.written) > term {
            return Ok(None);
        }
        let by = tail.entry.as_ref().map_or("unknown", |entry| &entry.by);
        Ok(Some(Holder { by: by.to_owned(), since: tail.since }))
    }

    async fn tail(&self) -> Result<Option<Tail>, StorageError> {
        for _ in 0..ATTEMPTS {
            let slots = self.slots().await?;
            let Some((slot, object)) = slots.last() else { return Ok(None) };
            // removed since: there are newer ones
            let Some(bytes) = self.storage.get(&object.name).await? else { continue };
            let entry = serde_json::from_slice::<Entry>(&bytes).ok().filter(|entry| entry.format == FORMAT);
            let acquired = entry.as_ref().and_then(|entry| slots.iter().find(|(slot, _)| *slot == entry.fence));
            let since = acquired.map(|(_, object)| object.modified);
            return Ok(Some(Tail { slot: *slot, written: object.modified, entry, since }));
        }
        Err(self.contended())
    }

    /// The numbers that are taken, in order.
    async fn slots(&self) -> Result<Vec<(u64, Object)>, StorageError> {
        let objects = self.storage.objects(&format!("{}/log", self.folder)).await?;
        let number = |object: &Object| object.name.rsplit_once('/')?.1.strip_suffix(".json")?.parse().ok();
        let mut slots: Vec<(u64, Object)> =
            objects.into_iter().filter_map(|object| Some((number(&object)?, object))).collect();
        slots.sort_by_key(|(slot, _)| *slot);
        Ok(slots)
    }

    /// Writes an entry; false when somebody else's has its number.
    async fn append(&self, action: Action, slot: u64, tenure: &Tenure) -> Result<bool, StorageError> {
        const ATTEMPTS: usize = 3;
        let Tenure { by, txn, fence, .. } = tenure.clone();
        let entry = Entry { format: FORMAT, action, by, txn, fence, ttl_seconds: self.terms.ttl.as_secs_f64() };
        let name = self.slot_name(slot);
        let bytes = serde_json::to_vec(&entry).map(Bytes::from).map_err(|error| {
            self.storage.failed("lock", &name, object_store::Error::Generic { store: "lease", source: error.into() })
        })?;
        let mut failure = None;
        for _ in 0..ATTEMPTS {
            let created = self.storage.create(&name, bytes.clone()).await;
            if matches!(created, Ok(Created::New)) {
                return Ok(true);
            }
            // taken, or done and the answer was lost, or refused for the moment: what is there tells which
            match self.storage.get(&name).await {
                Ok(Some(found)) => return Ok(found == bytes),
                Ok(None) => failure = created.err(),
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or(Ok(false), Err)
    }

    /// Says whether our newest entry is the newest of all, and removes what is too old to matter.
    async fn is_newest(&self, tenure: &Tenure) -> Result<bool, StorageError> {
        let slots = self.slots().await?;
        let newest = slots.last().is_some_and(|(slot, _)| *slot == tenure.newest);
        if newest {
            self.prune(&slots, |slot| slot + KEPT <= tenure.newest && slot != tenure.fence).await;
        }
        Ok(newest)
    }

    async fn prune(&self, slots: &[(u64, Object)], is_old: impl Fn(u64) -> bool) {
        for (_, object) in slots.iter().filter(|(slot, _)| is_old(*slot)) {
            // whoever comes next tries again
            let _ = self.storage.remove(&object.name).await;
        }
    }

    fn slot_name(&self, slot: u64) -> String {
        format!("{}/log/{slot:020}.json", self.folder)
    }

    fn contended(&self) -> StorageError {
        StorageError::Contended { name: self.folder.clone(), location: self.storage.location().to_owned() }
    }
}
