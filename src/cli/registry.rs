//! `walkforward registry`: what is deployed, why, and what people may do about it.
//!
//! | command | does |
//! |---|---|
//! | `list`, `show`, `log` | models, versions, and every entry with who and why |
//! | `compare` | two versions by the evaluations that they were deployed with |
//! | `approve`, `promote`, `rollback`, `retire` | one entry each, exactly once |
//! | `verify` | the chain of the log, and every byte of what it refers to |

mod by_hand;
mod compare;
mod verify;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::Session;
use super::error::CliError;
use super::render::{moment, table};
use crate::registry::{ByHand, Champion, Entry, EntryAction, History, Registry, RollbackTo, RolledBack, Stamp};
use by_hand::{ApproveArgs, PromoteArgs, RetireArgs};
use compare::CompareArgs;

#[derive(Debug, Subcommand)]
pub(super) enum RegistryCommand {
    /// List models, who holds their aliases, and how many proposals wait.
    List,
    /// Show the versions of a model: what each is, and what has become of it.
    Show {
        /// The model.
        model: String,
    },
    /// Show every entry of a model's log: who did what, when and why.
    Log {
        /// The model.
        model: String,
    },
    /// Compare two versions by the evaluations that they were deployed with.
    Compare(CompareArgs),
    /// Carry out a proposal of a gate with `approve: manual`.
    Approve(ApproveArgs),
    /// Give an alias to a version of the log, whatever the gate said.
    Promote(PromoteArgs),
    /// Give an alias back to an earlier version; the log keeps both.
    Rollback(RollbackArgs),
    /// Take a version out of service for good, or turn a proposal down.
    Retire(RetireArgs),
    /// Check the chain of the logs, and every byte of what they refer to; exit code 3 if anything is wrong.
    Verify {
        /// The model; all of them without it.
        model: Option<String>,
    },
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
    /// Who; kept in the log. The user of this shell by default.
    #[arg(long)]
    by: Option<String>,
}

pub(super) async fn registry(session: &Session, command: &RegistryCommand) -> Result<ExitCode, CliError> {
    let store = session.existing_store().await?;
    let registry = Registry::new(store.clone());
    match command {
        RegistryCommand::List => list(session, &registry).await,
        RegistryCommand::Show { model } => show(session, &registry, model).await,
        RegistryCommand::Log { model } => log(session, &registry, model).await,
        RegistryCommand::Compare(args) => compare::compare(session, &registry, &store, args).await,
        RegistryCommand::Approve(args) => by_hand::approve(session, &registry, args).await,
        RegistryCommand::Promote(args) => by_hand::promote(session, &registry, args).await,
        RegistryCommand::Rollback(args) => rollback(session, &registry, args).await,
        RegistryCommand::Retire(args) => by_hand::retire(session, &registry, args).await,
        RegistryCommand::Verify { model } => verify::verify(session, &registry, &store, model.as_deref()).await,
    }
}

/// Who acts: the name that was given, else the user of this shell.
fn person(by: Option<&str>) -> String {
    let user = || ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| std::env::var(name).ok());
    match by.map(str::to_owned).or_else(user).filter(|name| !name.trim().is_empty()) {
        Some(name) => format!("{name}, command line"),
        None => "command line".to_owned(),
    }
}

fn hand(by: Option<&str>, reason: &str) -> Result<(ByHand, Stamp), CliError> {
    if reason.trim().is_empty() {
        return Err(CliError::Usage("--reason is empty: say why, the log keeps it for good".to_owned()));
    }
    let by = person(by);
    let stamp = Stamp { at: super::now(), by: by.clone(), txn: uuid::Uuid::now_v7().to_string() };
    Ok((ByHand { by, reason: reason.to_owned() }, stamp))
}

