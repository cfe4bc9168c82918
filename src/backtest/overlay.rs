//! What a model adds to the technical ranking: the rules, as a user writes them.
//!
//! The technical score s of a candidate is in [0, 1] already (a percentile among earlier signals), so it can stand beside a
//! calibrated probability p. The caller answers for p: it must come from a model that did not see the session.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::BacktestError;
use super::decision::{MlDecision, MlReason};

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

/// What the threshold of a session is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdBy {
    /// `confidence_threshold` itself.
    #[default]
    Value,
    /// The `threshold_quantile` of the probabilities of signals of earlier sessions.
    Quantile,
    /// The probability at which R is worth `threshold_r`, from the mean R of wins and losses that were known in an earlier
    /// session.
    ExpectedR,
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
    /// What the threshold is made of; `confidence_threshold` holds until `threshold_history` is reached.
    pub threshold_by: ThresholdBy,
    /// Quantile of past probabilities, for `threshold_by: quantile`.
    #[schemars(range(min = 0, max = 1))]
    pub threshold_quantile: f64,
    /// Least expected R, for `threshold_by: expected_r`.
    pub threshold_r: f64,
    /// Past signals, or past outcomes, that a threshold of a session needs.
    #[schemars(range(min = 1))]
    pub threshold_history: u32,
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
            threshold_by: ThresholdBy::default(),
            threshold_quantile: 0.5,
            threshold_r: 0.0,
            threshold_history: 50,
            on_low_confidence: OnLowConfidence::default(),
            on_missing: OnMissing::default(),
            max_missing_share: 0.2,
        }
    }
}

impl MlRules {
    /// Checks that every number is in its range.
    ///
    /// # Errors
    /// The first one that is not.
    pub fn check(&self) -> Result<(), BacktestError> {
        let numbers = [
            ("ml_weight", self.ml_weight),
            ("confidence_threshold", self.confidence_threshold),
            ("threshold_quantile", self.threshold_quantile),
            ("max_missing_share", self.max_missing_share),
        ];
        if let Some((name, found)) = numbers.into_iter().find(|(_, value)| !(0.0..=1.0).contains(value)) {
            return Err(BacktestError::OverlayRange { name, found });
        }
        let out = |name, expected, found| Err(BacktestError::LimitRange { name, expected, found });
        match (self.threshold_r.is_finite(), self.threshold_history) {
            (false, _) => out("threshold_r", "a number", self.threshold_r),
            (_, 0) => out("threshold_history", "1 or more", 0.0),
            _ => Ok(()),
        }
    }

