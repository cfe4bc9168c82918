//! What is wrong with a row, and what becomes of it.

use std::collections::BTreeSet;

use super::defect::{Defect, DefectKind, DefectLog, Fault, OnBadBar};
use super::read::{RawRow, Stamp};
use super::{MarketError, OHLCV};
use crate::base::Timestamp;

/// Places of the columns in the values of a row.
const OPEN: usize = 0;
const HIGH: usize = 1;
const LOW: usize = 2;
const CLOSE: usize = 3;
const VOLUME: usize = 4;

/// What is asked of each row.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub on_bad_bar: OnBadBar,
    /// Only these symbols.
    pub symbols: Option<BTreeSet<String>>,
    pub from: i64,
    /// Exclusive.
    pub until: i64,
    /// Bars that start later than this are defects; they cannot have been seen.
    pub now: Option<i64>,
    /// All sessions, sorted; empty where any time is one.
    pub sessions: Vec<i64>,
    /// Rows without a symbol belong to another reading of the files.
    pub only_named: bool,
}

/// What became of a row.
#[derive(Debug)]
pub(super) enum Settled {
    /// It is not asked for.
    Outside,
    /// It is left out.
    Dropped,
    /// It is a bar: its time, and its values, mended where need be.
    Bar { ts: i64, values: [f64; 5] },
}

/// The times of the rows of a symbol that were kept.
#[derive(Clone, Copy, Debug)]
pub(super) enum Seen<'a> {
    /// As they came, since that was in order.
    InOrder(&'a [i64]),
    /// Of rows out of order.
    Any(&'a BTreeSet<i64>),
}

impl Seen<'_> {
    fn has(self, ts: i64) -> bool {
        match self {
            Self::InOrder(times) => times.binary_search(&ts).is_ok(),
            Self::Any(times) => times.contains(&ts),
        }
    }
}

/// Decides about rows, one after the other.
#[derive(Debug, Default)]
pub(super) struct Judge {
    pub rules: Rules,
    pub log: DefectLog,
    /// The defects of the row that was settled last.
    pub noted: Vec<DefectKind>,
}

impl Judge {
    /// Says what becomes of a row of a symbol whose row before it started at `previous`, and whose rows so far have the times
    /// `seen`.
    pub(super) fn settle(
        &mut self,
        row: &RawRow<'_>,
        previous: Option<i64>,
        seen: Seen<'_>,
    ) -> Result<Settled, MarketError> {
        self.noted.clear();
        let ts = match self.time_of(row, previous) {
            Ok(ts) => ts,
            Err(fault) => return self.refuse(row, None, fault),
        };
        let Some(_) = row.symbol else {
            let fault = Fault::new(DefectKind::Symbol, "symbol", "a symbol", "nothing");
            return self.refuse(row, Some(ts), fault);
        };
        if ts >= self.rules.until || ts < self.rules.from {
            return Ok(Settled::Outside);
        }
        let is_sound = previous.is_none_or(|previous| previous < ts)
            && row.odd.is_none()
            && is_possible(row.values)
            && self.rules.now.is_none_or(|now| ts <= now)
            && self.rules.sessions.is_empty()
            && matches!(seen, Seen::InOrder(_));
        if is_sound {
            return Ok(Settled::Bar { ts, values: row.values });
        }
        let mut faults = price_faults(row);
        faults.extend(self.time_fault(ts, previous, seen));
        self.settle_faulty(row, ts, faults)
    }

    fn settle_faulty(&mut self, row: &RawRow<'_>, ts: i64, faults: Vec<Fault>) -> Result<Settled, MarketError> {
        if faults.is_empty() {
            return Ok(Settled::Bar { ts, values: row.values });
        }
        let mended = (self.rules.on_bad_bar == OnBadBar::Repair).then(|| mend(row.values, &faults)).flatten();
        let at = Timestamp::from_micros(ts);
        for fault in &faults {
            let repaired = mended.map(|values| repair_words(fault, values));
            self.note(row, Some(at), fault.clone(), repaired)?;
        }
        match mended {
            Some(values) => {
                self.log.repaired += 1;
                Ok(Settled::Bar { ts, values })
            }
            None => {
                self.log.dropped += 1;
                Ok(Settled::Dropped)
            }
        }
    }

    fn refuse(&mut self, row: &RawRow<'_>, ts: Option<i64>, fault: Fault) -> Result<Settled, MarketError> {
        self.note(row, ts.map(Timestamp::from_micros), fault, None)?;
        self.log.dropped += 1;
        Ok(Settled::Dropped)
    }

    /// Records a defect, or refuses the file for it.
    fn note(
        &mut self,
        row: &RawRow<'_>,
        ts: Option<Timestamp>,
        fault: Fault,
        repaired: Option<String>,
    ) -> Result<(), MarketError> {
        let defect = Defect {
            kind: fault.kind,
            file: row.file.to_owned(),
            row: row.row,
            symbol: row.symbol.map(str::to_owned),
            ts,
            column: fault.column.to_owned(),
            expected: fault.expected,
            found: fault.found,
            repaired,
        };
        if self.rules.on_bad_bar == OnBadBar::Error {
            return Err(MarketError::BadBar(Box::new(defect)));
        }
        self.noted.push(defect.kind);
        self.log.add(defect);
        Ok(())
    }

