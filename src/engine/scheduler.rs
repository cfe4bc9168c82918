//! Which node runs when: each is looked at once, as soon as everything it waits for has ended.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::attempt::{Attempt, InputSource, Made, attempt};
use super::event::{NodeRecord, Outcome, RunEvent, RunStatus};
use super::journal::{EndRecord, Journal, StartRecord};
use super::publish::publish;
use super::{EngineError, PinnedSources, RunOptions, RunReport, Shared};
use crate::artifact::{Action, Store};
use crate::base::Timestamp;
use crate::node::NodeError;
use crate::pipeline::{Node, Origin, Pipeline};
use crate::plan::{Fingerprint, NodeState, Resolution, find_reusable, resolve};
use crate::registry::{Registry, RegistryClient};

/// How long running nodes may take to stop once asked.
const GRACE: Duration = Duration::from_secs(10);
/// How often a waiting run looks whether it was asked to stop.
const TICK: Duration = Duration::from_millis(50);

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
        program: env!("CARGO_PKG_VERSION").to_owned(),
        processor: std::env::consts::ARCH.to_owned(),
        at,
    };
    let journal = Journal::start(store, &start).await?;
    let shared = Shared { pipeline, store, options, sources };
    let mut scheduler = Scheduler::new(&shared, journal);
    scheduler.emit(RunEvent::RunStarted {
        run: options.run_id.clone(),
        pipeline: pipeline.name.clone(),
        nodes: pipeline.nodes.len(),
        at,
    });
    let driven = scheduler.drive().await;
    scheduler.finish(driven, at).await
}

/// An attempt that ended, with what its record needs.
type Ended = (usize, Timestamp, Fingerprint, Result<Made, NodeError>);

struct Scheduler<'a> {
    shared: &'a Shared<'a>,
    journal: Journal,
    registry: RegistryClient,
    states: BTreeMap<String, NodeState>,
    records: BTreeMap<usize, NodeRecord>,
    /// For each node, how many of those it waits for have not ended.
    waiting: Vec<usize>,
    dependents: Vec<Vec<usize>>,
    ready: VecDeque<usize>,
    running: JoinSet<Ended>,
    in_flight: BTreeSet<usize>,
    sources_stored: bool,
}

impl<'a> Scheduler<'a> {
    fn new(shared: &'a Shared<'a>, journal: Journal) -> Self {
        let nodes = &shared.pipeline.nodes;
        let index: BTreeMap<&str, usize> = nodes.iter().enumerate().map(|(at, node)| (node.id.as_str(), at)).collect();
        let mut waiting = vec![0; nodes.len()];
        let mut dependents = vec![Vec::new(); nodes.len()];
        for (at, node) in nodes.iter().enumerate() {
            for from in node.dependencies().iter().filter_map(|id| index.get(id.as_str())) {
                waiting[at] += 1;
                dependents[*from].push(at);
            }
        }
        let options = shared.options;
        let registry = RegistryClient::new(
            Registry::new(shared.store.clone()),
            tokio::runtime::Handle::current(),
            Arc::clone(&options.now),
            options.run_id.clone(),
            options.run_id.clone(),
        );
        Self {
            ready: (0..nodes.len()).filter(|&at| waiting[at] == 0).collect(),
            shared,
            journal,
            registry,
            states: BTreeMap::new(),
            records: BTreeMap::new(),
            waiting,
            dependents,
            running: JoinSet::new(),
            in_flight: BTreeSet::new(),
            sources_stored: false,
        }
    }

    fn emit(&mut self, event: RunEvent) {
        self.journal.note(&event);
        // nobody watching is no reason to stop
        let _ = self.shared.options.events.send(event);
    }

    async fn drive(&mut self) -> Result<(), EngineError> {
        let cancel = &self.shared.options.cancel;
        loop {
            while self.running.len() < self.shared.options.jobs && !cancel.is_cancelled() {
                let Some(at) = self.ready.pop_front() else { break };
                self.look_at(at).await?;
            }
            if cancel.is_cancelled() {
                return self.stop().await;
            }
            if self.running.is_empty() && self.ready.is_empty() {
                return self.account_for_all().await;
            }
            // woken by the end of a node, or to see whether someone asked for a stop
            if let Ok(Some(ended)) = tokio::time::timeout(TICK, self.running.join_next()).await {
                self.take(ended).await?;
            }
        }
    }

