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

fn ascending(p: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
