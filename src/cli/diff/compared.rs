//! Two runs side by side: everything that differs, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use crate::artifact::{ArtifactRef, Scalar};
use crate::base::{Digest, Timestamp};
use crate::cli::render::outcome_word;
use crate::engine::{NodeRecord, Outcome, RunStatus, RunView};
use crate::plan::{ChangedPart, changed_parts};

/// What differs between two runs.
#[derive(Debug, Serialize)]
pub(super) struct Comparison {
    pub before: Head,
    pub after: Head,
    pub settings: Vec<SettingDifference>,
    /// Nodes with a difference.
    pub nodes: Vec<NodeDifference>,
    /// How many nodes have none.
    pub equal_nodes: usize,
}

/// Which run it is.
#[derive(Debug, Serialize)]
pub(super) struct Head {
    pub run: String,
    pub pipeline: String,
    pub as_of: Timestamp,
    pub started: Timestamp,
    pub status: Option<RunStatus>,
}

/// A difference in what the runs were given.
#[derive(Debug, Serialize)]
pub(super) struct SettingDifference {
    pub what: String,
    pub before: Value,
    pub after: Value,
}

/// What differs about a node.
#[derive(Debug, Default, Serialize)]
pub(super) struct NodeDifference {
    pub node: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<OutcomeDifference>,
    /// Parts of its fingerprint: why it had to run again.
    pub parts: Vec<ChangedPart>,
    pub values: Vec<ValueDifference>,
    pub outputs: Vec<OutputDifference>,
}

/// How a node ended in each run; `None` where the run has no such node.
#[derive(Debug, Serialize)]
pub(super) struct OutcomeDifference {
    pub before: Option<Outcome>,
    pub after: Option<Outcome>,
}

/// A value; `None` where the node has none of that name.
#[derive(Debug, Serialize)]
pub(super) struct ValueDifference {
    pub name: String,
    pub before: Option<Scalar>,
    pub after: Option<Scalar>,
    /// The later less the earlier, of two numbers.
    pub difference: Option<f64>,
}

/// An artifact by its digest; `None` where the node has none of that name.
#[derive(Debug, Serialize)]
pub(super) struct OutputDifference {
    pub name: String,
    pub before: Option<Digest>,
    pub after: Option<Digest>,
}

impl Comparison {
    /// Compares two runs.
    pub(super) fn of(before: &RunView, after: &RunView) -> Self {
        let find = |view: &'_ RunView, name: &str| view.nodes.iter().position(|node| node.node == name);
        let gone = before.nodes.iter().filter(|node| find(after, &node.node).is_none());
        let names: Vec<&str> = after.nodes.iter().chain(gone).map(|node| node.node.as_str()).collect();
        let node = |name: &&str| {
            let [a, b] = [before, after].map(|view| find(view, name).map(|at| &view.nodes[at]));
            difference(name, a, b)
        };
        let nodes: Vec<NodeDifference> = names.iter().filter_map(node).collect();
        Self {
            before: head(before),
            after: head(after),
            settings: settings(before, after),
            equal_nodes: names.len() - nodes.len(),
            nodes,
        }
    }
}

impl NodeDifference {
    /// Whether its values or outputs differ, or only one of the runs has it.
    pub(super) fn has_other_results(&self) -> bool {
        let alone = self.outcome.as_ref().is_some_and(|it| it.before.is_none() || it.after.is_none());
        alone || !self.values.is_empty() || !self.outputs.is_empty()
    }

    /// Each difference as cells: what, before, after, difference.
    pub(super) fn lines(&self) -> Vec<Vec<String>> {
        let ended = |outcome: Option<Outcome>| outcome.map_or("not in the pipeline", outcome_word).to_owned();
        let value = |scalar: &Option<Scalar>| match scalar {
            None => "none".to_owned(),
            Some(Scalar::Text(text)) => shortened(text).to_owned(),
            Some(other) => other.to_string(),
        };
        let digest = |digest: &Option<Digest>| digest.as_ref().map_or("none".to_owned(), Digest::short);
        let none = String::new;
        let outcome =
            self.outcome.iter().map(|it| vec!["outcome".to_owned(), ended(it.before), ended(it.after), none()]);
        let parts = self.parts.iter().map(|it| vec![it.part.clone(), it.before.clone(), it.after.clone(), none()]);
        let values = self.values.iter().map(|it| {
            let by = it.difference.map_or_else(none, |by| signed(by, &it.after));
            vec![format!("value {}", it.name), value(&it.before), value(&it.after), by]
        });
        let outputs = self
            .outputs
            .iter()
            .map(|it| vec![format!("output {}", it.name), digest(&it.before), digest(&it.after), none()]);
        outcome.chain(parts).chain(values).chain(outputs).collect()
    }
}

/// A number with its sign, with as many digits as its value has.
fn signed(by: f64, value: &Option<Scalar>) -> String {
    const SMALLEST_SHOWN: f64 = 5e-5;
    match value {
        Some(Scalar::Int(_)) => format!("{by:+}"),
        _ if by != 0.0 && by.abs() < SMALLEST_SHOWN => format!("{by:+.1e}"),
        _ => format!("{by:+.4}"),
    }
}

