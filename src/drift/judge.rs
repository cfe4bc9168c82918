//! From p-values to verdicts: correction across columns, what a column says, what the data set says.

use super::column::tests;
use super::config::{Correction, DriftConfig, DriftStatistic};
use super::null::{Likelihood, Tested};
use super::permutation::Circle;
use super::prepare::{Observed, Prepared};
use super::report::{ColumnDriftReport, ColumnReport, Evidence, MissingReport, PartVerdict, Verdict};
use super::statistic::Memory;
use crate::stats::multiple::{benjamini_hochberg, holm, westfall_young};

/// Two-sided 5 % test with 80 % power: `z(.975) + z(.8)`.
const DETECTABLE_ERRORS: f64 = 2.8;

/// A reference with fewer independent stretches than this has not shown its distribution yet.
const STRETCHES_OF_A_STABLE_COLUMN: f64 = 20.0;

/// Lag-one autocorrelation above which so few stretches look like a random walk and not like a short window.
const LAG_ONE_OF_A_WALK: f64 = 0.9;

/// Names of a list that are shown; the report has them all.
const SHOWN: usize = 5;

pub(super) fn judge(
    columns: Vec<Prepared>,
    tested: Vec<Tested>,
    replicates: usize,
    config: &DriftConfig,
) -> Vec<ColumnReport> {
    let smallest = tests(&columns, config) as f64 / (1 + replicates) as f64;
    let family: Vec<&Likelihood> = tested
        .iter()
        .filter_map(|t| t.values.as_ref())
        .chain(tested.iter().filter_map(|t| t.missing.as_ref()))
        .collect();
    let p: Vec<f64> = family.iter().map(|likelihood| likelihood.p).collect();
    let adjusted = match config.correction {
        Correction::Bh => benjamini_hochberg(&p),
        Correction::Holm => holm(&p),
        Correction::WestfallYoung => {
            let draws: Vec<Vec<f64>> = family.iter().map(|likelihood| as_said(likelihood)).collect();
            westfall_young(&draws)
        }
        Correction::None => p,
    };
    let mut adjusted = adjusted.into_iter();
    let of_values: Vec<Option<f64>> = tested.iter().map(|t| t.values.as_ref().and_then(|_| adjusted.next())).collect();
    let of_gaps: Vec<Option<f64>> = tested.iter().map(|t| t.missing.as_ref().and_then(|_| adjusted.next())).collect();
    columns
        .into_iter()
        .zip(tested)
        .zip(of_values.into_iter().zip(of_gaps))
        .map(|((column, tested), adjusted)| report_column(column, &tested, adjusted, smallest, config))
        .collect()
}

/// The draws of a test with its p as it is said, which may be above that of its own draw.
fn as_said(likelihood: &Likelihood) -> Vec<f64> {
    let mut draws = likelihood.draws.clone();
    if let Some(own) = draws.first_mut() {
        *own = likelihood.p;
    }
    draws
}

fn report_column(
    column: Prepared,
    tested: &Tested,
    (adjusted_p, missing_adjusted_p): (Option<f64>, Option<f64>),
    smallest: f64,
    config: &DriftConfig,
) -> ColumnReport {
    let Observed { statistic, effect, psi, n_reference, n_current, reference_stamps, current_stamps, .. } =
        column.observed;
    let Memory { tau, inflation, lag_one } = column.memory;
    let missing = column.observed.missing.map(|(reference, current)| MissingReport {
        reference,
        current,
        p: tested.missing.as_ref().map(|likelihood| likelihood.p),
        adjusted_p: missing_adjusted_p,
        verdict: Verdict::Ok,
    });
    let shift =
        |sd: f64| DETECTABLE_ERRORS * sd * (inflation * (1.0 / n_reference as f64 + 1.0 / n_current as f64)).sqrt();
    let stamps_needed = (config.min_effective * tau * column.observed.rows_per_stamp).ceil() as usize;
    let needed = config.min_rows.max(stamps_needed);
    let walks = lag_one >= LAG_ONE_OF_A_WALK && (reference_stamps as f64) < STRETCHES_OF_A_STABLE_COLUMN * tau;
    let [own, level, beyond_peers] = tested.evidence;
    let mut report = ColumnReport {
        name: column.name,
        verdict: Verdict::Ok,
        values: Verdict::Ok,
        reason: String::new(),
        test: column.rules.statistic,
        alpha: column.rules.alpha,
        min_effect: column.rules.min_effect,
        statistic,
        p: tested.values.as_ref().map(|likelihood| likelihood.p),
        adjusted_p,
        smallest_adjusted_p: smallest.min(1.0),
        evidence: (column.rules.statistic == DriftStatistic::Combined).then_some(Evidence {
            distance: own,
            level,
            beyond_peers,
        }),
        effect,
        psi,
        n_reference,
        n_current,
        tau,
        block: column.block,
        effective_n: current_stamps as f64 / tau,
        minimum_detectable_shift: column.observed.deviation.filter(|_| n_reference > 0 && n_current > 0).map(shift),
        needs_rows: (n_current < needed).then_some(needed),
        missing,
        categories: column.observed.categories,
        shape: column.observed.shape,
        advice: walks.then(|| {
            format!(
                "moves like a random walk (tau {tau:.0} of {reference_stamps} time stamps): compare its differences or \
                 its ratio to a moving average instead"
            )
        }),
    };
    let (missing_verdict, missing_reason) = judge_missing(&report, config);
    if let Some(missing) = &mut report.missing {
        missing.verdict = missing_verdict;
    }
    let (values, reason) = judge_values(&report, config);
    report.values = values;
    (report.verdict, report.reason) = match missing_reason {
        Some(gaps) if values == Verdict::Drift => (Verdict::Drift, format!("{reason}; {gaps}")),
        Some(gaps) => (Verdict::Drift, gaps),
        None => (values, reason),
    };
    report
}

