//! Distances between two samples: how far the current window is from the reference.
//!
//! | name | definition | range |
//! |---|---|---|
//! | Kolmogorov-Smirnov | largest gap between the two empirical distribution functions | 0..1 |
//! | Cramer-von Mises | `T` of Anderson (1962) from midranks | grows with n |
//! | Wasserstein-1 | area between the two distribution functions | units of the data |
//! | PSI | `sum (q - p) ln(q / p)`, shares smoothed as `(c + 1/2) / (n + k/2)` | >= 0 |
//! | Jensen-Shannon distance | root of the divergence in bits, plain shares | 0..1 |
//! | Hellinger | `sqrt(1 - sum sqrt(p q))`, plain shares | 0..1 |
//! | chi-square, Cramer's V | homogeneity of a 2 x k table | V 0..1 |
//!
//! PSI, Jensen-Shannon and Hellinger compare histograms; [`QuantileBins`] makes the bins from the reference alone.
//!
//! # NaN
//! No NaN: callers drop missing values and test the missing share apart. An empty sample gives `None`.

use statrs::distribution::{ChiSquared, ContinuousCDF};

use crate::stats::order::{midranks, quantile_sorted, sorted};
use crate::stats::sum::sum;

/// Returns the Kolmogorov-Smirnov distance `max_x |F(x) - G(x)|`; `None` when a sample is empty.
pub fn kolmogorov_smirnov(reference: &[f64], current: &[f64]) -> Option<f64> {
    let steps = merged_steps(reference, current)?;
    Some(steps.iter().map(|step| step.gap.abs()).fold(0.0, f64::max))
}

/// Returns the limit p-value `2 sum_{k>=1} (-1)^{k-1} exp(-2 k^2 d^2 nm/(n+m))` of a distance `d` between independent
/// samples of independent rows. Serial dependence makes it far too small: calibrate by permuted blocks instead.
///
/// # References
/// Smirnov (1948), Table for Estimating the Goodness of Fit of Empirical Distributions.
pub fn kolmogorov_limit_p(distance: f64, n: usize, m: usize) -> f64 {
    let (n, m) = (n as f64, m as f64);
    let x = distance * (n * m / (n + m)).sqrt();
    if x < 0.2 {
        // 1 - p is below 1e-12 here and the alternating series no longer converges
        return 1.0;
    }
    let terms = (1..=100).map(|k| {
        let k = f64::from(k);
        let sign = if k % 2.0 == 1.0 { 2.0 } else { -2.0 };
        sign * libm::exp(-2.0 * k * k * x * x)
    });
    sum(terms).clamp(0.0, 1.0)
}

/// Returns the Cramer-von Mises statistic `T = U/(nm(n+m)) - (4nm - 1)/(6(n+m))` with
/// `U = n sum_i (r_i - i)^2 + m sum_j (s_j - j)^2` over midranks in the pooled sample; `None` when a sample is empty.
///
/// # References
/// Anderson (1962), On the Distribution of the Two-Sample Cramer-von Mises Criterion.
pub fn cramer_von_mises(reference: &[f64], current: &[f64]) -> Option<f64> {
    if reference.is_empty() || current.is_empty() {
        return None;
    }
    let (n, m) = (reference.len() as f64, current.len() as f64);
    let pooled = [sorted(reference), sorted(current)].concat();
    let ranks = midranks(&pooled);
    let (ours, theirs) = ranks.split_at(reference.len());
    let spread = |ranks: &[f64]| sum(ranks.iter().enumerate().map(|(i, rank)| (rank - (i + 1) as f64).powi(2)));
    let u = n * spread(ours) + m * spread(theirs);
    Some(u / (n * m * (n + m)) - (4.0 * n * m - 1.0) / (6.0 * (n + m)))
}

/// Returns the Wasserstein-1 distance `integral |F(x) - G(x)| dx`; `None` when a sample is empty.
///
/// # Units
/// Those of the data; divide by the reference's standard deviation to compare columns.
pub fn wasserstein(reference: &[f64], current: &[f64]) -> Option<f64> {
    let steps = merged_steps(reference, current)?;
    Some(sum(steps.windows(2).map(|pair| pair[0].gap.abs() * (pair[1].value - pair[0].value))))
}

/// The gap `F - G` from `value` up to the next distinct value.
struct Step {
    value: f64,
    gap: f64,
}

