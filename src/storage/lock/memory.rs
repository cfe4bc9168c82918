//! Locks of a store in memory: a table beside it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Holder;

/// Who holds what.
#[derive(Clone, Debug, Default)]
pub(in crate::storage) struct MemoryLocks(Arc<Mutex<BTreeMap<String, Holder>>>);

/// A row of the table.
#[derive(Debug)]
pub(super) struct MemoryLock {
    locks: MemoryLocks,
    name: String,
}

impl MemoryLocks {
    fn table(&self) -> MutexGuard<'_, BTreeMap<String, Holder>> {
        // every change is one call: a thread that panicked left no half of one
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn take(&self, name: &str, by: &str) -> Result<MemoryLock, Holder> {
        let mut table = self.table();
        if let Some(holder) = table.get(name) {
            return Err(holder.clone());
        }
        table.insert(name.to_owned(), Holder { by: by.to_owned(), since: None });
        Ok(MemoryLock { locks: self.clone(), name: name.to_owned() })
    }

    pub(super) fn holder(&self, name: &str) -> Option<Holder> {
        self.table().get(name).cloned()
    }

    pub(super) fn held(&self, prefix: &str) -> BTreeMap<String, Holder> {
        let table = self.table();
        let held = table.iter().filter(|(name, _)| name.starts_with(prefix));
        held.map(|(name, holder)| (name.clone(), holder.clone())).collect()
    }
}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        self.locks.table().remove(&self.name);
    }
}
