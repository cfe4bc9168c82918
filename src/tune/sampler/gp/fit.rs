//! Lengths and noise of a process: the maximum of the marginal likelihood times a wide prior.
//!
//! The scale of the process is profiled out: with `A = K + noise I` and `q = y' A^-1 y`, the loss is
//! `(n + 1)/2 ln((q + 1)/(n + 1)) + 1/2 ln |A|` (the 1 stands for one imagined observation of size 1) plus the prior of
//! the log parameters.

use super::super::super::space::SearchSpace;
use super::kernel::{Features, matern, matern_slope};
use super::linear::{Lower, add_scaled, dot};

/// Logarithms of the inverse squared lengths, one a parameter, then of the noise.
pub(super) type LogParameters = Vec<f64>;

/// Mean and deviation of the log inverse squared lengths before anything is known.
const LENGTH_PRIOR: (f64, f64) = (0.0, 2.0);
/// The same of the log noise, as a share of the variance of the process.
const NOISE_PRIOR: (f64, f64) = (-9.0, 4.0);
/// Noise is at least this share: it keeps the matrix positive definite to rounding.
const LEAST_NOISE: f64 = 1e-8;
/// Log parameters are kept within this of zero.
const FARTHEST: f64 = 18.0;
/// Evaluations of the loss in one fit.
const EVALUATIONS: usize = 12;

/// Where a fit without a predecessor begins.
pub(super) fn start(parameters: usize) -> LogParameters {
    let mut start = vec![LENGTH_PRIOR.0; parameters];
    start.push(NOISE_PRIOR.0);
    start
}

/// The noise of some log parameters.
pub(super) fn noise(log: &[f64]) -> f64 {
    LEAST_NOISE + libm::exp(log.last().copied().unwrap_or(NOISE_PRIOR.0))
}

/// The inverse squared lengths of some log parameters.
pub(super) fn weights(log: &[f64]) -> Vec<f64> {
    log[..log.len().saturating_sub(1)].iter().map(|log| libm::exp(*log)).collect()
}

/// The scale of a process with that quadratic form.
pub(super) fn scale(quadratic: f64, rows: usize) -> f64 {
    (quadratic + 1.0) / (rows as f64 + 1.0)
}

/// The loss over the log parameters.
struct Loss<'a> {
    /// Squared distances, by parameter: full lower triangles.
    squares: Vec<Vec<f64>>,
    values: &'a [f64],
}

/// The loss at a point, with its slope.
struct Slope {
    loss: f64,
    gradient: Vec<f64>,
}

impl<'a> Loss<'a> {
    fn new(space: &SearchSpace, features: &Features, values: &'a [f64]) -> Self {
        let n = features.rows();
        let of_parameter = |parameter| {
            let mut squares = vec![0.0; n * n];
            for (row, out) in squares.chunks_exact_mut(n).enumerate() {
                features.squares(space, parameter, row, features, &mut out[..=row]);
            }
            squares
        };
        Self { squares: (0..features.parameters()).map(of_parameter).collect(), values }
    }

    fn at(&self, log: &[f64]) -> Option<Slope> {
        let n = self.values.len();
        let (weights, noise) = (weights(log), noise(log));
        let mut total = vec![0.0; n * n];
        for (squares, weight) in self.squares.iter().zip(&weights) {
            for row in 0..n {
                let triangle = row * n..=row * n + row;
                add_scaled(&mut total[triangle.clone()], &squares[triangle], *weight);
            }
        }
        let mut matrix = vec![0.0; n * n];
        for row in 0..n {
            for at in row * n..=row * n + row {
                matrix[at] = matern(total[at]);
            }
            matrix[row * n + row] += noise;
        }
        let factor = Lower::factor(matrix, n)?;
        let alpha = factor.solve(self.values);
        let scale = scale(dot(self.values, &alpha), n);
        let loss = 0.5 * (n as f64 + 1.0) * libm::log(scale) + factor.half_log_determinant();
        // d loss = 1/2 tr(W dA) with W = A^-1 - alpha alpha' / scale; off the diagonal every pair counts twice
        let mut inverse = factor.inverse();
        let mut trace = 0.0;
        for row in 0..n {
            for column in 0..row {
                let at = row * n + column;
                inverse[at] = (inverse[at] - alpha[row] * alpha[column] / scale) * matern_slope(total[at]);
            }
            let at = row * n + row;
            trace += inverse[at] - alpha[row] * alpha[row] / scale;
            inverse[at] = 0.0;
        }
        let along = |(squares, weight): (&Vec<f64>, &f64)| {
            let rows = (0..n).map(|row| dot(&inverse[row * n..row * n + row], &squares[row * n..row * n + row]));
            weight * rows.sum::<f64>()
        };
        let mut gradient: Vec<f64> = self.squares.iter().zip(&weights).map(along).collect();
        gradient.push(0.5 * trace * (noise - LEAST_NOISE));
        Some(with_prior(Slope { loss, gradient }, log))
    }
}

