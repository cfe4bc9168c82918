//! `backtest`: a strategy traded by one account, with everything that is to be said about the result.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::accumulate::checked_features;
use super::bars::{Market, Universe, read_strategy};
use super::model_artifact::{Predictions, json_artifact};
use super::scoring::backtest_model;
use super::signals::table_artifact;
use super::{
    Behaviour, ConfigError, Descriptor, InputArtifact, InputPort, Kind, NodeContext, NodeError, NodeOutput, OutputPort,
    ValuePort, ValueType,
};
use crate::artifact::{Artifact, ArtifactType, Scalar};
use crate::backtest::report::{
    BacktestReport, BenchmarkKind, MlComparison, ModelTag, ReportInput, candidates_table, equity_table, markdown,
    trades_table,
};
use crate::backtest::{MlLimits, MlOverlay, MlRules, MlSizing, PortfolioRules, simulate};
use crate::base::{Digest, Seed, Timestamp};
use crate::feature::Features;
use crate::market::Bars;
use crate::stats::bootstrap::IntervalPlan;
use crate::strategy::{IndicatorCache, Signals, Strategy, signals};

/// Trades a strategy on bars with one account.
pub struct Backtest;

/// Settings of `backtest`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BacktestConfig {
    /// Bars to work on.
    universe: Universe,
    /// What the strategy is held against.
    benchmark: BenchmarkKind,
    /// How probability and technical score make one ranking; without `predictions` or `model` it has no effect.
    prediction: MlRules,
    /// Limits on positions that a probability decided; without `predictions` or `model` they have no effect.
    limits: MlLimits,
    /// Sizes of positions that a probability decided; without `predictions` or `model` it has no effect.
    sizing: MlSizing,
    /// Features of `model`: those of the `accumulate` node that it was trained on.
    features: Features,
    /// Let `model` score signals of its own training span, and mark the whole result.
    allow_in_sample: bool,
    /// Strategies that were tried before this one was chosen, for the deflated Sharpe ratio.
    #[schemars(range(min = 1))]
    tried: Option<u32>,
    /// End of the data that the strategy was chosen on: sessions before it are in sample, and the report says so.
    tuned_until: Option<Timestamp>,
    /// Bootstrap intervals of the figures that decisions are made by.
    intervals: IntervalPlan,
    /// Seed of the draws of the intervals.
    seed: u64,
    /// Fewer closed trades than this are too few: the node is skipped.
    min_trades: usize,
}

impl Kind for Backtest {
    type Config = BacktestConfig;

    const DESCRIPTOR: Descriptor = Descriptor {
        name: "backtest",
        version: 2,
        doc: "Trades a strategy with one account and reports what it earned, what became of every signal, and what to doubt.",
        inputs: &[
            InputPort { many: false, name: "bars", types: &[ArtifactType::Bars], required: true, doc: "bars" },
            InputPort {
                many: false,
                name: "strategy",
                types: &[ArtifactType::Strategy],
                required: true,
                doc: "strategy",
            },
            InputPort {
                many: false,
                name: "predictions",
                types: &[ArtifactType::Predictions],
                required: false,
                doc: "probabilities out of sample, as `train` writes them; the backtest begins at the first one",
            },
            InputPort {
                many: false,
                name: "model",
                types: &[ArtifactType::Model],
                required: false,
                doc: "a model instead of `predictions`: its folds score what they had not seen, itself what came after",
            },
        ],
        outputs: &[
            OutputPort { name: "trades", kind: ArtifactType::Trades, doc: "one row a closed trade" },
            OutputPort { name: "equity", kind: ArtifactType::Equity, doc: "one row a session" },
            OutputPort {
                name: "candidates",
                kind: ArtifactType::Candidates,
                doc: "one row a signal, and the one state it ended in",
            },
            OutputPort { name: "backtest", kind: ArtifactType::Backtest, doc: "the whole report, JSON" },
            OutputPort { name: "report", kind: ArtifactType::Report, doc: "the report for people" },
        ],
        values: &[
            ValuePort { name: "sharpe", kind: ValueType::Number, doc: "annual Sharpe ratio" },
            ValuePort { name: "sortino", kind: ValueType::Number, doc: "annual Sortino ratio" },
            ValuePort { name: "calmar", kind: ValueType::Number, doc: "annual growth over the deepest fall" },
            ValuePort { name: "cagr", kind: ValueType::Number, doc: "compound annual growth, a share" },
            ValuePort { name: "total_return", kind: ValueType::Number, doc: "return of the window, a share" },
            ValuePort { name: "volatility", kind: ValueType::Number, doc: "annual volatility, a share" },
            ValuePort { name: "max_drawdown", kind: ValueType::Number, doc: "deepest fall, a share of at most 0" },
            ValuePort { name: "trades", kind: ValueType::Number, doc: "closed trades" },
            ValuePort { name: "win_rate", kind: ValueType::Number, doc: "share of trades that won" },
            ValuePort { name: "profit_factor", kind: ValueType::Number, doc: "wins over losses, in R" },
            ValuePort { name: "expectancy_r", kind: ValueType::Number, doc: "mean R of a trade" },
            ValuePort { name: "exposure", kind: ValueType::Number, doc: "mean gross exposure, a share of equity" },
            ValuePort { name: "turnover", kind: ValueType::Number, doc: "value traded a year over mean equity" },
            ValuePort {
                name: "psr",
                kind: ValueType::Number,
                doc: "probability that the true Sharpe ratio is above 0",
            },
            ValuePort { name: "benchmark_return", kind: ValueType::Number, doc: "return of the benchmark, a share" },
            ValuePort { name: "alpha", kind: ValueType::Number, doc: "annual alpha against the benchmark, a share" },
            ValuePort { name: "signals", kind: ValueType::Number, doc: "signals of the window" },
            ValuePort { name: "filled", kind: ValueType::Number, doc: "signals that became a position" },
            ValuePort {
                name: "sharpe_difference",
                kind: ValueType::Number,
                doc: "Sharpe ratio with the model less that without it, over the same sessions",
            },
            ValuePort {
                name: "in_sample",
                kind: ValueType::Number,
                doc: "signals scored by a model that had seen them; above 0 the result is in sample",
            },
            ValuePort { name: "doubts", kind: ValueType::Number, doc: "findings that make the result doubtful" },
        ],
        behaviour: Behaviour { uses_as_of: true, ..Behaviour::PURE },
    };

