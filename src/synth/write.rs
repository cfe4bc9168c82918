//! A whole market, symbol by symbol, and the truth about it.

use rayon::prelude::*;
use serde::Serialize;

use super::market::Market;
use super::params::{ParamError, Params};
use super::symbol::{Episode, SymbolBars, symbol};
use crate::base::Timestamp;
use crate::stats::order::midranks;
use crate::table::{Table, TableError, Values};

/// Symbols that are made side by side: memory is bounded by them, whatever the number of threads.
const SIDE_BY_SIDE: usize = 8;

/// A market that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SynthError {
    /// Its parameters make no sense.
    #[error(transparent)]
    Params(#[from] ParamError),
    /// It cannot be written.
    #[error("cannot write the market")]
    Write(#[from] TableError),
}

/// Area under the ROC curve of the planted volume against the kind of breakout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct OracleAuc {
    /// Before the drift.
    pub before: Option<f64>,
    /// After it.
    pub after: Option<f64>,
}

/// What is true of a market.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Truth {
    /// Version of the generator.
    pub generator: String,
    /// All parameters.
    pub params: Params,
    /// Bars of each symbol.
    pub bars: usize,
    /// Names of the symbols.
    pub symbols: Vec<String>,
    /// Start of the first bar.
    pub first: Timestamp,
    /// Start of the last bar.
    pub last: Timestamp,
    /// When the drift sets in.
    pub drift_date: Option<Timestamp>,
    /// At which bar.
    pub drift_bar: Option<usize>,
    /// Planted breakouts.
    pub episodes: usize,
    /// Those that are true.
    pub episodes_true: usize,
    /// How well the planted volume tells them apart.
    pub oracle_auc_volume_vs_kind: OracleAuc,
    /// Share of bars in stress.
    pub stress_share: f64,
    /// Loadings on the market.
    pub beta: Vec<f64>,
    /// Sectors.
    pub sector: Vec<usize>,
}

/// Makes a market; each symbol is handed on with its name and the starts of its bars, in order.
///
/// # Errors
/// The parameters make no market, or what takes the symbols fails.
pub fn generate(
    params: &Params,
    each: &mut dyn FnMut(&str, &[i64], &SymbolBars) -> Result<(), SynthError>,
) -> Result<(Truth, Vec<Episode>), SynthError> {
    params.check()?;
    if params.bars() == 0 {
        return Err(ParamError::Value("years enough for one bar").into());
    }
    let market = Market::new(params);
    let names: Vec<String> = (0..params.symbols).map(|index| format!("S{index:04}")).collect();
    let (mut episodes, mut beta, mut sector) = (Vec::new(), Vec::new(), Vec::new());
    for start in (0..params.symbols).step_by(SIDE_BY_SIDE) {
        let end = params.symbols.min(start + SIDE_BY_SIDE);
        let made: Vec<SymbolBars> = (start..end).into_par_iter().map(|index| symbol(params, &market, index)).collect();
        for (name, bars) in names[start..end].iter().zip(made) {
            each(name, &market.times, &bars)?;
            episodes.extend(bars.episodes);
            beta.push(bars.beta);
            sector.push(bars.sector);
        }
    }
    let drifts = market.drift_bar < market.times.len();
    let at = |bar: usize| Timestamp::from_micros(market.times[bar]);
    let truth = Truth {
        generator: "walkforward synth 1".to_owned(),
        params: params.clone(),
        bars: market.times.len(),
        symbols: names,
        first: at(0),
        last: at(market.times.len() - 1),
        drift_date: drifts.then(|| at(market.drift_bar)),
        drift_bar: drifts.then_some(market.drift_bar),
        episodes: episodes.len(),
        episodes_true: episodes.iter().filter(|episode| episode.is_true).count(),
        oracle_auc_volume_vs_kind: OracleAuc { before: auc(&episodes, false), after: auc(&episodes, true) },
        stress_share: market.stress_share,
        beta,
        sector,
    };
    Ok((truth, episodes))
}

/// Mann and Whitney's statistic of the planted volumes of true against false breakouts; undefined without both.
fn auc(episodes: &[Episode], after: bool) -> Option<f64> {
    let side: Vec<&Episode> = episodes.iter().filter(|episode| episode.after_drift == after).collect();
    let volumes: Vec<f64> = side.iter().map(|episode| episode.log_volume_mult).collect();
    let ranks = midranks(&volumes);
    let trues = side.iter().filter(|episode| episode.is_true).count() as f64;
    let falses = side.len() as f64 - trues;
    let sum: f64 = side.iter().zip(&ranks).filter(|(episode, _)| episode.is_true).map(|(_, rank)| rank).sum();
    (trues > 0.0 && falses > 0.0).then(|| (sum - trues * (trues + 1.0) / 2.0) / (trues * falses))
}

/// The bars of a symbol as a table.
pub fn bars_table(symbol: &str, times: &[i64], bars: &SymbolBars) -> Table {
    let [open, high, low, close, volume] = bars.values.clone();
    Table::new("bars@1")
        .with("symbol", "ticker", Values::Text(vec![symbol.to_owned(); times.len()]))
        .with("ts", "start of the bar, UTC", Values::Time(times.to_vec()))
        .with("open", "first price", Values::Float(open))
        .with("high", "highest price", Values::Float(high))
        .with("low", "lowest price", Values::Float(low))
        .with("close", "last price", Values::Float(close))
        .with("volume", "units traded", Values::Float(volume))
}

/// All planted breakouts as a table, by symbol and time.
pub fn episodes_table(episodes: &[Episode]) -> Table {
    let column = |value: &dyn Fn(&Episode) -> bool| Values::Bool(episodes.iter().map(value).collect());
    let name = |episode: &Episode| format!("S{:04}", episode.symbol);
    Table::new("synthetic-episodes@1")
        .with("symbol", "ticker", Values::Text(episodes.iter().map(name).collect()))
        .with("ts", "start of the signal bar, UTC", Values::Time(episodes.iter().map(|e| e.ts).collect()))
        .with("bar", "index of the signal bar", Values::Int(episodes.iter().map(|e| e.bar as i64).collect()))
        .with("true_breakout", "drifts up", column(&|episode| episode.is_true))
        .with("volume_surge", "volume raised", column(&|episode| episode.has_surge))
        .with(
            "log_volume_mult",
            "added to log volume",
            Values::Float(episodes.iter().map(|e| e.log_volume_mult).collect()),
        )
        .with("after_drift", "after the drift set in", column(&|episode| episode.after_drift))
}

#[cfg(test)]
#[path = "facts_tests.rs"]
mod tests;
