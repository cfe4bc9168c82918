//! The record of a run in the store, and reading it back.
//!
//! ```text
//! runs/<date>/<id>/start.json            what was asked for, with the digests of all sources
//! runs/<date>/<id>/nodes/<n>.json        what became of nodes that ended in one moment, and what happened meanwhile
//! runs/<date>/<id>/logs/<node>.<k>.log   lines of attempt k of a node
//! runs/<date>/<id>/openlineage.ndjson    the same as OpenLineage events, for catalogues of data
//! runs/<date>/<id>/end.json              how the run ended; without it the run was interrupted
//! ```
//!
//! Records are sealed. Logs are not, but the records of their nodes have their digests; nor is the lineage, whose digest
//! the end has, with the number of nodes: so what is removed from the record of a run that ended is missed.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::RunReport;
use super::event::{NodeRecord, RunEvent, RunStatus};
use super::lineage::Lineage;
use crate::artifact::{ArtifactRef, FileRef, Store, StoreError};
use crate::base::{Digest, Timestamp};

/// How many runs back `why` looks for the last time a node ran.
const LOOK_BACK_RUNS: usize = 20;

/// What a run was asked to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StartRecord {
    /// Format of this record.
    pub format: u32,
    /// The run.
    pub run: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// Values of all params.
    pub params: BTreeMap<String, Value>,
    /// End of the data window.
    pub as_of: Timestamp,
    /// Sources as pinned at the start; null where there was none.
    pub sources: BTreeMap<String, Option<ArtifactRef>>,
    /// Digests of programs and files that nodes use.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, Digest>,
    /// Digest of the pipeline's text.
    #[serde(default)]
    pub definition: Option<Digest>,
    /// The run that this one is a node of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Version of the program.
    pub program: String,
    /// Class of the processor: bits of results are equal within one class.
    pub processor: String,
    /// When it started.
    pub at: Timestamp,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndRecord {
    /// How.
    pub status: RunStatus,
    /// Why, where it was not a node.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// How many nodes have a record; version 0.1 did not count them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<usize>,
    /// SHA-256 of the lineage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage: Option<Digest>,
}

/// A run as read back.
#[derive(Clone, Debug, Serialize)]
pub struct RunView {
    /// What it was asked to do.
    pub start: StartRecord,
    /// Its nodes, in the order they ended.
    pub nodes: Vec<NodeRecord>,
    /// How it ended; `None` when it was interrupted or still runs.
    pub end: Option<EndRecord>,
}

impl RunView {
    /// The run as it was reported when it ended, but for the files it published; `None` when it has not ended.
    pub fn report(self) -> Option<RunReport> {
        let end = self.end?;
        Some(RunReport {
            run: self.start.run,
            pipeline: self.start.pipeline,
            as_of: self.start.as_of,
            params: self.start.params,
            status: end.status,
            reason: end.reason,
            started: self.start.at,
            ended: end.at,
            nodes: self.nodes,
            published: Vec::new(),
        })
    }
}

/// Writes the record of one run.
pub(super) struct Journal {
    store: Store,
    folder: String,
    /// Records of nodes, and events, that are not written yet.
    moment: Moment,
    lineage: Lineage,
    /// How often those were written.
    moments: usize,
    /// How many nodes have been recorded.
    recorded: usize,
}

/// What became of several nodes, and what happened meanwhile, in order; events are for people and not read back. Version 0.1
/// wrote an object for each node, which is still read.
#[derive(Default, Serialize)]
struct Moment {
    nodes: Vec<NodeRecord>,
    events: Vec<Value>,
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut record = Value::deserialize(deserializer)?;
        let nodes = match record.get_mut("nodes").map(Value::take) {
            Some(several) => serde_json::from_value(several),
            None => serde_json::from_value(record).map(|single| vec![single]),
        };
        nodes.map(|nodes| Self { nodes, events: Vec::new() }).map_err(serde::de::Error::custom)
    }
}

impl Journal {
    /// Opens the record and writes its start.
    pub(super) async fn start(store: &Store, start: &StartRecord) -> Result<Self, StoreError> {
        let folder = folder_of(&start.at, &start.run);
        let lineage = Lineage::start(start);
        let journal =
            Self { store: store.clone(), folder, moment: Moment::default(), lineage, moments: 0, recorded: 0 };
        journal.write("start.json", start).await?;
        Ok(journal)
    }

    /// Keeps an event for the record.
    pub(super) fn note(&mut self, event: &RunEvent) {
        let event = match event {
            // for eyes only: its timing would be all that differs between two records
            RunEvent::Progress { .. } => return,
            // the rest of it is in the node's own record
            RunEvent::NodeEnded { record } => Ok(json!({"node_ended": {
                "node": record.node, "outcome": record.outcome, "reason": record.reason, "at": record.ended,
            }})),
            other => serde_json::to_value(other),
        };
        self.moment.events.extend(event);
    }

    /// Keeps what became of a node for the record. It is written with others of the same moment: results are found by
    /// their fingerprints, so that a kill in between loses a line of the record and no work.
    pub(super) fn node(&mut self, record: NodeRecord) {
        self.lineage.node(&record);
        self.recorded += 1;
        self.moment.nodes.push(record);
    }

