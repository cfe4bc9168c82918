//! The content-addressed store: blobs, actions and sealed records over [`Storage`].

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::sealed::{SealError, seal, unseal};
use super::types::{Action, Artifact, ArtifactRef, FileRef, Payload};
use crate::base::{CanonicalError, Digest, canonical_of};
use crate::storage::{Created, Faults, Storage, StorageError};

const FORMAT: &[u8] = b"walkforward store 1\n";

/// What can go wrong with stored objects.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk or the bucket.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// No store where one was looked for.
    #[error("there is no store at `{location}`: run a pipeline first, or say where it is with --store")]
    Missing {
        /// The place.
        location: String,
    },
    /// A store of another format.
    #[error("the store `{location}` has format `{found}`, this program reads and writes `walkforward store 1`")]
    Format {
        /// The store.
        location: String,
        /// What its `FORMAT` says.
        found: String,
    },
    /// An object that must exist does not, or is not what its name says.
    #[error("blob {0} is missing from the store or does not match its digest")]
    Blob(Digest),
    /// A record cannot be read or written.
    #[error("cannot use the record `{name}`")]
    Record {
        /// Its name.
        name: String,
        /// Why not.
        #[source]
        source: SealError,
    },
    /// A manifest has no canonical form.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
    /// The store answered that a record exists and then that it does not, again and again.
    #[error("the store says that `{0}` exists and that it does not: create-if-absent cannot be relied on here")]
    Unreliable(String),
}

/// The answer to a commit of a record that may be written once.
#[derive(Clone, Debug, PartialEq)]
pub enum Commit<T> {
    /// Ours was written, by this call or by one whose answer was lost.
    Ours,
    /// Somebody else's was there first.
    Theirs(T),
}

/// A store of artifacts and records.
#[derive(Clone, Debug)]
pub struct Store {
    storage: Storage,
}

impl Store {
    /// Opens a store, writing its `FORMAT` when it is new.
    ///
    /// # Errors
    /// The store cannot be reached, or has a format we do not know.
    pub async fn open(location: &str) -> Result<Self, StoreError> {
        Self::over(Storage::open(location)?).await
    }

    /// Opens a store to look at it: one that is not there is not made.
    ///
    /// # Errors
    /// There is none, it cannot be reached, or it has a format we do not know.
    pub async fn open_existing(location: &str) -> Result<Self, StoreError> {
        let missing = || StoreError::Missing { location: location.to_owned() };
        let storage = Storage::open_existing(location)?.ok_or_else(missing)?;
        let found = storage.get("FORMAT").await?.ok_or_else(missing)?;
        Self::of_format(storage, &found)
    }

