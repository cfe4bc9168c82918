//! The order of events inside a session, one vector a rule; each is run long and, mirrored at 100, short.

use super::conformance::{free, series, universe};
use crate::backtest::*;
use crate::base::{CancelToken, MICROS_PER_DAY};
use crate::strategy::{
    AtEnd, Candidate, FillAt, OnGap, Side, Signals, Size, StopTrigger, SymbolSignals, TrailDistance, TrailFrom,
    TrailingStop,
};

type Ohlc = [f64; 4];
const FLAT: Ohlc = [100.0, 101.0, 99.0, 100.0];

/// One symbol of a vector: its bars by session, its candidates, and the rows whose close tells a position to leave.
#[derive(Clone)]
struct Own {
    bars: Vec<(u32, Ohlc)>,
    candidates: Vec<Candidate>,
    exits: Vec<usize>,
    atr: Vec<f64>,
}

fn own(bars: &[Ohlc], candidates: &[Candidate]) -> Own {
    let bars = (0..).zip(bars.iter().copied()).collect();
    Own { bars, candidates: candidates.to_vec(), exits: Vec::new(), atr: Vec::new() }
}

/// A candidate for 10 units with its stop at 95.
fn stopped(row: u32) -> Candidate {
    Candidate { stop: Some(95.0), size: Size::Units(10.0), ..Candidate::at(row, row) }
}

fn run(symbols: &[Own], rules: &PortfolioRules, side: Side) -> Backtest {
    run_with(symbols, rules, side, None)
}

fn run_with(symbols: &[Own], rules: &PortfolioRules, side: Side, overlay: Option<&MlOverlay>) -> Backtest {
    let price = |x: f64| if side == Side::Long { x } else { 200.0 - x };
    let bar = |[open, high, low, close]: Ohlc| match side {
        Side::Long => [open, high, low, close],
        Side::Short => [price(open), price(low), price(high), price(close)],
    };
    let sessions = symbols.iter().filter_map(|it| it.bars.last()).map(|(session, _)| session + 1).max().unwrap();
    let named = symbols.iter().enumerate().map(|(at, it)| {
        let bars: Vec<(u32, Ohlc)> = it.bars.iter().map(|(session, ohlc)| (*session, bar(*ohlc))).collect();
        series(&format!("S{at}"), &bars)
    });
    let mut bars = universe(sessions, named.collect());
    bars.sessions.iter_mut().for_each(|ts| *ts *= MICROS_PER_DAY);
    let signals = symbols.iter().map(|it| {
        let mirrored = |candidate: &Candidate| Candidate {
            side,
            stop: candidate.stop.map(price),
            take_profit: candidate.take_profit.map(price),
            ..*candidate
        };
        let exit: Vec<bool> = (0..it.bars.len()).map(|row| it.exits.contains(&row)).collect();
        SymbolSignals {
            candidates: it.candidates.iter().map(mirrored).collect(),
            exit_long: exit.clone(),
            exit_short: exit,
            atr: it.atr.clone(),
            ..SymbolSignals::default()
        }
    });
    let signals = Signals { symbols: signals.collect() };
    simulate(&bars, &signals, rules, 0..sessions, overlay, &CancelToken::new()).unwrap()
}

/// Runs both directions, asserts that they made the same, and gives the long one.
fn both(symbols: &[Own], rules: &PortfolioRules) -> Backtest {
    let (long, short) = (run(symbols, rules, Side::Long), run(symbols, rules, Side::Short));
    let made = |backtest: &Backtest| {
        let trades = backtest.trades.iter().map(|it| (it.symbol, it.entry_session, it.exit_session, it.exit_reason));
        (trades.collect::<Vec<_>>(), backtest.candidates.iter().map(|it| it.state).collect::<Vec<_>>())
    };
    assert_eq!(made(&long), made(&short));
    for (a, b) in long.trades.iter().zip(&short.trades) {
        assert!((a.net_pnl - b.net_pnl).abs() < 1e-9 && (a.exit_price - (200.0 - b.exit_price)).abs() < 1e-9);
        assert!((a.r.unwrap_or(9.0) - b.r.unwrap_or(9.0)).abs() < 1e-9 && (a.mae_r.is_some() == b.mae_r.is_some()));
        assert!((a.best_price - (200.0 - b.best_price)).abs() < 1e-9);
    }
    for (a, b) in long.equity.iter().zip(&short.equity) {
        assert!((a.equity - b.equity).abs() < 1e-9 && (a.net_exposure + b.net_exposure).abs() < 0.2);
    }
    long
}

