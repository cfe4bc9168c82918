//! What a learner is given: features, labels and weights of the same rows.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

use super::config::ClassWeight;
use super::error::ModelError;
use crate::stats::sum::sum;

/// Rows to learn from.
///
/// # Shape
/// `features` is rows x columns; `target` and `weight` have one entry a row.
///
/// # NaN
/// A NaN feature is a missing value. Labels and weights must be numbers; an infinite feature is refused.
#[derive(Clone, Copy, Debug)]
pub struct TrainingSet<'a> {
    /// One row a sample, one column a feature.
    pub features: ArrayView2<'a, f64>,
    /// Class of each row, 0 or 1.
    pub target: ArrayView1<'a, f64>,
    /// Weight of each row; `None` weighs all alike.
    pub weight: Option<ArrayView1<'a, f64>>,
}

/// Rows copied out of a [`TrainingSet`].
#[derive(Clone, Debug)]
pub(super) struct OwnedSet {
    features: Array2<f64>,
    target: Array1<f64>,
    weight: Option<Array1<f64>>,
}

impl OwnedSet {
    pub(super) fn view(&self) -> TrainingSet<'_> {
        TrainingSet {
            features: self.features.view(),
            target: self.target.view(),
            weight: self.weight.as_ref().map(Array1::view),
        }
    }
}

impl TrainingSet<'_> {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.features.nrows()
    }

    /// Number of features.
    pub fn columns(&self) -> usize {
        self.features.ncols()
    }

    /// Checks shapes, labels, weights and features.
    ///
    /// # Errors
    /// No rows or columns, lengths that differ, labels other than 0 and 1 or all equal, a weight that is negative or not
    /// finite, no positive weight, an infinite feature.
    pub fn check(&self) -> Result<(), ModelError> {
        let rows = self.rows();
        if rows == 0 {
            return Err(ModelError::TooFewRows { found: 0, needed: 2 });
        }
        if self.columns() == 0 {
            return Err(ModelError::Shape { what: "features", expected: 1, found: 0 });
        }
        if self.target.len() != rows {
            return Err(ModelError::Shape { what: "labels and rows", expected: rows, found: self.target.len() });
        }
        if let Some((row, &found)) = self.target.iter().enumerate().find(|(_, label)| **label != 0.0 && **label != 1.0)
        {
            return Err(ModelError::Label { row, found });
        }
        if let Some(((row, column), _)) = self.features.indexed_iter().find(|(_, value)| value.is_infinite()) {
            return Err(ModelError::InfiniteFeature { row, column });
        }
        self.check_weights()?;
        self.check_classes()
    }

    fn check_weights(&self) -> Result<(), ModelError> {
        let Some(weight) = self.weight else { return Ok(()) };
        if weight.len() != self.rows() {
            return Err(ModelError::Shape { what: "weights and rows", expected: self.rows(), found: weight.len() });
        }
        match weight.iter().enumerate().find(|(_, weight)| !weight.is_finite() || **weight < 0.0) {
            Some((row, &found)) => Err(ModelError::Weight { row, found }),
            None if weight.iter().all(|&weight| weight == 0.0) => Err(ModelError::NoWeight),
            None => Ok(()),
        }
    }

    fn check_classes(&self) -> Result<(), ModelError> {
        let labels: Vec<f64> =
            (0..self.rows()).filter(|&row| self.weight_of(row) > 0.0).map(|row| self.target[row]).collect();
        let ones = labels.iter().filter(|&&label| label == 1.0).count();
        if ones == 0 || ones == labels.len() {
            return Err(ModelError::OneClass { rows: labels.len(), label: u8::from(ones > 0) });
        }
        Ok(())
    }

    /// The weight of a row, 1 where none are given.
    pub fn weight_of(&self, row: usize) -> f64 {
        self.weight.map_or(1.0, |weight| weight[row])
    }

    /// The weight of every row with the classes weighed as asked.
    pub(super) fn weights(&self, classes: ClassWeight) -> Vec<f64> {
        let weights: Vec<f64> = (0..self.rows()).map(|row| self.weight_of(row)).collect();
        if classes == ClassWeight::None {
            return weights;
        }
        let total_of = |class: f64| {
            sum(weights.iter().zip(&self.target).filter(|(_, label)| **label == class).map(|(weight, _)| *weight))
        };
        let (zeros, ones) = (total_of(0.0), total_of(1.0));
        let half = (zeros + ones) / 2.0;
        weights
            .iter()
            .zip(&self.target)
            .map(|(weight, &label)| weight * half / if label == 1.0 { ones } else { zeros })
            .collect()
    }

    /// Copies rows out, in the order given.
    pub(super) fn select(&self, rows: &[usize]) -> OwnedSet {
        OwnedSet {
            features: self.features.select(Axis(0), rows),
            target: self.target.select(Axis(0), rows),
            weight: self.weight.map(|weight| weight.select(Axis(0), rows)),
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{array, aview1};

    use super::*;

    #[test]
    fn faults_are_named_by_row_and_column() {
        let mut features = array![[1.0, f64::NAN], [2.0, 3.0], [4.0, 5.0]];
        let target = array![0.0, 1.0, 1.0];
        let check = |features: &Array2<f64>, target: &[f64], weight: Option<&[f64]>| {
            TrainingSet { features: features.view(), target: aview1(target), weight: weight.map(aview1) }.check()
        };
        assert!(check(&features, &[0.0, 1.0, 1.0], None).is_ok());
        assert!(matches!(check(&features, &[0.0, 1.0], None), Err(ModelError::Shape { expected: 3, found: 2, .. })));
        assert!(matches!(check(&features, &[0.0, 1.0, 0.5], None), Err(ModelError::Label { row: 2, .. })));
        assert!(matches!(check(&features, &[1.0; 3], None), Err(ModelError::OneClass { rows: 3, label: 1 })));
        let labels = [0.0, 1.0, 1.0];
        assert!(matches!(check(&features, &labels, Some(&[1.0, -1.0, 1.0])), Err(ModelError::Weight { row: 1, .. })));
        assert!(matches!(check(&features, &labels, Some(&[0.0; 3])), Err(ModelError::NoWeight)));
        // the only row of class 0 carries no weight
        assert!(matches!(check(&features, &labels, Some(&[0.0, 1.0, 1.0])), Err(ModelError::OneClass { rows: 2, .. })));
        features[[1, 0]] = f64::INFINITY;
        let set = TrainingSet { features: features.view(), target: target.view(), weight: None };
        assert!(matches!(set.check(), Err(ModelError::InfiniteFeature { row: 1, column: 0 })));
    }

    #[test]
    fn balanced_classes_share_the_weight() {
        let features = array![[1.0], [2.0], [3.0], [4.0]];
        let target = array![0.0, 0.0, 0.0, 1.0];
        let set = TrainingSet { features: features.view(), target: target.view(), weight: None };
        let weights = set.weights(ClassWeight::Balanced);
        assert!((weights[..3].iter().sum::<f64>() - 2.0).abs() < 1e-12 && (weights[3] - 2.0).abs() < 1e-12);
    }
}
