//! Sources: what a run reads from outside, pinned to digests once, at the start.
//!
//! The bytes that were hashed are the bytes that nodes read: a file that changes while a run is under way changes
//! nothing in it. What is large is not held in memory: it goes to the store before the first node runs and is read from
//! there; if it changed before that, the run is refused.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::EngineError;
use super::files::{Hold, Room, read_dataset};
use crate::artifact::{Artifact, ArtifactRef, ArtifactType, LARGE, LargeFile, LargeFiles, Store, reference_to};
use crate::base::Digest;
use crate::market::{FileData, Files};
use crate::node::PinnedFile;
use crate::pipeline::{BarsSource, LookUp, Otherwise, Pipeline, RegistryPart, Source};
use crate::registry::{History, Registry};
use crate::storage::{Storage, StorageError};
use crate::strategy::{Strategy, StrategyError};

/// Sources as they were when the run started.
#[derive(Clone, Debug, Default)]
pub struct PinnedSources {
    /// References by name; `None` for an optional source that does not exist.
    pub references: BTreeMap<String, Option<ArtifactRef>>,
    /// The bytes of those that come from files.
    pub(super) artifacts: BTreeMap<String, Artifact>,
    /// Programs and files that nodes use, by the names they have in the pipeline.
    pub(super) files: BTreeMap<String, PinnedFile>,
}

impl PinnedSources {
    /// Digests of the programs and files that nodes use.
    pub fn digests(&self) -> BTreeMap<String, Digest> {
        self.files.iter().map(|(name, file)| (name.clone(), file.sha256)).collect()
    }

    /// The bytes that were read, by the digest they are known by.
    pub(super) fn by_digest(&self) -> BTreeMap<Digest, Artifact> {
        let digest = |name: &String| self.references.get(name)?.as_ref().map(|reference| reference.sha256);
        self.artifacts.iter().filter_map(|(name, artifact)| Some((digest(name)?, artifact.clone()))).collect()
    }
}

/// Reads and hashes every source of a pipeline, and every program and file that its nodes use.
///
/// # Errors
/// A file is missing, a required model was never promoted, or the store cannot be reached.
pub async fn pin(pipeline: &Pipeline, store: &Store, environment: &LookUp) -> Result<PinnedSources, EngineError> {
    let mut pinned = PinnedSources::default();
    let outside = store.storage();
    // one reading of a log for all sources: a promotion in between must not mix two versions
    let mut histories: BTreeMap<&str, History> = BTreeMap::new();
    for (name, source) in &pipeline.sources {
        let artifact = match source {
            Source::Registry { model, alias, part, otherwise } => {
                if !histories.contains_key(model.as_str()) {
                    histories.insert(model, Registry::new(store.clone()).history(model).await?);
                }
                let champion = histories.get(model.as_str()).and_then(|log| log.champion_as_of(alias, pipeline.as_of));
                let found = champion.map(|champion| match part {
                    RegistryPart::Model => champion.version.model,
                    RegistryPart::Strategy => champion.version.strategy,
                });
                match (&found, otherwise) {
                    (None, Otherwise::Refuse) => {
                        let problem = format!("`{model}` has no {alias} yet; deploy one, or add `optional: true`");
                        return Err(named(name, problem));
                    }
                    (None, Otherwise::File(path)) => {
                        strategy(path, outside).await.map_err(|problem| named(name, problem))?
                    }
                    _ => {
                        pinned.references.insert(name.clone(), found);
                        continue;
                    }
                }
            }
            Source::Bars(source) => bars(source, outside).await.map_err(|problem| named(name, problem))?,
            Source::Strategy(path) => strategy(path, outside).await.map_err(|problem| named(name, problem))?,
            Source::File(path) => any_file(path, outside).await.map_err(|problem| named(name, problem))?,
        };
        let (reference, _) = reference_to(&artifact).map_err(crate::artifact::StoreError::from)?;
        pinned.references.insert(name.clone(), Some(reference));
        pinned.artifacts.insert(name.clone(), artifact);
    }
    for node in &pipeline.nodes {
        let failed = |problem: String| EngineError::File { node: node.id.clone(), problem };
        if let Some(program) = &node.files.program
            && pinned.files.get(program).is_none_or(|file| !file.path.is_absolute())
        {
            let found = find_program(program, environment).map_err(failed)?;
            add(&mut pinned.files, program, found).map_err(failed)?;
        }
        for path in &node.files.others {
            if pinned.files.get(path).is_none_or(|file| file.bytes.is_none()) {
                let found = read_pinned(path).await.map_err(failed)?;
                add(&mut pinned.files, path, found).map_err(failed)?;
            }
        }
    }
    Ok(pinned)
}

/// Reads a file that a node uses.
pub(super) async fn read_pinned(path: &str) -> Result<PinnedFile, String> {
    let bytes = tokio::fs::read(path).await.map_err(|error| unreadable(path, &error))?;
    Ok(PinnedFile { path: path.into(), sha256: Digest::of(&bytes), bytes: Some(bytes.into()) })
}

