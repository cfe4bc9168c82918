//! From models to a decision about each signal: several models become one probability, and signals unlike those that a model
//! learnt from are noticed.
//!
//! | file | holds |
//! |---|---|
//! | `combine.rs` | one probability of several models: weights, priorities, agreement |
//! | `novelty.rs` | how unlike a signal is to those of the training record |
//! | `order_id.rs` | ids of orders that stay the same however often they are sent |
//!
//! What the probability then does to a signal is decided in `backtest/overlay.rs`, by the same code for a backtest, for a score
//! and for the paper account. Every function here looks at one signal and at the past: neither the order of signals nor
//! anything later changes an answer.

mod combine;
mod novelty;
mod order_id;

pub use combine::{
    Combine, CombineError, CombineRules, Combined, Member, ModelWeights, OnDisagreement, softmax_weights,
};
pub use novelty::{Novelty, NoveltyMethod, NoveltyReference, NoveltyRules, OnNovel};
pub use order_id::order_id;
