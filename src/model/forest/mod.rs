//! Random forest and extra trees on a histogram core.
//!
//! Features are cut once into at most 255 bins plus a bin for missing values (`bins.rs`), fitted on the training rows. A
//! tree draws its rows (`draw.rs`), and grows depth first; each node draws its features, fills one histogram a feature and
//! takes the cut with the largest fall in weighted variance of the label (of classes the Gini criterion), trying missing
//! values on both sides (`grow.rs`). A random forest looks at every cut of a feature, extra trees at one drawn between the
//! node's lowest and highest value. Leaves hold the share of class 1 or the mean target, and the forest averages them
//! (`tree.rs`).
//!
//! A tree is grown by one thread from its own seed and its rows are visited in row order, so that the bits of a forest do
//! not depend on how many threads grew it.

mod bins;
mod config;
mod draw;
mod ensemble;
mod grow;
mod tree;

pub use config::{Bootstrap, ExtraTreesConfig, FeatureSampling, ForestConfig};
pub use ensemble::{ForestModel, OutOfBag};
