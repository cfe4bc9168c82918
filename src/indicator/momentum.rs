//! Change over k bars, gains against losses, and differences of averages.

use super::average::{ema, ema_from};
use super::run::{each_bar, each_run, each_run_single};
use super::{ratio, ratio_or_zero};

/// Rate of change as a fraction, `x[t] / x[t-k] - 1`. TA-Lib's ROC is 100 times this: [`roc_percent`].
pub fn roc(x: &[f64], k: usize) -> Vec<f64> {
    each_run_single([x], |[x], out| {
        for t in k..x.len() {
            out[t] = ratio(x[t], x[t - k]) - 1.0;
        }
    })
}

/// Rate of change in percent, `100 * (x[t] / x[t-k] - 1)`.
pub fn roc_percent(x: &[f64], k: usize) -> Vec<f64> {
    let mut change = roc(x, k);
    change.iter_mut().for_each(|fraction| *fraction *= 100.0);
    change
}

/// Momentum, `x[t] - x[t-k]`, in units of price.
pub fn mom(x: &[f64], k: usize) -> Vec<f64> {
    each_run_single([x], |[x], out| {
        for t in k..x.len() {
            out[t] = x[t] - x[t - k];
        }
    })
}

/// Wilder-smoothed gains and losses over k changes, turned into a score; first value at bar k.
fn gains_against_losses(x: &[f64], k: usize, score: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    each_run_single([x], |[x], out| {
        if k == 0 || x.len() <= k {
            return;
        }
        let changes: Vec<f64> = x.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mut gain = changes[..k].iter().map(|change| change.max(0.0)).sum::<f64>() / k as f64;
        let mut loss = changes[..k].iter().map(|change| (-change).max(0.0)).sum::<f64>() / k as f64;
        out[k] = score(gain, loss);
        for t in k + 1..x.len() {
            let change = changes[t - 1];
            gain = (gain * (k - 1) as f64 + change.max(0.0)) / k as f64;
            loss = (loss * (k - 1) as f64 + (-change).max(0.0)) / k as f64;
            out[t] = score(gain, loss);
        }
    })
}

/// Relative strength index, `100 * gain / (gain + loss)` of Wilder-smoothed gains and losses, in 0..=100.
///
/// # NaN
/// The first k bars. A price that has never moved gives 0, TA-Lib's convention.
///
/// # References
/// Wilder, 1978, New Concepts in Technical Trading Systems.
pub fn rsi(x: &[f64], k: usize) -> Vec<f64> {
    gains_against_losses(x, k, |gain, loss| 100.0 * ratio_or_zero(gain, gain + loss))
}

/// Chande momentum oscillator, `100 * (gain - loss) / (gain + loss)`, smoothed like the RSI, in -100..=100.
///
/// # References
/// Chande and Kroll, 1994, The New Technical Trader; Wilder's smoothing as in TA-Lib.
pub fn cmo(x: &[f64], k: usize) -> Vec<f64> {
    gains_against_losses(x, k, |gain, loss| 100.0 * ratio_or_zero(gain - loss, gain + loss))
}

/// Writes the fast and the slow exponential average, both seeded at the slow one's first bar.
fn ema_pair(x: &[f64], fast: usize, slow: usize) -> (Vec<f64>, Vec<f64>) {
    let (fast, slow) = (fast.min(slow), fast.max(slow));
    let first = slow.saturating_sub(1);
    let mut pair = (vec![f64::NAN; x.len()], vec![f64::NAN; x.len()]);
    ema_from(x, fast, first, &mut pair.0);
    ema_from(x, slow, first, &mut pair.1);
    pair
}

/// Columns of [`macd`].
#[derive(Clone, Debug, PartialEq)]
pub struct Macd {
    /// Fast average minus slow average.
    pub line: Vec<f64>,
    /// Exponential average of the line.
    pub signal: Vec<f64>,
    /// Line minus signal.
    pub histogram: Vec<f64>,
}

/// Moving average convergence and divergence, in units of price: `EMA_fast - EMA_slow`, its signal line, and their difference.
///
/// All three start where the signal does, at bar `slow + signal - 2`. Periods given in the wrong order are swapped.
///
/// # References
/// Appel, 2005, Technical Analysis; both averages start at the same bar, as in TA-Lib.
pub fn macd(x: &[f64], fast: usize, slow: usize, signal: usize) -> Macd {
    let [line, signal, histogram] = each_run([x], |[x], [line_out, signal_out, histogram_out]| {
        let (quick, steady) = ema_pair(x, fast, slow);
        let line: Vec<f64> = quick.iter().zip(&steady).map(|(quick, steady)| quick - steady).collect();
        let smoothed = ema(&line, signal);
        for t in (0..x.len()).filter(|&t| !smoothed[t].is_nan()) {
            line_out[t] = line[t];
            signal_out[t] = smoothed[t];
            histogram_out[t] = line[t] - smoothed[t];
        }
    });
    Macd { line, signal, histogram }
}

/// Percentage price oscillator, `100 * (EMA_fast - EMA_slow) / EMA_slow`; first value at bar `slow - 1`.
///
/// Unlike [`macd`], each average starts at its own first bar, as in TA-Lib. Periods given in the wrong order are swapped.
pub fn ppo(x: &[f64], fast: usize, slow: usize) -> Vec<f64> {
    let (quick, steady) = (ema(x, fast.min(slow)), ema(x, fast.max(slow)));
    each_bar([&quick, &steady], |[quick, steady]| ratio(quick - steady, steady) * 100.0)
}

/// Rate of change over one bar, in percent, of a triple exponential average; first value at bar `3(k-1) + 1`.
///
/// # References
/// Hutson, 1983, Good Trix.
pub fn trix(x: &[f64], k: usize) -> Vec<f64> {
    roc_percent(&ema(&ema(&ema(x, k), k), k), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strength_follows_the_direction_in_both_ways() {
        let up: Vec<f64> = (0..40).map(|t| 100.0 + f64::from(t)).collect();
        let down: Vec<f64> = up.iter().rev().copied().collect();
        assert_eq!(rsi(&up, 14)[39], 100.0);
        assert_eq!(rsi(&down, 14)[39], 0.0);
        assert_eq!(cmo(&down, 14)[39], -100.0);
        let turn: Vec<f64> = up.iter().chain(&down).copied().collect();
        let strength = rsi(&turn, 14);
        assert!(strength[41..].windows(2).all(|pair| pair[1] < pair[0]), "a fall lowers the index bar by bar");
    }

    #[test]
    fn a_change_from_zero_is_undefined() {
        assert!(roc(&[0.0, 1.0], 1)[1].is_nan());
        assert_eq!(roc(&[2.0, 3.0], 1)[1], 0.5);
    }

    #[test]
    fn periods_in_the_wrong_order_are_swapped() {
        let x: Vec<f64> = (0..60).map(|t| f64::from(t * t % 17)).collect();
        let (right, swapped) = (macd(&x, 5, 12, 4), macd(&x, 12, 5, 4));
        assert_eq!(right.line[14..], swapped.line[14..]);
        assert!(right.line[13].is_nan() && !right.line[14].is_nan());
    }
}
