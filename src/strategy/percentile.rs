//! Percentile of a value among those of earlier sessions.

/// Maps each value to its midrank percentile `(less + equal / 2) / n` among the values of strictly earlier sessions.
///
/// Values of the same session do not see one another, so neither the order of symbols nor their number in a session
/// matters, and a later signal never moves an earlier one.
///
/// # Shape
/// `sessions` does not fall and is as long as `values`.
///
/// # NaN
/// A missing value maps to NaN and counts for nobody; without any earlier value the percentile is 0.5.
pub(super) fn expanding_percentile(sessions: &[u32], values: &[f64]) -> Vec<f64> {
    let ranks = dense_ranks(values);
    let distinct = ranks.iter().flatten().max().map_or(0, |&rank| rank + 1);
    let mut counts = Counts { tree: vec![0; distinct + 1], each: vec![0; distinct], total: 0 };
    let mut out = vec![f64::NAN; values.len()];
    let mut start = 0;
    while start < values.len() {
        let end = start + sessions[start..].iter().take_while(|&&session| session == sessions[start]).count();
        for (percentile, rank) in out[start..end].iter_mut().zip(&ranks[start..end]) {
            if let Some(rank) = *rank {
                *percentile = counts.percentile(rank);
            }
        }
        ranks[start..end].iter().flatten().for_each(|&rank| counts.add(rank));
        start = end;
    }
    out
}

/// Position of each value among the distinct finite ones.
fn dense_ranks(values: &[f64]) -> Vec<Option<usize>> {
    let mut order: Vec<(f64, usize)> = values
        .iter()
        .copied()
        .enumerate()
        .filter(|(_, value)| !value.is_nan())
        .map(|(at, value)| (value, at))
        .collect();
    order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut ranks = vec![None; values.len()];
    let mut rank = 0;
    for (position, &(value, at)) in order.iter().enumerate() {
        if position > 0 && order[position - 1].0 != value {
            rank += 1;
        }
        ranks[at] = Some(rank);
    }
    ranks
}

/// Counts by rank with prefix sums in O(log n) (Fenwick 1994).
struct Counts {
    tree: Vec<u32>,
    each: Vec<u32>,
    total: u32,
}

impl Counts {
    fn add(&mut self, rank: usize) {
        self.total += 1;
        self.each[rank] += 1;
        let mut node = rank + 1;
        while node < self.tree.len() {
            self.tree[node] += 1;
            node += node & node.wrapping_neg();
        }
    }

    fn percentile(&self, rank: usize) -> f64 {
        if self.total == 0 {
            return 0.5;
        }
        let (mut less, mut node) = (0, rank);
        while node > 0 {
            less += self.tree[node];
            node &= node - 1;
        }
        (f64::from(less) + 0.5 * f64::from(self.each[rank])) / f64::from(self.total)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_percentile_is_the_one_counted_by_hand(rows in proptest::collection::vec((0_u32..6, 0_u32..5), 0..40)) {
            let mut rows = rows;
            rows.sort_by_key(|row| row.0);
            let sessions: Vec<u32> = rows.iter().map(|row| row.0).collect();
            let values: Vec<f64> = rows.iter().map(|row| if row.1 == 4 { f64::NAN } else { f64::from(row.1) }).collect();
            let found = expanding_percentile(&sessions, &values);
            for at in 0..values.len() {
                let earlier: Vec<f64> = (0..at).filter(|&i| sessions[i] < sessions[at] && !values[i].is_nan()).map(|i| values[i]).collect();
                if values[at].is_nan() {
                    prop_assert!(found[at].is_nan());
                } else if earlier.is_empty() {
                    prop_assert_eq!(found[at], 0.5);
                } else {
                    let less = earlier.iter().filter(|&&v| v < values[at]).count() as f64;
                    let equal = earlier.iter().filter(|&&v| v == values[at]).count() as f64;
                    prop_assert_eq!(found[at], (less + 0.5 * equal) / earlier.len() as f64);
                }
            }
        }
    }
}
