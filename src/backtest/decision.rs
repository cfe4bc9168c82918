//! What the rules of a model make of each candidate: decided before a simulation, from information of its session alone.
//!
//! A threshold that is no fixed number is made of what was known in earlier sessions: neither the order of symbols nor
//! anything later moves it.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::overlay::{MlLimits, MlRules, MlSizing, OnMissing, PredictionMode, ThresholdBy};
use super::{BacktestError, BacktestWarning};
use crate::market::Bars;
use crate::stats::order::quantile_sorted;
use crate::strategy::{Signals, in_session_order};

/// Why a decision is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MlReason {
    /// Technical score and probability are blended.
    Blended,
    /// The probability takes the place of the technical score.
    Replaced,
    /// The probability reaches the threshold.
    AboveThreshold,
    /// The probability does not reach the threshold.
    BelowThreshold,
    /// The gate is not sure: the technical score decides.
    LowConfidenceTechnical,
    /// The gate is not sure: the candidate is dropped.
    LowConfidenceRejected,
    /// There is no probability: the technical score decides.
    MissingTechnical,
    /// There is no probability: the candidate is dropped.
    MissingRejected,
    /// The models disagree: the technical score decides.
    DisagreementTechnical,
    /// The models disagree: the candidate is dropped.
    DisagreementRejected,
    /// The signal is unlike those that the model learnt from: the candidate is dropped.
    NovelRejected,
    /// Better ranked candidates of the session took the positions that a model may have.
    MlSlotsFull,
}

impl MlReason {
    /// Every reason, its name and its meaning.
    pub const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Blended, "blended", "Technical score and probability are blended."),
        (Self::Replaced, "replaced", "The probability takes the place of the technical score."),
        (Self::AboveThreshold, "above_threshold", "The probability reaches the threshold."),
        (Self::BelowThreshold, "below_threshold", "The probability does not reach the threshold."),
        (
            Self::LowConfidenceTechnical,
            "low_confidence_technical",
            "The gate is not sure: the technical score decides.",
        ),
        (Self::LowConfidenceRejected, "low_confidence_rejected", "The gate is not sure: the signal is dropped."),
        (Self::MissingTechnical, "missing_technical", "There is no probability: the technical score decides."),
        (Self::MissingRejected, "missing_rejected", "There is no probability: the signal is dropped."),
        (Self::DisagreementTechnical, "disagreement_technical", "The models disagree: the technical score decides."),
        (Self::DisagreementRejected, "disagreement_rejected", "The models disagree: the signal is dropped."),
        (
            Self::NovelRejected,
            "novel_rejected",
            "The signal is unlike those that the model learnt from: it is dropped.",
        ),
        (
            Self::MlSlotsFull,
            "ml_slots_full",
            "Better ranked signals of the session took the positions that a model may have.",
        ),
    ];

    /// The reason of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, own, _)| *own == name).map(|(reason, ..)| *reason)
    }

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(reason, ..)| *reason == self).map_or("", |(_, name, _)| name)
    }
}

/// What the rules made of one candidate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MlDecision {
    /// Calibrated probability of a win; `None` where there is none.
    pub probability: Option<f64>,
    /// Threshold of the session.
    pub threshold: f64,
    /// What a kept candidate is ranked by; `None` drops it.
    pub rank_score: Option<f64>,
    /// Whether the probability had a say: limits on positions of a model apply.
    pub by_model: bool,
    /// Factor on the quantity, at most 1.
    pub scale: f64,
    /// Why.
    pub reason: MlReason,
}

impl MlDecision {
    /// Whether the candidate goes on.
    pub const fn is_kept(&self) -> bool {
        self.rank_score.is_some()
    }

    /// The same candidate left to its technical score, for another reason.
    #[must_use]
    pub const fn technical(self, score: f64, reason: MlReason) -> Self {
        Self { rank_score: Some(score), by_model: false, scale: 1.0, reason, ..self }
    }

