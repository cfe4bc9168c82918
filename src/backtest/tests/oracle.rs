//! A second simulator, slow and plain, held against the first one on random markets with random rules.
//!
//! It shares no code with the simulator but the types of its input: each session is a list of steps over a list of
//! holdings, each bar is looked up anew, and nothing is remembered that can be computed.

use proptest::prelude::*;

use super::laws::walks;
use crate::backtest::*;
use crate::base::{CancelToken, RandomStream, Seed};
use crate::market::Bars;
use crate::strategy::{
    AtEnd, Candidate, FillAt, OnGap, Side, Signals, Size, StopAnchor, StopTrigger, SymbolSignals, TrailDistance,
    TrailFrom, TrailingStop,
};

#[derive(Clone)]
struct Holding {
    symbol: usize,
    candidate: Candidate,
    entered: u32,
    paid: f64,
    units: f64,
    first_stop: Option<f64>,
    stop: Option<f64>,
    target: Option<f64>,
    /// Slippage of the exit that was told.
    leaves: Option<f64>,
    last_seen: u32,
    high: f64,
    low: f64,
}

struct Oracle<'a> {
    bars: &'a Bars,
    signals: &'a Signals,
    rules: &'a PortfolioRules,
    cash: f64,
    held: Vec<Holding>,
    /// Symbol, entry session, exit session, price paid, price received, units.
    done: Vec<(usize, u32, u32, f64, f64, f64)>,
    equity: Vec<f64>,
}

