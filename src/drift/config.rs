//! What a user may set about a drift check.

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
    /// Permuted single rows: right only when rows are independent. Time is ignored.
    Iid,
}

/// Distance between the two windows of a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DriftStatistic {
    /// Largest gap between the distribution functions, 0..1.
    #[default]
    Ks,
    /// Cramer-von Mises `T`; its effect is reported as the Kolmogorov-Smirnov distance, because `T` grows with n.
    CramerVonMises,
    /// Population stability index over `clamp(n_current / 10, 3, 10)` reference quantile bins, Jeffreys smoothing.
    Psi,
    /// Wasserstein-1 distance in standard deviations of the reference.
    Wasserstein,
    /// Jensen-Shannon distance in base 2 over the bins of the PSI.
    JensenShannon,
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
    /// (`ks`, `cramer_von_mises`), PSI, reference standard deviations, Jensen-Shannon distance.
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
        Ok(())
    }
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

/// Settings of [`super::performance_drift`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PerformanceConfig {
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
            metric: PerformanceMetric::default(),
            alpha: 0.05,
            max_auc_drop: 0.03,
            max_skill_drop: 0.02,
            max_expectancy_drop: 0.1,
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
