//! How the files of a source become bars: everything under `read:` of a source.
//!
//! What is left out keeps the meaning that it has without `read`, and is not part of the form that is stored either
//! ([`ReadOptions::said`]): a key that a later version adds changes no digest.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::BarLength;
use crate::base::Timestamp;

/// How files become bars. Nothing set: columns by their own names, one row a symbol and bar.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReadOptions {
    /// The names that columns have in the files.
    pub columns: ColumnNames,
    /// Further columns of numbers to carry along, for features and expressions.
    pub keep: Vec<String>,
    /// The file name without its suffix, where the symbol stands in it, as `{symbol}` or `{symbol}_daily`; unset: the symbol is
    /// a column.
    #[schemars(extend("pattern" = r"^[^{}]*\{symbol\}[^{}]*$"))]
    pub file_name: Option<String>,
    /// The name of a column, where a row holds all symbols, as `{symbol}_{column}`; unset: a row is one symbol's bar.
    #[schemars(extend("pattern" = r"^[^{}]*(\{symbol\}[^{}]+\{column\}|\{column\}[^{}]+\{symbol\})[^{}]*$"))]
    pub wide: Option<String>,
    /// How CSV files are written.
    pub csv: CsvOptions,
    /// How times are written.
    pub time: TimeOptions,
    /// Adjustment of raw prices for splits and dividends; unset: prices are taken as they are.
    pub adjust: Option<AdjustOptions>,
    /// The calendar; unset: the union of all sessions in the data.
    pub calendar: CalendarOptions,
    /// Builds longer bars and drops the shorter ones, as `1h`.
    pub resample: Option<BarLength>,
    /// Builds longer bars and adds the columns of the last closed one, as `close_1d`, to each bar.
    pub higher: Vec<BarLength>,
    /// Table: columns that are added to each bar as of its close, as `TABLE_column`.
    pub join: BTreeMap<String, JoinOptions>,
    /// The newest part of the data, kept back for a last judgement: nodes do not read it. Unset: there is none.
    pub holdout: Option<HoldoutOptions>,
}

/// The part of a data set that nothing is chosen on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldoutOptions {
    /// The day it begins. Bars that close later are read by `accumulate` and `evaluate` with `use: holdout`, and by no other
    /// node; each such reading is recorded.
    pub start: Timestamp,
    /// What its readings are counted under: data sets that hold the same market back share a name.
    #[serde(default = "holdout_name")]
    #[schemars(extend("pattern" = "."))]
    pub name: String,
}

fn holdout_name() -> String {
    "holdout".to_owned()
}

/// The names that columns have in the files; one that is left out has its own name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ColumnNames {
    /// The symbol.
    pub symbol: Option<String>,
    /// The start of the bar: a date, a time, or a date whose time of day is in the column `time`.
    pub ts: Option<String>,
    /// The time of day, where it is in a column of its own.
    pub time: Option<String>,
    /// The open.
    pub open: Option<String>,
    /// The high.
    pub high: Option<String>,
    /// The low.
    pub low: Option<String>,
    /// The close.
    pub close: Option<String>,
    /// The volume.
    pub volume: Option<String>,
}

impl ColumnNames {
    /// The name in the files of one of the bar's own columns.
    pub fn of<'a>(&'a self, column: &'a str) -> &'a str {
        let named = match column {
            "symbol" => &self.symbol,
            "ts" => &self.ts,
            "open" => &self.open,
            "high" => &self.high,
            "low" => &self.low,
            "close" => &self.close,
            "volume" => &self.volume,
            _ => &None,
        };
        named.as_deref().unwrap_or(column)
    }
}

/// How CSV files are written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CsvOptions {
    /// What stands between cells: one character.
    #[schemars(extend("pattern" = r"^[\t -~]$"))]
    pub delimiter: String,
    /// Whether a comma separates the whole part of a number from its fraction.
    pub decimal_comma: bool,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self { delimiter: ",".to_owned(), decimal_comma: false }
    }
}

/// How times are written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TimeOptions {
    /// Time zone of times that do not say theirs, as `America/New_York`. Dates without a time of day need none. Where bars
    /// are built into days, the zone also says where a day begins.
    pub zone: Option<String>,
    /// How times are written, as `%m/%d/%Y %H:%M`; unset: as `2012-01-03`, `2012-01-03 15:30:00` or
    /// `2012-01-03T15:30:00Z`.
    pub format: Option<String>,
    /// The unit of times that are numbers since 1970-01-01 UTC.
    pub unit: Option<EpochUnit>,
}

