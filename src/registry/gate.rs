//! The deployment gate: whether a candidate replaces the champion, and the one sentence that says why.
//!
//! [`decide`] is a pure function of recorded numbers, so that every past decision can be recomputed. It answers in this
//! order: is the comparison possible at all (else `invalid`), is there anything to decide (else `duplicate`), do the
//! guardrails hold on these rows (else `kept`), is the candidate better by the rule (else `kept` or `inconclusive`),
//! and does a person have to agree (else `promoted`).
//!
//! The paired test and the guardrails pay for overlapping rows: errors are HAC errors of per-stamp influences (see
//! [`crate::metric::compare`]). Calibration is judged by dependence-aware tests of the residuals instead of a limit on
//! the calibration error, which grows with the number of bins and shrinks with the number of rows.
//!
//! *Not guaranteed*: a holdout that was used before is optimistic. `holdout_uses` is counted and limited, not corrected.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::search::{SearchNumbers, search_checks};
use crate::base::schema;
use crate::metric::compare::{
    HacEstimate, PairedTest, ScoreMetric, auc_influence, brier_row, cluster_by_time, log_loss_row, paired_by_time,
};
use crate::stats::sum::{mean, sum};

/// Rows below which no policy can make a comparison valid.
pub const HARD_MIN_ROWS: usize = 50;

/// How much better a candidate has to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateRule {
    /// Significantly better at `alpha`, and by at least `min_improvement`.
    #[default]
    Superiority,
    /// Significantly not worse than `margin` at `alpha`.
    NonInferiority,
    /// Better by `min_improvement` on paper. Promotes equal models half of the time; for comparison only.
    Point,
}

/// Who has the last word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    /// The gate promotes.
    #[default]
    Auto,
    /// The gate only proposes: the outcome is `pending`.
    Manual,
}

/// Settings of the gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GatePolicy {
    /// Metric of the paired test.
    pub metric: ScoreMetric,
    /// Rule while the champion is fresh.
    pub rule: GateRule,
    /// Rule once the champion is stale or drift is confirmed.
    pub stale_rule: GateRule,
    /// One-sided level of the paired test.
    #[schemars(transform = schema::level)]
    pub alpha: f64,
    /// Improvement that is worth a deployment, in units of the metric.
    #[schemars(range(min = 0))]
    pub min_improvement: f64,
    /// Loss that non-inferiority tolerates, in units of the metric.
    #[schemars(range(min = 0))]
    pub margin: f64,
    /// Rows without which the comparison is invalid; a smaller number than 50 counts as 50.
    pub min_rows: usize,
    /// Rows of each class without which the comparison is invalid.
    pub min_per_class: usize,
    /// Independent time stamps (`n / tau`) without which the comparison is invalid.
    #[schemars(range(min = 0))]
    pub min_effective: f64,
    /// Times the same holdout may have been used, this time included; `null` counts without a limit.
    pub max_holdout_uses: Option<u32>,
    /// Conditions on the candidate alone.
    pub guardrails: Guardrails,
    /// Whether a person has to agree.
    pub approve: Approval,
}

impl Default for GatePolicy {
    fn default() -> Self {
        Self {
            metric: ScoreMetric::Auc,
            rule: GateRule::Superiority,
            stale_rule: GateRule::NonInferiority,
            alpha: 0.10,
            min_improvement: 0.005,
            margin: 0.01,
            min_rows: 200,
            min_per_class: 30,
            min_effective: 50.0,
            max_holdout_uses: None,
            guardrails: Guardrails::default(),
            approve: Approval::Auto,
        }
    }
}

