//! Every figure that a backtest reports, in one table: what it is, its formula, its source and when it is undefined.
//!
//! The table feeds the report, `docs/reference/metrics.md` and its test. [`super::TradingMetric`] is the part of it that a
//! pipeline may name as an objective: equal names have equal values.

use serde::{Deserialize, Serialize};

use super::drawdown::{drawdown, drawdown_episodes};
use super::{TradingMetric, benchmark, returns, trades};
use crate::base::{CancelToken, Cancelled, Seed};
use crate::metric::sharpe::SharpeMoments;
use crate::stats::bootstrap::{Interval, IntervalPlan};
use crate::stats::sum::mean;

/// Tail of the value at risk.
const TAIL: f64 = 0.05;
/// Confidence of the minimum track record length.
const CONFIDENCE: f64 = 0.95;

/// What metrics need of a closed trade.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ClosedTrade {
    /// Net profit over the initial risk; `None` without a stop.
    pub r: Option<f64>,
    /// Net profit in currency.
    pub pnl: f64,
    /// Net profit over the value of the entry.
    pub net_return: f64,
    /// Sessions held.
    pub sessions: f64,
    /// Furthest against the entry, in R.
    pub mae_r: Option<f64>,
    /// Furthest with the entry, in R.
    pub mfe_r: Option<f64>,
    /// Both commissions and the slippage of both sides, in currency.
    pub costs: f64,
}

/// What the metrics of a backtest are computed from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// Return of each session.
    pub returns: Vec<f64>,
    /// Return of the benchmark in each session; empty without one.
    pub benchmark: Vec<f64>,
    /// Sessions of a year.
    pub periods_per_year: f64,
    /// Closed trades in the order of their exits.
    pub trades: Vec<ClosedTrade>,
    /// Gross exposure at each close, as a share of equity.
    pub exposure: Vec<f64>,
    /// Net exposure at each close, as a share of equity.
    pub net_exposure: Vec<f64>,
    /// Open positions at each close.
    pub positions: Vec<f64>,
    /// Value of all fills over the mean equity.
    pub traded: Option<f64>,
    /// Strategies that were tried before this one was chosen, and the variance of their Sharpe ratios per period.
    pub trials: Option<(f64, f64)>,
}

impl Measured {
    fn r(&self) -> Vec<f64> {
        self.trades.iter().filter_map(|trade| trade.r).collect()
    }

    fn pnl(&self) -> Vec<f64> {
        self.trades.iter().map(|trade| trade.pnl).collect()
    }

    fn of_trades(&self, value: impl Fn(&ClosedTrade) -> Option<f64>) -> Vec<f64> {
        self.trades.iter().filter_map(value).collect()
    }

    fn years(&self) -> f64 {
        self.returns.len() as f64 / self.periods_per_year
    }

    fn moments(&self) -> Option<SharpeMoments> {
        SharpeMoments::of(&self.returns)
    }
}

/// What a figure is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricGroup {
    /// What was earned.
    Return,
    /// What was risked for it.
    Risk,
    /// Falls below the peak.
    Drawdown,
    /// Closed trades.
    Trades,
    /// How much was held and traded.
    Activity,
    /// Beside a benchmark.
    Benchmark,
    /// How much of it may be luck.
    Significance,
}

impl MetricGroup {
    /// Every group with its title.
    pub const ALL: &'static [(Self, &'static str)] = &[
        (Self::Return, "Return"),
        (Self::Risk, "Risk"),
        (Self::Drawdown, "Drawdown"),
        (Self::Trades, "Trades"),
        (Self::Activity, "Exposure and turnover"),
        (Self::Benchmark, "Against the benchmark"),
        (Self::Significance, "Significance"),
    ];
}

/// How a figure is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricUnit {
    /// A share: 0.1 is 10 %.
    Share,
    /// A plain number.
    Ratio,
    /// Multiples of the initial risk.
    R,
    /// Sessions.
    Sessions,
    /// A number of things.
    Count,
    /// Currency of the account.
    Money,
}

impl MetricUnit {
    /// The word for it in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Share => "share",
            Self::Ratio => "ratio",
            Self::R => "R",
            Self::Sessions => "sessions",
            Self::Count => "count",
            Self::Money => "currency",
        }
    }
}

/// One figure.
#[derive(Clone, Copy, Debug)]
pub struct MetricRow {
    /// Name in reports and JSON.
    pub name: &'static str,
    /// What it is about.
    pub group: MetricGroup,
    /// How it is written.
    pub unit: MetricUnit,
    /// Formula.
    pub formula: &'static str,
    /// Who defined it.
    pub source: &'static str,
    /// When it is undefined, for people.
    pub undefined: &'static str,
    /// Computes it.
    pub value: fn(&Measured) -> Option<f64>,
}

