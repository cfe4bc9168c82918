//! Every score of binary predictions, in one table: what it is, its source, when it is undefined, what it cannot see.
//!
//! The table feeds evaluations, their intervals, the reference page and its test. Where scikit-learn answers 0 for a quotient
//! without a denominator, [`super::ClassificationReport`] does too; a figure here is then undefined, and says why.

use serde::{Deserialize, Serialize};

use super::report::{ClassificationIntervals, ClassificationReport, classification_report};
use crate::base::{CancelToken, Cancelled, Seed};
use crate::stats::bootstrap::{Interval, IntervalPlan, percentile_interval, stationary_indices};
use rayon::prelude::*;

/// One score.
#[derive(Debug)]
pub struct ScoreRow {
    /// Name.
    pub name: &'static str,
    /// What it looks at.
    pub group: &'static str,
    /// Whether more is better.
    pub higher_is_better: bool,
    /// Formula.
    pub formula: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// When it has no value.
    pub undefined: &'static str,
    /// What it cannot see.
    pub blind: &'static str,
    /// Its value in a report.
    pub value: fn(&ClassificationReport) -> Option<f64>,
}

/// A score of one model with its interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreFigure {
    /// Name.
    pub name: String,
    /// Value; `None` where undefined.
    pub value: Option<f64>,
    /// Stationary block bootstrap interval; `None` where undefined too often.
    pub interval: Option<Interval>,
    /// Why there is no value, or no interval.
    pub reason: Option<String>,
}

fn called(report: &ClassificationReport) -> f64 {
    report.confusion.map_or(0.0, |counts| counts.true_positive + counts.false_positive)
}

fn both_classes(report: &ClassificationReport) -> Option<()> {
    (report.positives > 0 && report.positives < report.rows).then_some(())
}

