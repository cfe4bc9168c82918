//! One position from its fill to its exit: the rules a portfolio and a label share.

use super::rules::PortfolioRules;
use super::{Cap, ExitReason, Trade};
use crate::market::Series;
use crate::strategy::{Candidate, Side, StopAnchor, StopTrigger, SymbolSignals};

/// An entry as it was filled.
#[derive(Clone, Debug)]
pub(crate) struct Fill {
    /// Symbol index.
    pub symbol: u32,
    /// Position in the symbol's list of candidates.
    pub candidate: u32,
    /// Units.
    pub quantity: f64,
    /// Limits that cut the quantity.
    pub caps: Vec<Cap>,
    /// Probability given by the model, if any.
    pub probability: Option<f64>,
}

/// Where and why a position is left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Exit {
    /// Price before slippage.
    pub price: f64,
    /// Adverse slippage of the fill.
    pub slippage_bps: f64,
    /// Why.
    pub reason: ExitReason,
    /// Prices of the exit bar that were certainly seen while the position was held.
    pub seen: (f64, f64),
}

/// An open position.
#[derive(Clone, Debug)]
pub(crate) struct Position {
    pub fill: Fill,
    pub side: Side,
    pub signal_session: u32,
    signal_row: u32,
    signal_close: f64,
    pub entry_session: u32,
    pub entry_row: u32,
    open: f64,
    pub entry_price: f64,
    pub entry_commission: f64,
    /// Initial stop S0.
    pub stop: Option<f64>,
    take_profit: Option<f64>,
    time_stop: Option<u32>,
    /// Last row with a bar so far.
    row: usize,
    /// Whether the symbol has a bar in this session.
    trades_today: bool,
    /// Sessions without a bar since the last one.
    missing: u32,
    /// Exit to be filled at the next open.
    pending: Option<ExitReason>,
    worst: f64,
    best: f64,
}

/// Net price of a market entry at an open.
pub(crate) fn entry_price(rules: &PortfolioRules, side: Side, open: f64) -> f64 {
    rules.costs.slipped(open, side == Side::Long, rules.costs.slippage_bps)
}

/// The initial stop of an entry filled at `price`.
fn initial_stop(rules: &PortfolioRules, candidate: &Candidate, signal_close: f64, price: f64) -> Option<f64> {
    match rules.stop_anchor {
        StopAnchor::SignalClose => candidate.stop,
        StopAnchor::Fill => candidate.stop.map(|stop| price - (signal_close - stop)),
    }
}

/// Whether the open is already at or beyond the stop of the order.
pub(crate) fn gaps_beyond_stop(rules: &PortfolioRules, candidate: &Candidate, open: f64) -> bool {
    let level = if rules.stop_anchor == StopAnchor::SignalClose { candidate.stop } else { None };
    level.is_some_and(|stop| candidate.side.sign() * (open - stop) <= 0.0)
}

impl Position {
    /// Opens a position at the open of the bar after its signal.
    pub fn enter(rules: &PortfolioRules, series: &Series, candidate: &Candidate, fill: Fill) -> Self {
        let row = candidate.row as usize + 1;
        let open = series.open[row];
        let signal_close = series.close[row - 1];
        let price = entry_price(rules, candidate.side, open);
        Self {
            side: candidate.side,
            signal_session: candidate.session,
            signal_row: candidate.row,
            signal_close,
            entry_session: series.session[row],
            entry_row: row as u32,
            open,
            entry_price: price,
            entry_commission: rules.costs.commission.of(fill.quantity, price),
            stop: initial_stop(rules, candidate, signal_close, price),
            take_profit: candidate.take_profit,
            time_stop: candidate.time_stop,
            row,
            trades_today: true,
            missing: 0,
            pending: None,
            worst: price,
            best: price,
            fill,
        }
    }

    /// Moves to a session: finds the symbol's bar of it, if there is one.
    pub fn begin(&mut self, series: &Series, session: u32) {
        self.trades_today = series.session.get(self.row + 1) == Some(&session);
        if self.trades_today {
            self.row += 1;
        } else {
            self.missing += 1;
        }
    }

    /// An exit nobody asked for: no bar for too long, or never again.
    ///
    /// # Units
    /// `last_session` is that of the data set, not of the window.
    pub fn forced_exit(&self, rules: &PortfolioRules, series: &Series, last_session: u32) -> Option<Exit> {
        if self.trades_today {
            let is_late = self.missing > 0 && self.missing >= rules.data.max_missing_sessions;
            return is_late.then(|| self.at_open(rules, series, ExitReason::DataMissing));
        }
        // nobody knows on the first missing day that there will be no other: the rule for missing bars has to run out
        let has_waited = self.missing >= rules.data.max_missing_sessions;
        let is_delisted = has_waited && self.row + 1 == series.len() && series.session[self.row] < last_session;
        is_delisted.then(|| {
            let price = series.close[self.row] * (1.0 - rules.data.delisting_haircut * self.side.sign());
            Exit { price, slippage_bps: 0.0, reason: ExitReason::Delisted, seen: (price, price) }
        })
    }

    /// The exit told at an earlier close, if the symbol has an open now.
    pub fn pending_exit(&self, rules: &PortfolioRules, series: &Series) -> Option<Exit> {
        let reason = self.pending.filter(|_| self.trades_today)?;
        Some(self.at_open(rules, series, reason))
    }

    /// The stop, if this bar touched it. Equality is a hit; a worse open is the fill.
    pub fn stop_exit(&self, rules: &PortfolioRules, series: &Series) -> Option<Exit> {
        let stop = self.stop.filter(|_| self.trades_today && rules.stop_trigger == StopTrigger::Intrabar)?;
        let open = series.open[self.row];
        let (is_hit, price) = match self.side {
            Side::Long => (series.low[self.row] <= stop, open.min(stop)),
            Side::Short => (series.high[self.row] >= stop, open.max(stop)),
        };
        let slippage_bps = rules.costs.slippage_bps + rules.costs.stop_slippage_bps;
        is_hit.then_some(Exit { price, slippage_bps, reason: ExitReason::HardStop, seen: (open, price) })
    }

