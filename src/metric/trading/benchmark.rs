//! A strategy beside a benchmark: per-period returns of both over the same periods.

use super::returns::{cagr, flat, ratio, sharpe, usable};
use crate::stats::sum::{mean, sum, variance};

/// Both series, where they are of equal length and finite.
fn paired<'a>(returns: &'a [f64], benchmark: &'a [f64]) -> Option<(&'a [f64], &'a [f64])> {
    (returns.len() == benchmark.len()).then_some((usable(returns)?, usable(benchmark)?))
}

fn covariance(a: &[f64], b: &[f64]) -> Option<f64> {
    let (centre_a, centre_b) = (mean(a)?, mean(b)?);
    let products = a.iter().zip(b).map(|(x, y)| (x - centre_a) * (y - centre_b));
    (a.len() > 1).then(|| sum(products) / (a.len() - 1) as f64)
}

fn active(returns: &[f64], benchmark: &[f64]) -> Option<Vec<f64>> {
    let (returns, benchmark) = paired(returns, benchmark)?;
    Some(returns.iter().zip(benchmark).map(|(own, other)| own - other).collect())
}

/// Computes beta, `cov(r, b) / var(b)`; `None` for a constant benchmark.
pub fn beta(returns: &[f64], benchmark: &[f64]) -> Option<f64> {
    let (returns, benchmark) = paired(returns, benchmark)?;
    if flat(benchmark) {
        return None;
    }
    ratio(covariance(returns, benchmark)?, variance(benchmark, 1)?)
}

/// Computes Jensen's alpha a year, `(1 + mean(r - beta b))^periods_per_year - 1`, without a risk-free rate.
///
/// # References
/// Jensen (1968), The performance of mutual funds in the period 1945-1964.
pub fn alpha(returns: &[f64], benchmark: &[f64], periods_per_year: f64) -> Option<f64> {
    let beta = beta(returns, benchmark)?;
    let rest: Vec<f64> = returns.iter().zip(benchmark).map(|(own, other)| own - beta * other).collect();
    let annual = libm::pow(1.0 + mean(&rest)?, periods_per_year) - 1.0;
    annual.is_finite().then_some(annual)
}

/// Computes the correlation of the returns; `None` where one of the series is constant.
pub fn correlation(returns: &[f64], benchmark: &[f64]) -> Option<f64> {
    let (returns, benchmark) = paired(returns, benchmark)?;
    if flat(returns) || flat(benchmark) {
        return None;
    }
    let spread = (variance(returns, 1)? * variance(benchmark, 1)?).sqrt();
    ratio(covariance(returns, benchmark)?, spread).map(|rho| rho.clamp(-1.0, 1.0))
}

/// Computes the tracking error: annual sample deviation (divisor n - 1) of the active returns `r - b`.
pub fn tracking_error(returns: &[f64], benchmark: &[f64], periods_per_year: f64) -> Option<f64> {
    let active = active(returns, benchmark)?;
    variance(&active, 1).map(|spread| (spread * periods_per_year).sqrt())
}

/// Computes the information ratio: the annual Sharpe ratio of the active returns `r - b`.
///
/// # References
/// Goodwin (1998), The information ratio.
pub fn information_ratio(returns: &[f64], benchmark: &[f64], periods_per_year: f64) -> Option<f64> {
    sharpe(&active(returns, benchmark)?, periods_per_year)
}

/// Computes the capture of the periods in which the benchmark rose: annual growth over that of the benchmark, both of these
/// periods alone.
pub fn up_capture(returns: &[f64], benchmark: &[f64], periods_per_year: f64) -> Option<f64> {
    capture(returns, benchmark, periods_per_year, |change| change > 0.0)
}

/// Computes the capture of the periods in which the benchmark fell; below 1 is good.
pub fn down_capture(returns: &[f64], benchmark: &[f64], periods_per_year: f64) -> Option<f64> {
    capture(returns, benchmark, periods_per_year, |change| change < 0.0)
}

fn capture(returns: &[f64], benchmark: &[f64], periods_per_year: f64, counts: fn(f64) -> bool) -> Option<f64> {
    let (returns, benchmark) = paired(returns, benchmark)?;
    let counted = || returns.iter().zip(benchmark).filter(|(_, other)| counts(**other));
    let own: Vec<f64> = counted().map(|(own, _)| *own).collect();
    let other: Vec<f64> = counted().map(|(_, other)| *other).collect();
    ratio(cagr(&own, periods_per_year)?, cagr(&other, periods_per_year)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::metric::golden::{agrees, json, stock_returns};
    use crate::metric::trading::stability;

    #[test]
    fn pairs_of_stocks_agree_with_empyrical() {
        for (pair, expect) in json("risk/benchmark.json")["results"].as_object().unwrap() {
            let (one, other) = pair.split_once('/').unwrap();
            let (returns, benchmark) = (stock_returns(one), stock_returns(other));
            for (key, ours) in [
                ("alpha", alpha(&returns, &benchmark, 252.0)),
                ("beta", beta(&returns, &benchmark)),
                ("up_capture", up_capture(&returns, &benchmark, 252.0)),
                ("down_capture", down_capture(&returns, &benchmark, 252.0)),
                ("information_ratio", information_ratio(&returns, &benchmark, 252.0)),
                ("tracking_error", tracking_error(&returns, &benchmark, 252.0)),
                ("correlation", correlation(&returns, &benchmark)),
                ("stability", stability(&returns)),
            ] {
                agrees(&format!("{pair} {key}"), ours, &expect[key], 0.0, 1e-9);
            }
        }
    }

    #[test]
    fn what_has_no_benchmark_has_no_figure_against_it() {
        let returns = [0.01, -0.02, 0.03];
        assert_eq!((beta(&returns, &[0.01; 3]), correlation(&returns, &[0.01; 3])), (None, None));
        assert_eq!(beta(&returns, &[0.01, 0.02]), None, "other periods");
        assert_eq!(alpha(&returns, &[0.01, f64::NAN, 0.0], 252.0), None);
        assert_eq!((up_capture(&returns, &[-0.01; 3], 252.0), down_capture(&returns, &[0.01; 3], 252.0)), (None, None));
        assert_eq!(information_ratio(&returns, &returns, 252.0), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_levered_benchmark_has_its_leverage_as_beta_and_no_alpha(
            benchmark in prop::collection::vec(-0.1..0.12_f64, 3..60), leverage in 0.1..3.0_f64,
        ) {
            let levered: Vec<f64> = benchmark.iter().map(|change| leverage * change).collect();
            if let Some(found) = beta(&levered, &benchmark) {
                prop_assert!((found - leverage).abs() < 1e-9);
                prop_assert!(alpha(&levered, &benchmark, 252.0).unwrap().abs() < 1e-9);
                prop_assert!((correlation(&levered, &benchmark).unwrap() - 1.0).abs() < 1e-9);
            }
        }
    }
}
