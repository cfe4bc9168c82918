//! Whether everything in a store is what its name or its seal says.

use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use serde_json::Value;

use super::store::{Store, StoreError};
use crate::base::Digest;
use crate::storage::Object;

/// What a check of all objects found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StoreCheck {
    /// How many objects were checked.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Names of those that are not what their name or seal says, sorted.
    pub damaged: Vec<String>,
}

/// How an object can be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    /// Its name is its digest.
    Name(Digest),
    /// It is sealed.
    Seal,
}

impl Store {
    /// Reads every blob and every sealed record, so many at once, and checks them. What has neither a digest for a name nor a
    /// seal is left out: logs, lineage and statements are checked by an audit, leases and work in progress by nobody.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub async fn check(&self, at_once: usize) -> Result<StoreCheck, StoreError> {
        let objects = self.storage().objects("").await?;
        let known = objects.into_iter().filter_map(|object| Some((proof_of(&object.name)?, object)));
        let checks = known.map(|(proof, object)| {
            let store = self.clone();
            // a task each: digests of small objects are taken where they are asked for
            tokio::spawn(async move { store.check_one(proof, object).await })
        });
        let mut found = StoreCheck::default();
        let mut checks = stream::iter(checks).buffer_unordered(at_once);
        while let Some(checked) = checks.next().await {
            // a task that was lost with its runtime checked nothing
            let Ok(checked) = checked else { continue };
            let (object, sound) = checked?;
            found.objects += 1;
            found.bytes += object.bytes;
            if !sound {
                found.damaged.push(object.name);
            }
        }
        found.damaged.sort();
        Ok(found)
    }

    async fn check_one(&self, proof: Proof, object: Object) -> Result<(Object, bool), StoreError> {
        let checked = match proof {
            Proof::Name(digest) => self.verify_blob(digest).await,
            Proof::Seal => self.read_record::<Value>(&object.name).await.map(drop),
        };
        match checked {
            Ok(()) => Ok((object, true)),
            Err(StoreError::Blob(_) | StoreError::Record { .. }) => Ok((object, false)),
            Err(error) => Err(error),
        }
    }
}

fn proof_of(name: &str) -> Option<Proof> {
    const SEALED: [&str; 10] =
        ["actions/", "runs/", "registry/", "books/", "studies/", "holdouts/", "openings/", "pins/", "gc/", "outbox/"];
    if let Some(digits) = name.strip_prefix("blobs/sha256/") {
        return digits.replacen('/', "", 1).parse().ok().map(Proof::Name);
    }
    // what is said of a promotion is in a form that others read, and derived again by an audit
    let is_statement = name.starts_with("registry/") && name.contains("/provenance/");
    let sealed = name.ends_with(".json") && !is_statement && SEALED.iter().any(|folder| name.starts_with(folder));
    sealed.then_some(Proof::Seal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::{Artifact, ArtifactType};
    use crate::storage::Storage;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_blob_and_record_is_checked_and_what_is_damaged_is_named() {
        let store = Store::over(Storage::in_memory()).await.unwrap();
        for text in ["a", "bc"] {
            store.put(&Artifact::file(ArtifactType::File, text)).await.unwrap();
        }
        store.commit_record("runs/day/id/end.json", &Value::Null).await.unwrap();
        for unsealed in ["runs/day/id/logs/a.1.log", "registry/quality/provenance/00000000000000000000.json"] {
            store.storage().create(unsealed, "nobody's".into()).await.unwrap();
        }
        let sound = store.check(4).await.unwrap();
        assert_eq!((sound.objects, sound.damaged.len()), (3, 0));

        let blob = store.storage().list("blobs").await.unwrap()[0].clone();
        for name in [blob.as_str(), "runs/day/id/end.json"] {
            store.storage().restore(name, "{}".into()).await.unwrap();
        }
        assert_eq!(store.check(1).await.unwrap().damaged, [blob, "runs/day/id/end.json".to_owned()]);
    }
}
