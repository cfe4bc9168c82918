//! Reading, creating, removing and listing objects.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Result as IoResult};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutPayload};

use super::large::PART;
use super::lock::{LeaseTerms, LockPlace, MemoryLocks};
use super::{Access, Faults, ProbeReport, StorageError, fault};
use crate::base::Timestamp;

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

/// Objects that must survive a power loss once their create was answered: those that are refused, and not made again, when
/// they are torn.
const DURABLE: &[&str] = &["FORMAT", "registry/", "books/", "studies/", "holdouts/", "openings/", "pins/"];

/// The largest file, in bytes, that is read without handing it to another thread.
const SMALL: u64 = 256 * 1024;

/// An opened store.
#[derive(Clone, Debug)]
pub struct Storage {
    pub(super) store: Arc<dyn ObjectStore>,
    /// The same store, flushing each object to disk; only where that is not the rule anyway.
    durable: Option<Arc<dyn ObjectStore>>,
    /// The folder of a local store.
    pub(super) folder: Option<PathBuf>,
    /// Where in that folder an object is.
    paths: Option<Arc<LocalFileSystem>>,
    pub(super) locks: LockPlace,
    prefix: Path,
    location: String,
    access: Access,
    reached_by: Option<Arc<str>>,
    /// Where credentials were looked for.
    looked_at: Arc<str>,
    /// The first pause of a write that is tried again.
    pub(super) pause: Duration,
    /// What the probe has shown since the store was opened. It is not kept in the store: a copy of the store elsewhere would
    /// carry a promise that its new home never made.
    pub(super) probed: Arc<tokio::sync::OnceCell<ProbeReport>>,
    /// What tests have go wrong.
    pub(super) faults: Faults,
}

impl Storage {
    /// Opens a folder, created if missing. For buckets see [`Access::open`].
    ///
    /// # Errors
    /// The folder cannot be made, or a bucket has no access.
    pub fn open(location: &str) -> Result<Self, StorageError> {
        Access::default().open(location)
    }

