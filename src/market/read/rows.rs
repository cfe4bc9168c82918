//! Sheets to rows: names of columns, symbols from columns, paths or headers.

use std::collections::BTreeMap;

use polars::prelude::{AnyValue, Column, DataFrame, DataType, Scalar};

use super::super::dataset::FileData;
use super::super::defect::{DefectKind, Fault};
use super::super::{MarketError, OHLCV, ReadOptions};
use super::cells::{Numbers, as_text, numbers, texts};
use super::sheet::{Sheet, for_each_sheet};
use super::stamp::{Clock, Stamp};
use crate::base::nearest;

/// One bar as a file has it.
pub(in crate::market) struct RawRow<'a> {
    /// The file.
    pub file: &'a str,
    /// The row: 1 is the first below the header.
    pub row: u64,
    pub symbol: Option<&'a str>,
    pub stamp: &'a Stamp,
    /// Open, high, low, close, volume; NaN where a cell is empty or no number.
    pub values: [f64; 5],
    /// A cell of those that holds a text that is no number.
    pub odd: Option<Fault>,
    /// The further columns that were asked for.
    pub further: &'a [f64],
}

/// What files often call a column.
const SYNONYMS: [(&str, &[&str]); 4] = [
    ("symbol", &["ticker", "sym", "code", "instrument"]),
    ("ts", &["date", "datetime", "timestamp", "time", "open_time"]),
    ("close", &["last", "close/last", "price"]),
    ("volume", &["vol", "vol.", "quantity"]),
];

/// Takes rows, one by one.
pub(in crate::market) type EachRow<'a> = &'a mut dyn FnMut(RawRow<'_>) -> Result<(), MarketError>;

/// Reads files by the options of their data set.
pub(in crate::market) struct Reader<'a> {
    options: &'a ReadOptions,
    /// Further columns: those that are kept, then that of adjusted closes.
    further: Vec<&'a str>,
}

/// The columns of one symbol in a sheet.
struct Block {
    prices: [Numbers; 5],
    further: Vec<Vec<f64>>,
}

impl<'a> Reader<'a> {
    pub(in crate::market) fn new(options: &'a ReadOptions) -> Self {
        let adjusted = options.adjust.as_ref().and_then(|adjust| adjust.close.as_deref());
        Self { options, further: options.keep.iter().map(String::as_str).chain(adjusted).collect() }
    }

    /// Hands every row of a file on, in the order of the file.
    pub(in crate::market) fn rows(&self, file: &str, data: &FileData, each: EachRow<'_>) -> Result<(), MarketError> {
        let partitions = partitions(file);
        let clock = Clock::new(file, &self.options.time)?;
        let wanted = |name: &str| self.wanted(name);
        for_each_sheet(file, data, &self.options.csv, &wanted, &mut |mut sheet| {
            for (key, value) in &partitions {
                if sheet.frame.column(key).is_err() {
                    let value = Scalar::new(DataType::String, AnyValue::StringOwned(value.as_str().into()));
                    let column = Column::new_scalar(key.as_str().into(), value, sheet.frame.height());
                    sheet.frame.with_column(column).map_err(|source| unreadable(file, source))?;
                }
            }
            match &self.options.wide {
                None => self.long(file, &sheet, &clock, each),
                Some(pattern) => self.wide(file, &sheet, pattern, &clock, each),
            }
        })
    }

    fn wanted(&self, name: &str) -> bool {
        let columns = &self.options.columns;
        let own = OHLCV.iter().chain(&["symbol", "ts"]).any(|column| columns.of(column) == name);
        own || columns.time.as_deref() == Some(name) || self.further.contains(&name) || self.options.wide.is_some()
    }

    fn stamps(&self, file: &str, frame: &DataFrame, clock: &Clock<'_>) -> Result<Vec<Stamp>, MarketError> {
        let ts = self.column(file, frame, "ts", self.options.columns.of("ts"))?;
        let time = self.options.columns.time.as_deref();
        clock.stamps(ts, time.map(|time| self.column(file, frame, "time", time)).transpose()?)
    }

