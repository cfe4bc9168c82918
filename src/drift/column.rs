//! Distribution drift, column by column.

use rayon::prelude::*;

use super::config::{BlockPlan, Calibration, Correction, DriftConfig, DriftStatistic};
use super::permutation::{Circle, Plan};
use super::report::{ColumnDriftReport, ColumnReport, MissingReport, Verdict};
use super::sample::{Column, DriftError, Sample};
use super::statistic::{Memory, SortedColumn, stamp_sums};
use crate::base::{CancelToken, Cancelled, Seed};
use crate::stats::dependence::{autocorrelation, integrated_autocorrelation_time, normal_scores};
use crate::stats::multiple::{benjamini_hochberg, holm};
use crate::stats::order::quantile;
use crate::stats::sum::std_dev;
use crate::stats::two_sample::population_stability_index;

/// Two-sided 5 % test with 80 % power: `z(.975) + z(.8)`.
const DETECTABLE_ERRORS: f64 = 2.8;

/// A reference with fewer independent stretches than this has not shown its distribution yet.
const STRETCHES_OF_A_STABLE_COLUMN: f64 = 20.0;

/// Lag-one autocorrelation above which so few stretches look like a random walk and not like a short window.
const LAG_ONE_OF_A_WALK: f64 = 0.9;

/// Quantiles of the reference whose crossings count as memory, beside the scores and their absolute values.
const CROSSINGS: [f64; 5] = [0.1, 0.25, 0.5, 0.75, 0.9];

/// Columns whose memories differ by less than this factor are permuted together.
const SIMILAR_MEMORY: f64 = 2.0;

/// Permutations that a correction may ask for before the level is refused as out of reach.
const MOST_REPLICATES: f64 = 1e6;

/// Replicates per piece of parallel work: long enough to hide the scheduling, short enough to cancel soon.
const REPLICATES_PER_CHUNK: usize = 64;

/// Compares every column of the current window with the same column of the reference.
///
/// Per column: memory `tau` = largest integrated autocorrelation time of the reference's normal scores, their absolute
/// values and the indicators `x <= quantile(.1, .25, .5, .75, .9)`; block = `clamp(ceil(5 tau), ceil(n^(1/3)), n/2)`
/// with n the current time stamps and the longest tau of the columns like it ([`BlockPlan`]); p = `(1 + #{D* >= D}) / (1 + B)` over B permuted splits of the circle of both
/// windows. Verdict `drift` only if the adjusted p is at most `alpha` and the effect at least `min_effect`;
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
    let ordered = config.calibration == Calibration::BlockPermutation;
    reference.check("reference", ordered)?;
    current.check("current", ordered)?;
    let circle = match config.calibration {
        Calibration::BlockPermutation => Circle::from_times(&reference.time, &current.time),
        Calibration::Iid => Circle::from_rows(reference.rows(), current.rows()),
    };
    let mut columns = pair_columns(reference, current)?
        .par_iter()
        .map(|&(ours, theirs)| cancel.check().map(|()| Prepared::new(ours, theirs, &circle, config)))
        .collect::<Result<Vec<_>, Cancelled>>()?;
    choose_blocks(&mut columns, &circle, config);
    let replicates = replicates_needed(&columns, config)?;
    let exceeded = count_exceedances(&columns, &circle, config.statistic, replicates, seed, cancel)?;
    let judged = judge(columns, &exceeded, replicates, config);
    Ok(summarise(judged, &circle, (reference.rows(), current.rows()), replicates, config))
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
        columns: vec![Column { name: "probability".to_owned(), values: values.to_vec() }],
    };
    column_drift(&sample(reference), &sample(current), config, seed, cancel)
}

fn pair_columns<'a>(reference: &'a Sample, current: &'a Sample) -> Result<Vec<(&'a Column, &'a Column)>, DriftError> {
    let missing = |column: &Column, window| DriftError::MissingColumn { column: column.name.clone(), window };
    if let Some(extra) = current.columns.iter().find(|c| reference.columns.iter().all(|r| r.name != c.name)) {
        return Err(missing(extra, "reference"));
    }
    let partner = |ours: &'a Column| {
        let theirs = current.columns.iter().find(|theirs| theirs.name == ours.name);
        theirs.map(|theirs| (ours, theirs)).ok_or_else(|| missing(ours, "current"))
    };
    reference.columns.iter().map(partner).collect()
}

