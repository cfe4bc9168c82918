//! A column with everything about it that does not change from one split to the next.

use super::config::{Calibration, ColumnRules, DriftConfig, DriftStatistic};
use super::permutation::Circle;
use super::report::{CategoryReport, Shape};
use super::shift::StampSums;
use super::split::Split;
use super::statistic::{Memory, SortedColumn, stamp_sums};
use crate::stats::dependence::{autocorrelation, integrated_autocorrelation_time, normal_scores};
use crate::stats::order::quantile;
use crate::stats::sum::{std_dev, sum};
use crate::stats::two_sample::{QuantileBins, population_stability_index};

/// Quantiles of the reference whose crossings count as memory, beside the scores and their absolute values.
const CROSSINGS: [f64; 5] = [0.1, 0.25, 0.5, 0.75, 0.9];

/// Categories whose coming and going counts as memory: the rest are too rare to have one.
const CATEGORIES_WITH_MEMORY: usize = 12;

/// Bins of the picture of a column.
const PICTURE_BINS: usize = 20;

/// Both windows of a column, row by row, in one code.
#[derive(Clone, Debug)]
pub(super) struct Pooled {
    pub(super) name: String,
    /// Reference, then current; NaN = missing.
    pub(super) values: Vec<f64>,
    /// Names of the categories; none for a column of numbers.
    pub(super) categories: Vec<String>,
    pub(super) rules: ColumnRules,
}

/// The series that the statistics of a column are computed from.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) sorted: SortedColumn,
    /// Normal scores per stamp; only the combined statistic needs them.
    pub(super) level: Option<StampSums>,
    /// What of the scores the other columns do not explain, per stamp.
    pub(super) beyond_peers: Option<StampSums>,
}

/// A column ready to be split again and again.
pub(super) struct Prepared {
    pub(super) name: String,
    pub(super) rules: ColumnRules,
    pub(super) series: Series,
    /// Where the null splits come from another stretch than the data: the reference alone.
    pub(super) apart: Option<Series>,
    pub(super) memory: Memory,
    pub(super) block: usize,
    pub(super) distance: Option<f64>,
    pub(super) missing_change: Option<f64>,
    pub(super) observed: Observed,
    /// Normal scores of all rows in row order, NaN where missing.
    pub(super) scores: Vec<f64>,
}

/// What is said of the split as it was observed.
pub(super) struct Observed {
    pub(super) effect: Option<f64>,
    pub(super) statistic: Option<f64>,
    pub(super) psi: Option<f64>,
    pub(super) n_reference: usize,
    pub(super) n_current: usize,
    pub(super) reference_stamps: usize,
    pub(super) current_stamps: usize,
    pub(super) rows_per_stamp: f64,
    pub(super) deviation: Option<f64>,
    pub(super) missing: Option<(Option<f64>, Option<f64>)>,
    pub(super) categories: Option<CategoryReport>,
    pub(super) shape: Option<Shape>,
}

impl Prepared {
    pub(super) fn new(pooled: &Pooled, circle: &Circle, config: &DriftConfig) -> Self {
        let reference_rows = circle.reference_rows();
        let (statistic, marks) = (pooled.rules.statistic, circle.observed());
        let mut sorted = sort(&pooled.values, circle, statistic, circle.stamps());
        let size = sorted.split_size(&marks);
        let share = size.current as f64 / (size.current + size.reference).max(1) as f64;
        if statistic == DriftStatistic::Chi2 {
            sorted = sorted.with_cells(share);
        }
        let memory = match config.calibration {
            Calibration::Iid => Memory { tau: 1.0, inflation: 1.0, lag_one: 0.0 },
            _ => measure_memory(&pooled.values[..reference_rows], circle, statistic == DriftStatistic::Chi2),
        };
        let distance = sorted.distance(statistic, &marks);
        let missing_change = sorted.is_partly_missing().then(|| share_change(sorted.missing_shares(&marks))).flatten();
        let observed = observe(pooled, &sorted, &marks, distance, circle);
        let scores = scores_of(&pooled.values);
        let wants_level = statistic == DriftStatistic::Combined;
        let level = wants_level.then(|| StampSums::new(&scores, &circle.stamp_of_row, circle.stamps()));
        let apart = (config.calibration == Calibration::ReferenceWindows).then(|| {
            let own = sort(&pooled.values[..reference_rows], circle, statistic, circle.reference);
            let stamps = &circle.stamp_of_row[..reference_rows];
            Series {
                sorted: if statistic == DriftStatistic::Chi2 { own.with_cells(share) } else { own },
                level: wants_level.then(|| StampSums::new(&scores[..reference_rows], stamps, circle.reference)),
                beyond_peers: None,
            }
        });
        let series = Series { sorted, level, beyond_peers: None };
        let (name, rules) = (pooled.name.clone(), pooled.rules);
        Self { name, rules, series, apart, memory, block: 1, distance, missing_change, observed, scores }
    }

