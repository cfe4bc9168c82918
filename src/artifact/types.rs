//! What flows between nodes, in memory and by reference.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::large::{LargeFile, LargeFiles};
use crate::base::Digest;
use crate::table::LogicalDigest;

macro_rules! artifact_types {
    ($($variant:ident $name:literal $doc:literal;)*) => {
        /// What an artifact is; ports connect only where types agree.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum ArtifactType { $(#[doc = $doc] $variant,)* }

        impl ArtifactType {
            /// Every type, its name and what it holds.
            pub const ALL: &'static [(Self, &'static str, &'static str)] = &[$((Self::$variant, $name, $doc),)*];
        }
    };
}

artifact_types! {
    Bars "bars" "Bars of a universe: symbol, ts, open, high, low, close, volume.";
    Strategy "strategy" "A strategy with values for all its parameters.";
    Signals "signals" "One row a signal: features known at its close, and its labelled outcome.";
    Trades "trades" "One row a trade of the portfolio backtest.";
    Backtest "backtest" "Funnel, equity and metrics of a portfolio backtest.";
    Equity "equity" "One row a session of a portfolio backtest: equity, cash, exposure, drawdown, benchmark.";
    Candidates "candidates" "One row a signal of a portfolio backtest: its rank, and the one state it ended in.";
    Scores "scores" "One row a signal of the newest bars: its probability, what was decided about it, and why.";
    Paper "paper" "The paper account: what recorded decisions would have done, held against a backtest.";
    Orders "orders" "Orders for the next session, for a broker adapter outside: CSV and JSON with stable ids.";
    Trials "trials" "One row a trial of a study.";
    Study "study" "A study's settings, best trial, holdout result, importances and overfitting statistics.";
    Predictions "predictions" "One row a signal: probabilities that are out of sample at that signal.";
    Model "model" "A fitted model in open formats, with its calibration, schema and out-of-sample record.";
    Evaluation "evaluation" "Metrics with intervals, for candidate and champion on the same rows.";
    Drift "drift" "Drift verdicts for data, predictions and performance.";
    Deployment "deployment" "A deployment decision with every number it rests on.";
    Leaderboard "leaderboard" "Evaluations of several instances, ranked.";
    Report "report" "Text for people, in Markdown.";
    Run "run" "What became of the nodes of a pipeline that ran as one node.";
    File "file" "Any file or folder, brought from outside or made by a command.";
}

impl ArtifactType {
    /// The name used in pipeline files.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|row| row.0 == self).map_or("", |row| row.1)
    }
}

impl fmt::Display for ArtifactType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ArtifactType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|row| row.1 == text).map(|row| row.0);
        found.ok_or_else(|| format!("expected an artifact type, found `{text}`"))
    }
}

/// A single value that a node declares beside its artifacts; the only thing that may stand in a `when`.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// Undefined, with a reason in the node's report.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A finite number.
    Float(f64),
    /// A word.
    Text(String),
}

impl Scalar {
    /// A finite number, or [`Scalar::Null`] where it is undefined.
    pub fn number(value: Option<f64>) -> Self {
        value.filter(|x| x.is_finite()).map_or(Self::Null, Self::Float)
    }

    /// Any count.
    pub fn count(value: usize) -> Self {
        i64::try_from(value).map_or(Self::Null, Self::Int)
    }

    /// A word.
    pub fn text(value: impl Into<String>) -> Self {
        Self::Text(value.into())
    }

    /// As JSON.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Int(value) => (*value).into(),
            Self::Float(value) => (*value).into(),
            Self::Text(value) => value.clone().into(),
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("-"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value:.4}"),
            Self::Text(value) => f.write_str(value),
        }
    }
}

impl Serialize for Scalar {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde_json::Value;
        Ok(match Value::deserialize(deserializer)? {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::String(value) => Self::Text(value),
            Value::Number(number) => match number.as_i64() {
                Some(whole) => Self::Int(whole),
                None => Self::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::Array(_) | Value::Object(_) => return Err(serde::de::Error::custom("expected a scalar")),
        })
    }
}

/// The bytes of an artifact: one file, or several with names.
#[derive(Clone, Debug, PartialEq)]
pub enum Payload {
    /// One file.
    File(Bytes),
    /// Several files, by name.
    Tree(BTreeMap<String, Bytes>),
    /// One file or several, too large to be held in memory.
    Large(LargeFiles),
}

/// An artifact in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Artifact {
    /// What it is.
    pub kind: ArtifactType,
    /// Its bytes.
    pub payload: Payload,
}

impl Artifact {
    /// One file.
    pub fn file(kind: ArtifactType, bytes: impl Into<Bytes>) -> Self {
        Self { kind, payload: Payload::File(bytes.into()) }
    }

    /// Several named files.
    pub fn tree(kind: ArtifactType, files: BTreeMap<String, Bytes>) -> Self {
        Self { kind, payload: Payload::Tree(files) }
    }

    /// Files that are not held in memory.
    pub const fn large(kind: ArtifactType, files: LargeFiles) -> Self {
        Self { kind, payload: Payload::Large(files) }
    }

    /// Every file by its name; a single file has none. Clones share their bytes.
    pub fn files(&self) -> BTreeMap<String, LargeFile> {
        match &self.payload {
            Payload::File(bytes) => [(String::new(), LargeFile::in_memory(bytes.clone()))].into(),
            Payload::Tree(files) => {
                let file = |(name, bytes): (&String, &Bytes)| (name.clone(), LargeFile::in_memory(bytes.clone()));
                files.iter().map(file).collect()
            }
            Payload::Large(files) => files.files().clone(),
        }
    }
}

/// A file of a tree, by digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRef {
    /// SHA-256 of the bytes.
    pub sha256: Digest,
    /// Number of bytes.
    pub bytes: u64,
}

/// An artifact by reference. The digest of a tree is that of its manifest: canonical JSON of `files`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArtifactRef {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: ArtifactType,
    /// Digest of the file, or of the tree's manifest.
    pub sha256: Digest,
    /// Bytes of all files.
    pub bytes: u64,
    /// The files of a tree; empty for a single file.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, FileRef>,
}

/// Who made an artifact first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MadeBy {
    /// The run.
    pub run: String,
    /// The node in that run's pipeline.
    pub node: String,
}

/// What a node with this fingerprint produced: the cache entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// Format of this record.
    pub format: u32,
    /// The key.
    pub fingerprint: Digest,
    /// What was hashed into the key, so that a later miss can say what differs.
    pub parts: serde_json::Value,
    /// Artifacts by port.
    pub outputs: BTreeMap<String, ArtifactRef>,
    /// Digests of the values of every table among the artifacts, by port or `port/file`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub logical: BTreeMap<String, LogicalDigest>,
    /// Values by name.
    pub values: BTreeMap<String, Scalar>,
    /// The result in one line, for people.
    pub summary: String,
    /// Who made it first.
    pub made_by: MadeBy,
    /// Unique to the attempt that wrote this record: tells a lost answer from a lost race.
    pub txn: String,
}
