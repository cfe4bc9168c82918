//! The forest: drawing rows, growing trees side by side, judging them on rows they did not see.

use ndarray::{ArrayView2, Axis};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bins::Binned;
use super::grow::{Draw, Grown, Limits, grow};
use super::tree::Tree;
use crate::base::{CancelToken, RandomStream, Seed};
use crate::model::config::ClassWeight;
use crate::model::error::ModelError;
use crate::model::family::{Estimator, Fitted, Fitting, Predictor, Scratch};
use crate::model::parameter::parameters;
use crate::model::training_set::{Task, TrainingSet};
use crate::stats::sum::sum;

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

impl FeatureSampling {
    fn count(self, columns: usize) -> usize {
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
        trees: usize = 200, in 1..=10_000;
        /// Most splits between the root and a leaf.
        max_depth: usize = 12, in 1..=64;
        /// Smallest weight of a leaf, in rows of average weight.
        min_leaf: f64 = 10.0, in 1.0..=1e6;
        /// How many features a node looks at.
        feature_sampling: FeatureSampling = FeatureSampling::Sqrt;
        /// How a tree draws its rows.
        bootstrap: Bootstrap = Bootstrap::Uniform;
        /// Rows a tree draws, as a share of all rows.
        sample_share: f64 = 1.0, in 0.01..=1.0;
        /// Most bins of a feature; missing values have one more.
        max_bins: usize = 255, in 2..=255;
        /// Weighs the classes as they come, or alike.
        class_weight: ClassWeight = ClassWeight::None;
        /// Judges each row by the trees that did not draw it.
        out_of_bag: bool = true;
    }
}

/// What the trees say about rows they did not draw. It ignores time: for model selection use a walk-forward.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutOfBag {
    /// Rows that at least one tree did not draw.
    pub rows: usize,
    /// Weighted mean of `(p - label)^2`.
    pub brier_loss: f64,
    /// Weighted mean of `-ln` of the probability given to the true class, clipped at 1e-15.
    pub log_loss: f64,
}

/// A fitted random forest: the mean over trees of the share of class 1 in a row's leaf.
///
/// # NaN
/// A feature that is not finite goes to the side of each split that served the missing values in training best, or, where
/// there were none, to the heavier side.
///
/// # References
/// Breiman (2001), *Random forests*; López de Prado (2018), *Advances in Financial Machine Learning*, chapters 4 and 6.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForestModel {
    columns: usize,
    importance: Vec<f64>,
    out_of_bag: Option<OutOfBag>,
    trees: Vec<Tree>,
}

/// Rows that are predicted together, and the share of work of one thread.
const BLOCK_ROWS: usize = 128;

impl ForestModel {
    fn fit(set: &TrainingSet<'_>, config: &ForestConfig, seed: Seed, cancel: &CancelToken) -> Result<Self, ModelError> {
        let binned = Binned::new(set.features, config.max_bins);
        let limits = Limits {
            max_depth: config.max_depth,
            min_leaf: config.min_leaf,
            features_per_node: config.feature_sampling.count(set.columns()),
        };
        let sampler = RowSampler::new(set, config)?;
        let seed = seed.derive("tree");
        let grown = (0..config.trees)
            .into_par_iter()
            .map(|tree| {
                cancel.check()?;
                let mut stream = seed.index(tree as u64).stream();
                let mut draws = sampler.draw(&mut stream);
                Ok(grow(&binned, &mut draws, limits, &mut stream))
            })
            .collect::<Result<Vec<Grown>, ModelError>>()?;
        let importance = mean_gain(&grown, set.columns());
        let mut model = Self {
            columns: set.columns(),
            importance,
            out_of_bag: None,
            trees: grown.into_iter().map(|grown| grown.tree).collect(),
        };
        if config.out_of_bag {
            model.out_of_bag = model.judge_out_of_bag(set, &sampler, seed, cancel)?;
        }
        Ok(model)
    }

    /// The out-of-bag score, where rows were drawn with replacement and some tree left some row out.
    pub const fn out_of_bag(&self) -> Option<&OutOfBag> {
        self.out_of_bag.as_ref()
    }

