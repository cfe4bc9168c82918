//! Pruners: whether a running trial is worth the folds that it has left.
//!
//! A trial is compared with complete ones on the folds that it has finished, in pairs: a hard fold is hard for all. It
//! knows the same trials as its proposal did, so that a study stays the same for any timing. Folds are run in an order
//! of the trial's own ([`fold_order`]): no fold decides alone which trials live.
//!
//! | pruner | stops a trial when |
//! |---|---|
//! | `futility` | it will hardly be better than the incumbent once all folds are run |
//! | `wilcoxon` | it is worse than the incumbent by a signed-rank test |
//! | `median` | its mean is below the median of what complete trials had on the same folds |
//!
//! A pruned trial is told to samplers with an estimate of its score: that of the incumbent, and the mean difference.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::Seed;
use crate::stats::distribution::normal_cdf;
use crate::stats::order::{median, midranks};
use crate::stats::sum::{mean, variance};

use super::study::Direction;
use super::trial::{Trial, TrialState};

/// Folds from which pruning pays unless something else is asked for.
pub const LEAST_FOLDS: usize = 4;

/// When a trial is stopped early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pruner {
    /// When it will hardly beat the best trial on all folds, by what the differences so far say.
    Futility,
    /// When it is worse than the best trial by a signed-rank test at 0.1.
    Wilcoxon,
    /// When it is worse than the median of the complete trials on the same folds.
    Median,
    /// Never.
    None,
}

impl Pruner {
    /// The pruner for a number of folds when none is asked for.
    pub const fn default_for(folds: usize) -> Self {
        if folds >= LEAST_FOLDS { Self::Futility } else { Self::None }
    }
}

/// The order in which a trial runs its folds.
pub fn fold_order(seed: Seed, trial: u64, folds: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..folds).collect();
    seed.derive("folds").index(trial).stream().shuffle(&mut order);
    order
}

/// Complete trials that a running one may be compared with: their fold scores, signed so that larger is better.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Peers {
    trials: Arc<Vec<Arc<[f64]>>>,
    best: Option<usize>,
}

impl Peers {
    /// The comparable ones among some trials: complete, with a score on every fold.
    pub fn of(trials: &[Trial], direction: Direction) -> Self {
        let mut peers = Self::default();
        trials.iter().for_each(|trial| peers.push(trial, direction));
        peers
    }

    /// Adds a trial, if it is comparable.
    pub fn push(&mut self, trial: &Trial, direction: Direction) {
        let folds: Option<Vec<f64>> =
            trial.fold_values.iter().map(|fold| fold.map(|value| -direction.loss(value))).collect();
        let Some(folds) = folds.filter(|folds| trial.state == TrialState::Complete && !folds.is_empty()) else {
            return;
        };
        let score = mean(&folds);
        if self.incumbent().is_none_or(|best| mean(best) < score) {
            self.best = Some(self.trials.len());
        }
        Arc::make_mut(&mut self.trials).push(folds.into());
    }

    fn incumbent(&self) -> Option<&[f64]> {
        self.trials.get(self.best?).map(AsRef::as_ref)
    }
}

/// A running trial beside its peers.
#[derive(Clone, Debug)]
pub struct Race<'a> {
    pruner: Pruner,
    peers: &'a Peers,
    direction: Direction,
    folds: usize,
    /// Finished folds and what they gave, larger is better.
    finished: Vec<(usize, f64)>,
}

/// Full trials without which `futility` knows too little.
const FUTILITY_TRIALS: usize = 3;
/// Folds before `futility` looks.
const FUTILITY_FOLDS: usize = 2;
/// Observations that the spread among finished trials counts for.
const PRIOR_FOLDS: f64 = 4.0;
/// Chance of becoming better below which a trial is stopped.
const FUTILE: f64 = 0.02;
/// Level of the signed-rank test.
const WILCOXON_LEVEL: f64 = 0.1;
/// Full trials without which there is no median to speak of.
const MEDIAN_TRIALS: usize = 5;

impl<'a> Race<'a> {
    /// A trial that begins.
    pub const fn new(pruner: Pruner, peers: &'a Peers, direction: Direction, folds: usize) -> Self {
        Self { pruner, peers, direction, folds, finished: Vec::new() }
    }

