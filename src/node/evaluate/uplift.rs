//! The same backtest with and without the model, on the same sessions and the same signals.
//!
//! All sides trade the signals that were evaluated, so that the models have judged every one of them. The probability at each
//! signal is one that the model gave without having seen it. Where there is a champion, the backtest is made with it too.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{EvaluateConfig, Evaluated};
use crate::backtest::{Backtest, BacktestError, BacktestWarning, Funnel, MlOverlay, PortfolioRules, simulate};
use crate::base::{Seed, Timestamp};
use crate::market::Bars;
use crate::metric::trading::{self, TradeReport, TradingReport, trade_report, trading_report};
use crate::node::bars::read_strategy;
use crate::node::model_artifact::StoredModel;
use crate::node::{NodeContext, NodeError};
use crate::registry::gate::{PairedReturns, TradingNumbers};
use crate::stats::bootstrap::{Interval, interval};
use crate::strategy::{IndicatorCache, Signals, signals};

/// One side of the comparison.
#[derive(Clone, Debug, Serialize)]
pub(in crate::node) struct Side {
    pub returns: TradingReport,
    pub trades: TradeReport,
    pub funnel: Funnel,
    pub warnings: Vec<BacktestWarning>,
}

/// The backtest with and without the model.
#[derive(Clone, Debug, Serialize)]
pub(in crate::node) struct Uplift {
    /// First session.
    pub from: Timestamp,
    /// Last session.
    pub to: Timestamp,
    pub without_model: Side,
    /// `None` when the model's probabilities cannot be used, for the reason beside it.
    pub with_model: Option<Side>,
    pub refused: Option<String>,
    /// The same with the champion; `None` without one, or where its probabilities cannot be used.
    pub with_champion: Option<Side>,
    /// Equity at each close, from 1, of every backtest that was made.
    #[serde(skip)]
    pub curves: Curves,
    /// Returns with candidate and champion.
    #[serde(skip)]
    returns: Option<PairedReturns>,
    /// Sharpe ratio with the model less that without.
    pub sharpe_difference: Option<f64>,
    /// Bootstrap interval of that difference, both sides resampled together.
    pub sharpe_difference_interval: Option<Interval>,
}

/// Growth of one unit of money, session by session.
#[derive(Clone, Debug, Default)]
pub(in crate::node) struct Curves {
    pub without_model: Vec<f64>,
    pub with_model: Vec<f64>,
    pub with_champion: Vec<f64>,
}

fn growth(returns: &[f64]) -> Vec<f64> {
    let mut equity = 1.0;
    let grown = returns.iter().map(|change| {
        equity *= 1.0 + change;
        equity
    });
    std::iter::once(1.0).chain(grown).collect()
}

impl Uplift {
    /// Returns with candidate and champion, where both backtests were possible.
    pub(super) fn paired_returns(&self) -> Option<PairedReturns> {
        self.returns.clone()
    }

    pub(super) fn sharpe(&self) -> Option<f64> {
        self.without_model.returns.sharpe
    }

    pub(super) fn sharpe_with_model(&self) -> Option<f64> {
        self.with_model.as_ref()?.returns.sharpe
    }

    /// What the gate looks at; drawdowns as positive shares.
    pub(super) fn numbers(&self) -> Option<TradingNumbers> {
        let with_model = self.with_model.as_ref()?;
        let depth = |side: &Side| side.returns.drawdown.as_ref().map(|drawdown| drawdown.max_drawdown.abs());
        Some(TradingNumbers {
            filtered_sharpe: with_model.returns.sharpe,
            unfiltered_sharpe: self.without_model.returns.sharpe,
            filtered_drawdown: depth(with_model),
            unfiltered_drawdown: depth(&self.without_model),
            filtered_trades: Some(with_model.trades.trades),
        })
    }
}

fn side(backtest: &Backtest, periods_per_year: f64) -> Side {
    let r: Vec<f64> = backtest.trades.iter().filter_map(|trade| trade.r).collect();
    Side {
        returns: trading_report(&backtest.returns(), periods_per_year),
        trades: trade_report(&r),
        funnel: backtest.funnel.clone(),
        warnings: backtest.warnings.clone(),
    }
}

