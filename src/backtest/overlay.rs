//! What a model adds to the technical ranking.
//!
//! The technical score s of a candidate is in [0, 1] already (a percentile among earlier signals), so it can stand beside a
//! calibrated probability p. The caller answers for p: it must come from a model that did not see the session.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::BacktestError;

/// How probability and technical score make one ranking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PredictionMode {
    /// Ranked by `(1 - w) * s + w * p` of technical score s, probability p and weight w; drops nothing.
    #[default]
    ScoreEnhancement,
    /// Keeps p at or above the threshold, ranked by s.
    Filter,
    /// Ranked by p; drops nothing.
    Replace,
    /// p at or above the threshold ranks by p; below it `on_low_confidence` says.
    Gate,
}

/// What happens to a candidate without a probability.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnMissing {
    /// It is kept and ranked by its technical score.
    #[default]
    Technical,
    /// It is dropped.
    Reject,
    /// The backtest fails.
    Error,
}

/// What a gate does below its threshold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnLowConfidence {
    /// The technical score decides.
    #[default]
    Technical,
    /// The candidate is dropped.
    Reject,
}

/// The rules of an overlay, as a user writes them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MlRules {
    /// How probability and technical score make one ranking.
    pub mode: PredictionMode,
    /// Weight w of the probability in `score_enhancement`.
    #[schemars(range(min = 0, max = 1))]
    pub ml_weight: f64,
    /// Least probability of `filter` and `gate`.
    #[schemars(range(min = 0, max = 1))]
    pub confidence_threshold: f64,
    /// What a gate does below its threshold.
    pub on_low_confidence: OnLowConfidence,
    /// What happens to a candidate without a probability.
    pub on_missing: OnMissing,
    /// Largest share of eligible candidates without a probability.
    #[schemars(range(min = 0, max = 1))]
    pub max_missing_share: f64,
}

impl Default for MlRules {
    fn default() -> Self {
        Self {
            mode: PredictionMode::default(),
            ml_weight: 0.3,
            confidence_threshold: 0.5,
            on_low_confidence: OnLowConfidence::default(),
            on_missing: OnMissing::default(),
            max_missing_share: 0.2,
        }
    }
}

impl MlRules {
    /// Checks that every number is in [0, 1].
    ///
    /// # Errors
    /// The first one that is not.
    pub fn check(&self) -> Result<(), BacktestError> {
        let numbers = [
            ("ml_weight", self.ml_weight),
            ("confidence_threshold", self.confidence_threshold),
            ("max_missing_share", self.max_missing_share),
        ];
        match numbers.into_iter().find(|(_, value)| !(0.0..=1.0).contains(value)) {
            Some((name, found)) => Err(BacktestError::OverlayRange { name, found }),
            None => Ok(()),
        }
    }

    /// What a kept candidate is ranked by; `None` drops it.
    fn rank(&self, score: f64, probability: Option<f64>) -> Option<f64> {
        let Some(p) = probability else {
            return (self.on_missing == OnMissing::Technical).then_some(score);
        };
        let is_confident = p >= self.confidence_threshold;
        match self.mode {
            PredictionMode::ScoreEnhancement => Some((1.0 - self.ml_weight) * score + self.ml_weight * p),
            PredictionMode::Replace => Some(p),
            PredictionMode::Filter => is_confident.then_some(score),
            PredictionMode::Gate if is_confident => Some(p),
            PredictionMode::Gate => (self.on_low_confidence == OnLowConfidence::Technical).then_some(score),
        }
    }
}

/// Limits on positions whose rank or survival a probability decided, whatever the strategy allows besides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MlLimits {
    /// Such positions open or being entered at one time; null for no limit.
    #[schemars(range(min = 1))]
    pub max_ml_positions: Option<u32>,
    /// Largest notional of one such position as a share of equity; null for no limit.
    #[schemars(range(min = 0, max = 100))]
    pub max_ml_position_size: Option<f64>,
    /// Share of equity that such positions may lose from the beginning of a day (UTC) to the close of a signal bar; beyond
    /// it the signal is refused. Null for no limit.
    #[schemars(range(min = 0, max = 1))]
    pub daily_ml_loss_limit: Option<f64>,
}