    async fn take(&mut self, ended: Result<Ended, tokio::task::JoinError>) -> Result<(), EngineError> {
        // a join error means that the attempt's own task panicked: `account_for_all` fails its node
        let Ok((at, started, fingerprint, result)) = ended else { return Ok(()) };
        self.in_flight.remove(&at);
        let node = &self.shared.pipeline.nodes[at];
        let mut record = self.blank(node, started);
        record.fingerprint = Some(fingerprint.digest);
        record.parts = fingerprint.parts;
        let state = match result {
            Ok(made) => {
                record.nondeterministic = made.nondeterministic;
                Self::done(&mut record, made.action, Outcome::Succeeded)
            }
            Err(NodeError::Cancelled) => {
                record.outcome = Outcome::Cancelled;
                record.reason = "stopped before it was done".to_owned();
                NodeState::Cancelled
            }
            Err(error @ NodeError::Insufficient { .. }) => {
                record.outcome = Outcome::Skipped;
                record.reason = error.to_string();
                NodeState::Skipped(record.reason.clone())
            }
            Err(NodeError::Failed(error)) => {
                record.outcome = Outcome::Failed;
                record.reason = chain(error.as_ref());
                NodeState::Failed
            }
        };
        self.settle(at, record, state).await
    }

    /// Fails every node that has no record: its attempt vanished, or it waited for one that did.
    async fn account_for_all(&mut self) -> Result<(), EngineError> {
        for at in (0..self.waiting.len()).filter(|at| !self.records.contains_key(at)).collect::<Vec<_>>() {
            let mut record = self.blank(&self.shared.pipeline.nodes[at], (self.shared.options.now)());
            record.reason = "a bug: the node ended without a result".to_owned();
            self.record(at, record).await?;
        }
        Ok(())
    }

    /// Asks running nodes to stop and waits for them, but not for ever.
    async fn stop(&mut self) -> Result<(), EngineError> {
        self.emit(RunEvent::Stopping { at: (self.shared.options.now)() });
        let deadline = tokio::time::Instant::now() + GRACE;
        while let Ok(Some(ended)) = tokio::time::timeout_at(deadline, self.running.join_next()).await {
            self.take(ended).await?;
        }
        self.running.detach_all();
        let left = (0..self.waiting.len()).filter(|at| !self.records.contains_key(at)).collect::<Vec<_>>();
        for at in left {
            let mut record = self.blank(&self.shared.pipeline.nodes[at], (self.shared.options.now)());
            record.outcome = Outcome::Cancelled;
            record.reason =
                if self.in_flight.contains(&at) { "did not stop in time" } else { "not started" }.to_owned();
            self.record(at, record).await?;
        }
        Ok(())
    }

    async fn look_at(&mut self, at: usize) -> Result<(), EngineError> {
        let shared = self.shared;
        let node = &shared.pipeline.nodes[at];
        let now = (shared.options.now)();
        match resolve(shared.pipeline, node, &self.states, &shared.sources.references) {
            // every dependency has ended, so there is nothing to wait for
            Resolution::Wait(until) => self.skip(at, node, now, format!("waits for {}", until.join(", "))).await,
            Resolution::Skip(because) => self.skip(at, node, now, because).await,
            Resolution::Ready(fingerprint) => {
                match find_reusable(shared.store, node, &fingerprint, &self.registry).await? {
                    Some(action) => {
                        let mut record = self.blank(node, now);
                        record.fingerprint = Some(fingerprint.digest);
                        record.parts = fingerprint.parts;
                        let state = Self::done(&mut record, action, Outcome::Reused);
                        self.settle(at, record, state).await
                    }
                    None => self.launch(at, node, fingerprint).await,
                }
            }
        }
    }

    async fn skip(&mut self, at: usize, node: &Node, now: Timestamp, because: String) -> Result<(), EngineError> {
        let mut record = self.blank(node, now);
        record.outcome = Outcome::Skipped;
        record.reason.clone_from(&because);
        self.settle(at, record, NodeState::Skipped(because)).await
    }

