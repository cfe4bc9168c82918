//! What a drift check looks at: rows in time order, and why it may refuse them.

use serde::{Deserialize, Serialize};

use crate::base::Cancelled;

/// One window of named numeric columns.
///
/// # Shape
/// Every column is as long as `time`. Several rows may share a time stamp (a panel); they are resampled together.
///
/// # NaN
/// NaN is a missing value: it is left out of the distance and counted in the missing share.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Time of each row in microseconds, nondecreasing. May be empty under [`super::Calibration::Iid`].
    pub time: Vec<i64>,
    /// The columns.
    pub columns: Vec<Column>,
}

/// A named column of numbers or of categories.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Name by which the two windows are matched.
    pub name: String,
    /// Values in row order; NaN = missing. Of a column of categories, indices into `categories`.
    pub values: Vec<f64>,
    /// Names of the categories; none for a column of numbers. The windows are matched by name, not by index.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
}

impl Column {
    /// A column of numbers; NaN = missing.
    pub fn numbers(name: impl Into<String>, values: Vec<f64>) -> Self {
        Self { name: name.into(), values, categories: Vec::new() }
    }

    /// A column of categories; an empty word = missing.
    pub fn words<'a>(name: impl Into<String>, words: impl IntoIterator<Item = &'a str>) -> Self {
        let words: Vec<&str> = words.into_iter().collect();
        let mut categories: Vec<String> =
            words.iter().filter(|word| !word.is_empty()).map(|word| (*word).to_owned()).collect();
        categories.sort_unstable();
        categories.dedup();
        let code =
            |word: &&str| categories.binary_search_by(|own| own.as_str().cmp(word)).map_or(f64::NAN, |at| at as f64);
        let values = words.iter().map(code).collect();
        Self { name: name.into(), values, categories }
    }
}

/// One window of scored rows whose outcome is known.
///
/// # Shape
/// All vectors have one length, except that `r` may be empty when no R multiples exist.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// Time of each row in microseconds, nondecreasing.
    pub time: Vec<i64>,
    /// Outcome of each row.
    pub label: Vec<bool>,
    /// The model's probability of a positive outcome.
    pub probability: Vec<f64>,
    /// Net result of each row in R; NaN = unknown.
    pub r: Vec<f64>,
}

/// Why a drift check cannot be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DriftError {
    /// A column is absent from one window.
    #[error("expected column `{column}` in the {window} window")]
    MissingColumn {
        /// Its name.
        column: String,
        /// `reference` or `current`.
        window: &'static str,
    },
    /// The settings name a column that is not there.
    #[error("the settings name a column `{column}`, which is not there{}", meant(.near.as_deref()))]
    UnknownColumn {
        /// The name in the settings.
        column: String,
        /// The column whose name is closest.
        near: Option<String>,
    },
    /// A setting does not fit the column.
    #[error("column `{column}`: expected {expected}")]
    Unfit {
        /// Its name.
        column: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// The calibration knows one row per time stamp only.
    #[error(
        "`calibration: ar_sieve` takes one row per time stamp, found {rows} rows at {stamps} stamps: use `block_permutation`"
    )]
    Panel {
        /// Rows of both windows.
        rows: usize,
        /// Their time stamps.
        stamps: usize,
    },
    /// Two columns of a window have the same name.
    #[error("expected column names to be unique, found `{column}` twice in the {window} window")]
    DuplicateColumn {
        /// The name.
        column: String,
        /// `reference` or `current`.
        window: &'static str,
    },
    /// A vector is not as long as its window.
    #[error("expected {expected} values in `{column}` of the {window} window, found {found}")]
    Length {
        /// Which vector.
        column: String,
        /// `reference` or `current`.
        window: &'static str,
        /// Rows of the window.
        expected: usize,
        /// Number found.
        found: usize,
    },
    /// Rows are not in time order.
    #[error("expected rows of the {window} window in time order, found row {row} before its predecessor")]
    Unordered {
        /// `reference` or `current`.
        window: &'static str,
        /// First row out of order, from 0.
        row: usize,
    },
    /// A value is infinite, or a probability is not one.
    #[error("expected {expected} in `{column}` of the {window} window, found {found} in row {row}")]
    Value {
        /// Which column.
        column: String,
        /// `reference` or `current`.
        window: &'static str,
        /// Row from 0.
        row: usize,
        /// What is allowed.
        expected: &'static str,
        /// What was found.
        found: f64,
    },
    /// A setting is out of range.
    #[error("expected `{field}` {expected}, found {found}")]
    Config {
        /// Name of the setting.
        field: &'static str,
        /// What is allowed.
        expected: &'static str,
        /// What was found.
        found: f64,
    },
    /// The work was asked to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

fn meant(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!(" (did you mean `{near}`?)"))
}

impl Sample {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(self.time.len(), |column| column.values.len())
    }

    pub(super) fn check(&self, window: &'static str, ordered: bool) -> Result<(), DriftError> {
        let rows = if ordered { self.time.len() } else { self.rows() };
        for (index, column) in self.columns.iter().enumerate() {
            if self.columns[..index].iter().any(|other| other.name == column.name) {
                return Err(DriftError::DuplicateColumn { column: column.name.clone(), window });
            }
            check_length(&column.name, window, rows, column.values.len())?;
            if let Some(row) = column.values.iter().position(|x| x.is_infinite()) {
                let (column, found) = (column.name.clone(), column.values[row]);
                return Err(DriftError::Value { column, window, row, expected: "a finite or missing value", found });
            }
        }
        if ordered { check_order(&self.time, window) } else { Ok(()) }
    }
}

impl Scored {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.label.len()
    }

    pub(super) fn check(&self, window: &'static str) -> Result<(), DriftError> {
        let rows = self.rows();
        check_length("time", window, rows, self.time.len())?;
        check_length("probability", window, rows, self.probability.len())?;
        if !self.r.is_empty() {
            check_length("r", window, rows, self.r.len())?;
        }
        let impossible = |p: &f64| !(0.0..=1.0).contains(p);
        if let Some(row) = self.probability.iter().position(impossible) {
            let (column, found) = ("probability".to_owned(), self.probability[row]);
            return Err(DriftError::Value { column, window, row, expected: "a probability in [0, 1]", found });
        }
        if let Some(row) = self.r.iter().position(|r| r.is_infinite()) {
            let (column, found) = ("r".to_owned(), self.r[row]);
            return Err(DriftError::Value { column, window, row, expected: "a finite or missing value", found });
        }
        check_order(&self.time, window)
    }
}

fn check_length(column: &str, window: &'static str, expected: usize, found: usize) -> Result<(), DriftError> {
    if expected == found {
        return Ok(());
    }
    Err(DriftError::Length { column: column.to_owned(), window, expected, found })
}

fn check_order(time: &[i64], window: &'static str) -> Result<(), DriftError> {
    match time.windows(2).position(|pair| pair[1] < pair[0]) {
        Some(before) => Err(DriftError::Unordered { window, row: before + 1 }),
        None => Ok(()),
    }
}
