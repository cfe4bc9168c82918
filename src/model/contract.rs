//! What every family promises, for every task it can learn.

use ndarray::{Array1, Array2, array};
use serde_json::json;

use super::fixtures::*;
use super::*;
use crate::base::{CancelToken, Cancelled, Seed};

fn assert_close(a: &Model, b: &Model, table: &Table, tolerance: f64) {
    for (p, q) in a.predict(table.features.view()).iter().zip(b.predict(table.features.view())) {
        assert!((p - q).abs() <= tolerance, "{}: {p} is not {q}", a.family());
    }
}

fn try_fit(learner: &Learner, set: &TrainingSet<'_>) -> Result<Model, ModelError> {
    learner.fit(set, None, Seed::new(1), &CancelToken::new())
}

fn is_sound(task: Task, predicted: f64) -> bool {
    match task {
        Task::Classification => (0.0..=1.0).contains(&predicted),
        Task::Regression => predicted.is_finite(),
    }
}

fn row_of(name: &str) -> &'static Family {
    FAMILIES.iter().find(|family| family.name == name).unwrap()
}

/// The family with nothing drawn, and how closely it then repeats itself.
fn without_draws(learner: &Learner) -> (Learner, f64) {
    let family = learner.config().family();
    let (params, tolerance) = match family {
        "random-forest" | "extra-trees" => (json!({"trees": 3, "bootstrap": "none", "feature_sampling": "all"}), 1e-7),
        // sums of 32-bit numbers
        "gradient-boosting" => (json!({"trees": 10}), 1e-5),
        "ensemble" => (json!({"members": [{"kind": "logistic"}, {"kind": "naive-bayes"}]}), 1e-7),
        _ => (json!({}), 1e-7),
    };
    (fixtures::learner(family, &params), tolerance)
}

fn shuffled(count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    Seed::new(5).stream().shuffle(&mut order);
    order
}

#[test]
fn row_order_does_not_matter_where_nothing_is_drawn() {
    for (learner, table) in every_task(200, 6, 1) {
        let (learner, tolerance) = without_draws(&learner);
        assert_close(&fit(&learner, &table, 1), &fit(&learner, &table.select(&shuffled(200)), 1), &table, tolerance);
    }
}

#[test]
fn column_order_does_not_matter_where_nothing_is_drawn() {
    let order = shuffled(6);
    for (learner, table) in every_task(200, 6, 2) {
        if ["random-forest", "extra-trees"].contains(&learner.config().family()) {
            // of equal gains that of the column drawn first is taken
            continue;
        }
        let (learner, tolerance) = without_draws(&learner);
        let mut permuted = table.clone();
        permuted.features = table.features.select(ndarray::Axis(1), &order);
        let (straight, crossed) = (fit(&learner, &table, 1), fit(&learner, &permuted, 1));
        let found = crossed.predict(permuted.features.view());
        for (p, q) in straight.predict(table.features.view()).iter().zip(found) {
            assert!((p - q).abs() <= tolerance, "{}: {p} is not {q}", straight.family());
        }
    }
}

#[test]
fn a_weight_is_a_repeat_where_that_is_promised() {
    for (learner, mut table) in every_task(150, 5, 2) {
        if row_of(learner.config().family()).weights != Weights::Repeats {
            continue;
        }
        let times: Vec<usize> = (0..150).map(|row| 1 + row % 3).collect();
        let repeated: Vec<usize> = (0..150).flat_map(|row| vec![row; times[row]]).collect();
        let repeated = table.select(&repeated);
        table.weight = Some(times.iter().map(|&times| times as f64).collect());
        assert_close(&fit(&learner, &table, 1), &fit(&learner, &repeated, 1), &table, 1e-7);
    }
}

#[test]
fn the_scale_of_weights_is_free_where_only_shares_count() {
    for (learner, mut table) in every_task(200, 5, 3) {
        if row_of(learner.config().family()).weights != Weights::Shares {
            continue;
        }
        table.weight = Some((0..200).map(|row| f64::from(1 + row % 3)).collect());
        let mut scaled = table.clone();
        scaled.weight = table.weight.as_ref().map(|weight| weight * 8.0);
        assert_eq!(fit(&learner, &table, 1), fit(&learner, &scaled, 1), "{}", learner.config().family());
    }
}

