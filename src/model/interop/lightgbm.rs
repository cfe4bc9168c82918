//! LightGBM's text, version 4.
//!
//! Splits and leaves of a tree are numbered apart, leaves as `-1 - number`. A base score becomes a tree of one leaf.

use std::fmt::Write as _;

use super::error::InteropError;
use super::plain::{Link, PlainModel, PlainNode, PlainTree};

const FORMAT: &str = "lightgbm";
/// Bits of `decision_type`: missing values are NaN, and whether they go left.
const MISSING_IS_NAN: u8 = 8;
const MISSING_LEFT: u8 = 2;

/// Writes a sum of trees.
pub(super) fn write(plain: &PlainModel, family: &str, names: &[String]) -> Result<Vec<u8>, InteropError> {
    // what LightGBM refuses in a name, and what would part it in this file
    let is_bad = |c: char| c.is_whitespace() || "[]{}\":,=".contains(c);
    if let Some(name) = names.iter().find(|name| name.is_empty() || name.contains(is_bad)) {
        let reason = "it is empty, or has a space or one of [ ] { } \" : , =";
        return Err(InteropError::FeatureName { format: FORMAT, name: name.clone(), reason });
    }
    let PlainModel::Trees(trees) = plain else {
        let reason = "its text holds trees only; export `onnx`".to_owned();
        return Err(InteropError::Family { format: FORMAT, family: family.to_owned(), reason });
    };
    let base = (trees.base != 0.0)
        .then(|| PlainTree { nodes: vec![PlainNode { split: None, value: trees.base, cover: None }] });
    let blocks: Vec<String> =
        base.iter().chain(&trees.trees).enumerate().map(|(number, tree)| block(tree, number)).collect();
    let objective = match trees.link {
        Link::Logistic => "binary sigmoid:1",
        Link::Identity => "regression",
    };
    let sizes: Vec<usize> = blocks.iter().map(String::len).collect();
    let mut text = format!(
        "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx={}\nobjective={objective}\n\
         feature_names={}\nfeature_infos={}\ntree_sizes={}\n\n",
        names.len().saturating_sub(1),
        names.join(" "),
        vec!["[-inf:inf]"; names.len()].join(" "),
        joined(&sizes),
    );
    blocks.iter().for_each(|block| text.push_str(block));
    text.push_str("end of trees\n\nfeature_importances:\n\nparameters:\n[boosting: gbdt]\nend of parameters\n\npandas_categorical:null\n");
    Ok(text.into_bytes())
}

fn joined<T: ToString>(values: &[T]) -> String {
    values.iter().map(T::to_string).collect::<Vec<_>>().join(" ")
}

/// The numbers of all nodes: splits from 0 up, leaves from -1 down, each in the order of the nodes.
fn numbers(nodes: &[PlainNode]) -> Vec<i64> {
    let (mut splits, mut leaves) = (0, 0);
    let number = |node: &PlainNode| {
        if node.split.is_some() {
            splits += 1;
            splits - 1
        } else {
            leaves += 1;
            -leaves
        }
    };
    nodes.iter().map(number).collect()
}

fn block(tree: &PlainTree, number: usize) -> String {
    let numbers = numbers(&tree.nodes);
    let splits: Vec<_> = tree.nodes.iter().filter_map(|node| node.split).collect();
    let leaves: Vec<&PlainNode> = tree.nodes.iter().filter(|node| node.split.is_none()).collect();
    let inner: Vec<&PlainNode> = tree.nodes.iter().filter(|node| node.split.is_some()).collect();
    let decision = |missing_left: bool| MISSING_IS_NAN | if missing_left { MISSING_LEFT } else { 0 };
    let cover = |nodes: &[&PlainNode]| -> Vec<f64> { nodes.iter().map(|node| node.cover.unwrap_or(0.0)).collect() };
    let counts = |nodes: &[&PlainNode]| -> Vec<i64> { cover(nodes).iter().map(|cover| cover.round() as i64).collect() };
    let of = |values: Vec<String>| values.join(" ");
    let rows: [(&str, String); 15] = [
        ("num_leaves", leaves.len().to_string()),
        ("num_cat", "0".to_owned()),
        ("split_feature", of(splits.iter().map(|split| split.feature.to_string()).collect())),
        ("split_gain", joined(&vec![0; splits.len()])),
        // 17 digits read back to the same bits
        ("threshold", of(splits.iter().map(|split| format!("{:?}", split.threshold)).collect())),
        ("decision_type", of(splits.iter().map(|split| decision(split.missing_left).to_string()).collect())),
        ("left_child", of(splits.iter().map(|split| numbers[split.left].to_string()).collect())),
        ("right_child", of(splits.iter().map(|split| numbers[split.right].to_string()).collect())),
        ("leaf_value", of(leaves.iter().map(|leaf| format!("{:?}", leaf.value)).collect())),
        ("leaf_weight", joined(&cover(&leaves))),
        ("leaf_count", joined(&counts(&leaves))),
        ("internal_value", joined(&vec![0; splits.len()])),
        ("internal_weight", joined(&cover(&inner))),
        ("internal_count", joined(&counts(&inner))),
        ("is_linear", "0".to_owned()),
    ];
    let mut text = format!("Tree={number}\n");
    for (name, values) in rows {
        let _ = writeln!(text, "{name}={values}");
    }
    text.push_str("shrinkage=1\n\n\n");
    text
}
