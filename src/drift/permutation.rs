//! Permuted blocks of time stamps: which stamps a replicate calls "current".
//!
//! The stamps of both windows form a circle. It is cut at a random phase into blocks of one length (the last may be
//! shorter), the blocks are put in random order, and the first `current` stamps of that order become the current window.

use crate::base::{RandomStream, Seed};

/// Time stamps of the two windows joined into a circle: `0..reference` then `reference..reference + current`.
#[derive(Clone, Debug)]
pub(super) struct Circle {
    /// Stamp of each pooled row.
    pub(super) stamp_of_row: Vec<u32>,
    pub(super) reference: usize,
    pub(super) current: usize,
    reference_rows: usize,
}

impl Circle {
    /// Makes a stamp of each run of equal times; the two windows never share one.
    pub(super) fn from_times(reference: &[i64], current: &[i64]) -> Self {
        let mut stamp_of_row = Vec::with_capacity(reference.len() + current.len());
        let reference_rows = reference.len();
        let reference = append_stamps(&mut stamp_of_row, 0, reference);
        let current = append_stamps(&mut stamp_of_row, reference, current);
        Self { stamp_of_row, reference, current, reference_rows }
    }

    /// Makes a stamp of each row.
    pub(super) fn from_rows(reference: usize, current: usize) -> Self {
        let stamp_of_row = (0..(reference + current) as u32).collect();
        Self { stamp_of_row, reference, current, reference_rows: reference }
    }

    /// Rows of the reference window.
    pub(super) fn reference_rows(&self) -> usize {
        self.reference_rows
    }

    pub(super) fn stamps(&self) -> usize {
        self.reference + self.current
    }

    /// The split as it was observed.
    pub(super) fn observed(&self) -> Vec<u8> {
        (0..self.stamps()).map(|stamp| u8::from(stamp >= self.reference)).collect()
    }

    /// `clamp(ceil(5 tau), ceil(current^(1/3)), current / 2)`: long enough that a block forgets its neighbours, short
    /// enough that the current window holds at least two.
    pub(super) fn block_length(&self, tau: f64) -> usize {
        let shortest = libm::cbrt(self.current as f64).ceil() as usize;
        let wanted = (5.0 * tau).ceil() as usize;
        wanted.max(shortest).min(self.current / 2).max(1)
    }
}

fn append_stamps(stamps: &mut Vec<u32>, first: usize, time: &[i64]) -> usize {
    let mut count = 0;
    for group in time.chunk_by(|a, b| a == b) {
        stamps.extend(std::iter::repeat_n((first + count) as u32, group.len()));
        count += 1;
    }
    count
}

/// One permutation: a phase and the blocks that become current, in order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    pub(super) block: usize,
    pub(super) offset: usize,
    pub(super) chosen: Vec<usize>,
}

impl Plan {
    /// Draws replicate number `replicate`; the draw depends on nothing but its arguments, so that replicates may run in
    /// any order on any number of threads.
    pub(super) fn draw(circle: &Circle, block: usize, seed: Seed, replicate: usize) -> Self {
        let mut stream = seed.derive("block_permutation").index(block as u64).index(replicate as u64).stream();
        let stamps = circle.stamps();
        let offset = stream.below(stamps);
        Self { block, offset, chosen: deal(stamps, block, circle.current, &mut stream) }
    }

    /// Writes 1 for current and 0 for reference stamps, block by block: what [`super::split`] must equal.
    #[cfg(test)]
    pub(super) fn mark(&self, circle: &Circle, current: &mut [u8]) {
        current.fill(0);
        let stamps = circle.stamps();
        let mut missing = circle.current;
        for &block in &self.chosen {
            let length = block_length(stamps, self.block, block).min(missing);
            missing -= length;
            for step in 0..length {
                current[(self.offset + block * self.block + step) % stamps] = 1;
            }
        }
    }
}

/// Deals blocks without replacement until they hold `wanted` stamps: the head of a Fisher-Yates shuffle.
fn deal(stamps: usize, block: usize, wanted: usize, stream: &mut RandomStream) -> Vec<usize> {
    let mut deck: Vec<usize> = (0..stamps.div_ceil(block)).collect();
    let (mut dealt, mut held) = (0, 0);
    while held < wanted && dealt < deck.len() {
        let pick = dealt + stream.below(deck.len() - dealt);
        deck.swap(dealt, pick);
        held += block_length(stamps, block, deck[dealt]);
        dealt += 1;
    }
    deck.truncate(dealt);
    deck
}

fn block_length(stamps: usize, block: usize, index: usize) -> usize {
    block.min(stamps - index * block)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rows_of_one_time_stamp_stay_together_and_windows_apart() {
        let circle = Circle::from_times(&[1, 1, 2], &[2, 3, 3]);
        assert_eq!(circle.stamp_of_row, [0, 0, 1, 2, 3, 3]);
        assert_eq!((circle.reference, circle.current), (2, 2));
    }

    #[test]
    fn the_block_grows_with_the_memory_and_leaves_two_blocks() {
        let circle = Circle::from_rows(2_000, 500);
        assert_eq!([circle.block_length(1.0), circle.block_length(9.3), circle.block_length(400.0)], [8, 47, 250]);
        assert_eq!(Circle::from_rows(10, 1).block_length(3.0), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_plan_marks_as_many_stamps_as_the_current_window_has(reference in 1_usize..60, current in 1_usize..40, block in 1_usize..20, seed in 0_u64..500) {
            let circle = Circle::from_rows(reference, current);
            let mut marks = vec![9; circle.stamps()];
            Plan::draw(&circle, block, Seed::new(seed), 3).mark(&circle, &mut marks);
            prop_assert_eq!(marks.iter().filter(|&&m| m == 1).count(), current);
            prop_assert_eq!(marks.iter().filter(|&&m| m == 0).count(), reference);
        }
    }
}
