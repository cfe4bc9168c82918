//! Money rules: quantities, costs, limits.

use super::{Cap, ExitReason};
use crate::market::Series;
use crate::strategy::{
    AtEnd, Candidate, Commission, CostRules, DataRules, FillAt, OnGap, RiskRules, Size, StopAnchor, StopTrigger,
    Strategy,
};

/// Basis points in one.
const BPS: f64 = 1e4;

/// What the simulator needs of a strategy besides its signals.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PortfolioRules {
    /// Sizing and limits.
    pub risk: RiskRules,
    /// Costs of a fill.
    pub costs: CostRules,
    /// Missing bars and delisting.
    pub data: DataRules,
    /// What stop and target are measured from.
    pub stop_anchor: StopAnchor,
    /// When a stop is looked at.
    pub stop_trigger: StopTrigger,
    /// When a market order fills.
    pub fill: FillAt,
    /// What becomes of an order whose open is at or beyond its stop.
    pub on_gap: OnGap,
    /// What becomes of positions that are open in the last session.
    pub at_end: AtEnd,
}

impl From<&Strategy> for PortfolioRules {
    fn from(strategy: &Strategy) -> Self {
        let execution = strategy.execution();
        Self {
            risk: strategy.risk().clone(),
            costs: strategy.costs().clone(),
            data: strategy.data().clone(),
            stop_anchor: execution.stop_anchor,
            stop_trigger: execution.stop_trigger,
            fill: execution.fill,
            on_gap: execution.on_gap,
            at_end: execution.at_end,
        }
    }
}

impl CostRules {
    /// Price after adverse slippage.
    pub(crate) fn slipped(&self, price: f64, is_buy: bool, slippage_bps: f64) -> f64 {
        if is_buy { price * (1.0 + slippage_bps / BPS) } else { price * (1.0 - slippage_bps / BPS) }
    }

    /// Adverse slippage of a market exit; one that a stop asked for takes that of stops too.
    pub(super) fn market_exit(&self, reason: ExitReason) -> f64 {
        self.slippage_bps + if reason.is_stop() { self.stop_slippage_bps } else { 0.0 }
    }
}

impl Commission {
    /// Commission of one fill, `max(min, bps * notional + per_share * quantity)`.
    pub(crate) fn of(&self, quantity: f64, price: f64) -> f64 {
        (self.bps / BPS * (quantity * price) + self.per_share * quantity).max(self.min)
    }

    /// Largest quantity whose price and commission `cash` pays, before rounding.
    fn affordable(&self, cash: f64, price: f64) -> f64 {
        let by_rate = cash / (price * (1.0 + self.bps / BPS) + self.per_share);
        by_rate.min((cash - self.min) / price).max(0.0)
    }
}

/// What is known at the close of the signal bar, for sizing at the next open.
#[derive(Clone, Copy, Debug)]
pub(super) struct AccountAtSignal {
    /// Equity at the close.
    pub equity: f64,
    /// Gross notional of what stays open and of what was entered before in this session, at closes of the signal bar.
    pub gross: f64,
}

/// A quantity and the limits that cut it, in the order they were applied.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sized {
    pub quantity: f64,
    pub caps: Vec<Cap>,
}

impl Sized {
    fn cap(&mut self, limit: f64, cap: Cap) {
        // a missing limit fails closed: nothing may be ordered against it
        let limit = if limit.is_nan() { 0.0 } else { limit.max(0.0) };
        if limit < self.quantity {
            self.quantity = limit;
            self.caps.push(cap);
        }
    }
}

impl PortfolioRules {
    /// The row in which an order of this candidate fills, if the symbol has a bar then.
    pub(crate) fn entry_row(&self, candidate: &Candidate, series: &Series) -> Option<usize> {
        let row = candidate.row as usize;
        match self.fill {
            FillAt::Close => Some(row),
            FillAt::NextOpen => (series.session.get(row + 1) == Some(&(candidate.session + 1))).then_some(row + 1),
        }
    }

    /// Price before slippage of a market order that fills in a row.
    pub(crate) fn market_price(&self, series: &Series, row: usize) -> f64 {
        match self.fill {
            FillAt::Close => series.close[row],
            FillAt::NextOpen => series.open[row],
        }
    }

    /// Quantity from information at the signal: the wish, cut by notional, the model's share, exposure and traded value,
    /// then whole units.
    ///
    /// `Size::AllCash` wishes for everything and is cut by the model's share and [`PortfolioRules::cut_to_cash`] alone. `scale`
    /// in [0, 1] makes the wish smaller; that of `Size::AllCash` is then a share of equity.
    pub(super) fn size(
        &self,
        candidate: &Candidate,
        close: f64,
        account: AccountAtSignal,
        ml_share: Option<f64>,
        scale: f64,
    ) -> Sized {
        let wish = match candidate.size {
            Size::AllCash => {
                let mut sized = Sized { quantity: f64::INFINITY, caps: Vec::new() };
                if scale < 1.0 {
                    sized.cap(scale * account.equity / close, Cap::MlScale);
                    sized.quantity = self.whole(sized.quantity);
                }
                if let Some(share) = ml_share {
                    sized.cap(share * account.equity / close, Cap::MlPositionSize);
                    sized.quantity = self.whole(sized.quantity);
                }
                return sized;
            }
            Size::Units(units) => units,
            Size::Notional(value) => value / close,
            Size::Share(share) => share * account.equity / close,
            Size::Risk => {
                let distance = candidate.stop.map_or(f64::NAN, |stop| candidate.side.sign() * (close - stop));
                let wish = self.risk.risk_per_trade * account.equity / distance;
                if distance > 0.0 { wish } else { 0.0 }
            }
        };
        let mut sized = Sized { quantity: wish.max(0.0), caps: Vec::new() };
        if scale < 1.0 {
            sized.cap(scale * sized.quantity, Cap::MlScale);
        }
        sized.cap(self.risk.max_position_notional * account.equity / close, Cap::PositionNotional);
        if let Some(share) = ml_share {
            sized.cap(share * account.equity / close, Cap::MlPositionSize);
        }
        sized.cap((self.risk.max_exposure * account.equity - account.gross) / close, Cap::Exposure);
        if let Some(share) = self.risk.max_order_pct_adv {
            sized.cap(share * candidate.adv20 / close, Cap::TradedValue);
        }
        sized.quantity = self.whole(sized.quantity);
        sized
    }

    /// Cuts a quantity to what the free cash pays at the fill, commission included.
    pub(super) fn cut_to_cash(&self, sized: &mut Sized, price: f64, free_cash: f64) {
        let commission = &self.costs.commission;
        if sized.quantity.is_finite() && sized.quantity * price + commission.of(sized.quantity, price) <= free_cash {
            return;
        }
        sized.cap(commission.affordable(free_cash, price), Cap::Cash);
        sized.quantity = self.whole(sized.quantity);
        // the quotient may round up by an ulp; cash must not go below zero for it
        while sized.quantity > 0.0 && sized.quantity * price + commission.of(sized.quantity, price) > free_cash {
            sized.quantity = if self.risk.fractional { sized.quantity.next_down() } else { sized.quantity - 1.0 };
        }
    }

    fn whole(&self, quantity: f64) -> f64 {
        if self.risk.fractional { quantity } else { quantity.floor() }
    }
}
