//! A classifier that tries to tell the windows apart from all columns at once: what no column shows alone.
//!
//! It is a linear discriminant over the normal scores and their squares, so that it sees levels, spreads and, through the
//! covariances, their combinations. Its AUC is out of fold: each fold is a stretch of time of both windows, and rows
//! within one block of a stretch are not learnt from. Neighbours in time are nearly copies of each other; folds drawn at
//! random would let the classifier recognise *days* and find an AUC near 1 in data that never changed.
//!
//! The p-value comes from permuted blocks like every other here. The covariance is that of all rows, whatever side they
//! are on: it knows nothing of the split, is inverted once, and points in the same direction as the one within the sides.

use ndarray::{Array1, Array2};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::peers::inverse_of_positive_definite;
use super::permutation::{Circle, Plan};
use super::report::Verdict;
use super::resampled::tail_shares;
use super::split::Split;
use crate::base::{CancelToken, Cancelled, Seed};
use crate::metric::classification::roc_auc;
use crate::stats::order::midranks;

/// Stretches of time that take turns in being predicted.
const FOLDS: usize = 5;

/// Weight of the ridge, in units of a column's variance.
const RIDGE: f64 = 0.1;

/// What the classifier found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DomainReport {
    /// `drift` if the windows can be told apart, `inconclusive` if there are too few rows to try, else `ok`.
    pub verdict: Verdict,
    /// The verdict in one sentence.
    pub reason: String,
    /// Out-of-fold AUC of current against reference rows; .5 is blind.
    pub auc: Option<f64>,
    /// Permutation p of the AUC.
    pub p: Option<f64>,
    /// Permutations.
    pub replicates: usize,
    /// Time stamps beside a fold that are not learnt from.
    pub purged: usize,
    /// The columns that it leans on most, with their share of the discriminant's variance.
    pub leans_on: Vec<(String, f64)>,
}

/// Rows, as scores and squares, ready to be split again and again.
pub(super) struct Domain<'a> {
    rows: Array2<f64>,
    stamp_of_row: &'a [u32],
    inverse: Array2<f64>,
}

impl<'a> Domain<'a> {
    /// Prepares columns of normal scores (NaN = missing, which is the middle). `None` when nothing varies.
    pub(super) fn new(scores: &[&[f64]], stamp_of_row: &'a [u32]) -> Option<Self> {
        let varying: Vec<&[f64]> =
            scores.iter().copied().filter(|column| column.iter().any(|z| !z.is_nan() && *z != 0.0)).collect();
        if varying.is_empty() {
            return None;
        }
        let known = |z: f64| if z.is_nan() { 0.0 } else { z };
        let count = varying.len();
        let mut rows = Array2::from_shape_fn((stamp_of_row.len(), 2 * count), |(row, column)| {
            let z = known(varying[column % count][row]);
            if column < count { z } else { z * z }
        });
        for mut column in rows.columns_mut() {
            let middle = column.sum() / column.len() as f64;
            column.mapv_inplace(|x| x - middle);
            let deviation = (column.iter().map(|x| x * x).sum::<f64>() / column.len() as f64).sqrt();
            if deviation > 0.0 {
                column.mapv_inplace(|x| x / deviation);
            }
        }
        let mut covariance = rows.t().dot(&rows) / stamp_of_row.len() as f64;
        covariance.diag_mut().mapv_inplace(|x| x + RIDGE);
        Some(Self { inverse: inverse_of_positive_definite(&covariance)?, rows, stamp_of_row })
    }

    /// The out-of-fold AUC of a split whose folds keep `purge` stamps away from what they predict.
    fn auc(&self, marks: &[u8], purge: usize) -> Option<f64> {
        let folds = folds(marks);
        let mut scores = vec![0.0; self.stamp_of_row.len()];
        for fold in 0..FOLDS {
            let near = widened(&folds, fold, purge);
            let weights = self.discriminant(|stamp| near[stamp], marks)?;
            for (row, &stamp) in self.stamp_of_row.iter().enumerate() {
                if folds[stamp as usize] == fold {
                    scores[row] = self.rows.row(row).dot(&weights);
                }
            }
        }
        let labels: Vec<bool> = self.stamp_of_row.iter().map(|&stamp| marks[stamp as usize] == 1).collect();
        // ranks are all that an AUC reads; scores of the folds are on one scale, because the covariance is
        let places: Vec<f64> = midranks(&scores).into_iter().map(|rank| rank / scores.len() as f64).collect();
        roc_auc(&labels, &places, None)
    }

    fn discriminant(&self, is_left_out: impl Fn(usize) -> bool, marks: &[u8]) -> Option<Array1<f64>> {
        let mut sums = [Array1::zeros(self.rows.ncols()), Array1::zeros(self.rows.ncols())];
        let mut counts = [0.0, 0.0];
        for (row, &stamp) in self.stamp_of_row.iter().enumerate() {
            if !is_left_out(stamp as usize) {
                let side = usize::from(marks[stamp as usize] == 1);
                sums[side] += &self.rows.row(row);
                counts[side] += 1.0;
            }
        }
        if counts.iter().any(|&count| count < 1.0) {
            return None;
        }
        let [reference, current] = sums;
        Some(self.inverse.dot(&(current / counts[1] - reference / counts[0])))
    }
}

/// The fold of each stamp: the first fifth of each side in time, then the second, and so on.
fn folds(marks: &[u8]) -> Vec<usize> {
    let current = marks.iter().filter(|&&mark| mark == 1).count();
    let totals = [marks.len() - current, current];
    let mut seen = [0, 0];
    let fold = |&mark: &u8| {
        let side = usize::from(mark == 1);
        let fold = seen[side] * FOLDS / totals[side].max(1);
        seen[side] += 1;
        fold
    };
    marks.iter().map(fold).collect()
}

