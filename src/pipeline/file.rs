//! The keys of a pipeline file: a tree with places to a [`PipelineFile`], whose names are not yet resolved.

use std::str::FromStr;

use super::yaml::Yaml;
use super::{Otherwise, RegistryPart, Source, Text, not_built};
use crate::base::{Located, Problem, Span, Timestamp};
use crate::registry::is_valid_name;

/// A file as written.
#[derive(Debug)]
pub(super) struct PipelineFile {
    pub name: String,
    pub description: String,
    pub as_of: Option<Timestamp>,
    pub schedule: Option<Schedule>,
    pub params: Vec<(Text, Located<Yaml>)>,
    pub sources: Vec<(Text, Source)>,
    pub nodes: Vec<NodeFile>,
}

/// A node as written.
#[derive(Debug)]
pub(super) struct NodeFile {
    pub id: Text,
    pub kind: Text,
    pub inputs: Vec<InputFile>,
    pub needs: Vec<Text>,
    pub when: Option<Text>,
    pub with: Located<Yaml>,
    pub publish: Vec<(Text, Located<Yaml>)>,
}

/// An input as written.
#[derive(Debug)]
pub(super) struct InputFile {
    pub port: Text,
    pub from: Text,
    pub optional: bool,
}

/// When a pipeline should run: a hint for cron, and the source of the default end of the data window.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// Five fields, in UTC.
    pub cron: String,
}

impl Schedule {
    /// The last tick at or before a time; `None` when there never was one.
    pub fn last_tick(&self, now: Timestamp) -> Option<Timestamp> {
        let cron = croner::Cron::from_str(&self.cron).ok()?;
        let time = jiff::Timestamp::from_microsecond(now.micros()).ok()?.to_zoned(jiff::tz::TimeZone::UTC);
        let tick = cron.find_previous_occurrence(&time, true).ok()?;
        Some(Timestamp::from_micros(tick.timestamp().as_microsecond()))
    }
}

const TOP_KEYS: [&str; 8] = ["version", "name", "description", "as_of", "schedule", "params", "sources", "nodes"];
const TOP_LATER: [&str; 4] = ["concurrency", "defaults", "pools", "notify"];
const NODE_KEYS: [&str; 6] = ["kind", "inputs", "needs", "when", "with", "publish"];
const NODE_LATER: [&str; 6] = ["retry", "timeout", "pool", "matrix", "for_each", "cache"];

/// Reads the keys of a file; problems are added to the list and the rest is read on.
pub(super) fn read(tree: &Located<Yaml>, problems: &mut Vec<Problem>) -> PipelineFile {
    let mut reader = Reader { problems };
    let top = reader.mapping(tree, "a pipeline", &TOP_KEYS, &TOP_LATER);
    let text = |name: &str| top.get(name).cloned();
    if let Some(version) = text("version")
        && version.value != Yaml::Int(1)
    {
        let message = format!("expected version 1, found {}", version.value.describe());
        reader.problems.push(Problem::new("pipeline::version", version.span, message).hint("write `version: 1`"));
    }
    let nodes = top.get("nodes").map(|nodes| reader.entries(nodes, "nodes")).unwrap_or_default();
    if nodes.is_empty() {
        let place = top.get("nodes").map_or(tree.span, |nodes| nodes.span);
        reader.problems.push(
            Problem::new("pipeline::no_nodes", place, "a pipeline has at least one node, found none")
                .hint("add `nodes:` with an entry `name: {kind: ...}`"),
        );
    }
    PipelineFile {
        name: text("name").and_then(|name| reader.text(&name, "name")).map_or("pipeline".to_owned(), |name| name.value),
        description: text("description")
            .and_then(|words| reader.text(&words, "description"))
            .map_or(String::new(), |words| words.value),
        as_of: text("as_of").and_then(|day| reader.timestamp(&day)),
        schedule: text("schedule").and_then(|schedule| reader.schedule(&schedule)),
        params: top.get("params").map(|params| reader.entries(params, "params")).unwrap_or_default(),
        sources: top
            .get("sources")
            .map(|sources| reader.entries(sources, "sources"))
            .unwrap_or_default()
            .into_iter()
            .filter_map(|(name, source)| reader.source(&name, &source).map(|source| (name, source)))
            .collect(),
        nodes: nodes.into_iter().filter_map(|(id, node)| reader.node(id, &node)).collect(),
    }
}

struct Fields<'a>(Vec<(&'a Text, &'a Located<Yaml>)>);

impl<'a> Fields<'a> {
    fn get(&self, name: &str) -> Option<&'a Located<Yaml>> {
        self.0.iter().find(|(key, _)| key.value == name).map(|(_, value)| *value)
    }
}

struct Reader<'p> {
    problems: &'p mut Vec<Problem>,
}

