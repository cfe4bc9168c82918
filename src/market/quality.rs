//! What there is to say about a data set before anybody trusts it, read piece by piece.
//!
//! Defects are bars that cannot be true; the rest may be true and is worth a look. A bar with a defect counts for nothing
//! else.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::calendar::{bar_length, periods_per_year};
use super::dataset::Dataset;
use super::judge::{Judge, Rules, Seen, Settled};
use super::read::{RawRow, Reader};
use super::{Defect, DefectKind, MarketError, OnBadBar};
use crate::base::Timestamp;

/// A move this many times the symbol's mean absolute move so far is an outlier.
const OUTLIER: f64 = 12.0;
/// Bars before which nothing is an outlier.
const SETTLED: u64 = 30;
/// Ratios at which shares are split or merged.
const SPLITS: [f64; 12] = [1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 15.0, 20.0, 50.0];
/// How far a gap may be from such a ratio.
const NEAR: f64 = 0.04;
/// Doubtful bars that are listed for a symbol.
const MOST: usize = 20;

/// A move that is doubtful.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DoubtfulMove {
    /// The bar that it leads to.
    pub ts: Timestamp,
    /// Close of the bar before.
    pub from: f64,
    /// Open of a suspected split, close of an outlier.
    pub to: f64,
}

/// The quality of one symbol's bars.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SymbolQuality {
    /// The symbol.
    pub symbol: String,
    /// Bars without a defect.
    pub bars: u64,
    /// The first of them.
    pub first: Option<Timestamp>,
    /// The last of them.
    pub last: Option<Timestamp>,
    /// Sessions of the calendar between the two at which it has no bar.
    pub missing_sessions: u64,
    /// The longest time without a bar: from one bar to the next.
    pub longest_gap: Option<(Timestamp, Timestamp)>,
    /// Bars with a volume of 0.
    pub zero_volume: u64,
    /// Bars whose volume is not known.
    pub unknown_volume: u64,
    /// The most bars in a row whose prices were all the same.
    pub stale_bars: u64,
    /// Says whether its bars end before the calendar does.
    pub ended_early: bool,
    /// Defects by kind.
    pub defects: BTreeMap<DefectKind, u64>,
    /// Gaps between close and open that look like a split or a merger of shares.
    pub splits: Vec<DoubtfulMove>,
    /// Moves that are far beyond the usual.
    pub outliers: Vec<DoubtfulMove>,
}

/// The quality of a data set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Quality {
    /// Rows without a defect.
    pub bars: u64,
    /// Sessions: times that occur for any symbol, or those of the calendar file.
    pub sessions: u64,
    /// How long a bar is, in microseconds: the least distance of two bars.
    pub bar_micros: Option<i64>,
    /// Bars a year.
    pub periods_per_year: f64,
    /// One entry a symbol, sorted.
    pub symbols: Vec<SymbolQuality>,
    /// Defects by kind.
    pub defects: BTreeMap<DefectKind, u64>,
    /// The first defects, in reading order.
    pub first_defects: Vec<Defect>,
}

/// What is known of a symbol so far.
#[derive(Debug, Default)]
struct Running {
    quality: SymbolQuality,
    times: Option<(i64, i64)>,
    step: Option<i64>,
    gap: (i64, i64),
    /// The values of the last sound bar.
    last: [f64; 5],
    moves: f64,
    stale: u64,
    /// Where its last bar stands in the sessions.
    cursor: usize,
}

/// Looks at rows, one after the other.
struct Inspector {
    judge: Judge,
    series: BTreeMap<String, Running>,
    /// Times that occurred, sorted, and those that are not among them yet.
    sessions: Vec<i64>,
    further_sessions: BTreeSet<i64>,
}

impl Dataset {
    /// Looks at every bar.
    ///
    /// # Errors
    /// A file that cannot be read as bars at all; bars with defects are part of the report.
    pub fn quality(&self, now: Timestamp) -> Result<Quality, MarketError> {
        Ok(self.inspect(now)?.0)
    }

    /// As [`Dataset::quality`], with the sessions.
    pub(super) fn inspect(&self, now: Timestamp) -> Result<(Quality, Vec<i64>), MarketError> {
        self.options.check().map_err(|error| MarketError::Options(error.to_string()))?;
        let given = self.sessions()?;
        let rules = Rules {
            on_bad_bar: OnBadBar::Drop,
            from: i64::MIN,
            until: i64::MAX,
            now: Some(now.micros()),
            sessions: given.clone(),
            ..Rules::default()
        };
        let judge = Judge { rules, ..Judge::default() };
        let mut inspector =
            Inspector { judge, series: BTreeMap::new(), sessions: Vec::new(), further_sessions: BTreeSet::new() };
        let reader = Reader::new(&self.options);
        for (file, data) in &self.bars {
            reader.rows(file, data, &mut |row| inspector.take(&row))?;
        }
        Ok(inspector.finish(given, self.options.calendar.periods_per_year))
    }
}

impl Inspector {
    fn take(&mut self, row: &RawRow<'_>) -> Result<(), MarketError> {
        let running = row.symbol.and_then(|symbol| self.series.get(symbol));
        let previous = running.and_then(|running| running.times).map(|(_, last)| last);
        let settled = self.judge.settle(row, previous, Seen::InOrder(&[]))?;
        let Some(symbol) = row.symbol else { return Ok(()) };
        if !self.series.contains_key(symbol) {
            self.series.insert(symbol.to_owned(), Running::default());
        }
        let Some(running) = self.series.get_mut(symbol) else { return Ok(()) };
        match settled {
            Settled::Bar { ts, values } => {
                self.take_session(symbol, ts);
                if let Some(running) = self.series.get_mut(symbol) {
                    running.take(ts, values);
                }
            }
            Settled::Dropped | Settled::Outside => {
                for kind in &self.judge.noted {
                    *running.quality.defects.entry(*kind).or_default() += 1;
                }
            }
        }
        Ok(())
    }

