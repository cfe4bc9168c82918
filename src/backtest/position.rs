//! One position from its fill to its exit: the rules a portfolio and a label share.

use super::rules::PortfolioRules;
use super::{Cap, ExitReason, Trade};
use crate::market::Series;
use crate::strategy::{
    Candidate, FillAt, OnGap, Side, StopAnchor, StopTrigger, SymbolSignals, TrailDistance, TrailFrom, TrailingStop,
};

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
    /// Whether that probability had a say in the entry.
    pub by_model: bool,
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
    /// Entry before slippage.
    market_price: f64,
    pub entry_price: f64,
    pub entry_commission: f64,
    /// Initial stop S0: the denominator of R.
    pub initial_stop: Option<f64>,
    /// The stop as it stands, and what an exit at it is called.
    pub stop: Option<f64>,
    stop_reason: ExitReason,
    take_profit: Option<f64>,
    trailing: Option<TrailingStop>,
    break_even: Option<f64>,
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

/// Net price of a market entry.
pub(crate) fn entry_price(rules: &PortfolioRules, side: Side, price: f64) -> f64 {
    rules.costs.slipped(price, side == Side::Long, rules.costs.slippage_bps)
}

/// A level given from the signal close, for an entry filled at `price`.
fn anchored(rules: &PortfolioRules, level: Option<f64>, signal_close: f64, price: f64) -> Option<f64> {
    match rules.stop_anchor {
        StopAnchor::SignalClose => level,
        StopAnchor::Fill => level.map(|level| price + (level - signal_close)),
    }
}

/// Whether the price of the fill is already at or beyond the stop of the order, and the rules refuse that.
pub(crate) fn gaps_beyond_stop(rules: &PortfolioRules, candidate: &Candidate, price: f64) -> bool {
    let is_known = rules.stop_anchor == StopAnchor::SignalClose && rules.on_gap == OnGap::Reject;
    let level = if is_known { candidate.stop } else { None };
    level.is_some_and(|stop| candidate.side.sign() * (price - stop) <= 0.0)
}

impl Position {
    /// Opens a position in the row that [`PortfolioRules::entry_row`] gives.
    pub fn enter(rules: &PortfolioRules, series: &Series, candidate: &Candidate, row: usize, fill: Fill) -> Self {
        let market_price = rules.market_price(series, row);
        let signal_close = series.close[candidate.row as usize];
        let price = entry_price(rules, candidate.side, market_price);
        let stop = anchored(rules, candidate.stop, signal_close, price);
        Self {
            side: candidate.side,
            signal_session: candidate.session,
            signal_row: candidate.row,
            signal_close,
            entry_session: series.session[row],
            entry_row: row as u32,
            market_price,
            entry_price: price,
            entry_commission: rules.costs.commission.of(fill.quantity, price),
            initial_stop: stop,
            stop,
            stop_reason: ExitReason::HardStop,
            take_profit: anchored(rules, candidate.take_profit, signal_close, price),
            trailing: candidate.trailing,
            break_even: candidate.break_even,
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
        is_hit.then_some(Exit { price, slippage_bps, reason: self.stop_reason, seen: (open, price) })
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

    /// Closes the bar: remembers its extremes, what the rules say at the close, and then moves the stop, for the next bar.
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
            self.pending = Some(self.stop_reason);
        } else if self.pending.is_none() && signals.exits(self.side, self.row) {
            self.pending = Some(ExitReason::Signal);
        } else if self.pending.is_none() && self.time_stop.is_some_and(|most| bars >= most) {
            self.pending = Some(ExitReason::TimeStop);
        }
        self.move_stop(close, signals.atr.get(self.row).copied());
    }

    /// Moves the stop to where the rules have it after this close, if that is nearer to the price than where it stands.
    fn move_stop(&mut self, close: f64, atr: Option<f64>) {
        let sign = self.side.sign();
        if let (Some(gain), Some(risk)) = (self.break_even, self.risk())
            && sign * (self.best - self.entry_price) >= gain * risk
        {
            self.tighten(self.entry_price, ExitReason::BreakEven);
        }
        let Some(trailing) = self.trailing else { return };
        let from = match trailing.from {
            TrailFrom::Close => close,
            TrailFrom::Extreme => self.best,
        };
        let distance = match trailing.distance {
            TrailDistance::Atr(multiple) => multiple * atr.unwrap_or(f64::NAN),
            TrailDistance::Percent(share) => share * from,
        };
        self.tighten(from - sign * distance, ExitReason::TrailingStop);
    }

