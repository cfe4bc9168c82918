//! What each row contributes to a metric, so that the metric's error is that of a mean.

use super::error::{CompareError, finite, same_length};
use crate::stats::order::midranks;
use crate::stats::sum::{mean, sum, variance};

/// Probabilities are kept this far from 0 and 1 before a logarithm is taken, as scikit-learn used to.
const LOG_LOSS_CLIP: f64 = 1e-15;

/// Returns the area under the ROC curve and the influence of each row on it (mean 0).
///
/// A positive row's placement is the share of negatives scored below it (ties count half), a negative row's the share
/// of positives above it; the influence is the placement less the area, scaled by `n / n_class`.
///
/// # Errors
/// Lengths differ, a score is not finite, or a class is missing.
pub fn auc_influence(labels: &[bool], scores: &[f64]) -> Result<(f64, Vec<f64>), CompareError> {
    let placements = Placements::new(labels, scores)?;
    let rows = labels.len() as f64;
    let influence = labels.iter().zip(&placements.of_row).map(|(&label, placement)| {
        let class = if label { placements.positives } else { placements.negatives };
        (placement - placements.auc) * rows / class as f64
    });
    let influence = influence.collect();
    Ok((placements.auc, influence))
}

/// The share of the other class that each row is on the right side of.
pub(super) struct Placements {
    pub(super) auc: f64,
    pub(super) positives: usize,
    pub(super) negatives: usize,
    of_row: Vec<f64>,
}

impl Placements {
    pub(super) fn new(labels: &[bool], scores: &[f64]) -> Result<Self, CompareError> {
        same_length("scores", labels.len(), scores.len())?;
        finite("scores", scores)?;
        let positives = labels.iter().filter(|&&label| label).count();
        let negatives = labels.len() - positives;
        if positives == 0 || negatives == 0 {
            return Err(CompareError::OneClass { positives, rows: labels.len() });
        }
        let class_scores = |wanted: bool| -> Vec<f64> {
            labels.iter().zip(scores).filter(|(label, _)| **label == wanted).map(|(_, &score)| score).collect()
        };
        let mut within_positives = midranks(&class_scores(true)).into_iter();
        let mut within_negatives = midranks(&class_scores(false)).into_iter();
        let of_row: Vec<f64> = labels
            .iter()
            .zip(midranks(scores))
            .map(|(&label, overall)| {
                if label {
                    (overall - within_positives.next().unwrap_or(overall)) / negatives as f64
                } else {
                    1.0 - (overall - within_negatives.next().unwrap_or(overall)) / positives as f64
                }
            })
            .collect();
        let of_positives = labels.iter().zip(&of_row).filter(|(label, _)| **label).map(|(_, &placement)| placement);
        let auc = sum(of_positives) / positives as f64;
        Ok(Self { auc, positives, negatives, of_row })
    }

    pub(super) fn of_class(&self, labels: &[bool], wanted: bool) -> Vec<f64> {
        labels.iter().zip(&self.of_row).filter(|(label, _)| **label == wanted).map(|(_, &p)| p).collect()
    }
}

/// Adds up values that share a time stamp, scaled so that the mean over stamps is the mean over rows. One row per stamp
/// leaves the series as it is.
///
/// # Shape
/// `time` is nondecreasing and as long as `values`; stamps without values count as 0.
pub fn cluster_by_time(time: &[i64], values: &[f64]) -> Vec<f64> {
    let mut sums: Vec<f64> = Vec::new();
    let mut start = 0;
    for group in time.chunk_by(|a, b| a == b) {
        let end = start + group.len();
        // sorted first: a sum that depends on the order of rows inside a stamp would not be reproducible
        sums.push(sum(crate::stats::order::sorted(values.get(start..end).unwrap_or_default())));
        start = end;
    }
    if sums.len() == values.len() {
        return values.to_vec();
    }
    let scale = sums.len() as f64 / values.len() as f64;
    sums.into_iter().map(|total| total * scale).collect()
}

/// Logarithmic loss of one row in nats, probabilities clipped to `[1e-15, 1 - 1e-15]`.
pub fn log_loss_row(label: bool, probability: f64) -> f64 {
    let p = probability.clamp(LOG_LOSS_CLIP, 1.0 - LOG_LOSS_CLIP);
    if label { -libm::log(p) } else { -libm::log1p(-p) }
}

/// Squared error of one row's probability.
pub fn brier_row(label: bool, probability: f64) -> f64 {
    let error = probability - f64::from(u8::from(label));
    error * error
}

/// The Sharpe ratio (population deviation) and the influence of each return on it.
pub(super) fn sharpe_influence(what: &'static str, returns: &[f64]) -> Result<(f64, Vec<f64>), CompareError> {
    finite(what, returns)?;
    let centre = mean(returns).ok_or(CompareError::TooFew { expected: 2, found: 0 })?;
    let spread = variance(returns, 0).map(f64::sqrt).filter(|sd| *sd > 0.0).ok_or(CompareError::Constant { what })?;
    let ratio = centre / spread;
    let influence = returns.iter().map(|x| {
        let z = (x - centre) / spread;
        z - ratio / 2.0 * (z * z - 1.0)
    });
    Ok((ratio, influence.collect()))
}

pub(super) fn row_losses(labels: &[bool], probabilities: &[f64], loss: fn(bool, f64) -> f64) -> Vec<f64> {
    labels.iter().zip(probabilities).map(|(&label, &p)| loss(label, p)).collect()
}

pub(super) fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}
