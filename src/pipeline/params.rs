//! Declared params: types, ranges, defaults, and the values that a caller sets.

use std::fmt;

use serde_json::Value;

use super::yaml::Yaml;
use crate::artifact::Scalar;
use crate::base::{Days, Located, Problem, Timestamp};

/// The type of a param.
#[derive(Clone, Debug, PartialEq)]
pub enum ParamType {
    /// A whole number within bounds.
    Int {
        /// Least.
        min: Option<i64>,
        /// Greatest.
        max: Option<i64>,
    },
    /// A number within bounds.
    Float {
        /// Least.
        min: Option<f64>,
        /// Greatest.
        max: Option<f64>,
    },
    /// True or false.
    Bool,
    /// Text.
    String,
    /// One of a closed set of words.
    Enum(Vec<String>),
    /// Several texts.
    List,
    /// A day.
    Date,
    /// A number of days.
    Duration,
}

/// Names of the types, for messages.
pub(super) const TYPE_NAMES: [&str; 8] = ["int", "float", "bool", "string", "enum", "list", "date", "duration"];

impl fmt::Display for ParamType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn bounds<T: fmt::Display>(f: &mut fmt::Formatter<'_>, min: Option<&T>, max: Option<&T>) -> fmt::Result {
            match (min, max) {
                (Some(min), Some(max)) => write!(f, " from {min} to {max}"),
                (Some(min), None) => write!(f, " of at least {min}"),
                (None, Some(max)) => write!(f, " of at most {max}"),
                (None, None) => Ok(()),
            }
        }
        match self {
            Self::Int { min, max } => {
                f.write_str("a whole number")?;
                bounds(f, min.as_ref(), max.as_ref())
            }
            Self::Float { min, max } => {
                f.write_str("a number")?;
                bounds(f, min.as_ref(), max.as_ref())
            }
            Self::Bool => f.write_str("true or false"),
            Self::String => f.write_str("text"),
            Self::Enum(words) => write!(f, "one of {}", words.join(", ")),
            Self::List => f.write_str("a list of texts"),
            Self::Date => f.write_str("a date like `2026-01-04`"),
            Self::Duration => f.write_str("a duration like `730d`, `52w` or `2y`"),
        }
    }
}

/// A declared param and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Its type.
    pub kind: ParamType,
    /// Its value: the default, or what the caller set.
    pub value: Value,
}

impl ParamType {
    /// Accepts a value that has this type.
    pub(super) fn accept(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Int { min, max }, Value::Number(number)) => {
                number.as_i64().is_some_and(|x| min.is_none_or(|min| x >= min) && max.is_none_or(|max| x <= max))
            }
            (Self::Float { min, max }, Value::Number(number)) => {
                number.as_f64().is_some_and(|x| min.is_none_or(|min| x >= min) && max.is_none_or(|max| x <= max))
            }
            (Self::Bool, Value::Bool(_)) | (Self::String, Value::String(_)) => true,
            (Self::Enum(words), Value::String(word)) => words.contains(word),
            (Self::List, Value::Array(items)) => items.iter().all(Value::is_string),
            (Self::Date, Value::String(text)) => text.parse::<Timestamp>().is_ok(),
            (Self::Duration, Value::String(text)) => text.parse::<Days>().is_ok(),
            _ => false,
        }
    }

    /// Reads a value from the command line.
    pub(super) fn parse(&self, text: &str) -> Option<Value> {
        let value = match self {
            Self::Int { .. } => text.parse::<i64>().ok()?.into(),
            Self::Float { .. } => text.parse::<f64>().ok()?.into(),
            Self::Bool => text.parse::<bool>().ok()?.into(),
            Self::List => {
                let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
                inner.split(',').map(|item| Value::from(item.trim())).collect()
            }
            Self::String | Self::Enum(_) | Self::Date | Self::Duration => text.into(),
        };
        self.accept(&value).then_some(value)
    }
}

