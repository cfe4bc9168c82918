//! Every kind of label by hand, and the laws that hold for all of them.

use proptest::prelude::*;

use super::*;
use crate::backtest::{ExitReason, PortfolioRules};
use crate::base::CancelToken;
use crate::market::{Bars, Series};
use crate::strategy::{Candidate, Commission, CostRules, Side, Signals, SymbolSignals};

/// Bars whose sessions are given: a session that is left out is a missing bar.
fn bars(rows: &[(u32, [f64; 4])]) -> Bars {
    let column = |at: usize| rows.iter().map(|(_, bar)| bar[at]).collect();
    let series = Series {
        symbol: "A".to_owned(),
        session: rows.iter().map(|row| row.0).collect(),
        open: column(0),
        high: column(1),
        low: column(2),
        close: column(3),
        volume: vec![1e9; rows.len()],
        ..Series::default()
    };
    let sessions = rows.last().map_or(0, |row| i64::from(row.0) + 1);
    Bars { sessions: (0..sessions).collect(), series: vec![series], periods_per_year: 252.0 }
}

/// 21 quiet bars, closing at 100 and 101 in turn and at 100 at last, then those given; the signal is at row 20.
fn after_quiet(rows: &[[f64; 4]]) -> Bars {
    let quiet = (0..21).map(|row| [100.0, 101.5, 99.0, 100.0 + f64::from(row % 2)]);
    bars(&(0..).zip(quiet.chain(rows.iter().copied())).collect::<Vec<_>>())
}

const T: u32 = 20;

fn free() -> PortfolioRules {
    let commission = Commission { bps: 0.0, per_share: 0.0, min: 0.0 };
    let costs = CostRules { slippage_bps: 0.0, stop_slippage_bps: 0.0, commission };
    PortfolioRules { costs, ..PortfolioRules::default() }
}

fn set_of(bars: &Bars, candidate: Candidate, rules: &PortfolioRules, config: &LabelConfig) -> LabelSet {
    let own = SymbolSignals { candidates: vec![candidate], ..SymbolSignals::default() };
    shadow_trades(bars, &Signals { symbols: vec![own] }, rules, config, &CancelToken::new()).unwrap()
}

fn long(stop: f64) -> Candidate {
    Candidate { stop: Some(stop), ..Candidate::at(T, T) }
}

/// The label of a long at row 20 with a stop far away, free of costs, in at most 5 sessions.
fn label(bars: &Bars, kind: LabelKind, horizon: u32) -> (f64, u32) {
    let config = LabelConfig { kind, horizon, max_horizon: 5, ..LabelConfig::default() };
    let set = set_of(bars, long(50.0), &free(), &config);
    (set.trades[0].value, set.trades[0].t1)
}

fn flat(close: f64) -> [f64; 4] {
    [close; 4]
}

#[test]
fn a_return_runs_from_the_signals_close_to_the_close_of_the_horizon() {
    let rows = after_quiet(&[flat(103.0), flat(104.0), flat(105.0), flat(99.0), flat(98.0), flat(97.0)]);
    assert_eq!(label(&rows, LabelKind::Return, 2).0, 104.0 / 100.0 - 1.0);
    // the row keeps its trade, so that its span ends when both are known
    assert_eq!(label(&rows, LabelKind::Return, 2).1, T + 5);
}

#[test]
fn a_missing_bar_at_the_horizon_is_not_filled_forward_but_looked_at_before() {
    let mut rows: Vec<(u32, [f64; 4])> = (0..21).map(|row| (row, flat(100.0))).collect();
    rows.extend([(21, flat(110.0)), (24, flat(120.0)), (25, flat(130.0))]);
    assert_eq!(label(&bars(&rows), LabelKind::Return, 3).0, 110.0 / 100.0 - 1.0);
}

