//! Members' predictions to calibrated ones, with what was known at the time.
//!
//! Rows are judged in units: the test window of a fold, or, where train rows may follow test rows, a block of sessions,
//! whose rows get the mean of the folds that tested them. What is fitted for a unit (weights of an ensemble, a
//! meta-learner, a calibrator) is fitted to out-of-fold predictions outside of it:
//!
//! | plan | rows that may be learnt from |
//! |---|---|
//! | walk-forward | those of earlier folds whose label had closed when the test window opened, `t1 < T_k` |
//! | around blocks | those of other blocks that are neither purged nor embargoed around this one |

use std::collections::BTreeMap;
use std::ops::Range;

use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};

use super::calibration::{CalibrationKind, Calibrator};
use super::cross_fit::OutOfSampleRow;
use super::ensemble::{Combiner, History, Rules};
use super::error::ModelError;
use super::recipe::{Fitted, Labelled, Recipe};
use super::training_set::Task;
use crate::base::{CancelToken, Seed};
use crate::metric::classification::{brier, log_loss, roc_auc};
use crate::metric::regression::{rmse, spearman};
use crate::split::{Fold, FoldPlan, purge_around};

/// Fewer out-of-fold rows than this do not make a calibrator.
pub const MIN_CALIBRATION_ROWS: usize = 50;

/// What the members of a fold said of its test rows.
pub(super) struct FoldPredictions {
    pub fold: usize,
    pub rows: Vec<usize>,
    /// Rows x members.
    pub members: Array2<f64>,
    pub base_rate: f64,
}

impl FoldPredictions {
    pub(super) fn of(fold: &Fold, fitted: &Fitted, data: &Labelled<'_>) -> Self {
        let features = data.features.select(Axis(0), &fold.test).select(Axis(1), &fitted.selected.kept);
        let mut members = Array2::zeros((fold.test.len(), fitted.members.len()));
        for (mut column, member) in members.columns_mut().into_iter().zip(&fitted.members) {
            column.assign(&member.predict(features.view()));
        }
        Self { fold: fold.index, rows: fold.test.clone(), members, base_rate: fitted.base_rate }
    }
}

/// The score of one path through a combinatorial plan, of raw predictions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PathScore {
    /// Number of the path.
    pub path: usize,
    /// Rows that its folds predicted.
    pub rows: usize,
    /// Area under the ROC curve; none in a regression.
    pub auc: Option<f64>,
    /// Log loss; none in a regression.
    pub log_loss: Option<f64>,
    /// Brier score; none in a regression.
    pub brier: Option<f64>,
    /// Root of the mean squared error; of a regression.
    pub rmse: Option<f64>,
    /// Rank correlation; of a regression.
    pub spearman: Option<f64>,
}

/// Every out-of-fold prediction, and what is fitted to all of them.
pub(super) struct OutOfFold {
    /// By unit, then row.
    pub rows: Vec<OutOfSampleRow>,
    pub calibrator: Calibrator,
    /// How the members of the published model are put together.
    pub ensemble: Option<(Combiner, Rules)>,
    /// By fold.
    pub calibration_rows: BTreeMap<usize, usize>,
    pub combination_rows: BTreeMap<usize, usize>,
}

/// A unit before it is judged.
struct Unit {
    /// Fold, or number of the block.
    index: usize,
    window: Range<u32>,
    rows: Vec<usize>,
    members: Array2<f64>,
    base_rate: f64,
}

impl OutOfFold {
    pub(super) fn judge(
        data: &Labelled<'_>,
        plan: &FoldPlan,
        predictions: &[FoldPredictions],
        recipe: &Recipe<'_>,
        calibration: CalibrationKind,
        seed: Seed,
        cancel: &CancelToken,
    ) -> Result<Self, ModelError> {
        let units = if plan.looks_ahead { blocks(plan, predictions, data) } else { windows(plan, predictions) };
        let mut found = Self {
            rows: Vec::new(),
            calibrator: Calibrator::None,
            ensemble: None,
            calibration_rows: BTreeMap::new(),
            combination_rows: BTreeMap::new(),
        };
        let known =
            units.iter().enumerate().map(|(at, _)| known(data, plan, &units, at)).collect::<Result<Vec<_>, _>>()?;
        for (unit, known) in units.iter().zip(&known) {
            let say = found.put_together(data, &units, unit, known, recipe, seed, cancel)?;
            found.rows.extend(unit.rows.iter().zip(say).map(|(&row, (raw, disagreement))| OutOfSampleRow {
                row,
                fold: unit.index,
                label: data.target[row],
                raw,
                calibrated: raw,
                is_calibrated: false,
                disagreement,
            }));
        }
        let raw: BTreeMap<usize, f64> = found.rows.iter().map(|row| (row.row, row.raw)).collect();
        for (unit, known) in units.iter().zip(&known) {
            let Some(calibrator) = fit_calibrator(calibration, known, &raw, data)? else { continue };
            found.calibration_rows.insert(unit.index, known.len());
            for row in found.rows.iter_mut().filter(|row| row.fold == unit.index) {
                row.calibrated = calibrator.apply(row.raw);
                row.is_calibrated = true;
            }
        }
        let all: Vec<usize> = found.rows.iter().map(|row| row.row).collect();
        found.calibrator = fit_calibrator(calibration, &all, &raw, data)?.unwrap_or(Calibrator::None);
        if let Some(combination) = recipe.combination() {
            let (history, target, weight) = history(data, &units, &all);
            let history = History { members: &history, target: &target, weight: &weight };
            let seed = seed.derive("final");
            let (combiner, _) = Combiner::fit(&combination, history.members.ncols(), &history, seed, cancel)?;
            let rules = Rules::new(&combination, f64::NAN, history.best().unwrap_or(0));
            found.ensemble = Some((combiner, rules));
        }
        Ok(found)
    }

