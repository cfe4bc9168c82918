//! Names, types and cycles: a [`PipelineFile`] to a [`Pipeline`], with every problem of a stage at once.

mod child;
mod conditions;
mod config;
mod names;
mod node;
mod order;

use std::collections::{BTreeMap, BTreeSet};

use super::condition::{Condition, Reference};
use super::file::{self, NotifyFile, PipelineFile, SourceFile, TargetFile};
use super::params::{self, Param};
use super::reference::Instances;
use super::template::Scope;
use super::yaml::Yaml;
use super::{
    BarsSource, Group, LoadOptions, Node, Notify, NotifyTarget, Origin, Otherwise, Pipeline, Source, Text, matrix, yaml,
};
use crate::base::{Located, Problem, Span, Timestamp};
use crate::market::{OptionsError, ReadOptions};
use crate::node::{ConfigError, read_config};
use names::Names;
use node::Checker;

/// Reads a pipeline file.
///
/// # Errors
/// Every problem of the first stage that has any.
pub fn load(text: &str, options: &LoadOptions) -> Result<Pipeline, Vec<Problem>> {
    load_tree(&yaml::parse(text)?, text, options)
}

/// Reads a pipeline file whose text is parsed already.
pub(super) fn load_tree(
    tree: &Located<yaml::Yaml>,
    text: &str,
    options: &LoadOptions,
) -> Result<Pipeline, Vec<Problem>> {
    let mut problems = Vec::new();
    let file = file::read(tree, &mut problems);
    let params = declared_params(&file, options, &mut problems);
    let names = Names::new(&file, &mut problems);
    stage(&mut problems)?;

    let as_of = window_end(&file, options).map_err(|problem| vec![problem])?;
    let scope = Scope { params: &params, as_of, place: None, run_id: false, environment: None };
    let instances = Instances::new(matrix::instances(&file, &scope, &mut problems));
    stage(&mut problems)?;

    let checker = Checker { text, file: &file, names: &names, params: &params, instances: &instances, scope, options };
    let sources = checked_sources(&file, &scope, &mut problems);
    let checked: Vec<Node> = file.nodes.iter().flat_map(|node| checker.node(node, &mut problems)).collect();
    let notify = file.notify.iter().enumerate();
    let notify = notify.filter_map(|(index, entry)| checker.notify(index, entry, &mut problems)).collect();
    clashes(&file, &checked, &mut problems);
    stage(&mut problems)?;

    let order = order::order_of(&checked).map_err(|problem| vec![problem])?;
    let mut placed: Vec<Option<Node>> = checked.into_iter().map(Some).collect();
    let nodes = order.into_iter().filter_map(|index| placed[index].take()).collect();
    let several = file.nodes.iter().filter(|node| node.matrix.is_some() || node.for_each.is_some());
    let group = |node: &file::NodeFile| {
        let matrix = node.matrix.as_ref();
        Group {
            max_parallel: matrix.and_then(|matrix| matrix.max_parallel),
            // instances that follow others have no say of their own: what happened to one is no reason to stop another
            fail_fast: matrix.is_some_and(|matrix| matrix.fail_fast),
        }
    };
    Ok(Pipeline {
        as_of,
        groups: several.map(|node| (node.id.value.clone(), group(node))).collect(),
        source_spans: file.sources.iter().map(|(name, _)| (name.value.clone(), name.span)).collect(),
        pools: file.pools.iter().map(|(name, size)| (name.value.clone(), *size)).collect(),
        name: file.name,
        description: file.description,
        schedule: file.schedule,
        concurrency: file.concurrency,
        params: params.into_iter().map(|(name, param)| (name, param.value)).collect(),
        sources,
        notify,
        nodes,
        text: text.into(),
    })
}

/// What is wrong with many instances in one place is shown for so many of them.
const MAX_ALIKE: usize = 3;

/// Ends a stage: problems that several instances share are told once, in the order of the file.
fn stage(problems: &mut Vec<Problem>) -> Result<(), Vec<Problem>> {
    if problems.is_empty() {
        return Ok(());
    }
    let mut seen = BTreeSet::new();
    let mut alike: BTreeMap<_, usize> = BTreeMap::new();
    problems.retain(|problem| {
        let is_new = seen.insert((problem.code, problem.span, problem.message.clone()));
        let count = alike.entry((problem.code, problem.span)).or_default();
        *count += usize::from(is_new);
        is_new && *count <= MAX_ALIKE
    });
    problems.sort_by_key(|problem| problem.span.start);
    Err(std::mem::take(problems))
}

