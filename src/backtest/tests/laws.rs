//! Laws that hold whatever the prices are.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use crate::backtest::*;
use crate::base::{CancelToken, Seed};
use crate::label::{LabelConfig, shadow_trades};
use crate::market::{Bars, Series};
use crate::strategy::{IndicatorCache, Signals, Size, Strategy, signals};

/// A universe of random walks with missing bars; the last symbol is delisted half way.
pub(super) fn walks(seed: u64, symbols: usize, sessions: u32, missing: f64, drift: f64) -> Bars {
    let mut stream = Seed::new(1).derive("walks").index(seed).stream();
    let mut all = Vec::new();
    for symbol in 0..symbols {
        let mut series = Series { symbol: format!("S{symbol:03}"), ..Series::default() };
        let mut price = 100.0_f64;
        let end = if missing > 0.0 && symbol + 1 == symbols { sessions / 2 } else { sessions };
        for session in 0..end {
            let open = price * (1.0 + 0.01 * stream.normal());
            let close = open * (1.0 + drift + 0.02 * stream.normal());
            let (up, down) = (0.01 * stream.uniform(), 0.01 * stream.uniform());
            price = close;
            if stream.uniform() < missing {
                continue;
            }
            series.session.push(session);
            series.open.push(open);
            series.high.push(open.max(close) * (1.0 + up));
            series.low.push(open.min(close) * (1.0 - down));
            series.close.push(close);
            series.volume.push(1e5 * stream.uniform());
        }
        all.push(series);
    }
    Bars { sessions: (0..i64::from(sessions)).collect(), series: all, periods_per_year: 252.0 }
}

fn strategy(extra: &[(&str, serde_json::Value)]) -> Strategy {
    let mut values: BTreeMap<String, serde_json::Value> = [
        ("eligibility.trend_ma", json!(10)),
        ("entry.fast_lookback", json!(5)),
        ("entry.slow_lookback", json!(10)),
        ("exit.exit_ma", json!(5)),
        ("exit.atr", json!(5)),
        ("risk.max_positions", json!(3)),
        ("risk.max_position_notional", json!(0.5)),
        ("score.momentum", json!(0.0)),
        ("costs.commission.per_share", json!(0.01)),
    ]
    .into_iter()
    .map(|(path, value)| (path.to_owned(), value))
    .collect();
    values.extend(extra.iter().map(|(path, value)| ((*path).to_owned(), value.clone())));
    Strategy::default().with_parameters(&values).unwrap()
}

fn made(strategy: &Strategy, bars: &Bars) -> Signals {
    signals(strategy, bars, &IndicatorCache::new()).unwrap()
}

