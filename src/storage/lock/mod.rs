//! Locks: two runs need not do the same work twice.
//!
//! | store | a lock is | a dead holder's lock frees itself |
//! |---|---|---|
//! | folder | an advisory lock on the file `locks/<name>.lock` | at once: the system drops it with the process |
//! | memory | a row in a table of the store | with the value that holds it |
//! | S3 | the newest entry of the log `leases/<name>/log` | when its lease expires by the store's clock |
//!
//! Not guaranteed: that a holder which was stopped for longer than its lease notices before it goes on. Nothing that is
//! stored rests on a lock; [`Lock::fence`] is for those outside the store who want to refuse such a holder.

mod flock;
mod keeper;
mod lease;
mod memory;
#[cfg(test)]
mod schedules;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::fault::LOCK;
use super::{Storage, StorageError};
use crate::base::{CancelToken, Digest, Timestamp};
use flock::FileLock;
use keeper::{KeptLease, Term};
use lease::{Claim, LeaseLog};
use memory::MemoryLock;
pub(super) use memory::MemoryLocks;

/// Where the locks of a store are.
#[derive(Clone, Debug)]
pub(super) enum LockPlace {
    /// Files in this folder.
    Folder(PathBuf),
    /// A table that lives as long as the store.
    Memory(MemoryLocks),
    /// Logs in the store itself.
    Leases(LeaseTerms),
}

/// How long a lease lasts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeaseTerms {
    /// From an entry to its expiry; a holder renews three times as often.
    pub(crate) ttl: Duration,
    /// Waited beyond the expiry: stores stamp whole seconds, and their machines' clocks differ a little.
    pub(crate) margin: Duration,
}

impl Default for LeaseTerms {
    fn default() -> Self {
        Self { ttl: Duration::from_secs(60), margin: Duration::from_secs(2) }
    }
}

/// A lock that is ours; freed when the value is dropped or the process dies.
#[derive(Debug)]
#[must_use = "the lock is freed as soon as the value is dropped"]
pub struct Lock {
    guard: Guard,
    lost: CancelToken,
}

#[derive(Debug)]
enum Guard {
    File(FileLock),
    Memory(MemoryLock),
    Lease(KeptLease),
}

/// The answer to [`Storage::try_lock`].
#[derive(Debug)]
pub enum Acquired {
    /// The lock is ours.
    Ours(Lock),
    /// Somebody else's.
    Busy(Holder),
}

/// Who holds a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The name it gave when it took the lock.
    pub by: String,
    /// When it took the lock, by the store's clock; `None` where the store has none.
    pub since: Option<Timestamp>,
}

impl Lock {
    /// A number that grows from holder to holder of this lock; `None` where the system itself tells holders apart.
    pub fn fence(&self) -> Option<u64> {
        match &self.guard {
            Guard::Lease(lease) => Some(lease.fence()),
            Guard::File(_) | Guard::Memory(_) => None,
        }
    }

    /// Says whether somebody else may hold the lock by now: the lease could not be renewed in time.
    pub fn lost(&self) -> bool {
        self.lost.is_cancelled()
    }

    /// Cancelled once the lock is lost.
    pub const fn lost_token(&self) -> &CancelToken {
        &self.lost
    }

    /// Frees the lock and waits until the others can see it. Dropping frees it too, but a process that ends at once may
    /// leave a lease to expire.
    ///
    /// # Errors
    /// The store cannot be reached; the lease then expires.
    pub async fn release(self) -> Result<(), StorageError> {
        match self.guard {
            Guard::Lease(lease) => lease.release().await,
            Guard::File(lock) => {
                drop(lock);
                Ok(())
            }
            Guard::Memory(lock) => {
                drop(lock);
                Ok(())
            }
        }
    }
}

