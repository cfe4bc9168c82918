use super::*;
use crate::backtest::{ExitReason, PortfolioRules, simulate};
use crate::base::CancelToken;
use crate::market::{Bars, Series};
use crate::strategy::{Candidate, Signals, SymbolSignals};

fn bars(rows: &[[f64; 4]]) -> Bars {
    let column = |at: usize| rows.iter().map(|bar| bar[at]).collect();
    let series = Series {
        symbol: "A".to_owned(),
        session: (0..rows.len() as u32).collect(),
        open: column(0),
        high: column(1),
        low: column(2),
        close: column(3),
        volume: vec![1e9; rows.len()],
        extra: Default::default(),
    };
    Bars { sessions: (0..rows.len() as i64).collect(), series: vec![series], periods_per_year: 252.0 }
}

fn signals(rows: &[u32]) -> Signals {
    let candidates =
        rows.iter().map(|&row| Candidate { stop: Some(95.0), adv20: 1e12, ..Candidate::at(row, row) }).collect();
    Signals { symbols: vec![SymbolSignals { candidates, ..SymbolSignals::default() }] }
}

fn shadow(bars: &Bars, signals: &Signals, config: &LabelConfig) -> LabelSet {
    shadow_trades(bars, signals, &PortfolioRules::default(), config, &CancelToken::new()).unwrap()
}

const FLAT: [f64; 4] = [100.0, 101.0, 99.0, 100.0];
const STOPPED: [f64; 4] = [100.0, 101.0, 90.0, 96.0];

#[test]
fn a_shadow_trade_is_the_executed_trade_when_nothing_competes() {
    let bars = bars(&[FLAT, FLAT, FLAT, STOPPED, FLAT]);
    let signals = signals(&[0]);
    let rules = PortfolioRules::default();
    let backtest = simulate(&bars, &signals, &rules, 0..5, None, &CancelToken::new()).unwrap();
    let executed = executed_trades(&bars, &rules, &backtest, &LabelConfig::default()).unwrap().trades.remove(0);
    let alone = shadow(&bars, &signals, &LabelConfig::default()).trades.remove(0);
    assert!((alone.r - executed.r).abs() < 1e-12 && alone.r < -1.0);
    assert_eq!(
        LabelledTrade {
            source: LabelSource::Executed,
            r: executed.r,
            gross_r: executed.gross_r,
            planned_r: executed.planned_r,
            value: executed.value,
            net_return: executed.net_return,
            ..alone.clone()
        },
        executed
    );
    assert_eq!((alone.t0, alone.t1, alone.holding_sessions, alone.win), (0, 3, 2, false));
}

fn overlapping() -> LabelConfig {
    LabelConfig { overlap: true, ..LabelConfig::default() }
}

#[test]
fn a_signal_while_the_symbol_is_held_is_no_row() {
    let rows = bars(&[FLAT, FLAT, FLAT, STOPPED, FLAT, FLAT]);
    let set = shadow(&rows, &signals(&[0, 1, 2, 3]), &LabelConfig::default());
    // the first trade leaves during session 3, so that the signal at its close finds the symbol free
    assert_eq!(set.trades.iter().map(|it| (it.t0, it.t1)).collect::<Vec<_>>(), [(0, 3)]);
    assert_eq!(set.censored, [Censored { symbol: 0, candidate: 3, t0: 3 }]);
}

#[test]
fn with_overlap_every_candidate_is_simulated_alone_even_while_another_is_open() {
    let set = shadow(&bars(&[FLAT, FLAT, FLAT, STOPPED, FLAT]), &signals(&[0, 1]), &overlapping());
    assert_eq!(set.trades.iter().map(|it| (it.t0, it.t1)).collect::<Vec<_>>(), [(0, 3), (1, 3)]);
    assert_eq!(set.trades.iter().map(|it| it.uniqueness).collect::<Vec<_>>(), [(1.0 + 1.5) / 4.0, 0.5]);
}

#[test]
fn a_trade_open_at_the_end_is_censored_and_the_horizon_ends_a_long_one() {
    let bars = bars(&[FLAT; 6]);
    let censored = shadow(&bars, &signals(&[0, 5]), &overlapping());
    assert_eq!((censored.trades.len(), censored.censored.len()), (0, 2));
    let ended = shadow(&bars, &signals(&[0, 4]), &LabelConfig { max_horizon: 3, ..LabelConfig::default() });
    assert_eq!((ended.trades[0].t1, ended.trades[0].exit_reason), (3, ExitReason::Horizon));
    assert_eq!(ended.censored, [Censored { symbol: 0, candidate: 1, t0: 4 }]);
}

#[test]
fn a_gap_beyond_the_stop_is_no_label() {
    let set = shadow(&bars(&[FLAT, [94.0, 96.0, 93.0, 95.0], FLAT]), &signals(&[0]), &LabelConfig::default());
    assert_eq!((set.trades.len(), set.censored.len(), set.not_filled), (0, 0, 1));
}

#[test]
fn a_win_is_strictly_above_the_threshold() {
    let rows = bars(&[FLAT, FLAT, [100.0, 111.0, 99.5, 110.0]]);
    let label = |r_threshold| {
        shadow(&rows, &signals(&[0]), &LabelConfig { max_horizon: 2, r_threshold, ..LabelConfig::default() })
            .trades
            .remove(0)
    };
    let r = label(0.0).r;
    assert!(label(0.0).win && !label(r).win && r > 1.9 && r < 2.0);
}

#[test]
fn uniqueness_is_the_mean_of_one_over_concurrency() {
    let weights = uniqueness(&[(0, 10, 13), (1, 10, 13), (0, 12, 15), (0, 20, 20)]);
    assert_eq!(weights, [0.75, 1.0, 0.75, 1.0]);
    assert!(uniqueness(&[]).is_empty());
}

#[test]
fn the_age_of_a_label_halves_its_weight_every_half_life() {
    assert_eq!(recency(&[10, 30, 20], 10.0), [0.25, 1.0, 0.5]);
    assert!(recency(&[], 10.0).is_empty());
}

#[test]
fn a_config_out_of_range_is_refused_with_its_key() {
    let read = |text: &str| serde_json::from_str::<LabelConfig>(text).unwrap().check().map_err(|it| it.to_string());
    assert_eq!(read("{}"), Ok(()));
    for (text, key) in [
        (r#"{"max_horizon": 0}"#, "`max_horizon`"),
        (r#"{"kind": "return", "horizon": 0}"#, "`horizon`"),
        (r#"{"kind": "volatility", "horizon": 1}"#, "2 or more"),
        (r#"{"kind": "signal_success", "target_r": 0}"#, "`target_r`"),
        (r#"{"dead_zone": -1}"#, "`dead_zone`"),
        (r#"{"barriers": {"lower": 0}}"#, "`barriers.lower`"),
        (r#"{"kind": "return", "horizon": 61}"#, "at most `max_horizon`, which is 60"),
    ] {
        let refusal = read(text).unwrap_err();
        assert!(refusal.contains(key), "{refusal}");
    }
    // the key says nothing where no label reads it
    assert_eq!(read(r#"{"horizon": 61}"#), Ok(()));
}

#[test]
fn every_kind_is_in_the_table_under_its_name() {
    for row in LABEL_KINDS {
        for name in std::iter::once(&row.kind.name()).chain(row.aliases) {
            assert_eq!(serde_json::from_value::<LabelKind>(serde_json::json!(name)).unwrap(), row.kind);
        }
    }
    assert_eq!(LABEL_KINDS.len(), 7);
    assert!(serde_json::from_str::<LabelConfig>(r#"{"horizn": 5}"#).is_err());
}
