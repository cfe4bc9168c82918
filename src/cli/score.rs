//! `walkforward score`: signals of the newest bars, by registered models, without a pipeline.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use bytes::Bytes;
use clap::Args;
use serde_json::{Map, Value, json};

use super::Session;
use super::asked_model::{ModelName, registered};
use super::error::CliError;
use super::outside::whole_file;
use super::pipeline_args::environment;
use super::render::table;
use crate::artifact::{Artifact, ArtifactRef, ArtifactType, Ledger, Payload, Scratch, Store};
use crate::base::{CancelToken, Digest, Timestamp};
use crate::engine::find_data_files;
use crate::node::{InputArtifact, NodeContext, NodeError, find_kind};
use crate::registry::{Registry, RegistryClient};
use crate::table::Table;

#[derive(Debug, Args)]
pub(super) struct ScoreArgs {
    /// Registered models, as `signal-quality` or `signal-quality@challenger`, with commas between them. The first one's strategy
    /// gives the signals.
    #[arg(long = "model", required = true, value_delimiter = ',', value_name = "NAME[@ALIAS]")]
    models: Vec<ModelName>,
    /// Bars: a Parquet or CSV file, or a folder of them.
    #[arg(long, value_name = "PATH")]
    bars: String,
    /// Settings of a `score` node, a YAML file: prediction, limits, features, and all else.
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Another value for a setting, as `prediction.mode=filter`; may be given several times, and wins over the file.
    #[arg(long = "set", value_name = "SETTING=VALUE")]
    set: Vec<String>,
    /// Newest sessions to score.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    sessions: Option<u32>,
    /// Only these symbols, with commas between them; default: all.
    #[arg(long, value_delimiter = ',', value_name = "SYMBOL")]
    symbols: Option<Vec<String>>,
    /// End of the data, exclusive: a repeat for a past date sees no later bar and no later model. Default: now.
    #[arg(long, value_name = "DATE")]
    until: Option<Timestamp>,
    /// Write the table, as Parquet, CSV or JSON by the ending of the name.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) async fn score(session: &Session, args: &ScoreArgs) -> Result<ExitCode, CliError> {
    check_ending(args)?;
    let as_of = args.until.unwrap_or_else(super::now);
    let store = session.existing_store().await?;
    let mut inputs = BTreeMap::new();
    let mut settings = settings(args)?;
    for (at, name) in args.models.iter().enumerate() {
        let found = registered(session, &store, name, as_of).await?;
        // the first takes the port that must be there
        let port = if at == 0 { "model".to_owned() } else { format!("model-{}", at + 1) };
        if at == 0 {
            inputs.insert("strategy".to_owned(), found.strategy);
        }
        let id = if name.alias == "champion" { name.model.clone() } else { format!("{}@{}", name.model, name.alias) };
        merge(&mut settings, &["models", &port, "id"], json!(id));
        inputs.insert(port, found.model);
    }
    inputs.insert("bars".to_owned(), bars(session, &args.bars).await?);
    let kind = find_kind("score").ok_or_else(|| CliError::Usage("this program has no kind `score`".to_owned()))?;
    let with = kind.normalise(&Value::Object(settings)).map_err(|error| {
        let path: Vec<String> = error.path.iter().map(step).collect();
        let hint = error.hint.map_or_else(String::new, |hint| format!("; {hint}"));
        CliError::Usage(format!("`{}` of the settings: {}{hint}", path.join("."), error.message))
    })?;
    let context = context(session, store, inputs, as_of);
    let ran = tokio::task::spawn_blocking(move || kind.run(&with, &context)).await;
    let output = ran.map_err(|error| CliError::Usage(error.to_string()))?.map_err(|error| no_scores(&error))?;
    let scores = scores(output.outputs.0.get("scores"))?;
    if let Some(path) = &args.out {
        whole_file::write_bytes(path, &written(path, &scores)?)
            .map_err(|error| CliError::Usage(format!("{}: cannot write: {error}", path.display())))?;
    }
    let report = json!({"as_of": as_of, "values": output.values.0, "scores": rows(&scores)});
    session.print(&report, || {
        let mut text = screen(&scores, &output.summary);
        if let Some(path) = &args.out {
            text.push_str(&format!("\nwritten {}\n", path.display()));
        }
        text
    })?;
    Ok(ExitCode::SUCCESS)
}

fn step(step: &crate::node::PathStep) -> String {
    match step {
        crate::node::PathStep::Key(key) => key.clone(),
        crate::node::PathStep::Index(at) => at.to_string(),
    }
}

fn no_scores(error: &NodeError) -> CliError {
    let words = error.to_string().replace("end of the data window", "end of the data (`--until`)");
    CliError::Usage(format!("nothing was scored: {words}"))
}

fn check_ending(args: &ScoreArgs) -> Result<(), CliError> {
    let Some(path) = &args.out else { return Ok(()) };
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("parquet" | "csv" | "json") => Ok(()),
        _ => Err(CliError::Usage(format!(
            "`--out {}`: expected a name that ends in `.parquet`, `.csv` or `.json`",
            path.display()
        ))),
    }
}

