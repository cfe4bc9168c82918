//! Model families: a [`Learner`] with checked parameters is fitted to a [`TrainingSet`] and becomes a [`Model`].
//!
//! | family | file | what it is |
//! |---|---|---|
//! | `logistic` | `logistic.rs` | linear in the log-odds, L2, on argmin's L-BFGS |
//! | `random-forest` | `forest/` | histogram trees on bootstrap draws, soft votes |
//!
//! Every family predicts the probability of class 1 and keeps its transforms (imputation, scaling, bins) inside the
//! model, fitted on the rows it was given and on nothing else. The same holds around it: [`walk_forward_train`] judges a
//! learner on folds it has not seen and calibrates without looking ahead.
//!
//! | promise | logistic | random forest |
//! |---|---|---|
//! | same seed, same bytes for any number of threads | yes | yes |
//! | row order changes nothing but the last digits | yes | only with `bootstrap: none` and `feature_sampling: all` |
//! | an integral weight equals repeating the row | yes | no: a leaf counts rows of average weight |
//! | NaN is a missing value, ±inf is refused in training and missing in prediction | yes | yes |
//! | training rows of a single class are refused | yes | yes |
//!
//! Not guaranteed: equal bits on CPUs of another class, where `libm` may take another path.
//!
//! Stored models are open JSON with a format version, see `stored.rs`.

mod calibration;
mod config;
mod cross_fit;
mod error;
mod family;
mod forest;
mod learner;
mod linfa_traits;
mod logistic;
mod newton;
mod parameter;
mod stored;
mod training_set;
mod transform;

#[cfg(test)]
mod contract;
#[cfg(test)]
mod cross_fit_tests;
#[cfg(test)]
mod fixtures;

pub use calibration::{CALIBRATIONS, CalibrationKind, Calibrator};
pub use config::{ClassWeight, FAMILIES, Model, ModelConfig};
pub use cross_fit::{
    FoldReport, FoldSkip, MIN_CALIBRATION_ROWS, OutOfSampleRow, TrainedModel, cross_fit, walk_forward_train,
};
pub use error::ModelError;
pub use family::{Family, Weights};
pub use forest::{Bootstrap, FeatureSampling, ForestConfig, ForestModel, OutOfBag};
pub use learner::{Learner, RowPredictor};
pub use linfa_traits::SeededLearner;
pub use logistic::{LogisticConfig, LogisticModel};
pub use parameter::Parameter;
pub use stored::MODEL_FORMAT_VERSION;
pub use training_set::{Task, TrainingSet};
