//! Serial dependence: how many rows say the same thing, and what that does to the error of a mean.
//!
//! A series with integrated autocorrelation time tau carries about `n / tau` independent observations. Block lengths
//! and lag windows of this crate grow from that one number.
//!
//! # NaN
//! Inputs are finite; callers drop missing rows first. A constant series has no dependence to speak of: its
//! autocorrelation is undefined and its tau is 1.

use statrs::distribution::{ContinuousCDF, Normal};

use crate::stats::order::midranks;
use crate::stats::sum::{mean, sum};

/// Width of Sokal's self-consistent window in units of tau: 5 keeps the truncation bias below 1 % for an exponential
/// decay (`exp(-5)`) at an acceptable variance.
const SOKAL_WINDOW: f64 = 5.0;

/// Lags taken one dot product at a time before the whole autocovariance is computed by Fourier transform. Short memory
/// (the usual case) never pays for the transform, long memory never pays `n^2`.
const DIRECT_LAGS: usize = 256;

/// Returns the biased autocovariance (divisor `n`) at lags `0..=max_lag`; lags past `n - 1` are 0.
///
/// `c_k = 1/n sum_{t} (x_t - mean)(x_{t+k} - mean)`
pub fn autocovariance(values: &[f64], max_lag: usize) -> Vec<f64> {
    let centred = centre(values);
    let count = values.len().max(1) as f64;
    (0..=max_lag).map(|lag| lagged_product(&centred, lag) / count).collect()
}

/// Returns the biased autocorrelation `c_k / c_0` at lags `0..=max_lag`; `None` for a constant or empty series.
pub fn autocorrelation(values: &[f64], max_lag: usize) -> Option<Vec<f64>> {
    if is_constant(values) {
        return None;
    }
    let covariance = autocovariance(values, max_lag);
    let variance = covariance[0];
    (variance > 0.0).then(|| covariance.iter().map(|c| c / variance).collect())
}

/// Returns the integrated autocorrelation time, floored at 1.
///
/// `tau = 1 + 2 sum_{k=1}^{M} rho_k` with the smallest window `M >= 5 tau(M)` and biased autocorrelations. The floor
/// refuses the credit of negative correlation: it is rarely stable enough to shorten a block on.
///
/// # Units
/// Rows of the series.
///
/// # References
/// Sokal (1997), Monte Carlo Methods in Statistical Mechanics, section 3.
pub fn integrated_autocorrelation_time(values: &[f64]) -> f64 {
    if is_constant(values) {
        return 1.0;
    }
    let centred = centre(values);
    let power = lagged_product(&centred, 0);
    if power <= 0.0 {
        return 1.0;
    }
    let mut window = SokalWindow { tau: 1.0, lag: 0 };
    for lag in 1..centred.len().min(DIRECT_LAGS) {
        if window.closes_after(lagged_product(&centred, lag) / power) {
            return window.tau.max(1.0);
        }
    }
    if centred.len() > DIRECT_LAGS {
        let products = all_lagged_products(&centred);
        for product in &products[DIRECT_LAGS..] {
            if window.closes_after(product / power) {
                break;
            }
        }
    }
    window.tau.max(1.0)
}

struct SokalWindow {
    tau: f64,
    lag: usize,
}

impl SokalWindow {
    fn closes_after(&mut self, correlation: f64) -> bool {
        self.lag += 1;
        self.tau += 2.0 * correlation;
        self.lag as f64 >= SOKAL_WINDOW * self.tau
    }
}

/// Returns the long-run variance `c_0 + 2 sum_{k=1}^{lag} (1 - k/(lag+1)) c_k`: the variance of the mean is this over
/// `n`. Bartlett weights make it non-negative for every series.
///
/// # References
/// Newey and West (1987), A Simple, Positive Semi-definite, Heteroskedasticity and Autocorrelation Consistent
/// Covariance Matrix.
pub fn long_run_variance(values: &[f64], lag: usize) -> f64 {
    let covariance = autocovariance(values, lag.min(values.len().saturating_sub(1)));
    let span = (lag + 1) as f64;
    let weighted = covariance.iter().enumerate().skip(1).map(|(k, c)| 2.0 * (1.0 - k as f64 / span) * c);
    sum(std::iter::once(covariance[0]).chain(weighted)).max(0.0)
}

/// Returns the normal scores of the midranks, `Phi^-1((rank - 1/2) / n)`: the shape of the distribution is gone, only
/// the order in time is left, so that tails and scale cannot disturb an autocorrelation.
pub fn normal_scores(values: &[f64]) -> Vec<f64> {
    let normal = Normal::standard();
    let count = values.len() as f64;
    midranks(values).into_iter().map(|rank| normal.inverse_cdf((rank - 0.5) / count)).collect()
}

fn is_constant(values: &[f64]) -> bool {
    values.windows(2).all(|pair| pair[0] == pair[1])
}

fn centre(values: &[f64]) -> Vec<f64> {
    let middle = mean(values).unwrap_or(0.0);
    values.iter().map(|x| x - middle).collect()
}

/// Four fixed lanes: the order of the sum is part of the result, yet it need not wait for each addition.
fn lagged_product(centred: &[f64], lag: usize) -> f64 {
    let Some(late) = centred.get(lag..) else { return 0.0 };
    let early = &centred[..late.len()];
    let mut lanes = [0.0_f64; 4];
    let (early_chunks, late_chunks) = (early.chunks_exact(4), late.chunks_exact(4));
    let rest = early_chunks.remainder().iter().zip(late_chunks.remainder());
    let tail: f64 = rest.map(|(a, b)| a * b).sum();
    for (a, b) in early_chunks.zip(late_chunks) {
        for lane in 0..4 {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]) + tail
}