/// A column with everything that does not change from one permutation to the next.
pub(super) struct Prepared {
    name: String,
    pub(super) sorted: SortedColumn,
    memory: Memory,
    pub(super) block: usize,
    distance: Option<f64>,
    missing_change: Option<f64>,
    report: Observed,
}

struct Observed {
    statistic: Option<f64>,
    effect: Option<f64>,
    psi: Option<f64>,
    n_reference: usize,
    n_current: usize,
    reference_stamps: usize,
    current_stamps: usize,
    rows_per_stamp: f64,
    deviation: Option<f64>,
    missing: Option<(Option<f64>, Option<f64>)>,
}

impl Prepared {
    fn new(reference: &Column, current: &Column, circle: &Circle, config: &DriftConfig) -> Self {
        let mut pooled = [reference.values.as_slice(), current.values.as_slice()].concat();
        sort_within_stamps(&mut pooled, &circle.stamp_of_row);
        let sorted = SortedColumn::new(&pooled, &circle.stamp_of_row, circle.stamps(), config.statistic);
        let memory = match config.calibration {
            Calibration::BlockPermutation => measure_memory(&pooled[..reference.values.len()], circle),
            Calibration::Iid => Memory { tau: 1.0, inflation: 1.0, lag_one: 0.0 },
        };
        let marks = circle.observed();
        let distance = sorted.distance(config.statistic, &marks);
        let shares = sorted.missing_shares(&marks);
        let gaps = sorted.is_partly_missing() || shares.0.is_some_and(|s| s > 0.0) || shares.1.is_some_and(|s| s > 0.0);
        let report = observe(&sorted, &marks, distance, circle, config, gaps.then_some(shares));
        let missing_change = sorted.is_partly_missing().then(|| share_change(shares)).flatten();
        Self { name: reference.name.clone(), sorted, memory, block: 1, distance, missing_change, report }
    }
}

fn observe(
    sorted: &SortedColumn,
    marks: &[u8],
    distance: Option<f64>,
    circle: &Circle,
    config: &DriftConfig,
    missing: Option<(Option<f64>, Option<f64>)>,
) -> Observed {
    let size = sorted.split_size(marks);
    let (reference, _) = sorted.sides(marks);
    let scale =
        std_dev(&reference, 0).filter(|sd| *sd > 0.0).or_else(|| sorted.pooled_deviation().filter(|sd| *sd > 0.0));
    let statistic = match config.statistic {
        // a constant reference has no scale of its own; two equal constants have no distance at all
        DriftStatistic::Wasserstein => distance.map(|d| scale.map_or(0.0, |scale| d / scale)),
        _ => distance,
    };
    let effect = match config.statistic {
        DriftStatistic::CramerVonMises => sorted.distance(DriftStatistic::Ks, marks),
        _ => statistic,
    };
    let current_stamps = sorted.current_stamps(marks);
    Observed {
        statistic,
        effect,
        psi: sorted.histograms(marks).map(|(p, q)| population_stability_index(&p, &q)),
        n_reference: size.reference,
        n_current: size.current,
        reference_stamps: circle.reference,
        current_stamps,
        rows_per_stamp: if current_stamps > 0 { size.current as f64 / current_stamps as f64 } else { 1.0 },
        deviation: std_dev(&reference, 1),
        missing,
    }
}

/// Rows of one stamp have no order; giving them one makes every sum below the same whatever order they came in.
fn sort_within_stamps(pooled: &mut [f64], stamp_of_row: &[u32]) {
    let mut start = 0;
    for group in stamp_of_row.chunk_by(|a, b| a == b) {
        let end = start + group.len();
        pooled[start..end].sort_unstable_by(f64::total_cmp);
        start = end;
    }
}

