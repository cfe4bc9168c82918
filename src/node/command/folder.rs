//! The working folder of a command: what is put into it, and what is taken out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use tempfile::TempDir;

use super::{CommandConfig, CommandError, OutputFile};
use crate::artifact::{Artifact, ArtifactType, LARGE, LargeFile, LargeFiles, Payload, Scalar};
use crate::node::{InputArtifact, Named, NodeContext, NodeError, ValueType};

/// Makes the folder with all inputs and files in it. It vanishes with the value.
///
/// | there | is |
/// |---|---|
/// | `inputs/<port>.<suffix>` | an input of one file |
/// | `inputs/<port>/` | an input of several files, by their names |
/// | `inputs/<port>/<place>.<suffix>`, `inputs/<port>/<place>/` | each of the inputs `node[*].output` |
/// | the path as written | a file of `files` |
pub(super) fn prepare(config: &CommandConfig, context: &NodeContext) -> Result<TempDir, NodeError> {
    let folder = tempfile::Builder::new().prefix("walkforward-command-").tempdir().map_err(NodeError::failed)?;
    let inputs = folder.path().join("inputs");
    for (port, input) in &context.inputs {
        place(input, &inputs.join(port)).map_err(NodeError::failed)?;
    }
    for (port, several) in &context.many {
        for (label, input) in several {
            if let Some(input) = input {
                place(input, &inputs.join(port).join(label)).map_err(NodeError::failed)?;
            }
        }
    }
    for path in &config.files {
        let pinned = context.files.get(path).and_then(|file| file.bytes.as_ref());
        let bytes = pinned.ok_or_else(|| NodeError::failed(format!("a bug: the file `{path}` was not read")))?;
        write(&folder.path().join(path), bytes).map_err(NodeError::failed)?;
    }
    Ok(folder)
}

fn place(input: &InputArtifact, at: &Path) -> std::io::Result<()> {
    let single = || {
        let mut path = at.as_os_str().to_owned();
        path.push(suffix(input.artifact.kind));
        PathBuf::from(path)
    };
    match &input.artifact.payload {
        Payload::Tree(files) => files.iter().try_for_each(|(name, bytes)| write(&at.join(name), bytes)),
        Payload::File(bytes) => write(&single(), bytes),
        Payload::Large(files) => match files.single() {
            Some(file) => copy(file, &single()),
            None => files.files().iter().try_for_each(|(name, file)| copy(file, &at.join(name))),
        },
    }
}

fn copy(file: &LargeFile, to: &Path) -> std::io::Result<()> {
    if let Some(parent) = to.parent() {
        std::fs::create_dir_all(parent)?;
    }
    file.copy_to(to)
}

/// How names of single files of a type end.
fn suffix(kind: ArtifactType) -> &'static str {
    use ArtifactType as Type;
    match kind {
        Type::Bars | Type::Signals | Type::Trades | Type::Trials | Type::Predictions => ".parquet",
        Type::Strategy => ".yaml",
        Type::Report => ".md",
        Type::File => "",
        _ => ".json",
    }
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(path, bytes)
}

/// Reads what the command wrote. What is large is left in the folder, which then stays as long as it is of use.
pub(super) fn collect(config: &CommandConfig, folder: &Arc<TempDir>) -> Result<Named<Artifact>, NodeError> {
    let read = |(name, output): (&String, &OutputFile)| {
        let path = folder.path().join(&output.path);
        let missing = || CommandError::Missing { output: name.clone(), path: output.path.clone() };
        let mut files = BTreeMap::new();
        let single = match std::fs::metadata(&path) {
            Ok(about) if about.is_dir() => {
                walk(&path, "", &mut files).map_err(NodeError::failed)?;
                false
            }
            Ok(about) => {
                // bars are told from each other by the names of their files, and a model is always several
                let single = !matches!(output.kind, ArtifactType::Bars | ArtifactType::Model);
                let file = path.file_name().filter(|_| !single);
                let file = file.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                files.insert(file, (path, about.len()));
                single
            }
            Err(_) => return Err(NodeError::failed(missing())),
        };
        if files.is_empty() {
            return Err(NodeError::failed(missing()));
        }
        let artifact = artifact(output.kind, files, single, folder).map_err(NodeError::failed)?;
        Ok((name.clone(), artifact))
    };
    Ok(Named(config.outputs.iter().map(read).collect::<Result<_, NodeError>>()?))
}

