//! Settings of the gate.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{Days, schema};
use crate::metric::compare::{ScoreMetric, TestMethod};

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
    /// How the difference is tested.
    pub test: TestMethod,
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
    /// Times the same rows may be used to decide about this model, this time included. Each use is tested at `alpha` over this
    /// number, so that all of them together promote an equal model with a chance of at most `alpha` (Bonferroni; Dunn,
    /// 1961). `null` counts uses without a limit and corrects nothing.
    #[schemars(range(min = 1))]
    pub max_holdout_uses: Option<u32>,
    /// Days that a champion is left alone after its promotion.
    pub cooldown: Days,
    /// Conditions on the candidate alone.
    pub guardrails: Guardrails,
    /// Whether a person has to agree.
    pub approve: Approval,
}

impl Default for GatePolicy {
    fn default() -> Self {
        Self {
            metric: ScoreMetric::Auc,
            test: TestMethod::Auto,
            rule: GateRule::Superiority,
            stale_rule: GateRule::NonInferiority,
            alpha: 0.10,
            min_improvement: 0.005,
            margin: 0.01,
            min_rows: 200,
            min_per_class: 30,
            min_effective: 50.0,
            max_holdout_uses: None,
            cooldown: Days(7),
            guardrails: Guardrails::default(),
            approve: Approval::Auto,
        }
    }
}

impl GatePolicy {
    /// The level of one comparison: `alpha` shared among the uses that the rows are allowed.
    pub fn level(&self) -> f64 {
        self.alpha / f64::from(self.max_holdout_uses.unwrap_or(1).max(1))
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
    /// Share of the rows that the candidate must keep at `threshold`. Off by default.
    #[schemars(transform = schema::level)]
    pub min_coverage: Option<f64>,
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
            min_coverage: None,
            min_trades: None,
            max_pbo: None,
            min_dsr: None,
            max_spa_p: None,
        }
    }
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
        ("guardrails.min_coverage", guardrails.min_coverage),
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
    if let Some(defect) = policy.test.defect(policy.metric) {
        return Some(defect.to_string());
    }
    if policy.cooldown.0 < 0 {
        return Some(format!("expected `cooldown` of 0 days or more, found {}", policy.cooldown));
    }
    if policy.max_holdout_uses == Some(0) {
        return Some("expected `max_holdout_uses` of at least 1, found 0".to_owned());
    }
    let bad = amounts.into_iter().find(|(_, amount)| !(*amount >= 0.0 && amount.is_finite()));
    bad.map(|(name, amount)| format!("expected `{name}` finite and not negative, found {amount}"))
}
