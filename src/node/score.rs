//! `score`: what models make of the signals of the newest bars.
//!
//! The `scores@1` table has one row an eligible signal, best first within its session.
//!
//! | column | unit and meaning |
//! |---|---|
//! | `symbol`, `ts`, `side` | which signal; one row each, by which duplicates are told |
//! | `score` | technical score, 0 to 1 |
//! | `ml_prob` | calibrated probability of a win; empty where there is none |
//! | `ml_score` | what a kept signal is ranked by; empty where it is dropped |
//! | `threshold` | the least probability of its session |
//! | `ml_decision`, `ml_reason` | `keep` or `drop`, and why |
//! | `model_id`, `model_digest` | the model that stands for the answer |
//! | `members`, `agreement`, `disagreement` | models that had a say, share on the side of the majority, deviation |
//! | `novelty`, `novel` | distance to the model's record, and whether it is beyond what the record shows itself |
//! | `source` | `model`, `out_of_fold`, `in_sample` or `none`: where the probability comes from |
//! | `by_model`, `scale` | whether limits of the model apply; factor on the quantity |
//! | `rank` | place among the kept signals of its session |
//! | `close`, `stop`, `take_profit` | of the signal bar |
//!
//! Facts: `sessions` lists all that were scored, also those without a signal; `prediction`, `limits`, `sizing`, `strategy`,
//! `models` say by what.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::accumulate::checked_features;
use super::bars::{Market, Universe, read_strategy};
use super::paper::last_session;
use super::scoring::{ModelUse, ProbabilitySource, ScoredSignal, Scorer, ScoringModel, overruled};
use super::signals::table_artifact;
use super::{
    Behaviour, ConfigError, Descriptor, InputPort, Kind, NodeContext, NodeError, NodeOutput, OutputPort, ValuePort,
    ValueType,
};
use crate::artifact::{Artifact, ArtifactType, Scalar};
use crate::backtest::{
    BacktestWarning, MlDecision, MlLimits, MlOverlay, MlReason, MlRules, MlSizing, PastPrediction, PredictionMode,
    Thresholds,
};
use crate::base::{Days, MICROS_PER_DAY, Timestamp};
use crate::feature::Features;
use crate::market::Bars;
use crate::registry::{NAME_PATTERN, is_valid_name};
use crate::score::{CombineRules, NoveltyMethod, NoveltyRules};
use crate::strategy::{Candidate, IndicatorCache, Side, Signals, Strategy, signals};
use crate::table::{Table, Values};

/// Scores the signals of the newest bars.
pub struct Score;

/// Settings of `score`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ScoreConfig {
    /// Bars to work on.
    universe: Universe,
    /// Features: those of the `accumulate` node that the models were trained on.
    features: Features,
    /// Newest sessions to score. With `book`, only where the book is empty.
    #[schemars(range(min = 1))]
    sessions: u32,
    /// A book of `paper`: every session after the last one that it holds is scored, and none twice.
    #[schemars(extend("pattern" = NAME_PATTERN, "examples" = ["daily"]))]
    book: Option<String>,
    /// Days that the newest bar may lie before the end of the data window.
    max_staleness: Days,
    /// How probability and technical score make one ranking.
    prediction: MlRules,
    /// Limits on positions of the models. Those that need an account are kept by `paper` and `backtest`.
    limits: MlLimits,
    /// Sizes of positions of the models.
    sizing: MlSizing,
    /// How each model is used, by the name of its input; one that is not named here is used as it is.
    models: BTreeMap<String, ModelUse>,
    /// How several models decide together.
    combine: CombineRules,
    /// How signals are noticed that a model knows nothing about.
    novelty: NoveltyRules,
    /// Let a model score signals of its own training span, and mark them.
    allow_in_sample: bool,
    /// Let a model score signals of another strategy than it was trained on.
    any_strategy: bool,
}

impl Default for ScoreConfig {
    fn default() -> Self {
        Self {
            universe: Universe::default(),
            features: Features::default(),
            sessions: 1,
            book: None,
            max_staleness: Days(7),
            prediction: MlRules::default(),
            limits: MlLimits::default(),
            sizing: MlSizing::default(),
            models: BTreeMap::new(),
            combine: CombineRules::default(),
            novelty: NoveltyRules::default(),
            allow_in_sample: false,
            any_strategy: false,
        }
    }
}

