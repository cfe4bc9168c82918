//! What can be wrong with a strategy.

use crate::base::Problem;
use crate::expression::EvaluationError;

/// Why a strategy file, or a set of parameters for it, is refused.
#[derive(Debug, thiserror::Error)]
pub enum StrategyError {
    /// Text that is no strategy file.
    #[error("the strategy does not read: {0}")]
    Unreadable(String),
    /// A rules file with something wrong in it, each problem at its place.
    #[error("{}", .problems.iter().map(|problem| shown(.text, problem)).collect::<Vec<_>>().join("\n"))]
    Problems {
        /// The text of the file.
        text: String,
        /// What is wrong.
        problems: Vec<Problem>,
    },
    /// Something wrong with rules that came without a text.
    #[error("{0}")]
    Rules(String),
    /// Parameters that the expressions cannot take.
    #[error("{0}")]
    Unbound(String),
    /// Bars that the expressions cannot be evaluated on.
    #[error(transparent)]
    Bars(#[from] EvaluationError),
    /// A kind of strategy that is not in the table.
    #[error("unknown strategy kind `{kind}`, expected one of: {}", .known.join(", "))]
    UnknownKind {
        /// What was written.
        kind: String,
        /// The kinds that exist.
        known: &'static [&'static str],
    },
    /// A file of a version this build cannot read.
    #[error("unsupported strategy version, expected {expected}, found {found}")]
    UnsupportedVersion {
        /// The version this build reads.
        expected: u32,
        /// The version of the file.
        found: u32,
    },
    /// A value outside its declared range.
    #[error("`{path}` is out of range, expected {expected}, found {found}")]
    OutOfRange {
        /// Dotted path of the parameter.
        path: String,
        /// The range.
        expected: String,
        /// What was written.
        found: String,
    },
    /// A dotted path that names no parameter.
    #[error("unknown parameter `{path}`, expected one of: {}", .suggestions.join(", "))]
    UnknownParameter {
        /// What was written.
        path: String,
        /// Likely meant paths; all of them when nothing is near.
        suggestions: Vec<String>,
    },
    /// A value of a type its parameter cannot have.
    #[error("`{path}` has the wrong type, found `{found}`")]
    WrongType {
        /// Dotted path of the parameter.
        path: String,
        /// The value.
        found: String,
        /// What the reader said.
        #[source]
        source: serde_json::Error,
    },
    /// A strategy that cannot be written as a tree of values.
    #[error("cannot encode the strategy")]
    Encode(#[source] serde_json::Error),
}

impl StrategyError {
    /// The same in the words of a file: `path:line:column: what is wrong`, the line, and a caret under the place.
    pub fn in_file(&self, path: &str) -> String {
        match self {
            Self::Problems { text, problems } => {
                problems.iter().map(|problem| format!("{path}:{}", shown(text, problem))).collect::<Vec<_>>().join("\n")
            }
            other => format!("`{path}`: {other}"),
        }
    }
}

/// `line:column: what is wrong (the edit)`, the line, and a caret under the place.
fn shown(text: &str, problem: &Problem) -> String {
    let start = text.floor_char_boundary(problem.span.start.min(text.len()));
    let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let (number, column) = (1 + text[..start].matches('\n').count(), text[line_start..start].chars().count());
    let end = text.floor_char_boundary((start + problem.span.len).min(line_start + line.len()));
    let width = text.get(start..end).map_or(0, |place| place.chars().count()).max(1);
    let hint = problem.hint.as_ref().map_or_else(String::new, |hint| format!(" ({hint})"));
    let margin = " ".repeat(number.to_string().len());
    format!(
        "{number}:{}: {}{hint}\n  {number} | {line}\n  {margin} | {}{}",
        column + 1,
        problem.message,
        " ".repeat(column),
        "^".repeat(width)
    )
}
