//! What can go wrong between a training set and a prediction.

use hessboost::error::HessboostError;

use super::training_set::Task;
use crate::base::Cancelled;
use crate::split::SplitError;

/// Why a model could not be configured, fitted, loaded or judged.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A family that this program knows of but does not have.
    #[error("model family `{kind}` is not built; built are {built}")]
    NotBuilt {
        /// The family asked for.
        kind: String,
        /// Names of those that exist.
        built: String,
    },
    /// A family nobody knows.
    #[error("unknown model family `{kind}`, expected one of {built}")]
    UnknownFamily {
        /// The family asked for.
        kind: String,
        /// Names of those that exist.
        built: String,
    },
    /// A name that stands for a family with one parameter set, beside another value of it.
    #[error("`{alias}` is `{family}` with `{parameter}: {word}`, found `{parameter}: {found}`; write `kind: {family}`")]
    Alias {
        /// The name.
        alias: &'static str,
        /// The family it stands for.
        family: &'static str,
        /// The parameter it sets.
        parameter: &'static str,
        /// What it sets it to.
        word: &'static str,
        /// What was written.
        found: String,
    },
    /// A model that does not say its family.
    #[error("expected `kind:` with the name of a model family")]
    NoKind,
    /// Parameters that do not read.
    #[error("parameters of model family `{family}` do not read")]
    Parameters {
        /// The family they were written for.
        family: &'static str,
        /// What the reader found.
        #[source]
        source: serde_json::Error,
    },
    /// A parameter outside its range.
    #[error("parameter `{name}` out of range: expected {expected}, found {found}")]
    OutOfRange {
        /// The parameter.
        name: &'static str,
        /// Its range.
        expected: &'static str,
        /// What was given.
        found: String,
    },
    /// Columns, rows, labels or weights that do not fit together.
    #[error("{what} do not match: expected {expected}, found {found}")]
    Shape {
        /// What was counted.
        what: &'static str,
        /// The count of the rest.
        expected: usize,
        /// The count of this.
        found: usize,
    },
    /// Nothing to learn from.
    #[error("insufficient samples: {found} < {needed}")]
    TooFewRows {
        /// Rows given.
        found: usize,
        /// Rows needed.
        needed: usize,
    },
    /// A label that is neither 0 nor 1.
    #[error("label of row {row} must be 0 or 1, found {found}")]
    Label {
        /// Index of the row.
        row: usize,
        /// Its label.
        found: f64,
    },
    /// A target of a regression that is infinite or NaN.
    #[error("target of row {row} must be finite, found {found}")]
    Target {
        /// Index of the row.
        row: usize,
        /// Its target.
        found: f64,
    },
    /// A task that the family cannot learn.
    #[error("model family `{family}` cannot learn a {task}, only: {able}")]
    Task {
        /// The family.
        family: &'static str,
        /// What was asked of it.
        task: Task,
        /// What it can learn.
        able: String,
    },
    /// A parameter that a task has no use for.
    #[error("`{name}` has no meaning in a {task}")]
    ForTask {
        /// The parameter.
        name: &'static str,
        /// The task.
        task: Task,
    },
    /// A parameter that speaks of a feature that is not there.
    #[error("`{name}` speaks of `{feature}`, which is no feature of the training set; those are {known}")]
    UnknownFeature {
        /// The parameter.
        name: &'static str,
        /// The feature it speaks of.
        feature: String,
        /// Names of those that exist.
        known: String,
    },
    /// What the library for gradient boosting refused.
    #[error("gradient boosting failed")]
    Boosting(#[source] HessboostError),
    /// Early stopping without rows to stop on.
    #[error("model family `{family}` stops early: expected a validation set, found none")]
    NoValidation {
        /// The family.
        family: &'static str,
    },
    /// Weights or a meta-learner that are fitted out of fold, asked for without folds.
    #[error("this ensemble is put together by out-of-fold predictions: it is trained on folds, not on rows alone")]
    NeedsFolds,
    /// A validation set of another task.
    #[error("the training set is a {expected}, its validation set a {found}")]
    ValidationTask {
        /// Task of the training set.
        expected: Task,
        /// Task of the validation set.
        found: Task,
    },
    /// A weight that is negative, infinite or NaN.
    #[error("weight of row {row} must be finite and not negative, found {found}")]
    Weight {
        /// Index of the row.
        row: usize,
        /// Its weight.
        found: f64,
    },
    /// Weights that are all 0.
    #[error("no row has a weight above 0")]
    NoWeight,
    /// An infinite feature; NaN would be a missing value, this is a fault upstream.
    #[error("feature {column} of row {row} is infinite (a missing value is NaN)")]
    InfiniteFeature {
        /// Index of the row.
        row: usize,
        /// Index of the column.
        column: usize,
    },
    /// All labels equal: no probability can be learnt.
    #[error("all {rows} labels are {label}: a model needs both classes")]
    OneClass {
        /// Rows that carry weight.
        rows: usize,
        /// Their label.
        label: u8,
    },
    /// The optimiser stopped before the gradient vanished.
    #[error("not converged after {iterations} iterations: gradient norm {gradient_norm:e}, tolerance {tolerance:e}")]
    NotConverged {
        /// Iterations done.
        iterations: u64,
        /// Largest component of the gradient of the mean loss.
        gradient_norm: f64,
        /// What it should have fallen to.
        tolerance: f64,
    },
    /// The optimiser refused its own settings.
    #[error("optimiser failed: {0}")]
    Optimiser(String),
    /// A probability outside [0, 1] handed to a calibrator.
    #[error("probability of row {row} must be between 0 and 1, found {found}")]
    Probability {
        /// Index of the row.
        row: usize,
        /// What was found.
        found: f64,
    },
    /// A walk-forward without a single usable fold.
    #[error("no fold can be trained: {skipped} skipped")]
    NoFolds {
        /// Folds that were skipped.
        skipped: usize,
    },
    /// A stored model of a format this program does not know.
    #[error("model format version {found} is not supported, expected {expected}")]
    FormatVersion {
        /// Version in the file.
        found: u64,
        /// Version this program writes and reads.
        expected: u32,
    },
    /// A stored model that contradicts itself.
    #[error("stored model is damaged: {0}")]
    Damaged(String),
    /// A stored model that is not JSON of the right form.
    #[error("stored model does not read")]
    Unreadable(#[source] serde_json::Error),
    /// Folds that could not be laid.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// The work was asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// An error raised inside linfa.
    #[error(transparent)]
    Linfa(#[from] linfa::Error),
}