    /// How many records of nodes are not written yet.
    pub(super) fn held_back(&self) -> usize {
        self.moment.nodes.len()
    }

    /// Writes the log of an attempt.
    pub(super) async fn log(&self, node: &str, attempt: usize, text: Vec<u8>) -> Result<FileRef, StoreError> {
        let reference = FileRef { sha256: Digest::of(&text), bytes: text.len() as u64 };
        self.store.storage().commit(&log_name(&self.folder, node, attempt), text.into()).await?;
        Ok(reference)
    }

    /// Writes what was held back.
    pub(super) async fn flush(&mut self) -> Result<(), StoreError> {
        if self.moment.nodes.is_empty() && self.moment.events.is_empty() {
            return Ok(());
        }
        let moment = std::mem::take(&mut self.moment);
        self.write(&format!("nodes/{:06}.json", self.moments), &moment).await?;
        self.moments += 1;
        Ok(())
    }

    /// Writes what was held back, and makes all that was written survive a power loss: a promotion names this run, and no
    /// later run could write its records again. The start is written anew if the store was removed under the run.
    pub(super) async fn make_durable(&mut self, start: &StartRecord) -> Result<(), StoreError> {
        self.flush().await?;
        self.write("start.json", start).await?;
        let storage = self.store.storage();
        Ok(storage.flush(&storage.list(&self.folder).await?).await?)
    }

    /// Writes what was held back and, last, the end.
    pub(super) async fn end(mut self, status: RunStatus, reason: String, at: Timestamp) -> Result<(), StoreError> {
        self.flush().await?;
        let mut end = EndRecord { status, reason, at, nodes: Some(self.recorded), lineage: None };
        let lineage = std::mem::take(&mut self.lineage).end(&end);
        end.lineage = Some(Digest::of(&lineage));
        // a run that was stopped for so long that others took it for interrupted knows better
        self.store.storage().restore(&lineage_name(&self.folder), lineage.into()).await?;
        self.write("end.json", &end).await
    }

    async fn write<T>(&self, name: &str, record: &T) -> Result<(), StoreError>
    where
        T: Serialize + serde::de::DeserializeOwned,
    {
        let name = format!("{}/{name}", self.folder);
        self.store.commit_record(&name, record).await.map(drop)
    }
}

/// Where the lineage of a run is.
pub(super) fn lineage_name(folder: &str) -> String {
    format!("{folder}/openlineage.ndjson")
}

fn log_name(folder: &str, node: &str, attempt: usize) -> String {
    format!("{folder}/logs/{}.{attempt}.log", file_name(node))
}

/// The name of an instance as part of an object's name: `train@model=logistic,seed=1`. Where a character had to go, a
/// part of the digest keeps two names apart.
fn file_name(node: &str) -> String {
    const LONGEST: usize = 120;
    let plain = node.strip_suffix(']').unwrap_or(node).replacen('[', "@", 1);
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '=' | ',' | '@' | '-' | ':' | '+');
    if plain.len() <= LONGEST && plain.chars().all(safe) {
        return plain;
    }
    let kept: String = plain.chars().take(LONGEST).map(|c| if safe(c) { c } else { '_' }).collect();
    format!("{kept}-{}", Digest::of(node.as_bytes()).short())
}

pub(super) fn folder_of(at: &Timestamp, run: &str) -> String {
    format!("runs/{}/{run}", at.date())
}

/// The folders of all runs, newest first.
pub(super) async fn run_folders(store: &Store) -> Result<Vec<String>, StoreError> {
    newest_run_folders(store, usize::MAX).await
}

/// The folders of so many runs at least, newest first; older days are not looked at.
pub(super) async fn newest_run_folders(store: &Store, enough: usize) -> Result<Vec<String>, StoreError> {
    let mut folders = Vec::new();
    for date in store.storage().folders("runs").await?.into_iter().rev() {
        if folders.len() >= enough {
            break;
        }
        let runs = store.storage().folders(&format!("runs/{date}")).await?;
        folders.extend(runs.into_iter().rev().map(|run| format!("runs/{date}/{run}")));
    }
    Ok(folders)
}

/// A run without its nodes.
#[derive(Clone, Debug, Serialize)]
pub struct RunHead {
    /// What it was asked to do.
    pub start: StartRecord,
    /// How it ended; `None` when it was interrupted or still runs.
    pub end: Option<EndRecord>,
    /// Whether the record of its end is there and cannot be believed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub damaged: bool,
}

/// Lists runs, newest first. A run whose start cannot be read is left out: it never began.
///
/// # Errors
/// The store cannot be reached.
pub async fn run_heads(store: &Store, limit: usize) -> Result<Vec<RunHead>, StoreError> {
    let mut heads = Vec::new();
    for folder in newest_run_folders(store, limit).await?.into_iter().take(limit) {
        heads.extend(read_head(store, &folder).await?);
    }
    Ok(heads)
}

