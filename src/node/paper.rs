//! `paper`: an append-only account of what scored signals would have done.
//!
//! The book in the store is the only thing that it changes, and it changes it once for each session: a run that is killed or
//! repeated finds what is there and has nothing to add, and of two runs at once one writes. What an earlier run decided is never
//! decided again; what the account did is computed again by the simulator on the bars of today, and held against the record.

mod ledger;
mod output;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::ledger::{Account, PaperDecision, PaperEntry, PaperSession, VERSION, account, followed, split_at};
use super::bars::Universe;
use super::score::SCORES;
use super::{
    Behaviour, ConfigError, Descriptor, InputPort, Kind, NodeContext, NodeError, NodeOutput, OutputPort, ValuePort,
    ValueType,
};
use crate::artifact::{ArtifactType, Book, BookEntry, Commit, Scalar};
use crate::backtest::report::BenchmarkKind;
use crate::backtest::{MlDecision, MlLimits, MlReason};
use crate::base::Timestamp;
use crate::market::Bars;
use crate::registry::{NAME_PATTERN, RegistryClient, is_valid_name};
use crate::strategy::Side;
use crate::table::{Table, TableError};

/// Keeps the paper account.
pub struct Paper;

/// Whether the book is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PaperMode {
    /// New sessions are appended.
    #[default]
    Apply,
    /// The account is computed as if they were, and the book stays as it is.
    Shadow,
}

/// What happens when sessions were never scored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnGap {
    /// The node fails.
    #[default]
    Error,
    /// They are recorded as missed: nothing was decided, and nothing is entered.
    Miss,
}

/// What happens when the bars of today tell another story than the record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDifference {
    /// The node fails and appends nothing.
    #[default]
    Error,
    /// The differences are reported, and the account goes on from the bars of today.
    Report,
}

/// Settings of `paper`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PaperConfig {
    /// Name of the book.
    #[schemars(extend("pattern" = NAME_PATTERN, "examples" = ["daily"]))]
    book: String,
    /// Bars to work on: those of the `score` node.
    #[serde(default)]
    universe: Universe,
    /// Whether the book is written.
    #[serde(default)]
    mode: PaperMode,
    /// What happens when sessions after the last one of the book were never scored.
    #[serde(default)]
    on_gap: OnGap,
    /// What happens when the bars of today tell another story than the record.
    #[serde(default)]
    on_difference: OnDifference,
    /// What the account is held against.
    #[serde(default)]
    benchmark: BenchmarkKind,
}

impl Kind for Paper {
    type Config = PaperConfig;

    const DESCRIPTOR: Descriptor = Descriptor {
        name: "paper",
        version: 1,
        doc: "Keeps an append-only account of what scored signals would have done, and writes the orders for the next session.",
        inputs: &[
            InputPort { many: false, name: "bars", types: &[ArtifactType::Bars], required: true, doc: "bars" },
            InputPort {
                many: false,
                name: "strategy",
                types: &[ArtifactType::Strategy],
                required: true,
                doc: "the strategy that the signals were scored of",
            },
            InputPort {
                many: false,
                name: "scores",
                types: &[ArtifactType::Scores],
                required: true,
                doc: "what `score` decided about the newest signals",
            },
            InputPort {
                many: false,
                name: "expected",
                types: &[ArtifactType::Backtest],
                required: false,
                doc: "the report of a `backtest` node: the figures that the account is expected to show",
            },
        ],
        outputs: &[
            OutputPort { name: "paper", kind: ArtifactType::Paper, doc: "the account, JSON" },
            OutputPort {
                name: "orders",
                kind: ArtifactType::Orders,
                doc: "orders.csv and orders.json for the next session",
            },
            OutputPort { name: "trades", kind: ArtifactType::Trades, doc: "one row a closed trade" },
            OutputPort { name: "equity", kind: ArtifactType::Equity, doc: "one row a session" },
            OutputPort {
                name: "candidates",
                kind: ArtifactType::Candidates,
                doc: "one row a signal, and its one state",
            },
            OutputPort { name: "report", kind: ArtifactType::Report, doc: "the account for people" },
        ],
        values: &[
            ValuePort { name: "decision", kind: ValueType::Word(DECISIONS), doc: "whether the book was written" },
            ValuePort { name: "book", kind: ValueType::Text, doc: "name of the book" },
            ValuePort {
                name: "entries",
                kind: ValueType::Number,
                doc: "entries of the book that the account is made of",
            },
            ValuePort { name: "appended", kind: ValueType::Number, doc: "sessions that this run added" },
            ValuePort { name: "sessions", kind: ValueType::Number, doc: "sessions of the account" },
            ValuePort { name: "equity", kind: ValueType::Number, doc: "equity at the last close" },
            ValuePort { name: "total_return", kind: ValueType::Number, doc: "return since the book began, a share" },
            ValuePort { name: "max_drawdown", kind: ValueType::Number, doc: "deepest fall, a share of at most 0" },
            ValuePort { name: "trades", kind: ValueType::Number, doc: "closed trades" },
            ValuePort { name: "open", kind: ValueType::Number, doc: "open positions" },
            ValuePort { name: "orders", kind: ValueType::Number, doc: "orders for the next session" },
            ValuePort {
                name: "agrees",
                kind: ValueType::Bool,
                doc: "whether a backtest over the same dates, on the bars of today, does what the record has",
            },
            ValuePort { name: "differences", kind: ValueType::Number, doc: "where it does not" },
        ],
        behaviour: Behaviour { uses_as_of: true, has_effect: true, ..Behaviour::PURE },
    };

