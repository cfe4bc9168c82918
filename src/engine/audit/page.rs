//! An audit as a page: the verdict first, then every check with its count, then what is wrong, then what was not shown.

use std::fmt::Write as _;

use super::{AuditLevel, AuditReport, AuditStatus, Check, Finding};

/// One check over all that it looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckLine {
    /// The check.
    pub check: Check,
    /// How many things are as recorded.
    pub verified: usize,
    /// How many were looked at.
    pub of: usize,
    /// The worst of all.
    pub status: AuditStatus,
    /// What was done, where all is well; else empty.
    pub detail: String,
}

impl AuditReport {
    /// The verdict in one line.
    pub fn verdict_words(&self) -> String {
        let depth = match self.level {
            AuditLevel::Digests => "every byte",
            AuditLevel::Chain => "every byte and where it comes from",
            AuditLevel::Decisions => "every byte, where it comes from, and every decision",
            AuditLevel::Rebuild => "every byte, where it comes from, every decision, and every node made again",
        };
        match self.verdict {
            AuditStatus::Verified => format!("VERIFIED: {depth}."),
            AuditStatus::CannotTell => {
                format!(
                    "NOT FULLY VERIFIED: nothing is wrong, and {} cannot be checked.",
                    self.count(AuditStatus::CannotTell)
                )
            }
            AuditStatus::Mismatch | AuditStatus::Unreadable => "NOT VERIFIED: something is not as recorded.".to_owned(),
        }
    }

    /// Counts of checks and of what they were about, in one line.
    pub fn count_words(&self) -> String {
        let count = |status| self.count(status);
        let all: usize = self.findings.iter().map(|finding| finding.count).sum();
        format!(
            "{all} checks: {} verified, {} mismatches, {} unreadable, {} that cannot be told. {} artifacts of {} nodes; {} bytes \
             hashed.",
            count(AuditStatus::Verified),
            count(AuditStatus::Mismatch),
            count(AuditStatus::Unreadable),
            count(AuditStatus::CannotTell),
            self.artifacts,
            self.nodes,
            self.bytes
        )
    }

    /// How many things have a status.
    pub fn count(&self, status: AuditStatus) -> usize {
        self.findings.iter().filter(|finding| finding.status == status).map(|finding| finding.count).sum()
    }

    /// Every check in the order of levels, each once.
    pub fn lines(&self) -> Vec<CheckLine> {
        let mut checks: Vec<Check> = self.findings.iter().map(|finding| finding.check).collect();
        checks.sort_unstable();
        checks.dedup();
        checks.into_iter().map(|check| self.line(check)).collect()
    }

    fn line(&self, check: Check) -> CheckLine {
        let of_this = || self.findings.iter().filter(move |finding| finding.check == check);
        let verified: Vec<&Finding> = of_this().filter(|finding| finding.status == AuditStatus::Verified).collect();
        let status = of_this().map(|finding| finding.status).max().unwrap_or(AuditStatus::CannotTell);
        CheckLine {
            check,
            verified: verified.iter().map(|finding| finding.count).sum(),
            of: of_this().map(|finding| finding.count).sum(),
            status,
            detail: said_once(&verified),
        }
    }

    /// What is not as recorded, or cannot be checked.
    pub fn open_findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.status != AuditStatus::Verified)
    }

    /// The page in Markdown.
    pub fn markdown(&self) -> String {
        let mut text =
            format!("# Audit of {}\n\n**{}**\n\n{}\n", self.subject, self.verdict_words(), self.count_words());
        if self.open_findings().next().is_some() {
            text.push_str("\n## What is wrong or open\n\n| check | of | status | detail |\n|---|---|---|---|\n");
            for finding in self.open_findings() {
                let cells = [finding.check.name(), &finding.what, finding.status.word(), &finding.detail];
                let _ = writeln!(text, "| {} |", cells.map(cell).join(" | "));
            }
        }
        text.push_str("\n## Every check\n\n| level | check | verified | of | how |\n|---|---|---|---|---|\n");
        for line in self.lines() {
            let (level, name) = (line.check.level(), line.check.name());
            let _ = writeln!(text, "| {level} | {name} | {} | {} | {} |", line.verified, line.of, cell(&line.detail));
        }
        text.push_str("\n## The artifacts\n\n| what | sha256 |\n|---|---|\n");
        for root in self.roots.iter().take(MOST_ROOTS) {
            let _ = writeln!(text, "| {} | `{}` |", cell(&root.name), root.sha256);
        }
        if self.roots.len() > MOST_ROOTS {
            let _ = writeln!(text, "| and {} more | |", self.roots.len() - MOST_ROOTS);
        }
        let _ = writeln!(text, "\n## Not shown\n\n- {}", self.not_shown.join("\n- "));
        text
    }
}

