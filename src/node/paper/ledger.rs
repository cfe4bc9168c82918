//! What the book of a paper account holds, and the account that follows from it.
//!
//! **Version 1** of an entry: the sessions of one run. Of each session: what was decided about every eligible signal, what the
//! account did, and how it stood at the close. Decisions of a session are written with its close, before anybody can know the
//! next open; their fills are in the session after it. Nothing is ever changed.
//!
//! The account is the simulator's, from the first session of the book on the bars of today, with the decisions as they were
//! recorded. So what it did in earlier runs is computed again every time, and held against the record.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::artifact::{Book, BookEntry};
use crate::backtest::report::ModelTag;
use crate::backtest::{Backtest, MlDecision, MlDecisions, MlLimits, PortfolioRules, RulesFrom, replay};
use crate::base::{CancelToken, Digest, Timestamp};
use crate::market::Bars;
use crate::node::NodeError;
use crate::node::score::side_name;
use crate::strategy::{AtEnd, FillAt, IndicatorCache, Side, Signals, Strategy, SymbolSignals, signals};

/// Version of an entry.
pub(super) const VERSION: u32 = 1;

/// The sessions that one run appends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::node) struct PaperEntry {
    pub version: u32,
    /// SHA-256 of the strategy in force.
    pub strategy: Digest,
    /// Its text.
    pub strategy_text: String,
    pub limits: MlLimits,
    /// How probability and score make one ranking, for people.
    pub prediction: Value,
    /// The models that were asked.
    pub models: Value,
    pub sessions: Vec<PaperSession>,
}

/// One session of the book.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::node) struct PaperSession {
    pub ts: Timestamp,
    /// Whether nothing was decided, because no run scored it.
    pub missed: bool,
    pub decisions: Vec<PaperDecision>,
    /// What the account did.
    pub events: Vec<PaperEvent>,
    /// Equity and cash at the close.
    pub equity: f64,
    pub cash: f64,
    pub positions: u32,
}

/// What was decided about a signal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::node) struct PaperDecision {
    pub symbol: String,
    pub side: Side,
    /// Technical score.
    pub score: f64,
    pub decision: MlDecision,
    pub model_id: String,
    pub model_digest: String,
    pub source: String,
}

/// A fill.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::node) struct PaperEvent {
    /// `entry`, or why the position was left.
    pub what: String,
    pub symbol: String,
    pub side: Side,
    /// Session of the signal.
    pub signal: Timestamp,
    pub quantity: f64,
    /// Net fill.
    pub price: f64,
    /// Net profit of an exit.
    pub net_pnl: Option<f64>,
}

/// The account of a book on the bars of today.
pub(super) struct Account {
    pub backtest: Backtest,
    /// The rules in force at the end.
    pub rules: PortfolioRules,
    pub strategy: Strategy,
    pub window: std::ops::Range<u32>,
    pub tags: BTreeMap<(u32, u32), ModelTag>,
    /// Where the bars of today tell another story than the record, in words.
    pub differences: Vec<String>,
}

/// Entries written for a data window that ends at `as_of` or before, and the first later one.
pub(super) fn split_at(book: &Book<PaperEntry>, as_of: Timestamp) -> (&[BookEntry<PaperEntry>], Option<Timestamp>) {
    let later = book.entries.iter().position(|entry| entry.as_of > as_of);
    let at = later.unwrap_or(book.entries.len());
    (&book.entries[..at], later.map(|at| book.entries[at].as_of))
}

/// What a strategy says on the bars, for as long as it and the limits are in force.
struct InForce {
    from: u32,
    to: u32,
    strategy: Strategy,
    limits: MlLimits,
    signals: Signals,
}

/// Computes the account of these entries, the last of which may not be recorded yet.
pub(super) fn account(entries: &[&PaperEntry], bars: &Bars, cancel: &CancelToken) -> Result<Account, NodeError> {
    let place = |ts: Timestamp| {
        bars.sessions.binary_search(&ts.micros()).map(|at| at as u32).map_err(|_| {
            NodeError::failed(format!(
                "the book has the session {ts}, and the bars have no such session: they are other bars, or were cut; give the bars \
                 that the book began with"
            ))
        })
    };
    let sessions: Vec<&PaperSession> = entries.iter().flat_map(|entry| &entry.sessions).collect();
    let (Some(first), Some(last)) = (sessions.first(), sessions.last()) else {
        return Err(NodeError::failed("the book has no session"));
    };
    let window = place(first.ts)?..place(last.ts)? + 1;
    let in_force = in_force(entries, bars, &window, &place)?;
    let mut differences = Vec::new();
    let mut stitched = stitch(&in_force, bars);
    let (decisions, tags) = recorded(&sessions, &mut stitched, bars, &window, &place, &mut differences)?;
    let schedule: Vec<RulesFrom> = in_force
        .iter()
        .map(|it| RulesFrom { session: it.from, rules: rules(&it.strategy), limits: Some(it.limits.clone()) })
        .collect();
    let decisions = MlDecisions { by_place: decisions, warnings: Vec::new() };
    let backtest = replay(bars, &stitched, &schedule, window.clone(), Some(&decisions), cancel)?;
    let Some(last) = in_force.into_iter().next_back() else {
        return Err(NodeError::failed("the book has no strategy"));
    };
    Ok(Account { backtest, rules: rules(&last.strategy), strategy: last.strategy, window, tags, differences })
}