/// Adds a program or a file to those that are pinned. A script may be both: it is run from where it is, an absolute path,
/// and is copied by its bytes.
pub(super) fn add(files: &mut BTreeMap<String, PinnedFile>, name: &str, new: PinnedFile) -> Result<(), String> {
    let both = match files.remove(name) {
        None => new,
        Some(old) if old.sha256 != new.sha256 => {
            return Err(format!(
                "`{name}` is a program on the PATH and a file of the project; write one as `./{name}`"
            ));
        }
        Some(old) => PinnedFile {
            path: if old.path.is_absolute() { old.path } else { new.path },
            sha256: new.sha256,
            bytes: old.bytes.or(new.bytes),
        },
    };
    files.insert(name.to_owned(), both);
    Ok(())
}

/// Finds a program: a path as it is, a name on the `PATH`.
pub(super) fn find_program(name: &str, environment: &LookUp) -> Result<PinnedFile, String> {
    let candidates: Vec<PathBuf> = if name.contains('/') {
        vec![PathBuf::from(name)]
    } else {
        let path = environment("PATH").unwrap_or_default();
        path.split(':').filter(|folder| !folder.is_empty()).map(|folder| Path::new(folder).join(name)).collect()
    };
    let executable = |path: &PathBuf| {
        let about = std::fs::metadata(path);
        about.is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
    };
    let Some(found) = candidates.iter().find(|path| executable(path)) else {
        return Err(match name.contains('/') {
            true => format!("`{name}` is no program that can be run; give its path, and `chmod +x` it"),
            false => format!("there is no program `{name}` on the PATH; install it, or give its path"),
        });
    };
    // where it is run from is a working folder of its own
    let path = std::path::absolute(found).map_err(|error| unreadable(name, &error))?;
    let bytes = std::fs::read(&path).map_err(|error| unreadable(name, &error))?;
    Ok(PinnedFile { path, sha256: Digest::of(&bytes), bytes: None })
}

async fn any_file(path: &str, outside: &Storage) -> Result<Artifact, String> {
    if let Some(large) = large_at(path).await.map_err(|error| unreadable(path, &error))? {
        return Ok(Artifact::large(ArtifactType::File, large));
    }
    Ok(match read_files(path, |_| true, outside).await? {
        Found::File(_, bytes) => Artifact::file(ArtifactType::File, bytes),
        Found::Folder(files) => Artifact::tree(ArtifactType::File, files),
    })
}

/// What is at a path of this machine, if it is too large to be held in memory; who reads it otherwise says why it cannot be
/// read.
async fn large_at(path: &str) -> std::io::Result<Option<LargeFiles>> {
    let Ok(about) = std::fs::metadata(path) else { return Ok(None) };
    if about.is_file() {
        if about.len() <= LARGE {
            return Ok(None);
        }
        let files = hashed([(String::new(), FileData::Local(path.into()))].into()).await?;
        return Ok(files.into_values().next().map(LargeFiles::file));
    }
    let (mut files, mut bytes) = (Files::new(), 0);
    for entry in std::fs::read_dir(path)? {
        let place = entry?.path();
        let about = std::fs::metadata(&place)?;
        if let Some(name) = place.file_name().filter(|_| about.is_file()) {
            bytes += about.len();
            files.insert(name.to_string_lossy().into_owned(), FileData::Local(place.clone()));
        }
    }
    if bytes <= LARGE {
        return Ok(None);
    }
    hashed(files).await.map(LargeFiles::tree).map(Some)
}

pub(super) fn unreadable(path: &str, error: &std::io::Error) -> String {
    let hint = if error.kind() == std::io::ErrorKind::NotFound {
        "; paths are relative to the folder the program is called from"
    } else {
        ""
    };
    format!("cannot read `{path}`: {error}{hint}")
}

fn named(name: &str, problem: String) -> EngineError {
    EngineError::Source { name: name.to_owned(), problem }
}

/// Reads a data set: bars, and the tables that its options name.
async fn bars(source: &BarsSource, outside: &Storage) -> Result<Artifact, String> {
    let room = Room::default();
    let dataset = read_dataset(&source.path, &source.read, Hold::Small(&room), outside).await?;
    let files = dataset.to_tree().map_err(|error| error.to_string())?;
    let in_memory = |(name, data): (&String, &FileData)| match data {
        FileData::Memory(bytes) => Some((name.clone(), bytes.clone())),
        FileData::Local(_) => None,
    };
    if let Some(files) = files.iter().map(in_memory).collect() {
        return Ok(Artifact::tree(ArtifactType::Bars, files));
    }
    let files = hashed(files).await.map_err(|error| unreadable(&source.path, &error))?;
    Ok(Artifact::large(ArtifactType::Bars, LargeFiles::tree(files).in_room(room.kept())))
}

