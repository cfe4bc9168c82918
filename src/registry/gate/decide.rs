//! The order in which the gate asks.

use super::guardrails::{candidate_auc, guardrail_checks};
use super::input::GateInput;
use super::outcome::{Check, GateDecision, GateOutcome, check, first_failure};
use super::policy::{Approval, GatePolicy, policy_defect};
use super::preconditions::{effective_check, input_defect, size_checks};
use super::rule::apply_rule;
use crate::metric::compare::{PairedRows, PairedTest, ScoreMetric, TestMethod, paired_by_time, paired_returns};

/// Decides about a candidate. Never fails: what cannot be compared is `invalid`.
pub fn decide(input: &GateInput, policy: &GatePolicy) -> GateDecision {
    let mut checks = Vec::new();
    if input.same_model {
        return GateDecision::new(
            GateOutcome::Duplicate,
            "candidate and champion are the same model".to_owned(),
            checks,
            None,
        );
    }
    if let Some(defect) = policy_defect(policy).or_else(|| input_defect(input)) {
        checks.push(check("input", false, None, None, defect.clone()));
        return GateDecision::new(GateOutcome::Invalid, format!("the comparison is invalid: {defect}"), checks, None);
    }
    checks.extend(size_checks(input, policy));
    if let Some(reason) = first_failure(&checks, "the comparison is invalid") {
        return GateDecision::new(GateOutcome::Invalid, reason, checks, None);
    }
    let outcome = match &input.champion {
        None => Ok((decide_first(input, policy, &mut checks), None)),
        Some(champion) => decide_against(input, champion, policy, &mut checks),
    };
    match outcome {
        Ok(((outcome, reason), test)) => GateDecision::new(outcome, reason, checks, test),
        Err(defect) => {
            GateDecision::new(GateOutcome::Invalid, format!("the comparison is invalid: {defect}"), checks, None)
        }
    }
}

/// A first deploy has nobody to beat but chance.
fn decide_first(input: &GateInput, policy: &GatePolicy, checks: &mut Vec<Check>) -> (GateOutcome, String) {
    let Some(auc) = candidate_auc(input) else {
        return (GateOutcome::Invalid, "the comparison is invalid: the AUC is undefined".to_owned());
    };
    let effective = effective_check(&auc, policy);
    let worth = effective.passed;
    checks.push(effective);
    if !worth {
        let reason = first_failure(checks, "the comparison is invalid").unwrap_or_default();
        return (GateOutcome::Invalid, reason);
    }
    let before = checks.len();
    checks.extend(guardrail_checks(input, policy, &auc, true));
    let own = &checks[before..];
    if own.iter().all(|check| check.passed) {
        let lower = auc.lower_bound(policy.guardrails.first_deploy_alpha).unwrap_or(f64::NEG_INFINITY);
        let n = input.labels.len();
        return accept(
            policy,
            match policy.guardrails.min_auc {
                Some(bound) => format!(
                    "first deploy with evidence of skill: AUC {:.3}, lower bound {lower:.3} above {bound}, n {n}",
                    auc.value
                ),
                None => format!(
                    "first deploy, skill not asked for (`min_auc` is null): AUC {:.3}, lower bound {lower:.3}, n {n}",
                    auc.value
                ),
            },
        );
    }
    let skill_on_paper = policy.guardrails.min_auc.is_some_and(|bound| auc.value > bound);
    let only_unproven = own.iter().all(|check| check.passed || check.name == "min_auc");
    let reason = first_failure(own, "nothing is deployed").unwrap_or_default();
    (if only_unproven && skill_on_paper { GateOutcome::Inconclusive } else { GateOutcome::Kept }, reason)
}

type Answer = ((GateOutcome, String), Option<PairedTest>);

fn decide_against(
    input: &GateInput,
    champion: &[f64],
    policy: &GatePolicy,
    checks: &mut Vec<Check>,
) -> Result<Answer, String> {
    let test = paired_test(input, champion, policy)?;
    let auc = candidate_auc(input).ok_or("the AUC is undefined")?;
    // a bootstrap has no series whose autocorrelation time could be known: that of the AUC stands for it
    let series = if test.method == TestMethod::Bootstrap { auc } else { test.estimate() };
    let effective = effective_check(&series, policy);
    checks.push(effective);
    if let Some(reason) = first_failure(checks, "the comparison is invalid") {
        return Ok(((GateOutcome::Invalid, reason), Some(test)));
    }
    if let Some(cooling) = cooldown_check(input, policy) {
        let failure = first_failure(std::slice::from_ref(&cooling), "the champion stays");
        checks.push(cooling);
        if let Some(reason) = failure {
            return Ok(((GateOutcome::Kept, reason), Some(test)));
        }
    }
    let rule = if input.champion_fresh { policy.rule } else { policy.stale_rule };
    let (ruling, verdict) = apply_rule(rule, &test, policy);
    let passed = ruling.passed;
    let sentence = ruling.detail.clone();
    let guardrails = guardrail_checks(input, policy, &auc, false);
    let guardrail_failure = first_failure(&guardrails, "the champion stays");
    checks.extend(guardrails);
    checks.push(ruling);
    let answer = match (passed, guardrail_failure) {
        (true, None) => accept(policy, sentence),
        (true, Some(reason)) => (GateOutcome::Kept, format!("{reason}; although {sentence}")),
        (false, _) => (verdict, sentence),
    };
    Ok((answer, Some(test)))
}

fn paired_test(input: &GateInput, champion: &[f64], policy: &GatePolicy) -> Result<PairedTest, String> {
    let found = match (policy.metric, &input.returns) {
        (ScoreMetric::Sharpe, Some(returns)) => paired_returns(policy.test, &returns.champion, &returns.candidate),
        (ScoreMetric::Sharpe, None) => return Err("the evaluation has no backtest with the champion".to_owned()),
        (metric, _) => {
            let (time, labels, challenger) = (&input.time, &input.labels, &input.candidate);
            let threshold = policy.guardrails.threshold;
            paired_by_time(metric, policy.test, &PairedRows { time, labels, champion, challenger, threshold })
        }
    };
    found.map_err(|error| error.to_string())
}

/// A champion that was promoted a moment ago is left to show what it can do.
fn cooldown_check(input: &GateInput, policy: &GatePolicy) -> Option<Check> {
    let age = input.champion_days?;
    let needed = policy.cooldown.0;
    let passed = age >= needed as f64;
    let detail = format!("the champion was promoted {age:.1} days ago, and the next promotion may come after {needed}");
    Some(check("cooldown", passed, Some(age), Some(needed as f64), detail))
}

fn accept(policy: &GatePolicy, reason: String) -> (GateOutcome, String) {
    match policy.approve {
        Approval::Auto => (GateOutcome::Promoted, reason),
        Approval::Manual => (GateOutcome::Pending, format!("waiting for approval: {reason}")),
    }
}
