//! The reference models of other people's tools, and what single families promise beyond the contract.

use ndarray::{Array1, Array2, Axis, concatenate};
use serde_json::json;

use super::fixtures::*;
use super::*;

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
            task: Task::Classification,
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
    let table = Table { features, target, weight: None, task: Task::Classification };
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
    let table = Table { features, target: numbers(&file["y"]).into(), weight: None, task: Task::Classification };
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
        assert!((found.brier_loss.unwrap() - brier).abs() < 0.012, "{found:?} is not {brier}");
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

/// The generator of `make_families.py`: a linear congruential one, its upper 53 bits as a uniform number.
struct Congruential(u64);

impl Congruential {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn bell(&mut self) -> f64 {
        let total = self.uniform() + self.uniform() + self.uniform() + self.uniform();
        (total - 2.0) * 1.732_050_807_568_877_2
    }
}

/// The table of `make_families.py`: as a classification, as a regression, and the weights of its rows.
fn generated(seed: u64, rows: usize, columns: usize, is_null: bool) -> (Table, Table, Vec<f64>) {
    let mut stream = Congruential(seed);
    let (mut features, mut label, mut value) =
        (Array2::zeros((rows, columns)), Array1::zeros(rows), Array1::zeros(rows));
    let mut weight = Vec::new();
    for row in 0..rows {
        (0..columns).for_each(|column| features[[row, column]] = stream.bell());
        let x = features.row(row);
        let signal = if is_null { 0.0 } else { x[0] - 0.7 * x[1] + 1.2 * x[2] * x[3] };
        label[row] = f64::from(u8::from(stream.uniform() < 1.0 / (1.0 + f64::exp(-signal))));
        value[row] = signal + stream.bell();
        weight.push(1.0 + (stream.uniform() * 3.0).floor());
    }
    let classes = Table { features, target: label, weight: None, task: Task::Classification };
    let values = Table { target: value, task: Task::Regression, ..classes.clone() };
    (classes, values, weight)
}

#[test]
fn linear_families_and_naive_bayes_are_those_of_scikit_learn() {
    let (classes, values, weight) = generated(7, 300, 6, false);
    let mut seen = 0;
    for case in golden("families.json")["exact"].as_array().unwrap() {
        let mut table = if case["family"] == "linear" { values.clone() } else { classes.clone() };
        table.weight = (case["weighted"] == true).then(|| weight.clone().into());
        let model = fit(&learner(case["family"].as_str().unwrap(), &case["params"]), &table, 1);
        let (found, expected) = match &model {
            Model::Logistic(model) => (model.coefficients().to_vec(), &case["coefficients"]),
            Model::Linear(model) => (model.coefficients().to_vec(), &case["coefficients"]),
            other => (other.predict(table.features.slice_axis(Axis(0), (..20).into())).to_vec(), &case["p"]),
        };
        for (found, expected) in found.iter().zip(numbers(expected)) {
            assert!((found - expected).abs() < 2e-6, "{case}: {found} is not {expected}");
            // what a penalty sets to 0 is 0, and not nearly
            assert_eq!(*found == 0.0, expected == 0.0, "{case}");
        }
        let intercept = match &model {
            Model::Logistic(model) => model.intercept(),
            Model::Linear(model) => model.intercept(),
            _ => {
                seen += 1;
                continue;
            }
        };
        assert!((intercept - case["intercept"].as_f64().unwrap()).abs() < 2e-6, "{case}: {intercept}");
        seen += 1;
    }
    assert_eq!(seen, 16);
}

/// Share of the variance of `y` that `p` explains.
fn r2(p: &[f64], y: &[f64]) -> f64 {
    let mean = y.iter().sum::<f64>() / y.len() as f64;
    let squares = |other: &dyn Fn(usize) -> f64| (0..y.len()).map(|i| (y[i] - other(i)).powi(2)).sum::<f64>();
    1.0 - squares(&|i| p[i]) / squares(&|_| mean)
}

