//! `evaluate`: candidate and champion on the same rows, out of sample for both; the backtest with and without the model.
//!
//! **Which rows.** Those that a fold of the candidate predicted without having seen them. For the champion, a row counts
//! when one of its own folds predicted it for the same strategy, or when it lies after everything the champion learnt
//! from. All other rows are left out for both, and counted.

mod report;
mod uplift;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::bars::Universe;
use super::model_artifact::{StoredModel, json_artifact};
use super::signals::{Signals, table_artifact};
use super::{
    Behaviour, ConfigError, Descriptor, InputArtifact, InputPort, Kind, NodeContext, NodeError, NodeOutput, OutputPort,
    ValuePort, ValueType,
};
use crate::artifact::{Artifact, ArtifactType, Scalar};
use crate::backtest::MlRules;
use crate::base::{Seed, Timestamp};
use crate::metric::classification::{ClassificationReport, classification_report, with_intervals};
use crate::metric::compare::{CompareError, PairedTest, ScoreMetric, paired_by_time};
use crate::stats::bootstrap::{Interval, IntervalPlan, interval};
use crate::stats::sum::mean;
use crate::table::{Table, TableError, Values};

pub(super) use report::summary;
use uplift::Uplift;

/// Judges a candidate and the champion on the same rows.
pub struct Evaluate;

/// Settings of `evaluate`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvaluateConfig {
    /// Bootstrap intervals.
    #[serde(default)]
    intervals: IntervalPlan,
    /// How the model is used in the backtest.
    #[serde(default)]
    prediction: MlRules,
    /// Bars of the backtest.
    #[serde(default)]
    universe: Universe,
    /// Fewer common rows than this are too few: the node is skipped.
    #[serde(default = "default_min_rows")]
    min_rows: usize,
    /// Accept an AUC above .95 or an accuracy of 1 on fewer than 1,000 rows, which is nearly always a leak.
    #[serde(default)]
    acknowledge_suspicious: bool,
    /// Seed of the bootstrap.
    #[serde(default)]
    seed: u64,
}

fn default_min_rows() -> usize {
    50
}

/// Name and version of the table of rows.
const ROWS: &str = "evaluation-rows@1";

/// The rows of an evaluation, in time order.
#[derive(Clone, Debug, Default)]
pub(super) struct Evaluated {
    pub row: Vec<String>,
    pub symbol: Vec<String>,
    pub ts: Vec<i64>,
    pub candidate: Vec<f64>,
    pub champion: Option<Vec<f64>>,
    pub win: Vec<bool>,
    pub r: Vec<f64>,
}

impl Evaluated {
    /// Reads the table that an `evaluate` node wrote.
    pub(super) fn read(input: &InputArtifact) -> Result<Self, NodeError> {
        let table = Table::from_parquet(input.bytes()?).and_then(|table| table.expect_schema(ROWS));
        Self::of(&table.map_err(NodeError::failed)?).map_err(NodeError::failed)
    }

    fn of(table: &Table) -> Result<Self, TableError> {
        let has_champion = table.columns().iter().any(|column| column.name == "champion");
        Ok(Self {
            row: table.texts("row")?.to_vec(),
            symbol: table.texts("symbol")?.to_vec(),
            ts: table.times("ts")?.to_vec(),
            candidate: table.floats("candidate")?.to_vec(),
            champion: if has_champion { Some(table.floats("champion")?.to_vec()) } else { None },
            win: table.bools("win")?.to_vec(),
            r: table.floats("r")?.to_vec(),
        })
    }

    fn to_table(&self) -> Table {
        let mut table = Table::new(ROWS)
            .with("row", "identity of the signal", Values::Text(self.row.clone()))
            .with("symbol", "ticker", Values::Text(self.symbol.clone()))
            .with("ts", "signal time, UTC", Values::Time(self.ts.clone()))
            .with(
                "candidate",
                "the candidate's probability of a win, out of sample",
                Values::Float(self.candidate.clone()),
            );
        if let Some(champion) = &self.champion {
            table =
                table.with("champion", "the champion's probability, out of sample", Values::Float(champion.clone()));
        }
        table.with("win", "R above the threshold", Values::Bool(self.win.clone())).with(
            "r",
            "outcome in multiples of the initial risk",
            Values::Float(self.r.clone()),
        )
    }
}

impl Kind for Evaluate {
    type Config = EvaluateConfig;

