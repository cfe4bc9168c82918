//! Cells to points in time.

use jiff::civil::{Date, DateTime};
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use polars::prelude::{Column, DataType, TimeUnit};

use super::super::{EpochUnit, MarketError, TimeOptions};
use super::cells::texts;
use crate::base::MICROS_PER_DAY;

/// The time of a row as far as its cell says it. All in microseconds since 1970-01-01 UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::market) enum Stamp {
    /// A date: the day's start in UTC.
    Day(i64),
    /// A point in time.
    At(i64),
    /// A time that its zone's clocks showed twice: the first and the second.
    Twice(i64, i64),
    /// A time that its zone's clocks skipped.
    Skipped(String),
    /// No time.
    Missing,
    /// A text that is no time.
    Odd(String),
}

/// How cells of a file become times.
pub(super) struct Clock<'a> {
    file: &'a str,
    options: &'a TimeOptions,
    zone: Option<TimeZone>,
}

/// A time as a cell says it, before its zone is known.
enum Said {
    Day(Date),
    Local(DateTime),
    Point(i64),
}

impl<'a> Clock<'a> {
    pub(super) fn new(file: &'a str, options: &'a TimeOptions) -> Result<Self, MarketError> {
        let zone = options.time_zone().map_err(|error| MarketError::Options(format!("read.time: {error}")))?;
        Ok(Self { file, options, zone })
    }

    /// The times of a column; with a second column that says the time of day.
    pub(super) fn stamps(&self, ts: &Column, time: Option<&Column>) -> Result<Vec<Stamp>, MarketError> {
        if let Some(time) = time {
            let (days, times) = (self.words(ts)?, self.words(time)?);
            let joined = days.iter().zip(&times).map(|(day, time)| match (day, time) {
                (Some(day), Some(time)) => Some(format!("{day} {time}")),
                _ => None,
            });
            return joined.map(|text| self.of_text(text.as_deref(), ts.name())).collect();
        }
        match ts.dtype() {
            DataType::Date => {
                let days = self.integers(ts, &DataType::Int32)?;
                Ok(days
                    .into_iter()
                    .map(|day| day.map_or(Stamp::Missing, |day| Stamp::Day(day * MICROS_PER_DAY)))
                    .collect())
            }
            DataType::Datetime(unit, zone) => {
                let scale = |value: i64| match unit {
                    TimeUnit::Nanoseconds => value.div_euclid(1000),
                    TimeUnit::Microseconds => value,
                    TimeUnit::Milliseconds => value.saturating_mul(1000),
                };
                let is_local = zone.is_none();
                let values = self.integers(ts, &DataType::Int64)?;
                let stamp = |value: Option<i64>| match value.map(scale) {
                    None => Ok(Stamp::Missing),
                    Some(micros) if is_local => self.of_local_micros(micros, ts.name()),
                    Some(micros) => Ok(Stamp::At(micros)),
                };
                values.into_iter().map(stamp).collect()
            }
            DataType::String => {
                let mut last: Option<(Option<String>, Stamp)> = None;
                let words = texts(ts).ok_or_else(|| self.refuse(format!("`{}` holds no text", ts.name())))?;
                let mut stamps = Vec::with_capacity(words.len());
                for text in words.iter() {
                    // in a file in order of time, the rows of all symbols have the same text
                    let stamp = match &last {
                        Some((known, stamp)) if known.as_deref() == text => stamp.clone(),
                        _ => self.of_text(text, ts.name())?,
                    };
                    last = Some((text.map(str::to_owned), stamp.clone()));
                    stamps.push(stamp);
                }
                Ok(stamps)
            }
            kind if kind.is_primitive_numeric() && self.options.format.is_some() => {
                self.words(ts)?.iter().map(|text| self.of_text(text.as_deref(), ts.name())).collect()
            }
            kind if kind.is_primitive_numeric() => {
                let Some(unit) = self.options.unit else { return Err(self.no_unit(ts.name())) };
                let scaled = |value: f64| Stamp::At((value * micros_of(unit)).floor() as i64);
                if kind.is_integer() {
                    let values = self.integers(ts, &DataType::Int64)?;
                    return Ok(values
                        .into_iter()
                        .map(|value| value.map_or(Stamp::Missing, |v| whole(v, unit)))
                        .collect());
                }
                let column = ts.cast(&DataType::Float64).ok();
                let values = column.as_ref().and_then(|column| column.f64().ok());
                let values = values.ok_or_else(|| self.refuse(format!("`{}` holds no numbers", ts.name())))?;
                Ok(values.iter().map(|value| value.filter(|v| v.is_finite()).map_or(Stamp::Missing, scaled)).collect())
            }
            other => Err(self.refuse(format!("`{}` holds {other}, expected dates or times", ts.name()))),
        }
    }