/// Scores on the second half of each of five tables after learning from the first.
fn scores(learner: &Learner, task: Task, is_null: bool) -> Vec<f64> {
    let halves = |seed| {
        let (classes, values, _) = generated(seed, 3000, 8, is_null);
        let table = if task == Task::Classification { classes } else { values };
        (table.select(&(0..1500).collect::<Vec<_>>()), table.select(&(1500..3000).collect::<Vec<_>>()))
    };
    let of_seed = |seed: u64| {
        let (train, test) = halves(seed);
        let (p, y) = (fit(learner, &train, seed).predict(test.features.view()).to_vec(), test.target.to_vec());
        if task == Task::Classification { auc(&p, &y) } else { r2(&p, &y) }
    };
    (1..=5).map(of_seed).collect()
}

#[test]
fn on_five_synthetic_tables_every_family_is_as_good_as_its_reference() {
    let file = golden("families.json");
    let cases = file["ranked"].as_array().unwrap();
    assert!(cases.len() >= 9);
    for case in cases {
        let task: Task = serde_json::from_value(case["task"].clone()).unwrap();
        let found = scores(&learner(case["family"].as_str().unwrap(), &case["params"]), task, false);
        let mean = |scores: &[f64]| scores.iter().sum::<f64>() / scores.len() as f64;
        let expected = numbers(&case["scores"]);
        let place = format!("{} {task}: {found:?} is not {expected:?}", case["family"]);
        // drawn cuts stay inside the outermost bins, which serves a regression by extra trees better than its reference
        let is_near = (mean(&found) - mean(&expected)).abs() < 0.02;
        assert!(is_near || (task == Task::Regression && mean(&found) > mean(&expected)), "{place}");
        assert!(found.iter().zip(&expected).all(|(found, expected)| *found > expected - 0.02), "{place}");
    }
}

#[test]
fn where_there_is_nothing_to_learn_nothing_is_learnt() {
    for learner in every_learner() {
        let found = scores(&learner, Task::Classification, true);
        assert!(found.iter().all(|auc| (0.45..0.55).contains(auc)), "{}: {found:?}", learner.config().family());
    }
}

#[test]
fn naive_bayes_ranks_as_that_of_linfa() {
    use linfa::traits::{Fit as _, PredictInplace as _};
    let (classes, ..) = generated(3, 400, 4, false);
    let labels: Array1<usize> = classes.target.mapv(|label| label as usize);
    let dataset = linfa::DatasetBase::new(classes.features.clone(), labels);
    let theirs = linfa_bayes::GaussianNb::<f64, usize>::params().fit(&dataset).unwrap();
    let mut expected = Array1::zeros(400);
    theirs.predict_inplace(&classes.features, &mut expected);
    let p = fit(&learner("naive-bayes", &json!({})), &classes, 1).predict(classes.features.view());
    assert!(p.iter().zip(&expected).all(|(&p, &label)| usize::from(p > 0.5) == label));
}

#[test]
fn early_stopping_keeps_the_best_round_on_the_validation_set() {
    for growth in ["depth", "leaf"] {
        for (task, params) in [
            (Task::Classification, json!({"growth": growth, "trees": 400, "learning_rate": 0.3})),
            (Task::Regression, json!({"growth": growth, "trees": 400, "learning_rate": 0.3, "loss": "absolute"})),
        ] {
            let (classes, values, _) = generated(9, 900, 4, false);
            let table = if task == Task::Classification { classes } else { values };
            let (train, fresh) =
                (table.select(&(0..600).collect::<Vec<_>>()), table.select(&(600..900).collect::<Vec<_>>()));
            let fit_with = |extra: serde_json::Value| {
                let mut params = params.clone();
                params.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
                let learner = learner("gradient-boosting", &params);
                let (seed, cancel) = (crate::base::Seed::new(1), crate::base::CancelToken::new());
                learner.fit(&train.set(), Some(&fresh.set()), seed, &cancel).unwrap()
            };
            let Model::GradientBoosting(stopped) = fit_with(json!({"early_stopping": 10})) else { unreachable!() };
            assert!(stopped.trees() < 200, "{}", stopped.trees());
            // the same rounds, had they been asked for
            let exactly = fit_with(json!({"trees": stopped.trees()}));
            assert_eq!(exactly, Model::GradientBoosting(stopped));
        }
    }
}

