//! Imputation and scaling, fitted on the training rows and stored with the model.

use ndarray::{ArrayView1, ArrayView2};
use serde::{Deserialize, Serialize};

use super::error::ModelError;
use crate::stats::sum::sum;

/// No standardised value is further out than this, so that two that pull in opposite directions leave a number.
const FAR: f64 = 1e150;

/// Median imputation, then standardisation: `z = (x or median if missing; - mean) / scale`.
///
/// Mean and scale (population standard deviation) are those of the imputed column, weighted. A column without a single
/// value, or with a single distinct one, gets scale 1, so that it becomes 0 in every training row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Standardiser {
    /// What replaces a missing value.
    pub median: Vec<f64>,
    /// Weighted mean.
    pub mean: Vec<f64>,
    /// Weighted standard deviation, or 1.
    pub scale: Vec<f64>,
}

impl Standardiser {
    pub(super) fn fit(features: ArrayView2<'_, f64>, weights: &[f64]) -> Self {
        let mut fitted = Self { median: Vec::new(), mean: Vec::new(), scale: Vec::new() };
        for column in features.columns() {
            let median = weighted_median(column, weights).unwrap_or(0.0);
            let imputed: Vec<f64> = column.iter().map(|&value| or_median(value, median)).collect();
            let (mean, scale) = moments(&imputed, weights);
            fitted.median.push(median);
            fitted.mean.push(mean);
            fitted.scale.push(scale);
        }
        fitted
    }

    /// Transforms one value of a column; a value that is not finite counts as missing.
    pub(super) fn apply(&self, column: usize, value: f64) -> f64 {
        let z = (or_median(value, self.median[column]) - self.mean[column]) / self.scale[column];
        z.clamp(-FAR, FAR)
    }

    /// A whole table, transformed, row-major.
    pub(super) fn design(&self, features: ArrayView2<'_, f64>) -> Vec<f64> {
        let rows = features.rows().into_iter();
        rows.flat_map(|row| row.into_iter().enumerate().map(|(j, &value)| self.apply(j, value))).collect()
    }

    /// Refuses a stored transform of another width than its model.
    pub(super) fn check_stored(&self, columns: usize) -> Result<(), ModelError> {
        let lengths = [self.median.len(), self.mean.len(), self.scale.len()];
        if lengths.iter().any(|&length| length != columns) {
            return Err(ModelError::Damaged(format!("{columns} coefficients, transforms of {lengths:?} columns")));
        }
        Ok(())
    }
}

fn or_median(value: f64, median: f64) -> f64 {
    if value.is_finite() { value } else { median }
}

/// The weighted median of the values that are there: where the cumulated weight crosses half of the total, or the middle
/// of the two values where it meets it exactly, as if each row were repeated by its weight.
fn weighted_median(column: ArrayView1<'_, f64>, weights: &[f64]) -> Option<f64> {
    let mut present: Vec<(f64, f64)> = column
        .iter()
        .zip(weights)
        .filter(|(value, weight)| value.is_finite() && **weight > 0.0)
        .map(|(value, weight)| (*value, *weight))
        .collect();
    present.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let half = sum(present.iter().map(|(_, weight)| *weight)) / 2.0;
    let mut below = 0.0;
    for (i, &(value, weight)) in present.iter().enumerate() {
        below += weight;
        if below > half {
            return Some(value);
        }
        if below == half {
            return Some(present.get(i + 1).map_or(value, |&(next, _)| value * 0.5 + next * 0.5));
        }
    }
    present.last().map(|&(value, _)| value)
}

/// Weighted mean and population standard deviation; a deviation of 1 where all values are equal.
pub(super) fn moments(values: &[f64], weights: &[f64]) -> (f64, f64) {
    let total = sum(weights.iter().copied());
    // dividing by the largest magnitude first keeps squares of huge and tiny features in range
    let largest = values.iter().zip(weights).filter(|(_, w)| **w > 0.0).fold(0.0_f64, |m, (v, _)| m.max(v.abs()));
    if largest == 0.0 {
        return (0.0, 1.0);
    }
    let scaled_mean = sum(values.iter().zip(weights).map(|(v, w)| v / largest * w)) / total;
    let variance =
        sum(values.iter().zip(weights).map(|(v, w)| w * (v / largest - scaled_mean) * (v / largest - scaled_mean)))
            / total;
    let (mean, scale) = (scaled_mean * largest, variance.sqrt() * largest);
    // below this the spread is rounding noise of a constant column
    let is_constant = variance.sqrt() <= 10.0 * f64::EPSILON * scaled_mean.abs();
    (mean, if is_constant || scale < f64::MIN_POSITIVE { 1.0 } else { scale })
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    #[test]
    fn missing_values_become_the_median_and_columns_are_standardised() {
        let features = array![[1.0, 5.0], [f64::NAN, 5.0], [3.0, 5.0], [8.0, 5.0]];
        let fitted = Standardiser::fit(features.view(), &[1.0; 4]);
        assert_eq!(fitted.median, [3.0, 5.0]);
        assert_eq!(fitted.mean, [3.75, 5.0]);
        // variance of 1, 3, 3, 8 is 6.6875
        assert!((fitted.scale[0] - 6.6875_f64.sqrt()).abs() < 1e-15);
        assert_eq!(fitted.scale[1], 1.0);
        assert_eq!(fitted.apply(0, f64::NAN), fitted.apply(0, 3.0));
        assert_eq!(fitted.apply(0, f64::INFINITY), fitted.apply(0, 3.0));
    }

    #[test]
    fn a_weight_is_a_repeat() {
        let features = array![[1.0], [4.0], [9.0]];
        let repeated = array![[1.0], [4.0], [4.0], [9.0], [9.0], [9.0]];
        let weighted = Standardiser::fit(features.view(), &[1.0, 2.0, 3.0]);
        let reference = Standardiser::fit(repeated.view(), &[1.0; 6]);
        assert_eq!(weighted.median, reference.median);
        assert!((weighted.scale[0] - reference.scale[0]).abs() < 1e-14);
    }

    #[test]
    fn extreme_scales_survive() {
        for factor in [1e-300, 1e300] {
            let features = array![[1.0], [2.0], [3.0]].mapv(|x: f64| x * factor);
            let fitted = Standardiser::fit(features.view(), &[1.0; 3]);
            assert!((fitted.apply(0, factor) + 1.5_f64.sqrt()).abs() < 1e-12, "{factor}");
        }
        let constant = Array2::from_elem((1000, 1), 0.1);
        assert_eq!(Standardiser::fit(constant.view(), &[1.0; 1000]).scale, [1.0]);
    }

    #[test]
    fn an_empty_column_becomes_zero() {
        let fitted = Standardiser::fit(array![[f64::NAN], [f64::NAN]].view(), &[1.0; 2]);
        assert_eq!(fitted.apply(0, f64::NAN), 0.0);
    }
}
