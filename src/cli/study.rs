//! `walkforward study list | show | importance | export`: files are enough, no server.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

use super::Session;
use super::error::CliError;
use super::render::{moment, short_id, table};
use crate::artifact::{ArtifactRef, ArtifactType, Payload, Scalar, Store, trials_on_record};
use crate::base::{Digest, Timestamp};
use crate::engine::{self, NodeRecord, RunHead};
use crate::node::{StudyRecord, probability};
use crate::registry::SearchNumbers;
use crate::tune::{Trial, TrialState};

#[derive(Debug, Subcommand)]
pub(super) enum StudyCommand {
    /// List studies, newest first.
    List(ListArgs),
    /// Show a study: its best trials, what the holdout says, and how much of it is luck.
    Show(StudyArgs),
    /// Show which parameters mattered, by two measures.
    Importance(StudyArgs),
    /// Write a study into a folder: report with pictures, trials as CSV, returns, the best strategy.
    Export(ExportArgs),
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// How many to list.
    #[arg(long, short = 'n', default_value_t = 20)]
    limit: usize,
}

#[derive(Debug, Args)]
pub(super) struct StudyArgs {
    /// The beginning of the study's id, as `study list` shows it, or `latest`.
    #[arg(default_value = "latest")]
    study: String,
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The beginning of the study's id, as `study list` shows it, or `latest`.
    #[arg(default_value = "latest")]
    study: String,
    /// The folder; files of the same names in it are replaced.
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
}

/// A study and the run that made it.
struct Found {
    run: String,
    at: Timestamp,
    pipeline: String,
    node: NodeRecord,
    reference: ArtifactRef,
}

pub(super) async fn study(session: &Session, command: &StudyCommand) -> Result<ExitCode, CliError> {
    let store = session.existing_store().await?;
    match command {
        StudyCommand::List(args) => list(session, &store, args).await,
        StudyCommand::Show(args) => show(session, &store, &args.study).await,
        StudyCommand::Importance(args) => importance(session, &store, &args.study).await,
        StudyCommand::Export(args) => export(session, &store, args).await,
    }
}

/// Studies from the newest run to the oldest, each once: where it was made, not where it was reused.
async fn studies(store: &Store, enough: impl Fn(&[Found]) -> bool) -> Result<Vec<Found>, CliError> {
    let mut found: Vec<Found> = Vec::new();
    for RunHead { start, .. } in engine::run_heads(store, usize::MAX).await? {
        if enough(&found) {
            break;
        }
        let Some(view) = engine::read_run(store, &start.run).await? else { continue };
        for node in view.nodes {
            let output = node.outputs.get("study").filter(|output| output.kind == ArtifactType::Study).cloned();
            let made_here = node.made_by.as_ref().is_none_or(|run| *run == start.run);
            let Some(reference) = output.filter(|_| made_here) else { continue };
            if found.iter().all(|other| other.reference.sha256 != reference.sha256) {
                let (run, pipeline) = (start.run.clone(), start.pipeline.clone());
                found.push(Found { run, at: start.at, pipeline, node, reference });
            }
        }
    }
    Ok(found)
}

/// The study that an id, the beginning of one, or `latest` means.
async fn find(session: &Session, store: &Store, id: &str) -> Result<(Found, StudyRecord), CliError> {
    let latest = id == "latest";
    let mut found = studies(store, |found| latest && !found.is_empty()).await?;
    if latest {
        found.truncate(1);
    } else {
        found.retain(|found| found.reference.sha256.to_string().starts_with(id));
    }
    let study = match found.len() {
        1 => found.remove(0),
        0 if latest => {
            return Err(CliError::Usage(format!(
                "no study in {}: run an `optimize-parameters` node first",
                session.store
            )));
        }
        0 => {
            let message = format!("no study `{id}` in {}; `walkforward study list` lists them", session.store);
            return Err(CliError::Usage(message));
        }
        several => return Err(CliError::Usage(format!("{several} studies begin with `{id}`: write more of the id"))),
    };
    let artifact = store.get(&study.reference).await?;
    let Payload::File(bytes) = &artifact.payload else {
        return Err(CliError::Usage(format!("the study `{id}` is no single file")));
    };
    let record = StudyRecord::read(bytes).map_err(|error| CliError::Usage(format!("study `{id}`: {error}")))?;
    Ok((study, record))
}

