//! Regression trees that remember the box of every leaf.
//!
//! Splits minimise the squared error; an ordered axis splits between neighbouring values, a choice splits one against
//! the rest. Trees are grown until leaves are pure, too small or too deep: fANOVA wants their structure, not their
//! forecasts.

use crate::base::Seed;

const DEEPEST: usize = 64;

/// One axis as a tree sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feature {
    /// A share of the range, in `[0, 1]`.
    Ordered,
    /// The position of one of so many choices.
    Choice(usize),
}

/// The part of an axis that a box covers.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Side {
    /// From, to.
    Range(f64, f64),
    /// Which choices.
    Choices(Vec<bool>),
}

impl Side {
    fn whole(feature: Feature) -> Self {
        match feature {
            Feature::Ordered => Self::Range(0.0, 1.0),
            Feature::Choice(count) => Self::Choices(vec![true; count]),
        }
    }

    /// The share of the axis.
    pub(super) fn share(&self) -> f64 {
        match self {
            Self::Range(low, high) => high - low,
            Self::Choices(allowed) => allowed.iter().filter(|allowed| **allowed).count() as f64 / allowed.len() as f64,
        }
    }

    /// Both parts of a split: below and above a place, or one choice and the rest.
    fn split(&self, at: f64) -> (Self, Self) {
        match self {
            Self::Range(low, high) => (Self::Range(*low, at), Self::Range(at, *high)),
            Self::Choices(allowed) => {
                let part = |own: bool| {
                    let keep = |(choice, &allowed): (usize, &bool)| allowed && (choice as f64 == at) == own;
                    Self::Choices(allowed.iter().enumerate().map(keep).collect())
                };
                (part(true), part(false))
            }
        }
    }
}

/// A leaf: its box and its mean.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    pub sides: Vec<Side>,
    pub mean: f64,
}

/// Columns and targets of a regression.
pub(super) struct Table<'a> {
    pub features: &'a [Feature],
    pub columns: &'a [Vec<f64>],
    pub targets: &'a [f64],
}

/// A node that is still to be split: for every axis, its rows sorted along it.
struct Node {
    sorted: Vec<Vec<u32>>,
    sides: Vec<Side>,
    depth: usize,
}

struct Split {
    feature: usize,
    at: f64,
    gain: f64,
}

/// Grows one tree on a bootstrap sample of the rows and returns its leaves.
pub(super) fn leaves(table: &Table, seed: Seed) -> Vec<Leaf> {
    let count = table.targets.len();
    let mut stream = seed.stream();
    let sample: Vec<u32> = (0..count).map(|_| stream.below(count) as u32).collect();
    let along = |column: &Vec<f64>| {
        let mut rows = sample.clone();
        rows.sort_by(|&a, &b| column[a as usize].total_cmp(&column[b as usize]));
        rows
    };
    let sides = table.features.iter().map(|feature| Side::whole(*feature)).collect();
    let mut open = vec![Node { sorted: table.columns.iter().map(along).collect(), sides, depth: 0 }];
    let mut leaves = Vec::new();
    while let Some(node) = open.pop() {
        match best_split(table, &node) {
            Some(split) => {
                let (left, right) = divide(table, node, &split);
                open.push(right);
                open.push(left);
            }
            None => {
                let rows = node.sorted.first().map_or(&[][..], Vec::as_slice);
                let mean = rows.iter().map(|&row| table.targets[row as usize]).sum::<f64>() / rows.len().max(1) as f64;
                leaves.push(Leaf { sides: node.sides, mean });
            }
        }
    }
    leaves
}

fn best_split(table: &Table, node: &Node) -> Option<Split> {
    let rows = node.sorted.first()?;
    let first = table.targets[*rows.first()? as usize];
    if node.depth >= DEEPEST || rows.iter().all(|&row| table.targets[row as usize] == first) {
        return None;
    }
    let total: f64 = rows.iter().map(|&row| table.targets[row as usize]).sum();
    let mut best: Option<Split> = None;
    for (feature, kind) in table.features.iter().enumerate() {
        let split = match kind {
            Feature::Ordered => ordered_split(table, &node.sorted[feature], feature, total),
            Feature::Choice(_) => choice_split(table, &node.sorted[feature], feature, total),
        };
        if let Some(split) = split
            && best.as_ref().is_none_or(|best| split.gain > best.gain)
        {
            best = Some(split);
        }
    }
    best
}

/// Larger is better: the squared sums over counts, which is the explained part of the squared error up to a constant.
fn gain(left: f64, left_count: usize, total: f64, count: usize) -> f64 {
    let right = total - left;
    left * left / left_count as f64 + right * right / (count - left_count) as f64
}

fn ordered_split(table: &Table, rows: &[u32], feature: usize, total: f64) -> Option<Split> {
    let column = &table.columns[feature];
    let mut best: Option<Split> = None;
    let mut left = 0.0;
    for (place, pair) in rows.windows(2).enumerate() {
        left += table.targets[pair[0] as usize];
        let (below, above) = (column[pair[0] as usize], column[pair[1] as usize]);
        let at = 0.5 * (below + above);
        // neighbouring doubles have no place between them
        if !(below < at && at <= above) {
            continue;
        }
        let gain = gain(left, place + 1, total, rows.len());
        if best.as_ref().is_none_or(|best| gain > best.gain) {
            best = Some(Split { feature, at, gain });
        }
    }
    best
}

fn choice_split(table: &Table, rows: &[u32], feature: usize, total: f64) -> Option<Split> {
    let column = &table.columns[feature];
    let mut best: Option<Split> = None;
    for run in rows.chunk_by(|&a, &b| column[a as usize] == column[b as usize]) {
        if run.len() == rows.len() {
            return None;
        }
        let own: f64 = run.iter().map(|&row| table.targets[row as usize]).sum();
        let gain = gain(own, run.len(), total, rows.len());
        if best.as_ref().is_none_or(|best| gain > best.gain) {
            best = Some(Split { feature, at: column[run[0] as usize], gain });
        }
    }
    best
}

/// Divides a node; the orders along all axes are kept, so that nothing is sorted again.
fn divide(table: &Table, node: Node, split: &Split) -> (Node, Node) {
    let column = &table.columns[split.feature];
    let ordered = table.features[split.feature] == Feature::Ordered;
    let goes_left = |row: &u32| {
        let value = column[*row as usize];
        if ordered { value < split.at } else { value == split.at }
    };
    let (left, right) = node.sorted.into_iter().map(|rows| rows.into_iter().partition(goes_left)).unzip();
    let (left_side, right_side) = node.sides[split.feature].split(split.at);
    let with = |sorted: Vec<Vec<u32>>, side: Side| {
        let mut sides = node.sides.clone();
        sides[split.feature] = side;
        Node { sorted, sides, depth: node.depth + 1 }
    };
    (with(left, left_side), with(right, right_side))
}
