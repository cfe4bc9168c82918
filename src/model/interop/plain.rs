//! What a model says, in a form that every format can be written from: a sum of trees, or a sum of scaled features.

use serde::Deserialize;
use serde_json::Value;

use super::error::InteropError;
use super::threshold::widened;
use crate::model::Model;

/// What turns a sum into what is predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// The sum itself.
    Identity,
    /// `1 / (1 + exp(-sum))`.
    Logistic,
}

impl Link {
    /// Applies the link.
    pub fn apply(self, sum: f64) -> f64 {
        match self {
            Self::Identity => sum,
            Self::Logistic => crate::model::logistic::sigmoid(sum),
        }
    }
}

/// A model as a sum.
#[derive(Clone, Debug, PartialEq)]
pub enum PlainModel {
    /// Trees, added.
    Trees(PlainTrees),
    /// Standardised features, weighed and added.
    Linear(PlainLinear),
}

/// `link(base + sum of the leaves that a row falls into)`.
#[derive(Clone, Debug, PartialEq)]
pub struct PlainTrees {
    /// Number of features.
    pub columns: usize,
    /// What is added to the trees.
    pub base: f64,
    /// From sum to prediction.
    pub link: Link,
    /// The trees; the mean over a forest's trees is in their leaves.
    pub trees: Vec<PlainTree>,
}

/// A tree in preorder: its root is node 0, children come after their parent.
#[derive(Clone, Debug, PartialEq)]
pub struct PlainTree {
    /// The nodes.
    pub nodes: Vec<PlainNode>,
}

/// A node of a tree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlainNode {
    /// How rows go on; `None` for a leaf.
    pub split: Option<PlainSplit>,
    /// What a leaf adds; 0 for a split.
    pub value: f64,
    /// Weight of the training rows that reached it, where the model knows.
    pub cover: Option<f64>,
}

/// A question of a tree: `x <= threshold` goes left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlainSplit {
    /// Column of the feature.
    pub feature: usize,
    /// The largest value that goes left.
    pub threshold: f64,
    /// Where a value that is not finite goes.
    pub missing_left: bool,
    /// Number of the left child.
    pub left: usize,
    /// Number of the right child.
    pub right: usize,
}

impl PlainSplit {
    /// The child that a value goes to.
    pub fn child(&self, value: f64) -> usize {
        let goes_left = if value.is_finite() { value <= self.threshold } else { self.missing_left };
        if goes_left { self.left } else { self.right }
    }
}

impl PlainTree {
    /// The value of the leaf that a row falls into.
    pub fn predict(&self, row: &[f64]) -> f64 {
        let mut node = &self.nodes[0];
        while let Some(split) = &node.split {
            node = &self.nodes[split.child(row[split.feature])];
        }
        node.value
    }
}

/// `link(intercept + sum coefficient * (x, or median where missing, - mean) / scale)`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct PlainLinear {
    /// Imputation and scaling.
    pub transform: PlainScaling,
    /// Weights of the standardised features.
    pub coefficients: Vec<f64>,
    /// What is added.
    pub intercept: f64,
    /// From sum to prediction.
    #[serde(skip, default = "logistic")]
    pub link: Link,
}

const fn logistic() -> Link {
    Link::Logistic
}

/// Imputation and scaling, by feature.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct PlainScaling {
    /// What replaces a missing value.
    pub median: Vec<f64>,
    /// What is taken away.
    pub mean: Vec<f64>,
    /// What is divided by.
    pub scale: Vec<f64>,
}

impl PlainScaling {
    /// A value of a column, imputed and scaled.
    pub fn apply(&self, column: usize, value: f64) -> f64 {
        let value = if value.is_finite() { value } else { self.median[column] };
        (value - self.mean[column]) / self.scale[column]
    }
}

