//! The table of indicators: one row each. The reference page, name suggestions and the contract test are made from it.

use super::*;

/// Columns of one symbol that an indicator may read; equally long.
#[derive(Clone, Copy, Debug)]
pub struct Ohlcv<'a> {
    /// Open.
    pub open: &'a [f64],
    /// High.
    pub high: &'a [f64],
    /// Low.
    pub low: &'a [f64],
    /// Close.
    pub close: &'a [f64],
    /// Volume.
    pub volume: &'a [f64],
}

/// Declares one parameter of an indicator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameter {
    /// Name in rules and on the reference page.
    pub name: &'static str,
    /// Value when none is given.
    pub default: f64,
    /// Smallest value that means something.
    pub minimum: f64,
    /// Says whether only whole numbers make sense (periods).
    pub whole: bool,
}

/// How an indicator answers to a change of units: scaling prices by a and volumes by b scales it by `a^price * b^volume`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Degree in price.
    pub price: i32,
    /// Degree in volume.
    pub volume: i32,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Indicator {
    /// Name in rules, configurations and errors.
    pub name: &'static str,
    /// One line for the reference page.
    pub doc: &'static str,
    /// Names of the output columns, in order.
    pub outputs: &'static [&'static str],
    /// Declared parameters, in order.
    pub parameters: &'static [Parameter],
    /// Rows without a value at the start of a run of finite input, for parameter values in order.
    pub warm_up: fn(&[f64]) -> usize,
    /// Behaviour under a change of units.
    pub scale: Scale,
    evaluate: fn(&Ohlcv<'_>, &[f64]) -> Vec<Vec<f64>>,
}

impl Indicator {
    /// Finds a row by name.
    pub fn named(name: &str) -> Option<&'static Self> {
        INDICATORS.iter().find(|indicator| indicator.name == name)
    }

    /// Default parameter values, in order.
    pub fn defaults(&self) -> Vec<f64> {
        self.parameters.iter().map(|parameter| parameter.default).collect()
    }

    /// Computes the output columns; parameters that are left out take their defaults.
    pub fn compute(&self, bars: &Ohlcv<'_>, values: &[f64]) -> Vec<Vec<f64>> {
        let mut complete = self.defaults();
        complete.iter_mut().zip(values).for_each(|(parameter, value)| *parameter = *value);
        (self.evaluate)(bars, &complete)
    }
}

const PRICE: Scale = Scale { price: 1, volume: 0 };
const FREE: Scale = Scale { price: 0, volume: 0 };
const VOLUME: Scale = Scale { price: 0, volume: 1 };
const VALUE: Scale = Scale { price: 1, volume: 1 };
const PER_VALUE: Scale = Scale { price: -1, volume: -1 };

const fn period(name: &'static str, default: f64) -> Parameter {
    Parameter { name, default, minimum: 1.0, whole: true }
}

const fn real(name: &'static str, default: f64) -> Parameter {
    Parameter { name, default, minimum: 0.0, whole: false }
}

/// Parameter `index` as a whole number. Above 2^32 no series is long enough anyway; a negative or missing one is 0, for which every kernel yields only missing values.
fn n(values: &[f64], index: usize) -> usize {
    values.get(index).map_or(0, |value| value.min(f64::from(u32::MAX)) as usize)
}

fn sorted_triple(values: &[f64]) -> [usize; 3] {
    let mut periods = [n(values, 0), n(values, 1), n(values, 2)];
    periods.sort_unstable();
    periods
}

/// Writes one row: name, doc, outputs, parameters, warm-up, scale, kernel.
macro_rules! rows {
    ($( $name:literal, $doc:literal, [$($output:literal),+], [$($parameter:expr),*], $warm_up:expr, $scale:ident, |$bars:pat_param, $values:pat_param| $columns:expr; )+) => {
        /// Every indicator, in the order of the reference page.
        pub const INDICATORS: &[Indicator] = &[$( Indicator {
            name: $name,
            doc: $doc,
            outputs: &[$($output),+],
            parameters: &[$($parameter),*],
            warm_up: $warm_up,
            scale: $scale,
            evaluate: |$bars, $values| $columns,
        } ),+];
    };
}