    const DESCRIPTOR: Descriptor = Descriptor {
        name: "evaluate",
        version: 2,
        doc: "Candidate and champion on the same unseen rows, with intervals; the backtest with and without the model.",
        inputs: &[
            InputPort {
                many: false,
                name: "candidate",
                types: &[ArtifactType::Model],
                required: true,
                doc: "the model to judge",
            },
            InputPort {
                many: false,
                name: "champion",
                types: &[ArtifactType::Model],
                required: false,
                doc: "the model to compare with",
            },
            InputPort {
                many: false,
                name: "data",
                types: &[ArtifactType::Signals],
                required: true,
                doc: "the signals the candidate was trained on",
            },
            InputPort {
                many: false,
                name: "bars",
                types: &[ArtifactType::Bars],
                required: true,
                doc: "bars of the backtest",
            },
            InputPort {
                many: false,
                name: "strategy",
                types: &[ArtifactType::Strategy],
                required: true,
                doc: "strategy of the backtest",
            },
        ],
        outputs: &[
            OutputPort { name: "evaluation", kind: ArtifactType::Evaluation, doc: "every metric with its interval" },
            OutputPort {
                name: "predictions",
                kind: ArtifactType::Predictions,
                doc: "the rows, with both models' probabilities",
            },
            OutputPort { name: "report", kind: ArtifactType::Report, doc: "the evaluation for people" },
        ],
        values: &[
            ValuePort { name: "auc", kind: ValueType::Number, doc: "AUC of the candidate" },
            ValuePort { name: "auc_delta", kind: ValueType::Number, doc: "AUC of the candidate less the champion's" },
            ValuePort { name: "log_loss", kind: ValueType::Number, doc: "log loss of the candidate" },
            ValuePort { name: "brier", kind: ValueType::Number, doc: "Brier score of the candidate" },
            ValuePort { name: "f1", kind: ValueType::Number, doc: "F1 of the candidate at its threshold" },
            ValuePort { name: "expectancy_r", kind: ValueType::Number, doc: "mean R of the signals it would keep" },
            ValuePort { name: "rows", kind: ValueType::Number, doc: "rows both were judged on" },
            ValuePort {
                name: "sharpe",
                kind: ValueType::Number,
                doc: "Sharpe ratio of the backtest without the model",
            },
            ValuePort {
                name: "sharpe_with_model",
                kind: ValueType::Number,
                doc: "Sharpe ratio of the backtest with the model",
            },
        ],
        behaviour: Behaviour { uses_as_of: true, ..Behaviour::PURE },
    };

    fn check(config: &EvaluateConfig) -> Result<(), ConfigError> {
        config.prediction.check().map_err(|error| ConfigError::at("prediction", error.to_string()))?;
        config.universe.check()?;
        config.intervals.defect().map_or(Ok(()), |defect| Err(ConfigError::at("intervals", defect)))
    }

    fn run(config: &EvaluateConfig, context: &NodeContext) -> Result<NodeOutput, NodeError> {
        let candidate = StoredModel::read(context.input("candidate")?)?;
        let champion = context.inputs.get("champion").map(StoredModel::read).transpose()?;
        let signals = Signals::read(context.input("data")?)?;
        same_origin(&candidate, &signals, context)?;
        let (rows, left_out) = common_rows(&candidate, champion.as_ref(), &signals)?;
        if rows.row.len() < config.min_rows {
            let (found, needed) = (rows.row.len(), config.min_rows);
            return Err(NodeError::Insufficient { what: "rows that neither model has seen", found, needed });
        }
        let seed = Seed::new(config.seed).derive("evaluate");
        let threshold = config.prediction.confidence_threshold;
        let judge = |scores: &[f64]| {
            with_intervals(&rows.win, scores, threshold, &config.intervals, seed.derive("scores"), &context.cancel)
        };
        let of_candidate = judge(&rows.candidate)?;
        context.report(1, 4, "candidate");
        let of_champion = rows.champion.as_deref().map(judge).transpose()?;
        context.report(2, 4, "champion");
        let comparison = compare(&rows)?;
        let executed = executed_rows(&rows, &signals);
        let expectancy = expectancies(&rows, &executed, threshold, config, seed.derive("expectancy"), context)?;
        context.report(3, 4, "backtest");
        let uplift = uplift::measure(config, context, &rows, seed.derive("uplift"))?;
        let lints = lints(&of_candidate);
        if let Some(lint) = lints.first().filter(|_| !config.acknowledge_suspicious) {
            return Err(NodeError::failed(format!(
                "suspicious metric: {lint}; look for a leak, or set `acknowledge_suspicious: true`"
            )));
        }
        let evaluation = Evaluation {
            version: 1,
            rows: rows.row.len(),
            left_out,
            from: rows.ts.first().copied().map(Timestamp::from_micros),
            to: rows.ts.last().copied().map(Timestamp::from_micros),
            threshold,
            executed: of_executed(&rows, &executed, threshold),
            candidate: of_candidate,
            champion: of_champion,
            comparison,
            expectancy,
            trading_numbers: uplift.numbers(),
            uplift,
            lints,
        };
        output(&evaluation, &rows)
    }
}

