//! True range and its averages.

use super::average::wilder;
use super::ratio;
use super::run::{each_bar, each_run_single};

/// Larger of the bar's own range and its reach from the previous close.
pub(super) fn true_range_of(high: f64, low: f64, previous_close: f64) -> f64 {
    (high - low).max((high - previous_close).abs()).max((low - previous_close).abs())
}

/// True range, `max(H-L, |H-C[t-1]|, |L-C[t-1]|)`; the first bar has no previous close and no value.
///
/// # References
/// Wilder, 1978, New Concepts in Technical Trading Systems.
pub fn true_range(high: &[f64], low: &[f64], close: &[f64]) -> Vec<f64> {
    each_run_single([high, low, close], |[high, low, close], out| {
        for t in 1..close.len() {
            out[t] = true_range_of(high[t], low[t], close[t - 1]);
        }
    })
}

/// Average true range: the mean of the first k true ranges at bar k (the first range belongs to bar 1), then
/// `((k-1) * previous + TR) / k`.
///
/// # Units
/// Price.
///
/// # References
/// Wilder, 1978; seeded as in TA-Lib.
pub fn atr(high: &[f64], low: &[f64], close: &[f64], k: usize) -> Vec<f64> {
    wilder(&true_range(high, low, close), k)
}

/// Average true range in percent of the close, `100 * ATR / C`.
pub fn natr(high: &[f64], low: &[f64], close: &[f64], k: usize) -> Vec<f64> {
    each_bar([&atr(high, low, close, k), close], |[range, close]| ratio(range, close) * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_counts_into_the_range() {
        let range = true_range(&[10.0, 13.0, 9.0], &[9.0, 12.0, 8.0], &[9.5, 12.5, 8.5]);
        assert!(range[0].is_nan());
        assert_eq!(range[1..], [3.5, 4.5]);
    }

    #[test]
    fn the_first_average_is_the_mean_of_the_first_ranges() {
        let (high, low) = ([3.0, 4.0, 6.0, 8.0], [2.0, 2.0, 3.0, 4.0]);
        let average = atr(&high, &low, &[2.5, 3.0, 4.5, 6.0], 2);
        assert!(average[1].is_nan());
        assert_eq!(average[2], 2.5);
        assert_eq!(average[3], 3.25);
    }
}
