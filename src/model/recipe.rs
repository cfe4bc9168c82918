//! What is fitted to the training rows of one fold: weights, selected features, maps, stopping round, model.
//!
//! Everything is computed from the rows that are handed in and from nothing else, so that a fold cannot know of what
//! comes after it: not even how rare a label is, how old a row is seen from the end of the data, or which features help.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

use super::config::ModelConfig;
use super::ensemble::{Combination, base_rate};
use super::error::ModelError;
use super::learner::Learner;
use super::prepare::{Preparation, Prepared, Transform};
use super::select::{Selected, Selection, permutation_importance, strongest};
use super::training_set::{Task, TrainingSet};
use crate::base::{CancelToken, Seed};
use crate::split::{Span, inner_split};

/// Weights of rows when exactly these are learnt from, in their order; `None` weighs all alike.
pub type Weigh<'a> = &'a (dyn Fn(&[usize]) -> Option<Vec<f64>> + Sync);

/// Rows with known outcomes.
#[derive(Clone, Copy)]
pub struct Labelled<'a> {
    /// One row a sample, one column a feature.
    pub features: ArrayView2<'a, f64>,
    /// Class of each row, 0 or 1; the value of each row in a regression.
    pub target: ArrayView1<'a, f64>,
    /// What is learnt.
    pub task: Task,
    /// Names of the features.
    pub names: &'a [String],
    /// Sessions over which each label is made.
    pub spans: &'a [Span],
    /// R-multiple of each row, NaN where unknown.
    pub r: &'a [f64],
    /// Weights.
    pub weigh: Weigh<'a>,
}

/// How a model is made of rows.
#[derive(Clone, Copy, Debug)]
pub struct Recipe<'a> {
    /// Family and parameters.
    pub model: &'a ModelConfig,
    /// What is done to features.
    pub transform: Transform,
    /// Share of values that `winsorise` cuts off at each end.
    pub tail: f64,
    /// Which features are learnt from.
    pub selection: &'a Selection,
    /// Youngest share of the training sessions that early stopping judges by.
    pub stopping_share: f64,
}

/// What was fitted to a set of rows.
pub(super) struct Fitted {
    /// The members, one for a single model. They read the selected features.
    pub members: Vec<Prepared>,
    pub selected: Selected,
    /// The round at which each member stopped, where it stopped early.
    pub rounds: Vec<Option<usize>>,
    /// Rows that early stopping judged by.
    pub stopping_rows: usize,
    /// Weighted mean of the targets.
    pub base_rate: f64,
}

impl Labelled<'_> {
    /// Checks that lengths agree and that targets and features are what the task needs.
    pub(super) fn check(&self) -> Result<(), ModelError> {
        let rows = self.features.nrows();
        let lengths = [
            ("labels and rows", self.target.len()),
            ("spans and rows", self.spans.len()),
            ("R-multiples and rows", self.r.len()),
        ];
        if let Some(&(what, found)) = lengths.iter().find(|(_, found)| *found != rows) {
            return Err(ModelError::Shape { what, expected: rows, found });
        }
        let all: Vec<usize> = (0..rows).collect();
        self.set(&all, &(0..self.features.ncols()).collect::<Vec<_>>(), None).view().check()
    }

    /// Copies rows and columns out, mapped, with the weights that these rows have together.
    pub(super) fn set(&self, rows: &[usize], columns: &[usize], maps: Option<&Preparation>) -> Rows {
        let features = self.features.select(Axis(0), rows).select(Axis(1), columns);
        let named = columns.iter().filter_map(|&column| self.names.get(column).cloned());
        Rows {
            features: maps.map_or_else(|| features.clone(), |maps| maps.apply(features.view())),
            target: self.target.select(Axis(0), rows),
            weight: (self.weigh)(rows).map(Array1::from),
            task: self.task,
            names: named.collect(),
        }
    }
}

/// Rows copied out, as a learner takes them.
pub(super) struct Rows {
    features: Array2<f64>,
    target: Array1<f64>,
    weight: Option<Array1<f64>>,
    task: Task,
    names: Vec<String>,
}

impl Rows {
    pub(super) fn view(&self) -> TrainingSet<'_> {
        TrainingSet::new(self.features.view(), self.target.view())
            .weighted(self.weight.as_ref().map(Array1::view))
            .for_task(self.task)
            .named(&self.names)
    }
}