/// Measures the memory of everything a distance may react to: location, spread, the crossing of levels, gaps.
fn measure_memory(reference: &[f64], circle: &Circle) -> Memory {
    let present: Vec<f64> = reference.iter().copied().filter(|x| !x.is_nan()).collect();
    let series = |transform: &dyn Fn(f64) -> f64| {
        let values: Vec<Option<f64>> = reference.iter().map(|&x| (!x.is_nan()).then(|| transform(x))).collect();
        stamp_sums(&values, &circle.stamp_of_row, circle.reference)
    };
    let mut scores = normal_scores(&present).into_iter();
    let scored: Vec<Option<f64>> = reference.iter().map(|x| if x.is_nan() { None } else { scores.next() }).collect();
    let absolute: Vec<Option<f64>> = scored.iter().map(|z| z.map(f64::abs)).collect();
    let score_sums = stamp_sums(&scored, &circle.stamp_of_row, circle.reference);

    let mut tau = integrated_autocorrelation_time(&score_sums);
    tau = tau.max(integrated_autocorrelation_time(&stamp_sums(&absolute, &circle.stamp_of_row, circle.reference)));
    for q in CROSSINGS {
        if let Some(level) = quantile(&present, q) {
            tau = tau.max(integrated_autocorrelation_time(&series(&|x| f64::from(u8::from(x <= level)))));
        }
    }
    if present.len() < reference.len() {
        let gaps: Vec<Option<f64>> = reference.iter().map(|x| Some(f64::from(u8::from(x.is_nan())))).collect();
        tau = tau.max(integrated_autocorrelation_time(&stamp_sums(&gaps, &circle.stamp_of_row, circle.reference)));
    }
    let power = |values: &mut dyn Iterator<Item = f64>| crate::stats::sum::sum(values.map(|x| x * x));
    let (of_rows, of_stamps) = (power(&mut scored.iter().flatten().copied()), power(&mut score_sums.iter().copied()));
    let inflation = if of_rows > 0.0 { tau * of_stamps / of_rows } else { tau };
    let lag_one = autocorrelation(&score_sums, 1).map_or(0.0, |rho| rho[1]);
    Memory { tau, inflation, lag_one }
}

fn share_change(shares: (Option<f64>, Option<f64>)) -> Option<f64> {
    Some((shares.1? - shares.0?).abs())
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
            Calibration::BlockPermutation => circle.block_length(longest),
        };
    }
}

/// With m tests the smallest adjusted p is m times the smallest p there is, `1 / (1 + B)`: fewer than `m / alpha - 1`
/// permutations could never reject anything.
fn replicates_needed(columns: &[Prepared], config: &DriftConfig) -> Result<usize, DriftError> {
    let tests = match config.correction {
        Correction::None => 1,
        Correction::Bh | Correction::Holm => {
            let of_values = columns.iter().filter(|column| column.distance.is_some()).count();
            of_values + columns.iter().filter(|column| column.missing_change.is_some()).count()
        }
    };
    let needed = (tests as f64 / config.alpha).ceil();
    if needed > MOST_REPLICATES {
        let expected = "large enough to be reached with a million permutations after the correction";
        return Err(DriftError::Config { field: "alpha", expected, found: config.alpha });
    }
    Ok(config.replicates.max(needed as usize))
}

/// How many permuted splits were at least as far apart as the observed one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Exceedances {
    distance: usize,
    missing: usize,
}

fn count_exceedances(
    columns: &[Prepared],
    circle: &Circle,
    statistic: DriftStatistic,
    replicates: usize,
    seed: Seed,
    cancel: &CancelToken,
) -> Result<Vec<Exceedances>, Cancelled> {
    let mut by_block: Vec<usize> = (0..columns.len()).collect();
    by_block.sort_by_key(|&index| columns[index].block);
    let firsts: Vec<usize> = (0..replicates).step_by(REPLICATES_PER_CHUNK).collect();
    let chunks = firsts
        .into_par_iter()
        .map(|first| {
            cancel.check()?;
            let mut counts = vec![Exceedances::default(); columns.len()];
            let mut marks = vec![0; circle.stamps()];
            for replicate in first..replicates.min(first + REPLICATES_PER_CHUNK) {
                for group in by_block.chunk_by(|&a, &b| columns[a].block == columns[b].block) {
                    Plan::draw(circle, columns[group[0]].block, seed, replicate).mark(circle, &mut marks);
                    for &index in group {
                        compare(&columns[index], statistic, &marks, &mut counts[index]);
                    }
                }
            }
            Ok(counts)
        })
        .collect::<Result<Vec<_>, Cancelled>>()?;
    let mut totals = vec![Exceedances::default(); columns.len()];
    for counts in chunks {
        for (total, count) in totals.iter_mut().zip(counts) {
            total.distance += count.distance;
            total.missing += count.missing;
        }
    }
    Ok(totals)
}

