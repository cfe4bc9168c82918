//! Time-ordered splits: walk-forward folds, purge, embargo.
//!
//! Rows are trades. Each has a [`Span`] of sessions, from the signal that opened it to the exit that made its label
//! known, and the rows handed in may stand in any order. Windows are counted in sessions, never in rows, so that a busy
//! month does not shorten the history a model sees.
//!
//! | scheme | train rows | used for |
//! |---|---|---|
//! | [`walk_forward`] | end before the test window opens | training and validation of every published figure |
//! | [`purged_k_fold`] | before and after the block, purged and embargoed | diagnostics where data is scarce |
//! | [`inner_split`] | the older part of a training set, purged | early stopping, threshold choice |
//!
//! Not guaranteed: rows of the same session that sit on the same side of a border are not made independent of each
//! other; [`uniqueness`] measures how much they overlap.

mod k_fold;
mod purge;
#[cfg(test)]
mod tests;
mod walk_forward;

pub use k_fold::{InnerSplit, inner_split, purged_k_fold};
pub use purge::{Purged, Span, purge_around, uniqueness};
pub use walk_forward::{Fold, FoldPlan, Scheme, SkipReason, SkippedFold, WalkForward, walk_forward};

/// Why rows cannot be split as asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SplitError {
    /// A window, step or count of zero.
    #[error("`{field}` must be at least 1, found 0")]
    Zero {
        /// The parameter.
        field: &'static str,
    },
    /// Test windows would overlap, and a row would be tested twice.
    #[error("`step` must be at least `test`, or test windows overlap: expected {test} or more, found {step}")]
    OverlappingTests {
        /// Sessions between two test windows.
        step: u32,
        /// Length of a test window in sessions.
        test: u32,
    },
    /// A trade that ends before it begins.
    #[error("row {row} ends in session {t1}, before it begins in session {t0}")]
    BackwardSpan {
        /// Index of the row.
        row: usize,
        /// Session of its signal.
        t0: u32,
        /// Session of its exit.
        t1: u32,
    },
    /// A signal outside the sessions that are split.
    #[error("row {row} begins in session {t0}, outside the sessions {start}..{end}")]
    OutsideSessions {
        /// Index of the row.
        row: usize,
        /// Session of its signal.
        t0: u32,
        /// First session.
        start: u32,
        /// First session past the end.
        end: u32,
    },
    /// A number of folds that the rows cannot fill.
    #[error("expected between 2 and {rows} folds for {rows} rows, found {folds}")]
    FoldCount {
        /// Folds asked for.
        folds: usize,
        /// Rows to split.
        rows: usize,
    },
    /// A share outside the open interval (0, 1).
    #[error("expected a validation share between 0 and 1, found {share}")]
    Share {
        /// The share asked for.
        share: f64,
    },
    /// A row index past the end.
    #[error("expected a row below {rows}, found {row}")]
    NoSuchRow {
        /// The index.
        row: usize,
        /// Number of spans.
        rows: usize,
    },
}
