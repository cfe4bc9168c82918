//! Sources: what a run reads from outside, pinned to digests once, at the start.
//!
//! The bytes that were hashed are the bytes that nodes read: a file that changes while a run is under way changes
//! nothing in it.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::EngineError;
use crate::artifact::{Artifact, ArtifactRef, ArtifactType, Store, reference_to};
use crate::base::Digest;
use crate::node::PinnedFile;
use crate::pipeline::{LookUp, Otherwise, Pipeline, RegistryPart, Source};
use crate::registry::{History, Registry};
use crate::storage::Storage;
use crate::strategy::Strategy;

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
                    (None, Otherwise::File(path)) => strategy(path).await.map_err(|problem| named(name, problem))?,
                    _ => {
                        pinned.references.insert(name.clone(), found);
                        continue;
                    }
                }
            }
            Source::Bars(path) => Artifact::tree(
                ArtifactType::Bars,
                read_files(path, is_data_file).await.map_err(|problem| named(name, problem))?,
            ),
            Source::Strategy(path) => strategy(path).await.map_err(|problem| named(name, problem))?,
            Source::File(path) => any_file(path).await.map_err(|problem| named(name, problem))?,
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

async fn any_file(path: &str) -> Result<Artifact, String> {
    let is_file = tokio::fs::metadata(path).await.is_ok_and(|about| about.is_file());
    let mut files = read_files(path, |_| true).await?;
    let single = if is_file { files.pop_first() } else { None };
    Ok(match single {
        Some((_, bytes)) => Artifact::file(ArtifactType::File, bytes),
        None => Artifact::tree(ArtifactType::File, files),
    })
}

fn unreadable(path: &str, error: &std::io::Error) -> String {
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

async fn strategy(path: &str) -> Result<Artifact, String> {
    let mut files = read_files(path, is_data_file).await?.into_values();
    match (files.next(), files.next()) {
        (Some(bytes), None) => {
            let text = std::str::from_utf8(&bytes).map_err(|error| format!("`{path}`: {error}"))?;
            Strategy::from_yaml(text).map_err(|error| format!("`{path}`: {error}"))?;
            Ok(Artifact::file(ArtifactType::Strategy, bytes))
        }
        _ => Err(format!("expected one strategy file, found a folder: `{path}`")),
    }
}

/// The files at a path: one file, or all Parquet and CSV files of a folder or an S3 prefix, by name.
async fn read_files(path: &str, wanted: fn(&str) -> bool) -> Result<BTreeMap<String, Bytes>, String> {
    if path.contains("://") {
        return read_remote(path, wanted).await;
    }
    let place = Path::new(path);
    let missing = |error: std::io::Error| unreadable(path, &error);
    let about = tokio::fs::metadata(place).await.map_err(missing)?;
    let mut files = BTreeMap::new();
    if about.is_file() {
        let name = place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        files.insert(name, tokio::fs::read(place).await.map_err(missing)?.into());
        return Ok(files);
    }
    let mut entries = tokio::fs::read_dir(place).await.map_err(missing)?;
    while let Some(entry) = entries.next_entry().await.map_err(missing)? {
        let name = entry.file_name().to_string_lossy().into_owned();
        if wanted(&name) && entry.path().is_file() {
            files.insert(name, tokio::fs::read(entry.path()).await.map_err(missing)?.into());
        }
    }
    not_empty(path, files)
}

async fn read_remote(path: &str, wanted: fn(&str) -> bool) -> Result<BTreeMap<String, Bytes>, String> {
    let (folder, file) = match path.rsplit_once('/') {
        Some((folder, file)) if is_data_file(file) || file.ends_with(".yaml") => (folder, Some(file)),
        _ => (path.trim_end_matches('/'), None),
    };
    let storage = Storage::open(folder).map_err(|error| error.to_string())?;
    let names = match file {
        Some(file) => vec![file.to_owned()],
        None => storage.list("").await.map_err(|error| error.to_string())?,
    };
    let mut files = BTreeMap::new();
    // like a folder on disk, a prefix is read one level deep
    for name in names.into_iter().filter(|name| file.is_some() || (wanted(name) && !name.contains('/'))) {
        let bytes = storage.get(&name).await.map_err(|error| error.to_string())?;
        files.insert(name.clone(), bytes.ok_or_else(|| format!("`{folder}/{name}` does not exist"))?);
    }
    not_empty(path, files)
}

fn is_data_file(name: &str) -> bool {
    [".parquet", ".csv"].iter().any(|suffix| name.ends_with(suffix))
}

fn not_empty(path: &str, files: BTreeMap<String, Bytes>) -> Result<BTreeMap<String, Bytes>, String> {
    if files.is_empty() {
        return Err(format!("no `.parquet` or `.csv` file in `{path}`"));
    }
    Ok(files)
}
