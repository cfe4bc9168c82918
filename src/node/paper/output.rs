//! What a paper account shows: figures beside those expected, the record beside a backtest, orders for a broker outside.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::json;

use super::ledger::Account;
use super::{DECISIONS, Kept, PaperConfig, PaperMode};
use crate::artifact::{Artifact, ArtifactType, Scalar};
use crate::backtest::report::{
    BacktestReport, ReportInput, candidates_table, equity_table, markdown, text_in_unit, trades_table,
};
use crate::backtest::{NextOrder, OrderKind};
use crate::base::Timestamp;
use crate::market::{Bars, Loaded};
use crate::node::model_artifact::{json_artifact, pretty};
use crate::node::score::side_name;
use crate::node::signals::table_artifact;
use crate::node::{NodeContext, NodeError, NodeOutput};
use crate::score::order_id;
use crate::strategy::Side;
use crate::table::{Table, Values};

/// Version of the JSON of the account and of the orders.
const VERSION: u32 = 1;
/// Figures that are held against those expected.
const HELD: &[&str] =
    &["total_return", "volatility", "max_drawdown", "sharpe", "win_rate", "expectancy_r", "profit_factor", "costs"];

/// A figure of the account beside that of the backtest that it is expected to follow.
#[derive(Clone, Debug, Serialize)]
struct HeldFigure {
    name: String,
    paper: Option<f64>,
    expected: Option<f64>,
}

/// An order as a broker adapter reads it.
#[derive(Clone, Debug, Serialize)]
struct Order {
    id: String,
    kind: &'static str,
    action: &'static str,
    symbol: String,
    quantity: f64,
    order_type: &'static str,
    level: Option<f64>,
    stop: Option<f64>,
    take_profit: Option<f64>,
    time: &'static str,
    signal_ts: Timestamp,
    rank: Option<u32>,
    reserve: bool,
    ml_prob: Option<f64>,
    model_id: String,
}

pub(super) fn output(
    config: &PaperConfig,
    context: &NodeContext,
    kept: &Kept,
    loaded: &Loaded,
) -> Result<NodeOutput, NodeError> {
    let (account, bars) = (&kept.account, &loaded.bars);
    let input = ReportInput {
        strategy: account.strategy.kind(),
        strategy_lints: &[],
        bars,
        dropped_bars: &loaded.dropped,
        rules: &account.rules,
        backtest: &account.backtest,
        benchmark: config.benchmark,
        tried: None,
        // every session was decided before the next one was known
        tuned_until: bars.sessions.get(account.window.start as usize).copied().map(Timestamp::from_micros),
        models: Some(&account.tags),
    };
    let report = BacktestReport::of(&input);
    let held = held(context, &report)?;
    let orders = orders(&config.book, account, bars);
    let appended = kept.appended.as_ref().map_or(0, |entry| entry.sessions.len());
    let missed = kept.sessions.iter().filter(|session| session.missed).count();
    let in_sample = in_sample(kept);
    let decision = match (&kept.appended, config.mode) {
        (Some(_), PaperMode::Apply) => DECISIONS[0],
        (None, _) => DECISIONS[1],
        (Some(_), PaperMode::Shadow) => DECISIONS[2],
    };
    let agreement = json!({
        "agrees": account.differences.is_empty(),
        "sessions": kept.sessions.len() - appended,
        "trades": account.backtest.trades.len(),
        "differences": account.differences,
    });
    let paper = json!({
        "version": VERSION,
        "book": config.book,
        "entries": kept.entries,
        "appended": appended,
        "missed": missed,
        "in_sample": in_sample,
        "agreement": agreement,
        "held": held,
        "account": report,
    });
    let day = |session: u32| Timestamp::from_micros(bars.sessions[session as usize]).date();
    let (first, last) = (day(account.window.start), day(account.window.end - 1));
    let percent = |name: &str| report.metric(name).map_or("-".to_owned(), |value| format!("{:.2} %", 100.0 * value));
    let added = match (appended, config.mode) {
        (0, _) => "nothing to add".to_owned(),
        (many, PaperMode::Apply) => format!("{} added", counted(many, "session")),
        (many, PaperMode::Shadow) => format!("{} not added (shadow)", counted(many, "session")),
    };
    let agrees = match account.differences.len() {
        0 => "agrees with the backtest".to_owned(),
        1 => "1 difference from the backtest".to_owned(),
        many => format!("{many} differences from the backtest"),
    };
    let marked = if in_sample > 0 { format!("; IN SAMPLE: {in_sample} decisions") } else { String::new() };
    let summary = format!(
        "book `{}`, {first} to {last}: {added}; equity {:.2}, return {}, deepest fall {}, {}, {} open; {}; {agrees}{marked}",
        config.book,
        report.final_equity,
        percent("total_return"),
        percent("max_drawdown"),
        counted(account.backtest.trades.len(), "trade"),
        account.backtest.open_at_end.len(),
        counted(orders.len(), "order"),
    );
    account.differences.iter().for_each(|difference| (context.log)(&format!("difference: {difference}")));
    let text = text(config, kept, &summary, &held, &orders, &report, missed);
    Ok(NodeOutput {
        outputs: [
            ("paper", json_artifact(ArtifactType::Paper, &paper)?),
            ("orders", orders_artifact(config, context, account, bars, &orders)?),
            ("trades", table_artifact(ArtifactType::Trades, &trades_table(&input))?),
            ("equity", table_artifact(ArtifactType::Equity, &equity_table(&input))?),
            ("candidates", table_artifact(ArtifactType::Candidates, &candidates_table(&input))?),
            ("report", Artifact::file(ArtifactType::Report, text)),
        ]
        .into(),
        values: [
            ("decision", Scalar::text(decision)),
            ("book", Scalar::text(config.book.clone())),
            ("entries", Scalar::count(kept.entries)),
            ("appended", Scalar::count(appended)),
            ("sessions", Scalar::count(kept.sessions.len())),
            ("equity", Scalar::number(Some(report.final_equity))),
            ("total_return", Scalar::number(report.metric("total_return"))),
            ("max_drawdown", Scalar::number(report.metric("max_drawdown"))),
            ("trades", Scalar::count(account.backtest.trades.len())),
            ("open", Scalar::count(account.backtest.open_at_end.len())),
            ("orders", Scalar::count(orders.len())),
            ("agrees", Scalar::Bool(account.differences.is_empty())),
            ("differences", Scalar::count(account.differences.len())),
        ]
        .into(),
        summary,
    })
}