impl PlainModel {
    /// Reads what a model says from its stored form.
    ///
    /// # Errors
    /// A family that is neither a sum of trees nor linear.
    pub fn of(model: &Model) -> Result<Self, InteropError> {
        let family = model.family();
        let stored = serde_json::to_value(model).map_err(|error| refused(family, error.to_string()))?;
        let body = &stored["body"];
        match family {
            "logistic" => linear(family, body, Link::Logistic),
            "linear" => linear(family, body, Link::Identity),
            "random-forest" | "extra-trees" => forest(family, body).map(Self::Trees),
            "gradient-boosting" => boosting(&body["xgboost"]).map(Self::Trees).map_err(|it| refused(family, it)),
            _ => Err(refused(family, "it is neither a sum of trees nor a linear model".to_owned())),
        }
    }

    /// Number of features.
    pub const fn columns(&self) -> usize {
        match self {
            Self::Trees(trees) => trees.columns,
            Self::Linear(linear) => linear.coefficients.len(),
        }
    }

    /// From sum to prediction.
    pub const fn link(&self) -> Link {
        match self {
            Self::Trees(trees) => trees.link,
            Self::Linear(linear) => linear.link,
        }
    }

    /// The sum of a row, before the link.
    pub fn sum(&self, row: &[f64]) -> f64 {
        match self {
            Self::Trees(trees) => trees.base + trees.trees.iter().map(|tree| tree.predict(row)).sum::<f64>(),
            Self::Linear(linear) => {
                let terms = linear.coefficients.iter().zip(row).enumerate();
                linear.intercept + terms.map(|(at, (c, &x))| c * linear.transform.apply(at, x)).sum::<f64>()
            }
        }
    }

    /// What is predicted for a row.
    pub fn predict(&self, row: &[f64]) -> f64 {
        self.link().apply(self.sum(row))
    }
}

fn refused(family: &str, reason: String) -> InteropError {
    InteropError::Family { format: "another format", family: family.to_owned(), reason }
}

fn linear(family: &str, body: &Value, link: Link) -> Result<PlainModel, InteropError> {
    let read = PlainLinear::deserialize(body).map_err(|error| refused(family, error.to_string()))?;
    Ok(PlainModel::Linear(PlainLinear { link, ..read }))
}

#[derive(Deserialize)]
struct StoredForest {
    columns: usize,
    trees: Vec<StoredTree>,
}

#[derive(Deserialize)]
struct StoredTree {
    feature: Vec<i64>,
    value: Vec<f64>,
    right: Vec<usize>,
    missing_left: Vec<u8>,
}

fn forest(family: &str, body: &Value) -> Result<PlainTrees, InteropError> {
    let stored = StoredForest::deserialize(body).map_err(|error| refused(family, error.to_string()))?;
    let count = stored.trees.len() as f64;
    let tree = |tree: StoredTree| {
        let node = |at: usize| match usize::try_from(tree.feature[at]) {
            Ok(feature) => PlainNode {
                split: Some(PlainSplit {
                    feature,
                    threshold: tree.value[at],
                    missing_left: tree.missing_left[at] != 0,
                    left: at + 1,
                    right: tree.right[at],
                }),
                value: 0.0,
                cover: None,
            },
            Err(_) => PlainNode { split: None, value: tree.value[at] / count, cover: None },
        };
        PlainTree { nodes: (0..tree.feature.len()).map(node).collect() }
    };
    let trees = stored.trees.into_iter().map(tree).collect();
    Ok(PlainTrees { columns: stored.columns, base: 0.0, link: Link::Identity, trees })
}

#[derive(Deserialize)]
struct XgboostTree {
    left_children: Vec<i64>,
    right_children: Vec<i64>,
    split_indices: Vec<usize>,
    split_conditions: Vec<f32>,
    default_left: Vec<Value>,
    sum_hessian: Vec<f64>,
    #[serde(default)]
    split_type: Vec<u8>,
}

