//! Strategies of a user's own rules: a file of expressions, with declared parameters.
//!
//! A file is compiled once ([`RulesStrategy`]); a study binds the same program to the parameters of each trial, and trials share
//! windowed columns by the identity of the bound sub-expression. Every number of the file (the distance of a stop, a time stop, a
//! size) is an expression, read at the bar of the signal.
//!
//! Causality is that of the language: an expression that looks ahead does not compile.

mod compile;
mod declared;
mod file;
mod lint;
mod place;
mod rule;
mod signals;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;

pub use compile::RulesStrategy;
pub use declared::{DeclaredParameter, ParameterType};
pub use file::RulesFile;
pub(super) use signals::signals;

use std::collections::BTreeMap;

use serde_json::Value;

use super::StrategyError;
use super::file::shared_parameters;
use super::parameter::{set, unknown};
use super::section::Parameter;
use crate::base::Located;
use crate::base::yaml::Yaml;
use compile::Fault;

/// The section under which declared parameters are addressed.
const SECTION: &str = "parameters";

impl RulesStrategy {
    /// Reads a rules file whose tree is already parsed.
    ///
    /// # Errors
    /// Every problem, at its place in the text.
    pub(super) fn from_tree(text: &str, tree: &Located<Yaml>) -> Result<Self, StrategyError> {
        let refuse = |problems| StrategyError::Problems { text: text.to_owned(), problems };
        let file: RulesFile = serde_path_to_error::deserialize(tree.value.to_json()).map_err(|error| {
            let path: Vec<String> = error.path().iter().filter_map(place::step).collect();
            refuse(vec![place::unreadable(tree, &path, &error.into_inner().to_string())])
        })?;
        Self::compile(file).map_err(|faults| {
            refuse(faults.into_iter().map(|fault| place::located(text, tree, &fault.path, fault.problem)).collect())
        })
    }

    /// Checks a file that came without a text.
    ///
    /// # Errors
    /// Every problem, by the keys that lead to it.
    pub(super) fn from_file(file: RulesFile) -> Result<Self, StrategyError> {
        Self::compile(file).map_err(|faults| {
            let words: Vec<String> = faults.iter().map(Fault::words).collect();
            StrategyError::Rules(words.join("; "))
        })
    }

    /// This strategy with other values for some parameters: `parameters.NAME`, or a value of `risk`, `costs` or `data`.
    pub(super) fn with_parameters(&self, values: &BTreeMap<String, Value>) -> Result<Self, StrategyError> {
        let mut file = self.file().clone();
        let mut shared: BTreeMap<&str, &Value> = BTreeMap::new();
        for (path, value) in values {
            let Some(name) = path.strip_prefix(SECTION).and_then(|rest| rest.strip_prefix('.')) else {
                shared.insert(path, value);
                continue;
            };
            let known = || file_paths(self.file());
            let declared = file.parameters.get_mut(name).ok_or_else(|| unknown(path, known()))?;
            if let Some(words) = declared.refusal(value) {
                let (expected, found) = words.rsplit_once(", found ").unwrap_or((&words, ""));
                let expected = expected.strip_prefix("expected ").unwrap_or(expected).to_owned();
                return Err(StrategyError::OutOfRange { path: path.clone(), expected, found: found.to_owned() });
            }
            declared.default = value.clone();
        }
        if !shared.is_empty() {
            let known: Vec<Parameter> = shared_parameters().copied().collect();
            if let Some(path) = shared.keys().find(|path| !known.iter().any(|it| it.path() == **path)) {
                return Err(unknown(path, file_paths(&file)));
            }
            file = set(&file, &known, &shared)?;
            for section in [file.risk.check(), file.costs.check(), file.costs.commission.check(), file.data.check()] {
                section?;
            }
        }
        Ok(self.with_file(file))
    }
}

/// Every path by which a value of a rules file is set.
fn file_paths(file: &RulesFile) -> impl Iterator<Item = String> {
    let declared = file.parameters.names().map(|name| format!("{SECTION}.{name}"));
    declared.chain(shared_parameters().map(Parameter::path)).collect::<Vec<_>>().into_iter()
}

impl Fault {
    /// The problem with the keys that lead to it.
    fn words(&self) -> String {
        let hint = self.problem.hint.as_ref().map_or_else(String::new, |hint| format!(" ({hint})"));
        format!("`{}`: {}{hint}", self.path.join("."), self.problem.message)
    }
}
