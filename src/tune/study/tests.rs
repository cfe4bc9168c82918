//! A study is a function of its space, configuration and objective, and of nothing else.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::tune::pruner::Peers;
use crate::tune::sampler::SamplerKind;
use crate::tune::space::ParamValue;

fn space() -> SearchSpace {
    serde_json::from_str(
        r#"{"x": {"float": [-5, 5]}, "n": {"int": [1, 64], "log": true}, "exit": {"choice": ["ma", "atr"]},
            "stop": {"float": [0.5, 6], "log": true, "when": {"exit": ["atr"]}}}"#,
    )
    .unwrap()
}

fn score(proposal: &Proposal) -> Evaluation {
    let at = |name: &str| proposal.params.get(name).and_then(ParamValue::as_f64);
    let bowl = (at("x").unwrap() - 1.0).powi(2) + (at("n").unwrap().ln() - 2.0).powi(2);
    let exit = at("stop").map_or(1.0, |stop| (stop / 2.0).ln().powi(2));
    match proposal.number % 13 {
        4 => Evaluation::failed("no trades"),
        9 => Evaluation::pruned(-bowl),
        11 => Evaluation::complete(-bowl).with_constraints(vec![1.0]),
        _ => Evaluation::complete(-bowl - exit),
    }
}

fn config(trials: u64) -> StudyConfig {
    StudyConfig { trials, seed: Seed::new(17), ..StudyConfig::default() }
}

fn finished(config: &StudyConfig, checkpoint: Option<&dyn StudyCheckpoint>) -> Study {
    run_study(&space(), config, &[], &score, &mut NoObserver, checkpoint, &CancelToken::new()).unwrap()
}

/// Records compare by their bytes: equal bits, not merely equal numbers.
fn bytes(trials: &[Trial]) -> String {
    serde_json::to_string(trials).unwrap()
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        // unequal durations: trials of a window finish in another order than they were proposed in
        let uneven = |proposal: &Proposal| {
            std::thread::sleep(std::time::Duration::from_micros(200 * (proposal.number * 7 % 5)));
            score(proposal)
        };
        let run = || run_study(&space(), &config(100), &[], &uneven, &mut NoObserver, None, &CancelToken::new());
        pool.install(run).unwrap()
    };
    let one = run(1);
    assert_eq!(one.trials().len(), 100);
    for threads in [2, 4, 7] {
        assert_eq!(bytes(one.trials()), bytes(run(threads).trials()), "{threads} threads");
    }
}

#[test]
fn a_hundred_trials_and_a_hundred_more_are_two_hundred() {
    for kind in SamplerKind::all() {
        let of = |trials| StudyConfig { sampler: kind.into(), ..config(trials) };
        let whole = finished(&of(200), None);
        let store = MemoryCheckpoint::default();
        let half = finished(&of(100), Some(&store));
        // through text, as a file would
        let text = serde_json::to_string(&half.state).unwrap();
        let store = MemoryCheckpoint::holding(serde_json::from_str(&text).unwrap());
        let both = finished(&of(200), Some(&store));
        assert_eq!(bytes(whole.trials()), bytes(both.trials()), "{kind}");
        assert_eq!(store.load().unwrap().unwrap(), both.state);
    }
}

#[test]
fn a_proposal_depends_on_nothing_inside_its_lag() {
    // another score of trial 60 may change trial 64, the first that may know it, but none before
    let altered = |proposal: &Proposal| {
        if proposal.number == 60 { Evaluation::complete(100.0) } else { score(proposal) }
    };
    let run = |objective: &(dyn Fn(&Proposal) -> Evaluation + Sync)| {
        run_study(&space(), &config(100), &[], objective, &mut NoObserver, None, &CancelToken::new()).unwrap()
    };
    let (before, after) = (run(&score), run(&altered));
    for number in 0..64 {
        assert_eq!(before.trials()[number].params, after.trials()[number].params, "{number}");
    }
    assert!((64..100).any(|number| before.trials()[number].params != after.trials()[number].params));
}

#[test]
fn a_trial_is_compared_with_what_its_proposal_knew() {
    let seen = std::sync::Mutex::new(BTreeMap::new());
    let watching = |proposal: &Proposal| {
        seen.lock().unwrap().insert(proposal.number, proposal.peers.clone());
        let evaluation = score(proposal);
        Evaluation { fold_values: vec![evaluation.value, Some(1.0)], ..evaluation }
    };
    let study = run_study(&space(), &config(100), &[], &watching, &mut NoObserver, None, &CancelToken::new()).unwrap();
    for (number, peers) in seen.into_inner().unwrap() {
        let known = &study.trials()[..(number + 1).saturating_sub(study.state.lag) as usize];
        assert_eq!(peers, Peers::of(known, Direction::Maximize), "{number}");
    }
}

