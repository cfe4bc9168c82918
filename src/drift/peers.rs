//! What the other columns do not explain: each column less its linear prediction from all the others.
//!
//! Forty features of one market share most of their movement. A shift of one of them that drowns in that shared movement
//! stands out against its peers: where half the variance is shared, the error of a mean is halved twice over.
//!
//! The prediction is made from *both* windows at once and knows nothing of the split, so that permuting blocks of its
//! residuals is as valid as permuting blocks of the columns: under "nothing changed" every split of the rows gives the same
//! prediction. Fitting on the reference alone would not be: the current window would lie outside the fitted rows in the
//! observed split and in no other.
//!
//! **Formula**: with the correlation matrix `R` of the normal scores `z` (missing = 0, the middle) and `P = (R + c I)^-1`,
//! the residual of column j is `(z P)_j / P_jj`: for `c = 0` exactly the residual of a regression on all other columns.

use ndarray::Array2;

/// Weight of the ridge, in units of a column's variance: nearly equal columns must not explain each other away on noise.
const RIDGE: f64 = 0.1;

/// Columns that can be held against each other; beyond, the matrix would cost more than all tests.
const MOST_PEERS: usize = 400;

/// The residual of every column, row by row; NaN where the column itself is missing. `None` for a column that has no
/// peers: it is constant, or it is the only one.
///
/// # Shape
/// All score columns have one length.
pub(super) fn beyond_peers(scores: &[Vec<f64>]) -> Vec<Option<Vec<f64>>> {
    let mut residuals = vec![None; scores.len()];
    let varying: Vec<usize> = (0..scores.len()).filter(|&column| power(&scores[column]) > 0.0).collect();
    if varying.len() < 2 || varying.len() > MOST_PEERS {
        return residuals;
    }
    let Some(precision) = precision(scores, &varying) else { return residuals };
    for (at, &column) in varying.iter().enumerate() {
        let weights: Vec<(f64, &[f64])> = varying
            .iter()
            .enumerate()
            .map(|(other, &peer)| (precision[[at, other]] / precision[[at, at]], scores[peer].as_slice()))
            .collect();
        let row = |row: usize| {
            let own = scores[column][row];
            if own.is_nan() { f64::NAN } else { weights.iter().map(|(weight, peer)| weight * present(peer[row])).sum() }
        };
        residuals[column] = Some((0..scores[column].len()).map(row).collect());
    }
    residuals
}

fn present(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

fn power(scores: &[f64]) -> f64 {
    scores.iter().map(|&score| present(score) * present(score)).sum()
}

fn precision(scores: &[Vec<f64>], varying: &[usize]) -> Option<Array2<f64>> {
    let size = varying.len();
    let deviations: Vec<f64> = varying.iter().map(|&column| power(&scores[column]).sqrt()).collect();
    let mut matrix = Array2::<f64>::zeros((size, size));
    for (i, &first) in varying.iter().enumerate() {
        for (j, &second) in varying[..=i].iter().enumerate() {
            let (a, b) = (&scores[first], &scores[second]);
            let product: f64 = a.iter().zip(b).map(|(&a, &b)| present(a) * present(b)).sum();
            let correlation = product / (deviations[i] * deviations[j]);
            matrix[[i, j]] = correlation;
            matrix[[j, i]] = correlation;
        }
    }
    matrix.diag_mut().mapv_inplace(|x| x + RIDGE);
    let mut inverse = inverse_of_positive_definite(&matrix)?;
    // from correlations back to the scores as they are
    for ((i, j), cell) in inverse.indexed_iter_mut() {
        *cell /= deviations[i] * deviations[j];
    }
    Some(inverse)
}

/// The inverse by Cholesky factors; `None` when rounding has made the matrix indefinite.
pub(super) fn inverse_of_positive_definite(matrix: &Array2<f64>) -> Option<Array2<f64>> {
    let size = matrix.nrows();
    let mut lower = Array2::<f64>::zeros((size, size));
    for i in 0..size {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| lower[[i, k]] * lower[[j, k]]).sum();
            let rest = matrix[[i, j]] - dot;
            if i == j {
                if rest <= 0.0 || !rest.is_finite() {
                    return None;
                }
                lower[[i, i]] = rest.sqrt();
            } else {
                lower[[i, j]] = rest / lower[[j, j]];
            }
        }
    }
    let mut inverse = Array2::<f64>::zeros((size, size));
    for column in 0..size {
        let mut forward = vec![0.0; size];
        for i in column..size {
            let unit = f64::from(u8::from(i == column));
            let dot: f64 = (column..i).map(|k| lower[[i, k]] * forward[k]).sum();
            forward[i] = (unit - dot) / lower[[i, i]];
        }
        for i in (0..size).rev() {
            let dot: f64 = (i + 1..size).map(|k| lower[[k, i]] * inverse[[k, column]]).sum();
            inverse[[i, column]] = (forward[i] - dot) / lower[[i, i]];
        }
    }
    Some(inverse)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Seed;

    #[test]
    fn the_inverse_times_the_matrix_is_one() {
        let mut stream = Seed::new(1).stream();
        let roots = Array2::from_shape_fn((5, 5), |_| stream.normal());
        let matrix = roots.dot(&roots.t()) + Array2::<f64>::eye(5);
        let product = inverse_of_positive_definite(&matrix).unwrap().dot(&matrix);
        assert!((product - Array2::<f64>::eye(5)).iter().all(|x| x.abs() < 1e-10));
        assert!(inverse_of_positive_definite(&Array2::zeros((2, 2))).is_none());
    }

    #[test]
    fn a_column_that_its_peers_explain_has_little_left() {
        let mut stream = Seed::new(2).stream();
        let shared: Vec<f64> = (0..800).map(|_| stream.normal()).collect();
        let mut noisy = |noise: f64| shared.iter().map(|x| x + noise * stream.normal()).collect::<Vec<f64>>();
        let columns = vec![noisy(0.1), noisy(0.1), noisy(0.1), (0..800).map(|_| 0.0).collect()];
        let residuals = beyond_peers(&columns);
        assert!(residuals[3].is_none(), "a constant has no peers");
        let left = power(residuals[0].as_ref().unwrap()) / power(&columns[0]);
        assert!(left < 0.05, "{left}");
        assert!(beyond_peers(&columns[..1])[0].is_none());
    }
}
