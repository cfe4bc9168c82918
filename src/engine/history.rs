//! History out of the records of runs: what nodes observed, run by run.
//!
//! A run's rows are derived from its record and the reports it names. They are also written down once, as
//! `history/<run>.parquet`, because runs and artifacts may be collected while what they found should stay known. A ledger
//! that is not there is derived anew, and is equal.

use std::collections::BTreeSet;

use serde_json::Value;

use super::RunReport;
use super::event::{NodeRecord, Outcome};
use super::journal::{RunView, read_run, run_heads};
use crate::artifact::{ArtifactType, Payload, Scalar, Store, StoreError};
use crate::base::Timestamp;
use crate::monitor::{HistoryRow, Observation, from_table, observations_of, sort_history, to_table};
use crate::node::{ValueType, find_kind};
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
    observed_by(store, (&view.start.run, &view.start.pipeline, view.start.as_of), &view.nodes).await
}

async fn observed_by(
    store: &Store,
    (run, pipeline, as_of): (&str, &str, Timestamp),
    nodes: &[NodeRecord],
) -> Result<Vec<HistoryRow>, StoreError> {
    let mut rows = Vec::new();
    for node in nodes {
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
            run: run.to_owned(),
            pipeline: pipeline.to_owned(),
            as_of,
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

/// Numbers as figures and words of a closed set as decisions; names and ids are neither.
fn of_values(node: &NodeRecord) -> Vec<Observation> {
    let is_word = |name: &String| {
        let port = find_kind(&node.kind).and_then(|kind| kind.descriptor().value(name));
        port.is_some_and(|port| matches!(port.kind, ValueType::Word(_)))
    };
    let one = |(name, value): (&String, &Scalar)| match value {
        Scalar::Int(number) => Some(Observation::metric(&node.kind, name, Some(*number as f64))),
        Scalar::Float(number) => Some(Observation::metric(&node.kind, name, Some(*number))),
        Scalar::Text(word) if is_word(name) => Some(Observation::decision(&node.kind, name, word)),
        Scalar::Text(_) | Scalar::Bool(_) | Scalar::Null => None,
    };
    node.values.iter().filter_map(one).collect()
}

/// Writes down what a run observed, once; a run that observed nothing leaves nothing.
///
/// # Errors
/// The store cannot be reached.
pub async fn keep_history(store: &Store, report: &RunReport) -> Result<Vec<HistoryRow>, StoreError> {
    let rows = observed_by(store, (&report.run, &report.pipeline, report.as_of), &report.nodes).await?;
    if let (false, Ok(bytes)) = (rows.is_empty(), to_table(&rows).to_parquet()) {
        store.storage().create(&ledger_name(&report.run), bytes.into()).await?;
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::artifact::Artifact;
    use crate::base::Timestamp;
    use crate::engine::RunStatus;
    use crate::monitor::with_observations;
    use crate::storage::Storage;

    fn node(kind: &str, outcome: Outcome) -> NodeRecord {
        let at = Timestamp::from_micros(9);
        NodeRecord {
            node: format!("my-{kind}"),
            kind: kind.to_owned(),
            outcome,
            reason: String::new(),
            summary: String::new(),
            fingerprint: None,
            parts: Value::Null,
            outputs: BTreeMap::new(),
            logical: BTreeMap::new(),
            values: [("auc".to_owned(), Scalar::Float(0.6)), ("word".to_owned(), Scalar::text("an id"))].into(),
            made_by: None,
            nondeterministic: BTreeMap::new(),
            differences: Vec::new(),
            repeated_on: None,
            attempts: Vec::new(),
            started: at,
            ended: at,
        }
    }

    fn report(nodes: Vec<NodeRecord>) -> RunReport {
        let at = Timestamp::from_micros(5);
        RunReport {
            run: "run-1".to_owned(),
            pipeline: "weekly".to_owned(),
            as_of: at,
            params: BTreeMap::new(),
            status: RunStatus::Succeeded,
            reason: String::new(),
            started: at,
            ended: at,
            nodes,
            published: Vec::new(),
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_reports_list_is_kept_and_values_stand_in_where_they_list_nothing() {
        let store = Store::over(Storage::in_memory()).await.unwrap();
        let seen = [Observation::drift("rsi", "ks", Some(0.3)).judged("drift")];
        let text = with_observations(json!({"version": 2}), &seen).to_string();
        let reference = store.put(&Artifact::file(ArtifactType::Drift, text)).await.unwrap();
        let mut listing = node("drift-check", Outcome::Reused);
        listing.outputs.insert("report".to_owned(), reference);
        let nodes = vec![
            listing,
            node("evaluate", Outcome::Succeeded),
            node("evaluate", Outcome::Failed),
            node("noop", Outcome::Succeeded),
        ];
        let rows = keep_history(&store, &report(nodes)).await.unwrap();
        let words: Vec<String> = rows.iter().map(|row| format!("{} {}", row.node, row.observation.name)).collect();
        assert_eq!(words, ["my-drift-check ks", "my-evaluate auc"]);
        assert!(rows[0].reused && !rows[1].reused);
        assert_eq!(history(&store).await.unwrap(), rows, "the ledger outlives the run, whose record is not there");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_run_that_observed_nothing_leaves_nothing() {
        let store = Store::over(Storage::in_memory()).await.unwrap();
        keep_history(&store, &report(vec![node("noop", Outcome::Succeeded)])).await.unwrap();
        assert!(store.storage().list("history").await.unwrap().is_empty());
    }
}
