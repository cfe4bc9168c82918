//! A mean of dependent influences with its standard error.
//!
//! Two estimators of the long-run variance stand side by side:
//!
//! ```text
//! Bartlett (Newey and West)                    cosines (Phillips; Lazarus, Lewis, Stock and Watson)
//! L   = min(n/4, max(4, ceil(3 tau)))          B   = min(0.18 n^(2/3), n / (2 tau)), at least 4
//! se  = sqrt(long_run_variance(L) / n)         c_j = sqrt(2/n) sum_t x_t cos(pi j (t - 1/2) / n)
//! dof = max(4, n / (1.5 L))                    se  = sqrt(1/B sum_j c_j^2 / n),  dof = B
//! ```
//!
//! The Bartlett window follows the dependence that it sees, tau. Where labels are noisy and scores change slowly, as
//! those of trading models do, the slow part of the influences hides below the noise: tau is near 1, the window stays
//! short, and equal models with errors of AR(.95) were found better in 15 % of the runs at a level of 10 %. The cosines
//! look at the lowest frequencies whatever tau says, and the ratio has exactly a Student t with B degrees of freedom
//! when the spectrum is flat there. B is chosen as Lazarus and others do, who balance size against power at the
//! worst dependence that one guards against: `0.41 n^(2/3)` for AR(.7). The same balance at AR(.9) divides it by the cube root of
//! the ratio of the curvatures `2 phi / (1 - phi)^2`, 180 over 15.6, which gives `0.18 n^(2/3)`.
//!
//! # References
//! Newey and West (1987), A Simple, Positive Semi-definite, Heteroskedasticity and Autocorrelation Consistent Covariance
//! Matrix; Phillips (2005), HAC Estimation by Automated Regression; Lazarus, Lewis, Stock and Watson (2018), HAR
//! Inference: Recommendations for Practice.

use serde::{Deserialize, Serialize};
use statrs::distribution::{Continuous, ContinuousCDF, StudentsT};

use crate::stats::dependence::{integrated_autocorrelation_time, long_run_variance};
use crate::stats::sum::{mean, sum};

/// Cosines per `n^(2/3)`: see the module.
const COSINE_RATE: f64 = 0.18;

/// Cosines below which Student's t has no variance, and a test no power.
const FEWEST_COSINES: usize = 4;

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
    /// How far dependence is looked for: lags of the Bartlett window, or half the shortest period of the cosines.
    pub lag: usize,
    /// Length of the influence series.
    pub n: usize,
}

impl HacEstimate {
    /// Attaches an error to `value` from the influences of the rows in time order, by the Bartlett window.
    pub fn new(value: f64, influence: &[f64]) -> Self {
        let n = influence.len();
        let tau = integrated_autocorrelation_time(influence);
        let lag = (n / 4).min(4_usize.max((3.0 * tau).ceil() as usize));
        let dof = (n as f64 / (1.5 * lag.max(1) as f64)).max(4.0);
        let se = beyond_rounding((long_run_variance(influence, lag) / n.max(1) as f64).sqrt(), influence);
        Self { value, se, dof, tau, lag, n }
    }

    /// Attaches an error to `value` from the influences of the rows in time order, by the cosines.
    pub fn by_cosines(value: f64, influence: &[f64]) -> Self {
        let n = influence.len();
        let tau = integrated_autocorrelation_time(influence);
        let terms = cosine_terms(n, tau);
        let se = beyond_rounding((cosine_variance(influence, terms) / n.max(1) as f64).sqrt(), influence);
        Self { value, se, dof: terms.max(1) as f64, tau, lag: n / terms.max(1), n }
    }

    /// Estimates a plain mean of rows in time order by the cosines; `None` without rows.
    pub fn of_mean(values: &[f64]) -> Option<Self> {
        mean(values).map(|value| Self::by_cosines(value, values))
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

/// The upper tail of Student's t; never 0, as no finite sample proves anything.
pub fn student_tail(t: f64, dof: f64) -> Option<f64> {
    StudentsT::new(0.0, 1.0, dof).ok().map(|student| student.sf(t).max(f64::MIN_POSITIVE))
}

/// Returns how many cosines are averaged for `n` values of autocorrelation time `tau`; fewer than `n`.
pub fn cosine_terms(n: usize, tau: f64) -> usize {
    let rows = n as f64;
    let terms = (COSINE_RATE * libm::cbrt(rows * rows)).min(rows / (2.0 * tau.max(1.0)));
    (terms as usize).max(FEWEST_COSINES).min(n.saturating_sub(1))
}

/// The long-run variance: the mean power of the first `terms` cosines of type II.
fn cosine_variance(values: &[f64], terms: usize) -> f64 {
    let (Some(middle), true) = (mean(values), terms > 0) else { return 0.0 };
    let rows = values.len() as f64;
    let power = |term: usize| {
        let step = std::f64::consts::PI * term as f64 / rows;
        let wave = |at: usize| libm::cos(step * (at as f64 + 0.5));
        let inner = sum(values.iter().enumerate().map(|(at, value)| (value - middle) * wave(at)));
        2.0 / rows * inner * inner
    };
    sum((1..=terms).map(power)) / terms as f64
}

/// An error, or 0 where it is only what rounding leaves after constants were centred.
fn beyond_rounding(se: f64, influence: &[f64]) -> f64 {
    let largest = influence.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
    if se <= largest * 1e-14 { 0.0 } else { se }
}
