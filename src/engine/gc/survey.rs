//! Every object of the store, and whether something refers to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde::Serialize;

use super::GcError;
use super::mark::{Marks, Root};
use super::pins::{PinTarget, digest_of, list_pins};
use super::retention::{Because, Retention, RunHead, Untouchable, retain};
use crate::artifact::{Action, ArtifactRef, Store, StoreError, unseal};
use crate::base::{Digest, Timestamp};
use crate::engine::journal::{StartRecord, read_start, run_folders};
use crate::registry::Registry;
use crate::storage::{Object, Storage, StorageError};

/// Objects that are read at once.
const READS: usize = 16;
/// The longest blob that is looked into for the files of a tree.
const LONGEST_MANIFEST: u64 = 1 << 24;

/// What an object is, in the order in which objects are removed: what refers to others goes before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// What a fingerprint made.
    Actions,
    /// Records of runs.
    Runs,
    /// Work in progress.
    Scratch,
    /// Bytes.
    Blobs,
    /// Files of writes that were killed.
    Leftovers,
}

/// Whether something refers to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Kept,
    Unmarked,
}

/// An object with its verdict.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) class: Class,
    pub(super) object: Object,
    /// Its digest or fingerprint, where its name is one.
    pub(super) digest: Option<Digest>,
    pub(super) verdict: Verdict,
}

/// A run with its records.
pub(super) struct Run {
    pub(super) id: String,
    folder: String,
    records: Vec<Object>,
    start: Option<StartRecord>,
    pub(super) kept: Option<Because>,
}

/// The store at one moment.
pub(super) struct Survey {
    pub(super) items: Vec<Item>,
    pub(super) marks: Marks,
    pub(super) runs: Vec<Run>,
    pub(super) live: BTreeSet<String>,
    pub(super) problems: Vec<String>,
}

impl Survey {
    /// Lists the store, then follows all references: what is written meanwhile is not in the list, or is marked.
    pub(super) async fn take(
        store: &Store,
        retention: &Retention,
        live: BTreeSet<String>,
        now: Timestamp,
    ) -> Result<Self, GcError> {
        let storage = store.storage();
        let listed = Listed::of(storage).await?;
        let mut survey =
            Self { items: Vec::new(), marks: Marks::default(), runs: runs(store).await?, live, problems: Vec::new() };
        let mut untouchable = Untouchable { live: survey.live.clone(), ..Untouchable::default() };
        untouchable.promoted = survey.mark_registry(store).await?;
        untouchable.pinned = survey.mark_pins(store, &listed).await?;
        survey.mark_runs(storage, *retention, &untouchable, now).await?;
        let actions = survey.mark_actions(storage, &listed).await?;
        survey.judge(listed, &actions, retention, now);
        Ok(survey)
    }

    /// Marks all that the registry ever referred to; returns the runs that promoted a model.
    async fn mark_registry(&mut self, store: &Store) -> Result<BTreeSet<String>, GcError> {
        let registry = Registry::new(store.clone());
        let mut promoted = BTreeSet::new();
        for model in registry.models().await? {
            for entry in registry.history(&model).await?.entries {
                let root = Arc::new(Root::Registry { model: model.clone(), slot: entry.slot });
                self.marks.scan(&serde_json::to_value(&entry).unwrap_or_default(), &root, "");
                if entry.action.version().is_some() {
                    promoted.insert(entry.by);
                }
            }
        }
        Ok(promoted)
    }

    /// Marks what is pinned by digest; returns the runs that are pinned.
    async fn mark_pins(&mut self, store: &Store, listed: &Listed) -> Result<BTreeSet<String>, GcError> {
        let mut runs = BTreeSet::new();
        for pin in list_pins(store).await? {
            let root = Arc::new(Root::Pin { id: pin.target.id() });
            let digest = match pin.target {
                PinTarget::Run(run) => {
                    runs.insert(run);
                    continue;
                }
                PinTarget::Digest(digest) => digest,
            };
            self.marks.mark(digest, &root, "");
            // the manifest of a tree names its files; in all other places they stand beside it
            if let Some(blob) = listed.blobs.get(&digest).filter(|blob| blob.bytes <= LONGEST_MANIFEST)
                && let Some(bytes) = store.storage().get(&blob.name).await?
                && let Ok(manifest) = serde_json::from_slice(&bytes)
            {
                self.marks.scan(&manifest, &root, "");
            }
        }
        Ok(runs)
    }