impl Oracle<'_> {
    /// Open, high, low and close of a symbol in a session.
    fn bar(&self, symbol: usize, session: u32) -> Option<[f64; 4]> {
        let series = &self.bars.series[symbol];
        let row = series.session.iter().position(|it| *it == session)?;
        Some([series.open[row], series.high[row], series.low[row], series.close[row]])
    }

    fn last_close(&self, symbol: usize, until: u32) -> f64 {
        let series = &self.bars.series[symbol];
        series.close[series.session.iter().rposition(|it| *it <= until).unwrap()]
    }

    fn commission(&self, units: f64, price: f64) -> f64 {
        let rule = &self.rules.costs.commission;
        (rule.bps / 1e4 * units * price + rule.per_share * units).max(rule.min)
    }

    fn sell(&mut self, at: usize, session: u32, price: f64, bps: f64) {
        let holding = self.held.remove(at);
        let sign = holding.candidate.side.sign();
        let received = price * (1.0 - sign * bps / 1e4);
        self.cash += sign * holding.units * received - self.commission(holding.units, received);
        self.done.push((holding.symbol, holding.entered, session, holding.paid, received, holding.units));
    }

    /// Leaves every holding for which there is a price and a slippage.
    fn sell_where(&mut self, session: u32, wanted: impl Fn(&Self, &Holding) -> Option<(f64, f64)>) {
        while let Some((at, (price, bps))) =
            (0..self.held.len()).find_map(|at| Some((at, wanted(self, &self.held[at])?)))
        {
            self.sell(at, session, price, bps);
        }
    }

    fn value(&self, session: u32) -> f64 {
        let worth = |it: &Holding| it.candidate.side.sign() * it.units * self.last_close(it.symbol, session);
        self.cash + self.held.iter().map(worth).sum::<f64>()
    }

    fn session(&mut self, session: u32, end: u32) {
        let rules = self.rules;
        let (usual, stopped) = (rules.costs.slippage_bps, rules.costs.slippage_bps + rules.costs.stop_slippage_bps);
        let at_close = rules.fill == FillAt::Close;
        let patience = rules.data.max_missing_sessions;
        let clears = session + 1 == end && rules.at_end == AtEnd::ExitAtLastOpen;
        // a: forced exits
        self.sell_where(session, |it, held| {
            let away = session - held.last_seen;
            match it.bar(held.symbol, session) {
                Some([open, ..]) => (away > 1 && away > patience).then_some((open, usual)),
                None => {
                    let series = &it.bars.series[held.symbol];
                    let is_gone = series.session.last() == Some(&held.last_seen)
                        && held.last_seen + 1 < it.bars.sessions.len() as u32;
                    let sign = held.candidate.side.sign();
                    let price = it.last_close(held.symbol, session) * (1.0 - sign * rules.data.delisting_haircut);
                    (is_gone && away >= patience).then_some((price, 0.0))
                }
            }
        });
        // b: pending exits
        self.sell_where(session, |it, held| {
            let [open, ..] = it.bar(held.symbol, session)?;
            held.leaves.or(clears.then_some(usual)).map(|bps| (open, bps))
        });
        if !at_close && !clears && session > 0 {
            self.enter(session, session - 1, self.equity.last().copied().unwrap_or(rules.risk.initial_equity));
        }
        // d, e: stops
        self.sell_where(session, |it, held| {
            let [open, high, low, _] = it.bar(held.symbol, session)?;
            let stop = held.stop.filter(|_| rules.stop_trigger == StopTrigger::Intrabar)?;
            let price = match held.candidate.side {
                Side::Long if low <= stop => open.min(stop),
                Side::Short if high >= stop => open.max(stop),
                _ => return None,
            };
            Some((price, stopped))
        });
        // f: targets
        self.sell_where(session, |it, held| {
            let [open, high, low, _] = it.bar(held.symbol, session)?;
            let target = held.target?;
            match held.candidate.side {
                Side::Long if high >= target => Some((open.max(target), 0.0)),
                Side::Short if low <= target => Some((open.min(target), 0.0)),
                _ => None,
            }
        });
        // g: the mark
        if !at_close {
            self.equity.push(self.value(session));
        }
        // h: exit signals
        for at in 0..self.held.len() {
            let Some([_, high, low, close]) = self.bar(self.held[at].symbol, session) else { continue };
            let held = &mut self.held[at];
            held.last_seen = session;
            (held.high, held.low) = (held.high.max(high), held.low.min(low));
            let series = &self.bars.series[held.symbol];
            let row = |session: u32| series.session.iter().position(|it| *it == session).unwrap();
            let own = &self.signals.symbols[held.symbol];
            let flags = if held.candidate.side == Side::Long { &own.exit_long } else { &own.exit_short };
            let timed = held.candidate.time_stop.is_some_and(|most| row(session) - row(held.entered) >= most as usize);
            let sign = held.candidate.side.sign();
            if rules.stop_trigger == StopTrigger::Close && held.stop.is_some_and(|stop| sign * (close - stop) <= 0.0) {
                held.leaves = Some(stopped);
            } else if flags.get(row(session)) == Some(&true) || timed {
                held.leaves = held.leaves.or(Some(usual));
            }
        }
        if at_close {
            self.sell_where(session, |it, held| {
                let [.., close] = it.bar(held.symbol, session)?;
                held.leaves.map(|bps| (close, bps))
            });
            // i: entry signals
            let equity = self.value(session);
            if !clears {
                self.enter(session, session, equity);
            }
        }
        // j: stops move
        for at in 0..self.held.len() {
            let Some([.., close]) = self.bar(self.held[at].symbol, session) else { continue };
            if at_close && self.held[at].entered == session {
                continue;
            }
            let held = &self.held[at];
            let series = &self.bars.series[held.symbol];
            let row = series.session.iter().position(|it| *it == session).unwrap();
            let sign = held.candidate.side.sign();
            let best = if sign > 0.0 { held.high } else { held.low };
            let mut levels = Vec::from_iter(held.stop);
            if let (Some(gain), Some(first)) = (held.candidate.break_even, held.first_stop) {
                let risk = sign * (held.paid - first);
                if risk > 0.0 && sign * (best - held.paid) >= gain * risk {
                    levels.push(held.paid);
                }
            }
            if let Some(trailing) = held.candidate.trailing {
                let from = if trailing.from == TrailFrom::Close { close } else { best };
                let away = match trailing.distance {
                    TrailDistance::Atr(multiple) => multiple * self.signals.symbols[held.symbol].atr[row],
                    TrailDistance::Percent(share) => share * from,
                };
                levels.extend(Some(from - sign * away).filter(|level| !level.is_nan()));
            }
            self.held[at].stop = levels.into_iter().reduce(|a, b| if sign > 0.0 { a.max(b) } else { a.min(b) });
        }
        if at_close {
            self.equity.push(self.value(session));
        }
    }

    /// Fills the orders of a signal session in this session.
    fn enter(&mut self, session: u32, signalled: u32, equity: f64) {
        let rules = self.rules;
        let at_close = rules.fill == FillAt::Close;
        let mut orders: Vec<(usize, Candidate)> = Vec::new();
        for (symbol, own) in self.signals.symbols.iter().enumerate() {
            // whether it was held at the signal's close: entered before, and not left before that close had passed
            let was_held = self.held.iter().any(|it| it.symbol == symbol)
                || self.done.iter().any(|it| it.0 == symbol && it.1 <= signalled && it.2 == session && !at_close);
            let found = own.candidates.iter().find(|it| it.session == signalled && it.eligible);
            orders.extend(found.filter(|_| !was_held).map(|it| (symbol, *it)));
        }
        let key = |it: &(usize, Candidate)| [it.1.score, it.1.clearance, it.1.adv20];
        orders.sort_by(|a, b| {
            let better = key(b).iter().zip(key(a)).map(|(b, a)| b.total_cmp(&a)).find(|it| it.is_ne());
            better.unwrap_or(std::cmp::Ordering::Equal).then(a.0.cmp(&b.0))
        });
        for (symbol, candidate) in orders {
            let Some([open, _, _, close]) = self.bar(symbol, session) else { continue };
            let market = if at_close { close } else { open };
            let (sign, signal_close) = (candidate.side.sign(), self.last_close(symbol, signalled));
            if self.held.len() >= rules.risk.max_positions as usize {
                continue;
            }
            let is_gap = candidate.stop.is_some_and(|stop| sign * (market - stop) <= 0.0);
            if is_gap && rules.stop_anchor == StopAnchor::SignalClose && rules.on_gap == OnGap::Reject {
                continue;
            }
            let whole = |units: f64| if rules.risk.fractional { units.max(0.0) } else { units.max(0.0).floor() };
            let gross: f64 = self.held.iter().map(|it| it.units * self.last_close(it.symbol, signalled)).sum();
            let wish = match candidate.size {
                Size::AllCash => f64::INFINITY,
                Size::Units(units) => units,
                Size::Notional(value) => value / signal_close,
                Size::Share(share) => share * equity / signal_close,
                Size::Risk => rules.risk.risk_per_trade * equity / (sign * (signal_close - candidate.stop.unwrap())),
            };
            let mut units = wish;
            if candidate.size != Size::AllCash {
                let limits = [
                    rules.risk.max_position_notional * equity / signal_close,
                    (rules.risk.max_exposure * equity - gross) / signal_close,
                    rules.risk.max_order_pct_adv.unwrap_or(f64::INFINITY) * candidate.adv20 / signal_close,
                ];
                units = whole(limits.into_iter().fold(wish, f64::min));
                if units * signal_close <= 1e-9 * equity {
                    continue;
                }
            }
            let paid = market * (1.0 + sign * rules.costs.slippage_bps / 1e4);
            let shorts: f64 = self
                .held
                .iter()
                .filter(|it| it.candidate.side == Side::Short)
                .map(|it| 2.0 * it.units * self.last_close(it.symbol, signalled))
                .sum();
            let free = self.cash - shorts + (rules.risk.max_exposure - 1.0).max(0.0) * equity;
            let rule = &rules.costs.commission;
            if units * paid + self.commission(units, paid) > free || units.is_infinite() {
                let by_rate = free / (paid * (1.0 + rule.bps / 1e4) + rule.per_share);
                units = whole(by_rate.min((free - rule.min) / paid));
            }
            if units * signal_close <= 1e-9 * equity {
                continue;
            }
            let moved = |level: f64| match rules.stop_anchor {
                StopAnchor::SignalClose => level,
                StopAnchor::Fill => paid + level - signal_close,
            };
            self.cash -= sign * units * paid + self.commission(units, paid);
            self.held.push(Holding {
                symbol,
                candidate,
                entered: session,
                paid,
                units,
                first_stop: candidate.stop.map(moved),
                stop: candidate.stop.map(moved),
                target: candidate.take_profit.map(moved),
                leaves: None,
                last_seen: session,
                high: paid,
                low: paid,
            });
        }
    }
}

