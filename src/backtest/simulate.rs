//! The portfolio loop: sessions in order, steps in order, positions in the order they were opened.

use std::cmp::Ordering;
use std::ops::Range;

use super::position::{entry_price, gaps_beyond_stop};
use super::rules::AccountAtSignal;
use super::{
    Backtest, BacktestError, BacktestWarning, CandidateRecord, CandidateState, EquityPoint, Exit, ExitReason, Fill,
    Funnel, MlDecisions, MlLimits, MlOverlay, NextOrder, OpenPosition, OrderKind, PortfolioRules, Position, Rejection,
    Trade,
};
use crate::base::{CancelToken, MICROS_PER_DAY};
use crate::market::{Bars, Series};
use crate::strategy::{AtEnd, Candidate, FillAt, Side, Signals, TrailDistance, in_session_order};

/// Share of equity up to which an order is none: what rounding leaves of a full account must not take a slot.
const DUST: f64 = 1e-9;
/// Sessions between two looks at the cancel token.
const CANCEL_SESSIONS: u32 = 256;

/// Trades the signals of a window of sessions with one account.
///
/// The account starts in cash; signals before the window are not traded. Indicators may have used earlier bars.
///
/// # Errors
/// Signals of other bars, a window outside the data, probabilities the overlay's rules refuse, equity at or below zero,
/// or a cancelled token.
pub fn simulate(
    bars: &Bars,
    signals: &Signals,
    rules: &PortfolioRules,
    window: Range<u32>,
    overlay: Option<&MlOverlay>,
    cancel: &CancelToken,
) -> Result<Backtest, BacktestError> {
    check(bars, signals, &window)?;
    let decisions = overlay.map(|overlay| overlay.decide(bars, signals, &window)).transpose()?;
    let limits = overlay.and_then(|overlay| overlay.limits.clone());
    let always = [RulesFrom { session: 0, rules: rules.clone(), limits }];
    replay(bars, signals, &always, window, decisions.as_ref(), cancel)
}

/// The rules that hold from a session on.
#[derive(Clone, Debug, PartialEq)]
pub struct RulesFrom {
    /// The first session.
    pub session: u32,
    /// The rules.
    pub rules: PortfolioRules,
    /// Limits on positions of a model.
    pub limits: Option<MlLimits>,
}

/// Trades signals about which everything was decided before, by rules that may change between sessions.
///
/// The account starts with the equity of the first rules. An order fills by the rules of the session it fills in.
///
/// # Errors
/// As [`simulate`]; rules of no session, or an eligible candidate without a decision.
pub fn replay(
    bars: &Bars,
    signals: &Signals,
    schedule: &[RulesFrom],
    window: Range<u32>,
    decisions: Option<&MlDecisions>,
    cancel: &CancelToken,
) -> Result<Backtest, BacktestError> {
    check(bars, signals, &window)?;
    let Some(first) = schedule.first() else {
        return Err(BacktestError::Window { start: window.start, end: window.end, sessions: 0 });
    };
    let candidates = judge(signals, &window, decisions)?;
    let mut warnings = decisions.map_or_else(Vec::new, |decisions| decisions.warnings.clone());
    let mut simulation = Simulation::new(bars, signals, first, candidates, window.end);
    for session in window.clone() {
        if session.is_multiple_of(CANCEL_SESSIONS) {
            cancel.check()?;
        }
        let in_force = schedule.iter().rfind(|from| from.session <= session).unwrap_or(first);
        (simulation.rules, simulation.limits) = (&in_force.rules, in_force.limits.as_ref());
        simulation.run_session(session, session + 1 == window.end)?;
    }
    let delisted = simulation.trades.iter().filter(|trade| trade.exit_reason == ExitReason::Delisted).count();
    if delisted > 0 && schedule.iter().any(|from| from.rules.data.delisting_haircut == 0.0) {
        warnings.push(BacktestWarning::DelistedWithoutHaircut { count: delisted });
    }
    Ok(simulation.finish(warnings))
}

