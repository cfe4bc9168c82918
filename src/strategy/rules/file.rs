//! A rules file as a user writes it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::declared::DeclaredParameter;
use super::rule::{Ordered, Rule};
use crate::strategy::{AtEnd, CostRules, DataRules, FillAt, OnGap, RiskRules, StopAnchor, StopTrigger, TrailFrom};

/// Bars of an average true range where none are said.
fn atr_bars() -> Rule {
    Rule::Number(14.0)
}

fn one() -> Rule {
    Rule::Number(1.0)
}

/// A rule for long and one for short positions; a side without one is not traded, or not left by it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sides {
    /// Of long positions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub long: Option<Rule>,
    /// Of short positions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub short: Option<Rule>,
}

impl Sides {
    pub(super) const fn is_empty(&self) -> bool {
        self.long.is_none() && self.short.is_none()
    }
}

/// The hard stop: exactly one of `atr`, `percent` and `level`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StopRule {
    /// Distance from the signal's close in average true ranges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub atr: Option<Rule>,
    /// Distance from the signal's close as a share of it, 0.05 for 5 %.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<Rule>,
    /// The price of the stop, by side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Sides>,
    /// Bars of the average true range.
    #[serde(default = "atr_bars")]
    pub period: Rule,
    /// What it is measured from.
    #[serde(default)]
    pub anchor: StopAnchor,
    /// When it is looked at.
    #[serde(default)]
    pub trigger: StopTrigger,
}

/// The limit at which a gain is taken: exactly one of `r`, `atr`, `percent` and `level`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TakeProfitRule {
    /// Multiple of the distance to the stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r: Option<Rule>,
    /// Distance from the signal's close in average true ranges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub atr: Option<Rule>,
    /// Distance from the signal's close as a share of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<Rule>,
    /// The price of the limit, by side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Sides>,
    /// Bars of the average true range.
    #[serde(default = "atr_bars")]
    pub period: Rule,
}

/// A stop that follows the price, never loosened: exactly one of `atr` and `percent`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrailingRule {
    /// Distance in average true ranges of each bar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub atr: Option<Rule>,
    /// Distance as a share of the price it is measured from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<Rule>,
    /// Bars of the average true range.
    #[serde(default = "atr_bars")]
    pub period: Rule,
    /// What it follows.
    #[serde(default)]
    pub from: TrailFrom,
}

/// One component of the score: its percentile among the signals of earlier sessions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScoreComponent {
    /// What is compared; more is better.
    pub value: Rule,
    /// Its weight among the components; the same at every bar.
    #[serde(default = "one")]
    pub weight: Rule,
}

/// How the quantity of an order is found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sizing {
    /// `risk.risk_per_trade` of equity over the distance to the stop.
    #[default]
    Risk,
    /// All free cash.
    AllCash,
    /// A number of units.
    Units(Rule),
    /// A value in the currency of the account.
    Notional(Rule),
    /// A share of equity.
    Share(Rule),
}

/// How orders become fills.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ExecutionRules {
    /// When a market order fills.
    pub fill: FillAt,
    /// What becomes of an order whose open is at or beyond its stop.
    pub on_gap: OnGap,
    /// What becomes of positions that are open at the end.
    pub at_end: AtEnd,
}

/// A strategy of rules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RulesFile {
    /// Version of the file format.
    #[serde(default = "version")]
    #[schemars(extend("const" = 1))]
    pub version: u32,
    /// Kind of strategy.
    #[schemars(extend("const" = "rules"))]
    pub kind: String,
    /// Parameters: expressions read them as `p.name`, a study searches them as `parameters.name`.
    #[serde(default, skip_serializing_if = "Ordered::is_empty")]
    pub parameters: Ordered<DeclaredParameter>,
    /// Columns of the bars beside open, high, low, close and volume that expressions may name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Named series; each may use those before it.
    #[serde(default, rename = "let", skip_serializing_if = "Ordered::is_empty")]
    pub lets: Ordered<Rule>,
    /// Which bars may give an entry at all; unset: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eligible: Option<Rule>,
    /// When a position is entered.
    pub entry: Sides,
    /// When a position is left at the next open.
    #[serde(default, skip_serializing_if = "Sides::is_empty")]
    pub exit: Sides,
    /// The hard stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<StopRule>,
    /// The limit at which a gain is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take_profit: Option<TakeProfitRule>,
    /// A stop that follows the price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trailing_stop: Option<TrailingRule>,
    /// Gain in R after which the stop is moved to the entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_even: Option<Rule>,
    /// Bars after the entry bar at whose close the position is told to leave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_stop: Option<Rule>,
    /// What ranks the signals of a session.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub score: Vec<ScoreComponent>,
    /// What ranks signals of equal score; more is better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tie_break: Option<Rule>,
    /// Features at the signal, added to those of the feature set.
    #[serde(default, skip_serializing_if = "Ordered::is_empty")]
    pub features: Ordered<Rule>,
    /// How the quantity of an order is found.
    #[serde(default)]
    pub sizing: Sizing,
    /// How orders become fills.
    #[serde(default)]
    pub execution: ExecutionRules,
    /// How much is put at risk.
    #[serde(default)]
    pub risk: RiskRules,
    /// What trading costs.
    #[serde(default)]
    pub costs: CostRules,
    /// What happens when bars are missing.
    #[serde(default)]
    pub data: DataRules,
}

const fn version() -> u32 {
    1
}
