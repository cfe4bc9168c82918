//! Minimises a quadratic with an L1 penalty.

use super::error::ModelError;

/// `1/2 x'Hx - b'x + sum penalty |x|`, with `H` symmetric and positive definite.
pub(super) struct Quadratic {
    /// Row-major `H`, of `linear.len()` rows.
    pub curvature: Vec<f64>,
    /// `b`.
    pub linear: Vec<f64>,
    /// L1 penalty of each coordinate, 0 for none.
    pub penalty: Vec<f64>,
}

/// Passes over all coordinates before it is given up.
const MOST_PASSES: usize = 100_000;
/// Largest step of a pass, in units of the first one, that counts as standing still.
const STILL: f64 = 1e-13;

impl Quadratic {
    /// Finds the minimum: by Cholesky where nothing is penalised, else by coordinate descent from `start`, in order.
    ///
    /// # Errors
    /// A matrix that is not positive definite, or a descent that does not come to rest.
    ///
    /// # References
    /// Friedman, Hastie and Tibshirani (2010), *Regularization paths for generalized linear models via coordinate descent*.
    pub(super) fn minimise(&self, start: Vec<f64>) -> Result<Vec<f64>, ModelError> {
        if self.penalty.iter().all(|&penalty| penalty == 0.0) {
            return self.solve().ok_or_else(|| ModelError::Optimiser("the curvature is not positive".to_owned()));
        }
        self.descend(start)
    }

    fn row(&self, i: usize) -> &[f64] {
        let size = self.linear.len();
        &self.curvature[i * size..(i + 1) * size]
    }

    fn descend(&self, mut x: Vec<f64>) -> Result<Vec<f64>, ModelError> {
        let size = self.linear.len();
        // slope[i] = b_i - sum_j H_ij x_j, kept up to date
        let mut slope: Vec<f64> = (0..size).map(|i| self.linear[i] - dot(self.row(i), &x)).collect();
        let mut first_step = 0.0_f64;
        for _ in 0..MOST_PASSES {
            let mut largest = 0.0_f64;
            for i in 0..size {
                let curvature = self.row(i)[i];
                if curvature <= 0.0 {
                    continue;
                }
                let next = shrink(slope[i] + curvature * x[i], self.penalty[i]) / curvature;
                let step = next - x[i];
                if step != 0.0 {
                    x[i] = next;
                    slope.iter_mut().zip(self.row(i)).for_each(|(slope, h)| *slope -= h * step);
                    // in units of the loss, so that steep and flat coordinates compare
                    largest = largest.max(step.abs() * curvature.sqrt());
                }
            }
            first_step = first_step.max(largest);
            if largest <= STILL * first_step {
                return Ok(x);
            }
        }
        Err(ModelError::Optimiser(format!("coordinate descent moves after {MOST_PASSES} passes")))
    }

    /// `H^-1 b` by Cholesky; `None` where `H` is not positive definite.
    fn solve(&self) -> Option<Vec<f64>> {
        let size = self.linear.len();
        let mut lower = vec![0.0; size * size];
        for i in 0..size {
            for j in 0..=i {
                let known = dot(&lower[i * size..i * size + j], &lower[j * size..j * size + j]);
                let rest = self.row(i)[j] - known;
                if i == j {
                    if rest.is_nan() || rest <= 0.0 {
                        return None;
                    }
                    lower[i * size + i] = rest.sqrt();
                } else {
                    lower[i * size + j] = rest / lower[j * size + j];
                }
            }
        }
        let mut x = self.linear.clone();
        for i in 0..size {
            x[i] = (x[i] - dot(&lower[i * size..i * size + i], &x[..i])) / lower[i * size + i];
        }
        for i in (0..size).rev() {
            let known: f64 = (i + 1..size).map(|j| lower[j * size + i] * x[j]).sum();
            x[i] = (x[i] - known) / lower[i * size + i];
        }
        Some(x)
    }
}

/// Moves a number towards 0 by `by`, and no further.
fn shrink(value: f64, by: f64) -> f64 {
    (value.abs() - by).max(0.0).copysign(value)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value(quadratic: &Quadratic, x: &[f64]) -> f64 {
        let half = (0..x.len()).map(|i| 0.5 * x[i] * dot(quadratic.row(i), x) - quadratic.linear[i] * x[i]);
        half.sum::<f64>() + quadratic.penalty.iter().zip(x).map(|(penalty, x)| penalty * x.abs()).sum::<f64>()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_point_nearby_is_lower(
            factor in prop::collection::vec(-1.0_f64..1.0, 16),
            linear in prop::collection::vec(-2.0_f64..2.0, 4),
            penalty in prop_oneof![Just(vec![0.0; 4]), prop::collection::vec(0.0_f64..1.5, 4)],
        ) {
            // a square of a matrix, and a little of the identity: symmetric and positive
            let mut curvature: Vec<f64> =
                (0..16).map(|at| dot(&factor[at / 4 * 4..at / 4 * 4 + 4], &factor[at % 4 * 4..at % 4 * 4 + 4])).collect();
            (0..4).for_each(|i| curvature[i * 4 + i] += 0.1);
            let quadratic = Quadratic { curvature, linear, penalty };
            let found = quadratic.minimise(vec![0.0; 4]).unwrap();
            let least = value(&quadratic, &found);
            for i in 0..4 {
                for step in [-1e-3, -1e-5, 1e-5, 1e-3] {
                    let mut other = found.clone();
                    other[i] += step;
                    prop_assert!(value(&quadratic, &other) >= least - 1e-12);
                }
            }
        }
    }

    #[test]
    fn a_matrix_without_curvature_is_a_typed_error() {
        let flat = Quadratic { curvature: vec![1.0, 1.0, 1.0, 1.0], linear: vec![1.0, 1.0], penalty: vec![0.0, 0.0] };
        assert!(matches!(flat.minimise(vec![0.0; 2]), Err(ModelError::Optimiser(_))));
    }

    #[test]
    fn a_large_penalty_leaves_exact_zeros() {
        let quadratic =
            Quadratic { curvature: vec![2.0, 0.5, 0.5, 1.0], linear: vec![1.0, -0.2], penalty: vec![0.5, 0.5] };
        // the second coordinate stays at 0: |-0.2 - 0.5 * 0.25| < 0.5
        assert_eq!(quadratic.minimise(vec![0.0; 2]).unwrap(), [0.25, 0.0]);
    }
}
