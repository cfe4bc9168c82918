//! Names, types and cycles: a [`PipelineFile`] to a [`Pipeline`], with every problem of a stage at once.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::{tarjan_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};

use super::condition::{self, Condition, ConditionType, Reference};
use super::file::{self, InputFile, NodeFile, PipelineFile};
use super::params::{self, Param, ParamType};
use super::template::Scope;
use super::yaml::{self, Yaml};
use super::{Edge, LoadOptions, Node, Origin, Pipeline, RegistryPart, Source, Text};
use crate::artifact::ArtifactType;
use crate::base::{Located, Problem, Span, Timestamp};
use crate::node::{ConfigError, InputPort, KINDS, NodeKind, PathStep, ValueType, find_kind};

/// Words that a node's `.status` can be.
const STATUS_WORDS: [&str; 4] = ["succeeded", "skipped", "failed", "cancelled"];

/// Reads a pipeline file.
///
/// # Errors
/// Every problem of the first stage that has any.
pub fn load(text: &str, options: &LoadOptions) -> Result<Pipeline, Vec<Problem>> {
    let tree = yaml::parse(text)?;
    let mut problems = Vec::new();
    let file = file::read(&tree, &mut problems);
    let params = declared_params(&file, options, &mut problems);
    let nodes = Names::new(&file, &mut problems);
    stage(&mut problems)?;

    let as_of = window_end(&file, options).map_err(|problem| vec![problem])?;
    let scope = Scope { params: &params, as_of };
    let checker = Checker { text, file: &file, names: &nodes, params: &params, scope };
    let mut checked: Vec<Node> = file.nodes.iter().filter_map(|node| checker.node(node, &mut problems)).collect();
    stage(&mut problems)?;

    let order = order_of(&checked, &file).map_err(|problem| vec![problem])?;
    let mut placed: Vec<Option<Node>> = checked.drain(..).map(Some).collect();
    let nodes = order.into_iter().filter_map(|index| placed[index].take()).collect();
    let source_spans = file.sources.iter().map(|(name, _)| (name.value.clone(), name.span)).collect();
    Ok(Pipeline {
        name: file.name,
        description: file.description,
        as_of,
        schedule: file.schedule,
        params: params.into_iter().map(|(name, param)| (name, param.value)).collect(),
        sources: file.sources.into_iter().map(|(name, source)| (name.value, source)).collect(),
        source_spans,
        nodes,
    })
}

fn stage(problems: &mut Vec<Problem>) -> Result<(), Vec<Problem>> {
    if problems.is_empty() {
        return Ok(());
    }
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

/// What names stand for, before anything refers to them.
struct Names {
    kinds: BTreeMap<String, &'static dyn NodeKind>,
    sources: BTreeMap<String, ArtifactType>,
}

impl Names {
    fn new(file: &PipelineFile, problems: &mut Vec<Problem>) -> Self {
        let mut kinds = BTreeMap::new();
        for node in &file.nodes {
            check_id(&node.id, problems);
            match find_kind(&node.kind.value) {
                Some(kind) => drop(kinds.insert(node.id.value.clone(), kind)),
                None => {
                    let message = format!("node `{}` has the unknown kind `{}`", node.id.value, node.kind.value);
                    problems.push(
                        Problem::new("pipeline::unknown_kind", node.kind.span, message)
                            .label("unknown kind")
                            .suggest(&node.kind.value, KINDS.iter().map(|kind| kind.descriptor().name)),
                    );
                }
            }
        }
        let sources = file.sources.iter().map(|(name, source)| {
            let kind = match source {
                Source::Bars(_) => ArtifactType::Bars,
                Source::Strategy(_) | Source::Registry { part: RegistryPart::Strategy, .. } => ArtifactType::Strategy,
                Source::Registry { part: RegistryPart::Model, .. } => ArtifactType::Model,
            };
            (name.value.clone(), kind)
        });
        Self { kinds, sources: sources.collect() }
    }
}

fn check_id(id: &Text, problems: &mut Vec<Problem>) {
    const RESERVED: [&str; 5] = ["params", "run", "sources", "matrix", "env"];
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let starts_well = id.value.starts_with(|c: char| c.is_ascii_alphabetic());
    if RESERVED.contains(&id.value.as_str()) || !starts_well || !id.value.chars().all(plain) {
        let message = format!("`{}` cannot be the name of a node", id.value);
        let hint =
            format!("use letters, digits, `_` and `-`, starting with a letter, and none of {}", RESERVED.join(", "));
        problems.push(Problem::new("pipeline::bad_name", id.span, message).hint(hint));
    }
}

struct Checker<'a> {
    text: &'a str,
    file: &'a PipelineFile,
    names: &'a Names,
    params: &'a BTreeMap<String, Param>,
    scope: Scope<'a>,
}

