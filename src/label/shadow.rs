//! Labels from candidates simulated alone, and from the trades of a backtest.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::outcome::{Entered, Labeller, Outcome};
use super::{LabelConfig, LabelError, LabelKind, uniqueness};
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
    /// Session in which label and trade were both known: the exit session, or the end of the label where that is later.
    pub t1: u32,
    /// Entry session.
    pub entry_session: u32,
    /// The label: R, 0 or 1, one of -1, 0 and 1, a return or a volatility, as the kind says.
    pub value: f64,
    /// Net profit over the risk taken; NaN for a trade without a stop, as are the other figures in R.
    pub r: f64,
    /// Profit before costs over the risk taken.
    pub gross_r: f64,
    /// Net profit over the risk planned at the signal.
    pub planned_r: Option<f64>,
    /// Net profit over the notional at entry.
    pub net_return: f64,
    /// Furthest the price went against the entry, in R, at most 0.
    pub mae_r: f64,
    /// Furthest the price went with the entry, in R, at least 0.
    pub mfe_r: f64,
    /// Sessions from entry to exit.
    pub holding_sessions: u32,
    /// Why it ended.
    pub exit_reason: ExitReason,
    /// Whether it is a win: a success for `signal_success`, R above the threshold for every other kind.
    pub win: bool,
    /// Sample weight: share of the span that no other label of the symbol uses.
    pub uniqueness: f64,
}

/// A signal whose trade or label the end of the data found open.
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
    /// Signals whose trade or label has no end yet, by signal session and symbol.
    pub censored: Vec<Censored>,
    /// Eligible candidates that no order could fill: no next bar, or a gap beyond the stop.
    pub not_filled: usize,
    /// Trades without a stop, where the label is made of it.
    pub without_risk: usize,
    /// Trades whose label has no value: no bar within the horizon, no volatility yet.
    pub undefined: usize,
}

/// What one candidate becomes when it is alone.
enum Alone {
    Ended(Box<Trade>),
    Open(Censored),
    NotFilled,
    WithoutRisk,
}

impl Trade {
    /// The signal of this trade, left without a label.
    fn censored(&self) -> Censored {
        Censored { symbol: self.symbol, candidate: self.candidate, t0: self.signal_session }
    }
}

/// Simulates every eligible candidate alone with 1R, by the fills, stops, exits and costs of the portfolio simulator.
///
/// A symbol has one shadow trade at a time unless `overlap` is set, as it has one position: which other symbols took the
/// slots does not matter, that it is itself held does.
///
/// The quantity is that of the initial equity, `risk_per_trade * initial_equity / |C - S0|`, or `initial_equity / C` where
/// there is no stop, not rounded and not limited: it matters only for commissions by unit or with a minimum.
///
/// # Errors
/// A label config out of range, signals of other bars, a cancelled token.
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
    Ok(label(bars, rules, set, &trades, LabelSource::Shadow, config))
}

/// Labels the trades of a backtest of these bars by these rules; its open positions are censored.
///
/// # Errors
/// A label config out of range.
pub fn executed_trades(
    bars: &Bars,
    rules: &PortfolioRules,
    backtest: &Backtest,
    config: &LabelConfig,
) -> Result<LabelSet, LabelError> {
    config.check()?;
    let censored = backtest.open_at_end.iter().map(|it| Censored {
        symbol: it.symbol,
        candidate: it.candidate,
        t0: it.signal_session,
    });
    let set = LabelSet { censored: censored.collect(), ..LabelSet::default() };
    Ok(label(bars, rules, set, &backtest.trades, LabelSource::Executed, config))
}

/// Gives each trade its label.
fn label(
    bars: &Bars,
    rules: &PortfolioRules,
    mut set: LabelSet,
    trades: &[Trade],
    source: LabelSource,
    config: &LabelConfig,
) -> LabelSet {
    let last_session = (bars.sessions.len() as u32).saturating_sub(1);
    let mut order: Vec<&Trade> = trades.iter().collect();
    // by symbol, so that what labels measure is computed once a symbol
    order.sort_by_key(|trade| (trade.symbol, trade.candidate));
    for own in order.chunk_by(|a, b| a.symbol == b.symbol) {
        let labeller = Labeller::new(config, rules, &bars.series[own[0].symbol as usize], last_session);
        for trade in own {
            add(&mut set, &labeller, trade, source, config);
        }
    }
    set.censored.sort_by_key(|it| (it.t0, it.symbol));
    set.trades.sort_by_key(|trade| (trade.t0, trade.symbol));
    let spans: Vec<_> = set.trades.iter().map(|trade| (trade.symbol, trade.t0, trade.t1)).collect();
    for (trade, weight) in set.trades.iter_mut().zip(uniqueness(&spans)) {
        trade.uniqueness = weight;
    }
    set
}

/// Adds the label of one trade, or counts why it has none.
fn add(set: &mut LabelSet, labeller: &Labeller<'_>, trade: &Trade, source: LabelSource, config: &LabelConfig) {
    if config.kind.needs_stop() && trade.r.is_none() {
        set.without_risk += 1;
        return;
    }
    let entered = Entered {
        side: trade.side,
        signal_row: trade.signal_row as usize,
        entry_price: trade.entry_price,
        stop: trade.stop,
        quantity: trade.quantity,
    };
    let r = trade.r.unwrap_or(f64::NAN);
    let (value, known) = match labeller.outcome(&entered, r, trade.exit_session) {
        Outcome::Known { value, t1 } => (value, t1),
        Outcome::Open => return set.censored.push(trade.censored()),
        Outcome::Undefined => {
            set.undefined += 1;
            return;
        }
    };
    set.trades.push(LabelledTrade {
        source,
        symbol: trade.symbol,
        candidate: trade.candidate,
        signal_row: trade.signal_row,
        t0: trade.signal_session,
        t1: known.max(trade.exit_session),
        entry_session: trade.entry_session,
        value,
        r,
        gross_r: trade.gross_r.unwrap_or(f64::NAN),
        planned_r: trade.planned_r,
        net_return: trade.net_pnl / (trade.quantity * trade.entry_price),
        mae_r: trade.mae_r.unwrap_or(f64::NAN),
        mfe_r: trade.mfe_r.unwrap_or(f64::NAN),
        holding_sessions: trade.holding_sessions,
        exit_reason: trade.exit_reason,
        win: if config.kind == LabelKind::SignalSuccess { value > 0.0 } else { r > config.r_threshold },
        uniqueness: 1.0,
    });
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
            let outcome = self.follow(at as u32, candidate, config);
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
    fn follow(&self, at: u32, candidate: &Candidate, config: &LabelConfig) -> Alone {
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
        let quantity = match distance.filter(|distance| *distance > 0.0) {
            Some(distance) => rules.risk.risk_per_trade * rules.risk.initial_equity / distance,
            None if distance.is_some() || config.kind.needs_stop() => return Alone::WithoutRisk,
            None => rules.risk.initial_equity / close,
        };
        let fill =
            Fill { symbol: self.symbol, candidate: at, quantity, caps: Vec::new(), probability: None, by_model: false };
        let mut position = Position::enter(rules, series, candidate, row, fill);
        let horizon = candidate.session.saturating_add(config.max_horizon);
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
