//! What can keep a model from being exchanged.

use crate::model::ModelError;

/// Why a model cannot be written for, or read from, another library.
#[derive(Debug, thiserror::Error)]
pub enum InteropError {
    /// The format has no words for the family.
    #[error("{format} cannot hold a `{family}` model: {reason}")]
    Family {
        /// The format.
        format: &'static str,
        /// The family.
        family: String,
        /// Why not.
        reason: String,
    },
    /// Only a graph of operators can hold a calibrator.
    #[error("{format} cannot hold the calibration of this model: expected `onnx`, or to leave the calibration out")]
    Calibration {
        /// The format.
        format: &'static str,
    },
    /// A feature whose name the format cannot hold.
    #[error("{format} cannot hold the feature name `{name}`: {reason}")]
    FeatureName {
        /// The format.
        format: &'static str,
        /// The name.
        name: String,
        /// Why not.
        reason: &'static str,
    },
    /// Names and features do not match.
    #[error("expected names of {columns} features, found {found}")]
    Names {
        /// Features of the model.
        columns: usize,
        /// Names given.
        found: usize,
    },
    /// A file that is not what it is said to be, or holds what we cannot say.
    #[error("not a {format} model that can be read: {problem}")]
    Foreign {
        /// The format.
        format: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A new name for a feature that the model does not have.
    #[error("the model has no feature `{name}` to rename; it has {known}")]
    Rename {
        /// The name.
        name: String,
        /// The features of the model.
        known: String,
    },
    /// Two features would have the same name.
    #[error("two features of the model are named `{name}`")]
    SameName {
        /// The name.
        name: String,
    },
    /// The model itself.
    #[error(transparent)]
    Model(#[from] ModelError),
}
