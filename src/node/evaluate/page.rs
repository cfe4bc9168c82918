//! An evaluation as one HTML page: it loads nothing, follows the light or dark of its reader, and stays far below 500 KB.

use std::fmt::Write as _;

use super::chart::{Chart, escaped, range};
use super::report::{doubts, number, span_of, summary, with_range};
use super::uplift::Side;
use super::{Evaluated, Evaluation};
use crate::base::Timestamp;
use crate::metric::classification::{ClassificationReport, SCORES, ScoreFigure};

const STYLE: &str = "\
:root{--paper:#fff;--ink:#1d2733;--dim:#5b6775;--rule:#dde2e8;--a:#0b62a4;--b:#c2570c;--c:#8b96a3;--good:#1a7f4b;--bad:#b3261e}\
@media(prefers-color-scheme:dark){:root{--paper:#14181d;--ink:#e4e8ec;--dim:#9aa6b2;--rule:#2b333c;--a:#62b0ee;--b:#f09a52;--c:#76828f;--good:#58c48c;--bad:#f28b82}}\
body{background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif;max-width:980px;margin:2em auto;padding:0 1em}\
h1{font-size:1.5em;margin:0}h2{font-size:1.15em;margin:2em 0 .4em}p{max-width:46em}.dim,figcaption{color:var(--dim)}\
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(320px,1fr));gap:1em}figure{margin:0}svg{width:100%;height:auto}\
svg text{fill:var(--dim);font-size:11px;font-family:inherit}.grid{stroke:var(--rule);fill:none}.line{fill:none;stroke-width:1.8}.paper{fill:var(--paper)}\
.line.a{stroke:var(--a)}.line.b{stroke:var(--b)}.line.c{stroke:var(--c);stroke-dasharray:4 3}.line.d{stroke:var(--c)}\
.fill.a{fill:var(--a)}.fill.b{fill:var(--b)}.fill.c,.fill.d{fill:var(--c)}rect.fill.a,rect.fill.b{fill-opacity:.65}\
table{border-collapse:collapse;font-variant-numeric:tabular-nums}td,th{padding:.2em .9em .2em 0;border-bottom:1px solid var(--rule);text-align:left;font-weight:400}\
th{color:var(--dim)}td+td{text-align:right}th+th{text-align:right}.wide{overflow-x:auto}.warn{border-left:3px solid var(--bad);padding-left:.8em}";

/// A table whose first column is names.
fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |tag: &str, cells: &[String]| {
        let cells: String = cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell))).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let body: String = rows.into_iter().map(|cells| line("td", &cells)).collect();
    format!("<div class=\"wide\"><table>\n{}{body}</table></div>\n", line("th", &head))
}

/// The whole page.
pub(super) fn html(evaluation: &Evaluation, rows: &Evaluated) -> String {
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>Evaluation</title><style>{STYLE}</style></head><body>\n\
         <h1>Evaluation</h1><p>{}</p><p class=\"dim\">{}</p>\n",
        escaped(&summary(evaluation)),
        escaped(&span_of(evaluation)),
    );
    for doubt in doubts(evaluation) {
        let _ = writeln!(text, "<p class=\"warn\">{}</p>", escaped(&doubt));
    }
    text.push_str("<h2>Pictures</h2><div class=\"figures\">\n");
    for picture in [reliability(evaluation), roc(rows), scores(rows), equity(evaluation)] {
        text.push_str(&picture);
    }
    text.push_str("</div>\n");
    text.push_str(&figures(evaluation));
    text.push_str(&comparisons(evaluation));
    text.push_str(&backtest(evaluation));
    text.push_str("</body></html>\n");
    text
}

/// What was said against what came; dots grow with the rows of a bin.
fn reliability(evaluation: &Evaluation) -> String {
    let mut chart = Chart::new((0.0, 1.0), (0.0, 1.0), "probability that was said", "share of wins that came");
    chart.line(&[(0.0, 0.0), (1.0, 1.0)], "c", "");
    let mut draw = |report: &ClassificationReport, class: &'static str, name: &str| {
        let points: Vec<(f64, f64)> =
            report.reliability.iter().map(|bin| (bin.mean_probability, bin.positive_rate)).collect();
        let size = |rows: usize| 2.0 + 7.0 * (rows as f64 / report.rows.max(1) as f64).sqrt();
        let dots: Vec<(f64, f64, f64)> =
            report.reliability.iter().map(|bin| (bin.mean_probability, bin.positive_rate, size(bin.rows))).collect();
        chart.line(&points, class, name);
        chart.dots(&dots, class);
    };
    if let Some(champion) = &evaluation.champion {
        draw(champion, "b", "champion");
    }
    draw(&evaluation.candidate, "a", "candidate");
    chart.finish("Reliability: on the diagonal, probabilities mean what they say")
}

