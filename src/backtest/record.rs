//! What a backtest leaves behind.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::strategy::Side;

/// Why a position was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitReason {
    /// The stop was hit.
    HardStop,
    /// The limit was reached.
    TakeProfit,
    /// The strategy's exit rule.
    Signal,
    /// Held for as long as the strategy allows.
    TimeStop,
    /// Too many sessions without a bar.
    DataMissing,
    /// The symbol has no further bar.
    Delisted,
    /// The horizon of a label; never in a backtest.
    Horizon,
}

/// A limit that cut a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cap {
    /// Notional of one position.
    PositionNotional,
    /// Gross notional of all positions.
    Exposure,
    /// Share of the average traded value.
    TradedValue,
    /// Cash at the fill.
    Cash,
}

/// Why a candidate was not filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rejection {
    /// The eligibility rules.
    NotEligible,
    /// The prediction overlay.
    MlRejected,
    /// The symbol was held at the close of the signal bar.
    AlreadyIn,
    /// The window ends with the signal bar.
    EndOfData,
    /// The symbol has no bar in the next session.
    MissingNextBar,
    /// Better ranked candidates and open positions took every slot.
    SlotsFull {
        /// Place among the session's orders, from 1.
        rank: u32,
    },
    /// The open was at or beyond the stop.
    GapBelowStop,
    /// The limits left nothing to order.
    SizeZero,
    /// Cash pays not one unit.
    NoCash,
}

impl Rejection {
    /// Its name in counts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotEligible => "not_eligible",
            Self::MlRejected => "ml_rejected",
            Self::AlreadyIn => "already_in",
            Self::EndOfData => "end_of_data",
            Self::MissingNextBar => "missing_next_bar",
            Self::SlotsFull { .. } => "slots_full",
            Self::GapBelowStop => "gap_below_stop",
            Self::SizeZero => "size_zero",
            Self::NoCash => "no_cash",
        }
    }
}

/// The one state a candidate ends in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CandidateState {
    /// It became a position.
    Filled,
    /// It did not.
    Rejected(Rejection),
}

/// A candidate of the window and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CandidateRecord {
    /// Symbol index.
    pub symbol: u32,
    /// Signal session.
    pub session: u32,
    /// Row of the signal bar.
    pub row: u32,
    /// Position in the symbol's list of candidates.
    pub candidate: u32,
    /// Technical score.
    pub score: f64,
    /// Probability given by the model, if any.
    pub probability: Option<f64>,
    /// What the candidate is ranked by: the technical score, the probability or a blend.
    pub rank_score: f64,
    /// What became of it.
    pub state: CandidateState,
}

/// A closed trade. Prices are net fills, after slippage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trade {
    /// Symbol index.
    pub symbol: u32,
    /// Position in the symbol's list of candidates.
    pub candidate: u32,
    /// Direction.
    pub side: Side,
    /// Session of the signal bar.
    pub signal_session: u32,
    /// Row of the signal bar.
    pub signal_row: u32,
    /// Session of the entry.
    pub entry_session: u32,
    /// Row of the entry bar.
    pub entry_row: u32,
    /// Session of the exit.
    pub exit_session: u32,
    /// Row of the exit bar; the last bar of the symbol when it was delisted.
    pub exit_row: u32,
    /// Units.
    pub quantity: f64,
    /// Net entry fill.
    pub entry_price: f64,
    /// Net exit fill.
    pub exit_price: f64,
    /// Initial stop S0.
    pub stop: Option<f64>,
    /// Both commissions, in currency.
    pub commission: f64,
    /// Loss by slippage on both sides, in currency.
    pub slippage: f64,
    /// Profit before commissions and slippage, in currency.
    pub gross_pnl: f64,
    /// Profit after all costs, in currency.
    pub net_pnl: f64,
    /// `net_pnl / (quantity * |entry_price - stop|)`.
    pub r: Option<f64>,
    /// `gross_pnl` over the same risk.
    pub gross_r: Option<f64>,
    /// `net_pnl` over the risk planned at the signal, `quantity * |signal close - S0|`.
    pub planned_r: Option<f64>,
    /// Furthest the price went against the entry while held, in R, at most 0.
    pub mae_r: Option<f64>,
    /// Furthest the price went with the entry while held, in R, at least 0.
    pub mfe_r: Option<f64>,
    /// Sessions from entry to exit.
    pub holding_sessions: u32,
    /// Why it was left.
    pub exit_reason: ExitReason,
    /// Limits that cut the quantity.
    pub caps: Vec<Cap>,
    /// Probability given by the model, if any.
    pub probability: Option<f64>,
}