    fn check(config: &BacktestConfig) -> Result<(), ConfigError> {
        config.universe.check()?;
        config.prediction.check().map_err(|error| ConfigError::at("prediction", error.to_string()))?;
        config.limits.check().map_err(|error| ConfigError::at("limits", error.to_string()))?;
        config.sizing.check().map_err(|error| ConfigError::at("sizing", error.to_string()))?;
        checked_features(&config.features)?;
        if let Some(defect) = config.intervals.defect() {
            return Err(ConfigError::at("intervals", defect));
        }
        match config.tried {
            Some(0) => Err(ConfigError::at("tried", "expected a whole number of at least 1, found 0")),
            _ => Ok(()),
        }
    }

    fn run(config: &BacktestConfig, context: &NodeContext) -> Result<NodeOutput, NodeError> {
        let market = config.universe.load(context.input("bars")?, context)?;
        let strategy = read_strategy(context.input("strategy")?)?;
        let strategy_digest = context.input("strategy")?.reference.sha256;
        let bars = &market.loaded.bars;
        context.report(1, 3, "signals");
        let cache = IndicatorCache::new();
        let found = signals(&strategy, bars, &cache).map_err(NodeError::failed)?;
        let model = Asked::of(config, context, (&strategy, strategy_digest), (bars, &found), &market.sessions)?;
        let window = window(&market, model.as_ref());
        context.report(2, 3, "simulation");
        let rules = PortfolioRules::from(&strategy);
        let overlay = model.as_ref().map(|model| &model.overlay);
        let backtest = simulate(bars, &found, &rules, window.clone(), overlay, &context.cancel)?;
        if backtest.trades.len() < config.min_trades {
            let (found, needed) = (backtest.trades.len(), config.min_trades);
            return Err(NodeError::Insufficient { what: "closed trades", found, needed });
        }
        let input = ReportInput {
            strategy: strategy.kind(),
            strategy_lints: &strategy.lints_on(bars, &found, &cache),
            bars,
            dropped_bars: &market.loaded.dropped,
            rules: &rules,
            backtest: &backtest,
            benchmark: config.benchmark,
            tried: config.tried,
            tuned_until: config.tuned_until,
            models: model.as_ref().map(|model| &model.tags),
        };
        let mut report = BacktestReport::of(&input);
        let seed = Seed::new(config.seed);
        report.add_intervals(&input, &config.intervals, seed, &context.cancel)?;
        if let Some(model) = &model {
            let off = simulate(bars, &found, &rules, window, None, &context.cancel)?;
            let sides = (&off, &backtest);
            let (year, plan) = (bars.periods_per_year, Some(&config.intervals));
            let (name, in_sample) = (model.name, model.in_sample);
            report.add_model(MlComparison::of(name, in_sample, sides, year, plan, seed, &context.cancel)?);
        }
        output(&input, &report)
    }
}

/// Sessions to trade: where a model has a say, those from its first probability on.
fn window(market: &Market, model: Option<&Asked>) -> std::ops::Range<u32> {
    let start = model.and_then(|model| model.first).unwrap_or(market.sessions.start).max(market.sessions.start);
    start.min(market.sessions.end)..market.sessions.end
}

/// What a model says about the signals.
struct Asked {
    /// What probabilities are called in the report.
    name: &'static str,
    overlay: MlOverlay,
    tags: BTreeMap<(u32, u32), ModelTag>,
    in_sample: usize,
    first: Option<u32>,
}

