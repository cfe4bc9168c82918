//! What a training leaves: the model artifact, the predictions, the values and the line for people.

use std::collections::BTreeMap;

use ndarray::Axis;
use serde_json::{Value, json};

use super::page::page;
use super::rows::{TrainingRows, in_time_order};
use super::{SinceChampion, TrainConfig};
use crate::artifact::{Artifact, ArtifactType, Scalar};
use crate::base::{Digest, Timestamp};
use crate::metric::classification::{ClassificationReport, roc_auc};
use crate::metric::regression::RegressionReport;
use crate::model::{DropReason, Model, Selected, TrainedModel, stability};
use crate::node::model_artifact::{FeatureSchema, Manifest, Predictions, pretty};
use crate::node::signals::table_artifact;
use crate::node::{NodeError, NodeOutput};
use crate::split::FoldPlan;
use crate::stats::order::quantile;
use crate::stats::sum::{mean, std_dev};
use crate::table::Values;

/// Figures of the out-of-fold predictions.
pub(super) enum Outcome {
    /// Of probabilities of a win.
    Classes(Box<ClassificationReport>),
    /// Of numbers.
    Values(RegressionReport),
}

/// A trained model and everything that is known of it.
pub(super) struct Judged<'a> {
    pub data: &'a TrainingRows,
    pub plan: &'a FoldPlan,
    pub trained: &'a TrainedModel,
    pub predictions: &'a Predictions,
    pub outcome: Outcome,
    pub since: SinceChampion,
    pub config: &'a TrainConfig,
}

