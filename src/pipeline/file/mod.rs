//! The keys of a pipeline file: a tree with places to a [`PipelineFile`], whose names are not yet resolved.

mod policy;
mod reader;
mod source;

use std::time::Duration;

use super::policy::{CacheMode, Retry};
use super::{Concurrency, RegistryPart, Schedule, Text, keys};
use crate::base::yaml::Yaml;
use crate::base::{Located, Problem, Span, Timestamp};
pub(super) use reader::{Reader, as_list};
pub(super) use source::{PARTS, PATH_SCHEMAS, PathSchema};

/// A file as written.
#[derive(Debug)]
pub(super) struct PipelineFile {
    pub name: String,
    pub description: String,
    pub as_of: Option<Timestamp>,
    pub schedule: Option<Schedule>,
    pub concurrency: Option<Concurrency>,
    pub params: Vec<(Text, Located<Yaml>)>,
    pub sources: Vec<(Text, SourceFile)>,
    pub defaults: PolicyFile,
    pub pools: Vec<(Text, usize)>,
    pub nodes: Vec<NodeFile>,
    pub notify: Vec<NotifyFile>,
}

/// A source as written.
#[derive(Debug)]
pub(super) enum SourceFile {
    Path { path: Text, schema: PathSchema, read: Option<Located<Yaml>> },
    Registry { model: String, alias: String, part: RegistryPart, path: Option<Text>, optional: bool },
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
    pub matrix: Option<MatrixFile>,
    pub for_each: Option<Text>,
    pub policy: PolicyFile,
    pub publish: Vec<(Text, Located<Yaml>)>,
}

/// An input as written.
#[derive(Debug)]
pub(super) struct InputFile {
    pub port: Text,
    pub from: Text,
    pub optional: bool,
}

/// A matrix as written.
#[derive(Debug)]
pub(super) struct MatrixFile {
    pub span: Span,
    pub axes: Vec<(Text, Located<Yaml>)>,
    pub include: Vec<Located<Yaml>>,
    pub exclude: Vec<Located<Yaml>>,
    pub max_parallel: Option<usize>,
    pub fail_fast: bool,
}

/// How nodes are run, as far as it is written.
#[derive(Debug, Default)]
pub(super) struct PolicyFile {
    pub retry: Option<Retry>,
    pub timeout: Option<Duration>,
    pub pool: Option<Text>,
    pub cache: Option<CacheMode>,
}

/// Someone to be told, as written.
#[derive(Debug)]
pub(super) struct NotifyFile {
    pub when: Option<Text>,
    pub target: TargetFile,
    pub optional: bool,
}

/// How someone is told, as written.
#[derive(Debug)]
pub(super) enum TargetFile {
    Webhook(Text),
    Command(Vec<Text>),
}

/// Reads the keys of a file; problems are added to the list and the rest is read on.
pub(super) fn read(tree: &Located<Yaml>, problems: &mut Vec<Problem>) -> PipelineFile {
    let mut reader = Reader { problems };
    let top = reader.mapping(tree, "a pipeline", keys::TOP);
    if let Some(version) = top.get("version")
        && version.value != Yaml::Int(1)
    {
        let message = format!("expected version 1, found {}", version.value.describe());
        reader.report(Problem::new("pipeline::version", version.span, message).hint("write `version: 1`"));
    }
    let nodes = reader.entries(top.get("nodes"), "nodes");
    if nodes.is_empty() {
        let place = top.get("nodes").map_or(tree.span, |nodes| nodes.span);
        reader.report(
            Problem::new("pipeline::no_nodes", place, "a pipeline has at least one node, found none")
                .hint("add `nodes:` with an entry `name: {kind: ...}`"),
        );
    }
    let name = top.get("name").and_then(|name| reader.text(name, "name"));
    let name = name.map_or("pipeline".to_owned(), |name| name.value);
    let description = top.get("description").and_then(|words| reader.text(words, "description"));
    let sources = reader.entries(top.get("sources"), "sources").into_iter();
    PipelineFile {
        description: description.map_or(String::new(), |words| words.value),
        as_of: top.get("as_of").and_then(|day| reader.timestamp(day)),
        schedule: top.get("schedule").and_then(|schedule| reader.schedule(schedule)),
        concurrency: top.get("concurrency").map(|group| reader.concurrency(group, &name)),
        params: reader.entries(top.get("params"), "params"),
        sources: sources
            .filter_map(|(name, source)| reader.source(&name, &source).map(|source| (name, source)))
            .collect(),
        defaults: match top.get("defaults") {
            None => PolicyFile::default(),
            Some(defaults) => {
                let fields = reader.mapping(defaults, "defaults", keys::DEFAULTS);
                reader.policy(&fields)
            }
        },
        pools: reader.pools(top.get("pools")),
        nodes: nodes.into_iter().filter_map(|(id, node)| reader.node(id, &node)).collect(),
        notify: reader.list(top.get("notify"), "notify").iter().filter_map(|entry| reader.notify(entry)).collect(),
        name,
    }
}

