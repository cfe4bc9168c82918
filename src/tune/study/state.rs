//! What a study meets outside: observers and checkpoints.

use std::sync::Mutex;

use super::super::trial::Trial;
use super::{Cause, StudyState};

/// Hears of finished trials.
pub trait StudyObserver {
    /// Called for every newly finished trial, in the order of their numbers, with the best one so far.
    fn on_trial(&mut self, trial: &Trial, best: Option<&Trial>);
}

/// An observer that does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObserver;

impl StudyObserver for NoObserver {
    fn on_trial(&mut self, _: &Trial, _: Option<&Trial>) {}
}

impl<F: FnMut(&Trial, Option<&Trial>)> StudyObserver for F {
    fn on_trial(&mut self, trial: &Trial, best: Option<&Trial>) {
        self(trial, best);
    }
}

/// Keeps the state of a study between runs.
///
/// A state is complete: an implementation replaces what it holds, atomically, or leaves it.
pub trait StudyCheckpoint {
    /// The stored study, when there is one.
    ///
    /// # Errors
    /// It exists but cannot be read.
    fn load(&self) -> Result<Option<StudyState>, Cause>;

    /// Replaces the stored study.
    ///
    /// # Errors
    /// It cannot be written; the study stops.
    fn save(&self, state: &StudyState) -> Result<(), Cause>;

    /// Trials between two saves; the end of a study is always saved.
    fn every(&self) -> u64 {
        1
    }
}

/// A checkpoint in memory.
#[derive(Debug, Default)]
pub struct MemoryCheckpoint(Mutex<Option<StudyState>>);

impl MemoryCheckpoint {
    /// A checkpoint that holds a study.
    pub fn holding(state: StudyState) -> Self {
        Self(Mutex::new(Some(state)))
    }
}

impl StudyCheckpoint for MemoryCheckpoint {
    fn load(&self) -> Result<Option<StudyState>, Cause> {
        Ok(self.0.lock().map_err(|poisoned| poisoned.to_string())?.clone())
    }

    fn save(&self, state: &StudyState) -> Result<(), Cause> {
        *self.0.lock().map_err(|poisoned| poisoned.to_string())? = Some(state.clone());
        Ok(())
    }
}