/// A figure as computed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricValue {
    /// Its name.
    pub name: String,
    /// What it is about.
    pub group: MetricGroup,
    /// How it is written.
    pub unit: MetricUnit,
    /// The figure; `None` where undefined.
    pub value: Option<f64>,
    /// Why it is undefined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undefined: Option<String>,
    /// Bootstrap interval, where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
}

macro_rules! metrics {
    ($($name:literal, $group:ident, $unit:ident, $formula:literal, $source:literal, $undefined:literal, $value:expr;)+) => {
        /// Every figure of a backtest, in the order of reports.
        pub const METRICS: &[MetricRow] = &[$(MetricRow {
            name: $name,
            group: MetricGroup::$group,
            unit: MetricUnit::$unit,
            formula: $formula,
            source: $source,
            undefined: $undefined,
            value: $value,
        }),+];
    };
}

metrics! {
    "total_return", Return, Share, "prod(1 + r) - 1", "definition", "there is no session",
        |it| returns::total_return(&it.returns);
    "cagr", Return, Share, "prod(1 + r)^(P / n) - 1, with P sessions a year", "definition", "there is no session",
        |it| returns::cagr(&it.returns, it.periods_per_year);
    "best_period", Return, Share, "max r", "definition", "there is no session",
        |it| extreme(&it.returns, f64::max);
    "worst_period", Return, Share, "min r", "definition", "there is no session",
        |it| extreme(&it.returns, f64::min);
    "positive_periods", Return, Share, "share of r > 0 among r != 0", "definition", "equity never moved",
        |it| returns::win_rate(&it.returns);
    "stability", Return, Share, "R^2 of a line through log equity over time", "pyfolio", "equity is constant, or all was lost",
        |it| returns::stability(&it.returns);
    "volatility", Risk, Share, "std(r, n - 1) sqrt(P)", "definition", "fewer than 2 sessions",
        |it| returns::volatility(&it.returns, it.periods_per_year);
    "downside_deviation", Risk, Share, "sqrt(sum min(r, 0)^2 / n) sqrt(P), over all n", "Sortino and Price (1994)", "there is no session",
        |it| returns::downside_deviation(&it.returns, it.periods_per_year);
    "sharpe", Risk, Ratio, "mean(r) / std(r, n - 1) sqrt(P), no risk-free rate", "Sharpe (1994)", "returns are constant, or fewer than 2",
        |it| returns::sharpe(&it.returns, it.periods_per_year);
    "sortino", Risk, Ratio, "mean(r) P / downside_deviation", "Sortino and Price (1994)", "no session lost",
        |it| returns::sortino(&it.returns, it.periods_per_year);
    "omega", Risk, Ratio, "sum max(r, 0) / sum max(-r, 0)", "Keating and Shadwick (2002)", "no session lost",
        |it| returns::omega(&it.returns, 0.0);
    "gain_to_pain", Risk, Ratio, "sum r / sum max(-r, 0)", "Schwager (2012)", "no session lost",
        |it| returns::gain_to_pain(&it.returns);
    "tail_ratio", Risk, Ratio, "|q95(r)| / |q5(r)|, quantiles of type 7", "pyfolio", "the 5 % quantile is 0",
        |it| returns::tail_ratio(&it.returns);
    "value_at_risk", Risk, Share, "q5(r), quantile of type 7", "definition", "there is no session",
        |it| returns::value_at_risk(&it.returns, TAIL);
    "conditional_value_at_risk", Risk, Share, "mean of the worst 5 % of r, the last one in part", "Rockafellar and Uryasev (2002)", "there is no session",
        |it| returns::conditional_value_at_risk(&it.returns, TAIL);
    "skewness", Risk, Ratio, "m3 / m2^1.5, population moments", "definition", "returns are constant",
        |it| returns::skewness(&it.returns);
    "kurtosis", Risk, Ratio, "m4 / m2^2, population moments; a normal distribution has 3", "definition", "returns are constant",
        |it| returns::kurtosis(&it.returns);
    "max_drawdown", Drawdown, Share, "min over t of equity(t) / peak(t) - 1, equity starts at 1", "definition", "there is no session",
        |it| drawdown(&it.returns).map(|falls| falls.max_drawdown);
    "max_drawdown_sessions", Drawdown, Sessions, "longest time from a peak back to its level, or to the end", "definition", "there is no session",
        |it| drawdown(&it.returns).map(|falls| falls.max_underwater_bars as f64);
    "average_drawdown", Drawdown, Share, "mean depth of the falls, each to its recovery", "backtesting.py", "equity never fell",
        |it| mean(&episodes(it, |fall| fall.depth)?);
    "average_drawdown_sessions", Drawdown, Sessions, "mean time of the falls, from peak to recovery or to the end", "backtesting.py", "equity never fell",
        |it| mean(&episodes(it, |fall| fall.bars as f64)?);
    "ulcer", Drawdown, Share, "sqrt(mean of squared drawdowns of all sessions)", "Martin and McCann (1989)", "there is no session",
        |it| drawdown(&it.returns).map(|falls| falls.ulcer_index);
    "calmar", Drawdown, Ratio, "cagr / |max_drawdown|", "Young (1991)", "equity never fell",
        |it| returns::calmar(&it.returns, it.periods_per_year);
    "recovery_factor", Drawdown, Ratio, "total_return / |max_drawdown|", "definition", "equity never fell",
        |it| returns::ratio(returns::total_return(&it.returns)?, -drawdown(&it.returns)?.max_drawdown);
    "trades", Trades, Count, "closed trades", "definition", "never",
        |it| Some(it.trades.len() as f64);
    "win_rate", Trades, Share, "share of trades with a net profit above 0", "definition", "no trade was closed",
        |it| trades::trade_win_rate(&it.pnl());
    "net_profit", Trades, Money, "sum of net profits of closed trades", "definition", "never",
        |it| Some(crate::stats::sum::sum(it.pnl()));
    "profit_factor", Trades, Ratio, "sum of wins / sum of losses, in R", "definition", "no trade with a stop lost",
        |it| returns::profit_factor(&it.r());
    "profit_factor_money", Trades, Ratio, "sum of wins / sum of losses, in currency", "definition", "no trade lost",
        |it| returns::profit_factor(&it.pnl());
    "payoff", Trades, Ratio, "mean win / |mean loss|, in R", "definition", "wins or losses with a stop are missing",
        |it| trades::payoff(&it.r());
    "payoff_money", Trades, Ratio, "mean win / |mean loss|, in currency", "definition", "wins or losses are missing",
        |it| trades::payoff(&it.pnl());
    "expectancy_r", Trades, R, "mean R", "Tharp (2008)", "no closed trade had a stop",
        |it| trades::expectancy_r(&it.r());
    "expectancy_money", Trades, Money, "mean net profit of a trade", "definition", "no trade was closed",
        |it| mean(&it.pnl());
    "average_trade", Trades, Share, "mean of net profit over value of the entry", "definition", "no trade was closed",
        |it| mean(&it.of_trades(|trade| Some(trade.net_return)));
    "best_trade", Trades, Share, "largest net profit over value of the entry", "definition", "no trade was closed",
        |it| extreme(&it.of_trades(|trade| Some(trade.net_return)), f64::max);
    "worst_trade", Trades, Share, "smallest net profit over value of the entry", "definition", "no trade was closed",
        |it| extreme(&it.of_trades(|trade| Some(trade.net_return)), f64::min);
    "sqn", Trades, Ratio, "sqrt(n) mean(R) / std(R, n - 1)", "Tharp (2008)", "fewer than 2 trades with a stop, or all alike",
        |it| trades::sqn(&it.r());
    "sqn_money", Trades, Ratio, "sqrt(n) mean(profit) / std(profit, n - 1)", "Tharp (2008)", "fewer than 2 trades, or all alike",
        |it| trades::sqn(&it.pnl());
    "kelly", Trades, Share, "W - (1 - W) / payoff_money, with the win rate W", "Kelly (1956)", "wins or losses are missing",
        |it| trades::kelly(&it.pnl());
    "mae_r", Trades, R, "mean of the furthest price against the entry while held, in R", "Sweeney (1996)", "no closed trade had a stop",
        |it| mean(&it.of_trades(|trade| trade.mae_r));
    "mfe_r", Trades, R, "mean of the furthest price with the entry while held, in R", "Sweeney (1996)", "no closed trade had a stop",
        |it| mean(&it.of_trades(|trade| trade.mfe_r));
    "longest_winning_streak", Trades, Count, "longest run of profits above 0, in the order of exits", "definition", "never",
        |it| Some(trades::longest_winning_streak(&it.pnl()) as f64);
    "longest_losing_streak", Trades, Count, "longest run of profits below 0, in the order of exits", "definition", "never",
        |it| Some(trades::longest_losing_streak(&it.pnl()) as f64);
    "holding_sessions", Trades, Sessions, "mean sessions from entry to exit", "definition", "no trade was closed",
        |it| mean(&it.of_trades(|trade| Some(trade.sessions)));
    "costs", Trades, Money, "commissions and slippage of closed trades", "definition", "never",
        |it| Some(crate::stats::sum::sum(it.of_trades(|trade| Some(trade.costs))));
    "exposure", Activity, Share, "mean gross notional at the close over equity", "definition", "there is no session",
        |it| mean(&it.exposure);
    "max_exposure", Activity, Share, "largest gross notional at the close over equity", "definition", "there is no session",
        |it| extreme(&it.exposure, f64::max);
    "net_exposure", Activity, Share, "mean of long less short notional at the close over equity", "definition", "there is no session",
        |it| mean(&it.net_exposure);
    "time_in_market", Activity, Share, "share of sessions with a position at the close", "definition", "there is no session",
        |it| mean(&it.positions.iter().map(|open| f64::from(u8::from(*open > 0.0))).collect::<Vec<_>>());
    "positions", Activity, Count, "mean number of positions at the close", "definition", "there is no session",
        |it| mean(&it.positions);
    "turnover", Activity, Ratio, "value of all fills / mean equity / years", "definition", "there is no session",
        |it| returns::ratio(it.traded?, it.years());
    "trades_per_year", Activity, Count, "closed trades / years", "definition", "there is no session",
        |it| returns::ratio(it.trades.len() as f64, it.years());
    "benchmark_return", Benchmark, Share, "total return of the benchmark", "definition", "there is no benchmark",
        |it| returns::total_return(&it.benchmark);
    "benchmark_sharpe", Benchmark, Ratio, "Sharpe ratio of the benchmark", "Sharpe (1994)", "there is no benchmark, or it is constant",
        |it| returns::sharpe(&it.benchmark, it.periods_per_year);
    "benchmark_drawdown", Benchmark, Share, "deepest fall of the benchmark", "definition", "there is no benchmark",
        |it| drawdown(&it.benchmark).map(|falls| falls.max_drawdown);
    "alpha", Benchmark, Share, "(1 + mean(r - beta b))^P - 1", "Jensen (1968)", "there is no benchmark, or it is constant",
        |it| benchmark::alpha(&it.returns, &it.benchmark, it.periods_per_year);
    "beta", Benchmark, Ratio, "cov(r, b) / var(b)", "Sharpe (1964)", "there is no benchmark, or it is constant",
        |it| benchmark::beta(&it.returns, &it.benchmark);
    "correlation", Benchmark, Ratio, "cov(r, b) / (std(r) std(b))", "Pearson (1895)", "there is no benchmark, or returns are constant",
        |it| benchmark::correlation(&it.returns, &it.benchmark);
    "tracking_error", Benchmark, Share, "std(r - b, n - 1) sqrt(P)", "definition", "there is no benchmark",
        |it| benchmark::tracking_error(&it.returns, &it.benchmark, it.periods_per_year);
    "information_ratio", Benchmark, Ratio, "mean(r - b) / std(r - b, n - 1) sqrt(P)", "Goodwin (1998)", "there is no benchmark, or it is not left",
        |it| benchmark::information_ratio(&it.returns, &it.benchmark, it.periods_per_year);
    "up_capture", Benchmark, Ratio, "cagr of r / cagr of b, over sessions with b > 0", "empyrical", "there is no benchmark, or it never rose",
        |it| benchmark::up_capture(&it.returns, &it.benchmark, it.periods_per_year);
    "down_capture", Benchmark, Ratio, "cagr of r / cagr of b, over sessions with b < 0", "empyrical", "there is no benchmark, or it never fell",
        |it| benchmark::down_capture(&it.returns, &it.benchmark, it.periods_per_year);
    "psr", Significance, Share, "Phi(SR sqrt(n - 1) / sqrt(1 - skew SR + (kurt - 1)/4 SR^2)): probability that the true Sharpe ratio is above 0",
        "Bailey and Lopez de Prado (2012)", "returns are constant, or fewer than 2",
        |it| it.moments()?.probabilistic(0.0);
    "min_track_record", Significance, Sessions, "1 + (1 - skew SR + (kurt - 1)/4 SR^2) (z95 / SR)^2: sessions for a PSR of 95 %",
        "Bailey and Lopez de Prado (2012)", "the Sharpe ratio is not above 0: no length suffices",
        |it| it.moments()?.min_track_record(0.0, CONFIDENCE);
    "dsr", Significance, Share, "PSR against the best Sharpe ratio that N trials without skill would show", "Bailey and Lopez de Prado (2014)",
        "the number of strategies tried and the spread of their Sharpe ratios are not given",
        |it| it.trials.and_then(|(trials, spread)| it.moments()?.deflated(trials, spread));
}

