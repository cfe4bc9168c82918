//! What a synthetic market is made of, and the presets.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::Timestamp;

/// How long a bar is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BarSize {
    /// A session a bar.
    #[serde(rename = "1d")]
    Day,
    /// Seven bars a session.
    #[serde(rename = "1h")]
    Hour,
    /// 78 bars a session.
    #[serde(rename = "5m")]
    FiveMinutes,
    /// 390 bars a session.
    #[serde(rename = "1m")]
    Minute,
}

impl BarSize {
    /// Bars a session.
    pub fn per_day(self) -> usize {
        match self {
            Self::Day => 1,
            Self::Hour => 7,
            Self::FiveMinutes => 78,
            Self::Minute => 390,
        }
    }

    /// Minutes from one bar to the next within a session.
    pub fn minutes(self) -> i64 {
        match self {
            Self::Day => 1440,
            Self::Hour => 60,
            Self::FiveMinutes => 5,
            Self::Minute => 1,
        }
    }
}

/// What changes for good, late in the sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftKind {
    /// Nothing.
    None,
    /// Volatility and the noise of volume grow; the edge stays.
    Covariate,
    /// The surge of volume comes with the false breakouts.
    ConceptFlip,
    /// The surge comes with either.
    ConceptVanish,
    /// Covariate and concept flip.
    Both,
}

/// Every parameter of a synthetic market. Volatilities and drifts are of a day unless said otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Seed.
    pub seed: u64,
    /// Number of symbols.
    pub symbols: usize,
    /// Years of 252 sessions.
    pub years: f64,
    /// First day.
    pub start: Timestamp,
    /// Length of a bar.
    pub bar: BarSize,
    /// Degrees of freedom of the shocks.
    pub df: f64,
    /// Mean log return a year.
    pub mu_annual: f64,
    /// Volatility of the market.
    pub sig_mkt: f64,
    /// Volatility of a sector.
    pub sig_sector: f64,
    /// Volatility of a symbol's own shocks, in the middle.
    pub sig_idio: f64,
    /// Number of sectors.
    pub sectors: usize,
    /// AR(1) coefficient of log volatility.
    pub sv_phi: f64,
    /// Standard deviation of its shocks.
    pub sv_eta: f64,
    /// The same of a symbol's own volatility, as a multiple.
    pub sv_idio_mult: f64,
    /// Whether calm and stress take turns.
    pub regimes: bool,
    /// Market volatility in stress, as a multiple.
    pub stress_mult: f64,
    /// Mean days of calm.
    pub calm_days: f64,
    /// Mean days of stress.
    pub stress_days: f64,
    /// Jumps of the market a year.
    pub jump_rate_mkt: f64,
    /// Their mean.
    pub jump_mu: f64,
    /// Their standard deviation.
    pub jump_sd: f64,
    /// Jumps of a symbol a year.
    pub jump_rate_idio: f64,
    /// Their standard deviation.
    pub jump_sd_idio: f64,
    /// Share of the variance of a day that is in the gap.
    pub overnight_share: f64,
    /// Mean of the log of usual volumes.
    pub vol_base_log_mean: f64,
    /// Standard deviation of the same over symbols.
    pub vol_base_log_sd: f64,
    /// What a move of one sigma adds to log volume.
    pub vol_a: f64,
    /// What log volatility adds to log volume.
    pub vol_b: f64,
    /// AR(1) coefficient of the noise of log volume.
    pub vol_ar: f64,
    /// Standard deviation of that noise.
    pub vol_noise: f64,
    /// Decimals of prices.
    pub round_digits: i32,
    /// Bars whose highest high a breakout must close above.
    pub breakout_n: usize,
    /// Probability that a breakout is true.
    pub p_true: f64,
    /// Volume of a true breakout, as a multiple.
    pub vol_true: f64,
    /// Volume of a false one.
    pub vol_false: f64,
    /// Standard deviation of the log of either.
    pub vol_sd: f64,
    /// Drift after a true breakout, in sigmas a bar.
    pub drift_true: f64,
    /// Drift after a false one, downwards.
    pub drift_false: f64,
    /// Bars of an episode.
    pub horizon: usize,
    /// 0 where volume tells nothing.
    pub edge: f64,
    /// Share of the sample before the drift.
    pub drift_frac: f64,
    /// What drifts.
    pub drift_kind: DriftKind,
    /// Volatility after a covariate drift, as a multiple.
    pub cov_vol: f64,
    /// Noise of volume after it, as a multiple.
    pub cov_volnoise: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            seed: 42,
            symbols: 30,
            years: 10.0,
            // 2012-01-02
            start: Timestamp::from_micros(1_325_462_400_000_000),
            bar: BarSize::Day,
            df: 5.0,
            mu_annual: 0.14,
            sig_mkt: 0.0075,
            sig_sector: 0.0045,
            sig_idio: 0.0115,
            sectors: 6,
            sv_phi: 0.985,
            sv_eta: 0.07,
            sv_idio_mult: 1.2,
            regimes: true,
            stress_mult: 2.4,
            calm_days: 220.0,
            stress_days: 45.0,
            jump_rate_mkt: 2.0,
            jump_mu: -0.02,
            jump_sd: 0.02,
            jump_rate_idio: 2.0,
            jump_sd_idio: 0.05,
            overnight_share: 0.25,
            vol_base_log_mean: 14.0,
            vol_base_log_sd: 1.0,
            vol_a: 0.18,
            vol_b: 0.5,
            vol_ar: 0.6,
            vol_noise: 0.25,
            round_digits: 4,
            breakout_n: 20,
            p_true: 0.5,
            vol_true: 2.4,
            vol_false: 1.0,
            vol_sd: 0.35,
            drift_true: 0.26,
            drift_false: 0.26,
            horizon: 12,
            edge: 1.0,
            drift_frac: 0.7,
            drift_kind: DriftKind::ConceptFlip,
            cov_vol: 1.8,
            cov_volnoise: 1.8,
        }
    }
}

