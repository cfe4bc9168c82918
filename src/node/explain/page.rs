//! The page: pictures with the words that they need, in one file that loads nothing.

use std::fmt::Write as _;

use super::picture::{Picture, escaped};
use super::{Explanation, Importance};
use crate::model::explain::{Curve, CurvePoint};
use crate::stats::order::{midranks, quantile};
use crate::tune::plot::short;

/// Features in the pictures of all features.
const SHOWN: usize = 15;
/// Dots of a feature in the swarm.
const DOTS: usize = 250;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#222;--soft:#777;--line:#ccc;--bar:#4a7fb5;--accent:#d95f02;--page:#fff}\
@media(prefers-color-scheme:dark){:root{--ink:#ddd;--soft:#999;--line:#444;--bar:#6fa3d8;--accent:#f08a3c;--page:#16181b}}\
body{font:15px/1.5 sans-serif;max-width:1000px;margin:2em auto;padding:0 1em;color:var(--ink);background:var(--page)}\
svg{max-width:100%;height:auto;font:11px sans-serif}svg text{fill:var(--ink)}\
.axis{stroke:var(--soft);fill:none}.grid{stroke:var(--line);fill:none;stroke-dasharray:3 3}\
.bar{fill:var(--bar)}.thin{fill:var(--accent)}.rows{fill:var(--line)}.band{fill:var(--bar);fill-opacity:.2}\
.main{stroke:var(--bar);stroke-width:2;fill:none}.other{stroke:var(--accent);stroke-width:1.6;fill:none}p.note{color:var(--soft)}";

/// Writes the page.
pub(super) fn html(found: &Explanation) -> String {
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>Explanation</title>\n<style>{STYLE}</style>\n<h1>What the model listens to</h1>\n<p>A {} on {} features, explained on {} \
         signals. SHAP values are in units of {}; without any feature it says {}.</p>\n",
        escaped(found.family),
        found.features.len(),
        found.matrix.nrows(),
        found.unit,
        short(found.shapley.base, 4),
    );
    let shown: Vec<Importance> = found.importance.iter().take(SHOWN).copied().collect();
    section(
        &mut text,
        "Importance",
        &bars(found, &shown),
        "Blue: mean |SHAP|. Orange: the model's own importance (gain of trees, \
             |coefficient| of linear models), as a share of the largest. Gain favours features with many values; features that go \
             together share what is theirs.",
    );
    section(
        &mut text,
        "What each signal gets",
        &swarm(found, &shown),
        "A dot a signal. To the right: the feature raised what the \
             model says. Blue: the feature is low, orange: high, grey: missing.",
    );
    let grid = found.curves.iter().map(|(column, curve)| curve_picture(&found.features[*column], curve));
    section(
        &mut text,
        "As one feature moves",
        &grid.collect::<String>(),
        "Blue: partial dependence of the calibrated probability, with \
             the middle 80 % of the signals. Orange: accumulated local effect, around the mean. Grey, below: where the signals are; \
             where there are few, the curves are guesses.",
    );
    let words = format!(
        "Over {} out-of-fold predictions: on the dashed line, what is said comes true as often as it is said.",
        found.judged
    );
    if found.reliability.is_empty() {
        text.push_str("<h2>Reliability</h2>\n<p>There is no out-of-fold record to judge it by.</p>\n");
    } else {
        section(&mut text, "Reliability", &reliability(found), &words);
    }
    text.push_str("<p class=\"note\">All of this describes the model, not the market: a model can listen to noise.</p>\n</html>\n");
    text
}

fn section(text: &mut String, title: &str, pictures: &str, words: &str) {
    let _ = write!(text, "<h2>{title}</h2>\n<p>{words}</p>\n{pictures}");
}

fn bars(found: &Explanation, shown: &[Importance]) -> String {
    let most = |pick: fn(&Importance) -> f64| found.importance.iter().map(pick).fold(f64::MIN_POSITIVE, f64::max);
    let (most_shap, most_gain) = (most(|it| it.mean_shap), most(|it| it.gain));
    let mut picture = Picture::new(800.0, 10.0 + 24.0 * shown.len() as f64);
    for (position, row) in shown.iter().enumerate() {
        let top = 6.0 + 24.0 * position as f64;
        picture.words((190.0, top + 12.0), &found.features[row.column], "end");
        picture.rectangle((200.0, top), (500.0 * row.mean_shap / most_shap, 11.0), "bar");
        picture.rectangle((200.0, top + 12.0), (500.0 * row.gain / most_gain, 5.0), "thin");
        picture.words((206.0 + 500.0 * row.mean_shap / most_shap, top + 10.0), &short(row.mean_shap, 3), "start");
    }
    picture.finish("importance of features")
}

fn swarm(found: &Explanation, shown: &[Importance]) -> String {
    let sizes: Vec<f64> = shown
        .iter()
        .flat_map(|row| found.shapley.values.column(row.column).iter().map(|value| value.abs()).collect::<Vec<_>>())
        .collect();
    // a few extreme dots would press all others into a line: they stand at the edge
    let range = quantile(&sizes, 0.995).unwrap_or(0.0).max(f64::MIN_POSITIVE);
    let height = 30.0 + 26.0 * shown.len() as f64;
    let mut picture = Picture::new(800.0, height);
    let across = |value: f64| 480.0 + 280.0 * (value / range).clamp(-1.0, 1.0);
    picture.line([(480.0, 4.0), (480.0, height - 22.0)], "axis");
    for edge in [-range, range] {
        picture.words((across(edge), height - 6.0), &short(edge, 2), "middle");
    }
    picture.words((480.0, height - 6.0), "0", "middle");
    for (position, row) in shown.iter().enumerate() {
        let middle = 16.0 + 26.0 * position as f64;
        picture.words((190.0, middle + 4.0), &found.features[row.column], "end");
        dots(&mut picture, found, row.column, middle, &across);
    }
    picture.finish("SHAP values of signals")
}

/// Dots of a feature; those of one place stand above each other.
fn dots(picture: &mut Picture, found: &Explanation, column: usize, middle: f64, across: &dyn Fn(f64) -> f64) {
    let values = found.matrix.column(column).to_vec();
    let present: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    let ranks = midranks(&present);
    let mut ranks = ranks.iter().map(|rank| rank / present.len().max(1) as f64);
    let shares: Vec<f64> =
        values.iter().map(|value| if value.is_finite() { ranks.next().unwrap_or(0.5) } else { f64::NAN }).collect();
    let mut crowd = std::collections::BTreeMap::new();
    for row in (0..values.len()).step_by(values.len().div_ceil(DOTS).max(1)) {
        let x = across(found.shapley.values[[row, column]]);
        let place = crowd.entry((x / 3.0).round() as i64).or_insert(0_u32);
        let level = f64::from(place.div_ceil(2)) * if *place % 2 == 0 { 1.0 } else { -1.0 };
        *place += 1;
        picture.dot(x, middle + (level * 1.6).clamp(-11.0, 11.0), shares[row]);
    }
}

fn curve_picture(name: &str, curve: &Curve) -> String {
    let points = &curve.points;
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return String::new() };
    let width = last.value - first.value;
    let across = |value: f64| 44.0 + 270.0 * (value - first.value) / width;
    let centre = points.iter().map(|point| point.partial).sum::<f64>() / points.len() as f64;
    let all = points.iter().flat_map(|it| [it.low, it.high, it.partial, centre + it.effect]);
    let (low, high) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), it| (low.min(it), high.max(it)));
    let room = (high - low).max(1e-9);
    let up = |value: f64| 140.0 - 110.0 * (value - low) / room;
    let mut picture = Picture::new(325.0, 200.0);
    picture.words((160.0, 14.0), name, "middle");
    let upper = points.iter().map(|it| (across(it.value), up(it.high)));
    picture.area(upper.chain(points.iter().rev().map(|it| (across(it.value), up(it.low)))), "band");
    picture.line(points.iter().map(|it| (across(it.value), up(centre + it.effect))), "other");
    picture.line(points.iter().map(|it| (across(it.value), up(it.partial))), "main");
    picture.line([(44.0, 24.0), (44.0, 144.0), (316.0, 144.0)], "axis");
    for value in [low, high] {
        picture.words((40.0, up(value) + 4.0), &short(value, 2), "end");
    }
    density(&mut picture, points, &across);
    picture.words((44.0, 196.0), &short(first.value, 3), "start");
    picture.words((316.0, 196.0), &short(last.value, 3), "end");
    if curve.missing > 0 {
        picture.words((180.0, 196.0), &format!("{} missing", curve.missing), "middle");
    }
    picture.finish(&format!("curve of {name}"))
}

