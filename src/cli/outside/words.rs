//! Names and numbers as machines outside read them: those of the JSON reports, not those of the table for people.

use quick_junit::XmlString;

use crate::base::Timestamp;
use crate::engine::{NodeRecord, Outcome, RunStatus};

/// All outcomes, in the order in which they are counted.
pub(super) const OUTCOMES: [Outcome; 5] =
    [Outcome::Succeeded, Outcome::Reused, Outcome::Skipped, Outcome::Failed, Outcome::Cancelled];

pub(super) const fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::Reused => "reused",
        Outcome::Skipped => "skipped",
        Outcome::Failed => "failed",
        Outcome::Cancelled => "cancelled",
    }
}

pub(super) const fn status_name(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Succeeded => "succeeded",
        RunStatus::Failed => "failed",
        RunStatus::Cancelled => "cancelled",
    }
}

/// Text without colours and control characters, which a log is full of and which no format for others can carry; a tab is
/// four spaces.
pub(super) fn printable(text: &str) -> String {
    // what the XML library takes away, and the two non-characters that it leaves and XML forbids
    XmlString::new(text.replace('\t', "    ")).replace(['\u{fffe}', '\u{ffff}'], "")
}

/// Seconds since 1970.
pub(super) fn epoch_seconds(at: Timestamp) -> f64 {
    at.micros() as f64 / 1e6
}

/// Microseconds from one moment to another; 0 where a clock that was set back would make it negative.
pub(super) fn elapsed_micros(started: Timestamp, ended: Timestamp) -> u64 {
    u64::try_from(ended.micros().saturating_sub(started.micros())).unwrap_or(0)
}

/// Seconds that a node took.
pub(super) fn node_seconds(node: &NodeRecord) -> f64 {
    elapsed_micros(node.started, node.ended) as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_json_reports() {
        for outcome in OUTCOMES {
            assert_eq!(serde_json::json!(outcome), outcome_name(outcome));
        }
        for status in [RunStatus::Succeeded, RunStatus::Failed, RunStatus::Cancelled] {
            assert_eq!(serde_json::json!(status), status_name(status));
        }
    }

    #[test]
    fn colours_and_control_characters_are_taken_away_and_lines_are_kept() {
        let log = "\u{1b}[31mfatal:\u{1b}[0m\tno bars\u{0}\r\nat ü\u{ffff}";
        assert_eq!(printable(log), "fatal:    no bars\nat ü");
    }

    #[test]
    fn a_clock_that_was_set_back_gives_no_negative_time() {
        let at = Timestamp::from_micros;
        assert_eq!((elapsed_micros(at(1), at(3)), elapsed_micros(at(3), at(1))), (2, 0));
    }
}
