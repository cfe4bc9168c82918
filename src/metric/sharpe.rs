//! How much of a Sharpe ratio is luck: probabilistic and deflated Sharpe ratio, minimum track record length.
//!
//! Sharpe ratios here are per period, not annualised, with the sample standard deviation (divisor n - 1); skewness
//! and kurtosis are population moments and **kurtosis is full** (a normal distribution has 3).
//!
//! # References
//! Bailey and Lopez de Prado (2012), The Sharpe ratio efficient frontier; Bailey and Lopez de Prado (2014), The
//! deflated Sharpe ratio; Lo (2002), The statistics of Sharpe ratios.

use serde::{Deserialize, Serialize};

use super::trading::{flat, kurtosis, skewness};
use crate::stats::distribution::{normal_cdf, normal_quantile};
use crate::stats::sum::{mean, std_dev};

/// Euler's constant.
const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;

/// The sample moments that every significance statement about a Sharpe ratio needs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SharpeMoments {
    /// Number of periods.
    pub periods: f64,
    /// Mean over standard deviation, per period.
    pub sharpe: f64,
    /// Population skewness.
    pub skewness: f64,
    /// Full population kurtosis (normal = 3).
    pub kurtosis: f64,
}

impl SharpeMoments {
    /// Measures a series of per-period returns; `None` for fewer than 2 periods, constant or non-finite returns.
    pub fn of(returns: &[f64]) -> Option<Self> {
        Some(Self {
            periods: returns.len() as f64,
            sharpe: sharpe_per_period(returns)?,
            skewness: skewness(returns)?,
            kurtosis: kurtosis(returns)?,
        })
    }

    /// `1 - skew * SR + (kurt - 1) / 4 * SR^2`: n - 1 times the variance of the estimated Sharpe ratio.
    fn variance_factor(&self) -> f64 {
        1.0 - self.skewness * self.sharpe + (self.kurtosis - 1.0) / 4.0 * self.sharpe * self.sharpe
    }

    /// Computes the probability that the true Sharpe ratio exceeds `benchmark` (per period).
    ///
    /// `PSR = Phi((SR - benchmark) sqrt(n - 1) / sqrt(1 - skew SR + (kurt - 1)/4 SR^2))`; `None` when the root is of
    /// a number that is not positive.
    pub fn probabilistic(&self, benchmark: f64) -> Option<f64> {
        let factor = self.variance_factor();
        let defined = factor > 0.0 && self.periods > 1.0 && benchmark.is_finite();
        defined.then(|| normal_cdf((self.sharpe - benchmark) * (self.periods - 1.0).sqrt() / factor.sqrt()))
    }

    /// Computes the number of periods after which the PSR against `benchmark` reaches `confidence`.
    ///
    /// `1 + (1 - skew SR + (kurt - 1)/4 SR^2) (z / (SR - benchmark))^2`. `None` when the Sharpe ratio does not exceed
    /// the benchmark: no length suffices.
    pub fn min_track_record(&self, benchmark: f64, confidence: f64) -> Option<f64> {
        let gap = self.sharpe - benchmark;
        let factor = self.variance_factor();
        let z = normal_quantile(confidence);
        (gap > 0.0 && factor > 0.0 && z.is_finite()).then(|| 1.0 + factor * (z / gap) * (z / gap))
    }

    /// Computes the deflated Sharpe ratio: the PSR against the best of `trials` skill-less trials.
    ///
    /// `trial_variance` is the variance of the trials' per-period Sharpe ratios.
    pub fn deflated(&self, trials: f64, trial_variance: f64) -> Option<f64> {
        self.probabilistic(expected_max_sharpe(trials, trial_variance)?)
    }

    /// Computes the standard error for independent normal returns, `sqrt((1 + SR^2 / 2) / n)` (Lo, 2002).
    pub fn standard_error_iid(&self) -> f64 {
        ((1.0 + 0.5 * self.sharpe * self.sharpe) / self.periods).sqrt()
    }
}

