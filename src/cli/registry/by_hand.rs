//! `registry approve | promote | retire`: what a person decides, with who and why.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::hand;
use crate::cli::Session;
use crate::cli::error::CliError;
use crate::registry::{HandOutcome, Registry};

#[derive(Debug, Args)]
pub(in crate::cli) struct ApproveArgs {
    /// The model.
    model: String,
    /// The slot of the proposal; without it, the only one that waits.
    #[arg(long)]
    slot: Option<u64>,
    /// Why; kept in the log.
    #[arg(long)]
    reason: String,
    /// Who; kept in the log. The user of this shell by default.
    #[arg(long)]
    by: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct PromoteArgs {
    /// The model.
    model: String,
    /// The slot of the version, as `registry show` lists them.
    #[arg(long)]
    slot: u64,
    /// The alias that it takes.
    #[arg(long, default_value = "champion")]
    alias: String,
    /// Why; kept in the log.
    #[arg(long)]
    reason: String,
    /// Who; kept in the log. The user of this shell by default.
    #[arg(long)]
    by: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RetireArgs {
    /// The model.
    model: String,
    /// The slot of the version or of the proposal, as `registry show` lists them.
    #[arg(long)]
    slot: u64,
    /// Why; kept in the log.
    #[arg(long)]
    reason: String,
    /// Who; kept in the log. The user of this shell by default.
    #[arg(long)]
    by: Option<String>,
}

fn answer(session: &Session, model: &str, outcome: HandOutcome, done: &str) -> Result<ExitCode, CliError> {
    let (slot, before) = (outcome.slot(), matches!(outcome, HandOutcome::Already(_)));
    let report = json!({"model": model, "slot": slot, "done_before": before});
    session.print(&report, || {
        if before {
            format!("Nothing to do: {done} already, by slot {slot}.")
        } else {
            format!("{done}; recorded in slot {slot}.")
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn approve(session: &Session, registry: &Registry, args: &ApproveArgs) -> Result<ExitCode, CliError> {
    let (hand, stamp) = hand(args.by.as_deref(), &args.reason)?;
    super::history_of(registry, &args.model).await?;
    let outcome = registry.approve(&args.model, args.slot, &hand, &stamp).await?;
    answer(session, &args.model, outcome, &format!("the proposal of `{}` is approved", args.model))
}

pub(super) async fn promote(session: &Session, registry: &Registry, args: &PromoteArgs) -> Result<ExitCode, CliError> {
    let (hand, stamp) = hand(args.by.as_deref(), &args.reason)?;
    if !crate::registry::is_valid_name(&args.alias) {
        let message = format!("`{}` cannot name an alias: use letters, digits, `.`, `_` and `-`", args.alias);
        return Err(CliError::Usage(message));
    }
    super::history_of(registry, &args.model).await?;
    let outcome = registry.promote_version(&args.model, args.slot, &args.alias, &hand, &stamp).await?;
    answer(
        session,
        &args.model,
        outcome,
        &format!("the version of slot {} holds {} of `{}`", args.slot, args.alias, args.model),
    )
}

pub(super) async fn retire(session: &Session, registry: &Registry, args: &RetireArgs) -> Result<ExitCode, CliError> {
    let (hand, stamp) = hand(args.by.as_deref(), &args.reason)?;
    super::history_of(registry, &args.model).await?;
    let outcome = registry.retire(&args.model, args.slot, &hand, &stamp).await?;
    answer(session, &args.model, outcome, &format!("slot {} of `{}` is retired", args.slot, args.model))
}
