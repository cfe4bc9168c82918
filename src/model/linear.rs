//! Linear regression with an L2 and an L1 penalty: ridge, lasso and what lies between.
//!
//! Rows enter once, as sums of products of standardised features; what is then minimised has the size of the features.

use ndarray::{ArrayView1, ArrayView2};
use serde::{Deserialize, Serialize};

use super::error::ModelError;
use super::family::{Estimator, Fitted, Fitting, Predictor, Scratch};
use super::gram::Gram;
use super::parameter::parameters;
use super::quadratic::Quadratic;
use super::training_set::Task;
use super::transform::{Standardiser, moments};

parameters! {
    /// Parameters of the linear regression.
    LinearConfig {
        /// Strength of the L2 penalty on standardised coefficients: `1/2 sum w (y - f)^2 + l2/2 |beta|^2 + l1 |beta|_1`
        /// (alpha of scikit-learn's ridge).
        l2: f64 = 1.0, in 1e-6..=1e9 => log;
        /// Strength of the L1 penalty, which sets coefficients to 0 (alpha times the rows of scikit-learn's lasso).
        l1: f64 = 0.0, in 0.0..=1e9;
    }
}

/// A fitted linear regression: `intercept + sum coefficient * z` of standardised features `z`.
///
/// # NaN
/// A feature that is not finite is imputed with its training median.
///
/// # References
/// Hoerl and Kennard (1970), *Ridge regression*; Tibshirani (1996), *Regression shrinkage and selection via the lasso*.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinearModel {
    transform: Standardiser,
    coefficients: Vec<f64>,
    intercept: f64,
}

impl LinearModel {
    /// Coefficients of the standardised features, in column order.
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// Prediction for a row whose features are all at their training mean.
    pub const fn intercept(&self) -> f64 {
        self.intercept
    }

    fn value(&self, row: ArrayView1<'_, f64>) -> f64 {
        let terms = row.iter().enumerate().map(|(j, &value)| self.coefficients[j] * self.transform.apply(j, value));
        self.intercept + terms.sum::<f64>()
    }
}

impl Estimator for LinearConfig {
    type Model = LinearModel;

    fn fit(&self, fitting: Fitting<'_>) -> Result<LinearModel, ModelError> {
        let set = fitting.set;
        let weights: Vec<f64> = (0..set.rows()).map(|row| set.weight_of(row)).collect();
        let transform = Standardiser::fit(set.features, &weights);
        let targets = set.target.to_vec();
        // in units of the target's spread, so that tolerances mean the same for returns and for prices
        let (intercept, spread) = moments(&targets, &weights);
        let columns = set.columns();
        let design = transform.design(set.features);
        let gram = Gram::of(&design, columns, fitting.cancel, |row| {
            (weights[row], weights[row] * ((targets[row] - intercept) / spread))
        })?;
        let mut curvature = gram.products;
        (0..columns).for_each(|i| curvature[i * columns + i] += self.l2);
        let quadratic = Quadratic { curvature, linear: gram.projections, penalty: vec![self.l1 / spread; columns] };
        let solution = quadratic.minimise(vec![0.0; columns])?;
        let coefficients = solution.into_iter().map(|beta| beta * spread).collect();
        Ok(LinearModel { transform, coefficients, intercept })
    }
}

impl Predictor for LinearModel {
    fn task(&self) -> Task {
        Task::Regression
    }

    fn columns(&self) -> usize {
        self.coefficients.len()
    }

    fn predict(&self, features: ArrayView2<'_, f64>) -> Vec<f64> {
        features.rows().into_iter().map(|row| self.value(row)).collect()
    }

    fn predict_row(&self, row: &[f64], _: &mut Scratch) -> f64 {
        self.value(row.into())
    }

    fn importance(&self) -> Vec<f64> {
        self.coefficients.iter().map(|coefficient| coefficient.abs()).collect()
    }
}

impl Fitted for LinearModel {
    fn check_stored(&self) -> Result<(), ModelError> {
        self.transform.check_stored(self.columns())
    }
}
