//! Probabilities of signals from stored models, and what was decided about each.
//!
//! **Where a probability comes from.** A signal that a fold of the model predicted without having seen it has that prediction. One
//! after everything that the model learnt from is predicted by the model. Any other lies in the model's own training span: it has
//! no probability, unless that is allowed, and then it is marked.

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView1, Axis};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::model_artifact::{Predictions, StoredModel};
use super::signal_features::SignalFeatures;
use super::{ConfigError, InputArtifact, NodeError};
use crate::artifact::ArtifactType;
use crate::backtest::report::ModelTag;
use crate::backtest::{MlDecision, MlReason, PastOutcome, PastPrediction};
use crate::base::{Digest, Timestamp};
use crate::feature::FeatureSet;
use crate::market::Bars;
use crate::metric::classification::log_loss;
use crate::score::{
    CombineRules, Combined, Member, ModelWeights, Novelty, NoveltyMethod, NoveltyReference, NoveltyRules,
    OnDisagreement, OnNovel, softmax_weights,
};
use crate::strategy::{Signals, Strategy};

/// How one of several models is used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModelUse {
    /// What it is called in tables; unset: the name of its input.
    pub id: Option<String>,
    /// Whether it is asked at all.
    pub enabled: bool,
    /// Weight beside other models.
    #[schemars(range(min = 0))]
    pub weight: f64,
    /// Priority beside other models; the highest leads.
    pub priority: i32,
    /// Least probability to speak up with, unless no other model speaks.
    #[schemars(range(min = 0, max = 1))]
    pub min_confidence: f64,
    /// Only signals of these symbols; unset: all.
    pub symbols: Option<Vec<String>>,
}

impl Default for ModelUse {
    fn default() -> Self {
        Self { id: None, enabled: true, weight: 1.0, priority: 0, min_confidence: 0.0, symbols: None }
    }
}

impl ModelUse {
    /// Refuses numbers outside their ranges.
    pub(super) fn check(&self, path: &str) -> Result<(), ConfigError> {
        if !(self.weight.is_finite() && self.weight >= 0.0) {
            let message = format!("expected a number of at least 0, found {}", self.weight);
            return Err(ConfigError::at(&format!("{path}.weight"), message));
        }
        if !(0.0..=1.0).contains(&self.min_confidence) {
            let message = format!("expected a number in 0..=1, found {}", self.min_confidence);
            return Err(ConfigError::at(&format!("{path}.min_confidence"), message));
        }
        Ok(())
    }

    fn covers(&self, symbol: &str) -> bool {
        self.symbols.as_ref().is_none_or(|symbols| symbols.iter().any(|own| own == symbol))
    }
}

/// A model that signals are scored by.
pub(super) struct ScoringModel {
    pub id: String,
    pub digest: Digest,
    pub stored: StoredModel,
    pub usage: ModelUse,
    reference: Option<NoveltyReference>,
}

impl ScoringModel {
    /// Reads an input.
    pub(super) fn read(
        name: &str,
        input: &InputArtifact,
        usage: ModelUse,
        novelty: &NoveltyRules,
    ) -> Result<Self, NodeError> {
        if input.reference.kind != ArtifactType::Model {
            return Err(NodeError::failed(format!(
                "input `{name}` is {}, expected a model: connect a source with `registry:`, or the model of a `train` node",
                input.reference.kind
            )));
        }
        let stored = StoredModel::read(input)?;
        let importance = stored.model.importance();
        let reference = NoveltyReference::new(novelty, stored.out_of_fold_features.view(), &importance);
        let id = usage.id.clone().unwrap_or_else(|| name.to_owned());
        Ok(Self { id, digest: input.reference.sha256, stored, usage, reference })
    }

    /// Whether signals can be compared with those of the model's record.
    pub(super) const fn has_reference(&self) -> bool {
        self.reference.is_some()
    }