    fn check(config: &PaperConfig) -> Result<(), ConfigError> {
        config.universe.check()?;
        match is_valid_name(&config.book) {
            true => Ok(()),
            false => Err(ConfigError::at(
                "book",
                format!(
                    "`{}` cannot name a book: use letters, digits, `.`, `_` and `-`, starting with a letter or a digit",
                    config.book
                ),
            )),
        }
    }

    fn run(config: &PaperConfig, context: &NodeContext) -> Result<NodeOutput, NodeError> {
        const ATTEMPTS: usize = 4;
        let market = config.universe.load(context.input("bars")?, context)?;
        let scores = Scores::read(context)?;
        let books = context.registry.books();
        for _ in 0..ATTEMPTS {
            context.cancel.check()?;
            let book: Book<PaperEntry> = books.read(&config.book).map_err(NodeError::failed)?;
            let kept = Kept::of(config, context, &book, &scores, &market.loaded.bars)?;
            let wanted = kept.appended.as_ref().filter(|_| config.mode == PaperMode::Apply);
            if let Some(entry) = wanted {
                let written = books.append(&config.book, &book, context.as_of, entry).map_err(NodeError::failed)?;
                // whoever was faster may have written the same: the book is read again, and tells
                if matches!(written, Commit::Theirs(_)) {
                    continue;
                }
            }
            return output::output(config, context, &kept, &market.loaded);
        }
        Err(NodeError::failed(format!(
            "other runs write to the book `{}` faster than this one can; run it again, and put the pipelines that write it in one \
             `concurrency` group",
            config.book
        )))
    }

    fn effect_holds(values: &BTreeMap<String, Scalar>, registry: &RegistryClient) -> bool {
        let (Some(Scalar::Text(name)), Some(Scalar::Int(entries))) = (values.get("book"), values.get("entries")) else {
            return false;
        };
        if values.get("decision") == Some(&Scalar::text("shadow")) {
            return true;
        }
        // a book that cannot be read is no proof: the node runs, and reports what is wrong with it
        let book = registry.books().read::<serde_json::Value>(name);
        book.is_ok_and(|book| book.entries.len() as i64 >= *entries)
    }

    fn without_effect(config: &mut PaperConfig) {
        config.mode = PaperMode::Shadow;
    }
}

const DECISIONS: &[&str] = &["appended", "nothing-to-do", "shadow"];

/// The newest session that a book holds for a run as of the context's data window: later runs do not exist for it.
pub(super) fn last_session(context: &NodeContext, book: &str) -> Result<Option<i64>, NodeError> {
    let book: Book<PaperEntry> = context.registry.books().read(book).map_err(NodeError::failed)?;
    let seen = book.entries.iter().filter(|entry| entry.as_of < context.as_of);
    Ok(seen.flat_map(|entry| &entry.content.sessions).map(|session| session.ts.micros()).max())
}

