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

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::bars::{Universe, read_strategy};
use super::model_artifact::json_artifact;
use super::signals::table_artifact;
use super::{
    Behaviour, ConfigError, Descriptor, InputPort, Kind, NodeContext, NodeError, NodeOutput, OutputPort, ValuePort,
    ValueType,
};
use crate::artifact::{Artifact, ArtifactType, Scalar, Scratch};
use crate::base::Seed;
use crate::metric::trading::{MetricDirection, TradingMetric};
use crate::strategy::{Parameter, Strategy};
use crate::table::{Table, Values};
use crate::tune::importance::{ImportanceReport, importance};
use crate::tune::plateau::{Plateau, plateau};
use crate::tune::{
    Cause, Direction, Params, SamplerConfig, SearchSpace, SpaceFile, Study, StudyCheckpoint, StudyConfig, StudyState,
    Trial, TuneError, run_study,
};
use objective::{Layout, Objective, Score};
use overfitting::Overfitting;

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
    /// Walk-forward windows.
    #[serde(default)]
    validation: ValidationConfig,
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
        version: 1,
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
        ],
        outputs: &[
            OutputPort { name: "best", kind: ArtifactType::Strategy, doc: "the strategy with the best trial's values" },
            OutputPort { name: "trials", kind: ArtifactType::Trials, doc: "every trial, in order" },
            OutputPort { name: "returns", kind: ArtifactType::Trials, doc: "validation returns, one column a trial" },
            OutputPort {
                name: "study",
                kind: ArtifactType::Study,
                doc: "best trial, holdout, importances and overfitting statistics",
            },
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
        ],
        behaviour: Behaviour { uses_as_of: true, ..Behaviour::PURE },
    };

    fn check(config: &OptimizeConfig) -> Result<(), ConfigError> {
        config.universe.check()?;
        if let Some(space) = &config.space {
            let space = space.clone().check().map_err(|error| ConfigError::at("space", error.to_string()))?;
            // what a strategy declares is known when it is read; every other path must exist, and every end of a range must
            // be a value that a strategy takes
            for params in corners(&space).filter(|params| !params.keys().any(|path| path.starts_with(DECLARED))) {
                let refused = |error: crate::strategy::StrategyError| ConfigError::at("space", error.to_string());
                Strategy::default().with_parameters(&params).map_err(refused)?;
            }
        }
        if config.trials == 0 {
            return Err(ConfigError::at("trials", "expected at least 1 trial, found 0"));
        }
        if config.validation.folds == 0 {
            return Err(ConfigError::at("validation.folds", "expected at least 1 fold, found 0"));
        }
        Ok(())
    }

    fn run(config: &OptimizeConfig, context: &NodeContext) -> Result<NodeOutput, NodeError> {
        let market = config.universe.load(context.input("bars")?, context)?;
        let strategy = read_strategy(context.input("strategy")?)?;
        let written = space_of(config, &strategy)?;
        let space = written.clone().check().map_err(NodeError::failed)?;
        for params in corners(&space) {
            strategy.with_parameters(&params).map_err(|error| NodeError::failed(format!("`space`: {error}")))?;
        }
        let layout = Layout::of(&market.sessions, &config.validation)?;
        let objective = Objective::new(&market.loaded.bars, &strategy, &layout, &config.objective);
        let study = search(config, &space, &objective, context)?;
        context.cancel.check()?;
        objective.complete(study.trials());
        let Some(best) = study.best() else { return Err(no_best(&study)) };
        let chosen = strategy.with_parameters(&json_params(&best.params)).map_err(NodeError::failed)?;
        let seed = Seed::new(config.seed).derive("overfitting");
        let found = Found {
            holdout: objective.holdout(&chosen)?,
            holdout_before: objective.holdout(&strategy)?,
            before: objective.validation(&strategy)?,
            importance: importance(&space, config.direction(), study.trials(), seed.derive("importance")),
            plateau: plateau(&space, config.direction(), study.trials()),
            overfitting: overfitting::measure(&objective.returns(), best.number, seed, &context.cancel)?,
        };
        let output = output(config, &written, &layout, &study, best, &chosen, &found, &objective)?;
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
    objective: &Objective<'_>,
    context: &NodeContext,
) -> Result<Study, NodeError> {
    let mut observer = |trial: &Trial, best: Option<&Trial>| {
        let words = best.and_then(|best| best.value).map(|value| format!("best {value:.3}")).unwrap_or_default();
        context.report(trial.number + 1, config.trials, &words);
    };
    let evaluate = |proposal: &crate::tune::Proposal| objective.evaluate(proposal);
    let checkpoint = Checkpoint(&context.scratch);
    let found = run_study(space, &config.study(), &evaluate, &mut observer, Some(&checkpoint), &context.cancel);
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

struct Found {
    holdout: Score,
    holdout_before: Score,
    before: Score,
    importance: ImportanceReport,
    plateau: Option<Plateau>,
    overfitting: Overfitting,
}

/// A probability in two digits that never claims certainty.
fn probability(p: f64) -> String {
    match p {
        p if p > 0.99 => "> 0.99".to_owned(),
        p if p < 0.01 => "< 0.01".to_owned(),
        p => format!("{p:.2}"),
    }
}

fn trials_table(study: &Study, space: &SpaceFile) -> Table {
    let trials = study.trials();
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

fn returns_table(objective: &Objective<'_>) -> Table {
    let mut table = Table::new("trial-returns@1");
    for (trial, returns) in objective.returns() {
        table = table.with(format!("trial_{trial}"), "return a session, folds joined", Values::Float(returns));
    }
    table
}

#[expect(clippy::too_many_arguments, reason = "each is a part of what is written")]
fn output(
    config: &OptimizeConfig,
    space: &SpaceFile,
    layout: &Layout,
    study: &Study,
    best: &Trial,
    chosen: &Strategy,
    found: &Found,
    objective: &Objective<'_>,
) -> Result<NodeOutput, NodeError> {
    let metric = config.objective.metric.name();
    let report = json!({
        "version": 1,
        "metric": metric,
        "direction": config.direction(),
        "sampler": config.sampler,
        "trials": study.trials().len(),
        "layout": layout,
        "best": best,
        "before": found.before,
        "holdout": {"best": found.holdout, "before": found.holdout_before},
        "importance": found.importance,
        "plateau": found.plateau,
        "overfitting": found.overfitting,
    });
    let yaml = serde_saphyr::to_string(chosen).map_err(NodeError::failed)?;
    let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.2}"));
    let summary = format!(
        "{} trials; validation {metric} {} (before: {}), holdout {} (before: {}); PBO {}, DSR {}",
        study.trials().len(),
        number(best.value),
        number(found.before.value),
        number(found.holdout.value),
        number(found.holdout_before.value),
        number(found.overfitting.pbo),
        found.overfitting.dsr.map_or("-".to_owned(), probability),
    );
    Ok(NodeOutput {
        outputs: [
            ("best", Artifact::file(ArtifactType::Strategy, yaml.into_bytes())),
            ("trials", table_artifact(ArtifactType::Trials, &trials_table(study, space))?),
            ("returns", table_artifact(ArtifactType::Trials, &returns_table(objective))?),
            ("study", json_artifact(ArtifactType::Study, &report)?),
        ]
        .into(),
        values: [
            ("best_value", Scalar::number(best.value)),
            ("holdout_value", Scalar::number(found.holdout.value)),
            ("holdout_before", Scalar::number(found.holdout_before.value)),
            ("trials", Scalar::count(study.trials().len())),
            ("pbo", Scalar::number(found.overfitting.pbo)),
            ("dsr", Scalar::number(found.overfitting.dsr)),
        ]
        .into(),
        summary,
    })
}
