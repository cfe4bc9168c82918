//! Nothing out of sample may depend on what was not known at the time.

use ndarray::Array1;
use serde_json::json;

use super::fixtures::*;
use super::*;
use crate::base::{CancelToken, Seed};
use crate::split::{FoldPlan, Span, Validation};

const SESSIONS: u32 = 600;

/// Two trades a session, held for 0 to 14 sessions.
fn trades() -> Trades {
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
    Trades { table, spans, r }
}

#[derive(Clone)]
struct Trades {
    table: Table,
    spans: Vec<Span>,
    r: Vec<f64>,
}

impl Trades {
    fn labelled<'a>(&'a self, weigh: Weigh<'a>) -> Labelled<'a> {
        Labelled {
            features: self.table.features.view(),
            target: self.table.target.view(),
            task: Task::Classification,
            names: &[],
            spans: &self.spans,
            r: &self.r,
            weigh,
        }
    }

    fn plan(&self, scheme: &str) -> FoldPlan {
        let validation = match scheme {
            "walk-forward" => json!({"train": 200, "test": 50}),
            "k-fold" => json!({"scheme": "purged-k-fold", "folds": 5}),
            _ => json!({"scheme": "combinatorial", "folds": 5, "test_folds": 2}),
        };
        serde_json::from_value::<Validation>(validation).unwrap().plan(&self.spans, 0..SESSIONS).unwrap()
    }

    fn train(&self, plan: &FoldPlan, recipe: &Recipe<'_>, kind: CalibrationKind) -> Result<TrainedModel, ModelError> {
        let (seed, cancel) = (Seed::new(42), CancelToken::new());
        train_on_folds(&self.labelled(&|_| None), plan, recipe, kind, seed, &cancel, &mut |_| {})
    }

    fn shuffle_future(&self, opens: u32, labels_only: bool) -> Self {
        let mut changed = self.clone();
        let mut stream = Seed::new(9).stream();
        for row in 0..self.spans.len() {
            // what is not known when the fold opens: later rows altogether, and labels of trades still open
            if self.spans[row].t1 >= opens {
                changed.table.target[row] = f64::from(u8::from(stream.uniform() < 0.5));
            }
            if self.spans[row].t0 >= opens && !labels_only {
                changed.table.features.row_mut(row).mapv_inplace(|_| stream.normal());
            }
        }
        changed
    }
}

/// The recipe of a learner and nothing around it.
fn plain(model: &ModelConfig) -> Recipe<'_> {
    static NONE: Selection = Selection {
        min_variance: None,
        max_correlation: None,
        permutation: Permutation { share: 0.25, repeats: 0, min_importance: 0.0, keep: None },
    };
    Recipe { model, transform: Transform::None, tail: 0.01, selection: &NONE, stopping_share: 0.2 }
}

fn config(kind: &str, params: &serde_json::Value) -> ModelConfig {
    ModelConfig::from_json(kind, params).unwrap()
}

fn logistic() -> ModelConfig {
    config("logistic", &json!({}))
}

fn stacked() -> ModelConfig {
    let members = json!([{"kind": "logistic"}, {"kind": "random-forest", "trees": 5, "max_depth": 4}]);
    config("ensemble", &json!({"members": members, "combine": "stack"}))
}

