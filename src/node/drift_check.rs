//! `drift-check`: does the newest data still look like what the model learnt from, and does the model still work on it?

mod page;
mod views;
mod windows;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::model_artifact::{StoredModel, json_artifact};
use super::signals::Signals;
use super::{
    Behaviour, ConfigError, Descriptor, InputPort, Kind, NodeContext, NodeError, NodeOutput, OutputPort, ValuePort,
    ValueType,
};
use crate::artifact::{Artifact, ArtifactType, Scalar};
use crate::base::{Days, MICROS_PER_DAY, Seed};
use crate::drift::{
    ColumnDriftReport, DriftConfig, DriftError, PerformanceConfig, PerformanceReport, Verdict, column_drift,
    performance_drift, prediction_drift,
};
use crate::monitor::{Observation, with_observations};
use views::{LabelFreeView, StreamView};
pub use windows::{Against, CurrentRows};
use windows::{Cut, Windows};

/// Compares current signals with those a model was trained on.
pub struct DriftCheck;

/// Settings of `drift-check`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DriftCheckConfig {
    /// Which signals are the current ones.
    #[serde(default)]
    current: CurrentRows,
    /// How far back current signals reach, in days before the end of the data window.
    #[serde(default = "default_window")]
    window: Days,
    /// What they are compared with.
    #[serde(default)]
    against: Against,
    /// How far before the current window a `rolling` or `seasonal` reference reaches.
    #[serde(default = "default_against_window")]
    against_window: Days,
    /// Whether the mix of symbols is tested too, as a column of categories.
    #[serde(default)]
    symbols: bool,
    /// Tests of the features.
    #[serde(default)]
    data: DriftConfig,
    /// Test of the probabilities.
    #[serde(default)]
    prediction: DriftConfig,
    /// Test of the outcomes.
    #[serde(default)]
    performance: PerformanceConfig,
    /// Age of the model, in days since the last outcome it learnt from, past which the value `too_old` is true.
    #[serde(default)]
    max_age: Option<Days>,
    /// Signals with an outcome that came after training, from which on the value `enough_new` is true.
    #[serde(default)]
    max_new_rows: Option<usize>,
    /// Seed of the permutations.
    #[serde(default)]
    seed: u64,
}

fn default_window() -> Days {
    Days(365)
}

fn default_against_window() -> Days {
    Days(730)
}

const VERDICTS: &[&str] = &["ok", "drift", "inconclusive", "no-reference"];

/// Why a model may be due for training, the gravest first.
const TRIGGERS: &[&str] = &["no-reference", "drift", "age", "new-rows", "none"];

impl Kind for DriftCheck {
    type Config = DriftCheckConfig;

    const DESCRIPTOR: Descriptor = Descriptor {
        name: "drift-check",
        version: 2,
        doc: "Separate verdicts on features, probabilities and performance, calibrated for dependent data.",
        inputs: &[
            InputPort {
                many: false,
                name: "current",
                types: &[ArtifactType::Signals],
                required: true,
                doc: "signals to look at",
            },
            InputPort {
                many: false,
                name: "reference",
                types: &[ArtifactType::Model],
                required: false,
                doc: "the model whose training record is the reference; without one the decision is no-reference",
            },
        ],
        outputs: &[
            OutputPort { name: "report", kind: ArtifactType::Drift, doc: "every statistic and verdict" },
            OutputPort { name: "page", kind: ArtifactType::Report, doc: "the check for people: one HTML page" },
        ],
        values: &[
            ValuePort {
                name: "decision",
                kind: ValueType::Word(VERDICTS),
                doc: "drift if any of the three is, else inconclusive if any is, else ok",
            },
            ValuePort {
                name: "data",
                kind: ValueType::Word(VERDICTS),
                doc: "verdict on the features: values, missing shares and categories together",
            },
            ValuePort { name: "features", kind: ValueType::Word(VERDICTS), doc: "verdict on the values of features" },
            ValuePort { name: "missing", kind: ValueType::Word(VERDICTS), doc: "verdict on the missing shares" },
            ValuePort { name: "categories", kind: ValueType::Word(VERDICTS), doc: "verdict on columns of categories" },
            ValuePort { name: "prediction", kind: ValueType::Word(VERDICTS), doc: "verdict on the probabilities" },
            ValuePort { name: "performance", kind: ValueType::Word(VERDICTS), doc: "verdict on the outcomes" },
            ValuePort { name: "drifted_columns", kind: ValueType::Number, doc: "features that drifted" },
            ValuePort { name: "current_rows", kind: ValueType::Number, doc: "current signals" },
            ValuePort {
                name: "reference_age",
                kind: ValueType::Number,
                doc: "days from the last outcome the model learnt from to the end of the data window",
            },
            ValuePort {
                name: "new_rows",
                kind: ValueType::Number,
                doc: "signals with an outcome that came after training",
            },
            ValuePort { name: "too_old", kind: ValueType::Bool, doc: "whether the model is older than `max_age`" },
            ValuePort {
                name: "enough_new",
                kind: ValueType::Bool,
                doc: "whether at least `max_new_rows` signals with an outcome came after training",
            },
            ValuePort {
                name: "trigger",
                kind: ValueType::Word(TRIGGERS),
                doc: "why the model may be due for training: the first of drift, age and new rows that holds",
            },
        ],
        behaviour: Behaviour { uses_as_of: true, ..Behaviour::PURE },
    };

