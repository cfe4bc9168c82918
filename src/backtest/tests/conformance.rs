//! The five cases of the written rules, and single rules one at a time.

use crate::backtest::*;
use crate::base::CancelToken;
use crate::market::{Bars, Series};
use crate::strategy::{
    Candidate, Commission, CostRules, DataRules, RiskRules, Side, Signals, Size, StopTrigger, SymbolSignals,
};

type Ohlc = [f64; 4];

pub(in crate::backtest) fn free() -> PortfolioRules {
    PortfolioRules {
        risk: RiskRules { max_position_notional: 100.0, max_order_pct_adv: None, ..RiskRules::default() },
        costs: CostRules {
            slippage_bps: 0.0,
            stop_slippage_bps: 0.0,
            commission: Commission { bps: 0.0, ..Commission::default() },
        },
        data: DataRules::default(),
        ..PortfolioRules::default()
    }
}

pub(in crate::backtest) fn series(symbol: &str, bars: &[(u32, Ohlc)]) -> Series {
    let column = |at: usize| bars.iter().map(|(_, bar)| bar[at]).collect();
    Series {
        symbol: symbol.to_owned(),
        session: bars.iter().map(|(session, _)| *session).collect(),
        open: column(0),
        high: column(1),
        low: column(2),
        close: column(3),
        volume: vec![1e6; bars.len()],
        extra: Default::default(),
    }
}

pub(in crate::backtest) fn universe(sessions: u32, series: Vec<Series>) -> Bars {
    Bars { sessions: (0..i64::from(sessions)).collect(), series, periods_per_year: 252.0 }
}

/// One symbol: a signal at the first bar (close 100) with the stop at 95, then the bars given.
fn one(rest: &[Ohlc], rules: &PortfolioRules, edit: impl Fn(&mut Candidate)) -> Backtest {
    let mut bars = vec![(0, [100.0, 100.0, 100.0, 100.0])];
    bars.extend(rest.iter().enumerate().map(|(at, bar)| (at as u32 + 1, *bar)));
    let bars = universe(bars.len() as u32, vec![series("A", &bars)]);
    let mut candidate = Candidate { stop: Some(95.0), size: Size::Units(10.0), ..Candidate::at(0, 0) };
    edit(&mut candidate);
    let signals = Signals { symbols: vec![SymbolSignals { candidates: vec![candidate], ..SymbolSignals::default() }] };
    simulate(&bars, &signals, rules, 0..bars.sessions.len() as u32, None, &CancelToken::new()).unwrap()
}

const ENTRY: Ohlc = [100.0, 101.0, 99.0, 100.0];

fn exit_of(backtest: &Backtest) -> (f64, u32) {
    assert_eq!(backtest.trades.len(), 1, "{backtest:?}");
    (backtest.trades[0].exit_price, backtest.trades[0].exit_session)
}

fn state(backtest: &Backtest, at: usize) -> CandidateState {
    backtest.candidates[at].state
}

#[test]
fn a_touched_stop_fills_at_the_stop() {
    assert_eq!(exit_of(&one(&[ENTRY, [99.0, 99.0, 94.0, 96.0]], &free(), |_| ())), (95.0, 2));
}

#[test]
fn a_gap_through_the_stop_fills_at_the_open() {
    assert_eq!(exit_of(&one(&[ENTRY, [90.0, 97.0, 88.0, 96.0]], &free(), |_| ())), (90.0, 2));
}

#[test]
fn the_stop_counts_on_the_entry_bar() {
    assert_eq!(exit_of(&one(&[[100.0, 101.0, 93.0, 100.0]], &free(), |_| ())), (95.0, 1));
}

#[test]
fn a_low_equal_to_the_stop_is_a_hit() {
    assert_eq!(exit_of(&one(&[ENTRY, [99.0, 99.0, 95.0, 96.0]], &free(), |_| ())), (95.0, 2));
}

#[test]
fn an_open_at_or_below_the_stop_is_no_entry() {
    for open in [90.0, 95.0] {
        let backtest = one(&[[open, 101.0, open, 100.0]], &free(), |_| ());
        assert_eq!(state(&backtest, 0), CandidateState::Rejected(Rejection::GapBelowStop));
        assert!(backtest.trades.is_empty() && backtest.open_at_end.is_empty());
    }
}

#[test]
fn a_short_is_the_mirror_of_a_long() {
    let short = |candidate: &mut Candidate| {
        candidate.side = Side::Short;
        candidate.stop = Some(105.0);
        candidate.take_profit = Some(92.0);
    };
    let backtest = one(&[ENTRY, [110.0, 112.0, 103.0, 104.0]], &free(), short);
    assert_eq!(exit_of(&backtest), (110.0, 2));
    assert_eq!((backtest.trades[0].net_pnl, backtest.trades[0].r), (-100.0, Some(-2.0)));
    assert_eq!(exit_of(&one(&[ENTRY, [100.0, 104.0, 91.0, 93.0]], &free(), short)), (92.0, 2));
}