impl Default for MlLimits {
    fn default() -> Self {
        Self { max_ml_positions: Some(5), max_ml_position_size: Some(0.05), daily_ml_loss_limit: Some(0.02) }
    }
}

impl MlLimits {
    /// Checks that every number is in its range.
    ///
    /// # Errors
    /// The first one that is not.
    pub fn check(&self) -> Result<(), BacktestError> {
        let out = |name, expected, found| Err(BacktestError::LimitRange { name, expected, found });
        match (self.max_ml_positions, self.max_ml_position_size, self.daily_ml_loss_limit) {
            (Some(0), ..) => out("max_ml_positions", "1 or more", 0.0),
            (_, Some(size), _) if !(0.0..=100.0).contains(&size) => out("max_ml_position_size", "0..=100", size),
            (_, _, Some(loss)) if !(0.0..=1.0).contains(&loss) => out("daily_ml_loss_limit", "0..=1", loss),
            _ => Ok(()),
        }
    }
}

/// Probabilities and the rules that use them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MlOverlay {
    /// The rules.
    pub rules: MlRules,
    /// Limits on positions of the model; `None` where a comparison asks for the ranking alone.
    pub limits: Option<MlLimits>,
    /// Calibrated probability of a win by (symbol index, signal session); NaN counts as missing.
    pub probability: BTreeMap<(u32, u32), f64>,
}

/// The answer of an overlay for one candidate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Verdict {
    pub probability: Option<f64>,
    /// `None` drops the candidate.
    pub rank_score: Option<f64>,
    /// Whether the probability had a say.
    pub by_model: bool,
}

impl MlOverlay {
    /// The answer for one eligible candidate.
    pub(super) fn verdict(&self, symbol: u32, session: u32, score: f64) -> Result<Verdict, BacktestError> {
        let probability = self.probability.get(&(symbol, session)).copied().filter(|p| !p.is_nan());
        if let Some(found) = probability.filter(|p| !(0.0..=1.0).contains(p)) {
            return Err(BacktestError::Probability { symbol, session, found });
        }
        if probability.is_none() && self.rules.on_missing == OnMissing::Error {
            return Err(BacktestError::MissingProbability { symbol, session });
        }
        // a gate that is not sure leaves the decision to the technical score
        let is_unsure = |p: f64| self.rules.mode == PredictionMode::Gate && p < self.rules.confidence_threshold;
        let by_model = probability.is_some_and(|p| !is_unsure(p));
        Ok(Verdict { probability, rank_score: self.rules.rank(score, probability), by_model })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rank(mode: PredictionMode, p: Option<f64>) -> Option<f64> {
        MlRules { mode, ..MlRules::default() }.rank(0.8, p)
    }

    #[test]
    fn each_mode_ranks_and_drops_as_written() {
        assert_eq!(rank(PredictionMode::ScoreEnhancement, Some(0.4)), Some(0.7 * 0.8 + 0.3 * 0.4));
        assert_eq!(rank(PredictionMode::Filter, Some(0.5)), Some(0.8));
        assert_eq!(rank(PredictionMode::Filter, Some(0.49)), None);
        assert_eq!(rank(PredictionMode::Replace, Some(0.1)), Some(0.1));
        assert_eq!(rank(PredictionMode::Gate, Some(0.6)), Some(0.6));
        assert_eq!(rank(PredictionMode::Gate, Some(0.4)), Some(0.8));
        let strict =
            MlRules { mode: PredictionMode::Gate, on_low_confidence: OnLowConfidence::Reject, ..MlRules::default() };
        assert_eq!(strict.rank(0.8, Some(0.4)), None);
    }

    #[test]
    fn a_missing_probability_is_never_a_half() {
        for mode in
            [PredictionMode::ScoreEnhancement, PredictionMode::Filter, PredictionMode::Replace, PredictionMode::Gate]
        {
            assert_eq!(rank(mode, None), Some(0.8));
            let reject = MlRules { mode, on_missing: OnMissing::Reject, ..MlRules::default() };
            assert_eq!(reject.rank(0.8, None), None);
        }
    }
}