/// Figures that get an interval: the ones decisions are made by.
const WITH_INTERVAL: &[TradingMetric] = &[
    TradingMetric::Cagr,
    TradingMetric::Sharpe,
    TradingMetric::Sortino,
    TradingMetric::MaxDrawdown,
    TradingMetric::Calmar,
    TradingMetric::WinRate,
    TradingMetric::ProfitFactor,
    TradingMetric::ExpectancyR,
];

impl Measured {
    /// Bootstraps intervals (stationary bootstrap in time order) of the figures that decisions are made by.
    ///
    /// # Errors
    /// [`Cancelled`] when the token asks for a stop.
    pub fn add_intervals(
        &self,
        metrics: &mut [MetricValue],
        plan: &IntervalPlan,
        seed: Seed,
        cancel: &CancelToken,
    ) -> Result<(), Cancelled> {
        let r = self.r();
        for metric in metrics.iter_mut().filter(|metric| metric.value.is_some()) {
            let Some(known) = WITH_INTERVAL.iter().find(|known| known.name() == metric.name) else { continue };
            let seed = seed.derive(known.name());
            metric.interval = known.interval(&self.returns, self.periods_per_year, &r, plan, seed, cancel)?;
        }
        Ok(())
    }

    /// Computes every figure, in the order of the table.
    pub fn metrics(&self) -> Vec<MetricValue> {
        let of = |row: &MetricRow| {
            let value = (row.value)(self).filter(|value| value.is_finite());
            let undefined = value.is_none().then(|| row.undefined.to_owned());
            MetricValue {
                name: row.name.to_owned(),
                group: row.group,
                unit: row.unit,
                value,
                undefined,
                interval: None,
            }
        };
        METRICS.iter().map(of).collect()
    }
}

