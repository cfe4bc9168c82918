//! Metrics, methods, and the paired test that joins them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bootstrap::paired_bootstrap;
use super::classical::{delong, diebold_mariano};
use super::error::{CompareError, finite, same_length};
use super::estimate::HacEstimate;
use super::influence::{
    auc_influence, brier_row, cluster_by_time, difference, log_loss_row, row_losses, sharpe_influence,
};
use crate::metric::classification::{average_precision, confusion_at};
use crate::stats::dependence::integrated_autocorrelation_time;
use crate::stats::sum::mean;

/// Two-sided level of the reported interval: its lower end is the one-sided 95 % bound.
const INTERVAL_LEVEL: f64 = 0.90;

/// One-sided 10 % test with 80 % power: `z(.9) + z(.8)`.
const DETECTABLE_ERRORS: f64 = 2.12;

/// A paired comparison; positive means that the challenger is better.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairedTest {
    /// How it was tested.
    pub method: TestMethod,
    /// Improvement of the challenger, in units of the metric.
    pub delta: f64,
    /// Standard error of `delta`; 0 for identical models.
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
    /// How far dependence is looked for, see [`HacEstimate::lag`].
    pub lag: usize,
    /// Rows, or time stamps once clustered.
    pub n: usize,
    /// Improvement found with 80 % power at the one-sided 10 % level: `2.12 se`.
    pub minimum_detectable: Option<f64>,
}

impl PairedTest {
    /// Tests `delta` with the Bartlett error that the influence differences of the rows, in time order, give it.
    pub fn new(delta: f64, influence_difference: &[f64]) -> Self {
        Self::of(TestMethod::Hac, HacEstimate::new(delta, influence_difference))
    }

    /// Tests an estimated difference.
    pub(super) fn of(method: TestMethod, estimate: HacEstimate) -> Self {
        let tail = (1.0 - INTERVAL_LEVEL) / 2.0;
        let varies = estimate.se > 0.0;
        let settled = varies || estimate.value == 0.0;
        Self {
            method,
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

/// A figure that two models can be compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScoreMetric {
    /// Area under the ROC curve; an improvement is a rise.
    Auc,
    /// Mean logarithmic loss in nats; an improvement is a fall.
    LogLoss,
    /// Mean squared error of the probability; an improvement is a fall.
    Brier,
    /// Average precision; an improvement is a rise.
    AveragePrecision,
    /// Matthews correlation at the threshold; an improvement is a rise.
    Mcc,
    /// F1 at the threshold; an improvement is a rise.
    F1,
    /// Sharpe ratio per session of the backtest with the model; an improvement is a rise.
    Sharpe,
}

impl ScoreMetric {
    /// The metric's name as written in a pipeline.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auc => "auc",
            Self::LogLoss => "log_loss",
            Self::Brier => "brier",
            Self::AveragePrecision => "average_precision",
            Self::Mcc => "mcc",
            Self::F1 => "f1",
            Self::Sharpe => "sharpe",
        }
    }

    /// The metric of one model where more is better, on rows of any order; `None` where it is undefined.
    fn gain(self, labels: &[bool], scores: &[f64], threshold: f64) -> Option<f64> {
        let decisions = || confusion_at(labels, scores, None, threshold);
        match self {
            Self::Auc => auc_influence(labels, scores).ok().map(|found| found.0),
            Self::LogLoss => mean(&row_losses(labels, scores, log_loss_row)).map(|loss| -loss),
            Self::Brier => mean(&row_losses(labels, scores, brier_row)).map(|loss| -loss),
            Self::AveragePrecision => {
                average_precision(labels, scores, None).filter(|_| labels.iter().any(|label| *label))
            }
            Self::Mcc => decisions().map(|counts| counts.mcc()),
            Self::F1 => decisions().map(|counts| counts.f1()),
            Self::Sharpe => None,
        }
    }
}

/// How a difference is tested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TestMethod {
    /// What suits the metric: low-frequency cosines of the influence differences, the bootstrap for metrics without.
    #[default]
    Auto,
    /// Influence differences with a Bartlett window that follows the autocorrelation time.
    Hac,
    /// DeLong, DeLong and Clarke-Pearson (1988): for AUC on independent rows only.
    Delong,
    /// Paired circular block bootstrap of time stamps.
    Bootstrap,
    /// Ledoit and Wolf (2008): influences of the Sharpe ratio, for `metric: sharpe` only.
    Sharpe,
    /// Diebold and Mariano (1995) with the factor of Harvey, Leybourne and Newbold (1997): for losses only, autocovariances
    /// up to the cube root of the number of time stamps.
    DieboldMariano,
}