    fn refuse(&self, problem: String) -> MarketError {
        MarketError::Times { file: self.file.to_owned(), problem }
    }

    fn no_unit(&self, column: &str) -> MarketError {
        self.refuse(format!("`{column}` holds numbers; say their unit with `read: {{time: {{unit: ms}}}}`, or how they are written with `format`"))
    }

    fn integers(&self, column: &Column, physical: &DataType) -> Result<Vec<Option<i64>>, MarketError> {
        let refuse = || self.refuse(format!("`{}` holds no times", column.name()));
        let values =
            column.to_physical_repr().cast(physical).and_then(|c| c.cast(&DataType::Int64)).map_err(|_| refuse())?;
        let values = values.i64().map_err(|_| refuse())?;
        Ok(values.iter().collect())
    }

    /// The cells as text: a time of day or a date as it is written.
    fn words(&self, column: &Column) -> Result<Vec<Option<String>>, MarketError> {
        let column =
            column.cast(&DataType::String).map_err(|_| self.refuse(format!("`{}` holds no text", column.name())))?;
        let words = texts(&column).ok_or_else(|| self.refuse(format!("`{}` holds no text", column.name())))?;
        Ok(words.iter().map(|text| text.map(str::to_owned)).collect())
    }

    fn of_text(&self, text: Option<&str>, column: &str) -> Result<Stamp, MarketError> {
        let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(Stamp::Missing) };
        let said = match (&self.options.format, self.options.unit) {
            (Some(format), _) => by_format(format, text),
            (None, Some(unit)) => text.parse().ok().map(|value| Said::Point(micros_in(whole(value, unit)))),
            (None, None) => by_rule(text),
        };
        match said {
            None => {
                // a number without a unit is a mistake of the whole column, not of one cell
                let is_number =
                    self.options.format.is_none() && text.len() > 8 && text.bytes().all(|b| b.is_ascii_digit());
                if is_number { Err(self.no_unit(column)) } else { Ok(Stamp::Odd(text.to_owned())) }
            }
            Some(Said::Day(day)) => Ok(Stamp::Day(local_micros(day.to_datetime(jiff::civil::Time::midnight())))),
            Some(Said::Point(micros)) => Ok(Stamp::At(micros)),
            Some(Said::Local(time)) => self.of_local(time, column),
        }
    }

    fn of_local_micros(&self, micros: i64, column: &str) -> Result<Stamp, MarketError> {
        match jiff::Timestamp::from_microsecond(micros) {
            Ok(time) => self.of_local(Offset::UTC.to_datetime(time), column),
            Err(_) => Ok(Stamp::Odd(format!("{micros} us"))),
        }
    }

    fn of_local(&self, time: DateTime, column: &str) -> Result<Stamp, MarketError> {
        let Some(zone) = &self.zone else {
            // daily bars are often written as midnight of no zone: a date
            if time.time() == jiff::civil::Time::midnight() {
                return Ok(Stamp::Day(local_micros(time)));
            }
            return Err(self.refuse(format!(
                "`{column}` holds times without a zone, as {time}; say which they are in with `read: {{time: {{zone: America/New_York}}}}`, or `zone: UTC`"
            )));
        };
        let micros = |offset: Offset| offset.to_timestamp(time).map(|time| time.as_microsecond());
        Ok(match zone.to_ambiguous_timestamp(time).offset() {
            AmbiguousOffset::Unambiguous { offset } => micros(offset).map_or(Stamp::Missing, Stamp::At),
            AmbiguousOffset::Gap { .. } => Stamp::Skipped(time.to_string()),
            AmbiguousOffset::Fold { before, after } => match (micros(before), micros(after)) {
                (Ok(first), Ok(second)) => Stamp::Twice(first, second),
                _ => Stamp::Missing,
            },
        })
    }
}

fn local_micros(time: DateTime) -> i64 {
    Offset::UTC.to_timestamp(time).map_or(0, |time| time.as_microsecond())
}

fn micros_of(unit: EpochUnit) -> f64 {
    match unit {
        EpochUnit::S => 1e6,
        EpochUnit::Ms => 1e3,
        EpochUnit::Us => 1.0,
        EpochUnit::Ns => 1e-3,
    }
}

fn whole(value: i64, unit: EpochUnit) -> Stamp {
    Stamp::At(match unit {
        EpochUnit::S => value.saturating_mul(1_000_000),
        EpochUnit::Ms => value.saturating_mul(1000),
        EpochUnit::Us => value,
        EpochUnit::Ns => value.div_euclid(1000),
    })
}