#[test]
fn an_earlier_study_is_known_from_the_beginning_where_it_lies_inside_the_space() {
    let earlier = finished(&config(60), None);
    let narrow: SearchSpace = serde_json::from_str(
        r#"{"x": {"float": [-1, 5]}, "n": {"int": [1, 64], "log": true}, "exit": {"choice": ["ma", "atr"]},
            "stop": {"float": [0.5, 6], "log": true, "when": {"exit": ["atr"]}}}"#,
    )
    .unwrap();
    let run = |config: &StudyConfig, checkpoint: Option<&dyn StudyCheckpoint>| {
        let (trials, cancel) = (earlier.trials(), CancelToken::new());
        run_study(&narrow, config, trials, &score, &mut NoObserver, checkpoint, &cancel).unwrap()
    };
    let warm = run(&config(20), None);
    let inside = earlier.trials().iter().filter(|trial| trial.params["x"].as_f64().unwrap() >= -1.0);
    assert!(warm.state.earlier.iter().eq(inside) && warm.state.earlier.len() < 60);
    // the first proposal already looks at results, and the earlier trials are not among the study's own
    let cold = run_study(&narrow, &config(20), &[], &score, &mut NoObserver, None, &CancelToken::new()).unwrap();
    assert_ne!(warm.trials()[0].params, cold.trials()[0].params);
    assert_eq!(warm.trials().len(), 20);
    // continued with the same earlier study, refused with another
    let store = MemoryCheckpoint::holding(run(&config(100), None).state);
    assert_eq!(bytes(run(&config(200), Some(&store)).trials()), bytes(run(&config(200), None).trials()));
    let other = run_study(&narrow, &config(200), &[], &score, &mut NoObserver, Some(&store), &CancelToken::new());
    assert!(other.unwrap_err().to_string().contains("another `earlier study`"));
}

#[test]
fn the_lag_is_at_most_a_twentieth_of_the_trials() {
    let lag = |lag, trials| StudyConfig { lag, trials, ..config(1) }.effective_lag();
    assert_eq!([lag(4, 100), lag(4, 60), lag(4, 5), lag(0, 100), lag(50, 200)], [4, 3, 1, 1, 10]);
}

#[test]
fn a_cancelled_study_keeps_what_was_finished_and_continues_as_if_nothing_happened() {
    let whole = finished(&config(100), None);
    for after in [0, 1, 2, 30, 98] {
        let (cancel, begun) = (CancelToken::new(), AtomicU64::new(0));
        let stopping = |proposal: &Proposal| {
            begun.fetch_add(1, Ordering::SeqCst);
            if proposal.number == after {
                cancel.cancel();
            }
            score(proposal)
        };
        let store = MemoryCheckpoint::default();
        let part = run_study(&space(), &config(100), &[], &stopping, &mut NoObserver, Some(&store), &cancel).unwrap();
        assert_eq!(part.end, StudyEnd::Cancelled);
        let kept = part.trials().len() + part.state.ahead.len();
        assert_eq!(kept as u64, begun.load(Ordering::SeqCst), "cancelled at {after}");
        assert_eq!(bytes(finished(&config(100), Some(&store)).trials()), bytes(whole.trials()));
    }
}

#[test]
fn a_study_cancelled_before_it_begins_has_no_trials() {
    let cancel = CancelToken::new();
    cancel.cancel();
    let study = run_study(&space(), &config(100), &[], &score, &mut NoObserver, None, &cancel).unwrap();
    assert_eq!((study.trials().len(), study.end), (0, StudyEnd::Cancelled));
}

#[test]
fn a_panic_is_a_failed_trial() {
    let fragile = |proposal: &Proposal| {
        assert!(!proposal.number.is_multiple_of(10), "no bars");
        score(proposal)
    };
    let study = run_study(&space(), &config(40), &[], &fragile, &mut NoObserver, None, &CancelToken::new()).unwrap();
    assert_eq!(study.trials().len(), 40);
    assert_eq!(study.trials()[10].state, TrialState::Failed);
    assert_eq!(study.trials()[10].message.as_deref(), Some("the objective panicked: no bars"));
}

#[test]
fn only_complete_trials_are_best() {
    let tempting = |proposal: &Proposal| match proposal.number {
        3 => Evaluation::pruned(1e9),
        4 => Evaluation::complete(1e9).with_constraints(vec![0.1]),
        5 => Evaluation::complete(f64::INFINITY),
        6 | 7 => Evaluation::complete(10.0),
        _ => Evaluation::complete(1.0),
    };
    let study = run_study(&space(), &config(20), &[], &tempting, &mut NoObserver, None, &CancelToken::new()).unwrap();
    assert_eq!(study.best().unwrap().number, 6);
    let none = |_: &Proposal| Evaluation::failed("never");
    let study = run_study(&space(), &config(20), &[], &none, &mut NoObserver, None, &CancelToken::new()).unwrap();
    assert_eq!((study.best(), study.trials().len()), (None, 20));
}

