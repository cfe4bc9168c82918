//! A Parzen mixture: one product of kernels per observation, and a wide prior.
//!
//! A candidate's log density is log-sum-exp over the kernels of (log weight + sum over axes of the log kernel). The
//! constants of the truncated normals are added to the log weights once, so that a continuous axis costs two multiplies
//! and two subtractions per (candidate, kernel), a discrete axis one look-up, and all axes together one `exp`.
//!
//! Densities are relative: a continuous axis is measured in units of its range, and factors of `sqrt(2 pi)`, which are
//! the same in every mixture over the same axes, are left out.
//!
//! # References
//! Bergstra, Bardenet, Bengio and Kegl (2011), "Algorithms for hyper-parameter optimization"; Watanabe (2023),
//! "Tree-structured Parzen estimator: understanding its algorithm components and their roles".

use crate::base::RandomStream;

use super::super::space::Axis;
use super::exponential::{exp_below_zero, larger};

/// A cell mass below the smallest double counts as this much.
const LEAST_MASS: f64 = 1e-300;

/// One axis of the mixture.
#[derive(Debug)]
struct Kernels {
    axis: Axis,
    shape: Shape,
}

#[derive(Debug)]
enum Shape {
    /// Normals truncated to the ends of the scale: centres and reciprocal widths.
    Normal { centres: Vec<f64>, rates: Vec<f64> },
    /// Cell masses of truncated normals, each with its mass between the ends; equal kernels share a row of `distinct`.
    Grid { distinct: Vec<(Bell, f64)>, which: Vec<u32> },
    /// The observed choice of each kernel (`None` for the prior) and the smoothed probabilities of it and of others.
    Choice { observed: Vec<Option<u32>>, hit: f64, miss: f64, prior: f64 },
}

/// A normal truncated to the ends of a scale.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bell {
    centre: f64,
    width: f64,
}

/// How far kernels reach beyond what was observed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Smoothness {
    /// Mass that the choices of a kernel share, in units of 1 / kernels.
    pub choices: f64,
    /// What the least width of a kernel is multiplied by.
    pub narrowing: f64,
}

/// A weighted mixture of products of kernels over the axes of one group; the last kernel is the prior.
#[derive(Debug)]
pub(super) struct Mixture {
    /// Cumulated weights, for drawing.
    cumulated: Vec<f64>,
    /// Log weights plus the constants of the truncated normals.
    constants: Vec<f64>,
    kernels: Vec<Kernels>,
}

impl Mixture {
    /// Builds the mixture of some rows of coordinates (one per axis), with a weight each and one for the prior.
    pub(super) fn new(
        axes: &[&Axis],
        rows: &[Vec<f64>],
        weights: &[f64],
        prior_weight: f64,
        smoothness: Smoothness,
    ) -> Self {
        let total: f64 = weights.iter().sum::<f64>() + prior_weight;
        let all = || weights.iter().copied().chain([prior_weight]).map(|weight| weight / total);
        let mut sum = 0.0;
        let cumulated = all()
            .map(|weight| {
                sum += weight;
                sum
            })
            .collect();
        let mut scales: Vec<f64> = all().collect();
        let mut column = Vec::with_capacity(rows.len());
        let kernels = axes
            .iter()
            .enumerate()
            .map(|(position, axis)| {
                column.clear();
                column.extend(rows.iter().map(|row| row[position]));
                let shape = match axis {
                    Axis::Choice { choices } => choice_shape(&column, *choices, smoothness.choices),
                    Axis::Grid { .. } => grid_shape(axis, &column, smoothness.narrowing),
                    Axis::Continuous { .. } => normal_shape(axis, &column, smoothness.narrowing, &mut scales),
                };
                Kernels { axis: (*axis).clone(), shape }
            })
            .collect();
        // one logarithm for the weight and all axes of a kernel
        let constants = scales.into_iter().map(|scale| libm::log(scale.max(f64::MIN_POSITIVE))).collect();
        Self { cumulated, constants, kernels }
    }

    /// Draws a row of coordinates.
    pub(super) fn draw(&self, stream: &mut RandomStream) -> Vec<f64> {
        let share = stream.uniform();
        let last = self.cumulated.len() - 1;
        let kernel = self.cumulated.partition_point(|&sum| sum <= share).min(last);
        self.kernels.iter().map(|axis| axis.draw(kernel, stream)).collect()
    }

