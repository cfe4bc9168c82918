//! The threads that nodes compute on. They are started when the first node computes: a run that only reuses needs none.

use std::sync::{Arc, Mutex, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

/// So many threads, started when they are needed.
#[derive(Debug)]
pub struct Threads {
    count: usize,
    pool: Mutex<Option<Arc<ThreadPool>>>,
}

/// Threads that cannot be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot start {count} threads")]
pub struct ThreadsError {
    count: usize,
    #[source]
    source: rayon::ThreadPoolBuildError,
}

impl Threads {
    /// So many threads; none is started yet.
    pub const fn new(count: usize) -> Self {
        Self { count, pool: Mutex::new(None) }
    }

    /// How many they are.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// The pool of them.
    ///
    /// # Errors
    /// The system refuses them.
    pub fn pool(&self) -> Result<Arc<ThreadPool>, ThreadsError> {
        // nothing is half done where a thread has panicked
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(started) = &*pool {
            return Ok(Arc::clone(started));
        }
        let failed = |source| ThreadsError { count: self.count, source };
        let started = Arc::new(ThreadPoolBuilder::new().num_threads(self.count).build().map_err(failed)?);
        *pool = Some(Arc::clone(&started));
        Ok(started)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_started_once_and_when_they_are_needed() {
        let threads = Threads::new(3);
        assert!(threads.pool.lock().unwrap().is_none());
        assert_eq!(threads.pool().unwrap().current_num_threads(), threads.count());
        assert!(Arc::ptr_eq(&threads.pool().unwrap(), &threads.pool().unwrap()));
    }
}
