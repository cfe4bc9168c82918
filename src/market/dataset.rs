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
    /// The options cannot be written down.
    pub fn to_tree(&self) -> Result<Files, MarketError> {
        let mut tree = Files::new();
        let plain = self.options == ReadOptions::default();
        let bars = (if plain { "" } else { "bars/" }.to_owned(), &self.bars);
        let tables = self.join.iter().map(|(name, files)| (format!("join/{name}/"), files));
        let others = [("events/".to_owned(), &self.events), ("calendar/".to_owned(), &self.calendar)];
        for (folder, files) in std::iter::once(bars).chain(others).chain(tables) {
            for (name, data) in files {
                tree.insert(format!("{folder}{name}"), data.clone());
            }
        }
        if !plain {
            let said = self.options.said().map_err(|error| MarketError::Options(error.to_string()))?;
            let options = canonical_of(&said).map_err(|error| MarketError::Options(error.to_string()))?;
            tree.insert(OPTIONS.to_owned(), FileData::Memory(options.into()));
        }
        Ok(tree)
    }

    /// Reads what [`Dataset::to_tree`] wrote.
    ///
    /// # Errors
    /// Options of a version that is not understood, or that cannot be read.
    pub fn from_tree(tree: &Files) -> Result<Self, MarketError> {
        let mut dataset = Self::default();
        let refused = |problem: String| MarketError::Options(problem);
        let options = match tree.get(OPTIONS) {
            Some(FileData::Memory(bytes)) => bytes.clone(),
            Some(FileData::Local(path)) => std::fs::read(path).map_err(|error| refused(error.to_string()))?.into(),
            None => {
                dataset.bars.clone_from(tree);
                return Ok(dataset);
            }
        };
        dataset.options = serde_json::from_slice(&options).map_err(|error| refused(error.to_string()))?;
        for (path, data) in tree.iter().filter(|(path, _)| *path != OPTIONS) {
            let data = data.clone();
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
