//! How much of a search's best result is selection: probability of backtest overfitting, superior predictive ability,
//! minimum backtest length.
//!
//! # Shape
//! Trials are columns: one slice of per-period returns per trial, all of equal length, rows in time order.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::sharpe::expected_max_normal;
use super::trading::flat;
use crate::base::{CancelToken, Cancelled, Seed};
use crate::stats::bootstrap::stationary_indices;
use crate::stats::order::midranks;
use crate::stats::sum::{mean, sum};

/// Groups of rows above which the number of combinations leaves all bounds (20 groups have 184,756).
const MAX_GROUPS: usize = 20;

/// Probability of backtest overfitting by combinatorially symmetric cross-validation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BacktestOverfitting {
    /// Share of splits on which the in-sample winner ranks in the lower half out of sample (logit <= 0).
    pub pbo: f64,
    /// Mean of the logits.
    pub mean_logit: f64,
    /// `ln(w / (1 - w))` of the winner's relative out-of-sample rank `w = rank / (N + 1)`, one per split.
    pub logits: Vec<f64>,
    /// Slope of the winner's out-of-sample Sharpe ratio on its in-sample one; `None` when the latter never varies.
    pub degradation_slope: Option<f64>,
    /// Share of splits on which the winner loses money out of sample.
    pub oos_loss_share: f64,
}

/// Computes the probability of backtest overfitting over all ways to choose half of `groups` contiguous row groups.
///
/// The Sharpe ratio judges in and out of sample; the first trial wins a tie in sample, tied ranks are shared out of
/// sample, and a trial whose returns do not vary (it never traded) has a Sharpe ratio of 0. Rows that do not divide
/// evenly go to the first groups.
///
/// `None` with fewer than 2 trials, an odd number of groups or one outside `2..=20`, fewer than 2 rows a group,
/// columns of unequal length or returns that are not finite.
///
/// # References
/// Bailey, Borwein, Lopez de Prado and Zhu (2017), The probability of backtest overfitting.
pub fn probability_of_overfitting<C: AsRef<[f64]> + Sync>(trials: &[C], groups: usize) -> Option<BacktestOverfitting> {
    let rows = checked_columns(trials)?;
    if trials.len() < 2 || !groups.is_multiple_of(2) || !(2..=MAX_GROUPS).contains(&groups) || rows < 2 * groups {
        return None;
    }
    let bounds = group_bounds(rows, groups);
    let tables: Vec<TrialGroups> = trials.iter().map(|trial| TrialGroups::of(trial.as_ref(), &bounds)).collect();
    let splits: Vec<Split> =
        half_subsets(groups).into_par_iter().map(|chosen| judge_split(&tables, chosen, groups)).collect();

    let share =
        |holds: fn(&Split) -> bool| splits.iter().filter(|split| holds(split)).count() as f64 / splits.len() as f64;
    let in_sample: Vec<f64> = splits.iter().map(|split| split.in_sample).collect();
    let out_of_sample: Vec<f64> = splits.iter().map(|split| split.out_of_sample).collect();
    let logits: Vec<f64> = splits.iter().map(|split| split.logit).collect();
    Some(BacktestOverfitting {
        pbo: share(|split| split.logit <= 0.0),
        mean_logit: mean(&logits)?,
        degradation_slope: slope(&in_sample, &out_of_sample),
        oos_loss_share: share(|split| split.out_of_sample < 0.0),
        logits,
    })
}

/// What one split said of its in-sample winner.
struct Split {
    in_sample: f64,
    out_of_sample: f64,
    logit: f64,
}

/// Sums of one trial over each row group, of returns less the trial's mean so that squares do not cancel.
struct TrialGroups {
    centre: f64,
    scale: f64,
    rows: Vec<f64>,
    sums: Vec<f64>,
    squares: Vec<f64>,
}

impl TrialGroups {
    fn of(returns: &[f64], bounds: &[usize]) -> Self {
        let centre = mean(returns).unwrap_or(0.0);
        let parts = || bounds.windows(2).map(|edge| &returns[edge[0]..edge[1]]);
        Self {
            centre,
            scale: returns.iter().fold(0.0_f64, |largest, change| largest.max(change.abs())),
            rows: parts().map(|part| part.len() as f64).collect(),
            sums: parts().map(|part| sum(part.iter().map(|change| change - centre))).collect(),
            squares: parts().map(|part| sum(part.iter().map(|change| (change - centre).powi(2)))).collect(),
        }
    }

