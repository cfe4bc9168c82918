//! Scores in the order of the trials.

use super::super::trial::TrialState;
use super::View;
use super::picture::{ACCENT, FAINT, Frame, PLAIN, Picture};

pub(super) fn draw(view: &View<'_>) -> String {
    let title = format!("{} by trial; line: best so far; pale: pruned or infeasible", view.metric);
    let mut picture = Picture::new(720.0, 320.0, &title);
    let frame = Frame { x: (60.0, 705.0), y: (35.0, 285.0), range: view.range() };
    frame.draw(&mut picture);
    let last = view.trials.len().saturating_sub(1).max(1) as f64;
    let place = |number: u64| frame.across(number as f64 / last);
    for trial in view.trials {
        let Some(score) = trial.value else { continue };
        let colour = if trial.state == TrialState::Complete { PLAIN } else { FAINT };
        picture.circle(place(trial.number), frame.up(score), 2.5, colour);
    }
    let mut best: Option<f64> = None;
    let mut steps = Vec::new();
    for drawn in view.complete() {
        if best.is_some_and(|best| view.direction.loss(drawn.score) >= view.direction.loss(best)) {
            continue;
        }
        let x = place(drawn.trial.number);
        steps.extend(best.map(|before| (x, frame.up(before))));
        steps.push((x, frame.up(drawn.score)));
        best = Some(drawn.score);
    }
    steps.extend(best.map(|best| (frame.across(1.0), frame.up(best))));
    picture.line(&steps, ACCENT, 1.5);
    picture.words(frame.x.0, 303.0, "0", "middle", 11.0);
    picture.words((frame.x.0 + frame.x.1) / 2.0, 303.0, "trial", "middle", 11.0);
    picture.words(frame.x.1, 303.0, &view.trials.len().saturating_sub(1).to_string(), "end", 11.0);
    picture.finish()
}
