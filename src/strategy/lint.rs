//! Values that are allowed and probably not meant.

use serde::{Deserialize, Serialize};

use super::Strategy;

/// Something about a strategy that its writer should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrategyLint {
    /// Stable code, as `dead_slow_trigger`.
    pub code: String,
    /// What it means.
    pub message: String,
}

impl Strategy {
    /// Lists what is allowed and probably not meant.
    pub fn lints(&self) -> Vec<StrategyLint> {
        let file = self.file();
        let (entry, risk) = (&file.entry, &file.risk);
        let notional_at_risk = risk.max_position_notional * f64::from(risk.max_positions);
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
                file.exit.exit_ma > file.eligibility.trend_ma,
                "exit_above_entry",
                "`exit.exit_ma` is longer than `eligibility.trend_ma`: an entry may be left at once",
            ),
            (
                risk.max_exposure > 1.0,
                "leverage",
                "`risk.max_exposure` is above 1: borrowed cash carries no interest here",
            ),
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
                file.costs.slippage_bps == 0.0
                    && file.costs.commission.bps == 0.0
                    && file.costs.commission.per_share == 0.0,
                "free_trading",
                "slippage and commission are 0",
            ),
            (
                file.data.delisting_haircut == 0.0,
                "no_delisting_haircut",
                "`data.delisting_haircut` is 0: a delisted position keeps its last close",
            ),
        ];
        checks
            .into_iter()
            .filter(|(applies, ..)| *applies)
            .map(|(_, code, message)| StrategyLint { code: code.to_owned(), message: message.to_owned() })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_slow_trigger_that_cannot_fire_alone_is_named() {
        let codes = |strategy: &Strategy| strategy.lints().into_iter().map(|lint| lint.code).collect::<Vec<_>>();
        assert!(codes(&Strategy::default()).contains(&"dead_slow_trigger".to_owned()));
        let live = BTreeMap::from([("entry.slow_clearance".to_owned(), json!(0.001))]);
        assert!(!codes(&Strategy::default().with_parameters(&live).unwrap()).contains(&"dead_slow_trigger".to_owned()));
    }
}