/// Random candidates on random bars: both directions, every kind of size, stop, target and exit.
fn random_signals(bars: &Bars, stream: &mut RandomStream) -> Signals {
    let maybe = |stream: &mut RandomStream, share: f64| stream.uniform() < share;
    let symbols = bars.series.iter().map(|series| {
        let mut own = SymbolSignals::default();
        for (row, &session) in series.session.iter().enumerate() {
            let close = series.close[row];
            own.exit_long.push(maybe(stream, 0.06));
            own.exit_short.push(maybe(stream, 0.06));
            own.atr.push(if maybe(stream, 0.1) { f64::NAN } else { close * (0.01 + 0.03 * stream.uniform()) });
            if !maybe(stream, 0.2) {
                continue;
            }
            let side = if maybe(stream, 0.5) { Side::Long } else { Side::Short };
            let away = |share: f64| close * (1.0 + side.sign() * share);
            let has_stop = maybe(stream, 0.8);
            let size = match (5.0 * stream.uniform()) as u32 {
                0 if has_stop => Size::Risk,
                1 => Size::Units(400.0 * stream.uniform()),
                2 => Size::Notional(30_000.0 * stream.uniform()),
                3 => Size::AllCash,
                _ => Size::Share(0.4 * stream.uniform()),
            };
            let distance = match (2.0 * stream.uniform()) as u32 {
                0 => TrailDistance::Atr(1.0 + 2.0 * stream.uniform()),
                _ => TrailDistance::Percent(0.01 + 0.05 * stream.uniform()),
            };
            let from = if maybe(stream, 0.5) { TrailFrom::Close } else { TrailFrom::Extreme };
            own.candidates.push(Candidate {
                side,
                eligible: maybe(stream, 0.9),
                stop: has_stop.then_some(away(-0.002 - 0.06 * stream.uniform())),
                take_profit: maybe(stream, 0.4).then_some(away(0.002 + 0.06 * stream.uniform())),
                trailing: maybe(stream, 0.4).then_some(TrailingStop { distance, from }),
                break_even: (has_stop && maybe(stream, 0.3)).then_some(2.0 * stream.uniform()),
                time_stop: maybe(stream, 0.3).then_some((10.0 * stream.uniform()) as u32),
                size,
                // few levels, so that ties are common
                score: (4.0 * stream.uniform()).floor() / 4.0,
                clearance: (2.0 * stream.uniform()).floor(),
                adv20: 5e6 * stream.uniform(),
                ..Candidate::at(session, row as u32)
            });
        }
        own
    });
    Signals { symbols: symbols.collect() }
}