/// The unit of a time that is a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EpochUnit {
    /// Seconds.
    S,
    /// Milliseconds.
    Ms,
    /// Microseconds.
    Us,
    /// Nanoseconds.
    Ns,
}

/// Adjustment for splits and dividends: one of a column of adjusted closes and a table of events.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AdjustOptions {
    /// The column of adjusted closes: every price is multiplied by adjusted close / close, volume divided by it.
    pub close: Option<String>,
    /// A table `symbol, ts, split, dividend`: what happened before the open of that day.
    pub events: Option<String>,
    /// In terms of which day prices are given.
    pub as_of: AdjustAsOf,
}

/// In terms of which day adjusted prices are given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AdjustAsOf {
    /// The last bar that is read: its prices are the raw ones, and no later event is known.
    #[default]
    Window,
    /// The day the data was made: a column of adjusted closes is taken as it is, with what happened later in it.
    Data,
}

/// The calendar of a data set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CalendarOptions {
    /// A table with the column `ts`: all sessions. A bar at another time is a bad bar.
    pub sessions: Option<String>,
    /// Bars a year, for annualisation; unset: counted from the calendar.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub periods_per_year: Option<f64>,
}

/// A table that is joined to bars by the time at which its rows became known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinOptions {
    /// A file, a folder, a pattern or `s3://bucket/prefix`.
    pub path: String,
    /// The columns of numbers to add; as `TABLE_column` they are columns of the bars.
    #[schemars(length(min = 1))]
    pub columns: Vec<String>,
    /// The column that says when a row became known. A date counts as the end of that day.
    #[serde(default = "available_at")]
    pub available_at: String,
    /// The column of symbols; unset: each row is about all symbols.
    #[serde(default)]
    pub symbol: Option<String>,
    /// How long after that a row may be used first, as `15m` or `1d`.
    #[serde(default)]
    pub delay: Option<BarLength>,
    /// How old a row may be at most, as `5d`; an older one is no value. Unset: any age.
    #[serde(default)]
    pub max_age: Option<BarLength>,
    /// How times are written in the table.
    #[serde(default)]
    pub time: TimeOptions,
}

fn available_at() -> String {
    "available_at".to_owned()
}

/// What types cannot say about options: the place, dotted, and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{place}`: {problem}")]
pub struct OptionsError {
    /// Where.
    pub place: String,
    /// Expected and found.
    pub problem: String,
}

impl ReadOptions {
    /// Refuses options that contradict each other or name what does not exist.
    ///
    /// # Errors
    /// The first of them.
    pub fn check(&self) -> Result<(), OptionsError> {
        let refuse = |place: &str, problem: String| Err(OptionsError { place: place.to_owned(), problem });
        let is_plain = |byte: u8| byte == b'\t' || (b' '..=b'~').contains(&byte);
        if self.csv.delimiter.len() != 1 || !self.csv.delimiter.bytes().all(is_plain) {
            return refuse("csv.delimiter", format!("expected one character, found `{}`", self.csv.delimiter));
        }
        if self.csv.decimal_comma && self.csv.delimiter == "," {
            return refuse("csv.delimiter", "expected another character than the decimal comma".to_owned());
        }
        // no other braces, between which a misspelt part would stand
        let without = |pattern: &str, parts: &[&str]| {
            let rest = parts.iter().fold(pattern.to_owned(), |rest, part| rest.replacen(part, "", 1));
            parts.iter().all(|part| pattern.contains(part)) && !rest.contains(['{', '}'])
        };
        if let Some(pattern) = self.file_name.as_ref().filter(|pattern| !without(pattern, &["{symbol}"])) {
            return refuse("file_name", format!("expected `{{symbol}}` once, found `{pattern}`"));
        }
        if let Some(pattern) = &self.wide {
            if !without(pattern, &["{symbol}", "{column}"]) || pattern.contains("}{") {
                return refuse("wide", format!("expected text like `{{symbol}}_{{column}}`, found `{pattern}`"));
            }
            if self.file_name.is_some() {
                return refuse("file_name", "a row that holds all symbols takes none from the file name".to_owned());
            }
        }
        if let Some(adjust) = &self.adjust {
            if adjust.close.is_some() == adjust.events.is_some() {
                return refuse("adjust", "expected one of `close` and `events`".to_owned());
            }
            if adjust.events.is_some() && adjust.as_of == AdjustAsOf::Data {
                return refuse("adjust.as_of", "events are always applied as of the window".to_owned());
            }
        }
        if self.calendar.periods_per_year.is_some_and(|count| !(count > 0.0 && count.is_finite())) {
            return refuse("calendar.periods_per_year", "expected a number above 0".to_owned());
        }
        for (name, join) in &self.join {
            if join.columns.is_empty() {
                return refuse(&format!("join.{name}.columns"), "expected at least one column, found none".to_owned());
            }
            join.time.check().map_err(|error| at(&format!("join.{name}.time"), error))?;
        }
        for length in self.resample.iter().chain(&self.higher) {
            if *length > BarLength::DAY && length.micros() % BarLength::DAY.micros() != 0 {
                return refuse("resample", format!("expected a part of a day, whole days or weeks, found {length}"));
            }
        }
        if let Some(resampled) = self.resample
            && let Some(short) = self.higher.iter().find(|length| **length <= resampled)
        {
            return refuse("higher", format!("expected bars longer than `resample` = {resampled}, found {short}"));
        }
        if self.holdout.as_ref().is_some_and(|holdout| holdout.name.is_empty()) {
            return refuse("holdout.name", "expected a name, found none".to_owned());
        }
        self.time.check().map_err(|error| at("time", error))?;
        self.names_once()
    }

