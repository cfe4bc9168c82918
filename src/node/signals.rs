//! The `signals@1` table: one row a signal, with features known at its close and, once closed, its outcome.
//!
//! | column | unit and meaning |
//! |---|---|
//! | `row` | identity: symbol and signal time; the same signal has the same identity in every run |
//! | `symbol`, `ts`, `session` | where and when the signal stood |
//! | `exit_ts`, `exit_session` | when its outcome was known; the last session where it is not yet |
//! | `labelled` | whether the outcome is known |
//! | `executed` | whether the portfolio traded it: rows are shadow trades, and some were executed too |
//! | `label`, `source` | the label, of the kind in the fact `label_kind`, and which trades it is made of |
//! | `win`, `r`, … | outcome, in multiples of the initial risk |
//! | `uniqueness` | share of its life that it did not share with other signals of its symbol, 0 to 1 |
//! | features | as listed in the fact `features`, undefined where not yet known |

use std::collections::BTreeMap;

use ndarray::Array2;

use crate::artifact::Artifact;
use crate::label::{LabelKind, LabelTask};
use crate::market::HoldoutOptions;
use crate::node::{InputArtifact, NodeError};
use crate::split::Span;
use crate::table::{Table, TableError};

/// Name and version of the table.
pub(super) const SCHEMA: &str = "signals@1";
/// The fact that says which holdout the signals are of.
pub(super) const HOLDOUT: &str = "holdout";

/// Signals in memory, in time order.
#[derive(Clone, Debug)]
pub(super) struct Signals {
    pub row: Vec<String>,
    pub symbol: Vec<String>,
    pub ts: Vec<i64>,
    pub exit_ts: Vec<i64>,
    pub span: Vec<Span>,
    pub labelled: Vec<bool>,
    /// Whether the portfolio traded it.
    pub executed: Vec<bool>,
    pub win: Vec<bool>,
    pub r: Vec<f64>,
    /// The label, NaN where it is not known.
    pub label: Vec<f64>,
    pub label_kind: LabelKind,
    /// Names of the features, in column order.
    pub features: Vec<String>,
    /// Rows x features.
    pub matrix: Array2<f64>,
    /// Sessions in the data window.
    pub sessions: u32,
    /// Digest of the strategy file that made them.
    pub strategy: String,
    /// The holdout they are of.
    pub holdout: Option<HoldoutOptions>,
}

/// How many signals there are, and how many of them have an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SignalCount {
    /// All.
    pub signals: usize,
    /// Those with an outcome.
    pub labelled: usize,
}

/// Counts the signals of a table that came at or after a time.
///
/// # Errors
/// It is no table of signals.
pub fn count_signals(artifact: &Artifact, since: crate::base::Timestamp) -> Result<SignalCount, TableError> {
    let bytes = match &artifact.payload {
        crate::artifact::Payload::File(bytes) => bytes.clone(),
        crate::artifact::Payload::Tree(_) | crate::artifact::Payload::Large(_) => bytes::Bytes::new(),
    };
    let table = Table::from_parquet(bytes)?.expect_schema(SCHEMA)?;
    let rows = table.times("ts")?.iter().zip(table.bools("labelled")?);
    let labelled: Vec<bool> = rows.filter(|(ts, _)| **ts >= since.micros()).map(|(_, labelled)| *labelled).collect();
    Ok(SignalCount { signals: labelled.len(), labelled: labelled.iter().filter(|labelled| **labelled).count() })
}

impl Signals {
    /// Reads an input whose labels are wins or none.
    ///
    /// # Errors
    /// It is no table of signals or one of a holdout, or its labels are of a kind that is neither won nor lost: they are not
    /// coerced.
    pub(super) fn read(input: &InputArtifact) -> Result<Self, NodeError> {
        let signals = Self::read_any(input)?;
        check_task(Some(signals.label_kind.name()))?;
        signals.refuse_holdout()?;
        Ok(signals)
    }

    /// Reads an input of a holdout whose labels are wins or none.
    ///
    /// # Errors
    /// It is no table of signals, or its labels are of another kind.
    pub(super) fn read_holdout(input: &InputArtifact) -> Result<Self, NodeError> {
        let signals = Self::read_any(input)?;
        check_task(Some(signals.label_kind.name()))?;
        Ok(signals)
    }

    /// Reads an input with labels of any kind, of a holdout or not.
    ///
    /// # Errors
    /// It is no table of signals, or its labels are of a kind that this build does not know.
    pub(super) fn read_any(input: &InputArtifact) -> Result<Self, NodeError> {
        let table = Table::from_parquet(input.bytes()?).and_then(|table| table.expect_schema(SCHEMA));
        let table = table.map_err(NodeError::failed)?;
        check_known(table.facts.get("label_kind").map(String::as_str))?;
        Self::of(&table).map_err(NodeError::failed)
    }

