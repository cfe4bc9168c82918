//! p-values adjusted for the number of questions asked at once.
//!
//! An adjusted p is compared with the same level as a single one: reject when `adjusted <= alpha`. Bonferroni and Holm
//! bound the chance of a single false alarm under any dependence; Benjamini-Hochberg bounds the expected share of
//! false alarms among the alarms, under independence or positive dependence.
//!
//! # NaN
//! The inputs are p-values in `[0, 1]`; a NaN sorts last and poisons only adjusted values at or after its own rank.
//! Callers leave undefined tests out of the family.

/// Multiplies each p by their number, capped at 1 (Bonferroni, 1936).
pub fn bonferroni(p: &[f64]) -> Vec<f64> {
    let count = p.len() as f64;
    p.iter().map(|value| (value * count).min(1.0)).collect()
}

/// Steps down from the smallest p: `max_{j <= i} (m - j) p_(j)`, capped at 1 (Holm, 1979).
pub fn holm(p: &[f64]) -> Vec<f64> {
    let order = ascending(p);
    let mut adjusted = vec![1.0; p.len()];
    let mut running = 0.0_f64;
    for (rank, &index) in order.iter().enumerate() {
        running = running.max(p[index] * (p.len() - rank) as f64).min(1.0);
        adjusted[index] = running;
    }
    adjusted
}

/// Steps up from the largest p: `min_{j >= i} m p_(j) / j`, capped at 1 (Benjamini and Hochberg, 1995).
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    let order = ascending(p);
    let count = p.len() as f64;
    let mut adjusted = vec![1.0; p.len()];
    let mut running = 1.0_f64;
    for (rank, &index) in order.iter().enumerate().rev() {
        running = running.min(p[index] * (count / (rank + 1) as f64));
        adjusted[index] = running;
    }
    adjusted
}

/// Steps down from the smallest p by the resampled minimum of the others (Westfall and Young, 1993, algorithm 2.8).
///
/// `draws[t][i]` is the p of test t on draw i of "nothing changed", the same draw i for every test; draw 0 is the data
/// itself, so that `draws[t][0]` is the p of the test. The adjusted p of the k-th smallest is the share of draws where the
/// smallest of it and all larger ones is as small, made not to fall. Tests that move together cost less than Holm asks.
///
/// # Shape
/// One row a test, all of one length; without draws nothing can be said and every p is 1.
///
/// # References
/// Westfall and Young (1993), Resampling-Based Multiple Testing; Ge, Dudoit and Speed (2003) for the step-down minimum.
pub fn westfall_young(draws: &[Vec<f64>]) -> Vec<f64> {
    let observed: Vec<f64> = draws.iter().map(|row| row.first().copied().unwrap_or(1.0)).collect();
    let count = draws.iter().map(Vec::len).min().unwrap_or(0);
    let mut adjusted = vec![1.0; draws.len()];
    if count == 0 {
        return adjusted;
    }
    let order = ascending(&observed);
    let mut smallest = vec![f64::INFINITY; count];
    for &test in order.iter().rev() {
        let mut as_small = 0;
        for (least, &p) in smallest.iter_mut().zip(&draws[test]) {
            *least = least.min(p);
            as_small += usize::from(*least <= observed[test]);
        }
        adjusted[test] = as_small as f64 / count as f64;
    }
    let mut running = 0.0_f64;
    for &test in &order {
        running = running.max(adjusted[test]);
        adjusted[test] = running;
    }
    adjusted
}

fn ascending(p: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn westfall_and_young_ask_nothing_of_copies_and_as_much_as_holm_of_strangers() {
        let mut stream = crate::base::Seed::new(5).stream();
        let mut test = || -> Vec<f64> { std::iter::once(0.01).chain((0..4_000).map(|_| stream.uniform())).collect() };
        let one = test();
        let copies = westfall_young(&[one.clone(), one.clone(), one]);
        assert!(copies.iter().all(|&p| (p - 0.01).abs() < 0.005), "{copies:?}");
        let strangers = westfall_young(&[test(), test(), test()]);
        // 1 - .99^3, within three errors of 4,000 draws
        assert!(strangers.iter().all(|&p| (p - 0.0297).abs() < 0.008), "{strangers:?}");
        assert_eq!(westfall_young(&[Vec::new()]), [1.0]);
        assert!(westfall_young(&[]).is_empty());
    }

    fn golden() -> serde_json::Value {
        let text =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/stats/multiple_testing.json"))
                .unwrap();
        serde_json::from_str(&text).unwrap()
    }

    fn numbers(value: &serde_json::Value) -> Vec<f64> {
        value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
    }

    #[test]
    fn adjusted_values_equal_statsmodels_and_r() {
        for case in golden()["cases"].as_array().unwrap() {
            let p = numbers(&case["input"]["p"]);
            for (name, ours) in [("bh", benjamini_hochberg(&p)), ("holm", holm(&p)), ("bonferroni", bonferroni(&p))] {
                for (value, expected) in ours.iter().zip(numbers(&case["expect"][name])) {
                    assert!((value - expected).abs() <= 1e-13, "{} {name}: {value} {expected}", case["name"]);
                }
            }
        }
    }

    #[test]
    fn nothing_adjusts_to_nothing() {
        assert!(holm(&[]).is_empty() && benjamini_hochberg(&[]).is_empty() && bonferroni(&[]).is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn raw_below_bh_below_holm_below_bonferroni(p in proptest::collection::vec(0.0..=1.0_f64, 1..30)) {
            let (bh, holm, bonferroni) = (benjamini_hochberg(&p), holm(&p), bonferroni(&p));
            for i in 0..p.len() {
                prop_assert!(p[i] <= bh[i] + 1e-15 && bh[i] <= holm[i] + 1e-15 && holm[i] <= bonferroni[i] + 1e-15);
                prop_assert!(bonferroni[i] <= 1.0);
            }
        }
    }
}
