//! The deciding side: an argmin [`Solver`] whose iterations are trials.
//!
//! Traps of argmin 0.11 that shaped this file: an `Err` from `next_iter` drops the state (so that only a vanished
//! caller is one); the executor stops when `best cost <= target cost` (ours is minus infinity) and calls `init` only at
//! iteration 0 (so that nothing happens there); a loaded state replaces the configured one, its iteration limit
//! included (which is therefore not stored, but set anew for every run).

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use argmin::core::checkpointing::{Checkpoint, CheckpointingFrequency};
use argmin::core::observers::{Observe, ObserverMode};
use argmin::core::{Error, Executor, KV, Problem, Solver, State, TerminationReason, TerminationStatus};

use crate::base::CancelToken;

use super::super::pruner::Peers;
use super::super::sampler::{self, History, Request, SamplerConfig};
use super::super::space::Params;
use super::super::trial::{Proposal, Trial};
use super::{StudyEnd, StudyState, TuneError, best_of};

/// What the deciding side asks of the acting side.
pub(super) enum Demand {
    /// Evaluate these; trials that were not begun because of a cancellation are missing from the answer.
    Evaluate(Vec<Proposal>, Sender<Vec<Trial>>),
    /// Tell the observer: the trial and the best one so far.
    Observe(Box<Trial>, Option<Box<Trial>>),
    /// Save; the answer says whether to go on.
    Save(Box<StudyState>, Sender<bool>),
}

/// The state of a run: the study, and what argmin wants to know about it.
pub(super) struct RunState {
    study: Option<StudyState>,
    /// Trials wanted in all.
    wanted: u64,
    best: Option<usize>,
    status: TerminationStatus,
    counts: HashMap<String, u64>,
    time: Option<Duration>,
}

impl RunState {
    fn of(study: StudyState, wanted: u64) -> Self {
        let best = best_of(&study.trials, study.direction).map(|trial| trial.number as usize);
        Self { study: Some(study), wanted, best, ..Self::new() }
    }

    fn trials(&self) -> &[Trial] {
        self.study.as_ref().map_or(&[], |study| &study.trials)
    }

    fn best_trial(&self) -> Option<&Trial> {
        self.trials().get(self.best?)
    }

    fn cost_of(&self, trial: Option<&Trial>) -> f64 {
        let value = trial.and_then(|trial| trial.value);
        match (value, &self.study) {
            (Some(value), Some(study)) => study.direction.loss(value),
            _ => f64::INFINITY,
        }
    }
}

impl State for RunState {
    type Param = Params;
    type Float = f64;

    fn new() -> Self {
        Self {
            study: None,
            wanted: 0,
            best: None,
            status: TerminationStatus::NotTerminated,
            counts: HashMap::new(),
            time: None,
        }
    }

    fn update(&mut self) {
        let Some(study) = &self.study else { return };
        let newest = study.trials.last().map(std::slice::from_ref).unwrap_or_default();
        let candidate = best_of(newest, study.direction);
        if candidate.is_some() && self.cost_of(candidate) < self.get_best_cost() {
            self.best = Some(study.trials.len() - 1);
        }
    }

    fn get_param(&self) -> Option<&Params> {
        self.trials().last().map(|trial| &trial.params)
    }

    fn get_best_param(&self) -> Option<&Params> {
        self.best_trial().map(|trial| &trial.params)
    }

    fn get_max_iters(&self) -> u64 {
        self.wanted
    }

    /// Counting is left to the list of trials.
    fn increment_iter(&mut self) {}

    fn get_iter(&self) -> u64 {
        self.trials().len() as u64
    }

    fn get_cost(&self) -> f64 {
        self.cost_of(self.trials().last())
    }

    fn get_best_cost(&self) -> f64 {
        self.cost_of(self.best_trial())
    }

    fn get_target_cost(&self) -> f64 {
        f64::NEG_INFINITY
    }

    fn func_counts<O>(&mut self, problem: &Problem<O>) {
        self.counts = problem.counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    }

    fn get_func_counts(&self) -> &HashMap<String, u64> {
        &self.counts
    }

    fn time(&mut self, time: Option<Duration>) -> &mut Self {
        self.time = time;
        self
    }

    fn get_time(&self) -> Option<Duration> {
        self.time
    }

    fn get_last_best_iter(&self) -> u64 {
        self.best.map_or(0, |best| best as u64)
    }

    fn is_best(&self) -> bool {
        self.best.is_some_and(|best| best + 1 == self.trials().len())
    }

    fn terminate_with(mut self, reason: TerminationReason) -> Self {
        self.status = TerminationStatus::Terminated(reason);
        self
    }

