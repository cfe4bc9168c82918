//! fANOVA: the share of a forest's variance over the space that a parameter explains on its own.
//!
//! For every tree, the marginal `a_j(x) = sum over leaves containing x_j of mean * (volume without axis j)`, its
//! variance over axis `j`, and its share of the tree's whole variance; importances are means over 64 trees. The
//! measure is uniform over ranges (over logarithms on log scales).
//!
//! # References
//! Hutter, Hoos and Leyton-Brown (2014), "An efficient approach for assessing hyperparameter importance".

use rayon::prelude::*;

use crate::base::Seed;
use crate::stats::sum::mean;

use super::super::space::{Axis, SearchSpace};
use super::Sample;
use super::forest::{Feature, Leaf, Side, Table, leaves};

const TREES: u64 = 64;
const LEAST_TRIALS: usize = 4;

/// The share of every parameter; `None` where the score does not vary.
pub(super) fn shares(space: &SearchSpace, sample: &Sample, seed: Seed) -> Vec<Option<f64>> {
    let mut shares = vec![None; space.dimension()];
    for (place, group) in space.groups().iter().enumerate() {
        let rows: Vec<usize> = (0..sample.rows.len()).filter(|&row| !sample.rows[row][group[0]].is_nan()).collect();
        if rows.len() < LEAST_TRIALS {
            continue;
        }
        // every parameter that exists in all these trials takes part, or its effect would pass for that of another
        let axes: Vec<usize> =
            (0..space.dimension()).filter(|&axis| rows.iter().all(|&row| !sample.rows[row][axis].is_nan())).collect();
        let found = shares_among(space, sample, &rows, &axes, seed.derive("fanova").index(place as u64));
        for (axis, share) in axes.into_iter().zip(found) {
            if group.contains(&axis) {
                shares[axis] = share;
            }
        }
    }
    shares
}

fn shares_among(space: &SearchSpace, sample: &Sample, rows: &[usize], axes: &[usize], seed: Seed) -> Vec<Option<f64>> {
    let features: Vec<Feature> = axes.iter().map(|&axis| feature(&space.axes()[axis])).collect();
    let column = |axis: &usize| {
        let scale = &space.axes()[*axis];
        let place = |&row: &usize| match scale {
            Axis::Choice { .. } => sample.rows[row][*axis],
            _ => scale.share(sample.rows[row][*axis]),
        };
        rows.iter().map(place).collect::<Vec<f64>>()
    };
    let columns: Vec<Vec<f64>> = axes.iter().map(column).collect();
    let losses: Vec<f64> = rows.iter().map(|&row| sample.losses[row]).collect();
    let targets = standardised(&losses);
    let table = Table { features: &features, columns: &columns, targets: &targets };
    let trees: Vec<Option<Vec<f64>>> =
        (0..TREES).into_par_iter().map(|tree| tree_shares(&features, &leaves(&table, seed.index(tree)))).collect();
    let of_axis = |axis: usize| {
        let shares: Vec<f64> = trees.iter().flatten().map(|shares| shares[axis]).collect();
        mean(&shares)
    };
    (0..axes.len()).map(of_axis).collect()
}

/// Shifted and scaled so that gains of splits neither overflow nor cancel; shares do not depend on either.
fn standardised(losses: &[f64]) -> Vec<f64> {
    let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let most = losses.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    // halves: the range of two huge numbers of different sign may overflow
    let half_range = most / 2.0 - least / 2.0;
    if half_range <= 0.0 {
        return vec![0.0; losses.len()];
    }
    let scaled: Vec<f64> = losses.iter().map(|loss| (loss / 2.0 - least / 2.0) / half_range).collect();
    let centre = mean(&scaled).unwrap_or(0.0);
    scaled.into_iter().map(|loss| loss - centre).collect()
}

fn feature(axis: &Axis) -> Feature {
    match axis {
        Axis::Choice { choices } => Feature::Choice(*choices as usize),
        _ => Feature::Ordered,
    }
}

/// The share of each axis in one tree's variance; `None` for a tree without variance.
fn tree_shares(features: &[Feature], leaves: &[Leaf]) -> Option<Vec<f64>> {
    let volumes: Vec<f64> = leaves.iter().map(|leaf| leaf.sides.iter().map(Side::share).product()).collect();
    let total = leaves.iter().zip(&volumes).map(|(leaf, volume)| leaf.mean * volume).sum::<f64>();
    let variance: f64 = leaves.iter().zip(&volumes).map(|(leaf, volume)| volume * (leaf.mean - total).powi(2)).sum();
    if variance <= 0.0 {
        return None;
    }
    let share = |(axis, feature): (usize, &Feature)| {
        let marginal = match feature {
            Feature::Ordered => ordered_variance(leaves, &volumes, axis, total),
            Feature::Choice(choices) => choice_variance(leaves, &volumes, axis, *choices, total),
        };
        (marginal / variance).clamp(0.0, 1.0)
    };
    Some(features.iter().enumerate().map(share).collect())
}

/// Variance of the marginal along a range: the marginal is constant between the ends of leaves, so every leaf adds its
/// mass at its lower end and takes it away at its upper end.
fn ordered_variance(leaves: &[Leaf], volumes: &[f64], axis: usize, total: f64) -> f64 {
    let mut steps: Vec<(f64, f64)> = Vec::with_capacity(2 * leaves.len());
    for (leaf, volume) in leaves.iter().zip(volumes) {
        if let Side::Range(low, high) = leaf.sides[axis] {
            let height = (leaf.mean - total) * volume / (high - low);
            steps.push((low, height));
            steps.push((high, -height));
        }
    }
    steps.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut variance, mut height) = (0.0, 0.0);
    for pair in steps.windows(2) {
        height += pair[0].1;
        variance += (pair[1].0 - pair[0].0) * height * height;
    }
    variance
}

fn choice_variance(leaves: &[Leaf], volumes: &[f64], axis: usize, choices: usize, total: f64) -> f64 {
    let mut heights = vec![0.0; choices];
    for (leaf, volume) in leaves.iter().zip(volumes) {
        if let Side::Choices(allowed) = &leaf.sides[axis] {
            let height = (leaf.mean - total) * volume / leaf.sides[axis].share();
            for (_, sum) in allowed.iter().zip(&mut heights).filter(|(allowed, _)| **allowed) {
                *sum += height;
            }
        }
    }
    heights.iter().map(|height| height * height).sum::<f64>() / choices as f64
}
