//! Pipeline files: YAML text to a checked [`Pipeline`].
//!
//! ```text
//! text -> base::yaml (tree with places) -> file (keys and types) -> params -> matrix (instances)
//!      -> templates, check (names, types) -> order (cycles) -> Pipeline
//! ```
//!
//! Every problem of a stage is reported at once, each with its place and the edit that mends it.

mod check;
pub mod condition;
mod file;
mod keys;
mod matrix;
mod name;
mod params;
mod policy;
mod project;
mod reference;
mod schedule;
pub mod schema;
mod template;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::base::{Located, Span, Timestamp, yaml};
use crate::market::ReadOptions;
use crate::node::{NodeFiles, NodeKind};

pub(crate) use check::param_scalar;
pub use check::{load, parse_read_options};
pub use condition::Condition;
pub use matrix::{Coordinate, Coordinates};
pub(crate) use params::as_text as param_text;
pub use params::{Param, ParamType, param_file};
pub use policy::{CacheMode, Concurrency, FailureClass, Notify, NotifyTarget, OnConflict, Policy, Retry};
pub use project::Project;
pub use schedule::Schedule;

/// Reads a file's text; the error says why it cannot be read.
pub type ReadFile = Arc<dyn Fn(&str) -> Result<String, String> + Send + Sync>;
/// Stands for the id of the run in paths and addresses until there is one.
pub const RUN_ID: &str = "${run.id}";
/// Looks a variable of the environment up.
pub type LookUp = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What a caller brings beside the file.
#[derive(Clone, Default)]
pub struct LoadOptions {
    /// Values for declared params, by name, as text (`--set`, `--params`).
    pub set: BTreeMap<String, String>,
    /// End of the data window, exclusive; overrides the file.
    pub as_of: Option<Timestamp>,
    /// What time it is, for the last due tick of a schedule.
    pub now: Option<Timestamp>,
    /// The environment, for `notify`; without it, `notify` is only looked at.
    pub environment: Option<LookUp>,
    /// Reads the files of `pipeline` nodes; without it they are not looked into.
    pub read: Option<ReadFile>,
    /// Whether nodes that change something outside the store only say what they would do.
    pub shadow: bool,
    /// Files of the pipelines that this one is a node of, outermost first.
    pub within: Vec<String>,
}

/// A file that was read and found right.
#[derive(Clone, Debug)]
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
    /// Which runs must not run at the same time.
    pub concurrency: Option<Concurrency>,
    /// Pools by name: how many of their nodes may run at once.
    pub pools: BTreeMap<String, usize>,
    /// Who is told when a run has ended.
    pub notify: Vec<Notify>,
    /// Nodes, each after all those it depends on.
    pub nodes: Vec<Node>,
    /// The nodes of the file that have a matrix or follow one, by name.
    pub groups: BTreeMap<String, Group>,
    /// The text it was read from.
    pub text: Arc<str>,
}

/// The instances of one node of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// How many of them may run at once.
    pub max_parallel: Option<usize>,
    /// Whether the first that fails stops the others.
    pub fail_fast: bool,
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
    /// Parquet or CSV bars.
    Bars(Box<BarsSource>),
    /// A strategy file.
    Strategy(String),
    /// Any file or folder.
    File(String),
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

/// Bars outside the store, and how they are read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BarsSource {
    /// A file, a folder, or a pattern.
    pub path: String,
    /// How its files become bars.
    pub read: ReadOptions,
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

/// A step: a node of the file, or one instance of it.
#[derive(Clone)]
pub struct Node {
    /// Its name: that in the file, with its place where it has several instances, as `train[model=logistic,seed=1]`.
    pub id: String,
    /// Its name in the file.
    pub group: String,
    /// Where the instance stands.
    pub place: Coordinates,
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
    /// How it is run.
    pub policy: Policy,
    /// Files outside the store that it uses.
    pub files: NodeFiles,
    /// Where it stands in the file.
    pub span: Span,
    /// The pipeline that it runs, where it is one.
    pub child: Option<Arc<Pipeline>>,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("id", &self.id).field("with", &self.with).field("inputs", &self.inputs).finish()
    }
}

/// A connected input.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    /// Where it comes from.
    pub from: Feed,
    /// Whether the node runs without it.
    pub optional: bool,
}

/// One artifact, or those of several instances.
#[derive(Clone, Debug, PartialEq)]
pub enum Feed {
    /// One.
    One(Origin),
    /// Several, each with the place of its instance, in the order of the file.
    Many(Vec<(String, Origin)>),
}

impl Feed {
    /// Every place that something comes from.
    pub fn origins(&self) -> impl Iterator<Item = &Origin> {
        let (one, many) = match self {
            Self::One(origin) => (Some(origin), [].iter()),
            Self::Many(origins) => (None, origins.iter()),
        };
        one.into_iter().chain(many.map(|(_, origin)| origin))
    }
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

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(name) => write!(f, "sources.{name}"),
            Self::Output { node, port } => write!(f, "{node}.{port}"),
        }
    }
}

/// Reads text with its place, for errors that are found later.
type Text = Located<String>;