/// Everything an evaluation found.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Evaluation {
    version: u32,
    rows: usize,
    /// Rows of the candidate that the champion may have seen.
    left_out: usize,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    threshold: f64,
    candidate: ClassificationReport,
    champion: Option<ClassificationReport>,
    /// The candidate on those rows that the portfolio traded.
    executed: ClassificationReport,
    comparison: BTreeMap<&'static str, PairedTest>,
    expectancy: BTreeMap<&'static str, Expectancy>,
    uplift: Uplift,
    trading_numbers: Option<crate::registry::gate::TradingNumbers>,
    lints: Vec<String>,
}

/// Mean outcome of a set of signals, in R.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Expectancy {
    signals: usize,
    mean_r: Option<f64>,
    interval: Option<Interval>,
}

/// Refuses inputs that do not belong together: figures on them would be figures of nothing.
fn same_origin(candidate: &StoredModel, signals: &Signals, context: &NodeContext) -> Result<(), NodeError> {
    if candidate.manifest.data != context.input("data")?.reference.sha256 {
        return Err(NodeError::failed("`data` is not what the candidate was trained on: connect the same signals"));
    }
    if signals.strategy != context.input("strategy")?.reference.sha256.to_string() {
        return Err(NodeError::failed("`strategy` is not the one that made the signals of `data`: connect the same"));
    }
    Ok(())
}

/// Rows that are out of sample for both models, and how many of the candidate's are not for the champion.
fn common_rows(
    candidate: &StoredModel,
    champion: Option<&StoredModel>,
    signals: &Signals,
) -> Result<(Evaluated, usize), NodeError> {
    let own = &candidate.out_of_fold;
    let champion_scores = champion.map(|champion| champion_scores(champion, candidate, signals)).transpose()?;
    let mut rows = Evaluated { champion: champion_scores.as_ref().map(|_| Vec::new()), ..Evaluated::default() };
    let mut left_out = 0;
    for at in 0..own.row.len() {
        if let (Some(scores), Some(column)) = (&champion_scores, &mut rows.champion) {
            let Some(score) = scores.get(&own.row[at]) else {
                left_out += 1;
                continue;
            };
            column.push(*score);
        }
        rows.row.push(own.row[at].clone());
        rows.symbol.push(own.symbol[at].clone());
        rows.ts.push(own.ts[at]);
        rows.candidate.push(own.probability[at]);
        rows.win.push(own.win[at]);
        rows.r.push(own.r[at]);
    }
    Ok((rows, left_out))
}

/// The champion's out-of-sample probabilities, by row: of its own folds, and of signals after all it learnt from.
fn champion_scores(
    champion: &StoredModel,
    candidate: &StoredModel,
    signals: &Signals,
) -> Result<BTreeMap<String, f64>, NodeError> {
    // a record made for another strategy speaks of other features and of other outcomes
    let record = Some(&champion.out_of_fold).filter(|_| champion.manifest.strategy == signals.strategy);
    let mut scores: BTreeMap<String, f64> = record
        .map(|record| record.row.iter().cloned().zip(record.probability.iter().copied()).collect())
        .unwrap_or_default();
    if !signals.lacks(&champion.schema.features).is_empty() {
        // it cannot score these signals any more: its own record is all there is
        return Ok(scores);
    }
    let until = champion.manifest.trained_until.micros();
    let wanted: std::collections::BTreeSet<&String> = candidate.out_of_fold.row.iter().collect();
    let later: Vec<usize> =
        (0..signals.len()).filter(|&row| signals.ts[row] > until && wanted.contains(&signals.row[row])).collect();
    let (_, probability) = champion.predict(signals, &later)?;
    scores.extend(later.into_iter().map(|row| signals.row[row].clone()).zip(probability));
    Ok(scores)
}

fn compare(rows: &Evaluated) -> Result<BTreeMap<&'static str, PairedTest>, NodeError> {
    let Some(champion) = &rows.champion else { return Ok(BTreeMap::new()) };
    let mut tests = BTreeMap::new();
    for metric in [ScoreMetric::Auc, ScoreMetric::LogLoss, ScoreMetric::Brier] {
        match paired_by_time(metric, &rows.ts, &rows.win, champion, &rows.candidate) {
            Ok(test) => drop(tests.insert(metric.name(), test)),
            // the metric is undefined, and its absence says so
            Err(CompareError::OneClass { .. }) => {}
            Err(error) => return Err(NodeError::failed(error)),
        }
    }
    Ok(tests)
}