    /// Sharpe ratio over the groups in `chosen` (one bit a group); 0 when the returns do not vary there.
    fn sharpe(&self, chosen: u32) -> f64 {
        let over = |values: &[f64]| {
            sum(values.iter().enumerate().filter(|(group, _)| chosen >> group & 1 == 1).map(|(_, value)| *value))
        };
        let rows = over(&self.rows);
        let offset = over(&self.sums) / rows;
        let variance = (over(&self.squares) - rows * offset * offset) / (rows - 1.0);
        let deviation = variance.max(0.0).sqrt();
        // the root of a rounding error of squares of this scale is no spread
        if deviation <= 1e-8 * self.scale { 0.0 } else { (self.centre + offset) / deviation }
    }
}

fn judge_split(trials: &[TrialGroups], chosen: u32, groups: usize) -> Split {
    let others = !chosen & ((1_u32 << groups) - 1);
    let mut winner = 0;
    let in_sample: Vec<f64> = trials.iter().map(|trial| trial.sharpe(chosen)).collect();
    for (trial, sharpe) in in_sample.iter().enumerate() {
        if *sharpe > in_sample[winner] {
            winner = trial;
        }
    }
    let out_of_sample: Vec<f64> = trials.iter().map(|trial| trial.sharpe(others)).collect();
    let place = midranks(&out_of_sample)[winner] / (trials.len() as f64 + 1.0);
    Split {
        in_sample: in_sample[winner],
        out_of_sample: out_of_sample[winner],
        logit: libm::log(place / (1.0 - place)),
    }
}

/// Edges of contiguous row groups, the first ones larger by one row when the division leaves a rest.
fn group_bounds(rows: usize, groups: usize) -> Vec<usize> {
    let (size, larger) = (rows / groups, rows % groups);
    (0..=groups).map(|group| group * size + group.min(larger)).collect()
}

/// All choices of half of the groups as bit sets, in lexicographic order of the group numbers.
fn half_subsets(groups: usize) -> Vec<u32> {
    let mut subsets: Vec<u32> =
        (0..1_u32 << groups).filter(|subset| subset.count_ones() as usize * 2 == groups).collect();
    // lower group numbers first: reversing the bits turns lexicographic order into falling numbers
    subsets.sort_unstable_by_key(|subset| std::cmp::Reverse(subset.reverse_bits()));
    subsets
}

/// Slope of the least-squares line.
fn slope(x: &[f64], y: &[f64]) -> Option<f64> {
    if flat(x) {
        return None;
    }
    let (x_mean, y_mean) = (mean(x)?, mean(y)?);
    let product = sum(x.iter().zip(y).map(|(x, y)| (x - x_mean) * (y - y_mean)));
    Some(product / sum(x.iter().map(|x| (x - x_mean) * (x - x_mean))))
}

/// P-values of Hansen's test of superior predictive ability: can the best trial be skill-less?
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SuperiorAbility {
    /// Largest studentised mean over the trials, at least 0.
    pub statistic: f64,
    /// P-value when every poor trial is taken out of the null: too small.
    pub lower: f64,
    /// P-value with clearly poor trials taken out: the one to report.
    pub consistent: f64,
    /// P-value with every trial at the border of the null (White's reality check, studentised): too large.
    pub upper: f64,
}

