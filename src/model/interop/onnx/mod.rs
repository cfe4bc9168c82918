//! ONNX: the whole way from features to calibrated prediction as one graph of 64-bit numbers.
//!
//! Input `features` (rows x features, 64 bits). Outputs `raw`, what the model says, and `prediction`, calibrated; both rows
//! x 1. Trees are one `TreeEnsemble` of ai.onnx.ml 5, the successor of `TreeEnsembleClassifier` and `-Regressor`, which
//! rounds its sums to 32 bits: behind a steep isotonic calibration that would be seen. A constant in the graph stands for a
//! tree of one leaf.

mod calibration;
mod graph;
mod proto;

use prost::Message as _;

use super::plain::{Link, PlainLinear, PlainModel, PlainTrees};
use crate::model::Calibrator;
use graph::Graph;
use proto::{AttributeProto, ModelProto, OperatorSetIdProto, StringStringEntryProto, TensorProto, ValueInfoProto};

/// Version of the messages; 10 is that of ai.onnx.ml 5.
const IR_VERSION: i64 = 10;
const OPSET: i64 = 21;
const ML_OPSET: i64 = 5;
pub(super) const ML_DOMAIN: &str = "ai.onnx.ml";

/// Writes a model with its calibrator.
pub(super) fn write(plain: &PlainModel, family: &str, calibrator: &Calibrator, names: &[String]) -> Vec<u8> {
    let mut graph = Graph::default();
    let sum = match plain {
        PlainModel::Trees(trees) => sum_of_trees(&mut graph, trees),
        PlainModel::Linear(linear) => weighed_sum(&mut graph, linear),
    };
    let raw = match plain.link() {
        Link::Identity => sum,
        Link::Logistic => graph.apply("Sigmoid", &[&sum]),
    };
    let calibrated = calibration::write(&mut graph, calibrator, &raw);
    graph.rename(&raw, "raw");
    graph.rename(&calibrated, "prediction");
    let property = |key: &str, value: String| StringStringEntryProto { key: key.to_owned(), value };
    let model = ModelProto {
        ir_version: IR_VERSION,
        producer_name: "walkforward".to_owned(),
        doc_string: "raw: what the model says; prediction: calibrated".to_owned(),
        graph: Some(graph.finish(
            vec![ValueInfoProto::table("features", plain.columns())],
            vec![ValueInfoProto::table("raw", 1), ValueInfoProto::table("prediction", 1)],
        )),
        opset_import: vec![
            OperatorSetIdProto { domain: String::new(), version: OPSET },
            OperatorSetIdProto { domain: ML_DOMAIN.to_owned(), version: ML_OPSET },
        ],
        metadata_props: vec![
            property("family", family.to_owned()),
            property("features", serde_json::Value::from(names).to_string()),
        ],
    };
    model.encode_to_vec()
}

/// Infinite features are missing, as NaN is.
fn present_or_nan(graph: &mut Graph) -> String {
    let is_infinite = graph.apply("IsInf", &["features"]);
    let nan = graph.constant(&[], &[f64::NAN]);
    graph.apply("Where", &[&is_infinite, &nan, "features"])
}

fn weighed_sum(graph: &mut Graph, linear: &PlainLinear) -> String {
    let columns = linear.coefficients.len();
    let features = present_or_nan(graph);
    let is_missing = graph.apply("IsNaN", &[&features]);
    let median = graph.constant(&[1, columns], &linear.transform.median);
    let mean = graph.constant(&[1, columns], &linear.transform.mean);
    let scale = graph.constant(&[1, columns], &linear.transform.scale);
    let coefficients = graph.constant(&[columns, 1], &linear.coefficients);
    let intercept = graph.constant(&[], &[linear.intercept]);
    let imputed = graph.apply("Where", &[&is_missing, &median, &features]);
    let centred = graph.apply("Sub", &[&imputed, &mean]);
    let standardised = graph.apply("Div", &[&centred, &scale]);
    let slope = graph.apply("MatMul", &[&standardised, &coefficients]);
    graph.apply("Add", &[&slope, &intercept])
}

fn sum_of_trees(graph: &mut Graph, trees: &PlainTrees) -> String {
    let features = present_or_nan(graph);
    let ensemble = graph.apply_with("TreeEnsemble", ML_DOMAIN, &[&features], Ensemble::of(trees).attributes());
    let base = graph.constant(&[], &[trees.base]);
    graph.apply("Add", &[&ensemble, &base])
}

/// The columns of a `TreeEnsemble`: splits and leaves of all trees, numbered apart.
#[derive(Default)]
struct Ensemble {
    roots: Vec<i64>,
    feature: Vec<i64>,
    threshold: Vec<f64>,
    missing_true: Vec<i64>,
    /// Number of the child and whether it is a leaf, of both sides.
    left: Vec<(i64, i64)>,
    right: Vec<(i64, i64)>,
    leaves: Vec<f64>,
}

impl Ensemble {
    fn of(trees: &PlainTrees) -> Self {
        let mut found = Self::default();
        for tree in &trees.trees {
            let (splits, leaves) = (found.feature.len() as i64, found.leaves.len() as i64);
            let mut next = (splits, leaves);
            // where each node of the tree will stand
            let places: Vec<(i64, i64)> = tree
                .nodes
                .iter()
                .map(|node| {
                    let counter = if node.split.is_some() { &mut next.0 } else { &mut next.1 };
                    *counter += 1;
                    (*counter - 1, i64::from(node.split.is_none()))
                })
                .collect();
            found.roots.push(splits);
            for node in &tree.nodes {
                match node.split {
                    Some(split) => {
                        found.push_split(
                            split.feature,
                            split.threshold,
                            split.missing_left,
                            [split.left, split.right].map(|child| places[child]),
                        );
                    }
                    None => found.leaves.push(node.value),
                }
            }
            if tree.nodes.len() == 1 {
                // a root must be a split: both sides lead to the only leaf
                found.push_split(0, 0.0, false, [places[0]; 2]);
            }
        }
        found
    }

    fn push_split(&mut self, feature: usize, threshold: f64, missing_left: bool, children: [(i64, i64); 2]) {
        self.feature.push(feature as i64);
        self.threshold.push(threshold);
        self.missing_true.push(i64::from(missing_left));
        self.left.push(children[0]);
        self.right.push(children[1]);
    }

    fn attributes(self) -> Vec<AttributeProto> {
        let (splits, leaves) = (self.feature.len(), self.leaves.len());
        let ints = AttributeProto::ints;
        let (left, left_leaf) = self.left.into_iter().unzip();
        let (right, right_leaf) = self.right.into_iter().unzip();
        vec![
            // 1: the sum
            AttributeProto::int("aggregate_function", 1),
            ints("leaf_targetids", vec![0; leaves]),
            AttributeProto::tensor("leaf_weights", TensorProto::doubles("", &[leaves], &self.leaves)),
            AttributeProto::int("n_targets", 1),
            ints("nodes_falseleafs", right_leaf),
            ints("nodes_falsenodeids", right),
            ints("nodes_featureids", self.feature),
            ints("nodes_missing_value_tracks_true", self.missing_true),
            // 0: x <= threshold goes to the true side
            AttributeProto::tensor("nodes_modes", TensorProto::bytes("", vec![0; splits])),
            AttributeProto::tensor("nodes_splits", TensorProto::doubles("", &[splits], &self.threshold)),
            ints("nodes_trueleafs", left_leaf),
            ints("nodes_truenodeids", left),
            // 0: what is summed is what is given
            AttributeProto::int("post_transform", 0),
            ints("tree_roots", self.roots),
        ]
    }
}
