//! Runs a pipeline: resolves each node as soon as those before it have ended, runs what must run, records everything.
//!
//! Write order, so that a kill at any moment leaves a store that the next run continues from: blobs, then the action
//! that names them, then the node's record, then the end of the run. A run without an end was interrupted; there is
//! nothing to resume by hand, because finished nodes are found by their fingerprints.
//!
//! Node bodies are synchronous and run on blocking threads inside one thread pool; how many threads that has never
//! reaches a result.

mod attempt;
mod audit;
mod audit_node;
mod child;
mod compare;
mod event;
mod exclusive;
mod files;
pub mod gc;
mod history;
mod interrupted;
mod journal;
mod lineage;
mod log;
mod notify;
mod provenance;
mod publish;
mod queue;
mod repeat;
mod scheduler;
mod sources;
mod threads;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::artifact::StoreError;
use crate::attest::SigningKey;
use crate::base::{CancelToken, Timestamp};
use crate::pipeline::LookUp;

pub use audit::{
    AuditLevel, AuditOptions, AuditReport, AuditStatus, AuditSubject, Check, CheckLine, Finding, RESULT_V0_1, Root,
    Trace, TraceError, TracedArtifact, TracedNode, audit, find_artifact, trace,
};
pub use event::{AttemptRecord, NodeRecord, Outcome, RunEvent, RunStatus};
pub use exclusive::{Admission, acquire, enter, group_lock_name, is_live, live_runs, run_lock_name};
pub use files::{FoundFile, Hold, Room, find_data_files, read_dataset};
pub use history::{history, keep_history, observed};
pub use journal::{EndRecord, RunHead, RunView, StartRecord, last_parts, read_log, read_run, run_before, run_heads};
pub use notify::{DueNotification, outbox};
pub use provenance::PROVENANCE_V1;
pub use scheduler::run;
pub use sources::{PinnedSources, pin};
pub use threads::{Threads, ThreadsError};

/// What a run needs from outside.
pub struct RunOptions {
    /// Unique id of the run: a version 7 UUID.
    pub run_id: String,
    /// How many nodes may run at once.
    pub jobs: usize,
    /// The threads that node bodies compute on.
    pub pool: Arc<Threads>,
    /// Tells the time for records.
    pub now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Asks the run to stop.
    pub cancel: CancelToken,
    /// Takes every event as it happens.
    pub events: mpsc::UnboundedSender<RunEvent>,
    /// How long the run may take.
    pub timeout: Option<Duration>,
    /// Looks variables of the environment up, for nodes that name them.
    pub environment: LookUp,
    /// Makes ids for the runs of pipelines that are nodes.
    pub new_id: Arc<dyn Fn() -> String + Send + Sync>,
    /// The run that this one is a node of.
    pub parent: Option<String>,
    /// Signs what is said of promoted models.
    pub signer: Option<Arc<SigningKey>>,
    /// Every node that runs is executed a second time on these threads, to see whether it gives the same bytes.
    pub check: Option<Arc<Threads>>,
}

impl RunOptions {
    /// The options of a pipeline that is a node of this run.
    fn for_child(&self, node: &str, cancel: CancelToken) -> Self {
        Self {
            run_id: (self.new_id)(),
            jobs: self.jobs,
            pool: Arc::clone(&self.pool),
            now: Arc::clone(&self.now),
            cancel,
            events: self.events.clone(),
            timeout: None,
            environment: Arc::clone(&self.environment),
            new_id: Arc::clone(&self.new_id),
            parent: Some(format!("{}/{node}", self.run_id)),
            signer: self.signer.clone(),
            check: self.check.clone(),
        }
    }
}

/// What became of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunReport {
    /// The run.
    pub run: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// End of the data window.
    pub as_of: Timestamp,
    /// Values of all params.
    pub params: BTreeMap<String, Value>,
    /// How it ended.
    pub status: RunStatus,
    /// Why it did not end well, where it was not a node.
    pub reason: String,
    /// When it started.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// One record a node, in the order of the pipeline.
    pub nodes: Vec<NodeRecord>,
    /// Files that were written outside the store.
    pub published: Vec<String>,
}

/// Why a run could not be carried out or recorded. A node that fails is no such error.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] crate::registry::RegistryError),
    /// A source cannot be read.
    #[error("source `{name}`: {problem}")]
    Source {
        /// The source.
        name: String,
        /// What is wrong and what would mend it.
        problem: String,
    },
    /// A program or a file that a node uses cannot be read.
    #[error("node `{node}`: {problem}")]
    File {
        /// The node.
        node: String,
        /// What is wrong and what would mend it.
        problem: String,
    },
    /// A published file cannot be written.
    #[error("cannot publish to `{path}`")]
    Publish {
        /// The path.
        path: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        // a transparent wrapper repeats its cause's words
        if !words.ends_with(&text) {
            words.push_str(": ");
            words.push_str(&text);
        }
        source = cause.source();
    }
    words
}
