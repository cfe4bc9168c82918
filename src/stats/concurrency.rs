//! How much of their time intervals share with each other.

/// For each interval, the mean over its steps of 1 / (number of intervals alive in that step); 1 where it is alone.
///
/// # Shape
/// `spans` are (first, last), both ends included, first at most last; one value each, in (0, 1].
///
/// # References
/// Lopez de Prado (2018), Advances in Financial Machine Learning, section 4.4.
pub fn mean_share(spans: &[(u32, u32)]) -> Vec<f64> {
    let (Some(first), Some(last)) = (spans.iter().map(|span| span.0).min(), spans.iter().map(|span| span.1).max())
    else {
        return Vec::new();
    };
    let position = |step: u32| (step - first) as usize;
    let mut change = vec![0_i64; position(last) + 2];
    for &(from, to) in spans {
        change[position(from)] += 1;
        change[position(to) + 1] -= 1;
    }
    // shares[s] = sum of 1 / concurrency over the steps before first + s
    let mut shares = Vec::with_capacity(change.len());
    let (mut alive, mut total) = (0_i64, 0.0);
    for step in change {
        shares.push(total);
        alive += step;
        total += if alive > 0 { 1.0 / alive as f64 } else { 0.0 };
    }
    spans
        .iter()
        .map(|&(from, to)| (shares[position(to) + 1] - shares[position(from)]) / (to - from + 1) as f64)
        .collect()
}
