//! Gaussian naive Bayes: each feature speaks for itself, as if the others said nothing.
//!
//! Own code and not linfa's: that one knows neither weights nor missing values, keeps its classes in a hash map and gives
//! labels without probabilities. A test holds ours against it.

use ndarray::{ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use super::config::ClassWeight;
use super::error::ModelError;
use super::family::{Estimator, Fitted, Fitting, Predictor, Scratch};
use super::logistic::sigmoid;
use super::parameter::parameters;
use super::training_set::Task;
use super::transform::moments;
use crate::stats::sum::sum;

parameters! {
    /// Parameters of Gaussian naive Bayes.
    NaiveBayesConfig {
        /// Share of a feature's variance that is added to its variance within each class.
        smoothing: f64 = 1e-9, in 1e-12..=1.0 => log;
        /// Weighs the classes as they come, or alike.
        class_weight: ClassWeight = ClassWeight::None;
    }
}

/// No feature says more than this, so that two that contradict each other at any size leave a number.
const MOST_LOG_ODDS: f64 = 1e9;

/// A fitted Gaussian naive Bayes: log-odds of the prior, plus for each feature the log of the ratio of its two normal
/// densities.
///
/// Smoothing is a share of each feature's own variance, so that scales do not matter; scikit-learn takes the largest
/// variance of all features, which is the same for standardised ones.
///
/// # NaN
/// A feature that is not finite says nothing, in training and in prediction.
///
/// # References
/// Hand and Yu (2001), *Idiot's Bayes: not so stupid after all?*
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NaiveBayesModel {
    /// Log-odds of class 1 before any feature is looked at.
    prior: f64,
    features: Vec<Feature>,
}

/// What one feature says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Feature {
    /// Mean over both classes.
    centre: f64,
    /// Standard deviation over both classes.
    scale: f64,
    zeros: Density,
    ones: Density,
}

/// A normal density of the standardised feature within a class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Density {
    mean: f64,
    deviation: f64,
}

impl Feature {
    /// Fits one column; `values` has value, weight and label of each row that carries weight and is not missing.
    fn fit(values: &[(f64, f64, f64)], smoothing: f64) -> Self {
        let all: Vec<f64> = values.iter().map(|(value, ..)| *value).collect();
        let weights: Vec<f64> = values.iter().map(|(_, weight, _)| *weight).collect();
        let (centre, scale) = if all.is_empty() { (0.0, 1.0) } else { moments(&all, &weights) };
        let of_class = |class: f64| Density::fit(values, class, |value| (value - centre) / scale, smoothing);
        let silent = Density { mean: 0.0, deviation: 1.0 };
        // a class that never had the feature cannot be told from the other by it
        let (zeros, ones) = of_class(0.0).zip(of_class(1.0)).unwrap_or((silent, silent));
        Self { centre, scale, zeros, ones }
    }

    /// What a value adds to the log-odds.
    fn evidence(&self, value: f64) -> f64 {
        if !value.is_finite() {
            return 0.0;
        }
        let z = (value - self.centre) / self.scale;
        let (zero, one) = (self.zeros.distance(z), self.ones.distance(z));
        let widths = libm::log(self.zeros.deviation / self.ones.deviation);
        // a product, because the difference of two squares may be infinity minus infinity
        let squares = if zero == one { 0.0 } else { 0.5 * (zero - one) * (zero + one) };
        (squares + widths).clamp(-MOST_LOG_ODDS, MOST_LOG_ODDS)
    }

    /// Distance of the class means in deviations.
    fn separation(&self) -> f64 {
        let variance = (self.zeros.deviation * self.zeros.deviation + self.ones.deviation * self.ones.deviation) / 2.0;
        (self.ones.mean - self.zeros.mean).abs() / variance.sqrt()
    }
}

impl Density {
    fn fit(values: &[(f64, f64, f64)], class: f64, z: impl Fn(f64) -> f64, smoothing: f64) -> Option<Self> {
        let own = || values.iter().filter(|(_, _, label)| *label == class).map(|(value, w, _)| (z(*value), *w));
        let weight = sum(own().map(|(_, w)| w));
        if weight <= 0.0 {
            return None;
        }
        let mean = sum(own().map(|(z, w)| w * z)) / weight;
        let variance = sum(own().map(|(z, w)| w * (z - mean) * (z - mean))) / weight;
        Some(Self { mean, deviation: (variance + smoothing).sqrt() })
    }

    fn distance(self, z: f64) -> f64 {
        (z - self.mean) / self.deviation
    }
}

impl NaiveBayesModel {
    fn probability<'a>(&self, row: impl Iterator<Item = &'a f64>) -> f64 {
        let evidence: f64 = self.features.iter().zip(row).map(|(feature, &value)| feature.evidence(value)).sum();
        sigmoid(self.prior + evidence)
    }
}

impl Estimator for NaiveBayesConfig {
    type Model = NaiveBayesModel;

    fn fit(&self, fitting: Fitting<'_>) -> Result<NaiveBayesModel, ModelError> {
        let set = fitting.set;
        let weights = set.weights(self.class_weight)?;
        let weight_of = |class: f64| {
            sum(weights.iter().zip(&set.target).filter(|(_, label)| **label == class).map(|(weight, _)| *weight))
        };
        let features = set.features.axis_iter(Axis(1)).map(|column| {
            let rows = column.iter().zip(&weights).zip(&set.target);
            let values: Vec<(f64, f64, f64)> = rows
                .filter(|((value, weight), _)| value.is_finite() && **weight > 0.0)
                .map(|((value, weight), label)| (*value, *weight, *label))
                .collect();
            fitting.cancel.check()?;
            Ok(Feature::fit(&values, self.smoothing))
        });
        let prior = libm::log(weight_of(1.0) / weight_of(0.0));
        Ok(NaiveBayesModel { prior, features: features.collect::<Result<_, ModelError>>()? })
    }
}

impl Predictor for NaiveBayesModel {
    fn task(&self) -> Task {
        Task::Classification
    }

    fn columns(&self) -> usize {
        self.features.len()
    }

    fn predict(&self, features: ArrayView2<'_, f64>) -> Vec<f64> {
        features.rows().into_iter().map(|row| self.probability(row.into_iter())).collect()
    }

    fn predict_row(&self, row: &[f64], _: &mut Scratch) -> f64 {
        self.probability(row.iter())
    }

    fn importance(&self) -> Vec<f64> {
        self.features.iter().map(Feature::separation).collect()
    }
}

impl Fitted for NaiveBayesModel {
    fn check_stored(&self) -> Result<(), ModelError> {
        let is_sound = |feature: &Feature| {
            [feature.scale, feature.zeros.deviation, feature.ones.deviation]
                .iter()
                .all(|&it| it.is_finite() && it > 0.0)
        };
        match self.features.iter().position(|feature| !is_sound(feature)) {
            _ if self.features.is_empty() => Err(ModelError::Damaged("a naive Bayes without features".to_owned())),
            Some(column) => Err(ModelError::Damaged(format!("feature {column} has no spread"))),
            None => Ok(()),
        }
    }
}