    /// Adds what the other columns do not explain. It may have a longer memory than the column itself: what is shared may be
    /// quick and what is its own slow.
    pub(super) fn hold_against_peers(&mut self, residual: &[f64], circle: &Circle) {
        let reference = &residual[..circle.reference_rows()];
        let known: Vec<Option<f64>> = reference.iter().map(|x| (!x.is_nan()).then_some(*x)).collect();
        let tau = integrated_autocorrelation_time(&stamp_sums(&known, &circle.stamp_of_row, circle.reference));
        self.memory.inflation *= (tau / self.memory.tau).max(1.0);
        self.memory.tau = self.memory.tau.max(tau);
        self.series.beyond_peers = Some(StampSums::new(residual, &circle.stamp_of_row, circle.stamps()));
        if let Some(apart) = &mut self.apart {
            let stamps = &circle.stamp_of_row[..reference.len()];
            apart.beyond_peers = Some(StampSums::new(reference, stamps, circle.reference));
        }
    }
}

impl Series {
    /// How many pieces of evidence there are.
    pub(super) fn pieces(&self) -> usize {
        1 + usize::from(self.level.is_some()) + usize::from(self.beyond_peers.is_some())
    }

    /// The distances of a split, in the order of [`Evidence`]: the column's own, its level, its level beyond its peers.
    pub(super) fn distances(&self, statistic: DriftStatistic, marks: &[u8], split: &Split) -> [Option<f64>; 3] {
        [
            self.sorted.distance(statistic, marks),
            self.level.as_ref().and_then(|level| level.studentised_shift(split)),
            self.beyond_peers.as_ref().and_then(|level| level.studentised_shift(split)),
        ]
    }
}

fn sort(values: &[f64], circle: &Circle, statistic: DriftStatistic, stamps: usize) -> SortedColumn {
    SortedColumn::new(values, &circle.stamp_of_row[..values.len()], stamps, statistic)
}

fn scores_of(values: &[f64]) -> Vec<f64> {
    let present: Vec<f64> = values.iter().copied().filter(|x| !x.is_nan()).collect();
    let mut scores = normal_scores(&present).into_iter();
    values.iter().map(|x| if x.is_nan() { f64::NAN } else { scores.next().unwrap_or(f64::NAN) }).collect()
}

pub(super) fn share_change(shares: (Option<f64>, Option<f64>)) -> Option<f64> {
    Some((shares.1? - shares.0?).abs())
}

fn observe(pooled: &Pooled, sorted: &SortedColumn, marks: &[u8], distance: Option<f64>, circle: &Circle) -> Observed {
    let size = sorted.split_size(marks);
    let (reference, current) = sorted.sides(marks);
    let is_numeric = pooled.rules.statistic != DriftStatistic::Chi2;
    let scale =
        std_dev(&reference, 0).filter(|sd| *sd > 0.0).or_else(|| sorted.pooled_deviation().filter(|sd| *sd > 0.0));
    let statistic = match pooled.rules.statistic {
        // a constant reference has no scale of its own; two equal constants have no distance at all
        DriftStatistic::Wasserstein => distance.map(|d| scale.map_or(0.0, |scale| d / scale)),
        _ => distance,
    };
    let effect = match pooled.rules.statistic {
        DriftStatistic::CramerVonMises => sorted.distance(DriftStatistic::Ks, marks),
        DriftStatistic::Chi2 => statistic.map(|chi2| (chi2 / sorted.len().max(1) as f64).sqrt()),
        _ => statistic,
    };
    let shares = sorted.missing_shares(marks);
    let gaps = sorted.is_partly_missing() || [shares.0, shares.1].iter().flatten().any(|share| *share > 0.0);
    let current_stamps = sorted.current_stamps(marks);
    Observed {
        effect,
        statistic,
        psi: is_numeric.then(|| sorted.histograms(marks).map(|(p, q)| population_stability_index(&p, &q))).flatten(),
        n_reference: size.reference,
        n_current: size.current,
        reference_stamps: circle.reference,
        current_stamps,
        rows_per_stamp: if current_stamps > 0 { size.current as f64 / current_stamps as f64 } else { 1.0 },
        deviation: is_numeric.then(|| std_dev(&reference, 1)).flatten(),
        missing: gaps.then_some(shares),
        categories: (!is_numeric).then(|| name_categories(pooled, sorted, &reference, &current)),
        shape: is_numeric.then(|| picture(&reference, &current)).flatten(),
    }
}

