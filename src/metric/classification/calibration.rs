//! Quality of the probabilities themselves: proper scores, reliability and calibration error.

use serde::{Deserialize, Serialize};

use super::rows::Rows;
use crate::stats::sum::sum;

/// How probabilities are grouped into bins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Binning {
    /// Equal parts of `[0, 1]`; an inner edge belongs to the bin below it, empty bins are left out.
    EqualWidth,
    /// Equal numbers of rows by rising probability, larger bins first, ties in row order.
    EqualMass,
}

/// One point of the reliability curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Lowest probability in the bin.
    pub low: f64,
    /// Highest probability in the bin.
    pub high: f64,
    /// Number of rows.
    pub rows: usize,
    /// Total weight of the rows.
    pub weight: f64,
    /// Weighted mean probability.
    pub mean_probability: f64,
    /// Weighted share of positive rows.
    pub positive_rate: f64,
}

/// The Brier score split into what it is made of: `brier = reliability - resolution + uncertainty + within_bin`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BrierDecomposition {
    /// Squared gap between probability and observed rate; 0 is perfectly calibrated.
    pub reliability: f64,
    /// Spread of the bins' observed rates; more is better, at most the uncertainty.
    pub resolution: f64,
    /// Variance of the labels, the score of always saying the prevalence.
    pub uncertainty: f64,
    /// What binning hides: variance of the probabilities inside bins less twice their covariance with the labels.
    pub within_bin: f64,
}

/// Computes the log loss, `-mean ln p(label)`, in nats.
///
/// Probabilities are clipped to `[eps, 1 - eps]` with the machine epsilon 2.2e-16, as scikit-learn does: a single
/// certain error costs 36 nats and not infinity.
pub fn log_loss(labels: &[bool], probabilities: &[f64], weights: Option<&[f64]>) -> Option<f64> {
    let rows = Rows::checked(labels, probabilities, weights)?;
    Some(rows.weighted_mean(|row| {
        let probability = rows.probabilities[row];
        let of_label = if rows.labels[row] { probability } else { 1.0 - probability };
        -libm::log(of_label.clamp(f64::EPSILON, 1.0 - f64::EPSILON))
    }))
}

/// Computes the Brier score, `mean (p - label)^2`.
///
/// # References
/// Brier (1950), Verification of forecasts expressed in terms of probability.
pub fn brier(labels: &[bool], probabilities: &[f64], weights: Option<&[f64]>) -> Option<f64> {
    let rows = Rows::checked(labels, probabilities, weights)?;
    Some(rows.weighted_mean(|row| {
        let gap = rows.probabilities[row] - rows.outcome(row);
        gap * gap
    }))
}

/// Computes the Brier skill, `1 - brier / (q (1 - q))` for prevalence q; `None` with one class only.
pub fn brier_skill(labels: &[bool], probabilities: &[f64], weights: Option<&[f64]>) -> Option<f64> {
    let prevalence = Rows::checked(labels, probabilities, weights)?.prevalence();
    let uncertainty = prevalence * (1.0 - prevalence);
    let score = brier(labels, probabilities, weights)?;
    (uncertainty > 0.0).then(|| 1.0 - score / uncertainty)
}

/// Splits the Brier score over the bins of a reliability curve.
///
/// # References
/// Murphy (1973), A new vector partition of the probability score; Stephenson, Coelho and Jolliffe (2008), Two extra
/// components in the Brier score decomposition.
pub fn brier_decomposition(
    labels: &[bool],
    probabilities: &[f64],
    weights: Option<&[f64]>,
    binning: Binning,
    bins: usize,
) -> Option<BrierDecomposition> {
    let rows = Rows::checked(labels, probabilities, weights)?;
    let (prevalence, total) = (rows.prevalence(), rows.total_weight());
    let groups = binned(&rows, binning, bins);
    let points: Vec<ReliabilityBin> = groups.iter().filter_map(|group| bin_of(&rows, group)).collect();
    let over_bins =
        |value: &dyn Fn(&ReliabilityBin) -> f64| sum(points.iter().map(|point| point.weight * value(point))) / total;
    let within = groups.iter().filter_map(|group| Some((group, bin_of(&rows, group)?))).flat_map(|(group, point)| {
        group.iter().map(move |&row| {
            let spread = rows.probabilities[row] - point.mean_probability;
            rows.weight(row) * spread * (spread - 2.0 * (rows.outcome(row) - point.positive_rate))
        })
    });
    Some(BrierDecomposition {
        reliability: over_bins(&|point| (point.mean_probability - point.positive_rate).powi(2)),
        resolution: over_bins(&|point| (point.positive_rate - prevalence).powi(2)),
        uncertainty: prevalence * (1.0 - prevalence),
        within_bin: sum(within) / total,
    })
}