    /// What becomes of an eligible candidate of technical score `score`, against the threshold of its session.
    ///
    /// # NaN
    /// A probability that is NaN is missing; it is never taken for a half.
    pub fn decide(&self, score: f64, probability: Option<f64>, threshold: f64) -> MlDecision {
        let decision = |rank_score, by_model, reason| MlDecision {
            probability: probability.filter(|p| !p.is_nan()),
            threshold,
            rank_score,
            by_model,
            scale: 1.0,
            reason,
        };
        let Some(p) = probability.filter(|p| !p.is_nan()) else {
            return match self.on_missing {
                OnMissing::Technical => decision(Some(score), false, MlReason::MissingTechnical),
                OnMissing::Reject | OnMissing::Error => decision(None, false, MlReason::MissingRejected),
            };
        };
        let is_confident = p >= threshold;
        match self.mode {
            PredictionMode::ScoreEnhancement => {
                decision(Some((1.0 - self.ml_weight) * score + self.ml_weight * p), true, MlReason::Blended)
            }
            PredictionMode::Replace => decision(Some(p), true, MlReason::Replaced),
            PredictionMode::Filter if is_confident => decision(Some(score), true, MlReason::AboveThreshold),
            PredictionMode::Filter => decision(None, true, MlReason::BelowThreshold),
            PredictionMode::Gate if is_confident => decision(Some(p), true, MlReason::AboveThreshold),
            PredictionMode::Gate => match self.on_low_confidence {
                // a gate that is not sure leaves the decision to the technical score
                OnLowConfidence::Technical => decision(Some(score), false, MlReason::LowConfidenceTechnical),
                OnLowConfidence::Reject => decision(None, false, MlReason::LowConfidenceRejected),
            },
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

/// Sizes of positions that a probability decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MlSizing {
    /// Smaller positions for smaller probabilities.
    pub ml_scale: MlScale,
}

/// Smaller positions for smaller probabilities: the quantity that the strategy wishes for times
/// `min + (max - min) * (p - threshold) / (1 - threshold)`, held in `[min, max]`. It never makes a position larger.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MlScale {
    /// Whether it is used at all.
    pub enabled: bool,
    /// Factor at the threshold and below.
    #[schemars(range(min = 0, max = 1))]
    pub min: f64,
    /// Factor at a probability of 1.
    #[schemars(range(min = 0, max = 1))]
    pub max: f64,
}

impl Default for MlScale {
    fn default() -> Self {
        Self { enabled: false, min: 0.5, max: 1.0 }
    }
}

impl MlSizing {
    /// Checks that both factors are in [0, 1] and in order.
    ///
    /// # Errors
    /// The first one that is not.
    pub fn check(&self) -> Result<(), BacktestError> {
        let MlScale { min, max, .. } = self.ml_scale;
        for (name, found) in [("ml_scale.min", min), ("ml_scale.max", max)] {
            if !(0.0..=1.0).contains(&found) {
                return Err(BacktestError::OverlayRange { name, found });
            }
        }
        if min > max {
            return Err(BacktestError::LimitRange { name: "ml_scale.min", expected: "at most `max`", found: min });
        }
        Ok(())
    }

    /// The factor of a decision, at most 1; 1 where the model had no say.
    pub fn factor(&self, decision: &MlDecision) -> f64 {
        let MlScale { enabled, min, max } = self.ml_scale;
        match decision.probability.filter(|_| enabled && decision.by_model) {
            None => 1.0,
            Some(p) => {
                let room = 1.0 - decision.threshold;
                let share = if room > 0.0 { ((p - decision.threshold) / room).clamp(0.0, 1.0) } else { 0.0 };
                (min + (max - min) * share).clamp(min, max)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rank(mode: PredictionMode, p: Option<f64>) -> Option<f64> {
        MlRules { mode, ..MlRules::default() }.decide(0.8, p, 0.5).rank_score
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
        assert_eq!(strict.decide(0.8, Some(0.4), 0.5).rank_score, None);
    }

    #[test]
    fn a_missing_probability_is_never_a_half() {
        for mode in
            [PredictionMode::ScoreEnhancement, PredictionMode::Filter, PredictionMode::Replace, PredictionMode::Gate]
        {
            assert_eq!(rank(mode, None), Some(0.8));
            assert_eq!(rank(mode, Some(f64::NAN)), Some(0.8));
            let reject = MlRules { mode, on_missing: OnMissing::Reject, ..MlRules::default() };
            assert_eq!(reject.decide(0.8, None, 0.5).rank_score, None);
        }
    }

    #[test]
    fn a_scale_is_one_line_from_the_threshold_to_certainty_and_never_above_one() {
        let sizing = MlSizing { ml_scale: MlScale { enabled: true, min: 0.5, max: 1.0 } };
        let factor = |p: f64| sizing.factor(&MlRules::default().decide(0.8, Some(p), 0.5));
        assert_eq!([0.0, 0.5, 0.75, 1.0].map(factor), [0.5, 0.5, 0.75, 1.0]);
        let missing = MlRules::default().decide(0.8, None, 0.5);
        assert_eq!(sizing.factor(&missing), 1.0, "a position that the model had no say in is not its to make smaller");
        for (min, max) in [(0.5, 1.1), (-0.1, 1.0), (0.9, 0.8)] {
            assert!(MlSizing { ml_scale: MlScale { enabled: true, min, max } }.check().is_err(), "{min} {max}");
        }
    }
}
