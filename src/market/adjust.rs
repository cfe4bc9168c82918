//! Raw prices to adjusted ones.
//!
//! A factor `f(t)` multiplies the prices of a bar:
//!
//! - from a column of adjusted closes, `f(t) = adjusted(t) / close(t)`, and volume is divided by it;
//! - from events, `f(t)` is the product over all events after `t` of `1/split - dividend/C`, with `C` the raw close before
//!   the event and the dividend paid on the shares after the split; volume is multiplied by the splits only.
//!
//! As of the window, the last bar that is read has the factor 1: neither a later split nor a later dividend is known.
//! Raw close and factor are kept as columns.

use std::collections::BTreeMap;

use super::dataset::Files;
use super::options::{AdjustAsOf, TimeOptions};
use super::read::{Stamp, read_table};
use super::rows::Rows;
use super::{AdjustOptions, MarketError};
use crate::base::Timestamp;

/// What happened to a share before the open of a session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Event {
    pub ts: i64,
    /// New shares for one old share.
    pub split: f64,
    /// Paid on each new share.
    pub dividend: f64,
}

/// Events by symbol, in order of time.
pub(super) type Events = BTreeMap<String, Vec<Event>>;

/// Reads a table of events; an empty cell is no split, no dividend.
pub(super) fn read_events(files: &Files, time: &TimeOptions) -> Result<Events, MarketError> {
    let table = read_table(files, time, "ts", Some("symbol"), &["split".to_owned(), "dividend".to_owned()])?;
    let mut events = Events::new();
    for (row, (stamp, symbol)) in table.stamps.iter().zip(&table.symbols).enumerate() {
        let cell = |column: usize, none: f64| {
            let value = table.columns[column][row];
            if value.is_nan() { none } else { value }
        };
        let event = match stamp {
            Stamp::Day(ts) | Stamp::At(ts) | Stamp::Twice(ts, _) => {
                Some(Event { ts: *ts, split: cell(0, 1.0), dividend: cell(1, 0.0) })
            }
            Stamp::Missing | Stamp::Odd(_) | Stamp::Skipped(_) => None,
        };
        match (event.filter(|event| event.split > 0.0 && event.dividend >= 0.0), symbol) {
            (Some(event), Some(symbol)) => events.entry(symbol.clone()).or_default().push(event),
            _ => {
                let file = files.keys().next().cloned().unwrap_or_default();
                let expected = "expected symbol, ts, a split above 0 and a dividend of 0 or more";
                return Err(MarketError::Table { file, problem: format!("row {}: {expected}", row + 1) });
            }
        }
    }
    events.values_mut().for_each(|list| list.sort_by_key(|event| event.ts));
    Ok(events)
}

/// Adjusts the rows of a symbol. The last further column is that of adjusted closes, where the options name one; it makes
/// place for raw close and factor.
pub(super) fn adjust(
    symbol: &str,
    rows: &mut Rows,
    options: &AdjustOptions,
    events: &Events,
) -> Result<(), MarketError> {
    let raw_close = rows.values[3].clone();
    let (price, volume) = if options.close.is_some() {
        let adjusted = rows.further.pop().unwrap_or_default();
        let price = from_column(symbol, rows, &adjusted, options.as_of)?;
        let volume = price.iter().map(|factor| 1.0 / factor).collect();
        (price, volume)
    } else {
        from_events(symbol, rows, events.get(symbol).map_or(&[], Vec::as_slice))?
    };
    for column in &mut rows.values[..4] {
        column.iter_mut().zip(&price).for_each(|(value, factor)| *value *= factor);
    }
    rows.values[4].iter_mut().zip(&volume).for_each(|(value, factor)| *value *= factor);
    rows.further.extend([raw_close, price]);
    Ok(())
}

