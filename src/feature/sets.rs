//! The sets that ship, by name.

use super::alpha158;
use super::catalogue::CATALOGUE;
use super::derived::DERIVED;
use super::set::{FeatureError, FeatureSet, FeatureSpec};
use crate::expression::Names;

/// A shipped set.
#[derive(Clone, Copy, Debug)]
pub struct Shipped {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub doc: &'static str,
    list: List,
}

#[derive(Clone, Copy, Debug)]
enum List {
    /// Groups of features of the catalogue: heading and names.
    Groups(&'static [(&'static str, &'static [&'static str])]),
    Alpha158,
}

/// Every shipped set.
pub const SETS: &[Shipped] = &[
    Shipped {
        name: "core40",
        doc: "Forty features without units, from one symbol's own bars.",
        list: List::Groups(CORE40),
    },
    Shipped {
        name: "full70",
        doc: "Seventy features without units: price 15, technical 12, volume 5, time 8, lagged 10, rolling 12, and 8 of volatility and \
              cost. The first six groups are those of the systems that this set succeeds; with four targets, which are labels here and \
              no features, they counted 66.",
        list: List::Groups(FULL70),
    },
    Shipped {
        name: "alpha158",
        doc: "The 158 features of Qlib's Alpha158, by its formulas: 9 of the bar, 4 of its prices, 29 operators over 5, 10, 20, 30 and \
              60 bars. A window is null until it is full, where Qlib gives a value of what there is; bars carry no VWAP, so VWAP0 is the \
              typical price.",
        list: List::Alpha158,
    },
];

/// Forty features without units, from one symbol's own bars.
const CORE40: &[(&str, &[&str])] = &[
    ("Returns", &["log_ret_1", "ret_5", "ret_10", "ret_20", "ret_60"]),
    (
        "Momentum and trend",
        &[
            "mom_12_1",
            "rsi_14",
            "macd_hist",
            "efficiency_ratio_20",
            "adx_14",
            "di_balance_14",
            "dist_sma_50",
            "dist_sma_200",
        ],
    ),
    (
        "Place in the recent range",
        &["bb_position_20", "bb_width_20", "zscore_60", "dist_high_20", "dist_low_20", "dist_high_252"],
    ),
    ("Volatility", &["natr_14", "vol_20", "volatility_ratio_10_60", "parkinson_20", "garman_klass_20", "max_dd_60"]),
    ("Volume", &["vol_ratio_20", "volume_ratio_5_60", "obv_slope_20", "vwap_dist_20", "mfi_14"]),
    ("The bar and its cost", &["close_pos", "gap", "range_atr_14", "spread_cs_20"]),
    ("Shape of returns", &["skew_20", "kurt_20"]),
    ("Calendar", &["dow_sin", "dow_cos", "month_sin", "month_cos"]),
];

const FULL70: &[(&str, &[&str])] = &[
    (
        "Price",
        &[
            "log_ret_1",
            "ret_5",
            "ret_20",
            "ret_60",
            "gap",
            "hl_range",
            "close_pos",
            "body",
            "upper_shadow",
            "lower_shadow",
            "dist_sma_20",
            "dist_sma_50",
            "dist_sma_200",
            "dist_high_20",
            "dist_low_20",
        ],
    ),
    (
        "Technical",
        &[
            "rsi_14",
            "macd_line",
            "macd_signal",
            "macd_hist",
            "bb_position_20",
            "bb_width_20",
            "stoch_k_14",
            "stoch_d_14",
            "willr_14",
            "adx_14",
            "cci_20",
            "natr_14",
        ],
    ),
    ("Volume", &["vol_ratio_20", "volume_ratio_5_60", "obv_slope_20", "vwap_dist_20", "mfi_14"]),
    (
        "Time, on circles",
        &["hour_sin", "hour_cos", "dow_sin", "dow_cos", "day_sin", "day_cos", "month_sin", "month_cos"],
    ),
    (
        "Lagged",
        &[
            "log_ret_lag_1",
            "log_ret_lag_2",
            "log_ret_lag_3",
            "log_ret_lag_5",
            "log_ret_lag_10",
            "vol_ratio_lag_1",
            "vol_ratio_lag_2",
            "vol_ratio_lag_3",
            "vol_ratio_lag_5",
            "vol_ratio_lag_10",
        ],
    ),
    (
        "Rolling",
        &[
            "vol_5", "vol_10", "vol_20", "vol_50", "skew_5", "skew_10", "skew_20", "skew_50", "kurt_5", "kurt_10",
            "kurt_20", "kurt_50",
        ],
    ),
    (
        "Volatility and cost",
        &[
            "parkinson_20",
            "garman_klass_20",
            "ewm_vol_094",
            "max_dd_60",
            "efficiency_ratio_20",
            "range_atr_14",
            "spread_cs_20",
            "volatility_ratio_10_60",
        ],
    ),
];

impl Shipped {
    /// Finds a set by name.
    pub fn named(name: &str) -> Result<&'static Self, FeatureError> {
        let unknown = || FeatureError::UnknownSet { name: name.to_owned(), built: FeatureSet::built() };
        SETS.iter().find(|set| set.name == name).ok_or_else(unknown)
    }

    /// Headings with the features below them, in column order.
    pub fn groups(&self) -> Vec<(&'static str, Vec<FeatureSpec>)> {
        match self.list {
            // a name that is not in the catalogue fails the test that counts the sets
            List::Groups(groups) => groups
                .iter()
                .map(|(heading, names)| (*heading, names.iter().filter_map(|name| spec(name)).collect()))
                .collect(),
            List::Alpha158 => alpha158::groups(),
        }
    }

    pub(super) fn specs(&self) -> Vec<FeatureSpec> {
        self.groups().into_iter().flat_map(|(_, specs)| specs).collect()
    }
}

/// A feature of the catalogue, computed by a kernel or by an expression.
fn spec(name: &str) -> Option<FeatureSpec> {
    let derived = || {
        let row = DERIVED.iter().find(|(known, ..)| *known == name)?;
        Some(FeatureSpec::expression(row.0, row.1, row.2))
    };
    CATALOGUE.iter().find(|spec| spec.name == name).cloned().or_else(derived)
}

impl FeatureSet {
    /// Finds a shipped set by name.
    ///
    /// # Errors
    /// [`FeatureError::UnknownSet`], which names the sets that exist.
    pub fn named(name: &str) -> Result<Self, FeatureError> {
        Self::compile(name, Shipped::named(name)?.specs(), &Names::bars())
    }

    /// Makes a set from features of the shipped sets `core40` and `full70`, and of the catalogue, in the order given.
    ///
    /// # Errors
    /// [`FeatureError::UnknownFeature`] and [`FeatureError::DuplicateFeature`].
    pub fn of(name: &str, features: &[&str]) -> Result<Self, FeatureError> {
        let find =
            |feature: &&str| spec(feature).ok_or_else(|| FeatureError::UnknownFeature { name: (*feature).to_owned() });
        Self::compile(name, features.iter().map(find).collect::<Result<_, _>>()?, &Names::bars())
    }

    /// Names of the shipped sets.
    pub fn built() -> Vec<&'static str> {
        SETS.iter().map(|set| set.name).collect()
    }
}
