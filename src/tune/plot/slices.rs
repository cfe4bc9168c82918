//! Scores against each parameter, in a row of small frames.

use super::picture::{ACCENT, Frame, Picture, shade};
use super::{View, labels};

const COLUMNS: usize = 4;
const WIDTH: f64 = 220.0;
const HEIGHT: f64 = 190.0;

pub(super) fn draw(view: &View<'_>) -> String {
    let parameters = view.space.parameters();
    let rows = parameters.len().div_ceil(COLUMNS);
    let columns = parameters.len().min(COLUMNS);
    let title = format!("{} by parameter; darker: later trials; orange: the best", view.metric);
    let mut picture = Picture::new(40.0 + WIDTH * columns as f64, 40.0 + HEIGHT * rows as f64, &title);
    let drawn = view.complete();
    let last = view.trials.len().max(2) as f64 - 1.0;
    for (position, parameter) in parameters.iter().enumerate() {
        let (left, top) = (30.0 + WIDTH * (position % COLUMNS) as f64, 35.0 + HEIGHT * (position / COLUMNS) as f64);
        let frame =
            Frame { x: (left + 35.0, left + WIDTH - 15.0), y: (top + 18.0, top + HEIGHT - 30.0), range: view.range() };
        frame.draw(&mut picture);
        picture.words((frame.x.0 + frame.x.1) / 2.0, top + 10.0, &parameter.name, "middle", 11.0);
        for (share, words) in labels(view.space, position) {
            picture.words(frame.across(share), frame.y.1 + 14.0, &words, "middle", 10.0);
        }
        for trial in drawn.iter().filter(|drawn| !drawn.row[position].is_nan()) {
            let x = frame.across(view.space.axes()[position].share(trial.row[position]));
            let best = trial.trial.number == view.best.number;
            let late = 0.25 + 0.75 * trial.trial.number as f64 / last;
            let colour = if best { ACCENT.to_owned() } else { shade(late) };
            picture.circle(x, frame.up(trial.score), if best { 4.0 } else { 2.2 }, &colour);
        }
    }
    picture.finish()
}
