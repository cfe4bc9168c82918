//! Cholesky factors of small dense matrices, row by row, in a fixed order of sums.

/// A lower triangle, whole rows apart by `size`; what lies above the diagonal is 0.
#[derive(Clone, Debug)]
pub(super) struct Lower {
    size: usize,
    entries: Vec<f64>,
}

impl Lower {
    /// Factors a symmetric positive definite matrix given by its lower triangle; `None` when it is not one to rounding.
    pub(super) fn factor(mut entries: Vec<f64>, size: usize) -> Option<Self> {
        for i in 0..size {
            for j in 0..=i {
                let (above, row) = entries.split_at_mut(i * size);
                let known = if j < i { &above[j * size..j * size + j] } else { &row[..0] };
                let rest = if j < i { row[j] - dot(&row[..j], known) } else { row[i] - dot(&row[..i], &row[..i]) };
                row[j] = if j < i {
                    rest / above[j * size + j]
                } else if rest > 0.0 {
                    rest.sqrt()
                } else {
                    return None;
                };
            }
            entries[i * size + i + 1..(i + 1) * size].fill(0.0);
        }
        Some(Self { size, entries })
    }

    fn row(&self, i: usize) -> &[f64] {
        &self.entries[i * self.size..i * self.size + i]
    }

    fn diagonal(&self, i: usize) -> f64 {
        self.entries[i * self.size + i]
    }

    /// The leading part of `size` rows.
    pub(super) fn leading(&self, size: usize) -> Self {
        let rows = (0..size).flat_map(|i| &self.entries[i * self.size..i * self.size + size]);
        Self { size, entries: rows.copied().collect() }
    }

    /// Half the logarithm of the determinant of the factored matrix.
    pub(super) fn half_log_determinant(&self) -> f64 {
        (0..self.size).map(|i| libm::log(self.diagonal(i))).sum()
    }

    /// Solves for the factored matrix: forward, then backward.
    pub(super) fn solve(&self, right: &[f64]) -> Vec<f64> {
        let mut x = right.to_vec();
        for i in 0..self.size {
            x[i] = (x[i] - dot(self.row(i), &x[..i])) / self.diagonal(i);
        }
        for i in (0..self.size).rev() {
            x[i] /= self.diagonal(i);
            let own = x[i];
            add_scaled(&mut x[..i], self.row(i), -own);
        }
        x
    }

    /// Solves `L V = right` for many columns at once; `right` has `columns` numbers a row and is replaced by `V`.
    pub(super) fn forward(&self, right: &mut [f64], columns: usize) {
        for i in 0..self.size {
            let (above, row) = right.split_at_mut(i * columns);
            let row = &mut row[..columns];
            for (factor, known) in self.row(i).iter().zip(above.chunks_exact(columns)) {
                add_scaled(row, known, -factor);
            }
            let scale = 1.0 / self.diagonal(i);
            row.iter_mut().for_each(|value| *value *= scale);
        }
    }

    /// The inverse of the factored matrix, lower triangle.
    pub(super) fn inverse(&self) -> Vec<f64> {
        let n = self.size;
        let mut triangle = vec![0.0; n * n];
        for i in 0..n {
            let (above, row) = triangle.split_at_mut(i * n);
            for (k, factor) in self.row(i).iter().enumerate() {
                add_scaled(&mut row[..=k], &above[k * n..=k * n + k], -factor);
            }
            let scale = 1.0 / self.diagonal(i);
            row[..i].iter_mut().for_each(|value| *value *= scale);
            row[i] = scale;
        }
        let mut inverse = vec![0.0; n * n];
        for row in triangle.chunks_exact(n).enumerate().map(|(k, row)| &row[..=k]) {
            for (i, factor) in row.iter().enumerate() {
                add_scaled(&mut inverse[i * n..=i * n + i], &row[..=i], *factor);
            }
        }
        inverse
    }
}

/// Four running sums in a fixed order: no chain of dependent additions.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (fours_a, fours_b) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f64 = fours_a.remainder().iter().zip(fours_b.remainder()).map(|(x, y)| x * y).sum();
    let mut sums = [0.0; 4];
    for (x, y) in fours_a.zip(fours_b) {
        for lane in 0..4 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}

/// `target += scale * source`.
pub(super) fn add_scaled(target: &mut [f64], source: &[f64], scale: f64) {
    for (value, own) in target.iter_mut().zip(source) {
        *value += scale * own;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Seed;

    /// A product of a random matrix with itself, and the identity.
    fn positive(size: usize) -> Vec<f64> {
        let mut stream = Seed::new(size as u64).stream();
        let root: Vec<f64> = (0..size * size).map(|_| stream.normal()).collect();
        let entry = |i: usize, j: usize| {
            let product: f64 = (0..size).map(|k| root[i * size + k] * root[j * size + k]).sum();
            product + if i == j { 1.0 } else { 0.0 }
        };
        (0..size).flat_map(|i| (0..size).map(move |j| (i, j))).map(|(i, j)| entry(i, j)).collect()
    }

    #[test]
    fn factors_solutions_and_inverses_belong_to_their_matrix() {
        for size in [1, 2, 5, 9, 20] {
            let matrix = positive(size);
            let factor = Lower::factor(matrix.clone(), size).unwrap();
            let x: Vec<f64> = (0..size).map(|i| 1.0 + i as f64).collect();
            let right: Vec<f64> = matrix.chunks_exact(size).map(|row| dot(row, &x)).collect();
            let solved = factor.solve(&right);
            assert!(solved.iter().zip(&x).all(|(a, b)| (a - b).abs() < 1e-9), "{size}");
            let inverse = factor.inverse();
            for i in 0..size {
                let column: Vec<f64> = (0..size).map(|j| inverse[i.max(j) * size + i.min(j)]).collect();
                for (j, row) in matrix.chunks_exact(size).enumerate() {
                    let expected = if i == j { 1.0 } else { 0.0 };
                    assert!((dot(row, &column) - expected).abs() < 1e-9, "{size} {i} {j}");
                }
            }
            // |L^-1 b|^2 = b' A^-1 b, for two columns at once
            let mut columns: Vec<f64> = right.iter().flat_map(|value| [*value, 2.0 * value]).collect();
            factor.forward(&mut columns, 2);
            let squares = |at: usize| columns.chunks_exact(2).map(|pair| pair[at] * pair[at]).sum::<f64>();
            let expected = dot(&right, &x);
            assert!((squares(0) / expected - 1.0).abs() < 1e-9 && (squares(1) / squares(0) - 4.0).abs() < 1e-12);
        }
    }

    #[test]
    fn a_matrix_that_is_not_positive_definite_is_refused() {
        assert!(Lower::factor(vec![1.0, 0.0, 2.0, 1.0], 2).is_none());
    }
}
