//! Results on a common scale: smaller is better, mean 0, variance 1.
//!
//! The better half keeps its distances; the worse half is replaced by what its ranks would be in a symmetric bell of the
//! same width (logistic quantiles). A handful of disasters then no longer hides the differences among good results, and
//! the fit does not depend on the unit. A trial that broke a constraint or failed counts as the worst.
//!
//! # References
//! Song and others (2024), "The Vizier Gaussian process bandit algorithm" (half-rank warping).

use crate::stats::order::{median, midranks};
use crate::stats::sum::{mean, std_dev};

use super::super::super::trial::TrialState;
use super::super::history::History;

/// The scaled losses of some trials.
pub(super) fn scaled(history: &History, trials: &[usize]) -> Vec<f64> {
    let usable = |trial: usize| matches!(history.rank(trial).state, TrialState::Complete | TrialState::Pruned);
    let worst = trials.iter().filter(|&&trial| usable(trial)).map(|&trial| history.rank(trial).loss);
    let worst = worst.fold(f64::NEG_INFINITY, f64::max);
    // nothing but violations and failures: all alike
    let worst = if worst.is_finite() { worst } else { 0.0 };
    let losses: Vec<f64> =
        trials.iter().map(|&trial| if usable(trial) { history.rank(trial).loss } else { worst }).collect();
    standardised(&half_ranked(&losses))
}

fn half_ranked(losses: &[f64]) -> Vec<f64> {
    let Some(middle) = median(losses) else { return Vec::new() };
    let better: Vec<f64> = losses.iter().filter(|loss| **loss <= middle).map(|loss| middle - loss).collect();
    let width = (better.iter().map(|gap| gap * gap).sum::<f64>() / better.len() as f64).sqrt();
    let ranks = midranks(losses);
    let count = losses.len() as f64;
    let quantile = |rank: f64| {
        let share = (rank - 0.5) / count;
        // a logistic distribution of variance 1
        libm::log(share / (1.0 - share)) * 3.0_f64.sqrt() / std::f64::consts::PI
    };
    let warped =
        |(loss, rank): (&f64, f64)| if *loss <= middle { *loss } else { middle + width * quantile(rank).max(0.0) };
    losses.iter().zip(ranks).map(warped).collect()
}

fn standardised(values: &[f64]) -> Vec<f64> {
    let centre = mean(values).unwrap_or(0.0);
    let spread = std_dev(values, 0).filter(|spread| *spread > 0.0).unwrap_or(1.0);
    values.iter().map(|value| (value - centre) / spread).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_better_half_keeps_its_distances_and_disasters_come_near() {
        let losses = [1.0, 2.0, 3.0, 1e9, 4.0, 1e300];
        let warped = half_ranked(&losses);
        assert_eq!(warped[..3], losses[..3]);
        assert!(warped[4] < warped[3] && warped[3] < warped[5] && warped[5] < 10.0, "{warped:?}");
        let scaled = standardised(&warped);
        assert!(scaled.iter().sum::<f64>().abs() < 1e-12);
        assert_eq!(standardised(&half_ranked(&[7.0; 5])), [0.0; 5]);
    }
}
