//! What a user may set about a drift check.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::sample::DriftError;
use crate::base::schema;

/// How the distance between two windows is turned into a p-value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Calibration {
    /// Permuted blocks of consecutive time stamps: keeps the memory of the columns. Rows must be in time order.
    #[default]
    BlockPermutation,
    /// Series simulated from an autoregression fitted to the reference, with resampled innovations: short windows of long
    /// memory. One row per time stamp; changes of variance over time are not reproduced.
    ArSieve,
    /// The current window turned round the circle of both windows: keeps every dependence, needs about twenty windows'
    /// worth of reference.
    Rotation,
    /// Windows as long as the current one inside the reference: is the current one more unusual than those were? The
    /// reference must be at least twice as long as the current window.
    ReferenceWindows,
    /// Permuted single rows: right only when rows are independent. Time is ignored.
    Iid,
}

/// Distance between the two windows of a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DriftStatistic {
    /// The least likely of three, with the p-value of that minimum: the Kolmogorov-Smirnov distance, the shift of the
    /// normal scores in its own standard errors, and that shift beyond what the other columns explain. Its effect is the
    /// Kolmogorov-Smirnov distance.
    #[default]
    Combined,
    /// Largest gap between the distribution functions, 0..1.
    Ks,
    /// Cramer-von Mises `T`; its effect is reported as the Kolmogorov-Smirnov distance, because `T` grows with n.
    CramerVonMises,
    /// Population stability index over `clamp(n_current / 10, 3, 10)` reference quantile bins, Jeffreys smoothing.
    Psi,
    /// Wasserstein-1 distance in standard deviations of the reference.
    Wasserstein,
    /// Jensen-Shannon distance in base 2 over the bins of the PSI.
    JensenShannon,
    /// Hellinger distance over the bins of the PSI, 0..1.
    Hellinger,
    /// Pearson's chi-square of the category counts, rare categories pooled; its effect is Cramer's V, 0..1. What columns
    /// of categories always get; on a numeric column every value is a category.
    Chi2,
}

impl DriftStatistic {
    /// Every statistic.
    pub const ALL: [Self; 8] = [
        Self::Combined,
        Self::Ks,
        Self::CramerVonMises,
        Self::Psi,
        Self::Wasserstein,
        Self::JensenShannon,
        Self::Hellinger,
        Self::Chi2,
    ];

    /// The name as written in a pipeline.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Combined => "combined",
            Self::Ks => "ks",
            Self::CramerVonMises => "cramer_von_mises",
            Self::Psi => "psi",
            Self::Wasserstein => "wasserstein",
            Self::JensenShannon => "jensen_shannon",
            Self::Hellinger => "hellinger",
            Self::Chi2 => "chi2",
        }
    }
}

/// Correction for looking at many columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Correction {
    /// Benjamini-Hochberg: bounds the share of false alarms among the alarms.
    #[default]
    Bh,
    /// Holm: bounds the chance of any false alarm.
    Holm,
    /// Westfall and Young: bounds the chance of any false alarm, and asks less of columns that move together, because the
    /// permutations show how they do.
    WestfallYoung,
    /// No correction.
    None,
}

/// Whose memory decides the length of the blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BlockPlan {
    /// The longest of the columns whose memory is at most twice the column's own. Columns alike share every permutation
    /// and the error of their estimated memories; one slow column does not take the power from the fast ones.
    #[default]
    Similar,
    /// The longest of all columns: every column sees the same permutations, at the price of power.
    Shared,
}

/// What one column asks for itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ColumnOverride {
    /// Another distance for this column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statistic: Option<DriftStatistic>,
    /// Another level for this column.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = schema::level)]
    pub alpha: Option<f64>,
    /// Another smallest effect for this column.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub min_effect: Option<f64>,
    /// Leaves the column out: it is not tested, and does not make the others pay for being many.
    pub ignore: bool,
}

/// Settings of [`super::column_drift`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DriftConfig {
    /// Calibration of the p-values.
    pub calibration: Calibration,
    /// Distance between the windows.
    pub statistic: DriftStatistic,
    /// Level that an adjusted p must not exceed.
    #[schemars(transform = schema::level)]
    pub alpha: f64,
    /// Smallest distance worth a verdict, in the unit of `statistic`: share of rows on the other side of some value
    /// (`combined`, `ks`, `cramer_von_mises`), PSI, reference standard deviations, Jensen-Shannon or Hellinger distance,
    /// Cramer's V (`chi2`).
    #[schemars(range(min = 0))]
    pub min_effect: f64,
    /// Smallest change of the missing share worth a verdict.
    #[schemars(range(min = 0))]
    pub min_missing_change: f64,
    /// Rows without which no rejection means nothing.
    pub min_rows: usize,
    /// Independent time stamps (`stamps / tau`) without which no rejection means nothing.
    #[schemars(range(min = 0))]
    pub min_effective: f64,
    /// Permutations; raised to what the correction needs when there are many columns.
    #[schemars(range(min = 1))]
    pub replicates: usize,
    /// Correction across columns.
    pub correction: Correction,
    /// Block lengths of the permutations.
    pub blocks: BlockPlan,
    /// Whether a classifier over all columns tries to tell the windows apart, beside the tests of single columns: it sees
    /// changes that no column shows alone.
    pub domain_classifier: bool,
    /// Settings of single columns, by name.
    pub columns: BTreeMap<String, ColumnOverride>,
}

impl Default for DriftConfig {
    fn default() -> Self {
        Self {
            calibration: Calibration::default(),
            statistic: DriftStatistic::default(),
            alpha: 0.05,
            min_effect: 0.1,
            min_missing_change: 0.05,
            min_rows: 30,
            min_effective: 10.0,
            replicates: 1_999,
            correction: Correction::default(),
            blocks: BlockPlan::default(),
            domain_classifier: false,
            columns: BTreeMap::new(),
        }
    }
}

