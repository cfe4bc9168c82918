//! Market data: files to validated bars.
//!
//! A bar is right, or it is refused, left out or mended, as `on_bad_bar` says: never silently. Prices are never filled
//! forward. [`ReadOptions`] say how files become bars: names of columns, time zones, adjustment, longer bars, and tables
//! that are joined; nothing that a bar carries was known after its close.

mod adjust;
mod bars;
mod calendar;
mod collect;
mod dataset;
mod defect;
mod error;
mod higher;
mod import;
mod join;
mod judge;
mod length;
mod load;
mod options;
mod quality;
mod read;
mod rows;

pub use bars::{Bars, Series};
pub use dataset::{Dataset, FileData, Files};
pub use defect::{Defect, DefectKind, DefectLog, OnBadBar};
pub use error::MarketError;
pub use import::Imported;
pub use length::BarLength;
pub use load::{BarsRequest, Loaded, load_bars};
pub use options::{
    AdjustAsOf, AdjustOptions, CalendarOptions, ColumnNames, CsvOptions, EpochUnit, HoldoutOptions, JoinOptions,
    OptionsError, ReadOptions, TimeOptions,
};

pub use quality::{DoubtfulMove, Quality, SymbolQuality};

/// The numbers of a bar, in the order in which they are kept.
pub const OHLCV: [&str; 5] = ["open", "high", "low", "close", "volume"];
/// The column of closes before adjustment.
pub const RAW_CLOSE: &str = "raw_close";
/// The column of factors that prices were multiplied by.
pub const ADJUST_FACTOR: &str = "adjust_factor";
