//! Who may go on beside whom: what a run does when another one of its group is under way, and that no run begins while
//! a sweep removes what it could reuse.
//!
//! Groups save work and nothing else: two runs at once come to the same bytes, and only one of them deploys.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::sleep;

use crate::base::CancelToken;
use crate::pipeline::OnConflict;
use crate::storage::{Acquired, Holder, Lock, Storage, StorageError};

/// The first pause of a run that waits; each is twice as long as the one before.
const SHORTEST: Duration = Duration::from_millis(50);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(1);
/// What the locks of runs begin with.
pub(super) const RUN_LOCKS: &str = "run-";
/// Held while objects are removed.
pub(super) const SWEEP_LOCK: &str = "sweep";
/// How often a pause looks whether the run was asked to stop.
const TICK: Duration = Duration::from_millis(20);

/// The answer to a run that wants to begin.
#[derive(Debug)]
pub enum Admission {
    /// It may, while it holds the lock.
    Granted(Lock),
    /// It is not needed.
    Skipped(Holder),
    /// It must not.
    Refused(Holder),
    /// It waited in vain.
    TimedOut(Holder),
    /// It was asked to stop while it waited.
    Cancelled,
}

/// Asks for the only place of a group. `by` is the id of the run that asks.
///
/// # Errors
/// The store cannot be reached.
pub async fn acquire(
    storage: &Storage,
    group: &str,
    by: &str,
    on_conflict: OnConflict,
    cancel: &CancelToken,
) -> Result<Admission, StorageError> {
    let patience = match on_conflict {
        OnConflict::Wait(timeout) => timeout,
        OnConflict::Skip | OnConflict::Fail => Duration::ZERO,
    };
    let mut deadline = std::pin::pin!(sleep(patience));
    let mut pause = SHORTEST;
    loop {
        if cancel.is_cancelled() {
            return Ok(Admission::Cancelled);
        }
        // known before the last attempt, so that a lock freed just before the deadline is not missed
        let over = deadline.is_elapsed();
        let holder = match storage.try_lock(&group_lock_name(group), by).await? {
            Acquired::Ours(lock) => return Ok(Admission::Granted(lock)),
            Acquired::Busy(holder) => holder,
        };
        match on_conflict {
            OnConflict::Skip => return Ok(Admission::Skipped(holder)),
            OnConflict::Fail => return Ok(Admission::Refused(holder)),
            OnConflict::Wait(_) if over => return Ok(Admission::TimedOut(holder)),
            OnConflict::Wait(_) => {}
        }
        tokio::select! {
            biased;
            () = &mut deadline => {}
            () = rest(pause, cancel) => {}
        }
        pause = (pause * 2).min(LONGEST);
    }
}

/// Pauses, or less when asked to stop.
async fn rest(pause: Duration, cancel: &CancelToken) {
    let mut left = pause;
    while !left.is_zero() && !cancel.is_cancelled() {
        let slice = left.min(TICK);
        sleep(slice).await;
        left -= slice;
    }
}

/// Takes the lock of a run, and waits while a sweep removes objects: a run under way keeps every sweep from removing
/// anything. `None` when asked to stop meanwhile. Not only runs need it: whoever makes something refer to stored objects.
///
/// # Errors
/// The store cannot be reached.
pub async fn enter(storage: &Storage, run: &str, cancel: &CancelToken) -> Result<Option<Lock>, StorageError> {
    let mut pause = SHORTEST;
    let mut ours = None;
    while !cancel.is_cancelled() {
        // our lock first, then a look at the sweep's; a sweep takes its lock first, then looks for ours: one sees the other
        if ours.is_none()
            && let Acquired::Ours(lock) = storage.try_lock(&run_lock_name(run), run).await?
        {
            ours = Some(lock);
        }
        if ours.is_some() && storage.lock_holder(SWEEP_LOCK).await?.is_none() {
            return Ok(ours);
        }
        rest(pause, cancel).await;
        // a sweep that sees us lets go at once: there is little to wait for
        pause = (pause * 2).min(LONGEST / 4);
    }
    Ok(None)
}

/// The runs that are under way, by id.
///
/// # Errors
/// The store cannot be reached.
pub async fn live_runs(storage: &Storage) -> Result<BTreeSet<String>, StorageError> {
    let held = storage.held_locks(RUN_LOCKS).await?;
    Ok(held.into_keys().filter_map(|name| name.strip_prefix(RUN_LOCKS).map(str::to_owned)).collect())
}

/// The lock of a group of runs.
pub fn group_lock_name(group: &str) -> String {
    format!("group-{group}")
}

/// The lock that a run holds while it is under way.
pub fn run_lock_name(run: &str) -> String {
    format!("{RUN_LOCKS}{run}")
}