impl TestMethod {
    /// The method's name as written in a pipeline.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Hac => "hac",
            Self::Delong => "delong",
            Self::Bootstrap => "bootstrap",
            Self::Sharpe => "sharpe",
            Self::DieboldMariano => "diebold_mariano",
        }
    }

    /// Says why a metric cannot be tested so, if it cannot.
    pub fn defect(self, metric: ScoreMetric) -> Option<CompareError> {
        let unsuited = |instead| Some(CompareError::Unsuited { method: self.name(), metric: metric.name(), instead });
        let (returns, loss) =
            (metric == ScoreMetric::Sharpe, matches!(metric, ScoreMetric::LogLoss | ScoreMetric::Brier));
        let smooth = loss || returns || metric == ScoreMetric::Auc;
        match self {
            Self::Auto | Self::Bootstrap => None,
            Self::Hac if !smooth => unsuited("use `auto` or `bootstrap`"),
            Self::Delong if metric != ScoreMetric::Auc => unsuited("DeLong's test is for `auc`"),
            Self::Sharpe if !returns => unsuited("that test is for `sharpe`"),
            Self::DieboldMariano if !loss => unsuited("that test is for `log_loss` and `brier`"),
            _ => None,
        }
    }
}

/// The rows that two models are compared on, in time order.
#[derive(Clone, Copy, Debug)]
pub struct PairedRows<'a> {
    /// Time of each row, nondecreasing.
    pub time: &'a [i64],
    /// Outcomes.
    pub labels: &'a [bool],
    /// The champion's probabilities.
    pub champion: &'a [f64],
    /// The challenger's probabilities.
    pub challenger: &'a [f64],
    /// Probability from which a row counts as called positive, for metrics of decisions.
    pub threshold: f64,
}

impl PairedRows<'_> {
    fn check(&self) -> Result<(), CompareError> {
        let rows = self.labels.len();
        same_length("time", rows, self.time.len())?;
        for (what, scores) in [("champion", self.champion), ("challenger", self.challenger)] {
            same_length(what, rows, scores.len())?;
            finite(what, scores)?;
        }
        if rows == 0 { Err(CompareError::TooFew { expected: 1, found: 0 }) } else { Ok(()) }
    }
}

/// Compares two models on the same rows by `metric`; rows that share a time stamp are added up first.
///
/// # Errors
/// See [`CompareError`]; `sharpe` is compared by [`paired_returns`].
pub fn paired_by_time(
    metric: ScoreMetric,
    method: TestMethod,
    rows: &PairedRows<'_>,
) -> Result<PairedTest, CompareError> {
    rows.check()?;
    if let Some(defect) = method.defect(metric) {
        return Err(defect);
    }
    let smooth = matches!(metric, ScoreMetric::Auc | ScoreMetric::LogLoss | ScoreMetric::Brier);
    if metric == ScoreMetric::Sharpe {
        return Err(CompareError::Undefined { metric: metric.name() });
    }
    if method == TestMethod::Bootstrap || !smooth {
        let value = |drawn: &[usize]| {
            let labels: Vec<bool> = drawn.iter().map(|&row| rows.labels[row]).collect();
            let gain = |scores: &[f64]| {
                let scores: Vec<f64> = drawn.iter().map(|&row| scores[row]).collect();
                metric.gain(&labels, &scores, rows.threshold)
            };
            Some(gain(rows.challenger)? - gain(rows.champion)?)
        };
        let estimate = paired_bootstrap(rows.time, value).ok_or(CompareError::Undefined { metric: metric.name() })?;
        return Ok(PairedTest::of(TestMethod::Bootstrap, estimate));
    }
    if method == TestMethod::Delong {
        return by_delong(rows);
    }
    let (delta, influence) = influence_difference(metric, rows.labels, rows.champion, rows.challenger)?;
    let series = cluster_by_time(rows.time, &influence);
    by_series(metric, method, delta, &series)
}