/// The stamps of a fold and those within `purge` of one.
fn widened(folds: &[usize], fold: usize, purge: usize) -> Vec<bool> {
    let mut near = vec![false; folds.len()];
    let mut mark = |order: &mut dyn Iterator<Item = usize>| {
        let mut left = 0;
        for stamp in order {
            left = if folds[stamp] == fold { purge + 1 } else { left.saturating_sub(1) };
            near[stamp] |= left > 0;
        }
    };
    mark(&mut (0..folds.len()));
    mark(&mut (0..folds.len()).rev());
    near
}

/// Measures how well the windows can be told apart, against permuted blocks.
pub(super) fn tell_apart(
    columns: &[(&str, &[f64])],
    circle: &Circle,
    block: usize,
    (replicates, alpha): (usize, f64),
    seed: Seed,
    cancel: &CancelToken,
) -> Result<DomainReport, Cancelled> {
    let scores: Vec<&[f64]> = columns.iter().map(|(_, scores)| *scores).collect();
    let marks = circle.observed();
    let blind = |reason: &str| DomainReport {
        verdict: Verdict::Inconclusive,
        reason: reason.to_owned(),
        auc: None,
        p: None,
        replicates: 0,
        purged: block,
        leans_on: Vec::new(),
    };
    let Some(domain) = Domain::new(&scores, &circle.stamp_of_row) else { return Ok(blind("no column varies")) };
    let Some(auc) = domain.auc(&marks, block) else {
        return Ok(blind("too few rows stay for learning beside each fold"));
    };
    let draw = |replicate: usize| -> Result<f64, Cancelled> {
        cancel.check()?;
        let mut marks = vec![0; circle.stamps()];
        Split::permuted(circle, &Plan::draw(circle, block, seed, replicate)).mark(&mut marks);
        Ok(domain.auc(&marks, block).unwrap_or(f64::INFINITY))
    };
    let drawn = (0..replicates).into_par_iter().map(draw).collect::<Result<Vec<f64>, Cancelled>>()?;
    let all: Vec<f64> = std::iter::once(auc).chain(drawn).collect();
    let p = tail_shares(&all).first().copied().unwrap_or(1.0);
    let verdict = if p <= alpha && auc > 0.5 { Verdict::Drift } else { Verdict::Ok };
    let can = if verdict == Verdict::Drift { "can" } else { "cannot" };
    Ok(DomainReport {
        verdict,
        reason: format!("all columns together {can} tell the windows apart: AUC {auc:.3} out of fold, p {p:.4}"),
        auc: Some(auc),
        p: Some(p),
        replicates,
        purged: block,
        leans_on: leans_on(&domain, columns, &marks),
    })
}

fn leans_on(domain: &Domain, columns: &[(&str, &[f64])], marks: &[u8]) -> Vec<(String, f64)> {
    let Some(weights) = domain.discriminant(|_| false, marks) else { return Vec::new() };
    let varying: Vec<&str> = columns
        .iter()
        .filter(|(_, column)| column.iter().any(|z| !z.is_nan() && *z != 0.0))
        .map(|(name, _)| *name)
        .collect();
    let power = |column: usize| weights[column].powi(2) + weights[column + varying.len()].powi(2);
    let total: f64 = (0..varying.len()).map(power).sum();
    let mut shares: Vec<(String, f64)> =
        varying.iter().enumerate().map(|(column, name)| ((*name).to_owned(), power(column) / total)).collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    shares.retain(|(_, share)| share.is_finite());
    shares.truncate(5);
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::tests::autoregressive;

    #[test]
    fn a_fold_and_its_neighbourhood_are_left_out() {
        let folds = [0, 0, 1, 1, 2, 2, 0, 0];
        assert_eq!(widened(&folds, 1, 1), [false, true, true, true, true, false, false, false]);
        assert_eq!(widened(&folds, 2, 0), [false, false, false, false, true, true, false, false]);
    }

    #[test]
    fn slow_series_that_never_changed_are_not_told_apart_and_a_broken_correlation_is() {
        let mut stream = Seed::new(31).stream();
        let mut alarms = 0;
        for _ in 0..12 {
            let columns: Vec<Vec<f64>> = (0..3).map(|_| autoregressive(1_000, 0.8, &mut stream)).collect();
            alarms += usize::from(told_apart(&columns, 750, 45).verdict == Verdict::Drift);
        }
        assert!(alarms <= 3, "{alarms} of 12 at the level 5 %");
        // two columns that were one and are strangers now: each alone is as it was
        let shared = autoregressive(1_000, 0.3, &mut stream);
        let mut other: Vec<f64> = shared.iter().map(|x| x + 0.2 * stream.normal()).collect();
        other[750..].copy_from_slice(&autoregressive(250, 0.3, &mut stream));
        let gap: Vec<f64> = shared.iter().zip(&other).map(|(a, b)| a - b).collect();
        let found = told_apart(&[shared, other, gap], 750, 10);
        assert_eq!(found.verdict, Verdict::Drift, "{}", found.reason);
        let few = told_apart(&[autoregressive(300, 0.3, &mut stream)], 280, 10);
        assert_eq!(few.verdict, Verdict::Inconclusive);
    }

    fn told_apart(columns: &[Vec<f64>], reference: usize, block: usize) -> DomainReport {
        let circle = Circle::from_rows(reference, columns[0].len() - reference);
        let named: Vec<(&str, &[f64])> = columns.iter().map(|column| ("x", column.as_slice())).collect();
        tell_apart(&named, &circle, block, (39, 0.05), Seed::new(1), &CancelToken::new()).unwrap()
    }
}
