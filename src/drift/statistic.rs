//! A column made ready for thousands of permutations: sorted once, then split again and again.

use super::config::DriftStatistic;
use crate::stats::order::midranks;
use crate::stats::sum::sum;
use crate::stats::two_sample::{QuantileBins, hellinger_distance, jensen_shannon_distance, population_stability_index};

/// Values that a category must be expected to have in the current window to stand for itself: below, chi-square no longer
/// measures what happened but who was rare.
const FEWEST_EXPECTED: f64 = 5.0;

/// The values of one column over both windows, in ascending order, with the time stamp each belongs to.
#[derive(Clone, Debug)]
pub(super) struct SortedColumn {
    values: Vec<f64>,
    stamps: Vec<u32>,
    /// One past the last position of each group of equal values; empty when all values differ.
    group_ends: Vec<usize>,
    /// Midrank of each position; only Cramer-von Mises needs them.
    ranks: Vec<f64>,
    /// Values present in each stamp.
    present: Vec<u32>,
    /// Rows in each stamp, missing ones too.
    rows: Vec<u32>,
    /// The cell of each group of equal values, and how many values each cell has; only chi-square needs them.
    cells: Vec<Cell>,
    cell_totals: Vec<f64>,
}

/// One category in the order of its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    /// One past its last position.
    end: usize,
    /// The cell that its values are counted in: its own, or that of all rare ones.
    index: usize,
}

/// Numbers of values on the two sides of a split.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct SplitSize {
    pub(super) reference: usize,
    pub(super) current: usize,
}

impl SortedColumn {
    /// Sorts the pooled values (NaN = missing) of a column over `stamps` stamps.
    pub(super) fn new(pooled: &[f64], stamp_of_row: &[u32], stamps: usize, statistic: DriftStatistic) -> Self {
        let mut order: Vec<usize> = (0..pooled.len()).filter(|&row| !pooled[row].is_nan()).collect();
        order.sort_by(|&a, &b| pooled[a].total_cmp(&pooled[b]));
        // -0 and 0 are one value
        let values: Vec<f64> = order.iter().map(|&row| pooled[row] + 0.0).collect();
        let mut group_ends: Vec<usize> =
            (1..=values.len()).filter(|&i| i == values.len() || values[i] != values[i - 1]).collect();
        if group_ends.len() == values.len() {
            group_ends.clear();
        }
        let ranks = if statistic == DriftStatistic::CramerVonMises { midranks(&values) } else { Vec::new() };
        let (mut present, mut rows) = (vec![0; stamps], vec![0; stamps]);
        for (&stamp, value) in stamp_of_row.iter().zip(pooled) {
            rows[stamp as usize] += 1;
            present[stamp as usize] += u32::from(!value.is_nan());
        }
        let stamps = order.iter().map(|&row| stamp_of_row[row]).collect();
        Self { values, stamps, group_ends, ranks, present, rows, cells: Vec::new(), cell_totals: Vec::new() }
    }

    /// Puts the categories of which a window with `share` of the values is expected to hold fewer than five into one cell.
    /// The pooled counts decide, so that every split has the same cells.
    pub(super) fn with_cells(mut self, share: f64) -> Self {
        // the first cell is that of the rare, whether there are any or not
        self.cell_totals = vec![0.0];
        let mut end = 0;
        for group in self.values.chunk_by(|a, b| a == b) {
            let mut index = 0;
            if group.len() as f64 * share >= FEWEST_EXPECTED {
                index = self.cell_totals.len();
                self.cell_totals.push(0.0);
            }
            self.cell_totals[index] += group.len() as f64;
            end += group.len();
            self.cells.push(Cell { end, index });
        }
        self
    }

    /// Number of distinct values that share the cell of the rare.
    pub(super) fn rare_categories(&self) -> usize {
        self.cells.iter().filter(|cell| cell.index == 0).count()
    }

    /// The same values at the places in time of a simulated series: its smallest value gets our smallest, and so on.
    pub(super) fn reordered(&self, stamps: Vec<u32>) -> Self {
        Self { stamps, ..self.clone() }
    }

