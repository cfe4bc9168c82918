//! Trades and equity of other people's simulators, from strategy files: no rule of theirs is in the code.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Value, json};

use crate::backtest::{Backtest, PortfolioRules, simulate};
use crate::base::CancelToken;
use crate::indicator::golden::{Table, read};
use crate::market::{Bars, Series};
use crate::metric::trading::drawdown;
use crate::strategy::{IndicatorCache, Strategy, signals};

/// Free of costs and limits, entered beyond a stop, closed at the last open.
const BACKTESTING_PY: &str = "
execution: {on_gap: enter, at_end: exit_at_last_open}
risk: {max_position_notional: 100, max_order_pct_adv: null}
costs: {slippage_bps: 0, stop_slippage_bps: 0, commission: {bps: 0}}
";

/// The crossing of the tool is strict on both bars.
const SMA_LONG: &str = "
version: 1
kind: rules
parameters:
  fast: {type: int, default: 10}
  slow: {type: int, default: 20}
let:
  fast: sma(close, p.fast)
  slow: sma(close, p.slow)
entry:
  long: lag(fast, 1) < lag(slow, 1) and fast > slow
exit:
  long: lag(slow, 1) < lag(fast, 1) and slow > fast
sizing: all_cash
";

/// The tool first asks one bar after every indicator is there.
const BREAKOUT: &str = "
version: 1
kind: rules
parameters:
  n: {type: int, default: 20}
  k: {type: float, default: 2.5}
  exit_ma: {type: int, default: 20}
  trend_ma: {type: int, default: 50}
  atr: {type: int, default: 14}
  size: {type: int, default: 100}
let:
  channel: highest(high, p.n)
  trend: sma(close, p.trend_ma)
  leave: sma(close, p.exit_ma)
eligible: not is_null(lag(channel + trend + leave + atr(p.atr), 1))
entry: {long: close > channel and close > trend}
exit: {long: close < leave}
stop: {atr: p.k, period: p.atr}
sizing: {units: p.size}
";

const BRACKET: &str = "
version: 1
kind: rules
parameters:
  rsi: {type: int, default: 14}
  lo: {type: float, default: 30}
  sl: {type: float, default: 0.05}
  tp: {type: float, default: 0.08}
  hold: {type: int, default: 20}
  size: {type: int, default: 100}
let:
  strength: rsi(close, p.rsi)
entry:
  long: lag(strength, 1) >= p.lo and strength < p.lo
stop: {percent: p.sl}
take_profit: {percent: p.tp}
time_stop: p.hold
sizing: {units: p.size}
";

const MA_CROSS: &str = "
version: 1
kind: rules
parameters:
  fast: {type: int, default: 10}
  slow: {type: int, default: 50}
entry: {long: 'crosses_above(sma(close, p.fast), sma(close, p.slow))'}
exit: {long: 'crosses_below(sma(close, p.fast), sma(close, p.slow))'}
sizing: all_cash
risk: {initial_equity: 10000, fractional: true, max_order_pct_adv: null}
costs: {slippage_bps: 0, stop_slippage_bps: 0, commission: {bps: 0}}
";

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
        ..Series::default()
    };
    Bars { sessions: (0..rows.len() as i64).collect(), series: vec![series], periods_per_year: 252.0 }
}

fn cases(file: &str, key: &str) -> Vec<Value> {
    let path = format!("{}/tests/golden/backtest/{file}", env!("CARGO_MANIFEST_DIR"));
    let tree: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    tree[key].as_array().unwrap().clone()
}

/// A strategy with parameters of its own and values of its sections.
fn strategy(text: &str, own: &Value, further: &[(&str, Value)]) -> Strategy {
    let own = own.as_object().unwrap().iter().map(|(name, value)| (format!("parameters.{name}"), value.clone()));
    let further = further.iter().map(|(path, value)| ((*path).to_owned(), value.clone()));
    let values: BTreeMap<String, Value> = own.chain(further).collect();
    Strategy::from_yaml(text).unwrap_or_else(|error| panic!("{error}")).with_parameters(&values).unwrap()
}

fn run(strategy: &Strategy, bars: &Bars, cache: &IndicatorCache) -> Backtest {
    let found = signals(strategy, bars, cache).unwrap();
    let rules = PortfolioRules::from(strategy);
    simulate(bars, &found, &rules, 0..bars.sessions.len() as u32, None, &CancelToken::new()).unwrap()
}

fn near(name: &str, found: f64, expected: f64) {
    assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{name}: {found} against {expected}");
}

