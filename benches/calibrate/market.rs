//! The drift goals on markets: synthetic ones whose truth is known, and real stocks resampled so that nothing changes.

use std::collections::BTreeMap;

use walkforward::base::{Seed, Timestamp};
use walkforward::drift::{DriftConfig, PerformanceConfig, Scored, Verdict, performance_drift};
use walkforward::feature::FeatureSet;
use walkforward::market::{Bars, BarsRequest, OnBadBar, Series, load_bars};
use walkforward::stats::bootstrap::stationary_indices;
use walkforward::synth::{Episode, Params, generate};

use crate::series::{Rules, Share, Size, check, windows};

/// A market of a preset: its bars, and what was planted.
fn market(preset: &str, seed: u64, settings: &[String]) -> (Bars, Vec<Episode>) {
    let params = settings
        .iter()
        .fold(Params::preset(preset).expect("a preset"), |params, setting| params.set(setting).expect("a setting"));
    let params = params.set(&format!("seed={seed}")).expect("a seed");
    let mut bars = Bars { sessions: Vec::new(), series: Vec::new(), periods_per_year: 252.0 };
    let (_, episodes) = generate(&params, &mut |symbol, times, made| {
        bars.sessions = times.to_vec();
        let [open, high, low, close, volume] = made.values.clone();
        let session = (0..times.len() as u32).collect();
        bars.series.push(Series {
            symbol: symbol.to_owned(),
            session,
            open,
            high,
            low,
            close,
            volume,
            ..Series::default()
        });
        Ok(())
    })
    .expect("the market can be made");
    (bars, episodes)
}

/// The features of one symbol, rows that lack any left out.
fn features(set: &FeatureSet, bars: &Bars, symbol: usize) -> Vec<Vec<f64>> {
    let frames = set.compute(bars).expect("the bars have every column");
    let rows: Vec<Vec<f64>> = (set.look_back()..bars.series[symbol].len()).map(|bar| frames[symbol].row(bar)).collect();
    let width = rows.first().map_or(0, Vec::len);
    let whole: Vec<&Vec<f64>> = rows.iter().filter(|row| row.iter().all(|x| x.is_finite())).collect();
    (0..width).map(|column| whole.iter().map(|row| row[column]).collect()).collect()
}

fn rule_alarms(columns: &[Vec<f64>], reference: usize) -> [bool; 2] {
    let found: Vec<Rules> = columns.iter().map(|x| Rules::of(&x[..reference], &x[reference..])).collect();
    // the presets of Evidently: PSI of a column above its limit; half of the columns by the distance
    let distant = found.iter().filter(|rules| rules.wasserstein).count();
    [found.iter().any(|rules| rules.psi), 2 * distant >= found.len()]
}

pub fn synthetic(size: Size) {
    let set = FeatureSet::named("core40").expect("a shipped set");
    let count = if size.few < 50 { 8 } else { 44 };
    println!(
        "synthetic market, preset `stationary`: {count} windows of 60 days against 1,000 before, {} features",
        set.names().len()
    );
    let (mut ours, mut psi, mut half) = (Share::default(), Share::default(), Share::default());
    let mut blind = Share::default();
    let (reference, current) = (1_000, 60);
    let settings = ["symbols=4".to_owned(), "years=12".to_owned()];
    'markets: for seed in 0.. {
        let (bars, _) = market("stationary", seed, &settings);
        for symbol in 0..bars.series.len() {
            let columns = features(&set, &bars, symbol);
            let rows = columns.first().map_or(0, Vec::len);
            // disjoint current windows of one symbol; two of them share a part of their references
            for start in (0..rows.saturating_sub(reference + current)).step_by(6 * current) {
                let cut: Vec<Vec<f64>> =
                    columns.iter().map(|x| x[start..start + reference + current].to_vec()).collect();
                let report = check(&windows(&cut, reference), &DriftConfig::default(), 7);
                ours.count(report.verdict == Verdict::Drift);
                blind.count(report.verdict == Verdict::Inconclusive);
                let [by_psi, by_half] = rule_alarms(&cut, reference);
                psi.count(by_psi);
                half.count(by_half);
                if ours.runs() >= count {
                    break 'markets;
                }
            }
        }
    }
    println!("  {:<34} {:>16}   (goal 0)", "ours: drift", ours.words());
    println!("  {:<34} {:>16}", "ours: inconclusive", blind.words());
    println!("  {:<34} {:>16}", "PSI > .2 in any column", psi.words());
    println!("  {:<34} {:>16}", "half the columns W/sd >= .1", half.words());

    let runs = if size.few < 50 { 6 } else { 20 };
    println!(
        "synthetic market, preset `concept`: the edge turns around at 70 %; {runs} markets, a model of the planted volume"
    );
    let (mut before, mut after) = (Share::default(), Share::default());
    for seed in 0..runs {
        let (_, mut episodes) = market("concept", seed, &[]);
        episodes.sort_by_key(|episode| (episode.ts, episode.symbol));
        let (old, new): (Vec<Episode>, Vec<Episode>) = episodes.into_iter().partition(|episode| !episode.after_drift);
        let (learnt, later) = old.split_at(old.len() * 7 / 10);
        let fallen = |current: &[Episode]| {
            let report = performance_drift(&scored(learnt), &scored(current), &PerformanceConfig::default());
            report.expect("the windows are sound").verdict == Verdict::Drift
        };
        before.count(fallen(&later[..later.len().min(100)]));
        after.count(fallen(&new[..new.len().min(100)]));
    }
    println!("  {:<34} {:>16}", "100 signals before the turn: drift", before.words());
    println!("  {:<34} {:>16}   (goal 100 %)", "100 signals after the turn: drift", after.words());
}

