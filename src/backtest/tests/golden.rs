//! Trades and equity of other people's simulators, replayed by writing their strategies as signals.

use std::ops::Range;

use serde_json::{Value, json};

use super::conformance::{free, universe};
use crate::backtest::report::{BacktestReport, BenchmarkKind, ReportInput};
use crate::backtest::*;
use crate::base::CancelToken;
use crate::indicator::golden::read;
use crate::indicator::{atr, highest_before, rsi, sma};
use crate::market::{Bars, Series};
use crate::metric::trading::{calmar, drawdown, profit_factor, sharpe, sortino, total_return, trade_win_rate};
use crate::strategy::{AtEnd, Candidate, FillAt, OnGap, Signals, Size, SymbolSignals};

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

/// Holds the figures of our report against the statistics that backtesting.py prints.
fn figures_agree(name: &str, case: &Value, bars: &Bars, rules: &PortfolioRules, found: &Backtest) {
    let report = BacktestReport::of(&ReportInput {
        strategy: name,
        strategy_lints: &[],
        bars,
        dropped_bars: &[],
        rules,
        backtest: found,
        benchmark: BenchmarkKind::BuyAndHold,
        tried: None,
        tuned_until: None,
        models: None,
    });
    for (figure, statistic, factor) in [
        ("total_return", "Return [%]", 100.0),
        ("max_drawdown", "Max. Drawdown [%]", 100.0),
        ("average_drawdown", "Avg. Drawdown [%]", 100.0),
        ("trades", "# Trades", 1.0),
        ("win_rate", "Win Rate [%]", 100.0),
        ("best_trade", "Best Trade [%]", 100.0),
        ("worst_trade", "Worst Trade [%]", 100.0),
        ("sqn_money", "SQN", 1.0),
        ("kelly", "Kelly Criterion", 1.0),
    ] {
        let expected = case["stats"][statistic].as_f64().unwrap();
        near(&format!("{name} {figure}"), factor * report.metric(figure).unwrap(), expected);
    }
}

/// The rules of backtesting.py: it buys beyond a stop, and closes what is open at the last open.
fn backtesting_py(cash: f64, rate: f64) -> PortfolioRules {
    let mut rules = PortfolioRules { on_gap: OnGap::Enter, at_end: AtEnd::ExitAtLastOpen, ..free() };
    (rules.risk.initial_equity, rules.costs.commission.bps) = (cash, rate * 1e4);
    rules
}

fn run(bars: &Bars, signals: &Signals, rules: &PortfolioRules) -> Backtest {
    simulate(bars, signals, rules, 0..bars.sessions.len() as u32, None, &CancelToken::new()).unwrap()
}

#[test]
fn backtesting_py_is_reproduced_trade_for_trade() {
    let (trades, equity) = (read("backtest/trades.parquet"), read("backtest/equity.parquet"));
    for case in json("cases.json")["cases"].as_array().unwrap() {
        let name = case["case"].as_str().unwrap();
        let bars = bars_of(case["symbol"].as_str().unwrap());
        let rules = backtesting_py(case["cash"].as_f64().unwrap(), case["commission"].as_f64().unwrap());
        let found = run(&bars, &case_signals(case, &bars), &rules);
        let rows = blocks_of(&trades.symbols, name);
        let column = |column: &str| trades.slice(column, &rows);
        assert_eq!((found.trades.len(), found.open_at_end.len()), (rows.len(), 0), "{name}");
        for (at, trade) in found.trades.iter().enumerate() {
            let name = format!("{name} trade {at}");
            assert_eq!(f64::from(trade.entry_row), column("entry_bar")[at], "{name}");
            assert_eq!(f64::from(trade.exit_row), column("exit_bar")[at], "{name}");
            assert_eq!(trade.quantity, column("size")[at], "{name}");
            near(&name, trade.entry_price, column("entry_price")[at]);
            near(&name, trade.exit_price, column("exit_price")[at]);
            near(&name, trade.commission, column("commission")[at]);
            near(&name, trade.net_pnl, column("pnl")[at]);
            near(&name, trade.net_return(), column("return_pct")[at]);
            // an entry at or beyond its stop risks nothing, so R is undefined; the tool divides all the same
            let has_risk = trade.stop.is_some_and(|stop| trade.entry_price > stop);
            assert_eq!(trade.gross_r.is_some(), has_risk, "{name}");
            trade.gross_r.into_iter().for_each(|gross_r| near(&name, gross_r, column("r_multiple")[at]));
        }
        figures_agree(name, case, &bars, &rules, &found);
        let expected = equity.slice("equity", &blocks_of(&equity.symbols, name));
        assert_eq!(found.equity.len(), expected.len(), "{name}");
        for (point, expected) in found.equity.iter().zip(expected) {
            near(&format!("{name} session {}", point.session), point.equity, *expected);
        }
    }
}

