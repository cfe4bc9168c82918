//! The report of a training as one page that loads nothing: folds, figures, reliability, paths, features.

use std::fmt::Write as _;

use super::record::{Judged, Outcome};
use crate::metric::classification::ReliabilityBin;
use crate::model::{FoldReport, Model};
use crate::split::SkipReason;

/// Features that bars are drawn for; the record has all.
const SHOWN: usize = 25;

/// Colours of a light page, and of a dark one. Shapes carry the light ones themselves, for readers that know no style.
const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1b1f24;--quiet:#667079;--rule:#d9dee3;--page:#fff;--mark:#0b62a4;--other:#b85c00}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ec;--quiet:#98a2ab;--rule:#39424b;--page:#14181c;--mark:#5aa9e6;--other:#f0a04b}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page);max-width:960px;margin:2em auto;padding:0 1em}
h1{font-size:1.5em;margin-bottom:.2em}h2{font-size:1.15em;margin-top:2em}p{margin:.4em 0}
.quiet{color:var(--quiet)}.doubt{border-left:4px solid var(--other);padding:.2em .8em}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.9em}
td,th{padding:.2em .7em;border-bottom:1px solid var(--rule);text-align:right;white-space:nowrap}
td:first-child,th:first-child{text-align:left}th{font-weight:600}
svg{max-width:100%;height:auto}svg text{fill:var(--ink);font:12px system-ui,sans-serif}svg .quiet{fill:var(--quiet)}
.rule{stroke:var(--rule);fill:none}.mark{fill:var(--mark)}.line{stroke:var(--mark);fill:none;stroke-width:2}
.even{stroke:var(--quiet);stroke-dasharray:4 4;fill:none}.error{stroke:var(--mark);stroke-width:1;opacity:.6}
";

/// Writes the page.
pub(super) fn page(judged: &Judged<'_>) -> String {
    let family = judged.trained.model.family();
    let target = judged.data.target.name();
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\">\n<title>{family}, {target}</title>\n<style>\n{STYLE}</style></head><body>\n\
         <h1>{} learns <code>{target}</code></h1>\n<p>{}.</p>\n",
        escaped(family),
        escaped(&judged.summary()),
    );
    if judged.plan.looks_ahead {
        text.push_str(
            "<p class=\"doubt\">These folds learnt from rows after those that they predicted. The figures help to understand \
             the model; none of them could have been known at the time, and the model cannot be deployed by them.</p>\n",
        );
    }
    text.push_str(&figures(&judged.outcome));
    if let Outcome::Classes(report) = &judged.outcome {
        let _ = write!(
            text,
            "<h2>Reliability</h2>\n<p class=\"quiet\">How often signals won that were given a probability, in ten bins. Bars are \
             one standard error if rows were independent; overlapping trades are less certain than that.</p>\n{}",
            reliability(&report.reliability)
        );
    }
    text.push_str(&folds(&judged.trained.folds, judged));
    text.push_str(&paths(judged));
    text.push_str(&features(judged));
    text.push_str(&members(judged));
    text.push_str("</body></html>\n");
    text
}

fn figures(outcome: &Outcome) -> String {
    let rows: Vec<[String; 3]> = match outcome {
        Outcome::Classes(report) => {
            let intervals = report.intervals.as_ref();
            let within = |range: Option<crate::stats::bootstrap::Interval>| {
                range.map_or(String::new(), |range| format!("{:.3} to {:.3}", range.low, range.high))
            };
            vec![
                [
                    "area under the ROC curve".into(),
                    number(report.roc_auc),
                    within(intervals.and_then(|it| it.roc_auc)),
                ],
                ["log loss".into(), number(report.log_loss), within(intervals.and_then(|it| it.log_loss))],
                ["Brier score".into(), number(report.brier), within(intervals.and_then(|it| it.brier))],
                ["Brier skill against the base rate".into(), number(report.brier_skill), String::new()],
                ["expected calibration error".into(), number(report.ece), String::new()],
                ["Matthews correlation at 0.5".into(), number(report.mcc), String::new()],
                ["signals, of which won".into(), format!("{}, {}", report.rows, report.positives), String::new()],
            ]
        }
        Outcome::Values(report) => vec![
            ["root of the mean squared error".into(), number(report.rmse), String::new()],
            ["mean absolute error".into(), number(report.mae), String::new()],
            ["share of variance explained".into(), number(report.r2), String::new()],
            ["correlation".into(), number(report.ic), String::new()],
            ["rank correlation".into(), number(report.rank_ic), String::new()],
            ["mean of prediction less target".into(), number(report.bias), String::new()],
            ["signals".into(), report.rows.to_string(), String::new()],
        ],
    };
    let body: Vec<Vec<String>> = rows.into_iter().map(|row| row.to_vec()).collect();
    format!("<h2>Out of fold</h2>\n{}", table(&["figure", "value", "95 % interval"], &body))
}

