//! A grown tree, in memory and as columns in a file.

use serde::{Deserialize, Serialize};

/// In place of a feature: this node is a leaf.
const LEAF: u32 = MISSING_LEFT - 1;
/// Set in the feature of a split that sends missing values left.
const MISSING_LEFT: u32 = 1 << 31;

/// A node in 16 bytes, so that a cache line holds four. Its left child is the next node; a tree is written in preorder.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Node {
    /// Threshold of a split; prediction of a leaf.
    value: f64,
    feature_and_missing: u32,
    right: u32,
}

impl Node {
    const fn feature(self) -> u32 {
        self.feature_and_missing & !MISSING_LEFT
    }

    const fn missing_left(self) -> bool {
        self.feature_and_missing & MISSING_LEFT != 0
    }
}

/// A binary tree: a row goes left when its feature is at most the threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StoredTree", into = "StoredTree")]
pub(super) struct Tree {
    nodes: Vec<Node>,
}

impl Tree {
    pub(super) const fn empty() -> Self {
        Self { nodes: Vec::new() }
    }

    /// Adds a leaf and gives its number.
    pub(super) fn push_leaf(&mut self, value: f64) -> usize {
        self.nodes.push(Node { value, feature_and_missing: LEAF, right: 0 });
        self.nodes.len() - 1
    }

    /// Turns the leaf `node` into a split; its left child must be pushed next.
    pub(super) fn split(&mut self, node: usize, feature: usize, threshold: f64, missing_left: bool) {
        let missing = if missing_left { MISSING_LEFT } else { 0 };
        if let Some(found) = self.nodes.get_mut(node) {
            *found = Node { value: threshold, feature_and_missing: feature as u32 | missing, right: 0 };
        }
    }

    /// Names the right child of a split.
    pub(super) fn set_right(&mut self, node: usize, right: usize) {
        if let Some(found) = self.nodes.get_mut(node) {
            found.right = right as u32;
        }
    }

    /// What the leaf predicts that a row falls into; a value that is not finite counts as missing.
    pub(super) fn predict(&self, row: &[f64]) -> f64 {
        let mut at = 0;
        loop {
            let node = self.nodes[at];
            let feature = node.feature();
            if feature == LEAF {
                return node.value;
            }
            let value = row[feature as usize];
            // no branch on the data: half of them would be mispredicted
            let is_missing = !value.is_finite();
            let goes_left = (!is_missing & (value <= node.value)) | (is_missing & node.missing_left());
            at = std::hint::select_unpredictable(goes_left, at + 1, node.right as usize);
        }
    }

    /// What the leaves predict.
    pub(super) fn leaves(&self) -> impl Iterator<Item = f64> + '_ {
        self.nodes.iter().filter(|node| node.feature() == LEAF).map(|node| node.value)
    }

    /// Largest feature a split asks for.
    pub(super) fn last_feature(&self) -> Option<u32> {
        self.nodes.iter().map(|node| node.feature()).filter(|&feature| feature != LEAF).max()
    }
}

/// A tree as parallel columns, one entry a node, in preorder: the left child of node `i` is `i + 1`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredTree {
    /// Feature of a split, -1 for a leaf.
    feature: Vec<i64>,
    /// Threshold of a split (left when at most this), prediction of a leaf.
    value: Vec<f64>,
    /// Number of the right child, 0 for a leaf.
    right: Vec<u32>,
    /// 1 where missing values go left.
    missing_left: Vec<u8>,
}

impl From<Tree> for StoredTree {
    fn from(tree: Tree) -> Self {
        let feature = |node: &Node| if node.feature() == LEAF { -1 } else { i64::from(node.feature()) };
        Self {
            feature: tree.nodes.iter().map(feature).collect(),
            value: tree.nodes.iter().map(|node| node.value).collect(),
            right: tree.nodes.iter().map(|node| node.right).collect(),
            missing_left: tree.nodes.iter().map(|node| u8::from(node.missing_left())).collect(),
        }
    }
}

impl TryFrom<StoredTree> for Tree {
    type Error = String;

    /// Refuses a tree in which a walk from the root could leave the nodes or never end.
    fn try_from(stored: StoredTree) -> Result<Self, String> {
        let count = stored.feature.len();
        if count == 0 || [stored.value.len(), stored.right.len(), stored.missing_left.len()] != [count; 3] {
            return Err("columns of a tree are empty or of different lengths".to_owned());
        }
        let mut nodes = Vec::with_capacity(count);
        for i in 0..count {
            let (feature, value, right) = (stored.feature[i], stored.value[i], stored.right[i]);
            let missing = if stored.missing_left[i] == 0 { 0 } else { MISSING_LEFT };
            nodes.push(match u32::try_from(feature) {
                Ok(feature) if feature < LEAF && (right as usize) > i + 1 && (right as usize) < count => {
                    Node { value, feature_and_missing: feature | missing, right }
                }
                Err(_) if feature == -1 => Node { value, feature_and_missing: LEAF, right: 0 },
                _ => return Err(format!("node {i} of a tree: feature {feature}, value {value}, right child {right}")),
            });
        }
        Ok(Self { nodes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stump() -> Tree {
        let mut tree = Tree::empty();
        let root = tree.push_leaf(0.5);
        tree.split(root, 1, 2.0, true);
        tree.push_leaf(0.25);
        let right = tree.push_leaf(0.75);
        tree.set_right(root, right);
        tree
    }

    #[test]
    fn rows_go_left_at_the_threshold_and_missing_ones_where_told() {
        let tree = stump();
        assert_eq!(tree.predict(&[9.0, 2.0]), 0.25);
        assert_eq!(tree.predict(&[0.0, 2.1]), 0.75);
        assert_eq!(tree.predict(&[0.0, f64::NAN]), 0.25);
        assert_eq!(tree.predict(&[0.0, f64::INFINITY]), 0.25);
    }

    #[test]
    fn a_stored_tree_that_loops_or_leaves_its_nodes_is_refused() {
        let text = serde_json::to_string(&stump()).unwrap();
        assert_eq!(serde_json::from_str::<Tree>(&text).unwrap(), stump());
        for (from, to) in
            [("\"right\":[2,", "\"right\":[0,"), ("\"right\":[2,", "\"right\":[3,"), ("[1,-1,-1]", "[1,-1]")]
        {
            let damaged = text.replace(from, to);
            assert_ne!(damaged, text);
            assert!(serde_json::from_str::<Tree>(&damaged).is_err(), "{damaged}");
        }
    }
}
