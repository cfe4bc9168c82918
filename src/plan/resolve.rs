//! What must happen to one node, given what happened to those before it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::artifact::{ArtifactRef, Scalar};
use crate::base::Digest;
use crate::pipeline::condition::{Known, Reference, Verdict, evaluate};
use crate::pipeline::{Feed, Node, Origin, Pipeline, param_scalar};

use super::Values;
use super::fingerprint::Fingerprint;

/// What has become of a node so far. A node without a state has not been looked at.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeState {
    /// It has not ended.
    Pending,
    /// It ended well: here is what it made.
    Done {
        /// Artifacts by port.
        outputs: BTreeMap<String, ArtifactRef>,
        /// Values by name.
        values: Values,
        /// Whether the result was there before.
        reused: bool,
    },
    /// It did not run, for this reason.
    Skipped(String),
    /// It ran and failed.
    Failed,
    /// It was stopped.
    Cancelled,
}

impl NodeState {
    /// The word that `node.status` has in conditions.
    pub fn status(&self) -> Option<&'static str> {
        Some(match self {
            Self::Pending => return None,
            // whether the result was there before must not decide what else runs
            Self::Done { .. } => "succeeded",
            Self::Skipped(_) => "skipped",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        })
    }
}

/// What an input is given.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    /// An artifact, or nothing.
    One(Option<ArtifactRef>),
    /// Those of several instances, each with its place.
    Many(Vec<(String, Option<ArtifactRef>)>),
}

impl Given {
    /// What of it enters a fingerprint.
    pub(super) fn digests(&self) -> Value {
        let digest = |found: &Option<ArtifactRef>| found.as_ref().map(|found| found.sha256);
        match self {
            Self::One(found) => json!(digest(found)),
            Self::Many(several) => several.iter().map(|(place, found)| json!([place, digest(found)])).collect(),
        }
    }
}

/// What a run reads from outside, as it was when the run started.
#[derive(Clone, Copy, Debug)]
pub struct Outside<'a> {
    /// Sources by name; `None` for one that does not exist.
    pub sources: &'a BTreeMap<String, Option<ArtifactRef>>,
    /// Digests of programs and files that nodes use, by the names they have in the pipeline.
    pub files: &'a BTreeMap<String, Digest>,
}

/// What must happen to a node.
#[derive(Clone, Debug, PartialEq)]
pub enum Resolution {
    /// Everything it needs is there.
    Ready {
        /// Its cache key.
        fingerprint: Fingerprint,
        /// What its inputs are given.
        inputs: BTreeMap<String, Given>,
    },
    /// It does not run, for this reason.
    Skip(String),
    /// These nodes must end first.
    Wait(Vec<String>),
}

/// Decides what must happen to a node.
pub fn resolve(
    pipeline: &Pipeline,
    node: &Node,
    states: &BTreeMap<String, NodeState>,
    outside: Outside<'_>,
) -> Resolution {
    let mut waits = BTreeSet::new();
    if let Some(when) = &node.when {
        match evaluate(when, &|reference| known(pipeline, states, reference)) {
            Verdict::Decided(true) => {}
            Verdict::Decided(false) => return Resolution::Skip(format!("when: {}", one_line(&when.text))),
            Verdict::Absent(upstream) => return Resolution::Skip(because_of(&upstream, states.get(&upstream))),
            Verdict::Pending(upstream) => drop(waits.insert(upstream)),
        }
    }
    for need in &node.needs {
        match states.get(need) {
            Some(NodeState::Done { .. }) => {}
            None | Some(NodeState::Pending) => drop(waits.insert(need.clone())),
            state => return Resolution::Skip(because_of(need, state)),
        }
    }
    let mut inputs = BTreeMap::new();
    for (port, edge) in &node.inputs {
        let mut take =
            |origin: &Origin, may_fail: bool| match origin_of(origin, edge.optional, may_fail, states, outside) {
                Ok(found) => Ok(found),
                Err(Resolution::Wait(upstream)) => {
                    waits.extend(upstream);
                    Ok(None)
                }
                Err(skip) => Err(skip),
            };
        let given = match &edge.from {
            Feed::One(origin) => take(origin, false).map(Given::One),
            Feed::Many(several) => several
                .iter()
                .map(|(place, origin)| Ok((place.clone(), take(origin, edge.optional)?)))
                .collect::<Result<_, _>>()
                .map(Given::Many),
        };
        match given {
            Ok(given) => drop(inputs.insert(port.clone(), given)),
            Err(skip) => return skip,
        }
    }
    if !waits.is_empty() {
        return Resolution::Wait(waits.into_iter().collect());
    }
    let used = node.files.program.iter().chain(&node.files.others);
    let files = used.filter_map(|name| Some((name.clone(), *outside.files.get(name)?))).collect();
    match Fingerprint::of(node.kind.descriptor(), &node.with, &inputs, &files, pipeline.as_of) {
        Ok(fingerprint) => Resolution::Ready { fingerprint, inputs },
        Err(error) => Resolution::Skip(error.to_string()),
    }
}

