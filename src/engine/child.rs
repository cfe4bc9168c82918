//! A pipeline that is one node of another: a run of its own, whose parent is this run.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::attempt::{AttemptError, Made};
use super::event::{Outcome, RunEvent, RunStatus};
use super::{RunOptions, RunReport};
use crate::artifact::{Action, Artifact, ArtifactType, MadeBy, Scalar, Store};
use crate::base::{CancelToken, canonical_json};
use crate::node::NodeError;
use crate::pipeline::Pipeline;
use crate::plan::Fingerprint;

/// Everything one run of a child needs; owned, so that it can leave for a task of its own.
pub(super) struct Call {
    pub pipeline: Arc<Pipeline>,
    pub store: Store,
    pub options: RunOptions,
    pub node: String,
    pub timeout: Option<Duration>,
    pub fingerprint: Fingerprint,
    pub events: UnboundedSender<RunEvent>,
}

/// Runs the child to its end. Boxed, because it runs the engine that runs it.
pub(super) fn run(mut call: Call) -> Pin<Box<dyn Future<Output = Result<Made, AttemptError>> + Send>> {
    Box::pin(async move {
        let (events, received) = unbounded_channel();
        call.options.events = events;
        let watch = tokio::spawn(forward(received, call.node.clone(), call.pipeline.nodes.len(), call.events.clone()));
        let result = super::pin(&call.pipeline, &call.store, &call.options.environment).await;
        let result = match result {
            Ok(sources) => {
                let run = super::run(&call.pipeline, &call.store, sources, &call.options);
                within(call.timeout, &call.options.cancel, run).await
            }
            Err(error) => Ok(Err(error)),
        };
        let (run, parent) = (call.options.run_id.clone(), call.options.parent.clone());
        // closes the channel
        drop(call.options);
        let _ = watch.await;
        let report = result?.map_err(NodeError::failed)?;
        match report.status {
            RunStatus::Cancelled => Err(NodeError::Cancelled.into()),
            RunStatus::Failed => Err(NodeError::failed(failure(&report)).into()),
            RunStatus::Succeeded => {
                let record = record(&report, &call.pipeline.params).map_err(NodeError::failed)?;
                let reference = call.store.put(&record).await?;
                let count = |outcome| report.nodes.iter().filter(|node| node.outcome == outcome).count();
                let (ran, reused) = (count(Outcome::Succeeded), count(Outcome::Reused));
                let values = [
                    ("result", Scalar::text("succeeded")),
                    ("ran", Scalar::count(ran)),
                    ("reused", Scalar::count(reused)),
                    ("run", Scalar::text(run.clone())),
                ];
                let action = Action {
                    format: 1,
                    fingerprint: call.fingerprint.digest,
                    parts: call.fingerprint.parts,
                    outputs: [("record".to_owned(), reference)].into(),
                    logical: BTreeMap::new(),
                    values: values.map(|(name, value)| (name.to_owned(), value)).into(),
                    summary: format!("as of {}: {ran} ran, {reused} reused", report.as_of),
                    made_by: MadeBy { run: parent.unwrap_or(run), node: call.node },
                    txn: String::new(),
                };
                Ok(with_doubts(Made::only(action), &report))
            }
        }
    })
}

/// Waits for the end of a run, but not longer than it may take: then it is asked to stop.
async fn within<T>(
    timeout: Option<Duration>,
    cancel: &CancelToken,
    run: impl Future<Output = T>,
) -> Result<T, AttemptError> {
    let Some(timeout) = timeout else { return Ok(run.await) };
    tokio::pin!(run);
    match tokio::time::timeout(timeout, &mut run).await {
        Ok(ended) => Ok(ended),
        Err(_) => {
            cancel.cancel();
            // it does not wait for ever itself
            run.await;
            Err(AttemptError::TimedOut(timeout))
        }
    }
}

/// Shows the child's progress as that of the node.
async fn forward(mut events: UnboundedReceiver<RunEvent>, node: String, total: usize, to: UnboundedSender<RunEvent>) {
    let (mut ended, mut at) = (0, String::new());
    while let Some(event) = events.recv().await {
        match event {
            RunEvent::NodeStarted { node, .. } => at = node,
            RunEvent::NodeEnded { .. } => ended += 1,
            _ => continue,
        }
        let (done, total) = (ended, u64::try_from(total).unwrap_or(0));
        // a display that is gone is no reason to stop
        let _ = to.send(RunEvent::Progress { node: node.clone(), done, total, words: at.clone() });
    }
}

/// A result with what was found not to be deterministic inside.
fn with_doubts(mut made: Made, report: &RunReport) -> Made {
    for node in &report.nodes {
        let inside = |port: &String| format!("{}.{port}", node.node);
        made.nondeterministic.extend(node.nondeterministic.iter().map(|(port, digest)| (inside(port), *digest)));
        made.differences.extend(node.differences.iter().map(inside));
        made.repeated_on = made.repeated_on.max(node.repeated_on);
    }
    made
}

fn failure(report: &RunReport) -> String {
    let failed = report.nodes.iter().find(|node| node.outcome == Outcome::Failed);
    let why = failed.map_or_else(|| report.reason.clone(), |node| format!("{}: {}", node.node, node.reason));
    format!("run {} failed: {why}", report.run)
}

/// What became of the child's nodes, without ids and times: equal results are equal bytes. The nodes come in the order of
/// the pipeline.
pub(super) fn record(
    report: &RunReport,
    params: &BTreeMap<String, serde_json::Value>,
) -> Result<Artifact, crate::base::CanonicalError> {
    let nodes: Vec<serde_json::Value> = report
        .nodes
        .iter()
        .map(|node| {
            // whether a result was there before is no property of the result
            let outcome = if node.outcome == Outcome::Reused { Outcome::Succeeded } else { node.outcome };
            json!({
                "node": node.node, "kind": node.kind, "outcome": outcome, "reason": node.reason,
                "fingerprint": node.fingerprint, "outputs": node.outputs, "values": node.values,
            })
        })
        .collect();
    let record = json!({
        "pipeline": report.pipeline, "as_of": report.as_of, "params": params, "nodes": nodes,
    });
    Ok(Artifact::file(ArtifactType::Run, canonical_json(&record)?))
}