fn extreme(values: &[f64], pick: fn(f64, f64) -> f64) -> Option<f64> {
    returns::usable(values)?.iter().copied().reduce(pick)
}

fn episodes(measured: &Measured, value: impl Fn(&super::DrawdownEpisode) -> f64) -> Option<Vec<f64>> {
    Some(drawdown_episodes(&measured.returns)?.iter().map(value).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn measured() -> Measured {
        let trade = |r: f64| ClosedTrade {
            r: Some(r),
            pnl: 50.0 * r,
            net_return: 0.01 * r,
            mae_r: Some(r.min(-0.2)),
            mfe_r: Some(r.max(0.2)),
            ..ClosedTrade::default()
        };
        Measured {
            returns: vec![0.01, -0.02, 0.03, 0.005, -0.01, 0.02],
            benchmark: vec![0.02, -0.01, 0.01, 0.0, -0.02, 0.01],
            periods_per_year: 252.0,
            trades: [2.0, -1.0, -0.5, 3.0].map(trade).to_vec(),
            exposure: vec![0.5; 6],
            net_exposure: vec![0.5; 6],
            positions: vec![0.0, 1.0, 1.0, 2.0, 1.0, 1.0],
            traded: Some(12.0),
            trials: Some((10.0, 0.01)),
        }
    }

    #[test]
    fn an_objective_has_the_value_that_the_report_gives_it() {
        let measured = measured();
        let r: Vec<f64> = measured.trades.iter().filter_map(|trade| trade.r).collect();
        for metric in TradingMetric::ALL {
            let row = METRICS.iter().find(|row| row.name == metric.name()).unwrap_or_else(|| panic!("{metric}"));
            assert_eq!((row.value)(&measured), metric.evaluate(&measured.returns, 252.0, &r), "{metric}");
        }
    }

    #[test]
    fn every_row_says_what_it_is_and_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = METRICS.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), METRICS.len());
        for row in METRICS {
            assert!(![row.formula, row.source, row.undefined].contains(&""), "{}", row.name);
            assert!(measured().metrics().iter().any(|it| it.name == row.name && it.value.is_some()), "{}", row.name);
        }
    }

    #[test]
    fn what_is_undefined_says_why() {
        let nothing = Measured { periods_per_year: 252.0, ..Measured::default() }.metrics();
        for metric in &nothing {
            let is_count = matches!(metric.unit, MetricUnit::Count | MetricUnit::Money) && metric.value == Some(0.0);
            assert!(is_count || (metric.value.is_none() && metric.undefined.is_some()), "{metric:?}");
        }
    }
}
