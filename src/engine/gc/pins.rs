//! Pins: what a person keeps, whatever its age.

use serde::{Deserialize, Serialize};

use crate::artifact::{Commit, Store, StoreError};
use crate::base::{Digest, Timestamp};
use crate::engine::journal::read_run;

/// Format of the records written by this version.
const FORMAT: u32 = 1;

/// What is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PinTarget {
    /// A run, with all that its records refer to.
    Run(String),
    /// An artifact or what a fingerprint made, with their files.
    Digest(Digest),
}

impl PinTarget {
    /// The run's id or the digest.
    pub fn id(&self) -> String {
        match self {
            Self::Run(run) => run.clone(),
            Self::Digest(digest) => digest.to_string(),
        }
    }

    fn name(&self) -> String {
        format!("pins/{}.json", self.id())
    }
}

/// A pin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PinRecord {
    /// Format of this record.
    pub format: u32,
    /// What is kept.
    pub target: PinTarget,
    /// Why, in the words of whoever did it.
    pub reason: String,
    /// Since when.
    pub at: Timestamp,
}

/// Keeps something from now on. The pin that is in force: ours, or one that was there before.
///
/// # Errors
/// The store cannot be reached.
pub async fn add_pin(store: &Store, target: PinTarget, reason: &str, at: Timestamp) -> Result<PinRecord, StoreError> {
    let name = target.name();
    let pin = PinRecord { format: FORMAT, target, reason: reason.to_owned(), at };
    let committed = store.commit_record(&name, &pin).await?;
    Ok(match committed {
        Commit::Ours => pin,
        Commit::Theirs(theirs) => theirs,
    })
}

/// Takes a pin away.
///
/// # Errors
/// The store cannot be reached.
pub async fn remove_pin(store: &Store, target: &PinTarget) -> Result<(), StoreError> {
    Ok(store.storage().remove(&target.name()).await?)
}

/// All pins, by id.
///
/// # Errors
/// A pin is damaged, or the store cannot be reached.
pub async fn list_pins(store: &Store) -> Result<Vec<PinRecord>, StoreError> {
    let mut pins = Vec::new();
    for name in store.storage().list("pins").await? {
        pins.extend(store.read_record::<PinRecord>(&name).await?);
    }
    Ok(pins)
}

/// What a person may mean: a run by its id, the end of it or `latest`, or an object by the beginning of its digest.
///
/// # Errors
/// The store cannot be reached.
pub async fn resolve_pin(store: &Store, text: &str) -> Result<Vec<PinTarget>, StoreError> {
    let mut found = Vec::new();
    if let Some(run) = read_run(store, text).await? {
        found.push(PinTarget::Run(run.start.run));
    }
    if text.len() >= 2 && text.bytes().all(|c| c.is_ascii_hexdigit()) {
        for (folder, suffix) in [("blobs/sha256", ""), ("actions/v1", ".json")] {
            let names = store.storage().list(&format!("{folder}/{}", &text[..2])).await?;
            let digests = names.iter().filter_map(|name| digest_of(name, folder, suffix));
            let matching = digests.filter(|digest| digest.to_string().starts_with(text)).map(PinTarget::Digest);
            found.extend(matching.filter(|target| !found.contains(target)).collect::<Vec<_>>());
        }
    }
    Ok(found)
}

/// The digest that an object's name is made of.
pub(super) fn digest_of(name: &str, folder: &str, suffix: &str) -> Option<Digest> {
    let shards = name.strip_prefix(folder)?.strip_prefix('/')?.strip_suffix(suffix)?;
    shards.replace('/', "").parse().ok()
}
