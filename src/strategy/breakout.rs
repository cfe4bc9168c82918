//! The reference strategy: a close that clears its channel above a trend average.
//!
//! ```text
//! eligible = every indicator is there  AND  C > SMA_trend  AND  (no least slope OR SMA_trend / SMA_trend[t-lookback] - 1 > least)
//! fast     = C >= highest_fast * (1 + fast_clearance)       slow = C >= highest_slow * (1 + slow_clearance)
//! trigger  = fast OR slow        clearance = C / highest_used - 1, of the slow channel when slow fired, else of the fast
//! stop     = C - m * ATR         exit = C < SMA_exit
//! ```
//! "Every indicator" is what the rules above and the weighted components of the score use. The average traded value is
//! not among them: without volume the capacity check refuses the order, and says so.

use rayon::prelude::*;

use super::score::{Component, set_scores};
use super::{Candidate, Indicator, IndicatorCache, Signals, StrategyFile, SymbolSignals};
use crate::market::{Bars, Series};

/// Bars of the momentum component of the score.
const MOMENTUM_BARS: u32 = 60;
/// Bars of the average traded value.
const ADV_BARS: u32 = 20;

/// Computes the entry candidates and exit flags of every symbol.
///
/// A value at a bar depends on that bar and earlier ones only; the score also on the signals of other symbols in earlier
/// sessions. The result does not depend on the number of threads.
pub(super) fn signals(file: &StrategyFile, bars: &Bars, cache: &IndicatorCache) -> Signals {
    let found: Vec<(SymbolSignals, Vec<f64>)> = (0..bars.series.len())
        .into_par_iter()
        .map(|symbol| symbol_signals(file, symbol as u32, &bars.series[symbol], cache))
        .collect();
    let (mut symbols, momentum): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    score(file, &mut symbols, momentum);
    Signals { symbols }
}

/// Triggers and exits of one symbol, and the momentum of each trigger.
fn symbol_signals(
    file: &StrategyFile,
    symbol: u32,
    series: &Series,
    cache: &IndicatorCache,
) -> (SymbolSignals, Vec<f64>) {
    let (eligibility, entry, exit) = (&file.eligibility, &file.entry, &file.exit);
    let column = |indicator| cache.get(symbol, series, indicator);
    let trend = column(Indicator::Sma(eligibility.trend_ma));
    let exit_average = column(Indicator::Sma(exit.exit_ma));
    let fast_channel = column(Indicator::highest(entry.channel, entry.fast_lookback));
    let slow_channel = column(Indicator::highest(entry.channel, entry.slow_lookback));
    let atr = column(Indicator::Atr(exit.atr));
    let adv20 = column(Indicator::Adv(ADV_BARS));
    let momentum = column(Indicator::Roc(MOMENTUM_BARS));

    let close = &series.close[..];
    let (fast_factor, slow_factor) = (1.0 + entry.fast_clearance, 1.0 + entry.slow_clearance);
    let is_steep = |row: usize| match eligibility.ma_slope_min {
        None => true,
        Some(least) => {
            let earlier = row.checked_sub(eligibility.ma_slope_lookback as usize);
            earlier.is_some_and(|earlier| trend[row] / trend[earlier] - 1.0 > least)
        }
    };
    let mut candidates = Vec::new();
    let mut momenta = Vec::new();
    for (row, &price) in close.iter().enumerate() {
        // a missing channel compares false
        let fast = price >= fast_channel[row] * fast_factor;
        let slow = price >= slow_channel[row] * slow_factor;
        if !(fast || slow) {
            continue;
        }
        let fast_clearance = price / fast_channel[row] - 1.0;
        let slow_clearance = price / slow_channel[row] - 1.0;
        let stop = price - exit.hard_stop_atr_mult * atr[row];
        let has_all = [fast_channel[row], slow_channel[row], atr[row], exit_average[row]].iter().all(|x| !x.is_nan())
            && (file.score.momentum == 0.0 || !momentum[row].is_nan());
        candidates.push(Candidate {
            eligible: has_all && price > trend[row] && is_steep(row),
            stop: (!stop.is_nan()).then_some(stop),
            clearance: if slow { slow_clearance } else { fast_clearance },
            fast,
            slow,
            fast_clearance,
            slow_clearance,
            adv20: adv20[row],
            atr: atr[row],
            ..Candidate::at(series.session[row], row as u32)
        });
        momenta.push(momentum[row]);
    }
    let exit_long = close.iter().zip(exit_average.iter()).map(|(price, average)| price < average).collect();
    (SymbolSignals { candidates, exit_long, ..SymbolSignals::default() }, momenta)
}

