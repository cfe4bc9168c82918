//! How orders become fills and how stops move: what a strategy may ask of the simulator beyond its defaults.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When a market order fills.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FillAt {
    /// At the open of the bar after the signal: what can be done.
    #[default]
    NextOpen,
    /// At the close that gave the signal. Nobody can know a close and trade at it: an assumption for comparison with other
    /// simulators, named in every report.
    Close,
}

/// What becomes of an order whose open is already at or beyond its stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnGap {
    /// It is cancelled.
    #[default]
    Reject,
    /// It fills at the open, and the stop takes it out at once: what a broker does who was not told otherwise.
    Enter,
}

/// What becomes of positions that the last session of the window finds open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AtEnd {
    /// They are marked at the last close and listed as open; they are no trades.
    #[default]
    Mark,
    /// They leave at the open of the last session, and nothing is entered in it.
    ExitAtLastOpen,
}

/// How far behind the price a trailing stop stands.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrailDistance {
    /// A multiple of the average true range of each bar, from [`crate::strategy::SymbolSignals::atr`].
    Atr(f64),
    /// A share of the price it is measured from, 0.1 for 10 %.
    Percent(f64),
}

/// The price a trailing stop is measured from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrailFrom {
    /// The close of each bar.
    #[default]
    Close,
    /// The furthest price in favour of the position since its entry: the highest high of a long one ("chandelier").
    Extreme,
}

/// A stop that follows the price. It is moved after a close and holds from the next bar on; it is never loosened.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrailingStop {
    /// How far behind.
    pub distance: TrailDistance,
    /// Behind what.
    pub from: TrailFrom,
}
