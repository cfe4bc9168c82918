//! One try of one node: load inputs, run the body, store what it made.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

use super::compare::{compare, has_table, logical_digests};
use super::event::RunEvent;
use super::log::AttemptLog;
use super::repeat;
use super::threads::Threads;
use crate::artifact::{
    Action, Artifact, ArtifactRef, ArtifactType, Commit, Ledger, MadeBy, Payload, Scratch, Store, StoreError,
};
use crate::base::{CancelToken, Digest, Timestamp};
use crate::node::{CommandError, Executor, InputArtifact, NodeContext, NodeError, NodeKind, NodeOutput, PinnedFile};
use crate::pipeline::{CacheMode, FailureClass, LookUp};
use crate::plan::{Fingerprint, Given};
use crate::registry::RegistryClient;
use crate::storage::StorageError;
use crate::table::LogicalDigest;

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
    pub pool: Arc<Threads>,
    /// The threads to execute it on a second time, to see whether it gives the same bytes.
    pub check: Option<Arc<Threads>>,
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
    /// Digests that another execution gave for the same key, where they differ from ours.
    pub nondeterministic: BTreeMap<String, Digest>,
    /// Where those differ first, in words.
    pub differences: Vec<String>,
    /// The number of threads that it was executed on a second time.
    pub repeated_on: Option<usize>,
}

impl Made {
    /// A result with nothing to compare it with.
    pub(super) const fn only(action: Action) -> Self {
        Self { action, nondeterministic: BTreeMap::new(), differences: Vec::new(), repeated_on: None }
    }
}

/// Runs the attempt to its end, or to the end of its time.
pub(super) async fn attempt(attempt: Attempt) -> Result<Made, AttemptError> {
    let second = match &attempt.check {
        // what a deployment finds in the registry is kept before it changes it
        Some(pool) if repeat::can_be_repeated(attempt.kind) => Some((Arc::clone(pool), repeat::aside(&attempt).await?)),
        _ => None,
    };
    let scratch = Scratch::new(attempt.store.clone(), tokio::runtime::Handle::current(), attempt.fingerprint.digest);
    let context = context(&attempt, attempt.registry.clone(), scratch, "").await?;
    let output = in_time(&attempt, Arc::clone(&attempt.pool), context).await?;
    let artifacts = output.outputs.0.clone();
    let mut made = store_output(&attempt, output).await?;
    if let Some((pool, aside)) = second {
        repeat::repeat(&attempt, pool, aside, &artifacts, &mut made).await?;
    }
    Ok(made)
}

/// Runs the body to its end, or to the end of its time.
pub(super) async fn in_time(
    attempt: &Attempt,
    pool: Arc<Threads>,
    context: NodeContext,
) -> Result<NodeOutput, AttemptError> {
    let body = execute(attempt.kind, attempt.with.clone(), pool, context);
    let Some(timeout) = attempt.timeout else { return Ok(body.await?) };
    tokio::pin!(body);
    match tokio::time::timeout(timeout, &mut body).await {
        Ok(output) => Ok(output?),
        Err(_) => {
            attempt.cancel.cancel();
            // one that does not stop is left behind: its result is not waited for and never stored
            let _ = tokio::time::timeout(GRACE, body).await;
            Err(AttemptError::TimedOut(timeout))
        }
    }
}

/// What the body may use; `prefix` stands before the words of its progress.
pub(super) async fn context(
    attempt: &Attempt,
    registry: RegistryClient,
    scratch: Scratch,
    prefix: &'static str,
) -> Result<NodeContext, StoreError> {
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
        let words = format!("{prefix}{words}");
        log.progress(done, total, &words);
        // a display that is gone is no reason to stop
        let _ = events.send(RunEvent::Progress { node: node.clone(), done, total, words });
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
        registry,
        scratch,
        ledger: Ledger::new(attempt.store.clone(), tokio::runtime::Handle::current()),
    })
}

