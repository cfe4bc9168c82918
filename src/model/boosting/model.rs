//! Fitting, predicting and storing a boosted model.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use hessboost::data::DMatrix;
use hessboost::model::{BoostedModel, ImportanceType, Iterations, ModelFormat};
use hessboost::training::Trainer;
use ndarray::{ArrayView2, Axis};
use rayon::prelude::*;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::config::BoostingConfig;
use crate::model::config::ClassWeight;
use crate::model::error::ModelError;
use crate::model::family::{Estimator, Fitted, Fitting, Predictor, Scratch};
use crate::model::training_set::{Task, TrainingSet};
use crate::stats::sum::sum;

/// Rows that are converted and predicted together, and the share of work of one thread.
const BLOCK_ROWS: usize = 1024;

/// A fitted gradient boosting: the sum of its trees, through the logistic function in a classification.
///
/// # NaN
/// A feature that is not finite goes where each split sends missing values, which training has decided.
///
/// # References
/// Friedman (2001), *Greedy function approximation: a gradient boosting machine*; Chen and Guestrin (2016), *XGBoost: a
/// scalable tree boosting system*; Ke et al. (2017), *LightGBM: a highly efficient gradient boosting decision tree*.
#[derive(Clone, Debug)]
pub struct BoostingModel {
    task: Task,
    booster: BoostedModel,
}

impl BoostingModel {
    /// Number of trees, after early stopping.
    pub fn trees(&self) -> usize {
        self.booster.num_trees()
    }

    /// The model as XGBoost writes it.
    ///
    /// # Errors
    /// None for a model that was fitted or read by this program.
    pub fn to_xgboost(&self) -> Result<Value, ModelError> {
        let text = self.booster.encode(ModelFormat::XgboostJson).map_err(ModelError::Boosting)?;
        serde_json::from_slice(&text).map_err(ModelError::Unreadable)
    }

    fn of_xgboost(task: Task, document: &Value) -> Result<Self, ModelError> {
        let text = serde_json::to_vec(document).map_err(ModelError::Unreadable)?;
        let booster = BoostedModel::decode(text, ModelFormat::XgboostJson).map_err(ModelError::Boosting)?;
        Ok(Self { task, booster })
    }

    fn predict_block(&self, block: ArrayView2<'_, f64>) -> Vec<f64> {
        let values: Vec<f32> = block.iter().map(|&value| single(value)).collect();
        match self.booster.predict_rows(&values, Iterations::Best) {
            Ok(found) => found.as_slice().iter().map(|&value| f64::from(value)).collect(),
            Err(_) => vec![f64::NAN; block.nrows()],
        }
    }
}

impl PartialEq for BoostingModel {
    /// Equal when both are stored as the same.
    fn eq(&self, other: &Self) -> bool {
        self.task == other.task
            && matches!((self.to_xgboost(), other.to_xgboost()), (Ok(own), Ok(other)) if own == other)
    }
}

/// A value as XGBoost reads it: missing unless finite, and within the range of 32 bits.
fn single(value: f64) -> f32 {
    if value.is_finite() { (value as f32).clamp(f32::MIN, f32::MAX) } else { f32::NAN }
}

/// The rows that carry weight, for hessboost; weights average 1, so that parameters count rows.
fn matrix(set: &TrainingSet<'_>, classes: ClassWeight) -> Result<DMatrix, ModelError> {
    let weights = set.weights(classes)?;
    let rows: Vec<usize> = (0..weights.len()).filter(|&row| weights[row] > 0.0).collect();
    let mean = sum(rows.iter().map(|&row| weights[row])) / rows.len() as f64;
    let mut values = Vec::with_capacity(rows.len() * set.columns());
    for &row in &rows {
        values.extend(set.features.row(row).iter().map(|&value| single(value)));
    }
    let labels: Vec<f32> = rows.iter().map(|&row| set.target[row] as f32).collect();
    let matrix = DMatrix::from_dense_vec(values, rows.len(), set.columns()).and_then(|it| it.with_labels(&labels));
    let matrix = matrix.map_err(ModelError::Boosting)?;
    if set.weight.is_none() && classes == ClassWeight::None {
        return Ok(matrix);
    }
    let shares: Vec<f32> = rows.iter().map(|&row| (weights[row] / mean) as f32).collect();
    matrix.with_weights(&shares).map_err(ModelError::Boosting)
}