/// Conditions that a candidate must meet whoever the champion is; `null` switches one off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Guardrails {
    /// AUC that must be exceeded: by the lower bound at `first_deploy_alpha` on a first deploy, by the estimate
    /// otherwise.
    pub min_auc: Option<f64>,
    /// One-sided level of the evidence of skill on a first deploy.
    #[schemars(transform = schema::level)]
    pub first_deploy_alpha: f64,
    /// Log loss over that of the base rate must stay below this.
    pub max_log_loss_ratio: Option<f64>,
    /// Brier skill against the base rate must exceed this.
    pub min_brier_skill: Option<f64>,
    /// Matthews correlation at `threshold` must exceed this.
    pub min_mcc: Option<f64>,
    /// F1 at `threshold` must reach this. Off by default: "always yes" has a high F1 whenever positives are frequent.
    pub min_f1: Option<f64>,
    /// Probability from which a row counts as predicted positive.
    pub threshold: f64,
    /// Mean residual (outcome less probability) that is tolerated when it is significant.
    pub max_calibration_gap: Option<f64>,
    /// Level of the calibration tests.
    #[schemars(transform = schema::level)]
    pub calibration_alpha: f64,
    /// Expectancy of the rows the candidate keeps must not be below that of all rows.
    pub expectancy_not_worse: bool,
    /// Fall of the Sharpe ratio from the unfiltered to the filtered backtest that is tolerated.
    pub max_sharpe_drop: Option<f64>,
    /// Rise of the maximum drawdown (share of equity) that is tolerated.
    pub max_drawdown_rise: Option<f64>,
    /// Trades that the filtered backtest must have. Off by default.
    pub min_trades: Option<usize>,
    /// Probability of backtest overfitting of the study that is tolerated. Off by default, like the next two.
    #[schemars(transform = schema::level)]
    pub max_pbo: Option<f64>,
    /// Sharpe ratio of the study's best trial, deflated for all trials ever made of the same data and metric, that is
    /// asked for.
    #[schemars(transform = schema::level)]
    pub min_dsr: Option<f64>,
    /// P-value of the study's test for superior ability that is tolerated.
    #[schemars(transform = schema::level)]
    pub max_spa_p: Option<f64>,
}

impl Default for Guardrails {
    fn default() -> Self {
        Self {
            min_auc: Some(0.5),
            first_deploy_alpha: 0.05,
            max_log_loss_ratio: Some(1.0),
            min_brier_skill: Some(0.0),
            min_mcc: Some(0.0),
            min_f1: None,
            threshold: 0.5,
            max_calibration_gap: Some(0.05),
            calibration_alpha: 0.01,
            expectancy_not_worse: true,
            max_sharpe_drop: Some(0.0),
            max_drawdown_rise: Some(0.02),
            min_trades: None,
            max_pbo: None,
            min_dsr: None,
            max_spa_p: None,
        }
    }
}

/// What the gate looks at.
///
/// # Shape
/// `time`, `labels`, `candidate` and `champion` have one length and describe the same rows in time order; `r` has that
/// length or is empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GateInput {
    /// Time of each row in microseconds, nondecreasing.
    pub time: Vec<i64>,
    /// Known outcome of each row.
    pub labels: Vec<bool>,
    /// The candidate's probability of a positive outcome.
    pub candidate: Vec<f64>,
    /// The champion's probability on the same rows; `None` on a first deploy.
    pub champion: Option<Vec<f64>>,
    /// Net result of each row in R; NaN = unknown; empty when there are none.
    pub r: Vec<f64>,
    /// Numbers of the backtest with and without the candidate.
    pub trading: Option<TradingNumbers>,
    /// The champion is neither stale nor is drift confirmed.
    pub champion_fresh: bool,
    /// Candidate and champion are the same model.
    pub same_model: bool,
    /// How often this holdout was used, this time included; 0 when nobody counts.
    pub holdout_uses: u32,
    /// Numbers of the search that the strategy came out of.
    #[serde(default)]
    pub search: Option<SearchNumbers>,
}

/// Backtest of the strategy with and without the candidate as a filter; `None` is undefined (too few trades).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TradingNumbers {
    /// Sharpe ratio of the filtered strategy.
    pub filtered_sharpe: Option<f64>,
    /// Sharpe ratio of the strategy alone.
    pub unfiltered_sharpe: Option<f64>,
    /// Maximum drawdown of the filtered strategy as a positive share of equity.
    pub filtered_drawdown: Option<f64>,
    /// Maximum drawdown of the strategy alone as a positive share of equity.
    pub unfiltered_drawdown: Option<f64>,
    /// Trades of the filtered strategy.
    pub filtered_trades: Option<usize>,
}

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

