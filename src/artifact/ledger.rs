//! How often a market was searched: one record a study, written once and never changed.
//!
//! The more trials were ever scored on the same data by the same metric, the luckier the best of them is. A count that
//! somebody raises could be lost between two runs; records under the name of their study cannot, and a study that is run
//! again is the same record. Garbage collection leaves them alone.
//!
//! The same holds for rows that models are judged on: each decision about a registered model leaves a record of the window that
//! it looked at, so that the next one knows how often those rows were used.

use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use super::store::{Store, StoreError};
use crate::base::{Digest, Timestamp};

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

/// A decision that looked at rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldoutUse {
    /// Format of this record.
    pub format: u32,
    /// The decision: everything that went into it.
    pub decision: Digest,
    /// First row.
    pub from: Timestamp,
    /// Last row.
    pub to: Timestamp,
    /// End of the data window of the decision.
    pub as_of: Timestamp,
    /// How often the rows were used then, this time included.
    pub uses: u32,
}

impl HoldoutUse {
    /// Whether at least half of the window of `self` was looked at by `other`.
    fn repeats(&self, other: &Self) -> bool {
        let shared = self.to.min(other.to).micros() - self.from.max(other.from).micros();
        2 * shared.max(0) >= self.to.micros() - self.from.micros() && shared >= 0
    }
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

    pub(super) const fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
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

    /// Records that a decision about `model` looked at the rows of a window, and says how often they were used, this time
    /// included: earlier decisions count that were made as of the same day or before and share at least half of the window.
    /// A decision that is made again is told what it was told the first time.
    ///
    /// # Errors
    /// The store cannot be reached, or a record is damaged.
    pub fn use_rows(
        &self,
        model: &str,
        decision: Digest,
        (from, to): (Timestamp, Timestamp),
        as_of: Timestamp,
    ) -> Result<u32, StoreError> {
        self.runtime.block_on(async {
            let folder = format!("holdouts/{model}/");
            let own = format!("{folder}{decision}.json");
            if let Some(known) = self.store.read_record::<HoldoutUse>(&own).await? {
                return Ok(known.uses);
            }
            let mut record = HoldoutUse { format: 1, decision, from, to, as_of, uses: 1 };
            for other in self.store.read_records::<HoldoutUse>(&folder).await? {
                record.uses += u32::from(other.as_of <= as_of && record.repeats(&other));
            }
            self.store.commit_record(&own, &record).await?;
            let kept = self.store.read_record::<HoldoutUse>(&own).await?;
            Ok(kept.map_or(record.uses, |kept| kept.uses))
        })
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
    let studies: Vec<Searched> = store.read_records(&folder(search)).await?;
    Ok(studies.iter().map(|study| study.trials).sum())
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

    #[test]
    fn rows_are_used_once_a_decision_and_again_by_the_next() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let store = runtime.block_on(Store::over(Storage::in_memory())).unwrap();
        let ledger = Ledger::new(store, runtime.handle().clone());
        let day = |text: &str| text.parse::<Timestamp>().unwrap();
        let used = |decision: &[u8], from: &str, to: &str| {
            ledger.use_rows("quality", Digest::of(decision), (day(from), day(to)), day(to)).unwrap()
        };
        assert_eq!(used(b"a", "2020-01-01", "2020-12-01"), 1);
        assert_eq!(used(b"b", "2020-01-08", "2020-12-08"), 2);
        // made again, it is told what it was told, whatever came since
        assert_eq!(used(b"a", "2020-01-01", "2020-12-01"), 1);
        // most of these rows are new
        assert_eq!(used(b"c", "2020-11-01", "2021-11-01"), 1);
        assert_eq!(
            ledger
                .use_rows("other", Digest::of(b"d"), (day("2020-01-01"), day("2020-12-01")), day("2021-01-01"))
                .unwrap(),
            1
        );
    }
}