/// Breakouts scored by the volume that tells true from false ones until the turn.
fn scored(episodes: &[Episode]) -> Scored {
    let middle = episodes.iter().map(|e| e.log_volume_mult).sum::<f64>() / episodes.len().max(1) as f64;
    Scored {
        time: episodes.iter().map(|episode| episode.ts).collect(),
        label: episodes.iter().map(|episode| episode.is_true).collect(),
        probability: episodes.iter().map(|e| 1.0 / (1.0 + (-3.0 * (e.log_volume_mult - middle)).exp())).collect(),
        r: episodes.iter().map(|episode| if episode.is_true { 1.5 } else { -1.0 }).collect(),
    }
}

pub fn stocks(size: Size) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/us5/us5_daily.parquet");
    let bytes = std::fs::read(path).expect("the five stocks are shipped");
    let files = BTreeMap::from([("us5_daily.parquet".to_owned(), bytes.into())]);
    let until = Timestamp::from_micros(i64::MAX / 2);
    let request = BarsRequest { symbols: None, from: None, until, on_bad_bar: OnBadBar::Drop };
    let bars = load_bars(&files, &request).expect("the five stocks load").bars;
    let set = FeatureSet::named("core40").expect("a shipped set");
    println!(
        "five real stocks, {} features, days resampled in stretches of 120 on average, so that nothing changes:",
        set.names().len()
    );
    println!("  1,000 days against 250, any false alarm in the data set");
    println!(
        "  {:<8} {:>16} {:>16} {:>16} {:>16}",
        "stock", "ours", "naive KS, any", "PSI > .2, any", "half W/sd >= .1"
    );
    let mut stream = Seed::new(6).derive("stocks").stream();
    for symbol in 0..bars.series.len() {
        let columns = features(&set, &bars, symbol);
        let rows = columns.first().map_or(0, Vec::len);
        let mut shares = [Share::default(); 4];
        for _ in 0..size.few / 2 {
            // two windows drawn apart from the same past: neither knows where the other was taken
            let drawn: Vec<usize> = [1_000, 250]
                .into_iter()
                .flat_map(|days| {
                    stationary_indices(rows, 120.0, &mut stream).into_iter().take(days).collect::<Vec<_>>()
                })
                .collect();
            let cut: Vec<Vec<f64>> = columns.iter().map(|x| drawn.iter().map(|&row| x[row]).collect()).collect();
            let report = check(&windows(&cut, 1_000), &DriftConfig::default(), 7);
            shares[0].count(report.verdict == Verdict::Drift);
            shares[1].count(cut.iter().any(|x| Rules::of(&x[..1_000], &x[1_000..]).naive_ks));
            let [by_psi, by_half] = rule_alarms(&cut, 1_000);
            shares[2].count(by_psi);
            shares[3].count(by_half);
        }
        let words = shares.map(|share| format!("{:>16}", share.words())).join(" ");
        println!("  {:<8} {words}", bars.series[symbol].symbol);
    }
}
