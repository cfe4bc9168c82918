//! Feature sets: what a model is told about a symbol at the close of a bar.
//!
//! A [`FeatureSet`] is an ordered list of [`FeatureSpec`]s; [`FeatureSet::compute`] turns the bars of all symbols into a
//! [`FeatureFrame`] each, with one row a bar. A value in row t uses bars up to and including t, so it is known at the close of t
//! and can be acted on at the next open; NaN means "not yet known".
//!
//! - **Causality** of a feature that is an expression is proved from its tree, of every feature checked: [`truncation_check`] recomputes
//!   a set on cut histories and compares bit for bit.
//! - **No units.** Every feature of `core40` and `full70` stays the same when prices or volumes are multiplied by a constant, so symbols
//!   can be pooled and a split or a currency does not look like news.
//! - **Not guaranteed.** Bars carry no quotes, so `spread_cs_20` is a proxy. Recursive features (RSI, MACD, ADX, ATR) remember where the
//!   history begins for some hundred bars.
//!
//! A new feature is one row in `derived.rs`, or in `catalogue.rs` where it needs a kernel; a new set is one row in `sets.rs`.

mod alpha158;
mod catalogue;
mod causality;
mod config;
mod derived;
mod inputs;
mod set;
mod sets;

#[cfg(test)]
mod tests;

pub use catalogue::CATALOGUE;
pub use causality::{CausalityError, truncation_check};
pub use config::{FeatureConfig, FeatureConfigError, Features};
pub use set::{FeatureError, FeatureFrame, FeatureSet, FeatureSpec};
pub use sets::{SETS, Shipped};