/// Groups rows by probability and compares what was said with what came; bins in rising order.
///
/// `None` also when `bins` is 0. Bins without weight are left out.
pub fn reliability_curve(
    labels: &[bool],
    probabilities: &[f64],
    weights: Option<&[f64]>,
    binning: Binning,
    bins: usize,
) -> Option<Vec<ReliabilityBin>> {
    let rows = Rows::checked(labels, probabilities, weights)?;
    (bins > 0).then(|| binned(&rows, binning, bins).iter().filter_map(|group| bin_of(&rows, group)).collect())
}

/// Computes the expected calibration error: mean gap between probability and observed rate over bins, by weight.
///
/// # References
/// Naeini, Cooper and Hauskrecht (2015), Obtaining well calibrated probabilities using Bayesian binning.
pub fn expected_calibration_error(
    labels: &[bool],
    probabilities: &[f64],
    weights: Option<&[f64]>,
    binning: Binning,
    bins: usize,
) -> Option<f64> {
    let curve = reliability_curve(labels, probabilities, weights, binning, bins)?;
    let total = sum(curve.iter().map(|bin| bin.weight));
    Some(sum(curve.iter().map(|bin| bin.weight * gap(bin))) / total)
}

/// Computes the largest gap between probability and observed rate over bins.
pub fn maximum_calibration_error(
    labels: &[bool],
    probabilities: &[f64],
    weights: Option<&[f64]>,
    binning: Binning,
    bins: usize,
) -> Option<f64> {
    reliability_curve(labels, probabilities, weights, binning, bins)?.iter().map(gap).max_by(f64::total_cmp)
}

fn gap(bin: &ReliabilityBin) -> f64 {
    (bin.mean_probability - bin.positive_rate).abs()
}

/// Row numbers of each bin, empty bins included.
fn binned(rows: &Rows<'_>, binning: Binning, bins: usize) -> Vec<Vec<usize>> {
    let bins = bins.max(1);
    match binning {
        Binning::EqualWidth => {
            let mut groups = vec![Vec::new(); bins];
            // edges as numpy's linspace makes them: a probability of 0.3 is compared with 3 * 0.1
            let step = 1.0 / bins as f64;
            let edges: Vec<f64> = (1..bins).map(|edge| edge as f64 * step).collect();
            for row in 0..rows.len() {
                let probability = rows.probabilities[row];
                groups[edges.partition_point(|edge| *edge < probability)].push(row);
            }
            groups
        }
        Binning::EqualMass => {
            let mut order: Vec<usize> = (0..rows.len()).collect();
            order.sort_by(|&a, &b| rows.probabilities[a].total_cmp(&rows.probabilities[b]));
            let (size, larger) = (order.len() / bins, order.len() % bins);
            let mut rest = order.as_slice();
            (0..bins)
                .map(|bin| {
                    let (group, after) = rest.split_at(size + usize::from(bin < larger));
                    rest = after;
                    group.to_vec()
                })
                .collect()
        }
    }
}

fn bin_of(rows: &Rows<'_>, group: &[usize]) -> Option<ReliabilityBin> {
    let weight = sum(group.iter().map(|&row| rows.weight(row)));
    if weight <= 0.0 {
        return None;
    }
    let mean = |value: &dyn Fn(usize) -> f64| sum(group.iter().map(|&row| rows.weight(row) * value(row))) / weight;
    let probabilities = || group.iter().map(|&row| rows.probabilities[row]);
    Some(ReliabilityBin {
        low: probabilities().fold(f64::INFINITY, f64::min),
        high: probabilities().fold(f64::NEG_INFINITY, f64::max),
        rows: group.len(),
        weight,
        mean_probability: mean(&|row| rows.probabilities[row]),
        positive_rate: mean(&|row| rows.outcome(row)),
    })
}