/// Rows of a table that belong to a case.
fn rows_of(table: &Table, case: &str) -> Range<usize> {
    table.blocks().into_iter().find(|rows| table.symbols[rows.start] == case).unwrap()
}

#[test]
fn the_18_cases_of_backtesting_py_are_reproduced_from_strategy_files() {
    let (trades, equity) = (read("backtest/trades.parquet"), read("backtest/equity.parquet"));
    let all = cases("cases.json", "cases");
    assert_eq!(all.len(), 18);
    for case in &all {
        let name = case["case"].as_str().unwrap();
        let text = match case["strategy"].as_str().unwrap() {
            "SmaLong" => SMA_LONG,
            "Breakout" => BREAKOUT,
            _ => BRACKET,
        };
        let money = [
            ("risk.initial_equity", case["cash"].clone()),
            ("costs.commission.bps", json!(case["commission"].as_f64().unwrap() * 1e4)),
        ];
        let own = strategy(&format!("{text}{BACKTESTING_PY}"), &case["params"], &money);
        let found = run(&own, &bars_of(case["symbol"].as_str().unwrap()), &IndicatorCache::new());
        let rows = rows_of(&trades, name);
        assert_eq!((found.trades.len(), found.open_at_end.len()), (rows.len(), 0), "{name}");
        for (at, trade) in found.trades.iter().enumerate() {
            let expected = |column: &str| trades.slice(column, &rows)[at];
            let bars = (f64::from(trade.entry_row), f64::from(trade.exit_row), trade.quantity);
            assert_eq!(bars, (expected("entry_bar"), expected("exit_bar"), expected("size")), "{name} trade {at}");
            near(name, trade.entry_price, expected("entry_price"));
            near(name, trade.exit_price, expected("exit_price"));
            near(name, trade.net_pnl, expected("pnl"));
        }
        let curve = equity.slice("equity", &rows_of(&equity, name));
        assert_eq!(found.equity.len(), curve.len(), "{name}");
        found.equity.iter().zip(curve).for_each(|(point, expected)| near(name, point.equity, *expected));
    }
}

#[test]
fn the_75_parameter_sets_are_values_of_one_strategy_file_and_share_their_indicators() {
    let grid = read("backtest/grid_MSFT.parquet");
    let (bars, cache) = (bars_of("MSFT"), IndicatorCache::new());
    let sets = grid.columns["n"].len();
    assert_eq!(sets, 75);
    for row in 0..sets {
        let number = |column: &str| grid.columns[column][row];
        let own = json!({"n": number("n"), "k": number("k"), "exit_ma": number("exit_ma")});
        let cost = [("costs.commission.bps", json!(10.0))];
        let own = strategy(&format!("{BREAKOUT}{BACKTESTING_PY}"), &own, &cost);
        let found = run(&own, &bars, &cache);
        let name = format!("set {row}");
        assert_eq!(found.trades.len() as f64, number("trades"), "{name}");
        let last = found.equity.last().unwrap().equity;
        near(&name, 100.0 * (last / 100_000.0 - 1.0), number("ret_pct"));
        near(&name, 100.0 * drawdown(&found.returns()).unwrap().max_drawdown, number("max_dd_pct"));
    }
    // 5 channels and 5 exit averages at most, a trend average and a range, and what a lag makes of each pair of them
    assert!(cache.columns().len() < 75, "{} columns for 75 sets", cache.columns().len());
}

#[test]
fn the_crosses_of_vectorbt_are_reproduced_at_the_next_open_and_at_the_close() {
    for case in cases("vectorbt.json", "results") {
        let fill = case["fill"].as_str().unwrap();
        let text = format!("{MA_CROSS}execution: {{fill: {fill}}}\n");
        let cost = [("costs.commission.bps", json!(case["fee"].as_f64().unwrap() * 1e4))];
        let own = strategy(&text, &json!({"fast": case["fast"], "slow": case["slow"]}), &cost);
        let found = run(&own, &bars_of(case["symbol"].as_str().unwrap()), &IndicatorCache::new());
        let counts = (found.trades.len(), found.trades.len() + found.open_at_end.len());
        let expected = (case["closed"].as_u64().unwrap() as usize, case["n_trades"].as_u64().unwrap() as usize);
        assert_eq!(counts, expected, "{case}");
        near(fill, found.equity.last().unwrap().equity, case["final_value"].as_f64().unwrap());
        near(fill, drawdown(&found.returns()).unwrap().max_drawdown, case["max_drawdown"].as_f64().unwrap());
    }
}