fn micros_in(stamp: Stamp) -> i64 {
    if let Stamp::At(micros) = stamp { micros } else { 0 }
}

fn by_format(format: &str, text: &str) -> Option<Said> {
    let parsed = BrokenDownTime::parse(format, text).ok()?;
    if let Ok(instant) = parsed.to_timestamp() {
        return Some(Said::Point(instant.as_microsecond()));
    }
    match parsed.to_datetime() {
        Ok(time) if parsed.hour().is_some() => Some(Said::Local(time)),
        _ => parsed.to_date().ok().map(Said::Day),
    }
}

fn by_rule(text: &str) -> Option<Said> {
    if text.len() <= 10 {
        return text.parse().ok().map(Said::Day);
    }
    let has_zone = text.ends_with(['Z', 'z']) || text.get(10..).is_some_and(|rest| rest.contains(['+', '-']));
    if has_zone {
        let instant: jiff::Timestamp = text.parse().ok()?;
        return Some(Said::Point(instant.as_microsecond()));
    }
    text.parse().ok().map(Said::Local)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamps(texts: &[&str], options: &TimeOptions) -> Result<Vec<Stamp>, MarketError> {
        let column = Column::new("ts".into(), texts);
        Clock::new("a.csv", options).unwrap().stamps(&column, None)
    }

    fn micros(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_microsecond()
    }

    fn zone(name: &str) -> TimeOptions {
        TimeOptions { zone: Some(name.to_owned()), ..TimeOptions::default() }
    }

    #[test]
    fn a_time_says_its_zone_or_the_options_do() {
        let new_york = zone("America/New_York");
        let found = stamps(&["2020-01-02 09:30", "2020-07-01T09:30:00", "2020-07-01T09:30:00Z"], &new_york).unwrap();
        let expected = ["2020-01-02T14:30:00Z", "2020-07-01T13:30:00Z", "2020-07-01T09:30:00Z"].map(micros);
        assert_eq!(found, expected.map(Stamp::At));
        let error = stamps(&["2020-01-02 09:30:00"], &TimeOptions::default()).unwrap_err().to_string();
        assert!(error.contains("times without a zone, as 2020-01-02T09:30:00; say which"), "{error}");
    }

    #[test]
    fn a_date_is_a_day_in_any_zone_and_midnight_of_no_zone_is_one_too() {
        let day = Stamp::Day(micros("2020-01-02T00:00:00Z"));
        assert_eq!(stamps(&["2020-01-02"], &zone("Asia/Tokyo")).unwrap(), std::slice::from_ref(&day));
        assert_eq!(stamps(&["2020-01-02 00:00:00"], &TimeOptions::default()).unwrap(), [day]);
    }

    #[test]
    fn clocks_that_go_back_show_a_time_twice_and_clocks_that_go_forward_skip_one() {
        let found = stamps(&["2020-11-01 01:30:00", "2020-03-08 02:30:00"], &zone("America/New_York")).unwrap();
        let (first, second) = (micros("2020-11-01T05:30:00Z"), micros("2020-11-01T06:30:00Z"));
        assert_eq!(found, [Stamp::Twice(first, second), Stamp::Skipped("2020-03-08T02:30:00".to_owned())]);
    }

    #[test]
    fn a_format_reads_other_ways_of_writing() {
        let format = |text: &str| TimeOptions { format: Some(text.to_owned()), ..zone("UTC") };
        let day = Stamp::Day(micros("2020-01-31T00:00:00Z"));
        assert_eq!(stamps(&["01/31/2020"], &format("%m/%d/%Y")).unwrap(), std::slice::from_ref(&day));
        assert_eq!(stamps(&["20200131"], &format("%Y%m%d")).unwrap(), [day]);
        let time = Stamp::At(micros("2020-01-31T15:04:00Z"));
        assert_eq!(stamps(&["31.01.2020 15:04"], &format("%d.%m.%Y %H:%M")).unwrap(), [time]);
        assert_eq!(stamps(&["2020-01-31"], &format("%m/%d/%Y")).unwrap(), [Stamp::Odd("2020-01-31".to_owned())]);
    }

    #[test]
    fn numbers_need_a_unit() {
        let time = Stamp::At(micros("2020-01-02T14:30:00Z"));
        for (unit, number) in [(EpochUnit::S, "1577975400"), (EpochUnit::Ms, "1577975400000")] {
            let options = TimeOptions { unit: Some(unit), ..TimeOptions::default() };
            assert_eq!(stamps(&[number], &options).unwrap(), std::slice::from_ref(&time));
        }
        let error = stamps(&["1577975400"], &TimeOptions::default()).unwrap_err().to_string();
        assert!(error.contains("say their unit"), "{error}");
    }
}