/// Decides about a candidate. Never fails: what cannot be compared is `invalid`.
pub fn decide(input: &GateInput, policy: &GatePolicy) -> GateDecision {
    let mut checks = Vec::new();
    if input.same_model {
        return decision(GateOutcome::Duplicate, "candidate and champion are the same model".to_owned(), checks, None);
    }
    if let Some(defect) = policy_defect(policy).or_else(|| input_defect(input)) {
        checks.push(check("input", false, None, None, defect.clone()));
        return decision(GateOutcome::Invalid, format!("the comparison is invalid: {defect}"), checks, None);
    }
    checks.extend(size_checks(input, policy));
    if let Some(reason) = first_failure(&checks, "the comparison is invalid") {
        return decision(GateOutcome::Invalid, reason, checks, None);
    }
    let outcome = match &input.champion {
        None => Ok((decide_first(input, policy, &mut checks), None)),
        Some(champion) => decide_against(input, champion, policy, &mut checks),
    };
    match outcome {
        Ok(((outcome, reason), test)) => decision(outcome, reason, checks, test),
        Err(defect) => decision(GateOutcome::Invalid, format!("the comparison is invalid: {defect}"), checks, None),
    }
}

fn decision(outcome: GateOutcome, reason: String, checks: Vec<Check>, test: Option<PairedTest>) -> GateDecision {
    GateDecision { outcome, reason, checks, test }
}

pub(super) fn check(name: &str, passed: bool, value: Option<f64>, bound: Option<f64>, detail: String) -> Check {
    Check { name: name.to_owned(), passed, value: value.filter(|v| v.is_finite()), bound, detail }
}

fn first_failure(checks: &[Check], consequence: &str) -> Option<String> {
    let failed: Vec<&Check> = checks.iter().filter(|check| !check.passed).collect();
    let first = failed.first()?;
    let others = match failed.len() - 1 {
        0 => String::new(),
        1 => " (and 1 more check failed)".to_owned(),
        more => format!(" (and {more} more checks failed)"),
    };
    Some(format!("{consequence}: {}{others}", first.detail))
}

/// What is wrong with a policy, if anything.
pub fn policy_defect(policy: &GatePolicy) -> Option<String> {
    let guardrails = &policy.guardrails;
    let levels = [
        ("alpha", policy.alpha),
        ("guardrails.first_deploy_alpha", guardrails.first_deploy_alpha),
        ("guardrails.calibration_alpha", guardrails.calibration_alpha),
    ];
    let optional = [
        ("guardrails.max_pbo", guardrails.max_pbo),
        ("guardrails.min_dsr", guardrails.min_dsr),
        ("guardrails.max_spa_p", guardrails.max_spa_p),
    ];
    let given = optional.into_iter().filter_map(|(name, level)| Some((name, level?)));
    for (name, level) in levels.into_iter().chain(given) {
        if !(level > 0.0 && level < 1.0) {
            return Some(format!("expected `{name}` in (0, 1), found {level}"));
        }
    }
    let amounts = [
        ("margin", policy.margin),
        ("min_improvement", policy.min_improvement),
        ("min_effective", policy.min_effective),
    ];
    let bad = amounts.into_iter().find(|(_, amount)| !(*amount >= 0.0 && amount.is_finite()));
    bad.map(|(name, amount)| format!("expected `{name}` finite and not negative, found {amount}"))
}

fn input_defect(input: &GateInput) -> Option<String> {
    let rows = input.labels.len();
    let champion = input.champion.as_deref();
    let mut lengths = vec![("time", input.time.len()), ("candidate", input.candidate.len())];
    lengths.extend(champion.map(|scores| ("champion", scores.len())));
    if !input.r.is_empty() {
        lengths.push(("r", input.r.len()));
    }
    if let Some((name, found)) = lengths.into_iter().find(|(_, found)| *found != rows) {
        return Some(format!("expected the same {rows} rows for all, found {found} in `{name}`"));
    }
    if let Some(row) = input.time.windows(2).position(|pair| pair[1] < pair[0]) {
        return Some(format!("expected rows in time order, found row {} before its predecessor", row + 1));
    }
    for (name, scores) in [("candidate", Some(input.candidate.as_slice())), ("champion", champion)] {
        let impossible = |p: &f64| !(0.0..=1.0).contains(p);
        if let Some(row) = scores.unwrap_or(&[]).iter().position(impossible) {
            return Some(format!("expected a probability in [0, 1] in `{name}`, found none in row {row}"));
        }
    }
    let infinite = input.r.iter().position(|r| r.is_infinite());
    infinite.map(|row| format!("expected a finite R multiple, found an infinite one in row {row}"))
}