/// Sets the scores by clearance and momentum.
fn score(file: &StrategyFile, symbols: &mut [SymbolSignals], momentum: Vec<Vec<f64>>) {
    let clearance = symbols.iter().map(|own| own.candidates.iter().map(|it| it.clearance).collect()).collect();
    let components = [
        Component { weight: file.score.clearance, values: clearance },
        Component { weight: file.score.momentum, values: momentum },
    ];
    set_scores(symbols, &components);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::strategy::{Strategy, signals};

    /// Closes that rise slowly, then jump at the last bar; highs and lows one unit away.
    fn bars(close: Vec<f64>, volume: f64) -> Bars {
        let series = Series {
            symbol: "A".to_owned(),
            session: (0..close.len() as u32).collect(),
            open: close.clone(),
            high: close.iter().map(|price| price + 1.0).collect(),
            low: close.iter().map(|price| price - 1.0).collect(),
            volume: vec![volume; close.len()],
            extra: Default::default(),
            close,
        };
        Bars { sessions: (0..series.len() as i64).collect(), series: vec![series], periods_per_year: 252.0 }
    }

    fn of(bars: &Bars, values: &[(&str, serde_json::Value)]) -> SymbolSignals {
        let values: BTreeMap<_, _> = values.iter().map(|(path, value)| ((*path).to_owned(), value.clone())).collect();
        let strategy = Strategy::default().with_parameters(&values).unwrap();
        signals(&strategy, bars, &IndicatorCache::new()).unwrap().symbols.remove(0)
    }

    fn jump(rows: usize, to: f64) -> Vec<f64> {
        (0..rows).map(|row| if row + 1 == rows { to } else { 100.0 + 0.1 * (row % 2) as f64 }).collect()
    }

    #[test]
    fn a_close_above_both_channels_is_a_candidate_with_its_stop() {
        let found = of(&bars(jump(70, 104.0), 5.0), &[]);
        assert_eq!(found.candidates.len(), 1);
        let it = found.candidates[0];
        assert_eq!((it.row, it.eligible, it.fast, it.slow), (69, true, true, true));
        assert!((it.clearance - (104.0 / 100.1 - 1.0)).abs() < 1e-12);
        assert!((it.stop.unwrap() - (104.0 - 2.5 * it.atr)).abs() < 1e-12 && it.atr > 2.0);
        assert_eq!(it.score, 0.5, "no earlier signal to compare with");
    }

    #[test]
    fn the_clearance_is_part_of_the_trigger_and_equality_fires() {
        let at = |price: f64| of(&bars(jump(70, price), 5.0), &[]).candidates;
        assert!(at(100.1 * (1.0 + 0.005)).len() == 1 && at(100.1 * 1.0049).is_empty());
        let between = at(100.1 * 1.007);
        assert_eq!((between[0].fast, between[0].slow), (true, false));
    }

    #[test]
    fn the_channel_of_highs_is_the_donchian_rule() {
        let high = [("entry.channel", json!("high")), ("entry.fast_clearance", json!(0.0))];
        assert!(of(&bars(jump(70, 101.0), 5.0), &high).candidates.is_empty());
        assert_eq!(of(&bars(jump(70, 101.1), 5.0), &high).candidates.len(), 1);
    }

    #[test]
    fn a_trigger_before_every_indicator_is_there_is_not_eligible() {
        let early = of(&bars(jump(40, 104.0), 5.0), &[]);
        assert_eq!((early.candidates.len(), early.candidates[0].eligible), (1, false));
        let below_trend = (0..70).map(|row| if row + 1 == 70 { 70.0 } else { 200.0 - 2.0 * row as f64 }).collect();
        assert!(of(&bars(below_trend, 5.0), &[]).candidates.iter().all(|it| !it.eligible));
    }

    #[test]
    fn a_missing_volume_leaves_the_signal_and_no_capacity() {
        let it = of(&bars(jump(70, 104.0), f64::NAN), &[]).candidates[0];
        assert!(it.eligible && it.adv20.is_nan());
    }

    #[test]
    fn the_least_slope_of_the_trend_counts() {
        let rising: Vec<f64> = (0..80).map(|row| 100.0 * 1.006_f64.powi(row)).collect();
        let eligible = |least: f64| {
            let found = of(&bars(rising.clone(), 5.0), &[("eligibility.ma_slope_min", json!(least))]);
            found.candidates.iter().any(|it| it.eligible)
        };
        assert!(eligible(0.06) && !eligible(0.063));
    }

    #[test]
    fn a_close_below_the_exit_average_says_leave() {
        let found = of(&bars(jump(30, 90.0), 5.0), &[]);
        assert!(found.exit_long[29] && !found.exit_long[..19].iter().any(|flag| *flag));
    }

    #[test]
    fn indicators_are_computed_once_for_all_trials() {
        let (bars, cache) = (bars(jump(70, 104.0), 5.0), IndicatorCache::new());
        signals(&Strategy::default(), &bars, &cache).unwrap();
        let columns = cache.len();
        signals(&Strategy::default(), &bars, &cache).unwrap();
        // trend and exit averages, two channels, range, traded value, momentum
        assert_eq!((columns, cache.len()), (7, 7));
    }
}