/// Computes mean over sample standard deviation (divisor n - 1), per period; `None` when the deviation is zero or
/// undefined or a return is not finite.
pub fn sharpe_per_period(returns: &[f64]) -> Option<f64> {
    if flat(returns) {
        return None;
    }
    let ratio = mean(returns)? / std_dev(returns, 1)?;
    ratio.is_finite().then_some(ratio)
}

/// Computes the expected maximum of the standard normal scores of `trials` independent trials.
///
/// `(1 - gamma) Phi^-1(1 - 1/N) + gamma Phi^-1(1 - 1/(N e))` with Euler's gamma; 0 for a single trial.
/// `None` when `trials` is below 1 or not finite.
pub fn expected_max_normal(trials: f64) -> Option<f64> {
    if !(trials >= 1.0 && trials.is_finite()) {
        return None;
    }
    if trials == 1.0 {
        return Some(0.0);
    }
    // upper tails, so that many trials keep their digits
    let quantile = |tail: f64| -normal_quantile(tail);
    Some((1.0 - EULER_GAMMA) * quantile(1.0 / trials) + EULER_GAMMA * quantile(1.0 / (trials * std::f64::consts::E)))
}

/// Computes the Sharpe ratio per period that the best of `trials` skill-less trials is expected to show.
///
/// `trials` may be a number of effective trials (see [`effective_trials`]).
pub fn expected_max_sharpe(trials: f64, trial_variance: f64) -> Option<f64> {
    let defined = trial_variance >= 0.0 && trial_variance.is_finite();
    expected_max_normal(trials).filter(|_| defined).map(|score| trial_variance.sqrt() * score)
}

/// Computes how many independent trials equally correlated ones are worth: `N (1 - rho) + rho`.
///
/// `mean_correlation` is clamped to `[0, 1]`: negative correlation is no reason to count more trials than were run.
pub fn effective_trials(trials: usize, mean_correlation: f64) -> f64 {
    let rho = mean_correlation.clamp(0.0, 1.0);
    trials as f64 * (1.0 - rho) + rho
}

/// What a search over `trials` strategies leaves of the Sharpe ratio of its winner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SharpeSignificance {
    /// Sample moments of the winner's returns.
    pub moments: SharpeMoments,
    /// Probability that the true Sharpe ratio is above 0.
    pub psr: Option<f64>,
    /// Periods needed for a PSR of 95 % against 0.
    pub min_track_record: Option<f64>,
    /// Expected best Sharpe ratio per period of as many trials without skill.
    pub expected_max_sharpe: Option<f64>,
    /// Deflated Sharpe ratio.
    pub deflated_sharpe: Option<f64>,
}

