//! What the store says about where artifacts come from, and everything that something was made from.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::Value;

use super::AuditStatus;
use crate::artifact::{ArtifactRef, Store};
use crate::base::Digest;
use crate::engine::journal::{StartRecord, read_folder, run_folders};
use crate::engine::{EngineError, NodeRecord, RunView};
use crate::registry::{EntryAction, History, Registry, RegistryError};
use crate::table::LogicalDigest;

/// The kind of a node that is a pipeline of its own.
const PIPELINE: &str = "pipeline";

/// The fewest digits of a digest that name an artifact.
const FEWEST_DIGITS: usize = 8;

/// A run whose records cannot be believed.
#[derive(Clone, Debug)]
pub(super) struct Damaged {
    pub(super) run: String,
    pub(super) status: AuditStatus,
    pub(super) problem: String,
}

/// Everything that records say.
pub(super) struct Evidence {
    pub(super) views: Vec<RunView>,
    pub(super) damaged: Vec<Damaged>,
    /// The run that asks: what its nodes have made so far is known, what will become of it is not.
    pub(super) asked_by: Option<usize>,
    /// Every registered model with its log, or with what is wrong with it.
    pub(super) registry: BTreeMap<String, Result<History, (AuditStatus, String)>>,
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
    /// Reads every record of the store. What is damaged is kept apart: whether it matters depends on the subject.
    pub(super) async fn read(store: &Store, asked_by: Option<&str>) -> Result<Self, EngineError> {
        let mut evidence = Self {
            views: Vec::new(),
            damaged: Vec::new(),
            asked_by: None,
            registry: BTreeMap::new(),
            refs: BTreeMap::new(),
            producers: BTreeMap::new(),
            sources: BTreeMap::new(),
        };
        // oldest first: the first record of an artifact is that of the node that made it
        for folder in run_folders(store).await?.into_iter().rev() {
            let run = folder.rsplit('/').next().unwrap_or_default();
            let error = match read_folder(store, &folder).await {
                Ok(Some(view)) => {
                    if asked_by == Some(run) {
                        evidence.asked_by = Some(evidence.views.len());
                    }
                    evidence.take(view);
                    continue;
                }
                // one that never began has no start; one whose start was damaged has
                Ok(None) => store.read_record::<StartRecord>(&format!("{folder}/start.json")).await.err(),
                Err(error) => Some(error),
            };
            evidence.damaged.extend(error.map(|error| Damaged {
                run: run.to_owned(),
                status: AuditStatus::of(&error),
                problem: crate::engine::chain(&error),
            }));
        }
        let registry = Registry::new(store.clone());
        for model in registry.models().await? {
            let history = match registry.history(&model).await {
                Ok(history) => {
                    evidence.promoted(&history);
                    Ok(history)
                }
                Err(error @ RegistryError::Broken { .. }) => Err((AuditStatus::Mismatch, error.to_string())),
                Err(error) => Err((AuditStatus::Unreadable, crate::engine::chain(&error))),
            };
            evidence.registry.insert(model, history);
        }
        Ok(evidence)
    }

    fn promoted(&mut self, history: &History) {
        for entry in &history.entries {
            if let EntryAction::Promote { version, .. } = &entry.action {
                for reference in [&version.model, &version.strategy, &version.evaluation] {
                    self.refs.entry(reference.sha256).or_insert_with(|| reference.clone());
                }
            }
        }
    }

    fn take(&mut self, view: RunView) {
        let run = self.views.len();
        for (name, reference) in &view.start.sources {
            if let Some(reference) = reference {
                self.refs.entry(reference.sha256).or_insert_with(|| reference.clone());
                self.sources.entry(reference.sha256).or_insert_with(|| format!("sources.{name}"));
            }
        }
        for (at, node) in view.nodes.iter().enumerate() {
            for reference in node.outputs.values() {
                self.refs.entry(reference.sha256).or_insert_with(|| reference.clone());
                self.producers.entry(reference.sha256).or_insert((run, at));
            }
        }
        self.views.push(view);
    }

    pub(super) fn node(&self, (run, at): (usize, usize)) -> &NodeRecord {
        &self.views[run].nodes[at]
    }