/// Name and version of the table.
pub(super) const SCORES: &str = "scores@1";

const BARS: InputPort =
    InputPort { many: false, name: "bars", types: &[ArtifactType::Bars], required: true, doc: "bars" };
const STRATEGY: InputPort = InputPort {
    many: false,
    name: "strategy",
    types: &[ArtifactType::Strategy],
    required: true,
    doc: "the strategy whose signals the models were trained on",
};
const MODEL: InputPort = InputPort {
    many: false,
    name: "model",
    types: &[ArtifactType::Model],
    required: true,
    doc: "the model; further models are inputs of any other name",
};

const DECISIONS: &[&str] = &["scored", "nothing-to-do"];

impl Kind for Score {
    type Config = ScoreConfig;

    const DESCRIPTOR: Descriptor = Descriptor {
        name: "score",
        version: 1,
        doc: "Scores the signals of the newest bars with one model or several: probability, decision and reason for each.",
        inputs: &[BARS, STRATEGY, MODEL],
        outputs: &[
            OutputPort { name: "scores", kind: ArtifactType::Scores, doc: "one row a signal" },
            OutputPort { name: "report", kind: ArtifactType::Report, doc: "the signals for people" },
        ],
        values: &[
            ValuePort {
                name: "decision",
                kind: ValueType::Word(DECISIONS),
                doc: "whether there was a session to score",
            },
            ValuePort { name: "sessions", kind: ValueType::Number, doc: "sessions that were scored" },
            ValuePort { name: "signals", kind: ValueType::Number, doc: "eligible signals" },
            ValuePort { name: "kept", kind: ValueType::Number, doc: "signals that are kept" },
            ValuePort { name: "missing", kind: ValueType::Number, doc: "signals without a probability" },
            ValuePort { name: "novel", kind: ValueType::Number, doc: "signals unlike those of the model's record" },
            ValuePort { name: "in_sample", kind: ValueType::Number, doc: "signals of a model's own training span" },
        ],
        behaviour: Behaviour { uses_as_of: true, open_inputs: true, ..Behaviour::PURE },
    };

    fn check(config: &ScoreConfig) -> Result<(), ConfigError> {
        config.universe.check()?;
        checked_features(&config.features)?;
        if config.sessions == 0 {
            return Err(ConfigError::at("sessions", "expected a whole number of at least 1, found 0"));
        }
        if let Some(book) = config.book.as_ref().filter(|book| !is_valid_name(book)) {
            return Err(ConfigError::at(
                "book",
                format!(
                    "`{book}` cannot name a book: use letters, digits, `.`, `_` and `-`, starting with a letter or a digit"
                ),
            ));
        }
        config.prediction.check().map_err(|error| ConfigError::at("prediction", error.to_string()))?;
        config.limits.check().map_err(|error| ConfigError::at("limits", error.to_string()))?;
        config.sizing.check().map_err(|error| ConfigError::at("sizing", error.to_string()))?;
        config.combine.check().map_err(|error| ConfigError::at("combine", error.to_string()))?;
        if let Some((key, defect)) = config.novelty.defect() {
            return Err(ConfigError::at(&format!("novelty.{key}"), defect));
        }
        config.models.iter().try_for_each(|(name, usage)| usage.check(&format!("models.{name}")))
    }