#[test]
fn every_test_row_gets_one_prediction_and_every_fold_a_report() {
    let trades = trades();
    for learner in every_learner() {
        let (mut heard, plan) = (Vec::new(), trades.plan("walk-forward"));
        let trained = train_on_folds(
            &trades.labelled(&|_| None),
            &plan,
            &plain(learner.config()),
            CalibrationKind::Platt,
            Seed::new(42),
            &CancelToken::new(),
            &mut |done| heard.push(done),
        )
        .unwrap();
        assert_eq!(heard, (1..=plan.folds.len()).collect::<Vec<_>>());
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
    let trades = trades();
    let plan = trades.plan("walk-forward");
    let opens = plan.folds[4].test_window.start;
    let (later, labels) = (trades.shuffle_future(opens, false), trades.shuffle_future(opens, true));
    let everything = Selection {
        min_variance: Some(0.0),
        max_correlation: Some(0.95),
        permutation: Permutation { repeats: 1, keep: Some(3), ..Permutation::default() },
    };
    let (linear, stack) = (logistic(), stacked());
    let full = |model| Recipe { transform: Transform::RankNormal, selection: &everything, ..plain(model) };
    for (recipe, kind) in [
        (plain(&linear), CalibrationKind::Platt),
        (full(&linear), CalibrationKind::Isotonic),
        (full(&stack), CalibrationKind::Beta),
    ] {
        let before = trades.train(&plan, &recipe, kind).unwrap();
        let after = later.train(&plan, &recipe, kind).unwrap();
        let said = |trained: &TrainedModel| -> Vec<OutOfSampleRow> {
            trained.out_of_sample.iter().filter(|row| trades.spans[row.row].t1 < opens).copied().collect()
        };
        assert_eq!(said(&before), said(&after));
        assert_ne!(before.out_of_sample, after.out_of_sample);
        // labels that close later are no part of what is said of a row before
        let numbers = |trained: &TrainedModel, fold: usize| -> Vec<(f64, f64)> {
            trained.out_of_sample.iter().filter(|row| row.fold == fold).map(|row| (row.raw, row.calibrated)).collect()
        };
        assert!((0..4).all(|fold| numbers(&before, fold) == numbers(&after, fold)));

        // fold 4 itself: same model, combination and calibrator, asked about unchanged features
        let after = labels.train(&plan, &recipe, kind).unwrap();
        assert_eq!(numbers(&before, 4), numbers(&after, 4));
        assert_eq!(before.folds[4].selected, after.folds[4].selected);
    }
}

#[test]
fn a_label_that_reaches_into_the_test_window_teaches_nothing() {
    let trades = trades();
    for scheme in ["walk-forward", "k-fold", "combinatorial"] {
        let plan = trades.plan(scheme);
        let linear = logistic();
        let before = trades.train(&plan, &plain(&linear), CalibrationKind::None).unwrap();
        for fold in &plan.folds {
            assert!(!fold.purged.is_empty());
            for block in &fold.test_blocks {
                let overlaps = |&row: &usize| trades.spans[row].t0 < block.end && trades.spans[row].t1 >= block.start;
                assert!(!fold.train.iter().any(overlaps), "{scheme}");
            }
        }
        // turned around, such labels change nothing that the first fold says
        let mut changed = trades.clone();
        for &row in &plan.folds[0].purged {
            changed.table.target[row] = 1.0 - changed.table.target[row];
        }
        if scheme != "combinatorial" {
            let after = changed.train(&plan, &plain(&linear), CalibrationKind::None).unwrap();
            let of = |trained: &TrainedModel| -> Vec<f64> {
                trained.out_of_sample.iter().filter(|row| row.fold == 0).map(|row| row.raw).collect()
            };
            assert_eq!(of(&before), of(&after), "{scheme}");
        }
    }
}

#[test]
fn weights_are_those_that_the_rows_of_a_fold_have_together() {
    let trades = trades();
    let plan = trades.plan("walk-forward");
    // by age, seen from the newest row that is learnt from with it
    let by_age = |rows: &[usize]| {
        let newest = rows.iter().map(|&row| trades.spans[row].t0).max()?;
        Some(
            rows.iter().map(|&row| 0.5_f64.powf(f64::from(newest - trades.spans[row].t0) / 50.0)).collect::<Vec<f64>>(),
        )
    };
    let linear = logistic();
    let (seed, cancel) = (Seed::new(42), CancelToken::new());
    let trained = train_on_folds(
        &trades.labelled(&by_age),
        &plan,
        &plain(&linear),
        CalibrationKind::None,
        seed,
        &cancel,
        &mut |_| {},
    );
    let fold = &plan.folds[2];
    let mut alone = trades.table.select(&fold.train);
    alone.weight = by_age(&fold.train).map(Array1::from);
    let expected = fit(&Learner::new(linear.clone()).unwrap(), &alone, 1);
    let expected = expected.predict(trades.table.select(&fold.test).features.view());
    let found: Vec<f64> =
        trained.unwrap().out_of_sample.iter().filter(|row| row.fold == fold.index).map(|row| row.raw).collect();
    assert_eq!(found, expected.to_vec());
}

#[test]
fn blocks_are_predicted_by_folds_that_surround_them_and_paths_are_scored() {
    let trades = trades();
    let plan = trades.plan("combinatorial");
    let trained = trades.train(&plan, &plain(&logistic()), CalibrationKind::Platt).unwrap();
    let mut rows: Vec<usize> = trained.out_of_sample.iter().map(|row| row.row).collect();
    rows.sort_unstable();
    assert_eq!(rows, (0..trades.spans.len()).collect::<Vec<_>>());
    assert!(trained.out_of_sample.iter().all(|row| row.is_calibrated));
    assert_eq!(trained.paths.len(), 4);
    assert!(trained.paths.iter().all(|path| path.rows == rows.len() && path.auc.unwrap() > 0.65));
    // the calibrator of a block knows none of its rows: turning its labels around changes nothing that is said of it
    let mut changed = trades.clone();
    let block = plan.folds[0].test_blocks[0].clone();
    let inside: Vec<usize> = (0..rows.len()).filter(|&row| block.contains(&trades.spans[row].t0)).collect();
    let of = |trained: &TrainedModel, row: usize| {
        trained.out_of_sample.iter().find(|said| said.row == row).map(|said| said.raw).unwrap()
    };
    inside.iter().for_each(|&row| changed.table.target[row] = 1.0 - changed.table.target[row]);
    let after = changed.train(&plan, &plain(&logistic()), CalibrationKind::None).unwrap();
    assert!(inside.iter().all(|&row| of(&trained, row) == of(&after, row)));
}

#[test]
fn an_ensemble_is_put_together_by_what_was_known() {
    let trades = trades();
    let plan = trades.plan("walk-forward");
    let stack = stacked();
    let trained = trades.train(&plan, &plain(&stack), CalibrationKind::Platt).unwrap();
    // members count alike in the first fold, and the meta-learner of the second saw less than the first fold
    assert_eq!(trained.folds[0].combination_rows, 0);
    assert!((1..plan.folds[0].test.len()).contains(&trained.folds[1].combination_rows));
    assert!(trained.out_of_sample.iter().all(|row| row.disagreement.is_some()));
    let Model::Ensemble(ensemble) = trained.model.model() else { panic!("expected an ensemble") };
    assert_eq!(ensemble.members().len(), 2);
    assert!(matches!(ensemble.combiner(), Combiner::Stack(_)));
    let raw: Vec<f64> = trained.out_of_sample.iter().map(|row| row.raw).collect();
    let labels: Vec<f64> = trained.out_of_sample.iter().map(|row| row.label).collect();
    assert!(auc(&raw, &labels) > 0.65);
}

#[test]
fn what_is_trained_does_not_depend_on_threads() {
    let trades = trades();
    let everything = Selection {
        max_correlation: Some(0.95),
        permutation: Permutation { repeats: 1, ..Permutation::default() },
        ..Selection::default()
    };
    let stack = stacked();
    let recipe = Recipe { transform: Transform::Robust, selection: &everything, ..plain(&stack) };
    let bytes_at = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let plan = trades.plan("walk-forward");
        let trained = pool.install(|| trades.train(&plan, &recipe, CalibrationKind::Beta).unwrap());
        serde_json::to_vec(&trained).unwrap()
    };
    let bytes = bytes_at(1);
    assert!(bytes == bytes_at(2) && bytes == bytes_at(5));
}