/// The log of a model that has one.
async fn history_of(registry: &Registry, model: &str) -> Result<History, CliError> {
    let history = registry.history(model).await?;
    if history.entries.is_empty() {
        let known = registry.models().await?;
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Err(CliError::Usage(format!("there is no registered model `{model}`; known: {known}")));
    }
    Ok(history)
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
            "waiting": history.waiting().iter().map(|entry| entry.slot).collect::<Vec<_>>(),
            "aliases": history.aliases().into_iter().map(|alias| json!({
                "alias": alias, "slot": history.champion(alias).map(|champion| champion.slot),
            })).collect::<Vec<_>>(),
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
        let others = history.aliases().into_iter().filter(|alias| *alias != "champion");
        let others: Vec<String> = others
            .filter_map(|alias| Some(format!("{alias}: {}", history.champion(alias)?.slot)))
            .chain((!history.waiting().is_empty()).then(|| format!("{} wait for approval", history.waiting().len())))
            .collect();
        rows.push(vec![model, digest, slot, as_of, history.entries.len().to_string(), others.join(", ")]);
    }
    session.print(&report, || {
        if rows.is_empty() {
            return format!("No model was ever deployed from {}.", session.store);
        }
        table(&["model", "champion", "slot", "as of", "entries", "beside"], rows)
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn show(session: &Session, registry: &Registry, model: &str) -> Result<ExitCode, CliError> {
    let history = history_of(registry, model).await?;
    session.print(&history.entries, || {
        let versions = history.entries.iter().filter_map(|entry| Some((entry, entry.action.version()?)));
        let rows = versions.map(|(entry, (version, as_of))| {
            let state = history.state(entry.slot).map_or("", |state| state.name());
            let cells = [
                entry.slot.to_string(),
                version.model.sha256.short(),
                entry.alias.clone(),
                state.to_owned(),
                as_of.to_string(),
                version.reason.clone(),
            ];
            cells.to_vec()
        });
        let mut text = table(&["slot", "model", "alias", "state", "as of", "why the gate took it"], rows);
        for alias in history.aliases() {
            let holder = history.champion(alias);
            let words = holder.map_or("nobody".to_owned(), |holder| {
                format!("slot {}, model {}", holder.slot, holder.version.model.sha256.short())
            });
            text.push_str(&format!("\n{alias} is {words}"));
        }
        text
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Who did what, and why, in the words of the log.
fn told(entry: &Entry) -> (String, String) {
    match &entry.action {
        EntryAction::Promote { version, as_of, approved: None, .. } => (
            entry.by.clone(),
            format!("model {}, decided as of {as_of}: {}", version.model.sha256.short(), version.reason),
        ),
        EntryAction::Promote { version, approved: Some(approved), .. } => (
            approved.by.clone(),
            format!("model {} of slot {}: {}", version.model.sha256.short(), approved.slot, approved.reason),
        ),
        EntryAction::Propose { version, as_of, .. } => (
            entry.by.clone(),
            format!("model {}, decided as of {as_of}: {}", version.model.sha256.short(), version.reason),
        ),
        EntryAction::Rollback { to: Some(to), reason } => (entry.by.clone(), format!("to slot {to}: {reason}")),
        EntryAction::Rollback { to: None, reason } => (entry.by.clone(), format!("to no champion: {reason}")),
        EntryAction::Retire { slot, reason } => (entry.by.clone(), format!("slot {slot}: {reason}")),
    }
}

async fn log(session: &Session, registry: &Registry, model: &str) -> Result<ExitCode, CliError> {
    let history = history_of(registry, model).await?;
    let trail: Vec<_> = history
        .entries
        .iter()
        .map(|entry| {
            let (who, why) = told(entry);
            json!({
                "slot": entry.slot, "at": entry.at, "action": entry.action.name(), "alias": entry.alias, "who": who,
                "why": why, "run": entry.by, "previous": entry.previous,
            })
        })
        .collect();
    session.print(&trail, || {
        let rows = history.entries.iter().map(|entry| {
            let (who, why) = told(entry);
            let action = entry.action.name().to_owned();
            vec![entry.slot.to_string(), moment(entry.at), action, entry.alias.clone(), who, why]
        });
        table(&["slot", "at", "action", "alias", "who", "why"], rows)
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn rollback(session: &Session, registry: &Registry, args: &RollbackArgs) -> Result<ExitCode, CliError> {
    let (hand, stamp) = hand(args.by.as_deref(), &args.reason)?;
    let to = args.to.unwrap_or(RollbackTo::Before);
    let RolledBack { slot, champion, repeated } =
        registry.rollback(&args.model, &args.alias, to, &hand.reason, &stamp).await?;
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
