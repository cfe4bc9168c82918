//! Random forest on a histogram core.
//!
//! Features are cut once into at most 255 bins plus a bin for missing values (`bins.rs`), fitted on the training rows. A
//! tree draws its rows, and grows depth first; each node draws its features, fills one histogram a feature and takes the
//! cut with the largest fall in weighted variance of the label (the Gini criterion), trying missing values on both sides
//! (`grow.rs`). Leaves hold the share of class 1, and the forest averages them: soft votes (`tree.rs`).
//!
//! A tree is grown by one thread from its own seed and its rows are visited in row order, so that the bits of a forest do
//! not depend on how many threads grew it.

mod bins;
mod ensemble;
mod grow;
mod tree;

pub use ensemble::{Bootstrap, FeatureSampling, ForestConfig, ForestModel, OutOfBag};