/// Which rows the portfolio traded.
fn executed_rows(rows: &Evaluated, signals: &Signals) -> Vec<bool> {
    let traded: std::collections::BTreeSet<&String> =
        signals.row.iter().zip(&signals.executed).filter(|(_, executed)| **executed).map(|(row, _)| row).collect();
    rows.row.iter().map(|row| traded.contains(row)).collect()
}

fn of_executed(rows: &Evaluated, executed: &[bool], threshold: f64) -> ClassificationReport {
    let traded: Vec<usize> = (0..executed.len()).filter(|&row| executed[row]).collect();
    let labels: Vec<bool> = traded.iter().map(|&row| rows.win[row]).collect();
    let scores: Vec<f64> = traded.iter().map(|&row| rows.candidate[row]).collect();
    classification_report(&labels, &scores, threshold)
}

fn expectancies(
    rows: &Evaluated,
    executed: &[bool],
    threshold: f64,
    config: &EvaluateConfig,
    seed: Seed,
    context: &NodeContext,
) -> Result<BTreeMap<&'static str, Expectancy>, NodeError> {
    let mut found = BTreeMap::new();
    let sets: [(&'static str, Box<dyn Fn(usize) -> bool + Sync>); 4] = [
        ("all", Box::new(|_| true)),
        ("executed", Box::new(|row| executed[row])),
        ("kept_by_candidate", Box::new(|row| rows.candidate[row] >= threshold)),
        ("kept_by_champion", Box::new(|row| rows.champion.as_ref().is_some_and(|scores| scores[row] >= threshold))),
    ];
    let block = config.intervals.block_for(&[&rows.r]);
    for (name, keeps) in sets {
        if name == "kept_by_champion" && rows.champion.is_none() {
            continue;
        }
        let mean_of = |drawn: &[usize]| {
            let kept: Vec<f64> = drawn.iter().filter(|&&row| keeps(row)).map(|&row| rows.r[row]).collect();
            mean(&kept)
        };
        let all: Vec<usize> = (0..rows.row.len()).collect();
        let range = interval(
            rows.row.len(),
            config.intervals.resamples,
            block,
            config.intervals.level,
            seed,
            &context.cancel,
            mean_of,
        )?;
        let signals = all.iter().filter(|&&row| keeps(row)).count();
        found.insert(name, Expectancy { signals, mean_r: mean_of(&all), interval: range });
    }
    Ok(found)
}

/// Results too good to be true.
fn lints(report: &ClassificationReport) -> Vec<String> {
    let mut found = Vec::new();
    if report.rows < 1000 {
        if let Some(auc) = report.roc_auc.filter(|auc| *auc > 0.95) {
            found.push(format!("AUC {auc:.3} on {} rows", report.rows));
        }
        if report.accuracy == Some(1.0) {
            found.push(format!("accuracy 100 % on {} rows", report.rows));
        }
    }
    found
}

fn output(evaluation: &Evaluation, rows: &Evaluated) -> Result<NodeOutput, NodeError> {
    let value: Value = json!(evaluation);
    let kept = evaluation.expectancy.get("kept_by_candidate").and_then(|kept| kept.mean_r);
    let delta = evaluation.comparison.get(ScoreMetric::Auc.name()).map(|test| test.delta);
    Ok(NodeOutput {
        outputs: [
            ("evaluation", json_artifact(ArtifactType::Evaluation, &value)?),
            ("predictions", table_artifact(ArtifactType::Predictions, &rows.to_table())?),
            ("report", Artifact::file(ArtifactType::Report, report::markdown(evaluation).into_bytes())),
        ]
        .into(),
        values: [
            ("auc", Scalar::number(evaluation.candidate.roc_auc)),
            ("auc_delta", Scalar::number(delta)),
            ("log_loss", Scalar::number(evaluation.candidate.log_loss)),
            ("brier", Scalar::number(evaluation.candidate.brier)),
            ("f1", Scalar::number(evaluation.candidate.f1)),
            ("expectancy_r", Scalar::number(kept)),
            ("rows", Scalar::count(evaluation.rows)),
            ("sharpe", Scalar::number(evaluation.uplift.sharpe())),
            ("sharpe_with_model", Scalar::number(evaluation.uplift.sharpe_with_model())),
        ]
        .into(),
        summary: summary(evaluation),
    })
}
