//! What a model artifact holds, and reading it back.
//!
//! | file | holds |
//! |---|---|
//! | `model.json` | the fitted model, versioned open JSON, its transforms inside |
//! | `transforms.json` | the maps that features go through before the model; absent where there are none |
//! | `calibration.json` | the map from raw to calibrated probability |
//! | `schema.json` | ordered features that it reads: those that were selected |
//! | `metrics.json` | out-of-sample metrics and the folds behind them |
//! | `manifest.json` | config, target, validation, seed, and the window it was trained on |
//! | `out_of_fold.parquet` | one row a signal that a fold predicted: `predictions@1` and the features |
//!
//! Models of earlier versions lack `transforms.json`, and the target and the validation of the manifest: they learnt wins,
//! walk-forward, of features as they are.

use std::collections::BTreeMap;

use bytes::Bytes;
use ndarray::{Array2, Axis};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::signals::Signals;
use super::train::Target;
use crate::artifact::{Artifact, ArtifactType};
use crate::backtest::{PastOutcome, PastPrediction};
use crate::base::Timestamp;
use crate::model::{Calibrator, Model, Prepared};
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
    /// What was learnt.
    #[serde(default)]
    pub target: Target,
    /// Whether folds learnt from rows after those that they predicted: then no prediction of theirs is out of sample in
    /// time.
    #[serde(default)]
    pub looks_ahead: bool,
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
    /// What came true of that which was learnt; empty in tables of earlier versions.
    pub target: Vec<f64>,
    /// Standard deviation of the probabilities of an ensemble's members; empty for a single model.
    pub disagreement: Vec<f64>,
}

/// The fact of a table of predictions that says that they are not out of sample in time.
const LOOKS_AHEAD: &str = "looks_ahead";
/// The fact of a table of predictions that says what was learnt.
const TARGET: &str = "target";

impl Predictions {
    /// Reads an input: probabilities of a win that are out of sample in time.
    ///
    /// # Errors
    /// It is no table of predictions; they are of something else than a win, or of folds that learnt from the future.
    pub(super) fn read(input: &InputArtifact) -> Result<Self, NodeError> {
        let table = Table::from_parquet(input.bytes()?).and_then(|table| table.expect_schema(PREDICTIONS));
        let table = table.map_err(NodeError::failed)?;
        let fact = |name: &str| table.facts.get(name).map(String::as_str);
        refuse_others(fact(TARGET).unwrap_or(Target::Win.name()), fact(LOOKS_AHEAD) == Some("true"))?;
        Self::of(&table).map_err(NodeError::failed)
    }

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
            target: optional(table, "target")?,
            disagreement: optional(table, "disagreement")?,
        })
    }

    /// What thresholds are made of.
    pub(super) fn past(&self) -> Vec<PastPrediction> {
        let outcome = |at: usize| PastOutcome { known: self.exit_ts[at], win: self.win[at], r: self.r[at] };
        let one =
            |at| PastPrediction { ts: self.ts[at], probability: self.probability[at], outcome: Some(outcome(at)) };
        (0..self.row.len()).map(one).collect()
    }

    /// The columns of `predictions@1`, and what was learnt.
    pub(super) fn to_table(&self, target: Target, looks_ahead: bool) -> Table {
        let is_win = target == Target::Win;
        let raw = if is_win { "probability of a win as the model says it" } else { "value as the model says it" };
        let probability =
            if is_win { "calibrated probability of a win" } else { "as `raw`: values are not calibrated" };
        let mut table = Table::new(PREDICTIONS)
            .with("row", "identity of the signal", Values::Text(self.row.clone()))
            .with("symbol", "ticker", Values::Text(self.symbol.clone()))
            .with("ts", "signal time, UTC", Values::Time(self.ts.clone()))
            .with("exit_ts", "time its outcome was known, UTC", Values::Time(self.exit_ts.clone()))
            .with("raw", raw, Values::Float(self.raw.clone()))
            .with("probability", probability, Values::Float(self.probability.clone()))
            .with("win", "R above the threshold", Values::Bool(self.win.clone()))
            .with("r", "outcome in multiples of the initial risk", Values::Float(self.r.clone()));
        let further = [
            ("target", "what came true of that which was learnt", &self.target),
            ("disagreement", "standard deviation of the members' probabilities", &self.disagreement),
        ];
        for (name, doc, values) in further.into_iter().filter(|(_, _, values)| !values.is_empty()) {
            table = table.with(name, doc, Values::Float(values.clone()));
        }
        table.facts.insert(TARGET.to_owned(), target.name().to_owned());
        table.facts.insert(LOOKS_AHEAD.to_owned(), looks_ahead.to_string());
        table
    }
}

fn optional(table: &Table, name: &str) -> Result<Vec<f64>, TableError> {
    let is_there = table.columns().iter().any(|column| column.name == name);
    if is_there { Ok(table.floats(name)?.to_vec()) } else { Ok(Vec::new()) }
}

/// Refuses what is no probability of a win, or not out of sample in time.
fn refuse_others(target: &str, looks_ahead: bool) -> Result<(), NodeError> {
    if target != Target::Win.name() {
        return Err(NodeError::failed(format!(
            "the model learnt `{target}`, a number, and this node works on probabilities of a win: train one with \
             `target: win`"
        )));
    }
    if looks_ahead {
        return Err(NodeError::failed(
            "the model was judged by folds that learnt from rows after those they predicted: none of its predictions was \
             possible at the time; train it with `validation: {scheme: rolling}`",
        ));
    }
    Ok(())
}

/// A model artifact in memory.
pub(super) struct StoredModel {
    pub model: Prepared,
    pub calibrator: Calibrator,
    pub schema: FeatureSchema,
    pub manifest: Manifest,
    /// Out-of-fold predictions.
    pub out_of_fold: Predictions,
    /// Features of the out-of-fold rows, rows x features.
    pub out_of_fold_features: Array2<f64>,
}

impl StoredModel {
    /// Reads a model of the probability of a win whose out-of-fold predictions are out of sample in time.
    ///
    /// # Errors
    /// It does not read, or it is another model.
    pub(super) fn read(input: &InputArtifact) -> Result<Self, NodeError> {
        let model = Self::read_any(input)?;
        refuse_others(model.manifest.target.name(), model.manifest.looks_ahead)?;
        Ok(model)
    }

    /// Reads a model of any target, whatever it was judged by: the manifest says both.
    ///
    /// # Errors
    /// It does not read.
    pub(super) fn read_any(input: &InputArtifact) -> Result<Self, NodeError> {
        let files = input.files()?;
        let manifest: Manifest = json(&files, "manifest.json")?;
        let schema: FeatureSchema = json(&files, "schema.json")?;
        let model = Model::from_json(file(&files, "model.json")?).map_err(NodeError::failed)?;
        model.check_columns(schema.features.len()).map_err(NodeError::failed)?;
        let model = match files.contains_key("transforms.json") {
            true => Prepared::new(json(&files, "transforms.json")?, model).map_err(NodeError::failed)?,
            false => Prepared::plain(model),
        };
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
