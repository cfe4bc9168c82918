//! Parquet and CSV files to validated [`Bars`], read with polars.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;

use bytes::Bytes;
use polars::prelude::{
    CsvReadOptions, DataFrame, DataType, ParquetReader, PolarsError, SerReader as _, TimeUnit, TimeZone,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Bars, Series};
use crate::base::{MICROS_PER_DAY, Timestamp};

/// What to do with a bar that cannot be true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnBadBar {
    /// Refuse the file, naming the bar.
    #[default]
    Error,
    /// Leave the bar out and count it.
    Drop,
}

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
}

/// Bars that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MarketError {
    /// No file, or none with a bar in the window.
    #[error("no bars: {0}")]
    Empty(String),
    /// A file of another kind.
    #[error("{file}: expected a `.parquet` or `.csv` file of bars")]
    Format {
        /// The file.
        file: String,
    },
    /// A file that cannot be read.
    #[error("{file}: not readable as bars")]
    Unreadable {
        /// The file.
        file: String,
        /// Why not.
        #[source]
        source: PolarsError,
    },
    /// A column that is missing or of the wrong type.
    #[error("{file}: expected columns symbol, ts, open, high, low, close, volume; {problem}")]
    Columns {
        /// The file.
        file: String,
        /// What is wrong with them.
        problem: String,
    },
    /// A bar that cannot be true.
    #[error("{0}; mend the data, or set `on_bad_bar: drop` to leave such bars out")]
    BadBar(String),
    /// Symbols that were asked for and are in no file.
    #[error("no bars for {}; the files hold {}", missing.join(", "), known.join(", "))]
    Symbols {
        /// Asked for.
        missing: Vec<String>,
        /// There.
        known: Vec<String>,
    },
}

/// One row as read.
struct Row {
    ts: i64,
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    volume: f64,
}

/// Reads and validates bars from files held in memory (name and bytes, in any order).
///
/// # Errors
/// See [`MarketError`]: every one names the file, and the bar where there is one.
pub fn load_bars(files: &BTreeMap<String, Bytes>, request: &BarsRequest) -> Result<Loaded, MarketError> {
    let mut rows: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    let mut dropped = Vec::new();
    let mut known = BTreeSet::new();
    for (file, bytes) in files {
        let frame = read_frame(file, bytes)?;
        collect_rows(file, &frame, request, &mut rows, &mut known, &mut dropped)?;
    }
    if let Some(symbols) = &request.symbols {
        let missing: Vec<String> = symbols.iter().filter(|symbol| !known.contains(*symbol)).cloned().collect();
        if !missing.is_empty() {
            return Err(MarketError::Symbols { missing, known: known.into_iter().collect() });
        }
    }
    keep_closed(&mut rows, request.until);
    if rows.is_empty() {
        let from = request.from.map_or_else(|| "the beginning".to_owned(), |from| from.to_string());
        let names: Vec<&str> = files.keys().map(String::as_str).collect();
        return Err(MarketError::Empty(format!("none from {from} to {} in [{}]", request.until, names.join(", "))));
    }
    Ok(Loaded { bars: assemble(rows), dropped })
}

/// Drops bars that were still open at the end of the window: a bar is stamped with its start and known at its close.
fn keep_closed(rows: &mut BTreeMap<String, Vec<Row>>, until: Timestamp) {
    let times: BTreeSet<i64> = rows.values().flatten().map(|row| row.ts).collect();
    let gaps = rows.values().flat_map(|series| series.windows(2).map(|pair| pair[1].ts - pair[0].ts));
    let Some(length) = gaps.min().or_else(|| is_daily(&times).then_some(MICROS_PER_DAY)) else { return };
    for series in rows.values_mut() {
        series.retain(|row| row.ts.saturating_add(length) <= until.micros());
    }
    rows.retain(|_, series| !series.is_empty());
}

/// Says whether all bars start at one time of day.
fn is_daily<'a>(times: impl IntoIterator<Item = &'a i64>) -> bool {
    let mut of_day = times.into_iter().map(|ts| ts.rem_euclid(MICROS_PER_DAY));
    of_day.next().is_some_and(|first| of_day.all(|other| other == first))
}

