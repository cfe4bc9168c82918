//! What a learner is given: features, targets and weights of the same rows.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::config::ClassWeight;
use super::error::ModelError;
use crate::stats::sum::sum;

/// What is learnt of a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// The probability of class 1; targets are 0 or 1.
    #[default]
    Classification,
    /// The value itself; targets are any finite numbers.
    Regression,
}

impl Task {
    /// Says whether this is the task that stored models leave out.
    pub(super) fn is_classification(&self) -> bool {
        *self == Self::Classification
    }
}

impl std::fmt::Display for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Classification => "classification",
            Self::Regression => "regression",
        })
    }
}

/// Rows to learn from.
///
/// # Shape
/// `features` is rows x columns; `target` and `weight` have one entry a row, `names` is empty or has one entry a column.
///
/// # NaN
/// A NaN feature is a missing value. Targets and weights must be numbers; an infinite feature is refused.
#[derive(Clone, Copy, Debug)]
pub struct TrainingSet<'a> {
    /// One row a sample, one column a feature.
    pub features: ArrayView2<'a, f64>,
    /// Class of each row, 0 or 1; the value of each row in a regression.
    pub target: ArrayView1<'a, f64>,
    /// Weight of each row; `None` weighs all alike.
    pub weight: Option<ArrayView1<'a, f64>>,
    /// What is learnt.
    pub task: Task,
    /// Names of the features, for parameters that speak of one; empty where nobody named them.
    pub names: &'a [String],
}

/// Rows copied out of a [`TrainingSet`].
#[derive(Clone, Debug)]
pub(super) struct OwnedSet<'a> {
    features: Array2<f64>,
    target: Array1<f64>,
    weight: Option<Array1<f64>>,
    task: Task,
    names: &'a [String],
}

impl OwnedSet<'_> {
    pub(super) fn view(&self) -> TrainingSet<'_> {
        TrainingSet {
            features: self.features.view(),
            target: self.target.view(),
            weight: self.weight.as_ref().map(Array1::view),
            task: self.task,
            names: self.names,
        }
    }
}

impl<'a> TrainingSet<'a> {
    /// A classification of rows that weigh alike, its features not named.
    pub const fn new(features: ArrayView2<'a, f64>, target: ArrayView1<'a, f64>) -> Self {
        Self { features, target, weight: None, task: Task::Classification, names: &[] }
    }

    /// Weighs the rows; `None` weighs them alike.
    #[must_use]
    pub fn weighted(self, weight: Option<ArrayView1<'a, f64>>) -> Self {
        Self { weight, ..self }
    }

    /// Says what is learnt.
    #[must_use]
    pub fn for_task(self, task: Task) -> Self {
        Self { task, ..self }
    }

    /// Names the features.
    #[must_use]
    pub fn named(self, names: &'a [String]) -> Self {
        Self { names, ..self }
    }

    /// The same rows, borrowed for a shorter time: views of arrays cannot be shortened in place.
    pub(super) fn view(&self) -> TrainingSet<'_> {
        TrainingSet {
            features: self.features.view(),
            target: self.target.view(),
            weight: self.weight.as_ref().map(ArrayView1::view),
            task: self.task,
            names: self.names,
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.features.nrows()
    }

    /// Number of features.
    pub fn columns(&self) -> usize {
        self.features.ncols()
    }

    /// Checks shapes, targets, weights and features.
    ///
    /// # Errors
    /// No rows or columns, lengths that differ, labels other than 0 and 1 or all equal, fewer than two rows of a
    /// regression or a value that is not finite, a weight that is negative or not finite, no positive weight, an infinite
    /// feature.
    pub fn check(&self) -> Result<(), ModelError> {
        self.check_rows()?;
        match self.task {
            Task::Classification => self.check_classes(),
            Task::Regression if self.rows() < 2 => Err(ModelError::TooFewRows { found: self.rows(), needed: 2 }),
            Task::Regression => Ok(()),
        }
    }

