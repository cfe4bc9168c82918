//! Models in the formats of other libraries, and theirs in ours.
//!
//! | format | holds | inputs | promise, against what `Model::predict` and the calibrator say |
//! |---|---|---|---|
//! | `xgboost` (JSON) | forests, boosting | 32 bits | boosting: the stored model itself, bit for bit; forests: equal routing of every 32-bit value, sums to 1e-6 |
//! | `lightgbm` (text v4) | forests, boosting | 64 bits | equal routing of every finite or NaN value, sums to 1e-6 |
//! | `onnx` (ai.onnx.ml 5) | forests, boosting, `logistic`, `linear`, with the calibrator | 64 bits | equal routing of every value, results to 1e-6 |
//!
//! **Routing.** Our trees send `x <= t` left, in 64 bits. XGBoost asks `x < t` in 32 bits, so that a threshold becomes the
//! smallest 32-bit number above it: no 32-bit value lies in between, and a value that is not a 32-bit number is rounded by
//! XGBoost before it is compared. A boosted model rounds its inputs itself; its thresholds become the largest 64-bit numbers
//! that it would still send left, ties of rounding included. A split that parts missing from present values has the largest
//! number as threshold; in 32 bits that number itself goes right.
//!
//! **Missing values.** NaN is missing everywhere. An infinite value is missing to us, and to the ONNX graph; XGBoost and
//! LightGBM compare it.
//!
//! What a model is, is read from its stored form (`stored.rs`), the one thing about it that is promised. Not written: how
//! many rows saw a node of a forest, so that SHAP values in the other libraries need rows of their own.

mod error;
mod foreign;
mod lightgbm;
mod onnx;
mod plain;
#[cfg(test)]
mod tests;
mod threshold;
mod xgboost;

pub use error::InteropError;
pub use foreign::{ForeignModel, IMPORT_FORMATS, read_foreign};
pub use plain::{Link, PlainLinear, PlainModel, PlainNode, PlainSplit, PlainTree, PlainTrees};

use super::{Calibrator, Model};

/// A format that models are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// XGBoost's JSON.
    Xgboost,
    /// LightGBM's text.
    Lightgbm,
    /// ONNX with the operators of ai.onnx.ml.
    Onnx,
}

/// Name, meaning and file ending of every format.
pub const EXPORT_FORMATS: &[(ExportFormat, &str, &str, &str)] = &[
    (ExportFormat::Xgboost, "xgboost", "XGBoost JSON, as `Booster.load_model` reads it", "json"),
    (ExportFormat::Lightgbm, "lightgbm", "LightGBM text v4, as `Booster(model_file=...)` reads it", "txt"),
    (ExportFormat::Onnx, "onnx", "ONNX, calibration included, for runtimes with ai.onnx.ml 5", "onnx"),
];

impl ExportFormat {
    /// The format of a name.
    pub fn named(name: &str) -> Option<Self> {
        EXPORT_FORMATS.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        EXPORT_FORMATS.iter().find(|row| row.0 == self).map_or("", |row| row.1)
    }
}

/// Writes a model in a format of another library; the same model gives the same bytes.
///
/// `names` are the features in order. A calibrator other than [`Calibrator::None`] is part of what the model says: only
/// `onnx` can hold one.
///
/// # Errors
/// A family, a calibrator or a feature name that the format cannot hold; another number of names than features.
pub fn export(
    model: &Model,
    calibrator: &Calibrator,
    names: &[String],
    format: ExportFormat,
) -> Result<Vec<u8>, InteropError> {
    let plain = PlainModel::of(model)?;
    if names.len() != plain.columns() {
        return Err(InteropError::Names { columns: plain.columns(), found: names.len() });
    }
    let is_calibrated = *calibrator != Calibrator::None;
    if is_calibrated && format != ExportFormat::Onnx {
        return Err(InteropError::Calibration { format: format.name() });
    }
    match format {
        ExportFormat::Xgboost => xgboost::write(model, &plain, names),
        ExportFormat::Lightgbm => lightgbm::write(&plain, model.family(), names),
        ExportFormat::Onnx => Ok(onnx::write(&plain, model.family(), calibrator, names)),
    }
}
