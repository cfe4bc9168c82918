//! What should keep a reader from believing a result.

use serde::{Deserialize, Serialize};

use super::build::{BacktestReport, ReportInput};
use crate::base::MICROS_PER_DAY;
use crate::strategy::FillAt;

/// A finding that makes a result doubtful.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// Stable code, as `few_trades`.
    pub code: String,
    /// What was found, and what to do about it.
    pub message: String,
}

/// Closed trades below which averages say little.
const FEW_TRADES: usize = 30;
/// Annual Sharpe ratio above which a mistake is likelier than a discovery.
const LARGE_SHARPE: f64 = 3.0;
/// Share of the profit that one trade or symbol may make.
const HALF: f64 = 0.5;

type Finding = fn(&ReportInput<'_>, &BacktestReport) -> Option<String>;

/// Every doubt: its code, what it means in general, and the look at a result.
pub const DOUBTS: &[(&str, &str, Finding)] = &[
    ("no_trades", "Nothing was traded.", no_trades),
    ("few_trades", "Fewer than 30 closed trades: every average is mostly chance.", few_trades),
    ("short_span", "Less than a year of data: annual figures are extrapolated.", short_span),
    (
        "suspicious_metric",
        "A figure that live trading hardly ever shows; look for a glance at the future first.",
        suspicious,
    ),
    (
        "model_in_sample",
        "Signals were scored by a model that had learnt from them.",
        // known to whoever asked the model, see `BacktestReport::add_model`
        |_, _| None,
    ),
    ("not_significant", "The probability that the true Sharpe ratio is above 0 is below 95 %.", not_significant),
    ("in_sample", "Part of the window was used to choose the strategy.", in_sample),
    ("selection_unknown", "Nobody said which data the parameters were chosen on.", selection_unknown),
    ("survivorship", "Every symbol lives to the end of the data: losers may be missing.", survivorship),
    ("slots_never_bind", "The limit on positions never mattered: ranking had no effect.", slots_never_bind),
    ("one_trade", "One trade made more than half of the profit.", one_trade),
    ("one_symbol", "One symbol made more than half of the profit.", one_symbol),
    ("benchmark_wins", "The benchmark earned more with a smaller deepest fall.", benchmark_wins),
    ("close_fill", "Fills at the close of the signal flatter every strategy.", close_fill),
    ("capacity_unknown", "Orders were refused because no volume was known.", capacity_unknown),
];

/// Everything that makes a result doubtful, in the order of the table; what is wrong with the strategy itself comes last.
pub(super) fn doubts(input: &ReportInput<'_>, report: &BacktestReport) -> Vec<Doubt> {
    let found = DOUBTS
        .iter()
        .filter_map(|(code, _, look)| look(input, report).map(|message| Doubt { code: (*code).to_owned(), message }));
    let of_strategy =
        input.strategy_lints.iter().map(|lint| Doubt { code: lint.code.clone(), message: lint.message.clone() });
    found.chain(of_strategy).collect()
}

fn no_trades(_: &ReportInput<'_>, report: &BacktestReport) -> Option<String> {
    let funnel = &report.funnel;
    let most = funnel.rejected.iter().max_by_key(|(_, count)| **count);
    let why =
        most.map_or("there was no signal".to_owned(), |(reason, count)| format!("{count} signals ended as `{reason}`"));
    (funnel.filled == 0).then(|| format!("nothing was traded: {why}"))
}

fn few_trades(input: &ReportInput<'_>, report: &BacktestReport) -> Option<String> {
    let trades = input.backtest.trades.len();
    (report.funnel.filled > 0 && trades < FEW_TRADES).then(|| {
        format!("{trades} closed trades, expected at least {FEW_TRADES}: averages of trades are mostly chance")
    })
}

fn short_span(_: &ReportInput<'_>, report: &BacktestReport) -> Option<String> {
    let days = (report.to.micros() - report.from.micros()) / MICROS_PER_DAY;
    (days < 365).then(|| format!("{days} days, expected a year at least: annual figures are extrapolated"))
}

fn suspicious(input: &ReportInput<'_>, report: &BacktestReport) -> Option<String> {
    let enough = input.backtest.trades.len() >= 20;
    let limits = [
        ("sharpe", LARGE_SHARPE, report.sessions >= 60),
        ("profit_factor_money", 5.0, enough),
        ("win_rate", 0.9, enough),
        ("calmar", 10.0, report.sessions >= 250),
    ];
    let large: Vec<String> = limits
        .into_iter()
        .filter_map(|(name, limit, counts)| {
            let value = report.metric(name).filter(|value| counts && *value > limit)?;
            Some(format!("{name} {value:.2} is above {limit}"))
        })
        .collect();
    (!large.is_empty()).then(|| format!("{}: look for a glance at the future before believing it", large.join(", ")))
}

fn not_significant(_: &ReportInput<'_>, report: &BacktestReport) -> Option<String> {
    let psr = report.metric("psr").filter(|psr| *psr < 0.95)?;
    let needed = report.metric("min_track_record");
    let advice = needed.map_or("no length of record would show skill".to_owned(), |sessions| {
        format!("it takes {sessions:.0} sessions like these to show it, there are {}", report.sessions)
    });
    Some(format!("the true Sharpe ratio is above 0 with a probability of {:.0} % only: {advice}", 100.0 * psr))
}

fn in_sample(input: &ReportInput<'_>, report: &BacktestReport) -> Option<String> {
    let until = input.tuned_until.filter(|until| *until > report.from)?;
    let seen = input.sessions().filter(|&session| input.bars.sessions[session as usize] < until.micros()).count();
    Some(format!("{seen} of {} sessions lie before {until}, until when the strategy was chosen", report.sessions))
}

fn selection_unknown(input: &ReportInput<'_>, _: &BacktestReport) -> Option<String> {
    input.tuned_until.is_none().then(|| {
        "nothing is known of the data that the parameters were chosen on; say it with `tuned_until`, and how many were \
         tried with `tried`"
            .to_owned()
    })
}

fn survivorship(input: &ReportInput<'_>, report: &BacktestReport) -> Option<String> {
    let last = input.bars.sessions.len().saturating_sub(1) as u32;
    let all_live = input.bars.series.iter().all(|series| series.session.last().is_some_and(|own| own + 5 >= last));
    let is_long = report.to.micros() - report.from.micros() > 365 * MICROS_PER_DAY;
    (all_live && is_long && input.bars.series.len() > 1).then(|| {
        format!(
            "all {} symbols trade to the end of the data: those that were delisted are missing",
            report.symbols.len()
        )
    })
}

fn slots_never_bind(input: &ReportInput<'_>, report: &BacktestReport) -> Option<String> {
    let most = input.backtest.equity.iter().map(|point| point.positions).max().unwrap_or(0);
    let allowed = input.rules.risk.max_positions;
    let is_free = report.funnel.filled > 0 && !report.funnel.rejected.contains_key("slots_full") && most < allowed;
    (is_free && input.bars.series.len() > 1)
        .then(|| format!("at most {most} of {allowed} slots were used: the ranking had no effect"))
}

/// Total profit, where there is one and it is of several parts.
fn profit(input: &ReportInput<'_>) -> Option<f64> {
    let total: f64 = input.backtest.trades.iter().map(|trade| trade.net_pnl).sum();
    (total > 0.0 && input.backtest.trades.len() > 2).then_some(total)
}

fn one_trade(input: &ReportInput<'_>, _: &BacktestReport) -> Option<String> {
    let total = profit(input)?;
    let best = input.backtest.trades.iter().max_by(|a, b| a.net_pnl.total_cmp(&b.net_pnl))?;
    let symbol = &input.bars.series[best.symbol as usize].symbol;
    let share = 100.0 * best.net_pnl / total;
    (best.net_pnl > HALF * total).then(|| format!("one trade of {symbol} made {share:.0} % of the profit"))
}

fn one_symbol(input: &ReportInput<'_>, report: &BacktestReport) -> Option<String> {
    let total = profit(input).filter(|_| report.by_symbol.len() > 2)?;
    let best = report.by_symbol.iter().max_by(|a, b| a.net_pnl.total_cmp(&b.net_pnl))?;
    let share = 100.0 * best.net_pnl / total;
    (best.net_pnl > HALF * total).then(|| format!("{} made {share:.0} % of the profit", best.symbol))
}

fn benchmark_wins(_: &ReportInput<'_>, report: &BacktestReport) -> Option<String> {
    let (own, other) = (report.metric("total_return")?, report.metric("benchmark_return")?);
    let (fall, other_fall) = (report.metric("max_drawdown")?, report.metric("benchmark_drawdown")?);
    (other > own && other_fall > fall).then(|| format!("{} earned more and fell less deep", report.benchmark.title()))
}

fn close_fill(input: &ReportInput<'_>, _: &BacktestReport) -> Option<String> {
    (input.rules.fill == FillAt::Close).then(|| {
        "orders fill at the close that gave the signal; compare with `next_open` before believing it".to_owned()
    })
}

fn capacity_unknown(input: &ReportInput<'_>, report: &BacktestReport) -> Option<String> {
    let refused = report.funnel.rejected.get("size_zero")?;
    let has_volume = input.bars.series.iter().any(|series| series.volume.iter().any(|volume| *volume > 0.0));
    (input.rules.risk.max_order_pct_adv.is_some() && !has_volume).then(|| {
        format!(
            "{refused} orders were refused: the data has no volume; set `risk.max_order_pct_adv: null` to do without"
        )
    })
}
