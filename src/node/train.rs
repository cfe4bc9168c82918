//! `train`: a signal-quality model, judged walk-forward and published with its out-of-sample record.

use std::collections::BTreeMap;

use ndarray::{Array1, Axis};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::model_artifact::{FeatureSchema, Manifest, Predictions, pretty};
use super::signals::{Signals, table_artifact};
use super::{
    Behaviour, ConfigError, Descriptor, InputPort, Kind, NodeContext, NodeError, NodeOutput, OutputPort, ValuePort,
    ValueType,
};
use crate::artifact::{Artifact, ArtifactType, Scalar};
use crate::base::{Seed, Timestamp};
use crate::label::recency;
use crate::metric::classification::{ClassificationReport, roc_auc, with_intervals};
use crate::model::{CalibrationKind, Learner, ModelConfig, ModelError, TrainedModel, TrainingSet, walk_forward_train};
use crate::split::{FoldPlan, SkipReason, Span, WalkForward, walk_forward};
use crate::stats::bootstrap::IntervalPlan;
use crate::table::Values;

/// Trains a model of the probability that a signal wins.
pub struct Train;

/// How much each signal counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SampleWeight {
    /// By the share of its life that it does not share with other signals of its symbol: overlapping trades are not
    /// independent.
    #[default]
    Uniqueness,
    /// By age, halved every `recency_half_life` sessions before the newest labelled signal.
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
        let mut fields = Map::deserialize(deserializer)?;
        let Some(Value::String(kind)) = fields.remove("kind") else {
            return Err(D::Error::custom("expected `kind:` with the name of a model family"));
        };
        ModelConfig::from_json(&kind, &Value::Object(fields)).map(Self).map_err(|error| {
            // serde's own words name the field, which leads to its place in the file
            std::error::Error::source(&error).map_or_else(|| D::Error::custom(&error), D::Error::custom)
        })
    }
}

impl Serialize for ModelChoice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error;
        let mut fields: Map<String, Value> = [("kind".to_owned(), Value::from(self.0.family()))].into_iter().collect();
        if let Value::Object(rest) = self.0.parameters().map_err(S::Error::custom)? {
            fields.extend(rest);
        }
        fields.serialize(serializer)
    }
}

/// Settings of `train`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// The model.
    #[serde(default = "default_model")]
    model: ModelChoice,
    /// Walk-forward windows, in sessions.
    #[serde(default)]
    validation: WalkForward,
    /// Calibration, fitted on out-of-fold predictions only.
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
    /// Seed of the draws of the learner and of the intervals.
    #[serde(default)]
    seed: u64,
}

fn default_model() -> ModelChoice {
    ModelChoice(ModelConfig::RandomForest(crate::model::ForestConfig::default()))
}

fn default_min_samples() -> usize {
    50
}

fn default_half_life() -> f64 {
    252.0
}

impl Kind for Train {
    type Config = TrainConfig;

    const DESCRIPTOR: Descriptor = Descriptor {
        name: "train",
        version: 1,
        doc: "Trains a signal-quality model: walk-forward with purge, calibrated out of fold, published with its record.",
        inputs: &[InputPort {
            many: false,
            name: "data",
            types: &[ArtifactType::Signals],
            required: true,
            doc: "labelled signals",
        }],
        outputs: &[
            OutputPort { name: "model", kind: ArtifactType::Model, doc: "the model, trained on all labelled signals" },
            OutputPort {
                name: "predictions",
                kind: ArtifactType::Predictions,
                doc: "out-of-fold predictions: each by a model that had not seen the signal",
            },
        ],
        values: &[
            ValuePort { name: "auc", kind: ValueType::Number, doc: "out-of-fold AUC" },
            ValuePort { name: "log_loss", kind: ValueType::Number, doc: "out-of-fold log loss, calibrated" },
            ValuePort { name: "rows", kind: ValueType::Number, doc: "labelled signals learnt from" },
            ValuePort { name: "folds", kind: ValueType::Number, doc: "folds that gave predictions" },
        ],
        behaviour: Behaviour::PURE,
    };

    fn check(config: &TrainConfig) -> Result<(), ConfigError> {
        let half_life = config.recency_half_life;
        if !(half_life.is_finite() && half_life > 0.0) {
            let message = format!("expected a number of sessions above 0, found {half_life}");
            return Err(ConfigError::at("recency_half_life", message));
        }
        walk_forward(&[], 0..1, &config.validation)
            .map(drop)
            .map_err(|error| ConfigError::at("validation", error.to_string()))
    }