impl Recipe<'_> {
    /// The members of the model: itself where it has none.
    pub(super) fn members(&self) -> Result<Vec<Learner>, ModelError> {
        self.model.members().iter().map(|member| Learner::new(member.clone())).collect()
    }

    /// How members are put together; `None` where there is only one.
    pub(super) fn combination(&self) -> Option<Combination> {
        self.model.combination()
    }

    /// Fits everything to some rows. `rounds` are those that members stop at; without, they stop early by an inner split.
    pub(super) fn fit(
        &self,
        data: &Labelled<'_>,
        rows: &[usize],
        rounds: Option<&[Option<usize>]>,
        seed: Seed,
        cancel: &CancelToken,
    ) -> Result<Fitted, ModelError> {
        let learners = self.members()?;
        let selected = self.select(data, rows, &learners, seed.derive("selection"), cancel)?;
        let base_rate = base_rate(&data.set(rows, &[], None).view());
        let mut fitted = Fitted { members: Vec::new(), selected, rounds: Vec::new(), stopping_rows: 0, base_rate };
        for (at, learner) in learners.iter().enumerate() {
            let seed = member_seed(seed, at, learners.len());
            let rounds = rounds.and_then(|rounds| rounds[at]);
            let one = self.fit_member(data, rows, &fitted.selected.kept, learner, rounds, seed, cancel)?;
            fitted.rounds.push(one.rounds);
            fitted.stopping_rows = fitted.stopping_rows.max(one.stopping_rows);
            fitted.members.push(one.model);
        }
        Ok(fitted)
    }

    fn select(
        &self,
        data: &Labelled<'_>,
        rows: &[usize],
        learners: &[Learner],
        seed: Seed,
        cancel: &CancelToken,
    ) -> Result<Selected, ModelError> {
        if self.selection.is_off() {
            return Ok(Selected::all(data.features.ncols()));
        }
        let mut selected = self.selection.by_features(data.features.select(Axis(0), rows).view());
        let rule = &self.selection.permutation;
        if rule.is_off() {
            return Ok(selected);
        }
        let inner = inner_split(data.spans, rows, rule.share)?;
        if inner.train.is_empty() {
            return Err(ModelError::TooFewRows { found: 0, needed: 2 });
        }
        let mut members = Vec::with_capacity(learners.len());
        for (at, learner) in learners.iter().enumerate() {
            let seed = member_seed(seed, at, learners.len());
            members.push(self.fit_member(data, &inner.train, &selected.kept, learner, None, seed, cancel)?.model);
        }
        // what the members say on average stands for any way of putting them together
        let predict = |features: ArrayView2<'_, f64>| -> Vec<f64> {
            let said: Vec<_> = members.iter().map(|member| member.predict(features)).collect();
            (0..features.nrows())
                .map(|row| said.iter().map(|said| said[row]).sum::<f64>() / said.len() as f64)
                .collect()
        };
        let unseen = data.set(&inner.validation, &selected.kept, None);
        let importance =
            permutation_importance(&predict, &unseen.view(), rule.repeats, seed.derive("shuffle"), cancel)?;
        let kept = selected.kept.clone();
        selected.drop(strongest(&importance, rule).into_iter().map(|(column, reason)| (kept[column], reason)));
        Ok(selected)
    }

    #[expect(clippy::too_many_arguments, reason = "each is a different thing that decides the result")]
    fn fit_member(
        &self,
        data: &Labelled<'_>,
        rows: &[usize],
        columns: &[usize],
        learner: &Learner,
        rounds: Option<usize>,
        seed: Seed,
        cancel: &CancelToken,
    ) -> Result<Member, ModelError> {
        let fixed = rounds.and_then(|rounds| learner.config().with_rounds(rounds)).map(Learner::new).transpose()?;
        let learner = fixed.as_ref().unwrap_or(learner);
        if !learner.config().wants_validation() {
            let (maps, set) = self.mapped(data, rows, columns);
            let model = learner.fit(&set.view(), None, seed, cancel)?;
            return Ok(Member { model: Prepared::new(maps, model)?, rounds: None, stopping_rows: 0 });
        }
        let inner = inner_split(data.spans, rows, self.stopping_share)?;
        if inner.train.is_empty() {
            return Err(ModelError::TooFewRows { found: 0, needed: 2 });
        }
        let (maps, set) = self.mapped(data, &inner.train, columns);
        let unseen = data.set(&inner.validation, columns, Some(&maps));
        let model = learner.fit(&set.view(), Some(&unseen.view()), seed, cancel)?;
        let rounds = model.rounds();
        Ok(Member { model: Prepared::new(maps, model)?, rounds, stopping_rows: inner.validation.len() })
    }

    fn mapped(&self, data: &Labelled<'_>, rows: &[usize], columns: &[usize]) -> (Preparation, Rows) {
        let features = data.features.select(Axis(0), rows).select(Axis(1), columns);
        let maps = Preparation::fit(self.transform, self.tail, features.view());
        let set = data.set(rows, columns, Some(&maps));
        (maps, set)
    }
}

struct Member {
    model: Prepared,
    rounds: Option<usize>,
    stopping_rows: usize,
}

/// A model of its own draws as it would alone; members of an ensemble draw each from a stream of their own.
fn member_seed(seed: Seed, at: usize, members: usize) -> Seed {
    if members == 1 { seed } else { seed.derive("member").index(at as u64) }
}
