//! Parameters that a rules file declares: expressions read them as `p.name`, studies search them as `parameters.name`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::expression::{ParameterValue, Type};

/// What a declared parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ParameterType {
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// One of `values`, all words or all numbers.
    Categorical,
    /// `true` or `false`.
    Bool,
}

/// A declared parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeclaredParameter {
    /// What it is.
    #[serde(rename = "type")]
    pub of: ParameterType,
    /// Its value where nothing else is said.
    #[schemars(extend("type" = ["string", "number", "boolean"]))]
    pub default: Value,
    /// Least and greatest value of a number: what a study searches, and what is refused outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<[f64; 2]>,
    /// What a categorical may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<Value>>,
    /// Whether a study looks at ratios rather than at differences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<bool>,
    /// Distance of the values that a study tries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<f64>,
    /// What it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doc: Option<String>,
}

impl DeclaredParameter {
    /// Says what is wrong with the declaration: the key, and the words.
    pub(super) fn defect(&self) -> Option<(&'static str, String)> {
        let is_number = matches!(self.of, ParameterType::Int | ParameterType::Float);
        for (key, is_written) in
            [("range", self.range.is_some()), ("log", self.log.is_some()), ("step", self.step.is_some())]
        {
            if is_written && !is_number {
                return Some((key, format!("`{key}` means something for an int or a float only")));
            }
        }
        if self.values.is_some() != (self.of == ParameterType::Categorical) {
            return Some(match self.values {
                Some(_) => ("values", "`values` means something for a categorical only".to_owned()),
                None => ("default", "a categorical needs `values`, a list of what it may be".to_owned()),
            });
        }
        if let Some([low, high]) = self.range
            && low >= high
        {
            return Some(("range", format!("expected a least value below the greatest, found [{low}, {high}]")));
        }
        if let Some([low, high]) = self.range.filter(|_| self.of == ParameterType::Int)
            && (low.fract() != 0.0 || high.fract() != 0.0)
        {
            return Some(("range", format!("expected whole numbers for an int, found [{low}, {high}]")));
        }
        if self.log == Some(true) && !self.range.is_some_and(|[low, _]| low > 0.0) {
            return Some(("log", "a logarithm needs a `range` above 0".to_owned()));
        }
        if self.log == Some(true) && self.step.is_some() {
            return Some(("step", "`log` and `step` exclude each other".to_owned()));
        }
        if let Some(step) = self.step.filter(|step| *step <= 0.0) {
            return Some(("step", format!("expected a number above 0, found {step}")));
        }
        if let Some(values) = &self.values {
            let is_all = |is: fn(&Value) -> bool| values.iter().all(is);
            if values.is_empty() || !(is_all(Value::is_string) || is_all(Value::is_number)) {
                return Some(("values", "expected words only, or numbers only, at least one".to_owned()));
            }
        }
        self.refusal(&self.default).map(|words| ("default", words))
    }

    /// Why a value is none this parameter may have.
    pub(super) fn refusal(&self, value: &Value) -> Option<String> {
        let expected = self.expected();
        let holds = match self.of {
            ParameterType::Bool => value.is_boolean(),
            ParameterType::Categorical => {
                let same = |it: &Value| it == value || (it.is_number() && it.as_f64() == value.as_f64());
                self.values.iter().flatten().any(same)
            }
            ParameterType::Int | ParameterType::Float => value.as_f64().is_some_and(|number| {
                let is_of_type = self.of == ParameterType::Float || number.fract() == 0.0;
                is_of_type && self.range.is_none_or(|[low, high]| (low..=high).contains(&number))
            }),
        };
        (!holds).then(|| format!("expected {expected}, found {value}"))
    }

    fn expected(&self) -> String {
        let what = match self.of {
            ParameterType::Bool => return "true or false".to_owned(),
            ParameterType::Categorical => {
                let words: Vec<String> = self.values.iter().flatten().map(ToString::to_string).collect();
                return format!("one of {}", words.join(", "));
            }
            ParameterType::Int => "a whole number",
            ParameterType::Float => "a number",
        };
        self.range.map_or_else(|| what.to_owned(), |[low, high]| format!("{what} from {low} to {high}"))
    }

    /// The type that expressions see.
    pub(super) fn type_of(&self) -> Type {
        match self.of {
            ParameterType::Int | ParameterType::Float => Type::Number,
            ParameterType::Bool => Type::Boolean,
            ParameterType::Categorical if self.default.is_number() => Type::Number,
            ParameterType::Categorical => Type::Text,
        }
    }

    /// The value that expressions see.
    pub(super) fn value(&self) -> ParameterValue {
        match &self.default {
            Value::Bool(flag) => ParameterValue::Boolean(*flag),
            Value::String(word) => ParameterValue::Text(word.clone()),
            number => ParameterValue::Number(number.as_f64().unwrap_or(f64::NAN)),
        }
    }

    /// What a study may try, as a search space writes it; `None` for a number without a range.
    pub fn searched(&self) -> Option<Value> {
        let mut space = match self.of {
            ParameterType::Bool => return Some(json!({"choice": [false, true]})),
            ParameterType::Categorical => return Some(json!({"choice": self.values})),
            ParameterType::Int => {
                let [low, high] = self.range?;
                json!({"int": [low as i64, high as i64]})
            }
            ParameterType::Float => json!({"float": self.range?}),
        };
        let further = [("log", self.log.map(Value::from)), ("step", self.step.map(Value::from))];
        for (key, value) in further {
            if let (Some(value), Some(fields)) = (value, space.as_object_mut()) {
                fields.insert(key.to_owned(), value);
            }
        }
        Some(space)
    }
}
