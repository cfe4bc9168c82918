//! The report: figures, funnel, falls and findings of one simulation.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::assumptions::assumptions;
use super::benchmark::{BenchmarkKind, benchmark_returns};
use super::comparison::MlComparison;
use super::doubts::{Doubt, doubts};
use crate::backtest::{Backtest, BacktestWarning, ExitReason, Funnel, OpenPosition, PortfolioRules};
use crate::base::{CancelToken, Cancelled, Seed, Timestamp};
use crate::market::Bars;
use crate::metric::trading::{ClosedTrade, Measured, MetricUnit, MetricValue, drawdown_episodes};
use crate::stats::bootstrap::IntervalPlan;
use crate::strategy::StrategyLint;

/// Version of the report's JSON.
pub const REPORT_VERSION: u32 = 1;
/// Falls that are listed.
const WORST: usize = 5;

/// What a report is made from.
#[derive(Clone, Debug)]
pub struct ReportInput<'a> {
    /// Name of the strategy.
    pub strategy: &'a str,
    /// What is allowed in the strategy and probably not meant.
    pub strategy_lints: &'a [StrategyLint],
    /// The bars.
    pub bars: &'a Bars,
    /// Bars that were left out, each with its reason.
    pub dropped_bars: &'a [String],
    /// The rules of the simulation.
    pub rules: &'a PortfolioRules,
    /// Its result.
    pub backtest: &'a Backtest,
    /// What it is held against.
    pub benchmark: BenchmarkKind,
    /// Strategies that were tried before this one was chosen.
    pub tried: Option<u32>,
    /// The end of the data that the strategy was chosen on.
    pub tuned_until: Option<Timestamp>,
    /// Which model stands for the probability of a signal, by (symbol index, signal session); `None` without models.
    pub models: Option<&'a BTreeMap<(u32, u32), ModelTag>>,
}

/// The model that stands for a probability.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelTag {
    /// What it is called.
    pub id: String,
    /// SHA-256 of it.
    pub digest: String,
    /// Where the probability comes from: `fold`, `model`, `out_of_fold`, `in_sample`.
    pub source: String,
}

impl ReportInput<'_> {
    /// The sessions of the window.
    pub(super) fn sessions(&self) -> Range<u32> {
        let equity = &self.backtest.equity;
        equity.first().map_or(0, |point| point.session)..equity.last().map_or(0, |point| point.session + 1)
    }

    fn time(&self, session: u32) -> Timestamp {
        Timestamp::from_micros(self.bars.sessions.get(session as usize).copied().unwrap_or(0))
    }
}

/// Trades by why they ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExitCount {
    /// Why.
    pub reason: ExitReason,
    /// Trades.
    pub trades: usize,
    /// Their net profit, in currency.
    pub net_pnl: f64,
    /// Their mean R; `None` where none had a stop.
    pub mean_r: Option<f64>,
}

/// What one symbol made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SymbolResult {
    /// Ticker.
    pub symbol: String,
    /// Closed trades.
    pub trades: usize,
    /// Trades with a net profit above 0.
    pub wins: usize,
    /// Net profit, in currency.
    pub net_pnl: f64,
}

/// One of the deepest falls of equity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorstDrawdown {
    /// Depth as a share of the peak, below 0.
    pub depth: f64,
    /// Session of the peak.
    pub peak: Timestamp,
    /// Session of the deepest fall.
    pub trough: Timestamp,
    /// Session that is back at the level of the peak; `None` when none is.
    pub recovered: Option<Timestamp>,
    /// Sessions from the peak to that one, or to the end.
    pub sessions: usize,
}

/// The return of a calendar year (UTC), or of the part of it that the window has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct YearReturn {
    /// The year.
    pub year: String,
    /// Return of the strategy.
    pub strategy: f64,
    /// Return of the benchmark, if there is one.
    pub benchmark: Option<f64>,
}

/// Everything there is to say about a backtest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BacktestReport {
    /// Version of this record.
    pub version: u32,
    /// Name of the strategy.
    pub strategy: String,
    /// Symbols of the universe.
    pub symbols: Vec<String>,
    /// First session.
    pub from: Timestamp,
    /// Last session.
    pub to: Timestamp,
    /// Number of sessions.
    pub sessions: usize,
    /// Sessions of a year.
    pub periods_per_year: f64,
    /// Equity before the first session.
    pub initial_equity: f64,
    /// Equity at the end.
    pub final_equity: f64,
    /// Every figure, by the table of `docs/reference/metrics.md`.
    pub metrics: Vec<MetricValue>,
    /// What it is held against.
    pub benchmark: BenchmarkKind,
    /// Every figure of the benchmark that its returns alone give; empty without one.
    pub benchmark_metrics: Vec<MetricValue>,
    /// What became of the signals.
    pub funnel: Funnel,
    /// Trades by why they ended.
    pub exits: Vec<ExitCount>,
    /// Entries by the limit that cut them.
    pub caps: BTreeMap<String, usize>,
    /// The deepest falls, deepest first.
    pub drawdowns: Vec<WorstDrawdown>,
    /// Returns by year.
    pub years: Vec<YearReturn>,
    /// What each symbol made, by name.
    pub by_symbol: Vec<SymbolResult>,
    /// What the end found open.
    pub open_at_end: Vec<OpenPosition>,
    /// What the simulation takes for granted.
    pub assumptions: Vec<String>,
    /// What makes the result doubtful.
    pub doubts: Vec<Doubt>,
    /// What the simulation itself warns of.
    pub warnings: Vec<BacktestWarning>,
    /// Bars that were left out, each with its reason.
    pub dropped_bars: Vec<String>,
    /// What a model changed, where one was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<MlComparison>,
}