#[test]
fn a_row_of_weight_zero_teaches_nothing() {
    for (learner, mut table) in every_task(200, 5, 3) {
        table.weight = Some((0..200).map(|row| f64::from(u8::from(row < 150))).collect());
        let mut changed = table.clone();
        changed.target.iter_mut().skip(150).for_each(|target| *target = 1.0 - *target);
        assert_eq!(fit(&learner, &table, 1), fit(&learner, &changed, 1), "{}", learner.config().family());
    }
}

#[test]
fn weights_move_what_is_learnt() {
    for (learner, mut table) in every_task(300, 3, 4) {
        let plain = fit(&learner, &table, 1);
        table.weight = Some(table.target.mapv(|target| if target > 0.5 { 5.0 } else { 1.0 }));
        let weighted = fit(&learner, &table, 1);
        let mean = |model: &Model| model.predict(table.features.view()).mean().unwrap();
        let (heavy, even) = (mean(&weighted), mean(&plain));
        assert!(heavy > even + 0.03, "{} {}: {heavy} {even}", plain.family(), table.task);
    }
}

#[test]
fn balanced_classes_centre_the_probability_and_a_regression_has_none() {
    for family in FAMILIES.iter().filter(|family| family.parameters.iter().any(|it| it.name == "class_weight")) {
        let learner = learner(family.name, &json!({"class_weight": "balanced"}));
        let mut table = noisy_table(600, 3, 5);
        // one in ten is of class 1
        let keep: Vec<usize> = (0..600).filter(|&row| table.target[row] == 0.0 || row % 9 == 0).collect();
        table = table.select(&keep);
        let p = fit(&learner, &table, 1).predict(table.features.view());
        let mean_of = |class: f64| {
            let own: Vec<f64> =
                p.iter().zip(&table.target).filter(|(_, label)| **label == class).map(|(p, _)| *p).collect();
            own.iter().sum::<f64>() / own.len() as f64
        };
        let centre = (mean_of(0.0) + mean_of(1.0)) / 2.0;
        assert!((0.35..0.65).contains(&centre), "{}: {centre}", family.name);
        if family.tasks.contains(&Task::Regression) {
            let error = try_fit(&learner, &noisy_values(50, 3, 5).set()).unwrap_err();
            assert!(matches!(error, ModelError::ForTask { name: "class_weight", .. }), "{error}");
        }
    }
}

#[test]
fn a_single_class_and_too_few_rows_are_refused() {
    for learner in every_learner() {
        for (rows, label) in [(50, 1.0), (50, 0.0), (1, 1.0)] {
            let mut table = noisy_table(rows, 3, 4);
            table.target.fill(label);
            let error = try_fit(&learner, &table.set()).unwrap_err();
            assert!(matches!(error, ModelError::OneClass { .. }), "{error}");
        }
    }
    for task in [Task::Classification, Task::Regression] {
        for learner in learners_of(task) {
            let empty = Table { features: Array2::zeros((0, 3)), target: Array1::zeros(0), weight: None, task };
            let error = try_fit(&learner, &empty.set()).unwrap_err();
            assert!(matches!(error, ModelError::TooFewRows { .. }), "{error}");
        }
    }
}

#[test]
fn a_task_that_a_family_cannot_learn_is_refused_by_name() {
    for family in FAMILIES {
        for task in [Task::Classification, Task::Regression].into_iter().filter(|task| !family.tasks.contains(task)) {
            let error = try_fit(&learner(family.name, &json!({})), &noisy_table(50, 3, 4).set().for_task(task));
            assert!(matches!(error, Err(ModelError::Task { .. })));
        }
    }
    let error = try_fit(&learner("logistic", &json!({})), &noisy_values(50, 3, 4).set()).unwrap_err();
    assert_eq!(error.to_string(), "model family `logistic` cannot learn a regression, only: classification");
}

#[test]
fn two_rows_are_enough_and_one_row_can_be_predicted() {
    for task in [Task::Classification, Task::Regression] {
        let table = Table { features: array![[1.0], [2.0]], target: array![0.0, 1.0], weight: None, task };
        for learner in learners_of(task) {
            let p = fit(&learner, &table, 1).predict(array![[f64::NAN]].view());
            assert!(p.len() == 1 && is_sound(task, p[0]), "{}", learner.config().family());
        }
    }
}

#[test]
fn equal_targets_of_a_regression_are_predicted() {
    for learner in learners_of(Task::Regression) {
        let mut table = noisy_values(80, 3, 6);
        table.target.fill(-3.5);
        let p = fit(&learner, &table, 1).predict(table.features.view());
        assert!(p.iter().all(|p| (p + 3.5).abs() < 1e-6), "{}", learner.config().family());
    }
}

