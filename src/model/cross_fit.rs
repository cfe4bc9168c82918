//! Judging a learner on folds it has not seen, and training the model that is published.
//!
//! For each fold: fit on its train rows, predict its test rows, and calibrate those predictions with what was known when
//! the test window opened: out-of-fold predictions of earlier folds whose label had closed by then. The first folds have
//! no such rows; their probabilities stay raw and say so. Then a calibrator is fitted on all out-of-fold predictions, and
//! the published model on all rows. The figures to advertise are those of the out-of-sample rows.

use std::ops::Range;

use ndarray::{ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use super::calibration::{CalibrationKind, Calibrator};
use super::config::Model;
use super::error::ModelError;
use super::learner::Learner;
use super::training_set::TrainingSet;
use crate::base::{CancelToken, Seed};
use crate::split::{Fold, FoldPlan, SkippedFold, Span};
use crate::stats::sum::mean;

/// Fewer out-of-fold rows than this do not make a calibrator.
pub const MIN_CALIBRATION_ROWS: usize = 50;

/// Why a fold of the plan gave no predictions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum FoldSkip {
    /// All its train rows have the same label.
    #[error("all {rows} train labels are {label}")]
    OneClass {
        /// Train rows.
        rows: usize,
        /// Their label.
        label: u8,
    },
}

/// What happened in one fold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FoldReport {
    /// Number of the fold in time.
    pub fold: usize,
    /// Sessions learnt from.
    pub train_window: Range<u32>,
    /// Sessions tested.
    pub test_window: Range<u32>,
    /// Rows learnt from.
    pub train_rows: usize,
    /// Rows tested.
    pub test_rows: usize,
    /// Rows left out because their label was not known yet.
    pub purged_rows: usize,
    /// Rows left out because they follow a test block too closely.
    pub embargoed_rows: usize,
    /// Mean R of the rows learnt from.
    pub mean_r_kept: Option<f64>,
    /// Mean R of the purged rows. Winners live longer than losers: a large gap to the kept ones means that purging has
    /// biased what was learnt.
    pub mean_r_purged: Option<f64>,
    /// Earlier out-of-fold rows that the calibrator of this fold was fitted on; 0 when it has none.
    pub calibration_rows: usize,
    /// Why the fold gave no predictions, if it did not.
    pub skip: Option<FoldSkip>,
}

/// A prediction for a row by a model that had not seen it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutOfSampleRow {
    /// Index into the training set.
    pub row: usize,
    /// Fold whose model predicted it.
    pub fold: usize,
    /// What came true.
    pub label: f64,
    /// Probability as the model said it.
    pub raw: f64,
    /// Probability after the calibration known at the time; equal to `raw` where there was none.
    pub calibrated: f64,
    /// Says whether there was a calibrator.
    pub is_calibrated: bool,
}

/// The published model, and the evidence for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainedModel {
    /// Fitted on all rows.
    pub model: Model,
    /// Fitted on all out-of-fold predictions; the identity when those were too few.
    pub calibrator: Calibrator,
    /// Out-of-fold predictions, by fold, then row.
    pub out_of_sample: Vec<OutOfSampleRow>,
    /// One report a fold of the plan.
    pub folds: Vec<FoldReport>,
    /// Folds that the plan had skipped for want of rows.
    pub skipped: Vec<SkippedFold>,
}

impl TrainedModel {
    /// The calibrated probability of class 1 of each row, as a deployed model gives it.
    pub fn predict(&self, features: ArrayView2<'_, f64>) -> Vec<f64> {
        self.model.predict(features).iter().map(|&p| self.calibrator.apply(p)).collect()
    }
}

/// Predicts each fold's test rows with whatever `fit_predict` fits to its train rows.
///
/// `fit_predict` gets the fold, its train rows and the features of its test rows, and gives one probability a test row;
/// any linfa learner fits in there. Folds whose train labels are all equal are left out.
///
/// # Errors
/// A plan that names rows which do not exist, a cancelled token, what `fit_predict` fails with, a wrong number of
/// probabilities.
pub fn cross_fit<F>(
    set: &TrainingSet<'_>,
    plan: &FoldPlan,
    cancel: &CancelToken,
    mut fit_predict: F,
) -> Result<Vec<(usize, f64)>, ModelError>
where
    F: FnMut(&Fold, &TrainingSet<'_>, ArrayView2<'_, f64>) -> Result<Vec<f64>, ModelError>,
{
    let mut predictions = Vec::new();
    for fold in &plan.folds {
        if let FoldFit::Predicted(raw) = run_fold(set, fold, cancel, &mut fit_predict)? {
            predictions.extend(fold.test.iter().copied().zip(raw));
        }
    }
    Ok(predictions)
}

enum FoldFit {
    Predicted(Vec<f64>),
    Skipped(FoldSkip),
}

fn run_fold<F>(
    set: &TrainingSet<'_>,
    fold: &Fold,
    cancel: &CancelToken,
    fit_predict: &mut F,
) -> Result<FoldFit, ModelError>
where
    F: FnMut(&Fold, &TrainingSet<'_>, ArrayView2<'_, f64>) -> Result<Vec<f64>, ModelError>,
{
    cancel.check()?;
    let rows = set.rows();
    if let Some(&row) = fold.train.iter().chain(&fold.test).find(|&&row| row >= rows) {
        return Err(ModelError::Shape { what: "rows of the plan and of the set", expected: rows, found: row + 1 });
    }
    let train = set.select(&fold.train);
    let test = set.features.select(Axis(0), &fold.test);
    match fit_predict(fold, &train.view(), test.view()) {
        Ok(raw) if raw.len() == fold.test.len() => Ok(FoldFit::Predicted(raw)),
        Ok(raw) => Err(ModelError::Shape { what: "predictions", expected: fold.test.len(), found: raw.len() }),
        Err(ModelError::OneClass { rows, label }) => Ok(FoldFit::Skipped(FoldSkip::OneClass { rows, label })),
        Err(error) => Err(error),
    }
}

