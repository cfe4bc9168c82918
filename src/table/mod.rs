//! Tables of named, typed columns, and the Parquet bytes they become.
//!
//! **Encoding 1** (what enters the bytes): columns in order, Zstandard level 3, one row group a million rows, no Arrow
//! schema blob, `created_by` = `walkforward table 1`, and the key-value pairs `walkforward.table` (name and version) and
//! `walkforward.columns` (unit and meaning of each column). No clock, no host, no library version. The same values are
//! the same bytes.
//!
//! A table has a second digest, of its values alone ([`LogicalDigest`]): two encodings of equal values share it.
//!
//! Undefined numbers are NaN in memory and null in Parquet.

mod csv;
mod difference;
mod logical;
mod parquet_io;

use std::collections::BTreeMap;

pub use difference::Difference;
pub use logical::{LogicalDigest, logical_digest_of};
pub use parquet_io::TableWriter;

/// A table that is not what its reader needs.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The bytes are no Parquet file, or one that we do not read.
    #[error("the table is not readable as Parquet")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// Columns and rows do not fit.
    #[error("the table's columns do not fit together")]
    Arrow(#[from] arrow::error::ArrowError),
    /// A column that is needed is not there.
    #[error("column `{column}` is missing; the table has {}", known.join(", "))]
    Missing {
        /// The column.
        column: String,
        /// Those that are there.
        known: Vec<String>,
    },
    /// A column holds something else.
    #[error("column `{column}`: expected {expected}, found {found}")]
    Type {
        /// The column.
        column: String,
        /// What the reader needs.
        expected: &'static str,
        /// What it holds.
        found: String,
    },
    /// The table is another one, or of another version.
    #[error("expected a `{expected}` table, found {found}")]
    Schema {
        /// Name and version that the reader understands.
        expected: String,
        /// What the file says of itself.
        found: String,
    },
}

/// The values of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Numbers; NaN is undefined.
    Float(Vec<f64>),
    /// Whole numbers.
    Int(Vec<i64>),
    /// Words.
    Text(Vec<String>),
    /// True or false.
    Bool(Vec<bool>),
    /// Microseconds since 1970-01-01 UTC.
    Time(Vec<i64>),
}

impl Values {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Float(values) => values.len(),
            Self::Int(values) | Self::Time(values) => values.len(),
            Self::Text(values) => values.len(),
            Self::Bool(values) => values.len(),
        }
    }

    /// Says whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn type_name(&self) -> &'static str {
        match self {
            Self::Float(_) => "numbers",
            Self::Int(_) => "whole numbers",
            Self::Text(_) => "text",
            Self::Bool(_) => "true or false",
            Self::Time(_) => "times",
        }
    }

    fn select(&self, rows: &[usize]) -> Self {
        fn pick<T: Clone>(values: &[T], rows: &[usize]) -> Vec<T> {
            rows.iter().map(|&row| values[row].clone()).collect()
        }
        match self {
            Self::Float(values) => Self::Float(pick(values, rows)),
            Self::Int(values) => Self::Int(pick(values, rows)),
            Self::Text(values) => Self::Text(pick(values, rows)),
            Self::Bool(values) => Self::Bool(pick(values, rows)),
            Self::Time(values) => Self::Time(pick(values, rows)),
        }
    }
}

/// A named column with its unit and meaning.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Name.
    pub name: String,
    /// Unit and meaning, for people.
    pub doc: String,
    /// One value a row.
    pub values: Values,
}

/// Columns of equal length, the name and version of their schema, and facts about the whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Name and version of the schema, as `signals@1`.
    pub schema: String,
    /// Facts about the table as a whole.
    pub facts: BTreeMap<String, String>,
    columns: Vec<Column>,
}

impl Table {
    /// Starts an empty table.
    pub fn new(schema: &str) -> Self {
        Self { schema: schema.to_owned(), facts: BTreeMap::new(), columns: Vec::new() }
    }

    /// Adds a column.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, doc: impl Into<String>, values: Values) -> Self {
        self.columns.push(Column { name: name.into(), doc: doc.into(), values });
        self
    }

    /// The columns, in order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |column| column.values.len())
    }

    /// A new table of the given rows, in the given order.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        let columns = self.columns.iter().map(|column| Column {
            name: column.name.clone(),
            doc: column.doc.clone(),
            values: column.values.select(rows),
        });
        Self { schema: self.schema.clone(), facts: self.facts.clone(), columns: columns.collect() }
    }

    /// Refuses a table of another schema or version.
    ///
    /// # Errors
    /// [`TableError::Schema`].
    pub fn expect_schema(self, expected: &str) -> Result<Self, TableError> {
        if self.schema == expected {
            return Ok(self);
        }
        let found =
            if self.schema.is_empty() { "a table without a name".to_owned() } else { format!("`{}`", self.schema) };
        Err(TableError::Schema { expected: expected.to_owned(), found })
    }

    fn find(&self, name: &str) -> Result<&Values, TableError> {
        let found = self.columns.iter().find(|column| column.name == name).map(|column| &column.values);
        found.ok_or_else(|| TableError::Missing {
            column: name.to_owned(),
            known: self.columns.iter().map(|column| column.name.clone()).collect(),
        })
    }
}

macro_rules! typed_columns {
    ($($name:ident $variant:ident $type:ty, $expected:literal;)*) => {
        impl Table {$(
            #[doc = concat!("A column of ", $expected, ".\n\n# Errors\nIt is missing, or holds something else.")]
            pub fn $name(&self, name: &str) -> Result<&[$type], TableError> {
                match self.find(name)? {
                    Values::$variant(values) => Ok(values),
                    other => Err(TableError::Type {
                        column: name.to_owned(),
                        expected: $expected,
                        found: other.type_name().to_owned(),
                    }),
                }
            }
        )*}
    };
}

typed_columns! {
    floats Float f64, "numbers";
    ints Int i64, "whole numbers";
    texts Text String, "text";
    bools Bool bool, "true or false";
    times Time i64, "times";
}
