//! How much of the best trial is luck.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::base::{CancelToken, Seed};
use crate::metric::overfitting::{mean_correlation, probability_of_overfitting, superior_ability};
use crate::metric::sharpe::{effective_trials, sharpe_per_period, sharpe_significance};
use crate::node::NodeError;
use crate::stats::bootstrap::politis_white_block;
use crate::stats::sum::variance;

/// Groups of the combinatorially symmetric cross-validation: 70 splits.
const GROUPS: usize = 8;
/// Resamples of the test for superior ability.
const RESAMPLES: usize = 499;

/// Overfitting statistics over the returns of all trials.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Overfitting {
    /// Trials with returns.
    pub trials: usize,
    /// Independent trials they are worth, by their mean correlation.
    pub effective_trials: Option<f64>,
    /// Probability of backtest overfitting (Bailey and others, 2017).
    pub pbo: Option<f64>,
    /// Slope of out-of-sample on in-sample score over the splits.
    pub degradation_slope: Option<f64>,
    /// Deflated Sharpe ratio of the best trial (Bailey and Lopez de Prado, 2014), for the number of trials.
    pub dsr: Option<f64>,
    /// The same for the number of effective trials.
    pub dsr_effective: Option<f64>,
    /// Hansen's p-value that no trial beats staying in cash.
    pub spa_p: Option<f64>,
}

/// Measures a study by its trials' validation returns.
pub(super) fn measure(
    returns: &BTreeMap<u64, Vec<f64>>,
    best: u64,
    seed: Seed,
    cancel: &CancelToken,
) -> Result<Overfitting, NodeError> {
    let columns: Vec<&Vec<f64>> = returns.values().collect();
    let Some(own) = returns.get(&best) else { return Ok(Overfitting::default()) };
    let sharpes: Vec<f64> = columns.iter().filter_map(|column| sharpe_per_period(column)).collect();
    let spread = variance(&sharpes, 1);
    let effective = mean_correlation(&columns).map(|correlation| effective_trials(columns.len(), correlation));
    let deflated = |trials: f64| sharpe_significance(own, trials, spread?).and_then(|found| found.deflated_sharpe);
    let cscv = probability_of_overfitting(&columns, GROUPS);
    let block = politis_white_block(own).map_or(1.0, |block| block.stationary.max(1.0));
    let ability = superior_ability(&columns, RESAMPLES, block, seed, cancel)?;
    Ok(Overfitting {
        trials: columns.len(),
        effective_trials: effective,
        pbo: cscv.as_ref().map(|found| found.pbo),
        degradation_slope: cscv.as_ref().and_then(|found| found.degradation_slope),
        dsr: deflated(columns.len() as f64),
        dsr_effective: effective.and_then(deflated),
        spa_p: ability.map(|found| found.consistent),
    })
}
