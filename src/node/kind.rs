//! The contract between a node kind and whoever runs it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::artifact::{Artifact, ArtifactRef, ArtifactType, LargeFile, Ledger, Payload, Scalar, Scratch};
use crate::backtest::BacktestError;
use crate::base::{CancelToken, Cancelled, Timestamp, schema};
use crate::registry::RegistryClient;

/// An artifact that a kind reads.
#[derive(Debug)]
pub struct InputPort {
    /// Name.
    pub name: &'static str,
    /// Types it accepts.
    pub types: &'static [ArtifactType],
    /// Whether a node of this kind must connect it.
    pub required: bool,
    /// Whether it takes several artifacts, those of all instances of a node.
    pub many: bool,
    /// Meaning.
    pub doc: &'static str,
}

/// An artifact that a kind writes.
#[derive(Debug)]
pub struct OutputPort {
    /// Name.
    pub name: &'static str,
    /// Type.
    pub kind: ArtifactType,
    /// Meaning.
    pub doc: &'static str,
}

/// The type of a value, for conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// True or false.
    Bool,
    /// Any number.
    Number,
    /// Any text.
    Text,
    /// One of a closed set of words.
    Word(&'static [&'static str]),
    /// One of a set of words that the file declares.
    Declared(Vec<String>),
}

impl ValueType {
    /// The words that it can be, where they are a closed set.
    pub fn words(&self) -> Option<Vec<String>> {
        match self {
            Self::Word(words) => Some(words.iter().map(|word| (*word).to_owned()).collect()),
            Self::Declared(words) => Some(words.clone()),
            Self::Bool | Self::Number | Self::Text => None,
        }
    }
}

/// A value that a kind declares.
#[derive(Debug)]
pub struct ValuePort {
    /// Name.
    pub name: &'static str,
    /// Type.
    pub kind: ValueType,
    /// Meaning and unit.
    pub doc: &'static str,
}

/// What the world may know of a kind without running it.
#[derive(Debug)]
pub struct Descriptor {
    /// Name in pipeline files.
    pub name: &'static str,
    /// Bumped whenever the output may change for the same input.
    pub version: u32,
    /// What it does, in one sentence.
    pub doc: &'static str,
    /// What it reads.
    pub inputs: &'static [InputPort],
    /// What it writes.
    pub outputs: &'static [OutputPort],
    /// Values for conditions and for people.
    pub values: &'static [ValuePort],
    /// What the planner and the engine must know of it.
    pub behaviour: Behaviour,
}

/// Who carries a node out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Executor {
    /// The thread pool of the run: it computes.
    Pool,
    /// A thread of its own: it waits for something outside the program.
    Thread,
    /// The engine itself: the node is a pipeline.
    Engine,
    /// The auditor of the engine: the node reads the records of the store.
    Auditor,
}

/// What the planner and the engine must know of a kind.
#[derive(Clone, Copy, Debug)]
pub struct Behaviour {
    /// Whether the end of the data window is part of the fingerprint beside the config.
    pub uses_as_of: bool,
    /// Whether it changes something outside the store, so that a result is a report of what happened, not a function of
    /// the inputs alone.
    pub has_effect: bool,
    /// Whether it takes inputs of any name and type.
    pub open_inputs: bool,
    /// Whether its result may be reused at all.
    pub reusable: bool,
    /// Whether people may be told of it: a hidden kind serves tests and benchmarks.
    pub hidden: bool,
    /// Who carries it out.
    pub executor: Executor,
}

impl Behaviour {
    /// A function of its config and its inputs.
    pub const PURE: Self = Self {
        uses_as_of: false,
        has_effect: false,
        open_inputs: false,
        reusable: true,
        hidden: false,
        executor: Executor::Pool,
    };
}

/// The outputs and values of a node whose config declares them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Declared {
    /// Output: its type.
    pub outputs: BTreeMap<String, ArtifactType>,
    /// Value: its type.
    pub values: BTreeMap<String, ValueType>,
}

