//! `command`: a program of the user's own as a node: how data is fetched, features are made, models are brought.
//!
//! The program is started directly, without a shell, in an empty working folder, with an empty environment. What it
//! reads is put there, what it must write is declared, and both are artifacts like any other. Its own bytes are part of
//! the fingerprint. Not guaranteed: that the program is deterministic, or that it reads nothing else: it is not in a
//! sandbox.

mod folder;
mod process;
mod word;

use std::collections::BTreeMap;
use std::path::{Component, Path};
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Behaviour, ConfigError, Declared, Descriptor, Executor, Kind, NodeContext, NodeError, NodeFiles, NodeOutput,
    ValueType,
};
use crate::artifact::ArtifactType;
use crate::base::schema;

pub use process::CommandError;
use word::Word;

/// Runs a program of the user's own.
pub struct Command;

/// Where a command writes an output.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OutputFile {
    /// What it is: an artifact type such as `bars`, `strategy`, `signals` or `report`; default `file`.
    #[serde(default = "file_type", rename = "type")]
    #[schemars(schema_with = "type_schema")]
    kind: ArtifactType,
    /// The file or folder that the command writes, relative to its working folder.
    #[schemars(extend("not" = outside()))]
    path: String,
}

/// Paths that lead out of the working folder, or nowhere.
fn outside() -> Value {
    json!({"pattern": r"^$|^/|(^|/)\.\.(/|$)"})
}

/// Keeps the paths of a list in the working folder.
fn paths_inside(files: &mut Schema) {
    if let Some(items) = files.get_mut("items").and_then(Value::as_object_mut) {
        items.insert("not".to_owned(), outside());
    }
}

fn type_schema(_: &mut SchemaGenerator) -> Schema {
    schema::words(ArtifactType::ALL.iter().map(|(_, name, doc)| (*name, &[][..], *doc)))
}

fn file_type() -> ArtifactType {
    ArtifactType::File
}

/// The type of a declared value: `number`, `bool`, `text`, or a list of the words it can be.
#[derive(Clone, Debug, PartialEq)]
pub struct DeclaredValue(ValueType);

impl Serialize for DeclaredValue {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            ValueType::Bool => "bool".serialize(serializer),
            ValueType::Number => "number".serialize(serializer),
            ValueType::Text => "text".serialize(serializer),
            words => words.words().serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for DeclaredValue {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = Value::deserialize(deserializer)?;
        let words = |items: &Vec<Value>| -> Option<Vec<String>> {
            items.iter().map(|item| item.as_str().map(str::to_owned)).collect()
        };
        let kind = match &found {
            Value::String(word) => match word.as_str() {
                "bool" => Some(ValueType::Bool),
                "number" => Some(ValueType::Number),
                "text" => Some(ValueType::Text),
                _ => None,
            },
            Value::Array(items) if !items.is_empty() => words(items).map(ValueType::Declared),
            _ => None,
        };
        let expected = "expected number, bool, text, or a list of words like [good, bad]";
        let found = found.as_str().map_or_else(|| found.to_string(), |word| format!("the text `{word}`"));
        kind.map(Self).ok_or_else(|| serde::de::Error::custom(format!("{expected}, found {found}")))
    }
}

impl JsonSchema for DeclaredValue {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "DeclaredValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [
            {"description": "A number, true or false, or any text.", "enum": ["number", "bool", "text"]},
            {"description": "The words that it can be.", "type": "array", "items": {"type": "string"}, "minItems": 1},
        ]})
    }
}

