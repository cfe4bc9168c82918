//! Performance drift: is the model worse now than it was on the reference, beyond what chance and overlap explain?

use serde::{Deserialize, Serialize};

use super::config::{PerformanceConfig, PerformanceMetric, PerformanceRule};
use super::report::Verdict;
use super::sample::{DriftError, Scored};
use crate::metric::compare::{
    HacEstimate, auc_influence, cluster_by_time, log_loss_row, student_quantile, student_tail,
};
use crate::stats::sum::mean;

/// One-sided 5 % test with 80 % power: `z(.95) + z(.8)`.
const DETECTABLE_ERRORS: f64 = 2.49;

/// Performance drift of one model between two windows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PerformanceReport {
    /// The answer by the chosen metric.
    pub verdict: Verdict,
    /// The answer in one sentence.
    pub reason: String,
    /// What the answer rests on.
    pub rule: PerformanceRule,
    /// The chosen metric.
    pub metric: PerformanceMetric,
    /// The mean absolute error of the probabilities; it decides only under `rule: mae_rise`.
    pub absolute_error: Option<AbsoluteError>,
    /// One-sided level of the lower bounds.
    pub alpha: f64,
    /// Size of the reference window.
    pub reference: WindowSize,
    /// Size of the current window.
    pub current: WindowSize,
    /// Every metric with its own answer, the chosen one first.
    pub metrics: Vec<MetricDrift>,
}

/// The mean absolute error `mean |label - probability|` of both windows, and what knowing the base rate alone would give.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AbsoluteError {
    /// Of the reference.
    pub reference: f64,
    /// Of the current window.
    pub current: f64,
    /// `current / reference - 1`.
    pub rise: Option<f64>,
    /// Of the reference, over `2 b (1 - b)`, the error of always saying its base rate b.
    pub reference_relative: Option<f64>,
    /// Likewise of the current window: below 1 is better than knowing nothing.
    pub current_relative: Option<f64>,
}

impl AbsoluteError {
    fn between(reference: &Scored, current: &Scored) -> Option<Self> {
        let (before, after) = (mean_absolute_error(reference)?, mean_absolute_error(current)?);
        Some(Self {
            reference: before.0,
            current: after.0,
            rise: (before.0 > 0.0).then(|| after.0 / before.0 - 1.0),
            reference_relative: before.1,
            current_relative: after.1,
        })
    }
}

/// The error, and the error relative to that of the base rate.
fn mean_absolute_error(window: &Scored) -> Option<(f64, Option<f64>)> {
    let outcome: Vec<f64> = window.label.iter().map(|&label| f64::from(u8::from(label))).collect();
    let errors: Vec<f64> = outcome.iter().zip(&window.probability).map(|(y, p)| (y - p).abs()).collect();
    let (error, base) = (mean(&errors)?, mean(&outcome)?);
    let trivial = 2.0 * base * (1.0 - base);
    Some((error, (trivial > 0.0).then(|| error / trivial)))
}

/// What a window holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowSize {
    /// Rows.
    pub rows: usize,
    /// Rows with a positive label.
    pub positives: usize,
    /// Rows with a known R multiple.
    pub with_r: usize,
    /// Distinct time stamps.
    pub stamps: usize,
}

/// The fall of one metric from the reference to the current window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricDrift {
    /// Which metric.
    pub metric: PerformanceMetric,
    /// The answer by this metric.
    pub verdict: Verdict,
    /// The answer in one sentence.
    pub reason: String,
    /// The metric on the reference window.
    pub reference: Option<HacEstimate>,
    /// The metric on the current window.
    pub current: Option<HacEstimate>,
    /// Reference less current: positive is worse now.
    pub degradation: Option<f64>,
    /// Standard error of `degradation`; the windows are taken as independent of each other.
    pub se: Option<f64>,
    /// Degrees of freedom (Welch and Satterthwaite).
    pub dof: Option<f64>,
    /// Lower bound of `degradation` at the one-sided level.
    pub lower: Option<f64>,
    /// One-sided p that the metric fell.
    pub p: Option<f64>,
    /// Fall that is tolerated.
    pub limit: f64,
    /// Fall found with 80 % power at the one-sided 5 % level: `2.49 se`.
    pub minimum_detectable: Option<f64>,
}

