//! Whether probabilities mean what they say.
//!
//! A limit on the calibration error would be a limit on the sample: with ten bins and 200 rows a perfectly calibrated model
//! shows an error of about 0.08. Here the error is held against what it is for residuals of the same size and dependence
//! and no bias: each block of time stamps gets one random sign and size (a block-wise wild bootstrap).
//!
//! # References
//! Brocker and Smith (2007), Increasing the Reliability of Reliability Diagrams (consistency resampling); Shao (2010), The
//! Dependent Wild Bootstrap.

use super::input::GateInput;
use super::outcome::{Check, check, signed};
use crate::base::Seed;
use crate::metric::compare::{HacEstimate, cluster_by_time, cosine_terms};
use crate::stats::sum::mean;

/// Bins of equal mass.
const BINS: usize = 10;
/// Replicates of the wild bootstrap: three tests at a level of 1 % need p below 0.0034.
const REPLICATES: u64 = 999;
/// Blocks below which signs have too few combinations for such a p.
const FEWEST_BLOCKS: usize = 8;

/// The calibration error beside what luck makes of it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Consistency {
    error: f64,
    by_luck: f64,
    p: f64,
}

/// Tests the mean residual over all rows (are the probabilities too high or too low?), over the upper less the lower half
/// of the probabilities (are they too timid or too bold?), and in ten bins. Fails only when a gap is both significant,
/// with dependence and Bonferroni for the three tests, and larger than `tolerated`.
pub(super) fn calibration_check(input: &GateInput, tolerated: f64, alpha: f64) -> Option<Check> {
    let residual: Vec<f64> =
        input.labels.iter().zip(&input.candidate).map(|(&label, p)| f64::from(u8::from(label)) - p).collect();
    let middle = crate::stats::order::median(&input.candidate)?;
    let side: Vec<f64> = input.candidate.iter().map(|&p| if p > middle { 1.0 } else { -1.0 }).collect();
    let bold: Vec<f64> = residual.iter().zip(&side).map(|(e, side)| e * side).collect();
    for (series, what) in [(&residual, "of all rows"), (&bold, "of the upper less the lower half")] {
        let gap = HacEstimate::of_mean(&cluster_by_time(&input.time, series))?;
        // three tests, and two sides of this one
        let p = gap.p_greater_than(0.0).map_or(1.0, |p| (6.0 * p.min(1.0 - p)).min(1.0));
        if p <= alpha && gap.value.abs() > tolerated {
            let value = gap.value;
            let detail =
                format!("mean residual {what} is {value:+.3} (p {p:.4}), tolerated {tolerated}: calibration is off");
            return Some(check("calibration", false, Some(value), Some(tolerated), detail));
        }
    }
    if let Some(Consistency { error, by_luck, p }) = consistency(input, &residual) {
        let p = (3.0 * p).min(1.0);
        if p <= alpha && error - by_luck > tolerated {
            let detail = format!(
                "calibration error {error:.3} in {BINS} bins is {by_luck:.3} by luck (p {p:.4}), tolerated beyond it {tolerated}: \
                 calibration is off"
            );
            return Some(check("calibration", false, Some(error), Some(by_luck + tolerated), detail));
        }
    }
    let value = mean(&residual);
    let detail =
        format!("mean residual {} is consistent with calibrated probabilities, tolerated {tolerated}", signed(value));
    Some(check("calibration", true, value, Some(tolerated), detail))
}

fn consistency(input: &GateInput, residual: &[f64]) -> Option<Consistency> {
    let rows = residual.len();
    let mut order: Vec<usize> = (0..rows).collect();
    // equal probabilities are told apart by time, not by the order of the rows
    order.sort_by(|&a, &b| {
        input.candidate[a]
            .total_cmp(&input.candidate[b])
            .then(input.time[a].cmp(&input.time[b]))
            .then(input.labels[a].cmp(&input.labels[b]))
    });
    let mut bin = vec![0; rows];
    order.iter().enumerate().for_each(|(rank, &row)| bin[row] = rank * BINS / rows);
    let stamps = input.time.chunk_by(|a, b| a == b).count();
    let length = (stamps / cosine_terms(stamps, 1.0).max(1)).max(1);
    let mut blocks: Vec<[f64; BINS]> = Vec::new();
    let mut row = 0;
    for (stamp, group) in input.time.chunk_by(|a, b| a == b).enumerate() {
        if stamp % length == 0 {
            blocks.push([0.0; BINS]);
        }
        let block = blocks.last_mut()?;
        for _ in group {
            block[bin[row]] += residual[row];
            row += 1;
        }
    }
    if blocks.len() < FEWEST_BLOCKS {
        return None;
    }
    let error = |weights: &[f64]| {
        let in_bin = |bin: usize| blocks.iter().zip(weights).map(|(block, weight)| weight * block[bin]).sum::<f64>();
        (0..BINS).map(|bin| in_bin(bin).abs()).sum::<f64>() / rows as f64
    };
    let found = error(&vec![1.0; blocks.len()]);
    let seed = Seed::new(0).derive("calibration-consistency");
    let replicates: Vec<f64> = (0..REPLICATES)
        .map(|replicate| {
            let mut stream = seed.index(replicate).stream();
            let weights: Vec<f64> = blocks.iter().map(|_| stream.normal()).collect();
            error(&weights)
        })
        .collect();
    let as_large = replicates.iter().filter(|&&replicate| replicate >= found).count();
    let p = (1 + as_large) as f64 / (1 + replicates.len()) as f64;
    Some(Consistency { error: found, by_luck: mean(&replicates)?, p })
}