/// Settings of `command`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandConfig {
    /// The program and its arguments. A name without `/` is looked up on the `PATH` of the caller; a path is relative to
    /// the folder the pipeline is called from. There is no shell: no wildcards, pipes or variables.
    #[schemars(length(min = 1))]
    argv: Vec<Word>,
    /// Files of the project that the program reads (its script, its settings): they are part of the fingerprint and are
    /// copied into the working folder under the same paths.
    #[serde(default)]
    #[schemars(transform = paths_inside)]
    files: Vec<String>,
    /// Environment variables and their values.
    #[serde(default)]
    env: BTreeMap<String, Word>,
    /// Names of environment variables that are passed on from the caller; their values are not recorded.
    #[serde(default)]
    pass_env: Vec<String>,
    /// Output: its type and where the command writes it.
    outputs: BTreeMap<String, OutputFile>,
    /// Value: its type. The command writes them as one JSON object to `values.json` in its working folder.
    #[serde(default)]
    values: BTreeMap<String, DeclaredValue>,
}

impl Kind for Command {
    type Config = CommandConfig;

    const DESCRIPTOR: Descriptor = Descriptor {
        name: "command",
        version: 1,
        doc: "Runs a program of your own; what it reads and writes are artifacts like any other.",
        inputs: &[],
        outputs: &[],
        values: &[],
        behaviour: Behaviour { open_inputs: true, executor: Executor::Thread, ..Behaviour::PURE },
    };

    fn check(config: &CommandConfig) -> Result<(), ConfigError> {
        if config.argv.first().is_none_or(|program| program.0.is_empty()) {
            let refusal = ConfigError::at("argv", "expected a program and its arguments, found an empty list");
            return Err(refusal.hint("write it as [./fetch.py, --days, 30]"));
        }
        const READ: &str = "give a path inside the project: the file is copied into the working folder under that path";
        const WRITTEN: &str = "give a path like `out/bars.parquet`: what is written there is copied into the store";
        let paths = config.files.iter().enumerate().map(|(at, path)| (format!("files.{at}"), path, READ));
        let written =
            config.outputs.iter().map(|(name, output)| (format!("outputs.{name}.path"), &output.path, WRITTEN));
        for (place, path, hint) in paths.chain(written) {
            let inside = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
            if path.is_empty() || !Path::new(path).components().all(inside) {
                let message = format!("expected a path below the working folder, found the text `{path}`");
                return Err(ConfigError::at(&place, message).hint(hint));
            }
        }
        if config.outputs.is_empty() && config.values.is_empty() {
            let refusal = ConfigError::at("outputs", "expected an output or a value, found none");
            return Err(
                refusal.hint("declare what it leaves: outputs: {out: {path: out.txt}}, or values: {rows: number}")
            );
        }
        Ok(())
    }

    fn declared(with: &Value) -> Option<Declared> {
        let entries = |name: &str| with.get(name).and_then(Value::as_object).into_iter().flatten();
        // what is ill-typed here is reported when the config is read
        let kind = |output: &Value| match output.get("type").map(|kind| kind.as_str().unwrap_or_default().parse()) {
            None => ArtifactType::File,
            Some(kind) => kind.unwrap_or(ArtifactType::File),
        };
        let value = |value: &Value| DeclaredValue::deserialize(value).map_or(ValueType::Text, |declared| declared.0);
        Some(Declared {
            outputs: entries("outputs").map(|(name, output)| (name.clone(), kind(output))).collect(),
            values: entries("values").map(|(name, declared)| (name.clone(), value(declared))).collect(),
        })
    }

    fn files(config: &CommandConfig) -> NodeFiles {
        NodeFiles { program: config.argv.first().map(|program| program.0.clone()), others: config.files.clone() }
    }

    fn run(config: &CommandConfig, context: &NodeContext) -> Result<NodeOutput, NodeError> {
        let folder = Arc::new(folder::prepare(config, context)?);
        let last_line = process::run(config, folder.path(), context)?;
        let outputs = folder::collect(config, &folder)?;
        let values = folder::values(config, folder.path())?;
        let summary = last_line.unwrap_or_else(|| format!("{} wrote {} outputs", config.argv[0].0, outputs.0.len()));
        Ok(NodeOutput { outputs, values, summary })
    }
}
