//! From statistics on resampled splits to p-values, also of the least likely of several statistics.
//!
//! All vectors here begin with the data itself and go on with the draws. That the data is a member of its own null
//! distribution is why no p is ever 0, and why the p of a minimum of p-values is exact again.

use super::column::at_least;

/// For each member, the share of members that are at least as far out, itself included; `(1 + #{D* >= D}) / (1 + B)` for
/// the first.
pub(super) fn tail_shares(distances: &[f64]) -> Vec<f64> {
    let mut descending = distances.to_vec();
    descending.sort_by(|a, b| b.total_cmp(a));
    let as_far = |&distance: &f64| descending.partition_point(|&other| at_least(other, distance));
    distances.iter().map(|distance| as_far(distance) as f64 / distances.len() as f64).collect()
}

/// The p-values of the smallest of several p-values, member by member: how often is the least likely of them as unlikely?
///
/// The smallest p there is, `1 / (1 + B)`, is had by one member for *each* piece of evidence, so that several tie for the
/// smallest. Of those that tie, the one whose other p-values are smaller is the less likely.
pub(super) fn of_the_least_likely(p: &[Vec<f64>]) -> Vec<f64> {
    match p {
        [] => Vec::new(),
        [one] => one.clone(),
        several => {
            let members = several[0].len();
            let smallest = |member: usize| several.iter().map(|p| p[member]).fold(f64::INFINITY, f64::min);
            let all = |member: usize| several.iter().map(|p| libm::log(p[member])).sum::<f64>();
            let keys: Vec<(f64, f64)> = (0..members).map(|member| (smallest(member), all(member))).collect();
            let compare = |a: usize, b: usize| keys[a].0.total_cmp(&keys[b].0).then(keys[a].1.total_cmp(&keys[b].1));
            let mut order: Vec<usize> = (0..members).collect();
            order.sort_by(|&a, &b| compare(a, b));
            let mut surprise = vec![0.0; members];
            for (place, tied) in order.chunk_by(|&a, &b| compare(a, b).is_eq()).enumerate() {
                tied.iter().for_each(|&member| surprise[member] = -(place as f64));
            }
            tail_shares(&surprise)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_member_gets_the_permutation_p() {
        assert_eq!(tail_shares(&[3.0, 1.0, 3.0, 5.0])[0], 0.75);
        assert_eq!(tail_shares(&[9.0, f64::INFINITY, 1.0])[0], 2.0 / 3.0);
        assert_eq!(tail_shares(&[1.0]), [1.0]);
    }

    #[test]
    fn the_least_likely_of_two_strangers_is_about_twice_as_likely_as_it_looks() {
        let p = [vec![0.01, 0.5, 1.0, 0.2], vec![0.9, 0.02, 0.6, 0.3]];
        assert_eq!(of_the_least_likely(&p), [0.25, 0.5, 1.0, 0.75]);
        assert_eq!(of_the_least_likely(&p[..1]), p[0]);
        // both have the smallest p of one piece; the first leans the same way by the other
        let tied = [vec![0.25, 0.5, 0.75, 1.0], vec![0.5, 0.25, 0.75, 1.0], vec![0.5, 1.0, 0.75, 0.25]];
        assert_eq!(of_the_least_likely(&tied), [0.25, 0.5, 1.0, 0.75]);
    }
}