/// The rules of a strategy in an account that has no last session.
fn rules(strategy: &Strategy) -> PortfolioRules {
    PortfolioRules { at_end: AtEnd::Mark, ..PortfolioRules::from(strategy) }
}

/// Reads a strategy that a paper account can follow.
pub(super) fn followed(text: &str) -> Result<Strategy, NodeError> {
    let strategy = Strategy::from_yaml(text).map_err(NodeError::failed)?;
    match strategy.execution().fill {
        FillAt::NextOpen => Ok(strategy),
        FillAt::Close => Err(NodeError::failed(
            "the strategy fills at the close that gives its signals, which nobody can order in time: write `fill: next_open` in its \
             `execution`",
        )),
    }
}

fn in_force(
    entries: &[&PaperEntry],
    bars: &Bars,
    window: &std::ops::Range<u32>,
    place: &dyn Fn(Timestamp) -> Result<u32, NodeError>,
) -> Result<Vec<InForce>, NodeError> {
    let mut found: Vec<(u32, &PaperEntry)> = Vec::new();
    for entry in entries {
        let Some(first) = entry.sessions.first() else { continue };
        if found.last().is_none_or(|(_, last)| (last.strategy, &last.limits) != (entry.strategy, &entry.limits)) {
            found.push((place(first.ts)?, entry));
        }
    }
    let ends: Vec<u32> = found.iter().skip(1).map(|(from, _)| *from).chain([window.end]).collect();
    let one = |((from, entry), to): ((u32, &PaperEntry), u32)| {
        let strategy = followed(&entry.strategy_text)?;
        let signals = signals(&strategy, bars, &IndicatorCache::new()).map_err(NodeError::failed)?;
        Ok(InForce { from, to, strategy, limits: entry.limits.clone(), signals })
    };
    found.into_iter().zip(ends).map(one).collect()
}

/// The signals of each strategy in the sessions in which it was in force: its entries, and its exits for whatever is open then.
fn stitch(in_force: &[InForce], bars: &Bars) -> Signals {
    let of_symbol = |symbol: usize| {
        let series = &bars.series[symbol];
        let mut own = SymbolSignals {
            exit_long: vec![false; series.len()],
            exit_short: vec![false; series.len()],
            atr: vec![f64::NAN; series.len()],
            ..SymbolSignals::default()
        };
        for segment in in_force {
            let from = &segment.signals.symbols[symbol];
            let in_segment = |session: u32| (segment.from..segment.to).contains(&session);
            own.candidates.extend(from.candidates.iter().filter(|it| in_segment(it.session)).copied());
            for (row, _) in series.session.iter().enumerate().filter(|(_, session)| in_segment(**session)) {
                own.exit_long[row] = from.exits(Side::Long, row);
                own.exit_short[row] = from.exits(Side::Short, row);
                own.atr[row] = from.atr.get(row).copied().unwrap_or(f64::NAN);
            }
        }
        own
    };
    Signals { symbols: (0..bars.series.len()).map(of_symbol).collect() }
}

type Decided = (BTreeMap<(u32, u32), MlDecision>, BTreeMap<(u32, u32), ModelTag>);

