//! What only an audit of everything looks at: objects that no record may refer to.

use super::{AuditStatus, Auditor, Check};
use crate::artifact::{Action, StoreError};
use crate::base::Digest;
use crate::engine::EngineError;

impl Auditor<'_> {
    /// Reads every blob and every stored result.
    pub(super) async fn every_object(&mut self) -> Result<(), EngineError> {
        self.blobs().await?;
        self.results().await
    }

    async fn blobs(&mut self) -> Result<(), EngineError> {
        let (mut whole, mut bytes) = (0, 0);
        for name in self.store.storage().list("blobs/sha256").await.map_err(StoreError::from)? {
            let digits: String = name.trim_start_matches("blobs/sha256/").chars().filter(|c| *c != '/').collect();
            let problem = match (digits.parse::<Digest>(), self.store.storage().summary(&name).await) {
                (Ok(digest), Ok(Some(blob))) if blob.sha256 == digest => {
                    whole += 1;
                    bytes += blob.bytes;
                    continue;
                }
                (Ok(_), Ok(Some(_))) => (AuditStatus::Mismatch, "its bytes do not have this digest".to_owned()),
                // it was removed while the store was listed
                (Ok(_), Ok(None)) => continue,
                (Err(error), _) => (AuditStatus::Mismatch, error.to_string()),
                (_, Err(error)) => (AuditStatus::Unreadable, crate::engine::chain(&error)),
            };
            self.find(Check::Blobs, name, problem.0, problem.1);
        }
        if whole > 0 {
            let detail = format!("{bytes} bytes hashed, referred to or not");
            self.find_many(Check::Blobs, whole, format!("{whole} blobs"), AuditStatus::Verified, detail);
        }
        Ok(())
    }

    async fn results(&mut self) -> Result<(), EngineError> {
        let mut whole = 0;
        for name in self.store.storage().list("actions").await.map_err(StoreError::from)? {
            match self.store.read_record::<Action>(&name).await {
                Ok(_) => whole += 1,
                Err(error) => {
                    // it is never believed, and the next run that needs it makes it again
                    let detail = crate::engine::chain(&error);
                    self.find(Check::Results, name, AuditStatus::of(&error), detail);
                }
            }
        }
        if whole > 0 {
            let detail = "each carries the digest of its body";
            self.find_many(Check::Results, whole, format!("{whole} results"), AuditStatus::Verified, detail);
        }
        Ok(())
    }
}
