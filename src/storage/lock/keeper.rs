//! Keeps a lease while its lock lives: renews it in the background, notices when it is lost, gives it back at the end.

use std::pin::Pin;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Sleep, sleep};

use super::lease::{LeaseLog, Tenure};
use crate::base::CancelToken;
use crate::storage::StorageError;

/// A term of a lease as its holder counts it. It begins before its entry is asked for, so that the holder takes it for
/// over before anyone else does.
pub(super) struct Term {
    renewal: Pin<Box<Sleep>>,
    end: Pin<Box<Sleep>>,
}

impl Term {
    pub(super) fn begin(ttl: Duration) -> Self {
        Self { renewal: Box::pin(sleep(ttl / 3)), end: Box::pin(sleep(ttl)) }
    }
}

/// A lease with the task that renews it. Dropping the value lets the task give the lease back and end.
#[derive(Debug)]
pub(super) struct KeptLease {
    fence: u64,
    /// Never sent to: closing it is the sign.
    held: oneshot::Sender<()>,
    task: JoinHandle<Result<(), StorageError>>,
}

impl KeptLease {
    /// Renews a lease from now on.
    pub(super) fn keep(log: LeaseLog, tenure: Tenure, term: Term, lost: CancelToken) -> Self {
        let fence = tenure.fence;
        let (held, given_up) = oneshot::channel();
        let task = tokio::spawn(async move {
            match renew_until(given_up, &log, tenure, term).await {
                Some(tenure) => log.release(&tenure).await,
                None => {
                    lost.cancel();
                    Ok(())
                }
            }
        });
        Self { fence, held, task }
    }

    pub(super) const fn fence(&self) -> u64 {
        self.fence
    }

    pub(super) async fn release(self) -> Result<(), StorageError> {
        drop(self.held);
        // a task that ended without an answer was lost with its runtime: the lease expires
        self.task.await.unwrap_or(Ok(()))
    }
}

/// Renews until the holder gives up, and returns what is then to be given back; `None` when the lease is lost.
async fn renew_until(
    mut given_up: oneshot::Receiver<()>,
    log: &LeaseLog,
    mut tenure: Tenure,
    mut term: Term,
) -> Option<Tenure> {
    loop {
        tokio::select! {
            biased;
            _ = &mut given_up => return Some(tenure),
            () = &mut term.end => return None,
            () = &mut term.renewal => {}
        }
        let next = Term::begin(log.terms().ttl);
        let renewed = tokio::select! {
            biased;
            () = &mut term.end => false,
            renewed = renew(log, &mut tenure) => renewed,
        };
        if !renewed {
            return None;
        }
        term = next;
    }
}

/// Asks until there is an answer.
async fn renew(log: &LeaseLog, tenure: &mut Tenure) -> bool {
    loop {
        match log.renew(tenure).await {
            Ok(renewed) => return renewed,
            Err(_) => sleep(log.terms().ttl / 12).await,
        }
    }
}