fn folds(folds: &[FoldReport], judged: &Judged<'_>) -> String {
    let has_rounds = folds.iter().any(|fold| fold.rounds.iter().any(Option::is_some));
    let selects = !judged.config.selection.is_off();
    // of a combinatorial plan, blocks are calibrated and combined, not folds
    let by_fold = judged.plan.paths.is_empty();
    let is_ensemble = by_fold && matches!(judged.trained.model.model(), Model::Ensemble(_));
    let mut header =
        vec!["fold", "sessions tested", "learnt", "tested", "purged", "embargoed", "mean R kept", "mean R purged"];
    header.extend(by_fold.then_some("calibrated on"));
    header.extend(is_ensemble.then_some("combined on"));
    header.extend(selects.then_some("features"));
    header.extend(has_rounds.then_some("rounds"));
    let row = |fold: &FoldReport| {
        let blocks: Vec<String> =
            fold.test_blocks.iter().map(|block| format!("{}–{}", block.start, block.end - 1)).collect();
        let mut cells = vec![
            fold.fold.to_string(),
            blocks.join(", "),
            fold.train_rows.to_string(),
            fold.test_rows.to_string(),
            fold.purged_rows.to_string(),
            fold.embargoed_rows.to_string(),
            signed(fold.mean_r_kept),
            signed(fold.mean_r_purged),
        ];
        cells.extend(by_fold.then(|| match fold.skip {
            None => fold.calibration_rows.to_string(),
            Some(skip) => format!("left out: {skip}"),
        }));
        cells.extend(is_ensemble.then(|| fold.combination_rows.to_string()));
        let kept = fold.selected.as_ref().map_or(0, |selected| selected.kept.len());
        cells.extend(selects.then(|| kept.to_string()));
        let rounds: Vec<String> =
            fold.rounds.iter().map(|rounds| rounds.map_or("–".to_owned(), |rounds| rounds.to_string())).collect();
        cells.extend(has_rounds.then(|| rounds.join(", ")));
        cells
    };
    let body: Vec<Vec<String>> = folds.iter().map(row).collect();
    let mut text = format!(
        "<h2>Folds</h2>\n<p class=\"quiet\">Rows are signals. Purged ones had no known outcome when the test window opened: \
         winners live longer, so a mean R far above that of the kept ones says that purging has biased what was learnt.</p>\n{}",
        table(&header, &body)
    );
    let skipped = &judged.trained.skipped;
    if !skipped.is_empty() {
        let words = |reason: &SkipReason| reason.to_string();
        let lines: Vec<Vec<String>> = skipped
            .iter()
            .map(|fold| {
                let window = format!("{}–{}", fold.test_window.start, fold.test_window.end.saturating_sub(1));
                vec![fold.index.to_string(), window, words(&fold.reason)]
            })
            .collect();
        let _ = write!(text, "<p>Left out for want of rows:</p>\n{}", table(&["fold", "sessions", "why"], &lines));
    }
    text
}

