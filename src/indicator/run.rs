//! The one rule for missing values: every maximal run of finite input is a series of its own.
//!
//! A kernel is written for finite data only and writes from its warm-up on; what it leaves alone stays NaN. A gap therefore costs
//! exactly one warm-up: a window never spans it, and a recursion (Wilder, EMA, OBV) starts again after it with its seeding rule
//! instead of carrying a NaN, or a stale level, to the end of the series.

/// Applies `kernel` to each maximal run of rows in which all columns are finite.
///
/// Outputs have the length of the first column. Columns are meant to be equally long; rows beyond the shortest count as missing.
pub(super) fn each_run<const N: usize, const M: usize>(
    columns: [&[f64]; N],
    kernel: impl Fn([&[f64]; N], [&mut [f64]; M]),
) -> [Vec<f64>; M] {
    let length = columns.first().map_or(0, |column| column.len());
    let shared = columns.iter().map(|column| column.len()).min().unwrap_or(0);
    let mut outputs: [Vec<f64>; M] = std::array::from_fn(|_| vec![f64::NAN; length]);
    let mut start = 0;
    while start < shared {
        let end = (start..shared).find(|&row| columns.iter().any(|column| !column[row].is_finite())).unwrap_or(shared);
        if end > start {
            kernel(columns.map(|column| &column[start..end]), outputs.each_mut().map(|output| &mut output[start..end]));
        }
        start = end + 1;
    }
    outputs
}

/// [`each_run`] for a kernel with one output.
pub(super) fn each_run_single<const N: usize>(
    columns: [&[f64]; N],
    kernel: impl Fn([&[f64]; N], &mut [f64]),
) -> Vec<f64> {
    let [output] = each_run(columns, |inputs, [output]| kernel(inputs, output));
    output
}

/// Applies `value` to each bar of its own; a bar with a missing input has no value.
pub(crate) fn each_bar<const N: usize>(columns: [&[f64]; N], value: impl Fn([f64; N]) -> f64) -> Vec<f64> {
    let length = columns.first().map_or(0, |column| column.len());
    (0..length)
        .map(|row| {
            let bar = columns.map(|column| column.get(row).copied().unwrap_or(f64::NAN));
            if bar.iter().all(|input| input.is_finite()) { value(bar) } else { f64::NAN }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_in_any_column_ends_the_run() {
        let a = [1.0, 2.0, f64::NAN, 4.0, 5.0];
        let b = [1.0, f64::INFINITY, 3.0, 4.0, 5.0];
        let position = each_run_single([&a, &b], |[a, _], out| (0..a.len()).for_each(|t| out[t] = t as f64));
        assert_eq!(position.iter().map(|p| p.is_nan()).collect::<Vec<_>>(), [false, true, true, false, false]);
        assert_eq!((position[0], position[3], position[4]), (0.0, 0.0, 1.0));
    }

    #[test]
    fn a_shorter_column_leaves_the_rest_missing() {
        let sums = each_run_single([&[1.0, 2.0, 3.0], &[1.0]], |[a, b], out| out[0] = a[0] + b[0]);
        assert_eq!(sums[0], 2.0);
        assert!(sums[1].is_nan() && sums[2].is_nan());
    }
}