    fn get_termination_status(&self) -> &TerminationStatus {
        &self.status
    }

    fn get_termination_reason(&self) -> Option<&TerminationReason> {
        match &self.status {
            TerminationStatus::Terminated(reason) => Some(reason),
            TerminationStatus::NotTerminated => None,
        }
    }
}

/// The problem as argmin sees it: a way to have proposals evaluated.
struct Evaluator(Sender<Demand>);

impl Evaluator {
    fn evaluate(&self, proposals: Vec<Proposal>) -> Result<Vec<Trial>, Error> {
        let (answer, answered) = channel();
        self.0.send(Demand::Evaluate(proposals, answer)).map_err(|_| Gone)?;
        Ok(answered.recv().map_err(|_| Gone)?)
    }
}

/// The calling thread is no longer there.
#[derive(Debug, thiserror::Error)]
#[error("the caller of the study is gone")]
struct Gone;

/// Proposes and records; everything it keeps is derived from the list of trials.
#[derive(Default)]
struct StudySolver {
    cancel: CancelToken,
    /// Trials up to the newest that a proposal was allowed to know, after those of an earlier study.
    known: Option<History>,
    /// The same trials as those a running one is compared with.
    peers: Peers,
    /// How many trials of this study are known.
    known_trials: usize,
    /// Points of proposed trials, from the first one in `known` on.
    proposed: BTreeMap<u64, Params>,
}

impl Solver<Evaluator, RunState> for StudySolver {
    fn name(&self) -> &str {
        "fixed-lag study"
    }

    fn next_iter(
        &mut self,
        problem: &mut Problem<Evaluator>,
        mut state: RunState,
    ) -> Result<(RunState, Option<KV>), Error> {
        let Some(study) = state.study.as_mut() else { return Err(Gone.into()) };
        let number = study.next();
        if !study.ahead.contains_key(&number) {
            let proposals = self.proposals(study, state.wanted);
            let finished = match proposals.len() {
                0 => Vec::new(),
                _ => problem.problem("evaluate_count", |evaluator| evaluator.evaluate(proposals))?,
            };
            study.ahead.extend(finished.into_iter().map(|trial| (trial.number, trial)));
        }
        match study.ahead.remove(&number) {
            Some(trial) => study.trials.push(trial),
            // proposed but not evaluated: someone asked for a stop
            None if self.proposed.contains_key(&number) => state = state.terminate_with(TerminationReason::Interrupt),
            None => state = state.terminate_with(TerminationReason::SolverConverged),
        }
        Ok((state, None))
    }

    fn terminate(&mut self, state: &RunState) -> TerminationStatus {
        // trials that were finished beside the current one are recorded first
        let unfinished = state.study.as_ref().is_some_and(|study| !study.ahead.contains_key(&study.next()));
        if self.cancel.is_cancelled() && unfinished && state.get_iter() < state.get_max_iters() {
            return TerminationStatus::Terminated(TerminationReason::Interrupt);
        }
        TerminationStatus::NotTerminated
    }
}

impl StudySolver {
    /// Proposals that may be evaluated now: the window that begins with the first unfinished trial.
    fn proposals(&mut self, study: &StudyState, wanted: u64) -> Vec<Proposal> {
        let next = study.next();
        let end = (next + study.lag).min(wanted);
        let mut proposals = Vec::new();
        for number in next..end {
            let Some(params) = self.proposal(study, number) else { break };
            if !study.ahead.contains_key(&number) {
                proposals.push(Proposal { number, params, peers: self.peers.clone() });
            }
        }
        proposals
    }

    /// The point of a trial, proposed at most once.
    fn proposal(&mut self, study: &StudyState, number: u64) -> Option<Params> {
        if let Some(params) = self.proposed.get(&number) {
            return Some(params.clone());
        }
        let space = &study.space;
        let end = (number + 1).saturating_sub(study.lag) as usize;
        let history = self.known.get_or_insert_with(|| {
            let mut history = History::new(space, study.direction);
            study.earlier.iter().for_each(|trial| history.push(space, trial));
            history
        });
        for trial in study.trials.get(self.known_trials..end).unwrap_or_default() {
            history.push(space, trial);
            self.peers.push(trial, study.direction);
            self.known_trials += 1;
        }
        self.proposed = self.proposed.split_off(&(end as u64));
        let params_of = |pending: u64| {
            let finished = study.trials.get(pending as usize).or_else(|| study.ahead.get(&pending));
            finished.map(|trial| &trial.params).or_else(|| self.proposed.get(&pending))
        };
        let pending: Vec<Vec<f64>> =
            (end as u64..number).filter_map(|pending| space.encode(params_of(pending)?)).collect();
        let SamplerConfig { kind, levels, .. } = study.sampler;
        // what an earlier study has seen needs no second look
        let startup_trials = study.sampler.startup().saturating_sub(study.earlier.len() as u64);
        let request = Request { space, history, pending: &pending, number, seed: study.seed, startup_trials, levels };
        let params = space.decode(&sampler::propose(kind, &request)?);
        self.proposed.insert(number, params.clone());
        Some(params)
    }
}

