//! The file of the breakout strategy, and the sections that every kind of strategy has.

use schemars::{JsonSchema, Schema, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::StrategyError;
use super::rules::RulesFile;
use super::section::{Parameter, section};
use crate::base::schema;

/// The kinds of strategy that exist.
pub const KINDS: &[&str] = &[BREAKOUT, RULES];
/// The reference strategy.
pub(super) const BREAKOUT: &str = "breakout";
/// A strategy of a user's own expressions.
pub(super) const RULES: &str = "rules";

/// The version of the file format that this build reads.
pub(super) const VERSION: u32 = 1;

/// Which prices make the breakout channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Highest close of the earlier bars.
    #[default]
    Close,
    /// Highest high of the earlier bars: the classic Donchian rule.
    High,
}

/// What the hard stop is measured from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopAnchor {
    /// The close of the signal bar: the level is known before the order.
    #[default]
    SignalClose,
    /// The net fill: the distance is the same, the level moves with the fill.
    Fill,
}

/// When a stop is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopTrigger {
    /// Inside the bar, filled at the stop or at a worse open.
    #[default]
    Intrabar,
    /// At the close, filled at the next open.
    Close,
}

section! {
    /// Which bars may give an entry at all.
    EligibilityRules at "eligibility" {
        /// Bars of the trend average; the close must be above it.
        trend_ma: u32 = 50, in 2.0..=1000.0;
        /// Least relative change of the trend average over `ma_slope_lookback` bars; null asks for none.
        ma_slope_min: Option<f64> = None, in -1.0..=10.0;
        /// Bars over which the slope of the trend average is taken.
        ma_slope_lookback: u32 = 10, in 1.0..=500.0;
    }
}

section! {
    /// The breakout trigger.
    EntryRules at "entry" {
        /// Bars of the fast channel.
        fast_lookback: u32 = 20, in 2.0..=1000.0;
        /// Bars of the slow channel.
        slow_lookback: u32 = 55, in 2.0..=1000.0;
        /// Share by which the close must clear the fast channel.
        fast_clearance: f64 = 0.005, in 0.0..=1.0;
        /// Share by which the close must clear the slow channel.
        slow_clearance: f64 = 0.01, in 0.0..=1.0;
        /// Prices of the channel.
        channel: Channel = Channel::Close;
    }
}

section! {
    /// When a position is left.
    ExitRules at "exit" {
        /// Distance of the hard stop in average true ranges.
        hard_stop_atr_mult: f64 = 2.5, in 0.01..=100.0;
        /// Bars of the average true range.
        atr: u32 = 14, in 1.0..=500.0;
        /// Bars of the exit average; a close below it leaves at the next open.
        exit_ma: u32 = 20, in 2.0..=1000.0;
        /// What the hard stop is measured from.
        stop_anchor: StopAnchor = StopAnchor::SignalClose;
        /// When the hard stop is looked at.
        stop_trigger: StopTrigger = StopTrigger::Intrabar;
    }
}

section! {
    /// How much is put at risk.
    RiskRules at "risk" {
        /// Cash at the start, in the currency of the prices.
        initial_equity: f64 = 100_000.0, in 1e-6..=1e15;
        /// Share of equity lost when a stop is hit at its level.
        risk_per_trade: f64 = 0.01, in 1e-6..=1.0;
        /// Positions open or being entered at one time.
        max_positions: u32 = 8, in 1.0..=100_000.0;
        /// Largest notional of one position as a share of equity.
        max_position_notional: f64 = 0.20, in 1e-6..=100.0;
        /// Largest gross notional of all positions as a share of equity; above 1 is leverage.
        max_exposure: f64 = 1.0, in 1e-6..=100.0;
        /// Largest order as a share of the 20 bar average traded value; null switches the capacity check off.
        max_order_pct_adv: Option<f64> = Some(0.005), in 1e-9..=1.0;
        /// Allows fractions of a unit.
        fractional: bool = false;
    }
}

section! {
    /// What trading costs.
    CostRules at "costs" {
        /// Adverse slippage of every market and stop fill, in basis points.
        slippage_bps: f64 = 5.0, in 0.0..=5_000.0;
        /// Further adverse slippage of stop fills, in basis points.
        stop_slippage_bps: f64 = 5.0, in 0.0..=4_000.0;
        /// Commission of one fill.
        commission: Commission = Commission::default();
    }
}

section! {
    /// Commission of one fill: the larger of `min` and `bps` of the notional plus `per_share` for each unit.
    Commission at "costs.commission" {
        /// Basis points of the notional.
        bps: f64 = 1.0, in 0.0..=5_000.0;
        /// Currency for each unit.
        per_share: f64 = 0.0, in 0.0..=1e6;
        /// Least commission of a fill.
        min: f64 = 0.0, in 0.0..=1e9;
    }
}

section! {
    /// What happens when bars are missing.
    DataRules at "data" {
        /// Missing sessions after which a held position leaves at the next open there is.
        max_missing_sessions: u32 = 2, in 0.0..=1000.0;
        /// Share of the last close that is lost when a held symbol is delisted.
        delisting_haircut: f64 = 0.0, in 0.0..=1.0;
    }
}

section! {
    /// Weights of the technical score; each component is its percentile among the signals of earlier sessions.
    ScoreWeights at "score" {
        /// Weight of the clearance above the channel.
        clearance: f64 = 0.5, in 0.0..=1e6;
        /// Weight of the 60 bar rate of change.
        momentum: f64 = 0.5, in 0.0..=1e6;
    }
}