    /// The same candidate dropped, for another reason.
    #[must_use]
    pub const fn dropped(self, reason: MlReason) -> Self {
        Self { rank_score: None, reason, ..self }
    }
}

/// A prediction that was made before, and what came of it: what thresholds are made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PastPrediction {
    /// Time of the signal, microseconds since 1970-01-01 UTC.
    pub ts: i64,
    /// Probability.
    pub probability: f64,
    /// Its outcome, where it is known.
    pub outcome: Option<PastOutcome>,
}

/// What came of a prediction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PastOutcome {
    /// When it was known, microseconds since 1970-01-01 UTC.
    pub known: i64,
    /// Whether the label was a win.
    pub win: bool,
    /// Net profit in R.
    pub r: f64,
}

/// Probabilities and the rules that use them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MlOverlay {
    /// The rules.
    pub rules: MlRules,
    /// Limits on positions of the model; `None` where a comparison asks for the ranking alone.
    pub limits: Option<MlLimits>,
    /// Sizes of positions of the model.
    pub sizing: MlSizing,
    /// Calibrated probability of a win by (symbol index, signal session); NaN counts as missing.
    pub probability: BTreeMap<(u32, u32), f64>,
    /// Predictions that thresholds are made of; only those of earlier sessions are looked at.
    pub past: Vec<PastPrediction>,
}

/// Every decision of a window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MlDecisions {
    /// By (symbol index, signal session), one an eligible candidate.
    pub by_place: BTreeMap<(u32, u32), MlDecision>,
    /// What a reader must know.
    pub warnings: Vec<BacktestWarning>,
}

impl MlOverlay {
    /// Decides about every eligible candidate of a window of sessions.
    ///
    /// # Errors
    /// Rules, limits or probabilities outside their ranges, or a larger share without a probability than allowed.
    pub fn decide(&self, bars: &Bars, signals: &Signals, window: &Range<u32>) -> Result<MlDecisions, BacktestError> {
        self.rules.check()?;
        self.sizing.check()?;
        self.limits.as_ref().map_or(Ok(()), MlLimits::check)?;
        let order = in_session_order(&signals.symbols, |it| it.eligible && window.contains(&it.session));
        let mut thresholds = Thresholds::new(&self.rules, &self.past);
        let mut by_place = BTreeMap::new();
        for (session, symbol, at) in order {
            let score = signals.symbols[symbol as usize].candidates[at as usize].score;
            let probability = self.probability.get(&(symbol, session)).copied().filter(|p| !p.is_nan());
            if let Some(found) = probability.filter(|p| !(0.0..=1.0).contains(p)) {
                return Err(BacktestError::Probability { symbol, session, found });
            }
            if probability.is_none() && self.rules.on_missing == OnMissing::Error {
                return Err(BacktestError::MissingProbability { symbol, session });
            }
            let threshold = thresholds.at(bars.sessions.get(session as usize).copied().unwrap_or(i64::MAX));
            let mut decision = self.rules.decide(score, probability, threshold);
            decision.scale = self.sizing.factor(&decision);
            by_place.insert((symbol, session), decision);
        }
        let warnings = self.warnings(&by_place)?;
        Ok(MlDecisions { by_place, warnings })
    }

    fn warnings(&self, decisions: &BTreeMap<(u32, u32), MlDecision>) -> Result<Vec<BacktestWarning>, BacktestError> {
        let total = decisions.len();
        if total == 0 {
            return Ok(Vec::new());
        }
        let missing = decisions.values().filter(|it| it.probability.is_none()).count();
        let dropped = decisions.values().filter(|it| !it.is_kept()).count();
        let mut warnings = Vec::new();
        let max_share = self.rules.max_missing_share;
        if missing as f64 > max_share * total as f64 {
            return Err(BacktestError::TooManyMissing { missing, total, max_share });
        }
        if missing > 0 {
            warnings.push(BacktestWarning::MissingProbability { missing, total });
        }
        let share = dropped as f64 / total as f64;
        let can_drop = self.rules.mode == PredictionMode::Filter;
        if share > 0.8 || (can_drop && share < 0.02) {
            warnings.push(BacktestWarning::ModelDrops { dropped, total });
        }
        Ok(warnings)
    }
}