#[test]
fn the_stop_comes_before_the_target_of_the_same_bar() {
    let backtest = one(&[ENTRY, [100.0, 120.0, 90.0, 100.0]], &free(), |it| it.take_profit = Some(110.0));
    assert_eq!((exit_of(&backtest).0, backtest.trades[0].exit_reason), (95.0, ExitReason::HardStop));
}

#[test]
fn a_stop_on_the_close_fills_at_the_next_open() {
    let rules = PortfolioRules { stop_trigger: StopTrigger::Close, ..free() };
    let backtest =
        one(&[ENTRY, [99.0, 99.0, 90.0, 96.0], [96.0, 96.0, 94.0, 95.0], [93.0, 99.0, 93.0, 99.0]], &rules, |_| ());
    assert_eq!(exit_of(&backtest), (93.0, 4));
}

#[test]
fn costs_are_adverse_on_both_sides() {
    let mut rules = free();
    rules.costs = CostRules {
        slippage_bps: 100.0,
        stop_slippage_bps: 100.0,
        commission: Commission { bps: 0.0, per_share: 0.1, min: 2.0 },
    };
    let trade = one(&[ENTRY, [99.0, 99.0, 94.0, 96.0]], &rules, |_| ()).trades.remove(0);
    assert_eq!((trade.entry_price, trade.commission), (101.0, 4.0));
    assert!((trade.exit_price - 95.0 * 0.98).abs() < 1e-12);
    assert!((trade.net_pnl - (10.0 * (95.0 * 0.98 - 101.0) - 4.0)).abs() < 1e-9);
    assert!((trade.r.unwrap() - trade.net_pnl / 60.0).abs() < 1e-12, "the denominator is the net fill over the stop");
    assert!((trade.planned_r.unwrap() - trade.net_pnl / 50.0).abs() < 1e-12);
    assert_eq!((trade.gross_pnl, trade.mfe_r), (-50.0, Some(0.0)));
}

#[test]
fn size_is_the_risk_over_the_distance_and_caps_are_named() {
    let risk = |it: &mut Candidate| it.size = Size::Risk;
    assert_eq!(one(&[ENTRY], &free(), risk).open_at_end[0].quantity, 200.0);
    let mut rules = free();
    rules.risk.max_position_notional = 0.105;
    let backtest = one(&[ENTRY, [99.0, 99.0, 94.0, 96.0]], &rules, risk);
    assert_eq!((backtest.trades[0].quantity, &backtest.trades[0].caps[..]), (105.0, &[Cap::PositionNotional][..]));
    rules.risk.max_order_pct_adv = Some(0.01);
    let backtest = one(&[ENTRY, [99.0, 99.0, 94.0, 96.0]], &rules, |it| (it.size, it.adv20) = (Size::Risk, 1e5));
    assert_eq!((backtest.trades[0].quantity, backtest.trades[0].caps.len()), (10.0, 2));
    // without volume the capacity check fails closed
    assert_eq!(state(&one(&[ENTRY], &rules, risk), 0), CandidateState::Rejected(Rejection::SizeZero));
}

#[test]
fn cash_pays_what_it_can_and_never_more() {
    let backtest = one(&[[150.0, 151.0, 149.0, 150.0]], &free(), |it| it.size = Size::Units(900.0));
    assert_eq!((backtest.open_at_end[0].quantity, backtest.equity[1].cash), (666.0, 100.0));
    let mut rules = free();
    rules.risk.initial_equity = 140.0;
    let backtest = one(&[[150.0, 151.0, 149.0, 150.0]], &rules, |it| it.size = Size::Units(1.0));
    assert_eq!(state(&backtest, 0), CandidateState::Rejected(Rejection::NoCash));
}

fn two(rows: &[(u32, Ohlc)], sessions: u32, rules: &PortfolioRules) -> Backtest {
    let clock: Vec<(u32, Ohlc)> = (0..sessions).map(|session| (session, [10.0; 4])).collect();
    let bars = universe(sessions, vec![series("A", rows), series("B", &clock)]);
    let own = SymbolSignals {
        candidates: vec![Candidate { stop: Some(50.0), size: Size::Units(10.0), ..Candidate::at(0, 0) }],
        ..SymbolSignals::default()
    };
    let signals = Signals { symbols: vec![own, SymbolSignals::default()] };
    simulate(&bars, &signals, rules, 0..sessions, None, &CancelToken::new()).unwrap()
}

#[test]
fn without_a_next_bar_the_order_is_cancelled() {
    let backtest = two(&[(0, [100.0; 4]), (2, [100.0; 4])], 3, &free());
    assert_eq!(state(&backtest, 0), CandidateState::Rejected(Rejection::MissingNextBar));
}