    /// Stamps of the values, in ascending order of value.
    pub(super) fn stamps(&self) -> &[u32] {
        &self.stamps
    }

    /// The values in ascending order.
    pub(super) fn values(&self) -> &[f64] {
        &self.values
    }

    /// Number of values.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// Says whether some rows are missing and some are not.
    pub(super) fn is_partly_missing(&self) -> bool {
        self.values.len() != self.row_count() && !self.values.is_empty()
    }

    fn row_count(&self) -> usize {
        self.rows.iter().map(|&rows| rows as usize).sum()
    }

    pub(super) fn split_size(&self, marks: &[u8]) -> SplitSize {
        let current = weigh(&self.present, marks);
        SplitSize { reference: self.values.len() - current, current }
    }

    /// Time stamps of the current side that hold a value.
    pub(super) fn current_stamps(&self, marks: &[u8]) -> usize {
        self.present.iter().zip(marks).filter(|&(&present, &mark)| present > 0 && mark == 1).count()
    }

    /// Missing share of the reference and the current side; `None` for a side without rows.
    pub(super) fn missing_shares(&self, marks: &[u8]) -> (Option<f64>, Option<f64>) {
        let size = self.split_size(marks);
        let current = weigh(&self.rows, marks);
        let share = |rows: usize, present: usize| (rows > 0).then(|| 1.0 - present as f64 / rows as f64);
        (share(self.row_count() - current, size.reference), share(current, size.current))
    }

    /// The distance between the two sides of a split; `None` when a side has no values.
    ///
    /// Wasserstein is in units of the data here: a common divisor changes no p-value.
    pub(super) fn distance(&self, statistic: DriftStatistic, marks: &[u8]) -> Option<f64> {
        let size = self.split_size(marks);
        if size.reference == 0 || size.current == 0 {
            return None;
        }
        match statistic {
            DriftStatistic::Ks | DriftStatistic::Combined => Some(self.kolmogorov_smirnov(marks, size)),
            DriftStatistic::Chi2 => Some(self.chi_square(marks, size)),
            DriftStatistic::CramerVonMises => Some(self.cramer_von_mises(marks, size)),
            DriftStatistic::Wasserstein => Some(self.wasserstein(marks, size)),
            DriftStatistic::Psi => self.histograms(marks).map(|(p, q)| population_stability_index(&p, &q)),
            DriftStatistic::JensenShannon => self.histograms(marks).and_then(|(p, q)| jensen_shannon_distance(&p, &q)),
            DriftStatistic::Hellinger => self.histograms(marks).and_then(|(p, q)| hellinger_distance(&p, &q)),
        }
    }

    /// Pearson's statistic of the two rows of counts, written by the current row alone: the other follows from the totals.
    fn chi_square(&self, marks: &[u8], size: SplitSize) -> f64 {
        let mut current = vec![0.0; self.cell_totals.len()];
        let mut start = 0;
        for cell in &self.cells {
            let held: usize =
                self.stamps[start..cell.end].iter().map(|&stamp| usize::from(marks[stamp as usize] == 1)).sum();
            current[cell.index] += held as f64;
            start = cell.end;
        }
        let (n, m) = (size.reference as f64, size.current as f64);
        let share = m / (n + m);
        let terms = current.iter().zip(&self.cell_totals).filter(|(_, total)| **total > 0.0).map(|(held, total)| {
            let excess = held - total * share;
            excess * excess / total
        });
        sum(terms) / (share * (1.0 - share))
    }

    /// The gap of the distribution functions times `n_reference n_current` is a whole number that moves by
    /// `n_reference` at a current value and by `-n_current` at a reference value: one integer addition per value.
    fn kolmogorov_smirnov(&self, marks: &[u8], size: SplitSize) -> f64 {
        let (total, current) = (self.values.len() as i64, size.current as i64);
        let step = |stamp: u32| i64::from(marks[stamp as usize]) * total - current;
        let (mut gap, mut lowest, mut highest) = (0_i64, 0_i64, 0_i64);
        if self.group_ends.is_empty() {
            for &stamp in &self.stamps {
                gap += step(stamp);
                lowest = lowest.min(gap);
                highest = highest.max(gap);
            }
        } else {
            let mut start = 0;
            for &end in &self.group_ends {
                gap += self.stamps[start..end].iter().map(|&stamp| step(stamp)).sum::<i64>();
                lowest = lowest.min(gap);
                highest = highest.max(gap);
                start = end;
            }
        }
        highest.max(-lowest) as f64 / (size.reference as f64 * size.current as f64)
    }

