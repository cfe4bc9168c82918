//! `train`: a model of signals, judged on folds it has not seen and published with its out-of-sample record.
//!
//! Everything that is fitted in a fold is fitted to its train rows: weights, selected features, maps, the round of early
//! stopping, the model. The published model is fitted to all labelled rows; the figures it is advertised by are those of
//! the folds.

mod page;
mod record;
mod rows;
mod target;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::model_artifact::StoredModel;
use super::signals::Signals;
use super::{
    Behaviour, ConfigError, Descriptor, InputPort, Kind, NodeContext, NodeError, NodeOutput, OutputPort, ValuePort,
    ValueType,
};
use crate::artifact::ArtifactType;
use crate::base::{MICROS_PER_DAY, Seed};
use crate::metric::classification::with_intervals;
use crate::metric::regression::regression_report;
use crate::model::{
    CalibrationKind, ForestConfig, ModelConfig, ModelError, Recipe, Selection, Task, TrainedModel, Transform,
    train_on_folds,
};
use crate::split::{FoldPlan, SkipReason, Validation};
use crate::stats::bootstrap::IntervalPlan;

use record::{Judged, Outcome};
use rows::TrainingRows;
pub use target::Target;

/// Trains a model of signals.
pub struct Train;

/// How much each signal counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SampleWeight {
    /// By the share of its life that it does not share with other signals of its symbol that are learnt from with it:
    /// overlapping trades are not independent.
    #[default]
    Uniqueness,
    /// By age, halved every `recency_half_life` sessions before the newest signal that is learnt from with it.
    Recency,
    /// By the product of both.
    UniquenessAndRecency,
    /// All alike.
    None,
}

/// A model family with its parameters, written `{kind: random-forest, trees: 200}`.
#[derive(Clone, Debug, PartialEq, JsonSchema)]
pub struct ModelChoice(pub ModelConfig);

impl<'de> Deserialize<'de> for ModelChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        ModelConfig::from_choice(Map::deserialize(deserializer)?).map(Self).map_err(|error| {
            // serde's own words name the field, which leads to its place in the file
            std::error::Error::source(&error).map_or_else(|| D::Error::custom(&error), D::Error::custom)
        })
    }
}

impl Serialize for ModelChoice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error;
        self.0.to_choice().map_err(S::Error::custom).and_then(|choice: Value| choice.serialize(serializer))
    }
}

/// Settings of `train`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// The model.
    #[serde(default = "default_model")]
    model: ModelChoice,
    /// What is learnt. Unset: what the labels are of, `win` for `r_multiple`.
    #[serde(default)]
    target: Option<Target>,
    /// The folds on which it is judged.
    #[serde(default)]
    validation: Validation,
    /// Youngest share of a fold's training sessions, purged, by which a model that stops early is stopped. The published
    /// model then learns from all rows, with the median of the folds' rounds.
    #[serde(default = "default_stopping_share")]
    #[schemars(range(min = 0.05, max = 0.5))]
    stopping_share: f64,
    /// What is done to each feature, fitted in each fold.
    #[serde(default)]
    transform: Transform,
    /// Share of values that `transform: winsorise` cuts off at each end. Unset: 0.01.
    #[serde(default)]
    #[schemars(range(min = 0, max = 0.25))]
    winsorise_share: Option<f64>,
    /// Which features are learnt from, chosen in each fold.
    #[serde(default)]
    selection: Selection,
    /// Calibration, fitted on out-of-fold predictions only; of probabilities.
    #[serde(default)]
    calibration: CalibrationKind,
    /// How much each signal counts.
    #[serde(default)]
    sample_weight: SampleWeight,
    /// Sessions after which a signal counts half, for the weights by `recency`.
    #[serde(default = "default_half_life")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    recency_half_life: f64,
    /// Only these features; unset: all.
    #[serde(default)]
    features: Option<Vec<String>>,
    /// Fewer labelled signals than this are too few: the node is skipped.
    #[serde(default = "default_min_samples")]
    min_samples: usize,
    /// Fewer signals than this whose outcome became known after all that the champion learnt from are too few: the node is
    /// skipped. It needs the input `champion`, and holds from the first one on.
    #[serde(default)]
    min_new_samples: usize,
    /// Seed of the draws of the learner and of the intervals.
    #[serde(default)]
    seed: u64,
}

