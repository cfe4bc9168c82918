//! Platt's sigmoid and beta calibration: logistic fits of two and three parameters on smoothed targets.
//!
//! Targets are Platt's: `(n1 + 1) / (n1 + 2)` for class 1 and `1 / (n0 + 2)` for class 0, with `n1`, `n0` the total weights
//! of the classes. Beta calibration uses them too, unlike its authors' code: separable rows then have a finite answer, and
//! a few dozen rows do not promise certainty.

use crate::model::logistic;
use crate::model::newton::{self, Observation};
use crate::stats::sum::sum;

/// Probabilities are kept this far from 0 and 1 before log-odds are taken.
const LOGIT_CLIP: f64 = 1e-6;

pub(in crate::model) fn clipped_logit(p: f64) -> f64 {
    // clamp keeps NaN, which is what apply promises
    let p = p.clamp(LOGIT_CLIP, 1.0 - LOGIT_CLIP);
    libm::log(p / (1.0 - p))
}

pub(super) fn platt(feature: f64, a: f64, b: f64) -> f64 {
    logistic::sigmoid(-(a * feature + b))
}

pub(super) fn beta(p: f64, a: f64, b: f64, c: f64) -> f64 {
    let [log_p, log_q] = beta_regressors(p);
    logistic::sigmoid(a * log_p + b * log_q + c)
}

fn beta_regressors(p: f64) -> [f64; 2] {
    let p = p.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
    [libm::log(p), -libm::log1p(-p)]
}

struct Smoothed {
    zero: f64,
    one: f64,
    /// Log-odds of the base rate, where both fits start.
    start: f64,
}

fn smooth(labels: &[f64], weights: &[f64]) -> Smoothed {
    let total_of = |class: f64| sum(labels.iter().zip(weights).filter(|(l, _)| **l == class).map(|(_, w)| *w));
    let (zeros, ones) = (total_of(0.0), total_of(1.0));
    Smoothed {
        zero: 1.0 / (zeros + 2.0),
        one: (ones + 1.0) / (ones + 2.0),
        start: libm::log((ones + 1.0) / (zeros + 1.0)),
    }
}

fn observe<const K: usize>(
    regressors: impl Iterator<Item = [f64; K]>,
    labels: &[f64],
    weights: &[f64],
    smoothed: &Smoothed,
) -> Vec<Observation<K>> {
    regressors
        .zip(labels.iter().zip(weights))
        .map(|(regressors, (&label, &weight))| {
            let target = if label == 1.0 { smoothed.one } else { smoothed.zero };
            Observation { regressors, target, weight }
        })
        .collect()
}

/// Slope and offset in Platt's sign convention: `p = 1 / (1 + exp(a f + b))`.
pub(super) fn fit_platt(features: &[f64], labels: &[f64], weights: &[f64]) -> (f64, f64) {
    let smoothed = smooth(labels, weights);
    let observations = observe(features.iter().map(|&f| [f, 1.0]), labels, weights, &smoothed);
    let [slope, offset] = newton::fit(&observations, [0.0, smoothed.start]);
    (-slope, -offset)
}

/// [`fit_platt`], but a map that would turn the ranking around is the constant that fits best: a calibrator may find that
/// a model knows nothing, not that it knows the opposite.
pub(super) fn fit_platt_rising(features: &[f64], labels: &[f64], weights: &[f64]) -> (f64, f64) {
    let (a, b) = fit_platt(features, labels, weights);
    if a <= 0.0 {
        return (a, b);
    }
    let smoothed = smooth(labels, weights);
    let constant = observe(features.iter().map(|_| [1.0]), labels, weights, &smoothed);
    (0.0, -newton::fit(&constant, [smoothed.start])[0])
}

/// Powers and offset of beta calibration. A power that comes out negative is set to 0 and the rest fitted again, so that
/// the map never decreases.
pub(super) fn fit_beta(probabilities: &[f64], labels: &[f64], weights: &[f64]) -> (f64, f64, f64) {
    let smoothed = smooth(labels, weights);
    let logs: Vec<[f64; 2]> = probabilities.iter().map(|&p| beta_regressors(p)).collect();
    let full = observe(logs.iter().map(|&[p, q]| [p, q, 1.0]), labels, weights, &smoothed);
    let [a, b, c] = newton::fit(&full, [1.0, 1.0, 0.0]);
    if a >= 0.0 && b >= 0.0 {
        return (a, b, c);
    }
    let kept = usize::from(a < 0.0);
    let single = observe(logs.iter().map(|log| [log[kept], 1.0]), labels, weights, &smoothed);
    let [power, offset] = newton::fit(&single, [0.0, smoothed.start]);
    match (power >= 0.0, kept) {
        (true, 0) => (power, 0.0, offset),
        (true, _) => (0.0, power, offset),
        (false, _) => {
            let constant = observe(logs.iter().map(|_| [1.0]), labels, weights, &smoothed);
            (0.0, 0.0, newton::fit(&constant, [smoothed.start])[0])
        }
    }
}