    /// Opens another place with the access that this one was opened with.
    ///
    /// # Errors
    /// As [`Access::open`].
    pub fn open_beside(&self, location: &str) -> Result<Self, StorageError> {
        self.access.open(location)
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
            access: Access::default(),
            reached_by: None,
            looked_at: "".into(),
            pause: Duration::ZERO,
            probed: Arc::default(),
            faults: Faults::default(),
        }
    }

    /// Any store, locked by leases as S3 is.
    #[cfg(test)]
    pub(crate) fn leasing(store: Arc<dyn ObjectStore>, terms: LeaseTerms) -> Self {
        Self { store, locks: LockPlace::Leases(terms), ..Self::in_memory() }
    }

    /// Any store that nobody has tried out yet.
    #[cfg(test)]
    pub(crate) fn untried(store: Arc<dyn ObjectStore>) -> Self {
        Self::leasing(store, LeaseTerms::default())
    }

    /// Any store that is taken to keep its promise.
    #[cfg(test)]
    pub(crate) fn trusted(store: Arc<dyn ObjectStore>) -> Self {
        let report = ProbeReport { racers: 0, winners: 1, kept: true };
        Self { probed: Arc::new(tokio::sync::OnceCell::new_with(Some(report))), ..Self::untried(store) }
    }

    /// A bucket, or a part of one.
    pub(super) fn in_bucket(
        store: Arc<dyn ObjectStore>,
        prefix: Path,
        location: &str,
        terms: LeaseTerms,
        access: Access,
    ) -> Self {
        const PAUSE: Duration = Duration::from_millis(50);
        let (locks, location) = (LockPlace::Leases(terms), location.to_owned());
        Self { store, locks, prefix, location, access, pause: PAUSE, ..Self::in_memory() }
    }

    pub(super) fn with_access(self, access: Access) -> Self {
        Self { access, ..self }
    }

    pub(super) fn reached(self, by: String, looked_at: String) -> Self {
        Self { reached_by: Some(by.into()), looked_at: looked_at.into(), ..self }
    }

    /// Where a bucket is and whose credentials are used, for a person; `None` for a folder.
    pub fn reached_by(&self) -> Option<&str> {
        self.reached_by.as_deref()
    }

    pub(super) fn at_folder(folder: &FilePath, location: &str, access: Access) -> Result<Self, object_store::Error> {
        let flushing = LocalFileSystem::new_with_prefix(folder)?.with_fsync(true);
        let files = Arc::new(LocalFileSystem::new_with_prefix(folder)?);
        Ok(Self {
            store: files.clone(),
            durable: Some(Arc::new(flushing)),
            folder: Some(folder.to_owned()),
            paths: Some(files),
            locks: LockPlace::Folder(folder.join("locks")),
            location: location.to_owned(),
            access,
            ..Self::in_memory()
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
            Ok(found) if self.folder.is_none() && found.meta.size > PART => {
                self.get_in_parts(name, &found.meta).await.map(Some)
            }
            Ok(found) => found.bytes().await.map(Some).map_err(|source| self.failed("read", name, source)),
            Err(source) => self.absent_or_failed("read", name, source),
        }
    }

    /// Says whether objects are files of this machine.
    pub const fn is_in_a_folder(&self) -> bool {
        self.folder.is_some()
    }

    /// Where an object of a local store is.
    pub fn file_of(&self, name: &str) -> Option<PathBuf> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-');
        // what every name but that of a log is: written as it is, and much faster found
        if name.chars().all(plain) && !name.contains("..") {
            return self.folder.as_ref().map(|folder| folder.join(name));
        }
        self.paths.as_ref()?.path_to_filesystem(&self.path(name)).ok()
    }

    /// Reads a small file at once: handing it to other threads and back, twice, would take longer than the reading.
    /// `None` where it is large or cannot be read like this; what is read is `None` where there is no such file.
    pub(super) fn read_small_file(&self, name: &str) -> Option<Option<Bytes>> {
        let path = self.file_of(name)?;
        let mut file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Some(None),
            opened => opened.ok()?,
        };
        let len = file.metadata().ok().filter(fs::Metadata::is_file)?.len();
        if len > SMALL {
            return None;
        }
        // an object is there whole or not at all: to look for more behind its end is not needed
        let mut bytes = vec![0; usize::try_from(len).ok()?];
        file.read_exact(&mut bytes).ok()?;
        Some(Some(bytes.into()))
    }

    /// Writes an object unless one of that name exists: of any number of writers exactly one gets [`Created::New`].
    ///
    /// # Errors
    /// The store cannot be reached or refuses.
    pub async fn create(&self, name: &str, bytes: Bytes) -> Result<Created, StorageError> {
        let is_durable = DURABLE.iter().any(|room| name.starts_with(room));
        let store = self.durable.as_ref().filter(|_| is_durable).unwrap_or(&self.store);
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
        if self.is_written_in_parts(bytes.len() as u64) {
            let pieces = (0..bytes.len()).step_by(PART as usize);
            let pieces = pieces.map(|start| Ok(bytes.slice(start..bytes.len().min(start + PART as usize))));
            return self.put_in_parts(name, futures_util::stream::iter(pieces)).await.map(drop);
        }
        let put = self.store.put(&self.path(name), PutPayload::from(bytes)).await;
        put.map(drop).map_err(|source| self.failed("restore", name, source))
    }

    /// `None` for an object that does not exist; where the bucket itself does not, that is an error.
    pub(super) fn absent_or_failed<T>(
        &self,
        operation: &'static str,
        name: &str,
        source: object_store::Error,
    ) -> Result<Option<T>, StorageError> {
        let is_absent = matches!(source, object_store::Error::NotFound { .. });
        match self.failed(operation, name, source) {
            refused @ StorageError::Refused { .. } => Err(refused),
            _ if is_absent => Ok(None),
            failed => Err(failed),
        }
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

    /// Makes objects that were written before survive a power loss: their bytes, and the folders that name them. On S3 they
    /// do already.
    ///
    /// # Errors
    /// The disk refuses.
    pub async fn flush(&self, names: &[String]) -> Result<(), StorageError> {
        let Some(folder) = self.folder.clone() else { return Ok(()) };
        let (faults, names) = (self.faults.clone(), names.to_vec());
        let about = names.first().cloned().unwrap_or_default();
        self.on_disk("flush", &about, move || flush_files(&folder, &names, &faults)).await
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
            Err(source) => self.absent_or_failed("look at", name, source),
        }
    }

    /// How many bytes an object has; `None` when it does not exist.
    ///
    /// # Errors
    /// The store cannot be reached or refuses.
    pub async fn size(&self, name: &str) -> Result<Option<u64>, StorageError> {
        match self.store.head(&self.path(name)).await {
            Ok(found) => Ok(Some(found.size)),
            Err(source) => self.absent_or_failed("look at", name, source),
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

    pub(super) fn path(&self, name: &str) -> Path {
        if self.prefix.as_ref().is_empty() { Path::from(name) } else { Path::from(format!("{}/{name}", self.prefix)) }
    }

    pub(super) fn failed(&self, operation: &'static str, name: &str, source: object_store::Error) -> StorageError {
        StorageError::of(operation, name, &self.location, &self.looked_at, source)
    }
}

/// Flushes files and every folder on the way to them: a file whose name was not written down is lost with all its bytes.
fn flush_files(root: &FilePath, names: &[String], faults: &Faults) -> IoResult<()> {
    let mut folders = BTreeSet::new();
    for name in names {
        let path = root.join(name);
        faults.before(fault::FLUSH, name)?;
        File::open(&path)?.sync_all()?;
        faults.note(name, true);
        faults.after(fault::FLUSH, name)?;
        let above = path.ancestors().skip(1).take_while(|folder| folder.starts_with(root));
        folders.extend(above.map(FilePath::to_owned));
    }
    folders.iter().rev().try_for_each(|folder| File::open(folder)?.sync_all())
}

fn stamp(object: &ObjectMeta) -> Timestamp {
    Timestamp::from_micros(object.last_modified.timestamp_micros())
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
}
