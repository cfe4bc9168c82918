//! `drift-check`: does the newest data still look like what the model learnt from, and does the model still work on it?

use ndarray::{Array2, Axis};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::model_artifact::{StoredModel, json_artifact};
use super::signals::Signals;
use super::{
    Behaviour, ConfigError, Descriptor, InputPort, Kind, NodeContext, NodeError, NodeOutput, OutputPort, ValuePort,
    ValueType,
};
use crate::artifact::{ArtifactType, Scalar};
use crate::base::{Days, MICROS_PER_DAY, Seed, Timestamp};
use crate::drift::{
    Column, ColumnDriftReport, DriftConfig, DriftError, PerformanceConfig, PerformanceReport, Sample, Scored, Verdict,
    column_drift, performance_drift, prediction_drift,
};

/// Compares current signals with those a model was trained on.
pub struct DriftCheck;

/// Which signals are the current ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CurrentRows {
    /// Signals after the last outcome the model learnt from: for a model in production.
    #[default]
    SinceTraining,
    /// The newest signals the model's folds predicted, against the older ones: for a model just trained.
    Newest,
}

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
    /// Tests of the features.
    #[serde(default)]
    data: DriftConfig,
    /// Test of the probabilities.
    #[serde(default)]
    prediction: DriftConfig,
    /// Test of the outcomes.
    #[serde(default)]
    performance: PerformanceConfig,
    /// Seed of the permutations.
    #[serde(default)]
    seed: u64,
}

fn default_window() -> Days {
    Days(365)
}

const VERDICTS: &[&str] = &["ok", "drift", "inconclusive", "no-reference"];

impl Kind for DriftCheck {
    type Config = DriftCheckConfig;

    const DESCRIPTOR: Descriptor = Descriptor {
        name: "drift-check",
        version: 1,
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
        outputs: &[OutputPort { name: "report", kind: ArtifactType::Drift, doc: "every statistic and verdict" }],
        values: &[
            ValuePort {
                name: "decision",
                kind: ValueType::Word(VERDICTS),
                doc: "drift if any of the three is, else inconclusive if any is, else ok",
            },
            ValuePort { name: "data", kind: ValueType::Word(VERDICTS), doc: "verdict on the features" },
            ValuePort { name: "prediction", kind: ValueType::Word(VERDICTS), doc: "verdict on the probabilities" },
            ValuePort { name: "performance", kind: ValueType::Word(VERDICTS), doc: "verdict on the outcomes" },
            ValuePort { name: "current_rows", kind: ValueType::Number, doc: "current signals" },
            ValuePort {
                name: "reference_age",
                kind: ValueType::Number,
                doc: "days from the last outcome the model learnt from to the end of the data window",
            },
        ],
        behaviour: Behaviour { uses_as_of: true, ..Behaviour::PURE },
    };

    fn check(config: &DriftCheckConfig) -> Result<(), ConfigError> {
        let at = |path: &'static str| move |error: DriftError| ConfigError::at(path, error.to_string());
        config.data.check().map_err(at("data"))?;
        config.prediction.check().map_err(at("prediction"))?;
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
        let windows = match config.current {
            CurrentRows::SinceTraining => since_training(&model, &signals, config.window, context.as_of)?,
            CurrentRows::Newest => newest(&model, config.window, context.as_of),
        };
        let seed = Seed::new(config.seed).derive("drift-check");
        let data = column_drift(
            &windows.reference.features,
            &windows.current.features,
            &config.data,
            seed.derive("data"),
            &context.cancel,
        );
        let data = data.map_err(refused)?;
        context.report(1, 3, "features");
        let prediction = prediction_drift(
            (&windows.reference.scored.time, &windows.reference.scored.probability),
            (&windows.current.all_scores.time, &windows.current.all_scores.probability),
            &config.prediction,
            seed.derive("prediction"),
            &context.cancel,
        );
        let prediction = prediction.map_err(refused)?;
        context.report(2, 3, "probabilities");
        let performance = performance_drift(&windows.reference.scored, &windows.current.scored, &config.performance)
            .map_err(refused)?;
        context.report(3, 3, "performance");
        let age = (context.as_of.micros() - model.manifest.trained_until.micros()) / MICROS_PER_DAY;
        output(&data, &prediction, &performance, &windows, age)
    }
}

fn refused(error: DriftError) -> NodeError {
    match error {
        DriftError::Cancelled(_) => NodeError::Cancelled,
        other => NodeError::failed(other),
    }
}

/// One side of the comparison.
struct Side {
    features: Sample,
    /// Rows whose outcome is known.
    scored: Scored,
    /// All rows; those without an outcome have a false label and no R.
    all_scores: Scored,
}

struct Windows {
    reference: Side,
    current: Side,
}

fn sample(names: &[String], time: &[i64], matrix: &Array2<f64>) -> Sample {
    let columns = names
        .iter()
        .enumerate()
        .map(|(index, name)| Column { name: name.clone(), values: matrix.column(index).to_vec() });
    Sample { time: time.to_vec(), columns: columns.collect() }
}

/// The folds' own predictions, cut at a row.
fn out_of_fold(model: &StoredModel, rows: &[usize]) -> Side {
    let record = &model.out_of_fold;
    fn pick<T: Copy>(values: &[T], rows: &[usize]) -> Vec<T> {
        rows.iter().map(|&row| values[row]).collect()
    }
    let time = pick(&record.ts, rows);
    let scored = Scored {
        time: time.clone(),
        label: pick(&record.win, rows),
        // by the calibrator of the published model, as current signals are: the folds' own calibrators have other scales
        probability: model.calibrator.apply_all(&pick(&record.raw, rows)),
        r: pick(&record.r, rows),
    };
    Side {
        features: sample(&model.schema.features, &time, &model.out_of_fold_features.select(Axis(0), rows)),
        all_scores: scored.clone(),
        scored,
    }
}

