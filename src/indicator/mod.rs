//! Indicators: pure kernels over columns of bars.
//!
//! A kernel takes columns of equal length and returns columns of that length; a value at t uses bars up to and including t and is NaN
//! until enough of them are there. Names, seeding and warm-up are TA-Lib's where TA-Lib has the indicator.
//!
//! - **Missing input.** Every maximal run of finite bars is a series of its own: see `run.rs`. No value is infinite.
//! - **Causality.** Cutting the series never changes a value before the cut, bit for bit. The contract test holds every row of
//!   [`INDICATORS`] to it.
//! - **Precision.** Windowed sums never subtract (see `window.rs`), so nothing drifts over a long series.
//! - **No units.** A divisor is zero when it is zero, two prices tie when they agree to 1e-14 of their size: a coin quoted at 1e-9 gets
//!   the indicators a stock gets.
//! - **Not guaranteed.** Recursive values (EMA, Wilder, OBV) remember where their run began; two histories of one symbol that start at
//!   different bars agree only after a few hundred bars, and OBV and A/D never in their level.
//! - **Degenerate parameters.** A period of 0 yields missing values only.
//!
//! A new indicator is one kernel and one row in `table.rs`.

mod average;
mod directional;
mod moment;
mod momentum;
mod order;
mod oscillator;
mod range;
mod rolling;
mod run;
mod table;
mod volatility;
mod volume;
mod window;

#[cfg(test)]
pub(crate) mod golden;
#[cfg(test)]
mod tests;

pub use average::{dema, efficiency_ratio, ema, kama, tema, wilder, wma};
pub use directional::{
    Aroon, DirectionalSystem, adx, adxr, aroon, aroonosc, directional_system, dx, minus_di, plus_di, sar,
};
pub use moment::{BollingerBands, bbands, correlation, kurtosis, linreg_slope, skewness, stddev, zscore};
pub use momentum::{Macd, cmo, macd, mom, ppo, roc, roc_percent, rsi, trix};
pub use order::{place_of_highest, place_of_lowest, rolling_quantile, rolling_rank};
pub use oscillator::{Stochastic, bop, cci, stoch, stochf, stochrsi, ultosc, willr};
pub use range::{atr, natr, true_range};
pub use rolling::{
    rolling_corr, rolling_kurt, rolling_mad, rolling_resid, rolling_rsquare, rolling_skew, rolling_slope, rolling_std,
    rolling_zscore,
};
pub(crate) use run::each_bar;
pub use table::{INDICATORS, Indicator, Ohlcv, Parameter, Scale};
pub use volatility::{corwin_schultz, ewm_volatility, garman_klass, log_return, max_drawdown, parkinson};
pub use volume::{ad, adosc, adv, amihud, mfi, obv, vwap};
pub use window::{highest, highest_before, lowest, lowest_before, sma, sum};

/// Relative difference, against the sum of both magnitudes, that counts as none: a mean of three prices, or an index of smoothed gains,
/// ties in decimals but not in binary. TA-Lib 0.8 resolves ties at this size.
const TIE: f64 = 1e-14;

/// Says whether two values are equal up to rounding.
fn tie(a: f64, b: f64) -> bool {
    (a - b).abs() <= TIE * (a.abs() + b.abs())
}

/// Quotient that is missing, not infinite, when the divisor is zero.
pub(crate) fn ratio(numerator: f64, divisor: f64) -> f64 {
    if divisor == 0.0 { f64::NAN } else { numerator / divisor }
}

/// Quotient that is 0 when the divisor is zero: TA-Lib's convention for oscillators without any movement.
fn ratio_or_zero(numerator: f64, divisor: f64) -> f64 {
    if divisor == 0.0 { 0.0 } else { numerator / divisor }
}
