//! The content-addressed store: blobs, actions and sealed records over [`Storage`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::TempDir;

use super::large::{LARGE, LargeFile, LargeFiles, Place};
use super::sealed::{SealError, seal, unseal};
use super::types::{Action, Artifact, ArtifactRef, ArtifactType, FileRef, Payload};
use crate::base::{CanonicalError, Digest, canonical_of};
use crate::storage::{Access, Committed, Faults, ProbeReport, Storage, StorageError, Summary};

const FORMAT: &[u8] = b"walkforward store 1\n";
/// How often an object that does not match its digest or seal is read before it counts as damaged.
const READS: usize = 3;
/// How many blobs are checked at once.
const AT_ONCE: usize = 4;

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
    #[error("the store `{location}` has format `{found}`, says its `FORMAT`; this program knows `walkforward store 1`")]
    Format {
        /// The store.
        location: String,
        /// What its `FORMAT` says.
        found: String,
    },
    /// An object that must exist does not, or is not what its name says.
    #[error("blob {0} is missing from the store or does not match its digest")]
    Blob(Digest),
    /// The log of a node does not, or is not what the record of its run says.
    #[error("`{0}` is missing from the store or is not what the record of its run says")]
    Log(String),
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
    /// A file changed while it was stored.
    #[error("`{}` changed while it was read; run the same command again", .0.display())]
    Changed(PathBuf),
    /// A promotion could be lost here.
    #[error("the store `{location}` cannot keep a registry: {report}; see `walkforward doctor`")]
    LosesCreates {
        /// The store.
        location: String,
        /// What was tried out.
        report: ProbeReport,
    },
}

