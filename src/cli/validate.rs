//! `walkforward validate`.

use std::process::ExitCode;

use serde_json::json;

use super::diagnostic;
use super::error::CliError;
use super::{PipelineArgs, Session};

pub(super) fn validate(session: &Session, args: &PipelineArgs) -> Result<ExitCode, CliError> {
    let file = args.file.display().to_string();
    let pipeline = match args.load() {
        Err(error @ CliError::Pipeline { .. }) if session.json => {
            // who asks whether a file is valid is answered, not refused
            let problems = diagnostic::as_json(&error)["problems"].take();
            session.print(&json!({"file": file, "valid": false, "problems": problems}), String::new)?;
            return Ok(ExitCode::from(2));
        }
        loaded => loaded?,
    };
    let report = json!({
        "file": file, "valid": true, "problems": [], "nodes": pipeline.nodes.len(), "as_of": pipeline.as_of,
    });
    session.print(&report, || format!("{file} is valid: {} nodes, as of {}", pipeline.nodes.len(), pipeline.as_of))?;
    Ok(ExitCode::SUCCESS)
}
