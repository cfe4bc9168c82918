//! Newton's method for logistic fits of two or three parameters, as calibration needs them.

use super::logistic::{sigmoid, softplus};
use crate::stats::sum::sum;

/// One observation: `K` regressors, a target in [0, 1] and a weight.
pub(super) struct Observation<const K: usize> {
    pub regressors: [f64; K],
    pub target: f64,
    pub weight: f64,
}

const ITERATIONS: usize = 100;
const HALVINGS: usize = 40;

/// Finds the parameters that minimise the weighted log loss of `sigmoid(parameters . regressors)`.
///
/// Targets strictly inside (0, 1) on both sides keep the minimum finite. Where regressors are collinear (all
/// probabilities equal), the damping picks one of the equivalent solutions.
pub(super) fn fit<const K: usize>(observations: &[Observation<K>], start: [f64; K]) -> [f64; K] {
    let mut parameters = start;
    let mut loss = loss_of(observations, &parameters);
    let mut damping = 1e-12;
    for _ in 0..ITERATIONS {
        let (gradient, mut hessian) = derivatives(observations, &parameters);
        let trace: f64 = (0..K).map(|i| hessian[i][i]).sum();
        for (i, row) in hessian.iter_mut().enumerate() {
            row[i] += damping * trace.max(f64::MIN_POSITIVE);
        }
        let Some(direction) = solve(hessian, gradient) else {
            damping *= 1e3;
            continue;
        };
        let Some((next, next_loss)) = descend(observations, &parameters, direction, loss) else { break };
        let moved = (0..K).map(|i| (next[i] - parameters[i]).abs() / (1.0 + next[i].abs())).fold(0.0, f64::max);
        (parameters, loss) = (next, next_loss);
        if moved < 1e-14 {
            break;
        }
    }
    parameters
}

/// Halves the step until the loss no longer rises; `None` when no step helps, which is the floor of rounding.
fn descend<const K: usize>(
    observations: &[Observation<K>],
    parameters: &[f64; K],
    direction: [f64; K],
    loss: f64,
) -> Option<([f64; K], f64)> {
    let mut step = 1.0;
    for _ in 0..HALVINGS {
        let mut next = *parameters;
        for i in 0..K {
            next[i] -= step * direction[i];
        }
        let next_loss = loss_of(observations, &next);
        if next_loss <= loss {
            return Some((next, next_loss));
        }
        step *= 0.5;
    }
    None
}

fn log_odds<const K: usize>(observation: &Observation<K>, parameters: &[f64; K]) -> f64 {
    observation.regressors.iter().zip(parameters).map(|(x, beta)| x * beta).sum()
}

fn loss_of<const K: usize>(observations: &[Observation<K>], parameters: &[f64; K]) -> f64 {
    sum(observations.iter().map(|observation| {
        let log_odds = log_odds(observation, parameters);
        observation.weight * (softplus(log_odds) - observation.target * log_odds)
    }))
}

fn derivatives<const K: usize>(observations: &[Observation<K>], parameters: &[f64; K]) -> ([f64; K], [[f64; K]; K]) {
    let (mut gradient, mut hessian) = ([0.0; K], [[0.0; K]; K]);
    for observation in observations {
        let p = sigmoid(log_odds(observation, parameters));
        let (residual, curvature) = (observation.weight * (p - observation.target), observation.weight * p * (1.0 - p));
        let x = &observation.regressors;
        for (i, row) in hessian.iter_mut().enumerate() {
            gradient[i] += residual * x[i];
            for (entry, x_j) in row.iter_mut().zip(x) {
                *entry += curvature * x[i] * x_j;
            }
        }
    }
    (gradient, hessian)
}

/// Gaussian elimination with partial pivoting; `None` for a singular matrix.
fn solve<const K: usize>(mut matrix: [[f64; K]; K], mut right: [f64; K]) -> Option<[f64; K]> {
    for i in 0..K {
        let pivot = (i..K).max_by(|&a, &b| matrix[a][i].abs().total_cmp(&matrix[b][i].abs()))?;
        matrix.swap(i, pivot);
        right.swap(i, pivot);
        if !(matrix[i][i].abs() > 0.0 && matrix[i][i].is_finite()) {
            return None;
        }
        for below in i + 1..K {
            let factor = matrix[below][i] / matrix[i][i];
            let upper = matrix[i];
            for (value, above) in matrix[below].iter_mut().zip(upper).skip(i) {
                *value -= factor * above;
            }
            right[below] -= factor * right[i];
        }
    }
    for i in (0..K).rev() {
        let known: f64 = (i + 1..K).map(|j| matrix[i][j] * right[j]).sum();
        right[i] = (right[i] - known) / matrix[i][i];
    }
    right.iter().all(|value| value.is_finite()).then_some(right)
}
