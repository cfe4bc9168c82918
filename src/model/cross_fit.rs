//! Judging a model on folds it has not seen, and training the model that is published.
//!
//! For each fold: everything is fitted to its train rows ([`super::recipe`]) and predicts its test rows. Then members of an
//! ensemble are put together and probabilities calibrated with what was known when the test window opened
//! ([`super::out_of_fold`]). The first folds have no such rows; their probabilities stay raw and say so. At last the same is
//! fitted to all rows: the published model, with the median of the folds' stopping rounds where it stops early. The
//! figures to advertise are those of the out-of-sample rows.

use std::ops::Range;

use ndarray::{ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use super::calibration::{CalibrationKind, Calibrator};
use super::config::Model;
use super::ensemble::{EnsembleModel, Rules};
use super::error::ModelError;
use super::out_of_fold::{FoldPredictions, OutOfFold, PathScore, path_scores};
use super::prepare::Prepared;
use super::recipe::{Fitted, Labelled, Recipe};
use super::select::Selected;
use super::training_set::TrainingSet;
use crate::base::{CancelToken, Seed};
use crate::split::{Fold, FoldPlan, SkippedFold};
use crate::stats::order::median;
use crate::stats::sum::mean;

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
    /// Too few of its train rows are left when an inner split is cut off.
    #[error("{found} rows are left to fit on beside an inner split, expected {needed}")]
    TooFewRows {
        /// Rows left.
        found: usize,
        /// Rows needed.
        needed: usize,
    },
}

/// What happened in one fold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FoldReport {
    /// Number of the fold in time.
    pub fold: usize,
    /// Sessions learnt from.
    pub train_window: Range<u32>,
    /// Sessions tested, from the first block to the last.
    pub test_window: Range<u32>,
    /// The blocks of sessions tested: one, but for combinatorial folds.
    pub test_blocks: Vec<Range<u32>>,
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
    /// Out-of-fold rows that the calibrator of this fold was fitted on; 0 when it has none.
    pub calibration_rows: usize,
    /// Out-of-fold rows that an ensemble's weights or meta-learner were fitted on; 0 when members count as written or alike.
    pub combination_rows: usize,
    /// Rows that early stopping judged by.
    pub stopping_rows: usize,
    /// The round at which each member stopped early; one entry for a single model.
    pub rounds: Vec<Option<usize>>,
    /// The features it learnt from, and why not the others; none where it could not be trained.
    pub selected: Option<Selected>,
    /// Why the fold gave no predictions, if it did not.
    pub skip: Option<FoldSkip>,
}

/// A prediction for a row by a model that had not seen it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutOfSampleRow {
    /// Index into the training set.
    pub row: usize,
    /// Fold whose model predicted it; the block it lies in where several folds did.
    pub fold: usize,
    /// What came true.
    pub label: f64,
    /// Probability (or value) as the model said it; the mean of several folds.
    pub raw: f64,
    /// Probability after the calibration known at the time; equal to `raw` where there was none.
    pub calibrated: f64,
    /// Says whether there was a calibrator.
    pub is_calibrated: bool,
    /// Standard deviation of the probabilities of an ensemble's members.
    pub disagreement: Option<f64>,
}

/// The published model, and the evidence for it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrainedModel {
    /// Fitted on all rows; it reads the selected features.
    pub model: Prepared,
    /// The features it reads.
    pub selected: Selected,
    /// Fitted on all out-of-fold predictions; the identity when those were too few.
    pub calibrator: Calibrator,
    /// Out-of-fold predictions, by fold, then row.
    pub out_of_sample: Vec<OutOfSampleRow>,
    /// One report a fold of the plan.
    pub folds: Vec<FoldReport>,
    /// Folds that the plan had skipped for want of rows.
    pub skipped: Vec<SkippedFold>,
    /// Rounds of each member of the published model, where it stops early: the median over the folds.
    pub rounds: Vec<Option<usize>>,
    /// Scores of the paths of a combinatorial plan.
    pub paths: Vec<PathScore>,
}

impl TrainedModel {
    /// The calibrated probability of class 1 of each row (or the value in a regression), as a deployed model gives it.
    ///
    /// # Shape
    /// `features` has every column of the training set.
    pub fn predict(&self, features: ArrayView2<'_, f64>) -> Vec<f64> {
        let read = features.select(Axis(1), &self.selected.kept);
        self.model.predict(read.view()).iter().map(|&p| self.calibrator.apply(p)).collect()
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
        cancel.check()?;
        check_fold(set.rows(), fold)?;
        let train = set.select(&fold.train);
        let test = set.features.select(Axis(0), &fold.test);
        let FoldFit::Done(raw) = or_skip(fit_predict(fold, &train.view(), test.view()))? else { continue };
        if raw.len() != fold.test.len() {
            return Err(ModelError::Shape { what: "predictions", expected: fold.test.len(), found: raw.len() });
        }
        predictions.extend(fold.test.iter().copied().zip(raw));
    }
    Ok(predictions)
}

enum FoldFit<T> {
    Done(T),
    Skipped(FoldSkip),
}

