//! `accumulate`: a backtest over real bars; features at each signal, and what became of it.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::bars::{Market, Universe, read_strategy};
use super::holdout::DataUse;
use super::model_artifact::json_artifact;
use super::signal_features::{FeatureColumns, SignalFeatures};
use super::signals::{HOLDOUT, SCHEMA, table_artifact};
use super::{
    Behaviour, ConfigError, Descriptor, InputPort, Kind, NodeContext, NodeError, NodeOutput, OutputPort, ValuePort,
    ValueType,
};
use crate::artifact::{ArtifactType, Scalar};
use crate::backtest::{Backtest, PortfolioRules, simulate};
use crate::base::Timestamp;
use crate::feature::{FeatureSet, Features};
use crate::label::{Censored, LabelConfig, LabelKind, LabelSet, LabelledTrade, executed_trades, shadow_trades};
use crate::market::Bars;
use crate::metric::trading::{trade_report, trading_report};
use crate::stats::sum::mean;
use crate::strategy::{IndicatorCache, Signals, StrategyLint, signals};
use crate::table::{Table, Values};

/// Runs a strategy over bars and writes features and labelled outcomes.
pub struct Accumulate;

/// Which trades make the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Population {
    /// Every eligible signal, each simulated alone: a label does not depend on which others took the slots.
    #[default]
    Shadow,
    /// Only signals that the portfolio traded.
    Executed,
}

/// Settings of `accumulate`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccumulateConfig {
    /// Bars to work on.
    #[serde(default)]
    universe: Universe,
    /// Features: the name of a set; or a mapping of `set`, `lookback_periods`, `expressions` and `columns`.
    #[serde(default)]
    features: Features,
    /// What a label is.
    #[serde(default)]
    label: LabelConfig,
    /// Which trades make the rows.
    #[serde(default)]
    population: Population,
    /// Label the newest signals too, as soon as their trade has ended. Losers end sooner than winners: the newest rows are
    /// then nearly all losses. Off, a signal is labelled once its whole horizon has passed, whatever came of it.
    #[serde(default)]
    label_early: bool,
    /// Fewer labelled signals than this are too few: the node is skipped.
    #[serde(default = "default_min_samples")]
    min_samples: usize,
    /// Which part of the data set the signals are of. Signals of the holdout are for `evaluate` with `use: holdout` only.
    #[serde(default, rename = "use")]
    data_use: DataUse,
}

fn default_min_samples() -> usize {
    50
}

impl Kind for Accumulate {
    type Config = AccumulateConfig;

    const DESCRIPTOR: Descriptor = Descriptor {
        name: "accumulate",
        version: 2,
        doc: "Backtests a strategy and writes features at each signal with its labelled outcome in R.",
        inputs: &[
            InputPort { many: false, name: "bars", types: &[ArtifactType::Bars], required: true, doc: "bars" },
            InputPort {
                many: false,
                name: "strategy",
                types: &[ArtifactType::Strategy],
                required: true,
                doc: "strategy",
            },
        ],
        outputs: &[
            OutputPort { name: "signals", kind: ArtifactType::Signals, doc: "features and outcomes, one row a signal" },
            OutputPort { name: "trades", kind: ArtifactType::Trades, doc: "trades of the portfolio backtest" },
            OutputPort { name: "backtest", kind: ArtifactType::Backtest, doc: "funnel, equity and metrics" },
        ],
        values: &[
            ValuePort { name: "samples", kind: ValueType::Number, doc: "labelled signals" },
            ValuePort { name: "unlabelled", kind: ValueType::Number, doc: "signals whose outcome is not yet known" },
            ValuePort { name: "win_rate", kind: ValueType::Number, doc: "share of labelled signals that won" },
            ValuePort { name: "expectancy_r", kind: ValueType::Number, doc: "mean outcome of labelled signals in R" },
            ValuePort { name: "trades", kind: ValueType::Number, doc: "trades of the portfolio" },
            ValuePort { name: "sharpe", kind: ValueType::Number, doc: "Sharpe ratio of the portfolio" },
        ],
        behaviour: Behaviour { uses_as_of: true, ..Behaviour::PURE },
    };

