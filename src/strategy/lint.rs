//! Values that are allowed and probably not meant.

use serde::{Deserialize, Serialize};

use super::{CostRules, DataRules, RiskRules, StrategyFile};

/// Something about a strategy that its writer should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrategyLint {
    /// Stable code, as `dead_slow_trigger`.
    pub code: String,
    /// What it means.
    pub message: String,
}

impl StrategyLint {
    pub(super) fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into() }
    }
}

impl StrategyFile {
    /// Lints of the breakout rules.
    pub(super) fn lints(&self) -> Vec<StrategyLint> {
        let entry = &self.entry;
        let checks = [
            (
                entry.slow_lookback >= entry.fast_lookback && entry.slow_clearance >= entry.fast_clearance,
                "dead_slow_trigger",
                "the slow trigger never fires alone: its channel is never lower than the fast one and `entry.slow_clearance` >= `entry.fast_clearance`",
            ),
            (
                entry.slow_lookback < entry.fast_lookback,
                "lookbacks_swapped",
                "`entry.slow_lookback` is shorter than `entry.fast_lookback`",
            ),
            (
                self.exit.exit_ma > self.eligibility.trend_ma,
                "exit_above_entry",
                "`exit.exit_ma` is longer than `eligibility.trend_ma`: an entry may be left at once",
            ),
        ];
        those_that_apply(&checks)
    }
}

/// Lints of what every kind of strategy has.
pub(super) fn shared(risk: &RiskRules, costs: &CostRules, data: &DataRules) -> Vec<StrategyLint> {
    let notional_at_risk = risk.max_position_notional * f64::from(risk.max_positions);
    let checks = [
        (risk.max_exposure > 1.0, "leverage", "`risk.max_exposure` is above 1: borrowed cash carries no interest here"),
        (
            notional_at_risk < risk.max_exposure,
            "idle_cash",
            "`risk.max_positions` times `risk.max_position_notional` never reaches `risk.max_exposure`",
        ),
        (
            risk.max_order_pct_adv.is_none(),
            "no_capacity_check",
            "`risk.max_order_pct_adv` is null: orders may exceed what trades",
        ),
        (
            costs.slippage_bps == 0.0 && costs.commission.bps == 0.0 && costs.commission.per_share == 0.0,
            "free_trading",
            "slippage and commission are 0",
        ),
        (
            data.delisting_haircut == 0.0,
            "no_delisting_haircut",
            "`data.delisting_haircut` is 0: a delisted position keeps its last close",
        ),
    ];
    those_that_apply(&checks)
}

fn those_that_apply(checks: &[(bool, &str, &str)]) -> Vec<StrategyLint> {
    let applies = checks.iter().filter(|(applies, ..)| *applies);
    applies.map(|(_, code, message)| StrategyLint::new(code, *message)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use crate::strategy::Strategy;

    #[test]
    fn a_slow_trigger_that_cannot_fire_alone_is_named() {
        let codes = |strategy: &Strategy| strategy.lints().into_iter().map(|lint| lint.code).collect::<Vec<_>>();
        assert!(codes(&Strategy::default()).contains(&"dead_slow_trigger".to_owned()));
        let live = BTreeMap::from([("entry.slow_clearance".to_owned(), json!(0.001))]);
        assert!(!codes(&Strategy::default().with_parameters(&live).unwrap()).contains(&"dead_slow_trigger".to_owned()));
    }
}
