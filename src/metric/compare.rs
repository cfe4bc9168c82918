//! Which of two models is better on the same rows, and how sure that is.
//!
//! Rows of a trading model overlap in time, so their losses are correlated and the textbook errors are too small: on
//! overlapping trades DeLong's test rejects equal models about one time in three at a nominal 5 %. Here a metric is
//! written as a mean of per-row influences in time order, and the error of that mean is a HAC one:
//!
//! ```text
//! tau = integrated autocorrelation time of the influences
//! L   = min(n/4, max(4, ceil(3 tau)))          Bartlett lag window
//! se  = sqrt(long_run_variance(L) / n)
//! dof = max(4, n / (1.5 L))                    Student t; few independent stretches mean heavy tails
//! ```
//!
//! Several rows may share one time stamp (a panel). [`cluster_by_time`] adds them up first, so that correlation within
//! a stamp is paid for in full and the order of rows inside a stamp cannot matter.
//!
//! *Not guaranteed*: a fixed holdout that was looked at many times is no longer a holdout; no error bar knows that.
//!
//! # NaN
//! Scores must be finite ([`CompareError::NotFinite`]); statistics that do not exist are `None`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use statrs::distribution::{Continuous, ContinuousCDF, Normal, StudentsT};

use crate::stats::dependence::{autocovariance, integrated_autocorrelation_time, long_run_variance};
use crate::stats::order::midranks;
use crate::stats::sum::{mean, sum, variance};

/// Two-sided level of the reported interval: its lower end is the one-sided 95 % bound.
const INTERVAL_LEVEL: f64 = 0.90;

/// One-sided 10 % test with 80 % power: `z(.9) + z(.8)`.
const DETECTABLE_ERRORS: f64 = 2.12;

/// Probabilities are kept this far from 0 and 1 before a logarithm is taken, as scikit-learn used to.
const LOG_LOSS_CLIP: f64 = 1e-15;

/// Why two models cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompareError {
    /// Inputs differ in length.
    #[error("expected {expected} values of `{what}`, found {found}")]
    Length {
        /// Which input.
        what: &'static str,
        /// Number of rows of the first input.
        expected: usize,
        /// Number found.
        found: usize,
    },
    /// Too few rows for an error bar.
    #[error("expected at least {expected} rows, found {found}")]
    TooFew {
        /// Smallest number that works.
        expected: usize,
        /// Number found.
        found: usize,
    },
    /// A value is NaN or infinite.
    #[error("expected a finite value of `{what}` in row {row}")]
    NotFinite {
        /// Which input.
        what: &'static str,
        /// Row from 0.
        row: usize,
    },
    /// Every row has the same label.
    #[error("expected both classes, found {positives} positives in {rows} rows")]
    OneClass {
        /// Positive rows.
        positives: usize,
        /// All rows.
        rows: usize,
    },
    /// Returns without any variation have no Sharpe ratio.
    #[error("expected returns that vary, found constant `{what}`")]
    Constant {
        /// Which input.
        what: &'static str,
    },
}

/// A metric with its dependence-aware standard error.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HacEstimate {
    /// The metric.
    pub value: f64,
    /// Standard error; 0 when the influences do not vary.
    pub se: f64,
    /// Degrees of freedom of the Student t.
    pub dof: f64,
    /// Integrated autocorrelation time of the influences, in rows (or time stamps once clustered).
    pub tau: f64,
    /// Lags in the Bartlett window.
    pub lag: usize,
    /// Length of the influence series.
    pub n: usize,
}

impl HacEstimate {
    /// Attaches an error to `value` from the influences of the rows in time order.
    pub fn new(value: f64, influence: &[f64]) -> Self {
        let n = influence.len();
        let tau = integrated_autocorrelation_time(influence);
        let lag = (n / 4).min(4_usize.max((3.0 * tau).ceil() as usize));
        let dof = (n as f64 / (1.5 * lag.max(1) as f64)).max(4.0);
        let largest = influence.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        let se = (long_run_variance(influence, lag) / n.max(1) as f64).sqrt();
        // what is left after centring constants is rounding, not evidence
        let se = if se <= largest * 1e-14 { 0.0 } else { se };
        Self { value, se, dof, tau, lag, n }
    }

