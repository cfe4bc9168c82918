//! Labels: what became of a signal, in units of the risk that was taken.
//!
//! `R = net_pnl / (q * (e - S0))` with e the net fill and S0 the initial stop: 1 is a gain as large as the planned loss.
//! Stops that move never change the denominator; both commissions are in the numerator.
//!
//! - **Source.** [`shadow_trades`] simulates every eligible candidate alone with 1R, so that a label does not depend on
//!   which other signals took the slots; [`executed_trades`] takes the real trades of a backtest. Each row says which.
//! - **Span.** A label is known at its exit session t1; rows with t1 inside a test window are purged by `split`.
//! - **Censored.** A trade still open when the data ends, or a label that looks beyond it, has no label. It is listed,
//!   never guessed.
//! - **Kinds.** [`LABEL_KINDS`]; `outcome.rs` has their formulas. Whatever the kind, a row keeps the figures of its trade,
//!   and its span ends when both are known. [`LabelTask`] says what can be learnt from it.
//! - **Weights.** [`uniqueness`] for labels that share bars, [`recency`] for markets that change.

mod config;
mod outcome;
mod recency;
mod shadow;
mod uniqueness;

#[cfg(test)]
mod outcome_tests;
#[cfg(test)]
mod tests;

pub use config::{BarrierUnit, Barriers, LABEL_KINDS, LabelConfig, LabelError, LabelKind, LabelKindRow, LabelTask};
pub use recency::recency;
pub use shadow::{Censored, LabelSet, LabelSource, LabelledTrade, executed_trades, shadow_trades};
pub use uniqueness::uniqueness;