fn window_end(file: &PipelineFile, options: &LoadOptions) -> Result<Timestamp, Problem> {
    let tick = || file.schedule.as_ref()?.last_tick(options.now?);
    options.as_of.or(file.as_of).or_else(tick).ok_or_else(|| {
        Problem::new("pipeline::no_as_of", Span { start: 0, len: 1 }, "the end of the data window is not known")
            .hint("add `as_of: 2026-01-04` or a `schedule`, or call with `--as-of 2026-01-04`")
    })
}

fn declared_params(file: &PipelineFile, options: &LoadOptions, problems: &mut Vec<Problem>) -> BTreeMap<String, Param> {
    let mut declared = BTreeMap::new();
    let mut bad = BTreeSet::new();
    for (name, declaration) in &file.params {
        match params::declare(name, declaration) {
            Ok(param) => drop(declared.insert(name.value.clone(), param)),
            Err(problem) => {
                problems.push(problem);
                bad.insert(name.value.as_str());
            }
        }
    }
    let place = file.params.first().map_or(Span { start: 0, len: 1 }, |(name, _)| name.span);
    for (name, text) in &options.set {
        let Some(param) = declared.get_mut(name) else {
            if !bad.contains(name.as_str()) {
                let message = format!("--set {name}={text}: no param `{name}` is declared");
                let known: Vec<&str> = file.params.iter().map(|(name, _)| name.value.as_str()).collect();
                problems.push(Problem::new("pipeline::bad_param", place, message).suggest(name, known));
            }
            continue;
        };
        match param.kind.parse(text) {
            Some(value) => param.value = value,
            None => {
                let place = file.params.iter().find(|(known, _)| known.value == *name).map_or(place, |(n, _)| n.span);
                let message = format!("--set {name}={text}: expected {}, found `{text}`", param.kind);
                problems.push(
                    Problem::new("pipeline::bad_param", place, message)
                        .label("declared here")
                        .hint(format!("this call would do: --set {name}={}", params::as_text(&param.value))),
                );
            }
        }
    }
    declared
}

fn checked_sources(file: &PipelineFile, scope: &Scope<'_>, problems: &mut Vec<Problem>) -> BTreeMap<String, Source> {
    let mut source = |name: &Text, source: &SourceFile| match source {
        SourceFile::Path { path, schema, read } => {
            let path = scope.fill_path(path, problems);
            match schema {
                file::PathSchema::Bars => {
                    let read = read.as_ref().and_then(|read| read_options(name, read, scope, problems));
                    Source::Bars(Box::new(BarsSource { path, read: read.unwrap_or_default() }))
                }
                file::PathSchema::Strategy => Source::Strategy(path),
                file::PathSchema::File => Source::File(path),
            }
        }
        SourceFile::Registry { model, alias, part, path: meanwhile, optional } => Source::Registry {
            model: model.clone(),
            alias: alias.clone(),
            part: *part,
            otherwise: match meanwhile {
                Some(text) => Otherwise::File(scope.fill_path(text, problems)),
                None if *optional => Otherwise::Absent,
                None => Otherwise::Refuse,
            },
        },
    };
    file.sources.iter().map(|(name, found)| (name.value.clone(), source(name, found))).collect()
}

/// The options of a source of bars; a problem where they cannot be read.
fn read_options(
    name: &Text,
    read: &Located<Yaml>,
    scope: &Scope<'_>,
    problems: &mut Vec<Problem>,
) -> Option<ReadOptions> {
    let before = problems.len();
    let filled = scope.fill(read, problems);
    if problems.len() > before {
        return None;
    }
    let what = format!("source `{}`, read", name.value);
    checked_options(what, read, &filled).map_err(|problem| problems.push(problem)).ok()
}

/// Reads the options of a data set from a text of their own.
///
/// # Errors
/// The first problem.
pub fn parse_read_options(text: &str) -> Result<ReadOptions, Vec<Problem>> {
    let tree = yaml::parse(text)?;
    checked_options("read".to_owned(), &tree, &tree.value.to_json()).map_err(|problem| vec![problem])
}

