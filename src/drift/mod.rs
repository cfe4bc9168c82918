//! Drift: does the current window still look like the reference, and does the model still work on it?
//!
//! | question | function | evidence |
//! |---|---|---|
//! | did a column's distribution change? | [`column_drift`] | distances between the windows, calibrated by permuted blocks of time |
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
//! to difference it. Nothing here sees a change that leaves every single column alone, unless the domain classifier is on.

mod column;
mod config;
mod domain;
mod judge;
mod label_free;
mod null;
mod peers;
mod performance;
mod permutation;
mod prepare;
mod report;
mod resampled;
mod sample;
mod shift;
mod sieve;
mod split;
mod statistic;

pub use column::{column_drift, prediction_drift};
pub use config::{
    BlockPlan, Calibration, ColumnOverride, Correction, DriftConfig, DriftStatistic, PerformanceConfig,
    PerformanceMetric, PerformanceRule,
};
pub use domain::DomainReport;
pub use label_free::{LabelFreeEstimate, label_free_estimate};
pub use performance::{AbsoluteError, MetricDrift, PerformanceReport, WindowSize, performance_drift};
pub use report::{
    CategoryReport, ColumnDriftReport, ColumnReport, Evidence, MissingReport, PartVerdict, Shape, Verdict,
};
pub use sample::{Column, DriftError, Sample, Scored};

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
