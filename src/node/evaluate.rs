//! `evaluate`: candidate and champion on the same rows, out of sample for both; the backtest with and without the model.
//!
//! **Which rows.** Those that a fold of the candidate predicted without having seen them. For the champion, a row counts
//! when one of its own folds predicted it for the same strategy, or when it lies after everything the champion learnt
//! from; likewise for further models. All other rows are left out for all, and counted. `rows: forward` takes only rows after
//! everything that any of them learnt from.
//!
//! A figure of an earlier evaluation is never used: the champion is scored again on these rows.

mod chart;
mod holdout;
mod page;
mod report;
mod rows;
mod uplift;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::bars::Universe;
use super::holdout::DataUse;
use super::model_artifact::{StoredModel, json_artifact};
use super::signals::{Signals, table_artifact};
use super::{
    Behaviour, ConfigError, Descriptor, InputPort, Kind, NodeContext, NodeError, NodeOutput, OutputPort, ValuePort,
    ValueType,
};
use crate::artifact::{Artifact, ArtifactType, Scalar};
use crate::backtest::MlRules;
use crate::base::{Days, Seed, Timestamp};
use crate::metric::classification::{ClassificationReport, ScoreFigure, classification_report, score_figures};
use crate::metric::compare::{CompareError, PairedRows, PairedTest, ScoreMetric, TestMethod, paired_by_time};
use crate::stats::bootstrap::{Interval, IntervalPlan, interval};
use crate::stats::multiple::holm;
use crate::stats::sum::mean;

pub(super) use report::summary;
pub(super) use rows::Evaluated;
use rows::{Common, Rival, RowChoice, common_rows, same_origin};
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
    /// Which rows the models are judged on.
    #[serde(default)]
    rows: RowChoice,
    /// Days after everything that a model learnt from in which `rows: forward` takes none.
    #[serde(default)]
    embargo: Days,
    /// Fewer common rows than this are too few: the node is skipped.
    #[serde(default = "default_min_rows")]
    min_rows: usize,
    /// Accept an AUC above .95 or an accuracy of 1 on fewer than 1,000 rows, which is nearly always a leak.
    #[serde(default)]
    acknowledge_suspicious: bool,
    /// Seed of the bootstrap.
    #[serde(default)]
    seed: u64,
    /// Which part of the data set the models are judged on: signals that their folds predicted, or those of the holdout.
    #[serde(default, rename = "use")]
    data_use: DataUse,
}

fn default_min_rows() -> usize {
    50
}

impl Kind for Evaluate {
    type Config = EvaluateConfig;

