//! Models as open, versioned JSON.
//!
//! ```json
//! {"format": "walkforward.model", "version": 1, "family": "logistic", "body": {...}}
//! ```
//!
//! | version | body |
//! |---|---|
//! | 1 | `logistic`: `transform` (`median`, `mean`, `scale`), `coefficients`, `intercept`, `gradient_norm`, `iterations`; `random-forest`: `columns`, `importance`, `out_of_bag`, `trees` (parallel columns `feature`, `value`, `right`, `missing_left`, in preorder), `task` in a regression; `extra-trees`: as `random-forest`; `linear`: `transform`, `coefficients`, `intercept`; `gradient-boosting`: `xgboost`, a model as XGBoost 3 writes it, `task` in a regression; `naive-bayes`: `prior`, `features` (`centre`, `scale`, mean and deviation of `zeros` and `ones` in those units) |
//!
//! Numbers are written with as many digits as read back to the same bits. The version is looked at before anything else,
//! so that a newer file is refused for its version and not for a field that moved. A body that contradicts itself (lengths,
//! features, a tree that loops) is refused when it is read, so that prediction need not check.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::config::Model;
use super::error::ModelError;

/// The version written, and the only one read.
pub const MODEL_FORMAT_VERSION: u32 = 1;

const FORMAT: &str = "walkforward.model";

#[derive(Serialize)]
struct Written<'a> {
    format: &'static str,
    version: u32,
    family: &'static str,
    body: Body<'a>,
}

struct Body<'a>(&'a Model);

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize_body(serializer)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    format: String,
    /// Looked at before the rest is read; here so that a file without one is refused.
    #[serde(rename = "version")]
    _version: u32,
    family: String,
    body: Value,
}

impl Model {
    /// Writes the model as JSON; the same model gives the same bytes.
    ///
    /// # Errors
    /// A number that JSON cannot hold, which a fitted model does not contain.
    pub fn to_json(&self) -> Result<Vec<u8>, ModelError> {
        serde_json::to_vec(self).map_err(ModelError::Unreadable)
    }

    /// Reads a model back.
    ///
    /// # Errors
    /// Not JSON, not a model, another format version, a body that contradicts itself.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ModelError> {
        Self::from_value(serde_json::from_slice(bytes).map_err(ModelError::Unreadable)?)
    }

    fn from_value(value: Value) -> Result<Self, ModelError> {
        if let Some(found) = value["version"].as_u64().filter(|&found| found != u64::from(MODEL_FORMAT_VERSION)) {
            return Err(ModelError::FormatVersion { found, expected: MODEL_FORMAT_VERSION });
        }
        let read: Read = serde_json::from_value(value).map_err(ModelError::Unreadable)?;
        if read.format != FORMAT {
            return Err(ModelError::Damaged(format!("expected format `{FORMAT}`, found `{}`", read.format)));
        }
        let unknown = || Err(ModelError::Damaged(format!("unknown family `{}`", read.family)));
        Self::from_body(&read.family, read.body).unwrap_or_else(unknown)
    }
}

impl Serialize for Model {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (format, version, family) = (FORMAT, MODEL_FORMAT_VERSION, self.family());
        Written { format, version, family, body: Body(self) }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Model {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_value(Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