/// What `score` decided, by session.
struct Scores {
    sessions: BTreeMap<i64, Vec<PaperDecision>>,
    strategy: String,
    limits: MlLimits,
    prediction: serde_json::Value,
    models: serde_json::Value,
}

impl Scores {
    fn read(context: &NodeContext) -> Result<Self, NodeError> {
        let table =
            Table::from_parquet(context.input("scores")?.bytes()?).and_then(|table| table.expect_schema(SCORES));
        let scores = Self::of(&table.map_err(NodeError::failed)?)?;
        match scores.strategy == context.input("strategy")?.reference.sha256.to_string() {
            true => Ok(scores),
            false => Err(NodeError::failed(
                "`strategy` is not the one whose signals were scored: connect the same as in `score`",
            )),
        }
    }

    fn of(table: &Table) -> Result<Self, NodeError> {
        let fact = |name: &str| table.facts.get(name).map_or("null", String::as_str);
        let times: Vec<i64> = serde_json::from_str(fact("sessions")).map_err(NodeError::failed)?;
        let mut sessions: BTreeMap<i64, Vec<PaperDecision>> = times.into_iter().map(|ts| (ts, Vec::new())).collect();
        let rows = decisions(table).map_err(NodeError::failed)?;
        for (ts, decision) in table.times("ts").map_err(NodeError::failed)?.iter().zip(rows) {
            sessions.entry(*ts).or_default().push(decision);
        }
        // by symbol: where a signal stands in a table decides nothing
        sessions.values_mut().for_each(|own| own.sort_by(|a, b| a.symbol.cmp(&b.symbol)));
        Ok(Self {
            sessions,
            strategy: fact("strategy").to_owned(),
            limits: serde_json::from_str(fact("limits")).map_err(NodeError::failed)?,
            prediction: serde_json::from_str(fact("prediction")).map_err(NodeError::failed)?,
            models: serde_json::from_str(fact("models")).map_err(NodeError::failed)?,
        })
    }
}

fn decisions(table: &Table) -> Result<Vec<PaperDecision>, TableError> {
    let number = |value: f64| (!value.is_nan()).then_some(value);
    let (symbol, side) = (table.texts("symbol")?, table.texts("side")?);
    let (score, p, rank) = (table.floats("score")?, table.floats("ml_prob")?, table.floats("ml_score")?);
    let (threshold, scale) = (table.floats("threshold")?, table.floats("scale")?);
    let (by_model, rule) = (table.bools("by_model")?, table.texts("rule")?);
    let (id, digest, source) = (table.texts("model_id")?, table.texts("model_digest")?, table.texts("source")?);
    let reason = |at: usize| {
        MlReason::named(&rule[at]).ok_or_else(|| TableError::Type {
            column: "rule".to_owned(),
            expected: "a reason that this program knows",
            found: rule[at].clone(),
        })
    };
    let one = |at: usize| {
        Ok(PaperDecision {
            symbol: symbol[at].clone(),
            side: if side[at] == "short" { Side::Short } else { Side::Long },
            score: score[at],
            decision: MlDecision {
                probability: number(p[at]),
                threshold: threshold[at],
                rank_score: number(rank[at]),
                by_model: by_model[at],
                scale: scale[at],
                reason: reason(at)?,
            },
            model_id: id[at].clone(),
            model_digest: digest[at].clone(),
            source: source[at].clone(),
        })
    };
    (0..table.rows()).map(one).collect()
}

/// The account, and what a run has to add to its book.
struct Kept {
    account: Account,
    /// Sessions of the book and of this run.
    sessions: Vec<PaperSession>,
    /// Entries that the account is made of.
    entries: usize,
    /// What is new, with what the account did in it.
    appended: Option<PaperEntry>,
}

