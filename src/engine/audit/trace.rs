//! Where one number comes from: the artifact it stands in, the nodes that led to it, and the bytes that all began with.

use serde::Serialize;
use serde_json::Value;

use super::evidence::Evidence;
use super::subject::Subject;
use super::{AuditSubject, Root};
use crate::artifact::{ArtifactRef, FileRef, Payload, Store, blob_name};
use crate::base::Digest;
use crate::engine::EngineError;
use crate::engine::journal::folder_of;
use crate::registry::EntryAction;

/// Places that a message names.
const MOST_PLACES: usize = 12;

/// A number and its whole history.
#[derive(Clone, Debug, Serialize)]
pub struct Trace {
    /// What it was asked of, in words.
    pub subject: String,
    /// The number.
    pub value: Value,
    /// Where it stands in its artifact, as a JSON pointer.
    pub place: String,
    /// The artifact that it stands in.
    pub artifact: TracedArtifact,
    /// Registry entries that refer to that artifact, as objects of the store.
    pub entries: Vec<String>,
    /// The nodes that led to it, that which wrote it first.
    pub nodes: Vec<TracedNode>,
    /// What all began with.
    pub sources: Vec<TracedArtifact>,
}

/// An artifact and where its bytes are.
#[derive(Clone, Debug, Serialize)]
pub struct TracedArtifact {
    /// What it is called: `NODE.PORT`, or `sources.NAME`.
    pub name: String,
    /// Its digest; of several files, that of the list of them.
    pub sha256: Digest,
    /// The object of the store that has these bytes.
    pub object: String,
    /// Its files by name, with digest and object; none for a single file.
    pub files: Vec<(String, FileRef, String)>,
}

/// A node that ran.
#[derive(Clone, Debug, Serialize)]
pub struct TracedNode {
    /// The node.
    pub node: String,
    /// Its kind and that kind's version.
    pub kind: String,
    /// Its run.
    pub run: String,
    /// The folder of the store with the record of that run.
    pub record: String,
    /// Its fingerprint.
    pub fingerprint: Option<Digest>,
    /// What it read: digest, and what that is called.
    pub reads: Vec<(Digest, String)>,
    /// What it wrote.
    pub writes: Vec<TracedArtifact>,
}

/// Why a number cannot be traced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TraceError {
    /// There is no such subject.
    #[error(
        "there is nothing under `{0}`: expected a registered model, MODEL@SLOT, a run, or the digest of an artifact"
    )]
    NoSubject(String),
    /// Nothing of it has that number.
    #[error("`{place}` stands in none of its artifacts; it has {}", known.join(", "))]
    NoPlace {
        /// The place that was asked for.
        place: String,
        /// Some that there are.
        known: Vec<String>,
    },
    /// Several numbers end so.
    #[error("`{place}` stands in several places: {}", found.join(", "))]
    Several {
        /// The place that was asked for.
        place: String,
        /// Those that it could be.
        found: Vec<String>,
    },
}

/// Traces a number: `candidate.roc_auc`, `/candidate/roc_auc`, or the end of such a path if only one ends so.
///
/// # Errors
/// The store cannot be reached.
pub async fn trace(store: &Store, subject: &str, place: &str) -> Result<Result<Trace, TraceError>, EngineError> {
    let evidence = Evidence::read(store, None).await?;
    let Some(found) = Subject::find(&evidence, &AuditSubject::Named(subject.to_owned())) else {
        return Ok(Err(TraceError::NoSubject(subject.to_owned())));
    };
    let mut numbers = Vec::new();
    for root in &found.roots {
        numbers.extend(numbers_of(store, &evidence, root).await?);
    }
    let (digest, pointer, value) = match pick(&numbers, place) {
        Ok(number) => number.clone(),
        Err(error) => return Ok(Err(error)),
    };
    let closure = evidence.closure([digest]);
    let mut nodes: Vec<TracedNode> = closure.nodes.iter().map(|place| traced(&evidence, *place)).collect();
    nodes.reverse();
    let sources = closure.artifacts.iter().filter(|digest| evidence.is_source(**digest));
    let sources = sources.filter_map(|digest| evidence.refs.get(digest)).map(|found| artifact(&evidence, found));
    let Some(reference) = evidence.refs.get(&digest) else {
        return Ok(Err(TraceError::NoSubject(subject.to_owned())));
    };
    Ok(Ok(Trace {
        subject: found.words,
        value,
        place: pointer,
        artifact: artifact(&evidence, reference),
        entries: entries(&evidence, digest),
        sources: sources.collect(),
        nodes,
    }))
}