#[test]
fn the_observer_hears_of_every_new_trial_in_order() {
    let store = MemoryCheckpoint::default();
    finished(&config(80), Some(&store));
    let mut heard = Vec::new();
    let mut observer = |trial: &Trial, best: Option<&Trial>| heard.push((trial.number, best.map(|best| best.number)));
    let study =
        run_study(&space(), &config(120), &[], &score, &mut observer, Some(&store), &CancelToken::new()).unwrap();
    assert!(heard.iter().map(|(number, _)| *number).eq(80..120));
    assert_eq!(heard.last().unwrap().1, study.best().map(|best| best.number));
}

#[test]
fn an_exhausted_space_ends_the_study() {
    let small: SearchSpace = serde_json::from_str(r#"{"a": {"int": [1, 5]}, "b": {"choice": [1, 2]}}"#).unwrap();
    let count = |_: &Proposal| Evaluation::complete(1.0);
    let study = run_study(&small, &config(100), &[], &count, &mut NoObserver, None, &CancelToken::new()).unwrap();
    assert_eq!((study.trials().len(), study.end), (10, StudyEnd::Exhausted));
}

#[test]
fn another_study_is_not_continued() {
    let store = MemoryCheckpoint::default();
    let study = finished(&config(20), Some(&store));
    let refusal = |config: &StudyConfig, store: &MemoryCheckpoint| {
        run_study(&space(), config, &[], &score, &mut NoObserver, Some(store), &CancelToken::new())
            .unwrap_err()
            .to_string()
    };
    let other_seed = StudyConfig { seed: Seed::new(1), ..config(20) };
    assert!(refusal(&other_seed, &store).contains("another `seed`"));
    let newer = MemoryCheckpoint::holding(StudyState { version: 2, ..study.state.clone() });
    assert_eq!(refusal(&config(20), &newer), "the stored study has state version 2, expected 1");
    let mut damaged = study.state.clone();
    damaged.trials.swap(0, 1);
    assert!(refusal(&config(20), &MemoryCheckpoint::holding(damaged)).contains("damaged"));
    let none = StudyConfig { trials: 0, ..config(1) };
    assert_eq!(refusal(&none, &MemoryCheckpoint::default()), "expected at least 1 trial, found 0");
}

#[test]
fn a_finished_study_is_not_run_again() {
    let store = MemoryCheckpoint::default();
    let study = finished(&config(20), Some(&store));
    let never = |_: &Proposal| -> Evaluation { panic!("nothing is left to do") };
    let again =
        run_study(&space(), &config(20), &[], &never, &mut NoObserver, Some(&store), &CancelToken::new()).unwrap();
    assert_eq!(again, study);
}

/// Fails from the third save on.
struct FullDisk(AtomicU64);

impl StudyCheckpoint for FullDisk {
    fn load(&self) -> Result<Option<StudyState>, Cause> {
        Ok(None)
    }

    fn save(&self, _: &StudyState) -> Result<(), Cause> {
        if self.0.fetch_add(1, Ordering::SeqCst) < 2 { Ok(()) } else { Err("no space left".into()) }
    }
}

#[test]
fn a_failed_save_stops_the_study_and_says_so() {
    let begun = AtomicU64::new(0);
    let counting = |proposal: &Proposal| {
        begun.fetch_add(1, Ordering::SeqCst);
        score(proposal)
    };
    let cancel = CancelToken::new();
    let store = FullDisk(AtomicU64::new(0));
    let error = run_study(&space(), &config(100), &[], &counting, &mut NoObserver, Some(&store), &cancel).unwrap_err();
    assert!(matches!(error, TuneError::Save(_)));
    assert!(begun.load(Ordering::SeqCst) < 10 && !cancel.is_cancelled());
}

#[test]
fn a_configuration_has_defaults_and_refuses_what_it_does_not_know() {
    assert_eq!(serde_json::from_str::<StudyConfig>("{}").unwrap(), StudyConfig::default());
    assert!(serde_json::from_str::<StudyConfig>(r#"{"n_trials": 5}"#).is_err());
    let written: StudyConfig = serde_saphyr::from_str("sampler: {kind: random}\ndirection: minimize\n").unwrap();
    assert_eq!((written.sampler.kind, written.direction), (SamplerKind::Random, Direction::Minimize));
}

/// Resident memory and time of a long study, as a process sees them.
#[test]
#[ignore = "measures; `make bench-tune` runs it"]
fn memory_of_ten_thousand_trials() {
    let resident = || {
        let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
        // pages of 4 KiB
        text.split_whitespace().nth(1).and_then(|pages| pages.parse::<f64>().ok()).unwrap_or(f64::NAN) / 256.0
    };
    let (before, begun) = (resident(), std::time::Instant::now());
    let study = finished(&config(10_000), None);
    let (seconds, state) = (begun.elapsed().as_secs_f64(), serde_json::to_vec(&study.state).unwrap().len() as f64);
    println!(
        "10,000 trials of 4 parameters: {seconds:.1} s, {:.0} MB more than before, {:.1} MB on disk",
        resident() - before,
        state / 1e6
    );
}
