//! A node executed a second time, aside: nothing of it reaches the store, and it finds nothing that the first one left.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::attempt::{Attempt, AttemptError, Made, context, in_time};
use super::chain;
use super::compare::compare;
use super::threads::Threads;
use crate::artifact::{Artifact, Scratch, Store, StoreError, reference_to, unseal};
use crate::node::{Executor, NodeError, NodeKind};
use crate::plan::Given;
use crate::registry::{Entry, Registry, RegistryClient};
use crate::storage::Storage;

/// Whether a second execution of a kind must give the same bytes.
pub(super) fn can_be_repeated(kind: &dyn NodeKind) -> bool {
    let behaviour = kind.descriptor().behaviour;
    behaviour.reusable && matches!(behaviour.executor, Executor::Pool | Executor::Thread)
}

/// A store in memory whose registry is that of another one, up to the first entry that is not wanted.
pub(super) async fn store_aside(store: &Store, wanted: impl Fn(&Entry) -> bool) -> Result<Store, StoreError> {
    let aside = Store::over(Storage::in_memory()).await?;
    for model in store.storage().folders("registry").await? {
        for name in store.storage().list(&format!("registry/{model}/log")).await? {
            let Some(bytes) = store.storage().get(&name).await? else { break };
            // what follows a damaged entry is not to be believed either
            if !unseal::<Entry>(&name, &bytes).is_ok_and(|entry| wanted(&entry)) {
                break;
            }
            aside.storage().restore(&name, bytes).await?;
        }
    }
    // how often rows were used is part of what a deployment found
    for name in store.storage().list("holdouts").await? {
        if let Some(bytes) = store.storage().get(&name).await? {
            aside.storage().restore(&name, bytes).await?;
        }
    }
    Ok(aside)
}

/// Copies the books of a store: who reads or writes one again must find what the first execution found.
async fn copy_books(store: &Store, aside: &Store) -> Result<(), StoreError> {
    for name in store.storage().list("books").await? {
        if let Some(bytes) = store.storage().get(&name).await? {
            aside.storage().restore(&name, bytes).await?;
        }
    }
    Ok(())
}

/// A place for the second execution of an attempt: the registry as it is now, and what a deployment refers to.
pub(super) async fn aside(attempt: &Attempt) -> Result<Store, StoreError> {
    if !attempt.kind.descriptor().behaviour.has_effect {
        let aside = Store::over(Storage::in_memory()).await?;
        copy_books(&attempt.store, &aside).await?;
        return Ok(aside);
    }
    let aside = store_aside(&attempt.store, |_| true).await?;
    copy_books(&attempt.store, &aside).await?;
    for given in attempt.inputs.values() {
        let Given::One(Some(reference)) = given else { continue };
        let artifact = match attempt.pinned.get(&reference.sha256) {
            Some(artifact) => artifact.clone(),
            None => attempt.store.get(reference).await?,
        };
        aside.put(&artifact).await?;
    }
    Ok(aside)
}

/// Executes a node again on another number of threads, and notes what differs. What it gave is kept as evidence.
pub(super) async fn repeat(
    attempt: &Attempt,
    pool: Arc<Threads>,
    aside: Store,
    first: &BTreeMap<String, Artifact>,
    made: &mut Made,
) -> Result<(), AttemptError> {
    let runtime = tokio::runtime::Handle::current();
    let registry = RegistryClient::new(
        Registry::new(aside.clone()),
        runtime.clone(),
        attempt.registry.clock(),
        attempt.run.clone(),
        attempt.run.clone(),
    );
    let scratch = Scratch::new(aside, runtime, attempt.fingerprint.digest);
    let threads = pool.count();
    let context = context(attempt, registry, scratch, "again: ").await?;
    let second = match in_time(attempt, pool, context).await {
        Err(AttemptError::Node(NodeError::Cancelled)) => return Err(NodeError::Cancelled.into()),
        other => other,
    };
    made.repeated_on = Some(threads);
    let second = match second {
        Ok(second) => second.outputs.0,
        Err(error) => {
            made.differences.push(format!("executed a second time, it failed: {}", chain(&error)));
            return Ok(());
        }
    };
    for (port, now) in &second {
        let Some(before) = first.get(port) else { continue };
        if let Some(words) = compare(port, before, now).words() {
            let (reference, _) = reference_to(now).map_err(StoreError::from)?;
            attempt.store.put(now).await?;
            made.nondeterministic.insert(port.clone(), reference.sha256);
            made.differences.push(words);
        }
    }
    Ok(())
}
