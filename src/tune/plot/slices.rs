//! Scores against each parameter, in a row of small frames.

use super::picture::{ACCENT, Frame, Picture, beginning, end, shade};
use super::{Drawn, View, labels};

const COLUMNS: usize = 4;
const WIDTH: f64 = 220.0;
const HEIGHT: f64 = 190.0;
/// Narrower, and the title would be cut.
const NARROWEST: f64 = 480.0;

pub(super) fn draw(view: &View<'_>) -> String {
    let parameters = view.space.parameters();
    let rows = parameters.len().div_ceil(COLUMNS);
    let columns = parameters.len().min(COLUMNS);
    let title = format!("{} by parameter; darker: later trials; orange: the best", view.metric);
    let mut picture = Picture::new((40.0 + WIDTH * columns as f64).max(NARROWEST), 40.0 + HEIGHT * rows as f64, &title);
    let drawn = view.complete();
    let last = view.trials.len().max(2) as f64 - 1.0;
    for (position, parameter) in parameters.iter().enumerate() {
        let (left, top) = (30.0 + WIDTH * (position % COLUMNS) as f64, 35.0 + HEIGHT * (position / COLUMNS) as f64);
        let frame =
            Frame { x: (left + 35.0, left + WIDTH - 15.0), y: (top + 18.0, top + HEIGHT - 30.0), range: view.range() };
        frame.draw(&mut picture);
        let name = end(&parameter.name, WIDTH - 10.0, 11.0);
        picture.words((frame.x.0 + frame.x.1) / 2.0, top + 10.0, &name, "middle", 11.0);
        let labels = labels(view.space, position);
        let room = (frame.x.1 - frame.x.0) / labels.len() as f64;
        for (share, words) in labels {
            picture.words(frame.across(share), frame.y.1 + 14.0, &beginning(&words, room, 10.0), "middle", 10.0);
        }
        // the best is drawn last, above its neighbours
        let is_best = |drawn: &&Drawn<'_>| drawn.trial.number == view.best.number;
        let others_first = drawn.iter().filter(|drawn| !is_best(drawn)).chain(drawn.iter().filter(is_best));
        for trial in others_first.filter(|drawn| !drawn.row[position].is_nan()) {
            let x = frame.across(view.space.axes()[position].share(trial.row[position]));
            let best = trial.trial.number == view.best.number;
            let late = 0.25 + 0.75 * trial.trial.number as f64 / last;
            let colour = if best { ACCENT.to_owned() } else { shade(late) };
            picture.circle(x, frame.up(trial.score), if best { 4.0 } else { 2.2 }, &colour);
        }
    }
    picture.finish()
}