/// Thresholds by rising time.
///
/// **Quantile**: type 7 of the probabilities of signals before the session. **Expected R**: the p at which
/// `p * W + (1 - p) * L` is the R asked for, with W and L the mean R of wins and losses that were known before the session; it
/// may lie outside [0, 1], and then keeps none or all. Where the past is too short, or wins are not worth more than losses,
/// `confidence_threshold` holds.
pub struct Thresholds<'a> {
    rules: &'a MlRules,
    /// Rows by the time from which they count: a probability, or whether it was a win and its R.
    rows: Vec<(i64, bool, f64)>,
    next: usize,
    /// Probabilities before the last time asked for, in order.
    known: Vec<f64>,
    /// Outcomes before it: of losses and of wins, how many and their sum.
    outcomes: [(usize, f64); 2],
    last: Option<(i64, f64)>,
}

impl<'a> Thresholds<'a> {
    /// Begins before all times.
    pub fn new(rules: &'a MlRules, past: &[PastPrediction]) -> Self {
        let mut rows: Vec<(i64, bool, f64)> = match rules.threshold_by {
            ThresholdBy::Value => Vec::new(),
            ThresholdBy::Quantile => past.iter().map(|it| (it.ts, false, it.probability)).collect(),
            ThresholdBy::ExpectedR => {
                past.iter().filter_map(|it| it.outcome).map(|it| (it.known, it.win, it.r)).collect()
            }
        };
        rows.retain(|(_, _, value)| !value.is_nan());
        // a total order: sums do not depend on how the caller lists them
        rows.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.total_cmp(&b.2)));
        Self { rules, rows, next: 0, known: Vec::new(), outcomes: [(0, 0.0); 2], last: None }
    }

    /// The threshold of a session that begins at `ts`; times must not fall.
    pub fn at(&mut self, ts: i64) -> f64 {
        if let Some((_, threshold)) = self.last.filter(|(at, _)| *at == ts) {
            return threshold;
        }
        while let Some(&(_, win, value)) = self.rows.get(self.next).filter(|(at, ..)| *at < ts) {
            if self.rules.threshold_by == ThresholdBy::Quantile {
                let place = self.known.partition_point(|known| known.total_cmp(&value).is_lt());
                self.known.insert(place, value);
            }
            let (count, total) = &mut self.outcomes[usize::from(win)];
            *count += 1;
            *total += value;
            self.next += 1;
        }
        let is_enough = self.next >= self.rules.threshold_history as usize;
        let threshold = if is_enough { self.of_past() } else { None }.unwrap_or(self.rules.confidence_threshold);
        self.last = Some((ts, threshold));
        threshold
    }

    fn of_past(&self) -> Option<f64> {
        match self.rules.threshold_by {
            ThresholdBy::Value => None,
            ThresholdBy::Quantile => quantile_sorted(&self.known, self.rules.threshold_quantile),
            ThresholdBy::ExpectedR => {
                let mean = |(count, total): (usize, f64)| (count > 0).then(|| total / count as f64);
                let (loss, win) = (mean(self.outcomes[0])?, mean(self.outcomes[1])?);
                (win > loss).then(|| (self.rules.threshold_r - loss) / (win - loss))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(ts: i64, probability: f64, known: i64, r: f64) -> PastPrediction {
        PastPrediction { ts, probability, outcome: Some(PastOutcome { known, win: r > 0.0, r }) }
    }

    fn rules(threshold_by: ThresholdBy) -> MlRules {
        MlRules { threshold_by, threshold_history: 2, ..MlRules::default() }
    }

    fn at(rules: &MlRules, past: &[PastPrediction], ts: i64) -> f64 {
        Thresholds::new(rules, past).at(ts)
    }

    #[test]
    fn a_quantile_is_of_signals_of_earlier_sessions() {
        let past = [row(1, 0.2, 9, 1.0), row(2, 0.4, 9, 1.0), row(3, 0.9, 9, 1.0)];
        let rules = rules(ThresholdBy::Quantile);
        assert_eq!(at(&rules, &past, 2), 0.5, "one is too few, and the fixed threshold holds");
        assert_eq!(at(&rules, &past, 3), 0.2 + 0.5 * (0.4 - 0.2));
        assert_eq!(at(&rules, &past, 4), 0.4);
    }

    #[test]
    fn an_expected_r_counts_outcomes_that_were_known() {
        let past = [row(1, 0.2, 5, 3.0), row(1, 0.2, 5, -1.0), row(2, 0.2, 8, -3.0)];
        let rules = MlRules { threshold_r: 0.0, ..rules(ThresholdBy::ExpectedR) };
        assert_eq!(at(&rules, &past, 5), 0.5, "nothing is known yet");
        // 3 p - (1 - p) = 0
        assert_eq!(at(&rules, &past, 6), 0.25);
        // a mean loss of 2
        assert_eq!(at(&rules, &past, 9), 0.4);
        assert_eq!(at(&MlRules { threshold_r: 4.0, ..rules.clone() }, &past, 6), 1.25, "nothing is worth that");
        let losses = [row(1, 0.2, 5, -3.0), row(1, 0.2, 5, -1.0)];
        assert_eq!(at(&rules, &losses, 6), 0.5, "without a win there is no such p");
    }

    fn pasts() -> impl Strategy<Value = Vec<PastPrediction>> {
        let one = (0_i64..12, 0.0_f64..=1.0, 0_i64..6, -2.0_f64..3.0);
        proptest::collection::vec(one.prop_map(|(ts, p, lag, r)| row(ts, p, ts + lag, r)), 0..30)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn neither_the_order_of_the_past_nor_anything_later_moves_a_threshold(past in pasts(), now in 0_i64..14) {
            for by in [ThresholdBy::Quantile, ThresholdBy::ExpectedR] {
                let rules = rules(by);
                let whole = at(&rules, &past, now);
                let reversed: Vec<PastPrediction> = past.iter().rev().copied().collect();
                prop_assert_eq!(whole.to_bits(), at(&rules, &reversed, now).to_bits());
                let cut: Vec<PastPrediction> = past
                    .iter()
                    .filter(|it| it.ts < now)
                    .map(|it| PastPrediction { outcome: it.outcome.filter(|outcome| outcome.known < now), ..*it })
                    .collect();
                prop_assert_eq!(whole.to_bits(), at(&rules, &cut, now).to_bits());
                let mut walked = Thresholds::new(&rules, &past);
                let last = (0..=now).map(|ts| walked.at(ts)).last();
                prop_assert_eq!(last.map(f64::to_bits), Some(whole.to_bits()));
            }
        }

        #[test]
        fn modes_agree_where_they_must(score in 0.0_f64..=1.0, p in 0.0_f64..=1.0, w in 0.0_f64..=1.0, threshold in 0.0_f64..=1.0) {
            let decide = |mode, ml_weight| MlRules { mode, ml_weight, ..MlRules::default() }.decide(score, Some(p), threshold);
            prop_assert_eq!(decide(PredictionMode::ScoreEnhancement, 0.0).rank_score, Some(score));
            prop_assert_eq!(decide(PredictionMode::ScoreEnhancement, 1.0).rank_score, decide(PredictionMode::Replace, w).rank_score);
            let (filter, gate) = (decide(PredictionMode::Filter, w), decide(PredictionMode::Gate, w));
            prop_assert_eq!(filter.is_kept(), p >= threshold);
            prop_assert_eq!(gate.by_model, p >= threshold);
            let kept_at_0 = MlRules { mode: PredictionMode::Filter, ..MlRules::default() }.decide(score, Some(p), 0.0);
            prop_assert!(kept_at_0.is_kept());
        }
    }
}
