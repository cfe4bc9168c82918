//! XGBoost's JSON.

use serde_json::{Value, json};

use super::error::InteropError;
use super::plain::{PlainModel, PlainNode, PlainTree, PlainTrees};
use super::threshold::narrowed;
use crate::model::Model;

const FORMAT: &str = "xgboost";
/// What XGBoost writes as the parent of a root.
const NO_PARENT: i64 = i32::MAX as i64;

/// Writes a model: a boosted one as it is stored, a forest as boosted trees whose sum is the mean.
pub(super) fn write(model: &Model, plain: &PlainModel, names: &[String]) -> Result<Vec<u8>, InteropError> {
    if let Some(name) = names.iter().find(|name| name.is_empty() || name.contains(['[', ']', '<'])) {
        let reason = "it is empty or has one of [ ] <";
        return Err(InteropError::FeatureName { format: FORMAT, name: name.clone(), reason });
    }
    let refused = |reason: &str| InteropError::Family {
        format: FORMAT,
        family: model.family().to_owned(),
        reason: reason.to_owned(),
    };
    let PlainModel::Trees(trees) = plain else {
        return Err(refused("its linear booster has no imputation of missing values; export `onnx`"));
    };
    let mut document = if model.family() == "gradient-boosting" {
        let stored = serde_json::to_value(model).map_err(|error| refused(&error.to_string()))?;
        stored["body"]["xgboost"].clone()
    } else {
        sum_of_trees(trees)
    };
    document["learner"]["feature_names"] = json!(names);
    document["learner"]["feature_types"] = json!(vec!["float"; names.len()]);
    serde_json::to_vec(&document).map_err(|error| refused(&error.to_string()))
}

fn sum_of_trees(trees: &PlainTrees) -> Value {
    let count = trees.trees.len();
    let written: Vec<Value> =
        trees.trees.iter().enumerate().map(|(id, plain)| tree(plain, id, trees.columns)).collect();
    json!({
        "learner": {
            "attributes": {},
            "feature_names": [],
            "feature_types": [],
            "gradient_booster": {
                "model": {
                    "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": count.to_string()},
                    "iteration_indptr": (0..=count).collect::<Vec<_>>(),
                    "tree_info": vec![0; count],
                    "trees": written,
                },
                "name": "gbtree",
            },
            "learner_model_param": {
                "base_score": "0E0", "boost_from_average": "0", "num_class": "0",
                "num_feature": trees.columns.to_string(), "num_target": "1",
            },
            "objective": {"name": "reg:squarederror", "reg_loss_param": {"scale_pos_weight": "1"}},
        },
        "version": [3, 0, 0],
    })
}

fn tree(tree: &PlainTree, id: usize, columns: usize) -> Value {
    let nodes = &tree.nodes;
    let mut parents = vec![NO_PARENT; nodes.len()];
    for (at, split) in nodes.iter().enumerate().filter_map(|(at, node)| Some((at, node.split?))) {
        parents[split.left] = at as i64;
        parents[split.right] = at as i64;
    }
    let child = |pick: fn(&PlainNode) -> Option<usize>| -> Vec<i64> {
        nodes.iter().map(|node| pick(node).map_or(-1, |child| child as i64)).collect()
    };
    let conditions: Vec<f32> =
        nodes.iter().map(|node| node.split.map_or(node.value as f32, |split| narrowed(split.threshold))).collect();
    let leaves: Vec<f32> = nodes.iter().map(|node| node.value as f32).collect();
    json!({
        "base_weights": leaves,
        "categories": [], "categories_nodes": [], "categories_segments": [], "categories_sizes": [],
        "default_left": nodes.iter().map(|node| u8::from(node.split.is_some_and(|it| it.missing_left))).collect::<Vec<_>>(),
        "id": id,
        "left_children": child(|node| node.split.map(|split| split.left)),
        "loss_changes": vec![0.0_f32; nodes.len()],
        "parents": parents,
        "right_children": child(|node| node.split.map(|split| split.right)),
        "split_conditions": conditions,
        "split_indices": nodes.iter().map(|node| node.split.map_or(0, |split| split.feature)).collect::<Vec<_>>(),
        "split_type": vec![0; nodes.len()],
        "sum_hessian": nodes.iter().map(|node| node.cover.unwrap_or(0.0) as f32).collect::<Vec<_>>(),
        "tree_param": {
            "num_deleted": "0", "num_feature": columns.to_string(), "num_nodes": nodes.len().to_string(),
            "size_leaf_vector": "1",
        },
    })
}