#[test]
fn a_direction_is_a_hold_inside_the_dead_zone_and_its_edge_belongs_to_it() {
    // log returns are ln 1.01 and -ln 1.01 in turn: mean 0, sd = ln 1.01 * sqrt(20 / 19)
    let unit = 1.01_f64.ln() * (20.0_f64 / 19.0).sqrt();
    for (share, expected) in [(1.001, 1.0), (0.999, 0.0), (-0.999, 0.0), (-1.001, -1.0)] {
        let close = 100.0 * (1.0 + share * unit);
        let rows = after_quiet(&[flat(close), flat(close), flat(close), flat(close), flat(close)]);
        assert_eq!(label(&rows, LabelKind::Direction, 1).0, expected, "{share}");
    }
    let rows = after_quiet(&[flat(100.0); 5]);
    let config = LabelConfig {
        kind: LabelKind::Direction,
        dead_zone: 0.0,
        horizon: 1,
        max_horizon: 5,
        ..LabelConfig::default()
    };
    assert_eq!(set_of(&rows, long(50.0), &free(), &config).trades[0].value, 0.0);
}

#[test]
fn a_direction_without_twenty_returns_before_it_is_undefined_and_counted() {
    let rows = after_quiet(&[flat(100.0); 12]);
    let config = LabelConfig { kind: LabelKind::Direction, horizon: 2, max_horizon: 5, ..LabelConfig::default() };
    let early = Candidate { stop: Some(50.0), ..Candidate::at(19, 19) };
    let set = set_of(&rows, early, &free(), &config);
    assert_eq!((set.trades.len(), set.undefined), (0, 1));
}

#[test]
fn a_volatility_is_the_spread_of_the_returns_after_the_signal() {
    let rows = after_quiet(&[flat(110.0), flat(99.0), flat(99.0), flat(99.0), flat(99.0)]);
    let (a, b) = (1.1_f64.ln(), 0.9_f64.ln());
    let expected = ((a - b) * (a - b) / 2.0).sqrt();
    assert!((label(&rows, LabelKind::Volatility, 2).0 - expected).abs() < 1e-12);
}

#[test]
fn a_barrier_touched_is_the_label_and_of_two_in_one_bar_the_lower() {
    let share = |rows: &[[f64; 4]], candidate: Candidate| {
        let barriers = Barriers { upper: 0.02, lower: 0.01, unit: BarrierUnit::Share };
        let config = LabelConfig {
            kind: LabelKind::TripleBarrier,
            barriers,
            horizon: 3,
            max_horizon: 4,
            ..LabelConfig::default()
        };
        set_of(&after_quiet(rows), candidate, &free(), &config).trades[0].value
    };
    let quiet = [100.0, 100.5, 99.5, 100.0];
    let (up, down, both) = ([100.0, 102.0, 99.5, 101.0], [100.0, 100.5, 99.0, 99.5], [100.0, 102.0, 99.0, 100.0]);
    assert_eq!(share(&[quiet, up, down, quiet], long(50.0)), 1.0);
    assert_eq!(share(&[quiet, down, up, quiet], long(50.0)), -1.0);
    assert_eq!(share(&[both, up, up, quiet], long(50.0)), -1.0);
    assert_eq!(share(&[quiet; 4], long(50.0)), 0.0);
    // the fourth bar is after the horizon
    assert_eq!(share(&[quiet, quiet, quiet, up], long(50.0)), 0.0);
    // a short loses where the price rises: its lower barrier is above
    let short = Candidate { side: Side::Short, stop: Some(200.0), ..Candidate::at(T, T) };
    assert_eq!(share(&[[100.0, 101.0, 97.0, 99.0], quiet, quiet, quiet], short), -1.0);
    assert_eq!(share(&[[100.0, 100.5, 98.0, 99.0], quiet, quiet, quiet], short), 1.0);
}

#[test]
fn the_unit_of_a_barrier_is_what_was_known_at_the_signal() {
    // true ranges are 2.5 in every quiet bar: high 101.5, low 99, the close before inside
    let value = |high: f64, unit: BarrierUnit, upper: f64| {
        let rows = after_quiet(&[[100.0, high, 99.9, 100.0], flat(100.0), flat(100.0)]);
        let barriers = Barriers { upper, lower: 50.0, unit };
        let config = LabelConfig {
            kind: LabelKind::TripleBarrier,
            barriers,
            horizon: 2,
            max_horizon: 3,
            ..LabelConfig::default()
        };
        set_of(&rows, long(50.0), &free(), &config).trades[0].value
    };
    assert_eq!((value(105.001, BarrierUnit::Atr, 2.0), value(104.999, BarrierUnit::Atr, 2.0)), (1.0, 0.0));
    let level = 100.0 + 3.0 * 100.0 * 1.01_f64.ln() * (20.0_f64 / 19.0).sqrt();
    let volatility = BarrierUnit::Volatility;
    assert_eq!((value(level + 0.001, volatility, 3.0), value(level - 0.001, volatility, 3.0)), (1.0, 0.0));
}

