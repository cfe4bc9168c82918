//! The drift goals, on series whose truth is known.

use std::fs::File;
use std::time::Instant;

use arrow::array::Float32Array;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use walkforward::base::{RandomStream, Seed};
use walkforward::drift::{
    Calibration, Correction, DriftConfig, DriftStatistic, PerformanceConfig, PerformanceRule, Scored, Verdict,
    performance_drift,
};
use walkforward::stats::distribution::normal_quantile;
use walkforward::stats::sum::mean;

use crate::series::{Rules, Share, Size, alone, autoregressive, check, correlated, windows};

const REFERENCE: usize = 2_000;
const ROWS: usize = 2_500;

fn hit(verdict: Verdict) -> bool {
    verdict == Verdict::Drift
}

/// 120 series of 2,500 rows.
fn stored(name: &str) -> Vec<Vec<f64>> {
    let path = format!("{}/tests/golden/stats/acceptance_{name}.parquet", env!("CARGO_MANIFEST_DIR"));
    let file = File::open(path).expect("the acceptance series are shipped");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).and_then(|builder| builder.build()).expect("Parquet");
    let mut series: Vec<Vec<f64>> = Vec::new();
    for batch in reader {
        let batch = batch.expect("the file is sound");
        series.resize(batch.num_columns(), Vec::new());
        for (values, array) in series.iter_mut().zip(batch.columns()) {
            let array = array.as_any().downcast_ref::<Float32Array>().expect("numbers of 32 bits");
            values.extend(array.values().iter().map(|&x| f64::from(x)));
        }
    }
    series
}

pub fn acceptance(size: Size) {
    println!("acceptance series: 120 AR(1) each, 2,000 rows against 500, level 5 %, no correction");
    println!("  {:<28} {:>16} {:>16} {:>16}", "", "nothing, phi .5", "nothing, phi .8", ".5 sd, phi .5");
    println!("  {:<28} {:>16} {:>16} {:>16}", "goal", "<= 9 %", "<= 9 %", ">= 95 %");
    let sets = ["null_phi50", "null_phi80", "shift50_phi50"].map(stored);
    let row = |name: String, found: &dyn Fn(&[f64]) -> bool, limit: usize| {
        let shares = sets.iter().map(|set| {
            let mut share = Share::default();
            set.iter().take(limit).for_each(|series| share.count(found(series)));
            format!("{:>16}", share.words())
        });
        println!("  {name:<28} {}", shares.collect::<Vec<_>>().join(" "));
    };
    for statistic in DriftStatistic::ALL.into_iter().filter(|statistic| *statistic != DriftStatistic::Chi2) {
        let config = alone(statistic, size.replicates);
        let found = |series: &[f64]| hit(check(&windows(&[series.to_vec()], REFERENCE), &config, 7).verdict);
        row(statistic.name().to_owned(), &found, 120);
    }
    let calibrations = [
        ("ks, ar_sieve", Calibration::ArSieve),
        ("ks, rotation", Calibration::Rotation),
        ("ks, reference_windows", Calibration::ReferenceWindows),
        ("ks, iid (wrong here)", Calibration::Iid),
    ];
    for (name, calibration) in calibrations {
        let config = DriftConfig { calibration, ..alone(DriftStatistic::Ks, size.replicates) };
        let found = |series: &[f64]| hit(check(&windows(&[series.to_vec()], REFERENCE), &config, 7).verdict);
        row(name.to_owned(), &found, size.few.max(40));
    }
    row("naive KS p < .05".to_owned(), &|series| Rules::of(&series[..REFERENCE], &series[REFERENCE..]).naive_ks, 120);
    row("Wasserstein / sd >= .1".to_owned(), &|s| Rules::of(&s[..REFERENCE], &s[REFERENCE..]).wasserstein, 120);
}

