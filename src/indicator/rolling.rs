//! Moments of the last k values in O(n), whatever k is.
//!
//! Each is a fold of `window.rs` over the moments of parts of the window: count, mean and sums of powers of distances from that mean.
//! Two parts are joined by the formulas of Chan, Golub and LeVeque (1983) and Pébay (2008), which never subtract one large sum from
//! another: a price far from zero keeps its small spread, and nothing drifts over a long series.
//!
//! `moment.rs` has the same figures by going through each window, for the indicators whose values are recorded in stored tables:
//! the two agree to rounding and are held against each other here.

use super::run::each_run_single;
use super::window::fold_each;

/// Relative spread below which a window is rounding noise around a constant.
const ROUNDING: f64 = 8.0 * f64::EPSILON;

/// Sum of squares, 0 where it is no more than what rounding makes of n equal values.
#[inline]
fn spread(squares: f64, mean: f64, n: f64) -> f64 {
    let noise = mean * ROUNDING;
    if squares <= noise * noise * n { 0.0 } else { squares }
}

/// Count, mean and sum of squared distances from it.
///
/// What is small here is marked for inlining: the loop that calls it is another compilation unit's, and a call for each bar would
/// cost four times the arithmetic.
///
/// The mean is kept as an offset from a value of its part: a level far above the spread would otherwise cost the digits of the spread.
#[derive(Clone, Copy)]
struct Second {
    n: f64,
    origin: f64,
    offset: f64,
    squares: f64,
}

impl Second {
    #[inline]
    fn of(x: f64) -> Self {
        Self { n: 1.0, origin: x, offset: 0.0, squares: 0.0 }
    }

    /// How far the mean of `b` lies above that of `a`.
    #[inline]
    fn away(a: &Self, b: &Self) -> f64 {
        (b.origin - a.origin) + (b.offset - a.offset)
    }

    #[inline]
    fn join(a: Self, b: Self) -> Self {
        let n = a.n + b.n;
        let away = Self::away(&a, &b);
        let share = b.n / n;
        let squares = a.squares + b.squares + away * away * a.n * share;
        Self { n, origin: a.origin, offset: a.offset + away * share, squares }
    }

    /// Distance of a value from the mean.
    #[inline]
    fn distance(&self, x: f64) -> f64 {
        (x - self.origin) - self.offset
    }

    #[inline]
    fn spread(&self) -> f64 {
        spread(self.squares, self.origin + self.offset, self.n)
    }
}

fn each_second(x: &[f64], k: usize, value: impl Fn(Second, f64) -> f64) -> Vec<f64> {
    each_run_single([x], |[x], out| {
        fold_each(x.len(), k, |t| Second::of(x[t]), Second::join, |t, moments| out[t] = value(moments, x[t]));
    })
}

/// Standard deviation of the last k values with `ddof` taken from the divisor.
///
/// # NaN
/// Until the window is full, and always when `k <= ddof`.
pub fn rolling_std(x: &[f64], k: usize, ddof: usize) -> Vec<f64> {
    if k <= ddof {
        return vec![f64::NAN; x.len()];
    }
    each_second(x, k, |moments, _| (moments.spread() / (k - ddof) as f64).sqrt())
}

/// Standard score of the current value among the last k, `(x - mean) / sd` with ddof 1.
///
/// # NaN
/// Until the window is full, for k < 2, and for a constant window.
pub fn rolling_zscore(x: &[f64], k: usize) -> Vec<f64> {
    each_second(x, k, |moments, x| {
        let squares = moments.spread();
        if squares > 0.0 { moments.distance(x) / (squares / (moments.n - 1.0)).sqrt() } else { f64::NAN }
    })
}

/// [`Second`], with the sums of third and fourth powers.
#[derive(Clone, Copy)]
struct Fourth {
    second: Second,
    cubes: f64,
    fourths: f64,
}

impl Fourth {
    #[inline]
    fn of(x: f64) -> Self {
        Self { second: Second::of(x), cubes: 0.0, fourths: 0.0 }
    }

    #[inline]
    fn join(a: Self, b: Self) -> Self {
        let second = Second::join(a.second, b.second);
        let (na, nb, n) = (a.second.n, b.second.n, second.n);
        let away = Second::away(&a.second, &b.second);
        let step = away / n;
        let product = away * step * na * nb;
        let cubes = a.cubes
            + b.cubes
            + product * step * (na - nb)
            + 3.0 * step * (na * b.second.squares - nb * a.second.squares);
        let fourths = a.fourths
            + b.fourths
            + product * step * step * (na * na - na * nb + nb * nb)
            + 6.0 * step * step * (na * na * b.second.squares + nb * nb * a.second.squares)
            + 4.0 * step * (na * b.cubes - nb * a.cubes);
        Self { second, cubes, fourths }
    }
}

