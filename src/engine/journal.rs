//! The record of a run in the store, and reading it back.
//!
//! ```text
//! runs/<date>/<id>/start.json            what was asked for, with the digests of all sources
//! runs/<date>/<id>/nodes/<node>.json     what became of a node, written as soon as it ended
//! runs/<date>/<id>/events/<n>.ndjson     what happened, in order, written when the run ends
//! runs/<date>/<id>/end.json              how the run ended; without it the run was interrupted
//! ```

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::event::{NodeRecord, RunEvent, RunStatus};
use crate::artifact::{ArtifactRef, Store, StoreError};
use crate::base::Timestamp;

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

/// Writes the record of one run.
pub(super) struct Journal {
    store: Store,
    folder: String,
    events: Vec<u8>,
}

impl Journal {
    /// Opens the record and writes its start.
    pub(super) async fn start(store: &Store, start: &StartRecord) -> Result<Self, StoreError> {
        let folder = folder_of(&start.at, &start.run);
        let journal = Self { store: store.clone(), folder, events: Vec::new() };
        journal.write("start.json", start).await?;
        Ok(journal)
    }

    /// Keeps an event for the record.
    pub(super) fn note(&mut self, event: &RunEvent) {
        // progress is for eyes only: its timing would be all that differs between two records
        if !matches!(event, RunEvent::Progress { .. })
            && let Ok(line) = serde_json::to_vec(event)
        {
            self.events.extend_from_slice(&line);
            self.events.push(b'\n');
        }
    }

    /// Writes what became of a node.
    pub(super) async fn node(&self, record: &NodeRecord) -> Result<(), StoreError> {
        self.write(&format!("nodes/{}.json", record.node), record).await
    }

    /// Writes the events and, last, the end.
    pub(super) async fn end(self, end: &EndRecord) -> Result<(), StoreError> {
        let name = format!("{}/events/000000.ndjson", self.folder);
        self.store.storage().create(&name, Bytes::from(self.events.clone())).await?;
        self.write("end.json", end).await
    }

    async fn write<T>(&self, name: &str, record: &T) -> Result<(), StoreError>
    where
        T: Serialize + serde::de::DeserializeOwned,
    {
        let name = format!("{}/{name}", self.folder);
        self.store.commit_record(&name, record, |_| true).await.map(drop)
    }
}

fn folder_of(at: &Timestamp, run: &str) -> String {
    format!("runs/{}/{run}", at.date())
}

/// The folders of all runs, newest first.
pub(super) async fn run_folders(store: &Store) -> Result<Vec<String>, StoreError> {
    let mut folders = Vec::new();
    for date in store.storage().folders("runs").await?.into_iter().rev() {
        let runs = store.storage().folders(&format!("runs/{date}")).await?;
        folders.extend(runs.into_iter().rev().map(|run| format!("runs/{date}/{run}")));
    }
    Ok(folders)
}

/// Lists runs, newest first. A run whose start cannot be read is left out: it never began.
///
/// # Errors
/// The store cannot be reached.
pub async fn list_runs(store: &Store, limit: usize) -> Result<Vec<RunView>, StoreError> {
    let mut views = Vec::new();
    for folder in run_folders(store).await?.into_iter().take(limit) {
        if let Some(view) = read_folder(store, &folder).await? {
            views.push(view);
        }
    }
    Ok(views)
}

/// Reads a run by its id or the end of it; `None` when there is none, or more than one, of that name. `latest` is the
/// newest.
///
/// # Errors
/// The store cannot be reached, or a record is damaged.
pub async fn read_run(store: &Store, id: &str) -> Result<Option<RunView>, StoreError> {
    let folders = run_folders(store).await?;
    if id == "latest" {
        return match folders.first() {
            Some(folder) => read_folder(store, folder).await,
            None => Ok(None),
        };
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

async fn read_folder(store: &Store, folder: &str) -> Result<Option<RunView>, StoreError> {
    let Some(start) = read_start(store, folder).await? else { return Ok(None) };
    let mut nodes = Vec::new();
    for name in store.storage().list(&format!("{folder}/nodes")).await? {
        if let Some(record) = store.read_record::<NodeRecord>(&name).await? {
            nodes.push(record);
        }
    }
    nodes.sort_by(|a, b| (a.ended, &a.node).cmp(&(b.ended, &b.node)));
    let end = store.read_record(&format!("{folder}/end.json")).await?;
    Ok(Some(RunView { start, nodes, end }))
}

/// The fingerprint parts that each node of a pipeline had when it last got that far.
///
/// # Errors
/// The store cannot be reached.
pub async fn last_parts(store: &Store, pipeline: &str) -> Result<BTreeMap<String, Value>, StoreError> {
    let mut parts = BTreeMap::new();
    for folder in run_folders(store).await?.into_iter().take(LOOK_BACK_RUNS) {
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