/// Checks that the signals were made from these bars and that the window lies in them.
pub(crate) fn check(bars: &Bars, signals: &Signals, window: &Range<u32>) -> Result<(), BacktestError> {
    let sessions = bars.sessions.len() as u32;
    if window.start > window.end || window.end > sessions {
        return Err(BacktestError::Window { start: window.start, end: window.end, sessions });
    }
    let (symbols, series) = (signals.symbols.len(), bars.series.len());
    if symbols != series {
        return Err(BacktestError::SignalsMismatch { symbol: symbols.min(series), what: "another number of symbols" });
    }
    for (symbol, (own, series)) in signals.symbols.iter().zip(&bars.series).enumerate() {
        let mismatch = |what| Err(BacktestError::SignalsMismatch { symbol, what });
        if [&own.exit_long, &own.exit_short].iter().any(|flags| !flags.is_empty() && flags.len() != series.len()) {
            return mismatch("another number of bars");
        }
        if own.candidates.iter().any(|it| series.session.get(it.row as usize) != Some(&it.session)) {
            return mismatch("a candidate whose row is not in its session");
        }
        if !own.candidates.is_sorted_by(|a, b| a.row < b.row) {
            return mismatch("candidates out of order");
        }
        let by_range = |it: &Candidate| it.trailing.is_some_and(|it| matches!(it.distance, TrailDistance::Atr(_)));
        if own.atr.len() != series.len() && own.candidates.iter().any(by_range) {
            return mismatch("a stop that trails by the average true range without one for each bar");
        }
        if own.candidates.iter().any(|it| it.break_even.is_some() && it.stop.is_none()) {
            return mismatch("a break-even rule, which counts in R, without a stop");
        }
    }
    Ok(())
}

/// Lists the candidates of the window by session and symbol, with what was decided about each.
fn judge(
    signals: &Signals,
    window: &Range<u32>,
    decisions: Option<&MlDecisions>,
) -> Result<Vec<CandidateRecord>, BacktestError> {
    let order = in_session_order(&signals.symbols, |candidate| window.contains(&candidate.session));
    let mut records = Vec::with_capacity(order.len());
    for (session, symbol, at) in order {
        let candidate = &signals.symbols[symbol as usize].candidates[at as usize];
        let mut record = CandidateRecord {
            symbol,
            session,
            row: candidate.row,
            candidate: at,
            score: candidate.score,
            probability: None,
            rank_score: candidate.score,
            by_model: false,
            scale: 1.0,
            reason: None,
            state: CandidateState::Rejected(Rejection::EndOfData),
        };
        if !candidate.eligible {
            record.state = CandidateState::Rejected(Rejection::NotEligible);
        } else if let Some(decisions) = decisions {
            let decision =
                decisions.by_place.get(&(symbol, session)).ok_or(BacktestError::Undecided { symbol, session })?;
            (record.probability, record.by_model) = (decision.probability, decision.by_model);
            (record.scale, record.reason) = (decision.scale, Some(decision.reason));
            match decision.rank_score {
                Some(rank_score) => record.rank_score = rank_score,
                None => record.state = CandidateState::Rejected(Rejection::MlRejected),
            }
        }
        records.push(record);
    }
    Ok(records)
}

struct Simulation<'a> {
    bars: &'a Bars,
    signals: &'a Signals,
    rules: &'a PortfolioRules,
    candidates: Vec<CandidateRecord>,
    /// First candidate of a session not yet reached.
    next: usize,
    /// Orders for the next open, best first, as positions in `candidates`.
    orders: Vec<usize>,
    /// Orders that the end of the window leaves no open for, best first.
    unfilled: Vec<usize>,
    /// In the order of their entries.
    positions: Vec<Position>,
    is_held: Vec<bool>,
    cash: f64,
    equity: Vec<EquityPoint>,
    trades: Vec<Trade>,
    limits: Option<&'a MlLimits>,
    model: ModelLedger,
    /// Session after the last one of the window.
    end: u32,
}

