//! `walkforward registry list | show | rollback`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::Session;
use super::error::CliError;
use super::render::{moment, table};
use crate::registry::{Champion, EntryAction, Registry, RollbackTo, RolledBack, Stamp};

#[derive(Debug, Subcommand)]
pub(super) enum RegistryCommand {
    /// List models and who holds their champion alias.
    List,
    /// Show the log of a model: every promotion and rollback.
    Show {
        /// The model.
        model: String,
    },
    /// Give an alias back to an earlier version; the log keeps both.
    Rollback(RollbackArgs),
}

#[derive(Debug, Args)]
pub(super) struct RollbackArgs {
    /// The model.
    model: String,
    /// The alias.
    #[arg(long, default_value = "champion")]
    alias: String,
    /// The slot of the promotion to return to, or `none`; without it, the champion before the one that was promoted last.
    #[arg(long)]
    to: Option<RollbackTo>,
    /// Why; kept in the log.
    #[arg(long)]
    reason: String,
}

pub(super) async fn registry(session: &Session, command: &RegistryCommand) -> Result<ExitCode, CliError> {
    let registry = Registry::new(session.existing_store().await?);
    match command {
        RegistryCommand::List => list(session, &registry).await,
        RegistryCommand::Show { model } => show(session, &registry, model).await,
        RegistryCommand::Rollback(args) => rollback(session, &registry, args).await,
    }
}

async fn list(session: &Session, registry: &Registry) -> Result<ExitCode, CliError> {
    let mut rows = Vec::new();
    let mut report = Vec::new();
    for model in registry.models().await? {
        let history = registry.history(&model).await?;
        let champion = history.champion("champion");
        report.push(json!({
            "model": model,
            "entries": history.entries.len(),
            "champion": champion.as_ref().map(|champion| json!({
                "slot": champion.slot, "as_of": champion.as_of, "version": champion.version,
            })),
        }));
        let (slot, as_of, digest) = match &champion {
            Some(Champion { slot, version, as_of }) => {
                (slot.to_string(), as_of.to_string(), version.model.sha256.short())
            }
            None => ("-".to_owned(), "-".to_owned(), "none".to_owned()),
        };
        rows.push(vec![model, digest, slot, as_of, history.entries.len().to_string()]);
    }
    session.print(&report, || {
        if rows.is_empty() {
            return format!("No model was ever deployed from {}.", session.store);
        }
        table(&["model", "champion", "slot", "as of", "entries"], rows)
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn show(session: &Session, registry: &Registry, model: &str) -> Result<ExitCode, CliError> {
    let history = registry.history(model).await?;
    if history.entries.is_empty() {
        let known = registry.models().await?;
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Err(CliError::Usage(format!("there is no registered model `{model}`; known: {known}")));
    }
    session.print(&history.entries, || {
        let rows = history.entries.iter().map(|entry| {
            let (action, what) = match &entry.action {
                EntryAction::Promote { version, as_of, .. } => {
                    let digest = version.model.sha256.short();
                    ("promote", format!("{digest}, decided as of {as_of}\n{}", version.reason))
                }
                EntryAction::Rollback { to: Some(to), reason } => ("rollback", format!("to slot {to}: {reason}")),
                EntryAction::Rollback { to: None, reason } => ("rollback", format!("to no champion: {reason}")),
            };
            vec![entry.slot.to_string(), entry.alias.clone(), action.to_owned(), what, moment(entry.at)]
        });
        table(&["slot", "alias", "action", "what", "at"], rows)
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn rollback(session: &Session, registry: &Registry, args: &RollbackArgs) -> Result<ExitCode, CliError> {
    let stamp = Stamp { at: super::now(), by: "command line".to_owned(), txn: uuid::Uuid::now_v7().to_string() };
    let to = args.to.unwrap_or(RollbackTo::Before);
    let RolledBack { slot, champion, repeated } =
        registry.rollback(&args.model, &args.alias, to, &args.reason, &stamp).await?;
    let digest = champion.as_ref().map(|champion| champion.version.model.sha256);
    let report =
        json!({"model": args.model, "alias": args.alias, "slot": slot, "champion": digest, "repeated": repeated});
    session.print(&report, || {
        let now = match &champion {
            Some(Champion { slot: to, version, .. }) => {
                format!("{} of `{}` is again {} from slot {to}", args.alias, args.model, version.model.sha256.short())
            }
            None => format!("`{}` has no {} any more", args.model, args.alias),
        };
        let further = if to == RollbackTo::Before { "; to go back further, say --to" } else { "" };
        match repeated {
            true => format!("{now}, as slot {slot} already records; nothing was written{further}."),
            false => format!("{now}; recorded in slot {slot}."),
        }
    })?;
    Ok(ExitCode::SUCCESS)
}
