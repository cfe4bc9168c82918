//! `walkforward validate`.

use std::process::ExitCode;

use serde::Serialize;

use super::diagnostic::position;
use super::error::CliError;
use super::{PipelineArgs, Session};

#[derive(Serialize)]
struct Report {
    file: String,
    valid: bool,
    problems: Vec<ProblemReport>,
}

#[derive(Serialize)]
struct ProblemReport {
    code: &'static str,
    line: usize,
    column: usize,
    message: String,
    hint: Option<String>,
}

pub(super) fn validate(session: &Session, args: &PipelineArgs) -> Result<ExitCode, CliError> {
    let file = args.file.display().to_string();
    match args.load() {
        Ok(pipeline) => {
            let report = Report { file: file.clone(), valid: true, problems: Vec::new() };
            session.print(&report, || {
                format!("{file} is valid: {} nodes, as of {}", pipeline.nodes.len(), pipeline.as_of)
            })?;
            Ok(ExitCode::SUCCESS)
        }
        Err(CliError::Pipeline { text, problems, .. }) if session.json => {
            let problems = problems.into_iter().map(|problem| {
                let (line, column) = position(&text, problem.span.start);
                ProblemReport { code: problem.code, line, column, message: problem.message, hint: problem.hint }
            });
            session.print(&Report { file, valid: false, problems: problems.collect() }, String::new)?;
            Ok(ExitCode::from(2))
        }
        Err(error) => Err(error),
    }
}