pub fn rules(size: Size) {
    println!("false alarms where nothing changed: 2,000 reference rows, level 5 %");
    println!(
        "  {:<12} {:>6} {:>16} {:>16} {:>16} {:>16}",
        "process", "rows", "naive KS", "W/sd >= .1", "PSI > .2", "ours"
    );
    let mut stream = Seed::new(1).derive("rules").stream();
    for phi in [0.0, 0.5, 0.8, 0.95] {
        for rows in [30, 100, 500] {
            let mut shares = [Share::default(); 4];
            for _ in 0..size.many {
                let series = autoregressive(REFERENCE + rows, phi, &mut stream);
                let rules = Rules::of(&series[..REFERENCE], &series[REFERENCE..]);
                let config = alone(DriftStatistic::Combined, size.replicates.min(199));
                let ours = hit(check(&windows(&[series], REFERENCE), &config, 7).verdict);
                for (share, found) in shares.iter_mut().zip([rules.naive_ks, rules.wasserstein, rules.psi, ours]) {
                    share.count(found);
                }
            }
            let words = shares.map(|share| format!("{:>16}", share.words())).join(" ");
            println!("  {:<12} {rows:>6} {words}", format!("AR({phi})"));
        }
    }
}

pub fn columns(size: Size) {
    println!("44 columns that share half their variance, 2,000 rows against 500: any false alarm; .5 sd in one found");
    println!("  {:<34} {:>16} {:>16} {:>16}", "", "false alarm", "found", "others accused");
    println!("  {:<34} {:>16} {:>16}", "goal", "<= 9 %", ">= 75 %");
    for phi in [0.5, 0.8] {
        let all = [
            ("ks, BH", DriftStatistic::Ks, Correction::Bh),
            ("ks, Westfall-Young", DriftStatistic::Ks, Correction::WestfallYoung),
            ("combined, BH (default)", DriftStatistic::Combined, Correction::Bh),
            ("combined, Holm", DriftStatistic::Combined, Correction::Holm),
            ("combined, Westfall-Young", DriftStatistic::Combined, Correction::WestfallYoung),
        ];
        for (name, statistic, correction) in all {
            let mut stream = Seed::new(2).derive("columns").stream();
            let config = DriftConfig { statistic, correction, ..DriftConfig::default() };
            let mut shares = [Share::default(); 3];
            for _ in 0..size.few {
                let mut columns = correlated(44, ROWS, phi, &mut stream);
                shares[0].count(hit(check(&windows(&columns, REFERENCE), &config, 7).verdict));
                columns[0][REFERENCE..].iter_mut().for_each(|x| *x += 0.5);
                let report = check(&windows(&columns, REFERENCE), &config, 7);
                shares[1].count(hit(report.columns[0].verdict));
                shares[2].count(report.columns[1..].iter().any(|column| hit(column.verdict)));
            }
            let words = shares.map(|share| format!("{:>16}", share.words())).join(" ");
            println!("  phi {phi}  {name:<26} {words}");
        }
        println!("  phi {phi}  {:<26} {:>16} {:>16}", "oracle: column alone", "", oracle(phi, 1.0));
        println!("  phi {phi}  {:<26} {:>16} {:>16}", "oracle: beside the others", "", oracle(phi, 0.5 + 0.5 / 45.0));
    }
}

/// Power of the best test of a mean by one who knows memory, variance and correlations, at 5 % over 44 columns:
/// `Phi(.5 / se - z)` with `se^2 = v tau (1/n + 1/m)` and the variance v that the others leave.
fn oracle(phi: f64, variance: f64) -> String {
    let tau = (1.0 + phi) / (1.0 - phi);
    let error = (variance * tau * (1.0 / REFERENCE as f64 + 1.0 / (ROWS - REFERENCE) as f64)).sqrt();
    let distance = 0.5 / error - normal_quantile(1.0 - 0.05 / (2.0 * 44.0));
    format!("{:5.1} %       ", 100.0 * walkforward::stats::distribution::normal_cdf(distance))
}

