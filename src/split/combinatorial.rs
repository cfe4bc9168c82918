//! Folds around blocks of sessions: purged k-fold, and its combinatorial kind.
//!
//! ```text
//! sessions   |  0  |  1  |  2  |  3  |      4 blocks, 2 tested at once: 6 folds, 3 paths
//! fold 0     | test| test|     |     |      path 0 takes block 0 from fold 0, block 1 from fold 0, block 2 from fold 1, ...
//! fold 1     | test|     | test|     |      path 1 takes block 0 from fold 1, block 1 from fold 3, ...
//! ```
//!
//! Train rows may follow test rows here, and a model may learn from the future of what it is tested on. No figure of such
//! folds is out of sample in the sense of [`super::walk_forward`]: [`FoldPlan::looks_ahead`] says so.

use std::ops::Range;

use super::SplitError;
use super::purge::{Purged, Span, check_spans, purge_around};
use super::walk_forward::{Fold, FoldPlan};

/// Most folds of a combinatorial plan: each is a model to fit.
pub const MAX_COMBINATIONS: usize = 500;

/// How history is cut into blocks, and how few rows are still worth a fold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// Blocks of sessions.
    pub folds: usize,
    /// Blocks tested at once.
    pub test_folds: usize,
    /// Sessions after a test block whose signals are not learnt from.
    pub embargo: u32,
    /// Folds with fewer train rows left are skipped.
    pub min_train_samples: usize,
    /// Folds with fewer test rows are skipped.
    pub min_test_samples: usize,
}

/// Tests each block of sessions against the rest.
///
/// # Errors
/// As [`combinatorial_purged`] with one block tested at a time.
///
/// # References
/// López de Prado (2018), *Advances in Financial Machine Learning*, section 7.4.
pub fn purged_k_fold(spans: &[Span], blocks: Blocks) -> Result<FoldPlan, SplitError> {
    let plan = combinatorial_purged(spans, Blocks { test_folds: 1, ..blocks })?;
    Ok(FoldPlan { paths: Vec::new(), ..plan })
}

/// Tests every choice of `test_folds` blocks of sessions against the rest.
///
/// The sessions from the first signal to the last are cut into `folds` blocks of equal length, the first
/// `sessions % folds` one longer. A row is tested where its signal falls. Rows that share a session with a tested block
/// (from its first signal to its last exit) are purged, those that begin within `embargo` sessions after it are embargoed.
///
/// Each block is tested by `C(folds - 1, test_folds - 1)` folds. Path `p` takes each block from the `p`-th fold that tests
/// it, so that every path is one prediction of the whole history; `paths[p][block]` is the index of that fold, which may
/// be one that was skipped.
///
/// # Errors
/// Fewer than two blocks or more than sessions, no test block or no other, more than [`MAX_COMBINATIONS`] folds, a
/// backward span.
///
/// # References
/// López de Prado (2018), *Advances in Financial Machine Learning*, section 12.4.
pub fn combinatorial_purged(spans: &[Span], blocks: Blocks) -> Result<FoldPlan, SplitError> {
    let Blocks { folds, test_folds, .. } = blocks;
    check_counts(folds, test_folds)?;
    check_spans(spans)?;
    let first = spans.iter().map(|span| span.t0).min().unwrap_or(0);
    let end = spans.iter().map(|span| span.t0 + 1).max().unwrap_or(0);
    if (end - first) as usize >= folds {
        let windows = cut(first..end, folds);
        return plan(spans, &windows, blocks);
    }
    Err(SplitError::FoldCount { folds, sessions: (end - first) as usize })
}

/// Refuses counts that no history can be cut by.
pub(super) fn check_counts(folds: usize, test_folds: usize) -> Result<(), SplitError> {
    if folds < 2 {
        return Err(SplitError::TooFewFolds { folds });
    }
    if test_folds == 0 || test_folds >= folds {
        return Err(SplitError::TestFolds { folds, test_folds });
    }
    let mut count = 1_usize;
    for step in 0..test_folds {
        // the product of the first k factors is divisible by k!
        count = count.saturating_mul(folds - step) / (step + 1);
        if count > MAX_COMBINATIONS.saturating_mul(folds) {
            break;
        }
    }
    if count > MAX_COMBINATIONS {
        return Err(SplitError::TooManyCombinations { folds, test_folds, limit: MAX_COMBINATIONS });
    }
    Ok(())
}

fn plan(spans: &[Span], windows: &[Range<u32>], blocks: Blocks) -> Result<FoldPlan, SplitError> {
    let mut plan = FoldPlan { looks_ahead: true, embargo: blocks.embargo, ..FoldPlan::default() };
    let mut tested_by: Vec<Vec<usize>> = vec![Vec::new(); windows.len()];
    for (index, chosen) in combinations(windows.len(), blocks.test_folds).into_iter().enumerate() {
        chosen.iter().for_each(|&block| tested_by[block].push(index));
        let test_blocks: Vec<Range<u32>> = chosen.iter().map(|&block| windows[block].clone()).collect();
        plan.add(
            fold(spans, index, windows, test_blocks, blocks.embargo)?,
            blocks.min_train_samples,
            blocks.min_test_samples,
        );
    }
    let paths = tested_by.iter().map(Vec::len).min().unwrap_or(0);
    plan.paths = (0..paths).map(|path| tested_by.iter().map(|folds| folds[path]).collect()).collect();
    Ok(plan)
}

fn fold(
    spans: &[Span],
    index: usize,
    windows: &[Range<u32>],
    test_blocks: Vec<Range<u32>>,
    embargo: u32,
) -> Result<Fold, SplitError> {
    let rows_of =
        |block: &Range<u32>| -> Vec<usize> { (0..spans.len()).filter(|&row| block.contains(&spans[row].t0)).collect() };
    let tested: Vec<Vec<usize>> = test_blocks.iter().map(rows_of).collect();
    let Purged { kept, purged, embargoed } = purge_around(spans, &tested, embargo)?;
    let mut test = tested.concat();
    test.sort_unstable();
    let hull = |ranges: &[Range<u32>]| match (ranges.first(), ranges.last()) {
        (Some(first), Some(last)) => first.start..last.end,
        _ => 0..0,
    };
    Ok(Fold {
        index,
        train_window: hull(windows),
        test_window: hull(&test_blocks),
        test_blocks,
        train: kept,
        test,
        purged,
        embargoed,
    })
}

/// Cuts sessions into blocks of equal length, the first ones longer by one where they do not divide.
fn cut(sessions: Range<u32>, blocks: usize) -> Vec<Range<u32>> {
    let (length, count) = (sessions.end - sessions.start, blocks as u32);
    let mut start = sessions.start;
    let one = |index: u32| {
        let end = start + length / count + u32::from(index < length % count);
        let block = start..end;
        start = end;
        block
    };
    (0..count).map(one).collect()
}

/// Every choice of `k` of `n`, in lexicographic order.
fn combinations(n: usize, k: usize) -> Vec<Vec<usize>> {
    if k == 0 {
        return vec![Vec::new()];
    }
    let with_first = |first: usize| {
        let rest = combinations(n - first - 1, k - 1);
        rest.into_iter()
            .map(move |rest| std::iter::once(first).chain(rest.into_iter().map(|i| i + first + 1)).collect())
    };
    (0..=n - k).flat_map(with_first).collect()
}
