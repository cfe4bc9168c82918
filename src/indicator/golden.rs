//! Reads the reference tables of the tests.

use arrow::array::{Array, Float64Array, Int64Array, LargeStringArray, StringArray, TimestampMicrosecondArray};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::collections::BTreeMap;

/// A Parquet file as columns; a null is NaN.
pub(crate) struct Table {
    pub symbols: Vec<String>,
    pub sessions: Vec<i64>,
    pub columns: BTreeMap<String, Vec<f64>>,
}

pub(crate) fn read(path: &str) -> Table {
    let path = format!("{}/tests/golden/{path}", env!("CARGO_MANIFEST_DIR"));
    let file = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut table = Table { symbols: Vec::new(), sessions: Vec::new(), columns: BTreeMap::new() };
    for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
        let batch = batch.unwrap();
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            let any = column.as_any();
            if let Some(text) = any.downcast_ref::<StringArray>() {
                table.symbols.extend(text.iter().map(|s| s.unwrap().to_owned()));
            } else if let Some(text) = any.downcast_ref::<LargeStringArray>() {
                table.symbols.extend(text.iter().map(|s| s.unwrap().to_owned()));
            } else if let Some(time) = any.downcast_ref::<TimestampMicrosecondArray>() {
                table.sessions.extend(time.iter().map(|t| t.unwrap()));
            } else {
                let into = table.columns.entry(field.name().clone()).or_default();
                if let Some(real) = any.downcast_ref::<Float64Array>() {
                    into.extend(real.iter().map(|x| x.unwrap_or(f64::NAN)));
                } else if let Some(whole) = any.downcast_ref::<Int64Array>() {
                    into.extend(whole.iter().map(|x| x.map_or(f64::NAN, |x| x as f64)));
                } else {
                    panic!("column `{}` has type {}", field.name(), column.data_type());
                }
            }
        }
    }
    table
}

impl Table {
    /// Row ranges of the symbols, in file order.
    pub fn blocks(&self) -> Vec<std::ops::Range<usize>> {
        let mut blocks: Vec<std::ops::Range<usize>> = Vec::new();
        for (row, symbol) in self.symbols.iter().enumerate() {
            match blocks.last_mut() {
                Some(block) if self.symbols[block.start] == *symbol => block.end = row + 1,
                _ => blocks.push(row..row + 1),
            }
        }
        blocks
    }

    pub fn slice(&self, column: &str, rows: &std::ops::Range<usize>) -> &[f64] {
        &self.columns[column][rows.clone()]
    }
}

/// Asserts equal null positions and values within `tolerance` relative to the larger of the value and `floor`.
pub(crate) fn assert_close(name: &str, found: &[f64], expected: &[f64], tolerance: f64, floor: f64) {
    assert_eq!(found.len(), expected.len(), "`{name}`: length");
    for (row, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert_eq!(found.is_nan(), expected.is_nan(), "`{name}` row {row}: {found} against {expected}");
        let error = (found - expected).abs() / expected.abs().max(floor);
        assert!(
            expected.is_nan() || error <= tolerance,
            "`{name}` row {row}: {found} against {expected}, error {error:e}"
        );
    }
}
