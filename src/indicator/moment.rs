//! Spread, shape and slope of the last k values.
//!
//! Each window is centred on its own mean before anything is squared: running sums of squares would cancel for a price far from zero.

use super::run::{each_bar, each_run_single};
use super::window::sma;

/// Relative spread below which a window is rounding noise around a constant.
const ROUNDING: f64 = 8.0 * f64::EPSILON;

/// Writes `value(window)` for each full window of k values.
fn each_window(x: &[f64], k: usize, value: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    each_run_single([x], |[x], out| {
        if k > 0 {
            x.windows(k).zip(out.iter_mut().skip(k - 1)).for_each(|(window, out)| *out = value(window));
        }
    })
}

/// Sum of `term` over the window in four interleaved partial sums: a fixed order that keeps the processor's adders busy.
fn sum_of(window: &[f64], term: impl Fn(f64) -> f64) -> f64 {
    let (fours, rest) = window.as_chunks::<4>();
    let mut partial = [0.0; 4];
    for four in fours {
        for (partial, &value) in partial.iter_mut().zip(four) {
            *partial += term(value);
        }
    }
    let tail: f64 = rest.iter().map(|&value| term(value)).sum();
    (partial[0] + partial[1]) + (partial[2] + partial[3]) + tail
}

/// Mean of the window and the sum of squared deviations, exactly 0 for a window that is constant up to rounding.
fn centre(window: &[f64]) -> (f64, f64) {
    let mean = sum_of(window, |x| x) / window.len() as f64;
    let squares = sum_of(window, |x| (x - mean) * (x - mean));
    let noise = mean * ROUNDING;
    (mean, if squares <= noise * noise * window.len() as f64 { 0.0 } else { squares })
}

/// Standard deviation of the last k values with `ddof` taken from the divisor: 0 as TA-Lib's STDDEV and the Bollinger bands, 1 for a
/// sample.
///
/// # NaN
/// Until the window is full, and always when `k <= ddof`.
pub fn stddev(x: &[f64], k: usize, ddof: usize) -> Vec<f64> {
    if k <= ddof {
        return vec![f64::NAN; x.len()];
    }
    each_window(x, k, |window| (centre(window).1 / (k - ddof) as f64).sqrt())
}

/// Columns of [`bbands`].
#[derive(Clone, Debug, PartialEq)]
pub struct BollingerBands {
    /// Middle plus `up` standard deviations.
    pub upper: Vec<f64>,
    /// Simple moving average.
    pub middle: Vec<f64>,
    /// Middle minus `down` standard deviations.
    pub lower: Vec<f64>,
}

/// Bollinger bands around the k-bar mean, with the *population* standard deviation.
///
/// # References
/// Bollinger, 2001, Bollinger on Bollinger Bands.
pub fn bbands(x: &[f64], k: usize, up: f64, down: f64) -> BollingerBands {
    let (middle, spread) = (sma(x, k), stddev(x, k, 0));
    BollingerBands {
        upper: each_bar([&middle, &spread], |[middle, spread]| middle + up * spread),
        lower: each_bar([&middle, &spread], |[middle, spread]| middle - down * spread),
        middle,
    }
}

/// Standard score of the current value, `(x - mean) / sd` with the sample deviation (ddof 1) of the last k values.
///
/// # NaN
/// Until the window is full, and for a constant window.
pub fn zscore(x: &[f64], k: usize) -> Vec<f64> {
    each_window(x, k, |window| {
        let (mean, squares) = centre(window);
        let deviation = (squares / (k as f64 - 1.0)).sqrt();
        if squares > 0.0 && k > 1 { (window[k - 1] - mean) / deviation } else { f64::NAN }
    })
}

