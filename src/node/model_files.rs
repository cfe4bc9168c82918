//! The parts of a model artifact that commands show and exchange, read without those that only nodes need.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use super::{InputArtifact, NodeError};
use crate::model::{Calibrator, Model};

/// A model artifact, for people and for other libraries.
#[derive(Clone, Debug)]
pub struct ModelFiles {
    /// The model.
    pub model: Model,
    /// The map from what it says to a probability.
    pub calibrator: Calibrator,
    /// Its features in order.
    pub features: Vec<String>,
    /// Where it comes from.
    pub manifest: Value,
    /// Out-of-sample metrics.
    pub metrics: Value,
    /// Whether features go through maps of their own before the model reads them.
    pub has_transforms: bool,
}

#[derive(Deserialize)]
struct Schema {
    features: Vec<String>,
}

impl ModelFiles {
    /// Reads a model artifact.
    ///
    /// # Errors
    /// A file that is missing or does not read; a model of other columns than the features.
    pub fn read(input: &InputArtifact) -> Result<Self, NodeError> {
        let files = &input.files()?;
        let model = Model::from_json(file(files, "model.json")?).map_err(NodeError::failed)?;
        let schema: Schema = json(files, "schema.json")?;
        model.check_columns(schema.features.len()).map_err(NodeError::failed)?;
        Ok(Self {
            model,
            calibrator: json(files, "calibration.json")?,
            features: schema.features,
            manifest: json(files, "manifest.json")?,
            metrics: json(files, "metrics.json")?,
            has_transforms: files.contains_key("transforms.json"),
        })
    }
}

fn file<'a>(files: &'a BTreeMap<String, Bytes>, name: &str) -> Result<&'a Bytes, NodeError> {
    files.get(name).ok_or_else(|| NodeError::failed(format!("the model artifact lacks `{name}`")))
}

fn json<T: serde::de::DeserializeOwned>(files: &BTreeMap<String, Bytes>, name: &str) -> Result<T, NodeError> {
    serde_json::from_slice(file(files, name)?)
        .map_err(|error| NodeError::failed(format!("the model artifact's `{name}` does not read: {error}")))
}
