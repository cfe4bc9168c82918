//! Clusters of features that say the same.

use ndarray::ArrayView2;
use rayon::prelude::*;

use crate::stats::order::midranks;

/// Columns that another one stands for: (column, its representative).
///
/// The distance of two columns is 1 - |rank correlation|. Clusters are those of complete linkage, cut where a distance
/// would exceed `1 - bound`: any two columns of a cluster correlate by at least `bound`. A cluster is represented by the
/// column whose distances within it sum to least, the first of equals.
///
/// # NaN
/// Ranks are taken over a column's finite values, correlations over rows where both columns have one. A column without
/// spread on those rows correlates with none.
pub(super) fn redundant(features: ArrayView2<'_, f64>, bound: f64) -> Vec<(usize, usize)> {
    let distance = distances(features);
    let mut found = Vec::new();
    for cluster in complete_linkage(&distance, 1.0 - bound) {
        let spread = |column: usize| cluster.iter().map(|&other| distance[column][other]).sum::<f64>();
        let Some(stands) = cluster.iter().copied().min_by(|&a, &b| spread(a).total_cmp(&spread(b)).then(a.cmp(&b)))
        else {
            continue;
        };
        found.extend(cluster.iter().filter(|&&column| column != stands).map(|&column| (column, stands)));
    }
    found.sort_unstable();
    found
}

/// 1 - |Spearman's rank correlation| of every pair of columns.
pub(super) fn distances(features: ArrayView2<'_, f64>) -> Vec<Vec<f64>> {
    let ranks: Vec<Vec<f64>> = features
        .columns()
        .into_iter()
        .map(|column| {
            let rows: Vec<usize> = (0..column.len()).filter(|&row| column[row].is_finite()).collect();
            let present: Vec<f64> = rows.iter().map(|&row| column[row]).collect();
            let mut ranks = vec![f64::NAN; column.len()];
            rows.iter().zip(midranks(&present)).for_each(|(&row, rank)| ranks[row] = rank);
            ranks
        })
        .collect();
    // each pair is one sum in row order: threads change no bit
    (0..ranks.len())
        .into_par_iter()
        .map(|a| {
            (0..ranks.len()).map(|b| if a == b { 0.0 } else { 1.0 - correlation(&ranks[a], &ranks[b]).abs() }).collect()
        })
        .collect()
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let pairs = || a.iter().zip(b).filter(|(a, b)| !a.is_nan() && !b.is_nan());
    let n = pairs().count() as f64;
    if n < 2.0 {
        return 0.0;
    }
    let mean_a = pairs().map(|(a, _)| a).sum::<f64>() / n;
    let mean_b = pairs().map(|(_, b)| b).sum::<f64>() / n;
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (a, b) in pairs() {
        ab += (a - mean_a) * (b - mean_b);
        aa += (a - mean_a) * (a - mean_a);
        bb += (b - mean_b) * (b - mean_b);
    }
    if aa > 0.0 && bb > 0.0 { (ab / (aa * bb).sqrt()).clamp(-1.0, 1.0) } else { 0.0 }
}

/// Merges the two closest clusters, by their most distant members, until none are within `cut`.
///
/// # References
/// Defays (1977), *An efficient algorithm for a complete link method*; here the plain cubic one, for hundreds of columns.
pub(super) fn complete_linkage(distance: &[Vec<f64>], cut: f64) -> Vec<Vec<usize>> {
    let mut clusters: Vec<Vec<usize>> = (0..distance.len()).map(|column| vec![column]).collect();
    let mut between: Vec<Vec<f64>> = distance.to_vec();
    loop {
        let pairs = (0..clusters.len()).flat_map(|a| (a + 1..clusters.len()).map(move |b| (a, b)));
        let closest = pairs.min_by(|&(a, b), &(c, d)| between[a][b].total_cmp(&between[c][d]));
        let Some((a, b)) = closest.filter(|&(a, b)| between[a][b] <= cut) else { return clusters };
        let merged = clusters.remove(b);
        clusters[a].extend(merged);
        clusters[a].sort_unstable();
        let gone = between.remove(b);
        for other in 0..between.len() {
            let from_gone = gone[if other < b { other } else { other + 1 }];
            between[other].remove(b);
            let furthest = if other == a { 0.0 } else { between[other][a].max(from_gone) };
            between[other][a] = furthest;
            between[a][other] = furthest;
        }
    }
}