    const DESCRIPTOR: Descriptor = Descriptor {
        name: "evaluate",
        version: 3,
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
                many: true,
                name: "others",
                types: &[ArtifactType::Model],
                required: false,
                doc: "further models to judge on the same rows",
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
            OutputPort { name: "report", kind: ArtifactType::Report, doc: "the evaluation for people, in Markdown" },
            OutputPort {
                name: "page",
                kind: ArtifactType::Report,
                doc: "the evaluation with its pictures as one HTML page that loads nothing",
            },
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
        let signals = holdout::signals(config, context)?;
        let choice = match config.data_use {
            DataUse::Development => config.rows,
            DataUse::Holdout => {
                holdout::untouched(&[("candidate", Some(&candidate)), ("champion", champion.as_ref())], &signals)?;
                RowChoice::Forward
            }
        };
        same_origin(&candidate, &signals, choice, context)?;
        let rivals = rivals(context)?;
        let Common { rows, rivals: rival_scores, left_out } =
            common_rows(&candidate, champion.as_ref(), &rivals, &signals, (choice, config.embargo.0))?;
        if rows.row.len() < config.min_rows {
            let (found, needed) = (rows.row.len(), config.min_rows);
            return Err(NodeError::Insufficient { what: "rows that no model has seen", found, needed });
        }
        let seed = Seed::new(config.seed).derive("evaluate");
        let threshold = config.prediction.confidence_threshold;
        let judge = |scores: &[f64]| {
            score_figures(&rows.win, scores, threshold, &config.intervals, seed.derive("scores"), &context.cancel)
        };
        let (of_candidate, candidate_figures) = judge(&rows.candidate)?;
        context.report(1, 4, "candidate");
        let (of_champion, champion_figures) = rows.champion.as_deref().map(judge).transpose()?.unzip();
        context.report(2, 4, "champion");
        let comparison =
            rows.champion.as_ref().map(|champion| compare(&rows, champion)).transpose()?.unwrap_or_default();
        let mut others = Vec::new();
        for (rival, scores) in rivals.iter().zip(&rival_scores) {
            let (report, figures) = judge(scores)?;
            let better = compare(&rows, scores)?;
            others.push(Other { name: rival.name.clone(), report, figures, candidate_better: better, p_holm: None });
        }
        adjust(&mut others);
        let executed = executed_rows(&rows, &signals);
        let expectancy = expectancies(&rows, &executed, threshold, config, seed.derive("expectancy"), context)?;
        context.report(3, 4, "backtest");
        let uplift = uplift::measure(config, context, &rows, (&candidate, champion.as_ref()), seed.derive("uplift"))?;
        let paired_returns = uplift.paired_returns();
        let lints = lints(&of_candidate);
        if let Some(lint) = lints.first().filter(|_| !config.acknowledge_suspicious) {
            return Err(NodeError::failed(format!(
                "suspicious metric: {lint}; look for a leak, or set `acknowledge_suspicious: true`"
            )));
        }
        let evaluation = Evaluation {
            version: 2,
            rows: rows.row.len(),
            left_out,
            from: rows.ts.first().copied().map(Timestamp::from_micros),
            to: rows.ts.last().copied().map(Timestamp::from_micros),
            threshold,
            executed: of_executed(&rows, &executed, threshold),
            candidate: of_candidate,
            champion: of_champion,
            candidate_figures,
            champion_figures,
            others,
            comparison,
            expectancy,
            paired_returns,
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
    /// Every score of the candidate with its interval, or why there is none.
    candidate_figures: Vec<ScoreFigure>,
    /// Every score of the champion likewise.
    champion_figures: Option<Vec<ScoreFigure>>,
    /// Further models on the same rows.
    others: Vec<Other>,
    /// The candidate on those rows that the portfolio traded.
    executed: ClassificationReport,
    comparison: BTreeMap<&'static str, PairedTest>,
    expectancy: BTreeMap<&'static str, Expectancy>,
    uplift: Uplift,
    trading_numbers: Option<crate::registry::gate::TradingNumbers>,
    /// Returns of the backtests with candidate and champion, for a comparison of Sharpe ratios.
    paired_returns: Option<crate::registry::gate::PairedReturns>,
    lints: Vec<String>,
}

/// A further model on the same rows.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Other {
    name: String,
    report: ClassificationReport,
    figures: Vec<ScoreFigure>,
    /// Paired tests whether the candidate is better than it.
    candidate_better: BTreeMap<&'static str, PairedTest>,
    /// One-sided p that the candidate has the higher AUC, adjusted for all further models (Holm).
    p_holm: Option<f64>,
}

fn rivals(context: &NodeContext) -> Result<Vec<Rival>, NodeError> {
    let given = context.many.get("others").into_iter().flatten();
    let found = given.filter_map(|(name, input)| Some((name, input.as_ref()?)));
    found.map(|(name, input)| Ok(Rival { name: name.clone(), model: StoredModel::read(input)? })).collect()
}

/// Adjusts the p-values of the comparisons with further models: of many, one is beaten by luck.
fn adjust(others: &mut [Other]) {
    let p = |other: &Other| other.candidate_better.get(ScoreMetric::Auc.name()).and_then(|test| test.p_greater);
    let known: Vec<usize> = (0..others.len()).filter(|&at| p(&others[at]).is_some()).collect();
    let raw: Vec<f64> = known.iter().filter_map(|&at| p(&others[at])).collect();
    for (at, adjusted) in known.into_iter().zip(holm(&raw)) {
        others[at].p_holm = Some(adjusted);
    }
}

/// Mean outcome of a set of signals, in R.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Expectancy {
    signals: usize,
    mean_r: Option<f64>,
    interval: Option<Interval>,
}

fn compare(rows: &Evaluated, champion: &[f64]) -> Result<BTreeMap<&'static str, PairedTest>, NodeError> {
    let mut tests = BTreeMap::new();
    for metric in [ScoreMetric::Auc, ScoreMetric::LogLoss, ScoreMetric::Brier] {
        let (time, labels, challenger) = (&rows.ts, &rows.win, &rows.candidate);
        let pairs = PairedRows { time, labels, champion, challenger, threshold: 0.5 };
        match paired_by_time(metric, TestMethod::Auto, &pairs) {
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
            ("page", Artifact::file(ArtifactType::Report, page::html(evaluation, rows).into_bytes())),
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
