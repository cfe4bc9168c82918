//! What a model family is, and what it promises.
//!
//! A family is one file and one row: its parameters implement [`Estimator`], what they fit implements [`Fitted`], and the
//! row in `config.rs` names both. Names, parsing, storing, reference pages and the contract tests follow from the row.

use ndarray::ArrayView2;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::ModelError;
use super::parameter::Parameter;
use super::training_set::{Task, TrainingSet};
use crate::base::{CancelToken, Seed};

/// A model family as users know it.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Its name, as in `kind: logistic`.
    pub name: &'static str,
    /// One line for help and reference.
    pub doc: &'static str,
    /// Its parameters.
    pub parameters: &'static [Parameter],
    /// What it can learn.
    pub tasks: &'static [Task],
    /// What a weight of a row means to it.
    pub weights: Weights,
    /// Says whether it can stop early on a validation set; the others ignore one.
    pub validates: bool,
}

/// What a weight of a training row means to a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weights {
    /// An integral weight equals repeating the row.
    Repeats,
    /// Only the ratio of weights counts: they are scaled to an average of 1.
    Shares,
    /// Each member counts them in its own way.
    ByMember,
}

/// Rows, and everything else that decides a fit.
#[derive(Clone, Copy)]
pub(super) struct Fitting<'a> {
    /// Rows to learn from.
    pub set: TrainingSet<'a>,
    /// Rows to stop early on, which nothing is learnt from.
    pub validation: Option<TrainingSet<'a>>,
    pub seed: Seed,
    pub cancel: &'a CancelToken,
}

/// The checked parameters of a family.
pub(super) trait Estimator {
    /// What is fitted.
    type Model: Fitted;

    /// Fits a model. Parameters and sets are checked.
    fn fit(&self, fitting: Fitting<'_>) -> Result<Self::Model, ModelError>;

    /// Says whether these parameters need a validation set.
    fn wants_validation(&self) -> bool {
        false
    }

    /// The same parameters with a fixed number of rounds in place of early stopping; `None` where there are no rounds.
    fn with_rounds(&self, _rounds: usize) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }
}

/// A fitted model of any family, as [`super::Model`] sees it.
pub(super) trait Predictor {
    /// What it was fitted to.
    fn task(&self) -> Task;

    /// Number of features.
    fn columns(&self) -> usize;

    /// One number a row; `features` has [`Predictor::columns`] columns.
    fn predict(&self, features: ArrayView2<'_, f64>) -> Vec<f64>;

    /// The number of one row of [`Predictor::columns`] values, to the bit that of [`Predictor::predict`]. `scratch` is
    /// the caller's, so that row after row nothing is allocated.
    fn predict_row(&self, row: &[f64], scratch: &mut Scratch) -> f64;

    /// How much each feature matters, in column order.
    fn importance(&self) -> Vec<f64>;

    /// Rounds that were fitted, after early stopping; `None` where there are no rounds.
    fn rounds(&self) -> Option<usize> {
        None
    }

    /// How much the members of an ensemble disagree about each row.
    fn disagreement(&self, _features: ArrayView2<'_, f64>) -> Option<Vec<f64>> {
        None
    }
}

/// Room that predictions of single rows reuse.
#[derive(Clone, Debug, Default)]
pub(super) struct Scratch {
    /// A row as 32-bit numbers.
    pub single: Vec<f32>,
}

/// A predictor that can be stored.
pub(super) trait Fitted: Predictor + Serialize + DeserializeOwned {
    /// Refuses a body that contradicts itself.
    fn check_stored(&self) -> Result<(), ModelError>;
}