impl Reader<'_> {
    fn timestamp(&mut self, tree: &Located<Yaml>) -> Option<Timestamp> {
        let text = self.text(tree, "as_of")?;
        match text.value.parse() {
            Ok(time) => Some(time),
            Err(error) => {
                self.report(
                    Problem::new("pipeline::type", text.span, format!("`as_of`: {error}"))
                        .hint("write it as 2026-01-04: year, month, day"),
                );
                None
            }
        }
    }

    fn node(&mut self, id: Text, tree: &Located<Yaml>) -> Option<NodeFile> {
        let what = format!("node `{}`", id.value);
        let fields = self.mapping(tree, &what, keys::NODE);
        let Some(kind) = fields.get("kind") else {
            self.report(
                Problem::new("pipeline::unknown_kind", id.span, format!("{what} has no kind")).hint("add `kind: ...`"),
            );
            return None;
        };
        let inputs = self.entries(fields.get("inputs"), "inputs");
        let with = fields.get("with").cloned();
        Some(NodeFile {
            kind: self.text(kind, "kind")?,
            inputs: inputs.into_iter().filter_map(|(port, input)| self.input(port, &input)).collect(),
            needs: self.texts(fields.get("needs"), "needs"),
            when: fields.get("when").and_then(|when| self.condition(when)),
            with: with.unwrap_or_else(|| Located::new(Yaml::Map(Vec::new()), id.span)),
            matrix: fields.key("matrix").zip(fields.get("matrix")).map(|(key, matrix)| self.matrix(key, matrix)),
            for_each: fields.get("for_each").and_then(|node| self.text(node, "for_each")),
            policy: self.policy(&fields),
            publish: self.entries(fields.get("publish"), "publish"),
            id,
        })
    }

    fn matrix(&mut self, key: &Text, tree: &Located<Yaml>) -> MatrixFile {
        let fields = self.mapping(tree, "matrix", keys::MATRIX);
        let axes = self.entries(fields.get("axes"), "axes");
        // anything else in its place is reported already
        let is_empty = |axes: &Located<Yaml>| matches!(&axes.value, Yaml::Null) || axes.value == Yaml::Map(Vec::new());
        if matches!(tree.value, Yaml::Map(_) | Yaml::Null) && fields.get("axes").is_none_or(is_empty) {
            let problem = Problem::new("pipeline::matrix", key.span, "a matrix has at least one axis, found none");
            self.report(problem.hint("add `axes: {seed: [1, 2, 3]}`"));
        }
        MatrixFile {
            span: key.span,
            axes,
            include: self.list(fields.get("include"), "include").to_vec(),
            exclude: self.list(fields.get("exclude"), "exclude").to_vec(),
            max_parallel: fields.get("max_parallel").and_then(|count| self.count(count, "max_parallel")),
            fail_fast: self.flag(fields.get("fail_fast"), "fail_fast", true),
        }
    }

    fn condition(&mut self, tree: &Located<Yaml>) -> Option<Text> {
        match &tree.value {
            Yaml::Bool(value) => Some(Located::new(value.to_string(), tree.span)),
            _ => self.text(tree, "when"),
        }
    }

    fn input(&mut self, port: Text, tree: &Located<Yaml>) -> Option<InputFile> {
        if let Yaml::Text(from) = &tree.value {
            return Some(InputFile { port, from: Located::new(from.clone(), tree.span), optional: false });
        }
        let fields = self.mapping(tree, &format!("input `{}`", port.value), keys::INPUT);
        let Some(from) = fields.get("from") else {
            self.report(
                Problem::new("pipeline::unknown_input", tree.span, format!("input `{}` has no `from`", port.value))
                    .hint("write `node.output` or `sources.name`"),
            );
            return None;
        };
        let optional = self.flag(fields.get("optional"), "optional", false);
        Some(InputFile { port, from: self.text(from, "from")?, optional })
    }
}

/// The first byte of a scalar's own text: quotes are not part of it.
pub(super) fn text_offset(source: &str, span: Span) -> usize {
    let quoted = source[span.start..].starts_with(['"', '\'']);
    span.start + usize::from(quoted)
}
