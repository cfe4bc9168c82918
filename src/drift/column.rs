//! Distribution drift, column by column.

use rayon::prelude::*;

use super::config::{BlockPlan, Calibration, Correction, DriftConfig, DriftStatistic};
use super::domain::{DomainReport, tell_apart};
use super::judge::{judge, summarise};
use super::null::{Null, test_columns};
use super::peers::beyond_peers;
use super::permutation::Circle;
use super::prepare::{Pooled, Prepared};
use super::report::{ColumnDriftReport, Verdict};
use super::sample::{Column, DriftError, Sample};
use crate::base::{CancelToken, Cancelled, Seed, nearest};

/// Columns whose memories differ by less than this factor are permuted together.
const SIMILAR_MEMORY: f64 = 2.0;

/// Permutations that a correction may ask for before the level is refused as out of reach.
const MOST_REPLICATES: f64 = 1e6;

/// Permutations of the domain classifier, which learns anew five times in each.
const MOST_CLASSIFIERS: usize = 499;

/// Compares every column of the current window with the same column of the reference.
///
/// Per column: memory `tau` = largest integrated autocorrelation time of the reference's normal scores, their absolute
/// values and the indicators `x <= quantile(.1, .25, .5, .75, .9)`; block = `clamp(ceil(5 tau), ceil(n^(1/3)), n/2)`
/// with n the current time stamps and the longest tau of the columns like it ([`BlockPlan`]); p = `(1 + #{D* >= D}) / (1 + B)` over B permuted splits of the circle of both
/// windows, or what the chosen [`Calibration`] puts in its place. Verdict `drift` only if the adjusted p is at most `alpha` and the effect at least `min_effect`;
/// `inconclusive` when nothing is rejected and a window has fewer than `min_rows` values or `stamps / tau` is below
/// `min_effective`; else `ok`. A test of the missing share stands beside the values of a column with gaps and takes
/// part in the correction.
///
/// The result depends on the seed, not on the number of threads, the names of the columns, or the order of rows within
/// a time stamp.
///
/// # Errors
/// The windows do not match, are not in time order, hold an infinity, or the work was cancelled.
///
/// # References
/// Kunsch (1989) and Politis and Romano (1992) for circular blocks; Sokal (1997) for tau; Phipson and Smyth (2010) for
/// the `+ 1`: a permutation p is never 0.
pub fn column_drift(
    reference: &Sample,
    current: &Sample,
    config: &DriftConfig,
    seed: Seed,
    cancel: &CancelToken,
) -> Result<ColumnDriftReport, DriftError> {
    config.check()?;
    let ordered = config.calibration != Calibration::Iid;
    reference.check("reference", ordered)?;
    current.check("current", ordered)?;
    let circle = match ordered {
        true => Circle::from_times(&reference.time, &current.time),
        false => Circle::from_rows(reference.rows(), current.rows()),
    };
    if config.calibration == Calibration::ArSieve && circle.stamps() != circle.stamp_of_row.len() {
        return Err(DriftError::Panel { rows: circle.stamp_of_row.len(), stamps: circle.stamps() });
    }
    let mut pooled = pool(reference, current, config)?;
    order_within_stamps(&mut pooled, &circle);
    let mut columns = pooled
        .par_iter()
        .map(|column| cancel.check().map(|()| Prepared::new(column, &circle, config)))
        .collect::<Result<Vec<_>, Cancelled>>()?;
    if config.calibration != Calibration::ArSieve {
        compare_with_peers(&mut columns, &circle);
    }
    cancel.check()?;
    choose_blocks(&mut columns, &circle, config);
    let null = Null::new(config, &circle, replicates_needed(&columns, config)?);
    let tested = test_columns(&columns, &circle, &null, config, seed, cancel)?;
    let domain = match config.domain_classifier {
        true => Some(classify(&columns, &circle, config, seed, cancel)?),
        false => None,
    };
    let judged = judge(columns, tested, null.replicates(), config);
    let report = summarise(judged, &circle, (reference.rows(), current.rows()), null.replicates(), config);
    Ok(with_domain(report, domain))
}

