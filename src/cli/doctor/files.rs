//! Whether the project file and the pipelines of the current folder can be read.

use std::path::{Path, PathBuf};

use super::{About, Finding};
use crate::base::Problem;
use crate::cli::PipelineArgs;
use crate::cli::diagnostic::position;
use crate::cli::error::CliError;
use crate::cli::project::{PROJECT_FILE, read_project};

const FOLDER: &str = "pipelines";

pub(super) fn findings() -> Vec<Finding> {
    let mut findings = vec![project()];
    findings.extend(pipelines(Path::new(FOLDER)));
    findings
}

fn project() -> Finding {
    const CHECK: &str = "project";
    match read_project() {
        Ok(_) if !Path::new(PROJECT_FILE).exists() => ok(CHECK, format!("no {PROJECT_FILE}; none is needed")),
        Ok(_) => ok(CHECK, PROJECT_FILE),
        Err(refused) => broken(CHECK, &refused.into(), None),
    }
}

fn pipelines(folder: &Path) -> Vec<Finding> {
    const CHECK: &str = "pipelines";
    let files = match files_of(folder) {
        Ok(files) if !files.is_empty() => files,
        Ok(_) | Err(_) => {
            let found = format!("none in `{}` of this folder", folder.display());
            let advice = "go to the folder of the project, or begin one: walkforward init";
            return vec![Finding::warning(About::Files, CHECK, found, advice)];
        }
    };
    let mut findings = Vec::new();
    let mut valid = Vec::new();
    for file in files {
        match (PipelineArgs { file: file.clone(), ..PipelineArgs::default() }).load() {
            Ok(_) => valid.push(file.display().to_string()),
            Err(error) => findings.push(broken(CHECK, &error, Some(&file))),
        }
    }
    if !valid.is_empty() {
        findings.insert(0, ok(CHECK, format!("valid: {}", valid.join(", "))));
    }
    findings
}

/// The YAML files of a folder, sorted.
fn files_of(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let is_yaml = |path: &PathBuf| path.extension().is_some_and(|suffix| suffix == "yaml" || suffix == "yml");
    let entries = std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let mut files: Vec<PathBuf> = entries.collect::<std::io::Result<_>>()?;
    files.retain(is_yaml);
    files.sort();
    Ok(files)
}

/// The first problem of a file, and where the others are shown.
fn broken(check: &'static str, error: &CliError, pipeline: Option<&Path>) -> Finding {
    let CliError::Pipeline { path, text, problems } = error else {
        return Finding::problem(About::Files, check, error.to_string(), "correct the file");
    };
    let words = |problem: &Problem| {
        let (line, column) = position(text, problem.span.start);
        format!("{path}:{line}:{column}: {}", problem.message)
    };
    let found = problems.first().map_or_else(|| error.to_string(), words);
    let more = match problems.len() {
        0 | 1 => String::new(),
        several => format!(", and {} more", several - 1),
    };
    let ended = |hint: &String| if hint.ends_with(['?', '.']) { hint.clone() } else { format!("{hint}.") };
    let hint = problems.first().and_then(|problem| problem.hint.as_ref()).map(ended);
    let advice = match (pipeline, hint) {
        (Some(file), Some(hint)) => format!("{hint} All of it: walkforward validate {}", file.display()),
        (Some(file), None) => format!("walkforward validate {}", file.display()),
        (None, Some(hint)) => hint,
        (None, None) => "correct the file".to_owned(),
    };
    Finding::problem(About::Files, check, format!("{found}{more}"), advice)
}

fn ok(check: &'static str, found: impl Into<String>) -> Finding {
    Finding::ok(About::Files, check, found)
}