impl Checker<'_> {
    fn node(&self, node: &NodeFile, problems: &mut Vec<Problem>) -> Option<Node> {
        let kind = *self.names.kinds.get(&node.id.value)?;
        let inputs = self.inputs(node, kind, problems);
        let needs = node.needs.iter().filter_map(|need| self.need(node, need, problems)).collect();
        let when = node.when.as_ref().and_then(|when| self.condition(when, problems));
        let with = self.config(node, kind, problems);
        let publish = self.publish(node, kind, problems);
        Some(Node { id: node.id.value.clone(), kind, with: with?, inputs, needs, when, publish })
    }

    fn config(
        &self,
        node: &NodeFile,
        kind: &'static dyn NodeKind,
        problems: &mut Vec<Problem>,
    ) -> Option<serde_json::Value> {
        let before = problems.len();
        let filled = self.scope.fill(&node.with, problems);
        if problems.len() > before {
            return None;
        }
        match kind.normalise(&filled) {
            Ok(config) => Some(config),
            Err(error) => {
                problems.push(config_problem(node, &error));
                None
            }
        }
    }

    fn inputs(
        &self,
        node: &NodeFile,
        kind: &'static dyn NodeKind,
        problems: &mut Vec<Problem>,
    ) -> BTreeMap<String, Edge> {
        let descriptor = kind.descriptor();
        let mut edges = BTreeMap::new();
        for input in &node.inputs {
            let Some(port) = descriptor.input(&input.port.value) else {
                let message = format!("kind `{}` has no input `{}`", descriptor.name, input.port.value);
                problems.push(
                    Problem::new("pipeline::unknown_input", input.port.span, message)
                        .label("unknown input")
                        .suggest(&input.port.value, descriptor.inputs.iter().map(|port| port.name)),
                );
                continue;
            };
            let Some((from, found)) = self.origin(input, problems) else { continue };
            if port.types.contains(&found) {
                let optional = input.optional || !port.required;
                edges.insert(input.port.value.clone(), Edge { from, optional });
            } else {
                let expected: Vec<&str> = port.types.iter().map(|kind| kind.name()).collect();
                let message = format!(
                    "input `{}` of node `{}`: expected {}, found {found} from `{from}`",
                    input.port.value,
                    node.id.value,
                    expected.join(" or "),
                );
                problems.push(
                    Problem::new("pipeline::input_type", input.from.span, message)
                        .label(format!("{found}, not {}", expected.join(" or ")))
                        .hint(self.offers(node, port)),
                );
            }
        }
        for port in descriptor.inputs.iter().filter(|port| port.required) {
            if !node.inputs.iter().any(|input| input.port.value == port.name) {
                let message = format!("node `{}` lacks the input `{}` ({})", node.id.value, port.name, port.doc);
                problems.push(
                    Problem::new("pipeline::missing_input", node.id.span, message)
                        .label(format!("`{}` is not connected", port.name))
                        .hint(self.offers(node, port)),
                );
            }
        }
        edges
    }

    /// What could be connected to an input: every source and output of another node that has its type.
    fn offers(&self, to: &NodeFile, port: &InputPort) -> String {
        let sources = self.names.sources.iter().filter(|(_, kind)| port.types.contains(kind));
        let mut found: Vec<String> = sources.map(|(name, _)| format!("sources.{name}")).collect();
        for node in self.file.nodes.iter().filter(|node| node.id.value != to.id.value) {
            let outputs = self.names.kinds.get(&node.id.value).map_or(&[][..], |kind| kind.descriptor().outputs);
            let fitting = outputs.iter().filter(|output| port.types.contains(&output.kind));
            found.extend(fitting.map(|output| format!("{}.{}", node.id.value, output.name)));
        }
        match found.as_slice() {
            [] => "no source and no other node here has that type: add one".to_owned(),
            [only] => format!("write `{}: {only}` in its `inputs`", port.name),
            several => format!("of that type: {}", several.join(", ")),
        }
    }

    fn origin(&self, input: &InputFile, problems: &mut Vec<Problem>) -> Option<(Origin, ArtifactType)> {
        let from = &input.from;
        let mut report = |problem: Problem| problems.push(problem);
        match from.value.split_once('.') {
            Some(("sources", name)) => match self.names.sources.get(name) {
                Some(kind) => return Some((Origin::Source(name.to_owned()), *kind)),
                None => report(
                    Problem::new("pipeline::unknown_source", from.span, format!("there is no source `{name}`"))
                        .label("unknown source")
                        .suggest(name, self.names.sources.keys().map(String::as_str)),
                ),
            },
            Some((node, _)) if node.contains('[') => report(super::not_built(from.span, &from.value)),
            Some((node, port)) => match self.names.kinds.get(node) {
                Some(kind) => match kind.descriptor().output(port) {
                    Some(output) => {
                        let origin = Origin::Output { node: node.to_owned(), port: port.to_owned() };
                        return Some((origin, output.kind));
                    }
                    None => report(
                        Problem::new(
                            "pipeline::unknown_output",
                            from.span,
                            format!("node `{node}` has no output `{port}`"),
                        )
                        .label("unknown output")
                        .suggest(port, kind.descriptor().outputs.iter().map(|output| output.name)),
                    ),
                },
                None => report(self.unknown_node(node, from.span)),
            },
            None => report(
                Problem::new("pipeline::unknown_input", from.span, format!("`{}` is no artifact", from.value))
                    .hint("write `node.output` or `sources.name`"),
            ),
        }
        None
    }

    fn unknown_node(&self, name: &str, span: Span) -> Problem {
        Problem::new("pipeline::unknown_node", span, format!("there is no node `{name}`"))
            .label("unknown node")
            .suggest(name, self.file.nodes.iter().map(|node| node.id.value.as_str()))
    }

    fn need(&self, node: &NodeFile, need: &Text, problems: &mut Vec<Problem>) -> Option<String> {
        if self.names.kinds.contains_key(&need.value) && need.value != node.id.value {
            return Some(need.value.clone());
        }
        problems.push(self.unknown_node(&need.value, need.span));
        None
    }

    fn condition(&self, when: &Text, problems: &mut Vec<Problem>) -> Option<Condition> {
        let offset = file::text_offset(self.text, when.span);
        let mut place = |mut problem: Problem| {
            problem.span = self.place_in_block(when, offset, problem.span);
            problems.push(problem);
        };
        match Condition::parse(&when.value, offset) {
            Err(problem) => {
                place(problem);
                None
            }
            Ok(parsed) => {
                condition::check(&parsed, offset, &|reference| self.reference_type(reference))
                    .into_iter()
                    .for_each(&mut place);
                Some(parsed)
            }
        }
    }

    /// Where a part of a condition stands in the file. A folded block loses line breaks and indentation, so that its
    /// parts have moved; each is found again as the same occurrence of the same words.
    fn place_in_block(&self, when: &Text, offset: usize, span: Span) -> Span {
        let value = when.value.as_str();
        if self.text[offset..].starts_with(value) {
            return span;
        }
        let start = (span.start - offset).min(value.len());
        let words = value.get(start..(start + span.len).min(value.len())).unwrap_or_default();
        let before = value.get(..start).unwrap_or_default().matches(words).count();
        let found = self.text[offset..].match_indices(words).nth(before).filter(|_| !words.is_empty());
        found.map_or(when.span, |(at, _)| Span { start: offset + at, len: span.len })
    }

    fn reference_type(&self, reference: &Reference) -> Result<ConditionType, Problem> {
        let undefined = |message: String| Problem::new("condition::undefined", Span::default(), message);
        match reference {
            Reference::AsOf => Ok(ConditionType::Text),
            Reference::Param(name) => match self.params.get(name) {
                Some(param) => Ok(match &param.kind {
                    ParamType::Int { .. } | ParamType::Float { .. } => ConditionType::Number,
                    ParamType::Bool => ConditionType::Bool,
                    ParamType::Enum(words) => ConditionType::Word(words.clone()),
                    ParamType::String | ParamType::Date | ParamType::Duration => ConditionType::Text,
                    ParamType::List => {
                        return Err(undefined(format!("`params.{name}` is a list and cannot be compared")));
                    }
                }),
                None => Err(undefined(format!("no param `{name}` is declared"))
                    .suggest(name, self.params.keys().map(String::as_str))),
            },
            Reference::Status(node) if self.names.kinds.contains_key(node) => {
                Ok(ConditionType::Word(STATUS_WORDS.map(str::to_owned).to_vec()))
            }
            Reference::Value { node, value } if self.names.kinds.contains_key(node) => {
                let descriptor = self.names.kinds[node].descriptor();
                match descriptor.value(value) {
                    Some(port) => Ok(match port.kind {
                        ValueType::Bool => ConditionType::Bool,
                        ValueType::Number => ConditionType::Number,
                        ValueType::Text => ConditionType::Text,
                        ValueType::Word(words) => {
                            ConditionType::Word(words.iter().map(|word| (*word).to_owned()).collect())
                        }
                    }),
                    None => Err(undefined(format!("node `{node}` ({}) has no value `{value}`", descriptor.name))
                        .suggest(value, descriptor.values.iter().map(|port| port.name))),
                }
            }
            Reference::Status(node) | Reference::Value { node, .. } => Err(self.unknown_node(node, Span::default())),
        }
    }

    fn publish(
        &self,
        node: &NodeFile,
        kind: &'static dyn NodeKind,
        problems: &mut Vec<Problem>,
    ) -> BTreeMap<String, String> {
        let mut paths = BTreeMap::new();
        for (port, path) in &node.publish {
            if kind.descriptor().output(&port.value).is_none() {
                let message = format!("node `{}` has no output `{}`", node.id.value, port.value);
                let known = kind.descriptor().outputs.iter().map(|output| output.name);
                problems.push(Problem::new("pipeline::unknown_output", port.span, message).suggest(&port.value, known));
                continue;
            }
            match self.scope.fill(path, problems) {
                serde_json::Value::String(path) => drop(paths.insert(port.value.clone(), path)),
                serde_json::Value::Null => {}
                _ => {
                    let message = format!("`publish.{}`: expected a path, found {}", port.value, path.value.describe());
                    problems.push(Problem::new("pipeline::type", path.span, message));
                }
            }
        }
        paths
    }
}

