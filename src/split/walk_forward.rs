//! Walk-forward folds: learn on the past, test on the window that follows it.

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SplitError;
use super::purge::{Span, check_spans};

/// How the training window moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// The last `train` sessions before each test window.
    #[default]
    Rolling,
    /// All sessions before each test window, `train` at the first.
    Expanding,
}

/// Lengths of the windows, in sessions, and how few rows are still worth a fold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WalkForward {
    /// How the training window moves.
    pub scheme: Scheme,
    /// Length of the training window (of the first one when expanding).
    #[schemars(range(min = 1))]
    pub train: u32,
    /// Length of a test window.
    #[schemars(range(min = 1))]
    pub test: u32,
    /// Sessions between the starts of two test windows; at least `test`.
    #[schemars(range(min = 1))]
    pub step: u32,
    /// Sessions after a test block whose signals are not learnt from. It acts where train rows follow test rows, as in a
    /// purged k-fold; in a walk-forward none do.
    pub embargo: u32,
    /// Folds with fewer train rows left after the purge are skipped.
    pub min_train_samples: usize,
    /// Folds with fewer test rows are skipped.
    pub min_test_samples: usize,
}

impl Default for WalkForward {
    fn default() -> Self {
        Self {
            scheme: Scheme::Rolling,
            train: 504,
            test: 63,
            step: 63,
            embargo: 5,
            min_train_samples: 100,
            min_test_samples: 20,
        }
    }
}

/// One train set and the test block it may be judged on; every list is in row order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fold {
    /// Number of the fold in time, skipped ones included.
    pub index: usize,
    /// Sessions whose signals may be learnt from.
    pub train_window: Range<u32>,
    /// Sessions whose signals are tested; from the first to the last block where there are several.
    pub test_window: Range<u32>,
    /// The blocks of sessions that are tested, in time order: one, but for combinatorial folds.
    pub test_blocks: Vec<Range<u32>>,
    /// Rows to learn from.
    pub train: Vec<usize>,
    /// Rows to predict.
    pub test: Vec<usize>,
    /// Rows of the train window whose label was not known when the test window opened.
    pub purged: Vec<usize>,
    /// Rows of the train window that follow a test block too closely.
    pub embargoed: Vec<usize>,
}

/// Why a fold is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum SkipReason {
    /// Too little to learn from after the purge.
    #[error("insufficient train samples: {found} < {needed}")]
    TooFewTrainRows {
        /// Rows left.
        found: usize,
        /// Rows asked for.
        needed: usize,
    },
    /// Too little to test on.
    #[error("insufficient test samples: {found} < {needed}")]
    TooFewTestRows {
        /// Rows in the window.
        found: usize,
        /// Rows asked for.
        needed: usize,
    },
}

/// A fold that is listed, but neither trained nor tested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedFold {
    /// Number of the fold in time.
    pub index: usize,
    /// Sessions it would have learnt from.
    pub train_window: Range<u32>,
    /// Sessions it would have tested.
    pub test_window: Range<u32>,
    /// Why it is left out.
    pub reason: SkipReason,
}

/// Folds, in time order of their test blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoldPlan {
    /// Folds to run.
    pub folds: Vec<Fold>,
    /// Folds with too few rows.
    pub skipped: Vec<SkippedFold>,
    /// Whether train rows may follow test rows: then no figure is what could have been known at the time.
    pub looks_ahead: bool,
    /// Sessions after a test block whose signals are not learnt from, where train rows may follow test rows.
    pub embargo: u32,
    /// Combinatorial folds only: for each path through history, the fold that predicts each block.
    pub paths: Vec<Vec<usize>>,
}

/// Lays walk-forward folds over a range of sessions.
///
/// Test window `k` is `[T_k, T_k + test)` with `T_k = start + train + k * step`; the last one may be cut short by the end
/// of the data. A row is tested where its signal falls. A row is learnt from when its signal falls into the train window
/// and its label was known before the test window opened: `t1 < T_k`; the others are purged.
///
/// Fewer sessions than `train` give a plan without folds, not an error: the caller knows how many rows it needed.
///
/// # Errors
/// A window or step of zero, a step shorter than the test window, a backward span, a signal outside `sessions`.
pub fn walk_forward(spans: &[Span], sessions: Range<u32>, config: &WalkForward) -> Result<FoldPlan, SplitError> {
    check_config(config)?;
    check_spans(spans)?;
    if let Some((row, span)) = spans.iter().enumerate().find(|(_, span)| !sessions.contains(&span.t0)) {
        return Err(SplitError::OutsideSessions { row, t0: span.t0, start: sessions.start, end: sessions.end });
    }
    let mut plan = FoldPlan::default();
    let mut opening = sessions.start.checked_add(config.train);
    for index in 0.. {
        let Some(opens) = opening.filter(|&opens| opens < sessions.end) else { break };
        let test_window = opens..opens.saturating_add(config.test).min(sessions.end);
        let train_window = match config.scheme {
            Scheme::Rolling => opens - config.train..opens,
            Scheme::Expanding => sessions.start..opens,
        };
        plan.add(cut(spans, index, train_window, test_window), config.min_train_samples, config.min_test_samples);
        opening = opens.checked_add(config.step);
    }
    Ok(plan)
}

fn check_config(config: &WalkForward) -> Result<(), SplitError> {
    for (field, value) in [("train", config.train), ("test", config.test), ("step", config.step)] {
        if value == 0 {
            return Err(SplitError::Zero { field });
        }
    }
    if config.step < config.test {
        return Err(SplitError::OverlappingTests { step: config.step, test: config.test });
    }
    Ok(())
}

fn cut(spans: &[Span], index: usize, train_window: Range<u32>, test_window: Range<u32>) -> Fold {
    let (mut train, mut test, mut purged) = (Vec::new(), Vec::new(), Vec::new());
    for (row, span) in spans.iter().enumerate() {
        if test_window.contains(&span.t0) {
            test.push(row);
        } else if train_window.contains(&span.t0) {
            if span.t1 < test_window.start { train.push(row) } else { purged.push(row) }
        }
    }
    let test_blocks = vec![test_window.clone()];
    Fold { index, train_window, test_window, test_blocks, train, test, purged, embargoed: Vec::new() }
}

impl FoldPlan {
    /// Adds a fold to those that are run, or to those that are skipped.
    pub(super) fn add(&mut self, fold: Fold, min_train_samples: usize, min_test_samples: usize) {
        match shortage(&fold, min_train_samples, min_test_samples) {
            None => self.folds.push(fold),
            Some(reason) => {
                let Fold { index, train_window, test_window, .. } = fold;
                self.skipped.push(SkippedFold { index, train_window, test_window, reason });
            }
        }
    }
}

fn shortage(fold: &Fold, min_train_samples: usize, min_test_samples: usize) -> Option<SkipReason> {
    // an empty side is never a fold, whatever the configured minimum
    let (needed_train, needed_test) = (min_train_samples.max(1), min_test_samples.max(1));
    if fold.train.len() < needed_train {
        Some(SkipReason::TooFewTrainRows { found: fold.train.len(), needed: needed_train })
    } else if fold.test.len() < needed_test {
        Some(SkipReason::TooFewTestRows { found: fold.test.len(), needed: needed_test })
    } else {
        None
    }
}
