//! Scores of predictions among several classes.
//!
//! # Shape
//! `labels` holds a class number a row, `probabilities` a row of one probability a class.
//!
//! # NaN
//! `None` when lengths differ, nothing is there, a label is no class, or a probability is not in `[0, 1]`.

use super::ranking::roc_auc;
use crate::stats::sum::{mean, sum};

/// Scores of predictions among several classes; a class without rows is left out of plain means.
#[derive(Clone, Debug, PartialEq)]
pub struct MulticlassReport {
    /// Rows of class `i` that were called `j`: the most probable class, the first of equals.
    pub confusion: Vec<Vec<usize>>,
    /// Share of rows called rightly.
    pub accuracy: f64,
    /// Mean recall of the classes that have rows.
    pub balanced_accuracy: f64,
    /// Mean precision of the classes, 0 where nothing is called.
    pub precision_macro: f64,
    /// Mean recall of the classes, 0 where there are no rows.
    pub recall_macro: f64,
    /// Mean F1 of the classes.
    pub f1_macro: f64,
    /// Mean F1 of the classes by their rows.
    pub f1_weighted: f64,
    /// F1 of the counts of all classes together, which is the accuracy.
    pub f1_micro: f64,
    /// Matthews correlation of several classes (Gorodkin, 2004); `None` when rows or calls are of one class.
    pub mcc: Option<f64>,
    /// Log loss in nats.
    pub log_loss: f64,
    /// Mean squared distance of the probabilities to the label's corner (Brier, 1950).
    pub brier: f64,
    /// Mean area under the ROC curve of each class against all others; `None` when a class has no rows.
    pub roc_auc_ovr: Option<f64>,
    /// Mean area under the ROC curve of each ordered pair of classes (Hand and Till, 2001); `None` when a class has no
    /// rows.
    pub roc_auc_ovo: Option<f64>,
}

/// Computes every score of predictions among several classes.
pub fn multiclass_report(labels: &[usize], probabilities: &[Vec<f64>]) -> Option<MulticlassReport> {
    let classes = probabilities.first()?.len();
    let usable = labels.len() == probabilities.len()
        && labels.iter().all(|label| *label < classes)
        && probabilities.iter().all(|row| row.len() == classes && row.iter().all(|p| (0.0..=1.0).contains(p)));
    if !usable {
        return None;
    }
    let mut confusion = vec![vec![0_usize; classes]; classes];
    for (label, row) in labels.iter().zip(probabilities) {
        let mut best = 0;
        for class in 1..classes {
            if row[class] > row[best] {
                best = class;
            }
        }
        confusion[*label][best] += 1;
    }
    let rows = labels.len() as f64;
    let hits = |class: usize| confusion[class][class] as f64;
    let own = |class: usize| confusion[class].iter().sum::<usize>() as f64;
    let called = |class: usize| confusion.iter().map(|row| row[class]).sum::<usize>() as f64;
    let share = |part: f64, whole: f64| if whole == 0.0 { 0.0 } else { part / whole };
    let mean_of = |value: &dyn Fn(usize) -> f64| sum((0..classes).map(value)) / classes as f64;
    let recall = |class: usize| share(hits(class), own(class));
    let f1 = |class: usize| share(2.0 * hits(class), own(class) + called(class));
    let present: Vec<f64> = (0..classes).filter(|class| own(*class) > 0.0).map(recall).collect();
    let right = sum((0..classes).map(hits));
    let crossed = sum((0..classes).map(|class| own(class) * called(class)));
    let spread =
        |count: &dyn Fn(usize) -> f64| rows * rows - sum((0..classes).map(|class| count(class) * count(class)));
    let scale = (spread(&own) * spread(&called)).sqrt();
    let log_loss = sum(labels.iter().zip(probabilities).map(|(label, row)| {
        let total = sum(row.iter().copied());
        -libm::log((row[*label] / total).clamp(f64::EPSILON, 1.0 - f64::EPSILON))
    }));
    let brier = sum(labels.iter().zip(probabilities).map(|(label, row)| {
        sum(row.iter().enumerate().map(|(class, p)| (p - f64::from(u8::from(class == *label))).powi(2)))
    }));
    Some(MulticlassReport {
        accuracy: right / rows,
        balanced_accuracy: mean(&present)?,
        precision_macro: mean_of(&|class| share(hits(class), called(class))),
        recall_macro: mean_of(&recall),
        f1_macro: mean_of(&f1),
        f1_weighted: sum((0..classes).map(|class| f1(class) * own(class))) / rows,
        f1_micro: right / rows,
        mcc: (scale > 0.0).then(|| (right * rows - crossed) / scale),
        log_loss: log_loss / rows,
        brier: brier / rows,
        roc_auc_ovr: mean_area(classes, |class, other| {
            (other == 0).then(|| one_against_rest(labels, probabilities, class))
        }),
        roc_auc_ovo: mean_area(classes, |class, other| {
            (class != other).then(|| one_against_one(labels, probabilities, class, other))
        }),
        confusion,
    })
}