/// Every score, in the order of reports.
pub const SCORES: &[ScoreRow] = &[
    ScoreRow {
        name: "accuracy",
        group: "Decisions",
        higher_is_better: true,
        formula: "(TP + TN) / n",
        source: "definition",
        undefined: "there is no row",
        blind: "the price of either error, and what always saying the more frequent class scores",
        value: |r| r.accuracy,
    },
    ScoreRow {
        name: "balanced_accuracy",
        group: "Decisions",
        higher_is_better: true,
        formula: "(TP / P + TN / N) / 2",
        source: "Brodersen and others (2010)",
        undefined: "a class is missing",
        blind: "how often either class is met in trading",
        value: |r| both_classes(r).and(r.balanced_accuracy),
    },
    ScoreRow {
        name: "precision",
        group: "Decisions",
        higher_is_better: true,
        formula: "TP / (TP + FP)",
        source: "definition",
        undefined: "nothing is called positive",
        blind: "what was missed",
        value: |r| r.precision.filter(|_| called(r) > 0.0),
    },
    ScoreRow {
        name: "recall",
        group: "Decisions",
        higher_is_better: true,
        formula: "TP / (TP + FN)",
        source: "definition",
        undefined: "there is no positive row",
        blind: "what was called in vain",
        value: |r| r.recall.filter(|_| r.positives > 0),
    },
    ScoreRow {
        name: "specificity",
        group: "Decisions",
        higher_is_better: true,
        formula: "TN / (TN + FP)",
        source: "definition",
        undefined: "there is no negative row",
        blind: "what was called rightly",
        value: |r| r.specificity.filter(|_| r.positives < r.rows),
    },
    ScoreRow {
        name: "f1",
        group: "Decisions",
        higher_is_better: true,
        formula: "2 TP / (2 TP + FP + FN)",
        source: "van Rijsbergen (1979)",
        undefined: "there is neither a positive row nor a positive call",
        blind: "true negatives: always saying yes scores `trivial_f1`",
        value: |r| r.f1.filter(|_| called(r) > 0.0 || r.positives > 0),
    },
    ScoreRow {
        name: "trivial_f1",
        group: "Decisions",
        higher_is_better: true,
        formula: "2 q / (1 + q), q the share of positive rows",
        source: "definition",
        undefined: "there is no row",
        blind: "the model: it is what an F1 must beat",
        value: |r| r.trivial_f1,
    },
    ScoreRow {
        name: "mcc",
        group: "Decisions",
        higher_is_better: true,
        formula: "(TP TN - FP FN) / sqrt((TP + FP)(TP + FN)(TN + FP)(TN + FN))",
        source: "Matthews (1975)",
        undefined: "all rows, or all calls, are of one class",
        blind: "how sure the model is",
        value: |r| both_classes(r).and(r.mcc).filter(|_| called(r) > 0.0 && called(r) < r.rows as f64),
    },
    ScoreRow {
        name: "kappa",
        group: "Decisions",
        higher_is_better: true,
        formula: "(accuracy - chance) / (1 - chance)",
        source: "Cohen (1960)",
        undefined: "all rows and all calls are of one class",
        blind: "the same as accuracy, but for chance",
        value: |r| r.kappa.filter(|_| both_classes(r).is_some() || (called(r) > 0.0 && called(r) < r.rows as f64)),
    },
    ScoreRow {
        name: "roc_auc",
        group: "Ranking",
        higher_is_better: true,
        formula: "share of pairs of a positive and a negative row that are ranked rightly, ties half",
        source: "Hanley and McNeil (1982)",
        undefined: "a class is missing",
        blind: "whether probabilities mean what they say, and where the threshold is",
        value: |r| r.roc_auc,
    },
    ScoreRow {
        name: "average_precision",
        group: "Ranking",
        higher_is_better: true,
        formula: "sum (R_k - R_(k-1)) P_k over falling thresholds",
        source: "scikit-learn",
        undefined: "there is no positive row",
        blind: "its own floor, which is the share of positive rows: windows of another share do not compare",
        value: |r| r.average_precision.filter(|_| r.positives > 0),
    },
    ScoreRow {
        name: "ks",
        group: "Ranking",
        higher_is_better: true,
        formula: "max |F_positive - F_negative|",
        source: "Smirnov (1939)",
        undefined: "a class is missing",
        blind: "all thresholds but the best one, which was chosen on these rows",
        value: |r| r.ks,
    },
    ScoreRow {
        name: "lift_at_10pct",
        group: "Ranking",
        higher_is_better: true,
        formula: "positive rate of the top 10 % of rows over that of all",
        source: "definition",
        undefined: "there is no positive row",
        blind: "the other 90 %; among ties at the cut the earliest rows count",
        value: |r| r.lift_at_10pct,
    },
    ScoreRow {
        name: "lift_at_20pct",
        group: "Ranking",
        higher_is_better: true,
        formula: "positive rate of the top 20 % of rows over that of all",
        source: "definition",
        undefined: "there is no positive row",
        blind: "the other 80 %; among ties at the cut the earliest rows count",
        value: |r| r.lift_at_20pct,
    },
    ScoreRow {
        name: "log_loss",
        group: "Probabilities",
        higher_is_better: false,
        formula: "-mean ln p(label)",
        source: "Good (1952)",
        undefined: "there is no row",
        blind: "which part is ranking and which calibration; one certain error costs 36 nats",
        value: |r| r.log_loss,
    },
    ScoreRow {
        name: "brier",
        group: "Probabilities",
        higher_is_better: false,
        formula: "mean (p - label)^2",
        source: "Brier (1950)",
        undefined: "there is no row",
        blind: "how rare the class is: a rare one scores well without skill",
        value: |r| r.brier,
    },
    ScoreRow {
        name: "brier_skill",
        group: "Probabilities",
        higher_is_better: true,
        formula: "1 - brier / (q (1 - q))",
        source: "Brier (1950); Murphy (1973)",
        undefined: "a class is missing",
        blind: "that the base rate q of these rows was not known before",
        value: |r| r.brier_skill,
    },
    ScoreRow {
        name: "brier_reliability",
        group: "Probabilities",
        higher_is_better: false,
        formula: "sum n_b / n (p_b - y_b)^2 over ten equal-width bins",
        source: "Murphy (1973)",
        undefined: "there is no row",
        blind: "errors that cancel inside a bin",
        value: |r| r.brier_decomposition.map(|parts| parts.reliability),
    },
    ScoreRow {
        name: "brier_resolution",
        group: "Probabilities",
        higher_is_better: true,
        formula: "sum n_b / n (y_b - q)^2 over ten equal-width bins",
        source: "Murphy (1973)",
        undefined: "there is no row",
        blind: "skill inside a bin; noise counts as resolution",
        value: |r| r.brier_decomposition.map(|parts| parts.resolution),
    },
    ScoreRow {
        name: "brier_uncertainty",
        group: "Probabilities",
        higher_is_better: false,
        formula: "q (1 - q)",
        source: "Murphy (1973)",
        undefined: "there is no row",
        blind: "the model: it belongs to the rows",
        value: |r| r.brier_decomposition.map(|parts| parts.uncertainty),
    },
    ScoreRow {
        name: "ece",
        group: "Probabilities",
        higher_is_better: false,
        formula: "sum n_b / n |p_b - y_b| over ten equal-width bins",
        source: "Naeini, Cooper and Hauskrecht (2015)",
        undefined: "there is no row",
        blind: "that it is about 0.08 for perfect probabilities on 200 rows: the gate tests instead of limiting it",
        value: |r| r.ece,
    },
    ScoreRow {
        name: "mce",
        group: "Probabilities",
        higher_is_better: false,
        formula: "max |p_b - y_b| over ten equal-width bins",
        source: "Naeini, Cooper and Hauskrecht (2015)",
        undefined: "there is no row",
        blind: "how many rows are in the worst bin, often one",
        value: |r| r.mce,
    },
    ScoreRow {
        name: "ece_equal_mass",
        group: "Probabilities",
        higher_is_better: false,
        formula: "sum n_b / n |p_b - y_b| over ten bins of equally many rows",
        source: "Nixon and others (2019)",
        undefined: "there is no row",
        blind: "as `ece`",
        value: |r| r.ece_equal_mass,
    },
];