    /// Estimates a plain mean of rows in time order; `None` without rows.
    pub fn of_mean(values: &[f64]) -> Option<Self> {
        mean(values).map(|value| Self::new(value, values))
    }

    /// Independent observations the series is worth: `n / tau`.
    pub fn effective_n(&self) -> f64 {
        self.n as f64 / self.tau
    }

    /// The bound that the true value exceeds with confidence `1 - alpha`; `None` outside `0 < alpha < 1`.
    pub fn lower_bound(&self, alpha: f64) -> Option<f64> {
        student_quantile(1.0 - alpha, self.dof).map(|t| self.value - t * self.se)
    }

    /// The bound that the true value stays under with confidence `1 - alpha`; `None` outside `0 < alpha < 1`.
    pub fn upper_bound(&self, alpha: f64) -> Option<f64> {
        student_quantile(1.0 - alpha, self.dof).map(|t| self.value + t * self.se)
    }

    /// Chance of a value at least this large if the truth were `bound`. Without any variation there is no test, except
    /// that a value equal to the bound is no evidence at all.
    pub fn p_greater_than(&self, bound: f64) -> Option<f64> {
        let excess = self.value - bound;
        if self.se > 0.0 { student_tail(excess / self.se, self.dof) } else { (excess == 0.0).then_some(1.0) }
    }
}

/// A paired comparison; positive means that the challenger is better.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairedTest {
    /// Improvement of the challenger, in units of the metric.
    pub delta: f64,
    /// HAC standard error of `delta`; 0 for identical models.
    pub se: f64,
    /// `delta / se`.
    pub t: Option<f64>,
    /// Degrees of freedom of the Student t.
    pub dof: f64,
    /// One-sided p that the challenger is better.
    pub p_greater: Option<f64>,
    /// Lower end of the 90 % interval of `delta`.
    pub low: Option<f64>,
    /// Upper end of the 90 % interval of `delta`.
    pub high: Option<f64>,
    /// Integrated autocorrelation time of the influence differences.
    pub tau: f64,
    /// Lags in the Bartlett window.
    pub lag: usize,
    /// Rows, or time stamps once clustered.
    pub n: usize,
    /// Improvement found with 80 % power at the one-sided 10 % level: `2.12 se`.
    pub minimum_detectable: Option<f64>,
}

impl PairedTest {
    /// Tests `delta` with the error that the influence differences of the rows, in time order, give it.
    pub fn new(delta: f64, influence_difference: &[f64]) -> Self {
        Self::from_estimate(HacEstimate::new(delta, influence_difference))
    }

    fn from_estimate(estimate: HacEstimate) -> Self {
        let tail = (1.0 - INTERVAL_LEVEL) / 2.0;
        let varies = estimate.se > 0.0;
        let settled = varies || estimate.value == 0.0;
        Self {
            delta: estimate.value,
            se: estimate.se,
            t: varies.then(|| estimate.value / estimate.se),
            dof: estimate.dof,
            p_greater: estimate.p_greater_than(0.0),
            low: estimate.lower_bound(tail).filter(|_| settled),
            high: estimate.upper_bound(tail).filter(|_| settled),
            tau: estimate.tau,
            lag: estimate.lag,
            n: estimate.n,
            minimum_detectable: varies.then_some(DETECTABLE_ERRORS * estimate.se),
        }
    }

    /// The estimate behind the test, for other bounds and levels.
    pub fn estimate(&self) -> HacEstimate {
        HacEstimate { value: self.delta, se: self.se, dof: self.dof, tau: self.tau, lag: self.lag, n: self.n }
    }
}

