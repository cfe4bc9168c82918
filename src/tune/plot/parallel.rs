//! Every complete trial as a line through its values, the better the darker; the best in orange. A parameter that does not
//! exist in a trial is passed below its axis.

use super::super::space::Axis;
use super::picture::{ACCENT, INK, Picture, beginning, end, shade, short};
use super::{Drawn, View, labels};

/// How far below its axis a parameter is passed that does not exist.
const ABSENT: f64 = 24.0;

/// Lines beyond this would only be a surface.
const MOST_LINES: usize = 500;

pub(super) fn draw(view: &View<'_>) -> String {
    let parameters = view.space.parameters();
    let gap = 130.0;
    let width = 120.0 + gap * parameters.len() as f64;
    let mut picture =
        Picture::new(width, 380.0, &format!("values of each trial; darker: better {}; orange: the best", view.metric));
    let (top, bottom) = (60.0, 310.0);
    let across = |axis: usize| 70.0 + gap * axis as f64;
    let up = |share: f64| bottom - share.clamp(0.0, 1.0) * (bottom - top);
    let mut drawn = view.complete();
    // the best are drawn last, above the others
    drawn.sort_by(|a, b| view.direction.loss(b.score).total_cmp(&view.direction.loss(a.score)));
    let skipped = drawn.len().saturating_sub(MOST_LINES);
    let line = |trial: &Drawn<'_>| -> Vec<(f64, f64)> {
        let places = trial.row.iter().zip(view.space.axes()).enumerate();
        let height = |coordinate: f64, axis: &Axis| {
            if coordinate.is_nan() { bottom + ABSENT } else { up(axis.share(coordinate)) }
        };
        let mut points: Vec<(f64, f64)> =
            places.map(|(position, (coordinate, axis))| (across(position), height(*coordinate, axis))).collect();
        points.push((across(parameters.len()), up(view.goodness(trial.score))));
        points
    };
    for trial in &drawn[skipped..] {
        let best = trial.trial.number == view.best.number;
        let colour = if best { ACCENT.to_owned() } else { shade(view.goodness(trial.score)) };
        picture.line(&line(trial), &colour, if best { 2.5 } else { 0.8 });
    }
    for (position, parameter) in parameters.iter().enumerate() {
        picture.line(&[(across(position), top), (across(position), bottom)], INK, 1.0);
        // long names in two heights
        let height = if position % 2 == 0 { 358.0 } else { 372.0 };
        picture.words(across(position), height, &end(&parameter.name, 2.0 * gap - 20.0, 10.0), "middle", 10.0);
        for (share, words) in labels(view.space, position) {
            let words = beginning(&words, 64.0, 10.0);
            picture.words_above(across(position) - 4.0, up(share) - 2.0, &words, "end", 10.0);
        }
        if drawn.iter().any(|trial| trial.row[position].is_nan()) {
            picture.words_above(across(position), bottom + ABSENT + 3.0, "none", "middle", 10.0);
        }
    }
    let last = across(parameters.len());
    picture.line(&[(last, top), (last, bottom)], INK, 1.0);
    picture.words(last, if parameters.len().is_multiple_of(2) { 358.0 } else { 372.0 }, view.metric, "middle", 10.0);
    for good in [0.0, 1.0] {
        picture.words_above(last - 4.0, up(good) - 2.0, &short(view.score_at(good), 3), "end", 10.0);
    }
    picture.finish()
}
