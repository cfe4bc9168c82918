//! How nodes are run: attempts, time limits, pools, the cache, and who is told. None of it enters a fingerprint.

use std::time::Duration;

use super::Condition;
use super::keys::Word;

/// Whether a node may use results of earlier runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheMode {
    /// A stored result is reused; a new one is stored.
    #[default]
    Default,
    /// It runs, and what it makes takes the place of the stored result.
    Refresh,
    /// It runs, and what it makes is stored for this run only.
    Off,
}

/// The words of `cache`.
pub(super) const CACHE_MODES: [Word<CacheMode>; 3] = [
    ("default", CacheMode::Default, "A stored result is reused; a new one is stored."),
    ("refresh", CacheMode::Refresh, "It runs, and its result replaces the stored one."),
    ("off", CacheMode::Off, "It runs, and its result is stored for this run only."),
];

/// Why an attempt failed, as far as another attempt may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureClass {
    /// The disk, the bucket or the network.
    Io,
    /// It took longer than its `timeout`.
    Timeout,
    /// A command ended with an exit code other than 0.
    Exit,
    /// Anything else: the same inputs would fail again.
    Other,
}

/// The words of `retry_on`.
pub(super) const FAILURE_CLASSES: [Word<FailureClass>; 4] = [
    ("io", FailureClass::Io, "The disk, the bucket or the network."),
    ("timeout", FailureClass::Timeout, "The attempt took longer than `timeout`."),
    ("exit", FailureClass::Exit, "A command ended with an exit code other than 0."),
    ("other", FailureClass::Other, "Anything else: the same inputs would most likely fail again."),
];

/// When a failed node is tried again.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// Attempts in all, the first included.
    pub max_attempts: u32,
    /// Pause after the first attempt.
    pub initial: Duration,
    /// By what each further pause is longer than the one before.
    pub factor: f64,
    /// The longest pause.
    pub max: Duration,
    /// Whether a pause is drawn between half and the whole of its length, so that nodes that failed together do not all
    /// come back together.
    pub jitter: bool,
    /// The failures that another attempt may help with.
    pub retry_on: Vec<FailureClass>,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            max_attempts: 1,
            initial: Duration::from_secs(10),
            factor: 2.0,
            max: Duration::from_secs(300),
            jitter: true,
            retry_on: vec![FailureClass::Io, FailureClass::Timeout, FailureClass::Exit],
        }
    }
}

impl Retry {
    /// The pause after attempt number `attempt` (from 1); `draw` is uniform in [0, 1).
    pub fn pause(&self, attempt: u32, draw: f64) -> Duration {
        let grown = self.initial.as_secs_f64() * self.factor.powi(i32::try_from(attempt).unwrap_or(i32::MAX) - 1);
        let whole = grown.min(self.max.as_secs_f64());
        Duration::from_secs_f64(if self.jitter { whole * (0.5 + 0.5 * draw) } else { whole })
    }
}

/// How a node is run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    /// When it is tried again.
    pub retry: Retry,
    /// How long one attempt may take.
    pub timeout: Option<Duration>,
    /// The pool whose size limits how many of its nodes run at once.
    pub pool: Option<String>,
    /// Whether it may use results of earlier runs.
    pub cache: CacheMode,
}

/// What happens when another run holds the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// This run does nothing and ends well.
    Skip,
    /// This run waits, but not for ever.
    Wait(Duration),
    /// This run is refused.
    Fail,
}

/// The words of `on_conflict`, given how long `wait` waits.
pub(super) const ON_CONFLICT: [Word<fn(Duration) -> OnConflict>; 3] = [
    ("skip", |_| OnConflict::Skip, "The run does nothing and ends well."),
    ("wait", OnConflict::Wait, "The run waits up to `wait_timeout`."),
    ("fail", |_| OnConflict::Fail, "The run ends with exit code 75."),
];

/// How long `wait` waits where the file does not say.
pub(super) const WAIT_TIMEOUT: Duration = Duration::from_secs(3600);

/// Which runs must not run at the same time.
#[derive(Clone, Debug, PartialEq)]
pub struct Concurrency {
    /// Runs of one group on one store exclude each other.
    pub group: String,
    /// What happens to the second.
    pub on_conflict: OnConflict,
}

/// Someone to be told when a run has ended.
#[derive(Clone, Debug)]
pub struct Notify {
    /// Which entry of the file it is, from 0: entries that the environment switches off are left out.
    pub index: usize,
    /// Told only if this holds; always when absent.
    pub when: Option<Condition>,
    /// How.
    pub target: NotifyTarget,
}

/// How someone is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotifyTarget {
    /// A POST to this address, which may be a secret.
    Webhook(String),
    /// A program with its arguments; it reads the report on stdin.
    Command(Vec<String>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_longest() {
        let retry = Retry { jitter: false, max: Duration::from_secs(60), ..Retry::default() };
        let pauses: Vec<u64> = (1..=5).map(|attempt| retry.pause(attempt, 0.3).as_secs()).collect();
        assert_eq!(pauses, [10, 20, 40, 60, 60]);
    }

    #[test]
    fn jitter_draws_from_the_upper_half_of_the_pause() {
        let retry = Retry::default();
        assert_eq!(retry.pause(1, 0.0), Duration::from_secs(5));
        assert!(retry.pause(1, 0.999) < Duration::from_secs(10));
        assert!(retry.pause(4_000_000, 0.0) <= retry.max, "no overflow");
    }
}
