//! Decisions at a threshold and the metrics of their four counts.

use serde::{Deserialize, Serialize};

use super::rows::Rows;

/// The confusion matrix: total weights of rows, whole numbers without weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Confusion {
    /// Negative rows called negative.
    pub true_negative: f64,
    /// Negative rows called positive.
    pub false_positive: f64,
    /// Positive rows called negative.
    pub false_negative: f64,
    /// Positive rows called positive.
    pub true_positive: f64,
}

/// Counts decisions: a row is called positive when its probability is at least `threshold`.
pub fn confusion_at(
    labels: &[bool],
    probabilities: &[f64],
    weights: Option<&[f64]>,
    threshold: f64,
) -> Option<Confusion> {
    let rows = Rows::checked(labels, probabilities, weights)?;
    let mut counts = Confusion::default();
    for row in 0..rows.len() {
        let cell = match (rows.labels[row], rows.probabilities[row] >= threshold) {
            (false, false) => &mut counts.true_negative,
            (false, true) => &mut counts.false_positive,
            (true, false) => &mut counts.false_negative,
            (true, true) => &mut counts.true_positive,
        };
        *cell += rows.weight(row);
    }
    Some(counts)
}

/// Computes the F1 of calling every row positive, `2 q / (1 + q)` for prevalence q: what an F1 must beat.
pub fn trivial_f1(labels: &[bool]) -> Option<f64> {
    if labels.is_empty() {
        return None;
    }
    let prevalence = labels.iter().filter(|label| **label).count() as f64 / labels.len() as f64;
    Some(2.0 * prevalence / (1.0 + prevalence))
}

impl Confusion {
    /// Total weight of all rows.
    pub fn total(&self) -> f64 {
        self.positives() + self.negatives()
    }

    /// Share of rows called rightly; `None` without rows.
    pub fn accuracy(&self) -> Option<f64> {
        let total = self.total();
        (total > 0.0).then(|| (self.true_positive + self.true_negative) / total)
    }

    /// Share of positive rows among those called positive; 0 when none was called.
    pub fn precision(&self) -> f64 {
        share(self.true_positive, self.called())
    }

    /// Share of positive rows that were called positive; 0 without positive rows.
    pub fn recall(&self) -> f64 {
        share(self.true_positive, self.positives())
    }

    /// Share of negative rows that were called negative; 0 without negative rows.
    pub fn specificity(&self) -> f64 {
        share(self.true_negative, self.negatives())
    }

    /// Harmonic mean of precision and recall, `2 TP / (2 TP + FP + FN)`; 0 without a denominator.
    pub fn f1(&self) -> f64 {
        self.f_beta(1.0)
    }

    /// F score that weighs recall `beta` times as much as precision (van Rijsbergen, 1979); 0 without a denominator.
    pub fn f_beta(&self, beta: f64) -> f64 {
        let square = beta * beta;
        let hits = (1.0 + square) * self.true_positive;
        share(hits, hits + square * self.false_negative + self.false_positive)
    }

    /// Matthews correlation of label and decision (Matthews, 1975); 0 when a margin is empty.
    pub fn mcc(&self) -> f64 {
        let product = self.true_positive * self.true_negative - self.false_positive * self.false_negative;
        let called_negative = self.total() - self.called();
        // roots of the factors: their product overflows the exact range of a double for large weights
        let scale = (self.called() * called_negative).sqrt() * (self.positives() * self.negatives()).sqrt();
        share(product, scale)
    }

    /// Mean recall of the classes that are present; `None` without rows.
    pub fn balanced_accuracy(&self) -> Option<f64> {
        match (self.positives() > 0.0, self.negatives() > 0.0) {
            (true, true) => Some(0.5 * (self.recall() + self.specificity())),
            (true, false) => Some(self.recall()),
            (false, true) => Some(self.specificity()),
            (false, false) => None,
        }
    }

    /// Cohen's kappa: agreement beyond chance (Cohen, 1960); 0 when chance agreement is complete.
    pub fn kappa(&self) -> f64 {
        let crossed = self.called() * self.negatives() + (self.total() - self.called()) * self.positives();
        let wrong = self.total() * (self.false_positive + self.false_negative);
        share(crossed - wrong, crossed)
    }

    fn positives(&self) -> f64 {
        self.true_positive + self.false_negative
    }

    fn negatives(&self) -> f64 {
        self.true_negative + self.false_positive
    }

    fn called(&self) -> f64 {
        self.true_positive + self.false_positive
    }
}

/// A quotient with scikit-learn's convention `zero_division=0`.
fn share(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}