#[test]
fn the_published_model_reads_the_selected_features_through_its_maps() {
    let trades = trades();
    let chosen = Selection {
        permutation: Permutation { repeats: 5, keep: Some(2), ..Permutation::default() },
        ..Selection::default()
    };
    let linear = logistic();
    let recipe = Recipe { transform: Transform::Winsorise, selection: &chosen, ..plain(&linear) };
    let trained = trades.train(&trades.plan("walk-forward"), &recipe, CalibrationKind::Platt).unwrap();
    // the first two features decide the label
    assert_eq!(trained.selected.kept, [0, 1]);
    assert_eq!((trained.model.columns(), trained.predict(trades.table.features.view()).len()), (2, trades.spans.len()));
    assert!(!trained.model.preparation().is_identity());
}

#[test]
fn a_fold_of_one_class_is_skipped_and_said_so() {
    let mut trades = trades();
    for row in 0..trades.spans.len() {
        if trades.spans[row].t0 < 200 {
            trades.table.target[row] = 0.0;
        }
    }
    let plan = trades.plan("walk-forward");
    let trained = trades.train(&plan, &plain(&logistic()), CalibrationKind::None).unwrap();
    assert!(matches!(trained.folds[0].skip, Some(FoldSkip::OneClass { label: 0, .. })));
    assert!(trained.out_of_sample.iter().all(|row| row.fold > 0 && !row.is_calibrated && row.raw == row.calibrated));
    assert_eq!(trained.calibrator, Calibrator::None);
}

#[test]
fn a_plan_without_folds_and_lengths_that_differ_are_refused() {
    let trades = trades();
    let linear = logistic();
    let run = |trades: &Trades, plan: &FoldPlan| trades.train(plan, &plain(&linear), CalibrationKind::None);
    let mut shorter = trades.clone();
    shorter.r.pop();
    let plan = trades.plan("walk-forward");
    assert!(matches!(run(&trades, &FoldPlan::default()), Err(ModelError::NoFolds { skipped: 0 })));
    assert!(matches!(run(&shorter, &plan), Err(ModelError::Shape { .. })));
    let mut beyond = plan;
    beyond.folds[0].test.push(1_000_000);
    assert!(matches!(run(&trades, &beyond), Err(ModelError::Shape { found: 1_000_001, .. })));
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
    let trades = trades();
    let (table, plan) = (&trades.table, trades.plan("walk-forward"));
    let predictions = cross_fit(&table.set(), &plan, &CancelToken::new(), |_, train, test| {
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