    /// Takes the score of a fold. Returns an estimate of the whole score when the trial should stop here.
    pub fn finished(&mut self, fold: usize, score: Option<f64>) -> Option<f64> {
        // a fold without a score says nothing: whether the trial fails is decided at its end
        self.finished.push((fold, -self.direction.loss(score?)));
        let incumbent = self.peers.incumbent().filter(|incumbent| incumbent.len() == self.folds)?;
        let (done, left) = (self.finished.len(), self.folds.saturating_sub(self.finished.len()));
        if left == 0 {
            return None;
        }
        let differences: Vec<f64> = self.finished.iter().map(|(fold, gain)| gain - incumbent[*fold]).collect();
        let difference = mean(&differences)?;
        let stop = match self.pruner {
            Pruner::None => false,
            Pruner::Futility => {
                let enough = done >= FUTILITY_FOLDS && self.peers.trials.len() >= FUTILITY_TRIALS;
                enough && self.chance_to_win(&differences)? < FUTILE
            }
            Pruner::Wilcoxon => difference < 0.0 && signed_rank_p(&differences) < WILCOXON_LEVEL,
            Pruner::Median => self.peers.trials.len() >= MEDIAN_TRIALS && self.below_the_median()?,
        };
        let estimate = mean(incumbent)? + difference;
        // the sign of a score is that of its direction, both ways
        stop.then(|| -self.direction.loss(estimate))
    }

    /// The chance that the mean difference over all folds comes out above 0, given those so far.
    ///
    /// With `k` of `K` differences of mean `d`, the final mean is normal around `d` with variance
    /// `s^2 (K-k) (1 + (K-k)/k) / K^2`; `s^2` is the variance of the differences, to which the median variance among
    /// finished trials is added as four observations.
    fn chance_to_win(&self, differences: &[f64]) -> Option<f64> {
        let (k, all) = (differences.len() as f64, self.folds as f64);
        let left = all - k;
        let centre = mean(differences)?;
        let squares: f64 = differences.iter().map(|difference| (difference - centre).powi(2)).sum();
        let pooled = (squares + PRIOR_FOLDS * self.usual_variance()?) / (k - 1.0 + PRIOR_FOLDS);
        let deviation = (pooled * left * (1.0 + left / k)).sqrt() / all;
        Some(if deviation > 0.0 { normal_cdf(centre / deviation) } else { f64::from(u8::from(centre >= 0.0)) })
    }

    /// The median over finished trials of the variance of their differences from the incumbent.
    fn usual_variance(&self) -> Option<f64> {
        let incumbent = self.peers.incumbent()?;
        let others = self.peers.trials.iter().enumerate().filter(|(at, _)| Some(*at) != self.peers.best);
        let spread = |(_, other): (usize, &Arc<[f64]>)| {
            let differences: Vec<f64> = other.iter().zip(incumbent).map(|(own, best)| own - best).collect();
            variance(&differences, 1)
        };
        median(&others.filter_map(spread).collect::<Vec<f64>>())
    }

    fn below_the_median(&self) -> Option<bool> {
        let comparable = self.peers.trials.iter().filter(|other| other.len() == self.folds);
        let on_same = |other: &Arc<[f64]>| {
            self.finished.iter().map(|(fold, _)| other[*fold]).sum::<f64>() / self.finished.len() as f64
        };
        let middle = median(&comparable.map(on_same).collect::<Vec<f64>>())?;
        let own = self.finished.iter().map(|(_, gain)| gain).sum::<f64>() / self.finished.len() as f64;
        Some(own < middle)
    }
}

/// One-sided p-value of Wilcoxon's signed-rank test that differences are not below 0, by its exact distribution; zeros
/// are left out, tied ranks shared. 1 without differences.
fn signed_rank_p(differences: &[f64]) -> f64 {
    let signed: Vec<f64> = differences.iter().copied().filter(|difference| *difference != 0.0).collect();
    let sizes: Vec<f64> = signed.iter().map(|difference| difference.abs()).collect();
    // shared ranks are halves: doubled, they are whole
    let ranks: Vec<usize> = midranks(&sizes).into_iter().map(|rank| (2.0 * rank) as usize).collect();
    let positive: usize = ranks.iter().zip(&signed).filter(|(_, sign)| **sign > 0.0).map(|(rank, _)| rank).sum();
    let total: usize = ranks.iter().sum();
    let mut shares = vec![0.0; total + 1];
    shares[0] = 1.0;
    for rank in ranks {
        for sum in (0..=total).rev() {
            let with = if sum >= rank { shares[sum - rank] } else { 0.0 };
            shares[sum] = 0.5 * (shares[sum] + with);
        }
    }
    shares[..=positive].iter().sum::<f64>().min(1.0)
}

#[cfg(test)]
mod tests;
