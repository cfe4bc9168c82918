//! Splits whose train rows may follow the test rows, and the inner split of a training set.

use super::SplitError;
use super::purge::{Span, check_spans, purge_around};
use super::walk_forward::Fold;

/// Cuts the rows, in order of their signals, into `folds` blocks and tests each against the rest.
///
/// Blocks hold equally many rows, the first `rows % folds` one more. Rows that share a session with the block are
/// purged, those that begin within `embargo` sessions after it are embargoed. Windows of a fold are the sessions of its
/// signals.
///
/// This lets a model learn from the future of what it is tested on: it is for diagnostics, and no figure from it is
/// out of sample in the sense of [`super::walk_forward`].
///
/// # Errors
/// Fewer than two folds or more folds than rows; a backward span.
///
/// # References
/// López de Prado (2018), *Advances in Financial Machine Learning*, section 7.4.
pub fn purged_k_fold(spans: &[Span], folds: usize, embargo: u32) -> Result<Vec<Fold>, SplitError> {
    if folds < 2 || folds > spans.len() {
        return Err(SplitError::FoldCount { folds, rows: spans.len() });
    }
    check_spans(spans)?;
    let order = by_signal(spans, 0..spans.len());
    let (size, longer) = (spans.len() / folds, spans.len() % folds);
    let train_window = signals(spans, &order);
    let mut start = 0;
    (0..folds)
        .map(|index| {
            let end = start + size + usize::from(index < longer);
            let mut test = order[start..end].to_vec();
            start = end;
            let test_window = signals(spans, &test);
            test.sort_unstable();
            let blocks = [test];
            let sorted = purge_around(spans, &blocks, embargo)?;
            let [test] = blocks;
            Ok(Fold {
                index,
                train_window: train_window.clone(),
                test_window,
                train: sorted.kept,
                test,
                purged: sorted.purged,
                embargoed: sorted.embargoed,
            })
        })
        .collect()
}

/// A training set cut in two: the older rows to fit on, the younger to stop or choose by. Lists are in row order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InnerSplit {
    /// Rows to fit on.
    pub train: Vec<usize>,
    /// Rows to choose by.
    pub validation: Vec<usize>,
    /// Older rows whose label reaches into the validation part.
    pub purged: Vec<usize>,
}

/// Cuts `rows` at the signal that leaves about `validation_share` of them on the younger side, and purges.
///
/// Rows of one session are never torn apart, so that the younger part may be larger than asked for. Either part can be
/// empty when the signals do not allow a cut.
///
/// # Errors
/// A share outside (0, 1); a row that does not exist; a backward span.
pub fn inner_split(spans: &[Span], rows: &[usize], validation_share: f64) -> Result<InnerSplit, SplitError> {
    if !(validation_share > 0.0 && validation_share < 1.0) {
        return Err(SplitError::Share { share: validation_share });
    }
    check_spans(spans)?;
    if let Some(&row) = rows.iter().find(|&&row| row >= spans.len()) {
        return Err(SplitError::NoSuchRow { row, rows: spans.len() });
    }
    let mut split = InnerSplit { train: Vec::new(), validation: Vec::new(), purged: Vec::new() };
    let order = by_signal(spans, rows.iter().copied());
    let position = ((1.0 - validation_share) * rows.len() as f64).floor() as usize;
    let Some(opens) = order.get(position).map(|&row| spans[row].t0) else { return Ok(split) };
    let mut in_order = rows.to_vec();
    in_order.sort_unstable();
    for row in in_order {
        let Span { t0, t1 } = spans[row];
        if t0 >= opens {
            split.validation.push(row);
        } else if t1 < opens {
            split.train.push(row);
        } else {
            split.purged.push(row);
        }
    }
    Ok(split)
}

fn by_signal(spans: &[Span], rows: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut order: Vec<usize> = rows.collect();
    order.sort_by_key(|&row| (spans[row].t0, row));
    order
}

/// The sessions between the first and the last signal of rows in signal order.
fn signals(spans: &[Span], order: &[usize]) -> std::ops::Range<u32> {
    match (order.first(), order.last()) {
        (Some(&first), Some(&last)) => spans[first].t0..spans[last].t0.saturating_add(1),
        _ => 0..0,
    }
}
