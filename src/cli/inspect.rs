//! `walkforward runs` and `show`.

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::Session;
use super::error::CliError;
use super::render::{moment, nodes_table, seconds, short_id, table};
use crate::artifact::{Store, StoreError};
use crate::engine::{self, EndRecord, RunHead, RunStatus, RunView, StartRecord};

#[derive(Debug, Args)]
pub(super) struct RunsArgs {
    /// How many to list.
    #[arg(long, short = 'n', default_value_t = 20)]
    limit: usize,
    /// Only runs of the pipeline with this name.
    #[arg(long, value_name = "NAME")]
    pipeline: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The run's id, the end of it, or `latest`.
    #[arg(default_value = "latest")]
    run: String,
}

/// The word for a run whose end cannot be read.
pub(super) const DAMAGED: &str = "damaged";

/// How a run stands, in a word. A run without an end whose lock nobody holds was interrupted.
pub(super) async fn state_word(store: &Store, head: &RunHead) -> Result<&'static str, CliError> {
    if head.damaged {
        return Ok(DAMAGED);
    }
    let ended = head.end.as_ref().map(|end| end.status);
    if ended.is_none() && engine::is_live(store.storage(), &head.start.run).await.map_err(StoreError::from)? {
        return Ok("running");
    }
    Ok(status_word(ended))
}

/// The words for how a run ended.
pub(super) fn status_word(status: Option<RunStatus>) -> &'static str {
    match status {
        Some(RunStatus::Succeeded) => "succeeded",
        Some(RunStatus::Failed) => "failed",
        Some(RunStatus::Cancelled) => "cancelled",
        None => "interrupted",
    }
}

/// A run in the list.
#[derive(Serialize)]
struct Listed<'a> {
    state: &'static str,
    start: &'a StartRecord,
    end: Option<&'a EndRecord>,
}

pub(super) async fn runs(session: &Session, args: &RunsArgs) -> Result<ExitCode, CliError> {
    let store = session.existing_store().await?;
    // the newest of one pipeline may stand behind many of others
    let look_back = if args.pipeline.is_some() { usize::MAX } else { args.limit };
    let heads = engine::run_heads(&store, look_back).await?;
    let wanted = |head: &&RunHead| args.pipeline.as_ref().is_none_or(|name| head.start.pipeline == *name);
    let mut listed = Vec::new();
    for head in heads.iter().filter(wanted).take(args.limit) {
        listed.push(Listed { state: state_word(&store, head).await?, start: &head.start, end: head.end.as_ref() });
    }
    session.print(&listed, || {
        if listed.is_empty() {
            return format!("No runs in {}.", session.store);
        }
        let rows = listed.iter().map(|Listed { state, start, end }| {
            let took = end.as_ref().map_or(String::new(), |end| seconds(start.at, end.at));
            let child = if start.parent.is_some() { " (a node of another run)" } else { "" };
            vec![
                short_id(&start.run).to_owned(),
                format!("{}{child}", start.pipeline),
                start.as_of.to_string(),
                (*state).to_owned(),
                moment(start.at),
                took,
            ]
        });
        table(&["run", "pipeline", "as of", "state", "started", "took"], rows)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Finds a run by its id, the end of it, or `latest`.
pub(super) async fn find_run(session: &Session, store: &Store, run: &str) -> Result<RunView, CliError> {
    engine::read_run(store, run).await?.ok_or_else(|| {
        CliError::Usage(format!("no single run `{run}` in {}; `walkforward runs` lists them", session.store))
    })
}

pub(super) async fn show(session: &Session, args: &ShowArgs) -> Result<ExitCode, CliError> {
    let store = session.existing_store().await?;
    let view = find_run(session, &store, &args.run).await?;
    let head = RunHead { start: view.start.clone(), end: view.end.clone(), damaged: false };
    let state = state_word(&store, &head).await?;
    session.print(&view, || {
        let mut head =
            format!("{} · as of {} · run {} · {state}", view.start.pipeline, view.start.as_of, view.start.run);
        if let Some(reason) = view.end.as_ref().map(|end| &end.reason).filter(|reason| !reason.is_empty()) {
            head.push_str(&format!(": {reason}"));
        }
        if let Some(parent) = &view.start.parent {
            head.push_str(&format!("\na node of run {parent}"));
        }
        let artifacts = view.nodes.iter().flat_map(|node| {
            node.outputs.iter().map(move |(port, output)| {
                vec![format!("{}.{port}", node.node), output.kind.to_string(), output.sha256.to_string()]
            })
        });
        let values = view.nodes.iter().flat_map(|node| {
            node.values.iter().map(move |(name, value)| vec![format!("{}.{name}", node.node), value.to_string()])
        });
        format!(
            "{head}\n\n{}\n\n{}\n\n{}",
            nodes_table(&view.nodes),
            table(&["value", ""], values),
            table(&["artifact", "type", "sha256"], artifacts)
        )
    })?;
    Ok(ExitCode::SUCCESS)
}