#[test]
fn nan_is_a_missing_value_and_infinity_a_fault() {
    for (learner, mut table) in every_task(200, 4, 5) {
        table.features.column_mut(2).fill(f64::NAN);
        table.features.column_mut(3).fill(7.0);
        let model = fit(&learner, &table, 1);
        // neither an empty nor a constant column can matter
        assert_eq!(&model.importance()[2..], &[0.0, 0.0], "{}", model.family());
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let p = model.predict(Array2::from_elem((2, 4), value).view());
            assert!(p.iter().all(|&p| is_sound(table.task, p)));
            assert_eq!(p[0], model.predict(Array2::from_elem((1, 4), f64::NAN).view())[0]);
        }
        for value in [-1e300, 1e-300, 1e300, f64::MAX] {
            let p = model.predict(Array2::from_elem((1, 4), value).view());
            assert!(!p[0].is_nan(), "{} at {value}", model.family());
        }
        let mut broken = table.clone();
        broken.features[[7, 1]] = f64::INFINITY;
        let error = try_fit(&learner, &broken.set()).unwrap_err();
        assert!(matches!(error, ModelError::InfiniteFeature { row: 7, column: 1 }));
    }
}

#[test]
fn another_width_gives_nan_and_a_typed_error() {
    for (learner, table) in every_task(60, 3, 6) {
        let model = fit(&learner, &table, 1);
        assert!(model.predict(Array2::zeros((2, 4)).view()).iter().all(|p| p.is_nan()));
        assert!(model.by_row().predict(&[0.0; 4]).is_nan());
        assert!(matches!(model.check_columns(4), Err(ModelError::Shape { expected: 3, found: 4, .. })));
        assert!(model.check_columns(3).is_ok());
        assert_eq!((model.columns(), model.task()), (3, table.task));
    }
}

#[test]
fn one_row_predicts_as_it_does_among_many() {
    for (learner, table) in every_task(300, 5, 7) {
        let model = fit(&learner, &table, 1);
        let together = model.predict(table.features.view());
        let mut by_row = model.by_row();
        for (row, among) in table.features.rows().into_iter().zip(together) {
            assert_eq!(by_row.predict(&row.to_vec()), among, "{}", model.family());
        }
    }
}

#[test]
fn a_saved_model_loads_to_the_same_bytes_and_predictions() {
    for (learner, table) in every_task(300, 6, 7) {
        let model = fit(&learner, &table, 1);
        let bytes = model.to_json().unwrap();
        let loaded = Model::from_json(&bytes).unwrap();
        assert_eq!(loaded.to_json().unwrap(), bytes, "{}", model.family());
        assert_eq!(loaded, model);
        assert_eq!(loaded.predict(table.features.view()), model.predict(table.features.view()));
        assert_eq!(loaded.importance(), model.importance());
        let through_serde: Model = serde_json::from_slice(&serde_json::to_vec(&model).unwrap()).unwrap();
        assert_eq!(through_serde, model);
    }
}

#[test]
fn a_newer_or_damaged_model_is_refused() {
    for (learner, table) in every_task(100, 3, 8) {
        let text = String::from_utf8(fit(&learner, &table, 1).to_json().unwrap()).unwrap();
        // a newer version is refused for its version, whatever else has changed
        let newer = text.replacen("\"version\":1", "\"version\":2,\"new_field\":0", 1);
        let error = Model::from_json(newer.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "model format version 2 is not supported, expected 1");
        let other = text.replacen("walkforward.model", "another.model", 1);
        assert!(matches!(Model::from_json(other.as_bytes()), Err(ModelError::Damaged(_))));
        assert!(matches!(Model::from_json(&text.as_bytes()[..text.len() / 2]), Err(ModelError::Unreadable(_))));
        let stranger = text.replacen(learner.config().family(), "oracle", 1);
        assert!(matches!(Model::from_json(stranger.as_bytes()), Err(ModelError::Damaged(_))));
        let bare = text.replacen("\"body\":{", "\"body\":{\"stranger\":1,", 1);
        assert!(
            matches!(Model::from_json(bare.as_bytes()), Err(ModelError::Unreadable(_))),
            "{}",
            learner.config().family()
        );
    }
    let forest = fit(&learner("random-forest", &json!({"trees": 5})), &noisy_table(100, 3, 8), 1);
    let narrow = String::from_utf8(forest.to_json().unwrap()).unwrap().replacen("\"columns\":3", "\"columns\":1", 1);
    assert!(matches!(Model::from_json(narrow.as_bytes()), Err(ModelError::Damaged(_))));
}

