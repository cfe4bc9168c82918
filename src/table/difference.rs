//! Where two tables differ: in values, whatever bytes they were written in.

use std::fmt;

use super::{Table, Values};

/// The first place where two tables differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// Name or version, or facts about the whole.
    Head(String),
    /// The columns that there are.
    Columns(String),
    /// The number of rows.
    Rows(usize, usize),
    /// A value.
    Value {
        /// The column.
        column: String,
        /// The row, from 0.
        row: usize,
        /// Both values.
        values: (String, String),
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(words) | Self::Columns(words) => f.write_str(words),
            Self::Rows(before, now) => write!(f, "the number of rows: {before} -> {now}"),
            Self::Value { column, row, values } => {
                write!(f, "column `{column}`, row {row}: {} -> {}", values.0, values.1)
            }
        }
    }
}

impl Table {
    /// Where another table differs first; `None` when all values are equal. Undefined equals undefined.
    pub fn first_difference(&self, other: &Self) -> Option<Difference> {
        if self.schema != other.schema {
            return Some(Difference::Head(format!("the schema: {} -> {}", self.schema, other.schema)));
        }
        let mut facts = self.facts.keys().chain(other.facts.keys());
        if let Some(name) = facts.find(|name| self.facts.get(*name) != other.facts.get(*name)) {
            let words = |table: &Self| table.facts.get(name).map_or("none", String::as_str).to_owned();
            return Some(Difference::Head(format!("the fact `{name}`: {} -> {}", words(self), words(other))));
        }
        let names = |table: &Self| table.columns().iter().map(|column| column.name.clone()).collect::<Vec<_>>();
        if names(self) != names(other) {
            let words = format!("the columns: {} -> {}", names(self).join(", "), names(other).join(", "));
            return Some(Difference::Columns(words));
        }
        if self.rows() != other.rows() {
            return Some(Difference::Rows(self.rows(), other.rows()));
        }
        // the first row that differs in any column, as a reader of both would meet it
        let places = self.columns().iter().zip(other.columns()).filter_map(|(before, now)| {
            let row = first_row(&before.values, &now.values)?;
            Some((row, before, now))
        });
        let (row, before, now) = places.min_by_key(|(row, _, _)| *row)?;
        let values = (cell(&before.values, row), cell(&now.values, row));
        Some(Difference::Value { column: before.name.clone(), row, values })
    }
}

fn first_row(before: &Values, now: &Values) -> Option<usize> {
    fn of<T: PartialEq>(a: &[T], b: &[T]) -> Option<usize> {
        a.iter().zip(b).position(|(a, b)| a != b)
    }
    match (before, now) {
        (Values::Float(a), Values::Float(b)) => {
            a.iter().zip(b).position(|(a, b)| !(a == b || (a.is_nan() && b.is_nan())))
        }
        (Values::Int(a), Values::Int(b)) | (Values::Time(a), Values::Time(b)) => of(a, b),
        (Values::Text(a), Values::Text(b)) => of(a, b),
        (Values::Bool(a), Values::Bool(b)) => of(a, b),
        _ => Some(0),
    }
}

fn cell(values: &Values, row: usize) -> String {
    let found = match values {
        Values::Float(values) => values.get(row).map(ToString::to_string),
        Values::Int(values) | Values::Time(values) => values.get(row).map(ToString::to_string),
        Values::Text(values) => values.get(row).cloned(),
        Values::Bool(values) => values.get(row).map(ToString::to_string),
    };
    found.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(numbers: &[f64]) -> Table {
        let names = (0..numbers.len()).map(|at| format!("r{at}")).collect();
        Table::new("t@1").with("name", "", Values::Text(names)).with("x", "", Values::Float(numbers.to_vec()))
    }

    #[test]
    fn the_first_value_that_differs_is_named() {
        let before = table(&[1.0, f64::NAN, 3.0]);
        assert_eq!(before.first_difference(&before), None);
        let found = before.first_difference(&table(&[1.0, 2.0, 4.0])).unwrap().to_string();
        assert_eq!(found, "column `x`, row 1: NaN -> 2");
        assert_eq!(before.first_difference(&table(&[1.0])).unwrap(), Difference::Rows(3, 1));
    }
}