impl DriftConfig {
    /// Checks the ranges of all settings.
    ///
    /// # Errors
    /// The first setting out of range.
    pub fn check(&self) -> Result<(), DriftError> {
        check_level(self.alpha)?;
        check_nonnegative("min_effect", self.min_effect)?;
        check_nonnegative("min_missing_change", self.min_missing_change)?;
        check_nonnegative("min_effective", self.min_effective)?;
        if self.replicates == 0 {
            return Err(DriftError::Config { field: "replicates", expected: "of at least 1", found: 0.0 });
        }
        for own in self.columns.values() {
            own.alpha.map_or(Ok(()), check_level)?;
            own.min_effect.map_or(Ok(()), |effect| check_nonnegative("min_effect", effect))?;
        }
        Ok(())
    }

    /// The settings for one column: its own where it has any.
    pub(super) fn rules_for(&self, column: &str) -> ColumnRules {
        let own = self.columns.get(column);
        ColumnRules {
            statistic: own.and_then(|own| own.statistic).unwrap_or(self.statistic),
            alpha: own.and_then(|own| own.alpha).unwrap_or(self.alpha),
            min_effect: own.and_then(|own| own.min_effect).unwrap_or(self.min_effect),
        }
    }
}

/// What holds for one column once the settings of all and its own are put together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ColumnRules {
    pub(super) statistic: DriftStatistic,
    pub(super) alpha: f64,
    pub(super) min_effect: f64,
}

/// What "works" means to [`super::performance_drift`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PerformanceMetric {
    /// Area under the ROC curve.
    #[default]
    Auc,
    /// `1 - log loss / log loss of the window's own base rate`: the share of uncertainty that the model removes.
    LogLossSkill,
    /// Mean result of all rows in R.
    Expectancy,
}

impl PerformanceMetric {
    /// The metric's name as written in a pipeline.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auc => "auc",
            Self::LogLossSkill => "log_loss_skill",
            Self::Expectancy => "expectancy",
        }
    }
}

/// When performance counts as drifted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PerformanceRule {
    /// The lower bound of the fall is above 0 and the fall exceeds its limit.
    #[default]
    Significant,
    /// The mean absolute error rose by more than `max_mae_rise`, whatever chance says. What others do; the error follows
    /// the volatility of the market, so that it alarms in about a fifth of unchanged windows, however long they are.
    MaeRise,
}

/// Settings of [`super::performance_drift`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PerformanceConfig {
    /// When performance counts as drifted.
    pub rule: PerformanceRule,
    /// Metric that decides the overall verdict; the others are reported beside it.
    pub metric: PerformanceMetric,
    /// One-sided level of the lower bound.
    #[schemars(transform = schema::level)]
    pub alpha: f64,
    /// Fall of the AUC that is tolerated.
    #[schemars(range(min = 0))]
    pub max_auc_drop: f64,
    /// Fall of the log-loss skill that is tolerated.
    #[schemars(range(min = 0))]
    pub max_skill_drop: f64,
    /// Fall of the expectancy that is tolerated, in R.
    #[schemars(range(min = 0))]
    pub max_expectancy_drop: f64,
    /// Rise of the mean absolute error that `rule: mae_rise` tolerates, as a share of the reference's.
    #[schemars(range(min = 0))]
    pub max_mae_rise: f64,
    /// Rows each window needs.
    pub min_rows: usize,
    /// Rows of each class each window needs (AUC and log-loss skill).
    pub min_per_class: usize,
    /// Independent time stamps each window needs for "no fall" to mean something.
    #[schemars(range(min = 0))]
    pub min_effective: f64,
}

impl Default for PerformanceConfig {
    fn default() -> Self {
        Self {
            rule: PerformanceRule::default(),
            metric: PerformanceMetric::default(),
            alpha: 0.05,
            max_auc_drop: 0.03,
            max_skill_drop: 0.02,
            max_expectancy_drop: 0.1,
            max_mae_rise: 0.2,
            min_rows: 30,
            min_per_class: 10,
            min_effective: 10.0,
        }
    }
}

impl PerformanceConfig {
    /// The tolerated fall of `metric`, in its own unit.
    pub fn limit(&self, metric: PerformanceMetric) -> f64 {
        match metric {
            PerformanceMetric::Auc => self.max_auc_drop,
            PerformanceMetric::LogLossSkill => self.max_skill_drop,
            PerformanceMetric::Expectancy => self.max_expectancy_drop,
        }
    }

    /// Checks the ranges of all settings.
    ///
    /// # Errors
    /// The first setting out of range.
    pub fn check(&self) -> Result<(), DriftError> {
        check_level(self.alpha)?;
        check_nonnegative("max_auc_drop", self.max_auc_drop)?;
        check_nonnegative("max_skill_drop", self.max_skill_drop)?;
        check_nonnegative("max_expectancy_drop", self.max_expectancy_drop)?;
        check_nonnegative("max_mae_rise", self.max_mae_rise)?;
        check_nonnegative("min_effective", self.min_effective)
    }
}

fn check_level(alpha: f64) -> Result<(), DriftError> {
    if alpha > 0.0 && alpha < 1.0 {
        return Ok(());
    }
    Err(DriftError::Config { field: "alpha", expected: "in (0, 1)", found: alpha })
}

fn check_nonnegative(field: &'static str, value: f64) -> Result<(), DriftError> {
    if value >= 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(DriftError::Config { field, expected: "finite and not negative", found: value })
}
