//! How alike the selections of the folds are.

/// Stability of feature selections, 1 where all folds keep the same features, about 0 where they pick at random.
///
/// `1 - mean_f(s_f^2) / ((k / d) (1 - k / d))` with `s_f^2 = m / (m - 1) p_f (1 - p_f)` of the share `p_f` of the `m` folds
/// that keep feature `f`, `d` features and a mean of `k` kept. `None` with fewer than two folds, or where every fold keeps
/// all features: then there was no choice.
///
/// # References
/// Nogueira, Sechidis and Brown (2018), *On the stability of feature selection algorithms*, JMLR 18(174), equation 4.
pub fn stability(kept: &[Vec<usize>], features: usize) -> Option<f64> {
    let (folds, columns) = (kept.len() as f64, features as f64);
    if kept.len() < 2 || features == 0 {
        return None;
    }
    let share = |feature: usize| kept.iter().filter(|kept| kept.contains(&feature)).count() as f64 / folds;
    let spread: f64 = (0..features).map(|feature| share(feature) * (1.0 - share(feature))).sum::<f64>();
    let mean_kept = kept.iter().map(Vec::len).sum::<usize>() as f64 / folds;
    let at_random = mean_kept / columns * (1.0 - mean_kept / columns);
    (at_random > 0.0).then(|| 1.0 - folds / (folds - 1.0) * spread / columns / at_random)
}