    fn check(config: &AccumulateConfig) -> Result<(), ConfigError> {
        config.universe.check()?;
        checked_features(&config.features)?;
        config.label.check().map_err(|error| ConfigError::at("label", error.to_string()))
    }

    fn run(config: &AccumulateConfig, context: &NodeContext) -> Result<NodeOutput, NodeError> {
        let (market, holdout) = match config.data_use {
            DataUse::Development => (config.universe.load(context.input("bars")?, context)?, None),
            DataUse::Holdout => {
                let settings = serde_json::to_value(config).map_err(NodeError::failed)?;
                let (market, holdout) =
                    config.universe.load_holdout(context.input("bars")?, "accumulate", &settings, context)?;
                (market, Some(holdout))
            }
        };
        let strategy_input = context.input("strategy")?;
        let strategy = read_strategy(strategy_input)?;
        let bars = &market.loaded.bars;
        let cache = IndicatorCache::new();
        let found = signals(&strategy, bars, &cache).map_err(NodeError::failed)?;
        let lints = strategy.lints_on(bars, &found, &cache);
        let rules = PortfolioRules::from(&strategy);
        context.report(1, 4, "signals");
        let backtest = simulate(bars, &found, &rules, market.sessions.clone(), None, &context.cancel)?;
        context.report(2, 4, "labels");
        let labels = match config.population {
            Population::Shadow => shadow_trades(bars, &found, &rules, &config.label, &context.cancel),
            Population::Executed => executed_trades(bars, &rules, &backtest, &config.label),
        };
        let mut labels = within(labels.map_err(NodeError::failed)?, &market);
        if labels.trades.is_empty() && labels.without_risk > 0 {
            return Err(without_stop(&config.label, labels.without_risk));
        }
        if !config.label_early {
            hold_back(&mut labels, market.sessions.end, config.label.max_horizon);
        }
        if labels.trades.len() < config.min_samples {
            let (found, needed) = (labels.trades.len(), config.min_samples);
            return Err(NodeError::Insufficient { what: "labelled signals", found, needed });
        }
        context.report(3, 4, "features");
        let features = config.features.build().map_err(NodeError::failed)?;
        let rows = Rows {
            bars,
            found: &found,
            labels: &labels,
            label: &config.label,
            own: SignalFeatures::of(&strategy),
            executed: executed(&backtest),
        };
        let mut table = rows.table(&features, &strategy_input.reference.sha256.to_string())?;
        if let Some(holdout) = holdout {
            table.facts.insert(HOLDOUT.to_owned(), json!(holdout).to_string());
        }
        output(&market, &lints, &backtest, &labels, &table)
    }
}

/// No label, because it is made of a stop that no signal has.
fn without_stop(label: &LabelConfig, signals: usize) -> NodeError {
    let kind = label.kind.name();
    NodeError::failed(format!(
        "label `{kind}` is measured in the distance to the stop, and the strategy gives none of {signals} signals one: write a \
         `stop` in the strategy, or `label: {{kind: return}}` in this node"
    ))
}

/// Columns that every table of signals has: no feature may take their names.
const TAKEN: &[&str] = &[
    "row",
    "symbol",
    "ts",
    "session",
    "exit_ts",
    "exit_session",
    "labelled",
    "executed",
    "label",
    "source",
    "win",
    "r",
    "gross_r",
    "planned_r",
    "net_return",
    "mae_r",
    "mfe_r",
    "holding_sessions",
    "exit_reason",
    "uniqueness",
    "trigger_fast",
    "trigger_slow",
    "fast_clearance",
    "slow_clearance",
    "stop_distance",
];

/// Compiles the features, and refuses them at the key that is wrong.
pub(super) fn checked_features(features: &Features) -> Result<(), ConfigError> {
    let set = features.build().map_err(|error| {
        let path =
            std::iter::once("features").chain(error.path.iter().map(String::as_str)).collect::<Vec<_>>().join(".");
        let Some(problem) = error.problem() else { return ConfigError::at(&path, error.to_string()) };
        let message = format!("byte {} of the expression: {}", problem.span.start + 1, problem.message);
        let refusal = ConfigError::at(&path, message);
        problem.hint.iter().fold(refusal, |refusal, hint| refusal.hint(hint.clone()))
    })?;
    match set.names().into_iter().find(|name| TAKEN.contains(&name.as_str())) {
        Some(name) => Err(ConfigError::at(
            &format!("features.expressions.{name}"),
            format!("every table of signals has a column `{name}`: expected another name"),
        )),
        None => Ok(()),
    }
}