    fn wasserstein(&self, marks: &[u8], size: SplitSize) -> f64 {
        let (total, current) = (self.values.len() as i64, size.current as i64);
        let mut gap = 0_i64;
        let mut area = 0.0;
        for (position, pair) in self.values.windows(2).enumerate() {
            gap += i64::from(marks[self.stamps[position] as usize]) * total - current;
            area += gap.unsigned_abs() as f64 * (pair[1] - pair[0]);
        }
        area / (size.reference as f64 * size.current as f64)
    }

    fn cramer_von_mises(&self, marks: &[u8], size: SplitSize) -> f64 {
        let (n, m) = (size.reference as f64, size.current as f64);
        let mut seen = [0.0_f64; 2];
        let mut spread = [0.0_f64; 2];
        for (&stamp, rank) in self.stamps.iter().zip(&self.ranks) {
            let side = usize::from(marks[stamp as usize] == 1);
            seen[side] += 1.0;
            let excess = rank - seen[side];
            spread[side] += excess * excess;
        }
        let u = n * spread[0] + m * spread[1];
        u / (n * m * (n + m)) - (4.0 * n * m - 1.0) / (6.0 * (n + m))
    }

    /// Counts over quantile bins of whatever side is called reference: a permuted split cuts its own bins, else the
    /// observed split alone would enjoy bins made to its measure.
    pub(super) fn histograms(&self, marks: &[u8]) -> Option<(Vec<u64>, Vec<u64>)> {
        let (reference, current) = self.sides(marks);
        let bins = QuantileBins::from_sorted(&reference, (current.len() / 10).clamp(3, 10))?;
        (!current.is_empty()).then(|| (bins.count_sorted(&reference), bins.count_sorted(&current)))
    }

    /// The ascending values of the reference and the current side.
    pub(super) fn sides(&self, marks: &[u8]) -> (Vec<f64>, Vec<f64>) {
        let size = self.split_size(marks);
        let mut reference = Vec::with_capacity(size.reference);
        let mut current = Vec::with_capacity(size.current);
        for (&stamp, &value) in self.stamps.iter().zip(&self.values) {
            if marks[stamp as usize] == 1 { current.push(value) } else { reference.push(value) }
        }
        (reference, current)
    }

    /// Root of the pooled population variance; `None` without values.
    pub(super) fn pooled_deviation(&self) -> Option<f64> {
        crate::stats::sum::std_dev(&self.values, 0)
    }
}

fn weigh(counts: &[u32], marks: &[u8]) -> usize {
    counts.iter().zip(marks).map(|(&count, &mark)| count as usize * usize::from(mark)).sum()
}

/// The dependence of a column on its past, measured on the reference window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Memory {
    /// Largest integrated autocorrelation time, in time stamps.
    pub(super) tau: f64,
    /// Factor by which the variance of a row mean exceeds that of independent rows: `tau` with one row per stamp.
    pub(super) inflation: f64,
    /// Lag-one autocorrelation of the normal scores.
    pub(super) lag_one: f64,
}

/// Adds up centred values per stamp: the influence of a stamp on a mean over rows. Missing rows add nothing, which keeps
/// the distances in time right.
pub(super) fn stamp_sums(values: &[Option<f64>], stamp_of_row: &[u32], stamps: usize) -> Vec<f64> {
    let present = values.iter().flatten().count().max(1) as f64;
    let centre = sum(values.iter().flatten().copied()) / present;
    let mut sums = vec![0.0; stamps];
    for (value, &stamp) in values.iter().zip(stamp_of_row) {
        if let Some(value) = value {
            sums[stamp as usize] += value - centre;
        }
    }
    sums
}