/// Passes finished trials on to the caller's observer.
struct ObserverAdaptor(Sender<Demand>);

impl Observe<RunState> for ObserverAdaptor {
    fn observe_iter(&mut self, state: &RunState, _: &KV) -> Result<(), Error> {
        // an iteration that ended the study has no new trial
        if let (Some(trial), false) = (state.trials().last(), state.terminated()) {
            let best = state.best_trial().map(|best| Box::new(best.clone()));
            self.0.send(Demand::Observe(Box::new(trial.clone()), best)).map_err(|_| Gone)?;
        }
        Ok(())
    }
}

/// Passes states on to the caller's checkpoint, and hands a loaded one to the executor.
struct CheckpointAdaptor {
    demands: Sender<Demand>,
    every: u64,
    cancel: CancelToken,
    stored: RefCell<Option<RunState>>,
}

impl Checkpoint<StudySolver, RunState> for CheckpointAdaptor {
    fn save(&self, _: &StudySolver, state: &RunState) -> Result<(), Error> {
        let Some(study) = &state.study else { return Ok(()) };
        save(&self.demands, study, &self.cancel)
    }

    fn load(&self) -> Result<Option<(StudySolver, RunState)>, Error> {
        let solver = StudySolver { cancel: self.cancel.clone(), ..StudySolver::default() };
        Ok(self.stored.take().map(|state| (solver, state)))
    }

    fn frequency(&self) -> CheckpointingFrequency {
        CheckpointingFrequency::Every(self.every.max(1))
    }
}

/// Has a state saved; a failed save stops the run, since work that cannot be kept should not go on.
fn save(demands: &Sender<Demand>, study: &StudyState, stop: &CancelToken) -> Result<(), Error> {
    let (answer, answered) = channel();
    demands.send(Demand::Save(Box::new(study.clone()), answer)).map_err(|_| Gone)?;
    if !answered.recv().map_err(|_| Gone)? {
        stop.cancel();
    }
    Ok(())
}

/// How the deciding side is set up.
pub(super) struct Run {
    pub stored: Option<StudyState>,
    pub fresh: StudyState,
    pub trials: u64,
    /// Trials between two saves; `None` without a checkpoint.
    pub save_every: Option<u64>,
    /// Stops this run; not the caller's token, since a failed save must not cancel the caller's other work.
    pub stop: CancelToken,
}

/// Runs the executor to its end on the current thread.
pub(super) fn run(run: Run, demands: Sender<Demand>) -> Result<(StudyState, StudyEnd), TuneError> {
    let solver = StudySolver { cancel: run.stop.clone(), ..StudySolver::default() };
    let mut executor = Executor::new(Evaluator(demands.clone()), solver)
        .ctrlc(false)
        .timer(false)
        .add_observer(ObserverAdaptor(demands.clone()), ObserverMode::Always);
    let stored = run.stored.map(|study| RunState::of(study, run.trials));
    executor = match (stored, run.save_every) {
        (stored, Some(every)) => {
            let fresh = RunState::of(run.fresh, run.trials);
            let (demands, cancel) = (demands.clone(), run.stop.clone());
            let adaptor = CheckpointAdaptor { demands, every, cancel, stored: RefCell::new(stored) };
            executor.configure(|_| fresh).checkpointing(adaptor)
        }
        (stored, None) => {
            let state = stored.unwrap_or_else(|| RunState::of(run.fresh, run.trials));
            executor.configure(|_| state)
        }
    };
    let broken = |error: Error| TuneError::Solver { message: format!("{error:#}") };
    let state = executor.run().map_err(broken)?.state;
    let end = match state.get_termination_reason() {
        Some(TerminationReason::Interrupt) => StudyEnd::Cancelled,
        Some(TerminationReason::SolverConverged) => StudyEnd::Exhausted,
        _ => StudyEnd::Finished,
    };
    let Some(study) = state.study else { return Err(TuneError::Solver { message: "no state".to_owned() }) };
    if run.save_every.is_some() {
        save(&demands, &study, &run.stop).map_err(broken)?;
    }
    Ok((study, end))
}

/// The receiving end of the demands.
pub(super) type Demands = Receiver<Demand>;
