//! Labels from candidates simulated alone, and from the trades of a backtest.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{LabelConfig, LabelError, uniqueness};
use crate::backtest::{
    Backtest, BacktestError, ExitReason, Fill, PortfolioRules, Position, Trade, check_signals, gaps_beyond_stop,
};
use crate::base::CancelToken;
use crate::market::{Bars, Series};
use crate::strategy::{Candidate, Signals, SymbolSignals};

/// Which trades the labels were made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelSource {
    /// Every eligible candidate, alone, with 1R.
    Shadow,
    /// The trades of a backtest.
    Executed,
}

/// A signal and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelledTrade {
    /// Which trades the labels were made of.
    pub source: LabelSource,
    /// Symbol index.
    pub symbol: u32,
    /// Position in the symbol's list of candidates.
    pub candidate: u32,
    /// Row of the signal bar.
    pub signal_row: u32,
    /// Signal session.
    pub t0: u32,
    /// Exit session.
    pub t1: u32,
    /// Entry session.
    pub entry_session: u32,
    /// Net profit over the risk taken.
    pub r: f64,
    /// Profit before costs over the risk taken.
    pub gross_r: f64,
    /// Net profit over the risk planned at the signal.
    pub planned_r: Option<f64>,
    /// Furthest the price went against the entry, in R, at most 0.
    pub mae_r: f64,
    /// Furthest the price went with the entry, in R, at least 0.
    pub mfe_r: f64,
    /// Sessions from entry to exit.
    pub holding_sessions: u32,
    /// Why it ended.
    pub exit_reason: ExitReason,
    /// Whether R is above the threshold.
    pub win: bool,
    /// Sample weight: share of the span that no other label of the symbol uses.
    pub uniqueness: f64,
}

/// A trade that the end of the data found open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Censored {
    /// Symbol index.
    pub symbol: u32,
    /// Position in the symbol's list of candidates.
    pub candidate: u32,
    /// Signal session.
    pub t0: u32,
}

/// Labels, and what got none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LabelSet {
    /// By signal session and symbol.
    pub trades: Vec<LabelledTrade>,
    /// Trades without an end, by signal session and symbol.
    pub censored: Vec<Censored>,
    /// Eligible candidates that no order could fill: no next bar, or a gap beyond the stop.
    pub not_filled: usize,
    /// Trades without a stop: their R is undefined.
    pub without_risk: usize,
}

/// What one candidate becomes when it is alone.
enum Alone {
    Ended(Box<Trade>),
    Open(Censored),
    NotFilled,
    WithoutRisk,
}

/// Simulates every eligible candidate alone with 1R, by the fills, stops, exits and costs of the portfolio simulator.
///
/// A symbol has one shadow trade at a time unless `overlap` is set, as it has one position: which other symbols took the
/// slots does not matter, that it is itself held does.
///
/// The quantity is that of the initial equity, `risk_per_trade * initial_equity / |C - S0|`, not rounded and not limited:
/// it matters only for commissions by unit or with a minimum.
///
/// # Errors
/// A label kind that is not built, signals of other bars, a cancelled token.
pub fn shadow_trades(
    bars: &Bars,
    signals: &Signals,
    rules: &PortfolioRules,
    config: &LabelConfig,
    cancel: &CancelToken,
) -> Result<LabelSet, LabelError> {
    config.check()?;
    check_signals(bars, signals, &(0..bars.sessions.len() as u32))?;
    let last_session = (bars.sessions.len() as u32).saturating_sub(1);
    let alone: Vec<Vec<Alone>> = bars
        .series
        .par_iter()
        .zip(&signals.symbols)
        .enumerate()
        .map(|(symbol, (series, own))| {
            cancel.check().map_err(BacktestError::from)?;
            let world = World { symbol: symbol as u32, series, signals: own, rules, last_session };
            Ok(world.follow_all(config))
        })
        .collect::<Result<_, LabelError>>()?;
    let mut set = LabelSet::default();
    let mut trades = Vec::new();
    for outcome in alone.into_iter().flatten() {
        match outcome {
            Alone::Ended(trade) => trades.push(*trade),
            Alone::Open(censored) => set.censored.push(censored),
            Alone::NotFilled => set.not_filled += 1,
            Alone::WithoutRisk => set.without_risk += 1,
        }
    }
    set.censored.sort_by_key(|it| (it.t0, it.symbol));
    Ok(label(set, &trades, LabelSource::Shadow, config))
}

/// Labels the trades of a backtest; its open positions are censored.
///
/// # Errors
/// A label kind that is not built.
pub fn executed_trades(backtest: &Backtest, config: &LabelConfig) -> Result<LabelSet, LabelError> {
    config.check()?;
    let censored = backtest.open_at_end.iter().map(|it| Censored {
        symbol: it.symbol,
        candidate: it.candidate,
        t0: it.signal_session,
    });
    let mut set = LabelSet { censored: censored.collect(), ..LabelSet::default() };
    set.censored.sort_by_key(|it| (it.t0, it.symbol));
    Ok(label(set, &backtest.trades, LabelSource::Executed, config))
}

