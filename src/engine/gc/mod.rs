//! Garbage collection: removes what no registry entry, no kept run and no pin refers to.
//!
//! | file | what it holds |
//! |---|---|
//! | `retention` | which runs keep their records, and with them all they refer to |
//! | `pins` | what a person keeps |
//! | `mark` | why an object stays: the chain from a root to its digest |
//! | `survey` | every object of the store with its verdict |
//! | `sweep` | candidates, and how they are removed |
//! | `explain` | what keeps one object |
//!
//! An object goes in two steps. The sweep that first finds it unmarked writes it into `gc/<n>.json`; a later sweep, at least
//! the grace after, removes it if it is still unmarked and was not written again in between. Before anything is removed,
//! the lock `sweep` is taken and the locks of runs are looked at: while a run is under way nothing goes, and no run begins
//! while something goes. So a run never loses what it has found, whether or not a record of it is written yet.
//!
//! `registry/`, `FORMAT`, `pins/`, locks that are held and leases of anything but runs that are over are never removed, nor is what this program does not know. Not
//! guaranteed: that a host which was stopped for longer than its lease on S3 notices before its next removal. A run
//! that meets a hole makes the object again, because every read checks it.

mod explain;
mod mark;
mod pins;
mod retention;
mod survey;
mod sweep;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use super::exclusive::{SWEEP_LOCK, live_runs};
use crate::artifact::{Store, StoreError};
use crate::base::Timestamp;
use crate::registry::RegistryError;
use crate::storage::{Acquired, Holder, Lock, Object, Storage, StorageError};
use survey::{Survey, Verdict};
use sweep::{Candidate, SweepRecord};

pub use explain::{Explanation, Standing, explain};
pub use pins::{PinRecord, PinTarget, add_pin, list_pins, remove_pin, resolve_pin};
pub use retention::{Because, Retention};
pub use survey::Class;

/// Held by the one collection that is under way.
const GC_LOCK: &str = "gc";
/// Overwritten to read the store's time.
const CLOCK: &str = "gc/clock";
/// A file of a write that is this old was left by one that was killed.
const LONGEST_WRITE: Duration = Duration::from_secs(3600);

/// What to keep, and how to go about it.
#[derive(Clone, Debug)]
pub struct GcOptions {
    /// Names this call among all others.
    pub by: String,
    /// Which runs keep their records.
    pub retention: Retention,
    /// How long an object must have been a candidate.
    pub grace: Duration,
    /// Changes nothing, and takes this for the time.
    pub dry_run: Option<Timestamp>,
}

/// Why a collection could not be carried out; nothing was removed.
#[derive(Debug, thiserror::Error)]
pub enum GcError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The registry: without it nobody knows what must stay.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Another collection is under way.
    #[error("another gc is under way, by {}", .0.by)]
    Busy(Holder),
}

impl From<StorageError> for GcError {
    fn from(error: StorageError) -> Self {
        Self::Store(error.into())
    }
}

/// Objects and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// How many.
    pub objects: u64,
    /// Bytes of all.
    pub bytes: u64,
}

impl Tally {
    fn count(&mut self, object: &Object) {
        self.objects += 1;
        self.bytes += object.bytes;
    }
}

/// What became of one class of objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ClassReport {
    /// What stays.
    pub kept: Tally,
    /// Candidates whose grace is not over.
    pub waiting: Tally,
    /// Candidates whose grace is over and that were not removed all the same.
    pub held_back: Tally,
    /// What was removed; in a dry run, what would be.
    pub removed: Tally,
}

/// What a collection did.
#[derive(Clone, Debug, Serialize)]
pub struct GcReport {
    /// When, by the store's clock.
    pub at: Timestamp,
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// Runs under way: while there is one, nothing is removed.
    pub live_runs: BTreeSet<String>,
    /// How many runs keep their records, by reason.
    pub kept_runs: BTreeMap<Because, usize>,
    /// How many runs do not.
    pub released_runs: usize,
    /// Objects by class.
    pub classes: BTreeMap<Class, ClassReport>,
    /// What keeps blobs, by kind of root; the first reason counts.
    pub kept_by: BTreeMap<&'static str, Tally>,
    /// Records that cannot be read: what they refer to is not known.
    pub problems: Vec<String>,
}

/// Marks, notes candidates, and removes those whose grace is over.
///
/// # Errors
/// Another collection is under way, the registry or a pin cannot be read, or the store cannot be reached.
pub async fn collect(store: &Store, options: &GcOptions) -> Result<GcReport, GcError> {
    let storage = store.storage();
    let Some(now) = options.dry_run else {
        let only = take(storage, GC_LOCK, &options.by).await?;
        let collected = collect_alone(store, options).await;
        free(only).await;
        return collected;
    };
    let survey = Survey::take(store, &options.retention, live_runs(storage).await?, now).await?;
    let plan = Plan::of(&survey, &SweepRecord::newest(store).await?, now, options.grace);
    // beside a run, this very call would remove nothing either
    let may_remove = survey.live.is_empty();
    let mut report = report(&survey, &plan, now, |_| may_remove);
    report.dry_run = true;
    Ok(report)
}