/// Puts a kind's refusal of its config at the place in the file where the value stands.
fn config_problem(node: &NodeFile, error: &ConfigError) -> Problem {
    let mut place = &node.with;
    let mut key_span = node.with.span;
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
    let what = format!("node `{}` ({})", node.id.value, node.kind.value);
    if let Some((unknown, known)) = &error.unknown
        && let Some(span) = key_of(place, unknown).or_else(|| (last_key == unknown).then_some(key_span))
    {
        return Problem::new("pipeline::unknown_key", span, format!("{what} has no setting `{unknown}`"))
            .label("unknown setting")
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
        None => match type_hint(&error.message) {
            Some(hint) => problem.hint(hint),
            None => problem,
        },
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
        ("a list", Some(text), _) => Some(format!("write it as a list: [{text}]")),
        _ => None,
    }
}

fn key_of(tree: &Located<Yaml>, name: &str) -> Option<Span> {
    match &tree.value {
        Yaml::Map(fields) => fields.iter().find(|(key, _)| key.value == name).map(|(key, _)| key.span),
        _ => None,
    }
}

/// Orders nodes so that each follows those it depends on; among equals the order of the file stays.
fn order_of(nodes: &[Node], file: &PipelineFile) -> Result<Vec<usize>, Problem> {
    let index: BTreeMap<&str, usize> = nodes.iter().enumerate().map(|(at, node)| (node.id.as_str(), at)).collect();
    let mut graph = DiGraph::<usize, ()>::new();
    // added backwards: `toposort` yields later additions first among nodes that are free
    let mut handles = vec![NodeIndex::default(); nodes.len()];
    for at in (0..nodes.len()).rev() {
        handles[at] = graph.add_node(at);
    }
    for (at, node) in nodes.iter().enumerate() {
        for dependency in node.dependencies() {
            if let Some(&from) = index.get(dependency.as_str()) {
                graph.update_edge(handles[from], handles[at], ());
            }
        }
    }
    match toposort(&graph, None) {
        Ok(order) => Ok(order.into_iter().map(|handle| graph[handle]).collect()),
        Err(cycle) => {
            let on_cycle = cycle.node_id();
            let members = tarjan_scc(&graph).into_iter().find(|group| group.contains(&on_cycle)).unwrap_or_default();
            Err(cycle_problem(nodes, file, &members.into_iter().map(|handle| graph[handle]).collect()))
        }
    }
}

