//! Guardrails on the search that a strategy came out of: how much of its figures is luck.

use serde::{Deserialize, Serialize};

use super::gate::{Check, Guardrails, check};
use crate::metric::sharpe::SharpeMoments;

/// What a study says about itself, and how many trials were ever made of the same data and metric.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SearchNumbers {
    /// Probability of backtest overfitting.
    pub pbo: Option<f64>,
    /// P-value of the test for superior ability.
    pub spa_p: Option<f64>,
    /// Moments of the best trial's returns.
    pub moments: Option<SharpeMoments>,
    /// Variance of the trials' Sharpe ratios per period.
    pub trial_variance: Option<f64>,
    /// Trials of the study.
    pub own_trials: u64,
    /// Trials of all studies of the same data and metric, this one included.
    pub all_trials: u64,
}

impl SearchNumbers {
    /// The deflated Sharpe ratio for all trials that were ever made.
    pub fn deflated_sharpe(&self) -> Option<f64> {
        let trials = self.all_trials.max(self.own_trials) as f64;
        self.moments?.deflated(trials, self.trial_variance?)
    }
}

/// Checks what a policy demands of the search; nothing when it demands nothing.
pub(super) fn search_checks(search: Option<&SearchNumbers>, guardrails: &Guardrails) -> Vec<Check> {
    let demands = [
        ("max_pbo", guardrails.max_pbo, false),
        ("min_dsr", guardrails.min_dsr, true),
        ("max_spa_p", guardrails.max_spa_p, false),
    ];
    let demanded = demands.into_iter().filter_map(|(name, bound, least)| Some((name, bound?, least)));
    demanded
        .map(|(name, bound, least)| {
            let Some(search) = search else {
                let detail = format!("`{name}` needs the study: connect it as input `study`");
                return check(name, false, None, Some(bound), detail);
            };
            let trials = search.all_trials.max(search.own_trials);
            let (value, what) = match name {
                "max_pbo" => (search.pbo, "the probability of backtest overfitting".to_owned()),
                "min_dsr" => {
                    (search.deflated_sharpe(), format!("the Sharpe ratio deflated for all {trials} trials on record"))
                }
                _ => (search.spa_p, "the p-value of superior ability".to_owned()),
            };
            let passed = value.is_some_and(|value| if least { value >= bound } else { value <= bound });
            let shown = value.map_or("undefined".to_owned(), |value| format!("{value:.3}"));
            let side = if least { "at least" } else { "at most" };
            check(name, passed, value, Some(bound), format!("{what} is {shown} and must be {side} {bound}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(all_trials: u64) -> SearchNumbers {
        let moments = SharpeMoments { periods: 1000.0, sharpe: 0.12, skewness: 0.0, kurtosis: 3.0 };
        SearchNumbers {
            pbo: Some(0.2),
            spa_p: Some(0.03),
            moments: Some(moments),
            trial_variance: Some(0.001),
            own_trials: 10,
            all_trials,
        }
    }

    fn failed(search: Option<&SearchNumbers>, guardrails: &Guardrails) -> Vec<String> {
        search_checks(search, guardrails).into_iter().filter(|check| !check.passed).map(|check| check.detail).collect()
    }

    #[test]
    fn every_trial_on_record_makes_evidence_harder() {
        let guardrails = Guardrails { min_dsr: Some(0.95), ..Guardrails::default() };
        assert!(failed(Some(&numbers(10)), &guardrails).is_empty());
        let refused = failed(Some(&numbers(2000)), &guardrails);
        assert!(refused[0].starts_with("the Sharpe ratio deflated for all 2000 trials on record is 0."), "{refused:?}");
        assert!(numbers(2000).deflated_sharpe() < numbers(10).deflated_sharpe());
        // a study that is not on record, as one of another store, counts itself
        assert_eq!(numbers(0).deflated_sharpe(), numbers(10).deflated_sharpe());
    }

    #[test]
    fn bounds_hold_on_their_side_and_nothing_is_asked_by_default() {
        let with = |max_pbo, max_spa_p| Guardrails { max_pbo, max_spa_p, ..Guardrails::default() };
        assert!(failed(Some(&numbers(10)), &with(Some(0.2), Some(0.03))).is_empty());
        assert_eq!(failed(Some(&numbers(10)), &with(Some(0.1), Some(0.01))).len(), 2);
        assert!(search_checks(None, &Guardrails::default()).is_empty());
        assert!(failed(None, &with(Some(0.5), None))[0].contains("connect it as input `study`"));
        let unknown = SearchNumbers { pbo: None, ..numbers(10) };
        assert!(failed(Some(&unknown), &with(Some(0.5), None))[0].contains("undefined"));
    }
}