/// Reads a model of XGBoost's JSON whose trees are added.
pub(super) fn boosting(document: &Value) -> Result<PlainTrees, String> {
    let learner = &document["learner"];
    let booster = &learner["gradient_booster"];
    if booster["name"] != "gbtree" {
        return Err(format!("expected the booster `gbtree`, found {}", booster["name"]));
    }
    let link = link_of(learner["objective"]["name"].as_str().unwrap_or_default())?;
    let parameters = &learner["learner_model_param"];
    let columns = parameters["num_feature"].as_str().and_then(|text| text.parse().ok());
    let trees = Vec::<XgboostTree>::deserialize(&booster["model"]["trees"]).map_err(|error| error.to_string())?;
    Ok(PlainTrees {
        columns: columns.ok_or("`num_feature` is not a number")?,
        base: base_of(&parameters["base_score"], link)?,
        link,
        trees: trees.iter().map(preorder).collect::<Result<_, _>>()?,
    })
}

fn link_of(objective: &str) -> Result<Link, String> {
    match objective {
        "binary:logistic" => Ok(Link::Logistic),
        "reg:squarederror" | "reg:absoluteerror" | "reg:pseudohubererror" => Ok(Link::Identity),
        other => Err(format!(
            "expected the objective `binary:logistic` or a regression such as `reg:squarederror`, found `{other}`"
        )),
    }
}

/// The base score is stored as what is predicted, a number or a list of one; it is added to the sum.
fn base_of(stored: &Value, link: Link) -> Result<f64, String> {
    let text = stored.as_str().map(|text| text.trim_matches(['[', ']']));
    let score = text.and_then(|text| text.parse::<f32>().ok()).map(f64::from);
    let score = score.ok_or_else(|| format!("expected one number as `base_score`, found {stored}"))?;
    match link {
        Link::Identity => Ok(score),
        Link::Logistic if score > 0.0 && score < 1.0 => Ok(libm::log(score / (1.0 - score))),
        Link::Logistic => Err(format!("expected a `base_score` between 0 and 1, found {score}")),
    }
}

fn preorder(tree: &XgboostTree) -> Result<PlainTree, String> {
    let count = tree.left_children.len();
    let lengths = [
        tree.right_children.len(),
        tree.split_indices.len(),
        tree.split_conditions.len(),
        tree.default_left.len(),
        tree.sum_hessian.len(),
    ];
    if count == 0 || lengths != [count; 5] {
        return Err("columns of a tree are empty or of different lengths".to_owned());
    }
    if tree.split_type.iter().any(|&kind| kind != 0) {
        return Err("a split by category, which our trees do not have".to_owned());
    }
    let mut nodes: Vec<PlainNode> = Vec::with_capacity(count);
    // nodes to visit, and the split that waits for the number of its right child
    let mut waiting = vec![(0_usize, None)];
    while let Some((at, parent)) = waiting.pop() {
        if at >= count || nodes.len() >= count {
            return Err("a tree that loops or leaves its nodes".to_owned());
        }
        let number = nodes.len();
        if let Some(split) = parent.and_then(|parent: usize| nodes[parent].split.as_mut()) {
            split.right = number;
        }
        let cover = Some(tree.sum_hessian[at]);
        let (Ok(left), Ok(right)) = (usize::try_from(tree.left_children[at]), usize::try_from(tree.right_children[at]))
        else {
            nodes.push(PlainNode { split: None, value: f64::from(tree.split_conditions[at]), cover });
            continue;
        };
        let split = PlainSplit {
            feature: tree.split_indices[at],
            threshold: widened(tree.split_conditions[at]),
            missing_left: is_set(&tree.default_left[at]),
            left: number + 1,
            right: 0,
        };
        nodes.push(PlainNode { split: Some(split), value: 0.0, cover });
        waiting.push((right, Some(number)));
        waiting.push((left, None));
    }
    Ok(PlainTree { nodes })
}

/// Flags are numbers or, in files of earlier versions, booleans.
fn is_set(flag: &Value) -> bool {
    flag.as_bool().unwrap_or_else(|| flag.as_u64().is_some_and(|number| number != 0))
}
