//! Copies of outputs outside the store, for people: written whole or not at all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{EngineError, NodeRecord};
use crate::artifact::{Artifact, LargeFile, Store};
use crate::pipeline::{Node, Pipeline, RUN_ID};
use crate::storage::Faults;

/// What faults call the writing of a copy.
const PUBLISH: &str = "publish";

/// Writes what `publish` asks for, for nodes that have a result. Files that are already right are left alone.
pub(super) async fn publish(
    pipeline: &Pipeline,
    store: &Store,
    run: &str,
    nodes: &[NodeRecord],
) -> Result<Vec<String>, EngineError> {
    let publishing = pipeline.nodes.iter().filter(|node| !node.publish.is_empty());
    let publishing: BTreeMap<&str, &Node> = publishing.map(|node| (node.id.as_str(), node)).collect();
    let mut written = Vec::new();
    for record in nodes {
        let Some(node) = publishing.get(record.node.as_str()) else { continue };
        for (port, path) in &node.publish {
            let Some(reference) = record.outputs.get(port) else { continue };
            let path = path.replace(RUN_ID, run);
            let artifact = store.open_large(reference).await?;
            let faults = store.storage().faults();
            write(&artifact, &path, faults)
                .await
                .map_err(|source| EngineError::Publish { path: path.clone(), source })?;
            written.push(path.clone());
        }
    }
    Ok(written)
}

async fn write(artifact: &Artifact, path: &str, faults: &Faults) -> std::io::Result<()> {
    let path = Path::new(path);
    for (name, file) in artifact.files() {
        // a single file has no name
        let to = if name.is_empty() { path.to_owned() } else { path.join(name) };
        write_file(&to, file, faults).await?;
    }
    Ok(())
}

async fn write_file(path: &Path, file: LargeFile, faults: &Faults) -> std::io::Result<()> {
    if is_right(path, &file).await {
        return Ok(());
    }
    let name = path.to_string_lossy();
    faults.before(PUBLISH, &name)?;
    if let Some(folder) = path.parent() {
        tokio::fs::create_dir_all(folder).await?;
    }
    // beside the target, so that the rename stays on one disk; the process id keeps two runs apart
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let to = PathBuf::from(&temporary);
    tokio::task::spawn_blocking(move || file.copy_to(&to)).await.map_err(std::io::Error::other)??;
    // once half-way: a copy that is not whole must not have its name
    faults.before(PUBLISH, &name)?;
    tokio::fs::rename(&temporary, path).await?;
    faults.after(PUBLISH, &name)
}

/// Says whether a file is there already.
async fn is_right(path: &Path, file: &LargeFile) -> bool {
    let same_size = std::fs::metadata(path).is_ok_and(|about| about.is_file() && about.len() == file.about.bytes);
    let (path, sha256) = (path.to_owned(), file.about.sha256);
    let is_same = move || LargeFile::on_disk(path).is_ok_and(|found| found.about.sha256 == sha256);
    same_size && tokio::task::spawn_blocking(is_same).await.unwrap_or(false)
}