impl StoreError {
    /// What to do about it, where that is known.
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Storage(storage) => storage.advice(),
            Self::LosesCreates { .. } => Some(
                "a promotion could be lost there: use a service that honours `If-None-Match: *`, or a local disk; \
                 `walkforward doctor` tries it out"
                    .to_owned(),
            ),
            Self::Record { .. } | Self::Blob(_) | Self::Log(_) => Some(
                "restore it from a copy of the store, if there is one; `walkforward audit` says what else is not as it was"
                    .to_owned(),
            ),
            _ => None,
        }
    }
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

    /// Opens a store to look at it. `storage` is `None` where there is not even a folder.
    ///
    /// # Errors
    /// As [`Store::open_existing`].
    pub async fn existing(storage: Option<Storage>, location: &str) -> Result<Self, StoreError> {
        let missing = || StoreError::Missing { location: location.to_owned() };
        let storage = storage.ok_or_else(missing)?;
        let found = storage.get("FORMAT").await?.ok_or_else(missing)?;
        Self::of_format(storage, &found)
    }

    /// Opens a store to look at it: one that is not there is not made.
    ///
    /// # Errors
    /// There is none, it cannot be reached, or it has a format we do not know.
    pub async fn open_existing(location: &str) -> Result<Self, StoreError> {
        Self::existing(Access::default().open_existing(location)?, location).await
    }

    /// Uses storage that is already open.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn over(storage: Storage) -> Result<Self, StoreError> {
        let found = match storage.get("FORMAT").await? {
            Some(found) => found,
            None => match storage.commit("FORMAT", Bytes::from_static(FORMAT)).await? {
                Committed::Ours => Bytes::from_static(FORMAT),
                Committed::Theirs(found) => found,
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
            Payload::Large(files) => {
                for file in files.files().values() {
                    match &file.place {
                        Place::Memory(bytes) => self.put_blob(file.about.sha256, bytes.clone()).await?,
                        Place::Disk(path) => self.put_path(file.about.sha256, path).await?,
                    }
                }
                if !reference.files.is_empty() {
                    self.put_blob(reference.sha256, manifest).await?;
                }
            }
        }
        Ok(reference)
    }

    /// Finds an artifact and checks every byte of it. One that is large is left on disk, or brought there from a bucket, and
    /// not held in memory.
    ///
    /// # Errors
    /// A blob is missing or wrong, or the store cannot be reached.
    pub async fn open_large(&self, reference: &ArtifactRef) -> Result<Artifact, StoreError> {
        if reference.bytes <= LARGE {
            return self.get(reference).await;
        }
        let single = FileRef { sha256: reference.sha256, bytes: reference.bytes };
        if reference.files.is_empty() {
            let (path, room) = self.on_disk(&[(String::new(), single)].into()).await?;
            let files = path.into_values().next().map(LargeFiles::file).ok_or(StoreError::Blob(reference.sha256))?;
            return Ok(Artifact::large(reference.kind, files.in_room(room)));
        }
        manifest_digest(reference)?;
        let (files, room) = self.on_disk(&reference.files).await?;
        Ok(Artifact::large(reference.kind, LargeFiles::tree(files).in_room(room)))
    }

    /// Files by name, where they can be read by a path; those of a bucket are fetched into a folder that vanishes with the
    /// second value.
    async fn on_disk(
        &self,
        files: &BTreeMap<String, FileRef>,
    ) -> Result<(BTreeMap<String, LargeFile>, Option<Arc<TempDir>>), StoreError> {
        let room = match self.storage.is_in_a_folder() {
            true => None,
            false => Some(Arc::new(self.storage.room().await?)),
        };
        let mut found = BTreeMap::new();
        for (name, about) in files {
            let blob = blob_name(about.sha256);
            let place = match (self.storage.file_of(&blob), &room) {
                (Some(path), _) => {
                    self.verify_blob(about.sha256).await?;
                    path
                }
                (None, Some(room)) => {
                    let path = room.path().join(about.sha256.to_string());
                    self.fetch_blob(about.sha256, &path).await?;
                    path
                }
                (None, None) => return Err(StoreError::Blob(about.sha256)),
            };
            found.insert(name.clone(), LargeFile { about: *about, place: Place::Disk(place) });
        }
        Ok((found, room))
    }

    async fn fetch_blob(&self, digest: Digest, path: &Path) -> Result<(), StoreError> {
        for _ in 0..READS {
            match self.storage.fetch(&blob_name(digest), path).await? {
                Some(Summary { sha256, .. }) if sha256 == digest => return Ok(()),
                // torn on the way, perhaps
                Some(_) => {}
                None => break,
            }
        }
        Err(StoreError::Blob(digest))
    }

    /// Reads an artifact and checks every byte against its digest.
    ///
    /// # Errors
    /// A blob is missing or wrong, or the store cannot be reached.
    pub async fn get(&self, reference: &ArtifactRef) -> Result<Artifact, StoreError> {
        if reference.files.is_empty() {
            return Ok(Artifact::file(reference.kind, self.get_blob(reference.sha256).await?));
        }
        manifest_digest(reference)?;
        let mut files = BTreeMap::new();
        for (name, file) in &reference.files {
            files.insert(name.clone(), self.get_blob(file.sha256).await?);
        }
        Ok(Artifact::tree(reference.kind, files))
    }

    /// Checks every byte of an artifact, without holding it in memory.
    ///
    /// # Errors
    /// A blob is missing or wrong, or the store cannot be reached.
    pub async fn verify(&self, reference: &ArtifactRef) -> Result<(), StoreError> {
        if reference.files.is_empty() {
            return self.verify_blob(reference.sha256).await;
        }
        self.verify_blob(manifest_digest(reference)?).await?;
        // several at once: a digest keeps one processor busy, and a bucket is far away
        let digests: Vec<Digest> = reference.files.values().map(|file| file.sha256).collect();
        stream::iter(digests).map(|digest| self.verify_blob(digest)).buffered(AT_ONCE).try_collect().await
    }

    /// Checks every byte of a blob.
    ///
    /// # Errors
    /// As [`Store::get_blob`].
    pub async fn verify_blob(&self, digest: Digest) -> Result<(), StoreError> {
        for _ in 0..READS {
            match self.storage.summary(&blob_name(digest)).await? {
                Some(Summary { sha256, .. }) if sha256 == digest => return Ok(()),
                Some(_) => {}
                None => break,
            }
        }
        Err(StoreError::Blob(digest))
    }

    /// Checks an artifact, and makes it survive a power loss: before anything that is never deleted refers to it.
    ///
    /// # Errors
    /// A blob is missing or wrong, or the store cannot be reached.
    pub async fn make_durable(&self, reference: &ArtifactRef) -> Result<(), StoreError> {
        self.verify(reference).await?;
        let files = reference.files.values().map(|file| blob_name(file.sha256));
        let names: Vec<String> = files.chain(std::iter::once(blob_name(reference.sha256))).collect();
        Ok(self.storage.flush(&names).await?)
    }

    /// Tries out whether the store lets exactly one of many creates win, once for as long as it is open, and refuses to go on
    /// where it does not. `by` names who asks and must be its own.
    ///
    /// # Errors
    /// The store lets several win, or cannot be reached.
    pub async fn require_exclusive_creates(&self, by: &str) -> Result<(), StoreError> {
        let report = self.storage.probed(by).await?;
        if report.is_reliable() {
            return Ok(());
        }
        Err(StoreError::LosesCreates { location: self.storage.location().to_owned(), report })
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
            match self.verify(output).await {
                Ok(()) => {}
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
        match self.commit_record(&name, action).await {
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
        Ok(self.read_sealed(name).await?.map(|(record, _)| record))
    }

    /// Reads all sealed records below a folder, by name; one that is removed meanwhile is left out.
    ///
    /// # Errors
    /// A record is damaged, or the store cannot be reached.
    pub(super) async fn read_records<T: DeserializeOwned>(&self, folder: &str) -> Result<Vec<T>, StoreError> {
        let mut records = Vec::new();
        for name in self.storage.list(folder).await? {
            records.extend(self.read_record(&name).await?);
        }
        Ok(records)
    }

    /// Reads a sealed record, with the bytes that it is made of. What cannot be believed is read again, in case that it
    /// was torn on the way.
    pub(crate) async fn read_sealed<T: DeserializeOwned>(&self, name: &str) -> Result<Option<(T, Bytes)>, StoreError> {
        let mut reads = 1;
        loop {
            let Some(bytes) = self.storage.get(name).await? else { return Ok(None) };
            match unseal(name, &bytes) {
                Ok(record) => return Ok(Some((record, bytes))),
                Err(_) if reads < READS => reads += 1,
                Err(source) => return Err(StoreError::Record { name: name.to_owned(), source }),
            }
        }
    }

    /// Writes a sealed record under a name that can be taken once. It must be unlike those of all other writers, by a
    /// number of its own or by its name; then what is found under the name tells whether it is ours.
    ///
    /// # Errors
    /// The store cannot be reached, or the record that is there is damaged.
    pub async fn commit_record<T: Serialize + DeserializeOwned>(
        &self,
        name: &str,
        record: &T,
    ) -> Result<Commit<T>, StoreError> {
        let bytes = sealed(name, record)?;
        match self.storage.commit(name, bytes.clone()).await? {
            Committed::Ours => Ok(Commit::Ours),
            Committed::Theirs(found) => match unseal(name, &found) {
                Ok(theirs) => Ok(Commit::Theirs(theirs)),
                // torn on the way, perhaps: then it may yet be ours
                Err(source) => match self.read_sealed(name).await? {
                    Some((_, found)) if found == bytes => Ok(Commit::Ours),
                    Some((theirs, _)) => Ok(Commit::Theirs(theirs)),
                    None => Err(StoreError::Record { name: name.to_owned(), source }),
                },
            },
        }
    }

    async fn put_blob(&self, digest: Digest, bytes: Bytes) -> Result<(), StoreError> {
        let name = blob_name(digest);
        // what goes in parts cannot be created conditionally
        let is_there = match self.storage.is_written_in_parts(bytes.len() as u64) {
            true => self.verify_blob(digest).await.is_ok(),
            false => self.storage.commit(&name, bytes.clone()).await? == Committed::Ours,
        };
        if !is_there {
            // the name says what the bytes must be, so a rotten blob may be overwritten
            self.storage.restore(&name, bytes).await?;
        }
        Ok(())
    }

    /// Stores a file of this machine without holding it in memory.
    ///
    /// # Errors
    /// The file cannot be read or changes meanwhile, or the store cannot be reached.
    pub async fn put_file(&self, kind: ArtifactType, path: &Path) -> Result<ArtifactRef, StoreError> {
        let Summary { sha256, bytes } = self.storage.summary_of_file(path).await?;
        self.put_path(sha256, path).await?;
        Ok(ArtifactRef { kind, sha256, bytes, files: BTreeMap::new() })
    }

    /// Stores a file that has, or had a moment ago, this digest.
    async fn put_path(&self, digest: Digest, path: &Path) -> Result<(), StoreError> {
        match self.verify_blob(digest).await {
            Ok(()) => return Ok(()),
            Err(StoreError::Blob(_)) => {}
            Err(error) => return Err(error),
        }
        let name = blob_name(digest);
        if self.storage.restore_file(&name, path).await?.sha256 != digest {
            self.storage.remove(&name).await?;
            return Err(StoreError::Changed(path.to_owned()));
        }
        Ok(())
    }

    /// Reads a blob and checks it against its digest.
    ///
    /// # Errors
    /// The blob is missing or wrong, or the store cannot be reached.
    pub async fn get_blob(&self, digest: Digest) -> Result<Bytes, StoreError> {
        for _ in 0..READS {
            match self.storage.get(&blob_name(digest)).await? {
                Some(bytes) if Digest::of(&bytes) == digest => return Ok(bytes),
                // torn on the way, perhaps
                Some(_) => {}
                None => break,
            }
        }
        Err(StoreError::Blob(digest))
    }
}

/// The digest of a tree's manifest. It is derived anew: a tampered record cannot point a digest at other files.
fn manifest_digest(reference: &ArtifactRef) -> Result<Digest, StoreError> {
    match Digest::of(&canonical_of(&reference.files)?) == reference.sha256 {
        true => Ok(reference.sha256),
        false => Err(StoreError::Blob(reference.sha256)),
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
            tree(artifact.kind, files, manifest)
        }
        Payload::Large(large) => match large.single() {
            Some(LargeFile { about: FileRef { sha256, bytes }, .. }) => {
                let reference =
                    ArtifactRef { kind: artifact.kind, sha256: *sha256, bytes: *bytes, files: BTreeMap::new() };
                (reference, Bytes::new())
            }
            None => {
                let files: BTreeMap<String, FileRef> =
                    large.files().iter().map(|(name, file)| (name.clone(), file.about)).collect();
                let manifest = Bytes::from(canonical_of(&files)?);
                tree(artifact.kind, files, manifest)
            }
        },
    })
}