/// Things by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Named<T>(pub BTreeMap<String, T>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T, const N: usize> From<[(&'static str, T); N]> for Named<T> {
    fn from(pairs: [(&'static str, T); N]) -> Self {
        pairs.into_iter().collect()
    }
}

impl<T> From<BTreeMap<&'static str, T>> for Named<T> {
    fn from(pairs: BTreeMap<&'static str, T>) -> Self {
        pairs.into_iter().collect()
    }
}

impl<T> FromIterator<(&'static str, T)> for Named<T> {
    fn from_iter<I: IntoIterator<Item = (&'static str, T)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, thing)| (name.to_owned(), thing)).collect())
    }
}

impl Descriptor {
    /// Finds an output port.
    pub fn output(&self, name: &str) -> Option<&'static OutputPort> {
        self.outputs.iter().find(|port| port.name == name)
    }

    /// Finds an input port.
    pub fn input(&self, name: &str) -> Option<&'static InputPort> {
        self.inputs.iter().find(|port| port.name == name)
    }

    /// Finds a value.
    pub fn value(&self, name: &str) -> Option<&'static ValuePort> {
        self.values.iter().find(|port| port.name == name)
    }
}

/// A step into a config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathStep {
    /// A field.
    Key(String),
    /// An item of a list.
    Index(usize),
}

/// A config that a kind refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where in the config.
    pub path: Vec<PathStep>,
    /// What was expected and what was found.
    pub message: String,
    /// A word (the name of a field, or a value) of a closed set that does not have it, and those that it has.
    pub unknown: Option<(String, Vec<String>)>,
    /// The edit that mends it, where the words do not say it.
    pub hint: Option<String>,
}

impl ConfigError {
    /// A refusal of the value at a dotted path.
    pub fn at(path: &str, message: impl Into<String>) -> Self {
        let path = path.split('.').filter(|step| !step.is_empty()).map(|step| PathStep::Key(step.to_owned())).collect();
        let message = message.into();
        Self { path, unknown: unknown_word(&message), message: in_plain_words(&message), hint: None }
    }

    /// Adds the edit that mends it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Why a node did not end well.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// It was asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// Too little data to do this honestly: the node is skipped, the run goes on.
    #[error("insufficient {what}: {found} < {needed}")]
    Insufficient {
        /// Of what.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many it takes.
        needed: usize,
    },
    /// It failed.
    #[error(transparent)]
    Failed(Box<dyn std::error::Error + Send + Sync>),
}

impl From<Cancelled> for NodeError {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}

impl From<BacktestError> for NodeError {
    fn from(error: BacktestError) -> Self {
        match error {
            BacktestError::Cancelled(_) => Self::Cancelled,
            other => Self::failed(other),
        }
    }
}

impl NodeError {
    /// Wraps any error as a failure.
    pub fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Failed(error.into())
    }
}

/// An input that was read and checked.
#[derive(Clone, Debug)]
pub struct InputArtifact {
    /// Its reference.
    pub reference: ArtifactRef,
    /// Its bytes.
    pub artifact: Artifact,
}

impl InputArtifact {
    /// The files of the artifact; a single file has the name `file`.
    ///
    /// # Errors
    /// It is large and cannot be read from disk.
    pub fn files(&self) -> Result<BTreeMap<String, Bytes>, NodeError> {
        let named = |name: &String| if name.is_empty() { "file".to_owned() } else { name.clone() };
        let read = |(name, file): (&String, &LargeFile)| Ok((named(name), file.read().map_err(NodeError::failed)?));
        match &self.artifact.payload {
            Payload::File(bytes) => Ok([("file".to_owned(), bytes.clone())].into()),
            Payload::Tree(files) => Ok(files.clone()),
            Payload::Large(files) => files.files().iter().map(read).collect(),
        }
    }

    /// The value of a single-file JSON artifact.
    ///
    /// # Errors
    /// The artifact is a tree, or no JSON.
    pub fn json(&self) -> Result<Value, NodeError> {
        serde_json::from_slice(&self.bytes()?).map_err(NodeError::failed)
    }