fn label(mut set: LabelSet, trades: &[Trade], source: LabelSource, config: &LabelConfig) -> LabelSet {
    for trade in trades {
        let (Some(r), Some(gross_r), Some(mae_r), Some(mfe_r)) = (trade.r, trade.gross_r, trade.mae_r, trade.mfe_r)
        else {
            set.without_risk += 1;
            continue;
        };
        set.trades.push(LabelledTrade {
            source,
            symbol: trade.symbol,
            candidate: trade.candidate,
            signal_row: trade.signal_row,
            t0: trade.signal_session,
            t1: trade.exit_session,
            entry_session: trade.entry_session,
            r,
            gross_r,
            planned_r: trade.planned_r,
            mae_r,
            mfe_r,
            holding_sessions: trade.holding_sessions,
            exit_reason: trade.exit_reason,
            win: r > config.r_threshold,
            uniqueness: 1.0,
        });
    }
    set.trades.sort_by_key(|trade| (trade.t0, trade.symbol));
    let spans: Vec<_> = set.trades.iter().map(|trade| (trade.symbol, trade.t0, trade.t1)).collect();
    for (trade, weight) in set.trades.iter_mut().zip(uniqueness(&spans)) {
        trade.uniqueness = weight;
    }
    set
}

struct World<'a> {
    symbol: u32,
    series: &'a Series,
    signals: &'a SymbolSignals,
    rules: &'a PortfolioRules,
    last_session: u32,
}

impl World<'_> {
    /// Follows every eligible candidate; without overlap, only those that find the symbol free.
    fn follow_all(&self, config: &LabelConfig) -> Vec<Alone> {
        let mut found = Vec::new();
        let mut free_from = 0;
        for (at, candidate) in self.signals.candidates.iter().enumerate().filter(|(_, candidate)| candidate.eligible) {
            if candidate.session < free_from {
                continue;
            }
            let outcome = self.follow(at as u32, candidate, config.max_horizon);
            if !config.overlap {
                free_from = match &outcome {
                    // a position that left during its last session is gone at that session's close
                    Alone::Ended(trade) => trade.exit_session,
                    Alone::Open(_) => u32::MAX,
                    Alone::NotFilled | Alone::WithoutRisk => free_from,
                };
            }
            found.push(outcome);
        }
        found
    }

    /// Follows one candidate from its entry to its exit, in the simulator's order of steps.
    fn follow(&self, at: u32, candidate: &Candidate, max_horizon: u32) -> Alone {
        let (series, rules) = (self.series, self.rules);
        let Some(row) = rules.entry_row(candidate, series) else {
            let is_at_end = candidate.session == self.last_session;
            let censored = Censored { symbol: self.symbol, candidate: at, t0: candidate.session };
            return if is_at_end { Alone::Open(censored) } else { Alone::NotFilled };
        };
        if gaps_beyond_stop(rules, candidate, rules.market_price(series, row)) {
            return Alone::NotFilled;
        }
        let close = series.close[candidate.row as usize];
        let distance = candidate.stop.map(|stop| candidate.side.sign() * (close - stop));
        let Some(distance) = distance.filter(|distance| *distance > 0.0) else {
            return Alone::WithoutRisk;
        };
        let quantity = rules.risk.risk_per_trade * rules.risk.initial_equity / distance;
        let fill =
            Fill { symbol: self.symbol, candidate: at, quantity, caps: Vec::new(), probability: None, by_model: false };
        let mut position = Position::enter(rules, series, candidate, row, fill);
        let horizon = candidate.session.saturating_add(max_horizon);
        for session in candidate.session + 1..=self.last_session.min(horizon) {
            let mut exit = None;
            if session > position.entry_session {
                position.begin(series, session);
                exit = position
                    .forced_exit(rules, series, self.last_session)
                    .or_else(|| position.pending_exit(rules, series));
            }
            let exit = exit
                .or_else(|| position.stop_exit(rules, series))
                .or_else(|| position.take_profit_exit(series))
                .or_else(|| (session == horizon).then(|| position.horizon_exit(rules, series)));
            if let Some(exit) = exit {
                return Alone::Ended(Box::new(position.close(rules, &exit, session)));
            }
            position.end(rules, series, self.signals);
            if let Some(exit) = position.exit_at_close(rules, series) {
                return Alone::Ended(Box::new(position.close(rules, &exit, session)));
            }
        }
        Alone::Open(Censored { symbol: self.symbol, candidate: at, t0: candidate.session })
    }
}