pub fn power(size: Size) {
    println!("one column, .5 sd, 2,000 rows against 500, level 5 %: found (goal >= 80 % at .8, >= 50 % at .9)");
    println!("  {:<12} {:>16} {:>16} {:>16} {:>16}", "process", "ks", "combined", "combined, nothing", "oracle");
    for phi in [0.5, 0.8, 0.9, 0.95] {
        let mut stream = Seed::new(3).derive("power").stream();
        let mut shares = [Share::default(); 3];
        for _ in 0..size.many {
            let calm = autoregressive(ROWS, phi, &mut stream);
            let mut shifted = calm.clone();
            shifted[REFERENCE..].iter_mut().for_each(|x| *x += 0.5);
            let found = |series: &[f64], statistic| {
                let config = alone(statistic, size.replicates.min(499));
                hit(check(&windows(&[series.to_vec()], REFERENCE), &config, 7).verdict)
            };
            shares[0].count(found(&shifted, DriftStatistic::Ks));
            shares[1].count(found(&shifted, DriftStatistic::Combined));
            shares[2].count(found(&calm, DriftStatistic::Combined));
        }
        let tau = (1.0 + phi) / (1.0 - phi);
        let error = (tau * (1.0 / REFERENCE as f64 + 1.0 / 500.0_f64)).sqrt();
        let oracle = walkforward::stats::distribution::normal_cdf(0.5 / error - normal_quantile(0.975));
        let words = shares.map(|share| format!("{:>16}", share.words())).join(" ");
        println!("  {:<12} {words} {:>14.1} %", format!("AR({phi})"), 100.0 * oracle);
    }
}

/// Trades whose signal informs by `skill`; the size of moves follows a slow volatility, as markets do.
fn scored(rows: usize, skill: f64, stream: &mut RandomStream) -> Scored {
    let volatility = autoregressive(rows, 0.98, stream);
    let mut window = Scored::default();
    for (row, volatility) in volatility.iter().enumerate() {
        let signal = stream.normal() * (0.5 * volatility).exp();
        let won = skill * signal + stream.normal() > 0.0;
        window.time.push(row as i64);
        window.label.push(won);
        window.probability.push(1.0 / (1.0 + (-1.5 * signal).exp()));
        window.r.push(if won { 1.5 } else { -1.0 });
    }
    window
}

pub fn performance(size: Size) {
    println!("performance drift: 600 reference rows");
    println!("  {:<34} {:>16} {:>16}", "", "ours", "MAE + 20 %");
    let mut stream = Seed::new(4).derive("performance").stream();
    let raw = PerformanceConfig { rule: PerformanceRule::MaeRise, ..PerformanceConfig::default() };
    for (name, rows, skill) in [
        ("unchanged, 60 rows", 60, 1.0),
        ("unchanged, 200 rows", 200, 1.0),
        ("edge turned around, 100 rows", 100, -1.0),
    ] {
        let mut shares = [Share::default(); 2];
        for _ in 0..size.many {
            let (before, after) = (scored(600, 1.0, &mut stream), scored(rows, skill, &mut stream));
            for (share, config) in shares.iter_mut().zip([&PerformanceConfig::default(), &raw]) {
                let report = performance_drift(&before, &after, config).expect("the windows are sound");
                share.count(hit(report.verdict));
            }
        }
        println!("  {name:<34} {}", shares.map(|share| format!("{:>16}", share.words())).join(" "));
    }
    println!("MAE of returns forecast by their mean, AR(.98) log volatility: rises by 20 % where nothing changed");
    for rows in [20, 60, 250] {
        let mut share = Share::default();
        for _ in 0..size.many {
            let volatility = autoregressive(600 + rows, 0.98, &mut stream);
            let errors: Vec<f64> = volatility.iter().map(|v| (0.5 * v).exp() * stream.normal().abs()).collect();
            let (before, after) = (mean(&errors[..600]).unwrap_or(1.0), mean(&errors[600..]).unwrap_or(1.0));
            share.count(after > 1.2 * before);
        }
        println!("  {rows:>4} rows {:>16}", share.words());
    }
}

pub fn time(_: Size) {
    println!("44 columns x 2,500 rows x 1,999 replicates, one thread (goal < 1 s)");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("one thread can be had");
    let mut stream = Seed::new(5).stream();
    let windows = windows(&correlated(44, ROWS, 0.5, &mut stream), REFERENCE);
    for statistic in [DriftStatistic::Ks, DriftStatistic::Combined] {
        let config = DriftConfig { statistic, ..DriftConfig::default() };
        let start = Instant::now();
        pool.install(|| check(&windows, &config, 7));
        println!("  {:<12} {:.3} s", statistic.name(), start.elapsed().as_secs_f64());
    }
}
