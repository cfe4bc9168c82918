//! `walkforward runs` and `show`.

use std::process::ExitCode;

use clap::Args;

use super::Session;
use super::error::CliError;
use super::render::{moment, nodes_table, short_id, table};
use crate::artifact::Store;
use crate::engine::{self, RunStatus, RunView};

#[derive(Debug, Args)]
pub(super) struct RunsArgs {
    /// How many to list.
    #[arg(long, short = 'n', default_value_t = 20)]
    limit: usize,
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The run's id, the end of it, or `latest`.
    #[arg(default_value = "latest")]
    run: String,
}

/// The words for how a run ended.
pub(super) fn status_word(status: Option<RunStatus>) -> &'static str {
    match status {
        Some(RunStatus::Succeeded) => "succeeded",
        Some(RunStatus::Failed) => "failed",
        Some(RunStatus::Cancelled) => "cancelled",
        None => "no end recorded: interrupted, or still running",
    }
}

pub(super) async fn runs(session: &Session, args: &RunsArgs) -> Result<ExitCode, CliError> {
    let store = session.existing_store().await?;
    let views = engine::list_runs(&store, args.limit).await?;
    session.print(&views, || {
        if views.is_empty() {
            return format!("No runs in {}.", session.store);
        }
        let rows = views.iter().map(|view| {
            vec![
                short_id(&view.start.run).to_owned(),
                view.start.pipeline.clone(),
                view.start.as_of.to_string(),
                status_word(ended(view)).to_owned(),
                moment(view.start.at),
            ]
        });
        table(&["run", "pipeline", "as of", "status", "started"], rows)
    })?;
    Ok(ExitCode::SUCCESS)
}

fn ended(view: &RunView) -> Option<RunStatus> {
    view.end.as_ref().map(|end| end.status)
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
    session.print(&view, || {
        let head = format!(
            "{} · as of {} · run {} · {}",
            view.start.pipeline,
            view.start.as_of,
            view.start.run,
            status_word(ended(&view))
        );
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