impl Reader<'_> {
    fn expected(&mut self, what: &str, expected: &str, found: &Located<Yaml>) {
        let message = format!("`{what}`: expected {expected}, found {}", found.value.describe());
        self.problems.push(Problem::new("pipeline::type", found.span, message));
    }

    fn mapping<'a>(&mut self, tree: &'a Located<Yaml>, what: &str, known: &[&str], later: &[&str]) -> Fields<'a> {
        let Yaml::Map(fields) = &tree.value else {
            self.expected(what, "a mapping", tree);
            return Fields(Vec::new());
        };
        for (key, _) in fields {
            if later.contains(&key.value.as_str()) {
                self.problems.push(not_built(key.span, &key.value));
            } else if !known.contains(&key.value.as_str()) {
                let message = format!("{what} has no key `{}`", key.value);
                self.problems.push(
                    Problem::new("pipeline::unknown_key", key.span, message)
                        .label("unknown key")
                        .suggest(&key.value, known.iter().copied()),
                );
            }
        }
        Fields(fields.iter().map(|(key, value)| (key, value)).collect())
    }

    fn entries(&mut self, tree: &Located<Yaml>, what: &str) -> Vec<(Text, Located<Yaml>)> {
        match &tree.value {
            Yaml::Map(fields) => fields.clone(),
            Yaml::Null => Vec::new(),
            _ => {
                self.expected(what, "a mapping", tree);
                Vec::new()
            }
        }
    }

    fn text(&mut self, tree: &Located<Yaml>, what: &str) -> Option<Text> {
        match &tree.value {
            Yaml::Text(text) => Some(Located::new(text.clone(), tree.span)),
            _ => {
                self.expected(what, "text", tree);
                None
            }
        }
    }

    fn flag(&mut self, tree: Option<&Located<Yaml>>, what: &str) -> bool {
        match tree.map(|tree| (&tree.value, tree)) {
            None => false,
            Some((Yaml::Bool(value), _)) => *value,
            Some((_, tree)) => {
                self.expected(what, "true or false", tree);
                false
            }
        }
    }

    fn timestamp(&mut self, tree: &Located<Yaml>) -> Option<Timestamp> {
        let text = self.text(tree, "as_of")?;
        match text.value.parse() {
            Ok(time) => Some(time),
            Err(error) => {
                self.problems.push(Problem::new("pipeline::type", text.span, format!("`as_of`: {error}")));
                None
            }
        }
    }

    fn schedule(&mut self, tree: &Located<Yaml>) -> Option<Schedule> {
        let fields = self.mapping(tree, "a schedule", &["cron", "timezone"], &["max_lateness"]);
        if let Some(zone) = fields.get("timezone")
            && zone.value != Yaml::Text("UTC".to_owned())
        {
            self.problems.push(
                Problem::new("pipeline::not_built", zone.span, "only the time zone UTC is built yet")
                    .hint("write `timezone: UTC` and shift the hours"),
            );
        }
        let cron = self.text(fields.get("cron")?, "cron")?;
        match croner::Cron::from_str(&cron.value) {
            Ok(_) => Some(Schedule { cron: cron.value }),
            Err(error) => {
                let message = format!("`cron`: expected five fields like `0 0 * * 0`, found `{}`: {error}", cron.value);
                self.problems.push(Problem::new("pipeline::type", cron.span, message));
                None
            }
        }
    }

    fn source(&mut self, name: &Text, tree: &Located<Yaml>) -> Option<Source> {
        let what = format!("source `{}`", name.value);
        const KEYS: [&str; 7] = ["path", "format", "schema", "registry", "alias", "part", "optional"];
        let fields = self.mapping(tree, &what, &KEYS, &[]);
        if let Some(model) = fields.get("registry") {
            return self.registry_source(name, &fields, model);
        }
        let Some(path) = fields.get("path") else {
            self.problems.push(
                Problem::new("pipeline::source", name.span, format!("{what} has neither `path` nor `registry`"))
                    .hint("add `path: data/bars.parquet`, or `registry: NAME`"),
            );
            return None;
        };
        for key in ["alias", "part", "optional"] {
            if let Some(field) = fields.get(key) {
                let message = format!("{what}: `{key}` belongs to a source from the registry, not to a path");
                self.problems.push(Problem::new("pipeline::source", field.span, message).hint("remove it"));
            }
        }
        if let Some(format) = fields.get("format") {
            self.problems.push(
                Problem::new("pipeline::not_built", format.span, "the format follows from the file's name")
                    .hint("remove `format`; files end in .parquet, .csv or .yaml"),
            );
        }
        let path = self.text(path, "path")?;
        if path.value.contains("${") {
            self.problems.push(super::not_built(path.span, "a reference in a source's path"));
        }
        let path = path.value;
        let schema = match fields.get("schema") {
            Some(schema) => self.text(schema, "schema")?,
            None => {
                self.problems.push(
                    Problem::new("pipeline::source", name.span, format!("{what} has no `schema`"))
                        .hint("add `schema: ohlcv@1` for bars, or `schema: strategy@1`"),
                );
                return None;
            }
        };
        match schema.value.as_str() {
            "ohlcv@1" => Some(Source::Bars(path)),
            "strategy@1" => Some(Source::Strategy(path)),
            other => {
                let message = format!("{what} has the unknown schema `{other}`");
                self.problems.push(
                    Problem::new("pipeline::source", schema.span, message).suggest(other, ["ohlcv@1", "strategy@1"]),
                );
                None
            }
        }
    }

    fn registry_source(&mut self, name: &Text, fields: &Fields<'_>, model: &Located<Yaml>) -> Option<Source> {
        let alias = match fields.get("alias") {
            Some(alias) => self.text(alias, "alias")?.value,
            None => "champion".to_owned(),
        };
        let part = match fields.get("part").map(|part| self.text(part, "part")) {
            None => RegistryPart::Model,
            Some(part) => match part?.value.as_str() {
                "model" => RegistryPart::Model,
                "strategy" => RegistryPart::Strategy,
                other => {
                    let message = format!("`part`: expected model or strategy, found `{other}`");
                    self.problems.push(Problem::new("pipeline::source", name.span, message));
                    return None;
                }
            },
        };
        let otherwise = match (fields.get("path"), self.flag(fields.get("optional"), "optional")) {
            (Some(path), _) if part == RegistryPart::Strategy => Otherwise::File(self.text(path, "path")?.value),
            (Some(path), _) => {
                self.problems.push(
                    Problem::new("pipeline::source", path.span, "only a strategy can come from a file meanwhile")
                        .hint("add `part: strategy`, or remove `path`"),
                );
                return None;
            }
            (None, true) => Otherwise::Absent,
            (None, false) => Otherwise::Refuse,
        };
        let model = self.text(model, "registry")?;
        for text in [&model.value, &alias] {
            if !is_valid_name(text) {
                self.problems.push(
                    Problem::new("pipeline::bad_name", model.span, format!("`{text}` cannot name a model or an alias"))
                        .hint("use letters, digits, `.`, `_` and `-`, starting with a letter or a digit"),
                );
            }
        }
        Some(Source::Registry { model: model.value, alias, part, otherwise })
    }

    fn node(&mut self, id: Text, tree: &Located<Yaml>) -> Option<NodeFile> {
        let what = format!("node `{}`", id.value);
        let fields = self.mapping(tree, &what, &NODE_KEYS, &NODE_LATER);
        let Some(kind) = fields.get("kind") else {
            self.problems.push(
                Problem::new("pipeline::unknown_kind", id.span, format!("{what} has no kind")).hint("add `kind: ...`"),
            );
            return None;
        };
        let inputs = fields.get("inputs").map(|inputs| self.entries(inputs, "inputs")).unwrap_or_default();
        let with = fields.get("with").cloned();
        Some(NodeFile {
            kind: self.text(kind, "kind")?,
            inputs: inputs.into_iter().filter_map(|(port, input)| self.input(port, &input)).collect(),
            needs: fields.get("needs").map(|needs| self.texts(needs)).unwrap_or_default(),
            when: fields.get("when").and_then(|when| self.condition(when)),
            with: with.unwrap_or_else(|| Located::new(Yaml::Map(Vec::new()), id.span)),
            publish: fields.get("publish").map(|publish| self.entries(publish, "publish")).unwrap_or_default(),
            id,
        })
    }

    fn condition(&mut self, tree: &Located<Yaml>) -> Option<Text> {
        match &tree.value {
            Yaml::Bool(value) => Some(Located::new(value.to_string(), tree.span)),
            _ => self.text(tree, "when"),
        }
    }

    fn texts(&mut self, tree: &Located<Yaml>) -> Vec<Text> {
        let Yaml::List(items) = &tree.value else {
            self.expected("needs", "a list of nodes", tree);
            return Vec::new();
        };
        items.iter().filter_map(|item| self.text(item, "needs")).collect()
    }

    fn input(&mut self, port: Text, tree: &Located<Yaml>) -> Option<InputFile> {
        if let Yaml::Text(from) = &tree.value {
            return Some(InputFile { port, from: Located::new(from.clone(), tree.span), optional: false });
        }
        let fields = self.mapping(tree, &format!("input `{}`", port.value), &["from", "optional"], &[]);
        let Some(from) = fields.get("from") else {
            self.problems.push(
                Problem::new("pipeline::unknown_input", tree.span, format!("input `{}` has no `from`", port.value))
                    .hint("write `node.output` or `sources.name`"),
            );
            return None;
        };
        let optional = self.flag(fields.get("optional"), "optional");
        Some(InputFile { port, from: self.text(from, "from")?, optional })
    }
}

/// The first byte of a scalar's own text: quotes are not part of it.
pub(super) fn text_offset(source: &str, span: Span) -> usize {
    let quoted = source[span.start..].starts_with(['"', '\'']);
    span.start + usize::from(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_tick_is_the_last_due_one() {
        let weekly = Schedule { cron: "0 0 * * 0".to_owned() };
        let last = |now: &str| weekly.last_tick(now.parse().unwrap()).unwrap().to_string();
        assert_eq!(last("2026-01-06T10:00:00Z"), "2026-01-04");
        assert_eq!(last("2026-01-04"), "2026-01-04");
    }
}