/// Tests whether the best of several trials beats a benchmark, given each trial's return **above** that benchmark.
///
/// Studentised by the exact variance under the stationary bootstrap; p is the share of `resamples` replicates whose
/// largest recentred statistic exceeds the observed one, counted with the observed sample itself, `(1 + #) / (1 + B)`.
/// Trials whose returns do not vary are left out.
///
/// `Ok(None)` without a usable trial, with fewer than 8 rows, columns of unequal length or values that are not finite.
///
/// # Errors
/// [`Cancelled`] when the token asks for a stop between replicates.
///
/// # References
/// Hansen (2005), A test for superior predictive ability; Politis and Romano (1994), The stationary bootstrap.
pub fn superior_ability<C: AsRef<[f64]> + Sync>(
    trials: &[C],
    resamples: usize,
    mean_block: f64,
    seed: Seed,
    cancel: &CancelToken,
) -> Result<Option<SuperiorAbility>, Cancelled> {
    let Some(rows) = checked_columns(trials).filter(|rows| *rows >= 8 && resamples > 0) else {
        return Ok(None);
    };
    let columns: Vec<SpaColumn<'_>> = trials
        .par_iter()
        .map(|trial| cancel.check().map(|()| SpaColumn::of(trial.as_ref(), mean_block)))
        .collect::<Result<Vec<_>, Cancelled>>()?
        .into_iter()
        .flatten()
        .collect();
    let Some(best) = columns.iter().map(|column| column.mean / column.deviation).max_by(f64::total_cmp) else {
        return Ok(None);
    };
    let root = (rows as f64).sqrt();
    let statistic = (root * best).max(0.0);
    let drawn = DrawCounts::of(rows, resamples, mean_block, seed);
    let none = || vec![[0.0_f64; 3]; resamples];
    let largest = columns
        .par_chunks(COLUMNS_AT_ONCE)
        .map(|columns| cancel.check().map(|()| drawn.largest_statistics(columns)))
        // a maximum is the same in any order
        .try_reduce(none, |a, b| Ok(a.iter().zip(&b).map(|(a, b)| larger_of_each(*a, *b)).collect()))?;
    let exceeded: Vec<[bool; 3]> = largest.iter().map(|largest| largest.map(|it| it >= statistic)).collect();
    let p_value = |which: usize| {
        let count = exceeded.iter().filter(|exceeds| exceeds[which]).count();
        (1.0 + count as f64) / (1.0 + resamples as f64)
    };
    Ok(Some(SuperiorAbility { statistic, lower: p_value(0), consistent: p_value(1), upper: p_value(2) }))
}

/// Trials whose resampled means are taken together: each count is read once for all of them.
const COLUMNS_AT_ONCE: usize = 8;

fn larger_of_each(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[0].max(b[0]), a[1].max(b[1]), a[2].max(b[2])]
}

/// How often each row is drawn in each replicate: with that, resampled means are one product of two matrices.
struct DrawCounts {
    /// Row by row, one count a replicate.
    counts: Vec<f64>,
    resamples: usize,
    rows: usize,
}

impl DrawCounts {
    fn of(rows: usize, resamples: usize, mean_block: f64, seed: Seed) -> Self {
        let mut counts = vec![0.0; rows * resamples];
        for replicate in 0..resamples {
            for row in stationary_indices(rows, mean_block, &mut seed.index(replicate as u64).stream()) {
                counts[row * resamples + replicate] += 1.0;
            }
        }
        Self { counts, resamples, rows }
    }

    /// The largest recentred statistics of some trials in every replicate, at least 0.
    fn largest_statistics(&self, columns: &[SpaColumn<'_>]) -> Vec<[f64; 3]> {
        let mut sums = vec![vec![0.0; self.resamples]; columns.len()];
        for (row, counts) in self.counts.chunks_exact(self.resamples).enumerate() {
            for (sums, column) in sums.iter_mut().zip(columns) {
                let value = column.values[row];
                for (sum, count) in sums.iter_mut().zip(counts) {
                    *sum += count * value;
                }
            }
        }
        let (rows, root) = (self.rows as f64, (self.rows as f64).sqrt());
        let mut largest = vec![[0.0_f64; 3]; self.resamples];
        for (sums, column) in sums.iter().zip(columns) {
            for (largest, sum) in largest.iter_mut().zip(sums) {
                let recentred = column.centres.map(|centre| root * (sum / rows - centre) / column.deviation);
                *largest = larger_of_each(*largest, recentred);
            }
        }
        largest
    }
}

/// One trial in Hansen's test.
struct SpaColumn<'a> {
    values: &'a [f64],
    mean: f64,
    deviation: f64,
    /// What replicates are centred on for the lower, consistent and upper p-value.
    centres: [f64; 3],
}

