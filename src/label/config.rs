//! What a label is, as a user writes it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use crate::base::schema;

/// Kinds of label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelKind {
    /// R of the trade; a win above `r_threshold`.
    #[default]
    #[serde(alias = "r-multiple")]
    RMultiple,
    /// Whether the target came before the stop.
    #[serde(alias = "signal-success")]
    SignalSuccess,
    /// Buy, hold or sell.
    Direction,
    /// Return over a horizon.
    Return,
    /// Volatility over a horizon.
    Volatility,
    /// The first of three barriers.
    #[serde(alias = "triple-barrier")]
    TripleBarrier,
    /// The best action in hindsight.
    #[serde(alias = "optimal-action")]
    OptimalAction,
}

/// What can be learnt from a kind of label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelTask {
    /// A win or none.
    Binary,
    /// One of -1, 0 and 1.
    ThreeClasses,
    /// A number.
    Regression,
}

/// A kind of label as a user may write it.
pub struct LabelKindRow {
    /// The kind.
    pub kind: LabelKind,
    /// Other spellings.
    pub aliases: &'static [&'static str],
    /// Formula and meaning.
    pub doc: &'static str,
}

/// Every kind of label: feeds names, schema and reference.
pub const LABEL_KINDS: &[LabelKindRow] = &[
    LabelKindRow {
        kind: LabelKind::RMultiple,
        aliases: &["r-multiple"],
        doc: "R of the trade; a win above `r_threshold`.",
    },
    LabelKindRow {
        kind: LabelKind::SignalSuccess,
        aliases: &["signal-success"],
        doc: "1 if the price gained `target_r` R before it touched the stop, within `max_horizon` sessions.",
    },
    LabelKindRow {
        kind: LabelKind::Direction,
        aliases: &[],
        doc: "1 buy, -1 sell, 0 hold: the return over `horizon` beyond `dead_zone` times the 20 bar volatility.",
    },
    LabelKindRow {
        kind: LabelKind::Return,
        aliases: &[],
        doc: "Return from the signal's close to the close `horizon` sessions later.",
    },
    LabelKindRow {
        kind: LabelKind::Volatility,
        aliases: &[],
        doc: "Standard deviation of the log returns of the bars of the next `horizon` sessions.",
    },
    LabelKindRow {
        kind: LabelKind::TripleBarrier,
        aliases: &["triple-barrier"],
        doc: "1 if the upper of `barriers` is touched first, -1 if the lower, 0 if neither within `horizon` sessions.",
    },
    LabelKindRow {
        kind: LabelKind::OptimalAction,
        aliases: &["optimal-action"],
        doc: "1 buy, -1 sell, 0 hold: the best of the three over `horizon`, from the next open, after costs.",
    },
];

impl LabelKind {
    /// Its name in YAML.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RMultiple => "r_multiple",
            Self::SignalSuccess => "signal_success",
            Self::Direction => "direction",
            Self::Return => "return",
            Self::Volatility => "volatility",
            Self::TripleBarrier => "triple_barrier",
            Self::OptimalAction => "optimal_action",
        }
    }

    /// The kind of a name as [`LabelKind::name`] gives it.
    pub fn named(name: &str) -> Option<Self> {
        LABEL_KINDS.iter().map(|row| row.kind).find(|kind| kind.name() == name)
    }

    /// What can be learnt from it.
    pub const fn task(self) -> LabelTask {
        match self {
            Self::RMultiple | Self::SignalSuccess => LabelTask::Binary,
            Self::Direction | Self::TripleBarrier | Self::OptimalAction => LabelTask::ThreeClasses,
            Self::Return | Self::Volatility => LabelTask::Regression,
        }
    }

    /// Formula and meaning.
    pub fn doc(self) -> &'static str {
        LABEL_KINDS.iter().find(|row| row.kind == self).map_or("", |row| row.doc)
    }

    /// Whether the label is made of the trade and its stop, rather than of the prices after the signal.
    pub const fn needs_stop(self) -> bool {
        matches!(self, Self::RMultiple | Self::SignalSuccess)
    }
}

impl JsonSchema for LabelKind {
    fn schema_name() -> Cow<'static, str> {
        "LabelKind".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema::words(LABEL_KINDS.iter().map(|row| (row.kind.name(), row.aliases, row.doc)))
    }
}

