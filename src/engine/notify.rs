//! Who is to be told of a run. What is due is written down before the run's end is, and crossed out when it was sent:
//! a run that is killed in between is told of by the next one. So everyone is told at least once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::event::RunStatus;
use crate::artifact::{Scalar, Store, StoreError};
use crate::pipeline::Pipeline;
use crate::pipeline::condition::{Known, Reference, Verdict, evaluate};
use crate::plan::{NodeState, known};

/// A message that is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DueNotification {
    /// The run that it tells of.
    pub run: String,
    /// The name of its pipeline.
    pub pipeline: String,
    /// Which entry of `notify` it is, from 0.
    pub index: usize,
}

impl DueNotification {
    fn name(&self) -> String {
        format!("outbox/{}-{}.json", self.run, self.index)
    }

    /// Crosses it out.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub async fn done(&self, store: &Store) -> Result<(), StoreError> {
        Ok(store.storage().remove(&self.name()).await?)
    }
}

/// The entries of `notify` whose condition holds. One that depends on a node that has no values does not hold.
pub(super) fn due(pipeline: &Pipeline, states: &BTreeMap<String, NodeState>, status: RunStatus) -> Vec<usize> {
    let word = match status {
        RunStatus::Succeeded => "succeeded",
        RunStatus::Failed => "failed",
        RunStatus::Cancelled => "cancelled",
    };
    let look_up = |reference: &Reference| match reference {
        Reference::RunStatus => Known::Value(Scalar::text(word)),
        other => known(pipeline, states, other),
    };
    let holds = |entry: &crate::pipeline::Notify| {
        entry.when.as_ref().is_none_or(|when| evaluate(when, &look_up) == Verdict::Decided(true))
    };
    pipeline.notify.iter().filter(|entry| holds(entry)).map(|entry| entry.index).collect()
}

/// Writes down what is due.
pub(super) async fn write_down(store: &Store, due: &DueNotification) -> Result<(), StoreError> {
    store.commit_record(&due.name(), due).await.map(drop)
}

/// Everything that is due and was not sent, oldest first. What cannot be read is left out: there is nothing to send.
///
/// # Errors
/// The store cannot be reached.
pub async fn outbox(store: &Store) -> Result<Vec<DueNotification>, StoreError> {
    let mut found = Vec::new();
    for name in store.storage().list("outbox").await? {
        match store.read_record(&name).await {
            Ok(due) => found.extend(due),
            Err(StoreError::Record { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}