/// Tries to tell the windows apart by all numeric columns at once, with the longest memory of all.
fn classify(
    columns: &[Prepared],
    circle: &Circle,
    config: &DriftConfig,
    seed: Seed,
    cancel: &CancelToken,
) -> Result<DomainReport, Cancelled> {
    let numeric = columns.iter().filter(|column| column.rules.statistic != DriftStatistic::Chi2);
    let scores: Vec<(&str, &[f64])> = numeric.map(|column| (column.name.as_str(), column.scores.as_slice())).collect();
    let block = columns.iter().map(|column| column.block).max().unwrap_or(1);
    let replicates = config.replicates.min(MOST_CLASSIFIERS);
    tell_apart(&scores, circle, block, (replicates, config.alpha), seed.derive("domain"), cancel)
}

/// A classifier that tells the windows apart is drift of the data set, whatever single columns say.
fn with_domain(mut report: ColumnDriftReport, domain: Option<DomainReport>) -> ColumnDriftReport {
    if let Some(found) = domain.as_ref().filter(|domain| domain.verdict == Verdict::Drift) {
        report.reason = match report.verdict {
            Verdict::Drift => format!("{}; {}", report.reason, found.reason),
            Verdict::Ok | Verdict::Inconclusive => found.reason.clone(),
        };
        report.verdict = Verdict::Drift;
    }
    ColumnDriftReport { domain, ..report }
}

/// Compares the probabilities of a model between two windows: [`column_drift`] of one column, `probability`.
///
/// # Errors
/// As [`column_drift`].
pub fn prediction_drift(
    reference: (&[i64], &[f64]),
    current: (&[i64], &[f64]),
    config: &DriftConfig,
    seed: Seed,
    cancel: &CancelToken,
) -> Result<ColumnDriftReport, DriftError> {
    let sample = |(time, values): (&[i64], &[f64])| Sample {
        time: time.to_vec(),
        columns: vec![Column::numbers("probability", values.to_vec())],
    };
    column_drift(&sample(reference), &sample(current), config, seed, cancel)
}

/// Matches the columns of the two windows by name and puts their rows together, the categories in one code.
fn pool(reference: &Sample, current: &Sample, config: &DriftConfig) -> Result<Vec<Pooled>, DriftError> {
    let missing = |column: &Column, window| DriftError::MissingColumn { column: column.name.clone(), window };
    let names = || reference.columns.iter().map(|column| column.name.as_str());
    if let Some(unknown) = config.columns.keys().find(|own| names().all(|name| name != own.as_str())) {
        let near = nearest(unknown, names()).map(str::to_owned);
        return Err(DriftError::UnknownColumn { column: unknown.clone(), near });
    }
    if let Some(extra) = current.columns.iter().find(|c| reference.columns.iter().all(|r| r.name != c.name)) {
        return Err(missing(extra, "reference"));
    }
    let is_ignored = |column: &&Column| config.columns.get(&column.name).is_some_and(|own| own.ignore);
    let joined = |ours: &Column| {
        let theirs = current.columns.iter().find(|theirs| theirs.name == ours.name);
        join(ours, theirs.ok_or_else(|| missing(ours, "current"))?, config)
    };
    reference.columns.iter().filter(|column| !is_ignored(column)).map(joined).collect()
}

fn join(ours: &Column, theirs: &Column, config: &DriftConfig) -> Result<Pooled, DriftError> {
    let mut rules = config.rules_for(&ours.name);
    let mut categories: Vec<String> = ours.categories.iter().chain(&theirs.categories).cloned().collect();
    categories.sort_unstable();
    categories.dedup();
    if categories.is_empty() {
        let values = [ours.values.as_slice(), theirs.values.as_slice()].concat();
        return Ok(Pooled { name: ours.name.clone(), values, categories, rules });
    }
    let asked = config.columns.get(&ours.name).and_then(|own| own.statistic);
    if asked.is_some_and(|statistic| statistic != DriftStatistic::Chi2) {
        return Err(DriftError::Unfit { column: ours.name.clone(), expected: "`chi2`: it holds categories" });
    }
    rules.statistic = DriftStatistic::Chi2;
    let recode = |column: &Column| -> Vec<f64> {
        let code: Vec<f64> = column
            .categories
            .iter()
            .map(|name| categories.binary_search(name).map_or(f64::NAN, |at| at as f64))
            .collect();
        column
            .values
            .iter()
            .map(|&x| if x.is_nan() { x } else { code.get(x as usize).copied().unwrap_or(f64::NAN) })
            .collect()
    };
    let values = [recode(ours), recode(theirs)].concat();
    Ok(Pooled { name: ours.name.clone(), values, categories, rules })
}

