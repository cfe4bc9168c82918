//! `walkforward audit`.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::Session;
use super::error::CliError;
use super::pipeline_args::environment;
use super::render::table;
use super::signing::{read_public_key, signing_key};
use crate::attest::{Envelope, STATEMENT_TYPE, VerifyingKey};
use crate::base::CancelToken;
use crate::engine::{self, AuditLevel, AuditOptions, AuditReport, AuditStatus, AuditSubject, Threads};

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

/// How an audit is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// A page for a terminal.
    Text,
    /// A page in Markdown.
    Markdown,
    /// An in-toto statement: a Simple Verification Result.
    Statement,
    /// The statement in a DSSE envelope, signed with the configured key.
    Envelope,
}

#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    /// A registered model (its champion), `MODEL@SLOT`, `MODEL@ALIAS`, `MODEL@production`, a run, `latest`, the digest of
    /// an artifact, or `all`.
    #[arg(default_value = "latest")]
    subject: String,
    /// How deep to go; each level includes those before it.
    #[arg(long, value_enum, default_value_t = Level::Decisions)]
    level: Level,
    /// How to write the result; `--json` wins.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Hold promotions that are not signed, or not by the key, for mismatches.
    #[arg(long)]
    verify_signature: bool,
    /// The public key to verify with, in PEM; default: the public half of the configured signing key.
    #[arg(long, value_name = "FILE", requires = "verify_signature")]
    key: Option<String>,
    /// End with exit code 3 as well when something cannot be checked.
    #[arg(long)]
    strict: bool,
    /// Threads to run nodes again on; never changes a result.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..), default_value_t = 2)]
    threads: u16,
}

pub(super) async fn audit(session: &Session, args: &AuditArgs) -> Result<ExitCode, CliError> {
    let store = session.existing_store().await?;
    let options = AuditOptions {
        level: args.level.into(),
        pool: Arc::new(Threads::new(usize::from(args.threads))),
        cancel: CancelToken::new(),
        environment: environment(),
        key: verifying_key(args)?,
        asked_by: None,
    };
    let subject = AuditSubject::Named(args.subject.clone());
    let Some(report) = engine::audit(&store, &subject, &options).await? else {
        let message = format!(
            "there is nothing to audit under `{}` in {}: expected a registered model with a champion, MODEL@SLOT, MODEL@ALIAS, \
             a run, at least 8 digits of an artifact's digest, or `all`",
            args.subject, session.store
        );
        return Err(CliError::Usage(message));
    };
    print(session, args.format, &report)?;
    Ok(match report.verdict {
        AuditStatus::CannotTell if args.strict => ExitCode::from(MISMATCH),
        AuditStatus::Verified | AuditStatus::CannotTell => ExitCode::SUCCESS,
        AuditStatus::Mismatch => ExitCode::from(MISMATCH),
        AuditStatus::Unreadable => ExitCode::from(UNREADABLE),
    })
}

/// The key that provenance must be signed by, where that is asked for.
fn verifying_key(args: &AuditArgs) -> Result<Option<VerifyingKey>, CliError> {
    match (&args.key, args.verify_signature) {
        (Some(path), _) => read_public_key(path).map(Some),
        (None, false) => Ok(None),
        (None, true) => match signing_key()? {
            Some(key) => Ok(Some(key.public())),
            None => Err(CliError::Usage(
                "--verify-signature: no signing key is configured here; give the public one: --key FILE".to_owned(),
            )),
        },
    }
}

fn print(session: &Session, format: Format, report: &AuditReport) -> Result<(), CliError> {
    let no_json = |error: serde_json::Error| CliError::Usage(error.to_string());
    let words = match format {
        _ if session.json => String::new(),
        Format::Text => text(report),
        Format::Markdown => report.markdown(),
        Format::Statement => String::from_utf8_lossy(&statement(report)?).into_owned(),
        Format::Envelope => {
            let key = signing_key()?.ok_or_else(|| {
                CliError::Usage("--format envelope: no signing key is configured; see docs/guide/audit.md".to_owned())
            })?;
            serde_json::to_string(&Envelope::sign(STATEMENT_TYPE, &statement(report)?, &key)).map_err(no_json)?
        }
    };
    session.print(report, || words)
}

fn statement(report: &AuditReport) -> Result<Vec<u8>, CliError> {
    let nothing = || CliError::Usage("no artifact was found that a statement could be about".to_owned());
    let statement = report.statement(super::now()).ok_or_else(nothing)?;
    statement.bytes().map_err(|error| CliError::Usage(error.to_string()))
}

fn text(report: &AuditReport) -> String {
    let mut text = format!("Audit of {}\n\n{}\n{}\n", report.subject, report.verdict_words(), report.count_words());
    let open = report.open_findings().map(|finding| {
        let status = match finding.status {
            AuditStatus::Verified | AuditStatus::CannotTell => "cannot tell",
            AuditStatus::Mismatch => "MISMATCH",
            AuditStatus::Unreadable => "UNREADABLE",
        };
        vec![finding.check.name().to_owned(), finding.what.clone(), status.to_owned(), finding.detail.clone()]
    });
    let open: Vec<Vec<String>> = open.collect();
    if !open.is_empty() {
        let _ = writeln!(text, "\n{}", table(&["check", "of", "status", "detail"], open));
    }
    let rows = report.lines().into_iter().map(|line| {
        let count = format!("{} of {}", line.verified, line.of);
        vec![line.check.name().to_owned(), line.check.level().to_string(), count, line.detail]
    });
    let _ = writeln!(text, "\n{}", table(&["check", "level", "verified", "how"], rows));
    let _ = writeln!(text, "\nNot shown: {}.", report.not_shown.join("; "));
    text
}
