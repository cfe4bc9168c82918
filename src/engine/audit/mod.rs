//! The audit: what a model in production was made from, checked link by link, and made again.
//!
//! | level | checks |
//! |---|---|
//! | `digests` | every byte of everything that the subject was made from, and the values of its tables |
//! | `chain` | the registry's log, provenance and its signatures; that records account for every artifact |
//! | `decisions` | fingerprints, conditions, drift verdicts and gates, worked out again from what was recorded |
//! | `rebuild` | every node run again from the sources, with nothing reused: the same bytes? |
//!
//! Each level includes those above it. Nothing in the store is changed. What is damaged in the store and has nothing to do
//! with the subject is no finding; the subject `all` is everything. Not shown by it: that the sources were what they claim
//! to be, and that a `command` read nothing but its inputs.

mod decisions;
mod evidence;
mod links;
mod page;
mod rebuild;
mod statement;
mod subject;
mod trace;
mod whole;

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::{EngineError, Threads};
use crate::artifact::{ArtifactRef, SealError, Store, StoreError};
use crate::attest::VerifyingKey;
use crate::base::{CancelToken, Digest};
use crate::pipeline::LookUp;
pub(super) use evidence::input_digests;
use evidence::{Closure, Evidence};
pub use page::CheckLine;
pub use statement::RESULT_V0_1;
use subject::Subject;
pub use trace::{Trace, TraceError, TracedArtifact, TracedNode, trace};

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

impl AuditLevel {
    /// Every level, each after those that it includes.
    pub const ALL: [Self; 4] = [Self::Digests, Self::Chain, Self::Decisions, Self::Rebuild];
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

impl AuditStatus {
    /// As a condition of a pipeline reads it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::CannotTell => "cannot-tell",
            Self::Mismatch => "mismatch",
            Self::Unreadable => "unreadable",
        }
    }

    /// What a record that cannot be used is: one that was changed, or one that cannot be read.
    fn of(error: &StoreError) -> Self {
        match error {
            StoreError::Blob(_) | StoreError::Record { source: SealError::Broken | SealError::Misplaced(_), .. } => {
                Self::Mismatch
            }
            _ => Self::Unreadable,
        }
    }
}

/// Something that is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Every byte of an artifact has the digest that it is known by.
    Bytes,
    /// The values of a table have the digest that was recorded.
    Values,
    /// Every blob of the store is what its name says, whether something refers to it or not.
    Blobs,
    /// Every stored result carries an unbroken seal.
    Results,
    /// The entries of a registry log follow from one another.
    Registry,
    /// The records of a run carry unbroken seals.
    Records,
    /// Each artifact is the output of a recorded node, or a pinned source.
    Origin,
    /// What stands beside a promotion is what follows from it.
    Provenance,
    /// It is signed by the key that was given.
    Signature,
    /// A cache key is the digest of its recorded parts.
    Fingerprints,
    /// Nodes ran and were skipped as their conditions say.
    Conditions,
    /// Drift verdicts and gates, decided again from the same inputs.
    Decisions,
    /// A node run again gives the same bytes.
    Rebuild,
}

impl Check {
    /// The level it belongs to.
    pub const fn level(self) -> AuditLevel {
        match self {
            Self::Bytes | Self::Values | Self::Blobs | Self::Results => AuditLevel::Digests,
            Self::Registry | Self::Records | Self::Origin | Self::Provenance | Self::Signature => AuditLevel::Chain,
            Self::Fingerprints | Self::Conditions | Self::Decisions => AuditLevel::Decisions,
            Self::Rebuild => AuditLevel::Rebuild,
        }
    }

    /// Its name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes of artifacts",
            Self::Values => "values of tables",
            Self::Blobs => "bytes of blobs",
            Self::Results => "stored results",
            Self::Registry => "registry log",
            Self::Records => "records of runs",
            Self::Origin => "origin of artifacts",
            Self::Provenance => "provenance",
            Self::Signature => "signatures",
            Self::Fingerprints => "fingerprints",
            Self::Conditions => "conditions",
            Self::Decisions => "decisions",
            Self::Rebuild => "rebuilt nodes",
        }
    }
}

/// What was found by a check.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The level it belongs to.
    pub level: AuditLevel,
    /// What was looked for.
    pub check: Check,
    /// What was checked.
    pub what: String,
    /// How many things were.
    pub count: usize,
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
    /// Digests of the artifacts that were asked about, and what they are.
    pub roots: Vec<Root>,
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
    /// What was not looked at, so that nobody takes it for verified.
    pub not_shown: Vec<String>,
}

/// An artifact that was asked about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Root {
    /// What it is.
    pub name: String,
    /// Its digest.
    pub sha256: Digest,
}

/// What is to be audited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditSubject {
    /// `MODEL`, `MODEL@SLOT`, `MODEL@ALIAS`, a run, `latest`, the digest of an artifact, or `all`.
    Named(String),
    /// These artifacts.
    Artifacts(Vec<Digest>),
}

/// What an audit may use.
pub struct AuditOptions {
    /// How deep it goes.
    pub level: AuditLevel,
    /// The threads that nodes are run again on.
    pub pool: Arc<Threads>,
    /// Asks it to stop.
    pub cancel: CancelToken,
    /// Finds programs that commands run, and variables that they are passed.
    pub environment: LookUp,
    /// The key that provenance must be signed by; without it, signatures are not looked at.
    pub key: Option<VerifyingKey>,
    /// The run that asks, which is under way: nothing is said of it as a whole.
    pub asked_by: Option<String>,
}