    /// The digests of the values of an artifact's tables, as recorded, and the port it was written to.
    pub(super) fn values_of(&self, digest: Digest) -> Option<(&str, BTreeMap<String, LogicalDigest>)> {
        let node = self.node(*self.producers.get(&digest)?);
        let (port, _) = node.outputs.iter().find(|(_, output)| output.sha256 == digest)?;
        let of_port =
            |name: &str| name == port || name.strip_prefix(port.as_str()).is_some_and(|rest| rest.starts_with('/'));
        let recorded: BTreeMap<String, LogicalDigest> = node
            .logical
            .iter()
            .filter(|(name, _)| of_port(name))
            .map(|(name, values)| (name.clone(), *values))
            .collect();
        Some((port, recorded))
    }

    /// Whether an artifact was read from outside and made by no node.
    pub(super) fn is_source(&self, digest: Digest) -> bool {
        self.sources.contains_key(&digest) && !self.producers.contains_key(&digest)
    }

    /// What an artifact is called: `NODE.PORT` of the node that made it, or `sources.NAME`.
    pub(super) fn called(&self, digest: Digest) -> String {
        let made = self.producers.get(&digest).and_then(|place| {
            let node = self.node(*place);
            let (port, _) = node.outputs.iter().find(|(_, output)| output.sha256 == digest)?;
            Some(format!("{}.{port}", node.node))
        });
        made.or_else(|| self.sources.get(&digest).cloned()).unwrap_or_else(|| "of no record".to_owned())
    }

    /// The artifact whose digest begins so, if only one does.
    pub(super) fn by_digits(&self, digits: &str) -> Option<Digest> {
        if digits.len() < FEWEST_DIGITS {
            return None;
        }
        let mut known = self.refs.keys().copied().filter(|known| known.to_string().starts_with(digits));
        match (known.next(), known.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        }
    }

    /// The runs of a node that is a pipeline.
    pub(super) fn children(&self, (run, at): (usize, usize)) -> impl Iterator<Item = usize> {
        let view = &self.views[run];
        let node = &view.nodes[at];
        let parent = format!("{}/{}", view.start.run, node.node);
        // most nodes are none, and a store has many runs
        let candidates = if node.kind == PIPELINE { self.views.as_slice() } else { &[] };
        let of_this = move |child: &RunView| child.start.parent.as_deref() == Some(&parent);
        candidates.iter().enumerate().filter(move |(_, child)| of_this(child)).map(|(at, _)| at)
    }

    /// The runs whose record an artifact is.
    pub(super) fn runs_behind(&self, digest: Digest) -> Vec<usize> {
        self.producers.get(&digest).map(|place| self.children(*place).collect()).unwrap_or_default()
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
                        let name = &self.node(place).node;
                        left.extend(self.made_from(place).into_iter().map(|input| (input, name.clone())));
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

    /// What a node reads; for one that is a pipeline, what its nodes made.
    fn made_from(&self, place: (usize, usize)) -> Vec<Digest> {
        let mut digests = input_digests(&self.node(place).parts);
        for child in self.children(place) {
            let outputs = self.views[child].nodes.iter().flat_map(|node| node.outputs.values());
            digests.extend(outputs.map(|output| output.sha256));
        }
        digests
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
            let read = self.made_from(place);
            let makers = read.iter().filter_map(|input| self.producers.get(input));
            stack
                .extend(makers.filter(|maker| wanted.contains(maker) && **maker != place).map(|&maker| (maker, false)));
        }
        placed
    }
}

/// The digests of a node's inputs, as its fingerprint has them.
pub(in crate::engine) fn input_digests(parts: &Value) -> Vec<Digest> {
    let digest = |value: &Value| value.as_str().and_then(|text| text.parse().ok());
    let ports = parts["inputs"].as_object().into_iter().flat_map(|ports| ports.values());
    ports
        .flat_map(|given| match given {
            Value::Array(several) => several.iter().filter_map(|pair| digest(&pair[1])).collect(),
            single => digest(single).into_iter().collect::<Vec<_>>(),
        })
        .collect()
}