impl Kept {
    fn of(
        config: &PaperConfig,
        context: &NodeContext,
        book: &Book<PaperEntry>,
        scores: &Scores,
        bars: &Bars,
    ) -> Result<Self, NodeError> {
        let (entries, later) = split_at(book, context.as_of);
        if let Some(entry) = entries.iter().find(|entry| entry.content.version != VERSION) {
            let version = entry.content.version;
            return Err(NodeError::failed(format!(
                "the book `{}` has an entry of version {version}, expected {VERSION}: it was written by a newer program",
                config.book
            )));
        }
        let fresh = fresh(config, context, entries, scores, bars)?;
        if let (Some(later), Some(_)) = (later, &fresh) {
            return Err(NodeError::failed(format!(
                "the book `{}` goes on: a run as of {later} wrote to it, and nothing can be added before that; a run as of {} needs a \
                 book of its own",
                config.book, context.as_of
            )));
        }
        let recorded: Vec<&PaperEntry> = entries.iter().map(|entry| &entry.content).collect();
        let all: Vec<&PaperEntry> = recorded.iter().copied().chain(&fresh).collect();
        let mut account = account(&all, bars, &context.cancel)?;
        account.against(&recorded, bars);
        if let Some(first) = account.differences.first().filter(|_| config.on_difference == OnDifference::Error) {
            return Err(NodeError::failed(format!(
                "the bars of today do not give what the book `{}` has on record, in {} places; the first: {first}. Were prices \
                 corrected or adjusted since? Begin another book, or set `on_difference: report` to go on from the bars of today",
                config.book,
                account.differences.len()
            )));
        }
        let appended = fresh.map(|entry| with_account(entry, &account, bars));
        let added = appended.iter().flat_map(|entry| &entry.sessions).cloned();
        let sessions = recorded.iter().flat_map(|entry| &entry.sessions).cloned().chain(added).collect();
        let entries = entries.len() + usize::from(appended.is_some() && config.mode == PaperMode::Apply);
        Ok(Self { account, sessions, entries, appended })
    }
}

/// The sessions that were scored and are not in the book, without what the account did in them.
fn fresh(
    config: &PaperConfig,
    context: &NodeContext,
    entries: &[BookEntry<PaperEntry>],
    scores: &Scores,
    bars: &Bars,
) -> Result<Option<PaperEntry>, NodeError> {
    let last = entries.iter().flat_map(|entry| &entry.content.sessions).map(|session| session.ts.micros()).max();
    let is_new = |ts: i64| last.is_none_or(|last| ts > last);
    let first_scored = scores.sessions.keys().copied().find(|&ts| is_new(ts));
    let Some(first_scored) = first_scored else {
        return match entries.is_empty() {
            true => Err(NodeError::failed("no session was scored, and the book is empty: there is no account yet")),
            false => Ok(None),
        };
    };
    let mut sessions = Vec::new();
    for &ts in bars.sessions.iter().filter(|&&ts| is_new(ts) && (last.is_some() || ts >= first_scored)) {
        let decisions = scores.sessions.get(&ts).cloned();
        if decisions.is_none() && config.on_gap == OnGap::Error {
            return Err(NodeError::failed(format!(
                "the session {} was never scored, and comes after the last one of the book `{}`: set `book: {}` in the `score` node, so \
                 that it scores every session that is new, or `on_gap: miss` here to record it as missed",
                Timestamp::from_micros(ts).date(),
                config.book,
                config.book
            )));
        }
        sessions.push(PaperSession {
            ts: Timestamp::from_micros(ts),
            missed: decisions.is_none(),
            decisions: decisions.unwrap_or_default(),
            events: Vec::new(),
            equity: 0.0,
            cash: 0.0,
            positions: 0,
        });
    }
    let strategy = context.input("strategy")?;
    let bytes = strategy.bytes()?;
    let text = std::str::from_utf8(&bytes).map_err(NodeError::failed)?;
    followed(text)?;
    Ok(Some(PaperEntry {
        version: VERSION,
        strategy: strategy.reference.sha256,
        strategy_text: text.to_owned(),
        limits: scores.limits.clone(),
        prediction: scores.prediction.clone(),
        models: scores.models.clone(),
        sessions,
    }))
}

/// The entry with what the account did in its sessions.
fn with_account(mut entry: PaperEntry, account: &Account, bars: &Bars) -> PaperEntry {
    let mut found = account.sessions(bars);
    for session in &mut entry.sessions {
        if let Some((events, equity, cash, positions)) = found.remove(&session.ts.micros()) {
            (session.events, session.equity, session.cash, session.positions) = (events, equity, cash, positions);
        }
    }
    entry
}