/// A market that is known by a name: name, meaning, and what differs from the default, as `name=value`.
pub type Preset = (&'static str, &'static str, &'static [&'static str]);

const QUIET: [&str; 7] =
    ["regimes=false", "sv_eta=0.02", "sig_mkt=0.0085", "sig_idio=0.013", "jump_rate_mkt=0", "jump_rate_idio=0", "df=8"];
const MINUTE: [&str; 6] =
    ["bar=1m", "start=2020-01-02", "breakout_n=390", "horizon=120", "drift_true=0.08", "drift_false=0.08"];

/// Every preset.
pub const PRESETS: [Preset; 11] = [
    ("sample", "30 symbols, 2,520 days, an edge that turns around at 70 %", &[]),
    ("stationary", "quiet: no regimes, no jumps, no drift", &["quiet", "drift_kind=none"]),
    ("covariate", "quiet, and volatility grows at 70 %", &["quiet", "drift_kind=covariate"]),
    ("concept", "quiet, and the edge turns around at 70 %", &["quiet", "drift_kind=concept_flip"]),
    ("vanish", "the edge vanishes at 70 %", &["drift_kind=concept_vanish"]),
    ("both", "volatility grows and the edge turns around at 70 %", &["drift_kind=both"]),
    ("null", "no edge, no drift", &["edge=0", "drift_kind=none"]),
    ("realistic_nodrift", "as sample, without the drift", &["drift_kind=none"]),
    ("daily500", "500 symbols, ten years of days", &["symbols=500", "years=10", "start=2010-01-04"]),
    ("minute50", "50 symbols, two years of minutes", &["minute", "symbols=50", "years=2"]),
    ("minute_tiny", "2 symbols, 50 days of minutes", &["minute", "symbols=2", "years=0.2"]),
];

