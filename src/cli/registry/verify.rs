//! `registry verify`: the chain of each log, and every byte of what it refers to.

use std::collections::BTreeMap;
use std::process::ExitCode;

use serde_json::json;

use crate::artifact::{ArtifactRef, Store};
use crate::base::Digest;
use crate::cli::Session;
use crate::cli::error::CliError;
use crate::cli::render::table;
use crate::registry::{Registry, RegistryError};

/// Exit code of a finding.
const WRONG: u8 = 3;

/// What was found about one model.
struct Found {
    model: String,
    entries: usize,
    artifacts: usize,
    problems: Vec<String>,
}

pub(super) async fn verify(
    session: &Session,
    registry: &Registry,
    store: &Store,
    model: Option<&str>,
) -> Result<ExitCode, CliError> {
    let models = match model {
        Some(model) => vec![model.to_owned()],
        None => registry.models().await?,
    };
    let mut found = Vec::new();
    for model in models {
        found.push(look(registry, store, model).await?);
    }
    if let (Some(model), [Found { entries: 0, problems, .. }]) = (model, &found[..])
        && problems.is_empty()
    {
        super::history_of(registry, model).await?;
    }
    let report: Vec<_> = found
        .iter()
        .map(|it| json!({"model": it.model, "entries": it.entries, "artifacts": it.artifacts, "problems": it.problems}))
        .collect();
    session.print(&report, || {
        if found.is_empty() {
            return format!("No model was ever deployed from {}.", session.store);
        }
        let rows = found.iter().map(|it| {
            let words = if it.problems.is_empty() { "verified".to_owned() } else { it.problems.join("\n") };
            vec![it.model.clone(), it.entries.to_string(), it.artifacts.to_string(), words]
        });
        table(&["model", "entries", "artifacts", "result"], rows)
    })?;
    let wrong = found.iter().any(|it| !it.problems.is_empty());
    Ok(if wrong { ExitCode::from(WRONG) } else { ExitCode::SUCCESS })
}

async fn look(registry: &Registry, store: &Store, model: String) -> Result<Found, CliError> {
    let history = match registry.history(&model).await {
        Ok(history) => history,
        Err(error @ RegistryError::Broken { .. }) => {
            return Ok(Found { model, entries: 0, artifacts: 0, problems: vec![error.to_string()] });
        }
        Err(error) => return Err(error.into()),
    };
    let mut artifacts: BTreeMap<Digest, (&ArtifactRef, u64)> = BTreeMap::new();
    for entry in &history.entries {
        if let Some((version, _)) = entry.action.version() {
            for artifact in [&version.model, &version.strategy, &version.evaluation] {
                artifacts.entry(artifact.sha256).or_insert((artifact, entry.slot));
            }
        }
    }
    let mut problems = Vec::new();
    for (artifact, slot) in artifacts.values() {
        if let Err(error) = store.verify(artifact).await {
            problems.push(format!("slot {slot}, {} {}: {error}", artifact.kind, artifact.sha256.short()));
        }
    }
    Ok(Found { model, entries: history.entries.len(), artifacts: artifacts.len(), problems })
}
