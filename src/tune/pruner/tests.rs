//! Pruners stop what cannot win, spare what can, and know no more than they may.

use proptest::prelude::*;

use super::super::trial::{Evaluation, Proposal};
use super::*;

fn trial(number: u64, folds: &[f64]) -> Trial {
    let evaluation = Evaluation {
        fold_values: folds.iter().copied().map(Some).collect(),
        ..Evaluation::complete(mean(folds).unwrap())
    };
    Trial::of(Proposal { number, ..Proposal::default() }, evaluation)
}

/// An incumbent of 1.0 on average and four trials around 0.
fn peers() -> Peers {
    let folds = [
        [1.2, 0.8, 1.1, 0.9, 1.0, 1.0, 1.3, 0.7],
        [0.1, -0.3, 0.2, 0.0, 0.1, -0.1, 0.4, -0.4],
        [0.3, -0.1, 0.0, 0.1, -0.2, 0.2, 0.1, -0.3],
        [0.0, 0.1, 0.3, -0.2, 0.2, 0.0, 0.2, -0.2],
        [0.2, 0.0, 0.1, 0.1, -0.1, 0.1, 0.3, -0.3],
    ];
    let trials: Vec<Trial> = folds.iter().zip(0..).map(|(folds, number)| trial(number, folds)).collect();
    Peers::of(&trials, Direction::Maximize)
}

/// The fold after which a trial is stopped, with its estimate.
fn stopped(pruner: Pruner, peers: &Peers, scores: &[f64]) -> Option<(usize, f64)> {
    let mut race = Race::new(pruner, peers, Direction::Maximize, scores.len());
    let after = |(fold, score): (usize, &f64)| race.finished(fold, Some(*score)).map(|estimate| (fold + 1, estimate));
    scores.iter().enumerate().find_map(after)
}

#[test]
fn a_hopeless_trial_is_stopped_and_a_good_one_is_not() {
    let hopeless = [-2.0; 8];
    let good = [1.4, 0.9, 1.3, 1.1, 1.2, 1.0, 1.4, 0.9];
    for pruner in [Pruner::Futility, Pruner::Wilcoxon, Pruner::Median] {
        assert!(stopped(pruner, &peers(), &hopeless).is_some(), "{pruner:?}");
        assert_eq!(stopped(pruner, &peers(), &good), None, "{pruner:?}");
    }
    assert_eq!(stopped(Pruner::None, &peers(), &hopeless), None);
    assert_eq!(stopped(Pruner::Futility, &peers(), &hopeless).unwrap().0, FUTILITY_FOLDS);
}

#[test]
fn the_estimate_is_the_incumbent_and_the_mean_difference() {
    // on the first two folds the incumbent has 1.2 and 0.8, over all 1.0
    let (after, estimate) = stopped(Pruner::Futility, &peers(), &[-2.0; 8]).unwrap();
    assert_eq!(after, 2);
    assert!((estimate - (1.0 + (-3.2 - 2.8) / 2.0)).abs() < 1e-12);
}

#[test]
fn smaller_is_better_when_minimised() {
    let trials: Vec<Trial> = (0..4).map(|number| trial(number, &[0.1 * number as f64, 0.2, 0.3, 0.2])).collect();
    let peers = Peers::of(&trials, Direction::Minimize);
    let mut race = Race::new(Pruner::Futility, &peers, Direction::Minimize, 4);
    assert_eq!(race.finished(0, Some(5.0)), None);
    let estimate = race.finished(1, Some(6.0)).unwrap();
    assert!((estimate - (0.175 + (5.0 + 5.8) / 2.0)).abs() < 1e-12, "{estimate}");
}

#[test]
fn nothing_is_stopped_before_there_is_something_to_compare_with() {
    let few = Peers::of(&[trial(0, &[1.0; 8]), trial(1, &[0.9; 8])], Direction::Maximize);
    for pruner in [Pruner::Futility, Pruner::Median] {
        assert_eq!(stopped(pruner, &few, &[-9.0; 8]), None);
    }
    for pruner in [Pruner::Futility, Pruner::Wilcoxon, Pruner::Median] {
        assert_eq!(stopped(pruner, &Peers::default(), &[-9.0; 8]), None);
    }
}