    /// The log density of each candidate row.
    pub(super) fn log_densities(&self, candidates: &[Vec<f64>]) -> Vec<f64> {
        let tables: Vec<Table> = (0..self.kernels.len()).map(|axis| self.table(axis, candidates)).collect();
        let mut terms = vec![0.0; self.constants.len()];
        let mut densities = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            terms.copy_from_slice(&self.constants);
            for ((kernels, table), &coordinate) in self.kernels.iter().zip(&tables).zip(candidate) {
                match &kernels.shape {
                    Shape::Normal { centres, rates } => subtract_squares(&mut terms, centres, rates, coordinate),
                    _ => add(&mut terms, table.column(coordinate)),
                }
            }
            densities.push(log_sum_exp(&terms));
        }
        densities
    }

    /// The log kernels of a discrete axis at every cell that some candidate has.
    fn table(&self, axis: usize, candidates: &[Vec<f64>]) -> Table {
        let kernels = &self.kernels[axis];
        if matches!(kernels.shape, Shape::Normal { .. }) {
            return Table::default();
        }
        let mut cells: Vec<u64> = candidates.iter().map(|candidate| candidate[axis] as u64).collect();
        cells.sort_unstable();
        cells.dedup();
        let columns = cells.iter().map(|&cell| kernels.log_masses(cell as f64)).collect();
        Table { cells, columns }
    }
}

/// Log kernels by cell.
#[derive(Debug, Default)]
struct Table {
    cells: Vec<u64>,
    columns: Vec<Vec<f64>>,
}

impl Table {
    fn column(&self, coordinate: f64) -> &[f64] {
        self.cells.binary_search(&(coordinate as u64)).map_or(&[], |place| &self.columns[place])
    }
}

impl Kernels {
    fn draw(&self, kernel: usize, stream: &mut RandomStream) -> f64 {
        match &self.shape {
            Shape::Normal { centres, rates } => {
                let bell = Bell { centre: centres[kernel], width: std::f64::consts::FRAC_1_SQRT_2 / rates[kernel] };
                bell.draw(self.axis.ends(), stream)
            }
            Shape::Grid { distinct, which } => {
                let place = distinct[which[kernel] as usize].0.draw(self.axis.ends(), stream);
                self.axis.coordinate(place)
            }
            Shape::Choice { observed, hit, miss, .. } => {
                let choices = self.axis.cells().unwrap_or(1);
                let Some(own) = observed[kernel] else { return stream.below(choices as usize) as f64 };
                let share = stream.uniform();
                if choices == 1 || share < *hit {
                    return f64::from(own);
                }
                // the other choices in order, with `own` left out
                let other = (((share - hit) / miss) as u64).min(choices - 2);
                (other + u64::from(other >= u64::from(own))) as f64
            }
        }
    }

    /// The log mass of a cell under every kernel.
    fn log_masses(&self, cell: f64) -> Vec<f64> {
        match &self.shape {
            Shape::Normal { .. } => Vec::new(),
            Shape::Grid { distinct, which } => {
                let (low, high) = (self.axis.lower_edge(cell), self.axis.lower_edge(cell + 1.0));
                let mass = |(bell, inside): &(Bell, f64)| libm::log((bell.mass(low, high) / inside).max(LEAST_MASS));
                let masses: Vec<f64> = distinct.iter().map(mass).collect();
                which.iter().map(|&row| masses[row as usize]).collect()
            }
            Shape::Choice { observed, hit, miss, prior } => {
                let (hit, miss, prior) = (libm::log(*hit), libm::log(*miss), libm::log(*prior));
                let mass = |own: &Option<u32>| match own {
                    Some(own) if f64::from(*own) == cell => hit,
                    Some(_) => miss,
                    None => prior,
                };
                observed.iter().map(mass).collect()
            }
        }
    }
}

impl Bell {
    /// Rejection from the untruncated normal: the centre lies inside and the width is at most the range, so that at
    /// least a third of the draws are kept.
    fn draw(self, (low, high): (f64, f64), stream: &mut RandomStream) -> f64 {
        loop {
            let place = self.centre + self.width * stream.normal();
            if (low..=high).contains(&place) {
                return place;
            }
        }
    }

    fn mass(self, low: f64, high: f64) -> f64 {
        normal_mass((low - self.centre) / self.width, (high - self.centre) / self.width)
    }

    /// The mass between the ends; with nine widths on both sides it is 1 to the last bit.
    fn truncation_mass(self, (low, high): (f64, f64)) -> f64 {
        let far = 9.0 * self.width;
        if self.centre - low > far && high - self.centre > far { 1.0 } else { self.mass(low, high) }
    }
}

/// Probability of a standard normal in `[low, high]`, without cancellation in either tail.
fn normal_mass(low: f64, high: f64) -> f64 {
    let below = |z: f64| 0.5 * libm::erfc(-z * std::f64::consts::FRAC_1_SQRT_2);
    if low > 0.0 { below(-low) - below(-high) } else { below(high) - below(low) }
}

