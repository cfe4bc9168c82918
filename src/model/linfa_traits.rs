//! linfa's traits on our learners and models.
//!
//! The traffic goes both ways: ours run wherever linfa takes a `Fit`, and any linfa learner is judged on our folds by
//! handing its `fit` and `predict` to [`super::cross_fit`].

use linfa::DatasetBase;
use linfa::dataset::AsSingleTargets;
use linfa::traits::{Fit, PredictInplace};
use ndarray::{Array1, ArrayBase, Data, Ix2};

use super::config::Model;
use super::error::ModelError;
use super::learner::Learner;
use super::training_set::TrainingSet;
use crate::base::{CancelToken, Seed};

/// A learner and its seed, which linfa's `Fit` has no argument for.
#[derive(Clone, Debug, PartialEq)]
pub struct SeededLearner {
    learner: Learner,
    seed: Seed,
}

impl Learner {
    /// Joins the learner and a seed, for linfa.
    pub const fn seeded(self, seed: Seed) -> SeededLearner {
        SeededLearner { learner: self, seed }
    }
}

impl<D, T> Fit<ArrayBase<D, Ix2>, T, ModelError> for SeededLearner
where
    D: Data<Elem = f64>,
    T: AsSingleTargets<Elem = f64>,
{
    type Object = Model;

    fn fit(&self, dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<Model, ModelError> {
        // linfa keeps weights as f32
        let weight: Option<Array1<f64>> =
            dataset.weights().map(|weights| weights.iter().map(|&weight| f64::from(weight)).collect());
        let set = TrainingSet::new(dataset.records.view(), dataset.targets.as_single_targets())
            .weighted(weight.as_ref().map(Array1::view));
        self.learner.fit(&set, None, self.seed, &CancelToken::new())
    }
}

impl<D: Data<Elem = f64>> PredictInplace<ArrayBase<D, Ix2>, Array1<f64>> for Model {
    fn predict_inplace<'a>(&'a self, x: &'a ArrayBase<D, Ix2>, y: &mut Array1<f64>) {
        *y = Self::predict(self, x.view());
    }

    fn default_target(&self, x: &ArrayBase<D, Ix2>) -> Array1<f64> {
        Array1::zeros(x.nrows())
    }
}