    fn time_of(&self, row: &RawRow<'_>, previous: Option<i64>) -> Result<i64, Fault> {
        let fault = |expected: &str, found: String| Err(Fault::new(DefectKind::Time, "ts", expected, found));
        match row.stamp {
            Stamp::Day(ts) | Stamp::At(ts) => Ok(*ts),
            // in time order, the second showing of a time follows the first
            Stamp::Twice(first, second) => Ok(if previous.is_some_and(|p| p >= *first) { *second } else { *first }),
            Stamp::Skipped(time) => fault("a time that the clocks of its zone showed", time.clone()),
            Stamp::Missing => fault("a date or a time", "nothing".to_owned()),
            Stamp::Odd(text) => {
                fault("a date like 2012-01-03 or a time like 2012-01-03T15:30:00Z", format!("`{text}`"))
            }
        }
    }

    fn time_fault(&self, ts: i64, previous: Option<i64>, seen: Seen<'_>) -> Option<Fault> {
        let fault = |kind, expected: String, found: &str| Some(Fault::new(kind, "ts", expected, found));
        let at = |micros| Timestamp::from_micros(micros);
        if let Some(now) = self.rules.now.filter(|now| ts > *now) {
            return fault(DefectKind::Future, format!("a time that has come, before {}", at(now)), &at(ts).to_string());
        }
        if !self.rules.sessions.is_empty() && self.rules.sessions.binary_search(&ts).is_err() {
            return fault(DefectKind::Session, "a session of the calendar".to_owned(), "none at that time");
        }
        if previous == Some(ts) || seen.has(ts) {
            return fault(DefectKind::Duplicate, "one bar a symbol and time".to_owned(), "a duplicate");
        }
        match previous {
            Some(previous) if previous > ts => {
                fault(DefectKind::Order, format!("a time after {}", at(previous)), "an earlier one")
            }
            _ => None,
        }
    }
}

fn is_possible([open, high, low, close, volume]: [f64; 5]) -> bool {
    let (least, most) = (open.min(close), open.max(close));
    // NaN compares as false
    least > 0.0
        && low > 0.0
        && low <= least
        && high >= most
        && high < f64::INFINITY
        && (volume >= 0.0 && volume.is_finite() || volume.is_nan())
        && !open.is_nan()
        && !close.is_nan()
}

/// Everything that is wrong with the numbers of a row.
fn price_faults(row: &RawRow<'_>) -> Vec<Fault> {
    let mut faults: Vec<Fault> = row.odd.iter().cloned().collect();
    let is_odd = |column: &str| row.odd.as_ref().is_some_and(|fault| fault.column == column);
    let values = row.values;
    let positive = |value: f64| value > 0.0 && value.is_finite();
    for (column, value) in OHLCV.into_iter().zip(values).take(4) {
        if !positive(value) && !is_odd(column) {
            faults.push(match value.is_nan() {
                true => Fault::new(DefectKind::MissingPrice, column, "a positive price", "nothing"),
                false => Fault::new(DefectKind::Price, column, "a positive price", value.to_string()),
            });
        }
    }
    let [open, high, low, close, volume] = values;
    if positive(open) && positive(close) {
        let (least, most) = (open.min(close), open.max(close));
        if positive(high) && high < most {
            let expected = format!("at least max(open, close) = {most}");
            faults.push(Fault::new(DefectKind::High, "high", expected, high.to_string()));
        }
        if positive(low) && low > least {
            let expected = format!("at most min(open, close) = {least}");
            faults.push(Fault::new(DefectKind::Low, "low", expected, low.to_string()));
        }
    }
    if !is_odd("volume") && (volume < 0.0 || volume.is_infinite()) {
        faults.push(Fault::new(DefectKind::Volume, "volume", "0 or more", volume.to_string()));
    }
    faults
}

/// The values of a bar whose faults can be mended; `None` where one cannot.
fn mend(mut values: [f64; 5], faults: &[Fault]) -> Option<[f64; 5]> {
    let lost = |fault: &Fault| match fault.kind {
        DefectKind::MissingPrice | DefectKind::Price => matches!(fault.column, "open" | "close"),
        DefectKind::High | DefectKind::Low | DefectKind::Volume | DefectKind::Order => false,
        _ => true,
    };
    if faults.iter().any(lost) {
        return None;
    }
    for fault in faults {
        match fault.column {
            "high" => values[HIGH] = values[OPEN].max(values[CLOSE]),
            "low" => values[LOW] = values[OPEN].min(values[CLOSE]),
            "volume" => values[VOLUME] = f64::NAN,
            _ => {}
        }
    }
    Some(values)
}

fn repair_words(fault: &Fault, values: [f64; 5]) -> String {
    match fault.column {
        "high" => format!("high = max(open, close) = {}", values[HIGH]),
        "low" => format!("low = min(open, close) = {}", values[LOW]),
        "volume" => "volume unknown".to_owned(),
        _ => "put where its time belongs".to_owned(),
    }
}
