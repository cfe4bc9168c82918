//! `optimize-parameters`: a study over a strategy's parameters on walk-forward folds, and one look at the holdout.
//!
//! ```text
//! |<- train ->|<-- fold 0 -->|<-- fold 1 -->| ... |<- embargo ->|<- holdout ->|
//! ```
//! A trial's score is the mean of a metric over the validation folds, each a backtest of its own that starts in cash. A
//! strategy's rules learn nothing, so `train` is the history before each fold on which the same metric is measured for
//! comparison: a fall from train to validation is the first sign of overfitting. The holdout is opened once, at the end,
//! for the best trial and for the strategy as it came in.

#[path = "optimize/objective.rs"]
mod objective;
#[path = "optimize/overfitting.rs"]
mod overfitting;
#[path = "optimize/record.rs"]
mod record;
#[path = "optimize/report.rs"]
mod report;

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::bars::{Market, Universe, Window, read_strategy};
use super::model_artifact::json_artifact;
use super::signals::table_artifact;
use super::{
    Behaviour, ConfigError, Descriptor, InputPort, Kind, NodeContext, NodeError, NodeOutput, OutputPort, ValuePort,
    ValueType,
};
use crate::artifact::{Artifact, ArtifactType, Scalar, Scratch};
use crate::base::{Days, Digest, Seed, canonical_json};
use crate::metric::trading::{MetricDirection, TradingMetric};
use crate::strategy::{Parameter, Strategy};
use crate::table::{Table, Values};
use crate::tune::importance::importance;
use crate::tune::plateau::plateau;
use crate::tune::pruner::Pruner;
use crate::tune::{
    Cause, Direction, Params, SamplerConfig, SamplerError, SearchSpace, SpaceFile, Study, StudyCheckpoint, StudyConfig,
    StudyState, Trial, TrialState, TuneError, run_study,
};
use objective::{Layout, Objective, PERIOD_SHARPE, Rules};
use overfitting::Searched;

pub use record::{Holdout, StudyRecord, StudyRecordError};
pub use report::probability;

/// Searches a strategy's parameters.
pub struct OptimizeParameters;

/// What is made large or small.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectiveConfig {
    /// A metric of the backtest.
    pub metric: TradingMetric,
    /// Unset: the metric's own good direction.
    #[serde(default)]
    pub direction: Option<Direction>,
    /// Trials with fewer trades over all folds are infeasible.
    #[serde(default = "default_min_trades")]
    pub min_trades: usize,
    /// Trials with a deeper drawdown in any fold are infeasible; a positive share of equity.
    #[serde(default)]
    pub max_drawdown: Option<f64>,
}

fn default_min_trades() -> usize {
    30
}

/// Walk-forward windows, in sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ValidationConfig {
    /// Sessions before each fold on which the metric is measured for comparison.
    pub train: u32,
    /// Validation folds, of equal length, between the first train window and the holdout.
    #[schemars(range(min = 1))]
    pub folds: u32,
    /// Sessions left out before the holdout.
    pub embargo: u32,
    /// Sessions at the end that no trial sees.
    pub holdout: u32,
}

impl Default for ValidationConfig {
    fn default() -> Self {
        Self { train: 252, folds: 5, embargo: 5, holdout: 252 }
    }
}

/// How much of the market a study looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// As set.
    #[default]
    Full,
    /// The last two years of at most 20 symbols in short windows, in place of `validation` and `universe.window`: to see
    /// whether a pipeline works, not what a strategy is worth.
    Quick,
}

/// Days that `quick` looks at.
const QUICK_DAYS: Days = Days(730);
/// Symbols that `quick` looks at.
const QUICK_SYMBOLS: usize = 20;
/// Windows of `quick`.
const QUICK_VALIDATION: ValidationConfig = ValidationConfig { train: 63, folds: 4, embargo: 5, holdout: 63 };

/// Settings of `optimize-parameters`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OptimizeConfig {
    /// What is made large or small.
    objective: ObjectiveConfig,
    /// Parameters of the strategy, by path, with their ranges; unset: all that the strategy declares.
    #[serde(default)]
    #[schemars(transform = strategy_paths)]
    space: Option<SpaceFile>,
    /// Who proposes.
    #[serde(default)]
    sampler: SamplerConfig,
    /// Trials in all.
    #[serde(default = "default_trials")]
    #[schemars(range(min = 1))]
    trials: u64,
    /// How many trials behind a proposal its knowledge ends; part of the result, unlike the number of threads.
    #[serde(default = "default_lag")]
    lag: u64,
    /// Stops trials that cannot win; unset: `futility` from 4 folds on, `none` below.
    #[serde(default)]
    pruner: Option<Pruner>,
    /// Walk-forward windows.
    #[serde(default)]
    validation: ValidationConfig,
    /// How much of the market is looked at.
    #[serde(default)]
    preset: Preset,
    /// Bars to search on.
    #[serde(default)]
    universe: Universe,
    /// Seed of the proposals and of the overfitting statistics.
    #[serde(default)]
    seed: u64,
}