    /// Adds a time to the sessions. Symbols that follow each other mostly walk along sessions that are known.
    fn take_session(&mut self, symbol: &str, ts: i64) {
        let Some(running) = self.series.get_mut(symbol) else { return };
        if self.sessions.get(running.cursor) == Some(&ts) {
            running.cursor += 1;
            return;
        }
        if self.sessions.last().is_none_or(|last| *last < ts) {
            self.sessions.push(ts);
            running.cursor = self.sessions.len();
            return;
        }
        match self.sessions.binary_search(&ts) {
            Ok(at) => running.cursor = at + 1,
            Err(at) => {
                running.cursor = at;
                self.further_sessions.insert(ts);
            }
        }
    }

    fn finish(mut self, given: Vec<i64>, declared: Option<f64>) -> (Quality, Vec<i64>) {
        let further: Vec<i64> = std::mem::take(&mut self.further_sessions).into_iter().collect();
        let occurred = super::calendar::union([self.sessions.as_slice(), further.as_slice()].into_iter());
        let sessions = if given.is_empty() { occurred } else { given };
        let end = self.series.values().filter_map(|running| Some(running.times?.1)).max();
        let least = self.series.values().filter_map(|running| running.step).min();
        let bar_micros = least.or_else(|| bar_length(std::iter::once(sessions.as_slice())));
        let symbols: Vec<SymbolQuality> =
            self.series.into_iter().map(|(symbol, running)| running.finish(symbol, &sessions, end)).collect();
        let quality = Quality {
            bars: symbols.iter().map(|symbol| symbol.bars).sum(),
            sessions: sessions.len() as u64,
            bar_micros,
            periods_per_year: declared.unwrap_or_else(|| periods_per_year(&sessions)),
            symbols,
            defects: self.judge.log.counts,
            first_defects: self.judge.log.first,
        };
        (quality, sessions)
    }
}

impl Running {
    fn take(&mut self, ts: i64, values: [f64; 5]) {
        let quality = &mut self.quality;
        let [open, high, low, close, volume] = values;
        quality.zero_volume += u64::from(volume == 0.0);
        quality.unknown_volume += u64::from(volume.is_nan());
        if let Some((_, last)) = self.times {
            let step = ts - last;
            self.step = Some(self.step.map_or(step, |least| least.min(step)));
            if step > self.gap.1 - self.gap.0 {
                self.gap = (last, ts);
            }
            self.doubt(ts, open, close);
            self.stale = if values[..4] == self.last[..4] { self.stale + 1 } else { 1 };
        } else {
            self.stale = 1;
        }
        let is_still = open == high && high == low && low == close;
        if self.stale > 1 || is_still {
            self.quality.stale_bars = self.quality.stale_bars.max(self.stale);
        }
        self.quality.bars += 1;
        self.times = Some((self.times.map_or(ts, |(first, _)| first), ts));
        self.last = values;
    }

    fn doubt(&mut self, ts: i64, open: f64, close: f64) {
        let before = self.last[3];
        let change = (close / before).ln().abs();
        let usual = self.moves / self.quality.bars.max(1) as f64;
        let at = Timestamp::from_micros(ts);
        let gap = (before / open).max(open / before);
        let is_split = SPLITS.iter().any(|ratio| (gap / ratio - 1.0).abs() < NEAR);
        if is_split && self.quality.splits.len() < MOST && (before / open).ln().abs() > 4.0 * usual {
            self.quality.splits.push(DoubtfulMove { ts: at, from: before, to: open });
        } else if self.quality.bars >= SETTLED && change > OUTLIER * usual && self.quality.outliers.len() < MOST {
            self.quality.outliers.push(DoubtfulMove { ts: at, from: before, to: close });
        }
        self.moves += change;
    }

    fn finish(self, symbol: String, sessions: &[i64], end: Option<i64>) -> SymbolQuality {
        let mut quality = SymbolQuality { symbol, ..self.quality };
        let Some((first, last)) = self.times else { return quality };
        let between = sessions.partition_point(|ts| *ts <= last) - sessions.partition_point(|ts| *ts < first);
        quality.first = Some(Timestamp::from_micros(first));
        quality.last = Some(Timestamp::from_micros(last));
        quality.missing_sessions = (between as u64).saturating_sub(quality.bars);
        let (from, to) = self.gap;
        quality.longest_gap = (to > from).then(|| (Timestamp::from_micros(from), Timestamp::from_micros(to)));
        quality.ended_early = end.is_some_and(|end| last < end);
        quality
    }
}

impl Quality {
    /// Says whether symbols have survived only: years of data, and none that ended before the others.
    pub fn has_survivors_only(&self) -> bool {
        let first = self.symbols.iter().filter_map(|symbol| symbol.first).min();
        let last = self.symbols.iter().filter_map(|symbol| symbol.last).max();
        let years =
            first.zip(last).map_or(0, |(first, last)| (last.micros() - first.micros()) / (365 * 86_400_000_000));
        self.symbols.len() > 1 && years >= 2 && !self.symbols.iter().any(|symbol| symbol.ended_early)
    }
}

#[cfg(test)]
#[path = "quality_tests.rs"]
mod tests;
