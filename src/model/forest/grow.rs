//! Growing one tree.

use super::bins::{BINS, Binned, MISSING};
use super::config::Cuts;
use super::draw::Target;
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
    pub cuts: Cuts,
}

/// A tree, and the fall in weighted variance of the label that each feature brought.
pub(super) struct Grown {
    pub tree: Tree,
    pub gain: Vec<f64>,
}

/// Below this many rows a histogram is mostly empty, and its filled bins are worth remembering.
const SPARSE: usize = 512;

/// Weight, and weighted sum of labels: of classes the weight of class 1.
#[derive(Clone, Copy, Default)]
struct Mass {
    weight: f64,
    labels: f64,
}

impl Mass {
    fn add(&mut self, other: Self) {
        self.weight += other.weight;
        self.labels += other.labels;
    }

    fn minus(self, other: Self) -> Self {
        Self { weight: self.weight - other.weight, labels: self.labels - other.labels }
    }

    /// Squared total over weight: up to a constant, minus the weighted variance of the label.
    fn score(self) -> f64 {
        self.labels * self.labels / self.weight
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
pub(super) fn grow(
    binned: &Binned,
    draws: &mut [Draw],
    limits: Limits,
    target: Target,
    stream: &mut RandomStream,
) -> Grown {
    let mut grown = Grown { tree: Tree::empty(), gain: vec![0.0; binned.columns()] };
    let mut search = Search::new(binned, limits);
    let mut scratch = Vec::with_capacity(draws.len());
    let mut open = vec![Pending { right_of: None, start: 0, end: draws.len(), depth: 0 }];
    while let Some(Pending { right_of, start, end, depth }) = open.pop() {
        let rows = &mut draws[start..end];
        let total = mass_of(rows);
        let node = grown.tree.push_leaf(target.prediction(total.labels / total.weight));
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

/// Says whether all labels are equal, so that no cut can gain.
fn is_pure(rows: &[Draw]) -> bool {
    rows.iter().all(|draw| draw.label == rows[0].label)
}

fn mass_of(rows: &[Draw]) -> Mass {
    let mut total = Mass::default();
    for draw in rows {
        total.add(Mass { weight: draw.weight, labels: draw.weight * f64::from(draw.label) });
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
    /// a node; of random cuts, until as many features were not constant, whether their one cut would do or not.
    fn best(&mut self, rows: &[Draw], total: Mass, stream: &mut RandomStream) -> Option<Cut> {
        if total.weight < 2.0 * self.limits.min_leaf || is_pure(rows) {
            return None;
        }
        let mut best: Option<Cut> = None;
        let mut varied = 0;
        for tried in 0..self.order.len() {
            let is_enough =
                best.is_some() || (self.limits.cuts == Cuts::Random && varied >= self.limits.features_per_node);
            if tried >= self.limits.features_per_node && is_enough {
                break;
            }
            let pick = tried + stream.below(self.order.len() - tried);
            self.order.swap(tried, pick);
            let feature = self.order[tried];
            self.fill(feature, rows);
            varied += usize::from(self.filled.len() > 1);
            let found = match self.limits.cuts {
                Cuts::Best => self.best_of_feature(feature, total),
                Cuts::Random => self.random_of_feature(feature, total, stream),
            };
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
                    .add(Mass { weight: draw.weight, labels: draw.weight * f64::from(draw.label) });
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
                    .add(Mass { weight: draw.weight, labels: draw.weight * f64::from(draw.label) });
            }
            self.filled.extend((0..=MISSING).filter(|&bin| histogram[usize::from(bin)].weight > 0.0));
        }
    }

    /// The cut of a feature that gains most.
    fn best_of_feature(&self, feature: usize, total: Mass) -> Option<Cut> {
        let missing = self.histogram[usize::from(MISSING)];
        let mut found = Found::new(feature, total, self.limits.min_leaf);
        let mut left = Mass::default();
        let mut previous: Option<usize> = None;
        for bin in self.filled.iter().filter(|&&bin| bin != MISSING).map(|&bin| usize::from(bin)) {
            if let Some(previous) = previous {
                // halfway into the empty bins between two filled ones
                found.consider_sides((previous + bin - 1) / 2, left, missing);
            }
            left.add(self.histogram[bin]);
            previous = Some(bin);
        }
        if missing.weight > 0.0 && previous.is_some() {
            found.consider(usize::from(MISSING), left, false);
        }
        found.best
    }

    /// A cut at a point drawn between the lowest and the highest value, the better side of it for missing values; or the
    /// cut between missing and present where all present values are in one bin.
    fn random_of_feature(&self, feature: usize, total: Mass, stream: &mut RandomStream) -> Option<Cut> {
        let missing = self.histogram[usize::from(MISSING)];
        let present = self.filled.strip_suffix(&[MISSING]).unwrap_or(&self.filled);
        let (lowest, highest) = (usize::from(*present.first()?), usize::from(*present.last()?));
        let mut found = Found::new(feature, total, self.limits.min_leaf);
        if lowest < highest {
            let bin = self.binned.draw_cut(feature, lowest, highest, stream);
            let mut left = Mass::default();
            present.iter().take_while(|&&it| usize::from(it) <= bin).for_each(|&it| {
                left.add(self.histogram[usize::from(it)]);
            });
            found.consider_sides(bin, left, missing);
        } else if missing.weight > 0.0 {
            found.consider(usize::from(MISSING), self.histogram[lowest], false);
        }
        found.best
    }
}

/// The best cut of a feature so far.
struct Found {
    feature: usize,
    total: Mass,
    min_leaf: f64,
    /// Score of the node uncut.
    uncut: f64,
    best: Option<Cut>,
}

impl Found {
    fn new(feature: usize, total: Mass, min_leaf: f64) -> Self {
        Self { feature, total, min_leaf, uncut: total.score(), best: None }
    }

    /// Considers missing values on both sides of a cut, where there are any.
    fn consider_sides(&mut self, bin: usize, left: Mass, missing: Mass) {
        if missing.weight > 0.0 {
            self.consider(bin, left, false);
            let mut with_missing = left;
            with_missing.add(missing);
            self.consider(bin, with_missing, true);
        } else {
            // what was never missing here goes where most rows go
            self.consider(bin, left, left.weight * 2.0 >= self.total.weight);
        }
    }

    fn consider(&mut self, bin: usize, left: Mass, missing_left: bool) {
        let right = self.total.minus(left);
        if left.weight < self.min_leaf || right.weight < self.min_leaf {
            return;
        }
        let gain = left.score() + right.score() - self.uncut;
        // differences below this are rounding, whatever the scale of the weights
        if gain > 1e-12 * self.total.weight && self.best.is_none_or(|best| gain > best.gain) {
            self.best = Some(Cut { feature: self.feature, bin, missing_left, gain });
        }
    }
}
