//! Every complete trial as a line through its values, the better the darker; the best in orange.

use super::picture::{ACCENT, INK, Picture, shade};
use super::{Drawn, View, labels};

/// Lines beyond this would only be a surface.
const MOST_LINES: usize = 500;

pub(super) fn draw(view: &View<'_>) -> String {
    let parameters = view.space.parameters();
    let gap = 130.0;
    let width = 120.0 + gap * parameters.len() as f64;
    let mut picture =
        Picture::new(width, 360.0, &format!("values of each trial; darker: better {}; orange: the best", view.metric));
    let (top, bottom) = (60.0, 310.0);
    let across = |axis: usize| 70.0 + gap * axis as f64;
    let up = |share: f64| bottom - share.clamp(0.0, 1.0) * (bottom - top);
    let mut drawn = view.complete();
    // the best are drawn last, above the others
    drawn.sort_by(|a, b| view.direction.loss(b.score).total_cmp(&view.direction.loss(a.score)));
    let skipped = drawn.len().saturating_sub(MOST_LINES);
    let line = |trial: &Drawn<'_>| -> Vec<(f64, f64)> {
        let places = trial.row.iter().zip(view.space.axes()).enumerate();
        let mut points: Vec<(f64, f64)> = places
            .filter(|(_, (coordinate, _))| !coordinate.is_nan())
            .map(|(position, (coordinate, axis))| (across(position), up(axis.share(*coordinate))))
            .collect();
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
        let height = if position % 2 == 0 { 342.0 } else { 354.0 };
        picture.words(across(position), height, &parameter.name, "middle", 10.0);
        for (share, words) in labels(view.space, position) {
            picture.words(across(position) - 4.0, up(share) - 2.0, &words, "end", 10.0);
        }
    }
    let last = across(parameters.len());
    picture.line(&[(last, top), (last, bottom)], INK, 1.0);
    picture.words(last, 342.0, view.metric, "middle", 10.0);
    picture.words(last, top - 8.0, "best", "middle", 10.0);
    picture.finish()
}
