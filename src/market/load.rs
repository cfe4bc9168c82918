//! A data set to validated [`Bars`].

use std::collections::BTreeMap;

use bytes::Bytes;

use super::adjust::{Events, adjust, read_events};
use super::calendar::{self, Days, bar_length, periods_per_year, union};
use super::collect::Collector;
use super::dataset::{Dataset, FileData};
use super::higher::{last_closed, resample};
use super::join::Exogenous;
use super::judge::Rules;
use super::read::Reader;
use super::rows::Rows;
use super::{Bars, DefectLog, MarketError, OnBadBar, Series, TimeOptions};
use crate::base::Timestamp;

/// Which bars to read.
#[derive(Clone, Debug)]
pub struct BarsRequest {
    /// Only these symbols; `None` for all.
    pub symbols: Option<Vec<String>>,
    /// No bar that starts before this time; `None` for all.
    pub from: Option<Timestamp>,
    /// No bar that has not closed by this time: the end of the data window, exclusive.
    pub until: Timestamp,
    /// What to do with a bar that cannot be true.
    pub on_bad_bar: OnBadBar,
}

/// Validated bars, and what was left out.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The bars.
    pub bars: Bars,
    /// Bars that were dropped, each with its reason.
    pub dropped: Vec<String>,
    /// What was mended, each with what was put in its place.
    pub repaired: Vec<String>,
}

/// Reads and validates bars from the files of a pinned data set (name and bytes, in any order).
///
/// # Errors
/// See [`MarketError`]: every one names the file, and the bar where there is one.
pub fn load_bars(files: &BTreeMap<String, Bytes>, request: &BarsRequest) -> Result<Loaded, MarketError> {
    let files = files.iter().map(|(name, bytes)| (name.clone(), FileData::Memory(bytes.clone())));
    Dataset::from_tree(&files.collect())?.load(request)
}

/// What the symbols that are read now must know of those that are not.
#[derive(Debug, Default)]
pub(super) struct Whole {
    /// Sessions of all symbols.
    pub sessions: Vec<i64>,
    /// How long a bar is.
    pub step: Option<i64>,
}

/// Rows of symbols, ready to become bars.
pub(super) struct Prepared {
    pub series: BTreeMap<String, Rows>,
    pub log: DefectLog,
}

impl Dataset {
    /// Reads and validates bars.
    ///
    /// # Errors
    /// See [`MarketError`].
    pub fn load(&self, request: &BarsRequest) -> Result<Loaded, MarketError> {
        let Prepared { series, log } = self.prepare(request)?;
        let bars = self.assemble(series);
        Ok(Loaded { bars, dropped: log.dropped_lines(), repaired: log.repaired_lines() })
    }

    /// What rows are judged by.
    pub(super) fn rules(&self, request: &BarsRequest) -> Result<Rules, MarketError> {
        Ok(Rules {
            on_bad_bar: request.on_bad_bar,
            symbols: request.symbols.as_ref().map(|symbols| symbols.iter().cloned().collect()),
            from: request.from.map_or(i64::MIN, Timestamp::micros),
            until: request.until.micros(),
            now: None,
            sessions: self.sessions()?,
            only_named: false,
        })
    }

    /// The sessions of the calendar file; none where there is no such file.
    pub(super) fn sessions(&self) -> Result<Vec<i64>, MarketError> {
        match self.options.calendar.sessions {
            None => Ok(Vec::new()),
            Some(_) => calendar::read_sessions(&self.calendar, &self.table_time()),
        }
    }

    /// How times are written in the tables of events and sessions: plainly, in the zone of the bars.
    fn table_time(&self) -> TimeOptions {
        TimeOptions { zone: self.options.time.zone.clone(), ..TimeOptions::default() }
    }

    /// Number of further columns that are read beside the bars' own.
    pub(super) fn further(&self) -> usize {
        let adjusted = self.options.adjust.as_ref().is_some_and(|adjust| adjust.close.is_some());
        self.options.keep.len() + usize::from(adjusted)
    }

    /// Reads the rows of the symbols that are asked for, judges them, and builds every column.
    fn prepare(&self, request: &BarsRequest) -> Result<Prepared, MarketError> {
        self.options.check().map_err(|error| MarketError::Options(error.to_string()))?;
        self.prepare_within(request, self.rules(request)?, &Whole::default())
    }

