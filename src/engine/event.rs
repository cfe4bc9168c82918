//! What happens in a run: one stream of events that feeds display, journal and JSON alike.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::artifact::{ArtifactRef, FileRef, Scalar};
use crate::base::{Digest, Timestamp};
use crate::table::LogicalDigest;

/// How a node ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It ran and ended well.
    Succeeded,
    /// Its result was in the store.
    Reused,
    /// It was not to run, or had too little data.
    Skipped,
    /// It failed.
    Failed,
    /// It was stopped.
    Cancelled,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// No node failed.
    Succeeded,
    /// A node failed.
    Failed,
    /// It was asked to stop.
    Cancelled,
}

/// One try of a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// When it started.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// Why it did not end well; else empty.
    pub reason: String,
    /// Its log, where it wrote any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<FileRef>,
}

/// What became of a node in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeRecord {
    /// The node.
    pub node: String,
    /// Its kind.
    pub kind: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was skipped or failed; else empty.
    pub reason: String,
    /// The result in one line.
    pub summary: String,
    /// Its cache key, where it got that far.
    pub fingerprint: Option<Digest>,
    /// What was hashed into the key; null in reports, which leave it to the record in the store.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub parts: Value,
    /// Artifacts by port.
    pub outputs: BTreeMap<String, ArtifactRef>,
    /// Digests of the values of every table among the artifacts, by port or `port/file`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub logical: BTreeMap<String, LogicalDigest>,
    /// Values by name.
    pub values: BTreeMap<String, Scalar>,
    /// The run that computed it: this one, or the one it was reused from.
    pub made_by: Option<String>,
    /// Digests by port that another execution gave for the same key, where they differ from ours.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub nondeterministic: BTreeMap<String, Digest>,
    /// Where those differ first, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<String>,
    /// The number of threads that it was executed on a second time, to see whether it gives the same bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeated_on: Option<usize>,
    /// The tries, first to last; none where it did not run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<AttemptRecord>,
    /// When it started.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
}

impl NodeRecord {
    /// Says whether another execution gave something else for the same inputs.
    pub fn is_doubtful(&self) -> bool {
        !self.nondeterministic.is_empty() || !self.differences.is_empty()
    }
}

/// Something that happened.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunEvent {
    /// The run began.
    RunStarted {
        /// The run.
        run: String,
        /// The pipeline's name.
        pipeline: String,
        /// How many nodes it has.
        nodes: usize,
        /// When.
        at: Timestamp,
    },
    /// A node began to run.
    NodeStarted {
        /// The node.
        node: String,
        /// Its kind.
        kind: String,
        /// When.
        at: Timestamp,
    },
    /// A node got further.
    Progress {
        /// The node.
        node: String,
        /// Steps done.
        done: u64,
        /// Steps in all.
        total: u64,
        /// What it is at.
        words: String,
    },
    /// An attempt failed and another will be made.
    Retrying {
        /// The node.
        node: String,
        /// The attempt that failed, from 1.
        attempt: u32,
        /// Attempts in all.
        of: u32,
        /// Why it failed.
        reason: String,
        /// Seconds until the next.
        pause: f64,
        /// When it failed.
        at: Timestamp,
    },
    /// A node ended, whichever way.
    NodeEnded {
        /// What became of it.
        record: Box<NodeRecord>,
    },
    /// The run was asked to stop and waits for running nodes.
    Stopping {
        /// When.
        at: Timestamp,
    },
    /// The run ended.
    RunEnded {
        /// How.
        status: RunStatus,
        /// When.
        at: Timestamp,
    },
}