/// Reads a head for a list, which one damaged record must not keep from being made.
async fn read_head(store: &Store, folder: &str) -> Result<Option<RunHead>, StoreError> {
    let Some(start) = read_start(store, folder).await? else { return Ok(None) };
    match read_end(store, folder).await {
        Err(StoreError::Record { .. }) => Ok(Some(RunHead { start, end: None, damaged: true })),
        end => Ok(Some(RunHead { start, end: end?, damaged: false })),
    }
}

/// How a run ended. A run that was stopped while it wrote this has no end.
pub(super) async fn read_end(store: &Store, folder: &str) -> Result<Option<EndRecord>, StoreError> {
    match store.read_record(&format!("{folder}/end.json")).await {
        Err(StoreError::Record { source, .. }) if source.is_torn() => Ok(None),
        end => end,
    }
}

/// Reads a run by its id or the end of it; `None` when there is none, or more than one, of that name. `latest` is the
/// newest that is no node of another.
///
/// # Errors
/// The store cannot be reached, or a record is damaged.
pub async fn read_run(store: &Store, id: &str) -> Result<Option<RunView>, StoreError> {
    let folders = run_folders(store).await?;
    if id == "latest" {
        for folder in &folders {
            if read_start(store, folder).await?.is_some_and(|start| start.parent.is_none()) {
                return read_folder(store, folder).await;
            }
        }
        return Ok(None);
    }
    let mut matching = folders.iter().filter(|folder| folder.ends_with(id) || folder.ends_with(&format!("/{id}")));
    match (matching.next(), matching.next()) {
        (Some(folder), None) => read_folder(store, folder).await,
        _ => Ok(None),
    }
}

/// What a run was asked to do; `None` when it never began, as when its record was torn by a power loss.
pub(super) async fn read_start(store: &Store, folder: &str) -> Result<Option<StartRecord>, StoreError> {
    match store.read_record::<StartRecord>(&format!("{folder}/start.json")).await {
        Err(StoreError::Record { .. }) => Ok(None),
        other => other,
    }
}

/// Finds the run of the same pipeline that began before another. Runs that are nodes of runs are a series of their own.
///
/// # Errors
/// The store cannot be reached, or a record is damaged.
pub async fn run_before(store: &Store, run: &StartRecord) -> Result<Option<RunView>, StoreError> {
    let own = folder_of(&run.at, &run.run);
    for folder in run_folders(store).await?.into_iter().skip_while(|folder| *folder != own).skip(1) {
        let Some(start) = read_start(store, &folder).await? else { continue };
        if start.pipeline == run.pipeline && start.parent.is_some() == run.parent.is_some() {
            return read_folder(store, &folder).await;
        }
    }
    Ok(None)
}

pub(super) async fn read_folder(store: &Store, folder: &str) -> Result<Option<RunView>, StoreError> {
    let Some(start) = store.read_record(&format!("{folder}/start.json")).await? else { return Ok(None) };
    let end = read_end(store, folder).await?;
    let mut nodes = Vec::new();
    for name in store.storage().list(&format!("{folder}/nodes")).await? {
        match store.read_record::<Moment>(&name).await {
            // a run that was stopped while it wrote this never wrote it
            Err(StoreError::Record { source, .. }) if end.is_none() && source.is_torn() => {}
            moment => nodes.extend(moment?.into_iter().flat_map(|moment| moment.nodes)),
        }
    }
    nodes.sort_by(|a, b| (a.ended, &a.node).cmp(&(b.ended, &b.node)));
    Ok(Some(RunView { start, nodes, end }))
}

/// The log of an attempt of a node, from 1; `None` when it wrote none.
///
/// # Errors
/// The store cannot be reached, or the log is not what its record says.
pub async fn read_log(
    store: &Store,
    run: &str,
    started: Timestamp,
    node: &NodeRecord,
    attempt: usize,
) -> Result<Option<String>, StoreError> {
    let record = attempt.checked_sub(1).and_then(|index| node.attempts.get(index));
    let Some(log) = record.and_then(|attempt| attempt.log) else { return Ok(None) };
    let name = log_name(&folder_of(&started, run), &node.node, attempt);
    match store.storage().get(&name).await? {
        Some(bytes) if Digest::of(&bytes) == log.sha256 => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        _ => Err(StoreError::Log(name)),
    }
}

/// The fingerprint parts that each node of a pipeline had when it last got that far.
///
/// # Errors
/// The store cannot be reached.
pub async fn last_parts(store: &Store, pipeline: &str) -> Result<BTreeMap<String, Value>, StoreError> {
    let mut parts = BTreeMap::new();
    for folder in newest_run_folders(store, LOOK_BACK_RUNS).await?.into_iter().take(LOOK_BACK_RUNS) {
        // an old record that cannot be read only makes an explanation shorter
        let Ok(Some(view)) = read_folder(store, &folder).await else { continue };
        if view.start.pipeline == pipeline {
            for node in view.nodes.into_iter().filter(|node| node.fingerprint.is_some()) {
                parts.entry(node.node).or_insert(node.parts);
            }
        }
    }
    Ok(parts)
}
