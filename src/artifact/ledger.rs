//! How often a market was searched: one record a study, written once and never changed.
//!
//! The more trials were ever scored on the same data by the same metric, the luckier the best of them is. A count that
//! somebody raises could be lost between two runs; records under the name of their study cannot, and a study that is run
//! again is the same record. Garbage collection leaves them alone.

use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use super::store::{Store, StoreError};
use crate::base::Digest;

/// A study that was run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Searched {
    /// Format of this record.
    pub format: u32,
    /// Data and metric of the search.
    pub search: Digest,
    /// The study: everything that decides its trials.
    pub study: Digest,
    /// Trials that were scored.
    pub trials: u64,
}

/// The records of all studies.
#[derive(Clone, Debug)]
pub struct Ledger {
    store: Store,
    runtime: Handle,
}

impl Ledger {
    /// The ledger of a store. Must not be used on a thread that drives the runtime.
    pub fn new(store: Store, runtime: Handle) -> Self {
        Self { store, runtime }
    }

    /// Records a study, unless it is recorded.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub fn record(&self, search: Digest, study: Digest, trials: u64) -> Result<(), StoreError> {
        let entry = Searched { format: 1, search, study, trials };
        let name = format!("{}{study}.json", folder(search));
        // the name is the study's own: who else writes it writes the same
        self.runtime.block_on(self.store.commit_record(&name, &entry))?;
        Ok(())
    }

    /// Trials of all studies of a search.
    ///
    /// # Errors
    /// The store cannot be reached, or a record is damaged.
    pub fn trials(&self, search: Digest) -> Result<u64, StoreError> {
        self.runtime.block_on(trials_on_record(&self.store, search))
    }
}

/// Trials of all studies of a search.
///
/// # Errors
/// The store cannot be reached, or a record is damaged.
pub async fn trials_on_record(store: &Store, search: Digest) -> Result<u64, StoreError> {
    let mut trials = 0;
    for name in store.storage().list(&folder(search)).await? {
        trials += store.read_record::<Searched>(&name).await?.map_or(0, |entry| entry.trials);
    }
    Ok(trials)
}

fn folder(search: Digest) -> String {
    format!("studies/{search}/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Storage;

    #[test]
    fn a_study_counts_once_and_another_search_not_at_all() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let store = runtime.block_on(Store::over(Storage::in_memory())).unwrap();
        let ledger = Ledger::new(store, runtime.handle().clone());
        let [search, other] = [Digest::of(b"sharpe"), Digest::of(b"calmar")];
        assert_eq!(ledger.trials(search).unwrap(), 0);
        for (study, trials) in [(&b"a"[..], 100), (b"b", 50), (b"a", 100)] {
            ledger.record(search, Digest::of(study), trials).unwrap();
        }
        ledger.record(other, Digest::of(b"c"), 7).unwrap();
        assert_eq!((ledger.trials(search).unwrap(), ledger.trials(other).unwrap()), (150, 7));
    }
}
