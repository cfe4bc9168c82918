//! What one trial costs: a backtest a fold.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{ObjectiveConfig, ValidationConfig, json_params};
use crate::backtest::{Backtest, BacktestError, PortfolioRules, simulate};
use crate::base::{CancelToken, Seed};
use crate::market::Bars;
use crate::metric::sharpe::sharpe_per_period;
use crate::metric::trading::drawdown;
use crate::node::NodeError;
use crate::stats::sum::mean;
use crate::strategy::{IndicatorCache, Signals, Strategy, signals};
use crate::tune::pruner::{Pruner, Race, fold_order};
use crate::tune::{Direction, Evaluation, Proposal, Trial, TrialState};

/// Where the folds and the holdout lie, as ranges of sessions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Layout {
    /// Validation folds.
    pub folds: Vec<Range<u32>>,
    /// History before each fold.
    pub train: Vec<Range<u32>>,
    /// What no trial sees.
    pub holdout: Range<u32>,
}

impl Layout {
    /// Lays folds over a window; the remainder of an uneven division goes to the first train window.
    pub(super) fn of(window: &Range<u32>, config: &ValidationConfig) -> Result<Self, NodeError> {
        /// Shorter folds hold too few trades for any metric.
        const SHORTEST_FOLD: usize = 20;
        let [train, folds, embargo, holdout] =
            [config.train, config.folds, config.embargo, config.holdout].map(|sessions| sessions as usize);
        let needed = train + folds * SHORTEST_FOLD + embargo + holdout;
        let found = (window.end - window.start) as usize;
        if found < needed {
            return Err(NodeError::Insufficient { what: "sessions for train, folds and holdout", found, needed });
        }
        let holdout = window.end - config.holdout..window.end;
        let last = holdout.start - config.embargo;
        let length = (last - window.start - config.train) / config.folds;
        let first = last - config.folds * length;
        let folds: Vec<Range<u32>> =
            (0..config.folds).map(|fold| first + fold * length..first + (fold + 1) * length).collect();
        let train = folds.iter().map(|fold| fold.start.saturating_sub(config.train).max(window.start)..fold.start);
        Ok(Self { train: train.collect(), folds, holdout })
    }
}

/// The score of a strategy, and what it rests on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Score {
    /// Mean over the windows where the metric is defined.
    pub value: Option<f64>,
    /// The metric in each window.
    pub windows: Vec<Option<f64>>,
    /// Trades over all windows.
    pub trades: usize,
    /// Deepest drawdown of any window, as a positive share.
    pub max_drawdown: f64,
    /// Returns of all windows, joined.
    #[serde(skip)]
    pub returns: Vec<f64>,
}

/// What a trial is judged by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules<'a> {
    pub objective: &'a ObjectiveConfig,
    pub direction: Direction,
    pub pruner: Pruner,
    /// Seed of the study: decides the order of the folds.
    pub seed: Seed,
}

/// The objective of a study; indicators are shared by all trials.
pub(super) struct Objective<'a> {
    bars: &'a Bars,
    strategy: &'a Strategy,
    layout: &'a Layout,
    rules: Rules<'a>,
    /// Never cancelled: a trial that has begun is finished. One that stopped half way would be remembered as failed, and
    /// a continued study would not be the study it continues.
    unstoppable: CancelToken,
    cache: IndicatorCache,
    returns: Mutex<BTreeMap<u64, Vec<f64>>>,
}

/// A trial that stopped on the way.
enum Run {
    Whole(Score),
    /// An estimate of the score, and what the finished folds gave.
    Stopped(f64, Score),
}

impl<'a> Objective<'a> {
    pub(super) fn new(bars: &'a Bars, strategy: &'a Strategy, layout: &'a Layout, rules: Rules<'a>) -> Self {
        let (cache, returns) = (IndicatorCache::new(), Mutex::new(BTreeMap::new()));
        Self { bars, strategy, layout, rules, unstoppable: CancelToken::new(), cache, returns }
    }

