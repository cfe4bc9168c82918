//! The audit: what a model in production was made from, checked link by link, and made again.
//!
//! | level | checks |
//! |---|---|
//! | `digests` | every byte of everything that the subject was made from |
//! | `chain` | the registry's log; that records account for every artifact |
//! | `decisions` | fingerprints, conditions, drift verdicts and gates, worked out again from what was recorded |
//! | `rebuild` | every node run again from the sources, with nothing reused: the same bytes? |
//!
//! Each level includes those above it. Nothing in the store is changed. Not shown by it: that the sources were what
//! they claim to be, and that a `command` read nothing but its inputs.

mod decisions;
mod evidence;
mod rebuild;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::EngineError;
use crate::artifact::{Store, StoreError};
use crate::base::{CancelToken, Digest};
use crate::pipeline::LookUp;
use crate::registry::{EntryAction, Registry};
use evidence::{Closure, Evidence};

/// How deep an audit goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditLevel {
    /// Bytes.
    Digests,
    /// Where they come from.
    Chain,
    /// What was decided.
    Decisions,
    /// Everything made again.
    Rebuild,
}

impl fmt::Display for AuditLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Digests => "digests",
            Self::Chain => "chain",
            Self::Decisions => "decisions",
            Self::Rebuild => "rebuild",
        })
    }
}

/// What became of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditStatus {
    /// It is as recorded.
    Verified,
    /// It cannot be checked, for a reason that is no fault.
    CannotTell,
    /// It is not as recorded.
    Mismatch,
    /// What is needed to check it cannot be read.
    Unreadable,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The level it belongs to.
    pub level: AuditLevel,
    /// What was checked.
    pub what: String,
    /// What became of it.
    pub status: AuditStatus,
    /// What was expected and what was found; how much was checked.
    pub detail: String,
}

/// The result of an audit.
#[derive(Clone, Debug, Serialize)]
pub struct AuditReport {
    /// What was audited, in words.
    pub subject: String,
    /// Digests of the artifacts that were asked about.
    pub roots: Vec<Digest>,
    /// How deep it went.
    pub level: AuditLevel,
    /// The worst of all findings.
    pub verdict: AuditStatus,
    /// Nodes that the subject was made by.
    pub nodes: usize,
    /// Artifacts that it was made from, itself included.
    pub artifacts: usize,
    /// Bytes that were read and hashed.
    pub bytes: u64,
    /// Every check, in order.
    pub findings: Vec<Finding>,
}

/// What an audit may use.
pub struct AuditOptions {
    /// How deep it goes.
    pub level: AuditLevel,
    /// The pool that nodes are run again on.
    pub pool: Arc<rayon::ThreadPool>,
    /// Asks it to stop.
    pub cancel: CancelToken,
    /// Finds programs that commands run, and variables that they are passed.
    pub environment: LookUp,
}

/// Audits a subject: a registered model (its champion), `model@slot`, a run, `latest`, or the digest of an artifact.
///
/// # Errors
/// There is no such subject, or the store cannot be reached. What is wrong with the subject is a finding.
pub async fn audit(store: &Store, subject: &str, options: &AuditOptions) -> Result<Option<AuditReport>, EngineError> {
    let (evidence, damaged) = Evidence::read(store).await?;
    let Some(Subject { words, roots, runs, model }) = Subject::find(store, &evidence, subject).await? else {
        return Ok(None);
    };
    let closure = evidence.closure(roots.iter().copied());
    let mut auditor =
        Auditor { store, options, evidence: &evidence, closure: &closure, findings: Vec::new(), bytes: 0 };
    auditor.digests().await?;
    if options.level >= AuditLevel::Chain {
        auditor.chain(model.as_deref(), &damaged).await?;
    }
    if options.level >= AuditLevel::Decisions {
        auditor.fingerprints();
        auditor.decisions(&runs).await?;
    }
    if options.level >= AuditLevel::Rebuild {
        auditor.rebuild().await?;
    }
    let Auditor { findings, bytes, .. } = auditor;
    Ok(Some(AuditReport {
        subject: words,
        level: options.level,
        verdict: findings.iter().map(|finding| finding.status).max().unwrap_or(AuditStatus::CannotTell),
        nodes: closure.nodes.len(),
        artifacts: closure.artifacts.len(),
        bytes,
        roots,
        findings,
    }))
}

/// What is audited.
struct Subject {
    words: String,
    roots: Vec<Digest>,
    /// Runs whose decisions belong to it.
    runs: Vec<usize>,
    /// The registered model that it is a version of.
    model: Option<String>,
}

