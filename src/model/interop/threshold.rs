//! Thresholds between 64 and 32 bits, such that no value changes sides.

/// The largest 64-bit number that a split `x < cut` sends left after `x` was rounded to 32 bits.
///
/// Rounding is to nearest, ties to even: the numbers that become `cut` or more begin at the middle between `cut` and its
/// lower neighbour, or just above it.
pub(super) fn widened(cut: f32) -> f64 {
    let below = cut.next_down();
    if below.is_infinite() {
        return f64::NEG_INFINITY;
    }
    // the sum of two neighbours needs one bit more than 32-bit numbers have, which 64 bits hold
    let middle = (f64::from(below) + f64::from(cut)) * 0.5;
    if (middle as f32) < cut { middle } else { middle.next_down() }
}

/// The cut for which `x < cut` says what `x <= threshold` says, for every finite 32-bit `x` but the largest.
pub(super) fn narrowed(threshold: f64) -> f32 {
    let nearest = threshold as f32;
    let at_most = if f64::from(nearest) > threshold { nearest.next_down() } else { nearest };
    at_most.next_up().clamp(f32::MIN, f32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_single() -> impl Strategy<Value = f32> {
        any::<u32>().prop_map(f32::from_bits).prop_filter("a finite number", |value| value.is_finite())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_widened_cut_sends_every_number_where_its_rounding_goes(cut in any_single(), step in -3_i64..=3) {
            let threshold = widened(cut);
            prop_assume!(threshold.is_finite());
            let near = (0..step.abs()).fold(threshold, |x, _| if step < 0 { x.next_down() } else { x.next_up() });
            for x in [near, f64::from(cut), f64::from(cut.next_down()), f64::from(cut.next_up())] {
                prop_assert_eq!(x <= threshold, (x as f32) < cut);
            }
        }

        #[test]
        fn a_narrowed_threshold_sends_every_single_where_it_went(threshold in any_single(), up in 0_u32..1_000_000, x in any_single()) {
            let threshold = f64::from(threshold) * (1.0 + f64::from(up) * 1e-13);
            let cut = narrowed(threshold);
            let near = threshold as f32;
            for x in [x, near, near.next_down(), near.next_up(), cut].into_iter().filter(|x| x.abs() < f32::MAX) {
                prop_assert_eq!(x < cut, f64::from(x) <= threshold);
            }
        }

        #[test]
        fn widening_and_narrowing_give_the_cut_back(cut in any_single()) {
            prop_assume!(cut.abs() < f32::MAX);
            // zero and minus zero are the same cut
            prop_assert_eq!(narrowed(widened(cut)), cut);
        }
    }

    #[test]
    fn the_ends_of_the_range_stay_inside_it() {
        assert_eq!(narrowed(f64::MAX), f32::MAX);
        assert_eq!(narrowed(f64::NEG_INFINITY), f32::MIN);
        assert_eq!(widened(f32::MIN), f64::NEG_INFINITY);
    }
}
