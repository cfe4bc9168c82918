//! Work in progress of one node: what a killed or stopped attempt leaves for the next one with the same fingerprint.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;

use super::store::{Store, StoreError};
use crate::base::Digest;

/// A place for one unfinished state, replaced whole. It is a convenience, never a result: a node must come to the same
/// bytes with it and without. Must not be used on a thread that drives the runtime.
#[derive(Clone, Debug)]
pub struct Scratch {
    store: Store,
    runtime: Handle,
    name: String,
}

impl Scratch {
    /// The place of the node with this fingerprint.
    pub fn new(store: Store, runtime: Handle, fingerprint: Digest) -> Self {
        Self { store, runtime, name: format!("scratch/{fingerprint}.json") }
    }

    /// What an earlier attempt left; a damaged state counts as none.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub fn load<T: DeserializeOwned>(&self) -> Result<Option<T>, StoreError> {
        match self.runtime.block_on(self.store.read_record(&self.name)) {
            Err(StoreError::Record { .. }) => Ok(None),
            other => other,
        }
    }

    /// Replaces the state.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub fn save<T: Serialize>(&self, state: &T) -> Result<(), StoreError> {
        self.runtime.block_on(self.store.replace_record(&self.name, state))
    }

    /// Forgets the state: the node is done.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub fn clear(&self) -> Result<(), StoreError> {
        Ok(self.runtime.block_on(self.store.storage().remove(&self.name))?)
    }
}
