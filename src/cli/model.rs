//! `walkforward model show | export | import`: what a model is, and its exchange with other libraries.

mod show;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::Session;
use super::error::CliError;
use crate::artifact::{ArtifactRef, ArtifactType, Store};
use crate::engine::find_artifact;
use crate::model::Calibrator;
use crate::model::interop::{EXPORT_FORMATS, ExportFormat, IMPORT_FORMATS, export, read_foreign};
use crate::node::{InputArtifact, ModelFiles};
use crate::registry::{EntryAction, Registry};

#[derive(Debug, Subcommand)]
pub(super) enum ModelCommand {
    /// Show a model: what it is, what it was made of, how it was judged, which features it listens to.
    Show(ModelArgs),
    /// Write a model as XGBoost JSON, LightGBM text or ONNX.
    Export(ExportArgs),
    /// Look whether a model that XGBoost or LightGBM saved can be used here, and print the node that brings it in.
    Import(ImportArgs),
}

#[derive(Debug, Args)]
pub(super) struct ModelArgs {
    /// A registered model (its champion), `MODEL@SLOT`, `MODEL@ALIAS`, or at least 8 digits of a digest.
    model: String,
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// A registered model (its champion), `MODEL@SLOT`, `MODEL@ALIAS`, or at least 8 digits of a digest.
    model: String,
    /// The format: xgboost, lightgbm or onnx.
    #[arg(long)]
    format: String,
    /// The file to write; one that is there is not replaced.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Leave the calibration out: the file then says what the model says before it is calibrated.
    #[arg(long)]
    raw: bool,
}

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// What `Booster.save_model` wrote: XGBoost's JSON or LightGBM's text.
    file: PathBuf,
    /// A feature of the file that is called otherwise here.
    #[arg(long, value_name = "THEIRS=OURS")]
    rename: Vec<String>,
    /// Names of the features in order, for a file that names none.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    features: Option<Vec<String>>,
    /// A model whose features are those that signals have: features that it does not read are reported.
    #[arg(long, value_name = "MODEL")]
    like: Option<String>,
}

pub(super) async fn model(session: &Session, command: &ModelCommand) -> Result<ExitCode, CliError> {
    match command {
        ModelCommand::Show(args) => show::show(session, &args.model).await,
        ModelCommand::Export(args) => write(session, args).await,
        ModelCommand::Import(args) => import(session, args).await,
    }
}

/// A model of the store, and what it is called there.
async fn read(session: &Session, store: &Store, asked: &str) -> Result<(ArtifactRef, ModelFiles), CliError> {
    let found = match registered(store, asked).await? {
        Some(found) => Some(found),
        None => find_artifact(store, asked).await?,
    };
    let found = found.ok_or_else(|| {
        CliError::Usage(format!(
            "there is no model `{asked}` in {}: expected a registered model, MODEL@SLOT, MODEL@ALIAS, or at least 8 digits of a digest",
            session.store
        ))
    })?;
    if found.kind != ArtifactType::Model {
        return Err(CliError::Usage(format!("`{asked}` is an artifact of type {}: expected a model", found.kind)));
    }
    let input = InputArtifact { artifact: store.get(&found).await?, reference: found };
    let files = ModelFiles::read(&input).map_err(|error| CliError::Usage(error.to_string()))?;
    Ok((input.reference, files))
}

/// The model that a name of the registry stands for.
async fn registered(store: &Store, asked: &str) -> Result<Option<ArtifactRef>, CliError> {
    let (name, at) = asked.split_once('@').unwrap_or((asked, "champion"));
    let registry = Registry::new(store.clone());
    if !registry.models().await?.iter().any(|model| model == name) {
        return Ok(None);
    }
    let history = registry.history(name).await?;
    let Ok(slot) = at.parse::<u64>() else {
        let champion = history.champion(at).map(|champion| champion.version.model);
        return champion.map(Some).ok_or_else(|| CliError::Usage(format!("nobody holds `{at}` of `{name}`")));
    };
    let entry = history.entries.iter().find(|entry| entry.slot == slot);
    match entry.map(|entry| &entry.action) {
        Some(EntryAction::Promote { version, .. } | EntryAction::Propose { version, .. }) => {
            Ok(Some(version.model.clone()))
        }
        Some(EntryAction::Rollback { .. } | EntryAction::Retire { .. }) => {
            Err(CliError::Usage(format!("slot {slot} of `{name}` names no model: name the slot of a promotion")))
        }
        None => Err(CliError::Usage(format!("`{name}` has no slot {slot}; it has {}", history.entries.len()))),
    }
}

