//! Fingerprints, conditions, drift verdicts and gates: worked out again from what was recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::{AuditStatus, Auditor, Check};
use crate::artifact::{Scalar, StoreError};
use crate::base::{Digest, canonical_json};
use crate::engine::{EngineError, NodeRecord, Outcome, RunView};
use crate::pipeline::{LoadOptions, Pipeline, ReadFile, load, param_text};
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
                self.find(Check::Fingerprints, node.node.clone(), AuditStatus::Mismatch, detail);
            }
        }
        if right > 0 {
            let detail = "each is the digest of its recorded parts";
            self.find_many(Check::Fingerprints, right, format!("{right} nodes"), AuditStatus::Verified, detail);
        }
    }

    /// Replays which nodes ran and which were skipped, and makes every decision again.
    pub(super) async fn decisions(&mut self, runs: &[usize]) -> Result<(), EngineError> {
        let evidence = self.evidence;
        // of one run only, the node says enough
        let several = runs.len() > 1;
        for &run in runs {
            let view = &evidence.views[run];
            let what = format!("run {} of {}", view.start.run, view.start.pipeline);
            self.conditions(run, what).await?;
            for (at, node) in view.nodes.iter().enumerate() {
                if DECIDING.contains(&node.kind.as_str()) && !node.outputs.is_empty() {
                    let of_run = if several { format!(" of run {}", view.start.run) } else { String::new() };
                    self.decide_again((run, at), format!("{}{of_run}", node.node)).await;
                }
            }
        }
        Ok(())
    }

    async fn conditions(&mut self, run: usize, what: String) -> Result<(), EngineError> {
        let view = &self.evidence.views[run];
        let wrong = match self.definition(run, false).await? {
            Err(problem) => {
                self.find(Check::Conditions, what, AuditStatus::CannotTell, problem);
                return Ok(());
            }
            Ok(pipeline) => replay(&pipeline, view),
        };
        // whether a run was a shadow is not recorded: it was one if everything is right as one
        let as_shadow = match wrong.is_empty() {
            true => None,
            false => self.definition(run, true).await?.ok().filter(|shadow| replay(shadow, view).is_empty()),
        };
        if wrong.is_empty() || as_shadow.is_some() {
            let shadow = if as_shadow.is_some() { ", in a run that changed no registry" } else { "" };
            let rest = match view.end {
                Some(_) => "",
                None => "; the run was interrupted, or still runs, and what it did not come to has no record",
            };
            let count = view.nodes.len();
            let detail = format!("{count} nodes ran, were reused or were skipped as they had to be{shadow}{rest}");
            self.find(Check::Conditions, what, AuditStatus::Verified, detail);
        } else {
            for problem in wrong {
                self.find(Check::Conditions, what.clone(), AuditStatus::Mismatch, problem);
            }
        }
        Ok(())
    }

    /// The text of a pipeline that was kept; in words why it cannot be had.
    async fn text(&self, definition: Option<Digest>) -> Result<Result<String, String>, EngineError> {
        let Some(digest) = definition else {
            return Ok(Err("the run was recorded before pipelines were kept".to_owned()));
        };
        match self.store.get_blob(digest).await {
            Ok(bytes) => Ok(Ok(String::from_utf8_lossy(&bytes).into_owned())),
            // a run that only reused keeps nothing new: the text is there if an earlier run kept it
            Err(StoreError::Blob(_)) => Ok(Err(format!("the pipeline {} is not in the store", digest.short()))),
            Err(error) => Err(error.into()),
        }
    }

    /// The pipeline as it was when a run started; in words why it cannot be had.
    pub(super) async fn definition(&self, run: usize, shadow: bool) -> Result<Result<Pipeline, String>, EngineError> {
        let view = &self.evidence.views[run];
        let text = match self.text(view.start.definition).await? {
            Ok(text) => text,
            Err(problem) => return Ok(Err(problem)),
        };
        let mut files = BTreeMap::new();
        for (at, node) in view.nodes.iter().enumerate() {
            let Some(file) = node.parts["with"]["file"].as_str() else { continue };
            for child in self.evidence.children((run, at)) {
                if let Ok(text) = self.text(self.evidence.views[child].start.definition).await? {
                    files.insert(file.to_owned(), text);
                }
            }
        }
        let read: ReadFile = Arc::new(move |path: &str| {
            files.get(path).cloned().ok_or_else(|| format!("`{path}` as it was then is not in the store"))
        });
        let set = view.start.params.iter().map(|(name, value)| (name.clone(), param_text(value))).collect();
        let options =
            LoadOptions { set, as_of: Some(view.start.as_of), read: Some(read), shadow, ..LoadOptions::default() };
        Ok(load(&text, &options).map_err(|problems| {
            let first = problems.first().map(|problem| problem.message.clone()).unwrap_or_default();
            format!("this program no longer reads the pipeline: {first}")
        }))
    }

    /// Makes a decision again from its recorded inputs, where a promotion reaches a registry of its own.
    async fn decide_again(&mut self, place: (usize, usize), what: String) {
        let node = self.evidence.node(place);
        let output = match self.run_again(place).await {
            Err(why) => return self.find(Check::Decisions, what, AuditStatus::CannotTell, why),
            Ok(output) => output,
        };
        let different = differing(&node.values, &output.values.0);
        let words = node.values.get("decision").map(ToString::to_string).unwrap_or_default();
        let settled = node.values.get("settled") != Some(&Scalar::Bool(false));
        let (status, detail) = if different.is_empty() {
            (AuditStatus::Verified, format!("{words}, as recorded"))
        } else if settled {
            (AuditStatus::Mismatch, different.join("; "))
        } else {
            (AuditStatus::CannotTell, format!("{words}: the registry decided, which has changed since"))
        };
        self.find(Check::Decisions, what, status, detail);
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

/// The values of a map that differ, as `name: before -> now`.
fn differing<T: PartialEq + fmt::Display>(before: &BTreeMap<String, T>, now: &BTreeMap<String, T>) -> Vec<String> {
    let words = |value: Option<&T>| value.map_or("none".to_owned(), ToString::to_string);
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let differs = names.into_iter().filter(|name| before.get(*name) != now.get(*name));
    differs.map(|name| format!("{name}: {} -> {}", words(before.get(name)), words(now.get(name)))).collect()
}