/// The mean of the areas that are wanted; `None` when one of them is undefined.
fn mean_area(classes: usize, area: impl Fn(usize, usize) -> Option<Option<f64>>) -> Option<f64> {
    let pairs = (0..classes).flat_map(|class| (0..classes).map(move |other| (class, other)));
    let areas: Option<Vec<f64>> = pairs.filter_map(|(class, other)| area(class, other)).collect();
    mean(&areas?)
}

fn one_against_rest(labels: &[usize], probabilities: &[Vec<f64>], class: usize) -> Option<f64> {
    let is_class: Vec<bool> = labels.iter().map(|label| *label == class).collect();
    let scores: Vec<f64> = probabilities.iter().map(|row| row[class]).collect();
    roc_auc(&is_class, &scores, None)
}

fn one_against_one(labels: &[usize], probabilities: &[Vec<f64>], class: usize, other: usize) -> Option<f64> {
    let of_pair = labels.iter().zip(probabilities).filter(|(label, _)| **label == class || **label == other);
    let (is_class, scores): (Vec<bool>, Vec<f64>) = of_pair.map(|(label, row)| (*label == class, row[class])).unzip();
    roc_auc(&is_class, &scores, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::golden::{agrees, cases, numbers};

    #[test]
    fn every_score_agrees_with_scikit_learn() {
        let all = cases("stats/classification.json");
        let case = all.iter().find(|case| case["name"] == "multiclass3").unwrap();
        let labels: Vec<usize> = numbers(&case["input"]["y"]).iter().map(|y| *y as usize).collect();
        let probabilities: Vec<Vec<f64>> = case["input"]["P"].as_array().unwrap().iter().map(numbers).collect();
        let ours = multiclass_report(&labels, &probabilities).unwrap();
        for (key, ours) in [
            ("accuracy", Some(ours.accuracy)),
            ("balanced_accuracy", Some(ours.balanced_accuracy)),
            ("precision_macro", Some(ours.precision_macro)),
            ("recall_macro", Some(ours.recall_macro)),
            ("f1_macro", Some(ours.f1_macro)),
            ("f1_weighted", Some(ours.f1_weighted)),
            ("f1_micro", Some(ours.f1_micro)),
            ("mcc", ours.mcc),
            ("log_loss", Some(ours.log_loss)),
            ("brier_multiclass", Some(ours.brier)),
            ("roc_auc_ovr_macro", ours.roc_auc_ovr),
            ("roc_auc_ovo_macro", ours.roc_auc_ovo),
        ] {
            agrees(key, ours, &case["expect"][key], 1e-12, 0.0);
        }
        let theirs: Vec<Vec<f64>> = case["expect"]["confusion"].as_array().unwrap().iter().map(numbers).collect();
        let counts: Vec<Vec<f64>> =
            ours.confusion.iter().map(|row| row.iter().map(|count| *count as f64).collect()).collect();
        assert_eq!(counts, theirs);
    }

    #[test]
    fn a_missing_class_leaves_areas_undefined_and_unusable_rows_everything() {
        let report = multiclass_report(&[0, 1], &[vec![0.7, 0.2, 0.1], vec![0.2, 0.7, 0.1]]).unwrap();
        assert_eq!((report.accuracy, report.roc_auc_ovr, report.roc_auc_ovo), (1.0, None, None));
        assert_eq!(multiclass_report(&[], &[]), None);
        assert_eq!(multiclass_report(&[3], &[vec![0.5, 0.5]]), None);
        assert_eq!(multiclass_report(&[0], &[vec![f64::NAN, 0.5]]), None);
    }
}