/// The artifact that files make, each with its path and its size.
fn artifact(
    kind: ArtifactType,
    files: BTreeMap<String, (PathBuf, u64)>,
    single: bool,
    folder: &Arc<TempDir>,
) -> std::io::Result<Artifact> {
    if files.values().map(|(_, bytes)| bytes).sum::<u64>() > LARGE {
        let file = |(name, (path, _))| Ok((name, LargeFile::on_disk(path)?));
        let mut files: BTreeMap<String, LargeFile> = files.into_iter().map(file).collect::<std::io::Result<_>>()?;
        let large = match files.pop_first() {
            Some((_, only)) if single => LargeFiles::file(only),
            first => LargeFiles::tree(first.into_iter().chain(files).collect()),
        };
        return Ok(Artifact::large(kind, large.in_room(Some(Arc::clone(folder)))));
    }
    let file = |(name, (path, _))| Ok((name, Bytes::from(std::fs::read(path)?)));
    let mut files: BTreeMap<String, Bytes> = files.into_iter().map(file).collect::<std::io::Result<_>>()?;
    Ok(match files.pop_first() {
        Some((_, only)) if single => Artifact::file(kind, only),
        first => Artifact::tree(kind, first.into_iter().chain(files).collect()),
    })
}

fn walk(folder: &Path, below: &str, files: &mut BTreeMap<String, (PathBuf, u64)>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let name = if below.is_empty() { name } else { format!("{below}/{name}") };
        let about = std::fs::metadata(&path)?;
        if about.is_dir() {
            walk(&path, &name, files)?;
        } else {
            files.insert(name, (path, about.len()));
        }
    }
    Ok(())
}

/// Reads the declared values from `values.json`.
pub(super) fn values(config: &CommandConfig, folder: &Path) -> Result<Named<Scalar>, NodeError> {
    if config.values.is_empty() {
        return Ok(Named::default());
    }
    let refuse = |problem: String| NodeError::failed(CommandError::Values { problem });
    let bytes = std::fs::read(folder.join("values.json"))
        .map_err(|_| refuse("the command did not write it, although `values` are declared".to_owned()))?;
    let written: BTreeMap<String, Value> = serde_json::from_slice(&bytes).map_err(|error| refuse(error.to_string()))?;
    if let Some(unknown) = written.keys().find(|name| !config.values.contains_key(*name)) {
        return Err(refuse(format!("`{unknown}` is not declared in `values`")));
    }
    let read = |(name, declared): (&String, &super::DeclaredValue)| {
        let found = written.get(name).ok_or_else(|| refuse(format!("the declared value `{name}` is not in it")))?;
        let scalar: Option<Scalar> = serde_json::from_value(found.clone()).ok();
        let right = match (&scalar, &declared.0) {
            (Some(Scalar::Null), _) => true,
            (Some(Scalar::Bool(_)), ValueType::Bool) | (Some(Scalar::Text(_)), ValueType::Text) => true,
            (Some(Scalar::Int(_) | Scalar::Float(_)), ValueType::Number) => true,
            (Some(Scalar::Text(word)), kind) => kind.words().is_some_and(|words| words.contains(word)),
            _ => false,
        };
        let expected = serde_json::to_string(declared).unwrap_or_default();
        let wrong = || refuse(format!("`{name}`: expected {expected}, found {found}"));
        scalar.filter(|_| right).map(|scalar| (name.clone(), scalar)).ok_or_else(wrong)
    };
    Ok(Named(config.values.iter().map(read).collect::<Result<_, NodeError>>()?))
}
