//! From checked parameters to a fitted predictor.

use ndarray::{Array1, ArrayView2};

use super::config::{Model, ModelConfig};
use super::error::ModelError;
use super::family::{Fitting, Scratch};
use super::training_set::{Task, TrainingSet};
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

    /// Fits the model. The same sets, parameters and seed give the same bytes for any number of threads.
    ///
    /// `validation` holds rows to stop early on, of which nothing is learnt: a purged inner set. Families that cannot use
    /// one ignore it, as their row in [`super::FAMILIES`] says.
    ///
    /// # Errors
    /// A training or validation set that [`TrainingSet::check`] refuses, sets of different width or task, a task that the
    /// family cannot learn, early stopping without a validation set, an optimiser that does not converge, a cancelled
    /// token.
    pub fn fit(
        &self,
        set: &TrainingSet<'_>,
        validation: Option<&TrainingSet<'_>>,
        seed: Seed,
        cancel: &CancelToken,
    ) -> Result<Model, ModelError> {
        cancel.check()?;
        self.config.check()?;
        self.config.check_task(set.task)?;
        set.check()?;
        match validation {
            Some(validation) => check_validation(set, validation)?,
            None if self.config.wants_validation() => {
                return Err(ModelError::NoValidation { family: self.config.family() });
            }
            None => {}
        }
        let validation = validation.map(TrainingSet::view);
        self.config.fit(Fitting { set: set.view(), validation, seed, cancel })
    }
}

fn check_validation(set: &TrainingSet<'_>, validation: &TrainingSet<'_>) -> Result<(), ModelError> {
    if validation.columns() != set.columns() {
        let (expected, found) = (set.columns(), validation.columns());
        return Err(ModelError::Shape { what: "features of training and validation rows", expected, found });
    }
    if validation.task != set.task {
        return Err(ModelError::ValidationTask { expected: set.task, found: validation.task });
    }
    validation.check_rows()
}

impl Model {
    /// One number a row: the probability of class 1, or the value in a regression.
    ///
    /// # Shape
    /// `features` is rows x [`Model::columns`]. With another number of columns nothing can be said: every number is
    /// NaN. [`Model::check_columns`] tells beforehand.
    ///
    /// # NaN
    /// A feature that is not finite counts as missing; what is predicted is a number all the same.
    pub fn predict(&self, features: ArrayView2<'_, f64>) -> Array1<f64> {
        if features.ncols() != self.columns() {
            return Array1::from_elem(features.nrows(), f64::NAN);
        }
        self.predictor().predict(features).into()
    }

    /// Prepares predictions of single rows, which then allocate nothing.
    pub fn by_row(&self) -> RowPredictor<'_> {
        RowPredictor { model: self, scratch: Scratch::default() }
    }

    /// What the model was fitted to.
    pub fn task(&self) -> Task {
        self.predictor().task()
    }

    /// Number of features the model was fitted on.
    pub fn columns(&self) -> usize {
        self.predictor().columns()
    }

    /// Refuses a table of another width.
    ///
    /// # Errors
    /// [`ModelError::Shape`] when `columns` is not [`Model::columns`].
    pub fn check_columns(&self, columns: usize) -> Result<(), ModelError> {
        if columns == self.columns() {
            Ok(())
        } else {
            Err(ModelError::Shape { what: "features", expected: self.columns(), found: columns })
        }
    }

    /// Rounds that were fitted, after early stopping; `None` for a family without rounds.
    pub fn rounds(&self) -> Option<usize> {
        self.predictor().rounds()
    }

    /// Standard deviation of the probabilities of an ensemble's members, one number a row; `None` for a single model.
    pub fn disagreement(&self, features: ArrayView2<'_, f64>) -> Option<Vec<f64>> {
        self.predictor().disagreement(features)
    }

    /// How much each feature matters, in column order: |coefficient| of the standardised feature (linear models), share of
    /// the gain, which sums to 1 (trees), separation of the classes (naive Bayes).
    ///
    /// Gain favours features with many distinct values, and coefficients of correlated features share their weight:
    /// neither is a test.
    pub fn importance(&self) -> Vec<f64> {
        self.predictor().importance()
    }
}

/// Predicts one row after the other without allocating.
#[derive(Clone, Debug)]
pub struct RowPredictor<'a> {
    model: &'a Model,
    scratch: Scratch,
}

impl RowPredictor<'_> {
    /// The number of one row, to the bit that of [`Model::predict`]; NaN for a row of another length.
    pub fn predict(&mut self, row: &[f64]) -> f64 {
        let predictor = self.model.predictor();
        if row.len() == predictor.columns() { predictor.predict_row(row, &mut self.scratch) } else { f64::NAN }
    }
}