#[test]
fn by_the_written_rules_an_order_beyond_its_stop_is_the_only_difference() {
    let trades = read("backtest/trades.parquet");
    let mut cancelled = 0;
    for case in json("cases.json")["cases"].as_array().unwrap() {
        let name = case["case"].as_str().unwrap();
        let bars = bars_of(case["symbol"].as_str().unwrap());
        let tool = backtesting_py(case["cash"].as_f64().unwrap(), case["commission"].as_f64().unwrap());
        let found = run(&bars, &case_signals(case, &bars), &PortfolioRules { on_gap: OnGap::Reject, ..tool });
        let rows = blocks_of(&trades.symbols, name);
        let (entry, stop) = (trades.slice("entry_price", &rows), trades.slice("sl", &rows));
        let (gaps, kept): (Vec<usize>, Vec<usize>) = (0..rows.len()).partition(|&at| entry[at] <= stop[at]);
        let bar = |at: &usize| trades.slice("entry_bar", &rows)[*at] as u32;
        let is_gap = |it: &&CandidateRecord| it.state == CandidateState::Rejected(Rejection::GapBelowStop);
        let rejected: Vec<u32> = found.candidates.iter().filter(is_gap).map(|it| it.session + 1).collect();
        assert_eq!(rejected, gaps.iter().map(bar).collect::<Vec<_>>(), "{name}");
        let entered: Vec<u32> = found.trades.iter().map(|it| it.entry_row).collect();
        assert_eq!(entered, kept.iter().map(bar).collect::<Vec<_>>(), "{name}");
        cancelled += gaps.len();
    }
    assert!(cancelled > 0);
}

#[test]
fn the_75_parameter_sets_of_backtesting_py_are_reproduced() {
    let grid = read("backtest/grid_MSFT.parquet");
    let bars = bars_of("MSFT");
    let series = &bars.series[0];
    for row in 0..grid.symbols.len() {
        let number = |column: &str| grid.columns[column][row];
        let case = json!({"strategy": "Breakout", "params":
            {"n": number("n"), "k": number("k"), "exit_ma": number("exit_ma"), "trend_ma": 50}});
        let found = run(&bars, &case_signals(&case, &bars), &backtesting_py(100_000.0, 0.001));
        let name = format!("{}", case["params"]);
        assert_eq!(found.trades.len() as f64, number("trades"), "{name}");
        let curve: Vec<f64> = found.equity.iter().map(|it| it.equity).collect();
        near(&name, 100.0 * (curve[curve.len() - 1] / 100_000.0 - 1.0), number("ret_pct"));
        near(&name, 100.0 * drawdown(&found.returns()).unwrap().max_drawdown, number("max_dd_pct"));
        assert_eq!(series.len(), curve.len());
    }
}

#[test]
fn vectorbt_is_reproduced_trade_for_trade_at_the_next_open_and_at_the_close() {
    let trades = read("backtest/vectorbt_trades.parquet");
    for case in json("vectorbt.json")["results"].as_array().unwrap() {
        let (symbol, fill) = (case["symbol"].as_str().unwrap(), case["fill"].as_str().unwrap());
        let bars = bars_of(symbol);
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
        rules.fill = if fill == "close" { FillAt::Close } else { FillAt::NextOpen };
        (rules.risk.initial_equity, rules.risk.fractional) = (10_000.0, true);
        rules.costs.commission.bps = case["fee"].as_f64().unwrap() * 1e4;
        let found = run(&bars, &signals, &rules);
        let name = format!("{symbol} {fill}");
        // the reader puts the words of both text columns one after the other
        let all = trades.columns["size"].len();
        let is_case = |at: &usize| trades.symbols[*at] == symbol && trades.symbols[all + at] == fill;
        let rows: Vec<usize> = (0..all).filter(is_case).collect();
        let column = |column: &str, at: usize| trades.columns[column][rows[at]];
        assert_eq!(found.trades.len() + found.open_at_end.len(), rows.len(), "{name}");
        for (at, trade) in found.trades.iter().enumerate() {
            assert_eq!(f64::from(trade.entry_row), column("entry_bar", at), "{name}");
            assert_eq!(f64::from(trade.exit_row), column("exit_bar", at), "{name}");
            near(&name, trade.quantity, column("size", at));
            near(&name, trade.entry_price, column("entry_price", at));
            near(&name, trade.exit_price, column("exit_price", at));
            near(&name, trade.commission, column("fees", at));
            near(&name, trade.net_pnl, column("pnl", at));
            near(&name, trade.net_return(), column("ret", at));
        }
        for (at, open) in found.open_at_end.iter().enumerate() {
            let at = found.trades.len() + at;
            assert_eq!(f64::from(open.entry_row), column("entry_bar", at), "{name}");
            near(&name, open.quantity, column("size", at));
            near(&name, open.unrealised_pnl, column("pnl", at));
        }
        let number = |name: &str| case[name].as_f64().unwrap();
        let returns = found.returns();
        near("final value", found.equity.last().unwrap().equity, number("final_value"));
        near("total return", total_return(&returns).unwrap(), number("total_return"));
        near("max drawdown", drawdown(&returns).unwrap().max_drawdown, number("max_drawdown"));
        near("sharpe", sharpe(&returns, 252.0).unwrap(), number("sharpe_252"));
        near("sortino", sortino(&returns, 252.0).unwrap(), number("sortino_252"));
        near("calmar", calmar(&returns, 252.0).unwrap(), number("calmar_252"));
        let pnl: Vec<f64> = found.trades.iter().map(|trade| trade.net_pnl).collect();
        near("win rate", trade_win_rate(&pnl).unwrap(), number("win_rate_closed"));
        near("profit factor", profit_factor(&pnl).unwrap(), number("profit_factor"));
    }
}