/// A value of the run as a person reads it: digests by their beginning.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => shortened(text).to_owned(),
        other => other.to_string(),
    }
}

/// The beginning of a digest, and any other text whole.
fn shortened(text: &str) -> &str {
    const DIGITS: usize = 64;
    let is_digest = text.len() == DIGITS && text.chars().all(|c| c.is_ascii_hexdigit());
    if is_digest { &text[..12] } else { text }
}

fn head(view: &RunView) -> Head {
    let start = &view.start;
    Head {
        run: start.run.clone(),
        pipeline: start.pipeline.clone(),
        as_of: start.as_of,
        started: start.at,
        status: view.end.as_ref().map(|end| end.status),
    }
}

/// What a run was given, by name.
fn given(view: &RunView) -> BTreeMap<String, Value> {
    let start = &view.start;
    let digest = |digest: &Option<Digest>| digest.map_or(Value::Null, |digest| digest.to_string().into());
    let named = [
        ("pipeline", start.pipeline.as_str().into()),
        ("pipeline file", digest(&start.definition)),
        ("as_of", start.as_of.to_string().into()),
        ("program", start.program.as_str().into()),
        ("processor", start.processor.as_str().into()),
    ];
    let mut all: BTreeMap<String, Value> = named.map(|(name, value)| (name.to_owned(), value)).into();
    all.extend(start.params.iter().map(|(name, value)| (format!("param {name}"), value.clone())));
    all.extend(start.sources.iter().map(|(name, source)| {
        let sha256 = source.as_ref().map(|source| source.sha256);
        (format!("source {name}"), digest(&sha256))
    }));
    all.extend(start.files.iter().map(|(name, sha256)| (format!("file {name}"), digest(&Some(*sha256)))));
    all
}

fn settings(before: &RunView, after: &RunView) -> Vec<SettingDifference> {
    let (before, after) = (given(before), given(after));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let of = |all: &BTreeMap<String, Value>, name: &str| all.get(name).cloned().unwrap_or_default();
    let both = names.into_iter().map(|name| SettingDifference {
        what: name.clone(),
        before: of(&before, name),
        after: of(&after, name),
    });
    both.filter(|setting| setting.before != setting.after).collect()
}

/// What differs about a node of either run; `None` when nothing does.
fn difference(name: &str, before: Option<&NodeRecord>, after: Option<&NodeRecord>) -> Option<NodeDifference> {
    let outcomes = OutcomeDifference { before: before.map(|it| it.outcome), after: after.map(|it| it.outcome) };
    let mut found = NodeDifference { node: name.to_owned(), ..NodeDifference::default() };
    let differ = outcomes.before != outcomes.after;
    found.outcome = differ.then_some(outcomes);
    if let (Some(before), Some(after)) = (before, after) {
        // a node that was skipped has no fingerprint, and so no parts that say anything
        if before.fingerprint.is_some() && after.fingerprint.is_some() {
            found.parts = changed_parts(&before.parts, &after.parts);
        }
        found.values = values(&before.values, &after.values);
        found.outputs = outputs(&before.outputs, &after.outputs);
    }
    let any = differ || !found.parts.is_empty() || !found.values.is_empty() || !found.outputs.is_empty();
    any.then_some(found)
}

fn values(before: &BTreeMap<String, Scalar>, after: &BTreeMap<String, Scalar>) -> Vec<ValueDifference> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let differing = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    differing
        .map(|name| {
            let (before, after) = (before.get(name).cloned(), after.get(name).cloned());
            let difference = number(&after).zip(number(&before)).map(|(after, before)| after - before);
            ValueDifference { name: name.clone(), before, after, difference }
        })
        .collect()
}

fn number(scalar: &Option<Scalar>) -> Option<f64> {
    match scalar {
        Some(Scalar::Int(value)) => Some(*value as f64),
        Some(Scalar::Float(value)) => Some(*value),
        Some(Scalar::Null | Scalar::Bool(_) | Scalar::Text(_)) | None => None,
    }
}

fn outputs(before: &BTreeMap<String, ArtifactRef>, after: &BTreeMap<String, ArtifactRef>) -> Vec<OutputDifference> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let of = |all: &BTreeMap<String, ArtifactRef>, name: &str| all.get(name).map(|output| output.sha256);
    let both = names.into_iter().map(|name| OutputDifference {
        name: name.clone(),
        before: of(before, name),
        after: of(after, name),
    });
    both.filter(|output| output.before != output.after).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_of_numbers_has_its_sign_and_none_is_lost_by_rounding() {
        let float = Some(Scalar::Float(0.5));
        assert_eq!(signed(0.25, &float), "+0.2500");
        assert_eq!(signed(-0.000_001, &float), "-1.0e-6");
        assert_eq!(signed(-3.0, &Some(Scalar::Int(4))), "-3");
    }

    #[test]
    fn a_value_that_only_one_run_has_is_a_difference_without_a_number() {
        let one = [("auc".to_owned(), Scalar::Float(0.7)), ("rows".to_owned(), Scalar::Int(4))].into();
        let other = [("rows".to_owned(), Scalar::Int(4))].into();
        let found = values(&one, &other);
        assert_eq!((found.len(), found[0].name.as_str(), found[0].difference), (1, "auc", None));
        assert!(values(&one, &one).is_empty());
    }
}
