//! One symbol: its bars and its episodes.

use std::collections::VecDeque;

use super::market::{Market, MarketBar, student, volatility_step};
use super::params::{DriftKind, Params};
use crate::base::{RandomStream, Seed};

/// A planted breakout.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Episode {
    /// Index of the symbol.
    pub symbol: usize,
    /// Index of its signal bar.
    pub bar: usize,
    /// Start of its signal bar, microseconds since 1970-01-01 UTC.
    pub ts: i64,
    /// Whether it drifts up.
    pub is_true: bool,
    /// Whether its volume was raised.
    pub has_surge: bool,
    /// What was added to the log of its volume.
    pub log_volume_mult: f64,
    /// Whether it came after the drift set in.
    pub after_drift: bool,
}

/// The bars of one symbol, and what is true of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SymbolBars {
    /// Open, high, low, close, volume.
    pub values: [Vec<f64>; 5],
    /// Planted breakouts, in order of time.
    pub episodes: Vec<Episode>,
    /// Loading on the market.
    pub beta: f64,
    /// Index of its sector.
    pub sector: usize,
}

/// What a symbol keeps for good.
struct Constants {
    beta: f64,
    gamma: f64,
    sector: usize,
    sigma: f64,
    volume: f64,
}

/// The streams of a symbol, one for each use: a longer sample begins with the shorter one's numbers.
struct Streams {
    shock: RandomStream,
    volatility: RandomStream,
    jump: RandomStream,
    gap: RandomStream,
    high: RandomStream,
    low: RandomStream,
    volume: RandomStream,
    episode: RandomStream,
}

/// The highest of the last so many values.
struct RollingMax {
    window: usize,
    /// Index and value, values falling.
    candidates: VecDeque<(usize, f64)>,
    seen: usize,
}

impl RollingMax {
    fn new(window: usize) -> Self {
        Self { window, candidates: VecDeque::new(), seen: 0 }
    }

    /// The highest value; none before the window is full.
    fn highest(&self) -> Option<f64> {
        self.candidates.front().filter(|_| self.seen >= self.window).map(|(_, value)| *value)
    }

    fn push(&mut self, value: f64) {
        while self.candidates.back().is_some_and(|(_, last)| *last <= value) {
            self.candidates.pop_back();
        }
        self.candidates.push_back((self.seen, value));
        self.seen += 1;
        if self.candidates.front().is_some_and(|(index, _)| index + self.window < self.seen) {
            self.candidates.pop_front();
        }
    }
}

/// Log prices of a bar.
struct Path {
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    /// Move from open to close.
    intraday: f64,
    /// Standard deviation of the whole bar.
    sigma: f64,
}

/// Makes a symbol.
pub(super) fn symbol(params: &Params, market: &Market, index: usize) -> SymbolBars {
    let seed = Seed::new(params.seed).derive("synth").derive("symbol").index(index as u64);
    let mut draw = seed.derive("constants").stream();
    let constants = Constants {
        beta: 0.6 + 0.9 * draw.uniform(),
        gamma: 0.3 + 0.9 * draw.uniform(),
        sector: draw.below(params.sectors),
        sigma: params.sig_idio * libm::exp(0.25 * draw.normal()),
        volume: libm::exp(params.vol_base_log_mean + params.vol_base_log_sd * draw.normal()) * params.dt(),
    };
    let first_price = 4.0 + 0.6 * draw.normal();
    let stream = |name: &str| seed.derive(name).stream();
    let mut streams = Streams {
        shock: stream("shock"),
        volatility: stream("volatility"),
        jump: stream("jump"),
        gap: stream("gap"),
        high: stream("high"),
        low: stream("low"),
        volume: stream("volume"),
        episode: stream("episode"),
    };
    let usual = {
        let (market, sector) = (constants.beta * params.sig_mkt, constants.gamma * params.sig_sector);
        libm::sqrt(market * market + sector * sector + constants.sigma * constants.sigma) * libm::sqrt(params.dt())
    };
    let (phi, eta) = volatility_step(params);
    let volume_keep = libm::sqrt(1.0 - params.vol_ar * params.vol_ar);

    let bars = market.bars.len();
    let mut made = SymbolBars { beta: constants.beta, sector: constants.sector, ..SymbolBars::default() };
    made.values.iter_mut().for_each(|column| column.reserve_exact(bars));
    let (mut price, mut log_volatility, mut noise) = (first_price, 0.0, 0.0);
    let mut highs = RollingMax::new(params.breakout_n);
    let (mut left, mut drift) = (0_usize, 0.0);
    for (at, bar) in market.bars.iter().enumerate() {
        log_volatility = phi * log_volatility + eta * params.sv_idio_mult * streams.volatility.normal();
        let own = constants.sigma * libm::exp(log_volatility);
        let sector = market.sectors[constants.sector][at];
        let pull = if left > 0 { drift } else { 0.0 };
        left = left.saturating_sub(1);
        let path = step(params, &constants, bar, (own, sector, pull, at), price, &mut streams);

        let breaks = left == 0 && at + 1 < bars && highs.highest().is_some_and(|highest| path.close > highest);
        noise = params.vol_ar * noise + streams.volume.normal() * bar.volume_noise * volume_keep;
        let mut log_volume = params.vol_a * (path.intraday.abs() / path.sigma).min(4.0)
            + params.vol_b * libm::log(path.sigma / usual)
            + noise;
        // drawn for every bar, so that an episode more or less moves no later number
        let draws = (streams.episode.uniform(), streams.episode.uniform(), streams.episode.normal());
        if breaks {
            let episode = plant(params, draws, (index, at, market.times[at]), at >= market.drift_bar);
            log_volume += episode.log_volume_mult;
            left = params.horizon;
            drift = if episode.is_true { params.drift_true } else { -params.drift_false };
            made.episodes.push(episode);
        }
        highs.push(path.high);
        price = path.close;

        let [open, high, low, close] =
            [path.open, path.high, path.low, path.close].map(|log| rounded(libm::exp(log), params.round_digits));
        let season = market.season[at % market.season.len()];
        let volume = libm::round(constants.volume * season * libm::exp(log_volume)).max(1.0);
        let values = [open, high.max(open).max(close), low.min(open).min(close), close, volume];
        made.values.iter_mut().zip(values).for_each(|(column, value)| column.push(value));
    }
    made
}