/// Labels whose signal lies in the window.
fn within(mut labels: LabelSet, market: &Market) -> LabelSet {
    labels.trades.retain(|trade| market.sessions.contains(&trade.t0));
    labels.censored.retain(|trade| market.sessions.contains(&trade.t0));
    labels
}

/// Takes the labels of signals back whose horizon has not passed: that they are known already says how they ended.
fn hold_back(labels: &mut LabelSet, end: u32, horizon: u32) {
    let (known, early) = std::mem::take(&mut labels.trades).into_iter().partition(|trade| trade.t0 + horizon < end);
    labels.trades = known;
    let early: Vec<LabelledTrade> = early;
    labels.censored.extend(early.iter().map(|trade| Censored {
        symbol: trade.symbol,
        candidate: trade.candidate,
        t0: trade.t0,
    }));
}

fn executed(backtest: &Backtest) -> BTreeSet<(u32, u32)> {
    let closed = backtest.trades.iter().map(|trade| (trade.symbol, trade.candidate));
    closed.chain(backtest.open_at_end.iter().map(|open| (open.symbol, open.candidate))).collect()
}

/// A row before it is a row: its place, and its outcome where known.
struct Row<'a> {
    symbol: usize,
    candidate: u32,
    t0: u32,
    outcome: Option<&'a LabelledTrade>,
}

struct Rows<'a> {
    bars: &'a Bars,
    found: &'a Signals,
    labels: &'a LabelSet,
    label: &'a LabelConfig,
    /// Features that the strategy itself gives.
    own: SignalFeatures,
    executed: BTreeSet<(u32, u32)>,
}

