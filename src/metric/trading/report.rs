//! All trading metrics of one series of returns or one list of trades.

use serde::{Deserialize, Serialize};

use super::drawdown::{Drawdown, drawdown};
use super::returns;
use super::trades;
use crate::stats::sum::{mean, sum};

/// Tail probability of the value at risk in reports.
const TAIL: f64 = 0.05;

/// What a series of per-period returns earned and risked; `None` where undefined.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TradingReport {
    /// Number of periods.
    pub periods: usize,
    /// Periods of one year, for annual figures.
    pub periods_per_year: f64,
    /// Compounded return of the whole series.
    pub total_return: Option<f64>,
    /// Compound annual growth rate.
    pub cagr: Option<f64>,
    /// Mean return of a period.
    pub mean: Option<f64>,
    /// Annual volatility.
    pub volatility: Option<f64>,
    /// Annual downside deviation.
    pub downside_deviation: Option<f64>,
    /// Annual Sharpe ratio.
    pub sharpe: Option<f64>,
    /// Annual Sortino ratio.
    pub sortino: Option<f64>,
    /// Calmar ratio.
    pub calmar: Option<f64>,
    /// Depth and duration of drawdowns.
    pub drawdown: Option<Drawdown>,
    /// Historical value at risk at 5 %.
    pub value_at_risk: Option<f64>,
    /// Normal value at risk at 5 %.
    pub value_at_risk_normal: Option<f64>,
    /// Conditional value at risk at 5 %.
    pub conditional_value_at_risk: Option<f64>,
    /// Upper over lower 5 % tail.
    pub tail_ratio: Option<f64>,
    /// Omega ratio at 0.
    pub omega: Option<f64>,
    /// Sum of gains over sum of losses.
    pub profit_factor: Option<f64>,
    /// Sum of returns over sum of losses.
    pub gain_to_pain: Option<f64>,
    /// Share of gains among the periods that moved.
    pub win_rate: Option<f64>,
    /// Population skewness.
    pub skewness: Option<f64>,
    /// Full population kurtosis (normal = 3).
    pub kurtosis: Option<f64>,
}

/// What a list of closed trades earned; `None` where undefined.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TradeReport {
    /// Number of trades.
    pub trades: usize,
    /// Sum of the results; 0 without trades.
    pub total_r: Option<f64>,
    /// Mean result.
    pub expectancy_r: Option<f64>,
    /// Share of winning trades.
    pub win_rate: Option<f64>,
    /// Mean winning result.
    pub average_win: Option<f64>,
    /// Mean losing result, negative.
    pub average_loss: Option<f64>,
    /// Sum of wins over sum of losses.
    pub profit_factor: Option<f64>,
    /// Average win over average loss.
    pub payoff: Option<f64>,
    /// Kelly fraction.
    pub kelly: Option<f64>,
    /// System quality number.
    pub sqn: Option<f64>,
    /// System quality number with at most 100 trades counted.
    pub sqn_capped: Option<f64>,
    /// Longest run of wins.
    pub longest_winning_streak: usize,
    /// Longest run of losses.
    pub longest_losing_streak: usize,
}

/// Computes every metric of per-period returns.
pub fn trading_report(returns: &[f64], periods_per_year: f64) -> TradingReport {
    TradingReport {
        periods: returns.len(),
        periods_per_year,
        total_return: returns::total_return(returns),
        cagr: returns::cagr(returns, periods_per_year),
        mean: returns::usable(returns).and_then(mean),
        volatility: returns::volatility(returns, periods_per_year),
        downside_deviation: returns::downside_deviation(returns, periods_per_year),
        sharpe: returns::sharpe(returns, periods_per_year),
        sortino: returns::sortino(returns, periods_per_year),
        calmar: returns::calmar(returns, periods_per_year),
        drawdown: drawdown(returns),
        value_at_risk: returns::value_at_risk(returns, TAIL),
        value_at_risk_normal: returns::value_at_risk_normal(returns, TAIL),
        conditional_value_at_risk: returns::conditional_value_at_risk(returns, TAIL),
        tail_ratio: returns::tail_ratio(returns),
        omega: returns::omega(returns, 0.0),
        profit_factor: returns::profit_factor(returns),
        gain_to_pain: returns::gain_to_pain(returns),
        win_rate: returns::win_rate(returns),
        skewness: returns::skewness(returns),
        kurtosis: returns::kurtosis(returns),
    }
}

/// Computes every metric of closed trades from their R multiples (or their money results).
pub fn trade_report(r: &[f64]) -> TradeReport {
    let total = sum(r.iter().copied());
    TradeReport {
        trades: r.len(),
        total_r: total.is_finite().then_some(total),
        expectancy_r: trades::expectancy_r(r),
        win_rate: trades::trade_win_rate(r),
        average_win: trades::average_win(r),
        average_loss: trades::average_loss(r),
        profit_factor: returns::profit_factor(r),
        payoff: trades::payoff(r),
        kelly: trades::kelly(r),
        sqn: trades::sqn(r),
        sqn_capped: trades::sqn_capped(r),
        longest_winning_streak: trades::longest_winning_streak(r),
        longest_losing_streak: trades::longest_losing_streak(r),
    }
}