    fn run(config: &ScoreConfig, context: &NodeContext) -> Result<NodeOutput, NodeError> {
        let strategy_input = context.input("strategy")?;
        let strategy = read_strategy(strategy_input)?;
        let models = models(config, context)?;
        let market = config.universe.load(context.input("bars")?, context)?;
        let bars = &market.loaded.bars;
        check_age(config, bars, context.as_of)?;
        let cache = IndicatorCache::new();
        let found = signals(&strategy, bars, &cache).map_err(NodeError::failed)?;
        context.report(1, 3, "signals");
        let window = newest(config, context, &market)?;
        let scorer = Scorer {
            models: &models,
            combine: &config.combine,
            allow_in_sample: config.allow_in_sample,
            threshold: config.prediction.confidence_threshold,
        };
        let past = scorer.past();
        let scored = Scored::of(config, &scorer, &strategy, bars, &found, window.clone(), &past)?;
        context.report(2, 3, "decisions");
        let mut lints = threshold_lint(&config.prediction, &past).into_iter().collect::<Vec<String>>();
        lints.extend(scored.warnings.iter().cloned());
        lints.extend(absent(bars, &window));
        lints.extend(without_reference(config, &models));
        lints.iter().for_each(|lint| (context.log)(&format!("note: {lint}")));
        output(config, &models, &strategy_input.reference.sha256.to_string(), bars, &found, &window, &scored, &lints)
    }
}