fn read_frame(file: &str, bytes: &Bytes) -> Result<DataFrame, MarketError> {
    let extension = file.rsplit_once('.').map_or("", |(_, extension)| extension);
    let read = match extension {
        "parquet" => ParquetReader::new(Cursor::new(bytes.clone())).finish(),
        "csv" => CsvReadOptions::default()
            .with_has_header(true)
            .map_parse_options(|options| options.with_try_parse_dates(true))
            .into_reader_with_file_handle(Cursor::new(bytes.clone()))
            .finish(),
        _ => return Err(MarketError::Format { file: file.to_owned() }),
    };
    read.map_err(|source| MarketError::Unreadable { file: file.to_owned(), source })
}

fn collect_rows(
    file: &str,
    frame: &DataFrame,
    request: &BarsRequest,
    rows: &mut BTreeMap<String, Vec<Row>>,
    known: &mut BTreeSet<String>,
    dropped: &mut Vec<String>,
) -> Result<(), MarketError> {
    let columns = |problem: String| MarketError::Columns { file: file.to_owned(), problem };
    let cast = |name: &str, to: &DataType| {
        let column = frame.column(name).map_err(|_| {
            let found: Vec<String> = frame.get_column_names().iter().map(ToString::to_string).collect();
            columns(format!("`{name}` is missing, the file has {}", found.join(", ")))
        })?;
        column.cast(to).map_err(|_| columns(format!("`{name}` holds {}, expected {to}", column.dtype())))
    };
    let time = DataType::Datetime(TimeUnit::Microseconds, None);
    let utc = DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC));
    let ts_column = cast("ts", frame.column("ts").map_or(&time, |column| column.dtype()))?;
    if ts_column.dtype() == &DataType::String {
        let first = ts_column.str().ok().and_then(|texts| texts.first().map(str::to_owned)).unwrap_or_default();
        return Err(columns(format!(
            "`ts` holds `{first}`, expected a date like 2012-01-03 or a time like 2012-01-03T15:30:00"
        )));
    }
    // a zone is dropped by way of UTC; a column without one is taken as UTC
    let ts = if matches!(ts_column.dtype(), DataType::Datetime(_, Some(_))) {
        cast("ts", &utc)?
    } else {
        cast("ts", &time)?
    };
    let ts = ts.datetime().map_err(|_| columns("`ts` holds no times".to_owned()))?.physical().clone();
    let symbols = cast("symbol", &DataType::String)?;
    let symbols = symbols.str().map_err(|_| columns("`symbol` holds no text".to_owned()))?;
    let number = |name: &str| {
        let column = cast(name, &DataType::Float64)?;
        let values = column.f64().map_err(|_| columns(format!("`{name}` holds no numbers")))?;
        Ok::<Vec<f64>, MarketError>(values.iter().map(|value| value.unwrap_or(f64::NAN)).collect())
    };
    let (open, high, low, close, volume) =
        (number("open")?, number("high")?, number("low")?, number("close")?, number("volume")?);

    let wanted: Option<BTreeSet<&str>> = request.symbols.as_ref().map(|list| list.iter().map(String::as_str).collect());
    for (index, (symbol, ts)) in symbols.iter().zip(ts.iter()).enumerate() {
        let (Some(symbol), Some(ts)) = (symbol, ts) else {
            let found = if symbol.is_none() { "symbol" } else { "ts" };
            reject(request.on_bad_bar, format!("{file}, row {}: expected a {found}, found null", index + 1), dropped)?;
            continue;
        };
        if !known.contains(symbol) {
            known.insert(symbol.to_owned());
        }
        let outside = ts >= request.until.micros() || request.from.is_some_and(|from| ts < from.micros());
        if outside || wanted.as_ref().is_some_and(|wanted| !wanted.contains(symbol)) {
            continue;
        }
        let row = Row {
            ts,
            open: open[index],
            high: high[index],
            low: low[index],
            close: close[index],
            volume: volume[index],
        };
        if !rows.contains_key(symbol) {
            rows.insert(symbol.to_owned(), Vec::new());
        }
        let Some(series) = rows.get_mut(symbol) else { continue };
        let previous = series.last().map(|row: &Row| row.ts);
        match fault_of(&row, previous) {
            None => series.push(row),
            Some(fault) => {
                let at = Timestamp::from_micros(ts);
                reject(request.on_bad_bar, format!("{file}: {symbol} at {at}: {fault}"), dropped)?;
            }
        }
    }
    rows.retain(|_, series| !series.is_empty());
    Ok(())
}

