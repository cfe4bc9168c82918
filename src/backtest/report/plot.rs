//! Equity and drawdown as text for a terminal, as SVG, and as a page that stands alone.

use std::fmt::Write as _;

use super::benchmark::benchmark_returns;
use super::build::{BacktestReport, ReportInput, metric_text, money};
use crate::base::Timestamp;
use crate::metric::trading::MetricGroup;

const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Equity, with the account before the first session in front, and the benchmark grown from the same money.
fn curves(input: &ReportInput<'_>) -> (Vec<f64>, Vec<f64>) {
    let initial = input.backtest.initial_equity;
    let own = std::iter::once(initial).chain(input.backtest.equity.iter().map(|point| point.equity)).collect();
    let mut grown = initial;
    let changes = benchmark_returns(input.bars, input.sessions(), input.benchmark);
    let other: Vec<f64> = changes
        .iter()
        .map(|change| {
            grown *= 1.0 + change;
            grown
        })
        .collect();
    if other.is_empty() { (own, other) } else { (own, [vec![initial], other].concat()) }
}

fn falls(curve: &[f64]) -> Vec<f64> {
    let mut peak = f64::NEG_INFINITY;
    let below = |value: &f64| {
        peak = peak.max(*value);
        value / peak - 1.0
    };
    curve.iter().map(below).collect()
}

/// The last value of each of `columns` equal parts.
fn sampled(values: &[f64], columns: usize) -> Vec<f64> {
    let columns = columns.min(values.len()).max(1);
    (1..=columns)
        .filter_map(|column| values.get((column * values.len() / columns).saturating_sub(1)).copied())
        .collect()
}

/// The least value of each of `columns` equal parts.
fn deepest(values: &[f64], columns: usize) -> Vec<f64> {
    let columns = columns.min(values.len()).max(1);
    let part = |column: usize| &values[column * values.len() / columns..(column + 1) * values.len() / columns];
    (0..columns).map(|column| part(column).iter().copied().fold(0.0, f64::min)).collect()
}

/// Draws equity as `rows` lines of blocks and the drawdown as one line below, `columns` wide.
pub fn equity_text(input: &ReportInput<'_>, columns: usize, rows: usize) -> String {
    let (curve, _) = curves(input);
    let shown = sampled(&curve, columns);
    let (low, high) =
        shown.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), it| (low.min(*it), high.max(*it)));
    let span = if high > low { high - low } else { 1.0 };
    let eighths = |value: f64, steps: usize| ((value * (8 * steps) as f64).round() as usize).min(8 * steps);
    let label = |row: usize| match row {
        0 => money(high),
        row if row + 1 == rows => money(low),
        _ => String::new(),
    };
    let width = money(high).len().max(money(low).len());
    let mut text = String::new();
    for row in 0..rows {
        let from = 8 * (rows - 1 - row);
        let cells = shown.iter().map(|value| {
            // one eighth always shows, so that the lowest value is seen
            let level = eighths((value - low) / span, rows).max(1);
            BLOCKS[level.saturating_sub(from).min(8)]
        });
        let _ = writeln!(text, "{:>width$} ┤{}", label(row), cells.collect::<String>().trim_end());
    }
    let falls = deepest(&falls(&curve), columns);
    let worst = falls.iter().copied().fold(0.0, f64::min);
    // nothing but peaks is drawn as nothing
    let scale = if worst < 0.0 { worst } else { -1.0 };
    let cells: String = falls.iter().map(|fall| BLOCKS[eighths(fall / scale, 1)]).collect();
    let _ = writeln!(text, "{:>width$} ┤{}", format!("{:.0} %", 100.0 * worst), cells.trim_end());
    let day =
        |session: u32| Timestamp::from_micros(input.bars.sessions.get(session as usize).copied().unwrap_or(0)).date();
    let ends = (day(input.sessions().start), day(input.sessions().end.saturating_sub(1)));
    let gap = shown.len().saturating_sub(ends.0.len() + ends.1.len()).max(1);
    let _ = writeln!(text, "{:>width$}  {}{}{}", "", ends.0, " ".repeat(gap), ends.1);
    text
}

/// Points of the plots; more are not seen.
const POINTS: usize = 900;
const WIDTH: f64 = 960.0;
const LEFT: f64 = 70.0;
/// Top and height of the two panels.
const EQUITY: (f64, f64) = (40.0, 250.0);
const FALLS: (f64, f64) = (320.0, 90.0);

fn path(values: &[f64], (low, high): (f64, f64), (top, height): (f64, f64)) -> String {
    let shown = sampled(values, POINTS);
    let step = (WIDTH - LEFT - 20.0) / (shown.len().max(2) - 1) as f64;
    let span = if high > low { high - low } else { 1.0 };
    let mut text = String::new();
    for (at, value) in shown.iter().enumerate() {
        let (x, y) = (LEFT + at as f64 * step, top + height * (high - value) / span);
        let _ = write!(text, "{}{x:.1} {y:.1}", if at == 0 { "M" } else { "L" });
    }
    text
}

/// Draws equity beside the benchmark, and the drawdown below, as SVG.
pub fn equity_svg(input: &ReportInput<'_>) -> String {
    let report = BacktestReport::of(input);
    svg(input, &report)
}