#[test]
fn the_same_seed_gives_the_same_bytes_for_any_number_of_threads() {
    for (learner, table) in every_task(400, 8, 9) {
        let at = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let model = fit(&learner, &table, 11);
                (model.to_json().unwrap(), model.predict(table.features.view()))
            })
        };
        let one = at(1);
        assert_eq!(one, at(2), "{}", learner.config().family());
        assert_eq!(one, at(5), "{}", learner.config().family());
    }
}

#[test]
fn another_seed_is_another_model_where_something_is_drawn() {
    let table = noisy_table(400, 8, 9);
    let drawn = json!({"trees": 5, "row_share": 0.5, "column_share": 0.5});
    for learner in [
        learner("random-forest", &json!({"trees": 5})),
        learner("extra-trees", &json!({"trees": 5})),
        learner("gradient-boosting", &drawn),
    ] {
        assert_ne!(fit(&learner, &table, 11), fit(&learner, &table, 12), "{}", learner.config().family());
    }
}

#[test]
fn the_layout_of_the_table_does_not_matter() {
    for (learner, table) in every_task(120, 4, 10) {
        let transposed = table.features.t().as_standard_layout().to_owned();
        let set = TrainingSet { features: transposed.t(), ..table.set() };
        let model = try_fit(&learner, &set).unwrap();
        assert_eq!(model, fit(&learner, &table, 1));
        assert_eq!(model.predict(transposed.t()), model.predict(table.features.view()));
    }
}

#[test]
fn a_cancelled_token_stops_the_fit() {
    let cancel = CancelToken::new();
    cancel.cancel();
    for (learner, table) in every_task(50, 3, 11) {
        let error = learner.fit(&table.set(), None, Seed::new(1), &cancel).unwrap_err();
        assert!(matches!(error, ModelError::Cancelled(Cancelled)));
    }
}

#[test]
fn importance_finds_the_features_that_decide() {
    for (learner, table) in every_task(800, 8, 12) {
        let importance = fit(&learner, &table, 1).importance();
        let noise = importance[2..].iter().copied().fold(0.0, f64::max);
        let family = learner.config().family();
        assert!(importance[0] > importance[1] && importance[1] > noise, "{family}: {importance:?}");
    }
}

#[test]
fn the_scale_of_a_feature_does_not_matter() {
    for (learner, table) in every_task(300, 4, 13) {
        let mut tiny = table.clone();
        // powers of two change no digit: bins, cuts and standardised values are the same
        tiny.features.mapv_inplace(|value| value * 2.0_f64.powi(-40));
        let (a, b) = (fit(&learner, &table, 1), fit(&learner, &tiny, 1));
        for (p, q) in a.predict(table.features.view()).iter().zip(b.predict(tiny.features.view())) {
            assert!((p - q).abs() < 1e-9, "{}: {p} is not {q}", a.family());
        }
    }
}

#[test]
fn a_validation_set_is_checked_and_changes_nothing_where_it_is_ignored() {
    for (learner, table) in every_task(200, 4, 14) {
        let (fresh, seed, cancel) = (table.select(&shuffled(200)[..60]), Seed::new(1), CancelToken::new());
        let model = learner.fit(&table.set(), Some(&fresh.set()), seed, &cancel).unwrap();
        // none of these stops early
        assert_eq!(model, fit(&learner, &table, 1));
        let narrow = Table { features: Array2::zeros((60, 3)), ..fresh.clone() };
        let error = learner.fit(&table.set(), Some(&narrow.set()), seed, &cancel).unwrap_err();
        assert!(matches!(error, ModelError::Shape { expected: 4, found: 3, .. }), "{error}");
        let mut odd = fresh;
        odd.target[3] = f64::NAN;
        assert!(learner.fit(&table.set(), Some(&odd.set()), seed, &cancel).is_err());
    }
}

#[test]
fn what_stops_early_says_so_in_its_row_and_needs_a_validation_set() {
    for family in FAMILIES {
        let stops = family.parameters.iter().any(|parameter| parameter.name == "early_stopping");
        assert_eq!(stops, family.validates, "{}", family.name);
        if stops {
            let learner = learner(family.name, &json!({"early_stopping": 5}));
            assert!(learner.config().wants_validation());
            let error = try_fit(&learner, &noisy_table(50, 3, 1).set()).unwrap_err();
            assert!(matches!(error, ModelError::NoValidation { .. }), "{error}");
        }
    }
}