rows! {
    "sma", "Simple moving average.", ["sma"], [period("k", 20.0)], |p| n(p, 0).saturating_sub(1), PRICE, |b, p| vec![sma(b.close, n(p, 0))];
    "ema", "Exponential moving average, started from the mean of the first k closes.", ["ema"], [period("k", 20.0)], |p| n(p, 0).saturating_sub(1), PRICE, |b, p| vec![ema(b.close, n(p, 0))];
    "wma", "Linearly weighted moving average.", ["wma"], [period("k", 20.0)], |p| n(p, 0).saturating_sub(1), PRICE, |b, p| vec![wma(b.close, n(p, 0))];
    "dema", "Double exponential moving average.", ["dema"], [period("k", 20.0)], |p| 2 * n(p, 0).saturating_sub(1), PRICE, |b, p| vec![dema(b.close, n(p, 0))];
    "tema", "Triple exponential moving average.", ["tema"], [period("k", 20.0)], |p| 3 * n(p, 0).saturating_sub(1), PRICE, |b, p| vec![tema(b.close, n(p, 0))];
    "kama", "Kaufman's adaptive moving average.", ["kama"], [period("k", 10.0)], |p| n(p, 0), PRICE, |b, p| vec![kama(b.close, n(p, 0))];
    "efficiency_ratio", "Distance over path length of k closes, 0..=1.", ["efficiency_ratio"], [period("k", 20.0)], |p| n(p, 0), FREE, |b, p| vec![efficiency_ratio(b.close, n(p, 0))];
    "highest", "Highest high of k bars, the current one included.", ["highest"], [period("k", 20.0)], |p| n(p, 0).saturating_sub(1), PRICE, |b, p| vec![highest(b.high, n(p, 0))];
    "lowest", "Lowest low of k bars, the current one included.", ["lowest"], [period("k", 20.0)], |p| n(p, 0).saturating_sub(1), PRICE, |b, p| vec![lowest(b.low, n(p, 0))];
    "highest_before", "Highest high of the k bars before the current one.", ["highest_before"], [period("k", 20.0)], |p| n(p, 0), PRICE, |b, p| vec![highest_before(b.high, n(p, 0))];
    "lowest_before", "Lowest low of the k bars before the current one.", ["lowest_before"], [period("k", 20.0)], |p| n(p, 0), PRICE, |b, p| vec![lowest_before(b.low, n(p, 0))];
    "true_range", "Reach of the bar from the previous close.", ["true_range"], [], |_| 1, PRICE, |b, _| vec![true_range(b.high, b.low, b.close)];
    "atr", "Average true range, Wilder's smoothing.", ["atr"], [period("k", 14.0)], |p| n(p, 0), PRICE, |b, p| vec![atr(b.high, b.low, b.close, n(p, 0))];
    "natr", "Average true range in percent of the close.", ["natr"], [period("k", 14.0)], |p| n(p, 0), FREE, |b, p| vec![natr(b.high, b.low, b.close, n(p, 0))];
    "roc", "Change over k bars as a fraction.", ["roc"], [period("k", 10.0)], |p| n(p, 0), FREE, |b, p| vec![roc(b.close, n(p, 0))];
    "roc_percent", "Change over k bars in percent (TA-Lib's ROC).", ["roc_percent"], [period("k", 10.0)], |p| n(p, 0), FREE, |b, p| vec![roc_percent(b.close, n(p, 0))];
    "mom", "Change over k bars in units of price.", ["mom"], [period("k", 10.0)], |p| n(p, 0), PRICE, |b, p| vec![mom(b.close, n(p, 0))];
    "log_return", "Log return over k bars.", ["log_return"], [period("k", 1.0)], |p| n(p, 0), FREE, |b, p| vec![log_return(b.close, n(p, 0))];
    "rsi", "Relative strength index, 0..=100.", ["rsi"], [period("k", 14.0)], |p| n(p, 0), FREE, |b, p| vec![rsi(b.close, n(p, 0))];
    "cmo", "Chande momentum oscillator, -100..=100.", ["cmo"], [period("k", 14.0)], |p| n(p, 0), FREE, |b, p| vec![cmo(b.close, n(p, 0))];
    "macd", "Difference of two exponential averages, its signal line and their difference.", ["line", "signal", "histogram"], [period("fast", 12.0), period("slow", 26.0), period("signal", 9.0)], |p| (n(p, 0).max(n(p, 1)) + n(p, 2)).saturating_sub(2), PRICE, |b, p| {
        let Macd { line, signal, histogram } = macd(b.close, n(p, 0), n(p, 1), n(p, 2));
        vec![line, signal, histogram]
    };
    "ppo", "Difference of two exponential averages in percent of the slow one.", ["ppo"], [period("fast", 12.0), period("slow", 26.0)], |p| n(p, 0).max(n(p, 1)).saturating_sub(1), FREE, |b, p| vec![ppo(b.close, n(p, 0), n(p, 1))];
    "trix", "One-bar change of a triple exponential average, in percent.", ["trix"], [period("k", 15.0)], |p| 3 * n(p, 0).saturating_sub(1) + 1, FREE, |b, p| vec![trix(b.close, n(p, 0))];
    "bbands", "Bollinger bands with the population standard deviation.", ["upper", "middle", "lower"], [period("k", 20.0), real("up", 2.0), real("down", 2.0)], |p| n(p, 0).saturating_sub(1), PRICE, |b, p| {
        let BollingerBands { upper, middle, lower } = bbands(b.close, n(p, 0), p[1], p[2]);
        vec![upper, middle, lower]
    };
    "stddev", "Standard deviation of k closes, population by default (ddof 0).", ["stddev"], [period("k", 20.0), Parameter { name: "ddof", default: 0.0, minimum: 0.0, whole: true }], |p| n(p, 0).saturating_sub(1), PRICE, |b, p| vec![stddev(b.close, n(p, 0), n(p, 1))];
    "zscore", "Standard score of the close among the last k.", ["zscore"], [period("k", 20.0)], |p| n(p, 0).saturating_sub(1), FREE, |b, p| vec![zscore(b.close, n(p, 0))];
    "skewness", "Bias-corrected skewness of k log returns.", ["skewness"], [period("k", 20.0)], |p| n(p, 0), FREE, |b, p| vec![skewness(&log_return(b.close, 1), n(p, 0))];
    "kurtosis", "Bias-corrected excess kurtosis of k log returns.", ["kurtosis"], [period("k", 20.0)], |p| n(p, 0), FREE, |b, p| vec![kurtosis(&log_return(b.close, 1), n(p, 0))];
    "correlation", "Correlation of close and volume over k bars.", ["correlation"], [period("k", 20.0)], |p| n(p, 0).saturating_sub(1), FREE, |b, p| vec![correlation(b.close, b.volume, n(p, 0))];
    "linreg_slope", "Slope of the least-squares line through k closes, price a bar.", ["linreg_slope"], [period("k", 20.0)], |p| n(p, 0).saturating_sub(1), PRICE, |b, p| vec![linreg_slope(b.close, n(p, 0))];
    "plus_di", "Positive directional indicator, 0..=100.", ["plus_di"], [period("k", 14.0)], |p| n(p, 0), FREE, |b, p| vec![plus_di(b.high, b.low, b.close, n(p, 0))];
    "minus_di", "Negative directional indicator, 0..=100.", ["minus_di"], [period("k", 14.0)], |p| n(p, 0), FREE, |b, p| vec![minus_di(b.high, b.low, b.close, n(p, 0))];
    "dx", "Directional index, 0..=100.", ["dx"], [period("k", 14.0)], |p| n(p, 0), FREE, |b, p| vec![dx(b.high, b.low, b.close, n(p, 0))];
    "adx", "Average directional index: trend strength without its sign, 0..=100.", ["adx"], [period("k", 14.0)], |p| (2 * n(p, 0)).saturating_sub(1), FREE, |b, p| vec![adx(b.high, b.low, b.close, n(p, 0))];
    "directional_system", "Directional indicators and average directional index, ties resolved up to rounding.", ["plus", "minus", "strength"], [period("k", 14.0)], |p| (2 * n(p, 0)).saturating_sub(1), FREE, |b, p| {
        let DirectionalSystem { plus, minus, strength } = directional_system(b.high, b.low, b.close, n(p, 0));
        vec![plus, minus, strength]
    };
    "adxr", "Mean of the average directional index now and k-1 bars ago.", ["adxr"], [period("k", 14.0)], |p| (3 * n(p, 0)).saturating_sub(2), FREE, |b, p| vec![adxr(b.high, b.low, b.close, n(p, 0))];
    "aroon", "Freshness of the lowest low and of the highest high, 0..=100.", ["down", "up"], [period("k", 25.0)], |p| n(p, 0), FREE, |b, p| {
        let Aroon { down, up } = aroon(b.high, b.low, n(p, 0));
        vec![down, up]
    };
    "aroonosc", "Aroon up minus Aroon down, -100..=100.", ["aroonosc"], [period("k", 25.0)], |p| n(p, 0), FREE, |b, p| vec![aroonosc(b.high, b.low, n(p, 0))];
    "sar", "Parabolic stop and reverse.", ["sar"], [real("acceleration", 0.02), real("maximum", 0.2)], |_| 1, PRICE, |b, p| vec![sar(b.high, b.low, p[0], p[1])];
    "stoch", "Slow stochastic, 0..=100.", ["k", "d"], [period("fast_k", 14.0), period("slow_k", 3.0), period("slow_d", 3.0)], |p| (n(p, 0) + n(p, 1) + n(p, 2)).saturating_sub(3), FREE, |b, p| {
        let Stochastic { k, d } = stoch(b.high, b.low, b.close, n(p, 0), n(p, 1), n(p, 2));
        vec![k, d]
    };
    "stochf", "Fast stochastic, 0..=100.", ["k", "d"], [period("fast_k", 14.0), period("fast_d", 3.0)], |p| (n(p, 0) + n(p, 1)).saturating_sub(2), FREE, |b, p| {
        let Stochastic { k, d } = stochf(b.high, b.low, b.close, n(p, 0), n(p, 1));
        vec![k, d]
    };
    "stochrsi", "Fast stochastic of the relative strength index, 0..=100.", ["k", "d"], [period("k", 14.0), period("fast_k", 14.0), period("fast_d", 3.0)], |p| (n(p, 0) + n(p, 1) + n(p, 2)).saturating_sub(2), FREE, |b, p| {
        let Stochastic { k, d } = stochrsi(b.close, n(p, 0), n(p, 1), n(p, 2));
        vec![k, d]
    };
    "willr", "Williams %R, -100..=0.", ["willr"], [period("k", 14.0)], |p| n(p, 0).saturating_sub(1), FREE, |b, p| vec![willr(b.high, b.low, b.close, n(p, 0))];
    "cci", "Commodity channel index.", ["cci"], [period("k", 20.0)], |p| n(p, 0).saturating_sub(1), FREE, |b, p| vec![cci(b.high, b.low, b.close, n(p, 0))];
    "ultosc", "Ultimate oscillator, 0..=100.", ["ultosc"], [period("short", 7.0), period("middle", 14.0), period("long", 28.0)], |p| sorted_triple(p)[2], FREE, |b, p| {
        let [short, middle, long] = sorted_triple(p);
        vec![ultosc(b.high, b.low, b.close, short, middle, long)]
    };
    "bop", "Balance of power, -1..=1.", ["bop"], [], |_| 0, FREE, |b, _| vec![bop(b.open, b.high, b.low, b.close)];
    "adv", "Average traded value of k bars.", ["adv"], [period("k", 20.0)], |p| n(p, 0).saturating_sub(1), VALUE, |b, p| vec![adv(b.close, b.volume, n(p, 0))];
    "obv", "On-balance volume.", ["obv"], [], |_| 0, VOLUME, |b, _| vec![obv(b.close, b.volume)];
    "ad", "Accumulation/distribution line.", ["ad"], [], |_| 0, VOLUME, |b, _| vec![ad(b.high, b.low, b.close, b.volume)];
    "adosc", "Chaikin oscillator.", ["adosc"], [period("fast", 3.0), period("slow", 10.0)], |p| n(p, 0).max(n(p, 1)).saturating_sub(1), VOLUME, |b, p| vec![adosc(b.high, b.low, b.close, b.volume, n(p, 0), n(p, 1))];
    "mfi", "Money flow index, 0..=100.", ["mfi"], [period("k", 14.0)], |p| n(p, 0), FREE, |b, p| vec![mfi(b.high, b.low, b.close, b.volume, n(p, 0))];
    "vwap", "Volume-weighted average price of k bars.", ["vwap"], [period("k", 20.0)], |p| n(p, 0).saturating_sub(1), PRICE, |b, p| vec![vwap(b.high, b.low, b.close, b.volume, n(p, 0))];
    "amihud", "Amihud illiquidity over k bars, per million of traded value.", ["amihud"], [period("k", 20.0)], |p| n(p, 0), PER_VALUE, |b, p| vec![amihud(b.close, b.volume, n(p, 0))];
    "parkinson", "Volatility a bar from the ranges of k bars.", ["parkinson"], [period("k", 20.0)], |p| n(p, 0).saturating_sub(1), FREE, |b, p| vec![parkinson(b.high, b.low, n(p, 0))];
    "garman_klass", "Volatility a bar from range and body of k bars.", ["garman_klass"], [period("k", 20.0)], |p| n(p, 0).saturating_sub(1), FREE, |b, p| vec![garman_klass(b.open, b.high, b.low, b.close, n(p, 0))];
    "ewm_volatility", "Exponentially weighted volatility of log returns.", ["ewm_volatility"], [real("decay", 0.94)], |_| 1, FREE, |b, p| vec![ewm_volatility(b.close, p[0])];
    "max_drawdown", "Worst fall below the running k-bar high in k bars.", ["max_drawdown"], [period("k", 60.0)], |p| 2 * n(p, 0).saturating_sub(1), FREE, |b, p| vec![max_drawdown(b.close, n(p, 0))];
    "corwin_schultz", "Estimate of the bid-ask spread from high and low, as a fraction of price.", ["corwin_schultz"], [period("k", 20.0)], |p| n(p, 0), FREE, |b, p| vec![corwin_schultz(b.high, b.low, b.close, n(p, 0))];
}