/// Compares a model's performance on two windows of rows with known outcome.
///
/// Each metric is a mean of row influences, added up per time stamp, with a HAC error in both windows. The verdict is
/// `drift` if the lower bound of the fall is above 0 and the fall exceeds its limit; `inconclusive` if a window has
/// fewer than `min_rows` rows or `min_per_class` rows of a class, or if nothing was found and a window is worth fewer
/// than `min_effective` independent time stamps, or if the fall exceeds its limit without being proven; else `ok`.
///
/// # Errors
/// A window is malformed or a setting out of range; thin or one-sided data is an answer, not an error.
///
/// # References
/// Newey and West (1987); Welch (1947) for the degrees of freedom of a difference.
pub fn performance_drift(
    reference: &Scored,
    current: &Scored,
    config: &PerformanceConfig,
) -> Result<PerformanceReport, DriftError> {
    config.check()?;
    reference.check("reference")?;
    current.check("current")?;
    let mut order = vec![PerformanceMetric::Auc, PerformanceMetric::LogLossSkill, PerformanceMetric::Expectancy];
    order.sort_by_key(|&metric| metric != config.metric);
    let metrics: Vec<MetricDrift> =
        order.into_iter().map(|metric| metric_drift(metric, reference, current, config)).collect();
    let absolute_error = AbsoluteError::between(reference, current);
    let (verdict, reason) = match config.rule {
        PerformanceRule::Significant => (metrics[0].verdict, metrics[0].reason.clone()),
        PerformanceRule::MaeRise => judge_rise(absolute_error, config.max_mae_rise),
    };
    Ok(PerformanceReport {
        verdict,
        reason,
        rule: config.rule,
        absolute_error,
        metric: config.metric,
        alpha: config.alpha,
        reference: WindowSize::of(reference),
        current: WindowSize::of(current),
        metrics,
    })
}

/// The raw rule: no interval, no regard for how hard the window was.
fn judge_rise(error: Option<AbsoluteError>, limit: f64) -> (Verdict, String) {
    let Some(AbsoluteError { reference, current, rise: Some(rise), .. }) = error else {
        return (Verdict::Inconclusive, "the mean absolute error is undefined on a window".to_owned());
    };
    let words = format!(
        "mae went from {reference:.3} to {current:.3}: {:+.1} % (limit {:.0} %); a rule without a test, see `rule: significant`",
        100.0 * rise,
        100.0 * limit
    );
    (if rise > limit { Verdict::Drift } else { Verdict::Ok }, words)
}

impl WindowSize {
    fn of(window: &Scored) -> Self {
        Self {
            rows: window.rows(),
            positives: window.label.iter().filter(|&&label| label).count(),
            with_r: window.r.iter().filter(|r| !r.is_nan()).count(),
            stamps: window.time.chunk_by(|a, b| a == b).count(),
        }
    }

    fn fewest_of_a_class(&self) -> usize {
        self.positives.min(self.rows - self.positives)
    }
}

fn metric_drift(
    metric: PerformanceMetric,
    reference: &Scored,
    current: &Scored,
    config: &PerformanceConfig,
) -> MetricDrift {
    let (before, after) = (estimate(metric, reference), estimate(metric, current));
    let fall = before.zip(after).map(|(before, after)| Fall::between(before, after, config.alpha));
    let limit = config.limit(metric);
    let (verdict, reason) = decide(metric, (reference, before), (current, after), fall.as_ref(), config);
    MetricDrift {
        metric,
        verdict,
        reason,
        reference: before,
        current: after,
        degradation: fall.as_ref().map(|fall| fall.size),
        se: fall.as_ref().map(|fall| fall.se),
        dof: fall.as_ref().map(|fall| fall.dof),
        lower: fall.as_ref().and_then(|fall| fall.lower),
        p: fall.as_ref().and_then(|fall| fall.p),
        limit,
        minimum_detectable: fall.as_ref().filter(|fall| fall.se > 0.0).map(|fall| DETECTABLE_ERRORS * fall.se),
    }
}

struct Fall {
    size: f64,
    se: f64,
    dof: f64,
    lower: Option<f64>,
    p: Option<f64>,
}

impl Fall {
    fn between(before: HacEstimate, after: HacEstimate, alpha: f64) -> Self {
        let size = before.value - after.value;
        let (v, w) = (before.se * before.se, after.se * after.se);
        let se = (v + w).sqrt();
        let spread = v * v / before.dof + w * w / after.dof;
        let dof = if spread > 0.0 { (v + w) * (v + w) / spread } else { before.dof.min(after.dof) };
        let lower = student_quantile(1.0 - alpha, dof).map(|t| size - t * se);
        let p = if se > 0.0 { student_tail(size / se, dof) } else { (size == 0.0).then_some(1.0) };
        Self { size, se, dof, lower, p }
    }
}

