//! What makes a bar impossible, and what became of it.
//!
//! `repair` mends what the bar itself says how to mend, and drops the rest:
//!
//! | defect | repair |
//! |---|---|
//! | high below max(open, close), or no positive number | high = max(open, close) |
//! | low above min(open, close), or no positive number | low = min(open, close) |
//! | volume negative or no number | volume unknown |
//! | out of order | put where its time belongs |
//! | a time that occurred twice in its symbol | the first in reading order stays |
//! | open or close no positive number; no symbol; no time, or one that cannot be; not a session | dropped |

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::Timestamp;

/// What to do with a bar that cannot be true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnBadBar {
    /// Refuse the file, naming the bar.
    #[default]
    Error,
    /// Leave the bar out and count it.
    Drop,
    /// Mend what the bar itself says how to mend (a high below the close becomes the close, and so on), leave the others
    /// out, and count both.
    Repair,
}

/// A kind of defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DefectKind {
    /// No symbol.
    Symbol,
    /// No time, a text that is none, or one that the clocks of its zone skipped.
    Time,
    /// A time at which the calendar has no session.
    Session,
    /// A time that has not come yet.
    Future,
    /// A price that is missing, or no number.
    MissingPrice,
    /// A price of 0 or less, or infinite.
    Price,
    /// A high below open or close.
    High,
    /// A low above open or close.
    Low,
    /// A volume below 0, infinite, or a text that is no number.
    Volume,
    /// A second bar of one symbol and time.
    Duplicate,
    /// A bar earlier than the one before it.
    Order,
}

impl DefectKind {
    /// Every kind, its name and what it means.
    pub const ALL: [(Self, &'static str, &'static str); 11] = [
        (Self::Symbol, "symbol", "no symbol"),
        (Self::Time, "time", "no time, or none that can be"),
        (Self::Session, "session", "not a session of the calendar"),
        (Self::Future, "future", "a time that has not come yet"),
        (Self::MissingPrice, "missing price", "a price that is missing or no number"),
        (Self::Price, "price", "a price of 0 or less, or infinite"),
        (Self::High, "high", "high below open or close"),
        (Self::Low, "low", "low above open or close"),
        (Self::Volume, "volume", "a volume below 0 or no number"),
        (Self::Duplicate, "duplicate", "a second bar at one time"),
        (Self::Order, "order", "a bar earlier than the one before it"),
    ];

    /// Its name, for people.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|row| row.0 == self).map_or("", |row| row.1)
    }
}

/// What is wrong with one cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub kind: DefectKind,
    pub column: &'static str,
    pub expected: String,
    pub found: String,
}

impl Fault {
    pub(super) fn new(
        kind: DefectKind,
        column: &'static str,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self { kind, column, expected: expected.into(), found: found.into() }
    }
}

/// A defect of a bar, with its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Defect {
    /// What kind of defect.
    pub kind: DefectKind,
    /// The file.
    pub file: String,
    /// The row in it: 1 is the first below the header.
    pub row: u64,
    /// The symbol, where there is one.
    pub symbol: Option<String>,
    /// The time, where there is one.
    pub ts: Option<Timestamp>,
    /// The column.
    pub column: String,
    /// What was expected there.
    pub expected: String,
    /// What was found.
    pub found: String,
    /// What was put in its place; `None` where the bar was refused or left out.
    pub repaired: Option<String>,
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, row, column, expected, found, .. } = self;
        match (&self.symbol, self.ts) {
            (Some(symbol), Some(ts)) => write!(f, "{file}: {symbol} at {ts}, row {row}: ")?,
            (Some(symbol), None) => write!(f, "{file}: {symbol}, row {row}: ")?,
            (None, _) => write!(f, "{file}, row {row}: ")?,
        }
        write!(f, "column `{column}`: expected {expected}, found {found}")?;
        match &self.repaired {
            Some(repaired) => write!(f, "; {repaired}"),
            None => Ok(()),
        }
    }
}

/// Defects, counted; the first ones in detail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DefectLog {
    /// How many of each kind.
    pub counts: BTreeMap<DefectKind, u64>,
    /// Bars that were left out.
    pub dropped: u64,
    /// Bars that were mended and kept.
    pub repaired: u64,
    /// The first defects, in reading order.
    pub first: Vec<Defect>,
}

/// Further defects are only counted: a file of another kind has one in every row.
const MOST: usize = 10_000;

impl DefectLog {
    /// All defects.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// One line a bar that was left out.
    pub fn dropped_lines(&self) -> Vec<String> {
        self.lines(|defect| defect.repaired.is_none(), self.dropped)
    }

    /// One line a cell that was mended.
    pub fn repaired_lines(&self) -> Vec<String> {
        self.lines(|defect| defect.repaired.is_some(), self.repaired)
    }

    fn lines(&self, wanted: impl Fn(&Defect) -> bool, bars: u64) -> Vec<String> {
        let mut lines: Vec<String> = self.first.iter().filter(|defect| wanted(defect)).map(Defect::to_string).collect();
        if self.total() > self.first.len() as u64 {
            lines.push(format!("{bars} bars in all; the first {} defects are listed", self.first.len()));
        }
        lines
    }

    pub(super) fn join(&mut self, other: Self) {
        self.dropped += other.dropped;
        self.repaired += other.repaired;
        other.counts.into_iter().for_each(|(kind, count)| *self.counts.entry(kind).or_default() += count);
        let room = MOST.saturating_sub(self.first.len());
        self.first.extend(other.first.into_iter().take(room));
    }

    pub(super) fn add(&mut self, defect: Defect) {
        *self.counts.entry(defect.kind).or_default() += 1;
        if self.first.len() < MOST {
            self.first.push(defect);
        }
    }
}
