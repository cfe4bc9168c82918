//! One try of one node: load inputs, run the body, store what it made.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

use super::event::RunEvent;
use crate::artifact::{Action, Artifact, ArtifactRef, Commit, MadeBy, Scalar, Scratch, Store, StoreError};
use crate::base::{CancelToken, Digest, Timestamp};
use crate::node::{InputArtifact, NodeContext, NodeError, NodeKind, NodeOutput};
use crate::plan::Fingerprint;
use crate::registry::RegistryClient;

/// Everything one attempt needs; owned, so that it can leave for a thread of its own.
pub(super) struct Attempt {
    pub node: String,
    pub kind: &'static dyn NodeKind,
    pub with: Value,
    pub inputs: BTreeMap<String, InputSource>,
    pub fingerprint: Fingerprint,
    pub as_of: Timestamp,
    pub run: String,
    pub store: Store,
    pub registry: RegistryClient,
    pub pool: Arc<rayon::ThreadPool>,
    pub cancel: CancelToken,
    pub events: UnboundedSender<RunEvent>,
}

/// Where an input's bytes are.
pub(super) enum InputSource {
    /// Read when the run started.
    Pinned(ArtifactRef, Artifact),
    /// In the store.
    Stored(ArtifactRef),
}

/// What a successful attempt left behind.
pub(super) struct Made {
    pub action: Action,
    /// Digests that another run stored for the same key, where they differ from ours.
    pub nondeterministic: BTreeMap<String, Digest>,
}

/// Runs the attempt to its end.
pub(super) async fn attempt(attempt: Attempt) -> Result<Made, NodeError> {
    let mut inputs = BTreeMap::new();
    for (port, source) in &attempt.inputs {
        let (reference, artifact) = match source {
            InputSource::Pinned(reference, artifact) => (reference.clone(), artifact.clone()),
            InputSource::Stored(reference) => {
                (reference.clone(), attempt.store.get(reference).await.map_err(NodeError::failed)?)
            }
        };
        inputs.insert(port.clone(), InputArtifact { reference, artifact });
    }
    let (node, events) = (attempt.node.clone(), attempt.events.clone());
    let progress = move |done, total, words: &str| {
        // a display that is gone is no reason to stop
        let _ = events.send(RunEvent::Progress { node: node.clone(), done, total, words: words.to_owned() });
    };
    let context = NodeContext {
        inputs,
        as_of: attempt.as_of,
        cancel: attempt.cancel.clone(),
        progress: Arc::new(progress),
        registry: attempt.registry.clone(),
        scratch: Scratch::new(attempt.store.clone(), tokio::runtime::Handle::current(), attempt.fingerprint.digest),
    };
    let output = body(&attempt, context).await?;
    store_output(&attempt, output).await.map_err(NodeError::failed)
}

async fn body(attempt: &Attempt, context: NodeContext) -> Result<NodeOutput, NodeError> {
    let (kind, with, pool) = (attempt.kind, attempt.with.clone(), Arc::clone(&attempt.pool));
    let work = move || {
        std::panic::catch_unwind(AssertUnwindSafe(|| pool.install(|| kind.run(&with, &context))))
            .unwrap_or_else(|panic| Err(NodeError::failed(panic_words(panic.as_ref()))))
    };
    let output = match tokio::task::spawn_blocking(work).await {
        Ok(output) => output?,
        Err(error) => return Err(NodeError::failed(error)),
    };
    let declared: Vec<&str> = kind.descriptor().outputs.iter().map(|port| port.name).collect();
    let written: Vec<&str> = output.outputs.keys().copied().collect();
    let all_there = declared.iter().all(|port| written.contains(port)) && declared.len() == written.len();
    if !all_there {
        let message = format!("a bug: it declares the outputs {declared:?} and wrote {written:?}");
        return Err(NodeError::failed(message));
    }
    Ok(output)
}

fn panic_words(panic: &(dyn std::any::Any + Send)) -> String {
    let words = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let words = words.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    format!("a bug: the node panicked: {words}")
}

async fn store_output(attempt: &Attempt, output: NodeOutput) -> Result<Made, StoreError> {
    let mut outputs = BTreeMap::new();
    for (port, artifact) in &output.outputs {
        outputs.insert((*port).to_owned(), attempt.store.put(artifact).await?);
    }
    let values: BTreeMap<String, Scalar> =
        output.values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let action = Action {
        format: 1,
        fingerprint: attempt.fingerprint.digest,
        parts: attempt.fingerprint.parts.clone(),
        outputs,
        values,
        summary: output.summary,
        made_by: MadeBy { run: attempt.run.clone(), node: attempt.node.clone() },
        txn: format!("{}/{}", attempt.run, attempt.node),
    };
    if attempt.kind.descriptor().has_effect {
        attempt.store.replace_action(&action).await?;
        return Ok(Made { action, nondeterministic: BTreeMap::new() });
    }
    Ok(match attempt.store.commit_action(&action).await? {
        Commit::Ours => Made { action, nondeterministic: BTreeMap::new() },
        Commit::Theirs(theirs) => settle(attempt, action, theirs).await?,
    })
}

/// Somebody stored a result for our key first. If it can be read it stays, and any difference is evidence.
async fn settle(attempt: &Attempt, ours: Action, theirs: Action) -> Result<Made, StoreError> {
    let differing = theirs
        .outputs
        .iter()
        .filter(|(port, output)| ours.outputs.get(*port).map(|own| own.sha256) != Some(output.sha256))
        .map(|(port, output)| (port.clone(), output.sha256))
        .collect::<BTreeMap<_, _>>();
    // ours has just been written; theirs may have lost a blob since, which was the reason to run again
    let readable = attempt.store.find_action(theirs.fingerprint).await?.is_some();
    let action = if readable { theirs } else { ours };
    Ok(Made { action, nondeterministic: differing })
}
