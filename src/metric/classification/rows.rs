//! The checked columns that every metric of this room works on.

use crate::stats::sum::sum;

/// Columns of equal, non-zero length with probabilities in `[0, 1]` and usable weights.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub labels: &'a [bool],
    pub probabilities: &'a [f64],
    weights: Option<&'a [f64]>,
}

impl<'a> Rows<'a> {
    pub fn checked(labels: &'a [bool], probabilities: &'a [f64], weights: Option<&'a [f64]>) -> Option<Self> {
        let usable_weights = weights.is_none_or(|weights| {
            weights.len() == labels.len()
                && weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0)
                && weights.iter().any(|weight| *weight > 0.0)
        });
        let usable = !labels.is_empty()
            && labels.len() == probabilities.len()
            && probabilities.iter().all(|probability| (0.0..=1.0).contains(probability))
            && usable_weights;
        usable.then_some(Self { labels, probabilities, weights })
    }

    pub fn len(&self) -> usize {
        self.labels.len()
    }

    pub fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[row])
    }

    /// 1 for a positive row, 0 for a negative one.
    pub fn outcome(&self, row: usize) -> f64 {
        f64::from(u8::from(self.labels[row]))
    }

    pub fn total_weight(&self) -> f64 {
        sum((0..self.len()).map(|row| self.weight(row)))
    }

    pub fn weighted_mean(&self, value: impl Fn(usize) -> f64) -> f64 {
        sum((0..self.len()).map(|row| self.weight(row) * value(row))) / self.total_weight()
    }

    /// Weighted share of positive rows.
    pub fn prevalence(&self) -> f64 {
        self.weighted_mean(|row| self.outcome(row))
    }

    /// Row numbers by falling probability, tied rows in their order.
    pub fn descending(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.sort_by(|&a, &b| self.probabilities[b].total_cmp(&self.probabilities[a]));
        order
    }

    /// Weights of positive and negative rows for each distinct probability, highest first.
    pub fn tie_groups(&self) -> Vec<TieGroup> {
        let mut groups: Vec<(f64, TieGroup)> = Vec::new();
        for row in self.descending() {
            let probability = self.probabilities[row];
            if groups.last().is_none_or(|(last, _)| *last != probability) {
                groups.push((probability, TieGroup::default()));
            }
            if let Some((_, group)) = groups.last_mut() {
                let side = if self.labels[row] { &mut group.positive } else { &mut group.negative };
                *side += self.weight(row);
            }
        }
        groups.into_iter().map(|(_, group)| group).collect()
    }
}

/// Rows that share one probability.
#[derive(Clone, Copy, Default)]
pub(super) struct TieGroup {
    pub positive: f64,
    pub negative: f64,
}
