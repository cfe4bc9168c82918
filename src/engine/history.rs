//! History out of the records of runs: what nodes observed, run by run.
//!
//! A run's rows are derived from its record and the reports it names. They are also written down once, as
//! `history/<run>.parquet`, because runs and artifacts may be collected while what they found should stay known. A ledger
//! that is not there is derived anew, and is equal.

use std::collections::BTreeSet;

use serde_json::Value;

use super::event::{NodeRecord, Outcome};
use super::journal::{RunView, read_run, run_heads};
use crate::artifact::{ArtifactType, Payload, Scalar, Store, StoreError};
use crate::monitor::{HistoryRow, Observation, from_table, observations_of, sort_history, to_table};
use crate::table::Table;

/// Types of artifacts that are reports in JSON.
const REPORTS: [ArtifactType; 4] =
    [ArtifactType::Drift, ArtifactType::Evaluation, ArtifactType::Deployment, ArtifactType::Backtest];

/// Kinds whose values are figures worth a history where their report lists none.
const MEASURING: [&str; 6] =
    ["backtest", "deploy-if-better", "drift-check", "evaluate", "optimize-parameters", "train"];

fn ledger_name(run: &str) -> String {
    format!("history/{run}.parquet")
}

/// What the nodes of a run observed.
///
/// # Errors
/// The store cannot be reached; a report that is gone or damaged has no rows.
pub async fn observed(store: &Store, view: &RunView) -> Result<Vec<HistoryRow>, StoreError> {
    let mut rows = Vec::new();
    for node in &view.nodes {
        if !matches!(node.outcome, Outcome::Succeeded | Outcome::Reused) {
            continue;
        }
        let mut found = Vec::new();
        for reference in node.outputs.values().filter(|output| REPORTS.contains(&output.kind)) {
            match store.get(reference).await {
                Ok(artifact) => found.extend(reported(&artifact.payload)),
                Err(StoreError::Blob(_)) => {}
                Err(error) => return Err(error),
            }
        }
        if found.is_empty() && MEASURING.contains(&node.kind.as_str()) {
            found = of_values(node);
        }
        rows.extend(found.into_iter().map(|observation| HistoryRow {
            run: view.start.run.clone(),
            pipeline: view.start.pipeline.clone(),
            as_of: view.start.as_of,
            at: node.ended,
            node: node.node.clone(),
            kind: node.kind.clone(),
            reused: node.outcome == Outcome::Reused,
            observation,
        }));
    }
    sort_history(&mut rows);
    Ok(rows)
}

fn reported(payload: &Payload) -> Vec<Observation> {
    let Payload::File(bytes) = payload else { return Vec::new() };
    serde_json::from_slice::<Value>(bytes).map(|report| observations_of(&report)).unwrap_or_default()
}

/// Numbers as figures and words as decisions.
fn of_values(node: &NodeRecord) -> Vec<Observation> {
    let one = |(name, value): (&String, &Scalar)| match value {
        Scalar::Int(number) => Some(Observation::metric(&node.kind, name, Some(*number as f64))),
        Scalar::Float(number) => Some(Observation::metric(&node.kind, name, Some(*number))),
        Scalar::Text(word) => Some(Observation::decision(&node.kind, name, word)),
        Scalar::Bool(_) | Scalar::Null => None,
    };
    node.values.iter().filter_map(one).collect()
}

/// Writes down what a run observed, once; a run that observed nothing leaves nothing.
///
/// # Errors
/// The store cannot be reached.
pub async fn keep_history(store: &Store, view: &RunView) -> Result<Vec<HistoryRow>, StoreError> {
    let rows = observed(store, view).await?;
    if let (false, Ok(bytes)) = (rows.is_empty(), to_table(&rows).to_parquet()) {
        store.storage().create(&ledger_name(&view.start.run), bytes.into()).await?;
    }
    Ok(rows)
}

/// The history of the whole store: what was written down, and what runs without a ledger observed.
///
/// # Errors
/// The store cannot be reached. A ledger that cannot be read is derived anew where its run is kept.
pub async fn history(store: &Store) -> Result<Vec<HistoryRow>, StoreError> {
    let mut rows = Vec::new();
    let mut known = BTreeSet::new();
    for name in store.storage().list("history").await? {
        let Some(run) = name.strip_prefix("history/").and_then(|name| name.strip_suffix(".parquet")) else { continue };
        let Some(bytes) = store.storage().get(&name).await? else { continue };
        if let Ok(read) = Table::from_parquet(bytes).and_then(from_table) {
            known.insert(run.to_owned());
            rows.extend(read);
        }
    }
    for head in run_heads(store, usize::MAX).await? {
        if head.end.is_none() || known.contains(&head.start.run) {
            continue;
        }
        if let Some(view) = read_run(store, &head.start.run).await? {
            rows.extend(observed(store, &view).await?);
        }
    }
    sort_history(&mut rows);
    Ok(rows)
}
