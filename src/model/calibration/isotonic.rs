//! Isotonic regression by pooling adjacent violators (Ayer and others, 1955).

/// Pooled neighbours: their weight, and their weighted mean.
struct Block {
    first: f64,
    last: f64,
    weight: f64,
    mean: f64,
}

/// Fits a non-decreasing function; gives thresholds `x` (strictly increasing) and values `y`.
///
/// Rows of equal probability are averaged first. Of each constant run only both ends are kept: the function between them
/// is the same. Rows of weight 0 are left out.
pub(super) fn fit(probabilities: &[f64], labels: &[f64], weights: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let mut blocks: Vec<Block> = Vec::new();
    for group in groups(probabilities, labels, weights) {
        let mut block = group;
        while let Some(before) = blocks.pop_if(|before| before.mean >= block.mean) {
            let weight = before.weight + block.weight;
            let mean = (before.weight * before.mean + block.weight * block.mean) / weight;
            block = Block { first: before.first, last: block.last, weight, mean };
        }
        blocks.push(block);
    }
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for block in blocks {
        // pooled means of 0 and 1 labels can leave [0, 1] by a rounding
        let mean = block.mean.clamp(0.0, 1.0);
        x.push(block.first);
        y.push(mean);
        if block.last > block.first {
            x.push(block.last);
            y.push(mean);
        }
    }
    (x, y)
}

/// One block for each distinct probability, in rising order.
fn groups(probabilities: &[f64], labels: &[f64], weights: &[f64]) -> Vec<Block> {
    let mut order: Vec<usize> = (0..probabilities.len()).filter(|&row| weights[row] > 0.0).collect();
    order.sort_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b]).then(a.cmp(&b)));
    order
        .chunk_by(|&a, &b| probabilities[a] == probabilities[b])
        .map(|rows| {
            let weight: f64 = rows.iter().map(|&row| weights[row]).sum();
            let ones: f64 = rows.iter().map(|&row| weights[row] * labels[row]).sum();
            let p = probabilities[rows[0]];
            Block { first: p, last: p, weight, mean: ones / weight }
        })
        .collect()
}

/// Linear between thresholds, constant outside; NaN for NaN or without thresholds.
pub(super) fn interpolate(x: &[f64], y: &[f64], p: f64) -> f64 {
    let (Some(&first), Some(&last)) = (y.first(), y.last()) else { return f64::NAN };
    // thresholds may come from a file
    if p.is_nan() || x.len() != y.len() {
        return f64::NAN;
    }
    match x.partition_point(|&threshold| threshold <= p) {
        0 => first,
        above if above >= x.len() => last,
        above => {
            let below = above - 1;
            y[below] + (y[above] - y[below]) * ((p - x[below]) / (x[above] - x[below]))
        }
    }
}
