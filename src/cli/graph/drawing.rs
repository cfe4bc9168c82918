//! Boxes and arrows of a pipeline, whatever they are written as.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::base::Timestamp;
use crate::pipeline::condition::Reference;
use crate::pipeline::{Condition, Node, Origin, Otherwise, Pipeline, RegistryPart, Source};

/// More instances of one node than this are drawn as one box.
const MANY: usize = 12;
/// Letters in a line of a label; a longer word has a line of its own.
const WIDTH: usize = 40;

/// A pipeline as boxes and arrows.
#[derive(Debug, Serialize)]
pub(super) struct Drawing {
    pub pipeline: String,
    pub as_of: Timestamp,
    pub sources: Vec<SourceBox>,
    pub nodes: Vec<NodeBox>,
    pub arrows: Vec<Arrow>,
}

/// Something read from outside.
#[derive(Debug, Serialize)]
pub(super) struct SourceBox {
    pub name: String,
    /// A path, or the words for a registered model.
    pub from: String,
}

impl SourceBox {
    /// What arrows call it.
    pub(super) fn id(&self) -> String {
        format!("sources.{}", self.name)
    }

    /// Its name and where it comes from, line by line.
    pub(super) fn lines(&self) -> Vec<String> {
        std::iter::once(self.name.clone()).chain(folded(&self.from)).collect()
    }
}

/// A node of the file.
#[derive(Debug, Serialize)]
pub(super) struct NodeBox {
    pub name: String,
    pub kind: &'static str,
    /// Its condition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Its instances; none where it has no matrix and follows none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub instances: Vec<Instance>,
}

/// One of several instances of a node.
#[derive(Debug, Serialize)]
pub(super) struct Instance {
    pub id: String,
    /// Where it stands, as `model=logistic,seed=1`.
    pub place: String,
}

/// What makes one node wait for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Why {
    /// It reads an artifact.
    Input,
    /// Its condition asks about it.
    When,
    /// It is named in `needs`.
    Needs,
}

/// An arrow between two boxes: `sources.bars`, or the id of a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Arrow {
    pub from: String,
    pub to: String,
    pub why: Why,
    /// The artifact as it is called where it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// The artifact as it is called where it goes to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// Whether the node runs without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
}

impl Arrow {
    fn new(from: &str, to: &str, why: Why) -> Self {
        let (from, to) = (from.to_owned(), to.to_owned());
        Self { from, to, why, output: None, input: None, optional: None, condition: None }
    }

    /// What stands at it, line by line.
    pub(super) fn lines(&self) -> Vec<String> {
        folded(&self.label())
    }

    fn label(&self) -> String {
        let input = self.input.as_deref().unwrap_or_default();
        let ports = match &self.output {
            Some(output) if output != input => format!("{output} as {input}"),
            _ => input.to_owned(),
        };
        match (self.why, &self.condition) {
            (Why::Needs, _) => "needs".to_owned(),
            (Why::When, Some(condition)) => format!("when {condition}"),
            (Why::Input, _) if self.optional == Some(true) => format!("{ports} (optional)"),
            (Why::Input | Why::When, _) => ports,
        }
    }
}

/// How a node of the file is drawn.
pub(super) enum Shape<'a> {
    /// One box.
    Box,
    /// A frame around its instances.
    Frame(&'a [Instance]),
    /// One box for more instances than anybody would tell apart.
    Stack,
}

impl NodeBox {
    pub(super) fn shape(&self) -> Shape<'_> {
        match self.instances.len() {
            0 => Shape::Box,
            1..=MANY => Shape::Frame(&self.instances),
            _ => Shape::Stack,
        }
    }

    /// Its name, its kind, and what else has to be said, line by line. Shown is the condition that no arrow has.
    pub(super) fn lines(&self, shown: &Drawing) -> Vec<String> {
        let mut lines = vec![self.name.clone(), format!("({})", self.kind)];
        match self.instances.len() {
            0 => {}
            1 => lines.push("1 instance".to_owned()),
            count => lines.push(format!("{count} instances")),
        }
        let ours = |arrow: &Arrow| {
            arrow.why == Why::When && (arrow.to == self.name || self.instances.iter().any(|one| one.id == arrow.to))
        };
        if let Some(when) = &self.when
            && !shown.arrows.iter().any(ours)
        {
            lines.extend(folded(&format!("when {when}")));
        }
        lines
    }
}

