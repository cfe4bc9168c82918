//! `import-model`: a model of XGBoost or LightGBM becomes a model artifact.
//!
//! It has no out-of-fold record: nothing here knows how it was judged. `evaluate` compares it on signals after
//! `trained_until` only, which is why that must be said.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::model_artifact::{FeatureSchema, Predictions, pretty};
use super::signals::Signals;
use super::train::Target;
use super::{
    Behaviour, ConfigError, Descriptor, InputPort, Kind, NodeContext, NodeError, NodeOutput, OutputPort, ValuePort,
    ValueType,
};
use crate::artifact::{Artifact, ArtifactType, Scalar};
use crate::base::Timestamp;
use crate::model::Calibrator;
use crate::model::interop::{Link, PlainModel, read_foreign};
use crate::table::Values;

/// Brings a model of another library in.
pub struct ImportModel;

/// Settings of `import-model`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportModelConfig {
    /// When the last outcome that it learnt from was known. Signals until then count as seen by it.
    trained_until: Timestamp,
    /// Features of the file that are called otherwise here: `{their_name: our_name}`.
    #[serde(default)]
    rename: BTreeMap<String, String>,
    /// Names of its features in order, for a file that names none.
    #[serde(default)]
    features: Option<Vec<String>>,
}

impl Kind for ImportModel {
    type Config = ImportModelConfig;

    const DESCRIPTOR: Descriptor = Descriptor {
        name: "import-model",
        version: 1,
        doc: "Reads a model that XGBoost (JSON) or LightGBM (text) has saved, as a model that other nodes can use.",
        inputs: &[
            InputPort {
                many: false,
                name: "file",
                types: &[ArtifactType::File],
                required: true,
                doc: "the saved model",
            },
            InputPort {
                many: false,
                name: "data",
                types: &[ArtifactType::Signals],
                required: false,
                doc: "signals that it will score: features that they lack are reported now",
            },
        ],
        outputs: &[OutputPort {
            name: "model",
            kind: ArtifactType::Model,
            doc: "the model, without a record of folds",
        }],
        values: &[
            ValuePort { name: "features", kind: ValueType::Number, doc: "features that it reads" },
            ValuePort { name: "trees", kind: ValueType::Number, doc: "trees that it adds up" },
        ],
        behaviour: Behaviour::PURE,
    };

    fn check(config: &ImportModelConfig) -> Result<(), ConfigError> {
        let mut seen = BTreeSet::new();
        match config.rename.values().find(|name| !seen.insert(name.as_str())) {
            Some(name) => Err(ConfigError::at("rename", format!("expected different names, found `{name}` twice"))),
            None => Ok(()),
        }
    }

    fn run(config: &ImportModelConfig, context: &NodeContext) -> Result<NodeOutput, NodeError> {
        let input = context.input("file")?;
        let read = read_foreign(&only_file(input.files()?)?, config.features.as_deref(), &config.rename);
        let read = read.map_err(NodeError::failed)?;
        let PlainModel::Trees(plain) = PlainModel::of(&read.model).map_err(NodeError::failed)? else {
            return Err(NodeError::failed("expected a sum of trees"));
        };
        if plain.link != Link::Logistic {
            let found = "expected a model of a probability (`binary:logistic`, `binary`), found one of a plain value: the nodes \
                         after this one read a probability of a win";
            return Err(NodeError::failed(found));
        }
        if let Some(data) = context.inputs.get("data") {
            Signals::read(data)?.columns_of(&read.features)?;
        }
        let digest = input.reference.sha256;
        let manifest = json!({
            "version": 1,
            "config": {"imported": read.format, "settings": config},
            "data": digest,
            "rows": 0,
            "trained_from": config.trained_until,
            "trained_until": config.trained_until,
            // of no strategy here: no record of folds is ever taken for one of it
            "strategy": "",
        });
        let importance: BTreeMap<&String, f64> = read.features.iter().zip(read.model.importance()).collect();
        let metrics = json!({"version": 1, "imported": read.format, "importance": importance});
        let mut record = Predictions::default().to_table(Target::Win, false);
        for name in &read.features {
            record = record.with(name.clone(), "feature, known at the signal's close", Values::Float(Vec::new()));
        }
        let features = read.features.len();
        let files: [(&str, Bytes); 6] = [
            ("model.json", read.model.to_json().map_err(NodeError::failed)?.into()),
            ("calibration.json", pretty(&Calibrator::None)?),
            ("schema.json", pretty(&FeatureSchema { version: 1, features: read.features })?),
            ("metrics.json", pretty(&metrics)?),
            ("manifest.json", pretty(&manifest)?),
            ("out_of_fold.parquet", record.to_parquet().map_err(NodeError::failed)?),
        ];
        let model = Artifact::tree(ArtifactType::Model, files.map(|(name, bytes)| (name.to_owned(), bytes)).into());
        let trees = plain.trees.len();
        Ok(NodeOutput {
            outputs: [("model", model)].into(),
            values: [("features", Scalar::count(features)), ("trees", Scalar::count(trees))].into(),
            summary: format!("{} model of {trees} trees on {features} features", read.format),
        })
    }
}

/// A source of one file may be a folder of one.
fn only_file(files: BTreeMap<String, Bytes>) -> Result<Bytes, NodeError> {
    let names: Vec<String> = files.keys().cloned().collect();
    let mut files = files.into_values();
    match (files.next(), files.next()) {
        (Some(bytes), None) => Ok(bytes),
        _ => Err(NodeError::failed(format!(
            "expected one file with a model, found {}: {}",
            names.len(),
            names.join(", ")
        ))),
    }
}
