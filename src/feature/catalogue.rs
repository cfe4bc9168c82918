//! Features that are computed by kernels: one row each, with the formula that the reference page prints.

use super::inputs::Inputs;
use super::set::{FeatureSpec, Source};
use crate::expression::calendar;
use crate::indicator::{self, each_bar, ratio};
use std::borrow::Cow;
use std::f64::consts::TAU;

/// `x / y - 1`, bar by bar.
fn distance(x: &[f64], y: &[f64]) -> Vec<f64> {
    each_bar([x, y], |[x, y]| ratio(x, y) - 1.0)
}

/// `x / y`, bar by bar.
fn quotient(x: &[f64], y: &[f64]) -> Vec<f64> {
    each_bar([x, y], |[x, y]| ratio(x, y))
}

/// The value n bars ago.
fn lag(x: &[f64], n: usize) -> Vec<f64> {
    std::iter::repeat_n(f64::NAN, n.min(x.len())).chain(x.iter().copied()).take(x.len()).collect()
}

fn volatility(inputs: &Inputs<'_>, k: usize) -> Vec<f64> {
    indicator::stddev(inputs.log_return(), k, 1)
}

fn volume_change(inputs: &Inputs<'_>) -> Vec<f64> {
    indicator::log_return(inputs.volume, 1)
}

fn momentum_12_1(i: &Inputs<'_>) -> Vec<f64> {
    lag(&indicator::roc(i.close, 231), 21)
}

fn directional_balance(i: &Inputs<'_>) -> Vec<f64> {
    each_bar([&i.directional().plus, &i.directional().minus], |[plus, minus]| (plus - minus) / 100.0)
}

fn band_position(i: &Inputs<'_>) -> Vec<f64> {
    let bands = i.bands();
    each_bar([i.close, &bands.upper, &bands.lower], |[close, upper, lower]| ratio(close - lower, upper - lower))
}

fn band_width(i: &Inputs<'_>) -> Vec<f64> {
    let bands = i.bands();
    each_bar([&bands.upper, &bands.middle, &bands.lower], |[upper, middle, lower]| ratio(upper - lower, middle))
}

fn range_over_atr(i: &Inputs<'_>) -> Vec<f64> {
    quotient(&indicator::true_range(i.high, i.low, i.close), &indicator::atr(i.high, i.low, i.close, 14))
}

fn balance_slope(i: &Inputs<'_>) -> Vec<f64> {
    let slope = indicator::linreg_slope(&indicator::obv(i.close, i.volume), 20);
    quotient(&slope, &indicator::sma(i.volume, 20))
}

fn close_position(i: &Inputs<'_>) -> Vec<f64> {
    each_bar([i.high, i.low, i.close], |[high, low, close]| ratio(close - low, high - low))
}

macro_rules! features {
    ($( $name:literal, $look_back:literal, $formula:literal, $doc:literal, |$inputs:ident| $column:expr; )+) => {
        /// Every feature that is computed by a kernel.
        pub const CATALOGUE: &[FeatureSpec] = &[$( FeatureSpec {
            name: Cow::Borrowed($name),
            formula: Cow::Borrowed($formula),
            doc: Cow::Borrowed($doc),
            look_back: $look_back,
            source: Source::Kernel(|$inputs| $column),
        } ),+];
    };
}

