//! A run as OpenLineage events: which job read which data and wrote which, for catalogues that collect such events.
//!
//! `openlineage.ndjson` has one event a line, by time: START and COMPLETE, FAIL or ABORT of the run, and of each node that
//! ran; a node whose result was reused did not run and has none. A node is a job of its own (`PIPELINE.NODE`) whose parent
//! is the run. A run that was killed leaves none: the next run writes it, from its records. A dataset is an artifact: `PIPELINE.NODE.PORT`, or `PIPELINE.sources.NAME`, and its version is its SHA-256.
//!
//! # References
//! OpenLineage 2-0-2, `RunEvent`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::event::{NodeRecord, Outcome, RunStatus};
use super::journal::{EndRecord, RunView, StartRecord};
use crate::artifact::ArtifactRef;
use crate::attest::PROGRAM_VERSION;
use crate::base::{Digest, Timestamp};

const NAMESPACE: &str = "walkforward";
const RUN_EVENT: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";
/// Facets of ours say of themselves only that they are facets.
const DATASET_FACET: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/DatasetFacet";
const VERSION_FACET: &str =
    "https://openlineage.io/spec/facets/1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet";
const PARENT_FACET: &str = "https://openlineage.io/spec/facets/1-0-1/ParentRunFacet.json#/$defs/ParentRunFacet";
const ERROR_FACET: &str =
    "https://openlineage.io/spec/facets/1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet";
const NOMINAL_FACET: &str =
    "https://openlineage.io/spec/facets/1-0-1/NominalTimeRunFacet.json#/$defs/NominalTimeRunFacet";
const ENGINE_FACET: &str =
    "https://openlineage.io/spec/facets/1-1-1/ProcessingEngineRunFacet.json#/$defs/ProcessingEngineRunFacet";
const JOB_TYPE_FACET: &str = "https://openlineage.io/spec/facets/2-0-3/JobTypeJobFacet.json#/$defs/JobTypeJobFacet";

/// The events of a run, as far as it has come.
#[derive(Debug, Default)]
pub(super) struct Lineage {
    pipeline: String,
    run: String,
    facets: Map<String, Value>,
    /// What an artifact is called, by its digest.
    names: BTreeMap<Digest, String>,
    sources: Vec<Value>,
    written: Vec<Value>,
    events: Vec<(Timestamp, Value)>,
}

/// What a job is: `DAG` for a run, the kind for a node.
struct Job<'a> {
    name: String,
    kind: &'a str,
}

impl Lineage {
    /// Begins with the start of the run.
    pub(super) fn start(start: &StartRecord) -> Self {
        let mut lineage = Self { pipeline: start.pipeline.clone(), run: start.run.clone(), ..Self::default() };
        for (name, reference) in &start.sources {
            let Some(reference) = reference else { continue };
            let name = format!("{}.sources.{name}", start.pipeline);
            lineage.sources.push(dataset(&name, reference.sha256, Some(reference)));
            lineage.names.entry(reference.sha256).or_insert(name);
        }
        let engine = json!({"name": "walkforward", "version": start.program});
        lineage.facets.insert("processing_engine".to_owned(), facet(ENGINE_FACET, engine));
        let window = json!({"nominalStartTime": start.as_of.rfc3339()});
        lineage.facets.insert("nominalTime".to_owned(), facet(NOMINAL_FACET, window));
        if let Some((parent, node)) = start.parent.as_deref().and_then(|parent| parent.split_once('/')) {
            // the pipeline's name stands in the parent's own record
            lineage.facets.insert("parent".to_owned(), parent_facet(&node_run(parent, node), node));
        }
        let facets = lineage.facets.clone();
        let sources = lineage.sources.clone();
        let event = lineage.event("START", start.at, &start.run, facets, &lineage.job(), sources, Vec::new());
        lineage.events.push((start.at, event));
        lineage
    }

