//! The equity curve's falls below its own peak.

use serde::{Deserialize, Serialize};

use super::returns::usable;
use crate::stats::sum::sum;

/// Depth and duration of the drawdowns of an equity curve that starts at 1 before the first return.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drawdown {
    /// Deepest fall below the running peak as a share of it, `<= 0`.
    pub max_drawdown: f64,
    /// Bar of the peak before the deepest fall; 0 is the start, `i` the equity after return `i`.
    pub peak_index: usize,
    /// Bar of the deepest fall; 0 when equity never fell.
    pub trough_index: usize,
    /// Bars from the trough back to the peak's level; `None` when equity had not recovered by the end.
    pub recovery_bars: Option<usize>,
    /// Longest time from a peak to the bar that is back at its level, or to the end when none is.
    pub max_underwater_bars: usize,
    /// Mean of the drawdowns of all bars, `<= 0`.
    pub average_drawdown: f64,
    /// Root of the mean squared drawdown over all n bars (Martin and McCann, 1989).
    pub ulcer_index: f64,
}

/// One fall of equity below its peak, to the bar that is back at the peak's level.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DrawdownEpisode {
    /// Deepest fall as a share of the peak, `< 0`.
    pub depth: f64,
    /// Bar of the peak; 0 is the start, `i` the equity after return `i`.
    pub peak_index: usize,
    /// Bar of the deepest fall.
    pub trough_index: usize,
    /// Bar that is back at the peak's level; `None` when none is.
    pub recovery_index: Option<usize>,
    /// Bars from the peak to that bar, or to the end.
    pub bars: usize,
}

/// Lists the drawdowns of a series of per-period returns, in time order; `None` when it is empty or not finite.
pub fn drawdown_episodes(returns: &[f64]) -> Option<Vec<DrawdownEpisode>> {
    usable(returns)?;
    let (mut equity, mut peak, mut peak_bar) = (1.0_f64, 1.0_f64, 0);
    let mut found: Vec<DrawdownEpisode> = Vec::new();
    let mut is_under = false;
    for (bar, change) in (1..).zip(returns) {
        equity = (equity * (1.0 + change)).max(0.0);
        let fall = equity / peak - 1.0;
        if equity >= peak {
            if let Some(last) = found.last_mut().filter(|_| is_under) {
                (last.recovery_index, last.bars) = (Some(bar), bar - last.peak_index);
            }
            (peak, peak_bar, is_under) = (equity, bar, false);
            continue;
        }
        if !is_under {
            found.push(DrawdownEpisode {
                depth: 0.0,
                peak_index: peak_bar,
                trough_index: bar,
                recovery_index: None,
                bars: 0,
            });
            is_under = true;
        }
        if let Some(last) = found.last_mut() {
            last.bars = bar - last.peak_index;
            if fall < last.depth {
                (last.depth, last.trough_index) = (fall, bar);
            }
        }
    }
    Some(found)
}

/// Measures the drawdowns of a series of per-period returns; `None` when it is empty or not finite.
///
/// Equity that reaches 0 has lost everything (drawdown -1) and stays there whatever the later returns say.
pub fn drawdown(returns: &[f64]) -> Option<Drawdown> {
    usable(returns)?;
    let (mut equity, mut peak, mut peak_bar) = (1.0_f64, 1.0_f64, 0);
    let mut deepest = Drawdown {
        max_drawdown: 0.0,
        peak_index: 0,
        trough_index: 0,
        recovery_bars: Some(0),
        max_underwater_bars: 0,
        average_drawdown: 0.0,
        ulcer_index: 0.0,
    };
    let mut falls = Vec::with_capacity(returns.len());
    let mut underwater = 0;
    for (bar, change) in (1..).zip(returns) {
        equity = (equity * (1.0 + change)).max(0.0);
        if equity >= peak && underwater > 0 && deepest.recovery_bars.is_none() {
            deepest.recovery_bars = Some(bar - deepest.trough_index);
        }
        if equity > peak {
            (peak, peak_bar) = (equity, bar);
        }
        let fall = equity / peak - 1.0;
        // the bar of recovery still belongs to the time under water
        let since_peak = if fall < 0.0 || underwater > 0 { underwater + 1 } else { 0 };
        deepest.max_underwater_bars = deepest.max_underwater_bars.max(since_peak);
        underwater = if fall < 0.0 { since_peak } else { 0 };
        if fall < deepest.max_drawdown {
            deepest.max_drawdown = fall;
            (deepest.peak_index, deepest.trough_index) = (peak_bar, bar);
            deepest.recovery_bars = None;
        }
        falls.push(fall);
    }
    let bars = falls.len() as f64;
    deepest.average_drawdown = sum(falls.iter().copied()) / bars;
    deepest.ulcer_index = (sum(falls.iter().map(|fall| fall * fall)) / bars).sqrt();
    Some(deepest)
}