/// The breakout strategy as a user writes it; every key may be left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StrategyFile {
    /// Version of the file format.
    #[schemars(extend("const" = VERSION))]
    pub version: u32,
    /// Kind of strategy.
    #[schemars(extend("const" = BREAKOUT))]
    pub kind: String,
    /// Which bars may give an entry at all.
    pub eligibility: EligibilityRules,
    /// The trigger.
    pub entry: EntryRules,
    /// When a position is left.
    pub exit: ExitRules,
    /// How much is put at risk.
    pub risk: RiskRules,
    /// What trading costs.
    pub costs: CostRules,
    /// What happens when bars are missing.
    pub data: DataRules,
    /// Weights of the technical score.
    pub score: ScoreWeights,
}

impl Default for StrategyFile {
    fn default() -> Self {
        Self {
            version: VERSION,
            kind: BREAKOUT.to_owned(),
            eligibility: EligibilityRules::default(),
            entry: EntryRules::default(),
            exit: ExitRules::default(),
            risk: RiskRules::default(),
            costs: CostRules::default(),
            data: DataRules::default(),
            score: ScoreWeights::default(),
        }
    }
}

/// JSON Schema of a strategy file of any kind.
pub fn file_schema() -> Schema {
    let kinds: Vec<Value> = kind_schemas().into_iter().map(|(_, schema)| schema.to_value()).collect();
    json_schema!({"$schema": schema::DIALECT, "title": "strategy@1", "oneOf": kinds})
}

/// JSON Schema of the files of each kind.
pub fn kind_schemas() -> [(&'static str, Schema); 2] {
    [(BREAKOUT, schema::of::<StrategyFile>()), (RULES, schema::of::<RulesFile>())]
}

impl StrategyFile {
    /// Checks kind, version and every range.
    pub(super) fn check(&self) -> Result<(), StrategyError> {
        if self.version != VERSION {
            return Err(StrategyError::UnsupportedVersion { expected: VERSION, found: self.version });
        }
        if self.kind != BREAKOUT {
            return Err(StrategyError::UnknownKind { kind: self.kind.clone(), known: KINDS });
        }
        self.eligibility.check()?;
        self.entry.check()?;
        self.exit.check()?;
        self.risk.check()?;
        self.costs.check()?;
        self.costs.commission.check()?;
        self.data.check()?;
        self.score.check()
    }

    /// Every parameter, section by section.
    pub(super) fn parameters() -> impl Iterator<Item = &'static Parameter> {
        [EligibilityRules::PARAMETERS, EntryRules::PARAMETERS, ExitRules::PARAMETERS]
            .into_iter()
            .flatten()
            .chain(shared_parameters())
            .chain(ScoreWeights::PARAMETERS)
    }
}

/// The parameters of the sections that every kind of strategy has.
pub(super) fn shared_parameters() -> impl Iterator<Item = &'static Parameter> {
    [RiskRules::PARAMETERS, CostRules::PARAMETERS, Commission::PARAMETERS, DataRules::PARAMETERS]
        .into_iter()
        .flatten()
        // the mapping itself is no parameter, its values are
        .filter(|parameter| (parameter.section, parameter.name) != ("costs", "commission"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::base::conformance::{conforms, defect};
    use crate::strategy::Strategy;

    fn shipped() -> Vec<Value> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/strategies");
        let read = |entry: std::io::Result<std::fs::DirEntry>| {
            serde_saphyr::from_str(&std::fs::read_to_string(entry.unwrap().path()).unwrap()).unwrap()
        };
        std::fs::read_dir(folder).unwrap().map(read).collect()
    }

    #[test]
    fn the_schema_takes_every_shipped_strategy_and_no_misspelt_key() {
        let schema = file_schema().to_value();
        assert_eq!(defect(&schema), None);
        assert!(!shipped().is_empty());
        for strategy in shipped() {
            assert_eq!(conforms(&schema, &strategy), Ok(()), "{strategy}");
        }
        for wrong in [
            json!({"exits": {}}),
            json!({"exit": {"exit_na": 20}}),
            json!({"costs": {"commission": {"bsp": 1}}}),
            json!({"entry": {"channel": "low"}}),
            json!({"kind": "pairs"}),
            json!({"version": 2}),
        ] {
            assert!(conforms(&schema, &wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_schema_has_the_default_and_the_range_of_every_declared_parameter() {
        let schema = schema::of::<StrategyFile>().to_value();
        let defaults = serde_json::to_value(Strategy::default()).unwrap();
        let reads = |section: &str, name: &str, value: Value| {
            let mut tree = defaults.clone();
            *tree.pointer_mut(&format!("/{}/{name}", section.replace('.', "/"))).unwrap() = value;
            let by_schema = conforms(&schema, &tree).is_ok();
            assert_eq!(serde_json::from_value::<Strategy>(tree).is_ok(), by_schema, "{section}.{name}");
            by_schema
        };
        for parameter in Strategy::parameters() {
            let (section, name) = (parameter.section, parameter.name);
            let place = format!("/properties/{}/properties/{name}", section.replace('.', "/properties/"));
            let declared = schema.pointer(&place).unwrap();
            let default = defaults.pointer(&format!("/{}/{name}", section.replace('.', "/"))).unwrap();
            assert_eq!(&declared["default"], default, "{section}.{name}");
            assert_eq!(declared.get("minimum").is_some(), parameter.range.is_some(), "{section}.{name}");
            for (keyword, outwards) in [("minimum", -1), ("maximum", 1)] {
                let Some(end) = declared.get(keyword) else { continue };
                let whole = end.as_i64().map(|end| json!(end + outwards));
                let outside = whole.unwrap_or_else(|| json!(end.as_f64().unwrap() + outwards as f64));
                assert!(reads(section, name, end.clone()), "{section}.{name}: {keyword}");
                assert!(!reads(section, name, outside), "{section}.{name}: {keyword}");
            }
        }
    }
}
