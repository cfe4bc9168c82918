//! Labelled signals as a learner takes them.

use std::collections::BTreeMap;

use ndarray::{Array1, Array2, Axis};

use super::target::Target;
use super::{SampleWeight, TrainConfig};
use crate::label::{recency, uniqueness};
use crate::model::{Labelled, OutOfSampleRow, TrainedModel};
use crate::node::NodeError;
use crate::node::model_artifact::Predictions;
use crate::node::signals::Signals;
use crate::split::Span;

/// The labelled rows, and what the learner reads of them.
pub(super) struct TrainingRows {
    pub signals: Signals,
    pub target: Target,
    /// Rows x features that were asked for.
    pub features: Array2<f64>,
    pub names: Vec<String>,
    pub values: Array1<f64>,
    pub spans: Vec<Span>,
    pub r: Vec<f64>,
    /// Number of each row's symbol.
    symbol: Vec<u32>,
    weight: SampleWeight,
    half_life: f64,
    /// Row of the signals for each training row.
    pub rows: Vec<usize>,
}

impl TrainingRows {
    pub(super) fn of(signals: Signals, config: &TrainConfig) -> Result<Self, NodeError> {
        let target = Target::of(config.target, signals.label_kind).map_err(NodeError::failed)?;
        let is_known = |row: &usize| signals.labelled[*row] && target.value(&signals, *row).is_finite();
        let rows: Vec<usize> = (0..signals.len()).filter(is_known).collect();
        if rows.len() < config.min_samples {
            let (found, needed) = (rows.len(), config.min_samples);
            return Err(NodeError::Insufficient { what: "labelled signals", found, needed });
        }
        let names = config.features.clone().unwrap_or_else(|| signals.features.clone());
        let columns = signals.columns_of(&names)?;
        let mut numbers: BTreeMap<&str, u32> = BTreeMap::new();
        for symbol in &signals.symbol {
            let next = numbers.len() as u32;
            numbers.entry(symbol).or_insert(next);
        }
        Ok(Self {
            target,
            features: signals.matrix.select(Axis(0), &rows).select(Axis(1), &columns),
            names,
            values: rows.iter().map(|&row| target.value(&signals, row)).collect(),
            spans: rows.iter().map(|&row| signals.span[row]).collect(),
            r: rows.iter().map(|&row| signals.r[row]).collect(),
            symbol: rows.iter().map(|&row| numbers[signals.symbol[row].as_str()]).collect(),
            weight: config.sample_weight,
            half_life: config.recency_half_life,
            rows,
            signals,
        })
    }

    /// Weights of rows that are learnt from together: overlap is counted among them, age from the newest of them.
    pub(super) fn weigh(&self, rows: &[usize]) -> Option<Vec<f64>> {
        let unique = || {
            let spans: Vec<(u32, u32, u32)> =
                rows.iter().map(|&row| (self.symbol[row], self.spans[row].t0, self.spans[row].t1)).collect();
            uniqueness(&spans)
        };
        let recent = || {
            let signals: Vec<u32> = rows.iter().map(|&row| self.spans[row].t0).collect();
            recency(&signals, self.half_life)
        };
        match self.weight {
            SampleWeight::None => None,
            SampleWeight::Uniqueness => Some(unique()),
            SampleWeight::Recency => Some(recent()),
            SampleWeight::UniquenessAndRecency => {
                Some(unique().into_iter().zip(recent()).map(|(own, age)| own * age).collect())
            }
        }
    }

    /// The rows with a way to weigh them.
    pub(super) fn labelled<'a>(&'a self, weigh: crate::model::Weigh<'a>) -> Labelled<'a> {
        Labelled {
            features: self.features.view(),
            target: self.values.view(),
            task: self.target.task(),
            names: &self.names,
            spans: &self.spans,
            r: &self.r,
            weigh,
        }
    }

    /// Labelled signals whose outcome was not known before a time, in microseconds.
    pub(super) fn known_after(&self, micros: i64) -> usize {
        self.rows.iter().filter(|&&row| self.signals.exit_ts[row] > micros).count()
    }

    /// Out-of-fold predictions in time order.
    pub(super) fn predictions(&self, trained: &TrainedModel) -> Predictions {
        let mut found = Predictions::default();
        for prediction in in_time_order(trained) {
            let row = self.rows[prediction.row];
            found.row.push(self.signals.row[row].clone());
            found.symbol.push(self.signals.symbol[row].clone());
            found.ts.push(self.signals.ts[row]);
            found.exit_ts.push(self.signals.exit_ts[row]);
            found.raw.push(prediction.raw);
            found.probability.push(prediction.calibrated);
            found.win.push(self.signals.win[row]);
            found.r.push(self.signals.r[row]);
            found.target.push(prediction.label);
            found.disagreement.extend(prediction.disagreement);
        }
        found
    }
}

/// Out-of-fold rows by time: training rows are in time order.
pub(super) fn in_time_order(trained: &TrainedModel) -> Vec<OutOfSampleRow> {
    let mut rows = trained.out_of_sample.clone();
    rows.sort_by_key(|prediction| prediction.row);
    rows
}
