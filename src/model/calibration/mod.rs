//! Calibration: a monotone map from what a model says to how often it comes true.
//!
//! | kind | map | file |
//! |---|---|---|
//! | `none` | p | here |
//! | `platt` | 1 / (1 + exp(a p + b)) | `sigmoid.rs` |
//! | `platt-logit` | 1 / (1 + exp(a logit(p) + b)) | `sigmoid.rs` |
//! | `beta` | 1 / (1 + exp(-(a ln p - b ln(1 - p) + c))), a, b >= 0 | `sigmoid.rs` |
//! | `isotonic` | step function by pooling adjacent violators, linear in between | `isotonic.rs` |
//!
//! Fit on out-of-fold predictions only: a calibrator fitted on the rows its model learnt from flatters both.
//! Not guaranteed: `platt` and `platt-logit` may come out decreasing where the model ranks worse than chance.

mod calibrator;
mod isotonic;
mod sigmoid;
#[cfg(test)]
mod tests;

pub use calibrator::{CALIBRATIONS, CalibrationKind, Calibrator};
pub(super) use sigmoid::clipped_logit;
