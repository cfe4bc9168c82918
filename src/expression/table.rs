//! The functions of the language: one row each.

use super::calendar as time;
use super::function::{ArgumentKind, CrossSection, Declared, Function, Gives, Group, Kernel};
use super::kernel as own;
use super::section;
use crate::indicator as ind;

const fn number(name: &'static str) -> Declared {
    Declared { name, kind: ArgumentKind::Number }
}

const fn condition(name: &'static str) -> Declared {
    Declared { name, kind: ArgumentKind::Boolean }
}

const fn any(name: &'static str) -> Declared {
    Declared { name, kind: ArgumentKind::Any }
}

/// A window that has to be given.
const fn window(name: &'static str) -> Declared {
    Declared { name, kind: ArgumentKind::Whole { default: None, minimum: 1.0 } }
}

/// A window with the default of the field.
const fn period(name: &'static str, default: f64) -> Declared {
    Declared { name, kind: ArgumentKind::Whole { default: Some(default), minimum: 1.0 } }
}

const fn whole(name: &'static str, default: f64, minimum: f64) -> Declared {
    Declared { name, kind: ArgumentKind::Whole { default: Some(default), minimum } }
}

const fn real(name: &'static str, default: Option<f64>, minimum: f64, maximum: f64) -> Declared {
    Declared { name, kind: ArgumentKind::Real { default, minimum, maximum } }
}

const SHIFT: Declared = Declared { name: "n", kind: ArgumentKind::Shift };
const X: Declared = number("x");
const Y: Declared = number("y");
const K: Declared = window("k");
const HLC: &[&str] = &["high", "low", "close"];
const HLCV: &[&str] = &["high", "low", "close", "volume"];
const OHLC: &[&str] = &["open", "high", "low", "close"];

/// Constant `index` as a whole number of bars; 0, for which kernels give only null, where there is none.
fn n(constants: &[f64], index: usize) -> usize {
    constants.get(index).map_or(0, |value| value.clamp(0.0, f64::from(u32::MAX)) as usize)
}

/// One less than the window: the bars before the current one in it.
fn before(constants: &[f64]) -> usize {
    n(constants, 0).saturating_sub(1)
}

/// Columns in the order high, low, close.
fn hlc<T>(x: &[&[f64]], kernel: impl Fn(&[f64], &[f64], &[f64]) -> T) -> T {
    kernel(x[0], x[1], x[2])
}

macro_rules! functions {
    (@kernel Choice) => { Kernel::Choice };
    (@kernel $kernel:ident $body:expr) => { Kernel::$kernel($body) };
    (@gives bool) => { Gives::Boolean };
    (@gives number) => { Gives::Number };
    (@gives same) => { Gives::Same };
    (@reads) => { &[] };
    (@reads $reads:expr) => { $reads };
    (@recursive) => { false };
    (@recursive recursive) => { true };
    ($( $group:ident $name:literal $(| $alias:literal)* [$($argument:expr),*] $(reads $reads:expr ;)? -> $gives:ident $($recursive:ident)?,
        $formula:literal, $doc:literal, $warm_up:expr, $kernel:ident $(($body:expr))?; )+) => {
        /// Every function of one symbol's bars.
        pub const FUNCTIONS: &[Function] = &[$( Function {
            name: $name,
            aliases: &[$($alias),*],
            group: Group::$group,
            formula: $formula,
            doc: $doc,
            arguments: &[$($argument),*],
            reads: functions!(@reads $($reads)?),
            gives: functions!(@gives $gives),
            recursive: functions!(@recursive $($recursive)?),
            warm_up: $warm_up,
            kernel: functions!(@kernel $kernel $($body)?),
        } ),+];
    };
}