    /// The bytes of a single-file artifact.
    ///
    /// # Errors
    /// The artifact is a tree.
    pub fn bytes(&self) -> Result<Bytes, NodeError> {
        match &self.artifact.payload {
            Payload::File(bytes) => return Ok(bytes.clone()),
            Payload::Large(files) => {
                if let Some(file) = files.single() {
                    return file.read().map_err(NodeError::failed);
                }
            }
            Payload::Tree(_) => {}
        }
        Err(NodeError::failed(format!("expected one {} file, found several", self.reference.kind)))
    }
}

/// A file outside the store that a node uses, pinned when the run started.
#[derive(Clone, Debug, PartialEq)]
pub struct PinnedFile {
    /// Where it was found.
    pub path: std::path::PathBuf,
    /// SHA-256 of its bytes then.
    pub sha256: crate::base::Digest,
    /// Its bytes then; programs are run where they are, and have none here.
    pub bytes: Option<Bytes>,
}

/// What a node body may use.
pub struct NodeContext {
    /// Inputs by port; an optional input without an artifact is absent.
    pub inputs: BTreeMap<String, InputArtifact>,
    /// Inputs that take several artifacts, by port: each with the place of the instance it comes from, in order. One
    /// whose instance has no result is absent where the input is optional.
    pub many: BTreeMap<String, Vec<(String, Option<InputArtifact>)>>,
    /// Files outside the store that the kind asked for, as they were when the run started.
    pub files: BTreeMap<String, PinnedFile>,
    /// Looks a variable of the environment up that the config names.
    pub environment: Arc<dyn Fn(&str) -> Option<String> + Send + Sync>,
    /// End of the data window, exclusive.
    pub as_of: Timestamp,
    /// Asks the body to stop.
    pub cancel: CancelToken,
    /// Takes progress: done, total, and a few words.
    pub progress: Arc<dyn Fn(u64, u64, &str) + Send + Sync>,
    /// Takes lines for the log of this attempt.
    pub log: Arc<dyn Fn(&str) + Send + Sync>,
    /// The model registry: the only thing a body may change.
    pub registry: RegistryClient,
    /// Keeps work in progress, so that a stopped attempt is continued; never changes a result.
    pub scratch: Scratch,
    /// Counts the trials of all studies. Only what has an effect may ask it: its answer is no input.
    pub ledger: Ledger,
}

impl NodeContext {
    /// An input that the port table declares as required.
    ///
    /// # Errors
    /// It is not connected: a bug of the planner, reported instead of hidden.
    pub fn input(&self, port: &str) -> Result<&InputArtifact, NodeError> {
        self.inputs.get(port).ok_or_else(|| NodeError::failed(format!("input `{port}` was not resolved")))
    }

    /// Reports progress.
    pub fn report(&self, done: u64, total: u64, words: &str) {
        (self.progress)(done, total, words);
    }
}

/// What a node body returns.
#[derive(Debug, Default)]
pub struct NodeOutput {
    /// Artifacts by port.
    pub outputs: Named<Artifact>,
    /// Values by name.
    pub values: Named<Scalar>,
    /// The result in one line, for people.
    pub summary: String,
}

/// A node kind, with the type of its config.
pub trait Kind: Sync + 'static {
    /// Checked config: unknown fields are refused, defaults filled in.
    type Config: DeserializeOwned + Serialize + JsonSchema;

    /// What the world may know of it.
    const DESCRIPTOR: Descriptor;

    /// Checks what types cannot.
    ///
    /// # Errors
    /// The first value that makes no sense.
    fn check(_config: &Self::Config) -> Result<(), ConfigError> {
        Ok(())
    }

    /// Does the work.
    ///
    /// # Errors
    /// See [`NodeError`].
    fn run(config: &Self::Config, context: &NodeContext) -> Result<NodeOutput, NodeError>;

    /// Says whether the effect that a reused result claims to have had outside the store still holds.
    fn effect_holds(_values: &BTreeMap<String, Scalar>, _registry: &RegistryClient) -> bool {
        true
    }

    /// Changes a config so that the node decides as before but changes nothing outside the store.
    fn without_effect(_config: &mut Self::Config) {}

    /// Outputs and values that the config declares, read from it as written; `None` when those of the descriptor are all.
    fn declared(_with: &Value) -> Option<Declared> {
        None
    }

    /// The files outside the store that a node uses: the program it runs first, then others by their paths.
    fn files(_config: &Self::Config) -> NodeFiles {
        NodeFiles::default()
    }
}

