//! How long a bar is, as people write it: `5m`, `4h`, `1d`, `1w`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::base::MICROS_PER_DAY;

const MINUTE: i64 = 60_000_000;

/// A length of time in whole minutes, hours, days or weeks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BarLength(i64);

/// The units, longest first.
const UNITS: [(&str, i64); 4] = [("w", 7 * MICROS_PER_DAY), ("d", MICROS_PER_DAY), ("h", 60 * MINUTE), ("m", MINUTE)];

impl BarLength {
    /// One day.
    pub const DAY: Self = Self(MICROS_PER_DAY);

    /// The length in microseconds.
    pub const fn micros(self) -> i64 {
        self.0
    }
}

impl fmt::Display for BarLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, micros) = UNITS.iter().find(|(_, micros)| self.0 % micros == 0).unwrap_or(&UNITS[3]);
        write!(f, "{}{unit}", self.0 / micros)
    }
}

impl FromStr for BarLength {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = UNITS.iter().find_map(|(unit, micros)| {
            let digits = text.strip_suffix(unit)?;
            let count: i64 = digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
            (1..=10_000).contains(&count).then_some(Self(count * micros))
        });
        found.ok_or_else(|| format!("expected a length like `5m`, `4h`, `1d` or `1w`, found `{text}`"))
    }
}

impl Serialize for BarLength {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BarLength {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for BarLength {
    fn schema_name() -> Cow<'static, str> {
        "BarLength".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A length of time in whole minutes, hours, days or weeks.",
            "type": "string",
            "pattern": "^0*([1-9][0-9]{0,3}|10000)[mhdw]$",
            "examples": ["5m", "4h", "1d", "1w"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_in_their_longest_unit() {
        for (text, shown) in [("5m", "5m"), ("60m", "1h"), ("24h", "1d"), ("7d", "1w"), ("36h", "36h")] {
            assert_eq!(text.parse::<BarLength>().unwrap().to_string(), shown);
        }
        for text in ["", "m", "0m", "-1d", "1y", "1.5h", "+5m", "99999m", "é"] {
            assert!(text.parse::<BarLength>().is_err(), "{text}");
        }
    }
}