impl Judged<'_> {
    /// Folds that gave predictions.
    pub(super) fn folds(&self) -> usize {
        self.trained.folds.iter().filter(|fold| fold.skip.is_none()).count()
    }

    /// The features that the published model reads.
    pub(super) fn read(&self) -> Vec<String> {
        self.trained.selected.kept.iter().map(|&column| self.data.names[column].clone()).collect()
    }

    /// How alike the folds selected features; `None` where nothing was selected.
    pub(super) fn stability(&self) -> Option<f64> {
        let kept: Vec<Vec<usize>> =
            self.trained.folds.iter().filter_map(|fold| Some(fold.selected.as_ref()?.kept.clone())).collect();
        stability(&kept, self.data.names.len()).filter(|_| !self.config.selection.is_off())
    }

    /// Share of the folds that learnt from each feature, by column.
    pub(super) fn kept_share(&self) -> Vec<f64> {
        let selected: Vec<&Selected> = self.trained.folds.iter().filter_map(|fold| fold.selected.as_ref()).collect();
        let share = |column: usize| {
            selected.iter().filter(|one| one.kept.contains(&column)).count() as f64 / selected.len().max(1) as f64
        };
        (0..self.data.names.len()).map(share).collect()
    }

    /// Importance of the features that the published model reads.
    pub(super) fn importance(&self) -> BTreeMap<String, f64> {
        self.read().into_iter().zip(self.trained.model.importance()).collect()
    }

    /// The AUC (of numbers, the rank correlation) of every path of a combinatorial plan.
    pub(super) fn path_scores(&self) -> Vec<f64> {
        self.trained.paths.iter().filter_map(|path| path.auc.or(path.spearman)).collect()
    }

    pub(super) fn output(&self, data: Digest) -> Result<NodeOutput, NodeError> {
        let predictions = self.predictions.to_table(self.data.target, self.plan.looks_ahead);
        let model = Artifact::tree(ArtifactType::Model, self.files(data)?);
        let (classes, values) = match &self.outcome {
            Outcome::Classes(report) => (Some(report), None),
            Outcome::Values(report) => (None, Some(report)),
        };
        Ok(NodeOutput {
            outputs: [
                ("model", model),
                ("predictions", table_artifact(ArtifactType::Predictions, &predictions)?),
                ("report", Artifact::file(ArtifactType::Report, page(self).into_bytes())),
            ]
            .into(),
            values: [
                ("auc", Scalar::number(classes.and_then(|report| report.roc_auc))),
                ("log_loss", Scalar::number(classes.and_then(|report| report.log_loss))),
                ("rmse", Scalar::number(values.and_then(|report| report.rmse))),
                ("rank_ic", Scalar::number(values.and_then(|report| report.rank_ic))),
                ("rows", Scalar::count(self.data.rows.len())),
                ("folds", Scalar::count(self.folds())),
                ("features", Scalar::count(self.trained.selected.kept.len())),
                ("stability", Scalar::number(self.stability())),
                ("auc_spread", Scalar::number(classes.and_then(|_| std_dev(&self.path_scores(), 1)))),
                ("new_samples", self.since.new_samples.map_or(Scalar::Null, Scalar::count)),
                ("champion_age", Scalar::number(self.since.age_days)),
            ]
            .into(),
            summary: self.summary(),
        })
    }

    fn files(&self, data: Digest) -> Result<BTreeMap<String, bytes::Bytes>, NodeError> {
        let trained = self.trained;
        let mut table = self.predictions.to_table(self.data.target, self.plan.looks_ahead);
        let order: Vec<usize> = in_time_order(trained).iter().map(|prediction| prediction.row).collect();
        let features = self.data.features.select(Axis(0), &order).select(Axis(1), &trained.selected.kept);
        for (index, name) in self.read().into_iter().enumerate() {
            let values = Values::Float(features.column(index).to_vec());
            table = table.with(name, "feature, known at the signal's close", values);
        }
        let mut files: BTreeMap<String, bytes::Bytes> = [
            ("model.json", trained.model.model().to_json().map_err(NodeError::failed)?.into()),
            ("calibration.json", pretty(&trained.calibrator)?),
            ("schema.json", pretty(&FeatureSchema { version: 1, features: self.read() })?),
            ("metrics.json", pretty(&self.record())?),
            ("manifest.json", pretty(&self.manifest(data)?)?),
            ("out_of_fold.parquet", table.to_parquet().map_err(NodeError::failed)?),
        ]
        .map(|(name, bytes)| (name.to_owned(), bytes))
        .into();
        if !trained.model.preparation().is_identity() {
            files.insert("transforms.json".to_owned(), pretty(trained.model.preparation())?);
        }
        Ok(files)
    }

    fn manifest(&self, data: Digest) -> Result<Manifest, NodeError> {
        let signals = &self.data.signals;
        let time = |values: &[i64], pick: fn(&[i64]) -> Option<i64>| {
            let known: Vec<i64> = self.data.rows.iter().map(|&row| values[row]).collect();
            Timestamp::from_micros(pick(&known).unwrap_or(0))
        };
        Ok(Manifest {
            version: 1,
            config: serde_json::to_value(self.config).map_err(NodeError::failed)?,
            data,
            rows: self.data.rows.len(),
            trained_from: time(&signals.ts, |known| known.iter().min().copied()),
            trained_until: time(&signals.exit_ts, |known| known.iter().max().copied()),
            strategy: signals.strategy.clone(),
            target: self.data.target,
            looks_ahead: self.plan.looks_ahead,
        })
    }

    /// `metrics.json`: how the model did on rows it had not seen, and what each fold learnt from.
    fn record(&self) -> Value {
        let (outcome, uncalibrated) = match &self.outcome {
            Outcome::Classes(report) => (json!(report), roc_auc(&self.predictions.win, &self.predictions.raw, None)),
            Outcome::Values(report) => (json!(report), None),
        };
        let scores = self.path_scores();
        let at = |q: f64| quantile(&scores, q);
        let paths = json!({
            "scores": self.trained.paths,
            "mean": mean(&scores), "standard_deviation": std_dev(&scores, 1),
            "lowest": at(0.0), "quantile_05": at(0.05), "median": at(0.5), "quantile_95": at(0.95), "highest": at(1.0),
        });
        json!({
            "version": 2,
            "target": self.data.target,
            "scheme": self.config.validation.scheme,
            "looks_ahead": self.plan.looks_ahead,
            "out_of_fold": outcome,
            // fold calibrators have scales of their own: without them, this is how well the models rank
            "out_of_fold_uncalibrated_auc": uncalibrated,
            "folds": self.trained.folds.iter().map(|fold| self.fold_record(fold)).collect::<Vec<_>>(),
            "skipped_folds": self.trained.skipped,
            "paths": if self.trained.paths.is_empty() { Value::Null } else { paths },
            "importance": self.importance(),
            "selection": self.selection_record(&self.trained.selected),
            "selection_stability": self.stability(),
            "rounds": self.trained.rounds,
            "ensemble": match self.trained.model.model() {
                Model::Ensemble(ensemble) => json!({
                    "members": ensemble.members().iter().map(Model::family).collect::<Vec<_>>(),
                    "combiner": ensemble.combiner(),
                }),
                _ => Value::Null,
            },
        })
    }

    fn fold_record(&self, fold: &crate::model::FoldReport) -> Value {
        let mut record = json!(fold);
        if let (Some(fields), Some(selected)) = (record.as_object_mut(), &fold.selected) {
            fields.insert("selected".to_owned(), self.selection_record(selected));
        }
        record
    }

    /// Kept features by name, and the others with the reason; null where nothing was selected.
    fn selection_record(&self, selected: &Selected) -> Value {
        if self.config.selection.is_off() {
            return Value::Null;
        }
        let name = |column: usize| self.data.names[column].as_str();
        let reason = |reason: DropReason| match reason {
            DropReason::Variance(variance) => json!({"variance": variance}),
            DropReason::CorrelatesWith(column) => json!({"correlates_with": name(column)}),
            DropReason::Importance(importance) => json!({"importance": importance}),
        };
        let dropped: BTreeMap<&str, Value> =
            selected.dropped.iter().map(|&(column, why)| (name(column), reason(why))).collect();
        json!({"kept": selected.kept.iter().map(|&column| name(column)).collect::<Vec<_>>(), "dropped": dropped})
    }

    /// The result in one line.
    pub(super) fn summary(&self) -> String {
        let figure = match &self.outcome {
            Outcome::Classes(report) => auc_words(report),
            Outcome::Values(report) => {
                let number = |value: Option<f64>| value.map_or("undefined".to_owned(), |value| format!("{value:.3}"));
                format!("rank correlation {}, RMSE {}", number(report.rank_ic), number(report.rmse))
            }
        };
        let of_all = self.data.names.len();
        let read = self.trained.selected.kept.len();
        let features = if read < of_all { format!(", {read} of {of_all} features") } else { String::new() };
        let doubt = if self.plan.looks_ahead { "; folds saw their future: for diagnosis only" } else { "" };
        format!(
            "{} on {} signals{features}; out of fold {figure} over {} folds, {} rows{doubt}",
            self.trained.model.family(),
            self.data.rows.len(),
            self.folds(),
            self.predictions.row.len()
        )
    }
}

fn auc_words(report: &ClassificationReport) -> String {
    let interval = report.intervals.as_ref().and_then(|intervals| intervals.roc_auc);
    match (report.roc_auc, interval) {
        (Some(auc), Some(range)) => format!("AUC {auc:.3} [{:.3}, {:.3}]", range.low, range.high),
        (Some(auc), None) => format!("AUC {auc:.3}"),
        (None, _) => "AUC undefined".to_owned(),
    }
}