/// Computes a report and every score of [`SCORES`] with its interval; rows must be in time order.
///
/// All intervals resample the same rows, so they can be compared. An undeclared block length is estimated from the
/// labels and the squared errors.
///
/// # Errors
/// [`Cancelled`] when the token asks for a stop.
pub fn score_figures(
    labels: &[bool],
    probabilities: &[f64],
    threshold: f64,
    plan: &IntervalPlan,
    seed: Seed,
    cancel: &CancelToken,
) -> Result<(ClassificationReport, Vec<ScoreFigure>), Cancelled> {
    let mut report = classification_report(labels, probabilities, threshold);
    let outcomes: Vec<f64> = labels.iter().map(|label| f64::from(u8::from(*label))).collect();
    let losses: Vec<f64> = outcomes.iter().zip(probabilities).map(|(y, p)| (p - y) * (p - y)).collect();
    let mean_block = plan.block_for(&[&outcomes, &losses]);
    let resamples = if report.confusion.is_some() { plan.resamples } else { 0 };
    let replicates = (0..resamples)
        .into_par_iter()
        .map(|replicate| {
            cancel.check()?;
            let drawn = stationary_indices(labels.len(), mean_block, &mut seed.index(replicate as u64).stream());
            let drawn_labels: Vec<bool> = drawn.iter().map(|&row| labels[row]).collect();
            let drawn_probabilities: Vec<f64> = drawn.iter().map(|&row| probabilities[row]).collect();
            let report = classification_report(&drawn_labels, &drawn_probabilities, threshold);
            Ok(SCORES.iter().map(|row| (row.value)(&report).unwrap_or(f64::NAN)).collect())
        })
        .collect::<Result<Vec<Vec<f64>>, Cancelled>>()?;
    let figures: Vec<ScoreFigure> = SCORES
        .iter()
        .enumerate()
        .map(|(at, row)| {
            let value = (row.value)(&report);
            let column: Vec<f64> = replicates.iter().map(|replicate| replicate[at]).collect();
            let interval = percentile_interval(&column, plan.level).filter(|_| value.is_some());
            let reason = match (value, interval) {
                (None, _) if report.confusion.is_none() => Some("labels or probabilities cannot be used".to_owned()),
                (None, _) => Some(row.undefined.to_owned()),
                (Some(_), None) => Some(format!("no interval: in half of the resamples {}", row.undefined)),
                (Some(_), Some(_)) => None,
            };
            ScoreFigure { name: row.name.to_owned(), value, interval, reason }
        })
        .collect();
    let interval_of = |name: &str| figures.iter().find(|figure| figure.name == name).and_then(|figure| figure.interval);
    report.intervals = report.confusion.map(|_| ClassificationIntervals {
        resamples: plan.resamples,
        mean_block,
        roc_auc: interval_of("roc_auc"),
        log_loss: interval_of("log_loss"),
        brier: interval_of("brier"),
        f1: interval_of("f1"),
    });
    Ok((report, figures))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(labels: &[bool], probabilities: &[f64]) -> Vec<ScoreFigure> {
        let plan = IntervalPlan { resamples: 99, ..IntervalPlan::default() };
        score_figures(labels, probabilities, 0.5, &plan, Seed::new(1), &CancelToken::new()).unwrap().1
    }

    fn of<'a>(figures: &'a [ScoreFigure], name: &str) -> &'a ScoreFigure {
        figures.iter().find(|figure| figure.name == name).unwrap()
    }

    #[test]
    fn every_score_has_a_value_in_an_interval_on_ordinary_rows() {
        let mut stream = Seed::new(2).stream();
        let probabilities: Vec<f64> = (0..200).map(|_| stream.uniform()).collect();
        let labels: Vec<bool> = probabilities.iter().map(|p| stream.uniform() < *p).collect();
        for figure in figures(&labels, &probabilities) {
            let (value, interval) = (figure.value.unwrap(), figure.interval.unwrap());
            assert!(interval.low <= interval.high && value.is_finite(), "{figure:?}");
            assert_eq!(figure.reason, None);
        }
    }

    #[test]
    fn what_is_undefined_is_null_and_says_why() {
        let one_class = figures(&[true; 60], &[0.4; 60]);
        assert_eq!(of(&one_class, "roc_auc").reason.as_deref(), Some("a class is missing"));
        assert_eq!(of(&one_class, "precision").value, None);
        assert_eq!(of(&one_class, "precision").reason.as_deref(), Some("nothing is called positive"));
        assert_eq!(of(&one_class, "mcc").value, None);
        assert_eq!(of(&one_class, "recall").value, Some(0.0));
        for figure in figures(&[], &[]) {
            assert_eq!((figure.value, figure.interval), (None, None));
            assert_eq!(figure.reason.as_deref(), Some("labels or probabilities cannot be used"));
        }
    }

    #[test]
    fn intervals_are_those_of_the_report() {
        let mut stream = Seed::new(3).stream();
        let probabilities: Vec<f64> = (0..120).map(|_| stream.uniform()).collect();
        let labels: Vec<bool> = probabilities.iter().map(|p| stream.uniform() < *p).collect();
        let plan = IntervalPlan { resamples: 99, ..IntervalPlan::default() };
        let token = CancelToken::new();
        let (ours, _) = score_figures(&labels, &probabilities, 0.5, &plan, Seed::new(1), &token).unwrap();
        let alone = super::super::with_intervals(&labels, &probabilities, 0.5, &plan, Seed::new(1), &token).unwrap();
        assert_eq!(ours, alone);
    }
}
