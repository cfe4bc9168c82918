//! What keeps one object.

use std::collections::BTreeSet;

use serde::Serialize;

use super::survey::{Item, Survey, Verdict};
use super::sweep::SweepRecord;
use super::{Class, GcError, Retention};
use crate::artifact::Store;
use crate::base::{Digest, Timestamp};
use crate::engine::exclusive::live_runs;

/// Whether an object stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Something refers to it.
    Kept,
    /// Nothing does, as no sweep has found out yet.
    Unmarked,
    /// Nothing has since then.
    Candidate {
        /// The sweep that found it first.
        since: Timestamp,
    },
}

/// One digest, the objects that it names, and the chains that keep them.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The digest.
    pub digest: Digest,
    /// Objects of that name: what, bytes, whether it stays. None where a kept record refers to what is not there.
    pub objects: Vec<(Class, u64, Standing)>,
    /// From a root to the digest.
    pub chains: Vec<String>,
}

/// Explains every digest that begins so. Changes nothing.
///
/// # Errors
/// The registry or a pin cannot be read, or the store cannot be reached.
pub async fn explain(
    store: &Store,
    retention: &Retention,
    prefix: &str,
    now: Timestamp,
) -> Result<Vec<Explanation>, GcError> {
    let survey = Survey::take(store, retention, live_runs(store.storage()).await?, now).await?;
    let previous = SweepRecord::newest(store).await?;
    let stored = survey.items.iter().filter_map(|item| item.digest);
    let matching = stored.chain(survey.marks.digests()).filter(|digest| digest.to_string().starts_with(prefix));
    let digests: BTreeSet<Digest> = matching.collect();
    let standing = |item: &Item| match (item.verdict, previous.since(&item.object)) {
        (Verdict::Kept, _) => Standing::Kept,
        (Verdict::Unmarked, None) => Standing::Unmarked,
        (Verdict::Unmarked, Some(since)) => Standing::Candidate { since },
    };
    let explanation = |digest: Digest| Explanation {
        digest,
        objects: survey
            .items
            .iter()
            .filter(|item| item.digest == Some(digest))
            .map(|item| (item.class, item.object.bytes, standing(item)))
            .collect(),
        chains: survey.marks.chains(digest).iter().map(ToString::to_string).collect(),
    };
    Ok(digests.into_iter().map(explanation).collect())
}
