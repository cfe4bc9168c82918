//! The report as Markdown.

use std::fmt::Write as _;

use super::build::{BacktestReport, metric_text};
use super::comparison::MlComparison;
use crate::metric::trading::MetricGroup;

/// Writes the report as Markdown: findings first, then figures, then what became of the signals.
pub fn markdown(report: &BacktestReport) -> String {
    let mut text = format!(
        "# Backtest of {}\n\n{} symbols, {} to {}, {} sessions.\n",
        report.strategy,
        report.symbols.len(),
        report.from.date(),
        report.to.date(),
        report.sessions
    );
    if !report.doubts.is_empty() {
        text.push_str("\n## Doubts\n\n");
        report.doubts.iter().for_each(|it| text.push_str(&format!("- `{}`: {}\n", it.code, it.message)));
    }
    if let Some(model) = &report.model {
        let marked = if model.in_sample > 0 { ", IN SAMPLE" } else { "" };
        let _ = writeln!(
            text,
            "\n## With the model and without ({}{marked})\n\n| figure | without | with | difference |\n|---|---:|---:|---:|",
            model.probabilities
        );
        for [name, off, on, difference] in model.rows() {
            let _ = writeln!(text, "| {name} | {off} | {on} | {difference} |");
        }
        let _ = writeln!(text, "\n{}", MlComparison::NOTE);
    }
    for (group, title) in MetricGroup::ALL {
        let _ = writeln!(text, "\n## {title}\n\n| figure | strategy | {} |\n|---|---:|---:|", report.benchmark.title());
        for metric in report.metrics.iter().filter(|metric| metric.group == *group) {
            let own = metric.undefined.as_ref().map_or_else(|| metric_text(metric), |why| format!("undefined: {why}"));
            let other = report.benchmark_metric(&metric.name).map(metric_text).unwrap_or_default();
            let _ = writeln!(text, "| {} | {own} | {other} |", metric.name);
        }
    }
    let funnel = &report.funnel;
    let _ = writeln!(
        text,
        "\n## Signals\n\n{} candidates, {} eligible, {} kept by the model, {} with a slot, {} filled.\n",
        funnel.candidates, funnel.eligible, funnel.kept_by_model, funnel.slotted, funnel.filled
    );
    if !funnel.rejected.is_empty() {
        text.push_str("| not traded because | signals |\n|---|---:|\n");
        funnel.rejected.iter().for_each(|(why, count)| text.push_str(&format!("| {why} | {count} |\n")));
    }
    text.push_str("\n## Exits\n\n| reason | trades | net profit | mean R |\n|---|---:|---:|---:|\n");
    for exit in &report.exits {
        let mean_r = exit.mean_r.map_or("-".to_owned(), |r| format!("{r:+.2}"));
        let _ = writeln!(text, "| {} | {} | {:.0} | {mean_r} |", exit.reason.name(), exit.trades, exit.net_pnl);
    }
    text.push_str("\n## Deepest falls\n\n| depth | peak | trough | recovered | sessions |\n|---:|---|---|---|---:|\n");
    for fall in &report.drawdowns {
        let recovered = fall.recovered.map_or("not yet".to_owned(), |at| at.date());
        let (peak, trough) = (fall.peak.date(), fall.trough.date());
        let _ = writeln!(text, "| {:.2} % | {peak} | {trough} | {recovered} | {} |", 100.0 * fall.depth, fall.sessions);
    }
    text.push_str("\n## Assumptions\n\n");
    report.assumptions.iter().for_each(|it| text.push_str(&format!("- {it}\n")));
    text
}
