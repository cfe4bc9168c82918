//! What every family promises, and the reference models of other people's tools.

use ndarray::{Array1, Array2, Axis, concatenate};
use serde_json::json;

use super::fixtures::*;
use super::*;
use crate::base::{CancelToken, Cancelled, Seed};

fn assert_close(a: &Model, b: &Model, table: &Table, tolerance: f64) {
    for (a, b) in a.predict(table.features.view()).iter().zip(b.predict(table.features.view())) {
        assert!((a - b).abs() <= tolerance, "{a} is not {b}");
    }
}

/// The families whose promises on row order hold, with parameters under which they do.
fn indifferent_to_row_order() -> Vec<Learner> {
    let forest = json!({"trees": 3, "bootstrap": "none", "feature_sampling": "all"});
    vec![learner("logistic", &json!({})), learner("random-forest", &forest)]
}

#[test]
fn row_order_does_not_matter_where_that_is_promised() {
    let table = noisy_table(200, 6, 1);
    let mut order: Vec<usize> = (0..200).collect();
    Seed::new(5).stream().shuffle(&mut order);
    for learner in indifferent_to_row_order() {
        assert_close(&fit(&learner, &table, 1), &fit(&learner, &table.select(&order), 1), &table, 1e-7);
    }
}

#[test]
fn a_weight_is_a_repeat_for_the_logistic_regression() {
    let mut table = noisy_table(150, 5, 2);
    let times: Vec<usize> = (0..150).map(|row| 1 + row % 3).collect();
    let repeated: Vec<usize> = (0..150).flat_map(|row| vec![row; times[row]]).collect();
    let repeated = table.select(&repeated);
    table.weight = Some(times.iter().map(|&times| times as f64).collect());
    let learner = learner("logistic", &json!({}));
    assert_close(&fit(&learner, &table, 1), &fit(&learner, &repeated, 1), &table, 1e-7);
}

#[test]
fn a_row_of_weight_zero_teaches_nothing_and_the_scale_of_weights_is_free_in_a_forest() {
    let mut table = noisy_table(200, 5, 3);
    table.weight = Some((0..200).map(|row| f64::from(u8::from(row < 150))).collect());
    let mut scaled = table.clone();
    scaled.weight = table.weight.as_ref().map(|weight| weight * 8.0);
    let mut changed = table.clone();
    changed.target.iter_mut().skip(150).for_each(|label| *label = 1.0 - *label);
    for learner in every_learner() {
        assert_eq!(fit(&learner, &table, 1), fit(&learner, &changed, 1), "{:?}", learner.config().family());
    }
    let forest = learner("random-forest", &json!({"trees": 10}));
    assert_eq!(fit(&forest, &table, 1), fit(&forest, &scaled, 1));
}

#[test]
fn a_single_class_and_a_single_row_are_refused() {
    for learner in every_learner() {
        for (rows, label) in [(50, 1.0), (50, 0.0), (1, 1.0)] {
            let mut table = noisy_table(rows, 3, 4);
            table.target.fill(label);
            let error = learner.fit(&table.set(), None, Seed::new(1), &CancelToken::new()).unwrap_err();
            assert!(matches!(error, ModelError::OneClass { .. }), "{error}");
        }
        let empty = Table { features: Array2::zeros((0, 3)), target: Array1::zeros(0), weight: None };
        let error = learner.fit(&empty.set(), None, Seed::new(1), &CancelToken::new()).unwrap_err();
        assert!(matches!(error, ModelError::TooFewRows { .. }), "{error}");
    }
}

#[test]
fn two_rows_are_enough_and_one_row_can_be_predicted() {
    let features = ndarray::array![[1.0], [2.0]];
    let table = Table { features, target: ndarray::array![0.0, 1.0], weight: None };
    for learner in every_learner() {
        let p = fit(&learner, &table, 1).predict(ndarray::array![[f64::NAN]].view());
        assert!(p.len() == 1 && (0.0..=1.0).contains(&p[0]));
    }
}

#[test]
fn nan_is_a_missing_value_and_infinity_a_fault() {
    let mut table = noisy_table(200, 4, 5);
    table.features.column_mut(2).fill(f64::NAN);
    table.features.column_mut(3).fill(7.0);
    for learner in every_learner() {
        let model = fit(&learner, &table, 1);
        // neither an empty nor a constant column can matter
        assert_eq!(&model.importance()[2..], &[0.0, 0.0]);
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let p = model.predict(Array2::from_elem((2, 4), value).view());
            assert!(p.iter().all(|p| (0.0..=1.0).contains(p)));
            assert_eq!(p[0], model.predict(Array2::from_elem((1, 4), f64::NAN).view())[0]);
        }
        let mut broken = table.clone();
        broken.features[[7, 1]] = f64::INFINITY;
        let error = learner.fit(&broken.set(), None, Seed::new(1), &CancelToken::new()).unwrap_err();
        assert!(matches!(error, ModelError::InfiniteFeature { row: 7, column: 1 }));
    }
}