/// A text in lines that a box can hold.
fn folded(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

impl Drawing {
    /// Draws a pipeline.
    pub(super) fn of(pipeline: &Pipeline) -> Self {
        let sources = pipeline.sources.iter();
        Self {
            pipeline: pipeline.name.clone(),
            as_of: pipeline.as_of,
            sources: sources.map(|(name, source)| SourceBox { name: name.clone(), from: words(source) }).collect(),
            nodes: nodes(pipeline),
            arrows: pipeline.nodes.iter().flat_map(arrows).collect(),
        }
    }

    /// The arrows between the boxes that are drawn, each of them once. Those of a stack end at its one box, and those that
    /// all instances in a frame have alike end at the frame.
    pub(super) fn drawn_arrows(&self) -> Vec<Arrow> {
        let stacks = self.nodes.iter().filter(|node| matches!(node.shape(), Shape::Stack));
        let stacked: BTreeMap<&str, &str> =
            stacks.flat_map(|node| node.instances.iter().map(|one| (one.id.as_str(), node.name.as_str()))).collect();
        let end = |id: &str| stacked.get(id).map_or_else(|| id.to_owned(), |stack| (*stack).to_owned());
        let moved =
            self.arrows.iter().map(|arrow| Arrow { from: end(&arrow.from), to: end(&arrow.to), ..arrow.clone() });
        let into_frames = self.at_frames(once_each(moved), |arrow| &mut arrow.to);
        once_each(self.at_frames(into_frames, |arrow| &mut arrow.from).into_iter())
    }

    /// Moves one end of arrows from the instances in a frame to the frame, where all instances have the same arrow.
    fn at_frames(&self, arrows: Vec<Arrow>, end: impl Fn(&mut Arrow) -> &mut String) -> Vec<Arrow> {
        let frames: BTreeMap<&str, &NodeBox> = self
            .nodes
            .iter()
            .filter(|node| matches!(node.shape(), Shape::Frame(_)))
            .flat_map(|node| node.instances.iter().map(move |one| (one.id.as_str(), node)))
            .collect();
        let at_frame = |arrow: &Arrow| {
            let mut moved = arrow.clone();
            let frame = frames.get(end(&mut moved).as_str())?;
            *end(&mut moved) = frame.name.clone();
            Some((moved, frame.instances.len()))
        };
        let mut alike: BTreeMap<Arrow, usize> = BTreeMap::new();
        for (moved, _) in arrows.iter().filter_map(at_frame) {
            *alike.entry(moved).or_default() += 1;
        }
        let placed = arrows.iter().map(|arrow| match at_frame(arrow) {
            Some((moved, all)) if alike.get(&moved) == Some(&all) => moved,
            _ => arrow.clone(),
        });
        once_each(placed)
    }
}

/// Arrows in their order, without repetitions.
fn once_each(arrows: impl Iterator<Item = Arrow>) -> Vec<Arrow> {
    let mut seen = BTreeSet::new();
    arrows.filter(|arrow| seen.insert(arrow.clone())).collect()
}

fn nodes(pipeline: &Pipeline) -> Vec<NodeBox> {
    let mut boxes: Vec<NodeBox> = Vec::new();
    for node in &pipeline.nodes {
        let several = pipeline.groups.contains_key(&node.group);
        let instance = several.then(|| Instance { id: node.id.clone(), place: node.place.to_string() });
        if let Some(known) = boxes.iter_mut().find(|known| known.name == node.group) {
            known.instances.extend(instance);
            continue;
        }
        boxes.push(NodeBox {
            name: node.group.clone(),
            kind: node.kind.descriptor().name,
            when: node.when.as_ref().map(one_line),
            instances: instance.into_iter().collect(),
        });
    }
    boxes
}

fn arrows(node: &Node) -> Vec<Arrow> {
    let mut found = Vec::new();
    for (port, edge) in &node.inputs {
        for origin in edge.from.origins() {
            let (from, output) = match origin {
                Origin::Source(_) => (origin.to_string(), None),
                Origin::Output { node, port } => (node.clone(), Some(port.clone())),
            };
            let arrow = Arrow::new(&from, &node.id, Why::Input);
            found.push(Arrow { output, input: Some(port.clone()), optional: Some(edge.optional), ..arrow });
        }
    }
    if let Some(when) = &node.when {
        for from in asked_about(when) {
            found.push(Arrow { condition: Some(one_line(when)), ..Arrow::new(&from, &node.id, Why::When) });
        }
    }
    found.extend(node.needs.iter().map(|from| Arrow::new(from, &node.id, Why::Needs)));
    found
}

/// The nodes that a condition asks about, each once.
fn asked_about(when: &Condition) -> BTreeSet<String> {
    let nodes = |reference: &Reference| match reference {
        Reference::Status(node) | Reference::Value { node, .. } => vec![node.clone()],
        Reference::StatusOfAll { instances, .. } => instances.clone(),
        Reference::Param(_) | Reference::Matrix(_) | Reference::AsOf | Reference::RunStatus => Vec::new(),
    };
    when.references().into_iter().flat_map(|(reference, _)| nodes(reference)).collect()
}

fn one_line(when: &Condition) -> String {
    when.text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn words(source: &Source) -> String {
    match source {
        Source::Bars(source) => source.path.clone(),
        Source::Strategy(path) | Source::File(path) => path.clone(),
        Source::Registry { model, alias, part, otherwise } => {
            let part = match part {
                RegistryPart::Model => "",
                RegistryPart::Strategy => "strategy of the ",
            };
            let otherwise = match otherwise {
                Otherwise::Refuse => String::new(),
                Otherwise::Absent => ", if there is one".to_owned(),
                Otherwise::File(path) => format!(", else {path}"),
            };
            format!("{part}{alias} of {model}{otherwise}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::LoadOptions;

    const TEXT: &str = include_str!("../../../pipelines/weekly.yaml");

    fn weekly() -> Drawing {
        Drawing::of(&crate::pipeline::load(TEXT, &LoadOptions::default()).unwrap())
    }

    #[test]
    fn every_box_that_an_arrow_names_is_there() {
        let drawing = weekly();
        let mut known: BTreeSet<String> = drawing.sources.iter().map(SourceBox::id).collect();
        known.extend(drawing.nodes.iter().map(|node| node.name.clone()));
        for arrow in &drawing.arrows {
            assert!(known.contains(&arrow.from) && known.contains(&arrow.to), "{arrow:?}");
        }
    }

    /// Draws `first`, with that many instances, and `second`, one for each of them; `third` reads all.
    fn matrix(instances: usize) -> Drawing {
        let seeds: Vec<String> = (0..instances).map(|seed| seed.to_string()).collect();
        let text = format!(
            "version: 1\nname: matrix\nas_of: 2026-01-04\nnodes:\n  \
             zero: {{kind: noop}}\n  \
             first: {{kind: noop, needs: [zero], matrix: {{axes: {{seed: [{}]}}}}}}\n  \
             second: {{kind: noop, for_each: first, needs: [first]}}\n  \
             third: {{kind: noop, needs: [second]}}\n",
            seeds.join(", ")
        );
        Drawing::of(&crate::pipeline::load(&text, &LoadOptions::default()).unwrap())
    }

    fn drawn(drawing: &Drawing) -> Vec<String> {
        drawing.drawn_arrows().iter().map(|arrow| format!("{} {}", arrow.from, arrow.to)).collect()
    }

    #[test]
    fn what_all_instances_in_a_frame_have_alike_is_drawn_at_the_frame() {
        let expected = ["zero first", "first[seed=0] second[seed=0]", "first[seed=1] second[seed=1]", "second third"];
        assert_eq!(drawn(&matrix(2)), expected);
    }

    #[test]
    fn more_than_twelve_instances_are_one_box() {
        assert!(matches!(matrix(12).nodes[1].shape(), Shape::Frame(_)));
        let stacks = matrix(13);
        assert_eq!(stacks.nodes[1].lines(&stacks), ["first", "(noop)", "13 instances"]);
        assert_eq!(drawn(&stacks), ["zero first", "first second", "second third"]);
        assert_eq!(stacks.arrows.len(), 39, "as data, every arrow is kept");
    }

    #[test]
    fn an_artifact_that_changes_its_name_on_the_way_has_both() {
        let labels: Vec<String> = weekly().arrows.iter().map(Arrow::label).collect();
        for label in ["bars", "signals as current", "reference (optional)"] {
            assert!(labels.iter().any(|found| found == label), "{label}: {labels:?}");
        }
    }
}