    /// Decides which runs are kept, and marks all that their records refer to.
    async fn mark_runs(
        &mut self,
        storage: &Storage,
        retention: Retention,
        untouchable: &Untouchable,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let heads: Vec<RunHead<'_>> = self.runs.iter().map(Run::head).collect();
        let verdicts = retain(&heads, retention, untouchable, now);
        for (run, kept) in self.runs.iter_mut().zip(verdicts) {
            run.kept = kept;
            let Some(because) = kept else { continue };
            let pipeline = run.start.as_ref().map_or("no pipeline", |start| &start.pipeline).to_owned();
            let root = Arc::new(Root::Run { id: run.id.clone(), pipeline, because });
            // what happened refers to nothing that the records do not
            let records = run.records.iter().map(|record| record.name.clone()).filter(|name| name.ends_with(".json"));
            for (name, bytes) in read_all(storage, records.collect()).await? {
                let short = name.strip_prefix(&run.folder).unwrap_or(&name).trim_start_matches('/');
                if !self.marks.scan_record(&bytes, &root, short) {
                    self.problems.push(format!("`{name}` cannot be read: what it refers to may be removed"));
                }
            }
        }
        Ok(())
    }

    /// Marks the outputs of actions that are kept for their fingerprint; returns the outputs of all actions that can be
    /// read.
    async fn mark_actions(
        &mut self,
        storage: &Storage,
        listed: &Listed,
    ) -> Result<BTreeMap<Digest, Vec<ArtifactRef>>, StorageError> {
        let names = listed.actions.values().map(|action| action.name.clone()).collect();
        let mut outputs = BTreeMap::new();
        for (name, bytes) in read_all(storage, names).await? {
            // a damaged one is worth nothing to anyone
            let Ok(action) = unseal::<Action>(&name, &bytes) else { continue };
            if let Some(chain) = self.marks.first(action.fingerprint).cloned() {
                let path = format!("{} > action {}", chain.path, action.fingerprint.short());
                for (port, output) in &action.outputs {
                    let value = serde_json::to_value(output).unwrap_or_default();
                    self.marks.scan(&value, &chain.root, &format!("{path} outputs.{port}"));
                }
            }
            outputs.insert(action.fingerprint, action.outputs.into_values().collect());
        }
        Ok(outputs)
    }

    fn judge(
        &mut self,
        listed: Listed,
        outputs: &BTreeMap<Digest, Vec<ArtifactRef>>,
        retention: &Retention,
        now: Timestamp,
    ) {
        let Listed { blobs, actions, scratch, leftovers } = listed;
        let verdict = |kept: bool| if kept { Verdict::Kept } else { Verdict::Unmarked };
        let mut items = Vec::new();
        for (fingerprint, object) in actions {
            let outputs = outputs.get(&fingerprint).map_or(&[][..], Vec::as_slice);
            let all_kept = !outputs.is_empty() && outputs.iter().all(|output| self.is_whole(output));
            if all_kept
                && !self.marks.has(fingerprint)
                && let Some(chain) = outputs.first().and_then(|output| self.marks.first(output.sha256)).cloned()
            {
                self.marks.mark(fingerprint, &chain.root, &format!("{} > all that it made", chain.path));
            }
            let verdict = verdict(self.marks.has(fingerprint));
            items.push(Item { class: Class::Actions, object, digest: Some(fingerprint), verdict });
        }
        for run in &self.runs {
            let records = run.records.iter().cloned();
            let verdict = verdict(run.kept.is_some());
            items.extend(records.map(|object| Item { class: Class::Runs, object, digest: None, verdict }));
        }
        for (fingerprint, object) in scratch {
            // a study that was stopped may be gone on with for as long as its run would be kept
            let kept = self.marks.has(fingerprint) || object.modified > now.minus(retention.days);
            items.push(Item { class: Class::Scratch, object, digest: Some(fingerprint), verdict: verdict(kept) });
        }
        for (digest, object) in blobs {
            let verdict = verdict(self.marks.has(digest));
            items.push(Item { class: Class::Blobs, object, digest: Some(digest), verdict });
        }
        let leftover = |object| Item { class: Class::Leftovers, object, digest: None, verdict: Verdict::Unmarked };
        items.extend(leftovers.into_iter().map(leftover));
        self.items = items;
    }

