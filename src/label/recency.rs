//! Sample weights for a market that changes.

/// Weight of each label by its age, `2^(-(newest - t0) / half_life)` with `newest` the latest signal session given.
///
/// # Shape
/// One weight a session of `t0`, in (0, 1]; the newest weighs 1.
///
/// # Units
/// `half_life` in sessions, above 0.
pub fn recency(t0: &[u32], half_life: f64) -> Vec<f64> {
    let newest = t0.iter().max().copied().unwrap_or(0);
    t0.iter().map(|&session| libm::exp2(-f64::from(newest - session) / half_life)).collect()
}
