//! Reports of small markets whose figures can be checked by hand.

use super::*;
use crate::backtest::tests::{free, series, universe};
use crate::backtest::{Backtest, PortfolioRules, simulate};
use crate::base::{CancelToken, MICROS_PER_DAY};
use crate::market::Bars;
use crate::strategy::{Candidate, FillAt, Signals, Size, SymbolSignals};

/// Two symbols over four days: `A` is bought at 100 and left at 110, `B` is never traded.
fn market() -> (Bars, Signals) {
    let a = [[100.0; 4], [100.0, 106.0, 98.0, 105.0], [104.0, 104.0, 101.0, 102.0], [110.0; 4]];
    let b = [[50.0; 4], [50.0; 4], [55.0; 4], [55.0; 4]];
    let rows = |bars: [[f64; 4]; 4]| (0..).zip(bars).collect::<Vec<_>>();
    let mut bars = universe(4, vec![series("A", &rows(a)), series("B", &rows(b))]);
    bars.sessions.iter_mut().for_each(|ts| *ts *= MICROS_PER_DAY);
    let own = SymbolSignals {
        candidates: vec![
            Candidate { stop: Some(95.0), size: Size::Units(100.0), ..Candidate::at(0, 0) },
            Candidate { stop: Some(95.0), size: Size::Units(100.0), ..Candidate::at(1, 1) },
        ],
        exit_long: vec![false, false, true, false],
        ..SymbolSignals::default()
    };
    (bars, Signals { symbols: vec![own, SymbolSignals::default()] })
}

fn with<T>(rules: &PortfolioRules, benchmark: BenchmarkKind, read: impl Fn(&ReportInput<'_>) -> T) -> T {
    let (bars, signals) = market();
    let backtest: Backtest = simulate(&bars, &signals, rules, 0..4, None, &CancelToken::new()).unwrap();
    read(&ReportInput {
        strategy: "a<b",
        strategy_lints: &[],
        bars: &bars,
        dropped_bars: &[],
        rules,
        backtest: &backtest,
        benchmark,
        tried: None,
        tuned_until: None,
        models: None,
    })
}

fn codes(report: &BacktestReport) -> Vec<&str> {
    report.doubts.iter().map(|doubt| doubt.code.as_str()).collect()
}

#[test]
fn the_figures_are_those_of_the_account() {
    let report = with(&free(), BenchmarkKind::BuyAndHold, BacktestReport::of);
    assert_eq!((report.initial_equity, report.final_equity, report.sessions), (100_000.0, 101_000.0, 4));
    assert_eq!((report.metric("trades"), report.metric("net_profit")), (Some(1.0), Some(1_000.0)));
    assert_eq!(report.metric("expectancy_r"), Some(2.0));
    // A grew by 10 %, B by 10 %
    assert!((report.metric("benchmark_return").unwrap() - 0.1).abs() < 1e-12);
    assert_eq!((report.funnel.candidates, report.funnel.filled), (2, 1));
    assert_eq!(report.exits.iter().map(|exit| (exit.reason.name(), exit.trades)).collect::<Vec<_>>(), [("signal", 1)]);
    // from 100,500 to 100,200, back at once
    let fall = &report.drawdowns[0];
    assert!((fall.depth - (100_200.0 / 100_500.0 - 1.0)).abs() < 1e-12);
    assert_eq!((fall.peak.date(), fall.trough.date()), ("1970-01-02".to_owned(), "1970-01-03".to_owned()));
    assert_eq!((fall.recovered.map(|at| at.date()), fall.sessions), (Some("1970-01-04".to_owned()), 2));
}

#[test]
fn a_benchmark_is_bought_at_the_first_close_and_one_of_equal_weight_is_set_right_at_each() {
    let (bars, _) = market();
    let near = |found: &[f64], expected: &[f64]| found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12);
    let held = benchmark_returns(&bars, 0..4, BenchmarkKind::BuyAndHold);
    assert!(near(&held, &[0.0, 2.05 / 2.0 - 1.0, 2.12 / 2.05 - 1.0, 2.2 / 2.12 - 1.0]), "{held:?}");
    let equal = benchmark_returns(&bars, 0..4, BenchmarkKind::EqualWeight);
    assert!(near(&equal, &[0.0, 0.025, (102.0 / 105.0 - 1.0 + 0.1) / 2.0, (110.0 / 102.0 - 1.0) / 2.0]), "{equal:?}");
    assert!(benchmark_returns(&bars, 0..4, BenchmarkKind::None).is_empty());
    assert_eq!(benchmark_returns(&bars, 2..4, BenchmarkKind::BuyAndHold)[0], 0.0);
}