/// A split that leaves a side without values has no distance; counting it as far apart errs on the side of no alarm.
fn compare(column: &Prepared, statistic: DriftStatistic, marks: &[u8], count: &mut Exceedances) {
    if let Some(observed) = column.distance {
        let permuted = column.sorted.distance(statistic, marks);
        count.distance += usize::from(permuted.is_none_or(|permuted| at_least(permuted, observed)));
    }
    if let Some(observed) = column.missing_change {
        let permuted = share_change(column.sorted.missing_shares(marks));
        count.missing += usize::from(permuted.is_none_or(|permuted| at_least(permuted, observed)));
    }
}

/// Equal splits may differ in the last bits of a sum; a tie counts.
pub(super) fn at_least(permuted: f64, observed: f64) -> bool {
    permuted >= observed - 1e-12 * observed.abs()
}

fn judge(
    columns: Vec<Prepared>,
    exceeded: &[Exceedances],
    replicates: usize,
    config: &DriftConfig,
) -> Vec<ColumnReport> {
    let p = |count: usize| (1 + count) as f64 / (1 + replicates) as f64;
    let of_values: Vec<Option<f64>> =
        columns.iter().zip(exceeded).map(|(column, count)| column.distance.map(|_| p(count.distance))).collect();
    let of_gaps: Vec<Option<f64>> =
        columns.iter().zip(exceeded).map(|(column, count)| column.missing_change.map(|_| p(count.missing))).collect();
    let family: Vec<f64> = of_values.iter().chain(&of_gaps).flatten().copied().collect();
    let adjusted = match config.correction {
        Correction::Bh => benjamini_hochberg(&family),
        Correction::Holm => holm(&family),
        Correction::None => family,
    };
    let mut adjusted = adjusted.into_iter();
    let adjusted_values: Vec<Option<f64>> = of_values.iter().map(|p| p.and_then(|_| adjusted.next())).collect();
    let adjusted_gaps: Vec<Option<f64>> = of_gaps.iter().map(|p| p.and_then(|_| adjusted.next())).collect();
    let reports = columns.into_iter().enumerate().map(|(i, column)| {
        report_column(column, (of_values[i], adjusted_values[i]), (of_gaps[i], adjusted_gaps[i]), config)
    });
    reports.collect()
}

fn report_column(
    column: Prepared,
    (p, adjusted_p): (Option<f64>, Option<f64>),
    (missing_p, missing_adjusted_p): (Option<f64>, Option<f64>),
    config: &DriftConfig,
) -> ColumnReport {
    let Observed { statistic, effect, psi, n_reference, n_current, reference_stamps, current_stamps, .. } =
        column.report;
    let Memory { tau, inflation, lag_one } = column.memory;
    let missing = column.report.missing.map(|(reference, current)| MissingReport {
        reference,
        current,
        p: missing_p,
        adjusted_p: missing_adjusted_p,
    });
    let shift =
        |sd: f64| DETECTABLE_ERRORS * sd * (inflation * (1.0 / n_reference as f64 + 1.0 / n_current as f64)).sqrt();
    let stamps_needed = (config.min_effective * tau * column.report.rows_per_stamp).ceil() as usize;
    let needed = config.min_rows.max(stamps_needed);
    let walks = lag_one >= LAG_ONE_OF_A_WALK && (reference_stamps as f64) < STRETCHES_OF_A_STABLE_COLUMN * tau;
    let effective_n = current_stamps as f64 / tau;
    let mut report = ColumnReport {
        name: column.name,
        verdict: Verdict::Ok,
        reason: String::new(),
        statistic,
        p,
        adjusted_p,
        effect,
        psi,
        n_reference,
        n_current,
        tau,
        block: column.block,
        effective_n,
        minimum_detectable_shift: column.report.deviation.filter(|_| n_reference > 0 && n_current > 0).map(shift),
        needs_rows: (n_current < needed).then_some(needed),
        missing,
        advice: walks.then(|| {
            format!(
                "moves like a random walk (tau {tau:.0} of {reference_stamps} time stamps): compare its differences or \
                 its ratio to a moving average instead"
            )
        }),
    };
    (report.verdict, report.reason) = decide(&report, config);
    report
}

