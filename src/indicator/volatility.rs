//! Volatility from returns and from ranges, drawdown, and the spread that ranges betray.

use super::run::{each_bar, each_run_single};
use super::window::mean_into;

/// Log return over k bars, `ln(x[t] / x[t-k])`; missing where a price is not positive.
pub fn log_return(x: &[f64], k: usize) -> Vec<f64> {
    each_run_single([x], |[x], out| {
        for t in k..x.len() {
            let growth = super::ratio(x[t], x[t - k]);
            out[t] = if growth > 0.0 { libm::log(growth) } else { f64::NAN };
        }
    })
}

fn root_of_mean(squares: &[f64], k: usize) -> Vec<f64> {
    each_run_single([squares], |[squares], out| {
        mean_into(squares, k, out);
        // Garman-Klass terms can be negative; a window that sums below zero has no root
        out.iter_mut().for_each(|mean| *mean = if *mean < 0.0 { f64::NAN } else { mean.sqrt() });
    })
}

fn log_ratio(above: f64, below: f64) -> f64 {
    if above > 0.0 && below > 0.0 { libm::log(above / below) } else { f64::NAN }
}

/// Parkinson volatility a bar, `sqrt(mean(ln(H/L)^2) / (4 ln 2))` over the last k bars.
///
/// # References
/// Parkinson, 1980, The Extreme Value Method for Estimating the Variance of the Rate of Return.
pub fn parkinson(high: &[f64], low: &[f64], k: usize) -> Vec<f64> {
    let terms = each_bar([high, low], |[high, low]| log_ratio(high, low).powi(2) / (4.0 * std::f64::consts::LN_2));
    root_of_mean(&terms, k)
}

/// Garman-Klass volatility a bar, `sqrt(mean(ln(H/L)^2 / 2 - (2 ln 2 - 1) ln(C/O)^2))` over the last k bars.
///
/// # References
/// Garman and Klass, 1980, On the Estimation of Security Price Volatilities from Historical Data.
pub fn garman_klass(open: &[f64], high: &[f64], low: &[f64], close: &[f64], k: usize) -> Vec<f64> {
    let weight = 2.0 * std::f64::consts::LN_2 - 1.0;
    let terms = each_bar([open, high, low, close], |[open, high, low, close]| {
        0.5 * log_ratio(high, low).powi(2) - weight * log_ratio(close, open).powi(2)
    });
    root_of_mean(&terms, k)
}

/// Exponentially weighted volatility of log returns, `sqrt(v)` with `v = decay * v + (1 - decay) * r^2`, started from the first `r^2`.
///
/// # References
/// RiskMetrics, 1996, Technical Document (decay 0.94 for daily data).
pub fn ewm_volatility(close: &[f64], decay: f64) -> Vec<f64> {
    each_run_single([&log_return(close, 1)], |[returns], out| {
        let mut variance = returns[0] * returns[0];
        for (t, moved) in returns.iter().enumerate() {
            if t > 0 {
                variance = decay * variance + (1.0 - decay) * moved * moved;
            }
            out[t] = variance.sqrt();
        }
    })
}

/// Worst fall below the running k-bar high seen in the last k bars, `min(x / highest_k(x) - 1)`, at most 0; first value at bar 2(k-1).
pub fn max_drawdown(x: &[f64], k: usize) -> Vec<f64> {
    let fall = each_bar([x, &super::highest(x, k)], |[x, high]| super::ratio(x, high) - 1.0);
    super::lowest(&fall, k)
}

/// Corwin-Schultz estimate of the bid-ask spread as a fraction of price, averaged over the last k pairs of bars.
///
/// For bars t-1 and t: `beta` = sum of `ln(H/L)^2`, `gamma = ln(H2/L2)^2` of the two bars together,
/// `alpha = (sqrt(2 beta) - sqrt(beta)) / c - sqrt(gamma / c)` with `c = 3 - 2 sqrt 2`, spread `2 (e^alpha - 1) / (1 + e^alpha)`.
/// A bar that gaps past the previous close is moved back to it, and a negative estimate counts as 0, as the paper does. A proxy: bars
/// carry no quotes.
///
/// # References
/// Corwin and Schultz, 2012, A Simple Way to Estimate Bid-Ask Spreads from Daily High and Low Prices.
pub fn corwin_schultz(high: &[f64], low: &[f64], close: &[f64], k: usize) -> Vec<f64> {
    let pairs = each_run_single([high, low, close], |[high, low, close], out| {
        for t in 1..close.len() {
            let gap = (close[t - 1] - high[t]).max(0.0) - (low[t] - close[t - 1]).max(0.0);
            out[t] = pair_spread((high[t - 1], low[t - 1]), (high[t] + gap, low[t] + gap));
        }
    });
    each_run_single([&pairs], |[pairs], out| mean_into(pairs, k, out))
}

fn pair_spread(first: (f64, f64), second: (f64, f64)) -> f64 {
    let curvature = 3.0 - 2.0 * std::f64::consts::SQRT_2;
    let beta = log_ratio(first.0, first.1).powi(2) + log_ratio(second.0, second.1).powi(2);
    let gamma = log_ratio(first.0.max(second.0), first.1.min(second.1)).powi(2);
    let alpha = ((2.0 * beta).sqrt() - beta.sqrt()) / curvature - (gamma / curvature).sqrt();
    if alpha.is_nan() {
        return f64::NAN;
    }
    let growth = libm::exp(alpha.max(0.0));
    2.0 * (growth - 1.0) / (1.0 + growth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pure_bid_ask_bounce_is_read_as_its_spread() {
        // the true price never moves: every bar spans exactly bid to ask
        let spread: f64 = 0.02;
        let (ask, bid) = (100.0 * (1.0 + spread / 2.0), 100.0 * (1.0 - spread / 2.0));
        let estimate = corwin_schultz(&[ask; 30], &[bid; 30], &[100.0; 30], 20);
        assert!((estimate[29] - spread).abs() < 1e-6, "{}", estimate[29]);
    }

    #[test]
    fn a_flat_market_has_no_volatility() {
        let flat = [7.0; 90];
        assert_eq!(parkinson(&flat, &flat, 20)[89], 0.0);
        assert_eq!(garman_klass(&flat, &flat, &flat, &flat, 20)[89], 0.0);
        assert_eq!(ewm_volatility(&flat, 0.94)[89], 0.0);
        assert_eq!(max_drawdown(&flat, 20)[89], 0.0);
        assert_eq!(corwin_schultz(&flat, &flat, &flat, 20)[89], 0.0);
    }

    #[test]
    fn a_price_that_is_not_positive_has_no_log_return() {
        let returns = log_return(&[1.0, -1.0, 0.0, 2.0, 2.0], 1);
        assert!(returns[1..4].iter().all(|r| r.is_nan()));
        assert_eq!(returns[4], 0.0);
    }
}
