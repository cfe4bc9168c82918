//! Where objects live: a local folder or an S3 bucket, behind one small interface.
//!
//! Every object is written once. The only concurrency primitive is *create if absent*: it is the strongest one that
//! a local disk and S3 share. Nothing above this module knows which of the two it talks to.
//!
//! On a local disk, objects below `registry/` are flushed to disk before a create is answered, and [`Storage::flush`]
//! does the same for what an entry refers to. Not guaranteed: that other objects survive a power loss. They are read back
//! by digest, so a torn one counts as absent and is made again.

mod fault;
mod leftovers;
mod lock;
mod probe;

use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutPayload};

use crate::base::Timestamp;
pub use fault::{Fault, FaultPlan, Faults, Point, Stage};
pub use lock::{Acquired, Holder, Lock};
use lock::{LeaseTerms, LockPlace, MemoryLocks};
pub use probe::ProbeReport;

/// What went wrong between us and the disk or the bucket.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The store's address cannot be understood or opened.
    #[error("cannot open the store `{location}`")]
    Open {
        /// The address as given.
        location: String,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The scheme is not one we can speak.
    #[error("expected a folder or `s3://bucket/prefix` as store, found `{0}`")]
    Scheme(String),
    /// An operation failed.
    #[error("cannot {operation} `{name}` in the store `{location}`")]
    Operation {
        /// What was tried.
        operation: &'static str,
        /// The object's name.
        name: String,
        /// The store.
        location: String,
        /// Why it failed.
        #[source]
        source: object_store::Error,
    },
    /// Others were faster each time.
    #[error("`{name}` in the store `{location}` changes faster than it can be read; try again")]
    Contended {
        /// The object or folder.
        name: String,
        /// The store.
        location: String,
    },
}

/// The answer to a create-if-absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// The object is ours.
    New,
    /// Somebody's object already has this name.
    Exists,
}

/// What a listing says about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// When it was written, by the store's own clock; S3 counts whole seconds.
    pub modified: Timestamp,
}

/// Objects that must survive a power loss once their create was answered.
const DURABLE: &str = "registry/";
/// A store without a readable format is refused, so that this one must survive too.
const FORMAT: &str = "FORMAT";

/// The largest file, in bytes, that is read without handing it to another thread.
const SMALL: u64 = 256 * 1024;

/// An opened store.
#[derive(Clone, Debug)]
pub struct Storage {
    store: Arc<dyn ObjectStore>,
    /// The same store, flushing each object to disk; only where that is not the rule anyway.
    durable: Option<Arc<dyn ObjectStore>>,
    /// The folder of a local store.
    folder: Option<PathBuf>,
    /// Where in that folder an object is.
    paths: Option<Arc<LocalFileSystem>>,
    locks: LockPlace,
    prefix: Path,
    location: String,
    /// What tests have go wrong.
    faults: Faults,
}

impl Storage {
    /// Opens a folder (created if missing) or `s3://bucket/prefix` (endpoint, region and credentials from the usual
    /// AWS environment variables, read by the caller's process).
    ///
    /// # Errors
    /// The address is not understood, or the folder cannot be made.
    pub fn open(location: &str) -> Result<Self, StorageError> {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| StorageError::Open {
            location: location.to_owned(),
            source,
        };
        match location.split_once("://") {
            None => {
                let folder = PathBuf::from(location);
                std::fs::create_dir_all(&folder).map_err(|error| failed(error.into()))?;
                Self::at_folder(&folder, location).map_err(|error| failed(error.into()))
            }
            Some(("s3", rest)) => {
                let prefix = rest.split_once('/').map_or("", |(_, prefix)| prefix);
                let store =
                    AmazonS3Builder::from_env().with_url(location).build().map_err(|error| failed(error.into()))?;
                Ok(Self {
                    store: Arc::new(store),
                    durable: None,
                    folder: None,
                    paths: None,
                    locks: LockPlace::Leases(LeaseTerms::default()),
                    prefix: Path::from(prefix),
                    location: location.to_owned(),
                    faults: Faults::default(),
                })
            }
            Some(_) => Err(StorageError::Scheme(location.to_owned())),
        }
    }

