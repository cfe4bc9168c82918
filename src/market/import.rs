//! A data set to one validated, sorted table, some symbols at a time.

use std::collections::BTreeSet;
use std::io::Write;

use serde::Serialize;

use super::load::Whole;
use super::rows::Rows;
use super::{BarsRequest, Dataset, DefectLog, MarketError, OHLCV, OnBadBar};
use crate::base::Timestamp;
use crate::table::{Table, TableWriter, Values};

/// Rows that are in memory at once, if no symbol has more.
const ROWS: u64 = 1 << 21;
/// Rows that are written at once.
const PIECE: usize = 1 << 17;

/// What was written, and what was not.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Imported {
    /// Bars that were written.
    pub bars: u64,
    /// Symbols that were written.
    pub symbols: u64,
    /// The first bar.
    pub first: Option<Timestamp>,
    /// The last bar.
    pub last: Option<Timestamp>,
    /// Bars that were left out.
    pub dropped: u64,
    /// Bars that were mended.
    pub repaired: u64,
    /// One line a bar that was left out, up to a limit.
    pub dropped_bars: Vec<String>,
    /// One line a cell that was mended, up to a limit.
    pub repaired_cells: Vec<String>,
}

impl Dataset {
    /// Writes all bars, sorted by symbol and time, as Parquet: the same bars are the same bytes.
    ///
    /// # Errors
    /// Files that cannot be read as bars, a bad bar under `error`, or no place to write to.
    pub fn import<W: Write + Send>(
        &self,
        on_bad_bar: OnBadBar,
        now: Timestamp,
        into: W,
    ) -> Result<(Imported, W), MarketError> {
        let (quality, sessions) = self.inspect(now)?;
        if let (OnBadBar::Error, Some(first)) = (on_bad_bar, quality.first_defects.first()) {
            return Err(MarketError::BadBar(Box::new(first.clone())));
        }
        let whole = Whole { sessions, step: quality.bar_micros };
        let extra = self.options.extra_names();
        let mut writer = TableWriter::new(&table("", &Rows::new(extra.len()), &extra, 0..0), into)?;
        let mut report = Imported::default();
        let rows = |symbol: &super::SymbolQuality| symbol.bars + symbol.defects.values().sum::<u64>();
        let sizes: Vec<(&str, u64)> =
            quality.symbols.iter().map(|found| (found.symbol.as_str(), rows(found))).collect();
        let mut log = DefectLog::default();
        for (index, symbols) in groups(&sizes).into_iter().enumerate() {
            // a bar that is stamped in the future is a defect, so that no end cuts any off
            let until = Timestamp::from_micros(i64::MAX);
            let request = BarsRequest { symbols: None, from: None, until, on_bad_bar };
            let mut rules = self.rules(&request)?;
            rules.symbols = Some(symbols);
            rules.now = Some(now.micros());
            rules.only_named = index > 0;
            let prepared = match self.prepare_within(&request, rules, &whole) {
                Err(MarketError::Empty(_)) => continue,
                other => other?,
            };
            for (symbol, rows) in &prepared.series {
                for start in (0..rows.len()).step_by(PIECE) {
                    let piece = start..rows.len().min(start + PIECE);
                    writer.write(&table(symbol, rows, &extra, piece))?;
                }
                report.bars += rows.len() as u64;
                report.symbols += 1;
                let (first, last) = (rows.ts.first(), rows.ts.last());
                report.first = report.first.into_iter().chain(first.map(|ts| Timestamp::from_micros(*ts))).min();
                report.last = report.last.into_iter().chain(last.map(|ts| Timestamp::from_micros(*ts))).max();
            }
            log.join(prepared.log);
        }
        report.dropped = log.dropped;
        report.repaired = log.repaired;
        report.dropped_bars = log.dropped_lines();
        report.repaired_cells = log.repaired_lines();
        if report.bars == 0 {
            return Err(MarketError::Empty("every row was left out".to_owned()));
        }
        Ok((report, writer.finish()?))
    }
}