    /// Uses storage that is already open.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn over(storage: Storage) -> Result<Self, StoreError> {
        let found = match storage.get("FORMAT").await? {
            Some(found) => found,
            None => match storage.create("FORMAT", Bytes::from_static(FORMAT)).await? {
                Created::New => Bytes::from_static(FORMAT),
                Created::Exists => storage.get("FORMAT").await?.unwrap_or_default(),
            },
        };
        Self::of_format(storage, &found)
    }

    fn of_format(storage: Storage, found: &[u8]) -> Result<Self, StoreError> {
        if found != FORMAT {
            let found = String::from_utf8_lossy(found).trim().to_owned();
            return Err(StoreError::Format { location: storage.location().to_owned(), found });
        }
        Ok(Self { storage })
    }

    /// The same store, whose writes meet faults: for tests.
    #[must_use]
    pub fn with_faults(self, faults: Faults) -> Self {
        Self { storage: self.storage.with_faults(faults) }
    }

    /// The storage below.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Stores an artifact and returns its reference. Storing the same bytes again changes nothing.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub async fn put(&self, artifact: &Artifact) -> Result<ArtifactRef, StoreError> {
        let (reference, manifest) = reference_to(artifact)?;
        match &artifact.payload {
            Payload::File(bytes) => self.put_blob(reference.sha256, bytes.clone()).await?,
            Payload::Tree(files) => {
                for (name, bytes) in files {
                    if let Some(file) = reference.files.get(name) {
                        self.put_blob(file.sha256, bytes.clone()).await?;
                    }
                }
                // the manifest last: whoever sees it finds all it names
                self.put_blob(reference.sha256, manifest).await?;
            }
        }
        Ok(reference)
    }

    /// Reads an artifact and checks every byte against its digest.
    ///
    /// # Errors
    /// A blob is missing or wrong, or the store cannot be reached.
    pub async fn get(&self, reference: &ArtifactRef) -> Result<Artifact, StoreError> {
        if reference.files.is_empty() {
            return Ok(Artifact::file(reference.kind, self.get_blob(reference.sha256).await?));
        }
        // the manifest is re-derived: a tampered record cannot point a digest at other files
        if Digest::of(&canonical_of(&reference.files)?) != reference.sha256 {
            return Err(StoreError::Blob(reference.sha256));
        }
        let mut files = BTreeMap::new();
        for (name, file) in &reference.files {
            files.insert(name.clone(), self.get_blob(file.sha256).await?);
        }
        Ok(Artifact::tree(reference.kind, files))
    }

    /// Reads an artifact back, checks every byte, and makes it survive a power loss: before anything that is never
    /// deleted refers to it.
    ///
    /// # Errors
    /// A blob is missing or wrong, or the store cannot be reached.
    pub async fn make_durable(&self, reference: &ArtifactRef) -> Result<(), StoreError> {
        self.get(reference).await?;
        let files = reference.files.values().map(|file| blob_name(file.sha256));
        let names: Vec<String> = files.chain(std::iter::once(blob_name(reference.sha256))).collect();
        Ok(self.storage.flush(&names).await?)
    }

    /// Finds what a node with this fingerprint produced, with every byte of it checked. A damaged entry counts as
    /// absent: the node runs again and mends it.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub async fn find_action(&self, fingerprint: Digest) -> Result<Option<Action>, StoreError> {
        let action: Action = match self.read_record(&action_name(fingerprint)).await {
            Ok(Some(action)) => action,
            Ok(None) | Err(StoreError::Record { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        if action.fingerprint != fingerprint {
            return Ok(None);
        }
        for output in action.outputs.values() {
            match self.get(output).await {
                Ok(_) => {}
                Err(StoreError::Blob(_)) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(Some(action))
    }

    /// Records what a node produced. Blobs are written before; the first record of a fingerprint stays.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub async fn commit_action(&self, action: &Action) -> Result<Commit<Action>, StoreError> {
        let name = action_name(action.fingerprint);
        match self.commit_record(&name, action, |theirs: &Action| theirs.txn == action.txn).await {
            // the entry is there but cannot be believed: it is ours to mend
            Err(StoreError::Record { .. }) => {
                self.replace_record(&name, action).await?;
                Ok(Commit::Ours)
            }
            other => other,
        }
    }

    /// Records what a node did outside the store, in place of an earlier report for the same key that no longer holds.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub async fn replace_action(&self, action: &Action) -> Result<(), StoreError> {
        self.replace_record(&action_name(action.fingerprint), action).await
    }

    /// Writes a sealed record whatever was there.
    pub(super) async fn replace_record<T: Serialize>(&self, name: &str, record: &T) -> Result<(), StoreError> {
        Ok(self.storage.restore(name, sealed(name, record)?).await?)
    }

    /// Reads a sealed record; `None` when there is none.
    ///
    /// # Errors
    /// The record is damaged, or the store cannot be reached.
    pub async fn read_record<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let Some(bytes) = self.storage.get(name).await? else { return Ok(None) };
        unseal(name, &bytes).map(Some).map_err(|source| StoreError::Record { name: name.to_owned(), source })
    }

    /// Writes a sealed record under a name that can be taken once. `is_ours` recognises our own record when the store
    /// says that the name is taken: on S3 that answer also follows a success whose reply was lost.
    ///
    /// # Errors
    /// The store cannot be reached, or the record that is there is damaged.
    pub async fn commit_record<T: Serialize + DeserializeOwned>(
        &self,
        name: &str,
        record: &T,
        is_ours: impl Fn(&T) -> bool,
    ) -> Result<Commit<T>, StoreError> {
        const ATTEMPTS: usize = 3;
        let bytes = sealed(name, record)?;
        for _ in 0..ATTEMPTS {
            if self.storage.create(name, bytes.clone()).await? == Created::New {
                return Ok(Commit::Ours);
            }
            match self.read_record::<T>(name).await? {
                Some(theirs) if is_ours(&theirs) => return Ok(Commit::Ours),
                Some(theirs) => return Ok(Commit::Theirs(theirs)),
                None => {}
            }
        }
        Err(StoreError::Unreliable(name.to_owned()))
    }

    async fn put_blob(&self, digest: Digest, bytes: Bytes) -> Result<(), StoreError> {
        let name = blob_name(digest);
        if self.storage.create(&name, bytes.clone()).await? == Created::Exists
            && self.storage.get(&name).await?.is_none_or(|found| Digest::of(&found) != digest)
        {
            // the name says what the bytes must be, so a rotten blob may be overwritten
            self.storage.restore(&name, bytes).await?;
        }
        Ok(())
    }

    /// Reads a blob and checks it against its digest.
    ///
    /// # Errors
    /// The blob is missing or wrong, or the store cannot be reached.
    pub async fn get_blob(&self, digest: Digest) -> Result<Bytes, StoreError> {
        match self.storage.get(&blob_name(digest)).await? {
            Some(bytes) if Digest::of(&bytes) == digest => Ok(bytes),
            _ => Err(StoreError::Blob(digest)),
        }
    }
}

/// The reference an artifact will have once stored, and the manifest of a tree.
pub(crate) fn reference_to(artifact: &Artifact) -> Result<(ArtifactRef, Bytes), CanonicalError> {
    let file = |bytes: &Bytes| FileRef { sha256: Digest::of(bytes), bytes: bytes.len() as u64 };
    Ok(match &artifact.payload {
        Payload::File(bytes) => {
            let FileRef { sha256, bytes } = file(bytes);
            (ArtifactRef { kind: artifact.kind, sha256, bytes, files: BTreeMap::new() }, Bytes::new())
        }
        Payload::Tree(files) => {
            let files: BTreeMap<String, FileRef> =
                files.iter().map(|(name, bytes)| (name.clone(), file(bytes))).collect();
            let manifest = Bytes::from(canonical_of(&files)?);
            let bytes = files.values().map(|file| file.bytes).sum();
            (ArtifactRef { kind: artifact.kind, sha256: Digest::of(&manifest), bytes, files }, manifest)
        }
    })
}

