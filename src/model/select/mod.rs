//! Feature selection inside a fold: what is fitted here is fitted on the fold's training rows and on nothing else.
//!
//! Three steps, each off unless it is asked for, in this order:
//!
//! | step | drops | looks at labels |
//! |---|---|---|
//! | `min_variance` | features whose variance is not above it | no |
//! | `max_correlation` | all but one of each cluster of features that correlate beyond it | no |
//! | `permutation` | features without which the model predicts no worse | yes, on an inner split |
//!
//! A fold never ends up without a feature: the last step keeps the best one.

mod correlation;
mod permutation;
mod stability;
#[cfg(test)]
mod tests;

use ndarray::{ArrayView2, Axis};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::schema;
use crate::stats::sum::variance;

pub use permutation::{Permutation, permutation_importance};
pub use stability::stability;

pub(super) use permutation::strongest;

/// Which features a fold learns from. Nothing set: all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Selection {
    /// Drops features whose variance over the training rows is not above this; 0 drops constants. Unset: none.
    #[schemars(range(min = 0))]
    pub min_variance: Option<f64>,
    /// Keeps one feature of each cluster in which any two have a rank correlation of at least this in magnitude. Unset: all.
    #[schemars(transform = schema::level)]
    pub max_correlation: Option<f64>,
    /// Drops features that do not help on the youngest training rows.
    pub permutation: Permutation,
}

/// Why a feature was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DropReason {
    /// Its variance, not above the bound.
    Variance(f64),
    /// The column that stands for its cluster.
    CorrelatesWith(usize),
    /// Its permutation importance, too low or not among the best.
    Importance(f64),
}

/// The features of a fold, by column.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Selected {
    /// Kept columns, rising.
    pub kept: Vec<usize>,
    /// Dropped columns with the reason, rising.
    pub dropped: Vec<(usize, DropReason)>,
}

impl Selected {
    /// Keeps every column.
    pub fn all(columns: usize) -> Self {
        Self { kept: (0..columns).collect(), dropped: Vec::new() }
    }

    pub(super) fn drop(&mut self, dropped: impl IntoIterator<Item = (usize, DropReason)>) {
        self.dropped.extend(dropped);
        self.dropped.sort_by_key(|(column, _)| *column);
        self.kept.retain(|column| self.dropped.iter().all(|(dropped, _)| dropped != column));
    }
}

impl Selection {
    /// Whether no step is asked for.
    pub fn is_off(&self) -> bool {
        self.min_variance.is_none() && self.max_correlation.is_none() && self.permutation.is_off()
    }

    /// Refuses bounds that make no sense: the key, and what was expected.
    pub fn defect(&self) -> Option<(&'static str, String)> {
        if let Some(bound) = self.min_variance.filter(|bound| !(bound.is_finite() && *bound >= 0.0)) {
            return Some(("min_variance", format!("expected a number of at least 0, found {bound}")));
        }
        if let Some(bound) = self.max_correlation.filter(|bound| !(*bound > 0.0 && *bound < 1.0)) {
            return Some(("max_correlation", format!("expected a number between 0 and 1, found {bound}")));
        }
        self.permutation.defect()
    }

    /// The steps that look at features only.
    pub(super) fn by_features(&self, features: ArrayView2<'_, f64>) -> Selected {
        let mut selected = Selected::all(features.ncols());
        if let Some(bound) = self.min_variance {
            let spread = |column: usize| {
                let present: Vec<f64> = features.column(column).iter().copied().filter(|x| x.is_finite()).collect();
                variance(&present, 0).unwrap_or(0.0)
            };
            let flat: Vec<(usize, DropReason)> = (0..features.ncols())
                .map(|column| (column, spread(column)))
                .filter(|(_, variance)| *variance <= bound)
                .map(|(column, variance)| (column, DropReason::Variance(variance)))
                .collect();
            // a fold without any feature could not be trained: then all are as good
            if flat.len() < features.ncols() {
                selected.drop(flat);
            }
        }
        if let Some(bound) = self.max_correlation {
            let kept = selected.kept.clone();
            let of_kept = features.select(Axis(1), &kept);
            let alike = correlation::redundant(of_kept.view(), bound);
            selected.drop(
                alike.into_iter().map(|(column, stands)| (kept[column], DropReason::CorrelatesWith(kept[stands]))),
            );
        }
        selected
    }
}
