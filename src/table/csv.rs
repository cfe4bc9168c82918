//! Tables as CSV, for spreadsheets: undefined numbers are empty, times in UTC.

use std::fmt::Write as _;

use super::{Table, Values};
use crate::base::Timestamp;

impl Table {
    /// Writes the table as CSV with a header line; numbers have as many digits as it takes to read them back, and times are
    /// written by `time`.
    pub fn to_csv(&self, time: impl Fn(Timestamp) -> String) -> String {
        let names: Vec<String> = self.columns().iter().map(|column| quoted(&column.name)).collect();
        let mut text = names.join(",") + "\n";
        for row in 0..self.rows() {
            for (at, column) in self.columns().iter().enumerate() {
                let comma = if at == 0 { "" } else { "," };
                let _ = write!(text, "{comma}{}", cell(&column.values, row, &time));
            }
            text.push('\n');
        }
        text
    }
}

fn cell(values: &Values, row: usize, time: impl Fn(Timestamp) -> String) -> String {
    match values {
        Values::Float(values) if values[row].is_nan() => String::new(),
        Values::Float(values) => values[row].to_string(),
        Values::Int(values) => values[row].to_string(),
        Values::Text(values) => quoted(&values[row]),
        Values::Bool(values) => values[row].to_string(),
        Values::Time(values) => time(Timestamp::from_micros(values[row])),
    }
}

/// A word as RFC 4180 has it.
fn quoted(text: &str) -> String {
    let is_plain = !text.contains([',', '"', '\n', '\r']);
    if is_plain { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_written_and_awkward_words_are_quoted() {
        let table = Table::new("t@1")
            .with("a,b", "", Values::Text(vec!["x \"y\"".to_owned(), "z".to_owned()]))
            .with("n", "", Values::Float(vec![0.1, f64::NAN]))
            .with("i", "", Values::Int(vec![1, -2]))
            .with("t", "", Values::Time(vec![0, 86_400_000_001]))
            .with("b", "", Values::Bool(vec![true, false]));
        let text = table.to_csv(|time| time.to_string());
        assert_eq!(
            text,
            "\"a,b\",n,i,t,b\n\"x \"\"y\"\"\",0.1,1,1970-01-01,true\nz,,-2,1970-01-02T00:00:00.000001Z,false\n"
        );
    }
}
