//! Functions over the symbols of one date: known values in the order of symbols, to a result for each.

use crate::stats::order::midranks;
use crate::stats::sum::{mean, std_dev};

/// The same result for every symbol.
pub(super) fn all(x: &[f64], value: Option<f64>) -> Vec<f64> {
    vec![value.unwrap_or(f64::NAN); x.len()]
}

pub(super) fn rank(x: &[f64]) -> Vec<f64> {
    let n = x.len() as f64;
    midranks(x).into_iter().map(|rank| rank / n).collect()
}

pub(super) fn demean(x: &[f64]) -> Vec<f64> {
    let centre = mean(x).unwrap_or(f64::NAN);
    x.iter().map(|value| value - centre).collect()
}

pub(super) fn zscore(x: &[f64]) -> Vec<f64> {
    match std_dev(x, 1) {
        Some(spread) if spread > 0.0 => demean(x).into_iter().map(|distance| distance / spread).collect(),
        _ => all(x, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_share_ties_and_end_at_one() {
        assert_eq!(rank(&[3.0, 1.0, 3.0, 2.0]), [0.875, 0.25, 0.875, 0.5]);
    }

    #[test]
    fn equal_symbols_have_no_score_and_no_distance() {
        assert!(zscore(&[2.0, 2.0]).iter().all(|score| score.is_nan()));
        assert!(zscore(&[2.0])[0].is_nan());
        assert_eq!(demean(&[2.0, 2.0]), [0.0, 0.0]);
    }
}