impl Subject {
    async fn find(store: &Store, evidence: &Evidence, text: &str) -> Result<Option<Self>, EngineError> {
        let (name, slot) = match text.split_once('@') {
            Some((name, slot)) => (name, slot.parse::<u64>().ok()),
            None => (text, None),
        };
        let registry = Registry::new(store.clone());
        if registry.models().await?.iter().any(|model| model == name) {
            let history = registry.history(name).await?;
            let slot = slot.or_else(|| history.champion("champion").map(|champion| champion.slot));
            let entry = slot.and_then(|slot| history.entries.iter().find(|entry| entry.slot == slot));
            let Some((entry, EntryAction::Promote { version, .. })) = entry.map(|entry| (entry, &entry.action)) else {
                return Ok(None);
            };
            return Ok(Some(Self {
                words: format!("{name}, slot {}: model {}", entry.slot, version.model.sha256.short()),
                roots: vec![version.model.sha256, version.strategy.sha256, version.evaluation.sha256],
                runs: evidence.run(&entry.by).into_iter().collect(),
                model: Some(name.to_owned()),
            }));
        }
        if let Some(run) = evidence.run(text) {
            let view = &evidence.views[run];
            let roots = view.nodes.iter().flat_map(|node| node.outputs.values().map(|output| output.sha256));
            return Ok(Some(Self {
                words: format!("run {} of {}, as of {}", view.start.run, view.start.pipeline, view.start.as_of),
                roots: roots.collect(),
                runs: vec![run],
                model: None,
            }));
        }
        let digests: Vec<Digest> =
            evidence.refs.keys().copied().filter(|known| known.to_string().starts_with(text)).collect();
        Ok(match digests.as_slice() {
            [only] if text.len() >= 8 => {
                let kind = evidence.refs.get(only).map(|found| found.kind.to_string()).unwrap_or_default();
                Some(Self { words: format!("{kind} {only}"), roots: digests, runs: Vec::new(), model: None })
            }
            _ => None,
        })
    }
}

/// An audit under way.
struct Auditor<'a> {
    store: &'a Store,
    options: &'a AuditOptions,
    evidence: &'a Evidence,
    closure: &'a Closure,
    findings: Vec<Finding>,
    bytes: u64,
}

impl Auditor<'_> {
    fn find(&mut self, level: AuditLevel, what: impl Into<String>, status: AuditStatus, detail: impl Into<String>) {
        self.findings.push(Finding { level, what: what.into(), status, detail: detail.into() });
    }

    /// Reads every byte of everything.
    async fn digests(&mut self) -> Result<(), EngineError> {
        let mut whole = 0;
        for digest in &self.closure.artifacts {
            let Some(reference) = self.evidence.refs.get(digest) else { continue };
            let what = format!("{} {}", reference.kind, digest.short());
            match self.store.get(reference).await {
                Ok(_) => {
                    whole += 1;
                    self.bytes += reference.bytes;
                }
                Err(StoreError::Blob(blob)) => {
                    let detail = format!("blob {blob} is missing or does not match its digest");
                    self.find(AuditLevel::Digests, what, AuditStatus::Mismatch, detail);
                }
                Err(error) => {
                    self.find(AuditLevel::Digests, what, AuditStatus::Unreadable, super::chain(&error));
                }
            }
        }
        if whole > 0 {
            let detail = format!("{} bytes hashed", self.bytes);
            self.find(AuditLevel::Digests, format!("{whole} artifacts"), AuditStatus::Verified, detail);
        }
        Ok(())
    }

    /// Checks the registry's log, and that records account for everything.
    async fn chain(&mut self, model: Option<&str>, damaged: &[(String, String)]) -> Result<(), EngineError> {
        if let Some(model) = model {
            // a broken chain is an error of reading it: who came here has a whole one
            let history = Registry::new(self.store.clone()).history(model).await?;
            let detail = match history.entries.len() {
                1 => "1 entry, the first".to_owned(),
                count => format!("{count} entries, each with the digest of the one before it"),
            };
            self.find(AuditLevel::Chain, format!("registry log of {model}"), AuditStatus::Verified, detail);
        }
        for (run, problem) in damaged {
            self.find(AuditLevel::Chain, format!("records of run {run}"), AuditStatus::Mismatch, problem.clone());
        }
        for (digest, reader) in &self.closure.unexplained {
            let detail = format!("read by {reader}; no record says where it comes from");
            self.find(AuditLevel::Chain, format!("artifact {}", digest.short()), AuditStatus::Mismatch, detail);
        }
        if self.closure.unexplained.is_empty() {
            let detail = "each is the output of a recorded node, or a source that was pinned when a run started";
            let what = format!("{} artifacts by {} nodes", self.closure.artifacts.len(), self.closure.nodes.len());
            self.find(AuditLevel::Chain, what, AuditStatus::Verified, detail);
        }
        Ok(())
    }
}

/// The values of a map that differ, as `name: before -> now`.
fn differing<T: PartialEq + fmt::Display>(before: &BTreeMap<String, T>, now: &BTreeMap<String, T>) -> Vec<String> {
    let words = |value: Option<&T>| value.map_or("none".to_owned(), ToString::to_string);
    let names: std::collections::BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let differs = names.into_iter().filter(|name| before.get(*name) != now.get(*name));
    differs.map(|name| format!("{name}: {} -> {}", words(before.get(name)), words(now.get(name)))).collect()
}