fn reject(policy: OnBadBar, fault: String, dropped: &mut Vec<String>) -> Result<(), MarketError> {
    match policy {
        OnBadBar::Error => Err(MarketError::BadBar(fault)),
        OnBadBar::Drop => {
            dropped.push(fault);
            Ok(())
        }
    }
}

/// What makes a bar impossible; `None` when it may be true.
fn fault_of(row: &Row, previous: Option<i64>) -> Option<String> {
    for (column, price) in [("open", row.open), ("high", row.high), ("low", row.low), ("close", row.close)] {
        if !(price.is_finite() && price > 0.0) {
            let found = if price.is_nan() { "nothing".to_owned() } else { price.to_string() };
            return Some(format!("column `{column}`: expected a positive price, found {found}"));
        }
    }
    let body = (row.open.min(row.close), row.open.max(row.close));
    if row.high < body.1 {
        return Some(format!("column `high`: expected at least max(open, close) = {}, found {}", body.1, row.high));
    }
    if row.low > body.0 {
        return Some(format!("column `low`: expected at most min(open, close) = {}, found {}", body.0, row.low));
    }
    if row.volume < 0.0 {
        return Some(format!("column `volume`: expected 0 or more, found {}", row.volume));
    }
    match previous {
        Some(previous) if previous == row.ts => {
            Some("column `ts`: expected one bar a symbol and time, found a duplicate".to_owned())
        }
        Some(previous) if previous > row.ts => Some(format!(
            "column `ts`: expected a time after {}, found an earlier one",
            Timestamp::from_micros(previous)
        )),
        _ => None,
    }
}

fn assemble(rows: BTreeMap<String, Vec<Row>>) -> Bars {
    let sessions: Vec<i64> = rows.values().flatten().map(|row| row.ts).collect::<BTreeSet<i64>>().into_iter().collect();
    let series = rows
        .into_iter()
        .map(|(symbol, rows)| {
            // both are sorted: one walk over the calendar finds every session index
            let mut session = 0;
            let index = rows.iter().map(|row| {
                while sessions[session] < row.ts {
                    session += 1;
                }
                session as u32
            });
            Series {
                symbol,
                session: index.collect(),
                open: rows.iter().map(|row| row.open).collect(),
                high: rows.iter().map(|row| row.high).collect(),
                low: rows.iter().map(|row| row.low).collect(),
                close: rows.iter().map(|row| row.close).collect(),
                volume: rows.iter().map(|row| row.volume).collect(),
                extra: BTreeMap::new(),
            }
        })
        .collect();
    let periods_per_year = periods_per_year(&sessions);
    Bars { sessions, series, periods_per_year }
}