impl Rows<'_> {
    fn in_time_order(&self) -> Vec<Row<'_>> {
        let labelled = self.labels.trades.iter().map(|trade| Row {
            symbol: trade.symbol as usize,
            candidate: trade.candidate,
            t0: trade.t0,
            outcome: Some(trade),
        });
        let open = self.labels.censored.iter().map(|&Censored { symbol, candidate, t0 }| Row {
            symbol: symbol as usize,
            candidate,
            t0,
            outcome: None,
        });
        let mut rows: Vec<Row<'_>> = labelled.chain(open).collect();
        // symbols are sorted by name
        rows.sort_by_key(|row| (row.t0, row.symbol));
        rows
    }

    fn table(&self, features: &FeatureSet, strategy: &str) -> Result<Table, NodeError> {
        let rows = self.in_time_order();
        let last = self.bars.sessions.len().saturating_sub(1) as u32;
        let exit = |row: &Row<'_>| row.outcome.map_or(last, |trade| trade.t1);
        let ts = |session: u32| self.bars.sessions[session as usize];
        let symbol = |row: &Row<'_>| self.bars.series[row.symbol].symbol.clone();
        let text = |get: &dyn Fn(&Row<'_>) -> String| Values::Text(rows.iter().map(get).collect());
        let time = |get: &dyn Fn(&Row<'_>) -> i64| Values::Time(rows.iter().map(get).collect());
        let int = |get: &dyn Fn(&Row<'_>) -> i64| Values::Int(rows.iter().map(get).collect());
        let flag = |get: &dyn Fn(&Row<'_>) -> bool| Values::Bool(rows.iter().map(get).collect());
        let outcome = |get: fn(&LabelledTrade) -> f64| {
            Values::Float(rows.iter().map(|row| row.outcome.map_or(f64::NAN, get)).collect())
        };
        let identity = |row: &Row<'_>| format!("{}@{}", symbol(row), Timestamp::from_micros(ts(row.t0)));
        let reason = |row: &Row<'_>| {
            let word = row.outcome.and_then(|trade| serde_json::to_value(trade.exit_reason).ok());
            word.and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_else(|| "open".to_owned())
        };
        let source = |row: &Row<'_>| {
            let word = row.outcome.and_then(|trade| serde_json::to_value(trade.source).ok());
            word.and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
        };
        let executed = |row: &Row<'_>| self.executed.contains(&(row.symbol as u32, row.candidate));
        let mut table = Table::new(SCHEMA)
            .with("row", "identity: symbol and signal time", text(&identity))
            .with("symbol", "ticker", text(&symbol))
            .with("ts", "signal time, UTC; known at this bar's close", time(&|row| ts(row.t0)))
            .with("session", "session of the signal, from 0", int(&|row| i64::from(row.t0)))
            .with("exit_ts", "time label and outcome were known, UTC", time(&|row| ts(exit(row))))
            .with(
                "exit_session",
                "session in which label and outcome were known, from 0",
                int(&|row| i64::from(exit(row))),
            )
            .with("labelled", "whether the outcome is known", flag(&|row| row.outcome.is_some()))
            .with("executed", "whether the portfolio traded it", flag(&executed))
            .with("label", self.label.kind.doc(), outcome(|trade| trade.value))
            .with("source", "which trades the label is made of", text(&source))
            .with("win", self.win_doc(), flag(&|row| row.outcome.is_some_and(|trade| trade.win)))
            .with("r", "net profit over the risk taken", outcome(|trade| trade.r))
            .with("gross_r", "profit before costs over the risk taken", outcome(|trade| trade.gross_r))
            .with("planned_r", "net profit over the risk planned", outcome(|trade| trade.planned_r.unwrap_or(f64::NAN)))
            .with("net_return", "net profit over the notional at entry", outcome(|trade| trade.net_return))
            .with("mae_r", "furthest against the entry, in R", outcome(|trade| trade.mae_r))
            .with("mfe_r", "furthest with the entry, in R", outcome(|trade| trade.mfe_r))
            .with("holding_sessions", "sessions from entry to exit", outcome(|trade| f64::from(trade.holding_sessions)))
            .with("exit_reason", "what ended the trade", text(&reason))
            .with(
                "uniqueness",
                "share of its life not shared with other signals of its symbol",
                outcome(|trade| trade.uniqueness),
            );
        let columns = self.features(features, &rows)?;
        let mut taken: BTreeSet<&str> = table.columns().iter().map(|column| column.name.as_str()).collect();
        if let Some((name, ..)) = columns.iter().find(|(name, ..)| !taken.insert(name)) {
            return Err(NodeError::failed(format!(
                "two columns are named `{name}`: rename the one in `features` of the strategy or of this node"
            )));
        }
        let names: Vec<&str> = columns.iter().map(|(name, _, _)| name.as_str()).collect();
        table.facts.insert("features".to_owned(), json!(names).to_string());
        table.facts.insert("feature_set".to_owned(), features.name().to_owned());
        table.facts.insert("label_kind".to_owned(), self.label.kind.name().to_owned());
        table.facts.insert("sessions".to_owned(), self.bars.sessions.len().to_string());
        table.facts.insert("strategy".to_owned(), strategy.to_owned());
        for (name, doc, values) in columns {
            table = table.with(name, doc, Values::Float(values));
        }
        Ok(table)
    }

    fn win_doc(&self) -> &'static str {
        if self.label.kind == LabelKind::SignalSuccess { "the target before the stop" } else { "R above the threshold" }
    }

    /// Features of the set and of the trigger itself, at each row: all known at the close of the signal bar.
    fn features(&self, set: &FeatureSet, rows: &[Row<'_>]) -> Result<FeatureColumns, NodeError> {
        let places: Vec<(usize, u32)> = rows.iter().map(|row| (row.symbol, row.candidate)).collect();
        self.own.columns(set, self.bars, self.found, &places)
    }
}

fn trades_table(bars: &Bars, backtest: &Backtest) -> Table {
    let trades = &backtest.trades;
    let ts = |session: u32| bars.sessions[session as usize];
    let float = |get: &dyn Fn(&crate::backtest::Trade) -> f64| Values::Float(trades.iter().map(get).collect());
    let word = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let reasons = trades.iter().map(|trade| word(json!(trade.exit_reason)));
    Table::new("trades@1")
        .with(
            "symbol",
            "ticker",
            Values::Text(trades.iter().map(|t| bars.series[t.symbol as usize].symbol.clone()).collect()),
        )
        .with("signal_ts", "signal time, UTC", Values::Time(trades.iter().map(|t| ts(t.signal_session)).collect()))
        .with(
            "entry_ts",
            "session of the entry, UTC",
            Values::Time(trades.iter().map(|t| ts(t.entry_session)).collect()),
        )
        .with("exit_ts", "session of the exit, UTC", Values::Time(trades.iter().map(|t| ts(t.exit_session)).collect()))
        .with("quantity", "units", float(&|trade| trade.quantity))
        .with("entry_price", "net fill", float(&|trade| trade.entry_price))
        .with("exit_price", "net fill", float(&|trade| trade.exit_price))
        .with("stop", "initial stop", float(&|trade| trade.stop.unwrap_or(f64::NAN)))
        .with("commission", "both sides, account currency", float(&|trade| trade.commission))
        .with("slippage", "both sides, account currency", float(&|trade| trade.slippage))
        .with("gross_pnl", "before costs, account currency", float(&|trade| trade.gross_pnl))
        .with("net_pnl", "after costs, account currency", float(&|trade| trade.net_pnl))
        .with("r", "net profit over the risk taken", float(&|trade| trade.r.unwrap_or(f64::NAN)))
        .with("holding_sessions", "sessions", float(&|trade| f64::from(trade.holding_sessions)))
        .with("exit_reason", "what ended the trade", Values::Text(reasons.collect()))
}

fn output(
    market: &Market,
    lints: &[StrategyLint],
    backtest: &Backtest,
    labels: &LabelSet,
    table: &Table,
) -> Result<NodeOutput, NodeError> {
    let bars = &market.loaded.bars;
    // a trade without a stop has no R, and is neither won nor lost
    let judged: Vec<&LabelledTrade> = labels.trades.iter().filter(|trade| !trade.r.is_nan()).collect();
    let r: Vec<f64> = judged.iter().map(|trade| trade.r).collect();
    let wins = judged.iter().filter(|trade| trade.win).count();
    let win_rate = (!r.is_empty()).then(|| wins as f64 / r.len() as f64);
    let labelled = labels.trades.len();
    let returns = trading_report(&backtest.returns(), bars.periods_per_year);
    let trade_r: Vec<f64> = backtest.trades.iter().filter_map(|trade| trade.r).collect();
    let equity: Vec<serde_json::Value> = backtest
        .equity
        .iter()
        .map(|point| {
            json!([Timestamp::from_micros(bars.sessions[point.session as usize]), point.equity, point.exposure])
        })
        .collect();
    let mut report = json!({
        "version": 1,
        "symbols": bars.series.iter().map(|series| &series.symbol).collect::<Vec<_>>(),
        "dropped_bars": market.loaded.dropped,
        "strategy_lints": lints,
        "funnel": backtest.funnel,
        "warnings": backtest.warnings,
        "returns": returns,
        "trades": trade_report(&trade_r),
        "open_at_end": backtest.open_at_end,
        "labels": {"labelled": labelled, "unlabelled": labels.censored.len(), "not_filled": labels.not_filled,
            "without_risk": labels.without_risk, "undefined": labels.undefined},
        "equity": {"columns": ["ts", "equity", "exposure"], "rows": equity},
    });
    let day = |session: u32| Timestamp::from_micros(bars.sessions[session as usize]).date();
    if !market.loaded.repaired.is_empty() {
        report["repaired_bars"] = json!(market.loaded.repaired);
    }
    let dropped = match market.loaded.dropped.len() {
        0 => String::new(),
        1 => "; 1 bad bar dropped".to_owned(),
        many => format!("; {many} bad bars dropped"),
    };
    let repaired = match market.loaded.repaired.len() {
        0 => String::new(),
        1 => "; 1 bad cell repaired".to_owned(),
        many => format!("; {many} bad cells repaired"),
    };
    let symbols = if bars.series.len() == 1 { "1 symbol".to_owned() } else { format!("{} symbols", bars.series.len()) };
    let outcome = match (win_rate, mean(&r)) {
        (Some(rate), Some(mean)) => format!("{:.0} % won, mean {mean:+.2} R", 100.0 * rate),
        _ => "no stop, so no R".to_owned(),
    };
    let summary = format!(
        "{labelled} signals of {symbols}, {} to {}: {outcome}; portfolio {} trades, Sharpe {}{dropped}{repaired}",
        day(market.sessions.start),
        day(market.sessions.end - 1),
        backtest.trades.len(),
        returns.sharpe.map_or("-".to_owned(), |sharpe| format!("{sharpe:.2}")),
    );
    let values: BTreeMap<&'static str, Scalar> = [
        ("samples", Scalar::count(labelled)),
        ("unlabelled", Scalar::count(labels.censored.len())),
        ("win_rate", Scalar::number(win_rate)),
        ("expectancy_r", Scalar::number(mean(&r))),
        ("trades", Scalar::count(backtest.trades.len())),
        ("sharpe", Scalar::number(returns.sharpe)),
    ]
    .into();
    Ok(NodeOutput {
        outputs: [
            ("signals", table_artifact(ArtifactType::Signals, table)?),
            ("trades", table_artifact(ArtifactType::Trades, &trades_table(bars, backtest))?),
            ("backtest", json_artifact(ArtifactType::Backtest, &report)?),
        ]
        .into(),
        values: values.into(),
        summary,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{PathStep, find_kind};
    use super::*;
    use crate::strategy::Strategy;

    fn refused(features: serde_json::Value) -> ConfigError {
        find_kind("accumulate").unwrap().normalise(&json!({"features": features})).unwrap_err()
    }

    fn path(keys: &[&str]) -> Vec<PathStep> {
        keys.iter().map(|key| PathStep::Key((*key).to_owned())).collect()
    }

    #[test]
    fn a_set_by_its_name_stays_a_name_and_more_is_a_mapping() {
        let kind = find_kind("accumulate").unwrap();
        let features = |given| kind.normalise(&json!({ "features": given })).unwrap()["features"].clone();
        assert_eq!(kind.normalise(&json!({})).unwrap()["features"], json!("core40"));
        assert_eq!(features(json!("alpha158")), json!("alpha158"));
        let more = features(json!({"expressions": {"x": "close > open"}}));
        assert_eq!(
            more,
            json!({"set": "core40", "lookback_periods": [], "expressions": {"x": "close > open"}, "columns": []})
        );
    }

    #[test]
    fn a_feature_that_cannot_be_is_refused_at_its_own_key_with_the_edit() {
        let error = refused(json!({"expressions": {"trend": "close / smaa(close, 20)"}}));
        assert_eq!(error.path, path(&["features", "expressions", "trend"]));
        assert_eq!(error.message, "byte 9 of the expression: unknown function `smaa`");
        assert_eq!(error.hint.unwrap(), "did you mean `sma`?");
        let error = refused(json!({"set": "core4"}));
        assert_eq!(error.path, path(&["features", "set"]));
        let error = refused(json!("core4"));
        assert_eq!(error.path, path(&["features"]));
        let error = refused(json!({"expressions": {"mae_r": "close"}}));
        assert_eq!(error.path, path(&["features", "expressions", "mae_r"]));
        assert_eq!(error.message, "every table of signals has a column `mae_r`: expected another name");
    }

    #[test]
    fn no_feature_can_take_the_name_of_a_column_that_every_table_has() {
        let (bars, found, label) = (Bars::default(), Signals { symbols: Vec::new() }, LabelConfig::default());
        let labels =
            LabelSet { trades: Vec::new(), censored: Vec::new(), not_filled: 0, without_risk: 0, undefined: 0 };
        let rows = Rows {
            bars: &bars,
            found: &found,
            labels: &labels,
            label: &label,
            own: SignalFeatures::of(&Strategy::default()),
            executed: BTreeSet::new(),
        };
        let set = FeatureSet::of("one", &["gap"]).unwrap();
        let table = rows.table(&set, "strategy").unwrap();
        let names: BTreeSet<&str> = table.columns().iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, TAKEN.iter().copied().chain(["gap"]).collect());
    }
}
