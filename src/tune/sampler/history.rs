//! Finished trials as a sampler sees them: rows of coordinates, best first.

use std::collections::BTreeSet;

use super::super::space::SearchSpace;
use super::super::study::Direction;
use super::super::trial::{Trial, TrialState};
use super::gp::Memo;

/// How good a trial is: states first, then the loss within a state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rank {
    pub state: TrialState,
    /// What is minimised: the signed score, for infeasible trials the violation.
    pub loss: f64,
}

impl Rank {
    fn of(trial: &Trial, direction: Direction) -> Self {
        let loss = match trial.state {
            TrialState::Infeasible => trial.violation(),
            _ => trial.value.map_or(f64::MAX, |value| direction.loss(value)),
        };
        Self { state: trial.state, loss }
    }

    fn class(self) -> u8 {
        match self.state {
            TrialState::Complete => 0,
            TrialState::Pruned => 1,
            TrialState::Infeasible => 2,
            TrialState::Failed => 3,
        }
    }

    fn total_cmp(self, other: Self) -> std::cmp::Ordering {
        self.class().cmp(&other.class()).then(self.loss.total_cmp(&other.loss))
    }
}

/// Finished trials in the order of their numbers, with their order by rank kept up to date.
#[derive(Clone, Debug)]
pub struct History {
    dimension: usize,
    direction: Direction,
    discrete: bool,
    coordinates: Vec<f64>,
    ranks: Vec<Rank>,
    best_first: Vec<usize>,
    failed: usize,
    seen: BTreeSet<Vec<u64>>,
    memo: Memo,
}

impl History {
    /// An empty history.
    pub fn new(space: &SearchSpace, direction: Direction) -> Self {
        Self {
            dimension: space.dimension(),
            direction,
            discrete: space.is_discrete(),
            coordinates: Vec::new(),
            ranks: Vec::new(),
            best_first: Vec::new(),
            failed: 0,
            seen: BTreeSet::new(),
            memo: Memo::default(),
        }
    }

    /// Adds a trial; one outside the space is left out.
    pub fn push(&mut self, space: &SearchSpace, trial: &Trial) {
        let Some(point) = space.encode(&trial.params) else { return };
        let rank = Rank::of(trial, self.direction);
        let place = self.best_first.partition_point(|&other| self.ranks[other].total_cmp(rank).is_le());
        self.best_first.insert(place, self.ranks.len());
        self.failed += usize::from(rank.state == TrialState::Failed);
        self.ranks.push(rank);
        if self.discrete {
            self.seen.insert(bits(&point));
        }
        self.coordinates.extend(point);
    }

    /// Number of trials.
    pub fn len(&self) -> usize {
        self.ranks.len()
    }

    /// Says whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.ranks.is_empty()
    }

    /// Number of trials that returned anything.
    pub(super) fn answered(&self) -> usize {
        self.len() - self.failed
    }

    pub(super) fn row(&self, trial: usize) -> &[f64] {
        &self.coordinates[trial * self.dimension..(trial + 1) * self.dimension]
    }

    pub(super) fn rank(&self, trial: usize) -> Rank {
        self.ranks[trial]
    }

    /// Trials from the best to the worst; equals in the order of their numbers, failed ones last.
    pub(super) fn best_first(&self) -> &[usize] {
        &self.best_first
    }

    /// What was derived from the first trials, and stays true as trials are added.
    pub(super) const fn memo(&self) -> &Memo {
        &self.memo
    }

    /// Says whether a point of a discrete space was tried.
    pub(super) fn has_seen(&self, point: &[f64]) -> bool {
        !self.seen.is_empty() && self.seen.contains(&bits(point))
    }
}

/// Rows compare by bits: an inactive parameter is the one NaN we write.
fn bits(point: &[f64]) -> Vec<u64> {
    point.iter().map(|coordinate| if coordinate.is_nan() { u64::MAX } else { coordinate.to_bits() }).collect()
}
