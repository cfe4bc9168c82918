//! Gradient boosting: trees that correct each other, grown by the library hessboost.
//!
//! Ours are the parameters, the checks, what is stored and what is promised; theirs are histograms, splits and leaves. A
//! model is stored as the JSON that XGBoost writes and reads, and predicts with what that JSON says: a fitted model goes
//! through it before anyone sees it, so that a stored one has the same bits.
//!
//! Features, targets and weights are read as 32-bit numbers, as XGBoost has them: two values closer than one part in 16
//! million are one value, and magnitudes beyond 3.4e38 are that.

mod config;
mod model;

pub use config::{BoostingConfig, Growth, Monotone, RegressionLoss};
pub use model::BoostingModel;
