//! `walkforward plan`.

use std::process::ExitCode;

use super::error::CliError;
use super::render::table;
use super::{PipelineArgs, Session};
use crate::engine;
use crate::plan::{Outside, PlannedNode, Step};
use crate::registry::{Registry, RegistryClient};

pub(super) async fn plan(session: &Session, args: &PipelineArgs) -> Result<ExitCode, CliError> {
    let pipeline = args.load()?;
    let store = session.open_store().await?;
    let sources = args.pin(&pipeline, &store).await?;
    let runtime = tokio::runtime::Handle::current();
    let registry = RegistryClient::new(Registry::new(store.clone()), runtime, super::clock(), "plan", "plan");
    let last_parts = engine::last_parts(&store, &pipeline.name).await?;
    let files = sources.digests();
    let outside = Outside { sources: &sources.references, files: &files };
    let planned = crate::plan::plan(&pipeline, outside, &store, &registry, &last_parts).await?;
    session.print(&planned, || {
        let rows = planned.iter().map(|node| {
            let (word, reason) = describe(node);
            vec![node.node.clone(), node.kind.clone(), word.to_owned(), reason]
        });
        format!("{} · as of {}\n\n{}", pipeline.name, pipeline.as_of, table(&["node", "kind", "plan", "why"], rows))
    })?;
    Ok(ExitCode::SUCCESS)
}

fn describe(node: &PlannedNode) -> (&'static str, String) {
    match &node.step {
        Step::Reuse { made_by } => ("reuse", format!("made by run {}", super::render::short_id(made_by))),
        Step::Run { because } => ("run", because.join("\n")),
        Step::Skip { because } => ("skip", because.clone()),
        Step::Unknown { until } => ("unknown", format!("until {}", until.join(", "))),
    }
}