/// Symbols that are read together.
fn groups(sizes: &[(&str, u64)]) -> Vec<BTreeSet<String>> {
    let mut groups: Vec<BTreeSet<String>> = Vec::new();
    let mut rows = u64::MAX;
    for (symbol, size) in sizes {
        if rows.saturating_add(*size) > ROWS {
            groups.push(BTreeSet::new());
            rows = 0;
        }
        rows += size;
        if let Some(group) = groups.last_mut() {
            group.insert((*symbol).to_owned());
        }
    }
    groups
}

/// Rows of a symbol as a table of bars.
fn table(symbol: &str, rows: &Rows, extra: &[String], piece: std::ops::Range<usize>) -> Table {
    let docs = ["first price", "highest price", "lowest price", "last price", "units traded"];
    let mut table = Table::new("bars@1")
        .with("symbol", "ticker", Values::Text(vec![symbol.to_owned(); piece.len()]))
        .with("ts", "start of the bar, UTC", Values::Time(rows.ts[piece.clone()].to_vec()));
    for ((name, doc), values) in OHLCV.iter().zip(docs).zip(&rows.values) {
        table = table.with(*name, doc, Values::Float(values[piece.clone()].to_vec()));
    }
    for (name, values) in extra.iter().zip(&rows.further) {
        table = table.with(name, "known at the close of the bar", Values::Float(values[piece.clone()].to_vec()));
    }
    table
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::market::FileData;

    fn dataset(text: &str) -> Dataset {
        let text = format!("symbol,ts,open,high,low,close,volume\n{text}");
        let bars = [("a.csv".to_owned(), FileData::Memory(Bytes::from(text)))].into();
        Dataset { bars, ..Dataset::default() }
    }

    fn import(text: &str, on_bad_bar: OnBadBar) -> Result<(Imported, Vec<u8>), MarketError> {
        dataset(text).import(on_bad_bar, "2021-01-01".parse().unwrap(), Vec::new())
    }

    const MIXED: &str =
        "B,2020-01-03,2,2,2,2,1\nA,2020-01-02,1,1,1,1,1\nB,2020-01-02,1,1,1,1,1\n,2020-01-02,1,1,1,1,1\n";

    #[test]
    fn what_is_imported_is_sorted_and_reads_as_itself() {
        let (report, bytes) = import(MIXED, OnBadBar::Repair).unwrap();
        assert_eq!((report.bars, report.symbols, report.repaired, report.dropped), (3, 2, 1, 1));
        let bars = [("a.parquet".to_owned(), FileData::Memory(bytes.clone().into()))].into();
        let again = Dataset { bars, ..Dataset::default() };
        let (report, second) = again.import(OnBadBar::Error, "2021-01-01".parse().unwrap(), Vec::new()).unwrap();
        assert_eq!((report.bars, report.dropped), (3, 0));
        assert_eq!(bytes, second);
    }

    #[test]
    fn one_bad_bar_refuses_all_unless_it_may_be_dropped() {
        let error = import(MIXED, OnBadBar::Error).unwrap_err().to_string();
        assert!(error.starts_with("a.csv: B at 2020-01-02, row 3: column `ts`"), "{error}");
        assert_eq!(import(MIXED, OnBadBar::Drop).unwrap().0.bars, 2);
    }

    #[test]
    fn symbols_are_read_together_up_to_a_number_of_rows() {
        let sizes = [("A", ROWS), ("B", 1), ("C", ROWS - 1), ("D", 3 * ROWS), ("E", 1)];
        let found: Vec<Vec<String>> = groups(&sizes).into_iter().map(|group| group.into_iter().collect()).collect();
        assert_eq!(found, [vec!["A"], vec!["B", "C"], vec!["D"], vec!["E"]]);
    }
}