fn step(
    params: &Params,
    constants: &Constants,
    bar: &MarketBar,
    (own, sector, pull, at): (f64, f64, f64, usize),
    price: f64,
    streams: &mut Streams,
) -> Path {
    let (market_sigma, sector_sigma) = (constants.beta * bar.sigma, constants.gamma * params.sig_sector);
    let variance = market_sigma * market_sigma + sector_sigma * sector_sigma + own * own;
    let sigma = libm::sqrt(variance) * bar.scale;
    let shock = market_sigma * bar.shock + sector_sigma * sector + own * student(&mut streams.shock, params.df);
    let happens = streams.jump.uniform() < params.jump_rate_idio / 252.0 * params.dt();
    let size = params.jump_sd_idio * streams.jump.normal();
    let jump = constants.beta * bar.jump + if happens { size } else { 0.0 };
    let change = params.mu_annual / 252.0 * params.dt() + shock * bar.scale + jump;

    let (night, per_day) = (params.overnight_share, params.bar.per_day());
    let drawn = streams.gap.normal();
    let (gap, intraday, within) = if per_day == 1 {
        let gap = night * change + libm::sqrt(night * (1.0 - night)) * sigma * drawn;
        (gap, change - gap + pull * sigma, sigma * libm::sqrt(1.0 - night))
    } else {
        let opens = at.is_multiple_of(per_day);
        let gap = libm::sqrt(night / (1.0 - night) * per_day as f64) * sigma * drawn;
        (if opens { gap } else { 0.0 }, change + pull * sigma, sigma)
    };
    // the extremes of a Brownian bridge, drawn from their law
    let reach = |uniform: f64| libm::sqrt(intraday * intraday - 2.0 * within * within * libm::log(1.0 - uniform));
    let open = price + gap;
    Path {
        open,
        high: open + 0.5 * (intraday + reach(streams.high.uniform())),
        low: open + 0.5 * (intraday - reach(streams.low.uniform())),
        close: open + intraday,
        intraday,
        sigma,
    }
}

fn plant(
    params: &Params,
    (kind, other, spread): (f64, f64, f64),
    (symbol, bar, ts): (usize, usize, i64),
    after_drift: bool,
) -> Episode {
    let is_true = kind < params.p_true;
    let by_chance = other < params.p_true;
    let has_surge = match params.drift_kind {
        _ if params.edge == 0.0 => by_chance,
        DriftKind::ConceptFlip | DriftKind::Both if after_drift => !is_true,
        DriftKind::ConceptVanish if after_drift => by_chance,
        _ => is_true,
    };
    let multiple = if has_surge { params.vol_true } else { params.vol_false };
    let log_volume_mult = libm::log(multiple) + params.vol_sd * spread;
    Episode { symbol, bar, ts, is_true, has_surge, log_volume_mult, after_drift }
}

fn rounded(value: f64, digits: i32) -> f64 {
    let scale = libm::pow(10.0, f64::from(digits));
    libm::round(value * scale) / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rolling_highest_is_that_of_the_window() {
        let values = [3.0, 1.0, 2.0, 5.0, 4.0, 1.0, 0.5, 0.25];
        let mut highs = RollingMax::new(3);
        for (at, value) in values.into_iter().enumerate() {
            let expected = (at >= 3).then(|| values[at - 3..at].iter().copied().fold(f64::MIN, f64::max));
            assert_eq!(highs.highest(), expected, "{at}");
            highs.push(value);
        }
    }
}