    /// Refuses signals of a holdout.
    pub(super) fn refuse_holdout(&self) -> Result<(), NodeError> {
        match &self.holdout {
            None => Ok(()),
            Some(holdout) => Err(NodeError::failed(format!(
                "the signals are of the holdout `{}`, which only `evaluate` with `use: holdout` may read: connect those of an \
                 `accumulate` without `use: holdout`",
                holdout.name
            ))),
        }
    }

    fn of(table: &Table) -> Result<Self, TableError> {
        let fact = |name: &str| table.facts.get(name).cloned().unwrap_or_default();
        let features: Vec<String> = serde_json::from_str(&fact("features")).unwrap_or_default();
        let mut matrix = Array2::from_elem((table.rows(), features.len()), f64::NAN);
        for (index, name) in features.iter().enumerate() {
            for (cell, value) in matrix.column_mut(index).iter_mut().zip(table.floats(name)?) {
                *cell = *value;
            }
        }
        let has_label = table.columns().iter().any(|column| column.name == "label");
        let label = table.floats(if has_label { "label" } else { "r" })?;
        let session = |value: i64| u32::try_from(value).unwrap_or(u32::MAX);
        let span = table
            .ints("session")?
            .iter()
            .zip(table.ints("exit_session")?)
            .map(|(&t0, &t1)| Span { t0: session(t0), t1: session(t1) });
        Ok(Self {
            row: table.texts("row")?.to_vec(),
            symbol: table.texts("symbol")?.to_vec(),
            ts: table.times("ts")?.to_vec(),
            exit_ts: table.times("exit_ts")?.to_vec(),
            span: span.collect(),
            labelled: table.bools("labelled")?.to_vec(),
            executed: table.bools("executed")?.to_vec(),
            win: table.bools("win")?.to_vec(),
            r: table.floats("r")?.to_vec(),
            label: label.to_vec(),
            label_kind: LabelKind::named(&fact("label_kind")).unwrap_or_default(),
            features,
            matrix,
            sessions: fact("sessions").parse().unwrap_or(0),
            strategy: fact("strategy"),
            holdout: serde_json::from_str(&fact(HOLDOUT)).ok(),
        })
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.row.len()
    }

    /// Columns of the matrix for the features that a model names.
    ///
    /// # Errors
    /// The names that are missing; extra features are left out, nothing is filled in.
    pub(super) fn columns_of(&self, wanted: &[String]) -> Result<Vec<usize>, NodeError> {
        let index: BTreeMap<&str, usize> =
            self.features.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
        let missing = self.lacks(wanted);
        if missing.is_empty() {
            return Ok(wanted.iter().map(|name| index[name.as_str()]).collect());
        }
        Err(NodeError::failed(format!("the signals lack features that the model needs: {}", missing.join(", "))))
    }

    /// Those of the wanted features that the signals do not have.
    pub(super) fn lacks<'a>(&self, wanted: &'a [String]) -> Vec<&'a str> {
        wanted.iter().map(String::as_str).filter(|name| !self.features.iter().any(|own| own == name)).collect()
    }
}

/// Refuses labels of a kind that a later build made.
fn check_known(kind: Option<&str>) -> Result<(), NodeError> {
    match kind.filter(|name| LabelKind::named(name).is_none()) {
        Some(name) => Err(NodeError::failed(format!(
            "the labels of the signals are `{name}`, of a kind this build does not know"
        ))),
        None => Ok(()),
    }
}

/// Refuses labels that are not won or lost; signals of earlier versions name no kind and are labelled by R.
fn check_task(kind: Option<&str>) -> Result<(), NodeError> {
    let Some(name) = kind else { return Ok(()) };
    let what = match LabelKind::named(name).map(LabelKind::task) {
        Some(LabelTask::Binary) => return Ok(()),
        Some(LabelTask::ThreeClasses) => "one of three classes",
        Some(LabelTask::Regression) => "a number",
        None => "of a kind this build does not know",
    };
    Err(NodeError::failed(format!(
        "the labels of the signals are `{name}`, {what}, and this node works on wins and losses: in the `accumulate` node that \
         made them, write `label: {{kind: r_multiple}}` or `label: {{kind: signal_success}}`"
    )))
}

/// Stores a table as an artifact.
pub(super) fn table_artifact(kind: crate::artifact::ArtifactType, table: &Table) -> Result<Artifact, NodeError> {
    Ok(Artifact::file(kind, table.to_parquet().map_err(NodeError::failed)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_are_neither_won_nor_lost_are_refused_with_the_edit() {
        assert!(["r_multiple", "signal_success"].into_iter().all(|kind| check_task(Some(kind)).is_ok()));
        assert!(check_task(None).is_ok(), "signals of earlier versions are labelled by R");
        for (kind, what) in [("direction", "one of three classes"), ("return", "a number"), ("later", "does not know")]
        {
            let refusal = check_task(Some(kind)).unwrap_err().to_string();
            assert!(refusal.contains(&format!("`{kind}`")) && refusal.contains(what), "{refusal}");
            assert!(refusal.contains("`accumulate`") && refusal.contains("`label: {kind: r_multiple}`"), "{refusal}");
        }
    }
}
