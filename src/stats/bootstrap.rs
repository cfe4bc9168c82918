//! Block bootstraps for dependent rows: index plans, the Politis-White block length and percentile intervals.
//!
//! A plan is a list of row numbers, so that one plan can resample several columns together. Each replicate draws
//! from a child seed of its own: an interval does not depend on the number of threads.
//!
//! Not guaranteed: a percentile interval covers less than its level when the statistic is strongly biased or the
//! sample holds only a few blocks.

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{CancelToken, Cancelled, RandomStream, Seed, schema};
use crate::stats::order::{quantile_sorted, sorted};
use crate::stats::sum::{mean, sum};

/// A two-sided percentile interval of a bootstrap.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Nominal coverage, for example 0.95.
    pub level: f64,
    /// Replicates on which the statistic was undefined; they are left out of the quantiles.
    pub undefined: usize,
}

/// Optimal block lengths for a series, in rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolitisWhite {
    /// Mean block of the stationary bootstrap.
    pub stationary: f64,
    /// Block of the circular bootstrap.
    pub circular: f64,
}

/// How a bootstrap interval is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IntervalPlan {
    /// Replicates to draw.
    #[serde(default = "default_resamples")]
    #[schemars(range(min = 1))]
    pub resamples: usize,
    /// Nominal coverage.
    #[serde(default = "default_level")]
    #[schemars(transform = schema::level)]
    pub level: f64,
    /// Mean block in rows; estimated from the data by default.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub mean_block: Option<f64>,
}

impl Default for IntervalPlan {
    fn default() -> Self {
        Self { resamples: default_resamples(), level: default_level(), mean_block: None }
    }
}

impl IntervalPlan {
    /// Says what is out of range, if anything.
    pub fn defect(&self) -> Option<String> {
        if self.resamples == 0 {
            return Some("expected `resamples` of at least 1, found 0".to_owned());
        }
        if !(self.level > 0.0 && self.level < 1.0) {
            return Some(format!("expected `level` in (0, 1), found {}", self.level));
        }
        let short = self.mean_block.filter(|block| !(*block >= 1.0 && block.is_finite()));
        short.map(|block| format!("expected `mean_block` of at least 1 row, found {block}"))
    }

    /// Chooses the mean block: the declared one, else the longest that [`politis_white_block`] finds in the series.
    ///
    /// Without any (short or constant series) it is the cube root of the number of rows; never below 1.
    pub fn block_for(&self, series: &[&[f64]]) -> f64 {
        self.mean_block
            .or_else(|| {
                let lengths = series.iter().filter_map(|values| politis_white_block(values));
                lengths.map(|lengths| lengths.stationary).max_by(f64::total_cmp)
            })
            .unwrap_or_else(|| libm::cbrt(series.first().map_or(0, |values| values.len()) as f64))
            .max(1.0)
    }
}

fn default_resamples() -> usize {
    999
}

fn default_level() -> f64 {
    0.95
}

/// Draws row numbers by the stationary bootstrap: blocks of geometric length around a circle of `n` rows.
///
/// A new block starts with probability `1 / mean_block` at each row; `mean_block <= 1` (or NaN) draws rows one by one.
///
/// # References
/// Politis and Romano (1994), The stationary bootstrap.
pub fn stationary_indices(n: usize, mean_block: f64, stream: &mut RandomStream) -> Vec<usize> {
    let restart = if mean_block > 1.0 { 1.0 / mean_block } else { 1.0 };
    let mut rows = Vec::with_capacity(n);
    let mut row = stream.below(n);
    for _ in 0..n {
        rows.push(row);
        row = if stream.uniform() < restart { stream.below(n) } else { (row + 1) % n };
    }
    rows
}

/// Draws row numbers by the circular block bootstrap: blocks of `block` rows (at least 1), the last one cut to fit.
///
/// # References
/// Politis and Romano (1992), A circular block-resampling procedure for stationary data.
pub fn circular_block_indices(n: usize, block: usize, stream: &mut RandomStream) -> Vec<usize> {
    let block = block.max(1);
    let mut rows = Vec::with_capacity(n);
    while rows.len() < n {
        let start = stream.below(n);
        let take = block.min(n - rows.len());
        rows.extend((0..take).map(|step| (start + step) % n));
    }
    rows
}

