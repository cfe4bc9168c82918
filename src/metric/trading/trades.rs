//! Metrics of closed trades, each given by its result: R multiples (profit over initial risk) or money.

use super::returns::{flat, ratio, usable};
use crate::stats::sum::{mean, std_dev};

/// Computes the mean result of a trade, in R when the results are R multiples.
pub fn expectancy_r(results: &[f64]) -> Option<f64> {
    mean(usable(results)?)
}

/// Computes the share of winning trades among all trades; a result of 0 is no win.
pub fn trade_win_rate(results: &[f64]) -> Option<f64> {
    usable(results)?;
    Some(results.iter().filter(|result| **result > 0.0).count() as f64 / results.len() as f64)
}

/// Computes the mean of the winning trades; `None` without one.
pub fn average_win(results: &[f64]) -> Option<f64> {
    usable(results)?;
    mean(&results.iter().copied().filter(|result| *result > 0.0).collect::<Vec<_>>())
}

/// Computes the mean of the losing trades (a negative number); `None` without one.
pub fn average_loss(results: &[f64]) -> Option<f64> {
    usable(results)?;
    mean(&results.iter().copied().filter(|result| *result < 0.0).collect::<Vec<_>>())
}

/// Computes the payoff ratio, average win over average loss; `None` without both.
pub fn payoff(results: &[f64]) -> Option<f64> {
    ratio(average_win(results)?, -average_loss(results)?)
}

/// Computes the Kelly fraction `W - (1 - W) / payoff` of the win rate W; `None` without a payoff.
///
/// # References
/// Kelly (1956), A new interpretation of information rate.
pub fn kelly(results: &[f64]) -> Option<f64> {
    let wins = trade_win_rate(results)?;
    Some(wins - (1.0 - wins) / payoff(results)?)
}

/// Computes the system quality number, `sqrt(n) mean / standard deviation` (divisor n - 1).
///
/// `None` for constant results and for fewer than 2.
///
/// # References
/// Tharp (2008), The definitive guide to position sizing.
pub fn sqn(results: &[f64]) -> Option<f64> {
    scaled_quality(results, results.len())
}

/// Computes [`sqn`] with the number of trades capped at 100, so that many mediocre trades do not look excellent.
pub fn sqn_capped(results: &[f64]) -> Option<f64> {
    scaled_quality(results, results.len().min(100))
}

fn scaled_quality(results: &[f64], trades: usize) -> Option<f64> {
    if flat(usable(results)?) {
        return None;
    }
    ratio(mean(results)?, std_dev(results, 1)?).map(|quality| quality * (trades as f64).sqrt())
}

/// Counts the longest run of winning trades; a result of 0 ends a run.
pub fn longest_winning_streak(results: &[f64]) -> usize {
    longest_run(results, |result| result > 0.0)
}

/// Counts the longest run of losing trades; a result of 0 ends a run.
pub fn longest_losing_streak(results: &[f64]) -> usize {
    longest_run(results, |result| result < 0.0)
}

fn longest_run(results: &[f64], belongs: impl Fn(f64) -> bool) -> usize {
    let (mut longest, mut run) = (0, 0);
    for result in results {
        run = if belongs(*result) { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}