#[test]
fn a_short_lucky_backtest_is_doubted_by_name() {
    let report = with(&free(), BenchmarkKind::BuyAndHold, BacktestReport::of);
    for code in ["few_trades", "short_span", "selection_unknown", "slots_never_bind"] {
        assert!(codes(&report).contains(&code), "{code}: {:?}", codes(&report));
    }
    assert!(!codes(&report).contains(&"close_fill") && !codes(&report).contains(&"in_sample"));
    let rules = PortfolioRules { fill: FillAt::Close, ..free() };
    let close = with(&rules, BenchmarkKind::None, |input| {
        BacktestReport::of(&ReportInput { tuned_until: "1970-01-03".parse().ok(), ..input.clone() })
    });
    assert!(codes(&close).contains(&"close_fill") && codes(&close).contains(&"in_sample"), "{:?}", codes(&close));
    assert!(close.assumptions[0].contains("which nobody can know"), "{:?}", close.assumptions);
    assert_eq!((close.metric("beta"), close.benchmark_metrics.len()), (None, 0));
}

#[test]
fn nothing_traded_says_why() {
    let mut rules = free();
    rules.risk.initial_equity = 10.0;
    let report = with(&rules, BenchmarkKind::None, BacktestReport::of);
    let doubt = report.doubts.iter().find(|doubt| doubt.code == "no_trades").unwrap();
    assert_eq!(doubt.message, "nothing was traded: 2 signals ended as `size_zero`");
    assert_eq!((report.metric("sharpe"), report.metric("win_rate")), (None, None));
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<BacktestReport>(&json).unwrap(), report);
}

#[test]
fn tables_have_a_row_a_trade_a_session_and_a_signal() {
    with(&free(), BenchmarkKind::EqualWeight, |input| {
        let (trades, equity, candidates) = (trades_table(input), equity_table(input), candidates_table(input));
        assert_eq!((trades.rows(), equity.rows(), candidates.rows()), (1, 4, 2));
        assert_eq!(trades.texts("exit_reason").unwrap(), ["signal"]);
        assert_eq!(equity.floats("equity").unwrap(), [100_000.0, 100_500.0, 100_200.0, 101_000.0]);
        assert_eq!(candidates.texts("state").unwrap(), ["filled", "already_in"]);
        assert!(equity.floats("benchmark_return").is_ok());
    });
}

#[test]
fn plots_show_the_curve_and_a_page_stands_alone() {
    with(&free(), BenchmarkKind::BuyAndHold, |input| {
        let text = equity_text(input, 40, 4);
        assert_eq!(text.lines().count(), 6);
        assert!(text.contains("101,000 ┤") && text.contains("100,000 ┤") && text.contains("1970-01-01"), "{text}");
        let page = equity_page(input);
        assert!(page.contains("<svg") && page.contains("a&lt;b") && !page.contains("a<b"), "{page}");
        assert!(!page.contains("src=") && !page.contains("href="), "it loads nothing");
        assert!(markdown(&BacktestReport::of(input)).contains("| net_profit | 1,000 |"));
    });
}

#[test]
fn the_page_on_backtests_names_every_reason_and_every_doubt() {
    use crate::backtest::{ExitReason, Rejection};
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide/backtest.md");
    let page = std::fs::read_to_string(path).unwrap();
    let rejections = Rejection::ALL.iter().map(|(why, ..)| why.name());
    let exits = ExitReason::ALL.iter().map(|(_, name, _)| *name);
    let codes = DOUBTS.iter().map(|(code, ..)| *code);
    for name in rejections.chain(exits).chain(codes) {
        assert!(page.contains(&format!("`{name}`")), "docs/guide/backtest.md says nothing of `{name}`");
    }
}

#[test]
fn the_table_of_rejections_is_in_the_order_of_its_index() {
    use crate::backtest::Rejection;
    for (why, step, meaning) in Rejection::ALL {
        assert_eq!((why.step(), meaning.is_empty()), (*step, false), "{}", why.name());
    }
}