/// Hashes files that are left where they are. What is read from them later is checked against these digests.
async fn hashed(files: Files) -> std::io::Result<BTreeMap<String, LargeFile>> {
    let file = |(name, data): (String, FileData)| {
        let file = match data {
            FileData::Memory(bytes) => LargeFile::in_memory(bytes),
            FileData::Local(path) => LargeFile::on_disk(path)?,
        };
        Ok((name, file))
    };
    let work = move || files.into_iter().map(file).collect();
    tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other)?
}

async fn strategy(path: &str, outside: &Storage) -> Result<Artifact, String> {
    let mut files = read_files(path, is_data_file, outside).await?.all().into_values();
    match (files.next(), files.next()) {
        (Some(bytes), None) => {
            let text = std::str::from_utf8(&bytes).map_err(|error| format!("`{path}`: {error}"))?;
            Strategy::from_yaml(text).map_err(|error| match error {
                StrategyError::Problems { .. } => {
                    format!("{}; correct the strategy where it is marked", error.in_file(path))
                }
                _ => error.in_file(path),
            })?;
            Ok(Artifact::file(ArtifactType::Strategy, bytes))
        }
        _ => Err(format!("expected one strategy file, found a folder: `{path}`")),
    }
}

/// What is at a path.
enum Found {
    /// A file and its name.
    File(String, Bytes),
    /// The files of a folder, by name.
    Folder(BTreeMap<String, Bytes>),
}

impl Found {
    fn all(self) -> BTreeMap<String, Bytes> {
        match self {
            Self::File(name, bytes) => [(name, bytes)].into(),
            Self::Folder(files) => files,
        }
    }
}

/// The files at a path: one file, or all Parquet and CSV files of a folder or an S3 prefix, by name.
async fn read_files(path: &str, wanted: fn(&str) -> bool, outside: &Storage) -> Result<Found, String> {
    if path.contains("://") {
        return read_remote(path, wanted, outside).await;
    }
    let place = Path::new(path);
    let missing = |error: std::io::Error| unreadable(path, &error);
    let about = tokio::fs::metadata(place).await.map_err(missing)?;
    if about.is_file() {
        let name = place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        return Ok(Found::File(name, tokio::fs::read(place).await.map_err(missing)?.into()));
    }
    let mut files = BTreeMap::new();
    let mut entries = tokio::fs::read_dir(place).await.map_err(missing)?;
    while let Some(entry) = entries.next_entry().await.map_err(missing)? {
        let name = entry.file_name().to_string_lossy().into_owned();
        if wanted(&name) && entry.path().is_file() {
            files.insert(name, tokio::fs::read(entry.path()).await.map_err(missing)?.into());
        }
    }
    not_empty(path, files)
}

/// Reads files of a bucket, which is reached as the store is.
async fn read_remote(path: &str, wanted: fn(&str) -> bool, outside: &Storage) -> Result<Found, String> {
    const AT_ONCE: usize = 8;
    let failed = |error: StorageError| words(&error);
    let place = path.trim_end_matches('/');
    let inside = place.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
    // what has the very name is a file; a name that others begin with is a folder
    if inside.is_some()
        && let Some((folder, file)) = place.rsplit_once('/')
        && let Some(bytes) = outside.open_beside(folder).map_err(failed)?.get(file).await.map_err(failed)?
    {
        return Ok(Found::File(file.to_owned(), bytes));
    }
    let storage = outside.open_beside(place).map_err(failed)?;
    let names = storage.list("").await.map_err(failed)?;
    // like a folder on disk, a prefix is read one level deep
    let names: Vec<String> = names.into_iter().filter(|name| wanted(name) && !name.contains('/')).collect();
    let read = names.into_iter().map(|name| {
        let storage = storage.clone();
        async move {
            let bytes = storage.get(&name).await.map_err(failed)?;
            let bytes = bytes.ok_or_else(|| format!("`{place}/{name}` was removed while it was read"))?;
            Ok::<_, String>((name, bytes))
        }
    });
    let files = stream::iter(read).buffered(AT_ONCE).try_collect().await?;
    not_empty(path, files)
}

/// An error with its cause and what to do about it.
pub(super) fn words(error: &StorageError) -> String {
    let cause = std::error::Error::source(error).map_or_else(String::new, |cause| format!(" ({cause})"));
    let advice = error.advice().map_or_else(String::new, |advice| format!("; {advice}"));
    format!("{error}{cause}{advice}")
}

fn is_data_file(name: &str) -> bool {
    [".parquet", ".csv"].iter().any(|suffix| name.ends_with(suffix))
}

fn not_empty(path: &str, files: BTreeMap<String, Bytes>) -> Result<Found, String> {
    if files.is_empty() {
        return Err(format!("no `.parquet` or `.csv` file in `{path}`"));
    }
    Ok(Found::Folder(files))
}
