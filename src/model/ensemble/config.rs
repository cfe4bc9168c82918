//! Ensembles as a user writes them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::base::schema;
use crate::model::config::{FAMILIES, ModelConfig};
use crate::model::error::ModelError;
use crate::model::parameter::Parameter;

/// Most members of an ensemble.
pub const MAX_MEMBERS: usize = 16;

/// The family's own name: ensembles of ensembles are refused.
const FAMILY: &str = "ensemble";

/// How members become one probability.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Combine {
    /// Weighted mean, by `weights` or by out-of-fold log loss.
    Weighted,
    /// Mean.
    #[default]
    Mean,
    /// Median.
    Median,
    /// Share of the members that say 0.5 or more.
    Vote,
    /// Logistic regression on the members' log-odds, fitted out of fold.
    Stack,
}

/// What is said when members disagree too much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fallback {
    /// The share of class 1 in the training rows: what is known without a model.
    #[default]
    BaseRate,
    /// The member with the least out-of-fold log loss; the first one before there is any.
    Best,
    /// The lowest probability of any member.
    Minimum,
}

/// How members are put together, without the members.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Combination {
    /// How members become one probability.
    pub combine: Combine,
    /// Fixed weights of `weighted`, one a member.
    pub weights: Option<Vec<f64>>,
    /// Least share of members on the ensemble's side of 0.5.
    pub min_agreement: f64,
    /// Largest standard deviation of the members' probabilities.
    pub max_disagreement: Option<f64>,
    /// What is said otherwise.
    pub fallback: Fallback,
}

/// The parameters of the family `ensemble`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EnsembleConfig {
    /// Two to sixteen models, each written as `{kind: logistic}` with its parameters. Unset: a logistic regression and a
    /// random forest.
    #[schemars(transform = without_default)]
    pub members: Members,
    /// How members become one probability.
    pub combine: Combine,
    /// Weights of `combine: weighted`, one a member. Unset: those with the least log loss on out-of-fold predictions.
    pub weights: Option<Vec<f64>>,
    /// Least share of members on the ensemble's side of 0.5; with less, `fallback` speaks.
    #[schemars(range(min = 0, max = 1))]
    pub min_agreement: f64,
    /// Largest standard deviation of the members' probabilities; with more, `fallback` speaks. Unset: any.
    #[schemars(range(min = 0, max = 1))]
    pub max_disagreement: Option<f64>,
    /// What is said when members disagree too much.
    pub fallback: Fallback,
}

/// Takes a default out of a schema that is too long to be read: the words say it.
fn without_default(schema: &mut Schema) {
    schema.remove("default");
}

/// The members of an ensemble.
#[derive(Clone, Debug, PartialEq)]
pub struct Members(pub Vec<ModelConfig>);

impl Default for EnsembleConfig {
    fn default() -> Self {
        let Combination { combine, weights, min_agreement, max_disagreement, fallback } = Combination::default();
        let members = Members(["logistic", "random-forest"].iter().filter_map(|kind| by_default(kind)).collect());
        Self { members, combine, weights, min_agreement, max_disagreement, fallback }
    }
}

fn by_default(kind: &str) -> Option<ModelConfig> {
    ModelConfig::from_json(kind, &Value::Null).ok()
}

