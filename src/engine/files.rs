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

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use glob::{MatchOptions, Pattern};

use super::sources::{unreadable, words};
use crate::market::{Dataset, FileData, Files, ReadOptions};
use crate::storage::Storage;

/// A file that was found.
#[derive(Clone, Debug)]
pub struct FoundFile {
    /// Its name, by which files are ordered.
    pub name: String,
    place: Place,
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
                bytes.ok_or_else(|| format!("`{}/{name}` does not exist", storage.location()))
            }
        }
    }
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

/// Finds the files of a data set; in memory whole, or left on disk where they are there. A bucket is reached as `outside` is.
///
/// # Errors
/// A file is missing or cannot be read.
pub async fn read_dataset(
    path: &str,
    read: &ReadOptions,
    in_memory: bool,
    outside: &Storage,
) -> Result<Dataset, String> {
    let mut join = BTreeMap::new();
    for (name, table) in &read.join {
        join.insert(name.clone(), data_files(&table.path, in_memory, outside).await?);
    }
    let events = read.adjust.as_ref().and_then(|adjust| adjust.events.as_deref());
    Ok(Dataset {
        options: read.clone(),
        bars: data_files(path, in_memory, outside).await?,
        events: optional_files(events, in_memory, outside).await?,
        calendar: optional_files(read.calendar.sessions.as_deref(), in_memory, outside).await?,
        join,
    })
}

async fn optional_files(path: Option<&str>, in_memory: bool, outside: &Storage) -> Result<Files, String> {
    match path {
        Some(path) => data_files(path, in_memory, outside).await,
        None => Ok(Files::new()),
    }
}

async fn data_files(path: &str, in_memory: bool, outside: &Storage) -> Result<Files, String> {
    const AT_ONCE: usize = 8;
    let read = find_data_files(path, outside).await?.into_iter().map(|found| async move {
        let data = match found.on_disk() {
            Some(place) if !in_memory => FileData::Local(place.to_owned()),
            _ => FileData::Memory(found.read().await?),
        };
        Ok::<_, String>((found.name, data))
    });
    stream::iter(read).buffered(AT_ONCE).try_collect().await
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
