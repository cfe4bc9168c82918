//! All classification metrics of one set of rows, with bootstrap intervals for the ones that decide.

use serde::{Deserialize, Serialize};

use super::calibration::{
    Binning, BrierDecomposition, ReliabilityBin, brier, brier_decomposition, brier_skill, expected_calibration_error,
    log_loss, maximum_calibration_error, reliability_curve,
};
use super::confusion::{Confusion, confusion_at, trivial_f1};
use super::ranking::{average_precision, ks_separation, lift_at, roc_auc};
use crate::base::{CancelToken, Cancelled, Seed};
use crate::stats::bootstrap::{Interval, IntervalPlan, interval};

/// Bins of the reliability curve and of calibration errors in reports.
const BINS: usize = 10;

/// Every metric of binary predictions on one set of rows; `None` where undefined.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassificationReport {
    /// Number of rows.
    pub rows: usize,
    /// Number of positive rows.
    pub positives: usize,
    /// Rows with at least this probability are called positive.
    pub threshold: f64,
    /// Decisions at the threshold.
    pub confusion: Option<Confusion>,
    /// Share of right decisions.
    pub accuracy: Option<f64>,
    /// Precision at the threshold.
    pub precision: Option<f64>,
    /// Recall at the threshold.
    pub recall: Option<f64>,
    /// Specificity at the threshold.
    pub specificity: Option<f64>,
    /// F1 at the threshold.
    pub f1: Option<f64>,
    /// F1 of always saying yes, which an F1 must beat to mean anything.
    pub trivial_f1: Option<f64>,
    /// Matthews correlation at the threshold.
    pub mcc: Option<f64>,
    /// Mean recall of both classes at the threshold.
    pub balanced_accuracy: Option<f64>,
    /// Cohen's kappa at the threshold.
    pub kappa: Option<f64>,
    /// Area under the ROC curve.
    pub roc_auc: Option<f64>,
    /// Average precision.
    pub average_precision: Option<f64>,
    /// Largest gap between the classes' distributions.
    pub ks: Option<f64>,
    /// Log loss in nats.
    pub log_loss: Option<f64>,
    /// Brier score.
    pub brier: Option<f64>,
    /// Brier skill against the prevalence.
    pub brier_skill: Option<f64>,
    /// Parts of the Brier score over ten equal-width bins.
    pub brier_decomposition: Option<BrierDecomposition>,
    /// Expected calibration error, ten equal-width bins.
    pub ece: Option<f64>,
    /// Maximum calibration error, ten equal-width bins.
    pub mce: Option<f64>,
    /// Expected calibration error, ten bins of equal mass.
    pub ece_equal_mass: Option<f64>,
    /// Lift of the top 10 % of rows.
    pub lift_at_10pct: Option<f64>,
    /// Lift of the top 20 % of rows.
    pub lift_at_20pct: Option<f64>,
    /// Reliability curve, ten equal-width bins without the empty ones.
    pub reliability: Vec<ReliabilityBin>,
    /// Bootstrap intervals, when they were asked for.
    pub intervals: Option<ClassificationIntervals>,
}

/// Stationary block bootstrap intervals of the metrics that decide; `None` where undefined too often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassificationIntervals {
    /// Replicates drawn.
    pub resamples: usize,
    /// Mean block length in rows.
    pub mean_block: f64,
    /// Interval of the area under the ROC curve.
    pub roc_auc: Option<Interval>,
    /// Interval of the log loss.
    pub log_loss: Option<Interval>,
    /// Interval of the Brier score.
    pub brier: Option<Interval>,
    /// Interval of F1 at the threshold.
    pub f1: Option<Interval>,
}

