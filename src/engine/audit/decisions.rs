//! Fingerprints, conditions, drift verdicts and gates: worked out again from what was recorded.

use std::collections::BTreeMap;

use super::{AuditLevel, AuditStatus, Auditor, differing};
use crate::artifact::Payload;
use crate::base::{Digest, canonical_json};
use crate::engine::{EngineError, NodeRecord, Outcome, RunView};
use crate::node::find_kind;
use crate::pipeline::{LoadOptions, Pipeline, load, param_text};
use crate::plan::{NodeState, Outside, Resolution, resolve};

/// Kinds whose result is a decision: they are made again at this level already.
const DECIDING: [&str; 2] = ["drift-check", "deploy-if-better"];

impl Auditor<'_> {
    /// The key of every record is that of its parts.
    pub(super) fn fingerprints(&mut self) {
        let mut right = 0;
        for place in &self.closure.nodes {
            let node = self.evidence.node(*place);
            let computed = canonical_json(&node.parts).map(|bytes| Digest::of(&bytes)).ok();
            if computed == node.fingerprint {
                right += 1;
            } else {
                let detail = "the recorded parts do not give the recorded fingerprint";
                self.find(
                    AuditLevel::Decisions,
                    format!("fingerprint of {}", node.node),
                    AuditStatus::Mismatch,
                    detail,
                );
            }
        }
        if right > 0 {
            let detail = "recomputed from their parts";
            self.find(AuditLevel::Decisions, format!("{right} fingerprints"), AuditStatus::Verified, detail);
        }
    }

    /// Replays which nodes ran and which were skipped, and makes every decision again.
    pub(super) async fn decisions(&mut self, runs: &[usize]) -> Result<(), EngineError> {
        let evidence = self.evidence;
        for &run in runs {
            let view = &evidence.views[run];
            let what = format!("conditions of run {}", view.start.run);
            match self.definition(view).await? {
                Err(problem) => self.find(AuditLevel::Decisions, what, AuditStatus::CannotTell, problem),
                Ok(pipeline) => {
                    let wrong = replay(&pipeline, view);
                    if wrong.is_empty() {
                        let detail =
                            format!("{} nodes ran, were reused or were skipped as they had to be", view.nodes.len());
                        self.find(AuditLevel::Decisions, what.clone(), AuditStatus::Verified, detail);
                    }
                    for problem in wrong {
                        self.find(AuditLevel::Decisions, what.clone(), AuditStatus::Mismatch, problem);
                    }
                }
            }
            for (at, node) in view.nodes.iter().enumerate() {
                if DECIDING.contains(&node.kind.as_str()) && !node.outputs.is_empty() {
                    self.decide_again((run, at)).await?;
                }
            }
        }
        Ok(())
    }

    /// The pipeline as it was when a run started; in words why it cannot be had.
    async fn definition(&self, view: &RunView) -> Result<Result<Pipeline, String>, EngineError> {
        let Some(digest) = view.start.definition else {
            return Ok(Err("the run was recorded before pipelines were kept".to_owned()));
        };
        let Ok(bytes) = self.store.get_blob(digest).await else {
            return Ok(Err(format!("the pipeline {} is not in the store", digest.short())));
        };
        let text = String::from_utf8_lossy(&bytes);
        let set = view.start.params.iter().map(|(name, value)| (name.clone(), param_text(value))).collect();
        let options = LoadOptions { set, as_of: Some(view.start.as_of), ..LoadOptions::default() };
        Ok(load(&text, &options).map_err(|problems| {
            let first = problems.first().map(|problem| problem.message.clone()).unwrap_or_default();
            format!("this program no longer reads the pipeline: {first}")
        }))
    }

    /// Makes a decision again from its recorded inputs, without carrying it out.
    async fn decide_again(&mut self, place: (usize, usize)) -> Result<(), EngineError> {
        let node = self.evidence.node(place);
        let what = format!("decision of {}", node.node);
        let Some(kind) = find_kind(&node.kind) else { return Ok(()) };
        match self.run_again(place, &kind.without_effect(&node.parts["with"])).await {
            Err(why) => self.find(AuditLevel::Decisions, what, AuditStatus::CannotTell, why),
            Ok(output) => {
                // whether it was carried out is no part of the decision
                let decision = |name: &String| !["applied", "settled", "deploy_id"].contains(&name.as_str());
                let before: BTreeMap<_, _> =
                    node.values.clone().into_iter().filter(|(name, _)| decision(name)).collect();
                let now: BTreeMap<_, _> = output.values.0.into_iter().filter(|(name, _)| decision(name)).collect();
                let different = differing(&before, &now);
                let settled_elsewhere = node.values.get("settled").is_some_and(|v| v.to_string() == "false");
                if different.is_empty() || settled_elsewhere {
                    let words = before.get("decision").map(ToString::to_string).unwrap_or_default();
                    self.find(AuditLevel::Decisions, what, AuditStatus::Verified, format!("{words}, as recorded"));
                } else {
                    self.find(AuditLevel::Decisions, what, AuditStatus::Mismatch, different.join("; "));
                }
            }
        }
        Ok(())
    }

    /// The artifact of a digest, checked.
    pub(super) async fn artifact(&self, digest: Digest) -> Result<crate::node::InputArtifact, String> {
        let reference = self.evidence.refs.get(&digest).ok_or_else(|| format!("{} is in no record", digest.short()))?;
        let artifact = self.store.get(reference).await.map_err(|error| error.to_string())?;
        Ok(crate::node::InputArtifact { reference: reference.clone(), artifact })
    }
}

