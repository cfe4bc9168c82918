//! Named, ordered sets of features and the frame they fill.

use super::catalogue::CATALOGUE;
use super::inputs::Inputs;
use crate::market::Series;

/// One feature: what the reference page says about it, and its kernel.
#[derive(Clone, Copy)]
pub struct FeatureSpec {
    /// Column name.
    pub name: &'static str,
    /// Formula in terms of `o, h, l, c, v`, `x[-n]` for n bars ago, and indicators by name.
    pub formula: &'static str,
    /// What it tells a model, with its source where there is one.
    pub doc: &'static str,
    /// Bars before the current one that the first value needs: the first known row of a complete series.
    pub look_back: usize,
    pub(super) kernel: fn(&Inputs<'_>) -> Vec<f64>,
}

impl std::fmt::Debug for FeatureSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FeatureSpec").field("name", &self.name).field("formula", &self.formula).finish_non_exhaustive()
    }
}

/// Why a feature set cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeatureError {
    /// The set is planned but its features are not written.
    #[error("feature set `{name}` is not built, expected one of {}", quoted(built))]
    NotBuilt {
        /// Set asked for.
        name: String,
        /// Sets that exist.
        built: Vec<&'static str>,
    },
    /// No set has this name.
    #[error("unknown feature set `{name}`, expected one of {}", quoted(built))]
    UnknownSet {
        /// Set asked for.
        name: String,
        /// Sets that exist.
        built: Vec<&'static str>,
    },
    /// No feature has this name.
    #[error("unknown feature `{name}`")]
    UnknownFeature {
        /// Feature asked for; [`CATALOGUE`] has those that exist.
        name: String,
    },
    /// A list names a feature twice.
    #[error("feature `{name}` is listed twice")]
    DuplicateFeature {
        /// The repeated feature.
        name: String,
    },
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Sets that the design names and nobody has written yet.
const PLANNED: &[&str] = &["full70", "alpha158"];

/// Forty features without units, from one symbol's own bars.
const CORE40: &[&str] = &[
    // returns
    "log_ret_1",
    "ret_5",
    "ret_10",
    "ret_20",
    "ret_60",
    // momentum and trend
    "mom_12_1",
    "rsi_14",
    "macd_hist",
    "efficiency_ratio_20",
    "adx_14",
    "di_balance_14",
    "dist_sma_50",
    "dist_sma_200",
    // place in the recent range
    "bb_position_20",
    "bb_width_20",
    "zscore_60",
    "dist_high_20",
    "dist_low_20",
    "dist_high_252",
    // volatility
    "natr_14",
    "vol_20",
    "volatility_ratio_10_60",
    "parkinson_20",
    "garman_klass_20",
    "max_dd_60",
    // volume
    "vol_ratio_20",
    "volume_ratio_5_60",
    "obv_slope_20",
    "vwap_dist_20",
    "mfi_14",
    // the bar and its cost
    "close_pos",
    "gap",
    "range_atr_14",
    "spread_cs_20",
    // shape of returns
    "skew_20",
    "kurt_20",
    // calendar
    "dow_sin",
    "dow_cos",
    "month_sin",
    "month_cos",
];

/// Sets that can be computed, by name.
const SETS: &[(&str, &[&str])] = &[("core40", CORE40)];

/// An ordered, named list of features.
#[derive(Clone, Debug)]
pub struct FeatureSet {
    name: String,
    specs: Vec<FeatureSpec>,
}

impl FeatureSet {
    /// Finds a set by name.
    ///
    /// # Errors
    /// [`FeatureError::NotBuilt`] for a planned set, [`FeatureError::UnknownSet`] for any other name; both name the sets that exist.
    pub fn named(name: &str) -> Result<Self, FeatureError> {
        if let Some((_, features)) = SETS.iter().find(|(set, _)| *set == name) {
            return Self::of(name, features);
        }
        let (name, built) = (name.to_owned(), Self::built());
        Err(if PLANNED.contains(&name.as_str()) {
            FeatureError::NotBuilt { name, built }
        } else {
            FeatureError::UnknownSet { name, built }
        })
    }

    /// Makes a set from features of the [`CATALOGUE`], in the order given.
    ///
    /// # Errors
    /// [`FeatureError::UnknownFeature`] and [`FeatureError::DuplicateFeature`].
    pub fn of(name: &str, features: &[&str]) -> Result<Self, FeatureError> {
        let mut specs: Vec<FeatureSpec> = Vec::with_capacity(features.len());
        for &feature in features {
            let spec = CATALOGUE.iter().find(|spec| spec.name == feature);
            let spec = spec.ok_or_else(|| FeatureError::UnknownFeature { name: feature.to_owned() })?;
            if specs.iter().any(|known| known.name == feature) {
                return Err(FeatureError::DuplicateFeature { name: feature.to_owned() });
            }
            specs.push(*spec);
        }
        Ok(Self::from_specs(name, specs))
    }

    pub(super) fn from_specs(name: &str, specs: Vec<FeatureSpec>) -> Self {
        Self { name: name.to_owned(), specs }
    }

    /// Names of the sets that can be computed.
    pub fn built() -> Vec<&'static str> {
        SETS.iter().map(|(name, _)| *name).collect()
    }

    /// Name of the set.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Features in column order.
    pub fn specs(&self) -> &[FeatureSpec] {
        &self.specs
    }

    /// Column names in order.
    pub fn names(&self) -> Vec<String> {
        self.specs.iter().map(|spec| spec.name.to_owned()).collect()
    }

    /// First row of a complete series in which every feature is known.
    pub fn look_back(&self) -> usize {
        self.specs.iter().map(|spec| spec.look_back).max().unwrap_or(0)
    }

    /// Computes the features of one symbol; `sessions` are the start times that `series.session` points into (microseconds, UTC).
    ///
    /// # Shape
    /// One column a feature, one value a bar.
    ///
    /// # NaN
    /// A value not yet known, or undefined by its formula (a bar without range, a window without volume). Never infinite.
    pub fn compute(&self, series: &Series, sessions: &[i64]) -> FeatureFrame {
        let inputs = Inputs::new(series, sessions);
        let finite = |value: f64| if value.is_finite() { value } else { f64::NAN };
        let column = |spec: &FeatureSpec| (spec.kernel)(&inputs).into_iter().map(finite).collect();
        FeatureFrame { names: self.names(), columns: self.specs.iter().map(column).collect() }
    }
}

/// Features of one symbol, column by column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeatureFrame {
    /// Column names, in the order of the set.
    pub names: Vec<String>,
    /// One value a bar in each column; NaN where it is not yet known.
    pub columns: Vec<Vec<f64>>,
}

impl FeatureFrame {
    /// The column of a feature.
    pub fn column(&self, name: &str) -> Option<&[f64]> {
        let index = self.names.iter().position(|known| known == name)?;
        self.columns.get(index).map(Vec::as_slice)
    }

    /// The features of one bar, in column order; empty past the end.
    pub fn row(&self, bar: usize) -> Vec<f64> {
        self.columns.iter().filter_map(|column| column.get(bar).copied()).collect()
    }
}
