//! How much of the best trial is luck.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::{CancelToken, Seed};
use crate::metric::overfitting::{
    mean_correlation, minimum_backtest_length_years, probability_of_overfitting, superior_ability,
};
use crate::metric::sharpe::{SharpeMoments, effective_trials, sharpe_per_period};
use crate::node::NodeError;
use crate::stats::bootstrap::politis_white_block;
use crate::stats::sum::variance;

/// Groups of the combinatorially symmetric cross-validation: 70 splits.
const GROUPS: usize = 8;
/// Resamples of the test for superior ability.
const RESAMPLES: usize = 499;

/// Overfitting statistics over the returns of all trials.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Overfitting {
    /// Trials that were scored, those of an earlier study that the search began with included: what the deflation pays for.
    pub trials: usize,
    /// Trials with returns over all folds: what the cross-validation and the test for superior ability compare. Pruned
    /// ones are not among them; they would hardly ever win in sample, so that their absence makes `pbo` larger.
    pub compared: usize,
    /// Independent trials they are worth, by their mean correlation.
    pub effective_trials: Option<f64>,
    /// Probability of backtest overfitting (Bailey and others, 2017).
    pub pbo: Option<f64>,
    /// Slope of out-of-sample on in-sample score over the splits.
    pub degradation_slope: Option<f64>,
    /// Moments of the best trial's validation returns.
    pub moments: Option<SharpeMoments>,
    /// Variance of the trials' Sharpe ratios per period.
    pub trial_variance: Option<f64>,
    /// Deflated Sharpe ratio of the best trial (Bailey and Lopez de Prado, 2014), for the number of trials.
    pub dsr: Option<f64>,
    /// The same for the number of effective trials.
    pub dsr_effective: Option<f64>,
    /// Hansen's p-value that no trial beats staying in cash.
    pub spa_p: Option<f64>,
    /// Years of data below which the best of so many skill-less trials is expected to reach the Sharpe ratio found.
    pub min_backtest_years: Option<f64>,
    /// Years of the validation folds.
    pub years: f64,
}

/// What is measured.
pub(super) struct Searched<'a> {
    /// Validation returns of the trials that ran all folds, by number.
    pub returns: &'a BTreeMap<u64, Vec<f64>>,
    /// Sharpe ratios per period of those that were stopped.
    pub stopped: &'a [f64],
    /// Trials that were scored.
    pub trials: usize,
    /// The best one.
    pub best: u64,
    pub periods_per_year: f64,
}

/// Measures a study by its trials' validation returns.
pub(super) fn measure(searched: &Searched<'_>, seed: Seed, cancel: &CancelToken) -> Result<Overfitting, NodeError> {
    let columns: Vec<&Vec<f64>> = searched.returns.values().collect();
    let Some(own) = searched.returns.get(&searched.best) else { return Ok(Overfitting::default()) };
    let mut sharpes: Vec<f64> = columns.iter().filter_map(|column| sharpe_per_period(column)).collect();
    sharpes.extend_from_slice(searched.stopped);
    let spread = variance(&sharpes, 1);
    let effective = mean_correlation(&columns).map(|correlation| effective_trials(searched.trials, correlation));
    let moments = SharpeMoments::of(own);
    let deflated = |trials: f64| moments?.deflated(trials, spread?);
    let cscv = probability_of_overfitting(&columns, GROUPS);
    let block = politis_white_block(own).map_or(1.0, |block| block.stationary.max(1.0));
    let ability = superior_ability(&columns, RESAMPLES, block, seed, cancel)?;
    let annual = moments.map(|moments| moments.sharpe * searched.periods_per_year.sqrt());
    Ok(Overfitting {
        trials: searched.trials,
        compared: columns.len(),
        effective_trials: effective,
        pbo: cscv.as_ref().map(|found| found.pbo),
        degradation_slope: cscv.as_ref().and_then(|found| found.degradation_slope),
        moments,
        trial_variance: spread,
        dsr: deflated(searched.trials as f64),
        dsr_effective: effective.and_then(deflated),
        spa_p: ability.map(|found| found.consistent),
        min_backtest_years: annual.and_then(|annual| minimum_backtest_length_years(searched.trials as f64, annual)),
        years: own.len() as f64 / searched.periods_per_year,
    })
}
