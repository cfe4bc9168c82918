//! `explain`: why a model says what it says, as tables and as one page.
//!
//! SHAP values and curves are taken over the rows of `data`, evenly spaced where there are many; reliability over the
//! model's own out-of-fold record. All describe the model, none is a test of it.

mod page;
mod picture;

use ndarray::{Array2, ArrayView2, Axis};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::model_artifact::StoredModel;
use super::model_files::ModelFiles;
use super::signals::{Signals, table_artifact};
use super::{
    Behaviour, ConfigError, Descriptor, InputPort, Kind, NodeContext, NodeError, NodeOutput, OutputPort, ValuePort,
    ValueType,
};
use crate::artifact::{Artifact, ArtifactType, Scalar};
use crate::metric::classification::{Binning, ReliabilityBin, reliability_curve};
use crate::model::explain::{Curve, Shapley, dependence, shapley};
use crate::model::interop::{Link, PlainModel};
use crate::stats::sum::mean;
use crate::table::{Table, Values};

/// Explains a model.
pub struct Explain;

/// Settings of `explain`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExplainConfig {
    /// Most signals to explain; evenly spaced where there are more.
    #[serde(default = "default_rows")]
    #[schemars(range(min = 1))]
    rows: usize,
    /// Features whose curves are drawn: those that matter most.
    #[serde(default = "default_curves")]
    curves: usize,
    /// Bins of a curve, and of the reliability curve, each of about equally many rows.
    #[serde(default = "default_bins")]
    #[schemars(range(min = 2, max = 100))]
    bins: usize,
}

const fn default_rows() -> usize {
    2000
}

const fn default_curves() -> usize {
    12
}

const fn default_bins() -> usize {
    20
}

/// Rows over which partial dependence is averaged.
const CURVE_ROWS: usize = 500;

/// Everything that is found, as page and tables need it.
struct Explanation {
    family: &'static str,
    /// What SHAP values are measured in.
    unit: &'static str,
    features: Vec<String>,
    importance: Vec<Importance>,
    shapley: Shapley,
    /// The explained rows x features.
    matrix: Array2<f64>,
    /// Curves by column, of the features that matter most.
    curves: Vec<(usize, Curve)>,
    reliability: Vec<ReliabilityBin>,
    /// Rows of the reliability curve.
    judged: usize,
}

/// How much a feature matters, by two measures.
#[derive(Clone, Copy)]
struct Importance {
    column: usize,
    gain: f64,
    mean_shap: f64,
}

impl Kind for Explain {
    type Config = ExplainConfig;

    const DESCRIPTOR: Descriptor = Descriptor {
        name: "explain",
        version: 1,
        doc: "Why a model says what it says: SHAP values, curves by feature, reliability, as tables and as one page.",
        inputs: &[
            InputPort {
                many: false,
                name: "model",
                types: &[ArtifactType::Model],
                required: true,
                doc: "the model to explain",
            },
            InputPort {
                many: false,
                name: "data",
                types: &[ArtifactType::Signals],
                required: true,
                doc: "signals to explain it on",
            },
        ],
        outputs: &[
            OutputPort {
                name: "shap",
                kind: ArtifactType::File,
                doc: "one row a signal: what each feature adds, as Parquet",
            },
            OutputPort {
                name: "importance",
                kind: ArtifactType::File,
                doc: "one row a feature: gain and mean |SHAP|, as Parquet",
            },
            OutputPort { name: "curves", kind: ArtifactType::File, doc: "one row a feature and bin edge, as Parquet" },
            OutputPort {
                name: "reliability",
                kind: ArtifactType::File,
                doc: "one row a bin of probability, as Parquet",
            },
            OutputPort {
                name: "report",
                kind: ArtifactType::Report,
                doc: "all of it as one HTML page that loads nothing",
            },
        ],
        values: &[
            ValuePort { name: "rows", kind: ValueType::Number, doc: "signals explained" },
            ValuePort { name: "top_feature", kind: ValueType::Text, doc: "the feature with the largest mean |SHAP|" },
        ],
        behaviour: Behaviour::PURE,
    };

    fn check(config: &ExplainConfig) -> Result<(), ConfigError> {
        if config.rows == 0 {
            return Err(ConfigError::at("rows", "expected at least 1, found 0"));
        }
        if !(2..=100).contains(&config.bins) {
            return Err(ConfigError::at("bins", format!("expected 2 to 100, found {}", config.bins)));
        }
        Ok(())
    }

    fn run(config: &ExplainConfig, context: &NodeContext) -> Result<NodeOutput, NodeError> {
        let input = context.input("model")?;
        let files = ModelFiles::read(input)?;
        let plain = PlainModel::of(&files.model).map_err(NodeError::failed)?;
        if files.has_transforms {
            let reason = "its features go through `transforms.json` before the model reads them; explaining such models is not built";
            return Err(NodeError::failed(format!("the model cannot be explained: {reason}")));
        }
        let signals = Signals::read(context.input("data")?)?;
        let columns = signals.columns_of(&files.features)?;
        let stride = signals.len().div_ceil(config.rows).max(1);
        let rows: Vec<usize> = (0..signals.len()).step_by(stride).collect();
        if rows.is_empty() {
            return Err(NodeError::Insufficient { what: "signals to explain", found: 0, needed: 1 });
        }
        let matrix = signals.matrix.select(Axis(0), &rows).select(Axis(1), &columns);
        let found = explain(config, context, &files, &plain, StoredModel::read(input)?, matrix)?;
        output(&found, &signals, &rows)
    }
}

