//! Search spaces: parameters with ranges, grids or choices, some of which exist only under conditions.
//!
//! Parameters are kept sorted by name, whatever order they were written in, so that a study does not depend on the
//! layout of a file. Parents are sampled before the parameters whose conditions name them.
//!
//! [`SpaceFile`] is what a user wrote; [`SearchSpace`] is what has been checked.

mod encoding;
mod file;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use encoding::Axis;
pub use file::{ParameterFile, SpaceError, SpaceFile};

/// Values of the active parameters of one proposal, by name.
pub type Params = BTreeMap<String, ParamValue>;

/// The value of one parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParamValue {
    /// A real number.
    Float(f64),
    /// A whole number.
    Int(i64),
    /// One of the written choices.
    Choice(Value),
}

impl ParamValue {
    /// The bare value, as a configuration file would hold it.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Float(value) => Value::from(*value),
            Self::Int(value) => Value::from(*value),
            Self::Choice(value) => value.clone(),
        }
    }

    /// The value as a number; `None` for a choice that is no number.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(*value),
            Self::Int(value) => Some(*value as f64),
            Self::Choice(value) => value.as_f64(),
        }
    }
}

/// What one parameter may be.
#[derive(Clone, Debug, PartialEq)]
pub enum Distribution {
    /// A real number in `[low, high]`, even on the logarithm when `log`, on the grid `low + k * step` when stepped.
    Float {
        /// Smallest value.
        low: f64,
        /// Largest value; a multiple of `step` above `low` when there is a step.
        high: f64,
        /// Whether ratios rather than differences matter.
        log: bool,
        /// Distance of grid points.
        step: Option<f64>,
    },
    /// A whole number in `[low, high]`.
    Int {
        /// Smallest value.
        low: i64,
        /// Largest value; a multiple of `step` above `low`.
        high: i64,
        /// Whether ratios rather than differences matter.
        log: bool,
        /// Distance of grid points.
        step: i64,
    },
    /// One of several scalars without an order.
    Choice(Vec<Value>),
}

/// A named parameter and the conditions under which it exists.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// What it may be.
    pub distribution: Distribution,
    /// Parent parameter -> values of it under which this parameter exists. All must hold.
    pub when: BTreeMap<String, Vec<Value>>,
}

/// A checked search space: at least one parameter, no cycle among conditions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "SpaceFile", into = "SpaceFile")]
pub struct SearchSpace {
    parameters: Vec<Parameter>,
    /// Positions of parameters, parents before children.
    order: Vec<usize>,
    /// Positions of parameters with equal conditions, parents before children.
    groups: Vec<Vec<usize>>,
    /// For every parameter: (position of the parent, which of its cells allow this parameter).
    gates: Vec<Vec<(usize, Vec<u64>)>>,
    axes: Vec<Axis>,
}

impl SearchSpace {
    /// The parameters, sorted by name.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Number of parameters, conditional ones included.
    pub fn dimension(&self) -> usize {
        self.parameters.len()
    }

    /// The coordinate of every parameter, in the order of [`SearchSpace::parameters`].
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// Positions of parameters, parents before children.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// Positions of the parameters that share their conditions and are sampled jointly, parents first.
    pub fn groups(&self) -> &[Vec<usize>] {
        &self.groups
    }

    /// Says whether every parameter has countable values.
    pub fn is_discrete(&self) -> bool {
        self.axes.iter().all(|axis| axis.cells().is_some())
    }

    /// Says whether a parameter exists at a point whose parents are already set.
    pub fn is_active(&self, parameter: usize, point: &[f64]) -> bool {
        self.gates[parameter]
            .iter()
            .all(|(parent, cells)| point[*parent] >= 0.0 && cells.contains(&(point[*parent] as u64)))
    }
}

/// Equality of scalars where `1` and `1.0` are the same number.
pub(crate) fn same_scalar(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => match (x.as_i64(), y.as_i64()) {
            (Some(x), Some(y)) => x == y,
            _ => x.as_f64() == y.as_f64(),
        },
        _ => a == b,
    }
}

#[cfg(test)]
mod tests;