async fn load(attempt: &Attempt, reference: &ArtifactRef) -> Result<InputArtifact, StoreError> {
    let streams = reference.kind == ArtifactType::Bars || attempt.kind.descriptor().behaviour.open_inputs;
    let artifact = match attempt.pinned.get(&reference.sha256) {
        // a large one lies where anybody may change it: the store has it by now
        Some(Artifact { payload: Payload::Large(_), .. }) | None if streams => {
            attempt.store.open_large(reference).await?
        }
        Some(Artifact { payload: Payload::Large(_), .. }) | None => attempt.store.get(reference).await?,
        Some(artifact) => artifact.clone(),
    };
    Ok(InputArtifact { reference: reference.clone(), artifact })
}

/// Runs a node's body on a thread of its own, and checks that it wrote what it declares.
pub(super) async fn execute(
    kind: &'static dyn NodeKind,
    with: Value,
    pool: Arc<Threads>,
    context: NodeContext,
) -> Result<NodeOutput, NodeError> {
    let declared = kind.declared(&with).unwrap_or_default().outputs;
    let computes = kind.descriptor().behaviour.executor == Executor::Pool;
    let work = move || {
        let run = AssertUnwindSafe(|| match computes {
            true => pool.pool().map_err(NodeError::failed)?.install(|| kind.run(&with, &context)),
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
        logical: values_of(&output.outputs.0).await,
        values: output.values.0,
        summary: output.summary,
        made_by: MadeBy { run: attempt.run.clone(), node: attempt.node.clone() },
        txn: format!("{}/{}", attempt.run, attempt.node),
    };
    let behaviour = attempt.kind.descriptor().behaviour;
    if attempt.cache == CacheMode::Off || !behaviour.reusable {
        return Ok(Made::only(action));
    }
    if behaviour.has_effect {
        attempt.store.replace_action(&action).await?;
        return Ok(Made::only(action));
    }
    if attempt.cache == CacheMode::Refresh {
        // a function of its inputs gives the same bytes again: what was there is compared before it is replaced
        let before = attempt.store.find_action(action.fingerprint).await?;
        attempt.store.replace_action(&action).await?;
        return Ok(match before {
            Some(before) => against(attempt, &before, &output.outputs.0, action).await,
            None => Made::only(action),
        });
    }
    Ok(match attempt.store.commit_action(&action).await? {
        Commit::Ours => Made::only(action),
        Commit::Theirs(theirs) => settle(attempt, action, theirs, &output.outputs.0).await?,
    })
}

/// The digests of the values of all tables; reading them back is work, and so is done where it holds nobody up.
async fn values_of(artifacts: &BTreeMap<String, Artifact>) -> BTreeMap<String, LogicalDigest> {
    if !artifacts.values().any(has_table) {
        return BTreeMap::new();
    }
    let artifacts = artifacts.clone();
    let of_all = move || artifacts.iter().flat_map(|(port, artifact)| logical_digests(port, artifact)).collect();
    tokio::task::spawn_blocking(of_all).await.unwrap_or_default()
}

/// Somebody stored a result for our key first. If it can be read it stays, and any difference is evidence.
async fn settle(
    attempt: &Attempt,
    ours: Action,
    theirs: Action,
    artifacts: &BTreeMap<String, Artifact>,
) -> Result<Made, StoreError> {
    let mut made = against(attempt, &theirs, artifacts, ours).await;
    // ours has just been written; theirs may have lost a blob since, which was the reason to run again
    if attempt.store.find_action(theirs.fingerprint).await?.is_some() {
        made.action = theirs;
    }
    Ok(made)
}

/// Our result with what differs from that of another execution with the same key.
async fn against(attempt: &Attempt, other: &Action, artifacts: &BTreeMap<String, Artifact>, ours: Action) -> Made {
    let mut made = Made::only(ours);
    for (port, reference) in &other.outputs {
        if made.action.outputs.get(port).map(|own| own.sha256) == Some(reference.sha256) {
            continue;
        }
        made.nondeterministic.insert(port.clone(), reference.sha256);
        // one that cannot be read any more differs all the same; where cannot be said
        if let (Some(now), Ok(before)) = (artifacts.get(port), attempt.store.get(reference).await) {
            made.differences.extend(compare(port, &before, now).words());
        }
    }
    made
}
