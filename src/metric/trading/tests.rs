use proptest::prelude::*;

use super::*;
use crate::base::{CancelToken, Seed};
use crate::metric::golden::{agrees, cases, json, numbers, stock_returns};
use crate::stats::bootstrap::IntervalPlan;

/// Tolerance of the reference definitions: 1e-10 relative, with rounding noise around 0.
const RELATIVE: f64 = 1e-10;
const NOISE: f64 = 1e-14;

#[test]
fn metrics_of_returns_agree_with_their_definitions() {
    for case in cases("stats/trading_metrics.json").iter().filter(|case| case["input"].get("returns").is_some()) {
        let returns = numbers(&case["input"]["returns"]);
        let periods_per_year = case["input"]["periods_per_year"].as_f64().unwrap();
        let report = trading_report(&returns, periods_per_year);
        let falls = report.drawdown.unwrap();
        for (key, ours) in [
            ("total_return", report.total_return),
            ("cagr", report.cagr),
            ("mean", report.mean),
            ("vol_ann", report.volatility),
            ("sharpe", report.sharpe),
            ("sortino", report.sortino),
            ("calmar", report.calmar),
            ("downside_dev_ann", report.downside_deviation),
            ("skew_pop", report.skewness),
            ("kurt_raw_pop", report.kurtosis),
            ("var_hist_5", report.value_at_risk),
            ("var_normal_5", report.value_at_risk_normal),
            ("cvar_5_ru", report.conditional_value_at_risk),
            ("tail_ratio", report.tail_ratio),
            ("profit_factor", report.profit_factor),
            ("win_rate_nonzero", report.win_rate),
            ("gain_to_pain", report.gain_to_pain),
            ("omega_0", report.omega),
            ("max_drawdown", Some(falls.max_drawdown)),
            ("trough_index", Some(falls.trough_index as f64)),
            ("peak_index", Some(falls.peak_index as f64)),
            ("max_underwater_bars", Some(falls.max_underwater_bars as f64)),
            ("ulcer_index_n", Some(falls.ulcer_index)),
            ("avg_drawdown", Some(falls.average_drawdown)),
        ] {
            agrees(&format!("{} {key}", case["name"]), ours, &case["expect"]["definition"][key], NOISE, RELATIVE);
        }
    }
}

#[test]
fn metrics_of_trades_agree_with_their_definitions() {
    for case in cases("stats/trading_metrics.json").iter().filter(|case| case["input"].get("r_multiples").is_some()) {
        let report = trade_report(&numbers(&case["input"]["r_multiples"]));
        for (key, ours) in [
            ("n", Some(report.trades as f64)),
            ("expectancy_r", report.expectancy_r),
            ("win_rate", report.win_rate),
            ("avg_win", report.average_win),
            ("avg_loss", report.average_loss),
            ("profit_factor", report.profit_factor),
            ("payoff", report.payoff),
            ("sqn", report.sqn),
            ("sqn_capped100", report.sqn_capped),
            ("max_consec_losses", Some(report.longest_losing_streak as f64)),
            ("total_r", report.total_r),
            ("kelly", report.kelly),
        ] {
            // the empty case has no row for what needs a trade
            if let Some(theirs) = case["expect"].get(key) {
                agrees(&format!("{} {key}", case["name"]), ours, theirs, 1e-15, RELATIVE);
            }
        }
    }
}

