//! How unlike a signal is to those that a model was judged on.
//!
//! The reference is the record of out-of-fold rows that a model carries: signals of its own training data. Features are
//! scaled to mean 0 and deviation 1 over the reference and, for the dissimilarity index, weighted by the model's importances;
//! a missing value stands at the mean.
//!
//! - **Dissimilarity index**: distance to the nearest row of the reference over the mean distance between two of its rows.
//!   A signal is novel beyond the upper whisker (Q75 + 1.5 IQR) of the index of the reference itself, each row against those
//!   of other time blocks: neighbours in time are nearly copies.
//! - **DBSCAN**: a signal is novel where it is noise among the reference: in no cluster of rows that have `min_points`
//!   neighbours within the distance that all but one in twenty rows have theirs in.
//!
//! # References
//! Meyer and Pebesma (2021), Predicting into unknown space? Estimating the area of applicability of spatial prediction models;
//! Ester et al. (1996), A density-based algorithm for discovering clusters.

use linfa::ParamGuard as _;
use linfa::traits::Transformer as _;
use linfa_clustering::Dbscan;
use ndarray::{Array2, ArrayView1, ArrayView2, Axis, Slice};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stats::order::{quantile_sorted, sorted};

/// Time blocks that the reference is parted into.
const BLOCKS: usize = 10;
/// Share of the rows of the reference whose neighbourhood DBSCAN calls dense.
const DENSE: f64 = 0.95;

/// How novelty is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoveltyMethod {
    /// Not at all.
    None,
    /// By the dissimilarity index.
    #[default]
    DissimilarityIndex,
    /// As noise of DBSCAN.
    Dbscan,
}

/// What happens to a novel signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnNovel {
    /// It is marked.
    #[default]
    Flag,
    /// It is dropped.
    Reject,
}

/// How signals are noticed that a model knows nothing about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NoveltyRules {
    /// How it is measured.
    pub method: NoveltyMethod,
    /// What happens to a novel signal.
    pub on_novel: OnNovel,
    /// Neighbours, itself included, that make a row of the reference dense, for `dbscan`.
    #[schemars(range(min = 2))]
    pub min_points: usize,
    /// Newest rows of the model's record to compare with: the cost grows with their square.
    #[schemars(range(min = 20))]
    pub max_reference: usize,
}

impl Default for NoveltyRules {
    fn default() -> Self {
        Self { method: NoveltyMethod::default(), on_novel: OnNovel::default(), min_points: 5, max_reference: 1000 }
    }
}

impl NoveltyRules {
    /// Says what is out of range, if anything: the key, and what was expected.
    pub fn defect(&self) -> Option<(&'static str, String)> {
        if self.min_points < 2 {
            return Some(("min_points", format!("expected 2 or more, found {}", self.min_points)));
        }
        let few = self.max_reference < 2 * BLOCKS;
        few.then(|| ("max_reference", format!("expected {} or more, found {}", 2 * BLOCKS, self.max_reference)))
    }
}

/// What was found about one signal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Novelty {
    /// The dissimilarity index; for DBSCAN the distance to the nearest dense row over the allowed one.
    pub index: f64,
    /// Whether it is beyond what the reference shows itself.
    pub is_novel: bool,
}

/// The rows that signals are compared with.
#[derive(Clone, Debug)]
pub struct NoveltyReference {
    method: NoveltyMethod,
    min_points: usize,
    /// Scaled and weighted, rows x features.
    rows: Array2<f64>,
    centre: Vec<f64>,
    /// What a deviation from the centre is multiplied by, by feature.
    factor: Vec<f64>,
    /// Mean distance between two rows, or the distance within which a row is dense.
    scale: f64,
    limit: f64,
}

