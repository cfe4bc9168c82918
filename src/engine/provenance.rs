//! SLSA v1 provenance of promoted models, beside the registry entries that promoted them.
//!
//! ```text
//! registry/<model>/provenance/<slot>.json        the statement, canonical JSON
//! registry/<model>/provenance/<slot>.dsse.json   the same bytes, signed; only where a key is configured
//! ```
//!
//! A statement says nothing that does not follow from the registry entry and from the start of the run that wrote it, so
//! that anyone can derive it again, and an audit does. One that is missing, because a run was killed in between, is
//! written by the next run that deploys or meets the deployment.
//!
//! Build type `pkg:generic/walkforward#pipeline/v1`: `externalParameters` are name, data window and params of the pipeline;
//! `resolvedDependencies` are the pipeline's text (`pipeline`), every pinned source (`sources.NAME`), every program and
//! file that its nodes use (`files/PATH`), the strategy that the model scores, and this program. To build again: `walkforward audit MODEL@SLOT
//! --level rebuild`.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde_json::json;

use super::journal::{StartRecord, read_run};
use super::{EngineError, NodeRecord, Outcome};
use crate::artifact::{ArtifactRef, Scalar, Store, StoreError};
use crate::attest::{Envelope, PROGRAM, Resource, STATEMENT_TYPE, SigningKey, Statement};
use crate::node::find_kind;
use crate::registry::{Entry, EntryAction, History, Registry};

/// The predicate of provenance.
pub const PROVENANCE_V1: &str = "https://slsa.dev/provenance/v1";
/// How models are built.
const BUILD_TYPE: &str = "pkg:generic/walkforward#pipeline/v1";

/// The name of a promotion's statement in the store.
pub(super) fn statement_name(model: &str, slot: u64) -> String {
    format!("registry/{model}/provenance/{slot:020}.json")
}

/// The name of the signed statement.
pub(super) fn envelope_name(model: &str, slot: u64) -> String {
    format!("registry/{model}/provenance/{slot:020}.dsse.json")
}

/// What a promotion says of its model; `None` for an entry that promotes nothing.
pub(super) fn provenance(model: &str, entry: &Entry, start: &StartRecord) -> Option<Statement> {
    let EntryAction::Promote { version, deploy_id, as_of, .. } = &entry.action else { return None };
    let mut dependencies: Vec<Resource> =
        start.definition.iter().map(|definition| Resource::of("pipeline", *definition)).collect();
    for (name, source) in &start.sources {
        dependencies.extend(source.iter().map(|source| described(&format!("sources.{name}"), source)));
    }
    dependencies.extend(start.files.iter().map(|(path, digest)| Resource::of(format!("files/{path}"), *digest)));
    dependencies.push(described("strategy", &version.strategy));
    dependencies.push(Resource {
        name: Some("walkforward".to_owned()),
        uri: Some(format!("{PROGRAM}@{}", start.program)),
        ..Resource::default()
    });
    let predicate = json!({
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "pipeline": start.pipeline,
                "as_of": start.as_of.rfc3339(),
                "params": start.params,
            },
            "internalParameters": {
                "registry": model,
                "alias": entry.alias,
                "slot": entry.slot,
                "deploy_id": deploy_id,
                "decided_as_of": as_of.rfc3339(),
                "reason": version.reason,
                "processor": start.processor,
            },
            "resolvedDependencies": dependencies,
        },
        "runDetails": {
            "builder": {"id": PROGRAM, "version": {"walkforward": start.program}},
            "metadata": {
                "invocationId": start.run,
                "startedOn": start.at.rfc3339(),
                "finishedOn": entry.at.rfc3339(),
            },
            "byproducts": [described("evaluation", &version.evaluation)],
        },
    });
    let files = version.model.files.iter().map(|(name, file)| Resource::of(format!("model/{name}"), file.sha256));
    let subject = std::iter::once(described("model", &version.model)).chain(files).collect();
    Some(Statement::new(subject, PROVENANCE_V1, predicate))
}

fn described(name: &str, artifact: &ArtifactRef) -> Resource {
    let resource = Resource::of(name, artifact.sha256).with("type", artifact.kind.name());
    // the digest of several files is that of the list of them
    if artifact.files.is_empty() { resource } else { resource.with("digest_of", "manifest") }
}

