//! Statistics on plain slices: sums, quantiles, ranks, distributions, dependence, resampling and tests.
//!
//! Nothing here knows about trading. Every function is pure; randomness comes in as a [`crate::base::Seed`].

pub mod bootstrap;
pub mod concurrency;
pub mod dependence;
pub mod distribution;
pub mod multiple;
pub mod order;
pub mod stream;
pub mod sum;
pub mod two_sample;
