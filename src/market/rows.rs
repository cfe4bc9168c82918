//! Rows of one symbol as columns, while they are read.

/// The rows of one symbol: columns of equal length.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rows {
    /// Start of the bar, microseconds since 1970-01-01 UTC.
    pub ts: Vec<i64>,
    /// Open, high, low, close, volume.
    pub values: [Vec<f64>; 5],
    /// Further columns.
    pub further: Vec<Vec<f64>>,
}

impl Rows {
    pub(super) fn new(further: usize) -> Self {
        Self { further: vec![Vec::new(); further], ..Self::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.ts.len()
    }

    pub(super) fn push(&mut self, ts: i64, values: [f64; 5], further: &[f64]) {
        self.ts.push(ts);
        self.values.iter_mut().zip(values).for_each(|(column, value)| column.push(value));
        self.further.iter_mut().zip(further).for_each(|(column, value)| column.push(*value));
    }

    /// Keeps the first rows.
    pub(super) fn truncate(&mut self, rows: usize) {
        self.ts.truncate(rows);
        self.columns_mut().for_each(|column| column.truncate(rows));
    }

    /// Keeps certain rows, in the given order.
    pub(super) fn select(&mut self, rows: &[usize]) {
        self.ts = rows.iter().map(|&row| self.ts[row]).collect();
        self.columns_mut().for_each(|column| *column = rows.iter().map(|&row| column[row]).collect());
    }

    /// Gives back what growing took too much.
    pub(super) fn shrink(&mut self) {
        self.ts.shrink_to_fit();
        self.columns_mut().for_each(Vec::shrink_to_fit);
    }

    fn columns_mut(&mut self) -> impl Iterator<Item = &mut Vec<f64>> {
        self.values.iter_mut().chain(&mut self.further)
    }
}