impl<'a> SpaColumn<'a> {
    fn of(values: &'a [f64], mean_block: f64) -> Option<Self> {
        if flat(values) {
            return None;
        }
        let mean = mean(values)?;
        let variance = stationary_bootstrap_variance(values, mean, mean_block);
        if variance <= 0.0 {
            return None;
        }
        let rows = values.len() as f64;
        let clearly_poor = mean < -(variance / rows * 2.0 * libm::log(libm::log(rows))).sqrt();
        let consistent = if clearly_poor { 0.0 } else { mean };
        Some(Self { values, mean, deviation: variance.sqrt(), centres: [mean.max(0.0), consistent, mean] })
    }
}

/// Variance of `sqrt(n)` times the resampled mean under the stationary bootstrap (Hansen, 2005, section 3.3).
fn stationary_bootstrap_variance(values: &[f64], mean: f64, mean_block: f64) -> f64 {
    let n = values.len();
    let rows = n as f64;
    let keep = if mean_block > 1.0 { 1.0 - 1.0 / mean_block } else { 0.0 };
    let centred: Vec<f64> = values.iter().map(|value| value - mean).collect();
    let covariance = |lag: usize| product(&centred[lag..], &centred) / rows;
    let mut variance = covariance(0);
    for lag in 1..n {
        let share = lag as f64 / rows;
        let kernel = (1.0 - share) * libm::pow(keep, lag as f64) + share * libm::pow(keep, (n - lag) as f64);
        // far from both ends of the circle the weights vanish: most lags cost nothing
        if kernel > 1e-14 {
            variance += 2.0 * kernel * covariance(lag);
        }
    }
    variance
}

