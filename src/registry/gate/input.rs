//! What the gate looks at.

use serde::{Deserialize, Serialize};

use crate::registry::search::SearchNumbers;

/// What the gate looks at.
///
/// # Shape
/// `time`, `labels`, `candidate` and `champion` have one length and describe the same rows in time order; `r` has that
/// length or is empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GateInput {
    /// Time of each row in microseconds, nondecreasing.
    pub time: Vec<i64>,
    /// Known outcome of each row.
    pub labels: Vec<bool>,
    /// The candidate's probability of a positive outcome.
    pub candidate: Vec<f64>,
    /// The champion's probability on the same rows; `None` on a first deploy.
    pub champion: Option<Vec<f64>>,
    /// Net result of each row in R; NaN = unknown; empty when there are none.
    pub r: Vec<f64>,
    /// Numbers of the backtest with and without the candidate.
    pub trading: Option<TradingNumbers>,
    /// The champion is neither stale nor is drift confirmed.
    pub champion_fresh: bool,
    /// Candidate and champion are the same model.
    pub same_model: bool,
    /// How often this holdout was used, this time included; 0 when nobody counts.
    pub holdout_uses: u32,
    /// Returns of the backtests with either model, for a comparison of Sharpe ratios.
    #[serde(default)]
    pub returns: Option<PairedReturns>,
    /// Days since the champion was promoted; `None` when it never was, or nobody knows.
    #[serde(default)]
    pub champion_days: Option<f64>,
    /// Numbers of the search that the strategy came out of.
    #[serde(default)]
    pub search: Option<SearchNumbers>,
}

/// Backtest of the strategy with and without the candidate as a filter; `None` is undefined (too few trades).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TradingNumbers {
    /// Sharpe ratio of the filtered strategy.
    pub filtered_sharpe: Option<f64>,
    /// Sharpe ratio of the strategy alone.
    pub unfiltered_sharpe: Option<f64>,
    /// Maximum drawdown of the filtered strategy as a positive share of equity.
    pub filtered_drawdown: Option<f64>,
    /// Maximum drawdown of the strategy alone as a positive share of equity.
    pub unfiltered_drawdown: Option<f64>,
    /// Trades of the filtered strategy.
    pub filtered_trades: Option<usize>,
}

/// Returns of the backtests with either model, session by session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PairedReturns {
    /// With the champion.
    pub champion: Vec<f64>,
    /// With the candidate.
    pub candidate: Vec<f64>,
}
