//! Pure metrics on plain slices, with intervals: what a model or a strategy achieved, and how far luck explains it.
//!
//! An undefined value is `None` and never 0 or infinity, except where a function states another convention.
//! Nothing here fits, stores or prints; randomness comes in as a [`crate::base::Seed`].

pub mod classification;
pub mod compare;
pub mod overfitting;
pub mod regression;
pub mod sharpe;
pub mod trading;

#[cfg(test)]
mod golden;
