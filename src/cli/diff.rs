//! `walkforward diff`: what differs between two runs.

mod compared;

use std::process::ExitCode;

use clap::Args;

use super::Session;
use super::error::CliError;
use super::inspect::{find_run, status_word};
use super::render::{moment, short_id, table};
use crate::engine;
use compared::{Comparison, Head, NodeDifference};

#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// A run: its id, the end of it, or `latest`. Alone it is compared with the run of the same pipeline before it;
    /// without it, the latest run is.
    run_a: Option<String>,
    /// A later run to compare it with.
    run_b: Option<String>,
}

pub(super) async fn diff(session: &Session, args: &DiffArgs) -> Result<ExitCode, CliError> {
    let store = session.existing_store().await?;
    let (before, after) = match (&args.run_a, &args.run_b) {
        (Some(before), Some(after)) => {
            (find_run(session, &store, before).await?, find_run(session, &store, after).await?)
        }
        (after, _) => {
            let after = find_run(session, &store, after.as_deref().unwrap_or("latest")).await?;
            let before = engine::run_before(&store, &after.start).await?.ok_or_else(|| {
                let (run, pipeline) = (short_id(&after.start.run), &after.start.pipeline);
                let advice = "name two runs: `walkforward runs` lists them";
                CliError::Usage(format!("there is no run of `{pipeline}` before {run} to compare it with; {advice}"))
            })?;
            (before, after)
        }
    };
    let comparison = Comparison::of(&before, &after);
    let (before, after) = (head("before", &comparison.before), head("after", &comparison.after));
    session.print(&comparison, || format!("{before}\n{after}\n\n{}", text(&comparison)))?;
    Ok(ExitCode::SUCCESS)
}

fn head(when: &str, head: &Head) -> String {
    let (run, status, started) = (short_id(&head.run), status_word(head.status), moment(head.started));
    format!("{when:6}  run {run} · {} · as of {} · {status} · {started}", head.pipeline, head.as_of)
}

fn text(comparison: &Comparison) -> String {
    let mut parts = Vec::new();
    if !comparison.settings.is_empty() {
        let rows = comparison.settings.iter().map(|setting| {
            vec![setting.what.clone(), compared::shown(&setting.before), compared::shown(&setting.after)]
        });
        parts.push(table(&["the run's", "before", "after"], rows));
    }
    if !comparison.nodes.is_empty() {
        let rows = comparison.nodes.iter().flat_map(node_rows);
        parts.push(table(&["node", "what", "before", "after", "difference"], rows));
    }
    parts.push(verdict(comparison));
    parts.join("\n\n")
}

/// One row for each thing that differs; the first has the node's name.
fn node_rows(node: &NodeDifference) -> Vec<Vec<String>> {
    let mut rows = node.lines();
    for (number, row) in rows.iter_mut().enumerate() {
        let name = if number == 0 { node.node.clone() } else { String::new() };
        row.insert(0, name);
    }
    rows
}

fn verdict(comparison: &Comparison) -> String {
    let all = comparison.equal_nodes + comparison.nodes.len();
    let other = comparison.nodes.iter().filter(|node| node.has_other_results()).count();
    match (comparison.settings.is_empty() && comparison.nodes.is_empty(), other) {
        (true, _) => format!("The runs do not differ: {all} nodes with the same outcomes, values and outputs."),
        (false, 0) => format!("The results are the same: {all} nodes with equal values and outputs."),
        (false, _) => format!("{other} of {all} nodes have other results."),
    }
}