/// A score of probabilities that two models can be compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScoreMetric {
    /// Area under the ROC curve; an improvement is a rise.
    Auc,
    /// Mean logarithmic loss in nats; an improvement is a fall.
    LogLoss,
    /// Mean squared error of the probability; an improvement is a fall.
    Brier,
}

impl ScoreMetric {
    /// The metric's name as written in a pipeline.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auc => "auc",
            Self::LogLoss => "log_loss",
            Self::Brier => "brier",
        }
    }
}

/// Compares two models on the same rows by `metric`; rows that share a time stamp are added up first.
///
/// # Errors
/// See [`CompareError`].
pub fn paired_by_time(
    metric: ScoreMetric,
    time: &[i64],
    labels: &[bool],
    champion: &[f64],
    challenger: &[f64],
) -> Result<PairedTest, CompareError> {
    same_length("time", labels.len(), time.len())?;
    let (delta, difference) = influence_difference(metric, labels, champion, challenger)?;
    Ok(PairedTest::new(delta, &cluster_by_time(time, &difference)))
}

/// Compares the areas under the ROC curve of two models on the same rows, in time order.
///
/// # Errors
/// Lengths differ, a score is not finite, or a class is missing.
///
/// # References
/// Sun and Xu (2014), Fast Implementation of DeLong's Algorithm (placements by midranks).
pub fn paired_auc(labels: &[bool], champion: &[f64], challenger: &[f64]) -> Result<PairedTest, CompareError> {
    paired(ScoreMetric::Auc, labels, champion, challenger)
}

/// Compares the log losses of two models; `delta` is the loss of the champion less that of the challenger.
///
/// # Errors
/// Lengths differ, a probability is not finite, or there are no rows.
///
/// # References
/// Diebold and Mariano (1995), Comparing Predictive Accuracy.
pub fn paired_log_loss(labels: &[bool], champion: &[f64], challenger: &[f64]) -> Result<PairedTest, CompareError> {
    paired(ScoreMetric::LogLoss, labels, champion, challenger)
}

/// Compares the Brier scores of two models; `delta` is the score of the champion less that of the challenger.
///
/// # Errors
/// Lengths differ, a probability is not finite, or there are no rows.
pub fn paired_brier(labels: &[bool], champion: &[f64], challenger: &[f64]) -> Result<PairedTest, CompareError> {
    paired(ScoreMetric::Brier, labels, champion, challenger)
}

/// Tests whether the mean of per-row differences (challenger's gain, in time order) is above 0.
///
/// # Errors
/// A difference is not finite, or there are no rows.
pub fn paired_mean(differences: &[f64]) -> Result<PairedTest, CompareError> {
    finite("differences", differences)?;
    let delta = mean(differences).ok_or(CompareError::TooFew { expected: 1, found: 0 })?;
    Ok(PairedTest::new(delta, differences))
}

/// Compares the Sharpe ratios (population deviation, not annualised) of two return series of the same periods.
///
/// `influence = (x - mean)/sd - SR/2 ((x - mean)^2/sd^2 - 1)`
///
/// # Errors
/// Lengths differ, a return is not finite, or a series is constant.
///
/// # References
/// Ledoit and Wolf (2008), Robust Performance Hypothesis Testing with the Sharpe Ratio.
pub fn paired_sharpe(champion: &[f64], challenger: &[f64]) -> Result<PairedTest, CompareError> {
    same_length("challenger", champion.len(), challenger.len())?;
    let (first, first_influence) = sharpe_influence("champion", champion)?;
    let (second, second_influence) = sharpe_influence("challenger", challenger)?;
    Ok(PairedTest::new(second - first, &difference(&second_influence, &first_influence)))
}

fn paired(
    metric: ScoreMetric,
    labels: &[bool],
    champion: &[f64],
    challenger: &[f64],
) -> Result<PairedTest, CompareError> {
    let (delta, difference) = influence_difference(metric, labels, champion, challenger)?;
    Ok(PairedTest::new(delta, &difference))
}

