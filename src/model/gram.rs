//! Sums of products over rows: what a linear fit needs to know of them.

use rayon::prelude::*;

use super::error::ModelError;
use crate::base::CancelToken;

/// Rows that one task sums. Sums of blocks are added in order, so that bits do not depend on the number of threads.
const BLOCK_ROWS: usize = 4096;

/// `X'WX` and `X'v` of a row-major table `X`.
pub(super) struct Gram {
    /// Row-major, symmetric.
    pub products: Vec<f64>,
    pub projections: Vec<f64>,
}

impl Gram {
    /// Sums over all rows; `weigh` gives the weight in `W` and the entry of `v` of a row.
    pub(super) fn of(
        design: &[f64],
        columns: usize,
        cancel: &CancelToken,
        weigh: impl Fn(usize) -> (f64, f64) + Sync,
    ) -> Result<Self, ModelError> {
        let blocks = design
            .par_chunks(BLOCK_ROWS * columns)
            .enumerate()
            .map(|(block, rows)| {
                cancel.check()?;
                let mut sums = Self::empty(columns);
                for (i, row) in rows.chunks_exact(columns).enumerate() {
                    let (weight, value) = weigh(block * BLOCK_ROWS + i);
                    sums.add_row(row, weight, value);
                }
                Ok(sums)
            })
            .collect::<Result<Vec<Self>, ModelError>>()?;
        let mut total = Self::empty(columns);
        for block in blocks {
            total.products.iter_mut().zip(block.products).for_each(|(total, part)| *total += part);
            total.projections.iter_mut().zip(block.projections).for_each(|(total, part)| *total += part);
        }
        for i in 0..columns {
            for j in i + 1..columns {
                total.products[j * columns + i] = total.products[i * columns + j];
            }
        }
        Ok(total)
    }

    fn empty(columns: usize) -> Self {
        Self { products: vec![0.0; columns * columns], projections: vec![0.0; columns] }
    }

    /// Adds a row to the upper triangle.
    fn add_row(&mut self, row: &[f64], weight: f64, value: f64) {
        let columns = row.len();
        for (i, &x) in row.iter().enumerate() {
            let weighed = weight * x;
            let products = &mut self.products[i * columns + i..(i + 1) * columns];
            products.iter_mut().zip(&row[i..]).for_each(|(total, other)| *total += weighed * other);
            self.projections[i] += value * x;
        }
    }
}
