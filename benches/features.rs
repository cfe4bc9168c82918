//! CPU time of feature sets and of the rolling kernels: `cargo bench --bench features`.
//!
//! One thread; its own CPU time where the kernel tells it (Linux), else wall time. The best of five.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a benchmark prints what it measures, and stops where it cannot"
)]

use std::hint::black_box;
use std::time::Instant;

use walkforward::base::{MICROS_PER_DAY, Seed};
use walkforward::feature::FeatureSet;
use walkforward::indicator as ind;
use walkforward::market::{Bars, Series};

/// A random walk of each symbol.
fn market(symbols: u64, days: usize) -> Bars {
    let series = (0..symbols).map(|symbol| {
        let mut random = Seed::new(1).derive("market").index(symbol).stream();
        let mut series = Series { symbol: format!("S{symbol:03}"), ..Series::default() };
        let mut price = 50.0;
        for day in 0..days {
            let open = price * (1.0 + 0.003 * random.normal());
            price *= 1.0 + 0.015 * random.normal();
            series.session.push(day as u32);
            series.open.push(open);
            series.high.push(open.max(price) * (1.0 + 0.005 * random.uniform()));
            series.low.push(open.min(price) * (1.0 - 0.005 * random.uniform()));
            series.close.push(price);
            series.volume.push((1e6 * (1.0 + random.uniform())).round());
        }
        series
    });
    let sessions = (0..days as i64).map(|day| day * MICROS_PER_DAY).collect();
    Bars { sessions, series: series.collect(), periods_per_year: 252.0 }
}

/// Nanoseconds that this thread has run, whatever else the machine does.
fn thread_nanoseconds() -> Option<f64> {
    std::fs::read_to_string("/proc/thread-self/schedstat").ok()?.split(' ').next()?.parse().ok()
}

fn best_of_five(mut work: impl FnMut()) -> f64 {
    let mut seconds = || {
        let (start, before) = (Instant::now(), thread_nanoseconds());
        work();
        match (before, thread_nanoseconds()) {
            (Some(before), Some(after)) => 1e-9 * (after - before),
            _ => start.elapsed().as_secs_f64(),
        }
    };
    (0..5).map(|_| seconds()).fold(f64::INFINITY, f64::min)
}

fn sets() {
    let bars = market(50, 2520);
    println!("feature sets, 50 symbols x 2,520 days, one thread");
    for name in FeatureSet::built() {
        let set = FeatureSet::named(name).expect("a shipped set compiles");
        let seconds = best_of_five(|| {
            black_box(set.compute(&bars).expect("the bars have every column"));
        });
        let values = (set.specs().len() * 50 * 2520) as f64;
        let goal = if name == "alpha158" { "   (goal: 0.4)" } else { "" };
        println!("  {name:<10} {seconds:6.3} CPU s   {:5.1} ns a value{goal}", 1e9 * seconds / values);
    }
    let seconds = best_of_five(|| {
        black_box(FeatureSet::named("alpha158").expect("a shipped set compiles"));
    });
    println!("  compiling alpha158 takes {:.1} ms", 1e3 * seconds);
}

fn kernels() {
    const BARS: usize = 1_000_000;
    let bars = market(1, BARS);
    let (x, y) = (&bars.series[0].close[..], &bars.series[0].volume[..]);
    println!("rolling kernels, 1,000,000 bars, one thread: ns a bar");
    println!("  {:<14} {:>8} {:>8} {:>8}", "", "k = 10", "k = 60", "k = 500");
    type Kernel = fn(&[f64], &[f64], usize) -> Vec<f64>;
    let all: &[(&str, Kernel)] = &[
        ("sum", |x, _, k| ind::sum(x, k)),
        ("max", |x, _, k| ind::highest(x, k)),
        ("argmax", |x, _, k| ind::place_of_highest(x, k)),
        ("std", |x, _, k| ind::rolling_std(x, k, 1)),
        ("skew", |x, _, k| ind::rolling_skew(x, k)),
        ("kurt", |x, _, k| ind::rolling_kurt(x, k)),
        ("corr", ind::rolling_corr),
        ("slope", |x, _, k| ind::rolling_slope(x, k)),
        ("rsquare", |x, _, k| ind::rolling_rsquare(x, k)),
        ("rank", |x, _, k| ind::rolling_rank(x, k)),
        ("quantile", |x, _, k| ind::rolling_quantile(x, k, 0.8)),
        ("mad", |x, _, k| ind::rolling_mad(x, k)),
    ];
    for (name, kernel) in all {
        let nanoseconds = [10, 60, 500].map(|k| {
            let seconds = best_of_five(|| {
                black_box(kernel(x, y, k));
            });
            1e9 * seconds / BARS as f64
        });
        println!("  {name:<14} {:8.1} {:8.1} {:8.1}", nanoseconds[0], nanoseconds[1], nanoseconds[2]);
    }
}

fn main() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("one thread can be had");
    pool.install(sets);
    pool.install(kernels);
}