fn size_checks(input: &GateInput, policy: &GatePolicy) -> Vec<Check> {
    let rows = input.labels.len();
    let positives = input.labels.iter().filter(|&&label| label).count();
    let fewest = positives.min(rows - positives);
    let at_least = |name: &str, found: usize, needed: usize, what: &str| {
        let detail = format!("{found} {what}, needs >= {needed}");
        check(name, found >= needed, Some(found as f64), Some(needed as f64), detail)
    };
    let mut checks = vec![
        at_least("min_rows", rows, policy.min_rows.max(HARD_MIN_ROWS), "rows with known outcome"),
        at_least("min_per_class", fewest, policy.min_per_class.max(1), "rows of the rarer class"),
    ];
    if let Some(most) = policy.max_holdout_uses {
        let uses = input.holdout_uses;
        let detail = format!("the holdout was used {uses} times, at most {most} allowed");
        checks.push(check("holdout_uses", uses <= most, Some(f64::from(uses)), Some(f64::from(most)), detail));
    }
    checks
}

fn effective_check(estimate: &HacEstimate, policy: &GatePolicy) -> Check {
    let (effective, needed) = (estimate.effective_n(), policy.min_effective);
    let detail = format!("{} time stamps are worth {effective:.1} independent ones, needs >= {needed}", estimate.n);
    check("min_effective", effective >= needed, Some(effective), Some(needed), detail)
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
            format!("first deploy with evidence of skill: AUC {:.3}, lower bound {lower:.3}, n {n}", auc.value),
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
    let test = paired_by_time(policy.metric, &input.time, &input.labels, champion, &input.candidate)
        .map_err(|error| error.to_string())?;
    let auc = candidate_auc(input).ok_or("the AUC is undefined")?;
    let effective = effective_check(&test.estimate(), policy);
    checks.push(effective);
    if let Some(reason) = first_failure(checks, "the comparison is invalid") {
        return Ok(((GateOutcome::Invalid, reason), Some(test)));
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

fn accept(policy: &GatePolicy, reason: String) -> (GateOutcome, String) {
    match policy.approve {
        Approval::Auto => (GateOutcome::Promoted, reason),
        Approval::Manual => (GateOutcome::Pending, format!("waiting for approval: {reason}")),
    }
}

/// Applies the rule; the outcome beside it is what a failure means. A candidate that looks good enough but cannot
/// prove it is inconclusive; one that does not even look good enough is kept out.
fn apply_rule(rule: GateRule, test: &PairedTest, policy: &GatePolicy) -> (Check, GateOutcome) {
    let metric = policy.metric.name();
    let estimate = test.estimate();
    let numbers = format!(
        "{metric} improvement {:+.4} (90 % interval {} to {}, p {}, {} time stamps, detectable {})",
        test.delta,
        signed(test.low),
        signed(test.high),
        plain(test.p_greater),
        test.n,
        plain(test.minimum_detectable),
    );
    match rule {
        GateRule::Superiority => {
            let large = test.delta >= policy.min_improvement;
            let proven = test.p_greater.is_some_and(|p| p <= policy.alpha);
            let (needed, alpha) = (policy.min_improvement, policy.alpha);
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
            let lower = estimate.lower_bound(policy.alpha).filter(|_| test.se > 0.0 || test.delta == 0.0);
            let passed = lower.is_some_and(|lower| lower > -policy.margin);
            let (margin, alpha) = (policy.margin, policy.alpha);
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

fn signed(value: Option<f64>) -> String {
    value.map_or_else(|| "undefined".to_owned(), |value| format!("{value:+.4}"))
}

fn plain(value: Option<f64>) -> String {
    value.map_or_else(|| "undefined".to_owned(), |value| format!("{value:.4}"))
}

fn candidate_auc(input: &GateInput) -> Option<HacEstimate> {
    let (auc, influence) = auc_influence(&input.labels, &input.candidate).ok()?;
    Some(HacEstimate::new(auc, &cluster_by_time(&input.time, &influence)))
}

fn guardrail_checks(input: &GateInput, policy: &GatePolicy, auc: &HacEstimate, first: bool) -> Vec<Check> {
    let guardrails = &policy.guardrails;
    let mut checks = Vec::new();
    checks.extend(
        guardrails.min_auc.map(|bound| skill_check(auc, bound, first.then_some(guardrails.first_deploy_alpha))),
    );
    checks.extend(score_checks(input, guardrails));
    checks.extend(confusion_checks(input, guardrails));
    checks.extend(
        guardrails.max_calibration_gap.and_then(|gap| calibration_check(input, gap, guardrails.calibration_alpha)),
    );
    if guardrails.expectancy_not_worse && !input.r.is_empty() {
        checks.push(expectancy_check(input, guardrails.threshold));
    }
    let trading_matters = guardrails.max_sharpe_drop.is_some()
        || guardrails.max_drawdown_rise.is_some()
        || guardrails.min_trades.is_some();
    match &input.trading {
        Some(trading) => checks.extend(trading_checks(trading, guardrails)),
        // a backtest that could not be made is no reason to look away
        None if trading_matters => {
            let detail = "there is no backtest with the candidate to hold against the one without".to_owned();
            checks.push(check("backtest", false, None, None, detail));
        }
        None => {}
    }
    checks.extend(search_checks(input.search.as_ref(), guardrails));
    checks
}

fn skill_check(auc: &HacEstimate, bound: f64, alpha: Option<f64>) -> Check {
    match alpha {
        None => {
            let detail = format!("AUC {:.3} must exceed {bound}", auc.value);
            check("min_auc", auc.value > bound, Some(auc.value), Some(bound), detail)
        }
        Some(alpha) => {
            let lower = auc.lower_bound(alpha);
            let (shown, value) = (plain(lower), auc.value);
            let detail = format!("lower bound {shown} of AUC {value:.3} (se {:.3}) must exceed {bound}", auc.se);
            check("min_auc", lower.is_some_and(|lower| lower > bound), lower, Some(bound), detail)
        }
    }
}

fn score_checks(input: &GateInput, guardrails: &Guardrails) -> Vec<Check> {
    let rows = input.labels.len() as f64;
    let base = input.labels.iter().filter(|&&label| label).count() as f64 / rows;
    let average = |loss: fn(bool, f64) -> f64, p: &dyn Fn(usize) -> f64| {
        sum(input.labels.iter().enumerate().map(|(row, &label)| loss(label, p(row)))) / rows
    };
    let ratio = |loss: fn(bool, f64) -> f64| average(loss, &|row| input.candidate[row]) / average(loss, &|_| base);
    let mut checks = Vec::new();
    if let Some(bound) = guardrails.max_log_loss_ratio {
        let value = ratio(log_loss_row);
        let detail = format!("log loss over that of the base rate {value:.3} must be below {bound}");
        checks.push(check("max_log_loss_ratio", value < bound, Some(value), Some(bound), detail));
    }
    if let Some(bound) = guardrails.min_brier_skill {
        let value = 1.0 - ratio(brier_row);
        let detail = format!("Brier skill {value:.3} must exceed {bound}");
        checks.push(check("min_brier_skill", value > bound, Some(value), Some(bound), detail));
    }
    checks
}

fn confusion_checks(input: &GateInput, guardrails: &Guardrails) -> Vec<Check> {
    let mut cells = [[0.0_f64; 2]; 2];
    for (&label, &p) in input.labels.iter().zip(&input.candidate) {
        cells[usize::from(label)][usize::from(p >= guardrails.threshold)] += 1.0;
    }
    let [[tn, fp], [missed, tp]] = cells;
    let threshold = guardrails.threshold;
    let mut checks = Vec::new();
    if let Some(bound) = guardrails.min_mcc {
        let scale = ((tp + fp) * (tp + missed) * (tn + fp) * (tn + missed)).sqrt();
        let mcc = (scale > 0.0).then(|| (tp * tn - fp * missed) / scale);
        let detail = match mcc {
            Some(mcc) => format!("MCC {mcc:.3} at threshold {threshold} must exceed {bound}"),
            None => format!("MCC is undefined: every row is on one side of threshold {threshold}"),
        };
        checks.push(check("min_mcc", mcc.is_some_and(|mcc| mcc > bound), mcc, Some(bound), detail));
    }
    if let Some(bound) = guardrails.min_f1 {
        let f1 = (tp + fp + missed > 0.0).then(|| 2.0 * tp / (2.0 * tp + fp + missed));
        let trivial = 2.0 * (tp + missed) / (2.0 * (tp + missed) + tn + fp);
        let detail = format!("F1 {} must reach {bound} (always yes has {trivial:.3})", plain(f1));
        checks.push(check("min_f1", f1.is_some_and(|f1| f1 >= bound), f1, Some(bound), detail));
    }
    checks
}

/// Tests the mean residual: over all rows (are the probabilities too high or too low?) and over the upper less the lower
/// half of the probabilities (are they too timid or too bold?). Fails only when a gap is both significant, with
/// dependence and Bonferroni for the two tests, and larger than `tolerated`.
fn calibration_check(input: &GateInput, tolerated: f64, alpha: f64) -> Option<Check> {
    let residual: Vec<f64> =
        input.labels.iter().zip(&input.candidate).map(|(&label, p)| f64::from(u8::from(label)) - p).collect();
    let middle = crate::stats::order::median(&input.candidate)?;
    let side: Vec<f64> = input.candidate.iter().map(|&p| if p > middle { 1.0 } else { -1.0 }).collect();
    let bold: Vec<f64> = residual.iter().zip(&side).map(|(e, side)| e * side).collect();
    for (series, what) in [(&residual, "of all rows"), (&bold, "of the upper less the lower half")] {
        let gap = HacEstimate::of_mean(&cluster_by_time(&input.time, series))?;
        // two tests, two sides each
        let p = gap.p_greater_than(0.0).map_or(1.0, |p| (4.0 * p.min(1.0 - p)).min(1.0));
        if p <= alpha && gap.value.abs() > tolerated {
            let value = gap.value;
            let detail =
                format!("mean residual {what} is {value:+.3} (p {p:.4}), tolerated {tolerated}: calibration is off");
            return Some(check("calibration", false, Some(value), Some(tolerated), detail));
        }
    }
    let value = mean(&residual);
    let detail =
        format!("mean residual {} is consistent with calibrated probabilities, tolerated {tolerated}", signed(value));
    Some(check("calibration", true, value, Some(tolerated), detail))
}

fn expectancy_check(input: &GateInput, threshold: f64) -> Check {
    let known = || input.r.iter().zip(&input.candidate).filter(|(r, _)| !r.is_nan());
    let all: Vec<f64> = known().map(|(&r, _)| r).collect();
    let kept: Vec<f64> = known().filter(|(_, p)| **p >= threshold).map(|(&r, _)| r).collect();
    let (all, kept_mean) = (mean(&all), mean(&kept));
    let detail = format!(
        "expectancy {} R of the {} kept rows must not be below {} R of all rows",
        signed(kept_mean),
        kept.len(),
        signed(all)
    );
    let passed = kept_mean.zip(all).is_some_and(|(kept, all)| kept >= all);
    check("expectancy_not_worse", passed, kept_mean, all, detail)
}

fn trading_checks(trading: &TradingNumbers, guardrails: &Guardrails) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(drop) = guardrails.max_sharpe_drop {
        let bound = trading.unfiltered_sharpe.map(|sharpe| sharpe - drop);
        let detail = format!("filtered Sharpe {} must reach {}", plain(trading.filtered_sharpe), plain(bound));
        let passed = trading.filtered_sharpe.zip(bound).is_some_and(|(sharpe, bound)| sharpe >= bound);
        checks.push(check("max_sharpe_drop", passed, trading.filtered_sharpe, bound, detail));
    }
    if let Some(rise) = guardrails.max_drawdown_rise {
        let bound = trading.unfiltered_drawdown.map(|drawdown| drawdown + rise);
        let detail = format!("filtered drawdown {} must not exceed {}", plain(trading.filtered_drawdown), plain(bound));
        let passed = trading.filtered_drawdown.zip(bound).is_some_and(|(drawdown, bound)| drawdown <= bound);
        checks.push(check("max_drawdown_rise", passed, trading.filtered_drawdown, bound, detail));
    }
    if let Some(needed) = guardrails.min_trades {
        let found = trading.filtered_trades;
        let detail =
            format!("{} filtered trades, needs >= {needed}", found.map_or("unknown".to_owned(), |n| n.to_string()));
        let passed = found.is_some_and(|found| found >= needed);
        checks.push(check("min_trades", passed, found.map(|n| n as f64), Some(needed as f64), detail));
    }
    checks
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
