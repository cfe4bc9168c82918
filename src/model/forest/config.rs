//! The parameters of the two forests.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ensemble::ForestModel;
use crate::model::config::ClassWeight;
use crate::model::error::ModelError;
use crate::model::family::{Estimator, Fitting};
use crate::model::parameter::{ParameterWord, parameters};

/// How a tree draws its rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Bootstrap {
    /// With replacement, all rows alike; sample weights weigh the drawn rows.
    #[default]
    Uniform,
    /// With replacement, by sample weight; drawn rows then weigh alike. With label uniqueness as weight this is the
    /// bootstrap for overlapping labels.
    Weighted,
    /// Every tree sees every row once.
    None,
}

/// How many features a node looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FeatureSampling {
    /// The square root of their number.
    #[default]
    Sqrt,
    /// The binary logarithm of their number.
    Log2,
    /// A third.
    Third,
    /// All: trees differ by their rows only.
    All,
}

impl ParameterWord for Bootstrap {
    const WORDS: &'static [&'static str] = &["uniform", "weighted", "none"];
}

impl ParameterWord for FeatureSampling {
    const WORDS: &'static [&'static str] = &["sqrt", "log2", "third", "all"];
}

impl FeatureSampling {
    pub(super) fn count(self, columns: usize) -> usize {
        let share = match self {
            Self::Sqrt => columns.isqrt(),
            Self::Log2 => columns.checked_ilog2().unwrap_or(0) as usize,
            Self::Third => columns / 3,
            Self::All => columns,
        };
        share.max(1)
    }
}

parameters! {
    /// Parameters of the random forest; the defaults are for weak signals.
    ForestConfig {
        /// Number of trees.
        trees: usize = 200, in 1..=10_000 => log;
        /// Most splits between the root and a leaf.
        max_depth: usize = 12, in 1..=64;
        /// Smallest weight of a leaf, in rows of average weight.
        min_leaf: f64 = 10.0, in 1.0..=1e6 => log;
        /// How many features a node looks at.
        feature_sampling: FeatureSampling = FeatureSampling::Sqrt;
        /// How a tree draws its rows.
        bootstrap: Bootstrap = Bootstrap::Uniform;
        /// Rows a tree draws, as a share of all rows.
        sample_share: f64 = 1.0, in 0.01..=1.0;
        /// Most bins of a feature; missing values have one more.
        max_bins: usize = 255, in 2..=255 => log;
        /// Weighs the classes as they come, or alike.
        class_weight: ClassWeight = ClassWeight::None;
        /// Judges each row by the trees that did not draw it.
        out_of_bag: bool = true;
    }
}

parameters! {
    /// Parameters of extra trees; the defaults are for weak signals.
    ExtraTreesConfig {
        /// Number of trees.
        trees: usize = 200, in 1..=10_000 => log;
        /// Most splits between the root and a leaf.
        max_depth: usize = 12, in 1..=64;
        /// Smallest weight of a leaf, in rows of average weight.
        min_leaf: f64 = 10.0, in 1.0..=1e6 => log;
        /// How many features a node looks at.
        feature_sampling: FeatureSampling = FeatureSampling::Sqrt;
        /// How a tree draws its rows.
        bootstrap: Bootstrap = Bootstrap::None;
        /// Rows a tree draws, as a share of all rows.
        sample_share: f64 = 1.0, in 0.01..=1.0;
        /// Most bins of a feature; missing values have one more.
        max_bins: usize = 255, in 2..=255 => log;
        /// Weighs the classes as they come, or alike.
        class_weight: ClassWeight = ClassWeight::None;
        /// Judges each row by the trees that did not draw it, where rows are drawn.
        out_of_bag: bool = true;
    }
}

/// Where a node cuts a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cuts {
    /// Where it gains most.
    Best,
    /// At a point drawn between the node's lowest and highest value.
    Random,
}

/// What grows a forest, whichever family asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub trees: usize,
    pub max_depth: usize,
    pub min_leaf: f64,
    pub feature_sampling: FeatureSampling,
    pub bootstrap: Bootstrap,
    pub sample_share: f64,
    pub max_bins: usize,
    pub class_weight: ClassWeight,
    pub out_of_bag: bool,
    pub cuts: Cuts,
}

/// Both families have the same parameters with other defaults, and cut in another way.
macro_rules! grows_a_forest {
    ($config:ty, $cuts:expr) => {
        impl Estimator for $config {
            type Model = ForestModel;

            fn fit(&self, fitting: Fitting<'_>) -> Result<ForestModel, ModelError> {
                let plan = Plan {
                    trees: self.trees,
                    max_depth: self.max_depth,
                    min_leaf: self.min_leaf,
                    feature_sampling: self.feature_sampling,
                    bootstrap: self.bootstrap,
                    sample_share: self.sample_share,
                    max_bins: self.max_bins,
                    class_weight: self.class_weight,
                    out_of_bag: self.out_of_bag,
                    cuts: $cuts,
                };
                ForestModel::fit(&fitting.set, plan, fitting.seed, fitting.cancel)
            }
        }
    };
}

grows_a_forest!(ForestConfig, Cuts::Best);
grows_a_forest!(ExtraTreesConfig, Cuts::Random);