fn merged_steps(reference: &[f64], current: &[f64]) -> Option<Vec<Step>> {
    if reference.is_empty() || current.is_empty() {
        return None;
    }
    let (n, m) = (reference.len() as f64, current.len() as f64);
    let (reference, current) = (sorted(reference), sorted(current));
    let (mut i, mut j) = (0, 0);
    let mut steps = Vec::with_capacity(reference.len() + current.len());
    while i < reference.len() || j < current.len() {
        let value = match (reference.get(i), current.get(j)) {
            (Some(&a), Some(&b)) => a.min(b),
            (Some(&a), None) => a,
            (None, Some(&b)) => b,
            (None, None) => break,
        };
        i += reference[i..].iter().take_while(|&&x| x == value).count();
        j += current[j..].iter().take_while(|&&x| x == value).count();
        steps.push(Step { value, gap: i as f64 / n - j as f64 / m });
    }
    Some(steps)
}

/// Bins `(e_{k-1}, e_k]` cut at quantiles of the reference, open at both ends.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantileBins {
    edges: Vec<f64>,
}

impl QuantileBins {
    /// Bins at given ascending edges.
    pub fn at(edges: Vec<f64>) -> Self {
        Self { edges }
    }

    /// Cuts a sorted reference at its type-7 quantiles `i / bins`; equal edges (heavy ties) become one, so that there
    /// may be fewer bins than asked for. `None` for an empty reference.
    pub fn from_sorted(reference: &[f64], bins: usize) -> Option<Self> {
        let cuts = (1..bins).map(|i| quantile_sorted(reference, i as f64 / bins as f64));
        let mut edges = cuts.collect::<Option<Vec<f64>>>()?;
        edges.dedup();
        (!reference.is_empty()).then_some(Self { edges })
    }

    /// The inner edges, ascending.
    pub fn edges(&self) -> &[f64] {
        &self.edges
    }

    /// Counts the values of a sorted sample in each bin.
    pub fn count_sorted(&self, sample: &[f64]) -> Vec<u64> {
        let mut below = 0;
        let mut counts: Vec<u64> = Vec::with_capacity(self.edges.len() + 1);
        for edge in &self.edges {
            let upto = sample.partition_point(|x| x <= edge);
            counts.push((upto - below) as u64);
            below = upto;
        }
        counts.push((sample.len() - below) as u64);
        counts
    }
}

/// Returns the population stability index of two histograms over the same bins, with Jeffreys smoothing: an empty bin
/// costs half an observation instead of an arbitrary epsilon.
///
/// For two samples of one distribution the expectation is about `(k - 1)(1/n + 1/m)`, so the customary limits .1 and
/// .25 say nothing by themselves when the window is small.
///
/// # References
/// Yurdakul and Naranjo (2020), Statistical Properties of the Population Stability Index.
pub fn population_stability_index(reference: &[u64], current: &[u64]) -> f64 {
    let (p, q) = (jeffreys_shares(reference), jeffreys_shares(current));
    sum(p.iter().zip(&q).map(|(p, q)| (q - p) * libm::log(q / p)))
}

/// Returns the PSI that two samples of one distribution exceed with chance `alpha` when their rows are independent:
/// `(1/n + 1/m) chi2_{k-1}^{-1}(1 - alpha)`. `None` with fewer than two bins or an empty sample.
pub fn psi_threshold(bins: usize, n: usize, m: usize, alpha: f64) -> Option<f64> {
    if bins < 2 || n == 0 || m == 0 || !(alpha > 0.0 && alpha < 1.0) {
        return None;
    }
    let chi2 = ChiSquared::new((bins - 1) as f64).ok()?;
    Some((1.0 / n as f64 + 1.0 / m as f64) * chi2.inverse_cdf(1.0 - alpha))
}

/// Returns the Jensen-Shannon distance in base 2: the root of the mean divergence of both shares from their middle.
/// `None` when a histogram is empty.
///
/// # References
/// Endres and Schindelin (2003), A New Metric for Probability Distributions.
pub fn jensen_shannon_distance(reference: &[u64], current: &[u64]) -> Option<f64> {
    let (p, q) = (shares(reference)?, shares(current)?);
    let bits = |x: f64, middle: f64| if x > 0.0 { x * libm::log2(x / middle) } else { 0.0 };
    let divergence = sum(p.iter().zip(&q).map(|(&p, &q)| {
        let middle = (p + q) / 2.0;
        (bits(p, middle) + bits(q, middle)) / 2.0
    }));
    Some(divergence.max(0.0).sqrt())
}