/// The decisions as they were recorded. A signal that was not there then is not traded now.
fn recorded(
    sessions: &[&PaperSession],
    stitched: &mut Signals,
    bars: &Bars,
    window: &std::ops::Range<u32>,
    place: &dyn Fn(Timestamp) -> Result<u32, NodeError>,
    differences: &mut Vec<String>,
) -> Result<Decided, NodeError> {
    let symbols: BTreeMap<&str, u32> = (0..).zip(&bars.series).map(|(at, it)| (it.symbol.as_str(), at)).collect();
    let (mut by_place, mut tags) = (BTreeMap::new(), BTreeMap::new());
    let (mut known, mut missed) = (BTreeSet::new(), BTreeSet::new());
    let mut expected: BTreeMap<(u32, u32), (&PaperDecision, Timestamp)> = BTreeMap::new();
    for session in sessions {
        let at = place(session.ts)?;
        known.insert(at);
        if session.missed {
            missed.insert(at);
        }
        for decision in &session.decisions {
            let Some(&symbol) = symbols.get(decision.symbol.as_str()) else {
                differences.push(format!("{}: the bars have no symbol `{}`", session.ts.date(), decision.symbol));
                continue;
            };
            expected.insert((symbol, at), (decision, session.ts));
            let (id, digest, source) =
                (decision.model_id.clone(), decision.model_digest.clone(), decision.source.clone());
            tags.insert((symbol, at), ModelTag { id, digest, source });
        }
    }
    for at in window.clone().filter(|at| !known.contains(at)) {
        let day = Timestamp::from_micros(bars.sessions[at as usize]);
        differences.push(format!("{}: the bars have a session that the book does not know", day.date()));
    }
    for (symbol, own) in (0_u32..).zip(&mut stitched.symbols) {
        own.candidates.retain(|it| {
            if !it.eligible {
                return true;
            }
            if missed.contains(&it.session) || !known.contains(&it.session) {
                return false;
            }
            let name = &bars.series[symbol as usize].symbol;
            let day = || Timestamp::from_micros(bars.sessions[it.session as usize]).date();
            match expected.remove(&(symbol, it.session)) {
                Some((recorded, _)) if recorded.side == it.side => {
                    if recorded.score.to_bits() != it.score.to_bits() {
                        differences.push(format!(
                            "{}: the score of {name} was {}, and is {} on the bars of today",
                            day(),
                            recorded.score,
                            it.score
                        ));
                    }
                    by_place.insert((symbol, it.session), recorded.decision);
                    true
                }
                _ => {
                    let side = side_name(it.side);
                    differences.push(format!("{}: {name} has a {side} signal that was not there then", day()));
                    false
                }
            }
        });
    }
    for (decision, ts) in expected.into_values() {
        let side = side_name(decision.side);
        differences.push(format!("{}: {} had a {side} signal, and has none now", ts.date(), decision.symbol));
    }
    Ok((by_place, tags))
}

impl Account {
    /// What the account did in each session of the window, as an entry has it.
    pub(super) fn sessions(&self, bars: &Bars) -> BTreeMap<i64, (Vec<PaperEvent>, f64, f64, u32)> {
        let ts = |session: u32| Timestamp::from_micros(bars.sessions[session as usize]);
        let name = |symbol: u32| bars.series[symbol as usize].symbol.clone();
        let mut found: BTreeMap<i64, (Vec<PaperEvent>, f64, f64, u32)> = self
            .backtest
            .equity
            .iter()
            .map(|it| (ts(it.session).micros(), (Vec::new(), it.equity, it.cash, it.positions)))
            .collect();
        let mut put = |session: u32, event: PaperEvent| {
            if let Some((events, ..)) = found.get_mut(&ts(session).micros()) {
                events.push(event);
            }
        };
        let entry = |symbol, side, signal, quantity, price| PaperEvent {
            what: "entry".to_owned(),
            symbol: name(symbol),
            side,
            signal: ts(signal),
            quantity,
            price,
            net_pnl: None,
        };
        for trade in &self.backtest.trades {
            let (symbol, side, quantity) = (trade.symbol, trade.side, trade.quantity);
            put(trade.entry_session, entry(symbol, side, trade.signal_session, quantity, trade.entry_price));
            put(
                trade.exit_session,
                PaperEvent {
                    what: trade.exit_reason.name().to_owned(),
                    price: trade.exit_price,
                    net_pnl: Some(trade.net_pnl),
                    ..entry(symbol, side, trade.signal_session, quantity, trade.exit_price)
                },
            );
        }
        for open in &self.backtest.open_at_end {
            let event = entry(open.symbol, open.side, open.signal_session, open.quantity, open.entry_price);
            put(open.entry_session, event);
        }
        for (events, ..) in found.values_mut() {
            // entries first: a position may be opened and stopped in one session
            events.sort_by(|a, b| {
                let rank = |it: &PaperEvent| (it.what != "entry", it.symbol.clone(), it.signal.micros());
                rank(a).cmp(&rank(b)).then_with(|| a.what.cmp(&b.what))
            });
        }
        found
    }

    /// Holds what was recorded of earlier sessions against what the account does on the bars of today.
    pub(super) fn against(&mut self, recorded: &[&PaperEntry], bars: &Bars) {
        let now = self.sessions(bars);
        for session in recorded.iter().flat_map(|entry| &entry.sessions) {
            let Some((events, equity, cash, positions)) = now.get(&session.ts.micros()) else { continue };
            let day = session.ts.date();
            for event in session.events.iter().filter(|it| !events.contains(it)) {
                self.differences.push(format!("{day}: the record has {}, and today it is not so", event_words(event)));
            }
            for event in events.iter().filter(|it| !session.events.contains(it)) {
                self.differences
                    .push(format!("{day}: today there is {}, which the record has not", event_words(event)));
            }
            let same = equity.to_bits() == session.equity.to_bits()
                && cash.to_bits() == session.cash.to_bits()
                && *positions == session.positions;
            if !same && session.events == *events {
                self.differences.push(format!("{day}: equity was {}, and is {equity} today", session.equity));
            }
        }
    }
}

fn event_words(event: &PaperEvent) -> String {
    let what = if event.what == "entry" { "an entry".to_owned() } else { format!("an exit ({})", event.what) };
    format!("{what} of {} {} {} at {}", event.quantity, event.symbol, side_name(event.side), event.price)
}
