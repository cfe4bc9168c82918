//! `walkforward audit`.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::Session;
use super::error::CliError;
use super::pipeline_args::environment;
use super::render::table;
use crate::base::CancelToken;
use crate::engine::{self, AuditLevel, AuditOptions, AuditReport, AuditStatus};

/// Exit code when something is not as recorded.
const MISMATCH: u8 = 3;
/// Exit code when something cannot be read.
const UNREADABLE: u8 = 4;

/// How deep an audit goes.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Level {
    /// Every byte of everything that the subject was made from.
    Digests,
    /// And that records account for all of it.
    Chain,
    /// And that every decision follows from what was recorded.
    Decisions,
    /// And that every node, run again, gives the same bytes.
    Rebuild,
}

impl From<Level> for AuditLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Digests => Self::Digests,
            Level::Chain => Self::Chain,
            Level::Decisions => Self::Decisions,
            Level::Rebuild => Self::Rebuild,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    /// A registered model (its champion), `MODEL@SLOT`, a run, or the digest of an artifact.
    #[arg(default_value = "latest")]
    subject: String,
    /// How deep to go; each level includes those before it.
    #[arg(long, value_enum, default_value_t = Level::Decisions)]
    level: Level,
    /// Print the result as Markdown.
    #[arg(long)]
    markdown: bool,
    /// Threads to run nodes again on; never changes a result.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..), default_value_t = 2)]
    threads: u16,
}

pub(super) async fn audit(session: &Session, args: &AuditArgs) -> Result<ExitCode, CliError> {
    let store = session.existing_store().await?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(usize::from(args.threads))
        .build()
        .map_err(|error| CliError::Usage(format!("cannot start {} threads: {error}", args.threads)))?;
    let options = AuditOptions {
        level: args.level.into(),
        pool: Arc::new(pool),
        cancel: CancelToken::new(),
        environment: environment(),
    };
    let Some(report) = engine::audit(&store, &args.subject, &options).await? else {
        let message = format!(
            "there is nothing to audit under `{}` in {}: expected a registered model with a champion, MODEL@SLOT, a run, or \
             at least 8 digits of an artifact's digest",
            args.subject, session.store
        );
        return Err(CliError::Usage(message));
    };
    session.print(&report, || if args.markdown { markdown(&report) } else { text(&report) })?;
    Ok(match report.verdict {
        AuditStatus::Verified | AuditStatus::CannotTell => ExitCode::SUCCESS,
        AuditStatus::Mismatch => ExitCode::from(MISMATCH),
        AuditStatus::Unreadable => ExitCode::from(UNREADABLE),
    })
}

fn word(status: AuditStatus) -> &'static str {
    match status {
        AuditStatus::Verified => "verified",
        AuditStatus::CannotTell => "cannot tell",
        AuditStatus::Mismatch => "MISMATCH",
        AuditStatus::Unreadable => "UNREADABLE",
    }
}

fn rows(report: &AuditReport) -> impl Iterator<Item = Vec<String>> {
    report.findings.iter().map(|finding| {
        vec![finding.level.to_string(), finding.what.clone(), word(finding.status).to_owned(), finding.detail.clone()]
    })
}

const HEADER: [&str; 4] = ["level", "what", "status", "detail"];

fn verdict(report: &AuditReport) -> String {
    let count = |status| report.findings.iter().filter(|finding| finding.status == status).count();
    let (wrong, unread, open) =
        (count(AuditStatus::Mismatch), count(AuditStatus::Unreadable), count(AuditStatus::CannotTell));
    let checks = report.findings.len();
    if wrong + unread > 0 {
        return format!("NOT VERIFIED: {wrong} mismatches, {unread} unreadable, in {checks} checks.");
    }
    let open = if open > 0 { format!("; {open} cannot be checked") } else { String::new() };
    format!(
        "Verified to the level {}: {} artifacts ({} bytes) by {} nodes, {checks} checks{open}.",
        report.level, report.artifacts, report.bytes, report.nodes
    )
}

fn text(report: &AuditReport) -> String {
    format!("Audit of {}\n\n{}\n\n{}", report.subject, table(&HEADER, rows(report)), verdict(report))
}

fn markdown(report: &AuditReport) -> String {
    let mut text = format!("# Audit of {}\n\n{}\n\n", report.subject, verdict(report));
    let _ = writeln!(text, "| {} |\n|---|---|---|---|", HEADER.join(" | "));
    for cells in rows(report) {
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text
}
