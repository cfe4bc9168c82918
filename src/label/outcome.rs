//! The value of a label, from the bars after its signal.
//!
//! With t the signal bar, h the horizon in sessions, `last` the symbol's last bar of the sessions up to t + h, and `vol20`
//! the standard deviation (ddof 1) of the 20 log returns up to t:
//!
//! ```text
//! return         C[last] / C[t] - 1
//! direction      1 if return > k * vol20[t],  -1 if return < -k * vol20[t],  else 0
//! volatility     sd of ln(C[i] / C[i-1]) over the bars t < i <= last, ddof 1, a bar
//! triple_barrier first bar t < i <= last with  L[i] <= C[t] - lower * unit: -1,  H[i] >= C[t] + upper * unit: 1;  none: 0
//! optimal_action the best of  buy: x_sell / e_buy - 1 - fees,  sell: 1 - x_buy / e_sell - fees,  hold: 0
//! signal_success first bar of the trade with  L[i] <= S0: 0,  H[i] >= e + target_r * (e - S0): 1;  none: 0
//! ```
//! `e` is the fill at O(t+1) and `x` the fill at C[last], each with slippage on its own side. Of two barriers that one bar
//! touches the lower counts. Prices are never filled forward: a missing bar has no high and no low, and `last` is the last
//! bar there was.
//!
//! The trade's side mirrors what hangs on a trade: stop and target of `signal_success`, and the barriers of
//! `triple_barrier`, whose `lower` is the side of the loss. `direction`, `return`, `volatility` and `optimal_action` speak
//! of the price and are the same for either side.

use super::{BarrierUnit, Barriers, LabelConfig, LabelKind};
use crate::backtest::PortfolioRules;
use crate::indicator;
use crate::market::Series;
use crate::strategy::Side;

/// Bars of the volatility that dead zone and barriers are measured in.
const VOLATILITY_BARS: usize = 20;
/// Bars of the average true range that barriers may be measured in.
const ATR_BARS: usize = 14;

/// What is known of a trade that a label is made for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entered {
    pub side: Side,
    pub signal_row: usize,
    pub entry_price: f64,
    /// Initial stop.
    pub stop: Option<f64>,
    pub quantity: f64,
}

/// A label, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Outcome {
    /// The value, and the session in which it was known.
    Known { value: f64, t1: u32 },
    /// The data ends before the label is known.
    Open,
    /// The formula has no value here: no bar within the horizon, no volatility yet, no stop.
    Undefined,
}

/// The bars of a symbol, and what labels measure in them.
pub(super) struct Labeller<'a> {
    config: &'a LabelConfig,
    rules: &'a PortfolioRules,
    series: &'a Series,
    /// Last session of the data set.
    last_session: u32,
    /// The unit of dead zone or barriers at each bar, as a distance from the close; empty where none is needed.
    unit: Vec<f64>,
}

impl<'a> Labeller<'a> {
    pub(super) fn new(
        config: &'a LabelConfig,
        rules: &'a PortfolioRules,
        series: &'a Series,
        last_session: u32,
    ) -> Self {
        let volatility = || indicator::stddev(&indicator::log_return(&series.close, 1), VOLATILITY_BARS, 1);
        let of_close = |share: f64, close: &f64| share * close;
        let unit = match (config.kind, config.barriers.unit) {
            (LabelKind::Direction, _) => volatility(),
            (LabelKind::TripleBarrier, BarrierUnit::Volatility) => {
                volatility().into_iter().zip(&series.close).map(|(share, close)| of_close(share, close)).collect()
            }
            (LabelKind::TripleBarrier, BarrierUnit::Atr) => {
                indicator::atr(&series.high, &series.low, &series.close, ATR_BARS)
            }
            (LabelKind::TripleBarrier, BarrierUnit::Share) => series.close.clone(),
            _ => Vec::new(),
        };
        Self { config, rules, series, last_session, unit }
    }

    /// The label of a trade whose own outcome is `(r, exit session)`.
    pub(super) fn outcome(&self, trade: &Entered, r: f64, exit_session: u32) -> Outcome {
        match self.config.kind {
            LabelKind::RMultiple => Outcome::Known { value: r, t1: exit_session },
            LabelKind::SignalSuccess => self.success(trade),
            LabelKind::TripleBarrier => self.triple_barrier(trade),
            LabelKind::Direction | LabelKind::Return | LabelKind::Volatility | LabelKind::OptimalAction => {
                self.at_horizon(trade)
            }
        }
    }

