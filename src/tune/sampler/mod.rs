//! Samplers: pure functions from what is known to the next point.
//!
//! A sampler sees the space, the finished trials it may know, the points of pending trials, the number of the trial and
//! the seed of the study. It keeps nothing: asked twice, it answers the same.
//!
//! **Stream version 1**: trial `n` draws from `seed.derive("trial").index(n)`, the start-up design from
//! `seed.derive("startup").derive(parameter name)`. `exp`, `ln` and `erfc` come from `libm`, so that the bits are the
//! same on every platform. Anything that changes a proposal bumps [`STREAM_VERSION`].

mod discrete;
mod history;
mod mixture;
mod startup;
mod tpe;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::base::{RandomStream, Seed, schema};

use super::space::{Params, SearchSpace};
use super::study::Direction;
use super::trial::Trial;

pub use history::History;

/// Version of the map from seeds to proposals; stored with every study.
pub const STREAM_VERSION: u32 = 1;

/// What a sampler may look at.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The space.
    pub space: &'a SearchSpace,
    /// Finished trials that this proposal may depend on.
    pub history: &'a History,
    /// Rows of trials that are proposed but not known to be finished.
    pub pending: &'a [Vec<f64>],
    /// Number of the trial to propose.
    pub number: u64,
    /// Seed of the study.
    pub seed: Seed,
    /// Trials before this number do not look at the history.
    pub startup_trials: u64,
}

impl Request<'_> {
    fn stream(&self) -> RandomStream {
        self.seed.derive("trial").index(self.number).stream()
    }
}

/// A row of the table of samplers.
struct Row {
    kind: SamplerKind,
    name: &'static str,
    summary: &'static str,
    propose: fn(&Request) -> Option<Vec<f64>>,
}

/// The samplers that exist.
const SAMPLERS: [Row; 3] = [
    Row {
        kind: SamplerKind::Tpe,
        name: "tpe",
        summary: "tree-structured Parzen estimator: good trials weighted by improvement, smoothed choices, no duplicates",
        propose: tpe::propose_tpe,
    },
    Row {
        kind: SamplerKind::Optuna5,
        name: "optuna5",
        summary: "tree-structured Parzen estimator with the defaults of Optuna 5, for comparison",
        propose: tpe::propose_optuna5,
    },
    Row {
        kind: SamplerKind::Random,
        name: "random",
        summary: "independent uniform draws (log-uniform on a log scale), without duplicates in discrete spaces",
        propose: startup::propose_random,
    },
];

/// Samplers that are planned; asking for one is an error of its own.
const NOT_BUILT: [&str; 4] = ["auto", "gp", "grid", "sobol"];

/// Which sampler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum SamplerKind {
    /// The default.
    #[default]
    Tpe,
    /// The reference algorithm.
    Optuna5,
    /// Uniform draws.
    Random,
}

/// Why a sampler cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SamplerError {
    /// A planned sampler.
    #[error("sampler `{name}` is not built yet; expected one of {}", listed())]
    NotBuilt {
        /// What was asked for.
        name: String,
    },
    /// No sampler at all.
    #[error("no sampler `{name}`; expected one of {}", listed())]
    Unknown {
        /// What was asked for.
        name: String,
    },
}

fn listed() -> String {
    SamplerKind::all().map(|kind| format!("`{kind}`")).collect::<Vec<_>>().join(", ")
}

impl SamplerKind {
    /// Every sampler that exists.
    pub fn all() -> impl Iterator<Item = Self> {
        SAMPLERS.iter().map(|row| row.kind)
    }

    /// Its name in a file.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// What it does, in a line.
    pub fn summary(self) -> &'static str {
        self.row().summary
    }

    fn row(self) -> &'static Row {
        match self {
            Self::Tpe => &SAMPLERS[0],
            Self::Optuna5 => &SAMPLERS[1],
            Self::Random => &SAMPLERS[2],
        }
    }
}

impl fmt::Display for SamplerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SamplerKind {
    type Err = SamplerError;

    fn from_str(name: &str) -> Result<Self, SamplerError> {
        match SAMPLERS.iter().find(|row| row.name == name) {
            Some(row) => Ok(row.kind),
            None if NOT_BUILT.contains(&name) => Err(SamplerError::NotBuilt { name: name.to_owned() }),
            None => Err(SamplerError::Unknown { name: name.to_owned() }),
        }
    }
}

impl Serialize for SamplerKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for SamplerKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for SamplerKind {
    fn schema_name() -> Cow<'static, str> {
        "SamplerKind".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema::words(SAMPLERS.iter().map(|row| (row.name, &[][..], row.summary)))
    }
}

/// A sampler and its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SamplerConfig {
    /// Which sampler.
    #[serde(default)]
    pub kind: SamplerKind,
    /// Trials before this number are spread over the space without looking at results.
    #[serde(default = "default_startup")]
    pub startup_trials: u64,
}

const fn default_startup() -> u64 {
    10
}

impl Default for SamplerConfig {
    fn default() -> Self {
        Self { kind: SamplerKind::default(), startup_trials: default_startup() }
    }
}

impl From<SamplerKind> for SamplerConfig {
    fn from(kind: SamplerKind) -> Self {
        Self { kind, ..Self::default() }
    }
}

/// Proposes the next row; `None` once a discrete space holds nothing new.
pub fn propose(kind: SamplerKind, request: &Request) -> Option<Vec<f64>> {
    (kind.row().propose)(request)
}

/// Proposes the next values from plain records; `None` once a discrete space holds nothing new.
///
/// Trials and pending points outside the space (of an earlier, wider study) are left out.
pub fn suggest(
    config: &SamplerConfig,
    space: &SearchSpace,
    direction: Direction,
    finished: &[Trial],
    pending: &[Params],
    number: u64,
    seed: Seed,
) -> Option<Params> {
    let mut history = History::new(space, direction);
    for trial in finished {
        history.push(space, trial);
    }
    let pending: Vec<Vec<f64>> = pending.iter().filter_map(|params| space.encode(params)).collect();
    let startup_trials = config.startup_trials;
    let request = Request { space, history: &history, pending: &pending, number, seed, startup_trials };
    propose(config.kind, &request).map(|point| space.decode(&point))
}

#[cfg(test)]
mod acceptance;
#[cfg(test)]
mod tests;