    /// One number a row of the unit, and how much the members of an ensemble disagree.
    #[expect(clippy::too_many_arguments, reason = "each is a different thing that decides the result")]
    fn put_together(
        &mut self,
        data: &Labelled<'_>,
        units: &[Unit],
        unit: &Unit,
        known: &[usize],
        recipe: &Recipe<'_>,
        seed: Seed,
        cancel: &CancelToken,
    ) -> Result<Vec<(f64, Option<f64>)>, ModelError> {
        let Some(combination) = recipe.combination() else {
            return Ok(unit.members.column(0).iter().map(|&raw| (raw, None)).collect());
        };
        let (members, target, weight) = history(data, units, known);
        let history = History { members: &members, target: &target, weight: &weight };
        let seed = seed.index(unit.index as u64);
        let (combiner, rows) = Combiner::fit(&combination, unit.members.ncols(), &history, seed, cancel)?;
        self.combination_rows.insert(unit.index, rows);
        let rules = Rules::new(&combination, unit.base_rate, history.best().unwrap_or(0));
        let say = |members: ndarray::ArrayView1<'_, f64>| {
            let said = rules.say(&combiner, &members.to_vec());
            (said.probability, Some(said.disagreement))
        };
        Ok(unit.members.rows().into_iter().map(say).collect())
    }
}

/// One unit a fold.
fn windows(plan: &FoldPlan, predictions: &[FoldPredictions]) -> Vec<Unit> {
    let window = |fold: usize| plan.folds.iter().find(|one| one.index == fold).map(|fold| fold.test_window.clone());
    predictions
        .iter()
        .map(|said| Unit {
            index: said.fold,
            window: window(said.fold).unwrap_or(0..0),
            rows: said.rows.clone(),
            members: said.members.clone(),
            base_rate: said.base_rate,
        })
        .collect()
}

/// One unit a block of sessions, each row with the mean of the folds that tested it.
fn blocks(plan: &FoldPlan, predictions: &[FoldPredictions], data: &Labelled<'_>) -> Vec<Unit> {
    let mut windows: Vec<(u32, u32)> =
        plan.folds.iter().flat_map(|fold| fold.test_blocks.iter().map(|block| (block.start, block.end))).collect();
    windows.sort_unstable();
    windows.dedup();
    let width = predictions.first().map_or(0, |said| said.members.ncols());
    let mut totals: BTreeMap<usize, (Vec<f64>, f64, f64)> = BTreeMap::new();
    for said in predictions {
        for (at, &row) in said.rows.iter().enumerate() {
            let (total, base_rate, count) = totals.entry(row).or_insert_with(|| (vec![0.0; width], 0.0, 0.0));
            total.iter_mut().zip(said.members.row(at)).for_each(|(total, value)| *total += value);
            *base_rate += said.base_rate;
            *count += 1.0;
        }
    }
    // the block of a k-fold is that of one fold
    let fold_of = |start: u32| plan.folds.iter().find(|fold| fold.test_window.start == start).map(|fold| fold.index);
    let unit = |(at, &(start, end)): (usize, &(u32, u32))| {
        let index = fold_of(start).filter(|_| plan.paths.is_empty()).unwrap_or(at);
        let inside: Vec<(usize, &(Vec<f64>, f64, f64))> = totals
            .iter()
            .filter(|(row, _)| (start..end).contains(&data.spans[**row].t0))
            .map(|(row, totals)| (*row, totals))
            .collect();
        let (_, (_, base_rate, count)) = *inside.first()?;
        let mut members = Array2::zeros((inside.len(), width));
        for (mut to, (_, (total, _, count))) in members.rows_mut().into_iter().zip(&inside) {
            to.iter_mut().zip(total).for_each(|(to, total)| *to = total / count);
        }
        let rows = inside.iter().map(|(row, _)| *row).collect();
        Some(Unit { index, window: start..end, rows, members, base_rate: base_rate / count })
    };
    windows.iter().enumerate().filter_map(unit).collect()
}

