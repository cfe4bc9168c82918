//! Bars and strategies as nodes read them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::holdout::{check_end, no_holdout, record_look};
use super::{ConfigError, InputArtifact, NodeContext, NodeError};
use crate::artifact::{LargeFile, Payload, Place};
use crate::base::{Days, Timestamp};
use crate::market::{BarsRequest, Dataset, FileData, Files, HoldoutOptions, Loaded, OnBadBar};
use crate::strategy::Strategy;

/// The part of the data that a node works on. Bars before its start are read for warm-up only.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Window {
    /// First day; unset: the beginning of the data, or `length` before the end.
    pub start: Option<Timestamp>,
    /// End, exclusive; unset, or later than it: the end of the run's data window.
    pub end: Option<Timestamp>,
    /// Days before the end; an alternative to `start`.
    pub length: Option<Days>,
}

/// Which bars a node reads.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Universe {
    /// Only these symbols; unset: all.
    pub symbols: Option<Vec<String>>,
    /// The part of the data.
    pub window: Window,
    /// What to do with a bar that cannot be true.
    pub on_bad_bar: OnBadBar,
}

/// Loaded bars and the sessions that count.
pub(super) struct Market {
    pub loaded: Loaded,
    /// Sessions of the window, as indices.
    pub sessions: std::ops::Range<u32>,
}

impl Universe {
    /// Refuses a window with two beginnings.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.window.start.is_some() && self.window.length.is_some() {
            return Err(ConfigError::at("universe.window", "expected `start` or `length`, found both"));
        }
        Ok(())
    }

    /// Reads the bars of an input; nothing at or after the end of the window exists for the node, and nothing of the
    /// holdout of the data set.
    pub(super) fn load(&self, input: &InputArtifact, context: &NodeContext) -> Result<Market, NodeError> {
        // a window may end earlier than the run's data window, never later
        let mut end = self.window.end.map_or(context.as_of, |end| end.min(context.as_of));
        if let Some(holdout) = holdout_of(input)? {
            check_end(self.window.end, &holdout)?;
            if end > holdout.start {
                end = holdout.start;
                (context.log)(&format!("bars from {} on are the holdout `{}`: not read", holdout.start, holdout.name));
            }
        }
        self.load_until(end, input)
    }

    /// Reads all bars of an input; the sessions that count are those of the holdout. The look is recorded first.
    pub(super) fn load_holdout(
        &self,
        input: &InputArtifact,
        kind: &str,
        config: &Value,
        context: &NodeContext,
    ) -> Result<(Market, HoldoutOptions), NodeError> {
        let holdout = holdout_of(input)?.ok_or_else(no_holdout)?;
        record_look(&holdout, kind, config, context)?;
        let end = self.window.end.map_or(context.as_of, |end| end.min(context.as_of));
        let mut market = self.load_until(end, input)?;
        let times = &market.loaded.bars.sessions;
        let first = times.partition_point(|&ts| ts < holdout.start.micros()) as u32;
        market.sessions = first.max(market.sessions.start)..market.sessions.end;
        if market.sessions.is_empty() {
            return Err(NodeError::Insufficient { what: "sessions in the holdout", found: 0, needed: 1 });
        }
        Ok((market, holdout))
    }

    fn load_until(&self, end: Timestamp, input: &InputArtifact) -> Result<Market, NodeError> {
        let request =
            BarsRequest { symbols: self.symbols.clone(), from: None, until: end, on_bad_bar: self.on_bad_bar };
        let dataset = Dataset::from_tree(&files_of(input)).map_err(NodeError::failed)?;
        let loaded = dataset.load(&request).map_err(NodeError::failed)?;
        let start = self.window.start.or_else(|| self.window.length.map(|length| end.minus(length)));
        let times = &loaded.bars.sessions;
        let first = start.map_or(0, |start| times.partition_point(|&ts| ts < start.micros()));
        let sessions = first as u32..times.len() as u32;
        if sessions.is_empty() {
            return Err(NodeError::failed(format!(
                "no session from {} to {end}: the data ends on {}",
                start.map_or("the beginning".to_owned(), |start| start.to_string()),
                times.last().map_or("no day".to_owned(), |&ts| Timestamp::from_micros(ts).date())
            )));
        }
        Ok(Market { loaded, sessions })
    }
}

/// What the data set of an input keeps back.
pub(super) fn holdout_of(input: &InputArtifact) -> Result<Option<HoldoutOptions>, NodeError> {
    Ok(Dataset::from_tree(&files_of(input)).map_err(NodeError::failed)?.options.holdout)
}

/// The files of bars; those of large ones are read from disk, piece by piece.
fn files_of(input: &InputArtifact) -> Files {
    let data = |file: &LargeFile| match &file.place {
        Place::Memory(bytes) => FileData::Memory(bytes.clone()),
        Place::Disk(path) => FileData::Local(path.clone()),
    };
    match &input.artifact.payload {
        Payload::File(bytes) => [("file".to_owned(), FileData::Memory(bytes.clone()))].into(),
        Payload::Tree(files) => {
            files.iter().map(|(name, bytes)| (name.clone(), FileData::Memory(bytes.clone()))).collect()
        }
        Payload::Large(files) => files.files().iter().map(|(name, file)| (name.clone(), data(file))).collect(),
    }
}

/// Reads a strategy input.
pub(super) fn read_strategy(input: &InputArtifact) -> Result<Strategy, NodeError> {
    let bytes = input.bytes()?;
    let text = std::str::from_utf8(&bytes).map_err(NodeError::failed)?;
    Strategy::from_yaml(text).map_err(NodeError::failed)
}
