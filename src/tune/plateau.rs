//! Whether the best trial stands on a plateau or on a needle.
//!
//! A parameter set that is good only by luck has bad neighbours.

use serde::{Deserialize, Serialize};

use crate::stats::order::median;

use super::space::{Axis, SearchSpace};
use super::study::{Direction, best_of};
use super::trial::{Trial, TrialState};

/// Neighbours that are asked.
const NEIGHBOURS: usize = 10;

/// The best trial beside its neighbours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plateau {
    /// Number of the best trial.
    pub best: u64,
    /// Its score.
    pub best_score: f64,
    /// Numbers of its nearest complete trials, nearest first; at most ten.
    pub neighbours: Vec<u64>,
    /// Median score of the neighbours.
    pub median_score: Option<f64>,
    /// Median score of all complete trials, to compare with.
    pub overall_median_score: Option<f64>,
}

/// Looks at the ten complete trials nearest to the best one; `None` without a complete trial.
///
/// The distance is Euclidean over shares of each range (of the logarithm on a log scale); a different choice, or a
/// parameter that exists at only one of the two, counts 1. Equal distances are taken in the order of trial numbers.
pub fn plateau(space: &SearchSpace, direction: Direction, trials: &[Trial]) -> Option<Plateau> {
    let best = best_of(trials, direction)?;
    let centre = space.encode(&best.params)?;
    let complete: Vec<&Trial> = trials.iter().filter(|trial| trial.state == TrialState::Complete).collect();
    let mut near: Vec<(f64, &Trial)> = complete
        .iter()
        .filter(|trial| trial.number != best.number)
        .filter_map(|trial| Some((distance(space.axes(), &centre, &space.encode(&trial.params)?), *trial)))
        .collect();
    near.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.number.cmp(&b.1.number)));
    near.truncate(NEIGHBOURS);
    let scores: Vec<f64> = near.iter().filter_map(|(_, trial)| trial.value).collect();
    let all: Vec<f64> = complete.iter().filter_map(|trial| trial.value).collect();
    Some(Plateau {
        best: best.number,
        best_score: best.value?,
        neighbours: near.iter().map(|(_, trial)| trial.number).collect(),
        median_score: median(&scores),
        overall_median_score: median(&all),
    })
}

fn distance(axes: &[Axis], a: &[f64], b: &[f64]) -> f64 {
    let along = |axis: &Axis, a: f64, b: f64| match (a.is_nan(), b.is_nan(), axis) {
        (true, true, _) => 0.0,
        (true, false, _) | (false, true, _) => 1.0,
        (false, false, Axis::Choice { .. }) => f64::from(u8::from(a != b)),
        (false, false, _) => axis.share(a) - axis.share(b),
    };
    axes.iter().zip(a.iter().zip(b)).map(|(axis, (&a, &b))| along(axis, a, b).powi(2)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tune::space::ParamValue;
    use crate::tune::trial::{Evaluation, Proposal};

    fn trials(points: &[(f64, &str, f64)]) -> Vec<Trial> {
        let record = |(number, (x, exit, score)): (usize, &(f64, &str, f64))| {
            let params =
                [("x".to_owned(), ParamValue::Float(*x)), ("exit".to_owned(), ParamValue::Choice((*exit).into()))];
            Trial::of(
                Proposal { number: number as u64, params: params.into(), ..Proposal::default() },
                Evaluation::complete(*score),
            )
        };
        points.iter().enumerate().map(record).collect()
    }

    fn space() -> SearchSpace {
        serde_json::from_str(r#"{"x": {"float": [0, 10]}, "exit": {"choice": ["a", "b"]}}"#).unwrap()
    }

    #[test]
    fn the_nearest_trials_are_judged_and_far_ones_are_not() {
        let mut points = vec![(5.0, "a", 9.0)];
        points.extend((0..10).map(|i| (5.0 + 0.01 * f64::from(i), "a", 8.0)));
        points.extend((0..20).map(|_| (5.0, "b", 1.0)));
        let found = plateau(&space(), Direction::Maximize, &trials(&points)).unwrap();
        assert_eq!((found.best, found.median_score), (0, Some(8.0)));
        assert_eq!(found.neighbours, (1..=10).collect::<Vec<u64>>());
        assert_eq!(found.overall_median_score, Some(1.0));
    }

    #[test]
    fn a_lone_trial_has_no_neighbours() {
        let found = plateau(&space(), Direction::Minimize, &trials(&[(1.0, "a", 3.0)])).unwrap();
        assert_eq!((found.best_score, found.median_score), (3.0, None));
        assert_eq!(plateau(&space(), Direction::Minimize, &[]), None);
    }
}