fn random_rules(stream: &mut RandomStream) -> PortfolioRules {
    let mut coin = || stream.uniform() < 0.5;
    let mut rules = PortfolioRules {
        fill: if coin() { FillAt::NextOpen } else { FillAt::Close },
        on_gap: if coin() { OnGap::Reject } else { OnGap::Enter },
        at_end: if coin() { AtEnd::Mark } else { AtEnd::ExitAtLastOpen },
        stop_trigger: if coin() { StopTrigger::Intrabar } else { StopTrigger::Close },
        stop_anchor: if coin() { StopAnchor::SignalClose } else { StopAnchor::Fill },
        ..PortfolioRules::default()
    };
    rules.risk.fractional = coin();
    rules.risk.max_order_pct_adv = coin().then_some(0.01);
    rules.risk.max_exposure = if coin() { 1.0 } else { 0.7 };
    rules.costs.commission.min = if coin() { 0.0 } else { 2.0 };
    rules.costs.commission.per_share = if coin() { 0.0 } else { 0.01 };
    rules.data.delisting_haircut = if coin() { 0.0 } else { 0.2 };
    rules.risk.max_positions = 1 + (5.0 * stream.uniform()) as u32;
    rules.data.max_missing_sessions = (4.0 * stream.uniform()) as u32;
    rules.risk.max_position_notional = 0.1 + 0.5 * stream.uniform();
    rules
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_plain_simulator_comes_to_the_same_trades_and_the_same_equity(seed in 0_u64..1_000_000) {
        let mut stream = Seed::new(3).derive("oracle").index(seed).stream();
        let bars = walks(seed, 5, 90, 0.08, 0.0);
        let (signals, rules) = (random_signals(&bars, &mut stream), random_rules(&mut stream));
        let found = simulate(&bars, &signals, &rules, 0..90, None, &CancelToken::new()).unwrap();
        let cash = rules.risk.initial_equity;
        let mut oracle =
            Oracle { bars: &bars, signals: &signals, rules: &rules, cash, held: vec![], done: vec![], equity: vec![] };
        (0..90).for_each(|session| oracle.session(session, 90));
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-9 * b.abs().max(1.0);
        for (trade, done) in found.trades.iter().zip(&oracle.done) {
            prop_assert_eq!((trade.symbol as usize, trade.entry_session, trade.exit_session), (done.0, done.1, done.2), "{:?} {:?}", rules, trade);
            prop_assert!(near(trade.entry_price, done.3) && near(trade.exit_price, done.4) && near(trade.quantity, done.5),
                "{:?} against {:?}", trade, done);
        }
        prop_assert_eq!(found.trades.len(), oracle.done.len());
        for (point, equity) in found.equity.iter().zip(&oracle.equity) {
            prop_assert!(near(point.equity, *equity), "session {}: {} against {}", point.session, point.equity, equity);
        }
    }

    #[test]
    fn whatever_the_rules_the_books_balance_and_a_changed_future_never_changes_the_past(
        seed in 0_u64..1_000_000, cut in 20_u32..80,
    ) {
        let mut stream = Seed::new(3).derive("books").index(seed).stream();
        let bars = walks(seed, 5, 90, 0.08, 0.0);
        let signals = random_signals(&bars, &mut stream);
        let rules = random_rules(&mut stream);
        let run = |bars: &Bars| simulate(bars, &signals, &rules, 0..90, None, &CancelToken::new()).unwrap();
        let found = run(&bars);
        let closed: f64 = found.trades.iter().map(|trade| trade.net_pnl).sum();
        let open: f64 = found.open_at_end.iter().map(|open| open.unrealised_pnl).sum();
        prop_assert!((found.initial_equity + closed + open - found.equity[89].equity).abs() < 0.005);
        prop_assert!(found.equity.iter().all(|point| point.cash >= 0.0 && point.positions <= rules.risk.max_positions));
        let ended = found.funnel.filled + found.funnel.rejected.values().sum::<usize>();
        prop_assert_eq!((ended, found.funnel.filled), (found.candidates.len(), found.trades.len() + found.open_at_end.len()));
        for trade in &found.trades {
            let sign = trade.side.sign();
            prop_assert!(sign * (trade.best_price - trade.worst_price) >= 0.0);
            // a stop only ever comes nearer
            if let (Some(first), Some(last)) = (trade.stop, trade.last_stop) {
                prop_assert!(sign * (last - first) >= 0.0);
            }
        }
        let mut other = bars.clone();
        for series in &mut other.series {
            let from = series.session.partition_point(|session| *session < cut);
            for column in [&mut series.open, &mut series.high, &mut series.low, &mut series.close] {
                column[from..].iter_mut().for_each(|price| *price *= 1.02);
            }
        }
        let other = run(&other);
        let past = cut as usize;
        prop_assert_eq!(&found.equity[..past], &other.equity[..past]);
        let until = |backtest: &Backtest| {
            backtest.trades.iter().filter(|it| it.exit_session < cut).cloned().collect::<Vec<_>>()
        };
        prop_assert_eq!(until(&found), until(&other));
    }
}
