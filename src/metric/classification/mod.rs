//! Metrics of binary predictions: ranking, probabilities, decisions at a threshold and calibration.
//!
//! # Shape
//! Labels, probabilities and optional weights are columns of equal length, one row per prediction.
//!
//! # NaN
//! Every function gives `None` when lengths differ, nothing is there, a probability is not in `[0, 1]` (NaN included)
//! or a weight is negative, not finite or all are 0. Decisions follow scikit-learn's `zero_division=0`: precision,
//! recall and F1 without a denominator are 0, as are MCC and kappa; everything else undefined is `None`.
//!
//! # Order
//! No metric depends on the order of the rows, but where a cut falls among tied probabilities (equal-mass bins, lift)
//! the first rows win: the cut must fall somewhere.
//!
//! # Weights
//! A whole weight equals that many copies of the row, but for equal-mass bins and lift, which cut by rows.

mod calibration;
mod catalogue;
mod confusion;
mod multiclass;
mod ranking;
mod report;
mod rows;

#[cfg(test)]
mod tests;

pub use calibration::{
    Binning, BrierDecomposition, ReliabilityBin, brier, brier_decomposition, brier_skill, expected_calibration_error,
    log_loss, maximum_calibration_error, reliability_curve,
};
pub use catalogue::{SCORES, ScoreFigure, ScoreRow, score_figures};
pub use confusion::{Confusion, confusion_at, trivial_f1};
pub use multiclass::{MulticlassReport, multiclass_report};
pub use ranking::{average_precision, ks_separation, lift_at, roc_auc};
pub use report::{ClassificationIntervals, ClassificationReport, classification_report, with_intervals};