    fn run(config: &TrainConfig, context: &NodeContext) -> Result<NodeOutput, NodeError> {
        let input = context.input("data")?;
        let data = Training::of(&Signals::read(input)?, config)?;
        let plan = walk_forward(&data.spans, 0..data.sessions, &config.validation).map_err(NodeError::failed)?;
        if plan.folds.is_empty() {
            return Err(no_fold(&plan, &data, config));
        }
        let seed = Seed::new(config.seed).derive("train");
        let trained = fit(&data, &plan, config, seed, context)?;
        let predictions = data.predictions(&trained);
        let metrics = with_intervals(
            &predictions.win,
            &predictions.probability,
            0.5,
            &IntervalPlan::default(),
            seed.derive("intervals"),
            &context.cancel,
        )?;
        output(&data, &trained, &predictions, &metrics, config, input.reference.sha256)
    }
}

/// Says what every fold lacked.
fn no_fold(plan: &FoldPlan, data: &Training, config: &TrainConfig) -> NodeError {
    let last = plan.skipped.last().map(|fold| &fold.reason);
    let (what, found, needed) = match last {
        Some(&SkipReason::TooFewTrainRows { found, needed }) => ("signals to train the last fold on", found, needed),
        Some(&SkipReason::TooFewTestRows { found, needed }) => ("signals to test the last fold on", found, needed),
        None => ("sessions for one fold", data.sessions as usize, config.validation.train as usize + 1),
    };
    NodeError::Insufficient { what, found, needed }
}

/// Weight of each row; `None` weighs all alike.
fn weights(signals: &Signals, rows: &[usize], config: &TrainConfig) -> Option<Array1<f64>> {
    let unique = || rows.iter().map(|&row| signals.uniqueness[row]);
    let recent = || {
        let t0: Vec<u32> = rows.iter().map(|&row| signals.span[row].t0).collect();
        recency(&t0, config.recency_half_life)
    };
    match config.sample_weight {
        SampleWeight::None => None,
        SampleWeight::Uniqueness => Some(unique().collect()),
        SampleWeight::Recency => Some(recent().into_iter().collect()),
        SampleWeight::UniquenessAndRecency => Some(unique().zip(recent()).map(|(own, age)| own * age).collect()),
    }
}

/// The labelled rows, and what the learner reads of them.
struct Training {
    signals: Signals,
    features: ndarray::Array2<f64>,
    names: Vec<String>,
    target: Array1<f64>,
    weight: Option<Array1<f64>>,
    spans: Vec<Span>,
    sessions: u32,
    /// Row of the signals for each training row.
    rows: Vec<usize>,
}

impl Training {
    fn of(signals: &Signals, config: &TrainConfig) -> Result<Self, NodeError> {
        let rows: Vec<usize> = (0..signals.len()).filter(|&row| signals.labelled[row]).collect();
        if rows.len() < config.min_samples {
            let (found, needed) = (rows.len(), config.min_samples);
            return Err(NodeError::Insufficient { what: "labelled signals", found, needed });
        }
        let names = config.features.clone().unwrap_or_else(|| signals.features.clone());
        let columns = signals.columns_of(&names)?;
        let weight = weights(signals, &rows, config);
        Ok(Self {
            features: signals.matrix.select(Axis(0), &rows).select(Axis(1), &columns),
            names,
            target: rows.iter().map(|&row| f64::from(u8::from(signals.win[row]))).collect(),
            weight,
            spans: rows.iter().map(|&row| signals.span[row]).collect(),
            sessions: signals.sessions,
            signals: signals.clone(),
            rows,
        })
    }

    fn r(&self) -> Vec<f64> {
        self.rows.iter().map(|&row| self.signals.r[row]).collect()
    }

    /// Out-of-fold predictions in time order.
    fn predictions(&self, trained: &TrainedModel) -> Predictions {
        let mut found = Predictions::default();
        for prediction in in_time_order(trained) {
            let row = self.rows[prediction.row];
            found.row.push(self.signals.row[row].clone());
            found.symbol.push(self.signals.symbol[row].clone());
            found.ts.push(self.signals.ts[row]);
            found.exit_ts.push(self.signals.exit_ts[row]);
            found.raw.push(prediction.raw);
            found.probability.push(prediction.calibrated);
            found.win.push(self.signals.win[row]);
            found.r.push(self.signals.r[row]);
        }
        found
    }
}

fn in_time_order(trained: &TrainedModel) -> Vec<crate::model::OutOfSampleRow> {
    let mut rows = trained.out_of_sample.clone();
    // training rows are in time order
    rows.sort_by_key(|prediction| prediction.row);
    rows
}

