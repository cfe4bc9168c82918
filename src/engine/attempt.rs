//! One try of one node: load inputs, run the body, store what it made.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

use super::event::RunEvent;
use super::log::AttemptLog;
use crate::artifact::{Action, Artifact, ArtifactRef, Commit, MadeBy, Scratch, Store, StoreError};
use crate::base::{CancelToken, Digest, Timestamp};
use crate::node::{CommandError, Executor, InputArtifact, NodeContext, NodeError, NodeKind, NodeOutput, PinnedFile};
use crate::pipeline::{CacheMode, FailureClass, LookUp};
use crate::plan::{Fingerprint, Given};
use crate::registry::RegistryClient;
use crate::storage::StorageError;

/// How long a node may take to stop once asked.
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// Everything one attempt needs; owned, so that it can leave for a thread of its own.
pub(super) struct Attempt {
    pub node: String,
    pub kind: &'static dyn NodeKind,
    pub with: Value,
    pub cache: CacheMode,
    pub timeout: Option<Duration>,
    pub inputs: BTreeMap<String, Given>,
    /// Bytes that were read when the run started, by digest.
    pub pinned: Arc<BTreeMap<Digest, Artifact>>,
    pub files: BTreeMap<String, PinnedFile>,
    pub environment: LookUp,
    pub fingerprint: Fingerprint,
    pub as_of: Timestamp,
    pub run: String,
    pub store: Store,
    pub registry: RegistryClient,
    pub pool: Arc<rayon::ThreadPool>,
    pub cancel: CancelToken,
    pub events: UnboundedSender<RunEvent>,
    pub log: AttemptLog,
}

/// Why an attempt did not end well.
#[derive(Debug, thiserror::Error)]
pub(super) enum AttemptError {
    /// The node said so.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// It took too long.
    #[error("timed out after {}", humantime::format_duration(*.0))]
    TimedOut(Duration),
}

impl From<StoreError> for AttemptError {
    fn from(error: StoreError) -> Self {
        Self::Node(NodeError::failed(error))
    }
}

impl AttemptError {
    /// Whether, and for which reason, another attempt may help; `None` when it was no failure.
    pub(super) fn class(&self) -> Option<FailureClass> {
        let error = match self {
            Self::TimedOut(_) => return Some(FailureClass::Timeout),
            Self::Node(NodeError::Cancelled | NodeError::Insufficient { .. }) => return None,
            Self::Node(NodeError::Failed(error)) => error,
        };
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error.as_ref());
        while let Some(found) = cause {
            if found.is::<StorageError>() || found.is::<std::io::Error>() {
                return Some(FailureClass::Io);
            }
            if matches!(found.downcast_ref(), Some(CommandError::Exit { .. })) {
                return Some(FailureClass::Exit);
            }
            cause = found.source();
        }
        Some(FailureClass::Other)
    }
}

/// What a successful attempt left behind.
pub(super) struct Made {
    pub action: Action,
    /// Digests that another run stored for the same key, where they differ from ours.
    pub nondeterministic: BTreeMap<String, Digest>,
}

/// Runs the attempt to its end, or to the end of its time.
pub(super) async fn attempt(attempt: Attempt) -> Result<Made, AttemptError> {
    let context = context(&attempt).await?;
    let body = execute(attempt.kind, attempt.with.clone(), Arc::clone(&attempt.pool), context);
    let output = match attempt.timeout {
        None => body.await?,
        Some(timeout) => {
            tokio::pin!(body);
            match tokio::time::timeout(timeout, &mut body).await {
                Ok(output) => output?,
                Err(_) => {
                    attempt.cancel.cancel();
                    // one that does not stop is left behind: its result is not waited for and never stored
                    let _ = tokio::time::timeout(GRACE, body).await;
                    return Err(AttemptError::TimedOut(timeout));
                }
            }
        }
    };
    Ok(store_output(&attempt, output).await?)
}