fn sealed<T: Serialize>(name: &str, record: &T) -> Result<Bytes, StoreError> {
    seal(name, record).map(Bytes::from).map_err(|source| StoreError::Record { name: name.to_owned(), source })
}

fn blob_name(digest: Digest) -> String {
    sharded("blobs/sha256", digest, "")
}

fn action_name(fingerprint: Digest) -> String {
    sharded("actions/v1", fingerprint, ".json")
}

fn sharded(folder: &str, digest: Digest, suffix: &str) -> String {
    let text = digest.to_string();
    format!("{folder}/{}/{}{suffix}", &text[..2], &text[2..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::{ArtifactType, MadeBy, Scalar};

    async fn store() -> Store {
        Store::over(Storage::in_memory()).await.unwrap()
    }

    fn model() -> Artifact {
        let files = [("model.json", "{}"), ("schema.json", "[]")];
        let files = files.map(|(name, text)| (name.to_owned(), Bytes::from_static(text.as_bytes())));
        Artifact::tree(ArtifactType::Model, files.into())
    }

    async fn stored_action(store: &Store, txn: &str) -> Action {
        let outputs = [("model".to_owned(), store.put(&model()).await.unwrap())].into();
        let values = [("auc".to_owned(), Scalar::Float(0.7))].into();
        let made_by = MadeBy { run: "r".to_owned(), node: "train".to_owned() };
        let fingerprint = Digest::of(b"key");
        let (parts, summary, txn) = (serde_json::json!({}), String::new(), txn.to_owned());
        Action { format: 1, fingerprint, parts, outputs, values, summary, made_by, txn }
    }

    #[tokio::test]
    async fn an_artifact_comes_back_as_it_was() {
        let store = store().await;
        let reference = store.put(&model()).await.unwrap();
        assert_eq!(store.get(&reference).await.unwrap(), model());
        assert_eq!(store.put(&model()).await.unwrap(), reference);
    }

    #[tokio::test]
    async fn a_rotten_blob_is_noticed_and_mended() {
        let store = store().await;
        let action = stored_action(&store, "a").await;
        assert_eq!(store.commit_action(&action).await.unwrap(), Commit::Ours);
        let rotten = blob_name(action.outputs["model"].files["model.json"].sha256);
        store.storage.restore(&rotten, Bytes::from_static(b"{ }")).await.unwrap();
        assert!(matches!(store.get(&action.outputs["model"]).await, Err(StoreError::Blob(_))));
        assert_eq!(store.find_action(action.fingerprint).await.unwrap(), None);

        store.put(&model()).await.unwrap();
        assert_eq!(store.find_action(action.fingerprint).await.unwrap(), Some(action));
    }

    #[tokio::test]
    async fn a_tampered_action_is_not_believed_and_can_be_written_again() {
        let store = store().await;
        let action = stored_action(&store, "a").await;
        store.commit_action(&action).await.unwrap();
        let name = action_name(action.fingerprint);
        let text = String::from_utf8(store.storage.get(&name).await.unwrap().unwrap().to_vec()).unwrap();
        store.storage.restore(&name, Bytes::from(text.replace("0.7", "0.9"))).await.unwrap();
        assert_eq!(store.find_action(action.fingerprint).await.unwrap(), None);
        assert_eq!(store.commit_action(&action).await.unwrap(), Commit::Ours);
        assert_eq!(store.find_action(action.fingerprint).await.unwrap(), Some(action));
    }

    #[tokio::test]
    async fn the_first_action_of_a_fingerprint_stays_and_a_lost_answer_is_recognised() {
        let store = store().await;
        let first = stored_action(&store, "a").await;
        let second = stored_action(&store, "b").await;
        assert_eq!(store.commit_action(&first).await.unwrap(), Commit::Ours);
        assert_eq!(store.commit_action(&first).await.unwrap(), Commit::Ours);
        assert_eq!(store.commit_action(&second).await.unwrap(), Commit::Theirs(first));
    }

    #[tokio::test]
    async fn looking_for_a_store_makes_none() {
        let folder = tempfile::tempdir().unwrap();
        let location = folder.path().to_str().unwrap();
        assert!(matches!(Store::open_existing(location).await, Err(StoreError::Missing { .. })));
        assert_eq!(std::fs::read_dir(location).unwrap().count(), 0);
        Store::open(location).await.unwrap();
        assert!(Store::open_existing(location).await.is_ok());
    }

    #[tokio::test]
    async fn a_store_of_another_format_is_refused() {
        let storage = Storage::in_memory();
        storage.create("FORMAT", Bytes::from_static(b"walkforward store 2\n")).await.unwrap();
        assert!(matches!(Store::over(storage).await, Err(StoreError::Format { .. })));
    }
}