/// Judges a learner on every fold without looking ahead, then fits calibrator and model on everything.
///
/// The calibrator of fold `k` is fitted on out-of-fold predictions of folds before `k` whose label closed before the test
/// window opened (`t1 < T_k`), when there are at least [`MIN_CALIBRATION_ROWS`] of both classes. `on_fold` hears of each
/// fold as it ends. `r` is the R-multiple of each row, NaN where unknown.
///
/// # Errors
/// Lengths that differ, a training set that [`TrainingSet::check`] refuses, no fold that can be trained, a learner that
/// fails, a cancelled token.
#[expect(clippy::too_many_arguments, reason = "each is a different thing that decides the result")]
pub fn walk_forward_train(
    set: &TrainingSet<'_>,
    spans: &[Span],
    r: &[f64],
    plan: &FoldPlan,
    learner: &Learner,
    calibration: CalibrationKind,
    seed: Seed,
    cancel: &CancelToken,
    on_fold: &mut dyn FnMut(&FoldReport),
) -> Result<TrainedModel, ModelError> {
    set.check()?;
    for (what, found) in [("spans and rows", spans.len()), ("R-multiples and rows", r.len())] {
        if found != set.rows() {
            return Err(ModelError::Shape { what, expected: set.rows(), found });
        }
    }
    let mut out_of_sample: Vec<OutOfSampleRow> = Vec::new();
    let mut folds = Vec::with_capacity(plan.folds.len());
    for fold in &plan.folds {
        let fitted = run_fold(set, fold, cancel, &mut |fold, train, test| {
            let model = learner.fit(train, None, seed.derive("fold").index(fold.index as u64), cancel)?;
            Ok(model.predict(test).to_vec())
        })?;
        let mut report = report_of(fold, r);
        match fitted {
            FoldFit::Predicted(raw) => {
                let known = |row: &&OutOfSampleRow| spans[row.row].t1 < fold.test_window.start;
                let past: Vec<OutOfSampleRow> = out_of_sample.iter().filter(known).copied().collect();
                let calibrator = fit_calibrator(calibration, &past, set)?;
                report.calibration_rows = if calibrator.is_some() { past.len() } else { 0 };
                out_of_sample.extend(fold.test.iter().zip(raw).map(|(&row, raw)| OutOfSampleRow {
                    row,
                    fold: fold.index,
                    label: set.target[row],
                    raw,
                    calibrated: calibrator.as_ref().map_or(raw, |calibrator| calibrator.apply(raw)),
                    is_calibrated: calibrator.is_some(),
                }));
            }
            FoldFit::Skipped(skip) => report.skip = Some(skip),
        }
        on_fold(&report);
        folds.push(report);
    }
    if out_of_sample.is_empty() {
        return Err(ModelError::NoFolds { skipped: plan.skipped.len() + folds.len() });
    }
    let calibrator = fit_calibrator(calibration, &out_of_sample, set)?.unwrap_or(Calibrator::None);
    let model = learner.fit(set, None, seed.derive("final"), cancel)?;
    Ok(TrainedModel { model, calibrator, out_of_sample, folds, skipped: plan.skipped.clone() })
}

fn report_of(fold: &Fold, r: &[f64]) -> FoldReport {
    let mean_r = |rows: &[usize]| {
        let known: Vec<f64> = rows.iter().map(|&row| r[row]).filter(|r| r.is_finite()).collect();
        mean(&known)
    };
    FoldReport {
        fold: fold.index,
        train_window: fold.train_window.clone(),
        test_window: fold.test_window.clone(),
        train_rows: fold.train.len(),
        test_rows: fold.test.len(),
        purged_rows: fold.purged.len(),
        embargoed_rows: fold.embargoed.len(),
        mean_r_kept: mean_r(&fold.train),
        mean_r_purged: mean_r(&fold.purged),
        calibration_rows: 0,
        skip: None,
    }
}

/// A calibrator, or `None` when none is wanted or the rows (those that carry weight) are too few or of one class.
fn fit_calibrator(
    kind: CalibrationKind,
    rows: &[OutOfSampleRow],
    set: &TrainingSet<'_>,
) -> Result<Option<Calibrator>, ModelError> {
    let rows: Vec<&OutOfSampleRow> = rows.iter().filter(|row| set.weight_of(row.row) > 0.0).collect();
    let ones = rows.iter().filter(|row| row.label == 1.0).count();
    let is_enough = rows.len() >= MIN_CALIBRATION_ROWS && ones > 0 && ones < rows.len();
    if kind == CalibrationKind::None || !is_enough {
        return Ok(None);
    }
    let raw: Vec<f64> = rows.iter().map(|row| row.raw).collect();
    let labels: Vec<f64> = rows.iter().map(|row| row.label).collect();
    let weights: Vec<f64> = rows.iter().map(|row| set.weight_of(row.row)).collect();
    Calibrator::fit(kind, &raw, &labels, Some(&weights)).map(Some)
}
