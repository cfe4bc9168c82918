//! What names stand for, before anything refers to them.

use std::collections::BTreeMap;

use super::super::file::{PathSchema, PipelineFile, SourceFile};
use super::super::{RegistryPart, Text, name};
use crate::artifact::ArtifactType;
use crate::base::{Problem, nearest};
use crate::node::{NodeKind, ValueType, find_kind, shown_kinds};

/// The kind of a node, and what it offers to others.
pub(super) struct Face {
    pub kind: &'static dyn NodeKind,
    pub outputs: BTreeMap<String, ArtifactType>,
    pub values: BTreeMap<String, ValueType>,
}

/// Nodes and sources by name.
pub(super) struct Names {
    pub nodes: BTreeMap<String, Face>,
    pub sources: BTreeMap<String, ArtifactType>,
}

impl Names {
    pub(super) fn new(file: &PipelineFile, problems: &mut Vec<Problem>) -> Self {
        let mut nodes = BTreeMap::new();
        for node in &file.nodes {
            check_id(&node.id, problems);
            match find_kind(&node.kind.value) {
                Some(kind) => {
                    let declared = kind.declared(&node.with.value.to_json()).unwrap_or_default();
                    let about = kind.descriptor();
                    let outputs = about.outputs.iter().map(|port| (port.name.to_owned(), port.kind));
                    let values = about.values.iter().map(|port| (port.name.to_owned(), port.kind.clone()));
                    let face = Face {
                        kind,
                        outputs: outputs.chain(declared.outputs).collect(),
                        values: values.chain(declared.values).collect(),
                    };
                    nodes.insert(node.id.value.clone(), face);
                }
                None => {
                    let message = format!("node `{}` has the unknown kind `{}`", node.id.value, node.kind.value);
                    problems.push(
                        Problem::new("pipeline::unknown_kind", node.kind.span, message)
                            .label("unknown kind")
                            .suggest(&node.kind.value, shown_kinds().map(|kind| kind.descriptor().name)),
                    );
                }
            }
        }
        let sources = file.sources.iter().map(|(name, source)| (name.value.clone(), source_type(source))).collect();
        check_policies(file, problems);
        Self { nodes, sources }
    }
}

fn source_type(source: &SourceFile) -> ArtifactType {
    match source {
        SourceFile::Path { schema: PathSchema::Bars, .. } => ArtifactType::Bars,
        SourceFile::Path { schema: PathSchema::File, .. } => ArtifactType::File,
        SourceFile::Path { schema: PathSchema::Strategy, .. }
        | SourceFile::Registry { part: RegistryPart::Strategy, .. } => ArtifactType::Strategy,
        SourceFile::Registry { part: RegistryPart::Model, .. } => ArtifactType::Model,
    }
}

fn check_id(id: &Text, problems: &mut Vec<Problem>) {
    if !name::is_node(&id.value) {
        let message = format!("`{}` cannot be the name of a node", id.value);
        let hint = format!(
            "use letters, digits, `_` and `-`, starting with a letter, and none of {}",
            name::RESERVED.join(", ")
        );
        problems.push(Problem::new("pipeline::bad_name", id.span, message).hint(hint));
    }
}

/// Pools must be declared, and axes must have names that can stand in references.
fn check_policies(file: &PipelineFile, problems: &mut Vec<Problem>) {
    let pools: Vec<&str> = file.pools.iter().map(|(name, _)| name.value.as_str()).collect();
    let policies = file.nodes.iter().map(|node| &node.policy).chain([&file.defaults]);
    for pool in policies.filter_map(|policy| policy.pool.as_ref()) {
        if !pools.contains(&pool.value.as_str()) {
            let problem =
                Problem::new("pipeline::unknown_pool", pool.span, format!("there is no pool `{}`", pool.value))
                    .label("unknown pool");
            problems.push(match nearest(&pool.value, pools.iter().copied()) {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None => problem.hint(format!("declare it at the top level: pools: {{{}: 2}}", pool.value)),
            });
        }
    }
    let axes = file.nodes.iter().filter_map(|node| node.matrix.as_ref()).flat_map(|matrix| &matrix.axes);
    for (axis, _) in axes {
        if !name::is_plain(&axis.value) {
            let message = format!("`{}` cannot be the name of an axis", axis.value);
            problems
                .push(Problem::new("pipeline::bad_name", axis.span, message).hint("use letters, digits, `_` and `-`"));
        }
    }
}
