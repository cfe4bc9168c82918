//! What all symbols share: the calendar, the market's shocks, and those of the sectors.

use super::params::Params;
use crate::base::{MICROS_PER_DAY, RandomStream, Seed};

/// A standardised Student-t number: variance 1.
pub(super) fn student(stream: &mut RandomStream, df: f64) -> f64 {
    // Bailey's polar form: as Box and Muller's, with another radius
    let radius = libm::sqrt(df * (libm::pow(1.0 - stream.uniform(), -2.0 / df) - 1.0));
    radius * libm::cos(std::f64::consts::TAU * stream.uniform()) * libm::sqrt((df - 2.0) / df)
}

/// The shared part of one bar.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MarketBar {
    /// Volatility of the market, per day.
    pub sigma: f64,
    /// Its shock.
    pub shock: f64,
    /// Its jump.
    pub jump: f64,
    /// What a volatility of a day is in this bar: length, time of day, drift.
    pub scale: f64,
    /// Standard deviation of the noise of volume.
    pub volume_noise: f64,
}

/// The shared part of all bars.
pub(super) struct Market {
    pub times: Vec<i64>,
    pub bars: Vec<MarketBar>,
    /// Shocks of each sector.
    pub sectors: Vec<Vec<f64>>,
    /// Relative activity of each bar of a day.
    pub season: Vec<f64>,
    /// Share of bars in stress.
    pub stress_share: f64,
    pub drift_bar: usize,
}

impl Market {
    pub(super) fn new(params: &Params) -> Self {
        let seed = Seed::new(params.seed).derive("synth").derive("market");
        let times = calendar(params);
        let season = season(params.bar.per_day());
        let stress = stress(params, times.len(), seed.derive("regime"));
        let drift_bar = params.drift_bar();
        let dt = params.dt();
        let (phi, eta) = volatility_step(params);
        let [mut shocks, mut volatility, mut jumps] =
            ["shock", "volatility", "jump"].map(|name| seed.derive(name).stream());
        let mut log_volatility = 0.0;
        let mut bar = |index: usize| {
            log_volatility = phi * log_volatility + eta * volatility.normal();
            let stressed = if stress[index] { params.stress_mult } else { 1.0 };
            let drifted = index >= drift_bar && params.has_covariate_drift();
            let happens = jumps.uniform() < params.jump_rate_mkt / 252.0 * dt;
            let size = params.jump_mu + params.jump_sd * jumps.normal();
            let wider = if drifted { params.cov_vol } else { 1.0 };
            MarketBar {
                sigma: params.sig_mkt * libm::exp(log_volatility) * stressed,
                shock: student(&mut shocks, params.df),
                jump: if happens { size } else { 0.0 },
                scale: libm::sqrt(season[index % season.len()] * dt) * wider,
                volume_noise: params.vol_noise * if drifted { params.cov_volnoise } else { 1.0 },
            }
        };
        let bars: Vec<MarketBar> = (0..times.len()).map(&mut bar).collect();
        let sector = |index: usize| {
            let mut stream = seed.derive("sector").index(index as u64).stream();
            (0..times.len()).map(|_| student(&mut stream, params.df)).collect()
        };
        let sectors = (0..params.sectors).map(sector).collect();
        let stressed = stress.iter().filter(|&&stressed| stressed).count();
        let stress_share = stressed as f64 / times.len().max(1) as f64;
        Self { times, bars, sectors, season, stress_share, drift_bar }
    }
}

/// AR(1) coefficient and standard deviation of the shocks of log volatility, for one bar.
pub(super) fn volatility_step(params: &Params) -> (f64, f64) {
    let phi = libm::pow(params.sv_phi, params.dt());
    (phi, params.sv_eta * libm::sqrt((1.0 - phi * phi) / (1.0 - params.sv_phi * params.sv_phi)))
}

/// Starts of all bars: weekdays, and within a day from 14:30 UTC on.
fn calendar(params: &Params) -> Vec<i64> {
    let per_day = params.bar.per_day();
    let days = params.bars() / per_day;
    let first = params.start.micros().div_euclid(MICROS_PER_DAY);
    // 1970-01-01 was a Thursday: days 2 and 3 after it are a weekend
    let weekdays = (first..).filter(|day| !matches!(day.rem_euclid(7), 2 | 3)).take(days);
    let open = if per_day == 1 { 0 } else { (14 * 60 + 30) * 60_000_000 };
    let step = params.bar.minutes() * 60_000_000;
    weekdays.flat_map(|day| (0..per_day as i64).map(move |slot| day * MICROS_PER_DAY + open + slot * step)).collect()
}

/// Activity over a day: a U with mean 1.
fn season(per_day: usize) -> Vec<f64> {
    if per_day == 1 {
        return vec![1.0];
    }
    let shape = |slot: usize| {
        let distance = 2.0 * slot as f64 / (per_day - 1) as f64 - 1.0;
        0.7 + 1.2 * distance * distance
    };
    let mean = (0..per_day).map(shape).sum::<f64>() / per_day as f64;
    (0..per_day).map(|slot| shape(slot) / mean).collect()
}

/// Says of each bar whether it is in stress.
fn stress(params: &Params, bars: usize, seed: Seed) -> Vec<bool> {
    let mut stressed = vec![false; bars];
    if !params.regimes {
        return stressed;
    }
    let mut stream = seed.stream();
    let (mut at, mut now) = (0, false);
    while at < bars {
        let mean = if now { params.stress_days } else { params.calm_days } * params.bar.per_day() as f64;
        let end = bars.min(at + 1 + (-mean * libm::log(1.0 - stream.uniform())) as usize);
        stressed[at..end].fill(now);
        (at, now) = (end, !now);
    }
    stressed
}