fn decide(report: &ColumnReport, config: &DriftConfig) -> (Verdict, String) {
    let rejected = |p: Option<f64>| p.is_some_and(|p| p <= config.alpha);
    let values = rejected(report.adjusted_p);
    let (p, effect) = (report.adjusted_p.unwrap_or(1.0), report.effect.unwrap_or(0.0));
    if values && effect >= config.min_effect {
        let limit = config.min_effect;
        return (Verdict::Drift, format!("values changed: effect {effect:.3} (limit {limit}), adjusted p {p:.4}"));
    }
    if let Some(missing) = &report.missing {
        let (before, after) = (missing.reference.unwrap_or(0.0), missing.current.unwrap_or(0.0));
        if rejected(missing.adjusted_p) && (after - before).abs() >= config.min_missing_change {
            let p = missing.adjusted_p.unwrap_or(1.0);
            let (before, after) = (before * 100.0, after * 100.0);
            return (
                Verdict::Drift,
                format!("missing share went from {before:.1} % to {after:.1} %, adjusted p {p:.4}"),
            );
        }
    }
    if report.n_reference == 0 || report.n_current == 0 {
        let window = if report.n_reference == 0 { "reference" } else { "current" };
        return (Verdict::Inconclusive, format!("no values in the {window} window"));
    }
    if values {
        let limit = config.min_effect;
        return (
            Verdict::Ok,
            format!("a real but small change: effect {effect:.3} below the limit {limit}, adjusted p {p:.4}"),
        );
    }
    if report.n_reference < config.min_rows {
        let (found, needed) = (report.n_reference, config.min_rows);
        return (Verdict::Inconclusive, format!("{found} values in the reference window: needs >= {needed} rows"));
    }
    if let Some(needed) = report.needs_rows {
        let (found, effective) = (report.n_current, report.effective_n);
        return (
            Verdict::Inconclusive,
            format!("{found} values are worth {effective:.1} independent ones: needs >= {needed} rows"),
        );
    }
    (Verdict::Ok, format!("no change found: effect {effect:.3}, adjusted p {p:.4}"))
}

fn summarise(
    columns: Vec<ColumnReport>,
    circle: &Circle,
    (reference_rows, current_rows): (usize, usize),
    replicates: usize,
    config: &DriftConfig,
) -> ColumnDriftReport {
    let named = |verdict: Verdict| columns.iter().filter(move |c| c.verdict == verdict).map(|c| c.name.as_str());
    let (drifted, inconclusive) = (named(Verdict::Drift).count(), named(Verdict::Inconclusive).count());
    let total = columns.len();
    let (verdict, reason) = if drifted > 0 {
        (Verdict::Drift, format!("{drifted} of {total} columns drifted: {}", listed(named(Verdict::Drift))))
    } else if total == 0 {
        (Verdict::Inconclusive, "no columns to compare".to_owned())
    } else if inconclusive > 0 {
        let names = listed(named(Verdict::Inconclusive));
        (
            Verdict::Inconclusive,
            format!("no drift found, but {inconclusive} of {total} columns cannot be judged: {names}"),
        )
    } else {
        (Verdict::Ok, format!("no drift in {total} columns"))
    };
    ColumnDriftReport {
        verdict,
        reason,
        calibration: config.calibration,
        statistic: config.statistic,
        alpha: config.alpha,
        correction: config.correction,
        replicates,
        reference_rows,
        current_rows,
        reference_stamps: circle.reference,
        current_stamps: circle.current,
        drifted,
        inconclusive,
        columns,
    }
}

/// At most five names; the report has them all.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    let (shown, rest) = names.split_at(names.len().min(5));
    let shown = shown.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if rest.is_empty() { shown } else { format!("{shown} and {} more", rest.len()) }
}