functions! {
    Bar "abs" [X] -> number, "|x|", "Size without the sign.", |_| 0, One(f64::abs);
    Bar "sign" [X] -> number, "-1, 0 or 1", "Direction.", |_| 0, One(|x| if x == 0.0 { 0.0 } else { x.signum() });
    Bar "log" | "ln" [X] -> number, "ln(x)", "Natural logarithm; null unless x > 0.", |_| 0, One(libm::log);
    Bar "exp" [X] -> number, "e^x", "Exponential; null where it overflows.", |_| 0, One(libm::exp);
    Bar "sqrt" [X] -> number, "x^0.5", "Square root; null for x < 0.", |_| 0, One(f64::sqrt);
    Bar "power" | "pow" [X, Y] -> number, "x^y", "The same as `x ^ y`; null where it is no real number.", |_| 0, Two(libm::pow);
    Bar "floor" [X] -> number, "largest whole number <= x", "Rounds down.", |_| 0, One(f64::floor);
    Bar "ceil" [X] -> number, "smallest whole number >= x", "Rounds up.", |_| 0, One(f64::ceil);
    Bar "round" [X] -> number, "nearest whole number, halves away from 0", "Rounds.", |_| 0, One(f64::round);
    Bar "sin" [X] -> number, "sin(x), x in radians", "Sine.", |_| 0, One(libm::sin);
    Bar "cos" [X] -> number, "cos(x), x in radians", "Cosine.", |_| 0, One(libm::cos);
    Bar "tanh" [X] -> number, "tanh(x)", "Squeezes into -1..=1.", |_| 0, One(libm::tanh);
    Bar "max2" [X, Y] -> number, "max(x, y)", "The larger of two values of the bar. The largest of k bars is `max`.", |_| 0, Two(f64::max);
    Bar "min2" [X, Y] -> number, "min(x, y)", "The smaller of two values of the bar. The smallest of k bars is `min`.", |_| 0, Two(f64::min);
    Bar "clip" [X, number("low"), number("high")] -> number, "min(max(x, low), high)", "Keeps x between two bounds.", |_| 0, Bar(own::clip);
    Bar "if" [condition("test"), any("then"), any("else")] -> same, "then where test, else where not", "Null where the test is null; the side not taken may be null.", |_| 0, Choice;
    Bar "coalesce" [any("x"), any("y")] -> same, "x, or y where x is null", "The first that is known.", |_| 0, Bar(|v| if v[0].is_nan() { v[1] } else { v[0] });
    Bar "is_null" [any("x")] -> bool, "x is missing", "Never null itself.", |_| 0, Bar(|v| f64::from(u8::from(v[0].is_nan())));
    Bar "typical" [] reads HLC; -> number, "(high + low + close) / 3", "Typical price.", |_| 0, Bar(own::typical);

    Change "lag" [any("x"), SHIFT] -> same, "x[-n]", "The value n bars ago.", |c| n(c, 0), Columns(|x, c| own::lag(x[0], c[0]));
    Change "delta" | "mom" [X, SHIFT] -> number, "x - x[-n]", "Change over n bars.", |c| n(c, 0), Columns(|x, c| own::change(x[0], c[0], |now, then| now - then));
    Change "roc" [X, SHIFT] -> number, "x / x[-n] - 1", "Rate of change over n bars, as a fraction. TA-Lib's ROC is 100 times this.", |c| n(c, 0), Columns(|x, c| own::change(x[0], c[0], |now, then| ind::ratio(now, then) - 1.0));
    Change "log_return" [X, SHIFT] -> number, "ln(x / x[-n])", "Log return over n bars; null unless both are positive.", |c| n(c, 0), Columns(|x, c| own::change(x[0], c[0], own::log_ratio));

    Window "sum" [X, K] -> number, "x + x[-1] + ... + x[-(k-1)]", "Sum of the last k values.", before, Columns(|x, c| ind::sum(x[0], n(c, 0)));
    Window "std" | "stddev" [X, K, whole("ddof", 1.0, 0.0)] -> number, "sqrt(sum((x - mean)^2) / (k - ddof))", "Standard deviation of the last k values; `ddof=0` for TA-Lib's STDDEV. Null where k <= ddof.", before, Columns(|x, c| ind::rolling_std(x[0], n(c, 0), n(c, 1)));
    Window "zscore" [X, K] -> number, "(x - mean_k(x)) / std_k(x)", "Standard score among the last k values; null for a constant window.", before, Columns(|x, c| ind::rolling_zscore(x[0], n(c, 0)));
    Window "skew" [X, K] -> number, "sample skewness G1 of the last k values", "Asymmetry, bias-corrected (Joanes and Gill, 1998); null for a constant window and k < 3.", before, Columns(|x, c| ind::rolling_skew(x[0], n(c, 0)));
    Window "kurt" [X, K] -> number, "sample excess kurtosis G2 of the last k values", "Weight of the tails, bias-corrected (Joanes and Gill, 1998); null for a constant window and k < 4.", before, Columns(|x, c| ind::rolling_kurt(x[0], n(c, 0)));
    Window "mad" [X, K] -> number, "mean(|x - mean_k(x)|)", "Mean absolute deviation of the last k values from their mean.", before, Columns(|x, c| ind::rolling_mad(x[0], n(c, 0)));
    Window "max" [X, K] -> number, "largest of x, ..., x[-(k-1)]", "Largest of the last k values, the current one included.", before, Columns(|x, c| ind::highest(x[0], n(c, 0)));
    Window "min" [X, K] -> number, "smallest of x, ..., x[-(k-1)]", "Smallest of the last k values, the current one included.", before, Columns(|x, c| ind::lowest(x[0], n(c, 0)));
    Window "highest" [X, K] -> number, "largest of x[-1], ..., x[-k]", "Largest of the k values before the current one: the channel a breakout is measured against. With the current one: `max`.", |c| n(c, 0), Columns(|x, c| ind::highest_before(x[0], n(c, 0)));
    Window "lowest" [X, K] -> number, "smallest of x[-1], ..., x[-k]", "Smallest of the k values before the current one. With the current one: `min`.", |c| n(c, 0), Columns(|x, c| ind::lowest_before(x[0], n(c, 0)));
    Window "argmax" [X, K] -> number, "place of the largest of the last k values", "1 for the oldest bar of the window, k for the current one; the older of equal values.", before, Columns(|x, c| ind::place_of_highest(x[0], n(c, 0)));
    Window "argmin" [X, K] -> number, "place of the smallest of the last k values", "1 for the oldest bar of the window, k for the current one; the older of equal values.", before, Columns(|x, c| ind::place_of_lowest(x[0], n(c, 0)));
    Window "rank" [X, K] -> number, "midrank of x among the last k values / k", "Place among the last k values, above 0 and up to 1; equal values share the mean of their ranks.", before, Columns(|x, c| ind::rolling_rank(x[0], n(c, 0)));
    Window "quantile" | "percentile" [X, K, real("q", None, 0.0, 1.0)] -> number, "q-quantile of the last k values", "Interpolated between neighbours (type 7 of Hyndman and Fan, 1996).", before, Columns(|x, c| ind::rolling_quantile(x[0], n(c, 0), c[1]));
    Window "median" [X, K] -> number, "0.5-quantile of the last k values", "Middle value.", before, Columns(|x, c| ind::rolling_quantile(x[0], n(c, 0), 0.5));
    Window "corr" [X, Y, K] -> number, "Pearson correlation of x and y over k bars", "In -1..=1; null where either side is constant.", before, Columns(|x, c| ind::rolling_corr(x[0], x[1], n(c, 0)));
    Window "slope" [X, K] -> number, "slope of the least-squares line through the last k values", "In units of x a bar; null for k < 2.", before, Columns(|x, c| ind::rolling_slope(x[0], n(c, 0)));
    Window "rsquare" [X, K] -> number, "R^2 of the least-squares line through the last k values", "1 for a straight line; null for a constant window and k < 2.", before, Columns(|x, c| ind::rolling_rsquare(x[0], n(c, 0)));
    Window "resid" [X, K] -> number, "x - value of the least-squares line at the current bar", "Distance from the line through the last k values; null for k < 2.", before, Columns(|x, c| ind::rolling_resid(x[0], n(c, 0)));

    Average "sma" | "mean" [X, K] -> number, "mean of the last k values", "Simple moving average.", before, Columns(|x, c| ind::sma(x[0], n(c, 0)));
    Average "ema" [X, K] -> number recursive, "e[-1] + 2/(k+1) * (x - e[-1])", "Exponential moving average; starts from the mean of the first k values, as in TA-Lib.", before, Columns(|x, c| ind::ema(x[0], n(c, 0)));
    Average "wma" [X, K] -> number, "sum(i * x[-(k-i)]) / (k(k+1)/2), i = 1..=k", "Linearly weighted moving average: the newest value weighs most.", before, Columns(|x, c| ind::wma(x[0], n(c, 0)));
    Average "dema" [X, K] -> number recursive, "2 ema - ema(ema)", "Double exponential moving average.", |c| 2 * before(c), Columns(|x, c| ind::dema(x[0], n(c, 0)));
    Average "tema" [X, K] -> number recursive, "3 ema - 3 ema(ema) + ema(ema(ema))", "Triple exponential moving average.", |c| 3 * before(c), Columns(|x, c| ind::tema(x[0], n(c, 0)));
    Average "kama" [X, period("k", 10.0)] -> number recursive, "a[-1] + (er * (2/3 - 2/31) + 2/31)^2 * (x - a[-1])", "Kaufman's adaptive moving average; er is the efficiency ratio.", |c| n(c, 0), Columns(|x, c| ind::kama(x[0], n(c, 0)));
    Average "wilder" [X, K] -> number recursive, "((k-1) * w[-1] + x) / k", "Wilder's smoothing; starts from the mean of the first k values.", before, Columns(|x, c| ind::wilder(x[0], n(c, 0)));

    Trend "rsi" [X, period("k", 14.0)] -> number recursive, "100 * gain / (gain + loss), Wilder-smoothed", "Relative strength index, 0..=100; 0 where x has not moved, as in TA-Lib.", |c| n(c, 0), Columns(|x, c| ind::rsi(x[0], n(c, 0)));
    Trend "cmo" [X, period("k", 14.0)] -> number recursive, "100 * (gain - loss) / (gain + loss), Wilder-smoothed", "Chande momentum oscillator, -100..=100.", |c| n(c, 0), Columns(|x, c| ind::cmo(x[0], n(c, 0)));
    Trend "macd" [X, period("fast", 12.0), period("slow", 26.0), period("signal", 9.0)] -> number recursive, "ema_fast(x) - ema_slow(x)", "Known where the signal is; both averages start at the same bar, as in TA-Lib.", own::macd_warm_up, Columns(|x, c| ind::macd(x[0], n(c, 0), n(c, 1), n(c, 2)).line);
    Trend "macd_signal" [X, period("fast", 12.0), period("slow", 26.0), period("signal", 9.0)] -> number recursive, "ema_signal(macd)", "Signal line.", own::macd_warm_up, Columns(|x, c| ind::macd(x[0], n(c, 0), n(c, 1), n(c, 2)).signal);
    Trend "macd_hist" [X, period("fast", 12.0), period("slow", 26.0), period("signal", 9.0)] -> number recursive, "macd - macd_signal", "Acceleration of the trend.", own::macd_warm_up, Columns(|x, c| ind::macd(x[0], n(c, 0), n(c, 1), n(c, 2)).histogram);
    Trend "ppo" [X, period("fast", 12.0), period("slow", 26.0)] -> number recursive, "100 * (ema_fast(x) - ema_slow(x)) / ema_slow(x)", "Percentage price oscillator.", |c| n(c, 0).max(n(c, 1)).saturating_sub(1), Columns(|x, c| ind::ppo(x[0], n(c, 0), n(c, 1)));
    Trend "trix" [X, period("k", 15.0)] -> number recursive, "100 * roc(ema(ema(ema(x, k), k), k), 1)", "One-bar change of a triple exponential average, in percent.", |c| 3 * before(c) + 1, Columns(|x, c| ind::trix(x[0], n(c, 0)));
    Trend "adx" [period("k", 14.0)] reads HLC; -> number recursive, "Wilder-smoothed 100 * |plus_di - minus_di| / (plus_di + minus_di)", "Average directional index: strength of the trend without its sign, 0..=100.", |c| (2 * n(c, 0)).saturating_sub(1), Columns(|x, c| hlc(x, |h, l, cl| ind::adx(h, l, cl, n(c, 0))));
    Trend "adxr" [period("k", 14.0)] reads HLC; -> number recursive, "(adx + adx[-(k-1)]) / 2", "Average directional index rating.", |c| (3 * n(c, 0)).saturating_sub(2), Columns(|x, c| hlc(x, |h, l, cl| ind::adxr(h, l, cl, n(c, 0))));
    Trend "plus_di" [period("k", 14.0)] reads HLC; -> number recursive, "100 * smoothed upward movement / smoothed true range", "Positive directional indicator, 0..=100.", |c| n(c, 0), Columns(|x, c| hlc(x, |h, l, cl| ind::plus_di(h, l, cl, n(c, 0))));
    Trend "minus_di" [period("k", 14.0)] reads HLC; -> number recursive, "100 * smoothed downward movement / smoothed true range", "Negative directional indicator, 0..=100.", |c| n(c, 0), Columns(|x, c| hlc(x, |h, l, cl| ind::minus_di(h, l, cl, n(c, 0))));
    Trend "dx" [period("k", 14.0)] reads HLC; -> number recursive, "100 * |plus_di - minus_di| / (plus_di + minus_di)", "Directional index, 0..=100.", |c| n(c, 0), Columns(|x, c| hlc(x, |h, l, cl| ind::dx(h, l, cl, n(c, 0))));
    Trend "aroon_up" [period("k", 25.0)] reads &["high", "low"]; -> number, "100 * (k - bars since the highest high) / k", "100 when the highest high is now.", |c| n(c, 0), Columns(|x, c| ind::aroon(x[0], x[1], n(c, 0)).up);
    Trend "aroon_down" [period("k", 25.0)] reads &["high", "low"]; -> number, "100 * (k - bars since the lowest low) / k", "100 when the lowest low is now.", |c| n(c, 0), Columns(|x, c| ind::aroon(x[0], x[1], n(c, 0)).down);
    Trend "sar" [real("acceleration", Some(0.02), 0.0, 1.0), real("maximum", Some(0.2), 0.0, 1.0)] reads &["high", "low"]; -> number recursive, "parabolic stop and reverse", "In units of price; first direction as in TA-Lib.", |_| 1, Columns(|x, c| ind::sar(x[0], x[1], c[0], c[1]));
    Trend "efficiency_ratio" [X, period("k", 20.0)] -> number, "|x - x[-k]| / sum(|x - x[-1]|, k)", "1 for a straight path, near 0 for noise (Kaufman, 1995); null if x stood still.", |c| n(c, 0), Columns(|x, c| ind::efficiency_ratio(x[0], n(c, 0)));

    Range "bbands_upper" | "bb_upper" [X, period("k", 20.0), real("width", Some(2.0), 0.0, 1e6)] -> number, "sma(x, k) + width * std(x, k, 0)", "Upper Bollinger band; population deviation.", before, Columns(|x, c| ind::bbands(x[0], n(c, 0), c[1], c[1]).upper);
    Range "bbands_middle" | "bb_middle" [X, period("k", 20.0), real("width", Some(2.0), 0.0, 1e6)] -> number, "sma(x, k)", "Middle of the Bollinger bands.", before, Columns(|x, c| ind::sma(x[0], n(c, 0)));
    Range "bbands_lower" | "bb_lower" [X, period("k", 20.0), real("width", Some(2.0), 0.0, 1e6)] -> number, "sma(x, k) - width * std(x, k, 0)", "Lower Bollinger band; population deviation.", before, Columns(|x, c| ind::bbands(x[0], n(c, 0), c[1], c[1]).lower);
    Range "stoch_k" [period("fast_k", 14.0), period("slow_k", 3.0), period("slow_d", 3.0)] reads HLC; -> number, "sma(100 * (close - low_k) / (high_k - low_k), slow_k)", "Slow stochastic %K; known where %D is.", own::stoch_warm_up, Columns(|x, c| hlc(x, |h, l, cl| ind::stoch(h, l, cl, n(c, 0), n(c, 1), n(c, 2)).k));
    Range "stoch_d" [period("fast_k", 14.0), period("slow_k", 3.0), period("slow_d", 3.0)] reads HLC; -> number, "sma(stoch_k, slow_d)", "Slow stochastic %D.", own::stoch_warm_up, Columns(|x, c| hlc(x, |h, l, cl| ind::stoch(h, l, cl, n(c, 0), n(c, 1), n(c, 2)).d));
    Range "stochf_k" [period("fast_k", 14.0), period("fast_d", 3.0)] reads HLC; -> number, "100 * (close - low_k) / (high_k - low_k)", "Fast stochastic %K; known where %D is.", |c| (n(c, 0) + n(c, 1)).saturating_sub(2), Columns(|x, c| hlc(x, |h, l, cl| ind::stochf(h, l, cl, n(c, 0), n(c, 1)).k));
    Range "stochf_d" [period("fast_k", 14.0), period("fast_d", 3.0)] reads HLC; -> number, "sma(stochf_k, fast_d)", "Fast stochastic %D.", |c| (n(c, 0) + n(c, 1)).saturating_sub(2), Columns(|x, c| hlc(x, |h, l, cl| ind::stochf(h, l, cl, n(c, 0), n(c, 1)).d));
    Range "stochrsi_k" [X, period("k", 14.0), period("fast_k", 14.0), period("fast_d", 3.0)] -> number recursive, "stochf_k of rsi(x, k)", "Stochastic of the relative strength index.", own::stochrsi_warm_up, Columns(|x, c| ind::stochrsi(x[0], n(c, 0), n(c, 1), n(c, 2)).k);
    Range "stochrsi_d" [X, period("k", 14.0), period("fast_k", 14.0), period("fast_d", 3.0)] -> number recursive, "sma(stochrsi_k, fast_d)", "Its moving average.", own::stochrsi_warm_up, Columns(|x, c| ind::stochrsi(x[0], n(c, 0), n(c, 1), n(c, 2)).d);
    Range "willr" [period("k", 14.0)] reads HLC; -> number, "-100 * (high_k - close) / (high_k - low_k)", "Williams %R, -100..=0; 0 where the range is empty, as in TA-Lib.", before, Columns(|x, c| hlc(x, |h, l, cl| ind::willr(h, l, cl, n(c, 0))));
    Range "cci" [period("k", 20.0)] reads HLC; -> number, "(tp - mean_k(tp)) / (0.015 * mad_k(tp)), tp = typical()", "Commodity channel index.", before, Columns(|x, c| hlc(x, |h, l, cl| ind::cci(h, l, cl, n(c, 0))));
    Range "ultosc" [period("short", 7.0), period("middle", 14.0), period("long", 28.0)] reads HLC; -> number, "100 * (4 a_short + 2 a_middle + a_long) / 7", "Ultimate oscillator, 0..=100; a is buying pressure over true range.", |c| n(c, 0).max(n(c, 1)).max(n(c, 2)), Columns(|x, c| hlc(x, |h, l, cl| ind::ultosc(h, l, cl, n(c, 0), n(c, 1), n(c, 2))));
    Range "bop" [] reads OHLC; -> number, "(close - open) / (high - low)", "Balance of power, -1..=1; 0 for a bar without range.", |_| 0, Columns(|x, _| ind::bop(x[0], x[1], x[2], x[3]));
    Range "max_drawdown" [X, period("k", 60.0)] -> number, "min_k(x / max_k(x) - 1)", "Worst fall below the k-bar high within k bars, at most 0.", |c| 2 * before(c), Columns(|x, c| ind::max_drawdown(x[0], n(c, 0)));

    Volatility "true_range" [] reads HLC; -> number, "max(high - low, |high - close[-1]|, |low - close[-1]|)", "Reach of the bar from the last close.", |_| 1, Columns(|x, _| hlc(x, ind::true_range));
    Volatility "atr" [period("k", 14.0)] reads HLC; -> number recursive, "((k-1) * atr[-1] + true_range) / k", "Average true range, Wilder's smoothing; starts from the mean of the first k ranges, as in TA-Lib.", |c| n(c, 0), Columns(|x, c| hlc(x, |h, l, cl| ind::atr(h, l, cl, n(c, 0))));
    Volatility "natr" [period("k", 14.0)] reads HLC; -> number recursive, "100 * atr / close", "Average true range in percent of the close.", |c| n(c, 0), Columns(|x, c| hlc(x, |h, l, cl| ind::natr(h, l, cl, n(c, 0))));
    Volatility "ewm_vol" [X, real("decay", Some(0.94), 0.0, 1.0)] -> number recursive, "sqrt(v), v = decay * v[-1] + (1 - decay) * log_return(x)^2", "Volatility with exponential memory (RiskMetrics, 1996); starts from the first squared return.", |_| 1, Columns(|x, c| ind::ewm_volatility(x[0], c[0]));
    Volatility "parkinson" [period("k", 20.0)] reads &["high", "low"]; -> number, "sqrt(mean_k(ln(high/low)^2) / (4 ln 2))", "Volatility from ranges (Parkinson, 1980).", before, Columns(|x, c| ind::parkinson(x[0], x[1], n(c, 0)));
    Volatility "garman_klass" [period("k", 20.0)] reads OHLC; -> number, "sqrt(mean_k(ln(high/low)^2 / 2 - (2 ln 2 - 1) ln(close/open)^2))", "Volatility from range and body (Garman and Klass, 1980).", before, Columns(|x, c| ind::garman_klass(x[0], x[1], x[2], x[3], n(c, 0)));
    Volatility "corwin_schultz" [period("k", 20.0)] reads HLC; -> number, "mean_k of the Corwin-Schultz spread, negative estimates as 0", "Proxy of the bid-ask spread from high and low, as a fraction of price (Corwin and Schultz, 2012): bars carry no quotes.", |c| n(c, 0), Columns(|x, c| hlc(x, |h, l, cl| ind::corwin_schultz(h, l, cl, n(c, 0))));

    Volume "obv" [] reads &["close", "volume"]; -> number recursive, "obv[-1] + sign(close - close[-1]) * volume", "On-balance volume; its level depends on where the history begins, only changes carry meaning.", |_| 0, Columns(|x, _| ind::obv(x[0], x[1]));
    Volume "vwap" [period("k", 20.0)] reads HLCV; -> number, "sum(typical() * volume, k) / sum(volume, k)", "Volume-weighted average price of k bars; null without volume.", before, Columns(|x, c| ind::vwap(x[0], x[1], x[2], x[3], n(c, 0)));
    Volume "adv" [period("k", 20.0)] reads &["close", "volume"]; -> number, "mean_k(close * volume)", "Average traded value.", before, Columns(|x, c| ind::adv(x[0], x[1], n(c, 0)));
    Volume "ad" [] reads HLCV; -> number recursive, "ad[-1] + volume * ((close - low) - (high - close)) / (high - low)", "Accumulation/distribution line; only changes carry meaning.", |_| 0, Columns(|x, _| ind::ad(x[0], x[1], x[2], x[3]));
    Volume "adosc" [period("fast", 3.0), period("slow", 10.0)] reads HLCV; -> number recursive, "ema_fast(ad) - ema_slow(ad)", "Chaikin oscillator.", |c| n(c, 0).max(n(c, 1)).saturating_sub(1), Columns(|x, c| ind::adosc(x[0], x[1], x[2], x[3], n(c, 0), n(c, 1)));
    Volume "mfi" [period("k", 14.0)] reads HLCV; -> number, "100 * inflow / (inflow + outflow) over k changes of typical()", "Money flow index, 0..=100.", |c| n(c, 0), Columns(|x, c| ind::mfi(x[0], x[1], x[2], x[3], n(c, 0)));
    Volume "amihud" [period("k", 20.0)] reads &["close", "volume"]; -> number, "1e6 * mean_k(|log_return(close)| / (close * volume))", "Illiquidity (Amihud, 2002), per million of traded value.", |c| n(c, 0), Columns(|x, c| ind::amihud(x[0], x[1], n(c, 0)));

    Condition "count" [condition("test"), K] -> number, "bars of the last k in which the test is true", "Null where the test is null in the window.", before, Columns(|x, c| ind::sum(x[0], n(c, 0)));
    Condition "share" [condition("test"), K] -> number, "count(test, k) / k", "Share of the last k bars in which the test is true.", before, Columns(|x, c| ind::sma(x[0], n(c, 0)));
    Condition "crosses_above" [X, Y] -> bool, "x > y and x[-1] <= y[-1]", "Null unless both bars of both sides are known.", |_| 1, Columns(|x, _| own::crosses(x[0], x[1], f64::gt));
    Condition "crosses_below" [X, Y] -> bool, "x < y and x[-1] >= y[-1]", "Null unless both bars of both sides are known.", |_| 1, Columns(|x, _| own::crosses(x[0], x[1], f64::lt));
    Condition "bars_since" [condition("test")] -> number recursive, "bars since the test was last true, 0 when it is now", "Null before the first time; a null test counts as not true.", |_| 0, Columns(|x, _| own::bars_since(x[0]));

    Calendar "hour" [] -> number, "0..=23, UTC", "Hour of the bar's start.", |_| 0, Time(time::hour);
    Calendar "minute" [] -> number, "0..=59, UTC", "Minute of the bar's start.", |_| 0, Time(time::minute);
    Calendar "weekday" [] -> number, "0 for Monday .. 6 for Sunday", "Day of the week.", |_| 0, Time(time::weekday);
    Calendar "day" [] -> number, "1..=31", "Day of the month.", |_| 0, Time(time::day);
    Calendar "day_of_year" [] -> number, "1..=366", "Day of the year.", |_| 0, Time(time::day_of_year);
    Calendar "month" [] -> number, "1..=12", "Month.", |_| 0, Time(time::month);
    Calendar "quarter" [] -> number, "1..=4", "Quarter.", |_| 0, Time(time::quarter);
    Calendar "cycle_sin" [X, number("period")] -> number, "sin(2 pi x / period)", "A cyclical number on a circle: `cycle_sin(hour(), 24)`.", |_| 0, Two(|x, period| libm::sin(std::f64::consts::TAU * x / period));
    Calendar "cycle_cos" [X, number("period")] -> number, "cos(2 pi x / period)", "A cyclical number on a circle: `cycle_cos(weekday(), 7)`.", |_| 0, Two(|x, period| libm::cos(std::f64::consts::TAU * x / period));
}

