//! Which node runs when: each is looked at once, as soon as everything it waits for has ended; those that must run wait
//! for their turn in the queue.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::attempt::{Attempt, AttemptError, GRACE, Made, attempt};
use super::event::{AttemptRecord, NodeRecord, Outcome, RunEvent, RunStatus};
use super::exclusive::enter;
use super::interrupted;
use super::journal::{Journal, StartRecord};
use super::log::AttemptLog;
use super::notify::{DueNotification, due, write_down};
use super::provenance::attest;
use super::publish::publish;
use super::queue::Queue;
use super::{EngineError, PinnedSources, RunOptions, RunReport, chain};
use super::{audit_node, child};
use crate::artifact::{Action, Artifact, ArtifactRef, ArtifactType, Store, StoreError};
use crate::base::{CancelToken, Digest, Seed, Timestamp};
use crate::node::{Executor, NodeError};
use crate::pipeline::{Node, Pipeline};
use crate::plan::{Fingerprint, Given, NodeState, Outside, Resolution, find_reusable, resolve};
use crate::registry::{Registry, RegistryClient};

/// How often a waiting run looks whether it was asked to stop.
const TICK: Duration = Duration::from_millis(50);
/// Nodes that end within so long are written down together.
const FLUSH_EVERY: Duration = Duration::from_millis(200);
/// Records of nodes that may be held back: what is known of each takes memory.
const HELD_BACK: usize = 256;
/// Nodes that may wait for their turn before the next are looked at: what is known of each takes memory.
const LOOK_AHEAD: usize = 64;

/// Runs a pipeline to its end and records it.
///
/// # Errors
/// The store or the registry fails; a node that fails is part of the report.
pub async fn run(
    pipeline: &Pipeline,
    store: &Store,
    sources: PinnedSources,
    options: &RunOptions,
) -> Result<RunReport, EngineError> {
    let at = (options.now)();
    let start = StartRecord {
        format: 1,
        run: options.run_id.clone(),
        pipeline: pipeline.name.clone(),
        params: pipeline.params.clone(),
        as_of: pipeline.as_of,
        sources: sources.references.clone(),
        files: sources.digests(),
        definition: Some(Digest::of(pipeline.text.as_bytes())),
        parent: options.parent.clone(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        processor: std::env::consts::ARCH.to_owned(),
        at,
    };
    let entered = enter(store.storage(), &options.run_id, &options.cancel).await.map_err(StoreError::from)?;
    let journal = Journal::start(store, &start).await?;
    let own = start.clone();
    let mut scheduler = Scheduler::new(pipeline, store, options, sources, journal, start);
    scheduler.emit(RunEvent::RunStarted {
        run: options.run_id.clone(),
        pipeline: pipeline.name.clone(),
        nodes: pipeline.nodes.len(),
        at,
    });
    let driven = scheduler.drive().await;
    let report = scheduler.finish(driven).await;
    if report.is_ok() && options.parent.is_none() {
        // what is left undone is done by the run after this one
        let _ = interrupted::write_lineage(store, &own).await;
    }
    if let Some(entered) = entered {
        // a lease that is not given back makes a sweep wait; that is no reason to fail a run that is done
        let _ = entered.release().await;
    }
    report
}

/// A node that must run, and what is known of it.
struct Start {
    fingerprint: Fingerprint,
    inputs: BTreeMap<String, Given>,
    /// Attempts so far, all failed.
    attempts: Vec<AttemptRecord>,
}

/// An attempt that ended.
struct Ended {
    at: usize,
    start: Start,
    started: Timestamp,
    log: AttemptLog,
    result: Result<Made, AttemptError>,
}

struct Scheduler<'a> {
    pipeline: &'a Pipeline,
    store: &'a Store,
    options: &'a RunOptions,
    sources: PinnedSources,
    pinned: Arc<BTreeMap<Digest, Artifact>>,
    /// Digests of files that nodes use: kept apart, because every look at a node needs them.
    files: BTreeMap<String, Digest>,
    journal: Journal,
    registry: RegistryClient,
    /// Stops this run: because the caller asks, or its time is over.
    cancel: CancelToken,
    start: StartRecord,
    states: BTreeMap<String, NodeState>,
    records: BTreeMap<usize, NodeRecord>,
    /// For each node, how many of those it waits for have not ended.
    waiting: Vec<usize>,
    dependents: Vec<Vec<usize>>,
    ready: BTreeSet<usize>,
    queue: Queue<Start>,
    /// Nodes that will be tried again, and when.
    paused: Vec<(Instant, usize, Start)>,
    running: JoinSet<Ended>,
    in_flight: BTreeMap<usize, CancelToken>,
    /// Nodes of the file of which no further instance runs, because this one failed.
    stopped: BTreeMap<String, String>,
    /// What the run is made from, once it is stored.
    kept: Vec<ArtifactRef>,
    timed_out: bool,
}