fn slots(most: u32) -> PortfolioRules {
    let mut rules = free();
    rules.risk.max_positions = most;
    rules
}

fn states(backtest: &Backtest, symbol: u32) -> Vec<CandidateState> {
    backtest.candidates.iter().filter(|it| it.symbol == symbol).map(|it| it.state).collect()
}

fn exits(backtest: &Backtest) -> Vec<(f64, u32, ExitReason)> {
    backtest.trades.iter().map(|it| (it.exit_price, it.exit_session, it.exit_reason)).collect()
}

const FILLED: CandidateState = CandidateState::Filled;
const FULL: CandidateState = CandidateState::Rejected(Rejection::SlotsFull { rank: 1 });

#[test]
fn a_forced_exit_at_the_open_frees_its_slot_for_the_entries_of_that_open() {
    let mut gone = own(&[FLAT; 2], &[stopped(0)]);
    gone.bars.push((4, FLAT));
    let other = own(&[FLAT; 5], &[stopped(3)]);
    let found = both(&[gone, other], &slots(1));
    assert_eq!(exits(&found), [(100.0, 4, ExitReason::DataMissing)]);
    assert_eq!(states(&found, 1), [FILLED]);
}

#[test]
fn a_pending_exit_at_the_open_frees_its_slot_and_its_cash_for_the_entries_of_that_open() {
    let mut leaving = own(&[FLAT; 4], &[stopped(0)]);
    leaving.exits = vec![1];
    let other = own(&[FLAT; 4], &[stopped(1)]);
    let mut rules = slots(1);
    rules.risk.initial_equity = 1_500.0;
    let found = both(&[leaving, other], &rules);
    assert_eq!(exits(&found), [(100.0, 2, ExitReason::Signal)]);
    assert_eq!((states(&found, 1), found.open_at_end[0].quantity), (vec![FILLED], 10.0));
}

#[test]
fn what_a_stop_frees_inside_the_session_is_used_from_the_next_open() {
    let stop = own(&[FLAT, FLAT, [99.0, 99.0, 94.0, 96.0], FLAT, FLAT], &[stopped(0)]);
    let other = own(&[FLAT; 5], &[stopped(1), stopped(2)]);
    let found = both(&[stop, other], &slots(1));
    assert_eq!(exits(&found), [(95.0, 2, ExitReason::HardStop)]);
    assert_eq!(states(&found, 1), [FULL, FILLED]);
}

#[test]
fn what_a_target_frees_inside_the_session_is_used_from_the_next_open() {
    let target = Candidate { take_profit: Some(104.0), ..stopped(0) };
    let first = own(&[FLAT, FLAT, [101.0, 104.0, 100.0, 103.0], FLAT, FLAT], &[target]);
    let other = own(&[FLAT; 5], &[stopped(1), stopped(2)]);
    let found = both(&[first, other], &slots(1));
    assert_eq!(exits(&found), [(104.0, 2, ExitReason::TakeProfit)], "equality reaches the limit");
    assert_eq!(states(&found, 1), [FULL, FILLED]);
}

#[test]
fn a_pending_exit_at_the_open_comes_before_the_stop_of_that_bar() {
    let mut one = own(&[FLAT, FLAT, [98.0, 99.0, 90.0, 91.0]], &[stopped(0)]);
    one.exits = vec![1];
    assert_eq!(exits(&both(&[one], &free())), [(98.0, 2, ExitReason::Signal)]);
}

#[test]
fn a_target_beyond_the_open_fills_at_the_open() {
    let target = Candidate { take_profit: Some(104.0), ..stopped(0) };
    let found = both(&[own(&[FLAT, FLAT, [107.0, 108.0, 100.0, 103.0]], &[target])], &free());
    assert_eq!(exits(&found), [(107.0, 2, ExitReason::TakeProfit)]);
}

#[test]
fn stops_of_older_positions_come_before_those_of_positions_just_opened() {
    let falls = [99.0, 99.0, 94.0, 96.0];
    let older = own(&[FLAT, FLAT, falls], &[stopped(0)]);
    let newer = own(&[FLAT, FLAT, [100.0, 100.0, 90.0, 96.0]], &[stopped(1)]);
    let found = both(&[newer.clone(), older], &free());
    assert_eq!(found.trades.iter().map(|it| it.symbol).collect::<Vec<_>>(), [1, 0]);
}

#[test]
fn equity_is_marked_at_the_close_that_tells_the_exit() {
    let mut one =
        own(&[FLAT, FLAT, [100.0, 104.0, 100.0, 103.0], [90.0; 4]], &[Candidate { stop: None, ..stopped(0) }]);
    one.exits = vec![2];
    let found = both(&[one], &free());
    assert_eq!(found.equity.iter().map(|it| it.equity - 100_000.0).collect::<Vec<_>>(), [0.0, 0.0, 30.0, -100.0]);
}

