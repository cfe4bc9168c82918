//! Every node run again from the sources, with nothing reused.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::decisions::files;
use super::{AuditLevel, AuditStatus, Auditor};
use crate::artifact::{Artifact, Scratch, Store, reference_to};
use crate::base::Digest;
use crate::engine::EngineError;
use crate::engine::attempt::execute;
use crate::engine::sources::{add, find_program, read_pinned};
use crate::node::{Executor, InputArtifact, NodeContext, NodeOutput, PinnedFile, find_kind};
use crate::registry::{Registry, RegistryClient};
use crate::storage::Storage;
use crate::table::Table;

impl Auditor<'_> {
    /// Runs every node of the closure again, in order, and compares bytes.
    pub(super) async fn rebuild(&mut self) -> Result<(), EngineError> {
        for place in &self.closure.nodes {
            let node = self.evidence.node(*place);
            let what = node.node.clone();
            let with = find_kind(&node.kind).map(|kind| kind.without_effect(&node.parts["with"]));
            let (status, detail) = match with {
                None => (AuditStatus::CannotTell, format!("this program has no kind `{}`", node.kind)),
                Some(with) if with != node.parts["with"] => {
                    (AuditStatus::CannotTell, "it changes the registry; see its decision".to_owned())
                }
                Some(with) => match self.run_again(*place, &with).await {
                    Err(why) => (AuditStatus::CannotTell, why),
                    Ok(output) => self.compare(*place, &output.outputs.0).await,
                },
            };
            self.find(AuditLevel::Rebuild, what, status, detail);
        }
        Ok(())
    }

    /// Compares what a node made now with what it made then.
    async fn compare(&self, place: (usize, usize), now: &BTreeMap<String, Artifact>) -> (AuditStatus, String) {
        let node = self.evidence.node(place);
        let mut words = Vec::new();
        for (port, before) in &node.outputs {
            let Some(artifact) = now.get(port) else {
                return (AuditStatus::Mismatch, format!("{port}: it makes no such output any more"));
            };
            match reference_to(artifact) {
                Ok((reference, _)) if reference.sha256 == before.sha256 => words.push(port.as_str()),
                Ok(_) => match self.artifact(before.sha256).await {
                    Ok(before) => return (AuditStatus::Mismatch, difference(port, &before.artifact, artifact)),
                    Err(problem) => return (AuditStatus::Unreadable, problem),
                },
                Err(error) => return (AuditStatus::Unreadable, error.to_string()),
            }
        }
        (AuditStatus::Verified, format!("identical, byte for byte: {}", words.join(", ")))
    }

    /// Runs a recorded node with its recorded inputs; in words why that cannot be.
    pub(super) async fn run_again(&self, (run, at): (usize, usize), with: &Value) -> Result<NodeOutput, String> {
        let view = &self.evidence.views[run];
        let node = &view.nodes[at];
        let kind = find_kind(&node.kind).ok_or_else(|| format!("this program has no kind `{}`", node.kind))?;
        let about = kind.descriptor();
        if node.parts["kind_version"] != about.version {
            let (then, now) = (&node.parts["kind_version"], about.version);
            return Err(format!("`{}` is at version {now} here and was at {then}", node.kind));
        }
        if about.behaviour.executor == Executor::Engine {
            return Err("a pipeline as a node: audit its own run".to_owned());
        }
        let mut inputs = BTreeMap::new();
        let mut many = BTreeMap::new();
        for (port, given) in node.parts["inputs"].as_object().into_iter().flatten() {
            let digest = |value: &Value| value.as_str().and_then(|text| text.parse::<Digest>().ok());
            match given {
                Value::Array(several) => {
                    let mut loaded: Vec<(String, Option<InputArtifact>)> = Vec::new();
                    for pair in several {
                        let artifact = match digest(&pair[1]) {
                            Some(digest) => Some(self.artifact(digest).await?),
                            None => None,
                        };
                        loaded.push((pair[0].as_str().unwrap_or_default().to_owned(), artifact));
                    }
                    many.insert(port.clone(), loaded);
                }
                single => {
                    if let Some(digest) = digest(single) {
                        inputs.insert(port.clone(), self.artifact(digest).await?);
                    }
                }
            }
        }
        // a store and a registry of its own: nothing is found there, and nothing reaches the audited one
        let scratch = Store::over(Storage::in_memory()).await.map_err(|error| error.to_string())?;
        let runtime = tokio::runtime::Handle::current();
        let started = view.start.at;
        let context = NodeContext {
            inputs,
            many,
            files: self.files(kind.files(with), &node.parts["files"]).await?,
            environment: Arc::clone(&self.options.environment),
            as_of: view.start.as_of,
            cancel: self.options.cancel.child(),
            progress: Arc::new(|_, _, _| {}),
            log: Arc::new(|_| {}),
            registry: RegistryClient::new(
                Registry::new(scratch.clone()),
                runtime.clone(),
                Arc::new(move || started),
                "audit",
                "audit",
            ),
            scratch: Scratch::new(scratch, runtime, node.fingerprint.unwrap_or(Digest::of(b""))),
        };
        let output = execute(kind, with.clone(), Arc::clone(&self.options.pool), context).await;
        output.map_err(|error| format!("it fails now: {error}"))
    }

    /// The programs and files of a command, if they are still what they were.
    async fn files(
        &self,
        wanted: crate::node::NodeFiles,
        recorded: &Value,
    ) -> Result<BTreeMap<String, PinnedFile>, String> {
        let mut found = BTreeMap::new();
        if let Some(program) = wanted.program {
            let file = find_program(&program, &self.options.environment)?;
            found.insert(program, file);
        }
        for path in wanted.others {
            let digest = recorded[&path].as_str().and_then(|text| text.parse::<Digest>().ok());
            // the file of then is in the store; that of now may be another
            let file = match digest {
                Some(sha256) => match self.store.get_blob(sha256).await {
                    Ok(bytes) => PinnedFile { path: path.clone().into(), sha256, bytes: Some(bytes) },
                    Err(_) => read_pinned(&path).await?,
                },
                None => read_pinned(&path).await?,
            };
            add(&mut found, &path, file)?;
        }
        for (name, file) in &found {
            if recorded[name] != file.sha256.to_string().as_str() {
                return Err(format!("`{name}` is not the file that it was"));
            }
        }
        Ok(found)
    }
}

/// Where two artifacts differ: in values, or in how equal values are written.
fn difference(port: &str, before: &Artifact, now: &Artifact) -> String {
    let (before, now) = (files(&before.payload), files(&now.payload));
    for (name, bytes) in &before {
        let label = if name.is_empty() { port.to_owned() } else { format!("{port}/{name}") };
        let Some(other) = now.get(name) else { return format!("{label}: is not made any more") };
        if bytes == other {
            continue;
        }
        let tables = (Table::from_parquet(bytes.clone()), Table::from_parquet(other.clone()));
        return match tables {
            (Ok(before), Ok(now)) => match before.first_difference(&now) {
                None => format!("{label}: equal values in other bytes (encoding only)"),
                Some(place) => format!("{label}: values differ, first at {place}"),
            },
            _ => {
                let at = bytes.iter().zip(other.iter()).position(|(a, b)| a != b);
                let at = at.unwrap_or(bytes.len().min(other.len()));
                format!("{label}: bytes differ from byte {at} on ({} then, {} now)", bytes.len(), other.len())
            }
        };
    }
    format!("{port}: it has files that it had not")
}
