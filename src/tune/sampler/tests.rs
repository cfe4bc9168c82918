//! Contracts of every sampler, and laws of the mixture they share.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::mixture::{Mixture, Smoothness};
use super::*;
use crate::tune::space::Axis;
use crate::tune::trial::{Evaluation, Proposal};

const MIXED: &str = r#"{
    "length": {"int": [5, 100], "log": true},
    "stop": {"float": [0.5, 6], "log": true, "when": {"exit": ["atr"]}},
    "exit": {"choice": ["ma", "atr"]},
    "clearance": {"float": [-1, 1]},
    "share": {"float": [0.1, 0.9], "step": 0.2},
    "count": {"int": [2, 12], "step": 5, "when": {"exit": ["ma"], "share": [0.3, 0.5]}}
}"#;

const DISCRETE: &str = r#"{
    "a": {"choice": ["x", "y"]},
    "b": {"int": [1, 3]},
    "c": {"int": [1, 2], "when": {"a": ["y"]}}
}"#;

fn space(text: &str) -> SearchSpace {
    serde_json::from_str(text).unwrap()
}

/// A smooth score with failures, pruned and infeasible trials among its results.
fn result(space: &SearchSpace, number: u64, params: &Params) -> Trial {
    let point = space.encode(params).unwrap();
    let score = |(axis, at): (&Axis, &f64)| if at.is_nan() { 0.5 } else { (axis.share(*at) - 0.3).powi(2) };
    let value: f64 = space.axes().iter().zip(&point).map(score).sum();
    let evaluation = match number % 11 {
        3 => Evaluation::failed("no trades"),
        5 => Evaluation::pruned(value),
        7 => Evaluation::complete(value).with_constraints(vec![0.1]),
        _ => Evaluation::complete(value),
    };
    Trial::of(Proposal { number, params: params.clone(), ..Proposal::default() }, evaluation)
}

/// Runs one trial after the other; stops when the space is exhausted.
fn run(kind: SamplerKind, space: &SearchSpace, trials: u64, seed: u64) -> Vec<Trial> {
    let (mut finished, mut history) = (Vec::new(), History::new(space, Direction::Minimize));
    for number in 0..trials {
        let seed = Seed::new(seed);
        let request = Request { space, history: &history, pending: &[], number, seed, startup_trials: 10, levels: 3 };
        let Some(point) = propose(kind, &request) else { break };
        let trial = result(space, number, &space.decode(&point));
        history.push(space, &trial);
        finished.push(trial);
    }
    finished
}

/// A sampler asked with plain records answers as one that was told of each trial in turn.
#[test]
fn plain_records_and_a_kept_history_give_the_same_proposal() {
    let space = space(MIXED);
    for kind in SamplerKind::all() {
        let trials = run(kind, &space, 26, 3);
        let config = SamplerConfig { levels: 3, startup_trials: Some(10), ..kind.into() };
        let found = suggest(&config, &space, Direction::Minimize, &trials[..25], &[], 25, Seed::new(3));
        assert_eq!(found.as_ref(), Some(&trials[25].params), "{kind}");
    }
}

#[test]
fn every_sampler_has_a_row_of_its_own() {
    for kind in SamplerKind::all() {
        assert_eq!(kind.name().parse(), Ok(kind));
        assert!(!kind.summary().is_empty());
    }
}

