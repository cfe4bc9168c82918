//! Nothing out of sample may depend on what was not known at the time.

use ndarray::Array1;
use serde_json::json;

use super::fixtures::*;
use super::*;
use crate::base::{CancelToken, Seed};
use crate::split::{FoldPlan, Span, WalkForward, walk_forward};

const SESSIONS: u32 = 600;

/// Two trades a session, held for 0 to 14 sessions.
fn trades() -> (Table, Vec<Span>, Vec<f64>) {
    let rows = 2 * SESSIONS as usize;
    let table = noisy_table(rows, 4, 77);
    let mut stream = Seed::new(3).stream();
    let spans = (0..rows)
        .map(|row| {
            let t0 = row as u32 / 2;
            Span::new(t0, t0 + stream.below(15) as u32)
        })
        .collect();
    let r = table.target.iter().map(|&label| if label == 1.0 { 2.0 } else { -1.0 }).collect();
    (table, spans, r)
}

fn plan(spans: &[Span]) -> FoldPlan {
    let config = WalkForward { train: 200, test: 50, step: 50, ..WalkForward::default() };
    walk_forward(spans, 0..SESSIONS, &config).unwrap()
}

fn train(
    table: &Table,
    spans: &[Span],
    r: &[f64],
    learner: &Learner,
    kind: CalibrationKind,
) -> Result<TrainedModel, ModelError> {
    let (seed, cancel) = (Seed::new(42), CancelToken::new());
    walk_forward_train(&table.set(), spans, r, &plan(spans), learner, kind, seed, &cancel, &mut |_| {})
}

#[test]
fn every_test_row_gets_one_prediction_and_every_fold_a_report() {
    let (table, spans, r) = trades();
    for learner in every_learner() {
        let mut heard = Vec::new();
        let plan = plan(&spans);
        let trained = walk_forward_train(
            &table.set(),
            &spans,
            &r,
            &plan,
            &learner,
            CalibrationKind::Platt,
            Seed::new(42),
            &CancelToken::new(),
            &mut |report| heard.push(report.clone()),
        )
        .unwrap();
        assert_eq!(heard, trained.folds);
        let tested: Vec<usize> = plan.folds.iter().flat_map(|fold| fold.test.clone()).collect();
        assert_eq!(trained.out_of_sample.iter().map(|row| row.row).collect::<Vec<_>>(), tested);
        for (report, fold) in trained.folds.iter().zip(&plan.folds) {
            assert_eq!((report.train_rows, report.purged_rows), (fold.train.len(), fold.purged.len()));
            assert!(report.purged_rows > 0 && report.mean_r_kept.is_some() && report.mean_r_purged.is_some());
        }
        // the first fold has no past to calibrate on, the others do
        assert!(trained.out_of_sample.iter().all(|row| row.is_calibrated == (row.fold > 0)));
        assert!(trained.out_of_sample.iter().filter(|row| row.fold == 0).all(|row| row.raw == row.calibrated));
        assert_eq!(trained.folds[0].calibration_rows, 0);
        assert!(trained.folds[1].calibration_rows < plan.folds[0].test.len());
        assert_eq!(trained.calibrator.kind(), CalibrationKind::Platt);
        let raw: Vec<f64> = trained.out_of_sample.iter().map(|row| row.raw).collect();
        let labels: Vec<f64> = trained.out_of_sample.iter().map(|row| row.label).collect();
        assert!(auc(&raw, &labels) > 0.65);
    }
}

#[test]
fn a_changed_future_changes_no_prediction() {
    let (table, spans, r) = trades();
    let opens = plan(&spans).folds[4].test_window.start;
    let mut stream = Seed::new(9).stream();
    let mut changed = table.clone();
    for row in 0..spans.len() {
        // what is not known when fold 4 opens: later rows altogether, and labels of trades still open
        if spans[row].t1 >= opens {
            changed.target[row] = f64::from(u8::from(stream.uniform() < 0.5));
        }
        if spans[row].t0 >= opens {
            changed.features.row_mut(row).mapv_inplace(|_| stream.normal());
        }
    }
    for learner in every_learner() {
        for kind in [CalibrationKind::Platt, CalibrationKind::Isotonic] {
            let before = train(&table, &spans, &r, &learner, kind).unwrap();
            let after = train(&changed, &spans, &r, &learner, kind).unwrap();
            let said = |trained: &TrainedModel| -> Vec<(usize, f64, f64)> {
                let past = trained.out_of_sample.iter().filter(|row| spans[row.row].t0 < opens);
                past.map(|row| (row.row, row.raw, row.calibrated)).collect()
            };
            assert_eq!(said(&before), said(&after));
            assert_ne!(before.out_of_sample, after.out_of_sample);

            // fold 4 itself: same model and calibrator, asked about unchanged features
            let mut labels_only = table.clone();
            labels_only.target.assign(&changed.target);
            let after = train(&labels_only, &spans, &r, &learner, kind).unwrap();
            let of_fold = |trained: &TrainedModel| -> Vec<(f64, f64)> {
                let fold = trained.out_of_sample.iter().filter(|row| row.fold == 4);
                fold.map(|row| (row.raw, row.calibrated)).collect()
            };
            assert_eq!(of_fold(&before), of_fold(&after));
        }
    }
}

