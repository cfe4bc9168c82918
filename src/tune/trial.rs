//! Trials: a proposal, what the objective returned for it, and the record of both.
//!
//! Records hold no NaN and no infinity: what the objective returned is checked once, in [`Trial::of`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::pruner::Peers;
use super::space::Params;

/// A point to evaluate.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Proposal {
    /// Number of the trial, from 0.
    pub number: u64,
    /// Values of the active parameters.
    pub params: Params,
    /// Trials that it may be compared with while it runs.
    pub peers: Peers,
}

/// What became of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialState {
    /// Evaluated in full; every constraint holds.
    Complete,
    /// Stopped early as hopeless: its value is an estimate, told to samplers but never best.
    Pruned,
    /// Evaluated in full, but some constraint is violated.
    Infeasible,
    /// The objective returned an error, no finite value, or panicked.
    Failed,
}

/// What an objective returns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// The score, or its estimate when pruned; `None` when there is none.
    pub value: Option<f64>,
    /// Whether the evaluation was stopped early.
    pub pruned: bool,
    /// The score of each fold; `None` for folds not run.
    pub fold_values: Vec<Option<f64>>,
    /// Constraint functions: at most 0 where satisfied, the amount of violation above.
    pub constraints: Vec<f64>,
    /// Why there is no value, or anything a reader should know.
    pub message: Option<String>,
    /// Further numbers for the report.
    pub attributes: BTreeMap<String, f64>,
}

impl Evaluation {
    /// A full evaluation.
    pub fn complete(value: f64) -> Self {
        Self { value: Some(value), ..Self::default() }
    }

    /// An evaluation stopped early, with an estimate of its value.
    pub fn pruned(estimate: f64) -> Self {
        Self { value: Some(estimate), pruned: true, ..Self::default() }
    }

    /// An evaluation that came to nothing.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), ..Self::default() }
    }

    /// Adds constraint functions (at most 0 where satisfied).
    #[must_use]
    pub fn with_constraints(mut self, constraints: Vec<f64>) -> Self {
        self.constraints = constraints;
        self
    }
}

/// The record of a finished trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Number of the trial, from 0.
    pub number: u64,
    /// Values of the active parameters.
    pub params: Params,
    /// What became of it.
    pub state: TrialState,
    /// The score (an estimate when pruned); always there when complete, never when failed.
    pub value: Option<f64>,
    /// The score of each fold; `None` for folds not run or undefined.
    pub fold_values: Vec<Option<f64>>,
    /// Constraint functions: at most 0 where satisfied.
    pub constraints: Vec<f64>,
    /// Why it failed, or anything a reader should know.
    pub message: Option<String>,
    /// Further numbers for the report.
    pub attributes: BTreeMap<String, f64>,
}

impl Trial {
    /// Records an evaluation.
    ///
    /// # NaN
    /// A value that is NaN or infinite, or a constraint that is NaN, makes the trial failed. Undefined fold values
    /// become `None`, undefined attributes are dropped, infinite constraints become the largest finite number.
    pub fn of(proposal: Proposal, evaluation: Evaluation) -> Self {
        let Evaluation { value, pruned, fold_values, constraints, mut message, attributes } = evaluation;
        let problem = problem_of(value, &constraints);
        let violated = constraints.iter().any(|constraint| *constraint > 0.0);
        let state = match (&problem, pruned, violated) {
            (Some(_), _, _) => TrialState::Failed,
            (None, true, _) => TrialState::Pruned,
            (None, false, true) => TrialState::Infeasible,
            (None, false, false) => TrialState::Complete,
        };
        if message.is_none() {
            message = problem;
        }
        let failed = state == TrialState::Failed;
        Self {
            number: proposal.number,
            params: proposal.params,
            state,
            value: value.filter(|_| !failed),
            fold_values: fold_values.into_iter().map(|fold| fold.filter(|value| value.is_finite())).collect(),
            constraints: constraints
                .into_iter()
                .filter(|constraint| !constraint.is_nan())
                .map(|constraint| constraint.clamp(f64::MIN, f64::MAX))
                .collect(),
            message,
            attributes: attributes.into_iter().filter(|(_, number)| number.is_finite()).collect(),
        }
    }

    /// The sum of all violations; 0 where every constraint holds.
    pub fn violation(&self) -> f64 {
        self.constraints
            .iter()
            .map(|constraint| constraint.max(0.0))
            .fold(0.0, |total, one| (total + one).min(f64::MAX))
    }
}

fn problem_of(value: Option<f64>, constraints: &[f64]) -> Option<String> {
    match value {
        None => return Some("the objective returned no value".to_owned()),
        Some(value) if !value.is_finite() => return Some(format!("the objective returned {value}")),
        Some(_) => {}
    }
    let undefined = constraints.iter().position(|constraint| constraint.is_nan())?;
    Some(format!("constraint {undefined} is not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(evaluation: Evaluation) -> Trial {
        Trial::of(Proposal { number: 3, ..Proposal::default() }, evaluation)
    }

    #[test]
    fn undefined_numbers_never_reach_a_record() {
        let mut evaluation = Evaluation::complete(1.0).with_constraints(vec![f64::NEG_INFINITY]);
        evaluation.fold_values = vec![Some(f64::NAN), Some(2.0), None];
        evaluation.attributes = [("a".to_owned(), f64::INFINITY), ("b".to_owned(), 1.0)].into();
        let trial = record(evaluation);
        assert_eq!(trial.fold_values, [None, Some(2.0), None]);
        assert_eq!(trial.attributes.len(), 1);
        let text = serde_json::to_string(&trial).unwrap();
        assert_eq!(serde_json::from_str::<Trial>(&text).unwrap(), trial);
    }

    #[test]
    fn an_undefined_score_is_a_failure_with_a_reason() {
        for evaluation in [
            Evaluation::complete(f64::NAN),
            Evaluation::complete(f64::INFINITY),
            Evaluation::default(),
            Evaluation::complete(1.0).with_constraints(vec![f64::NAN]),
        ] {
            let trial = record(evaluation);
            assert_eq!((trial.state, trial.value), (TrialState::Failed, None));
            assert!(trial.message.is_some());
        }
    }

    #[test]
    fn a_violated_constraint_is_infeasible() {
        let trial = record(Evaluation::complete(1.0).with_constraints(vec![-1.0, 0.5, 2.0]));
        assert_eq!((trial.state, trial.value, trial.violation()), (TrialState::Infeasible, Some(1.0), 2.5));
        let satisfied = record(Evaluation::complete(1.0).with_constraints(vec![0.0]));
        assert_eq!(satisfied.state, TrialState::Complete);
        assert_eq!(record(Evaluation::pruned(1.0)).state, TrialState::Pruned);
    }
}