features! {
    "log_ret_1", 1, "ln(c / c[-1])", "Return of the bar.", |i| i.log_return().to_vec();
    "ret_5", 5, "c / c[-5] - 1", "Return of 5 bars.", |i| indicator::roc(i.close, 5);
    "ret_10", 10, "c / c[-10] - 1", "Return of 10 bars.", |i| indicator::roc(i.close, 10);
    "ret_20", 20, "c / c[-20] - 1", "Return of 20 bars.", |i| indicator::roc(i.close, 20);
    "ret_60", 60, "c / c[-60] - 1", "Return of 60 bars.", |i| indicator::roc(i.close, 60);
    "log_ret_lag_1", 2, "log_ret_1[-1]", "Return one bar ago.", |i| lag(i.log_return(), 1);
    "log_ret_lag_2", 3, "log_ret_1[-2]", "Return two bars ago.", |i| lag(i.log_return(), 2);
    "log_ret_lag_3", 4, "log_ret_1[-3]", "Return three bars ago.", |i| lag(i.log_return(), 3);
    "log_ret_lag_5", 6, "log_ret_1[-5]", "Return five bars ago.", |i| lag(i.log_return(), 5);
    "log_ret_lag_10", 11, "log_ret_1[-10]", "Return ten bars ago.", |i| lag(i.log_return(), 10);

    "mom_12_1", 252, "c[-21] / c[-252] - 1", "Return of a year without its last month (Jegadeesh and Titman, 1993).", |i| momentum_12_1(i);
    "rsi_14", 14, "rsi(c, 14)", "Smoothed gains as a share of gains and losses, 0..=100.", |i| indicator::rsi(i.close, 14);
    "macd_hist", 33, "macd(c, 12, 26, 9).histogram / c", "Acceleration of the trend, as a fraction of the price.", |i| quotient(&indicator::macd(i.close, 12, 26, 9).histogram, i.close);
    "efficiency_ratio_20", 20, "|c - c[-20]| / sum_20(|c - c[-1]|)", "1 for a straight path, near 0 for noise (Kaufman, 1995); null if the price stood still.", |i| indicator::efficiency_ratio(i.close, 20);
    "adx_14", 27, "directional_system(h, l, c, 14).strength: adx with ties up to rounding", "Strength of the trend without its sign, 0..=100.", |i| i.directional().strength.clone();
    "di_balance_14", 27, "(plus - minus) / 100, directional_system(h, l, c, 14)", "Direction of the trend, -1..=1.", |i| directional_balance(i);
    "dist_sma_50", 49, "c / sma(c, 50) - 1", "Distance from the 50-bar mean.", |i| distance(i.close, &indicator::sma(i.close, 50));
    "dist_sma_200", 199, "c / sma(c, 200) - 1", "Distance from the 200-bar mean.", |i| distance(i.close, &indicator::sma(i.close, 200));

    "bb_position_20", 19, "(c - lower) / (upper - lower), bands(c, 20, 2)", "Place of the close between the Bollinger bands; null if they coincide.", |i| band_position(i);
    "bb_width_20", 19, "(upper - lower) / middle, bands(c, 20, 2)", "Width of the Bollinger bands; narrow before a breakout.", |i| band_width(i);
    "zscore_20", 19, "(c - mean_20(c)) / sd_20(c), ddof 1", "Standard score of the close among 20.", |i| indicator::zscore(i.close, 20);
    "zscore_60", 59, "(c - mean_60(c)) / sd_60(c), ddof 1", "Standard score of the close among 60.", |i| indicator::zscore(i.close, 60);
    "dist_high_20", 19, "c / max_20(h) - 1, current bar included", "Distance below the 20-bar high.", |i| distance(i.close, &indicator::highest(i.high, 20));
    "dist_low_20", 19, "c / min_20(l) - 1, current bar included", "Distance above the 20-bar low.", |i| distance(i.close, &indicator::lowest(i.low, 20));
    "dist_high_252", 251, "c / max_252(h) - 1, current bar included", "Distance below the yearly high (George and Hwang, 2004).", |i| distance(i.close, &indicator::highest(i.high, 252));

    "natr_14", 14, "100 * atr(h, l, c, 14) / c", "Average true range in percent of the price.", |i| indicator::natr(i.high, i.low, i.close, 14);
    "vol_20", 20, "sd_20(log_ret_1), ddof 1", "Volatility a bar.", |i| volatility(i, 20);
    "volatility_ratio_10_60", 60, "sd_10(log_ret_1) / sd_60(log_ret_1), ddof 1", "Short against long volatility: above 1 when the market wakes up.", |i| quotient(&volatility(i, 10), &volatility(i, 60));
    "parkinson_20", 19, "sqrt(mean_20(ln(h/l)^2) / (4 ln 2))", "Volatility from ranges (Parkinson, 1980).", |i| indicator::parkinson(i.high, i.low, 20);
    "garman_klass_20", 19, "sqrt(mean_20(ln(h/l)^2 / 2 - (2 ln 2 - 1) ln(c/o)^2))", "Volatility from range and body (Garman and Klass, 1980).", |i| indicator::garman_klass(i.open, i.high, i.low, i.close, 20);
    "ewm_vol_094", 1, "sqrt(v), v = 0.94 v[-1] + 0.06 log_ret_1^2, first v = first log_ret_1^2", "Volatility with exponential memory (RiskMetrics, 1996).", |i| indicator::ewm_volatility(i.close, 0.94);
    "max_dd_60", 118, "min_60(c / max_60(c) - 1)", "Worst fall below the 60-bar high within 60 bars.", |i| indicator::max_drawdown(i.close, 60);

    "vol_ratio_20", 19, "v / mean_20(v), current bar included", "Volume of the bar against its mean.", |i| quotient(i.volume, &indicator::sma(i.volume, 20));
    "volume_ratio_5_60", 59, "mean_5(v) / mean_60(v)", "Volume of the week against the quarter.", |i| quotient(&indicator::sma(i.volume, 5), &indicator::sma(i.volume, 60));
    "obv_slope_20", 19, "linreg_slope(obv, 20) / mean_20(v)", "Trend of on-balance volume, in mean volumes a bar.", |i| balance_slope(i);
    "vwap_20", 19, "sum_20(tp v) / sum_20(v), tp = (h + l + c) / 3", "Volume-weighted mean price, in units of price.", |i| indicator::vwap(i.high, i.low, i.close, i.volume, 20);
    "vwap_dist_20", 19, "c / vwap_20 - 1", "Distance from the price at which the volume traded.", |i| distance(i.close, &indicator::vwap(i.high, i.low, i.close, i.volume, 20));
    "mfi_14", 14, "mfi(h, l, c, v, 14)", "Money that flows in on rises as a share of all, 0..=100.", |i| indicator::mfi(i.high, i.low, i.close, i.volume, 14);
    "amihud_20", 20, "1e6 * mean_20(|log_ret_1| / (c v))", "Illiquidity (Amihud, 2002), per million of traded value; depends on units.", |i| indicator::amihud(i.close, i.volume, 20);
    "corr_ret_dlogv_20", 20, "corr_20(log_ret_1, ln(v / v[-1]))", "Whether volume comes with rises or with falls; null next to a bar without volume.", |i| indicator::correlation(i.log_return(), &volume_change(i), 20);

    "hl_range", 0, "(h - l) / c", "Range of the bar as a fraction of the price.", |i| each_bar([i.high, i.low, i.close], |[high, low, close]| ratio(high - low, close));
    "close_pos", 0, "(c - l) / (h - l), null if h = l", "Place of the close within the bar.", |i| close_position(i);
    "gap", 1, "o / c[-1] - 1", "Jump from the last close to the open.", |i| distance(i.open, &lag(i.close, 1));
    "range_atr_14", 14, "true_range / atr(14)", "Size of the bar against its recent mean.", |i| range_over_atr(i);
    "spread_cs_20", 20, "mean_20 of the Corwin-Schultz spread, negative estimates as 0", "Proxy of the bid-ask spread from high and low, as a fraction of price (Corwin and Schultz, 2012).", |i| indicator::corwin_schultz(i.high, i.low, i.close, 20);

    "skew_20", 20, "skew_20(log_ret_1), bias-corrected", "Asymmetry of returns.", |i| indicator::skewness(i.log_return(), 20);
    "kurt_20", 20, "excess kurt_20(log_ret_1), bias-corrected", "Weight of the tails of returns.", |i| indicator::kurtosis(i.log_return(), 20);

    "dow_sin", 0, "sin(2 pi weekday / 7), Monday = 0", "Day of the week on a circle.", |i| i.each_session(|s| libm::sin(TAU * calendar::weekday(s) / 7.0));
    "dow_cos", 0, "cos(2 pi weekday / 7), Monday = 0", "Day of the week on a circle.", |i| i.each_session(|s| libm::cos(TAU * calendar::weekday(s) / 7.0));
    "month_sin", 0, "sin(2 pi (month - 1) / 12)", "Month on a circle.", |i| i.each_session(|s| libm::sin(TAU * (calendar::month(s) - 1.0) / 12.0));
    "month_cos", 0, "cos(2 pi (month - 1) / 12)", "Month on a circle.", |i| i.each_session(|s| libm::cos(TAU * (calendar::month(s) - 1.0) / 12.0));
}