/// The models of all inputs, by name, that are enabled.
fn models(config: &ScoreConfig, context: &NodeContext) -> Result<Vec<ScoringModel>, NodeError> {
    let inputs: BTreeMap<&String, _> =
        context.inputs.iter().filter(|(name, _)| ![BARS.name, STRATEGY.name].contains(&name.as_str())).collect();
    if let Some(unknown) = config.models.keys().find(|name| !inputs.contains_key(name)) {
        let known: Vec<&str> = inputs.keys().map(|name| name.as_str()).collect();
        return Err(NodeError::failed(format!(
            "`models` names `{unknown}`, which is no input of this node; its models are {}",
            known.join(", ")
        )));
    }
    let strategy = context.input("strategy")?.reference.sha256.to_string();
    let mut found = Vec::new();
    for (name, input) in inputs {
        let usage = config.models.get(name).cloned().unwrap_or_default();
        if !usage.enabled {
            continue;
        }
        let model = ScoringModel::read(name, input, usage, &config.novelty)?;
        let is_own = model.stored.manifest.strategy == strategy;
        if !is_own && !config.any_strategy {
            return Err(NodeError::failed(format!(
                "the model `{}` was trained on signals of another strategy ({}) than `strategy` ({}): give the strategy of its \
                 registry entry with `part: strategy`, or set `any_strategy: true`",
                model.id,
                short(&model.stored.manifest.strategy),
                short(&strategy)
            )));
        }
        found.push(if is_own { model } else { model.without_record() });
    }
    match found.is_empty() {
        true => Err(NodeError::failed("every model is disabled: set `enabled: true` for one of `models`")),
        false => Ok(found),
    }
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

/// Refuses bars that end long before the window does: orders made from them would be late.
fn check_age(config: &ScoreConfig, bars: &Bars, as_of: Timestamp) -> Result<(), NodeError> {
    let newest = Timestamp::from_micros(bars.sessions.last().copied().unwrap_or(i64::MIN / 2));
    let days = (as_of.micros() - newest.micros()) / MICROS_PER_DAY;
    if days > config.max_staleness.0 {
        return Err(NodeError::failed(format!(
            "the newest bar is of {}, {days} days before the end of the data window, {as_of}; expected at most {}: bring the \
             data up to date, or set `max_staleness`",
            newest.date(),
            config.max_staleness
        )));
    }
    Ok(())
}

/// The sessions to score.
fn newest(config: &ScoreConfig, context: &NodeContext, market: &Market) -> Result<std::ops::Range<u32>, NodeError> {
    let sessions = market.sessions.clone();
    let last = match &config.book {
        Some(book) => last_session(context, book)?,
        None => None,
    };
    let start = match last {
        Some(last) => market.loaded.bars.sessions.partition_point(|&ts| ts <= last) as u32,
        None => sessions.end.saturating_sub(config.sessions),
    };
    Ok(start.clamp(sessions.start, sessions.end)..sessions.end)
}

/// Signals, and what was decided about each.
pub(super) struct Scored {
    pub rows: Vec<(ScoredSignal, MlDecision)>,
    /// Place among the kept signals of its session, by row.
    pub rank: Vec<Option<u32>>,
    pub warnings: Vec<String>,
}

impl Scored {
    fn of(
        config: &ScoreConfig,
        scorer: &Scorer<'_>,
        strategy: &Strategy,
        bars: &Bars,
        found: &Signals,
        window: std::ops::Range<u32>,
        past: &[PastPrediction],
    ) -> Result<Self, NodeError> {
        let set = config.features.build().map_err(NodeError::failed)?;
        let places = eligible(found, &window);
        let scored = scorer.score(strategy, &set, bars, found, &places)?;
        let refused: Vec<&ScoredSignal> = scored.iter().filter(|it| it.refused > 0).collect();
        if let Some(first) = refused.first() {
            return Err(NodeError::failed(format!(
                "{} signals, the first of {} on {}, lie in the training span of a model, and no fold predicted them without having \
                 seen them: score later sessions, or set `allow_in_sample: true`, and every output says so",
                refused.len(),
                bars.series[first.symbol].symbol,
                Timestamp::from_micros(bars.sessions[first.session as usize]).date()
            )));
        }
        let probability =
            scored.iter().filter_map(|it| Some(((it.symbol as u32, it.session), it.combined.probability?))).collect();
        let overlay = MlOverlay {
            rules: config.prediction.clone(),
            limits: Some(config.limits.clone()),
            sizing: config.sizing,
            probability,
            past: past.to_vec(),
        };
        let decisions = overlay.decide(bars, found, &window)?;
        let decided = |it: ScoredSignal| {
            let decision = decisions.by_place.get(&(it.symbol as u32, it.session))?;
            let score = found.symbols[it.symbol].candidates[it.candidate as usize].score;
            let mut decision = overruled(*decision, score, &it, &config.combine, &config.novelty);
            decision.scale = config.sizing.factor(&decision);
            Some((it, decision))
        };
        let mut rows: Vec<(ScoredSignal, MlDecision)> = scored.into_iter().filter_map(decided).collect();
        rows.sort_by(|a, b| better(found, a, b));
        let rank = ranks(&rows);
        let warnings = decisions.warnings.iter().filter_map(warning_words).collect();
        Ok(Self { rows, rank, warnings })
    }

    /// What a table says of a row: whether it is kept, and why. Beyond the positions that a model may have, it is not.
    fn verdict(&self, at: usize, limits: &MlLimits) -> (bool, MlReason) {
        let (signal, decision) = &self.rows[at];
        let most = limits.max_ml_positions.filter(|_| decision.by_model && decision.is_kept());
        let of_model = |row: &usize| {
            let (other, decision) = &self.rows[*row];
            other.session == signal.session && decision.by_model && decision.is_kept()
        };
        match most {
            Some(most) if (0..at).filter(of_model).count() >= most as usize => (false, MlReason::MlSlotsFull),
            _ => (decision.is_kept(), decision.reason),
        }
    }
}

fn warning_words(warning: &BacktestWarning) -> Option<String> {
    match warning {
        BacktestWarning::MissingProbability { missing, total } => {
            Some(format!("{missing} of {total} signals have no probability"))
        }
        // a share of a handful of signals says nothing about a threshold: the record of the models does
        BacktestWarning::ModelDrops { .. } | BacktestWarning::DelistedWithoutHaircut { .. } => None,
    }
}

/// Places of the eligible signals of a window, by session and symbol.
pub(super) fn eligible(found: &Signals, window: &std::ops::Range<u32>) -> Vec<(usize, u32)> {
    let mut places: Vec<(u32, usize, u32)> = Vec::new();
    for (symbol, own) in found.symbols.iter().enumerate() {
        let in_window = own.candidates.iter().enumerate().filter(|(_, it)| it.eligible && window.contains(&it.session));
        places.extend(in_window.map(|(at, it)| (it.session, symbol, at as u32)));
    }
    places.sort_unstable();
    places.into_iter().map(|(_, symbol, at)| (symbol, at)).collect()
}

/// Earlier sessions first; within one the order of the simulator: score, clearance, traded value, symbol; what is dropped
/// comes last.
fn better(found: &Signals, a: &(ScoredSignal, MlDecision), b: &(ScoredSignal, MlDecision)) -> Ordering {
    let falling = |a: f64, b: f64| a.is_nan().cmp(&b.is_nan()).then(b.total_cmp(&a));
    let candidate = |it: &ScoredSignal| -> &Candidate { &found.symbols[it.symbol].candidates[it.candidate as usize] };
    let (x, y) = (candidate(&a.0), candidate(&b.0));
    let rank = |it: &MlDecision| it.rank_score.unwrap_or(f64::NAN);
    a.0.session
        .cmp(&b.0.session)
        .then(falling(rank(&a.1), rank(&b.1)))
        .then(falling(x.clearance, y.clearance))
        .then(falling(x.adv20, y.adv20))
        .then(a.0.symbol.cmp(&b.0.symbol))
}

fn ranks(rows: &[(ScoredSignal, MlDecision)]) -> Vec<Option<u32>> {
    let (mut session, mut last) = (None, 0);
    let mut place = |(signal, decision): &(ScoredSignal, MlDecision)| {
        if session != Some(signal.session) {
            (session, last) = (Some(signal.session), 0);
        }
        last += u32::from(decision.is_kept());
        decision.is_kept().then_some(last)
    };
    rows.iter().map(&mut place).collect()
}

/// A threshold that would drop nearly all of the past, or nearly nothing of it.
fn threshold_lint(rules: &MlRules, past: &[PastPrediction]) -> Option<String> {
    if past.is_empty() || !matches!(rules.mode, PredictionMode::Filter | PredictionMode::Gate) {
        return None;
    }
    let mut rows: Vec<&PastPrediction> = past.iter().collect();
    rows.sort_by(|a, b| a.ts.cmp(&b.ts).then(a.probability.total_cmp(&b.probability)));
    let mut thresholds = Thresholds::new(rules, past);
    let below = rows.iter().filter(|it| it.probability < thresholds.at(it.ts)).count();
    let share = below as f64 / rows.len() as f64;
    let most = |words: &str| {
        Some(format!(
            "the threshold would have dropped {:.0} % of the {} signals of the models' record: {words}",
            100.0 * share,
            rows.len()
        ))
    };
    match share {
        share if share > 0.8 => most("lower it, or nearly nothing is traded"),
        share if share < 0.02 => most("raise it, or the model decides nothing"),
        _ => None,
    }
}

/// Symbols without a bar in the newest session.
fn absent(bars: &Bars, window: &std::ops::Range<u32>) -> Option<String> {
    let last = window.end.checked_sub(1)?;
    let missing: Vec<&str> = bars
        .series
        .iter()
        .filter(|series| series.session.last() != Some(&last))
        .map(|series| series.symbol.as_str())
        .collect();
    let day = Timestamp::from_micros(bars.sessions[last as usize]).date();
    (!missing.is_empty()).then(|| format!("no bar on {day}: {}", missing.join(", ")))
}

fn without_reference(config: &ScoreConfig, models: &[ScoringModel]) -> Option<String> {
    let lack: Vec<&str> = models.iter().filter(|it| !it.has_reference()).map(|it| it.id.as_str()).collect();
    (config.novelty.method != NoveltyMethod::None && !lack.is_empty()).then(|| {
        format!("novelty is not measured for {}: the record of the model has too few rows that differ", lack.join(", "))
    })
}

/// A side as tables name it.
pub(super) const fn side_name(side: Side) -> &'static str {
    match side {
        Side::Long => "long",
        Side::Short => "short",
    }
}

