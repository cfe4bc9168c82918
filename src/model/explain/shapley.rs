//! SHAP values: what each feature adds to the prediction of one row.
//!
//! **Trees.** Path-dependent: a feature that is left out is averaged over, by the share of rows (cover) that went each way
//! at every split on it. Let a leaf of value `v` lie behind splits on the features `D`, and let `z` be the share of cover
//! that reaches it through the splits on a feature, `o` be 1 where the row passes all of them and else 0. Then
//!
//! `phi_i = sum over leaves of v (o_i - z_i) * integral over t in [0, 1] of prod over j in D, j != i, of (z_j (1 - t) + o_j t)`
//!
//! The integrand is a polynomial in `t` of degree below `|D|`, so that Gauss-Legendre points give the integral exactly. The
//! products are carried down the tree and the sums up, which costs nodes x points for a row.
//!
//! **Linear models.** `coefficient * (z - mean of z over the background)`, features taken as independent.
//!
//! Values are in units of the sum before the link: log-odds for boosting and logistic regression, probability for forests.
//! The base value and a row's values add up to its sum. Not guaranteed: that a feature which causes nothing gets nothing;
//! where features go together, path-dependent values follow the trees, not the world.
//!
//! # References
//! Lundberg, Erion and Lee (2018), *Consistent individualized feature attribution for tree ensembles*; Shapley (1953), *A
//! value for n-person games*, whose weights are `integral of t^k (1 - t)^(n - k - 1)`.

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use super::quadrature::gauss_legendre;
use crate::model::interop::{PlainLinear, PlainModel, PlainTree, PlainTrees};
use crate::stats::sum::sum;

/// SHAP values of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Shapley {
    /// The mean prediction over the background, before the link.
    pub base: f64,
    /// Rows x features, before the link.
    pub values: Array2<f64>,
}

/// Computes the SHAP values of every row; the same for any number of threads.
///
/// # Shape
/// `rows` and `background` have the model's columns.
///
/// `background` is what left-out features are averaged over: for trees that do not know how many rows reached their nodes
/// (forests), and for linear models. A boosted model has the covers of its training.
///
/// # NaN
/// A value that is not finite is missing, and goes where the model sends it.
pub fn shapley(model: &PlainModel, background: ArrayView2<'_, f64>, rows: ArrayView2<'_, f64>) -> Shapley {
    match model {
        PlainModel::Trees(trees) => of_trees(trees, background, rows),
        PlainModel::Linear(linear) => of_linear(linear, background, rows),
    }
}

fn of_linear(model: &PlainLinear, background: ArrayView2<'_, f64>, rows: ArrayView2<'_, f64>) -> Shapley {
    let columns = model.coefficients.len();
    let count = background.nrows().max(1) as f64;
    let mean: Vec<f64> = (0..columns)
        .map(|column| sum(background.column(column).iter().map(|&x| model.transform.apply(column, x))) / count)
        .collect();
    let value = |(row, column)| {
        model.coefficients[column] * (model.transform.apply(column, rows[[row, column]]) - mean[column])
    };
    Shapley {
        base: model.intercept + sum(model.coefficients.iter().zip(&mean).map(|(c, mean)| c * mean)),
        values: Array2::from_shape_fn((rows.nrows(), columns), value),
    }
}

/// A tree whose splits know which share of their rows goes each way.
struct Weighed<'a> {
    tree: &'a PlainTree,
    /// Share that goes left, by node.
    left: Vec<f64>,
    /// Mean of the tree over its rows.
    mean: f64,
}

fn weigh<'a>(tree: &'a PlainTree, background: ArrayView2<'_, f64>) -> Weighed<'a> {
    let known: Option<Vec<f64>> = tree.nodes.iter().map(|node| node.cover).collect();
    let cover = known.unwrap_or_else(|| counted(tree, background));
    let share = |at: usize| match tree.nodes[at].split {
        // where no row came, nothing depends on the share
        Some(split) => {
            let both = cover[split.left] + cover[split.right];
            if both > 0.0 { cover[split.left] / both } else { 0.5 }
        }
        None => 1.0,
    };
    let left: Vec<f64> = (0..tree.nodes.len()).map(share).collect();
    let mut means: Vec<f64> = tree.nodes.iter().map(|node| node.value).collect();
    // children come after their parents
    for at in (0..tree.nodes.len()).rev() {
        if let Some(split) = tree.nodes[at].split {
            means[at] = left[at] * means[split.left] + (1.0 - left[at]) * means[split.right];
        }
    }
    Weighed { tree, mean: means[0], left }
}

