//! What must happen to one node, given what happened to those before it.

use std::collections::{BTreeMap, BTreeSet};

use crate::artifact::{ArtifactRef, Scalar};
use crate::pipeline::condition::{Known, Reference, Verdict, evaluate};
use crate::pipeline::{Node, Origin, Pipeline, param_scalar};

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
    fn status(&self) -> Option<&'static str> {
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

/// What must happen to a node.
#[derive(Clone, Debug, PartialEq)]
pub enum Resolution {
    /// Everything it needs is there; this is its cache key.
    Ready(Fingerprint),
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
    sources: &BTreeMap<String, Option<ArtifactRef>>,
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
        let found = match &edge.from {
            Origin::Source(name) => match sources.get(name).cloned().flatten() {
                Some(found) => Some(found),
                None if edge.optional => None,
                None => return Resolution::Skip(format!("sources.{name} does not exist yet")),
            },
            Origin::Output { node: upstream, port } => match states.get(upstream) {
                None | Some(NodeState::Pending) => {
                    waits.insert(upstream.clone());
                    None
                }
                Some(NodeState::Done { outputs, .. }) => outputs.get(port).cloned(),
                Some(NodeState::Skipped(_)) if edge.optional => None,
                state => return Resolution::Skip(because_of(upstream, state)),
            },
        };
        inputs.insert(port.clone(), found);
    }
    if !waits.is_empty() {
        return Resolution::Wait(waits.into_iter().collect());
    }
    match Fingerprint::of(node.kind.descriptor(), &node.with, &inputs, pipeline.as_of) {
        Ok(fingerprint) => Resolution::Ready(fingerprint),
        Err(error) => Resolution::Skip(error.to_string()),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn because_of(upstream: &str, state: Option<&NodeState>) -> String {
    let status = state.and_then(NodeState::status).unwrap_or("not known");
    if status == "failed" { format!("{upstream} failed") } else { format!("{upstream} was {status}") }
}

fn known(pipeline: &Pipeline, states: &BTreeMap<String, NodeState>, reference: &Reference) -> Known {
    match reference {
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