#[test]
fn real_stocks_agree_with_empyrical_and_quantstats() {
    let daily_rate = 1.02_f64.powf(1.0 / 252.0) - 1.0;
    for (symbol, tools) in json("risk/expected.json")["results"].as_object().unwrap() {
        let returns = stock_returns(symbol);
        let excess: Vec<f64> = returns.iter().map(|change| change - daily_rate).collect();
        let report = trading_report(&returns, 252.0);
        let falls = report.drawdown.unwrap();
        for (tool, key, ours) in [
            ("empyrical", "cum_final", report.total_return),
            ("empyrical", "annual_return", report.cagr),
            ("empyrical", "annual_volatility", report.volatility),
            ("empyrical", "sharpe", report.sharpe),
            ("empyrical", "sharpe_rf", sharpe(&excess, 252.0)),
            ("empyrical", "sortino", report.sortino),
            ("empyrical", "sortino_req", sortino(&excess, 252.0)),
            ("empyrical", "downside_risk", report.downside_deviation),
            ("empyrical", "max_drawdown", Some(falls.max_drawdown)),
            ("empyrical", "calmar", report.calmar),
            ("empyrical", "omega", report.omega),
            ("empyrical", "tail_ratio", report.tail_ratio),
            ("empyrical", "var_5", report.value_at_risk),
            ("quantstats", "win_rate", report.win_rate),
            ("quantstats", "profit_factor", report.profit_factor),
            ("quantstats", "payoff_ratio", payoff(&returns)),
            ("quantstats", "value_at_risk", report.value_at_risk_normal),
        ] {
            agrees(&format!("{symbol} {tool} {key}"), ours, &tools[tool][key], 0.0, 1e-9);
        }
    }
}

#[test]
fn a_hole_in_the_returns_leaves_everything_undefined() {
    for returns in [&[][..], &[0.1, f64::NAN, 0.2], &[0.1, f64::INFINITY]] {
        for metric in TradingMetric::ALL {
            assert_eq!(metric.evaluate(returns, 252.0, returns), None, "{metric}");
        }
    }
}

#[test]
fn losing_everything_ends_the_series() {
    let returns = [0.1, -1.0, 5.0];
    assert_eq!(total_return(&returns), Some(-1.0));
    assert_eq!(cagr(&returns, 252.0), Some(-1.0));
    assert_eq!(drawdown(&returns).unwrap().max_drawdown, -1.0);
    assert_eq!(total_return(&[-1.5, -3.0]), Some(-1.0));
}

#[test]
fn recovery_is_counted_from_the_trough() {
    let recovered = drawdown(&[0.1, -0.5, 0.2, 1.0, 0.0]).unwrap();
    assert_eq!((recovered.peak_index, recovered.trough_index, recovered.recovery_bars), (1, 2, Some(2)));
    assert_eq!(drawdown(&[0.1, -0.5, 0.2]).unwrap().recovery_bars, None);
    assert_eq!(drawdown(&[0.1, 0.2]).unwrap().recovery_bars, Some(0));
}

#[test]
fn streaks_end_at_a_result_of_zero() {
    let results = [1.0, 2.0, 0.0, 1.0, -1.0, -1.0, -1.0, 0.0, -1.0];
    assert_eq!((longest_winning_streak(&results), longest_losing_streak(&results)), (2, 3));
}

#[test]
fn every_metric_reads_its_own_name_and_aliases() {
    for metric in TradingMetric::ALL {
        assert_eq!(metric.name().parse(), Ok(*metric));
        for alias in metric.aliases() {
            assert_eq!(alias.parse(), Ok(*metric));
        }
        let text = serde_json::to_string(metric).unwrap();
        assert_eq!(serde_json::from_str::<TradingMetric>(&text).unwrap(), *metric);
        assert!(!metric.doc().is_empty());
    }
    assert_eq!("calmar_ratio".parse(), Ok(TradingMetric::Calmar));
    let refused = "sharp".parse::<TradingMetric>().unwrap_err().to_string();
    assert!(
        refused.starts_with("unknown trading metric `sharp`, expected one of sharpe, sortino, calmar"),
        "{refused}"
    );
}

#[test]
fn a_metric_takes_its_figures_from_returns_or_from_trades() {
    let (returns, trades) = ([0.01, -0.02, 0.03], [2.0, -1.0, -1.0, 3.0]);
    assert_eq!(TradingMetric::Sharpe.evaluate(&returns, 252.0, &trades), sharpe(&returns, 252.0));
    assert_eq!(TradingMetric::ProfitFactor.evaluate(&returns, 252.0, &trades), Some(2.5));
    assert_eq!(TradingMetric::WinRate.evaluate(&returns, 252.0, &trades), Some(0.5));
    assert_eq!(TradingMetric::ExpectancyR.evaluate(&returns, 252.0, &[]), None);
}

