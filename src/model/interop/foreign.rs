//! Models that another library has fitted, read as boosted models of ours.

use std::collections::{BTreeMap, BTreeSet};

use hessboost::model::{BoostedModel, ModelFormat};
use serde_json::{Value, json};

use super::error::InteropError;
use super::plain::{Link, boosting};
use crate::model::{MODEL_FORMAT_VERSION, Model};

/// Name and meaning of the formats that are read.
pub const IMPORT_FORMATS: &[(&str, &str)] = &[
    ("xgboost", "XGBoost JSON, as `Booster.save_model(\"model.json\")` writes it"),
    ("lightgbm", "LightGBM text v4, as `Booster.save_model(\"model.txt\")` writes it"),
];

/// A model of another library.
#[derive(Clone, Debug, PartialEq)]
pub struct ForeignModel {
    /// The model.
    pub model: Model,
    /// Which format it was in.
    pub format: &'static str,
    /// Its features in order, as they are called here.
    pub features: Vec<String>,
}

/// Reads a model; the format is seen from the bytes.
///
/// `names` are given for a file that names no features, in order; `rename` gives features of the file the name they have
/// here.
///
/// # Errors
/// Bytes of no known format; a model that ours cannot say (several outputs, categories, another objective than a
/// probability or a plain value, random-forest mode); names that are missing, of another number or twice the same; a
/// feature to rename that the model does not have.
pub fn read_foreign(
    bytes: &[u8],
    names: Option<&[String]>,
    rename: &BTreeMap<String, String>,
) -> Result<ForeignModel, InteropError> {
    let (format, document, own) = if bytes.trim_ascii_start().starts_with(b"{") {
        xgboost(bytes)?
    } else if bytes.trim_ascii_start().starts_with(b"tree") {
        lightgbm(bytes)?
    } else {
        let problem =
            "expected XGBoost JSON, which begins with `{`, or LightGBM text, which begins with `tree`; a pickle or \
                       binary file is not read: save the model as text"
                .to_owned();
        return Err(InteropError::Foreign { format: "xgboost or lightgbm", problem });
    };
    let plain = boosting(&document).map_err(|problem| InteropError::Foreign { format, problem })?;
    let features = features(plain.columns, own, names, rename)?;
    let task = match plain.link {
        Link::Logistic => "classification",
        Link::Identity => "regression",
    };
    let mut body = json!({"xgboost": document});
    if task == "regression" {
        body["task"] = task.into();
    }
    let stored = json!({
        "format": "walkforward.model", "version": MODEL_FORMAT_VERSION, "family": "gradient-boosting", "body": body,
    });
    let bytes = serde_json::to_vec(&stored).map_err(|error| foreign(format, error))?;
    let model = Model::from_json(&bytes).map_err(|error| foreign(format, chain(&error)))?;
    Ok(ForeignModel { model, format, features })
}

fn foreign(format: &'static str, problem: impl ToString) -> InteropError {
    InteropError::Foreign { format, problem: problem.to_string() }
}

/// An error with what led to it: here it becomes one line.
fn chain(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {}", chain(source)))
}

type Read = (&'static str, Value, Vec<String>);

fn xgboost(bytes: &[u8]) -> Result<Read, InteropError> {
    let document: Value = serde_json::from_slice(bytes).map_err(|error| foreign("xgboost", error))?;
    if document["format"] == "walkforward.model" {
        return Err(foreign("xgboost", "this is a model of walkforward, which needs no import"));
    }
    if !document["learner"].is_object() {
        return Err(foreign("xgboost", "it has no `learner`: save it with `Booster.save_model(\"model.json\")`"));
    }
    let names = document["learner"]["feature_names"].as_array();
    let names = names.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    Ok(("xgboost", document, names))
}

fn lightgbm(bytes: &[u8]) -> Result<Read, InteropError> {
    let format = "lightgbm";
    let text = std::str::from_utf8(bytes).map_err(|error| foreign(format, error))?;
    let booster = BoostedModel::decode(bytes.to_vec(), ModelFormat::LightgbmText);
    let booster = booster.map_err(|error| foreign(format, error))?;
    let document = booster.encode(ModelFormat::XgboostJson).map_err(|error| foreign(format, error))?;
    let document = serde_json::from_slice(&document).map_err(|error| foreign(format, error))?;
    let line = text.lines().find_map(|line| line.strip_prefix("feature_names="));
    let names = line.into_iter().flat_map(str::split_whitespace).map(str::to_owned).collect();
    Ok((format, document, names))
}

fn features(
    columns: usize,
    own: Vec<String>,
    names: Option<&[String]>,
    rename: &BTreeMap<String, String>,
) -> Result<Vec<String>, InteropError> {
    let found = names.map_or(own, <[String]>::to_vec);
    if found.len() != columns {
        return Err(InteropError::Names { columns, found: found.len() });
    }
    if let Some(name) = rename.keys().find(|name| !found.contains(name)) {
        return Err(InteropError::Rename { name: name.clone(), known: found.join(", ") });
    }
    let renamed: Vec<String> = found.into_iter().map(|name| rename.get(&name).cloned().unwrap_or(name)).collect();
    let mut seen = BTreeSet::new();
    match renamed.iter().find(|name| !seen.insert(name.as_str())) {
        Some(name) => Err(InteropError::SameName { name: name.clone() }),
        None => Ok(renamed),
    }
}
