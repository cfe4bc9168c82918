//! What a study leaves: everything that reports, later studies and the command line need, in one file.

use serde::{Deserialize, Serialize};

use super::ObjectiveConfig;
use super::objective::{Layout, Score};
use super::overfitting::Overfitting;
use crate::base::Digest;
use crate::tune::importance::ImportanceReport;
use crate::tune::plateau::Plateau;
use crate::tune::pruner::Pruner;
use crate::tune::{Direction, SamplerConfig, SearchSpace, Trial};

/// Version of the stored record.
pub(super) const RECORD_VERSION: u32 = 2;

/// A finished study.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StudyRecord {
    /// Version of this record.
    pub version: u32,
    /// Hash of the data and the metric: studies that share it searched the same market.
    pub search: Digest,
    /// What was made large or small, and under which constraints.
    pub objective: ObjectiveConfig,
    /// Which way is better.
    pub direction: Direction,
    /// Who proposed.
    pub sampler: SamplerConfig,
    /// Who stopped trials early.
    pub pruner: Pruner,
    /// What was searched.
    pub space: SearchSpace,
    /// Windows, as ranges of sessions.
    pub layout: Layout,
    /// The best trial.
    pub best: Trial,
    /// The strategy as it came in, on the validation folds.
    pub before: Score,
    /// Both on the sessions that no trial saw.
    pub holdout: Holdout,
    /// Which parameters mattered.
    pub importance: ImportanceReport,
    /// The best trial beside its neighbours.
    pub plateau: Option<Plateau>,
    /// How much of the result is luck.
    pub overfitting: Overfitting,
    /// Trials of an earlier study that the sampler began with.
    pub earlier: usize,
    /// Every trial, in order.
    pub trials: Vec<Trial>,
}

/// The one look at the holdout.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Holdout {
    /// The strategy with the values of the best trial.
    pub best: Score,
    /// The strategy as it came in.
    pub before: Score,
}

impl StudyRecord {
    /// Reads a stored study.
    ///
    /// # Errors
    /// It is no study, or one of a version that this program does not read.
    pub fn read(bytes: &[u8]) -> Result<Self, StudyRecordError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let Versioned { version } = serde_json::from_slice(bytes).map_err(StudyRecordError::Unreadable)?;
        if version != RECORD_VERSION {
            return Err(StudyRecordError::Version { found: version, known: RECORD_VERSION });
        }
        serde_json::from_slice(bytes).map_err(StudyRecordError::Unreadable)
    }
}

/// Why a stored study cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StudyRecordError {
    /// Not the JSON of a study.
    #[error("expected the `study` output of `optimize-parameters`, found something else")]
    Unreadable(#[source] serde_json::Error),
    /// Another version.
    #[error("the study has version {found}, this program reads version {known}: run it again")]
    Version {
        /// In the file.
        found: u32,
        /// Ours.
        known: u32,
    },
}
