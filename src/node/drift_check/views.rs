//! What is shown beside the verdicts and never decides: performance estimated without outcomes, and stream detectors.

use serde::Serialize;

use super::windows::Windows;
use crate::base::Timestamp;
use crate::drift::{LabelFreeEstimate, Scored, label_free_estimate};
use crate::metric::classification::roc_auc;
use crate::metric::compare::log_loss_row;
use crate::model::{CalibrationKind, Calibrator};
use crate::stats::stream::{Adwin, Ddm, Direction, PageHinkley};
use crate::stats::sum::{mean, std_dev};

/// Rows of the reference without which there is no scale to measure losses by.
const FEWEST_ROWS: usize = 30;

/// The estimate without outcomes.
#[derive(Serialize)]
pub(super) struct LabelFreeView {
    /// What it is, and is not.
    pub(super) note: &'static str,
    /// The AUC of the reference, from its outcomes.
    pub(super) reference_auc: Option<f64>,
    /// What the probabilities promise of the current window.
    pub(super) current: LabelFreeEstimate,
}

impl LabelFreeView {
    /// Calibrates on the outcomes of the reference, as the method asks; `None` where that cannot be done.
    pub(super) fn of(windows: &Windows) -> Option<Self> {
        let Scored { label, probability, .. } = &windows.reference.scored;
        let outcome: Vec<f64> = label.iter().map(|&won| f64::from(u8::from(won))).collect();
        let calibrator = Calibrator::fit(CalibrationKind::Isotonic, probability, &outcome, None).ok()?;
        let scores = &windows.current.all_scores.probability;
        Some(Self {
            note: "estimated without outcomes: sees a change of the scores only, not of their relation to outcomes; no verdict rests on it",
            reference_auc: roc_auc(label, probability, None),
            current: label_free_estimate(scores, &calibrator.apply_all(scores))?,
        })
    }
}

/// What a stream detector saw, read over the reference and then the current window.
#[derive(Serialize)]
pub(super) struct StreamView {
    /// Its name.
    pub(super) detector: &'static str,
    /// What it reads.
    pub(super) reads: &'static str,
    /// Alarms within the reference: what it calls drift where the model was fitted.
    pub(super) reference_alarms: usize,
    /// Alarms within the current window.
    pub(super) current_alarms: usize,
    /// When the first of those was.
    pub(super) first: Option<Timestamp>,
}

/// The detectors over losses in standard deviations of the reference; none with too short a reference.
pub(super) fn streams(windows: &Windows) -> Vec<StreamView> {
    let (reference, current) = (&windows.reference.scored, &windows.current.scored);
    let before = losses(reference);
    let scale = mean(&before).zip(std_dev(&before, 1).filter(|deviation| *deviation > 0.0));
    let (Some((middle, deviation)), true) = (scale, before.len() >= FEWEST_ROWS) else { return Vec::new() };
    let all: Vec<f64> = before.into_iter().chain(losses(current)).map(|loss| (loss - middle) / deviation).collect();
    let wrong: Vec<bool> = [reference, current]
        .into_iter()
        .flat_map(|window| window.label.iter().zip(&window.probability).map(|(&won, &p)| won != (p >= 0.5)))
        .collect();
    let mut page_hinkley = PageHinkley::new(FEWEST_ROWS, 0.005, 50.0, 0.9999, Direction::Up);
    let mut adwin = Adwin::new(0.002, 32, 5, 5, 10);
    let mut ddm = Ddm::new(FEWEST_ROWS, 3.0);
    let of_losses = "log loss in standard deviations of the reference";
    vec![
        view("page_hinkley", of_losses, alarms(&all, |loss| page_hinkley.read(loss)), windows),
        view("adwin", of_losses, alarms(&all, |loss| adwin.read(loss)), windows),
        view("ddm", "whether the likelier class was wrong", alarms(&wrong, |is_wrong| ddm.read(is_wrong)), windows),
    ]
}

fn losses(window: &Scored) -> Vec<f64> {
    window.label.iter().zip(&window.probability).map(|(&won, &p)| log_loss_row(won, p)).collect()
}

fn alarms<T: Copy>(values: &[T], mut read: impl FnMut(T) -> bool) -> Vec<usize> {
    values.iter().enumerate().filter_map(|(at, &value)| read(value).then_some(at)).collect()
}

fn view(detector: &'static str, reads: &'static str, alarms: Vec<usize>, windows: &Windows) -> StreamView {
    let border = windows.reference.scored.rows();
    let current: Vec<usize> = alarms.iter().filter(|at| **at >= border).map(|at| at - border).collect();
    let first = current.first().and_then(|&row| windows.current.scored.time.get(row)).copied();
    StreamView {
        detector,
        reads,
        reference_alarms: alarms.len() - current.len(),
        current_alarms: current.len(),
        first: first.map(Timestamp::from_micros),
    }
}
