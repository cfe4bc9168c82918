//! Direction and strength of a trend: Wilder's directional movement, Aroon, parabolic stop and reverse.

use super::range::true_range_of;
use super::run::{each_bar, each_run, each_run_single};
use super::{TIE, ratio_or_zero};

/// Whether two extensions of a bar that agree in decimals, but not in binary, are equal.
#[derive(Clone, Copy)]
enum Ties {
    /// Compared as they are: TA-Lib's rule, under which the last bit of a price can decide the direction of a bar.
    AsGiven,
    /// Equal when they differ by no more than the rounding of the prices.
    Rounded,
}

/// Upward and downward movement of a bar: the larger of the two extensions beyond the previous bar counts, the other is 0.
fn movement(high: &[f64], low: &[f64], t: usize, ties: Ties) -> (f64, f64) {
    let (up, down) = (high[t] - high[t - 1], low[t - 1] - low[t]);
    let equal = match ties {
        Ties::AsGiven => 0.0,
        Ties::Rounded => TIE * (high[t].abs() + low[t].abs()),
    };
    if down > 0.0 && down - up > equal {
        (0.0, down)
    } else if up > 0.0 && up - down > equal {
        (up, 0.0)
    } else {
        (0.0, 0.0)
    }
}

/// Directional indicators of one run, from bar k: `(plus, minus)`, each 0..=100.
///
/// Wilder sums over bars 1..k-1, then `sum - sum/k + new`.
fn directional_indicators(high: &[f64], low: &[f64], close: &[f64], k: usize, ties: Ties) -> Vec<(f64, f64)> {
    if k == 0 {
        return Vec::new();
    }
    let (mut plus, mut minus, mut range) = (0.0, 0.0, 0.0);
    let mut indicators = Vec::with_capacity(close.len().saturating_sub(k));
    for t in 1..close.len() {
        let (up, down) = movement(high, low, t, ties);
        let reach = true_range_of(high[t], low[t], close[t - 1]);
        if t < k {
            plus += up;
            minus += down;
            range += reach;
        } else {
            plus += up - plus / k as f64;
            minus += down - minus / k as f64;
            range += reach - range / k as f64;
            indicators.push((100.0 * ratio_or_zero(plus, range), 100.0 * ratio_or_zero(minus, range)));
        }
    }
    indicators
}

/// Directional index of one pair, `None` where there is no movement either way.
fn index_of((plus, minus): (f64, f64)) -> Option<f64> {
    let total = plus + minus;
    (total != 0.0).then(|| 100.0 * (plus - minus).abs() / total)
}

/// Positive directional indicator, 0..=100; first value at bar k.
///
/// # References
/// Wilder, 1978; seeded as in TA-Lib.
pub fn plus_di(high: &[f64], low: &[f64], close: &[f64], k: usize) -> Vec<f64> {
    each_run_single([high, low, close], |[high, low, close], out| {
        let indicators = directional_indicators(high, low, close, k, Ties::AsGiven);
        out.iter_mut().skip(k).zip(indicators).for_each(|(out, (plus, _))| *out = plus);
    })
}

/// Negative directional indicator, 0..=100; first value at bar k.
///
/// # References
/// Wilder, 1978; seeded as in TA-Lib.
pub fn minus_di(high: &[f64], low: &[f64], close: &[f64], k: usize) -> Vec<f64> {
    each_run_single([high, low, close], |[high, low, close], out| {
        let indicators = directional_indicators(high, low, close, k, Ties::AsGiven);
        out.iter_mut().skip(k).zip(indicators).for_each(|(out, (_, minus))| *out = minus);
    })
}

/// Directional index, `100 * |+DI - -DI| / (+DI + -DI)`; first value at bar k. Without any movement the last value stands.
///
/// # References
/// Wilder, 1978.
pub fn dx(high: &[f64], low: &[f64], close: &[f64], k: usize) -> Vec<f64> {
    each_run_single([high, low, close], |[high, low, close], out| {
        let mut last = 0.0;
        for (out, pair) in out.iter_mut().skip(k).zip(directional_indicators(high, low, close, k, Ties::AsGiven)) {
            last = index_of(pair).unwrap_or(last);
            *out = last;
        }
    })
}

