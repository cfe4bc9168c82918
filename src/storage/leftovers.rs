//! What a local store leaves on disk and does not list: files of writes that were killed, and folders that are empty.
//! Other stores have neither.

use std::fs;
use std::io::{ErrorKind, Result as IoResult};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path as FilePath;

use super::fault::DELETE;
use super::{Object, Storage, StorageError};
use crate::base::Timestamp;

impl Storage {
    /// Files that a write made before it was killed, sorted: named as their object, with `#` and a number behind. A write
    /// that is under way has one too.
    ///
    /// # Errors
    /// The disk refuses.
    pub async fn leftovers(&self) -> Result<Vec<Object>, StorageError> {
        let Some(folder) = self.folder.clone() else { return Ok(Vec::new()) };
        let work = move || {
            let mut found = Vec::new();
            collect(&folder, "", &mut found)?;
            found.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(found)
        };
        self.on_disk("list", "", work).await
    }

    /// Removes a file that [`Storage::leftovers`] found; nothing else.
    ///
    /// # Errors
    /// The disk refuses.
    pub async fn remove_leftover(&self, name: &str) -> Result<(), StorageError> {
        let Some(path) = self.folder.as_ref().map(|folder| folder.join(name)).filter(|_| is_leftover(name)) else {
            return Ok(());
        };
        let (faults, own_name) = (self.faults.clone(), name.to_owned());
        let work = move || {
            faults.before(DELETE, &own_name)?;
            gone_or(fs::remove_file(path))?;
            faults.after(DELETE, &own_name)
        };
        self.on_disk("remove", name, work).await
    }

    /// Removes folders below a prefix that hold nothing, so that they are not taken for something.
    ///
    /// # Errors
    /// The disk refuses.
    pub async fn remove_empty_folders(&self, below: &str) -> Result<(), StorageError> {
        let Some(folder) = self.folder.as_ref().map(|folder| folder.join(below)) else { return Ok(()) };
        let (faults, own_name) = (self.faults.clone(), below.to_owned());
        let work = move || {
            faults.before(DELETE, &own_name)?;
            prune(&folder)?;
            faults.after(DELETE, &own_name)
        };
        self.on_disk("remove", below, work).await
    }

    pub(super) async fn on_disk<T: Send + 'static>(
        &self,
        operation: &'static str,
        name: &str,
        work: impl FnOnce() -> IoResult<T> + Send + 'static,
    ) -> Result<T, StorageError> {
        let done = match tokio::task::spawn_blocking(work).await {
            Ok(done) => done,
            Err(error) => Err(std::io::Error::other(error)),
        };
        done.map_err(|source| {
            self.failed(operation, name, object_store::Error::Generic { store: "disk", source: source.into() })
        })
    }
}

fn is_leftover(name: &str) -> bool {
    name.rsplit_once('#').is_some_and(|(_, count)| !count.is_empty() && count.bytes().all(|c| c.is_ascii_digit()))
}

/// When a file was written, by the clock of its disk.
pub(super) fn file_stamp(about: &fs::Metadata) -> Timestamp {
    Timestamp::from_micros(about.mtime().saturating_mul(1_000_000).saturating_add(about.mtime_nsec() / 1000))
}

/// What others removed meanwhile is no error.
fn gone_or(done: IoResult<()>) -> IoResult<()> {
    match done {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn collect(folder: &FilePath, below: &str, found: &mut Vec<Object>) -> IoResult<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        let Ok(about) = entry.metadata() else { continue };
        if about.is_dir() {
            collect(&entry.path(), &format!("{name}/"), found)?;
        } else if is_leftover(&name) {
            found.push(Object { name, bytes: about.len(), modified: file_stamp(&about) });
        }
    }
    Ok(())
}

fn prune(folder: &FilePath) -> IoResult<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            prune(&entry.path())?;
            match fs::remove_dir(entry.path()) {
                // somebody has just written into it
                Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => {}
                other => gone_or(other)?,
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_killed_write_left_is_found_and_removed_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let storage = Storage::open(place.path().to_str().unwrap()).unwrap();
        storage.create("blobs/ab/cd", "whole".into()).await.unwrap();
        fs::write(place.path().join("blobs/ab/ef#1"), "half").unwrap();
        fs::write(place.path().join("blobs/ab/#x"), "a name that no write gives").unwrap();
        let found = storage.leftovers().await.unwrap();
        assert_eq!(
            found.iter().map(|object| (&object.name[..], object.bytes)).collect::<Vec<_>>(),
            [("blobs/ab/ef#1", 4)]
        );
        assert!(found[0].modified <= storage.clock("clock").await.unwrap());
        for name in ["blobs/ab/cd", "blobs/ab/ef#1", "blobs/ab/gone#2"] {
            storage.remove_leftover(name).await.unwrap();
        }
        assert!(storage.leftovers().await.unwrap().is_empty());
        assert!(storage.get("blobs/ab/cd").await.unwrap().is_some());
    }

    #[tokio::test]
    async fn empty_folders_go_and_full_ones_stay() {
        let place = tempfile::tempdir().unwrap();
        let storage = Storage::open(place.path().to_str().unwrap()).unwrap();
        storage.create("runs/day/one/start.json", "1".into()).await.unwrap();
        storage.create("runs/day/two/nodes/a.json", "2".into()).await.unwrap();
        storage.remove("runs/day/two/nodes/a.json").await.unwrap();
        assert_eq!(storage.folders("runs/day").await.unwrap(), ["one", "two"]);
        storage.remove_empty_folders("runs").await.unwrap();
        assert_eq!(storage.folders("runs/day").await.unwrap(), ["one"]);
        Storage::in_memory().remove_empty_folders("runs").await.unwrap();
    }
}