fn each_fourth(x: &[f64], k: usize, value: impl Fn(Fourth) -> f64) -> Vec<f64> {
    each_run_single([x], |[x], out| {
        fold_each(x.len(), k, |t| Fourth::of(x[t]), Fourth::join, |t, moments| out[t] = value(moments));
    })
}

/// Sample skewness of the last k values, bias-corrected (Fisher-Pearson G1).
///
/// # NaN
/// Until the window is full, for k < 3, and for a constant window.
///
/// # References
/// Joanes and Gill, 1998, Comparing Measures of Sample Skewness and Kurtosis.
pub fn rolling_skew(x: &[f64], k: usize) -> Vec<f64> {
    let n = k as f64;
    each_fourth(x, k, |moments| {
        let squares = moments.second.spread();
        if k < 3 || squares == 0.0 {
            return f64::NAN;
        }
        n * (n - 1.0).sqrt() / (n - 2.0) * moments.cubes / (squares * squares.sqrt())
    })
}

/// Sample excess kurtosis of the last k values, bias-corrected (G2); 0 for a normal distribution.
///
/// # NaN
/// Until the window is full, for k < 4, and for a constant window.
///
/// # References
/// Joanes and Gill, 1998.
pub fn rolling_kurt(x: &[f64], k: usize) -> Vec<f64> {
    let n = k as f64;
    each_fourth(x, k, |moments| {
        let squares = moments.second.spread();
        if k < 4 || squares == 0.0 {
            return f64::NAN;
        }
        let scale = (n - 1.0) / ((n - 2.0) * (n - 3.0));
        scale * (n * (n + 1.0) * moments.fourths / (squares * squares) - 3.0 * (n - 1.0))
    })
}

/// Second moments of two columns together.
#[derive(Clone, Copy)]
struct Joint {
    x: Second,
    y: Second,
    products: f64,
}

impl Joint {
    #[inline]
    fn of(x: f64, y: f64) -> Self {
        Self { x: Second::of(x), y: Second::of(y), products: 0.0 }
    }

    #[inline]
    fn join(a: Self, b: Self) -> Self {
        let share = b.x.n / (a.x.n + b.x.n);
        let products = a.products + b.products + Second::away(&a.x, &b.x) * Second::away(&a.y, &b.y) * a.x.n * share;
        Self { x: Second::join(a.x, b.x), y: Second::join(a.y, b.y), products }
    }
}

/// Pearson correlation of two columns over the last k bars, in -1..=1.
///
/// # NaN
/// Until the window is full, and where either side is constant.
pub fn rolling_corr(x: &[f64], y: &[f64], k: usize) -> Vec<f64> {
    each_run_single([x, y], |[x, y], out| {
        fold_each(
            x.len(),
            k,
            |t| Joint::of(x[t], y[t]),
            Joint::join,
            |t, moments| {
                let (x_squares, y_squares) = (moments.x.spread(), moments.y.spread());
                if x_squares > 0.0 && y_squares > 0.0 {
                    out[t] = (moments.products / (x_squares.sqrt() * y_squares.sqrt())).clamp(-1.0, 1.0);
                }
            },
        );
    })
}

/// Fits the least-squares line of the last k values on their place in time.
fn each_line(x: &[f64], k: usize, value: impl Fn(&Line) -> f64) -> Vec<f64> {
    if k < 2 {
        return vec![f64::NAN; x.len()];
    }
    let n = k as f64;
    let places = n * (n * n - 1.0) / 12.0;
    each_run_single([x], |[x], out| {
        fold_each(
            x.len(),
            k,
            |t| Joint::of(t as f64, x[t]),
            Joint::join,
            |t, moments| {
                out[t] = value(&Line { slope: moments.products / places, values: moments.y, places, last: x[t] });
            },
        );
    })
}

struct Line {
    slope: f64,
    values: Second,
    /// Sum of squared distances of the places from their mean.
    places: f64,
    last: f64,
}

/// Slope of the least-squares line through the last k values, in units of x a bar.
///
/// # NaN
/// Until the window is full, and for k < 2.
pub fn rolling_slope(x: &[f64], k: usize) -> Vec<f64> {
    each_line(x, k, |line| line.slope)
}

/// Share of the variance of the last k values that the least-squares line explains, in 0..=1.
///
/// # NaN
/// Until the window is full, for k < 2, and for a constant window.
pub fn rolling_rsquare(x: &[f64], k: usize) -> Vec<f64> {
    each_line(x, k, |line| {
        let squares = line.values.spread();
        if squares > 0.0 { (line.slope * line.slope * line.places / squares).min(1.0) } else { f64::NAN }
    })
}