fn adx_into(indicators: &[(f64, f64)], k: usize, out: &mut [f64]) {
    let mut level = 0.0;
    for (step, &pair) in indicators.iter().enumerate() {
        let index = index_of(pair);
        if step < k {
            level += index.unwrap_or(0.0) / k as f64;
        } else if let Some(index) = index {
            level = (level * (k - 1) as f64 + index) / k as f64;
        }
        if step + 1 >= k {
            out[k + step] = level;
        }
    }
}

/// Average directional index: the mean of the first k directional indices at bar 2k-1, then Wilder's smoothing; 0..=100, trend strength
/// without its sign.
///
/// # References
/// Wilder, 1978; seeded as in TA-Lib.
pub fn adx(high: &[f64], low: &[f64], close: &[f64], k: usize) -> Vec<f64> {
    each_run_single([high, low, close], |[high, low, close], out| {
        adx_into(&directional_indicators(high, low, close, k, Ties::AsGiven), k, out);
    })
}

/// Columns of [`directional_system`].
#[derive(Clone, Debug, PartialEq)]
pub struct DirectionalSystem {
    /// Positive directional indicator.
    pub plus: Vec<f64>,
    /// Negative directional indicator.
    pub minus: Vec<f64>,
    /// Average directional index.
    pub strength: Vec<f64>,
}

/// [`plus_di`], [`minus_di`] and [`adx`] in one pass, with ties of the two extensions resolved up to rounding;
/// all start at bar 2k-1.
///
/// Multiplying adjusted prices by a constant moves their last bits; under TA-Lib's exact comparison a bar that extends equally far both
/// ways then changes sides, and the index by up to a percent. This form does not depend on the units of price.
pub fn directional_system(high: &[f64], low: &[f64], close: &[f64], k: usize) -> DirectionalSystem {
    let [plus, minus, strength] = each_run([high, low, close], |[high, low, close], [plus, minus, strength]| {
        let indicators = directional_indicators(high, low, close, k, Ties::Rounded);
        adx_into(&indicators, k, strength);
        for (step, &pair) in indicators.iter().enumerate().skip(k.saturating_sub(1)) {
            (plus[k + step], minus[k + step]) = pair;
        }
    });
    DirectionalSystem { plus, minus, strength }
}

/// Average directional index rating, `(ADX[t] + ADX[t-k+1]) / 2`; first value at bar `3k - 2`.
///
/// # References
/// Wilder, 1978.
pub fn adxr(high: &[f64], low: &[f64], close: &[f64], k: usize) -> Vec<f64> {
    each_run_single([&adx(high, low, close, k)], |[strength], out| {
        for t in k.saturating_sub(1)..strength.len() {
            out[t] = (strength[t] + strength[t + 1 - k.max(1)]) / 2.0;
        }
    })
}

/// Bars since the extreme of the last k+1 bars, the latest one where several tie.
fn bars_since(x: &[f64], k: usize, beats: impl Fn(f64, f64) -> bool, mut write: impl FnMut(usize, usize)) {
    let mut best = 0;
    for t in 0..x.len() {
        if t - best > k {
            best = t - k;
            for candidate in best + 1..t {
                if !beats(x[best], x[candidate]) {
                    best = candidate;
                }
            }
        }
        if !beats(x[best], x[t]) {
            best = t;
        }
        if t >= k {
            write(t, t - best);
        }
    }
}

/// Columns of [`aroon`].
#[derive(Clone, Debug, PartialEq)]
pub struct Aroon {
    /// 100 when the lowest low is now, 0 when it is k bars old.
    pub down: Vec<f64>,
    /// 100 when the highest high is now, 0 when it is k bars old.
    pub up: Vec<f64>,
}

/// Aroon, `100 * (k - bars since the extreme) / k` over the last k+1 bars; first value at bar k.
///
/// # References
/// Chande, 1995, The Time Price Oscillator.
pub fn aroon(high: &[f64], low: &[f64], k: usize) -> Aroon {
    let [down, up] = each_run([high, low], |[high, low], [down, up]| {
        if k == 0 {
            return;
        }
        let freshness = |age: usize| 100.0 * (k - age) as f64 / k as f64;
        bars_since(low, k, |best, new| best < new, |t, age| down[t] = freshness(age));
        bars_since(high, k, |best, new| best > new, |t, age| up[t] = freshness(age));
    });
    Aroon { down, up }
}

