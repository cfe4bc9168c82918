//! The covariance of two points: Matern-5/2 with a length of its own for every parameter.
//!
//! Squared distances are taken a parameter at a time: of the shares of an ordered range, 0 or 1 of two choices, and 1
//! where a parameter exists at one of the points only. With inverse squared lengths `w`,
//! `r^2 = sum w_d distance_d^2` and `k = (1 + sqrt 5 r + 5/3 r^2) exp(-sqrt 5 r)`.
//!
//! # References
//! Rasmussen and Williams (2006), Gaussian processes for machine learning, equation 4.17; Hutter and Osborne (2013),
//! "A kernel for hierarchical parameter spaces" (a distance where a parameter does not exist).

use super::super::super::space::{Axis, SearchSpace};
use super::super::exponential::exp_below_zero;

/// Rows as columns of features, one a parameter: shares of ranges, positions of choices, NaN where it does not exist.
#[derive(Clone, Debug)]
pub(super) struct Features {
    columns: Vec<Vec<f64>>,
    rows: usize,
}

impl Features {
    /// The features of some rows of coordinates.
    pub(super) fn of<'a>(space: &SearchSpace, rows: impl Iterator<Item = &'a [f64]> + Clone) -> Self {
        let column = |(position, axis): (usize, &Axis)| {
            let feature = |row: &[f64]| match axis {
                Axis::Choice { .. } => row[position],
                _ if row[position].is_nan() => f64::NAN,
                _ => axis.share(row[position]),
            };
            rows.clone().map(feature).collect()
        };
        let columns: Vec<Vec<f64>> = space.axes().iter().enumerate().map(column).collect();
        Self { rows: columns.first().map_or(0, Vec::len), columns }
    }

    pub(super) const fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn parameters(&self) -> usize {
        self.columns.len()
    }

    /// Squared distances on one parameter from a row of these to all rows of others.
    pub(super) fn squares(&self, space: &SearchSpace, parameter: usize, row: usize, others: &Self, out: &mut [f64]) {
        let own = self.columns[parameter][row];
        let others = &others.columns[parameter];
        let choice = matches!(space.axes()[parameter], Axis::Choice { .. });
        for (out, other) in out.iter_mut().zip(others) {
            *out = match (own.is_nan(), other.is_nan()) {
                (false, false) if choice => f64::from(u8::from(own != *other)),
                (false, false) => (own - other) * (own - other),
                (true, true) => 0.0,
                _ => 1.0,
            };
        }
    }

    /// Covariances of every row with every row of others, row by row.
    pub(super) fn covariances(&self, space: &SearchSpace, others: &Self, weights: &[f64]) -> Vec<f64> {
        let mut matrix = vec![0.0; self.rows * others.rows];
        let mut squares = vec![0.0; others.rows];
        for (row, out) in matrix.chunks_exact_mut(others.rows.max(1)).enumerate() {
            for (parameter, weight) in weights.iter().enumerate().take(self.parameters()) {
                self.squares(space, parameter, row, others, &mut squares);
                super::linear::add_scaled(out, &squares, *weight);
            }
            out.iter_mut().for_each(|value| *value = matern(*value));
        }
        matrix
    }
}

/// The covariance at a squared distance.
pub(super) fn matern(square: f64) -> f64 {
    let scaled = (5.0 * square).sqrt();
    (1.0 + scaled + 5.0 / 3.0 * square) * exp_below_zero(-scaled)
}

/// The derivative of [`matern`] by the squared distance.
pub(super) fn matern_slope(square: f64) -> f64 {
    let scaled = (5.0 * square).sqrt();
    -5.0 / 6.0 * (1.0 + scaled) * exp_below_zero(-scaled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_the_derivative() {
        for square in [1e-3, 0.1, 1.0, 7.0] {
            let step = 1e-6 * square;
            let difference = (matern(square + step) - matern(square - step)) / (2.0 * step);
            assert!((difference / matern_slope(square) - 1.0).abs() < 1e-6, "{square}");
        }
        assert_eq!((matern(0.0), matern_slope(0.0)), (1.0, -5.0 / 6.0));
    }

    #[test]
    fn distances_count_shares_choices_and_what_does_not_exist() {
        let space: SearchSpace = serde_json::from_str(
            r#"{"a": {"choice": ["x", "y"]}, "b": {"float": [0, 10]}, "c": {"float": [0, 1], "when": {"a": ["x"]}}}"#,
        )
        .unwrap();
        let rows = [vec![0.0, 2.0, 0.5], vec![1.0, 7.0, f64::NAN]];
        let features = Features::of(&space, rows.iter().map(Vec::as_slice));
        let mut squares = [0.0; 2];
        for (parameter, expected) in [(0, 1.0), (1, 0.25), (2, 1.0)] {
            features.squares(&space, parameter, 0, &features, &mut squares);
            assert!(squares[0] == 0.0 && (squares[1] - expected).abs() < 1e-15, "{parameter}: {squares:?}");
        }
        features.squares(&space, 2, 1, &features, &mut squares);
        assert_eq!(squares, [1.0, 0.0]);
    }
}
