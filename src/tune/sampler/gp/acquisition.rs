//! The expected improvement, and the search for the point where it is largest.

use crate::base::RandomStream;

use super::super::super::space::Axis;
use super::super::{Request, discrete, startup};
use super::fit::{noise, scale, weights};
use super::kernel::Features;
use super::linear::{Lower, add_scaled, dot};
use super::{modelled, outcome};

/// Uniform points that the search begins with.
const SPREAD: usize = 384;
/// Best trials around which it looks from the beginning.
const BEST_TRIALS: usize = 4;
/// Points around each of those.
const AROUND: usize = 32;
/// Points that are improved.
const CENTRES: usize = 6;
/// Changed copies of each in a round.
const COPIES: usize = 16;
/// Shares of a range by which copies differ, round by round.
const STEPS: [f64; 10] = [0.2, 0.12, 0.07, 0.04, 0.025, 0.014, 0.008, 0.004, 0.002, 0.001];
/// Untried points of a discrete space up to which all are judged.
const MOST_JUDGED: usize = 2048;

/// A process given some results.
pub(super) struct Model {
    features: Features,
    weights: Vec<f64>,
    /// Factor of the covariance of the trials and the pending points.
    factor: Lower,
    alpha: Vec<f64>,
    scale: f64,
    /// The smallest mean at any trial: what is to be improved on. With noise, the smallest result would be luck.
    bar: f64,
    trials: Vec<usize>,
}

impl Model {
    /// The process with these log parameters; `None` where its covariance cannot be factored.
    pub(super) fn of(request: &Request, log: &[f64]) -> Option<Self> {
        let (space, history) = (request.space, request.history);
        let trials = modelled(history, history.len());
        let values = outcome::scaled(history, &trials);
        let pending = request.pending.iter().map(Vec::as_slice);
        let features = Features::of(space, trials.iter().map(|&trial| history.row(trial)).chain(pending));
        let (weights, noise) = (weights(log), noise(log));
        let all = features.rows();
        let mut matrix = features.covariances(space, &features, &weights);
        let covariances = matrix.clone();
        (0..all).for_each(|row| matrix[row * all + row] += noise);
        let factor = Lower::factor(matrix, all)?;
        let known = trials.len();
        let alpha = factor.leading(known).solve(&values);
        let means = (0..known).map(|row| dot(&covariances[row * all..row * all + known], &alpha));
        let bar = means.fold(f64::INFINITY, f64::min);
        Some(Self { scale: scale(dot(&values, &alpha), known), features, weights, factor, alpha, bar, trials })
    }

    /// The log expected improvement at every point.
    fn judge(&self, request: &Request, points: &[Vec<f64>]) -> Vec<f64> {
        let candidates = Features::of(request.space, points.iter().map(Vec::as_slice));
        let count = points.len();
        let mut covariances = self.features.covariances(request.space, &candidates, &self.weights);
        let mut means = vec![0.0; count];
        for (row, alpha) in covariances.chunks_exact(count).zip(&self.alpha) {
            add_scaled(&mut means, row, *alpha);
        }
        self.factor.forward(&mut covariances, count);
        let mut explained = vec![0.0; count];
        for row in covariances.chunks_exact(count) {
            explained.iter_mut().zip(row).for_each(|(sum, part)| *sum += part * part);
        }
        let judged = |(mean, explained): (f64, f64)| {
            let deviation = (self.scale * (1.0 - explained).max(1e-12)).sqrt();
            log_improvement((self.bar - mean) / deviation) + libm::log(deviation)
        };
        means.into_iter().zip(explained).map(judged).collect()
    }