async fn context(attempt: &Attempt) -> Result<NodeContext, StoreError> {
    let (mut inputs, mut many) = (BTreeMap::new(), BTreeMap::new());
    for (port, given) in &attempt.inputs {
        match given {
            Given::One(None) => {}
            Given::One(Some(reference)) => drop(inputs.insert(port.clone(), load(attempt, reference).await?)),
            Given::Many(several) => {
                let mut loaded = Vec::with_capacity(several.len());
                for (place, reference) in several {
                    let artifact = match reference {
                        Some(reference) => Some(load(attempt, reference).await?),
                        None => None,
                    };
                    loaded.push((place.clone(), artifact));
                }
                many.insert(port.clone(), loaded);
            }
        }
    }
    let (node, events, log) = (attempt.node.clone(), attempt.events.clone(), attempt.log.clone());
    let progress = move |done, total, words: &str| {
        log.progress(done, total, words);
        // a display that is gone is no reason to stop
        let _ = events.send(RunEvent::Progress { node: node.clone(), done, total, words: words.to_owned() });
    };
    let log = attempt.log.clone();
    Ok(NodeContext {
        inputs,
        many,
        files: attempt.files.clone(),
        environment: Arc::clone(&attempt.environment),
        as_of: attempt.as_of,
        cancel: attempt.cancel.clone(),
        progress: Arc::new(progress),
        log: Arc::new(move |line: &str| log.line(line)),
        registry: attempt.registry.clone(),
        scratch: Scratch::new(attempt.store.clone(), tokio::runtime::Handle::current(), attempt.fingerprint.digest),
    })
}

async fn load(attempt: &Attempt, reference: &ArtifactRef) -> Result<InputArtifact, StoreError> {
    let artifact = match attempt.pinned.get(&reference.sha256) {
        Some(artifact) => artifact.clone(),
        None => attempt.store.get(reference).await?,
    };
    Ok(InputArtifact { reference: reference.clone(), artifact })
}

/// Runs a node's body on a thread of its own, and checks that it wrote what it declares.
pub(super) async fn execute(
    kind: &'static dyn NodeKind,
    with: Value,
    pool: Arc<rayon::ThreadPool>,
    context: NodeContext,
) -> Result<NodeOutput, NodeError> {
    let declared = kind.declared(&with).unwrap_or_default().outputs;
    let computes = kind.descriptor().behaviour.executor == Executor::Pool;
    let work = move || {
        let run = AssertUnwindSafe(|| match computes {
            true => pool.install(|| kind.run(&with, &context)),
            // who waits must not hold a thread that others compute on
            false => kind.run(&with, &context),
        });
        std::panic::catch_unwind(run).unwrap_or_else(|panic| Err(NodeError::failed(panic_words(panic.as_ref()))))
    };
    let output = match tokio::task::spawn_blocking(work).await {
        Ok(output) => output?,
        Err(error) => return Err(NodeError::failed(error)),
    };
    let table = kind.descriptor().outputs.iter().map(|port| port.name.to_owned());
    let expected: std::collections::BTreeSet<String> = table.chain(declared.into_keys()).collect();
    if !output.outputs.0.keys().eq(expected.iter()) {
        let written: Vec<&String> = output.outputs.0.keys().collect();
        let message = format!("a bug: it declares the outputs {expected:?} and wrote {written:?}");
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
    for (port, artifact) in &output.outputs.0 {
        outputs.insert(port.clone(), attempt.store.put(artifact).await?);
    }
    let action = Action {
        format: 1,
        fingerprint: attempt.fingerprint.digest,
        parts: attempt.fingerprint.parts.clone(),
        outputs,
        values: output.values.0,
        summary: output.summary,
        made_by: MadeBy { run: attempt.run.clone(), node: attempt.node.clone() },
        txn: format!("{}/{}", attempt.run, attempt.node),
    };
    let behaviour = attempt.kind.descriptor().behaviour;
    let ours = |action| Made { action, nondeterministic: BTreeMap::new() };
    if attempt.cache == CacheMode::Off || !behaviour.reusable {
        return Ok(ours(action));
    }
    if behaviour.has_effect || attempt.cache == CacheMode::Refresh {
        attempt.store.replace_action(&action).await?;
        return Ok(ours(action));
    }
    Ok(match attempt.store.commit_action(&action).await? {
        Commit::Ours => ours(action),
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