/// Bars a year of a calendar, counted from the data; a count near 252 or 365 is one of them (holidays, a first and a last
/// year that are not whole).
fn periods_per_year(sessions: &[i64]) -> f64 {
    /// A calendar of its own differs from both by more than this share.
    const NEAR: f64 = 0.06;
    /// Fewer sessions than this say little about a year.
    const FEW: usize = 100;
    let (Some(first), Some(last)) = (sessions.first(), sessions.last()) else { return 252.0 };
    // 1970-01-01 was a Thursday: days 2 and 3 after it are a weekend
    let weekend = |ts: &&i64| matches!(ts.div_euclid(MICROS_PER_DAY).rem_euclid(7), 2 | 3);
    if sessions.len() < FEW && is_daily(sessions) {
        return if 10 * sessions.iter().filter(weekend).count() > sessions.len() { 365.0 } else { 252.0 };
    }
    let years = (last - first) as f64 / (365.25 * MICROS_PER_DAY as f64);
    if years <= 0.0 {
        return 252.0;
    }
    let counted = (sessions.len() - 1) as f64 / years;
    [252.0, 365.0].into_iter().find(|usual: &f64| (counted / usual - 1.0).abs() < NEAR).unwrap_or(counted.round())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(on_bad_bar: OnBadBar) -> BarsRequest {
        BarsRequest { symbols: None, from: None, until: "2030-01-01".parse().unwrap(), on_bad_bar }
    }

    fn csv(rows: &[&str]) -> BTreeMap<String, Bytes> {
        let text = format!("symbol,ts,open,high,low,close,volume\n{}\n", rows.join("\n"));
        [("bars.csv".to_owned(), Bytes::from(text))].into()
    }

    const GOOD: &str = "A,2020-01-02,10,12,9,11,100";

    #[test]
    fn the_calendar_is_the_union_of_sessions() {
        let files = csv(&[GOOD, "A,2020-01-06,11,12,10,11,5", "B,2020-01-03,1,1,1,1,0"]);
        let bars = load_bars(&files, &request(OnBadBar::Error)).unwrap().bars;
        assert_eq!(bars.sessions.len(), 3);
        assert_eq!(bars.series[0].session, [0, 2]);
        assert_eq!(bars.series[1].session, [1]);
        assert_eq!(bars.periods_per_year, 252.0);
    }

    #[test]
    fn no_bar_at_or_after_the_end_of_the_window_is_read() {
        let files = csv(&[GOOD, "A,2020-01-03,11,12,10,11,5"]);
        let request = BarsRequest { until: "2020-01-03".parse().unwrap(), ..request(OnBadBar::Error) };
        assert_eq!(load_bars(&files, &request).unwrap().bars.sessions.len(), 1);
    }

    #[test]
    fn a_bar_that_has_not_closed_at_the_end_of_the_window_is_not_read() {
        let files = csv(&[GOOD, "A,2020-01-03,11,12,10,11,5"]);
        let request = BarsRequest { until: "2020-01-03T12:00:00Z".parse().unwrap(), ..request(OnBadBar::Error) };
        assert_eq!(load_bars(&files, &request).unwrap().bars.sessions.len(), 1);
    }

    #[test]
    fn a_year_is_counted_and_one_stray_weekend_bar_does_not_change_it() {
        let day = |n: i64| n * MICROS_PER_DAY;
        let weekdays: Vec<i64> = (0..2520).filter(|n| !matches!(n % 7, 2 | 3)).map(day).collect();
        assert_eq!(periods_per_year(&weekdays), 252.0);
        let mut stray = weekdays;
        stray.insert(2, day(2));
        assert_eq!(periods_per_year(&stray), 252.0);
        assert_eq!(periods_per_year(&(0..1000).map(day).collect::<Vec<_>>()), 365.0);
        assert_eq!(periods_per_year(&(0..500).map(|n| day(7 * n)).collect::<Vec<_>>()), 52.0);
    }

    #[test]
    fn an_impossible_bar_is_named_with_column_expectation_and_finding() {
        let cases = [
            ("A,2020-01-03,10,9,9,10,1", "column `high`: expected at least max(open, close) = 10, found 9"),
            ("A,2020-01-03,10,12,11,12,1", "column `low`: expected at most min(open, close) = 10, found 11"),
            ("A,2020-01-03,0,12,9,11,1", "column `open`: expected a positive price, found 0"),
            ("A,2020-01-03,10,12,9,,1", "column `close`: expected a positive price, found nothing"),
            ("A,2020-01-02,10,12,9,11,1", "column `ts`: expected one bar a symbol and time, found a duplicate"),
            ("A,2020-01-01,10,12,9,11,1", "column `ts`: expected a time after 2020-01-02, found an earlier one"),
            ("A,2020-01-03,10,12,9,11,-1", "column `volume`: expected 0 or more, found -1"),
        ];
        for (row, expected) in cases {
            let error = load_bars(&csv(&[GOOD, row]), &request(OnBadBar::Error)).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("bars.csv: A at 2020-01-0"), "{error}");
            let loaded = load_bars(&csv(&[GOOD, row]), &request(OnBadBar::Drop)).unwrap();
            assert_eq!((loaded.bars.sessions.len(), loaded.dropped.len()), (1, 1), "{row}");
        }
    }

    #[test]
    fn an_unknown_symbol_is_refused_with_those_that_exist() {
        let request = BarsRequest { symbols: Some(vec!["Z".to_owned()]), ..request(OnBadBar::Error) };
        let error = load_bars(&csv(&[GOOD]), &request).unwrap_err().to_string();
        assert_eq!(error, "no bars for Z; the files hold A");
    }
}