fn explain(
    config: &ExplainConfig,
    context: &NodeContext,
    files: &ModelFiles,
    plain: &PlainModel,
    stored: StoredModel,
    matrix: Array2<f64>,
) -> Result<Explanation, NodeError> {
    context.report(0, 3, "SHAP values");
    let shapley = shapley(plain, matrix.view(), matrix.view());
    context.cancel.check()?;
    let gain = files.model.importance();
    let mut importance: Vec<Importance> = (0..files.features.len())
        .map(|column| {
            let sizes: Vec<f64> = shapley.values.column(column).iter().map(|value| value.abs()).collect();
            Importance { column, gain: gain[column], mean_shap: mean(&sizes).unwrap_or(0.0) }
        })
        .collect();
    importance.sort_by(|a, b| b.mean_shap.total_cmp(&a.mean_shap).then(a.column.cmp(&b.column)));
    context.report(1, 3, "curves");
    let predict = |rows: ArrayView2<'_, f64>| files.calibrator.apply_all(&files.model.predict(rows).to_vec());
    let mut curves = Vec::new();
    for row in importance.iter().take(config.curves) {
        context.cancel.check()?;
        let curve = dependence(&predict, matrix.view(), row.column, config.bins, CURVE_ROWS);
        curves.extend(curve.map(|curve| (row.column, curve)));
    }
    context.report(2, 3, "reliability");
    let record = &stored.out_of_fold;
    let reliability = reliability_curve(&record.win, &record.probability, None, Binning::EqualMass, config.bins);
    Ok(Explanation {
        family: files.model.family(),
        unit: match plain.link() {
            Link::Logistic => "log-odds",
            Link::Identity => "probability before calibration",
        },
        features: files.features.clone(),
        importance,
        shapley,
        matrix,
        curves,
        reliability: reliability.unwrap_or_default(),
        judged: record.win.len(),
    })
}

fn output(found: &Explanation, signals: &Signals, rows: &[usize]) -> Result<NodeOutput, NodeError> {
    let top = found.importance.first().map(|row| found.features[row.column].clone()).unwrap_or_default();
    let table = |table: &Table| table_artifact(ArtifactType::File, table);
    let summary = format!(
        "{} on {} signals; most from {}",
        found.family,
        rows.len(),
        found.importance.iter().take(3).map(|row| found.features[row.column].as_str()).collect::<Vec<_>>().join(", ")
    );
    Ok(NodeOutput {
        outputs: [
            ("shap", table(&shap_table(found, signals, rows))?),
            ("importance", table(&importance_table(found))?),
            ("curves", table(&curves_table(found))?),
            ("reliability", table(&reliability_table(found))?),
            ("report", Artifact::file(ArtifactType::Report, page::html(found))),
        ]
        .into(),
        values: [("rows", Scalar::count(rows.len())), ("top_feature", Scalar::text(top))].into(),
        summary,
    })
}

fn shap_table(found: &Explanation, signals: &Signals, rows: &[usize]) -> Table {
    let base = vec![found.shapley.base; rows.len()];
    let mut table = Table::new("shap@1")
        .with("row", "identity of the signal", Values::Text(rows.iter().map(|&row| signals.row[row].clone()).collect()))
        .with("symbol", "ticker", Values::Text(rows.iter().map(|&row| signals.symbol[row].clone()).collect()))
        .with("ts", "signal time, UTC", Values::Time(rows.iter().map(|&row| signals.ts[row]).collect()))
        .with("base_value", format!("what is said without any feature, {}", found.unit), Values::Float(base));
    for (column, name) in found.features.iter().enumerate() {
        let values = found.shapley.values.column(column).to_vec();
        table = table.with(name.clone(), format!("what the feature adds, {}", found.unit), Values::Float(values));
    }
    table
}

fn importance_table(found: &Explanation) -> Table {
    let rows = &found.importance;
    Table::new("importance@1")
        .with("feature", "name", Values::Text(rows.iter().map(|row| found.features[row.column].clone()).collect()))
        .with(
            "mean_abs_shap",
            format!("mean |SHAP|, {}", found.unit),
            Values::Float(rows.iter().map(|row| row.mean_shap).collect()),
        )
        .with("gain", "importance as the model has it", Values::Float(rows.iter().map(|row| row.gain).collect()))
}

fn curves_table(found: &Explanation) -> Table {
    let all =
        || found.curves.iter().flat_map(|(column, curve)| curve.points.iter().map(move |point| (*column, *point)));
    let numbers =
        |pick: fn(&crate::model::explain::CurvePoint) -> f64| Values::Float(all().map(|(_, it)| pick(&it)).collect());
    Table::new("curves@1")
        .with("feature", "name", Values::Text(all().map(|(column, _)| found.features[column].clone()).collect()))
        .with("value", "value of the feature", numbers(|it| it.value))
        .with("partial", "partial dependence, calibrated probability", numbers(|it| it.partial))
        .with("low", "10 % quantile over rows", numbers(|it| it.low))
        .with("high", "90 % quantile over rows", numbers(|it| it.high))
        .with("effect", "accumulated local effect, mean 0", numbers(|it| it.effect))
        .with("rows", "rows in the bin that ends here", Values::Int(all().map(|(_, it)| it.rows as i64).collect()))
}

fn reliability_table(found: &Explanation) -> Table {
    let bins = &found.reliability;
    let numbers = |pick: fn(&ReliabilityBin) -> f64| Values::Float(bins.iter().map(pick).collect());
    Table::new("reliability@1")
        .with("low", "lowest probability", numbers(|bin| bin.low))
        .with("high", "highest probability", numbers(|bin| bin.high))
        .with("rows", "rows in the bin", Values::Int(bins.iter().map(|bin| bin.rows as i64).collect()))
        .with("mean_probability", "mean of what was said", numbers(|bin| bin.mean_probability))
        .with("positive_rate", "share that won", numbers(|bin| bin.positive_rate))
}
