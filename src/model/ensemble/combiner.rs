//! Members' probabilities to one.

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use super::config::{Combination, Combine};
use crate::base::{CancelToken, Seed};
use crate::model::calibration::clipped_logit;
use crate::model::config::{Model, ModelConfig};
use crate::model::error::ModelError;
use crate::model::learner::Learner;
use crate::model::loss::loss;
use crate::model::training_set::{Task, TrainingSet};
use crate::stats::order::median;
use crate::stats::sum::sum;

/// Fewer rows than this say nothing about members.
const MIN_ROWS: usize = 50;
/// Rounds after which weights are taken as they are.
const MAX_ROUNDS: usize = 10_000;
/// Change of every weight below which they have settled.
const SETTLED: f64 = 1e-10;
/// Likelihoods are kept this far from 0.
const CLIP: f64 = 1e-15;

/// A fitted way of putting members together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Combiner {
    /// Weights that sum to 1.
    Weights(Vec<f64>),
    /// The median.
    Median,
    /// Share of the members that say 0.5 or more.
    Vote,
    /// A model of the members' log-odds.
    Stack(Box<Model>),
}

/// Predictions of rows that no member had seen, with what came true.
pub(in crate::model) struct History<'a> {
    /// Rows x members.
    pub members: &'a Array2<f64>,
    pub target: &'a [f64],
    pub weight: &'a [f64],
}

impl History<'_> {
    fn is_enough(&self) -> bool {
        let heavy = || self.target.iter().zip(self.weight).filter(|(_, weight)| **weight > 0.0);
        let ones = heavy().filter(|(target, _)| **target == 1.0).count();
        heavy().count() >= MIN_ROWS && ones > 0 && ones < heavy().count()
    }

    /// The member with the least log loss, the first of equals; `None` where there are too few rows.
    pub(in crate::model) fn best(&self) -> Option<usize> {
        let of = |member: usize| {
            let rows = self.target.iter().zip(self.weight).enumerate();
            sum(rows.map(|(row, (&y, w))| w * loss(Task::Classification, y, self.members[[row, member]])))
        };
        let members = 0..self.members.ncols();
        self.is_enough().then(|| members.min_by(|&a, &b| of(a).total_cmp(&of(b)).then(a.cmp(&b)))).flatten()
    }
}

impl Combiner {
    /// Members that count alike.
    pub fn equal(members: usize) -> Self {
        Self::Weights(vec![1.0 / members as f64; members])
    }

    /// Fits to a history where the combination reads one; the second answer says on how many rows. With too few of them
    /// members count alike.
    ///
    /// # Errors
    /// A meta-learner that fails, a cancelled token.
    pub(in crate::model) fn fit(
        combination: &Combination,
        members: usize,
        history: &History<'_>,
        seed: Seed,
        cancel: &CancelToken,
    ) -> Result<(Self, usize), ModelError> {
        match (combination.combine, &combination.weights) {
            (Combine::Mean, _) => Ok((Self::equal(members), 0)),
            (Combine::Median, _) => Ok((Self::Median, 0)),
            (Combine::Vote, _) => Ok((Self::Vote, 0)),
            (Combine::Weighted, Some(weights)) => {
                let total = sum(weights.iter().copied());
                Ok((Self::Weights(weights.iter().map(|weight| weight / total).collect()), 0))
            }
            _ if !history.is_enough() => Ok((Self::equal(members), 0)),
            (Combine::Weighted, None) => Ok((Self::Weights(least_loss(history)), history.target.len())),
            (Combine::Stack, _) => Ok((Self::Stack(Box::new(stack(history, seed, cancel)?)), history.target.len())),
        }
    }

    /// The probability of one row.
    pub fn combine(&self, members: &[f64]) -> f64 {
        match self {
            Self::Weights(weights) => sum(members.iter().zip(weights).map(|(p, weight)| p * weight)),
            Self::Median => median(members).unwrap_or(f64::NAN),
            Self::Vote => members.iter().filter(|p| **p >= 0.5).count() as f64 / members.len() as f64,
            Self::Stack(model) => {
                let mut log_odds = [0.0; super::MAX_MEMBERS];
                log_odds.iter_mut().zip(members).for_each(|(to, &p)| *to = clipped_logit(p));
                model.by_row().predict(&log_odds[..members.len().min(super::MAX_MEMBERS)])
            }
        }
    }

    /// Whether a stored combiner fits its members.
    pub(super) fn is_sound(&self, members: usize) -> bool {
        match self {
            Self::Weights(weights) => {
                let total = sum(weights.iter().copied());
                weights.len() == members && weights.iter().all(|w| *w >= 0.0) && (total - 1.0).abs() < 1e-6
            }
            Self::Median | Self::Vote => true,
            Self::Stack(model) => model.columns() == members,
        }
    }
}

/// The weights of a mean with the least log loss: `argmax_w sum_i v_i ln(sum_m w_m q_im)` with `q_im` the probability that
/// member `m` gave to what came true.
///
/// The problem is convex; the steps `w_m <- w_m mean_i(q_im / sum_k w_k q_ik)` never raise the loss.
///
/// # References
/// Geweke and Amisano (2011), *Optimal prediction pools*, Journal of Econometrics 164; Dempster, Laird and Rubin (1977)
/// for the steps.
fn least_loss(history: &History<'_>) -> Vec<f64> {
    let count = history.members.ncols();
    let rows: Vec<(Vec<f64>, f64)> = (0..history.target.len())
        .filter(|&row| history.weight[row] > 0.0)
        .map(|row| {
            let of = |p: f64| if history.target[row] == 1.0 { p } else { 1.0 - p };
            (history.members.row(row).iter().map(|&p| of(p).max(CLIP)).collect(), history.weight[row])
        })
        .collect();
    let total = sum(rows.iter().map(|(_, weight)| *weight));
    let mut weights = vec![1.0 / count as f64; count];
    for _ in 0..MAX_ROUNDS {
        let mut next = vec![0.0; count];
        for (likelihood, weight) in &rows {
            let mixed: f64 = likelihood.iter().zip(&weights).map(|(q, w)| q * w).sum();
            for ((next, q), w) in next.iter_mut().zip(likelihood).zip(&weights) {
                *next += weight / total * w * q / mixed;
            }
        }
        let change = next.iter().zip(&weights).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        weights = next;
        if change < SETTLED {
            break;
        }
    }
    let all = sum(weights.iter().copied());
    weights.iter().map(|weight| weight / all).collect()
}

fn stack(history: &History<'_>, seed: Seed, cancel: &CancelToken) -> Result<Model, ModelError> {
    let log_odds = history.members.mapv(clipped_logit);
    let (target, weight) = (Array1::from(history.target.to_vec()), Array1::from(history.weight.to_vec()));
    let set = TrainingSet::new(log_odds.view(), target.view()).weighted(Some(weight.view()));
    let meta = ModelConfig::from_json("logistic", &serde_json::Value::Null)?;
    Learner::new(meta)?.fit(&set, None, seed, cancel)
}
