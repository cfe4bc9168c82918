//! The written form of a search space and the checks that turn it into a [`SearchSpace`].

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{Axis, Distribution, Parameter, SearchSpace, same_scalar};

/// Grid positions are kept in `f64`, which counts exactly up to here.
const MOST_CELLS: f64 = (1_u64 << 53) as f64;

/// One parameter as written: exactly one of `float`, `int` and `choice`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [
    {"required": ["float"]},
    {"required": ["int"]},
    {"required": ["choice"], "properties": {"log": false, "step": false}},
]))]
pub struct ParameterFile {
    /// Bounds of a real number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "[f64; 2]")]
    pub float: Option<[f64; 2]>,
    /// Bounds of a whole number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "[i64; 2]")]
    pub int: Option<[i64; 2]>,
    /// Scalars to choose from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<Scalar>", length(min = 1), extend("uniqueItems" = true))]
    pub choice: Option<Vec<Value>>,
    /// Whether ratios rather than differences matter; not of a choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "bool")]
    pub log: Option<bool>,
    /// Distance of grid points; not of a choice, and not beside `log`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "f64", extend("exclusiveMinimum" = 0))]
    pub step: Option<f64>,
    /// Parent parameter -> values of it under which this parameter exists.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, Vec<Scalar>>")]
    pub when: BTreeMap<String, Vec<Value>>,
}

/// Stands for a [`Value`] that is neither a list nor a mapping.
struct Scalar;

impl JsonSchema for Scalar {
    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "number", "boolean", "null"]})
    }
}

/// A search space as written: parameter name -> parameter. A name written twice is refused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("minProperties" = 1))]
pub struct SpaceFile(pub BTreeMap<String, ParameterFile>);

impl<'de> Deserialize<'de> for SpaceFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = SpaceFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of parameter names to parameters")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SpaceFile, A::Error> {
                let mut parameters = BTreeMap::new();
                while let Some((name, parameter)) = map.next_entry::<String, ParameterFile>()? {
                    if parameters.contains_key(&name) {
                        return Err(A::Error::custom(format_args!("parameter `{name}` is written twice")));
                    }
                    parameters.insert(name, parameter);
                }
                Ok(SpaceFile(parameters))
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

/// Why a written search space is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SpaceError {
    /// There is nothing to search.
    #[error("the search space has no parameters")]
    Empty,
    /// None or several of the three kinds are given.
    #[error("parameter `{name}`: expected exactly one of `float`, `int` and `choice`, found {found}")]
    Kind {
        /// The parameter.
        name: String,
        /// How many are given.
        found: usize,
    },
    /// The bounds enclose nothing or are no numbers.
    #[error("parameter `{name}`: expected a lower bound below the upper, found [{low}, {high}]")]
    Bounds {
        /// The parameter.
        name: String,
        /// Lower bound.
        low: f64,
        /// Upper bound.
        high: f64,
    },
    /// A logarithm needs positive values.
    #[error("parameter `{name}`: `log` needs a lower bound above 0, found {low}")]
    LogOfNonPositive {
        /// The parameter.
        name: String,
        /// Lower bound.
        low: f64,
    },
    /// A grid and a logarithm exclude each other.
    #[error("parameter `{name}`: `log` and `step` exclude each other")]
    LogWithStep {
        /// The parameter.
        name: String,
    },
    /// The step does not fit between the bounds.
    #[error("parameter `{name}`: expected a step above 0 and at most {range}{whole}, found {step}", whole = if *.whole { ", a whole number" } else { "" })]
    Step {
        /// The parameter.
        name: String,
        /// The step.
        step: f64,
        /// Upper less lower bound.
        range: f64,
        /// Whether only whole steps are possible.
        whole: bool,
    },
    /// More grid points than can be counted exactly.
    #[error("parameter `{name}` has more than 2^53 values; write a larger step or a float")]
    TooManyValues {
        /// The parameter.
        name: String,
    },
    /// A choice among nothing.
    #[error("parameter `{name}` has no choices")]
    NoChoices {
        /// The parameter.
        name: String,
    },
    /// The same choice twice.
    #[error("parameter `{name}` has the choice `{choice}` twice")]
    DuplicateChoice {
        /// The parameter.
        name: String,
        /// The choice.
        choice: Value,
    },
    /// A list or map among the choices.
    #[error("parameter `{name}`: expected scalars to choose from, found `{choice}`")]
    NotScalar {
        /// The parameter.
        name: String,
        /// What was found.
        choice: Value,
    },
    /// `log` or `step` on a choice.
    #[error("parameter `{name}`: `{option}` means nothing for a choice")]
    OptionOnChoice {
        /// The parameter.
        name: String,
        /// The option.
        option: &'static str,
    },
    /// A condition names no parameter of this space.
    #[error("parameter `{name}` has a condition on `{parent}`, which is no parameter of this space")]
    UnknownParent {
        /// The parameter.
        name: String,
        /// The unknown parent.
        parent: String,
    },
    /// A condition on a real number, which is never exactly one value.
    #[error("parameter `{name}` has a condition on `{parent}`, which is no choice, whole number or grid")]
    ContinuousParent {
        /// The parameter.
        name: String,
        /// The parent.
        parent: String,
    },
    /// A condition that can never hold.
    #[error("parameter `{name}` exists when `{parent}` is `{value}`, which `{parent}` cannot be")]
    ImpossibleCondition {
        /// The parameter.
        name: String,
        /// The parent.
        parent: String,
        /// The impossible value.
        value: Value,
    },
    /// A condition without values.
    #[error("parameter `{name}` has a condition on `{parent}` without values")]
    EmptyCondition {
        /// The parameter.
        name: String,
        /// The parent.
        parent: String,
    },
    /// Conditions that wait for each other.
    #[error("the conditions of {} wait for each other", .names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))]
    Cycle {
        /// The parameters of the cycle and those that wait for it.
        names: Vec<String>,
    },
}

