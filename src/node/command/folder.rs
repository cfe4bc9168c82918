//! The working folder of a command: what is put into it, and what is taken out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::Value;
use tempfile::TempDir;

use super::{CommandConfig, CommandError, OutputFile};
use crate::artifact::{Artifact, ArtifactType, Payload, Scalar};
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
    match &input.artifact.payload {
        Payload::Tree(files) => files.iter().try_for_each(|(name, bytes)| write(&at.join(name), bytes)),
        Payload::File(bytes) => {
            let mut path = at.as_os_str().to_owned();
            path.push(suffix(input.artifact.kind));
            write(Path::new(&path), bytes)
        }
    }
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

/// Reads what the command wrote.
pub(super) fn collect(config: &CommandConfig, folder: &Path) -> Result<Named<Artifact>, NodeError> {
    let read = |(name, output): (&String, &OutputFile)| {
        let path = folder.join(&output.path);
        let missing = || CommandError::Missing { output: name.clone(), path: output.path.clone() };
        if path.is_dir() {
            let mut files = BTreeMap::new();
            walk(&path, "", &mut files).map_err(NodeError::failed)?;
            if files.is_empty() {
                return Err(NodeError::failed(missing()));
            }
            return Ok((name.clone(), Artifact::tree(output.kind, files)));
        }
        let bytes = std::fs::read(&path).map_err(|_| NodeError::failed(missing()))?;
        let artifact = match output.kind {
            // bars are told from each other by the names of their files, and a model is always several
            ArtifactType::Bars | ArtifactType::Model => {
                let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                Artifact::tree(output.kind, [(file, bytes.into())].into())
            }
            kind => Artifact::file(kind, bytes),
        };
        Ok((name.clone(), artifact))
    };
    Ok(Named(config.outputs.iter().map(read).collect::<Result<_, NodeError>>()?))
}

fn walk(folder: &Path, below: &str, files: &mut BTreeMap<String, Bytes>) -> std::io::Result<()> {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    entries.sort();
    for path in entries {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let name = if below.is_empty() { name } else { format!("{below}/{name}") };
        if path.is_dir() {
            walk(&path, &name, files)?;
        } else {
            files.insert(name, std::fs::read(&path)?.into());
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