/// Parameters that make no market.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamError {
    /// No preset has the name.
    #[error("expected a preset, one of {}; found `{found}`", PRESETS.map(|preset| preset.0).join(", "))]
    Preset {
        /// As written.
        found: String,
    },
    /// Not `name=value`.
    #[error("expected `name=value`, found `{0}`")]
    Form(String),
    /// A name or a value that is not known.
    #[error("`{setting}`: {problem}")]
    Setting {
        /// As written.
        setting: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Values that make no market.
    #[error("expected {0}")]
    Value(&'static str),
}

impl Params {
    /// The parameters of a preset.
    ///
    /// # Errors
    /// There is no such preset.
    pub fn preset(name: &str) -> Result<Self, ParamError> {
        let found = PRESETS.iter().find(|preset| preset.0 == name);
        let (_, _, settings) = found.ok_or_else(|| ParamError::Preset { found: name.to_owned() })?;
        let expanded = settings.iter().flat_map(|setting| match *setting {
            "quiet" => QUIET.to_vec(),
            "minute" => MINUTE.to_vec(),
            other => vec![other],
        });
        expanded.into_iter().try_fold(Self::default(), |params, setting| params.set(setting))
    }

    /// The same with one parameter changed, as `symbols=5`.
    ///
    /// # Errors
    /// The name or the value is not known.
    pub fn set(&self, setting: &str) -> Result<Self, ParamError> {
        let (name, text) = setting.split_once('=').ok_or_else(|| ParamError::Form(setting.to_owned()))?;
        let refuse =
            |error: serde_json::Error| ParamError::Setting { setting: setting.to_owned(), problem: error.to_string() };
        let mut all = serde_json::to_value(self).map_err(refuse)?;
        let value: Value = serde_json::from_str(text).unwrap_or_else(|_| text.into());
        if let Some(fields) = all.as_object_mut() {
            fields.insert(name.trim().to_owned(), value);
        }
        serde_json::from_value(all).map_err(refuse)
    }

    /// Refuses values that make no market.
    ///
    /// # Errors
    /// The first of them.
    pub fn check(&self) -> Result<(), ParamError> {
        let share = |value: f64| (0.0..=1.0).contains(&value);
        let rules = [
            (self.symbols > 0 && self.symbols <= 10_000, "1 to 10,000 symbols"),
            (self.years > 0.0 && self.years <= 200.0, "years above 0, at most 200"),
            (self.sectors > 0, "at least one sector"),
            (self.df > 2.0, "df above 2, so that the shocks have a variance"),
            (share(self.p_true) && share(self.drift_frac), "p_true and drift_frac from 0 to 1"),
            (self.overnight_share > 0.0 && self.overnight_share < 1.0, "overnight_share above 0 and below 1"),
            (self.sv_phi > 0.0 && self.sv_phi < 1.0 && self.vol_ar.abs() < 1.0, "AR(1) coefficients below 1"),
            (self.sig_idio > 0.0 && self.sig_mkt >= 0.0 && self.sig_sector >= 0.0, "volatilities of 0 or more"),
            (self.breakout_n > 0 && self.horizon > 0, "breakout_n and horizon of at least 1"),
            (self.vol_true > 0.0 && self.vol_false > 0.0, "vol_true and vol_false above 0"),
            ((0..=12).contains(&self.round_digits), "round_digits from 0 to 12"),
            (self.calm_days > 0.0 && self.stress_days > 0.0, "calm_days and stress_days above 0"),
        ];
        rules.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, expected)| Err(ParamError::Value(expected)))
    }

    /// Length of a bar in days.
    pub(super) fn dt(&self) -> f64 {
        1.0 / self.bar.per_day() as f64
    }

    /// Number of bars.
    pub(super) fn bars(&self) -> usize {
        (self.years * 252.0).round() as usize * self.bar.per_day()
    }

    /// The bar at which the drift sets in; none comes that late where there is no drift.
    pub(super) fn drift_bar(&self) -> usize {
        match self.drift_kind {
            DriftKind::None => self.bars() + 1,
            _ => (self.bars() as f64 * self.drift_frac) as usize,
        }
    }

    /// Whether volatility drifts.
    pub(super) fn has_covariate_drift(&self) -> bool {
        matches!(self.drift_kind, DriftKind::Covariate | DriftKind::Both)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_a_market() {
        for (name, ..) in PRESETS {
            Params::preset(name).unwrap().check().unwrap();
        }
        let minute = Params::preset("minute50").unwrap();
        assert_eq!((minute.bars(), minute.symbols, minute.start.date()), (196_560, 50, "2020-01-02".to_owned()));
        assert_eq!(Params::preset("concept").unwrap().df, 8.0);
    }

    #[test]
    fn a_setting_that_is_not_known_is_named() {
        let error = Params::default().set("symbol=5").unwrap_err().to_string();
        assert!(error.starts_with("`symbol=5`: unknown field `symbol`, expected one of `seed`"), "{error}");
        assert!(Params::default().set("symbols=many").is_err());
        assert!(Params::default().set("symbols").is_err());
        assert!(Params::default().set("df=2").unwrap().check().is_err());
    }
}
