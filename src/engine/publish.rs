//! Copies of outputs outside the store, for people: written whole or not at all.

use std::collections::BTreeMap;
use std::path::Path;

use super::{EngineError, NodeRecord};
use crate::artifact::{Artifact, Payload, Store};
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
            let artifact = store.get(reference).await?;
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
    match &artifact.payload {
        Payload::File(bytes) => write_file(Path::new(path), bytes, faults).await,
        Payload::Tree(files) => {
            for (name, bytes) in files {
                write_file(&Path::new(path).join(name), bytes, faults).await?;
            }
            Ok(())
        }
    }
}

async fn write_file(path: &Path, bytes: &[u8], faults: &Faults) -> std::io::Result<()> {
    if tokio::fs::read(path).await.is_ok_and(|found| found == bytes) {
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
    tokio::fs::write(&temporary, bytes).await?;
    // once half-way: a copy that is not whole must not have its name
    faults.before(PUBLISH, &name)?;
    tokio::fs::rename(&temporary, path).await?;
    faults.after(PUBLISH, &name)
}
