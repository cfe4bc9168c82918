//! Studies: trials on a fixed-lag schedule, run by argmin.
//!
//! # Schedule
//! Trial `n` is proposed from the results of trials up to `n - lag` and the points of the `lag - 1` trials in between,
//! whether or not those happen to be finished. The lag is part of the study, never the number of cores: the list of
//! trials is the same for any number of threads, any timing and after any interruption. Up to `lag` trials are
//! evaluated at the same time.
//!
//! # Who runs where
//! argmin's `Executor` is not `Send` and keeps its observers for ever (`'static`), so it lives on a thread of its own
//! and decides; the calling thread acts: it evaluates objectives (with rayon, in the pool it is in), tells the
//! observer, loads and saves checkpoints.
//!
//! # Not guaranteed
//! A study continued with another effective lag keeps the lag it began with; its trials then differ from those of an
//! uninterrupted longer study. With the default lag this concerns studies begun with fewer than 80 trials.

mod act;
mod solver;
mod state;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{CancelToken, Seed};

use super::sampler::{STREAM_VERSION, SamplerConfig, SamplerError};
use super::space::SearchSpace;
use super::trial::{Evaluation, Proposal, Trial, TrialState};

pub use state::{MemoryCheckpoint, NoObserver, StudyCheckpoint, StudyObserver};

/// Version of the stored [`StudyState`].
pub const STATE_VERSION: u32 = 1;

/// What is better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Larger scores.
    #[default]
    Maximize,
    /// Smaller scores.
    Minimize,
}

impl Direction {
    /// The score as something to minimise.
    pub fn loss(self, score: f64) -> f64 {
        match self {
            Self::Maximize => -score,
            Self::Minimize => score,
        }
    }
}

/// How a study is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudyConfig {
    /// Who proposes.
    #[serde(default)]
    pub sampler: SamplerConfig,
    /// Trials in all, those of earlier runs of the same study included.
    #[serde(default = "default_trials")]
    pub trials: u64,
    /// The seed all randomness derives from.
    #[serde(default = "default_seed")]
    pub seed: Seed,
    /// How many trials behind a proposal its knowledge ends; 1 is one trial after the other. At most `trials / 20`.
    #[serde(default = "default_lag")]
    pub lag: u64,
    /// Whether larger or smaller scores are better.
    #[serde(default)]
    pub direction: Direction,
}

const fn default_trials() -> u64 {
    100
}

const fn default_seed() -> Seed {
    Seed::new(0)
}

const fn default_lag() -> u64 {
    4
}

impl Default for StudyConfig {
    fn default() -> Self {
        Self {
            sampler: SamplerConfig::default(),
            trials: default_trials(),
            seed: default_seed(),
            lag: default_lag(),
            direction: Direction::default(),
        }
    }
}

impl StudyConfig {
    /// The lag in force: at least 1, at most a twentieth of the trials, since what a sampler does not know yet it
    /// cannot use.
    pub fn effective_lag(&self) -> u64 {
        self.lag.min(self.trials / 20).max(1)
    }
}

/// Everything needed to continue a study, bit for bit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StudyState {
    /// Version of this record.
    pub version: u32,
    /// Version of the map from seeds to proposals.
    pub stream_version: u32,
    /// The space.
    pub space: SearchSpace,
    /// Who proposes.
    pub sampler: SamplerConfig,
    /// The seed.
    pub seed: Seed,
    /// The lag in force since the first trial.
    pub lag: u64,
    /// What is better.
    pub direction: Direction,
    /// Trials of an earlier study that the sampler knows from the beginning; never best, and not counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Trial>,
    /// Finished trials 0, 1, 2, ...
    pub trials: Vec<Trial>,
    /// Finished trials beyond the first unfinished one.
    pub ahead: BTreeMap<u64, Trial>,
}

impl StudyState {
    /// A study without trials.
    pub fn new(space: &SearchSpace, config: &StudyConfig) -> Self {
        Self {
            version: STATE_VERSION,
            stream_version: STREAM_VERSION,
            space: space.clone(),
            sampler: config.sampler,
            seed: config.seed,
            lag: config.effective_lag(),
            direction: config.direction,
            earlier: Vec::new(),
            trials: Vec::new(),
            ahead: BTreeMap::new(),
        }
    }

    /// Begins with the trials of an earlier study that lie inside this space.
    #[must_use]
    pub fn warmed(mut self, earlier: &[Trial]) -> Self {
        let inside = earlier.iter().filter(|trial| self.space.encode(&trial.params).is_some());
        self.earlier = inside.cloned().collect();
        self
    }

    /// The complete trial with the best score, the earliest among equals.
    pub fn best(&self) -> Option<&Trial> {
        best_of(&self.trials, self.direction)
    }

