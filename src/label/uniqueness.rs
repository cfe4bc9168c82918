//! Sample weights for labels that share bars.

use crate::stats::concurrency::mean_share;

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
        let own: Vec<(u32, u32)> = group.iter().map(|&at| (spans[at].1, spans[at].2.max(spans[at].1))).collect();
        for (&at, weight) in group.iter().zip(mean_share(&own)) {
            weights[at] = weight;
        }
    }
    weights
}
