//! Files of artifacts that are not held in memory: sources and results of hundreds of megabytes go from disk to disk.
//!
//! Whoever reads one checks it against its digest on the way. Where it is read by its path (bars are, piece by piece) it was
//! checked when it was found. Not guaranteed: that a disk which changes bytes between the two is noticed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Error as IoError, ErrorKind, Read as _, Result as IoResult, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tempfile::TempDir;

use super::types::FileRef;
use crate::base::{Digest, Hasher};

/// An artifact of more bytes than this is large.
pub const LARGE: u64 = 16 * 1024 * 1024;
/// Bytes that are copied at a time.
const CHUNK: usize = 256 * 1024;

/// Where a file of a large artifact is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In memory: small files of a large artifact.
    Memory(Bytes),
    /// On a disk of this machine.
    Disk(PathBuf),
}

/// A file of a large artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LargeFile {
    /// What its bytes must be.
    pub about: FileRef,
    /// Where they are.
    pub place: Place,
}

/// The files of a large artifact.
#[derive(Clone, Debug)]
pub struct LargeFiles {
    files: Arc<BTreeMap<String, LargeFile>>,
    is_tree: bool,
    /// A folder that must not vanish before they do.
    room: Option<Arc<TempDir>>,
}

/// Equal when they hold the same bytes, wherever they are.
impl PartialEq for LargeFiles {
    fn eq(&self, other: &Self) -> bool {
        let about =
            |files: &Self| files.files.iter().map(|(name, file)| (name.clone(), file.about)).collect::<Vec<_>>();
        self.is_tree == other.is_tree && about(self) == about(other)
    }
}

impl LargeFiles {
    /// One file without a name.
    pub fn file(file: LargeFile) -> Self {
        Self { files: Arc::new([(String::new(), file)].into()), is_tree: false, room: None }
    }

    /// Several, by name.
    pub fn tree(files: BTreeMap<String, LargeFile>) -> Self {
        Self { files: Arc::new(files), is_tree: true, room: None }
    }

    /// Keeps a folder as long as the files are of use.
    #[must_use]
    pub fn in_room(mut self, room: Option<Arc<TempDir>>) -> Self {
        self.room = room;
        self
    }

    /// Every file by its name; a single file has none.
    pub fn files(&self) -> &BTreeMap<String, LargeFile> {
        &self.files
    }

    /// The only file, unless there are several.
    pub fn single(&self) -> Option<&LargeFile> {
        if self.is_tree { None } else { self.files.values().next() }
    }
}

impl LargeFile {
    /// A file on disk, hashed.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn on_disk(path: PathBuf) -> IoResult<Self> {
        let (sha256, bytes) = copy(&path, |_| Ok(()))?;
        Ok(Self { about: FileRef { sha256, bytes }, place: Place::Disk(path) })
    }

    /// A file in memory.
    pub fn in_memory(bytes: Bytes) -> Self {
        let about = FileRef { sha256: Digest::of(&bytes), bytes: bytes.len() as u64 };
        Self { about, place: Place::Memory(bytes) }
    }

    /// Reads it whole.
    ///
    /// # Errors
    /// It cannot be read, or has changed.
    pub fn read(&self) -> IoResult<Bytes> {
        match &self.place {
            Place::Memory(bytes) => Ok(bytes.clone()),
            Place::Disk(path) => {
                let bytes = std::fs::read(path)?;
                self.check(path, Digest::of(&bytes)).map(|()| bytes.into())
            }
        }
    }

    /// The first bytes of it, unchecked; fewer where it is shorter.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn beginning(&self, count: usize) -> IoResult<Vec<u8>> {
        match &self.place {
            Place::Memory(bytes) => Ok(bytes[..count.min(bytes.len())].to_vec()),
            Place::Disk(path) => {
                let mut bytes = Vec::with_capacity(count);
                File::open(path)?.take(count as u64).read_to_end(&mut bytes)?;
                Ok(bytes)
            }
        }
    }

    /// Copies it, piece by piece.
    ///
    /// # Errors
    /// It cannot be read, has changed, or the copy cannot be written.
    pub fn copy_to(&self, to: &Path) -> IoResult<()> {
        match &self.place {
            Place::Memory(bytes) => std::fs::write(to, bytes),
            Place::Disk(path) => {
                let mut copied = File::create(to)?;
                let (sha256, _) = copy(path, |piece| copied.write_all(piece))?;
                self.check(path, sha256)
            }
        }
    }

    fn check(&self, path: &Path, found: Digest) -> IoResult<()> {
        if found == self.about.sha256 {
            return Ok(());
        }
        let words = format!("`{}` changed while it was in use; run the same command again", path.display());
        Err(IoError::new(ErrorKind::InvalidData, words))
    }
}

/// Reads a file piece by piece; its digest and size.
fn copy(path: &Path, mut each: impl FnMut(&[u8]) -> IoResult<()>) -> IoResult<(Digest, u64)> {
    let mut file = File::open(path)?;
    let (mut hasher, mut bytes, mut chunk) = (Hasher::default(), 0, vec![0; CHUNK]);
    loop {
        let count = file.read(&mut chunk)?;
        if count == 0 {
            return Ok((hasher.finish(), bytes));
        }
        hasher.update(&chunk[..count]);
        each(&chunk[..count])?;
        bytes += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_on_disk_is_that_of_its_bytes_until_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let (path, copied) = (folder.path().join("bars.csv"), folder.path().join("copy"));
        std::fs::write(&path, "open,close\n").unwrap();
        let file = LargeFile::on_disk(path.clone()).unwrap();
        assert_eq!(file.about, LargeFile::in_memory("open,close\n".into()).about);
        assert_eq!(file.read().unwrap(), "open,close\n");
        assert_eq!(file.beginning(4).unwrap(), b"open");
        file.copy_to(&copied).unwrap();
        assert_eq!(std::fs::read(&copied).unwrap(), b"open,close\n");

        std::fs::write(&path, "open,clove\n").unwrap();
        for problem in [file.read().map(drop), file.copy_to(&copied)] {
            assert!(problem.unwrap_err().to_string().contains("bars.csv` changed"));
        }
    }

    #[test]
    fn files_are_equal_where_their_bytes_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "a").unwrap();
        let (disk, memory) = (LargeFile::on_disk(path).unwrap(), LargeFile::in_memory("a".into()));
        assert_eq!(LargeFiles::file(disk.clone()), LargeFiles::file(memory.clone()));
        assert_ne!(LargeFiles::file(disk), LargeFiles::tree([(String::new(), memory)].into()));
    }
}
