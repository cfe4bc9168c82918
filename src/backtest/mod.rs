//! The simulator: signals and money rules in, trades and an equity curve out.
//!
//! Inside a session things happen in one total order: forced exits at the open, pending exits at the open, entries at the
//! open by rank, stops of older positions, stops of positions just opened, take-profits, marks at the close, exit signals,
//! entry signals. What an earlier step frees in slots or cash, a later one may use; what stops and targets free can be
//! used from the next open.
//!
//! - **Conservative fills.** A stop touched is a stop hit, at the worse of stop and open; the entry bar counts; a stop
//!   comes before a take-profit of the same bar; limits never fill better than the open.
//! - **Nothing vanishes.** Every candidate ends in exactly one [`CandidateState`]; the [`Funnel`] adds up.
//! - **Not modelled.** Partial fills, borrow fees, interest, intrabar order beyond the rules above. That a symbol never
//!   trades again is learnt from the data, but only once the sessions a position may miss have run out.

mod decision;
mod error;
mod orders;
mod overlay;
mod position;
mod record;
pub mod report;
mod rules;
mod simulate;

#[cfg(test)]
mod tests;

pub use decision::{MlDecision, MlDecisions, MlOverlay, MlReason, PastOutcome, PastPrediction, Thresholds};
pub use error::BacktestError;
pub use orders::{NextOrder, OrderKind};
pub use overlay::{MlLimits, MlRules, MlScale, MlSizing, OnLowConfidence, OnMissing, PredictionMode, ThresholdBy};
pub(crate) use position::{Exit, Fill, Position, gaps_beyond_stop};
pub use record::{
    Backtest, BacktestWarning, CandidateRecord, CandidateState, Cap, EquityPoint, ExitReason, Funnel, FunnelStep,
    OpenPosition, Rejection, Trade,
};
pub use rules::PortfolioRules;
pub(crate) use simulate::check as check_signals;
pub use simulate::{RulesFrom, replay, simulate};
