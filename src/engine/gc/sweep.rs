//! Candidates from sweep to sweep, and their removal.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};

use super::survey::Class;
use super::{Due, GcError};
use crate::artifact::{Commit, Store, StoreError};
use crate::base::Timestamp;
use crate::engine::exclusive::RUN_LOCKS;
use crate::storage::{Lock, Object, Storage, StorageError};

/// Format of the records written by this version.
const FORMAT: u32 = 1;
/// Objects that are removed between two looks at the lock.
const BATCH: usize = 256;
/// Objects that are removed at once.
const REMOVALS: usize = 16;

/// An object that nothing refers to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Candidate {
    name: String,
    /// When it was written: one that is written again is another.
    modified: Timestamp,
    /// The sweep that found it first, by the store's clock.
    pub(super) since: Timestamp,
}

/// What a sweep found, for the next.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct SweepRecord {
    /// Number of the next record.
    next: u64,
    candidates: BTreeMap<String, Candidate>,
}

/// The same, as stored.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Stored {
    format: u32,
    at: Timestamp,
    candidates: Vec<Candidate>,
}

impl SweepRecord {
    /// What the last sweep found; nothing when there was none, or its record is damaged: the grace begins anew.
    pub(super) async fn newest(store: &Store) -> Result<Self, StoreError> {
        let names = store.storage().list("gc").await?;
        let Some((number, name)) = names.iter().filter_map(|name| Some((number(name)?, name))).max() else {
            return Ok(Self::default());
        };
        let stored = match store.read_record::<Stored>(name).await {
            Ok(stored) => stored.filter(|stored| stored.format == FORMAT),
            Err(StoreError::Record { .. }) => None,
            Err(error) => return Err(error),
        };
        let candidates = stored.map(|stored| stored.candidates).unwrap_or_default();
        let candidates = candidates.into_iter().map(|candidate| (candidate.name.clone(), candidate)).collect();
        Ok(Self { next: number + 1, candidates })
    }

    /// An unmarked object as a candidate: since the sweep that found it first, which may be this one.
    pub(super) fn candidate(&self, object: &Object, now: Timestamp) -> Candidate {
        let since = self.since(object).unwrap_or(now);
        Candidate { name: object.name.clone(), modified: object.modified, since }
    }

    /// Since when an object has been a candidate, if it is still the same.
    pub(super) fn since(&self, object: &Object) -> Option<Timestamp> {
        let known = self.candidates.get(&object.name).filter(|known| known.modified == object.modified);
        known.map(|known| known.since)
    }

    /// Writes the candidates of this sweep, then removes the records before.
    pub(super) async fn succeed(&self, store: &Store, at: Timestamp, candidates: &[Candidate]) -> Result<(), GcError> {
        let storage = store.storage();
        let name = format!("gc/{:020}.json", self.next);
        let record = Stored { format: FORMAT, at, candidates: candidates.to_vec() };
        if let Commit::Theirs(_) = store.commit_record(&name, &record).await? {
            return Err(StorageError::Contended { name, location: storage.location().to_owned() }.into());
        }
        let old = storage.list("gc").await?.into_iter().filter(|name| number(name).is_some_and(|old| old < self.next));
        for name in old.collect::<Vec<_>>() {
            storage.remove(&name).await?;
        }
        Ok(())
    }
}

fn number(name: &str) -> Option<u64> {
    name.strip_prefix("gc/")?.strip_suffix(".json")?.parse().ok()
}

/// Removes objects as long as the lock holds, and returns the names of those that are gone.
pub(super) async fn remove(storage: &Storage, due: &[Due], sweep: &Lock) -> Result<BTreeSet<String>, StorageError> {
    let mut ordered = due.to_vec();
    // a run without its start never began: the rest of a half-removed one is nobody's run
    ordered.sort_by_key(|due| (due.class, !due.object.name.ends_with("/start.json")));
    let mut removed = BTreeSet::new();
    // a class is gone before the next one begins: no action outlives what it refers to
    for class in ordered.chunk_by(|a, b| a.class == b.class) {
        for batch in class.chunks(BATCH) {
            if sweep.lost() {
                return Ok(removed);
            }
            let removals = batch.iter().cloned().map(|due| remove_one(storage.clone(), due));
            let gone: Vec<String> = futures_util::stream::iter(removals).buffered(REMOVALS).try_collect().await?;
            removed.extend(gone);
        }
    }
    for folder in ["actions", "runs", "scratch", "blobs"] {
        storage.remove_empty_folders(folder).await?;
    }
    // the id of a run is never given to another
    storage.remove_free_locks(RUN_LOCKS).await?;
    Ok(removed)
}

async fn remove_one(storage: Storage, due: Due) -> Result<String, StorageError> {
    let name = due.object.name;
    match due.class {
        Class::Leftovers => storage.remove_leftover(&name).await?,
        Class::Actions | Class::Runs | Class::Scratch | Class::Blobs => storage.remove(&name).await?,
    }
    Ok(name)
}