#[test]
fn a_success_reaches_its_target_before_its_stop_and_the_entry_bar_counts() {
    let success = |rows: &[[f64; 4]]| {
        let config =
            LabelConfig { kind: LabelKind::SignalSuccess, target_r: 2.0, max_horizon: 3, ..LabelConfig::default() };
        let set = set_of(&after_quiet(rows), long(95.0), &free(), &config);
        (set.trades[0].value, set.trades[0].win, set.trades[0].t1)
    };
    let quiet = [100.0, 105.0, 96.0, 100.0];
    let (up, stopped, both) = ([100.0, 110.0, 96.0, 109.0], [100.0, 105.0, 95.0, 96.0], [100.0, 110.0, 95.0, 100.0]);
    // the trade itself ends with the horizon, which is when all of the row is known
    assert_eq!(success(&[up, quiet, quiet]), (1.0, true, T + 3));
    assert_eq!(success(&[quiet, stopped, up]), (0.0, false, T + 2));
    assert_eq!(success(&[both, quiet, quiet]), (0.0, false, T + 1));
    assert_eq!(success(&[quiet, quiet, quiet]), (0.0, false, T + 3));
}

#[test]
fn the_optimal_action_pays_its_costs() {
    let action = |close: f64, bps: f64| {
        let rows = after_quiet(&[flat(100.0), flat(close), flat(close), flat(close), flat(close)]);
        let mut rules = free();
        rules.costs.slippage_bps = bps;
        let config =
            LabelConfig { kind: LabelKind::OptimalAction, horizon: 2, max_horizon: 5, ..LabelConfig::default() };
        set_of(&rows, long(50.0), &rules, &config).trades[0].value
    };
    assert_eq!((action(101.0, 0.0), action(99.0, 0.0), action(100.0, 0.0)), (1.0, -1.0, 0.0));
    // 60 basis points on either side cost more than a change of 1 %
    assert_eq!((action(101.0, 60.0), action(99.0, 60.0)), (0.0, 0.0));
    assert_eq!((action(102.0, 60.0), action(98.0, 60.0)), (1.0, -1.0));
}

#[test]
fn a_label_that_looks_beyond_the_data_is_censored_even_if_its_trade_has_ended() {
    let rows = after_quiet(&[[100.0, 101.0, 40.0, 60.0], flat(60.0)]);
    for kind in [LabelKind::Return, LabelKind::Direction, LabelKind::Volatility, LabelKind::OptimalAction] {
        let config = LabelConfig { kind, horizon: 3, ..LabelConfig::default() };
        let set = set_of(&rows, long(50.0), &free(), &config);
        assert_eq!((set.trades.len(), set.censored.len()), (0, 1), "{kind:?}");
    }
    let r = set_of(&rows, long(50.0), &free(), &LabelConfig::default());
    assert_eq!((r.trades.len(), r.trades[0].exit_reason), (1, ExitReason::HardStop));
}

#[test]
fn a_signal_without_a_stop_has_every_label_but_those_made_of_it() {
    let rows = after_quiet(&[flat(100.0), flat(101.0), flat(102.0), flat(103.0), flat(104.0), flat(105.0)]);
    for row in LABEL_KINDS {
        let config = LabelConfig { kind: row.kind, horizon: 2, max_horizon: 4, ..LabelConfig::default() };
        let set = set_of(&rows, Candidate::at(T, T), &free(), &config);
        if row.kind.needs_stop() {
            assert_eq!((set.trades.len(), set.without_risk), (0, 1), "{}", row.kind.name());
        } else {
            let own = &set.trades[0];
            assert!(own.r.is_nan() && !own.win && !own.value.is_nan(), "{}", row.kind.name());
            assert!((own.net_return - (103.0 / 100.0 - 1.0)).abs() < 1e-12, "left at the close of the horizon");
        }
    }
}

