//! The log of one attempt: lines with the time they were written at, bounded.

use std::sync::{Arc, Mutex, PoisonError};

use crate::base::{MICROS_PER_DAY, Timestamp};

/// Bytes kept from the start of a log; what follows goes into a ring of the same size.
const HALF: usize = 512 * 1024;
/// Progress is logged at most so often, unless it is complete.
const PROGRESS_EVERY: i64 = MICROS_PER_DAY / 86_400;

/// Collects the lines of an attempt.
#[derive(Clone)]
pub(super) struct AttemptLog {
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    first: Vec<u8>,
    last: std::collections::VecDeque<u8>,
    dropped: usize,
    progress_at: Option<Timestamp>,
}

impl AttemptLog {
    pub(super) fn new(now: Arc<dyn Fn() -> Timestamp + Send + Sync>) -> Self {
        Self { now, kept: Arc::default() }
    }

    /// Adds a line.
    pub(super) fn line(&self, words: &str) {
        self.add((self.now)(), words);
    }

    /// Adds a line for progress, unless there was one a moment ago.
    pub(super) fn progress(&self, done: u64, total: u64, words: &str) {
        // a node that counts nothing reports lines that it has logged itself
        if total == 0 {
            return;
        }
        let now = (self.now)();
        {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let soon = kept.progress_at.is_some_and(|last| now.micros() - last.micros() < PROGRESS_EVERY);
            if soon && done < total {
                return;
            }
            kept.progress_at = Some(now);
        }
        self.add(now, format!("{done}/{total} {words}").trim_end());
    }

    fn add(&self, at: Timestamp, words: &str) {
        let line = format!("{at} {words}\n").into_bytes();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.first.len() + line.len() <= HALF && kept.last.is_empty() {
            kept.first.extend(line);
            return;
        }
        kept.last.extend(line);
        let over = kept.last.len().saturating_sub(HALF);
        kept.dropped += over;
        kept.last.drain(..over);
    }

    /// The log so far.
    pub(super) fn text(&self) -> Vec<u8> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = kept.first.clone();
        if kept.dropped > 0 {
            text.extend(format!("... {} bytes left out ...\n", kept.dropped).into_bytes());
        }
        text.extend(&kept.last);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> AttemptLog {
        AttemptLog::new(Arc::new(|| "2026-01-04".parse().unwrap()))
    }

    #[test]
    fn a_long_log_keeps_its_start_and_its_end() {
        let log = log();
        for number in 0..200_000 {
            log.line(&format!("line {number}"));
        }
        let text = String::from_utf8(log.text()).unwrap();
        assert!(text.starts_with("2026-01-04 line 0\n") && text.ends_with("2026-01-04 line 199999\n"));
        assert!(text.contains(" bytes left out ...\n") && text.len() < 2 * HALF + 100);
    }

    #[test]
    fn progress_in_one_moment_is_one_line_and_the_end() {
        let log = log();
        for done in 1..=50 {
            log.progress(done, 50, "trials");
        }
        assert_eq!(String::from_utf8(log.text()).unwrap(), "2026-01-04 1/50 trials\n2026-01-04 50/50 trials\n");
    }
}