macro_rules! sections {
    ($( $name:literal [$($argument:expr),*], $formula:literal, $doc:literal, $kernel:expr; )+) => {
        /// Every function over the symbols of one date.
        pub const CROSS_SECTIONS: &[CrossSection] = &[$( CrossSection {
            name: $name,
            formula: $formula,
            doc: $doc,
            arguments: &[$($argument),*],
            kernel: $kernel,
        } ),+];
    };
}

sections! {
    "rank" [X], "midrank of x among the symbols / their number", "Place among the symbols of the date, above 0 and up to 1; equal values share the mean of their ranks.", |x, _| section::rank(x);
    "zscore" [X], "(x - mean) / std, ddof 1", "Standard score among the symbols; null if they are equal or fewer than two.", |x, _| section::zscore(x);
    "demean" [X], "x - mean", "Distance from the mean of the date.", |x, _| section::demean(x);
    "mean" [X], "mean of x", "Mean of the date, the same for every symbol.", |x, _| section::all(x, crate::stats::sum::mean(x));
    "median" [X], "median of x", "Median of the date.", |x, _| section::all(x, crate::stats::order::median(x));
    "std" [X], "standard deviation of x, ddof 1", "Spread of the date; null for fewer than two symbols.", |x, _| section::all(x, crate::stats::sum::std_dev(x, 1));
    "sum" [X], "sum of x", "Sum of the date.", |x, _| section::all(x, Some(crate::stats::sum::sum(x.iter().copied())));
    "min" [X], "smallest x", "Smallest of the date.", |x, _| section::all(x, x.iter().copied().reduce(f64::min));
    "max" [X], "largest x", "Largest of the date.", |x, _| section::all(x, x.iter().copied().reduce(f64::max));
    "quantile" [X, real("q", None, 0.0, 1.0)], "q-quantile of x", "Quantile of the date (type 7).", |x, c| section::all(x, crate::stats::order::quantile(x, c.first().copied().unwrap_or(f64::NAN)));
    "count" [condition("test")], "symbols for which the test is true", "Breadth in symbols.", |x, _| section::all(x, Some(x.iter().sum()));
    "share" [condition("test")], "share of symbols for which the test is true", "Breadth of the market: `share(close > sma(close, 200)) over date`.", |x, _| section::all(x, crate::stats::sum::mean(x));
}