    /// Takes a level as the stop unless that would loosen it; an unknown level changes nothing.
    fn tighten(&mut self, level: f64, reason: ExitReason) {
        let is_nearer = self.stop.is_none_or(|stop| self.side.sign() * (level - stop) > 0.0);
        if is_nearer && !level.is_nan() {
            (self.stop, self.stop_reason) = (Some(level), reason);
        }
    }

    /// Loss of a unit when the initial stop is hit at its level; `None` without such a stop or with one beyond the entry.
    fn risk(&self) -> Option<f64> {
        self.initial_stop.map(|stop| self.side.sign() * (self.entry_price - stop)).filter(|risk| *risk > 0.0)
    }

    /// Tells the position to leave at the next open.
    pub fn leave(&mut self, reason: ExitReason) {
        self.pending = self.pending.or(Some(reason));
    }

    /// The exit told at this close, where orders fill at once.
    pub fn exit_at_close(&self, rules: &PortfolioRules, series: &Series) -> Option<Exit> {
        let reason = self.pending.filter(|_| self.trades_today && rules.fill == FillAt::Close)?;
        let price = series.close[self.row];
        // the whole bar was held
        let seen = (series.low[self.row], series.high[self.row]);
        Some(Exit { price, slippage_bps: rules.costs.market_exit(reason), reason, seen })
    }

    /// A market exit at the close of this bar, or at the last close there was: the horizon of a label.
    pub fn horizon_exit(&self, rules: &PortfolioRules, series: &Series) -> Exit {
        let price = self.mark(series);
        // the whole last bar was held
        let seen = if self.trades_today { (series.low[self.row], series.high[self.row]) } else { (price, price) };
        Exit { price, slippage_bps: rules.costs.slippage_bps, reason: ExitReason::Horizon, seen }
    }

    /// Whether it leaves at the next open.
    pub const fn is_leaving(&self) -> bool {
        self.pending.is_some()
    }

    /// The limit at which the gain is taken.
    pub const fn take_profit(&self) -> Option<f64> {
        self.take_profit
    }

    /// Last close.
    pub fn mark(&self, series: &Series) -> f64 {
        series.close[self.row]
    }

    /// The last close that was known when this session's orders were sized: where they fill at the open, that of the bar
    /// before.
    pub fn mark_at_signal(&self, rules: &PortfolioRules, series: &Series) -> f64 {
        let is_later = rules.fill == FillAt::NextOpen && self.trades_today;
        series.close[self.row - usize::from(is_later)]
    }

    /// Profit at the mark after the entry commission, in currency.
    pub fn unrealised_pnl(&self, mark: f64) -> f64 {
        self.side.sign() * self.fill.quantity * (mark - self.entry_price) - self.entry_commission
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
        let gross_pnl = sign * quantity * (exit.price - self.market_price);
        let risk = self.risk();
        let planned = match rules.stop_anchor {
            StopAnchor::SignalClose => {
                self.initial_stop.map(|stop| sign * (self.signal_close - stop)).filter(|risk| *risk > 0.0)
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
            stop: self.initial_stop,
            last_stop: self.stop,
            commission,
            slippage: gross_pnl - sign * quantity * (exit_price - self.entry_price),
            gross_pnl,
            net_pnl,
            r: risk.map(|risk| net_pnl / (quantity * risk)),
            gross_r: risk.map(|risk| gross_pnl / (quantity * risk)),
            planned_r: planned.map(|planned| net_pnl / (quantity * planned)),
            mae_r: excursion(self.worst),
            mfe_r: excursion(self.best),
            worst_price: self.worst,
            best_price: self.best,
            holding_sessions: session - self.entry_session,
            exit_reason: exit.reason,
            caps: self.fill.caps,
            probability: self.fill.probability,
        }
    }

    fn at_open(&self, rules: &PortfolioRules, series: &Series, reason: ExitReason) -> Exit {
        let price = series.open[self.row];
        Exit { price, slippage_bps: rules.costs.market_exit(reason), reason, seen: (price, price) }
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
