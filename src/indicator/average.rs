//! Moving averages: exponential, weighted, adaptive, and Wilder's smoothing.

use super::run::{each_bar, each_run_single};

/// Smooths the way Wilder does: the mean of the first k values, then `((k-1) * previous + x) / k`.
pub fn wilder(x: &[f64], k: usize) -> Vec<f64> {
    each_run_single([x], |[x], out| {
        if k == 0 || x.len() < k {
            return;
        }
        let mut level = x[..k].iter().sum::<f64>() / k as f64;
        out[k - 1] = level;
        for t in k..x.len() {
            level = (level * (k - 1) as f64 + x[t]) / k as f64;
            out[t] = level;
        }
    })
}

/// Writes an exponential average whose first value, at `first`, is the mean of the k values up to it.
///
/// Two averages that are subtracted from each other must start at the same bar, or the shorter one has a head start.
pub(super) fn ema_from(x: &[f64], k: usize, first: usize, out: &mut [f64]) {
    if k == 0 || first + 1 < k || first >= x.len() {
        return;
    }
    let weight = 2.0 / (k as f64 + 1.0);
    let mut level = x[first + 1 - k..=first].iter().sum::<f64>() / k as f64;
    out[first] = level;
    for t in first + 1..x.len() {
        level += (x[t] - level) * weight;
        out[t] = level;
    }
}

/// Exponential moving average: the mean of the first k values, then `previous + 2/(k+1) * (x - previous)`.
///
/// # References
/// Seeded as in TA-Lib. Tools that start from the first price differ by 0.4% early on and agree after about 250 bars.
pub fn ema(x: &[f64], k: usize) -> Vec<f64> {
    each_run_single([x], |[x], out| ema_from(x, k, k.saturating_sub(1), out))
}

/// Linearly weighted moving average, `sum(i * x[t-k+i]) / (k(k+1)/2)` over i = 1..=k: the newest bar weighs most.
pub fn wma(x: &[f64], k: usize) -> Vec<f64> {
    each_run_single([x], |[x], out| {
        if k == 0 {
            return;
        }
        let total = k as f64 * (k as f64 + 1.0) / 2.0;
        for (window, out) in x.windows(k).zip(out.iter_mut().skip(k - 1)) {
            *out = window.iter().enumerate().map(|(i, value)| (i + 1) as f64 * value).sum::<f64>() / total;
        }
    })
}

/// Double exponential moving average, `2 EMA - EMA(EMA)`; first value at bar 2(k-1).
///
/// # References
/// Mulloy, 1994, Smoothing Data with Faster Moving Averages.
pub fn dema(x: &[f64], k: usize) -> Vec<f64> {
    let once = ema(x, k);
    each_bar([&once, &ema(&once, k)], |[once, twice]| 2.0 * once - twice)
}

/// Triple exponential moving average, `3 EMA - 3 EMA(EMA) + EMA(EMA(EMA))`; first value at bar 3(k-1).
///
/// # References
/// Mulloy, 1994, Smoothing Data with Less Lag.
pub fn tema(x: &[f64], k: usize) -> Vec<f64> {
    let once = ema(x, k);
    let twice = ema(&once, k);
    each_bar([&once, &twice, &ema(&twice, k)], |[once, twice, thrice]| 3.0 * once - 3.0 * twice + thrice)
}

/// Writes `|x[t] - x[t-k]| / sum(|x[i] - x[i-1]|)` over the last k steps; `still` where the path has no length.
pub(super) fn efficiency_into(x: &[f64], k: usize, still: f64, out: &mut [f64]) {
    if k == 0 {
        return;
    }
    let steps: Vec<f64> = x.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect();
    let mut path = vec![f64::NAN; steps.len()];
    super::window::fold(&steps, k, &mut path, |a, b| a + b);
    for t in k..x.len() {
        let length = path[t - 1];
        // rounding can make the sum of the steps a hair shorter than the distance
        out[t] = if length == 0.0 { still } else { ((x[t] - x[t - k]).abs() / length).min(1.0) };
    }
}

/// Efficiency ratio: distance covered over k bars divided by the length of the path, 1 for a straight line, near 0 for noise.
///
/// # NaN
/// The first k bars, and where the price did not move at all.
///
/// # References
/// Kaufman, 1995, Smarter Trading.
pub fn efficiency_ratio(x: &[f64], k: usize) -> Vec<f64> {
    each_run_single([x], |[x], out| efficiency_into(x, k, f64::NAN, out))
}

/// Kaufman's adaptive moving average: an exponential average whose weight moves between those of 2 and 30 bars with the efficiency
/// ratio over k bars, `weight = (ER * (2/3 - 2/31) + 2/31)^2`. Starts from `x[k-1]`; first value at bar k.
///
/// # References
/// Kaufman, 1995; a price that stands still counts as fully efficient, as in TA-Lib.
pub fn kama(x: &[f64], k: usize) -> Vec<f64> {
    const FAST: f64 = 2.0 / 3.0;
    const SLOW: f64 = 2.0 / 31.0;
    each_run_single([x], |[x], out| {
        if k == 0 || x.len() <= k {
            return;
        }
        let mut efficiency = vec![f64::NAN; x.len()];
        efficiency_into(x, k, 1.0, &mut efficiency);
        let mut level = x[k - 1];
        for t in k..x.len() {
            let weight = efficiency[t] * (FAST - SLOW) + SLOW;
            level += (x[t] - level) * weight * weight;
            out[t] = level;
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exponential_average_starts_at_the_mean() {
        assert_eq!(ema(&[1.0, 2.0, 6.0, 5.0], 3)[2..], [3.0, 4.0]);
    }

    #[test]
    fn after_a_gap_the_average_starts_again() {
        let average = ema(&[1.0, 2.0, 3.0, f64::NAN, 10.0, 20.0], 2);
        assert!(average[3].is_nan() && average[4].is_nan());
        assert_eq!(average[5], 15.0);
    }

    #[test]
    fn a_straight_line_is_fully_efficient() {
        let line: Vec<f64> = (0..30).map(|t| 0.1 * f64::from(t)).collect();
        assert!(efficiency_ratio(&line, 10)[10..].iter().all(|e| (e - 1.0).abs() < 1e-12));
    }

    #[test]
    fn the_newest_bar_weighs_most() {
        assert_eq!(wma(&[0.0, 0.0, 6.0], 3)[2], 3.0);
    }
}