    fn is_whole(&self, output: &ArtifactRef) -> bool {
        self.marks.has(output.sha256) && output.files.values().all(|file| self.marks.has(file.sha256))
    }
}

impl Run {
    fn head(&self) -> RunHead<'_> {
        // a run that never began is as old as its newest record
        let at = match &self.start {
            Some(start) => start.at,
            None => self.records.iter().map(|record| record.modified).max().unwrap_or(Timestamp::from_micros(0)),
        };
        RunHead { id: &self.id, pipeline: self.start.as_ref().map(|start| start.pipeline.as_str()), at }
    }
}

/// Runs, newest first. Called after the objects were listed: a run that has begun since has nothing that is.
async fn runs(store: &Store) -> Result<Vec<Run>, GcError> {
    let mut records: BTreeMap<String, Vec<Object>> = BTreeMap::new();
    for object in store.storage().objects("runs").await? {
        let folder: Vec<&str> = object.name.splitn(4, '/').take(3).collect();
        records.entry(folder.join("/")).or_default().push(object);
    }
    let run = |folder: String| {
        let (store, records) = (store.clone(), records.remove(&folder).unwrap_or_default());
        async move {
            // an empty folder on a disk, or a run whose first record is being written
            if records.is_empty() {
                return Ok(None);
            }
            let id = folder.rsplit('/').next().unwrap_or_default().to_owned();
            let start = read_start(&store, &folder).await?;
            Ok::<_, StoreError>(Some(Run { id, folder, records, start, kept: None }))
        }
    };
    let folders = run_folders(store).await?;
    let runs: Vec<Option<Run>> =
        futures_util::stream::iter(folders.into_iter().map(run)).buffered(READS).try_collect().await?;
    Ok(runs.into_iter().flatten().collect())
}

/// What the store holds besides runs.
struct Listed {
    blobs: BTreeMap<Digest, Object>,
    actions: BTreeMap<Digest, Object>,
    scratch: BTreeMap<Digest, Object>,
    leftovers: Vec<Object>,
}

impl Listed {
    async fn of(storage: &Storage) -> Result<Self, StorageError> {
        // a write to a log of the registry or to a lock is nobody's garbage
        let ours = |object: &Object| !["registry/", "locks/"].iter().any(|room| object.name.starts_with(room));
        Ok(Self {
            blobs: by_digest(storage, "blobs/sha256", "").await?,
            actions: by_digest(storage, "actions/v1", ".json").await?,
            scratch: by_digest(storage, "scratch", ".json").await?,
            leftovers: storage.leftovers().await?.into_iter().filter(ours).collect(),
        })
    }
}

/// Objects whose name is made of a digest; others are not ours to judge.
async fn by_digest(storage: &Storage, folder: &str, suffix: &str) -> Result<BTreeMap<Digest, Object>, StorageError> {
    let objects = storage.objects(folder).await?;
    Ok(objects.into_iter().filter_map(|object| Some((digest_of(&object.name, folder, suffix)?, object))).collect())
}

/// Reads objects, several at a time; those that are gone are left out.
async fn read_all(storage: &Storage, names: Vec<String>) -> Result<Vec<(String, Bytes)>, StorageError> {
    let read = |name: String| {
        let storage = storage.clone();
        async move { Ok(storage.get(&name).await?.map(|bytes| (name, bytes))) }
    };
    let found: Vec<Option<(String, Bytes)>> =
        futures_util::stream::iter(names.into_iter().map(read)).buffered(READS).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}