/// Shares over equal steps between the outer percentiles of the reference, open at both ends.
fn picture(reference: &[f64], current: &[f64]) -> Option<Shape> {
    let (low, high) = (quantile(reference, 0.01)?, quantile(reference, 0.99)?);
    if low >= high || current.is_empty() {
        return None;
    }
    let edges: Vec<f64> =
        (1..PICTURE_BINS).map(|step| low + (high - low) * step as f64 / PICTURE_BINS as f64).collect();
    let bins = QuantileBins::at(edges.clone());
    let share = |counts: Vec<u64>| {
        let total = counts.iter().sum::<u64>() as f64;
        counts.into_iter().map(|count| count as f64 / total).collect()
    };
    Some(Shape { edges, reference: share(bins.count_sorted(reference)), current: share(bins.count_sorted(current)) })
}

fn name_categories(pooled: &Pooled, sorted: &SortedColumn, reference: &[f64], current: &[f64]) -> CategoryReport {
    let name = |value: f64| pooled.categories.get(value as usize).cloned().unwrap_or_else(|| value.to_string());
    let only_in = |ours: &[f64], theirs: &[f64]| -> Vec<String> {
        ours.chunk_by(|a, b| a == b).filter(|group| !theirs.contains(&group[0])).map(|group| name(group[0])).collect()
    };
    CategoryReport {
        new: only_in(current, reference),
        vanished: only_in(reference, current),
        rare: sorted.rare_categories(),
    }
}

/// Measures the memory of everything a distance may react to: location, spread, the crossing of levels, gaps; of
/// categories, the presence of each of the most frequent.
fn measure_memory(reference: &[f64], circle: &Circle, of_categories: bool) -> Memory {
    let present: Vec<f64> = reference.iter().copied().filter(|x| !x.is_nan()).collect();
    let stamps = |values: &[Option<f64>]| stamp_sums(values, &circle.stamp_of_row, circle.reference);
    let tau_of = |transform: &dyn Fn(f64) -> f64| {
        let values: Vec<Option<f64>> = reference.iter().map(|&x| (!x.is_nan()).then(|| transform(x))).collect();
        integrated_autocorrelation_time(&stamps(&values))
    };
    let scored: Vec<Option<f64>> = scores_of(reference).into_iter().map(|z| (!z.is_nan()).then_some(z)).collect();
    let score_sums = stamps(&scored);
    let mut tau: f64 = 1.0;
    if of_categories {
        for category in most_frequent(&present) {
            tau = tau.max(tau_of(&|x| f64::from(u8::from(x == category))));
        }
    } else {
        tau = tau.max(integrated_autocorrelation_time(&score_sums));
        let absolute: Vec<Option<f64>> = scored.iter().map(|z| z.map(f64::abs)).collect();
        tau = tau.max(integrated_autocorrelation_time(&stamps(&absolute)));
        for level in CROSSINGS.into_iter().filter_map(|q| quantile(&present, q)) {
            tau = tau.max(tau_of(&|x| f64::from(u8::from(x <= level))));
        }
    }
    if present.len() < reference.len() {
        let gaps: Vec<Option<f64>> = reference.iter().map(|x| Some(f64::from(u8::from(x.is_nan())))).collect();
        tau = tau.max(integrated_autocorrelation_time(&stamps(&gaps)));
    }
    let power = |values: &mut dyn Iterator<Item = f64>| sum(values.map(|x| x * x));
    let (of_rows, of_stamps) = (power(&mut scored.iter().flatten().copied()), power(&mut score_sums.iter().copied()));
    let inflation = if of_rows > 0.0 { tau * of_stamps / of_rows } else { tau };
    let lag_one = autocorrelation(&score_sums, 1).map_or(0.0, |rho| rho[1]);
    Memory { tau, inflation, lag_one }
}

fn most_frequent(values: &[f64]) -> Vec<f64> {
    let mut ascending = values.to_vec();
    ascending.sort_by(f64::total_cmp);
    let mut groups: Vec<(usize, f64)> =
        ascending.chunk_by(|a, b| a == b).map(|group| (group.len(), group[0])).collect();
    groups.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.total_cmp(&b.1)));
    groups.into_iter().take(CATEGORIES_WITH_MEMORY).map(|(_, value)| value).collect()
}
