//! One node of the file, with every instance of it.

use std::collections::BTreeMap;

use super::super::file::{InputFile, NodeFile, PipelineFile};
use super::super::matrix::Coordinates;
use super::super::params::Param;
use super::super::reference::{Instances, NodeReference, Which};
use super::super::template::Scope;
use super::super::{Edge, Feed, LoadOptions, Node, Origin, Policy, Text, name};
use super::child::child;
use super::config::config_problem;
use super::names::{Face, Names};
use crate::artifact::ArtifactType;
use crate::base::yaml::Yaml;
use crate::base::{Problem, Span};
use crate::node::{Executor, InputPort, PipelineConfig};

/// Everything that the check of a node looks at.
pub(super) struct Checker<'a> {
    pub text: &'a str,
    pub file: &'a PipelineFile,
    pub names: &'a Names,
    pub params: &'a BTreeMap<String, Param>,
    pub instances: &'a Instances,
    pub scope: Scope<'a>,
    pub options: &'a LoadOptions,
}

impl Checker<'_> {
    /// The instances of a node; those that have a problem are left out.
    pub(super) fn node(&self, node: &NodeFile, problems: &mut Vec<Problem>) -> Vec<Node> {
        let Some(face) = self.names.nodes.get(&node.id.value) else { return Vec::new() };
        let places = self.instances.members(&node.id.value);
        let when = node.when.as_ref().map(|when| self.condition(when, places, problems));
        self.unknown_ports(node, face, problems);
        let policy = self.policy(node);
        let instance = |place: &Coordinates, problems: &mut Vec<Problem>| {
            let scope = Scope { place: Some(place), ..self.scope };
            let inputs = self.inputs(node, face, place, problems);
            let needs = node.needs.iter().flat_map(|need| self.need(node, need, place, problems)).collect();
            let publish = self.publish(node, face, &scope, problems);
            let with = self.config(node, face, &scope, problems)?;
            let when = match &when {
                None => None,
                Some(condition) => Some(self.bind(condition.as_ref()?, place)),
            };
            let child = self.child(node, face, &with, problems);
            Some(Node {
                id: place.name(&node.id.value),
                group: node.id.value.clone(),
                place: place.clone(),
                kind: face.kind,
                files: face.kind.files(&with),
                with,
                inputs,
                needs,
                when,
                publish,
                policy: policy.clone(),
                span: node.id.span,
                child,
            })
        };
        places.iter().filter_map(|place| instance(place, problems)).collect()
    }

    fn policy(&self, node: &NodeFile) -> Policy {
        let (own, defaults) = (&node.policy, &self.file.defaults);
        let pool = own.pool.as_ref().or(defaults.pool.as_ref());
        Policy {
            retry: own.retry.clone().or_else(|| defaults.retry.clone()).unwrap_or_default(),
            timeout: own.timeout.or(defaults.timeout),
            pool: pool.map(|pool| pool.value.clone()),
            cache: own.cache.or(defaults.cache).unwrap_or_default(),
        }
    }

    fn config(
        &self,
        node: &NodeFile,
        face: &Face,
        scope: &Scope<'_>,
        problems: &mut Vec<Problem>,
    ) -> Option<serde_json::Value> {
        let before = problems.len();
        let filled = scope.fill(&node.with, problems);
        if problems.len() > before {
            return None;
        }
        match face.kind.normalise(&filled) {
            Ok(config) if self.options.shadow && face.kind.descriptor().behaviour.has_effect => {
                Some(face.kind.without_effect(&config))
            }
            Ok(config) => Some(config),
            Err(error) => {
                problems.push(config_problem(node, &error));
                None
            }
        }
    }

    fn child(
        &self,
        node: &NodeFile,
        face: &Face,
        with: &serde_json::Value,
        problems: &mut Vec<Problem>,
    ) -> Option<std::sync::Arc<super::Pipeline>> {
        if face.kind.descriptor().behaviour.executor != Executor::Engine {
            return None;
        }
        let config: PipelineConfig = serde_json::from_value(with.clone()).ok()?;
        child(&config, &node.with, self.scope.as_of, self.options).unwrap_or_else(|problem| {
            problems.push(problem);
            None
        })
    }

    /// Ports that the kind does not have, and those that it lacks.
    fn unknown_ports(&self, node: &NodeFile, face: &Face, problems: &mut Vec<Problem>) {
        let about = face.kind.descriptor();
        for input in node.inputs.iter().filter(|_| !about.behaviour.open_inputs) {
            if about.input(&input.port.value).is_none() {
                let message = format!("kind `{}` has no input `{}`", about.name, input.port.value);
                problems.push(
                    Problem::new("pipeline::unknown_input", input.port.span, message)
                        .label("unknown input")
                        .suggest(&input.port.value, about.inputs.iter().map(|port| port.name)),
                );
            }
        }
        for input in node.inputs.iter().filter(|input| !name::is_plain(&input.port.value)) {
            if about.behaviour.open_inputs {
                let message = format!("`{}` cannot be the name of an input", input.port.value);
                let problem = Problem::new("pipeline::bad_name", input.port.span, message);
                problems.push(problem.hint("use letters, digits, `_` and `-`"));
            }
        }
        for port in about.inputs.iter().filter(|port| port.required) {
            if !node.inputs.iter().any(|input| input.port.value == port.name) {
                let message = format!("node `{}` lacks the input `{}` ({})", node.id.value, port.name, port.doc);
                problems.push(
                    Problem::new("pipeline::missing_input", node.id.span, message)
                        .label(format!("`{}` is not connected", port.name))
                        .hint(self.offers(node, port)),
                );
            }
        }
    }

    fn inputs(
        &self,
        node: &NodeFile,
        face: &Face,
        place: &Coordinates,
        problems: &mut Vec<Problem>,
    ) -> BTreeMap<String, Edge> {
        let about = face.kind.descriptor();
        let mut edges = BTreeMap::new();
        for input in &node.inputs {
            let port = about.input(&input.port.value);
            if port.is_none() && !about.behaviour.open_inputs {
                continue;
            }
            let (from, found) = match self.feed(input, place) {
                Ok(found) => found,
                Err(problem) => {
                    problems.push(problem);
                    continue;
                }
            };
            if let Some(port) = port {
                if !port.types.contains(&found) {
                    problems.push(self.wrong_type(node, input, port, found));
                    continue;
                }
                if matches!(from, Feed::Many(_)) && !port.many {
                    let message = format!("input `{}` of `{}` takes one artifact, not several", port.name, about.name);
                    let problem = Problem::new("pipeline::input_type", input.from.span, message);
                    problems.push(problem.label("all instances").hint(self.one_of(&input.from.value)));
                    continue;
                }
            }
            let optional = input.optional || port.is_some_and(|port| !port.required);
            // a port that takes several takes one as well
            let from = match (from, port) {
                (Feed::One(origin), Some(port)) if port.many => Feed::Many(vec![(origin.to_string(), origin)]),
                (from, _) => from,
            };
            edges.insert(input.port.value.clone(), Edge { from, optional });
        }
        edges
    }

    /// What to write in place of a reference to all instances.
    fn one_of(&self, all: &str) -> String {
        let found =
            NodeReference::parse(all).map(|from| (from.node, self.instances.members(from.node).first(), from.port));
        let Some((node, Some(first), port)) = found else { return "name one instance".to_owned() };
        format!("name one instance, as `{}.{port}`, or run for each: `for_each: {node}`", first.name(node))
    }

    fn wrong_type(&self, node: &NodeFile, input: &InputFile, port: &InputPort, found: ArtifactType) -> Problem {
        let expected: Vec<&str> = port.types.iter().map(|kind| kind.name()).collect();
        let expected = expected.join(" or ");
        let message = format!(
            "input `{}` of node `{}`: expected {expected}, found {found} from `{}`",
            input.port.value, node.id.value, input.from.value
        );
        Problem::new("pipeline::input_type", input.from.span, message)
            .label(format!("{found}, not {expected}"))
            .hint(self.offers(node, port))
    }

    /// What could be connected to an input: every source and output of another node that has its type.
    fn offers(&self, to: &NodeFile, port: &InputPort) -> String {
        let sources = self.names.sources.iter().filter(|(_, kind)| port.types.contains(kind));
        let mut found: Vec<String> = sources.map(|(name, _)| format!("sources.{name}")).collect();
        for node in self.file.nodes.iter().filter(|node| node.id.value != to.id.value) {
            let Some(face) = self.names.nodes.get(&node.id.value) else { continue };
            let all = if port.many && !self.instances.is_single(&node.id.value) { "[*]" } else { "" };
            let fitting = face.outputs.iter().filter(|(_, kind)| port.types.contains(kind));
            found.extend(fitting.map(|(output, _)| format!("{}{all}.{output}", node.id.value)));
        }
        match found.as_slice() {
            [] => "no source and no other node here has that type: add one".to_owned(),
            [only] => format!("write `{}: {only}` in its `inputs`", port.name),
            several => format!("of that type: {}", several.join(", ")),
        }
    }

    /// What an input is connected to, and its type.
    fn feed(&self, input: &InputFile, place: &Coordinates) -> Result<(Feed, ArtifactType), Problem> {
        let from = &input.from;
        let at = |code: &'static str, message: String| Problem::new(code, from.span, message);
        if let Some(name) = from.value.strip_prefix("sources.") {
            let Some(kind) = self.names.sources.get(name) else {
                let problem = at("pipeline::unknown_source", format!("there is no source `{name}`"));
                let known = self.names.sources.keys().map(String::as_str);
                return Err(problem.label("unknown source").suggest(name, known));
            };
            return Ok((Feed::One(Origin::Source(name.to_owned())), *kind));
        }
        let Some(NodeReference { node, which, port }) = NodeReference::parse(&from.value) else {
            let problem = at("pipeline::unknown_input", format!("`{}` is no artifact", from.value));
            let forms = "write `node.output`, `node[*].output`, `node[axis=value].output` or `sources.name`";
            return Err(problem.hint(forms));
        };
        let Some(face) = self.names.nodes.get(node) else { return Err(self.unknown_node(node, from.span)) };
        let Some(kind) = face.outputs.get(port) else {
            let problem = at("pipeline::unknown_output", format!("node `{node}` has no output `{port}`"));
            return Err(problem.label("unknown output").suggest(port, face.outputs.keys().map(String::as_str)));
        };
        let output = |node: String| Origin::Output { node, port: port.to_owned() };
        let refuse =
            |(message, hint): (String, String)| at("pipeline::instances", message).label("which one?").hint(hint);
        let feed = match which {
            Which::Same => Feed::One(output(self.instances.same(node, place).map_err(refuse)?)),
            Which::At(pairs) => Feed::One(output(self.instances.at(node, &pairs, place).map_err(refuse)?)),
            Which::All => {
                let several = self.instances.all(node, place);
                if several.is_empty() && !input.optional {
                    let message = format!("`{node}` has no instance at {place}");
                    let hint = "exclude it here too, or add `optional: true` to the input";
                    return Err(refuse((message, hint.to_owned())));
                }
                Feed::Many(several.into_iter().map(|(label, name)| (label, output(name))).collect())
            }
        };
        Ok((feed, *kind))
    }

    pub(super) fn unknown_node(&self, name: &str, span: Span) -> Problem {
        Problem::new("pipeline::unknown_node", span, format!("there is no node `{name}`"))
            .label("unknown node")
            .suggest(name, self.file.nodes.iter().map(|node| node.id.value.as_str()))
    }

    /// The instances that a node needs: the one at the same place, or all that agree with it.
    fn need(&self, node: &NodeFile, need: &Text, place: &Coordinates, problems: &mut Vec<Problem>) -> Vec<String> {
        let name = need.value.strip_suffix("[*]").unwrap_or(&need.value);
        if !self.names.nodes.contains_key(name) || name == node.id.value {
            problems.push(self.unknown_node(name, need.span));
            return Vec::new();
        }
        self.instances.all(name, place).into_iter().map(|(_, instance)| instance).collect()
    }

    fn publish(
        &self,
        node: &NodeFile,
        face: &Face,
        scope: &Scope<'_>,
        problems: &mut Vec<Problem>,
    ) -> BTreeMap<String, String> {
        let scope = Scope { run_id: true, ..*scope };
        let mut paths = BTreeMap::new();
        for (port, path) in &node.publish {
            if !face.outputs.contains_key(&port.value) {
                let message = format!("node `{}` has no output `{}`", node.id.value, port.value);
                let known = face.outputs.keys().map(String::as_str);
                problems.push(Problem::new("pipeline::unknown_output", port.span, message).suggest(&port.value, known));
                continue;
            }
            match scope.fill(path, problems) {
                serde_json::Value::String(path) => drop(paths.insert(port.value.clone(), path)),
                // the problem is told already
                serde_json::Value::Null if path.value != Yaml::Null => {}
                _ => {
                    let message = format!("`publish.{}`: expected a path, found {}", port.value, path.value.describe());
                    let hint = "write a path, as \"reports/${run.as_of}.md\"";
                    problems.push(Problem::new("pipeline::type", path.span, message).hint(hint));
                }
            }
        }
        paths
    }
}
