//! The forest: drawing rows, growing trees side by side, judging them on rows they did not see.

use ndarray::{ArrayView2, Axis};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::bins::Binned;
use super::config::Plan;
use super::draw::RowSampler;
use super::grow::{Grown, Limits, grow};
use super::tree::Tree;
use crate::base::{CancelToken, Seed};
use crate::model::error::ModelError;
use crate::model::family::{Fitted, Predictor, Scratch};
use crate::model::training_set::{Task, TrainingSet};
use crate::stats::sum::sum;

/// What the trees say about rows they did not draw. It ignores time: for model selection use a walk-forward.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutOfBag {
    /// Rows that at least one tree did not draw.
    pub rows: usize,
    /// Weighted mean of `(p - label)^2`; of a classification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brier_loss: Option<f64>,
    /// Weighted mean of `-ln` of the probability given to the true class, clipped at 1e-15; of a classification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_loss: Option<f64>,
    /// Weighted mean of the squared error; of a regression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub squared_loss: Option<f64>,
}

/// A fitted forest: the mean over trees of the share of class 1, or of the mean target, in a row's leaf.
///
/// # NaN
/// A feature that is not finite goes to the side of each split that served the missing values in training best, or, where
/// there were none, to the heavier side.
///
/// # References
/// Breiman (2001), *Random forests*; Geurts, Ernst and Wehenkel (2006), *Extremely randomized trees*; López de Prado (2018), *Advances in Financial Machine Learning*, chapters 4 and 6.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForestModel {
    /// Left out of stored classifications, which are older than the word.
    #[serde(default, skip_serializing_if = "Task::is_classification")]
    task: Task,
    columns: usize,
    importance: Vec<f64>,
    out_of_bag: Option<OutOfBag>,
    trees: Vec<Tree>,
}

/// Rows that are predicted together, and the share of work of one thread.
const BLOCK_ROWS: usize = 128;

impl ForestModel {
    pub(super) fn fit(set: &TrainingSet<'_>, plan: Plan, seed: Seed, cancel: &CancelToken) -> Result<Self, ModelError> {
        let sampler = RowSampler::new(set, plan)?;
        let binned = Binned::new(set.features, plan.max_bins);
        let limits = Limits {
            max_depth: plan.max_depth,
            min_leaf: plan.min_leaf,
            features_per_node: plan.feature_sampling.count(set.columns()),
            cuts: plan.cuts,
        };
        let seed = seed.derive("tree");
        let grown = (0..plan.trees)
            .into_par_iter()
            .map(|tree| {
                cancel.check()?;
                let mut stream = seed.index(tree as u64).stream();
                let mut draws = sampler.draw(&mut stream);
                Ok(grow(&binned, &mut draws, limits, sampler.target(), &mut stream))
            })
            .collect::<Result<Vec<Grown>, ModelError>>()?;
        let importance = mean_gain(&grown, set.columns());
        let mut model = Self {
            task: set.task,
            columns: set.columns(),
            importance,
            out_of_bag: None,
            trees: grown.into_iter().map(|grown| grown.tree).collect(),
        };
        if plan.out_of_bag {
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
        if weight <= 0.0 {
            return Ok(None);
        }
        let of_truth = |p: f64, label: f64| if label == 1.0 { p } else { 1.0 - p };
        let squared = sum(scored().map(|(p, w, target)| w * (p - target) * (p - target))) / weight;
        let log = || sum(scored().map(|(p, w, label)| -w * libm::log(of_truth(p, label).max(1e-15)))) / weight;
        let rows = scored().count();
        Ok(Some(match self.task {
            Task::Classification => {
                OutOfBag { rows, brier_loss: Some(squared), log_loss: Some(log()), squared_loss: None }
            }
            Task::Regression => OutOfBag { rows, brier_loss: None, log_loss: None, squared_loss: Some(squared) },
        }))
    }
}

impl Predictor for ForestModel {
    fn task(&self) -> Task {
        self.task
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
        let is_sound = |leaf: f64| match self.task {
            Task::Classification => (0.0..=1.0).contains(&leaf),
            Task::Regression => leaf.is_finite(),
        };
        if let Some(leaf) = self.trees.iter().flat_map(Tree::leaves).find(|&leaf| !is_sound(leaf)) {
            return Err(ModelError::Damaged(format!("a leaf of {leaf} in a {}", self.task)));
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
