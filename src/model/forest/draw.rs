//! Which rows a tree learns from, how much they weigh, and what it learns of them.

use super::config::{Bootstrap, Plan};
use super::grow::Draw;
use crate::base::RandomStream;
use crate::model::error::ModelError;
use crate::model::training_set::{Task, TrainingSet};
use crate::stats::sum::sum;

/// How a target becomes a label that trees add up, and a mean label a prediction.
///
/// Classes are their own labels. Values are standardised first: sums of squares of large values that differ little would
/// cancel.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    /// 0 or 1; a leaf predicts the share of 1.
    Class,
    /// A leaf predicts `centre + scale * mean label`.
    Value { centre: f64, scale: f64 },
}

impl Target {
    fn of(set: &TrainingSet<'_>, rows: &[usize], weights: &[f64]) -> Self {
        if set.task == Task::Classification {
            return Self::Class;
        }
        // dividing by the largest magnitude first keeps squares of huge and tiny targets in range
        let values = || rows.iter().map(|&row| (weights[row], set.target[row]));
        let total = sum(values().map(|(w, _)| w));
        let largest = values().fold(0.0_f64, |most, (_, y)| most.max(y.abs())).max(f64::MIN_POSITIVE);
        let mean = sum(values().map(|(w, y)| w * (y / largest))) / total;
        let variance = sum(values().map(|(w, y)| w * (y / largest - mean) * (y / largest - mean))) / total;
        let scale = variance.sqrt() * largest;
        Self::Value { centre: mean * largest, scale: if scale > 0.0 { scale } else { 1.0 } }
    }

    fn label(self, target: f64) -> f32 {
        match self {
            Self::Class => target as f32,
            Self::Value { centre, scale } => ((target - centre) / scale) as f32,
        }
    }

    /// What a leaf predicts whose labels average `mean`.
    pub(super) fn prediction(self, mean: f64) -> f64 {
        match self {
            Self::Class => mean.clamp(0.0, 1.0),
            Self::Value { centre, scale } => centre + scale * mean,
        }
    }
}

/// Draws the rows of a tree. Rows of weight 0 teach nothing and are never drawn.
pub(super) struct RowSampler {
    /// Rows that carry weight, in order.
    rows: Vec<usize>,
    /// Label of every row; its standardised target in a regression.
    labels: Vec<f32>,
    target: Target,
    /// Weight of every row once drawn; averages 1 over `rows`, so that `min_leaf` counts rows.
    weights: Vec<f64>,
    draws: usize,
    bootstrap: Bootstrap,
    /// Cumulated probability of `rows` for [`Bootstrap::Weighted`].
    cumulated: Vec<f64>,
}

impl RowSampler {
    pub(super) fn new(set: &TrainingSet<'_>, plan: Plan) -> Result<Self, ModelError> {
        let mut weights = set.weights(plan.class_weight)?;
        let rows: Vec<usize> = (0..weights.len()).filter(|&row| weights[row] > 0.0).collect();
        let mean = sum(weights.iter().copied()) / rows.len() as f64;
        weights.iter_mut().for_each(|weight| *weight /= mean);
        let mut cumulated = Vec::new();
        if plan.bootstrap == Bootstrap::Weighted {
            let mut total = 0.0;
            cumulated.extend(rows.iter().map(|&row| {
                total += weights[row];
                total
            }));
            weights = vec![1.0; weights.len()];
        }
        let target = Target::of(set, &rows, &weights);
        Ok(Self {
            labels: set.target.iter().map(|&value| target.label(value)).collect(),
            target,
            draws: ((plan.sample_share * rows.len() as f64).round() as usize).max(1),
            rows,
            weights,
            bootstrap: plan.bootstrap,
            cumulated,
        })
    }

    /// How targets became labels.
    pub(super) const fn target(&self) -> Target {
        self.target
    }

    /// How often each row is drawn.
    pub(super) fn times_drawn(&self, stream: &mut RandomStream) -> Vec<u32> {
        let mut times = vec![0_u32; self.labels.len()];
        let candidates = self.rows.len();
        match self.bootstrap {
            Bootstrap::Uniform => {
                for _ in 0..self.draws {
                    times[self.rows[stream.below(candidates)]] += 1;
                }
            }
            Bootstrap::Weighted => {
                let total = self.cumulated.last().copied().unwrap_or(0.0);
                for _ in 0..self.draws {
                    let point = stream.uniform() * total;
                    let pick = self.cumulated.partition_point(|&below| below <= point).min(candidates - 1);
                    times[self.rows[pick]] += 1;
                }
            }
            Bootstrap::None => {
                let mut order = self.rows.clone();
                for i in 0..self.draws {
                    if self.draws < candidates {
                        order.swap(i, i + stream.below(candidates - i));
                    }
                    times[order[i]] = 1;
                }
            }
        }
        times
    }

    /// The drawn rows, in row order.
    pub(super) fn draw(&self, stream: &mut RandomStream) -> Vec<Draw> {
        self.times_drawn(stream)
            .into_iter()
            .enumerate()
            .filter(|&(_, times)| times > 0)
            .map(|(row, times)| Draw {
                row: row as u32,
                label: self.labels[row],
                weight: f64::from(times) * self.weights[row],
            })
            .collect()
    }
}