fn with_prior(mut slope: Slope, log: &[f64]) -> Slope {
    let last = log.len() - 1;
    for (position, (value, gradient)) in log.iter().zip(&mut slope.gradient).enumerate() {
        let (mean, deviation) = if position == last { NOISE_PRIOR } else { LENGTH_PRIOR };
        let z = (value - mean) / deviation;
        slope.loss += 0.5 * z * z;
        *gradient += z / deviation;
    }
    slope
}

/// Improves log parameters by a few steps of BFGS with halved steps.
///
/// Not argmin's: it evaluates cost and gradient apart, which doubles what a step costs, and its line search has no limit
/// of its own. A fit is one of many, each beginning where the last one ended, so that few steps are enough.
pub(super) fn improve(space: &SearchSpace, features: &Features, values: &[f64], from: &[f64]) -> LogParameters {
    let loss = Loss::new(space, features, values);
    let begin = start(features.parameters());
    let candidates = [from, &begin].map(|log| Some((log.to_vec(), loss.at(log)?)));
    let best = candidates.into_iter().flatten().reduce(|a, b| if b.1.loss < a.1.loss { b } else { a });
    let Some((mut log, mut slope)) = best else { return begin };
    let size = log.len();
    let mut curvature = identity(size);
    let (mut left, mut step) = (EVALUATIONS, 1.0);
    while left > 0 {
        let mut direction: Vec<f64> = curvature.chunks_exact(size).map(|row| -dot(row, &slope.gradient)).collect();
        let mut descent = dot(&direction, &slope.gradient);
        if descent >= 0.0 {
            curvature = identity(size);
            direction = slope.gradient.iter().map(|slope| -slope).collect();
            descent = dot(&direction, &slope.gradient);
        }
        let longest = direction.iter().fold(0.0_f64, |most, part| most.max(part.abs()));
        if longest < 1e-3 {
            break;
        }
        // no parameter changes by more than e^2 at once
        step = f64::min(step, 2.0 / longest);
        let moved: Vec<f64> =
            log.iter().zip(&direction).map(|(at, part)| (at + step * part).clamp(-FARTHEST, FARTHEST)).collect();
        left -= 1;
        match loss.at(&moved).filter(|found| found.loss <= slope.loss + 1e-4 * step * descent) {
            Some(found) => {
                let change: Vec<f64> = moved.iter().zip(&log).map(|(new, old)| new - old).collect();
                let turn: Vec<f64> = found.gradient.iter().zip(&slope.gradient).map(|(new, old)| new - old).collect();
                update(&mut curvature, &change, &turn);
                (log, slope, step) = (moved, found, 1.0);
            }
            None => step *= 0.35,
        }
    }
    log
}

fn identity(size: usize) -> Vec<f64> {
    (0..size * size).map(|at| if at / size == at % size { 1.0 } else { 0.0 }).collect()
}

/// The BFGS update of an inverse Hessian (Nocedal and Wright, 2006, equation 6.17), where the curvature is positive.
fn update(inverse: &mut [f64], change: &[f64], turn: &[f64]) {
    let size = change.len();
    let along = dot(change, turn);
    if along <= 1e-10 {
        return;
    }
    let turned: Vec<f64> = inverse.chunks_exact(size).map(|row| dot(row, turn)).collect();
    let factor = (1.0 + dot(turn, &turned) / along) / along;
    for i in 0..size {
        for j in 0..size {
            inverse[i * size + j] +=
                factor * change[i] * change[j] - (change[i] * turned[j] + turned[i] * change[j]) / along;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Seed;

    fn sample() -> (SearchSpace, Vec<Vec<f64>>, Vec<f64>) {
        let space: SearchSpace =
            serde_json::from_str(r#"{"x": {"float": [0, 1]}, "y": {"float": [0, 1]}, "z": {"choice": [1, 2]}}"#)
                .unwrap();
        let mut stream = Seed::new(3).stream();
        let rows: Vec<Vec<f64>> =
            (0..40).map(|_| vec![stream.uniform(), stream.uniform(), stream.below(2) as f64]).collect();
        // y plays no part
        let values = rows.iter().map(|row| (6.0 * row[0]).sin() + 0.5 * row[2]).collect();
        (space, rows, values)
    }

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let (space, rows, values) = sample();
        let features = Features::of(&space, rows.iter().map(Vec::as_slice));
        let loss = Loss::new(&space, &features, &values);
        let at = vec![1.0, -0.5, 0.3, -3.0];
        let slope = loss.at(&at).unwrap();
        for parameter in 0..4 {
            let shifted = |by: f64| {
                let mut log = at.clone();
                log[parameter] += by;
                loss.at(&log).unwrap().loss
            };
            let difference = (shifted(1e-5) - shifted(-1e-5)) / 2e-5;
            assert!((difference - slope.gradient[parameter]).abs() < 1e-5, "{parameter}: {difference}");
        }
    }

    #[test]
    fn a_parameter_that_plays_no_part_gets_a_long_length() {
        let (space, rows, values) = sample();
        let features = Features::of(&space, rows.iter().map(Vec::as_slice));
        let mut log = start(3);
        for _ in 0..4 {
            log = improve(&space, &features, &values, &log);
        }
        assert!(log[0] > log[1] + 2.0, "{log:?}");
        assert!(noise(&log) < 1e-3, "{log:?}");
    }
}
