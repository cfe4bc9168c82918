//! Trades, equity and candidates as tables.

use std::collections::BTreeMap;

use super::benchmark::benchmark_returns;
use super::build::ReportInput;
use crate::backtest::{CandidateRecord, CandidateState, Rejection, Trade};
use crate::strategy::Side;
use crate::table::{Table, Values};

fn side_name(side: Side) -> String {
    match side {
        Side::Long => "long".to_owned(),
        Side::Short => "short".to_owned(),
    }
}

/// Columns that say what a model did with signals: `ml_prob` to `ml_source`.
fn with_model_columns(table: Table, input: &ReportInput<'_>, records: &[Option<&CandidateRecord>]) -> Table {
    let text = |get: &dyn Fn(&CandidateRecord) -> String| {
        Values::Text(records.iter().map(|record| record.map_or_else(String::new, get)).collect())
    };
    let float = |get: fn(&CandidateRecord) -> Option<f64>| {
        Values::Float(records.iter().map(|record| record.and_then(get).unwrap_or(f64::NAN)).collect())
    };
    let tag = |record: &CandidateRecord| input.models.and_then(|models| models.get(&(record.symbol, record.session)));
    let decision = |record: &CandidateRecord| match (record.reason, record.state) {
        (None, _) => String::new(),
        (Some(_), CandidateState::Rejected(Rejection::MlRejected)) => "drop".to_owned(),
        (Some(_), _) => "keep".to_owned(),
    };
    table
        .with("ml_prob", "calibrated probability of a win", float(|it| it.probability))
        .with(
            "ml_score",
            "what it was ranked by, where a model was asked",
            float(|it| it.reason.map(|_| it.rank_score)),
        )
        .with(
            "model_id",
            "the model that stands for the probability",
            text(&|it| tag(it).map_or_else(String::new, |tag| tag.id.clone())),
        )
        .with(
            "model_digest",
            "SHA-256 of that model",
            text(&|it| tag(it).map_or_else(String::new, |tag| tag.digest.clone())),
        )
        .with(
            "ml_source",
            "where the probability comes from",
            text(&|it| tag(it).map_or_else(String::new, |tag| tag.source.clone())),
        )
        .with("ml_decision", "keep or drop", text(&decision))
        .with("ml_reason", "why", text(&|it| it.reason.map_or_else(String::new, |reason| reason.name().to_owned())))
}

/// The `trades@3` table: one row a closed trade, in the order of the exits.
pub fn trades_table(input: &ReportInput<'_>) -> Table {
    let by_candidate: BTreeMap<(u32, u32), &CandidateRecord> =
        input.backtest.candidates.iter().map(|it| ((it.symbol, it.candidate), it)).collect();
    let trades = &input.backtest.trades;
    let ts = |session: u32| input.bars.sessions[session as usize];
    let float = |get: &dyn Fn(&Trade) -> f64| Values::Float(trades.iter().map(get).collect());
    let maybe =
        |get: fn(&Trade) -> Option<f64>| Values::Float(trades.iter().map(|it| get(it).unwrap_or(f64::NAN)).collect());
    let time = |get: fn(&Trade) -> u32| Values::Time(trades.iter().map(|it| ts(get(it))).collect());
    let text = |get: &dyn Fn(&Trade) -> String| Values::Text(trades.iter().map(get).collect());
    let table = Table::new("trades@3")
        .with("symbol", "ticker", text(&|it| input.bars.series[it.symbol as usize].symbol.clone()))
        .with("side", "long or short", text(&|it| side_name(it.side)))
        .with("signal_ts", "session of the signal, UTC", time(|it| it.signal_session))
        .with("entry_ts", "session of the entry, UTC", time(|it| it.entry_session))
        .with("exit_ts", "session of the exit, UTC", time(|it| it.exit_session))
        .with("holding_sessions", "sessions from entry to exit", float(&|it| f64::from(it.holding_sessions)))
        .with("quantity", "units", float(&|it| it.quantity))
        .with("entry_price", "net fill", float(&|it| it.entry_price))
        .with("exit_price", "net fill", float(&|it| it.exit_price))
        .with("stop", "initial stop", maybe(|it| it.stop))
        .with("last_stop", "where the stop stood at the exit", maybe(|it| it.last_stop))
        .with("commission", "both sides, currency", float(&|it| it.commission))
        .with("slippage", "both sides, currency", float(&|it| it.slippage))
        .with("gross_pnl", "before costs, currency", float(&|it| it.gross_pnl))
        .with("net_pnl", "after costs, currency", float(&|it| it.net_pnl))
        .with("net_return", "net profit over the value of the entry", float(&Trade::net_return))
        .with("r", "net profit over the risk taken", maybe(|it| it.r))
        .with("gross_r", "profit before costs over the risk taken", maybe(|it| it.gross_r))
        .with("planned_r", "net profit over the risk planned", maybe(|it| it.planned_r))
        .with("mae_r", "furthest against the entry, in R", maybe(|it| it.mae_r))
        .with("mfe_r", "furthest with the entry, in R", maybe(|it| it.mfe_r))
        .with("worst_price", "worst price while held", float(&|it| it.worst_price))
        .with("best_price", "best price while held", float(&|it| it.best_price))
        .with("probability", "of the model, if any", maybe(|it| it.probability))
        .with(
            "caps",
            "limits that cut the quantity",
            text(&|it| it.caps.iter().map(|cap| cap.name()).collect::<Vec<_>>().join(" ")),
        )
        .with("exit_reason", "what ended the trade", text(&|it| it.exit_reason.name().to_owned()));
    let records: Vec<_> = trades.iter().map(|it| by_candidate.get(&(it.symbol, it.candidate)).copied()).collect();
    with_model_columns(table, input, &records)
}