impl NoveltyReference {
    /// Prepares the reference; `None` where nothing is asked for, or where too few rows or none that differ make one.
    ///
    /// # Shape
    /// `rows` in time order, rows x features; one importance a feature.
    pub fn new(rules: &NoveltyRules, rows: ArrayView2<'_, f64>, importance: &[f64]) -> Option<Self> {
        let first = rows.nrows().saturating_sub(rules.max_reference);
        let rows = rows.slice_axis(Axis(0), Slice::from(first..));
        if rules.method == NoveltyMethod::None || rows.nrows() < 2 * BLOCKS || rows.ncols() != importance.len() {
            return None;
        }
        let weights: Vec<f64> = match rules.method {
            NoveltyMethod::Dbscan => vec![1.0; importance.len()],
            _ => importance.iter().map(|it| if it.is_finite() { it.max(0.0) } else { 0.0 }).collect(),
        };
        let (mut centre, mut factor) = (Vec::new(), Vec::new());
        for (column, weight) in rows.columns().into_iter().zip(weights) {
            let known: Vec<f64> = column.iter().copied().filter(|value| value.is_finite()).collect();
            let count = known.len().max(1) as f64;
            let mean = known.iter().sum::<f64>() / count;
            let deviation = (known.iter().map(|it| (it - mean) * (it - mean)).sum::<f64>() / count).sqrt();
            centre.push(mean);
            factor.push(if deviation > 0.0 { weight / deviation } else { 0.0 });
        }
        let mut scaled = Array2::zeros(rows.raw_dim());
        for (mut to, from) in scaled.rows_mut().into_iter().zip(rows.rows()) {
            to.iter_mut().zip(place(from, &centre, &factor)).for_each(|(cell, value)| *cell = value);
        }
        let mut reference = Self {
            method: rules.method,
            min_points: rules.min_points,
            rows: scaled,
            centre,
            factor,
            scale: 0.0,
            limit: 0.0,
        };
        (reference.scale, reference.limit) = match rules.method {
            NoveltyMethod::Dbscan => (reference.dense_distance(), 1.0),
            _ => reference.index_of_itself()?,
        };
        (reference.scale > 0.0).then_some(reference)
    }

    /// Mean distance between two rows, and the whisker of the index of each row against other blocks.
    fn index_of_itself(&self) -> Option<(f64, f64)> {
        let rows = self.rows.nrows();
        let block = |row: usize| row * BLOCKS / rows;
        // by row: the sum of distances to later rows, and the nearest of another block
        let found: Vec<(f64, f64)> = (0..rows)
            .into_par_iter()
            .map(|a| {
                let (mut sum, mut nearest) = (0.0, f64::INFINITY);
                for b in 0..rows {
                    if a == b {
                        continue;
                    }
                    let apart = distance(self.rows.row(a), self.rows.row(b));
                    sum += if b > a { apart } else { 0.0 };
                    nearest = if block(a) == block(b) { nearest } else { nearest.min(apart) };
                }
                (sum, nearest)
            })
            .collect();
        let pairs = (rows * (rows - 1) / 2) as f64;
        let mean = found.iter().map(|(sum, _)| sum).sum::<f64>() / pairs;
        if mean.is_nan() || mean <= 0.0 {
            return None;
        }
        let index = sorted(&found.iter().map(|(_, nearest)| nearest / mean).collect::<Vec<f64>>());
        let (low, high) = (quantile_sorted(&index, 0.25)?, quantile_sorted(&index, 0.75)?);
        let whisker = high + 1.5 * (high - low);
        // the furthest row that is no outlier itself
        index.iter().rev().find(|it| **it <= whisker).map(|limit| (mean, *limit))
    }

    /// The distance within which all but one in twenty rows have `min_points` neighbours, themselves included.
    fn dense_distance(&self) -> f64 {
        let reach: Vec<f64> = (0..self.rows.nrows())
            .into_par_iter()
            .map(|a| {
                let all = self.rows.rows().into_iter().map(|other| distance(self.rows.row(a), other));
                let apart = sorted(&all.collect::<Vec<f64>>());
                apart.get(self.min_points - 1).copied().unwrap_or(f64::INFINITY)
            })
            .collect();
        let finite: Vec<f64> = sorted(&reach).into_iter().filter(|it| it.is_finite()).collect();
        quantile_sorted(&finite, DENSE).unwrap_or(0.0)
    }

    /// How unlike a signal is; `features` in the order of the reference.
    pub fn novelty(&self, features: ArrayView1<'_, f64>) -> Novelty {
        let own = ndarray::Array1::from(place(features, &self.centre, &self.factor));
        let apart = || self.rows.rows().into_iter().map(|row| distance(own.view(), row));
        let nearest = apart().fold(f64::INFINITY, f64::min);
        let index = nearest / self.scale;
        if self.method == NoveltyMethod::Dbscan {
            return Novelty { index, is_novel: self.is_noise(own.view()) };
        }
        Novelty { index, is_novel: index > self.limit }
    }

    /// Whether DBSCAN leaves a row out of every cluster of the reference.
    fn is_noise(&self, row: ArrayView1<'_, f64>) -> bool {
        let last = self.rows.nrows();
        let all = Array2::from_shape_fn((last + 1, row.len()), |(at, column)| match at < last {
            true => self.rows[[at, column]],
            false => row[column],
        });
        // a neighbour at just this distance counts
        let params = Dbscan::params(self.min_points).tolerance(self.scale.next_up());
        let Ok(params) = params.check() else { return true };
        params.transform(&all).last().copied().flatten().is_none()
    }
}

/// A row among those of the reference.
fn place(row: ArrayView1<'_, f64>, centre: &[f64], factor: &[f64]) -> Vec<f64> {
    let scaled = row.iter().zip(centre).zip(factor);
    scaled.map(|((value, mean), factor)| if value.is_finite() { (value - mean) * factor } else { 0.0 }).collect()
}