impl Asked {
    fn of(
        config: &BacktestConfig,
        context: &NodeContext,
        strategy: (&Strategy, Digest),
        (bars, found): (&Bars, &Signals),
        sessions: &std::ops::Range<u32>,
    ) -> Result<Option<Self>, NodeError> {
        let overlay = |probability, past| MlOverlay {
            rules: config.prediction.clone(),
            limits: Some(config.limits.clone()),
            sizing: config.sizing,
            probability,
            past,
        };
        match (context.inputs.get("predictions"), context.inputs.get("model")) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => {
                Err(NodeError::failed("expected `predictions` or `model`, found both: connect one of them"))
            }
            (Some(input), None) => {
                let (predictions, probability) = predicted(input, bars)?;
                let tag = |_: &f64| ModelTag {
                    id: "predictions".to_owned(),
                    digest: input.reference.sha256.to_string(),
                    source: "fold".to_owned(),
                };
                Ok(Some(Self {
                    name: "fold predictions",
                    tags: probability.iter().map(|(place, p)| (*place, tag(p))).collect(),
                    first: probability.keys().map(|(_, session)| *session).min(),
                    overlay: overlay(probability, predictions.past()),
                    in_sample: 0,
                }))
            }
            (None, Some(input)) => {
                let set = config.features.build().map_err(NodeError::failed)?;
                let allow = config.allow_in_sample;
                let model = backtest_model("model", input, strategy, &set, (bars, found), sessions, allow)?;
                Ok(Some(Self {
                    name: "model",
                    overlay: overlay(model.probability, model.past),
                    tags: model.tags,
                    in_sample: model.in_sample,
                    first: model.first,
                }))
            }
        }
    }
}

/// Predictions, and where each stands in the bars.
fn predicted(input: &InputArtifact, bars: &Bars) -> Result<(Predictions, BTreeMap<(u32, u32), f64>), NodeError> {
    let predictions = Predictions::read(input)?;
    let symbols: BTreeMap<&str, u32> = (0..).zip(&bars.series).map(|(at, it)| (it.symbol.as_str(), at)).collect();
    let place = |at: usize| {
        let session = bars.sessions.binary_search(&predictions.ts[at]).ok()?;
        Some(((*symbols.get(predictions.symbol[at].as_str())?, session as u32), predictions.probability[at]))
    };
    let probability: BTreeMap<(u32, u32), f64> = (0..predictions.row.len()).filter_map(place).collect();
    if probability.is_empty() {
        return Err(NodeError::failed(format!(
            "none of the {} predictions is of a symbol and a session of the bars",
            predictions.row.len()
        )));
    }
    Ok((predictions, probability))
}

fn output(input: &ReportInput<'_>, report: &BacktestReport) -> Result<NodeOutput, NodeError> {
    let figure = |name: &str| Scalar::number(report.metric(name));
    let mut values: BTreeMap<&'static str, Scalar> = Backtest::DESCRIPTOR
        .values
        .iter()
        .filter(|port| report.metrics.iter().any(|metric| metric.name == port.name))
        .map(|port| (port.name, figure(port.name)))
        .collect();
    values.insert("trades", Scalar::count(input.backtest.trades.len()));
    values.insert("signals", Scalar::count(report.funnel.candidates));
    values.insert("filled", Scalar::count(report.funnel.filled));
    values.insert("doubts", Scalar::count(report.doubts.len()));
    let model = report.model.as_ref();
    let of_model = |name: &str| model.and_then(|model| model.figure(name)).and_then(|figure| figure.difference);
    values.insert("sharpe_difference", Scalar::number(of_model("sharpe")));
    values.insert("in_sample", Scalar::count(model.map_or(0, |model| model.in_sample)));
    let marked = match model {
        None => String::new(),
        Some(model) if model.in_sample > 0 => format!("; IN SAMPLE: {} signals", model.in_sample),
        Some(_) => of_model("sharpe")
            .map_or_else(String::new, |it| format!("; the model changed the Sharpe ratio by {it:+.2}")),
    };
    let share = |name: &str| report.metric(name).map_or("-".to_owned(), |value| format!("{:.1} %", 100.0 * value));
    let summary = format!(
        "{} trades of {} signals, {} to {}: return {}, Sharpe {}, deepest fall {}; {} doubts{marked}",
        input.backtest.trades.len(),
        report.funnel.candidates,
        report.from.date(),
        report.to.date(),
        share("total_return"),
        report.metric("sharpe").map_or("-".to_owned(), |sharpe| format!("{sharpe:.2}")),
        share("max_drawdown"),
        report.doubts.len(),
    );
    Ok(NodeOutput {
        outputs: [
            ("trades", table_artifact(ArtifactType::Trades, &trades_table(input))?),
            ("equity", table_artifact(ArtifactType::Equity, &equity_table(input))?),
            ("candidates", table_artifact(ArtifactType::Candidates, &candidates_table(input))?),
            ("backtest", json_artifact(ArtifactType::Backtest, report)?),
            ("report", Artifact::file(ArtifactType::Report, markdown(report))),
        ]
        .into(),
        values: values.into(),
        summary,
    })
}
