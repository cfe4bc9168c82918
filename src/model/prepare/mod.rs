//! What is done to features before a learner sees them, fitted on its training rows and on nothing else.
//!
//! | word | map of a value x | fitted |
//! |---|---|---|
//! | `none` | x | |
//! | `standardise` | (x - mean) / standard deviation | both of the population |
//! | `robust` | (x - median) / (75 % quantile - 25 % quantile) | quantiles of type 7 |
//! | `rank-normal` | the normal quantile of (rank - 0.5) / n, linear between training values, constant beyond them | midranks |
//! | `winsorise` | x, at least the quantile `tail` and at most the quantile 1 - `tail` | quantiles of type 7 |
//!
//! Every column is fitted on its finite values, unweighted. A value that is not finite stays what it is, for the learner
//! to call it missing; a column of one value or none is only centred. Maps are monotone, so that trees split as before but
//! for `winsorise`, which makes tails alike.
//!
//! A [`Prepared`] model cannot be asked without its preparation.

mod column;
mod prepared;
#[cfg(test)]
mod tests;

pub use column::ColumnMap;
pub use prepared::{Preparation, Prepared, Transform};