/// Turns the failures that concern one fold only into a reason to leave it out.
fn or_skip<T>(fitted: Result<T, ModelError>) -> Result<FoldFit<T>, ModelError> {
    match fitted {
        Ok(fitted) => Ok(FoldFit::Done(fitted)),
        Err(ModelError::OneClass { rows, label }) => Ok(FoldFit::Skipped(FoldSkip::OneClass { rows, label })),
        Err(ModelError::TooFewRows { found, needed }) => Ok(FoldFit::Skipped(FoldSkip::TooFewRows { found, needed })),
        Err(error) => Err(error),
    }
}

fn check_fold(rows: usize, fold: &Fold) -> Result<(), ModelError> {
    match fold.train.iter().chain(&fold.test).find(|&&row| row >= rows) {
        Some(&row) => {
            Err(ModelError::Shape { what: "rows of the plan and of the set", expected: rows, found: row + 1 })
        }
        None => Ok(()),
    }
}

/// Judges a model on every fold, then fits calibrator and model to everything.
///
/// `on_fold` hears how many folds are done. Where the plan does not look ahead, nothing that is said of a row rests on
/// anything that was not known when its test window opened.
///
/// # Errors
/// Lengths that differ, rows that [`TrainingSet::check`] refuses, no fold that can be trained, a learner that fails, a
/// cancelled token.
pub fn train_on_folds(
    data: &Labelled<'_>,
    plan: &FoldPlan,
    recipe: &Recipe<'_>,
    calibration: CalibrationKind,
    seed: Seed,
    cancel: &CancelToken,
    on_fold: &mut dyn FnMut(usize),
) -> Result<TrainedModel, ModelError> {
    recipe.model.check_task(data.task)?;
    data.check()?;
    let mut reports = Vec::with_capacity(plan.folds.len());
    let mut predictions: Vec<FoldPredictions> = Vec::new();
    for fold in &plan.folds {
        cancel.check()?;
        check_fold(data.features.nrows(), fold)?;
        let mut report = report_of(fold, data.r);
        match or_skip(recipe.fit(data, &fold.train, None, seed.derive("fold").index(fold.index as u64), cancel))? {
            FoldFit::Done(fitted) => {
                predictions.push(FoldPredictions::of(fold, &fitted, data));
                report.stopping_rows = fitted.stopping_rows;
                report.rounds = fitted.rounds;
                report.selected = Some(fitted.selected);
            }
            FoldFit::Skipped(skip) => report.skip = Some(skip),
        }
        reports.push(report);
        on_fold(reports.len());
    }
    if predictions.is_empty() {
        return Err(ModelError::NoFolds { skipped: plan.skipped.len() + reports.len() });
    }
    let judged = OutOfFold::judge(data, plan, &predictions, recipe, calibration, seed.derive("combine"), cancel)?;
    // of a combinatorial plan, blocks are calibrated and combined, not folds
    for report in reports.iter_mut().filter(|_| plan.paths.is_empty()) {
        report.calibration_rows = judged.calibration_rows.get(&report.fold).copied().unwrap_or(0);
        report.combination_rows = judged.combination_rows.get(&report.fold).copied().unwrap_or(0);
    }
    let rounds = median_rounds(&reports, recipe.members()?.len());
    let all: Vec<usize> = (0..data.features.nrows()).collect();
    let fitted = recipe.fit(data, &all, Some(&rounds), seed.derive("final"), cancel)?;
    let selected = fitted.selected.clone();
    Ok(TrainedModel {
        model: together(fitted, &judged)?,
        selected,
        calibrator: judged.calibrator,
        paths: path_scores(plan, &predictions, data),
        out_of_sample: judged.rows,
        folds: reports,
        skipped: plan.skipped.clone(),
        rounds,
    })
}

/// Members put together the way that all out-of-fold predictions say.
fn together(fitted: Fitted, judged: &OutOfFold) -> Result<Prepared, ModelError> {
    let Some((combiner, rules)) = &judged.ensemble else {
        return fitted.members.into_iter().next().ok_or(ModelError::NoFolds { skipped: 0 });
    };
    let rules = Rules { base_rate: fitted.base_rate, ..rules.clone() };
    // fitted to the same rows without an inner split: their maps are one
    let maps = fitted.members.first().map(|member| member.preparation().clone());
    let members: Vec<Model> = fitted.members.into_iter().map(Prepared::into_model).collect();
    let maps = maps.ok_or(ModelError::NoFolds { skipped: 0 })?;
    Prepared::new(maps, Model::Ensemble(EnsembleModel::new(combiner.clone(), rules, members)))
}

/// The median round at which each member stopped; `None` for one that never stops early.
fn median_rounds(reports: &[FoldReport], members: usize) -> Vec<Option<usize>> {
    let of = |member: usize| {
        let stopped: Vec<f64> =
            reports.iter().filter_map(|report| *report.rounds.get(member)?).map(|rounds| rounds as f64).collect();
        median(&stopped).map(|rounds| rounds.round().max(1.0) as usize)
    };
    (0..members).map(of).collect()
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
        test_blocks: fold.test_blocks.clone(),
        train_rows: fold.train.len(),
        test_rows: fold.test.len(),
        purged_rows: fold.purged.len(),
        embargoed_rows: fold.embargoed.len(),
        mean_r_kept: mean_r(&fold.train),
        mean_r_purged: mean_r(&fold.purged),
        calibration_rows: 0,
        combination_rows: 0,
        stopping_rows: 0,
        rounds: Vec::new(),
        selected: None,
        skip: None,
    }
}
