//! Parameters declared once: the declaration gives the struct, its defaults, its checks and its documentation.

use std::collections::BTreeMap;

/// One parameter of a model family, for reference pages, search spaces and suggestions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameter {
    /// Its key.
    pub name: &'static str,
    /// What its values are.
    pub value: ParameterType,
    /// What it is when not given, as Rust; the value itself is that of the family's defaults.
    pub default: &'static str,
    /// The allowed numbers, as a Rust range; `None` for words.
    pub range: Option<&'static str>,
    /// The allowed numbers, both ends included.
    pub bounds: Option<(f64, f64)>,
    /// Says whether its ratios matter and not its differences: a search steps on a logarithmic scale.
    pub log: bool,
    /// What it does.
    pub doc: &'static str,
}

impl Parameter {
    /// A parameter that is one of some words.
    pub(super) const fn word(
        name: &'static str,
        words: &'static [&'static str],
        default: &'static str,
        doc: &'static str,
    ) -> Self {
        Self { name, value: ParameterType::Words(words), default, range: None, bounds: None, log: false, doc }
    }

    /// A parameter with a shape of its own, `what` in words.
    pub(super) const fn other(
        name: &'static str,
        what: &'static str,
        default: &'static str,
        doc: &'static str,
    ) -> Self {
        Self { name, value: ParameterType::Other(what), default, range: None, bounds: None, log: false, doc }
    }
}

/// What the values of a parameter are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterType {
    /// Whole numbers.
    Whole,
    /// Numbers.
    Real,
    /// `true` or `false`.
    Switch,
    /// One of these words.
    Words(&'static [&'static str]),
    /// A word for some of the features, by name.
    ByFeature(&'static [&'static str]),
    /// Something else, in words; no search varies it.
    Other(&'static str),
}

/// A type that parameters have.
pub(super) trait ParameterValue {
    const TYPE: ParameterType;
}

impl ParameterValue for usize {
    const TYPE: ParameterType = ParameterType::Whole;
}

impl ParameterValue for u64 {
    const TYPE: ParameterType = ParameterType::Whole;
}

impl ParameterValue for f64 {
    const TYPE: ParameterType = ParameterType::Real;
}

impl ParameterValue for bool {
    const TYPE: ParameterType = ParameterType::Switch;
}

/// A closed set of words; a test holds them against what reads them.
pub(super) trait ParameterWord {
    const WORDS: &'static [&'static str];
}

impl<T: ParameterWord> ParameterValue for T {
    const TYPE: ParameterType = ParameterType::Words(T::WORDS);
}

impl<T: ParameterWord> ParameterValue for BTreeMap<String, T> {
    const TYPE: ParameterType = ParameterType::ByFeature(T::WORDS);
}

/// Declares the parameters of a family: the input struct, its `Default`, `check` and the table `PARAMETERS`.
macro_rules! parameters {
    (
        $(#[$meta:meta])*
        $name:ident {
            $($(#[doc = $doc:literal])+ $field:ident : $type:ty = $default:expr $(, in $range:expr $(=> $log:ident)?)? ;)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $(
                $(#[doc = $doc])+
                $(#[schemars(transform = $crate::base::schema::within($range))])?
                pub $field: $type,
            )+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        impl $name {
            /// Name, default, range and meaning of every parameter.
            pub const PARAMETERS: &'static [$crate::model::Parameter] = &[$($crate::model::Parameter {
                name: stringify!($field),
                value: <$type as $crate::model::parameter::ParameterValue>::TYPE,
                default: stringify!($default),
                range: $crate::model::parameter::range_text!($($range)?),
                bounds: $crate::model::parameter::bounds!($($range)?),
                log: $crate::model::parameter::is_log!($($($log)?)?),
                doc: concat!($($doc),+).trim_ascii(),
            },)+];

            /// Checks every range.
            ///
            /// # Errors
            /// The first parameter outside its range.
            pub fn check(&self) -> Result<(), $crate::model::ModelError> {
                $($(
                    if !($range).contains(&self.$field) {
                        return Err($crate::model::ModelError::OutOfRange {
                            name: stringify!($field),
                            expected: stringify!($range),
                            found: self.$field.to_string(),
                        });
                    }
                )?)+
                Ok(())
            }
        }
    };
}

/// The text of an optional range.
macro_rules! range_text {
    () => {
        None
    };
    ($range:expr) => {
        Some(stringify!($range))
    };
}

/// The ends of an optional range.
macro_rules! bounds {
    () => {
        None
    };
    ($range:expr) => {
        Some((*$range.start() as f64, *$range.end() as f64))
    };
}

/// Says whether `=> log` stood behind a range.
macro_rules! is_log {
    () => {
        false
    };
    (log) => {
        true
    };
}

pub(super) use {bounds, is_log, parameters, range_text};

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::model::{FAMILIES, ModelConfig};

    #[test]
    fn the_table_says_what_the_reader_takes() {
        for family in FAMILIES {
            let defaults = ModelConfig::from_json(family.name, &Value::Null).unwrap().parameters().unwrap();
            for parameter in family.parameters {
                let accepts = |value: Value| {
                    ModelConfig::from_json(family.name, &serde_json::json!({ parameter.name: value })).is_ok()
                };
                let place = format!("{}/{}", family.name, parameter.name);
                let default = &defaults[parameter.name];
                match parameter.value {
                    ParameterType::Whole | ParameterType::Real => {
                        let (low, high) = parameter.bounds.unwrap();
                        assert_eq!(parameter.value == ParameterType::Whole, default.is_u64(), "{place}");
                        assert!((low..=high).contains(&default.as_f64().unwrap()), "{place}");
                        assert!(!parameter.log || low > 0.0, "{place}");
                        assert!(!accepts((high * 1.001 + 1.0).round().into()) && !accepts((-1.0).into()), "{place}");
                    }
                    ParameterType::Switch => assert!(default.is_boolean() && accepts(true.into()), "{place}"),
                    ParameterType::Words(words) => {
                        assert!(words.contains(&default.as_str().unwrap()), "{place}");
                        assert!(words.iter().all(|&word| accepts(word.into())), "{place}");
                    }
                    ParameterType::ByFeature(words) => {
                        assert!(words.iter().all(|word| accepts(serde_json::json!({"a": word}))), "{place}");
                    }
                    ParameterType::Other(what) => assert!(!what.is_empty() && !default.is_string(), "{place}"),
                }
            }
        }
    }
}
