//! The families by name, and their parameters as a user writes them.

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::ModelError;
use super::forest::ForestConfig;
use super::logistic::LogisticConfig;
use super::parameter::Parameter;

/// A model family as users know it.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Its name, as in `kind: logistic`.
    pub name: &'static str,
    /// One line for help and reference.
    pub doc: &'static str,
    /// Its parameters.
    pub parameters: &'static [Parameter],
}

/// The families that exist.
pub const FAMILIES: &[Family] = &[
    Family {
        name: "logistic",
        doc: "Logistic regression: log-odds linear in the standardised features, L2 penalty.",
        parameters: LogisticConfig::PARAMETERS,
    },
    Family {
        name: "random-forest",
        doc: "Random forest: trees on bootstrap draws and random features, probabilities averaged.",
        parameters: ForestConfig::PARAMETERS,
    },
];

/// Families of the design that do not exist yet; asking for one is not a spelling mistake.
const NOT_BUILT: &[&str] =
    &["gradient-boosting", "xgboost", "lightgbm", "extra-trees", "naive-bayes", "lstm", "gru", "ensemble", "novelty"];

/// How the two classes are weighed against each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClassWeight {
    /// As they come: probabilities keep the base rate.
    #[default]
    None,
    /// Both classes get half of the total weight. Raw probabilities then centre on 0.5: calibrate them.
    Balanced,
}

/// A family and its checked parameters. The schema is that of a user's text, where `kind` stands beside the parameters.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(tag = "kind", transform = describe_families)]
pub enum ModelConfig {
    /// Logistic regression.
    Logistic(LogisticConfig),
    /// Random forest.
    RandomForest(ForestConfig),
}

impl ModelConfig {
    /// Reads the parameters of the family `kind`; absent ones (and a null `params`) take their defaults.
    ///
    /// # Errors
    /// An unknown family, one that is not built, an unknown parameter, a value of the wrong type or out of range.
    pub fn from_json(kind: &str, params: &Value) -> Result<Self, ModelError> {
        let config = match kind {
            "logistic" => Self::Logistic(read("logistic", params)?),
            "random-forest" => Self::RandomForest(read("random-forest", params)?),
            _ => {
                let built = FAMILIES.iter().map(|family| format!("`{}`", family.name)).collect::<Vec<_>>().join(", ");
                let kind = kind.to_owned();
                let is_planned = NOT_BUILT.contains(&kind.as_str());
                return Err(if is_planned {
                    ModelError::NotBuilt { kind, built }
                } else {
                    ModelError::UnknownFamily { kind, built }
                });
            }
        };
        config.check()?;
        Ok(config)
    }

    /// The name of the family.
    pub const fn family(&self) -> &'static str {
        match self {
            Self::Logistic(_) => "logistic",
            Self::RandomForest(_) => "random-forest",
        }
    }

    /// Checks the ranges of all parameters.
    ///
    /// # Errors
    /// The first parameter outside its range.
    pub fn check(&self) -> Result<(), ModelError> {
        match self {
            Self::Logistic(config) => config.check(),
            Self::RandomForest(config) => config.check(),
        }
    }
}

/// Puts the words of the table [`FAMILIES`] on the families of a schema.
fn describe_families(schema: &mut Schema) {
    let families = schema.get_mut("oneOf").and_then(Value::as_array_mut);
    for family in families.into_iter().flatten() {
        let row = FAMILIES.iter().find(|row| family["properties"]["kind"]["const"] == row.name);
        if let Some(row) = row {
            family["description"] = row.doc.into();
        }
    }
}

fn read<T: serde::de::DeserializeOwned + Default>(family: &'static str, params: &Value) -> Result<T, ModelError> {
    if params.is_null() {
        return Ok(T::default());
    }
    serde_json::from_value(params.clone()).map_err(|source| ModelError::Parameters { family, source })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_family_of_the_table_reads_with_defaults() {
        for family in FAMILIES {
            assert_eq!(ModelConfig::from_json(family.name, &Value::Null).unwrap().family(), family.name);
            assert_eq!(
                ModelConfig::from_json(family.name, &json!({})).unwrap(),
                ModelConfig::from_json(family.name, &Value::Null).unwrap()
            );
            let defaults = serde_json::to_value(ModelConfig::from_json(family.name, &Value::Null).unwrap()).unwrap();
            let names: Vec<&str> = family.parameters.iter().map(|parameter| parameter.name).collect();
            assert_eq!(defaults[family.name].as_object().unwrap().keys().collect::<Vec<_>>(), names);
        }
    }

    #[test]
    fn a_planned_family_is_told_from_an_unknown_one() {
        let error = ModelConfig::from_json("gradient-boosting", &Value::Null).unwrap_err();
        assert_eq!(
            error.to_string(),
            "model family `gradient-boosting` is not built; built are `logistic`, `random-forest`"
        );
        assert!(matches!(ModelConfig::from_json("oracle", &Value::Null), Err(ModelError::UnknownFamily { .. })));
    }

    #[test]
    fn unknown_and_impossible_parameters_are_refused() {
        let unknown = ModelConfig::from_json("random-forest", &json!({"tree": 3}));
        assert!(matches!(unknown, Err(ModelError::Parameters { family: "random-forest", .. })));
        let error = ModelConfig::from_json("random-forest", &json!({"trees": 0})).unwrap_err();
        assert_eq!(error.to_string(), "parameter `trees` out of range: expected 1..=10_000, found 0");
        let error = ModelConfig::from_json("logistic", &json!({"l2": -1.0})).unwrap_err();
        assert!(matches!(error, ModelError::OutOfRange { name: "l2", .. }));
        // an L1 penalty is not silently ignored
        assert!(ModelConfig::from_json("logistic", &json!({"l1": 1.0})).is_err());
    }
}
