//! The closed set of trading metrics that a pipeline may name as an objective or a guardrail.
//!
//! One table row gives a metric its name, direction, description and formula; parser, documentation and suggestions
//! read the same table.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::drawdown::drawdown;
use super::{returns, trades};
use crate::base::{CancelToken, Cancelled, Seed, schema};
use crate::stats::bootstrap::{Interval, IntervalPlan, interval};

/// Which way a metric improves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricDirection {
    /// More is better.
    Maximize,
    /// Less is better.
    Minimize,
}

/// A name that no trading metric has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown trading metric `{name}`, expected one of {}", TradingMetric::names().join(", "))]
pub struct UnknownMetric {
    /// The name as written.
    pub name: String,
}

/// What a metric is computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricSource {
    /// Per-period returns.
    Returns,
    /// R multiples of the trades.
    Trades,
}

macro_rules! trading_metrics {
    ($($variant:ident, $name:literal, [$($alias:literal),*], $direction:ident, $source:ident, $doc:literal,
        $formula:expr;)+) => {
        /// A trading metric by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum TradingMetric {
            $(#[doc = $doc] $variant,)+
        }

        impl TradingMetric {
            /// Every metric, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name as written in a pipeline.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Other names that are understood.
            pub const fn aliases(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($alias),*],)+ }
            }

            /// One sentence on what it measures.
            pub const fn doc(self) -> &'static str {
                match self { $(Self::$variant => $doc,)+ }
            }

            /// Which way it improves.
            pub const fn direction(self) -> MetricDirection {
                match self { $(Self::$variant => MetricDirection::$direction,)+ }
            }

            /// What it is computed from.
            pub const fn source(self) -> MetricSource {
                match self { $(Self::$variant => MetricSource::$source,)+ }
            }

            fn formula(self) -> fn(&[f64], f64) -> Option<f64> {
                match self { $(Self::$variant => $formula,)+ }
            }
        }
    };
}

trading_metrics! {
    Sharpe, "sharpe", ["sharpe_ratio"], Maximize, Returns, "Annual Sharpe ratio of the per-period returns.",
        |x, per_year| returns::sharpe(x, per_year);
    Sortino, "sortino", ["sortino_ratio"], Maximize, Returns, "Annual Sortino ratio, downside over all periods.",
        |x, per_year| returns::sortino(x, per_year);
    Calmar, "calmar", ["calmar_ratio"], Maximize, Returns, "Annual growth over the deepest drawdown.",
        |x, per_year| returns::calmar(x, per_year);
    Cagr, "cagr", [], Maximize, Returns, "Compound annual growth rate.",
        |x, per_year| returns::cagr(x, per_year);
    TotalReturn, "total_return", [], Maximize, Returns, "Compounded return of the whole series.",
        |x, _| returns::total_return(x);
    MaxDrawdown, "max_drawdown", [], Maximize, Returns,
        "Deepest fall below the peak, a negative share; nearer to 0 is better.",
        |x, _| drawdown(x).map(|falls| falls.max_drawdown);
    Volatility, "volatility", [], Minimize, Returns, "Annual standard deviation of the returns.",
        |x, per_year| returns::volatility(x, per_year);
    Ulcer, "ulcer", ["ulcer_index"], Minimize, Returns, "Root of the mean squared drawdown.",
        |x, _| drawdown(x).map(|falls| falls.ulcer_index);
    ValueAtRisk, "value_at_risk", ["var"], Maximize, Returns,
        "Historical 5 % quantile of the returns; nearer to 0 is better.",
        |x, _| returns::value_at_risk(x, 0.05);
    ConditionalValueAtRisk, "conditional_value_at_risk", ["cvar"], Maximize, Returns,
        "Mean of the worst 5 % of the returns; nearer to 0 is better.",
        |x, _| returns::conditional_value_at_risk(x, 0.05);
    TailRatio, "tail_ratio", [], Maximize, Returns, "95 % quantile over 5 % quantile of the returns, magnitudes.",
        |x, _| returns::tail_ratio(x);
    Omega, "omega", ["omega_ratio"], Maximize, Returns, "Gains over losses of the periods.",
        |x, _| returns::omega(x, 0.0);
    ProfitFactor, "profit_factor", [], Maximize, Trades, "Sum of winning over sum of losing trades, in R.",
        |x, _| returns::profit_factor(x);
    WinRate, "win_rate", [], Maximize, Trades, "Share of winning trades.",
        |x, _| trades::trade_win_rate(x);
    Payoff, "payoff", ["payoff_ratio"], Maximize, Trades, "Average winning over average losing trade.",
        |x, _| trades::payoff(x);
    ExpectancyR, "expectancy_r", ["expectancy"], Maximize, Trades, "Mean R multiple of a trade.",
        |x, _| trades::expectancy_r(x);
    Sqn, "sqn", [], Maximize, Trades, "System quality number of the trades.",
        |x, _| trades::sqn(x);
}

impl TradingMetric {
    /// The names of all metrics, in the order of the table.
    pub fn names() -> Vec<&'static str> {
        Self::ALL.iter().map(|metric| metric.name()).collect()
    }

    /// Computes the metric from per-period returns and the R multiples of the trades; `None` where undefined.
    ///
    /// Only one of the two is used: [`TradingMetric::source`] says which.
    pub fn evaluate(&self, returns: &[f64], periods_per_year: f64, trade_r: &[f64]) -> Option<f64> {
        self.formula()(self.series(returns, trade_r), periods_per_year)
    }

    /// Bootstraps an interval of the metric (stationary bootstrap of its source in time order).
    ///
    /// An undeclared block length is estimated from the series and its squares, which carry volatility clusters.
    ///
    /// # Errors
    /// [`Cancelled`] when the token asks for a stop.
    pub fn interval(
        &self,
        returns: &[f64],
        periods_per_year: f64,
        trade_r: &[f64],
        plan: &IntervalPlan,
        seed: Seed,
        cancel: &CancelToken,
    ) -> Result<Option<Interval>, Cancelled> {
        let series = self.series(returns, trade_r);
        let squares: Vec<f64> = series.iter().map(|value| value * value).collect();
        let mean_block = plan.block_for(&[series, &squares]);
        interval(series.len(), plan.resamples, mean_block, plan.level, seed, cancel, |rows| {
            let drawn: Vec<f64> = rows.iter().map(|&row| series[row]).collect();
            self.formula()(&drawn, periods_per_year)
        })
    }

    fn series<'a>(&self, returns: &'a [f64], trade_r: &'a [f64]) -> &'a [f64] {
        match self.source() {
            MetricSource::Returns => returns,
            MetricSource::Trades => trade_r,
        }
    }
}

impl fmt::Display for TradingMetric {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl FromStr for TradingMetric {
    type Err = UnknownMetric;

    fn from_str(name: &str) -> Result<Self, UnknownMetric> {
        Self::ALL
            .iter()
            .copied()
            .find(|metric| metric.name() == name || metric.aliases().contains(&name))
            .ok_or_else(|| UnknownMetric { name: name.to_owned() })
    }
}

impl Serialize for TradingMetric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for TradingMetric {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for TradingMetric {
    fn schema_name() -> Cow<'static, str> {
        "TradingMetric".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema::words(Self::ALL.iter().map(|metric| (metric.name(), metric.aliases(), metric.doc())))
    }
}
