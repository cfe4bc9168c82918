//! Ensembles: several families behind one probability.
//!
//! | `combine` | probability | fitted |
//! |---|---|---|
//! | `mean` | mean of the members | |
//! | `median` | median of the members | |
//! | `vote` | share of the members that say 0.5 or more | |
//! | `weighted` | weighted mean | `weights`; unset, those with the least log loss on predictions of rows that no member had seen |
//! | `stack` | logistic regression on the members' log-odds | on predictions of rows that no member had seen |
//!
//! What is fitted to members' predictions is fitted out of fold by [`super::train_on_folds`]: for each fold on earlier
//! folds whose outcomes were known, for the published model on all. Where there are too few such rows the members count
//! alike, and the fold's report says so.
//!
//! Two rules say when members disagree too much to be believed: `min_agreement`, the share of members on the same side of
//! 0.5 as the ensemble, and `max_disagreement`, the standard deviation of their probabilities. Then `fallback` speaks.

mod combiner;
mod config;
mod model;
#[cfg(test)]
mod tests;

pub use combiner::Combiner;
pub use config::{Combination, Combine, EnsembleConfig, Fallback, MAX_MEMBERS, Members};
pub use model::EnsembleModel;

pub(super) use combiner::History;
pub(super) use model::{Rules, base_rate};
