//! Errors as a person reads them: place, snippet, what was expected, and the edit that mends it.

use std::fmt;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use serde_json::{Value, json};

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode, SourceSpan};
use textwrap::{WordSeparator, WordSplitter};

use super::error::CliError;
use super::outside::github;
use super::{JSON_VERSION, Session};
use crate::base::Problem;

/// Prints an error to stderr, for machines also to stdout, and returns its exit code.
pub(super) fn report(session: &Session, error: &CliError) -> ExitCode {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let _ = write!(std::io::stderr(), "{}", render(error, colour));
    if let Some((path, text, problems)) = located(error)
        && github::in_actions()
    {
        let _ = write!(std::io::stderr(), "{}", github::annotations(path, text, problems));
    }
    if session.json {
        let whole = json!({"version": JSON_VERSION, "command": session.command, "error": as_json(error)});
        let _ = writeln!(std::io::stdout(), "{whole:#}");
    }
    ExitCode::from(error.exit_code())
}

/// The problems of an error that stand in a file.
fn located(error: &CliError) -> Option<(&str, &str, &[Problem])> {
    match error {
        CliError::Pipeline { path, text, problems } => Some((path, text, problems)),
        CliError::Source { path, text, problem } => Some((path, text, std::slice::from_ref(problem))),
        _ => None,
    }
}

/// An error for machines: a code, words, and each problem with its place.
pub(super) fn as_json(error: &CliError) -> Value {
    let problem = |path: &str, text: &str, problem: &Problem| {
        let (line, column) = position(text, problem.span.start);
        json!({
            "code": problem.code, "file": path, "line": line, "column": column,
            "message": problem.message, "hint": problem.hint,
        })
    };
    let problems: Vec<Value> = located(error)
        .map(|(path, text, problems)| problems.iter().map(|found| problem(path, text, found)).collect())
        .unwrap_or_default();
    json!({"code": error.code(), "exit_code": error.exit_code(), "message": error.to_string(), "problems": problems})
}

/// Writes an error out; without colour it is plain Unicode text.
pub(super) fn render(error: &CliError, colour: bool) -> String {
    match error {
        CliError::Pipeline { path, text, problems } => {
            let mut words = String::new();
            for problem in problems {
                words.push_str(&graphical(&Located { path, text, problem }, colour));
                words.push('\n');
            }
            words.push_str(&format!("{error}; nothing was run\n"));
            words
        }
        CliError::Source { path, text, problem } => graphical(&Located { path, text, problem }, colour),
        other => graphical(&Plain(other), colour),
    }
}

fn graphical(diagnostic: &dyn Diagnostic, colour: bool) -> String {
    let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let mut words = String::new();
    // a path that is broken across lines, as at a slash, can be neither copied nor looked for
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(110)
        .with_links(false)
        .with_word_separator(WordSeparator::AsciiSpace)
        .with_word_splitter(WordSplitter::NoHyphenation)
        .with_break_words(false);
    if handler.render_report(&mut words, diagnostic).is_err() {
        words = diagnostic.to_string();
    }
    words
}

/// A problem in a pipeline file.
struct Located<'a> {
    path: &'a str,
    text: &'a str,
    problem: &'a Problem,
}

impl Located<'_> {
    fn source(&self) -> NamedSource<String> {
        NamedSource::new(self.path, self.text.to_owned())
    }
}

/// Line and column, both from 1, of a byte.
pub(super) fn position(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..at.min(text.len())];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (1 + before.matches('\n').count(), 1 + before[line_start..].chars().count())
}

impl fmt::Display for Located<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = position(self.text, self.problem.span.start);
        write!(f, "{}:{line}:{column}: {}", self.path, self.problem.message)
    }
}

impl fmt::Debug for Located<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Located<'_> {}

impl Diagnostic for Located<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.problem.code))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.problem.hint.as_ref().map(|hint| Box::new(hint) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = SourceSpan::from((self.problem.span.start, self.problem.span.len));
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(Some(self.problem.label.clone()), span))))
    }
}

impl SourceCode for Located<'_> {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn miette::SpanContents<'a> + 'a>, miette::MietteError> {
        let contents = self.text.read_span(span, before, after)?;
        let named = miette::MietteSpanContents::new_named(
            self.source().name().to_owned(),
            contents.data(),
            *contents.span(),
            contents.line(),
            contents.column(),
            contents.line_count(),
        );
        Ok(Box::new(named))
    }
}

/// Any other error, with its root cause: the errors between them mostly repeat its words.
struct Plain<'a>(&'a CliError);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.0, f)
    }
}

impl fmt::Debug for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0, f)
    }
}

impl std::error::Error for Plain<'_> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let mut root = std::error::Error::source(self.0)?;
        while let Some(cause) = root.source() {
            root = cause;
        }
        Some(root)
    }
}

impl Diagnostic for Plain<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.0.code()))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.0.advice().map(|advice| Box::new(advice) as Box<dyn fmt::Display>)
    }
}
