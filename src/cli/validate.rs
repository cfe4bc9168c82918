//! `walkforward validate`.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::error::CliError;
use super::outside::github;
use super::{PipelineArgs, Session, diagnostic};

/// How problems are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people, on stderr.
    Text,
    /// As `--json`.
    Json,
    /// As annotations of GitHub Actions, on stdout.
    Github,
}

#[derive(Debug, Args)]
pub(super) struct ValidateArgs {
    #[command(flatten)]
    pipeline: PipelineArgs,
    /// How problems are written.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub(super) fn validate(session: &Session, args: &ValidateArgs) -> Result<ExitCode, CliError> {
    let session = &Session { json: session.json || args.format == Format::Json, ..session.clone() };
    let file = args.pipeline.file.display().to_string();
    let pipeline = match args.pipeline.load() {
        Ok(pipeline) => pipeline,
        // who asks whether a file is valid is answered, not refused
        Err(error @ CliError::Pipeline { .. }) if session.json => {
            let problems = diagnostic::as_json(&error)["problems"].take();
            session.print(&json!({"file": file, "valid": false, "problems": problems}), String::new)?;
            return Ok(ExitCode::from(2));
        }
        Err(CliError::Pipeline { path, text, problems }) if args.format == Format::Github => {
            session.print(&(), || github::annotations(&path, &text, &problems))?;
            return Ok(ExitCode::from(2));
        }
        Err(error) => return Err(error),
    };
    let report = json!({
        "file": file, "valid": true, "problems": [], "nodes": pipeline.nodes.len(), "as_of": pipeline.as_of,
    });
    session.print(&report, || format!("{file} is valid: {} nodes, as of {}", pipeline.nodes.len(), pipeline.as_of))?;
    Ok(ExitCode::SUCCESS)
}