/// The files outside the store that a node uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeFiles {
    /// The program it runs: a path, or a name to be looked up.
    pub program: Option<String>,
    /// Others, by path.
    pub others: Vec<String>,
}

/// A node kind without the type of its config: what tables and engines hold.
pub trait NodeKind: Sync {
    /// What the world may know of it.
    fn descriptor(&self) -> &'static Descriptor;

    /// The settings that [`NodeKind::normalise`] reads, as JSON Schema: it stands alone, and may be put inside another one.
    fn settings_schema(&self) -> Schema;

    /// Checks a config and fills in defaults.
    ///
    /// # Errors
    /// The first field that is unknown, ill-typed or makes no sense.
    fn normalise(&self, with: &Value) -> Result<Value, ConfigError>;

    /// Does the work with a config that [`NodeKind::normalise`] returned.
    ///
    /// # Errors
    /// See [`NodeError`].
    fn run(&self, with: &Value, context: &NodeContext) -> Result<NodeOutput, NodeError>;

    /// See [`Kind::effect_holds`].
    fn effect_holds(&self, values: &BTreeMap<String, Scalar>, registry: &RegistryClient) -> bool;

    /// See [`Kind::without_effect`].
    fn without_effect(&self, with: &Value) -> Value;

    /// See [`Kind::declared`].
    fn declared(&self, with: &Value) -> Option<Declared>;

    /// See [`Kind::files`].
    fn files(&self, with: &Value) -> NodeFiles;
}

impl<K: Kind> NodeKind for K {
    fn descriptor(&self) -> &'static Descriptor {
        &K::DESCRIPTOR
    }

    fn settings_schema(&self) -> Schema {
        let mut settings = schema::of::<K::Config>();
        settings.insert("title".to_owned(), K::DESCRIPTOR.name.into());
        settings
    }

    fn normalise(&self, with: &Value) -> Result<Value, ConfigError> {
        let (config, filled) = read_config::<K::Config>(with)?;
        K::check(&config)?;
        Ok(filled)
    }

    fn run(&self, with: &Value, context: &NodeContext) -> Result<NodeOutput, NodeError> {
        let config: K::Config = serde_json::from_value(with.clone()).map_err(NodeError::failed)?;
        K::run(&config, context)
    }

    fn effect_holds(&self, values: &BTreeMap<String, Scalar>, registry: &RegistryClient) -> bool {
        K::effect_holds(values, registry)
    }

    fn without_effect(&self, with: &Value) -> Value {
        let changed = serde_json::from_value(with.clone()).map(|mut config: K::Config| {
            K::without_effect(&mut config);
            serde_json::to_value(&config)
        });
        // a config that came from here reads back and serialises
        changed.ok().and_then(Result::ok).unwrap_or_else(|| with.clone())
    }

    fn declared(&self, with: &Value) -> Option<Declared> {
        K::declared(with)
    }

    fn files(&self, with: &Value) -> NodeFiles {
        serde_json::from_value(with.clone()).map(|config| K::files(&config)).unwrap_or_default()
    }
}

/// Reads settings as they are written: the type, and itself as a value with defaults filled in.
///
/// # Errors
/// The first field that is unknown or ill-typed.
pub fn read_config<C: DeserializeOwned + Serialize>(with: &Value) -> Result<(C, Value), ConfigError> {
    let config: C = serde_path_to_error::deserialize(with.clone())
        .map_err(|error| ConfigError { path: steps(error.path()), ..ConfigError::at("", error.inner().to_string()) })?;
    let filled = serde_json::to_value(&config).map_err(|error| ConfigError::at("", error.to_string()))?;
    match list_for_mapping(with, &filled) {
        Some(path) => Err(ConfigError { path, ..ConfigError::at("", "expected a mapping, found a list") }),
        None => Ok((config, filled)),
    }
}

