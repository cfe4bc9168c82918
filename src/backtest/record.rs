//! What a backtest leaves behind.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{MlReason, NextOrder};
use crate::strategy::Side;

/// Why a position was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitReason {
    /// The initial stop was hit.
    HardStop,
    /// The stop was hit after it had followed the price.
    TrailingStop,
    /// The stop was hit after it had been moved to the entry.
    BreakEven,
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
    /// The last session of the window, where the rules close what is open.
    EndOfData,
    /// The horizon of a label; never in a backtest.
    Horizon,
}

impl ExitReason {
    /// Every reason, its name and its meaning.
    pub const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::HardStop, "hard_stop", "The initial stop was hit."),
        (Self::TrailingStop, "trailing_stop", "The stop was hit after it had followed the price."),
        (Self::BreakEven, "break_even", "The stop was hit after it had been moved to the entry."),
        (Self::TakeProfit, "take_profit", "The limit was reached."),
        (Self::Signal, "signal", "The strategy's exit rule."),
        (Self::TimeStop, "time_stop", "Held for as many bars as the strategy allows."),
        (Self::DataMissing, "data_missing", "Too many sessions without a bar; left at the next open there was."),
        (Self::Delisted, "delisted", "The symbol has no further bar; left at the last close less the haircut."),
        (Self::EndOfData, "end_of_data", "The last session, where `at_end` closes what is open."),
        (Self::Horizon, "horizon", "The horizon of a label; never in a backtest."),
    ];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(reason, ..)| *reason == self).map_or("", |(_, name, _)| name)
    }

    /// Whether a stop asked for it.
    pub const fn is_stop(self) -> bool {
        matches!(self, Self::HardStop | Self::TrailingStop | Self::BreakEven)
    }
}

/// A limit that cut a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cap {
    /// Notional of one position.
    PositionNotional,
    /// Notional of one position that a model asked for.
    MlPositionSize,
    /// A probability near the threshold.
    MlScale,
    /// Gross notional of all positions.
    Exposure,
    /// Share of the average traded value.
    TradedValue,
    /// Cash at the fill.
    Cash,
}

impl Cap {
    /// Its name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PositionNotional => "position_notional",
            Self::MlPositionSize => "ml_position_size",
            Self::MlScale => "ml_scale",
            Self::Exposure => "exposure",
            Self::TradedValue => "traded_value",
            Self::Cash => "cash",
        }
    }
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
    /// Positions that a model asked for took every slot that such positions may have.
    MlSlotsFull,
    /// Positions that a model asked for lost too much on the day of the signal.
    MlLossLimit,
    /// The open was at or beyond the stop.
    GapBelowStop,
    /// The limits left nothing to order.
    SizeZero,
    /// Cash pays not one unit.
    NoCash,
}

impl Rejection {
    /// Every reason, its name in counts, and the step of the funnel that it is taken from, in the order they are asked.
    pub const ALL: &'static [(Self, FunnelStep, &'static str)] = &[
        (Self::NotEligible, FunnelStep::Eligible, "The strategy's eligibility rules refuse the bar."),
        (
            Self::MlRejected,
            FunnelStep::KeptByModel,
            "The model's probability is too low, or missing where that refuses.",
        ),
        (
            Self::AlreadyIn,
            FunnelStep::Slotted,
            "The symbol is held at the close of the signal bar: one position a symbol.",
        ),
        (Self::EndOfData, FunnelStep::Slotted, "The window ends with the signal bar."),
        (
            Self::MlLossLimit,
            FunnelStep::Slotted,
            "Positions of the model lost more than `daily_ml_loss_limit` on the day of the signal.",
        ),
        (
            Self::MissingNextBar,
            FunnelStep::Slotted,
            "The symbol has no bar in the next session; the order is cancelled.",
        ),
        (
            Self::SlotsFull { rank: 0 },
            FunnelStep::Slotted,
            "Open positions and better ranked orders took `max_positions`; the rank is kept.",
        ),
        (Self::MlSlotsFull, FunnelStep::Slotted, "Positions of the model took `max_ml_positions`."),
        (
            Self::GapBelowStop,
            FunnelStep::Filled,
            "The open is at or beyond the stop: the trade would be over before it began.",
        ),
        (
            Self::SizeZero,
            FunnelStep::Filled,
            "Risk and limits leave less than one unit; also where a stop or the traded value is unknown.",
        ),
        (Self::NoCash, FunnelStep::Filled, "Cash, less the collateral of shorts, pays for not one unit."),
    ];

    /// The step of the funnel that it did not take.
    pub const fn step(self) -> FunnelStep {
        Self::ALL[self.index()].1
    }

    /// Its row in [`Rejection::ALL`].
    const fn index(self) -> usize {
        match self {
            Self::NotEligible => 0,
            Self::MlRejected => 1,
            Self::AlreadyIn => 2,
            Self::EndOfData => 3,
            Self::MlLossLimit => 4,
            Self::MissingNextBar => 5,
            Self::SlotsFull { .. } => 6,
            Self::MlSlotsFull => 7,
            Self::GapBelowStop => 8,
            Self::SizeZero => 9,
            Self::NoCash => 10,
        }
    }

    /// Its name in counts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotEligible => "not_eligible",
            Self::MlRejected => "ml_rejected",
            Self::AlreadyIn => "already_in",
            Self::EndOfData => "end_of_data",
            Self::MissingNextBar => "missing_next_bar",
            Self::SlotsFull { .. } => "slots_full",
            Self::MlSlotsFull => "ml_slots_full",
            Self::MlLossLimit => "ml_loss_limit",
            Self::GapBelowStop => "gap_below_stop",
            Self::SizeZero => "size_zero",
            Self::NoCash => "no_cash",
        }
    }
}

