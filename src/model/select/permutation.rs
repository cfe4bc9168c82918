//! What a model loses when a feature is shuffled.

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::DropReason;
use crate::base::{CancelToken, Cancelled, Seed};
use crate::model::loss::mean_loss;
use crate::model::training_set::TrainingSet;
use crate::stats::sum::mean;

/// Selection by permutation importance on an inner split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Permutation {
    /// Youngest share of the training sessions, purged, on which the loss is measured; the model learns from the rest.
    #[schemars(range(min = 0.05, max = 0.9))]
    pub share: f64,
    /// Times each feature is shuffled; 0 leaves the step out, 5 are enough.
    #[schemars(range(min = 0, max = 1000))]
    pub repeats: usize,
    /// Keeps features that raise the mean loss by more than this when shuffled.
    pub min_importance: f64,
    /// Keeps at most this many, the most important ones. Unset: no limit.
    #[schemars(range(min = 1))]
    pub keep: Option<usize>,
}

impl Default for Permutation {
    fn default() -> Self {
        Self { share: 0.25, repeats: 0, min_importance: 0.0, keep: None }
    }
}

impl Permutation {
    /// Whether nothing is shuffled.
    pub fn is_off(&self) -> bool {
        self.repeats == 0
    }

    pub(super) fn defect(&self) -> Option<(&'static str, String)> {
        if self.is_off() && *self != Self::default() {
            return Some(("permutation.repeats", "expected the number of times to shuffle, as 5, found 0".to_owned()));
        }
        if !(0.05..=0.9).contains(&self.share) {
            return Some(("permutation.share", format!("expected a share from 0.05 to 0.9, found {}", self.share)));
        }
        if self.repeats > 1000 {
            return Some(("permutation.repeats", format!("expected 0 to 1000, found {}", self.repeats)));
        }
        if !self.min_importance.is_finite() {
            return Some(("permutation.min_importance", format!("expected a number, found {}", self.min_importance)));
        }
        (self.keep == Some(0)).then(|| ("permutation.keep", "expected at least 1, found 0".to_owned()))
    }
}

/// Mean rise of a model's loss on `set` when a column is shuffled, over `repeats` shuffles; one value a column.
///
/// The loss is the weighted log loss of a classification, the weighted squared error of a regression. Correlated features
/// stand in for each other and both look unimportant: reduce clusters first.
///
/// # References
/// Breiman (2001), *Random forests*, section 10; Fisher, Rudin and Dominici (2019), *All models are wrong, but many are
/// useful*, JMLR 20(177).
///
/// # Errors
/// A cancelled token.
pub fn permutation_importance(
    predict: &(dyn Fn(ArrayView2<'_, f64>) -> Vec<f64> + Sync),
    set: &TrainingSet<'_>,
    repeats: usize,
    seed: Seed,
    cancel: &CancelToken,
) -> Result<Vec<f64>, Cancelled> {
    let loss = |features: &Array2<f64>| mean_loss(set, &predict(features.view()));
    let features = set.features.to_owned();
    let base = loss(&features);
    (0..set.columns())
        .into_par_iter()
        .map(|column| {
            cancel.check()?;
            let mut shuffled = features.clone();
            let rises: Vec<f64> = (0..repeats)
                .map(|repeat| {
                    let mut rows: Vec<usize> = (0..set.rows()).collect();
                    seed.index(column as u64).index(repeat as u64).stream().shuffle(&mut rows);
                    rows.iter().enumerate().for_each(|(to, &from)| shuffled[[to, column]] = features[[from, column]]);
                    loss(&shuffled) - base
                })
                .collect();
            Ok(mean(&rises).unwrap_or(0.0))
        })
        .collect()
}

/// Columns to drop, by importance: those not above the bound, and those beyond the number to keep. The best one stays.
pub(in crate::model) fn strongest(importance: &[f64], rule: &Permutation) -> Vec<(usize, DropReason)> {
    let mut order: Vec<usize> = (0..importance.len()).collect();
    order.sort_by(|&a, &b| importance[b].total_cmp(&importance[a]).then(a.cmp(&b)));
    let limit = rule.keep.unwrap_or(usize::MAX);
    let stays = |place: usize, column: usize| place == 0 || (place < limit && importance[column] > rule.min_importance);
    let mut dropped: Vec<(usize, DropReason)> = order
        .iter()
        .enumerate()
        .filter(|&(place, &column)| !stays(place, column))
        .map(|(_, &column)| (column, DropReason::Importance(importance[column])))
        .collect();
    dropped.sort_by_key(|(column, _)| *column);
    dropped
}
