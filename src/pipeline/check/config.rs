//! Where in the file a kind's refusal of its config belongs.

use super::super::file::{NodeFile, as_list};
use crate::base::yaml::Yaml;
use crate::base::{Located, Problem, Span};
use crate::node::{ConfigError, PathStep};

/// Whose settings they are, for messages.
pub(super) struct About {
    /// Who has them.
    pub what: String,
    /// What one of them is called.
    pub has_no: &'static str,
    /// Where to read about them.
    pub table: String,
}

/// Puts a kind's refusal of its config at the place in the file where the value stands.
pub(super) fn config_problem(node: &NodeFile, error: &ConfigError) -> Problem {
    let about = About {
        what: format!("node `{}` ({})", node.id.value, node.kind.value),
        has_no: "setting",
        table: format!("`walkforward kinds {}` shows what each setting takes", node.kind.value),
    };
    located(&about, &node.with, error)
}

/// Puts a refusal of settings at the place in the file where the value stands.
pub(super) fn located(about: &About, settings: &Located<Yaml>, error: &ConfigError) -> Problem {
    let mut place = settings;
    let mut key_span = settings.span;
    let mut last_key = "";
    for step in &error.path {
        let next = match (step, &place.value) {
            (PathStep::Key(name), Yaml::Map(fields)) => {
                fields.iter().find(|(key, _)| key.value == *name).map(|(key, value)| {
                    (key_span, last_key) = (key.span, name.as_str());
                    value
                })
            }
            (PathStep::Index(index), Yaml::List(items)) => items.get(*index).inspect(|item| key_span = item.span),
            _ => None,
        };
        match next {
            Some(next) => place = next,
            None => break,
        }
    }
    let About { what, has_no, table } = about;
    if let Some((unknown, known)) = &error.unknown
        && let Some(span) = key_of(place, unknown).or_else(|| (last_key == unknown).then_some(key_span))
    {
        return Problem::new("pipeline::unknown_key", span, format!("{what} has no {has_no} `{unknown}`"))
            .label(format!("unknown {has_no}"))
            .suggest(unknown, known.iter().map(String::as_str));
    }
    let path: Vec<String> = error
        .path
        .iter()
        .map(|step| match step {
            PathStep::Key(name) => name.clone(),
            PathStep::Index(index) => index.to_string(),
        })
        .collect();
    let at = if path.is_empty() { String::new() } else { format!(" `{}`:", path.join(".")) };
    let broad = if matches!(place.value, Yaml::Map(_)) { key_span } else { place.span };
    let span = culprit(place, error).unwrap_or(broad);
    let problem = Problem::new("pipeline::config", span, format!("{what},{at} {}", error.message));
    match &error.unknown {
        Some((unknown, known)) => problem.label("unknown value").suggest(unknown, known.iter().map(String::as_str)),
        None => {
            let hint = error.hint.clone().or_else(|| type_hint(&error.message));
            problem.hint(hint.unwrap_or_else(|| table.clone()))
        }
    }
}

/// The value below a place that a refusal is about. A part of a config that is checked by its own rules (a model's
/// parameters) has no path into it: its words name the setting, or quote the value.
fn culprit(place: &Located<Yaml>, error: &ConfigError) -> Option<Span> {
    let unknown = error.unknown.as_ref().map(|(unknown, _)| unknown.as_str());
    let is_named = |key: &str| unknown.is_none() && error.message.contains(&format!("parameter `{key}`"));
    let is_quoted = |text: &str| unknown == Some(text) || error.message.ends_with(&format!("the text `{text}`"));
    match &place.value {
        Yaml::Text(text) if is_quoted(text) => Some(place.span),
        Yaml::Map(fields) => {
            let named = fields.iter().find(|(key, _)| is_named(&key.value)).map(|(_, value)| value.span);
            named.or_else(|| fields.iter().find_map(|(_, value)| culprit(value, error)))
        }
        Yaml::List(items) => items.iter().find_map(|item| culprit(item, error)),
        _ => None,
    }
}

/// The edit that gives a value of the wrong type the right one.
fn type_hint(message: &str) -> Option<String> {
    let (expected, found) = message.split_once("expected ")?.1.rsplit_once(", found ")?;
    let text = found.strip_prefix("the text ").map(|text| text.trim_matches('`'));
    match (expected, text, found.strip_prefix("the number ")) {
        ("a whole number of at least 0" | "a whole number" | "a number", Some(_), _) => {
            Some("write a number without quotes, or a reference like `${params.NAME}`".to_owned())
        }
        ("text", _, Some(number)) => Some(format!("quote it: \"{number}\"")),
        ("a mapping", None, None) if found == "a list" => Some("write it as {name: value}".to_owned()),
        ("a list", Some(text), _) => Some(format!("write it as a list: {}", as_list(text))),
        _ => None,
    }
}

fn key_of(tree: &Located<Yaml>, name: &str) -> Option<Span> {
    match &tree.value {
        Yaml::Map(fields) => fields.iter().find(|(key, _)| key.value == name).map(|(key, _)| key.span),
        _ => None,
    }
}
