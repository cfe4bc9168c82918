//! Metrics of simple per-period returns.

use super::drawdown::drawdown;
use crate::stats::distribution::normal_quantile;
use crate::stats::order::{quantile, sorted};
use crate::stats::sum::{mean, std_dev, sum};

/// Share of the largest magnitude below which a spread is rounding noise of a constant series.
const FLAT: f64 = 1e-14;

/// Says whether the values are constant up to rounding, so that no ratio to their spread is defined.
pub fn flat(values: &[f64]) -> bool {
    let largest = values.iter().fold(0.0_f64, |best, value| best.max(value.abs()));
    let (low, high) = values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(*value), high.max(*value)));
    values.is_empty() || high - low <= FLAT * largest
}

/// `Some` when there is something and all of it is finite.
pub(super) fn usable(values: &[f64]) -> Option<&[f64]> {
    (!values.is_empty() && values.iter().all(|value| value.is_finite())).then_some(values)
}

/// Computes the compounded return over the whole series, `prod (1 + r) - 1`.
pub fn total_return(returns: &[f64]) -> Option<f64> {
    wealth(returns).map(|end| end - 1.0)
}

/// Computes the compound annual growth rate, `(prod (1 + r))^(periods_per_year / n) - 1`; -1 once equity reached 0.
pub fn cagr(returns: &[f64], periods_per_year: f64) -> Option<f64> {
    let growth = libm::pow(wealth(returns)?, periods_per_year / returns.len() as f64) - 1.0;
    growth.is_finite().then_some(growth)
}

/// Computes the annual volatility: sample standard deviation (divisor n - 1) times `sqrt(periods_per_year)`.
pub fn volatility(returns: &[f64], periods_per_year: f64) -> Option<f64> {
    std_dev(usable(returns)?, 1).map(|deviation| deviation * periods_per_year.sqrt())
}

/// Computes the annual Sharpe ratio: mean over sample deviation (divisor n - 1), times `sqrt(periods_per_year)`.
///
/// `None` for constant returns and for fewer than 2.
///
/// # References
/// Sharpe (1994), The Sharpe ratio.
pub fn sharpe(returns: &[f64], periods_per_year: f64) -> Option<f64> {
    if flat(usable(returns)?) {
        return None;
    }
    ratio(mean(returns)?, std_dev(returns, 1)?).map(|per_period| per_period * periods_per_year.sqrt())
}

/// Computes the annual downside deviation, `sqrt(sum min(r, 0)^2 / n) sqrt(periods_per_year)` over **all** n periods.
pub fn downside_deviation(returns: &[f64], periods_per_year: f64) -> Option<f64> {
    let squares = sum(usable(returns)?.iter().map(|change| change.min(0.0) * change.min(0.0)));
    Some((squares / returns.len() as f64).sqrt() * periods_per_year.sqrt())
}

/// Computes the annual Sortino ratio, `mean * periods_per_year / downside_deviation`; `None` without a losing period.
///
/// # References
/// Sortino and Price (1994), Performance measurement in a downside risk framework.
pub fn sortino(returns: &[f64], periods_per_year: f64) -> Option<f64> {
    ratio(mean(usable(returns)?)? * periods_per_year, downside_deviation(returns, periods_per_year)?)
}

/// Computes the Calmar ratio, `cagr / |max drawdown|`; `None` without a drawdown.
///
/// # References
/// Young (1991), Calmar ratio: a smoother tool.
pub fn calmar(returns: &[f64], periods_per_year: f64) -> Option<f64> {
    ratio(cagr(returns, periods_per_year)?, -drawdown(returns)?.max_drawdown)
}

/// Computes the historical value at risk: the return at quantile `tail` (type 7), for example 0.05.
pub fn value_at_risk(returns: &[f64], tail: f64) -> Option<f64> {
    quantile(usable(returns)?, tail)
}

/// Computes the value at risk of a normal distribution with the sample's mean and standard deviation (divisor n - 1).
pub fn value_at_risk_normal(returns: &[f64], tail: f64) -> Option<f64> {
    if flat(usable(returns)?) {
        return None;
    }
    let at_risk = mean(returns)? + normal_quantile(tail) * std_dev(returns, 1)?;
    at_risk.is_finite().then_some(at_risk)
}

