//! The inner split of a training set: older rows to fit on, younger ones to stop or choose by.

use super::SplitError;
use super::purge::{Span, check_spans};

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

/// Cuts off the last `validation_share` of the sessions over which `rows` have signals, and purges.
///
/// The validation part has at least one session. The train part can be empty when the signals do not allow a cut.
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
    let signals = || rows.iter().map(|&row| spans[row].t0);
    let (Some(first), Some(last)) = (signals().min(), signals().max()) else { return Ok(split) };
    let younger = ((f64::from(last - first) + 1.0) * validation_share).round().max(1.0) as u32;
    let opens = last - (younger - 1);
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
