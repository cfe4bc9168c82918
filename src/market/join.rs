//! Tables joined to bars by the time at which their rows became known.

use std::collections::BTreeMap;

use super::dataset::Files;
use super::read::{Stamp, read_table};
use super::rows::Rows;
use super::{JoinOptions, MarketError};
use crate::base::MICROS_PER_DAY;

/// A table in order of the times at which its rows became known, by symbol; `None` for all symbols.
pub(super) struct Exogenous<'a> {
    options: &'a JoinOptions,
    rows: BTreeMap<Option<String>, Known>,
}

/// Rows about one symbol.
#[derive(Debug, Default)]
struct Known {
    /// When each may be used first.
    at: Vec<i64>,
    columns: Vec<Vec<f64>>,
}

impl<'a> Exogenous<'a> {
    /// Reads a table. Of rows that became known at one time, the last in reading order counts.
    pub(super) fn read(files: &Files, options: &'a JoinOptions) -> Result<Self, MarketError> {
        let symbol = options.symbol.as_deref();
        let table = read_table(files, &options.time, &options.available_at, symbol, &options.columns)?;
        let delay = options.delay.map_or(0, |delay| delay.micros());
        let mut order = Vec::with_capacity(table.stamps.len());
        for (row, stamp) in table.stamps.iter().enumerate() {
            let known = match stamp {
                // the time of day is not known: not before the day is over
                Stamp::Day(ts) => ts.saturating_add(MICROS_PER_DAY),
                Stamp::At(ts) | Stamp::Twice(_, ts) => *ts,
                Stamp::Missing | Stamp::Odd(_) | Stamp::Skipped(_) => {
                    let file = files.keys().next().cloned().unwrap_or_default();
                    let column = &options.available_at;
                    let problem = format!("row {}, column `{column}`: expected a time that can be", row + 1);
                    return Err(MarketError::Table { file, problem });
                }
            };
            order.push((known.saturating_add(delay), row));
        }
        order.sort_unstable();
        let mut rows: BTreeMap<Option<String>, Known> = BTreeMap::new();
        for (at, row) in order {
            let symbol = table.symbols.get(row).cloned().flatten();
            let known = rows.entry(symbol).or_default();
            known.columns.resize(options.columns.len(), Vec::new());
            known.at.push(at);
            known.columns.iter_mut().zip(&table.columns).for_each(|(mine, values)| mine.push(values[row]));
        }
        Ok(Self { options, rows })
    }

    /// The columns for the bars of a symbol: for each, the last row that was known at its close.
    pub(super) fn columns(&self, symbol: &str, bars: &Rows, step: i64) -> Vec<Vec<f64>> {
        let about = self.options.symbol.as_ref().map(|_| symbol.to_owned());
        let Some(known) = self.rows.get(&about) else {
            return vec![vec![f64::NAN; bars.len()]; self.options.columns.len()];
        };
        let max_age = self.options.max_age.map_or(i64::MAX, |age| age.micros());
        let row_of = |ts: &i64| {
            let close = ts.saturating_add(step);
            let row = known.at.partition_point(|at| *at <= close).checked_sub(1)?;
            (close - known.at[row] <= max_age).then_some(row)
        };
        let rows: Vec<Option<usize>> = bars.ts.iter().map(row_of).collect();
        let column = |values: &Vec<f64>| rows.iter().map(|row| row.map_or(f64::NAN, |row| values[row])).collect();
        known.columns.iter().map(column).collect()
    }
}
