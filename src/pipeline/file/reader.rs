//! Reads mappings, lists and scalars of the tree; what is not as expected becomes a problem, and the rest is read on.

use std::time::Duration;

use crate::base::yaml::Yaml;
use crate::base::{Located, Problem};
use crate::pipeline::Text;
use crate::pipeline::keys::{Key, Word, names};

/// The fields of a mapping, for picking by name.
pub(in crate::pipeline) struct Fields<'a>(Vec<(&'a Text, &'a Located<Yaml>)>);

impl<'a> Fields<'a> {
    pub(in crate::pipeline) fn get(&self, name: &str) -> Option<&'a Located<Yaml>> {
        self.0.iter().find(|(key, _)| key.value == name).map(|(_, value)| *value)
    }

    pub(super) fn key(&self, name: &str) -> Option<&'a Text> {
        self.0.iter().find(|(key, _)| key.value == name).map(|(key, _)| *key)
    }
}

/// Collects problems while it reads.
pub(in crate::pipeline) struct Reader<'p> {
    pub(in crate::pipeline) problems: &'p mut Vec<Problem>,
}

impl Reader<'_> {
    pub(in crate::pipeline) fn report(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    pub(super) fn expected(&mut self, what: &str, expected: &str, found: &Located<Yaml>) {
        let message = format!("`{what}`: expected {expected}, found {}", found.value.describe());
        self.report(Problem::new("pipeline::type", found.span, message).hint(edit(expected, &found.value)));
    }

    /// A mapping with known keys.
    pub(in crate::pipeline) fn mapping<'a>(
        &mut self,
        tree: &'a Located<Yaml>,
        what: &str,
        known: &'static [Key],
    ) -> Fields<'a> {
        let Yaml::Map(fields) = &tree.value else {
            self.expected(what, "a mapping", tree);
            return Fields(Vec::new());
        };
        for (key, _) in fields {
            if !names(known).any(|name| name == key.value) {
                let message = format!("{what} has no key `{}`", key.value);
                self.report(
                    Problem::new("pipeline::unknown_key", key.span, message)
                        .label("unknown key")
                        .suggest(&key.value, names(known)),
                );
            }
        }
        Fields(fields.iter().map(|(key, value)| (key, value)).collect())
    }

    /// A mapping whose keys are names that the writer chose.
    pub(super) fn entries(&mut self, tree: Option<&Located<Yaml>>, what: &str) -> Vec<(Text, Located<Yaml>)> {
        match tree.map(|tree| (&tree.value, tree)) {
            Some((Yaml::Map(fields), _)) => fields.clone(),
            None | Some((Yaml::Null, _)) => Vec::new(),
            Some((_, tree)) => {
                self.expected(what, "a mapping", tree);
                Vec::new()
            }
        }
    }

    pub(super) fn list<'a>(&mut self, tree: Option<&'a Located<Yaml>>, what: &str) -> &'a [Located<Yaml>] {
        match tree.map(|tree| (&tree.value, tree)) {
            Some((Yaml::List(items), _)) => items,
            None => &[],
            Some((_, tree)) => {
                self.expected(what, "a list", tree);
                &[]
            }
        }
    }

    pub(super) fn texts(&mut self, tree: Option<&Located<Yaml>>, what: &str) -> Vec<Text> {
        self.list(tree, what).iter().filter_map(|item| self.text(item, what)).collect()
    }

    pub(in crate::pipeline) fn text(&mut self, tree: &Located<Yaml>, what: &str) -> Option<Text> {
        match &tree.value {
            Yaml::Text(text) => Some(Located::new(text.clone(), tree.span)),
            _ => {
                self.expected(what, "text", tree);
                None
            }
        }
    }

    pub(super) fn flag(&mut self, tree: Option<&Located<Yaml>>, what: &str, default: bool) -> bool {
        match tree.map(|tree| (&tree.value, tree)) {
            None => default,
            Some((Yaml::Bool(value), _)) => *value,
            Some((_, tree)) => {
                self.expected(what, "true or false", tree);
                default
            }
        }
    }

    /// A whole number of at least 1.
    pub(super) fn count(&mut self, tree: &Located<Yaml>, what: &str) -> Option<usize> {
        let count = match tree.value {
            Yaml::Int(value) => usize::try_from(value).ok().filter(|count| *count >= 1),
            _ => None,
        };
        if count.is_none() {
            self.expected(what, "a whole number of at least 1", tree);
        }
        count
    }

    /// A stretch of time as `90s`, `10m` or `2h 30m`.
    pub(super) fn duration(&mut self, tree: &Located<Yaml>, what: &str) -> Option<Duration> {
        let duration = match &tree.value {
            Yaml::Text(text) => humantime::parse_duration(text).ok(),
            _ => None,
        };
        if duration.is_none() {
            self.expected(what, "a duration like `90s`, `10m` or `2h`", tree);
        }
        duration
    }

    /// One word of a closed set.
    pub(super) fn word<T: Copy>(&mut self, tree: &Located<Yaml>, what: &str, known: &[Word<T>]) -> Option<T> {
        let text = self.text(tree, what)?;
        let found = known.iter().find(|(word, ..)| *word == text.value).map(|(_, value, _)| *value);
        if found.is_none() {
            let words: Vec<&str> = known.iter().map(|(word, ..)| *word).collect();
            let message = format!("`{what}`: expected one of {}, found `{}`", words.join(", "), text.value);
            self.report(Problem::new("pipeline::type", text.span, message).suggest(&text.value, words));
        }
        found
    }
}

/// A text that somebody wrote in place of a list, as a list of its words.
pub(in crate::pipeline) fn as_list(text: &str) -> String {
    let comma = if text.contains(',') { " " } else { ", " };
    format!("[{}]", text.split_whitespace().collect::<Vec<_>>().join(comma))
}

/// The edit that makes of a value what was expected.
fn edit(expected: &str, found: &Yaml) -> String {
    match (expected, found) {
        ("a mapping", _) => "write it as {key: value}, or each `key: value` on a line of its own below".to_owned(),
        ("a list", Yaml::Text(text)) => format!("write it as a list: {}", as_list(text)),
        ("a list", _) => "write it as [a, b], or each `- item` on a line of its own below".to_owned(),
        ("text", Yaml::Int(_) | Yaml::Float(_) | Yaml::Bool(_)) => format!("quote it: \"{}\"", found.to_json()),
        ("text", _) => "write a word, or a text in quotes".to_owned(),
        ("true or false", _) => "write `true` or `false`, without quotes".to_owned(),
        (duration, Yaml::Int(number)) if duration.starts_with("a duration") => {
            format!("say the unit: `{number}s`, `{number}m` or `{number}h`")
        }
        (duration, _) if duration.starts_with("a duration") => {
            "write a number with its unit: ms, s, m, h or d, as `1h 30m`".to_owned()
        }
        (_, Yaml::Text(_)) => "write a number, without quotes".to_owned(),
        _ => "write 1 or more".to_owned(),
    }
}
