//! Locks of a local store: advisory locks on files, which the system frees when their process dies.
//!
//! The file is removed by whoever frees the lock, while it is still locked; so the folder holds only locks that are held
//! or were held by a process that was killed. A file that is there without a lock is free.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _, Result, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Holder;
use crate::storage::fault::{Faults, UNLOCK};
use crate::storage::leftovers::file_stamp;

const SUFFIX: &str = ".lock";

/// What a holder writes into its file, for others to read.
#[derive(Serialize, Deserialize)]
struct Note {
    by: String,
    /// For a person who wonders which process it is.
    pid: u32,
}

/// A locked file.
#[derive(Debug)]
pub(super) struct FileLock {
    file: File,
    path: PathBuf,
    faults: Faults,
}

impl FileLock {
    /// The same lock, whose end meets faults.
    pub(super) fn with_faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        let name = self.path.to_string_lossy();
        // a lock that cannot be freed by name is freed with the file
        let _ = self.faults.before(UNLOCK, &name);
        if is_at(&self.file, &self.path).unwrap_or(false) {
            let _ = std::fs::remove_file(&self.path);
        }
        // closing would not do: a child process between fork and exec shares the descriptor
        let _ = self.file.unlock();
        let _ = self.faults.after(UNLOCK, &name);
    }
}

/// Takes a lock; `Err` inside says whose it is.
pub(super) async fn take(folder: &Path, name: &str, by: &str) -> Result<std::result::Result<FileLock, Holder>> {
    let (path, by) = (path_of(folder, name), by.to_owned());
    on_blocking_thread(move || {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        match lock(&path)? {
            Ok(file) => {
                let mut lock = FileLock { file, path, faults: Faults::default() };
                write_note(&mut lock.file, &by)?;
                Ok(Ok(lock))
            }
            Err(file) => read_holder(file).map(Err),
        }
    })
    .await
}

/// Who holds a lock.
pub(super) async fn holder(folder: &Path, name: &str) -> Result<Option<Holder>> {
    let path = path_of(folder, name);
    on_blocking_thread(move || holder_at(&path)).await
}

/// Who holds the locks whose names begin so.
pub(super) async fn held(folder: &Path, prefix: &str) -> Result<BTreeMap<String, Holder>> {
    let (folder, prefix) = (folder.to_owned(), prefix.to_owned());
    on_blocking_thread(move || {
        let mut held = BTreeMap::new();
        let Some(entries) = found(std::fs::read_dir(&folder))? else { return Ok(held) };
        for entry in entries {
            let file = entry?.file_name();
            let Some(name) = file.to_str().and_then(|name| name.strip_suffix(SUFFIX)) else { continue };
            if name.starts_with(&prefix)
                && let Some(holder) = holder_at(&path_of(&folder, name))?
            {
                held.insert(name.to_owned(), holder);
            }
        }
        Ok(held)
    })
    .await
}

/// Removes the files of locks that nobody holds.
pub(super) async fn remove_free(folder: &Path, faults: &Faults) -> Result<()> {
    let (folder, faults) = (folder.to_owned(), faults.clone());
    on_blocking_thread(move || {
        let Some(entries) = found(std::fs::read_dir(&folder))? else { return Ok(()) };
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|suffix| suffix == "lock")
                && let Ok(file) = lock(&path)?
            {
                // taken and freed: the file goes with the lock
                drop(FileLock { file, path, faults: faults.clone() });
            }
        }
        Ok(())
    })
    .await
}

fn holder_at(path: &Path) -> Result<Option<Holder>> {
    let Some(file) = found(File::open(path))? else { return Ok(None) };
    if is_held(&file)? { read_holder(file).map(Some) } else { Ok(None) }
}

fn found<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn path_of(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}{SUFFIX}"))
}

async fn on_blocking_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other)?
}

/// Locks the file at a path, made if it is missing; `Err` inside is the file that somebody else holds.
fn lock(path: &Path) -> Result<std::result::Result<File, File>> {
    loop {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) if is_at(&file, path)? => return Ok(Ok(file)),
            // its holder removed it after we had opened it: what we locked, nobody else will find
            Ok(()) => {}
            Err(TryLockError::WouldBlock) if is_held(&file)? => return Ok(Err(file)),
            // somebody only looked, as we have just done
            Err(TryLockError::WouldBlock) => std::thread::yield_now(),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// Says whether somebody holds a file. Looking takes a shared lock for a moment, which [`lock`] knows from a holder's.
fn is_held(file: &File) -> Result<bool> {
    match file.try_lock_shared() {
        Ok(()) => file.unlock().map(|()| false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Says whether an open file is still the one at its path.
fn is_at(file: &File, path: &Path) -> Result<bool> {
    let ours = file.metadata()?;
    let there = found(std::fs::metadata(path))?;
    Ok(there.is_some_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())))
}

fn write_note(file: &mut File, by: &str) -> Result<()> {
    let note = serde_json::to_vec(&Note { by: by.to_owned(), pid: std::process::id() })?;
    file.set_len(0)?;
    file.write_all(&note)
}

/// Reads who holds a file that is held. A holder that has just taken it may not have written its note yet.
fn read_holder(mut file: File) -> Result<Holder> {
    const TRIES: usize = 10;
    const PAUSE: Duration = Duration::from_millis(1);
    let mut text = String::new();
    for _ in 0..TRIES {
        file.read_to_string(&mut text)?;
        if let Ok(note) = serde_json::from_str::<Note>(&text) {
            return Ok(Holder { by: note.by, since: Some(file_stamp(&file.metadata()?)) });
        }
        std::thread::sleep(PAUSE);
    }
    Ok(Holder { by: "unknown".to_owned(), since: None })
}
