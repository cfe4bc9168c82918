//! The process as a whole.

use super::super::super::study::Direction;
use super::super::super::trial::{Evaluation, Proposal, Trial};
use super::*;
use crate::base::Seed;

fn history(space: &SearchSpace, count: u64) -> History {
    let mut history = History::new(space, Direction::Minimize);
    for number in 0..count {
        let request = Request {
            space,
            history: &history,
            pending: &[],
            number,
            seed: Seed::new(5),
            startup_trials: 8,
            levels: 5,
        };
        let params = space.decode(&startup::propose_random(&request).unwrap());
        let value = params.values().filter_map(|value| value.as_f64()).map(|x| (x - 0.3).powi(2)).sum();
        history
            .push(space, &Trial::of(Proposal { number, params, ..Proposal::default() }, Evaluation::complete(value)));
    }
    history
}

#[test]
fn lengths_depend_on_the_history_and_not_on_when_they_were_asked_for() {
    let space: SearchSpace = serde_json::from_str(r#"{"x": {"float": [0, 1]}, "y": {"float": [0, 1]}}"#).unwrap();
    let long = history(&space, 40);
    let at_once = lengths(&space, &long);
    let mut grown = History::new(&space, Direction::Minimize);
    let short = history(&space, 25);
    // asked on the way as well
    lengths(&space, &short);
    grown.clone_from(&short);
    for number in 25..40 {
        let params = space.decode(long.row(number));
        let value = long.rank(number).loss;
        grown.push(
            &space,
            &Trial::of(Proposal { number: number as u64, params, ..Proposal::default() }, Evaluation::complete(value)),
        );
    }
    assert_eq!(lengths(&space, &grown), at_once);
}

#[test]
fn a_model_of_many_trials_keeps_the_best_and_the_newest() {
    let space: SearchSpace = serde_json::from_str(r#"{"x": {"float": [0, 1]}}"#).unwrap();
    let history = history(&space, 600);
    let kept = modelled(&history, 600);
    assert_eq!(kept.len(), MOST_TRIALS);
    assert!(kept.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(history.best_first()[..MOST_TRIALS / 4].iter().all(|trial| kept.contains(trial)));
    assert!((350..600).all(|trial| kept.contains(&trial)));
}

#[test]
fn pending_points_are_kept_away_from() {
    let space: SearchSpace = serde_json::from_str(r#"{"x": {"float": [0, 1]}, "y": {"float": [0, 1]}}"#).unwrap();
    let history = history(&space, 20);
    let request = |pending| Request {
        space: &space,
        history: &history,
        pending,
        number: 20,
        seed: Seed::new(1),
        startup_trials: 8,
        levels: 5,
    };
    let alone = propose_gp(&request(&[])).unwrap();
    let pending = [alone.clone()];
    let beside = propose_gp(&request(&pending)).unwrap();
    let distance = alone.iter().zip(&beside).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
    assert!(distance > 0.02, "{alone:?} {beside:?}");
}
