//! Sums, means and extremes of the last k bars in O(n).
//!
//! All are one fold. The run is cut into blocks of k bars; a window is the tail of one block joined to the head of the next, and both
//! are kept (van Herk 1992; Gil and Werman 1993). Nothing is ever subtracted, so a sum cannot drift however long the series is, a sum
//! of zeros is zero and a sum of positive numbers positive.

use super::run::each_run_single;

/// Writes `fold(x[t-k+1..=t])` for an associative `join`, from the k-th bar on.
pub(super) fn fold(x: &[f64], k: usize, out: &mut [f64], join: impl Fn(f64, f64) -> f64) {
    fold_each(x.len(), k, |t| x[t], join, |t, joined| out[t] = joined);
}

/// The same for anything that a bar can be turned into: `write(t, item(t-k+1) join ... join item(t))`.
pub(super) fn fold_each<T: Copy>(
    length: usize,
    k: usize,
    item: impl Fn(usize) -> T,
    join: impl Fn(T, T) -> T,
    mut write: impl FnMut(usize, T),
) {
    if k == 0 || length < k {
        return;
    }
    // tails[j] joins the items from j on of the last complete block
    let mut tails = vec![item(0); k];
    for start in (0..length).step_by(k) {
        let end = length.min(start + k);
        let mut head = item(start);
        for t in start..end {
            if t > start {
                head = join(head, item(t));
            }
            if t + 1 == start + k {
                write(t, head);
            } else if start > 0 {
                write(t, join(tails[t + 1 - start], head));
            }
        }
        if end == start + k {
            tails[k - 1] = item(end - 1);
            for offset in (0..k - 1).rev() {
                tails[offset] = join(item(start + offset), tails[offset + 1]);
            }
        }
    }
}

pub(super) fn mean_into(x: &[f64], k: usize, out: &mut [f64]) {
    fold(x, k, out, |a, b| a + b);
    out.iter_mut().for_each(|sum| *sum /= k as f64);
}

fn before(mut values: Vec<f64>) -> Vec<f64> {
    if !values.is_empty() {
        values.rotate_right(1);
        values[0] = f64::NAN;
    }
    values
}

/// Sum of the last k values, `x[t-k+1] + ... + x[t]`.
pub fn sum(x: &[f64], k: usize) -> Vec<f64> {
    each_run_single([x], |[x], out| fold(x, k, out, |a, b| a + b))
}

/// Simple moving average, `mean(x[t-k+1..=t])`.
///
/// # NaN
/// The first k-1 bars, and any window with a missing value.
pub fn sma(x: &[f64], k: usize) -> Vec<f64> {
    each_run_single([x], |[x], out| mean_into(x, k, out))
}

/// Largest of the last k values, the current one included.
pub fn highest(x: &[f64], k: usize) -> Vec<f64> {
    each_run_single([x], |[x], out| fold(x, k, out, f64::max))
}

/// Smallest of the last k values, the current one included.
pub fn lowest(x: &[f64], k: usize) -> Vec<f64> {
    each_run_single([x], |[x], out| fold(x, k, out, f64::min))
}

/// Largest of the k values before the current one, `max(x[t-k..=t-1])`: the upper Donchian channel a breakout is measured against.
pub fn highest_before(x: &[f64], k: usize) -> Vec<f64> {
    before(highest(x, k))
}

/// Smallest of the k values before the current one, `min(x[t-k..=t-1])`: the lower Donchian channel.
pub fn lowest_before(x: &[f64], k: usize) -> Vec<f64> {
    before(lowest(x, k))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn oracle(x: &[f64], k: usize, fold: impl Fn(&[f64]) -> f64) -> Vec<f64> {
        (0..x.len()).map(|t| if t + 1 < k { f64::NAN } else { fold(&x[t + 1 - k..=t]) }).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn windows_agree_with_the_obvious_loop(x in prop::collection::vec(-1e6..1e6_f64, 0..60), k in 1usize..20) {
            let same = |a: &[f64], b: &[f64], tolerance: f64| {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance)
            };
            let max = oracle(&x, k, |w| w.iter().copied().fold(f64::NEG_INFINITY, f64::max));
            let min = oracle(&x, k, |w| w.iter().copied().fold(f64::INFINITY, f64::min));
            prop_assert!(same(&highest(&x, k), &max, 0.0));
            prop_assert!(same(&lowest(&x, k), &min, 0.0));
            prop_assert!(same(&sma(&x, k), &oracle(&x, k, |w| w.iter().sum::<f64>() / k as f64), 1e-8));
            prop_assert!(highest_before(&x, k).iter().skip(1).zip(&max).all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()));
        }
    }

    #[test]
    fn a_sum_does_not_drift_over_a_long_series() {
        let x: Vec<f64> = (0..100_000).map(|t| if t == 7 { 1e15 } else { 0.1 + (t % 17) as f64 * 1e-3 }).collect();
        let long = sma(&x, 200);
        let last = &x[x.len() - 200..];
        let exact = last.iter().sum::<f64>() / 200.0;
        assert!((long[x.len() - 1] / exact - 1.0).abs() < 1e-14, "{} against {exact}", long[x.len() - 1]);
    }

    #[test]
    fn a_missing_value_costs_its_own_windows_only() {
        let mut x = vec![1.0; 20];
        x[8] = f64::NAN;
        let mean = sma(&x, 3);
        let missing: Vec<usize> = (0..20).filter(|&t| mean[t].is_nan()).collect();
        assert_eq!(missing, [0, 1, 8, 9, 10]);
    }

    #[test]
    fn the_channel_before_excludes_the_current_bar() {
        assert_eq!(highest_before(&[1.0, 3.0, 2.0, 9.0], 2)[2..], [3.0, 3.0]);
        assert_eq!(lowest_before(&[1.0, 3.0, 2.0, 0.0], 2)[2..], [1.0, 2.0]);
        assert!(highest_before(&[], 2).is_empty());
    }

    #[test]
    fn an_empty_window_has_no_value() {
        assert!(sma(&[1.0, 2.0], 0).iter().all(|m| m.is_nan()));
    }
}