/// Where each bin lies against the diagonal.
fn reliability(bins: &[ReliabilityBin]) -> String {
    const SIDE: f64 = 320.0;
    const LEFT: f64 = 44.0;
    const TOP: f64 = 10.0;
    let x = |share: f64| LEFT + SIDE * share;
    let y = |share: f64| TOP + SIDE * (1.0 - share);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {} {}\" width=\"{}\" role=\"img\"><title>Reliability</title>\n",
        LEFT + SIDE + 16.0,
        TOP + SIDE + 44.0,
        LEFT + SIDE + 16.0
    );
    for tick in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let _ = writeln!(
            svg,
            "<path class=\"rule\" fill=\"none\" stroke=\"#d9dee3\" d=\"M{:.1} {:.1}H{:.1}M{:.1} {:.1}V{:.1}\"/>\
             <text class=\"quiet\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" dy=\"4\">{tick}</text>\
             <text class=\"quiet\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{tick}</text>",
            x(0.0),
            y(tick),
            x(1.0),
            x(tick),
            y(0.0),
            y(1.0),
            x(0.0) - 6.0,
            y(tick),
            x(tick),
            y(0.0) + 16.0
        );
    }
    let _ = writeln!(
        svg,
        "<path class=\"even\" fill=\"none\" stroke=\"#667079\" stroke-dasharray=\"4 4\" d=\"M{:.1} {:.1}L{:.1} {:.1}\"/>",
        x(0.0),
        y(0.0),
        x(1.0),
        y(1.0)
    );
    let line: Vec<String> =
        bins.iter().map(|bin| format!("{:.1} {:.1}", x(bin.mean_probability), y(bin.positive_rate))).collect();
    let _ = writeln!(
        svg,
        "<path class=\"line\" fill=\"none\" stroke=\"#0b62a4\" stroke-width=\"2\" d=\"M{}\"/>",
        line.join("L")
    );
    for bin in bins {
        let error = (bin.positive_rate * (1.0 - bin.positive_rate) / bin.rows.max(1) as f64).sqrt();
        let (low, high) = ((bin.positive_rate - error).max(0.0), (bin.positive_rate + error).min(1.0));
        let _ = writeln!(
            svg,
            "<path class=\"error\" stroke=\"#0b62a4\" d=\"M{:.1} {:.1}V{:.1}\"/><circle class=\"mark\" fill=\"#0b62a4\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\"><title>{} \
             signals: said {:.3}, came true {:.3}</title></circle>",
            x(bin.mean_probability),
            y(low),
            y(high),
            x(bin.mean_probability),
            y(bin.positive_rate),
            bin.rows,
            bin.mean_probability,
            bin.positive_rate
        );
    }
    let _ = write!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">probability said</text>\n\
         <text transform=\"translate(12 {:.1}) rotate(-90)\" text-anchor=\"middle\">share that won</text>\n</svg>\n",
        x(0.5),
        y(0.0) + 36.0,
        y(0.5)
    );
    svg
}

/// The scores of a combinatorial plan, one mark a path.
fn paths(judged: &Judged<'_>) -> String {
    let scores = judged.path_scores();
    if scores.is_empty() {
        return String::new();
    }
    let name = if matches!(judged.outcome, Outcome::Classes(_)) { "AUC" } else { "rank correlation" };
    let (low, high) = scores.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &s| (a.min(s), b.max(s)));
    let span = if high > low { high - low } else { 1.0 };
    let x = |score: f64| 40.0 + 560.0 * (score - low) / span;
    let mut svg =
        String::from("<svg viewBox=\"0 0 640 64\" width=\"640\" role=\"img\"><title>Scores of the paths</title>\n");
    svg.push_str("<path class=\"rule\" fill=\"none\" stroke=\"#d9dee3\" d=\"M40 26H600\"/>\n");
    for score in &scores {
        let _ = writeln!(
            svg,
            "<circle class=\"mark\" fill=\"#0b62a4\" opacity=\"0.6\" cx=\"{:.1}\" cy=\"26\" r=\"6\"><title>{score:.3}</title></circle>",
            x(*score)
        );
    }
    let _ = write!(
        svg,
        "<text x=\"40\" y=\"52\" text-anchor=\"middle\">{low:.3}</text><text x=\"600\" y=\"52\" text-anchor=\"middle\">{high:.3}</text>\n</svg>\n"
    );
    format!(
        "<h2>Paths</h2>\n<p class=\"quiet\">The {name} of {} paths through history, each predicted by folds that had not seen \
         it. Members of an ensemble count alike here.</p>\n{svg}",
        scores.len()
    )
}

