//! `walkforward doctor`: whether everything is there that a run needs, and the edit that mends what is not.

mod files;
mod machine;
mod store;

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::Session;
use super::error::CliError;
use super::render::table;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Warning,
    Problem,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "PROBLEM",
        }
    }
}

/// What a check is about: it decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum About {
    Store,
    Machine,
    Files,
}

/// What a check found.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    about: About,
    state: State,
    found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

impl Finding {
    fn ok(about: About, check: &'static str, found: impl Into<String>) -> Self {
        Self { check, about, state: State::Ok, found: found.into(), advice: None }
    }

    fn warning(about: About, check: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, about, state: State::Warning, found: found.into(), advice: Some(advice.into()) }
    }

    fn problem(about: About, check: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, about, state: State::Problem, found: found.into(), advice: Some(advice.into()) }
    }
}

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Read every stored object, and check it against its name or its seal.
    #[arg(long)]
    objects: bool,
}

pub(super) async fn doctor(session: &Session, args: &DoctorArgs) -> Result<ExitCode, CliError> {
    let mut findings = store::findings(session).await;
    if args.objects {
        findings.push(store::objects_finding(session).await?);
    }
    findings.extend(machine::findings(session));
    findings.extend(files::findings());
    session.print(&findings, || text(&findings))?;
    Ok(ExitCode::from(exit_code(&findings)))
}

fn exit_code(findings: &[Finding]) -> u8 {
    let problem = |about: About| findings.iter().any(|it| it.state == State::Problem && it.about == about);
    match (problem(About::Store) || problem(About::Machine), problem(About::Files)) {
        (true, _) => 4,
        (false, true) => 2,
        (false, false) => 0,
    }
}

fn text(findings: &[Finding]) -> String {
    let rows = findings.iter().map(|finding| {
        let advice = finding.advice.as_ref().map_or_else(String::new, |advice| format!("\n-> {advice}"));
        vec![finding.check.to_owned(), finding.state.word().to_owned(), format!("{}{advice}", finding.found)]
    });
    let count = |state: State, word: &str| match findings.iter().filter(|finding| finding.state == state).count() {
        0 => None,
        1 => Some(format!("1 {word}")),
        several => Some(format!("{several} {word}s")),
    };
    let bad: Vec<String> =
        [count(State::Problem, "problem"), count(State::Warning, "warning")].into_iter().flatten().collect();
    let verdict = if bad.is_empty() { "All is well.".to_owned() } else { format!("{}.", bad.join(", ")) };
    format!("{}\n\n{verdict}", table(&["check", "", "found"], rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_with_the_store_outweighs_one_with_files_and_a_warning_is_none() {
        let file = || Finding::problem(About::Files, "pipelines", "", "");
        let store = || Finding::problem(About::Store, "store", "", "");
        let warning = || Finding::warning(About::Store, "clock", "", "");
        assert_eq!(exit_code(&[warning()]), 0);
        assert_eq!(exit_code(&[warning(), file()]), 2);
        assert_eq!(exit_code(&[file(), store()]), 4);
    }

    #[test]
    fn the_last_line_counts_what_is_not_well() {
        assert!(text(&[Finding::ok(About::Files, "project", "")]).ends_with("All is well."));
        let problem = || Finding::problem(About::Files, "pipelines", "", "");
        let warning = Finding::warning(About::Store, "clock", "", "");
        assert!(text(&[problem(), problem(), warning]).ends_with("2 problems, 1 warning."));
    }
}