fn estimate(metric: PerformanceMetric, window: &Scored) -> Option<HacEstimate> {
    match metric {
        PerformanceMetric::Auc => {
            let (auc, influence) = auc_influence(&window.label, &window.probability).ok()?;
            Some(HacEstimate::new(auc, &cluster_by_time(&window.time, &influence)))
        }
        PerformanceMetric::LogLossSkill => log_loss_skill(window),
        PerformanceMetric::Expectancy => {
            let known = window.time.iter().zip(&window.r).filter(|(_, r)| !r.is_nan());
            let (time, r): (Vec<i64>, Vec<f64>) = known.unzip();
            let value = mean(&r)?;
            let influence: Vec<f64> = r.iter().map(|r| r - value).collect();
            Some(HacEstimate::new(value, &cluster_by_time(&time, &influence)))
        }
    }
}

/// `1 - L/H` with the entropy H of the base rate; the base rate is estimated too, so its error enters by `dH/dp`.
fn log_loss_skill(window: &Scored) -> Option<HacEstimate> {
    let outcome: Vec<f64> = window.label.iter().map(|&label| f64::from(u8::from(label))).collect();
    let base = mean(&outcome).filter(|base| *base > 0.0 && *base < 1.0)?;
    let losses: Vec<f64> = window.label.iter().zip(&window.probability).map(|(&y, &p)| log_loss_row(y, p)).collect();
    let loss = mean(&losses)?;
    let entropy = -(base * libm::log(base) + (1.0 - base) * libm::log1p(-base));
    let slope = libm::log((1.0 - base) / base);
    let influence = losses
        .iter()
        .zip(&outcome)
        .map(|(row, y)| -(row - loss) / entropy + loss / (entropy * entropy) * slope * (y - base));
    let influence: Vec<f64> = influence.collect();
    Some(HacEstimate::new(1.0 - loss / entropy, &cluster_by_time(&window.time, &influence)))
}

fn decide(
    metric: PerformanceMetric,
    reference: (&Scored, Option<HacEstimate>),
    current: (&Scored, Option<HacEstimate>),
    fall: Option<&Fall>,
    config: &PerformanceConfig,
) -> (Verdict, String) {
    for (name, window) in [("reference", reference.0), ("current", current.0)] {
        if let Some(shortage) = shortage(metric, WindowSize::of(window), config) {
            return (
                Verdict::Inconclusive,
                format!("{} cannot be judged: the {name} window has {shortage}", metric.name()),
            );
        }
    }
    let (Some(before), Some(after), Some(fall)) = (reference.1, current.1, fall) else {
        return (Verdict::Inconclusive, format!("{} cannot be judged: it is undefined on a window", metric.name()));
    };
    let limit = config.limit(metric);
    let numbers = format!(
        "{} went from {:.3} to {:.3}: fall {:.3} (se {:.3}, lower bound {:.3}, limit {limit})",
        metric.name(),
        before.value,
        after.value,
        fall.size,
        fall.se,
        fall.lower.unwrap_or(f64::NEG_INFINITY),
    );
    if fall.lower.is_some_and(|lower| lower > 0.0) && fall.size > limit {
        return (Verdict::Drift, numbers);
    }
    for (name, estimate) in [("reference", before), ("current", after)] {
        let effective = estimate.effective_n();
        if effective < config.min_effective {
            let needed = (config.min_effective * estimate.tau).ceil();
            let shortage =
                format!("the {name} window is worth {effective:.1} independent time stamps, needs >= {needed} stamps");
            return (Verdict::Inconclusive, format!("{numbers}; {shortage}"));
        }
    }
    if fall.size > limit {
        return (Verdict::Inconclusive, format!("{numbers}; it fell by more than the limit, which may be chance"));
    }
    (Verdict::Ok, numbers)
}

fn shortage(metric: PerformanceMetric, size: WindowSize, config: &PerformanceConfig) -> Option<String> {
    let rows = if metric == PerformanceMetric::Expectancy { size.with_r } else { size.rows };
    if rows < config.min_rows.max(1) {
        let what = if metric == PerformanceMetric::Expectancy { "rows with a known R" } else { "rows" };
        return Some(format!("{rows} {what}, needs >= {}", config.min_rows.max(1)));
    }
    let fewest = size.fewest_of_a_class();
    let needed = config.min_per_class.max(1);
    if metric != PerformanceMetric::Expectancy && fewest < needed {
        let (positives, rows) = (size.positives, size.rows);
        return Some(format!("{positives} positives in {rows} rows, needs >= {needed} rows of each class"));
    }
    None
}
