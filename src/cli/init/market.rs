//! An invented market to begin with: daily bars in which volume tells true breakouts from false ones.
//!
//! A close above the highest high of 20 bars starts an episode of a few bars. Half of them are true: they come with a surge
//! of volume and drift up. The others drift down. A model that looks at volume can tell them apart, so that a first run
//! shows what a model is good for. Nothing about real markets follows from it.

use std::fmt::Write as _;

use jiff::civil::{Date, Weekday};

use crate::base::{RandomStream, Seed};

const SEED: Seed = Seed::new(42);
const SYMBOLS: [&str; 16] = [
    "ALPHA", "BRAVO", "CEDAR", "DELTA", "ECHO", "FALCON", "GOLF", "HOTEL", "INDIGO", "KILO", "LIMA", "MIKE", "OSCAR",
    "PAPA", "ROMEO", "SIERRA",
];
const FIRST_DAY: Date = jiff::civil::date(2018, 1, 1);
const BARS: usize = 1_500;

/// Bars whose highest high a breakout must exceed.
const LOOKBACK: usize = 20;
const EPISODE_BARS: u32 = 6;
/// Drift of a day within an episode, upwards or downwards, and outside of it; in logarithms, as the volatility is.
const EPISODE_DRIFT: f64 = 0.005;
const DRIFT: f64 = 0.001;
const VOLATILITY: f64 = 0.01;
const SURGE: f64 = 2.5;
const TYPICAL_VOLUME: f64 = 1e6;

/// The market as CSV.
pub(super) fn csv() -> String {
    let mut text = String::from("symbol,ts,open,high,low,close,volume\n");
    for (index, symbol) in (0..).zip(SYMBOLS) {
        let mut series = Series::new(SEED.derive("market").index(index).stream());
        for day in trading_days() {
            let Bar { open, high, low, close, volume } = series.next();
            let _ = writeln!(text, "{symbol},{day},{open:.2},{high:.2},{low:.2},{close:.2},{volume:.0}");
        }
    }
    text
}

fn trading_days() -> impl Iterator<Item = Date> {
    let open = |day: &Date| !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
    FIRST_DAY.series(jiff::Span::new().days(1)).filter(open).take(BARS)
}

struct Bar {
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    volume: f64,
}

/// One symbol.
struct Series {
    random: RandomStream,
    close: f64,
    /// The newest last.
    highs: Vec<f64>,
    /// Bars left, and their drift.
    episode: Option<(u32, f64)>,
}

impl Series {
    fn new(mut random: RandomStream) -> Self {
        let close = 40.0 + 80.0 * random.uniform();
        Self { random, close, highs: Vec::new(), episode: None }
    }

    fn next(&mut self) -> Bar {
        let random = &mut self.random;
        let drift = DRIFT + self.episode.map_or(0.0, |(_, drift)| drift);
        let open = self.close * libm::exp(0.003 * random.normal());
        let close = open * libm::exp(drift + VOLATILITY * random.normal());
        let high = open.max(close) * libm::exp(0.004 * random.normal().abs());
        let low = open.min(close) * libm::exp(-0.004 * random.normal().abs());
        let mut volume = TYPICAL_VOLUME * libm::exp(0.25 * random.normal());
        self.episode = self.episode.and_then(|(left, drift)| (left > 1).then(|| (left - 1, drift)));
        let past = &self.highs[self.highs.len().saturating_sub(LOOKBACK)..];
        let breaks_out = past.len() == LOOKBACK && past.iter().all(|past| close > *past);
        if breaks_out && self.episode.is_none() {
            let is_true = random.uniform() < 0.5;
            volume *= if is_true { SURGE } else { 1.0 };
            self.episode = Some((EPISODE_BARS, if is_true { EPISODE_DRIFT } else { -EPISODE_DRIFT }));
        }
        self.highs.push(high);
        self.close = close;
        Bar { open, high, low, close, volume }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_market_is_the_same_each_time_and_every_bar_can_be_true() {
        let text = csv();
        assert_eq!(text, csv());
        let rows: Vec<Vec<f64>> = text
            .lines()
            .skip(1)
            .map(|line| line.split(',').skip(2).map(|cell| cell.parse().unwrap()).collect())
            .collect();
        assert_eq!(rows.len(), SYMBOLS.len() * BARS);
        for row in rows {
            let [open, high, low, close, volume] = row[..] else { panic!("{row:?}") };
            assert!(low > 0.0 && low <= open.min(close) && open.max(close) <= high && volume > 0.0, "{row:?}");
        }
    }
}
