//! Proof by experiment that a feature set does not look ahead: what was computed on a cut history must not change when the rest of the
//! history becomes known.

use super::set::FeatureSet;
use crate::expression::EvaluationError;
use crate::market::Bars;

/// A feature whose past changed when its future became known.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CausalityError {
    /// It changed.
    #[error(
        "feature `{feature}` looks ahead: row {row} of `{symbol}` is {with_future} with the whole history and {without_future} cut after \
         {cut} sessions"
    )]
    LooksAhead {
        /// Feature that looks ahead.
        feature: String,
        /// Symbol it was seen on.
        symbol: String,
        /// First bar whose value changed.
        row: usize,
        /// Sessions that were kept.
        cut: usize,
        /// Value on the whole history.
        with_future: f64,
        /// Value on the cut history.
        without_future: f64,
    },
    /// The features could not be computed.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
}

fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

/// Recomputes a set on the first `cut` sessions of all symbols, for each cut, and compares every value with that of the whole history,
/// bit for bit. Returns the number of values compared.
///
/// A cut at or past the end compares the set with itself, and so checks that it is deterministic.
///
/// # Errors
/// The first difference, by cut, symbol, feature and row.
pub fn truncation_check(set: &FeatureSet, bars: &Bars, cuts: &[usize]) -> Result<usize, CausalityError> {
    let whole = set.compute(bars)?;
    let mut compared = 0;
    for &cut in cuts {
        let kept = bars.first_sessions(cut);
        for ((series, whole), part) in kept.series.iter().zip(&whole).zip(set.compute(&kept)?) {
            for ((feature, whole), part) in whole.names.iter().zip(&whole.columns).zip(&part.columns) {
                compared += series.len();
                let changed = (0..series.len())
                    .find(|&row| !matches!((whole.get(row), part.get(row)), (Some(&a), Some(&b)) if same(a, b)));
                if let Some(row) = changed {
                    let at = |column: &[f64]| column.get(row).copied().unwrap_or(f64::NAN);
                    return Err(CausalityError::LooksAhead {
                        feature: feature.clone(),
                        symbol: series.symbol.clone(),
                        row,
                        cut,
                        with_future: at(whole),
                        without_future: at(part),
                    });
                }
            }
        }
    }
    Ok(compared)
}