    /// Forgets the record of its folds, which speaks of the signals of another strategy.
    pub(super) fn without_record(mut self) -> Self {
        self.stored.out_of_fold = Predictions::default();
        self
    }

    /// Log loss of its out-of-fold record.
    fn record_loss(&self) -> Option<f64> {
        let record = &self.stored.out_of_fold;
        log_loss(&record.win, &record.probability, None)
    }
}

/// Where a probability comes from; of several, what most needs saying.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ProbabilitySource {
    /// There is none.
    None,
    /// The model, of a signal after all it learnt from.
    Model,
    /// A fold that had not seen it.
    OutOfFold,
    /// The model, of a signal of its own training span.
    InSample,
}

impl ProbabilitySource {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Model => "model",
            Self::OutOfFold => "out_of_fold",
            Self::InSample => "in_sample",
        }
    }
}

/// A signal and what the models say about it.
#[derive(Clone, Debug)]
pub(super) struct ScoredSignal {
    pub symbol: usize,
    /// Position in the symbol's list of candidates.
    pub candidate: u32,
    pub session: u32,
    pub combined: Combined,
    pub source: ProbabilitySource,
    pub novelty: Option<Novelty>,
    /// Models that were not asked because the signal lies in their training span.
    pub refused: usize,
}

/// Models, and how they decide together.
pub(super) struct Scorer<'a> {
    pub models: &'a [ScoringModel],
    pub combine: &'a CombineRules,
    pub allow_in_sample: bool,
    /// Parts probabilities for a signal from those against it, where models are asked whether they agree.
    pub threshold: f64,
}

/// Names a signal has in every table.
pub(super) fn row_name(symbol: &str, ts: i64) -> String {
    format!("{symbol}@{}", Timestamp::from_micros(ts))
}