/// Goes through a run again with the recorded results, and says where a node was not treated as it had to be.
fn replay(pipeline: &Pipeline, view: &RunView) -> Vec<String> {
    let records: BTreeMap<&str, &NodeRecord> = view.nodes.iter().map(|node| (node.node.as_str(), node)).collect();
    let outside = Outside { sources: &view.start.sources, files: &view.start.files };
    let mut states = BTreeMap::new();
    let mut wrong = Vec::new();
    for node in &pipeline.nodes {
        let Some(record) = records.get(node.id.as_str()) else {
            // a run that was interrupted did not get so far, or was killed before it could say so
            if view.end.is_some() {
                wrong.push(format!("{} has no record", node.id));
            }
            continue;
        };
        match (resolve(pipeline, node, &states, outside), record.outcome) {
            (Resolution::Ready { fingerprint, .. }, Outcome::Succeeded | Outcome::Reused | Outcome::Failed) => {
                if record.fingerprint != Some(fingerprint.digest) {
                    let parts = crate::plan::differences(&record.parts, &fingerprint.parts);
                    wrong.push(format!("{} had another fingerprint: {}", node.id, parts.join("; ")));
                }
            }
            (Resolution::Skip(_), Outcome::Skipped) | (_, Outcome::Cancelled) => {}
            // tried, and found too little data
            (Resolution::Ready { .. }, Outcome::Skipped) if record.fingerprint.is_some() => {}
            (Resolution::Ready { .. }, Outcome::Skipped) => {
                wrong.push(format!("{} was skipped ({}) and had to run", node.id, record.reason));
            }
            (Resolution::Skip(because), _) => wrong.push(format!("{} ran and had to be skipped: {because}", node.id)),
            (Resolution::Wait(until), _) => wrong.push(format!("{} ran before {}", node.id, until.join(", "))),
        }
        states.insert(node.id.clone(), state_of(record));
    }
    wrong
}

fn state_of(record: &NodeRecord) -> NodeState {
    match record.outcome {
        Outcome::Succeeded | Outcome::Reused => NodeState::Done {
            outputs: record.outputs.clone(),
            values: record.values.clone(),
            reused: record.outcome == Outcome::Reused,
        },
        Outcome::Skipped => NodeState::Skipped(record.reason.clone()),
        Outcome::Failed => NodeState::Failed,
        Outcome::Cancelled => NodeState::Cancelled,
    }
}

/// The bytes of an artifact, file by file.
pub(super) fn files(payload: &Payload) -> BTreeMap<String, bytes::Bytes> {
    match payload {
        Payload::File(bytes) => [(String::new(), bytes.clone())].into(),
        Payload::Tree(files) => files.clone(),
    }
}
