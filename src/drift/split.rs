//! One way to call some time stamps of a circle "current" and the others "reference", as runs of consecutive stamps.
//!
//! Runs are what a sum over a split needs: with cumulative sums of a column, the sum over a run is one difference, so that a
//! statistic of means costs as many steps as there are runs and not as many as there are rows.

use super::permutation::{Circle, Plan};

/// Consecutive stamps on one side; it may go round the end of the circle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) start: usize,
    pub(super) length: usize,
    pub(super) current: bool,
}

/// A split of a circle of stamps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Split {
    pub(super) stamps: usize,
    pub(super) runs: Vec<Run>,
}

impl Split {
    /// The split as it was observed: both windows cut into blocks from their starts.
    pub(super) fn observed(circle: &Circle, block: usize) -> Self {
        Self::arc(circle.stamps(), circle.reference, circle.current, block)
    }

    /// An arc of current stamps, the rest reference, both cut into blocks from their starts.
    pub(super) fn arc(stamps: usize, start: usize, length: usize, block: usize) -> Self {
        let mut runs = Vec::with_capacity(stamps / block.max(1) + 2);
        for (from, length, current) in [(start, length, true), (start + length, stamps - length, false)] {
            let mut done = 0;
            while done < length {
                let step = block.max(1).min(length - done);
                runs.push(Run { start: (from + done) % stamps, length: step, current });
                done += step;
            }
        }
        Self { stamps, runs }
    }

    /// The split of a permutation of blocks.
    pub(super) fn permuted(circle: &Circle, plan: &Plan) -> Self {
        let stamps = circle.stamps();
        let blocks = stamps.div_ceil(plan.block);
        let mut dealt = vec![false; blocks];
        let mut runs = Vec::with_capacity(blocks + 1);
        let mut wanted = circle.current;
        let place =
            |block: usize| ((plan.offset + block * plan.block) % stamps, plan.block.min(stamps - block * plan.block));
        for &block in &plan.chosen {
            let (start, length) = place(block);
            let taken = length.min(wanted);
            wanted -= taken;
            dealt[block] = true;
            runs.push(Run { start, length: taken, current: true });
            if taken < length {
                runs.push(Run { start: (start + taken) % stamps, length: length - taken, current: false });
            }
        }
        for block in (0..blocks).filter(|&block| !dealt[block]) {
            let (start, length) = place(block);
            runs.push(Run { start, length, current: false });
        }
        Self { stamps, runs }
    }

    /// Writes 1 for current and 0 for reference stamps.
    pub(super) fn mark(&self, marks: &mut [u8]) {
        marks.fill(0);
        for run in self.runs.iter().filter(|run| run.current) {
            let end = run.start + run.length;
            marks[run.start..end.min(self.stamps)].fill(1);
            if end > self.stamps {
                marks[..end - self.stamps].fill(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Seed;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn runs_cover_every_stamp_once_and_mark_as_the_plan_does(reference in 1_usize..60, current in 1_usize..40, block in 1_usize..20, seed in 0_u64..500) {
            let circle = Circle::from_rows(reference, current);
            let plan = Plan::draw(&circle, block, Seed::new(seed), 3);
            let split = Split::permuted(&circle, &plan);
            let (mut marks, mut expected) = (vec![9; circle.stamps()], vec![9; circle.stamps()]);
            split.mark(&mut marks);
            plan.mark(&circle, &mut expected);
            prop_assert_eq!(&marks, &expected);
            let mut covered = vec![0; circle.stamps()];
            for run in split.runs.iter().chain(&[]) {
                (0..run.length).for_each(|step| covered[(run.start + step) % circle.stamps()] += 1);
            }
            prop_assert!(covered.iter().all(|&times| times == 1));
            Split::observed(&circle, block).mark(&mut marks);
            prop_assert_eq!(marks, circle.observed());
        }
    }
}