impl Estimator for BoostingConfig {
    type Model = BoostingModel;

    fn fit(&self, fitting: Fitting<'_>) -> Result<BoostingModel, ModelError> {
        let Fitting { set, validation, seed, cancel } = fitting;
        let params = self.training(&set, seed.derive("boosting"))?;
        let rows = matrix(&set, self.class_weight)?;
        let unseen = match (NonZeroUsize::new(self.early_stopping), validation) {
            (Some(rounds), Some(validation)) => Some((rounds, matrix(&validation, self.class_weight)?)),
            _ => None,
        };
        let mut trainer = Trainer::new(&params, &rows, self.trees)
            .on_round(|_| if cancel.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) });
        if let Some((rounds, unseen)) = &unseen {
            trainer = trainer.eval(unseen, "validation").early_stopping_rounds(*rounds);
        }
        let trained = trainer.train().map_err(ModelError::Boosting)?.model;
        cancel.check()?;
        // rounds after the best one are not stored, and what is stored is what predicts
        let document = BoostingModel { task: set.task, booster: trained }.to_xgboost()?;
        BoostingModel::of_xgboost(set.task, &document)
    }

    fn wants_validation(&self) -> bool {
        self.early_stopping > 0
    }

    fn with_rounds(&self, rounds: usize) -> Option<Self> {
        Some(Self { trees: rounds, early_stopping: 0, ..self.clone() })
    }
}

impl Predictor for BoostingModel {
    fn task(&self) -> Task {
        self.task
    }

    fn columns(&self) -> usize {
        self.booster.n_features()
    }

    fn predict(&self, features: ArrayView2<'_, f64>) -> Vec<f64> {
        let blocks: Vec<ArrayView2<'_, f64>> = features.axis_chunks_iter(Axis(0), BLOCK_ROWS).collect();
        blocks.into_par_iter().map(|block| self.predict_block(block)).collect::<Vec<_>>().concat()
    }

    fn predict_row(&self, row: &[f64], scratch: &mut Scratch) -> f64 {
        scratch.single.clear();
        scratch.single.extend(row.iter().map(|&value| single(value)));
        self.booster.predict_row(&scratch.single, Iterations::Best).map_or(f64::NAN, f64::from)
    }

    fn rounds(&self) -> Option<usize> {
        Some(self.trees())
    }

    fn importance(&self) -> Vec<f64> {
        let mut importance = vec![0.0; self.columns()];
        for (feature, gain) in self.booster.feature_importance(ImportanceType::TotalGain) {
            if let Some(share) = importance.get_mut(feature) {
                *share = gain;
            }
        }
        let total: f64 = importance.iter().sum();
        if total > 0.0 {
            importance.iter_mut().for_each(|share| *share /= total);
        }
        importance
    }
}

impl Fitted for BoostingModel {
    fn check_stored(&self) -> Result<(), ModelError> {
        let (objective, outputs) = (self.booster.objective().name(), self.booster.n_outputs());
        let is_logistic = objective == "binary:logistic";
        if outputs != 1 || is_logistic != self.task.is_classification() || self.booster.n_features() == 0 {
            let task = self.task;
            return Err(ModelError::Damaged(format!("a {task} by `{objective}` with {outputs} outputs")));
        }
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    #[serde(default, skip_serializing_if = "Task::is_classification")]
    task: Task,
    xgboost: Value,
}

impl Serialize for BoostingModel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let xgboost = self.to_xgboost().map_err(serde::ser::Error::custom)?;
        Stored { task: self.task, xgboost }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for BoostingModel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Stored::deserialize(deserializer)?;
        Self::of_xgboost(stored.task, &stored.xgboost).map_err(serde::de::Error::custom)
    }
}