    /// Opens a folder that is there, or `s3://bucket/prefix`; `None` where there is no such folder, and none is made.
    ///
    /// # Errors
    /// As [`Storage::open`].
    pub fn open_existing(location: &str) -> Result<Option<Self>, StorageError> {
        let is_folder = !location.contains("://");
        // what cannot be looked at is opened, so that the error says why
        if is_folder && matches!(FilePath::new(location).try_exists(), Ok(false)) {
            return Ok(None);
        }
        Self::open(location).map(Some)
    }

    /// A store that lives as long as the value: for tests.
    pub fn in_memory() -> Self {
        Self {
            store: Arc::new(InMemory::new()),
            durable: None,
            folder: None,
            paths: None,
            locks: LockPlace::Memory(MemoryLocks::default()),
            prefix: Path::default(),
            location: "memory".to_owned(),
            faults: Faults::default(),
        }
    }

    /// Any store, locked by leases as S3 is.
    #[cfg(test)]
    pub(crate) fn leasing(store: Arc<dyn ObjectStore>, terms: LeaseTerms) -> Self {
        Self { store, locks: LockPlace::Leases(terms), ..Self::in_memory() }
    }

    fn at_folder(folder: &FilePath, location: &str) -> Result<Self, object_store::Error> {
        let flushing = LocalFileSystem::new_with_prefix(folder)?.with_fsync(true);
        let files = Arc::new(LocalFileSystem::new_with_prefix(folder)?);
        Ok(Self {
            store: files.clone(),
            durable: Some(Arc::new(flushing)),
            folder: Some(folder.to_owned()),
            paths: Some(files),
            locks: LockPlace::Folder(folder.join("locks")),
            prefix: Path::default(),
            location: location.to_owned(),
            faults: Faults::default(),
        })
    }

    /// The same store, whose writes meet faults: for tests.
    #[must_use]
    pub fn with_faults(mut self, faults: Faults) -> Self {
        if !faults.is_none() {
            faults.set_folder(self.folder.as_deref());
            self.store = fault::FaultyStore::over(self.store, faults.clone(), false);
            self.durable = self.durable.map(|store| fault::FaultyStore::over(store, faults.clone(), true));
            self.faults = faults;
        }
        self
    }

    /// The faults of this store, for who writes beside it.
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The address, for messages.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// Reads an object whole; `None` when it does not exist.
    ///
    /// # Errors
    /// The store cannot be reached or refuses.
    pub async fn get(&self, name: &str) -> Result<Option<Bytes>, StorageError> {
        if let Some(found) = self.read_small_file(name) {
            return Ok(found);
        }
        match self.store.get(&self.path(name)).await {
            Ok(found) => found.bytes().await.map(Some).map_err(|source| self.failed("read", name, source)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(self.failed("read", name, source)),
        }
    }

    /// Reads a small file at once: handing it to other threads and back, twice, would take longer than the reading.
    /// `None` where it is large or cannot be read like this; what is read is `None` where there is no such file.
    fn read_small_file(&self, name: &str) -> Option<Option<Bytes>> {
        let path = self.paths.as_ref()?.path_to_filesystem(&self.path(name)).ok()?;
        let mut file = match std::fs::File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Some(None),
            opened => opened.ok()?,
        };
        let len = file.metadata().ok().filter(std::fs::Metadata::is_file)?.len();
        if len > SMALL {
            return None;
        }
        let mut bytes = Vec::with_capacity(usize::try_from(len).ok()?);
        file.read_to_end(&mut bytes).ok()?;
        Some(Some(bytes.into()))
    }