/// What positions of the model have made, for their daily limit.
#[derive(Default)]
struct ModelLedger {
    /// Days since 1970-01-01 UTC of the session.
    day: i64,
    /// Profit of closed positions, in currency.
    realised: f64,
    /// Profit of all positions at the last close before this day, and equity then.
    at_start: (f64, f64),
    /// Profit of all positions at the last close.
    at_close: f64,
}

impl<'a> Simulation<'a> {
    fn new(
        bars: &'a Bars,
        signals: &'a Signals,
        first: &'a RulesFrom,
        candidates: Vec<CandidateRecord>,
        end: u32,
    ) -> Self {
        let (rules, limits) = (&first.rules, first.limits.as_ref());
        Self {
            bars,
            signals,
            rules,
            candidates,
            next: 0,
            orders: Vec::new(),
            unfilled: Vec::new(),
            positions: Vec::new(),
            is_held: vec![false; bars.series.len()],
            cash: rules.risk.initial_equity,
            equity: Vec::new(),
            trades: Vec::new(),
            limits,
            model: ModelLedger { day: i64::MIN, ..ModelLedger::default() },
            end,
        }
    }

    /// One session in its total order.
    fn run_session(&mut self, session: u32, is_last: bool) -> Result<(), BacktestError> {
        let (bars, rules) = (self.bars, self.rules);
        let last_session = bars.sessions.len() as u32 - 1;
        let closes_all = is_last && rules.at_end == AtEnd::ExitAtLastOpen;
        self.begin_day(session);
        for position in &mut self.positions {
            position.begin(&bars.series[position.fill.symbol as usize], session);
            if closes_all {
                position.leave(ExitReason::EndOfData);
            }
        }
        let series = |position: &Position| &bars.series[position.fill.symbol as usize];
        self.close_where(session, |it| it.forced_exit(rules, series(it), last_session));
        self.close_where(session, |it| it.pending_exit(rules, series(it)));
        if rules.fill == FillAt::NextOpen {
            self.enter_orders(session);
        }
        // older positions first; `close_where` keeps the order of entry, so one pass is both steps
        self.close_where(session, |it| it.stop_exit(rules, series(it)));
        self.close_where(session, |it| it.take_profit_exit(series(it)));
        if rules.fill == FillAt::NextOpen {
            self.mark(session)?;
        }
        for position in &mut self.positions {
            let symbol = position.fill.symbol as usize;
            position.end(rules, &bars.series[symbol], &self.signals.symbols[symbol]);
        }
        if rules.fill == FillAt::Close {
            self.close_where(session, |it| it.exit_at_close(rules, series(it)));
        }
        // the session in which an order of this close fills
        let fills_in = session + u32::from(rules.fill == FillAt::NextOpen);
        let is_refused = fills_in + 1 == self.end && rules.at_end == AtEnd::ExitAtLastOpen;
        self.collect_orders(session, fills_in < self.end && !is_refused);
        if rules.fill == FillAt::Close {
            self.enter_orders(session);
            self.mark(session)?;
        }
        Ok(())
    }

    /// Remembers what positions of the model had made when a day began.
    fn begin_day(&mut self, session: u32) {
        let day = self.bars.sessions[session as usize].div_euclid(MICROS_PER_DAY);
        if self.limits.is_some() && day != self.model.day {
            self.model.day = day;
            self.model.at_start = (self.model.at_close, self.last_equity());
        }
    }

    /// Whether positions of the model lost more on this day than they may.
    fn model_has_lost(&self) -> bool {
        let (profit, equity) = self.model.at_start;
        let limit = self.limits.and_then(|limits| limits.daily_ml_loss_limit);
        limit.is_some_and(|limit| profit - self.model_profit() > limit * equity)
    }