/// Computes the conditional value at risk: the mean of the worst `tail * n` returns, the last of them counted in part.
///
/// # References
/// Rockafellar and Uryasev (2002), Conditional value-at-risk for general loss distributions.
pub fn conditional_value_at_risk(returns: &[f64], tail: f64) -> Option<f64> {
    let ordered = sorted(usable(returns)?);
    if !(tail > 0.0 && tail <= 1.0) {
        return None;
    }
    let mass = tail * ordered.len() as f64;
    let whole = (mass.floor() as usize).min(ordered.len());
    let part = ordered.get(whole).map_or(0.0, |next| (mass - whole as f64) * next);
    Some((sum(ordered[..whole].iter().copied()) + part) / mass)
}

/// Computes the tail ratio, `|95 % quantile| / |5 % quantile|`; `None` when the lower one is 0.
pub fn tail_ratio(returns: &[f64]) -> Option<f64> {
    ratio(quantile(usable(returns)?, 0.95)?.abs(), quantile(returns, 0.05)?.abs())
}

/// Computes the omega ratio at a threshold per period: gains above it over losses below it; `None` without a loss.
///
/// # References
/// Keating and Shadwick (2002), A universal performance measure.
pub fn omega(returns: &[f64], threshold: f64) -> Option<f64> {
    usable(returns)?;
    let gains = sum(returns.iter().map(|change| (change - threshold).max(0.0)));
    let losses = sum(returns.iter().map(|change| (threshold - change).max(0.0)));
    ratio(gains, losses)
}

/// Computes the profit factor: sum of gains over sum of losses; `None` without a loss.
///
/// Takes periods or trades (R multiples or money) alike.
pub fn profit_factor(results: &[f64]) -> Option<f64> {
    omega(results, 0.0)
}

/// Computes gain to pain: the sum of all returns over the sum of losses; `None` without a loss.
pub fn gain_to_pain(returns: &[f64]) -> Option<f64> {
    let losses = sum(usable(returns)?.iter().map(|change| (-change).max(0.0)));
    ratio(sum(returns.iter().copied()), losses)
}

/// Computes the share of gains among the periods that moved at all; `None` when none did.
pub fn win_rate(returns: &[f64]) -> Option<f64> {
    let moved = usable(returns)?.iter().filter(|change| **change != 0.0).count();
    let gained = returns.iter().filter(|change| **change > 0.0).count();
    (moved > 0).then(|| gained as f64 / moved as f64)
}

/// Computes the population skewness, `m3 / m2^1.5`; `None` for constant values.
pub fn skewness(values: &[f64]) -> Option<f64> {
    standardised_moment(values, 3)
}

/// Computes the full population kurtosis, `m4 / m2^2` (normal = 3); `None` for constant values.
pub fn kurtosis(values: &[f64]) -> Option<f64> {
    standardised_moment(values, 4)
}

fn standardised_moment(values: &[f64], order: i32) -> Option<f64> {
    if flat(usable(values)?) {
        return None;
    }
    let centre = mean(values)?;
    let deviation = std_dev(values, 0)?;
    let moment = sum(values.iter().map(|value| ((value - centre) / deviation).powi(order))) / values.len() as f64;
    moment.is_finite().then_some(moment)
}

/// Computes the stability of growth: the share of the variance of log equity that a straight line explains (R^2).
///
/// `None` for fewer than 2 periods, constant equity, or a return of -1 or worse.
pub fn stability(returns: &[f64]) -> Option<f64> {
    let mut total = 0.0;
    let growth: Vec<f64> = usable(returns)?
        .iter()
        .map(|change| {
            total += libm::log1p(*change);
            total
        })
        .collect();
    let time: Vec<f64> = (0..growth.len()).map(|bar| bar as f64).collect();
    if flat(usable(&growth)?) {
        return None;
    }
    let (centre, middle) = (mean(&growth)?, mean(&time)?);
    let shared = sum(growth.iter().zip(&time).map(|(value, bar)| (value - centre) * (bar - middle)));
    let spread = |values: &[f64], centre: f64| sum(values.iter().map(|value| (value - centre) * (value - centre)));
    ratio(shared * shared, spread(&growth, centre) * spread(&time, middle))
}

/// Equity at the end; a return of -1 or worse ends the series at 0.
fn wealth(returns: &[f64]) -> Option<f64> {
    let end = usable(returns)?.iter().fold(1.0_f64, |equity, change| (equity * (1.0 + change)).max(0.0));
    end.is_finite().then_some(end)
}

/// A quotient; `None` when the divisor is 0 or the result is not finite.
pub(super) fn ratio(dividend: f64, divisor: f64) -> Option<f64> {
    let quotient = dividend / divisor;
    (divisor != 0.0 && quotient.is_finite()).then_some(quotient)
}