    /// What is said: options that have their defaults are left out.
    ///
    /// # Errors
    /// Options that are no JSON; there are none.
    pub fn said(&self) -> Result<serde_json::Value, serde_json::Error> {
        let mut said = serde_json::to_value(self)?;
        leave_out(&mut said, &serde_json::to_value(Self::default())?);
        Ok(said)
    }

    /// A column's name stands for one thing.
    fn names_once(&self) -> Result<(), OptionsError> {
        let own = super::OHLCV.iter().map(|name| (*name).to_owned());
        let mut names: Vec<String> = own.chain(self.extra_names()).collect();
        names.sort();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            None => Ok(()),
            Some(pair) => Err(OptionsError {
                place: "keep".to_owned(),
                problem: format!("two columns would have the name `{}`", pair[0]),
            }),
        }
    }

    /// The names of the columns that bars get beside their own, in order of the options.
    pub fn extra_names(&self) -> Vec<String> {
        let adjusted = self.adjust.iter().flat_map(|_| [super::RAW_CLOSE, super::ADJUST_FACTOR].map(str::to_owned));
        let higher = self.higher.iter().flat_map(|length| super::OHLCV.map(|column| format!("{column}_{length}")));
        let joined = self.join.iter().flat_map(|(name, join)| join.columns.iter().map(move |c| format!("{name}_{c}")));
        self.keep.iter().cloned().chain(adjusted).chain(higher).chain(joined).collect()
    }
}

impl TimeOptions {
    fn check(&self) -> Result<(), OptionsError> {
        self.time_zone().map(drop)?;
        if self.format.is_some() && self.unit.is_some() {
            let problem = "a number has a unit, a text has a format: expected one of them".to_owned();
            return Err(OptionsError { place: "format".to_owned(), problem });
        }
        Ok(())
    }

    /// The declared zone.
    ///
    /// # Errors
    /// There is no zone of that name.
    pub fn time_zone(&self) -> Result<Option<jiff::tz::TimeZone>, OptionsError> {
        let Some(name) = &self.zone else { return Ok(None) };
        let found = jiff::tz::TimeZone::get(name);
        found.map(Some).map_err(|_| OptionsError {
            place: "zone".to_owned(),
            problem: format!("expected a time zone like `America/New_York` or `UTC`, found `{name}`"),
        })
    }
}

fn at(place: &str, error: OptionsError) -> OptionsError {
    OptionsError { place: format!("{place}.{}", error.place), problem: error.problem }
}

/// Leaves out what is as in another value.
fn leave_out(value: &mut serde_json::Value, other: &serde_json::Value) {
    let (Some(fields), Some(others)) = (value.as_object_mut(), other.as_object()) else { return };
    fields.retain(|key, field| others.get(key) != Some(field));
    for (key, field) in fields {
        if let Some(other) = others.get(key) {
            leave_out(field, other);
        }
    }
}
