//! Trades and equity of other people's simulators, replayed by writing their strategies as signals.

use std::ops::Range;

use serde_json::Value;

use super::conformance::{free, universe};
use crate::backtest::*;
use crate::base::CancelToken;
use crate::indicator::golden::read;
use crate::indicator::{atr, highest_before, rsi, sma};
use crate::market::{Bars, Series};
use crate::strategy::{Candidate, Signals, Size, SymbolSignals};

fn json(name: &str) -> Value {
    let path = format!("{}/tests/golden/backtest/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn bars_of(symbol: &str) -> Bars {
    let table = read("backtest/input.parquet");
    let rows = table.blocks().into_iter().find(|rows| table.symbols[rows.start] == symbol).unwrap();
    let column = |name: &str| table.slice(name, &rows).to_vec();
    let series = Series {
        symbol: symbol.to_owned(),
        session: (0..rows.len() as u32).collect(),
        open: column("open"),
        high: column("high"),
        low: column("low"),
        close: column("close"),
        volume: column("volume"),
        extra: Default::default(),
    };
    universe(rows.len() as u32, vec![series])
}

/// Signals of one symbol: `entry` gives the candidate of a row, `exit` the flag, from the first row of the warm-up on.
fn signals(
    bars: &Bars,
    start: usize,
    entry: impl Fn(usize) -> Option<Candidate>,
    exit: impl Fn(usize) -> bool,
) -> Signals {
    let rows = start..bars.series[0].len();
    let exit_long = (0..rows.end).map(|row| row >= start && exit(row)).collect();
    Signals {
        symbols: vec![SymbolSignals {
            candidates: rows.filter_map(entry).collect(),
            exit_long,
            ..SymbolSignals::default()
        }],
    }
}

/// The first bar on which backtesting.py asks the strategy.
fn start_of(indicators: &[&[f64]]) -> usize {
    1 + indicators.iter().map(|it| it.iter().position(|x| !x.is_nan()).unwrap()).max().unwrap()
}

fn case_signals(case: &Value, bars: &Bars) -> Signals {
    let series = &bars.series[0];
    let number = |name: &str, default: f64| case["params"][name].as_f64().unwrap_or(default);
    let whole = |name: &str, default: f64| number(name, default) as usize;
    let at = |row: usize| Candidate::at(row as u32, row as u32);
    let units = Size::Units(number("size", 100.0));
    let close = &series.close;
    match case["strategy"].as_str().unwrap() {
        "SmaLong" => {
            let (fast, slow) = (sma(close, whole("fast", 10.0)), sma(close, whole("slow", 20.0)));
            let crosses = |a: &[f64], b: &[f64], row: usize| a[row - 1] < b[row - 1] && a[row] > b[row];
            let start = start_of(&[&fast, &slow]);
            let entry = |row| crosses(&fast, &slow, row).then(|| Candidate { size: Size::AllCash, ..at(row) });
            signals(bars, start, entry, |row| crosses(&slow, &fast, row))
        }
        "Breakout" => {
            let channel = highest_before(&series.high, whole("n", 20.0));
            let range = atr(&series.high, &series.low, close, whole("atr", 14.0));
            let (trend, exit) = (sma(close, whole("trend_ma", 50.0)), sma(close, whole("exit_ma", 20.0)));
            let start = start_of(&[&channel, &range, &trend, &exit]);
            let entry = |row: usize| {
                let stop = close[row] - number("k", 2.5) * range[row];
                (close[row] > channel[row] && close[row] > trend[row]).then(|| Candidate {
                    stop: Some(stop),
                    size: units,
                    ..at(row)
                })
            };
            signals(bars, start, entry, |row| close[row] < exit[row])
        }
        "Bracket" => {
            let strength = rsi(close, whole("rsi", 14.0));
            let low = number("lo", 30.0);
            let start = start_of(&[&strength]);
            let entry = |row: usize| {
                (strength[row - 1] >= low && strength[row] < low).then(|| Candidate {
                    stop: Some(close[row] * (1.0 - number("sl", 0.05))),
                    take_profit: Some(close[row] * (1.0 + number("tp", 0.08))),
                    time_stop: Some(whole("hold", 20.0) as u32),
                    size: units,
                    ..at(row)
                })
            };
            signals(bars, start, entry, |_| false)
        }
        other => panic!("strategy {other}"),
    }
}

fn near(name: &str, found: f64, expected: f64) {
    assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{name}: {found} against {expected}");
}

fn blocks_of(symbols: &[String], case: &str) -> Range<usize> {
    let start = symbols.iter().position(|it| it == case).unwrap();
    start..start + symbols[start..].iter().take_while(|it| *it == case).count()
}

#[test]
fn backtesting_py_is_reproduced_trade_for_trade() {
    let (trades, equity) = (read("backtest/trades.parquet"), read("backtest/equity.parquet"));
    for case in json("cases.json")["cases"].as_array().unwrap() {
        let name = case["case"].as_str().unwrap();
        let bars = bars_of(case["symbol"].as_str().unwrap());
        let mut rules = free();
        rules.risk.initial_equity = case["cash"].as_f64().unwrap();
        rules.costs.commission.bps = case["commission"].as_f64().unwrap() * 1e4;
        let sessions = bars.sessions.len() as u32;
        let found =
            simulate(&bars, &case_signals(case, &bars), &rules, 0..sessions, None, &CancelToken::new()).unwrap();
        let rows = blocks_of(&trades.symbols, name);
        let all = |column: &str| trades.slice(column, &rows);
        // An open at or below the stop is bought there and sold again inside the bar; here it is no entry. Each such trade
        // must be a candidate rejected for just that, and equity may differ by its profit alone.
        let (gaps, kept): (Vec<usize>, Vec<usize>) =
            (0..rows.len()).partition(|&at| all("entry_price")[at] <= all("sl")[at]);
        let gap_sessions: Vec<f64> = gaps.iter().map(|&at| all("entry_bar")[at]).collect();
        let rejected: Vec<f64> = found
            .candidates
            .iter()
            .filter(|it| it.state == CandidateState::Rejected(Rejection::GapBelowStop))
            .map(|it| f64::from(it.session + 1))
            .collect();
        assert_eq!(rejected, gap_sessions, "{name}");
        let column = |column: &str| kept.iter().map(|&at| all(column)[at]).collect::<Vec<f64>>();
        // the tool closes what is open at the open of the last bar; ours stays open
        assert_eq!(found.trades.len() + found.open_at_end.len(), kept.len(), "{name}");
        for (at, trade) in found.trades.iter().enumerate() {
            let name = format!("{name} trade {at}");
            assert_eq!(f64::from(trade.entry_row), column("entry_bar")[at], "{name}");
            assert_eq!(f64::from(trade.exit_row), column("exit_bar")[at], "{name}");
            assert_eq!(trade.quantity, column("size")[at], "{name}");
            near(&name, trade.entry_price, column("entry_price")[at]);
            near(&name, trade.exit_price, column("exit_price")[at]);
            near(&name, trade.commission, column("commission")[at]);
            near(&name, trade.net_pnl, column("pnl")[at]);
            let r = column("r_multiple")[at];
            assert_eq!(trade.gross_r.is_none(), r.is_nan(), "{name}");
            trade.gross_r.into_iter().for_each(|gross_r| near(&name, gross_r, r));
        }
        if let Some(open) = found.open_at_end.first() {
            let at = kept.len() - 1;
            assert_eq!(
                (f64::from(open.entry_row), open.quantity),
                (column("entry_bar")[at], column("size")[at]),
                "{name}"
            );
            assert_eq!(column("exit_bar")[at], f64::from(sessions - 1), "{name}");
        }
        let expected = equity.slice("equity", &blocks_of(&equity.symbols, name));
        let same = expected.len() - usize::from(!found.open_at_end.is_empty());
        for (point, expected) in found.equity.iter().zip(expected).take(same) {
            let before = |at: &&usize| all("exit_bar")[**at] <= f64::from(point.session);
            let gap_profit: f64 = gaps.iter().filter(before).map(|&at| all("pnl")[at]).sum();
            near(name, point.equity, expected - gap_profit);
        }
    }
}

#[test]
fn vectorbt_next_open_fills_give_its_equity() {
    for case in json("vectorbt.json")["results"].as_array().unwrap().iter().filter(|case| case["fill"] == "next_open") {
        let bars = bars_of(case["symbol"].as_str().unwrap());
        let close = &bars.series[0].close;
        let average = |name: &str| sma(close, case[name].as_u64().unwrap() as usize);
        let (fast, slow) = (average("fast"), average("slow"));
        let crosses = |a: &[f64], b: &[f64], row: usize| a[row] > b[row] && a[row - 1] <= b[row - 1];
        let entry = |row: usize| {
            crosses(&fast, &slow, row)
                .then(|| Candidate { size: Size::AllCash, ..Candidate::at(row as u32, row as u32) })
        };
        let signals = signals(&bars, 1, entry, |row| crosses(&slow, &fast, row));
        let mut rules = free();
        (rules.risk.initial_equity, rules.risk.fractional) = (10_000.0, true);
        rules.costs.commission.bps = case["fee"].as_f64().unwrap() * 1e4;
        let found =
            simulate(&bars, &signals, &rules, 0..bars.sessions.len() as u32, None, &CancelToken::new()).unwrap();
        let number = |name: &str| case[name].as_f64().unwrap();
        assert_eq!(found.trades.len() as f64, number("closed"));
        assert_eq!((found.trades.len() + found.open_at_end.len()) as f64, number("n_trades"));
        near("final value", found.equity.last().unwrap().equity, number("final_value"));
        let wins: Vec<f64> = found.trades.iter().map(|trade| trade.net_pnl).filter(|pnl| *pnl > 0.0).collect();
        near("win rate", wins.len() as f64 / found.trades.len() as f64, number("win_rate_closed"));
        let (mut peak, mut drawdown) = (0.0_f64, 0.0_f64);
        for point in &found.equity {
            peak = peak.max(point.equity);
            drawdown = drawdown.min(point.equity / peak - 1.0);
        }
        near("max drawdown", drawdown, number("max_drawdown"));
    }
}
