//! Files outside the store: one file, a folder, a pattern, partitions; on disk or in a bucket.
//!
//! | path | files |
//! |---|---|
//! | a file | that one |
//! | a folder or prefix | those in it, and those in folders below it that are partitions: `symbol=AAPL/year=2020` |
//! | with `*`, `?`, `[..]` or `**` | those that match; `*` stays within a folder, `**` goes through any number of them |
//!
//! A name is the path below the folder, or below what stands before the first pattern; partitions above it are part of the
//! name, since they say something about the rows. Files are read in the order of their names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use glob::{MatchOptions, Pattern};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::sources::{unreadable, words};
use crate::artifact::LARGE;
use crate::base::Digest;
use crate::market::{Dataset, FileData, Files, ReadOptions};
use crate::storage::Storage;

/// A file that was found.
#[derive(Clone, Debug)]
pub struct FoundFile {
    /// Its name, by which files are ordered.
    pub name: String,
    place: Place,
}

/// What is done with the bytes of files that are read.
#[derive(Clone, Copy, Debug)]
pub enum Hold<'a> {
    /// Files on disk are left there; others are held in memory.
    Remote,
    /// All are held in memory, but those of large data sets: they stay on disk, and come here from a bucket.
    Small(&'a Room),
}

/// A folder for large files of buckets, made when there is one.
#[derive(Debug, Default)]
pub struct Room(OnceCell<TempDir>);

impl Room {
    async fn path(&self, outside: &Storage) -> Result<&Path, String> {
        let folder = self.0.get_or_try_init(|| outside.room()).await;
        folder.map(TempDir::path).map_err(|error| words(&error))
    }

    /// The folder, if it was needed.
    pub(super) fn kept(self) -> Option<Arc<TempDir>> {
        self.0.into_inner().map(Arc::new)
    }
}

#[derive(Clone, Debug)]
enum Place {
    Disk(PathBuf),
    Object(Box<Storage>, String),
}

impl FoundFile {
    /// Where it is on disk, if it is.
    pub fn on_disk(&self) -> Option<&Path> {
        match &self.place {
            Place::Disk(path) => Some(path),
            Place::Object(..) => None,
        }
    }

    /// How many bytes it has.
    async fn size(&self) -> Result<u64, String> {
        match &self.place {
            Place::Disk(path) => {
                let about = std::fs::metadata(path);
                about.map(|about| about.len()).map_err(|error| unreadable(&path.to_string_lossy(), &error))
            }
            Place::Object(storage, name) => {
                let size = storage.size(name).await.map_err(|error| words(&error))?;
                size.ok_or_else(|| gone(storage, name))
            }
        }
    }

    /// Where it is on disk, or is from now on.
    async fn bring(&self, room: &Room) -> Result<PathBuf, String> {
        match &self.place {
            Place::Disk(path) => Ok(path.clone()),
            Place::Object(storage, name) => {
                let path = room
                    .path(storage)
                    .await?
                    .join(Digest::of(format!("{}/{name}", storage.location()).as_bytes()).to_string());
                let fetched = storage.fetch(name, &path).await.map_err(|error| words(&error))?;
                fetched.map(|_| path).ok_or_else(|| gone(storage, name))
            }
        }
    }

    /// Reads it whole.
    ///
    /// # Errors
    /// It cannot be read, or has gone.
    pub async fn read(&self) -> Result<Bytes, String> {
        match &self.place {
            Place::Disk(path) => {
                let bytes = tokio::fs::read(path).await;
                bytes.map(Bytes::from).map_err(|error| unreadable(&path.to_string_lossy(), &error))
            }
            Place::Object(storage, name) => {
                let bytes = storage.get(name).await.map_err(|error| words(&error))?;
                bytes.ok_or_else(|| gone(storage, name))
            }
        }
    }
}

fn gone(storage: &Storage, name: &str) -> String {
    format!("`{}/{name}` does not exist", storage.location())
}

/// Says whether a file holds rows.
fn is_data_file(name: &str) -> bool {
    let is_hidden = name.rsplit('/').next().is_some_and(|last| last.starts_with('.'));
    !is_hidden && [".parquet", ".csv"].iter().any(|suffix| name.ends_with(suffix))
}

