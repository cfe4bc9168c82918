//! Series, windows and shares.

use walkforward::base::{CancelToken, RandomStream, Seed};
use walkforward::drift::{Column, ColumnDriftReport, Correction, DriftConfig, DriftStatistic, Sample, column_drift};

/// How much is simulated.
#[derive(Clone, Copy)]
pub struct Size {
    /// Runs of a cell that costs little.
    pub many: usize,
    /// Runs of a cell of 44 columns.
    pub few: usize,
    /// Permutations where the level is 5 % and nothing is corrected.
    pub replicates: usize,
}

impl Size {
    pub const FULL: Self = Self { many: 400, few: 100, replicates: 999 };
    pub const QUICK: Self = Self { many: 60, few: 20, replicates: 199 };
}

/// A share of runs.
#[derive(Clone, Copy, Default)]
pub struct Share {
    hits: usize,
    runs: usize,
}

impl Share {
    pub fn count(&mut self, hit: bool) {
        self.hits += usize::from(hit);
        self.runs += 1;
    }

    pub fn runs(self) -> usize {
        self.runs
    }

    /// `12.5 % +- 1.7`
    pub fn words(self) -> String {
        let share = self.hits as f64 / self.runs.max(1) as f64;
        let error = (share * (1.0 - share) / self.runs.max(1) as f64).sqrt();
        format!("{:5.1} % +- {:.1}", 100.0 * share, 100.0 * error)
    }
}

pub fn autoregressive(rows: usize, phi: f64, stream: &mut RandomStream) -> Vec<f64> {
    let scale = (1.0 - phi * phi).sqrt();
    let mut state = stream.normal();
    (0..rows)
        .map(|_| {
            state = phi * state + scale * stream.normal();
            state
        })
        .collect()
}

/// Columns that share half of their variance, each an AR(phi) of unit variance.
pub fn correlated(count: usize, rows: usize, phi: f64, stream: &mut RandomStream) -> Vec<Vec<f64>> {
    let market = autoregressive(rows, phi, stream);
    let weight = 0.5_f64.sqrt();
    (0..count)
        .map(|_| autoregressive(rows, phi, stream).iter().zip(&market).map(|(a, b)| weight * (a + b)).collect())
        .collect()
}

/// The first rows and the rest of some columns, one row a time stamp.
pub fn windows(columns: &[Vec<f64>], reference: usize) -> (Sample, Sample) {
    let part = |range: std::ops::Range<usize>| Sample {
        time: range.clone().map(|row| row as i64).collect(),
        columns: columns
            .iter()
            .enumerate()
            .map(|(index, values)| Column::numbers(format!("c{index}"), values[range.clone()].to_vec()))
            .collect(),
    };
    let rows = columns.first().map_or(0, Vec::len);
    (part(0..reference), part(reference..rows))
}

pub fn check(windows: &(Sample, Sample), config: &DriftConfig, seed: u64) -> ColumnDriftReport {
    column_drift(&windows.0, &windows.1, config, Seed::new(seed), &CancelToken::new()).expect("the windows are sound")
}

pub fn alone(statistic: DriftStatistic, replicates: usize) -> DriftConfig {
    DriftConfig { statistic, replicates, correction: Correction::None, ..DriftConfig::default() }
}

/// Rules of others, on one column.
pub struct Rules {
    /// A Kolmogorov-Smirnov test that takes rows as independent, at 5 %.
    pub naive_ks: bool,
    /// Wasserstein over the reference's deviation at least .1, a default of Evidently.
    pub wasserstein: bool,
    /// PSI over ten quantile bins above .2.
    pub psi: bool,
}

impl Rules {
    pub fn of(reference: &[f64], current: &[f64]) -> Self {
        use walkforward::stats::{order, sum, two_sample};
        let (x, y) = (order::sorted(reference), order::sorted(current));
        let distance = two_sample::kolmogorov_smirnov(&x, &y).unwrap_or(0.0);
        let deviation = sum::std_dev(&x, 0).unwrap_or(1.0);
        let bins = two_sample::QuantileBins::from_sorted(&x, 10).expect("a reference has values");
        let shares = |sample: &[f64]| -> Vec<f64> {
            let counts = bins.count_sorted(sample);
            // the customary patch for empty bins
            counts.iter().map(|&count| (count as f64 / sample.len() as f64).max(1e-4)).collect()
        };
        let psi: f64 = shares(&x).iter().zip(shares(&y)).map(|(p, q)| (q - p) * (q / p).ln()).sum();
        Self {
            naive_ks: two_sample::kolmogorov_limit_p(distance, x.len(), y.len()) < 0.05,
            wasserstein: two_sample::wasserstein(&x, &y).unwrap_or(0.0) / deviation >= 0.1,
            psi: psi > 0.2,
        }
    }
}
