//! Every node run again from the sources, with nothing reused.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::{AuditStatus, Auditor, Check};
use crate::artifact::{Artifact, Ledger, Scalar, Scratch, Store, StoreError, reference_to};
use crate::base::Digest;
use crate::engine::attempt::execute;
use crate::engine::child::record;
use crate::engine::compare::{Sameness, compare, logical_digests};
use crate::engine::repeat::store_aside;
use crate::engine::sources::{add, find_program, read_pinned};
use crate::engine::{EngineError, NodeRecord, RunReport};
use crate::node::{Executor, InputArtifact, NodeContext, NodeKind, NodeOutput, PinnedFile, find_kind};
use crate::registry::{Entry, EntryAction, Registry, RegistryClient};
use crate::storage::Storage;

impl Auditor<'_> {
    /// Runs every node of the closure again, in order, and compares bytes.
    pub(super) async fn rebuild(&mut self) -> Result<(), EngineError> {
        for place in &self.closure.nodes {
            let node = self.evidence.node(*place);
            let (status, detail) = match self.made_again(*place).await {
                Err(why) => (AuditStatus::CannotTell, why),
                Ok(outputs) => self.compare(*place, &outputs).await,
            };
            self.find(Check::Rebuild, node.node.clone(), status, detail);
        }
        Ok(())
    }

    /// What a node makes now; in words why that cannot be seen.
    async fn made_again(&self, place: (usize, usize)) -> Result<BTreeMap<String, Artifact>, String> {
        let node = self.evidence.node(place);
        let kind = find_kind(&node.kind).ok_or_else(|| format!("this program has no kind `{}`", node.kind))?;
        match kind.descriptor().behaviour.executor {
            Executor::Engine => self.record_again(place).await,
            Executor::Auditor => Err("an audit: it says what the store was like then".to_owned()),
            Executor::Pool | Executor::Thread => Ok(self.run_again(place).await?.outputs.0),
        }
    }

    /// The record of a pipeline that was a node, put together again from the records of its run, whose nodes are rebuilt
    /// on their own.
    async fn record_again(&self, place: (usize, usize)) -> Result<BTreeMap<String, Artifact>, String> {
        let before = self.evidence.node(place).outputs.get("record").map(|output| output.sha256);
        let mut last = Err("the records of its run are not in the store".to_owned());
        for child in self.evidence.children(place) {
            let view = &self.evidence.views[child];
            let pipeline = self.definition(child, false).await.map_err(|error| error.to_string())??;
            let params = view.start.params.clone();
            let place_of = |node: &NodeRecord| pipeline.nodes.iter().position(|known| known.id == node.node);
            let mut nodes = view.nodes.clone();
            nodes.sort_by_key(place_of);
            let Some(report) = view.clone().report().map(|report| RunReport { nodes, ..report }) else { continue };
            let artifact = record(&report, &params).map_err(|error| error.to_string())?;
            let same = reference_to(&artifact).is_ok_and(|(reference, _)| Some(reference.sha256) == before);
            last = Ok([("record".to_owned(), artifact)].into());
            // a node that was tried again has several runs; one of them is the one
            if same {
                break;
            }
        }
        last
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
                Ok(_) => {
                    let found =
                        self.artifact(before.sha256).await.map(|before| compare(port, &before.artifact, artifact));
                    return match found {
                        Ok(Sameness::EncodingOnly(words)) => (AuditStatus::Mismatch, format!("encoding only: {words}")),
                        Ok(found) => (AuditStatus::Mismatch, found.words().unwrap_or_default()),
                        Err(problem) => (AuditStatus::Mismatch, self.by_values(node, port, artifact, &problem)),
                    };
                }
                Err(error) => return (AuditStatus::Unreadable, error.to_string()),
            }
        }
        (AuditStatus::Verified, format!("identical, byte for byte: {}", words.join(", ")))
    }

    /// Other bytes than those of then, which are gone: the digests of the values still say whether the data are equal.
    fn by_values(&self, node: &NodeRecord, port: &str, now: &Artifact, problem: &str) -> String {
        let values = logical_digests(port, now);
        let equal = !values.is_empty() && values.iter().all(|(name, found)| node.logical.get(name) == Some(found));
        let words = if equal { "encoding only: equal values in other bytes" } else { "it gives other bytes" };
        format!("{port}: {words}; what it was then cannot be read: {problem}")
    }

    /// Runs a recorded node with its recorded inputs; in words why that cannot be.
    pub(super) async fn run_again(&self, (run, at): (usize, usize)) -> Result<NodeOutput, String> {
        let view = &self.evidence.views[run];
        let node = &view.nodes[at];
        let with = &node.parts["with"];
        let kind = find_kind(&node.kind).ok_or_else(|| format!("this program has no kind `{}`", node.kind))?;
        let about = kind.descriptor();
        if node.parts["kind_version"] != about.version {
            let (then, now) = (&node.parts["kind_version"], about.version);
            return Err(format!("`{}` is at version {now} here and was at {then}", node.kind));
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
        let scratch = self.aside(node, kind, &inputs).await.map_err(|error| error.to_string())?;
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
                view.start.run.clone(),
                view.start.run.clone(),
            ),
            ledger: Ledger::new(scratch.clone(), runtime.clone()),
            scratch: Scratch::new(scratch, runtime, node.fingerprint.unwrap_or(Digest::of(b""))),
        };
        let output = execute(kind, with.clone(), Arc::clone(&self.options.pool), context).await;
        output.map_err(|error| format!("it fails now: {error}"))
    }

    /// A store and a registry of its own: nothing is found there but what a deployment found then, and nothing reaches
    /// the audited one.
    async fn aside(
        &self,
        node: &NodeRecord,
        kind: &dyn NodeKind,
        inputs: &BTreeMap<String, InputArtifact>,
    ) -> Result<Store, StoreError> {
        if !kind.descriptor().behaviour.has_effect {
            return Store::over(Storage::in_memory()).await;
        }
        let aside = store_aside(self.store, |entry| was_there(node, entry)).await?;
        for input in inputs.values() {
            aside.put(&input.artifact).await?;
        }
        Ok(aside)
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

/// Whether a registry entry was there when a node decided: its own promotion was not, and nothing that came after.
fn was_there(node: &NodeRecord, entry: &Entry) -> bool {
    let text = |name: &str| match node.values.get(name) {
        Some(Scalar::Text(text)) => text.as_str(),
        _ => "",
    };
    let own = match &entry.action {
        EntryAction::Promote { deploy_id, .. } | EntryAction::Propose { deploy_id, .. } => {
            deploy_id.to_string() == text("deploy_id")
        }
        EntryAction::Rollback { .. } | EntryAction::Retire { .. } => false,
    };
    // a decision that met itself in the registry, rolled back, says so
    entry.at <= node.ended && (!own || text("decision") == "duplicate")
}