/// Boxes whose area is the number of rows.
fn density(picture: &mut Picture, points: &[CurvePoint], across: &dyn Fn(f64) -> f64) {
    let heights: Vec<f64> = points
        .windows(2)
        .map(|pair| pair[1].rows as f64 / (across(pair[1].value) - across(pair[0].value)).max(0.5))
        .collect();
    let most = heights.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    for (pair, height) in points.windows(2).zip(&heights) {
        let (left, right) = (across(pair[0].value), across(pair[1].value));
        let tall = 32.0 * height / most;
        picture.rectangle((left, 182.0 - tall), (right - left, tall), "rows");
    }
}

fn reliability(found: &Explanation) -> String {
    let bins = &found.reliability;
    let all = bins.iter().flat_map(|bin| [bin.mean_probability, bin.positive_rate]);
    let (low, high) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), it| (low.min(it), high.max(it)));
    let room = (high - low).max(0.02);
    let across = |p: f64| 60.0 + 320.0 * (p - low) / room;
    let up = |p: f64| 340.0 - 320.0 * (p - low) / room;
    let mut picture = Picture::new(420.0, 385.0);
    picture.line([(60.0, 14.0), (60.0, 340.0), (390.0, 340.0)], "axis");
    picture.line([(across(low), up(low)), (across(low + room), up(low + room))], "grid");
    picture.line(bins.iter().map(|bin| (across(bin.mean_probability), up(bin.positive_rate))), "main");
    for bin in bins {
        picture.dot(across(bin.mean_probability), up(bin.positive_rate), 0.0);
    }
    for value in [low, low + room] {
        picture.words((54.0, up(value) + 4.0), &short(value, 2), "end");
        picture.words((across(value), 356.0), &short(value, 2), "middle");
    }
    picture.words((220.0, 376.0), "probability that was said", "middle");
    picture.words((66.0, 12.0), "share that won", "start");
    picture.finish("reliability curve")
}
