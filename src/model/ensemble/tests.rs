//! scipy's weights, and what an ensemble says of rows that its members disagree about.

use ndarray::Array2;
use serde_json::{Value, json};

use super::config::Combination;
use super::*;
use crate::base::{CancelToken, Seed};
use crate::model::fixtures::{fit, golden, learner, noisy_table, numbers};
use crate::model::loss::loss;
use crate::model::{Model, ModelConfig, ModelError, Task};

fn matrix(value: &Value) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = value.as_array().unwrap().iter().map(numbers).collect();
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap()
}

fn weighted() -> Combination {
    Combination { combine: Combine::Weighted, ..Combination::default() }
}

fn fit_combiner(combination: &Combination, members: &Array2<f64>, target: &[f64], weight: &[f64]) -> (Combiner, usize) {
    let history = History { members, target, weight };
    Combiner::fit(combination, members.ncols(), &history, Seed::new(1), &CancelToken::new()).unwrap()
}

#[test]
fn weights_by_log_loss_are_the_optimum_that_scipy_finds() {
    for case in golden("training.json")["pool"].as_array().unwrap() {
        let (p, y, v) = (matrix(&case["p"]), numbers(&case["y"]), numbers(&case["v"]));
        let (combiner, rows) = fit_combiner(&weighted(), &p, &y, &v);
        assert_eq!(rows, y.len());
        let Combiner::Weights(found) = &combiner else { unreachable!() };
        for (found, expected) in found.iter().zip(numbers(&case["weights"])) {
            assert!((found - expected).abs() < 1e-4, "{found} is not {expected}");
        }
        let total: f64 = v.iter().sum();
        let mean: f64 = (0..y.len())
            .map(|row| v[row] / total * loss(Task::Classification, y[row], combiner.combine(&p.row(row).to_vec())))
            .sum();
        assert!((mean - case["loss"].as_f64().unwrap()).abs() < 1e-8);
    }
}

#[test]
fn too_few_rows_say_nothing_about_members() {
    let p = Array2::from_elem((40, 3), 0.6);
    let y: Vec<f64> = (0..40).map(|row| f64::from(row % 2)).collect();
    for combine in [Combine::Weighted, Combine::Stack] {
        let (combiner, rows) = fit_combiner(&Combination { combine, ..weighted() }, &p, &y, &[1.0; 40]);
        assert_eq!((combiner, rows), (Combiner::equal(3), 0));
    }
}

#[test]
fn members_are_put_together_as_the_word_says() {
    let none = Array2::zeros((0, 3));
    let of = |combine: Combine, weights: Option<Vec<f64>>| {
        let combination = Combination { combine, weights, ..Combination::default() };
        fit_combiner(&combination, &none, &[], &[]).0.combine(&[0.2, 0.5, 0.9])
    };
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} is not {b}");
    near(of(Combine::Mean, None), 1.6 / 3.0);
    near(of(Combine::Median, None), 0.5);
    near(of(Combine::Vote, None), 2.0 / 3.0);
    near(of(Combine::Weighted, Some(vec![1.0, 0.0, 3.0])), 0.725);
}

#[test]
fn a_stack_learns_whom_to_believe() {
    let mut stream = Seed::new(3).stream();
    let y: Vec<f64> = (0..400).map(|row| f64::from(row % 2)).collect();
    // the first member knows, the second guesses, the third knows the opposite
    let p = Array2::from_shape_fn((400, 3), |(row, member)| {
        let knows = 0.5 + 0.25 * (2.0 * y[row] - 1.0);
        let noise = 0.1 * (stream.uniform() - 0.5);
        noise + [knows, 0.5, 1.0 - knows][member]
    });
    let combination = Combination { combine: Combine::Stack, ..Combination::default() };
    let (combiner, rows) = fit_combiner(&combination, &p, &y, &[1.0; 400]);
    assert_eq!(rows, 400);
    assert!(combiner.combine(&[0.75, 0.5, 0.25]) > 0.95 && combiner.combine(&[0.25, 0.5, 0.75]) < 0.05);
}