/// How many rows of a table reach each node.
fn counted(tree: &PlainTree, rows: ArrayView2<'_, f64>) -> Vec<f64> {
    let mut cover = vec![0.0; tree.nodes.len()];
    for row in rows.rows() {
        let mut at = 0;
        cover[0] += 1.0;
        while let Some(split) = tree.nodes[at].split {
            at = split.child(row[split.feature]);
            cover[at] += 1.0;
        }
    }
    cover
}

fn of_trees(model: &PlainTrees, background: ArrayView2<'_, f64>, rows: ArrayView2<'_, f64>) -> Shapley {
    let trees: Vec<Weighed<'_>> = model.trees.par_iter().map(|tree| weigh(tree, background)).collect();
    let base = model.base + sum(trees.iter().map(|tree| tree.mean));
    let needed = trees.iter().map(|tree| features_on_a_path(tree.tree)).max().unwrap_or(0).div_ceil(2);
    let values = match needed {
        0 | 1 => on_points::<1>(model.columns, &trees, rows),
        2 => on_points::<2>(model.columns, &trees, rows),
        3 | 4 => on_points::<4>(model.columns, &trees, rows),
        5..=8 => on_points::<8>(model.columns, &trees, rows),
        9..=16 => on_points::<16>(model.columns, &trees, rows),
        _ => on_points::<32>(model.columns, &trees, rows),
    };
    Shapley { base, values }
}

/// At most so many different features stand between the root and a leaf: the depth bounds them.
fn features_on_a_path(tree: &PlainTree) -> usize {
    let mut depth = vec![0_usize; tree.nodes.len()];
    for at in 0..tree.nodes.len() {
        if let Some(split) = tree.nodes[at].split {
            depth[split.left] = depth[at] + 1;
            depth[split.right] = depth[at] + 1;
        }
    }
    depth.into_iter().max().unwrap_or(0)
}

fn on_points<const N: usize>(columns: usize, trees: &[Weighed<'_>], rows: ArrayView2<'_, f64>) -> Array2<f64> {
    let (points, weights) = gauss_legendre::<N>();
    let table: Vec<f64> = (0..rows.nrows())
        .into_par_iter()
        .flat_map_iter(|at| {
            let row = rows.row(at).to_vec();
            let mut values = vec![0.0; columns];
            let mut seen = vec![(1.0, 1.0); columns];
            for tree in trees {
                let mut walk =
                    Walk { tree, row: &row, points: &points, weights: &weights, seen: &mut seen, values: &mut values };
                walk.visit(0, [1.0; N]);
            }
            values
        })
        .collect();
    // a table of so many rows by columns by construction
    Array2::from_shape_vec((rows.nrows(), columns), table).unwrap_or_default()
}

/// The way of one row through one tree.
struct Walk<'a, const N: usize> {
    tree: &'a Weighed<'a>,
    row: &'a [f64],
    points: &'a [f64; N],
    weights: &'a [f64; N],
    /// Share of cover, and whether the row passes, of the splits so far, by feature.
    seen: &'a mut [(f64, f64)],
    values: &'a mut [f64],
}

impl<const N: usize> Walk<'_, N> {
    /// `z (1 - t) + o t` at every point.
    fn factor(&self, (share, passes): (f64, f64)) -> [f64; N] {
        self.points.map(|t| share * (1.0 - t) + passes * t)
    }

    /// Gives what the leaves below a node are worth, each times the product of the factors of its path; on the way it adds
    /// what the splits are due. A feature that was asked before gives back what its earlier split was given for the leaves
    /// below the later one.
    fn visit(&mut self, at: usize, product: [f64; N]) -> [f64; N] {
        let node = &self.tree.tree.nodes[at];
        let Some(split) = node.split else { return product.map(|share| share * node.value) };
        let goes = split.child(self.row[split.feature]);
        let before = self.seen[split.feature];
        let old = self.factor(before).map(f64::recip);
        let mut total = [0.0; N];
        let left = self.tree.left[at];
        for (child, share) in [(split.left, left), (split.right, 1.0 - left)] {
            let now = (before.0 * share, if child == goes { before.1 } else { 0.0 });
            if now == (0.0, 0.0) {
                // no row went there, and this one does not
                continue;
            }
            let new = self.factor(now);
            let below = {
                let product = std::array::from_fn(|q| product[q] * old[q] * new[q]);
                self.seen[split.feature] = now;
                let below = self.visit(child, product);
                self.seen[split.feature] = before;
                below
            };
            let mut due = 0.0;
            for q in 0..N {
                due += self.weights[q] * below[q] * ((now.1 - now.0) / new[q] - (before.1 - before.0) * old[q]);
                total[q] += below[q];
            }
            self.values[split.feature] += due;
        }
        total
    }
}