#[test]
fn a_signal_at_the_close_that_tells_the_exit_finds_the_symbol_held() {
    let mut one = own(&[FLAT; 4], &[stopped(0), stopped(1), stopped(2)]);
    one.exits = vec![1];
    let found = both(&[one], &free());
    assert_eq!(states(&found, 0), [FILLED, CandidateState::Rejected(Rejection::AlreadyIn), FILLED]);
}

fn trail(distance: TrailDistance, from: TrailFrom) -> Candidate {
    Candidate { trailing: Some(TrailingStop { distance, from }), ..stopped(0) }
}

#[test]
fn a_stop_moved_after_a_close_holds_from_the_next_bar() {
    // close 108 moves the stop to 103; the low of 101 in that bar is no hit, the low of 102 in the next one is
    let rises = [100.0, 109.0, 101.0, 108.0];
    let one =
        own(&[FLAT, FLAT, rises, [107.0, 107.0, 102.0, 106.0]], &[trail(TrailDistance::Atr(2.0), TrailFrom::Close)]);
    let found = both(&[Own { atr: vec![2.5; 4], ..one }], &free());
    assert_eq!(exits(&found), [(103.0, 3, ExitReason::TrailingStop)]);
    let trade = &found.trades[0];
    assert_eq!((trade.stop, trade.last_stop), (Some(95.0), Some(103.0)));
    assert_eq!((trade.r, trade.gross_r), (Some(0.6), Some(0.6)), "the denominator is the initial stop's");
    assert_eq!((trade.best_price, trade.worst_price, trade.mfe_r), (109.0, 99.0, Some(1.8)));
}

#[test]
fn a_trailing_stop_is_never_loosened() {
    let rises = [100.0, 112.0, 100.0, 110.0];
    let sinks = [110.0, 110.0, 106.0, 106.0];
    let one = own(
        &[FLAT, FLAT, rises, sinks, [105.0, 106.0, 104.0, 105.0]],
        &[trail(TrailDistance::Atr(1.0), TrailFrom::Close)],
    );
    // 105 after the rise; a wider range, a lower close or no range at all leave it there
    let found = both(&[Own { atr: vec![5.0, 5.0, 5.0, f64::NAN, 50.0], ..one.clone() }], &free());
    assert_eq!(exits(&found), [(105.0, 4, ExitReason::TrailingStop)]);
    let found = both(&[Own { atr: vec![5.0, 5.0, 5.0, 50.0, 50.0], ..one }], &free());
    assert_eq!(exits(&found), [(105.0, 4, ExitReason::TrailingStop)]);
}

#[test]
fn a_trailing_stop_may_follow_the_extreme_or_a_share_of_the_price() {
    let rises = [100.0, 110.0, 100.0, 105.0];
    let fall = [104.0, 104.0, 90.0, 91.0];
    let from = |distance, from| Own { atr: vec![4.0; 4], ..own(&[FLAT, FLAT, rises, fall], &[trail(distance, from)]) };
    let chandelier = both(&[from(TrailDistance::Atr(2.0), TrailFrom::Extreme)], &free());
    assert_eq!(exits(&chandelier), [(102.0, 3, ExitReason::TrailingStop)]);
    // a share is of the price, so the mirror is not the same distance
    let percent = run(&[from(TrailDistance::Percent(0.02), TrailFrom::Close)], &free(), Side::Long);
    assert!((percent.trades[0].exit_price - 105.0 * 0.98).abs() < 1e-12);
    let short = run(&[from(TrailDistance::Percent(0.02), TrailFrom::Close)], &free(), Side::Short);
    assert!((short.trades[0].exit_price - 95.0 * 1.02).abs() < 1e-12);
}

#[test]
fn a_trailing_stop_needs_no_initial_one_and_then_has_no_r() {
    let alone = Candidate { stop: None, ..trail(TrailDistance::Atr(1.0), TrailFrom::Close) };
    let one = own(&[FLAT, [100.0, 100.0, 80.0, 100.0], [97.0, 99.0, 96.0, 98.0]], &[alone]);
    let found = both(&[Own { atr: vec![3.0; 3], ..one }], &free());
    assert_eq!(exits(&found), [(97.0, 2, ExitReason::TrailingStop)], "nothing stops it on the entry bar");
    assert_eq!((found.trades[0].r, found.trades[0].stop), (None, None));
}