/// Returns the Hellinger distance `sqrt(1/2 sum (sqrt p - sqrt q)^2)`; `None` when a histogram is empty.
pub fn hellinger_distance(reference: &[u64], current: &[u64]) -> Option<f64> {
    let (p, q) = (shares(reference)?, shares(current)?);
    Some((sum(p.iter().zip(&q).map(|(p, q)| (p.sqrt() - q.sqrt()).powi(2))) / 2.0).sqrt())
}

fn shares(counts: &[u64]) -> Option<Vec<f64>> {
    let total: u64 = counts.iter().sum();
    (total > 0).then(|| counts.iter().map(|&c| c as f64 / total as f64).collect())
}

fn jeffreys_shares(counts: &[u64]) -> Vec<f64> {
    let total = counts.iter().sum::<u64>() as f64 + 0.5 * counts.len() as f64;
    counts.iter().map(|&c| (c as f64 + 0.5) / total).collect()
}

/// Chi-square test that two samples share their category frequencies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Homogeneity {
    /// Pearson's statistic without continuity correction.
    pub chi2: f64,
    /// Categories seen in either sample, less one.
    pub dof: usize,
    /// Upper tail of chi-square with `dof` degrees of freedom; 1 for a single category.
    pub p: f64,
    /// `sqrt(chi2 / N)`: the share of the largest possible association.
    pub cramers_v: f64,
    /// Smallest expected count: below 5 the p-value is approximate at best.
    pub min_expected: f64,
}

