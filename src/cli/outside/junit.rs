//! A run as a JUnit report: one suite a run, one case a node.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::words::{elapsed_micros, printable, status_name};
use crate::base::Timestamp;
use crate::engine::{NodeRecord, Outcome, RunReport};

/// The longest account of a failure, in bytes: a log's end says why, its beginning fills the page.
const MAX_ACCOUNT: usize = 20_000;

/// Writes a run as JUnit XML.
pub(super) fn xml(report: &RunReport) -> Result<String, SerializeError> {
    let mut whole = Report::new(printable(&report.pipeline));
    // a run id is a UUID; one that is not is still among the properties
    if let Ok(id) = report.run.parse() {
        whole.set_uuid(id);
    }
    whole.timestamp = rfc3339(report.started).parse().ok();
    whole.set_time(duration(report.started, report.ended));
    whole.add_test_suite(suite(report));
    whole.to_string()
}

fn suite(report: &RunReport) -> TestSuite {
    let mut suite = TestSuite::new(printable(&report.pipeline));
    suite.timestamp = rfc3339(report.started).parse().ok();
    suite.set_time(duration(report.started, report.ended));
    suite.add_property(("run", report.run.as_str()));
    suite.add_property(("as_of", report.as_of.to_string().as_str()));
    suite.add_property(("status", status_name(report.status)));
    for (name, value) in &report.params {
        suite.add_property((printable(&format!("param.{name}")), printable(&value.to_string())));
    }
    suite.add_test_cases(report.nodes.iter().map(case));
    suite
}

fn case(node: &NodeRecord) -> TestCase {
    let mut case = TestCase::new(printable(&node.node), status(node));
    case.set_classname(printable(&node.kind));
    case.timestamp = rfc3339(node.started).parse().ok();
    case.set_time(duration(node.started, node.ended));
    if !node.summary.is_empty() {
        case.set_system_out(printable(&node.summary));
    }
    case
}

fn status(node: &NodeRecord) -> TestCaseStatus {
    let mut status = match node.outcome {
        Outcome::Succeeded | Outcome::Reused => return TestCaseStatus::success(),
        Outcome::Skipped => TestCaseStatus::skipped(),
        Outcome::Failed => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Outcome::Cancelled => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    let headline = node.reason.lines().next().unwrap_or_default();
    status.set_message(printable(headline));
    if node.outcome == Outcome::Failed {
        status.set_type("failed");
        status.set_description(printable(account(node)));
    }
    status
}

/// What there is to say about a failure: its reason, whose further lines are the end of a log.
fn account(node: &NodeRecord) -> &str {
    let reason = node.reason.as_str();
    &reason[reason.ceil_char_boundary(reason.len().saturating_sub(MAX_ACCOUNT))..]
}

fn duration(started: Timestamp, ended: Timestamp) -> Duration {
    Duration::from_micros(elapsed_micros(started, ended))
}

/// With the time of day also at midnight, unlike the text for people; empty outside the calendar.
fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.micros()).map(|time| time.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fixtures::{failed_run, node, plain_run};
    use super::*;

    /// Whether every character is one that XML 1.0 allows.
    fn is_xml(text: &str) -> bool {
        text.chars()
            .all(|c| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..))
    }

    #[test]
    fn a_run_as_junit() {
        insta::assert_snapshot!(xml(&failed_run()).unwrap());
    }

    #[test]
    fn what_is_written_reads_back_with_the_same_counts() {
        let read = Report::deserialize_from_str(&xml(&failed_run()).unwrap()).unwrap();
        assert_eq!((read.tests, read.failures, read.errors, read.skipped), (6, 1, 1, 1));
        assert_eq!(read.test_suites[0].test_cases[2].name, *"train[model=\"logistic\",seed=1]");
        let read = Report::deserialize_from_str(&xml(&plain_run()).unwrap()).unwrap();
        assert_eq!((read.tests, read.failures, read.errors, read.skipped), (1, 0, 0, 0));
    }

    #[test]
    fn a_run_that_starts_at_midnight_has_a_time() {
        assert_eq!(rfc3339("2018-09-28".parse().unwrap()), "2018-09-28T00:00:00Z");
    }

    #[test]
    fn of_a_long_log_the_end_is_kept() {
        let mut failed = node("command", "extract", Outcome::Failed);
        failed.reason = format!("exit code 3\n{}the cause", "ü".repeat(MAX_ACCOUNT));
        let kept = account(&failed);
        assert!(kept.len() <= MAX_ACCOUNT && kept.ends_with("the cause"), "{}", kept.len());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_text_makes_the_xml_invalid(reason in "(?s).{0,40}", name in any::<String>(), param in any::<String>()) {
            let mut report = failed_run();
            for node in &mut report.nodes {
                node.reason = format!("{reason}\u{ffff}\u{0}\u{1b}[31m]]>");
                node.node.clone_from(&name);
            }
            report.params.insert(param.clone(), param.into());
            let text = xml(&report).unwrap();
            prop_assert!(is_xml(&text), "{text:?}");
            prop_assert_eq!(Report::deserialize_from_str(&text).unwrap().tests, 6);
        }
    }
}