    fn check(config: &DriftCheckConfig) -> Result<(), ConfigError> {
        let at = |path: &'static str| move |error: DriftError| ConfigError::at(path, error.to_string());
        config.data.check().map_err(at("data"))?;
        config.prediction.check().map_err(at("prediction"))?;
        if config.against == Against::Seasonal && config.against_window.0 < 366 {
            let message =
                format!("expected at least one year for `against: seasonal`, found `{}`", config.against_window);
            return Err(ConfigError::at("against_window", message).hint("`against_window: 3y` looks at three"));
        }
        config.performance.check().map_err(at("performance"))
    }

    fn run(config: &DriftCheckConfig, context: &NodeContext) -> Result<NodeOutput, NodeError> {
        let signals = Signals::read(context.input("current")?)?;
        let Some(reference) = context.inputs.get("reference") else { return no_reference(&signals) };
        let model = StoredModel::read(reference)?;
        let missing = signals.lacks(&model.schema.features);
        if !missing.is_empty() {
            return features_gone(&signals, &missing);
        }
        let cut = Cut {
            current: config.current,
            window: config.window,
            against: config.against,
            against_window: config.against_window,
            as_of: context.as_of,
        };
        let windows = Windows::cut(&model, &signals, cut, config.symbols)?;
        let found = compare(config, context, &model, &signals, &windows)?;
        found.output(config)
    }
}

fn compare(
    config: &DriftCheckConfig,
    context: &NodeContext,
    model: &StoredModel,
    signals: &Signals,
    windows: &Windows,
) -> Result<Found, NodeError> {
    let seed = Seed::new(config.seed).derive("drift-check");
    let (reference, current) = (&windows.reference, &windows.current);
    let data = column_drift(&reference.features, &current.features, &config.data, seed.derive("data"), &context.cancel);
    let data = data.map_err(refused)?;
    context.report(1, 3, "features");
    let prediction = prediction_drift(
        (&reference.scored.time, &reference.scored.probability),
        (&current.all_scores.time, &current.all_scores.probability),
        &config.prediction,
        seed.derive("prediction"),
        &context.cancel,
    );
    let prediction = prediction.map_err(refused)?;
    context.report(2, 3, "probabilities");
    let performance = performance_drift(&reference.scored, &current.scored, &config.performance).map_err(refused)?;
    context.report(3, 3, "performance");
    let trained_until = model.manifest.trained_until.micros();
    let is_new = |&row: &usize| signals.labelled[row] && signals.ts[row] > trained_until;
    Ok(Found {
        data,
        prediction,
        performance,
        label_free: LabelFreeView::of(windows),
        streams: views::streams(windows),
        current_rows: current.all_scores.rows(),
        age_days: (context.as_of.micros() - trained_until) / MICROS_PER_DAY,
        new_rows: (0..signals.len()).filter(is_new).count(),
    })
}

fn refused(error: DriftError) -> NodeError {
    match error {
        DriftError::Cancelled(_) => NodeError::Cancelled,
        other => NodeError::failed(other),
    }
}

/// Everything that a check found.
struct Found {
    data: ColumnDriftReport,
    prediction: ColumnDriftReport,
    performance: PerformanceReport,
    label_free: Option<LabelFreeView>,
    streams: Vec<StreamView>,
    current_rows: usize,
    age_days: i64,
    new_rows: usize,
}

impl Found {
    fn decision(&self) -> Verdict {
        self.data.verdict.or(self.prediction.verdict).or(self.performance.verdict)
    }

    fn sentence(&self) -> String {
        let which = match self.data.drifted {
            0 if self.data.verdict == Verdict::Drift => " (all together)".to_owned(),
            0 => String::new(),
            drifted => format!(" ({drifted} of {})", self.data.columns.len()),
        };
        format!(
            "features {}{which}, probabilities {}, performance {} ({})",
            self.data.verdict.name(),
            self.prediction.verdict.name(),
            self.performance.verdict.name(),
            self.performance.reason
        )
    }

