//! `walkforward kinds`: what each kind reads and writes, and how it is set.
//!
//! All of it comes from the kind's descriptor and from the schema of its settings.

mod markdown;
mod settings;
mod shape;
mod tables;

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::Session;
use super::error::CliError;
use super::render::table;
use crate::base::nearest;
use crate::node::{NodeKind, find_kind, shown_kinds};
use tables::{Style, tables, value_type};

#[derive(Debug, Args)]
pub(super) struct KindsArgs {
    /// The kind to show with its inputs, outputs, values and settings.
    kind: Option<String>,
    /// Write the reference page of all kinds.
    #[arg(long, conflicts_with = "kind")]
    markdown: bool,
}

pub(super) fn kinds(session: &Session, args: &KindsArgs) -> Result<ExitCode, CliError> {
    match &args.kind {
        _ if args.markdown => {
            let page = markdown::reference_markdown();
            session.print(&page, || page.clone())?;
        }
        None => session.print(&shown_kinds().map(report).collect::<Vec<_>>(), list)?,
        Some(name) => {
            let kind = find_kind(name).ok_or_else(|| unknown(name))?;
            session.print(&report(kind), || about(kind))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn unknown(name: &str) -> CliError {
    let known: Vec<&str> = shown_kinds().map(|kind| kind.descriptor().name).collect();
    let advice = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known: {}", known.join(", ")),
    };
    CliError::Usage(format!("there is no kind `{name}`; {advice}"))
}

/// One line a kind.
fn list() -> String {
    let width = shown_kinds().map(|kind| kind.descriptor().name.len()).max().unwrap_or(0);
    let line = |kind: &dyn NodeKind| format!("{:width$}  {}", kind.descriptor().name, kind.descriptor().doc);
    shown_kinds().map(line).collect::<Vec<_>>().join("\n")
}

/// All there is to say about a kind.
fn about(kind: &dyn NodeKind) -> String {
    let style = Style { code: str::to_owned, new_line: "\n" };
    let about = kind.descriptor();
    let head = format!("{}: {}", about.name, about.doc);
    let tables = tables(kind, &style).into_iter().map(|it| table(it.header, it.rows));
    std::iter::once(head).chain(tables).collect::<Vec<_>>().join("\n\n")
}

fn report(kind: &dyn NodeKind) -> Value {
    let about = kind.descriptor();
    let inputs = about
        .inputs
        .iter()
        .map(|port| json!({"name": port.name, "required": port.required, "types": port.types, "doc": port.doc}));
    let outputs = about.outputs.iter().map(|port| json!({"name": port.name, "type": port.kind, "doc": port.doc}));
    let values =
        about.values.iter().map(|port| json!({"name": port.name, "type": value_type(&port.kind), "doc": port.doc}));
    json!({
        "kind": about.name,
        "version": about.version,
        "doc": about.doc,
        "inputs": inputs.collect::<Vec<_>>(),
        "outputs": outputs.collect::<Vec<_>>(),
        "values": values.collect::<Vec<_>>(),
        "schema": kind.settings_schema(),
    })
}
