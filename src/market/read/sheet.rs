//! One file as a sequence of data frames: pieces of a CSV file, row groups of a Parquet file.

use std::fs::File;
use std::io::{Cursor, Read};

use bytes::Bytes;
use polars::io::mmap::MmapBytesReader;
use polars::prelude::{CsvReadOptions, DataFrame, ParallelStrategy, ParquetReader, PolarsError, SerReader as _};

use super::super::dataset::FileData;
use super::super::{CsvOptions, MarketError};

/// Bytes of a CSV file that are read at once.
const PIECE: usize = 16 << 20;
/// Rows of a Parquet file that are read at once, if its row groups allow.
const ROWS: usize = 1 << 19;

/// Rows of a file, with the index of the first.
pub(super) struct Sheet {
    pub frame: DataFrame,
    pub first_row: usize,
}

/// Hands the file on, piece by piece. Of a Parquet file only the columns that are wanted are read.
pub(super) fn for_each_sheet(
    file: &str,
    data: &FileData,
    csv: &CsvOptions,
    wanted: &dyn Fn(&str) -> bool,
    each: &mut dyn FnMut(Sheet) -> Result<(), MarketError>,
) -> Result<(), MarketError> {
    let unreadable = |source: PolarsError| MarketError::Unreadable { file: file.to_owned(), source };
    let open = |path: &std::path::PathBuf| File::open(path).map_err(|error| unreadable(error.into()));
    match (file.rsplit_once('.').map_or("", |(_, suffix)| suffix), data) {
        ("parquet", FileData::Memory(bytes)) => parquet(&|| Ok(Cursor::new(bytes.clone())), &unreadable, wanted, each),
        ("parquet", FileData::Local(path)) => parquet(&|| open(path), &unreadable, wanted, each),
        ("csv", FileData::Memory(bytes)) => csv_pieces(Cursor::new(bytes.clone()), csv, &unreadable, each),
        ("csv", FileData::Local(path)) => csv_pieces(open(path)?, csv, &unreadable, each),
        _ => Err(MarketError::Format { file: file.to_owned() }),
    }
}

fn parquet<R: MmapBytesReader>(
    open: &dyn Fn() -> Result<R, MarketError>,
    unreadable: &dyn Fn(PolarsError) -> MarketError,
    wanted: &dyn Fn(&str) -> bool,
    each: &mut dyn FnMut(Sheet) -> Result<(), MarketError>,
) -> Result<(), MarketError> {
    let mut about = ParquetReader::new(open()?);
    let columns: Vec<String> = about.schema().map_err(unreadable)?.iter_names().map(ToString::to_string).collect();
    let columns: Vec<String> = columns.into_iter().filter(|name| wanted(name)).collect();
    let metadata = about.get_metadata().map_err(unreadable)?.clone();
    let (mut first_row, mut rows) = (0, 0);
    // whole row groups: a part of one costs as much to find as all of it
    for (index, group) in metadata.row_groups.iter().enumerate() {
        rows += group.num_rows();
        let is_last = index + 1 == metadata.row_groups.len();
        if rows < ROWS && !is_last {
            continue;
        }
        let mut reader = ParquetReader::new(open()?);
        reader.set_metadata(metadata.clone());
        let reader = reader
            .with_slice(Some((first_row, rows)))
            .with_columns(Some(columns.clone()))
            .read_parallel(ParallelStrategy::Columns);
        each(Sheet { frame: reader.finish().map_err(unreadable)?, first_row })?;
        first_row += rows;
        rows = 0;
    }
    if metadata.row_groups.is_empty() {
        each(Sheet { frame: ParquetReader::new(open()?).finish().map_err(unreadable)?, first_row })?;
    }
    Ok(())
}

fn csv_pieces(
    mut from: impl Read,
    options: &CsvOptions,
    unreadable: &dyn Fn(PolarsError) -> MarketError,
    each: &mut dyn FnMut(Sheet) -> Result<(), MarketError>,
) -> Result<(), MarketError> {
    let (mut header, mut text, mut first_row) = (Vec::new(), Vec::new(), 0);
    loop {
        let before = text.len();
        let taken =
            from.by_ref().take(PIECE as u64).read_to_end(&mut text).map_err(|error| unreadable(error.into()))?;
        if before == 0 && first_row == 0 && text.starts_with(b"\xef\xbb\xbf") {
            text.drain(..3);
        }
        let end = if taken == 0 { text.len() } else { last_line_end(&text) };
        if end == 0 && taken > 0 {
            continue;
        }
        let rest = text.split_off(end);
        let piece = [header.as_slice(), text.as_slice()].concat();
        if header.is_empty() {
            let line = piece.iter().position(|&byte| byte == b'\n').map_or(piece.len(), |at| at + 1);
            header = piece[..line].to_vec();
        }
        // a last piece that holds nothing but the end of the file
        if first_row == 0 || piece.len() > header.len() {
            let frame = csv_frame(piece.into(), options).map_err(unreadable)?;
            let rows = frame.height();
            each(Sheet { frame, first_row })?;
            first_row += rows;
        }
        if taken == 0 {
            return Ok(());
        }
        text = rest;
    }
}

/// The end of the last whole line: a line break inside quotes ends none.
fn last_line_end(text: &[u8]) -> usize {
    let (mut quoted, mut end) = (false, 0);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => end = at + 1,
            _ => {}
        }
    }
    end
}

fn csv_frame(text: Bytes, options: &CsvOptions) -> Result<DataFrame, PolarsError> {
    let delimiter = options.delimiter.bytes().next().unwrap_or(b',');
    CsvReadOptions::default()
        .with_has_header(true)
        // all cells as text: what a cell should be is known here, and one that is not is named
        .with_infer_schema_length(Some(0))
        .map_parse_options(|parse| parse.with_separator(delimiter))
        .into_reader_with_file_handle(Cursor::new(text))
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_break_in_quotes_ends_no_line() {
        assert_eq!(last_line_end(b"a,b\n1,\"x\ny"), 4);
        assert_eq!(last_line_end(b"a,b\n1,\"x\ny\"\n"), 12);
        assert_eq!(last_line_end(b"a,b"), 0);
    }
}