/// Products at every lag at once: the inverse transform of the power spectrum of the series padded with zeros
/// (Wiener and Khinchin).
fn all_lagged_products(centred: &[f64]) -> Vec<f64> {
    let size = (2 * centred.len()).next_power_of_two();
    let mut signal: Vec<(f64, f64)> = centred.iter().map(|&x| (x, 0.0)).collect();
    signal.resize(size, (0.0, 0.0));
    fourier(&mut signal);
    for point in &mut signal {
        *point = (point.0 * point.0 + point.1 * point.1, 0.0);
    }
    // a real, even spectrum: forward and inverse transforms agree up to the factor 1/size
    fourier(&mut signal);
    signal[..centred.len()].iter().map(|point| point.0 / size as f64).collect()
}

/// Radix-2 Fourier transform in place; the length is a power of two (Cooley and Tukey, 1965).
fn fourier(signal: &mut [(f64, f64)]) {
    let size = signal.len();
    let bits = size.trailing_zeros();
    for i in 0..size {
        let j = i.reverse_bits() >> (usize::BITS - bits);
        if i < j {
            signal.swap(i, j);
        }
    }
    let twiddles: Vec<(f64, f64)> = (0..size / 2)
        .map(|k| {
            let angle = -std::f64::consts::TAU * k as f64 / size as f64;
            (libm::cos(angle), libm::sin(angle))
        })
        .collect();
    let mut half = 1;
    while half < size {
        let step = size / (2 * half);
        for start in (0..size).step_by(2 * half) {
            for k in 0..half {
                let (c, s) = twiddles[k * step];
                let (a, b) = (signal[start + k], signal[start + k + half]);
                let turned = (b.0 * c - b.1 * s, b.0 * s + b.1 * c);
                signal[start + k] = (a.0 + turned.0, a.1 + turned.1);
                signal[start + k + half] = (a.0 - turned.0, a.1 - turned.1);
            }
        }
        half *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Seed;
    use proptest::prelude::*;

    fn golden(name: &str) -> serde_json::Value {
        let path = format!("{}/tests/golden/stats/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn numbers(value: &serde_json::Value) -> Vec<f64> {
        value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
    }

    fn autoregressive(n: usize, phi: f64, seed: u64) -> Vec<f64> {
        let mut stream = Seed::new(seed).stream();
        let mut state = stream.normal() / (1.0 - phi * phi).sqrt();
        (0..n)
            .map(|_| {
                state = phi * state + stream.normal();
                state
            })
            .collect()
    }

    #[test]
    fn autocorrelation_and_long_run_variance_equal_statsmodels() {
        for case in golden("dependence_bootstrap")["cases"].as_array().unwrap() {
            let Some(expected) = case["expect"].get("acf_1_20") else { continue };
            let x = numbers(&case["input"]["x"]);
            let ours = autocorrelation(&x, 20).unwrap();
            for (a, b) in ours[1..].iter().zip(numbers(expected)) {
                assert!((a - b).abs() <= 1e-10, "{}: {a} {b}", case["name"]);
            }
            let lag = case["expect"]["nw_lag"].as_u64().unwrap() as usize;
            let expected = case["expect"]["nw_long_run_var"].as_f64().unwrap();
            let ours = long_run_variance(&x, lag);
            assert!((ours / expected - 1.0).abs() <= 1e-8, "{}: {ours} {expected}", case["name"]);
        }
    }

    #[test]
    fn tau_of_an_autoregression_is_near_its_theory() {
        for phi in [0.0, 0.5, 0.8] {
            let tau = integrated_autocorrelation_time(&autoregressive(40_000, phi, 11));
            let theory = (1.0 + phi) / (1.0 - phi);
            assert!((tau / theory - 1.0).abs() < 0.15, "phi {phi}: {tau} against {theory}");
        }
    }

    #[test]
    fn long_memory_by_transform_equals_the_direct_sum() {
        let walk: Vec<f64> = autoregressive(3_000, 0.0, 5)
            .iter()
            .scan(0.0, |sum, x| {
                *sum += x;
                Some(*sum)
            })
            .collect();
        let rho = autocorrelation(&walk, walk.len() - 1).unwrap();
        let mut direct = 1.0;
        for (lag, r) in rho.iter().enumerate().skip(1) {
            direct += 2.0 * r;
            if lag as f64 >= 5.0 * direct {
                break;
            }
        }
        let tau = integrated_autocorrelation_time(&walk);
        assert!(tau > 100.0 && (tau - direct).abs() < 1e-8 * tau, "{tau} {direct}");
    }

    #[test]
    fn constant_short_and_empty_series_have_tau_one() {
        for series in [&[][..], &[3.0], &[0.1; 50], &[1.0, 2.0]] {
            assert_eq!(integrated_autocorrelation_time(series), 1.0);
        }
        assert_eq!(autocorrelation(&[0.1; 50], 3), None);
        assert_eq!(long_run_variance(&[], 4), 0.0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn tau_ignores_shift_and_scale(seed in 0_u64..1000, scale in 0.01_f64..100.0, shift in -10.0_f64..10.0) {
            let x = autoregressive(200, 0.6, seed);
            let y: Vec<f64> = x.iter().map(|v| v * scale + shift).collect();
            let (a, b) = (integrated_autocorrelation_time(&x), integrated_autocorrelation_time(&y));
            prop_assert!((a - b).abs() < 1e-6 * a && a >= 1.0);
        }

        #[test]
        fn scores_keep_the_order(values in proptest::collection::vec(-5.0_f64..5.0, 2..40)) {
            let scores = normal_scores(&values);
            for i in 1..values.len() {
                prop_assert_eq!(values[i - 1] < values[i], scores[i - 1] < scores[i]);
            }
        }
    }
}
