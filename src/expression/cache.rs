//! Columns computed once and shared by all trials of a study.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::base::Digest;

/// Values of one symbol, one a bar: null is NaN, true is 1, false is 0.
pub type Column = Arc<Vec<f64>>;

type Slot = Arc<OnceLock<Column>>;

/// Columns by symbol and bound sub-expression, each computed once whoever asks first.
///
/// What is kept is what is worth it: results of functions over several bars, and over the symbols of a date. Arithmetic and
/// comparisons are computed anew, for they change with every threshold that a study tries.
///
/// A cache belongs to one set of bars: columns are found by symbol index, so asking with other bars gives the columns of the first
/// ones. Make a new cache for other bars, or for a shorter history of the same ones.
///
/// When the columns held reach the limit, further ones are computed and not kept. No result depends on it.
#[derive(Debug)]
pub struct ColumnCache {
    limit: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    slots: BTreeMap<(u32, Digest), Slot>,
    sections: BTreeMap<Digest, Arc<Vec<Column>>>,
    /// Values promised to slots or held in sections.
    values: usize,
}

impl Default for ColumnCache {
    fn default() -> Self {
        Self::new()
    }
}

impl ColumnCache {
    /// Makes an empty cache that holds at most 1 GiB of values.
    pub fn new() -> Self {
        Self::with_limit(1 << 30)
    }

    /// Makes an empty cache that holds at most so many bytes of values.
    pub fn with_limit(bytes: usize) -> Self {
        Self { limit: bytes / size_of::<f64>(), held: Mutex::default() }
    }

    /// Number of columns held.
    pub fn len(&self) -> usize {
        let held = self.held();
        held.slots.len() + held.sections.values().map(|columns| columns.len()).sum::<usize>()
    }

    /// Says whether nothing was asked for yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The column of a symbol, computed outside the lock: other columns need not wait.
    pub(super) fn get(&self, symbol: u32, digest: Digest, bars: usize, compute: impl FnOnce() -> Vec<f64>) -> Column {
        let slot = {
            let mut held = self.held();
            let room = held.values + bars <= self.limit;
            match held.slots.get(&(symbol, digest)) {
                Some(slot) => Some(Arc::clone(slot)),
                None if room => {
                    held.values += bars;
                    Some(Arc::clone(held.slots.entry((symbol, digest)).or_default()))
                }
                None => None,
            }
        };
        match slot {
            Some(slot) => Arc::clone(slot.get_or_init(|| Arc::new(compute()))),
            None => Arc::new(compute()),
        }
    }

    /// The columns of all symbols of a function over a date.
    ///
    /// Two threads that ask at once both compute it: a thread that waited inside a parallel loop could wait for itself.
    pub(super) fn section(&self, digest: Digest, compute: impl FnOnce() -> Vec<Column>) -> Arc<Vec<Column>> {
        if let Some(known) = self.held().sections.get(&digest) {
            return Arc::clone(known);
        }
        let columns = Arc::new(compute());
        let size: usize = columns.iter().map(|column| column.len()).sum();
        let mut held = self.held();
        if !held.sections.contains_key(&digest) && held.values + size <= self.limit {
            held.values += size;
            held.sections.insert(digest, Arc::clone(&columns));
        }
        columns
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        // a panic elsewhere leaves at worst an empty slot behind, which the next one fills
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