/// How paths of parameters begin that a strategy itself declares.
const DECLARED: &str = "parameters.";

/// Says which parameters a strategy has.
fn strategy_paths(space: &mut Schema) {
    let paths: Vec<String> = Strategy::parameters().map(Parameter::path).collect();
    let declared = format!("^{DECLARED}[A-Za-z_][A-Za-z0-9_]*$").replace('.', "\\.");
    space.insert(
        "propertyNames".to_owned(),
        json!({"anyOf": [{"enum": paths}, {"type": "string", "pattern": declared}]}),
    );
}

fn default_trials() -> u64 {
    50
}

fn default_lag() -> u64 {
    4
}

impl OptimizeConfig {
    fn validation(&self) -> ValidationConfig {
        match self.preset {
            Preset::Full => self.validation,
            Preset::Quick => QUICK_VALIDATION,
        }
    }

    fn pruner(&self) -> Pruner {
        self.pruner.unwrap_or_else(|| Pruner::default_for(self.validation().folds as usize))
    }

    /// Reads the bars that the preset leaves.
    fn market(&self, context: &NodeContext) -> Result<Market, NodeError> {
        let input = context.input("bars")?;
        let all = self.universe.load(input, context)?;
        if self.preset == Preset::Full {
            return Ok(all);
        }
        let mut quick = self.universe.clone();
        quick.window = Window { start: None, length: Some(QUICK_DAYS), ..quick.window };
        // in the order of their names: any other choice would look at the data
        let names = all.loaded.bars.series.iter().map(|series| series.symbol.clone());
        quick.symbols = Some(names.take(QUICK_SYMBOLS).collect());
        quick.load(input, context)
    }

    fn direction(&self) -> Direction {
        self.objective.direction.unwrap_or(match self.objective.metric.direction() {
            MetricDirection::Maximize => Direction::Maximize,
            MetricDirection::Minimize => Direction::Minimize,
        })
    }

    fn study(&self) -> StudyConfig {
        StudyConfig {
            sampler: self.sampler,
            trials: self.trials,
            seed: Seed::new(self.seed).derive("optimize-parameters"),
            lag: self.lag,
            direction: self.direction(),
        }
    }
}

impl Kind for OptimizeParameters {
    type Config = OptimizeConfig;

    const DESCRIPTOR: Descriptor = Descriptor {
        name: "optimize-parameters",
        version: 3,
        doc: "Searches a strategy's parameters by TPE on walk-forward folds, and opens the holdout once.",
        inputs: &[
            InputPort { many: false, name: "bars", types: &[ArtifactType::Bars], required: true, doc: "bars" },
            InputPort {
                many: false,
                name: "strategy",
                types: &[ArtifactType::Strategy],
                required: true,
                doc: "the strategy whose parameters are searched; values outside the space stay",
            },
            InputPort {
                many: false,
                name: "earlier",
                types: &[ArtifactType::Study, ArtifactType::File],
                required: false,
                doc: "an earlier study of the same metric to begin with: its trials inside the space, or the file it was published to",
            },
        ],
        outputs: &[
            OutputPort { name: "best", kind: ArtifactType::Strategy, doc: "the strategy with the best trial's values" },
            OutputPort { name: "trials", kind: ArtifactType::Trials, doc: "every trial, in order" },
            OutputPort { name: "returns", kind: ArtifactType::Trials, doc: "validation returns, one column a trial" },
            OutputPort {
                name: "study",
                kind: ArtifactType::Study,
                doc: "best trial, holdout, importances, overfitting statistics and all trials",
            },
            OutputPort { name: "report", kind: ArtifactType::Report, doc: "the study in Markdown, with pictures" },
        ],
        values: &[
            ValuePort { name: "best_value", kind: ValueType::Number, doc: "mean validation score of the best trial" },
            ValuePort { name: "holdout_value", kind: ValueType::Number, doc: "score of the best trial on the holdout" },
            ValuePort {
                name: "holdout_before",
                kind: ValueType::Number,
                doc: "score of the strategy as it came in, on the holdout",
            },
            ValuePort { name: "trials", kind: ValueType::Number, doc: "trials finished" },
            ValuePort { name: "pbo", kind: ValueType::Number, doc: "probability of backtest overfitting, 0 to 1" },
            ValuePort { name: "dsr", kind: ValueType::Number, doc: "deflated Sharpe ratio, 0 to 1" },
            ValuePort { name: "spa_p", kind: ValueType::Number, doc: "p-value that no trial beats cash, 0 to 1" },
            ValuePort { name: "pruned", kind: ValueType::Number, doc: "trials that were stopped early" },
        ],
        behaviour: Behaviour { uses_as_of: true, ..Behaviour::PURE },
    };