impl Scorer<'_> {
    /// Scores the given places, pairs of a symbol and a position in its list of candidates.
    pub(super) fn score(
        &self,
        strategy: &Strategy,
        set: &FeatureSet,
        bars: &Bars,
        found: &Signals,
        places: &[(usize, u32)],
    ) -> Result<Vec<ScoredSignal>, NodeError> {
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let columns = SignalFeatures::of(strategy).columns(set, bars, found, places)?;
        let names: BTreeMap<&str, &[f64]> =
            columns.iter().map(|(name, _, values)| (name.as_str(), values.as_slice())).collect();
        let answers: Vec<Vec<Answer>> = self
            .models
            .iter()
            .map(|model| self.answers(model, &names, bars, found, places))
            .collect::<Result<_, _>>()?;
        let weights = self.weights();
        let scored = places.iter().enumerate().map(|(row, &(symbol, at))| {
            let own: Vec<Answer> = answers.iter().map(|answers| answers[row]).collect();
            let combined = self.combine.combine(&self.members(&own, &weights), self.threshold);
            let asked = own.iter().filter(|answer| answer.probability.is_some());
            let novelty = combined.leader.and_then(|leader| own.get(leader)?.novelty);
            ScoredSignal {
                symbol,
                candidate: at,
                session: found.symbols[symbol].candidates[at as usize].session,
                source: asked.map(|answer| answer.source).max().unwrap_or(ProbabilitySource::None),
                combined,
                novelty,
                refused: own.iter().filter(|answer| answer.is_refused).count(),
            }
        });
        Ok(scored.collect())
    }

    fn weights(&self) -> Vec<f64> {
        let fixed: Vec<f64> = self.models.iter().map(|model| model.usage.weight).collect();
        match self.combine.weights {
            ModelWeights::Fixed => fixed,
            ModelWeights::LogLoss => {
                let losses: Vec<Option<f64>> = self.models.iter().map(ScoringModel::record_loss).collect();
                softmax_weights(&fixed, &losses)
            }
        }
    }

    /// The models as one answer takes them: those that are not sure enough to speak are left out while another speaks.
    fn members(&self, answers: &[Answer], weights: &[f64]) -> Vec<Member> {
        let speaks =
            |at: usize, answer: &Answer| answer.probability.is_some_and(|p| p >= self.models[at].usage.min_confidence);
        let any = answers.iter().enumerate().any(|(at, answer)| speaks(at, answer));
        let one = |(at, answer): (usize, &Answer)| Member {
            weight: weights[at],
            priority: self.models[at].usage.priority,
            probability: answer.probability.filter(|_| !any || speaks(at, answer)),
        };
        answers.iter().enumerate().map(one).collect()
    }

    fn answers(
        &self,
        model: &ScoringModel,
        columns: &BTreeMap<&str, &[f64]>,
        bars: &Bars,
        found: &Signals,
        places: &[(usize, u32)],
    ) -> Result<Vec<Answer>, NodeError> {
        let wanted = &model.stored.schema.features;
        let missing: Vec<&str> = wanted.iter().map(String::as_str).filter(|name| !columns.contains_key(name)).collect();
        if !missing.is_empty() {
            return Err(NodeError::failed(format!(
                "the signals lack features that the model `{}` needs: {}; write the `features` of the `accumulate` node that \
                 it was trained on, and give the strategy of the registry entry",
                model.id,
                missing.join(", ")
            )));
        }
        let mut matrix = Array2::from_elem((places.len(), wanted.len()), f64::NAN);
        for (index, name) in wanted.iter().enumerate() {
            matrix.column_mut(index).assign(&ArrayView1::from(columns[name.as_str()]));
        }
        let record = &model.stored.out_of_fold;
        let record: BTreeMap<&str, f64> =
            record.row.iter().map(String::as_str).zip(record.probability.iter().copied()).collect();
        let until = model.stored.manifest.trained_until.micros();
        let answers: Vec<Answer> = places
            .iter()
            .enumerate()
            .map(|(row, &(symbol, at))| {
                let ts = bars.sessions[found.symbols[symbol].candidates[at as usize].session as usize];
                let name = &bars.series[symbol].symbol;
                if !model.usage.covers(name) {
                    return Answer::NONE;
                }
                if let Some(p) = record.get(row_name(name, ts).as_str()) {
                    return Answer { probability: Some(*p), source: ProbabilitySource::OutOfFold, ..Answer::NONE };
                }
                if ts <= until && !self.allow_in_sample {
                    return Answer { is_refused: true, ..Answer::NONE };
                }
                let features = matrix.row(row);
                let raw = model.stored.model.predict(features.insert_axis(Axis(0)));
                let p = raw.first().map(|raw| model.stored.calibrator.apply(*raw)).filter(|p| !p.is_nan());
                let source = if ts <= until { ProbabilitySource::InSample } else { ProbabilitySource::Model };
                let novelty = model.reference.as_ref().map(|reference| reference.novelty(matrix.row(row)));
                Answer { probability: p, source, novelty, is_refused: false }
            })
            .collect();
        Ok(answers)
    }

    /// What thresholds are made of: the models' out-of-fold records, combined as signals are.
    pub(super) fn past(&self) -> Vec<PastPrediction> {
        let weights = self.weights();
        type Row = (i64, Option<PastOutcome>, Vec<Answer>);
        let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
        for (at, model) in self.models.iter().enumerate() {
            let record = &model.stored.out_of_fold;
            for row in 0..record.row.len() {
                if !model.usage.covers(&record.symbol[row]) {
                    continue;
                }
                let outcome = PastOutcome { known: record.exit_ts[row], win: record.win[row], r: record.r[row] };
                let entry = rows
                    .entry(record.row[row].as_str())
                    .or_insert_with(|| (record.ts[row], Some(outcome), vec![Answer::NONE; self.models.len()]));
                entry.2[at].probability = Some(record.probability[row]);
            }
        }
        let combined = rows.into_values().filter_map(|(ts, outcome, answers)| {
            let probability = self.combine.combine(&self.members(&answers, &weights), self.threshold).probability?;
            Some(PastPrediction { ts, probability, outcome })
        });
        combined.collect()
    }
}

