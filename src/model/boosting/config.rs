//! The parameters of gradient boosting, and what they are called in hessboost.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use hessboost::config::{GrowPolicy, Monotone as Direction, TrainingParams, TreeMethod};
use hessboost::metric::EvalMetric;
use hessboost::objective::{Objective, PseudoHuber, RegLoss};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::Seed;
use crate::model::config::ClassWeight;
use crate::model::error::ModelError;
use crate::model::parameter::{ParameterWord, parameters};
use crate::model::training_set::{Task, TrainingSet};

/// Which leaf of a tree is split next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Growth {
    /// Level by level, as XGBoost does by default: up to `2^max_depth` leaves.
    #[default]
    Depth,
    /// The leaf that gains most, as LightGBM does: up to `max_leaves` leaves, none deeper than `max_depth`.
    Leaf,
}

/// What a regression minimises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RegressionLoss {
    /// `(y - f)^2`: aims at the mean.
    #[default]
    Squared,
    /// `|y - f|`: aims at the median, by a smooth stand-in.
    Absolute,
    /// Pseudo-Huber: squared near 0, absolute beyond `huber_slope`.
    Huber,
}

/// How a prediction may move with a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Monotone {
    /// It never falls as the feature rises.
    Increasing,
    /// It never rises as the feature rises.
    Decreasing,
}

impl ParameterWord for Growth {
    const WORDS: &'static [&'static str] = &["depth", "leaf"];
}

impl ParameterWord for RegressionLoss {
    const WORDS: &'static [&'static str] = &["squared", "absolute", "huber"];
}

impl ParameterWord for Monotone {
    const WORDS: &'static [&'static str] = &["increasing", "decreasing"];
}

parameters! {
    /// Parameters of gradient boosting; the defaults are for weak signals.
    BoostingConfig {
        /// Which leaf of a tree is split next.
        growth: Growth = Growth::Depth;
        /// Number of rounds, a tree each.
        trees: usize = 200, in 1..=10_000 => log;
        /// Share of each tree's correction that is taken.
        learning_rate: f64 = 0.05, in 1e-4..=1.0 => log;
        /// Most splits between the root and a leaf.
        max_depth: usize = 6, in 1..=64;
        /// Most leaves of a tree with `growth: leaf`; with `growth: depth` only `max_depth` bounds them.
        max_leaves: usize = 15, in 2..=65_536 => log;
        /// Smallest sum of second derivatives in a leaf: a row of average weight counts 1 in a regression, p (1 - p) in a
        /// classification.
        min_child_weight: f64 = 5.0, in 0.0..=1e6;
        /// L2 penalty on leaf values.
        l2: f64 = 1.0, in 0.0..=1e6;
        /// L1 penalty on leaf values.
        l1: f64 = 0.0, in 0.0..=1e6;
        /// Least fall in loss for which a leaf is split.
        min_gain: f64 = 0.0, in 0.0..=1e6;
        /// Rows that a tree sees, as a share of all rows.
        row_share: f64 = 1.0, in 0.01..=1.0;
        /// Features that a tree may use, as a share of all features.
        column_share: f64 = 1.0, in 0.01..=1.0;
        /// Most bins of a feature; missing values have their own way through a tree.
        max_bins: usize = 255, in 2..=65_535 => log;
        /// Rounds without a better loss on the validation set after which it stops and keeps the best; 0 never stops.
        early_stopping: usize = 0, in 0..=10_000;
        /// What a regression minimises; a classification minimises the log loss.
        loss: RegressionLoss = RegressionLoss::Squared;
        /// Where `loss: huber` turns from squared to absolute, in units of the target.
        huber_slope: f64 = 1.0, in 1e-9..=1e9 => log;
        /// Weighs the classes as they come, or alike.
        class_weight: ClassWeight = ClassWeight::None;
        /// Features that a prediction may only rise or only fall with, as `{rsi14: increasing}`.
        monotone: BTreeMap<String, Monotone> = BTreeMap::new();
    }
}

impl BoostingConfig {
    /// The loss by which rounds are judged on the validation set: that which is minimised.
    fn objective(&self, task: Task) -> Result<(Objective, EvalMetric), ModelError> {
        let is_default = self.loss == RegressionLoss::Squared;
        match (task, self.loss) {
            (Task::Classification, _) if !is_default => Err(ModelError::ForTask { name: "loss", task }),
            (Task::Classification, _) => Ok((Objective::BinaryLogistic(RegLoss::default()), EvalMetric::LogLoss)),
            (Task::Regression, RegressionLoss::Squared) => {
                Ok((Objective::SquaredError(RegLoss::default()), EvalMetric::Rmse))
            }
            (Task::Regression, RegressionLoss::Absolute) => Ok((Objective::AbsoluteError, EvalMetric::Mae)),
            (Task::Regression, RegressionLoss::Huber) => {
                let slope = PseudoHuber::new(self.huber_slope).map_err(ModelError::Boosting)?;
                Ok((Objective::PseudoHuber(slope), EvalMetric::Mphe(slope)))
            }
        }
    }

    /// The same in the words of hessboost.
    ///
    /// The number of threads is left open: it grows in the pool that it is called in.
    pub(super) fn training(&self, set: &TrainingSet<'_>, seed: Seed) -> Result<TrainingParams, ModelError> {
        let (objective, metric) = self.objective(set.task)?;
        let mut params = TrainingParams::default();
        params.seed = seed.value();
        params.objective = objective;
        params.eval_metric = vec![metric];
        params.tree_method = TreeMethod::Hist;
        params.grow_policy = match self.growth {
            Growth::Depth => GrowPolicy::DepthWise,
            Growth::Leaf => GrowPolicy::LossGuide,
        };
        params.max_depth = NonZeroUsize::new(self.max_depth);
        params.max_leaves = NonZeroUsize::new(self.max_leaves).filter(|_| self.growth == Growth::Leaf);
        params.eta = self.learning_rate;
        params.min_child_weight = self.min_child_weight;
        params.lambda = self.l2;
        params.alpha = self.l1;
        params.gamma = self.min_gain;
        params.subsample = self.row_share;
        params.colsample_bytree = self.column_share;
        params.max_bin = self.max_bins;
        params.monotone_constraints = self.directions(set.names)?;
        params.validate().map_err(ModelError::Boosting)?;
        Ok(params)
    }

    /// One direction a feature, in column order; none where nothing is constrained.
    fn directions(&self, names: &[String]) -> Result<Vec<Direction>, ModelError> {
        if let Some(stranger) = self.monotone.keys().find(|name| !names.contains(name)) {
            let known = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            return Err(ModelError::UnknownFeature { name: "monotone", feature: stranger.clone(), known });
        }
        if self.monotone.is_empty() {
            return Ok(Vec::new());
        }
        let direction = |name: &String| match self.monotone.get(name) {
            Some(Monotone::Increasing) => Direction::Increasing,
            Some(Monotone::Decreasing) => Direction::Decreasing,
            None => Direction::None,
        };
        Ok(names.iter().map(direction).collect())
    }
}