    /// Checks row by row: a set that is only judged on may be of one class.
    pub(super) fn check_rows(&self) -> Result<(), ModelError> {
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
        self.check_targets()?;
        if !self.names.is_empty() && self.names.len() != self.columns() {
            let (expected, found) = (self.columns(), self.names.len());
            return Err(ModelError::Shape { what: "names and features", expected, found });
        }
        if let Some(((row, column), _)) = self.features.indexed_iter().find(|(_, value)| value.is_infinite()) {
            return Err(ModelError::InfiniteFeature { row, column });
        }
        self.check_weights()
    }

    fn check_targets(&self) -> Result<(), ModelError> {
        let mut targets = self.target.iter().enumerate();
        match self.task {
            Task::Classification => match targets.find(|(_, label)| **label != 0.0 && **label != 1.0) {
                Some((row, &found)) => Err(ModelError::Label { row, found }),
                None => Ok(()),
            },
            Task::Regression => match targets.find(|(_, value)| !value.is_finite()) {
                Some((row, &found)) => Err(ModelError::Target { row, found }),
                None => Ok(()),
            },
        }
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
    ///
    /// # Errors
    /// Classes that should be balanced in a regression, which has none.
    pub(super) fn weights(&self, classes: ClassWeight) -> Result<Vec<f64>, ModelError> {
        let weights: Vec<f64> = (0..self.rows()).map(|row| self.weight_of(row)).collect();
        if classes == ClassWeight::None {
            return Ok(weights);
        }
        if self.task != Task::Classification {
            return Err(ModelError::ForTask { name: "class_weight", task: self.task });
        }
        let total_of = |class: f64| {
            sum(weights.iter().zip(&self.target).filter(|(_, label)| **label == class).map(|(weight, _)| *weight))
        };
        let (zeros, ones) = (total_of(0.0), total_of(1.0));
        let half = (zeros + ones) / 2.0;
        let balanced = weights
            .iter()
            .zip(&self.target)
            .map(|(weight, &label)| weight * half / if label == 1.0 { ones } else { zeros });
        Ok(balanced.collect())
    }

    /// Copies rows out, in the order given.
    pub(super) fn select(&self, rows: &[usize]) -> OwnedSet<'a> {
        OwnedSet {
            features: self.features.select(Axis(0), rows),
            target: self.target.select(Axis(0), rows),
            weight: self.weight.map(|weight| weight.select(Axis(0), rows)),
            task: self.task,
            names: self.names,
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
            TrainingSet::new(features.view(), aview1(target)).weighted(weight.map(aview1)).check()
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
        let set = TrainingSet::new(features.view(), target.view());
        assert!(matches!(set.check(), Err(ModelError::InfiniteFeature { row: 1, column: 0 })));
    }

    #[test]
    fn a_regression_takes_any_finite_target_and_knows_no_classes() {
        let features = array![[1.0], [2.0], [3.0]];
        let check = |target: &[f64]| {
            TrainingSet::new(features.slice_axis(Axis(0), (..target.len()).into()), aview1(target))
                .for_task(Task::Regression)
                .check()
        };
        assert!(check(&[-1.0, 2.5, 1e9]).is_ok() && check(&[2.0, 2.0, 2.0]).is_ok());
        assert!(matches!(check(&[1.0, f64::NAN, 2.0]), Err(ModelError::Target { row: 1, .. })));
        assert!(matches!(check(&[1.0, 2.0, f64::INFINITY]), Err(ModelError::Target { row: 2, .. })));
        assert!(matches!(check(&[1.0]), Err(ModelError::TooFewRows { found: 1, needed: 2 })));
        let target = [0.0, 1.0, 1.0];
        let set = TrainingSet::new(features.view(), aview1(&target)).for_task(Task::Regression);
        let error = set.weights(ClassWeight::Balanced).unwrap_err();
        assert_eq!(error.to_string(), "`class_weight` has no meaning in a regression");
    }

    #[test]
    fn balanced_classes_share_the_weight() {
        let features = array![[1.0], [2.0], [3.0], [4.0]];
        let target = array![0.0, 0.0, 0.0, 1.0];
        let set = TrainingSet::new(features.view(), target.view());
        let weights = set.weights(ClassWeight::Balanced).unwrap();
        assert!((weights[..3].iter().sum::<f64>() - 2.0).abs() < 1e-12 && (weights[3] - 2.0).abs() < 1e-12);
    }
}