    /// Profit of positions of the model at the last closes, closed ones included.
    fn model_profit(&self) -> f64 {
        let open = self.positions.iter().filter(|it| it.fill.by_model);
        let unrealised = open.map(|it| it.unrealised_pnl(it.mark(&self.bars.series[it.fill.symbol as usize])));
        self.model.realised + unrealised.sum::<f64>()
    }

    /// Closes every position for which there is an exit, in the order of entry.
    fn close_where(&mut self, session: u32, exit_of: impl Fn(&Position) -> Option<Exit>) {
        let mut at = 0;
        while at < self.positions.len() {
            let Some(exit) = exit_of(&self.positions[at]) else {
                at += 1;
                continue;
            };
            let position = self.positions.remove(at);
            let (price, commission) = position.settle(self.rules, &exit);
            self.cash += position.side.sign() * position.fill.quantity * price - commission;
            self.is_held[position.fill.symbol as usize] = false;
            let by_model = position.fill.by_model;
            let trade = position.close(self.rules, &exit, session);
            self.model.realised += if by_model { trade.net_pnl } else { 0.0 };
            self.trades.push(trade);
        }
    }

    /// Fills the orders, best first.
    fn enter_orders(&mut self, session: u32) {
        if self.orders.is_empty() {
            return;
        }
        // at the close nothing of this session is known yet, and exits of this close have paid
        let equity = match self.rules.fill {
            FillAt::NextOpen => self.last_equity(),
            FillAt::Close => self.cash + self.net_at_signal(),
        };
        for (at, order) in std::mem::take(&mut self.orders).into_iter().enumerate() {
            self.candidates[order].state = match self.enter(order, at as u32 + 1, session, equity) {
                Ok(position) => {
                    self.cash -= position.side.sign() * position.fill.quantity * position.entry_price
                        + position.entry_commission;
                    self.is_held[position.fill.symbol as usize] = true;
                    self.positions.push(position);
                    CandidateState::Filled
                }
                Err(rejection) => CandidateState::Rejected(rejection),
            };
        }
    }

    /// The position an order becomes, or why it becomes none.
    ///
    /// An order that does not fill takes no slot: the next in rank may have it.
    fn enter(&self, order: usize, rank: u32, session: u32, equity: f64) -> Result<Position, Rejection> {
        let record = &self.candidates[order];
        let candidate = self.candidate(order);
        let series = &self.bars.series[record.symbol as usize];
        let Some(row) = self.rules.entry_row(candidate, series).filter(|&row| series.session[row] == session) else {
            return Err(Rejection::MissingNextBar);
        };
        if self.positions.len() >= self.rules.risk.max_positions as usize {
            return Err(Rejection::SlotsFull { rank });
        }
        let limits = self.limits.filter(|_| record.by_model);
        let of_model = || self.positions.iter().filter(|it| it.fill.by_model).count();
        if limits.and_then(|limits| limits.max_ml_positions).is_some_and(|most| of_model() >= most as usize) {
            return Err(Rejection::MlSlotsFull);
        }
        let market_price = self.rules.market_price(series, row);
        if gaps_beyond_stop(self.rules, candidate, market_price) {
            return Err(Rejection::GapBelowStop);
        }
        let account = AccountAtSignal { equity, gross: self.gross_at_signal() };
        let ml_share = limits.and_then(|limits| limits.max_ml_position_size);
        let close = series.close[record.row as usize];
        let is_dust = |quantity: f64| quantity * close <= DUST * equity;
        let mut sized = self.rules.size(candidate, close, account, ml_share, record.scale);
        if is_dust(sized.quantity) {
            return Err(Rejection::SizeZero);
        }
        let price = entry_price(self.rules, candidate.side, market_price);
        self.rules.cut_to_cash(&mut sized, price, self.free_cash(equity));
        if is_dust(sized.quantity) {
            return Err(Rejection::NoCash);
        }
        let fill = Fill {
            symbol: record.symbol,
            candidate: record.candidate,
            quantity: sized.quantity,
            caps: sized.caps,
            probability: record.probability,
            by_model: record.by_model,
        };
        Ok(Position::enter(self.rules, series, candidate, row, fill))
    }

