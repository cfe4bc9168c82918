//! The families by name, and their parameters as a user writes them.

use schemars::{JsonSchema, Schema};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use super::boosting::{BoostingConfig, BoostingModel};
use super::ensemble::{EnsembleConfig, EnsembleModel};
use super::error::ModelError;
use super::family::{Estimator, Family, Fitted, Fitting, Predictor, Weights};
use super::forest::{ExtraTreesConfig, ForestConfig, ForestModel};
use super::linear::{LinearConfig, LinearModel};
use super::logistic::{LogisticConfig, LogisticModel};
use super::naive_bayes::{NaiveBayesConfig, NaiveBayesModel};
use super::parameter::ParameterWord;
use super::training_set::Task;

/// Families of the design that do not exist yet; asking for one is not a spelling mistake.
const NOT_BUILT: &[&str] = &["lstm", "gru", "novelty"];

const BOTH: &[Task] = &[Task::Classification, Task::Regression];

/// Other names of families: what people call a family with one parameter set.
const ALIASES: &[Alias] = &[
    Alias { name: "xgboost", family: "gradient-boosting", parameter: "growth", word: "depth" },
    Alias { name: "lightgbm", family: "gradient-boosting", parameter: "growth", word: "leaf" },
];

struct Alias {
    name: &'static str,
    family: &'static str,
    parameter: &'static str,
    word: &'static str,
}

impl Alias {
    /// The parameters with the one that the name stands for.
    fn spelt_out(&self, params: &Value) -> Result<Value, ModelError> {
        let mut params = params.clone();
        if params.is_null() {
            params = Value::Object(Map::new());
        }
        // anything but a mapping is refused by the reader of the family
        if let Some(fields) = params.as_object_mut() {
            let said = fields.entry(self.parameter).or_insert_with(|| self.word.into());
            if said != self.word {
                let Self { name: alias, family, parameter, word } = self;
                return Err(ModelError::Alias { alias, family, parameter, word, found: said.to_string() });
            }
        }
        Ok(params)
    }
}

/// Declares the families: one row each, from which parameters, models, parsing and storing follow.
macro_rules! families {
    ($(
        #[doc = $doc:literal]
        $family:ident($name:literal): $config:ty => $model:ty,
        tasks $tasks:expr, weights $weights:expr, validates $validates:literal;
    )+) => {
        /// The families that exist.
        pub const FAMILIES: &[Family] = &[$(Family {
            name: $name,
            doc: $doc.trim_ascii(),
            parameters: <$config>::PARAMETERS,
            tasks: $tasks,
            weights: $weights,
            validates: $validates,
        }),+];

        /// A family and its checked parameters. The schema is that of a user's text, where `kind` stands beside the
        /// parameters.
        #[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
        #[schemars(tag = "kind", transform = describe_families)]
        pub enum ModelConfig {
            $(
                #[doc = $doc]
                #[serde(rename = $name)]
                $family($config),
            )+
        }

        impl ModelConfig {
            /// The name of the family.
            pub const fn family(&self) -> &'static str {
                match self {
                    $(Self::$family(_) => $name,)+
                }
            }

            /// Checks the ranges of all parameters.
            ///
            /// # Errors
            /// The first parameter outside its range.
            pub fn check(&self) -> Result<(), ModelError> {
                match self {
                    $(Self::$family(config) => config.check(),)+
                }
            }

            /// Says whether these parameters need a validation set, because they stop early.
            pub fn wants_validation(&self) -> bool {
                match self {
                    $(Self::$family(config) => config.wants_validation(),)+
                }
            }

            /// The same parameters with a fixed number of rounds in place of early stopping; `None` for a family without
            /// rounds.
            pub fn with_rounds(&self, rounds: usize) -> Option<Self> {
                match self {
                    $(Self::$family(config) => config.with_rounds(rounds).map(Self::$family),)+
                }
            }

            /// Every parameter with its value, defaults included.
            ///
            /// # Errors
            /// None for parameters that were checked.
            pub fn parameters(&self) -> Result<Value, serde_json::Error> {
                match self {
                    $(Self::$family(config) => serde_json::to_value(config),)+
                }
            }

            /// Reads the parameters of a family, or `None` where there is no such family.
            fn read(kind: &str, params: &Value) -> Option<Result<Self, ModelError>> {
                match kind {
                    $($name => Some(read($name, params).map(Self::$family)),)+
                    _ => None,
                }
            }

            pub(super) fn fit(&self, fitting: Fitting<'_>) -> Result<Model, ModelError> {
                match self {
                    $(Self::$family(config) => config.fit(fitting).map(Model::$family),)+
                }
            }
        }

        /// A fitted predictor.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Model {
            $(
                #[doc = $doc]
                $family($model),
            )+
        }

        impl Model {
            /// The name of the family.
            pub const fn family(&self) -> &'static str {
                match self {
                    $(Self::$family(_) => $name,)+
                }
            }

            pub(super) fn predictor(&self) -> &dyn Predictor {
                match self {
                    $(Self::$family(model) => model,)+
                }
            }

            pub(super) fn serialize_body<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $(Self::$family(model) => model.serialize(serializer),)+
                }
            }

            /// Reads the body of a stored model, or `None` where there is no such family.
            pub(super) fn from_body(family: &str, body: Value) -> Option<Result<Self, ModelError>> {
                match family {
                    $($name => Some(stored(body).map(Self::$family)),)+
                    _ => None,
                }
            }
        }
    };
}