fn fit(
    data: &Training,
    plan: &FoldPlan,
    config: &TrainConfig,
    seed: Seed,
    context: &NodeContext,
) -> Result<TrainedModel, NodeError> {
    let learner = Learner::new(config.model.0.clone()).map_err(NodeError::failed)?;
    let set = TrainingSet::new(data.features.view(), data.target.view())
        .weighted(data.weight.as_ref().map(Array1::view))
        .named(&data.names);
    let total = plan.folds.len() as u64 + 1;
    let mut done = 0;
    let mut on_fold = |_: &crate::model::FoldReport| {
        done += 1;
        context.report(done, total, "folds");
    };
    let trained = walk_forward_train(
        &set,
        &data.spans,
        &data.r(),
        plan,
        &learner,
        config.calibration,
        seed,
        &context.cancel,
        &mut on_fold,
    );
    trained.map_err(|error| match error {
        ModelError::Cancelled(_) => NodeError::Cancelled,
        other => NodeError::failed(other),
    })
}

fn output(
    data: &Training,
    trained: &TrainedModel,
    predictions: &Predictions,
    metrics: &ClassificationReport,
    config: &TrainConfig,
    digest: crate::base::Digest,
) -> Result<NodeOutput, NodeError> {
    let signals = &data.signals;
    let time = |values: &[i64], pick: fn(&[i64]) -> Option<i64>| {
        let known: Vec<i64> = data.rows.iter().map(|&row| values[row]).collect();
        Timestamp::from_micros(pick(&known).unwrap_or(0))
    };
    let manifest = Manifest {
        version: 1,
        config: serde_json::to_value(config).map_err(NodeError::failed)?,
        data: digest,
        rows: data.rows.len(),
        trained_from: time(&signals.ts, |known| known.iter().min().copied()),
        trained_until: time(&signals.exit_ts, |known| known.iter().max().copied()),
        strategy: signals.strategy.clone(),
    };
    let importance: BTreeMap<&String, f64> = data.names.iter().zip(trained.model.importance()).collect();
    let record = json!({
        "version": 1,
        "out_of_fold": metrics,
        // fold calibrators have scales of their own: without them, this is how well the models rank
        "out_of_fold_uncalibrated_auc": roc_auc(&predictions.win, &predictions.raw, None),
        "folds": trained.folds,
        "skipped_folds": trained.skipped,
        "importance": importance,
    });
    let mut table = predictions.to_table();
    let order: Vec<usize> = in_time_order(trained).iter().map(|prediction| prediction.row).collect();
    let features = data.features.select(Axis(0), &order);
    for (index, name) in data.names.iter().enumerate() {
        table = table.with(
            name.clone(),
            "feature, known at the signal's close",
            Values::Float(features.column(index).to_vec()),
        );
    }
    let files = [
        ("model.json", trained.model.to_json().map_err(NodeError::failed)?.into()),
        ("calibration.json", pretty(&trained.calibrator)?),
        ("schema.json", pretty(&FeatureSchema { version: 1, features: data.names.clone() })?),
        ("metrics.json", pretty(&record)?),
        ("manifest.json", pretty(&manifest)?),
        ("out_of_fold.parquet", table.to_parquet().map_err(NodeError::failed)?),
    ];
    let model = Artifact::tree(ArtifactType::Model, files.map(|(name, bytes)| (name.to_owned(), bytes)).into());
    let folds = trained.folds.iter().filter(|fold| fold.skip.is_none()).count();
    Ok(NodeOutput {
        outputs: [
            ("model", model),
            ("predictions", table_artifact(ArtifactType::Predictions, &predictions.to_table())?),
        ]
        .into(),
        values: [
            ("auc", Scalar::number(metrics.roc_auc)),
            ("log_loss", Scalar::number(metrics.log_loss)),
            ("rows", Scalar::count(data.rows.len())),
            ("folds", Scalar::count(folds)),
        ]
        .into(),
        summary: summary(data, trained, metrics, folds),
    })
}

fn summary(data: &Training, trained: &TrainedModel, metrics: &ClassificationReport, folds: usize) -> String {
    let interval = metrics.intervals.as_ref().and_then(|intervals| intervals.roc_auc);
    let auc = match (metrics.roc_auc, interval) {
        (Some(auc), Some(range)) => format!("AUC {auc:.3} [{:.3}, {:.3}]", range.low, range.high),
        (Some(auc), None) => format!("AUC {auc:.3}"),
        (None, _) => "AUC undefined".to_owned(),
    };
    format!(
        "{} on {} signals; out of fold {auc} over {folds} folds, {} rows",
        trained.model.family(),
        data.rows.len(),
        metrics.rows
    )
}
