//! What can be wrong with a strategy.

/// Why a strategy file, or a set of parameters for it, is refused.
#[derive(Debug, thiserror::Error)]
pub enum StrategyError {
    /// Text that is no strategy file.
    #[error("the strategy does not read: {0}")]
    Unreadable(String),
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
        /// The range, as a Rust range.
        expected: &'static str,
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