impl BacktestReport {
    /// Makes the report of a simulation.
    pub fn of(input: &ReportInput<'_>) -> Self {
        let backtest = input.backtest;
        let window = input.sessions();
        let benchmark = benchmark_returns(input.bars, window.clone(), input.benchmark);
        let measured = measured(input, benchmark.clone());
        let alone = Measured {
            returns: benchmark.clone(),
            periods_per_year: input.bars.periods_per_year,
            ..Measured::default()
        };
        let of_returns =
            |it: &MetricValue| it.value.is_some() && !matches!(it.unit, MetricUnit::Count | MetricUnit::Money);
        let benchmark_metrics =
            if benchmark.is_empty() { Vec::new() } else { alone.metrics().into_iter().filter(of_returns).collect() };
        let mut report = Self {
            version: REPORT_VERSION,
            strategy: input.strategy.to_owned(),
            symbols: input.bars.series.iter().map(|series| series.symbol.clone()).collect(),
            from: input.time(window.start),
            to: input.time(window.end.saturating_sub(1)),
            sessions: window.len(),
            periods_per_year: input.bars.periods_per_year,
            initial_equity: backtest.initial_equity,
            final_equity: backtest.equity.last().map_or(backtest.initial_equity, |point| point.equity),
            metrics: measured.metrics(),
            benchmark: input.benchmark,
            benchmark_metrics,
            funnel: backtest.funnel.clone(),
            exits: exits(backtest),
            caps: caps(backtest),
            drawdowns: worst(input, &measured.returns, window.start),
            years: years(input, &measured.returns, &benchmark),
            by_symbol: by_symbol(input),
            open_at_end: backtest.open_at_end.clone(),
            assumptions: assumptions(input.rules, input.bars.periods_per_year),
            doubts: Vec::new(),
            warnings: backtest.warnings.clone(),
            dropped_bars: input.dropped_bars.to_vec(),
            model: None,
        };
        report.doubts = doubts(input, &report);
        report
    }

    /// Adds what a model changed. A model that had seen the signals makes the whole result doubtful.
    pub fn add_model(&mut self, comparison: MlComparison) {
        if comparison.in_sample > 0 {
            let message = format!(
                "{} signals were scored by a model that had learnt from them: every figure with the model is in sample",
                comparison.in_sample
            );
            self.doubts.insert(0, Doubt { code: "model_in_sample".to_owned(), message });
        }
        self.model = Some(comparison);
    }

    /// Adds bootstrap intervals to the figures that decisions are made by.
    ///
    /// # Errors
    /// [`Cancelled`] when the token asks for a stop.
    pub fn add_intervals(
        &mut self,
        input: &ReportInput<'_>,
        plan: &IntervalPlan,
        seed: Seed,
        cancel: &CancelToken,
    ) -> Result<(), Cancelled> {
        measured(input, Vec::new()).add_intervals(&mut self.metrics, plan, seed.derive("backtest"), cancel)
    }

    /// A figure by name; `None` where it is undefined or there is none of that name.
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.metrics.iter().find(|metric| metric.name == name)?.value
    }

    /// The same figure of the benchmark.
    pub fn benchmark_metric(&self, name: &str) -> Option<&MetricValue> {
        self.benchmark_metrics.iter().find(|metric| metric.name == name)
    }
}

/// A figure as people read it, with its interval if it has one; `-` where it is undefined.
pub fn metric_text(metric: &MetricValue) -> String {
    let Some(value) = metric.value else { return "-".to_owned() };
    let text = value_text(metric.unit, value);
    match metric.interval {
        Some(range) => {
            format!("{text} [{}, {}]", value_text(metric.unit, range.low), value_text(metric.unit, range.high))
        }
        None => text,
    }
}

/// A value as people read it in the unit of a figure; `-` where it is undefined.
pub fn text_in_unit(metric: &MetricValue, value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| value_text(metric.unit, value))
}

fn value_text(unit: MetricUnit, value: f64) -> String {
    match unit {
        MetricUnit::Share => format!("{:.2} %", 100.0 * value),
        MetricUnit::Ratio => format!("{value:.2}"),
        MetricUnit::R => format!("{value:+.2} R"),
        MetricUnit::Sessions => format!("{value:.0} sessions"),
        MetricUnit::Count if value.fract() == 0.0 => format!("{value:.0}"),
        MetricUnit::Count => format!("{value:.1}"),
        MetricUnit::Money => money(value),
    }
}