#[expect(clippy::too_many_arguments, reason = "everything that one run found, once")]
fn output(
    config: &ScoreConfig,
    models: &[ScoringModel],
    strategy: &str,
    bars: &Bars,
    found: &Signals,
    window: &std::ops::Range<u32>,
    scored: &Scored,
    lints: &[String],
) -> Result<NodeOutput, NodeError> {
    let table = table(config, models, strategy, bars, found, window, scored)?;
    let count = |wanted: &dyn Fn(usize) -> bool| (0..scored.rows.len()).filter(|&at| wanted(at)).count();
    let kept = count(&|at| scored.verdict(at, &config.limits).0);
    let missing = count(&|at| scored.rows[at].1.probability.is_none());
    let novel = count(&|at| scored.rows[at].0.novelty.is_some_and(|it| it.is_novel));
    let in_sample = count(&|at| scored.rows[at].0.source == ProbabilitySource::InSample);
    let day = |session: u32| Timestamp::from_micros(bars.sessions[session as usize]).date();
    let summary = if window.is_empty() {
        format!("nothing to do: every session up to {} is scored", day(window.end - 1))
    } else {
        let when = if window.len() == 1 {
            day(window.start)
        } else {
            format!("{} to {}", day(window.start), day(window.end - 1))
        };
        let marked = if in_sample > 0 { format!("; IN SAMPLE: {in_sample}") } else { String::new() };
        let novel = if novel > 0 { format!("; {novel} novel") } else { String::new() };
        let notes = match lints.len() {
            0 => String::new(),
            1 => format!("; note: {}", lints[0]),
            many => format!("; {many} notes in the report"),
        };
        let signals =
            if scored.rows.len() == 1 { "1 signal".to_owned() } else { format!("{} signals", scored.rows.len()) };
        format!("{when}: {signals}, {kept} kept, {missing} without a probability{novel}{marked}{notes}")
    };
    let report = report(&table, &summary, lints).map_err(NodeError::failed)?;
    Ok(NodeOutput {
        outputs: [
            ("scores", table_artifact(ArtifactType::Scores, &table)?),
            ("report", Artifact::file(ArtifactType::Report, report)),
        ]
        .into(),
        values: [
            ("decision", Scalar::text(DECISIONS[usize::from(window.is_empty())])),
            ("sessions", Scalar::count(window.len())),
            ("signals", Scalar::count(scored.rows.len())),
            ("kept", Scalar::count(kept)),
            ("missing", Scalar::count(missing)),
            ("novel", Scalar::count(novel)),
            ("in_sample", Scalar::count(in_sample)),
        ]
        .into(),
        summary,
    })
}