#[test]
fn a_position_leaves_after_the_missing_sessions_it_may_bear() {
    let backtest = two(&[(0, [100.0; 4]), (1, [100.0; 4]), (3, [90.0; 4]), (6, [80.0; 4]), (7, [70.0; 4])], 8, &free());
    assert_eq!((exit_of(&backtest), backtest.trades[0].exit_reason), ((80.0, 6), ExitReason::DataMissing));
    assert_eq!(backtest.equity[5].equity, 100_000.0 - 100.0, "marked at the last close while nothing trades");
}

#[test]
fn a_delisted_position_leaves_at_its_last_close_less_the_haircut_once_it_has_missed_enough() {
    let mut rules = free();
    let rows = [(0, [100.0; 4]), (1, [100.0; 4]), (2, [90.0; 4])];
    let backtest = two(&rows, 5, &rules);
    assert_eq!((exit_of(&backtest), backtest.trades[0].exit_reason), ((90.0, 4), ExitReason::Delisted));
    assert_eq!(backtest.warnings, [BacktestWarning::DelistedWithoutHaircut { count: 1 }]);
    rules.data.delisting_haircut = 0.5;
    let backtest = two(&rows, 5, &rules);
    assert_eq!((exit_of(&backtest), backtest.warnings.len()), ((45.0, 4), 0));
}

#[test]
fn slots_go_by_rank_and_the_rest_know_theirs() {
    let flat: Vec<(u32, Ohlc)> = (0..3).map(|session| (session, [100.0; 4])).collect();
    let scores = [0.2, 0.9, 0.9, f64::NAN];
    let bars = universe(3, ["A", "B", "C", "D"].iter().map(|symbol| series(symbol, &flat)).collect());
    let own = |score| SymbolSignals {
        candidates: vec![
            Candidate { stop: Some(95.0), size: Size::Units(1.0), score, ..Candidate::at(0, 0) },
            Candidate { stop: Some(95.0), size: Size::Units(1.0), score, ..Candidate::at(1, 1) },
        ],
        ..SymbolSignals::default()
    };
    let signals = Signals { symbols: scores.into_iter().map(own).collect() };
    let mut rules = free();
    rules.risk.max_positions = 1;
    let backtest = simulate(&bars, &signals, &rules, 0..3, None, &CancelToken::new()).unwrap();
    let rejected = |rank| CandidateState::Rejected(Rejection::SlotsFull { rank });
    let states: Vec<_> = backtest.candidates.iter().map(|it| it.state).collect();
    assert_eq!(states[..4], [rejected(3), CandidateState::Filled, rejected(2), rejected(4)]);
    assert_eq!(states[5], CandidateState::Rejected(Rejection::AlreadyIn));
    let funnel = &backtest.funnel;
    assert_eq!((funnel.candidates, funnel.eligible, funnel.slotted, funnel.filled), (8, 8, 1, 1));
}

#[test]
fn losing_everything_is_a_typed_error() {
    let short = Candidate { side: Side::Short, size: Size::Units(1000.0), ..Candidate::at(0, 0) };
    let bars = universe(3, vec![series("A", &[(0, [100.0; 4]), (1, [100.0; 4]), (2, [300.0; 4])])]);
    let signals = Signals { symbols: vec![SymbolSignals { candidates: vec![short], ..SymbolSignals::default() }] };
    let result = simulate(&bars, &signals, &free(), 0..3, None, &CancelToken::new());
    assert!(matches!(result, Err(BacktestError::Ruined { session: 2, .. })), "{result:?}");
}

#[test]
fn the_overlay_filters_and_counts_what_is_missing() {
    let bars = universe(2, vec![series("A", &[(0, [100.0; 4]), (1, [100.0; 4])])]);
    let candidate = Candidate { stop: Some(95.0), ..Candidate::at(0, 0) };
    let signals = Signals { symbols: vec![SymbolSignals { candidates: vec![candidate], ..SymbolSignals::default() }] };
    let run = |overlay: &MlOverlay| simulate(&bars, &signals, &free(), 0..2, Some(overlay), &CancelToken::new());
    let mut overlay = MlOverlay::default();
    assert_eq!(run(&overlay), Err(BacktestError::TooManyMissing { missing: 1, total: 1, max_share: 0.2 }));
    overlay.rules.mode = PredictionMode::Filter;
    overlay.probability.insert((0, 0), 0.4);
    assert_eq!(state(&run(&overlay).unwrap(), 0), CandidateState::Rejected(Rejection::MlRejected));
    overlay.probability.insert((0, 0), 1.4);
    assert!(matches!(run(&overlay), Err(BacktestError::Probability { .. })));
}
