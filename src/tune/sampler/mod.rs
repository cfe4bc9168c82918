//! Samplers: pure functions from what is known to the next point.
//!
//! A sampler sees the space, the finished trials it may know, the points of pending trials, the number of the trial and
//! the seed of the study. It keeps nothing: asked twice, it answers the same.
//!
//! **Stream version 2**: trial `n` draws from `seed.derive("trial").index(n)` (`tpe` its kernel widths from
//! `seed.derive("width").index(n)`), the start-up design from `seed.derive("startup").derive(parameter name)`. `exp`, `ln` and `erfc` come from `libm`, so that the bits are the
//! same on every platform. Anything that changes a proposal bumps [`STREAM_VERSION`].

mod auto;
mod discrete;
mod exponential;
mod gp;
mod grid;
mod history;
mod mixture;
mod sobol;
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
pub const STREAM_VERSION: u32 = 2;

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
    /// Values of a continuous parameter on a grid.
    pub levels: u64,
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

/// The samplers, in the order of [`SamplerKind`].
const SAMPLERS: [Row; 7] = [
    Row {
        kind: SamplerKind::Tpe,
        name: "tpe",
        summary: "tree-structured Parzen estimator: good trials weighted by improvement, smoothed choices, no duplicates",
        propose: tpe::propose_tpe,
    },
    Row {
        kind: SamplerKind::Gp,
        name: "gp",
        summary: "Gaussian process and expected improvement: fewer trials to a good point, more time for each",
        propose: gp::propose_gp,
    },
    Row {
        kind: SamplerKind::Auto,
        name: "auto",
        summary: "`gp` for the first 250 trials of at most 20 parameters, `tpe` after and otherwise",
        propose: auto::propose_auto,
    },
    Row {
        kind: SamplerKind::Random,
        name: "random",
        summary: "independent uniform draws (log-uniform on a log scale), without duplicates in discrete spaces",
        propose: startup::propose_random,
    },
    Row {
        kind: SamplerKind::Sobol,
        name: "sobol",
        summary: "a scrambled Sobol sequence: random draws without gaps and clusters",
        propose: sobol::propose_sobol,
    },
    Row {
        kind: SamplerKind::Grid,
        name: "grid",
        summary: "every combination once, in shuffled order; continuous parameters take `levels` values",
        propose: grid::propose_grid,
    },
    Row {
        kind: SamplerKind::Optuna5,
        name: "optuna5",
        summary: "tree-structured Parzen estimator with the defaults of Optuna 5, for comparison",
        propose: tpe::propose_optuna5,
    },
];

/// Which sampler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum SamplerKind {
    /// The default.
    #[default]
    Tpe,
    /// A model of the results.
    Gp,
    /// A model of the results while it is cheap, the default beyond.
    Auto,
    /// Uniform draws.
    Random,
    /// A sequence of low discrepancy.
    Sobol,
    /// All combinations.
    Grid,
    /// The reference algorithm.
    Optuna5,
}

/// Why a sampler cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SamplerError {
    /// No sampler at all.
    #[error("no sampler `{name}`; expected one of {}", listed())]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// A continuous parameter would have no value.
    #[error("expected at least 1 of `levels`, found 0")]
    NoLevels,
    /// More combinations than can be listed.
    #[error(
        "a grid has at most {most} points, this space has more: use fewer `levels` or larger steps, or sampler `sobol`"
    )]
    GridTooLarge {
        /// How many.
        most: u64,
    },
    /// Beyond the table of directions.
    #[error("sampler `sobol` has {what} for at most {most}, found {found}; use `random`")]
    SobolTooLarge {
        /// Of what.
        what: &'static str,
        /// How many.
        most: u64,
        /// How many are asked for.
        found: u64,
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
        &SAMPLERS[self as usize]
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
    /// Trials before this number are spread over the space without looking at results; unset: 8 for `tpe`, otherwise 10.
    #[serde(default)]
    pub startup_trials: Option<u64>,
    /// Values of every continuous parameter on the grid of `grid`, both ends included.
    #[serde(default = "default_levels")]
    #[schemars(range(min = 1))]
    pub levels: u64,
}

const fn default_levels() -> u64 {
    5
}

impl Default for SamplerConfig {
    fn default() -> Self {
        Self { kind: SamplerKind::default(), startup_trials: None, levels: default_levels() }
    }
}

impl From<SamplerKind> for SamplerConfig {
    fn from(kind: SamplerKind) -> Self {
        Self { kind, ..Self::default() }
    }
}

impl SamplerConfig {
    /// Trials before this number do not look at the history.
    pub fn startup(&self) -> u64 {
        // with a lag the first informed proposal knows even less than these: waiting longer costs more than it tells
        let of_kind = if self.kind == SamplerKind::Tpe { 8 } else { 10 };
        self.startup_trials.unwrap_or(of_kind)
    }

    /// Says why this sampler cannot run that many trials of a space, where it cannot.
    pub fn defect(&self, space: &SearchSpace, trials: u64) -> Option<SamplerError> {
        match self.kind {
            _ if self.levels == 0 => Some(SamplerError::NoLevels),
            SamplerKind::Grid if discrete::all(space, Some(self.levels)).is_none() => {
                Some(SamplerError::GridTooLarge { most: discrete::MOST_LISTED })
            }
            SamplerKind::Sobol => [
                ("points", sobol::MOST_POINTS, trials),
                ("directions", sobol::MOST_PARAMETERS as u64, space.dimension() as u64),
            ]
            .into_iter()
            .find(|(_, most, found)| found > most)
            .map(|(what, most, found)| SamplerError::SobolTooLarge { what, most, found }),
            _ => None,
        }
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
    let (startup_trials, levels) = (config.startup(), config.levels);
    let request = Request { space, history: &history, pending: &pending, number, seed, startup_trials, levels };
    propose(config.kind, &request).map(|point| space.decode(&point))
}

#[cfg(test)]
mod acceptance;
#[cfg(test)]
mod tests;