    /// Evaluates one proposal, fold by fold, for as long as it is worth it.
    pub(super) fn evaluate(&self, proposal: &Proposal) -> Evaluation {
        let evaluated =
            self.strategy.with_parameters(&json_params(&proposal.params)).map_err(|error| error.to_string());
        let evaluated = evaluated.and_then(|strategy| {
            let found = signals(&strategy, self.bars, &self.cache).map_err(|error| error.to_string())?;
            let scores = match self.race(proposal, &strategy, &found).map_err(|error| error.to_string())? {
                Run::Stopped(estimate, score) => return Ok(stopped(estimate, &score)),
                Run::Whole(validation) => validation,
            };
            let train = self.over(&strategy, &found, &self.layout.train).map_err(|error| error.to_string())?;
            self.whole(proposal.number, scores, train.value)
        });
        evaluated.unwrap_or_else(Evaluation::failed)
    }

    /// Runs the folds in an order of the trial's own.
    fn race(&self, proposal: &Proposal, strategy: &Strategy, found: &Signals) -> Result<Run, BacktestError> {
        let folds = &self.layout.folds;
        let mut race = Race::new(self.rules.pruner, &proposal.peers, self.rules.direction, folds.len());
        let mut scores: Vec<Option<Score>> = folds.iter().map(|_| None).collect();
        for fold in fold_order(self.rules.seed, proposal.number, folds.len()) {
            let score = self.over(strategy, found, std::slice::from_ref(&folds[fold]))?;
            let estimate = race.finished(fold, score.value);
            scores[fold] = Some(score);
            if let Some(estimate) = estimate {
                return Ok(Run::Stopped(estimate, Score::joined(scores)));
            }
        }
        Ok(Run::Whole(Score::joined(scores)))
    }

    /// The record of a trial that ran all folds; keeps its returns.
    fn whole(&self, trial: u64, validation: Score, train: Option<f64>) -> Result<Evaluation, String> {
        let defined = validation.windows.iter().flatten().count();
        if 2 * defined < validation.windows.len() {
            let metric = self.rules.objective.metric.name();
            return Err(format!("{metric} is undefined in {} folds", validation.windows.len() - defined));
        }
        let mut attributes: BTreeMap<String, f64> = [("trades".to_owned(), validation.trades as f64)].into();
        attributes.extend(train.map(|train| ("train".to_owned(), train)));
        let evaluation = Evaluation {
            value: validation.value,
            constraints: self.constraints(&validation),
            attributes,
            fold_values: validation.windows,
            ..Evaluation::default()
        };
        self.returns.lock().unwrap_or_else(PoisonError::into_inner).insert(trial, validation.returns);
        Ok(evaluation)
    }

    fn constraints(&self, score: &Score) -> Vec<f64> {
        let trades = self.rules.objective.min_trades as f64 - score.trades as f64;
        let drawdown = self.rules.objective.max_drawdown.map(|limit| score.max_drawdown - limit);
        std::iter::once(trades).chain(drawdown).collect()
    }

    /// The score of a strategy on the validation folds.
    pub(super) fn validation(&self, strategy: &Strategy) -> Result<Score, NodeError> {
        let found = signals(strategy, self.bars, &self.cache).map_err(NodeError::failed)?;
        Ok(self.over(strategy, &found, &self.layout.folds)?)
    }

    /// The score of a strategy on the holdout.
    pub(super) fn holdout(&self, strategy: &Strategy) -> Result<Score, NodeError> {
        let found = signals(strategy, self.bars, &self.cache).map_err(NodeError::failed)?;
        Ok(self.over(strategy, &found, std::slice::from_ref(&self.layout.holdout))?)
    }