/// Computes every metric of unweighted rows, without intervals.
pub fn classification_report(labels: &[bool], probabilities: &[f64], threshold: f64) -> ClassificationReport {
    let confusion = confusion_at(labels, probabilities, None, threshold);
    let usable = confusion.is_some();
    let equal_width = Binning::EqualWidth;
    ClassificationReport {
        rows: labels.len(),
        positives: labels.iter().filter(|label| **label).count(),
        threshold,
        confusion,
        accuracy: confusion.and_then(|counts| counts.accuracy()),
        precision: confusion.map(|counts| counts.precision()),
        recall: confusion.map(|counts| counts.recall()),
        specificity: confusion.map(|counts| counts.specificity()),
        f1: confusion.map(|counts| counts.f1()),
        trivial_f1: trivial_f1(labels).filter(|_| usable),
        mcc: confusion.map(|counts| counts.mcc()),
        balanced_accuracy: confusion.and_then(|counts| counts.balanced_accuracy()),
        kappa: confusion.map(|counts| counts.kappa()),
        roc_auc: roc_auc(labels, probabilities, None),
        average_precision: average_precision(labels, probabilities, None),
        ks: ks_separation(labels, probabilities, None),
        log_loss: log_loss(labels, probabilities, None),
        brier: brier(labels, probabilities, None),
        brier_skill: brier_skill(labels, probabilities, None),
        brier_decomposition: brier_decomposition(labels, probabilities, None, equal_width, BINS),
        ece: expected_calibration_error(labels, probabilities, None, equal_width, BINS),
        mce: maximum_calibration_error(labels, probabilities, None, equal_width, BINS),
        ece_equal_mass: expected_calibration_error(labels, probabilities, None, Binning::EqualMass, BINS),
        lift_at_10pct: lift_at(labels, probabilities, 0.1),
        lift_at_20pct: lift_at(labels, probabilities, 0.2),
        reliability: reliability_curve(labels, probabilities, None, equal_width, BINS).unwrap_or_default(),
        intervals: None,
    }
}

/// A metric of resampled rows.
type Metric<'a> = dyn Fn(&[bool], &[f64]) -> Option<f64> + Sync + 'a;

/// Computes the report with stationary block bootstrap intervals; rows must be in time order.
///
/// All intervals resample the same rows, so they can be compared. An undeclared block length is estimated from the
/// labels and the squared errors.
///
/// # Errors
/// [`Cancelled`] when the token asks for a stop.
pub fn with_intervals(
    labels: &[bool],
    probabilities: &[f64],
    threshold: f64,
    plan: &IntervalPlan,
    seed: Seed,
    cancel: &CancelToken,
) -> Result<ClassificationReport, Cancelled> {
    let mut report = classification_report(labels, probabilities, threshold);
    if report.confusion.is_none() {
        return Ok(report);
    }
    let outcomes: Vec<f64> = labels.iter().map(|label| f64::from(u8::from(*label))).collect();
    let losses: Vec<f64> = outcomes.iter().zip(probabilities).map(|(y, p)| (p - y) * (p - y)).collect();
    let mean_block = plan.block_for(&[&outcomes, &losses]);
    let bootstrap = |metric: &Metric<'_>| {
        interval(labels.len(), plan.resamples, mean_block, plan.level, seed, cancel, |rows| {
            let drawn_labels: Vec<bool> = rows.iter().map(|&row| labels[row]).collect();
            let drawn_probabilities: Vec<f64> = rows.iter().map(|&row| probabilities[row]).collect();
            metric(&drawn_labels, &drawn_probabilities)
        })
    };
    report.intervals = Some(ClassificationIntervals {
        resamples: plan.resamples,
        mean_block,
        roc_auc: bootstrap(&|labels, probabilities| roc_auc(labels, probabilities, None))?,
        log_loss: bootstrap(&|labels, probabilities| log_loss(labels, probabilities, None))?,
        brier: bootstrap(&|labels, probabilities| brier(labels, probabilities, None))?,
        f1: bootstrap(&|labels, probabilities| {
            confusion_at(labels, probabilities, None, threshold).map(|counts| counts.f1())
        })?,
    });
    Ok(report)
}
