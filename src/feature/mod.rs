//! Feature sets: what a model is told about a symbol at the close of a bar.
//!
//! A [`FeatureSet`] is an ordered list of [`FeatureSpec`]s; [`FeatureSet::compute`] turns the bars of one symbol into a
//! [`FeatureFrame`] with one row a bar. A value in row t uses that symbol's bars up to and including t, so it is known at the close of t
//! and can be acted on at the next open; NaN means "not yet known".
//!
//! - **Causality** is checked, not promised: [`truncation_check`] recomputes a set on cut histories and compares bit for bit.
//! - **No units.** Every feature of `core40` stays the same when prices or volumes are multiplied by a constant, so symbols can be pooled
//!   and a split or a currency does not look like news.
//! - **Not guaranteed.** Bars carry no quotes, so `spread_cs_20` is a proxy. Recursive features (RSI, MACD, ADX, ATR) remember where the
//!   history begins for some hundred bars.
//!
//! A new feature is one row in `catalogue.rs`; a new set is one list of names in `set.rs`.

mod calendar;
mod catalogue;
mod causality;
mod inputs;
mod set;

#[cfg(test)]
mod tests;

pub use catalogue::CATALOGUE;
pub use causality::{CausalityError, truncation_check};
pub use set::{FeatureError, FeatureFrame, FeatureSet, FeatureSpec};
