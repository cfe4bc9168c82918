//! Growing one tree.

use super::bins::{BINS, Binned, MISSING};
use super::tree::Tree;
use crate::base::RandomStream;

/// A drawn row: which, its label, and its weight times how often it was drawn.
#[derive(Clone, Copy)]
pub(super) struct Draw {
    pub row: u32,
    pub label: f32,
    pub weight: f64,
}

/// When a node stays a leaf, and how many features a node looks at.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub max_depth: usize,
    /// Smallest total weight of a child.
    pub min_leaf: f64,
    pub features_per_node: usize,
}

/// A tree, and the fall in weighted variance of the label that each feature brought.
pub(super) struct Grown {
    pub tree: Tree,
    pub gain: Vec<f64>,
}

/// Below this many rows a histogram is mostly empty, and its filled bins are worth remembering.
const SPARSE: usize = 512;

/// Weight and weight of class 1.
#[derive(Clone, Copy, Default)]
struct Mass {
    weight: f64,
    ones: f64,
}

impl Mass {
    fn add(&mut self, other: Self) {
        self.weight += other.weight;
        self.ones += other.ones;
    }

    fn minus(self, other: Self) -> Self {
        Self { weight: self.weight - other.weight, ones: self.ones - other.ones }
    }

    /// Squared total over weight: up to a constant, minus the weighted variance of the label.
    fn score(self) -> f64 {
        self.ones * self.ones / self.weight
    }
}

#[derive(Clone, Copy)]
struct Cut {
    feature: usize,
    /// Last bin of the left side.
    bin: usize,
    missing_left: bool,
    gain: f64,
}

/// A node still to be grown: its rows are `draws[start..end]`.
struct Pending {
    /// The split whose right child this is, for all but left children and the root.
    right_of: Option<usize>,
    start: usize,
    end: usize,
    depth: usize,
}

/// Grows a tree, depth first, left before right. `draws` must be in row order; it is reordered.
pub(super) fn grow(binned: &Binned, draws: &mut [Draw], limits: Limits, stream: &mut RandomStream) -> Grown {
    let mut grown = Grown { tree: Tree::empty(), gain: vec![0.0; binned.columns()] };
    let mut search = Search::new(binned, limits);
    let mut scratch = Vec::with_capacity(draws.len());
    let mut open = vec![Pending { right_of: None, start: 0, end: draws.len(), depth: 0 }];
    while let Some(Pending { right_of, start, end, depth }) = open.pop() {
        let rows = &mut draws[start..end];
        let total = mass_of(rows);
        let node = grown.tree.push_leaf((total.ones / total.weight).clamp(0.0, 1.0));
        if let Some(parent) = right_of {
            grown.tree.set_right(parent, node);
        }
        if depth >= limits.max_depth {
            continue;
        }
        let Some(cut) = search.best(rows, total, stream) else { continue };
        let threshold = binned.threshold(cut.feature, cut.bin);
        grown.tree.split(node, cut.feature, threshold, cut.missing_left);
        grown.gain[cut.feature] += cut.gain;
        let middle = start + partition(rows, binned.column(cut.feature), cut, &mut scratch);
        open.push(Pending { right_of: Some(node), start: middle, end, depth: depth + 1 });
        open.push(Pending { right_of: None, start, end: middle, depth: depth + 1 });
    }
    grown
}

fn mass_of(rows: &[Draw]) -> Mass {
    let mut total = Mass::default();
    for draw in rows {
        total.add(Mass { weight: draw.weight, ones: draw.weight * f64::from(draw.label) });
    }
    total
}

/// Moves the rows of the left side to the front, both sides in row order; gives the size of the left side.
fn partition(rows: &mut [Draw], bins: &[u8], cut: Cut, scratch: &mut Vec<Draw>) -> usize {
    scratch.clear();
    let mut left = 0;
    for i in 0..rows.len() {
        let draw = rows[i];
        let bin = bins[draw.row as usize];
        if if bin == MISSING { cut.missing_left } else { usize::from(bin) <= cut.bin } {
            rows[left] = draw;
            left += 1;
        } else {
            scratch.push(draw);
        }
    }
    rows[left..].copy_from_slice(scratch);
    left
}

/// Looks for the best cut of a node; its buffers are reused from node to node.
struct Search<'a> {
    binned: &'a Binned,
    limits: Limits,
    order: Vec<usize>,
    histogram: Box<[Mass; BINS]>,
    filled: Vec<u8>,
}