/// Finds the Parquet and CSV files at a path.
///
/// # Errors
/// There are none, or the path cannot be looked at.
pub async fn find_data_files(path: &str, outside: &Storage) -> Result<Vec<FoundFile>, String> {
    let found = find_files(path, outside).await?;
    if found.is_empty() {
        return Err(format!(
            "no `.parquet` or `.csv` file {} `{path}`",
            if pattern_start(path).is_some() { "matches" } else { "in" }
        ));
    }
    Ok(found)
}

/// Finds the files of a data set. A bucket is reached as `outside` is.
///
/// # Errors
/// A file is missing or cannot be read.
pub async fn read_dataset(
    path: &str,
    read: &ReadOptions,
    hold: Hold<'_>,
    outside: &Storage,
) -> Result<Dataset, String> {
    let mut join = BTreeMap::new();
    for (name, table) in &read.join {
        join.insert(name.clone(), data_files(&table.path, hold, outside).await?);
    }
    let events = read.adjust.as_ref().and_then(|adjust| adjust.events.as_deref());
    Ok(Dataset {
        options: read.clone(),
        bars: data_files(path, hold, outside).await?,
        events: optional_files(events, hold, outside).await?,
        calendar: optional_files(read.calendar.sessions.as_deref(), hold, outside).await?,
        join,
    })
}

async fn optional_files(path: Option<&str>, hold: Hold<'_>, outside: &Storage) -> Result<Files, String> {
    match path {
        Some(path) => data_files(path, hold, outside).await,
        None => Ok(Files::new()),
    }
}

async fn data_files(path: &str, hold: Hold<'_>, outside: &Storage) -> Result<Files, String> {
    const AT_ONCE: usize = 8;
    let found = find_data_files(path, outside).await?;
    let room = match hold {
        Hold::Small(room) if is_large(&found).await? => Some(room),
        _ => None,
    };
    let read = found.into_iter().map(|found| async move {
        let data = match (hold, room, found.on_disk()) {
            (Hold::Remote, _, Some(place)) => FileData::Local(place.to_owned()),
            (_, Some(room), _) => FileData::Local(found.bring(room).await?),
            _ => FileData::Memory(found.read().await?),
        };
        Ok::<_, String>((found.name, data))
    });
    stream::iter(read).buffered(AT_ONCE).try_collect().await
}

/// Says whether files are too large to be held in memory together.
async fn is_large(files: &[FoundFile]) -> Result<bool, String> {
    let mut bytes = 0;
    for file in files {
        bytes += file.size().await?;
    }
    Ok(bytes > LARGE)
}

async fn find_files(path: &str, outside: &Storage) -> Result<Vec<FoundFile>, String> {
    let mut found = if path.contains("://") { in_bucket(path, outside).await? } else { on_disk(path)? };
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn on_disk(path: &str) -> Result<Vec<FoundFile>, String> {
    let place = Path::new(path);
    let about = std::fs::metadata(place);
    let mut found = Vec::new();
    match (about, split_pattern(path)?) {
        (Ok(about), _) if about.is_file() => {
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
            let name = format!("{}{name}", partitions_of(folder));
            found.push(FoundFile { name, place: Place::Disk(place.to_owned()) });
        }
        (Ok(_), _) => {
            walk(place, &partitions_of(path), &is_partition, &mut found).map_err(|error| unreadable(path, &error))?;
            found.retain(|file| is_data_file(&file.name));
        }
        (Err(_), Some((folder, pattern))) => {
            let begin = partitions_of(folder);
            let root = Path::new(if folder.is_empty() { "." } else { folder });
            walk(root, "", &|_| true, &mut found).map_err(|error| unreadable(folder, &error))?;
            found.retain(|file| is_data_file(&file.name) && matches(&pattern, &file.name));
            found.iter_mut().for_each(|file| file.name = format!("{begin}{}", file.name));
        }
        (Err(error), None) => return Err(unreadable(path, &error)),
    }
    Ok(found)
}

/// All files below a folder; `enter` says which folders are looked into.
fn walk(folder: &Path, begin: &str, enter: &dyn Fn(&str) -> bool, found: &mut Vec<FoundFile>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // a link to a folder may lead in a circle
        if entry.file_type()?.is_dir() {
            if enter(&name) {
                walk(&entry.path(), &format!("{begin}{name}/"), enter, found)?;
            }
        } else if entry.path().is_file() {
            found.push(FoundFile { name: format!("{begin}{name}"), place: Place::Disk(entry.path()) });
        }
    }
    Ok(())
}