/// An amount with its thousands apart.
pub(super) fn money(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 && text != "0" { format!("-{text}") } else { text }
}

fn measured(input: &ReportInput<'_>, benchmark: Vec<f64>) -> Measured {
    let backtest = input.backtest;
    let returns = backtest.returns();
    let trades = backtest.trades.iter().map(|trade| ClosedTrade {
        r: trade.r,
        pnl: trade.net_pnl,
        net_return: trade.net_return(),
        sessions: f64::from(trade.holding_sessions),
        mae_r: trade.mae_r,
        mfe_r: trade.mfe_r,
        costs: trade.commission + trade.slippage,
    });
    let closed: f64 = backtest.trades.iter().map(|it| it.quantity * (it.entry_price + it.exit_price)).sum();
    let open: f64 = backtest.open_at_end.iter().map(|it| it.quantity * it.entry_price).sum();
    let equity = backtest.equity.iter().map(|point| point.equity).sum::<f64>() / backtest.equity.len() as f64;
    let column = |get: fn(&crate::backtest::EquityPoint) -> f64| backtest.equity.iter().map(get).collect();
    // without the trials themselves: the spread that as many of them without skill would show over so many sessions
    let sessions = returns.len() as f64;
    let trials = input.tried.filter(|_| sessions > 1.0).map(|tried| (f64::from(tried.max(1)), 1.0 / (sessions - 1.0)));
    Measured {
        trades: trades.collect(),
        exposure: column(|point| point.exposure),
        net_exposure: column(|point| point.net_exposure),
        positions: column(|point| f64::from(point.positions)),
        traded: (!backtest.equity.is_empty()).then(|| (closed + open) / equity),
        periods_per_year: input.bars.periods_per_year,
        returns,
        benchmark,
        trials,
    }
}

fn exits(backtest: &Backtest) -> Vec<ExitCount> {
    let of_reason = |&(reason, ..): &(ExitReason, &str, &str)| {
        let trades: Vec<_> = backtest.trades.iter().filter(|trade| trade.exit_reason == reason).collect();
        let r: Vec<f64> = trades.iter().filter_map(|trade| trade.r).collect();
        let net_pnl = trades.iter().map(|trade| trade.net_pnl).sum();
        (!trades.is_empty()).then(|| ExitCount {
            reason,
            trades: trades.len(),
            net_pnl,
            mean_r: crate::stats::sum::mean(&r),
        })
    };
    ExitReason::ALL.iter().filter_map(of_reason).collect()
}

fn caps(backtest: &Backtest) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for cap in backtest.trades.iter().flat_map(|trade| &trade.caps) {
        *counts.entry(cap.name().to_owned()).or_default() += 1;
    }
    counts
}

fn worst(input: &ReportInput<'_>, returns: &[f64], start: u32) -> Vec<WorstDrawdown> {
    let mut falls = drawdown_episodes(returns).unwrap_or_default();
    // the earlier of two equal falls first
    falls.sort_by(|a, b| a.depth.total_cmp(&b.depth).then(a.peak_index.cmp(&b.peak_index)));
    let time = |bar: usize| input.time(start + bar.saturating_sub(1) as u32);
    let listed = falls.into_iter().take(WORST).map(|fall| WorstDrawdown {
        depth: fall.depth,
        peak: time(fall.peak_index),
        trough: time(fall.trough_index),
        recovered: fall.recovery_index.map(time),
        sessions: fall.bars,
    });
    listed.collect()
}

fn years(input: &ReportInput<'_>, returns: &[f64], benchmark: &[f64]) -> Vec<YearReturn> {
    let mut grown: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for (at, session) in input.sessions().enumerate() {
        let year = input.time(session).date().chars().take(4).collect();
        let (own, other) = grown.entry(year).or_insert((1.0, 1.0));
        *own *= 1.0 + returns[at];
        *other *= 1.0 + benchmark.get(at).copied().unwrap_or(0.0);
    }
    let named = grown.into_iter().map(|(year, (own, other))| YearReturn {
        year,
        strategy: own - 1.0,
        benchmark: (!benchmark.is_empty()).then_some(other - 1.0),
    });
    named.collect()
}

fn by_symbol(input: &ReportInput<'_>) -> Vec<SymbolResult> {
    let mut results: Vec<SymbolResult> = input
        .bars
        .series
        .iter()
        .map(|series| SymbolResult { symbol: series.symbol.clone(), trades: 0, wins: 0, net_pnl: 0.0 })
        .collect();
    for trade in &input.backtest.trades {
        let own = &mut results[trade.symbol as usize];
        own.trades += 1;
        own.wins += usize::from(trade.net_pnl > 0.0);
        own.net_pnl += trade.net_pnl;
    }
    results.retain(|own| own.trades > 0);
    results
}
