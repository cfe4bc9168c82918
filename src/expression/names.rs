//! What an expression may name.

use std::collections::{BTreeMap, BTreeSet};

use super::function::Type;

/// The columns of bars themselves.
pub const BAR_COLUMNS: &[&str] = &["open", "high", "low", "close", "volume"];

/// What an expression may name beside functions and earlier definitions: columns and parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Names {
    pub(super) columns: BTreeSet<String>,
    pub(super) parameters: BTreeMap<String, Type>,
    pub(super) future: bool,
}

impl Default for Names {
    fn default() -> Self {
        Self::bars()
    }
}

impl Names {
    /// The columns of bars, no parameters, nothing from the future.
    pub fn bars() -> Self {
        let columns = BAR_COLUMNS.iter().map(|&name| name.to_owned()).collect();
        Self { columns, parameters: BTreeMap::new(), future: false }
    }

    /// Adds a column that every series carries: exogenous, or of a higher time frame.
    #[must_use]
    pub fn with_column(mut self, name: impl Into<String>) -> Self {
        self.columns.insert(name.into());
        self
    }

    /// Adds a parameter, written `p.name`.
    #[must_use]
    pub fn with_parameter(mut self, name: impl Into<String>, of: Type) -> Self {
        self.parameters.insert(name.into(), of);
        self
    }

    /// Allows a negative `lag`: for labels only, whose values are known later by their nature.
    #[must_use]
    pub const fn with_future(mut self) -> Self {
        self.future = true;
        self
    }
}

/// A named expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// Name, under which its values are found and later expressions may use it.
    pub name: String,
    /// The expression.
    pub text: String,
    /// What it has to be; anything but a word where none is said.
    pub of: Option<Type>,
    /// Whether its values are wanted, or only what later expressions make of them.
    pub shown: bool,
}

impl Definition {
    /// Names an expression whose values are wanted.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into(), of: None, shown: true }
    }

    /// Asks for a number.
    #[must_use]
    pub const fn number(mut self) -> Self {
        self.of = Some(Type::Number);
        self
    }

    /// Asks for true or false.
    #[must_use]
    pub const fn boolean(mut self) -> Self {
        self.of = Some(Type::Boolean);
        self
    }

    /// A name for later expressions only (`let`).
    #[must_use]
    pub const fn hidden(mut self) -> Self {
        self.shown = false;
        self
    }
}