/// Distance of the current value from the least-squares line through the last k values.
///
/// # NaN
/// Until the window is full, and for k < 2.
pub fn rolling_resid(x: &[f64], k: usize) -> Vec<f64> {
    each_line(x, k, |line| line.values.distance(line.last) - line.slope * (k - 1) as f64 / 2.0)
}

/// Mean absolute deviation of the last k values from their mean, in O(n k): no part of a window knows the mean of the whole.
pub fn rolling_mad(x: &[f64], k: usize) -> Vec<f64> {
    each_run_single([x], |[x], out| {
        if k == 0 {
            return;
        }
        for (window, out) in x.windows(k).zip(out.iter_mut().skip(k - 1)) {
            let mean = window.iter().sum::<f64>() / k as f64;
            *out = window.iter().map(|value| (value - mean).abs()).sum::<f64>() / k as f64;
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::{correlation, kurtosis, linreg_slope, skewness, stddev, zscore};
    use super::*;
    use proptest::prelude::*;

    fn same(name: &str, found: &[f64], expected: &[f64], size: f64) {
        for (t, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert_eq!(found.is_nan(), expected.is_nan(), "{name} at {t}: {found} against {expected}");
            assert!(
                expected.is_nan() || (found - expected).abs() <= 1e-9 * size,
                "{name} at {t}: {found} against {expected}"
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn joined_moments_agree_with_those_of_each_window(
            steps in prop::collection::vec((-1.0..1.0_f64, -1.0..1.0_f64), 0..80),
            level in prop::sample::select(vec![0.0, 1.0, 1e4]),
            k in 1usize..24,
        ) {
            let x: Vec<f64> = steps.iter().map(|(x, _)| level + x).collect();
            let y: Vec<f64> = steps.iter().map(|(_, y)| *y).collect();
            same("std", &rolling_std(&x, k, 0), &stddev(&x, k, 0), 1.0);
            same("std", &rolling_std(&x, k, 1), &stddev(&x, k, 1), 1.0);
            same("zscore", &rolling_zscore(&x, k), &zscore(&x, k), 10.0);
            same("skew", &rolling_skew(&x, k), &skewness(&x, k), 100.0);
            same("kurt", &rolling_kurt(&x, k), &kurtosis(&x, k), 1000.0);
            same("corr", &rolling_corr(&x, &y, k), &correlation(&x, &y, k), 10.0);
            same("slope", &rolling_slope(&x, k), &linreg_slope(&x, k), 1.0);
        }

        #[test]
        fn the_line_explains_what_is_not_left_over(x in prop::collection::vec(-5.0..5.0_f64, 4..40), k in 2usize..12) {
            let (slope, rsquare, resid) = (rolling_slope(&x, k), rolling_rsquare(&x, k), rolling_resid(&x, k));
            for t in (k - 1)..x.len() {
                let window = &x[t + 1 - k..=t];
                let mean = window.iter().sum::<f64>() / k as f64;
                let at = |i: usize| mean + slope[t] * (i as f64 - (k - 1) as f64 / 2.0);
                let left: f64 = window.iter().enumerate().map(|(i, x)| (x - at(i)).powi(2)).sum();
                let all: f64 = window.iter().map(|x| (x - mean).powi(2)).sum();
                prop_assert!((resid[t] - (x[t] - at(k - 1))).abs() < 1e-9);
                prop_assert!((rsquare[t] - (1.0 - left / all)).abs() < 1e-7);
            }
        }
    }

    #[test]
    fn a_price_far_from_zero_keeps_its_small_spread_for_a_long_time() {
        let x: Vec<f64> = (0..50_000).map(|t| 1e9 + f64::from(t % 2)).collect();
        assert!((rolling_std(&x, 200, 0)[49_999] - 0.5).abs() < 1e-12);
    }

    #[test]
    fn a_constant_window_has_no_shape() {
        let flat = [0.1; 30];
        assert_eq!((rolling_std(&flat, 20, 0)[29], rolling_mad(&flat, 4)[29]), (0.0, 0.0));
        for column in
            [rolling_zscore(&flat, 20), rolling_skew(&flat, 20), rolling_kurt(&flat, 20), rolling_rsquare(&flat, 20)]
        {
            assert!(column[29].is_nan());
        }
        assert_eq!((rolling_slope(&flat, 20)[29], rolling_resid(&flat, 20)[29]), (0.0, 0.0));
    }
}