fn run(strategy: &Strategy, bars: &Bars, end: u32) -> Backtest {
    let signals = made(strategy, bars);
    simulate(bars, &signals, &PortfolioRules::from(strategy), 0..end, None, &CancelToken::new()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_changed_future_never_changes_the_past(seed in 0_u64..10_000, cut in 40_u32..150) {
        let bars = walks(seed, 5, 160, 0.05, 0.002);
        let mut other = bars.clone();
        for series in &mut other.series {
            let from = series.session.partition_point(|session| *session < cut);
            for column in [&mut series.open, &mut series.high, &mut series.low, &mut series.close] {
                column[from..].iter_mut().for_each(|price| *price *= 3.0);
            }
        }
        let strategy = strategy(&[]);
        prop_assert_eq!(run(&strategy, &bars, cut), run(&strategy, &other, cut));
    }

    #[test]
    fn scaled_prices_and_cash_give_scaled_money_and_the_same_trades(seed in 0_u64..10_000) {
        let bars = walks(seed, 4, 160, 0.05, 0.002);
        let mut scaled = bars.clone();
        for series in &mut scaled.series {
            for column in [&mut series.open, &mut series.high, &mut series.low, &mut series.close] {
                column.iter_mut().for_each(|price| *price *= 4.0);
            }
        }
        let free = ("costs.commission.per_share", json!(0.0));
        let small = run(&strategy(std::slice::from_ref(&free)), &bars, 160);
        let large = run(&strategy(&[free, ("risk.initial_equity", json!(400_000.0))]), &scaled, 160);
        prop_assert_eq!(small.trades.len(), large.trades.len());
        for (a, b) in small.trades.iter().zip(&large.trades) {
            prop_assert_eq!((a.symbol, a.exit_row, a.quantity, a.r), (b.symbol, b.exit_row, b.quantity, b.r));
            prop_assert_eq!(a.net_pnl * 4.0, b.net_pnl);
        }
    }

    #[test]
    fn doubled_costs_never_raise_the_profit_of_the_same_trades(seed in 0_u64..10_000) {
        let bars = walks(seed, 4, 160, 0.05, 0.002);
        let cheap = strategy(&[("risk.max_positions", json!(100)), ("risk.max_order_pct_adv", json!(null))]);
        let mut signals = made(&cheap, &bars);
        signals.symbols.iter_mut().flat_map(|own| &mut own.candidates).for_each(|it| it.size = Size::Units(1.0));
        let run = |rules: &PortfolioRules| simulate(&bars, &signals, rules, 0..160, None, &CancelToken::new()).unwrap();
        let rules = PortfolioRules::from(&cheap);
        let mut dear = rules.clone();
        dear.costs.slippage_bps *= 2.0;
        dear.costs.stop_slippage_bps *= 2.0;
        dear.costs.commission.bps *= 2.0;
        dear.costs.commission.per_share *= 2.0;
        let (cheap, dear) = (run(&rules), run(&dear));
        prop_assert_eq!(cheap.trades.len(), dear.trades.len());
        for (a, b) in cheap.trades.iter().zip(&dear.trades) {
            prop_assert_eq!((a.symbol, a.entry_row, a.exit_row), (b.symbol, b.entry_row, b.exit_row));
            prop_assert!(b.net_pnl < a.net_pnl);
        }
    }

    #[test]
    fn the_books_balance(seed in 0_u64..10_000, fractional: bool) {
        let bars = walks(seed, 6, 160, 0.05, 0.002);
        let found = run(&strategy(&[("risk.fractional", json!(fractional))]), &bars, 160);
        let profit: f64 = found.trades.iter().map(|trade| trade.net_pnl).sum();
        let open: f64 = found.open_at_end.iter().map(|open| open.unrealised_pnl).sum();
        prop_assert!((found.initial_equity + profit + open - found.equity.last().unwrap().equity).abs() < 0.005);
        prop_assert!(found.equity.iter().all(|point| point.cash >= 0.0 && point.positions <= 3));
        let grown = found.returns().iter().fold(found.initial_equity, |equity, r| equity * (1.0 + r));
        prop_assert!((grown - found.equity.last().unwrap().equity).abs() < 1e-6);
        let funnel = &found.funnel;
        let lost = |names: &[&str]| names.iter().map(|name| funnel.rejected.get(*name).copied().unwrap_or(0)).sum::<usize>();
        prop_assert_eq!(funnel.eligible, funnel.candidates - lost(&["not_eligible"]));
        prop_assert_eq!(funnel.kept_by_model, funnel.eligible - lost(&["ml_rejected"]));
        let slot = ["already_in", "end_of_data", "missing_next_bar", "slots_full"];
        prop_assert_eq!(funnel.slotted, funnel.kept_by_model - lost(&slot));
        prop_assert_eq!(funnel.filled, funnel.slotted - lost(&["gap_below_stop", "size_zero", "no_cash"]));
        prop_assert_eq!(funnel.filled, found.trades.len() + found.open_at_end.len());
    }

    #[test]
    fn the_number_of_threads_is_not_in_the_result(seed in 0_u64..10_000) {
        let bars = walks(seed, 6, 160, 0.05, 0.002);
        let strategy = strategy(&[]);
        let with = |threads| {
            rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| {
                let signals = made(&strategy, &bars);
                let rules = PortfolioRules::from(&strategy);
                let labels = shadow_trades(&bars, &signals, &rules, &LabelConfig::default(), &CancelToken::new()).unwrap();
                // as text: a missing figure is not equal to itself
                format!("{signals:?} {:?} {labels:?}", run(&strategy, &bars, 160))
            })
        };
        let one = with(1);
        prop_assert!(one == with(2) && one == with(5));
    }
}

/// 50 trials over 100 symbols of 5,000 bars with shared indicators: `cargo test fifty_trials -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement, not a check"]
fn fifty_trials() {
    let bars = walks(7, 100, 5000, 0.0, 0.0005);
    let cache = IndicatorCache::new();
    let (mut trades, mut candidates) = (0, 0);
    let (mut signalling, mut simulating) = (std::time::Duration::ZERO, std::time::Duration::ZERO);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| {
        for trial in 0..50_u32 {
            let values = [
                ("exit.hard_stop_atr_mult", json!(1.5 + 0.05 * f64::from(trial))),
                ("exit.exit_ma", json!([20, 50][trial as usize % 2])),
                ("eligibility.trend_ma", json!([20, 50, 100][trial as usize % 3])),
                ("entry.fast_clearance", json!(0.0004 * f64::from(trial))),
                ("risk.max_positions", json!(4 + trial % 9)),
            ];
            let values = values.into_iter().map(|(path, value)| (path.to_owned(), value)).collect();
            let strategy = Strategy::default().with_parameters(&values).unwrap();
            let start = std::time::Instant::now();
            let signals = signals(&strategy, &bars, &cache).unwrap();
            signalling += start.elapsed();
            let start = std::time::Instant::now();
            let rules = PortfolioRules::from(&strategy);
            let found = simulate(&bars, &signals, &rules, 0..5000, None, &CancelToken::new()).unwrap();
            simulating += start.elapsed();
            trades += found.trades.len();
            candidates += found.candidates.len();
        }
    });
    println!(
        "50 trials, one thread: signals {signalling:?}, simulation {simulating:?}, {candidates} candidates, {trades} trades"
    );
}
