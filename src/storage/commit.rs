//! A create whose outcome is known for certain.
//!
//! `AlreadyExists` is not always a lost race: S3 answers so while another create of the name is under way (409), and after a
//! success whose answer was lost on the way and whose request was sent again. An error is not always a failure either. So
//! whatever the answer to a create was, other than success, the object is read back:
//!
//! | found | means |
//! |---|---|
//! | our bytes | ours: every committed object holds a number that only one writer has |
//! | others | theirs |
//! | nothing | not decided yet: try again |
//!
//! Not guaranteed: that a commit which ends in an error was not, and will not be, carried out. Whoever tries again finds it.

use bytes::Bytes;

use super::{Created, Storage, StorageError};

/// How often a commit is tried.
const ATTEMPTS: u32 = 6;

/// What became of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Committed {
    /// The object holds our bytes.
    Ours,
    /// It holds these.
    Theirs(Bytes),
}

impl Storage {
    /// Writes an object that is written once. `bytes` must be unlike those of every other writer, but for a repetition of
    /// the same commit.
    ///
    /// # Errors
    /// The store cannot be reached or refuses, or contradicts itself.
    pub async fn commit(&self, name: &str, bytes: Bytes) -> Result<Committed, StorageError> {
        let mut failure = None;
        for attempt in 0..ATTEMPTS {
            if attempt > 0 && !self.pause.is_zero() {
                tokio::time::sleep(self.pause * 2_u32.pow(attempt - 1)).await;
            }
            failure = match self.create(name, bytes.clone()).await {
                Ok(Created::New) => return Ok(Committed::Ours),
                Ok(Created::Exists) => None,
                // asking again does not help
                Err(error) if !error.may_pass() => return Err(error),
                Err(error) => Some(error),
            };
            match self.get(name).await {
                Ok(Some(found)) if found == bytes => return Ok(Committed::Ours),
                Ok(Some(found)) => return Ok(Committed::Theirs(found)),
                Ok(None) => {}
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        let location = self.location().to_owned();
        Err(failure.unwrap_or(StorageError::Unreliable { name: name.to_owned(), location }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::storage::lock::LeaseTerms;
    use crate::storage::simulated::{Fault, World};

    /// A commit whose requests meet these faults, one each, and then none.
    fn commit(world: &Arc<World>, faults: &[Fault], text: &'static str) -> Result<Committed, StorageError> {
        let storage = Storage::leasing(Arc::new(world.seat(0)), LeaseTerms::default());
        let mut committing = std::pin::pin!(storage.commit("slot", text.into()));
        for fault in faults.iter().copied().chain(std::iter::repeat(Fault::None)) {
            world.let_through(0, fault);
            if let Poll::Ready(answer) = committing.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                return answer;
            }
        }
        unreachable!("faults never end")
    }

    #[test]
    fn a_commit_is_ours_whatever_became_of_its_answer() {
        for fault in [Fault::None, Fault::Refused, Fault::AnswerLost, Fault::Conflict, Fault::Late] {
            let world = Arc::new(World::default());
            assert_eq!(commit(&world, &[fault, Fault::None, fault, Fault::Refused], "a").unwrap(), Committed::Ours);
            assert_eq!(commit(&world, &[fault], "a").unwrap(), Committed::Ours, "a repetition, {fault:?}");
            assert_eq!(commit(&world, &[fault], "b").unwrap(), Committed::Theirs("a".into()), "{fault:?}");
        }
    }

    #[test]
    fn a_store_that_never_answers_and_one_that_contradicts_itself_are_errors() {
        let world = Arc::new(World::default());
        let error = commit(&world, &[Fault::Refused; 12], "a").unwrap_err();
        assert!(matches!(error, StorageError::Operation { .. }), "{error:?}");
        let faults = [Fault::Conflict, Fault::None].repeat(6);
        assert!(matches!(commit(&world, &faults, "a"), Err(StorageError::Unreliable { .. })));
    }
}
