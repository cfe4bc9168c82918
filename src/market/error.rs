//! What can be wrong with a data set.

use polars::prelude::PolarsError;

use super::Defect;

/// Bars that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MarketError {
    /// No file, or none with a bar in the window.
    #[error("no bars: {0}")]
    Empty(String),
    /// A file of another kind.
    #[error("{file}: expected a `.parquet` or `.csv` file of bars")]
    Format {
        /// The file.
        file: String,
    },
    /// A file that cannot be read.
    #[error("{file}: not readable as bars")]
    Unreadable {
        /// The file.
        file: String,
        /// Why not.
        #[source]
        source: PolarsError,
    },
    /// A column that is missing or of the wrong type.
    #[error("{file}: expected columns symbol, ts, open, high, low, close, volume; {problem}")]
    Columns {
        /// The file.
        file: String,
        /// What is wrong with them.
        problem: String,
    },
    /// A table beside the bars that is not what it should be.
    #[error("{file}: {problem}")]
    Table {
        /// The file.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Times that cannot be understood.
    #[error("{file}: {problem}")]
    Times {
        /// The file.
        file: String,
        /// What is wrong with them.
        problem: String,
    },
    /// A bar that cannot be true.
    #[error("{0}; mend the data, or set `on_bad_bar: drop` to leave such bars out")]
    BadBar(Box<Defect>),
    /// Symbols that were asked for and are in no file.
    #[error("no bars for {}; the files hold {}", missing.join(", "), known.join(", "))]
    Symbols {
        /// Asked for.
        missing: Vec<String>,
        /// There.
        known: Vec<String>,
    },
    /// Options that are stored with a data set, or contradict it.
    #[error("options of the data set: {0}")]
    Options(String),
    /// A table of bars that cannot be written.
    #[error("cannot write the bars")]
    Write(#[from] crate::table::TableError),
}
