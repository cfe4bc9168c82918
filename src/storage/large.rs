//! Objects that are too large to be held in memory, or to be sent at once.
//!
//! A large object is written in parts and becomes visible when all are there; it is read in ranges, several at a time; and
//! what it must be is known by its digest, which is taken while the bytes go by. Memory is bounded by [`PARTS`] parts,
//! whatever the size.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Result as IoResult};
use std::ops::Range;
use std::path::Path as FilePath;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore as _, ObjectStoreExt as _, WriteMultipart};
use tempfile::TempDir;

use super::{Storage, StorageError};
use crate::base::{Digest, Hasher};

/// Bytes of a part: S3 takes at most 10,000 of at least 5 MiB, which makes 80 GB.
pub(super) const PART: u64 = 8 * 1024 * 1024;
/// How many parts are under way at once.
const PARTS: usize = 4;
/// Bytes of a file that are hashed at a time.
const CHUNK: usize = 256 * 1024;

/// What an object or a file holds, without its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// SHA-256 of its bytes.
    pub sha256: Digest,
    /// Their number.
    pub bytes: u64,
}

impl Storage {
    /// Says whether an object of this size goes to the store in parts. Then it cannot be created conditionally: only an
    /// object whose name says what it holds may be as large.
    pub fn is_written_in_parts(&self, bytes: u64) -> bool {
        self.folder.is_none() && bytes > PART
    }

    /// Reads a part of an object; shorter where the object ends before, `None` when it does not exist.
    ///
    /// # Errors
    /// The store cannot be reached or refuses, or the object ends before the range begins.
    pub async fn get_range(&self, name: &str, range: Range<u64>) -> Result<Option<Bytes>, StorageError> {
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        match self.store.get_opts(&self.path(name), options).await {
            Ok(found) => found.bytes().await.map(Some).map_err(|source| self.failed("read", name, source)),
            Err(source) => self.absent_or_failed("read", name, source),
        }
    }

    /// The digest and size of an object, read without being held in memory; `None` when it does not exist.
    ///
    /// # Errors
    /// The store cannot be reached or refuses.
    pub async fn summary(&self, name: &str) -> Result<Option<Summary>, StorageError> {
        if let Some(small) = self.read_small_file(name) {
            return Ok(small.map(|bytes| Summary { sha256: Digest::of(&bytes), bytes: bytes.len() as u64 }));
        }
        if let Some(path) = self.file_of(name) {
            return self.on_disk("read", name, move || found(summary_of_file(&path))).await;
        }
        let found = match self.store.get(&self.path(name)).await {
            Ok(found) => found,
            Err(source) => return self.absent_or_failed("read", name, source),
        };
        let mut pieces = match found.meta.size > PART {
            true => self.ranges(&found.meta),
            false => found.into_stream(),
        };
        let mut hasher = Hasher::default();
        let mut bytes = 0;
        while let Some(piece) = pieces.try_next().await.map_err(|source| self.failed("read", name, source))? {
            hasher.update(&piece);
            bytes += piece.len() as u64;
        }
        Ok(Some(Summary { sha256: hasher.finish(), bytes }))
    }

    /// Copies an object to a file of this machine without holding it in memory; `None` when it does not exist.
    ///
    /// # Errors
    /// The store cannot be reached or refuses, or the file cannot be written.
    pub async fn fetch(&self, name: &str, path: &FilePath) -> Result<Option<Summary>, StorageError> {
        let found = match self.store.get(&self.path(name)).await {
            Ok(found) => found,
            Err(source) => return self.absent_or_failed("read", name, source),
        };
        let mut pieces = match self.folder.is_none() && found.meta.size > PART {
            true => self.ranges(&found.meta),
            false => found.into_stream(),
        };
        let disk = |error: std::io::Error| {
            let source = object_store::Error::Generic { store: "disk", source: error.into() };
            self.failed("copy", name, source)
        };
        let mut file = tokio::fs::File::create(path).await.map_err(disk)?;
        let (mut hasher, mut bytes) = (Hasher::default(), 0);
        while let Some(piece) = pieces.try_next().await.map_err(|source| self.failed("read", name, source))? {
            hasher.update(&piece);
            bytes += piece.len() as u64;
            tokio::io::AsyncWriteExt::write_all(&mut file, &piece).await.map_err(disk)?;
        }
        tokio::io::AsyncWriteExt::flush(&mut file).await.map_err(disk)?;
        Ok(Some(Summary { sha256: hasher.finish(), bytes }))
    }