impl EnsembleConfig {
    /// Name, default, range and meaning of every parameter.
    pub const PARAMETERS: &'static [Parameter] = &[
        Parameter::other(
            "members",
            "list of models",
            "[{kind: logistic}, {kind: random-forest}]",
            "Two to sixteen models with their parameters.",
        ),
        Parameter::word(
            "combine",
            &["weighted", "mean", "median", "vote", "stack"],
            "mean",
            "How members become one probability.",
        ),
        Parameter::other(
            "weights",
            "list of numbers, one a member",
            "null",
            "Weights of `weighted`; unset: those with the least out-of-fold log loss.",
        ),
        Parameter::other(
            "min_agreement",
            "number from 0 to 1",
            "0",
            "Least share of members on the ensemble's side of 0.5.",
        ),
        Parameter::other(
            "max_disagreement",
            "number from 0 to 1",
            "null",
            "Largest standard deviation of the members' probabilities.",
        ),
        Parameter::word(
            "fallback",
            &["base-rate", "best", "minimum"],
            "base-rate",
            "Who speaks when they disagree more.",
        ),
    ];

    /// Checks members, weights and rules.
    ///
    /// # Errors
    /// The first parameter that makes no sense.
    pub fn check(&self) -> Result<(), ModelError> {
        let refuse = |name, expected, found: String| Err(ModelError::OutOfRange { name, expected, found });
        let members = &self.members.0;
        if !(2..=MAX_MEMBERS).contains(&members.len()) {
            return refuse("members", "2 to 16 models", members.len().to_string());
        }
        if members.iter().any(|member| member.family() == FAMILY) {
            return refuse("members", "families other than `ensemble`", "an ensemble".to_owned());
        }
        members.iter().try_for_each(ModelConfig::check)?;
        if let Some(weights) = &self.weights {
            if self.combine != Combine::Weighted {
                return refuse("weights", "none without `combine: weighted`", format!("{weights:?}"));
            }
            let are_weights = weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0);
            if weights.len() != members.len() || !are_weights || weights.iter().all(|&weight| weight == 0.0) {
                return refuse("weights", "one number a member, none below 0 and one above", format!("{weights:?}"));
            }
        }
        if !(0.0..=1.0).contains(&self.min_agreement) {
            return refuse("min_agreement", "0..=1", self.min_agreement.to_string());
        }
        match self.max_disagreement.filter(|bound| !(0.0..=1.0).contains(bound)) {
            Some(bound) => refuse("max_disagreement", "0..=1", bound.to_string()),
            None => Ok(()),
        }
    }

    /// How members are put together.
    pub fn combination(&self) -> Combination {
        Combination {
            combine: self.combine,
            weights: self.weights.clone(),
            min_agreement: self.min_agreement,
            max_disagreement: self.max_disagreement,
            fallback: self.fallback,
        }
    }
}

impl ModelConfig {
    /// The members of an ensemble; any other model is its own only member.
    pub fn members(&self) -> Vec<Self> {
        match self {
            Self::Ensemble(ensemble) => ensemble.members.0.clone(),
            single => vec![single.clone()],
        }
    }

    /// How the members of an ensemble are put together; `None` for any other model.
    pub fn combination(&self) -> Option<Combination> {
        match self {
            Self::Ensemble(ensemble) => Some(ensemble.combination()),
            _ => None,
        }
    }

    /// Reads a model as a user writes it, `{kind: random-forest, trees: 200}`.
    ///
    /// # Errors
    /// Without `kind`, and what [`ModelConfig::from_json`] refuses.
    pub fn from_choice(mut fields: Map<String, Value>) -> Result<Self, ModelError> {
        match fields.remove("kind") {
            Some(Value::String(kind)) => Self::from_json(&kind, &Value::Object(fields)),
            _ => Err(ModelError::NoKind),
        }
    }

    /// Writes it as [`ModelConfig::from_choice`] reads it, every parameter with its value.
    ///
    /// # Errors
    /// None for parameters that were checked.
    pub fn to_choice(&self) -> Result<Value, serde_json::Error> {
        let mut fields: Map<String, Value> = [("kind".to_owned(), Value::from(self.family()))].into_iter().collect();
        if let Value::Object(rest) = self.parameters()? {
            fields.extend(rest);
        }
        Ok(Value::Object(fields))
    }
}

impl Combination {
    /// Whether it is fitted to predictions of rows that no member had seen.
    pub(in crate::model) fn needs_history(&self) -> bool {
        match self.combine {
            Combine::Stack => true,
            Combine::Weighted => self.weights.is_none(),
            Combine::Mean | Combine::Median | Combine::Vote => false,
        }
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error;
        let written: Result<Vec<Value>, _> = self.0.iter().map(ModelConfig::to_choice).collect();
        written.map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let written = Vec::<Map<String, Value>>::deserialize(deserializer)?;
        let read: Result<Vec<ModelConfig>, _> = written.into_iter().map(ModelConfig::from_choice).collect();
        read.map(Self).map_err(|error| {
            // serde's own words name the field
            std::error::Error::source(&error).map_or_else(|| D::Error::custom(&error), D::Error::custom)
        })
    }
}

impl JsonSchema for Members {
    fn schema_name() -> Cow<'static, str> {
        "Members".into()
    }

    // a member's own parameters are read with the member: written out here they would nest without end
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let families = FAMILIES.iter().filter(|family| family.name != FAMILY);
        let mut kinds = schema::words(families.map(|family| (family.name, &[][..], family.doc)));
        kinds.insert("description".to_owned(), "The family.".into());
        json_schema!({
            "type": "array",
            "minItems": 2,
            "maxItems": MAX_MEMBERS,
            "items": {
                "description": "A model: its family, and the parameters of that family.",
                "type": "object",
                "required": ["kind"],
                "properties": {"kind": kinds},
            },
        })
    }
}
