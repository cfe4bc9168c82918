//! The files of a data set and how they are read: as a pipeline pins them, and as a command finds them.
//!
//! **Layout 1** of a pinned data set: without options, the data files by their names. With options, `read.json` holds them
//! in canonical form, and the files are below `bars/`, `events/`, `calendar/` and `join/TABLE/`. The digest of the whole is
//! that of the list of names and digests, so that it covers the options too.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::Bytes;

use super::{MarketError, ReadOptions};
use crate::base::canonical_of;

/// The name of the options among the files of a data set. No data file has this suffix.
const OPTIONS: &str = "read.json";

/// Where the bytes of a file are.
#[derive(Clone, Debug, PartialEq)]
pub enum FileData {
    /// In memory.
    Memory(Bytes),
    /// On disk, to be read piece by piece.
    Local(PathBuf),
}

/// Files by name; names sort in the order in which files are read.
pub type Files = BTreeMap<String, FileData>;

/// A data set: bars, the tables that belong to them, and how they are read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dataset {
    /// How files become bars.
    pub options: ReadOptions,
    /// Files of bars.
    pub bars: Files,
    /// Files of splits and dividends.
    pub events: Files,
    /// Files of sessions.
    pub calendar: Files,
    /// Tables that are joined, by name.
    pub join: BTreeMap<String, Files>,
}

impl Dataset {
    /// The data set as the files of one artifact.
    ///
    /// # Errors
    /// A file is not in memory, or the options cannot be written down.
    pub fn to_tree(&self) -> Result<BTreeMap<String, Bytes>, MarketError> {
        let mut tree = BTreeMap::new();
        let plain = self.options == ReadOptions::default();
        let bars = (if plain { "" } else { "bars/" }.to_owned(), &self.bars);
        let tables = self.join.iter().map(|(name, files)| (format!("join/{name}/"), files));
        let others = [("events/".to_owned(), &self.events), ("calendar/".to_owned(), &self.calendar)];
        for (folder, files) in std::iter::once(bars).chain(others).chain(tables) {
            for (name, data) in files {
                let FileData::Memory(bytes) = data else { return Err(MarketError::NotInMemory(name.clone())) };
                tree.insert(format!("{folder}{name}"), bytes.clone());
            }
        }
        if !plain {
            let said = self.options.said().map_err(|error| MarketError::Options(error.to_string()))?;
            let options = canonical_of(&said).map_err(|error| MarketError::Options(error.to_string()))?;
            tree.insert(OPTIONS.to_owned(), Bytes::from(options));
        }
        Ok(tree)
    }

    /// Reads what [`Dataset::to_tree`] wrote.
    ///
    /// # Errors
    /// Options of a version that is not understood.
    pub fn from_tree(tree: &BTreeMap<String, Bytes>) -> Result<Self, MarketError> {
        let mut dataset = Self::default();
        let Some(options) = tree.get(OPTIONS) else {
            dataset.bars = tree.iter().map(|(name, bytes)| (name.clone(), FileData::Memory(bytes.clone()))).collect();
            return Ok(dataset);
        };
        dataset.options = serde_json::from_slice(options).map_err(|error| MarketError::Options(error.to_string()))?;
        for (path, bytes) in tree.iter().filter(|(path, _)| *path != OPTIONS) {
            let data = FileData::Memory(bytes.clone());
            let (folder, name) = path.split_once('/').unwrap_or(("", path));
            match folder {
                "bars" => drop(dataset.bars.insert(name.to_owned(), data)),
                "events" => drop(dataset.events.insert(name.to_owned(), data)),
                "calendar" => drop(dataset.calendar.insert(name.to_owned(), data)),
                "join" => {
                    let (table, name) = name.split_once('/').unwrap_or((name, ""));
                    dataset.join.entry(table.to_owned()).or_default().insert(name.to_owned(), data);
                }
                _ => return Err(MarketError::Options(format!("expected no file `{path}` beside `{OPTIONS}`"))),
            }
        }
        Ok(dataset)
    }
}