    /// A folder of this machine for what is fetched; it vanishes with the value.
    ///
    /// # Errors
    /// The disk refuses.
    pub async fn room(&self) -> Result<TempDir, StorageError> {
        let make = || tempfile::Builder::new().prefix("walkforward-fetched-").tempdir();
        self.on_disk("make a folder for what is fetched from", "", make).await
    }

    /// Reads a large object in ranges.
    pub(super) async fn get_in_parts(&self, name: &str, about: &ObjectMeta) -> Result<Bytes, StorageError> {
        let mut whole = BytesMut::with_capacity(usize::try_from(about.size).unwrap_or_default());
        let mut pieces = self.ranges(about);
        while let Some(piece) = pieces.try_next().await.map_err(|source| self.failed("read", name, source))? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    /// An object's bytes in order, several ranges under way at once. Ranges of an object that is replaced meanwhile are
    /// refused by the store, where it tells versions apart.
    fn ranges(&self, about: &ObjectMeta) -> BoxStream<'static, object_store::Result<Bytes>> {
        let (store, about) = (self.store.clone(), about.clone());
        let starts = (0..about.size).step_by(PART as usize);
        let ranges: Vec<Range<u64>> = starts.map(|start| start..(start + PART).min(about.size)).collect();
        let read = move |range: Range<u64>| {
            let (store, path, tag) = (store.clone(), about.location.clone(), about.e_tag.clone());
            async move {
                let options =
                    GetOptions { range: Some(GetRange::Bounded(range)), if_match: tag, ..GetOptions::default() };
                store.get_opts(&path, options).await?.bytes().await
            }
        };
        stream::iter(ranges).map(read).buffered(PARTS).boxed()
    }

    /// Writes bytes in parts, whatever was there: only for objects whose name says what they must hold. Their parts are
    /// visible to nobody before the last is written.
    pub(super) async fn put_in_parts(
        &self,
        name: &str,
        pieces: impl stream::Stream<Item = IoResult<Bytes>>,
    ) -> Result<Summary, StorageError> {
        let failed = |source| self.failed("write", name, source);
        let upload = self.store.put_multipart(&self.path(name)).await.map_err(failed)?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, PART as usize);
        let (mut hasher, mut bytes) = (Hasher::default(), 0);
        let mut pieces = std::pin::pin!(pieces);
        while let Some(piece) = pieces.next().await {
            let piece = match piece {
                Ok(piece) => piece,
                Err(error) => {
                    // what is left of the upload is invisible; the bucket's own rules remove it if this does not
                    let _ = upload.abort().await;
                    return Err(failed(object_store::Error::Generic { store: "disk", source: error.into() }));
                }
            };
            hasher.update(&piece);
            bytes += piece.len() as u64;
            upload.wait_for_capacity(PARTS).await.map_err(failed)?;
            upload.put(piece);
        }
        upload.finish().await.map_err(failed)?;
        Ok(Summary { sha256: hasher.finish(), bytes })
    }

    /// Copies a file into an object whose name says what it must hold, without holding it in memory.
    ///
    /// # Errors
    /// The file cannot be read, or the store cannot be reached or refuses.
    pub async fn restore_file(&self, name: &str, path: &FilePath) -> Result<Summary, StorageError> {
        let opened = tokio::fs::File::open(path).await;
        let file = opened.map_err(|error| {
            self.failed(
                "read",
                &path.display().to_string(),
                object_store::Error::Generic { store: "disk", source: error.into() },
            )
        })?;
        let pieces = stream::try_unfold(file, |mut file| async move {
            let mut piece = BytesMut::with_capacity(PART as usize);
            while piece.len() < piece.capacity() {
                if tokio::io::AsyncReadExt::read_buf(&mut file, &mut piece).await? == 0 {
                    break;
                }
            }
            Ok((!piece.is_empty()).then(|| (piece.freeze(), file)))
        });
        self.put_in_parts(name, pieces).await
    }

    /// The digest and size of a file of this machine.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn summary_of_file(&self, path: &FilePath) -> Result<Summary, StorageError> {
        let (name, path) = (path.display().to_string(), path.to_owned());
        self.on_disk("read", &name, move || summary_of_file(&path)).await
    }
}

