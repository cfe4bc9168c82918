//! Indicators computed once and shared by all trials.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::Channel;
use crate::expression::ColumnCache;
use crate::indicator;
use crate::market::Series;

/// An indicator of the reference strategy and its window in bars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Indicator {
    /// Simple moving average of the close.
    Sma(u32),
    /// Highest close of the earlier bars.
    HighestClose(u32),
    /// Highest high of the earlier bars.
    HighestHigh(u32),
    /// Wilder's average true range.
    Atr(u32),
    /// Average traded value.
    Adv(u32),
    /// Rate of change of the close.
    Roc(u32),
}

impl Indicator {
    /// The channel of a breakout.
    pub const fn highest(channel: Channel, bars: u32) -> Self {
        match channel {
            Channel::Close => Self::HighestClose(bars),
            Channel::High => Self::HighestHigh(bars),
        }
    }

    fn compute(self, series: &Series) -> Vec<f64> {
        match self {
            Self::Sma(k) => indicator::sma(&series.close, k as usize),
            Self::HighestClose(k) => indicator::highest_before(&series.close, k as usize),
            Self::HighestHigh(k) => indicator::highest_before(&series.high, k as usize),
            Self::Atr(k) => indicator::atr(&series.high, &series.low, &series.close, k as usize),
            Self::Adv(k) => indicator::adv(&series.close, &series.volume, k as usize),
            Self::Roc(k) => indicator::roc(&series.close, k as usize),
        }
    }
}

type Slot = Arc<OnceLock<Arc<[f64]>>>;

/// Columns by (symbol index, indicator), each computed once whoever asks first.
///
/// A cache belongs to one set of bars: columns are found by symbol index, so asking with other bars gives the columns of
/// the first ones. Make a new cache for other bars, or for a shorter history of the same ones.
#[derive(Debug, Default)]
pub struct IndicatorCache {
    indicators: Mutex<BTreeMap<(u32, Indicator), Slot>>,
    columns: ColumnCache,
}

impl IndicatorCache {
    /// Makes an empty cache.
    pub fn new() -> Self {
        Self::default()
    }

    /// The column of a symbol, as long as its series.
    pub fn get(&self, symbol: u32, series: &Series, indicator: Indicator) -> Arc<[f64]> {
        let slot = {
            // a panic elsewhere leaves at worst an empty slot behind, which the next one fills
            let mut slots = self.indicators.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.entry((symbol, indicator)).or_default())
        };
        // computed outside the lock: other columns need not wait
        Arc::clone(slot.get_or_init(|| indicator.compute(series).into()))
    }

    /// Columns of expressions.
    pub const fn columns(&self) -> &ColumnCache {
        &self.columns
    }

    /// Number of indicators held.
    pub fn len(&self) -> usize {
        self.indicators.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Says whether nothing was asked for yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