fn influence_difference(
    metric: ScoreMetric,
    labels: &[bool],
    champion: &[f64],
    challenger: &[f64],
) -> Result<(f64, Vec<f64>), CompareError> {
    for (what, scores) in [("champion", champion), ("challenger", challenger)] {
        same_length(what, labels.len(), scores.len())?;
        finite(what, scores)?;
    }
    let losses = |loss: fn(bool, f64) -> f64| {
        let gain = difference(&row_losses(labels, champion, loss), &row_losses(labels, challenger, loss));
        let delta = mean(&gain).ok_or(CompareError::TooFew { expected: 1, found: 0 })?;
        Ok((delta, gain))
    };
    match metric {
        ScoreMetric::LogLoss => losses(log_loss_row),
        ScoreMetric::Brier => losses(brier_row),
        ScoreMetric::Auc => {
            let (first, second) = (auc_influence(labels, champion)?, auc_influence(labels, challenger)?);
            Ok((second.0 - first.0, difference(&second.1, &first.1)))
        }
    }
}

/// Returns the area under the ROC curve and the influence of each row on it (mean 0).
///
/// A positive row's placement is the share of negatives scored below it (ties count half), a negative row's the share
/// of positives above it; the influence is the placement less the area, scaled by `n / n_class`.
///
/// # Errors
/// Lengths differ, a score is not finite, or a class is missing.
pub fn auc_influence(labels: &[bool], scores: &[f64]) -> Result<(f64, Vec<f64>), CompareError> {
    let placements = Placements::new(labels, scores)?;
    let rows = labels.len() as f64;
    let influence = labels.iter().zip(&placements.of_row).map(|(&label, placement)| {
        let class = if label { placements.positives } else { placements.negatives };
        (placement - placements.auc) * rows / class as f64
    });
    let influence = influence.collect();
    Ok((placements.auc, influence))
}

struct Placements {
    auc: f64,
    positives: usize,
    negatives: usize,
    of_row: Vec<f64>,
}

impl Placements {
    fn new(labels: &[bool], scores: &[f64]) -> Result<Self, CompareError> {
        same_length("scores", labels.len(), scores.len())?;
        finite("scores", scores)?;
        let positives = labels.iter().filter(|&&label| label).count();
        let negatives = labels.len() - positives;
        if positives == 0 || negatives == 0 {
            return Err(CompareError::OneClass { positives, rows: labels.len() });
        }
        let class_scores = |wanted: bool| -> Vec<f64> {
            labels.iter().zip(scores).filter(|(label, _)| **label == wanted).map(|(_, &score)| score).collect()
        };
        let mut within_positives = midranks(&class_scores(true)).into_iter();
        let mut within_negatives = midranks(&class_scores(false)).into_iter();
        let of_row: Vec<f64> = labels
            .iter()
            .zip(midranks(scores))
            .map(|(&label, overall)| {
                if label {
                    (overall - within_positives.next().unwrap_or(overall)) / negatives as f64
                } else {
                    1.0 - (overall - within_negatives.next().unwrap_or(overall)) / positives as f64
                }
            })
            .collect();
        let of_positives = labels.iter().zip(&of_row).filter(|(label, _)| **label).map(|(_, &placement)| placement);
        let auc = sum(of_positives) / positives as f64;
        Ok(Self { auc, positives, negatives, of_row })
    }

    fn of_class(&self, labels: &[bool], wanted: bool) -> Vec<f64> {
        labels.iter().zip(&self.of_row).filter(|(label, _)| **label == wanted).map(|(_, &p)| p).collect()
    }
}

/// DeLong's comparison of two areas: right for independent rows only.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DelongTest {
    /// Area of the champion.
    pub auc_champion: f64,
    /// Area of the challenger.
    pub auc_challenger: f64,
    /// Variance of the champion's area.
    pub variance_champion: f64,
    /// Variance of the challenger's area.
    pub variance_challenger: f64,
    /// Covariance of the two areas.
    pub covariance: f64,
    /// Challenger less champion.
    pub delta: f64,
    /// Variance of `delta`.
    pub variance_delta: f64,
    /// `delta` over its standard error; 0 for identical scores.
    pub z: f64,
    /// Two-sided p.
    pub p_two_sided: f64,
    /// One-sided p that the challenger is better.
    pub p_greater: f64,
}

