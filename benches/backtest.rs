//! Bars a second of the portfolio backtest on one thread: 100 symbols of 5,000 bars, with slots, stops and sizing.
//!
//! `cargo bench --bench backtest` prints two lines: the simulator alone, and with all indicators and signals made anew. Others
//! may use the machine: the processor time of the thread counts where the system tells it, and the best of several rounds.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and cannot go on after a fault")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use walkforward::backtest::{PortfolioRules, simulate};
use walkforward::base::{CancelToken, Seed};
use walkforward::market::{Bars, Series};
use walkforward::strategy::{IndicatorCache, Strategy, signals};

const SYMBOLS: usize = 100;
const SESSIONS: u32 = 5_000;
const ROUNDS: usize = 15;

/// Random walks, the same in every run.
fn market() -> Bars {
    let mut stream = Seed::new(7).derive("bench").stream();
    let walk = |symbol: usize| {
        let mut series = Series { symbol: format!("S{symbol:03}"), ..Series::default() };
        let mut price = 100.0_f64;
        for session in 0..SESSIONS {
            let open = price * (1.0 + 0.004 * stream.normal());
            let close = open * (1.0 + 0.0003 + 0.012 * stream.normal());
            let (up, down) = (0.008 * stream.uniform(), 0.008 * stream.uniform());
            series.session.push(session);
            series.open.push(open);
            series.high.push(open.max(close) * (1.0 + up));
            series.low.push(open.min(close) * (1.0 - down));
            series.close.push(close);
            series.volume.push(1e6 * (0.5 + stream.uniform()));
            price = close;
        }
        series
    };
    let sessions = (0..i64::from(SESSIONS)).map(|day| day * 86_400_000_000).collect();
    Bars { sessions, series: (0..SYMBOLS).map(walk).collect(), periods_per_year: 252.0 }
}

/// Time that this thread has spent on a processor; Linux tells it.
fn on_processor() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

/// Millions of bars a second of the best round.
fn measure(mut round: impl FnMut()) -> f64 {
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let (start, before) = (Instant::now(), on_processor());
        round();
        let spent = before.and_then(|before| on_processor()?.checked_sub(before));
        best = best.min(spent.unwrap_or_else(|| start.elapsed()));
    }
    (SYMBOLS as f64 * f64::from(SESSIONS)) / best.as_secs_f64() / 1e6
}

fn main() {
    let bars = market();
    let strategy = Strategy::default();
    let rules = PortfolioRules::from(&strategy);
    let cancel = CancelToken::new();
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    one.install(|| {
        let found = signals(&strategy, &bars, &IndicatorCache::new()).unwrap();
        let result = simulate(&bars, &found, &rules, 0..SESSIONS, None, &cancel).unwrap();
        println!(
            "{SYMBOLS} symbols x {SESSIONS} bars, one thread: {} signals, {} trades",
            result.candidates.len(),
            result.trades.len()
        );
        let kernel = measure(|| {
            black_box(simulate(&bars, &found, &rules, 0..SESSIONS, None, &cancel).unwrap());
        });
        let whole = measure(|| {
            let found = signals(&strategy, &bars, &IndicatorCache::new()).unwrap();
            black_box(simulate(&bars, &found, &rules, 0..SESSIONS, None, &cancel).unwrap());
        });
        println!("kernel      {kernel:8.1} M bars/s");
        println!("end to end  {whole:8.1} M bars/s");
    });
}