fn table(
    config: &ScoreConfig,
    models: &[ScoringModel],
    strategy: &str,
    bars: &Bars,
    found: &Signals,
    window: &std::ops::Range<u32>,
    scored: &Scored,
) -> Result<Table, NodeError> {
    let rows = &scored.rows;
    let candidate = |at: usize| &found.symbols[rows[at].0.symbol].candidates[rows[at].0.candidate as usize];
    let text = |get: &dyn Fn(usize) -> String| Values::Text((0..rows.len()).map(get).collect());
    let float = |get: &dyn Fn(usize) -> f64| Values::Float((0..rows.len()).map(get).collect());
    let flag = |get: &dyn Fn(usize) -> bool| Values::Bool((0..rows.len()).map(get).collect());
    let or_nan = |value: Option<f64>| value.unwrap_or(f64::NAN);
    let leader = |at: usize| rows[at].0.combined.leader.and_then(|leader| models.get(leader));
    let verdict = |at: usize| scored.verdict(at, &config.limits);
    let ts = |at: usize| bars.sessions[rows[at].0.session as usize];
    let mut table = Table::new(SCORES)
        .with("symbol", "ticker", text(&|at| bars.series[rows[at].0.symbol].symbol.clone()))
        .with("ts", "signal time, UTC; known at this bar's close", Values::Time((0..rows.len()).map(ts).collect()))
        .with("side", "long or short", text(&|at| side_name(candidate(at).side).to_owned()))
        .with("score", "technical score, 0 to 1", float(&|at| candidate(at).score))
        .with("ml_prob", "calibrated probability of a win", float(&|at| or_nan(rows[at].1.probability)))
        .with("ml_score", "what a kept signal is ranked by", float(&|at| or_nan(rows[at].1.rank_score)))
        .with("threshold", "least probability of its session", float(&|at| rows[at].1.threshold))
        .with("ml_decision", "keep or drop", text(&|at| if verdict(at).0 { "keep" } else { "drop" }.to_owned()))
        .with("ml_reason", "why", text(&|at| verdict(at).1.name().to_owned()))
        .with("rule", "why, before limits on positions of a model", text(&|at| rows[at].1.reason.name().to_owned()))
        .with(
            "model_id",
            "the model that stands for the answer",
            text(&|at| leader(at).map_or_else(String::new, |it| it.id.clone())),
        )
        .with(
            "model_digest",
            "SHA-256 of that model",
            text(&|at| leader(at).map_or_else(String::new, |it| it.digest.to_string())),
        )
        .with(
            "members",
            "models that had a say",
            Values::Int(rows.iter().map(|it| it.0.combined.members as i64).collect()),
        )
        .with(
            "agreement",
            "share of them on the side of the majority",
            float(&|at| or_nan(rows[at].0.combined.agreement)),
        )
        .with("disagreement", "deviation of their probabilities", float(&|at| or_nan(rows[at].0.combined.disagreement)))
        .with("novelty", "distance to the model's record", float(&|at| or_nan(rows[at].0.novelty.map(|it| it.index))))
        .with(
            "novel",
            "beyond what the record shows itself",
            flag(&|at| rows[at].0.novelty.is_some_and(|it| it.is_novel)),
        )
        .with("source", "where the probability comes from", text(&|at| rows[at].0.source.name().to_owned()))
        .with("by_model", "whether limits of the model apply", flag(&|at| rows[at].1.by_model))
        .with("scale", "factor on the quantity", float(&|at| rows[at].1.scale))
        .with(
            "rank",
            "place among the kept signals of its session",
            float(&|at| or_nan(scored.rank[at].map(f64::from))),
        )
        .with(
            "close",
            "of the signal bar",
            float(&|at| bars.series[rows[at].0.symbol].close[candidate(at).row as usize]),
        )
        .with("stop", "from the close of the signal bar", float(&|at| or_nan(candidate(at).stop)))
        .with("take_profit", "from the close of the signal bar", float(&|at| or_nan(candidate(at).take_profit)));
    let sessions: Vec<i64> = window.clone().map(|session| bars.sessions[session as usize]).collect();
    let named: Vec<_> = models.iter().map(|it| json!({"id": it.id, "digest": it.digest})).collect();
    let facts = [
        ("sessions", json!(sessions).to_string()),
        ("prediction", serde_json::to_string(&config.prediction).map_err(NodeError::failed)?),
        ("limits", serde_json::to_string(&config.limits).map_err(NodeError::failed)?),
        ("sizing", serde_json::to_string(&config.sizing).map_err(NodeError::failed)?),
        ("strategy", strategy.to_owned()),
        ("models", json!(named).to_string()),
    ];
    table.facts.extend(facts.map(|(name, value)| (name.to_owned(), value)));
    Ok(table)
}