fn checked_options(what: String, read: &Located<Yaml>, filled: &serde_json::Value) -> Result<ReadOptions, Problem> {
    let checked = read_config::<ReadOptions>(filled).and_then(|(options, _)| {
        let refuse = |error: OptionsError| ConfigError::at(&error.place, error.problem);
        options.check().map_err(refuse).map(|()| options)
    });
    let table = "docs/guide/data.md shows what each option takes".to_owned();
    let about = config::About { what, has_no: "option", table };
    checked.map_err(|error| config::located(&about, read, &error))
}

/// Two outputs must not be copied to one path: the second would silently replace the first.
fn clashes(file: &PipelineFile, nodes: &[Node], problems: &mut Vec<Problem>) {
    let mut taken: BTreeMap<&str, &Node> = BTreeMap::new();
    let mut told = BTreeSet::new();
    for node in nodes {
        for (port, path) in &node.publish {
            let Some(first) = taken.insert(path, node) else { continue };
            let written = file.nodes.iter().find(|written| written.id.value == node.group);
            let written = written.and_then(|written| written.publish.iter().find(|(name, _)| name.value == *port));
            let span = written.map_or(node.span, |(_, path)| path.span);
            // one line of the file clashes with itself as often as there are instances
            if !told.insert(span) {
                continue;
            }
            let message = format!("`{}` and `{}` are both published to `{path}`", first.id, node.id);
            let differs =
                |own: &&matrix::Coordinate| first.place.get(&own.axis).is_some_and(|value| *value != own.value);
            problems.push(Problem::new("pipeline::publish", span, message).hint(
                match node.place.0.iter().find(differs) {
                    Some(own) => format!("put what tells them apart into the path: ${{matrix.{}}}", own.axis),
                    None => "choose another path for one of them".to_owned(),
                },
            ));
        }
    }
}

impl Checker<'_> {
    fn notify(&self, index: usize, entry: &NotifyFile, problems: &mut Vec<Problem>) -> Option<Notify> {
        let when = entry.when.as_ref().map(|when| self.run_condition(when, problems));
        // without an environment the entry is only looked at
        let present = |variable: &str| Some(format!("${{env.{variable}}}"));
        let look_up: &dyn Fn(&str) -> Option<String> = match &self.options.environment {
            Some(environment) => &**environment,
            None => &present,
        };
        let scope = Scope { run_id: true, environment: Some(look_up), ..self.scope };
        let mut found = Vec::new();
        let target = match &entry.target {
            TargetFile::Webhook(url) => NotifyTarget::Webhook(scope.fill_path(url, &mut found)),
            TargetFile::Command(argv) => {
                NotifyTarget::Command(argv.iter().map(|part| scope.fill_path(part, &mut found)).collect())
            }
        };
        let unset = found.iter().all(|problem| problem.code == "pipeline::environment");
        if !found.is_empty() {
            if !(entry.optional && unset) {
                problems.append(&mut found);
            }
            return None;
        }
        match when {
            None => Some(Notify { index, when: None, target }),
            Some(when) => Some(Notify { index, when: Some(when?), target }),
        }
    }
}

impl Node {
    /// The nodes that this one waits for, sorted.
    pub fn dependencies(&self) -> BTreeSet<String> {
        let mut found: BTreeSet<String> = self.needs.iter().cloned().collect();
        found.extend(self.inputs.values().flat_map(|edge| edge.from.origins()).filter_map(|origin| match origin {
            Origin::Output { node, .. } => Some(node.clone()),
            Origin::Source(_) => None,
        }));
        for (reference, _) in self.when.iter().flat_map(Condition::references) {
            match reference {
                Reference::Status(node) | Reference::Value { node, .. } => drop(found.insert(node.clone())),
                Reference::StatusOfAll { instances, .. } => found.extend(instances.iter().cloned()),
                Reference::Param(_) | Reference::Matrix(_) | Reference::AsOf | Reference::RunStatus => {}
            }
        }
        found
    }
}

/// The value of a param in a condition.
pub(crate) fn param_scalar(value: &serde_json::Value) -> Option<crate::artifact::Scalar> {
    params::scalar(value)
}

impl Scope<'_> {
    /// A text with its references filled in; empty where that is a problem.
    fn fill_path(&self, text: &Text, problems: &mut Vec<Problem>) -> String {
        let tree = Located::new(yaml::Yaml::Text(text.value.clone()), text.span);
        match self.fill(&tree, problems) {
            serde_json::Value::String(filled) => filled,
            serde_json::Value::Null => String::new(),
            other => params::as_text(&other),
        }
    }
}