fn default_model() -> ModelChoice {
    ModelChoice(ModelConfig::RandomForest(ForestConfig::default()))
}

fn default_min_samples() -> usize {
    50
}

fn default_half_life() -> f64 {
    252.0
}

fn default_stopping_share() -> f64 {
    0.2
}

/// What `winsorise` cuts off when nothing is said.
const WINSORISE_SHARE: f64 = 0.01;

impl TrainConfig {
    fn recipe(&self) -> Recipe<'_> {
        Recipe {
            model: &self.model.0,
            transform: self.transform,
            tail: self.winsorise_share.unwrap_or(WINSORISE_SHARE),
            selection: &self.selection,
            stopping_share: self.stopping_share,
        }
    }

    fn check_ranges(&self) -> Result<(), ConfigError> {
        let half_life = self.recency_half_life;
        if !(half_life.is_finite() && half_life > 0.0) {
            let message = format!("expected a number of sessions above 0, found {half_life}");
            return Err(ConfigError::at("recency_half_life", message));
        }
        if !(0.05..=0.5).contains(&self.stopping_share) {
            let message = format!("expected a share from 0.05 to 0.5, found {}", self.stopping_share);
            return Err(ConfigError::at("stopping_share", message));
        }
        let Some(share) = self.winsorise_share else { return Ok(()) };
        if self.transform != Transform::Winsorise {
            let refusal = ConfigError::at("winsorise_share", "only `transform: winsorise` reads it");
            return Err(refusal.hint("remove it, or write `transform: winsorise`"));
        }
        if !(0.0..=0.25).contains(&share) {
            return Err(ConfigError::at("winsorise_share", format!("expected a share from 0 to 0.25, found {share}")));
        }
        Ok(())
    }
}

impl Kind for Train {
    type Config = TrainConfig;

    const DESCRIPTOR: Descriptor = Descriptor {
        name: "train",
        version: 2,
        doc: "Trains a model of signals: judged on purged folds, calibrated out of fold, published with its record.",
        inputs: &[
            InputPort {
                many: false,
                name: "data",
                types: &[ArtifactType::Signals],
                required: true,
                doc: "labelled signals",
            },
            InputPort {
                many: false,
                name: "champion",
                types: &[ArtifactType::Model],
                required: false,
                doc: "the model in production, for `min_new_samples` and its age",
            },
        ],
        outputs: &[
            OutputPort { name: "model", kind: ArtifactType::Model, doc: "the model, trained on all labelled signals" },
            OutputPort {
                name: "predictions",
                kind: ArtifactType::Predictions,
                doc: "out-of-fold predictions: each by a model that had not seen the signal",
            },
            OutputPort {
                name: "report",
                kind: ArtifactType::Report,
                doc: "folds, figures and features as one HTML page",
            },
        ],
        values: &[
            ValuePort { name: "auc", kind: ValueType::Number, doc: "out-of-fold AUC; none of a number" },
            ValuePort { name: "log_loss", kind: ValueType::Number, doc: "out-of-fold log loss, calibrated" },
            ValuePort {
                name: "rmse",
                kind: ValueType::Number,
                doc: "out-of-fold root of the mean squared error, of a number",
            },
            ValuePort { name: "rank_ic", kind: ValueType::Number, doc: "out-of-fold rank correlation, of a number" },
            ValuePort { name: "rows", kind: ValueType::Number, doc: "labelled signals learnt from" },
            ValuePort { name: "folds", kind: ValueType::Number, doc: "folds that gave predictions" },
            ValuePort { name: "features", kind: ValueType::Number, doc: "features that the published model reads" },
            ValuePort {
                name: "stability",
                kind: ValueType::Number,
                doc: "how alike the folds selected features, up to 1; none where all kept all",
            },
            ValuePort {
                name: "auc_spread",
                kind: ValueType::Number,
                doc: "standard deviation of the AUC over the paths of `combinatorial`",
            },
            ValuePort {
                name: "new_samples",
                kind: ValueType::Number,
                doc: "signals whose outcome became known after all that the champion learnt from",
            },
            ValuePort {
                name: "champion_age",
                kind: ValueType::Number,
                doc: "days from all that the champion learnt from to the newest known outcome",
            },
        ],
        behaviour: Behaviour::PURE,
    };

