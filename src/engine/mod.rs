//! Runs a pipeline: resolves each node as soon as those before it have ended, runs what must run, records everything.
//!
//! Write order, so that a kill at any moment leaves a store that the next run continues from: blobs, then the action
//! that names them, then the node's record, then the end of the run. A run without an end was interrupted; there is
//! nothing to resume by hand, because finished nodes are found by their fingerprints.
//!
//! Node bodies are synchronous and run on blocking threads inside one thread pool; how many threads that has never
//! reaches a result.

mod attempt;
mod event;
mod exclusive;
pub mod gc;
mod journal;
mod publish;
mod scheduler;
mod sources;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::artifact::{Store, StoreError};
use crate::base::{CancelToken, Timestamp};
use crate::pipeline::Pipeline;

pub use event::{NodeRecord, Outcome, RunEvent, RunStatus};
pub use exclusive::{Admission, OnConflict, acquire, enter, group_lock_name, is_live, live_runs, run_lock_name};
pub use journal::{EndRecord, RunView, StartRecord, last_parts, list_runs, read_run};
pub use scheduler::run;
pub use sources::{PinnedSources, pin};

/// What a run needs from outside.
pub struct RunOptions {
    /// Unique id of the run: a version 7 UUID.
    pub run_id: String,
    /// How many nodes may run at once.
    pub jobs: usize,
    /// The pool that node bodies compute on.
    pub pool: Arc<rayon::ThreadPool>,
    /// Tells the time for records.
    pub now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Asks the run to stop.
    pub cancel: CancelToken,
    /// Takes every event as it happens.
    pub events: mpsc::UnboundedSender<RunEvent>,
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
    /// How it ended.
    pub status: RunStatus,
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

/// What the parts of a run share.
struct Shared<'a> {
    pipeline: &'a Pipeline,
    store: &'a Store,
    options: &'a RunOptions,
    sources: PinnedSources,
}