fn counted(count: usize, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

/// Decisions whose probability comes from a model that had seen the session.
fn in_sample(kept: &Kept) -> usize {
    let decisions = kept.sessions.iter().flat_map(|session| &session.decisions);
    decisions.filter(|decision| decision.source == "in_sample").count()
}

fn held(context: &NodeContext, report: &BacktestReport) -> Result<Vec<HeldFigure>, NodeError> {
    let Some(expected) = context.inputs.get("expected") else { return Ok(Vec::new()) };
    let expected: BacktestReport = serde_json::from_value(expected.json()?).map_err(|error| {
        NodeError::failed(format!(
            "`expected` is no report of a `backtest` node: {error}; connect its output `backtest`"
        ))
    })?;
    let one = |name: &&str| HeldFigure {
        name: (*name).to_owned(),
        paper: report.metric(name),
        expected: expected.metric(name),
    };
    Ok(HELD.iter().map(one).collect())
}

/// The orders for the next session: exits and working orders first, then entries, best first.
fn orders(book: &str, account: &Account, bars: &Bars) -> Vec<Order> {
    let mut orders: Vec<&NextOrder> = account.backtest.next_orders.iter().collect();
    // the order of entry of positions is the simulator's own affair
    orders.sort_by_key(|it| (it.kind == OrderKind::Entry, it.rank, it.symbol, it.kind));
    let one = |it: &NextOrder| {
        let symbol = bars.series[it.symbol as usize].symbol.clone();
        let ts = bars.sessions[it.signal_session as usize];
        let opens = it.kind == OrderKind::Entry;
        let buys = opens == (it.side == Side::Long);
        let (order_type, time) = match it.kind {
            OrderKind::Entry | OrderKind::Exit => ("market", "next_open"),
            OrderKind::Stop => ("stop", "while_open"),
            OrderKind::TakeProfit => ("limit", "while_open"),
        };
        let place = (it.symbol, it.signal_session);
        let record = account.backtest.candidates.iter().find(|record| (record.symbol, record.session) == place);
        Order {
            id: order_id(book, it.kind.name(), &symbol, side_name(it.side), ts),
            kind: it.kind.name(),
            action: if buys { "buy" } else { "sell" },
            symbol,
            quantity: it.quantity,
            order_type,
            level: it.level.filter(|_| !opens),
            stop: it.level.filter(|_| opens),
            take_profit: it.take_profit,
            time,
            signal_ts: Timestamp::from_micros(ts),
            rank: it.rank,
            reserve: it.reserve,
            ml_prob: record.and_then(|record| record.probability),
            model_id: account.tags.get(&place).map_or_else(String::new, |tag| tag.id.clone()),
        }
    };
    orders.into_iter().map(one).collect()
}

fn orders_artifact(
    config: &PaperConfig,
    context: &NodeContext,
    account: &Account,
    bars: &Bars,
    orders: &[Order],
) -> Result<Artifact, NodeError> {
    let decided = Timestamp::from_micros(bars.sessions[account.window.end as usize - 1]);
    let whole = json!({
        "version": VERSION,
        "book": config.book,
        "as_of": context.as_of,
        "session": decided,
        "orders": orders,
    });
    let text = |get: &dyn Fn(&Order) -> String| Values::Text(orders.iter().map(get).collect());
    let float =
        |get: fn(&Order) -> Option<f64>| Values::Float(orders.iter().map(|it| get(it).unwrap_or(f64::NAN)).collect());
    let table = Table::new("orders@1")
        .with("id", "", text(&|it| it.id.clone()))
        .with("session", "", Values::Time(vec![decided.micros(); orders.len()]))
        .with("kind", "", text(&|it| it.kind.to_owned()))
        .with("action", "", text(&|it| it.action.to_owned()))
        .with("symbol", "", text(&|it| it.symbol.clone()))
        .with("quantity", "", float(|it| Some(it.quantity)))
        .with("order_type", "", text(&|it| it.order_type.to_owned()))
        .with("level", "", float(|it| it.level))
        .with("stop", "", float(|it| it.stop))
        .with("take_profit", "", float(|it| it.take_profit))
        .with("time", "", text(&|it| it.time.to_owned()))
        .with("signal_ts", "", Values::Time(orders.iter().map(|it| it.signal_ts.micros()).collect()))
        .with("rank", "", float(|it| it.rank.map(f64::from)))
        .with("reserve", "", Values::Bool(orders.iter().map(|it| it.reserve).collect()))
        .with("ml_prob", "", float(|it| it.ml_prob))
        .with("model_id", "", text(&|it| it.model_id.clone()));
    let csv = table.to_csv(|time| time.to_string());
    let files: BTreeMap<String, bytes::Bytes> =
        [("orders.csv".to_owned(), bytes::Bytes::from(csv)), ("orders.json".to_owned(), pretty(&whole)?)].into();
    Ok(Artifact::tree(ArtifactType::Orders, files))
}

/// The account for people, Markdown.
fn text(
    config: &PaperConfig,
    kept: &Kept,
    summary: &str,
    held: &[HeldFigure],
    orders: &[Order],
    report: &BacktestReport,
    missed: usize,
) -> String {
    let mut text = format!("# Paper account `{}`\n\n{summary}\n", config.book);
    let differences = &kept.account.differences;
    text.push_str("\n## Record and backtest\n\n");
    match differences.is_empty() {
        true => {
            let _ = writeln!(
                text,
                "A backtest over the same dates, with the decisions as they were recorded, does what the record has: {} trades, session \
                 by session.",
                kept.account.backtest.trades.len()
            );
        }
        false => differences.iter().for_each(|it| text.push_str(&format!("- {it}\n"))),
    }
    if missed > 0 {
        let _ = writeln!(text, "\n{missed} sessions were missed: nothing was decided in them.");
    }
    if !held.is_empty() {
        text.push_str("\n## Expected\n\nFigures of the backtest that was connected as `expected`.\n\n| figure | paper | expected |\n|---|---:|---:|\n");
        let figure = |name: &str, value: Option<f64>| {
            let unit = report.metrics.iter().find(|metric| metric.name == name);
            unit.map_or_else(String::new, |metric| text_in_unit(metric, value))
        };
        for it in held {
            let _ =
                writeln!(text, "| {} | {} | {} |", it.name, figure(&it.name, it.paper), figure(&it.name, it.expected));
        }
        let drawdown = held.iter().find(|it| it.name == "max_drawdown");
        if let Some((paper, expected)) = drawdown.and_then(|it| Some((it.paper?, it.expected?)))
            && paper < expected
        {
            text.push_str("\nThe account fell deeper than the backtest ever did.\n");
        }
        text.push_str(
            "\nSlippage is assumed, by the costs of the strategy, and not measured: only a broker's fills can tell.\n",
        );
    }
    text.push_str("\n## Orders for the next session\n\n");
    if orders.is_empty() {
        text.push_str("None.\n");
    } else {
        text.push_str("| order | symbol | quantity | type | level | id |\n|---|---|---:|---|---:|---|\n");
        for order in orders {
            let level = order.level.map_or("-".to_owned(), |level| format!("{level:.4}"));
            let reserve = if order.reserve { " (reserve)" } else { "" };
            let _ = writeln!(
                text,
                "| {} {}{reserve} | {} | {} | {} | {level} | `{}` |",
                order.action, order.kind, order.symbol, order.quantity, order.order_type, order.id
            );
        }
    }
    text.push('\n');
    text.push_str(&markdown(report).replacen("# Backtest of", "# Account by", 1));
    text
}
