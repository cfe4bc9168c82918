//! Which rows models are judged on: those that none of them has seen.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::MICROS_PER_DAY;
use crate::node::model_artifact::StoredModel;
use crate::node::signals::Signals;
use crate::node::{InputArtifact, NodeContext, NodeError};
use crate::table::{Table, TableError, Values};

/// Which rows models are judged on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RowChoice {
    /// Those that a fold of the candidate predicted unseen; for the other models, those that one of their own folds predicted,
    /// and all that came after what they learnt from.
    #[default]
    OutOfFold,
    /// Those that came after everything that any of the models learnt from, and after `embargo`: a shadow run, which uses no
    /// row twice.
    Forward,
}

/// Name and version of the table of rows.
const ROWS: &str = "evaluation-rows@1";

/// The rows of an evaluation, in time order.
#[derive(Clone, Debug, Default)]
pub(in crate::node) struct Evaluated {
    pub row: Vec<String>,
    pub symbol: Vec<String>,
    pub ts: Vec<i64>,
    pub candidate: Vec<f64>,
    pub champion: Option<Vec<f64>>,
    pub win: Vec<bool>,
    pub r: Vec<f64>,
}

impl Evaluated {
    /// Reads the table that an `evaluate` node wrote.
    pub(in crate::node) fn read(input: &InputArtifact) -> Result<Self, NodeError> {
        let table = Table::from_parquet(input.bytes()?).and_then(|table| table.expect_schema(ROWS));
        Self::of(&table.map_err(NodeError::failed)?).map_err(NodeError::failed)
    }

    fn of(table: &Table) -> Result<Self, TableError> {
        let has_champion = table.columns().iter().any(|column| column.name == "champion");
        Ok(Self {
            row: table.texts("row")?.to_vec(),
            symbol: table.texts("symbol")?.to_vec(),
            ts: table.times("ts")?.to_vec(),
            candidate: table.floats("candidate")?.to_vec(),
            champion: if has_champion { Some(table.floats("champion")?.to_vec()) } else { None },
            win: table.bools("win")?.to_vec(),
            r: table.floats("r")?.to_vec(),
        })
    }

    pub(super) fn to_table(&self) -> Table {
        let mut table = Table::new(ROWS)
            .with("row", "identity of the signal", Values::Text(self.row.clone()))
            .with("symbol", "ticker", Values::Text(self.symbol.clone()))
            .with("ts", "signal time, UTC", Values::Time(self.ts.clone()))
            .with(
                "candidate",
                "the candidate's probability of a win, out of sample",
                Values::Float(self.candidate.clone()),
            );
        if let Some(champion) = &self.champion {
            table =
                table.with("champion", "the champion's probability, out of sample", Values::Float(champion.clone()));
        }
        table.with("win", "R above the threshold", Values::Bool(self.win.clone())).with(
            "r",
            "outcome in multiples of the initial risk",
            Values::Float(self.r.clone()),
        )
    }
}

/// A model that is judged beside the candidate.
pub(super) struct Rival {
    /// How it is called in reports.
    pub name: String,
    pub model: StoredModel,
}

/// The rows that all models are judged on, and what the rivals say of them.
pub(super) struct Common {
    pub rows: Evaluated,
    /// Probabilities of the rivals, in their order.
    pub rivals: Vec<Vec<f64>>,
    /// Rows of the candidate that another model may have seen, or cannot score.
    pub left_out: usize,
}

/// Refuses inputs that do not belong together: figures on them would be figures of nothing.
pub(super) fn same_origin(
    candidate: &StoredModel,
    signals: &Signals,
    choice: RowChoice,
    context: &NodeContext,
) -> Result<(), NodeError> {
    // forward rows are by their nature not those that the candidate was trained on
    if choice == RowChoice::OutOfFold && candidate.manifest.data != context.input("data")?.reference.sha256 {
        return Err(NodeError::failed("`data` is not what the candidate was trained on: connect the same signals"));
    }
    if signals.strategy != context.input("strategy")?.reference.sha256.to_string() {
        return Err(NodeError::failed("`strategy` is not the one that made the signals of `data`: connect the same"));
    }
    Ok(())
}

