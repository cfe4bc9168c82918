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

impl JsonSchema for LabelKind {
    fn schema_name() -> Cow<'static, str> {
        "LabelKind".into()
    }

    /// The kind that is built; the others are refused by name.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema::words([("r_multiple", &["r-multiple"][..], "R of the trade; a win above `r_threshold`.")])
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
}

impl Default for LabelConfig {
    fn default() -> Self {
        Self { kind: LabelKind::RMultiple, max_horizon: 60, r_threshold: 0.0, overlap: false }
    }
}

/// Why there are no labels.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum LabelError {
    /// A kind that is designed and not built.
    #[error("label kind `{kind:?}` is not built, expected `r_multiple`")]
    NotBuilt {
        /// The kind asked for.
        kind: LabelKind,
    },
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
    /// Signals of other bars, or a cancelled token.
    #[error(transparent)]
    Backtest(#[from] crate::backtest::BacktestError),
}

impl LabelConfig {
    /// Checks kind and ranges.
    ///
    /// # Errors
    /// A kind that is not built, a horizon of 0, a threshold that is no number.
    pub fn check(&self) -> Result<(), LabelError> {
        if self.kind != LabelKind::RMultiple {
            return Err(LabelError::NotBuilt { kind: self.kind });
        }
        if self.max_horizon == 0 {
            return Err(LabelError::OutOfRange { name: "max_horizon", expected: "1 or more", found: 0.0 });
        }
        if !self.r_threshold.is_finite() {
            let found = self.r_threshold;
            return Err(LabelError::OutOfRange { name: "r_threshold", expected: "a finite number", found });
        }
        Ok(())
    }
}