    fn check(config: &OptimizeConfig) -> Result<(), ConfigError> {
        config.universe.check()?;
        if config.sampler.levels == 0 {
            return Err(ConfigError::at("sampler.levels", SamplerError::NoLevels.to_string()));
        }
        if let Some(space) = &config.space {
            let space = space.clone().check().map_err(|error| ConfigError::at("space", error.to_string()))?;
            // what a strategy declares is known when it is read; every other path must exist, and every end of a range must
            // be a value that a strategy takes
            for params in corners(&space).filter(|params| !params.keys().any(|path| path.starts_with(DECLARED))) {
                let refused = |error: crate::strategy::StrategyError| ConfigError::at("space", error.to_string());
                Strategy::default().with_parameters(&params).map_err(refused)?;
            }
            if let Some(defect) = config.sampler.defect(&space, config.trials) {
                return Err(ConfigError::at("sampler", defect.to_string()));
            }
        }
        if config.trials == 0 {
            return Err(ConfigError::at("trials", "expected at least 1 trial, found 0"));
        }
        if config.validation().folds == 0 {
            return Err(ConfigError::at("validation.folds", "expected at least 1 fold, found 0"));
        }
        Ok(())
    }

    fn run(config: &OptimizeConfig, context: &NodeContext) -> Result<NodeOutput, NodeError> {
        let market = config.market(context)?;
        let strategy = read_strategy(context.input("strategy")?)?;
        let written = space_of(config, &strategy)?;
        let space = written.clone().check().map_err(NodeError::failed)?;
        if let Some(defect) = config.sampler.defect(&space, config.trials) {
            return Err(NodeError::failed(format!("`sampler`: {defect}")));
        }
        for params in corners(&space) {
            strategy.with_parameters(&params).map_err(|error| NodeError::failed(format!("`space`: {error}")))?;
        }
        let earlier = earlier(config, context)?;
        let layout = Layout::of(&market.sessions, &config.validation())?;
        let bars = &market.loaded.bars;
        let (direction, pruner) = (config.direction(), config.pruner());
        let rules = Rules { objective: &config.objective, direction, pruner, seed: config.study().seed };
        let objective = Objective::new(bars, &strategy, &layout, rules);
        let study = search(config, &space, &earlier, &objective, context)?;
        context.cancel.check()?;
        let keys = Keys::of(config, context)?;
        let scored = study.trials().iter().filter(|trial| trial.value.is_some()).count();
        context.ledger.record(keys.search, keys.study, scored as u64).map_err(NodeError::failed)?;
        objective.complete(study.trials());
        let Some(best) = study.best() else { return Err(no_best(&study)) };
        let chosen = strategy.with_parameters(&json_params(&best.params)).map_err(NodeError::failed)?;
        let seed = Seed::new(config.seed).derive("overfitting");
        let returns = objective.returns();
        let stopped: Vec<f64> =
            study.trials().iter().filter_map(|trial| trial.attributes.get(PERIOD_SHARPE).copied()).collect();
        let searched = Searched {
            returns: &returns,
            stopped: &stopped,
            trials: scored + study.state.earlier.len(),
            best: best.number,
            periods_per_year: bars.periods_per_year,
        };
        let record = StudyRecord {
            version: record::RECORD_VERSION,
            search: keys.search,
            objective: config.objective,
            direction,
            sampler: config.sampler,
            pruner,
            best: best.clone(),
            before: objective.validation(&strategy)?,
            holdout: Holdout { best: objective.holdout(&chosen)?, before: objective.holdout(&strategy)? },
            importance: importance(&space, direction, study.trials(), seed.derive("importance")),
            plateau: plateau(&space, direction, study.trials()),
            overfitting: overfitting::measure(&searched, seed, &context.cancel)?,
            earlier: study.state.earlier.len(),
            trials: study.trials().to_vec(),
            layout,
            space,
        };
        let output = output(&record, &written, &chosen, &returns)?;
        context.scratch.clear().map_err(NodeError::failed)?;
        Ok(output)
    }
}

