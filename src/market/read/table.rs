//! Tables that belong to bars: events, sessions, what is joined.

use super::super::dataset::Files;
use super::super::{CsvOptions, MarketError, TimeOptions};
use super::cells::{as_text, numbers, texts};
use super::sheet::for_each_sheet;
use super::stamp::{Clock, Stamp};

/// A table of times, numbers, and, where asked for, symbols; rows in reading order.
#[derive(Debug, Default)]
pub(in crate::market) struct ReadTable {
    pub stamps: Vec<Stamp>,
    pub symbols: Vec<Option<String>>,
    pub columns: Vec<Vec<f64>>,
}

/// Reads the columns that are named: a time, numbers, and a symbol.
pub(in crate::market) fn read_table(
    files: &Files,
    time: &TimeOptions,
    stamp: &str,
    symbol: Option<&str>,
    columns: &[String],
) -> Result<ReadTable, MarketError> {
    let mut table = ReadTable { columns: vec![Vec::new(); columns.len()], ..ReadTable::default() };
    for (file, data) in files {
        let clock = Clock::new(file, time)?;
        let wanted = |name: &str| name == stamp || symbol == Some(name) || columns.iter().any(|column| column == name);
        for_each_sheet(file, data, &CsvOptions::default(), &wanted, &mut |sheet| {
            let column = |name: &str| {
                sheet.frame.column(name).map_err(|_| {
                    let found: Vec<&str> = sheet.frame.get_column_names().iter().map(|name| name.as_str()).collect();
                    let problem = format!("`{name}` is missing, the table has {}", found.join(", "));
                    MarketError::Table { file: file.clone(), problem }
                })
            };
            table.stamps.extend(clock.stamps(column(stamp)?, None)?);
            if let Some(symbol) = symbol {
                let words = as_text(file, column(symbol)?)?;
                table
                    .symbols
                    .extend(texts(&words).iter().flat_map(|texts| texts.iter()).map(|text| text.map(str::to_owned)));
            }
            for (name, values) in columns.iter().zip(&mut table.columns) {
                let read = numbers(file, column(name)?, false)?;
                if let Some((row, text)) = read.odd.first() {
                    let row = sheet.first_row + row + 1;
                    let problem = format!("row {row}, column `{name}`: expected a number, found `{text}`");
                    return Err(MarketError::Table { file: file.clone(), problem });
                }
                values.extend(read.values);
            }
            Ok(())
        })?;
    }
    Ok(table)
}
