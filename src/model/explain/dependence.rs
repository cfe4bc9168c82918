//! What a model says as one feature moves.
//!
//! | curve | at a value `z` of the feature |
//! |---|---|
//! | partial dependence | mean prediction over rows whose feature is set to `z` |
//! | ICE band | the middle 80 % of those predictions |
//! | accumulated local effect | sum up to `z` of the mean change of the prediction from one edge of a bin to the next, over the rows in the bin; mean 0 over the rows |
//!
//! Partial dependence asks about rows that may not exist where features go together; the accumulated effect moves each row
//! within its own bin only. Both say how many rows stand behind a point.
//!
//! # References
//! Friedman (2001), *Greedy function approximation*; Goldstein et al. (2015), *Peeking inside the black box*; Apley and Zhu
//! (2020), *Visualizing the effects of predictor variables in black box supervised learning models*.

use ndarray::{Array2, ArrayView2, Axis};
use serde::Serialize;

use crate::stats::order::{quantile_sorted, sorted};
use crate::stats::sum::{mean, sum};

/// A feature's curve.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curve {
    /// Edges of the bins, rising.
    pub points: Vec<CurvePoint>,
    /// Rows in which the feature is missing.
    pub missing: usize,
}

/// A point of the curve, at the upper edge of a bin; the first is the smallest value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CurvePoint {
    /// The feature's value.
    pub value: f64,
    /// Mean prediction.
    pub partial: f64,
    /// Lower end of the ICE band.
    pub low: f64,
    /// Upper end of the ICE band.
    pub high: f64,
    /// Accumulated local effect.
    pub effect: f64,
    /// Rows in the bin that ends here.
    pub rows: usize,
}

/// Follows a feature over at most `bins` bins of about equally many rows, `None` where it has fewer than two values.
///
/// `predict` gives one number a row. Partial dependence is taken over at most `most_rows` rows, evenly spaced.
pub fn dependence(
    predict: &dyn Fn(ArrayView2<'_, f64>) -> Vec<f64>,
    rows: ArrayView2<'_, f64>,
    feature: usize,
    bins: usize,
    most_rows: usize,
) -> Option<Curve> {
    let present: Vec<f64> = rows.column(feature).iter().copied().filter(|value| value.is_finite()).collect();
    let edges = edges(&present, bins)?;
    let effects = accumulated(predict, rows, feature, &edges);
    let stride = rows.nrows().div_ceil(most_rows.max(1)).max(1);
    let sample: Vec<usize> = (0..rows.nrows()).step_by(stride).collect();
    let mut moved = rows.select(Axis(0), &sample);
    let points = edges.iter().zip(effects).map(|(&value, (effect, rows))| {
        moved.column_mut(feature).fill(value);
        let said = predict(moved.view());
        let ordered = sorted(&said);
        let at = |q| quantile_sorted(&ordered, q).unwrap_or(f64::NAN);
        CurvePoint { value, partial: mean(&said).unwrap_or(f64::NAN), low: at(0.1), high: at(0.9), effect, rows }
    });
    Some(Curve { points: points.collect(), missing: rows.nrows() - present.len() })
}

fn edges(present: &[f64], bins: usize) -> Option<Vec<f64>> {
    let ordered = sorted(present);
    let mut edges: Vec<f64> =
        (0..=bins.max(1)).filter_map(|bin| quantile_sorted(&ordered, bin as f64 / bins.max(1) as f64)).collect();
    edges.dedup();
    (edges.len() > 1).then_some(edges)
}

/// The effect and the number of rows of every edge.
fn accumulated(
    predict: &dyn Fn(ArrayView2<'_, f64>) -> Vec<f64>,
    rows: ArrayView2<'_, f64>,
    feature: usize,
    edges: &[f64],
) -> Vec<(f64, usize)> {
    let column = rows.column(feature);
    let known: Vec<usize> = (0..rows.nrows()).filter(|&row| column[row].is_finite()).collect();
    // the smallest value belongs to the first bin
    let bin = |row: usize| edges.partition_point(|&edge| edge < column[row]).clamp(1, edges.len() - 1);
    let at_edge = |upper: bool| -> Vec<f64> {
        let mut moved: Array2<f64> = rows.select(Axis(0), &known);
        for (cell, &row) in moved.column_mut(feature).iter_mut().zip(&known) {
            *cell = edges[bin(row) - usize::from(!upper)];
        }
        predict(moved.view())
    };
    let (low, high) = (at_edge(false), at_edge(true));
    let mut steps = vec![(0.0, 0_usize); edges.len()];
    for (position, &row) in known.iter().enumerate() {
        let step = &mut steps[bin(row)];
        step.0 += high[position] - low[position];
        step.1 += 1;
    }
    let mut total = 0.0;
    for step in &mut steps {
        total += if step.1 > 0 { step.0 / step.1 as f64 } else { 0.0 };
        step.0 = total;
    }
    // a row stands between the edges of its bin
    let centre = sum((1..edges.len()).map(|edge| steps[edge].1 as f64 * 0.5 * (steps[edge].0 + steps[edge - 1].0)));
    let centre = centre / known.len().max(1) as f64;
    steps.into_iter().map(|(effect, rows)| (effect - centre, rows)).collect()
}