    fn trigger(&self, config: &DriftCheckConfig) -> &'static str {
        if self.decision() == Verdict::Drift {
            "drift"
        } else if self.is_too_old(config) {
            "age"
        } else if self.has_enough_new(config) {
            "new-rows"
        } else {
            "none"
        }
    }

    fn is_too_old(&self, config: &DriftCheckConfig) -> bool {
        config.max_age.is_some_and(|limit| self.age_days > limit.0)
    }

    fn has_enough_new(&self, config: &DriftCheckConfig) -> bool {
        config.max_new_rows.is_some_and(|limit| self.new_rows >= limit)
    }

    /// What history keeps: a row a column and a row a metric, and the three answers.
    fn observations(&self) -> Vec<Observation> {
        let parts = [("data", &self.data), ("prediction", &self.prediction)];
        let mut all: Vec<Observation> = Vec::new();
        for (part, report) in parts {
            all.push(Observation::decision("drift", part, report.verdict.name()));
            all.extend(report.columns.iter().map(|column| {
                Observation::drift(column.name.clone(), column.test.name(), column.effect)
                    .at_p(column.adjusted_p)
                    .judged(column.verdict.name())
            }));
        }
        all.push(Observation::decision("drift", "performance", self.performance.verdict.name()));
        all.extend(self.performance.metrics.iter().map(|metric| {
            let current = metric.current.as_ref();
            Observation::drift("performance", metric.metric.name(), current.map(|estimate| estimate.value))
                .within(
                    current.and_then(|estimate| estimate.lower_bound(0.025)),
                    current.and_then(|estimate| estimate.upper_bound(0.025)),
                )
                .at_p(metric.p)
                .judged(metric.verdict.name())
        }));
        all.push(Observation::decision("drift", "decision", self.decision().name()));
        all
    }

    fn output(&self, config: &DriftCheckConfig) -> Result<NodeOutput, NodeError> {
        let word = |verdict: Verdict| Scalar::text(verdict.name());
        let report = json!({
            "version": 2,
            "decision": self.decision().name(),
            "trigger": self.trigger(config),
            "against": config.against,
            "reference_age_days": self.age_days,
            "new_rows": self.new_rows,
            "data": self.data,
            "prediction": self.prediction,
            "performance": self.performance,
            "label_free": self.label_free,
            "streams": self.streams,
        });
        let report = with_observations(report, &self.observations());
        Ok(NodeOutput {
            outputs: [("report", json_artifact(ArtifactType::Drift, &report)?), ("page", html(page::page(self)))]
                .into(),
            values: [
                ("decision", word(self.decision())),
                ("data", word(self.data.verdict)),
                ("features", word(self.data.numbers.verdict)),
                ("missing", word(self.data.missing.verdict)),
                ("categories", word(self.data.categories.verdict)),
                ("prediction", word(self.prediction.verdict)),
                ("performance", word(self.performance.verdict)),
                ("drifted_columns", Scalar::count(self.data.drifted)),
                ("current_rows", Scalar::count(self.current_rows)),
                ("reference_age", Scalar::Int(self.age_days)),
                ("new_rows", Scalar::count(self.new_rows)),
                ("too_old", Scalar::Bool(self.is_too_old(config))),
                ("enough_new", Scalar::Bool(self.has_enough_new(config))),
                ("trigger", Scalar::text(self.trigger(config))),
            ]
            .into(),
            summary: format!("{}: {}", self.decision().name(), self.sentence()),
        })
    }
}

fn html(page: String) -> Artifact {
    Artifact::tree(ArtifactType::Report, BTreeMap::from([("drift.html".to_owned(), page.into())]))
}

fn no_reference(signals: &Signals) -> Result<NodeOutput, NodeError> {
    without_tests(signals, "no-reference", "no model was deployed before this data window")
}

/// The features that the model reads are gone: nothing can be compared, and the model cannot be used.
fn features_gone(signals: &Signals, missing: &[&str]) -> Result<NodeOutput, NodeError> {
    without_tests(signals, "drift", &format!("the signals no longer have {}", missing.join(", ")))
}

/// A decision that needs no test; every verdict is the same.
fn without_tests(signals: &Signals, verdict: &'static str, reason: &str) -> Result<NodeOutput, NodeError> {
    let names = ["decision", "data", "features", "missing", "categories", "prediction", "performance", "trigger"];
    let mut values: BTreeMap<&'static str, Scalar> = names.map(|name| (name, Scalar::text(verdict))).into();
    values.insert("drifted_columns", Scalar::Int(0));
    values.insert("current_rows", Scalar::count(signals.len()));
    values.insert("reference_age", Scalar::Null);
    values.insert("new_rows", Scalar::Null);
    values.insert("too_old", Scalar::Bool(false));
    values.insert("enough_new", Scalar::Bool(false));
    let report = json!({"version": 2, "decision": verdict, "reason": reason, "performance": {"verdict": verdict}});
    let report = with_observations(report, &[Observation::decision("drift", "decision", verdict)]);
    let text = format!(
        "<!doctype html><meta charset=\"utf-8\"><title>Drift check</title><h1>Drift check: {verdict}</h1><p>{}</p>\n",
        reason.replace('&', "&amp;").replace('<', "&lt;")
    );
    Ok(NodeOutput {
        outputs: [("report", json_artifact(ArtifactType::Drift, &report)?), ("page", html(text))].into(),
        values: values.into(),
        summary: format!("{verdict}: {reason}"),
    })
}