#[test]
fn the_trained_model_is_stored_to_the_bit_and_independent_of_threads() {
    let (table, spans, r) = trades();
    for learner in every_learner() {
        let bytes_at = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let trained = pool.install(|| train(&table, &spans, &r, &learner, CalibrationKind::Beta).unwrap());
            serde_json::to_vec(&trained).unwrap()
        };
        let bytes = bytes_at(1);
        assert_eq!(bytes, bytes_at(5));
        let loaded: TrainedModel = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(serde_json::to_vec(&loaded).unwrap(), bytes);
        assert_eq!(loaded.predict(table.features.view()).len(), table.target.len());
    }
}

#[test]
fn a_fold_of_one_class_is_skipped_and_said_so() {
    let (mut table, spans, r) = trades();
    for row in 0..spans.len() {
        if spans[row].t0 < 200 {
            table.target[row] = 0.0;
        }
    }
    let trained = train(&table, &spans, &r, &every_learner()[0], CalibrationKind::None).unwrap();
    assert!(matches!(trained.folds[0].skip, Some(FoldSkip::OneClass { label: 0, .. })));
    assert!(trained.out_of_sample.iter().all(|row| row.fold > 0 && !row.is_calibrated && row.raw == row.calibrated));
    assert_eq!(trained.calibrator, Calibrator::None);
}

#[test]
fn a_plan_without_folds_and_lengths_that_differ_are_refused() {
    let (table, spans, r) = trades();
    let (set, seed, cancel) = (table.set(), Seed::new(1), CancelToken::new());
    let learner = &every_learner()[0];
    let run = |plan: &FoldPlan, r: &[f64]| {
        walk_forward_train(&set, &spans, r, plan, learner, CalibrationKind::None, seed, &cancel, &mut |_| {})
    };
    assert!(matches!(run(&FoldPlan::default(), &r), Err(ModelError::NoFolds { skipped: 0 })));
    assert!(matches!(run(&plan(&spans), &r[1..]), Err(ModelError::Shape { .. })));
    let mut beyond = plan(&spans);
    beyond.folds[0].test.push(1_000_000);
    assert!(matches!(run(&beyond, &r), Err(ModelError::Shape { found: 1_000_001, .. })));
}

/// A learner as linfa's users write them: the share of class 1 on either side of the median of the first feature.
struct Halves;

struct FittedHalves {
    cut: f64,
    low: f64,
    high: f64,
}

type Records = ndarray::Array2<f64>;

impl linfa::traits::Fit<Records, Array1<f64>, linfa::Error> for Halves {
    type Object = FittedHalves;

    fn fit(&self, dataset: &linfa::DatasetBase<Records, Array1<f64>>) -> Result<FittedHalves, linfa::Error> {
        let first = dataset.records.column(0).to_vec();
        let cut = crate::stats::order::median(&first.iter().copied().filter(|x| x.is_finite()).collect::<Vec<_>>())
            .ok_or(linfa::Error::NotEnoughSamples)?;
        let share = |side: bool| {
            let labels = first.iter().zip(&dataset.targets).filter(|(x, _)| (**x > cut) == side).map(|(_, y)| *y);
            let labels: Vec<f64> = labels.collect();
            labels.iter().sum::<f64>() / labels.len() as f64
        };
        Ok(FittedHalves { cut, low: share(false), high: share(true) })
    }
}

impl linfa::traits::PredictInplace<Records, Array1<f64>> for FittedHalves {
    fn predict_inplace<'a>(&'a self, x: &'a Records, y: &mut Array1<f64>) {
        *y = x.column(0).mapv(|x| if x > self.cut { self.high } else { self.low });
    }

    fn default_target(&self, x: &Records) -> Array1<f64> {
        Array1::zeros(x.nrows())
    }
}

#[test]
fn any_linfa_learner_is_judged_on_our_folds() {
    use linfa::traits::{Fit, Predict};
    let (table, spans, _) = trades();
    let predictions = cross_fit(&table.set(), &plan(&spans), &CancelToken::new(), |_, train, test| {
        let dataset = linfa::DatasetBase::new(train.features.to_owned(), train.target.to_owned());
        let predicted: Array1<f64> = Halves.fit(&dataset)?.predict(&test.to_owned());
        Ok(predicted.to_vec())
    })
    .unwrap();
    let (rows, p): (Vec<usize>, Vec<f64>) = predictions.into_iter().unzip();
    let labels: Vec<f64> = rows.iter().map(|&row| table.target[row]).collect();
    assert!(auc(&p, &labels) > 0.6);
}

#[test]
fn our_learners_are_linfa_learners() {
    use linfa::traits::{Fit, Predict};
    let mut table = noisy_table(200, 4, 30);
    table.weight = Some((0..200).map(|row| f64::from(1 + row % 4)).collect());
    for learner in every_learner() {
        let weights = table.weight.as_ref().unwrap().mapv(|weight| weight as f32);
        let dataset = linfa::DatasetBase::new(table.features.clone(), table.target.clone()).with_weights(weights);
        let model = learner.clone().seeded(Seed::new(5)).fit(&dataset).unwrap();
        assert_eq!(model, fit(&learner, &table, 5));
        let predicted: Array1<f64> = Predict::predict(&model, &table.features);
        assert_eq!(predicted, model.predict(table.features.view()));
    }
    let refused = learner("logistic", &json!({})).seeded(Seed::new(1));
    let unlabelled = linfa::DatasetBase::new(table.features.clone(), Array1::<f64>::zeros(200));
    assert!(matches!(refused.fit(&unlabelled), Err(ModelError::OneClass { .. })));
}