/// Estimates the block length that minimises the error of a bootstrapped variance of the mean.
///
/// `b = (2 g^2 / d)^(1/3) n^(1/3)` with `g = sum lambda(k/m) |k| R(k)`, long-run variance `s = sum lambda(k/m) R(k)`,
/// `d = 2 s^2` (stationary) or `4/3 s^2` (circular), lambda the flat-top window; `m` is twice the first lag followed by
/// `max(5, log10 n)` autocorrelations below `2 sqrt(log10 n / n)`. Both lengths are capped at `min(3 sqrt n, n / 3)`.
///
/// `None` for a constant series, for fewer than 8 rows and for values that are not finite.
///
/// # References
/// Politis and White (2004), Automatic block-length selection for the dependent bootstrap; Patton, Politis and White
/// (2009), Correction.
pub fn politis_white_block(x: &[f64]) -> Option<PolitisWhite> {
    let n = x.len();
    if n < 8 || !x.iter().all(|value| value.is_finite()) || x.iter().all(|value| *value == x[0]) {
        return None;
    }
    let centre = mean(x)?;
    let centred: Vec<f64> = x.iter().map(|value| value - centre).collect();
    let rows = n as f64;
    let cap = (3.0 * rows.sqrt()).min(rows / 3.0).ceil();
    let quiet_lags = (libm::log10(rows) as usize).max(5);
    let last_lag = (rows.sqrt().ceil() as usize + quiet_lags).min(n - 2);

    let (covariances, correlations) = autocovariances(&centred, last_lag);
    let bound = 2.0 * (libm::log10(rows) / rows).sqrt();
    let quiet_from = (quiet_lags..=last_lag)
        .map(|lag| lag - quiet_lags)
        .find(|&lag| correlations[lag..lag + quiet_lags].iter().all(|correlation| *correlation < bound));
    let window = quiet_from.map_or(last_lag, |lag| 2 * lag.max(1)).min(last_lag);

    let (mut slope, mut long_run) = (0.0, covariances[0]);
    for (lag, covariance) in covariances.iter().enumerate().take(window + 1).skip(1) {
        let share = lag as f64 / window as f64;
        let flat_top = if share <= 0.5 { 1.0 } else { 2.0 * (1.0 - share) };
        slope += 2.0 * flat_top * lag as f64 * covariance;
        long_run += 2.0 * flat_top * covariance;
    }
    let squared = long_run * long_run;
    let length = |scale: f64| libm::cbrt(2.0 * slope * slope / (scale * squared) * rows).min(cap);
    let lengths = PolitisWhite { stationary: length(2.0), circular: length(4.0 / 3.0) };
    lengths.stationary.is_finite().then_some(lengths)
}

/// Autocovariances (divisor n) at lags `0..=last` of a centred series, and absolute correlations of the overlaps.
fn autocovariances(centred: &[f64], last: usize) -> (Vec<f64>, Vec<f64>) {
    let n = centred.len();
    let squares = |part: &[f64]| sum(part.iter().map(|value| value * value));
    (0..=last)
        .map(|lag| {
            let product = sum(centred[lag..].iter().zip(centred).map(|(a, b)| a * b));
            // the overlaps leave out one row more than the lag, as the reference implementation does
            let scale = (squares(&centred[lag + 1..]) * squares(&centred[..n - lag - 1])).sqrt();
            (product / n as f64, product.abs() / scale)
        })
        .unzip()
}

/// Takes the percentile interval of replicates that are already there: quantiles of type 7 at both tails.
///
/// NaN counts as undefined. `None` when fewer than half of the replicates (or none) are defined.
pub fn percentile_interval(replicates: &[f64], level: f64) -> Option<Interval> {
    let defined: Vec<f64> = replicates.iter().copied().filter(|value| !value.is_nan()).collect();
    if defined.is_empty() || defined.len() * 2 < replicates.len() {
        return None;
    }
    let ordered = sorted(&defined);
    let tail = 0.5 * (1.0 - level);
    Some(Interval {
        low: quantile_sorted(&ordered, tail)?,
        high: quantile_sorted(&ordered, 1.0 - tail)?,
        level,
        undefined: replicates.len() - defined.len(),
    })
}

