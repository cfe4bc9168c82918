//! Who looked at a holdout: one record a look, written before anything is read and never changed.
//!
//! A look is a node with its settings and its inputs: everything that decides what it sees. It is recorded under the digest
//! of that, so that a node which is run again, or is killed and repeated, looked once. A look is recorded before it is taken:
//! one that is killed in between counts, because nobody can tell what was seen.
//!
//! Looks are counted by the holdout's name. One that ended before a holdout begins saw nothing of it, so that a holdout
//! which is moved forward begins anew, and one which is moved back does not.

use serde::{Deserialize, Serialize};

use super::ledger::Ledger;
use super::store::{Store, StoreError};
use crate::base::{Digest, Timestamp};

/// A look at a holdout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldoutOpening {
    /// Format of this record.
    pub format: u32,
    /// Name of the holdout.
    pub name: String,
    /// First moment of the holdout.
    pub start: Timestamp,
    /// End of the data that was seen, exclusive.
    pub until: Timestamp,
    /// Kind of the node that looked.
    pub kind: String,
    /// Everything that decides what it sees.
    pub look: Digest,
    /// The run that looked first.
    pub run: String,
}

impl Ledger {
    /// Records a look, unless it is recorded.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub fn open_holdout(&self, opening: &HoldoutOpening) -> Result<(), StoreError> {
        let name = format!("{}{}.json", folder(&opening.name), opening.look);
        // who else writes this name took the same look; the first run stays on record
        self.wait(self.store().commit_record(&name, opening)).map(drop)
    }

    /// How often models were judged on a holdout that begins at `start`: each model counts once.
    ///
    /// The answer grows with every look: only what has an effect may ask.
    ///
    /// # Errors
    /// The store cannot be reached, or a record is damaged.
    pub fn holdout_uses(&self, name: &str, start: Timestamp) -> Result<usize, StoreError> {
        let openings = self.wait(holdout_openings(self.store(), name, start))?;
        Ok(openings.iter().filter(|opening| opening.kind == JUDGE).count())
    }
}

/// The kind of node that judges models; others look at what a strategy does.
const JUDGE: &str = "evaluate";

/// Every look at a holdout that begins at `start`, by run and kind.
///
/// # Errors
/// The store cannot be reached, or a record is damaged.
pub async fn holdout_openings(store: &Store, name: &str, start: Timestamp) -> Result<Vec<HoldoutOpening>, StoreError> {
    let mut openings = openings_in(store, &folder(name)).await?;
    openings.retain(|opening| opening.until > start);
    Ok(openings)
}

/// Every look at any holdout, by name, run and kind.
///
/// # Errors
/// The store cannot be reached, or a record is damaged.
pub async fn all_holdout_openings(store: &Store) -> Result<Vec<HoldoutOpening>, StoreError> {
    openings_in(store, "openings/").await
}

async fn openings_in(store: &Store, folder: &str) -> Result<Vec<HoldoutOpening>, StoreError> {
    let mut found: Vec<HoldoutOpening> = store.read_records(folder).await?;
    // runs are named in the order of time
    found.sort_by(|a, b| (&a.name, &a.run, &a.kind, a.look).cmp(&(&b.name, &b.run, &b.kind, b.look)));
    Ok(found)
}

/// A name may hold anything, a path may not.
fn folder(name: &str) -> String {
    format!("openings/{}/", Digest::of(name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Storage;

    fn opening(look: &[u8], kind: &str, until: &str, run: &str) -> HoldoutOpening {
        HoldoutOpening {
            format: 1,
            name: "us5".to_owned(),
            start: "2012-01-01".parse().unwrap(),
            until: until.parse().unwrap(),
            kind: kind.to_owned(),
            look: Digest::of(look),
            run: run.to_owned(),
        }
    }

    #[test]
    fn a_look_counts_once_however_often_it_is_taken_and_a_model_is_what_counts() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let store = runtime.block_on(Store::over(Storage::in_memory())).unwrap();
        let ledger = Ledger::new(store.clone(), runtime.handle().clone());
        let start = "2012-01-01".parse().unwrap();
        assert_eq!(ledger.holdout_uses("us5", start).unwrap(), 0);
        for (look, kind, run) in
            [(&b"a"[..], "accumulate", "1"), (b"b", "evaluate", "1"), (b"b", "evaluate", "2"), (b"c", "evaluate", "3")]
        {
            ledger.open_holdout(&opening(look, kind, "2013-01-01", run)).unwrap();
        }
        assert_eq!(ledger.holdout_uses("us5", start).unwrap(), 2);
        let openings = runtime.block_on(holdout_openings(&store, "us5", start)).unwrap();
        assert_eq!(openings.iter().map(|opening| opening.run.as_str()).collect::<Vec<_>>(), ["1", "1", "3"]);
        assert_eq!(ledger.holdout_uses("other", start).unwrap(), 0);
    }

    #[test]
    fn a_holdout_that_begins_after_what_was_seen_is_untouched() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let store = runtime.block_on(Store::over(Storage::in_memory())).unwrap();
        let ledger = Ledger::new(store, runtime.handle().clone());
        ledger.open_holdout(&opening(b"a", "evaluate", "2013-01-01", "1")).unwrap();
        let uses = |start: &str| ledger.holdout_uses("us5", start.parse().unwrap()).unwrap();
        assert_eq!((uses("2013-01-01"), uses("2012-06-01"), uses("2011-01-01")), (0, 1, 1));
    }
}
