//! Two published tests as they stand in their papers: right where their assumptions hold, and kept for that.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use super::error::{CompareError, same_length};
use super::estimate::student_tail;
use super::influence::{Placements, difference};
use crate::stats::dependence::autocovariance;
use crate::stats::sum::{mean, sum};

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
