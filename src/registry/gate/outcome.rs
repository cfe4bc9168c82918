//! What the gate answers: an outcome, one sentence, and every number behind it.

use serde::{Deserialize, Serialize};

use crate::metric::compare::PairedTest;

/// What became of the candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateOutcome {
    /// The candidate becomes champion.
    Promoted,
    /// The champion stays: the candidate is not better, or a guardrail failed.
    Kept,
    /// The champion stays: the rows cannot tell.
    Inconclusive,
    /// The champion stays: the comparison is not valid.
    Invalid,
    /// The candidate waits for a person.
    Pending,
    /// The candidate is the champion already.
    Duplicate,
}

/// One condition and how it came out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Name of the condition.
    pub name: String,
    /// Whether it holds.
    pub passed: bool,
    /// The number found; `None` when undefined.
    pub value: Option<f64>,
    /// The number it is compared with.
    pub bound: Option<f64>,
    /// The condition in words.
    pub detail: String,
}

/// The decision with every number behind it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateDecision {
    /// What became of the candidate.
    pub outcome: GateOutcome,
    /// One sentence.
    pub reason: String,
    /// Preconditions, guardrails and the rule, in the order they were looked at.
    pub checks: Vec<Check>,
    /// The paired test; `None` on a first deploy or when the comparison is invalid.
    pub test: Option<PairedTest>,
}

impl GateDecision {
    pub(super) fn new(outcome: GateOutcome, reason: String, checks: Vec<Check>, test: Option<PairedTest>) -> Self {
        Self { outcome, reason, checks, test }
    }
}

pub(in crate::registry) fn check(
    name: &str,
    passed: bool,
    value: Option<f64>,
    bound: Option<f64>,
    detail: String,
) -> Check {
    Check { name: name.to_owned(), passed, value: value.filter(|v| v.is_finite()), bound, detail }
}

/// The first condition that does not hold, as a sentence that says what follows from it.
pub(super) fn first_failure(checks: &[Check], consequence: &str) -> Option<String> {
    let failed: Vec<&Check> = checks.iter().filter(|check| !check.passed).collect();
    let first = failed.first()?;
    let others = match failed.len() - 1 {
        0 => String::new(),
        1 => " (and 1 more check failed)".to_owned(),
        more => format!(" (and {more} more checks failed)"),
    };
    Some(format!("{consequence}: {}{others}", first.detail))
}

pub(super) fn signed(value: Option<f64>) -> String {
    value.map_or_else(|| "undefined".to_owned(), |value| format!("{value:+.4}"))
}

pub(super) fn plain(value: Option<f64>) -> String {
    value.map_or_else(|| "undefined".to_owned(), |value| format!("{value:.4}"))
}
