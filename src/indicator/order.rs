//! Order statistics of the last k values.
//!
//! Ranks and quantiles keep the window sorted: a bar costs two binary searches and one move of at most k values. Places of extremes
//! keep a queue of values that may still become one, which is O(1) a bar over the series.

use super::run::each_run_single;
use crate::stats::order::quantile_sorted;

/// Calls `value` with each full window, sorted, and its newest value.
fn each_sorted(x: &[f64], k: usize, value: impl Fn(&[f64], f64) -> f64) -> Vec<f64> {
    each_run_single([x], |[x], out| {
        if k == 0 {
            return;
        }
        let mut window: Vec<f64> = Vec::with_capacity(k.min(x.len()));
        for (t, &newest) in x.iter().enumerate() {
            // zeros of either sign are one value: an order that told them apart would not find them by comparison
            let newest = newest + 0.0;
            let place = window.partition_point(|held| *held < newest);
            if window.len() < k {
                window.insert(place, newest);
            } else {
                // the oldest leaves, and only what stands between the two places moves
                let oldest = x[t - k] + 0.0;
                let left = window.partition_point(|held| *held < oldest);
                if left < place {
                    window.copy_within(left + 1..place, left);
                    window[place - 1] = newest;
                } else {
                    window.copy_within(place..left, place + 1);
                    window[place] = newest;
                }
            }
            if window.len() == k {
                out[t] = value(&window, newest);
            }
        }
    })
}

/// Place of the current value among the last k, its midrank over k: above 0, up to 1.
///
/// # NaN
/// Until the window is full.
pub fn rolling_rank(x: &[f64], k: usize) -> Vec<f64> {
    each_sorted(x, k, |window, newest| {
        let below = window.partition_point(|held| *held < newest);
        let ties = window[below..].partition_point(|held| *held <= newest);
        // ranks below+1 ..= below+ties have the mean below + (ties + 1) / 2
        (below as f64 + (ties + 1) as f64 / 2.0) / k as f64
    })
}

/// Quantile of type 7 of the last k values.
///
/// # NaN
/// Until the window is full.
pub fn rolling_quantile(x: &[f64], k: usize, q: f64) -> Vec<f64> {
    each_sorted(x, k, |window, _| quantile_sorted(window, q).unwrap_or(f64::NAN))
}

/// Place of the extreme in each window, 1 for its oldest bar; the older one of equal values.
fn place_of(x: &[f64], k: usize, beats: impl Fn(f64, f64) -> bool) -> Vec<f64> {
    each_run_single([x], |[x], out| {
        if k == 0 {
            return;
        }
        // bars whose value no later one beats, oldest first; what has left the window stays below `oldest`
        let (mut queue, mut oldest): (Vec<usize>, usize) = (Vec::with_capacity(x.len()), 0);
        for t in 0..x.len() {
            while queue.len() > oldest && beats(x[t], x[queue[queue.len() - 1]]) {
                queue.pop();
            }
            queue.push(t);
            if queue[oldest] + k <= t {
                oldest += 1;
            }
            if t + 1 >= k {
                out[t] = (queue[oldest] + k - t) as f64;
            }
        }
    })
}

/// Place of the largest of the last k values: 1 for the oldest bar, k for the current one; the older of equal values.
pub fn place_of_highest(x: &[f64], k: usize) -> Vec<f64> {
    place_of(x, k, |new, held| new > held)
}

/// Place of the smallest of the last k values: 1 for the oldest bar, k for the current one; the older of equal values.
pub fn place_of_lowest(x: &[f64], k: usize) -> Vec<f64> {
    place_of(x, k, |new, held| new < held)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::order::{midranks, quantile};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn order_statistics_agree_with_those_of_each_window(
            // few different values, so that there are ties
            x in prop::collection::vec((-4i32..4).prop_map(|x| f64::from(x) / 2.0), 0..60),
            k in 1usize..14,
            q in 0.0..=1.0_f64,
        ) {
            let (rank, middle) = (rolling_rank(&x, k), rolling_quantile(&x, k, q));
            let (high, low) = (place_of_highest(&x, k), place_of_lowest(&x, k));
            for t in 0..x.len() {
                if t + 1 < k {
                    prop_assert!(rank[t].is_nan() && middle[t].is_nan() && high[t].is_nan() && low[t].is_nan());
                    continue;
                }
                let window = &x[t + 1 - k..=t];
                let first = |extreme: f64| window.iter().position(|&value| value == extreme).unwrap() as f64 + 1.0;
                prop_assert_eq!(rank[t], midranks(window)[k - 1] / k as f64);
                prop_assert_eq!(middle[t], quantile(window, q).unwrap());
                prop_assert_eq!(high[t], first(window.iter().copied().fold(f64::NEG_INFINITY, f64::max)));
                prop_assert_eq!(low[t], first(window.iter().copied().fold(f64::INFINITY, f64::min)));
            }
        }
    }

    #[test]
    fn zeros_of_either_sign_are_one_value() {
        assert_eq!(rolling_rank(&[0.0, -0.0, 0.0, -0.0], 2)[3], 0.75);
    }
}