/// What the candidate says of rows that it has not seen.
fn of_candidate(
    candidate: &StoredModel,
    signals: &Signals,
    choice: RowChoice,
    after: i64,
) -> Result<Evaluated, NodeError> {
    if choice == RowChoice::OutOfFold {
        let own = &candidate.out_of_fold;
        return Ok(Evaluated {
            row: own.row.clone(),
            symbol: own.symbol.clone(),
            ts: own.ts.clone(),
            candidate: own.probability.clone(),
            champion: None,
            win: own.win.clone(),
            r: own.r.clone(),
        });
    }
    let later: Vec<usize> =
        (0..signals.len()).filter(|&row| signals.ts[row] > after && signals.labelled[row]).collect();
    let (_, probability) = candidate.predict(signals, &later)?;
    let texts = |column: &[String]| later.iter().map(|&row| column[row].clone()).collect();
    Ok(Evaluated {
        row: texts(&signals.row),
        symbol: texts(&signals.symbol),
        ts: later.iter().map(|&row| signals.ts[row]).collect(),
        candidate: probability,
        champion: None,
        win: later.iter().map(|&row| signals.win[row]).collect(),
        r: later.iter().map(|&row| signals.r[row]).collect(),
    })
}

/// Rows that are out of sample for all models, and how many of the candidate's are not.
pub(super) fn common_rows(
    candidate: &StoredModel,
    champion: Option<&StoredModel>,
    rivals: &[Rival],
    signals: &Signals,
    (choice, embargo_days): (RowChoice, i64),
) -> Result<Common, NodeError> {
    let others = champion.into_iter().chain(rivals.iter().map(|rival| &rival.model));
    let learnt = others.clone().chain([candidate]).map(|model| model.manifest.trained_until.micros()).max();
    let after = learnt.unwrap_or(i64::MIN).saturating_add(embargo_days * MICROS_PER_DAY);
    let own = of_candidate(candidate, signals, choice, after)?;
    let wanted: BTreeSet<&String> = own.row.iter().collect();
    let scores = others
        .map(|model| unseen_scores(model, &wanted, signals, choice))
        .collect::<Result<Vec<BTreeMap<String, f64>>, NodeError>>()?;
    let kept: Vec<usize> =
        (0..own.row.len()).filter(|&at| scores.iter().all(|scores| scores.contains_key(&own.row[at]))).collect();
    let pick = |scores: &BTreeMap<String, f64>| -> Vec<f64> {
        kept.iter().filter_map(|&at| scores.get(&own.row[at]).copied()).collect()
    };
    let mut picked: Vec<Vec<f64>> = scores.iter().map(pick).collect();
    let rivals = picked.split_off(usize::from(champion.is_some()));
    let texts = |column: &[String]| kept.iter().map(|&at| column[at].clone()).collect();
    let numbers = |column: &[f64]| kept.iter().map(|&at| column[at]).collect();
    let rows = Evaluated {
        row: texts(&own.row),
        symbol: texts(&own.symbol),
        ts: kept.iter().map(|&at| own.ts[at]).collect(),
        candidate: numbers(&own.candidate),
        champion: picked.pop(),
        win: kept.iter().map(|&at| own.win[at]).collect(),
        r: numbers(&own.r),
    };
    Ok(Common { left_out: own.row.len() - kept.len(), rows, rivals })
}

/// The probabilities that a model gives rows it has not seen: of its own folds, and of signals after all it learnt from.
fn unseen_scores(
    model: &StoredModel,
    wanted: &BTreeSet<&String>,
    signals: &Signals,
    choice: RowChoice,
) -> Result<BTreeMap<String, f64>, NodeError> {
    // a record made for another strategy speaks of other features and of other outcomes
    let usable = choice == RowChoice::OutOfFold && model.manifest.strategy == signals.strategy;
    let record = Some(&model.out_of_fold).filter(|_| usable);
    let mut scores: BTreeMap<String, f64> = record
        .map(|record| record.row.iter().cloned().zip(record.probability.iter().copied()).collect())
        .unwrap_or_default();
    if !signals.lacks(&model.schema.features).is_empty() {
        // it cannot score these signals any more: its own record is all there is
        return Ok(scores);
    }
    let until = model.manifest.trained_until.micros();
    let later: Vec<usize> =
        (0..signals.len()).filter(|&row| signals.ts[row] > until && wanted.contains(&signals.row[row])).collect();
    let (_, probability) = model.predict(signals, &later)?;
    scores.extend(later.into_iter().map(|row| signals.row[row].clone()).zip(probability));
    Ok(scores)
}
