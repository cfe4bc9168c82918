//! Declared params: types, ranges, defaults, and the values that a caller sets.

use std::fmt;

use serde_json::Value;

use super::keys::{self, Word};
use crate::artifact::Scalar;
use crate::base::yaml::Yaml;
use crate::base::{Days, Located, Problem, Span, Timestamp};

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

/// The types by name: the keys that only some of them have, and what each is.
pub(super) const TYPES: [Word<&[&str]>; 8] = [
    ("int", &["min", "max"], "A whole number."),
    ("float", &["min", "max"], "A number."),
    ("bool", &[], "`true` or `false`."),
    ("string", &[], "Text."),
    ("enum", &["values"], "One of the words in `values`."),
    ("list", &[], "A list of texts."),
    ("date", &[], "A date, or a time in UTC."),
    ("duration", &[], "A whole number of days, weeks or years, as `730d`, `52w` or `2y`."),
];

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

    fn whole(value: &Yaml) -> Option<i64> {
        if let Yaml::Int(number) = value { Some(*number) } else { None }
    }

    fn real(value: &Yaml) -> Option<f64> {
        match value {
            Yaml::Int(number) => Some(*number as f64),
            Yaml::Float(number) => Some(*number).filter(|number| number.is_finite()),
            _ => None,
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
    let tree = crate::base::yaml::parse(text).map_err(|mut problems| problems.swap_remove(0))?;
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
    let declaration = Declaration { name, fields };
    declaration.known_keys()?;
    let kind = declaration.param_type()?;
    let Some(default) = declaration.field("default") else {
        return Err(declaration
            .refuse(name.span, "has no default")
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

/// A declaration as written.
struct Declaration<'a> {
    name: &'a Located<String>,
    fields: &'a [(Located<String>, Located<Yaml>)],
}

impl<'a> Declaration<'a> {
    fn field(&self, wanted: &str) -> Option<&'a Located<Yaml>> {
        self.fields.iter().find(|(key, _)| key.value == wanted).map(|(_, value)| value)
    }

    /// Says what is wrong with the param, after its name.
    fn refuse(&self, span: Span, what: impl fmt::Display) -> Problem {
        Problem::new("pipeline::bad_param", span, format!("param `{}` {what}", self.name.value))
    }

    fn known_keys(&self) -> Result<(), Problem> {
        let known = keys::names(keys::PARAM);
        match self.fields.iter().find(|(key, _)| !known.clone().any(|name| name == key.value)) {
            None => Ok(()),
            Some((key, _)) => {
                let message = format!("param `{}` has no key `{}`", self.name.value, key.value);
                Err(Problem::new("pipeline::unknown_key", key.span, message).suggest(&key.value, known))
            }
        }
    }

    fn param_type(&self) -> Result<ParamType, Problem> {
        let names = TYPES.map(|(name, ..)| name);
        let Some(Located { value: Yaml::Text(kind), span }) = self.field("type") else {
            let problem = self.refuse(self.name.span, "has no type");
            return Err(problem.hint(format!("add `type:`, one of {}", names.join(", "))));
        };
        let Some((_, own, _)) = TYPES.iter().find(|(name, ..)| name == kind) else {
            return Err(self.refuse(*span, format!("has the unknown type `{kind}`")).suggest(kind, names));
        };
        self.only_own_keys(kind, own)?;
        match kind.as_str() {
            "int" => self.range(ParamType::whole, "a whole number").map(|(min, max)| ParamType::Int { min, max }),
            "float" => self.range(ParamType::real, "a number").map(|(min, max)| ParamType::Float { min, max }),
            "bool" => Ok(ParamType::Bool),
            "enum" => self.words(*span).map(ParamType::Enum),
            "list" => Ok(ParamType::List),
            "date" => Ok(ParamType::Date),
            "duration" => Ok(ParamType::Duration),
            _ => Ok(ParamType::String),
        }
    }

    /// A key that says nothing about a type is most likely meant for another one.
    fn only_own_keys(&self, kind: &str, own: &[&str]) -> Result<(), Problem> {
        let shared = ["type", "default"];
        let foreign = |key: &str| !shared.contains(&key) && !own.contains(&key);
        let Some((key, _)) = self.fields.iter().find(|(key, _)| foreign(&key.value)) else { return Ok(()) };
        let owners = TYPES.iter().filter(|(_, keys, _)| keys.contains(&key.value.as_str()));
        let owners: Vec<String> = owners.map(|(name, ..)| format!("`{name}`")).collect();
        let what = format!("is of type `{kind}`, and `{}` belongs to {}", key.value, owners.join(" and "));
        Err(self.refuse(key.span, what).hint("remove it, or declare another type"))
    }

    fn range<T: PartialOrd + fmt::Display + Copy>(
        &self,
        read: fn(&Yaml) -> Option<T>,
        expected: &str,
    ) -> Result<(Option<T>, Option<T>), Problem> {
        let end = |wanted: &str| match self.field(wanted) {
            None => Ok(None),
            Some(tree) => read(&tree.value).map(Some).ok_or_else(|| {
                let found = tree.value.describe();
                let message = format!("param `{}`: `{wanted}`: expected {expected}, found {found}", self.name.value);
                Problem::new("pipeline::bad_param", tree.span, message).hint(format!("write {expected}, or remove it"))
            }),
        };
        match (end("min")?, end("max")?) {
            (Some(min), Some(max)) if min > max => {
                let span = self.field("max").map_or(self.name.span, |tree| tree.span);
                let what = format!("can have no value: its least is {min}, its greatest {max}");
                Err(self.refuse(span, what).hint("exchange `min` and `max`"))
            }
            ends => Ok(ends),
        }
    }

    fn words(&self, span: Span) -> Result<Vec<String>, Problem> {
        let hint = "write `values: [a, b]`";
        let Some(tree) = self.field("values") else {
            return Err(self.refuse(span, "is an enum and needs `values`").hint(hint));
        };
        let items = match &tree.value {
            Yaml::List(items) if !items.is_empty() => items,
            other => {
                let found = if matches!(other, Yaml::List(_)) { "none".to_owned() } else { other.describe() };
                let what = format!("is an enum: expected a list of words, found {found}");
                return Err(self.refuse(tree.span, what).hint(hint));
            }
        };
        let mut words: Vec<String> = Vec::new();
        for item in items {
            match &item.value {
                Yaml::Text(word) if words.contains(word) => {
                    return Err(self.refuse(item.span, format!("has the word `{word}` twice")).hint("remove one"));
                }
                Yaml::Text(word) => words.push(word.clone()),
                other => {
                    let what = format!("is an enum: expected a word, found {}", other.describe());
                    return Err(self.refuse(item.span, what).hint("put it in quotes to make it a word"));
                }
            }
        }
        Ok(words)
    }
}