    fn long(&self, file: &str, sheet: &Sheet, clock: &Clock<'_>, each: EachRow<'_>) -> Result<(), MarketError> {
        let frame = &sheet.frame;
        let stamps = self.stamps(file, frame, clock)?;
        let block = self.block(file, frame, |name| self.options.columns.of(name).to_owned())?;
        let symbol = match &self.options.file_name {
            Some(pattern) => Err(symbol_of_file(file, pattern)?),
            None => Ok(as_text(file, self.column(file, frame, "symbol", self.options.columns.of("symbol"))?)?),
        };
        let symbols = symbol.as_ref().ok().and_then(texts);
        let mut symbols = symbols.map(|texts| texts.iter());
        let mut odd = OddCells::new(&block);
        let mut further = vec![0.0; self.further.len()];
        for (index, stamp) in stamps.iter().enumerate() {
            let symbol = match (&mut symbols, &symbol) {
                (Some(symbols), _) => symbols.next().flatten().map(str::trim).filter(|symbol| !symbol.is_empty()),
                (None, Err(symbol)) => Some(*symbol),
                (None, Ok(_)) => None,
            };
            block.further.iter().zip(&mut further).for_each(|(column, cell)| *cell = column[index]);
            let row = (sheet.first_row + index + 1) as u64;
            let values = [0, 1, 2, 3, 4].map(|column: usize| block.prices[column].values[index]);
            each(RawRow { file, row, symbol, stamp, values, odd: odd.at(index), further: &further })?;
        }
        Ok(())
    }

    fn wide(
        &self,
        file: &str,
        sheet: &Sheet,
        pattern: &str,
        clock: &Clock<'_>,
        each: EachRow<'_>,
    ) -> Result<(), MarketError> {
        let frame = &sheet.frame;
        let stamps = self.stamps(file, frame, clock)?;
        let close = self.options.columns.of("close");
        let mut symbols: Vec<String> =
            frame.get_column_names().iter().filter_map(|name| symbol_in(name, pattern, close)).collect();
        symbols.sort();
        if symbols.is_empty() {
            return Err(self.missing(file, frame, "close", &named(pattern, "SYMBOL", close)));
        }
        let name = |symbol: &str, column: &str| named(pattern, symbol, self.options.columns.of(column));
        let blocks: Vec<Block> = symbols
            .iter()
            .map(|symbol| self.block(file, frame, |column| name(symbol, column)))
            .collect::<Result<_, _>>()?;
        let mut odd: Vec<OddCells> = blocks.iter().map(OddCells::new).collect();
        for (index, stamp) in stamps.iter().enumerate() {
            for ((symbol, block), odd) in symbols.iter().zip(&blocks).zip(&mut odd) {
                let values = [0, 1, 2, 3, 4].map(|column: usize| block.prices[column].values[index]);
                let odd = odd.at(index);
                // a symbol that did not trade has nothing in its cells
                if odd.is_none() && values.iter().all(|value| value.is_nan()) {
                    continue;
                }
                let further: Vec<f64> = block.further.iter().map(|column| column[index]).collect();
                let row = (sheet.first_row + index + 1) as u64;
                each(RawRow { file, row, symbol: Some(symbol), stamp, values, odd, further: &further })?;
            }
        }
        Ok(())
    }

    fn block(&self, file: &str, frame: &DataFrame, name: impl Fn(&str) -> String) -> Result<Block, MarketError> {
        let number = |own: &str| {
            let column = self.column(file, frame, own, &name(own))?;
            numbers(file, column, self.options.csv.decimal_comma)
        };
        let prices = [number(OHLCV[0])?, number(OHLCV[1])?, number(OHLCV[2])?, number(OHLCV[3])?, number(OHLCV[4])?];
        let mut further = Vec::with_capacity(self.further.len());
        for own in &self.further {
            let found = number(own)?;
            if let Some((row, text)) = found.odd.first() {
                let problem = format!("`{own}` holds `{text}` in row {}, expected numbers", row + 1);
                return Err(MarketError::Columns { file: file.to_owned(), problem });
            }
            further.push(found.values);
        }
        Ok(Block { prices, further })
    }

    fn column<'f>(&self, file: &str, frame: &'f DataFrame, own: &str, name: &str) -> Result<&'f Column, MarketError> {
        frame.column(name).map_err(|_| self.missing(file, frame, own, name))
    }

    fn missing(&self, file: &str, frame: &DataFrame, own: &str, name: &str) -> MarketError {
        let found: Vec<&str> = frame.get_column_names().iter().map(|name| name.as_str()).collect();
        let alike = found.iter().copied().find(|other| other.trim().eq_ignore_ascii_case(name));
        let usual = SYNONYMS.iter().filter(|(column, _)| *column == own).flat_map(|(_, names)| *names);
        let known =
            usual.copied().find_map(|known| found.iter().copied().find(|other| other.eq_ignore_ascii_case(known)));
        let alike = alike.or(known).or_else(|| nearest(name, found.iter().copied()));
        let hint = match alike {
            Some(other) if !self.further.contains(&own) && own != name => format!("; did you mean `{other}`?"),
            Some(other) if !self.further.contains(&own) => {
                format!("; if it is `{other}`, write `read: {{columns: {{{own}: \"{other}\"}}}}`")
            }
            Some(other) => format!("; did you mean `{other}`?"),
            None if own == "symbol" => {
                "; if it is in the file name, write `read: {file_name: \"{symbol}\"}`".to_owned()
            }
            None => String::new(),
        };
        let problem = format!("`{name}` is missing, the file has {}{hint}", found.join(", "));
        MarketError::Columns { file: file.to_owned(), problem }
    }
}