/// What one model says about one signal.
#[derive(Clone, Copy, Debug)]
struct Answer {
    probability: Option<f64>,
    source: ProbabilitySource,
    novelty: Option<Novelty>,
    is_refused: bool,
}

impl Answer {
    const NONE: Self = Self { probability: None, source: ProbabilitySource::None, novelty: None, is_refused: false };
}

/// What a model says about every signal of a backtest.
pub(crate) struct BacktestModel {
    /// Probability by (symbol index, signal session).
    pub(crate) probability: BTreeMap<(u32, u32), f64>,
    pub(crate) past: Vec<PastPrediction>,
    pub(crate) tags: BTreeMap<(u32, u32), ModelTag>,
    /// Signals scored by a model that had seen them.
    pub(crate) in_sample: usize,
    /// The first session with a signal that has a probability.
    pub(crate) first: Option<u32>,
}

/// Asks one model about every eligible signal of a window: folds about what they had not seen, the model about what came after
/// all it learnt from.
///
/// # Errors
/// A model of another strategy, or features that it needs and the signals lack.
pub(crate) fn backtest_model(
    name: &str,
    input: &InputArtifact,
    (strategy, digest): (&Strategy, Digest),
    set: &FeatureSet,
    (bars, found): (&Bars, &Signals),
    window: &std::ops::Range<u32>,
    allow_in_sample: bool,
) -> Result<BacktestModel, NodeError> {
    let none = NoveltyRules { method: NoveltyMethod::None, ..NoveltyRules::default() };
    let model = ScoringModel::read(name, input, ModelUse::default(), &none)?;
    if model.stored.manifest.strategy != digest.to_string() {
        return Err(NodeError::failed(format!(
            "the model `{name}` was trained on signals of another strategy ({}) than this one ({}): give the strategy of its registry \
             entry",
            model.stored.manifest.strategy.get(..12).unwrap_or_default(),
            digest.short()
        )));
    }
    let models = [model];
    let combine = CombineRules::default();
    let scorer = Scorer { models: &models, combine: &combine, allow_in_sample, threshold: 0.5 };
    let scored = scorer.score(strategy, set, bars, found, &super::score::eligible(found, window))?;
    let (mut probability, mut tags) = (BTreeMap::new(), BTreeMap::new());
    for it in &scored {
        let Some(p) = it.combined.probability else { continue };
        let place = (it.symbol as u32, it.session);
        probability.insert(place, p);
        let (id, digest) = (models[0].id.clone(), models[0].digest.to_string());
        tags.insert(place, ModelTag { id, digest, source: it.source.name().to_owned() });
    }
    if probability.is_empty() {
        return Err(NodeError::failed(format!(
            "the model `{name}` can say nothing out of sample about the {} signals of this window: it learnt until {}; give newer bars, \
             or allow it to score its own training span, and every output says so",
            scored.len(),
            models[0].stored.manifest.trained_until
        )));
    }
    Ok(BacktestModel {
        past: scorer.past(),
        in_sample: scored.iter().filter(|it| it.source == ProbabilitySource::InSample).count(),
        first: probability.keys().map(|(_, session)| *session).min(),
        probability,
        tags,
    })
}

/// What disagreement and novelty make of a decision.
pub(super) fn overruled(
    decision: MlDecision,
    score: f64,
    scored: &ScoredSignal,
    combine: &CombineRules,
    novelty: &NoveltyRules,
) -> MlDecision {
    if novelty.on_novel == OnNovel::Reject && scored.novelty.is_some_and(|it| it.is_novel) {
        return decision.dropped(MlReason::NovelRejected);
    }
    match (scored.combined.disagrees, combine.on_disagreement) {
        (false, _) => decision,
        (true, OnDisagreement::Technical) => decision.technical(score, MlReason::DisagreementTechnical),
        (true, OnDisagreement::Reject) => decision.dropped(MlReason::DisagreementRejected),
    }
}
