//! Metrics that depend on the order of the probabilities only.

use super::rows::{Rows, TieGroup};
use crate::stats::sum::sum;

/// Computes the area under the ROC curve: the probability that a positive row ranks above a negative one.
///
/// Ties count one half, which is the Mann-Whitney statistic on midranks. `None` with one class only.
///
/// # References
/// Hanley and McNeil (1982), The meaning and use of the area under a receiver operating characteristic curve.
pub fn roc_auc(labels: &[bool], probabilities: &[f64], weights: Option<&[f64]>) -> Option<f64> {
    let groups = Rows::checked(labels, probabilities, weights)?.tie_groups();
    let (positives, negatives) = class_weights(&groups)?;
    let mut above = 0.0;
    let wins = sum(groups.iter().map(|group| {
        let won = group.negative * (above + 0.5 * group.positive);
        above += group.positive;
        won
    }));
    Some(wins / positives / negatives)
}

/// Computes average precision, `sum (R_k - R_{k-1}) P_k` over falling thresholds, without interpolation.
///
/// 0 without a positive row, as scikit-learn does.
pub fn average_precision(labels: &[bool], probabilities: &[f64], weights: Option<&[f64]>) -> Option<f64> {
    let groups = Rows::checked(labels, probabilities, weights)?.tie_groups();
    let positives = sum(groups.iter().map(|group| group.positive));
    if positives == 0.0 {
        return Some(0.0);
    }
    let (mut hits, mut called) = (0.0, 0.0);
    let area = sum(groups.iter().map(|group| {
        hits += group.positive;
        called += group.positive + group.negative;
        if called > 0.0 { group.positive * hits / called } else { 0.0 }
    }));
    Some(area / positives)
}

/// Computes the Kolmogorov-Smirnov separation: the largest gap between the two classes' distribution functions.
///
/// Equals the largest Youden index over all thresholds. `None` with one class only.
pub fn ks_separation(labels: &[bool], probabilities: &[f64], weights: Option<&[f64]>) -> Option<f64> {
    let groups = Rows::checked(labels, probabilities, weights)?.tie_groups();
    let (positives, negatives) = class_weights(&groups)?;
    let (mut hits, mut false_alarms, mut widest) = (0.0, 0.0, 0.0_f64);
    for group in &groups {
        hits += group.positive;
        false_alarms += group.negative;
        widest = widest.max((hits / positives - false_alarms / negatives).abs());
    }
    Some(widest.min(1.0))
}

/// Computes the lift of the top `share` of rows: their positive rate over the positive rate of all rows.
///
/// Takes `ceil(share * n)` rows, at least one; among tied probabilities at the cut the first rows are taken.
/// `None` without a positive row or with a share outside `(0, 1]`.
pub fn lift_at(labels: &[bool], probabilities: &[f64], share: f64) -> Option<f64> {
    let rows = Rows::checked(labels, probabilities, None)?;
    let prevalence = rows.prevalence();
    if prevalence == 0.0 || !(share > 0.0 && share <= 1.0) {
        return None;
    }
    // the small allowance keeps 0.1 * 30 = 3.0000000000000004 from taking a fourth row
    let take = ((share * rows.len() as f64 - 1e-9).ceil() as usize).clamp(1, rows.len());
    let hits = rows.descending()[..take].iter().filter(|row| labels[**row]).count();
    Some(hits as f64 / take as f64 / prevalence)
}

/// Total weights of both classes; `None` when one is missing.
fn class_weights(groups: &[TieGroup]) -> Option<(f64, f64)> {
    let positives = sum(groups.iter().map(|group| group.positive));
    let negatives = sum(groups.iter().map(|group| group.negative));
    (positives > 0.0 && negatives > 0.0).then_some((positives, negatives))
}