/// Predicted rows that may be learnt from for a unit, in the order of the units.
fn known(data: &Labelled<'_>, plan: &FoldPlan, units: &[Unit], at: usize) -> Result<Vec<usize>, ModelError> {
    let unit = &units[at];
    if !plan.looks_ahead {
        let earlier = units[..at].iter().flat_map(|unit| unit.rows.iter().copied());
        return Ok(earlier.filter(|&row| data.spans[row].t1 < unit.window.start).collect());
    }
    let kept = purge_around(data.spans, std::slice::from_ref(&unit.rows), plan.embargo)?.kept;
    let kept: std::collections::BTreeSet<usize> = kept.into_iter().collect();
    Ok(units.iter().flat_map(|unit| unit.rows.iter().copied()).filter(|row| kept.contains(row)).collect())
}

/// What members said of some rows, what came true, and what the rows weigh together.
fn history(data: &Labelled<'_>, units: &[Unit], rows: &[usize]) -> (Array2<f64>, Vec<f64>, Vec<f64>) {
    let said: BTreeMap<usize, (usize, usize)> = units
        .iter()
        .enumerate()
        .flat_map(|(unit, one)| one.rows.iter().enumerate().map(move |(at, &row)| (row, (unit, at))))
        .collect();
    let width = units.first().map_or(0, |unit| unit.members.ncols());
    let mut members = Array2::zeros((rows.len(), width));
    for (mut to, row) in members.rows_mut().into_iter().zip(rows) {
        if let Some(&(unit, at)) = said.get(row) {
            to.assign(&units[unit].members.row(at));
        }
    }
    let target = rows.iter().map(|&row| data.target[row]).collect();
    (members, target, (data.weigh)(rows).unwrap_or_else(|| vec![1.0; rows.len()]))
}

/// A calibrator, or `None` when none is wanted or the rows (those that carry weight) are too few or of one class.
fn fit_calibrator(
    kind: CalibrationKind,
    rows: &[usize],
    raw: &BTreeMap<usize, f64>,
    data: &Labelled<'_>,
) -> Result<Option<Calibrator>, ModelError> {
    if kind == CalibrationKind::None || data.task != Task::Classification {
        return Ok(None);
    }
    let weights = (data.weigh)(rows).unwrap_or_else(|| vec![1.0; rows.len()]);
    let heavy: Vec<(usize, f64)> =
        rows.iter().copied().zip(weights).filter(|(row, weight)| *weight > 0.0 && raw.contains_key(row)).collect();
    let ones = heavy.iter().filter(|(row, _)| data.target[*row] == 1.0).count();
    if heavy.len() < MIN_CALIBRATION_ROWS || ones == 0 || ones == heavy.len() {
        return Ok(None);
    }
    let said: Vec<f64> = heavy.iter().map(|(row, _)| raw[row]).collect();
    let labels: Vec<f64> = heavy.iter().map(|(row, _)| data.target[*row]).collect();
    let weights: Vec<f64> = heavy.iter().map(|(_, weight)| *weight).collect();
    Calibrator::fit(kind, &said, &labels, Some(&weights)).map(Some)
}

/// The score of each path of a combinatorial plan. Members of an ensemble count alike here: how they are put together was
/// learnt from several paths.
pub(super) fn path_scores(plan: &FoldPlan, predictions: &[FoldPredictions], data: &Labelled<'_>) -> Vec<PathScore> {
    let score = |(path, folds): (usize, &Vec<usize>)| {
        let mut windows: Vec<(u32, u32)> =
            plan.folds.iter().flat_map(|fold| fold.test_blocks.iter().map(|block| (block.start, block.end))).collect();
        windows.sort_unstable();
        windows.dedup();
        let mut rows: Vec<(usize, f64)> = Vec::new();
        for (&(start, end), fold) in windows.iter().zip(folds) {
            let Some(said) = predictions.iter().find(|said| said.fold == *fold) else { continue };
            let inside = said.rows.iter().enumerate().filter(|(_, row)| (start..end).contains(&data.spans[**row].t0));
            rows.extend(inside.map(|(at, &row)| (row, said.members.row(at).mean().unwrap_or(f64::NAN))));
        }
        let values: Vec<f64> = rows.iter().map(|(_, value)| *value).collect();
        let target: Vec<f64> = rows.iter().map(|(row, _)| data.target[*row]).collect();
        let of_classes = data.task == Task::Classification;
        let labels: Vec<bool> = target.iter().map(|&label| label == 1.0).collect();
        let classified = |metric: fn(&[bool], &[f64], Option<&[f64]>) -> Option<f64>| {
            of_classes.then(|| metric(&labels, &values, None)).flatten()
        };
        let valued =
            |metric: fn(&[f64], &[f64]) -> Option<f64>| (!of_classes).then(|| metric(&target, &values)).flatten();
        PathScore {
            path,
            rows: rows.len(),
            auc: classified(roc_auc),
            log_loss: classified(log_loss),
            brier: classified(brier),
            rmse: valued(rmse),
            spearman: valued(spearman),
        }
    };
    plan.paths.iter().enumerate().map(score).collect()
}