/// Sample skewness of the last k values, bias-corrected (Fisher-Pearson G1).
///
/// # NaN
/// Until the window is full, for k < 3, and for a constant window.
///
/// # References
/// Joanes and Gill, 1998, Comparing Measures of Sample Skewness and Kurtosis.
pub fn skewness(x: &[f64], k: usize) -> Vec<f64> {
    each_window(x, k, |window| {
        let (mean, squares) = centre(window);
        if k < 3 || squares == 0.0 {
            return f64::NAN;
        }
        let n = k as f64;
        let cubes = sum_of(window, |x| (x - mean) * (x - mean) * (x - mean));
        n * (n - 1.0).sqrt() / (n - 2.0) * cubes / (squares * squares.sqrt())
    })
}

/// Sample excess kurtosis of the last k values, bias-corrected (G2); 0 for a normal distribution.
///
/// # NaN
/// Until the window is full, for k < 4, and for a constant window.
///
/// # References
/// Joanes and Gill, 1998.
pub fn kurtosis(x: &[f64], k: usize) -> Vec<f64> {
    each_window(x, k, |window| {
        let (mean, squares) = centre(window);
        if k < 4 || squares == 0.0 {
            return f64::NAN;
        }
        let n = k as f64;
        let fourths = sum_of(window, |x| (x - mean) * (x - mean) * ((x - mean) * (x - mean)));
        let scale = (n - 1.0) / ((n - 2.0) * (n - 3.0));
        scale * (n * (n + 1.0) * fourths / (squares * squares) - 3.0 * (n - 1.0))
    })
}

/// Pearson correlation of two columns over the last k bars, in -1..=1.
///
/// # NaN
/// Until the window is full, and where either side is constant.
pub fn correlation(x: &[f64], y: &[f64], k: usize) -> Vec<f64> {
    each_run_single([x, y], |[x, y], out| {
        if k == 0 {
            return;
        }
        for ((x, y), out) in x.windows(k).zip(y.windows(k)).zip(out.iter_mut().skip(k - 1)) {
            let ((x_mean, x_squares), (y_mean, y_squares)) = (centre(x), centre(y));
            let products: f64 = x.iter().zip(y).map(|(x, y)| (x - x_mean) * (y - y_mean)).sum();
            if x_squares > 0.0 && y_squares > 0.0 {
                *out = (products / (x_squares.sqrt() * y_squares.sqrt())).clamp(-1.0, 1.0);
            }
        }
    })
}

/// Slope of the least-squares line through the last k values, in units of x a bar.
pub fn linreg_slope(x: &[f64], k: usize) -> Vec<f64> {
    if k < 2 {
        return vec![f64::NAN; x.len()];
    }
    let middle = (k - 1) as f64 / 2.0;
    let n = k as f64;
    let spread = n * (n * n - 1.0) / 12.0;
    each_window(x, k, |window| {
        // differences from the newest value: a level far above the slope would otherwise cost digits
        let newest = window[k - 1];
        window.iter().enumerate().map(|(i, value)| (i as f64 - middle) * (value - newest)).sum::<f64>() / spread
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_far_from_zero_keeps_its_small_spread() {
        let x: Vec<f64> = (0..40).map(|t| 1e9 + f64::from(t % 2)).collect();
        assert!((stddev(&x, 20, 0)[39] - 0.5).abs() < 1e-12);
    }

    #[test]
    fn a_constant_window_has_no_shape() {
        let flat = [0.1; 30];
        assert_eq!(stddev(&flat, 20, 0)[29], 0.0);
        assert!(zscore(&flat, 20)[29].is_nan());
        assert!(skewness(&flat, 20)[29].is_nan());
        assert!(kurtosis(&flat, 20)[29].is_nan());
        assert!(correlation(&flat, &flat, 20)[29].is_nan());
    }

    #[test]
    fn a_line_has_its_own_slope_and_is_not_skewed() {
        let line: Vec<f64> = (0..30).map(|t| 1e6 - 0.25 * f64::from(t)).collect();
        assert!((linreg_slope(&line, 10)[29] + 0.25).abs() < 1e-12);
        assert!(skewness(&line, 10)[29].abs() < 1e-9);
        assert!((correlation(&line, &line, 10)[29] - 1.0).abs() < 1e-12);
    }
}
