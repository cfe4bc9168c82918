//! The loss of a logistic regression, and its derivatives.

use crate::base::CancelToken;
use crate::model::error::ModelError;
use crate::model::gram::Gram;
use crate::model::training_set::TrainingSet;
use crate::model::transform::Standardiser;
use crate::stats::sum::sum;

pub(in crate::model) fn sigmoid(log_odds: f64) -> f64 {
    if log_odds >= 0.0 {
        1.0 / (1.0 + libm::exp(-log_odds))
    } else {
        let odds = libm::exp(log_odds);
        odds / (1.0 + odds)
    }
}

/// `ln(1 + exp(x))` without overflow.
pub(in crate::model) fn softplus(x: f64) -> f64 {
    x.max(0.0) + libm::log1p(libm::exp(-x.abs()))
}

/// Mean penalised loss over standardised rows; parameters are the coefficients, then the intercept.
pub(super) struct Loss<'a> {
    /// Row-major design without the column of ones.
    design: Vec<f64>,
    pub columns: usize,
    labels: Vec<f64>,
    /// Weights that sum to 1.
    shares: Vec<f64>,
    /// `l2` divided by the total weight.
    pub penalty: f64,
    pub cancel: &'a CancelToken,
}

impl<'a> Loss<'a> {
    pub fn new(
        set: &TrainingSet<'_>,
        transform: &Standardiser,
        weights: &[f64],
        l2: f64,
        cancel: &'a CancelToken,
    ) -> Self {
        let total = sum(weights.iter().copied());
        Self {
            design: transform.design(set.features),
            columns: set.columns(),
            labels: set.target.to_vec(),
            shares: weights.iter().map(|weight| weight / total).collect(),
            penalty: l2 / total,
            cancel,
        }
    }

    /// All coefficients 0, and the log-odds of the base rate.
    pub fn start(&self) -> Vec<f64> {
        let base_rate = sum(self.shares.iter().zip(&self.labels).map(|(share, label)| share * label));
        let mut parameters = vec![0.0; self.columns];
        parameters.push(libm::log(base_rate / (1.0 - base_rate)));
        parameters
    }

    fn log_odds(&self, row: &[f64], parameters: &[f64]) -> f64 {
        let slope: f64 = row.iter().zip(parameters).map(|(z, coefficient)| z * coefficient).sum();
        slope + parameters[self.columns]
    }

    fn rows(&self) -> impl Iterator<Item = (&[f64], f64, f64)> {
        let weighed = self.labels.iter().zip(&self.shares);
        self.design.chunks_exact(self.columns).zip(weighed).map(|(row, (&label, &share))| (row, label, share))
    }

    pub fn value(&self, parameters: &[f64]) -> f64 {
        let loss = sum(self.rows().map(|(row, label, share)| {
            let log_odds = self.log_odds(row, parameters);
            share * (softplus(log_odds) - label * log_odds)
        }));
        let squares: f64 = parameters[..self.columns].iter().map(|beta| beta * beta).sum();
        loss + 0.5 * self.penalty * squares
    }

    pub fn slope(&self, parameters: &[f64]) -> Vec<f64> {
        let mut gradient: Vec<f64> = parameters.iter().map(|beta| self.penalty * beta).collect();
        gradient[self.columns] = 0.0;
        for (row, label, share) in self.rows() {
            let residual = share * (sigmoid(self.log_odds(row, parameters)) - label);
            for (component, z) in gradient.iter_mut().zip(row) {
                *component += residual * z;
            }
            gradient[self.columns] += residual;
        }
        gradient
    }

    /// Second derivatives, row-major over coefficients and intercept.
    pub fn curvature(&self, parameters: &[f64]) -> Result<Vec<f64>, ModelError> {
        let columns = self.columns;
        let curvatures: Vec<f64> = self
            .rows()
            .map(|(row, _, share)| {
                let p = sigmoid(self.log_odds(row, parameters));
                share * p * (1.0 - p)
            })
            .collect();
        let gram = Gram::of(&self.design, columns, self.cancel, |row| (curvatures[row], curvatures[row]))?;
        let mut whole = Vec::with_capacity((columns + 1) * (columns + 1));
        for (i, products) in gram.products.chunks_exact(columns).enumerate() {
            whole.extend_from_slice(products);
            whole.push(gram.projections[i]);
            whole[i * (columns + 1) + i] += self.penalty;
        }
        whole.extend_from_slice(&gram.projections);
        whole.push(sum(curvatures));
        Ok(whole)
    }
}