/// What the distance of a barrier is measured in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BarrierUnit {
    /// The close times the standard deviation of the last 20 log returns.
    #[default]
    Volatility,
    /// Average true ranges of 14 bars.
    Atr,
    /// Shares of the close.
    Share,
}

/// The horizontal barriers of `triple_barrier`, as distances from the close of the signal bar.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Barriers {
    /// Distance of the barrier on the side of the gain.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub upper: f64,
    /// Distance of the barrier on the side of the loss.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub lower: f64,
    /// What both are measured in.
    pub unit: BarrierUnit,
}

impl Default for Barriers {
    fn default() -> Self {
        Self { upper: 2.0, lower: 2.0, unit: BarrierUnit::Volatility }
    }
}

/// What a label is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LabelConfig {
    /// Kind of label.
    pub kind: LabelKind,
    /// Sessions after the signal at whose close a shadow trade ends, if nothing ended it before.
    #[schemars(range(min = 1))]
    pub max_horizon: u32,
    /// R above which a trade is a win.
    pub r_threshold: f64,
    /// Whether a signal is labelled while the symbol's last shadow trade is still open. Nobody can act on such a signal,
    /// and its outcome is nearly that of the trade before it: rows gain in number more than in information.
    pub overlap: bool,
    /// Sessions after the signal over which `direction`, `return`, `volatility`, `triple_barrier` and `optimal_action`
    /// look; at most `max_horizon`.
    #[schemars(range(min = 1))]
    pub horizon: u32,
    /// Gain in R that is a success for `signal_success`.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub target_r: f64,
    /// Least return of `direction`, in standard deviations of the last 20 log returns: less is a hold.
    #[schemars(range(min = 0))]
    pub dead_zone: f64,
    /// The barriers of `triple_barrier`.
    pub barriers: Barriers,
}

impl Default for LabelConfig {
    fn default() -> Self {
        Self {
            kind: LabelKind::RMultiple,
            max_horizon: 60,
            r_threshold: 0.0,
            overlap: false,
            horizon: 10,
            target_r: 1.0,
            dead_zone: 1.0,
            barriers: Barriers::default(),
        }
    }
}

/// Why there are no labels.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum LabelError {
    /// A value outside its range.
    #[error("`{name}` is out of range, expected {expected}, found {found}")]
    OutOfRange {
        /// Name of the value.
        name: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        found: f64,
    },
    /// A horizon of the label beyond the horizon of every label.
    #[error("`horizon` is {horizon}, expected at most `max_horizon`, which is {max_horizon}")]
    Horizon {
        /// Sessions of the label.
        horizon: u32,
        /// Most sessions.
        max_horizon: u32,
    },
    /// Signals of other bars, or a cancelled token.
    #[error(transparent)]
    Backtest(#[from] crate::backtest::BacktestError),
}

impl LabelConfig {
    /// Checks ranges.
    ///
    /// # Errors
    /// A horizon of 0 or beyond `max_horizon`, a distance that is not positive, a threshold that is no number.
    pub fn check(&self) -> Result<(), LabelError> {
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let needs_two = self.kind == LabelKind::Volatility;
        let checks = [
            (self.max_horizon > 0, "max_horizon", "1 or more", f64::from(self.max_horizon)),
            (self.horizon > 0, "horizon", "1 or more", f64::from(self.horizon)),
            (!needs_two || self.horizon > 1, "horizon", "2 or more: one return has no spread", f64::from(self.horizon)),
            (self.r_threshold.is_finite(), "r_threshold", "a finite number", self.r_threshold),
            (positive(self.target_r), "target_r", "a number above 0", self.target_r),
            (self.dead_zone.is_finite() && self.dead_zone >= 0.0, "dead_zone", "0 or more", self.dead_zone),
            (positive(self.barriers.upper), "barriers.upper", "a number above 0", self.barriers.upper),
            (positive(self.barriers.lower), "barriers.lower", "a number above 0", self.barriers.lower),
        ];
        if let Some(&(_, name, expected, found)) = checks.iter().find(|(holds, ..)| !holds) {
            return Err(LabelError::OutOfRange { name, expected, found });
        }
        if !self.kind.needs_stop() && self.horizon > self.max_horizon {
            return Err(LabelError::Horizon { horizon: self.horizon, max_horizon: self.max_horizon });
        }
        Ok(())
    }
}
