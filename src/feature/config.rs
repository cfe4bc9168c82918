//! Features as a pipeline asks for them: a set by name, or a set with more.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::derived::PER_PERIOD;
use super::set::{FeatureError, FeatureSet, FeatureSpec};
use super::sets::Shipped;
use crate::base::Problem;
use crate::expression::{BAR_COLUMNS, Names, Node, Tree, parse};

/// The set that is used where none is named.
const DEFAULT_SET: &str = "core40";
/// The word for no set: the features of the other settings alone.
const NO_SET: &str = "none";

/// Features of a node: the name of a set, or a mapping.
#[derive(Clone, Debug, PartialEq)]
pub enum Features {
    /// A shipped set.
    Set(String),
    /// A set and what is added to it.
    More(FeatureConfig),
}

/// A feature set and what is added to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeatureConfig {
    /// The set to begin with; `none` for none.
    #[serde(default = "default_set")]
    #[schemars(extend("enum" = set_words()))]
    pub set: String,
    /// Adds return, volatility, distances from mean, high and low, standard score and volume ratio over each of these periods, in
    /// bars; what the set has already is not repeated.
    #[serde(default)]
    pub lookback_periods: Vec<u32>,
    /// Features of your own: an expression by name. It may use the columns of bars and the other expressions by name.
    #[serde(default)]
    pub expressions: BTreeMap<String, String>,
    /// Further columns that the bars carry and expressions may name: exogenous, or of higher time frames.
    #[serde(default)]
    pub columns: Vec<String>,
}

fn default_set() -> String {
    DEFAULT_SET.to_owned()
}

fn set_words() -> Vec<&'static str> {
    FeatureSet::built().into_iter().chain([NO_SET]).collect()
}

impl Default for Features {
    fn default() -> Self {
        Self::Set(default_set())
    }
}

/// Why features are refused, and at which of their keys.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{error}")]
pub struct FeatureConfigError {
    /// Keys below `features`, empty for `features` itself.
    pub path: Vec<String>,
    /// What is wrong.
    pub error: FeatureError,
}

impl FeatureConfigError {
    /// The problem of an expression with its place in the text, where that is what is wrong.
    pub const fn problem(&self) -> Option<&Problem> {
        match &self.error {
            FeatureError::Expression(error) => Some(&error.problem),
            _ => None,
        }
    }
}

impl Features {
    /// Compiles the features.
    ///
    /// # Errors
    /// The first thing that is wrong, with the key where it stands.
    pub fn build(&self) -> Result<FeatureSet, FeatureConfigError> {
        match self {
            Self::Set(name) => FeatureSet::named(name).map_err(|error| FeatureConfigError { path: Vec::new(), error }),
            Self::More(config) => config.build(),
        }
    }
}

impl FeatureConfig {
    /// Compiles the set, then the features of the periods, then the expressions: those that others name first, else by name.
    ///
    /// # Errors
    /// See [`Features::build`].
    pub fn build(&self) -> Result<FeatureSet, FeatureConfigError> {
        let at =
            |path: &[&str], error| FeatureConfigError { path: path.iter().map(|&key| key.to_owned()).collect(), error };
        let mut specs = match self.set.as_str() {
            NO_SET => Vec::new(),
            name => Shipped::named(name).map_err(|error| at(&["set"], error))?.specs(),
        };
        for &period in &self.lookback_periods {
            if !(2..=10_000).contains(&period) {
                return Err(at(&["lookback_periods"], FeatureError::Period(period)));
            }
            for spec in of_period(period) {
                if !specs.iter().any(|known| known.name == spec.name) {
                    specs.push(spec);
                }
            }
        }
        let order =
            in_order(&self.expressions).map_err(|names| at(&["expressions"], FeatureError::Circular { names }))?;
        for name in order {
            let error = if !is_column_name(name) {
                Some(FeatureError::Name { name: name.to_owned() })
            } else if specs.iter().any(|known| known.name == name) || BAR_COLUMNS.contains(&name) {
                Some(FeatureError::DuplicateFeature { name: name.to_owned() })
            } else {
                None
            };
            if let Some(error) = error {
                return Err(at(&["expressions", name], error));
            }
            specs.push(FeatureSpec::expression(
                name.to_owned(),
                self.expressions[name].clone(),
                "A feature of your own.",
            ));
        }
        let names = self.columns.iter().fold(Names::bars(), |names, column| names.with_column(column));
        let name = match self.expressions.len() + self.lookback_periods.len() {
            0 => self.set.clone(),
            _ => format!("{} and more", self.set),
        };
        FeatureSet::compile(&name, specs, &names).map_err(|error| match &error {
            FeatureError::Expression(inner) => at(&["expressions", &inner.name.clone()], error),
            _ => at(&[], error),
        })
    }
}

fn of_period(period: u32) -> impl Iterator<Item = FeatureSpec> {
    let fill = move |text: &str| text.replace("{n}", &period.to_string());
    PER_PERIOD.iter().map(move |(name, formula, doc)| FeatureSpec::expression(fill(name), fill(formula), fill(doc)))
}

/// Whether a text can name a column of a table and a part of another expression.
fn is_column_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Expressions in an order in which each comes after those that it names; else by name.
///
/// # Errors
/// Names that are defined by each other.
fn in_order(expressions: &BTreeMap<String, String>) -> Result<Vec<&str>, Vec<String>> {
    let needs: BTreeMap<&str, BTreeSet<&str>> = expressions
        .iter()
        .map(|(name, text)| {
            let mut named = BTreeSet::new();
            // a text that does not parse names nothing; compiling it says what is wrong
            if let Ok(tree) = parse(text) {
                collect(&tree, expressions, &mut named);
            }
            (name.as_str(), named)
        })
        .collect();
    let mut order: Vec<&str> = Vec::with_capacity(needs.len());
    while order.len() < needs.len() {
        let before = order.len();
        for (name, named) in &needs {
            if !order.contains(name) && named.iter().all(|needed| order.contains(needed)) {
                order.push(name);
            }
        }
        if order.len() == before {
            return Err(needs.keys().filter(|name| !order.contains(name)).map(|&name| name.to_owned()).collect());
        }
    }
    Ok(order)
}

fn collect<'a>(tree: &Tree, expressions: &'a BTreeMap<String, String>, named: &mut BTreeSet<&'a str>) {
    match &tree.node {
        Node::Name(name) => {
            if let Some((known, _)) = expressions.get_key_value(name) {
                named.insert(known);
            }
        }
        Node::Unary(_, inner) => collect(inner, expressions, named),
        Node::Binary(_, left, right) => {
            collect(left, expressions, named);
            collect(right, expressions, named);
        }
        Node::Call { arguments, .. } => arguments.iter().for_each(|it| collect(&it.value, expressions, named)),
        _ => {}
    }
}

impl Serialize for Features {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Set(name) => serializer.serialize_str(name),
            Self::More(config) => config.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Features {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Features;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a feature set, or a mapping")
            }

            fn visit_str<E>(self, name: &str) -> Result<Features, E> {
                Ok(Features::Set(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Features, A::Error> {
                FeatureConfig::deserialize(MapAccessDeserializer::new(map)).map(Features::More)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for Features {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Features".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let config = FeatureConfig::json_schema(generator);
        json_schema!({"anyOf": [{"type": "string", "enum": FeatureSet::built()}, config]})
    }
}
