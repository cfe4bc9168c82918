//! The loss that a task is judged by while it is being fitted.

use super::training_set::{Task, TrainingSet};
use crate::stats::sum::sum;

/// Probabilities are kept this far from 0 and 1 before a logarithm is taken.
const CLIP: f64 = 1e-15;

/// Loss of one prediction: log loss of a classification, squared error of a regression.
pub(super) fn loss(task: Task, target: f64, prediction: f64) -> f64 {
    match task {
        Task::Classification => {
            let p = prediction.clamp(CLIP, 1.0 - CLIP);
            if target == 1.0 { -libm::log(p) } else { -libm::log1p(-p) }
        }
        Task::Regression => (prediction - target) * (prediction - target),
    }
}

/// Weighted mean loss of predictions for the rows of a set; NaN without weight.
pub(super) fn mean_loss(set: &TrainingSet<'_>, predictions: &[f64]) -> f64 {
    let rows = 0..set.rows();
    let total = sum(rows.clone().map(|row| set.weight_of(row)));
    sum(rows.map(|row| set.weight_of(row) * loss(set.task, set.target[row], predictions[row]))) / total
}