fn features(judged: &Judged<'_>) -> String {
    let importance = judged.importance();
    let selects = !judged.config.selection.is_off();
    let mut rows: Vec<(&str, f64, Option<f64>)> = judged
        .data
        .names
        .iter()
        .zip(judged.kept_share())
        .map(|(name, share)| (name.as_str(), share, importance.get(name).copied()))
        .collect();
    rows.sort_by(|a, b| {
        let value = |row: &(&str, f64, Option<f64>)| row.2.unwrap_or(-1.0);
        value(b).total_cmp(&value(a)).then(b.1.total_cmp(&a.1)).then(a.0.cmp(b.0))
    });
    let largest = rows.iter().filter_map(|row| row.2).fold(0.0, f64::max);
    let shown = rows.len().min(SHOWN);
    let mut svg =
        format!("<svg viewBox=\"0 0 640 {0}\" width=\"640\" role=\"img\"><title>Features</title>\n", 22 * shown + 6);
    for (at, (name, share, importance)) in rows.iter().take(SHOWN).enumerate() {
        let y = 22.0 * at as f64 + 4.0;
        let width = importance.filter(|_| largest > 0.0).map_or(0.0, |value| 300.0 * (value / largest).max(0.0));
        let words = match (importance, selects) {
            (None, _) => format!("not in the published model; in {:.0} % of folds", 100.0 * share),
            (Some(value), true) => format!("{value:.3}; in {:.0} % of folds", 100.0 * share),
            (Some(value), false) => format!("{value:.3}"),
        };
        let _ = writeln!(
            svg,
            "<text x=\"190\" y=\"{:.1}\" text-anchor=\"end\">{}</text><rect class=\"mark\" fill=\"#0b62a4\" x=\"200\" y=\"{y:.1}\" \
             width=\"{width:.1}\" height=\"15\"/><text class=\"quiet\" x=\"{:.1}\" y=\"{:.1}\">{words}</text>",
            y + 12.0,
            escaped(name),
            206.0 + width,
            y + 12.0
        );
    }
    svg.push_str("</svg>\n");
    let stability = match judged.stability() {
        Some(stability) => format!(
            "<p>Stability of the selection over the folds: {stability:.2}, where 1 is the same features in every fold and 0 is \
             chance.</p>\n"
        ),
        None if selects => "<p>Every fold kept every feature.</p>\n".to_owned(),
        None => String::new(),
    };
    let rest = rows.len().saturating_sub(SHOWN);
    let more =
        if rest > 0 { format!("<p class=\"quiet\">And {rest} more, in the record.</p>\n") } else { String::new() };
    format!(
        "<h2>Features</h2>\n<p class=\"quiet\">Importance as the family measures it: a hint, not a test. Correlated features \
         share theirs.</p>\n{stability}{svg}{more}"
    )
}

fn members(judged: &Judged<'_>) -> String {
    let Model::Ensemble(ensemble) = judged.trained.model.model() else { return String::new() };
    let families: Vec<&str> = ensemble.members().iter().map(Model::family).collect();
    let weights = match ensemble.combiner() {
        crate::model::Combiner::Weights(weights) => Some(weights),
        _ => None,
    };
    let body: Vec<Vec<String>> = families
        .iter()
        .enumerate()
        .map(|(at, family)| {
            let weight = weights.and_then(|weights| weights.get(at));
            vec![(*family).to_owned(), weight.map_or("–".to_owned(), |weight| format!("{weight:.3}"))]
        })
        .collect();
    format!("<h2>Members</h2>\n{}", table(&["member", "weight"], &body))
}

fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let line = |tag: &str, cells: &mut dyn Iterator<Item = &str>| {
        let cells: String = cells.map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell))).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let body: String = rows.iter().map(|cells| line("td", &mut cells.iter().map(String::as_str))).collect();
    format!("<div class=\"wide\"><table>\n{}{body}</table></div>\n", line("th", &mut header.iter().copied()))
}

fn number(value: Option<f64>) -> String {
    value.map_or("undefined".to_owned(), |value| format!("{value:.4}"))
}

fn signed(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), |value| format!("{value:+.3}"))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
