//! The kinds of calibration and a fitted calibrator.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::{isotonic, sigmoid};
use crate::base::schema;
use crate::model::error::ModelError;

/// Which map is fitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CalibrationKind {
    /// Probabilities stay as the model says them.
    None,
    /// Sigmoid of the probability, with Platt's smoothed targets.
    #[default]
    Platt,
    /// Sigmoid of the log-odds, with Platt's smoothed targets.
    PlattLogit,
    /// Beta calibration.
    Beta,
    /// Isotonic regression.
    Isotonic,
}

/// Name and meaning of every kind, for help and suggestions.
pub const CALIBRATIONS: &[(&str, &str)] = &[
    ("none", "Leaves probabilities as the model says them."),
    ("platt", "Sigmoid of the probability with smoothed targets: two parameters, safe from about 50 rows."),
    ("platt-logit", "Sigmoid of the log-odds with smoothed targets: can leave a calibrated model as it is."),
    ("beta", "Three parameters, monotone: bends both ends apart, contains the identity."),
    ("isotonic", "Monotone steps without a shape: wants about a thousand rows."),
];

impl JsonSchema for CalibrationKind {
    fn schema_name() -> Cow<'static, str> {
        "CalibrationKind".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema::words(CALIBRATIONS.iter().map(|(name, doc)| (*name, &[][..], *doc)))
    }
}

/// A fitted map from raw to calibrated probability.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Calibrator {
    /// The identity.
    None,
    /// `1 / (1 + exp(a p + b))`.
    Platt {
        /// Slope; negative where the model ranks better than chance, else 0: the ranking is never turned around.
        a: f64,
        /// Offset.
        b: f64,
    },
    /// `1 / (1 + exp(a logit(p) + b))`.
    PlattLogit {
        /// Slope; -1 leaves a calibrated model as it is.
        a: f64,
        /// Offset.
        b: f64,
    },
    /// `1 / (1 + exp(-(a ln p - b ln(1 - p) + c)))`.
    Beta {
        /// Power of p, not negative.
        a: f64,
        /// Power of 1 - p, not negative.
        b: f64,
        /// Offset.
        c: f64,
    },
    /// Linear between thresholds, constant outside them.
    Isotonic {
        /// Raw probabilities, strictly increasing.
        x: Vec<f64>,
        /// Calibrated probabilities, not decreasing.
        y: Vec<f64>,
    },
}

impl Calibrator {
    /// Fits a calibrator to predictions made out of sample.
    ///
    /// # Errors
    /// No rows, lengths that differ, a probability outside [0, 1], a label other than 0 and 1, a weight that is negative or
    /// not finite, weights that are all 0.
    ///
    /// # References
    /// Platt (1999), *Probabilistic outputs for support vector machines*; Zadrozny and Elkan (2002), *Transforming
    /// classifier scores into accurate multiclass probability estimates*; Kull, Silva Filho and Flach (2017), *Beta
    /// calibration*.
    pub fn fit(
        kind: CalibrationKind,
        probabilities: &[f64],
        labels: &[f64],
        weights: Option<&[f64]>,
    ) -> Result<Self, ModelError> {
        check(probabilities, labels, weights)?;
        let ones;
        let weights = match weights {
            Some(weights) => weights,
            None => {
                ones = vec![1.0; labels.len()];
                &ones
            }
        };
        Ok(match kind {
            CalibrationKind::None => Self::None,
            CalibrationKind::Platt => {
                let (a, b) = sigmoid::fit_platt_rising(probabilities, labels, weights);
                Self::Platt { a, b }
            }
            CalibrationKind::PlattLogit => {
                let log_odds: Vec<f64> = probabilities.iter().map(|&p| sigmoid::clipped_logit(p)).collect();
                let (a, b) = sigmoid::fit_platt_rising(&log_odds, labels, weights);
                Self::PlattLogit { a, b }
            }
            CalibrationKind::Beta => {
                let (a, b, c) = sigmoid::fit_beta(probabilities, labels, weights);
                Self::Beta { a, b, c }
            }
            CalibrationKind::Isotonic => {
                let (x, y) = isotonic::fit(probabilities, labels, weights);
                Self::Isotonic { x, y }
            }
        })
    }

    /// Maps one raw probability. NaN stays NaN.
    pub fn apply(&self, p: f64) -> f64 {
        match self {
            Self::None => p,
            Self::Platt { a, b } => sigmoid::platt(p, *a, *b),
            Self::PlattLogit { a, b } => sigmoid::platt(sigmoid::clipped_logit(p), *a, *b),
            Self::Beta { a, b, c } => sigmoid::beta(p, *a, *b, *c),
            Self::Isotonic { x, y } => isotonic::interpolate(x, y, p),
        }
    }

    /// Maps many raw probabilities.
    pub fn apply_all(&self, probabilities: &[f64]) -> Vec<f64> {
        probabilities.iter().map(|&p| self.apply(p)).collect()
    }

    /// The kind of this calibrator.
    pub const fn kind(&self) -> CalibrationKind {
        match self {
            Self::None => CalibrationKind::None,
            Self::Platt { .. } => CalibrationKind::Platt,
            Self::PlattLogit { .. } => CalibrationKind::PlattLogit,
            Self::Beta { .. } => CalibrationKind::Beta,
            Self::Isotonic { .. } => CalibrationKind::Isotonic,
        }
    }
}

fn check(probabilities: &[f64], labels: &[f64], weights: Option<&[f64]>) -> Result<(), ModelError> {
    let rows = probabilities.len();
    if rows == 0 {
        return Err(ModelError::TooFewRows { found: 0, needed: 1 });
    }
    if labels.len() != rows {
        return Err(ModelError::Shape { what: "labels and probabilities", expected: rows, found: labels.len() });
    }
    if let Some((row, &found)) = probabilities.iter().enumerate().find(|(_, p)| !(0.0..=1.0).contains(*p)) {
        return Err(ModelError::Probability { row, found });
    }
    if let Some((row, &found)) = labels.iter().enumerate().find(|(_, label)| **label != 0.0 && **label != 1.0) {
        return Err(ModelError::Label { row, found });
    }
    let Some(weights) = weights else { return Ok(()) };
    if weights.len() != rows {
        return Err(ModelError::Shape { what: "weights and probabilities", expected: rows, found: weights.len() });
    }
    match weights.iter().enumerate().find(|(_, weight)| !weight.is_finite() || **weight < 0.0) {
        Some((row, &found)) => Err(ModelError::Weight { row, found }),
        None if weights.iter().all(|&weight| weight == 0.0) => Err(ModelError::NoWeight),
        None => Ok(()),
    }
}