/// Bootstraps a percentile interval of a statistic of `n` rows in time order (stationary bootstrap).
///
/// `statistic` gets the row numbers of one replicate; replicate `i` draws from `seed.index(i)`.
/// `Ok(None)` when `n` or `resamples` is 0 or more than half of the replicates are undefined.
///
/// # Errors
/// [`Cancelled`] when the token asks for a stop between replicates.
pub fn interval(
    n: usize,
    resamples: usize,
    mean_block: f64,
    level: f64,
    seed: Seed,
    cancel: &CancelToken,
    statistic: impl Fn(&[usize]) -> Option<f64> + Sync,
) -> Result<Option<Interval>, Cancelled> {
    if n == 0 {
        return Ok(None);
    }
    let replicates = (0..resamples)
        .into_par_iter()
        .map(|replicate| {
            cancel.check()?;
            let rows = stationary_indices(n, mean_block, &mut seed.index(replicate as u64).stream());
            Ok(statistic(&rows).unwrap_or(f64::NAN))
        })
        .collect::<Result<Vec<f64>, Cancelled>>()?;
    Ok(percentile_interval(&replicates, level))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::stats::sum::std_dev;

    fn golden_cases() -> Vec<Value> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/stats/dependence_bootstrap.json");
        let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        file["cases"].as_array().unwrap().clone()
    }

    fn numbers(value: &Value) -> Vec<f64> {
        value.as_array().unwrap().iter().map(|item| item.as_f64().unwrap()).collect()
    }

    #[test]
    fn block_lengths_agree_with_arch() {
        for case in golden_cases().iter().filter(|case| case["expect"].get("pw_block_circular").is_some()) {
            let ours = politis_white_block(&numbers(&case["input"]["x"])).unwrap();
            for (key, ours) in [("pw_block_stationary", ours.stationary), ("pw_block_circular", ours.circular)] {
                let theirs = case["expect"][key].as_f64().unwrap();
                assert!((ours / theirs - 1.0).abs() < 1e-8, "{} {key}: {ours} {theirs}", case["name"]);
            }
        }
    }

    #[test]
    fn a_given_plan_gives_the_reference_interval() {
        let all = golden_cases();
        let case = all.iter().find(|case| case["input"].get("indices").is_some()).unwrap();
        let x = numbers(&case["input"]["x"]);
        let plans = case["input"]["indices"].as_array().unwrap().iter().map(numbers);
        let sharpe = |plan: Vec<f64>| {
            let drawn: Vec<f64> = plan.iter().map(|row| x[*row as usize]).collect();
            mean(&drawn).unwrap() / std_dev(&drawn, 1).unwrap()
        };
        let replicates: Vec<f64> = plans.map(sharpe).collect();
        let ours = percentile_interval(&replicates, 0.95).unwrap();
        let theirs = numbers(&case["expect"]["percentile_95"]);
        assert!((ours.low - theirs[0]).abs() < 1e-10 && (ours.high - theirs[1]).abs() < 1e-10, "{ours:?} {theirs:?}");
    }

    #[test]
    fn no_block_length_is_invented() {
        assert_eq!(politis_white_block(&[1.0; 50]), None);
        assert_eq!(politis_white_block(&[1.0, 2.0, 3.0]), None);
        assert_eq!(politis_white_block(&[f64::NAN; 50]), None);
    }

    #[test]
    fn stationary_blocks_have_the_mean_length_asked_for() {
        let rows = stationary_indices(100_000, 8.0, &mut Seed::new(5).stream());
        let starts = rows.windows(2).filter(|pair| pair[1] != (pair[0] + 1) % 100_000).count();
        // 12,500 starts with a standard deviation of 105
        assert!(starts.abs_diff(12_500) < 500, "{starts}");
    }

    #[test]
    fn dependence_widens_the_interval_of_a_mean() {
        let mut stream = Seed::new(11).stream();
        let mut level = 0.0;
        let x: Vec<f64> = (0..400)
            .map(|_| {
                level = 0.8 * level + stream.normal();
                level
            })
            .collect();
        let width = |block: f64| {
            let average = |rows: &[usize]| Some(rows.iter().map(|&row| x[row]).sum::<f64>() / rows.len() as f64);
            let ends = interval(400, 400, block, 0.9, Seed::new(1), &CancelToken::new(), average).unwrap().unwrap();
            ends.high - ends.low
        };
        assert!(width(20.0) > 1.7 * width(1.0), "{} {}", width(20.0), width(1.0));
    }

    #[test]
    fn undefined_replicates_are_counted_or_void_the_interval() {
        let half = percentile_interval(&[1.0, f64::NAN, 3.0, f64::NAN], 0.5).unwrap();
        assert_eq!((half.undefined, half.low, half.high), (2, 1.5, 2.5));
        assert_eq!(percentile_interval(&[1.0, f64::NAN, f64::NAN], 0.5), None);
        assert_eq!(interval(0, 10, 2.0, 0.9, Seed::new(1), &CancelToken::new(), |_| Some(1.0)), Ok(None));
    }

    #[test]
    fn the_interval_does_not_depend_on_the_thread_count() {
        let draw = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let first = |rows: &[usize]| rows.first().map(|row| *row as f64);
            pool.install(|| interval(50, 99, 3.0, 0.9, Seed::new(4), &CancelToken::new(), first))
        };
        assert_eq!(draw(1), draw(4));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn plans_have_one_row_in_range_for_each_row(n in 0..200_usize, block in 0..30_usize, seed in any::<u64>()) {
            let mut stream = Seed::new(seed).stream();
            let stationary = stationary_indices(n, block as f64, &mut stream);
            let circular = circular_block_indices(n, block, &mut stream);
            prop_assert_eq!((stationary.len(), circular.len()), (n, n));
            prop_assert!(stationary.iter().chain(&circular).all(|row| *row < n));
            let within_block = |position: usize| !position.is_multiple_of(block.max(1));
            prop_assert!((1..n).filter(|at| within_block(*at)).all(|at| circular[at] == (circular[at - 1] + 1) % n));
        }
    }
}
