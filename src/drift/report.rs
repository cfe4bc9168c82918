//! What a drift check says.

use serde::{Deserialize, Serialize};

use super::config::{Calibration, Correction, DriftStatistic};
use super::domain::DomainReport;

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

impl Verdict {
    /// The word in reports and conditions.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Drift => "drift",
            Self::Inconclusive => "inconclusive",
        }
    }

    /// The graver of two: drift, then inconclusive, then ok.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Drift, _) | (_, Self::Drift) => Self::Drift,
            (Self::Inconclusive, _) | (_, Self::Inconclusive) => Self::Inconclusive,
            _ => Self::Ok,
        }
    }
}

/// Distribution drift of all columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnDriftReport {
    /// `drift` if any column drifted, else `inconclusive` if any column could not be judged, else `ok`.
    pub verdict: Verdict,
    /// The verdict in one sentence.
    pub reason: String,
    /// The values of the numeric columns.
    pub numbers: PartVerdict,
    /// The columns of categories.
    pub categories: PartVerdict,
    /// The missing shares of all columns.
    pub missing: PartVerdict,
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
    /// Whether all columns together tell the windows apart, where asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<DomainReport>,
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
    /// The answer for this column, its values and its gaps together.
    pub verdict: Verdict,
    /// The answer for its values alone.
    pub values: Verdict,
    /// The answer in one sentence.
    pub reason: String,
    /// The distance that was used.
    pub test: DriftStatistic,
    /// The level that its adjusted p must not exceed.
    pub alpha: f64,
    /// The smallest effect worth a verdict.
    pub min_effect: f64,
    /// Distance between the windows (Wasserstein in reference standard deviations); `None` when a side has no values.
    pub statistic: Option<f64>,
    /// Permutation p, at least `1 / (1 + replicates)`.
    pub p: Option<f64>,
    /// p after the correction across columns.
    pub adjusted_p: Option<f64>,
    /// The smallest adjusted p that was possible; above `alpha` nothing could have been found.
    pub smallest_adjusted_p: f64,
    /// The p-values that the combined statistic takes the least of.
    pub evidence: Option<Evidence>,
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
    /// The categories that came and went, of a column of categories.
    pub categories: Option<CategoryReport>,
    /// The distribution in both windows, for a picture; of numbers only.
    pub shape: Option<Shape>,
    /// What to do about a column that cannot be compared as it is.
    pub advice: Option<String>,
}

/// The answer to one part of a check over many columns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartVerdict {
    /// `drift` if any drifted, else `inconclusive` if any could not be judged, else `ok`, also when there are none.
    pub verdict: Verdict,
    /// How many were looked at.
    pub columns: usize,
    /// Those that drifted.
    pub drifted: Vec<String>,
}

impl PartVerdict {
    pub(super) fn of<'a>(columns: impl Iterator<Item = (&'a str, Verdict)>) -> Self {
        let mut part = Self { verdict: Verdict::Ok, columns: 0, drifted: Vec::new() };
        for (name, verdict) in columns {
            part.columns += 1;
            part.verdict = part.verdict.or(verdict);
            if verdict == Verdict::Drift {
                part.drifted.push(name.to_owned());
            }
        }
        part
    }
}

/// The pieces of evidence of the combined statistic, each with the p-value it has alone.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Of the Kolmogorov-Smirnov distance.
    pub distance: Option<f64>,
    /// Of the shift of the normal scores in its own standard errors.
    pub level: Option<f64>,
    /// Of that shift beyond what the other columns explain; none for a lone or constant column.
    pub beyond_peers: Option<f64>,
}

/// Categories that came, went, or were too rare to stand alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CategoryReport {
    /// In the current window and not in the reference.
    pub new: Vec<String>,
    /// In the reference and not in the current window.
    pub vanished: Vec<String>,
    /// How many were counted together because fewer than five of each were expected.
    pub rare: usize,
}

/// Shares of both windows over the same bins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    /// Inner edges; the outer bins are open.
    pub edges: Vec<f64>,
    /// Shares of the reference.
    pub reference: Vec<f64>,
    /// Shares of the current window.
    pub current: Vec<f64>,
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
    /// The answer for the gaps alone.
    pub verdict: Verdict,
}