    /// The limit, if this bar reached it. A limit fills without slippage, at a better open if there is one.
    pub fn take_profit_exit(&self, series: &Series) -> Option<Exit> {
        let limit = self.take_profit.filter(|_| self.trades_today)?;
        let open = series.open[self.row];
        let (is_hit, price, adverse) = match self.side {
            Side::Long => (series.high[self.row] >= limit, open.max(limit), series.low[self.row]),
            Side::Short => (series.low[self.row] <= limit, open.min(limit), series.high[self.row]),
        };
        is_hit.then_some(Exit { price, slippage_bps: 0.0, reason: ExitReason::TakeProfit, seen: (adverse, price) })
    }

    /// Closes the bar: remembers its extremes and what the rules say at the close.
    pub fn end(&mut self, rules: &PortfolioRules, series: &Series, signals: &SymbolSignals) {
        if !self.trades_today {
            return;
        }
        self.missing = 0;
        self.see(series.low[self.row]);
        self.see(series.high[self.row]);
        let close = series.close[self.row];
        let is_stopped = rules.stop_trigger == StopTrigger::Close
            && self.stop.is_some_and(|stop| self.side.sign() * (close - stop) <= 0.0);
        let bars = (self.row - self.entry_row as usize) as u32;
        if is_stopped {
            self.pending = Some(ExitReason::HardStop);
        } else if self.pending.is_none() && signals.exits(self.side, self.row) {
            self.pending = Some(ExitReason::Signal);
        } else if self.pending.is_none() && self.time_stop.is_some_and(|most| bars >= most) {
            self.pending = Some(ExitReason::TimeStop);
        }
    }

    /// A market exit at the close of this bar, or at the last close there was: the horizon of a label.
    pub fn horizon_exit(&self, rules: &PortfolioRules, series: &Series) -> Exit {
        let price = self.mark(series);
        // the whole last bar was held
        let seen = if self.trades_today { (series.low[self.row], series.high[self.row]) } else { (price, price) };
        Exit { price, slippage_bps: rules.costs.slippage_bps, reason: ExitReason::Horizon, seen }
    }

    /// Last close.
    pub fn mark(&self, series: &Series) -> f64 {
        series.close[self.row]
    }

    /// Close of the bar before this session's, where the symbol trades in it: what was known when the session began.
    pub fn mark_before(&self, series: &Series) -> f64 {
        series.close[self.row - usize::from(self.trades_today)]
    }

    /// Net price and commission of an exit.
    pub fn settle(&self, rules: &PortfolioRules, exit: &Exit) -> (f64, f64) {
        let price = rules.costs.slipped(exit.price, self.side == Side::Short, exit.slippage_bps);
        (price, rules.costs.commission.of(self.fill.quantity, price))
    }

    /// The trade this position becomes.
    pub fn close(mut self, rules: &PortfolioRules, exit: &Exit, session: u32) -> Trade {
        self.see(exit.seen.0);
        self.see(exit.seen.1);
        let (exit_price, exit_commission) = self.settle(rules, exit);
        let (quantity, sign) = (self.fill.quantity, self.side.sign());
        let commission = self.entry_commission + exit_commission;
        let net_pnl = sign * quantity * (exit_price - self.entry_price) - commission;
        let gross_pnl = sign * quantity * (exit.price - self.open);
        let risk = self.stop.map(|stop| sign * (self.entry_price - stop)).filter(|risk| *risk > 0.0);
        let planned = match rules.stop_anchor {
            StopAnchor::SignalClose => {
                self.stop.map(|stop| sign * (self.signal_close - stop)).filter(|risk| *risk > 0.0)
            }
            StopAnchor::Fill => risk,
        };
        let excursion = |price: f64| risk.map(|risk| sign * (price - self.entry_price) / risk);
        Trade {
            symbol: self.fill.symbol,
            candidate: self.fill.candidate,
            side: self.side,
            signal_session: self.signal_session,
            signal_row: self.signal_row,
            entry_session: self.entry_session,
            entry_row: self.entry_row,
            exit_session: session,
            exit_row: self.row as u32,
            quantity,
            entry_price: self.entry_price,
            exit_price,
            stop: self.stop,
            commission,
            slippage: gross_pnl - sign * quantity * (exit_price - self.entry_price),
            gross_pnl,
            net_pnl,
            r: risk.map(|risk| net_pnl / (quantity * risk)),
            gross_r: risk.map(|risk| gross_pnl / (quantity * risk)),
            planned_r: planned.map(|planned| net_pnl / (quantity * planned)),
            mae_r: excursion(self.worst),
            mfe_r: excursion(self.best),
            holding_sessions: session - self.entry_session,
            exit_reason: exit.reason,
            caps: self.fill.caps,
            probability: self.fill.probability,
        }
    }

    fn at_open(&self, rules: &PortfolioRules, series: &Series, reason: ExitReason) -> Exit {
        let price = series.open[self.row];
        let extra = if reason == ExitReason::HardStop { rules.costs.stop_slippage_bps } else { 0.0 };
        Exit { price, slippage_bps: rules.costs.slippage_bps + extra, reason, seen: (price, price) }
    }

    fn see(&mut self, price: f64) {
        let sign = self.side.sign();
        if sign * (price - self.worst) < 0.0 {
            self.worst = price;
        }
        if sign * (price - self.best) > 0.0 {
            self.best = price;
        }
    }
}
