//! Files to rows: a file is read piece by piece, so that memory is bounded by a piece and not by the file.

mod cells;
mod rows;
mod sheet;
mod stamp;
mod table;

pub(super) use rows::{RawRow, Reader};
pub(super) use stamp::Stamp;
pub(super) use table::read_table;