/// The reference to a tree, and its manifest.
fn tree(kind: ArtifactType, files: BTreeMap<String, FileRef>, manifest: Bytes) -> (ArtifactRef, Bytes) {
    let bytes = files.values().map(|file| file.bytes).sum();
    (ArtifactRef { kind, sha256: Digest::of(&manifest), bytes, files }, manifest)
}

fn sealed<T: Serialize>(name: &str, record: &T) -> Result<Bytes, StoreError> {
    seal(name, record).map(Bytes::from).map_err(|source| StoreError::Record { name: name.to_owned(), source })
}

/// The object that has the bytes of a digest.
pub(crate) fn blob_name(digest: Digest) -> String {
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
    use crate::artifact::{MadeBy, Scalar};

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
        Action { format: 1, fingerprint, parts, outputs, logical: BTreeMap::new(), values, summary, made_by, txn }
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
    async fn a_file_is_stored_like_its_bytes() {
        let (store, place) = (store().await, tempfile::tempdir().unwrap());
        let path = place.path().join("bars.csv");
        std::fs::write(&path, "open,close\n").unwrap();
        let reference = store.put_file(ArtifactType::File, &path).await.unwrap();
        let artifact = Artifact::file(ArtifactType::File, "open,close\n");
        assert_eq!(store.put(&artifact).await.unwrap(), reference);
        assert_eq!(store.get(&reference).await.unwrap(), artifact);
        store.verify(&reference).await.unwrap();
    }

    /// A large artifact, as it is in memory and on disk.
    fn large(folder: &Path) -> [Artifact; 2] {
        let bytes = Bytes::from(vec![7; LARGE as usize]);
        let path = folder.join("large");
        std::fs::write(&path, &bytes).unwrap();
        let files = [("read.json".to_owned(), Bytes::from("{}")), ("large".to_owned(), bytes)];
        let small = LargeFile::in_memory("{}".into());
        let on_disk = [("read.json".to_owned(), small), ("large".to_owned(), LargeFile::on_disk(path).unwrap())];
        let kind = ArtifactType::Bars;
        [Artifact::tree(kind, files.into()), Artifact::large(kind, LargeFiles::tree(on_disk.into()))]
    }

    #[tokio::test]
    async fn a_large_artifact_is_the_same_wherever_its_bytes_are() {
        let place = tempfile::tempdir().unwrap();
        let [in_memory, on_disk] = large(place.path());
        let folder = tempfile::tempdir().unwrap();
        for store in [store().await, Store::open(folder.path().to_str().unwrap()).await.unwrap()] {
            let reference = store.put(&on_disk).await.unwrap();
            assert_eq!(reference, store.put(&in_memory).await.unwrap());
            assert_eq!(store.get(&reference).await.unwrap(), in_memory);
            assert_eq!(store.open_large(&reference).await.unwrap(), on_disk);
            let single = ArtifactRef { files: BTreeMap::new(), ..reference.clone() };
            let single = ArtifactRef { sha256: reference.files["large"].sha256, ..single };
            let opened = store.open_large(&single).await.unwrap();
            assert_eq!(opened.files().len(), 1);
            assert_eq!(reference_to(&opened).unwrap().0.sha256, single.sha256);

            // one that is rotten is not opened
            store.storage.restore(&blob_name(single.sha256), "rotten".into()).await.unwrap();
            assert!(matches!(store.open_large(&reference).await, Err(StoreError::Blob(_))));
        }
    }

    #[tokio::test]
    async fn a_large_file_that_changes_before_it_is_stored_is_refused() {
        let (store, place) = (store().await, tempfile::tempdir().unwrap());
        let [_, on_disk] = large(place.path());
        std::fs::write(place.path().join("large"), "changed").unwrap();
        assert!(matches!(store.put(&on_disk).await, Err(StoreError::Changed(_))));
        let reference = reference_to(&on_disk).unwrap().0;
        assert!(matches!(store.get(&reference).await, Err(StoreError::Blob(_))));
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