async fn collect_alone(store: &Store, options: &GcOptions) -> Result<GcReport, GcError> {
    let storage = store.storage();
    // taken before the marking: what a run refers to that began and ended meanwhile would be missed
    let sweep = take(storage, SWEEP_LOCK, &options.by).await?;
    let live = live_runs(storage).await?;
    if !live.is_empty() {
        free(sweep).await;
        return mark_and_sweep(store, options, live, None).await;
    }
    let result = mark_and_sweep(store, options, live, Some(&sweep)).await;
    free(sweep).await;
    result
}

async fn mark_and_sweep(
    store: &Store,
    options: &GcOptions,
    live: BTreeSet<String>,
    sweep: Option<&Lock>,
) -> Result<GcReport, GcError> {
    let storage = store.storage();
    let now = storage.clock(CLOCK).await?;
    let survey = Survey::take(store, &options.retention, live, now).await?;
    let previous = SweepRecord::newest(store).await?;
    let plan = Plan::of(&survey, &previous, now, options.grace);
    // before anything goes: a sweep that is killed half-way leaves the rest due
    previous.succeed(store, now, &plan.candidates).await?;
    let removed = match sweep {
        Some(sweep) => sweep::remove(storage, &plan.due, sweep).await?,
        None => BTreeSet::new(),
    };
    Ok(report(&survey, &plan, now, |name| removed.contains(name)))
}

async fn take(storage: &Storage, lock: &str, by: &str) -> Result<Lock, GcError> {
    match storage.try_lock(lock, by).await? {
        Acquired::Ours(lock) => Ok(lock),
        Acquired::Busy(holder) => Err(GcError::Busy(holder)),
    }
}

/// A lease that cannot be given back expires: no reason to fail what is done.
async fn free(lock: Lock) {
    let _ = lock.release().await;
}

/// An object that may go.
#[derive(Clone, Debug)]
struct Due {
    class: Class,
    object: Object,
}

/// What a sweep is to do.
struct Plan {
    /// All that is unmarked, with the time since which it has been.
    candidates: Vec<Candidate>,
    /// What may go now.
    due: Vec<Due>,
}

impl Plan {
    fn of(survey: &Survey, previous: &SweepRecord, now: Timestamp, grace: Duration) -> Self {
        let mut plan = Self { candidates: Vec::new(), due: Vec::new() };
        for item in survey.items.iter().filter(|item| item.verdict == Verdict::Unmarked) {
            let is_due = if item.class == Class::Leftovers {
                // what a killed write left was never an object: its own age says enough
                is_over(item.object.modified, grace.max(LONGEST_WRITE), now)
            } else {
                let candidate = previous.candidate(&item.object, now);
                // this sweep must not be the first to find it
                let is_due = candidate.since < now && is_over(candidate.since, grace, now);
                plan.candidates.push(candidate);
                is_due
            };
            if is_due {
                plan.due.push(Due { class: item.class, object: item.object.clone() });
            }
        }
        plan
    }
}

/// Says whether a span that began at `since` is over.
fn is_over(since: Timestamp, span: Duration, now: Timestamp) -> bool {
    let span = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
    since.micros().saturating_add(span) <= now.micros()
}

/// Counts. `removed` says of each object that may go whether it went.
fn report(survey: &Survey, plan: &Plan, now: Timestamp, removed: impl Fn(&str) -> bool) -> GcReport {
    let mut report = GcReport {
        at: now,
        dry_run: false,
        live_runs: survey.live.clone(),
        kept_runs: BTreeMap::new(),
        released_runs: survey.runs.iter().filter(|run| run.kept.is_none()).count(),
        classes: BTreeMap::new(),
        kept_by: BTreeMap::new(),
        problems: survey.problems.clone(),
    };
    for because in survey.runs.iter().filter_map(|run| run.kept) {
        *report.kept_runs.entry(because).or_default() += 1;
    }
    let due: BTreeSet<&str> = plan.due.iter().map(|due| due.object.name.as_str()).collect();
    for item in &survey.items {
        let name = item.object.name.as_str();
        let class = report.classes.entry(item.class).or_default();
        let tally = match item.verdict {
            Verdict::Kept => &mut class.kept,
            Verdict::Unmarked if !due.contains(name) => &mut class.waiting,
            Verdict::Unmarked if removed(name) => &mut class.removed,
            Verdict::Unmarked => &mut class.held_back,
        };
        tally.count(&item.object);
        if item.class == Class::Blobs
            && let Some(chain) = item.digest.and_then(|digest| survey.marks.first(digest))
        {
            report.kept_by.entry(chain.root.kind()).or_default().count(&item.object);
        }
    }
    report
}