#[test]
fn an_interval_contains_its_metric_and_is_wider_at_a_higher_level() {
    let mut stream = Seed::new(2).stream();
    let returns: Vec<f64> = (0..400).map(|_| 0.01 * (stream.normal() + 0.1)).collect();
    let draw = |level: f64| {
        let plan = IntervalPlan { resamples: 300, level, mean_block: None };
        TradingMetric::Sharpe.interval(&returns, 252.0, &[], &plan, Seed::new(1), &CancelToken::new()).unwrap().unwrap()
    };
    let (narrow, wide, estimate) = (draw(0.5), draw(0.95), sharpe(&returns, 252.0).unwrap());
    assert!(wide.low < narrow.low && narrow.low < estimate && estimate < narrow.high && narrow.high < wide.high);
    let plan = IntervalPlan::default();
    assert_eq!(TradingMetric::Sqn.interval(&returns, 252.0, &[], &plan, Seed::new(1), &CancelToken::new()), Ok(None));
}

fn series() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(-0.2..0.25_f64, 3..80)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn ratios_do_not_depend_on_the_scale(returns in series(), scale in 1e-6..1e3_f64) {
        let scaled: Vec<f64> = returns.iter().map(|change| change * scale).collect();
        for metric in [sharpe, sortino] {
            match (metric(&returns, 252.0), metric(&scaled, 252.0)) {
                (Some(before), Some(after)) => prop_assert!((before - after).abs() <= 1e-9 * before.abs().max(1.0)),
                (before, after) => prop_assert_eq!(before, after),
            }
        }
    }

    #[test]
    fn risk_is_ordered(returns in series(), tail in 0.01..0.5_f64) {
        let falls = drawdown(&returns).unwrap();
        prop_assert!((-1.0..=0.0).contains(&falls.max_drawdown));
        prop_assert!(falls.max_drawdown <= falls.average_drawdown);
        prop_assert!(falls.ulcer_index <= -falls.max_drawdown + 1e-15);
        prop_assert!(falls.peak_index <= falls.trough_index && falls.max_underwater_bars <= returns.len());
        let average = returns.iter().sum::<f64>() / returns.len() as f64;
        let shortfall = conditional_value_at_risk(&returns, tail).unwrap();
        prop_assert!(shortfall <= value_at_risk(&returns, tail).unwrap() + 1e-15);
        prop_assert!(shortfall <= average + 1e-15);
    }

    #[test]
    fn the_order_matters_only_to_drawdowns(returns in series()) {
        let mut backwards = returns.clone();
        backwards.reverse();
        for metric in [TradingMetric::Sharpe, TradingMetric::Sortino, TradingMetric::Cagr, TradingMetric::Omega] {
            let (a, b) = (metric.evaluate(&returns, 252.0, &[]), metric.evaluate(&backwards, 252.0, &[]));
            match (a, b) {
                (Some(a), Some(b)) => prop_assert!((a - b).abs() <= 1e-9 * a.abs().max(1.0)),
                (a, b) => prop_assert_eq!(a, b),
            }
        }
    }

    #[test]
    fn drawdown_agrees_with_the_slow_definition(returns in series()) {
        let mut equity = vec![1.0];
        for change in &returns {
            equity.push(equity[equity.len() - 1] * (1.0 + change));
        }
        let slowest = (0..equity.len())
            .flat_map(|peak| (peak..equity.len()).map(move |trough| (peak, trough)))
            .map(|(peak, trough)| equity[trough] / equity[peak] - 1.0)
            .fold(0.0, f64::min);
        prop_assert!((drawdown(&returns).unwrap().max_drawdown - slowest).abs() < 1e-14);
    }
}