fn judge_missing(report: &ColumnReport, config: &DriftConfig) -> (Verdict, Option<String>) {
    let Some(missing) = &report.missing else { return (Verdict::Ok, None) };
    let (before, after) = (missing.reference.unwrap_or(0.0), missing.current.unwrap_or(0.0));
    match missing.adjusted_p {
        Some(p) if p <= report.alpha && (after - before).abs() >= config.min_missing_change => {
            let (before, after) = (before * 100.0, after * 100.0);
            let words = format!("missing share went from {before:.1} % to {after:.1} %, adjusted p {p:.4}");
            (Verdict::Drift, Some(words))
        }
        // all of both windows is missing, or one has no rows: there is no share to compare
        None if missing.reference.is_none() || missing.current.is_none() => (Verdict::Inconclusive, None),
        _ => (Verdict::Ok, None),
    }
}

fn judge_values(report: &ColumnReport, config: &DriftConfig) -> (Verdict, String) {
    let rejected = report.adjusted_p.is_some_and(|p| p <= report.alpha);
    let (p, effect, limit) = (report.adjusted_p.unwrap_or(1.0), report.effect.unwrap_or(0.0), report.min_effect);
    let categories = categories_in_words(report);
    if rejected && effect >= limit {
        let why = decisive(report);
        let words = format!("values changed{why}: effect {effect:.3} (limit {limit}), adjusted p {p:.4}{categories}");
        return (Verdict::Drift, words);
    }
    if report.n_reference == 0 || report.n_current == 0 {
        let window = if report.n_reference == 0 { "reference" } else { "current" };
        return (Verdict::Inconclusive, format!("no values in the {window} window"));
    }
    if rejected {
        let words = format!(
            "a real but small change: effect {effect:.3} below the limit {limit}, adjusted p {p:.4}{categories}"
        );
        return (Verdict::Ok, words);
    }
    if report.n_reference < config.min_rows {
        let (found, needed) = (report.n_reference, config.min_rows);
        return (Verdict::Inconclusive, format!("{found} values in the reference window: needs >= {needed} rows"));
    }
    if let Some(needed) = report.needs_rows {
        let (found, effective) = (report.n_current, report.effective_n);
        let words =
            format!("{found} values are worth {effective:.1} independent ones: needs >= {needed} rows{categories}");
        return (Verdict::Inconclusive, words);
    }
    if report.smallest_adjusted_p > report.alpha {
        let (smallest, alpha) = (report.smallest_adjusted_p, report.alpha);
        let words = format!(
            "the smallest p that this calibration can give is {smallest:.3}, above the level {alpha}: needs a longer reference"
        );
        return (Verdict::Inconclusive, words);
    }
    (Verdict::Ok, format!("no change found: effect {effect:.3}, adjusted p {p:.4}{categories}"))
}

/// Which piece of evidence spoke loudest, where there are several.
fn decisive(report: &ColumnReport) -> &'static str {
    let Some(evidence) = &report.evidence else { return "" };
    let p = |p: Option<f64>| p.unwrap_or(1.0);
    let (own, level, peers) = (p(evidence.distance), p(evidence.level), p(evidence.beyond_peers));
    if peers < own.min(level) {
        " (the level, beside the other columns)"
    } else if level < own {
        " (the level)"
    } else {
        " (the distribution)"
    }
}

fn categories_in_words(report: &ColumnReport) -> String {
    let Some(categories) = &report.categories else { return String::new() };
    [("new", &categories.new), ("gone", &categories.vanished)]
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| format!("; {what}: {}", listed(names.iter().map(String::as_str))))
        .collect()
}

pub(super) fn summarise(
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
    let is_category = |column: &&ColumnReport| column.categories.is_some();
    ColumnDriftReport {
        verdict,
        reason,
        numbers: PartVerdict::of(columns.iter().filter(|c| !is_category(c)).map(|c| (c.name.as_str(), c.values))),
        categories: PartVerdict::of(columns.iter().filter(is_category).map(|c| (c.name.as_str(), c.values))),
        missing: PartVerdict::of(
            columns
                .iter()
                .map(|c| (c.name.as_str(), c.missing.as_ref().map_or(Verdict::Ok, |missing| missing.verdict))),
        ),
        calibration: config.calibration,
        statistic: config.statistic,
        alpha: config.alpha,
        correction: config.correction,
        replicates,
        reference_rows,
        current_rows,
        reference_stamps: circle.reference,
        current_stamps: circle.current,
        domain: None,
        drifted,
        inconclusive,
        columns,
    }
}

/// The first names, and how many more there are.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    let (shown, rest) = names.split_at(names.len().min(SHOWN));
    let shown = shown.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if rest.is_empty() { shown } else { format!("{shown} and {} more", rest.len()) }
}
