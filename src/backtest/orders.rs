//! What the account would send to a broker after the last close of a window: exits, entries and working stops.
//!
//! Entries are sized by the close that is known; what they fill at is not. Where the open takes more cash than there is, the
//! simulation of the next session cuts them, and a broker refuses or cuts them too.

use serde::{Deserialize, Serialize};

use crate::strategy::Side;

/// What an order is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderKind {
    /// A position leaves at the next open.
    Exit,
    /// A position is opened at the next open, or at this close where the strategy fills there.
    Entry,
    /// A stop that works while the position is open.
    Stop,
    /// A limit that works while the position is open.
    TakeProfit,
}

impl OrderKind {
    /// Its name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::Entry => "entry",
            Self::Stop => "stop",
            Self::TakeProfit => "take_profit",
        }
    }
}

/// An order for the session after the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NextOrder {
    /// What it is for.
    pub kind: OrderKind,
    /// Symbol index.
    pub symbol: u32,
    /// Direction of the position.
    pub side: Side,
    /// Session of the signal that the position comes from.
    pub signal_session: u32,
    /// Units.
    pub quantity: f64,
    /// Level of a stop or a limit; of an entry, the stop that it is to be protected by.
    pub level: Option<f64>,
    /// Limit at which the gain of an entry is to be taken.
    pub take_profit: Option<f64>,
    /// Place of an entry among those of its session, best first, from 1.
    pub rank: Option<u32>,
    /// Whether there is no slot for it: it fills only when a better one does not.
    pub reserve: bool,
}