/// How far a candidate came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FunnelStep {
    /// It passes the eligibility rules.
    Eligible,
    /// The model keeps it.
    KeptByModel,
    /// There is a bar and a slot for it.
    Slotted,
    /// It became a position.
    Filled,
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
    /// Whether the probability had a say: limits on positions of a model apply to it.
    pub by_model: bool,
    /// Factor of the model on the quantity, at most 1.
    pub scale: f64,
    /// What the rules of the model said; `None` without a model.
    pub reason: Option<MlReason>,
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
    /// Initial stop S0: the denominator of R, whatever the stop did later.
    pub stop: Option<f64>,
    /// Where the stop stood at the exit.
    pub last_stop: Option<f64>,
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
    /// Worst price seen while held; the net entry where none was worse.
    pub worst_price: f64,
    /// Best price seen while held; the net entry where none was better.
    pub best_price: f64,
    /// Sessions from entry to exit.
    pub holding_sessions: u32,
    /// Why it was left.
    pub exit_reason: ExitReason,
    /// Limits that cut the quantity.
    pub caps: Vec<Cap>,
    /// Probability given by the model, if any.
    pub probability: Option<f64>,
}

impl Trade {
    /// Net profit over the value of the entry.
    pub fn net_return(&self) -> f64 {
        self.net_pnl / (self.quantity * self.entry_price)
    }
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
    /// Where the stop stands now, if it was moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_stop: Option<f64>,
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
    /// Notional of long positions less that of short ones, as a share of equity.
    pub net_exposure: f64,
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
    /// Less `already_in`, `end_of_data`, `ml_loss_limit`, `missing_next_bar`, `slots_full`, `ml_slots_full`.
    pub slotted: usize,
    /// Less `gap_below_stop`, `size_zero`, `no_cash`.
    pub filled: usize,
    /// Rejections by name.
    pub rejected: BTreeMap<String, usize>,
}

impl Funnel {
    pub(super) fn of(candidates: &[CandidateRecord]) -> Self {
        let mut funnel = Self { candidates: candidates.len(), ..Self::default() };
        let mut counts = [0; Rejection::ALL.len()];
        for record in candidates {
            // the step that it did not take
            let lost = match record.state {
                CandidateState::Filled => None,
                CandidateState::Rejected(why) => {
                    counts[why.index()] += 1;
                    Some(why.step())
                }
            };
            let passed = |step| usize::from(lost.is_none_or(|lost| lost > step));
            funnel.eligible += passed(FunnelStep::Eligible);
            funnel.kept_by_model += passed(FunnelStep::KeptByModel);
            funnel.slotted += passed(FunnelStep::Slotted);
            funnel.filled += passed(FunnelStep::Filled);
        }
        let named = Rejection::ALL.iter().zip(counts).filter(|(_, count)| *count > 0);
        funnel.rejected = named.map(|((why, ..), count)| (why.name().to_owned(), count)).collect();
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
    /// What the account would send to a broker after the last close.
    pub next_orders: Vec<NextOrder>,
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
