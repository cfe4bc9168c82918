//! Model families: a [`Learner`] with checked parameters is fitted to a [`TrainingSet`] and becomes a [`Model`].
//!
//! | family | file | what it is |
//! |---|---|---|
//! | `logistic` | `logistic/` | linear in the log-odds; L2 on argmin's L-BFGS, L1 by Newton and coordinate descent |
//! | `linear` | `linear.rs` | linear in the value; Cholesky, or coordinate descent with L1 |
//! | `random-forest`, `extra-trees` | `forest/` | histogram trees, soft votes |
//! | `gradient-boosting` | `boosting/` | hessboost's trees, stored as XGBoost JSON |
//! | `naive-bayes` | `naive_bayes.rs` | a normal density a feature and class |
//!
//! `family.rs` says what a family has to bring, `config.rs` has the table of all.
//!
//! A classification predicts the probability of class 1, a regression the value. Every family keeps its transforms
//! (imputation, scaling, bins) inside the model, fitted on the rows it was given and on nothing else. The same holds around
//! it: [`train_on_folds`] judges a model on folds it has not seen, everything around it fitted inside the fold.
//!
//! | promise | kept by |
//! |---|---|
//! | same seed, same bytes for any number of threads | all |
//! | row order changes nothing but the last digits | `logistic`, `linear`, `naive-bayes`; trees without draws of rows and features |
//! | an integral weight equals repeating the row | `logistic`, `linear`, `naive-bayes`; trees count rows of average weight |
//! | a row of weight 0 teaches nothing | all |
//! | NaN is a missing value, ±inf is refused in training and missing in prediction | all |
//! | training rows of a single class are refused | all |
//! | one row predicts as it does among many, to the bit | all |
//!
//! Not guaranteed: equal bits on CPUs of another class, where `libm` may take another path.
//!
//! Stored models are open JSON with a format version, see `stored.rs`.

mod boosting;
mod calibration;
mod config;
mod cross_fit;
mod ensemble;
mod error;
pub mod explain;
mod family;
mod forest;
mod gram;
pub mod interop;
mod learner;
mod linear;
mod linfa_traits;
mod logistic;
mod loss;
mod naive_bayes;
mod newton;
mod out_of_fold;
mod parameter;
mod prepare;
mod quadratic;
mod recipe;
mod select;
mod stored;
mod training_set;
mod transform;

#[cfg(test)]
mod contract;
#[cfg(test)]
mod cross_fit_tests;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod golden_tests;

pub use boosting::{BoostingConfig, BoostingModel, Growth, Monotone, RegressionLoss};
pub use calibration::{CALIBRATIONS, CalibrationKind, Calibrator};
pub use config::{ClassWeight, FAMILIES, Model, ModelConfig};
pub use cross_fit::{FoldReport, FoldSkip, OutOfSampleRow, TrainedModel, cross_fit, train_on_folds};
pub use ensemble::{Combination, Combine, Combiner, EnsembleConfig, EnsembleModel, Fallback, MAX_MEMBERS, Members};
pub use error::ModelError;
pub use family::{Family, Weights};
pub use forest::{Bootstrap, ExtraTreesConfig, FeatureSampling, ForestConfig, ForestModel, OutOfBag};
pub use learner::{Learner, RowPredictor};
pub use linear::{LinearConfig, LinearModel};
pub use linfa_traits::SeededLearner;
pub use logistic::{LogisticConfig, LogisticModel};
pub use naive_bayes::{NaiveBayesConfig, NaiveBayesModel};
pub use out_of_fold::{MIN_CALIBRATION_ROWS, PathScore};
pub use parameter::{Parameter, ParameterType};
pub use prepare::{ColumnMap, Preparation, Prepared, Transform};
pub use recipe::{Labelled, Recipe, Weigh};
pub use select::{DropReason, Permutation, Selected, Selection, permutation_importance, stability};
pub use stored::MODEL_FORMAT_VERSION;
pub use training_set::{Task, TrainingSet};