#[test]
fn unknown_samplers_are_refused_with_those_that_exist() {
    let unknown = "annealing".parse::<SamplerKind>().unwrap_err();
    let known = "`tpe`, `gp`, `auto`, `random`, `sobol`, `grid`, `optuna5`";
    assert_eq!(unknown.to_string(), format!("no sampler `annealing`; expected one of {known}"));
    assert!(serde_json::from_str::<SamplerConfig>(r#"{"sampler": "tpe"}"#).is_err());
}

#[test]
fn what_a_table_is_too_small_for_is_refused() {
    let refusal = |kind: SamplerKind, space: &SearchSpace, trials| {
        SamplerConfig::from(kind).defect(space, trials).map(|defect| defect.to_string()).unwrap_or_default()
    };
    let wide: BTreeSet<String> = (0..300).map(|i| format!(r#""p{i}": {{"float": [0, 1]}}"#)).collect();
    let wide = space(&format!("{{{}}}", wide.into_iter().collect::<Vec<_>>().join(",")));
    assert!(refusal(SamplerKind::Sobol, &wide, 10).contains("at most 256, found 300"));
    assert!(refusal(SamplerKind::Sobol, &space(MIXED), 70_000).contains("at most 65536, found 70000"));
    assert!(refusal(SamplerKind::Grid, &wide, 10).contains("at most 65536 points"));
    assert!(SamplerKind::all().all(|kind| refusal(kind, &space(DISCRETE), 100).is_empty()));
}

#[test]
fn a_grid_has_every_combination_once() {
    let space = space(
        r#"{"x": {"float": [0, 1]}, "n": {"int": [1, 100], "log": true, "when": {"c": ["b"]}}, "c": {"choice": ["a", "b"]}}"#,
    );
    let trials = run(SamplerKind::Grid, &space, 1000, 3);
    let distinct: BTreeSet<String> = trials.iter().map(|trial| serde_json::to_string(&trial.params).unwrap()).collect();
    // 3 values of x; without n, or with each of its 100
    assert_eq!((trials.len(), distinct.len()), (303, 303));
    let values: BTreeSet<String> = trials.iter().map(|trial| trial.params["x"].to_json().to_string()).collect();
    assert_eq!(values, ["0.0", "0.5", "1.0"].map(str::to_owned).into());
}

/// The defining law of a (0, m, 2)-net in base 2: every box of area 1/64 holds one of 64 points.
#[test]
fn sixty_four_points_of_a_sequence_fill_every_box_of_two_parameters() {
    let space = space(r#"{"x": {"float": [0, 1]}, "y": {"float": [0, 1]}}"#);
    let trials = run(SamplerKind::Sobol, &space, 64, 9);
    for columns in [1, 2, 4, 8, 16, 32, 64] {
        let rows = f64::from(64 / columns);
        let boxed = |trial: &Trial| {
            let at = |name: &str| trial.params[name].as_f64().unwrap();
            ((at("x") * f64::from(columns)) as u64, (at("y") * rows) as u64)
        };
        let boxes: BTreeSet<(u64, u64)> = trials.iter().map(boxed).collect();
        assert_eq!(boxes.len(), 64, "{columns}");
    }
}

#[test]
fn every_proposal_lies_inside_the_space() {
    let space = space(MIXED);
    for kind in SamplerKind::all() {
        // encoding checks bounds, grids, choices and which parameters exist
        let trials = run(kind, &space, 60, 1);
        assert_eq!(trials.len(), 60);
        assert!(trials.iter().all(|trial| space.encode(&trial.params).is_some()), "{kind}");
    }
}

#[test]
fn the_same_seed_gives_the_same_trials_and_another_gives_others() {
    let space = space(MIXED);
    for kind in SamplerKind::all() {
        assert_eq!(run(kind, &space, 30, 7), run(kind, &space, 30, 7), "{kind}");
        assert_ne!(run(kind, &space, 30, 7), run(kind, &space, 30, 8), "{kind}");
    }
}

#[test]
fn a_discrete_space_is_tried_once_and_then_exhausted() {
    let space = space(DISCRETE);
    for kind in SamplerKind::all().filter(|kind| *kind != SamplerKind::Optuna5) {
        let trials = run(kind, &space, 50, 3);
        let distinct: BTreeSet<String> =
            trials.iter().map(|trial| serde_json::to_string(&trial.params).unwrap()).collect();
        // x: 3 values of b; y: 3 values of b with 2 of c
        assert_eq!((trials.len(), distinct.len()), (9, 9), "{kind}");
    }
}

#[test]
fn pending_points_of_a_discrete_space_are_not_proposed_again() {
    let space = space(DISCRETE);
    for kind in SamplerKind::all().filter(|kind| *kind != SamplerKind::Optuna5) {
        let mut pending: Vec<Params> = Vec::new();
        for number in 0..9 {
            let config = SamplerConfig { startup_trials: Some(4), ..kind.into() };
            let params = suggest(&config, &space, Direction::Minimize, &[], &pending, number, Seed::new(1)).unwrap();
            assert!(!pending.contains(&params), "{kind}");
            pending.push(params);
        }
    }
}

#[test]
fn start_up_trials_hit_every_stratum_of_every_axis_once() {
    let space = space(r#"{"x": {"float": [0, 1]}, "y": {"float": [1, 1000], "log": true}, "z": {"choice": [1, 2]}}"#);
    let trials = run(SamplerKind::Tpe, &space, 10, 5);
    for (position, axis) in space.axes().iter().enumerate().take(2) {
        let stratum = |trial: &Trial| (axis.share(space.encode(&trial.params).unwrap()[position]) * 10.0) as u64;
        let strata: BTreeSet<u64> = trials.iter().map(stratum).collect();
        assert_eq!(strata.len(), 10);
    }
    let ones = trials.iter().filter(|trial| trial.params["z"].as_f64() == Some(1.0)).count();
    assert_eq!(ones, 5);
}

#[test]
fn a_history_of_failures_alone_does_not_stop_a_sampler() {
    let space = space(MIXED);
    for kind in SamplerKind::all() {
        let mut finished = Vec::new();
        for number in 0..20 {
            let config = SamplerConfig { levels: 2, ..kind.into() };
            let params = suggest(&config, &space, Direction::Maximize, &finished, &[], number, Seed::new(2)).unwrap();
            finished.push(Trial::of(Proposal { number, params, ..Proposal::default() }, Evaluation::failed("always")));
        }
    }
}

#[test]
fn the_direction_mirrors_the_score() {
    let space = space(MIXED);
    let config = SamplerConfig::from(SamplerKind::Tpe);
    let low = run(SamplerKind::Tpe, &space, 25, 4);
    let mut high = low.clone();
    for trial in &mut high {
        trial.value = trial.value.map(|value| -value);
    }
    let next = |direction, trials: &[Trial]| suggest(&config, &space, direction, trials, &[], 25, Seed::new(4));
    assert_eq!(next(Direction::Minimize, &low), next(Direction::Maximize, &high));
}

#[test]
fn trials_outside_the_space_are_left_out() {
    let wide = space(r#"{"x": {"float": [0, 10]}}"#);
    let narrow = space(r#"{"x": {"float": [0, 1]}}"#);
    let trials = run(SamplerKind::Random, &wide, 40, 1);
    let mut history = History::new(&narrow, Direction::Minimize);
    trials.iter().for_each(|trial| history.push(&narrow, trial));
    let inside = trials.iter().filter(|trial| trial.params["x"].as_f64().unwrap() <= 1.0).count();
    assert_eq!(history.len(), inside);
}

fn grid(cells: u64) -> Axis {
    Axis::Grid { cells, first: 1.0, step: 1.0, log: true }
}

fn mixture(axes: &[&Axis], rows: &[Vec<f64>]) -> Mixture {
    Mixture::new(axes, rows, &vec![1.0; rows.len()], 1.0, Smoothness { choices: 6.0, narrowing: 0.5 })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn masses_over_all_cells_sum_to_one(
        rows in prop::collection::vec((0_u64..7, 0_u64..3).prop_map(|(a, b)| vec![a as f64, b as f64]), 0..40),
    ) {
        let axes = [grid(7), Axis::Choice { choices: 3 }];
        let cells: Vec<Vec<f64>> =
            (0..7).flat_map(|a| (0..3).map(move |b| vec![f64::from(a), f64::from(b)])).collect();
        let densities = mixture(&[&axes[0], &axes[1]], &rows).log_densities(&cells);
        let total: f64 = densities.iter().map(|density| density.exp()).sum();
        prop_assert!((total - 1.0).abs() < 1e-11, "{}", total);
    }

    #[test]
    fn densities_over_a_range_integrate_to_one(
        rows in prop::collection::vec((-2.0..3.0_f64).prop_map(|x| vec![x]), 0..40),
    ) {
        let axis = Axis::Continuous { low: -2.0, high: 3.0 };
        let step = 5.0 / 20_000.0;
        let places: Vec<Vec<f64>> = (0..20_000).map(|i| vec![-2.0 + (f64::from(i) + 0.5) * step]).collect();
        let densities = mixture(&[&axis], &rows).log_densities(&places);
        // densities are relative to the range of 5 and leave sqrt(2 pi) out
        let total = densities.iter().map(|density| density.exp() * step).sum::<f64>() / 5.0 / std::f64::consts::TAU.sqrt();
        prop_assert!((total - 1.0).abs() < 1e-6, "{}", total);
    }
}

#[test]
fn draws_follow_the_masses() {
    let axes = [grid(5), Axis::Choice { choices: 3 }];
    let rows: Vec<Vec<f64>> = vec![vec![0.0, 1.0], vec![4.0, 1.0], vec![1.0, 2.0], vec![1.0, 1.0]];
    let mixture = mixture(&[&axes[0], &axes[1]], &rows);
    let cells: Vec<Vec<f64>> = (0..5).flat_map(|a| (0..3).map(move |b| vec![f64::from(a), f64::from(b)])).collect();
    let masses = mixture.log_densities(&cells);
    let mut stream = Seed::new(11).stream();
    let mut counts = [0.0; 15];
    for _ in 0..30_000 {
        let cell = mixture.draw(&mut stream);
        counts[(cell[0] * 3.0 + cell[1]) as usize] += 1.0;
    }
    for (count, mass) in counts.iter().zip(masses) {
        let expected = 30_000.0 * mass.exp();
        // 5 standard deviations
        assert!((count - expected).abs() < 5.0 * expected.sqrt(), "{count} {expected}");
    }
}

#[test]
fn choices_are_smoothed_as_documented() {
    let axis = Axis::Choice { choices: 4 };
    // two observations and the prior: K = 3, so that hit = (1 + 1/3) / (1 + 4/3), miss = (1/3) / (1 + 4/3)
    let mixture =
        Mixture::new(&[&axis], &[vec![0.0], vec![0.0]], &[1.0, 1.0], 1.0, Smoothness { choices: 1.0, narrowing: 1.0 });
    let density = mixture.log_densities(&[vec![0.0], vec![3.0]]);
    let (hit, miss) = ((4.0 / 3.0) / (7.0 / 3.0), (1.0 / 3.0) / (7.0 / 3.0));
    assert!((density[0].exp() - (2.0 * hit + 0.25) / 3.0).abs() < 1e-14);
    assert!((density[1].exp() - (2.0 * miss + 0.25) / 3.0).abs() < 1e-14);
}

/// Time of ten proposals each, by number of known trials.
#[test]
#[ignore = "measures; `make bench-tune` runs it"]
fn time_per_proposal() {
    let space = space(
        r#"{"hard_stop_atr_mult": {"float": [1.5, 4]}, "exit_ma": {"choice": [20, 50]},
            "fast_clearance": {"float": [0, 0.02]}, "slow_clearance": {"float": [0.005, 0.025]},
            "risk_per_trade": {"float": [0.005, 0.015]}, "max_positions": {"int": [4, 12]},
            "trend_ma": {"choice": [20, 50, 100]}}"#,
    );
    for (kind, most) in [(SamplerKind::Tpe, 10_000), (SamplerKind::Optuna5, 10_000), (SamplerKind::Gp, 1000)] {
        let mut history = History::new(&space, Direction::Minimize);
        let mut seconds = Vec::new();
        // adaptive to 1,000; beyond that random points stand in for the history
        for number in 0..most + 10 {
            let begun = std::time::Instant::now();
            let request = Request {
                space: &space,
                history: &history,
                pending: &[],
                number,
                seed: Seed::new(1),
                startup_trials: 10,
                levels: 5,
            };
            let proposer = if (1010..10_000).contains(&number) { SamplerKind::Random } else { kind };
            let params = space.decode(&propose(proposer, &request).unwrap());
            let value = crate::tune::bench_functions::evaluate("strategy7", &params, 0).unwrap();
            history.push(
                &space,
                &Trial::of(Proposal { number, params, ..Proposal::default() }, Evaluation::complete(value)),
            );
            seconds.push(begun.elapsed().as_secs_f64());
        }
        for at in [10, 100, 1000, 10_000].into_iter().filter(|at| *at <= most as usize) {
            let sorted = crate::stats::order::sorted(&seconds[at..at + 10]);
            println!("{kind} at {at}: least {:.3} ms, median {:.3} ms a proposal", 1e3 * sorted[0], 1e3 * sorted[5]);
        }
    }
}