families! {
    /// Logistic regression: log-odds linear in the standardised features, L2 and L1 penalty.
    Logistic("logistic"): LogisticConfig => LogisticModel,
    tasks &[Task::Classification], weights Weights::Repeats, validates false;
    /// Linear regression: the value linear in the standardised features, L2 and L1 penalty.
    Linear("linear"): LinearConfig => LinearModel,
    tasks &[Task::Regression], weights Weights::Repeats, validates false;
    /// Random forest: trees on bootstrap draws and random features, what their leaves say averaged.
    RandomForest("random-forest"): ForestConfig => ForestModel,
    tasks BOTH, weights Weights::Shares, validates false;
    /// Extra trees: a forest whose nodes cut each feature at a point drawn at random.
    ExtraTrees("extra-trees"): ExtraTreesConfig => ForestModel,
    tasks BOTH, weights Weights::Shares, validates false;
    /// Gradient boosting: each tree corrects the sum of those before it.
    GradientBoosting("gradient-boosting"): BoostingConfig => BoostingModel,
    tasks BOTH, weights Weights::Shares, validates true;
    /// Gaussian naive Bayes: each feature speaks for itself, as if the others said nothing.
    NaiveBayes("naive-bayes"): NaiveBayesConfig => NaiveBayesModel,
    tasks &[Task::Classification], weights Weights::Repeats, validates false;
    /// Several families behind one probability: mean, median, vote, weighted, or stacked out of fold.
    Ensemble("ensemble"): EnsembleConfig => EnsembleModel,
    tasks &[Task::Classification], weights Weights::ByMember, validates false;
}

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

impl ParameterWord for ClassWeight {
    const WORDS: &'static [&'static str] = &["none", "balanced"];
}

impl ModelConfig {
    /// Reads the parameters of the family `kind`; absent ones (and a null `params`) take their defaults.
    ///
    /// # Errors
    /// An unknown family, one that is not built, an unknown parameter, a value of the wrong type or out of range.
    pub fn from_json(kind: &str, params: &Value) -> Result<Self, ModelError> {
        if let Some(alias) = ALIASES.iter().find(|alias| alias.name == kind) {
            return Self::from_json(alias.family, &alias.spelt_out(params)?);
        }
        let config = Self::read(kind, params).unwrap_or_else(|| Err(no_family(kind)))?;
        config.check()?;
        Ok(config)
    }

    /// Refuses a task that the family cannot learn.
    ///
    /// # Errors
    /// [`ModelError::Task`], with those that it can.
    pub fn check_task(&self, task: Task) -> Result<(), ModelError> {
        let able = self.row().map_or(&[][..], |family| family.tasks);
        if able.contains(&task) {
            return Ok(());
        }
        let able = able.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        Err(ModelError::Task { family: self.family(), task, able })
    }

    /// The row of the family in [`FAMILIES`].
    pub(super) fn row(&self) -> Option<&'static Family> {
        FAMILIES.iter().find(|family| family.name == self.family())
    }
}

fn no_family(kind: &str) -> ModelError {
    let built = FAMILIES.iter().map(|family| format!("`{}`", family.name)).collect::<Vec<_>>().join(", ");
    let kind = kind.to_owned();
    if NOT_BUILT.contains(&kind.as_str()) {
        ModelError::NotBuilt { kind, built }
    } else {
        ModelError::UnknownFamily { kind, built }
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
    let others: Vec<Value> = ALIASES.iter().filter_map(|alias| alias_schema(alias, schema)).collect();
    if let Some(families) = schema.get_mut("oneOf").and_then(Value::as_array_mut) {
        families.extend(others);
    }
}

/// The schema of a family under another name, without the parameter that the name stands for.
fn alias_schema(alias: &Alias, schema: &Schema) -> Option<Value> {
    let families = schema.get("oneOf")?.as_array()?;
    let mut named = families.iter().find(|family| family["properties"]["kind"]["const"] == alias.family)?.clone();
    named["description"] = format!("`{}` with `{}: {}`.", alias.family, alias.parameter, alias.word).into();
    let properties = named["properties"].as_object_mut()?;
    properties.shift_remove(alias.parameter);
    properties["kind"]["const"] = alias.name.into();
    Some(named)
}

fn read<T: DeserializeOwned + Default>(family: &'static str, params: &Value) -> Result<T, ModelError> {
    if params.is_null() {
        return Ok(T::default());
    }
    serde_json::from_value(params.clone()).map_err(|source| ModelError::Parameters { family, source })
}

fn stored<T: Fitted>(body: Value) -> Result<T, ModelError> {
    let model: T = serde_json::from_value(body).map_err(ModelError::Unreadable)?;
    model.check_stored()?;
    Ok(model)
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
        let error = ModelConfig::from_json("lstm", &Value::Null).unwrap_err();
        assert!(error.to_string().starts_with("model family `lstm` is not built; built are `logistic`, "), "{error}");
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
        assert!(ModelConfig::from_json("random-forest", &json!({"l1": 1.0})).is_err());
    }

    #[test]
    fn other_names_stand_for_a_family_with_one_parameter_set() {
        for alias in ALIASES {
            let meant =
                ModelConfig::from_json(alias.family, &json!({alias.parameter: alias.word, "trees": 7})).unwrap();
            assert_eq!(ModelConfig::from_json(alias.name, &json!({"trees": 7})).unwrap(), meant);
            let twice = json!({"trees": 7, alias.parameter: alias.word});
            assert_eq!(ModelConfig::from_json(alias.name, &twice).unwrap(), meant);
            assert!(ModelConfig::from_json(alias.name, &Value::Null).is_ok());
        }
        let error = ModelConfig::from_json("lightgbm", &json!({"growth": "depth"})).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`lightgbm` is `gradient-boosting` with `growth: leaf`, found `growth: \"depth\"`; write `kind: gradient-boosting`"
        );
    }
}