/// Compares two areas under the assumption of independent rows.
///
/// # Errors
/// Lengths differ, a score is not finite, or a class has fewer than two rows.
///
/// # References
/// DeLong, DeLong and Clarke-Pearson (1988), Comparing the Areas under Two or More Correlated ROC Curves.
pub fn delong(labels: &[bool], champion: &[f64], challenger: &[f64]) -> Result<DelongTest, CompareError> {
    same_length("challenger", champion.len(), challenger.len())?;
    let (first, second) = (Placements::new(labels, champion)?, Placements::new(labels, challenger)?);
    let smaller = first.positives.min(first.negatives);
    if smaller < 2 {
        return Err(CompareError::TooFew { expected: 2, found: smaller });
    }
    let covariance = |a: &Placements, b: &Placements| {
        let class = |wanted| {
            let (x, y) = (a.of_class(labels, wanted), b.of_class(labels, wanted));
            sample_covariance(&x, &y, a.auc, b.auc) / x.len() as f64
        };
        class(true) + class(false)
    };
    let (v1, v2, c) = (covariance(&first, &first), covariance(&second, &second), covariance(&first, &second));
    let delta = second.auc - first.auc;
    let variance_delta = (v1 + v2 - 2.0 * c).max(0.0);
    let z = if variance_delta > 0.0 { delta / variance_delta.sqrt() } else { 0.0 };
    let normal = Normal::standard();
    Ok(DelongTest {
        auc_champion: first.auc,
        auc_challenger: second.auc,
        variance_champion: v1,
        variance_challenger: v2,
        covariance: c,
        delta,
        variance_delta,
        z,
        p_two_sided: (2.0 * normal.sf(z.abs())).min(1.0),
        p_greater: normal.sf(z),
    })
}

fn sample_covariance(x: &[f64], y: &[f64], x_mean: f64, y_mean: f64) -> f64 {
    sum(x.iter().zip(y).map(|(a, b)| (a - x_mean) * (b - y_mean))) / (x.len() - 1) as f64
}

/// Diebold and Mariano's test of two loss series at a forecast horizon.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DieboldMariano {
    /// Statistic with the small-sample factor; positive when the challenger loses less.
    pub statistic: f64,
    /// One-sided p that the challenger loses less, from a Student t with `n - 1` degrees of freedom.
    pub p_greater: f64,
    /// Two-sided p.
    pub p_two_sided: f64,
}

/// Compares two series of losses at `horizon` steps: autocovariances up to `horizon - 1`, unweighted. `None` with fewer
/// than two rows, lengths that differ, no variation, or a negative variance estimate.
///
/// # References
/// Diebold and Mariano (1995); Harvey, Leybourne and Newbold (1997) for the factor.
pub fn diebold_mariano(champion_loss: &[f64], challenger_loss: &[f64], horizon: usize) -> Option<DieboldMariano> {
    let n = champion_loss.len();
    if n < 2 || challenger_loss.len() != n || horizon == 0 || horizon > n {
        return None;
    }
    let gain = difference(champion_loss, challenger_loss);
    let covariance = autocovariance(&gain, horizon - 1);
    let spread = (covariance[0] + 2.0 * sum(covariance[1..].iter().copied())) / n as f64;
    if spread <= 0.0 {
        return None;
    }
    let (count, h) = (n as f64, horizon as f64);
    let factor = ((count + 1.0 - 2.0 * h + h / count * (h - 1.0)) / count).sqrt();
    let statistic = mean(&gain)? / spread.sqrt() * factor;
    let p_greater = student_tail(statistic, count - 1.0)?;
    let p_two_sided = (2.0 * student_tail(statistic.abs(), count - 1.0)?).min(1.0);
    Some(DieboldMariano { statistic, p_greater, p_two_sided })
}