fn svg(input: &ReportInput<'_>, report: &BacktestReport) -> String {
    let (own, other) = curves(input);
    let all = own.iter().chain(&other);
    let range = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), it| (low.min(*it), high.max(*it)));
    let below = falls(&own);
    let worst = below.iter().copied().fold(0.0, f64::min);
    let worst_range = (if worst < 0.0 { worst } else { -0.01 }, 0.0);
    let fall_path = path(&below, worst_range, FALLS);
    let right = WIDTH - 20.0;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} 450\" font-family=\"sans-serif\" font-size=\"12\" role=\"img\">\n\
         <title>Equity and drawdown of {name}</title>\n<rect width=\"{WIDTH}\" height=\"450\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"15\">{name}, {from} to {to}</text>\n",
        name = escaped(&report.strategy),
        from = report.from.date(),
        to = report.to.date(),
    );
    for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let y = EQUITY.0 + EQUITY.1 * (1.0 - share);
        let value = money(range.0 + share * (range.1 - range.0));
        let _ = writeln!(
            text,
            "<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"#ddd\"/><text x=\"{x}\" y=\"{y:.1}\" text-anchor=\"end\" dy=\"4\">{value}</text>",
            x = LEFT - 6.0,
        );
    }
    if !other.is_empty() {
        let _ = writeln!(
            text,
            "<path d=\"{}\" fill=\"none\" stroke=\"#999\" stroke-width=\"1.2\"/>",
            path(&other, range, EQUITY)
        );
    }
    let _ = writeln!(
        text,
        "<path d=\"{}\" fill=\"none\" stroke=\"#0b62a4\" stroke-width=\"1.6\"/>",
        path(&own, range, EQUITY)
    );
    let bottom = FALLS.0 + FALLS.1;
    let _ = writeln!(
        text,
        "<path d=\"{fall_path}L{right} {top}H{LEFT}Z\" fill=\"#c0392b\" fill-opacity=\"0.35\" stroke=\"#c0392b\"/>\n\
         <text x=\"{x}\" y=\"{top}\" text-anchor=\"end\" dy=\"4\">0 %</text><text x=\"{x}\" y=\"{bottom}\" text-anchor=\"end\" dy=\"4\">{worst:.0} %</text>\n\
         <text x=\"{LEFT}\" y=\"{dates}\">{from}</text><text x=\"{right}\" y=\"{dates}\" text-anchor=\"end\">{to}</text>",
        top = FALLS.0,
        x = LEFT - 6.0,
        worst = 100.0 * worst,
        dates = bottom + 18.0,
        from = report.from.date(),
        to = report.to.date(),
    );
    let grey = if other.is_empty() { String::new() } else { format!("; grey: {}", report.benchmark.title()) };
    let _ = writeln!(
        text,
        "<text x=\"{right}\" y=\"22\" text-anchor=\"end\" fill=\"#555\">blue: equity{grey}; red: drawdown</text>\n</svg>"
    );
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn rows<'a>(header: &[&str], rows: impl IntoIterator<Item = Vec<String>> + 'a) -> String {
    let line = |tag: &str, cells: &[String]| {
        let cells: String = cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell))).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let head: Vec<String> = header.iter().map(|cell| (*cell).to_owned()).collect();
    let body: String = rows.into_iter().map(|cells| line("td", &cells)).collect();
    format!("<table>\n{}{body}</table>\n", line("th", &head))
}

/// The plot, every figure, the funnel, falls, assumptions and doubts as one page that loads nothing.
pub fn equity_page(input: &ReportInput<'_>) -> String {
    let report = BacktestReport::of(input);
    let list = |items: Vec<String>| {
        let items: String = items.iter().map(|item| format!("<li>{}</li>\n", escaped(item))).collect();
        format!("<ul>\n{items}</ul>\n")
    };
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>{name}</title>\n<style>body{{font:14px sans-serif;\
         max-width:960px;margin:2em auto;padding:0 1em}}table{{border-collapse:collapse;margin:.5em 0}}td,th{{padding:.15em .8em;\
         border-bottom:1px solid #ddd;text-align:left}}td+td,th+th{{text-align:right}}</style>\n<h1>{name}</h1>\n",
        name = escaped(&report.strategy),
    );
    text.push_str(&svg(input, &report));
    let _ = writeln!(
        text,
        "<h2>Doubts</h2>\n{}",
        list(report.doubts.iter().map(|it| format!("{}: {}", it.code, it.message)).collect())
    );
    for (group, title) in MetricGroup::ALL {
        let own = report.metrics.iter().filter(|metric| metric.group == *group);
        let cells = own.map(|metric| {
            let other = report.benchmark_metric(&metric.name).map(metric_text).unwrap_or_default();
            vec![metric.name.clone(), metric_text(metric), other]
        });
        let _ = writeln!(text, "<h2>{title}</h2>\n{}", rows(&["figure", "strategy", report.benchmark.title()], cells));
    }
    let shares = |value: Option<f64>| value.map_or(String::new(), |value| format!("{:.2} %", 100.0 * value));
    let years = report.years.iter().map(|it| vec![it.year.clone(), shares(Some(it.strategy)), shares(it.benchmark)]);
    let _ = writeln!(text, "<h2>Years</h2>\n{}", rows(&["year", "strategy", report.benchmark.title()], years));
    let falls = report.drawdowns.iter().map(|it| {
        let recovered = it.recovered.map_or("not yet".to_owned(), |at| at.date());
        vec![shares(Some(it.depth)), it.peak.date(), it.trough.date(), recovered, it.sessions.to_string()]
    });
    let _ = writeln!(
        text,
        "<h2>Deepest falls</h2>\n{}",
        rows(&["depth", "peak", "trough", "recovered", "sessions"], falls)
    );
    let rejected = report.funnel.rejected.iter().map(|(why, count)| vec![why.clone(), count.to_string()]);
    let _ = writeln!(text, "<h2>Signals that were not traded</h2>\n{}", rows(&["reason", "signals"], rejected));
    let _ = writeln!(text, "<h2>Assumptions</h2>\n{}</html>", list(report.assumptions.clone()));
    text
}
