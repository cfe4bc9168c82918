//! A digest of what a table says, whatever bytes it is written in.
//!
//! **Version 1**: SHA-256 over these parts, each text and list after its length (8 bytes, little endian):
//!
//! | part | as |
//! |---|---|
//! | `walkforward values 1` | text |
//! | name and version of the schema | text |
//! | facts, by name | list of name and value, texts |
//! | number of rows | 8 bytes |
//! | columns, in order | list of name (text), type (one byte: `f`, `i`, `s`, `b`, `t`) and values |
//! | numbers | IEEE 754 double, little endian; every NaN is `7ff8000000000000`, and -0 is 0 |
//! | whole numbers; times in microseconds since 1970-01-01 UTC | 8 bytes, little endian, two's complement |
//! | text | text |
//! | true or false | one byte, 1 or 0 |
//!
//! Units and meanings of columns are no values and not part of it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use super::{Table, Values};
use crate::base::{Digest, DigestError};

/// The digest of a table's values, written `values:` and 64 hexadecimal digits: it is the name of no object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogicalDigest(Digest);

const PREFIX: &str = "values:";

impl fmt::Display for LogicalDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.0)
    }
}

impl FromStr for LogicalDigest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        text.strip_prefix(PREFIX).unwrap_or_default().parse().map(Self)
    }
}

impl Serialize for LogicalDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LogicalDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Table {
    /// The digest of the table's values: equal exactly when [`Table::first_difference`] finds nothing.
    pub fn logical_digest(&self) -> LogicalDigest {
        let mut hash = Sha256::new();
        text(&mut hash, "walkforward values 1");
        text(&mut hash, &self.schema);
        count(&mut hash, self.facts.len());
        for (name, fact) in &self.facts {
            text(&mut hash, name);
            text(&mut hash, fact);
        }
        count(&mut hash, self.rows());
        count(&mut hash, self.columns().len());
        for column in self.columns() {
            text(&mut hash, &column.name);
            values(&mut hash, &column.values);
        }
        LogicalDigest(Digest::from_bytes(hash.finalize().into()))
    }
}

fn values(hash: &mut Sha256, values: &Values) {
    match values {
        Values::Float(values) => {
            hash.update(b"f");
            values.iter().for_each(|&value| hash.update(canonical_bits(value).to_le_bytes()));
        }
        Values::Int(values) => {
            hash.update(b"i");
            values.iter().for_each(|value| hash.update(value.to_le_bytes()));
        }
        Values::Text(values) => {
            hash.update(b"s");
            values.iter().for_each(|value| text(hash, value));
        }
        Values::Bool(values) => {
            hash.update(b"b");
            values.iter().for_each(|&value| hash.update([u8::from(value)]));
        }
        Values::Time(values) => {
            hash.update(b"t");
            values.iter().for_each(|value| hash.update(value.to_le_bytes()));
        }
    }
}

/// The bits of a number: all that is undefined is one value, and so are both zeros.
fn canonical_bits(value: f64) -> u64 {
    const UNDEFINED: u64 = 0x7ff8_0000_0000_0000;
    if value.is_nan() {
        UNDEFINED
    } else if value == 0.0 {
        0
    } else {
        value.to_bits()
    }
}

fn count(hash: &mut Sha256, count: usize) {
    hash.update((count as u64).to_le_bytes());
}

fn text(hash: &mut Sha256, text: &str) {
    count(hash, text.len());
    hash.update(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table(numbers: Vec<f64>) -> Table {
        let names = (0..numbers.len()).map(|at| format!("r{at}")).collect();
        let mut table = Table::new("t@1").with("name", "", Values::Text(names)).with("x", "", Values::Float(numbers));
        table.facts.insert("a".to_owned(), "b".to_owned());
        table
    }

    #[test]
    fn the_digest_is_what_the_description_gives_when_followed_by_hand() {
        // tests/golden/attest/logical.py builds the same bytes with struct and hashlib
        let table = Table::new("signals@1")
            .with("ts", "UTC", Values::Time(vec![0, 86_400_000_000]))
            .with("symbol", "ticker", Values::Text(vec!["A".to_owned(), "Bé".to_owned()]))
            .with("r", "R multiples", Values::Float(vec![-0.0, f64::NAN]))
            .with("win", "r > 0", Values::Bool(vec![true, false]))
            .with("rank", "1 = best", Values::Int(vec![1, -2]));
        let mut table = table;
        table.facts.insert("strategy".to_owned(), "breakout".to_owned());
        let expected = include_str!("../../tests/golden/attest/logical.txt").trim();
        assert_eq!(table.logical_digest().to_string(), format!("values:{expected}"));
        assert_eq!(table.logical_digest().to_string().parse(), Ok(table.logical_digest()));
    }

    #[test]
    fn what_two_texts_are_joined_of_matters() {
        let of = |names: [&str; 2]| {
            let names = names.map(str::to_owned).to_vec();
            Table::new("t@1").with("name", "", Values::Text(names)).logical_digest()
        };
        assert_ne!(of(["ab", "c"]), of(["a", "bc"]));
    }

    fn number() -> impl Strategy<Value = f64> {
        prop_oneof![Just(f64::NAN), Just(-f64::NAN), Just(0.0), Just(-0.0), Just(1.0), -2.0..2.0]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn digests_are_equal_exactly_when_no_difference_is_found(
            a in prop::collection::vec(number(), 0..4),
            b in prop::collection::vec(number(), 0..4),
        ) {
            let (a, b) = (table(a), table(b));
            prop_assert_eq!(a.logical_digest() == b.logical_digest(), a.first_difference(&b).is_none());
        }

        #[test]
        fn writing_and_reading_keeps_the_digest(numbers in prop::collection::vec(number(), 0..5)) {
            let table = table(numbers);
            let read = Table::from_parquet(table.to_parquet().unwrap()).unwrap();
            prop_assert_eq!(read.logical_digest(), table.logical_digest());
        }
    }
}