/// Writes what is missing beside the promotions of the models that a run deployed, or met as deployed.
///
/// # Errors
/// The store cannot be reached, or a log is broken.
pub(super) async fn attest(
    store: &Store,
    start: &StartRecord,
    nodes: &[NodeRecord],
    key: Option<&SigningKey>,
) -> Result<(), EngineError> {
    for model in deployed(nodes) {
        let history = Registry::new(store.clone()).history(&model).await?;
        let folder = format!("registry/{model}/provenance");
        let there: BTreeSet<String> =
            store.storage().list(&folder).await.map_err(StoreError::from)?.into_iter().collect();
        let missing = |entry: &&Entry| {
            matches!(entry.action, EntryAction::Promote { .. })
                && (!there.contains(&statement_name(&model, entry.slot))
                    || (key.is_some() && !there.contains(&envelope_name(&model, entry.slot))))
        };
        for entry in history.entries.iter().filter(missing) {
            write(store, &model, entry, start, key).await?;
        }
    }
    Ok(())
}

/// The models that nodes moved an alias of.
fn deployed(nodes: &[NodeRecord]) -> BTreeSet<String> {
    let ended_well = |node: &&NodeRecord| matches!(node.outcome, Outcome::Succeeded | Outcome::Reused);
    let deploys = |node: &&NodeRecord| {
        find_kind(&node.kind).is_some_and(|kind| kind.descriptor().behaviour.has_effect)
            && node.values.get("applied") == Some(&Scalar::Bool(true))
    };
    let model = |node: &NodeRecord| match node.values.get("registry") {
        Some(Scalar::Text(model)) => Some(model.clone()),
        _ => None,
    };
    nodes.iter().filter(ended_well).filter(deploys).filter_map(model).collect()
}

async fn write(
    store: &Store,
    model: &str,
    entry: &Entry,
    start: &StartRecord,
    key: Option<&SigningKey>,
) -> Result<(), EngineError> {
    let statement = if entry.by == start.run {
        provenance(model, entry, start)
    } else {
        // a run that was killed before it came to this; one whose record is gone cannot be spoken for
        match read_run(store, &entry.by).await {
            Ok(Some(view)) => provenance(model, entry, &view.start),
            Ok(None) | Err(StoreError::Record { .. }) => None,
            Err(error) => return Err(error.into()),
        }
    };
    let Some(statement) = statement else { return Ok(()) };
    let bytes = statement.bytes().map_err(StoreError::from)?;
    let storage = store.storage();
    if let Some(key) = key {
        let envelope = Envelope::sign(STATEMENT_TYPE, &bytes, key);
        let text = serde_json::to_vec(&envelope).unwrap_or_default();
        storage.create(&envelope_name(model, entry.slot), text.into()).await.map_err(StoreError::from)?;
    }
    storage.create(&statement_name(model, entry.slot), Bytes::from(bytes)).await.map_err(StoreError::from)?;
    Ok(())
}

/// The slots that a statement about a promotion of a model stands beside, whether there is an entry in them or not.
pub(super) async fn slots_beside(store: &Store, model: &str) -> Result<BTreeSet<u64>, StoreError> {
    let folder = format!("registry/{model}/provenance/");
    let names = store.storage().list(&folder).await?;
    let slot = |name: &String| name.strip_prefix(&folder)?.strip_suffix(".json")?.parse().ok();
    Ok(names.iter().filter_map(slot).collect())
}

