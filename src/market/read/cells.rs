//! Columns of a data frame to numbers and texts.

use polars::prelude::{Column, DataType, StringChunked};

use super::super::MarketError;

/// Numbers, NaN where a cell is empty, and the cells that are neither.
pub(super) struct Numbers {
    pub values: Vec<f64>,
    /// Row and text of cells that hold no number.
    pub odd: Vec<(usize, String)>,
}

/// The texts of a column of text.
pub(super) fn texts(column: &Column) -> Option<&StringChunked> {
    column.str().ok()
}

/// The cells of a column as text, whatever it holds.
pub(super) fn as_text(file: &str, column: &Column) -> Result<Column, MarketError> {
    column.cast(&DataType::String).map_err(|_| MarketError::Columns {
        file: file.to_owned(),
        problem: format!("`{}` holds {}, expected text", column.name(), column.dtype()),
    })
}

/// The cells of a column as numbers.
pub(super) fn numbers(file: &str, column: &Column, decimal_comma: bool) -> Result<Numbers, MarketError> {
    let refuse = || MarketError::Columns {
        file: file.to_owned(),
        problem: format!("`{}` holds {}, expected numbers", column.name(), column.dtype()),
    };
    let mut odd = Vec::new();
    if let Some(texts) = texts(column) {
        let mut number = |(row, text): (usize, Option<&str>)| {
            let text = text.map_or("", str::trim);
            if is_empty(text) {
                return f64::NAN;
            }
            let parsed = if decimal_comma { text.replace(',', ".").parse() } else { text.parse() };
            parsed.unwrap_or_else(|_| {
                odd.push((row, text.to_owned()));
                f64::NAN
            })
        };
        let values = texts.iter().enumerate().map(&mut number).collect();
        return Ok(Numbers { values, odd });
    }
    if column.dtype() == &DataType::Boolean || column.dtype().is_temporal() {
        return Err(refuse());
    }
    let column = column.cast(&DataType::Float64).map_err(|_| refuse())?;
    let values = column.f64().map_err(|_| refuse())?;
    Ok(Numbers { values: values.iter().map(|value| value.unwrap_or(f64::NAN)).collect(), odd })
}

/// What people write where there is no number.
fn is_empty(text: &str) -> bool {
    text.is_empty() || ["nan", "null", "na", "n/a", "none", "-"].iter().any(|word| text.eq_ignore_ascii_case(word))
}
