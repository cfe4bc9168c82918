//! What a strategy earned and what it risked: from simple per-period returns and from the results of its trades.
//!
//! Conventions: returns are simple (0.01 = 1 %), the risk-free rate is 0 (subtract it first), equity starts at 1,
//! losses and drawdowns are negative numbers, annual figures use the `periods_per_year` of the calendar.
//!
//! # NaN
//! One return that is not finite makes every metric of that series `None`: a hole in the returns must not shrink a
//! risk.

mod benchmark;
mod catalogue;
mod drawdown;
mod metric;
mod report;
mod returns;
mod trades;

#[cfg(test)]
mod tests;

pub use benchmark::{alpha, beta, correlation, down_capture, information_ratio, tracking_error, up_capture};
pub use catalogue::{ClosedTrade, METRICS, Measured, MetricGroup, MetricRow, MetricUnit, MetricValue};
pub use drawdown::{Drawdown, DrawdownEpisode, drawdown, drawdown_episodes};
pub use metric::{MetricDirection, MetricSource, TradingMetric, UnknownMetric};
pub use report::{TradeReport, TradingReport, trade_report, trading_report};
pub use returns::{
    cagr, calmar, conditional_value_at_risk, downside_deviation, flat, gain_to_pain, kurtosis, omega, profit_factor,
    sharpe, skewness, sortino, stability, tail_ratio, total_return, value_at_risk, value_at_risk_normal, volatility,
    win_rate,
};
pub use trades::{
    average_loss, average_win, expectancy_r, kelly, longest_losing_streak, longest_winning_streak, payoff, sqn,
    sqn_capped, trade_win_rate,
};