impl<'a> Scheduler<'a> {
    fn new(
        pipeline: &'a Pipeline,
        store: &'a Store,
        options: &'a RunOptions,
        sources: PinnedSources,
        journal: Journal,
        start: StartRecord,
    ) -> Self {
        let nodes = &pipeline.nodes;
        let index: BTreeMap<&str, usize> = nodes.iter().enumerate().map(|(at, node)| (node.id.as_str(), at)).collect();
        let mut waiting = vec![0; nodes.len()];
        let mut dependents = vec![Vec::new(); nodes.len()];
        for (at, node) in nodes.iter().enumerate() {
            for from in node.dependencies().iter().filter_map(|id| index.get(id.as_str())) {
                waiting[at] += 1;
                dependents[*from].push(at);
            }
        }
        let registry = RegistryClient::new(
            Registry::new(store.clone()),
            tokio::runtime::Handle::current(),
            Arc::clone(&options.now),
            options.run_id.clone(),
            options.run_id.clone(),
        );
        Self {
            ready: (0..nodes.len()).filter(|&at| waiting[at] == 0).collect(),
            queue: Queue::new(pipeline),
            pinned: Arc::new(sources.by_digest()),
            files: sources.digests(),
            pipeline,
            store,
            options,
            sources,
            journal,
            registry,
            cancel: options.cancel.child(),
            start,
            states: BTreeMap::new(),
            records: BTreeMap::new(),
            waiting,
            dependents,
            paused: Vec::new(),
            running: JoinSet::new(),
            in_flight: BTreeMap::new(),
            stopped: BTreeMap::new(),
            kept: Vec::new(),
            timed_out: false,
        }
    }

    fn now(&self) -> Timestamp {
        (self.options.now)()
    }

    fn emit(&mut self, event: RunEvent) {
        self.journal.note(&event);
        // nobody watching is no reason to stop
        let _ = self.options.events.send(event);
    }