/// Says whether a run is under way.
///
/// # Errors
/// The store cannot be reached.
pub async fn is_live(storage: &Storage, run: &str) -> Result<bool, StorageError> {
    Ok(storage.lock_holder(&run_lock_name(run)).await?.is_some())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const WAIT: OnConflict = OnConflict::Wait(Duration::from_secs(20));

    async fn ask(storage: &Storage, by: &str, on_conflict: OnConflict) -> Admission {
        acquire(storage, "weekly", by, on_conflict, &CancelToken::new()).await.unwrap()
    }

    async fn granted(storage: &Storage, by: &str) -> Lock {
        match ask(storage, by, OnConflict::Fail).await {
            Admission::Granted(lock) => lock,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_busy_group_is_skipped_refused_or_waited_for_in_vain() {
        let storage = Storage::in_memory();
        let lock = granted(&storage, "first").await;
        let by = |holder: Holder| holder.by;
        let skipped = ask(&storage, "second", OnConflict::Skip).await;
        assert!(matches!(skipped, Admission::Skipped(holder) if by(holder.clone()) == "first"));
        let refused = ask(&storage, "second", OnConflict::Fail).await;
        assert!(matches!(refused, Admission::Refused(holder) if by(holder.clone()) == "first"));
        let timed_out = ask(&storage, "second", OnConflict::Wait(Duration::from_millis(120))).await;
        assert!(matches!(timed_out, Admission::TimedOut(holder) if by(holder.clone()) == "first"));
        drop(lock);
        drop(granted(&storage, "second").await);
    }

    #[tokio::test]
    async fn groups_and_runs_do_not_stand_in_each_others_way() {
        let storage = Storage::in_memory();
        let _group = granted(&storage, "first").await;
        let other = acquire(&storage, "daily", "second", OnConflict::Fail, &CancelToken::new()).await.unwrap();
        assert!(matches!(other, Admission::Granted(_)));
        assert!(!is_live(&storage, "weekly").await.unwrap());
        let run = enter(&storage, "weekly", &CancelToken::new()).await.unwrap().unwrap();
        assert!(is_live(&storage, "weekly").await.unwrap());
        assert_eq!(live_runs(&storage).await.unwrap(), ["weekly".to_owned()].into());
        drop(run);
        assert!(!is_live(&storage, "weekly").await.unwrap());
        assert!(live_runs(&storage).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_run_does_not_begin_during_a_sweep_and_is_seen_while_it_waits() {
        let storage = Storage::in_memory();
        let Acquired::Ours(sweep) = storage.try_lock(SWEEP_LOCK, "gc").await.unwrap() else { panic!("busy") };
        let entering = tokio::spawn({
            let storage = storage.clone();
            async move { enter(&storage, "1", &CancelToken::new()).await.unwrap() }
        });
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!entering.is_finished());
        assert!(is_live(&storage, "1").await.unwrap());
        drop(sweep);
        assert!(entering.await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_run_that_is_asked_to_stop_while_it_waits_for_a_sweep_leaves_no_lock() {
        let storage = Storage::in_memory();
        let _sweep = storage.try_lock(SWEEP_LOCK, "gc").await.unwrap();
        let cancel = CancelToken::new();
        let entering = tokio::spawn({
            let (storage, cancel) = (storage.clone(), cancel.clone());
            async move { enter(&storage, "1", &cancel).await.unwrap() }
        });
        tokio::time::sleep(Duration::from_millis(60)).await;
        cancel.cancel();
        assert!(entering.await.unwrap().is_none());
        assert!(!is_live(&storage, "1").await.unwrap());
    }

    #[tokio::test]
    async fn who_waits_goes_on_when_the_lock_is_freed() {
        let storage = Storage::in_memory();
        let lock = granted(&storage, "first").await;
        let waiting = tokio::spawn({
            let storage = storage.clone();
            async move { ask(&storage, "second", WAIT).await }
        });
        tokio::time::sleep(Duration::from_millis(80)).await;
        assert!(!waiting.is_finished());
        drop(lock);
        assert!(matches!(waiting.await.unwrap(), Admission::Granted(_)));
    }

    #[tokio::test]
    async fn who_waits_and_is_asked_to_stop_stops_at_once() {
        let storage = Storage::in_memory();
        let _lock = granted(&storage, "first").await;
        let cancel = CancelToken::new();
        let waiting = tokio::spawn({
            let (storage, cancel) = (storage.clone(), cancel.clone());
            async move { acquire(&storage, "weekly", "second", WAIT, &cancel).await.unwrap() }
        });
        // by now its pauses are long
        tokio::time::sleep(Duration::from_millis(400)).await;
        let asked = Instant::now();
        cancel.cancel();
        assert!(matches!(waiting.await.unwrap(), Admission::Cancelled));
        assert!(asked.elapsed() < Duration::from_millis(200));
    }

    #[tokio::test]
    async fn a_run_that_was_asked_to_stop_takes_no_lock() {
        let storage = Storage::in_memory();
        let cancel = CancelToken::new();
        cancel.cancel();
        let answer = acquire(&storage, "weekly", "run", OnConflict::Fail, &cancel).await.unwrap();
        assert!(matches!(answer, Admission::Cancelled));
        assert_eq!(storage.lock_holder(&group_lock_name("weekly")).await.unwrap(), None);
    }
}
