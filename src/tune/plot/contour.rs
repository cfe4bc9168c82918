//! The two most important parameters against each other.
//!
//! The colour of a place is the mean score of the trials near it, weighted by a Gaussian of a tenth of the ranges, in
//! eight steps; where no trial is near, nothing is claimed.

use super::picture::{ACCENT, Frame, INK, Picture, beginning, end, shade};
use super::{View, labels};

const CELLS: usize = 36;
const REACH: f64 = 0.1;
const STEPS: f64 = 8.0;
/// Weight of trials below which a place is left blank: one trial at one and a half reaches.
const LEAST_WEIGHT: f64 = 0.32;

/// `None` in a space of one parameter, and where no trial has both.
pub(super) fn draw(view: &View<'_>) -> Option<String> {
    let position = |name: &str| view.space.parameters().iter().position(|parameter| parameter.name == name);
    let mut ranked = view.importance.importances.iter().filter_map(|row| position(&row.parameter));
    let (first, second) = (ranked.next()?, ranked.next()?);
    let axes = view.space.axes();
    let mut points: Vec<(f64, f64, f64, u64)> = view
        .complete()
        .iter()
        .filter(|drawn| !drawn.row[first].is_nan() && !drawn.row[second].is_nan())
        .map(|drawn| {
            let place = |axis: usize| axes[axis].share(drawn.row[axis]);
            (place(first), place(second), view.goodness(drawn.score), drawn.trial.number)
        })
        .collect();
    if points.is_empty() {
        return None;
    }
    // the best is drawn last, above its neighbours
    points.sort_by_key(|(.., number)| *number == view.best.number);
    let names = [first, second].map(|axis| view.space.parameters()[axis].name.as_str());
    let title = format!("{} near each place; darker is better, blank is unexplored", view.metric);
    let mut picture = Picture::new(560.0, 520.0, &title);
    let frame = Frame { x: (110.0, 540.0), y: (50.0, 455.0), range: (0.0, 1.0) };
    let cell = ((frame.x.1 - frame.x.0) / CELLS as f64, (frame.y.1 - frame.y.0) / CELLS as f64);
    for row in 0..CELLS {
        for column in 0..CELLS {
            let centre = |at: usize| (at as f64 + 0.5) / CELLS as f64;
            if let Some(good) = smoothed(&points, centre(column), centre(row)) {
                let colour = shade((good * STEPS).floor().min(STEPS - 1.0) / (STEPS - 1.0));
                let corner = (frame.x.0 + column as f64 * cell.0, frame.y.1 - (row + 1) as f64 * cell.1);
                // larger than the cell, so that no seams show
                picture.rectangle(corner, (cell.0 + 0.6, cell.1 + 0.6), &colour);
            }
        }
    }
    picture.line(&[(frame.x.0, frame.y.0), (frame.x.0, frame.y.1), (frame.x.1, frame.y.1)], INK, 1.0);
    for (x, y, _, number) in &points {
        let best = *number == view.best.number;
        let (size, colour) = if best { (5.0, ACCENT) } else { (1.4, "white") };
        // with an edge: the ground may be pale or dark
        picture.circle(frame.across(*x), frame.up(*y), size + 0.7, INK);
        picture.circle(frame.across(*x), frame.up(*y), size, colour);
    }
    let below = labels(view.space, first);
    let room = (frame.x.1 - frame.x.0) / below.len() as f64;
    for (share, words) in below {
        picture.words(frame.across(share), frame.y.1 + 16.0, &beginning(&words, room, 11.0), "middle", 11.0);
    }
    for (share, words) in labels(view.space, second) {
        picture.words(frame.x.0 - 6.0, frame.up(share) + 4.0, &beginning(&words, 98.0, 11.0), "end", 11.0);
    }
    picture.words((frame.x.0 + frame.x.1) / 2.0, 495.0, &end(names[0], 430.0, 12.0), "middle", 12.0);
    picture.words(6.0, 40.0, &end(names[1], 430.0, 12.0), "start", 12.0);
    Some(picture.finish())
}

fn smoothed(points: &[(f64, f64, f64, u64)], x: f64, y: f64) -> Option<f64> {
    let (mut total, mut weight) = (0.0, 0.0);
    for (px, py, good, _) in points {
        let square = ((px - x) / REACH).powi(2) + ((py - y) / REACH).powi(2);
        let near = libm::exp(-0.5 * square);
        total += near * good;
        weight += near;
    }
    (weight >= LEAST_WEIGHT).then(|| total / weight)
}
