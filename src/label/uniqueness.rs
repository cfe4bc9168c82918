//! Sample weights for labels that share bars.

/// Weight of each label: the mean over the sessions of its span of 1 / (number of labels of its symbol open then).
///
/// Labels of other symbols do not count: they are made of other prices.
///
/// # Shape
/// `spans` are (symbol, first session, last session), both ends included, in any order; one weight each, in (0, 1].
///
/// # References
/// Lopez de Prado (2018), Advances in Financial Machine Learning, section 4.4.
pub fn uniqueness(spans: &[(u32, u32, u32)]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..spans.len()).collect();
    order.sort_by_key(|&at| (spans[at], at));
    let mut weights = vec![f64::NAN; spans.len()];
    for group in order.chunk_by(|&a, &b| spans[a].0 == spans[b].0) {
        let first = group.iter().map(|&at| spans[at].1).min().unwrap_or(0);
        let last = group.iter().map(|&at| spans[at].2.max(spans[at].1)).max().unwrap_or(0);
        // shares[s] = sum of 1 / concurrency over the sessions before first + s
        let mut steps = vec![0_i64; (last - first) as usize + 2];
        for &at in group {
            steps[(spans[at].1 - first) as usize] += 1;
            steps[(spans[at].2.max(spans[at].1) - first) as usize + 1] -= 1;
        }
        let mut shares = Vec::with_capacity(steps.len());
        let (mut open, mut share) = (0, 0.0);
        for step in steps {
            shares.push(share);
            open += step;
            if open > 0 {
                share += 1.0 / open as f64;
            }
        }
        for &at in group {
            let (from, to) = ((spans[at].1 - first) as usize, (spans[at].2.max(spans[at].1) - first) as usize + 1);
            weights[at] = (shares[to] - shares[from]) / (to - from) as f64;
        }
    }
    weights
}