    fn job(&self) -> Job<'static> {
        Job { name: self.pipeline.clone(), kind: "DAG" }
    }

    /// Adds what became of a node.
    pub(super) fn node(&mut self, record: &NodeRecord) {
        let outputs: Vec<Value> = record
            .outputs
            .iter()
            .map(|(port, reference)| {
                let name = format!("{}.{}.{port}", self.pipeline, record.node);
                self.names.entry(reference.sha256).or_insert_with(|| name.clone());
                dataset(&name, reference.sha256, Some(reference))
            })
            .collect();
        if record.attempts.is_empty() {
            self.written.extend(outputs);
            return;
        }
        self.written.extend(outputs.iter().cloned());
        let inputs: Vec<Value> = super::audit::input_digests(&record.parts)
            .into_iter()
            .map(|digest| {
                let name = self.names.get(&digest).cloned().unwrap_or_else(|| format!("sha256:{digest}"));
                dataset(&name, digest, None)
            })
            .collect();
        let run = node_run(&self.run, &record.node);
        let job = Job { name: format!("{}.{}", self.pipeline, record.node), kind: &record.kind };
        let mut facets: Map<String, Value> =
            [("parent".to_owned(), parent_facet(&self.run, &self.pipeline))].into_iter().collect();
        let started = self.event("START", record.started, &run, facets.clone(), &job, inputs.clone(), Vec::new());
        let how = match record.outcome {
            Outcome::Succeeded | Outcome::Reused => "COMPLETE",
            Outcome::Failed => "FAIL",
            // it was tried and found too little data, or it was stopped
            Outcome::Skipped | Outcome::Cancelled => "ABORT",
        };
        if !record.reason.is_empty() {
            facets.insert("errorMessage".to_owned(), error_facet(&record.reason));
        }
        let ended = self.event(how, record.ended, &run, facets, &job, inputs, outputs);
        self.events.extend([(record.started, started), (record.ended, ended)]);
    }

    /// Ends with the end of the run: the whole file.
    pub(super) fn end(mut self, end: &EndRecord) -> Vec<u8> {
        let how = match end.status {
            RunStatus::Succeeded => "COMPLETE",
            RunStatus::Failed => "FAIL",
            RunStatus::Cancelled => "ABORT",
        };
        let mut facets = std::mem::take(&mut self.facets);
        if !end.reason.is_empty() {
            facets.insert("errorMessage".to_owned(), error_facet(&end.reason));
        }
        let (sources, written) = (std::mem::take(&mut self.sources), std::mem::take(&mut self.written));
        let event = self.event(how, end.at, &self.run, facets, &self.job(), sources, written);
        let mut events = std::mem::take(&mut self.events);
        // stable: of one moment, a start stays before its end, and the run's end stays last
        events.sort_by_key(|(at, _)| *at);
        let lines = events.into_iter().map(|(_, event)| event).chain([event]);
        lines.flat_map(|line| format!("{line}\n").into_bytes()).collect()
    }

    #[expect(clippy::too_many_arguments, reason = "one for each field of an event")]
    fn event(
        &self,
        how: &str,
        at: Timestamp,
        run: &str,
        facets: Map<String, Value>,
        job: &Job<'_>,
        inputs: Vec<Value>,
        outputs: Vec<Value>,
    ) -> Value {
        let kind = json!({"processingType": "BATCH", "integration": "WALKFORWARD", "jobType": job.kind});
        let mut event = json!({
            "eventType": how,
            "eventTime": at.rfc3339(),
            "run": {"runId": run, "facets": facets},
            "job": {"namespace": NAMESPACE, "name": job.name, "facets": {"jobType": facet(JOB_TYPE_FACET, kind)}},
            "inputs": [],
            "outputs": [],
            "producer": PROGRAM_VERSION,
            "schemaURL": RUN_EVENT,
        });
        // moved: of a run of many nodes, these are long
        event["inputs"] = inputs.into();
        event["outputs"] = outputs.into();
        event
    }
}

/// The lineage of a run that was interrupted: it ends, stopped, when the last node that is on record did.
pub(super) fn of_interrupted(view: &RunView) -> Vec<u8> {
    let mut lineage = Lineage::start(&view.start);
    view.nodes.iter().for_each(|node| lineage.node(node));
    let at = view.nodes.iter().map(|node| node.ended).max().unwrap_or(view.start.at);
    let reason = "interrupted: the run did not come to its end".to_owned();
    lineage.end(&EndRecord { status: RunStatus::Cancelled, reason, at, nodes: None, lineage: None })
}

