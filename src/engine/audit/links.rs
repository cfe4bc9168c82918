//! The links between artifacts and records: the registry's log, provenance, and where everything comes from.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::subject::Subject;
use super::{AuditStatus, Auditor, Check};
use crate::artifact::{Scalar, StoreError};
use crate::attest::{Envelope, EnvelopeError};
use crate::base::Digest;
use crate::engine::journal::{folder_of, lineage_name, read_log};
use crate::engine::provenance::{provenance, read_beside, slots_beside};
use crate::engine::{EngineError, Outcome};
use crate::registry::{Entry, EntryAction, History, Registry};

impl Auditor<'_> {
    /// Checks the registry's log, that records can be believed, and that they account for everything.
    pub(super) async fn chain(&mut self, subject: &Subject) -> Result<(), EngineError> {
        let evidence = self.evidence;
        for model in &subject.models {
            match evidence.registry.get(model) {
                Some(Ok(history)) => {
                    let count = history.entries.len();
                    let detail = if count == 1 {
                        "1 entry, the first".to_owned()
                    } else {
                        format!("{count} entries, each with the digest of the one before it")
                    };
                    self.find_many(Check::Registry, count, format!("log of {model}"), AuditStatus::Verified, detail);
                    self.end_of_log(model, history).await?;
                    self.promotions(model, history, subject).await?;
                }
                Some(Err((status, problem))) => {
                    self.find(Check::Registry, format!("log of {model}"), *status, problem.clone());
                }
                None => {}
            }
        }
        self.records(subject);
        self.whole_records(subject).await?;
        self.origins();
        Ok(())
    }

    /// That no entry is missing at the end of a log, where the chain cannot tell: what stands beside entries, and what runs say
    /// that they deployed.
    async fn end_of_log(&mut self, model: &str, history: &History) -> Result<(), EngineError> {
        let mut missing = Registry::new(self.store.clone()).false_witnesses(model, history).await?;
        let end = history.entries.len() as u64;
        for slot in slots_beside(self.store, model).await?.into_iter().filter(|slot| *slot >= end) {
            missing.push(format!("a statement about slot {slot} stands beside the log, which ends before it"));
        }
        let known: BTreeSet<Digest> = history.entries.iter().filter_map(|entry| entry.action.deploy_id()).collect();
        for view in &self.evidence.views {
            for node in view.nodes.iter().filter(|node| node.outcome == Outcome::Succeeded) {
                let deployed = node.values.get("applied") == Some(&Scalar::Bool(true))
                    && node.values.get("registry") == Some(&Scalar::text(model));
                let id = match node.values.get("deploy_id") {
                    Some(Scalar::Text(id)) if deployed => id.parse().ok(),
                    _ => None,
                };
                if id.is_some_and(|id: Digest| !known.contains(&id)) {
                    let run = &view.start.run;
                    missing.push(format!("{} of run {run} deployed a model of which there is no entry", node.node));
                }
            }
        }
        for problem in missing {
            self.find(Check::Registry, format!("log of {model}"), AuditStatus::Mismatch, problem);
        }
        Ok(())
    }

    /// That the logs of nodes are as they were, and of runs that ended, the number of records and the lineage.
    async fn whole_records(&mut self, subject: &Subject) -> Result<(), EngineError> {
        let evidence = self.evidence;
        for view in subject.runs.iter().map(|run| &evidence.views[*run]) {
            let what = format!("run {}", view.start.run);
            for (node, attempt) in view.nodes.iter().flat_map(|node| (1..=node.attempts.len()).map(move |k| (node, k)))
            {
                match read_log(self.store, &view.start.run, view.start.at, node, attempt).await {
                    Err(error @ StoreError::Log(_)) => {
                        self.find(Check::Records, what.clone(), AuditStatus::Mismatch, error.to_string());
                    }
                    log => drop(log?),
                }
            }
            let Some(end) = &view.end else { continue };
            if let Some(count) = end.nodes.filter(|count| *count != view.nodes.len()) {
                let detail = format!("{count} nodes had a record when it ended, {} have one now", view.nodes.len());
                self.find(Check::Records, what.clone(), AuditStatus::Mismatch, detail);
            }
            let name = lineage_name(&folder_of(&view.start.at, &view.start.run));
            let found = match end.lineage {
                Some(_) => self.store.storage().get(&name).await.map_err(StoreError::from)?,
                None => continue,
            };
            if found.as_ref().map(|bytes| Digest::of(bytes)) != end.lineage {
                let detail = format!("`{name}` is missing or is not what the end of the run says");
                self.find(Check::Records, what, AuditStatus::Mismatch, detail);
            }
        }
        Ok(())
    }

    /// That the records of the runs that the subject is about carry unbroken seals.
    fn records(&mut self, subject: &Subject) {
        let evidence = self.evidence;
        if !subject.runs.is_empty() {
            let nodes: usize = subject.runs.iter().map(|run| evidence.views[*run].nodes.len()).sum();
            let detail = format!("{nodes} nodes; every record carries the digest of its body");
            let count = subject.runs.len();
            self.find_many(Check::Records, count, format!("{count} runs"), AuditStatus::Verified, detail);
        }
        self.damaged_records(subject);
    }

    /// Names what is damaged and belongs to the subject.
    pub(super) fn damaged_records(&mut self, subject: &Subject) {
        for damaged in subject.damaged.iter().filter_map(|at| self.evidence.damaged.get(*at)) {
            let what = format!("run {}", damaged.run);
            self.find(Check::Records, what, damaged.status, damaged.problem.clone());
        }
    }

    fn origins(&mut self) {
        let (closure, damaged) = (self.closure, &self.evidence.damaged);
        // a record that cannot be read may be the one that is missing here
        let suspects: Vec<&str> = damaged.iter().map(|damaged| damaged.run.as_str()).collect();
        let suspects = match suspects.as_slice() {
            [] => String::new(),
            runs => format!("; the records of these runs cannot be believed: {}", runs.join(", ")),
        };
        for (digest, reader) in &closure.unexplained {
            let detail = format!("read by {reader}; no record says where it comes from{suspects}");
            self.find(Check::Origin, format!("artifact {}", digest.short()), AuditStatus::Mismatch, detail);
        }
        let explained = closure.artifacts.len() - closure.unexplained.len();
        if explained > 0 {
            let detail = "each is the output of a recorded node, or a source that was pinned when a run started";
            let what = format!("{explained} artifacts by {} nodes", closure.nodes.len());
            self.find_many(Check::Origin, explained, what, AuditStatus::Verified, detail);
        }
    }

    /// That what stands beside promotions follows from them, and who signed it.
    async fn promotions(&mut self, model: &str, history: &History, subject: &Subject) -> Result<(), EngineError> {
        let beside = read_beside(self.store, model, history).await?;
        for entry in history.entries.iter().filter(|entry| matches!(entry.action, EntryAction::Promote { .. })) {
            if !subject.slots.is_empty() && !subject.slots.contains(&entry.slot) {
                continue;
            }
            let (statement, envelope) = beside.get(&entry.slot).cloned().unwrap_or_default();
            let what = format!("{model}, slot {}", entry.slot);
            let (status, detail) = self.statement(model, entry, statement.as_ref())?;
            self.find(Check::Provenance, what.clone(), status, detail);
            if let Some(key) = self.options.key {
                let (status, detail) = match signed(envelope.as_ref(), statement.as_ref(), |e| e.verify(&key)) {
                    Ok(()) => (AuditStatus::Verified, format!("signed by the key {}", &key.id()[..12])),
                    Err(problem) => (AuditStatus::Mismatch, problem),
                };
                self.find(Check::Signature, what, status, detail);
            }
        }
        Ok(())
    }

    /// Derives a promotion's statement again and compares.
    fn statement(
        &self,
        model: &str,
        entry: &Entry,
        stored: Option<&Bytes>,
    ) -> Result<(AuditStatus, String), EngineError> {
        let Some(stored) = stored else {
            let detail = "no statement stands beside the entry; the next run that deploys it writes one";
            return Ok((AuditStatus::CannotTell, detail.to_owned()));
        };
        let Some(view) = self.evidence.views.iter().find(|view| view.start.run == entry.by) else {
            return Ok((AuditStatus::CannotTell, format!("the record of run {} cannot be read", entry.by)));
        };
        let derived = match provenance(model, entry, &view.start) {
            Some(statement) => statement.bytes().map_err(StoreError::from)?,
            None => Vec::new(),
        };
        Ok(if derived == *stored {
            (AuditStatus::Verified, "derived again from the entry and the start of its run: the same bytes".to_owned())
        } else {
            (AuditStatus::Mismatch, "it does not follow from the entry and the start of its run".to_owned())
        })
    }
}

/// Checks that an envelope is there, holds the very statement that stands beside the entry, and is signed.
fn signed(
    envelope: Option<&Bytes>,
    statement: Option<&Bytes>,
    verify: impl Fn(&Envelope) -> Result<Vec<u8>, EnvelopeError>,
) -> Result<(), String> {
    let envelope = envelope.ok_or("it is not signed")?;
    let envelope: Envelope = serde_json::from_slice(envelope).map_err(|error| format!("no DSSE envelope: {error}"))?;
    let payload = verify(&envelope).map_err(|error| error.to_string())?;
    if statement.is_none_or(|statement| *statement != payload) {
        return Err("what is signed is not the statement that stands beside the entry".to_owned());
    }
    Ok(())
}