    fn check(config: &TrainConfig) -> Result<(), ConfigError> {
        config.check_ranges()?;
        if let Some((place, message)) = config.selection.defect() {
            return Err(ConfigError::at(&format!("selection.{place}"), message));
        }
        config.validation.check().map_err(|error| ConfigError::at("validation", error.to_string()))
    }

    fn run(config: &TrainConfig, context: &NodeContext) -> Result<NodeOutput, NodeError> {
        let input = context.input("data")?;
        let signals = Signals::read_any(input)?;
        signals.refuse_holdout()?;
        let data = TrainingRows::of(signals, config)?;
        let since = since_champion(&data, config, context)?;
        let plan = config.validation.plan(&data.spans, 0..data.signals.sessions).map_err(NodeError::failed)?;
        if plan.folds.is_empty() {
            return Err(no_fold(&plan, &data, config));
        }
        let seed = Seed::new(config.seed).derive("train");
        let trained = fit(&data, &plan, config, seed, context)?;
        let predictions = data.predictions(&trained);
        let outcome = match data.target.task() {
            Task::Classification => Outcome::Classes(Box::new(with_intervals(
                &predictions.win,
                &predictions.probability,
                0.5,
                &IntervalPlan::default(),
                seed.derive("intervals"),
                &context.cancel,
            )?)),
            Task::Regression => Outcome::Values(regression_report(&predictions.target, &predictions.raw)),
        };
        Judged { data: &data, plan: &plan, trained: &trained, predictions: &predictions, outcome, since, config }
            .output(input.reference.sha256)
    }
}

/// What became known since the champion was trained.
#[derive(Clone, Copy, Debug, Default)]
struct SinceChampion {
    new_samples: Option<usize>,
    age_days: Option<f64>,
}

fn since_champion(
    data: &TrainingRows,
    config: &TrainConfig,
    context: &NodeContext,
) -> Result<SinceChampion, NodeError> {
    let Some(champion) = context.inputs.get("champion") else { return Ok(SinceChampion::default()) };
    let until = StoredModel::read_any(champion)?.manifest.trained_until.micros();
    let found = data.known_after(until);
    if found < config.min_new_samples {
        let needed = config.min_new_samples;
        return Err(NodeError::Insufficient { what: "labelled signals since the champion was trained", found, needed });
    }
    let newest = data.rows.iter().map(|&row| data.signals.exit_ts[row]).max();
    let age_days = newest.map(|newest| (newest - until) as f64 / MICROS_PER_DAY as f64);
    Ok(SinceChampion { new_samples: Some(found), age_days })
}

/// Says what every fold lacked.
fn no_fold(plan: &FoldPlan, data: &TrainingRows, config: &TrainConfig) -> NodeError {
    let last = plan.skipped.last().map(|fold| &fold.reason);
    let (what, found, needed) = match last {
        Some(&SkipReason::TooFewTrainRows { found, needed }) => ("signals to train the last fold on", found, needed),
        Some(&SkipReason::TooFewTestRows { found, needed }) => ("signals to test the last fold on", found, needed),
        None => {
            let needed = config.validation.windows().train as usize + 1;
            ("sessions for one fold", data.signals.sessions as usize, needed)
        }
    };
    NodeError::Insufficient { what, found, needed }
}

fn fit(
    data: &TrainingRows,
    plan: &FoldPlan,
    config: &TrainConfig,
    seed: Seed,
    context: &NodeContext,
) -> Result<TrainedModel, NodeError> {
    let total = plan.folds.len() as u64 + 1;
    let weigh = |rows: &[usize]| data.weigh(rows);
    let trained = train_on_folds(
        &data.labelled(&weigh),
        plan,
        &config.recipe(),
        config.calibration,
        seed,
        &context.cancel,
        &mut |done| context.report(done as u64, total, "folds"),
    );
    trained.map_err(|error| match error {
        ModelError::Cancelled(_) => NodeError::Cancelled,
        other => NodeError::failed(other),
    })
}