/// The id of a node's execution: a UUID that follows from the run and the node.
fn node_run(run: &str, node: &str) -> String {
    let digest = Digest::of(format!("{run}/{node}").as_bytes());
    let bytes = digest.bytes().first_chunk().copied().unwrap_or_default();
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

fn facet(schema: &str, fields: Value) -> Value {
    let mut facet = json!({"_producer": PROGRAM_VERSION, "_schemaURL": schema});
    if let (Value::Object(facet), Value::Object(fields)) = (&mut facet, fields) {
        facet.extend(fields);
    }
    facet
}

fn parent_facet(run: &str, job: &str) -> Value {
    facet(PARENT_FACET, json!({"run": {"runId": run}, "job": {"namespace": NAMESPACE, "name": job}}))
}

fn error_facet(message: &str) -> Value {
    facet(ERROR_FACET, json!({"message": message, "programmingLanguage": "RUST"}))
}

fn dataset(name: &str, digest: Digest, reference: Option<&ArtifactRef>) -> Value {
    let mut facets = json!({"version": facet(VERSION_FACET, json!({"datasetVersion": digest}))});
    if let Some(reference) = reference {
        let about = json!({"type": reference.kind, "sha256": digest, "bytes": reference.bytes});
        facets["walkforward_artifact"] = facet(DATASET_FACET, about);
    }
    json!({"namespace": NAMESPACE, "name": name, "facets": facets})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::ArtifactType;
    use crate::base::conformance::conforms;
    use crate::engine::AttemptRecord;

    fn at(second: u32) -> Timestamp {
        format!("2026-01-05T00:00:{second:02}Z").parse().unwrap()
    }

    fn reference(name: &str) -> ArtifactRef {
        ArtifactRef { kind: ArtifactType::Bars, sha256: Digest::of(name.as_bytes()), bytes: 3, files: BTreeMap::new() }
    }

    fn started() -> Lineage {
        Lineage::start(&StartRecord {
            format: 1,
            run: "01890a5d-ac96-774b-bcce-b302099a8057".to_owned(),
            pipeline: "weekly".to_owned(),
            params: BTreeMap::new(),
            as_of: "2026-01-04".parse().unwrap(),
            sources: [("bars".to_owned(), Some(reference("bars"))), ("champion".to_owned(), None)].into(),
            files: BTreeMap::new(),
            definition: None,
            parent: Some("01890a5d-ac96-774b-bcce-b302099a8000/week[as_of=2026-01-04]".to_owned()),
            program: "0.1.0".to_owned(),
            processor: "x86_64".to_owned(),
            at: at(0),
        })
    }

    fn node(name: &str, outcome: Outcome, input: &str, seconds: (u32, u32)) -> NodeRecord {
        let ran = !matches!(outcome, Outcome::Reused);
        let attempt = AttemptRecord { started: at(seconds.0), ended: at(seconds.1), reason: String::new(), log: None };
        NodeRecord {
            node: name.to_owned(),
            kind: "train".to_owned(),
            outcome,
            reason: if outcome == Outcome::Failed { "no rows".to_owned() } else { String::new() },
            summary: String::new(),
            fingerprint: None,
            parts: json!({"inputs": {"data": Digest::of(input.as_bytes())}}),
            outputs: [("model".to_owned(), reference(name))].into(),
            logical: BTreeMap::new(),
            values: BTreeMap::new(),
            made_by: None,
            nondeterministic: BTreeMap::new(),
            differences: Vec::new(),
            repeated_on: None,
            attempts: if ran { vec![attempt] } else { Vec::new() },
            started: at(seconds.0),
            ended: at(seconds.1),
        }
    }

    fn events() -> Vec<Value> {
        let mut lineage = started();
        lineage.node(&node("a", Outcome::Succeeded, "bars", (1, 4)));
        lineage.node(&node("reused", Outcome::Reused, "bars", (1, 1)));
        lineage.node(&node("b", Outcome::Failed, "a", (4, 5)));
        let end = EndRecord {
            status: RunStatus::Failed,
            reason: "b failed".to_owned(),
            at: at(6),
            nodes: None,
            lineage: None,
        };
        let text = String::from_utf8(lineage.end(&end)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The field rules of OpenLineage 2-0-2: what `RunEvent`, `Run`, `Job`, `Dataset` and `BaseFacet` require.
    fn rules() -> Value {
        let text = |pattern: &str| json!({"type": "string", "pattern": pattern});
        let url = "^https://openlineage\\.io/spec/([a-z]+/)?[0-9]+-[0-9]+-[0-9]+/[A-Za-z]+\\.json#/\\$defs/[A-Za-z]+$";
        let uri = "^[a-z][a-z0-9+.-]*:[^ ]+$";
        let facet = json!({
            "type": "object",
            "required": ["_producer", "_schemaURL"],
            "properties": {"_producer": text(uri), "_schemaURL": text(url)},
        });
        let facets = json!({"type": "object", "additionalProperties": facet});
        let named = json!({
            "type": "object",
            "required": ["namespace", "name"],
            "properties": {"namespace": text("^.+$"), "name": text("^.+$"), "facets": facets},
        });
        let datasets = json!({"type": "array", "items": named});
        json!({
            "type": "object",
            "required": ["eventTime", "producer", "schemaURL", "run", "job"],
            "properties": {
                "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
                "eventTime": text("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?Z$"),
                "producer": text(uri),
                "schemaURL": text(url),
                "run": {
                    "type": "object",
                    "required": ["runId"],
                    "properties": {
                        "runId": text("^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"),
                        "facets": facets,
                    },
                },
                "job": named,
                "inputs": datasets,
                "outputs": datasets,
            },
        })
    }

    #[test]
    fn every_event_keeps_the_field_rules_of_openlineage() {
        for event in events() {
            assert_eq!(conforms(&rules(), &event), Ok(()), "{event:#}");
        }
        let mut broken = events().remove(0);
        broken["run"]["runId"] = "run-1".into();
        assert!(conforms(&rules(), &broken).is_err());
    }

    #[test]
    fn facets_have_the_fields_that_their_schemas_require() {
        let required = [
            ("parent", ["run", "job"].as_slice()),
            ("errorMessage", &["message", "programmingLanguage"]),
            ("nominalTime", &["nominalStartTime"]),
            ("processing_engine", &["version"]),
        ];
        let mut seen = std::collections::BTreeSet::new();
        for event in events() {
            for (name, facet) in event["run"]["facets"].as_object().unwrap() {
                let (name, fields) = required.iter().find(|(known, _)| known == name).unwrap();
                assert!(fields.iter().all(|field| !facet[*field].is_null()), "{facet}");
                seen.insert(*name);
            }
            for field in ["processingType", "integration"] {
                assert!(event["job"]["facets"]["jobType"][field].is_string());
            }
        }
        assert_eq!(seen.len(), required.len());
    }

    #[test]
    fn each_run_of_a_job_has_one_start_and_one_end_in_order_of_time() {
        let events = events();
        let of = |event: &Value| {
            let word = |value: &Value| value.as_str().unwrap().to_owned();
            format!("{} {}", word(&event["job"]["name"]), word(&event["eventType"]))
        };
        let expected =
            ["weekly START", "weekly.a START", "weekly.a COMPLETE", "weekly.b START", "weekly.b FAIL", "weekly FAIL"];
        assert_eq!(events.iter().map(of).collect::<Vec<_>>(), expected);
        let ids: std::collections::BTreeSet<&str> =
            events.iter().map(|event| event["run"]["runId"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), 3, "a run and two nodes");
    }

    #[test]
    fn what_a_node_reads_has_the_name_and_version_under_which_it_was_written() {
        let events = events();
        let (written, read) = (&events[2]["outputs"][0], &events[3]["inputs"][0]);
        assert_eq!(written["name"], "weekly.a.model");
        assert_eq!(read["name"], written["name"]);
        assert_eq!(read["facets"]["version"], written["facets"]["version"]);
        assert_eq!(events[1]["inputs"][0]["name"], "weekly.sources.bars");
        assert_eq!(written["facets"]["version"]["datasetVersion"], Digest::of(b"a").to_string());
    }
}