#[test]
fn a_monotone_feature_never_moves_a_prediction_the_other_way() {
    let names: Vec<String> = ["up", "down", "free"].map(str::to_owned).to_vec();
    let table = noisy_table(600, 3, 15);
    let set = table.set().named(&names);
    for growth in ["depth", "leaf"] {
        let params = json!({"growth": growth, "trees": 40, "monotone": {"up": "increasing", "down": "decreasing"}});
        let learner = learner("gradient-boosting", &params);
        let (seed, cancel) = (crate::base::Seed::new(1), crate::base::CancelToken::new());
        let model = learner.fit(&set, None, seed, &cancel).unwrap();
        for (column, scale, sign) in [(0, 1e-3, 1.0), (1, 1e-2, -1.0)] {
            for row in table.features.rows().into_iter().take(40) {
                let along = Array2::from_shape_fn((60, 3), |(step, at)| {
                    if at == column { (step as f64 - 30.0) * 0.1 * scale } else { row[at] }
                });
                let p = model.predict(along.view()).to_vec();
                assert!(p.windows(2).all(|pair| sign * (pair[1] - pair[0]) >= 0.0), "{growth} {column}");
            }
        }
        let error = learner.fit(&table.set(), None, seed, &cancel).unwrap_err();
        assert!(matches!(error, ModelError::UnknownFeature { name: "monotone", .. }), "{error}");
    }
}

#[test]
fn losses_of_a_regression_aim_at_the_mean_or_at_the_median() {
    // nine in ten are 0, one is 100: the mean is 10, the median 0
    let features = Array2::from_shape_fn((500, 1), |(row, _)| (row % 7) as f64);
    let target = Array1::from_shape_fn(500, |row| if row % 10 == 9 { 100.0 } else { 0.0 });
    let table = Table { features, target, weight: None, task: Task::Regression };
    let mean_of = |loss: &str| {
        let learner = learner("gradient-boosting", &json!({"loss": loss, "trees": 50}));
        fit(&learner, &table, 1).predict(table.features.view()).mean().unwrap()
    };
    assert!((mean_of("squared") - 10.0).abs() < 0.5, "{}", mean_of("squared"));
    assert!(
        mean_of("absolute").abs() < 1.0 && mean_of("huber").abs() < 3.0,
        "{} {}",
        mean_of("absolute"),
        mean_of("huber")
    );
    let error = learner("gradient-boosting", &json!({"loss": "huber"})).fit(
        &noisy_table(50, 2, 1).set(),
        None,
        crate::base::Seed::new(1),
        &crate::base::CancelToken::new(),
    );
    assert!(matches!(error, Err(ModelError::ForTask { name: "loss", .. })));
}

#[test]
fn values_far_from_zero_keep_their_differences() {
    for family in ["linear", "random-forest", "extra-trees"] {
        let mut table = noisy_values(400, 3, 16);
        let learner = learner(family, &json!({}));
        let plain = fit(&learner, &table, 1).predict(table.features.view());
        table.target.mapv_inplace(|value| value + 1e9);
        let far = fit(&learner, &table, 1).predict(table.features.view());
        for (plain, far) in plain.iter().zip(far) {
            assert!((plain - (far - 1e9)).abs() < 1e-4, "{family}: {plain} is not {far}");
        }
    }
}

#[test]
fn a_stored_boosting_is_a_model_of_xgboost() {
    let model = fit(&learner("gradient-boosting", &json!({"trees": 3})), &noisy_table(100, 3, 17), 1);
    let stored: serde_json::Value = serde_json::from_slice(&model.to_json().unwrap()).unwrap();
    let learner = &stored["body"]["xgboost"]["learner"];
    assert_eq!(learner["objective"]["name"], "binary:logistic");
    assert_eq!(learner["gradient_booster"]["model"]["trees"].as_array().unwrap().len(), 3);
    // a regression in the clothes of a classification
    let mut other = stored.clone();
    other["body"]["xgboost"]["learner"]["objective"] = json!({"name": "reg:squarederror"});
    assert!(matches!(Model::from_json(other.to_string().as_bytes()), Err(ModelError::Damaged(_))));
}