fn distance(a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, array};
    use proptest::prelude::*;

    use super::*;
    use crate::base::Seed;

    fn cloud(rows: usize, seed: u64) -> Array2<f64> {
        let mut stream = Seed::new(seed).stream();
        Array2::from_shape_fn((rows, 3), |_| stream.normal())
    }

    fn rules(method: NoveltyMethod) -> NoveltyRules {
        NoveltyRules { method, ..NoveltyRules::default() }
    }

    #[test]
    fn what_lies_far_outside_is_novel_and_what_lies_inside_is_not() {
        let rows = cloud(200, 1);
        for method in [NoveltyMethod::DissimilarityIndex, NoveltyMethod::Dbscan] {
            let reference = NoveltyReference::new(&rules(method), rows.view(), &[1.0, 1.0, 1.0]).unwrap();
            let novel = |row: Array1<f64>| reference.novelty(row.view()).is_novel;
            assert!(!novel(array![0.0, 0.1, -0.1]), "{method:?}");
            assert!(novel(array![9.0, 9.0, 9.0]), "{method:?}");
            assert!(!novel(rows.row(17).to_owned()) || method == NoveltyMethod::Dbscan, "{method:?}");
        }
    }

    #[test]
    fn a_feature_that_the_model_does_not_use_makes_nothing_novel() {
        let reference =
            NoveltyReference::new(&rules(NoveltyMethod::DissimilarityIndex), cloud(100, 2).view(), &[1.0, 1.0, 0.0]);
        let reference = reference.unwrap();
        assert!(!reference.novelty(array![0.0, 0.0, 1e6].view()).is_novel);
        assert!(reference.novelty(array![0.0, 1e6, 0.0].view()).is_novel);
        let missing = reference.novelty(array![0.0, f64::NAN, 0.0].view());
        assert_eq!(missing.is_novel, reference.novelty(array![0.0, reference.centre[1], 0.0].view()).is_novel);
    }

    #[test]
    fn without_rows_that_differ_there_is_no_reference() {
        let method = NoveltyMethod::DissimilarityIndex;
        assert!(NoveltyReference::new(&rules(method), cloud(19, 3).view(), &[1.0; 3]).is_none());
        assert!(NoveltyReference::new(&rules(method), Array2::zeros((50, 3)).view(), &[1.0; 3]).is_none());
        assert!(NoveltyReference::new(&rules(NoveltyMethod::None), cloud(50, 3).view(), &[1.0; 3]).is_none());
        assert!(NoveltyReference::new(&rules(method), cloud(50, 3).view(), &[0.0; 3]).is_none());
    }

    #[test]
    fn dbscan_agrees_with_its_definition() {
        let rows = cloud(80, 5);
        let reference = NoveltyReference::new(&rules(NoveltyMethod::Dbscan), rows.view(), &[1.0; 3]).unwrap();
        for at in 0..40 {
            let row =
                Array1::from_iter((0..3).map(|column| 0.15 * f64::from(at) * if column == 1 { -1.0 } else { 1.0 }));
            let own = Array1::from(place(row.view(), &reference.centre, &reference.factor));
            let near = |a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>| distance(a, b) <= reference.scale;
            // dense with the row itself among its neighbours, as the algorithm counts
            let around = |a: ArrayView1<'_, f64>| {
                let others = reference.rows.rows().into_iter().filter(|b| near(a, *b)).count();
                others + usize::from(near(a, own.view()))
            };
            let is_dense = around(own.view()) >= 5;
            let by_core = reference.rows.rows().into_iter().any(|it| near(it, own.view()) && around(it) >= 5);
            assert_eq!(reference.novelty(row.view()).is_novel, !(is_dense || by_core), "row {at}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn units_of_features_do_not_matter(seed in any::<u64>(), unit in 0.01_f64..100.0, shift in -50.0_f64..50.0) {
            let rows = cloud(40, seed);
            let moved = |row: &Array2<f64>| row.mapv(|value| unit * value + shift);
            let asked = cloud(5, seed ^ 1);
            let method = NoveltyMethod::DissimilarityIndex;
            let first = NoveltyReference::new(&rules(method), rows.view(), &[0.2, 0.3, 0.5]).unwrap();
            let second = NoveltyReference::new(&rules(method), moved(&rows).view(), &[0.2, 0.3, 0.5]).unwrap();
            for (a, b) in asked.rows().into_iter().zip(moved(&asked).rows()) {
                let (a, b) = (first.novelty(a), second.novelty(b));
                prop_assert!((a.index - b.index).abs() < 1e-6 * (1.0 + a.index), "{a:?} {b:?}");
            }
        }
    }
}
