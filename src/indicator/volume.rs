//! Price and volume together.

use super::oscillator::typical_price;
use super::run::{each_bar, each_run_single};
use super::window::{fold, mean_into, sum};
use super::{ratio, ratio_or_zero, tie};

/// Average traded value, `mean(C * V)` over the last k bars.
///
/// # Units
/// Currency a bar.
pub fn adv(close: &[f64], volume: &[f64], k: usize) -> Vec<f64> {
    each_run_single([close, volume], |[close, volume], out| {
        let value: Vec<f64> = close.iter().zip(volume).map(|(close, volume)| close * volume).collect();
        mean_into(&value, k, out);
    })
}

/// On-balance volume: starts at the first volume, adds a bar's volume on a rise and subtracts it on a fall.
///
/// # Units
/// Volume. The level depends on where the series starts; only its changes carry meaning.
///
/// # References
/// Granville, 1963, New Key to Stock Market Profits.
pub fn obv(close: &[f64], volume: &[f64]) -> Vec<f64> {
    each_run_single([close, volume], |[close, volume], out| {
        let mut balance = 0.0;
        for t in 0..close.len() {
            if t == 0 || close[t] > close[t - 1] {
                balance += volume[t];
            } else if close[t] < close[t - 1] {
                balance -= volume[t];
            }
            out[t] = balance;
        }
    })
}

/// Accumulation/distribution line: the running sum of `V * ((C - L) - (H - C)) / (H - L)`; a bar without range adds nothing.
///
/// # Units
/// Volume. The level depends on where the series starts.
pub fn ad(high: &[f64], low: &[f64], close: &[f64], volume: &[f64]) -> Vec<f64> {
    each_run_single([high, low, close, volume], |[high, low, close, volume], out| {
        let mut balance = 0.0;
        for t in 0..close.len() {
            balance += ratio_or_zero((close[t] - low[t]) - (high[t] - close[t]), high[t] - low[t]) * volume[t];
            out[t] = balance;
        }
    })
}

/// Chaikin oscillator: the fast minus the slow exponential average of the accumulation/distribution line.
///
/// Both averages start from the line's first value; shown from bar `slow - 1` on.
///
/// # Units
/// Volume.
pub fn adosc(high: &[f64], low: &[f64], close: &[f64], volume: &[f64], fast: usize, slow: usize) -> Vec<f64> {
    let warm_up = fast.max(slow).saturating_sub(1);
    let weight = |k: usize| 2.0 / (k as f64 + 1.0);
    each_run_single([&ad(high, low, close, volume)], |[line], out| {
        let (mut quick, mut steady) = (line[0], line[0]);
        for (t, &level) in line.iter().enumerate() {
            quick += weight(fast) * (level - quick);
            steady += weight(slow) * (level - steady);
            if t >= warm_up {
                out[t] = quick - steady;
            }
        }
    })
}

/// Money flow index, `100 * up / (up + down)`, where a bar's flow `TP * V` counts up or down with the typical price, over k changes;
/// 0..=100, and 0 where no money flows. Typical prices that tie up to rounding move no money.
///
/// # References
/// Quong and Soudack, 1989, Volume-Weighted RSI: Money Flow.
pub fn mfi(high: &[f64], low: &[f64], close: &[f64], volume: &[f64], k: usize) -> Vec<f64> {
    each_run_single([&typical_price(high, low, close), volume], |[typical, volume], out| {
        let flow = |sign: f64| -> Vec<f64> {
            let counted = |t: usize| sign * (typical[t] - typical[t - 1]) > 0.0 && !tie(typical[t], typical[t - 1]);
            (1..typical.len()).map(|t| if counted(t) { typical[t] * volume[t] } else { 0.0 }).collect()
        };
        let windowed = |flow: Vec<f64>| {
            let mut sums = vec![f64::NAN; flow.len()];
            fold(&flow, k, &mut sums, |a, b| a + b);
            sums
        };
        let (up, down) = (windowed(flow(1.0)), windowed(flow(-1.0)));
        for (t, out) in out.iter_mut().enumerate().skip(1) {
            *out = 100.0 * ratio_or_zero(up[t - 1], up[t - 1] + down[t - 1]);
        }
    })
}

/// Volume-weighted average price of the last k bars, `sum(TP * V) / sum(V)` with the typical price.
///
/// # NaN
/// Until the window is full, and where no volume traded in it.
pub fn vwap(high: &[f64], low: &[f64], close: &[f64], volume: &[f64], k: usize) -> Vec<f64> {
    let typical = typical_price(high, low, close);
    let value = each_bar([&typical, volume], |[typical, volume]| typical * volume);
    // a volume without a price must not enter the divisor
    let counted = each_bar([volume, &value], |[volume, _]| volume);
    each_bar([&sum(&value, k), &sum(&counted, k)], |[value, volume]| ratio(value, volume))
}

/// Amihud illiquidity, `1e6 * mean(|r| / (C * V))` over the last k log returns: the price move that a million of traded value makes.
///
/// # NaN
/// Until the window is full; a bar without volume is missing.
///
/// # References
/// Amihud, 2002, Illiquidity and Stock Returns.
pub fn amihud(close: &[f64], volume: &[f64], k: usize) -> Vec<f64> {
    let moved = super::log_return(close, 1);
    let impact = each_bar([&moved, close, volume], |[moved, close, volume]| ratio(moved.abs(), close * volume));
    each_run_single([&impact], |[impact], out| {
        mean_into(impact, k, out);
        out.iter_mut().for_each(|mean| *mean *= 1e6);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balance_counts_volume_with_the_direction() {
        assert_eq!(obv(&[1.0, 2.0, 2.0, 1.0], &[10.0, 5.0, 7.0, 3.0]), [10.0, 15.0, 15.0, 12.0]);
    }

    #[test]
    fn weighted_price_leans_to_the_heavier_bar() {
        let price = [1.0, 4.0];
        assert_eq!(vwap(&price, &price, &price, &[2.0, 1.0], 2)[1], 2.0);
        assert!(vwap(&price, &price, &price, &[0.0, 0.0], 2)[1].is_nan());
    }

    #[test]
    fn money_flows_one_way_in_a_rise() {
        let price: Vec<f64> = (1..30).map(f64::from).collect();
        assert_eq!(mfi(&price, &price, &price, &vec![1.0; 29], 14)[28], 100.0);
    }
}