/// Where a list was read as a mapping: serde takes it for the values of the fields, in their order.
fn list_for_mapping(written: &Value, read: &Value) -> Option<Vec<PathStep>> {
    let below = |step: PathStep, written: &Value, read: &Value| {
        let mut path = list_for_mapping(written, read)?;
        path.insert(0, step);
        Some(path)
    };
    match (written, read) {
        (Value::Array(_), Value::Object(_)) => Some(Vec::new()),
        (Value::Object(written), Value::Object(read)) => {
            written.iter().find_map(|(key, field)| below(PathStep::Key(key.clone()), field, read.get(key)?))
        }
        (Value::Array(written), Value::Array(read)) => {
            let mut pairs = written.iter().zip(read).enumerate();
            pairs.find_map(|(at, (written, read))| below(PathStep::Index(at), written, read))
        }
        _ => None,
    }
}

fn steps(path: &serde_path_to_error::Path) -> Vec<PathStep> {
    use serde_path_to_error::Segment;
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Map { key } => Some(PathStep::Key(key.clone())),
            Segment::Enum { variant } => Some(PathStep::Key(variant.clone())),
            Segment::Seq { index } => Some(PathStep::Index(*index)),
            Segment::Unknown => None,
        })
        .collect()
}

/// Takes serde's "unknown field `x`, expected one of `a`, `b`" apart: serde offers it as text only. The words may stand
/// inside those of an outer error, and variants and families are reported in the same form.
fn unknown_word(message: &str) -> Option<(String, Vec<String>)> {
    let (before, known) = message.split_once("`, expected ")?;
    let (what, unknown) = before.rsplit_once('`')?;
    what.contains("unknown ").then(|| {
        let known = known.split('`').skip(1).step_by(2).map(str::to_owned);
        (unknown.to_owned(), known.collect())
    })
}

/// Says serde's "invalid type: string \"x\", expected usize" as the rest of the program does: expected, then found, in
/// words of YAML instead of Rust.
fn in_plain_words(message: &str) -> String {
    let Some((before, found, expected)) = ["invalid type: ", "invalid value: "].iter().find_map(|start| {
        let (before, after) = message.split_once(start)?;
        let (found, expected) = after.rsplit_once(", expected ")?;
        Some((before, found, expected))
    }) else {
        return message.replace("unknown variant", "unknown value");
    };
    let expected = match expected {
        "usize" | "u8" | "u16" | "u32" | "u64" => "a whole number of at least 0",
        "isize" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "a string" | "string" => "text",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "a mapping",
        other if other.starts_with("struct ") => "a mapping",
        other => other,
    };
    let found = match found.split_once(' ') {
        Some(("string", text)) => format!("the text {}", text.replace('"', "`")),
        Some(("integer", number)) => format!("the number {}", number.replace('`', "")),
        Some(("floating", number)) => format!("the number {}", number.trim_start_matches("point ").replace('`', "")),
        Some(("boolean", value)) => value.to_owned(),
        _ if found == "sequence" => "a list".to_owned(),
        _ if found == "map" => "a mapping".to_owned(),
        _ if matches!(found, "null" | "unit value") => "nothing".to_owned(),
        _ => found.to_owned(),
    };
    format!("{before}expected {expected}, found {found}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_word_is_taken_out_of_serdes_words() {
        let expected = Some(("treees".to_owned(), vec!["trees".to_owned(), "depth".to_owned()]));
        assert_eq!(unknown_word("unknown field `treees`, expected one of `trees`, `depth`"), expected);
        assert_eq!(unknown_word("family `f`: unknown field `treees`, expected `trees` or `depth`"), expected);
        assert_eq!(unknown_word("invalid type: string"), None);
        assert_eq!(unknown_word("parameter `trees`, expected 1..=9"), None);
    }

    #[test]
    fn serdes_types_are_said_in_words_of_yaml() {
        let cases = [
            ("invalid type: string \"a\", expected usize", "expected a whole number of at least 0, found the text `a`"),
            ("f: invalid value: integer `-3`, expected i32", "f: expected a whole number, found the number -3"),
            ("invalid type: floating point `0.5`, expected i64", "expected a whole number, found the number 0.5"),
            ("invalid type: map, expected a sequence", "expected a list, found a mapping"),
            ("missing field `kind`", "missing field `kind`"),
        ];
        for (serde, plain) in cases {
            assert_eq!(in_plain_words(serde), plain);
        }
    }
}