impl<'a> Search<'a> {
    fn new(binned: &'a Binned, limits: Limits) -> Self {
        Self {
            binned,
            limits,
            order: (0..binned.columns()).collect(),
            histogram: Box::new([Mass::default(); BINS]),
            filled: Vec::with_capacity(BINS),
        }
    }

    /// The best cut over a random choice of features, or `None` for a node that must stay a leaf.
    ///
    /// The choice goes on past `features_per_node` until one feature can be cut, so that constant columns do not starve
    /// a node.
    fn best(&mut self, rows: &[Draw], total: Mass, stream: &mut RandomStream) -> Option<Cut> {
        let is_pure = total.ones <= 0.0 || total.ones >= total.weight;
        if is_pure || total.weight < 2.0 * self.limits.min_leaf {
            return None;
        }
        let mut best: Option<Cut> = None;
        for tried in 0..self.order.len() {
            if tried >= self.limits.features_per_node && best.is_some() {
                break;
            }
            let pick = tried + stream.below(self.order.len() - tried);
            self.order.swap(tried, pick);
            let feature = self.order[tried];
            self.fill(feature, rows);
            let found = self.best_of_feature(feature, total);
            if let Some(cut) = found.filter(|cut| best.is_none_or(|best| cut.gain > best.gain)) {
                best = Some(cut);
            }
        }
        best
    }

    /// Fills the histogram of a feature and lists its filled bins in order.
    fn fill(&mut self, feature: usize, rows: &[Draw]) {
        let bins = self.binned.column(feature);
        // only the bins of the last feature can be dirty
        for &bin in &self.filled {
            self.histogram[usize::from(bin)] = Mass::default();
        }
        self.filled.clear();
        let histogram = &mut *self.histogram;
        if rows.len() < SPARSE {
            let mut seen = [0_u64; BINS / 64];
            for draw in rows {
                let bin = bins[draw.row as usize];
                seen[usize::from(bin >> 6)] |= 1 << (bin & 63);
                histogram[usize::from(bin)]
                    .add(Mass { weight: draw.weight, ones: draw.weight * f64::from(draw.label) });
            }
            for (word, &bits) in seen.iter().enumerate() {
                let mut bits = bits;
                while bits != 0 {
                    self.filled.push((word * 64) as u8 + bits.trailing_zeros() as u8);
                    bits &= bits - 1;
                }
            }
        } else {
            for draw in rows {
                let bin = bins[draw.row as usize];
                histogram[usize::from(bin)]
                    .add(Mass { weight: draw.weight, ones: draw.weight * f64::from(draw.label) });
            }
            self.filled.extend((0..=MISSING).filter(|&bin| histogram[usize::from(bin)].weight > 0.0));
        }
    }

    fn best_of_feature(&self, feature: usize, total: Mass) -> Option<Cut> {
        let missing = self.histogram[usize::from(MISSING)];
        let has_missing = missing.weight > 0.0;
        let parent = total.score();
        let mut best: Option<Cut> = None;
        let mut consider = |bin: usize, left: Mass, missing_left: bool| {
            let right = total.minus(left);
            if left.weight < self.limits.min_leaf || right.weight < self.limits.min_leaf {
                return;
            }
            let gain = left.score() + right.score() - parent;
            // differences below this are rounding, whatever the scale of the weights
            if gain > 1e-12 * total.weight && best.is_none_or(|best| gain > best.gain) {
                best = Some(Cut { feature, bin, missing_left, gain });
            }
        };
        let mut left = Mass::default();
        let mut previous: Option<usize> = None;
        for bin in self.filled.iter().filter(|&&bin| bin != MISSING).map(|&bin| usize::from(bin)) {
            if let Some(previous) = previous {
                // halfway into the empty bins between two filled ones
                let middle = (previous + bin - 1) / 2;
                if has_missing {
                    consider(middle, left, false);
                    let mut with_missing = left;
                    with_missing.add(missing);
                    consider(middle, with_missing, true);
                } else {
                    // what was never missing here goes where most rows go
                    consider(middle, left, left.weight * 2.0 >= total.weight);
                }
            }
            left.add(self.histogram[bin]);
            previous = Some(bin);
        }
        if has_missing && previous.is_some() {
            consider(usize::from(MISSING), left, false);
        }
        best
    }
}