fn from_column(symbol: &str, rows: &Rows, adjusted: &[f64], as_of: AdjustAsOf) -> Result<Vec<f64>, MarketError> {
    let factor = |row: usize| adjusted[row] / rows.values[3][row];
    let last = match as_of {
        AdjustAsOf::Window => rows.len().checked_sub(1).map_or(1.0, factor),
        AdjustAsOf::Data => 1.0,
    };
    let sound = |row: usize| {
        let scaled = factor(row) / last;
        if scaled > 0.0 && scaled.is_finite() {
            return Ok(scaled);
        }
        let at = Timestamp::from_micros(rows.ts[row]);
        let problem = format!("at {at}: expected a positive adjusted close, found {}", adjusted[row]);
        Err(MarketError::Table { file: symbol.to_owned(), problem })
    };
    (0..rows.len()).map(sound).collect()
}

fn from_events(symbol: &str, rows: &Rows, events: &[Event]) -> Result<(Vec<f64>, Vec<f64>), MarketError> {
    let (mut price, mut volume) = (vec![1.0; rows.len()], vec![1.0; rows.len()]);
    let (mut price_factor, mut volume_factor) = (1.0, 1.0);
    let mut to_come = events.iter().rev().peekable();
    for row in (0..rows.len()).rev() {
        while let Some(event) = to_come.next_if(|event| event.ts > rows.ts[row]) {
            // an event after the last bar that is read is not known yet
            if row + 1 == rows.len() {
                continue;
            }
            let close = rows.values[3][row];
            let factor = 1.0 / event.split - event.dividend / close;
            if factor <= 0.0 {
                let at = Timestamp::from_micros(event.ts);
                let problem = format!("at {at}: a dividend of {} after a close of {close}", event.dividend);
                return Err(MarketError::Table { file: symbol.to_owned(), problem });
            }
            price_factor *= factor;
            volume_factor *= event.split;
        }
        price[row] = price_factor;
        volume[row] = volume_factor;
    }
    Ok((price, volume))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(closes: &[f64]) -> Rows {
        let mut rows = Rows::new(0);
        for (ts, close) in (1_i64..).zip(closes) {
            rows.push(ts, [*close, *close, *close, *close, 100.0], &[]);
        }
        rows
    }

    fn events(list: &[(i64, f64, f64)]) -> Events {
        let event = |&(ts, split, dividend): &(i64, f64, f64)| Event { ts, split, dividend };
        [("A".to_owned(), list.iter().map(event).collect())].into()
    }

    #[test]
    fn a_split_divides_earlier_prices_and_multiplies_earlier_volume() {
        let mut rows = rows(&[100.0, 102.0, 51.0]);
        let options = AdjustOptions { events: Some(String::new()), ..AdjustOptions::default() };
        adjust("A", &mut rows, &options, &events(&[(3, 2.0, 0.0)])).unwrap();
        assert_eq!(rows.values[3], [50.0, 51.0, 51.0]);
        assert_eq!(rows.values[4], [200.0, 200.0, 100.0]);
        assert_eq!(rows.further, [vec![100.0, 102.0, 51.0], vec![0.5, 0.5, 1.0]]);
    }

    #[test]
    fn a_dividend_lowers_earlier_prices_by_its_share_of_the_close_before() {
        let mut rows = rows(&[100.0, 98.0]);
        let options = AdjustOptions { events: Some(String::new()), ..AdjustOptions::default() };
        adjust("A", &mut rows, &options, &events(&[(2, 1.0, 2.0)])).unwrap();
        assert_eq!((rows.values[3].clone(), rows.values[4].clone()), (vec![98.0, 98.0], vec![100.0, 100.0]));
    }

    #[test]
    fn what_happens_after_the_last_bar_is_not_known() {
        let mut rows = rows(&[100.0, 102.0]);
        let options = AdjustOptions { events: Some(String::new()), ..AdjustOptions::default() };
        adjust("A", &mut rows, &options, &events(&[(3, 2.0, 0.0)])).unwrap();
        assert_eq!(rows.values[3], [100.0, 102.0]);
    }
}
