//! One column's map.

use serde::{Deserialize, Serialize};

use super::Transform;
use crate::stats::distribution::normal_quantile;
use crate::stats::order::{midranks, quantile_sorted, sorted};
use crate::stats::sum::{mean, std_dev};

/// Most knots of a rank map: more training values are thinned to this many, evenly by rank.
const MAX_KNOTS: usize = 1000;

/// A fitted, monotone map of one feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ColumnMap {
    /// The identity.
    Keep,
    /// `(x - centre) / scale`.
    Affine {
        /// What becomes 0.
        centre: f64,
        /// Above 0.
        scale: f64,
    },
    /// At least `low`, at most `high`.
    Clip {
        /// Lower bound.
        low: f64,
        /// Upper bound.
        high: f64,
    },
    /// Linear between knots, constant beyond them.
    Knots {
        /// Training values, strictly increasing.
        x: Vec<f64>,
        /// Normal scores.
        z: Vec<f64>,
    },
}

impl ColumnMap {
    pub(super) fn fit(transform: Transform, tail: f64, column: impl Iterator<Item = f64>) -> Self {
        let present: Vec<f64> = column.filter(|value| value.is_finite()).collect();
        if transform == Transform::None || present.is_empty() {
            return Self::Keep;
        }
        let ordered = sorted(&present);
        let at = |q: f64| quantile_sorted(&ordered, q).unwrap_or(0.0);
        match transform {
            Transform::None => Self::Keep,
            Transform::Standardise => {
                affine(mean(&present).unwrap_or(0.0), std_dev(&present, 0).unwrap_or(0.0), &ordered)
            }
            Transform::Robust => affine(at(0.5), at(0.75) - at(0.25), &ordered),
            Transform::Winsorise => Self::Clip { low: at(tail), high: at(1.0 - tail) },
            Transform::RankNormal => knots(&ordered),
        }
    }

    /// Maps one value; what is not finite stays as it is.
    pub fn apply(&self, x: f64) -> f64 {
        if !x.is_finite() {
            return x;
        }
        match self {
            Self::Keep => x,
            Self::Affine { centre, scale } => (x - centre) / scale,
            Self::Clip { low, high } => x.clamp(*low, *high),
            Self::Knots { x: knots, z } => interpolate(knots, z, x),
        }
    }

    /// Whether a stored map keeps its own promises.
    pub(super) fn is_sound(&self) -> bool {
        match self {
            Self::Keep => true,
            Self::Affine { centre, scale } => centre.is_finite() && scale.is_finite() && *scale > 0.0,
            Self::Clip { low, high } => low <= high,
            Self::Knots { x, z } => !x.is_empty() && x.len() == z.len() && x.windows(2).all(|pair| pair[0] < pair[1]),
        }
    }
}

fn affine(centre: f64, scale: f64, ordered: &[f64]) -> ColumnMap {
    let largest = ordered.first().zip(ordered.last()).map_or(0.0, |(low, high)| low.abs().max(high.abs()));
    // below this the spread is rounding noise of a constant column, or its own reciprocal would overflow
    let is_spread = scale > 10.0 * f64::EPSILON * largest && scale >= f64::MIN_POSITIVE && scale.is_finite();
    ColumnMap::Affine { centre, scale: if is_spread { scale } else { 1.0 } }
}

fn knots(ordered: &[f64]) -> ColumnMap {
    let n = ordered.len() as f64;
    let ranks = midranks(ordered);
    let mut distinct: Vec<(f64, f64)> =
        ordered.iter().zip(ranks).map(|(&x, rank)| (x, normal_quantile((rank - 0.5) / n))).collect();
    distinct.dedup_by(|a, b| a.0 == b.0);
    let last = distinct.len() - 1;
    let kept = distinct.len().min(MAX_KNOTS);
    let picked = (0..kept).map(|i| distinct[if kept == 1 { 0 } else { i * last / (kept - 1) }]);
    let (x, z) = picked.unzip();
    ColumnMap::Knots { x, z }
}

fn interpolate(knots: &[f64], z: &[f64], x: f64) -> f64 {
    let above = knots.partition_point(|&knot| knot <= x);
    match (above.checked_sub(1), knots.get(above)) {
        (None, _) => z[0],
        (Some(below), None) => z[below],
        (Some(below), Some(&next)) => {
            let share = (x - knots[below]) / (next - knots[below]);
            z[below] + (z[above] - z[below]) * share
        }
    }
}