    /// Writes an object unless one of that name exists: of any number of writers exactly one gets [`Created::New`].
    ///
    /// # Errors
    /// The store cannot be reached or refuses.
    pub async fn create(&self, name: &str, bytes: Bytes) -> Result<Created, StorageError> {
        let store =
            self.durable.as_ref().filter(|_| name.starts_with(DURABLE) || name == FORMAT).unwrap_or(&self.store);
        match store.put_opts(&self.path(name), PutPayload::from(bytes), PutMode::Create.into()).await {
            Ok(_) => Ok(Created::New),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(Created::Exists),
            Err(source) => Err(self.failed("create", name, source)),
        }
    }

    /// Writes an object whatever was there: only for objects whose name says what they must hold.
    ///
    /// # Errors
    /// The store cannot be reached or refuses.
    pub async fn restore(&self, name: &str, bytes: Bytes) -> Result<(), StorageError> {
        let put = self.store.put(&self.path(name), PutPayload::from(bytes)).await;
        put.map(drop).map_err(|source| self.failed("restore", name, source))
    }

    /// Removes an object; one that does not exist is removed already.
    ///
    /// # Errors
    /// The store cannot be reached or refuses.
    pub async fn remove(&self, name: &str) -> Result<(), StorageError> {
        match self.store.delete(&self.path(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(self.failed("remove", name, source)),
        }
    }

    /// Makes objects that were written before survive a power loss. On S3 they do already.
    ///
    /// # Errors
    /// The disk refuses.
    pub async fn flush(&self, names: &[String]) -> Result<(), StorageError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        for name in names {
            let flushed = async {
                self.faults.before(fault::FLUSH, name)?;
                tokio::fs::File::open(folder.join(name)).await?.sync_all().await?;
                self.faults.note(name, true);
                self.faults.after(fault::FLUSH, name)
            };
            flushed.await.map_err(|source| {
                let source = object_store::Error::Generic { store: "disk", source: source.into() };
                self.failed("flush", name, source)
            })?;
        }
        Ok(())
    }

    /// Lists the names below a prefix, sorted.
    ///
    /// # Errors
    /// The store cannot be reached or refuses.
    pub async fn list(&self, below: &str) -> Result<Vec<String>, StorageError> {
        Ok(self.objects(below).await?.into_iter().map(|object| object.name).collect())
    }

    /// Lists the objects below a prefix, sorted by name.
    ///
    /// # Errors
    /// The store cannot be reached or refuses.
    pub async fn objects(&self, below: &str) -> Result<Vec<Object>, StorageError> {
        let prefix = self.path(below);
        let skip = if self.prefix.as_ref().is_empty() { 0 } else { self.prefix.as_ref().len() + 1 };
        let listed: Vec<_> =
            self.store.list(Some(&prefix)).try_collect().await.map_err(|source| self.failed("list", below, source))?;
        let object = |found: &ObjectMeta| {
            let name = found.location.as_ref().get(skip..)?.to_owned();
            Some(Object { name, bytes: found.size, modified: stamp(found) })
        };
        let mut objects: Vec<Object> = listed.iter().filter_map(object).collect();
        objects.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(objects)
    }

