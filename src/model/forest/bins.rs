//! Cutting features into bins.

use ndarray::{ArrayView1, ArrayView2};
use rayon::prelude::*;

use crate::base::RandomStream;

/// The bin of missing values; the others are numbered from 0.
pub(super) const MISSING: u8 = u8::MAX;
/// Room for every bin, the missing one included.
pub(super) const BINS: usize = MISSING as usize + 1;

/// A training table as bins, column by column.
pub(super) struct Binned {
    rows: usize,
    /// Column-major bin of every value.
    bins: Vec<u8>,
    /// For each column the upper edges of all its bins but the last: a value is in bin `b` when it is at most `edges[b]`
    /// and above `edges[b - 1]`.
    edges: Vec<Vec<f64>>,
}

impl Binned {
    pub(super) fn new(features: ArrayView2<'_, f64>, max_bins: usize) -> Self {
        let rows = features.nrows();
        // filled in place: a second copy would double the memory of a forest
        let mut bins = vec![MISSING; features.len()];
        let edges = bins
            .par_chunks_exact_mut(rows)
            .enumerate()
            .map(|(column, bins)| {
                let values = features.column(column);
                let edges = edges_of(values, max_bins);
                bins.iter_mut().zip(values).for_each(|(bin, &value)| *bin = bin_of(value, &edges));
                edges
            })
            .collect();
        Self { rows, bins, edges }
    }

    pub(super) const fn columns(&self) -> usize {
        self.edges.len()
    }

    /// The bin of every row of a column.
    pub(super) fn column(&self, column: usize) -> &[u8] {
        &self.bins[column * self.rows..(column + 1) * self.rows]
    }

    /// Draws a point evenly between bin `lowest` and the higher bin `highest`, and gives the last bin below it.
    pub(super) fn draw_cut(&self, column: usize, lowest: usize, highest: usize, stream: &mut RandomStream) -> usize {
        let edges = &self.edges[column][lowest..highest];
        let (low, high) = (edges[0], edges[edges.len() - 1]);
        let share = stream.uniform();
        // weighing both ends stays in range where their difference would not
        let point = low * (1.0 - share) + high * share;
        lowest + edges.partition_point(|&edge| edge < point).min(edges.len() - 1)
    }

    /// The value at or below which a row is in bin `bin` or a lower one; the largest number for the last bin.
    pub(super) fn threshold(&self, column: usize, bin: usize) -> f64 {
        self.edges[column].get(bin).copied().unwrap_or(f64::MAX)
    }
}

fn bin_of(value: f64, edges: &[f64]) -> u8 {
    if value.is_finite() {
        // at most 254 edges, so that the position fits below MISSING
        edges.partition_point(|&edge| edge < value) as u8
    } else {
        MISSING
    }
}

/// Upper edges of at most `max_bins` bins of about equally many rows; equal values are never torn apart, and a value more
/// frequent than a bin is meant to be gets one of its own.
fn edges_of(values: ArrayView1<'_, f64>, max_bins: usize) -> Vec<f64> {
    let mut present: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    present.sort_unstable_by(f64::total_cmp);
    let distinct: Vec<(f64, usize)> = present.chunk_by(|a, b| a == b).map(|run| (run[0], run.len())).collect();
    let pairs = distinct.windows(2).map(|pair| (pair[0], pair[1]));
    if distinct.len() <= max_bins {
        return pairs.map(|((low, _), (high, _))| between(low, high)).collect();
    }
    let mut edges: Vec<f64> = Vec::with_capacity(max_bins - 1);
    let (mut rows_left, mut in_bin) = (present.len(), 0);
    for ((value, count), (next, next_count)) in pairs {
        let bins_left = max_bins - edges.len();
        if bins_left == 1 {
            break;
        }
        in_bin += count;
        let wanted = rows_left as f64 / bins_left as f64;
        if in_bin as f64 >= wanted || next_count as f64 >= wanted {
            edges.push(between(value, next));
            rows_left -= in_bin;
            in_bin = 0;
        }
    }
    edges
}

/// A number with `low <= number < high`, near the middle.
fn between(low: f64, high: f64) -> f64 {
    let middle = low * 0.5 + high * 0.5;
    if low <= middle && middle < high { middle } else { low }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, aview1};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn few_values_get_a_bin_each() {
        let edges = edges_of(aview1(&[3.0, 1.0, f64::NAN, 3.0, 2.0]), 255);
        assert_eq!(edges, [1.5, 2.5]);
        assert_eq!([1.0, 1.5, 1.6, 9.0, f64::NAN].map(|value| bin_of(value, &edges)), [0, 0, 1, 2, MISSING]);
        assert!(edges_of(aview1(&[f64::NAN; 3]), 255).is_empty());
    }

    #[test]
    fn a_frequent_value_does_not_starve_the_others() {
        let values: Array1<f64> = (0..1000).map(|i| if i < 900 { 0.0 } else { f64::from(i) }).collect();
        let edges = edges_of(values.view(), 20);
        assert!(edges.len() >= 15, "{}", edges.len());
        assert!(edges[0] >= 0.0);
    }

    #[test]
    fn neighbouring_floats_can_be_told_apart() {
        let low = 1.0_f64;
        let high = low.next_up();
        let edges = edges_of(aview1(&[low, high]), 255);
        assert_eq!((bin_of(low, &edges), bin_of(high, &edges)), (0, 1));
        let edges = edges_of(aview1(&[-f64::MAX, f64::MAX]), 255);
        assert_eq!((bin_of(-f64::MAX, &edges), bin_of(f64::MAX, &edges)), (0, 1));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn bins_keep_order_and_number(values in prop::collection::vec(-50.0_f64..50.0, 1..400), max_bins in 2_usize..40) {
            let edges = edges_of(aview1(&values), max_bins);
            prop_assert!(edges.len() < max_bins);
            prop_assert!(edges.windows(2).all(|pair| pair[0] < pair[1]));
            for a in &values {
                for b in &values {
                    prop_assert!(a > b || bin_of(*a, &edges) <= bin_of(*b, &edges));
                }
            }
        }
    }
}