/// A position that the end of the window found open: marked in equity, not a trade.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpenPosition {
    /// Symbol index.
    pub symbol: u32,
    /// Position in the symbol's list of candidates.
    pub candidate: u32,
    /// Direction.
    pub side: Side,
    /// Session of the signal bar.
    pub signal_session: u32,
    /// Session of the entry.
    pub entry_session: u32,
    /// Row of the entry bar.
    pub entry_row: u32,
    /// Units.
    pub quantity: f64,
    /// Net entry fill.
    pub entry_price: f64,
    /// Initial stop S0.
    pub stop: Option<f64>,
    /// Last close.
    pub mark: f64,
    /// Profit at the mark after the entry commission, in currency.
    pub unrealised_pnl: f64,
}

/// The account at the close of a session.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EquityPoint {
    /// Session index.
    pub session: u32,
    /// Cash and positions at their last close.
    pub equity: f64,
    /// Cash; sales of shorts are in it.
    pub cash: f64,
    /// Gross notional at last closes as a share of equity.
    pub exposure: f64,
    /// Open positions.
    pub positions: u32,
}

/// How many candidates came how far. Each step is the one before minus its rejections.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Funnel {
    /// Triggers in the window.
    pub candidates: usize,
    /// Less `not_eligible`.
    pub eligible: usize,
    /// Less `ml_rejected`.
    pub kept_by_model: usize,
    /// Less `already_in`, `end_of_data`, `missing_next_bar`, `slots_full`.
    pub slotted: usize,
    /// Less `gap_below_stop`, `size_zero`, `no_cash`.
    pub filled: usize,
    /// Rejections by name.
    pub rejected: BTreeMap<String, usize>,
}

impl Funnel {
    pub(super) fn of(candidates: &[CandidateRecord]) -> Self {
        let mut funnel = Self { candidates: candidates.len(), ..Self::default() };
        for record in candidates {
            let passed = match record.state {
                CandidateState::Filled => 4,
                CandidateState::Rejected(why) => {
                    *funnel.rejected.entry(why.name().to_owned()).or_default() += 1;
                    match why {
                        Rejection::NotEligible => 0,
                        Rejection::MlRejected => 1,
                        Rejection::AlreadyIn
                        | Rejection::EndOfData
                        | Rejection::MissingNextBar
                        | Rejection::SlotsFull { .. } => 2,
                        Rejection::GapBelowStop | Rejection::SizeZero | Rejection::NoCash => 3,
                    }
                }
            };
            funnel.eligible += usize::from(passed >= 1);
            funnel.kept_by_model += usize::from(passed >= 2);
            funnel.slotted += usize::from(passed >= 3);
            funnel.filled += usize::from(passed >= 4);
        }
        funnel
    }
}

/// Something about a result that its reader must know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BacktestWarning {
    /// Delisted positions that kept their full last close.
    DelistedWithoutHaircut {
        /// Positions.
        count: usize,
    },
    /// Candidates without a probability.
    MissingProbability {
        /// Candidates without one.
        missing: usize,
        /// Eligible candidates.
        total: usize,
    },
    /// The model drops nearly all candidates or nearly none.
    ModelDrops {
        /// Candidates dropped.
        dropped: usize,
        /// Eligible candidates.
        total: usize,
    },
}

/// The result of a simulation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Backtest {
    /// Equity before the first session.
    pub initial_equity: f64,
    /// Closed trades in the order of their exits.
    pub trades: Vec<Trade>,
    /// One point a session of the window.
    pub equity: Vec<EquityPoint>,
    /// Every trigger of the window by session and symbol.
    pub candidates: Vec<CandidateRecord>,
    /// What was open at the end of the window.
    pub open_at_end: Vec<OpenPosition>,
    /// Counts of the candidates.
    pub funnel: Funnel,
    /// What a reader must know.
    pub warnings: Vec<BacktestWarning>,
}

impl Backtest {
    /// Return of each session, `equity[t] / equity[t-1] - 1`; the first against the initial equity.
    pub fn returns(&self) -> Vec<f64> {
        let before = std::iter::once(self.initial_equity).chain(self.equity.iter().map(|point| point.equity));
        self.equity.iter().zip(before).map(|(point, before)| point.equity / before - 1.0).collect()
    }
}
