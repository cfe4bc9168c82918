//! An audit that is a node: the engine's auditor looks at what earlier runs left, and its verdict is the node's result.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::attempt::{Attempt, AttemptError, Made};
use super::audit::{AuditLevel, AuditOptions, AuditReport, AuditStatus, AuditSubject, audit};
use crate::artifact::{Action, Artifact, ArtifactType, MadeBy, Scalar, StoreError};
use crate::attest::VerifyingKey;
use crate::node::{AuditConfig, AuditDepth, NodeError};
use crate::plan::Given;

/// Carries the audit out.
pub(super) async fn run(attempt: Attempt) -> Result<Made, AttemptError> {
    let report = audit_of(&attempt);
    let report = match attempt.timeout {
        None => report.await?,
        Some(timeout) => match tokio::time::timeout(timeout, report).await {
            Ok(report) => report?,
            Err(_) => return Err(AttemptError::TimedOut(timeout)),
        },
    };
    if attempt.cancel.is_cancelled() {
        return Err(NodeError::Cancelled.into());
    }
    Ok(Made::only(action(&attempt, &report).await?))
}

async fn audit_of(attempt: &Attempt) -> Result<AuditReport, NodeError> {
    let config: AuditConfig = serde_json::from_value(attempt.with.clone()).map_err(NodeError::failed)?;
    let options = AuditOptions {
        level: level(config.level),
        pool: Arc::clone(&attempt.pool),
        cancel: attempt.cancel.child(),
        environment: Arc::clone(&attempt.environment),
        key: key(attempt, &config)?,
        asked_by: Some(attempt.run.clone()),
    };
    let subject = subject(attempt, &config)?;
    let found = audit(&attempt.store, &subject, &options).await.map_err(NodeError::failed)?;
    found.ok_or_else(|| {
        NodeError::failed(match subject {
            AuditSubject::Named(name) => format!("there is nothing to audit under `{name}`"),
            AuditSubject::Artifacts(_) => "no earlier run has a record of what is connected to `subject`".to_owned(),
        })
    })
}

const fn level(depth: AuditDepth) -> AuditLevel {
    match depth {
        AuditDepth::Digests => AuditLevel::Digests,
        AuditDepth::Chain => AuditLevel::Chain,
        AuditDepth::Decisions => AuditLevel::Decisions,
        AuditDepth::Rebuild => AuditLevel::Rebuild,
    }
}

fn key(attempt: &Attempt, config: &AuditConfig) -> Result<Option<VerifyingKey>, NodeError> {
    let Some(path) = &config.key else { return Ok(None) };
    let bytes = attempt.files.get(path).and_then(|file| file.bytes.clone()).unwrap_or_default();
    let key = VerifyingKey::from_pem(&String::from_utf8_lossy(&bytes));
    key.map(Some).map_err(|error| NodeError::failed(format!("`{path}`: {error}")))
}

fn subject(attempt: &Attempt, config: &AuditConfig) -> Result<AuditSubject, NodeError> {
    let mut given = Vec::new();
    let mut connected = false;
    for input in attempt.inputs.values() {
        let references: Vec<_> = match input {
            Given::One(reference) => vec![reference],
            Given::Many(several) => several.iter().map(|(_, reference)| reference).collect(),
        };
        connected |= !references.is_empty();
        given.extend(references.into_iter().flatten().map(|reference| reference.sha256));
    }
    match (&config.subject, connected) {
        (Some(_), true) => Err(NodeError::failed("connect the input `subject`, or name one in `with`, not both")),
        (Some(name), false) => Ok(AuditSubject::Named(name.clone())),
        (None, false) => Ok(AuditSubject::Named("all".to_owned())),
        (None, true) if given.is_empty() => Err(NodeError::Insufficient { what: "subjects", found: 0, needed: 1 }),
        (None, true) => Ok(AuditSubject::Artifacts(given)),
    }
}

async fn action(attempt: &Attempt, report: &AuditReport) -> Result<Action, NodeError> {
    let statement = match report.statement((attempt.registry.clock())()) {
        Some(statement) => statement.bytes().map_err(NodeError::failed)?,
        // nothing was found that a statement could be about
        None => b"null".to_vec(),
    };
    let artifacts = [
        ("report", Artifact::file(ArtifactType::Report, report.markdown())),
        ("statement", Artifact::file(ArtifactType::File, statement)),
    ];
    let mut outputs = BTreeMap::new();
    for (port, artifact) in artifacts {
        let stored: Result<_, StoreError> = attempt.store.put(&artifact).await;
        outputs.insert(port.to_owned(), stored.map_err(NodeError::failed)?);
    }
    let checks: usize = report.findings.iter().map(|finding| finding.count).sum();
    let values = [
        ("verdict", Scalar::text(report.verdict.word())),
        ("checks", Scalar::count(checks)),
        ("mismatches", Scalar::count(report.count(AuditStatus::Mismatch))),
        ("unreadable", Scalar::count(report.count(AuditStatus::Unreadable))),
        ("cannot_tell", Scalar::count(report.count(AuditStatus::CannotTell))),
        ("artifacts", Scalar::count(report.artifacts)),
    ];
    let worst = report.open_findings().max_by_key(|finding| finding.status);
    let worst = worst.map_or(String::new(), |worst| format!("; {}: {}", worst.what, worst.detail));
    Ok(Action {
        format: 1,
        fingerprint: attempt.fingerprint.digest,
        parts: attempt.fingerprint.parts.clone(),
        outputs,
        logical: BTreeMap::new(),
        values: values.map(|(name, value)| (name.to_owned(), value)).into(),
        summary: format!("{}: {checks} checks of {}{worst}", report.verdict.word(), report.subject),
        made_by: MadeBy { run: attempt.run.clone(), node: attempt.node.clone() },
        txn: String::new(),
    })
}
