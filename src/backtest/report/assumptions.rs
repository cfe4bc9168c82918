//! What a simulation takes for granted, in the words of its reader.

use crate::backtest::PortfolioRules;
use crate::strategy::{AtEnd, FillAt, OnGap, StopAnchor, StopTrigger};

/// Lists what these rules assume, the departures from what can be traded first.
pub(super) fn assumptions(rules: &PortfolioRules, periods_per_year: f64) -> Vec<String> {
    let (risk, costs, data) = (&rules.risk, &rules.costs, &rules.data);
    let commission = &costs.commission;
    let fill = match rules.fill {
        FillAt::Close => "market orders fill at the close that gave the signal, which nobody can know and trade at",
        FillAt::NextOpen => "market orders fill at the open of the bar after the signal, whole or not at all",
    };
    let stop = match rules.stop_trigger {
        StopTrigger::Intrabar => {
            "a stop touched inside a bar is hit, on the entry bar too, at the worse of stop and open"
        }
        StopTrigger::Close => "a stop is looked at on the close and leaves as a market order",
    };
    let anchor = match rules.stop_anchor {
        StopAnchor::SignalClose => "stop and target are measured from the close of the signal bar",
        StopAnchor::Fill => "stop and target are measured from the net fill",
    };
    let gap = match rules.on_gap {
        OnGap::Reject => "an order whose open is at or beyond its stop is cancelled",
        OnGap::Enter => "an order whose open is at or beyond its stop is filled, and stopped at once",
    };
    let end = match rules.at_end {
        AtEnd::Mark => "what is open at the end is marked at its last close and is no trade",
        AtEnd::ExitAtLastOpen => "what is open leaves at the open of the last session",
    };
    let capacity = risk.max_order_pct_adv.map_or("orders of any size are filled".to_owned(), |share| {
        format!("an order is at most {} % of the average traded value", 100.0 * share)
    });
    vec![
        fill.to_owned(),
        format!(
            "slippage {} bp a fill, {} bp more at stops; commission {} bp, {} a unit, at least {}",
            costs.slippage_bps, costs.stop_slippage_bps, commission.bps, commission.per_share, commission.min
        ),
        stop.to_owned(),
        "inside one bar a stop comes before a target, and a limit fills at the better open".to_owned(),
        anchor.to_owned(),
        gap.to_owned(),
        format!("at most {} positions, {} % of equity each", risk.max_positions, 100.0 * risk.max_position_notional),
        capacity,
        format!(
            "a position without bars for {} sessions leaves at the next open; delisted, it loses {} % of its last close",
            data.max_missing_sessions,
            100.0 * data.delisting_haircut
        ),
        end.to_owned(),
        "no interest, dividends beyond the prices, borrow fees, taxes or market impact; shorts keep as much again as collateral".to_owned(),
        format!("a year has {periods_per_year} sessions, and the risk-free rate is 0"),
    ]
}