impl SpaceFile {
    /// Checks a written space.
    ///
    /// A grid whose step does not divide its range ends at the last grid point inside it.
    ///
    /// # Errors
    /// The first [`SpaceError`] in the order of parameter names.
    pub fn check(self) -> Result<SearchSpace, SpaceError> {
        if self.0.is_empty() {
            return Err(SpaceError::Empty);
        }
        let parameters = self
            .0
            .into_iter()
            .map(|(name, file)| {
                let distribution = distribution(&name, &file)?;
                Ok(Parameter { name, distribution, when: file.when })
            })
            .collect::<Result<Vec<_>, SpaceError>>()?;
        let axes: Vec<Axis> = parameters.iter().map(|parameter| Axis::of(&parameter.distribution)).collect();
        let gates = parameters.iter().map(|parameter| gates(parameter, &parameters)).collect::<Result<Vec<_>, _>>()?;
        let order = parents_first(&parameters, &gates)?;
        let groups = groups(&parameters, &order);
        Ok(SearchSpace { parameters, order, groups, gates, axes })
    }
}

impl TryFrom<SpaceFile> for SearchSpace {
    type Error = SpaceError;

    fn try_from(file: SpaceFile) -> Result<Self, SpaceError> {
        file.check()
    }
}

impl From<SearchSpace> for SpaceFile {
    fn from(space: SearchSpace) -> Self {
        let written = |parameter: Parameter| {
            let mut file = ParameterFile { when: parameter.when, ..ParameterFile::default() };
            match parameter.distribution {
                Distribution::Float { low, high, log, step } => {
                    (file.float, file.log, file.step) = (Some([low, high]), log.then_some(true), step);
                }
                Distribution::Int { low, high, log, step } => {
                    (file.int, file.log) = (Some([low, high]), log.then_some(true));
                    file.step = (step != 1).then_some(step as f64);
                }
                Distribution::Choice(choices) => file.choice = Some(choices),
            }
            (parameter.name, file)
        };
        Self(space.parameters.into_iter().map(written).collect())
    }
}

fn distribution(name: &str, file: &ParameterFile) -> Result<Distribution, SpaceError> {
    match (&file.float, &file.int, &file.choice) {
        (Some([low, high]), None, None) => float(name, *low, *high, file),
        (None, Some([low, high]), None) => int(name, *low, *high, file),
        (None, None, Some(choices)) => choice(name, choices, file),
        (float, int, choice) => {
            let found = usize::from(float.is_some()) + usize::from(int.is_some()) + usize::from(choice.is_some());
            Err(SpaceError::Kind { name: name.to_owned(), found })
        }
    }
}

/// The checks that real and whole numbers share. Returns whether the scale is logarithmic.
fn range(name: &str, low: f64, high: f64, file: &ParameterFile) -> Result<bool, SpaceError> {
    let name = || name.to_owned();
    if !(low < high && low.is_finite() && high.is_finite() && (high - low).is_finite()) {
        return Err(SpaceError::Bounds { name: name(), low, high });
    }
    let log = file.log.unwrap_or(false);
    if log && low <= 0.0 {
        return Err(SpaceError::LogOfNonPositive { name: name(), low });
    }
    if log && file.step.is_some() {
        return Err(SpaceError::LogWithStep { name: name() });
    }
    Ok(log)
}