/// Every number, word and truth value of an artifact that is one JSON file, with its place.
async fn numbers_of(
    store: &Store,
    evidence: &Evidence,
    root: &Root,
) -> Result<Vec<(Digest, String, Value)>, EngineError> {
    let Some(reference) = evidence.refs.get(&root.sha256) else { return Ok(Vec::new()) };
    let artifact = store.get(reference).await?;
    let Payload::File(bytes) = &artifact.payload else { return Ok(Vec::new()) };
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    leaves("", &value, &mut found);
    Ok(found.into_iter().map(|(place, value)| (root.sha256, place, value)).collect())
}

fn leaves(path: &str, value: &Value, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| leaves(&format!("{path}/{key}"), value, found)),
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(at, value)| leaves(&format!("{path}/{at}"), value, found));
        }
        leaf => found.push((path.to_owned(), leaf.clone())),
    }
}

type Number = (Digest, String, Value);

fn pick<'a>(numbers: &'a [Number], place: &str) -> Result<&'a Number, TraceError> {
    let pointer = format!("/{}", place.trim_start_matches('/').replace('.', "/"));
    if let Some(whole) = numbers.iter().find(|(_, path, _)| *path == pointer) {
        return Ok(whole);
    }
    let found: Vec<&Number> = numbers.iter().filter(|(_, path, _)| path.ends_with(&pointer)).collect();
    let names = |numbers: &[&Number]| numbers.iter().take(MOST_PLACES).map(|(_, path, _)| path.clone()).collect();
    match found.as_slice() {
        [only] => Ok(only),
        [] => {
            // those of the first levels are what people look for
            let shallow: Vec<&Number> = numbers.iter().filter(|(_, path, _)| path.matches('/').count() <= 2).collect();
            Err(TraceError::NoPlace { place: place.to_owned(), known: names(&shallow) })
        }
        several => Err(TraceError::Several { place: place.to_owned(), found: names(several) }),
    }
}

fn artifact(evidence: &Evidence, reference: &ArtifactRef) -> TracedArtifact {
    let files = reference.files.iter().map(|(name, file)| (name.clone(), *file, blob_name(file.sha256)));
    TracedArtifact {
        name: evidence.called(reference.sha256),
        sha256: reference.sha256,
        object: blob_name(reference.sha256),
        files: files.collect(),
    }
}

fn traced(evidence: &Evidence, place: (usize, usize)) -> TracedNode {
    let (start, node) = (&evidence.views[place.0].start, evidence.node(place));
    let reads = super::input_digests(&node.parts).into_iter().map(|digest| (digest, evidence.called(digest)));
    TracedNode {
        node: node.node.clone(),
        kind: format!("{} {}", node.kind, node.parts["kind_version"]),
        run: start.run.clone(),
        record: folder_of(&start.at, &start.run),
        fingerprint: node.fingerprint,
        reads: reads.collect(),
        writes: node.outputs.values().map(|output| artifact(evidence, output)).collect(),
    }
}

/// The registry entries that refer to an artifact.
fn entries(evidence: &Evidence, digest: Digest) -> Vec<String> {
    let mut found = Vec::new();
    for (model, history) in &evidence.registry {
        for entry in history.iter().flat_map(|history| &history.entries) {
            if let EntryAction::Promote { version, .. } = &entry.action
                && [&version.model, &version.strategy, &version.evaluation].iter().any(|part| part.sha256 == digest)
            {
                found.push(format!("registry/{model}/log/{:020}.json", entry.slot));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn numbers() -> Vec<Number> {
        let mut found = Vec::new();
        leaves(
            "",
            &json!({"candidate": {"auc": 0.7, "brier": 0.2}, "champion": {"auc": 0.6}, "rows": [1, 2]}),
            &mut found,
        );
        found.into_iter().map(|(place, value)| (Digest::of(b"evaluation"), place, value)).collect()
    }

    fn place(asked: &str) -> Result<String, TraceError> {
        pick(&numbers(), asked).map(|(_, place, _)| place.clone())
    }

    #[test]
    fn a_number_is_found_by_its_whole_path_or_by_an_end_that_only_it_has() {
        assert_eq!(place("candidate.auc").unwrap(), "/candidate/auc");
        assert_eq!(place("/rows/1").unwrap(), "/rows/1");
        assert_eq!(place("brier").unwrap(), "/candidate/brier");
        assert!(matches!(place("auc"), Err(TraceError::Several { found, .. }) if found.len() == 2));
        assert!(matches!(place("gini"), Err(TraceError::NoPlace { known, .. }) if known.len() == 5));
        assert!(place("er").is_err(), "the end of a word is no place");
    }
}