/// What stands beside the promotions of a model, by slot: statement and envelope, as far as they are there.
pub(super) async fn read_beside(
    store: &Store,
    model: &str,
    history: &History,
) -> Result<BTreeMap<u64, (Option<Bytes>, Option<Bytes>)>, StoreError> {
    let mut found = BTreeMap::new();
    for entry in history.entries.iter().filter(|entry| matches!(entry.action, EntryAction::Promote { .. })) {
        let statement = store.storage().get(&statement_name(model, entry.slot)).await?;
        let envelope = store.storage().get(&envelope_name(model, entry.slot)).await?;
        found.insert(entry.slot, (statement, envelope));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::{ArtifactType, FileRef};
    use crate::base::{Digest, Timestamp};
    use crate::registry::ModelVersion;

    fn reference(kind: ArtifactType, name: &str) -> ArtifactRef {
        ArtifactRef { kind, sha256: Digest::of(name.as_bytes()), bytes: 1, files: BTreeMap::new() }
    }

    fn promotion() -> (Entry, StartRecord) {
        let mut model = reference(ArtifactType::Model, "model");
        model.files.insert("model.json".to_owned(), FileRef { sha256: Digest::of(b"file"), bytes: 1 });
        let version = ModelVersion {
            model,
            strategy: reference(ArtifactType::Strategy, "strategy"),
            evaluation: reference(ArtifactType::Evaluation, "evaluation"),
            reason: "first".to_owned(),
        };
        let as_of: Timestamp = "2026-01-04".parse().unwrap();
        let entry = Entry {
            format: 1,
            slot: 7,
            previous: None,
            alias: "champion".to_owned(),
            action: EntryAction::Promote {
                version: Box::new(version),
                deploy_id: Digest::of(b"deploy"),
                as_of,
                approved: None,
            },
            at: "2026-01-05T00:10:00Z".parse().unwrap(),
            by: "run-1".to_owned(),
            txn: "t".to_owned(),
        };
        let start = StartRecord {
            format: 1,
            run: "run-1".to_owned(),
            pipeline: "weekly".to_owned(),
            params: [("seed".to_owned(), json!(42))].into(),
            as_of,
            sources: [("bars".to_owned(), Some(reference(ArtifactType::Bars, "bars"))), ("champion".to_owned(), None)]
                .into(),
            files: [("score.py".to_owned(), Digest::of(b"script"))].into(),
            definition: Some(Digest::of(b"pipeline")),
            parent: None,
            program: "0.1.0".to_owned(),
            processor: "x86_64".to_owned(),
            at: "2026-01-05".parse().unwrap(),
        };
        (entry, start)
    }

    /// A word of the specification that must be there, as a JSON pointer.
    const REQUIRED: [&str; 9] = [
        "/_type",
        "/subject/0/digest/sha256",
        "/predicateType",
        "/predicate/buildDefinition/buildType",
        "/predicate/buildDefinition/externalParameters",
        "/predicate/buildDefinition/resolvedDependencies",
        "/predicate/runDetails/builder/id",
        "/predicate/runDetails/metadata/invocationId",
        "/predicate/runDetails/metadata/startedOn",
    ];

    #[test]
    fn a_statement_has_what_slsa_asks_for_and_names_everything_that_the_model_was_made_from() {
        let (entry, start) = promotion();
        let statement = serde_json::to_value(provenance("quality", &entry, &start).unwrap()).unwrap();
        for place in REQUIRED {
            assert!(statement.pointer(place).is_some(), "{place}: {statement:#}");
        }
        assert_eq!(statement["predicateType"], "https://slsa.dev/provenance/v1");
        assert_eq!(statement["predicate"]["runDetails"]["metadata"]["startedOn"], "2026-01-05T00:00:00Z");
        let names = |place: &str| {
            let resources = statement.pointer(place).unwrap().as_array().unwrap();
            resources.iter().map(|resource| resource["name"].as_str().unwrap()).collect::<Vec<_>>()
        };
        let dependencies = "/predicate/buildDefinition/resolvedDependencies";
        assert_eq!(names(dependencies), ["pipeline", "sources.bars", "files/score.py", "strategy", "walkforward"]);
        assert_eq!(names("/subject"), ["model", "model/model.json"]);
        // a descriptor must have a digest, an address or its content
        for resource in statement.pointer(dependencies).unwrap().as_array().unwrap() {
            assert!(resource.get("digest").is_some() || resource.get("uri").is_some(), "{resource}");
        }
    }

    #[test]
    fn the_same_promotion_gives_the_same_bytes() {
        let (entry, start) = promotion();
        let bytes = |entry: &Entry| provenance("quality", entry, &start).unwrap().bytes().unwrap();
        assert_eq!(bytes(&entry), bytes(&entry));
        let rollback = Entry { action: EntryAction::Rollback { to: None, reason: String::new() }, ..entry };
        assert!(provenance("quality", &rollback, &start).is_none());
    }
}
