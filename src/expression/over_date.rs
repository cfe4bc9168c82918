//! Functions over the symbols of one date.

use std::sync::Arc;

use rayon::prelude::*;

use super::cache::Column;
use super::kernel::known;
use crate::market::Bars;

/// Dates that one task takes.
const CHUNK: usize = 256;

/// Applies `function` to the known values of each date, in the order of symbols; an unknown value stays unknown and is not looked at.
pub(super) fn each(bars: &Bars, inputs: &[Column], function: impl Fn(&[f64]) -> Vec<f64> + Sync) -> Vec<Column> {
    let chunks: Vec<Vec<Vec<f64>>> = (0..bars.sessions.len().div_ceil(CHUNK))
        .into_par_iter()
        .map(|chunk| of_dates(bars, inputs, chunk * CHUNK, &function))
        .collect();
    let mut columns: Vec<Vec<f64>> = inputs.iter().map(|input| Vec::with_capacity(input.len())).collect();
    for chunk in chunks {
        columns.iter_mut().zip(chunk).for_each(|(column, part)| column.extend(part));
    }
    columns.into_iter().map(Arc::new).collect()
}

/// The results of one chunk of dates, symbol by symbol.
fn of_dates(bars: &Bars, inputs: &[Column], first: usize, function: &impl Fn(&[f64]) -> Vec<f64>) -> Vec<Vec<f64>> {
    let end = (first + CHUNK).min(bars.sessions.len());
    let mut next: Vec<usize> = bars
        .series
        .iter()
        .map(|series| series.session.partition_point(|&session| (session as usize) < first))
        .collect();
    let mut results: Vec<Vec<f64>> = vec![Vec::new(); inputs.len()];
    let (mut present, mut values) = (Vec::new(), Vec::new());
    for session in first..end {
        present.clear();
        values.clear();
        for (symbol, series) in bars.series.iter().enumerate() {
            let row = next[symbol];
            if series.session.get(row).is_some_and(|&at| at as usize == session) {
                next[symbol] += 1;
                let value = inputs[symbol][row];
                results[symbol].push(f64::NAN);
                if !value.is_nan() {
                    present.push(symbol);
                    values.push(value);
                }
            }
        }
        if values.is_empty() {
            continue;
        }
        for (&symbol, value) in present.iter().zip(function(&values)) {
            if let Some(last) = results[symbol].last_mut() {
                *last = known(value);
            }
        }
    }
    results
}