/// Adds up values that share a time stamp, scaled so that the mean over stamps is the mean over rows. One row per stamp
/// leaves the series as it is.
///
/// # Shape
/// `time` is nondecreasing and as long as `values`; stamps without values count as 0.
pub fn cluster_by_time(time: &[i64], values: &[f64]) -> Vec<f64> {
    let mut sums: Vec<f64> = Vec::new();
    let mut start = 0;
    for group in time.chunk_by(|a, b| a == b) {
        let end = start + group.len();
        // sorted first: a sum that depends on the order of rows inside a stamp would not be reproducible
        sums.push(sum(crate::stats::order::sorted(values.get(start..end).unwrap_or_default())));
        start = end;
    }
    if sums.len() == values.len() {
        return values.to_vec();
    }
    let scale = sums.len() as f64 / values.len() as f64;
    sums.into_iter().map(|total| total * scale).collect()
}

/// Logarithmic loss of one row in nats, probabilities clipped to `[1e-15, 1 - 1e-15]`.
pub fn log_loss_row(label: bool, probability: f64) -> f64 {
    let p = probability.clamp(LOG_LOSS_CLIP, 1.0 - LOG_LOSS_CLIP);
    if label { -libm::log(p) } else { -libm::log1p(-p) }
}

/// Squared error of one row's probability.
pub fn brier_row(label: bool, probability: f64) -> f64 {
    let error = probability - f64::from(u8::from(label));
    error * error
}

/// The quantile of Student's t; `None` outside `0 < q < 1` or without degrees of freedom.
///
/// A few Newton steps follow the library's inversion, whose last digits are those of a bisection.
pub fn student_quantile(q: f64, dof: f64) -> Option<f64> {
    if !(q > 0.0 && q < 1.0) {
        return None;
    }
    let student = StudentsT::new(0.0, 1.0, dof).ok()?;
    let mut t = student.inverse_cdf(q);
    for _ in 0..3 {
        let density = student.pdf(t);
        if density > 0.0 {
            t -= (student.cdf(t) - q) / density;
        }
    }
    t.is_finite().then_some(t)
}

/// The upper tail of Student's t.
pub fn student_tail(t: f64, dof: f64) -> Option<f64> {
    StudentsT::new(0.0, 1.0, dof).ok().map(|student| student.sf(t))
}

fn sharpe_influence(what: &'static str, returns: &[f64]) -> Result<(f64, Vec<f64>), CompareError> {
    finite(what, returns)?;
    let centre = mean(returns).ok_or(CompareError::TooFew { expected: 2, found: 0 })?;
    let spread = variance(returns, 0).map(f64::sqrt).filter(|sd| *sd > 0.0).ok_or(CompareError::Constant { what })?;
    let ratio = centre / spread;
    let influence = returns.iter().map(|x| {
        let z = (x - centre) / spread;
        z - ratio / 2.0 * (z * z - 1.0)
    });
    Ok((ratio, influence.collect()))
}