/// A param's value as a caller would write it after `--set NAME=`.
pub(crate) fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(as_text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// A param's value in a condition; lists have none.
pub(super) fn scalar(value: &Value) -> Option<Scalar> {
    serde_json::from_value(value.clone()).ok()
}

/// Reads a file of values of params, a mapping from name to value; the values become texts, as on the command line.
///
/// # Errors
/// It is no mapping, or a value is one itself.
pub fn param_file(text: &str) -> Result<std::collections::BTreeMap<String, String>, Problem> {
    let tree = super::yaml::parse(text).map_err(|mut problems| problems.swap_remove(0))?;
    let Yaml::Map(fields) = &tree.value else {
        let message = format!("expected a mapping from param to value, found {}", tree.value.describe());
        return Err(Problem::new("pipeline::bad_param", tree.span, message));
    };
    let value = |(name, value): &(Located<String>, Located<Yaml>)| match &value.value {
        Yaml::Map(_) | Yaml::Null => {
            let message =
                format!("param `{}`: expected a value or a list, found {}", name.value, value.value.describe());
            Err(Problem::new("pipeline::bad_param", value.span, message))
        }
        plain => Ok((name.value.clone(), as_text(&plain.to_json()))),
    };
    fields.iter().map(value).collect()
}

/// Reads a declaration `{type: int, default: 50, min: 1, max: 5000}`.
pub(super) fn declare(name: &Located<String>, declaration: &Located<Yaml>) -> Result<Param, Problem> {
    let Yaml::Map(fields) = &declaration.value else {
        let message = format!("param `{}`: expected a mapping, found {}", name.value, declaration.value.describe());
        return Err(
            Problem::new("pipeline::bad_param", declaration.span, message).hint("write it as {type: int, default: 50}")
        );
    };
    const KNOWN: [&str; 6] = ["type", "default", "min", "max", "values", "items"];
    for (key, _) in fields {
        if !KNOWN.contains(&key.value.as_str()) {
            let message = format!("param `{}` has no key `{}`", name.value, key.value);
            return Err(Problem::new("pipeline::unknown_key", key.span, message).suggest(&key.value, KNOWN));
        }
    }
    let field = |wanted: &str| fields.iter().find(|(key, _)| key.value == wanted).map(|(_, value)| value);
    let kind = param_type(name, &field)?;
    let Some(default) = field("default") else {
        return Err(Problem::new("pipeline::bad_param", name.span, format!("param `{}` has no default", name.value))
            .hint("add `default:`: a pipeline must run without arguments"));
    };
    let value = default.value.to_json();
    if kind.accept(&value) {
        return Ok(Param { kind, value });
    }
    let message = format!("param `{}`: expected {kind}, found {}", name.value, default.value.describe());
    Err(Problem::new("pipeline::bad_param", default.span, message)
        .label("this default")
        .hint("choose a default that the declaration allows, or declare another type or range"))
}

fn param_type<'a>(
    name: &Located<String>,
    field: &impl Fn(&str) -> Option<&'a Located<Yaml>>,
) -> Result<ParamType, Problem> {
    let Some(Located { value: Yaml::Text(kind), span }) = field("type") else {
        return Err(Problem::new("pipeline::bad_param", name.span, format!("param `{}` has no type", name.value))
            .hint(format!("add `type:`, one of {}", TYPE_NAMES.join(", "))));
    };
    let bound = |wanted: &str| field(wanted).map(|value| value.value.to_json());
    let (min, max) = (bound("min"), bound("max"));
    Ok(match kind.as_str() {
        "int" => {
            ParamType::Int { min: min.as_ref().and_then(Value::as_i64), max: max.as_ref().and_then(Value::as_i64) }
        }
        "float" => {
            ParamType::Float { min: min.as_ref().and_then(Value::as_f64), max: max.as_ref().and_then(Value::as_f64) }
        }
        "bool" => ParamType::Bool,
        "string" => ParamType::String,
        "list" => ParamType::List,
        "date" => ParamType::Date,
        "duration" => ParamType::Duration,
        "enum" => {
            let Some(Located { value: Yaml::List(items), .. }) = field("values") else {
                let message = format!("param `{}`: an enum needs `values`", name.value);
                return Err(Problem::new("pipeline::bad_param", *span, message).hint("add `values: [a, b]`"));
            };
            let words = items.iter().filter_map(|item| match &item.value {
                Yaml::Text(word) => Some(word.clone()),
                _ => None,
            });
            ParamType::Enum(words.collect())
        }
        other => {
            let message = format!("param `{}` has the unknown type `{other}`", name.value);
            return Err(Problem::new("pipeline::bad_param", *span, message).suggest(other, TYPE_NAMES));
        }
    })
}
