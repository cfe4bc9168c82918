//! Proof by experiment that a feature set does not look ahead: what was computed on a cut history must not change when the rest of the
//! history becomes known.

use super::set::FeatureSet;
use crate::market::Series;

/// A feature whose past changed when its future became known.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "feature `{feature}` looks ahead: row {row} of `{symbol}` is {with_future} with the whole history and {without_future} cut after {cut} bars"
)]
pub struct CausalityError {
    /// Feature that looks ahead.
    pub feature: String,
    /// Symbol it was seen on.
    pub symbol: String,
    /// First bar whose value changed.
    pub row: usize,
    /// Bars that were kept.
    pub cut: usize,
    /// Value on the whole history.
    pub with_future: f64,
    /// Value on the cut history.
    pub without_future: f64,
}

fn cut_series(series: &Series, bars: usize) -> Series {
    let head = |column: &[f64]| column[..bars.min(column.len())].to_vec();
    Series {
        symbol: series.symbol.clone(),
        session: series.session[..bars.min(series.session.len())].to_vec(),
        open: head(&series.open),
        high: head(&series.high),
        low: head(&series.low),
        close: head(&series.close),
        volume: head(&series.volume),
        extra: series.extra.iter().map(|(name, values)| (name.clone(), head(values))).collect(),
    }
}

fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

/// Recomputes a set on the first `cut` bars, for each cut, and compares every value with that of the whole history, bit for bit.
///
/// The calendar is cut at the last kept bar too. A cut at or past the end compares the set with itself, and so checks that it is
/// deterministic.
///
/// # Errors
/// The first difference, by cut, feature and row.
pub fn truncation_check(
    set: &FeatureSet,
    series: &Series,
    sessions: &[i64],
    cuts: &[usize],
) -> Result<(), CausalityError> {
    let whole = set.compute(series, sessions);
    for &cut in cuts {
        let kept = cut_series(series, cut);
        let known = kept.session.last().map_or(0, |&last| (last as usize + 1).min(sessions.len()));
        let part = set.compute(&kept, &sessions[..known]);
        for ((feature, whole), part) in whole.names.iter().zip(&whole.columns).zip(&part.columns) {
            let changed = (0..kept.len())
                .find(|&row| !matches!((whole.get(row), part.get(row)), (Some(&a), Some(&b)) if same(a, b)));
            if let Some(row) = changed {
                let at = |column: &[f64]| column.get(row).copied().unwrap_or(f64::NAN);
                return Err(CausalityError {
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
    Ok(())
}