fn row_losses(labels: &[bool], probabilities: &[f64], loss: fn(bool, f64) -> f64) -> Vec<f64> {
    labels.iter().zip(probabilities).map(|(&label, &p)| loss(label, p)).collect()
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

fn same_length(what: &'static str, expected: usize, found: usize) -> Result<(), CompareError> {
    if expected == found { Ok(()) } else { Err(CompareError::Length { what, expected, found }) }
}

fn finite(what: &'static str, values: &[f64]) -> Result<(), CompareError> {
    match values.iter().position(|x| !x.is_finite()) {
        Some(row) => Err(CompareError::NotFinite { what, row }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn golden(name: &str) -> Value {
        let path = format!("{}/tests/golden/stats/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn numbers(value: &Value) -> Vec<f64> {
        value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
    }

    fn labels(value: &Value) -> Vec<bool> {
        numbers(value).into_iter().map(|x| x == 1.0).collect()
    }

    fn close(ours: f64, expected: &Value, tolerance: f64, what: &str) {
        let expected = expected.as_f64().unwrap();
        assert!((ours - expected).abs() <= tolerance, "{what}: {ours} expected {expected}");
    }

    fn check(test: &PairedTest, expect: &Value, what: &str) {
        close(test.delta, &expect["delta"], 1e-10, what);
        close(test.tau, &expect["tau"], 1e-10, what);
        assert_eq!(test.lag as u64, expect["L"].as_u64().unwrap(), "{what}");
        close(test.se, &expect["se"], 1e-10, what);
        close(test.dof, &expect["dof"], 1e-10, what);
        close(test.p_greater.unwrap(), &expect["p_greater"], 1e-10, what);
        assert_eq!(test.t.is_none(), expect["t"].is_null(), "{what}");
        if let Some(t) = test.t {
            close(t, &expect["t"], 1e-10, what);
            close(test.low.unwrap(), &expect["ci90"][0], 1e-10, what);
            close(test.high.unwrap(), &expect["ci90"][1], 1e-10, what);
        }
    }

    #[test]
    fn paired_tests_equal_the_reference() {
        for case in golden("hac_paired_test")["cases"].as_array().unwrap() {
            let (name, input, expect) = (case["name"].as_str().unwrap(), &case["input"], &case["expect"]);
            if input.get("champion_returns").is_some() {
                let test = paired_sharpe(&numbers(&input["champion_returns"]), &numbers(&input["challenger_returns"]));
                check(&test.unwrap(), expect, name);
                continue;
            }
            let (y, a, b) = (labels(&input["y"]), numbers(&input["champion"]), numbers(&input["challenger"]));
            check(&paired_auc(&y, &a, &b).unwrap(), &expect["auc"], name);
            if expect["auc"].get("auc1").is_some() {
                let (auc, first) = auc_influence(&y, &a).unwrap();
                close(auc, &expect["auc"]["auc1"], 1e-12, name);
                let (_, second) = auc_influence(&y, &b).unwrap();
                for (i, expected) in expect["auc"]["influence_diff_first8"].as_array().unwrap().iter().enumerate() {
                    close(second[i] - first[i], expected, 1e-10, name);
                }
            }
            if expect.get("brier_improvement").is_some() {
                check(&paired_log_loss(&y, &a, &b).unwrap(), &expect["log_loss_improvement"], name);
                check(&paired_brier(&y, &a, &b).unwrap(), &expect["brier_improvement"], name);
            }
        }
    }

    #[test]
    fn delong_equals_proc() {
        for case in golden("delong")["cases"].as_array().unwrap() {
            let (name, input, expect) = (case["name"].as_str().unwrap(), &case["input"], &case["expect"]);
            let test = delong(&labels(&input["y"]), &numbers(&input["s1"]), &numbers(&input["s2"])).unwrap();
            close(test.auc_champion, &expect["auc1"], 1e-12, name);
            close(test.auc_challenger, &expect["auc2"], 1e-12, name);
            close(test.variance_champion, &expect["var1"], 1e-12, name);
            close(test.variance_challenger, &expect["var2"], 1e-12, name);
            close(test.covariance, &expect["cov"], 1e-12, name);
            close(test.delta, &expect["delta_auc2_minus_auc1"], 1e-12, name);
            close(-test.z, &expect["z"], 1e-9, name);
            let two_sided = expect["p_two_sided"].as_f64().unwrap();
            assert!((test.p_two_sided / two_sided - 1.0).abs() < 1e-9, "{name}");
            assert!((test.p_greater / expect["p_less"].as_f64().unwrap() - 1.0).abs() < 1e-9, "{name}");
        }
    }

    #[test]
    fn diebold_mariano_equals_r_forecast() {
        let file = golden("diebold_mariano");
        let cases = file["cases"].as_array().unwrap();
        for case in cases {
            let source = case["input"]
                .get("same_errors_as")
                .map_or(case, |name| cases.iter().find(|c| &c["name"] == name).unwrap());
            let power = case["input"]["power"].as_i64().unwrap() as i32;
            let loss =
                |key: &str| numbers(&source["input"][key]).iter().map(|e| e.abs().powi(power)).collect::<Vec<_>>();
            let horizon = case["input"]["h"].as_u64().unwrap() as usize;
            let test = diebold_mariano(&loss("e1"), &loss("e2"), horizon).unwrap();
            let name = case["name"].as_str().unwrap();
            close(test.statistic, &case["expect"]["stat"], 1e-10, name);
            close(test.p_greater, &case["expect"]["p_greater"], 1e-10, name);
            close(test.p_two_sided, &case["expect"]["p_two_sided"], 1e-10, name);
        }
    }

    #[test]
    fn unusable_input_is_refused_with_its_cause() {
        let one_class = paired_auc(&[true; 4], &[0.1; 4], &[0.2; 4]);
        assert_eq!(one_class, Err(CompareError::OneClass { positives: 4, rows: 4 }));
        let short = paired_brier(&[true, false], &[0.5], &[0.5, 0.5]);
        assert_eq!(short, Err(CompareError::Length { what: "champion", expected: 2, found: 1 }));
        let missing = paired_brier(&[true, false], &[0.5, 0.5], &[0.5, f64::NAN]);
        assert_eq!(missing, Err(CompareError::NotFinite { what: "challenger", row: 1 }));
        assert!(paired_mean(&[]).is_err() && paired_log_loss(&[], &[], &[]).is_err());
        assert!(paired_sharpe(&[0.1; 9], &[0.1; 9]).is_err());
    }

    #[test]
    fn a_constant_gain_is_no_test() {
        let test = paired_mean(&[0.1; 40]).unwrap();
        assert_eq!((test.t, test.p_greater, test.low, test.minimum_detectable), (None, None, None, None));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn exchanging_the_models_changes_the_sign(rows in proptest::collection::vec((any::<bool>(), 0.01_f64..0.99, 0.01_f64..0.99), 8..60)) {
            let y: Vec<bool> = rows.iter().map(|r| r.0).collect();
            prop_assume!(y.contains(&true) && y.contains(&false));
            let (a, b): (Vec<f64>, Vec<f64>) = rows.iter().map(|r| (r.1, r.2)).unzip();
            for test in [paired_auc, paired_log_loss, paired_brier] {
                let (forward, backward) = (test(&y, &a, &b).unwrap(), test(&y, &b, &a).unwrap());
                prop_assert!((forward.delta + backward.delta).abs() < 1e-12);
                prop_assert!((forward.se - backward.se).abs() < 1e-12);
            }
        }

        #[test]
        fn order_inside_a_time_stamp_does_not_matter(rows in proptest::collection::vec((0_i64..6, any::<bool>(), 0.01_f64..0.99, 0.01_f64..0.99), 12..40)) {
            let mut sorted = rows.clone();
            sorted.sort_by_key(|r| r.0);
            prop_assume!(sorted.iter().any(|r| r.1) && sorted.iter().any(|r| !r.1));
            let run = |rows: &[(i64, bool, f64, f64)]| {
                let time: Vec<i64> = rows.iter().map(|r| r.0).collect();
                let y: Vec<bool> = rows.iter().map(|r| r.1).collect();
                let (a, b): (Vec<f64>, Vec<f64>) = rows.iter().map(|r| (r.2, r.3)).unzip();
                paired_by_time(ScoreMetric::Auc, &time, &y, &a, &b).unwrap()
            };
            let before = run(&sorted);
            let mut turned = sorted.clone();
            turned.reverse();
            turned.sort_by_key(|r| r.0);
            let after = run(&turned);
            prop_assert!((before.delta - after.delta).abs() < 1e-12 && (before.se - after.se).abs() < 1e-12);
        }
    }
}