/// Centres and widths of the kernels of one ordered axis, the prior last, and the order of the centres.
///
/// A kernel is as wide as the larger gap to its neighbours, among which is the prior's centre; the outermost have one
/// gap only. Widths are kept within `[narrowing * range / min(100, 1 + K), range]` for K kernels, the prior included.
fn bells(axis: &Axis, column: &[f64], narrowing: f64) -> (Vec<Bell>, Vec<usize>) {
    let (low, high) = axis.ends();
    let (range, middle) = (high - low, 0.5 * (low + high));
    // sorted together with their kernels: comparing in place is twice as fast as through an index
    let places = column.iter().map(|&coordinate| axis.place(coordinate)).chain([middle]);
    let mut sorted: Vec<(f64, u32)> = places.zip(0..).collect();
    sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let kernels = sorted.len();
    let narrowest = narrowing * range / (1.0 + kernels as f64).min(100.0);
    let mut bells = vec![Bell { centre: middle, width: range }; kernels];
    for (place, &(centre, kernel)) in sorted.iter().enumerate() {
        let before = place.checked_sub(1).map(|place| centre - sorted[place].0);
        let after = sorted.get(place + 1).map(|next| next.0 - centre);
        let gap = match (before, after) {
            (Some(before), Some(after)) => before.max(after),
            (Some(gap), None) | (None, Some(gap)) => gap,
            (None, None) => range,
        };
        if (kernel as usize) < column.len() {
            bells[kernel as usize] = Bell { centre, width: gap.clamp(narrowest, range) };
        }
    }
    (bells, sorted.into_iter().map(|(_, kernel)| kernel as usize).collect())
}

fn normal_shape(axis: &Axis, column: &[f64], narrowing: f64, scales: &mut [f64]) -> Shape {
    let ends = axis.ends();
    let (bells, _) = bells(axis, column, narrowing);
    for (scale, bell) in scales.iter_mut().zip(&bells) {
        *scale *= (ends.1 - ends.0) / (bell.width * bell.truncation_mass(ends));
    }
    Shape::Normal {
        centres: bells.iter().map(|bell| bell.centre).collect(),
        rates: bells.iter().map(|bell| std::f64::consts::FRAC_1_SQRT_2 / bell.width).collect(),
    }
}

fn grid_shape(axis: &Axis, column: &[f64], narrowing: f64) -> Shape {
    let (bells, order) = bells(axis, column, narrowing);
    let mut distinct: Vec<(Bell, f64)> = Vec::new();
    let mut which = vec![0; bells.len()];
    for kernel in order {
        let bell = bells[kernel];
        if distinct.last().is_none_or(|(last, _)| *last != bell) {
            distinct.push((bell, bell.truncation_mass(axis.ends())));
        }
        which[kernel] = (distinct.len() - 1) as u32;
    }
    Shape::Grid { distinct, which }
}

/// Every choice gets `smoothing / K` of a kernel's mass besides the observed one's 1.
fn choice_shape(column: &[f64], choices: u64, smoothing: f64) -> Shape {
    let kernels = (column.len() + 1) as f64;
    let spread = smoothing / kernels;
    let total = 1.0 + choices as f64 * spread;
    let observed = column.iter().map(|&choice| Some(choice as u32)).chain([None]).collect();
    Shape::Choice { observed, hit: (1.0 + spread) / total, miss: spread / total, prior: 1.0 / choices as f64 }
}

fn subtract_squares(terms: &mut [f64], centres: &[f64], rates: &[f64], coordinate: f64) {
    for ((term, centre), rate) in terms.iter_mut().zip(centres).zip(rates) {
        let scaled = (coordinate - centre) * rate;
        *term -= scaled * scaled;
    }
}

fn add(terms: &mut [f64], column: &[f64]) {
    for (term, log_mass) in terms.iter_mut().zip(column) {
        *term += log_mass;
    }
}

fn log_sum_exp(terms: &[f64]) -> f64 {
    // eight running results in a fixed order: no chain of dependent operations, and room for vector registers
    let eights = terms.chunks_exact(8);
    let mut largest = [f64::NEG_INFINITY; 8];
    for eight in eights.clone() {
        for (largest, &term) in largest.iter_mut().zip(eight) {
            *largest = larger(*largest, term);
        }
    }
    let largest = largest.iter().chain(eights.remainder()).fold(f64::NEG_INFINITY, |a, &b| larger(a, b));
    let mut sums = [0.0; 8];
    let rest: f64 = eights.remainder().iter().map(|term| exp_below_zero(term - largest)).sum();
    for eight in eights {
        for (sum, term) in sums.iter_mut().zip(eight) {
            *sum += exp_below_zero(term - largest);
        }
    }
    largest + libm::log(sums.iter().sum::<f64>() + rest)
}