    /// The best new point that the search finds; `None` when it finds none.
    pub(super) fn best(&self, request: &Request, stream: &mut RandomStream) -> Option<Vec<f64>> {
        if let Some(points) = few_untried(request) {
            let first =
                |best: usize, other: usize, judged: &[f64]| if judged[other] > judged[best] { other } else { best };
            let judged = self.judge(request, &points);
            let best = (0..points.len()).reduce(|best, other| first(best, other, &judged))?;
            return points.into_iter().nth(best);
        }
        let history = request.history;
        let mut points: Vec<Vec<f64>> = (0..SPREAD).map(|_| startup::uniform(request.space, stream)).collect();
        let best = history.best_first().iter().filter(|trial| self.trials.contains(trial)).take(BEST_TRIALS);
        for &trial in best {
            points.extend((0..AROUND).map(|copy| {
                let step = STEPS[copy * STEPS.len() / AROUND];
                changed(request, history.row(trial), step, stream)
            }));
        }
        points.retain(|point| discrete::is_new(request, point));
        let mut ranked = self.ranked(request, points);
        ranked.truncate(CENTRES);
        for step in STEPS {
            let copies: Vec<Vec<f64>> = ranked
                .iter()
                .flat_map(|(_, centre)| std::iter::repeat_n(centre, COPIES))
                .map(|centre| changed(request, centre, step, stream))
                .collect();
            let judged = self.judge(request, &copies);
            for (centre, (copies, judged)) in
                ranked.iter_mut().zip(copies.chunks_exact(COPIES).zip(judged.chunks_exact(COPIES)))
            {
                for (copy, found) in copies.iter().zip(judged) {
                    if *found > centre.0 && discrete::is_new(request, copy) {
                        *centre = (*found, copy.clone());
                    }
                }
            }
        }
        ranked.into_iter().reduce(|best, other| if other.0 > best.0 { other } else { best }).map(|(_, point)| point)
    }

    fn ranked(&self, request: &Request, points: Vec<Vec<f64>>) -> Vec<(f64, Vec<f64>)> {
        if points.is_empty() {
            return Vec::new();
        }
        let judged = self.judge(request, &points);
        let mut ranked: Vec<(f64, Vec<f64>)> = judged.into_iter().zip(points).collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        ranked
    }
}

/// The untried points of a small discrete space.
fn few_untried(request: &Request) -> Option<Vec<Vec<f64>>> {
    if !request.space.is_discrete() {
        return None;
    }
    discrete::untried(request).filter(|points| points.len() <= MOST_JUDGED)
}

/// A copy of a point that differs in about two parameters, by about `step` of their range; a choice by another one.
/// What begins to exist is drawn anew.
fn changed(request: &Request, point: &[f64], step: f64, stream: &mut RandomStream) -> Vec<f64> {
    let active = point.iter().filter(|coordinate| !coordinate.is_nan()).count().max(1);
    let share = (2.0 / active as f64).clamp(0.35, 1.0);
    startup::fill(request.space, |position, axis| {
        let own = point[position];
        if own.is_nan() {
            return startup::uniform_on(axis, stream);
        }
        match axis {
            _ if stream.uniform() >= share => own,
            // near the end of the search a choice is seldom worth another try
            Axis::Choice { choices } => {
                if stream.uniform() < (2.0 * step).max(0.02) {
                    stream.below(*choices as usize) as f64
                } else {
                    own
                }
            }
            Axis::Grid { cells, .. } => {
                let moved = axis.at_share((axis.share(own) + step * stream.normal()).clamp(0.0, 1.0));
                // a step below the width of a cell goes to a neighbour
                let up = stream.uniform() < 0.5;
                let neighbour = if up { own + 1.0 } else { own - 1.0 };
                if moved == own { neighbour.clamp(0.0, (*cells - 1) as f64) } else { moved }
            }
            Axis::Continuous { .. } => axis.at_share((axis.share(own) + step * stream.normal()).clamp(0.0, 1.0)),
        }
    })
}

/// `ln(phi(z) + z Phi(z))`: the log expected improvement of a standard normal over `-z`.
fn log_improvement(z: f64) -> f64 {
    const LOG_ROOT_TAU: f64 = 0.918_938_533_204_672_7;
    let log_density = -0.5 * z * z - LOG_ROOT_TAU;
    if z > -20.0 {
        let below = 0.5 * libm::erfc(-z * std::f64::consts::FRAC_1_SQRT_2);
        return libm::log((libm::exp(log_density) + z * below).max(f64::MIN_POSITIVE));
    }
    // the sum cancels: the first terms of its series in 1/z^2 (Abramowitz and Stegun, 26.2.12)
    let square = 1.0 / (z * z);
    log_density + libm::log(square * (1.0 - square * (3.0 - square * (15.0 - 105.0 * square))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_improvement_rises_and_its_two_branches_meet() {
        let grid: Vec<f64> = (-400..=80).map(|step| log_improvement(0.1 * f64::from(step))).collect();
        assert!(grid.windows(2).all(|pair| pair[0] < pair[1]));
        let (left, right) = (log_improvement(-20.0), log_improvement(-20.0 + 1e-9));
        assert!((left - right).abs() < 1e-5, "{left} {right}");
        // E[max(0, X)] of a standard normal X is 1/sqrt(2 pi)
        assert!((log_improvement(0.0) + 0.918_938_533_204_672_7).abs() < 1e-15);
    }
}