    /// Equity at the close before this session.
    fn last_equity(&self) -> f64 {
        self.equity.last().map_or(self.rules.risk.initial_equity, |point| point.equity)
    }

    /// Notional of a position at the close that orders were sized by.
    fn notional_at_signal(&self, position: &Position) -> f64 {
        position.fill.quantity * position.mark_at_signal(self.rules, &self.bars.series[position.fill.symbol as usize])
    }

    fn net_at_signal(&self) -> f64 {
        self.positions.iter().map(|it| it.side.sign() * self.notional_at_signal(it)).sum()
    }

    fn gross_at_signal(&self) -> f64 {
        self.positions.iter().map(|it| self.notional_at_signal(it)).sum()
    }

    /// Cash that may be spent: what shorts brought in and as much again stays as their collateral; leverage above 1 lends.
    fn free_cash(&self, equity: f64) -> f64 {
        let shorts = self.positions.iter().filter(|it| it.side == Side::Short);
        let collateral: f64 = shorts.map(|it| self.notional_at_signal(it)).sum();
        self.cash - 2.0 * collateral + (self.rules.risk.max_exposure - 1.0).max(0.0) * equity
    }

    /// Writes the account at the close.
    fn mark(&mut self, session: u32) -> Result<(), BacktestError> {
        let (mut net, mut gross) = (0.0, 0.0);
        for position in &self.positions {
            let value = position.fill.quantity * position.mark(&self.bars.series[position.fill.symbol as usize]);
            net += position.side.sign() * value;
            gross += value;
        }
        let equity = self.cash + net;
        if equity.is_nan() || equity <= 0.0 {
            return Err(BacktestError::Ruined { session, equity });
        }
        if self.limits.is_some() {
            self.model.at_close = self.model_profit();
        }
        let positions = self.positions.len() as u32;
        let (exposure, net_exposure) = (gross / equity, net / equity);
        self.equity.push(EquityPoint { session, equity, cash: self.cash, exposure, net_exposure, positions });
        Ok(())
    }

    /// Takes the candidates of this close that nothing forbids and ranks them for their fill.
    fn collect_orders(&mut self, session: u32, takes_orders: bool) {
        let open = CandidateState::Rejected(Rejection::EndOfData);
        let mut found = Vec::new();
        let model_has_lost = self.model_has_lost();
        while self.candidates.get(self.next).is_some_and(|record| record.session == session) {
            let at = self.next;
            self.next += 1;
            if self.candidates[at].state != open {
                continue;
            }
            if self.is_held[self.candidates[at].symbol as usize] {
                self.candidates[at].state = CandidateState::Rejected(Rejection::AlreadyIn);
            } else if model_has_lost && self.candidates[at].by_model {
                self.candidates[at].state = CandidateState::Rejected(Rejection::MlLossLimit);
            } else {
                found.push(at);
            }
        }
        found.sort_by(|&a, &b| self.rank(a, b));
        *(if takes_orders { &mut self.orders } else { &mut self.unfilled }) = found;
    }

    /// What the account would send to a broker now: exits and working orders as the positions were entered, then entries, best
    /// first.
    fn next_orders(&self) -> Vec<NextOrder> {
        let mut orders = Vec::new();
        for position in &self.positions {
            let order = |kind, level| NextOrder {
                kind,
                symbol: position.fill.symbol,
                side: position.side,
                signal_session: position.signal_session,
                quantity: position.fill.quantity,
                level,
                take_profit: None,
                rank: None,
                reserve: false,
            };
            if position.is_leaving() {
                orders.push(order(OrderKind::Exit, None));
                continue;
            }
            orders.extend(position.stop.map(|level| order(OrderKind::Stop, Some(level))));
            orders.extend(position.take_profit().map(|level| order(OrderKind::TakeProfit, Some(level))));
        }
        orders.extend(self.next_entries());
        orders
    }

