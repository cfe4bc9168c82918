//! Pipeline files: YAML text to a checked [`Pipeline`].
//!
//! ```text
//! text -> yaml (tree with places) -> file (keys and types) -> params, templates -> check (names, types, cycles) -> Pipeline
//! ```
//!
//! Every problem of a stage is reported at once, each with its place and the edit that mends it. What the language has
//! but this version does not run yet (`matrix`, `retry`, ...) is refused by name, never ignored.

mod check;
pub mod condition;
mod file;
mod params;
pub mod schema;
mod template;
mod yaml;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::base::{Located, Problem, Span, Timestamp};
use crate::node::NodeKind;

pub use check::load;
pub(crate) use check::param_scalar;
pub use condition::Condition;
pub use file::Schedule;
pub use params::{Param, ParamType};

/// What a caller brings beside the file.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// Values for declared params, by name, as text (`--set`).
    pub set: BTreeMap<String, String>,
    /// End of the data window, exclusive; overrides the file.
    pub as_of: Option<Timestamp>,
    /// What time it is, for the last due tick of a schedule.
    pub now: Option<Timestamp>,
}

/// A file that was read and found right.
#[derive(Debug)]
pub struct Pipeline {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// End of the data window, exclusive.
    pub as_of: Timestamp,
    /// When it should run.
    pub schedule: Option<Schedule>,
    /// Values of all params.
    pub params: BTreeMap<String, Value>,
    /// What is read from outside.
    pub sources: BTreeMap<String, Source>,
    /// Where each source is declared: it is read later, and may then turn out to be missing.
    pub source_spans: BTreeMap<String, Span>,
    /// Nodes, each after all those it depends on.
    pub nodes: Vec<Node>,
}

impl Pipeline {
    /// Finds a node.
    pub fn node(&self, id: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.id == id)
    }
}

/// Something read from outside, pinned to a digest when a run starts.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// Parquet or CSV bars: a file or a folder.
    Bars(String),
    /// A strategy file.
    Strategy(String),
    /// Part of a registered model's version.
    Registry {
        /// The model's name.
        model: String,
        /// Which version.
        alias: String,
        /// Which part of the version.
        part: RegistryPart,
        /// What stands in while there is no such version.
        otherwise: Otherwise,
    },
}

/// What a version in the registry consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistryPart {
    /// The model.
    Model,
    /// The strategy whose signals it scores.
    Strategy,
}

/// What stands in for a version that does not exist yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// Nothing: the run is refused.
    Refuse,
    /// Nothing: whoever reads it must be able to do without.
    Absent,
    /// A strategy file.
    File(String),
}

/// A step.
pub struct Node {
    /// Its name in the file.
    pub id: String,
    /// What it does.
    pub kind: &'static dyn NodeKind,
    /// Config, with defaults filled in and references substituted.
    pub with: Value,
    /// Artifacts it reads, by port.
    pub inputs: BTreeMap<String, Edge>,
    /// Nodes that must have ended well before, beside those of `inputs` and `when`.
    pub needs: Vec<String>,
    /// Whether it runs at all.
    pub when: Option<Condition>,
    /// Where to copy outputs, by port.
    pub publish: BTreeMap<String, String>,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("id", &self.id).field("with", &self.with).field("inputs", &self.inputs).finish()
    }
}

/// A connected input.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    /// Where it comes from.
    pub from: Origin,
    /// Whether the node runs without it.
    pub optional: bool,
}

/// Where an artifact comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// A source.
    Source(String),
    /// An output of a node.
    Output {
        /// The node.
        node: String,
        /// Its port.
        port: String,
    },
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Source(name) => write!(f, "sources.{name}"),
            Self::Output { node, port } => write!(f, "{node}.{port}"),
        }
    }
}

/// Reads text with its place, for errors that are found later.
type Text = Located<String>;

fn not_built(span: Span, what: &str) -> Problem {
    Problem::new("pipeline::not_built", span, format!("`{what}` is part of the language but not built yet"))
        .label("not built yet")
        .hint("remove it: this version would have to ignore it, and it ignores nothing")
}