fn newest(model: &StoredModel, window: Days, as_of: Timestamp) -> Windows {
    let start = as_of.minus(window).micros();
    let (current, reference): (Vec<usize>, Vec<usize>) =
        (0..model.out_of_fold.row.len()).partition(|&row| model.out_of_fold.ts[row] >= start);
    Windows { reference: out_of_fold(model, &reference), current: out_of_fold(model, &current) }
}

fn since_training(
    model: &StoredModel,
    signals: &Signals,
    window: Days,
    as_of: Timestamp,
) -> Result<Windows, NodeError> {
    let start = as_of.minus(window).micros().max(model.manifest.trained_until.micros() + 1);
    let rows: Vec<usize> = (0..signals.len()).filter(|&row| signals.ts[row] >= start).collect();
    let (_, probability) = model.predict(signals, &rows)?;
    let columns = signals.columns_of(&model.schema.features)?;
    let time: Vec<i64> = rows.iter().map(|&row| signals.ts[row]).collect();
    let matrix = signals.matrix.select(Axis(0), &rows).select(Axis(1), &columns);
    let all = |keep: &dyn Fn(usize) -> bool| {
        let kept: Vec<usize> = (0..rows.len()).filter(|&index| keep(rows[index])).collect();
        Scored {
            time: kept.iter().map(|&index| time[index]).collect(),
            label: kept.iter().map(|&index| signals.win[rows[index]]).collect(),
            probability: kept.iter().map(|&index| probability[index]).collect(),
            r: kept.iter().map(|&index| signals.r[rows[index]]).collect(),
        }
    };
    let current = Side {
        features: sample(&model.schema.features, &time, &matrix),
        scored: all(&|row| signals.labelled[row]),
        all_scores: all(&|_| true),
    };
    let everything: Vec<usize> = (0..model.out_of_fold.row.len()).collect();
    Ok(Windows { reference: out_of_fold(model, &everything), current })
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "ok",
        Verdict::Drift => "drift",
        Verdict::Inconclusive => "inconclusive",
    }
}

fn overall(verdicts: [Verdict; 3]) -> Verdict {
    [Verdict::Drift, Verdict::Inconclusive].into_iter().find(|wanted| verdicts.contains(wanted)).unwrap_or(Verdict::Ok)
}

fn no_reference(signals: &Signals) -> Result<NodeOutput, NodeError> {
    without_tests(signals, "no-reference", "no model was deployed before this data window")
}

/// The features that the model reads are gone: nothing can be compared, and the model cannot be used.
fn features_gone(signals: &Signals, missing: &[&str]) -> Result<NodeOutput, NodeError> {
    without_tests(signals, "drift", &format!("the signals no longer have {}", missing.join(", ")))
}

/// A decision that needs no test; every verdict is the same.
fn without_tests(signals: &Signals, verdict: &str, reason: &str) -> Result<NodeOutput, NodeError> {
    let words = ["decision", "data", "prediction", "performance"].map(|name| (name, Scalar::text(verdict)));
    let mut values: std::collections::BTreeMap<&'static str, Scalar> = words.into();
    values.insert("current_rows", Scalar::count(signals.len()));
    values.insert("reference_age", Scalar::Null);
    let report = json!({"version": 1, "decision": verdict, "reason": reason, "performance": {"verdict": verdict}});
    Ok(NodeOutput {
        outputs: [("report", json_artifact(ArtifactType::Drift, &report)?)].into(),
        values: values.into(),
        summary: format!("{verdict}: {reason}"),
    })
}

fn output(
    data: &ColumnDriftReport,
    prediction: &ColumnDriftReport,
    performance: &PerformanceReport,
    windows: &Windows,
    age: i64,
) -> Result<NodeOutput, NodeError> {
    let decision = overall([data.verdict, prediction.verdict, performance.verdict]);
    let report = json!({
        "version": 1,
        "decision": word(decision),
        "reference_age_days": age,
        "data": data,
        "prediction": prediction,
        "performance": performance,
    });
    let drifted: Vec<&str> = data
        .columns
        .iter()
        .filter(|column| column.verdict == Verdict::Drift)
        .map(|column| column.name.as_str())
        .collect();
    let which = match drifted.as_slice() {
        [] => String::new(),
        [one] => format!(" ({one} of {})", data.columns.len()),
        several => format!(" ({} of {})", several.len(), data.columns.len()),
    };
    let summary = format!(
        "{}: features {}{which}, probabilities {}, performance {} ({})",
        word(decision),
        word(data.verdict),
        word(prediction.verdict),
        word(performance.verdict),
        performance.reason
    );
    Ok(NodeOutput {
        outputs: [("report", json_artifact(ArtifactType::Drift, &report)?)].into(),
        values: [
            ("decision", Scalar::text(word(decision))),
            ("data", Scalar::text(word(data.verdict))),
            ("prediction", Scalar::text(word(prediction.verdict))),
            ("performance", Scalar::text(word(performance.verdict))),
            ("current_rows", Scalar::count(windows.current.all_scores.rows())),
            ("reference_age", Scalar::Int(age)),
        ]
        .into(),
        summary,
    })
}
