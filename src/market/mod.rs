//! Market data: bars, their validation, calendars.
//!
//! A bar is either right or refused: `on_bad_bar` says whether an offending bar stops the read (the default) or is left
//! out. Prices are never filled forward.

mod bars;
mod load;

pub use bars::{Bars, Series};
pub use load::{BarsRequest, Loaded, MarketError, OnBadBar, load_bars};
