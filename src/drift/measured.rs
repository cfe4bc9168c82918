//! The bounds of the drift check, measured in full: `cargo test --release -- --ignored --nocapture measured`.

use std::time::Instant;

use super::tests::{acceptance, autoregressive, run, sample, share_of_alarms, single, uncorrected};
use super::*;
use crate::base::{RandomStream, Seed};

const RUNS: usize = 100;

const STATISTICS: [DriftStatistic; 5] = [
    DriftStatistic::Ks,
    DriftStatistic::CramerVonMises,
    DriftStatistic::Psi,
    DriftStatistic::Wasserstein,
    DriftStatistic::JensenShannon,
];

#[test]
#[ignore = "measures the full bounds"]
fn false_alarms_and_detection_on_the_acceptance_series() {
    for statistic in STATISTICS {
        let config = DriftConfig { statistic, ..uncorrected(1_999) };
        let share = |name: &str| share_of_alarms(&acceptance(name), &config);
        let (calm, calmer, shifted) = (share("null_phi50"), share("null_phi80"), share("shift50_phi50"));
        println!("{statistic:?}: false alarms {calm:.3} (phi .5) {calmer:.3} (phi .8), detection {shifted:.3}");
        assert!(calm <= 0.09 && calmer <= 0.09 && shifted >= 0.95);
    }
}

/// `count` columns that share half of their variance, each an AR(phi) of unit variance.
fn correlated(count: usize, rows: usize, phi: f64, stream: &mut RandomStream) -> Vec<Vec<f64>> {
    let market = autoregressive(rows, phi, stream);
    let weight = 0.5_f64.sqrt();
    (0..count)
        .map(|_| autoregressive(rows, phi, stream).iter().zip(&market).map(|(a, b)| weight * (a + b)).collect())
        .collect()
}

fn windows(columns: &[Vec<f64>]) -> (Sample, Sample) {
    let names: Vec<String> = (0..columns.len()).map(|i| format!("c{i}")).collect();
    let part = |from: usize, to: usize| {
        let columns: Vec<(&str, &[f64])> = names.iter().zip(columns).map(|(n, c)| (n.as_str(), &c[from..to])).collect();
        sample(&columns)
    };
    (part(0, 2_000), part(2_000, 2_500))
}

#[test]
#[ignore = "measures the full bounds"]
fn a_data_set_of_44_columns_rarely_alarms_and_finds_one_shifted_column() {
    let mut stream = Seed::new(2026).stream();
    for phis in [&[0.5][..], &[0.8], &[0.0, 0.5, 0.8, 0.9, 0.97]] {
        let (mut alarms, mut found) = (0, 0);
        for _ in 0..RUNS {
            let mut columns = correlated(44, 2_500, phis[0], &mut stream);
            for (index, column) in columns.iter_mut().enumerate().filter(|(index, _)| index % phis.len() > 0) {
                *column = autoregressive(2_500, phis[index % phis.len()], &mut stream);
            }
            let (reference, current) = windows(&columns);
            alarms += usize::from(run(&reference, &current, &DriftConfig::default()).verdict == Verdict::Drift);
            columns[0][2_000..].iter_mut().for_each(|x| *x += 0.5);
            let (reference, current) = windows(&columns);
            let report = run(&reference, &current, &DriftConfig::default());
            found += usize::from(report.columns[0].verdict == Verdict::Drift);
        }
        println!("phi {phis:?}: data set alarms {alarms}, one of 44 found {found} of {RUNS}");
        // no test at this level finds half a deviation in AR(.8): that is 3.3 standard errors, the bound asks for .001
        assert!(alarms <= 9 && (phis == [0.8] || found >= 75));
    }
}

#[test]
#[ignore = "measures the full bounds"]
fn power_falls_with_the_memory() {
    let mut stream = Seed::new(11).stream();
    for (phi, shift) in [(0.8, 0.5), (0.9, 0.5), (0.95, 0.0), (0.97, 0.0)] {
        let found = (0..300).filter(|_| {
            let mut x = autoregressive(2_500, phi, &mut stream);
            x[2_000..].iter_mut().for_each(|x| *x += shift);
            single(&x[..2_000], &x[2_000..], &uncorrected(999)).verdict == Verdict::Drift
        });
        println!("AR({phi}) shifted by {shift}: alarms {:.3}", found.count() as f64 / 300.0);
    }
}

#[test]
#[ignore = "measures time"]
fn forty_four_columns_take_less_than_a_second_on_one_core() {
    let mut stream = Seed::new(5).stream();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    for phi in [0.5, 0.8] {
        let (reference, current) = windows(&correlated(44, 2_500, phi, &mut stream));
        let start = Instant::now();
        let report = pool.install(|| run(&reference, &current, &DriftConfig::default()));
        let seconds = start.elapsed().as_secs_f64();
        println!("44 columns x 2,500 rows x {} replicates: {seconds:.3} s (phi {phi})", report.replicates);
    }
}