    /// Takes the rows of a block through one tree after the other, so that a tree is read from memory once a block. Each
    /// row still adds its trees in order: the bits do not depend on the block.
    fn predict_block(&self, block: ArrayView2<'_, f64>) -> Vec<f64> {
        let rows = block.as_standard_layout();
        let Some(values) = rows.as_slice() else { return vec![f64::NAN; block.nrows()] };
        let mut totals = vec![0.0; block.nrows()];
        for tree in &self.trees {
            for (total, row) in totals.iter_mut().zip(values.chunks_exact(self.columns)) {
                *total += tree.predict(row);
            }
        }
        totals.iter().map(|total| total / self.trees.len() as f64).collect()
    }

    /// Repeats the draws of each tree from its seed: that is cheaper than rows x trees flags kept while growing.
    fn judge_out_of_bag(
        &self,
        set: &TrainingSet<'_>,
        sampler: &RowSampler,
        seed: Seed,
        cancel: &CancelToken,
    ) -> Result<Option<OutOfBag>, ModelError> {
        let rows = set.features.as_standard_layout();
        let Some(values) = rows.as_slice() else { return Ok(None) };
        let mut judged = vec![Votes::default(); set.rows()];
        for (tree, number) in self.trees.iter().zip(0..) {
            cancel.check()?;
            let times = sampler.times_drawn(&mut seed.index(number).stream());
            let rows = values.par_chunks_exact(self.columns).zip(&times).with_min_len(BLOCK_ROWS);
            judged.par_iter_mut().zip(rows).filter(|(_, (_, times))| **times == 0).for_each(|(votes, (row, _))| {
                votes.total += tree.predict(row);
                votes.count += 1;
            });
        }
        let scored = || {
            let known = judged.iter().enumerate().filter(|(_, votes)| votes.count > 0);
            known.map(|(row, votes)| (votes.total / f64::from(votes.count), set.weight_of(row), set.target[row]))
        };
        let weight = sum(scored().map(|(_, w, _)| w));
        let of_truth = |p: f64, label: f64| if label == 1.0 { p } else { 1.0 - p };
        Ok((weight > 0.0).then(|| OutOfBag {
            rows: scored().count(),
            brier_loss: sum(scored().map(|(p, w, label)| w * (p - label) * (p - label))) / weight,
            log_loss: sum(scored().map(|(p, w, label)| -w * libm::log(of_truth(p, label).max(1e-15)))) / weight,
        }))
    }
}

impl Estimator for ForestConfig {
    type Model = ForestModel;

    fn fit(&self, fitting: Fitting<'_>) -> Result<ForestModel, ModelError> {
        ForestModel::fit(&fitting.set, self, fitting.seed, fitting.cancel)
    }
}

impl Predictor for ForestModel {
    fn task(&self) -> Task {
        Task::Classification
    }

    fn columns(&self) -> usize {
        self.columns
    }

    fn predict(&self, features: ArrayView2<'_, f64>) -> Vec<f64> {
        let blocks: Vec<ArrayView2<'_, f64>> = features.axis_chunks_iter(Axis(0), BLOCK_ROWS).collect();
        if blocks.len() == 1 {
            return self.predict_block(blocks[0]);
        }
        blocks.into_par_iter().map(|block| self.predict_block(block)).collect::<Vec<_>>().concat()
    }

    fn predict_row(&self, row: &[f64], _: &mut Scratch) -> f64 {
        let mut total = 0.0;
        for tree in &self.trees {
            total += tree.predict(row);
        }
        total / self.trees.len() as f64
    }

    fn importance(&self) -> Vec<f64> {
        self.importance.clone()
    }
}

