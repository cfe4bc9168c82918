//! Gaussian process: the point where the expected improvement over a smooth model of the results is largest.
//!
//! Results are brought to a common scale first ([`outcome`]); the model is a Matern process ([`kernel`]) whose lengths are
//! fitted ([`fit`]) on a fixed schedule of history lengths, each from where the last one ended. The chain of fits depends
//! on the history alone, so that a continued study repeats it; [`Memo`] only saves doing so for every proposal.
//!
//! A pending point narrows the model as if its result were what the model expects (a "believer"): the mean stays, the
//! variance around it vanishes, and proposals made together keep apart.
//!
//! # References
//! Jones, Schonlau and Welch (1998), "Efficient global optimization of expensive black-box functions"; Ginsbourger, Le
//! Riche and Carraro (2010), "Kriging is well-suited to parallelize optimization"; Ament and others (2023), "Unexpected
//! improvements to expected improvement" (its logarithm).

mod acquisition;
mod fit;
mod kernel;
mod linear;
mod outcome;

use std::sync::{Mutex, PoisonError};

use super::super::space::SearchSpace;
use super::history::History;
use super::{Request, discrete, startup};
use acquisition::Model;
use fit::LogParameters;
use kernel::Features;

/// Trials that a model is made of at most: the best quarter of this, and the newest.
const MOST_TRIALS: usize = 400;

/// The history length at which lengths are first fitted.
const FIRST_FIT: usize = 4;

/// Lengths are fitted again when the history has grown by one part in this.
const REFIT_PART: usize = 25;

/// Fits that were made of a history, by its length then.
#[derive(Debug, Default)]
pub(super) struct Memo(Mutex<Vec<(usize, LogParameters)>>);

impl Clone for Memo {
    fn clone(&self) -> Self {
        Self(Mutex::new(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()))
    }
}

/// Proposes by expected improvement; a Latin hypercube while nothing is known.
pub(super) fn propose_gp(request: &Request) -> Option<Vec<f64>> {
    let mut stream = request.stream();
    if let Some(point) = startup::uninformed(request, true, &mut stream) {
        return if discrete::is_new(request, &point) { Some(point) } else { discrete::any_new(request, &mut stream) };
    }
    let model = Model::of(request, &lengths(request.space, request.history));
    match model.and_then(|model| model.best(request, &mut stream)) {
        Some(point) => Some(point),
        None => discrete::any_new(request, &mut stream),
    }
}

/// The log parameters in force for a history: those of the last fit of the schedule.
fn lengths(space: &SearchSpace, history: &History) -> LogParameters {
    let mut memo = history.memo().0.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let (next, from) = match memo.last() {
            None => (FIRST_FIT, fit::start(space.dimension())),
            Some((at, log)) => (at + (at / REFIT_PART).max(1), log.clone()),
        };
        if next > history.len() {
            return from;
        }
        let trials = modelled(history, next);
        let values = outcome::scaled(history, &trials);
        let features = Features::of(space, trials.iter().map(|&trial| history.row(trial)));
        memo.push((next, fit::improve(space, &features, &values, &from)));
    }
}

/// The trials among the first `length` that a model is made of, in their order.
fn modelled(history: &History, length: usize) -> Vec<usize> {
    if length <= MOST_TRIALS {
        return (0..length).collect();
    }
    let best = history.best_first().iter().copied().filter(|&trial| trial < length).take(MOST_TRIALS / 4);
    let mut kept: Vec<usize> = best.collect();
    let newest: Vec<usize> =
        (0..length).rev().filter(|trial| !kept.contains(trial)).take(MOST_TRIALS - kept.len()).collect();
    kept.extend(newest);
    kept.sort_unstable();
    kept
}

#[cfg(test)]
mod tests;
