//! Position of the close inside a recent range.

use super::run::{each_bar, each_run, each_run_single};
use super::window::{highest, lowest, sma, sum};
use super::{TIE, ratio_or_zero, tie, true_range};

/// Columns of the stochastic oscillators.
#[derive(Clone, Debug, PartialEq)]
pub struct Stochastic {
    /// %K.
    pub k: Vec<f64>,
    /// %D, the moving average of %K.
    pub d: Vec<f64>,
}

/// Position of the close between the lowest low and the highest high of n bars, 0..=100; 0 where they coincide.
fn raw_stochastic(high: &[f64], low: &[f64], close: &[f64], n: usize) -> Vec<f64> {
    each_run_single([high, low, close], |[high, low, close], out| {
        let (top, bottom) = (highest(high, n), lowest(low, n));
        for (t, out) in out.iter_mut().enumerate() {
            *out = if tie(top[t], bottom[t]) { 0.0 } else { 100.0 * (close[t] - bottom[t]) / (top[t] - bottom[t]) };
        }
    })
}

/// Keeps %K only where %D exists, as TA-Lib does.
fn stochastic(k: Vec<f64>, d_period: usize) -> Stochastic {
    let d = sma(&k, d_period);
    Stochastic { k: each_bar([&k, &d], |[k, _]| k), d }
}

/// Slow stochastic: %K is the `slow_k`-bar mean of the raw position over `fast_k` bars, %D the `slow_d`-bar mean of %K.
///
/// Both start at bar `fast_k + slow_k + slow_d - 3`.
///
/// # References
/// Lane, 1984, Lane's Stochastics.
pub fn stoch(high: &[f64], low: &[f64], close: &[f64], fast_k: usize, slow_k: usize, slow_d: usize) -> Stochastic {
    stochastic(sma(&raw_stochastic(high, low, close, fast_k), slow_k), slow_d)
}

/// Fast stochastic: %K is the raw position over `fast_k` bars, %D its `fast_d`-bar mean. Both start at bar `fast_k + fast_d - 2`.
pub fn stochf(high: &[f64], low: &[f64], close: &[f64], fast_k: usize, fast_d: usize) -> Stochastic {
    stochastic(raw_stochastic(high, low, close, fast_k), fast_d)
}

/// Fast stochastic of the relative strength index; starts at bar `k + fast_k + fast_d - 2`.
///
/// # References
/// Chande and Kroll, 1994, The New Technical Trader.
pub fn stochrsi(x: &[f64], k: usize, fast_k: usize, fast_d: usize) -> Stochastic {
    let strength = super::rsi(x, k);
    stochf(&strength, &strength, &strength, fast_k, fast_d)
}

/// Williams %R, `-100 * (highest - C) / (highest - lowest)` over k bars, in -100..=0; 0 where they coincide.
pub fn willr(high: &[f64], low: &[f64], close: &[f64], k: usize) -> Vec<f64> {
    each_run_single([high, low, close], |[high, low, close], out| {
        let (top, bottom) = (highest(high, k), lowest(low, k));
        for (t, out) in out.iter_mut().enumerate() {
            *out = if tie(top[t], bottom[t]) { 0.0 } else { -100.0 * (top[t] - close[t]) / (top[t] - bottom[t]) };
        }
    })
}

/// Typical price, `(H + L + C) / 3`.
pub(super) fn typical_price(high: &[f64], low: &[f64], close: &[f64]) -> Vec<f64> {
    each_bar([high, low, close], |[high, low, close]| (high + low + close) / 3.0)
}

/// Commodity channel index, `(TP - mean) / (0.015 * mean absolute deviation)` of typical prices over k bars.
///
/// # NaN
/// The first k-1 bars. A window without deviation gives 0.
///
/// # References
/// Lambert, 1980, Commodity Channel Index.
pub fn cci(high: &[f64], low: &[f64], close: &[f64], k: usize) -> Vec<f64> {
    each_run_single([&typical_price(high, low, close)], |[typical], out| {
        if k == 0 {
            return;
        }
        for (window, out) in typical.windows(k).zip(out.iter_mut().skip(k - 1)) {
            let centre = window.iter().sum::<f64>() / k as f64;
            let spread = window.iter().map(|price| (price - centre).abs()).sum::<f64>() / k as f64;
            *out = if spread <= TIE * centre.abs() { 0.0 } else { (window[k - 1] - centre) / (0.015 * spread) };
        }
    })
}

/// Ultimate oscillator, `100 * (4 A_short + 2 A_middle + A_long) / 7`, where A is buying pressure over true range; 0..=100.
///
/// Buying pressure is `C - min(L, C[t-1])`. The periods are taken in rising order; first value at the bar of the longest.
///
/// # References
/// Williams, 1985, The Ultimate Oscillator.
pub fn ultosc(high: &[f64], low: &[f64], close: &[f64], short: usize, middle: usize, long: usize) -> Vec<f64> {
    let mut periods = [short, middle, long];
    periods.sort_unstable();
    let [output] = each_run([high, low, close], |[high, low, close], [out]| {
        let range = true_range(high, low, close);
        let mut pressure = vec![f64::NAN; close.len()];
        for t in 1..close.len() {
            pressure[t] = close[t] - low[t].min(close[t - 1]);
        }
        let averages = periods
            .map(|k| each_bar([&sum(&pressure, k), &sum(&range, k)], |[bought, range]| ratio_or_zero(bought, range)));
        for (t, out) in out.iter_mut().enumerate() {
            *out = 100.0 * (4.0 * averages[0][t] + 2.0 * averages[1][t] + averages[2][t]) / 7.0;
        }
    });
    output
}

/// Balance of power, `(C - O) / (H - L)`, in -1..=1; 0 for a bar without range.
///
/// # References
/// Livshin, 2001, Balance of Market Power.
pub fn bop(open: &[f64], high: &[f64], low: &[f64], close: &[f64]) -> Vec<f64> {
    each_bar([open, high, low, close], |[open, high, low, close]| ratio_or_zero(close - open, high - low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_at_the_top_scores_full_marks() {
        let (high, low) = ([2.0, 3.0, 4.0], [1.0, 2.0, 3.0]);
        assert_eq!(stochf(&high, &low, &high, 3, 1).k[2], 100.0);
        assert_eq!(willr(&high, &low, &high, 3)[2], 0.0);
        assert_eq!(willr(&high, &low, &[1.0, 1.0, 1.0], 3)[2], -100.0);
    }

    #[test]
    fn a_flat_market_has_no_deviation() {
        let flat = [0.1; 40];
        assert!(cci(&flat, &flat, &flat, 20)[19..].iter().all(|&index| index == 0.0));
        assert_eq!(bop(&flat, &flat, &flat, &flat)[0], 0.0);
    }
}