impl Fitted for ForestModel {
    fn check_stored(&self) -> Result<(), ModelError> {
        if self.trees.is_empty() || self.columns == 0 || self.importance.len() != self.columns {
            return Err(ModelError::Damaged(
                "a forest without trees or columns, or importances of other columns".to_owned(),
            ));
        }
        match self.trees.iter().filter_map(Tree::last_feature).max() {
            Some(feature) if feature as usize >= self.columns => {
                Err(ModelError::Damaged(format!("a tree asks for feature {feature} of {}", self.columns)))
            }
            _ => Ok(()),
        }
    }
}

/// What the trees that did not draw a row say about it.
#[derive(Clone, Copy, Default)]
struct Votes {
    total: f64,
    count: u32,
}

/// Mean over trees of each tree's share of gain by feature; sums to 1 unless no tree split.
fn mean_gain(grown: &[Grown], columns: usize) -> Vec<f64> {
    let mut importance = vec![0.0; columns];
    for tree in grown {
        let total: f64 = tree.gain.iter().sum();
        if total > 0.0 {
            for (mean, gain) in importance.iter_mut().zip(&tree.gain) {
                *mean += gain / total;
            }
        }
    }
    let total: f64 = importance.iter().sum();
    if total > 0.0 {
        importance.iter_mut().for_each(|share| *share /= total);
    }
    importance
}

/// Draws the rows of a tree. Rows of weight 0 teach nothing and are never drawn.
struct RowSampler {
    /// Rows that carry weight, in order.
    rows: Vec<usize>,
    /// Label of every row.
    labels: Vec<f32>,
    /// Weight of every row once drawn; averages 1 over `rows`, so that `min_leaf` counts rows.
    weights: Vec<f64>,
    draws: usize,
    bootstrap: Bootstrap,
    /// Cumulated probability of `rows` for [`Bootstrap::Weighted`].
    cumulated: Vec<f64>,
}

impl RowSampler {
    fn new(set: &TrainingSet<'_>, config: &ForestConfig) -> Result<Self, ModelError> {
        let mut weights = set.weights(config.class_weight)?;
        let rows: Vec<usize> = (0..weights.len()).filter(|&row| weights[row] > 0.0).collect();
        let mean = sum(weights.iter().copied()) / rows.len() as f64;
        weights.iter_mut().for_each(|weight| *weight /= mean);
        let mut cumulated = Vec::new();
        if config.bootstrap == Bootstrap::Weighted {
            let mut total = 0.0;
            cumulated.extend(rows.iter().map(|&row| {
                total += weights[row];
                total
            }));
            weights = vec![1.0; weights.len()];
        }
        Ok(Self {
            labels: set.target.iter().map(|&label| label as f32).collect(),
            draws: ((config.sample_share * rows.len() as f64).round() as usize).max(1),
            rows,
            weights,
            bootstrap: config.bootstrap,
            cumulated,
        })
    }

    /// How often each row is drawn.
    fn times_drawn(&self, stream: &mut RandomStream) -> Vec<u32> {
        let mut times = vec![0_u32; self.labels.len()];
        let candidates = self.rows.len();
        match self.bootstrap {
            Bootstrap::Uniform => {
                for _ in 0..self.draws {
                    times[self.rows[stream.below(candidates)]] += 1;
                }
            }
            Bootstrap::Weighted => {
                let total = self.cumulated.last().copied().unwrap_or(0.0);
                for _ in 0..self.draws {
                    let point = stream.uniform() * total;
                    let pick = self.cumulated.partition_point(|&below| below <= point).min(candidates - 1);
                    times[self.rows[pick]] += 1;
                }
            }
            Bootstrap::None => {
                let mut order = self.rows.clone();
                for i in 0..self.draws {
                    if self.draws < candidates {
                        order.swap(i, i + stream.below(candidates - i));
                    }
                    times[order[i]] = 1;
                }
            }
        }
        times
    }

    /// The drawn rows, in row order.
    fn draw(&self, stream: &mut RandomStream) -> Vec<Draw> {
        self.times_drawn(stream)
            .into_iter()
            .enumerate()
            .filter(|&(_, times)| times > 0)
            .map(|(row, times)| Draw {
                row: row as u32,
                label: self.labels[row],
                weight: f64::from(times) * self.weights[row],
            })
            .collect()
    }
}