/// The sum of products over the shorter length, in eight running sums: no chain of dependent additions.
fn product(a: &[f64], b: &[f64]) -> f64 {
    let b = &b[..a.len().min(b.len())];
    let (eights_a, eights_b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = eights_a.remainder().iter().zip(eights_b.remainder()).map(|(x, y)| x * y).sum();
    let mut sums = [0.0; 8];
    for (x, y) in eights_a.zip(eights_b) {
        for lane in 0..8 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// Computes the years of data below which the best of `trials` skill-less trials is expected to reach `annual_sharpe`.
///
/// `(E[max of N standard normals] / annual_sharpe)^2`: 45 trials reach an annual Sharpe ratio of 1 in five years.
/// `None` when `trials` is below 1 or `annual_sharpe` is not above 0.
///
/// # References
/// Bailey, Borwein, Lopez de Prado and Zhu (2014), Pseudo-mathematics and financial charlatanism.
pub fn minimum_backtest_length_years(trials: f64, annual_sharpe: f64) -> Option<f64> {
    let expected = expected_max_normal(trials)?;
    (annual_sharpe > 0.0 && annual_sharpe.is_finite()).then(|| (expected / annual_sharpe).powi(2))
}

/// Computes the mean correlation over all pairs of trials; constant trials are left out.
///
/// With columns `z` of mean 0 and length 1, the correlations of all `k (k - 1) / 2` pairs add up to `(|sum z|^2 - k) / 2`:
/// the cost is trials times rows. `None` with fewer than two trials that vary.
pub fn mean_correlation<C: AsRef<[f64]> + Sync>(trials: &[C]) -> Option<f64> {
    let rows = checked_columns(trials)?;
    let mut total = vec![0.0_f64; rows];
    let mut count = 0_usize;
    for trial in trials.iter().map(AsRef::as_ref).filter(|column| !flat(column)) {
        let centre = mean(trial)?;
        let length = sum(trial.iter().map(|value| (value - centre) * (value - centre))).sqrt();
        total.iter_mut().zip(trial).for_each(|(total, value)| *total += (value - centre) / length);
        count += 1;
    }
    let k = count as f64;
    (count >= 2).then(|| (sum(total.iter().map(|z| z * z)) - k) / (k * (k - 1.0)))
}

/// Number of rows of columns that are all there, equally long and finite.
fn checked_columns<C: AsRef<[f64]>>(trials: &[C]) -> Option<usize> {
    let rows = trials.first()?.as_ref().len();
    let usable = trials.iter().all(|trial| {
        let column = trial.as_ref();
        column.len() == rows && column.iter().all(|value| value.is_finite())
    });
    (rows > 0 && usable).then_some(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::golden::{agrees, cases, numbers};

    /// Noise in columns; the trial `skilled` earns `edge` standard deviations a row on top.
    fn market(trials: usize, rows: usize, skilled: usize, edge: f64, seed: u64) -> Vec<Vec<f64>> {
        (0..trials)
            .map(|trial| {
                let mut stream = Seed::new(seed).index(trial as u64).stream();
                let lift = if trial == skilled { edge } else { 0.0 };
                (0..rows).map(|_| 0.01 * (stream.normal() + lift)).collect()
            })
            .collect()
    }

    fn columns(rows: &serde_json::Value) -> Vec<Vec<f64>> {
        let rows: Vec<Vec<f64>> = rows.as_array().unwrap().iter().map(numbers).collect();
        (0..rows[0].len()).map(|trial| rows.iter().map(|row| row[trial]).collect()).collect()
    }

    #[test]
    fn mean_correlation_is_the_mean_over_pairs() {
        let mut trials = market(6, 200, 0, 0.0, 3);
        trials.push(vec![0.5; 200]);
        let mut pairs = Vec::new();
        for a in 0..6 {
            for b in a + 1..6 {
                pairs.push(crate::metric::regression::pearson(&trials[a], &trials[b]).unwrap());
            }
        }
        assert!((mean_correlation(&trials).unwrap() - mean(&pairs).unwrap()).abs() < 1e-14);
        assert_eq!(mean_correlation(&trials[6..]), None);
    }

    #[test]
    fn cross_validation_agrees_with_brute_force() {
        let all = cases("stats/sharpe_significance.json");
        for case in all.iter().filter(|case| case["input"].get("S").is_some()) {
            let groups = case["input"]["S"].as_u64().unwrap() as usize;
            let ours = probability_of_overfitting(&columns(&case["input"]["returns"]), groups).unwrap();
            let expect = &case["expect"];
            agrees("pbo", Some(ours.pbo), &expect["pbo"], 1e-12, 0.0);
            agrees("logit_mean", Some(ours.mean_logit), &expect["logit_mean"], 1e-12, 0.0);
            agrees("prob_oos_loss", Some(ours.oos_loss_share), &expect["prob_oos_loss"], 1e-12, 0.0);
            assert_eq!(ours.logits.len() as u64, expect["n_combinations"].as_u64().unwrap());
            for (ours, theirs) in ours.logits.iter().zip(expect["logits"].as_array().unwrap()) {
                agrees("logit", Some(*ours), theirs, 1e-12, 0.0);
            }
        }
    }

    #[test]
    fn a_planted_edge_is_not_overfitting_and_noise_is() {
        let skilled = probability_of_overfitting(&market(20, 480, 3, 0.3, 1), 8).unwrap();
        assert!(skilled.pbo < 0.05 && skilled.oos_loss_share < 0.05, "{} {}", skilled.pbo, skilled.oos_loss_share);
        let noise: f64 =
            (0..20).map(|seed| probability_of_overfitting(&market(20, 240, 3, 0.0, seed), 8).unwrap().pbo).sum();
        assert!((noise / 20.0 - 0.5).abs() < 0.15, "{}", noise / 20.0);
    }

    #[test]
    fn uneven_rows_and_idle_trials_are_judged_too() {
        let mut trials = market(5, 103, 0, 0.5, 2);
        trials.push(vec![0.0; 103]);
        let report = probability_of_overfitting(&trials, 6).unwrap();
        assert!(report.logits.iter().all(|logit| logit.is_finite()));
    }

    #[test]
    fn impossible_cross_validations_are_refused() {
        let trials = market(4, 40, 0, 0.0, 2);
        assert!(probability_of_overfitting(&trials[..1], 4).is_none());
        assert!([0, 3, 22, 24].iter().all(|groups| probability_of_overfitting(&trials, *groups).is_none()));
        assert!(probability_of_overfitting(&[vec![0.1, 0.2], vec![0.1]], 2).is_none());
        assert!(probability_of_overfitting(&[vec![f64::NAN; 40], vec![0.1; 40]], 4).is_none());
    }

    #[test]
    fn half_subsets_come_in_lexicographic_order() {
        assert_eq!(half_subsets(4), [0b0011, 0b0101, 0b1001, 0b0110, 0b1010, 0b1100]);
    }

    #[test]
    fn superior_ability_finds_an_edge_and_orders_its_p_values() {
        let cancel = CancelToken::new();
        let test = |edge: f64, seed: u64| {
            superior_ability(&market(20, 300, 3, edge, seed), 200, 4.0, Seed::new(seed), &cancel).unwrap().unwrap()
        };
        assert!(test(0.4, 1).consistent < 0.02);
        let null: Vec<SuperiorAbility> = (0..30).map(|seed| test(0.0, seed)).collect();
        assert!(null.iter().all(|p| p.lower <= p.consistent && p.consistent <= p.upper));
        // a binomial(30, 0.1) exceeds 8 with probability 0.002
        assert!(null.iter().filter(|p| p.consistent <= 0.1).count() <= 8);
    }

    #[test]
    fn superior_ability_does_not_depend_on_the_thread_count() {
        let trials = market(6, 120, 0, 0.2, 5);
        let draw = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| superior_ability(&trials, 100, 3.0, Seed::new(1), &CancelToken::new())).unwrap()
        };
        assert_eq!(draw(1), draw(3));
        assert_eq!(superior_ability(&[vec![0.0; 50]], 50, 3.0, Seed::new(1), &CancelToken::new()), Ok(None));
    }

    /// Against drawing the rows of every replicate and averaging them.
    #[test]
    fn the_product_of_counts_is_the_mean_of_the_drawn_rows() {
        let (trials, seed) = (market(11, 90, 2, 0.3, 9), Seed::new(4));
        let columns: Vec<SpaColumn<'_>> = trials.iter().filter_map(|trial| SpaColumn::of(trial, 3.0)).collect();
        let found = DrawCounts::of(90, 40, 3.0, seed).largest_statistics(&columns);
        for (replicate, found) in found.iter().enumerate() {
            let drawn = stationary_indices(90, 3.0, &mut seed.index(replicate as u64).stream());
            for (which, found) in found.iter().enumerate() {
                let statistic = |column: &SpaColumn<'_>| {
                    let resampled = drawn.iter().map(|&row| column.values[row]).sum::<f64>() / 90.0;
                    90_f64.sqrt() * (resampled - column.centres[which]) / column.deviation
                };
                let expected = columns.iter().map(statistic).fold(0.0, f64::max);
                assert!((found - expected).abs() < 1e-9, "{replicate} {which}: {found} {expected}");
            }
        }
    }

    #[test]
    #[ignore = "measures; `make bench-tune` runs it"]
    fn time_of_two_thousand_trials() {
        let trials = market(2000, 2000, 3, 0.05, 1);
        let timed = |what: &str, work: &dyn Fn()| {
            let begun = std::time::Instant::now();
            work();
            println!("{what}, 2,000 trials of 2,000 sessions: {:.2} s", begun.elapsed().as_secs_f64());
        };
        timed("PBO", &|| drop(probability_of_overfitting(&trials, 8)));
        let cancel = CancelToken::new();
        timed("SPA", &|| assert!(superior_ability(&trials, 499, 4.0, Seed::new(1), &cancel).is_ok()));
    }

    #[test]
    fn the_variance_of_independent_draws_is_the_plain_one() {
        let values = &market(1, 200, 0, 0.0, 8)[0];
        let mean = mean(values).unwrap();
        let plain = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 200.0;
        assert!((stationary_bootstrap_variance(values, mean, 1.0) / plain - 1.0).abs() < 1e-12);
    }

    #[test]
    fn forty_five_trials_need_five_years_at_a_sharpe_of_one() {
        // Bailey, Borwein, Lopez de Prado and Zhu (2014): "only 5 years of data are available, no more than 45"
        assert!((minimum_backtest_length_years(45.0, 1.0).unwrap() - 5.0).abs() < 0.01);
        assert_eq!(minimum_backtest_length_years(45.0, 0.0), None);
        assert_eq!(minimum_backtest_length_years(1.0, 1.0), Some(0.0));
    }

    #[test]
    fn copies_of_a_trial_are_fully_correlated() {
        let trial = market(1, 50, 0, 0.0, 4).remove(0);
        assert!((mean_correlation(&[trial.clone(), trial.clone(), trial]).unwrap() - 1.0).abs() < 1e-12);
        assert_eq!(mean_correlation(&[vec![0.0; 5], vec![0.0; 5]]), None);
    }
}
