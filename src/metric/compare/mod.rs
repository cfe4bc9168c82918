//! Which of two models is better on the same rows, and how sure that is.
//!
//! Rows of a trading model overlap in time, so their losses are correlated and the textbook errors are too small: on
//! overlapping trades DeLong's test rejects equal models about one time in three at a nominal 5 %. Here a metric is
//! written as a mean of per-row influences in time order, and the error of that mean is one that dependence cannot fool.
//!
//! | file | holds |
//! |---|---|
//! | `estimate.rs` | a mean of dependent influences with its error, by two estimators of the long-run variance |
//! | `influence.rs` | the influence of a row on AUC, losses and Sharpe ratios; rows of one time stamp added up |
//! | `paired.rs` | metrics, methods, and the paired test that joins them |
//! | `bootstrap.rs` | the paired test of metrics without influences |
//! | `classical.rs` | DeLong's and Diebold and Mariano's tests as published |
//!
//! Several rows may share one time stamp (a panel). [`cluster_by_time`] adds them up first, so that correlation within
//! a stamp is paid for in full and the order of rows inside a stamp cannot matter.
//!
//! *Not guaranteed*: a fixed holdout that was looked at many times is no longer a holdout; no error bar knows that.
//!
//! # NaN
//! Scores must be finite ([`CompareError::NotFinite`]); statistics that do not exist are `None`.

mod bootstrap;
mod classical;
mod error;
mod estimate;
mod influence;
mod paired;
#[cfg(test)]
mod tests;

pub use classical::{DelongTest, DieboldMariano, delong, diebold_mariano};
pub use error::CompareError;
pub use estimate::{HacEstimate, cosine_terms, student_quantile, student_tail};
pub use influence::{auc_influence, brier_row, cluster_by_time, log_loss_row};
pub use paired::{
    PairedRows, PairedTest, ScoreMetric, TestMethod, paired_auc, paired_brier, paired_by_time, paired_log_loss,
    paired_mean, paired_returns, paired_sharpe,
};
