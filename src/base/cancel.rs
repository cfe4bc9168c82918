//! Cooperative cancellation: work asks between folds, trials and chunks whether it should stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A flag shared by everyone who works on the same thing. A [child](CancelToken::child) is cancelled with its parent,
/// and can be cancelled alone.
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<Flag>);

#[derive(Debug, Default)]
struct Flag {
    raised: AtomicBool,
    hurried: AtomicBool,
    parent: Option<CancelToken>,
}

/// The work was asked to stop and did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cancelled")]
pub struct Cancelled;

impl CancelToken {
    /// Makes a token that nobody has cancelled yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a token for a part of the work.
    #[must_use]
    pub fn child(&self) -> Self {
        Self(Arc::new(Flag { parent: Some(self.clone()), ..Flag::default() }))
    }

    /// Asks everyone who holds this token, or a child of it, to stop.
    pub fn cancel(&self) {
        self.0.raised.store(true, Ordering::Relaxed);
    }

    /// Says whether someone asked for a stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.raised.load(Ordering::Relaxed) || self.0.parent.as_ref().is_some_and(Self::is_cancelled)
    }

    /// Asks everyone who was asked to stop to take no more time for it.
    pub fn hurry(&self) {
        self.cancel();
        self.0.hurried.store(true, Ordering::Relaxed);
    }

    /// Says whether someone asked for haste.
    pub fn is_hurried(&self) -> bool {
        self.0.hurried.load(Ordering::Relaxed) || self.0.parent.as_ref().is_some_and(Self::is_hurried)
    }

    /// Returns an error once someone asked for a stop, so that `?` unwinds the work.
    ///
    /// # Errors
    /// [`Cancelled`] after [`CancelToken::cancel`] was called on any clone, or on a parent.
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.is_cancelled() { Err(Cancelled) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_stops_with_its_parent_and_can_stop_alone() {
        let parent = CancelToken::new();
        let (first, second) = (parent.child(), parent.child());
        first.cancel();
        assert!(first.is_cancelled() && !second.is_cancelled() && !parent.is_cancelled());
        parent.cancel();
        assert!(second.check().is_err());
        assert!(!second.is_hurried());
        parent.hurry();
        assert!(second.is_hurried());
    }
}