#[test]
fn a_gain_of_so_many_r_moves_the_stop_to_the_entry() {
    let even = Candidate { break_even: Some(1.0), ..stopped(0) };
    let one = |high: f64| own(&[FLAT, FLAT, [100.0, high, 98.0, 104.0], [101.0, 101.0, 97.0, 98.0]], &[even]);
    assert_eq!(exits(&both(&[one(105.0)], &free())), [(100.0, 3, ExitReason::BreakEven)]);
    assert!(both(&[one(104.9)], &free()).trades.is_empty());
}

#[test]
fn a_time_stop_leaves_at_the_open_after_the_bars_it_allows() {
    let timed = Candidate { time_stop: Some(2), ..stopped(0) };
    assert_eq!(exits(&both(&[own(&[FLAT; 6], &[timed])], &free())), [(100.0, 4, ExitReason::TimeStop)]);
}

#[test]
fn a_stop_on_the_close_compares_with_where_it_stood_in_that_bar() {
    let rules = PortfolioRules { stop_trigger: StopTrigger::Close, ..free() };
    // the close of 108 puts the stop at 106, the close of 105 is below it, the open of 104 is the fill
    let rows = [FLAT, FLAT, [100.0, 109.0, 90.0, 108.0], [107.0, 107.0, 100.0, 105.0], [104.0; 4]];
    let one = own(&rows, &[trail(TrailDistance::Atr(1.0), TrailFrom::Close)]);
    let found = both(&[Own { atr: vec![2.0; 5], ..one }], &rules);
    assert_eq!(exits(&found), [(104.0, 4, ExitReason::TrailingStop)]);
}

#[test]
fn an_order_beyond_its_stop_may_be_entered_and_is_out_at_once() {
    let rules = PortfolioRules { on_gap: OnGap::Enter, ..free() };
    let found = both(&[own(&[FLAT, [90.0, 97.0, 88.0, 96.0]], &[stopped(0)])], &rules);
    assert_eq!(exits(&found), [(90.0, 1, ExitReason::HardStop)]);
    assert_eq!((found.trades[0].net_pnl, found.trades[0].r), (0.0, None), "nothing was at risk, so R is undefined");
}

#[test]
fn what_is_open_may_leave_at_the_last_open_and_nothing_is_entered_there() {
    let rules = PortfolioRules { at_end: AtEnd::ExitAtLastOpen, ..free() };
    let last = [98.0, 99.0, 94.0, 97.0];
    let found =
        both(&[own(&[FLAT, FLAT, FLAT, last], &[stopped(0)]), own(&[FLAT, FLAT, FLAT, last], &[stopped(2)])], &rules);
    assert_eq!(exits(&found), [(98.0, 3, ExitReason::EndOfData)]);
    assert_eq!(states(&found, 1), [CandidateState::Rejected(Rejection::EndOfData)]);
    assert!(found.open_at_end.is_empty());
}

#[test]
fn fills_at_the_close_enter_and_leave_at_the_close_that_says_so() {
    let rules = PortfolioRules { fill: FillAt::Close, ..slots(1) };
    // the entry bar's low of 90 was before the entry; the last bar's exit frees the slot for the other at once
    let mut one = own(&[[100.0, 110.0, 90.0, 102.0], FLAT, [100.0, 108.0, 96.0, 107.0]], &[stopped(0)]);
    one.exits = vec![2];
    let other = own(&[FLAT; 3], &[stopped(1), stopped(2)]);
    let found = both(&[one, other], &rules);
    assert_eq!(exits(&found), [(107.0, 2, ExitReason::Signal)]);
    let trade = &found.trades[0];
    assert_eq!((trade.entry_price, trade.entry_session, trade.entry_row, trade.net_pnl), (102.0, 0, 0, 50.0));
    assert_eq!((trade.best_price, trade.worst_price, trade.holding_sessions), (108.0, 96.0, 2));
    assert_eq!(states(&found, 1), [FULL, FILLED]);
    assert_eq!(found.open_at_end[0].entry_price, 100.0);
}

#[test]
fn a_fill_at_the_close_is_sized_by_the_equity_of_that_close() {
    let rules = PortfolioRules { fill: FillAt::Close, ..free() };
    let first = own(&[FLAT, [100.0, 120.0, 100.0, 120.0]], &[Candidate { size: Size::Units(500.0), ..stopped(0) }]);
    let half = own(&[FLAT; 2], &[Candidate { size: Size::Share(0.5), ..stopped(1) }]);
    // 100,000 and a gain of 10,000, half of it over a close of 100
    let found = run(&[first, half], &rules, Side::Long);
    assert_eq!(found.open_at_end.iter().map(|it| it.quantity).collect::<Vec<_>>(), [500.0, 500.0]);
    assert_eq!(found.open_at_end[1].entry_session, 1);
    let caps = &found.equity[1];
    assert_eq!((caps.equity, caps.cash), (110_000.0, 0.0), "550 wished for, 500 is what the account holds");
}