/// Rows of one stamp have no order; giving them one makes every sum the same whatever order they came in. Whole rows are
/// moved: columns that are held against each other must stay side by side.
fn order_within_stamps(columns: &mut [Pooled], circle: &Circle) {
    let rows = circle.stamp_of_row.len();
    if rows == circle.stamps() {
        return;
    }
    let mut order: Vec<usize> = (0..rows).collect();
    order.sort_by(|&a, &b| {
        let stamps = circle.stamp_of_row[a].cmp(&circle.stamp_of_row[b]);
        columns.iter().fold(stamps, |so_far, column| so_far.then_with(|| column.values[a].total_cmp(&column.values[b])))
    });
    for column in columns {
        column.values = order.iter().map(|&row| column.values[row]).collect();
    }
}

/// Adds to each column of the combined statistic what its peers do not explain; every numeric column is a peer.
fn compare_with_peers(columns: &mut [Prepared], circle: &Circle) {
    let is_numeric = |column: &Prepared| column.rules.statistic != DriftStatistic::Chi2;
    if columns.iter().all(|column| column.series.level.is_none()) {
        return;
    }
    let peers: Vec<usize> = (0..columns.len()).filter(|&index| is_numeric(&columns[index])).collect();
    let scores: Vec<Vec<f64>> = peers.iter().map(|&index| columns[index].scores.clone()).collect();
    for (index, residual) in peers.into_iter().zip(beyond_peers(&scores)) {
        if let (Some(residual), true) = (residual, columns[index].series.level.is_some()) {
            columns[index].hold_against_peers(&residual, circle);
        }
    }
}

/// A memory is an estimate: the column that happens to look shortest of many alike would get blocks too short and false
/// alarms, so each column takes the longest memory among those within [`SIMILAR_MEMORY`] times its own.
fn choose_blocks(columns: &mut [Prepared], circle: &Circle, config: &DriftConfig) {
    let taus: Vec<f64> = columns.iter().map(|column| column.memory.tau).collect();
    for column in columns {
        let reach = match config.blocks {
            BlockPlan::Similar => SIMILAR_MEMORY * column.memory.tau,
            BlockPlan::Shared => f64::INFINITY,
        };
        let longest = taus.iter().copied().filter(|tau| *tau <= reach).fold(1.0, f64::max);
        column.block = match config.calibration {
            Calibration::Iid => 1,
            _ => circle.block_length(longest),
        };
    }
}

/// With m tests the smallest adjusted p is m times the smallest p there is, `1 / (1 + B)`: fewer than `m / alpha - 1`
/// permutations could never reject anything. The least likely of k pieces of evidence is a coarser thing: up to k draws
/// share the smallest p, so that it takes k times as many.
fn replicates_needed(columns: &[Prepared], config: &DriftConfig) -> Result<usize, DriftError> {
    let alpha = columns.iter().map(|column| column.rules.alpha).fold(config.alpha, f64::min);
    let pieces = columns.iter().map(|column| column.series.pieces()).max().unwrap_or(1);
    let needed = ((tests(columns, config) * pieces) as f64 / alpha).ceil();
    if needed > MOST_REPLICATES {
        let expected = "large enough to be reached with a million permutations after the correction";
        return Err(DriftError::Config { field: "alpha", expected, found: alpha });
    }
    Ok(config.replicates.max(needed as usize))
}

/// How many tests the smallest p must stand up to.
pub(super) fn tests(columns: &[Prepared], config: &DriftConfig) -> usize {
    match config.correction {
        Correction::None => 1,
        Correction::Bh | Correction::Holm | Correction::WestfallYoung => {
            let of_values = columns.iter().filter(|column| column.distance.is_some()).count();
            of_values + columns.iter().filter(|column| column.missing_change.is_some()).count()
        }
    }
}

/// Equal splits may differ in the last bits of a sum; a tie counts.
pub(super) fn at_least(permuted: f64, observed: f64) -> bool {
    permuted >= observed || permuted >= observed - 1e-12 * observed.abs()
}
