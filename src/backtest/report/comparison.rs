//! The same window with the model and without it: paired by session, with bootstrap intervals of the differences.

use serde::{Deserialize, Serialize};

use crate::backtest::Backtest;
use crate::base::{CancelToken, Cancelled, Seed};
use crate::metric::trading::{drawdown, sharpe, total_return, volatility};
use crate::stats::bootstrap::{Interval, IntervalPlan, interval};
use crate::stats::sum::mean;

/// A figure of both sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparedFigure {
    /// Name, as in the table of figures.
    pub name: String,
    /// Without the model.
    pub off: Option<f64>,
    /// With it.
    pub on: Option<f64>,
    /// With less without.
    pub difference: Option<f64>,
    /// Block-bootstrap interval of the difference, sessions drawn together for both sides; for figures of returns.
    pub interval: Option<Interval>,
}

/// What a model changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MlComparison {
    /// Where probabilities come from: `fold predictions`, or the name of the model.
    pub probabilities: String,
    /// Signals scored by a model that had seen them. Above 0, every figure with the model is in sample.
    pub in_sample: usize,
    /// Figures of both sides.
    pub figures: Vec<ComparedFigure>,
}

type OfReturns = fn(&[f64], f64) -> Option<f64>;

/// Figures of returns, with intervals.
const OF_RETURNS: &[(&str, OfReturns)] = &[
    ("total_return", |returns, _| total_return(returns)),
    ("volatility", volatility),
    ("sharpe", sharpe),
    ("max_drawdown", |returns, _| drawdown(returns).map(|it| it.max_drawdown)),
];

impl MlComparison {
    /// Compares two simulations of the same window.
    ///
    /// # Errors
    /// [`Cancelled`] when the token asks for a stop.
    pub fn of(
        probabilities: &str,
        in_sample: usize,
        (off, on): (&Backtest, &Backtest),
        periods_per_year: f64,
        plan: Option<&IntervalPlan>,
        seed: Seed,
        cancel: &CancelToken,
    ) -> Result<Self, Cancelled> {
        let (without, with) = (off.returns(), on.returns());
        let mut figures = Vec::new();
        for (name, of) in OF_RETURNS {
            let difference = |rows: &[usize]| {
                let pick = |returns: &[f64]| rows.iter().map(|&row| returns[row]).collect::<Vec<f64>>();
                Some(of(&pick(&with), periods_per_year)? - of(&pick(&without), periods_per_year)?)
            };
            let range = match plan.filter(|_| without.len() == with.len()) {
                None => None,
                Some(plan) => {
                    let block = plan.block_for(&[&without, &with]);
                    interval(with.len(), plan.resamples, block, plan.level, seed.derive("ml"), cancel, difference)?
                }
            };
            figures.push(figure(name, of(&without, periods_per_year), of(&with, periods_per_year), range));
        }
        let trades = |side: &Backtest| Some(side.trades.len() as f64);
        let r = |side: &Backtest| side.trades.iter().filter_map(|trade| trade.r).collect::<Vec<f64>>();
        let win_rate = |side: &Backtest| {
            let won = side.trades.iter().filter(|trade| trade.net_pnl > 0.0).count();
            (!side.trades.is_empty()).then(|| won as f64 / side.trades.len() as f64)
        };
        figures.push(figure("trades", trades(off), trades(on), None));
        figures.push(figure("win_rate", win_rate(off), win_rate(on), None));
        figures.push(figure("expectancy_r", mean(&r(off)), mean(&r(on)), None));
        Ok(Self { probabilities: probabilities.to_owned(), in_sample, figures })
    }

    /// What a reader must know of the two sides.
    pub const NOTE: &str =
        "with: limits and sizes of positions of the model hold too; set `limits` to null to compare the ranking alone";

    /// A figure by name.
    pub fn figure(&self, name: &str) -> Option<&ComparedFigure> {
        self.figures.iter().find(|figure| figure.name == name)
    }

    /// Rows for people: name, without, with, difference and its interval.
    pub fn rows(&self) -> Vec<[String; 4]> {
        let number = |name: &str, value: Option<f64>, is_difference: bool| {
            let Some(value) = value else { return "-".to_owned() };
            let sign = if is_difference { "+" } else { "" };
            match (name, sign) {
                ("sharpe", "+") => format!("{value:+.2}"),
                ("sharpe", _) => format!("{value:.2}"),
                ("trades", "+") => format!("{value:+.0}"),
                ("trades", _) => format!("{value:.0}"),
                ("expectancy_r", _) => format!("{value:+.2} R"),
                (_, "+") => format!("{:+.2} %", 100.0 * value),
                _ => format!("{:.2} %", 100.0 * value),
            }
        };
        let row = |it: &ComparedFigure| {
            let name = it.name.as_str();
            let difference = number(name, it.difference, true);
            let range = it.interval.map(|range| {
                format!(" [{}, {}]", number(name, Some(range.low), true), number(name, Some(range.high), true))
            });
            let shown = difference + &range.unwrap_or_default();
            [it.name.clone(), number(name, it.off, false), number(name, it.on, false), shown]
        };
        self.figures.iter().map(row).collect()
    }
}

fn figure(name: &str, off: Option<f64>, on: Option<f64>, interval: Option<Interval>) -> ComparedFigure {
    let difference = off.zip(on).map(|(off, on)| on - off);
    ComparedFigure { name: name.to_owned(), off, on, difference, interval }
}