#[test]
fn only_complete_trials_with_all_folds_are_compared_with() {
    let mut partly = trial(1, &[9.0; 8]);
    partly.fold_values[3] = None;
    let pruned = Trial { state: TrialState::Pruned, ..trial(2, &[9.0; 8]) };
    assert_eq!(Peers::of(&[partly, pruned], Direction::Maximize), Peers::default());
}

#[test]
fn a_fold_without_a_score_stops_nothing() {
    let peers = peers();
    let mut race = Race::new(Pruner::Median, &peers, Direction::Maximize, 8);
    assert_eq!(race.finished(0, None), None);
    assert!(race.finished(1, Some(-5.0)).is_some());
}

#[test]
fn the_chance_to_win_is_that_of_the_predictive_distribution() {
    // by hand: d = (-0.4, -0.2, -0.6), K = 8, k = 3, s0^2 the median variance of the others
    let peers = peers();
    let race = Race::new(Pruner::Futility, &peers, Direction::Maximize, 8);
    let s0 = race.usual_variance().unwrap();
    let pooled = (0.08 + 4.0 * s0) / 6.0;
    let deviation = (pooled * 5.0 * (1.0 + 5.0 / 3.0)).sqrt() / 8.0;
    let expected = 0.5 * libm::erfc(0.4 / deviation / std::f64::consts::SQRT_2);
    assert!((race.chance_to_win(&[-0.4, -0.2, -0.6]).unwrap() - expected).abs() < 1e-12);
}

#[test]
fn every_trial_has_an_order_of_its_own() {
    let orders: std::collections::BTreeSet<Vec<usize>> =
        (0..20).map(|trial| fold_order(Seed::new(1), trial, 8)).collect();
    assert!(orders.len() > 15);
    assert!(orders.iter().all(|order| (0..8).all(|fold| order.contains(&fold))));
}

/// Eight noisy folds, one in five candidates as good as the incumbent or better: work is saved, and winners live.
#[test]
fn futility_saves_work_and_spares_winners() {
    let (mut run, mut possible, mut killed) = (0, 0, 0);
    for seed in 0..60 {
        let mut stream = Seed::new(seed).stream();
        let common: Vec<f64> = (0..8).map(|_| stream.normal()).collect();
        let mut draw =
            |skill: f64| -> Vec<f64> { common.iter().map(|fold| fold + skill + 0.5 * stream.normal()).collect() };
        let known: Vec<Trial> = (0..10).map(|number| trial(number, &draw(-0.1 * number as f64))).collect();
        let peers = Peers::of(&known, Direction::Maximize);
        let (winner, loser) = (draw(1.5), draw(-1.5));
        killed += usize::from(stopped(Pruner::Futility, &peers, &winner).is_some());
        run += stopped(Pruner::Futility, &peers, &loser).map_or(8, |(folds, _)| folds);
        possible += 8;
    }
    assert_eq!(killed, 0);
    assert!(2 * run < possible, "{run} of {possible} folds");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Against all assignments of signs.
    #[test]
    fn the_signed_rank_p_value_is_exact(raw in prop::collection::vec(-4_i32..5, 0..9)) {
        let differences: Vec<f64> = raw.iter().map(|value| f64::from(*value)).collect();
        let sizes: Vec<f64> = differences.iter().map(|value| value.abs()).filter(|size| *size > 0.0).collect();
        let ranks = midranks(&sizes);
        let signs = differences.iter().filter(|value| **value != 0.0).map(|value| *value > 0.0);
        let observed: f64 = ranks.iter().zip(signs).filter(|(_, positive)| *positive).map(|(rank, _)| rank).sum();
        let worlds = 1_u32 << ranks.len();
        let as_low = (0..worlds).filter(|world| {
            let sum: f64 = ranks.iter().enumerate().filter(|(at, _)| world >> at & 1 == 1).map(|(_, rank)| rank).sum();
            sum <= observed
        });
        let expected = as_low.count() as f64 / f64::from(worlds);
        prop_assert!((signed_rank_p(&differences) - expected).abs() < 1e-12);
    }
}