/// False and true positive rates over falling thresholds.
fn roc_points(labels: &[bool], scores: &[f64]) -> Vec<(f64, f64)> {
    let positives = labels.iter().filter(|label| **label).count() as f64;
    let negatives = labels.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return Vec::new();
    }
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let (mut hits, mut alarms) = (0.0, 0.0);
    let mut points = vec![(0.0, 0.0)];
    for group in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let own = group.iter().filter(|&&row| labels[row]).count() as f64;
        hits += own;
        alarms += group.len() as f64 - own;
        points.push((alarms / negatives, hits / positives));
    }
    points
}

fn roc(rows: &Evaluated) -> String {
    let mut chart = Chart::new((0.0, 1.0), (0.0, 1.0), "losses taken for wins", "wins found");
    chart.line(&[(0.0, 0.0), (1.0, 1.0)], "c", "");
    if let Some(champion) = &rows.champion {
        chart.line(&roc_points(&rows.win, champion), "b", "champion");
    }
    chart.line(&roc_points(&rows.win, &rows.candidate), "a", "candidate");
    chart.finish("ROC: the diagonal is a coin")
}

/// Bins of the distributions.
const BINS: usize = 25;

fn scores(rows: &Evaluated) -> String {
    let (low, high) = range(rows.candidate.iter().copied());
    let bin_of = |score: f64| (((score - low) / (high - low) * BINS as f64) as usize).min(BINS - 1);
    let share = |won: bool| -> Vec<f64> {
        let total = rows.win.iter().filter(|win| **win == won).count().max(1) as f64;
        let mut counts = vec![0.0; BINS];
        for (score, _) in rows.candidate.iter().zip(&rows.win).filter(|(_, win)| **win == won) {
            counts[bin_of(*score)] += 1.0 / total;
        }
        counts
    };
    let (losses, wins) = (share(false), share(true));
    let highest = losses.iter().chain(&wins).fold(0.01_f64, |most, share| most.max(*share));
    let mut chart = Chart::new((low, high), (0.0, highest), "the candidate's probability", "share of the class");
    let step = (high - low) / BINS as f64;
    for (bins, class) in [(&losses, "b"), (&wins, "a")] {
        for (bin, height) in bins.iter().enumerate().filter(|(_, height)| **height > 0.0) {
            let from = low + bin as f64 * step;
            chart.bar((from, from + step), *height, class);
        }
    }
    chart.name("wins", "a");
    chart.name("losses", "b");
    chart.finish("Scores: the further apart the two, the more the candidate knows")
}

fn equity(evaluation: &Evaluation) -> String {
    let curves = &evaluation.uplift.curves;
    let all = [&curves.without_model, &curves.with_model, &curves.with_champion];
    let highest = all.iter().map(|curve| curve.len()).max().unwrap_or(1).max(2) - 1;
    let bounds = range(all.iter().flat_map(|curve| curve.iter().copied()));
    let mut chart = Chart::new((0.0, highest as f64), bounds, "sessions", "equity, from 1");
    for (curve, class, name) in [
        (&curves.without_model, "d", "without a model"),
        (&curves.with_champion, "b", "with the champion"),
        (&curves.with_model, "a", "with the candidate"),
    ] {
        let points: Vec<(f64, f64)> = curve.iter().enumerate().map(|(at, value)| (at as f64, *value)).collect();
        chart.line(&points, class, name);
    }
    let day = |time: Timestamp| time.date();
    chart.ends(&day(evaluation.uplift.from), &day(evaluation.uplift.to));
    chart.finish("Equity: the same signals with and without a model")
}

fn cell(figure: &ScoreFigure) -> String {
    with_range(figure.value, figure.interval)
}

fn figures(evaluation: &Evaluation) -> String {
    let mut head = vec!["score", "candidate"];
    let mut columns: Vec<&Vec<ScoreFigure>> = vec![&evaluation.candidate_figures];
    if let Some(champion) = &evaluation.champion_figures {
        head.push("champion");
        columns.push(champion);
    }
    for other in &evaluation.others {
        head.push(&other.name);
        columns.push(&other.figures);
    }
    let mut text = String::from("<h2>Scores</h2>");
    let rows = SCORES.iter().enumerate().map(|(at, row)| {
        let cells = columns.iter().map(|column| column.get(at).map_or_else(|| "-".to_owned(), cell));
        std::iter::once(row.name.to_owned()).chain(cells).collect()
    });
    text.push_str(&table(&head, rows));
    let missing = evaluation.candidate_figures.iter().filter_map(|figure| {
        let reason = figure.reason.as_ref()?;
        Some(format!("{}: {reason}", figure.name))
    });
    let missing: Vec<String> = missing.collect();
    if !missing.is_empty() {
        let _ = writeln!(text, "<p class=\"dim\">{}</p>", escaped(&missing.join("; ")));
    }
    let level = evaluation.candidate_figures.iter().find_map(|figure| figure.interval).map_or(0.0, |it| it.level);
    let _ = writeln!(
        text,
        "<p class=\"dim\">{:.0} % intervals by the stationary block bootstrap; decisions at {}. What each score is, and what it cannot \
         see: walkforward metrics.</p>",
        100.0 * level,
        evaluation.threshold
    );
    text
}

