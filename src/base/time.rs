//! Points in time and whole days. Nothing here asks what time it is.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Microseconds in a day.
pub const MICROS_PER_DAY: i64 = 86_400_000_000;

/// A text that is no date, time or duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found `{found}`")]
pub struct TimeError {
    expected: &'static str,
    found: String,
}

/// A point in time: microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Wraps microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The same time of day, so many days earlier; saturates at the ends of time.
    #[must_use]
    pub const fn minus(self, days: Days) -> Self {
        Self(self.0.saturating_sub(days.0.saturating_mul(MICROS_PER_DAY)))
    }

    /// As RFC 3339, with its time of day even at midnight: what other tools read.
    pub fn rfc3339(self) -> String {
        let text = self.to_string();
        if text.len() == 10 { text + "T00:00:00Z" } else { text }
    }

    /// The day, as `2026-01-04`.
    pub fn date(self) -> String {
        self.to_string()[..10].to_owned()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(time) if self.0 % MICROS_PER_DAY == 0 => write!(f, "{}", time.strftime("%Y-%m-%d")),
            Ok(time) => write!(f, "{}", time.strftime("%Y-%m-%dT%H:%M:%S%.fZ")),
            // outside the calendar's range a number is the only honest text
            Err(_) => write!(f, "{} us", self.0),
        }
    }
}

impl FromStr for Timestamp {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let day = || text.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
        let parsed = if text.len() == 10 { day().map(|zoned| zoned.timestamp()) } else { text.parse().ok() };
        parsed.map(|time: jiff::Timestamp| Self(time.as_microsecond())).ok_or_else(|| TimeError {
            expected: "a date like `2026-01-04` or a time like `2026-01-04T15:30:00Z`",
            found: text.to_owned(),
        })
    }
}

/// A whole number of days, written `730d`, `52w` or `2y` (365 days a year).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Days(pub i64);

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}d", self.0)
    }
}

impl FromStr for Days {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || TimeError { expected: "a duration like `730d`, `52w` or `2y`", found: text.to_owned() };
        let unit = text.chars().last().ok_or_else(error)?;
        let scale = match unit {
            'd' => 1,
            'w' => 7,
            'y' => 365,
            _ => return Err(error()),
        };
        let count: i64 = text[..text.len() - 1].parse().map_err(|_| error())?;
        if !(0..=1_000_000).contains(&count) {
            return Err(error());
        }
        Ok(Self(count * scale))
    }
}

macro_rules! serde_as_text {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
serde_as_text!(Timestamp);
serde_as_text!(Days);

/// Dates, and times with their offset from UTC. The parser knows rarer forms too, which no editor need offer.
const TIME_PATTERN: &str = concat!(
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "([Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?([Zz]|[+-][0-9]{2}(:?[0-9]{2})?))?$"
);
/// At most a million of any unit.
const DAYS_PATTERN: &str = "^(1000000|[0-9]{1,6})[dwy]$";

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A date or a time in UTC.",
            "type": "string",
            "pattern": TIME_PATTERN,
            "examples": ["2026-01-04", "2026-01-04T15:30:00Z"],
        })
    }
}

impl JsonSchema for Days {
    fn schema_name() -> Cow<'static, str> {
        "Days".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A whole number of days, weeks or years of 365 days.",
            "type": "string",
            "pattern": DAYS_PATTERN,
            "examples": ["730d", "52w", "2y"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_round_trip() {
        for text in ["2013-03-01", "1969-12-31", "2018-10-05T13:30:00Z", "2018-10-05T13:30:00.25Z"] {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_wrong_date_says_what_was_expected() {
        let error = "2013-02-30".parse::<Timestamp>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected a date like `2026-01-04` or a time like `2026-01-04T15:30:00Z`, found `2013-02-30`"
        );
    }

    #[test]
    fn durations_are_whole_days() {
        assert_eq!("52w".parse(), Ok(Days(364)));
        assert_eq!("2y".parse(), Ok(Days(730)));
        assert!("1h".parse::<Days>().is_err() && "-1d".parse::<Days>().is_err() && "".parse::<Days>().is_err());
        let end: Timestamp = "2013-03-03".parse().unwrap();
        assert_eq!(end.minus(Days(2)).to_string(), "2013-03-01");
    }
}
