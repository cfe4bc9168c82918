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

use arrow::array::new_empty_array;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::reader::ChunkReader;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use super::parquet_io::from_array;
use super::{Table, TableError, Values};
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

/// The digest of the values of a Parquet file, read column by column and piece by piece: that of the table which
/// [`Table::from_parquet`] reads. `again` gives the file once more.
///
/// # Errors
/// The file is no Parquet, or holds types that no table of ours has.
pub fn logical_digest_of<R: ChunkReader + 'static>(
    file: R,
    again: impl Fn(&R) -> std::io::Result<R>,
) -> Result<LogicalDigest, TableError> {
    let about = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())?;
    // only what stands beside the rows
    let head = Table::head_of_parquet(about.metadata().file_metadata());
    let mut hash = Sha256::new();
    head.hash_facts(&mut hash);
    count(&mut hash, usize::try_from(about.metadata().file_metadata().num_rows()).unwrap_or_default());
    let fields = about.schema().fields();
    count(&mut hash, fields.len());
    for (index, field) in fields.iter().enumerate() {
        text(&mut hash, field.name());
        let file = again(&file).map_err(ParquetError::from)?;
        let only = ProjectionMask::roots(about.parquet_schema(), [index]);
        let pieces = ParquetRecordBatchReaderBuilder::new_with_metadata(file, about.clone()).with_projection(only);
        let mut begun = false;
        for piece in pieces.build()? {
            let piece = from_array(field.name(), piece?.column(0).as_ref())?;
            if !begun {
                hash.update(type_of(&piece));
                begun = true;
            }
            cells(&mut hash, &piece);
        }
        if !begun {
            hash.update(type_of(&from_array(field.name(), &new_empty_array(field.data_type()))?));
        }
    }
    Ok(LogicalDigest(Digest::from_bytes(hash.finalize().into())))
}

impl Table {
    fn hash_facts(&self, hash: &mut Sha256) {
        text(hash, "walkforward values 1");
        text(hash, &self.schema);
        count(hash, self.facts.len());
        for (name, fact) in &self.facts {
            text(hash, name);
            text(hash, fact);
        }
    }

    /// The digest of the table's values: equal exactly when [`Table::first_difference`] finds nothing.
    pub fn logical_digest(&self) -> LogicalDigest {
        let mut hash = Sha256::new();
        self.hash_facts(&mut hash);
        count(&mut hash, self.rows());
        count(&mut hash, self.columns().len());
        for column in self.columns() {
            text(&mut hash, &column.name);
            hash.update(type_of(&column.values));
            cells(&mut hash, &column.values);
        }
        LogicalDigest(Digest::from_bytes(hash.finalize().into()))
    }
}

const fn type_of(values: &Values) -> &'static [u8] {
    match values {
        Values::Float(_) => b"f",
        Values::Int(_) => b"i",
        Values::Text(_) => b"s",
        Values::Bool(_) => b"b",
        Values::Time(_) => b"t",
    }
}

fn cells(hash: &mut Sha256, values: &Values) {
    match values {
        Values::Float(values) => values.iter().for_each(|&value| hash.update(canonical_bits(value).to_le_bytes())),
        Values::Int(values) | Values::Time(values) => values.iter().for_each(|value| hash.update(value.to_le_bytes())),
        Values::Text(values) => values.iter().for_each(|value| text(hash, value)),
        Values::Bool(values) => values.iter().for_each(|&value| hash.update([u8::from(value)])),
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
            let bytes = table.to_parquet().unwrap();
            let piece_by_piece = logical_digest_of(bytes.clone(), |bytes| Ok(bytes.clone())).unwrap();
            prop_assert_eq!(piece_by_piece, table.logical_digest());
            prop_assert_eq!(Table::from_parquet(bytes).unwrap().logical_digest(), table.logical_digest());
        }
    }
}