fn cycle_problem(nodes: &[Node], file: &PipelineFile, members: &BTreeSet<usize>) -> Problem {
    // walk from one member to the next it depends on until one comes again
    let ids: BTreeMap<&str, usize> = members.iter().map(|&at| (nodes[at].id.as_str(), at)).collect();
    let mut path: Vec<usize> = members.first().copied().into_iter().collect();
    while let Some(&at) = path.last() {
        let Some(next) = nodes[at].dependencies().iter().find_map(|id| ids.get(id.as_str()).copied()) else { break };
        if let Some(start) = path.iter().position(|&seen| seen == next) {
            path.drain(..start);
            break;
        }
        path.push(next);
    }
    let mut names: Vec<&str> = path.iter().map(|&at| nodes[at].id.as_str()).collect();
    names.extend(names.first().copied());
    let first = names.first().copied().unwrap_or_default();
    let span = file.nodes.iter().find(|node| node.id.value == first).map_or(Span::default(), |node| node.id.span);
    Problem::new("pipeline::cycle", span, format!("these nodes wait for each other: {}", names.join(" <- ")))
        .label("part of the cycle")
        .hint("remove one of these inputs, `needs` or `when` references")
}

impl Node {
    /// The nodes that this one waits for, sorted.
    pub fn dependencies(&self) -> BTreeSet<String> {
        let mut found: BTreeSet<String> = self.needs.iter().cloned().collect();
        found.extend(self.inputs.values().filter_map(|edge| match &edge.from {
            Origin::Output { node, .. } => Some(node.clone()),
            Origin::Source(_) => None,
        }));
        let references = self.when.iter().flat_map(Condition::references);
        found.extend(references.filter_map(|(reference, _)| match reference {
            Reference::Status(node) | Reference::Value { node, .. } => Some(node.clone()),
            Reference::Param(_) | Reference::AsOf => None,
        }));
        found
    }
}

/// The value of a param in a condition.
pub(crate) fn param_scalar(value: &serde_json::Value) -> Option<crate::artifact::Scalar> {
    params::scalar(value)
}