/// Runs both backtests over the sessions that the rows span.
pub(super) fn measure(
    config: &EvaluateConfig,
    context: &NodeContext,
    rows: &Evaluated,
    (candidate, champion): (&StoredModel, Option<&StoredModel>),
    seed: Seed,
) -> Result<Uplift, NodeError> {
    let market = super::holdout::market(config, context)?;
    let bars = &market.loaded.bars;
    let strategy = read_strategy(context.input("strategy")?)?;
    let mut found = signals(&strategy, bars, &IndicatorCache::new()).map_err(NodeError::failed)?;
    keep_evaluated(&mut found, rows, bars);
    let rules = PortfolioRules::from(&strategy);
    let first = rows.ts.first().map_or(0, |&ts| bars.sessions.partition_point(|&session| session < ts));
    let window = first as u32..bars.sessions.len() as u32;
    let run = |overlay: Option<&MlOverlay>| simulate(bars, &found, &rules, window.clone(), overlay, &context.cancel);
    let without = run(None)?;
    // all sides trade by the same limits, so that only the ranking differs
    let filtered = |model: &StoredModel, scores: &[f64]| {
        let with = run(Some(&MlOverlay {
            rules: config.prediction.clone(),
            probability: probabilities(rows, scores, bars),
            past: model.out_of_fold.past(),
            ..MlOverlay::default()
        }));
        context.cancel.check()?;
        match with {
            Ok(with) => Ok((Some(with), None)),
            // a finding about the model, not a broken node
            Err(error @ (BacktestError::TooManyMissing { .. } | BacktestError::MissingProbability { .. })) => {
                Ok((None, Some(error.to_string())))
            }
            Err(error) => Err(NodeError::from(error)),
        }
    };
    let (with, refused) = filtered(candidate, &rows.candidate)?;
    let champion = champion.zip(rows.champion.as_deref()).map(|(model, scores)| filtered(model, scores)).transpose()?;
    let champion = champion.and_then(|(champion, _)| champion);
    let year = bars.periods_per_year;
    let (difference, range) = match &with {
        Some(with) => sharpe_difference(&without.returns(), &with.returns(), year, config, seed, context)?,
        None => (None, None),
    };
    let time = |at: Option<&i64>| Timestamp::from_micros(at.copied().unwrap_or(0));
    Ok(Uplift {
        from: time(bars.sessions.get(first)),
        to: time(bars.sessions.last()),
        without_model: side(&without, year),
        with_model: with.as_ref().map(|with| side(with, year)),
        refused,
        with_champion: champion.as_ref().map(|champion| side(champion, year)),
        curves: Curves {
            without_model: growth(&without.returns()),
            with_model: with.as_ref().map(|with| growth(&with.returns())).unwrap_or_default(),
            with_champion: champion.as_ref().map(|champion| growth(&champion.returns())).unwrap_or_default(),
        },
        returns: with
            .as_ref()
            .zip(champion.as_ref())
            .map(|(with, champion)| PairedReturns { champion: champion.returns(), candidate: with.returns() }),
        sharpe_difference: difference,
        sharpe_difference_interval: range,
    })
}

/// Drops the candidates that were not evaluated.
fn keep_evaluated(found: &mut Signals, rows: &Evaluated, bars: &Bars) {
    let rows: BTreeSet<(&str, i64)> =
        rows.symbol.iter().zip(&rows.ts).map(|(symbol, ts)| (symbol.as_str(), *ts)).collect();
    for (own, series) in found.symbols.iter_mut().zip(&bars.series) {
        own.candidates.retain(|it| rows.contains(&(series.symbol.as_str(), bars.sessions[it.session as usize])));
    }
}

fn probabilities(rows: &Evaluated, scores: &[f64], bars: &Bars) -> BTreeMap<(u32, u32), f64> {
    let symbol: BTreeMap<&str, u32> =
        (0_u32..).zip(&bars.series).map(|(at, series)| (series.symbol.as_str(), at)).collect();
    let place = |at: usize| {
        let session = bars.sessions.binary_search(&rows.ts[at]).ok()?;
        Some(((*symbol.get(rows.symbol[at].as_str())?, session as u32), scores[at]))
    };
    (0..rows.row.len()).filter_map(place).collect()
}

fn sharpe_difference(
    without: &[f64],
    with: &[f64],
    year: f64,
    config: &EvaluateConfig,
    seed: Seed,
    context: &NodeContext,
) -> Result<(Option<f64>, Option<Interval>), NodeError> {
    let difference = |rows: &[usize]| {
        let pick = |returns: &[f64]| rows.iter().map(|&row| returns[row]).collect::<Vec<f64>>();
        Some(trading::sharpe(&pick(with), year)? - trading::sharpe(&pick(without), year)?)
    };
    let all: Vec<usize> = (0..with.len()).collect();
    let plan = &config.intervals;
    let block = plan.block_for(&[without, with]);
    let range = interval(with.len(), plan.resamples, block, plan.level, seed, &context.cancel, difference)?;
    Ok((difference(&all), range))
}
