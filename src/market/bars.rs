//! Bars in memory: one calendar for the data set, one [`Series`] of columns for each symbol.

use std::collections::BTreeMap;

/// The bars of one symbol, in time order, as columns of equal length. Symbols need not trade in every session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// Ticker.
    pub symbol: String,
    /// For each bar, its index into [`Bars::sessions`]; strictly increasing.
    pub session: Vec<u32>,
    /// Split-adjusted open.
    pub open: Vec<f64>,
    /// Split-adjusted high.
    pub high: Vec<f64>,
    /// Split-adjusted low.
    pub low: Vec<f64>,
    /// Split-adjusted close.
    pub close: Vec<f64>,
    /// Shares (or units) traded; may be 0 or NaN.
    pub volume: Vec<f64>,
    /// Further columns by name: higher time frames, exogenous tables, and whatever else a source carries beside the bars.
    /// Each has one value a bar, known at that bar's close; NaN where nothing is known.
    pub extra: BTreeMap<String, Vec<f64>>,
}

impl Series {
    /// Number of bars.
    pub fn len(&self) -> usize {
        self.close.len()
    }

    /// Says whether there is no bar.
    pub fn is_empty(&self) -> bool {
        self.close.is_empty()
    }

    /// A column by its name: one of the bar itself, or one of [`Series::extra`].
    pub fn column(&self, name: &str) -> Option<&[f64]> {
        Some(match name {
            "open" => &self.open,
            "high" => &self.high,
            "low" => &self.low,
            "close" => &self.close,
            "volume" => &self.volume,
            other => self.extra.get(other)?,
        })
    }

    /// The row of this symbol's bar in a session, if it traded then.
    pub fn row_at(&self, session: u32) -> Option<usize> {
        self.session.binary_search(&session).ok()
    }
}

/// Validated bars of a universe.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bars {
    /// Session start times (microseconds since 1970-01-01 UTC), strictly increasing: the union over all symbols.
    pub sessions: Vec<i64>,
    /// One entry a symbol, sorted by symbol.
    pub series: Vec<Series>,
    /// Bars a year, for annualisation (252 for stocks, 365 for daily crypto, ...).
    pub periods_per_year: f64,
}

impl Bars {
    /// The bars of the first sessions, as they were known then; all of them where there are no more.
    pub fn first_sessions(&self, sessions: usize) -> Self {
        let sessions = sessions.min(self.sessions.len());
        let series = self.series.iter().map(|series| {
            let rows = series.session.partition_point(|&session| (session as usize) < sessions);
            let head = |column: &[f64]| column[..rows.min(column.len())].to_vec();
            Series {
                symbol: series.symbol.clone(),
                session: series.session[..rows].to_vec(),
                open: head(&series.open),
                high: head(&series.high),
                low: head(&series.low),
                close: head(&series.close),
                volume: head(&series.volume),
                extra: series.extra.iter().map(|(name, column)| (name.clone(), head(column))).collect(),
            }
        });
        Self {
            sessions: self.sessions[..sessions].to_vec(),
            series: series.collect(),
            periods_per_year: self.periods_per_year,
        }
    }
}