    /// When an object was written, by the store's own clock; `None` when it does not exist.
    ///
    /// # Errors
    /// The store cannot be reached or refuses.
    pub async fn modified(&self, name: &str) -> Result<Option<Timestamp>, StorageError> {
        match self.store.head(&self.path(name)).await {
            Ok(found) => Ok(Some(stamp(&found))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(self.failed("look at", name, source)),
        }
    }

    /// The store's own time, read off the stamp of an object that is overwritten for it.
    ///
    /// # Errors
    /// The store cannot be reached or refuses.
    pub async fn clock(&self, name: &str) -> Result<Timestamp, StorageError> {
        self.restore(name, Bytes::new()).await?;
        let contended = || StorageError::Contended { name: name.to_owned(), location: self.location.clone() };
        self.modified(name).await?.ok_or_else(contended)
    }

    /// Lists the names one level below a prefix that have objects of their own (folders), sorted.
    ///
    /// # Errors
    /// The store cannot be reached or refuses.
    pub async fn folders(&self, below: &str) -> Result<Vec<String>, StorageError> {
        let listed = self
            .store
            .list_with_delimiter(Some(&self.path(below)))
            .await
            .map_err(|source| self.failed("list", below, source))?;
        let mut names: Vec<String> =
            listed.common_prefixes.iter().filter_map(|path| path.filename()).map(str::to_owned).collect();
        names.sort();
        Ok(names)
    }

    fn path(&self, name: &str) -> Path {
        if self.prefix.as_ref().is_empty() { Path::from(name) } else { Path::from(format!("{}/{name}", self.prefix)) }
    }

    fn failed(&self, operation: &'static str, name: &str, source: object_store::Error) -> StorageError {
        StorageError::Operation { operation, name: name.to_owned(), location: self.location.clone(), source }
    }
}

fn stamp(object: &ObjectMeta) -> Timestamp {
    Timestamp::from_micros(object.last_modified.timestamp_micros())
}

/// The same, of a file.
fn file_stamp(about: &std::fs::Metadata) -> Timestamp {
    Timestamp::from_micros(about.mtime().saturating_mul(1_000_000).saturating_add(about.mtime_nsec() / 1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One suite for every backend.
    async fn contract(storage: Storage) {
        assert_eq!(storage.get("a/b.json").await.unwrap(), None);
        assert_eq!(storage.create("a/b.json", Bytes::from_static(b"one")).await.unwrap(), Created::New);
        assert_eq!(storage.create("a/b.json", Bytes::from_static(b"two")).await.unwrap(), Created::Exists);
        assert_eq!(storage.get("a/b.json").await.unwrap().unwrap(), Bytes::from_static(b"one"));
        storage.restore("a/b.json", Bytes::from_static(b"three")).await.unwrap();
        assert_eq!(storage.get("a/b.json").await.unwrap().unwrap(), Bytes::from_static(b"three"));
        storage.create("a/c/d.json", Bytes::new()).await.unwrap();
        assert_eq!(storage.list("a").await.unwrap(), ["a/b.json", "a/c/d.json"]);
        assert_eq!(storage.folders("a").await.unwrap(), ["c"]);
        assert!(storage.list("nothing").await.unwrap().is_empty());
        let (before, now) =
            (storage.modified("a/b.json").await.unwrap().unwrap(), storage.clock("clock").await.unwrap());
        let found = storage.objects("a").await.unwrap();
        assert_eq!(found[0], Object { name: "a/b.json".to_owned(), bytes: 5, modified: before });
        assert!(before <= now, "{before} {now}");
        assert_eq!(storage.modified("nothing").await.unwrap(), None);
        storage.remove("a/c/d.json").await.unwrap();
        storage.remove("a/c/d.json").await.unwrap();
        assert_eq!(storage.list("a").await.unwrap(), ["a/b.json"]);
    }

    async fn one_of_many_creators_wins(storage: Storage) {
        let racers = (0..16_u8).map(|racer| {
            let storage = storage.clone();
            tokio::spawn(async move { storage.create("slot", Bytes::from(vec![racer])).await.unwrap() })
        });
        let mut winners = 0;
        for racer in racers.collect::<Vec<_>>() {
            winners += usize::from(racer.await.unwrap() == Created::New);
        }
        assert_eq!(winners, 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_folder_keeps_the_contract() {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::open(folder.path().to_str().unwrap()).unwrap();
        contract(storage.clone()).await;
        one_of_many_creators_wins(storage).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn memory_keeps_the_contract() {
        contract(Storage::in_memory()).await;
        one_of_many_creators_wins(Storage::in_memory()).await;
    }

    #[test]
    fn a_folder_that_is_not_there_is_not_made_by_looking_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let gone = folder.path().join("gone");
        assert!(Storage::open_existing(gone.to_str().unwrap()).unwrap().is_none());
        assert!(!gone.exists());
        assert!(Storage::open_existing(folder.path().to_str().unwrap()).unwrap().is_some());
    }

    #[test]
    fn an_unknown_scheme_is_refused() {
        assert!(matches!(Storage::open("ftp://host/x"), Err(StorageError::Scheme(_))));
    }
}