/// The settings of the file, and over them those of the call.
fn settings(args: &ScoreArgs) -> Result<Map<String, Value>, CliError> {
    let mut settings = Map::new();
    if let Some(path) = &args.settings {
        let refuse = |problem: String| CliError::Usage(format!("--settings {}: {problem}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
        let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
        let tree: Value =
            serde_saphyr::from_str_with_options(&text, options).map_err(|error| refuse(error.to_string()))?;
        match tree {
            Value::Object(fields) => settings = fields,
            Value::Null => {}
            _ => return Err(refuse("expected a mapping of settings, as under `with` of a `score` node".to_owned())),
        }
    }
    for word in &args.set {
        let (name, value) = word.split_once('=').ok_or_else(|| {
            CliError::Usage(format!("`--set {word}`: expected SETTING=VALUE, as `--set prediction.mode=filter`"))
        })?;
        let path: Vec<&str> = name.trim().split('.').collect();
        merge(&mut settings, &path, serde_json::from_str(value).unwrap_or_else(|_| Value::from(value)));
    }
    if let Some(sessions) = args.sessions {
        merge(&mut settings, &["sessions"], json!(sessions));
    }
    if let Some(symbols) = &args.symbols {
        merge(&mut settings, &["universe", "symbols"], json!(symbols));
    }
    Ok(settings)
}

/// Sets a value at a path, making the mappings on the way.
pub(super) fn merge(fields: &mut Map<String, Value>, path: &[&str], value: Value) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        fields.insert((*first).to_owned(), value);
        return;
    }
    let below = fields.entry((*first).to_owned()).or_insert_with(|| Value::Object(Map::new()));
    if !below.is_object() {
        *below = Value::Object(Map::new());
    }
    if let Value::Object(below) = below {
        merge(below, rest, value);
    }
}

async fn bars(session: &Session, path: &str) -> Result<InputArtifact, CliError> {
    let mut tree = BTreeMap::new();
    for found in find_data_files(path, &session.access.nowhere()).await.map_err(CliError::DataFile)? {
        tree.insert(found.name.clone(), found.read().await.map_err(CliError::DataFile)?);
    }
    let names: Vec<&[u8]> = tree.keys().map(|name| name.as_bytes()).collect();
    let bytes = tree.values().map(|bytes| bytes.len() as u64).sum();
    // nothing is stored under it, and nothing asks for it
    let sha256 = Digest::of(&names.concat());
    let reference = ArtifactRef { kind: ArtifactType::Bars, sha256, bytes, files: BTreeMap::new() };
    Ok(InputArtifact { reference, artifact: Artifact::tree(ArtifactType::Bars, tree) })
}

fn context(session: &Session, store: Store, inputs: BTreeMap<String, InputArtifact>, as_of: Timestamp) -> NodeContext {
    let runtime = tokio::runtime::Handle::current();
    let quiet = session.json;
    NodeContext {
        inputs,
        many: BTreeMap::new(),
        files: BTreeMap::new(),
        environment: environment(),
        as_of,
        cancel: CancelToken::new(),
        progress: Arc::new(|_, _, _| {}),
        log: Arc::new(move |line: &str| {
            if !quiet {
                super::say(line);
            }
        }),
        registry: RegistryClient::new(
            Registry::new(store.clone()),
            runtime.clone(),
            super::clock(),
            "command line",
            super::new_id(),
        ),
        ledger: Ledger::new(store.clone(), runtime.clone()),
        scratch: Scratch::new(store, runtime, Digest::of(b"score")),
    }
}

fn scores(artifact: Option<&Artifact>) -> Result<Table, CliError> {
    let bytes = match artifact.map(|artifact| &artifact.payload) {
        Some(Payload::File(bytes)) => bytes.clone(),
        _ => Bytes::new(),
    };
    Table::from_parquet(bytes).map_err(|error| CliError::Usage(error.to_string()))
}

fn written(path: &Path, scores: &Table) -> Result<Bytes, CliError> {
    let fault = |error: String| CliError::Usage(error);
    Ok(match path.extension().and_then(|ending| ending.to_str()) {
        Some("csv") => Bytes::from(scores.to_csv(|time| time.to_string())),
        Some("json") => {
            let mut text = serde_json::to_vec_pretty(&rows(scores)).map_err(|error| fault(error.to_string()))?;
            text.push(b'\n');
            text.into()
        }
        _ => scores.to_parquet().map_err(|error| fault(error.to_string()))?,
    })
}

/// The rows as JSON, one mapping each.
fn rows(scores: &Table) -> Vec<Value> {
    use crate::table::Values;
    let cell = |values: &Values, row: usize| match values {
        Values::Float(values) => json!(Some(values[row]).filter(|value| value.is_finite())),
        Values::Int(values) => json!(values[row]),
        Values::Text(values) => json!(values[row]),
        Values::Bool(values) => json!(values[row]),
        Values::Time(values) => json!(Timestamp::from_micros(values[row])),
    };
    let row = |at: usize| {
        let fields = scores.columns().iter().map(|column| (column.name.clone(), cell(&column.values, at)));
        Value::Object(fields.collect())
    };
    (0..scores.rows()).map(row).collect()
}

/// The table for people: the columns that a decision is made by.
fn screen(scores: &Table, summary: &str) -> String {
    const SHOWN: [(&str, &str); 10] = [
        ("symbol", "symbol"),
        ("ts", "day"),
        ("side", "side"),
        ("score", "score"),
        ("ml_prob", "probability"),
        ("ml_decision", "decision"),
        ("ml_reason", "why"),
        ("close", "close"),
        ("stop", "stop"),
        ("source", "source"),
    ];
    let header: Vec<&str> = SHOWN.iter().map(|(_, title)| *title).collect();
    let lines = rows(scores).into_iter().map(|row| {
        let word = |name: &str| match &row[name] {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.as_f64().map_or_else(String::new, |value| format!("{value:.3}")),
            _ => "-".to_owned(),
        };
        let mut cells: Vec<String> = SHOWN.iter().map(|(name, _)| word(name)).collect();
        if row["novel"] == Value::Bool(true) {
            cells[6].push_str(", novel");
        }
        cells
    });
    match scores.rows() {
        0 => summary.to_owned(),
        _ => format!("{}\n\n{summary}", table(&header, lines)),
    }
}