#[test]
fn another_width_gives_nan_and_a_typed_error() {
    for learner in every_learner() {
        let model = fit(&learner, &noisy_table(60, 3, 6), 1);
        assert!(model.predict(Array2::zeros((2, 4)).view()).iter().all(|p| p.is_nan()));
        assert!(matches!(model.check_columns(4), Err(ModelError::Shape { expected: 3, found: 4, .. })));
        assert!(model.check_columns(3).is_ok());
    }
}

#[test]
fn a_saved_model_loads_to_the_same_bytes_and_predictions() {
    let table = noisy_table(300, 6, 7);
    for learner in every_learner() {
        let model = fit(&learner, &table, 1);
        let bytes = model.to_json().unwrap();
        let loaded = Model::from_json(&bytes).unwrap();
        assert_eq!(loaded.to_json().unwrap(), bytes);
        assert_eq!(loaded, model);
        let through_serde: Model = serde_json::from_slice(&serde_json::to_vec(&model).unwrap()).unwrap();
        assert_eq!(through_serde, model);
    }
}

#[test]
fn a_newer_or_damaged_model_is_refused() {
    let table = noisy_table(100, 3, 8);
    for learner in every_learner() {
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
    }
    let forest = fit(&every_learner()[1], &table, 1);
    let narrow = String::from_utf8(forest.to_json().unwrap()).unwrap().replacen("\"columns\":3", "\"columns\":1", 1);
    assert!(matches!(Model::from_json(narrow.as_bytes()), Err(ModelError::Damaged(_))));
}

#[test]
fn the_same_seed_gives_the_same_bytes_for_any_number_of_threads() {
    let table = noisy_table(400, 8, 9);
    for learner in every_learner() {
        let bytes_at = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| fit(&learner, &table, 11).to_json().unwrap())
        };
        let one = bytes_at(1);
        assert_eq!(one, bytes_at(2));
        assert_eq!(one, bytes_at(5));
    }
    let forest = &every_learner()[1];
    assert_ne!(fit(forest, &table, 11), fit(forest, &table, 12));
}

#[test]
fn the_layout_of_the_table_does_not_matter() {
    let table = noisy_table(120, 4, 10);
    let transposed = table.features.t().as_standard_layout().to_owned();
    for learner in every_learner() {
        let set = TrainingSet::new(transposed.t(), table.target.view());
        assert_eq!(learner.fit(&set, None, Seed::new(1), &CancelToken::new()).unwrap(), fit(&learner, &table, 1));
    }
}

#[test]
fn a_cancelled_token_stops_the_fit() {
    let cancel = CancelToken::new();
    cancel.cancel();
    for learner in every_learner() {
        let error = learner.fit(&noisy_table(50, 3, 11).set(), None, Seed::new(1), &cancel).unwrap_err();
        assert!(matches!(error, ModelError::Cancelled(Cancelled)));
    }
}

#[test]
fn importance_finds_the_features_that_decide() {
    let table = noisy_table(800, 8, 12);
    for learner in every_learner() {
        let importance = fit(&learner, &table, 1).importance();
        let noise = importance[2..].iter().copied().fold(0.0, f64::max);
        assert!(importance[0] > importance[1] && importance[1] > noise, "{importance:?}");
    }
}

#[test]
fn the_scale_of_a_feature_does_not_matter() {
    let table = noisy_table(300, 4, 13);
    let mut tiny = table.clone();
    // powers of two change no digit: bins, cuts and standardised values are the same
    tiny.features.mapv_inplace(|value| value * 2.0_f64.powi(-40));
    for learner in every_learner() {
        let (a, b) = (fit(&learner, &table, 1), fit(&learner, &tiny, 1));
        for (a, b) in a.predict(table.features.view()).iter().zip(b.predict(tiny.features.view())) {
            assert!((a - b).abs() < 1e-9);
        }
    }
}

#[test]
fn logistic_regression_is_that_of_scikit_learn() {
    for case in golden("logistic.json")["cases"].as_array().unwrap() {
        let rows = case["x"].as_array().unwrap();
        let columns = rows[0].as_array().unwrap().len();
        let values: Vec<f64> = rows.iter().flat_map(numbers).collect();
        let table = Table {
            features: Array2::from_shape_vec((rows.len(), columns), values).unwrap(),
            target: numbers(&case["y"]).into(),
            weight: case.get("w").map(|w| numbers(w).into()),
        };
        let Model::Logistic(model) = fit(&learner("logistic", &json!({"l2": case["l2"]})), &table, 1) else {
            unreachable!()
        };
        for (found, expected) in model.coefficients().iter().zip(numbers(&case["coefficients"])) {
            assert!((found - expected).abs() < 1e-6, "{}: {found} is not {expected}", case["name"]);
        }
        assert!((model.intercept() - case["intercept"].as_f64().unwrap()).abs() < 1e-6, "{}", case["name"]);
        assert!(model.gradient_norm() < 1e-8, "{}: {}", case["name"], model.gradient_norm());
        let predicted = Model::Logistic(model).predict(table.features.view());
        for (found, expected) in predicted.iter().zip(numbers(&case["p"])) {
            assert!((found - expected).abs() < 1e-7, "{}: {found} is not {expected}", case["name"]);
        }
    }
}