fn cell(node: &NodeRecord, name: &str) -> String {
    match node.values.get(name) {
        Some(Scalar::Float(number)) => format!("{number:.3}"),
        Some(other) => other.to_string(),
        None => "-".to_owned(),
    }
}

async fn list(session: &Session, store: &Store, args: &ListArgs) -> Result<ExitCode, CliError> {
    let mut found = studies(store, |found| found.len() >= args.limit).await?;
    found.truncate(args.limit);
    let report: Vec<_> = found
        .iter()
        .map(|study| {
            json!({
                "study": study.reference.sha256, "run": study.run, "pipeline": study.pipeline,
                "node": study.node.node, "at": study.at, "values": study.node.values,
            })
        })
        .collect();
    session.print(&report, || {
        if found.is_empty() {
            return format!("No studies in {}.", session.store);
        }
        let rows = found.iter().map(|study| {
            let node = &study.node;
            let mut row = vec![
                study.reference.sha256.short(),
                format!("{}:{}", study.pipeline, node.node),
                short_id(&study.run).to_owned(),
                moment(study.at),
            ];
            row.extend(["trials", "best_value", "holdout_value"].map(|name| cell(node, name)));
            let chance = |name: &str| node.values.get(name).and_then(|value| value.to_json().as_f64());
            row.extend(["pbo", "dsr"].map(|name| probability(chance(name))));
            row
        });
        table(&["study", "node", "run", "made", "trials", "best", "holdout", "PBO", "DSR"], rows)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// What `study show` prints as JSON: the record, and what only the store knows.
#[derive(Serialize)]
struct Shown<'a> {
    study: Digest,
    run: &'a str,
    pipeline: &'a str,
    node: &'a str,
    /// Trials of all studies of the same data and metric.
    trials_on_record: u64,
    /// The deflated Sharpe ratio for all of them.
    dsr_on_record: Option<f64>,
    record: &'a StudyRecord,
}

/// Trials that are shown.
const BEST_SHOWN: usize = 5;

async fn show(session: &Session, store: &Store, id: &str) -> Result<ExitCode, CliError> {
    let (study, record) = find(session, store, id).await?;
    let on_record = trials_on_record(store, record.search).await?;
    let numbers = SearchNumbers {
        moments: record.overfitting.moments,
        trial_variance: record.overfitting.trial_variance,
        own_trials: record.overfitting.trials as u64,
        all_trials: on_record,
        ..SearchNumbers::default()
    };
    let shown = Shown {
        study: study.reference.sha256,
        run: &study.run,
        pipeline: &study.pipeline,
        node: &study.node.node,
        trials_on_record: on_record,
        dsr_on_record: numbers.deflated_sharpe(),
        record: &record,
    };
    session.print(&shown, || {
        let head = format!(
            "{} · {}:{} · run {} · {}\n{}",
            shown.study.short(),
            study.pipeline,
            study.node.node,
            short_id(&study.run),
            moment(study.at),
            record.summary()
        );
        let mut luck: Vec<Vec<String>> = record.luck().into_iter().map(Vec::from).collect();
        if on_record > numbers.own_trials {
            let dsr = probability(shown.dsr_on_record);
            let meaning = format!("DSR for all {on_record} trials on record of this data and metric");
            luck.insert(2, vec!["DSR, on record".to_owned(), dsr, meaning]);
        }
        let mut text = format!("{head}\n\n{}\n\n{}", best_table(&record), table(&["luck", "", ""], luck));
        for warning in record.warnings() {
            text.push_str(&format!("\n! {warning}"));
        }
        text
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The best complete trials side by side: parameters are rows, trials are columns.
fn best_table(record: &StudyRecord) -> String {
    let mut best: Vec<&Trial> = record.trials.iter().filter(|trial| trial.state == TrialState::Complete).collect();
    let loss = |trial: &Trial| trial.value.map_or(f64::INFINITY, |value| record.direction.loss(value));
    best.sort_by(|a, b| loss(a).total_cmp(&loss(b)).then(a.number.cmp(&b.number)));
    best.truncate(BEST_SHOWN);
    let metric = record.objective.metric.name().to_owned();
    let header: Vec<String> = std::iter::once("best trials".to_owned())
        .chain(best.iter().map(|trial| format!("#{}", trial.number)))
        .collect();
    let line = |name: String, of: &dyn Fn(&Trial) -> String| {
        std::iter::once(name).chain(best.iter().map(|trial| of(trial))).collect::<Vec<String>>()
    };
    let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.3}"));
    let mut rows = vec![line(metric, &|trial| number(trial.value))];
    for name in ["train", "trades"] {
        rows.push(line(name.to_owned(), &|trial| {
            let found = trial.attributes.get(name).copied();
            if name == "trades" { found.map_or("-".to_owned(), |count| format!("{count:.0}")) } else { number(found) }
        }));
    }
    for [name, ..] in record.parameters() {
        rows.push(line(name.clone(), &|trial| StudyRecord::shown(trial, &name)));
    }
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    table(&header, rows)
}

async fn importance(session: &Session, store: &Store, id: &str) -> Result<ExitCode, CliError> {
    let (_, record) = find(session, store, id).await?;
    session.print(&record.importance, || {
        let mut text =
            table(&["parameter", "best", "fANOVA", "PED-ANOVA"], record.parameters().into_iter().map(Vec::from));
        text.push_str(
            "\n\nfANOVA: share of the variance of all scores. PED-ANOVA: share of what sets the best tenth apart.",
        );
        for warning in record.warnings() {
            text.push_str(&format!("\n! {warning}"));
        }
        text
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn export(session: &Session, store: &Store, args: &ExportArgs) -> Result<ExitCode, CliError> {
    let (study, record) = find(session, store, &args.study).await?;
    let names =
        [("study", "study.json"), ("best", "best.yaml"), ("trials", "trials.parquet"), ("returns", "returns.parquet")];
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for (port, name) in names {
        let Some(reference) = study.node.outputs.get(port) else { continue };
        if let Payload::File(bytes) = store.get(reference).await?.payload {
            files.push((name.to_owned(), bytes.to_vec()));
        }
    }
    if let Some(report) = study.node.outputs.get("report")
        && let Payload::Tree(parts) = store.get(report).await?.payload
    {
        files.extend(parts.into_iter().map(|(name, bytes)| (name, bytes.to_vec())));
    }
    files.push(("trials.csv".to_owned(), trials_csv(&record).into_bytes()));
    files.sort();
    write(&args.to, &files)
        .map_err(|error| CliError::Usage(format!("cannot write to {}: {error}", args.to.display())))?;
    let written: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    session.print(&json!({"folder": args.to, "files": written}), || {
        format!("{} files in {}: {}", written.len(), args.to.display(), written.join(", "))
    })?;
    Ok(ExitCode::SUCCESS)
}

fn write(folder: &Path, files: &[(String, Vec<u8>)]) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    files.iter().try_for_each(|(name, bytes)| std::fs::write(folder.join(name), bytes))
}

/// A row a trial: number, state, score, every fold, every parameter; empty where there is nothing.
fn trials_csv(record: &StudyRecord) -> String {
    let folds = record.layout.folds.len();
    let names: Vec<&str> = record.space.parameters().iter().map(|parameter| parameter.name.as_str()).collect();
    let mut header = vec!["number".to_owned(), "state".to_owned(), record.objective.metric.name().to_owned()];
    header.extend((0..folds).map(|fold| format!("fold_{fold}")));
    header.extend(names.iter().map(|name| (*name).to_owned()));
    let number = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    let mut text = header.join(",") + "\n";
    for trial in &record.trials {
        let state = json!(trial.state).as_str().unwrap_or_default().to_owned();
        let mut row = vec![trial.number.to_string(), state, number(trial.value)];
        row.extend((0..folds).map(|fold| number(trial.fold_values.get(fold).copied().flatten())));
        row.extend(names.iter().map(|name| match trial.params.get(*name).map(|value| value.to_json()) {
            None => String::new(),
            Some(serde_json::Value::String(word)) => quoted(&word),
            Some(other) => other.to_string(),
        }));
        text.push_str(&row.join(","));
        text.push('\n');
    }
    text
}

/// A word as a field of CSV (RFC 4180).
fn quoted(word: &str) -> String {
    if word.contains([',', '"', '\n']) { format!("\"{}\"", word.replace('"', "\"\"")) } else { word.to_owned() }
}
