//! Tables that several tests of this module learn from.

use ndarray::{Array1, Array2, Axis};
use serde_json::Value;

use super::*;
use crate::base::{CancelToken, Seed};
use crate::stats::order::midranks;

/// A table with its labels and weights.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub features: Array2<f64>,
    pub target: Array1<f64>,
    pub weight: Option<Array1<f64>>,
    pub task: Task,
}

impl Table {
    pub(super) fn set(&self) -> TrainingSet<'_> {
        TrainingSet::new(self.features.view(), self.target.view())
            .weighted(self.weight.as_ref().map(Array1::view))
            .for_task(self.task)
    }

    pub(super) fn select(&self, rows: &[usize]) -> Self {
        Self {
            features: self.features.select(Axis(0), rows),
            target: self.target.select(Axis(0), rows),
            weight: self.weight.as_ref().map(|weight| weight.select(Axis(0), rows)),
            task: self.task,
        }
    }
}

/// Normal features of very different scales, one value in ten missing; the first two of them decide the label with noise.
pub(super) fn noisy_table(rows: usize, columns: usize, seed: u64) -> Table {
    let mut stream = Seed::new(seed).stream();
    let mut features = Array2::zeros((rows, columns));
    let mut target = Array1::zeros(rows);
    for row in 0..rows {
        let mut log_odds = -0.2;
        for column in 0..columns {
            let value = stream.normal();
            log_odds += match column {
                0 => 1.2 * value,
                1 => -0.8 * value,
                _ => 0.0,
            };
            let is_missing = stream.uniform() < 0.1;
            features[[row, column]] = if is_missing { f64::NAN } else { value * 10.0_f64.powi(column as i32 % 7 - 3) };
        }
        target[row] = f64::from(u8::from(stream.uniform() < 1.0 / (1.0 + (-log_odds).exp())));
    }
    Table { features, target, weight: None, task: Task::Classification }
}

/// The same rows with a value to predict: what decides the label, and noise of a fifth of its variance.
pub(super) fn noisy_values(rows: usize, columns: usize, seed: u64) -> Table {
    let mut table = noisy_table(rows, columns, seed);
    let mut stream = Seed::new(seed).derive("values").stream();
    let known = |value: f64, scale: f64| if value.is_nan() { 0.0 } else { value / scale };
    for (row, target) in table.features.rows().into_iter().zip(&mut table.target) {
        let second = row.get(1).map_or(0.0, |&value| known(value, 1e-2));
        *target = 1.2 * known(row[0], 1e-3) - 0.8 * second + 0.6 * stream.normal();
    }
    Table { task: Task::Regression, ..table }
}

/// One learner of every family that classifies, small enough to be fitted many times.
pub(super) fn every_learner() -> Vec<Learner> {
    learners_of(Task::Classification)
}

/// One small learner of every family that can learn a task.
pub(super) fn learners_of(task: Task) -> Vec<Learner> {
    let able = FAMILIES.iter().filter(|family| family.tasks.contains(&task));
    able.map(|family| learner(family.name, &small(family))).collect()
}

/// Every task with a table of it and each learner that can learn it.
pub(super) fn every_task(rows: usize, columns: usize, seed: u64) -> Vec<(Learner, Table)> {
    let of = |task, table: Table| learners_of(task).into_iter().map(move |learner| (learner, table.clone()));
    let classes = of(Task::Classification, noisy_table(rows, columns, seed));
    classes.chain(of(Task::Regression, noisy_values(rows, columns, seed))).collect()
}

/// Parameters that make a family quick.
fn small(family: &Family) -> Value {
    if family.name == "ensemble" {
        return serde_json::json!({"members": [{"kind": "logistic"}, {"kind": "random-forest", "trees": 10}]});
    }
    let quick = [("trees", 25.0), ("min_leaf", 5.0), ("learning_rate", 0.2)];
    let has = |name: &str| family.parameters.iter().find(|parameter| parameter.name == name);
    let value = |name: &str, value: f64| match has(name)?.value {
        ParameterType::Whole => Some(Value::from(value as u64)),
        _ => Some(Value::from(value)),
    };
    quick.iter().filter_map(|&(name, number)| Some((name.to_owned(), value(name, number)?))).collect()
}

pub(super) fn learner(kind: &str, params: &Value) -> Learner {
    Learner::new(ModelConfig::from_json(kind, params).unwrap()).unwrap()
}

pub(super) fn fit(learner: &Learner, table: &Table, seed: u64) -> Model {
    learner.fit(&table.set(), None, Seed::new(seed), &CancelToken::new()).unwrap()
}

/// Area under the ROC curve by midranks.
pub(super) fn auc(p: &[f64], y: &[f64]) -> f64 {
    let ones = y.iter().filter(|&&label| label == 1.0).count() as f64;
    let zeros = y.len() as f64 - ones;
    let ranks: f64 = midranks(p).iter().zip(y).filter(|(_, label)| **label == 1.0).map(|(rank, _)| rank).sum();
    (ranks - ones * (ones + 1.0) / 2.0) / (ones * zeros)
}

pub(super) fn golden(name: &str) -> Value {
    let path = format!("{}/tests/golden/model/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Reads a list of numbers; null is NaN.
pub(super) fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap_or(f64::NAN)).collect()
}
