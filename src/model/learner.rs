//! From checked parameters to a fitted predictor.

use ndarray::{Array1, ArrayView2};

use super::config::ModelConfig;
use super::error::ModelError;
use super::forest::ForestModel;
use super::logistic::LogisticModel;
use super::training_set::TrainingSet;
use crate::base::{CancelToken, Seed};

/// An unfitted model: a family and its checked parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Learner {
    config: ModelConfig,
}

impl Learner {
    /// Checks the parameters.
    ///
    /// # Errors
    /// A parameter outside its range.
    pub fn new(config: ModelConfig) -> Result<Self, ModelError> {
        config.check()?;
        Ok(Self { config })
    }

    /// The parameters.
    pub const fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Fits the model. The same set, parameters and seed give the same bytes for any number of threads.
    ///
    /// # Errors
    /// A training set that [`TrainingSet::check`] refuses, an optimiser that does not converge, a cancelled token.
    pub fn fit(&self, set: &TrainingSet<'_>, seed: Seed, cancel: &CancelToken) -> Result<Model, ModelError> {
        cancel.check()?;
        match &self.config {
            ModelConfig::Logistic(config) => LogisticModel::fit(set, config, cancel).map(Model::Logistic),
            ModelConfig::RandomForest(config) => ForestModel::fit(set, config, seed, cancel).map(Model::RandomForest),
        }
    }
}

/// A fitted predictor.
#[derive(Clone, Debug, PartialEq)]
pub enum Model {
    /// Logistic regression.
    Logistic(LogisticModel),
    /// Random forest.
    RandomForest(ForestModel),
}

impl Model {
    /// The probability of class 1 of each row.
    ///
    /// # Shape
    /// `features` is rows x [`Model::columns`]. With another number of columns nothing can be said: every probability is
    /// NaN. [`Model::check_columns`] tells beforehand.
    ///
    /// # NaN
    /// A feature that is not finite counts as missing; the probability is a number all the same.
    pub fn predict(&self, features: ArrayView2<'_, f64>) -> Array1<f64> {
        if features.ncols() != self.columns() {
            return Array1::from_elem(features.nrows(), f64::NAN);
        }
        match self {
            Self::Logistic(model) => features.rows().into_iter().map(|row| model.predict_row(row)).collect(),
            Self::RandomForest(model) => model.predict(features).into(),
        }
    }

    /// Number of features the model was fitted on.
    pub const fn columns(&self) -> usize {
        match self {
            Self::Logistic(model) => model.columns(),
            Self::RandomForest(model) => model.columns(),
        }
    }

    /// Refuses a table of another width.
    ///
    /// # Errors
    /// [`ModelError::Shape`] when `columns` is not [`Model::columns`].
    pub const fn check_columns(&self, columns: usize) -> Result<(), ModelError> {
        if columns == self.columns() {
            Ok(())
        } else {
            Err(ModelError::Shape { what: "features", expected: self.columns(), found: columns })
        }
    }

    /// How much each feature matters, in column order: |coefficient| of the standardised feature (logistic), share of the
    /// fall in weighted variance, which sums to 1 (forest).
    ///
    /// Gain favours features with many distinct values, and coefficients of correlated features share their weight:
    /// neither is a test.
    pub fn importance(&self) -> Vec<f64> {
        match self {
            Self::Logistic(model) => model.importance(),
            Self::RandomForest(model) => model.importance(),
        }
    }

    /// The name of the family.
    pub const fn family(&self) -> &'static str {
        match self {
            Self::Logistic(_) => "logistic",
            Self::RandomForest(_) => "random-forest",
        }
    }
}
