//! `registry compare`: two versions by the evaluations that they were deployed with.
//!
//! Each evaluation has rows of its own, so the figures stand beside each other and are not a test: that is what the `evaluate`
//! node is for, which scores the same rows with both.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use crate::artifact::{Payload, Store};
use crate::cli::Session;
use crate::cli::error::CliError;
use crate::cli::render::table;
use crate::registry::{History, ModelVersion, Registry};

#[derive(Debug, Args)]
pub(in crate::cli) struct CompareArgs {
    /// The model.
    model: String,
    /// The slot of one version, or an alias.
    first: String,
    /// The slot of the other, or an alias.
    #[arg(default_value = "champion")]
    second: String,
}

/// What is compared: its name, and where in an evaluation it stands.
const FIGURES: [(&str, &str); 14] = [
    ("rows", "/rows"),
    ("from", "/from"),
    ("to", "/to"),
    ("AUC", "/candidate/roc_auc"),
    ("average precision", "/candidate/average_precision"),
    ("log loss", "/candidate/log_loss"),
    ("Brier", "/candidate/brier"),
    ("Brier skill", "/candidate/brier_skill"),
    ("calibration error", "/candidate/ece"),
    ("MCC", "/candidate/mcc"),
    ("F1", "/candidate/f1"),
    ("mean R kept", "/expectancy/kept_by_candidate/mean_r"),
    ("Sharpe without the model", "/uplift/without_model/returns/sharpe"),
    ("Sharpe with the model", "/uplift/with_model/returns/sharpe"),
];

fn version<'a>(history: &'a History, model: &str, which: &str) -> Result<(u64, &'a ModelVersion), CliError> {
    let slot = which.parse().ok().or_else(|| history.champion(which).map(|champion| champion.slot));
    let found = history.entries.iter().find(|entry| Some(entry.slot) == slot);
    found.and_then(|entry| Some((entry.slot, entry.action.version()?.0))).ok_or_else(|| {
        let slots = history.entries.iter().filter(|entry| entry.action.version().is_some());
        let known: Vec<String> =
            slots.map(|entry| entry.slot.to_string()).chain(history.aliases().into_iter().map(str::to_owned)).collect();
        CliError::Usage(format!("`{which}` is no version of `{model}`; known: {}", known.join(", ")))
    })
}

async fn evaluation(store: &Store, version: &ModelVersion) -> Result<Value, CliError> {
    let artifact = store.get(&version.evaluation).await?;
    let bytes = match &artifact.payload {
        Payload::File(bytes) => Some(bytes),
        Payload::Tree(files) => files.get("evaluation.json"),
        // an evaluation is never so large
        Payload::Large(_) => None,
    };
    // an evaluation of another program version has other figures, and those it lacks are shown as missing
    Ok(bytes.and_then(|bytes| serde_json::from_slice(bytes).ok()).unwrap_or_default())
}

pub(super) async fn compare(
    session: &Session,
    registry: &Registry,
    store: &Store,
    args: &CompareArgs,
) -> Result<ExitCode, CliError> {
    let history = super::history_of(registry, &args.model).await?;
    let (first, one) = version(&history, &args.model, &args.first)?;
    let (second, other) = version(&history, &args.model, &args.second)?;
    let (a, b) = (evaluation(store, one).await?, evaluation(store, other).await?);
    let figures: Vec<(&str, Value, Value)> = FIGURES
        .iter()
        .map(|(name, place)| {
            let of = |evaluation: &Value| evaluation.pointer(place).cloned().unwrap_or_default();
            (*name, of(&a), of(&b))
        })
        .collect();
    let same_rows = a["from"] == b["from"] && a["to"] == b["to"] && a["rows"] == b["rows"];
    let report = json!({
        "model": args.model,
        "first": {"slot": first, "model": one.model.sha256, "state": history.state(first)},
        "second": {"slot": second, "model": other.model.sha256, "state": history.state(second)},
        "same_rows": same_rows,
        "figures": figures.iter().map(|(name, a, b)| json!({"name": name, "first": a, "second": b})).collect::<Vec<_>>(),
    });
    session.print(&report, || {
        let cell = |value: &Value| match value {
            Value::Number(number) if number.is_f64() => format!("{:.4}", number.as_f64().unwrap_or_default()),
            Value::Number(number) => number.to_string(),
            Value::String(text) => text.get(..10).unwrap_or(text).to_owned(),
            _ => "-".to_owned(),
        };
        let heads = [
            format!("slot {first}, {}", one.model.sha256.short()),
            format!("slot {second}, {}", other.model.sha256.short()),
        ];
        let rows = figures.iter().map(|(name, a, b)| vec![(*name).to_owned(), cell(a), cell(b)]);
        let text = table(&["figure", &heads[0], &heads[1]], rows);
        if same_rows {
            return text;
        }
        format!(
            "{text}\n\nEach was evaluated on rows of its own: only `evaluate` on the same rows can say which is better."
        )
    })?;
    Ok(ExitCode::SUCCESS)
}