    /// Checks that this study is the one a configuration describes.
    fn check(&self, fresh: &Self) -> Result<(), TuneError> {
        for (record, found, known) in
            [("state", self.version, STATE_VERSION), ("stream", self.stream_version, STREAM_VERSION)]
        {
            if found != known {
                return Err(TuneError::Version { record, found, known });
            }
        }
        let same = [
            ("space", self.space == fresh.space),
            ("sampler", self.sampler == fresh.sampler),
            ("seed", self.seed == fresh.seed),
            ("direction", self.direction == fresh.direction),
            ("earlier study", self.earlier == fresh.earlier),
        ];
        if let Some((field, _)) = same.into_iter().find(|(_, same)| !same) {
            return Err(TuneError::OtherStudy { field });
        }
        let numbered = self.trials.iter().zip(0..).all(|(trial, number)| trial.number == number);
        let ahead = self.ahead.iter().all(|(number, trial)| trial.number == *number && *number >= self.next());
        let inside = self.trials.iter().chain(self.ahead.values());
        let inside = inside.into_iter().all(|trial| self.space.encode(&trial.params).is_some());
        if self.lag >= 1 && numbered && ahead && inside { Ok(()) } else { Err(TuneError::Inconsistent) }
    }

    /// Number of the first trial that is not finished.
    fn next(&self) -> u64 {
        self.trials.len() as u64
    }
}

/// The complete trial with the best score, the earliest among equals.
pub(super) fn best_of(trials: &[Trial], direction: Direction) -> Option<&Trial> {
    let loss = |trial: &Trial| trial.value.map_or(f64::INFINITY, |value| direction.loss(value));
    trials
        .iter()
        .filter(|trial| trial.state == TrialState::Complete && trial.value.is_some())
        .reduce(|best, other| if loss(other) < loss(best) { other } else { best })
}

/// Why a study ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StudyEnd {
    /// All trials were run.
    Finished,
    /// Every point of a discrete space was tried.
    Exhausted,
    /// Someone asked for a stop.
    Cancelled,
}

/// A study that ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Study {
    /// Everything that was tried, and what it takes to continue.
    pub state: StudyState,
    /// Why it ended.
    pub end: StudyEnd,
}

impl Study {
    /// Finished trials in the order of their numbers.
    pub fn trials(&self) -> &[Trial] {
        &self.state.trials
    }

    /// The complete trial with the best score, the earliest among equals; `None` when no trial is complete.
    pub fn best(&self) -> Option<&Trial> {
        self.state.best()
    }
}

/// What a caller's checkpoint or observer may fail with.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a study cannot run.
#[derive(Debug, thiserror::Error)]
pub enum TuneError {
    /// There is nothing to do.
    #[error("expected at least 1 trial, found 0")]
    NoTrials,
    /// The sampler cannot do this.
    #[error(transparent)]
    Sampler(#[from] SamplerError),
    /// The stored study cannot be read by this version.
    #[error("the stored study has {record} version {found}, expected {known}")]
    Version {
        /// Which version.
        record: &'static str,
        /// In the store.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// The stored study is another one.
    #[error("the stored study has another `{field}`; continue it unchanged or begin a new one")]
    OtherStudy {
        /// What differs.
        field: &'static str,
    },
    /// The stored study contradicts itself.
    #[error("the stored study is damaged: its trials are not numbered in order, or lie outside its space")]
    Inconsistent,
    /// The checkpoint could not be read.
    #[error("cannot load the stored study")]
    Load(#[source] Cause),
    /// The checkpoint could not be written. Trials finished since the last save are lost.
    #[error("cannot save the study")]
    Save(#[source] Cause),
    /// The solver broke: a bug.
    #[error("the optimiser stopped: {message}")]
    Solver {
        /// What it said.
        message: String,
    },
}

/// Runs a study to its end, or continues one that a checkpoint holds.
///
/// Trials of an `earlier` study that lie inside the space are known to the sampler from the beginning.
///
/// The objective is called from several threads when the lag allows it; a panic in it is recorded as a failed trial.
/// After a cancellation no further trial begins, those that have begun are finished and kept. The observer hears of
/// every newly finished trial in the order of their numbers.
///
/// # Errors
/// See [`TuneError`]; a failing objective is a failed trial, never an error.
pub fn run_study(
    space: &SearchSpace,
    config: &StudyConfig,
    earlier: &[Trial],
    objective: &(dyn Fn(&Proposal) -> Evaluation + Sync),
    observer: &mut dyn StudyObserver,
    checkpoint: Option<&dyn StudyCheckpoint>,
    cancel: &CancelToken,
) -> Result<Study, TuneError> {
    if config.trials == 0 {
        return Err(TuneError::NoTrials);
    }
    if let Some(defect) = config.sampler.defect(space, config.trials) {
        return Err(defect.into());
    }
    let stored = checkpoint.map_or(Ok(None), |store| store.load().map_err(TuneError::Load))?;
    let fresh = StudyState::new(space, config).warmed(earlier);
    if let Some(state) = &stored {
        state.check(&fresh)?;
    }
    act::run(stored, fresh, config.trials, objective, observer, checkpoint, cancel)
}

#[cfg(test)]
mod tests;
