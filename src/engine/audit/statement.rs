//! An audit as an in-toto statement: a Simple Verification Result names what was verified, and nothing else.
//!
//! A property stands in it only if every single thing that it covers was verified. So a mismatch is what is missing, and the
//! field `walkforward` of the predicate says so in full.

use std::collections::BTreeMap;

use serde_json::json;

use super::{AuditLevel, AuditReport, AuditStatus};
use crate::attest::{PROGRAM, Resource, Statement};
use crate::base::Timestamp;

/// The predicate of a verification result.
pub const RESULT_V0_1: &str = "https://in-toto.io/attestation/svr/v0.1";
/// What this auditor's properties begin with.
const PREFIX: &str = "WALKFORWARD";
/// Bumped when a property comes to mean something else.
const VERIFIER_VERSION: u32 = 1;

impl AuditReport {
    /// The statement of this audit, made at a moment; `None` when it is about no artifact.
    pub fn statement(&self, at: Timestamp) -> Option<Statement> {
        // names must differ within a statement
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        let mut subject: Vec<Resource> = Vec::with_capacity(self.roots.len());
        for root in &self.roots {
            let count = seen.entry(&root.name).and_modify(|count| *count += 1).or_insert(1);
            let name = if *count == 1 { root.name.clone() } else { format!("{}#{count}", root.name) };
            subject.push(Resource::of(name, root.sha256));
        }
        if subject.is_empty() {
            return None;
        }
        let predicate = json!({
            "verifier": {"id": format!("{PROGRAM}#audit/v{VERIFIER_VERSION}")},
            "timeCreated": at.rfc3339(),
            "properties": self.properties(),
            "walkforward": {
                "program": crate::attest::PROGRAM_VERSION,
                "subject": self.subject,
                "level": self.level,
                "verdict": self.verdict.word(),
                "verified": self.count(AuditStatus::Verified),
                "mismatches": self.count(AuditStatus::Mismatch),
                "unreadable": self.count(AuditStatus::Unreadable),
                "cannot_tell": self.count(AuditStatus::CannotTell),
            },
        });
        Some(Statement::new(subject, RESULT_V0_1, predicate))
    }

    /// What was verified: each check without exception, and each level whose checks, and those of the levels below it, were.
    fn properties(&self) -> Vec<String> {
        let mut properties: Vec<String> = Vec::new();
        let mut sound = true;
        for level in AuditLevel::ALL.into_iter().filter(|level| *level <= self.level) {
            let lines: Vec<_> = self.lines().into_iter().filter(|line| line.check.level() == level).collect();
            let verified = |line: &&super::CheckLine| line.status == AuditStatus::Verified && line.of > 0;
            properties.extend(lines.iter().filter(verified).map(|line| property(line.check.name())));
            sound = sound && !lines.is_empty() && lines.iter().all(|line| verified(&line));
            if sound {
                properties.push(property(&format!("level {level}")));
            }
        }
        properties
    }
}

fn property(words: &str) -> String {
    format!("{PREFIX}_{}", words.to_uppercase().replace(' ', "_"))
}

#[cfg(test)]
mod tests {
    use super::super::{Check, Finding, Root};
    use super::*;
    use crate::base::Digest;

    fn report(rebuild: AuditStatus) -> AuditReport {
        let finding = |check: Check, status| Finding {
            level: check.level(),
            check,
            what: String::new(),
            count: 2,
            status,
            detail: String::new(),
        };
        let findings = vec![
            finding(Check::Bytes, AuditStatus::Verified),
            finding(Check::Origin, AuditStatus::Verified),
            finding(Check::Fingerprints, AuditStatus::Verified),
            finding(Check::Rebuild, AuditStatus::Verified),
            finding(Check::Rebuild, rebuild),
        ];
        let root = |name: &str| Root { name: name.to_owned(), sha256: Digest::of(name.as_bytes()) };
        AuditReport {
            subject: "m".to_owned(),
            roots: vec![root("model"), root("model"), root("strategy")],
            level: AuditLevel::Rebuild,
            verdict: rebuild,
            nodes: 1,
            artifacts: 2,
            bytes: 3,
            findings,
            not_shown: Vec::new(),
        }
    }

    fn properties(rebuild: AuditStatus) -> Vec<String> {
        let statement = report(rebuild).statement(Timestamp::from_micros(0)).unwrap();
        serde_json::from_value(statement.predicate["properties"].clone()).unwrap()
    }

    #[test]
    fn a_statement_has_the_fields_of_a_verification_result() {
        let statement = report(AuditStatus::Verified).statement(Timestamp::from_micros(0)).unwrap();
        assert_eq!(statement.predicate_type, "https://in-toto.io/attestation/svr/v0.1");
        assert_eq!(statement.predicate["verifier"]["id"], "pkg:generic/walkforward#audit/v1");
        assert_eq!(statement.predicate["timeCreated"], "1970-01-01T00:00:00Z");
        let names: Vec<_> = statement.subject.iter().filter_map(|resource| resource.name.as_deref()).collect();
        assert_eq!(names, ["model", "model#2", "strategy"]);
        let none = AuditReport { roots: Vec::new(), ..report(AuditStatus::Verified) };
        assert!(none.statement(Timestamp::from_micros(0)).is_none());
    }

    #[test]
    fn only_what_was_verified_without_exception_is_a_property() {
        let all = [
            "WALKFORWARD_BYTES_OF_ARTIFACTS",
            "WALKFORWARD_LEVEL_DIGESTS",
            "WALKFORWARD_ORIGIN_OF_ARTIFACTS",
            "WALKFORWARD_LEVEL_CHAIN",
            "WALKFORWARD_FINGERPRINTS",
            "WALKFORWARD_LEVEL_DECISIONS",
            "WALKFORWARD_REBUILT_NODES",
            "WALKFORWARD_LEVEL_REBUILD",
        ];
        assert_eq!(properties(AuditStatus::Verified), all);
        for status in [AuditStatus::CannotTell, AuditStatus::Mismatch, AuditStatus::Unreadable] {
            assert_eq!(properties(status), all[..6]);
        }
    }
}