/// Tests a 2 x k table of counts for homogeneity; `None` when a sample is empty or the tables differ in length.
/// Categories absent from both samples do not count.
///
/// # References
/// Pearson (1900); Cramer (1946), Mathematical Methods of Statistics, section 21.9.
pub fn chi2_homogeneity(reference: &[u64], current: &[u64]) -> Option<Homogeneity> {
    let (n, m) = (reference.iter().sum::<u64>() as f64, current.iter().sum::<u64>() as f64);
    if n == 0.0 || m == 0.0 || reference.len() != current.len() {
        return None;
    }
    let total = n + m;
    let seen: Vec<(f64, f64)> =
        reference.iter().zip(current).filter(|(a, b)| **a + **b > 0).map(|(&a, &b)| (a as f64, b as f64)).collect();
    let cells = seen.iter().flat_map(|&(a, b)| [(a, (a + b) * n / total), (b, (a + b) * m / total)]);
    let chi2 = sum(cells.clone().map(|(found, expected)| (found - expected).powi(2) / expected));
    let min_expected = cells.map(|(_, expected)| expected).fold(f64::INFINITY, f64::min);
    let dof = seen.len() - 1;
    if dof == 0 {
        return Some(Homogeneity { chi2: 0.0, dof, p: 1.0, cramers_v: 0.0, min_expected });
    }
    let p = ChiSquared::new(dof as f64).ok()?.sf(chi2);
    Some(Homogeneity { chi2, dof, p, cramers_v: (chi2 / total).sqrt(), min_expected })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn golden(name: &str) -> serde_json::Value {
        let path = format!("{}/tests/golden/stats/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn numbers(value: &serde_json::Value) -> Vec<f64> {
        value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
    }

    fn counts(value: &serde_json::Value) -> Vec<u64> {
        numbers(value).into_iter().map(|x| x as u64).collect()
    }

    fn close(ours: f64, expected: &serde_json::Value, tolerance: f64, what: &str) {
        let expected = expected.as_f64().unwrap();
        assert!((ours - expected).abs() <= tolerance, "{what}: {ours} expected {expected}");
    }

    #[test]
    fn distances_of_samples_equal_scipy() {
        for case in golden("ks_wasserstein")["cases"].as_array().unwrap() {
            let name = case["name"].as_str().unwrap();
            let (x, y) = (numbers(&case["input"]["ref"]), numbers(&case["input"]["cur"]));
            let d = kolmogorov_smirnov(&x, &y).unwrap();
            close(d, &case["expect"]["D"], 1e-12, name);
            close(kolmogorov_limit_p(d, x.len(), y.len()), &case["expect"]["p_kolmogorov_limit"], 1e-9, name);
            close(wasserstein(&x, &y).unwrap(), &case["expect"]["wasserstein"], 1e-12, name);
            close(cramer_von_mises(&x, &y).unwrap(), &case["expect"]["cvm_T"], 1e-10, name);
        }
    }

    #[test]
    fn distances_of_histograms_equal_their_definitions() {
        for case in golden("psi_js_hellinger")["cases"].as_array().unwrap() {
            let name = case["name"].as_str().unwrap();
            let expect = &case["expect"];
            let (x, y) = (sorted(&numbers(&case["input"]["ref"])), sorted(&numbers(&case["input"]["cur"])));
            let bins = QuantileBins::from_sorted(&x, case["input"]["bins"].as_u64().unwrap() as usize).unwrap();
            for (edge, expected) in bins.edges().iter().zip(expect["edges"].as_array().unwrap()) {
                close(*edge, expected, 1e-12, name);
            }
            let (p, q) = (bins.count_sorted(&x), bins.count_sorted(&y));
            assert_eq!((&p, &q), (&counts(&expect["counts_ref"]), &counts(&expect["counts_cur"])), "{name}");
            close(population_stability_index(&p, &q), &expect["psi_jeffreys"], 1e-12, name);
            close(jensen_shannon_distance(&p, &q).unwrap(), &expect["js_distance_base2"], 1e-12, name);
            close(hellinger_distance(&p, &q).unwrap(), &expect["hellinger"], 1e-12, name);
            close(
                psi_threshold(p.len(), x.len(), y.len(), 0.05).unwrap(),
                &expect["psi_chi2_threshold_0_05"],
                1e-9,
                name,
            );
        }
    }

    #[test]
    fn homogeneity_equals_scipy() {
        for case in golden("categorical")["cases"].as_array().unwrap() {
            let name = case["name"].as_str().unwrap();
            let (p, q) = (counts(&case["input"]["ref"]), counts(&case["input"]["cur"]));
            let test = chi2_homogeneity(&p, &q).unwrap();
            let expect = &case["expect"];
            close(test.chi2, &expect["chi2"], 1e-10, name);
            close(test.p, &expect["p"], 1e-10, name);
            assert_eq!(test.dof as u64, expect["dof"].as_u64().unwrap(), "{name}");
            if expect.get("cramers_v").is_some() {
                close(test.cramers_v, &expect["cramers_v"], 1e-10, name);
                close(test.min_expected, &expect["min_expected"], 1e-10, name);
                close(jensen_shannon_distance(&p, &q).unwrap(), &expect["js_distance_base2"], 1e-10, name);
                close(hellinger_distance(&p, &q).unwrap(), &expect["hellinger"], 1e-10, name);
                close(population_stability_index(&p, &q), &expect["psi_jeffreys"], 1e-10, name);
            }
        }
    }

    #[test]
    fn an_empty_sample_has_no_distance() {
        assert_eq!(kolmogorov_smirnov(&[], &[1.0]), None);
        assert_eq!(wasserstein(&[1.0], &[]), None);
        assert_eq!(cramer_von_mises(&[], &[]), None);
        assert_eq!(QuantileBins::from_sorted(&[], 5), None);
        assert_eq!(chi2_homogeneity(&[0, 0], &[1, 2]), None);
        assert_eq!(jensen_shannon_distance(&[0], &[1]), None);
    }

    #[test]
    fn the_limit_p_of_no_distance_is_one() {
        assert_eq!(kolmogorov_limit_p(0.0, 10, 10), 1.0);
        assert!(kolmogorov_limit_p(1.0, 100, 100) < 1e-30);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn rank_distances_ignore_monotone_maps(x in proptest::collection::vec(-20_i32..20, 1..40), y in proptest::collection::vec(-20_i32..20, 1..40)) {
            let raw = |v: &[i32]| v.iter().map(|&a| f64::from(a)).collect::<Vec<_>>();
            let map = |v: &[i32]| v.iter().map(|&a| (f64::from(a) / 4.0).exp()).collect::<Vec<_>>();
            prop_assert_eq!(kolmogorov_smirnov(&raw(&x), &raw(&y)), kolmogorov_smirnov(&map(&x), &map(&y)));
            prop_assert_eq!(cramer_von_mises(&raw(&x), &raw(&y)), cramer_von_mises(&map(&x), &map(&y)));
        }

        #[test]
        fn wasserstein_shifts_by_the_shift(x in proptest::collection::vec(-5.0_f64..5.0, 1..40), shift in 0.0_f64..10.0) {
            let y: Vec<f64> = x.iter().map(|v| v + shift).collect();
            prop_assert!((wasserstein(&x, &y).unwrap() - shift).abs() < 1e-9);
        }
    }
}