/// The `equity@1` table: one row a session of the window.
pub fn equity_table(input: &ReportInput<'_>) -> Table {
    let points = &input.backtest.equity;
    let benchmark = benchmark_returns(input.bars, input.sessions(), input.benchmark);
    let mut peak = input.backtest.initial_equity;
    let drawdown = points.iter().map(|point| {
        peak = peak.max(point.equity);
        point.equity / peak - 1.0
    });
    let drawdown = Values::Float(drawdown.collect());
    let float = |get: fn(&crate::backtest::EquityPoint) -> f64| Values::Float(points.iter().map(get).collect());
    let table = Table::new("equity@1")
        .with(
            "ts",
            "session, UTC",
            Values::Time(points.iter().map(|it| input.bars.sessions[it.session as usize]).collect()),
        )
        .with("equity", "cash and positions at their last close, currency", float(|it| it.equity))
        .with("return", "of the session", Values::Float(input.backtest.returns()))
        .with("drawdown", "below the peak, as a share of it", drawdown)
        .with("cash", "currency; sales of shorts are in it", float(|it| it.cash))
        .with("exposure", "gross notional over equity", float(|it| it.exposure))
        .with("net_exposure", "long less short notional over equity", float(|it| it.net_exposure))
        .with("positions", "open at the close", Values::Int(points.iter().map(|it| i64::from(it.positions)).collect()));
    if benchmark.is_empty() {
        table
    } else {
        table.with("benchmark_return", "of the session", Values::Float(benchmark))
    }
}

/// The `candidates@2` table: one row a trigger, and the one state it ended in.
pub fn candidates_table(input: &ReportInput<'_>) -> Table {
    let records = &input.backtest.candidates;
    let text =
        |get: &dyn Fn(&crate::backtest::CandidateRecord) -> String| Values::Text(records.iter().map(get).collect());
    let float = |get: fn(&crate::backtest::CandidateRecord) -> f64| Values::Float(records.iter().map(get).collect());
    let state = |state: &CandidateState| match state {
        CandidateState::Filled => "filled".to_owned(),
        CandidateState::Rejected(why) => why.name().to_owned(),
    };
    let rank = |state: &CandidateState| match state {
        CandidateState::Rejected(crate::backtest::Rejection::SlotsFull { rank }) => f64::from(*rank),
        _ => f64::NAN,
    };
    let table = Table::new("candidates@2")
        .with("symbol", "ticker", text(&|it| input.bars.series[it.symbol as usize].symbol.clone()))
        .with(
            "ts",
            "signal time, UTC",
            Values::Time(records.iter().map(|it| input.bars.sessions[it.session as usize]).collect()),
        )
        .with("score", "technical score, 0 to 1", float(|it| it.score))
        .with("probability", "of the model, if any", float(|it| it.probability.unwrap_or(f64::NAN)))
        .with("rank_score", "what it was ranked by", float(|it| it.rank_score))
        .with("state", "filled, or why not", text(&|it| state(&it.state)))
        .with(
            "rank",
            "place among the orders of its session, where slots were full",
            Values::Float(records.iter().map(|it| rank(&it.state)).collect()),
        );
    with_model_columns(table, input, &records.iter().map(Some).collect::<Vec<_>>())
}
