//! A pipeline resolved against the store, before anything runs.
//!
//! Walking the nodes in order, each one is found to be reused, run, skipped, or not yet known because it depends on a
//! node that must run first. The engine asks the same question ([`resolve`]) again whenever a node has ended, so that
//! what `plan` says and what `run` does cannot differ. Because inputs enter a fingerprint by the digest of their bytes,
//! a node that runs again and writes the same bytes stops the rebuild there.

mod fingerprint;
mod resolve;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::artifact::{Action, Scalar, Store, StoreError};
use crate::base::Digest;
use crate::pipeline::{CacheMode, Node, Pipeline};
use crate::registry::RegistryClient;

pub use fingerprint::{ChangedPart, Fingerprint, changed_parts, differences};
pub use resolve::{Given, NodeState, Outside, Resolution, known, resolve};

/// What will happen to a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Its result is in the store.
    Reuse {
        /// The run that made it.
        made_by: String,
    },
    /// It runs.
    Run {
        /// Why, part by part.
        because: Vec<String>,
    },
    /// It does not run.
    Skip {
        /// Why not.
        because: String,
    },
    /// It depends on nodes that must run first.
    Unknown {
        /// Those nodes.
        until: Vec<String>,
    },
}

/// The plan of one node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedNode {
    /// The node.
    pub node: String,
    /// Its kind.
    pub kind: String,
    /// What will happen.
    pub step: Step,
    /// Its cache key, where it is known.
    pub fingerprint: Option<Digest>,
}

/// Finds a reusable result: in the store, every byte checked, and with its effect outside the store still in place.
///
/// # Errors
/// The store cannot be reached.
pub async fn find_reusable(
    store: &Store,
    node: &Node,
    fingerprint: &Fingerprint,
    registry: &RegistryClient,
) -> Result<Option<Action>, StoreError> {
    let reusable = node.kind.descriptor().behaviour.reusable && node.policy.cache == CacheMode::Default;
    let Some(action) = (if reusable { store.find_action(fingerprint.digest).await? } else { None }) else {
        return Ok(None);
    };
    if !node.kind.descriptor().behaviour.has_effect {
        return Ok(Some(action));
    }
    let (kind, values, client) = (node.kind, action.values.clone(), registry.clone());
    // a kind may wait for the registry, which must not happen on a thread that drives the runtime
    let holds = tokio::task::spawn_blocking(move || kind.effect_holds(&values, &client)).await.unwrap_or(false);
    Ok(holds.then_some(action))
}

/// Plans every node without running any.
///
/// # Errors
/// The store cannot be reached.
pub async fn plan(
    pipeline: &Pipeline,
    outside: Outside<'_>,
    store: &Store,
    registry: &RegistryClient,
    last_parts: &BTreeMap<String, Value>,
) -> Result<Vec<PlannedNode>, StoreError> {
    let mut states: BTreeMap<String, NodeState> = BTreeMap::new();
    let mut planned = Vec::with_capacity(pipeline.nodes.len());
    for node in &pipeline.nodes {
        let resolution = resolve(pipeline, node, &states, outside);
        let mut key = None;
        let (step, state) = match resolution {
            Resolution::Skip(because) => (Step::Skip { because: because.clone() }, NodeState::Skipped(because)),
            Resolution::Wait(until) => (Step::Unknown { until }, NodeState::Pending),
            Resolution::Ready { fingerprint, .. } => {
                key = Some(fingerprint.digest);
                match find_reusable(store, node, &fingerprint, registry).await? {
                    Some(action) => {
                        let step = Step::Reuse { made_by: action.made_by.run.clone() };
                        (step, NodeState::Done { outputs: action.outputs, values: action.values, reused: true })
                    }
                    None => (Step::Run { because: reasons(node, &fingerprint, last_parts) }, NodeState::Pending),
                }
            }
        };
        states.insert(node.id.clone(), state);
        planned.push(PlannedNode {
            node: node.id.clone(),
            kind: node.kind.descriptor().name.to_owned(),
            step,
            fingerprint: key,
        });
    }
    Ok(planned)
}

/// Why a node runs, part by part.
fn reasons(node: &Node, fingerprint: &Fingerprint, last_parts: &BTreeMap<String, Value>) -> Vec<String> {
    if !node.kind.descriptor().behaviour.reusable {
        return vec![format!("a node of kind `{}` always runs", node.kind.descriptor().name)];
    }
    match (node.policy.cache, last_parts.get(&node.id)) {
        (CacheMode::Refresh, _) => vec!["cache: refresh".to_owned()],
        (CacheMode::Off, _) => vec!["cache: off".to_owned()],
        (CacheMode::Default, None) => vec!["first time".to_owned()],
        (CacheMode::Default, Some(last)) => differences(last, &fingerprint.parts),
    }
}

/// A node's values as conditions see them.
pub type Values = BTreeMap<String, Scalar>;
