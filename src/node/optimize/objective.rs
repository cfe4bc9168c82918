//! What one trial costs: a backtest a fold.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;
use serde::Serialize;

use super::{ObjectiveConfig, ValidationConfig, json_params};
use crate::backtest::{Backtest, BacktestError, PortfolioRules, simulate};
use crate::base::CancelToken;
use crate::market::Bars;
use crate::metric::trading::drawdown;
use crate::node::NodeError;
use crate::stats::sum::mean;
use crate::strategy::{IndicatorCache, Signals, Strategy, signals};
use crate::tune::{Evaluation, Proposal, Trial};

/// Where the folds and the holdout lie, as ranges of sessions.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Layout {
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
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Score {
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

/// The objective of a study; indicators are shared by all trials.
pub(super) struct Objective<'a> {
    bars: &'a Bars,
    strategy: &'a Strategy,
    layout: &'a Layout,
    config: &'a ObjectiveConfig,
    /// Never cancelled: a trial that has begun is finished. One that stopped half way would be remembered as failed, and
    /// a continued study would not be the study it continues.
    unstoppable: CancelToken,
    cache: IndicatorCache,
    returns: Mutex<BTreeMap<u64, Vec<f64>>>,
}

impl<'a> Objective<'a> {
    pub(super) fn new(bars: &'a Bars, strategy: &'a Strategy, layout: &'a Layout, config: &'a ObjectiveConfig) -> Self {
        let (cache, returns) = (IndicatorCache::new(), Mutex::new(BTreeMap::new()));
        Self { bars, strategy, layout, config, unstoppable: CancelToken::new(), cache, returns }
    }

    /// Evaluates one proposal.
    pub(super) fn evaluate(&self, proposal: &Proposal) -> Evaluation {
        let strategy = match self.strategy.with_parameters(&json_params(&proposal.params)) {
            Ok(strategy) => strategy,
            Err(error) => return Evaluation::failed(error.to_string()),
        };
        let found = match signals(&strategy, self.bars, &self.cache) {
            Ok(found) => found,
            Err(error) => return Evaluation::failed(error.to_string()),
        };
        let scores = self
            .over(&strategy, &found, &self.layout.folds)
            .and_then(|validation| Ok((validation, self.over(&strategy, &found, &self.layout.train)?)));
        let (validation, train) = match scores {
            Ok(scores) => scores,
            Err(error) => return Evaluation::failed(error.to_string()),
        };
        let defined = validation.windows.iter().flatten().count();
        if 2 * defined < validation.windows.len() {
            let metric = self.config.metric.name();
            return Evaluation::failed(format!(
                "{metric} is undefined in {} folds",
                validation.windows.len() - defined
            ));
        }
        let evaluation = Evaluation {
            value: validation.value,
            fold_values: validation.windows.clone(),
            constraints: self.constraints(&validation),
            attributes: [("trades".to_owned(), validation.trades as f64)].into(),
            ..Evaluation::default()
        };
        self.returns.lock().unwrap_or_else(PoisonError::into_inner).insert(proposal.number, validation.returns);
        match train.value {
            Some(train) => {
                let mut attributes = evaluation.attributes;
                attributes.insert("train".to_owned(), train);
                Evaluation { attributes, ..evaluation }
            }
            None => evaluation,
        }
    }

    fn constraints(&self, score: &Score) -> Vec<f64> {
        let trades = self.config.min_trades as f64 - score.trades as f64;
        let drawdown = self.config.max_drawdown.map(|limit| score.max_drawdown - limit);
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
        let lacking: Vec<&Trial> =
            trials.iter().filter(|trial| trial.value.is_some() && !known.contains_key(&trial.number)).collect();
        lacking.par_iter().for_each(|trial| {
            let proposal = Proposal { number: trial.number, params: trial.params.clone() };
            self.evaluate(&proposal);
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
            score.add(&backtest, self.config, self.bars.periods_per_year);
        }
        let defined: Vec<f64> = score.windows.iter().copied().flatten().collect();
        score.value = mean(&defined);
        Ok(score)
    }
}

impl Score {
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