#[test]
fn value_and_share_are_over_the_close_of_the_signal() {
    let of = |size| run(&[own(&[FLAT, [110.0; 4]], &[Candidate { size, ..stopped(0) }])], &free(), Side::Long);
    assert_eq!(of(Size::Notional(5_050.0)).open_at_end[0].quantity, 50.0);
    assert_eq!(of(Size::Share(0.25)).open_at_end[0].quantity, 250.0);
}

/// Three symbols with a signal in each of the first two sessions, all by a model.
fn by_model(limits: MlLimits, bars: &[Ohlc]) -> Backtest {
    let symbols: Vec<Own> = (0..3).map(|_| own(bars, &[stopped(0), stopped(1)])).collect();
    let probability = (0..3).flat_map(|symbol| [((symbol, 0), 0.9 - 0.1 * f64::from(symbol)), ((symbol, 1), 0.6)]);
    let overlay = MlOverlay {
        rules: MlRules { mode: PredictionMode::Replace, ..MlRules::default() },
        limits: Some(limits),
        probability: probability.collect(),
        ..MlOverlay::default()
    };
    run_with(&symbols, &free(), Side::Long, Some(&overlay))
}

const NONE: MlLimits = MlLimits { max_ml_positions: None, max_ml_position_size: None, daily_ml_loss_limit: None };

#[test]
fn positions_of_a_model_have_slots_of_their_own() {
    let found = by_model(MlLimits { max_ml_positions: Some(2), ..NONE }, &[FLAT; 3]);
    let full = CandidateState::Rejected(Rejection::MlSlotsFull);
    assert_eq!((0..3).map(|symbol| states(&found, symbol)[0]).collect::<Vec<_>>(), [FILLED, FILLED, full]);
    assert_eq!((found.funnel.slotted, found.funnel.filled), (2, 2));
}

#[test]
fn a_position_of_a_model_is_cut_to_its_share_and_says_so() {
    let found =
        by_model(MlLimits { max_ml_position_size: Some(0.005), ..NONE }, &[FLAT, FLAT, [99.0, 99.0, 94.0, 96.0]]);
    assert_eq!((found.trades[0].quantity, &found.trades[0].caps[..]), (5.0, &[Cap::MlPositionSize][..]));
}

#[test]
fn after_a_day_of_losses_signals_of_a_model_are_refused() {
    // 20 units fall by 4 in the session of the second signals: 80 of 100,000
    let bars = [FLAT, [100.0, 100.0, 96.0, 96.0], FLAT, FLAT];
    let second = |limit| {
        let found = by_model(MlLimits { daily_ml_loss_limit: Some(limit), max_ml_positions: Some(2), ..NONE }, &bars);
        states(&found, 2)[1]
    };
    assert_eq!(second(0.0007), CandidateState::Rejected(Rejection::MlLossLimit));
    assert_eq!(second(0.0009), CandidateState::Rejected(Rejection::MlSlotsFull));
}

#[test]
fn a_limit_or_a_rule_that_makes_no_sense_is_refused_by_name() {
    for (limits, name) in [
        (MlLimits { max_ml_positions: Some(0), ..NONE }, "max_ml_positions"),
        (MlLimits { max_ml_position_size: Some(-0.1), ..NONE }, "max_ml_position_size"),
        (MlLimits { daily_ml_loss_limit: Some(f64::NAN), ..NONE }, "daily_ml_loss_limit"),
    ] {
        assert!(limits.check().unwrap_err().to_string().starts_with(&format!("`{name}` is out of range")));
    }
    let bars = universe(2, vec![series("A", &[(0, FLAT), (1, FLAT)])]);
    let refused = |candidate: Candidate| {
        let own = SymbolSignals { candidates: vec![candidate], ..SymbolSignals::default() };
        simulate(&bars, &Signals { symbols: vec![own] }, &free(), 0..2, None, &CancelToken::new())
            .unwrap_err()
            .to_string()
    };
    let trailing = refused(trail(TrailDistance::Atr(2.0), TrailFrom::Close));
    assert!(trailing.contains("without one for each bar"), "{trailing}");
    let even = refused(Candidate { break_even: Some(1.0), ..Candidate::at(0, 0) });
    assert!(even.contains("without a stop"), "{even}");
}
