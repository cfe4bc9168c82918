//! Importances against functions whose decomposition is known.

use super::*;
use crate::tune::sampler::suggest;
use crate::tune::sampler::{SamplerConfig, SamplerKind};
use crate::tune::space::Params;
use crate::tune::trial::{Evaluation, Proposal};

/// Random trials of a loss.
fn trials(space: &SearchSpace, count: u64, loss: impl Fn(&Params) -> f64) -> Vec<Trial> {
    let config = SamplerConfig::from(SamplerKind::Random);
    let trial = |number| {
        let params = suggest(&config, space, Direction::Minimize, &[], &[], number, Seed::new(9))?;
        let value = loss(&params);
        Some(Trial::of(Proposal { number, params, ..Proposal::default() }, Evaluation::complete(value)))
    };
    (0..count).filter_map(trial).collect()
}

fn at(params: &Params, name: &str) -> f64 {
    params.get(name).and_then(ParamValue::as_f64).unwrap_or(0.0)
}

fn of(report: &ImportanceReport, name: &str) -> Importance {
    report.importances.iter().find(|importance| importance.parameter == name).cloned().unwrap()
}

fn additive() -> SearchSpace {
    serde_json::from_str(
        r#"{"a": {"float": [0, 1]}, "b": {"float": [1, 1000], "log": true}, "c": {"choice": [0, 1, 2]},
            "noise": {"float": [0, 1]}}"#,
    )
    .unwrap()
}

#[test]
fn shares_of_an_additive_function_are_its_variances() {
    let space = additive();
    // variances: 4^2 / 12 = 1.333, (2 / ln 1000)^2 (ln 1000)^2 / 12 = 0.333, 3 choices 0, 1, 2: 0.667
    let loss = |p: &Params| 4.0 * at(p, "a") + 2.0 * at(p, "b").ln() / 1000.0_f64.ln() + at(p, "c");
    let report = importance(&space, Direction::Minimize, &trials(&space, 600, loss), Seed::new(1));
    for (name, share) in [("a", 4.0 / 7.0), ("b", 1.0 / 7.0), ("c", 2.0 / 7.0), ("noise", 0.0)] {
        let found = of(&report, name).fanova.unwrap();
        assert!((found - share).abs() < 0.05, "{name}: {found}, expected {share}");
    }
    assert_eq!(report.importances[0].parameter, "a");
    assert!(report.warnings.is_empty());
}

#[test]
fn an_interaction_alone_has_no_main_effects() {
    let space: SearchSpace = serde_json::from_str(r#"{"a": {"float": [-1, 1]}, "b": {"float": [-1, 1]}}"#).unwrap();
    let loss = |p: &Params| at(p, "a") * at(p, "b");
    let report = importance(&space, Direction::Minimize, &trials(&space, 500, loss), Seed::new(1));
    assert!(report.importances.iter().all(|importance| importance.fanova.unwrap() < 0.12), "{report:?}");
}

#[test]
fn what_separates_the_best_tenth_is_found() {
    let space = additive();
    // `c` decides nearly all of the variance, `a` which trials are best among those with the right `c`
    let loss = |p: &Params| 100.0 * f64::from(u8::from(at(p, "c") != 1.0)) + (at(p, "a") - 0.2).powi(2);
    let report = importance(&space, Direction::Minimize, &trials(&space, 600, loss), Seed::new(1));
    let total: f64 = report.importances.iter().filter_map(|importance| importance.ped_anova).sum();
    assert!((total - 1.0).abs() < 1e-12);
    assert!(of(&report, "a").ped_anova.unwrap() > 0.3 && of(&report, "a").fanova.unwrap() < 0.01);
    assert!(of(&report, "noise").ped_anova.unwrap() < 0.1);
}

#[test]
fn the_direction_and_the_scale_of_the_score_do_not_matter() {
    let space = additive();
    let plain = trials(&space, 100, |p| at(p, "a") + at(p, "c"));
    // a power of two keeps every bit, so that even ties between splits are broken alike
    let huge = trials(&space, 100, |p| (-at(p, "a") - at(p, "c")) * 2.0_f64.powi(1000));
    let (a, b) = (
        importance(&space, Direction::Minimize, &plain, Seed::new(1)),
        importance(&space, Direction::Maximize, &huge, Seed::new(1)),
    );
    assert_eq!(a, b);
}

#[test]
fn a_conditional_parameter_is_judged_where_it_exists() {
    let space: SearchSpace = serde_json::from_str(
        r#"{"exit": {"choice": [0, 1]}, "stop": {"float": [0, 1], "when": {"exit": [1]}}, "x": {"float": [0, 1]}}"#,
    )
    .unwrap();
    let loss = |p: &Params| if at(p, "exit") == 1.0 { 3.0 * at(p, "stop") + at(p, "x") } else { at(p, "x") };
    let report = importance(&space, Direction::Minimize, &trials(&space, 400, loss), Seed::new(1));
    // 9 / 12 against 1 / 12 among the trials with a stop
    assert!((of(&report, "stop").fanova.unwrap() - 0.9).abs() < 0.05);
}

#[test]
fn little_data_gives_warnings_and_no_numbers() {
    let space = additive();
    let report = importance(&space, Direction::Minimize, &[], Seed::new(1));
    assert!(report.importances.iter().all(|importance| importance.fanova.is_none() && importance.ped_anova.is_none()));
    assert_eq!(report.warnings, [ImportanceWarning::FewTrials { trials: 0, expected: 50 }]);
    let constant = importance(&space, Direction::Minimize, &trials(&space, 60, |_| 1.0), Seed::new(1));
    assert!(constant.importances.iter().all(|importance| importance.fanova.is_none()));
}

#[test]
fn a_choice_that_nearly_all_trials_share_is_warned_of() {
    let space = additive();
    let mut biased = trials(&space, 400, |p| at(p, "a"));
    let mut kept = 0;
    biased.retain(|trial| {
        let rare = at(&trial.params, "c") != 1.0;
        kept += usize::from(rare);
        !rare || kept <= 20
    });
    let report = importance(&space, Direction::Minimize, &biased, Seed::new(1));
    let [ImportanceWarning::OneChoice { parameter, choice, share }] = &report.warnings[..] else {
        panic!("{:?}", report.warnings)
    };
    assert_eq!((parameter.as_str(), choice), ("c", &serde_json::json!(1)));
    assert!(*share > 0.8);
}

#[test]
fn the_number_of_threads_does_not_change_importances() {
    let space = additive();
    let trials = trials(&space, 80, |p| at(p, "a") * at(p, "b"));
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| importance(&space, Direction::Minimize, &trials, Seed::new(1)))
    };
    assert_eq!(run(1), run(3));
}

#[test]
#[ignore = "measures; run it in release"]
fn time_of_importances_at_a_thousand_trials() {
    let space: SearchSpace = serde_json::from_str(
        r#"{"a": {"float": [0, 1]}, "b": {"float": [0, 1]}, "c": {"float": [0, 1]}, "d": {"float": [0, 1]},
            "e": {"int": [4, 12]}, "f": {"choice": [0, 1]}, "g": {"choice": [0, 1, 2]}}"#,
    )
    .unwrap();
    let trials = trials(&space, 1000, |p| (9.0 * at(p, "a")).sin() + at(p, "b") * at(p, "c") + at(p, "f") * at(p, "e"));
    let begun = std::time::Instant::now();
    let report = importance(&space, Direction::Minimize, &trials, Seed::new(1));
    println!("{:.3} s, {} parameters", begun.elapsed().as_secs_f64(), report.importances.len());
}