    /// Labels that look at the last bar of the horizon.
    fn at_horizon(&self, trade: &Entered) -> Outcome {
        let t1 = self.series.session[trade.signal_row] + self.config.horizon;
        if t1 > self.last_session {
            return Outcome::Open;
        }
        let last = self.last_row_until(trade.signal_row, t1);
        if last == trade.signal_row {
            return Outcome::Undefined;
        }
        let value = match self.config.kind {
            LabelKind::Volatility => self.volatility(trade.signal_row, last),
            LabelKind::Direction => self.direction(trade.signal_row, last),
            LabelKind::OptimalAction => self.optimal_action(trade, last),
            _ => self.price_return(trade.signal_row, last),
        };
        if value.is_nan() { Outcome::Undefined } else { Outcome::Known { value, t1 } }
    }

    fn price_return(&self, row: usize, last: usize) -> f64 {
        self.series.close[last] / self.series.close[row] - 1.0
    }

    fn direction(&self, row: usize, last: usize) -> f64 {
        let (change, least) = (self.price_return(row, last), self.config.dead_zone * self.unit[row]);
        if least.is_nan() {
            return f64::NAN;
        }
        f64::from(i8::from(change > least) - i8::from(change < -least))
    }

    fn volatility(&self, row: usize, last: usize) -> f64 {
        let returns = indicator::log_return(&self.series.close[row..=last], 1);
        indicator::stddev(&returns[1..], last - row, 1).last().copied().filter(|_| last - row > 1).unwrap_or(f64::NAN)
    }

    fn optimal_action(&self, trade: &Entered, last: usize) -> f64 {
        let entry = trade.signal_row + 1;
        let costs = &self.rules.costs;
        let profit = |side: Side| {
            let (is_buy, is_cover) = (side == Side::Long, side == Side::Short);
            let into = costs.slipped(self.series.open[entry], is_buy, costs.slippage_bps);
            let out = costs.slipped(self.series.close[last], is_cover, costs.slippage_bps);
            let fees = costs.commission.of(trade.quantity, into) + costs.commission.of(trade.quantity, out);
            side.sign() * (out - into) / into - fees / (trade.quantity * into)
        };
        let (buy, sell) = (profit(Side::Long), profit(Side::Short));
        match () {
            () if buy.max(sell) <= 0.0 => 0.0,
            () if buy >= sell => 1.0,
            () => -1.0,
        }
    }

    fn triple_barrier(&self, trade: &Entered) -> Outcome {
        let (close, unit) = (self.series.close[trade.signal_row], self.unit[trade.signal_row]);
        if unit.is_nan() {
            return Outcome::Undefined;
        }
        let Barriers { upper, lower, .. } = self.config.barriers;
        let sign = trade.side.sign();
        let levels = (close - sign * lower * unit, close + sign * upper * unit);
        self.first_touch(trade, levels, -1.0, self.config.horizon)
    }

    fn success(&self, trade: &Entered) -> Outcome {
        let Some(stop) = trade.stop else { return Outcome::Undefined };
        let target = trade.entry_price + self.config.target_r * (trade.entry_price - stop);
        self.first_touch(trade, (stop, target), 0.0, self.config.max_horizon)
    }

    /// 1 if the level of the gain is touched first, `loss` if that of the loss is, 0 if neither is within the horizon.
    fn first_touch(&self, trade: &Entered, (bad, good): (f64, f64), loss: f64, horizon: u32) -> Outcome {
        let series = self.series;
        let end = series.session[trade.signal_row] + horizon;
        let rows = (trade.signal_row + 1..series.len()).take_while(|&row| series.session[row] <= end);
        for row in rows {
            let (is_bad, is_good) = match trade.side {
                Side::Long => (series.low[row] <= bad, series.high[row] >= good),
                Side::Short => (series.high[row] >= bad, series.low[row] <= good),
            };
            if is_bad || is_good {
                let value = if is_bad { loss } else { 1.0 };
                return Outcome::Known { value, t1: series.session[row] };
            }
        }
        if end > self.last_session { Outcome::Open } else { Outcome::Known { value: 0.0, t1: end } }
    }

    /// Last row of the symbol up to a session.
    fn last_row_until(&self, row: usize, session: u32) -> usize {
        row + self.series.session[row + 1..].partition_point(|&own| own <= session)
    }
}