    fn next_entries(&self) -> Vec<NextOrder> {
        let staying = || self.positions.iter().filter(|it| !it.is_leaving());
        let equity = self.last_equity();
        let mut gross: f64 = staying().map(|it| it.fill.quantity * it.mark(self.series_of(it))).sum();
        let most = self.rules.risk.max_positions as usize;
        let most_of_model = self.limits.and_then(|limits| limits.max_ml_positions).map_or(usize::MAX, |it| it as usize);
        let (mut taken, mut of_model) = (staying().count(), staying().filter(|it| it.fill.by_model).count());
        let mut orders = Vec::new();
        for (at, &order) in self.unfilled.iter().enumerate() {
            let (record, candidate) = (&self.candidates[order], self.candidate(order));
            let close = self.bars.series[record.symbol as usize].close[record.row as usize];
            let share = self.limits.filter(|_| record.by_model).and_then(|limits| limits.max_ml_position_size);
            let sized = self.rules.size(candidate, close, AccountAtSignal { equity, gross }, share, record.scale);
            // all the cash there is buys at the close what it can; at the open it may be less
            let quantity = if sized.quantity.is_finite() { sized.quantity } else { self.cash.max(0.0) / close };
            if quantity * close <= DUST * equity {
                continue;
            }
            let reserve = taken >= most || (record.by_model && of_model >= most_of_model);
            if !reserve {
                taken += 1;
                of_model += usize::from(record.by_model);
                gross += quantity * close;
            }
            orders.push(NextOrder {
                kind: OrderKind::Entry,
                symbol: record.symbol,
                side: candidate.side,
                signal_session: record.session,
                quantity,
                level: candidate.stop,
                take_profit: candidate.take_profit,
                rank: Some(at as u32 + 1),
                reserve,
            });
        }
        orders
    }

    fn series_of(&self, position: &Position) -> &'a Series {
        &self.bars.series[position.fill.symbol as usize]
    }

    /// Better first: score, clearance, traded value, symbol.
    fn rank(&self, a: usize, b: usize) -> Ordering {
        // a missing figure ranks last, whatever the sign of its NaN
        let falling = |a: f64, b: f64| a.is_nan().cmp(&b.is_nan()).then(b.total_cmp(&a));
        let (x, y) = (self.candidate(a), self.candidate(b));
        falling(self.candidates[a].rank_score, self.candidates[b].rank_score)
            .then(falling(x.clearance, y.clearance))
            .then(falling(x.adv20, y.adv20))
            .then(self.candidates[a].symbol.cmp(&self.candidates[b].symbol))
    }

    fn candidate(&self, order: usize) -> &'a Candidate {
        let record = &self.candidates[order];
        &self.signals.symbols[record.symbol as usize].candidates[record.candidate as usize]
    }

    fn finish(self, warnings: Vec<BacktestWarning>) -> Backtest {
        let next_orders = self.next_orders();
        let open_at_end = self
            .positions
            .iter()
            .map(|it| {
                let mark = it.mark(&self.bars.series[it.fill.symbol as usize]);
                OpenPosition {
                    symbol: it.fill.symbol,
                    candidate: it.fill.candidate,
                    side: it.side,
                    signal_session: it.signal_session,
                    entry_session: it.entry_session,
                    entry_row: it.entry_row,
                    quantity: it.fill.quantity,
                    entry_price: it.entry_price,
                    stop: it.initial_stop,
                    moved_stop: it.stop.filter(|_| it.stop != it.initial_stop),
                    mark,
                    unrealised_pnl: it.unrealised_pnl(mark),
                }
            })
            .collect();
        Backtest {
            initial_equity: self.rules.risk.initial_equity,
            trades: self.trades,
            equity: self.equity,
            funnel: Funnel::of(&self.candidates),
            candidates: self.candidates,
            open_at_end,
            next_orders,
            warnings,
        }
    }
}