/// The space of the study: its own, or what the strategy declares.
fn space_of(config: &OptimizeConfig, strategy: &Strategy) -> Result<SpaceFile, NodeError> {
    if let Some(space) = &config.space {
        return Ok(space.clone());
    }
    let declared = strategy.declared_space();
    if declared.is_empty() {
        return Err(NodeError::failed(format!(
            "the strategy (kind `{}`) declares no parameter with a range, and this node has no `space`: write one, as \
             `space: {{risk.risk_per_trade: {{float: [0.005, 0.02]}}}}`",
            strategy.kind()
        )));
    }
    serde_json::from_value(Value::Object(declared.into_iter().collect())).map_err(NodeError::failed)
}

/// The trials of an earlier study; none where there is none.
fn earlier(config: &OptimizeConfig, context: &NodeContext) -> Result<Vec<Trial>, NodeError> {
    let Some(input) = context.inputs.get("earlier") else { return Ok(Vec::new()) };
    let study = StudyRecord::read(&input.bytes()?).map_err(NodeError::failed)?;
    let (own, other) = (config.objective.metric, study.objective.metric);
    if own != other || study.direction != config.direction() {
        let message =
            format!("the earlier study searched for `{other}`, this one for `{own}`: their scores cannot be mixed");
        return Err(NodeError::failed(message));
    }
    Ok(study.trials)
}

/// What a study is counted under.
struct Keys {
    /// Data and metric.
    search: Digest,
    /// Everything that decides the trials.
    study: Digest,
}

impl Keys {
    fn of(config: &OptimizeConfig, context: &NodeContext) -> Result<Self, NodeError> {
        let digest = |port: &str| context.inputs.get(port).map(|input| input.reference.sha256);
        let hash = |parts: Value| canonical_json(&parts).map(|text| Digest::of(&text)).map_err(NodeError::failed);
        Ok(Self {
            search: hash(json!({
                "bars": digest("bars"),
                "symbols": config.universe.symbols,
                "metric": config.objective.metric,
                "direction": config.direction(),
            }))?,
            study: hash(json!({
                "config": config,
                "bars": digest("bars"),
                "strategy": digest("strategy"),
                "earlier": digest("earlier"),
                "as_of": context.as_of,
            }))?,
        })
    }
}

/// Each end of each range, with all others left out.
fn corners(space: &SearchSpace) -> impl Iterator<Item = BTreeMap<String, Value>> {
    use crate::tune::Distribution;
    let ends = |distribution: &Distribution| match distribution {
        Distribution::Float { low, high, .. } => vec![json!(low), json!(high)],
        Distribution::Int { low, high, .. } => vec![json!(low), json!(high)],
        Distribution::Choice(choices) => choices.clone(),
    };
    let parameters = space.parameters().iter();
    parameters.flat_map(move |parameter| {
        ends(&parameter.distribution).into_iter().map(|end| [(parameter.name.clone(), end)].into())
    })
}

fn json_params(params: &Params) -> BTreeMap<String, Value> {
    params.iter().map(|(name, value)| (name.clone(), value.to_json())).collect()
}

fn search(
    config: &OptimizeConfig,
    space: &SearchSpace,
    earlier: &[Trial],
    objective: &Objective<'_>,
    context: &NodeContext,
) -> Result<Study, NodeError> {
    let mut observer = |trial: &Trial, best: Option<&Trial>| {
        let words = best.and_then(|best| best.value).map(|value| format!("best {value:.3}")).unwrap_or_default();
        context.report(trial.number + 1, config.trials, &words);
    };
    let evaluate = |proposal: &crate::tune::Proposal| objective.evaluate(proposal);
    let checkpoint = Checkpoint(&context.scratch);
    let found =
        run_study(space, &config.study(), earlier, &evaluate, &mut observer, Some(&checkpoint), &context.cancel);
    found.map_err(
        |error: TuneError| {
            if context.cancel.is_cancelled() { NodeError::Cancelled } else { NodeError::failed(error) }
        },
    )
}

/// Keeps the trials of a study that is killed or stopped: the next attempt goes on from there, and comes to the same end.
struct Checkpoint<'a>(&'a Scratch);

