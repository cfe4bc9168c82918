//! What a drift check says.

use serde::{Deserialize, Serialize};

use super::config::{Calibration, Correction, DriftStatistic};

/// Answer to one drift question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Enough data, nothing found.
    Ok,
    /// A change that is both unlikely by chance and large enough to matter.
    Drift,
    /// Nothing found, and nothing could have been: blind is not healthy.
    Inconclusive,
}

/// Distribution drift of all columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnDriftReport {
    /// `drift` if any column drifted, else `inconclusive` if any column could not be judged, else `ok`.
    pub verdict: Verdict,
    /// The verdict in one sentence.
    pub reason: String,
    /// Calibration of the p-values.
    pub calibration: Calibration,
    /// Distance between the windows.
    pub statistic: DriftStatistic,
    /// Level of the adjusted p.
    pub alpha: f64,
    /// Correction across columns.
    pub correction: Correction,
    /// Permutations made.
    pub replicates: usize,
    /// Rows of the reference window.
    pub reference_rows: usize,
    /// Rows of the current window.
    pub current_rows: usize,
    /// Time stamps of the reference window.
    pub reference_stamps: usize,
    /// Time stamps of the current window.
    pub current_stamps: usize,
    /// Number of columns that drifted.
    pub drifted: usize,
    /// Number of columns that could not be judged.
    pub inconclusive: usize,
    /// One entry per column, in the order of the reference window.
    pub columns: Vec<ColumnReport>,
}

/// Distribution drift of one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnReport {
    /// Name of the column.
    pub name: String,
    /// The answer for this column.
    pub verdict: Verdict,
    /// The answer in one sentence.
    pub reason: String,
    /// Distance between the windows (Wasserstein in reference standard deviations); `None` when a side has no values.
    pub statistic: Option<f64>,
    /// Permutation p, at least `1 / (1 + replicates)`.
    pub p: Option<f64>,
    /// p after the correction across columns.
    pub adjusted_p: Option<f64>,
    /// Size of the change in the unit of `min_effect`.
    pub effect: Option<f64>,
    /// Population stability index, whatever the statistic; .1 and .25 are customary labels, not tests.
    pub psi: Option<f64>,
    /// Values in the reference window.
    pub n_reference: usize,
    /// Values in the current window.
    pub n_current: usize,
    /// Integrated autocorrelation time of the reference, in time stamps.
    pub tau: f64,
    /// Length of the permuted blocks, in time stamps.
    pub block: usize,
    /// Independent time stamps that the current window is worth: stamps with a value over `tau`.
    pub effective_n: f64,
    /// Shift of the mean found with 80 % power, in units of the column: `2.8 sigma sqrt(tau (1/n_ref + 1/n_cur))`.
    pub minimum_detectable_shift: Option<f64>,
    /// Rows the current window needs before "no drift" means something; `None` when it has them.
    pub needs_rows: Option<usize>,
    /// The missing shares, when any value is missing.
    pub missing: Option<MissingReport>,
    /// What to do about a column that cannot be compared as it is.
    pub advice: Option<String>,
}

/// Change of the missing share of a column.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MissingReport {
    /// Missing share of the reference window.
    pub reference: Option<f64>,
    /// Missing share of the current window.
    pub current: Option<f64>,
    /// Permutation p of the absolute change, on the plan of the values.
    pub p: Option<f64>,
    /// p after the correction across columns.
    pub adjusted_p: Option<f64>,
}
