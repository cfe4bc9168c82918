//! What a feature kernel reads.

use crate::indicator::{BollingerBands, DirectionalSystem};
use crate::market::Series;
use std::cell::OnceCell;

/// The bars of one symbol, and columns that several features share.
pub(super) struct Inputs<'a> {
    pub open: &'a [f64],
    pub high: &'a [f64],
    pub low: &'a [f64],
    pub close: &'a [f64],
    pub volume: &'a [f64],
    session: &'a [u32],
    sessions: &'a [i64],
    log_return: OnceCell<Vec<f64>>,
    bands: OnceCell<BollingerBands>,
    directional: OnceCell<DirectionalSystem>,
}

impl<'a> Inputs<'a> {
    pub fn new(series: &'a Series, sessions: &'a [i64]) -> Self {
        let Series { open, high, low, close, volume, session, .. } = series;
        let (log_return, bands, directional) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Self { open, high, low, close, volume, session, sessions, log_return, bands, directional }
    }

    /// Log return of one bar.
    pub fn log_return(&self) -> &[f64] {
        self.log_return.get_or_init(|| crate::indicator::log_return(self.close, 1))
    }

    /// Bollinger bands of 20 bars and 2 deviations.
    pub fn bands(&self) -> &BollingerBands {
        self.bands.get_or_init(|| crate::indicator::bbands(self.close, 20, 2.0, 2.0))
    }

    /// Directional system of 14 bars.
    pub fn directional(&self) -> &DirectionalSystem {
        self.directional.get_or_init(|| crate::indicator::directional_system(self.high, self.low, self.close, 14))
    }

    /// Applies `value` to the start time of each bar's session; missing for a bar without one.
    pub fn each_session(&self, value: impl Fn(i64) -> f64) -> Vec<f64> {
        let start = |row: usize| self.session.get(row).and_then(|&session| self.sessions.get(session as usize));
        (0..self.close.len()).map(|row| start(row).map_or(f64::NAN, |&session| value(session))).collect()
    }
}
