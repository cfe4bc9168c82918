//! `walkforward model show`.

use std::process::ExitCode;

use serde::Serialize;
use serde_json::Value;

use super::read;
use crate::artifact::ArtifactRef;
use crate::cli::Session;
use crate::cli::error::CliError;
use crate::cli::render::table;
use crate::model::Task;
use crate::model::interop::{EXPORT_FORMATS, PlainModel, export};
use crate::node::ModelFiles;

/// Features that are shown; `--json` has all.
const SHOWN: usize = 15;

/// What `--json` prints.
#[derive(Serialize)]
struct Shown<'a> {
    model: &'a ArtifactRef,
    family: &'static str,
    task: Task,
    /// What it is made of, in words.
    size: String,
    calibration: &'a crate::model::Calibrator,
    features: Vec<Feature<'a>>,
    formats: Vec<Format>,
    manifest: &'a Value,
    metrics: &'a Value,
}

#[derive(Serialize)]
struct Feature<'a> {
    name: &'a str,
    importance: f64,
}

/// A format, and why it cannot hold the model if it cannot.
#[derive(Serialize)]
struct Format {
    name: &'static str,
    refused: Option<String>,
}

pub(super) async fn show(session: &Session, asked: &str) -> Result<ExitCode, CliError> {
    let store = session.existing_store().await?;
    let (found, files) = read(session, &store, asked).await?;
    let mut features: Vec<Feature<'_>> = files
        .features
        .iter()
        .zip(files.model.importance())
        .map(|(name, importance)| Feature { name, importance })
        .collect();
    features.sort_by(|a, b| b.importance.total_cmp(&a.importance).then_with(|| a.name.cmp(b.name)));
    let shown = Shown {
        model: &found,
        family: files.model.family(),
        task: files.model.task(),
        size: size(&files),
        calibration: &files.calibrator,
        features,
        formats: formats(&files),
        manifest: &files.manifest,
        metrics: &files.metrics,
    };
    session.print(&shown, || text(&shown))?;
    Ok(ExitCode::SUCCESS)
}

fn size(files: &ModelFiles) -> String {
    match PlainModel::of(&files.model) {
        Ok(PlainModel::Trees(trees)) => {
            let leaves = trees.trees.iter().flat_map(|tree| &tree.nodes).filter(|node| node.split.is_none()).count();
            format!("{} trees, {leaves} leaves", trees.trees.len())
        }
        Ok(PlainModel::Linear(linear)) => format!("{} coefficients", linear.coefficients.len()),
        Err(_) => "-".to_owned(),
    }
}

fn formats(files: &ModelFiles) -> Vec<Format> {
    let refusal = |format| match export(&files.model, &files.calibrator, &files.features, format) {
        _ if files.has_transforms => {
            Some("features go through `transforms.json`; exports of that are not built".to_owned())
        }
        Ok(_) => None,
        Err(error) => Some(error.to_string()),
    };
    EXPORT_FORMATS.iter().map(|(format, name, ..)| Format { name, refused: refusal(*format) }).collect()
}

fn text(shown: &Shown<'_>) -> String {
    let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let calibration = match serde_json::to_value(shown.calibration.kind()) {
        Ok(kind) => word(&kind),
        Err(_) => "-".to_owned(),
    };
    let manifest = shown.manifest;
    let metric = |name: &str| match shown.metrics["out_of_fold"][name].as_f64() {
        Some(number) => format!("{number:.4}"),
        None => "-".to_owned(),
    };
    let facts = [
        ("family", format!("{}, {}", shown.family, shown.task)),
        ("made of", shown.size.clone()),
        ("calibration", calibration),
        (
            "learnt from",
            format!(
                "{} signals, {} to {}",
                manifest["rows"],
                word(&manifest["trained_from"]),
                word(&manifest["trained_until"])
            ),
        ),
        (
            "out of fold",
            format!("AUC {}, log loss {}, Brier {}", metric("roc_auc"), metric("log_loss"), metric("brier")),
        ),
    ];
    let rows = facts.into_iter().map(|(name, value)| vec![name.to_owned(), value]);
    let total = shown.features.len();
    let features =
        shown.features.iter().take(SHOWN).map(|it| vec![it.name.to_owned(), format!("{:.4}", it.importance)]);
    let more =
        if total > SHOWN { format!("\n… and {} more; `--json` has all", total - SHOWN) } else { String::new() };
    let formats = shown.formats.iter().map(|format| {
        vec![format.name.to_owned(), format.refused.as_ref().map_or("yes".to_owned(), |reason| format!("no: {reason}"))]
    });
    format!(
        "model {}\n\n{}\n\n{}{more}\n\n{}",
        shown.model.sha256,
        table(&["", ""], rows),
        table(&["feature", "importance"], features),
        table(&["export", "possible"], formats)
    )
}
