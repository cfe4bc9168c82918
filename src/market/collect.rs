//! Rows of files to rows of symbols.

use std::collections::{BTreeMap, BTreeSet};

use super::MarketError;
use super::judge::{Judge, Rules, Seen, Settled};
use super::read::RawRow;
use super::rows::Rows;

/// Collects the bars of the symbols that are asked for.
#[derive(Debug)]
pub(super) struct Collector {
    pub judge: Judge,
    pub series: BTreeMap<String, Rows>,
    /// Symbols that occur, asked for or not.
    pub known: BTreeSet<String>,
    further: usize,
    /// Symbols whose rows are out of order, with the times of all their rows.
    unsorted: BTreeMap<String, BTreeSet<i64>>,
}

impl Collector {
    pub(super) fn new(rules: Rules, further: usize) -> Self {
        let judge = Judge { rules, ..Judge::default() };
        Self { judge, series: BTreeMap::new(), known: BTreeSet::new(), further, unsorted: BTreeMap::new() }
    }

    /// Takes the next row.
    pub(super) fn take(&mut self, row: &RawRow<'_>) -> Result<(), MarketError> {
        let wanted = match row.symbol {
            None => !self.judge.rules.only_named,
            Some(symbol) => {
                if !self.known.contains(symbol) {
                    self.known.insert(symbol.to_owned());
                }
                self.judge.rules.symbols.as_ref().is_none_or(|wanted| wanted.contains(symbol))
            }
        };
        if !wanted {
            return Ok(());
        }
        let series = row.symbol.and_then(|symbol| self.series.get(symbol));
        let previous = series.and_then(|rows| rows.ts.last().copied());
        let in_order = Seen::InOrder(series.map_or(&[], |rows| rows.ts.as_slice()));
        let seen = row.symbol.and_then(|symbol| self.unsorted.get(symbol)).map_or(in_order, Seen::Any);
        let Settled::Bar { ts, values } = self.judge.settle(row, previous, seen)? else { return Ok(()) };
        let Some(symbol) = row.symbol else { return Ok(()) };
        if previous.is_some_and(|previous| previous > ts) && !self.unsorted.contains_key(symbol) {
            let seen = self.series.get(symbol).into_iter().flat_map(|rows| rows.ts.iter().copied());
            self.unsorted.insert(symbol.to_owned(), seen.collect());
        }
        if let Some(seen) = self.unsorted.get_mut(symbol) {
            seen.insert(ts);
        }
        if let Some(rows) = self.series.get_mut(symbol) {
            rows.push(ts, values, row.further);
        } else {
            let mut rows = Rows::new(self.further);
            rows.push(ts, values, row.further);
            self.series.insert(symbol.to_owned(), rows);
        }
        Ok(())
    }

    /// Sorts what was out of order.
    pub(super) fn finish(&mut self) {
        for symbol in std::mem::take(&mut self.unsorted).into_keys() {
            let Some(rows) = self.series.get_mut(&symbol) else { continue };
            let mut order: Vec<usize> = (0..rows.len()).collect();
            order.sort_by_key(|&row| rows.ts[row]);
            rows.select(&order);
        }
        self.series.retain(|_, rows| rows.len() > 0);
        self.series.values_mut().for_each(Rows::shrink);
    }
}
