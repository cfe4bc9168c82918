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
//! | [`combinatorial_purged`] | around several blocks at once | the spread of a score over many histories |
//! | [`inner_split`] | the older part of a training set, purged | early stopping, feature selection |
//!
//! [`Validation`] is what a user writes of the first three.
//!
//! Not guaranteed: rows of the same session that sit on the same side of a border are not made independent of each
//! other; [`uniqueness`] measures how much they overlap.

mod combinatorial;
mod inner;
mod purge;
#[cfg(test)]
mod tests;
mod validation;
mod walk_forward;

pub use combinatorial::{Blocks, MAX_COMBINATIONS, combinatorial_purged, purged_k_fold};
pub use inner::{InnerSplit, inner_split};
pub use purge::{Purged, Span, purge_around, uniqueness};
pub use validation::{Validation, ValidationScheme};
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
    /// A number of blocks that the sessions cannot fill.
    #[error("`folds` is {folds}, and the signals lie within {sessions} sessions: write fewer")]
    FoldCount {
        /// Blocks asked for.
        folds: usize,
        /// Sessions to cut.
        sessions: usize,
    },
    /// Fewer blocks than a test and a train part need.
    #[error("`folds` must be at least 2, found {folds}")]
    TooFewFolds {
        /// Blocks asked for.
        folds: usize,
    },
    /// A number of test blocks that leaves nothing to test or nothing to learn from.
    #[error("`test_folds` must be between 1 and {} for {folds} folds, found {test_folds}", folds.saturating_sub(1))]
    TestFolds {
        /// Blocks.
        folds: usize,
        /// Blocks tested at once.
        test_folds: usize,
    },
    /// More models to fit than anybody waits for.
    #[error("{folds} choose {test_folds} is more than {limit} folds: write fewer `folds`, or `test_folds: 2`")]
    TooManyCombinations {
        /// Blocks.
        folds: usize,
        /// Blocks tested at once.
        test_folds: usize,
        /// Most that are allowed.
        limit: usize,
    },
    /// A key that the scheme does not read.
    #[error("`{field}` belongs to {belongs_to}, and the scheme is `{scheme}`: remove it, or change the scheme")]
    ForeignKey {
        /// The key.
        field: &'static str,
        /// The schemes that read it.
        belongs_to: &'static str,
        /// The scheme that was asked for.
        scheme: &'static str,
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
