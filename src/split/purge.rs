//! Spans of labels, and which of them a test block contaminates.

use crate::stats::concurrency::mean_share;
use serde::{Deserialize, Serialize};

use super::SplitError;

/// The sessions over which a label is made: a label is unknown until `t1` has closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// Session of the signal.
    pub t0: u32,
    /// Session of the exit, inclusive.
    pub t1: u32,
}

impl Span {
    /// Joins the session of a signal and that of its exit.
    pub const fn new(t0: u32, t1: u32) -> Self {
        Self { t0, t1 }
    }

    /// Says whether two spans share a session.
    pub const fn overlaps(self, other: Self) -> bool {
        self.t0 <= other.t1 && other.t0 <= self.t1
    }
}

/// The rows outside a test block, by what may be done with them; each list is in row order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// May be learnt from.
    pub kept: Vec<usize>,
    /// Share a session with the block.
    pub purged: Vec<usize>,
    /// Begin within the embargo after a block.
    pub embargoed: Vec<usize>,
}

/// Sorts the rows outside the test blocks into kept, purged and embargoed.
///
/// A block reaches from the smallest `t0` of its rows to their largest `t1`. A row is purged when its span shares a
/// session with a block, and embargoed when it begins in `(max t1, max t1 + embargo]` of one. Blocks are treated one by
/// one, so that a hole between two of them can still be learnt from.
///
/// # Errors
/// A span that ends before it begins; a block that names a row which does not exist.
///
/// # References
/// López de Prado (2018), *Advances in Financial Machine Learning*, chapter 7.
pub fn purge_around(spans: &[Span], blocks: &[Vec<usize>], embargo: u32) -> Result<Purged, SplitError> {
    check_spans(spans)?;
    let mut is_tested = vec![false; spans.len()];
    let mut reaches = Vec::with_capacity(blocks.len());
    for block in blocks {
        for &row in block {
            *is_tested.get_mut(row).ok_or(SplitError::NoSuchRow { row, rows: spans.len() })? = true;
        }
        let reach = block.iter().map(|&row| spans[row]).reduce(|a, b| Span::new(a.t0.min(b.t0), a.t1.max(b.t1)));
        reaches.extend(reach);
    }
    let is_embargoed = |span: Span, reach: &Span| span.t0 > reach.t1 && span.t0 - reach.t1 <= embargo;
    let mut sorted = Purged::default();
    for (row, &span) in spans.iter().enumerate().filter(|(row, _)| !is_tested[*row]) {
        if reaches.iter().any(|reach| span.overlaps(*reach)) {
            sorted.purged.push(row);
        } else if reaches.iter().any(|reach| is_embargoed(span, reach)) {
            sorted.embargoed.push(row);
        } else {
            sorted.kept.push(row);
        }
    }
    Ok(sorted)
}

/// Average uniqueness of each label: the mean over its sessions of 1 / (number of labels alive in that session).
///
/// A label that overlaps no other has 1. Used as sample weight, and as probability of being drawn into a bootstrap.
///
/// # Errors
/// A span that ends before it begins.
///
/// # References
/// López de Prado (2018), *Advances in Financial Machine Learning*, section 4.4.
pub fn uniqueness(spans: &[Span]) -> Result<Vec<f64>, SplitError> {
    check_spans(spans)?;
    let steps: Vec<(u32, u32)> = spans.iter().map(|span| (span.t0, span.t1)).collect();
    Ok(mean_share(&steps))
}

pub(super) fn check_spans(spans: &[Span]) -> Result<(), SplitError> {
    match spans.iter().enumerate().find(|(_, span)| span.t1 < span.t0) {
        Some((row, &Span { t0, t1 })) => Err(SplitError::BackwardSpan { row, t0, t1 }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_reaches_from_its_first_signal_to_its_last_exit() {
        let spans = [(0, 3), (0, 4), (5, 9), (6, 7), (9, 9), (10, 11), (12, 13)].map(|(t0, t1)| Span::new(t0, t1));
        let sorted = purge_around(&spans, &[vec![2, 3]], 1).unwrap();
        assert_eq!(sorted, Purged { kept: vec![0, 1, 6], purged: vec![4], embargoed: vec![5] });
    }

    #[test]
    fn a_hole_between_two_blocks_is_kept() {
        let spans: Vec<Span> = (0..9).map(|t| Span::new(t, t)).collect();
        let sorted = purge_around(&spans, &[vec![0, 1], vec![7, 8]], 1).unwrap();
        assert_eq!(sorted.kept, [3, 4, 5, 6]);
        assert_eq!(sorted.embargoed, [2]);
    }

    #[test]
    fn uniqueness_is_the_mean_share_of_a_label_in_its_sessions() {
        let spans = [Span::new(0, 1), Span::new(1, 2), Span::new(5, 5)];
        assert_eq!(uniqueness(&spans).unwrap(), [0.75, 0.75, 1.0]);
        assert_eq!(uniqueness(&[]).unwrap(), [0.0; 0]);
    }

    #[test]
    fn a_backward_span_is_refused_by_row() {
        let error = uniqueness(&[Span::new(1, 1), Span::new(4, 3)]).unwrap_err();
        assert_eq!(error, SplitError::BackwardSpan { row: 1, t0: 4, t1: 3 });
    }
}