impl Storage {
    /// Takes the lock `name`, without waiting. `by` names who asks and must be its own, as the id of a run is: on S3 an
    /// answer that was lost is recognised by it.
    ///
    /// # Errors
    /// The store cannot be reached, or its file system has no locks.
    pub async fn try_lock(&self, name: &str, by: &str) -> Result<Acquired, StorageError> {
        let name = safe_name(name);
        let held = |guard, lost| Acquired::Ours(Lock { guard, lost });
        Ok(match &self.locks {
            LockPlace::Folder(folder) => {
                let taken = async {
                    self.faults.before(LOCK, &name)?;
                    let taken = flock::take(folder, &name, by).await?;
                    self.faults.after(LOCK, &name).map(|()| taken)
                };
                match taken.await.map_err(|error| self.cannot_lock(&name, error))? {
                    Ok(lock) => held(Guard::File(lock.with_faults(self.faults.clone())), CancelToken::new()),
                    Err(holder) => Acquired::Busy(holder),
                }
            }
            LockPlace::Memory(locks) => match locks.take(&name, by) {
                Ok(lock) => held(Guard::Memory(lock), CancelToken::new()),
                Err(holder) => Acquired::Busy(holder),
            },
            LockPlace::Leases(terms) => {
                let term = Term::begin(terms.ttl);
                let log = LeaseLog::new(self.clone(), &name, *terms);
                match log.acquire(by).await? {
                    Claim::Ours(tenure) => {
                        let lost = CancelToken::new();
                        held(Guard::Lease(KeptLease::keep(log, tenure, term, lost.clone())), lost)
                    }
                    Claim::Busy(holder) => Acquired::Busy(holder),
                }
            }
        })
    }

    /// Who holds a lock now. Asking never makes it busy for somebody who takes it.
    ///
    /// # Errors
    /// The store cannot be reached, or its file system has no locks.
    pub async fn lock_holder(&self, name: &str) -> Result<Option<Holder>, StorageError> {
        let name = safe_name(name);
        match &self.locks {
            LockPlace::Folder(folder) => {
                flock::holder(folder, &name).await.map_err(|error| self.cannot_lock(&name, error))
            }
            LockPlace::Memory(locks) => Ok(locks.holder(&name)),
            LockPlace::Leases(terms) => LeaseLog::new(self.clone(), &name, *terms).holder().await,
        }
    }

    /// Who holds locks whose names begin with `prefix`, by name. A lock that is taken meanwhile may be left out.
    ///
    /// # Errors
    /// The store cannot be reached, or its file system has no locks.
    pub async fn held_locks(&self, prefix: &str) -> Result<BTreeMap<String, Holder>, StorageError> {
        match &self.locks {
            LockPlace::Folder(folder) => {
                flock::held(folder, prefix).await.map_err(|error| self.cannot_lock(prefix, error))
            }
            LockPlace::Memory(locks) => Ok(locks.held(prefix)),
            LockPlace::Leases(terms) => lease::held(self, prefix, *terms).await,
        }
    }

    /// Removes what is left of locks that nobody holds. On disk these are the files of processes that were killed, which mean
    /// nothing. A lease that was given back or has expired still counts its holders, for [`Lock::fence`]: only those whose
    /// names begin with `once` are removed, which must be names that are taken once.
    ///
    /// # Errors
    /// The store refuses or cannot be reached, or its file system has no locks.
    pub async fn remove_free_locks(&self, once: &str) -> Result<(), StorageError> {
        match &self.locks {
            LockPlace::Folder(folder) => {
                flock::remove_free(folder, &self.faults).await.map_err(|error| self.cannot_lock("*", error))
            }
            LockPlace::Memory(_) => Ok(()),
            LockPlace::Leases(terms) => lease::forget_free(self, once, *terms).await,
        }
    }

    fn cannot_lock(&self, name: &str, error: std::io::Error) -> StorageError {
        self.failed("lock", name, object_store::Error::Generic { store: "disk", source: error.into() })
    }
}

/// A lock's name as part of a path: itself where it is plain and short, else a readable part and a digest of the whole.
fn safe_name(name: &str) -> String {
    const LONGEST: usize = 100;
    const READABLE: usize = 40;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.len() <= LONGEST && name.chars().all(plain) {
        return name.to_owned();
    }
    let readable: String = name.chars().take(READABLE).map(|c| if plain(c) { c } else { '-' }).collect();
    // no plain name has an `@`, so that none can be taken for another's short form
    format!("{}@{}", readable.trim_start_matches('.'), Digest::of(name.as_bytes()).short())
}