/// Cells that hold a text in place of a number, row by row.
struct OddCells {
    by_row: BTreeMap<usize, Fault>,
}

impl OddCells {
    fn new(block: &Block) -> Self {
        let mut by_row = BTreeMap::new();
        for (column, numbers) in OHLCV.iter().zip(&block.prices) {
            let kind = if *column == "volume" { DefectKind::Volume } else { DefectKind::MissingPrice };
            for (row, text) in &numbers.odd {
                by_row.entry(*row).or_insert_with(|| Fault::new(kind, column, "a number", format!("`{text}`")));
            }
        }
        Self { by_row }
    }

    fn at(&mut self, row: usize) -> Option<Fault> {
        if self.by_row.is_empty() { None } else { self.by_row.remove(&row) }
    }
}

fn unreadable(file: &str, source: polars::prelude::PolarsError) -> MarketError {
    MarketError::Unreadable { file: file.to_owned(), source }
}

/// The columns that stand in a path, as `symbol=AAPL/year=2020/part.parquet`.
fn partitions(file: &str) -> Vec<(String, String)> {
    let folders = file.rsplit_once('/').map_or("", |(folders, _)| folders);
    let pair = |part: &str| part.split_once('=').map(|(key, value)| (key.to_owned(), unescaped(value)));
    folders.split('/').filter_map(pair).collect()
}

/// Writers of partitions escape characters that may not stand in a path: `%2F`.
fn unescaped(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut plain, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let code = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                plain.push(byte);
                at += 3;
            }
            None => {
                plain.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(plain).unwrap_or_else(|_| text.to_owned())
}

fn symbol_of_file<'f>(file: &'f str, pattern: &str) -> Result<&'f str, MarketError> {
    let name = file.rsplit_once('/').map_or(file, |(_, name)| name);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let (before, after) = pattern.split_once("{symbol}").unwrap_or(("", ""));
    let symbol = stem.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)).filter(|found| !found.is_empty());
    symbol.ok_or_else(|| MarketError::Columns {
        file: file.to_owned(),
        problem: format!("its name does not read as `file_name: \"{pattern}\"`"),
    })
}

fn named(pattern: &str, symbol: &str, column: &str) -> String {
    pattern.replace("{symbol}", symbol).replace("{column}", column)
}

/// The symbol whose column of that name this is.
fn symbol_in(name: &str, pattern: &str, column: &str) -> Option<String> {
    let pattern = pattern.replace("{column}", column);
    let (before, after) = pattern.split_once("{symbol}")?;
    let symbol = name.strip_prefix(before)?.strip_suffix(after)?;
    (!symbol.is_empty()).then(|| symbol.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_of_a_path_are_columns() {
        let found = partitions("symbol=BRK%2FB/year=2020/part-0.parquet");
        assert_eq!(found, [("symbol".to_owned(), "BRK/B".to_owned()), ("year".to_owned(), "2020".to_owned())]);
        assert!(partitions("bars=x.csv").is_empty());
        assert_eq!(unescaped("100%é%"), "100%é%");
    }

    #[test]
    fn a_symbol_is_read_off_a_file_name_or_a_header() {
        assert_eq!(symbol_of_file("x/BRK.B_1d.csv", "{symbol}_1d").unwrap(), "BRK.B");
        assert!(symbol_of_file("AAPL.csv", "{symbol}_1d").is_err());
        assert_eq!(symbol_in("AAPL_close", "{symbol}_{column}", "close"), Some("AAPL".to_owned()));
        assert_eq!(symbol_in("close AAPL", "{column} {symbol}", "close"), Some("AAPL".to_owned()));
        assert_eq!(symbol_in("AAPL_open", "{symbol}_{column}", "close"), None);
    }
}