async fn write(session: &Session, args: &ExportArgs) -> Result<ExitCode, CliError> {
    let known = || EXPORT_FORMATS.iter().map(|row| row.1).collect::<Vec<_>>().join(", ");
    let format = ExportFormat::named(&args.format)
        .ok_or_else(|| CliError::Usage(format!("--format: expected one of {}, found `{}`", known(), args.format)))?;
    let store = session.existing_store().await?;
    let (found, files) = read(session, &store, &args.model).await?;
    if files.has_transforms {
        let reason =
            "its features go through `transforms.json` before the model reads them, and exports of that are not built";
        return Err(CliError::Usage(format!("{} cannot be exported: {reason}", args.model)));
    }
    let calibrator = if args.raw { Calibrator::None } else { files.calibrator.clone() };
    let bytes = export(&files.model, &calibrator, &files.features, format).map_err(|error| {
        let hint = match error {
            crate::model::interop::InteropError::Calibration { .. } => ": write `--format onnx`, or add `--raw`",
            _ => "",
        };
        CliError::Usage(format!("{error}{hint}"))
    })?;
    create(&args.to, &bytes)?;
    let report = json!({
        "model": found.sha256, "format": format.name(), "file": args.to, "bytes": bytes.len(),
        "features": files.features, "calibrated": calibrator != Calibrator::None,
    });
    session.print(&report, || {
        let calibration = match (&calibrator, args.raw) {
            (Calibrator::None, true) => "before calibration",
            (Calibrator::None, false) => "which is not calibrated",
            _ => "with its calibration",
        };
        format!(
            "{} ({}, {} features), {calibration}, is in {} as {}: {} bytes.",
            found.sha256.short(),
            files.model.family(),
            files.features.len(),
            args.to.display(),
            format.name(),
            bytes.len()
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

fn create(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    use std::io::Write as _;
    let made = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    made.and_then(|mut file| file.write_all(bytes)).map_err(|error| {
        let hint = match error.kind() {
            std::io::ErrorKind::AlreadyExists => "; remove it, or name another file",
            _ => "",
        };
        CliError::DataFile(format!("{}: {error}{hint}", path.display()))
    })
}

async fn import(session: &Session, args: &ImportArgs) -> Result<ExitCode, CliError> {
    let path = args.file.display();
    let bytes = std::fs::read(&args.file).map_err(|error| CliError::DataFile(format!("{path}: {error}")))?;
    let mut rename = BTreeMap::new();
    for pair in &args.rename {
        let (theirs, ours) = pair
            .split_once('=')
            .ok_or_else(|| CliError::Usage(format!("--rename: expected THEIRS=OURS, found `{pair}`")))?;
        rename.insert(theirs.trim().to_owned(), ours.trim().to_owned());
    }
    let read = read_foreign(&bytes, args.features.as_deref(), &rename)
        .map_err(|error| CliError::Usage(format!("{path}: {error}")))?;
    let missing = match &args.like {
        Some(like) => {
            let store = session.existing_store().await?;
            let known = self::read(session, &store, like).await?.1.features;
            read.features.iter().filter(|name| !known.contains(name)).cloned().collect()
        }
        None => Vec::new(),
    };
    if !missing.is_empty() {
        let list = missing.join(", ");
        return Err(CliError::Usage(format!(
            "{path}: the signals of `{}` lack features that it reads: {list}; where only the name differs, add `--rename THEIRS=OURS`",
            args.like.as_deref().unwrap_or_default()
        )));
    }
    let meaning = IMPORT_FORMATS.iter().find(|row| row.0 == read.format).map_or("", |row| row.1);
    let report = json!({
        "file": args.file, "format": read.format, "family": read.model.family(), "features": read.features,
        "rename": rename, "task": read.model.task(),
    });
    session.print(&report, || {
        let mut settings = vec!["trained_until: 2026-01-01".to_owned()];
        if !rename.is_empty() {
            let pairs: Vec<String> = rename.iter().map(|(theirs, ours)| format!("{theirs}: {ours}")).collect();
            settings.push(format!("rename: {{{}}}", pairs.join(", ")));
        }
        if let Some(features) = &args.features {
            settings.push(format!("features: [{}]", features.join(", ")));
        }
        format!(
            "{path} is {meaning}.\nIt predicts by {} features: {}.\n\nIn a pipeline (say in `trained_until` when the last outcome that it \
             learnt from was known):\n\nsources:\n  theirs: {{path: {path}, schema: file@1}}\nnodes:\n  imported:\n    kind: import-model\n    \
             inputs: {{file: sources.theirs}}\n    with: {{{}}}",
            read.features.len(),
            read.features.join(", "),
            settings.join(", ")
        )
    })?;
    Ok(ExitCode::SUCCESS)
}