fn comparisons(evaluation: &Evaluation) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let beside = evaluation.others.iter().map(|other| (other.name.as_str(), &other.candidate_better, other.p_holm));
    for (name, tests, holm) in std::iter::once(("champion", &evaluation.comparison, None)).chain(beside) {
        for (metric, test) in tests {
            let range = format!("[{}, {}]", number(test.low), number(test.high));
            let p = match holm.filter(|_| *metric == "auc") {
                Some(holm) => format!("{} ({} of all)", number(test.p_greater), number(Some(holm))),
                None => number(test.p_greater),
            };
            rows.push(vec![
                format!("{metric} against {name}"),
                format!("{:+.4}", test.delta),
                range,
                p,
                number(test.minimum_detectable),
            ]);
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let head = ["improvement by the candidate", "estimate", "90 % interval", "p", "detectable"];
    format!(
        "<h2>Is the candidate better?</h2>{}<p class=\"dim\">Paired tests on the same rows that pay for overlap in time; positive is \
         better. Detectable: the improvement that these rows would find four times out of five.</p>\n",
        table(&head, rows)
    )
}

fn backtest(evaluation: &Evaluation) -> String {
    let uplift = &evaluation.uplift;
    type Pick = fn(&Side) -> String;
    let picks: [(&str, Pick); 8] = [
        ("trades", |s| s.trades.trades.to_string()),
        ("total return", |s| number(s.returns.total_return)),
        ("CAGR", |s| number(s.returns.cagr)),
        ("volatility", |s| number(s.returns.volatility)),
        ("Sharpe", |s| number(s.returns.sharpe)),
        ("maximum drawdown", |s| number(s.returns.drawdown.as_ref().map(|drawdown| drawdown.max_drawdown))),
        ("win rate", |s| number(s.trades.win_rate)),
        ("expectancy in R", |s| number(s.trades.expectancy_r)),
    ];
    let sides: Vec<(&str, &Side)> = std::iter::once(("without a model", &uplift.without_model))
        .chain(uplift.with_model.as_ref().map(|side| ("with the candidate", side)))
        .chain(uplift.with_champion.as_ref().map(|side| ("with the champion", side)))
        .collect();
    let head: Vec<&str> = std::iter::once("").chain(sides.iter().map(|(name, _)| *name)).collect();
    let cells = |pick: &dyn Fn(&Side) -> String, name: &str| -> Vec<String> {
        std::iter::once(name.to_owned()).chain(sides.iter().map(|(_, side)| pick(side))).collect()
    };
    let mut text = String::from("<h2>Backtest</h2>");
    text.push_str(&table(&head, picks.iter().map(|(name, pick)| cells(pick, name))));
    let _ = writeln!(
        text,
        "<p>Sharpe with the candidate less without: {}, both sides resampled together.</p>",
        escaped(&with_range(uplift.sharpe_difference, uplift.sharpe_difference_interval))
    );
    if let Some(reason) = &uplift.refused {
        let _ = writeln!(text, "<p class=\"warn\">No backtest with the candidate: {}</p>", escaped(reason));
    }
    text.push_str("<h2>What became of the signals</h2>");
    let steps: [(&str, Pick); 5] = [
        ("signals", |s| s.funnel.candidates.to_string()),
        ("eligible", |s| s.funnel.eligible.to_string()),
        ("kept by the model", |s| s.funnel.kept_by_model.to_string()),
        ("given a slot", |s| s.funnel.slotted.to_string()),
        ("filled", |s| s.funnel.filled.to_string()),
    ];
    let mut rows: Vec<Vec<String>> = steps.iter().map(|(name, pick)| cells(pick, name)).collect();
    let mut causes: Vec<&String> = sides.iter().flat_map(|(_, side)| side.funnel.rejected.keys()).collect();
    causes.sort();
    causes.dedup();
    for cause in causes {
        let count = |side: &Side| side.funnel.rejected.get(cause).copied().unwrap_or(0).to_string();
        rows.push(cells(&count, &format!("not: {cause}")));
    }
    text.push_str(&table(&head, rows));
    text
}