/// What is gone since it was looked at is absent.
fn found<T>(answer: IoResult<T>) -> IoResult<Option<T>> {
    match answer {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

fn summary_of_file(path: &FilePath) -> IoResult<Summary> {
    let mut file = File::open(path)?;
    let (mut hasher, mut bytes, mut chunk) = (Hasher::default(), 0, vec![0; CHUNK]);
    loop {
        let count = file.read(&mut chunk)?;
        if count == 0 {
            return Ok(Summary { sha256: hasher.finish(), bytes });
        }
        hasher.update(&chunk[..count]);
        bytes += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;

    use super::*;
    use crate::storage::lock::LeaseTerms;

    /// Bytes that are no repetition of one part.
    fn large() -> Bytes {
        (0..2 * PART / 8 + 3).flat_map(|number| number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes()).collect()
    }

    async fn contract(storage: Storage) {
        let place = tempfile::tempdir().unwrap();
        let (path, whole) = (place.path().join("large"), large());
        std::fs::write(&path, &whole).unwrap();
        let expected = Summary { sha256: Digest::of(&whole), bytes: whole.len() as u64 };

        assert_eq!(storage.summary("a/large").await.unwrap(), None);
        assert_eq!(storage.restore_file("a/large", &path).await.unwrap(), expected);
        assert_eq!(storage.summary("a/large").await.unwrap(), Some(expected));
        assert_eq!(storage.summary_of_file(&path).await.unwrap(), expected);
        assert!(storage.get("a/large").await.unwrap() == Some(whole.clone()));
        let fetched = place.path().join("fetched");
        assert_eq!(storage.fetch("a/large", &fetched).await.unwrap(), Some(expected));
        assert!(std::fs::read(&fetched).unwrap() == whole);
        assert_eq!(storage.fetch("a/none", &fetched).await.unwrap(), None);

        let range = PART - 5..PART + 5;
        let part = storage.get_range("a/large", range.clone()).await.unwrap().unwrap();
        assert_eq!(part, whole[range.start as usize..range.end as usize]);
        assert_eq!(storage.get_range("a/none", range).await.unwrap(), None);

        std::fs::write(&path, b"").unwrap();
        let empty = storage.restore_file("a/empty", &path).await.unwrap();
        assert_eq!(empty, Summary { sha256: Digest::of(b""), bytes: 0 });
        assert_eq!(storage.get("a/empty").await.unwrap(), Some(Bytes::new()));
    }

    #[tokio::test]
    async fn a_large_object_is_written_in_parts_and_read_in_ranges_wherever_it_is() {
        let place = tempfile::tempdir().unwrap();
        contract(Storage::open(place.path().to_str().unwrap()).unwrap()).await;
        contract(Storage::leasing(Arc::new(InMemory::new()), LeaseTerms::default())).await;
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_read_writes_nothing() {
        let storage = Storage::in_memory();
        assert!(storage.restore_file("a", FilePath::new("there/is/none")).await.is_err());
        assert_eq!(storage.list("").await.unwrap(), [""; 0]);
    }
}