#[test]
fn separable_rows_are_held_by_the_penalty() {
    let features = Array2::from_shape_fn((40, 1), |(row, _)| row as f64);
    let target = Array1::from_shape_fn(40, |row| f64::from(u8::from(row >= 20)));
    let table = Table { features, target, weight: None };
    for l2 in [1e-6, 1.0, 1e9] {
        let model = fit(&learner("logistic", &json!({"l2": l2})), &table, 1);
        assert!(model.predict(table.features.view()).iter().all(|p| (0.0..=1.0).contains(p)), "{l2}");
    }
}

fn reference_trades() -> (Table, Table, serde_json::Value) {
    let file = golden("trades.json");
    let columns: Vec<Array1<f64>> =
        file["columns"].as_array().unwrap().iter().map(|column| numbers(column).into()).collect();
    let views: Vec<_> = columns.iter().map(|column| column.view().insert_axis(Axis(1))).collect();
    let features = concatenate(Axis(1), &views).unwrap();
    let table = Table { features, target: numbers(&file["y"]).into(), weight: None };
    let is_test = numbers(&file["is_test"]);
    let rows_where = |wanted: f64| (0..is_test.len()).filter(|&row| is_test[row] == wanted).collect::<Vec<_>>();
    (table.select(&rows_where(0.0)), table.select(&rows_where(1.0)), file["auc"].clone())
}

#[test]
fn on_reference_trades_both_families_rank_like_those_of_scikit_learn() {
    let (train, test, reference) = reference_trades();
    let score = |learner: &Learner, seed| {
        auc(&fit(learner, &train, seed).predict(test.features.view()).to_vec(), &test.target.to_vec())
    };
    let expected = reference["logistic_c1"].as_f64().unwrap();
    let found = score(&learner("logistic", &json!({})), 1);
    assert!((found - expected).abs() < 1e-4, "{found} is not {expected}");

    let expected = reference["random_forest_300_leaf10_mean_of_5_seeds"].as_f64().unwrap();
    let forest = learner("random-forest", &json!({"trees": 300, "min_leaf": 10, "max_depth": 64}));
    let found = (1..=3).map(|seed| score(&forest, seed)).sum::<f64>() / 3.0;
    assert!((found - expected).abs() < 0.02, "{found} is not {expected}");
    let by_default = learner("random-forest", &json!({}));
    let found = (1..=3).map(|seed| score(&by_default, seed)).sum::<f64>() / 3.0;
    assert!((found - expected).abs() < 0.02, "{found} is not {expected}");
}

#[test]
fn out_of_bag_scores_are_near_those_of_fresh_rows() {
    let (train, fresh) = (noisy_table(1500, 5, 20), noisy_table(1500, 5, 21));
    for bootstrap in ["uniform", "weighted"] {
        let params = json!({"trees": 100, "bootstrap": bootstrap, "sample_share": 0.7});
        let Model::RandomForest(forest) = fit(&learner("random-forest", &params), &train, 1) else { unreachable!() };
        let found = forest.out_of_bag().unwrap().clone();
        let p = Model::RandomForest(forest).predict(fresh.features.view());
        let brier = p.iter().zip(&fresh.target).map(|(p, y)| (p - y) * (p - y)).sum::<f64>() / 1500.0;
        assert_eq!(found.rows, 1500);
        assert!((found.brier_loss - brier).abs() < 0.012, "{} is not {brier}", found.brier_loss);
    }
    let all_rows = learner("random-forest", &json!({"trees": 3, "bootstrap": "none"}));
    let Model::RandomForest(forest) = fit(&all_rows, &train, 1) else { unreachable!() };
    assert_eq!(forest.out_of_bag(), None);
}

#[test]
fn missing_values_that_mean_something_are_learnt_from() {
    let mut table = noisy_table(400, 2, 22);
    for row in 0..400 {
        if table.target[row] == 1.0 {
            table.features[[row, 0]] = f64::NAN;
        } else if table.features[[row, 0]].is_nan() {
            table.features[[row, 0]] = 0.0;
        }
    }
    let forest = learner("random-forest", &json!({"trees": 20, "feature_sampling": "all"}));
    let p = fit(&forest, &table, 1).predict(table.features.view());
    assert!(p.iter().zip(&table.target).all(|(p, y)| (p - y).abs() < 0.05));
}