/// Judges the winner of a search from its returns; `None` when its Sharpe ratio is undefined.
pub fn sharpe_significance(returns: &[f64], trials: f64, trial_variance: f64) -> Option<SharpeSignificance> {
    let moments = SharpeMoments::of(returns)?;
    Some(SharpeSignificance {
        moments,
        psr: moments.probabilistic(0.0),
        min_track_record: moments.min_track_record(0.0, 0.95),
        expected_max_sharpe: expected_max_sharpe(trials, trial_variance),
        deflated_sharpe: moments.deflated(trials, trial_variance),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::golden::{agrees, cases, json, numbers, stock_returns};
    use crate::stats::sum::variance;

    #[test]
    fn significance_agrees_with_the_published_formulas() {
        for case in
            cases("stats/sharpe_significance.json").iter().filter(|case| case["input"].get("n_trials").is_some())
        {
            let (input, expect) = (&case["input"], &case["expect"]);
            let number = |key: &str| input[key].as_f64().unwrap();
            let moments = SharpeMoments::of(&numbers(&input["returns"])).unwrap();
            let (trials, spread) = (number("n_trials"), number("var_trial_sr"));
            for (key, ours) in [
                ("sr_per_period", Some(moments.sharpe)),
                ("skew_pop", Some(moments.skewness)),
                ("kurt_raw_pop", Some(moments.kurtosis)),
                ("psr_0", moments.probabilistic(0.0)),
                ("psr_bench", moments.probabilistic(number("benchmark_sr"))),
                ("min_track_record_length", moments.min_track_record(0.0, 0.95)),
                ("expected_max_sr", expected_max_sharpe(trials, spread)),
                ("deflated_sharpe", moments.deflated(trials, spread)),
                ("jobson_lo_se_iid", Some(moments.standard_error_iid())),
            ] {
                agrees(&format!("{} {key}", case["name"]), ours, &expect[key], 0.0, 1e-10);
            }
        }
    }

    #[test]
    fn real_stocks_agree_with_skfolio() {
        for (symbol, tools) in json("risk/expected.json")["results"].as_object().unwrap() {
            let expect = &tools["sharpe_statistics"];
            let moments = SharpeMoments::of(&stock_returns(symbol)).unwrap();
            let trials = numbers(&expect["trials"]);
            let spread = variance(&trials, 1).unwrap();
            for (key, ours) in [
                ("n", Some(moments.periods)),
                ("sr_per_period", Some(moments.sharpe)),
                ("psr_0", moments.probabilistic(0.0)),
                ("psr_003", moments.probabilistic(0.03)),
                ("expected_max_sharpe", expected_max_sharpe(trials.len() as f64, spread)),
                ("dsr", moments.deflated(trials.len() as f64, spread)),
            ] {
                agrees(&format!("{symbol} {key}"), ours, &expect[key], 0.0, 1e-9);
            }
        }
    }

    #[test]
    fn the_published_example_is_reproduced() {
        let paper = &json("risk/expected.json")["deflated_sharpe_paper"]["cases"];
        for case in paper.as_array().unwrap() {
            let number = |key: &str| case[key].as_f64().unwrap();
            let moments = SharpeMoments {
                periods: 1_250.0,
                sharpe: 2.5 / 250.0_f64.sqrt(),
                skewness: number("skew"),
                kurtosis: number("kurt"),
            };
            let (trials, spread) = (number("N"), 0.5 / 250.0);
            agrees("sr0", expected_max_sharpe(trials, spread), &case["sr0"], 0.0, 1e-9);
            agrees("dsr", moments.deflated(trials, spread), &case["dsr"], 0.0, 1e-9);
        }
    }

    #[test]
    fn correlated_trials_count_as_fewer() {
        let anchors = json("risk/overfit_anchors.json");
        let number = |key: &str| anchors[key].as_f64().unwrap();
        let effective = effective_trials(20, number("mean_corr"));
        agrees("n_eff", Some(effective), &anchors["n_eff"], 0.0, 1e-12);
        agrees("sr0_N", expected_max_sharpe(20.0, number("var_sr")), &anchors["sr0_N"], 0.0, 1e-10);
        agrees("sr0_neff", expected_max_sharpe(effective, number("var_sr")), &anchors["sr0_neff"], 0.0, 1e-10);
        assert_eq!((effective_trials(20, -0.3), effective_trials(20, 1.0)), (20.0, 1.0));
    }

    #[test]
    fn more_trials_never_help_and_a_single_one_costs_nothing() {
        let moments = SharpeMoments { periods: 500.0, sharpe: 0.1, skewness: -0.5, kurtosis: 5.0 };
        let deflated: Vec<f64> =
            [1.0, 2.0, 10.0, 1e3, 1e6, 1e12].iter().map(|trials| moments.deflated(*trials, 0.002).unwrap()).collect();
        assert_eq!(Some(deflated[0]), moments.probabilistic(0.0));
        assert!(deflated.windows(2).all(|pair| pair[1] < pair[0]), "{deflated:?}");
    }

    #[test]
    fn what_cannot_be_said_is_none() {
        assert!(SharpeMoments::of(&[0.01; 20]).is_none() && SharpeMoments::of(&[0.01]).is_none());
        let poor = SharpeMoments { periods: 100.0, sharpe: -0.1, skewness: 0.0, kurtosis: 3.0 };
        assert_eq!(poor.min_track_record(0.0, 0.95), None);
        assert_eq!((expected_max_normal(0.5), expected_max_normal(f64::NAN)), (None, None));
    }
}