/// Audits a subject; `None` when there is no such thing.
///
/// # Errors
/// The store cannot be reached. What is wrong with the subject is a finding.
pub async fn audit(
    store: &Store,
    subject: &AuditSubject,
    options: &AuditOptions,
) -> Result<Option<AuditReport>, EngineError> {
    let evidence = Evidence::read(store, options.asked_by.as_deref()).await?;
    let Some(subject) = Subject::find(&evidence, subject) else { return Ok(None) };
    let closure = evidence.closure(subject.roots.iter().map(|root| root.sha256));
    let mut auditor =
        Auditor { store, options, evidence: &evidence, closure: &closure, findings: Vec::new(), bytes: 0 };
    auditor.digests().await?;
    if subject.whole {
        auditor.every_object().await?;
    }
    if options.level >= AuditLevel::Chain {
        auditor.chain(&subject).await?;
    } else {
        // whoever asks for less still has to know that the subject itself is in doubt
        auditor.damaged_records(&subject);
    }
    if options.level >= AuditLevel::Decisions {
        auditor.fingerprints();
        auditor.decisions(&subject.runs).await?;
    }
    if options.level >= AuditLevel::Rebuild {
        auditor.rebuild().await?;
    }
    let Auditor { findings, bytes, .. } = auditor;
    Ok(Some(AuditReport {
        subject: subject.words,
        level: options.level,
        // an audit that checked nothing has verified nothing
        verdict: findings.iter().map(|finding| finding.status).max().unwrap_or(AuditStatus::CannotTell),
        nodes: closure.nodes.len(),
        artifacts: closure.artifacts.len(),
        bytes,
        roots: subject.roots,
        not_shown: not_shown(options, &findings),
        findings,
    }))
}

/// Finds an artifact that records refer to by the first digits of its digest; `None` when there is none or more than one.
///
/// # Errors
/// The store cannot be reached.
pub async fn find_artifact(store: &Store, digits: &str) -> Result<Option<ArtifactRef>, EngineError> {
    let evidence = Evidence::read(store, None).await?;
    Ok(evidence.by_digits(digits).and_then(|digest| evidence.refs.get(&digest).cloned()))
}

/// What an audit of this depth leaves open.
fn not_shown(options: &AuditOptions, findings: &[Finding]) -> Vec<String> {
    let mut open = vec![
        "that the sources were what they claim to be".to_owned(),
        "that a `command` read nothing but its inputs".to_owned(),
    ];
    for level in AuditLevel::ALL.into_iter().filter(|level| *level > options.level) {
        open.push(match level {
            AuditLevel::Digests | AuditLevel::Chain => "where artifacts come from (--level chain)".to_owned(),
            AuditLevel::Decisions => {
                "that what was decided follows from what was recorded (--level decisions)".to_owned()
            }
            AuditLevel::Rebuild => {
                "that the nodes give the same bytes when they run again (--level rebuild)".to_owned()
            }
        });
    }
    if options.key.is_none() && findings.iter().any(|finding| finding.check == Check::Provenance) {
        open.push("who signed the provenance (--verify-signature)".to_owned());
    }
    open
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
    fn find(&mut self, check: Check, what: impl Into<String>, status: AuditStatus, detail: impl Into<String>) {
        self.find_many(check, 1, what, status, detail);
    }

    fn find_many(
        &mut self,
        check: Check,
        count: usize,
        what: impl Into<String>,
        status: AuditStatus,
        detail: impl Into<String>,
    ) {
        let (what, detail) = (what.into(), detail.into());
        self.findings.push(Finding { level: check.level(), check, what, count, status, detail });
    }

    /// Reads every byte of everything, and the values of every table.
    async fn digests(&mut self) -> Result<(), EngineError> {
        let (mut whole, mut tables) = (0, 0);
        for digest in &self.closure.artifacts {
            let Some(reference) = self.evidence.refs.get(digest) else { continue };
            let what = format!("{} {}", reference.kind, digest.short());
            let artifact = match self.store.open_large(reference).await {
                Ok(artifact) => artifact,
                Err(error) => {
                    let detail = match &error {
                        StoreError::Blob(blob) => {
                            format!("blob {} is missing or does not match its digest", blob.short())
                        }
                        other => super::chain(other),
                    };
                    self.find(Check::Bytes, what, AuditStatus::of(&error), detail);
                    continue;
                }
            };
            whole += 1;
            self.bytes += reference.bytes;
            let Some((port, recorded)) = self.evidence.values_of(*digest) else { continue };
            let found = super::compare::logical_digests(port, &artifact);
            tables += recorded.iter().filter(|(name, values)| found.get(*name) == Some(*values)).count();
            for (name, values) in recorded.iter().filter(|(name, values)| found.get(*name) != Some(*values)) {
                let found = found.get(name).map_or("no table".to_owned(), ToString::to_string);
                let detail = format!("{name}: {values} was recorded, {found} is found");
                self.find(Check::Values, what.clone(), AuditStatus::Mismatch, detail);
            }
        }
        if whole > 0 {
            let detail = format!("{} bytes hashed", self.bytes);
            self.find_many(Check::Bytes, whole, format!("{whole} artifacts"), AuditStatus::Verified, detail);
        }
        if tables > 0 {
            let detail = "read back, their values hashed";
            self.find_many(Check::Values, tables, format!("{tables} tables"), AuditStatus::Verified, detail);
        }
        Ok(())
    }
}
