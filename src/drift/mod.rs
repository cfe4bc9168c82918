//! Drift: does the current window still look like the reference, and does the model still work on it?
//!
//! | question | function | evidence |
//! |---|---|---|
//! | did a column's distribution change? | [`column_drift`] | a distance between the windows, calibrated by permuted blocks of time |
//! | did the model's scores change? | [`prediction_drift`] | the same, over its probabilities |
//! | did the model get worse? | [`performance_drift`] | a fall of the metric, with dependence-aware errors on both windows |
//!
//! The three answers stay apart: features may move without hurting the model, and a model may fail on features that look
//! the same. Each answer has three states, because a window too small to show anything is not healthy but
//! [`Verdict::Inconclusive`].
//!
//! **Mechanism.** Market columns are autocorrelated, so that two windows of one unchanged process differ by far more
//! than the tables of the usual tests allow (a plain Kolmogorov-Smirnov test at 5 % fires on half of all AR(.8) series).
//! The null distribution is therefore made from the data: both windows are joined into a circle, cut at a random phase
//! into blocks longer than the memory of the column, and the blocks are dealt anew to "reference" and "current".
//!
//! *Not guaranteed*: a column like a random walk has no stable distribution to compare; it is reported with the advice
//! to difference it. Nothing here sees a change that leaves every single column's distribution alone.

mod column;
mod config;
mod performance;
mod permutation;
mod report;
mod sample;
mod statistic;

pub use column::{column_drift, prediction_drift};
pub use config::{
    BlockPlan, Calibration, Correction, DriftConfig, DriftStatistic, PerformanceConfig, PerformanceMetric,
};
pub use performance::{MetricDrift, PerformanceReport, WindowSize, performance_drift};
pub use report::{ColumnDriftReport, ColumnReport, MissingReport, Verdict};
pub use sample::{Column, DriftError, Sample, Scored};

#[cfg(test)]
mod measured;
#[cfg(test)]
mod tests;
