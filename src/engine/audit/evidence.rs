//! What the store says about where artifacts come from, and everything that something was made from.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::Value;

use crate::artifact::{ArtifactRef, Store};
use crate::base::Digest;
use crate::engine::{EngineError, NodeRecord, RunView, read_run, run_heads};
use crate::registry::{EntryAction, Registry};

/// Everything that records say.
pub(super) struct Evidence {
    pub(super) views: Vec<RunView>,
    /// Every artifact that is referred to.
    pub(super) refs: BTreeMap<Digest, ArtifactRef>,
    /// Artifact: the record of a node that made it, by run and place.
    producers: BTreeMap<Digest, (usize, usize)>,
    /// Artifacts that were read from outside.
    sources: BTreeMap<Digest, String>,
}

/// Everything that a subject was made from.
pub(super) struct Closure {
    /// Records of nodes, each after those it reads from.
    pub(super) nodes: Vec<(usize, usize)>,
    /// Artifacts.
    pub(super) artifacts: BTreeSet<Digest>,
    /// Artifacts that no record accounts for, and who reads them.
    pub(super) unexplained: Vec<(Digest, String)>,
}

impl Evidence {
    /// Reads every record of the store. A run whose records are damaged is named in the second part.
    pub(super) async fn read(store: &Store) -> Result<(Self, Vec<(String, String)>), EngineError> {
        let mut evidence =
            Self { views: Vec::new(), refs: BTreeMap::new(), producers: BTreeMap::new(), sources: BTreeMap::new() };
        let mut damaged = Vec::new();
        // oldest first: the first record of an artifact is that of the node that made it
        for head in run_heads(store, usize::MAX).await?.into_iter().rev() {
            match read_run(store, &head.start.run).await {
                Ok(Some(view)) => evidence.take(view),
                Ok(None) => {}
                Err(error) => damaged.push((head.start.run, super::super::chain(&error))),
            }
        }
        let registry = Registry::new(store.clone());
        for model in registry.models().await? {
            // a broken log is a finding of the chain, not a reason to read no evidence
            let Ok(history) = registry.history(&model).await else { continue };
            for entry in history.entries {
                if let EntryAction::Promote { version, .. } = entry.action {
                    for reference in [version.model, version.strategy, version.evaluation] {
                        evidence.refs.insert(reference.sha256, reference);
                    }
                }
            }
        }
        Ok((evidence, damaged))
    }

    fn take(&mut self, view: RunView) {
        let run = self.views.len();
        for (name, reference) in &view.start.sources {
            if let Some(reference) = reference {
                self.refs.insert(reference.sha256, reference.clone());
                self.sources.entry(reference.sha256).or_insert_with(|| format!("sources.{name}"));
            }
        }
        for (at, node) in view.nodes.iter().enumerate() {
            for reference in node.outputs.values() {
                self.refs.insert(reference.sha256, reference.clone());
                self.producers.entry(reference.sha256).or_insert((run, at));
            }
        }
        self.views.push(view);
    }

    pub(super) fn node(&self, (run, at): (usize, usize)) -> &NodeRecord {
        &self.views[run].nodes[at]
    }

    /// The run with this id, or the end of it; the newest for `latest`.
    pub(super) fn run(&self, id: &str) -> Option<usize> {
        if id == "latest" {
            return self.views.len().checked_sub(1);
        }
        let mut found = self.views.iter().enumerate().filter(|(_, view)| view.start.run.ends_with(id));
        match (found.next(), found.next()) {
            (Some((at, _)), None) => Some(at),
            _ => None,
        }
    }

    /// Everything that artifacts were made from.
    pub(super) fn closure(&self, roots: impl IntoIterator<Item = Digest>) -> Closure {
        let mut closure = Closure { nodes: Vec::new(), artifacts: BTreeSet::new(), unexplained: Vec::new() };
        let mut seen = BTreeSet::new();
        let mut left: VecDeque<(Digest, String)> =
            roots.into_iter().map(|root| (root, "the subject".to_owned())).collect();
        while let Some((digest, reader)) = left.pop_front() {
            if !closure.artifacts.insert(digest) {
                continue;
            }
            match self.producers.get(&digest) {
                Some(&place) => {
                    if seen.insert(place) {
                        closure.nodes.push(place);
                        let node = self.node(place);
                        left.extend(input_digests(&node.parts).into_iter().map(|input| (input, node.node.clone())));
                    }
                }
                None if self.sources.contains_key(&digest) => {}
                None => closure.unexplained.push((digest, reader)),
            }
        }
        // found from the subject backwards: makers come last
        closure.nodes = self.in_order(&closure.nodes);
        closure
    }

    /// Puts records so that each follows those it reads from.
    fn in_order(&self, nodes: &[(usize, usize)]) -> Vec<(usize, usize)> {
        let mut placed: Vec<(usize, usize)> = Vec::with_capacity(nodes.len());
        let mut done = BTreeSet::new();
        let wanted: BTreeSet<(usize, usize)> = nodes.iter().copied().collect();
        let mut stack: Vec<((usize, usize), bool)> = nodes.iter().map(|&place| (place, false)).collect();
        while let Some((place, inputs_are_placed)) = stack.pop() {
            if done.contains(&place) {
                continue;
            }
            if inputs_are_placed {
                done.insert(place);
                placed.push(place);
                continue;
            }
            stack.push((place, true));
            let makers =
                input_digests(&self.node(place).parts).into_iter().filter_map(|input| self.producers.get(&input));
            stack
                .extend(makers.filter(|maker| wanted.contains(maker) && **maker != place).map(|&maker| (maker, false)));
        }
        placed
    }
}

/// The digests of a node's inputs, as its fingerprint has them.
pub(super) fn input_digests(parts: &Value) -> Vec<Digest> {
    let digest = |value: &Value| value.as_str().and_then(|text| text.parse().ok());
    let ports = parts["inputs"].as_object().into_iter().flat_map(|ports| ports.values());
    ports
        .flat_map(|given| match given {
            Value::Array(several) => several.iter().filter_map(|pair| digest(&pair[1])).collect(),
            single => digest(single).into_iter().collect::<Vec<_>>(),
        })
        .collect()
}
