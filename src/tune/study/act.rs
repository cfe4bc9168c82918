//! The acting side: evaluates, tells, saves, on the thread that called.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::channel;
use std::thread;

use rayon::prelude::*;

use crate::base::CancelToken;

use super::super::trial::{Evaluation, Proposal, Trial};
use super::solver::{self, Demand, Demands, Run};
use super::state::{StudyCheckpoint, StudyObserver};
use super::{Cause, Study, StudyState, TuneError};

type Objective<'a> = &'a (dyn Fn(&Proposal) -> Evaluation + Sync);

/// Runs the deciding side on a thread of its own and serves it until it is done.
pub(super) fn run(
    stored: Option<StudyState>,
    fresh: StudyState,
    trials: u64,
    objective: Objective,
    observer: &mut dyn StudyObserver,
    checkpoint: Option<&dyn StudyCheckpoint>,
    cancel: &CancelToken,
) -> Result<Study, TuneError> {
    let stop = CancelToken::new();
    let save_every = checkpoint.map(StudyCheckpoint::every);
    let setup = Run { stored, fresh, trials, save_every, stop: stop.clone() };
    let (sender, demands) = channel();
    let decided = thread::scope(|scope| {
        let decider = scope.spawn(move || solver::run(setup, sender));
        let served = serve(&demands, objective, observer, checkpoint, cancel, &stop);
        let decided = decider.join().map_err(|panic| TuneError::Solver { message: panic_message(&*panic) })?;
        served.map_err(TuneError::Save)?;
        decided
    });
    decided.map(|(state, end)| Study { state, end })
}

/// Serves until the deciding side hangs up. Keeps the first failure to save.
fn serve(
    demands: &Demands,
    objective: Objective,
    observer: &mut dyn StudyObserver,
    checkpoint: Option<&dyn StudyCheckpoint>,
    cancel: &CancelToken,
    stop: &CancelToken,
) -> Result<(), Cause> {
    let mut saved = Ok(());
    for demand in demands {
        // a receiver that is gone shows up as the end of the demands
        match demand {
            Demand::Evaluate(proposals, answer) => {
                let trials = evaluate(proposals, objective, cancel);
                if cancel.is_cancelled() {
                    stop.cancel();
                }
                let _ = answer.send(trials);
            }
            Demand::Observe(trial, best) => {
                observer.on_trial(&trial, best.as_deref());
                if cancel.is_cancelled() {
                    stop.cancel();
                }
            }
            Demand::Save(state, answer) => {
                if saved.is_ok() {
                    saved = checkpoint.map_or(Ok(()), |store| store.save(&state));
                }
                let _ = answer.send(saved.is_ok());
            }
        }
    }
    saved
}

/// Evaluates proposals side by side; those not begun before a cancellation are left out.
fn evaluate(proposals: Vec<Proposal>, objective: Objective, cancel: &CancelToken) -> Vec<Trial> {
    proposals
        .into_par_iter()
        .map(|proposal| (!cancel.is_cancelled()).then(|| evaluate_one(proposal, objective)))
        .collect::<Vec<Option<Trial>>>()
        .into_iter()
        .flatten()
        .collect()
}

fn evaluate_one(proposal: Proposal, objective: Objective) -> Trial {
    // what the objective may have left half-changed is the caller's; we only read its answer
    let answer = catch_unwind(AssertUnwindSafe(|| objective(&proposal)));
    let evaluation = answer
        .unwrap_or_else(|panic| Evaluation::failed(format!("the objective panicked: {}", panic_message(&*panic))));
    Trial::of(proposal, evaluation)
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}