/// The signals for people, Markdown.
fn report(table: &Table, summary: &str, lints: &[String]) -> Result<String, crate::table::TableError> {
    use std::fmt::Write as _;
    let mut text = format!("# Signals\n\n{summary}\n");
    if !lints.is_empty() {
        text.push_str("\n## Notes\n\n");
        lints.iter().for_each(|lint| text.push_str(&format!("- {lint}\n")));
    }
    if table.rows() == 0 {
        return Ok(text);
    }
    text.push_str(
        "\n| day | symbol | side | score | probability | decision | why | close | stop | model | source |\n\
         |---|---|---|---:|---:|---|---|---:|---:|---|---|\n",
    );
    let number = |value: f64, digits: usize| if value.is_nan() { "-".to_owned() } else { format!("{value:.digits$}") };
    for row in 0..table.rows() {
        let word = |column: &str| Ok::<_, crate::table::TableError>(table.texts(column)?[row].clone());
        let float = |column: &str| Ok::<_, crate::table::TableError>(table.floats(column)?[row]);
        let novel = if table.bools("novel")?[row] { ", novel" } else { "" };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {}{novel} | {} | {} | {} | {} |",
            Timestamp::from_micros(table.times("ts")?[row]).date(),
            word("symbol")?,
            word("side")?,
            number(float("score")?, 3),
            number(float("ml_prob")?, 3),
            word("ml_decision")?,
            word("ml_reason")?,
            number(float("close")?, 4),
            number(float("stop")?, 4),
            word("model_id")?,
            word("source")?,
        );
    }
    Ok(text)
}