async fn in_bucket(path: &str, outside: &Storage) -> Result<Vec<FoundFile>, String> {
    let open = |folder: &str| outside.open_beside(folder).map_err(|error| words(&error));
    let (folder, last) = path.rsplit_once('/').unwrap_or(("", path));
    let is_file = is_data_file(last);
    let (folder, pattern) = match split_pattern(path)? {
        Some((folder, pattern)) => (folder, Some(pattern)),
        None if is_file => {
            let place = Place::Object(Box::new(open(folder)?), last.to_owned());
            return Ok(vec![FoundFile { name: format!("{}{last}", partitions_of(folder)), place }]);
        }
        None => (path.trim_end_matches('/'), None),
    };
    let (storage, begin) = (open(folder)?, partitions_of(folder));
    let names = storage.list("").await.map_err(|error| words(&error))?;
    let counts = |name: &str| match &pattern {
        Some(pattern) => matches(pattern, name),
        // like a folder on disk, a prefix is read one level deep, but for partitions
        None => name.split('/').rev().skip(1).all(is_partition),
    };
    let names = names.into_iter().filter(|name| is_data_file(name) && counts(name));
    let file = |name: String| FoundFile {
        name: format!("{begin}{name}"),
        place: Place::Object(Box::new(storage.clone()), name),
    };
    Ok(names.map(file).collect())
}

fn is_partition(folder: &str) -> bool {
    folder.split_once('=').is_some_and(|(key, _)| !key.is_empty())
}

/// The partitions that a folder lies in, from the first on: part of its files' names.
fn partitions_of(folder: &str) -> String {
    let parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    let first = parts.iter().position(|part| is_partition(part));
    first.map_or_else(String::new, |first| parts[first..].iter().map(|part| format!("{part}/")).collect())
}

fn pattern_start(path: &str) -> Option<usize> {
    path.find(['*', '?', '['])
}

/// The folder before the first part that is a pattern, and the pattern below it.
fn split_pattern(path: &str) -> Result<Option<(&str, Pattern)>, String> {
    let Some(start) = pattern_start(path) else { return Ok(None) };
    let cut = path[..start].rfind('/').map_or(0, |slash| slash + 1);
    let pattern = Pattern::new(&path[cut..]).map_err(|error| format!("`{path}` is no pattern: {}", error.msg))?;
    // the root keeps its slash
    let folder = if cut == 1 { "/" } else { path[..cut].trim_end_matches('/') };
    Ok(Some((folder, pattern)))
}

fn matches(pattern: &Pattern, name: &str) -> bool {
    let options =
        MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };
    pattern.matches_with(name, options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, file).unwrap();
        }
        folder
    }

    async fn names(root: &Path, path: &str) -> Vec<String> {
        let found = find_data_files(&root.join(path).to_string_lossy(), &Storage::in_memory()).await.unwrap();
        found.into_iter().map(|file| file.name).collect()
    }

    #[tokio::test]
    async fn a_folder_is_read_one_level_deep_but_for_partitions() {
        let folder = folder(&["a.csv", "b.parquet", ".c.csv", "notes.txt", "old/d.csv", "symbol=X/year=2020/e.csv"]);
        assert_eq!(names(folder.path(), "").await, ["a.csv", "b.parquet", "symbol=X/year=2020/e.csv"]);
        assert_eq!(names(folder.path(), "symbol=X").await, ["symbol=X/year=2020/e.csv"]);
        assert_eq!(names(folder.path(), "symbol=X/year=2020/e.csv").await, ["symbol=X/year=2020/e.csv"]);
    }

    #[tokio::test]
    async fn a_pattern_stays_in_its_folder_and_two_stars_do_not() {
        let folder = folder(&["a.csv", "x/b.csv", "x/y/c.csv", "x/y/d.txt", "x/symbol=Z/e.csv"]);
        assert_eq!(names(folder.path(), "*.csv").await, ["a.csv"]);
        assert_eq!(names(folder.path(), "x/**/*.csv").await, ["b.csv", "symbol=Z/e.csv", "y/c.csv"]);
        assert_eq!(names(folder.path(), "x/symbol=*/*.csv").await, ["symbol=Z/e.csv"]);
        let none =
            find_data_files(&folder.path().join("*.xlsx").to_string_lossy(), &Storage::in_memory()).await.unwrap_err();
        assert!(none.contains("no `.parquet` or `.csv` file matches"), "{none}");
    }
}