impl StudyCheckpoint for Checkpoint<'_> {
    fn load(&self) -> Result<Option<StudyState>, Cause> {
        Ok(self.0.load()?)
    }

    fn save(&self, state: &StudyState) -> Result<(), Cause> {
        Ok(self.0.save(state)?)
    }

    fn every(&self) -> u64 {
        // a save writes all trials: often enough to lose seconds, rarely enough to cost little
        100
    }
}

/// No trial counts: says why, in the words of the first that failed.
fn no_best(study: &Study) -> NodeError {
    let reason = study.trials().iter().find_map(|trial| trial.message.clone());
    let reason = reason.unwrap_or_else(|| "every trial violates a constraint, as `min_trades`".to_owned());
    NodeError::failed(format!("none of {} trials can be used: {reason}", study.trials().len()))
}

fn trials_table(trials: &[Trial], space: &SpaceFile) -> Table {
    let int = |get: &dyn Fn(&Trial) -> i64| Values::Int(trials.iter().map(get).collect());
    let float = |get: &dyn Fn(&Trial) -> f64| Values::Float(trials.iter().map(get).collect());
    let state = |trial: &Trial| json!(trial.state).as_str().unwrap_or_default().to_owned();
    let folds = trials.iter().map(|trial| trial.fold_values.len()).max().unwrap_or(0);
    let mut table = Table::new("trials@1")
        .with("number", "from 0", int(&|trial| i64::try_from(trial.number).unwrap_or(i64::MAX)))
        .with("state", "what became of it", Values::Text(trials.iter().map(state).collect()))
        .with("value", "mean validation score", float(&|trial| trial.value.unwrap_or(f64::NAN)))
        .with(
            "message",
            "why it failed",
            Values::Text(trials.iter().map(|trial| trial.message.clone().unwrap_or_default()).collect()),
        );
    for attribute in ["train", "trades"] {
        let get = |trial: &Trial| trial.attributes.get(attribute).copied().unwrap_or(f64::NAN);
        table = table.with(attribute, "mean train score, and trades over all folds", float(&get));
    }
    for fold in 0..folds {
        let get = |trial: &Trial| trial.fold_values.get(fold).copied().flatten().unwrap_or(f64::NAN);
        table = table.with(format!("fold_{fold}"), "validation score of this fold", float(&get));
    }
    for name in space.0.keys() {
        let text = |trial: &Trial| trial.params.get(name).map(|value| value.to_json().to_string()).unwrap_or_default();
        table = table.with(name.clone(), "parameter, as JSON", Values::Text(trials.iter().map(text).collect()));
    }
    table
}

fn returns_table(returns: &BTreeMap<u64, Vec<f64>>) -> Table {
    let mut table = Table::new("trial-returns@1");
    for (trial, returns) in returns {
        let doc = "return a session, folds joined; trials that ran all folds";
        table = table.with(format!("trial_{trial}"), doc, Values::Float(returns.clone()));
    }
    table
}

fn output(
    record: &StudyRecord,
    space: &SpaceFile,
    chosen: &Strategy,
    returns: &BTreeMap<u64, Vec<f64>>,
) -> Result<NodeOutput, NodeError> {
    let yaml = serde_saphyr::to_string(chosen).map_err(NodeError::failed)?;
    Ok(NodeOutput {
        outputs: [
            ("best", Artifact::file(ArtifactType::Strategy, yaml.into_bytes())),
            ("trials", table_artifact(ArtifactType::Trials, &trials_table(&record.trials, space))?),
            ("returns", table_artifact(ArtifactType::Trials, &returns_table(returns))?),
            ("study", json_artifact(ArtifactType::Study, record)?),
            ("report", record.report()),
        ]
        .into(),
        values: [
            ("best_value", Scalar::number(record.best.value)),
            ("holdout_value", Scalar::number(record.holdout.best.value)),
            ("holdout_before", Scalar::number(record.holdout.before.value)),
            ("trials", Scalar::count(record.trials.len())),
            ("pruned", Scalar::count(record.count(TrialState::Pruned))),
            ("pbo", Scalar::number(record.overfitting.pbo)),
            ("dsr", Scalar::number(record.overfitting.dsr)),
            ("spa_p", Scalar::number(record.overfitting.spa_p)),
        ]
        .into(),
        summary: record.summary(),
    })
}

#[cfg(test)]
#[path = "optimize/tests.rs"]
mod tests;
