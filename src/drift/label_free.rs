//! An estimate of performance without outcomes: what the AUC would be if the calibrated probabilities told the truth.
//!
//! It sees the *covariate shift* of the scores (more rows that are hard to tell apart) and nothing else: a model whose edge
//! is gone keeps its good estimate, because the probabilities that it is judged by are its own. So it is a view, labelled
//! as such, and no verdict rests on it.

use serde::{Deserialize, Serialize};

use crate::metric::compare::{brier_row, log_loss_row};
use crate::stats::sum::mean;

/// What the probabilities promise of a window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelFreeEstimate {
    /// Rows.
    pub rows: usize,
    /// Expected AUC; `None` when the probabilities leave no doubt about any row.
    pub auc: Option<f64>,
    /// Expected log loss, in nats.
    pub log_loss: f64,
    /// Expected Brier score.
    pub brier: f64,
}

/// Estimates performance from scores and calibrated probabilities of the same rows; `None` without rows.
///
/// With calibrated probability p and score s: with rows by falling score, `AUC = area under (sum (1 - p), sum p)`;
/// `log loss = -mean(p ln s + (1-p) ln(1-s))`; `Brier = mean(p (1-s)^2 + (1-p) s^2)`.
///
/// # NaN
/// None; both slices have one length.
///
/// # References
/// Confidence-based performance estimation as in nannyml 0.13 (Garg and others, 2022, for why it fails under a change of
/// the relation between features and outcome).
pub fn label_free_estimate(scores: &[f64], calibrated: &[f64]) -> Option<LabelFreeEstimate> {
    let rows = || scores.iter().zip(calibrated);
    let expected = |won: f64, lost: f64, p: f64| p * won + (1.0 - p) * lost;
    let log_loss = |(&s, &p): (&f64, &f64)| expected(log_loss_row(true, s), log_loss_row(false, s), p);
    let brier = |(&s, &p): (&f64, &f64)| expected(brier_row(true, s), brier_row(false, s), p);
    Some(LabelFreeEstimate {
        rows: scores.len(),
        auc: expected_auc(scores, calibrated),
        log_loss: mean(&rows().map(log_loss).collect::<Vec<_>>())?,
        brier: mean(&rows().map(brier).collect::<Vec<_>>())?,
    })
}

fn expected_auc(scores: &[f64], calibrated: &[f64]) -> Option<f64> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let (mut wins, mut losses, mut area) = (0.0, 0.0, 0.0);
    for tied in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let won: f64 = tied.iter().map(|&row| calibrated[row]).sum();
        let lost = tied.len() as f64 - won;
        area += lost * (wins + won / 2.0);
        wins += won;
        losses += lost;
    }
    (wins > 0.0 && losses > 0.0).then(|| area / (wins * losses))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CalibrationKind, Calibrator};

    #[test]
    fn estimates_equal_those_of_nannyml() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/stats/cbpe.json");
        let file: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for case in file["cases"].as_array().unwrap() {
            let numbers = |name: &str| -> Vec<f64> {
                case["input"][name].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
            };
            let (scores, current) = (numbers("ref_score"), numbers("cur_score"));
            let calibrator = Calibrator::fit(CalibrationKind::Isotonic, &scores, &numbers("ref_y"), None).unwrap();
            let ours = label_free_estimate(&current, &calibrator.apply_all(&current)).unwrap();
            let close = |ours: f64, key: &str| {
                let expected = case["expect"][key].as_f64().unwrap();
                assert!((ours - expected).abs() < 1e-6, "{} {key}: {ours} {expected}", case["name"]);
            };
            close(ours.auc.unwrap(), "roc_auc");
            close(ours.brier, "brier_expected");
            close(ours.log_loss, "log_loss_expected");
        }
    }

    #[test]
    fn no_rows_have_no_estimate_and_certain_ones_no_auc() {
        assert_eq!(label_free_estimate(&[], &[]), None);
        let certain = label_free_estimate(&[0.2, 0.9], &[0.0, 0.0]).unwrap();
        assert_eq!((certain.auc, certain.rows), (None, 2));
    }
}
