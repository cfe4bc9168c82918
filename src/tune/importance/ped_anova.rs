//! PED-ANOVA: which parameters tell the best tenth of the trials from all of them.
//!
//! For every parameter, the Pearson divergence `sum_x p_all(x) (p_top(x) / p_all(x) - 1)^2` of two densities estimated
//! on at most 50 cells; importances are its shares. Comparing with all trials instead of a uniform density takes out
//! what the sampler preferred anyway.
//!
//! # References
//! Watanabe, Bansal and Hutter (2023), "PED-ANOVA: efficiently quantifying hyperparameter importance in arbitrary
//! subspaces".

use crate::stats::order::{quantile_sorted, sorted};
use crate::stats::sum::std_dev;

use super::super::space::{Axis, SearchSpace};
use super::Sample;

const TOP_SHARE: f64 = 0.1;
const MOST_CELLS: u64 = 50;

/// 90 % of a kernel at least as wide as this lies inside its own cell.
const LEAST_WIDTH: f64 = 0.5 / 1.64;

/// The share of every parameter; `None` where there is nothing to compare.
pub(super) fn shares(space: &SearchSpace, sample: &Sample) -> Vec<Option<f64>> {
    let top_count = (TOP_SHARE * sample.losses.len() as f64).ceil() as usize;
    let mut order: Vec<usize> = (0..sample.losses.len()).collect();
    order.sort_by(|&a, &b| sample.losses[a].total_cmp(&sample.losses[b]));
    let top = &order[..top_count];
    if top_count < 2 {
        return vec![None; space.dimension()];
    }
    let divergences: Vec<Option<f64>> =
        space.axes().iter().enumerate().map(|(position, axis)| divergence(axis, position, sample, top)).collect();
    let total: f64 = divergences.iter().flatten().sum();
    divergences.into_iter().map(|one| one.filter(|_| total > 0.0).map(|one| one / total)).collect()
}

fn divergence(axis: &Axis, position: usize, sample: &Sample, top: &[usize]) -> Option<f64> {
    let coordinates = |rows: &mut dyn Iterator<Item = usize>| {
        rows.map(|row| sample.rows[row][position]).filter(|coordinate| !coordinate.is_nan()).collect::<Vec<f64>>()
    };
    let of_top = coordinates(&mut top.iter().copied());
    let of_all = coordinates(&mut (0..sample.rows.len()));
    if of_top.is_empty() {
        return None;
    }
    let (p_top, p_all) = (masses(axis, &of_top), masses(axis, &of_all));
    Some(p_top.iter().zip(&p_all).map(|(top, all)| all * (top / all - 1.0).powi(2)).sum())
}

/// Cell masses of a kernel density estimate with one uniform observation's worth of prior.
fn masses(axis: &Axis, coordinates: &[f64]) -> Vec<f64> {
    match axis {
        Axis::Choice { choices } => {
            let total = coordinates.len() as f64 + 1.0;
            let mut masses = vec![1.0 / *choices as f64 / total; *choices as usize];
            for coordinate in coordinates {
                masses[*coordinate as usize] += 1.0 / total;
            }
            masses
        }
        _ => ordered_masses(axis, coordinates),
    }
}

fn ordered_masses(axis: &Axis, coordinates: &[f64]) -> Vec<f64> {
    let cells = axis.cells().unwrap_or(MOST_CELLS).min(MOST_CELLS) as usize;
    let last = cells as f64 - 1.0;
    let cell = |coordinate: &f64| (axis.share(*coordinate) * cells as f64).floor().clamp(0.0, last);
    let places = sorted(&coordinates.iter().map(cell).collect::<Vec<f64>>());
    let width = scott_width(&places);
    let total = places.len() as f64 + 1.0;
    let mut masses = vec![1.0 / cells as f64 / total; cells];
    for run in places.chunk_by(|a, b| a == b) {
        let kernel: Vec<f64> = (0..cells).map(|cell| normal_mass(cell as f64 - run[0], width)).collect();
        let inside: f64 = kernel.iter().sum();
        for (mass, share) in masses.iter_mut().zip(kernel) {
            *mass += run.len() as f64 * share / inside / total;
        }
    }
    masses
}

/// Scott's rule on the smaller of the standard deviation and the scaled interquartile range, in cells.
fn scott_width(places: &[f64]) -> f64 {
    let quartile = |q| quantile_sorted(places, q).unwrap_or(0.0);
    let spread = std_dev(places, 1).unwrap_or(0.0).min((quartile(0.75) - quartile(0.25)) / 1.34);
    (1.059 * spread * libm::pow(places.len() as f64, -0.2)).max(LEAST_WIDTH)
}

/// Mass of a normal of some width in the unit cell at a distance from its centre.
fn normal_mass(distance: f64, width: f64) -> f64 {
    let above = |z: f64| 0.5 * libm::erfc(z / width * std::f64::consts::FRAC_1_SQRT_2);
    above(distance.abs() - 0.5) - above(distance.abs() + 0.5)
}