/// Aroon oscillator, `up - down`, in -100..=100.
pub fn aroonosc(high: &[f64], low: &[f64], k: usize) -> Vec<f64> {
    let Aroon { down, up } = aroon(high, low, k);
    each_bar([&up, &down], |[up, down]| up - down)
}

/// Parabolic stop and reverse, in units of price; first value at bar 1.
///
/// The first trade is long unless the second bar moved down more than up. While long, the stop closes in on the highest high by an
/// `acceleration` that grows with each new high up to `maximum`, and never enters the last two bars; a low at or below it reverses the
/// trade and starts from the extreme point.
///
/// # References
/// Wilder, 1978; first direction as in TA-Lib.
pub fn sar(high: &[f64], low: &[f64], acceleration: f64, maximum: f64) -> Vec<f64> {
    each_run_single([high, low], |[high, low], out| {
        if high.len() < 2 || !(acceleration.is_finite() && maximum.is_finite()) {
            return;
        }
        let initial = acceleration.min(maximum);
        let mut long = movement(high, low, 1, Ties::AsGiven).1 <= 0.0;
        let (mut stop, mut extreme) = if long { (low[0], high[1]) } else { (high[0], low[1]) };
        let mut pace = initial;
        for t in 1..high.len() {
            // TA-Lib takes the first bar of the trade as its own predecessor
            let before = if t == 1 { 1 } else { t - 1 };
            let (ceiling, floor) = (high[before].max(high[t]), low[before].min(low[t]));
            let reversed = if long { low[t] <= stop } else { high[t] >= stop };
            if reversed {
                stop = if long { extreme.max(ceiling) } else { extreme.min(floor) };
                long = !long;
                extreme = if long { high[t] } else { low[t] };
                pace = initial;
            }
            out[t] = stop;
            let fresh = if long { high[t] > extreme } else { low[t] < extreme };
            if fresh {
                extreme = if long { high[t] } else { low[t] };
                pace = (pace + initial).min(maximum);
            }
            stop += pace * (extreme - stop);
            stop = if long { stop.min(floor) } else { stop.max(ceiling) };
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rising(n: u32) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        let close: Vec<f64> = (0..n).map(|t| 50.0 + f64::from(t)).collect();
        (close.iter().map(|c| c + 1.0).collect(), close.iter().map(|c| c - 1.0).collect(), close)
    }

    #[test]
    fn a_steady_rise_is_a_trend_of_full_strength() {
        let (high, low, close) = rising(60);
        assert!((adx(&high, &low, &close, 14)[59] - 100.0).abs() < 1e-9);
        assert_eq!(minus_di(&high, &low, &close, 14)[59], 0.0);
        assert_eq!(aroonosc(&high, &low, 25)[59], 100.0);
        assert!(sar(&high, &low, 0.02, 0.2).iter().zip(&low).skip(1).all(|(stop, low)| stop < low));
    }

    #[test]
    fn equal_extensions_stay_equal_in_other_units() {
        // 0.3 - 0.2 and 0.2 - 0.1 tie in decimals and differ in binary
        let (high, low) = ([1.2, 1.3, 1.3], [1.1, 1.0, 1.0]);
        let tied =
            |unit: f64| directional_system(&high.map(|h| h * unit), &low.map(|l| l * unit), &[1.15 * unit; 3], 1);
        for unit in [1.0, 0.1, 3.0, 7.7] {
            assert_eq!((tied(unit).plus[1], tied(unit).minus[1]), (0.0, 0.0));
        }
    }

    #[test]
    fn the_latest_of_equal_extremes_counts() {
        let freshness = aroon(&[5.0, 7.0, 7.0, 6.0], &[1.0, 1.0, 1.0, 1.0], 3);
        assert!((freshness.up[3] - 200.0 / 3.0).abs() < 1e-12);
        assert_eq!(freshness.down[3], 100.0);
    }

    #[test]
    fn an_extreme_is_forgotten_after_its_window() {
        let high = [9.0, 1.0, 2.0, 3.0, 2.5, 1.0];
        assert_eq!(aroon(&high, &high, 2).up[2..], [0.0, 100.0, 50.0, 0.0]);
    }
}