/// Compares the Sharpe ratios (population deviation, not annualised) of two return series of the same periods.
///
/// # Errors
/// Lengths differ, a return is not finite, a series is constant, or the method does not suit.
///
/// # References
/// Ledoit and Wolf (2008), Robust Performance Hypothesis Testing with the Sharpe Ratio.
pub fn paired_returns(method: TestMethod, champion: &[f64], challenger: &[f64]) -> Result<PairedTest, CompareError> {
    if let Some(defect) = method.defect(ScoreMetric::Sharpe) {
        return Err(defect);
    }
    let (delta, influence) = sharpe_difference(champion, challenger)?;
    if method == TestMethod::Bootstrap {
        let periods: Vec<i64> = (0..champion.len() as i64).collect();
        let value = |drawn: &[usize]| {
            let ratio = |returns: &[f64]| {
                let returns: Vec<f64> = drawn.iter().map(|&row| returns[row]).collect();
                sharpe_influence("returns", &returns).ok().map(|found| found.0)
            };
            Some(ratio(challenger)? - ratio(champion)?)
        };
        let estimate = paired_bootstrap(&periods, value).ok_or(CompareError::Undefined { metric: "sharpe" })?;
        return Ok(PairedTest::of(method, estimate));
    }
    by_series(ScoreMetric::Sharpe, method, delta, &influence)
}

fn by_series(metric: ScoreMetric, method: TestMethod, delta: f64, series: &[f64]) -> Result<PairedTest, CompareError> {
    match method {
        TestMethod::Hac => Ok(PairedTest::new(delta, series)),
        TestMethod::DieboldMariano => by_diebold_mariano(metric, delta, series),
        _ => Ok(PairedTest::of(method, HacEstimate::by_cosines(delta, series))),
    }
}

/// DeLong's variance, with a Student t of so many degrees of freedom that it is a normal.
fn by_delong(rows: &PairedRows<'_>) -> Result<PairedTest, CompareError> {
    let found = delong(rows.labels, rows.champion, rows.challenger)?;
    let n = rows.labels.len();
    let se = found.variance_delta.sqrt();
    let estimate = HacEstimate { value: found.delta, se, dof: 1e6, tau: 1.0, lag: 0, n };
    Ok(PairedTest::of(TestMethod::Delong, estimate))
}

fn by_diebold_mariano(metric: ScoreMetric, delta: f64, series: &[f64]) -> Result<PairedTest, CompareError> {
    let n = series.len();
    let horizon = (libm::cbrt(n as f64).ceil() as usize).max(1);
    let nothing = vec![0.0; n];
    let tau = integrated_autocorrelation_time(series);
    let estimate = |se: f64| HacEstimate { value: delta, se, dof: (n as f64 - 1.0).max(1.0), tau, lag: horizon - 1, n };
    if series.iter().all(|gain| *gain == series[0]) {
        return Ok(PairedTest::of(TestMethod::DieboldMariano, estimate(0.0)));
    }
    // unweighted autocovariances can give a variance that is not positive: there is then no test, as the paper says
    let found = diebold_mariano(series, &nothing, horizon).filter(|found| found.statistic != 0.0);
    let found = found.ok_or(CompareError::Undefined { metric: metric.name() })?;
    Ok(PairedTest::of(TestMethod::DieboldMariano, estimate(delta / found.statistic)))
}

/// Compares the areas under the ROC curve of two models on the same rows, in time order, with a Bartlett window.
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

/// Tests whether the mean of per-row differences (challenger's gain, in time order) is above 0, with a Bartlett window.
///
/// # Errors
/// A difference is not finite, or there are no rows.
pub fn paired_mean(differences: &[f64]) -> Result<PairedTest, CompareError> {
    finite("differences", differences)?;
    let delta = mean(differences).ok_or(CompareError::TooFew { expected: 1, found: 0 })?;
    Ok(PairedTest::new(delta, differences))
}

/// Compares two Sharpe ratios with a Bartlett window.
///
/// `influence = (x - mean)/sd - SR/2 ((x - mean)^2/sd^2 - 1)`
///
/// # Errors
/// Lengths differ, a return is not finite, or a series is constant.
///
/// # References
/// Ledoit and Wolf (2008), Robust Performance Hypothesis Testing with the Sharpe Ratio.
pub fn paired_sharpe(champion: &[f64], challenger: &[f64]) -> Result<PairedTest, CompareError> {
    let (delta, influence) = sharpe_difference(champion, challenger)?;
    Ok(PairedTest::new(delta, &influence))
}

fn sharpe_difference(champion: &[f64], challenger: &[f64]) -> Result<(f64, Vec<f64>), CompareError> {
    same_length("challenger", champion.len(), challenger.len())?;
    let (first, first_influence) = sharpe_influence("champion", champion)?;
    let (second, second_influence) = sharpe_influence("challenger", challenger)?;
    Ok((second - first, difference(&second_influence, &first_influence)))
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
        other => Err(CompareError::Undefined { metric: other.name() }),
    }
}