fn float(name: &str, low: f64, high: f64, file: &ParameterFile) -> Result<Distribution, SpaceError> {
    let log = range(name, low, high, file)?;
    let Some(step) = file.step else { return Ok(Distribution::Float { low, high, log, step: None }) };
    let range = high - low;
    if !(step > 0.0 && step <= range) {
        return Err(SpaceError::Step { name: name.to_owned(), step, range, whole: false });
    }
    // 0.3 / 0.1 is 2.9999999999999996: a hair is forgiven
    let steps = (range / step * (1.0 + 4.0 * f64::EPSILON)).floor();
    if steps >= MOST_CELLS {
        return Err(SpaceError::TooManyValues { name: name.to_owned() });
    }
    Ok(Distribution::Float { low, high: (low + steps * step).min(high), log, step: Some(step) })
}

fn int(name: &str, low: i64, high: i64, file: &ParameterFile) -> Result<Distribution, SpaceError> {
    if low >= high {
        return Err(SpaceError::Bounds { name: name.to_owned(), low: low as f64, high: high as f64 });
    }
    let width = high.checked_sub(low).filter(|width| (*width as f64) < MOST_CELLS);
    let width = width.ok_or_else(|| SpaceError::TooManyValues { name: name.to_owned() })?;
    let log = range(name, low as f64, high as f64, file)?;
    let step = file.step.unwrap_or(1.0);
    if !(step >= 1.0 && step <= width as f64 && step.fract() == 0.0) {
        return Err(SpaceError::Step { name: name.to_owned(), step, range: width as f64, whole: true });
    }
    let step = step as i64;
    Ok(Distribution::Int { low, high: low + width / step * step, log, step })
}

fn choice(name: &str, choices: &[Value], file: &ParameterFile) -> Result<Distribution, SpaceError> {
    let name = || name.to_owned();
    for (option, given) in [("log", file.log.is_some()), ("step", file.step.is_some())] {
        if given {
            return Err(SpaceError::OptionOnChoice { name: name(), option });
        }
    }
    if choices.is_empty() {
        return Err(SpaceError::NoChoices { name: name() });
    }
    for (position, choice) in choices.iter().enumerate() {
        if choice.is_array() || choice.is_object() {
            return Err(SpaceError::NotScalar { name: name(), choice: choice.clone() });
        }
        if choices[..position].iter().any(|earlier| same_scalar(earlier, choice)) {
            return Err(SpaceError::DuplicateChoice { name: name(), choice: choice.clone() });
        }
    }
    Ok(Distribution::Choice(choices.to_vec()))
}

fn gates(parameter: &Parameter, parameters: &[Parameter]) -> Result<Vec<(usize, Vec<u64>)>, SpaceError> {
    let name = || parameter.name.clone();
    let gate = |(parent, values): (&String, &Vec<Value>)| {
        let unknown = || SpaceError::UnknownParent { name: name(), parent: parent.clone() };
        let position = parameters.iter().position(|other| other.name == *parent).ok_or_else(unknown)?;
        let distribution = &parameters[position].distribution;
        if values.is_empty() {
            return Err(SpaceError::EmptyCondition { name: name(), parent: parent.clone() });
        }
        if matches!(Axis::of(distribution), Axis::Continuous { .. }) {
            return Err(SpaceError::ContinuousParent { name: name(), parent: parent.clone() });
        }
        let cell = |value: &Value| {
            let impossible =
                || SpaceError::ImpossibleCondition { name: name(), parent: parent.clone(), value: value.clone() };
            distribution.cell_of(value).ok_or_else(impossible)
        };
        Ok((position, values.iter().map(cell).collect::<Result<Vec<u64>, _>>()?))
    };
    parameter.when.iter().map(gate).collect()
}

/// Repeatedly takes the parameters whose parents are all taken, in the order of their names.
fn parents_first(parameters: &[Parameter], gates: &[Vec<(usize, Vec<u64>)>]) -> Result<Vec<usize>, SpaceError> {
    let mut order: Vec<usize> = Vec::with_capacity(parameters.len());
    while order.len() < parameters.len() {
        let ready: Vec<usize> = (0..parameters.len())
            .filter(|position| !order.contains(position))
            .filter(|position| gates[*position].iter().all(|(parent, _)| order.contains(parent)))
            .collect();
        if ready.is_empty() {
            let waiting = parameters.iter().enumerate().filter(|(position, _)| !order.contains(position));
            return Err(SpaceError::Cycle { names: waiting.map(|(_, parameter)| parameter.name.clone()).collect() });
        }
        order.extend(ready);
    }
    Ok(order)
}

fn groups(parameters: &[Parameter], order: &[usize]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for &position in order {
        let when = &parameters[position].when;
        match groups.iter_mut().find(|group| parameters[group[0]].when == *when) {
            Some(group) => group.push(position),
            None => groups.push(vec![position]),
        }
    }
    groups
}
