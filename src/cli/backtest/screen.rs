//! The result of a backtest on a terminal.

use std::fmt::Write as _;

use super::super::render::table;
use crate::backtest::Rejection;
use crate::backtest::report::{BacktestReport, BenchmarkKind, MlComparison, ReportInput, equity_text, metric_text};
use crate::metric::trading::MetricGroup;

/// The figures that most readers ask for.
const USUAL: &[&str] = &[
    "total_return",
    "cagr",
    "volatility",
    "sharpe",
    "sortino",
    "max_drawdown",
    "max_drawdown_sessions",
    "calmar",
    "conditional_value_at_risk",
    "trades",
    "win_rate",
    "profit_factor",
    "profit_factor_money",
    "expectancy_r",
    "sqn",
    "holding_sessions",
    "costs",
    "exposure",
    "turnover",
    "alpha",
    "beta",
    "information_ratio",
    "psr",
    "min_track_record",
    "dsr",
];

/// Columns and rows of the plot of equity.
const PLOT: (usize, usize) = (72, 8);

/// Everything on one screen or two: plot, figures, signals, exits, falls, assumptions, doubts.
pub(super) fn screen(input: &ReportInput<'_>, report: &BacktestReport, all: bool, written: &[String]) -> String {
    let mut text = format!(
        "{} · {} · {} to {} · {} sessions\n\n",
        report.strategy,
        counted(report.symbols.len(), "symbol"),
        report.from.date(),
        report.to.date(),
        report.sessions
    );
    let _ = writeln!(text, "{}", equity_text(input, PLOT.0, PLOT.1));
    let _ = writeln!(text, "{}\n", figures(report, all));
    if let Some(model) = &report.model {
        let marked = if model.in_sample > 0 { ", IN SAMPLE" } else { "" };
        let title = format!("{}{marked}", model.probabilities);
        let header = [title.as_str(), "without", "with", "difference"];
        let _ = writeln!(text, "{}\n", table(&header, model.rows().into_iter().map(Vec::from)));
        let _ = writeln!(text, "{}\n", MlComparison::NOTE);
    }
    let _ = writeln!(text, "{}", signals(report));
    if !report.exits.is_empty() {
        let rows = report.exits.iter().map(|it| {
            let mean_r = it.mean_r.map_or("-".to_owned(), |r| format!("{r:+.2} R"));
            vec![it.reason.name().to_owned(), it.trades.to_string(), format!("{:.0}", it.net_pnl), mean_r]
        });
        let _ = writeln!(text, "{}\n", table(&["exit", "trades", "net profit", "mean"], rows));
    }
    if !report.drawdowns.is_empty() {
        let rows = report.drawdowns.iter().map(|it| {
            let recovered = it.recovered.map_or("not yet".to_owned(), |at| at.date());
            let depth = format!("{:.1} %", 100.0 * it.depth);
            vec![depth, it.peak.date(), it.trough.date(), recovered, it.sessions.to_string()]
        });
        let _ = writeln!(text, "{}\n", table(&["deepest falls", "peak", "trough", "recovered", "sessions"], rows));
    }
    if !report.caps.is_empty() {
        let caps: Vec<String> = report.caps.iter().map(|(cap, count)| format!("{cap} {count}")).collect();
        let _ = writeln!(text, "Entries cut by a limit: {}.\n", caps.join(", "));
    }
    list(&mut text, "Assumed", report.assumptions.iter().cloned());
    list(&mut text, "Doubts", report.doubts.iter().map(|it| format!("{}: {}", it.code, it.message)));
    list(&mut text, "Left out", report.dropped_bars.iter().cloned());
    if !report.open_at_end.is_empty() {
        let _ = writeln!(text, "{} open at the end.", counted(report.open_at_end.len(), "position"));
    }
    written.iter().for_each(|path| text.push_str(&format!("written {path}\n")));
    text
}

fn counted(count: usize, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

fn list(text: &mut String, title: &str, items: impl Iterator<Item = String>) {
    let lines: Vec<String> = items.map(|item| format!("- {item}\n")).collect();
    if !lines.is_empty() {
        text.push_str(&format!("{title}\n{}\n", lines.concat()));
    }
}

/// The usual figures, or all of them by group, beside those of the benchmark.
fn figures(report: &BacktestReport, all: bool) -> String {
    let has_benchmark = report.benchmark != BenchmarkKind::None;
    let row = |metric: &crate::metric::trading::MetricValue| {
        let mut cells = vec![metric.name.clone(), metric_text(metric)];
        if has_benchmark {
            cells.push(report.benchmark_metric(&metric.name).map(metric_text).unwrap_or_default());
        }
        cells.extend(metric.undefined.as_ref().map(|why| format!("undefined: {why}")));
        cells
    };
    let of = |group: MetricGroup| report.metrics.iter().filter(move |metric| metric.group == group).map(row);
    let mut header = vec!["figure", "strategy"];
    header.extend(has_benchmark.then(|| report.benchmark.title()));
    header.push("");
    if !all {
        let usual = report.metrics.iter().filter(|metric| USUAL.contains(&metric.name.as_str()));
        return table(&header, usual.map(row));
    }
    let groups = MetricGroup::ALL.iter().map(|(group, title)| format!("{title}\n{}", table(&header, of(*group))));
    groups.collect::<Vec<_>>().join("\n\n")
}

/// The funnel in one line, and why signals were not traded.
fn signals(report: &BacktestReport) -> String {
    let funnel = &report.funnel;
    let mut text = format!(
        "{} → {} eligible → {} with a slot → {} filled\n",
        counted(funnel.candidates, "signal"),
        funnel.eligible,
        funnel.slotted,
        funnel.filled
    );
    let rows = Rejection::ALL.iter().filter_map(|(why, _, meaning)| {
        let count = funnel.rejected.get(why.name())?;
        Some(vec![why.name().to_owned(), count.to_string(), (*meaning).to_owned()])
    });
    let rows: Vec<Vec<String>> = rows.collect();
    if !rows.is_empty() {
        let _ = writeln!(text, "\n{}", table(&["not traded", "signals", "because"], rows));
    }
    text
}