    /// As [`Dataset::prepare`], of a part of the symbols.
    pub(super) fn prepare_within(
        &self,
        request: &BarsRequest,
        rules: Rules,
        whole: &Whole,
    ) -> Result<Prepared, MarketError> {
        let mut found = Collector::new(rules, self.further());
        let reader = Reader::new(&self.options);
        for (file, data) in &self.bars {
            reader.rows(file, data, &mut |row| found.take(&row))?;
        }
        found.finish();
        if let Some(symbols) = &request.symbols {
            let missing: Vec<String> =
                symbols.iter().filter(|symbol| !found.known.contains(*symbol)).cloned().collect();
            if !missing.is_empty() {
                return Err(MarketError::Symbols { missing, known: found.known.into_iter().collect() });
            }
        }
        let (mut series, log) = (found.series, found.judge.log);
        self.complete(&mut series, request.until, whole)?;
        if series.is_empty() {
            let from = request.from.map_or_else(|| "the beginning".to_owned(), |from| from.to_string());
            let names: Vec<&str> = self.bars.keys().map(String::as_str).take(10).collect();
            let files = names.join(", ");
            return Err(MarketError::Empty(format!("none from {from} to {} in [{files}]", request.until)));
        }
        Ok(Prepared { series, log })
    }

    /// Closed bars only, adjusted, of the length that is asked for, with all further columns.
    fn complete(
        &self,
        series: &mut BTreeMap<String, Rows>,
        until: Timestamp,
        whole: &Whole,
    ) -> Result<(), MarketError> {
        let times = |series: &BTreeMap<String, Rows>| {
            let own = series.values().map(|rows| rows.ts.as_slice());
            union(std::iter::once(whole.sessions.as_slice()).chain(own))
        };
        let own = || bar_length(series.values().map(|rows| rows.ts.as_slice()));
        let Some(mut step) = whole.step.or_else(own) else { return Ok(()) };
        keep_closed(series, step, until);
        if let Some(options) = &self.options.adjust {
            let events = match options.events {
                Some(_) => read_events(&self.events, &self.table_time())?,
                None => Events::new(),
            };
            series.iter_mut().try_for_each(|(symbol, rows)| adjust(symbol, rows, options, &events))?;
        }
        let zone = self.options.time.time_zone().map_err(|error| MarketError::Options(error.to_string()))?;
        if let Some(length) = self.options.resample {
            if length.micros() < step {
                let have = format!("the bars are {} minutes apart", step / 60_000_000);
                return Err(MarketError::Options(format!("`resample`: cannot make {length} bars: {have}")));
            }
            let days = Days::new(&times(series), zone.clone());
            series.values_mut().for_each(|rows| *rows = resample(rows, &days, length, until.micros()));
            series.retain(|_, rows| rows.len() > 0);
            step = length.micros();
        }
        if !self.options.higher.is_empty() {
            // longer bars are built from those that are there now
            let of_whole = if self.options.resample.is_none() {
                times(series)
            } else {
                union(series.values().map(|rows| rows.ts.as_slice()))
            };
            let days = Days::new(&of_whole, zone);
            for rows in series.values_mut() {
                for length in &self.options.higher {
                    let columns = last_closed(rows, &days, *length, step);
                    rows.further.extend(columns);
                }
            }
        }
        for (name, options) in &self.options.join {
            let none = super::Files::new();
            let table = Exogenous::read(self.join.get(name).unwrap_or(&none), options)?;
            for (symbol, rows) in series.iter_mut() {
                let columns = table.columns(symbol, rows, step);
                rows.further.extend(columns);
            }
        }
        Ok(())
    }

    fn assemble(&self, rows: BTreeMap<String, Rows>) -> Bars {
        let sessions = union(rows.values().map(|rows| rows.ts.as_slice()));
        let names = self.options.extra_names();
        let series = rows.into_iter().map(|(symbol, rows)| {
            // both are sorted: one walk over the calendar finds every session index
            let mut session = 0;
            let index = rows.ts.iter().map(|ts| {
                while sessions[session] < *ts {
                    session += 1;
                }
                session as u32
            });
            let session = index.collect();
            let [open, high, low, close, volume] = rows.values;
            let extra = names.iter().cloned().zip(rows.further).collect();
            Series { symbol, session, open, high, low, close, volume, extra }
        });
        let series = series.collect();
        let counted = || periods_per_year(&sessions);
        let periods_per_year = self.options.calendar.periods_per_year.unwrap_or_else(counted);
        Bars { sessions, series, periods_per_year }
    }
}

/// Drops bars that were still open at the end of the window: a bar is stamped with its start and known at its close.
fn keep_closed(series: &mut BTreeMap<String, Rows>, step: i64, until: Timestamp) {
    for rows in series.values_mut() {
        let closed = rows.ts.partition_point(|ts| ts.saturating_add(step) <= until.micros());
        rows.truncate(closed);
    }
    series.retain(|_, rows| rows.len() > 0);
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