/// Artifacts that a page names.
const MOST_ROOTS: usize = 40;

/// What was done, in the words of the only finding, or what several have in common.
fn said_once(findings: &[&Finding]) -> String {
    match findings {
        [] => String::new(),
        [only] => only.detail.clone(),
        several => {
            const NAMED: usize = 6;
            let more = several.len().saturating_sub(NAMED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let named = || several.iter().take(NAMED);
            // of different ends, what they all begin with
            let begin = several[0].detail.split(':').next().unwrap_or_default();
            if several.iter().all(|finding| finding.detail.starts_with(begin)) {
                let names: Vec<&str> = named().map(|finding| finding.what.as_str()).collect();
                return format!("{begin}: {}{more}", names.join(", "));
            }
            let pairs: Vec<String> = named().map(|finding| format!("{}: {}", finding.what, finding.detail)).collect();
            format!("{}{more}", pairs.join("; "))
        }
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(check: Check, what: &str, status: AuditStatus, detail: &str) -> Finding {
        Finding { level: check.level(), check, what: what.to_owned(), count: 1, status, detail: detail.to_owned() }
    }

    fn report(findings: Vec<Finding>) -> AuditReport {
        AuditReport {
            subject: "m@champion".to_owned(),
            roots: Vec::new(),
            level: AuditLevel::Rebuild,
            verdict: findings.iter().map(|finding| finding.status).max().unwrap(),
            nodes: 2,
            artifacts: 3,
            bytes: 4,
            findings,
            not_shown: vec!["the sky".to_owned()],
        }
    }

    #[test]
    fn the_verdict_comes_first_and_counts_what_is_open() {
        let report = report(vec![
            finding(Check::Rebuild, "train", AuditStatus::Verified, "identical, byte for byte: model"),
            finding(Check::Rebuild, "score", AuditStatus::CannotTell, "its program is another one"),
        ]);
        assert_eq!(report.verdict_words(), "NOT FULLY VERIFIED: nothing is wrong, and 1 cannot be checked.");
        let lines = report.lines();
        assert_eq!((lines[0].verified, lines[0].of, lines[0].status), (1, 2, AuditStatus::CannotTell));
        let text = report.markdown();
        let place = |words: &str| text.find(words).unwrap_or_else(|| panic!("no `{words}` in {text}"));
        assert!(place("NOT FULLY VERIFIED") < place("its program is another one"));
        assert!(place("its program is another one") < place("Every check") && place("Every check") < place("the sky"));
    }

    #[test]
    fn what_several_findings_have_in_common_is_said_once() {
        let same = |what: &str, port: &str| {
            finding(Check::Rebuild, what, AuditStatus::Verified, &format!("identical, byte for byte: {port}"))
        };
        let lines = report(vec![same("a", "x"), same("b", "y")]).lines();
        assert_eq!(lines[0].detail, "identical, byte for byte: a, b");
        let decided = |what: &str, word: &str| finding(Check::Decisions, what, AuditStatus::Verified, word);
        let lines = report(vec![decided("drift", "none"), decided("deploy", "kept")]).lines();
        assert_eq!(lines[0].detail, "drift: none; deploy: kept");
    }

    #[test]
    fn nothing_is_called_verified_that_is_wrong() {
        for status in [AuditStatus::Mismatch, AuditStatus::Unreadable, AuditStatus::CannotTell] {
            let words = report(vec![finding(Check::Bytes, "a", status, "")]).verdict_words();
            assert!(words.starts_with("NOT "), "{words}");
        }
    }
}
