//! The paired test of metrics that are no mean of influences: whole time stamps are drawn in blocks, for both models alike.
//!
//! The replicates give the standard error. The test is a Student t with as many degrees of freedom as there are blocks:
//! quantiles of the replicates themselves are too narrow when blocks are few, and their counts are never finer than their
//! number.
//!
//! # References
//! Politis and Romano (1992), A Circular Block-Resampling Procedure for Stationary Data.

use rayon::prelude::*;

use super::estimate::{HacEstimate, cosine_terms};
use crate::base::Seed;
use crate::stats::bootstrap::circular_block_indices;
use crate::stats::sum::std_dev;

/// Replicates: the error of a standard error from so many is 2 %.
const REPLICATES: u64 = 999;

/// Estimates a statistic of rows in time order; `None` when it is undefined on them or on half of the replicates.
///
/// Blocks are as long as the reach of the cosines on as many stamps. The seed is fixed: the same rows give the same
/// answer, whoever asks.
pub(super) fn paired_bootstrap(
    time: &[i64],
    statistic: impl Fn(&[usize]) -> Option<f64> + Sync,
) -> Option<HacEstimate> {
    let mut stamps: Vec<std::ops::Range<usize>> = Vec::new();
    for group in time.chunk_by(|a, b| a == b) {
        let start = stamps.last().map_or(0, |last| last.end);
        stamps.push(start..start + group.len());
    }
    let n = stamps.len();
    let all: Vec<usize> = (0..time.len()).collect();
    let value = statistic(&all)?;
    let block = n / cosine_terms(n, 1.0).max(1);
    let seed = Seed::new(0).derive("paired-bootstrap");
    let draw = |replicate: u64| {
        let drawn = circular_block_indices(n, block, &mut seed.index(replicate).stream());
        let rows: Vec<usize> = drawn.into_iter().flat_map(|stamp| stamps[stamp].clone()).collect();
        statistic(&rows)
    };
    let replicates: Vec<Option<f64>> = (0..REPLICATES).into_par_iter().map(draw).collect();
    let defined: Vec<f64> = replicates.into_iter().flatten().collect();
    if (defined.len() as u64) * 2 < REPLICATES {
        return None;
    }
    let spread = std_dev(&defined, 1)?;
    let se = if spread <= value.abs() * 1e-14 { 0.0 } else { spread };
    let blocks = (n as f64 / block.max(1) as f64).max(1.0);
    Some(HacEstimate { value, se, dof: blocks.floor().max(1.0), tau: 1.0, lag: block, n })
}