    /// Makes up for trials that an earlier, stopped attempt evaluated: their returns are needed and were not kept.
    pub(super) fn complete(&self, trials: &[Trial]) {
        let known = self.returns();
        let whole = |trial: &&Trial| matches!(trial.state, TrialState::Complete | TrialState::Infeasible);
        let lacking: Vec<&Trial> =
            trials.iter().filter(whole).filter(|trial| !known.contains_key(&trial.number)).collect();
        lacking.par_iter().for_each(|trial| {
            // without peers nothing is pruned
            let params = trial.params.clone();
            self.evaluate(&Proposal { number: trial.number, params, ..Proposal::default() });
        });
    }

    /// Validation returns of every trial that has any, by number.
    pub(super) fn returns(&self) -> BTreeMap<u64, Vec<f64>> {
        self.returns.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn over(&self, strategy: &Strategy, found: &Signals, windows: &[Range<u32>]) -> Result<Score, BacktestError> {
        let rules = PortfolioRules::from(strategy);
        let mut score = Score::default();
        for window in windows {
            let backtest = simulate(self.bars, found, &rules, window.clone(), None, &self.unstoppable)?;
            score.add(&backtest, self.rules.objective, self.bars.periods_per_year);
        }
        score.value = score.mean();
        Ok(score)
    }
}

/// The record of a trial that was stopped. The Sharpe ratio of what it did run is kept: without the poor trials, the
/// spread among trials would come out too small, and the best of them look less lucky than it is.
fn stopped(estimate: f64, score: &Score) -> Evaluation {
    let mut attributes: BTreeMap<String, f64> = [("trades".to_owned(), score.trades as f64)].into();
    attributes.extend(sharpe_per_period(&score.returns).map(|sharpe| (PERIOD_SHARPE.to_owned(), sharpe)));
    Evaluation { fold_values: score.windows.clone(), attributes, ..Evaluation::pruned(estimate) }
}

/// The attribute of a pruned trial that holds the Sharpe ratio of its finished folds, per period.
pub(super) const PERIOD_SHARPE: &str = "period_sharpe";

impl Score {
    /// Joins the scores of single folds, in the order of the folds; those that did not run have no value.
    fn joined(folds: Vec<Option<Self>>) -> Self {
        let mut whole = Self::default();
        for fold in folds {
            let Some(fold) = fold else {
                whole.windows.push(None);
                continue;
            };
            whole.windows.extend(fold.windows);
            whole.trades += fold.trades;
            whole.max_drawdown = whole.max_drawdown.max(fold.max_drawdown);
            whole.returns.extend(fold.returns);
        }
        whole.value = whole.mean();
        whole
    }

    fn mean(&self) -> Option<f64> {
        mean(&self.windows.iter().copied().flatten().collect::<Vec<f64>>())
    }

    fn add(&mut self, backtest: &Backtest, config: &ObjectiveConfig, periods_per_year: f64) {
        let returns = backtest.returns();
        let r: Vec<f64> = backtest.trades.iter().filter_map(|trade| trade.r).collect();
        self.windows.push(config.metric.evaluate(&returns, periods_per_year, &r));
        self.trades += backtest.trades.len();
        let depth = drawdown(&returns).map_or(0.0, |drawdown| drawdown.max_drawdown.abs());
        self.max_drawdown = self.max_drawdown.max(depth);
        self.returns.extend(returns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_are_equal_adjacent_and_end_before_the_embargo() {
        let config = ValidationConfig { train: 100, folds: 3, embargo: 5, holdout: 50 };
        let layout = Layout::of(&(10..500), &config).unwrap();
        assert_eq!(layout.holdout, 450..500);
        assert_eq!(layout.folds, [112..223, 223..334, 334..445]);
        assert_eq!(layout.train, [12..112, 123..223, 234..334]);
    }

    #[test]
    fn too_short_a_window_is_insufficient() {
        let error = Layout::of(&(0..300), &ValidationConfig::default()).unwrap_err();
        assert_eq!(error.to_string(), "insufficient sessions for train, folds and holdout: 300 < 609");
    }
}
