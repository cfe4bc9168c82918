//! The fitted ensemble.

use ndarray::{Array1, Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use super::combiner::{Combiner, History};
use super::config::{Combination, EnsembleConfig, Fallback, MAX_MEMBERS};
use crate::model::config::Model;
use crate::model::error::ModelError;
use crate::model::family::{Estimator, Fitted, Fitting, Predictor, Scratch};
use crate::model::learner::Learner;
use crate::model::training_set::{Task, TrainingSet};
use crate::stats::sum::{std_dev, sum};

/// When members are not believed, and who speaks then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::model) struct Rules {
    pub min_agreement: f64,
    pub max_disagreement: Option<f64>,
    pub fallback: Fallback,
    /// Share of class 1 in the training rows.
    pub base_rate: f64,
    /// The member with the least out-of-fold log loss.
    pub best: usize,
}

/// What an ensemble says of one row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::model) struct Said {
    pub probability: f64,
    /// Standard deviation of the members' probabilities.
    pub disagreement: f64,
}

impl Rules {
    pub(in crate::model) fn new(combination: &Combination, base_rate: f64, best: usize) -> Self {
        let &Combination { min_agreement, max_disagreement, fallback, .. } = combination;
        Self { min_agreement, max_disagreement, fallback, base_rate, best }
    }

    /// Puts the members of one row together.
    pub(in crate::model) fn say(&self, combiner: &Combiner, members: &[f64]) -> Said {
        let together = combiner.combine(members);
        let disagreement = std_dev(members, 0).unwrap_or(0.0);
        let agree = members.iter().filter(|p| (**p >= 0.5) == (together >= 0.5)).count() as f64;
        let is_believed = agree / members.len() as f64 >= self.min_agreement
            && self.max_disagreement.is_none_or(|bound| disagreement <= bound);
        let probability = if is_believed {
            together
        } else {
            match self.fallback {
                Fallback::BaseRate => self.base_rate,
                Fallback::Best => members.get(self.best).copied().unwrap_or(f64::NAN),
                Fallback::Minimum => members.iter().copied().fold(f64::INFINITY, f64::min),
            }
        };
        Said { probability, disagreement }
    }
}

/// A fitted ensemble of fitted models.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnsembleModel {
    combiner: Combiner,
    rules: Rules,
    members: Vec<Model>,
}

impl EnsembleModel {
    pub(in crate::model) const fn new(combiner: Combiner, rules: Rules, members: Vec<Model>) -> Self {
        Self { combiner, rules, members }
    }

    /// The members.
    pub fn members(&self) -> &[Model] {
        &self.members
    }

    /// How they are put together.
    pub const fn combiner(&self) -> &Combiner {
        &self.combiner
    }

    fn say(&self, features: ArrayView2<'_, f64>) -> Vec<Said> {
        let mut said = Array2::zeros((features.nrows(), self.members.len()));
        for (mut column, member) in said.columns_mut().into_iter().zip(&self.members) {
            column.assign(&Array1::from(member.predictor().predict(features)));
        }
        said.rows().into_iter().map(|row| self.rules.say(&self.combiner, &row.to_vec())).collect()
    }
}

impl Estimator for EnsembleConfig {
    type Model = EnsembleModel;

    fn fit(&self, fitting: Fitting<'_>) -> Result<EnsembleModel, ModelError> {
        let combination = self.combination();
        if combination.needs_history() {
            return Err(ModelError::NeedsFolds);
        }
        let fit = |(at, member): (usize, &crate::model::config::ModelConfig)| {
            let seed = fitting.seed.derive("member").index(at as u64);
            Learner::new(member.clone())?.fit(&fitting.set, fitting.validation.as_ref(), seed, fitting.cancel)
        };
        let members = self.members.0.iter().enumerate().map(fit).collect::<Result<Vec<_>, _>>()?;
        let none = Array2::zeros((0, members.len()));
        let history = History { members: &none, target: &[], weight: &[] };
        let (combiner, _) = Combiner::fit(&combination, members.len(), &history, fitting.seed, fitting.cancel)?;
        Ok(EnsembleModel::new(combiner, Rules::new(&combination, base_rate(&fitting.set), 0), members))
    }

    fn wants_validation(&self) -> bool {
        self.members.0.iter().any(crate::model::config::ModelConfig::wants_validation)
    }
}

/// The weighted share of class 1.
pub(in crate::model) fn base_rate(set: &TrainingSet<'_>) -> f64 {
    let total = sum((0..set.rows()).map(|row| set.weight_of(row)));
    sum((0..set.rows()).map(|row| set.weight_of(row) * set.target[row])) / total
}

impl Predictor for EnsembleModel {
    fn task(&self) -> Task {
        Task::Classification
    }

    fn columns(&self) -> usize {
        self.members.first().map_or(0, Model::columns)
    }

    fn predict(&self, features: ArrayView2<'_, f64>) -> Vec<f64> {
        self.say(features).iter().map(|said| said.probability).collect()
    }

    fn predict_row(&self, row: &[f64], scratch: &mut Scratch) -> f64 {
        let mut said = [0.0; MAX_MEMBERS];
        said.iter_mut().zip(&self.members).for_each(|(to, member)| *to = member.predictor().predict_row(row, scratch));
        self.rules.say(&self.combiner, &said[..self.members.len()]).probability
    }

    /// The mean of the members', each of which sums to 1.
    fn importance(&self) -> Vec<f64> {
        let mut mean = Array2::zeros((self.members.len(), self.columns()));
        for (mut row, member) in mean.rows_mut().into_iter().zip(&self.members) {
            let own = member.importance();
            let total = sum(own.iter().copied());
            row.iter_mut().zip(own).for_each(|(to, value)| *to = if total > 0.0 { value / total } else { 0.0 });
        }
        mean.mean_axis(Axis(0)).map(|mean| mean.to_vec()).unwrap_or_default()
    }

    fn disagreement(&self, features: ArrayView2<'_, f64>) -> Option<Vec<f64>> {
        Some(self.say(features).iter().map(|said| said.disagreement).collect())
    }
}

impl Fitted for EnsembleModel {
    fn check_stored(&self) -> Result<(), ModelError> {
        let damaged = |what: &str| Err(ModelError::Damaged(what.to_owned()));
        if !(2..=MAX_MEMBERS).contains(&self.members.len()) {
            return damaged("an ensemble has 2 to 16 members");
        }
        if self.members.iter().any(|member| member.columns() != self.columns()) {
            return damaged("the members of an ensemble read different numbers of features");
        }
        if self.members.iter().any(|member| member.task() != Task::Classification) {
            return damaged("a member of an ensemble gives no probability");
        }
        if !self.combiner.is_sound(self.members.len()) || self.rules.best >= self.members.len() {
            return damaged("an ensemble is put together of other members than it has");
        }
        Ok(())
    }
}
