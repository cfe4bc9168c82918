//! Whether the candidate is better by the rule.

use super::outcome::{Check, GateOutcome, check, plain, signed};
use super::policy::{GatePolicy, GateRule};
use crate::metric::compare::{PairedTest, ScoreMetric};

/// Applies the rule; the outcome beside it is what a failure means. A candidate that looks good enough but cannot
/// prove it is inconclusive; one that does not even look good enough is kept out.
pub(super) fn apply_rule(rule: GateRule, test: &PairedTest, policy: &GatePolicy) -> (Check, GateOutcome) {
    let metric = policy.metric.name();
    let estimate = test.estimate();
    let alpha = policy.level();
    let numbers = format!(
        "{metric} improvement {:+.4} (90 % interval {} to {}, p {}, {} {}, detectable {})",
        test.delta,
        signed(test.low),
        signed(test.high),
        plain(test.p_greater),
        test.n,
        if policy.metric == ScoreMetric::Sharpe { "sessions" } else { "time stamps" },
        plain(test.minimum_detectable),
    );
    match rule {
        GateRule::Superiority => {
            let large = test.delta >= policy.min_improvement;
            let proven = test.p_greater.is_some_and(|p| p <= alpha);
            let needed = policy.min_improvement;
            let (detail, failure) = match (large, proven) {
                (true, true) => (format!("candidate is better: {numbers}"), GateOutcome::Kept),
                (true, false) => (format!("not proven at alpha {alpha}: {numbers}"), GateOutcome::Inconclusive),
                (false, _) => {
                    (format!("not the {needed} better that a deployment is worth: {numbers}"), GateOutcome::Kept)
                }
            };
            (check("superiority", large && proven, Some(test.delta), Some(needed), detail), failure)
        }
        GateRule::NonInferiority => {
            let lower = estimate.lower_bound(alpha).filter(|_| test.se > 0.0 || test.delta == 0.0);
            let passed = lower.is_some_and(|lower| lower > -policy.margin);
            let margin = policy.margin;
            let (detail, failure) = if passed {
                (
                    format!("candidate is not worse by {margin}: lower bound {}, {numbers}", signed(lower)),
                    GateOutcome::Kept,
                )
            } else if test.delta > -policy.margin {
                let bound = signed(lower);
                (
                    format!("not proven within {margin} at alpha {alpha}: lower bound {bound}, {numbers}"),
                    GateOutcome::Inconclusive,
                )
            } else {
                (format!("candidate is worse by more than {margin}: {numbers}"), GateOutcome::Kept)
            };
            (check("non_inferiority", passed, lower, Some(-margin), detail), failure)
        }
        GateRule::Point => {
            let passed = test.delta >= policy.min_improvement && test.delta > 0.0;
            let word = if passed { "better" } else { "not better" };
            let detail = format!("candidate is {word} on paper, by a rule that ignores chance: {numbers}");
            (check("point", passed, Some(test.delta), Some(policy.min_improvement), detail), GateOutcome::Kept)
        }
    }
}