/// Random bars, their signals every few rows, and a config.
fn markets() -> impl proptest::strategy::Strategy<Value = (Vec<[f64; 4]>, LabelConfig, bool)> {
    let bar = (0.97..1.03_f64, 0.0..0.03_f64, 0.0..0.03_f64, 0.98..1.02_f64);
    let config = (0..LABEL_KINDS.len(), 2..6_u32, any::<bool>(), any::<bool>());
    (prop::collection::vec(bar, 40..70), config).prop_map(|(moves, (kind, horizon, overlap, is_short))| {
        let mut close = 100.0;
        let rows = moves.into_iter().map(|(gap, up, down, change)| {
            let open = close * gap;
            close = open * change;
            [open, open.max(close) * (1.0 + up), open.min(close) * (1.0 - down), close]
        });
        let config =
            LabelConfig { kind: LABEL_KINDS[kind].kind, horizon, max_horizon: 8, overlap, ..LabelConfig::default() };
        (rows.collect(), config, is_short)
    })
}

/// Signals at every third row from 20 on, with a stop 3 % away.
fn labels(rows: &[[f64; 4]], config: &LabelConfig, is_short: bool) -> LabelSet {
    let bars = bars(&(0..).zip(rows.iter().copied()).collect::<Vec<_>>());
    let side = if is_short { Side::Short } else { Side::Long };
    let candidates = (20..rows.len() as u32).step_by(3).map(|row| {
        let stop = rows[row as usize][3] * (1.0 - 0.03 * side.sign());
        Candidate { side, stop: Some(stop), ..Candidate::at(row, row) }
    });
    let own = SymbolSignals { candidates: candidates.collect(), ..SymbolSignals::default() };
    let signals = Signals { symbols: vec![own] };
    shadow_trades(&bars, &signals, &PortfolioRules::default(), config, &CancelToken::new()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_comes_after_t1_changes_no_label((rows, config, is_short) in markets(), factor in 0.5..2.0_f64) {
        for label in labels(&rows, &config, is_short).trades {
            let mut changed = rows.clone();
            changed.iter_mut().skip(label.t1 as usize + 1).flatten().for_each(|price| *price *= factor);
            let again = labels(&changed, &config, is_short).trades.into_iter().find(|it| it.t0 == label.t0).unwrap();
            prop_assert_eq!(LabelledTrade { uniqueness: 1.0, ..again }, LabelledTrade { uniqueness: 1.0, ..label });
        }
    }

    #[test]
    fn the_scale_of_prices_changes_no_label((rows, config, is_short) in markets()) {
        let scaled: Vec<[f64; 4]> = rows.iter().map(|bar| bar.map(|price| 8.0 * price)).collect();
        let (one, other) = (labels(&rows, &config, is_short), labels(&scaled, &config, is_short));
        prop_assert_eq!(one.censored, other.censored);
        prop_assert_eq!(one.trades.len(), other.trades.len());
        for (a, b) in one.trades.iter().zip(&other.trades) {
            prop_assert!((a.value - b.value).abs() <= 1e-9 * a.value.abs().max(1.0) && a.t1 == b.t1);
        }
    }

    #[test]
    fn every_signal_is_labelled_censored_or_counted_and_no_span_leaves_the_horizon((rows, config, is_short) in markets()) {
        let set = labels(&rows, &LabelConfig { overlap: true, ..config.clone() }, is_short);
        let signals = (20..rows.len()).step_by(3).count();
        let counted = set.not_filled + set.without_risk + set.undefined;
        prop_assert_eq!(set.trades.len() + set.censored.len() + counted, signals);
        prop_assert!(set.trades.iter().all(|it| it.t0 < it.t1 && it.t1 <= it.t0 + config.max_horizon));
        let weights: Vec<_> = set.trades.iter().map(|it| it.uniqueness).collect();
        prop_assert!(weights.iter().all(|weight| *weight > 0.0 && *weight <= 1.0 + 1e-12));
    }
}