    async fn drive(&mut self) -> Result<(), EngineError> {
        let deadline = self.options.timeout.map(|timeout| Instant::now() + timeout);
        let mut flushed = Some(Instant::now());
        loop {
            self.advance().await?;
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) && !self.cancel.is_cancelled() {
                self.timed_out = true;
                self.cancel.cancel();
            }
            if self.cancel.is_cancelled() {
                return self.stop().await;
            }
            if self.running.is_empty() && self.ready.is_empty() && self.paused.is_empty() {
                return self.account_for_all().await;
            }
            // before the wait, so that what has happened so far can be seen while nodes run
            if flushed.is_none_or(|last: Instant| last.elapsed() >= FLUSH_EVERY) {
                self.journal.flush().await?;
                flushed = Some(Instant::now());
            }
            // woken by the end of a node, or to see whether someone asked for a stop or a pause is over
            match tokio::time::timeout(TICK, self.running.join_next()).await {
                Ok(Some(ended)) => self.take(ended).await?,
                Ok(None) => tokio::time::sleep(TICK.min(self.until_next_try())).await,
                Err(_) => {}
            }
        }
    }

    fn until_next_try(&self) -> Duration {
        let next = self.paused.iter().map(|(when, _, _)| *when).min();
        next.map_or(TICK, |when| when.saturating_duration_since(Instant::now()))
    }

    /// Starts what can be started; looks at nodes only so far ahead as there is use for it.
    async fn advance(&mut self) -> Result<(), EngineError> {
        let now = Instant::now();
        while let Some(due) = self.paused.iter().position(|(when, _, _)| *when <= now) {
            let (_, at, start) = self.paused.swap_remove(due);
            self.queue.push(at, &self.pipeline.nodes[at], start);
        }
        while !self.cancel.is_cancelled() {
            let slot_free = self.running.len() < self.options.jobs;
            if slot_free && let Some((at, start)) = self.queue.take() {
                self.launch(at, start).await?;
            } else if (slot_free || self.queue.len() < LOOK_AHEAD)
                && let Some(at) = self.ready.pop_first()
            {
                self.look_at(at).await?;
            } else {
                break;
            }
            if self.journal.held_back() >= HELD_BACK {
                self.journal.flush().await?;
            }
        }
        Ok(())
    }

    async fn look_at(&mut self, at: usize) -> Result<(), EngineError> {
        let node = &self.pipeline.nodes[at];
        let started = self.now();
        if let Some(failed) = self.stopped.get(&node.group) {
            let mut record = self.blank(node, started);
            record.outcome = Outcome::Cancelled;
            record.reason = fail_fast_words(failed);
            return self.settle(at, record, NodeState::Cancelled).await;
        }
        let outside = Outside { sources: &self.sources.references, files: &self.files };
        match resolve(self.pipeline, node, &self.states, outside) {
            // every dependency has ended, so there is nothing to wait for
            Resolution::Wait(until) => self.skip(at, started, format!("waits for {}", until.join(", "))).await,
            Resolution::Skip(because) => self.skip(at, started, because).await,
            Resolution::Ready { fingerprint, inputs } => {
                match find_reusable(self.store, node, &fingerprint, &self.registry).await? {
                    Some(action) => {
                        let mut record = self.blank(node, started);
                        record.fingerprint = Some(fingerprint.digest);
                        record.parts = fingerprint.parts;
                        let state = Self::done(&mut record, action, Outcome::Reused);
                        self.settle(at, record, state).await
                    }
                    None => {
                        self.queue.push(at, node, Start { fingerprint, inputs, attempts: Vec::new() });
                        Ok(())
                    }
                }
            }
        }
    }

    async fn skip(&mut self, at: usize, started: Timestamp, because: String) -> Result<(), EngineError> {
        let mut record = self.blank(&self.pipeline.nodes[at], started);
        record.outcome = Outcome::Skipped;
        record.reason.clone_from(&because);
        self.settle(at, record, NodeState::Skipped(because)).await
    }

    async fn launch(&mut self, at: usize, start: Start) -> Result<(), EngineError> {
        self.store_sources().await?;
        let node = &self.pipeline.nodes[at];
        if node.kind.descriptor().behaviour.has_effect {
            // what it rests on is on record before it changes anything: a kill after that must not leave it unexplained
            self.make_durable().await?;
        }
        let (started, cancel) = (self.now(), self.cancel.child());
        if start.attempts.is_empty() {
            let kind = node.kind.descriptor().name.to_owned();
            self.emit(RunEvent::NodeStarted { node: node.id.clone(), kind, at: started });
        }
        self.in_flight.insert(at, cancel.clone());
        let log = AttemptLog::new(Arc::clone(&self.options.now));
        if let Some(pipeline) = &node.child {
            let call = child::Call {
                pipeline: Arc::clone(pipeline),
                store: self.store.clone(),
                options: self.options.for_child(&node.id, cancel),
                node: node.id.clone(),
                timeout: node.policy.timeout,
                fingerprint: start.fingerprint.clone(),
                events: self.options.events.clone(),
            };
            self.running.spawn(async move { Ended { at, result: child::run(call).await, start, started, log } });
            return Ok(());
        }
        let used = node.files.program.iter().chain(&node.files.others);
        let files = used.filter_map(|name| Some((name.clone(), self.sources.files.get(name)?.clone()))).collect();
        let work = Attempt {
            node: node.id.clone(),
            kind: node.kind,
            with: node.with.clone(),
            cache: node.policy.cache,
            timeout: node.policy.timeout,
            inputs: start.inputs.clone(),
            pinned: Arc::clone(&self.pinned),
            files,
            environment: Arc::clone(&self.options.environment),
            fingerprint: start.fingerprint.clone(),
            as_of: self.pipeline.as_of,
            run: self.options.run_id.clone(),
            store: self.store.clone(),
            registry: self.registry.clone(),
            pool: Arc::clone(&self.options.pool),
            check: self.options.check.clone(),
            cancel,
            events: self.options.events.clone(),
            log: log.clone(),
        };
        let audits = node.kind.descriptor().behaviour.executor == Executor::Auditor;
        if audits {
            // it reads the records of what has become of this run's nodes so far
            self.journal.flush().await?;
        }
        self.running.spawn(async move {
            let result = if audits { audit_node::run(work).await } else { attempt(work).await };
            Ended { at, result, start, started, log }
        });
        Ok(())
    }

    /// What a promotion is made from and explained by is there before it happens, and survives a power loss: no later run
    /// would bring it back.
    async fn make_durable(&mut self) -> Result<(), EngineError> {
        for source in self.kept.clone() {
            match self.store.make_durable(&source).await {
                // somebody removed the store under the run, which has them yet
                Err(StoreError::Blob(_)) => {
                    self.kept.clear();
                    self.store_sources().await?;
                    self.store.make_durable(&source).await?;
                }
                kept => kept?,
            }
        }
        Ok(self.journal.make_durable(&self.start).await?)
    }

    /// What a run is made from is kept with it; a run that only reuses has nothing new to keep.
    async fn store_sources(&mut self) -> Result<(), EngineError> {
        // the pipeline's text is always among them
        if !self.kept.is_empty() {
            return Ok(());
        }
        let definition = Artifact::file(ArtifactType::File, self.pipeline.text.as_bytes().to_vec());
        let files = self.sources.files.values().filter_map(|file| file.bytes.clone());
        let files = files.map(|bytes| Artifact::file(ArtifactType::File, bytes));
        for artifact in self.sources.artifacts.values().cloned().chain(files).chain([definition]) {
            self.kept.push(self.store.put(&artifact).await?);
        }
        Ok(())
    }

    async fn take(&mut self, ended: Result<Ended, tokio::task::JoinError>) -> Result<(), EngineError> {
        // a join error means that the attempt's own task panicked: `account_for_all` fails its node
        let Ok(Ended { at, mut start, started, log, result }) = ended else { return Ok(()) };
        let node = &self.pipeline.nodes[at];
        self.in_flight.remove(&at);
        self.queue.release(node);
        let attempt = self.attempt_record(at, start.attempts.len() + 1, started, &log, result.as_ref().err()).await?;
        start.attempts.push(attempt);
        let result = match result {
            Err(error) => match self.pause(at, &start, &error) {
                Some(pause) => {
                    self.paused.push((Instant::now() + pause, at, start));
                    return Ok(());
                }
                None => Err(error),
            },
            made => made,
        };
        let mut record = self.blank(node, start.attempts.first().map_or(started, |first| first.started));
        record.fingerprint = Some(start.fingerprint.digest);
        record.parts = start.fingerprint.parts;
        record.attempts = start.attempts;
        let state = match result {
            Ok(made) => {
                record.nondeterministic = made.nondeterministic;
                record.differences = made.differences;
                record.repeated_on = made.repeated_on;
                Self::done(&mut record, made.action, Outcome::Succeeded)
            }
            Err(AttemptError::Node(NodeError::Cancelled)) => {
                record.outcome = Outcome::Cancelled;
                let failed = self.stopped.get(&node.group);
                record.reason = failed.map_or("stopped before it was done".to_owned(), |id| fail_fast_words(id));
                NodeState::Cancelled
            }
            Err(AttemptError::Node(error @ NodeError::Insufficient { .. })) => {
                record.outcome = Outcome::Skipped;
                record.reason = error.to_string();
                NodeState::Skipped(record.reason.clone())
            }
            Err(error) => {
                record.outcome = Outcome::Failed;
                record.reason = chain(&error);
                NodeState::Failed
            }
        };
        let failed = state == NodeState::Failed;
        self.settle(at, record, state).await?;
        if failed && self.pipeline.groups.get(&node.group).is_some_and(|group| group.fail_fast) {
            self.fail_fast(at).await?;
        }
        Ok(())
    }

    async fn attempt_record(
        &self,
        at: usize,
        number: usize,
        started: Timestamp,
        log: &AttemptLog,
        error: Option<&AttemptError>,
    ) -> Result<AttemptRecord, EngineError> {
        let reason = error.map(|error| chain(error)).unwrap_or_default();
        let mut text = log.text();
        if let Some(error) = error.filter(|error| error.class().is_some()) {
            log.line(&format!("failed: {}", chain(error)));
            text = log.text();
        }
        let log = match text.is_empty() {
            true => None,
            false => Some(self.journal.log(&self.pipeline.nodes[at].id, number, text).await?),
        };
        Ok(AttemptRecord { started, ended: self.now(), reason, log })
    }

    /// How long to wait before the next attempt; `None` when there is none.
    fn pause(&mut self, at: usize, start: &Start, error: &AttemptError) -> Option<Duration> {
        let (node, number) = (&self.pipeline.nodes[at], u32::try_from(start.attempts.len()).unwrap_or(u32::MAX));
        let retry = &node.policy.retry;
        if number >= retry.max_attempts || self.cancel.is_cancelled() || self.stopped.contains_key(&node.group) {
            return None;
        }
        if !error.class().is_some_and(|class| retry.retry_on.contains(&class)) {
            return None;
        }
        // the draw differs from run to run, but needs no source of chance: it reaches no result
        let seed = Seed::new(0).derive(&self.options.run_id);
        let draw = seed.derive(&node.id).index(u64::from(number)).stream().uniform();
        let pause = retry.pause(number, draw);
        self.emit(RunEvent::Retrying {
            node: node.id.clone(),
            attempt: number,
            of: retry.max_attempts,
            reason: chain(error),
            pause: pause.as_secs_f64(),
            at: self.now(),
        });
        Some(pause)
    }

    /// Stops all other instances of the node of the file whose instance failed.
    async fn fail_fast(&mut self, failed: usize) -> Result<(), EngineError> {
        let (nodes, id) = (&self.pipeline.nodes, &self.pipeline.nodes[failed].id);
        let group = nodes[failed].group.as_str();
        self.stopped.insert(group.to_owned(), id.clone());
        let same = |at: usize| nodes[at].group == group;
        self.in_flight.iter().filter(|(at, _)| same(**at)).for_each(|(_, cancel)| cancel.cancel());
        let mut left = self.queue.remove(same);
        let (stopped, paused): (Vec<_>, _) =
            std::mem::take(&mut self.paused).into_iter().partition(|(_, at, _)| same(*at));
        self.paused = paused;
        left.extend(stopped.into_iter().map(|(_, at, start)| (at, start)));
        for (at, start) in left {
            let record = self.abandoned(at, start, &fail_fast_words(id));
            self.settle(at, record, NodeState::Cancelled).await?;
        }
        Ok(())
    }

    /// The record of a node that was to start, or to start again, and will not.
    fn abandoned(&self, at: usize, start: Start, because: &str) -> NodeRecord {
        let first = start.attempts.first().map(|first| first.started);
        let mut record = self.blank(&self.pipeline.nodes[at], first.unwrap_or_else(|| self.now()));
        record.outcome = Outcome::Cancelled;
        record.reason = match start.attempts.last() {
            None => because.to_owned(),
            Some(last) => format!("{because}; attempt {} had failed: {}", start.attempts.len(), last.reason),
        };
        record.fingerprint = Some(start.fingerprint.digest);
        record.parts = start.fingerprint.parts;
        record.attempts = start.attempts;
        record
    }

    /// Fails every node that has no record: its attempt vanished, or it waited for one that did.
    async fn account_for_all(&mut self) -> Result<(), EngineError> {
        for at in self.without_record() {
            let mut record = self.blank(&self.pipeline.nodes[at], self.now());
            record.reason = "a bug: the node ended without a result".to_owned();
            self.record(at, record);
        }
        Ok(())
    }

    fn without_record(&self) -> Vec<usize> {
        (0..self.waiting.len()).filter(|at| !self.records.contains_key(at)).collect()
    }

    /// Asks running nodes to stop and waits for them, but not for ever.
    async fn stop(&mut self) -> Result<(), EngineError> {
        self.emit(RunEvent::Stopping { at: self.now() });
        let deadline = Instant::now() + GRACE;
        while let Ok(Some(ended)) = tokio::time::timeout_at(deadline, self.running.join_next()).await {
            self.take(ended).await?;
        }
        self.running.detach_all();
        let paused = std::mem::take(&mut self.paused).into_iter().map(|(_, at, start)| (at, start));
        for (at, start) in self.queue.remove(|_| true).into_iter().chain(paused) {
            let because = if start.attempts.is_empty() { "not started" } else { "stopped before another attempt" };
            let record = self.abandoned(at, start, because);
            self.states.insert(record.node.clone(), NodeState::Cancelled);
            self.record(at, record);
        }
        for at in self.without_record() {
            let mut record = self.blank(&self.pipeline.nodes[at], self.now());
            record.outcome = Outcome::Cancelled;
            record.reason =
                if self.in_flight.contains_key(&at) { "did not stop in time" } else { "not started" }.to_owned();
            self.states.insert(record.node.clone(), NodeState::Cancelled);
            self.record(at, record);
        }
        Ok(())
    }

    fn blank(&self, node: &Node, started: Timestamp) -> NodeRecord {
        NodeRecord {
            node: node.id.clone(),
            kind: node.kind.descriptor().name.to_owned(),
            outcome: Outcome::Failed,
            reason: String::new(),
            summary: String::new(),
            fingerprint: None,
            parts: serde_json::Value::Null,
            outputs: BTreeMap::new(),
            logical: BTreeMap::new(),
            values: BTreeMap::new(),
            made_by: None,
            nondeterministic: BTreeMap::new(),
            differences: Vec::new(),
            repeated_on: None,
            attempts: Vec::new(),
            started,
            ended: self.now(),
        }
    }

    fn done(record: &mut NodeRecord, action: Action, outcome: Outcome) -> NodeState {
        record.outcome = outcome;
        record.summary = action.summary;
        record.made_by = Some(action.made_by.run);
        record.outputs.clone_from(&action.outputs);
        record.logical = action.logical;
        record.values.clone_from(&action.values);
        NodeState::Done { outputs: action.outputs, values: action.values, reused: outcome == Outcome::Reused }
    }

    async fn settle(&mut self, at: usize, record: NodeRecord, state: NodeState) -> Result<(), EngineError> {
        self.states.insert(record.node.clone(), state);
        self.record(at, record);
        for index in 0..self.dependents[at].len() {
            let dependent = self.dependents[at][index];
            self.waiting[dependent] -= 1;
            if self.waiting[dependent] == 0 {
                self.ready.insert(dependent);
            }
        }
        Ok(())
    }

    fn record(&mut self, at: usize, mut record: NodeRecord) {
        self.journal.node(record.clone());
        // the largest part of a record, which nobody needs once it is written
        record.parts = serde_json::Value::Null;
        self.records.insert(at, record.clone());
        self.emit(RunEvent::NodeEnded { record: Box::new(record) });
    }

    async fn finish(mut self, driven: Result<(), EngineError>) -> Result<RunReport, EngineError> {
        let nodes: Vec<NodeRecord> = std::mem::take(&mut self.records).into_values().collect();
        let failed = nodes.iter().any(|node| node.outcome == Outcome::Failed) || driven.is_err();
        let status = if self.options.cancel.is_cancelled() {
            RunStatus::Cancelled
        } else if failed || self.timed_out {
            RunStatus::Failed
        } else {
            RunStatus::Succeeded
        };
        let mut result = driven;
        let mut published = Vec::new();
        if status == RunStatus::Succeeded {
            match publish(self.pipeline, self.store, &self.options.run_id, &nodes).await {
                Ok(paths) => published = paths,
                Err(error) => result = Err(error),
            }
        }
        if result.is_ok() {
            result = attest(self.store, &self.start, &nodes, self.options.signer.as_deref()).await;
        }
        let at = self.now();
        let status = if result.is_err() && status == RunStatus::Succeeded { RunStatus::Failed } else { status };
        let reason = match (&result, self.options.timeout.filter(|_| self.timed_out)) {
            (Err(error), _) => chain(error),
            (Ok(()), Some(timeout)) => format!("timed out after {}", humantime::format_duration(timeout)),
            (Ok(()), None) => String::new(),
        };
        self.emit(RunEvent::RunEnded { status, at });
        // a pipeline that is a node is told of by the run that it is a node of
        if self.options.parent.is_none() {
            for index in due(self.pipeline, &self.states, status) {
                let (run, pipeline) = (self.options.run_id.clone(), self.pipeline.name.clone());
                write_down(self.store, &DueNotification { run, pipeline, index }).await?;
            }
        }
        let ended = self.journal.end(status, reason.clone(), at).await;
        result?;
        ended?;
        Ok(RunReport {
            run: self.options.run_id.clone(),
            pipeline: self.pipeline.name.clone(),
            as_of: self.pipeline.as_of,
            params: self.pipeline.params.clone(),
            status,
            reason,
            started: self.start.at,
            ended: at,
            nodes,
            published,
        })
    }
}

fn fail_fast_words(failed: &str) -> String {
    format!("{failed} failed, and the matrix has `fail_fast`")
}