#[test]
fn members_that_disagree_too_much_are_not_believed() {
    let rules = |min_agreement, max_disagreement, fallback| {
        let combination = Combination { min_agreement, max_disagreement, fallback, ..Combination::default() };
        Rules::new(&combination, 0.41, 2)
    };
    let say = |rules: Rules| rules.say(&Combiner::equal(3), &[0.9, 0.6, 0.3]);
    let mean = say(rules(0.0, None, Fallback::BaseRate));
    assert!((mean.probability - 0.6).abs() < 1e-12);
    // population standard deviation of .9, .6, .3
    assert!((mean.disagreement - 0.06_f64.sqrt()).abs() < 1e-12);
    assert_eq!(say(rules(0.6, None, Fallback::BaseRate)).probability, mean.probability);
    assert_eq!(say(rules(0.7, None, Fallback::BaseRate)).probability, 0.41);
    assert_eq!(say(rules(0.0, Some(0.2), Fallback::Best)).probability, 0.3);
    assert_eq!(say(rules(1.0, None, Fallback::Minimum)).probability, 0.3);
    assert_eq!(say(rules(0.0, Some(0.3), Fallback::Minimum)).probability, mean.probability);
}

fn ensemble(params: Value) -> Value {
    let mut all = json!({"members": [{"kind": "logistic"}, {"kind": "random-forest", "trees": 20}]});
    all.as_object_mut().unwrap().extend(params.as_object().unwrap().clone());
    all
}

#[test]
fn an_ensemble_is_a_model_like_any_other() {
    let table = noisy_table(150, 4, 8);
    let learner = learner("ensemble", &ensemble(json!({"combine": "median"})));
    let model = fit(&learner, &table, 3);
    assert_eq!((model.family(), model.columns()), ("ensemble", 4));
    let p = model.predict(table.features.view());
    let bytes = model.to_json().unwrap();
    let loaded = Model::from_json(&bytes).unwrap();
    assert_eq!(loaded, model);
    let mut by_row = loaded.by_row();
    for (row, p) in table.features.rows().into_iter().zip(&p) {
        assert_eq!(by_row.predict(&row.to_vec()), *p);
    }
    let disagreement = model.disagreement(table.features.view()).unwrap();
    assert!(disagreement.iter().any(|value| *value > 0.0) && disagreement.len() == 150);
    assert!((model.importance().iter().sum::<f64>() - 1.0).abs() < 1e-9);
}

#[test]
fn what_is_learnt_out_of_fold_is_not_learnt_in_sample() {
    let table = noisy_table(100, 3, 8);
    for combine in ["stack", "weighted"] {
        let learner = learner("ensemble", &ensemble(json!({"combine": combine})));
        let error = learner.fit(&table.set(), None, Seed::new(1), &CancelToken::new()).unwrap_err();
        assert!(matches!(error, ModelError::NeedsFolds));
    }
}

#[test]
fn ensembles_that_make_no_sense_are_refused() {
    let error = |params: Value| ModelConfig::from_json("ensemble", &ensemble(params)).unwrap_err().to_string();
    assert!(error(json!({"members": [{"kind": "logistic"}]})).contains("expected 2 to 16 models, found 1"));
    assert!(error(json!({"members": [{"kind": "ensemble"}, {"kind": "logistic"}]})).contains("families other than"));
    assert!(error(json!({"weights": [1.0, 1.0]})).contains("none without `combine: weighted`"));
    assert!(error(json!({"combine": "weighted", "weights": [1.0]})).contains("one number a member"));
    assert!(error(json!({"min_agreement": 2})).contains("0..=1"));
    let unknown =
        ModelConfig::from_json("ensemble", &ensemble(json!({"members": [{"kind": "oracle"}, {}]}))).unwrap_err();
    assert!(std::error::Error::source(&unknown).unwrap().to_string().contains("unknown model family `oracle`"));
    let written = ModelConfig::from_json("ensemble", &ensemble(json!({}))).unwrap().to_choice().unwrap();
    let read = ModelConfig::from_choice(written.as_object().unwrap().clone()).unwrap();
    assert_eq!(read.to_choice().unwrap(), written);
}

#[test]
fn a_stored_ensemble_that_contradicts_itself_is_refused() {
    let model = fit(&learner("ensemble", &ensemble(json!({}))), &noisy_table(80, 3, 8), 1);
    let broken = |change: fn(&mut Value)| {
        let mut value: Value = serde_json::from_slice(&model.to_json().unwrap()).unwrap();
        change(&mut value["body"]);
        Model::from_json(value.to_string().as_bytes())
    };
    assert!(broken(|_| {}).is_ok());
    assert!(broken(|body| body["combiner"] = json!({"weights": [0.5, 0.3]})).is_err());
    assert!(broken(|body| body["rules"]["best"] = json!(7)).is_err());
    assert!(broken(|body| body["members"] = json!([body["members"][0]])).is_err());
}