    async fn launch(&mut self, at: usize, node: &Node, fingerprint: Fingerprint) -> Result<(), EngineError> {
        let shared = self.shared;
        if !self.sources_stored {
            // what a run is made from is kept with it; a run that only reuses has nothing new to keep
            for artifact in shared.sources.artifacts.values() {
                shared.store.put(artifact).await?;
            }
            self.sources_stored = true;
        }
        let started = (shared.options.now)();
        let work = Attempt {
            node: node.id.clone(),
            kind: node.kind,
            with: node.with.clone(),
            inputs: self.inputs_of(node),
            fingerprint: fingerprint.clone(),
            as_of: shared.pipeline.as_of,
            run: shared.options.run_id.clone(),
            store: shared.store.clone(),
            registry: self.registry.clone(),
            pool: Arc::clone(&shared.options.pool),
            cancel: shared.options.cancel.clone(),
            events: shared.options.events.clone(),
        };
        let kind = node.kind.descriptor().name.to_owned();
        self.emit(RunEvent::NodeStarted { node: node.id.clone(), kind, at: started });
        self.in_flight.insert(at);
        self.running.spawn(async move { (at, started, fingerprint, attempt(work).await) });
        Ok(())
    }

    fn inputs_of(&self, node: &Node) -> BTreeMap<String, InputSource> {
        let sources = &self.shared.sources;
        let input = |from: &Origin| match from {
            Origin::Source(name) => {
                let reference = sources.references.get(name).cloned().flatten()?;
                Some(match sources.artifacts.get(name) {
                    Some(artifact) => InputSource::Pinned(reference, artifact.clone()),
                    None => InputSource::Stored(reference),
                })
            }
            Origin::Output { node, port } => match self.states.get(node) {
                Some(NodeState::Done { outputs, .. }) => outputs.get(port).cloned().map(InputSource::Stored),
                _ => None,
            },
        };
        node.inputs.iter().filter_map(|(port, edge)| Some((port.clone(), input(&edge.from)?))).collect()
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
            values: BTreeMap::new(),
            made_by: None,
            nondeterministic: BTreeMap::new(),
            started,
            ended: (self.shared.options.now)(),
        }
    }

    fn done(record: &mut NodeRecord, action: Action, outcome: Outcome) -> NodeState {
        record.outcome = outcome;
        record.summary = action.summary;
        record.made_by = Some(action.made_by.run);
        record.outputs.clone_from(&action.outputs);
        record.values.clone_from(&action.values);
        NodeState::Done { outputs: action.outputs, values: action.values, reused: outcome == Outcome::Reused }
    }

    async fn settle(&mut self, at: usize, record: NodeRecord, state: NodeState) -> Result<(), EngineError> {
        self.states.insert(record.node.clone(), state);
        self.record(at, record).await?;
        for index in 0..self.dependents[at].len() {
            let dependent = self.dependents[at][index];
            self.waiting[dependent] -= 1;
            if self.waiting[dependent] == 0 {
                self.ready.push_back(dependent);
            }
        }
        Ok(())
    }

    async fn record(&mut self, at: usize, record: NodeRecord) -> Result<(), EngineError> {
        self.journal.node(&record).await?;
        self.records.insert(at, record.clone());
        self.emit(RunEvent::NodeEnded { record: Box::new(record) });
        Ok(())
    }

    async fn finish(mut self, driven: Result<(), EngineError>, started: Timestamp) -> Result<RunReport, EngineError> {
        let shared = self.shared;
        let nodes: Vec<NodeRecord> = self.records.values().cloned().collect();
        let failed = nodes.iter().any(|node| node.outcome == Outcome::Failed) || driven.is_err();
        let status = if shared.options.cancel.is_cancelled() {
            RunStatus::Cancelled
        } else if failed {
            RunStatus::Failed
        } else {
            RunStatus::Succeeded
        };
        let mut result = driven;
        let mut published = Vec::new();
        if status == RunStatus::Succeeded {
            match publish(shared, &nodes).await {
                Ok(paths) => published = paths,
                Err(error) => result = Err(error),
            }
        }
        let at = (shared.options.now)();
        let status = if result.is_err() && status == RunStatus::Succeeded { RunStatus::Failed } else { status };
        let reason = result.as_ref().err().map(|error| chain(error)).unwrap_or_default();
        self.emit(RunEvent::RunEnded { status, at });
        let ended = self.journal.end(&EndRecord { status, reason, at }).await;
        result?;
        ended?;
        Ok(RunReport {
            run: shared.options.run_id.clone(),
            pipeline: shared.pipeline.name.clone(),
            as_of: shared.pipeline.as_of,
            params: shared.pipeline.params.clone(),
            status,
            started,
            ended: at,
            nodes,
            published,
        })
    }
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        // a transparent wrapper repeats its cause's words
        if !words.ends_with(&text) {
            words.push_str(": ");
            words.push_str(&text);
        }
        source = cause.source();
    }
    words
}
