//! The check as a page that stands alone: verdicts, one line a column with a picture of both windows, what was assumed.

use std::fmt::Write as _;

use super::Found;
use crate::drift::{ColumnReport, Shape, Verdict};

/// Columns with a picture; the rest are listed without, so that a page of thousands stays small.
const PICTURES: usize = 200;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;color:#222;max-width:70rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.5rem;margin-bottom:.2rem}h2{font-size:1.1rem;margin-top:2rem}p.lead{color:#555;margin-top:0}\
table{border-collapse:collapse;width:100%;font-size:.88rem}th,td{text-align:left;padding:.3rem .6rem;\
border-bottom:1px solid #e4e7eb;vertical-align:middle}td.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}th.n{text-align:right}\
.v{display:inline-block;padding:.05rem .5rem;border-radius:.6rem;font-size:.8rem;white-space:nowrap}\
.ok{background:#e3f2e6;color:#1d6b33}.drift{background:#fde4d3;color:#9a3c00}.inconclusive{background:#eceff3;color:#4c5663}\
.bar{background:#eceff3;width:6rem;height:.6rem;display:inline-block;vertical-align:middle}.bar i{display:block;height:100%;background:#7a9cc6}\
.bar i.over{background:#d95f02}svg{display:block}small{color:#666}";

/// Draws the page.
pub(super) fn page(found: &Found) -> String {
    let mut html = String::new();
    let _ = write!(
        html,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Drift check</title><style>{STYLE}</style></head><body>\n\
         <h1>Drift check: {}</h1><p class=\"lead\">{}</p>\n",
        badge(found.decision()),
        escape(&found.sentence())
    );
    verdicts(&mut html, found);
    columns(&mut html, "Features", &found.data.columns, found.data.alpha);
    columns(&mut html, "Probabilities", &found.prediction.columns, found.prediction.alpha);
    performance(&mut html, found);
    views(&mut html, found);
    assumptions(&mut html, found);
    html.push_str("</body></html>\n");
    html
}

fn verdicts(html: &mut String, found: &Found) {
    html.push_str("<table><tr><th>question</th><th>answer</th><th></th></tr>\n");
    let data = &found.data;
    let part = |names: &[String], columns: usize| match names {
        [] => format!("{columns} columns"),
        names => format!("{} of {columns}: {}", names.len(), names.join(", ")),
    };
    let mut rows = vec![
        ("Did the values of features change?", data.numbers.verdict, part(&data.numbers.drifted, data.numbers.columns)),
        ("Did values go missing?", data.missing.verdict, part(&data.missing.drifted, data.missing.columns)),
    ];
    if data.categories.columns > 0 {
        let words = part(&data.categories.drifted, data.categories.columns);
        rows.push(("Did categories change?", data.categories.verdict, words));
    }
    if let Some(domain) = &data.domain {
        rows.push(("Can all features together tell the windows apart?", domain.verdict, domain.reason.clone()));
    }
    rows.push(("Did the probabilities change?", found.prediction.verdict, found.prediction.reason.clone()));
    rows.push(("Did the model get worse?", found.performance.verdict, found.performance.reason.clone()));
    for (question, verdict, words) in rows {
        let _ = writeln!(html, "<tr><td>{question}</td><td>{}</td><td>{}</td></tr>", badge(verdict), escape(&words));
    }
    html.push_str("</table>\n");
}

fn columns(html: &mut String, title: &str, columns: &[ColumnReport], alpha: f64) {
    let _ = writeln!(
        html,
        "<h2>{title}</h2><p><small>Grey: reference; line: current window. An adjusted p of at most {alpha} and an effect past \
         its limit are drift.</small></p><table><tr><th>column</th><th>answer</th><th>both windows</th><th>effect</th>\
         <th class=\"n\">adjusted p</th><th class=\"n\">tau</th><th class=\"n\">worth rows</th><th class=\"n\">smallest shift seen</th><th></th></tr>"
    );
    let mut order: Vec<&ColumnReport> = columns.iter().collect();
    let gravity = |verdict: Verdict| match verdict {
        Verdict::Drift => 0,
        Verdict::Inconclusive => 1,
        Verdict::Ok => 2,
    };
    // the gravest first; equals stay in the order of the columns
    order.sort_by_key(|column| gravity(column.verdict));
    for (index, column) in order.into_iter().enumerate() {
        let shape = column.shape.as_ref().filter(|_| index < PICTURES).map_or_else(String::new, picture);
        let number = |value: Option<f64>, digits: usize| value.map_or("-".to_owned(), |x| format!("{x:.digits$}"));
        let words = match &column.advice {
            Some(advice) => format!("{} — {advice}", column.reason),
            None => column.reason.clone(),
        };
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td>{}</td><td>{shape}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{:.1}</td>\
             <td class=\"n\">{:.0}</td><td class=\"n\">{}</td><td><small>{}</small></td></tr>",
            escape(&column.name),
            badge(column.verdict),
            bar(column.effect, column.min_effect),
            number(column.adjusted_p, 4),
            column.tau,
            column.effective_n,
            column.minimum_detectable_shift.map_or("-".to_owned(), |shift| format!("{shift:.3}")),
            escape(&words),
        );
    }
    html.push_str("</table>\n");
}

/// The effect beside its limit, which stands at half the width.
fn bar(effect: Option<f64>, limit: f64) -> String {
    let Some(effect) = effect else { return "-".to_owned() };
    let share = if limit > 0.0 { effect / (2.0 * limit) } else { effect };
    let over = if effect >= limit { " class=\"over\"" } else { "" };
    format!(
        "<span class=\"bar\"><i{over} style=\"width:{:.0}%\"></i></span> {effect:.3}",
        100.0 * share.clamp(0.0, 1.0)
    )
}

/// Steps of both distributions over the same bins.
fn picture(shape: &Shape) -> String {
    let (width, height) = (140.0, 32.0);
    let bins = shape.reference.len().max(1) as f64;
    let tallest = shape.reference.iter().chain(&shape.current).copied().fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let step = width / bins;
    let y = |share: f64| height - 1.0 - share / tallest * (height - 2.0);
    let mut grey = format!("M0 {height:.0}");
    let mut line = String::new();
    for (bin, (reference, current)) in shape.reference.iter().zip(&shape.current).enumerate() {
        let x = bin as f64 * step;
        let _ = write!(grey, "L{x:.1} {:.1}H{:.1}", y(*reference), x + step);
        let _ = write!(line, "{}{x:.1} {:.1}H{:.1}", if bin == 0 { "M" } else { "L" }, y(*current), x + step);
    }
    let _ = write!(grey, "V{height:.0}Z");
    format!(
        "<svg width=\"{width:.0}\" height=\"{height:.0}\"><path d=\"{grey}\" fill=\"#d5d9de\"/>\
         <path d=\"{line}\" fill=\"none\" stroke=\"#d95f02\" stroke-width=\"1.4\"/></svg>"
    )
}

fn performance(html: &mut String, found: &Found) {
    let report = &found.performance;
    let _ = writeln!(
        html,
        "<h2>Performance</h2><p><small>Reference: {} rows at {} time stamps; current: {} rows at {}. A fall counts when its lower \
         bound is above 0 and it exceeds its limit.</small></p><table><tr><th>metric</th><th>answer</th><th>intervals</th>\
         <th class=\"n\">reference</th><th class=\"n\">current</th><th class=\"n\">fall</th><th class=\"n\">at least</th>\
         <th class=\"n\">limit</th><th class=\"n\">smallest fall seen</th></tr>",
        report.reference.rows, report.reference.stamps, report.current.rows, report.current.stamps
    );
    let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.3}"));
    for metric in &report.metrics {
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            metric.metric.name(),
            badge(metric.verdict),
            intervals(metric.reference.map(|e| (e.value, e.se)), metric.current.map(|e| (e.value, e.se))),
            number(metric.reference.map(|estimate| estimate.value)),
            number(metric.current.map(|estimate| estimate.value)),
            number(metric.degradation),
            number(metric.lower),
            metric.limit,
            number(metric.minimum_detectable),
        );
    }
    html.push_str("</table>\n");
    if let Some(error) = &report.absolute_error {
        let _ = writeln!(
            html,
            "<p><small>Mean absolute error {:.3} then, {:.3} now; of that of the base rate alone {} then, {} now. The raw error \
             follows how hard the window is and decides nothing unless <code>rule: mae_rise</code> asks for it.</small></p>",
            error.reference,
            error.current,
            number(error.reference_relative),
            number(error.current_relative)
        );
    }
}

/// Two estimates with two standard errors each, on one scale.
fn intervals(reference: Option<(f64, f64)>, current: Option<(f64, f64)>) -> String {
    let both = [reference, current];
    let ends = || both.iter().flatten().flat_map(|(value, se)| [value - 2.0 * se, value + 2.0 * se]);
    let (low, high) = ends().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    if high <= low || !(high - low).is_finite() {
        return String::new();
    }
    let x = |value: f64| 5.0 + (value - low) / (high - low) * 130.0;
    let mut svg = "<svg width=\"140\" height=\"26\">".to_owned();
    for (row, (estimate, colour)) in both.iter().zip(["#888", "#d95f02"]).enumerate() {
        if let Some((value, se)) = estimate {
            let y = 7 + 12 * row;
            let _ = write!(
                svg,
                "<path d=\"M{:.1} {y}H{:.1}\" stroke=\"{colour}\" stroke-width=\"2\"/><circle cx=\"{:.1}\" cy=\"{y}\" r=\"3.5\" fill=\"{colour}\"/>",
                x(value - 2.0 * se),
                x(value + 2.0 * se),
                x(*value)
            );
        }
    }
    svg.push_str("</svg>");
    svg
}

fn views(html: &mut String, found: &Found) {
    html.push_str("<h2>Views, on which no verdict rests</h2><ul>\n");
    if let Some(view) = &found.label_free {
        let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.3}"));
        let _ = writeln!(
            html,
            "<li>Estimated without outcomes: AUC {} (reference, from its outcomes: {}). It sees a change of the scores, not of their \
             relation to outcomes.</li>",
            number(view.current.auc),
            number(view.reference_auc)
        );
    }
    for stream in &found.streams {
        let _ = writeln!(
            html,
            "<li>{} on {}: {} alarms in the reference, {} in the current window{}.</li>",
            stream.detector,
            stream.reads,
            stream.reference_alarms,
            stream.current_alarms,
            stream.first.map_or_else(String::new, |at| format!(", the first at {at}"))
        );
    }
    html.push_str("</ul>\n");
}

fn assumptions(html: &mut String, found: &Found) {
    let data = &found.data;
    let _ = writeln!(
        html,
        "<h2>How it was tested</h2><p>{} reference rows at {} time stamps against {} rows at {}; the model's last outcome is {} days \
         old. Features: statistic <code>{}</code>, {} replicates, level {}. <em>worth rows</em> is the number of independent time \
         stamps in the current window; <em>smallest shift seen</em> is the change of a mean that would be found with 80 % \
         power, in the column's own unit. A window that is worth too little is inconclusive and not healthy.</p>",
        data.reference_rows,
        data.reference_stamps,
        data.current_rows,
        data.current_stamps,
        found.age_days,
        data.statistic.name(),
        data.replicates,
        data.alpha,
    );
}

fn badge(verdict: Verdict) -> String {
    format!("<span class=\"v {0}\">{0}</span>", verdict.name())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
