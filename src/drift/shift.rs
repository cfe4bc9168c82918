//! The shift of a mean between two sides of a split, in standard errors made from blocks.
//!
//! A rank distance spends most of its power on changes of shape; what moves in practice is the level. The difference of
//! the mean normal scores is the best rank statistic of a level (van der Waerden), and dividing it by a standard error
//! from *within* the two sides matters for a permutation test: a real shift makes the pooled blocks vary more, and an
//! undivided difference would be compared with the noise plus the very shift that is looked for.

use super::split::Split;

/// Cumulative sums of a column over the stamps of a circle, twice round, so that a run across the end is one difference.
#[derive(Clone, Debug)]
pub(super) struct StampSums {
    values: Vec<f64>,
    counts: Vec<f64>,
}

impl StampSums {
    /// Sums the scores of rows per stamp; NaN = missing.
    pub(super) fn new(scores: &[f64], stamp_of_row: &[u32], stamps: usize) -> Self {
        let (mut sums, mut counts) = (vec![0.0; stamps], vec![0.0; stamps]);
        for (&score, &stamp) in scores.iter().zip(stamp_of_row).filter(|(score, _)| !score.is_nan()) {
            sums[stamp as usize] += score;
            counts[stamp as usize] += 1.0;
        }
        Self { values: cumulate(&sums), counts: cumulate(&counts) }
    }

    /// The size of the shift in standard errors: `|m1 - m0| / sqrt(v (1/n1 + 1/n0))` with the mean square `v` of what runs
    /// differ from the mean of their side, per row. `None` when a side has no value or there are fewer than three runs.
    pub(super) fn studentised_shift(&self, split: &Split) -> Option<f64> {
        let (mut sums, mut counts) = ([0.0; 2], [0.0; 2]);
        let of = |all: &[f64], start: usize, length: usize| all[start + length] - all[start];
        for run in &split.runs {
            let side = usize::from(run.current);
            sums[side] += of(&self.values, run.start, run.length);
            counts[side] += of(&self.counts, run.start, run.length);
        }
        if counts.iter().any(|&count| count < 0.5) {
            return None;
        }
        let means = [sums[0] / counts[0], sums[1] / counts[1]];
        let (mut squares, mut runs) = (0.0, 0.0);
        for run in &split.runs {
            let rows = of(&self.counts, run.start, run.length);
            if rows > 0.5 {
                let excess = of(&self.values, run.start, run.length) - rows * means[usize::from(run.current)];
                squares += excess * excess;
                runs += 1.0;
            }
        }
        if runs < 3.0 {
            return None;
        }
        let variance = squares / (counts[0] + counts[1]) * runs / (runs - 2.0);
        let gap = (means[1] - means[0]).abs();
        // what is left of a difference of cumulative sums when nothing differs
        let nothing = 1e-9;
        if gap <= nothing {
            return Some(0.0);
        }
        let error = (variance * (1.0 / counts[0] + 1.0 / counts[1])).sqrt();
        Some(gap / error.max(nothing * gap))
    }
}

fn cumulate(values: &[f64]) -> Vec<f64> {
    let mut total = 0.0;
    let twice = values.iter().chain(values).map(|value| {
        total += value;
        total
    });
    std::iter::once(0.0).chain(twice.collect::<Vec<_>>()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::permutation::Circle;

    #[test]
    fn with_blocks_of_one_row_it_is_students_t() {
        let scores = [1.0, 2.0, 4.0, 3.0, 2.0, 5.0, 7.0, 6.0, 8.0];
        let circle = Circle::from_rows(5, 4);
        let sums = StampSums::new(&scores, &circle.stamp_of_row, 9);
        let pooled: f64 = (5.2 + 5.0) / 7.0;
        let textbook = (6.5 - 2.4) / (pooled * (0.2 + 0.25)).sqrt();
        // ours divides by all rows and corrects by runs / (runs - 2), which for single rows is the same
        let ours = sums.studentised_shift(&Split::observed(&circle, 1)).unwrap();
        assert!((ours - textbook).abs() < 1e-12, "{ours} {textbook}");
    }

    #[test]
    fn constants_do_not_shift_and_an_empty_side_has_none() {
        let circle = Circle::from_rows(6, 3);
        let constant = StampSums::new(&[0.1; 9], &circle.stamp_of_row, 9);
        assert_eq!(constant.studentised_shift(&Split::observed(&circle, 2)), Some(0.0));
        let mut gone = [0.1; 9];
        gone[6..].fill(f64::NAN);
        let gone = StampSums::new(&gone, &circle.stamp_of_row, 9);
        assert_eq!(gone.studentised_shift(&Split::observed(&circle, 2)), None);
    }
}