/// The artifact at an origin; `None` where it may be absent and is. `may_fail` takes a failed node for an absent one.
fn origin_of(
    origin: &Origin,
    optional: bool,
    may_fail: bool,
    states: &BTreeMap<String, NodeState>,
    outside: Outside<'_>,
) -> Result<Option<ArtifactRef>, Resolution> {
    match origin {
        Origin::Source(name) => match outside.sources.get(name).cloned().flatten() {
            Some(found) => Ok(Some(found)),
            None if optional => Ok(None),
            None => Err(Resolution::Skip(format!("sources.{name} does not exist yet"))),
        },
        Origin::Output { node, port } => match states.get(node) {
            None | Some(NodeState::Pending) => Err(Resolution::Wait(vec![node.clone()])),
            Some(NodeState::Done { outputs, .. }) => Ok(outputs.get(port).cloned()),
            Some(NodeState::Skipped(_)) if optional => Ok(None),
            Some(_) if may_fail => Ok(None),
            state => Err(Resolution::Skip(because_of(node, state))),
        },
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn because_of(upstream: &str, state: Option<&NodeState>) -> String {
    let status = state.and_then(NodeState::status).unwrap_or("not known");
    if status == "failed" { format!("{upstream} failed") } else { format!("{upstream} was {status}") }
}

/// What a reference in a condition stands for, given what has become of the nodes.
pub fn known(pipeline: &Pipeline, states: &BTreeMap<String, NodeState>, reference: &Reference) -> Known {
    match reference {
        // bound to a constant when the pipeline was read, or known to whoever ends the run
        Reference::Matrix(_) | Reference::RunStatus => Known::Value(Scalar::Null),
        Reference::StatusOfAll { node, instances } => status_of_all(node, instances, states),
        Reference::AsOf => Known::Value(Scalar::Text(pipeline.as_of.to_string())),
        Reference::Param(name) => {
            Known::Value(pipeline.params.get(name).and_then(param_scalar).unwrap_or(Scalar::Null))
        }
        Reference::Status(node) => match states.get(node).and_then(NodeState::status) {
            Some(status) => Known::Value(Scalar::text(status)),
            None => Known::Pending(node.clone()),
        },
        Reference::Value { node, value } => match states.get(node) {
            None | Some(NodeState::Pending) => Known::Pending(node.clone()),
            Some(NodeState::Done { values, .. }) => Known::Value(values.get(value).cloned().unwrap_or(Scalar::Null)),
            Some(_) => Known::Absent(node.clone()),
        },
    }
}

/// One word for all instances of a node: the worst that happened to any.
fn status_of_all(node: &str, instances: &[String], states: &BTreeMap<String, NodeState>) -> Known {
    const WORST_FIRST: [&str; 4] = ["failed", "cancelled", "succeeded", "skipped"];
    let found: Option<BTreeSet<&str>> =
        instances.iter().map(|instance| states.get(instance).and_then(NodeState::status)).collect();
    match found {
        None => Known::Pending(node.to_owned()),
        Some(words) => {
            let worst = WORST_FIRST.into_iter().find(|word| words.contains(word)).unwrap_or("skipped");
            Known::Value(Scalar::text(worst))
        }
    }
}
