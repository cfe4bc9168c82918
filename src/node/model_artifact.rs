//! What a model artifact holds, and reading it back.
//!
//! | file | holds |
//! |---|---|
//! | `model.json` | the fitted model, versioned open JSON, its transforms inside |
//! | `calibration.json` | the map from raw to calibrated probability |
//! | `schema.json` | ordered features |
//! | `metrics.json` | out-of-sample metrics and the folds behind them |
//! | `manifest.json` | config, seed, and the window it was trained on |
//! | `out_of_fold.parquet` | one row a signal that a fold predicted: `predictions@1` and the features |

use std::collections::BTreeMap;

use bytes::Bytes;
use ndarray::{Array2, Axis};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::signals::Signals;
use crate::artifact::{Artifact, ArtifactType};
use crate::backtest::{PastOutcome, PastPrediction};
use crate::base::Timestamp;
use crate::model::{Calibrator, Model};
use crate::node::{InputArtifact, NodeError};
use crate::table::{Table, TableError, Values};

/// Name and version of the table of predictions.
pub(super) const PREDICTIONS: &str = "predictions@1";

/// The features a model reads, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct FeatureSchema {
    pub version: u32,
    pub features: Vec<String>,
}

/// Where a model comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub version: u32,
    pub config: Value,
    /// Digest of the signals it was trained on.
    pub data: crate::base::Digest,
    pub rows: usize,
    /// First signal that was learnt from.
    pub trained_from: Timestamp,
    /// When the last outcome that was learnt from was known.
    pub trained_until: Timestamp,
    /// Strategy that made the signals, by digest of its file.
    pub strategy: String,
}

/// A prediction that is out of sample at its signal, and what came of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Predictions {
    pub row: Vec<String>,
    pub symbol: Vec<String>,
    pub ts: Vec<i64>,
    pub exit_ts: Vec<i64>,
    pub raw: Vec<f64>,
    pub probability: Vec<f64>,
    pub win: Vec<bool>,
    pub r: Vec<f64>,
}

impl Predictions {
    /// Reads the columns of `predictions@1`.
    pub(super) fn of(table: &Table) -> Result<Self, TableError> {
        Ok(Self {
            row: table.texts("row")?.to_vec(),
            symbol: table.texts("symbol")?.to_vec(),
            ts: table.times("ts")?.to_vec(),
            exit_ts: table.times("exit_ts")?.to_vec(),
            raw: table.floats("raw")?.to_vec(),
            probability: table.floats("probability")?.to_vec(),
            win: table.bools("win")?.to_vec(),
            r: table.floats("r")?.to_vec(),
        })
    }

    /// What thresholds are made of.
    pub(super) fn past(&self) -> Vec<PastPrediction> {
        let outcome = |at: usize| PastOutcome { known: self.exit_ts[at], win: self.win[at], r: self.r[at] };
        let one =
            |at| PastPrediction { ts: self.ts[at], probability: self.probability[at], outcome: Some(outcome(at)) };
        (0..self.row.len()).map(one).collect()
    }

    /// The columns of `predictions@1`.
    pub(super) fn to_table(&self) -> Table {
        Table::new(PREDICTIONS)
            .with("row", "identity of the signal", Values::Text(self.row.clone()))
            .with("symbol", "ticker", Values::Text(self.symbol.clone()))
            .with("ts", "signal time, UTC", Values::Time(self.ts.clone()))
            .with("exit_ts", "time its outcome was known, UTC", Values::Time(self.exit_ts.clone()))
            .with("raw", "probability of a win as the model says it", Values::Float(self.raw.clone()))
            .with("probability", "calibrated probability of a win", Values::Float(self.probability.clone()))
            .with("win", "R above the threshold", Values::Bool(self.win.clone()))
            .with("r", "outcome in multiples of the initial risk", Values::Float(self.r.clone()))
    }
}

/// A model artifact in memory.
pub(super) struct StoredModel {
    pub model: Model,
    pub calibrator: Calibrator,
    pub schema: FeatureSchema,
    pub manifest: Manifest,
    /// Out-of-fold predictions.
    pub out_of_fold: Predictions,
    /// Features of the out-of-fold rows, rows x features.
    pub out_of_fold_features: Array2<f64>,
}

impl StoredModel {
    /// Reads an input.
    pub(super) fn read(input: &InputArtifact) -> Result<Self, NodeError> {
        let files = input.files()?;
        let manifest: Manifest = json(&files, "manifest.json")?;
        let schema: FeatureSchema = json(&files, "schema.json")?;
        let model = Model::from_json(file(&files, "model.json")?).map_err(NodeError::failed)?;
        model.check_columns(schema.features.len()).map_err(NodeError::failed)?;
        let table = Table::from_parquet(file(&files, "out_of_fold.parquet")?.clone())
            .and_then(|table| table.expect_schema(PREDICTIONS))
            .map_err(NodeError::failed)?;
        let mut features = Array2::from_elem((table.rows(), schema.features.len()), f64::NAN);
        for (index, name) in schema.features.iter().enumerate() {
            let column = table.floats(name).map_err(NodeError::failed)?;
            features.column_mut(index).iter_mut().zip(column).for_each(|(cell, value)| *cell = *value);
        }
        Ok(Self {
            model,
            calibrator: json(&files, "calibration.json")?,
            out_of_fold: Predictions::of(&table).map_err(NodeError::failed)?,
            out_of_fold_features: features,
            schema,
            manifest,
        })
    }

    /// Raw and calibrated probability of the given rows of a table of signals.
    pub(super) fn predict(&self, signals: &Signals, rows: &[usize]) -> Result<(Vec<f64>, Vec<f64>), NodeError> {
        let columns = signals.columns_of(&self.schema.features)?;
        let features = signals.matrix.select(Axis(0), rows).select(Axis(1), &columns);
        let raw = self.model.predict(features.view()).to_vec();
        let calibrated = self.calibrator.apply_all(&raw);
        Ok((raw, calibrated))
    }
}

fn file<'a>(files: &'a BTreeMap<String, Bytes>, name: &str) -> Result<&'a Bytes, NodeError> {
    files.get(name).ok_or_else(|| NodeError::failed(format!("the model artifact lacks `{name}`")))
}

fn json<T: DeserializeOwned>(files: &BTreeMap<String, Bytes>, name: &str) -> Result<T, NodeError> {
    serde_json::from_slice(file(files, name)?)
        .map_err(|error| NodeError::failed(format!("the model artifact's `{name}` does not read: {error}")))
}

/// A value as pretty JSON, for files that people open.
pub(super) fn pretty<T: Serialize>(value: &T) -> Result<Bytes, NodeError> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(NodeError::failed)?;
    bytes.push(b'\n');
    Ok(bytes.into())
}

/// A JSON artifact.
pub(super) fn json_artifact<T: Serialize>(kind: ArtifactType, value: &T) -> Result<Artifact, NodeError> {
    Ok(Artifact::file(kind, pretty(value)?))
}
