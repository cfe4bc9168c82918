//! Logistic regression with an L2 and an L1 penalty.
//!
//! Without L1 it is minimised by argmin's L-BFGS (`smooth.rs`), with it by Newton's method whose steps are found by
//! coordinate descent (`sparse.rs`), so that a coefficient is 0 or it is not.
//!
//! The optimiser minimises the penalised loss divided by the total weight, so that tolerances mean the same for ten rows
//! and for a million. It starts from the base rate, and the result is accepted by its gradient, not by why the optimiser
//! stopped: a line search at the limit of rounding is a success, a large gradient is a typed error.

mod loss;
mod smooth;
mod sparse;

use ndarray::{ArrayView1, ArrayView2};
use serde::{Deserialize, Serialize};

use self::loss::Loss;
pub(super) use self::loss::{sigmoid, softplus};
use crate::base::CancelToken;
use crate::model::config::ClassWeight;
use crate::model::error::ModelError;
use crate::model::family::{Estimator, Fitted, Fitting, Predictor, Scratch};
use crate::model::parameter::parameters;
use crate::model::training_set::{Task, TrainingSet};
use crate::model::transform::Standardiser;
use crate::stats::sum::sum;

parameters! {
    /// Parameters of the logistic regression.
    LogisticConfig {
        /// Strength of the L2 penalty on standardised coefficients: `sum w loss + l2/2 |beta|^2 + l1 |beta|_1` (1 / C in
        /// scikit-learn).
        l2: f64 = 1.0, in 1e-6..=1e9 => log;
        /// Strength of the L1 penalty, which sets coefficients to 0 (elastic net: `l1_ratio / C` in scikit-learn, with
        /// `l2` of `(1 - l1_ratio) / C`).
        l1: f64 = 0.0, in 0.0..=1e9;
        /// Most iterations of the optimiser.
        max_iterations: u64 = 500, in 1..=100_000 => log;
        /// Weighs the classes as they come, or alike.
        class_weight: ClassWeight = ClassWeight::None;
    }
}

/// A fitted logistic regression: `p = 1 / (1 + exp(-(intercept + sum coefficient * z)))` of standardised features `z`.
///
/// # NaN
/// A feature that is not finite is imputed with its training median.
///
/// # References
/// Nocedal (1980), *Updating quasi-Newton matrices with limited storage*.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogisticModel {
    transform: Standardiser,
    coefficients: Vec<f64>,
    intercept: f64,
    /// Largest gradient component of the mean loss at the solution.
    gradient_norm: f64,
    iterations: u64,
}

impl LogisticModel {
    fn fit(set: &TrainingSet<'_>, config: &LogisticConfig, cancel: &CancelToken) -> Result<Self, ModelError> {
        let weights = set.weights(config.class_weight)?;
        let transform = Standardiser::fit(set.features, &weights);
        let loss = Loss::new(set, &transform, &weights, config.l2, cancel);
        let solution = if config.l1 > 0.0 {
            sparse::minimise(&loss, config.l1 / sum(weights.iter().copied()), config.max_iterations)?
        } else {
            smooth::minimise(&loss, config.max_iterations, cancel)?
        };
        let (intercept, coefficients) = match solution.parameters.split_last() {
            Some((&intercept, coefficients)) => (intercept, coefficients.to_vec()),
            None => return Err(ModelError::Optimiser("no parameters".to_owned())),
        };
        Ok(Self {
            transform,
            coefficients,
            intercept,
            gradient_norm: solution.gradient_norm,
            iterations: solution.iterations,
        })
    }

    /// Coefficients of the standardised features, in column order.
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// Log-odds of a row whose features are all at their training mean.
    pub const fn intercept(&self) -> f64 {
        self.intercept
    }

    /// Largest component of the gradient of the mean loss where the optimiser stopped.
    pub const fn gradient_norm(&self) -> f64 {
        self.gradient_norm
    }

    fn log_odds(&self, row: ArrayView1<'_, f64>) -> f64 {
        let terms = row.iter().enumerate().map(|(j, &value)| self.coefficients[j] * self.transform.apply(j, value));
        self.intercept + terms.sum::<f64>()
    }
}

impl Estimator for LogisticConfig {
    type Model = LogisticModel;

    fn fit(&self, fitting: Fitting<'_>) -> Result<LogisticModel, ModelError> {
        LogisticModel::fit(&fitting.set, self, fitting.cancel)
    }
}

impl Predictor for LogisticModel {
    fn task(&self) -> Task {
        Task::Classification
    }

    fn columns(&self) -> usize {
        self.coefficients.len()
    }

    fn predict(&self, features: ArrayView2<'_, f64>) -> Vec<f64> {
        features.rows().into_iter().map(|row| sigmoid(self.log_odds(row))).collect()
    }

    fn predict_row(&self, row: &[f64], _: &mut Scratch) -> f64 {
        sigmoid(self.log_odds(row.into()))
    }

    fn importance(&self) -> Vec<f64> {
        self.coefficients.iter().map(|coefficient| coefficient.abs()).collect()
    }
}

impl Fitted for LogisticModel {
    fn check_stored(&self) -> Result<(), ModelError> {
        self.transform.check_stored(self.columns())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fixtures::noisy_table;

    #[test]
    fn the_gradient_vanishes_on_any_table() {
        let cancel = CancelToken::new();
        for case in 0..60 {
            let columns = 1 + case as usize % 9;
            let mut table = noisy_table(20 + 10 * case as usize, columns, 1000 + case);
            if case % 3 == 0 {
                // two columns that say the same
                let copy = table.features.column(0).mapv(|x| 3.0 * x + 1.0);
                table.features.column_mut(columns - 1).assign(&copy);
            }
            for l2 in [1e-6, 1e-2, 1.0, 1e4] {
                let model = LogisticModel::fit(&table.set(), &LogisticConfig { l2, ..Default::default() }, &cancel);
                let model = model.unwrap();
                let allowed = 1e-7 * (1.0 + l2 / table.target.len() as f64);
                assert!(model.gradient_norm < allowed && model.iterations < 200, "{case} {l2} {model:?}");
            }
        }
    }

    #[test]
    fn too_few_iterations_are_a_typed_error() {
        let config = LogisticConfig { max_iterations: 1, l2: 1e-3, ..Default::default() };
        let error = LogisticModel::fit(&noisy_table(200, 5, 3).set(), &config, &CancelToken::new()).unwrap_err();
        assert!(matches!(error, ModelError::NotConverged { iterations: 1, .. }), "{error}");
    }

    #[test]
    fn log_odds_of_any_size_give_probabilities() {
        assert_eq!([-1e4, 0.0, 1e4].map(sigmoid), [0.0, 0.5, 1.0]);
        assert_eq!(softplus(1e4), 1e4);
        assert!((softplus(0.0) - std::f64::consts::LN_2).abs() < 1e-15);
    }
}
