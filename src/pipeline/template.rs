//! `${params.x}`, `${run.as_of}`, `${matrix.x}` and, where it may stand, `${run.id}` and `${env.X}` in values.
//!
//! A value that is one reference and nothing else takes the referred value with its type; inside a longer text the value
//! is written out. `\${` is a literal. An undefined name is an error with its place, never empty text.

use std::collections::BTreeMap;

use serde_json::Value;

use super::matrix::Coordinates;
use super::params::Param;
use crate::base::yaml::Yaml;
use crate::base::{Located, Problem, Span, Timestamp};

/// Looks a variable of the environment up.
pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What references may name.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    /// Declared params.
    pub params: &'a BTreeMap<String, Param>,
    /// End of the data window.
    pub as_of: Timestamp,
    /// Where the instance stands that the value is for.
    pub place: Option<&'a Coordinates>,
    /// Whether the run's id may stand here: not in what enters a fingerprint. It stays as it is until there is a run.
    pub run_id: bool,
    /// The environment, where it may stand: not in what is recorded.
    pub environment: Option<Environment<'a>>,
}

impl Scope<'_> {
    /// Replaces every reference in a tree; each one that cannot be is a problem.
    pub(super) fn fill(&self, tree: &Located<Yaml>, problems: &mut Vec<Problem>) -> Value {
        match &tree.value {
            Yaml::Text(text) => self.fill_text(text, tree.span).unwrap_or_else(|problem| {
                problems.push(problem);
                Value::Null
            }),
            Yaml::List(items) => items.iter().map(|item| self.fill(item, problems)).collect(),
            Yaml::Map(fields) => Value::Object(
                fields.iter().map(|(key, field)| (key.value.clone(), self.fill(field, problems))).collect(),
            ),
            other => other.to_json(),
        }
    }

    fn fill_text(&self, text: &str, span: Span) -> Result<Value, Problem> {
        // the whole value is what a name on an axis stands for; inside a text it is the name
        let axis = whole_reference(text).and_then(|name| name.trim().strip_prefix("matrix."));
        match axis.and_then(|axis| self.place?.content(axis)) {
            Some(content) => Ok(content.clone()),
            None => fill_text(text, span, &|name| self.resolve(name, span)),
        }
    }

    fn resolve(&self, name: &str, span: Span) -> Result<Value, Problem> {
        let undefined = |message: String| Problem::new("pipeline::undefined_reference", span, message);
        match name.trim().split_once('.') {
            Some(("params", param)) => match self.params.get(param) {
                Some(found) => Ok(found.value.clone()),
                None => Err(undefined(format!("`${{{name}}}`: no param `{param}` is declared"))
                    .suggest(param, self.params.keys().map(String::as_str))),
            },
            Some(("run", "as_of")) => Ok(Value::String(self.as_of.to_string())),
            Some(("run", "id")) => self.run_id.then(|| Value::from(super::RUN_ID)).ok_or_else(|| {
                undefined(format!("`${{{name}}}` may stand in `publish` and `notify` only"))
                    .hint("what enters a result must not differ from run to run; use ${run.as_of}")
            }),
            Some(("matrix", axis)) => match self.place.and_then(|place| place.get(axis)) {
                Some(value) => Ok(value.to_json()),
                None => {
                    let problem = undefined(format!("`${{{name}}}`: there is no axis `{axis}` here"));
                    let axes = self.place.iter().flat_map(|place| place.0.iter().map(|own| &*own.axis));
                    let axes: Vec<&str> = axes.collect();
                    Err(match axes.as_slice() {
                        [] => problem.hint("give the node a `matrix`, or `for_each` to follow a node that has one"),
                        known => problem.suggest(axis, known.iter().copied()),
                    })
                }
            },
            Some(("env", variable)) => match self.environment.map(|look_up| look_up(variable)) {
                Some(Some(value)) => Ok(Value::String(value)),
                Some(None) => Err(Problem::new(
                    "pipeline::environment",
                    span,
                    format!("the environment variable `{variable}` is not set"),
                )
                .hint("set it, or add `optional: true` to do without this entry when it is not set")),
                None => Err(undefined(format!("`${{{name}}}` may stand in `notify` only"))
                    .hint("what a node is given is recorded; a `command` node names secrets in `pass_env`")),
            },
            _ => Err(undefined(format!("`${{{name}}}` refers to nothing")).hint(
                "known: ${params.NAME}, ${matrix.AXIS}, ${run.as_of}; in `publish` ${run.id}; in `notify` ${env.NAME}",
            )),
        }
    }
}

/// Replaces every reference in a text by what it stands for.
pub(super) fn fill_text(
    text: &str,
    span: Span,
    resolve: &dyn Fn(&str) -> Result<Value, Problem>,
) -> Result<Value, Problem> {
    if let Some(name) = whole_reference(text) {
        return resolve(name);
    }
    let mut filled = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if let Some(before) = rest[..at].strip_suffix('\\') {
            filled.push_str(before);
            filled.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        filled.push_str(&rest[..at]);
        let Some(end) = rest[at..].find('}') else {
            return Err(Problem::new("pipeline::reference", span, "`${` is never closed")
                .hint("add `}`, or write `\\${` for a literal"));
        };
        match resolve(&rest[at + 2..at + end])? {
            Value::String(value) => filled.push_str(&value),
            value @ (Value::Number(_) | Value::Bool(_)) => filled.push_str(&value.to_string()),
            other => {
                let what = if other.is_null() { "nothing" } else { "a list" };
                let name = &rest[at..=at + end];
                let message = format!("`{name}` is {what} and cannot stand inside a text");
                return Err(Problem::new("pipeline::reference", span, message).hint("make it the whole value"));
            }
        }
        rest = &rest[at + end + 1..];
    }
    filled.push_str(rest);
    Ok(Value::String(filled))
}

fn whole_reference(text: &str) -> Option<&str> {
    let inner = text.strip_prefix("${")?.strip_suffix('}')?;
    (!inner.contains(['{', '}', '$'])).then_some(inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::ParamType;

    fn fill(text: &str) -> Result<Value, String> {
        let list = Param { kind: ParamType::List, value: serde_json::json!(["A", "B"]) };
        let trials = Param { kind: ParamType::Int { min: None, max: None }, value: 50.into() };
        let params = [("symbols".to_owned(), list), ("trials".to_owned(), trials)].into();
        let as_of = "2013-03-03".parse().unwrap();
        let scope = Scope { params: &params, as_of, place: None, run_id: false, environment: None };
        scope.fill_text(text, Span::default()).map_err(|problem| problem.message)
    }

    #[test]
    fn a_whole_value_keeps_its_type() {
        assert_eq!(fill("${params.trials}"), Ok(50.into()));
        assert_eq!(fill("${params.symbols}"), Ok(serde_json::json!(["A", "B"])));
    }

    #[test]
    fn inside_a_text_the_value_is_written_out() {
        assert_eq!(fill("out/${run.as_of}-${params.trials}.md"), Ok("out/2013-03-03-50.md".into()));
        assert_eq!(fill(r"\${params.x}"), Ok("${params.x}".into()));
    }

    #[test]
    fn what_is_undefined_is_an_error() {
        assert_eq!(fill("${params.trial}"), Err("`${params.trial}`: no param `trial` is declared".to_owned()));
        assert_eq!(
            fill("x ${params.symbols}"),
            Err("`${params.symbols}` is a list and cannot stand inside a text".to_owned())
        );
        assert_eq!(fill("${now}"), Err("`${now}` refers to nothing".to_owned()));
        assert!(fill("a ${params.trials").is_err());
    }
}
