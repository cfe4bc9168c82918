//! Newton's method with an L1 penalty: each step minimises a quadratic, the penalty as it is.

use super::loss::Loss;
use super::smooth::{Solution, TARGET, TOLERANCE, largest};
use crate::model::error::ModelError;
use crate::model::quadratic::Quadratic;

/// Halvings of a step that does not lower the loss.
const HALVINGS: usize = 40;
/// Share of the fall that the slope promises with which a step is content.
const CONTENT: f64 = 1e-4;

/// Minimises a loss plus `l1` times the sum of magnitudes of the coefficients, the intercept left out.
///
/// # References
/// Lee, Sun and Saunders (2014), *Proximal Newton-type methods for minimizing composite functions*.
pub(super) fn minimise(loss: &Loss<'_>, l1: f64, max_iterations: u64) -> Result<Solution, ModelError> {
    let tolerance = TOLERANCE * (1.0 + loss.penalty);
    let mut parameters = loss.start();
    let mut iterations = 0;
    loop {
        let slope = loss.slope(&parameters);
        let gradient_norm = largest(&subgradient(&slope, &parameters, l1));
        let step = if gradient_norm <= TARGET || iterations >= max_iterations {
            None
        } else {
            loss.cancel.check()?;
            iterations += 1;
            descend(loss, &parameters, &slope, l1)?
        };
        match step {
            Some(next) => parameters = next,
            // at the minimum, or at the floor of rounding
            None if gradient_norm <= tolerance => return Ok(Solution { parameters, gradient_norm, iterations }),
            None => return Err(ModelError::NotConverged { iterations, gradient_norm, tolerance }),
        }
    }
}

/// One step, or `None` when no step along it lowers the loss.
fn descend(loss: &Loss<'_>, from: &[f64], slope: &[f64], l1: f64) -> Result<Option<Vec<f64>>, ModelError> {
    let size = from.len();
    let curvature = loss.curvature(from)?;
    let linear = curvature
        .chunks_exact(size)
        .zip(slope)
        .map(|(row, slope)| row.iter().zip(from).map(|(h, x)| h * x).sum::<f64>() - slope)
        .collect();
    let mut penalty = vec![l1; size];
    penalty[loss.columns] = 0.0;
    let target = Quadratic { curvature, linear, penalty }.minimise(from.to_vec())?;

    let penalised = |parameters: &[f64]| loss.value(parameters) + l1 * magnitude(&parameters[..loss.columns]);
    let start = penalised(from);
    let along: f64 = slope.iter().zip(&target).zip(from).map(|((slope, to), from)| slope * (to - from)).sum();
    let promised = along + l1 * (magnitude(&target[..loss.columns]) - magnitude(&from[..loss.columns]));
    let mut share = 1.0;
    for _ in 0..HALVINGS {
        // the whole step is taken as it is, so that its zeros are zeros
        let next: Vec<f64> = if share == 1.0 {
            target.clone()
        } else {
            from.iter().zip(&target).map(|(from, to)| from + share * (to - from)).collect()
        };
        if next != from && penalised(&next) <= start + CONTENT * share * promised {
            return Ok(Some(next));
        }
        share *= 0.5;
    }
    Ok(None)
}

fn magnitude(coefficients: &[f64]) -> f64 {
    coefficients.iter().map(|beta| beta.abs()).sum()
}

/// The subgradient of least magnitude: 0 in every component where the penalty holds the slope.
fn subgradient(slope: &[f64], parameters: &[f64], l1: f64) -> Vec<f64> {
    let intercept = slope.len() - 1;
    let component = |(j, (&slope, &beta)): (usize, (&f64, &f64))| match beta {
        _ if j == intercept => slope,
        0.0 => (slope.abs() - l1).max(0.0),
        _ => slope + l1.copysign(beta),
    };
    slope.iter().zip(parameters).enumerate().map(component).collect()
}
